/* What the covariance operator costs: its targets, and how its time grows with the width N of N-N-N networks.
 *
 *   covariance [--quick]    CSV on standard output; findings on standard error
 *   covariance --plan [NAME]   planned against measured time and memory of each path, as a table in Markdown
 *
 * Weights are random and the data are made for them, Y = M X + residuals orthogonal to X, so that they are at their
 * minimum and no descent is measured. Each measurement runs in a process of its own, for the peak of its memory; times
 * are medians over three of the processor time on one thread, which other programs do not lengthen. */
#include <gsl/gsl_errno.h>
#include <gsl/gsl_fit.h>
#include <gsl/gsl_statistics_double.h>
#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/network.h"
#include "../theory/random.h"

enum { REPEATS = 3, MOST_WIDTHS = 8 };

extern void openblas_set_num_threads(int) __attribute__((weak));

/* What is timed of a problem. */
typedef enum { CREATE, LAYERS, PREDICT, DENSE } task;

typedef struct {
  const char *name;
  sgf_noise noise;
  sgf_equation equation;
  task what;
  size_t samples;
  double exponent; /* predicted growth of the time with N; NaN: one width only */
  size_t modes;    /* theory.modes */
  size_t widths[MOST_WIDTHS];
} series;

static const series SERIES[] = {
    {"closed-form; with layers",
     SGF_NOISE_ISOTROPIC,
     SGF_EQUATION_CONTINUUM,
     LAYERS,
     4000,
     3.0,
     0,
     {100, 178, 316, 562, 1000}},
    {"kronecker isotropic; with layers",
     SGF_NOISE_ISOTROPIC,
     SGF_EQUATION_DISCRETE,
     LAYERS,
     4000,
     4.0,
     0,
     {24, 43, 76, 135, 240}},
    {"kronecker population; operator",
     SGF_NOISE_POPULATION,
     SGF_EQUATION_DISCRETE,
     CREATE,
     4000,
     4.0,
     0,
     {24, 43, 76, 135, 240}},
    {"reduced empirical; operator",
     SGF_NOISE_EMPIRICAL,
     SGF_EQUATION_DISCRETE,
     CREATE,
     4000,
     4.0,
     0,
     {7, 12, 21, 37, 66}},
    {"closed-form; all", SGF_NOISE_ISOTROPIC, SGF_EQUATION_CONTINUUM, PREDICT, 4000, NAN, 0, {1000}},
    {"kronecker population; all", SGF_NOISE_POPULATION, SGF_EQUATION_DISCRETE, PREDICT, 4000, NAN, 0, {100}},
    {"reduced empirical; all", SGF_NOISE_EMPIRICAL, SGF_EQUATION_DISCRETE, PREDICT, 4000, NAN, 0, {40}},
    {"dense empirical; all", SGF_NOISE_EMPIRICAL, SGF_EQUATION_DISCRETE, DENSE, 4000, NAN, 0, {40}}};
enum { ALL = sizeof SERIES / sizeof *SERIES };

/* What is planned and measured. */
static const series PLANNED[] = {
    {"closed-form", SGF_NOISE_ISOTROPIC, SGF_EQUATION_CONTINUUM, PREDICT, 4000, NAN, 0, {100, 300, 1000}},
    {"kronecker, isotropic noise", SGF_NOISE_ISOTROPIC, SGF_EQUATION_DISCRETE, PREDICT, 4000, NAN, 0, {50, 100, 200}},
    {"kronecker, population noise",
     SGF_NOISE_POPULATION,
     SGF_EQUATION_DISCRETE,
     PREDICT,
     4000,
     NAN,
     0,
     {50, 64, 100}},
    {"with 20 modes, population noise",
     SGF_NOISE_POPULATION,
     SGF_EQUATION_DISCRETE,
     PREDICT,
     4000,
     NAN,
     20,
     {64, 100}},
    {"reduced, empirical noise", SGF_NOISE_EMPIRICAL, SGF_EQUATION_DISCRETE, PREDICT, 4000, NAN, 0, {30, 46, 64}},
    {"dense, empirical noise", SGF_NOISE_EMPIRICAL, SGF_EQUATION_DISCRETE, DENSE, 4000, NAN, 0, {20, 40}}};
enum { ALL_PLANNED = sizeof PLANNED / sizeof *PLANNED };

typedef struct {
  double seconds, mebibytes;
} cost;

static double processor_seconds(void)
{
  struct timespec at;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at);
  return (double)at.tv_sec + 1e-9 * (double)at.tv_nsec;
}

/* ----------------------------------------------------------------- problems */

