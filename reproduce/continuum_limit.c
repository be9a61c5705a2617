/* T7: how far SGD is from the continuum limit, against the learning rate, and what the next order leaves. */
#include <gsl/gsl_fit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/prediction.h"
#include "../verify/ensemble.h"
#include "../verify/projection.h"
#include "../verify/statistics.h"
#include "catalogue.h"

static const char *const RATE_POINTS[] = {"row",
                                          "lambda_h_max",
                                          "learning_rate",
                                          "trace_sgd",
                                          "trace_sgd_se",
                                          "continuum",
                                          "continuum_se",
                                          "discrete",
                                          "discrete_se",
                                          "next",
                                          "next_se",
                                          "next_absolute",
                                          "mean_moved",
                                          "mean_deviation",
                                          "mean_deviation_se",
                                          "replicas_run",
                                          NULL};
static const char *const RATE_SLOPES[] = {"row", "slope", "slope_se", "points", NULL};
static const study_stream RATE_STREAMS[] = {{"points", RATE_POINTS}, {"slopes", RATE_SLOPES}, {NULL, NULL}};

/* lambda h_max of the runs, by scale; a run of hundreds of units of time at one of them alone. */
static const double RATES[] = {0.28, 0.2, 0.14, 0.1, 0.07, 0.05};
static const double QUICK_RATES[] = {0.2, 0.1, 0.05};
static const double LONG_RATES[] = {0.2};
enum { MOST_RATES = sizeof RATES / sizeof *RATES };
static const double LONG = 100.0; /* units of time */

enum { CONTINUUM, DISCRETE, NEXT, EQUATIONS }; /* NEXT: exact for one layer, closure for two */
static const char *const EQUATION_NAMES[EQUATIONS] = {"continuum", "discrete", "next"};

/* Of SGD's trace on range(H), its standard error, and that of theory by each equation, over the same window. */
static sgf_status traces(const study_unit *now, const double *second, double *measured, double *its_error,
                         double theory[EQUATIONS], sgf_error *error)
{
  const sgf_prediction *prediction = now->prediction;
  size_t n = prediction->info.weights, rank = prediction->info.rank_hessian, rows = now->ensemble->info.pools;
  double *Sigma = NULL, *unit = NULL, *values = NULL;
  sgf_projection projection = {0};
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Sigma, n, n, "covariance", error));
  SGF_TRY(sgf_new_reals(&unit, rank, rank, "unit matrix", error));
  SGF_TRY(sgf_new_reals(&values, rows, 1, "traces", error));
  for (size_t k = 0; k < rank; k++) unit[k * (rank + 1)] = 1.0;
  SGF_TRY(sgf_covariance(now->problem, &prediction->joint, SGF_TIME_CONTINUUM, &now->plan, Sigma, error));
  theory[CONTINUUM] = sgf_trace(n, Sigma);
  SGF_TRY(sgf_covariance(now->problem, &prediction->joint, SGF_TIME_DISCRETE, &now->plan, Sigma, error));
  theory[DISCRETE] = sgf_trace(n, Sigma);
  SGF_TRY(
      sgf_project(now->ensemble, sgf_prediction_find(prediction, "directions"), rank, second, &projection, error));
  theory[NEXT] = sgf_projected_traces(&projection, unit, values);
  sgf_mean_and_error(values, rows, measured, its_error);
done:
  free(Sigma);
  free(unit);
  free(values);
  sgf_projection_free(&projection);
  return status;
}

/* |measured - predicted| of the mean of theta - theta*, in all directions, without the bias of sampling, and the root of its
 * square's error: both relative to |predicted|. */
static sgf_status mean_deviation(const study_unit *now, const double *mean, double *deviation, double *resolution,
                                 sgf_error *error)
{
  size_t n = now->ensemble->n, rows = now->ensemble->info.pools;
  double *differences, square, square_error, length = sgf_norm(n, mean);
  sgf_status status = sgf_new_reals(&differences, rows, n, "means", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < rows; r++) {
    sgf_ensemble_row_mean(now->ensemble, r, differences + r * n);
    for (size_t k = 0; k < n; k++) differences[r * n + k] -= mean[k];
  }
  status = sgf_squared_mean(differences, rows, n, &square, &square_error, error);
  *deviation = sqrt(fmax(square, 0.0)) / length;
  *resolution = sqrt(square_error) / length;
  free(differences);
  return status;
}

