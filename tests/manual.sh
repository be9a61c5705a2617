#!/usr/bin/env bash
# Manual pages and completion of bash: there is a page for each command with every option of its --help, roff that man and
# mandoc take without a warning, and the completion gives commands, options, config files, keys and values. SGFLOW is the program;
# its pages and completion are in MANUAL, absent where the program that makes them cannot run.
. "$(dirname "$0")/shell.sh"
[ -f "$MANUAL/sgflow.1" ] || exit 77

commands=$("$SGFLOW" --help | sed -n 's/^  \([a-z]*\)  .*/\1/p')
for command in $commands; do
  page=$MANUAL/sgflow-$command.1
  for section in NAME SYNOPSIS DESCRIPTION OPTIONS "EXIT STATUS" FILES EXAMPLES "SEE ALSO"; do
    has "the page of $command has $section" "^\.SH $section\$" "$page"
  done
  for option in $("$SGFLOW" "$command" --help | grep -oE '^ +(-[a-z?], )?--[a-z-]+' | grep -oE '\-\-[a-z-]+'); do
    has "the page of $command has $option" "^\\\\fB.*$(printf %s "$option" | sed 's/-/\\\\-/g')\\\\fR" "$page"
  done
  has "the program's page has $command" "^\\\\fB$command\\\\fR\$" "$MANUAL/sgflow.1"
done
has "the page of the config has keys" '^\\fBlearning_rate\\fR \(number\)$' "$MANUAL/sgflow-config.5"
for page in "$MANUAL"/*.[15]; do
  if command -v man >/dev/null; then
    LC_ALL=C.UTF-8 MANROFFSEQ='' man -l --warnings "$page" >/dev/null 2>"$folder/err"
    [ ! -s "$folder/err" ]
    report "man takes ${page##*/}" $?
  fi
  if command -v mandoc >/dev/null; then
    mandoc -T lint -W warning "$page" >"$folder/err" 2>&1
    report "mandoc takes ${page##*/}" $?
  fi
done

# Words as bash parts them, at "=" too.
completes() { # expected in the reply, words...
  expected=$1
  shift
  COMP_WORDS=("$@")
  COMP_CWORD=$(($# - 1))
  COMP_LINE="$*"
  _sgflow 2>/dev/null
  [[ " ${COMPREPLY[*]} " == *" $expected "* ]]
  report "completion of '$*' has $expected" $?
}
. "$MANUAL/sgflow"
cd "$folder" || exit 1
touch mine.yaml mine.h5 other.txt
for command in $commands; do
  completes "$command" sgflow "${command:0:1}"
  completes --help sgflow "$command" --h
done
completes --set= sgflow verify --
completes -o sgflow verify -
completes mine.yaml sgflow verify ""
completes mine.yaml sgflow verify --json m
completes mine.h5 sgflow lyapunov m
completes other.txt sgflow predict mine.yaml -o o
completes training.sampling= sgflow verify mine.yaml --set tr
completes without-replacement sgflow verify mine.yaml --set training.sampling =
completes epoch sgflow verify mine.yaml --set = training.sampling = e
completes network.relax= sgflow sweep mine.yaml --grid netw
completes epoch,replacement sgflow sweep mine.yaml --grid training.sampling = epoch,r
completes low-rank sgflow lyapunov A.mtx --method = l
completes mine.h5 sgflow verify --set data.file = m
COMP_WORDBREAKS=' '
completes --set=training.sampling=epoch sgflow verify --set=training.sampling=e
for other in other.txt mine.h5; do
  COMP_WORDS=(sgflow verify "")
  COMP_CWORD=2
  _sgflow 2>/dev/null
  [[ " ${COMPREPLY[*]} " != *" $other "* ]]
  report "a config is not $other" $?
done
conclude