/* E <- E - X (X^T X)^-1 X^T E, twice for the round-off. */
static sgf_status make_orthogonal(size_t P, size_t N, const double *X, double *E, sgf_error *error)
{
  double *gram = NULL, *slope = NULL, *fitted = NULL;
  lapack_int info = 0;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&gram, N, N, "planted data", error));
  SGF_TRY(sgf_new_reals(&slope, N, N, "planted data", error));
  SGF_TRY(sgf_new_reals(&fitted, P, N, "planted data", error));
  for (int pass = 0; pass < 2 && info == 0; pass++) {
    sgf_multiply(N, N, P, SGF_TRANSPOSED, X, SGF_PLAIN, X, gram);
    sgf_multiply(N, N, P, SGF_TRANSPOSED, X, SGF_PLAIN, E, slope);
    info =
        LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', (lapack_int)N, (lapack_int)N, gram, (lapack_int)N, slope, (lapack_int)N);
    sgf_multiply(P, N, N, SGF_PLAIN, X, SGF_PLAIN, slope, fitted);
    for (size_t k = 0; k < P * N; k++) E[k] -= fitted[k];
  }
  if (info != 0) status = sgf_fail(error, SGF_ERROR_NUMERICAL, "planted data: LAPACK dposv returned %d", (int)info);
done:
  free(gram);
  free(slope);
  free(fitted);
  return status;
}

static void fill_normal(uint64_t stream, size_t count, double scale, double *values)
{
  sgf_random random;
  sgf_random_at(&random, 1, stream, 0);
  for (size_t k = 0; k < count; k++) values[k] = scale * sgf_random_normal(&random);
}

static void set(const series *from, size_t *widths, sgf_settings *settings)
{
  sgf_settings_init(settings);
  settings->network.widths = widths;
  settings->network.width_count = 3;
  settings->network.relax = false;
  settings->theory.noise = from->noise;
  settings->theory.equation = from->equation;
  settings->theory.modes = from->modes;
  settings->data.samples = from->samples;
}

/* An N-N-N network of random weights at the minimum of its data. */
static sgf_status plant(const series *from, size_t N, sgf_problem **problem, sgf_error *error)
{
  size_t widths[3] = {N, N, N}, P = from->samples;
  sgf_settings settings;
  double *theta = NULL, *X = NULL, *Y = NULL, *E = NULL, *M = NULL;
  sgf_status status;
  set(from, widths, &settings);
  SGF_TRY(sgf_new_reals(&theta, 2 * N, N, "weights", error));
  SGF_TRY(sgf_new_reals(&X, P, N, "X", error));
  SGF_TRY(sgf_new_reals(&Y, P, N, "Y", error));
  SGF_TRY(sgf_new_reals(&E, P, N, "residuals", error));
  SGF_TRY(sgf_new_reals(&M, N, N, "map", error));
  fill_normal(1, 2 * N * N, 1.0 / sqrt((double)N), theta);
  fill_normal(2, P * N, 1.0, X);
  fill_normal(3, P * N, 0.5, E);
  SGF_TRY(make_orthogonal(P, N, X, E, error));
  sgf_multiply(N, N, N, SGF_PLAIN, theta + N * N, SGF_PLAIN, theta, M);
  sgf_multiply(P, N, N, SGF_PLAIN, X, SGF_TRANSPOSED, M, Y);
  for (size_t k = 0; k < P * N; k++) Y[k] += E[k];
  status = sgf_problem_from_arrays(&settings, P, X, Y, theta, problem, error);
done:
  free(theta);
  free(X);
  free(Y);
  free(E);
  free(M);
  return status;
}

/* -------------------------------------------------------------- measurements */

/* Variances and curvatures of both layers. */
static sgf_status ask_layers(const sgf_covariance_operator *covariance, size_t N, sgf_error *error)
{
  double *variance = NULL, *curvature = NULL;
  sgf_layer_modes found;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&variance, N, N, "variances", error));
  SGF_TRY(sgf_new_reals(&curvature, N, N, "curvatures", error));
  for (size_t l = 1; l <= 2; l++)
    SGF_TRY(sgf_covariance_operator_layer(covariance, l, 0, variance, curvature, &found, error));
done:
  free(variance);
  free(curvature);
  return status;
}

static sgf_status timed(const series *from, size_t N, double *seconds, sgf_error *error)
{
  sgf_problem *problem = NULL;
  sgf_prediction *prediction = NULL;
  sgf_covariance_operator *covariance = NULL;
  sgf_status status = plant(from, N, &problem, error);
  double start = processor_seconds();
  if (status == SGF_OK && from->what <= LAYERS) status = sgf_covariance_operator_create(problem, &covariance, error);
  if (status == SGF_OK && from->what == LAYERS) status = ask_layers(covariance, N, error);
  if (status == SGF_OK && from->what == PREDICT) status = sgf_predict_by_operator(problem, &prediction, error);
  if (status == SGF_OK && from->what == DENSE) status = sgf_predict(problem, false, &prediction, error);
  *seconds = processor_seconds() - start;
  sgf_covariance_operator_free(covariance);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  return status;
}

