/* The report's figures, each a gnuplot script with its data inside: black, grey, blue and orange, told apart by shape
 * and dash, so that they can be read in black and white. */
#include "figures.h"

#include <math.h>

#include "../theory/flatness.h"

static const char *const BLUE = "#0a5a9c";

static void begin(FILE *script, const char *name)
{
  fprintf(script,
          "set terminal svg size 620,420 dynamic enhanced font 'Helvetica,14' name '%s' background 'white'\n"
          "set encoding utf8\nset border 3 lw 1.2\nset tics nomirror\nset key samplen 2 spacing 1.2\nset grid lc rgb "
          "'#d8d8d8' lw 0.6\n",
          name);
}

static const double *array(const sgf_prediction *prediction, const char *name, size_t *rows)
{
  size_t columns;
  return sgf_prediction_array(prediction, name, rows, &columns);
}

/* Measured points with their bars over what is drawn already: gnuplot's own error bars would erase around their points.
 * Columns of x, of the value and of its standard error in $data. */
static void put_measured(FILE *script, const char *data, const int columns[3], double size, int shape,
                         const char *colour, const char *title)
{
  fprintf(
      script,
      ", $%s using %d:($%d-2*$%d):(0):(4*$%d) with vectors nohead lw 0.9 lc rgb '%s' notitle, $%s using %d:%d with "
      "points pt %d ps %g lc rgb '%s' title '%s'",
      data, columns[0], columns[1], columns[2], columns[2], colour, data, columns[0], columns[1], shape, size, colour,
      title);
}

/* Columns: direction, curvature, predicted stationary variance, and with a comparison predicted over the window,
 * measured, standard error; variances in units of T. */
static void modes(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison)
{
  size_t n;
  const sgf_mode_set *set = comparison != NULL ? sgf_find_modes(comparison, "joint") : NULL;
  const double *curvature = set != NULL ? set->curvature : array(prediction, "curvature", &n);
  const double *variance = set != NULL ? set->stationary : array(prediction, "variance", &n);
  double unit = prediction->info.temperature;
  fprintf(script, "$modes << EOD\n");
  for (size_t k = 0; k < (set != NULL ? set->count : n); k++) {
    if (!(variance[k] > 0.0) || !(curvature[k] > 0.0)) continue;
    fprintf(script, "%zu %.8g %.8g", k + 1, curvature[k], variance[k] / unit);
    if (set != NULL)
      fprintf(script, " %.8g %.8g %.8g", set->predicted[k] / unit, set->measured[k] / unit, set->error[k] / unit);
    fprintf(script, "\n");
  }
  fprintf(script, "EOD\n");
}

/* Columns: flatness, predicted, measured, standard error; from the comparison if it has the set, else the stationary
 * prediction alone. Returns whether something was measured. */
static bool layer_modes(FILE *script, const sgf_problem *problem, const sgf_prediction *prediction,
                        const sgf_comparison *comparison, size_t layer, const char *suffix)
{
  double unit = prediction->info.temperature, loss = prediction->info.min_loss;
  double factor = problem->settings.theory.flatness_factor;
  char name[48];
  size_t size;
  snprintf(name, sizeof name, "layer%zu%s", layer, suffix);
  const sgf_mode_set *set = comparison != NULL ? sgf_find_modes(comparison, name) : NULL;
  snprintf(name, sizeof name, "layer%zu/curvature%s", layer, suffix);
  const double *curvature = set != NULL ? set->curvature : array(prediction, name, &size);
  snprintf(name, sizeof name, "layer%zu/variance%s", layer, suffix);
  const double *variance = set != NULL ? set->stationary : array(prediction, name, &size);
  if (set != NULL) size = set->count;
  fprintf(script, "$layer%s << EOD\n", suffix);
  for (size_t k = 0; k < size && variance[k] > 1e-12 * variance[0]; k++) {
    if (!(curvature[k] > 0.0)) continue;
    fprintf(script, "%.8g %.8g", sgf_flatness(curvature[k], loss, factor),
            (set != NULL ? set->predicted[k] : variance[k]) / unit);
    if (set != NULL) fprintf(script, " %.8g %.8g", set->measured[k] / unit, set->error[k] / unit);
    fprintf(script, "\n");
  }
  fprintf(script, "EOD\n");
  return set != NULL;
}

