/* T4: rank deficiencies of drift and noise, against a formula of the widths and of the layers' ranks alone. */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/problem.h"
#include "catalogue.h"

enum { MOST_LAYERS = 3, TEXT = 80 };

/* The cases of the figure. */
#define SQUARE "square, 8-8-8"
#define BOTTLENECK "bottleneck, 8-3-8"
#define LOW "ranks 5 and 4, 8-8-8"
#define DEEP "deep, 6-7-5-6"
#define BALANCED "balanced and wide, 6-12-5"

static size_t least(size_t one, size_t other) { return one < other ? one : other; }

/* ------------------------------------------------------------- what is predicted */

typedef struct {
  size_t joint, blocks[MOST_LAYERS];
} ranks;

/* Of the Jacobian of M = W_L ... W_1, sum of A_l dW_l B_l: with a_l = rank(W_L ... W_{l+1}), a_0 = 0, and b_l =
 * rank(W_{l-1} ... W_1) the column spaces of the A_l grow and the row spaces of the B_l shrink with l, so that it has
 * sum_l (a_l - a_{l-1}) b_l, and layer l alone a_l b_l. Two layers: N_0 N_2 - (N_2 - rank W_2) (N_0 - rank W_1). The
 * products have the least rank of their factors, as generic ones do. */
static ranks predicted_ranks(const sgf_network *network, const size_t *layer_ranks)
{
  ranks result = {0};
  size_t before = 0;
  for (size_t l = 1; l <= network->layers; l++) {
    size_t a = network->widths[network->layers], b = network->widths[0];
    for (size_t k = l + 1; k <= network->layers; k++) a = least(a, layer_ranks[k - 1]);
    for (size_t k = 1; k < l; k++) b = least(b, layer_ranks[k - 1]);
    result.blocks[l - 1] = a * b;
    result.joint += (a - before) * b;
    before = a;
  }
  return result;
}

/* Of P samples of which one combination of the gradients vanishes, as the minimum says: at most P - 1. */
static size_t of_noise(size_t rank, size_t samples) { return least(rank, samples - 1); }

/* Ranks of the layers, where they are not all that their shape allows. */
static const struct {
  const char *name;
  size_t ranks[MOST_LAYERS];
} DEFICIENT[] = {{"W1 of rank 5, 8-8-8", {5, 8}},
                 {"W2 of rank 4, 8-8-8", {8, 4}},
                 {LOW, {5, 4}},
                 {"two hidden units dead, 8-8-8", {6, 6}},
                 {"ranks 3 and 3, 10-6-5", {3, 3}},
                 {"middle of rank 3, 6-8-7-6", {6, 3, 6}},
                 {"ranks 4, 3, 5, 6-8-7-6", {4, 3, 5}}};

/* Whether the case's layers are of lower rank; those ranks, or the full ones. Balanced layers have the rank of M. */
static bool ranks_of_layers(const study_unit *now, const sgf_network *network, size_t *layer_ranks)
{
  size_t of_map = network->widths[0];
  for (size_t l = 0; l <= network->layers; l++) of_map = least(of_map, network->widths[l]);
  bool balanced = sgf_problem_settings(now->problem)->network.start != SGF_START_DESCENT;
  for (size_t l = 1; l <= network->layers; l++)
    layer_ranks[l - 1] = balanced ? of_map : least(network->widths[l - 1], network->widths[l]);
  for (size_t k = 0; k < sizeof DEFICIENT / sizeof *DEFICIENT; k++)
    if (strcmp(now->which->name, DEFICIENT[k].name) == 0) {
      memcpy(layer_ranks, DEFICIENT[k].ranks, network->layers * sizeof *layer_ranks);
      return true;
    }
  return false;
}

/* ------------------------------------------------------ layers of lower rank */

/* W (rows, columns) but its `rank` largest singular values. */
static sgf_status truncate_matrix(size_t rows, size_t columns, size_t rank, double *W, sgf_error *error)
{
  size_t k = least(rows, columns);
  double *U = NULL, *Vt, *d;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&U, rows + columns + 1, k, "singular vectors", error));
  Vt = U + rows * k;
  d = Vt + k * columns;
  SGF_TRY(sgf_thin_svd(rows, columns, W, U, d, Vt, "a layer", error));
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j < columns; j++) Vt[i * columns + j] *= d[i];
  for (size_t i = 0; i < rows; i++) memmove(U + i * rank, U + i * k, rank * sizeof *U);
  sgf_multiply(rows, columns, rank, SGF_PLAIN, U, SGF_PLAIN, Vt, W);
