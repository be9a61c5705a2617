#!/bin/sh
# Checkpoints: runs that are killed, stopped, limited and continued, and every way in which their files can be damaged.
# SGFLOW is the program, FIXTURES make_fixtures; KILLS says how often runs are killed in all (10).
. "$(dirname "$0")/shell.sh"
kills=${KILLS:-10}
# Delays from a generator of our own, so that they are the same again.
seed=${SEED:-1}

# A delay of 0.05 to 0.85 s.
next_delay() {
  seed=$(((seed * 1103515245 + 12345) % 2147483648))
  delay=$(awk -v r="$seed" 'BEGIN { printf "%.3f", 0.05 + 0.8 * r / 2147483648 }')
}

# Begin the command, and send it the signal after $delay; *ended is its exit status.
interrupt() { # signal, command...
  signal=$1
  shift
  "$@" >out 2>err &
  job=$!
  sleep "$delay"
  kill -s "$signal" $job 2>/dev/null
  wait $job 2>/dev/null
  ended=$?
}

await() { # file: wait until it is there
  for turn in $(seq 200); do
    [ -e "$1" ] && return 0
    sleep 0.05
  done
  return 1
}

# Begin the command, and end it by SIGTERM once its first checkpoint is there; *ended is its exit status.
stop_at() { # checkpoint, command...
  place=$1
  shift
  "$@" --checkpoint-every 0.05 >out 2>err &
  job=$!
  await "$place"
  kill -s TERM $job
  wait $job
  ended=$?
}

