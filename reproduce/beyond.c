/* T8: sampling, momentum and depth. The same measurement of each: traces, psi and all of the comparison, theory and SGD. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../theory/covariance.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/prediction.h"
#include "../verify/compare.h"
#include "catalogue.h"
#include "training.h"

static const char *const NETWORK_NUMBERS[] = {
    "sampling",   "momentum",      "gain",  "layers",    "batches",      "lambda_h_max",    "below_crossover",
    "rank",       "rank_rule",     "trace", "trace_sgd", "trace_sgd_se", "trace_in_T",      "calmed",
    "calmed_sgd", "calmed_sgd_se", "psi",   "psi_sgd",   "psi_sgd_se",   "psi_independent", "lifetime",
    "quantities", "comparison",    NULL};
static const char *const NETWORK_LAYERS[] = {"row",  "coupled",    "layer",      "depth",         "weights",
                                             "rank", "trace_in_T", "trace",      "trace_sgd",     "trace_sgd_se",
                                             "psi",  "psi_sgd",    "psi_sgd_se", "psi_uncoupled", NULL};
static const char *const NETWORK_MODES[] = {"sampling", "crossover", "calmed", "calmed_sgd", "calmed_sgd_se", NULL};
static const study_stream NETWORK_STREAMS[] = {
    {"numbers", NETWORK_NUMBERS}, {"layers", NETWORK_LAYERS}, {"modes", NETWORK_MODES}, {NULL, NULL}};

static const char *const SAMPLING_NAMES[] = {"replacement", "without-replacement", "epoch"};

/* Along the principal directions, and in all, what the configured draws leave of the variance that independent ones of the same noise
 * have, over the same window. */
static sgf_status note_calm(study_unit *now, sgf_error *error)
{
  const sgf_settings *settings = sgf_problem_settings(now->problem);
  size_t n = sgf_problem_weights(now->problem);
  const double *directions = unit_array(now, "directions");
  const sgf_mode_set *set = sgf_find_modes(now->comparison, "joint");
  const sgf_quantity *trace = unit_quantity(now, "trace");
  double batches = (double)sgf_problem_samples(now->problem) / (double)settings->training.batch_size;
  double *Sigma = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Sigma, n, n, "covariance", error));
  SGF_TRY(sgf_covariance(now->problem, &now->prediction->joint, SGF_TIME_DISCRETE, &now->plan, Sigma, error));
  double whole = sgf_trace(n, Sigma);
  SGF_TRY(unit_pair(now, "numbers", "calmed", trace->predicted / whole, trace->measured / whole,
                    trace->standard_error / whole, error));
  for (size_t k = 0; now->seed == 1 && k < set->count; k++) {
    double variance = sgf_quadratic_form(n, Sigma, directions + k * n);
    SGF_TRY(unit_note(now, "modes", error));
    SGF_TRY(unit_text(now, "modes", "sampling", SAMPLING_NAMES[settings->training.sampling], error));
    SGF_TRY(unit_number(now, "modes", "crossover", settings->training.learning_rate * set->curvature[k] * batches,
                        error));
    SGF_TRY(unit_pair(now, "modes", "calmed", set->predicted[k] / variance, set->measured[k] / variance,
                      set->error[k] / variance, error));
  }
done:
  free(Sigma);
  return status;
}

static sgf_status note_layer(study_unit *now, size_t l, sgf_error *error)
{
  const sgf_layer_info *layer = sgf_prediction_get_layer(now->prediction, l);
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  char text[48];
  sgf_status status;
  SGF_TRY(unit_note(now, "layers", error));
  snprintf(text, sizeof text, "layer %zu", l);
  SGF_TRY(unit_text(now, "layers", "row", text, error));
  SGF_TRY(unit_text(now, "layers", "coupled", info->layers > 1 ? "yes" : "no", error));
  const study_number numbers[] = {{"layer", (double)l},
                                  {"depth", (double)info->layers},
                                  {"weights", (double)layer->weights},
                                  {"rank", (double)layer->rank_hessian},
                                  {"trace_in_T", layer->trace / info->temperature},
                                  {"psi_uncoupled", layer->ivfr_uncoupled.psi}};
  SGF_TRY(unit_numbers(now, "layers", numbers, sizeof numbers / sizeof *numbers, error));
  snprintf(text, sizeof text, "layer%zu_trace", l);
  SGF_TRY(unit_note_quantity(now, "layers", "trace", info->layers > 1 ? text : "trace", error));
  snprintf(text, sizeof text, "layer%zu_ivfr_psi", l);
  SGF_TRY(unit_note_quantity(now, "layers", "psi", info->layers > 1 ? text : "ivfr_psi", error));
done:
  return status;
}

