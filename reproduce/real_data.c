/* R1, R2: data that are not Gaussian, in one layer and in two, beside Gaussian data of the same size. */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../theory/jacobian.h"
#include "../theory/prediction.h"
#include "catalogue.h"
#include "measured.h"
#include "training.h"

static const char *const REAL_NUMBERS[] = {"data",
                                           "samples",
                                           "q",
                                           "kurtosis_inputs",
                                           "kurtosis_residuals",
                                           "lambda_h_max",
                                           "distance_c_h",
                                           "commutator",
                                           "entropy_production",
                                           "irreversible",
                                           "irreversible_sgd",
                                           "irreversible_sgd_se",
                                           "variance_spread",
                                           "variance_spread_sgd",
                                           "variance_spread_sgd_se",
                                           "curvature_spread",
                                           "curvature_spread_sgd",
                                           "curvature_spread_sgd_se",
                                           "condition",
                                           "correlation",
                                           "correlation_sgd",
                                           "correlation_sgd_se",
                                           "trace",
                                           "trace_sgd",
                                           "trace_sgd_se",
                                           "rank",
                                           "anisotropy",
                                           "lifetime",
                                           "quantities",
                                           "comparison",
                                           NULL};
static const char *const REAL_LAYERS[] = {"row",
                                          "data",
                                          "rank",
                                          "trace_in_T",
                                          "anisotropy",
                                          "anisotropy_uncoupled",
                                          "psi",
                                          "psi_low",
                                          "psi_high",
                                          "psi_sgd",
                                          "psi_sgd_se",
                                          "psi_uncoupled",
                                          "psi_uncoupled_sgd",
                                          "psi_uncoupled_sgd_se",
                                          "psi_closed",
                                          NULL};
static const char *const REAL_DIRECTIONS[] = {"data", "curvature", "variance", NULL};
static const study_stream REAL_STREAMS[] = {
    {"numbers", REAL_NUMBERS}, {"layers", REAL_LAYERS}, {"directions", REAL_DIRECTIONS}, {NULL, NULL}};

/* Mean over the columns of their excess kurtosis: 0 for Gaussian ones. */
static double mean_kurtosis(size_t rows, size_t columns, const double *values)
{
  double sum = 0.0;
  for (size_t k = 0; k < columns; k++) sum += gsl_stats_kurtosis(values + k, columns, rows);
  return sum / (double)columns;
}

static sgf_status note_data(study_unit *now, sgf_error *error)
{
  const sgf_dataset *data = &now->problem->data;
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  const char *file = now->problem->settings.data.file;
  double *residuals = NULL;
  sgf_status status;
  SGF_TRY(sgf_residuals(&now->problem->network, data, now->problem->theta, &residuals, error));
  SGF_TRY(unit_note(now, "numbers", error));
  SGF_TRY(unit_text(now, "numbers", "data", now->problem->settings.data.source == SGF_SOURCE_FILE ? file : "Gaussian",
                    error));
  const study_number numbers[] = {
      {"samples", (double)data->samples},
      {"q", (double)data->inputs / (double)data->samples},
      {"kurtosis_inputs", mean_kurtosis(data->samples, data->inputs, data->X)},
      {"kurtosis_residuals", mean_kurtosis(data->samples, data->outputs, residuals)},
      {"lambda_h_max", info->largest_curvature * now->problem->settings.training.learning_rate},
      {"distance_c_h", info->spectrum_distance},
      {"commutator", info->commutator_relative},
      {"entropy_production", info->entropy_production},
      {"condition", info->condition_number},
      {"rank", (double)info->rank_hessian},
      {"anisotropy", info->anisotropy},
      {"lifetime", info->lifetime}};
  SGF_TRY(unit_numbers(now, "numbers", numbers, sizeof numbers / sizeof *numbers, error));
  SGF_TRY(unit_note_quantity(now, "numbers", "trace", "trace", error));
  SGF_TRY(unit_note_verdict(now, "numbers", error));
done:
  free(residuals);
  return status;
}