# Flip a bit of the byte at an offset.
flip() { # file, offset
  byte=$(od -An -tu1 -j "$2" -N 1 "$1" | tr -d ' ')
  printf "\\$(printf %o $((byte ^ 4)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

cd "$folder" || exit 1
"$FIXTURES" . || exit 1
cat >single.yaml <<'END_OF_CONFIG'
data: {samples: 40}
network: {widths: [6, 2]}
training: {learning_rate: 0.02, batch_size: 4}
simulation: {replicas: 70, burn_in: 50, window: 2500}
END_OF_CONFIG
cat >deep.yaml <<'END_OF_CONFIG'
data: {samples: 60}
network: {widths: [4, 3, 2]}
training: {learning_rate: 0.01, batch_size: 6}
simulation: {replicas: 48, burn_in: 5, window: 150}
END_OF_CONFIG
cat >growing.yaml <<'END_OF_CONFIG'
data: {samples: 40}
network: {widths: [4, 1]}
training: {learning_rate: 0.06, batch_size: 4}
theory: {equation: discrete}
verify: {tolerance: 0.05}
END_OF_CONFIG

# ------------------------------------------------------- killed and continued

# Kill a run so often as it takes, let the last one end, and compare with the one that nobody killed.
survive() { # description, kills, arguments of sgflow...
  what=$1
  left=$2
  shift 2
  "$SGFLOW" "$@" --threads 2 -o whole.h5 >out 2>err
  worth=$?
  rm -f killed.h5
  threads=1
  resume=
  while [ "$left" -gt 0 ]; do
    next_delay
    interrupt KILL "$SGFLOW" "$@" --threads $threads -o killed.h5 --checkpoint-every 0.1 $resume
    resume=--resume
    threads=$((3 - threads))
    left=$((left - 1))
    if [ -e killed.h5 ]; then
      same "$what, killed and continued" whole.h5 killed.h5
      rm -f killed.h5
      resume=
    fi
  done
  expect $worth "$what: the last one ends" "$SGFLOW" "$@" --threads $threads -o killed.h5 --checkpoint-every 0.1 --resume
  same "$what, killed and continued" whole.h5 killed.h5
  # a kill while the output is written leaves its part, which the next run removes
  [ "$(ls -d killed.h5*)" = killed.h5 ]
  report "$what: nothing is left beside the output" $?
}

share=$(((kills + 4) / 5))
survive "with replacement" $share verify single.yaml
survive "epochs" $share simulate single.yaml --set training.sampling=epoch
survive "layers alone" $share verify deep.yaml --set simulation.uncoupled=true
survive "window-pca" $share verify deep.yaml --set simulation.protocol=window-pca --set simulation.window=300
survive "growing" $share verify growing.yaml
planned=$("$SGFLOW" simulate growing.yaml --json 2>err | sed -n 's/.*"replicas": \([0-9]*\).*/\1/p' | head -n 1)
grown=$("$SGFLOW" verify growing.yaml --json 2>err | sed -n 's/.*"replicas": \([0-9]*\).*/\1/p' | head -n 1)
[ "$grown" -gt "$planned" ]
report "growing: the first look decides nothing ($planned, $grown replicas)" $?

# ------------------------------------------------------------------- stopped

long='single.yaml --set simulation.window=200000 --threads 1'
stop_at stopped.h5.checkpoint "$SGFLOW" verify $long -o stopped.h5
[ "$ended" -eq 75 ]
report "SIGTERM: exit 75, not $ended" $?
has "and says what continues" '^sgflow: stopped; stopped.h5.checkpoint has all of it, --resume continues$' err
[ -e stopped.h5.checkpoint ] && ! ls -d stopped.h5* | grep -v -e '\.checkpoint$' -e '\.old$'
report "with the checkpoint and nothing else" $?
expect 73 "an unfinished run is not begun anew" "$SGFLOW" verify $long -o stopped.h5
has "unless its checkpoint is removed" '^sgflow: stopped.h5.checkpoint: the checkpoint of an unfinished run is there' err
head -c 100 stopped.h5.checkpoint >stopped.h5.checkpoint.new # as a kill leaves it
"$SGFLOW" verify $long -o stopped.h5 --resume >out 2>err &
job=$!
for turn in $(seq 200); do
  [ -e stopped.h5.checkpoint.new ] || break
  sleep 0.05
done
[ ! -e stopped.h5.checkpoint.new ] && [ -e stopped.h5.checkpoint ]
report "one that a kill left unfinished is removed when its run is continued" $?
kill -s KILL $job
wait $job 2>/dev/null

"$SGFLOW" simulate $long -o signalled.h5 2>err &
job=$!
sleep 0.5
kill -s USR1 $job
await signalled.h5.checkpoint
report "SIGUSR1: a checkpoint" $?
kill -s 0 $job
report "and the run goes on" $?
expect 73 "another run with its checkpoint" "$SGFLOW" simulate $long --checkpoint signalled.h5.checkpoint
has "is refused" '^sgflow: signalled.h5.checkpoint: another run has this checkpoint now$' err
expect 73 "so is one that would continue it" "$SGFLOW" simulate $long -o signalled.h5 --resume
expect 0 "one with the same output" "$SGFLOW" simulate single.yaml -o signalled.h5
has "has no checkpoints" '^sgflow: warning: signalled.h5.checkpoint: another run has this checkpoint now, this one writes none' err
kill -s TERM $job
wait $job
[ $? -eq 75 ] && [ -e signalled.h5.checkpoint.old ]
report "the first one is as it was, of two generations now" $?

# ------------------------------------------------------------------- damaged

"$SGFLOW" verify single.yaml --threads 2 -o whole.h5 >out 2>err
worth=$?
# Both generations, of a run that is half done.
"$SGFLOW" verify single.yaml --threads 1 -o run.h5 --checkpoint-every 0.05 >out 2>err &
job=$!
await run.h5.checkpoint.old
kill -s TERM $job
wait $job
[ $? -eq 75 ]
report "a run that is half done" $?
mkdir good
mv run.h5.checkpoint run.h5.checkpoint.old good/
restore() { cp good/run.h5.checkpoint good/run.h5.checkpoint.old .; }
size=$(stat -c %s good/run.h5.checkpoint)
resume="$SGFLOW verify single.yaml -o run.h5 --resume"

damaged() { # description: the newer one is, now
  expect $worth "$1: the older one is continued" $resume
  has "$1: and that is said" '^sgflow: warning: run.h5.checkpoint: .*; the older checkpoint is continued$' err
  same "$1: to the same bits" whole.h5 run.h5
  [ ! -e run.h5.checkpoint ] && [ ! -e run.h5.checkpoint.old ]
  report "$1: nothing of it is left" $?
}

for offset in 0 20 30 $((size / 2)) $((size - 30)) $((size - 1)); do
  restore
  flip run.h5.checkpoint $offset
  damaged "a bit at $offset"
done
for length in 0 10 56 $((size / 2)) $((size - 1)); do
  restore
  truncate -s "$length" run.h5.checkpoint
  damaged "cut to $length bytes"
done
restore
head -c 100 /dev/zero >>run.h5.checkpoint
damaged "too long"
restore
rm run.h5.checkpoint && mkfifo run.h5.checkpoint
expect 73 "a pipe is no place for a checkpoint, and is not waited for" $resume
rm -f run.h5.checkpoint && mkdir run.h5.checkpoint
expect 73 "nor is a folder" $resume
rmdir run.h5.checkpoint
restore
rm run.h5.checkpoint
damaged "the newer one is missing"
restore
flip run.h5.checkpoint 100
flip run.h5.checkpoint.old 100
expect 65 "both damaged" $resume
has "names both" '^sgflow: run.h5.checkpoint: is damaged.*; run.h5.checkpoint.old: is damaged' err
rm run.h5.checkpoint.old
expect 65 "one alone, damaged" $resume
has "says so" '^sgflow: run.h5.checkpoint: is damaged: its checksum differs; there is no older one$' err
echo "learning_rate: 0.1, and much more text than the head and the tail of a checkpoint have" >run.h5.checkpoint
expect 65 "no checkpoint at all" $resume
has "says so" '^sgflow: run.h5.checkpoint: is no checkpoint that this version of sgflow reads' err
has "and leaves it" '^learning_rate' run.h5.checkpoint

# What a kill leaves of the checkpoint that was being written, or all but its name.
for length in 0 10 100 $((size - 1)); do
  rm -f run.h5*
  head -c $length good/run.h5.checkpoint >run.h5.checkpoint.new
  expect $worth "$length bytes of a first checkpoint" "$SGFLOW" verify single.yaml -o run.h5
  [ "$(ls -d run.h5*)" = run.h5 ]
  report "$length bytes of a first checkpoint are removed in the end" $?
done
echo "notes" >run.h5.checkpoint.new
expect $worth "something else of that name" "$SGFLOW" verify single.yaml -o run.h5
has "is left" '^notes$' run.h5.checkpoint.new
rm -f run.h5*

# A damaged newer one does not push the good older one out.
restore
flip run.h5.checkpoint 100
expect 75 "stopped before anything is complete" $resume --set simulation.replicas=70 --max-time 0.01 --threads 1
mv run.h5.checkpoint.old run.h5.checkpoint
expect $worth "the older generation is still good" $resume
same "and leads to the same bits" whole.h5 run.h5

# ------------------------------------------------------------ of another run

restore
expect 65 "another config" $resume --set training.batch_size=5
has "has the lines of both" "is a checkpoint of another run: '  batch_size: 4' there, '  batch_size: 5' here" err
expect 65 "another seed" $resume --set seed=2
has "says so" "another run: 'seed: 1' there, 'seed: 2' here" err
expect 65 "another key" $resume --set simulation.protocol=window-pca
cmp -s run.h5.checkpoint good/run.h5.checkpoint
report "and nothing of it is lost" $?
rm -f run.h5.checkpoint*
cat >file.yaml <<'END_OF_CONFIG'
data: {source: file, file: data.h5}
network: {widths: [4, 2]}
training: {learning_rate: 0.05, batch_size: 10}
simulation: {replicas: 8, burn_in: 1, window: 200000}
END_OF_CONFIG
cp good.h5 data.h5
stop_at file.h5.checkpoint "$SGFLOW" simulate file.yaml -o file.h5
[ "$ended" -eq 75 ]
report "of data in a file" $?
"$FIXTURES" --change data.h5 X 3 0.25
expect 65 "other data in it" "$SGFLOW" simulate file.yaml -o file.h5 --resume
has "are found by their checksum" 'another run: the checksum of data/X is [0-9]+ there, [0-9]+ here$' err
restore
"$FIXTURES" --state-version run.h5.checkpoint
expect 65 "another version" $resume
has "names both" '^sgflow: run.h5.checkpoint: is a checkpoint of version 9[0-9.]+, this is [0-9.]+$' err
rm -f run.h5*
expect $worth "--resume without a checkpoint" $resume
has "begins anew and says so" '^sgflow: run.h5.checkpoint: no checkpoint, the run begins anew$' err
expect 73 "the output as checkpoint" "$SGFLOW" simulate single.yaml -o run.h5 --checkpoint run.h5
same "is as it was" whole.h5 run.h5

# ------------------------------------------------------------- places and disks

rm -f run.h5*
restore
chmod 444 run.h5.checkpoint run.h5.checkpoint.old
expect $worth "a checkpoint that is read-only" $resume --checkpoint-every 0.05
same "is continued to the same bits" whole.h5 run.h5
expect 73 "no folder" "$SGFLOW" verify $long --checkpoint none/here
has "is found before the run" '^sgflow: none/here: cannot be created: No such file' err
restore
mkdir closed && cp good/* closed/ && chmod 555 closed
if touch closed/try 2>/dev/null; then
  rm -f closed/try
  echo "SKIP a folder that cannot be written: nothing is refused to this user"
else
  expect 73 "a folder that cannot be written" "$SGFLOW" verify single.yaml --checkpoint closed/run.h5.checkpoint --resume
  chmod 755 closed && chmod 000 closed/run.h5.checkpoint closed/run.h5.checkpoint.old
  expect 65 "a checkpoint that cannot be read" "$SGFLOW" verify single.yaml --checkpoint closed/run.h5.checkpoint --resume
  has "is not taken for none" 'cannot be opened: Permission denied' err
fi
rm -f run.h5*
restore
(
  ulimit -f 8 # of 512 or 1024 bytes
  exec timeout 120 $resume --checkpoint-every 0.05
) >out 2>err
[ $? -eq 74 ]
report "a full disk: exit 74" $?
has "and says so" '^sgflow: run.h5.checkpoint: cannot be written: File too large$' err
cmp -s run.h5.checkpoint good/run.h5.checkpoint && cmp -s run.h5.checkpoint.old good/run.h5.checkpoint.old
report "both generations are as they were" $?
[ "$(ls -d run.h5* | wc -l)" -eq 2 ]
report "and there is nothing else" $?
expect $worth "and continue" $resume
same "to the same bits" whole.h5 run.h5
ln -s good/linked link.checkpoint
cp good/run.h5.checkpoint.old good/linked.old && cp good/run.h5.checkpoint good/linked && flip good/linked 100
expect $worth "a link to a damaged checkpoint" "$SGFLOW" verify single.yaml --checkpoint link.checkpoint -o run.h5 --resume
[ ! -e good/linked ] && [ ! -e good/linked.old ]
report "is followed, to both generations" $?

# ---------------------------------------------------------------------- budgets

# 12 replicas of 127500 steps
expect 0 "--max-steps" "$SGFLOW" simulate single.yaml -o few.h5 --max-steps 1600000
expect 0 "as many replicas" "$SGFLOW" simulate single.yaml -o twelve.h5 --set simulation.replicas=12
"$FIXTURES" --same-set few.h5 twelve.h5 simulation/covariance && "$FIXTURES" --same-set few.h5 twelve.h5 simulation/covariance_se
report "are the same ensemble" $?
expect 2 "what they leave open is inconclusive" "$SGFLOW" verify single.yaml --max-steps 1600000
expect 65 "no replica" "$SGFLOW" simulate single.yaml --max-steps 1000
has "says what one takes" '^sgflow: --max-steps is 1000: one replica takes [0-9]+ steps' err
expect 75 "--max-time with nothing complete" "$SGFLOW" simulate $long -o time.h5 --max-time 0.3
[ -e time.h5.checkpoint ]
report "leaves a checkpoint" $?
expect 65 "and without a place for it" "$SGFLOW" simulate $long --max-time 0.3
has "says so" '^sgflow: --max-time is 0.3: it was over before a replica was complete$' err
for turn in $(seq 60); do # a slow machine completes none at first
  "$SGFLOW" simulate single.yaml --set simulation.replicas=3000 -o time2.h5 --max-time 1 --threads 2 --resume >out 2>err
  ended=$?
  [ $ended -eq 75 ] || break
done
[ $ended -eq 0 ]
report "--max-time" $?
[ "$(ls -d time2.h5*)" = time2.h5 ]
report "leaves the ensemble of what is complete" $?

# ---------------------------------------------------------------------- sweeps

sweep="$SGFLOW sweep single.yaml --grid seed=1,2 --out points --threads 1"
expect 0 "a sweep" "$SGFLOW" sweep single.yaml --grid seed=1,2 --out whole --set verify.tolerance=0.5
stop_at points/point-00000.h5.checkpoint $sweep --set verify.tolerance=0.5
[ "$ended" -eq 75 ] && [ ! -e points/point-00000.error ] && [ ! -e points/point-00001.h5 ]
report "SIGTERM ends a sweep with 75, not $ended, and no failure" $?
has "says which point" '^sgflow: point 0: stopped; points/point-00000.h5.checkpoint has all of it' err
[ -e points/point-00000.h5.checkpoint ]
report "its checkpoint is beside the point" $?
expect 0 "the same sweep continues" $sweep --set verify.tolerance=0.5
[ ! -s err ]
report "without a word" $?
same "point 0 to the same bits" whole/point-00000.h5 points/point-00000.h5
same "and point 1" whole/point-00001.h5 points/point-00001.h5
[ "$(ls points | wc -l)" -eq 3 ]
report "nothing is left" $?

conclude