void sgf_figure_ivfr(FILE *script, const sgf_problem *problem, const sgf_prediction *prediction,
                     const sgf_comparison *comparison, size_t layer)
{
  char name[32];
  snprintf(name, sizeof name, "ivfr%zu", layer);
  begin(script, name);
  bool coupled = layer_modes(script, problem, prediction, comparison, layer, "");
  bool dense = prediction->tested == NULL; /* else a layer alone is not predicted */
  bool alone = dense && layer_modes(script, problem, prediction, comparison, layer, "_uncoupled");
  fprintf(script,
          "set logscale xy\nset format xy '%%g'\nset key outside top center horizontal maxrows 2 width -4\n"
          "set xlabel 'flatness F_k'\nset ylabel 'layer %zu: variance σ_k^2 / T'\nplot ",
          layer);
  if (dense)
    fprintf(script,
            "$layer_uncoupled using 1:2 with points pt 4 ps 0.7 lw 0.8 lc rgb '#8a8a8a' title 'theory, uncoupled', ");
  fprintf(script, "$layer using 1:2 with points pt 6 ps 0.8 lw 0.9 lc rgb 'black' title 'theory, coupled'");
  const int columns[] = {1, 3, 4};
  if (alone) put_measured(script, "layer_uncoupled", columns, 0.35, 9, "#c06000", "SGD ±2 s.e., others frozen");
  if (coupled) put_measured(script, "layer", columns, 0.35, 7, BLUE, "SGD ±2 s.e.");
  fprintf(script, "\n");
}

bool sgf_has_times(const sgf_prediction *prediction, const sgf_comparison *comparison)
{
  size_t points;
  return array(prediction, "correlation_time", &points) != NULL || (comparison != NULL && comparison->time_count > 0);
}

/* What a figure's axes must hold. */
typedef struct {
  double left, right, low, high;
} frame;

static void widen(frame *axes, double x, double low, double high)
{
  axes->left = fmin(axes->left, x);
  axes->right = fmax(axes->right, x);
  axes->low = fmin(axes->low, low > 0.0 ? low : high);
  axes->high = fmax(axes->high, high);
}

/* Logarithmic where values spread over more than a few times. */
static void put_range(FILE *script, char axis, double low, double high)
{
  if (high > 5.0 * low)
    fprintf(script, "set logscale %c\nset %crange [%.8g:%.8g]\n", axis, axis, low / 1.25, high * 1.25);
  else if (low <= high) {
    double margin = high > low ? 0.1 * (high - low) : 0.5 * low;
    fprintf(script, "set %crange [%.8g:%.8g]\n", axis, low - margin, high + margin);
  }
}

/* Columns: flatness, stationary correlation time along the directions of a layer, or of all weights. */
static void stationary_times(FILE *script, const char *block, const sgf_prediction *prediction, const char *folder,
                             const char *suffix, double factor, frame *axes)
{
  char name[64];
  size_t size = 0, other;
  snprintf(name, sizeof name, "%scurvature%s", folder, suffix);
  const double *curvature = array(prediction, name, &other);
  snprintf(name, sizeof name, "%scorrelation_time%s", folder, suffix);
  const double *time = array(prediction, name, &size);
  fprintf(script, "$%s << EOD\n", block);
  for (size_t k = 0; k < size; k++) {
    if (!(time[k] > 0.0) || !(curvature[k] > 0.0)) continue;
    double F = sgf_flatness(curvature[k], prediction->info.min_loss, factor);
    fprintf(script, "%.8g %.8g\n", F, time[k]);
    widen(axes, F, time[k], time[k]);
  }
  fprintf(script, "EOD\n");
}

