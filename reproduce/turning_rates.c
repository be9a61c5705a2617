/* T8: rotations of the hidden layers against the learning rate: drift and diffusion of theory and SGD, and the limit. */
#include <gsl/gsl_fit.h>
#include <math.h>
#include <stdio.h>

#include "../theory/linear_algebra.h"
#include "../theory/prediction.h"
#include "../verify/compare.h"
#include "catalogue.h"

static const char *const TURNING_POINTS[] = {"row",
                                             "lambda_h_max",
                                             "learning_rate",
                                             "drift",
                                             "drift_sgd",
                                             "drift_sgd_se",
                                             "drift_deviation",
                                             "drift_deviation_se",
                                             "drift_next",
                                             "drift_next_se",
                                             "components",
                                             "clear",
                                             "wrong",
                                             "worst",
                                             "diffusion",
                                             "diffusion_sgd",
                                             "diffusion_sgd_se",
                                             "diffusion_deviation",
                                             "diffusion_deviation_se",
                                             "diffusion_next",
                                             "diffusion_next_se",
                                             NULL};
static const char *const TURNING_LIMITS[] = {"row", "limit", "limit_se", "slope", "slope_se", NULL};
static const study_stream TURNING_STREAMS[] = {{"points", TURNING_POINTS}, {"limits", TURNING_LIMITS}, {NULL, NULL}};

/* lambda h_max of the runs: a rate, a half, a quarter of it. */
static const double RATES[] = {0.12, 0.06, 0.03};
enum { RATE_COUNT = sizeof RATES / sizeof *RATES, MOST_HIDDEN = 3 };
/* Standard errors from zero at which a component of the drift has a sign. */
static const double CLEAR = 5.0;

/* Deviations of drift and diffusion of the hidden layers at each rate. */
enum { DRIFT, DIFFUSION, KINDS };
static const char *const KIND_NAMES[KINDS] = {"drift", "diffusion"};
typedef struct {
  double value[RATE_COUNT], error[RATE_COUNT];
} deviations;

/* Tested or not: a drift that nearly vanishes takes many replicas. */
static const sgf_quantity *quantity_of(const sgf_comparison *comparison, const char *kind, size_t hidden)
{
  char name[48];
  snprintf(name, sizeof name, "rotation_%s_%zu", kind, hidden);
  return sgf_find_told(comparison, name);
}

/* What theory and SGD have of a quantity, if it was compared, and the deviation of SGD. */
static sgf_status note_quantity(study_unit *now, size_t kind, size_t hidden, size_t rate, deviations *of,
                                sgf_error *error)
{
  const sgf_quantity *quantity = quantity_of(now->comparison, KIND_NAMES[kind], hidden);
  char name[48];
  of->value[rate] = of->error[rate] = NAN;
  if (quantity == NULL) return SGF_OK;
  of->value[rate] = quantity->measured / quantity->predicted - 1.0;
  of->error[rate] = quantity->standard_error / quantity->predicted;
  sgf_status status = unit_pair(now, "points", KIND_NAMES[kind], quantity->predicted, quantity->measured,
                                quantity->standard_error, error);
  snprintf(name, sizeof name, "%s_deviation", KIND_NAMES[kind]);
  if (status == SGF_OK) status = unit_number(now, "points", name, of->value[rate], error);
  snprintf(name, sizeof name, "%s_deviation_se", KIND_NAMES[kind]);
  return status == SGF_OK ? unit_number(now, "points", name, of->error[rate], error) : status;
}

/* The same runs beside the closure. */
static sgf_status compare_next_order(study_unit *now, sgf_comparison **comparison, sgf_error *error)
{
  sgf_prediction *prediction = NULL;
  sgf_status status;
  now->problem->settings.theory.equation = SGF_EQUATION_CLOSURE;
  SGF_TRY(sgf_predict(now->problem, false, &prediction, error));
  SGF_TRY(sgf_compare(now->problem, prediction, now->ensemble, comparison, error));
done:
  sgf_prediction_free(prediction);
  return status;
}

static sgf_status note_next_order(study_unit *now, const sgf_comparison *comparison, size_t hidden, sgf_error *error)
{
  char name[48];
  sgf_status status = SGF_OK;
  for (size_t kind = 0; kind < KINDS && status == SGF_OK; kind++) {
    const sgf_quantity *quantity = quantity_of(comparison, KIND_NAMES[kind], hidden);
    if (quantity == NULL) continue;
    snprintf(name, sizeof name, "%s_next", KIND_NAMES[kind]);
    status = unit_number(now, "points", name, quantity->measured / quantity->predicted - 1.0, error);
    if (status != SGF_OK) break;
    snprintf(name, sizeof name, "%s_next_se", KIND_NAMES[kind]);
    status = unit_number(now, "points", name, quantity->standard_error / quantity->predicted, error);
  }
  return status;
}

