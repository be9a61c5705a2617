#!/bin/sh
# The paper's three claims about one layer, at q = 1/2 and q = 1/100, from theory and from SGD. CLAIMS is the program.
# Prints the table, then one verdict for each claim.
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT INT TERM
"$CLAIMS" --quick >"$folder/table.csv" || { echo "0 passed, 1 failed"; exit 1; }
cat "$folder/table.csv"
awk -F, '
  function claim(what, holds) {
    if (holds) passed++
    else { failed++; print "FAIL " what }
  }
  NR == 1 { for (k = 1; k <= NF; k++) column[$k] = k; next }
  { for (name in column) value[NR - 1, name] = $column[name] }
  END {
    claim("two rows", NR == 3)
    for (row = 1; row <= 2; row++) claim("SGD agrees in row " row, value[row, "verdict"] == "agree")
    claim("1: the spectra of noise and Hessian differ at q = 1/2", value[1, "distance_C_H"] > 0.15)
    for (row = 1; row <= 2; row++) ratio[row] = value[row, "spread_of_C"] / value[row, "spread_of_H"]
    claim("1: noise spreads wider", ratio[1] > 3 && ratio[2] > 1)
    claim("1: much less so at q = 1/100", ratio[2] < 1.5)
    claim("1: each follows its own law", value[1, "distance_C_law"] < 0.1 && value[1, "distance_H_law"] < 0.1)
    claim("2: detailed balance is broken at q = 1/2", value[1, "commutator_relative"] > 0.05)
    claim("2: less at q = 1/100", value[2, "commutator_relative"] < 0.25 * value[1, "commutator_relative"])
    claim("2: entropy production falls", value[2, "entropy_production"] < 0.1 * value[1, "entropy_production"])
    for (row = 1; row <= 2; row++) {
      gap = value[row, "Q_sgd"] - value[row, "Q_theory"]
      if (gap < 0) gap = -gap
      claim("2: SGD has the predicted Q in row " row, gap < 5 * value[row, "Q_sgd_se"] + 0.02 * value[row, "Q_theory"])
    }
    claim("3: variances spread", value[1, "variance_spread_theory"] > 10 && value[1, "variance_spread_sgd"] > 10)
    claim("3: curvatures along them do not", value[1, "curvature_spread_theory"] < 4 && value[1, "curvature_spread_sgd"] < 4)
    claim("3: though those of H do", value[1, "spread_of_H"] > 10)
    printf "%d passed, %d failed\n", passed, failed
    exit failed > 0
  }' "$folder/table.csv"