done:
  free(U);
  return status;
}

/* Y (P, N_L) += sign X M^T, M the map of theta. */
static sgf_status add_map(const sgf_problem *problem, const double *theta, double sign, double *Y, sgf_error *error)
{
  size_t P = problem->data.samples, inputs = problem->data.inputs, outputs = problem->data.outputs;
  double *M = NULL, *out = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(&problem->network, theta, 1, problem->network.layers, &M, error));
  SGF_TRY(sgf_new_reals(&out, P, outputs, "outputs", error));
  sgf_multiply(P, outputs, inputs, SGF_PLAIN, problem->data.X, SGF_TRANSPOSED, M, out);
  for (size_t k = 0; k < P * outputs; k++) Y[k] += sign * out[k];
done:
  free(M);
  free(out);
  return status;
}

/* From the unit's problem, without a bottleneck: layers of lower rank, and targets of which their map is the
 * least-squares solution, with the residuals as they were. So the weights are a minimum, to round-off. */
static sgf_status lower_ranks(study_unit *now, const char *extra, const size_t *layer_ranks, sgf_error *error)
{
  const sgf_problem *problem = now->problem;
  const sgf_network *network = &problem->network;
  size_t P = problem->data.samples, outputs = problem->data.outputs;
  double *theta = NULL, *Y;
  char config[2 * TEXT];
  sgf_status status;
  SGF_TRY(sgf_new_reals(&theta, network->weights + P * outputs, 1, "weights of low rank", error));
  Y = theta + network->weights;
  memcpy(theta, problem->theta, network->weights * sizeof *theta);
  memcpy(Y, problem->data.Y, P * outputs * sizeof *Y);
  SGF_TRY(add_map(problem, theta, -1.0, Y, error));
  for (size_t l = 1; l <= network->layers; l++)
    SGF_TRY(truncate_matrix(network->widths[l], network->widths[l - 1], layer_ranks[l - 1],
                            theta + network->offsets[l], error));
  SGF_TRY(add_map(problem, theta, 1.0, Y, error));
  snprintf(config, sizeof config, "%s network.relax=false", extra);
  SGF_TRY(unit_open_arrays(now, config, P, problem->data.X, Y, theta, error));
done:
  free(theta);
  return status;
}

static sgf_status open_case(study_unit *now, double rate, size_t *layer_ranks, sgf_error *error)
{
  char config[TEXT];
  snprintf(config, sizeof config, "training.learning_rate=%.4g", rate);
  sgf_status status = unit_open(now, config, error);
  if (status == SGF_OK && ranks_of_layers(now, &now->problem->network, layer_ranks))
    status = lower_ranks(now, config, layer_ranks, error);
  return status;
}

/* ------------------------------------------------------------------- what is noted */

static const char *const RANK_NUMBERS[] = {
    "layers",          "weights",          "samples",       "rank_predicted", "rank_hessian",
    "noise_predicted", "rank_noise",       "gap",           "null_noise",     "blocks_predicted",
    "blocks",          "block_difference", "learning_rate", "leak",           "leak_se",
    "leak_half",       "leak_half_se",     "leak_ratio",    "leak_ratio_se",  NULL};
static const char *const RANK_SPECTRUM[] = {"index", "share", "hessian", "noise", "variance", "variance_half", NULL};
static const study_stream RANK_STREAMS[] = {{"numbers", RANK_NUMBERS}, {"spectrum", RANK_SPECTRUM}, {NULL, NULL}};

