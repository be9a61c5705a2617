#!/bin/sh
# The manual as one HTML file, of the pages, the theory, the manual pages and the header.
#   manual.sh SOURCE_FOLDER FOLDER_OF_MANUAL_PAGES VERSION OUTPUT
set -eu
source=$1 pages=$2 version=$3 output=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A page of the repository, with its links to other pages turned into links inside the manual, and its pictures found.
chapter() {
  sed -e 's|](\.\./theory/README\.md)|](#theory-notation-and-equations)|g' \
    -e 's|](tutorial\.md)|](#tutorial-from-zero-to-a-verified-prediction)|g' -e 's|](verdicts\.md)|](#what-a-verdict-says)|g' \
    -e 's|](output\.md)|](#output-files)|g' -e 's|](\(\.\./\)\{0,1\}\(docs/\)\{0,1\}scaling\.md)|](#running-at-scale)|g' \
    -e 's|](\(\.\./\)\{0,1\}\(docs/\)\{0,1\}solvers\.md)|](#lyapunov-and-stein-equations)|g' \
    -e 's|](architecture\.md)|](#architecture)|g' -e 's|](\.\./CONTRIBUTING\.md)|](#contributing)|g' \
    -e 's|](\.\./include/sgflow\.h)|](#the-c-library)|g' "$source/$1"
  echo
}
# A manual page one level below the headings of the chapter.
command_page() {
  echo "## $2"
  echo
  pandoc -f man -t markdown --shift-heading-level-by=2 --wrap=none "$pages/$1"
  echo
}

{
  chapter docs/introduction.md
  chapter docs/tutorial.md
  chapter theory/README.md
  chapter docs/verdicts.md
  echo '# Commands'
  echo
  for name in predict simulate verify compare sweep merge lyapunov reproduce; do
    command_page "sgflow-$name.1" "sgflow $name"
  done
  echo '# The config'
  echo
  pandoc -f man -t markdown --shift-heading-level-by=1 --wrap=none "$pages/sgflow-config.5"
  echo
  chapter docs/output.md
  chapter python/README.md
  echo '# The C library'
  echo
  awk -f "$source/docs/api.awk" "$source/include/sgflow.h"
  chapter docs/solvers.md
  chapter docs/scaling.md
  if [ -f "$source/docs/architecture.md" ]; then chapter docs/architecture.md; fi
  chapter docs/extending.md
  chapter CONTRIBUTING.md
  chapter docs/testing.md
} >"$work/manual.md"
pandoc -f markdown-tex_math_dollars-tex_math_single_backslash-raw_tex-citations -t html5 --standalone --self-contained --toc --toc-depth=2 \
  --metadata title="sgflow $version: the manual" --css "$source/docs/manual.css" --resource-path "$source/docs:$source" \
  -o "$work/manual.html" "$work/manual.md"
mv "$work/manual.html" "$output"
