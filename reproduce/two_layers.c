/* T5, T6: two layers. What their coupling does to the fluctuations of each, and how flatness goes with variance. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/closed_form.h"
#include "../theory/flatness.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/prediction.h"
#include "../verify/compare.h"
#include "blocks.h"
#include "catalogue.h"

enum { LAYERS = 2, LINE_POINTS = 60 };

/* The cases of the figures, by scale. */
#define ONE_OUTPUT "random, 12-12-1"
#define VECTOR "random, 8-8-8"
#define ONE_OUTPUT_FULL "random, 20-20-1"
#define VECTOR_FULL "random, 20-20-20"

static const char *const LAYER_NAMES[] = {"joint", "layer 1", "layer 2"};

static const char *const CASE_NUMBERS[] = {"q",           "weights", "samples",         "learning_rate",
                                           "temperature", "rate",    "slowest_remains", "lifetime_share",
                                           "leak",        "leak_se", "comparison",      NULL};
static const char *const SPREADS[] = {"row",
                                      "kind",
                                      "modes",
                                      "curvature_spread",
                                      "closed",
                                      "coupled",
                                      "coupled_window",
                                      "coupled_sgd",
                                      "coupled_sgd_se",
                                      "coupled_off",
                                      "ratio",
                                      "ratio_sgd",
                                      "ratio_sgd_se",
                                      "uncoupled",
                                      "uncoupled_window",
                                      "uncoupled_sgd",
                                      "uncoupled_sgd_se",
                                      "uncoupled_off",
                                      "uncoupled_ratio",
                                      NULL};
static const char *const EXPONENTS[] = {"row",
                                        "kind",
                                        "modes",
                                        "closed",
                                        "closed_low",
                                        "closed_high",
                                        "coupled",
                                        "coupled_low",
                                        "coupled_high",
                                        "correlation",
                                        "coupled_window",
                                        "coupled_sgd",
                                        "coupled_sgd_se",
                                        "correlation_sgd",
                                        "correlation_sgd_se",
                                        "own_window",
                                        "own_sgd",
                                        "own_sgd_se",
                                        "uncoupled",
                                        "uncoupled_low",
                                        "uncoupled_high",
                                        "uncoupled_window",
                                        "uncoupled_sgd",
                                        "uncoupled_sgd_se",
                                        NULL};
static const char *const MODES[] = {
    "row",   "form", "curvature", "flatness", "variance", "variance_window", "variance_sgd", "variance_sgd_se",
    "share", NULL};
static const study_stream LAYERS_STREAMS[] = {
    {"numbers", CASE_NUMBERS}, {"spreads", SPREADS}, {"exponents", EXPONENTS}, {"modes", MODES}, {NULL, NULL}};

/* Of layer l: variance and curvature (size each). */
static sgf_status closed_form(const study_unit *now, size_t layer, double **values, sgf_error *error)
{
  const sgf_problem *problem = now->problem;
  size_t size = sgf_layer_size(&problem->network, layer);
  sgf_status status = sgf_new_reals(values, 2, size, "closed form", error);
  if (status != SGF_OK) return status;
  return sgf_closed_form_layer(&problem->network, &problem->data, problem->theta, layer,
                               sgf_prediction_get_info(now->prediction)->temperature, *values, *values + size, error);
}

static sgf_status closed_anisotropy(const study_unit *now, size_t layer, double *anisotropy, sgf_error *error)
{
  double *values = NULL;
  sgf_status status = closed_form(now, layer, &values, error);
  *anisotropy = status == SGF_OK ? sgf_anisotropy(sgf_layer_size(&now->problem->network, layer), values) : NAN;
  free(values);
  return status;
}

/* --------------------------------------------------------------------------- rows */

static sgf_status note_case(study_unit *now, sgf_error *error)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  const sgf_comparison_info *compared = sgf_comparison_get_info(now->comparison);
  size_t samples = sgf_problem_samples(now->problem);
  const study_number numbers[] = {{"q", (double)now->problem->network.widths[0] / (double)samples},
                                  {"weights", (double)info->weights},
                                  {"samples", (double)samples},
                                  {"learning_rate", sgf_problem_settings(now->problem)->training.learning_rate},
                                  {"temperature", info->temperature},
                                  {"rate", info->relaxation_rate},
                                  {"slowest_remains", now->plan.relaxed},
                                  {"lifetime_share", now->plan.lifetime},
                                  {"leak", compared->null_leak},
                                  {"leak_se", compared->null_leak_error}};
  sgf_status status = unit_note(now, "numbers", error);
  if (status == SGF_OK) status = unit_numbers(now, "numbers", numbers, sizeof numbers / sizeof *numbers, error);
  return status == SGF_OK ? unit_text(now, "numbers", "comparison", sgf_verdict_text(compared->verdict), error)
                          : status;
}