/* "H 64, 64; C 39, 39" of the layers' own blocks, as predicted and as found, and by how much they differ in all. */
static sgf_status note_blocks(study_unit *now, const ranks *predicted, sgf_error *error)
{
  char text[TEXT] = "", found[TEXT] = "";
  size_t layers = now->problem->network.layers, samples = now->problem->data.samples, used = 0, found_used = 0;
  double off = 0.0;
  for (size_t noise = 0; noise < 2; noise++)
    for (size_t l = 1; l <= layers; l++) {
      const sgf_layer_info *info = sgf_prediction_get_layer(now->prediction, l);
      size_t is = noise ? info->rank_noise : info->rank_hessian;
      size_t ought = noise ? of_noise(predicted->blocks[l - 1], samples) : predicted->blocks[l - 1];
      const char *before = l > 1 ? ", " : noise ? "; C " : "H ";
      used += (size_t)snprintf(text + used, TEXT - used, "%s%zu", before, ought);
      found_used += (size_t)snprintf(found + found_used, TEXT - found_used, "%s%zu", before, is);
      off += fabs((double)is - (double)ought);
    }
  sgf_status status = unit_text(now, "numbers", "blocks_predicted", text, error);
  if (status == SGF_OK) status = unit_text(now, "numbers", "blocks", found, error);
  return status == SGF_OK ? unit_number(now, "numbers", "block_difference", off, error) : status;
}

static sgf_status note_ranks(study_unit *now, const ranks *predicted, sgf_error *error)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  size_t samples = sgf_problem_samples(now->problem);
  const study_number notes[] = {{"layers", (double)now->problem->network.layers},
                                {"weights", (double)info->weights},
                                {"samples", (double)samples},
                                {"rank_predicted", (double)predicted->joint},
                                {"rank_hessian", (double)info->rank_hessian},
                                {"noise_predicted", (double)of_noise(predicted->joint, samples)},
                                {"rank_noise", (double)info->rank_noise},
                                {"gap", info->rank_gap},
                                {"null_noise", info->null_noise},
                                {"learning_rate", sgf_problem_settings(now->problem)->training.learning_rate}};
  sgf_status status = unit_note(now, "numbers", error);
  if (status == SGF_OK) status = unit_numbers(now, "numbers", notes, sizeof notes / sizeof *notes, error);
  return status == SGF_OK ? note_blocks(now, predicted, error) : status;
}

/* Variance over T along eigenvectors V (n, n) of H, as measured. */
static sgf_status measured_forms(const study_unit *now, size_t n, const double *V, double *forms, sgf_error *error)
{
  double *Sigma, unit_of_variance = sgf_prediction_get_info(now->prediction)->temperature;
  sgf_status status = sgf_new_reals(&Sigma, n, n, "measured covariance", error);
  if (status != SGF_OK) return status;
  status = sgf_ensemble_moments(now->ensemble, Sigma, NULL, NULL, error);
  for (size_t k = 0; k < n; k++) forms[k] = sgf_quadratic_form(n, Sigma, V + k * n) / unit_of_variance;
  free(Sigma);
  return status;
}

/* Eigenvalues of H, relative to the largest, and the noise and the measured variances along its eigenvectors: values
 * (4, n) of H, C, and SGD at both rates. */
static sgf_status note_spectrum(study_unit *now, const ranks *predicted, size_t n, double *values, sgf_error *error)
{
  static const char *const names[] = {"hessian", "noise", "variance", "variance_half"};
  double largest[4] = {values[n - 1], 0.0, 1.0, 1.0};
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < n; k++) values[k] = fabs(values[k]);
  gsl_sort(values, 1, n);
  for (size_t k = 0; k < n; k++) largest[1] = fmax(largest[1], values[n + k]);
  for (size_t k = 0; k < n && status == SGF_OK; k++) {
    status = unit_note(now, "spectrum", error);
    if (status == SGF_OK) status = unit_number(now, "spectrum", "index", (double)(k + 1), error);
    if (status == SGF_OK)
      status = unit_number(now, "spectrum", "share", (double)(k + 1) / (double)predicted->joint, error);
    for (size_t i = 0; i < 4 && status == SGF_OK; i++) {
      double relative = fabs(values[i * n + n - 1 - k]) / largest[i];
      status = unit_number(now, "spectrum", names[i], fmax(relative, 1e-18), error);
    }
  }
  return status;
}

static sgf_status note_leaks(study_unit *now, const double *leak, const double *leak_error, sgf_error *error)
{
  double ratio = leak[1] / leak[0];
  const study_number notes[] = {
      {"leak", leak[0]},      {"leak_se", leak_error[0]},
      {"leak_half", leak[1]}, {"leak_half_se", leak_error[1]},
      {"leak_ratio", ratio},  {"leak_ratio_se", ratio * hypot(leak_error[0] / leak[0], leak_error[1] / leak[1])}};
  return unit_numbers(now, "numbers", notes, sizeof notes / sizeof *notes, error);
}

