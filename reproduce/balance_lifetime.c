/* T8: the lifetime of the state. The balance of the layers on its way to noise balance, from theory and SGD, and psi on it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../theory/balance_path.h"
#include "../theory/closed_form.h"
#include "../theory/flatness.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/noise_balance.h"
#include "../theory/prediction.h"
#include "../verify/ensemble.h"
#include "../verify/statistics.h"
#include "catalogue.h"
#include "training.h"

static const char *const BALANCE_ENDS[] = {
    "row",     "imbalance",  "lifetime", "rate_ratio", "distance",     "approach_time", "psi_closed", "psi",
    "psi_sgd", "psi_sgd_se", "trace",    "trace_sgd",  "trace_sgd_se", "quantities",    "comparison", NULL};
static const char *const BALANCE_TIMES[] = {
    "row",        "time", "lifetimes", "progress", "progress_sgd", "progress_sgd_se", "without_rotations",
    "psi_closed", NULL};
static const study_stream BALANCE_STREAMS[] = {{"ends", BALANCE_ENDS}, {"times", BALANCE_TIMES}, {NULL, NULL}};

static const double LIFETIMES = 2.5; /* of the slowest approach, that are followed */
enum { STEPS_A_POINT = 400 };

/* The way from the balance at theta* to noise balance, for two layers of N_1 hidden units. */
typedef struct {
  size_t size; /* N_1^2 */
  double *way; /* (size), B at noise balance less B at theta* */
  double square;
} whole_way;

static sgf_status find_way(const study_unit *now, whole_way *to, sgf_error *error)
{
  const sgf_network *network = &now->problem->network;
  const double *end = unit_array(now, "noise_balance/weights");
  double *start = NULL;
  sgf_status status;
  if (end == NULL) return sgf_fail(error, SGF_ERROR_VALUE, "noise balance is not known");
  to->size = network->widths[1] * network->widths[1];
  SGF_TRY(sgf_new_reals(&to->way, to->size, 1, "balance", error));
  SGF_TRY(sgf_new_reals(&start, to->size, 1, "balance", error));
  sgf_balance(network, end, 1, to->way);
  sgf_balance(network, now->problem->theta, 1, start);
  for (size_t k = 0; k < to->size; k++) to->way[k] -= start[k];
  to->square = sgf_dot(to->size, to->way, to->way);
done:
  free(start);
  return status;
}

/* The share of the way that a change of the balance is. */
static double progress_of(const whole_way *to, const double *change)
{
  return sgf_dot(to->size, to->way, change) / to->square;
}

/* Shares of the way over time by the motion with the rotations' own drift, and without it, where psi of layer 2 by the closed form
 * is too. */
static sgf_status predict_path(const study_unit *now, const whole_way *to, size_t points, const double *time,
                               double *progress, double *without, double *psi, sgf_error *error)
{
  const sgf_problem *problem = now->problem;
  const sgf_network *network = &problem->network;
  size_t n = network->weights, last = sgf_layer_size(network, 2);
  double *change = NULL, *theta, *variance, *curvature, *before;
  double scale = problem->settings.training.learning_rate * now->prediction->info.noise_strength;
  sgf_noise_balance *balance = NULL;
  sgf_ivfr fit;
  bool known;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&change, points * to->size + n + 2 * last + to->size, 1, "path of the balance", error));
  theta = change + points * to->size;
  variance = theta + n;
  curvature = variance + last;
  before = curvature + last;
  SGF_TRY(sgf_balance_path(problem, now->prediction, points, time, change, &known, error));
  SGF_TRY(sgf_noise_balance_create(problem, scale, &balance, error));
  for (size_t k = 0; k < points; k++) {
    progress[k] = known ? progress_of(to, change + k * to->size) : NAN;
    SGF_TRY(sgf_noise_balance_advance(balance, time[k], STEPS_A_POINT, theta, error));
    sgf_balance(network, problem->theta, 1, before);
    sgf_balance(network, theta, 1, change);
    for (size_t i = 0; i < to->size; i++) change[i] -= before[i];
    without[k] = progress_of(to, change);
    SGF_TRY(sgf_closed_form_layer(network, &problem->data, theta, 2, now->prediction->info.temperature, variance,
                                  curvature, error));
    SGF_TRY(sgf_ivfr_slope(last, variance, curvature, &fit, error));
    psi[k] = fit.psi;
  }