/* What the tests are about: a single direction has no spread, and fewer than three no slope. */
static const char *kind_of(const block *of)
{
  if (of->layer == 0) return "joint";
  return of->count < 3 ? "one direction" : "layer";
}

/* A row of the spreads: of a block, and of the layer alone (NULL: all weights). */
static sgf_status note_spread(study_unit *now, const block *of, const block *alone, sgf_error *error)
{
  double closed = NAN;
  sgf_status status;
  SGF_TRY(unit_note(now, "spreads", error));
  SGF_TRY(unit_text(now, "spreads", "row", LAYER_NAMES[of->layer], error));
  SGF_TRY(unit_text(now, "spreads", "kind", kind_of(of), error));
  if (of->layer > 0) SGF_TRY(closed_anisotropy(now, of->layer, &closed, error));
  const study_number numbers[] = {{"modes", (double)of->count},
                                  {"curvature_spread", sgf_anisotropy(of->count, of->curvature)},
                                  {"closed", closed},
                                  {"coupled", of->stationary[ANISOTROPY]},
                                  {"coupled_window", of->window[ANISOTROPY]},
                                  {"coupled_sgd", of->sgd[ANISOTROPY]},
                                  {"coupled_sgd_se", of->sgd_error[ANISOTROPY]},
                                  {"coupled_off", of->sgd[ANISOTROPY] - of->window[ANISOTROPY]},
                                  {"ratio", of->stationary[RATIO]},
                                  {"ratio_sgd", of->sgd[RATIO]},
                                  {"ratio_sgd_se", of->sgd_error[RATIO]}};
  SGF_TRY(unit_numbers(now, "spreads", numbers, sizeof numbers / sizeof *numbers, error));
  if (alone == NULL) goto done;
  const study_number others[] = {{"uncoupled", alone->stationary[ANISOTROPY]},
                                 {"uncoupled_window", alone->window[ANISOTROPY]},
                                 {"uncoupled_sgd", alone->sgd[ANISOTROPY]},
                                 {"uncoupled_sgd_se", alone->sgd_error[ANISOTROPY]},
                                 {"uncoupled_off", alone->sgd[ANISOTROPY] - alone->window[ANISOTROPY]},
                                 {"uncoupled_ratio", alone->stationary[RATIO]}};
  SGF_TRY(unit_numbers(now, "spreads", others, sizeof others / sizeof *others, error));
done:
  return status;
}

/* A row of the exponents, of a layer. */
static sgf_status note_exponent(study_unit *now, const block *of, const block *alone, sgf_error *error)
{
  const sgf_layer_info *info = sgf_prediction_get_layer(now->prediction, of->layer);
  const study_number numbers[] = {{"modes", (double)of->count},
                                  {"closed", info->ivfr_closed_form.psi},
                                  {"closed_low", info->ivfr_closed_form.psi_low},
                                  {"closed_high", info->ivfr_closed_form.psi_high},
                                  {"coupled", info->ivfr.psi},
                                  {"coupled_low", info->ivfr.psi_low},
                                  {"coupled_high", info->ivfr.psi_high},
                                  {"correlation", info->ivfr.correlation},
                                  {"coupled_window", of->window[PSI]},
                                  {"coupled_sgd", of->sgd[PSI]},
                                  {"coupled_sgd_se", of->sgd_error[PSI]},
                                  {"correlation_sgd", of->sgd[CORRELATION]},
                                  {"correlation_sgd_se", of->sgd_error[CORRELATION]},
                                  {"own_window", of->window[OWN_PSI]},
                                  {"own_sgd", of->sgd[OWN_PSI]},
                                  {"own_sgd_se", of->sgd_error[OWN_PSI]},
                                  {"uncoupled", info->ivfr_uncoupled.psi},
                                  {"uncoupled_low", info->ivfr_uncoupled.psi_low},
                                  {"uncoupled_high", info->ivfr_uncoupled.psi_high},
                                  {"uncoupled_window", alone->window[PSI]},
                                  {"uncoupled_sgd", alone->sgd[PSI]},
                                  {"uncoupled_sgd_se", alone->sgd_error[PSI]}};
  sgf_status status = unit_note(now, "exponents", error);
  if (status == SGF_OK) status = unit_text(now, "exponents", "row", LAYER_NAMES[of->layer], error);
  if (status == SGF_OK) status = unit_text(now, "exponents", "kind", kind_of(of), error);
  return status == SGF_OK ? unit_numbers(now, "exponents", numbers, sizeof numbers / sizeof *numbers, error) : status;
}