/* In the figure: some cases, the first data set. */
static bool is_shown(const study_unit *now)
{
  static const char *const shown[] = {SQUARE, BOTTLENECK, LOW, DEEP, BALANCED};
  bool found = false;
  for (size_t k = 0; k < sizeof shown / sizeof *shown; k++) found = found || strcmp(now->which->name, shown[k]) == 0;
  return found && now->seed == 1;
}

/* Ranks, and SGD at a learning rate and at half of it. */
static sgf_status measure_ranks(study_unit *now, sgf_error *error)
{
  const double share_of_limit = 0.04;
  size_t layer_ranks[MOST_LAYERS], n;
  double leak[2], leak_error[2], *V = NULL, *values;
  ranks predicted;
  sgf_status status;
  SGF_TRY(open_case(now, 1e-6, layer_ranks, error));
  double rate = share_of_limit * sgf_learning_rate_limit(now->prediction);
  SGF_TRY(open_case(now, rate, layer_ranks, error));
  n = sgf_problem_weights(now->problem);
  predicted = predicted_ranks(&now->problem->network, layer_ranks);
  SGF_TRY(note_ranks(now, &predicted, error));
  SGF_TRY(sgf_new_reals(&V, n + 4, n, "eigenvectors of H", error));
  values = V + n * n;
  memcpy(V, unit_array(now, "hessian"), n * n * sizeof *V);
  SGF_TRY(sgf_symmetric_eigen(n, V, values, "H", error));
  for (size_t k = 0; k < n; k++)
    values[n + k] = sgf_quadratic_form(n, unit_array(now, "noise_covariance"), V + k * n);
  for (size_t half = 0; half < 2; half++) {
    if (half > 0) SGF_TRY(open_case(now, 0.5 * rate, layer_ranks, error));
    SGF_TRY(unit_verify(now, error));
    SGF_TRY(measured_forms(now, n, V, values + (2 + half) * n, error));
    leak[half] = sgf_comparison_get_info(now->comparison)->null_leak;
    leak_error[half] = sgf_comparison_get_info(now->comparison)->null_leak_error;
  }
  SGF_TRY(note_leaks(now, leak, leak_error, error));
  if (is_shown(now)) SGF_TRY(note_spectrum(now, &predicted, n, values, error));
done:
  free(V);
  return status;
}

/* ------------------------------------------------------------------------ the study */

static const study_case RANK_CASES[] = {
    {SQUARE, IN_BOTH, "network.widths=[8,8,8]"},
    {"narrow, 10-6-5", IN_BOTH, "network.widths=[10,6,5]"},
    {"wide, 6-12-5", IN_BOTH, "network.widths=[6,12,5]"},
    {"one output, 8-8-1", IN_BOTH, "network.widths=[8,8,1]"},
    {BOTTLENECK, IN_BOTH, "network.widths=[8,3,8]"},
    {DEEP, IN_BOTH, "network.widths=[6,7,5,6]"},
    {"deep with a bottleneck, 6-3-5-6", IN_BOTH, "network.widths=[6,3,5,6]"},
    {"deep and wide, 4-9-8-4", IN_BOTH, "network.widths=[4,9,8,4]"},
    {"W1 of rank 5, 8-8-8", IN_BOTH, "network.widths=[8,8,8]"},
    {"W2 of rank 4, 8-8-8", IN_BOTH, "network.widths=[8,8,8]"},
    {LOW, IN_BOTH, "network.widths=[8,8,8]"},
    {"two hidden units dead, 8-8-8", IN_BOTH, "network.widths=[8,8,8]"},
    {"ranks 3 and 3, 10-6-5", IN_BOTH, "network.widths=[10,6,5]"},
    {"middle of rank 3, 6-8-7-6", IN_BOTH, "network.widths=[6,8,7,6]"},
    {"ranks 4, 3, 5, 6-8-7-6", IN_BOTH, "network.widths=[6,8,7,6]"},
    {BALANCED, IN_BOTH, "network.widths=[6,12,5] network.start=balanced"},
    {"few samples, 8-8-8", IN_BOTH, "network.widths=[8,8,8] data.samples=40"},
    {"power-law inputs, 8-8-8", IN_BOTH, "network.widths=[8,8,8] data.input_power_law=1"},
    {"square, 20-20-20", IN_FULL, "network.widths=[20,20,20]"},
    {"bottleneck, 20-5-20", IN_FULL, "network.widths=[20,5,20]"},
    {"deep, 12-10-14-12", IN_FULL, "network.widths=[12,10,14,12]"}};