/* Q and the spreads along the principal directions, of the predicted and of the measured covariance. */
static sgf_status note_covariance(study_unit *now, sgf_error *error)
{
  static const char *const names[] = {"variance_spread", "curvature_spread", "correlation"};
  static const principal_number which[] = {VARIANCE_SPREAD, CURVATURE_SPREAD, LOG_CORRELATION};
  size_t n = sgf_problem_weights(now->problem);
  const double *H = unit_array(now, "hessian"), *Sigma = unit_array(now, "covariance");
  double theory[PRINCIPAL_NUMBERS], sgd[PRINCIPAL_NUMBERS], errors[PRINCIPAL_NUMBERS], Q, Q_sgd, Q_error;
  sgf_status status;
  SGF_TRY(irreversible_share(n, Sigma, H, &Q, error));
  SGF_TRY(measured_statistic(now->ensemble, 0, n, irreversible_share, true, H, 1, &Q_sgd, &Q_error, error));
  SGF_TRY(unit_pair(now, "numbers", "irreversible", Q, Q_sgd, Q_error, error));
  SGF_TRY(principal_numbers(n, Sigma, H, theory, error));
  SGF_TRY(
      measured_statistic(now->ensemble, 0, n, principal_numbers, false, H, PRINCIPAL_NUMBERS, sgd, errors, error));
  for (size_t k = 0; k < sizeof names / sizeof *names; k++)
    SGF_TRY(unit_pair(now, "numbers", names[k], theory[which[k]], sgd[which[k]], errors[which[k]], error));
done:
  return status;
}

static sgf_status note_directions(study_unit *now, const char *prefix, size_t count, sgf_error *error)
{
  char name[48];
  snprintf(name, sizeof name, "%svariance", prefix);
  const double *variance = unit_array(now, name);
  snprintf(name, sizeof name, "%scurvature", prefix);
  const double *curvature = unit_array(now, name);
  double unit_of_variance = sgf_prediction_get_info(now->prediction)->temperature;
  bool file = now->problem->settings.data.source == SGF_SOURCE_FILE;
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < count && status == SGF_OK && now->seed == 1; k++) {
    if (!(variance[k] > 1e-9 * variance[0])) break;
    status = unit_note(now, "directions", error);
    if (status == SGF_OK)
      status = unit_text(now, "directions", "data", file ? now->problem->settings.data.file : "Gaussian", error);
    if (status == SGF_OK) status = unit_number(now, "directions", "curvature", curvature[k], error);
    if (status == SGF_OK) status = unit_number(now, "directions", "variance", variance[k] / unit_of_variance, error);
  }
  return status;
}

static sgf_status note_layer(study_unit *now, size_t l, sgf_error *error)
{
  const sgf_layer_info *layer = sgf_prediction_get_layer(now->prediction, l);
  const sgf_settings *settings = sgf_problem_settings(now->problem);
  char text[48];
  sgf_status status;
  SGF_TRY(unit_note(now, "layers", error));
  snprintf(text, sizeof text, "layer %zu", l);
  SGF_TRY(unit_text(now, "layers", "row", text, error));
  SGF_TRY(unit_text(now, "layers", "data",
                    settings->data.source == SGF_SOURCE_FILE ? settings->data.file : "Gaussian", error));
  const study_number numbers[] = {
      {"rank", (double)layer->rank_hessian},
      {"trace_in_T", layer->trace / sgf_prediction_get_info(now->prediction)->temperature},
      {"anisotropy", layer->anisotropy},
      {"anisotropy_uncoupled", layer->anisotropy_uncoupled},
      {"psi_low", layer->ivfr.psi_low},
      {"psi_high", layer->ivfr.psi_high},
      {"psi_closed", layer->ivfr_closed_form.psi}};
  SGF_TRY(unit_numbers(now, "layers", numbers, sizeof numbers / sizeof *numbers, error));
  snprintf(text, sizeof text, "layer%zu_ivfr_psi", l);
  SGF_TRY(unit_note_quantity(now, "layers", "psi", text, error));
  snprintf(text, sizeof text, "layer%zu_uncoupled_ivfr_psi", l);
  SGF_TRY(unit_note_quantity(now, "layers", "psi_uncoupled", text, error));
done:
  return status;
}

static sgf_status measure_one_layer(study_unit *now, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(unit_open_at(now, 0.1, NULL, error));
  SGF_TRY(unit_verify(now, error));
  SGF_TRY(note_data(now, error));
  SGF_TRY(note_covariance(now, error));
  SGF_TRY(note_directions(now, "", sgf_problem_weights(now->problem), error));
done:
  return status;
}

static sgf_status measure_two_layers(study_unit *now, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(unit_open_at(now, 0.03, NULL, error));
  SGF_TRY(unit_verify(now, error));
  SGF_TRY(note_data(now, error));
  for (size_t l = 1; l <= 2; l++) SGF_TRY(note_layer(now, l, error));
  SGF_TRY(note_directions(now, "layer2/", sgf_prediction_get_layer(now->prediction, 2)->weights, error));
done:
  return status;
}