/* ---------------------------------------------------------------------- the figures */

static double flatness_of(const study_unit *now, double curvature)
{
  return sgf_flatness(curvature, sgf_prediction_get_info(now->prediction)->min_loss,
                      sgf_problem_settings(now->problem)->theory.flatness_factor);
}

static sgf_status note_mode(study_unit *now, size_t layer, const char *form, double curvature, double variance,
                            sgf_error *error)
{
  const study_number numbers[] = {{"curvature", curvature},
                                  {"flatness", flatness_of(now, curvature)},
                                  {"variance", variance / sgf_prediction_get_info(now->prediction)->temperature}};
  sgf_status status = unit_note(now, "modes", error);
  if (status == SGF_OK) status = unit_text(now, "modes", "row", LAYER_NAMES[layer], error);
  if (status == SGF_OK) status = unit_text(now, "modes", "form", form, error);
  return status == SGF_OK ? unit_numbers(now, "modes", numbers, sizeof numbers / sizeof *numbers, error) : status;
}

/* Along the predicted directions of a layer: theory, stationary and over the window, and SGD. */
static sgf_status note_measured_modes(study_unit *now, size_t layer, bool alone, sgf_error *error)
{
  char name[32];
  double T = sgf_prediction_get_info(now->prediction)->temperature;
  if (layer > 0)
    snprintf(name, sizeof name, "layer%zu%s", layer, alone ? "_uncoupled" : "");
  else
    snprintf(name, sizeof name, "joint");
  const sgf_mode_set *set = sgf_find_modes(now->comparison, name);
  sgf_status status = SGF_OK;
  for (size_t k = 0; set != NULL && k < set->count && status == SGF_OK; k++) {
    const study_number numbers[] = {{"variance_window", set->predicted[k] / T},
                                    {"variance_sgd", set->measured[k] / T},
                                    {"variance_sgd_se", set->error[k] / T},
                                    {"share", ((double)(set->count - k) - 0.5) / (double)set->count}};
    status = note_mode(now, layer, alone ? "uncoupled" : "coupled", set->curvature[k], set->stationary[k], error);
    if (status == SGF_OK) status = unit_numbers(now, "modes", numbers, sizeof numbers / sizeof *numbers, error);
  }
  return status;
}

/* The closed form of layer 2 for isotropic inputs as a function of the curvature h alone: T h / (h + b^2), for the
 * smallest, the middle and the largest singular value b of W_2. */
static sgf_status note_closed_lines(study_unit *now, double lowest, double highest, sgf_error *error)
{
  static const char *const names[] = {"b smallest", "b middle", "b largest"};
  const sgf_network *network = &now->problem->network;
  size_t rows = network->widths[2], columns = network->widths[1], count = rows < columns ? rows : columns;
  double *W = NULL, *U, *b, *Vt, T = sgf_prediction_get_info(now->prediction)->temperature;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&W, rows * columns + (rows + columns + 1) * count, 1, "singular values", error));
  U = W + rows * columns;
  b = U + rows * count;
  Vt = b + count;
  memcpy(W, now->problem->theta + network->offsets[2], rows * columns * sizeof *W);
  SGF_TRY(sgf_thin_svd(rows, columns, W, U, b, Vt, "W2", error));
  const size_t indices[] = {count - 1, count / 2, 0};
  for (size_t i = count > 1 ? 0 : 2; i < 3; i++)
    for (size_t k = 0; k < LINE_POINTS; k++) {
      double h = 0.7 * lowest * pow(2.0 * highest / lowest, (double)k / (LINE_POINTS - 1.0));
      SGF_TRY(note_mode(now, 2, names[i], h, T * h / (h + b[indices[i]] * b[indices[i]]), error));
    }
done:
  free(W);
  return status;
}

static sgf_status note_closed_modes(study_unit *now, sgf_error *error)
{
  size_t size = sgf_layer_size(&now->problem->network, 2);
  double *variance = NULL, lowest = INFINITY, highest = 0.0;
  sgf_status status;
  SGF_TRY(closed_form(now, 2, &variance, error));
  const double *curvature = variance + size;
  for (size_t k = 0; k < size; k++) {
    if (!(variance[k] > 0.0)) continue;
    lowest = fmin(lowest, curvature[k]);
    highest = fmax(highest, curvature[k]);
    SGF_TRY(note_mode(now, 2, "closed", curvature[k], variance[k], error));
  }
  SGF_TRY(note_closed_lines(now, lowest, highest, error));
done:
  free(variance);
  return status;
}

