#!/bin/sh
# The interface that programs were compiled against stays: what tests/abi.txt has of sgflow.h (functions, constants, offsets and
# sizes of all fields on machines of 64 bits) is there as it was, and only what the library hands out by pointer has grown. The
# library exports the header's functions and nothing else; the header is C99, C11 and C++, and of the library's version.
#   tests/abi.sh print   prints what abi.txt has to be: for a new major version, and when something is added
# SGFLOW is the program, CC a compiler, BUILD the build's folder.
source=$(cd "$(dirname "$0")/.." && pwd)
SGFLOW=${SGFLOW:-none}
. "$source/tests/shell.sh"
CC=${CC:-cc}
: "${BUILD:=.}"

awk -f "$source/tests/abi.awk" "$source/include/sgflow.h" >"$folder/abi.c"
# shellcheck disable=SC2086 # flags are words
$CC -std=c99 -Wall -Wextra -pedantic -Werror -I"$source/include" "$folder/abi.c" -o "$folder/abi" || exit 1
"$folder/abi" | LC_ALL=C sort >"$folder/now"
if [ "${1-}" = print ]; then
  cat "$folder/now"
  exit
fi

[ "$(wc -l <"$folder/now")" -gt 400 ]
report "the header is read" $?
printf '#include <sgflow.h>\nint main(void)\n{\n  return SGF_VERSION_AT_LEAST(SGF_VERSION_MAJOR, 0, 0) ? 0 : 1;\n}\n' >"$folder/all.c"
cp "$folder/all.c" "$folder/all.cc"
for standard in c99 c11 c17; do
  # shellcheck disable=SC2086
  expect 0 "the header is $standard" $CC -std=$standard -Wall -Wextra -pedantic -Werror -I"$source/include" "$folder/all.c" -o "$folder/all"
done
if command -v g++ >/dev/null; then
  for standard in c++98 c++17; do
    expect 0 "the header is $standard" g++ -std=$standard -Wall -Wextra -pedantic -Werror -I"$source/include" "$folder/all.cc" -o "$folder/all"
  done
fi
version=$(sed -n 's/^#define SGF_VERSION "\(.*\)"$/\1/p' "$source/include/sgflow.h")
numbers=$(sed -n 's/^constant SGF_VERSION_\([A-Z]*\) \([0-9]*\)$/\1=\2/p' "$folder/now" | sort | tr '\n' ' ')
[ "$numbers" = "MAJOR=${version%%.*} MINOR=$(echo "$version" | cut -d. -f2) PATCH=${version##*.} " ]
report "the version's numbers are those of its text" $?
if [ "$SGFLOW" != none ]; then
  expect 0 "--version" "$SGFLOW" --version
  has "the header is of the library's version" "^sgflow $version\$" "$folder/out"
fi

# names
$CC -std=c99 -E -P -dD -I"$source/include" "$source/include/sgflow.h" >"$folder/text"
has "the header is preprocessed" SGF_VERSION "$folder/text"
sed -n 's/^#define \([A-Za-z_0-9]*\).*/\1/p' "$source/include/sgflow.h" | grep -vE '^(SGF_|SGFLOW_H)' >"$folder/strangers"
sed 's/^[a-z]* \([A-Za-z_0-9]*\).*/\1/' "$folder/now" | grep -vE '^(sgf_|SGF_)' >>"$folder/strangers"
[ ! -s "$folder/strangers" ] || cat "$folder/strangers"
[ ! -s "$folder/strangers" ]
report "all names have the prefix" $?

library=$BUILD/.libs/libsgflow.so
if [ -e "$library" ] && command -v nm >/dev/null; then
  nm -D --defined-only "$library" | awk '$2 ~ /[TDBRVWi]/ { print $3 }' | LC_ALL=C sort >"$folder/exported"
  sed -n 's/^function //p' "$folder/now" | LC_ALL=C sort >"$folder/declared"
  diff "$folder/declared" "$folder/exported"
  report "the library exports the header's functions and nothing else" $?
fi

# what was there
kept() { # lines of abi.txt that must be there unchanged: all but sizes of what may grow, and the version's numbers
  grep -vE '^struct sgf_([a-z_]*_info|mode_diagnostics) |^constant SGF_VERSION_' "$1"
}
major=$(sed -n 's/^constant SGF_VERSION_MAJOR //p' "$source/tests/abi.txt")
if [ "$("$folder/abi" | sed -n 's/^struct sgf_error //p')" = 516 ] && [ "$(getconf LONG_BIT)" = 64 ] && [ "$major" -ge 1 ] &&
  [ "$major" = "${version%%.*}" ]; then
  kept "$source/tests/abi.txt" | LC_ALL=C sort >"$folder/old"
  LC_ALL=C comm -23 "$folder/old" "$folder/now" >"$folder/changed"
  [ ! -s "$folder/changed" ] || { echo "of tests/abi.txt is no longer so (what is not released yet: tests/abi.sh print >tests/abi.txt):"; cat "$folder/changed"; }
  [ ! -s "$folder/changed" ]
  report "the interface is as it was" $?
fi
conclude