/* A network whose problem is open, and its layers. psi is that of the last layer. */
static sgf_status note_network(study_unit *now, sgf_error *error)
{
  const sgf_settings *settings = sgf_problem_settings(now->problem);
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  size_t L = info->layers;
  const sgf_layer_info *last = sgf_prediction_get_layer(now->prediction, L);
  double momentum = settings->training.momentum, lambda = settings->training.learning_rate;
  char psi[48];
  sgf_status status;
  SGF_TRY(unit_note(now, "numbers", error));
  SGF_TRY(unit_text(now, "numbers", "sampling", SAMPLING_NAMES[settings->training.sampling], error));
  const study_number numbers[] = {
      {"momentum", momentum},
      {"gain", 1.0 / (1.0 - momentum)},
      {"layers", (double)L},
      {"batches", (double)sgf_problem_samples(now->problem) / (double)settings->training.batch_size},
      {"lambda_h_max", lambda * info->largest_curvature},
      {"below_crossover", (double)info->modes_below_crossover},
      {"rank", (double)info->rank_hessian},
      {"rank_rule", (double)(settings->network.widths[0] * settings->network.widths[L])},
      {"trace_in_T", info->trace / info->temperature},
      {"psi_independent", last->ivfr_independent.psi},
      {"lifetime", info->lifetime}};
  SGF_TRY(unit_numbers(now, "numbers", numbers, sizeof numbers / sizeof *numbers, error));
  SGF_TRY(unit_note_quantity(now, "numbers", "trace", "trace", error));
  snprintf(psi, sizeof psi, "layer%zu_ivfr_psi", L);
  SGF_TRY(unit_note_quantity(now, "numbers", "psi", L > 1 ? psi : "ivfr_psi", error));
  SGF_TRY(unit_note_verdict(now, "numbers", error));
  for (size_t l = 1; l <= L; l++) SGF_TRY(note_layer(now, l, error));
done:
  return status;
}

static sgf_status measure_sampling(study_unit *now, sgf_error *error)
{
  sgf_status status = unit_open(now, NULL, error);
  if (status == SGF_OK) status = unit_verify(now, error);
  if (status == SGF_OK) status = note_network(now, error);
  return status == SGF_OK ? note_calm(now, error) : status;
}

static sgf_status measure_network(study_unit *now, sgf_error *error)
{
  sgf_status status = unit_open(now, NULL, error);
  if (status == SGF_OK) status = unit_verify(now, error);
  return status == SGF_OK ? note_network(now, error) : status;
}

static sgf_status measure_at_limit(study_unit *now, sgf_error *error)
{
  sgf_status status = unit_open_at(now, 0.04, NULL, error);
  if (status == SGF_OK) status = unit_verify(now, error);
  return status == SGF_OK ? note_network(now, error) : status;
}

#define CURVES(list) list, sizeof list / sizeof *list
#define TOLERANCES(config, quick)                                    \
  {                                                                  \
    config "verify.tolerance=" quick, config "verify.tolerance=0.05" \
  }

/* ------------------------------------------------------------------------------ sampling */

#define ONE_LAYER "network.widths=[8,1] data.input_power_law=2 training.learning_rate=0.01 "
#define MANY ONE_LAYER "data.samples=6000 training.batch_size=50 "
#define FEW ONE_LAYER "data.samples=600 training.batch_size=5 "
#define TWO_LAYERS                                                                       \
  "network.widths=[4,5,3] data.samples=200 data.label_noise=0.3 training.batch_size=10 " \
  "training.learning_rate=0.01 "
static const study_case SAMPLING_CASES[] = {
    {"one layer, replacement", IN_BOTH, MANY "training.sampling=replacement"},
    {"one layer, without replacement", IN_FULL, MANY "training.sampling=without-replacement"},
    {"one layer, epoch", IN_BOTH, MANY "training.sampling=epoch"},
    {"one layer, few samples, epoch", IN_BOTH, FEW "training.sampling=epoch"},
    {"two layers, replacement", IN_BOTH, TWO_LAYERS "training.sampling=replacement"},
    {"two layers, without replacement", IN_BOTH, TWO_LAYERS "training.sampling=without-replacement"},
    {"two layers, epoch", IN_BOTH, TWO_LAYERS "training.sampling=epoch"}};