/* Of the components of SGD's drift that are clear of zero: how many, of the wrong sign, and the largest deviation, less two standard
 * errors, relative to the whole drift. */
static sgf_status note_components(study_unit *now, const sgf_rotation_drift *drift, sgf_error *error)
{
  double clear = 0.0, wrong = 0.0, worst = 0.0, length = sgf_norm(drift->modes, drift->predicted);
  for (size_t a = 0; a < drift->modes; a++) {
    if (!(fabs(drift->measured[a]) > CLEAR * drift->error[a])) continue;
    double off = fabs(drift->measured[a] - drift->predicted[a]) - 2.0 * drift->error[a];
    clear++;
    wrong += drift->measured[a] * drift->predicted[a] <= 0.0;
    worst = fmax(worst, off / length);
  }
  const study_number numbers[] = {
      {"components", (double)drift->modes}, {"clear", clear}, {"wrong", wrong}, {"worst", worst}};
  return unit_numbers(now, "points", numbers, sizeof numbers / sizeof *numbers, error);
}

/* Simulate at one learning rate; a row for each hidden layer. */
static sgf_status note_rate(study_unit *now, double fastest, size_t rate, deviations of[MOST_HIDDEN][KINDS],
                            sgf_error *error)
{
  char text[80];
  sgf_comparison *closure = NULL;
  sgf_status status;
  snprintf(text, sizeof text, "training.learning_rate=%.6g", RATES[rate] / fastest);
  SGF_TRY(unit_open(now, text, error));
  SGF_TRY(unit_verify(now, error));
  SGF_TRY(compare_next_order(now, &closure, error));
  for (size_t l = 1; l <= now->comparison->rotation_count; l++) {
    SGF_TRY(unit_note(now, "points", error));
    snprintf(text, sizeof text, "λh_max = %.2g, hidden layer %zu", RATES[rate], l);
    SGF_TRY(unit_text(now, "points", "row", text, error));
    const study_number numbers[] = {{"lambda_h_max", RATES[rate]},
                                    {"learning_rate", sgf_problem_settings(now->problem)->training.learning_rate}};
    SGF_TRY(unit_numbers(now, "points", numbers, sizeof numbers / sizeof *numbers, error));
    for (size_t kind = 0; kind < KINDS; kind++) SGF_TRY(note_quantity(now, kind, l, rate, &of[l - 1][kind], error));
    SGF_TRY(note_next_order(now, closure, l, error));
    SGF_TRY(note_components(now, &now->comparison->rotations[l - 1], error));
  }
done:
  sgf_comparison_free(closure);
  return status;
}

/* The deviation at a learning rate of zero, by a straight line through those at three of them, weighted by their errors. */
static sgf_status note_limit(study_unit *now, const char *kind, size_t hidden, const deviations *of, sgf_error *error)
{
  double weights[RATE_COUNT], limit, slope, limit_variance, covariance, slope_variance, chi_square;
  char text[48];
  for (size_t k = 0; k < RATE_COUNT; k++) weights[k] = 1.0 / (of->error[k] * of->error[k]);
  sgf_status status = unit_note(now, "limits", error);
  snprintf(text, sizeof text, "%s, hidden layer %zu", kind, hidden);
  if (status == SGF_OK) status = unit_text(now, "limits", "row", text, error);
  if (status != SGF_OK || !isfinite(weights[0] + weights[1] + weights[2])) return status;
  gsl_fit_wlinear(RATES, 1, weights, 1, of->value, 1, RATE_COUNT, &limit, &slope, &limit_variance, &covariance,
                  &slope_variance, &chi_square);
  const study_number numbers[] = {
      {"limit", limit}, {"limit_se", sqrt(limit_variance)}, {"slope", slope}, {"slope_se", sqrt(slope_variance)}};
  return unit_numbers(now, "limits", numbers, sizeof numbers / sizeof *numbers, error);
}

static sgf_status measure_turning(study_unit *now, sgf_error *error)
{
  deviations of[MOST_HIDDEN][KINDS];
  sgf_status status;
  SGF_TRY(unit_open(now, "training.learning_rate=1e-4", error));
  double fastest = sgf_prediction_get_info(now->prediction)->largest_curvature;
  for (size_t k = 0; k < RATE_COUNT; k++) SGF_TRY(note_rate(now, fastest, k, of, error));
  for (size_t l = 1; l <= now->comparison->rotation_count; l++)
    for (size_t kind = 0; kind < KINDS; kind++)
      SGF_TRY(note_limit(now, KIND_NAMES[kind], l, &of[l - 1][kind], error));
done:
  return status;
}

/* ------------------------------------------------------------------------------ the tables */

