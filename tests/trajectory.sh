#!/bin/sh
# Trajectories that simulate and verify write: values, the same for any number of threads and as compare reads them, and
# what can go wrong with the file. SGFLOW is the program, FIXTURES make_fixtures.
. "$(dirname "$0")/shell.sh"

cd "$folder" || exit 1
cat >single.yaml <<'EOF_SINGLE'
data: {samples: 30}
network: {widths: [3, 1]}
training: {learning_rate: 0.05, batch_size: 4}
theory: {equation: exact}
simulation: {replicas: 150, burn_in: 15, window: 40}
verify: {tolerance: 0.15}
EOF_SINGLE
cat >deep.yaml <<'EOF_DEEP'
data: {samples: 60}
network: {widths: [4, 3, 2]}
training: {learning_rate: 0.01, batch_size: 6}
simulation: {replicas: 8, burn_in: 1, window: 3, uncoupled: true}
EOF_DEEP

# A window of 800 steps, 150 runs; compare reads what simulate wrote, and finds what verify finds.
expect 0 "simulate" "$SGFLOW" simulate single.yaml --threads 1 -o plain.h5
expect 0 "simulate with a trajectory" "$SGFLOW" simulate single.yaml --threads 1 -o one.h5 --trajectory run.h5 \
  --trajectory-every 10
has "says what is in it" '^trajectory   run.h5, weights \(150, 80, 3\)$' out
same "the moments are as without" plain.h5 one.h5
[ ! -e one.h5.checkpoint ] && [ "$(ls -d run.h5*)" = run.h5 ]
report "nothing is left beside it" $?
expect 0 "with two threads" "$SGFLOW" simulate single.yaml --threads 2 --trajectory run2.h5 --trajectory-every 10
same "the weights are the same" run.h5 run2.h5
expect 0 "compare reads it, and agrees" "$SGFLOW" compare single.yaml --trajectory run.h5 --json
expect 1 "and disagrees with another batch size" "$SGFLOW" compare single.yaml --trajectory run.h5 \
  --set training.batch_size=3
expect 0 "verify with a trajectory" "$SGFLOW" verify single.yaml --trajectory all.h5
expect 0 "which by default is as dense as the moments" "$SGFLOW" compare single.yaml --trajectory all.h5 --json
expect 0 "several layers" "$SGFLOW" simulate deep.yaml --trajectory deep.h5 --trajectory-every 7
has "have all their weights" 'weights \(8, [0-9]+, 18\)$' out

# A budget: the replicas that are complete.
expect 0 "half of the steps" "$SGFLOW" simulate single.yaml --threads 2 --trajectory half.h5 --trajectory-every 10 \
  --max-steps 82500
has "have half of the replicas" 'weights \(75, 80, 3\)$' out
expect 0 "which compare reads" "$SGFLOW" compare single.yaml --trajectory half.h5 --set verify.tolerance=0.3 --json

# What cannot be.
expect 64 "with --resume" "$SGFLOW" verify single.yaml -o out.h5 --trajectory t.h5 --resume
has "says why" 'not with --checkpoint or --resume' err
expect 64 "with --checkpoint" "$SGFLOW" verify single.yaml --trajectory t.h5 --checkpoint c
expect 64 "--trajectory-every alone" "$SGFLOW" verify single.yaml --trajectory-every 5
expect 64 "--trajectory-every 0" "$SGFLOW" verify single.yaml --trajectory t.h5 --trajectory-every 0
expect 65 "no snapshot in the window" "$SGFLOW" verify single.yaml --trajectory t.h5 --trajectory-every 700
has "says so" '^sgflow: t.h5: a snapshot every 700 steps of a window of 800' err
expect 73 "over the config" "$SGFLOW" verify single.yaml --trajectory single.yaml
expect 73 "over the output" "$SGFLOW" verify single.yaml --trajectory out.h5 -o out.h5
expect 73 "in no folder" "$SGFLOW" simulate single.yaml --trajectory no/such.h5
expect 73 "more than any disk has" "$SGFLOW" simulate single.yaml --set simulation.window=1e9 --trajectory t.h5 \
  --trajectory-every 1

# A disk that is full, in the middle and at the end; the file of before stays.
cp run.h5 kept.h5
size=$(stat -c %s run.h5)
for blocks in $((size / 4096)) $(((size - 1) / 1024)); do # of 512 or 1024 bytes
  # shellcheck disable=SC3045
  (ulimit -f "$blocks" && exec "$SGFLOW" simulate single.yaml --trajectory run.h5 --trajectory-every 10) >out 2>err
  [ $? -eq 74 ]
  report "a full disk" $?
  has "is told" '^sgflow: run.h5: .*File too large' err
  cmp -s run.h5 kept.h5 && [ "$(ls -d run.h5*)" = run.h5 ]
  report "and the trajectory of before is intact" $?
done

# Interrupted: nothing is left.
"$SGFLOW" simulate single.yaml --set simulation.window=400000 --trajectory t.h5 --trajectory-every 1000 >out 2>err &
job=$!
for turn in $(seq 100); do
  ls t.h5* >/dev/null 2>&1 && break
  sleep 0.05
done
kill -s TERM $job
wait $job
[ $? -eq 143 ] && ! ls t.h5* 2>/dev/null
report "interrupted" $?

conclude