static sgf_status note_mean(study_unit *now, const double *mean, sgf_error *error)
{
  double deviation, resolution;
  sgf_status status = mean_deviation(now, mean, &deviation, &resolution, error);
  if (status != SGF_OK) return status;
  const study_number numbers[] = {{"mean_moved", sgf_norm(now->ensemble->n, mean)},
                                  {"mean_deviation", deviation},
                                  {"mean_deviation_se", resolution}};
  return unit_numbers(now, "points", numbers, sizeof numbers / sizeof *numbers, error);
}

/* Simulate at one learning rate; a row of deviations SGD / theory - 1 with their errors. */
static sgf_status note_rate(study_unit *now, double fastest, double learning_rate, double deviation[EQUATIONS],
                            double errors[EQUATIONS], sgf_error *error)
{
  char text[80];
  double *second = NULL, *mean, measured, its_error, theory[EQUATIONS];
  sgf_status status;
  snprintf(text, sizeof text, "training.learning_rate=%.6g", learning_rate);
  SGF_TRY(unit_open(now, text, error));
  SGF_TRY(unit_simulate(now, error));
  size_t n = sgf_problem_weights(now->problem);
  SGF_TRY(sgf_new_reals(&second, n + 1, n, "second moment", error));
  mean = second + n * n;
  SGF_TRY(sgf_prediction_window(now->problem, now->prediction, 0, &now->plan, second, mean, error));
  SGF_TRY(traces(now, second, &measured, &its_error, theory, error));
  SGF_TRY(unit_note(now, "points", error));
  snprintf(text, sizeof text, "λh_max = %.2g", fastest);
  SGF_TRY(unit_text(now, "points", "row", text, error));
  for (size_t k = 0; k < EQUATIONS; k++) {
    deviation[k] = measured / theory[k] - 1.0;
    errors[k] = its_error / theory[k];
    snprintf(text, sizeof text, "%s_se", EQUATION_NAMES[k]);
    SGF_TRY(unit_number(now, "points", EQUATION_NAMES[k], deviation[k], error));
    SGF_TRY(unit_number(now, "points", text, errors[k], error));
  }
  const study_number numbers[] = {{"lambda_h_max", fastest},
                                  {"learning_rate", learning_rate},
                                  {"trace_sgd", measured},
                                  {"trace_sgd_se", its_error},
                                  {"replicas_run", (double)now->plan.replicas}};
  SGF_TRY(unit_numbers(now, "points", numbers, sizeof numbers / sizeof *numbers, error));
  if (sgf_norm(n, mean) > 0.0) SGF_TRY(note_mean(now, mean, error));
done:
  free(second);
  return status;
}

/* The slope of log deviation on log lambda by least squares, each point weighted by its error. */
static sgf_status note_slope(study_unit *now, size_t equation, size_t count, const double *rates,
                             double deviations[][EQUATIONS], double errors[][EQUATIONS], sgf_error *error)
{
  double x[MOST_RATES], y[MOST_RATES], weight[MOST_RATES], intercept, slope, ignored, variance;
  size_t points = 0;
  for (size_t k = 0; k < count; k++) {
    double deviation = deviations[k][equation], share = errors[k][equation] / deviation;
    if (!(deviation > 0.0)) continue;
    x[points] = log(rates[k]);
    y[points] = log(deviation);
    weight[points++] = 1.0 / (share * share);
  }
  sgf_status status = unit_note(now, "slopes", error);
  if (status == SGF_OK) status = unit_text(now, "slopes", "row", EQUATION_NAMES[equation], error);
  if (status == SGF_OK) status = unit_number(now, "slopes", "points", (double)points, error);
  if (status != SGF_OK || points < 3) return status;
  gsl_fit_wlinear(x, 1, weight, 1, y, 1, points, &intercept, &slope, &ignored, &ignored, &variance, &ignored);
  status = unit_number(now, "slopes", "slope", slope, error);
  return status == SGF_OK ? unit_number(now, "slopes", "slope_se", sqrt(variance), error) : status;
}

