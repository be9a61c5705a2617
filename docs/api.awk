# The public header as Markdown: comments as text, declarations as code. Reads sgflow.h.
function flush_code() {
  if (code != "") {
    sub(/\n+$/, "", code)
    printf "```c\n%s\n```\n\n", code
    code = ""
  }
}
function flush_text(   text) {
  text = comment
  comment = ""
  sub(/^\n+/, "", text)
  sub(/\n+$/, "", text)
  if (text == "") return
  if (text ~ /^-+ [^\n]*$/) {
    sub(/^-+ */, "", text)
    printf "## %s%s\n\n", toupper(substr(text, 1, 1)), substr(text, 2)
    return
  }
  if (text ~ /^-+ [^\n]*\n/) {
    title = text
    sub(/\n.*/, "", title)
    sub(/^-+ */, "", title)
    printf "## %s%s\n\n", toupper(substr(title, 1, 1)), substr(title, 2)
    sub(/^[^\n]*\n+/, "", text)
  }
  gsub(/[][\\*^~$`<>|#]/, "\\\\&", text)
  gsub(/\n/, "\n| ", text)
  printf "| %s\n\n", text
}
/^#if|^#endif|^extern "C"|^#define SGF_(API|PRINTF)|^#else|^#include|^}$/ { next }
/^#ifndef SGFLOW_H|^#define SGFLOW_H/ { next }
!depth && !inside && /^\/\*/ {
  flush_code()
  line = $0
  sub(/^\/\* ?/, "", line)
  if (line ~ /\*\/ *$/) {
    sub(/ *\*\/ *$/, "", line)
    comment = line
    flush_text()
    next
  }
  comment = line
  inside = 1
  next
}
inside {
  line = $0
  done = line ~ /\*\/ *$/
  sub(/^ \*\/? ?/, "", line)
  sub(/ *\*\/ *$/, "", line)
  comment = comment "\n" line
  if (done) {
    inside = 0
    flush_text()
  }
  next
}
{
  line = $0
  sub(/^SGF_API /, "", line)
  opened = gsub(/\{/, "{", line)
  closed = gsub(/\}/, "}", line)
  depth += opened - closed
  if (line == "" && !depth) {
    if (code != "") code = code "\n"
    next
  }
  code = code line "\n"
}
END { flush_code() }