static const study SAMPLING = {"sampling",
                               TOLERANCES("theory.equation=discrete ", "0.15"),
                               {1, 2},
                               SAMPLING_CASES,
                               sizeof SAMPLING_CASES / sizeof *SAMPLING_CASES,
                               NETWORK_STREAMS,
                               1,
                               measure_sampling};

#define AGREES                                                                                                       \
  {                                                                                                                  \
    "theory_is_right", "theory and SGD agree in all quantities of the full comparison", TEST_VERDICTS, "comparison", \
        NULL, NULL, NULL, 0.0, 0.0, false, NULL                                                                      \
  }
static const exhibit_column SAMPLING_COLUMNS[] = {
    {"batches", "<i>P</i>/<i>S</i>", NULL, false},
    {"trace", "tr &Sigma;, theory", NULL, false},
    {"trace_sgd", "SGD", "trace_sgd_se", false},
    {"calmed", "over that of independent draws, theory", NULL, false},
    {"calmed_sgd", "SGD", "calmed_sgd_se", false},
    {"below_crossover", "modes with &lambda;<i>hM</i> &lt; 3", NULL, false},
    {"rank", "of", NULL, false},
    {"psi", "&psi; of the last layer, theory", NULL, false},
    {"psi_sgd", "SGD", "psi_sgd_se", false},
    {"psi_independent", "with independent draws", NULL, false},
    {"quantities", "quantities compared", NULL, false},
    {"comparison", "theory against SGD", NULL, true}};
static const exhibit_test SAMPLING_TESTS[] = {AGREES,
                                              {"calmer", "reshuffling leaves less of the variance (epoch)",
                                               TEST_BELOW, "calmed_sgd", "calmed_sgd_se", NULL, NULL, 1.0, 0.0, false,
                                               "sampling=epoch"}};
static const curve SAMPLING_MODES[] = {
    {NULL, NULL, NULL,
     "1 - (2./x)*tanh(x/2.)*(1-exp(-2.*x))/(2.*x) - (2./x)*(1 - 2.*(1-exp(-x))/x + (1-exp(-2.*x))/(2.*x))", NULL,
     DRAW_FUNCTION, 0, "reshuffled, limit of small λ"},
    {NULL, NULL, NULL, "1", NULL, DRAW_FUNCTION, 3, "independent draws"},
    {"modes", "case=one layer, epoch", "crossover", "calmed_sgd", "calmed_sgd_se", DRAW_POINTS, 1, "SGD, one layer"},
    {"modes", "case=one layer, few samples, epoch", "crossover", "calmed_sgd", "calmed_sgd_se", DRAW_POINTS, 4,
     "SGD, few samples"},
    {"modes", "case=two layers, epoch", "crossover", "calmed_sgd", "calmed_sgd_se", DRAW_POINTS, 2,
     "SGD, two layers"}};
static const curve SAMPLING_THEORY[] = {
    {NULL, NULL, NULL, "x", NULL, DRAW_FUNCTION, 0, "equal"},
    {"modes", "sampling=epoch", "calmed", "calmed_sgd", "calmed_sgd_se", DRAW_POINTS, 1, "reshuffled"},
    {"modes", "sampling=without-replacement", "calmed", "calmed_sgd", "calmed_sgd_se", DRAW_POINTS, 2,
     "without replacement"},
    {"modes", "sampling=replacement", "calmed", "calmed_sgd", "calmed_sgd_se", DRAW_POINTS, 3, "with replacement"}};
static const panel SAMPLING_PANELS[] = {
    {NULL, "λ{/:Italic hM}, {/:Italic M} = {/:Italic P}/{/:Italic S} batches of an epoch",
     "variance over that of independent draws", true, true, CURVES(SAMPLING_MODES),
     "set xrange [0.03:100]\nset yrange [0.005:3]\nset format x '%g'\nset format y '%g'\nset key bottom right"},
    {NULL, "variance over that of independent draws, theory", "SGD", true, true, CURVES(SAMPLING_THEORY),
     "set xrange [0.005:3]\nset yrange [0.005:3]\nset format x '%g'\nset format y '%g'\nset key bottom right"}};