static sgf_status measure_rates(study_unit *now, sgf_error *error)
{
  double deviations[MOST_RATES][EQUATIONS], errors[MOST_RATES][EQUATIONS];
  const double *rates = now->size == SCALE_QUICK ? QUICK_RATES : RATES;
  size_t count = now->size == SCALE_QUICK ? sizeof QUICK_RATES / sizeof *QUICK_RATES : MOST_RATES;
  sgf_status status;
  SGF_TRY(unit_open(now, "training.learning_rate=1e-4", error));
  double fastest = sgf_prediction_get_info(now->prediction)->largest_curvature;
  if (sgf_problem_settings(now->problem)->simulation.burn_in > LONG) {
    rates = LONG_RATES;
    count = 1;
  }
  for (size_t k = 0; k < count; k++)
    SGF_TRY(note_rate(now, rates[k], rates[k] / fastest, deviations[k], errors[k], error));
  for (size_t k = CONTINUUM; k <= DISCRETE && count > 2; k++)
    SGF_TRY(note_slope(now, k, count, rates, deviations, errors, error));
done:
  return status;
}

#define TWO_LAYERS "network.widths=[5,5,3] data.samples=60 training.batch_size=6 theory.equation=closure"
static const study_case RATE_CASES[] = {
    {"one layer", IN_BOTH, "network.widths=[10,1] data.samples=100 training.batch_size=10 theory.equation=exact"},
    {"two layers", IN_BOTH, TWO_LAYERS},
    {"two layers, 200 units of time", IN_FULL,
     TWO_LAYERS " simulation.burn_in=196 simulation.window=4 simulation.replicas=4000"}};
#define RATE_CONFIG "simulation.burn_in=8 simulation.window=8 "
static const study LEARNING_RATES = {
    "continuum-limit",
    {RATE_CONFIG "simulation.replicas=12000", RATE_CONFIG "simulation.replicas=50000"},
    {1, 3},
    RATE_CASES,
    sizeof RATE_CASES / sizeof *RATE_CASES,
    RATE_STREAMS,
    1,
    measure_rates};

static const exhibit_column T7_COLUMNS[] = {{"lambda_h_max", NULL, NULL, false},
                                            {"learning_rate", "&lambda;", NULL, false},
                                            {"continuum", "continuum", "continuum_se", false},
                                            {"discrete", "discrete", "discrete_se", false},
                                            {"next", "exact; closure", "next_se", false},
                                            {"mean_moved", "|<i>m</i> &minus; &theta;*|", NULL, false},
                                            {"mean_deviation", "its deviation", "mean_deviation_se", false}};
static const exhibit_test T7_TESTS[] = {
    {"leading_order_short", "SGD's fluctuations are larger than those of the leading order, by the discrete equation",
     TEST_ABOVE, "discrete", "discrete_se", NULL, NULL, 0.0, 0.0, false, NULL},
    {"next_order_right", "and within 1 % of the exact equation (one layer), of the closure (two)", TEST_EQUAL, "next",
     "next_se", NULL, NULL, 0.0, 0.01, false, NULL}};

#define CURVES(list) list, sizeof list / sizeof *list
#define RATE_CURVES(name)                                                                          \
  {NULL, "case=" name, "lambda_h_max", "continuum", "continuum_se", DRAW_POINTS, 1, "continuum"},  \
      {NULL, "case=" name, "lambda_h_max", "discrete", "discrete_se", DRAW_POINTS, 2, "discrete"}, \
      {NULL, NULL, NULL, "x/2", NULL, DRAW_FUNCTION, 0, "slope 1"},                                \
  {                                                                                                \
    NULL, NULL, NULL, "x/4", NULL, DRAW_FUNCTION, 0, NULL                                          \
  }