/* Of the cases that the figures show, the first data set. */
static sgf_status note_modes(study_unit *now, sgf_error *error)
{
  bool full = now->size == SCALE_FULL;
  sgf_status status = SGF_OK;
  if (now->seed != 1 || (strcmp(now->which->name, full ? ONE_OUTPUT_FULL : ONE_OUTPUT) != 0 &&
                         strcmp(now->which->name, full ? VECTOR_FULL : VECTOR) != 0))
    return SGF_OK;
  for (size_t l = 0; l <= LAYERS && status == SGF_OK; l++) {
    status = note_measured_modes(now, l, false, error);
    if (status == SGF_OK && l > 0) status = note_measured_modes(now, l, true, error);
  }
  return status == SGF_OK ? note_closed_modes(now, error) : status;
}

/* ------------------------------------------------------------------------ the study */

static sgf_status note_layer(study_unit *now, size_t layer, const double *Sigma, sgf_error *error)
{
  block coupled = {0}, alone = {0};
  sgf_status status;
  SGF_TRY(block_create(now, layer, false, Sigma, &coupled, error));
  if (layer > 0) SGF_TRY(block_create(now, layer, true, NULL, &alone, error));
  SGF_TRY(note_spread(now, &coupled, layer > 0 ? &alone : NULL, error));
  if (layer > 0) SGF_TRY(note_exponent(now, &coupled, &alone, error));
done:
  block_free(&coupled);
  block_free(&alone);
  return status;
}

static sgf_status measure_layers(study_unit *now, sgf_error *error)
{
  double *Sigma = NULL, *mean;
  sgf_status status;
  SGF_TRY(unit_open_at(now, 0.05, NULL, error));
  SGF_TRY(unit_verify(now, error));
  size_t n = sgf_problem_weights(now->problem);
  SGF_TRY(sgf_new_reals(&Sigma, n + 1, n, "covariance over the window", error));
  mean = Sigma + n * n;
  SGF_TRY(sgf_prediction_window(now->problem, now->prediction, 0, &now->plan, Sigma, mean, error));
  SGF_TRY(note_case(now, error));
  for (size_t l = 0; l <= LAYERS; l++) SGF_TRY(note_layer(now, l, Sigma, error));
  SGF_TRY(note_modes(now, error));
done:
  free(Sigma);
  return status;
}

#define POWER_LAW " data.input_power_law=1"
#define BALANCED " network.start=balanced"
#define NOISE_BALANCED " network.start=noise-balanced"
#define SMALL " network.init_scale=0.1"
/* Where a layer alone relaxes slowly, and runs are cheap. */
#define LONG " simulation.burn_in=60 simulation.window=400 simulation.replicas=192"
static const study_case LAYERS_CASES[] = {
    {VECTOR, IN_QUICK, "network.widths=[8,8,8]"},
    {"balanced, 8-8-8", IN_QUICK, "network.widths=[8,8,8]" BALANCED},
    {"small init, 8-8-8", IN_QUICK, "network.widths=[8,8,8]" SMALL},
    {"random, power law, 8-8-8", IN_QUICK, "network.widths=[8,8,8]" POWER_LAW},
    {"noise-balanced, power law, 8-8-8", IN_QUICK, "network.widths=[8,8,8]" NOISE_BALANCED POWER_LAW},
    {VECTOR_FULL, IN_FULL, "network.widths=[20,20,20] data.samples=20000"},
    {"random, 12-12-12", IN_FULL, "network.widths=[12,12,12]"},
    {"balanced, 12-12-12", IN_FULL, "network.widths=[12,12,12]" BALANCED},
    {"noise-balanced, 12-12-12", IN_FULL, "network.widths=[12,12,12]" NOISE_BALANCED},
    {"small init, 12-12-12", IN_FULL, "network.widths=[12,12,12]" SMALL},
    {"random, power law, 12-12-12", IN_FULL, "network.widths=[12,12,12]" POWER_LAW},
    {"balanced, power law, 12-12-12", IN_FULL, "network.widths=[12,12,12]" BALANCED POWER_LAW},
    {"noise-balanced, power law, 12-12-12", IN_FULL, "network.widths=[12,12,12]" NOISE_BALANCED POWER_LAW},
    {"small init, power law, 12-12-12", IN_FULL, "network.widths=[12,12,12]" SMALL POWER_LAW},
    {"random, 160 samples, 12-12-12", IN_FULL, "network.widths=[12,12,12] data.samples=160"},
    {ONE_OUTPUT_FULL, IN_FULL, "network.widths=[20,20,1]" LONG},
    {ONE_OUTPUT, IN_BOTH, "network.widths=[12,12,1]" LONG},
    {"balanced, 12-12-1", IN_FULL, "network.widths=[12,12,1]" BALANCED LONG},
    {"noise-balanced, 12-12-1", IN_FULL, "network.widths=[12,12,1]" NOISE_BALANCED LONG},
    {"small init, 12-12-1", IN_BOTH, "network.widths=[12,12,1]" SMALL LONG},
    {"random, power law, 12-12-1", IN_FULL, "network.widths=[12,12,1]" POWER_LAW LONG},
    {"balanced, power law, 12-12-1", IN_FULL, "network.widths=[12,12,1]" BALANCED POWER_LAW LONG},
    {"noise-balanced, power law, 12-12-1", IN_FULL, "network.widths=[12,12,1]" NOISE_BALANCED POWER_LAW LONG},
    {"small init, power law, 12-12-1", IN_FULL,
     "network.widths=[12,12,1]" SMALL POWER_LAW LONG " simulation.replicas=768"},
    {"random, 24 samples, 12-12-1", IN_BOTH, "network.widths=[12,12,1] data.samples=24" LONG}};

