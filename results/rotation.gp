# gnuplot -e "table='rotation.csv'; figure='rotation.svg'" rotation.gp
set datafile separator ","
set terminal svg size 900,420 font "sans-serif,14" background "white"
set output figure
set multiplot layout 1,2
set key top left reverse Left samplen 2
set xlabel "time (learning rate × step)"
set xrange [0:420]
set grid lc rgb "#dddddd"
set title "A hidden layer turns"
set ylabel "angle, radian"
set yrange [0:*]
of(P, value) = ($1 == P ? value : NaN)
plot table using 2:(of(16, $3)) every ::1 with lines lw 2 lc rgb "#b03030" title "P = 16, theory", \
     "" using 2:(of(16, $4)):(2 * $5) every ::1 with yerrorbars pt 7 ps 0.7 lc rgb "#b03030" title "SGD, ±2 s.e.", \
     "" using 2:(of(400, $3)) every ::1 with lines lw 2 lc rgb "#3060b0" title "P = 400, theory", \
     "" using 2:(of(400, $4)):(2 * $5) every ::1 with yerrorbars pt 7 ps 0.7 lc rgb "#3060b0" title "SGD"
set title "and every run by a different angle"
set ylabel "standard deviation of the angle over runs, radian"
plot table using 2:(of(16, $6)) every ::1 with lines lw 2 lc rgb "#b03030" title "P = 16, theory", \
     "" using 2:(of(16, $7)) every ::1 with points pt 7 ps 0.7 lc rgb "#b03030" title "SGD", \
     "" using 2:(of(400, $6)) every ::1 with lines lw 2 lc rgb "#3060b0" title "P = 400, theory", \
     "" using 2:(of(400, $7)) every ::1 with points pt 7 ps 0.7 lc rgb "#3060b0" title "SGD"
unset multiplot