#define CURVES(list) list, sizeof list / sizeof *list
#define FROM(file) "data.source=file data.file=" file " "
#define DIABETES FROM("diabetes.h5") "training.batch_size=20 "
#define LINNERUD FROM("linnerud.h5") "training.batch_size=4 "
#define LIKE_DIABETES "data.samples=442 training.batch_size=20 "
#define LIKE_LINNERUD "data.samples=20 training.batch_size=4 "

/* ---------------------------------------------------------------------------- one layer */

static const study_case ONE_CASES[] = {{"diabetes", IN_BOTH, DIABETES "network.widths=[10,1]"},
                                       {"Gaussian, as large", IN_BOTH, LIKE_DIABETES "network.widths=[10,1]"},
                                       {"Linnerud", IN_BOTH, LINNERUD "network.widths=[3,3]"},
                                       {"Gaussian, as small", IN_BOTH, LIKE_LINNERUD "network.widths=[3,3]"}};
static const study ONE_LAYER = {
    "real-one-layer",
    {"theory.equation=exact verify.tolerance=0.15", "theory.equation=exact verify.tolerance=0.05"},
    {1, 3},
    ONE_CASES,
    sizeof ONE_CASES / sizeof *ONE_CASES,
    REAL_STREAMS,
    1,
    measure_one_layer};

static const exhibit_column R1_COLUMNS[] = {
    {"samples", "<i>P</i>", NULL, false},
    {"q", "<i>q</i>", NULL, false},
    {"kurtosis_inputs", "kurtosis of inputs", NULL, false},
    {"kurtosis_residuals", "of residuals", NULL, false},
    {"distance_c_h", "<i>d</i>(<i>C</i>, <i>H</i>)", NULL, false},
    {"commutator", "[<i>H</i>, <i>C</i>], relative", NULL, false},
    {"entropy_production", "entropy production", NULL, false},
    {"irreversible", "&#8214;<i>Q</i>&#8214; / &#8214;&Sigma;&#8214;, theory", NULL, false},
    {"irreversible_sgd", "SGD", "irreversible_sgd_se", false},
    {"variance_spread", "spread of &sigma;&sup2;, theory", NULL, false},
    {"variance_spread_sgd", "SGD", "variance_spread_sgd_se", false},
    {"curvature_spread", "spread of <i>p</i><sup>T</sup><i>Hp</i>, theory", NULL, false},
    {"curvature_spread_sgd", "SGD", "curvature_spread_sgd_se", false},
    {"condition", "spread of <i>H</i>'s own", NULL, false},
    {"correlation", "correlation, theory", NULL, false},
    {"correlation_sgd", "SGD", "correlation_sgd_se", false},
    {"quantities", "quantities compared", NULL, false},
    {"comparison", "theory against SGD", NULL, true}};
static const exhibit_test R1_TESTS[] = {
    {"theory_is_right", "theory and SGD agree in all quantities of the full comparison", TEST_VERDICTS, "comparison",
     NULL, NULL, NULL, 0.0, 0.0, false, NULL},
    {"balance_broken", "&#8214;<i>Q</i>&#8214; as measured is above 0", TEST_ABOVE, "irreversible_sgd",
     "irreversible_sgd_se", NULL, NULL, 0.0, 0.0, false, NULL},
    {"anisotropic", "the measured variances spread more than the curvatures along the same directions", TEST_ABOVE,
     "variance_spread_sgd", "variance_spread_sgd_se", "curvature_spread_sgd", "curvature_spread_sgd_se", 0.0, 0.0,
     false, NULL},
    {"loss_isotropic", "these curvatures spread less than <i>H</i>'s own", TEST_BELOW, "curvature_spread_sgd",
     "curvature_spread_sgd_se", "condition", NULL, 0.0, 0.0, false, NULL}};
static const curve R1_DIRECTIONS[] = {
    {"directions", "case=diabetes; seed=1", "curvature", "variance", NULL, DRAW_POINTS, 1, "diabetes"},
    {"directions", "case=Gaussian, as large; seed=1", "curvature", "variance", NULL, DRAW_POINTS, 2,
     "Gaussian, as large"},
    {"directions", "case=Linnerud; seed=1", "curvature", "variance", NULL, DRAW_POINTS, 3, "Linnerud"},
    {"directions", "case=Gaussian, as small; seed=1", "curvature", "variance", NULL, DRAW_POINTS, 5,
     "Gaussian, as small"}};
static const panel R1_PANELS[] = {{"one layer", "curvature {/:Italic p}^T{/:Italic Hp} along principal directions",
                                   "variance σ^2 / {/:Italic T}", true, true, CURVES(R1_DIRECTIONS),
                                   "set format x '%g'\nset format y '%g'\nset yrange [0.01:100]\nset key top left"}};