done:
  sgf_noise_balance_free(balance);
  free(change);
  return status;
}

/* The same of the runs: mean over the rows of the ensemble, and its standard error. */
static sgf_status measure_path(const study_unit *now, const whole_way *to, double *progress, double *errors,
                               sgf_error *error)
{
  const sgf_ensemble *ensemble = now->ensemble;
  size_t rows = ensemble->info.pools, points = ensemble->balance_points;
  double *values;
  sgf_status status = sgf_new_reals(&values, rows, 1, "balances of the runs", error);
  for (size_t k = 0; k < points && status == SGF_OK; k++) {
    for (size_t r = 0; r < rows; r++)
      values[r] = progress_of(to, ensemble->balance + (r * points + k) * ensemble->balance_size);
    sgf_mean_and_error(values, rows, &progress[k], &errors[k]);
  }
  free(values);
  return status;
}

/* Long runs from theta*, and a row for each time at which the balance is looked at. */
static sgf_status note_path(study_unit *now, sgf_error *error)
{
  double rate = sgf_prediction_get_info(now->prediction)->noise_balance.rate;
  double lambda = sgf_problem_settings(now->problem)->training.learning_rate;
  size_t steps = (size_t)(LIFETIMES / (rate * lambda));
  double time[SGF_BALANCE_POINTS], progress[SGF_BALANCE_POINTS], without[SGF_BALANCE_POINTS];
  double psi[SGF_BALANCE_POINTS], measured[SGF_BALANCE_POINTS], errors[SGF_BALANCE_POINTS];
  size_t points = SGF_BALANCE_POINTS;
  char text[40];
  whole_way to = {0};
  sgf_status status;
  now->plan = (sgf_plan){.replicas = sgf_problem_settings(now->problem)->simulation.replicas,
                         .burn_in_steps = steps - 1,
                         .window_steps = 1,
                         .stride = 1};
  for (size_t k = 0; k < points; k++) time[k] = lambda * ceil((double)(steps * (k + 1)) / (double)points);
  SGF_TRY(find_way(now, &to, error));
  SGF_TRY(predict_path(now, &to, points, time, progress, without, psi, error));
  SGF_TRY(sgf_simulate(now->problem, &now->plan, now->threads, NULL, NULL, &now->ensemble, error));
  SGF_TRY(measure_path(now, &to, measured, errors, error));
  for (size_t k = 1; k < points; k += 2) {
    SGF_TRY(unit_note(now, "times", error));
    snprintf(text, sizeof text, "%.3g lifetimes", LIFETIMES * (double)(k + 1) / (double)points);
    SGF_TRY(unit_text(now, "times", "row", text, error));
    SGF_TRY(unit_pair(now, "times", "progress", progress[k], measured[k], errors[k], error));
    const study_number numbers[] = {
        {"time", time[k]}, {"lifetimes", time[k] * rate}, {"without_rotations", without[k]}, {"psi_closed", psi[k]}};
    SGF_TRY(unit_numbers(now, "times", numbers, sizeof numbers / sizeof *numbers, error));
  }
done:
  free(to.way);
  return status;
}

/* Short runs from one end of the way. */
static sgf_status note_end(study_unit *now, const char *start, const char *name, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(unit_open(now, start, error));
  SGF_TRY(unit_verify(now, error));
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  SGF_TRY(unit_note(now, "ends", error));
  SGF_TRY(unit_text(now, "ends", "row", name, error));
  const study_number numbers[] = {{"imbalance", info->noise_balance.imbalance},
                                  {"lifetime", info->lifetime},
                                  {"rate_ratio", info->rate_ratio},
                                  {"distance", info->noise_balance.distance},
                                  {"approach_time", 1.0 / info->noise_balance.rate},
                                  {"psi_closed", sgf_prediction_get_layer(now->prediction, 2)->ivfr_closed_form.psi}};
  SGF_TRY(unit_numbers(now, "ends", numbers, sizeof numbers / sizeof *numbers, error));
  SGF_TRY(unit_note_quantity(now, "ends", "trace", "trace", error));
  SGF_TRY(unit_note_quantity(now, "ends", "psi", "layer2_ivfr_psi", error));
  SGF_TRY(unit_note_verdict(now, "ends", error));
done:
  return status;
}