#define RANK_CONFIG \
  "data.samples=400 data.label_noise=0.2 training.batch_size=8 simulation.burn_in=2 simulation.window=8 "
static const study RANKS = {"ranks",
                            {RANK_CONFIG "simulation.replicas=96", RANK_CONFIG "simulation.replicas=240"},
                            {1, 3},
                            RANK_CASES,
                            sizeof RANK_CASES / sizeof *RANK_CASES,
                            RANK_STREAMS,
                            1,
                            measure_ranks};

static const exhibit_column T4_COLUMNS[] = {{"weights", "<i>n</i>", NULL, false},
                                            {"rank_predicted", "rank of <i>H</i>, formula", NULL, false},
                                            {"rank_hessian", "found", NULL, false},
                                            {"noise_predicted", "of <i>C</i>, formula", NULL, false},
                                            {"rank_noise", "found", NULL, false},
                                            {"blocks_predicted", "of each layer's block, formula", NULL, true},
                                            {"blocks", "found", NULL, true},
                                            {"block_difference", "off by", NULL, false},
                                            {"gap", "gap", NULL, false},
                                            {"null_noise", "&#8214;<i>C</i>&#8214; on null(<i>H</i>)", NULL, false},
                                            {"leak", "SGD outside of range(<i>H</i>)", "leak_se", false},
                                            {"leak_half", "at &lambda;/2", "leak_half_se", false},
                                            {"leak_ratio", "ratio", "leak_ratio_se", false}};

static const exhibit_test T4_TESTS[] = {
    {"rank_of_hessian", "<i>H</i> has the rank of the formula", TEST_SAME, "rank_hessian", NULL, "rank_predicted",
     NULL, 0.0, 0.0, false, NULL},
    {"rank_of_noise", "so has <i>C</i>", TEST_SAME, "rank_noise", NULL, "noise_predicted", NULL, 0.0, 0.0, false,
     NULL},
    {"ranks_of_blocks", "and the blocks of each layer of both", TEST_SAME, "block_difference", NULL, NULL, NULL, 0.0,
     0.0, false, NULL},
    {"gap_is_clear", "the smallest eigenvalue kept is a million times the largest dropped", TEST_ABOVE, "gap", NULL,
     NULL, NULL, 1e6, 0.0, false, NULL},
    {"no_null_noise", "<i>C</i> vanishes where <i>H</i> does (below 10<sup>&minus;10</sup> of its norm)", TEST_BELOW,
     "null_noise", NULL, NULL, NULL, 1e-10, 0.0, false, NULL},
    {"leak_is_small", "of the variance of SGD less than 10 % is outside of range(<i>H</i>)", TEST_BELOW, "leak",
     "leak_se", NULL, NULL, 0.1, 0.0, false, NULL},
    {"leak_vanishes", "and that in proportion to &lambda;, within a quarter", TEST_EQUAL, "leak_ratio",
     "leak_ratio_se", NULL, NULL, 0.5, 0.25, false, NULL}};

static const curve T4_SPECTRA[] = {
    {"spectrum", "case=" SQUARE, "share", "hessian", NULL, DRAW_SMALL_POINTS, 0, "8–8–8"},
    {"spectrum", "case=" BOTTLENECK, "share", "hessian", NULL, DRAW_SMALL_POINTS, 1, "8–3–8"},
    {"spectrum", "case=" LOW, "share", "hessian", NULL, DRAW_SMALL_POINTS, 2, "ranks 5 and 4"},
    {"spectrum", "case=" DEEP, "share", "hessian", NULL, DRAW_SMALL_POINTS, 3, "6–7–5–6"},
    {"spectrum", "case=" BALANCED, "share", "hessian", NULL, DRAW_SMALL_POINTS, 4, "6–12–5, balanced"}};