const exhibit EXHIBIT_R1 = {
    .id = "R1",
    .title = "Real data, one layer",
    .claim = "With data that are not Gaussian the theory, which takes the fourth moments from the data, is as right; "
             "detailed "
             "balance is broken, and the curvatures along principal directions are more alike than those of the "
             "Hessian. That "
             "variances spread more than these curvatures do is a matter of few samples and uncorrelated inputs.",
    .setup = "Diabetes: 442 patients, ten nearly collinear variables, one target, <i>S</i> = 20. Linnerud: twenty "
             "men, three "
             "exercises, three physiological variables, <i>S</i> = 4. Beside each Gaussian data of the same size "
             "with isotropic "
             "inputs. A tenth of the stability limit, the exact equation. Kurtosis is the excess over that of "
             "a Gaussian, mean over columns.",
    .of = &ONE_LAYER,
    .columns = R1_COLUMNS,
    .column_count = sizeof R1_COLUMNS / sizeof *R1_COLUMNS,
    .tests = R1_TESTS,
    .test_count = sizeof R1_TESTS / sizeof *R1_TESTS,
    .panels = R1_PANELS,
    .panel_count = sizeof R1_PANELS / sizeof *R1_PANELS,
    .caption = "Variances against curvatures along the principal directions of the predicted covariance.",
    .remarks = "What survives: drift and noise from the data's own moments, and everything that follows from them. "
               "What does not: the "
               "limit laws of the spectra, which are of independent Gaussian inputs, and the isotropy of the loss "
               "that fluctuations "
               "see, where the inputs' own spectrum is wide.",
    .on_real_data = true};

/* ---------------------------------------------------------------------------- two layers */

#define WINDOWS(length) " simulation.burn_in=" length " simulation.window=" length
static const study_case TWO_CASES[] = {
    {"diabetes", IN_BOTH, DIABETES "network.widths=[10,6,1]" WINDOWS("5")},
    {"diabetes, longer runs", IN_FULL, DIABETES "network.widths=[10,6,1]" WINDOWS("40")},
    {"Gaussian, as large", IN_BOTH, LIKE_DIABETES "network.widths=[10,6,1]" WINDOWS("5")},
    {"Linnerud", IN_BOTH, LINNERUD "network.widths=[3,4,3]"},
    {"Gaussian, as small", IN_BOTH, LIKE_LINNERUD "network.widths=[3,4,3]"}};
#define TWO_CONFIG "theory.equation=discrete simulation.uncoupled=true "
static const study TWO_LAYERS = {"real-two-layers",
                                 {TWO_CONFIG "verify.tolerance=0.25", TWO_CONFIG "verify.tolerance=0.15"},
                                 {1, 2},
                                 TWO_CASES,
                                 sizeof TWO_CASES / sizeof *TWO_CASES,
                                 REAL_STREAMS,
                                 1,
                                 measure_two_layers};

static const exhibit_column R2_COLUMNS[] = {{"kurtosis_inputs", "kurtosis of inputs", NULL, false},
                                            {"kurtosis_residuals", "of residuals", NULL, false},
                                            {"rank", "rank of <i>H</i>", NULL, false},
                                            {"distance_c_h", "<i>d</i>(<i>C</i>, <i>H</i>)", NULL, false},
                                            {"commutator", "[<i>H</i>, <i>C</i>], relative", NULL, false},
                                            {"entropy_production", "entropy production", NULL, false},
                                            {"anisotropy", "anisotropy, joint", NULL, false},
                                            {"trace", "tr &Sigma;, theory", NULL, false},
                                            {"trace_sgd", "SGD", "trace_sgd_se", false},
                                            {"lifetime", "lifetime", NULL, false},
                                            {"quantities", "quantities compared", NULL, false},
                                            {"comparison", "theory against SGD", NULL, true}};
static const exhibit_test R2_TESTS[] = {{"theory_is_right",
                                         "theory and SGD agree in all quantities of the full comparison",
                                         TEST_VERDICTS, "comparison", NULL, NULL, NULL, 0.0, 0.0, false, NULL}};