static sgf_status measure_balance(study_unit *now, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(note_end(now, "network.start=descent", "θ*", error));
  SGF_TRY(note_end(now, "network.start=noise-balanced", "noise balance", error));
  SGF_TRY(unit_open(now, now->size == SCALE_QUICK ? "simulation.replicas=100" : "simulation.replicas=800", error));
  SGF_TRY(note_path(now, error));
done:
  return status;
}

static const study_case BALANCE_CASES[] = {{"P = 200", IN_BOTH, "network.widths=[4,4,4] data.samples=200"},
                                           {"P = 30", IN_FULL, "network.widths=[4,4,4] data.samples=30"},
                                           {"N0 = 8, N2 = 3", IN_FULL, "network.widths=[8,5,3] data.samples=200"}};
#define BALANCE_CONFIG "training.batch_size=4 training.learning_rate=0.01 data.label_noise=0.6 "
static const study BALANCE = {"balance",
                              {BALANCE_CONFIG "verify.tolerance=0.15", BALANCE_CONFIG "verify.tolerance=0.1"},
                              {1, 3},
                              BALANCE_CASES,
                              sizeof BALANCE_CASES / sizeof *BALANCE_CASES,
                              BALANCE_STREAMS,
                              1,
                              measure_balance};

static const exhibit_column BALANCE_COLUMNS[] = {{"time", "time", NULL, false},
                                                 {"lifetimes", NULL, NULL, false},
                                                 {"progress", "share of the way, theory", NULL, false},
                                                 {"without_rotations", "without rotations", NULL, false},
                                                 {"progress_sgd", "SGD", "progress_sgd_se", false},
                                                 {"psi_closed", "&psi; of layer 2, closed form", NULL, false}};
static const exhibit_test BALANCE_TESTS[] = {{"moves", "the balance has moved towards noise balance", TEST_ABOVE,
                                              "progress_sgd", "progress_sgd_se", NULL, NULL, 0.0, 0.0, false, NULL},
                                             {"path_right", "by the share of theory within 10 %", TEST_EQUAL,
                                              "progress_sgd", "progress_sgd_se", "progress", NULL, 0.0, 0.1, false,
                                              NULL}};

#define CURVES(list) list, sizeof list / sizeof *list
#define OF_CASE(name, look, label)                                                               \
  {NULL, "case=" name, "lifetimes", "progress", NULL, DRAW_LINE, look, label ", theory"},        \
  {                                                                                              \
    NULL, "case=" name, "lifetimes", "progress_sgd", "progress_sgd_se", DRAW_POINTS, look, "SGD" \
  }
static const curve BALANCE_PROGRESS[] = {
    OF_CASE("P = 200", 1, "4–4–4, {/:Italic P} = 200"),
    OF_CASE("P = 30", 2, "4–4–4, {/:Italic P} = 30"),
    OF_CASE("N0 = 8, N2 = 3", 3, "8–5–3, {/:Italic P} = 200"),
};
static const curve BALANCE_PSI[] = {
    {NULL, "case=P = 200", "lifetimes", "psi_closed", NULL, DRAW_LINE, 1, "4–4–4, {/:Italic P} = 200"},
    {NULL, "case=P = 30", "lifetimes", "psi_closed", NULL, DRAW_DASHED, 2, "4–4–4, {/:Italic P} = 30"},
    {NULL, "case=N0 = 8, N2 = 3", "lifetimes", "psi_closed", NULL, DRAW_DASHED, 3, "8–5–3, {/:Italic P} = 200"}};
static const panel BALANCE_PANELS[] = {
    {"the balance of the layers", "time / slowest time of approach", "share of the way to noise balance", false,
     false, CURVES(BALANCE_PROGRESS), "set xrange [0:2.6]\nset yrange [0:1.2]\nset key bottom right"},
    {"what it leaves of the relation", "time / slowest time of approach", "ψ of layer 2, closed form", false, false,
     CURVES(BALANCE_PSI), "set xrange [0:2.6]\nset yrange [0:*]\nset key bottom right"}};

