#!/bin/sh
# sgflow reproduce, of a few cheap tables: that it makes what it says, that no number of the pages is without a source, that it
# goes on where it was, and what it refuses.
limit=400
. "$(dirname "$0")/shell.sh"
SGFLOW_DATA=$(cd "$(dirname "$0")/../examples" && pwd)
export SGFLOW_DATA
tables="T8-balance R1"
out=$folder/tables

# Killed in the midst of R1, of which something is kept by then.
"$SGFLOW" reproduce R1 --quick --out "$out" --threads 1 >/dev/null 2>&1 &
victim=$!
tries=0
while ! grep -q diabetes "$out/data/real-one-layer-numbers.csv" 2>/dev/null && [ "$tries" -lt 600 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
kill -9 "$victim" 2>/dev/null
wait "$victim" 2>/dev/null

# shellcheck disable=SC2086 # a list of words
expect 0 "tables of the quick scale" "$SGFLOW" reproduce $tables --quick --out "$out"
has "a killed run goes on" 'problems solved now, [1-4] were up to date' "$folder/out"
for file in index.html real-data.html provenance.csv cases.csv summary.csv T8-balance.csv \
  T8-balance-ends.csv R1.csv data/balance-times.csv; do
  [ -s "$out/$file" ]
  report "$file is made" $?
done
if command -v gnuplot >/dev/null; then
  for file in T8-balance.svg T8-balance.pdf R1.svg; do
    [ -s "$out/$file" ]
    report "$file is drawn" $?
  done
fi
has "the page has the claim" 'noise balance' "$out/index.html"
has "and says what was not made" 'not made' "$out/index.html"
has "real data have their own page" 'diabetes' "$out/real-data.html"

# Cells of CSV files (RFC 4180, no line breaks inside), one a line: FILE<tab>ROW<tab>COLUMN<tab>CELL.
cells='
function split_row(text, row,   at, cell, quoted, c) {
  columns = 0; cell = ""; quoted = 0
  for (at = 1; at <= length(text); at++) {
    c = substr(text, at, 1)
    if (quoted && c == "\"" && substr(text, at + 1, 1) == "\"") { cell = cell c; at++ }
    else if (c == "\"") quoted = !quoted
    else if (c == "," && !quoted) { row[++columns] = cell; cell = "" }
    else cell = cell c
  }
  row[++columns] = cell
  return quoted ? -1 : columns
}
{ sub(/\r$/, "") }'
for file in "$out"/*.csv "$out"/data/*.csv; do
  awk "$cells"' { n = split_row($0, row) } FNR == 1 { width = n } n != width { bad = 1 } END { exit bad || NR == 0 }' "$file"
  report "${file##*/} is a table" $?
done

# Every number in a cell or in a verdict of the pages is a cell of some table.
numbers() { # page
  awk '
    /<style>/ { sub(/<style>.*<\/style>/, "") }
    /<td|Verdict/ {
      gsub(/<th>[^<]*<\/th>/, " "); gsub(/<[^>]*>/, "\n"); gsub(/±|\[|\]/, " ")
      count = split($0, word, /[ \n]+/)
      for (k = 1; k <= count; k++) if (word[k] ~ /^[-+]?[0-9][0-9.]*(e[-+]?[0-9]+)?$/) print word[k]
    }' "$1" | sort -u
}
awk "$cells"' { n = split_row($0, row); for (k = 1; k <= n; k++) { count = split(row[k], word, / +/); for (i = 1; i <= count; i++) print word[i] } }' \
  "$out"/*.csv | sort -u >"$folder/known"
for page in index real-data; do
  numbers "$out/$page.html" >"$folder/shown"
  [ "$(wc -l <"$folder/shown")" -gt 20 ]
  report "$page.html shows numbers" $?
  comm -23 "$folder/shown" "$folder/known" >"$folder/unknown"
  [ ! -s "$folder/unknown" ] || { echo "in no CSV:"; cat "$folder/unknown"; }
  [ ! -s "$folder/unknown" ]
  report "every number of $page.html is in a CSV" $?
done
sed 's/[0-9]/7/' "$folder/shown" | sort -u | comm -23 - "$folder/known" | grep -q .
report "a changed number is noticed" $?

# shellcheck disable=SC2086
expect 0 "once more" "$SGFLOW" reproduce $tables --quick --out "$out"
has "nothing is made again" '^0 problems solved now' "$folder/out"
expect 73 "another scale in the same folder" "$SGFLOW" reproduce T8-balance --out "$out"
expect 64 "a table that does not exist" "$SGFLOW" reproduce T99 --quick --out "$out"
SGFLOW_DATA=$folder expect 0 "data are found beside the program or where they are installed, if not where SGFLOW_DATA says" \
  "$SGFLOW" reproduce R1 --quick --out "$out"
conclude