const exhibit EXHIBIT_T8_SAMPLING = {
    .id = "T8-sampling",
    .title = "Reshuffled epochs calm what is slower than an epoch",
    .claim = "Batches drawn with replacement, without, or by reshuffling in every epoch make different noise: an "
             "epoch's batches "
             "add up to the full gradient, and modes with &lambda;<i>hM</i> below about 3 are calmed, the more the "
             "slower they are.",
    .setup = "One layer: eight inputs whose variances fall with the power 2 of their number, <i>P</i> = 600, "
             "<i>S</i> = 5. Two "
             "layers: 4&ndash;5&ndash;3, <i>P</i> = 200, <i>S</i> = 10. &lambda; = 0.01. Independent draws have the "
             "same noise of "
             "one batch.",
    .of = &SAMPLING,
    .columns = SAMPLING_COLUMNS,
    .column_count = sizeof SAMPLING_COLUMNS / sizeof *SAMPLING_COLUMNS,
    .tests = SAMPLING_TESTS,
    .test_count = sizeof SAMPLING_TESTS / sizeof *SAMPLING_TESTS,
    .panels = SAMPLING_PANELS,
    .panel_count = sizeof SAMPLING_PANELS / sizeof *SAMPLING_PANELS,
    .caption = "Variances along the principal directions of one data set, with two standard errors. Left: against "
               "the number "
               "of relaxation times in an epoch, with the law for &lambda; &rarr; 0. Right: SGD against theory.",
    .remarks = "Reshuffling makes flat directions calm by itself: an inverse variance&ndash;flatness relation that "
               "is measured "
               "with epochs is not that of the coupling of the layers alone. The variance of the flattest modes is "
               "then of second order "
               "in &lambda;, as is what the noise's dependence on the weights adds to it, and that theory here "
               "neglects: with few "
               "samples it shows."};

/* ------------------------------------------------------------------------------ momentum */

#define MOMENTUM_ONE "network.widths=[10,1] data.samples=100 data.label_noise=0.3 training.batch_size=10 "
#define MOMENTUM_TWO "network.widths=[4,5,3] data.samples=200 data.label_noise=0.3 training.batch_size=10 "
static const study_case MOMENTUM_CASES[] = {{"one layer, β = 0", IN_BOTH, MOMENTUM_ONE},
                                            {"one layer, β = 0.5", IN_BOTH, MOMENTUM_ONE "training.momentum=0.5"},
                                            {"one layer, β = 0.9", IN_BOTH, MOMENTUM_ONE "training.momentum=0.9"},
                                            {"two layers, β = 0", IN_BOTH, MOMENTUM_TWO},
                                            {"two layers, β = 0.5", IN_BOTH, MOMENTUM_TWO "training.momentum=0.5"},
                                            {"two layers, β = 0.9", IN_BOTH, MOMENTUM_TWO "training.momentum=0.9"}};
static const study MOMENTUM = {"momentum",
                               TOLERANCES("theory.equation=discrete training.learning_rate=0.002 ", "0.15"),
                               {1, 3},
                               MOMENTUM_CASES,
                               sizeof MOMENTUM_CASES / sizeof *MOMENTUM_CASES,
                               NETWORK_STREAMS,
                               1,
                               measure_network};

static const exhibit_column MOMENTUM_COLUMNS[] = {{"gain", "1/(1 &minus; &beta;)", NULL, false},
                                                  {"layers", NULL, NULL, false},
                                                  {"lambda_h_max", "&lambda;<i>h</i><sub>max</sub>", NULL, false},
                                                  {"trace", "tr &Sigma;, theory", NULL, false},
                                                  {"trace_sgd", "SGD", "trace_sgd_se", false},
                                                  {"trace_in_T", "tr &Sigma; / <i>T</i>, stationary", NULL, false},
                                                  {"psi", "&psi; of the last layer, theory", NULL, false},
                                                  {"psi_sgd", "SGD", "psi_sgd_se", false},
                                                  {"lifetime", "lifetime", NULL, false},
                                                  {"quantities", "quantities compared", NULL, false},
                                                  {"comparison", "theory against SGD", NULL, true}};
static const exhibit_test MOMENTUM_TESTS[] = {AGREES};
static const curve MOMENTUM_TRACES[] = {
    {NULL, "layers=1", "gain", "trace", NULL, DRAW_LINE, 1, "one layer, theory"},
    {NULL, "layers=1", "gain", "trace_sgd", "trace_sgd_se", DRAW_POINTS, 1, "SGD"},
    {NULL, "layers=2", "gain", "trace", NULL, DRAW_LINE, 2, "two layers, theory"},
    {NULL, "layers=2", "gain", "trace_sgd", "trace_sgd_se", DRAW_POINTS, 2, "SGD"}};