#define LAYERS_CONFIG                                                                          \
  "data.samples=8000 data.label_noise=0.0001 training.batch_size=8 simulation.uncoupled=true " \
  "simulation.burn_in=40 simulation.window=120 "
static const study TWO_LAYERS = {"two-layers",
                                 {LAYERS_CONFIG "simulation.replicas=96", LAYERS_CONFIG
                                  "simulation.burn_in=40 simulation.window=120 simulation.replicas=192"},
                                 {1, 3},
                                 LAYERS_CASES,
                                 sizeof LAYERS_CASES / sizeof *LAYERS_CASES,
                                 LAYERS_STREAMS,
                                 3,
                                 measure_layers};

static const exhibit_column T5_COLUMNS[] = {{"kind", "of", NULL, true},
                                            {"modes", "modes", NULL, false},
                                            {"closed", "closed form", NULL, false},
                                            {"coupled", "coupled, theory", NULL, false},
                                            {"coupled_window", "of the runs", NULL, false},
                                            {"coupled_sgd", "SGD", "coupled_sgd_se", false},
                                            {"uncoupled", "uncoupled, theory", NULL, false},
                                            {"uncoupled_window", "of the runs", NULL, false},
                                            {"uncoupled_sgd", "SGD", "uncoupled_sgd_se", false},
                                            {"ratio", "largest / smallest, coupled", NULL, false},
                                            {"ratio_sgd", "SGD", "ratio_sgd_se", false},
                                            {"uncoupled_ratio", "uncoupled", NULL, false},
                                            {"coupled_off", NULL, NULL, false},
                                            {"uncoupled_off", NULL, NULL, false}};

static const exhibit_test T5_TESTS[] = {
    {"coupling_matters", "of a layer: the variances measured coupled spread more than uncoupled", TEST_ABOVE,
     "coupled_sgd", "coupled_sgd_se", "uncoupled_sgd", "uncoupled_sgd_se", 0.0, 0.0, false, "kind=layer"},
    {"alone_isotropic", "with the other layer frozen they spread by less than 0.3", TEST_BELOW, "uncoupled_sgd",
     "uncoupled_sgd_se", NULL, NULL, 0.3, 0.0, false, "kind=layer"},
    {"joint_isotropic", "joint: they spread by less than 0.3", TEST_BELOW, "coupled_sgd", "coupled_sgd_se", NULL,
     NULL, 0.3, 0.0, false, "kind=joint"},
    {"as_predicted", "theory is right to 0.1", TEST_EQUAL, "coupled_off", "coupled_sgd_se", NULL, NULL, 0.0, 0.1,
     false, NULL},
    {"alone_as_predicted", "and that of a layer alone", TEST_EQUAL, "uncoupled_off", "uncoupled_sgd_se", NULL, NULL,
     0.0, 0.1, false, "kind=layer"}};

static const exhibit_column T6_COLUMNS[] = {{"kind", "of", NULL, true},
                                            {"modes", "modes", NULL, false},
                                            {"closed", "&psi;, closed form", NULL, false},
                                            {"closed_low", "95 % from", NULL, false},
                                            {"closed_high", "to", NULL, false},
                                            {"coupled", "theory, coupled", NULL, false},
                                            {"coupled_low", "95 % from", NULL, false},
                                            {"coupled_high", "to", NULL, false},
                                            {"correlation", "correlation", NULL, false},
                                            {"coupled_window", "of the runs", NULL, false},
                                            {"coupled_sgd", "SGD", "coupled_sgd_se", false},
                                            {"own_sgd", "SGD, its own directions", "own_sgd_se", false},
                                            {"uncoupled", "theory, uncoupled", NULL, false},
                                            {"uncoupled_low", "95 % from", NULL, false},
                                            {"uncoupled_high", "to", NULL, false},
                                            {"uncoupled_window", "of the runs", NULL, false},
                                            {"uncoupled_sgd", "SGD", "uncoupled_sgd_se", false}};