/* Columns: flatness, predicted, measured, standard error, of the sums over snapshots. */
static void sampled_times(FILE *script, const sgf_time_set *set, double min_loss, double factor, frame *axes)
{
  fprintf(script, "$times << EOD\n");
  for (size_t k = 0; k < set->count; k++) {
    if (!(set->curvature[k] > 0.0)) continue;
    double F = sgf_flatness(set->curvature[k], min_loss, factor), bar = 2.0 * set->error[k];
    fprintf(script, "%.8g %.8g %.8g %.8g\n", F, set->predicted[k], set->measured[k], set->error[k]);
    widen(axes, F, set->predicted[k], set->predicted[k]);
    widen(axes, F, set->measured[k] - bar, set->measured[k] + bar);
  }
  fprintf(script, "EOD\n");
}

void sgf_figure_times(FILE *script, const sgf_problem *problem, const sgf_prediction *prediction,
                      const sgf_comparison *comparison, size_t layer)
{
  double factor = problem->settings.theory.flatness_factor, loss = prediction->info.min_loss;
  bool deep = prediction->info.layers > 1, alone = deep && prediction->tested == NULL;
  frame axes = {INFINITY, 0.0, INFINITY, 0.0};
  char name[32] = "joint", folder[32] = "";
  if (deep) snprintf(name, sizeof name, "layer%zu", layer);
  if (deep) snprintf(folder, sizeof folder, "layer%zu/", layer);
  const sgf_time_set *set = comparison != NULL ? sgf_find_times(comparison, name) : NULL;
  snprintf(name, sizeof name, "times%zu", layer);
  begin(script, name);
  if (set != NULL)
    sampled_times(script, set, loss, factor, &axes);
  else
    stationary_times(script, "times", prediction, folder, "", factor, &axes);
  if (alone) stationary_times(script, "alone", prediction, folder, "_uncoupled", factor, &axes);
  put_range(script, 'x', axes.left, axes.right);
  put_range(script, 'y', axes.low, axes.high);
  /* a mode of H by itself: time 1/h, F^2 = 8 (factor - 1) L / h */
  fprintf(script,
          "set format xy '%%g'\nset samples 400\nset key outside top center horizontal maxrows 2 width -4\n"
          "set xlabel 'flatness F_k'\nset ylabel 'layer %zu: correlation time τ_k'\n"
          "plot x*x/%.8g with lines dt 3 lw 1.2 lc rgb '#555555' title '1/h'",
          layer, 8.0 * (factor - 1.0) * loss);
  if (alone)
    fprintf(script, ", $alone using 1:2 with points pt 4 ps 0.7 lw 0.8 lc rgb '#8a8a8a' title 'theory, uncoupled'");
  fprintf(script, ", $times using 1:2 with points pt 6 ps 0.8 lw 0.9 lc rgb 'black' title 'theory%s'",
          deep ? ", coupled" : "");
  if (set != NULL) put_measured(script, "times", (const int[]){1, 3, 4}, 0.35, 7, BLUE, "SGD ±2 s.e.");
  fprintf(script, "\n");
}

void sgf_figure_displacement(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison)
{
  size_t lags = 0, other;
  const double *lag = array(prediction, "lags", &lags);
  const double *displacement = array(prediction, "mean_square_displacement", &other);
  const sgf_time_set *set = comparison != NULL ? sgf_find_times(comparison, "joint") : NULL;
  bool whole = prediction->tested == NULL; /* else the measured one is along some directions, and so is the theory */
  begin(script, "displacement");
  fprintf(script, "$theory << EOD\n");
  for (size_t k = 1; k < lags && whole; k++) fprintf(script, "%.8g %.8g\n", lag[k], displacement[k]);
  for (size_t k = 0; !whole && set != NULL && k < set->lags; k++)
    fprintf(script, "%.8g %.8g\n", set->lag[k], set->displacement[k]);
  fprintf(script, "EOD\n$measured << EOD\n");
  for (size_t k = 0; set != NULL && k < set->lags; k++)
    fprintf(script, "%.8g %.8g %.8g\n", set->lag[k], set->displacement_measured[k], set->displacement_error[k]);
  fprintf(script,
          "EOD\nset logscale xy\nset format xy '%%g'\nset key bottom right\nset xlabel 'time between'\n"
          "set ylabel 'mean square displacement'\nset arrow from graph 0, first %.8g to graph 1, first %.8g nohead "
          "dt 3 lw "
          "1.2 lc rgb '#555555'\n"
          "plot $theory using 1:2 with lines lw 1.4 lc rgb 'black' title 'theory, on the range of H', "
          "1/0 with lines dt 3 lw 1.2 lc rgb '#555555' title '2 tr Σ'",
          2.0 * prediction->info.trace, 2.0 * prediction->info.trace);
  if (set != NULL) put_measured(script, "measured", (const int[]){1, 2, 3}, 0.6, 7, BLUE, "SGD ±2 s.e.");
  fprintf(script, "\n");
}