static const curve T7_ONE_LAYER[] = {RATE_CURVES("one layer")};
static const curve T7_TWO_LAYERS[] = {RATE_CURVES("two layers")};
static const curve T7_NEXT[] = {
    {NULL, NULL, NULL, "0", NULL, DRAW_FUNCTION, 0, NULL},
    {NULL, "case=one layer", "lambda_h_max", "next", "next_se", DRAW_POINTS, 1, "one layer, exact equation"},
    {NULL, "case=two layers", "lambda_h_max", "next", "next_se", DRAW_POINTS, 2, "two layers, closure"}};
#define RATE_TICS "set xtics (0.03, 0.05, 0.1, 0.2, 0.4)\nset xrange [0.035:0.4]\nset format x '%g'\n"
#define RATE_AXES RATE_TICS "set yrange [3e-3:0.3]\nset format y '%g'\nset key top left"
static const panel T7_PANELS[] = {
    {"one layer", "λ{/:Italic h}_{max}", "deviation of SGD from theory", true, true, CURVES(T7_ONE_LAYER), RATE_AXES},
    {"two layers", "λ{/:Italic h}_{max}", "deviation of SGD from theory", true, true, CURVES(T7_TWO_LAYERS),
     RATE_AXES},
    {"the next order", "λ{/:Italic h}_{max}", "deviation of SGD from theory", true, false, CURVES(T7_NEXT),
     RATE_TICS "set yrange [-0.01:0.01]\nset key top left"}};

const exhibit EXHIBIT_T7 = {
    .id = "T7",
    .title = "The continuum limit, and the next order",
    .claim = "The stochastic gradient flow is SGD's limit for small learning rates. At a finite one SGD fluctuates "
             "more, and "
             "the exact equation of one layer and the Gaussian closure of two say how much.",
    .setup =
        "One layer: ten Gaussian inputs, one output, <i>q</i> = 1/10, <i>S</i> = 10. Two layers: 5&ndash;5&ndash;3, "
        "<i>P</i> = 60, <i>S</i> = 6. Draws with replacement, runs from &theta;* of sixteen units of time, the "
        "second half "
        "of them measured. Numbers are SGD's trace of the second moment on range(<i>H</i>) over that of theory for "
        "the same window, less one; of the closure also the motion of the mean.",
    .of = &LEARNING_RATES,
    .columns = T7_COLUMNS,
    .column_count = sizeof T7_COLUMNS / sizeof *T7_COLUMNS,
    .tests = T7_TESTS,
    .test_count = sizeof T7_TESTS / sizeof *T7_TESTS,
    .panels = T7_PANELS,
    .panel_count = sizeof T7_PANELS / sizeof *T7_PANELS,
    .caption = "Deviation of SGD from each equation against the learning rate, means over data sets with two "
               "standard errors, "
               "and lines of slope 1; what the equations of the next order leave of it.",
    .remarks = "The closure has the coefficients of its third cumulants at &theta;*, and its covariance lacks the "
               "diffusion along the null "
               "space: over long times, in which the mean moves by as much as the weights are, that shows.",
    .label = "row"};

static const exhibit_column T7_SLOPE_COLUMNS[] = {{"slope", "slope", "slope_se", false},
                                                  {"points", "learning rates", NULL, false}};
static const exhibit_test T7_SLOPE_TESTS[] = {
    {"linear", "the slope is 1 &plusmn; 0.2", TEST_EQUAL, "slope", "slope_se", NULL, NULL, 1.0, 0.2, false, NULL}};

const exhibit EXHIBIT_T7_SLOPE = {
    .id = "T7-slope",
    .title = "The deviation is linear in the learning rate",
    .claim = "What the leading order lacks falls in proportion to the learning rate.",
    .setup = "The runs of T7: slope of the logarithm of the deviation on that of the learning rate, least squares, "
             "each point "
             "weighted by its sampling error.",
    .of = &LEARNING_RATES,
    .columns = T7_SLOPE_COLUMNS,
    .column_count = sizeof T7_SLOPE_COLUMNS / sizeof *T7_SLOPE_COLUMNS,
    .tests = T7_SLOPE_TESTS,
    .test_count = sizeof T7_SLOPE_TESTS / sizeof *T7_SLOPE_TESTS,
    .remarks = "Steeper than 1 is what a further term of second order, of the same sign, makes of it.",
    .stream = "slopes",
    .label = "row"};