static const curve MOMENTUM_PSI[] = {{NULL, "layers=2", "gain", "psi", NULL, DRAW_LINE, 2, "theory"},
                                     {NULL, "layers=2", "gain", "psi_sgd", "psi_sgd_se", DRAW_POINTS, 2, "SGD"}};
static const panel MOMENTUM_PANELS[] = {
    {NULL, "1/(1 - β)", "tr Σ", true, true, CURVES(MOMENTUM_TRACES),
     "set xrange [0.8:12.5]\nset yrange [3e-5:3e-3]\nset format x '%g'\nset xtics (1, 2, 5, 10)\nset key bottom "
     "right"},
    {"two layers", "1/(1 - β)", "ψ of layer 2", true, false, CURVES(MOMENTUM_PSI),
     "set xrange [0.8:12.5]\nset format x '%g'\nset xtics (1, 2, 5, 10)\nset yrange [0:*]\nset key bottom right"}};

const exhibit EXHIBIT_T8_MOMENTUM = {
    .id = "T8-momentum",
    .title = "Momentum is a larger learning rate",
    .claim = "With heavy-ball momentum the covariance is that of the Stein equation: to leading order that of a "
             "learning rate "
             "1/(1 &minus; &beta;) times as large, with the same shape and the same &psi;.",
    .setup = "One layer: ten inputs, <i>P</i> = 100. Two layers: 4&ndash;5&ndash;3, <i>P</i> = 200. <i>S</i> = 10, "
             "&lambda; = 0.002.",
    .of = &MOMENTUM,
    .columns = MOMENTUM_COLUMNS,
    .column_count = sizeof MOMENTUM_COLUMNS / sizeof *MOMENTUM_COLUMNS,
    .tests = MOMENTUM_TESTS,
    .test_count = sizeof MOMENTUM_TESTS / sizeof *MOMENTUM_TESTS,
    .panels = MOMENTUM_PANELS,
    .panel_count = sizeof MOMENTUM_PANELS / sizeof *MOMENTUM_PANELS,
    .caption = "Trace and &psi; against what momentum multiplies the learning rate by, with two standard errors.",
    .remarks = "<i>T</i> has the factor 1/(1 &minus; &beta;). The lifetime of two layers, in units of continuum time "
               "&lambda; times "
               "step, falls with its square."};

/* --------------------------------------------------------------------------------- depth */

#define DEPTH_CONFIG "data.samples=200 data.label_noise=0.3 training.batch_size=10 theory.equation=discrete "
static const study_case DEPTH_CASES[] = {{"L = 1", IN_BOTH, "network.widths=[4,4]"},
                                         {"L = 2", IN_BOTH, "network.widths=[4,4,4]"},
                                         {"L = 3", IN_BOTH, "network.widths=[4,4,4,4]"},
                                         {"L = 4", IN_BOTH, "network.widths=[4,4,4,4,4]"}};
static const study DEPTH = {"depth",
                            TOLERANCES(DEPTH_CONFIG, "0.1"),
                            {1, 3},
                            DEPTH_CASES,
                            sizeof DEPTH_CASES / sizeof *DEPTH_CASES,
                            NETWORK_STREAMS,
                            1,
                            measure_at_limit};

static const exhibit_column DEPTH_COLUMNS[] = {{"lambda_h_max", "&lambda;<i>h</i><sub>max</sub>", NULL, false},
                                               {"rank", "rank of <i>H</i>", NULL, false},
                                               {"rank_rule", "<i>N</i><sub>0</sub><i>N<sub>L</sub></i>", NULL, false},
                                               {"trace_in_T", "tr &Sigma; / <i>T</i>, stationary", NULL, false},
                                               {"trace", "tr &Sigma;, theory", NULL, false},
                                               {"trace_sgd", "SGD", "trace_sgd_se", false},
                                               {"lifetime", "lifetime", NULL, false},
                                               {"quantities", "quantities compared", NULL, false},
                                               {"comparison", "theory against SGD", NULL, true}};
static const exhibit_test DEPTH_TESTS[] = {
    AGREES,
    {"rank_of_map", "rank <i>H</i> = <i>N</i><sub>0</sub><i>N<sub>L</sub></i> whatever the depth", TEST_SAME, "rank",
     NULL, "rank_rule", NULL, 0.0, 0.0, false, NULL}};

