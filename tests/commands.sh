#!/bin/sh
# The commands as a user runs them: exit codes by verdict, the same bits for any number of threads, the resolved config
# gives the same result again, help and versions. SGFLOW is the program, FIXTURES make_fixtures.
limit=0
. "$(dirname "$0")/shell.sh"

cat >"$folder/config.yaml" <<'EOF'
data:
  samples: 30
network:
  widths: [5, 1]
training:
  learning_rate: 0.1
  batch_size: 4
theory:
  equation: exact
EOF

expect 0 "--help" "$SGFLOW" --help
for command in predict simulate verify compare sweep merge lyapunov; do
  has "--help names $command" "^  $command " "$folder/out"
done
for command in predict simulate verify compare sweep; do
  expect 0 "$command --help" "$SGFLOW" "$command" --help
  has "$command --help says how it is used" "Usage: sgflow $command " "$folder/out"
  has "$command --help lists --set" "--set=KEY=VALUE" "$folder/out"
done
expect 0 "--version" "$SGFLOW" --version
for library in sgflow GSL HDF5 LAPACK SuiteSparse BLAS; do
  has "--version has $library" "^$library [^ ]" "$folder/out"
done

expect 0 "predict" "$SGFLOW" predict "$folder/config.yaml" -o "$folder/p.h5"
has "predict prints the rank" "rank 5 of 5" "$folder/out"
expect 0 "predict --plan" "$SGFLOW" predict "$folder/config.yaml" --plan -o "$folder/none.h5"
has "--plan names the path" '^path +dense: ' "$folder/out"
has "--plan says what excludes another" "closed-form .*not here: theory.equation is exact" "$folder/out"
has "--plan says what its seconds leave out" "without .* finding the minimum" "$folder/out"
[ ! -e "$folder/none.h5" ]
report "--plan makes nothing" $?
expect 0 "predict --plan --json" "$SGFLOW" predict "$folder/config.yaml" --plan --json
has "--plan --json is JSON" '^  "path": "dense"' "$folder/out"
expect 0 "--plan of two million weights" "$SGFLOW" predict "$folder/config.yaml" --plan --set network.widths=[1000,1000,1000] \
  --set theory.equation=continuum --set theory.noise=isotropic
has "--plan chooses the closed form" '^\* closed-form ' "$folder/out"
expect 65 "what does not fit is refused" "$SGFLOW" predict "$folder/config.yaml" --set network.widths=[30000,30000,30000] \
  --set theory.equation=continuum
has "the refusal has the numbers" "n = 1800000000 weights: .* needs about .* GiB and .* s, the machine has " "$folder/err"
expect 65 "n x n matrices that do not fit" "$SGFLOW" verify "$folder/config.yaml" --set network.widths=[300,300,300] \
  --set theory.equation=discrete --full
has "of the dense path" "n = 180000 weights: the path dense" "$folder/err"
expect 65 "layers alone want n x n matrices" "$SGFLOW" verify "$folder/config.yaml" --set network.widths=[300,300,300] \
  --set theory.equation=discrete --set simulation.uncoupled=true
has "and it is said" "the path dense .simulation.uncoupled is true. needs about" "$folder/err"
# 5250 weights: moments on directions, compared with the covariance operator
large="--set network.widths=[20,210,5] --set network.init_scale=1 --set data.samples=400 --set theory.equation=discrete \
  --set training.learning_rate=0.005 --set training.batch_size=20 --set verify.tolerance=0.2 --set simulation.replicas=64 \
  --set simulation.burn_in=0 --set simulation.window=3"
expect 0 "verify beyond 4000 weights" "$SGFLOW" verify "$folder/config.yaml" $large -o "$folder/on.h5" --report "$folder/on.html"
has "the directions are said" '^directions +100 of range.H., with 1 of the predicted trace' "$folder/out"
has "the report has them" '<td>directions</td>' "$folder/on.html"
expect 1 "and disagrees with noise that is not that of the sample" "$SGFLOW" verify "$folder/config.yaml" $large \
  --set theory.noise=isotropic
expect 0 "simulate beyond 4000 weights" "$SGFLOW" simulate "$folder/config.yaml" $large --set simulation.replicas=4 --json
has "with a trace of all weights" '"trace_se": [0-9.e-]+' "$folder/out"
expect 0 "predict by the operator" "$SGFLOW" predict "$folder/config.yaml" --set network.widths=[50,50,50] \
  --set network.init_scale=1 --set data.samples=400 --set theory.equation=discrete --set theory.noise=isotropic \
  --set training.learning_rate=0.01 -o "$folder/large.h5"
has "the path is said" '^path +kronecker: n is above 4000' "$folder/out"
has "the layers are fitted" 'layer 2 +2500 weights, trace ' "$folder/out"
expect 0 "its JSON" "$SGFLOW" predict "$folder/config.yaml" --set network.widths=[50,50,50] --json \
  --set data.samples=400 --set theory.equation=discrete --set theory.noise=population --set training.learning_rate=0.01
