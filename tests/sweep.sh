#!/bin/sh
# Sweeps: the grid, what is run again and what is not, jobs at once, failures, jobs that are killed, and the merged table.
# SGFLOW is the program, FIXTURES make_fixtures.
. "$(dirname "$0")/shell.sh"

# What changes when a file is written again.
marks() { stat -c '%n %i %y %s' "$@"; }

cd "$folder" || exit 1
"$FIXTURES" . || exit 1
cat >config.yaml <<'END'
data:
  samples: 30
network:
  widths: [5, 1]
training:
  learning_rate: 0.1
  batch_size: 4
theory:
  equation: exact
END
rates=training.learning_rate=0.1,0.2
seeds=seed=1,2,3

# ------------------------------------------------------------------- the grid

expect 0 "--count" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --count
[ "$(cat out)" = 6 ]
report "six points" $?
[ ! -e config-sweep ]
report "--count makes nothing" $?
expect 0 "lists are values" "$SGFLOW" sweep config.yaml --grid "network.widths=[4,5,3], [6,2,5],[3,1]" --count
[ "$(cat out)" = 3 ]
report "three lists" $?

expect 0 "all points" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds
has "the last key varies fastest" '^ +1 +0\.1 +2  agree$' out
has "the first slowest" '^ +5 +0\.2 +3  agree$' out
has "all agree" '^verdict +6 agree, 0 disagree, 0 inconclusive, 0 without$' out
"$FIXTURES" --check config-sweep/point-00005.h5
report "a complete file for each" $?

