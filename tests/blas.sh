#!/bin/sh
# Any CBLAS with LAPACKE does: nothing of OpenBLAS alone is linked but weakly, and with each BLAS that Debian's alternatives have
# here (reference, OpenBLAS, ...) predictions, a verdict and a Lyapunov equation are the same to rounding. SGFLOW is the program,
# BUILD the build's folder.
. "$(dirname "$0")/shell.sh"
cd "$folder" || exit 1

for file in "$BUILD/.libs/libsgflow.so" "$BUILD/.libs/sgflow"; do
  if [ ! -e "$file" ] || ! command -v nm >/dev/null; then continue; fi
  nm -D --undefined-only "$file" | grep -iE 'openblas|goto_|mkl' | grep -v ' w ' >strong
  [ ! -s strong ] || cat strong
  [ ! -s strong ]
  report "${file##*/} needs no BLAS of one make" $?
done

cat >one.yaml <<'EOT'
data: {samples: 30}
network: {widths: [5, 2]}
training: {learning_rate: 0.1, batch_size: 4}
theory: {equation: exact}
simulation: {replicas: 40}
verify: {tolerance: 0.5}
EOT
cat >two.yaml <<'EOT'
data: {samples: 60}
network: {widths: [4, 5, 3]}
training: {learning_rate: 0.01, batch_size: 10}
EOT
printf '%s\n' '%%MatrixMarket matrix array real general' '3 3' 1 -0.3 0 0.3 2 0 0 0 0 >A.mtx
printf '%s\n' '%%MatrixMarket matrix array real general' '3 1' 1 0.5 0 >B.mtx

numbers() { # of the table's main quantities, as "NAME VALUE"
  sed -nE 's/^ *"(trace|excess_loss|relaxation_rate|entropy_production|psi|error_bound|rank)": ([-0-9.e+]+),?$/\1 \2/p'
}
solve() { # name of the BLAS
  expect 0 "one layer with $1" "$SGFLOW" predict one.yaml --json
  numbers <out >"$1.txt"
  expect 0 "two layers with $1" "$SGFLOW" predict two.yaml --json
  numbers <out >>"$1.txt"
  expect 0 "SGD with $1" "$SGFLOW" verify one.yaml --json
  numbers <out >>"$1.txt"
  expect 0 "a singular equation with $1" "$SGFLOW" lyapunov A.mtx --factor B.mtx -o "$1.h5"
  has "has its rank with $1" '^rank +2 of 3' out
}
solve own
[ "$(wc -l <own.txt)" -ge 5 ]
report "there are numbers" $?

path=${LD_LIBRARY_PATH-}
for library in /usr/lib/*/blas/libblas.so.3 /usr/lib/*/openblas*/libblas.so.3 /usr/lib/*/blis*/libblas.so.3 /usr/lib/*/atlas/libblas.so.3; do
  [ -e "$library" ] || continue
  place=${library%/*}
  name=${place##*/}
  lapack=$place
  [ -e "$place/liblapack.so.3" ] || lapack=${place%/*}/lapack
  [ -e "$lapack/liblapack.so.3" ] || continue
  export LD_LIBRARY_PATH="$place:$lapack${path:+:$path}"
  expect 0 "the program runs with $name" "$SGFLOW" --version
  case $name in
  blas) has "it is the reference BLAS" '^BLAS without a name' out ;;
  openblas*) has "it is OpenBLAS" '^BLAS OpenBLAS' out ;;
  esac
  solve "$name"
  paste own.txt "$name.txt" | awk '
    { largest = $2 < 0 ? -$2 : $2; difference = $2 - $4; if (difference < 0) difference = -difference
      if ($1 != $3 || ($1 != "error_bound" && !(difference <= 1e-7 * largest + 1e-14))) { print; wrong = 1 } }
    END { exit wrong || NR < 5 }'
  report "the numbers are the same with $name" $?
done
conclude