has "JSON has the path" '"path": "kronecker"' "$folder/out"
expect 0 "predict --json" "$SGFLOW" predict "$folder/config.yaml" --json
has "JSON has the stability limit" '"stability_limit": [0-9.]+' "$folder/out"
expect 0 "simulate" "$SGFLOW" simulate "$folder/config.yaml" --set simulation.replicas=20 -o "$folder/s.h5"
has "simulate prints an error bar" "measured +trace [0-9.e-]+ \+- " "$folder/out"

expect 0 "verify agrees" "$SGFLOW" verify "$folder/config.yaml" --threads 1 -o "$folder/v.h5" --report "$folder/v.html"
sed '/^output\|^report/d' "$folder/out" >"$folder/one"
expect 0 "verify agrees with two threads" "$SGFLOW" verify "$folder/config.yaml" --threads 2
cmp -s "$folder/one" "$folder/out"
report "the same digits with 1 and 2 threads" $?
expect 1 "verify disagrees with the wrong equation" \
  "$SGFLOW" verify "$folder/config.yaml" --set theory.equation=continuum --set training.learning_rate=0.2
expect 2 "verify is inconclusive with few replicas" "$SGFLOW" verify "$folder/config.yaml" --set simulation.replicas=5 \
  --set simulation.window=20
has "and says how many would decide" "about [0-9.e+]+ replicas would decide" "$folder/out"

# The resolved config, out of the JSON, gives the same numbers again; what differs is said: replicas that are given are looked
# at once, with the whole level.
has "a look at replicas that may grow has its part of the level" 'level 0.001, 0.000608 for look 1$' "$folder/one"
"$SGFLOW" verify "$folder/config.yaml" --json >"$folder/json"
sed -n 's/^  "config": "\(.*\)",$/\1/p' "$folder/json" | sed 's/\\n/\n/g; s/\\"/"/g' >"$folder/resolved.yaml"
expect 0 "verify with the resolved config" "$SGFLOW" verify "$folder/resolved.yaml"
sed '/chosen from/d; s/\*//g; s/, 0.000608 for look 1$//' "$folder/one" >"$folder/a"
sed 's/\*//g' "$folder/out" >"$folder/b"
cmp -s "$folder/a" "$folder/b"
report "the resolved config gives the same result" $?

# What deviates by nearly the tolerance takes many replicas: without a budget there is an end, with one there is none but that.
cat >"$folder/near.yaml" <<'EOF_NEAR'
data: {samples: 40}
network: {widths: [2, 1]}
training: {learning_rate: 0.2, batch_size: 5}
theory: {equation: discrete}
simulation: {burn_in: 2, window: 4}
verify: {tolerance: 0.083}
EOF_NEAR
expect 2 "nearly the tolerance, without a budget" "$SGFLOW" verify "$folder/near.yaml"
has "is left at a limit that is told" "without --max-time or --max-steps at most [0-9]+ are simulated$" "$folder/out"
expect 0 "with a budget it is decided" "$SGFLOW" verify "$folder/near.yaml" --max-time 600
has "after more looks" "level 0.001, [0-9.e-]+ for look [6-9]$" "$folder/out"
expect 2 "unless the budget is spent" "$SGFLOW" verify "$folder/near.yaml" --max-steps 1e6
has "which is told" "replicas would decide; the budget is spent$" "$folder/out"
expect 2 "replicas that are given are not added to" "$SGFLOW" verify "$folder/near.yaml" --set simulation.replicas=500 \
  --max-time 600
has "and no reason is told" "replicas would decide$" "$folder/out"

# Beyond the stability limit: refused, and run anyway with --force, with what was measured and no verdict.
expect 65 "verify beyond the limit" "$SGFLOW" verify "$folder/config.yaml" --set training.learning_rate=1
has "names the limit" "beyond the stability limit [0-9.]+" "$folder/err"
expect 65 "verify --force beyond the limit" "$SGFLOW" verify "$folder/config.yaml" --set training.learning_rate=0.75 \
  --set simulation.replicas=4 --set simulation.window=5 --set simulation.burn_in=0 --force
has "and shows what was measured" "^measured +trace" "$folder/out"
has "and warns" "warning: .*second moment of SGD is not finite" "$folder/err"

# A seed of its own, from the command line.
expect 0 "another seed" "$SGFLOW" verify "$folder/config.yaml" --set seed=7
cmp -s "$folder/one" "$folder/out" && same=1 || same=0
report "another seed gives other digits" $same

# Two layers, through every command.
cat >"$folder/two.yaml" <<'EOF'
data:
  samples: 100
network:
  widths: [3, 3, 2]