/* In a child: its peak memory is what the problem and the prediction took. False after a failure. */
static bool run_apart(const series *from, size_t N, cost *result)
{
  int channel[2], outcome = 0;
  struct rusage usage;
  double seconds = NAN;
  if (pipe(channel) != 0) return false;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    sgf_error error = {SGF_OK, ""};
    sgf_status status = timed(from, N, &seconds, &error);
    if (status != SGF_OK) fprintf(stderr, "%s, N = %zu: %s\n", from->name, N, error.message);
    bool sent = write(channel[1], &seconds, sizeof seconds) == (ssize_t)sizeof seconds;
    _exit(status == SGF_OK && sent ? 0 : 1);
  }
  close(channel[1]);
  bool received = child > 0 && read(channel[0], &seconds, sizeof seconds) == (ssize_t)sizeof seconds;
  close(channel[0]);
  if (child > 0) wait4(child, &outcome, 0, &usage);
  *result = (cost){seconds, child > 0 ? (double)usage.ru_maxrss / 1024.0 : NAN};
  return received && outcome == 0;
}

static bool measure(const series *from, size_t N, cost *result)
{
  double seconds[REPEATS];
  for (int k = 0; k < REPEATS; k++) {
    if (!run_apart(from, N, result)) return false;
    seconds[k] = result->seconds;
  }
  result->seconds = gsl_stats_median(seconds, 1, REPEATS);
  printf("%s,%zu,%zu,%zu,%.4g,%.4g\n", from->name, N, 2 * N * N, from->samples, result->seconds, result->mebibytes);
  return true;
}

static bool run_series(const series *from, bool quick, cost *last)
{
  double x[MOST_WIDTHS], y[MOST_WIDTHS], intercept, slope, c00, c01, c11, sum;
  size_t count = 0;
  for (; count < MOST_WIDTHS && from->widths[count] > 0; count++) {
    if (quick && count > 2) break;
    if (!measure(from, from->widths[count], last)) return false;
    x[count] = log((double)from->widths[count]);
    y[count] = log(last->seconds);
  }
  if (count < 3) return true;
  gsl_fit_linear(x, 1, y, 1, count, &intercept, &slope, &c00, &c01, &c11, &sum);
  double end = (y[count - 1] - y[count - 2]) / (x[count - 1] - x[count - 2]);
  fprintf(stderr, "%-32s time ~ N^%.2f over the whole, N^%.2f at the end; predicted N^%g for large N\n", from->name,
          slope, end, from->exponent);
  return true;
}

static void judge(const char *what, double value, double bound, const char *unit)
{
  fprintf(stderr, "%-52s %9.3g %s, target %g: %s\n", what, value, unit, bound, value <= bound ? "met" : "MISSED");
}

/* The path that is measured: dense, or the operator's. */
static const sgf_cost *path_of(const series *from, const sgf_costs *plan)
{
  size_t path = from->what == DENSE ? 0 : 1;
  while (plan->paths[path].refusal != NULL) path++;
  return &plan->paths[path];
}

static bool compare_plan(const series *from, size_t N)
{
  size_t widths[3] = {N, N, N};
  sgf_settings settings;
  sgf_costs plan;
  sgf_error error;
  cost measured;
  set(from, widths, &settings);
  if (sgf_estimate_costs(&settings, NULL, from->what == DENSE, &plan, &error) != SGF_OK) return false;
  if (!run_apart(from, N, &measured)) return false;
  const sgf_cost *path = path_of(from, &plan);
  double mebibytes = path->bytes / 1048576.0;
  printf("| %s | %zu, %zu | %.2g | %.2g | %.2f | %.0f | %.0f | %.2f |\n", from->name, N, 2 * N * N, path->seconds,
         measured.seconds, path->seconds / measured.seconds, mebibytes, measured.mebibytes,
         mebibytes / measured.mebibytes);
  fflush(stdout);
  return true;
}

/* Of the paths whose names begin so. */
static int compare_plans(const char *beginning)
{
  puts("| path | N, n | planned, s | measured, s | ratio | planned, MiB | measured, MiB | ratio |\n"
       "|---|---|---|---|---|---|---|---|");
  for (size_t k = 0; k < ALL_PLANNED; k++)
    for (size_t w = 0; w < MOST_WIDTHS && PLANNED[k].widths[w] > 0; w++)
      if (strncmp(PLANNED[k].name, beginning, strlen(beginning)) == 0 &&
          !compare_plan(&PLANNED[k], PLANNED[k].widths[w]))
        return 1;
  return 0;
}

int main(int argc, char **argv)
{
  bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
  cost last[ALL];
  gsl_set_error_handler_off();
  if (openblas_set_num_threads != NULL) openblas_set_num_threads(1);
  if (argc > 1 && strcmp(argv[1], "--plan") == 0) return compare_plans(argc > 2 ? argv[2] : "");
  puts("series,N,n,P,seconds,peak_MiB");
  for (size_t k = 0; k < ALL; k++)
    if (!run_series(&SERIES[k], quick, &last[k])) return 1;
  if (quick) return 0;
  judge("C = s^2 H, N = 1000, continuum", last[4].seconds, 60.0, "s");
  judge("C = s^2 H, N = 1000, continuum, with its data", last[4].mebibytes, 4096.0, "MiB");
  judge("population noise, N = 100", last[5].seconds, 10.0, "s");
  judge("population noise, N = 100, with its data", last[5].mebibytes, 1024.0, "MiB");
  judge("empirical noise, N = 40: operator over dense path", last[6].seconds / last[7].seconds, 0.25, "");
  return 0;
}