static const study_case TURNING_CASES[] = {
    {"balanced, P = 16", IN_BOTH, "network.widths=[4,4,4] data.samples=16 network.start=balanced"},
    {"balanced, P = 400", IN_FULL, "network.widths=[4,4,4] data.samples=400 network.start=balanced"},
    {"not balanced, 5-4-3", IN_BOTH, "network.widths=[5,4,3] data.samples=20"},
    {"two hidden layers, 3-4-3-3", IN_FULL, "network.widths=[3,4,3,3] data.samples=16"}};
/* With a tolerance at which the replicas can tell all but drifts of nearly nothing, all is seen from the middle of the window. */
#define TURNING_CONFIG "training.batch_size=4 simulation.burn_in=10 simulation.window=30 verify.tolerance=1 "
static const study TURNING = {"turning-rates",
                              {TURNING_CONFIG "simulation.replicas=3000", TURNING_CONFIG "simulation.replicas=20000"},
                              {1, 1},
                              TURNING_CASES,
                              sizeof TURNING_CASES / sizeof *TURNING_CASES,
                              TURNING_STREAMS,
                              1,
                              measure_turning};

static const exhibit_column TURNING_COLUMNS[] = {
    {"lambda_h_max", NULL, NULL, false},
    {"drift", "drift, theory", NULL, false},
    {"drift_sgd", "SGD", "drift_sgd_se", false},
    {"drift_deviation", "deviation", "drift_deviation_se", false},
    {"drift_next", "from the closure", "drift_next_se", false},
    {"clear", "components clear of zero", NULL, false},
    {"wrong", "of the wrong sign", NULL, false},
    {"worst", "largest deviation", NULL, false},
    {"diffusion", "diffusion, theory", NULL, false},
    {"diffusion_sgd", "SGD", "diffusion_sgd_se", false},
    {"diffusion_deviation", "deviation", "diffusion_deviation_se", false},
    {"diffusion_next", "from the closure", "diffusion_next_se", false}};
static const exhibit_test TURNING_TESTS[] = {
    {"signs", "no component of the drift that is five standard errors from zero has another sign than theory says",
     TEST_BELOW, "wrong", NULL, NULL, NULL, 0.5, 0.0, false, NULL},
    {"drift_right", "the closure has the drift within 5 %", TEST_EQUAL, "drift_next", "drift_next_se", NULL, NULL,
     0.0, 0.05, false, NULL},
    {"diffusion_right", "and the diffusion within 10 %", TEST_EQUAL, "diffusion_next", "diffusion_next_se", NULL,
     NULL, 0.0, 0.1, false, NULL}};

const exhibit EXHIBIT_T8_TURNING = {
    .id = "T8-turning",
    .title = "Rotations against the learning rate",
    .claim = "Hidden layers turn and diffuse as theory says, component by component.",
    .setup = "<i>S</i> = 4 with replacement, runs of forty units of time from &theta;*, seen from the tenth on, from "
             "where theory has the mean in the middle of the window. "
             "Drift: mean "
             "change of all rotations along the direction that theory says, in lengths of weights a unit of time; "
             "diffusion: growth "
             "of the mean square about it. A component of the drift is clear of zero at five standard errors; the "
             "largest deviation among these is less two standard errors and relative to the whole drift. Theory: "
             "of leading order with the discrete &Sigma;, seen from where the mean is in the middle of the window; "
             "and by the closure.",
    .of = &TURNING,
    .columns = TURNING_COLUMNS,
    .column_count = sizeof TURNING_COLUMNS / sizeof *TURNING_COLUMNS,
    .tests = TURNING_TESTS,
    .test_count = sizeof TURNING_TESTS / sizeof *TURNING_TESTS,
    .label = "row"};

static const exhibit_column TURNING_LIMIT_COLUMNS[] = {
    {"limit", "deviation at &lambda; = 0", "limit_se", false},
    {"slope", "slope on &lambda;<i>h</i><sub>max</sub>", "slope_se", false}};
static const exhibit_test TURNING_LIMIT_TESTS[] = {{"to_zero", "the deviation at &lambda; = 0 is within 5 % of zero",
                                                    TEST_EQUAL, "limit", "limit_se", NULL, NULL, 0.0, 0.05, false,
                                                    NULL}};

const exhibit EXHIBIT_T8_TURNING_LIMITS = {
    .id = "T8-turning-limits",
    .title = "What theory lacks of rotations falls with the learning rate",
    .claim = "The deviations of drift and diffusion are linear in the learning rate, and vanish with it.",
    .setup = "The runs of T8-turning: a straight line through the deviations at three learning rates, each weighted "
             "by its "
             "sampling error.",
    .of = &TURNING,
    .columns = TURNING_LIMIT_COLUMNS,
    .column_count = sizeof TURNING_LIMIT_COLUMNS / sizeof *TURNING_LIMIT_COLUMNS,
    .tests = TURNING_LIMIT_TESTS,
    .test_count = sizeof TURNING_LIMIT_TESTS / sizeof *TURNING_LIMIT_TESTS,
    .stream = "limits",
    .label = "row"};
