# The interface of include/sgflow.h as a C program that prints it: "function NAME", "constant NAME VALUE", "struct NAME SIZE"
# and "field STRUCT.FIELD OFFSET SIZE". The header has one declarator form: no function pointers in structs, no bit fields.
{ text = text $0 "\n" }

function field(declaration, prefix,    names, count, k, name) {
  count = split(declaration, names, ",")
  for (k = 1; k <= count; k++) {
    name = names[k]
    sub(/\[.*/, "", name)
    gsub(/^.*[ *]/, "", name)
    if (name != "") fields[++field_count] = prefix name
  }
}

function print_struct(name,    k) {
  printf "  printf(\"struct %s %%zu\\n\", sizeof(%s));\n", name, name
  for (k = 1; k <= field_count; k++)
    printf "  printf(\"field %s.%s %%zu %%zu\\n\", offsetof(%s, %s), sizeof(((%s *)0)->%s));\n", name, fields[k], name, fields[k], name, fields[k]
}

END {
  while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//)) text = substr(text, 1, RSTART - 1) " " substr(text, RSTART + RLENGTH)
  gsub(/\\\n/, " ", text)
  lines = split(text, line, "\n")
  print "#include <stddef.h>\n#include <stdio.h>\n\n#include <sgflow.h>\nint main(void)\n{"
  text = ""
  for (k = 1; k <= lines; k++) {
    if (line[k] !~ /^#/) text = text line[k] " "
    else if (line[k] ~ /^#define SGF_[A-Z_]+ [-0-9.]/) {
      split(line[k], word, " ")
      printf "  printf(\"constant %s %%g\\n\", (double)%s);\n", word[2], word[2]
    }
  }
  gsub(/[{};]/, "\n&\n", text)
  count = split(text, token, "\n")
  depth = 0
  for (k = 1; k <= count; k++) {
    gsub(/^ +| +$/, "", token[k])
    gsub(/ +/, " ", token[k])
    if (token[k] == "") continue
    if (token[k] == "{" && depth > 0) {
      mark = field_count
      depth++
    } else if (token[k] == "{" && before ~ /struct sgf_[a-z_]+$/) {
      name = before
      sub(/.*struct /, "", name)
      field_count = 0
      depth = 1
    } else if (token[k] == "{" && before ~ /^(typedef )?enum/) {
      listing = 1
    } else if (token[k] == "}" && listing) {
      listing = 0
    } else if (token[k] == "}" && depth == 2) {
      depth = 1
      for (next_token = k + 1; token[next_token] ~ /^ *$/; next_token++) {}
      gsub(/ /, "", token[next_token])
      for (j = mark + 1; j <= field_count; j++) fields[j] = token[next_token] "." fields[j]
      token[next_token] = ""
    } else if (token[k] == "}" && depth == 1) {
      depth = 0
      print_struct(name)
    } else if (listing) {
      values = split(token[k], value, ",")
      for (j = 1; j <= values; j++) {
        gsub(/ |=.*/, "", value[j])
        if (value[j] != "") printf "  printf(\"constant %s %%g\\n\", (double)%s);\n", value[j], value[j]
      }
    } else if (depth > 0 && token[k] != ";" && token[k] != "struct") {
      field(token[k], "")
    } else if (token[k] ~ /^SGF_API /) {
      function_name = token[k]
      sub(/\(.*/, "", function_name)
      sub(/.*[ *]/, "", function_name)
      printf "  puts(\"function %s\");\n", function_name
    }
    before = token[k]
  }
  print "  return 0;\n}"
}