const exhibit EXHIBIT_T8_BALANCE = {
    .id = "T8-balance",
    .title = "The state is quasi-stationary: its lifetime, and where it goes",
    .claim = "No full gradient changes <i>W</i><sub>1</sub><i>W</i><sub>1</sub><sup>T</sup> &minus; "
             "<i>W</i><sub>2</sub><sup>T</sup><i>W</i><sub>2</sub>; the noise of batches does, slowly, until its two "
             "layers' parts "
             "cancel: noise balance.",
    .setup = "Two layers, <i>S</i> = 4 with replacement, &lambda; = 0.01, long runs from one &theta;*. The mean "
             "change of the "
             "balance along the straight way to noise balance, over the length of that: theory is the motion along "
             "the minima "
             "with and without the rotations' own drift.",
    .of = &BALANCE,
    .columns = BALANCE_COLUMNS,
    .column_count = sizeof BALANCE_COLUMNS / sizeof *BALANCE_COLUMNS,
    .tests = BALANCE_TESTS,
    .test_count = sizeof BALANCE_TESTS / sizeof *BALANCE_TESTS,
    .panels = BALANCE_PANELS,
    .panel_count = sizeof BALANCE_PANELS / sizeof *BALANCE_PANELS,
    .caption = "Means over data sets; bars are two standard errors. Time in units of the slowest time of approach.",
    .remarks =
        "Theory is of leading order: what SGD is ahead of it or behind is of the order of &lambda;. Hidden units "
        "beyond the rank of the map fade on the way, and &psi; counts them as long as they are there: at the end it "
        "can be another than shortly before.",
    .stream = "times",
    .label = "row"};

static const exhibit_column BALANCE_END_COLUMNS[] = {{"imbalance", "imbalance", NULL, false},
                                                     {"distance", "distance to noise balance", NULL, false},
                                                     {"approach_time", "slowest time of approach", NULL, false},
                                                     {"rate_ratio", "over relaxation", NULL, false},
                                                     {"trace", "tr &Sigma;, theory", NULL, false},
                                                     {"trace_sgd", "SGD", "trace_sgd_se", false},
                                                     {"psi_closed", "&psi; of layer 2, closed form", NULL, false},
                                                     {"psi", "theory", NULL, false},
                                                     {"psi_sgd", "SGD", "psi_sgd_se", false},
                                                     {"quantities", "quantities compared", NULL, false},
                                                     {"comparison", "theory against SGD", NULL, true}};
static const exhibit_test BALANCE_END_TESTS[] = {
    {"theory_is_right", "theory and SGD agree in all quantities of the full comparison", TEST_VERDICTS, "comparison",
     NULL, NULL, NULL, 0.0, 0.0, false, NULL},
    {"relation", "&psi; of layer 2 as measured is above 0", TEST_ABOVE, "psi_sgd", "psi_sgd_se", NULL, NULL, 0.0, 0.0,
     false, NULL}};

const exhibit EXHIBIT_T8_BALANCE_ENDS = {.id = "T8-balance-ends",
                                         .title =
                                             "The inverse variance–flatness relation at both ends of the way",
                                         .claim = "The relation outlives the slow motion: it is there where the "
                                                  "descent ends and at noise balance, where it is weaker "
                                                  "or stronger with the widths.",
                                         .setup = "The problems of T8-balance; short runs from where gradient "
                                                  "descent ends, &theta;*, and from the weights of the same "
                                                  "map at noise balance.",
                                         .of = &BALANCE,
                                         .columns = BALANCE_END_COLUMNS,
                                         .column_count = sizeof BALANCE_END_COLUMNS / sizeof *BALANCE_END_COLUMNS,
                                         .tests = BALANCE_END_TESTS,
                                         .test_count = sizeof BALANCE_END_TESTS / sizeof *BALANCE_END_TESTS,
                                         .remarks = "With equal widths of inputs and outputs theory expects &psi; "
                                                    "near 1 at noise balance, where the singular values "
                                                    "of the map do not differ much.",
                                         .label = "row"};
