#!/bin/sh
# The examples, run as a reader would: trained in NumPy or PyTorch and compared, results read and plotted by h5py, matplotlib
# and Octave, a sweep, the Python package. What needs a program that is not installed is left out, and said so.
# PYTHON may name the interpreter; BUILD is the build folder, SGFLOW the program.
. "$(dirname "$0")/shell.sh"
examples=$(cd "$(dirname "$0")/../examples" && pwd)
PATH=$(dirname "$SGFLOW"):$PATH
SGFLOW_LIBRARY=$BUILD/.libs/libsgflow.so
PYTHONPATH=$(dirname "$examples")/python
PYTHONDONTWRITEBYTECODE=1 # the sources may be read-only
MPLCONFIGDIR=$folder
HOME=$folder
export PATH SGFLOW_LIBRARY PYTHONPATH PYTHONDONTWRITEBYTECODE MPLCONFIGDIR HOME

for python in "${PYTHON-}" python3 /usr/bin/python3; do
  [ -z "$python" ] || ! "$python" -c 'import numpy, h5py' 2>/dev/null || break
  [ "$python" != /usr/bin/python3 ] || {
    echo "skipped: no Python with NumPy and h5py (Debian: python3-numpy, python3-h5py)"
    exit 77
  }
done
has_module() { # module: is it there? If not, what is left out
  "$python" -c "import $1" 2>/dev/null && return 0
  echo "left out: $2: Python has no module $1"
  return 1
}

# Trained in NumPy: the exact equation agrees, weights that are 5 % off do not. A false alarm has the probability 0.001.
cd "$folder" || exit 1
expect 0 "numpy_compare.py" "$python" "$examples/numpy_compare.py" run
expect 0 "its weights agree" "$SGFLOW" compare run/config.yaml --trajectory run/run.h5 -o out.h5
expect 0 "numpy_compare.py --perturb" "$python" "$examples/numpy_compare.py" off --perturb 0.05
expect 1 "spoilt weights disagree" "$SGFLOW" compare off/config.yaml --trajectory off/run.h5

expect 0 "read_results.py" "$python" "$examples/read_results.py" out.h5
cp "$folder/out" python.txt
has "it prints the verdict" '^verdict   agree$' python.txt
has "and the trace" '^trace .* agree$' python.txt
expect 1 "read_results.py of data" "$python" "$examples/read_results.py" run/data.h5
has "says what is missing" 'no group `comparison`' "$folder/err"

if has_module matplotlib "plot_results.py"; then
  expect 0 "plot_results.py" "$python" "$examples/plot_results.py" out.h5 figure.png
  [ "$(head -c 4 figure.png | tail -c 3)" = PNG ]
  report "it makes a PNG" $?
fi

# PyTorch: where it is missing the program says so. With few replicas nothing disagrees.
mkdir blocked && echo 'raise ImportError("blocked", name="torch")' >blocked/torch.py
expect 1 "pytorch_compare.py without PyTorch" env PYTHONPATH=blocked "$python" "$examples/pytorch_compare.py" torch
has "says so" 'torch is missing .*numpy_compare.py' "$folder/err"
if has_module torch "pytorch_compare.py"; then
  expect 0 "pytorch_compare.py" "$python" "$examples/pytorch_compare.py" torch --widths 3,2
  expect 0 "its weights agree" "$SGFLOW" compare torch/config.yaml --trajectory torch/run.h5
fi

# A sweep of small points, in which nothing is run twice.
cat >small.yaml <<'END'
data:
  samples: 30
network:
  widths: [3, 1]
training:
  batch_size: 4
theory:
  equation: exact
verify:
  tolerance: 0.2
END
for time in first second; do
  expect 0 "sweep.py, the $time time" "$python" "$examples/sweep.py" small.yaml points training.learning_rate=0.1,0.2 seed=1,2
  has "it has a row for each learning rate" '^ +0.2 +[0-9.]+ +[0-9.]+  [0-9] of 2$' "$folder/out"
done
expect 65 "a sweep of a config that is refused" "$SGFLOW" sweep small.yaml --grid training.learning_rate=-1 --out bad
expect 1 "sweep.py passes failures on" "$python" "$examples/sweep.py" small.yaml bad training.learning_rate=-1

# The library is loaded by a Python that has no sanitizer.
if ldd "$SGFLOW_LIBRARY" 2>/dev/null | grep -q 'lib[at]san'; then
  echo "left out: python_package.py: the library has a sanitizer's code"
else
  expect 0 "python_package.py" "$python" "$examples/python_package.py"
  has "theory and SGD agree" '^verdict: agree$' "$folder/out"
  has "the operator is used" '^6000 weights by the path kronecker' "$folder/out"
fi

if command -v octave-cli >/dev/null; then
  expect 0 "read_results.m" octave-cli --no-init-file "$examples/read_results.m" out.h5
  has "it shows the reversed dimensions" '^X +4 x 60 in Octave, .60, 4. as in the file' "$folder/out"
  has "and turns a layer's weights back" '^W1 +2 x 4$' "$folder/out"
  has "it reads verdicts" '^trace .* agree$' "$folder/out"
  [ "$(awk '$1 == "trace" { print $2, $3 }' "$folder/out")" = "$(awk '$1 == "trace" { print $2, $3 }' python.txt)" ]
  report "it has the numbers that Python has" $?
else
  echo "left out: read_results.m: octave is not installed"
fi
echo "left out: read_results.jl: Julia is no package of Debian 12"

conclude