static const curve T4_VARIANCES[] = {
    {"spectrum", "case=" SQUARE, "share", "variance", NULL, DRAW_SMALL_POINTS, 0, "8–8–8, SGD at λ"},
    {"spectrum", "case=" SQUARE, "share", "variance_half", NULL, DRAW_SMALL_POINTS, 1, "at λ/2"},
    {"spectrum", "case=" LOW, "share", "variance", NULL, DRAW_SMALL_POINTS, 2, "ranks 5 and 4, SGD at λ"},
    {"spectrum", "case=" LOW, "share", "variance_half", NULL, DRAW_SMALL_POINTS, 3, "at λ/2"}};
#define CURVES(list) list, sizeof list / sizeof *list
#define AT_RANK "set arrow 1 from first 1, graph 0 to first 1, graph 1 nohead dt (4,4) lc rgb '#888888'\n"
static const panel T4_PANELS[] = {
    {NULL, "index of the eigenvalue / predicted rank", "eigenvalue of {/:Italic H}, relative to the largest", false,
     true, CURVES(T4_SPECTRA), AT_RANK "set xrange [0:2.5]\nset yrange [1e-19:10]\nset key top right"},
    {NULL, "index of the eigenvector / predicted rank", "variance of SGD, units of {/:Italic T}", false, true,
     CURVES(T4_VARIANCES), AT_RANK "set xrange [0:2.5]\nset yrange [1e-4:100]\nset key top right"}};

const exhibit EXHIBIT_T4 = {
    .id = "T4",
    .title = "Rank deficiencies of drift and diffusion",
    .claim = "Drift and noise of several layers share a null space, and its dimension follows from the widths and "
             "the ranks "
             "of "
             "the layers alone.",
    .setup =
        "Gaussian data, <i>P</i> = 400 unless few. With <i>a<sub>l</sub></i> = rank(<i>W<sub>L</sub></i>&hellip;"
        "<i>W</i><sub><i>l</i>+1</sub>) and <i>b<sub>l</sub></i> = rank(<i>W</i><sub><i>l</i>&minus;1</sub>&hellip;"
        "<i>W</i><sub>1</sub>) and <i>a</i><sub>0</sub> = 0 the formula is rank <i>H</i> = "
        "&Sigma;<sub><i>l</i></sub> (<i>a<sub>l</sub></i> "
        "&minus; "
        "<i>a</i><sub><i>l</i>&minus;1</sub>) <i>b<sub>l</sub></i>, of the block of layer <i>l</i> "
        "<i>a<sub>l</sub>b<sub>l</sub></i>; for two layers <i>N</i><sub>0</sub><i>N</i><sub>2</sub> &minus; "
        "(<i>N</i><sub>2</sub> &minus; rank <i>W</i><sub>2</sub>)(<i>N</i><sub>0</sub> &minus; rank "
        "<i>W</i><sub>1</sub>). <i>C</i> has the same, but at most <i>P</i> &minus; 1. Layers of lower rank are "
        "those of "
        "the minimum with their smallest singular values dropped, and targets of which their map is the "
        "least-squares "
        "solution. The gap is the smallest eigenvalue of <i>H</i> that is kept over the largest that is dropped. SGD "
        "runs "
        "from the minimum at a twenty-fifth of its stability limit and at half of that, for ten units of continuum "
        "time.",
    .of = &RANKS,
    .columns = T4_COLUMNS,
    .column_count = sizeof T4_COLUMNS / sizeof *T4_COLUMNS,
    .tests = T4_TESTS,
    .test_count = sizeof T4_TESTS / sizeof *T4_TESTS,
    .panels = T4_PANELS,
    .panel_count = sizeof T4_PANELS / sizeof *T4_PANELS,
    .caption = "Left: eigenvalues of <i>H</i>, in descending order; the dashed line is at the predicted rank. Right: "
               "variances "
               "of "
               "SGD along the eigenvectors of <i>H</i>, in the same order. The first data set of each case.",
    .remarks = "What SGD has outside of range(<i>H</i>) is the slow motion along the minima, of second order in the "
               "fluctuations: "
               "the linear theory has none, and it goes with the learning rate."};
