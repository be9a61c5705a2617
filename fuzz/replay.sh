#!/bin/sh
# The corpus of every fuzz target, and mutations of it, as plain programs. FUZZ: folder of the programs;
# FUZZ_MUTATIONS: of each (300).
set -u
here=$(cd "$(dirname "$0")" && pwd)
FUZZ=$(cd "${FUZZ:?folder of the fuzz programs}" && pwd)
. "$here/../tests/shell.sh"
cd "$folder" || exit 1

for corpus in "$here"/corpus/*; do
  target=$(basename "$corpus")
  mutations=${FUZZ_MUTATIONS:-300}
  # libhdf5 itself crashes on some damaged files: mutations are for fuzzing, the corpus has what was found
  case $target in data | weights | trajectory | system | results) mutations=0 ;; esac
  expect 0 "$target: corpus and $mutations mutations" "$FUZZ/fuzz_$target" "$corpus" "$mutations"
  [ ! -e mutation.input ] || { echo "the input:"; od -c mutation.input | head -n 20; rm mutation.input; }
done
left=$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'fuzz_*_??????' -user "$(id -u)" -newer "$folder" 2>/dev/null)
[ -z "$left" ]
report "nothing is left behind: $left" $?
conclude