const exhibit EXHIBIT_R2 = {
    .id = "R2",
    .title = "Real data, two layers",
    .claim = "Two layers on the same data: theory and SGD.",
    .setup = "10&ndash;6&ndash;1 on the diabetes data, 3&ndash;4&ndash;3 on Linnerud's, and "
             "on Gaussian data of the same sizes; a few per "
             "cent of the stability limit, the discrete equation of leading order, short "
             "runs from &theta;*. Replicates are "
             "starts.",
    .of = &TWO_LAYERS,
    .columns = R2_COLUMNS,
    .column_count = sizeof R2_COLUMNS / sizeof *R2_COLUMNS,
    .tests = R2_TESTS,
    .test_count = sizeof R2_TESTS / sizeof *R2_TESTS,
    .remarks = "The slowest modes of the collinear diabetes data take hundreds of units of time to relax. In runs "
               "that are not so "
               "long theory is for the same times. Over longer runs the mean moves along the curved set of minima, "
               "which at &theta;* "
               "looks like fluctuations along flat directions of <i>H</i>: leading order does not have it.",
    .on_real_data = true};

static const exhibit_column R2_IVFR_COLUMNS[] = {{"rank", "rank of <i>H<sub>ll</sub></i>", NULL, false},
                                                 {"anisotropy", "anisotropy, coupled", NULL, false},
                                                 {"anisotropy_uncoupled", "uncoupled", NULL, false},
                                                 {"psi_closed", "&psi;, closed form", NULL, false},
                                                 {"psi", "&psi; coupled, theory", NULL, false},
                                                 {"psi_sgd", "SGD", "psi_sgd_se", false},
                                                 {"psi_uncoupled", "&psi; uncoupled, theory", NULL, false},
                                                 {"psi_uncoupled_sgd", "SGD", "psi_uncoupled_sgd_se", false}};
static const exhibit_test R2_IVFR_TESTS[] = {
    {"relation", "&psi; as measured is above 0 with the layers coupled", TEST_ABOVE, "psi_sgd", "psi_sgd_se", NULL,
     NULL, 0.0, 0.0, false, "row=layer 2"},
    {"by_coupling", "and larger than with the other layer frozen", TEST_ABOVE, "psi_sgd", "psi_sgd_se",
     "psi_uncoupled_sgd", "psi_uncoupled_sgd_se", 0.0, 0.0, false, "row=layer 2"},
    {"none_alone", "which has less than 0.3 of it by itself", TEST_BELOW, "psi_uncoupled_sgd", "psi_uncoupled_sgd_se",
     NULL, NULL, 0.3, 0.0, false, "row=layer 2"}};
static const curve R2_DIRECTIONS[] = {
    {"directions", "case=diabetes; seed=1", "curvature", "variance", NULL, DRAW_POINTS, 1, "diabetes"},
    {"directions", "case=Gaussian, as large; seed=1", "curvature", "variance", NULL, DRAW_POINTS, 2,
     "Gaussian, as large"},
    {"directions", "case=Linnerud; seed=1", "curvature", "variance", NULL, DRAW_POINTS, 3, "Linnerud"},
    {"directions", "case=Gaussian, as small; seed=1", "curvature", "variance", NULL, DRAW_POINTS, 5,
     "Gaussian, as small"}};
static const panel R2_IVFR_PANELS[] = {
    {"layer 2", "curvature {/:Italic p}^T{/:Italic Hp} along principal directions", "variance σ^2 / {/:Italic T}",
     true, true, CURVES(R2_DIRECTIONS),
     "set format x '%g'\nset format y '%g'\nset yrange [0.01:100]\nset key top left"}};

const exhibit EXHIBIT_R2_IVFR = {
    .id = "R2-ivfr",
    .title = "Real data: the inverse variance–flatness relation",
    .claim =
        "In the second layer variance grows with curvature on real data too, and the coupling of the layers is what "
        "makes it so.",
    .setup = "The runs of R2, and runs of each layer alone with the other one frozen.",
    .of = &TWO_LAYERS,
    .columns = R2_IVFR_COLUMNS,
    .column_count = sizeof R2_IVFR_COLUMNS / sizeof *R2_IVFR_COLUMNS,
    .tests = R2_IVFR_TESTS,
    .test_count = sizeof R2_IVFR_TESTS / sizeof *R2_IVFR_TESTS,
    .panels = R2_IVFR_PANELS,
    .panel_count = sizeof R2_IVFR_PANELS / sizeof *R2_IVFR_PANELS,
    .caption = "Layer 2 coupled: variances against curvatures along its principal directions, theory.",
    .remarks = "The closed form is for noise in proportion to the drift and takes from the data no more than the "
               "second moment of the "
               "inputs. With one output the hidden units' inputs alone make modes of layer 2, few of them, and the "
               "first layer need not follow the relation. Where the layer has a part of the relation by itself, the "
               "noise of these "
               "data, which is not proportional to the drift, has made it; the coupling adds the rest.",
    .on_real_data = true,
    .stream = "layers",
    .label = "row"};
