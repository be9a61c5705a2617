#!/bin/sh
# Calls that fail: each allocation, write, sync, rename and so on of typical commands fails once in turn. Then no crash, no leak
# (in a build with sanitizers), a message and the exit status of the failure, older outputs as they were or complete new ones,
# and nothing else in the folder.
#   SGFLOW, FIXTURES  programs; FAILING: the module failing_calls.so
#   FAILURES          "all": each call (minutes); else that many of each kind and command (4)
set -u
absolute() { case $1 in /*) echo "$1" ;; *) echo "$PWD/$1" ;; esac; }
SGFLOW=$(absolute "${SGFLOW:?path of the program sgflow}")
FIXTURES=$(absolute "${FIXTURES:?path of the program make_fixtures}")
FAILING=$(absolute "${FAILING:?path of the module failing_calls.so}")
. "$(dirname "$0")/shell.sh"
cd "$folder" || exit 1

# What libtool puts in the place of a program is a script, whose own calls are not meant.
program=$SGFLOW
libraries=${LD_LIBRARY_PATH-}
if head -n 1 "$SGFLOW" | grep -q '^#!'; then
  program=$(dirname "$SGFLOW")/.libs/sgflow
  libraries=$(dirname "$SGFLOW")/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi
OMP_NUM_THREADS=1
ASAN_OPTIONS=verify_asan_link_order=0:exitcode=99${ASAN_OPTIONS:+:$ASAN_OPTIONS}
export OMP_NUM_THREADS ASAN_OPTIONS
if ! [ -e "$FAILING" ]; then
  echo "skipped: no module $FAILING"
  exit 77
fi

# ------------------------------------------------------------------- scenarios

# The folder `start` has inputs and older outputs, `work` is a copy, in which commands run; `right` has the outputs as they
# should be. A command that fails usually leaves `work` as it was.
renew() { rm -rf work && cp -r start work; }

run() { # call, which, arguments...
  call=$1 which=$2
  shift 2
  (cd work && LD_LIBRARY_PATH=$libraries LD_PRELOAD=$FAILING FAIL_CALL=$call FAIL_AT=$which FAIL_COUNT=$folder/count \
    FAIL_FROM=${FAIL_FROM:-ours} exec timeout 60 env PATH="$path" "$program" "$@") >out 2>err </dev/null
  got=$?
}

complain() { problems="$problems
    $1"; }

# The exit statuses that a failure of a kind may have, beside that of success where the program can do without.
statuses() {
  case $1 in
  memory) echo 70 73 74 ;; # an output for which there is no memory cannot be written
  write | close) echo 70 73 74 ;; # texts are streams in memory
  sync | place) echo 73 74 ;;
  *) echo 65 66 70 73 74 ;;
  esac
}

# Whether an output is the right one, but for dates.
same_output() { # name
  case $1 in
  system.h5 | x.h5) set -- "$1" --same-set X ;;
  run.h5) set -- "$1" --same-set weights ;;
  *) set -- "$1" --same ;;
  esac
  "$FIXTURES" "$2" "work/$1" "right/$1" ${3:+"$3"} >/dev/null 2>&1
}

# A file of `work` that is not that of `start`.
check_new() { # name
  case " $outputs " in *" $1 "*) ;; *)
    # what cannot be removed stays
    [ "$call" = place ] || complain "left behind or changed: $1"
    return
    ;;
  esac
  case $1 in
  *.h5) same_output "$1" || complain "$1 is neither the older nor the right one" ;;
  *.html) grep -q '</html>' "work/$1" || complain "$1 is not complete" ;;
  *.checkpoint*) ;; # the next run reads it
  *.tsv) # or it says of a point that it cannot be read
    cmp -s "work/$1" "right/$1" || grep -q 'damaged' "work/$1" || complain "$1 is another" ;;
  *) [ -s "work/$1" ] || complain "$1 is empty" ;;
  esac
}

check_folder() {
  while read -r first second third fourth _; do
    case $first in
    Only)
      name=${third%:}
      case $name in
      start*) [ "$got" -eq "$wanted" ] && ! [ -e "right/$fourth" ] || complain "lost: $fourth" ;;
      *)
        name=${name#work}
        name=${name#/}
        check_new "${name:+$name/}$fourth"
        ;;
      esac
      ;;
    Files) check_new "${fourth#work/}" ;;
    *) complain "$first $second $third $fourth" ;;
    esac
  done <differences
}

# After a failure the same command without one must do what it should: nothing that is left is in its way.
check_again() {
  run none 0 "$@"
  [ "$got" -eq "$wanted" ] || complain "the next run ends with $got: $(head -n 1 err)"
  for name in $outputs; do
    case $name in *.h5) same_output "$name" || complain "the next run's $name is another" ;; esac
  done
}

check_run() { # arguments...
  problems=
  case " $wanted $(statuses "$call") " in *" $got "*) ;; *) complain "exit status $got" ;; esac
  grep -q 'Sanitizer\|runtime error' err && complain "$(grep -m 1 'Sanitizer\|runtime error' err)"
  if [ "$got" -ne "$wanted" ]; then
    grep -v '^sgflow: warning' err | head -n 1 | grep -q '^sgflow: .*[a-z]' || [ "$call" = write ] ||
      complain "no message: $(head -n 1 err)"
  fi
  if diff -rq start work >differences; then
    [ "$got" -ne "$wanted" ] || [ -z "$outputs" ] || complain "success without an output"
  else
    check_folder
    [ "$got" -eq "$wanted" ] || [ "$call" = place ] || check_again "$@"
    renew
  fi
}

# Fail calls of each kind in turn in one command.
inject() { # description, outputs, arguments...
  what=$1 outputs=$2
  shift 2
  renew
  run none 0 "$@"
  wanted=$got
  rm -rf right && cp -r work right
  case $wanted in 0 | 1 | 2) ;; *) report "$what: ends with $got: $(cat err)" 1 ;; esac
  for kind in ${FAIL_CALLS:-${kinds:-memory open read write sync place close hdf5}}; do
    renew
    rm -f count
    run $kind 0 "$@"
    calls=$(tail -n 1 count)
    renew
    step=1
    [ "${FAILURES:-4}" = all ] || step=$(((calls + ${FAILURES:-4}) / ${FAILURES:-4}))
    broken=0
    tried=0
    for k in $(seq $(((step + 1) / 2)) "$step" "$calls"); do
      run $kind "$k" "$@"
      tried=$((tried + 1))
      check_run "$@"
      [ -z "$problems" ] && continue
      broken=$((broken + 1))
      echo "FAILED: $what: $kind $k of $calls:$problems"
      sed 's/^/    stderr: /' err | head -n 3
    done
    [ $broken -eq 0 ]
    report "$what: $broken of $tried failed calls of kind $kind are not handled" $?
  done
}

# ------------------------------------------------------------------ the folder

mkdir start empty
path=$PATH
(cd start && "$FIXTURES" .) || exit 1
mkdir kept && for name in good.h5 weights.h5 system.h5 A.mtx Q.mtx system_csr.h5; do mv start/$name kept; done
rm -rf start && mv kept start
cat >start/small.yaml <<'END_OF_CONFIG'
data: {source: file, file: good.h5}
network: {widths: [4, 2], weights: weights.h5}
training: {learning_rate: 0.05, batch_size: 10}
simulation: {replicas: 8, burn_in: 1, window: 5}
END_OF_CONFIG
cat >start/deep.yaml <<'END_OF_CONFIG'
data: {samples: 20}
network: {widths: [3, 2, 2]}
training: {learning_rate: 0.02, batch_size: 5}
simulation: {replicas: 4, burn_in: 1, window: 3}
END_OF_CONFIG
cat >start/long.yaml <<'END_OF_CONFIG'
data: {samples: 20}
network: {widths: [3, 2]}
training: {learning_rate: 0.02, batch_size: 4, sampling: epoch}
simulation: {replicas: 2, burn_in: 50, window: 12000}
END_OF_CONFIG
cp start/good.h5 start/out.h5
echo '<html>older</html>' >start/out.html
renew
run none 0 simulate deep.yaml --trajectory run.h5
cp work/run.h5 start/
renew
run none 0 simulate long.yaml -o stopped.h5 --max-time 0.02
[ "$got" -eq 75 ]
report "a run that is stopped with a checkpoint" $?
cp work/stopped.h5.checkpoint start/
renew
run none 0 sweep small.yaml --grid training.batch_size=5,10 --out points
cp -r work/points start/
renew

inject predict out.h5 predict deep.yaml -o out.h5
inject "predict from files" out.h5 predict small.yaml -o out.h5 --json
inject "simulate with a trajectory" "out.h5 run.h5" simulate deep.yaml -o out.h5 --trajectory run.h5
inject "simulate from a checkpoint" \
  "stopped.h5 stopped.h5.checkpoint stopped.h5.checkpoint.old" \
  simulate long.yaml -o stopped.h5 --resume --checkpoint-every 0.01
path=$folder/empty # no gnuplot, whose figures take long
inject "verify with a report" "out.h5 out.html" verify small.yaml -o out.h5 --report out.html
path=$PATH
inject "compare" "out.h5" compare deep.yaml --trajectory run.h5 -o out.h5
inject "lyapunov in place" system.h5 lyapunov system.h5
inject "lyapunov, Matrix Market" x.h5 lyapunov A.mtx Q.mtx -o x.h5
inject "sweep" "new/sweep.yaml new/point-00000.h5 new/point-00001.h5 new" \
  sweep small.yaml --grid training.batch_size=5,10 --out new
# a number that HDF5 fails to read is one that is not there: nan in the table
kinds="memory open read write sync place close" inject "merge" table.tsv merge points -o table.tsv
[ "${FAILURES:-4}" != all ] || inject "verify with figures" out.html verify small.yaml --report out.html

conclude