marks config-sweep/* >before
expect 0 "again" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds
marks config-sweep/* >after
cmp -s before after
report "nothing is written again" $?
[ "$(grep -c 'agree, up to date$' out)" -eq 6 ]
report "all are up to date" $?
expect 0 "again, one point" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --index 3
has "that is up to date" '^point 3 +up to date: config-sweep/point-00003.h5, verdict agree$' out
expect 0 "as JSON" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --index 3 --json
has "JSON says so" '"state": "up to date"' out
has "JSON has the value" '"training.learning_rate": "0.2"' out
marks config-sweep/* >after
cmp -s before after
report "and leaves all as it was" $?

# A point is what verify makes of the same config.
expect 0 "verify at a point" "$SGFLOW" verify config.yaml --set training.learning_rate=0.2 --set seed=2
sed '/^output/d' out >verified
expect 0 "the point" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --index 4 --out point
sed '/^output/d' out >swept
cmp -s verified swept
report "the same table" $?
[ ! -e point/point-00003.h5 ] && [ -e point/point-00004.h5 ]
report "one point alone" $?

# ------------------------------------------------------ exit statuses, failures

expect 1 "one disagrees" "$SGFLOW" sweep config.yaml --grid theory.equation=exact,continuum \
  --set training.learning_rate=0.2 --out disagree
expect 1 "that one" "$SGFLOW" sweep config.yaml --grid theory.equation=exact,continuum \
  --set training.learning_rate=0.2 --out disagree --index 1
expect 2 "one is inconclusive" "$SGFLOW" sweep config.yaml --grid simulation.replicas=5,200 \
  --set simulation.window=20 --out inconclusive
expect 65 "one is unstable" "$SGFLOW" sweep config.yaml --grid training.learning_rate=5,0.1,0.2 --out unstable
has "its message names the point" '^sgflow: point 0: training.learning_rate is 5, beyond the stability limit' err
has "the table has the failure" '^ +0 +5  failed \(65\)$' out
has "the others are run" '^ +2 +0\.2  agree$' out
has "why is kept" '^65 training.learning_rate is 5' unstable/point-00000.error
expect 65 "with --index the status of verify" "$SGFLOW" sweep config.yaml --grid training.learning_rate=5,0.1,0.2 \
  --out unstable --index 0
expect 0 "merge says why" "$SGFLOW" merge unstable
has "in a warning" '^sgflow: warning: point 0 failed \(65\): training.learning_rate is 5, beyond' err
has "and in the table" '^ +0 +5  failed$' out
expect 65 "beyond the limit with --force there is no verdict" "$SGFLOW" sweep config.yaml --out forced --force \
  --grid training.learning_rate=0.75 --set simulation.replicas=4 --set simulation.window=5 --set simulation.burn_in=0
marks forced/point-00000.h5 >before
expect 65 "again" "$SGFLOW" sweep config.yaml --out forced --force \
  --grid training.learning_rate=0.75 --set simulation.replicas=4 --set simulation.window=5 --set simulation.burn_in=0
marks forced/point-00000.h5 >after
cmp -s before after
report "but there is an output, once" $?
expect 0 "merge without a verdict" "$SGFLOW" merge forced
has "is none" '^ +0 +0\.75  none ' out

cat >late.yaml <<'END'
data: {source: file, file: late.h5}
network: {widths: [4, 2]}
training: {learning_rate: 0.05, batch_size: 10}
simulation: {replicas: 8, burn_in: 1, window: 5}
END
expect 66 "data that are not there" "$SGFLOW" sweep late.yaml --grid seed=1,2
[ -e late-sweep/point-00001.error ]
report "are a failure of each point" $?
cp good.h5 late.h5
expect 2 "and when they are" "$SGFLOW" sweep late.yaml --grid seed=1,2
[ ! -e late-sweep/point-00001.error ] && [ -e late-sweep/point-00001.h5 ]
report "the failure is forgotten" $?

# --------------------------------------------------------- other configs, grids

marks config-sweep/* >before
expect 65 "another grid in the folder" "$SGFLOW" sweep config.yaml --grid $rates --grid seed=1,2,4 --out config-sweep
has "names both" '^sgflow: config-sweep: the folder of another grid, it has seed=1,2,3 where seed=1,2,4 is asked' err
expect 65 "another grid, --overwrite" "$SGFLOW" sweep config.yaml --grid $rates --out config-sweep --overwrite
expect 65 "another config" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --set training.batch_size=5
has "names both" "^sgflow: config-sweep: .*another config: training has 'batch_size: 4' there and 'batch_size: 5' here" err
marks config-sweep/* >after
cmp -s before after
report "and nothing is overwritten" $?
cp point/point-00004.h5 config-sweep/point-00000.h5
marks config-sweep/* >before
expect 65 "another's point" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds
has "names file and both configs" \
  "^sgflow: config-sweep/point-00000.h5: made from another config: .*'learning_rate: 0.2[0-9]*' there and 'learning_rate: 0.1" err
has "the others are looked at" '^ +5 +0\.2 +3  agree, up to date$' out
marks config-sweep/* >after
cmp -s before after
report "and it is not overwritten" $?
expect 65 "merge of another's point" "$SGFLOW" merge config-sweep -o table.csv
has "is not in the table" '^0,0\.1,1,other config,,,' table.csv
has "the rest is" '^5,0\.2,3,done,agree,0\.' table.csv
expect 0 "--overwrite" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --overwrite
[ "$(grep -c 'agree, up to date$' out)" -eq 5 ]
report "replaces that one alone" $?
expect 0 "--overwrite of a config" "$SGFLOW" sweep config.yaml --grid $rates --out other
expect 0 "by another" "$SGFLOW" sweep config.yaml --grid $rates --out other --set training.batch_size=5 --overwrite --index 1
expect 65 "the points of the older one" "$SGFLOW" merge other
has "are named" "^sgflow: other/point-00000.h5: .*'batch_size: 4' there and 'batch_size: 5' here" err

"$FIXTURES" --version config-sweep/point-00002.h5 0.0.9
expect 65 "a point of another version" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds
has "names both" "^sgflow: config-sweep/point-00002.h5: made by version 0.0.9, this is [0-9.]+ .--overwrite" err
expect 0 "merge of another version" "$SGFLOW" merge config-sweep -o table.csv
has "warns" '^sgflow: warning: of another version than [0-9.]+: points 2$' err
has "and has it" '^2,0\.1,3,other version,agree,0\.' table.csv
expect 0 "--overwrite of a version" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --overwrite

# ------------------------------------------------------- jobs at once, and killed

pids=
for index in 0 0 1 2 3 4 5 5; do
  "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --out jobs --threads 1 --index $index >/dev/null 2>>errors &
  pids="$pids $!"
done
worst=0
for pid in $pids; do wait "$pid" || worst=$?; done
[ "$worst" -eq 0 ] && ! grep -v 'another run has this checkpoint now' errors
report "eight jobs at once, two of them twice" $?
expect 0 "make one sweep" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --out jobs
[ "$(grep -c 'agree, up to date$' out)" -eq 6 ]
report "of six points" $?
expect 0 "its table" "$SGFLOW" merge jobs -o jobs.csv
expect 0 "the table of the sweep in one" "$SGFLOW" merge config-sweep -o one.csv
# all but the seconds and the command
sed '/^#/d; s/,[^,]*,$//' jobs.csv >jobs.part
sed '/^#/d; s/,[^,]*,$//' one.csv >one.part
cmp -s jobs.part one.part
report "is the same to the last digit" $?

cat >long.yaml <<'END'
network: {widths: [5, 1]}
training: {learning_rate: 0.001, batch_size: 10}
simulation: {replicas: 1000, burn_in: 10000, window: 10000}
END
for signal in KILL TERM; do
  "$SGFLOW" sweep long.yaml --grid seed=1,2 --out killed --index 0 >/dev/null 2>&1 &
  job=$!
  sleep 2
  kill -s $signal $job
  wait $job 2>/dev/null
  [ -z "$(ls killed | grep -v -e '^sweep.yaml$' -e '\.checkpoint')" ]
  report "a job that $signal ends leaves nothing of its point but a checkpoint" $?
done
expect 0 "merge of nothing yet" "$SGFLOW" merge killed
has "names what is missing" '^sgflow: warning: 2 of 2 points are missing: 0-1$' err

# ------------------------------------------------------------------- the table

rm jobs/point-00001.h5 jobs/point-00004.h5 jobs/point-00005.h5
expect 0 "merge with holes" "$SGFLOW" merge jobs
has "names them" '^sgflow: warning: 3 of 6 points are missing: 1,4-5$' err
has "has them in the table" '^ +4 +0\.2 +2  missing$' out
expect 0 "as CSV" "$SGFLOW" merge jobs -o table.csv
has "with the version" '^# sgflow [0-9.]+$' table.csv
has "and the command" '^# sgflow merge jobs -o table.csv$' table.csv
has "and names" '^index,training.learning_rate,seed,state,verdict,trace_predicted,trace_measured,trace_standard_error,' table.csv
field() { awk -F, -v name="$1" -v row="$2" '/^index/ { for (k = 1; k <= NF; k++) if ($k == name) column = k } $1 == row { print $column }' table.csv; }
for name in trace excess_loss mean_square fluctuation_dissipation; do
  for face in predicted measured standard_error deviation; do
    "$FIXTURES" --has jobs/point-00002.h5 comparison/$name/$face 0 "$(field ${name}_$face 2)"
    report "CSV has $name $face" $?
  done
done
[ "$(field steps 2)" -gt 1000 ] && [ "$(field rank_hessian 2)" -eq 5 ] && [ -n "$(field stability_limit 2)" ]
report "and the numbers of the run" $?
expect 0 "as JSON" "$SGFLOW" merge jobs --json
has "with a quantity" '"standard_error": [0-9]' out
has "and the missing" '"state": "missing"' out
head -c 5000 jobs/point-00002.h5 >half && mv half jobs/point-00002.h5
cp jobs/point-00003.h5 jobs/point-00017.h5
echo nothing >jobs/point-00004.h5
expect 65 "merge with damaged files" "$SGFLOW" merge jobs -o table.csv
has "names the half one" '^sgflow: jobs/point-00002.h5: .*truncated or damaged' err
has "and what is none" '^sgflow: jobs/point-00004.h5: not an HDF5 file' err
has "and one that the grid has not" '^sgflow: jobs/point-00017.h5: no point of the grid, they are 0 to 5' err
has "and merges the rest" '^3,0\.2,1,done,agree,0\.' table.csv
expect 65 "a damaged point is not run over" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --out jobs --index 2
has "and named" '^sgflow: jobs/point-00002.h5: .*--overwrite' err
expect 0 "unless --overwrite" "$SGFLOW" sweep config.yaml --grid $rates --grid $seeds --out jobs --index 2 --overwrite
expect 73 "a table over a point" "$SGFLOW" merge jobs -o jobs/point-00003.h5
"$FIXTURES" --check jobs/point-00003.h5
report "is not written" $?
expect 0 "layers" "$SGFLOW" sweep config.yaml --grid "network.widths=[3,3,2],[3,2]" --set theory.equation=discrete \
  --set training.learning_rate=0.01 --set data.samples=100 --set training.batch_size=10 --set verify.tolerance=0.1 \
  --out layers
expect 0 "merge of layers" "$SGFLOW" merge layers -o table.csv
has "has their columns" ',layer1_trace_predicted,.*,layer2_trace_deviation,ivfr_psi_predicted,' table.csv
has "quotes a list" '^0,"\[3,3,2\]",done,agree,' table.csv
[ -z "$(find . -name '*.part-*')" ]
report "nothing is left behind" $?

conclude
