#!/bin/sh
# The Python package, by pytest, on the library of this build folder. Skipped, with a message, where Python has no NumPy or
# no pytest, and where the library has a sanitizer's code, which only a program that was built with it can load.
# PYTHON may name the interpreter; BUILD is the build folder, SGFLOW the program, CC the compiler.
. "$(dirname "$0")/shell.sh"
SGFLOW_LIBRARY=$BUILD/.libs/libsgflow.so

skip() {
  echo "skipped: $1"
  exit 77
}

for python in "${PYTHON-}" python3 /usr/bin/python3; do
  [ -z "$python" ] || ! "$python" -c 'import numpy, pytest' 2>/dev/null || break
  [ "$python" != /usr/bin/python3 ] || skip "no Python with NumPy and pytest (Debian: python3-numpy, python3-pytest)"
done
ldd "$SGFLOW_LIBRARY" 2>/dev/null | grep -q 'lib[at]san' && skip "the library has a sanitizer's code"

export SGFLOW_LIBRARY PYTHONDONTWRITEBYTECODE=1 # the sources may be read-only
tests=$(dirname "$0")/../python/tests
"$python" -m pytest -rs -q -p no:cacheprovider -p no:hypothesispytest --rootdir "$folder" "$tests" >"$folder/out" 2>&1
status=$?
cat "$folder/out"
count() { # outcome
  sed -n -e '$s/^\(.*[ =]\)*\([0-9][0-9]*\) '"$1"'.*$/\2/p' "$folder/out" | grep . || echo 0
}
passed=$(count passed)
failed=$(($(count failed) + $(count 'error')))
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
conclude