static const exhibit_test T6_TESTS[] = {
    {"relation_exists", "&psi; of layer 2 as measured is above 0", TEST_ABOVE, "coupled_sgd", "coupled_sgd_se", NULL,
     NULL, 0.0, 0.0, false, "row=layer 2; kind=layer"},
    {"as_predicted", "and within 10 % of theory", TEST_EQUAL, "coupled_sgd", "coupled_sgd_se", "coupled_window", NULL,
     0.0, 0.1, false, "row=layer 2; kind=layer"},
    {"made_by_coupling", "and above that of the layer alone", TEST_ABOVE, "coupled_sgd", "coupled_sgd_se",
     "uncoupled_sgd", "uncoupled_sgd_se", 0.0, 0.0, false, "row=layer 2; kind=layer"}};

#define CURVES(list) list, sizeof list / sizeof *list
#define SPREAD_CURVES(name)                                                                                        \
  {"modes",           "case=" name "; row=layer 2; form=coupled", "variance_window", "share", NULL, DRAW_LINE, 0,  \
   "layer 2, coupled"},                                                                                            \
      {"modes", "case=" name "; row=layer 2; form=coupled", "variance_sgd", "share", NULL, DRAW_SMALL_POINTS, 0,   \
       "SGD"},                                                                                                     \
      {"modes",                                                                                                    \
       "case=" name "; row=layer 1; form=coupled",                                                                 \
       "variance_window",                                                                                          \
       "share",                                                                                                    \
       NULL,                                                                                                       \
       DRAW_DASHED,                                                                                                \
       1,                                                                                                          \
       "layer 1, coupled"},                                                                                        \
      {"modes", "case=" name "; row=layer 1; form=coupled", "variance_sgd", "share", NULL, DRAW_SMALL_POINTS, 1,   \
       "SGD"},                                                                                                     \
      {"modes",                                                                                                    \
       "case=" name "; row=layer 2; form=uncoupled",                                                               \
       "variance_window",                                                                                          \
       "share",                                                                                                    \
       NULL,                                                                                                       \
       DRAW_DASHED,                                                                                                \
       2,                                                                                                          \
       "layer 2, uncoupled"},                                                                                      \
      {"modes", "case=" name "; row=layer 2; form=uncoupled", "variance_sgd", "share", NULL, DRAW_SMALL_POINTS, 2, \
       "SGD"},                                                                                                     \
      {"modes", "case=" name "; row=joint", "variance_window", "share", NULL, DRAW_DASHED, 3, "joint"},            \
  {                                                                                                                \
    "modes", "case=" name "; row=joint", "variance_sgd", "share", NULL, DRAW_SMALL_POINTS, 3, "SGD"                \
  }
static const curve T5_DISTRIBUTIONS[] = {SPREAD_CURVES(VECTOR), SPREAD_CURVES(VECTOR_FULL)};
static const curve T5_ANISOTROPIES[] = {
    {NULL, NULL, NULL, "x", NULL, DRAW_FUNCTION, 0, NULL},
    {NULL, "row=layer 2", "coupled_window", "coupled_sgd", "coupled_sgd_se", DRAW_POINTS, 0, "layer 2, coupled"},
    {NULL, "row=layer 1", "coupled_window", "coupled_sgd", "coupled_sgd_se", DRAW_POINTS, 1, "layer 1, coupled"},
    {NULL, "kind=layer", "uncoupled_window", "uncoupled_sgd", "uncoupled_sgd_se", DRAW_POINTS, 2,
     "layers, uncoupled"},
    {NULL, "row=joint", "coupled_window", "coupled_sgd", "coupled_sgd_se", DRAW_POINTS, 3, "joint"}};
static const panel T5_PANELS[] = {{NULL, "variance σ^2 / {/:Italic T}", "share below", true, false,
                                   CURVES(T5_DISTRIBUTIONS), "set xrange [1e-3:4]\nset key top left"},
                                  {NULL, "standard deviation of log σ^2, theory of the runs", "measured by SGD", true,
                                   true, CURVES(T5_ANISOTROPIES),
                                   "set key top left\nset format x '%g'\nset format y '%g'"}};