void sgf_figure_balance(FILE *script, const sgf_comparison *comparison)
{
  static const int shapes[] = {7, 9, 5, 13};
  begin(script, "balance");
  for (size_t b = 0; b < comparison->balance_count; b++) {
    const sgf_balance_curve *curve = &comparison->balances[b];
    fprintf(script, "$balance%zu << EOD\n0 0 0 0\n", b);
    for (size_t k = 0; k < curve->points; k++)
      fprintf(script, "%.8g %.8g %.8g %.8g\n", curve->time[k], curve->predicted[k], curve->measured[k],
              curve->error[k]);
    fprintf(script, "EOD\n");
  }
  fprintf(script, "set xlabel 'time λ·step'\nset ylabel 'change of the balance'\nset key left top\nplot ");
  for (size_t b = 0; b < comparison->balance_count; b++)
    fprintf(script,
            "%s$balance%zu using 1:2 with lines lw 1.4 dt %zu lc rgb 'black' title 'theory, hidden layer %zu', "
            "$balance%zu using 1:3:(2*$4) with yerrorbars pt %d ps 0.7 lw 1.3 lc rgb '%s' title 'SGD, ±2 s.e.'",
            b > 0 ? ", " : "", b, b + 1, comparison->balances[b].hidden, b, shapes[b % 4], BLUE);
  fprintf(script, "\n");
}

void sgf_figure_measured(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison)
{
  begin(script, "measured");
  modes(script, prediction, comparison);
  fprintf(script,
          "set logscale y\nset format y '10^{%%T}'\nset xlabel 'principal direction k'\n"
          "set ylabel 'variance σ_k^2 / T'\nset xrange [0.4:%zu.6]\n",
          comparison != NULL ? sgf_find_modes(comparison, "joint")->count : prediction->info.rank_hessian);
  fprintf(script, "plot $modes using 1:%d with points pt 6 ps 1.1 lw 1.3 lc rgb 'black' title 'theory'",
          comparison != NULL ? 4 : 3);
  if (comparison != NULL) put_measured(script, "modes", (const int[]){1, 5, 6}, 0.45, 7, BLUE, "SGD, ±2 s.e.");
  fprintf(script, "\n");
}

/* Eigenvalues (n, ascending) below this, relative to the largest, are the null space: off a logarithmic axis. */
static const double NOT_SHOWN = 1e-9;

static double smallest_shown(const double *eigenvalues, size_t n)
{
  size_t k = 0;
  while (k + 1 < n && !(eigenvalues[k] > NOT_SHOWN * eigenvalues[n - 1])) k++;
  return eigenvalues[k];
}

static void staircase(FILE *script, const char *name, const double *eigenvalues, size_t n, double scale)
{
  fprintf(script, "$%s << EOD\n", name);
  for (size_t k = 0; k < n; k++)
    if (eigenvalues[k] > NOT_SHOWN * eigenvalues[n - 1])
      fprintf(script, "%.8g %.6f\n", eigenvalues[k] / scale, (double)(k + 1) / (double)n);
  fprintf(script, "EOD\n");
}