training:
  learning_rate: 0.01
  batch_size: 10
verify:
  tolerance: 0.1
EOF
expect 0 "predict, two layers" "$SGFLOW" predict "$folder/two.yaml"
has "the ranks" "^drift +rank 6 of 15" "$folder/out"
has "each layer" "^layer 2 +rank of H 6, of C 6, of 6;" "$folder/out"
has "the lifetime" "^lifetime +[0-9.e+]+, balance rate" "$folder/out"
expect 0 "simulate, two layers" "$SGFLOW" simulate "$folder/two.yaml" --set simulation.replicas=20
expect 0 "verify, two layers" "$SGFLOW" verify "$folder/two.yaml" --set simulation.uncoupled=true --threads 1 \
  -o "$folder/two.h5" --report "$folder/two.html"
for name in layer1_trace layer2_variances layer2_ivfr_psi layer2_uncoupled_trace balance_drift_1; do
  has "verify compares $name" "^  $name .* agree" "$folder/out"
done
has "the leak" "^leak +[0-9.e-]+ \+- [0-9.e-]+ of the measured trace is outside" "$folder/out"
sed '/^output\|^report/d' "$folder/out" >"$folder/one"
expect 0 "verify, two layers, two threads" "$SGFLOW" verify "$folder/two.yaml" --set simulation.uncoupled=true --threads 2
cmp -s "$folder/one" "$folder/out"
report "the same digits with 1 and 2 threads, two layers" $?
for text in "Variance and flatness, layer by layer" "quasi-stationary" "leak into null"; do
  has "the report has: $text" "$text" "$folder/two.html"
done
if command -v gnuplot >/dev/null; then
  for figure in ivfr2 ivfr1 balance; do
    has "the report has the figure $figure" "<title>$figure</title>" "$folder/two.html"
  done
fi
"$SGFLOW" predict "$folder/two.yaml" --json >"$folder/json"
has "JSON has the layers" '"layer2": \{' "$folder/json"
expect 0 "verify, window-pca" "$SGFLOW" verify "$folder/two.yaml" --set simulation.protocol=window-pca -o "$folder/w.h5" \
  --report "$folder/w.html"
has "the components" "^components +layer 2: psi = [0-9.]+" "$folder/out"
has "the report has them" "Principal components of each run" "$folder/w.html"
expect 0 "simulate, a long window" "$SGFLOW" simulate "$folder/two.yaml" --set simulation.replicas=4 \
  --set simulation.window=2000
has "warns that the run is not short" "warning: .* of the lifetime" "$folder/err"

# Equations, from HDF5 and Matrix Market; X goes into the file that has the equation, which keeps the rest.
"$FIXTURES" "$folder" || echo "make_fixtures failed"
at() { # description, file, dataset, column of row 0, value
  "$FIXTURES" --has "$2" "$3" "$4" "$5"
  report "$1" $?
}
expect 0 "lyapunov --help" "$SGFLOW" lyapunov --help
has "lyapunov --help says how it is used" "Usage: sgflow lyapunov .* SYSTEM.h5" "$folder/out"
expect 0 "lyapunov" "$SGFLOW" lyapunov "$folder/system.h5"
has "prints the method" "^method +schur" "$folder/out"
has "prints the rank" "^rank +3 of 3, gap [0-9.e+]+$" "$folder/out"
has "prints the eigenvalue" "^eigenvalue +0.5, nearest to instability" "$folder/out"
has "prints the error bound" "^error bound +[0-9.]+e-14" "$folder/out"
at "X is in the file" "$folder/system.h5" X 2 0.065104166666666667
at "what was there before is too" "$folder/system.h5" note 5 6
cp "$folder/system.h5" "$folder/before.h5"
expect 0 "lyapunov -o" "$SGFLOW" lyapunov "$folder/system.h5" -o "$folder/x.h5" --json
cmp -s "$folder/system.h5" "$folder/before.h5"
report "-o leaves the equation's file alone" $?
for name in size rank gap ambiguous null_noise residual separation error_bound real imaginary refined; do
  has "JSON has $name" "^  \"$name\": [0-9]" "$folder/out"
done
has "JSON has the command" '"command": "sgflow lyapunov .*/system.h5 -o .*/x.h5"' "$folder/out"
at "X is in the new file" "$folder/x.h5" X 2 0.065104166666666667
! "$FIXTURES" --has "$folder/x.h5" A 0 1
report "A is not" $?
for file in system_csc.h5 system_csr.h5; do
  expect 0 "lyapunov $file" "$SGFLOW" lyapunov "$folder/$file"
  at "the same X from $file" "$folder/$file" X 2 0.065104166666666667