const exhibit EXHIBIT_T5 = {
    .id = "T5",
    .title = "The coupling of the layers is a source of anisotropy",
    .claim =
        "The weights of a layer fluctuate anisotropically because the other layer fluctuates too: with it frozen "
        "their variances are about equal, and equal they are along the principal directions of all weights "
        "together.",
    .setup =
        "Two layers, Gaussian data, <i>P</i> = 8000 (20000 for <i>N</i> = 20) unless said, <i>S</i> = 8, at a "
        "twentieth of the stability limit, from &theta;*. Weights start at random, <i>N</i>(0, 1/fan-in), or small, "
        "a "
        "tenth of that, and descend; or are balanced, or where noise no longer drives the balance, at the same map. "
        "Inputs are isotropic, or of a power law (eigenvalue <i>k</i> of their covariance &prop; 1/<i>k</i>). Label "
        "noise is 10<sup>&minus;4</sup>, so that the motion along the minima stays small during a run. The number "
        "is the standard deviation of log &sigma;&sup2; along the principal directions of the predicted covariance: "
        "of "
        "a layer's block (coupled), of the layer with the other one frozen (uncoupled), of all weights (joint). "
        "<i>Of the runs</i> is the theory of windows as they were run, from &theta;* and not always relaxed; SGD is "
        "held against that. The closed form is that of noise <i>C</i> = <i>s</i>&sup2;<i>H</i>, uncoupled and joint "
        "it has no spread at all.",
    .of = &TWO_LAYERS,
    .columns = T5_COLUMNS,
    .column_count = sizeof T5_COLUMNS / sizeof *T5_COLUMNS,
    .tests = T5_TESTS,
    .test_count = sizeof T5_TESTS / sizeof *T5_TESTS,
    .panels = T5_PANELS,
    .panel_count = sizeof T5_PANELS / sizeof *T5_PANELS,
    .caption =
        "Left: distribution functions of the variances of one random start, by theory (lines) and SGD (points, "
        "along the same directions). Right: their spread in all cases, SGD against theory, with two standard "
        "errors.",
    .remarks = "With few samples a layer by itself is anisotropic, for the noise is then not proportional to the "
               "Hessian (T1 to T3): coupling adds little to that in layer 1, and the joint fluctuations are not "
               "isotropic either. That is a source of its own; coupling is the only one where samples are many. The "
               "spread that uncoupled layers have there is left over from the finite data set and, where <i>of the "
               "runs</i> is more than the stationary one, from modes that need longer than the runs. At balance "
               "and at noise balance one output leaves layer 2 a single direction, of which nothing is claimed. For "
               "vector outputs and isotropic inputs the three special starts end next to one another, and are no "
               "independent evidence.",
    .stream = "spreads",
    .label = "row"};

#define MODE_CURVES(name)                                                                                              \
  {"modes", "case=" name "; form=b largest", "flatness", "variance", NULL, DRAW_LINE, 0, "closed form"},               \
      {"modes", "case=" name "; form=b middle", "flatness", "variance", NULL, DRAW_LINE, 0, NULL},                     \
      {"modes", "case=" name "; form=b smallest", "flatness", "variance", NULL, DRAW_LINE, 0, NULL},                   \
      {"modes",                                                                                                        \
       "case=" name "; row=layer 2; form=coupled",                                                                     \
       "flatness",                                                                                                     \
       "variance_sgd",                                                                                                 \
       "variance_sgd_se",                                                                                              \
       DRAW_POINTS,                                                                                                    \
       2,                                                                                                              \
       "SGD, coupled"},                                                                                                \
      {"modes",                                                                                                        \
       "case=" name "; row=layer 2; form=uncoupled",                                                                   \
       "flatness",                                                                                                     \
       "variance_sgd",                                                                                                 \
       "variance_sgd_se",                                                                                              \
       DRAW_POINTS,                                                                                                    \
       1,                                                                                                              \
       "SGD, uncoupled"},                                                                                              \
      {"modes", "case=" name "; row=layer 2; form=coupled", "flatness", "variance_window", NULL, DRAW_SMALL_POINTS, 0, \
       "theory"},                                                                                                      \
  {                                                                                                                    \
    "modes", "case=" name "; row=layer 2; form=uncoupled", "flatness", "variance_window", NULL, DRAW_SMALL_POINTS,     \
        0, NULL                                                                                                        \
  }
static const curve T6_ONE_OUTPUT[] = {{NULL, NULL, NULL, "1", NULL, DRAW_FUNCTION, 1, "closed form, uncoupled"},
                                      MODE_CURVES(ONE_OUTPUT),
                                      MODE_CURVES(ONE_OUTPUT_FULL)};