static void law(FILE *script, const char *name, const double *rows, size_t points)
{
  fprintf(script, "$%s << EOD\n", name);
  for (size_t k = 0; k < points && rows != NULL; k++) fprintf(script, "%.8g %.6f\n", rows[3 * k], rows[3 * k + 2]);
  fprintf(script, "EOD\n");
}

void sgf_figure_spectrum(FILE *script, const sgf_prediction *prediction, double noise_scale)
{
  size_t n, points, other;
  const double *hessian = array(prediction, "spectrum/hessian", &n);
  const double *noise = array(prediction, "spectrum/noise_covariance", &n);
  const double *hessian_law = array(prediction, "spectrum/hessian_law", &points);
  const double *noise_law = array(prediction, "spectrum/noise_law", &other);
  begin(script, "spectrum");
  staircase(script, "hessian", hessian, n, 1.0);
  staircase(script, "noise", noise, n, noise_scale);
  if (hessian_law != NULL) law(script, "hlaw", hessian_law, points);
  if (noise_law != NULL) law(script, "nlaw", noise_law, other);
  fprintf(script,
          "set logscale x\nset format x '%%g'\nset key left top\nset xrange [%.6g:%.6g]\nset yrange [0:1.02]\n",
          0.5 * fmin(prediction->info.relaxation_rate, smallest_shown(noise, n) / noise_scale),
          1.5 * fmax(hessian[n - 1], noise[n - 1] / noise_scale));
  fprintf(script, "set xlabel 'eigenvalue'\nset ylabel 'share of eigenvalues below'\nplot ");
  if (hessian_law != NULL) fprintf(script, "$hlaw using 1:2 with lines lw 1.4 lc rgb 'black' title 'law for H', ");
  if (noise_law != NULL)
    fprintf(script, "$nlaw using 1:2 with lines lw 1.6 dt 2 lc rgb '%s' title 'law for C', ", BLUE);
  fprintf(script,
          "$hessian using 1:2 with points pt 6 ps 0.7 lw 1.3 lc rgb 'black' title 'drift H', "
          "$noise using 1:2 with points pt 9 ps 0.7 lc rgb '%s' title 'noise C / s^2'\n",
          BLUE);
}

/* The frame holds all curvatures of H, drawn as its outermost two, so that the spread along the principal
 * directions can be seen against it. */
void sgf_figure_curvature(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison)
{
  size_t n;
  const sgf_mode_set *set = comparison != NULL ? sgf_find_modes(comparison, "joint") : NULL;
  const double *variance = set != NULL ? set->stationary : array(prediction, "variance", &n);
  double low = prediction->info.relaxation_rate, high = prediction->info.largest_curvature;
  size_t last = set != NULL                       ? set->count - 1
                : prediction->info.ivfr.modes > 0 ? prediction->info.ivfr.modes - 1
                                                  : n - 1;
  begin(script, "curvature");
  modes(script, prediction, comparison);
  fprintf(
      script,
      "set logscale xy\nset format xy '%%g'\nset xlabel 'curvature p_k^T H p_k'\nset ylabel 'variance σ_k^2 / T'\n"
      "set key outside top center horizontal\nset xrange [%.6g:%.6g]\nset yrange [%.6g:%.6g]\n",
      0.7 * low, 1.4 * high, 0.5 * variance[last] / prediction->info.temperature,
      2.0 * variance[0] / prediction->info.temperature);
  for (int k = 0; k < 2; k++)
    fprintf(script, "set arrow from %.6g, graph 0 to %.6g, graph 1 nohead dt 3 lw 1.2 lc rgb '#555555'\n",
            k == 0 ? low : high, k == 0 ? low : high);
  fprintf(script,
          "plot $modes using 2:%d with points pt 6 ps 1.1 lw 1.3 lc rgb 'black' title 'theory', "
          "1/0 with lines dt 3 lw 1.2 lc rgb '#555555' title 'least and largest curvature of H'",
          comparison != NULL ? 4 : 3);
  if (comparison != NULL) put_measured(script, "modes", (const int[]){2, 5, 6}, 0.45, 7, BLUE, "SGD, ±2 s.e.");
  fprintf(script, "\n");
}
