#!/bin/sh
# Many processes: the same bits as one, interruptions, checkpoints that another number of processes continues, failures that
# end all. SGFLOW is the program, FIXTURES make_fixtures, MPIRUN the launcher of Open MPI. No machine has as many cores
# as there are processes here: they are told to share.
limit=300
. "$(dirname "$0")/shell.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_hwloc_base_binding_policy=none
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_orte_abort_print_stack=0

cd "$folder" || exit 1
cat >one.yaml <<'END_OF_FILE'
data:
  samples: 30
network:
  widths: [5, 1]
training:
  learning_rate: 0.1
  batch_size: 4
theory:
  equation: exact
END_OF_FILE
cat >two.yaml <<'END_OF_FILE'
data:
  samples: 60
network:
  widths: [4, 3, 4]
training:
  learning_rate: 0.02
  batch_size: 6
simulation:
  replicas: 37
  burn_in: 3
  window: 10
  uncoupled: true
END_OF_FILE
# 270 weights: 911 rows have room, the replicas take turns in 500 of them
cat >turns.yaml <<'END_OF_FILE'
data:
  samples: 60
network:
  widths: [18, 15]
training:
  learning_rate: 0.05
  batch_size: 2
simulation:
  replicas: 1000
  burn_in: 0
  window: 1
END_OF_FILE

# ------------------------------------------------------------------- the same bits

for config in one two turns; do
  command=verify
  [ $config = turns ] && command=simulate
  timeout 300 "$SGFLOW" $command $config.yaml -o alone.h5 --threads 1 >alone.txt 2>alone.err
  code=$?
  "$FIXTURES" --check alone.h5
  report "$config: one process" $?
  for processes in 1 2 4; do
    for threads in 1 2; do
      what="$config: $processes processes of $threads threads"
      rm -f many.h5
      expect $code "$what" "$MPIRUN" -q -n $processes "$SGFLOW" $command $config.yaml -o many.h5 --threads $threads
      same "$what, the same bits" alone.h5 many.h5
      sed 's/alone.h5/many.h5/' alone.txt | cmp -s - out
      report "$what, one table" $?
      cmp -s alone.err err
      report "$what, one set of messages" $?
    done
  done
done

# fewer replicas than threads, and growing ensembles
for changes in "simulation.replicas=5" "verify.tolerance=0.006"; do
  timeout 300 "$SGFLOW" verify one.yaml -o alone.h5 --set $changes >alone.txt 2>alone.err
  expect $? "$changes" "$MPIRUN" -q -n 4 "$SGFLOW" verify one.yaml -o many.h5 --threads 1 --set $changes
  same "$changes, the same bits" alone.h5 many.h5
done

# ------------------------------------------------------------------------ failures

expect 65 "divergence" "$MPIRUN" -q -n 4 "$SGFLOW" verify one.yaml --force --threads 1 --set training.learning_rate=3 \
  --set simulation.replicas=50 --set simulation.burn_in=1000 --set simulation.window=1000
has "the lowest replica is named" '^sgflow: SGD diverged: .* at step [0-9]+ of replica 0, ' err
[ "$(grep -c 'SGD diverged' err)" -eq 1 ]
report "once" $?
expect 66 "a missing config" "$MPIRUN" -q -n 2 "$SGFLOW" verify nothing.yaml
[ "$(wc -l <err)" -eq 1 ]
report "is said once" $?
expect 64 "usage" "$MPIRUN" -q -n 2 "$SGFLOW" verify --no-such-option
expect 0 "--help" "$MPIRUN" -q -n 2 "$SGFLOW" verify --help
expect 0 "a command without a simulation" "$MPIRUN" -q -n 2 "$SGFLOW" predict one.yaml

# --------------------------------------------------- interruptions and checkpoints

cat >long.yaml <<'END_OF_FILE'
data:
  samples: 200
network:
  widths: [6, 5, 4]
training:
  learning_rate: 0.01
  batch_size: 20
simulation:
  replicas: 12
  burn_in: 50
  window: 2500
  uncoupled: true
END_OF_FILE
timeout 300 "$SGFLOW" verify long.yaml -o alone.h5 >alone.txt 2>&1
finished=$?

# Wait until a file is there; fails after a minute.
await() {
  for _ in $(seq 600); do
    [ -e "$1" ] && return
    sleep 0.1
  done
  return 1
}

# Stop a run in so many processes as soon as it has written a checkpoint.
stop() { # processes, options...
  processes=$1
  shift
  timeout 300 "$MPIRUN" -q -n "$processes" "$SGFLOW" verify long.yaml -o many.h5 --threads 1 \
    --checkpoint-every 0.1 "$@" >out 2>err &
  started=$!
  await many.h5.checkpoint.old
  report "$processes processes write checkpoints" $?
  kill -USR2 "$(cat "/proc/$started/task/$started/children")"
  wait "$started"
  got=$?
  [ $got -eq 75 ] || cat err
  report "SIGUSR2 stops $processes processes with exit 75" $((got != 75))
  rm -f many.h5.checkpoint.old
}

rm -f many.h5*
stop 4
stop 1 --resume
stop 3 --resume
expect $finished "continued by 2" "$MPIRUN" -q -n 2 "$SGFLOW" verify long.yaml -o many.h5 --threads 2 --resume
same "stopped three times, the same bits" alone.h5 many.h5
[ ! -e many.h5.checkpoint ]
report "the checkpoint is gone" $?

rm -f many.h5*
stop 2
expect $finished "continued without MPI" "$SGFLOW" verify long.yaml -o many.h5 --resume
same "the same bits" alone.h5 many.h5

# a signal that reaches one worker alone stops all
rm -f many.h5*
timeout 300 "$MPIRUN" -q -n 2 sh -c 'echo $$ >pid.$OMPI_COMM_WORLD_RANK; exec "$0" "$@"' "$SGFLOW" verify long.yaml \
  -o many.h5 --threads 1 --checkpoint-every 0.1 >out 2>err &
started=$!
await many.h5.checkpoint
kill -TERM "$(cat pid.1)"
wait "$started"
report "SIGTERM to a worker stops all with exit 75" $(($? != 75))

rm -f many.h5*
timeout 300 "$MPIRUN" -q -n 3 "$SGFLOW" verify long.yaml -o many.h5 --threads 1 --max-time 1.5 >out 2>err
[ $? -le 75 ]
report "--max-time ends all" $?

conclude
