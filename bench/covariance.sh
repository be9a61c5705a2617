#!/bin/sh
# In the build folder, after `make bench`: measure the covariance operator (minutes on one core) into bench/covariance.csv
# and, where gnuplot is installed, draw bench/covariance.svg. Exponents and targets are printed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bench/covariance > bench/covariance.csv
if command -v gnuplot > /dev/null; then
  cd bench && gnuplot "$here/covariance.gp" && echo "figure: bench/covariance.svg"
else
  echo "gnuplot is not installed: no figure"
fi