const exhibit EXHIBIT_T8_DEPTH = {
    .id = "T8-depth",
    .title = "Deeper networks: fluctuations on a range of the same dimension",
    .claim =
        "At any depth drift and noise live on as many directions as the map has entries, and the theory of the same "
        "equations holds.",
    .setup = "<i>L</i> layers of 4 &times; 4 weights, <i>P</i> = 200, <i>S</i> = 10, a twenty-fifth of the stability "
             "limit; runs from "
             "&theta;*.",
    .of = &DEPTH,
    .columns = DEPTH_COLUMNS,
    .column_count = sizeof DEPTH_COLUMNS / sizeof *DEPTH_COLUMNS,
    .tests = DEPTH_TESTS,
    .test_count = sizeof DEPTH_TESTS / sizeof *DEPTH_TESTS};

static const exhibit_column DEPTH_LAYER_COLUMNS[] = {
    {"layer", NULL, NULL, false},
    {"depth", NULL, NULL, false},
    {"rank", "rank of <i>H<sub>ll</sub></i>", NULL, false},
    {"trace_in_T", "tr &Sigma;<sub><i>ll</i></sub> / <i>T</i>, stationary", NULL, false},
    {"trace", "tr &Sigma;<sub><i>ll</i></sub>, theory", NULL, false},
    {"trace_sgd", "SGD", "trace_sgd_se", false},
    {"psi", "&psi;, theory", NULL, false},
    {"psi_sgd", "SGD", "psi_sgd_se", false},
    {"psi_uncoupled", "&psi; uncoupled, theory", NULL, false}};
static const exhibit_test DEPTH_LAYER_TESTS[] = {
    {"psi_right", "&psi; as measured is that of theory within 10 %", TEST_EQUAL, "psi_sgd", "psi_sgd_se", "psi", NULL,
     0.0, 0.1, false, "coupled=yes"},
    {"relation", "and above 0", TEST_ABOVE, "psi_sgd", "psi_sgd_se", NULL, NULL, 0.0, 0.0, false, "coupled=yes"}};
static const curve DEPTH_PSI[] = {
    {NULL, "depth=2", "layer", "psi", NULL, DRAW_DASHED, 1, NULL},
    {NULL, "depth=2", "layer", "psi_sgd", "psi_sgd_se", DRAW_POINTS, 1, "{/:Italic L} = 2"},
    {NULL, "depth=3", "layer", "psi", NULL, DRAW_DASHED, 2, NULL},
    {NULL, "depth=3", "layer", "psi_sgd", "psi_sgd_se", DRAW_POINTS, 2, "{/:Italic L} = 3"},
    {NULL, "depth=4", "layer", "psi", NULL, DRAW_DASHED, 3, NULL},
    {NULL, "depth=4", "layer", "psi_sgd", "psi_sgd_se", DRAW_POINTS, 3, "{/:Italic L} = 4"},
    {NULL, "depth=2", "layer", "psi_uncoupled", NULL, DRAW_SMALL_POINTS, 0, "uncoupled, theory"},
    {NULL, "depth=3", "layer", "psi_uncoupled", NULL, DRAW_SMALL_POINTS, 0, NULL},
    {NULL, "depth=4", "layer", "psi_uncoupled", NULL, DRAW_SMALL_POINTS, 0, NULL}};
static const panel DEPTH_LAYER_PANELS[] = {
    {NULL, "layer {/:Italic l}", "ψ", false, false, CURVES(DEPTH_PSI),
     "set xrange [0.5:4.5]\nset xtics 1\nset yrange [-2:4]\nset key top right"}};

const exhibit EXHIBIT_T8_DEPTH_LAYERS = {
    .id = "T8-depth-layers",
    .title = "Deeper networks: the inverse variance–flatness relation layer by layer",
    .claim = "The relation that the coupling of layers makes is in every layer of a deep network, as predicted, and "
             "not in a layer alone.",
    .setup = "The networks of T8-depth.",
    .of = &DEPTH,
    .columns = DEPTH_LAYER_COLUMNS,
    .column_count = sizeof DEPTH_LAYER_COLUMNS / sizeof *DEPTH_LAYER_COLUMNS,
    .tests = DEPTH_LAYER_TESTS,
    .test_count = sizeof DEPTH_LAYER_TESTS / sizeof *DEPTH_LAYER_TESTS,
    .panels = DEPTH_LAYER_PANELS,
    .panel_count = sizeof DEPTH_LAYER_PANELS / sizeof *DEPTH_LAYER_PANELS,
    .caption =
        "&psi; of every layer: theory (dashed), SGD with two standard errors, and with the other layers frozen.",
    .stream = "layers",
    .label = "row"};
