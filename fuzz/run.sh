#!/bin/sh
# Fuzz: run.sh BUILD WORK SECONDS [TARGET...]
#   BUILD    folder that was configured with --enable-fuzzing and has run `make fuzz`
#   WORK     folder for what is found: WORK/TARGET/corpus grows, WORK/TARGET/findings has inputs that crashed, hung (20 s)
#            or took more than 1 GiB; WORK/hours has the CPU seconds of each run
#   SECONDS  for each target in turn
# Every target goes on after a finding: libhdf5 has some of its own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] || { sed -n 2,7p "$0"; exit 64; }
build=$(cd "$1" && pwd)
mkdir -p "$2" && work=$(cd "$2" && pwd) || exit 1
seconds=$3
shift 3
[ $# -gt 0 ] || set -- config override market sweep checkpoint system data weights trajectory results
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MALLOC_ARENA_MAX=1
export OMP_NUM_THREADS OPENBLAS_NUM_THREADS MALLOC_ARENA_MAX
options=allocator_may_return_null=1:detect_odr_violation=0:max_allocation_size_mb=900:handle_abort=1
for target; do
  leaks=1 # libhdf5 leaks when it fails; that we close all that we opened is checked by the targets
  case $target in system | data | weights | trajectory | results) leaks=0 ;; esac
  mkdir -p "$work/$target/corpus" "$work/$target/findings" "$work/$target/scratch"
  cd "$work/$target" || exit 1
  TMPDIR=$PWD/scratch ASAN_OPTIONS=$options:detect_leaks=$leaks nice -n 19 /usr/bin/time -q -a -o "$work/hours" \
    -f "$target %U %S %e" "$build/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=16384 -timeout=20 \
    -detect_leaks=$leaks -rss_limit_mb=1024 -malloc_limit_mb=900 -fork=1 -ignore_crashes=1 -ignore_timeouts=1 \
    -ignore_ooms=1 -artifact_prefix=findings/ corpus "$here/corpus/$target" >log 2>&1
  rm -rf scratch
  tail -n 1 log | sed "s/^/$target: /"
done
awk '{sum += $2 + $3} END {printf "%.2f CPU hours in all\n", sum / 3600}' "$work/hours"