static const curve T6_VECTOR[] = {{NULL, NULL, NULL, "1", NULL, DRAW_FUNCTION, 1, "closed form, uncoupled"},
                                  MODE_CURVES(VECTOR),
                                  MODE_CURVES(VECTOR_FULL)};
static const curve T6_ROUTES[] = {
    {NULL, NULL, NULL, "x", NULL, DRAW_FUNCTION, 0, NULL},
    {NULL, "row=layer 2", "coupled_window", "coupled_sgd", "coupled_sgd_se", DRAW_POINTS, 2,
     "theory against SGD, coupled"},
    {NULL, "row=layer 2", "uncoupled_window", "uncoupled_sgd", "uncoupled_sgd_se", DRAW_POINTS, 1, "uncoupled"},
    {NULL, "row=layer 2", "closed", "coupled_sgd", NULL, DRAW_POINTS, 3, "closed form against SGD, coupled"}};
static const panel T6_PANELS[] = {
    {"one output", "flatness {/:Italic F_i}", "variance of layer 2, σ_{/:Italic i}^2 / {/:Italic T}", true, true,
     CURVES(T6_ONE_OUTPUT), "set key bottom left\nset yrange [1e-5:4]"},
    {"as many outputs as inputs", "flatness {/:Italic F_i}", "variance of layer 2, σ_{/:Italic i}^2 / {/:Italic T}",
     true, true, CURVES(T6_VECTOR), "set key bottom left\nset yrange [1e-6:4]"},
    {NULL, "ψ of layer 2, predicted", "ψ of layer 2, SGD", false, false, CURVES(T6_ROUTES),
     "set key bottom right\nset xrange [-0.8:3.6]\nset yrange [-0.8:3.6]"}};

const exhibit EXHIBIT_T6 = {
    .id = "T6",
    .title = "Flatness is inversely related to variance",
    .claim =
        "In the second layer weights vary most along the directions in which the loss is sharpest, &sigma;&sup2; "
        "&prop; <i>F</i><sup>&minus;&psi;</sup> with &psi; &gt; 0, and the coupling of the layers is what makes "
        "it so.",
    .setup = "The runs of T5. <i>F</i> is the width of the loss along a direction, between the points where it is "
             "<i>e</i> times its minimum; &psi; is twice the slope of log &sigma;&sup2; on log curvature. Three "
             "routes: the closed form for <i>C</i> = <i>s</i>&sup2;<i>H</i>, &sigma;&sup2; = <i>T a</i>&sup2;/(<i>a"
             "</i>&sup2; + <i>b</i>&sup2;) with singular values <i>a</i> of <i>W</i><sub>1</sub> and <i>b</i> of <i>W"
             "</i><sub>2</sub>, curvature <i>a</i>&sup2; for isotropic inputs; the stationary covariance of the data "
             "set, whose intervals are 95 % by the bootstrap over modes; SGD, along the predicted directions and "
             "along its own, with standard errors by the jackknife over replicas. <i>Of the runs</i> is the theory "
             "of windows as they were run.",
    .of = &TWO_LAYERS,
    .columns = T6_COLUMNS,
    .column_count = sizeof T6_COLUMNS / sizeof *T6_COLUMNS,
    .tests = T6_TESTS,
    .test_count = sizeof T6_TESTS / sizeof *T6_TESTS,
    .panels = T6_PANELS,
    .panel_count = sizeof T6_PANELS / sizeof *T6_PANELS,
    .caption = "Variances of layer 2 against flatness along its principal directions, random start. With one output "
               "the closed form is one line; else there is one for each <i>b</i>, drawn for the smallest, the middle "
               "and the largest, and the others lie between. Theory is that of the runs. Right: &psi; of all cases. "
               "Bars are two standard errors.",
    .remarks =
        "&psi; is 2 where curvature is small against <i>b</i>&sup2; and less where variances saturate at <i>T</i>. "
        "Where samples are many the closed form has the spread of the variances right (T5), but its &psi; is below "
        "that "
        "of the data set: among variances that are nearly equal any finite data set mixes directions of different "
        "curvature, and what scatters less about the relation has a steeper slope. With few samples this goes so far "
        "that &psi; is above 2. In layer 1, with one output and isotropic inputs, the curvature does not spread, and "
        "&psi; means nothing there; at balance and at noise balance layer 2 then has a single direction, of which "
        "nothing is claimed. A layer alone relaxes along its flattest directions at the rate of their curvature: "
        "where "
        "runs are shorter than that, variances have not grown yet, and &psi; of the runs is above the stationary "
        "one.",
    .stream = "exponents",
    .label = "row"};