done
for method in schur kronecker; do
  expect 0 "lyapunov --method $method" "$SGFLOW" lyapunov "$folder/A.mtx" "$folder/Q.mtx" --method $method -o "$folder/x.h5"
  at "the same X by $method from Matrix Market" "$folder/x.h5" X 2 0.065104166666666667
done
expect 0 "lyapunov with a factor" "$SGFLOW" lyapunov "$folder/system_B.h5"
expect 0 "lyapunov --factor" "$SGFLOW" lyapunov "$folder/A.mtx" --factor "$folder/B.mtx" --method low-rank -o "$folder/x.h5"
at "a solution from B" "$folder/system_B.h5" X 8 61
at "the same from --factor in Krylov space" "$folder/x.h5" X 8 61
expect 0 "lyapunov, singular" "$SGFLOW" lyapunov "$folder/system_singular.h5" -o "$folder/x.h5"
at "the solution of least norm" "$folder/x.h5" X 4 0
expect 0 "lyapunov --initial" "$SGFLOW" lyapunov "$folder/system_singular.h5" --initial "$folder/system_singular.h5" \
  -o "$folder/x.h5"
at "that of the initial covariance" "$folder/x.h5" X 4 2
expect 65 "lyapunov --json, unstable" "$SGFLOW" lyapunov "$folder/system_unstable.h5" --json
has "JSON has the eigenvalue" '"real": -0.5' "$folder/out"
has "JSON has the error" '"error": ".*the eigenvalue -0.5 must' "$folder/out"
has "the message is there too" "^sgflow: .*the eigenvalue -0.5 must" "$folder/err"
expect 65 "lyapunov, ambiguous" "$SGFLOW" lyapunov "$folder/system_ambiguous.h5" --json
has "JSON has the gap" '"gap": [0-9.]+' "$folder/out"
expect 0 "lyapunov --rank-tolerance" "$SGFLOW" lyapunov "$folder/system_ambiguous.h5" --rank-tolerance 1e-15
has "warns" "^sgflow: warning: .*ambiguous, its gap is" "$folder/err"
expect 0 "lyapunov --discrete" "$SGFLOW" lyapunov "$folder/half.mtx" "$folder/small.mtx" --discrete -o "$folder/x.h5"
at "X of the discrete equation" "$folder/x.h5" X 0 1.33333333333333333
expect 64 "an unknown command" "$SGFLOW" lyapnov "$folder/system.h5"
has "names those there are" "there are predict, .*, lyapunov, reproduce$" "$folder/err"

# Beyond the stability limit: runs that were forced have their outputs, which say why nothing is predicted.
expect 65 "a learning rate beyond the limit, forced" "$SGFLOW" verify "$folder/config.yaml" --force --set network.widths=[5,3,1] \
  --set theory.equation=discrete --set training.learning_rate=2 --set simulation.replicas=4 --set simulation.burn_in=2 \
  --set simulation.window=4 -o "$folder/beyond.h5" --report "$folder/beyond.html"
has "the last word is why" "beyond the stability limit .*: there is no stationary state to compare with" "$folder/err"
! grep -qw nan "$folder/out"
report "nothing that is not predicted is printed" $?
has "the report says it" "no stationary state" "$folder/beyond.html"
has "and is complete" "</html>" "$folder/beyond.html"
expect 65 "momentum, beyond the limit in mean square alone" "$SGFLOW" verify "$folder/config.yaml" --force \
  --set theory.equation=discrete --set training.momentum=0.9 --set training.learning_rate=0.4 --set simulation.replicas=4 \
  --set simulation.burn_in=2 --set simulation.window=4 --report "$folder/beyond.html"
has "names that limit" "is 0.4, beyond the stability limit 0.[0-3].*to compare with" "$folder/err"
has "as its report does" "is beyond the limit 0.[0-3]" "$folder/beyond.html"

# Convergence is that of the runs, whether moments are about theta* or about the windows' means.
for protocol in ensemble window-pca; do
  "$SGFLOW" verify "$folder/config.yaml" --set theory.equation=discrete --set simulation.replicas=20 \
    --set simulation.burn_in=5 --set simulation.window=20 --set simulation.protocol=$protocol |
    sed -n 's/^slowest mode R-hat \([0-9.]*\),.*/\1/p'
done >"$folder/r_hat"
awk 'NR == 1 { one = $1 } NR == 2 { exit !(one > 1 && ($1 - one) ^ 2 < 1e-6) }' "$folder/r_hat"
report "R-hat is the same" $?

# Products are by the system's BLAS, not by GSL's slow one.
LD_DEBUG=bindings LD_BIND_NOW=1 "$SGFLOW" --version 2>&1 | grep "cblas_dgemm'" >"$folder/bindings" || true
if [ -s "$folder/bindings" ]; then
  ! grep -q "libsgflow.* to .*gslcblas" "$folder/bindings"
  report "products are by the BLAS that configure found" $?
fi

conclude
