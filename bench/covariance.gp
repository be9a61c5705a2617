# Time against width, from covariance.csv in the current folder into covariance.svg.
set datafile separator ","
set terminal svg size 760,520 font "sans,13"
set output "covariance.svg"
set logscale xy
set key outside top center horizontal Left reverse maxcols 2 samplen 2
set xrange [5:1500]
set xlabel "width N of an N-N-N network"
set ylabel "seconds"
pick(name, value) = strcol(1) eq name ? value : NaN
plot "covariance.csv" using 2:(pick("closed-form; with layers", $5)) skip 1 with linespoints pt 7 title "closed form, with layers: N^3", \
     "" using 2:(pick("kronecker isotropic; with layers", $5)) skip 1 with linespoints pt 7 title "kronecker, isotropic noise, with layers: N^4", \
     "" using 2:(pick("kronecker population; operator", $5)) skip 1 with linespoints pt 7 title "kronecker, population noise, operator: N^4", \
     "" using 2:(pick("reduced empirical; operator", $5)) skip 1 with linespoints pt 7 title "reduced, empirical noise, operator: N^4", \
     "" using 2:(pick("dense empirical; all", $5)) skip 1 with points pt 9 ps 1.2 lc "black" title "dense, empirical noise"
