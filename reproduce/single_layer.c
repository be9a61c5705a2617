/* T1, T2, T3: one layer. The spectrum of the noise, detailed balance, and an isotropic loss, against q = N_0 / P. */
#include <gsl/gsl_fit.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../theory/memory.h"
#include "../theory/spectrum.h"
#include "../verify/compare.h"
#include "catalogue.h"
#include "exact_moments.h"
#include "measured.h"
#include "training.h"

static double q_of(const study_unit *now)
{
  return (double)sgf_problem_settings(now->problem)->network.widths[0] / (double)sgf_problem_samples(now->problem);
}

/* ------------------------------------------------------- spectra and laws, by theory alone */

static const char *const SPECTRA_NUMBERS[] = {"q",
                                              "h_low",
                                              "h_low_law",
                                              "h_high",
                                              "h_high_law",
                                              "c_low",
                                              "c_low_law",
                                              "c_high",
                                              "c_high_law",
                                              "h_second",
                                              "h_second_law",
                                              "h_second_exact",
                                              "c_second",
                                              "c_second_law",
                                              "c_second_exact",
                                              "c_third",
                                              "c_third_law",
                                              "distance_c_h",
                                              "distance_h_law",
                                              "distance_c_law",
                                              "distance_c_hlaw",
                                              "variance_spread",
                                              "curvature_spread",
                                              "condition",
                                              "correlation",
                                              NULL};
static const char *const SPECTRA_POINTS[] = {"kind", "q", "x", "share", NULL};
static const char *const DIRECTIONS[] = {"q", "variance", "curvature", NULL};
static const study_stream SPECTRA_STREAMS[] = {
    {"numbers", SPECTRA_NUMBERS}, {"distributions", SPECTRA_POINTS}, {"directions", DIRECTIONS}, {NULL, NULL}};

enum { LAW_POINTS = 1500 };

/* x at which the distribution function of a law, rows of (x, density, distribution), is p. */
static double quantile(const double *law, double p)
{
  for (size_t k = 1; k < LAW_POINTS; k++) {
    double before = law[3 * k - 1], here = law[3 * k + 2];
    if (here >= p && here > before)
      return law[3 * k - 3] + (law[3 * k] - law[3 * k - 3]) * (p - before) / (here - before);
  }
  return NAN;
}

static double moment(size_t n, const double *values, double scale, double power)
{
  double sum = 0.0;
  for (size_t k = 0; k < n; k++) sum += pow(values[k] / scale, power);
  return sum / (double)n;
}

static sgf_status note_distribution(study_unit *now, const char *kind, size_t points, const double *x, size_t stride,
                                    double scale, const double *share, sgf_error *error)
{
  sgf_status status = SGF_OK;
  double noted = -1.0;
  for (size_t k = 0; k < points && status == SGF_OK; k++) {
    double height = share != NULL ? share[stride * k] : ((double)k + 0.5) / (double)points;
    if (share != NULL && (height < 1e-4 || height > 0.9999 || (height < noted + 0.01 && k + 1 < points))) continue;
    noted = height;
    status = unit_note(now, "distributions", error);
    if (status == SGF_OK) status = unit_text(now, "distributions", "kind", kind, error);
    if (status == SGF_OK) status = unit_number(now, "distributions", "q", q_of(now), error);
    if (status == SGF_OK) status = unit_number(now, "distributions", "x", x[stride * k] / scale, error);
    if (status == SGF_OK) status = unit_number(now, "distributions", "share", height, error);
  }
  return status;
}

/* One spectrum against its law: extremes, distance, and for the first data set the distribution functions. */
static sgf_status note_spectrum(study_unit *now, sgf_law law, const char *letter, size_t n, const double *values,
                                double scale, double *rows, sgf_error *error)
{
  static const double one = 1.0;
  char name[40];
  sgf_status status;
  SGF_TRY(sgf_limit_law(law, &one, 1, q_of(now), 1e-4, 60.0, LAW_POINTS, rows, error));
  double edge = 0.5 / (double)n;
  struct {
    const char *text;
    double value;
  } notes[] = {{"low", values[0] / scale},
               {"low_law", quantile(rows, edge)},
               {"high", values[n - 1] / scale},
               {"high_law", quantile(rows, 1.0 - edge)}};
  for (size_t k = 0; k < sizeof notes / sizeof *notes; k++) {
    snprintf(name, sizeof name, "%s_%s", letter, notes[k].text);
    SGF_TRY(unit_number(now, "numbers", name, notes[k].value, error));
  }
  snprintf(name, sizeof name, "distance_%s_law", letter);
  SGF_TRY(unit_number(now, "numbers", name, sgf_distance_to_law(values, n, scale, rows, LAW_POINTS), error));
  if (now->seed == 1) {
    SGF_TRY(note_distribution(now, letter, n, values, 1, scale, NULL, error));
    snprintf(name, sizeof name, "%s law", letter);
    SGF_TRY(note_distribution(now, name, LAW_POINTS, rows, 3, 1.0, rows + 2, error));
  }
done:
  return status;
}

static sgf_status note_moments(study_unit *now, size_t n, const double *h, const double *c, double scale,
                               sgf_error *error)
{
  double q = q_of(now);
  size_t samples = sgf_problem_samples(now->problem);
  struct {
    const char *name;
    double value;
  } notes[] = {{"h_second", moment(n, h, 1.0, 2.0)},
               {"h_second_law", 1.0 + q},
               {"h_second_exact", exact_second_of_hessian(n, samples)},
               {"c_second", moment(n, c, scale, 2.0)},
               {"c_second_law", 1.0 + 3.0 * q},
               {"c_second_exact", exact_second_of_noise(n, samples)},
               {"c_third", moment(n, c, scale, 3.0)},
               {"c_third_law", 1.0 + 9.0 * q + 15.0 * q * q}};
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < sizeof notes / sizeof *notes && status == SGF_OK; k++)
    status = unit_number(now, "numbers", notes[k].name, notes[k].value, error);
  return status;
}

/* Along the principal directions of the predicted covariance. */
static sgf_status note_directions(study_unit *now, size_t n, sgf_error *error)
{
  double numbers[PRINCIPAL_NUMBERS];
  const double *variance = unit_array(now, "variance"), *curvature = unit_array(now, "curvature");
  double unit_of_variance = sgf_prediction_get_info(now->prediction)->temperature;
  sgf_status status = principal_numbers(n, unit_array(now, "covariance"), unit_array(now, "hessian"), numbers, error);
  if (status == SGF_OK) status = unit_number(now, "numbers", "variance_spread", numbers[VARIANCE_SPREAD], error);
  if (status == SGF_OK) status = unit_number(now, "numbers", "curvature_spread", numbers[CURVATURE_SPREAD], error);
  if (status == SGF_OK) status = unit_number(now, "numbers", "correlation", numbers[LOG_CORRELATION], error);
  for (size_t k = 0; k < n && status == SGF_OK && now->seed == 1; k++) {
    status = unit_note(now, "directions", error);
    if (status == SGF_OK) status = unit_number(now, "directions", "q", q_of(now), error);
    if (status == SGF_OK) status = unit_number(now, "directions", "variance", variance[k] / unit_of_variance, error);
    if (status == SGF_OK) status = unit_number(now, "directions", "curvature", curvature[k], error);
  }
  return status;
}

static sgf_status measure_spectra(study_unit *now, sgf_error *error)
{
  static const double one = 1.0;
  double *rows = NULL;
  sgf_status status;
  SGF_TRY(unit_open(now, NULL, error));
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  size_t n = info->weights;
  const double *h = unit_array(now, "spectrum/hessian"), *c = unit_array(now, "spectrum/noise_covariance");
  double scale = 2.0 * info->min_loss;
  SGF_TRY(sgf_new_reals(&rows, LAW_POINTS, 3, "limit law", error));
  SGF_TRY(unit_note(now, "numbers", error));
  SGF_TRY(unit_number(now, "numbers", "q", q_of(now), error));
  SGF_TRY(note_spectrum(now, SGF_LAW_HESSIAN, "h", n, h, 1.0, rows, error));
  SGF_TRY(note_spectrum(now, SGF_LAW_NOISE, "c", n, c, scale, rows, error));
  SGF_TRY(sgf_limit_law(SGF_LAW_HESSIAN, &one, 1, q_of(now), 1e-4, 60.0, LAW_POINTS, rows, error));
  SGF_TRY(unit_number(now, "numbers", "distance_c_hlaw", sgf_distance_to_law(c, n, scale, rows, LAW_POINTS), error));
  SGF_TRY(unit_number(now, "numbers", "distance_c_h", info->spectrum_distance, error));
  SGF_TRY(unit_number(now, "numbers", "condition", info->condition_number, error));
  SGF_TRY(note_moments(now, n, h, c, scale, error));
  SGF_TRY(note_directions(now, n, error));
done:
  free(rows);
  return status;
}

static const study_case SPECTRA_CASES[] = {
    {"q = 0.01", IN_BOTH, "data.samples=6000"},
    {"q = 0.03", IN_FULL, "data.samples=2000"},
    {"q = 0.1", IN_BOTH, "data.samples=600"},
    {"q = 0.3", IN_FULL, "data.samples=200"},
    {"q = 0.5", IN_BOTH, "data.samples=120"},
    {"q = 0.67", IN_FULL, "data.samples=90"},
    {"N = 240, q = 0.01", IN_FULL, "network.widths=[240,1] data.samples=24000"},
    {"N = 240, q = 0.1", IN_FULL, "network.widths=[240,1] data.samples=2400"},
    {"N = 240, q = 0.5", IN_FULL, "network.widths=[240,1] data.samples=480"}};

static const study SPECTRA = {
    "spectra",
    {"network.widths=[60,1] training.learning_rate=1e-4", "network.widths=[60,1] training.learning_rate=1e-4"},
    {12, 40},
    SPECTRA_CASES,
    sizeof SPECTRA_CASES / sizeof *SPECTRA_CASES,
    SPECTRA_STREAMS,
    2,
    measure_spectra};

static const exhibit_column T1_COLUMNS[] = {{"q", "<i>q</i>", NULL, false},
                                            {"h_low", "<i>H</i> smallest", NULL, false},
                                            {"h_low_law", "law", NULL, false},
                                            {"h_high", "<i>H</i> largest", NULL, false},
                                            {"h_high_law", "law", NULL, false},
                                            {"c_low", "<i>C</i>/2<i>L</i>* smallest", NULL, false},
                                            {"c_low_law", "law", NULL, false},
                                            {"c_high", "<i>C</i>/2<i>L</i>* largest", NULL, false},
                                            {"c_high_law", "law", NULL, false},
                                            {"h_second", "2nd moment <i>H</i>", NULL, false},
                                            {"h_second_exact", "exact", NULL, false},
                                            {"h_second_law", "law, 1 + <i>q</i>", NULL, false},
                                            {"c_second", "2nd moment <i>C</i>", NULL, false},
                                            {"c_second_exact", "exact", NULL, false},
                                            {"c_second_law", "law, 1 + 3<i>q</i>", NULL, false},
                                            {"c_third", "3rd moment <i>C</i>", NULL, false},
                                            {"c_third_law", "1 + 9<i>q</i> + 15<i>q</i>&sup2;", NULL, false},
                                            {"distance_c_h", "<i>d</i>(<i>C</i>, <i>H</i>)", NULL, false},
                                            {"distance_h_law", "<i>d</i>(<i>H</i>, its law)", NULL, false},
                                            {"distance_c_law", "<i>d</i>(<i>C</i>, its law)", NULL, false},
                                            {"distance_c_hlaw", "<i>d</i>(<i>C</i>, <i>H</i>'s law)", NULL, false}};

static const exhibit_test T1_TESTS[] = {
    {"noise_wider", "the second moment of <i>C</i>/2<i>L</i>* is above that of <i>H</i>", TEST_ABOVE, "c_second",
     NULL, "h_second", NULL, 0.0, 0.0, true, NULL},
    {"noise_law", "<i>C</i>/2<i>L</i>* is nearer to the generalized law than to Marchenko and Pastur's", TEST_BELOW,
     "distance_c_law", NULL, "distance_c_hlaw", NULL, 0.0, 0.0, true, NULL},
    {"moment_of_law", "its second moment is within 10 % of the exact one for Gaussian data of this size", TEST_EQUAL,
     "c_second", NULL, "c_second_exact", NULL, 0.0, 0.1, true, NULL}};

#define DISTRIBUTIONS(rows)                                                                                     \
  {"distributions", rows "; kind=h law", "x", "share", NULL, DRAW_LINE, 1, "law of {/:Italic H}"},              \
      {"distributions", rows "; kind=c law", "x", "share", NULL, DRAW_DASHED, 2, "law of {/:Italic C}"},        \
      {"distributions", rows "; kind=h", "x", "share", NULL, DRAW_SMALL_POINTS, 1, "{/:Italic H}"},             \
  {                                                                                                             \
    "distributions", rows "; kind=c", "x", "share", NULL, DRAW_SMALL_POINTS, 2, "{/:Italic C} / 2{/:Italic L}*" \
  }
static const curve T1_WIDE[] = {DISTRIBUTIONS("seed=1; case=q = 0.5")};
static const curve T1_NARROW[] = {DISTRIBUTIONS("seed=1; case=q = 0.01")};
static const curve T1_MOMENTS[] = {
    {NULL, NULL, NULL, "1 + 3*x", NULL, DRAW_FUNCTION, 2, "1 + 3{/:Italic q}"},
    {NULL, NULL, NULL, "1 + x", NULL, DRAW_FUNCTION, 1, "1 + {/:Italic q}"},
    {"numbers", NULL, "q", "c_second", NULL, DRAW_SMALL_POINTS, 2, "{/:Italic C} / 2{/:Italic L}*"},
    {"numbers", NULL, "q", "h_second", NULL, DRAW_SMALL_POINTS, 1, "{/:Italic H}"}};
static const curve T1_DISTANCES[] = {
    {"numbers", NULL, "q", "distance_c_h", NULL, DRAW_SMALL_POINTS, 0, "{/:Italic C} from {/:Italic H}"},
    {"numbers", NULL, "q", "distance_c_hlaw", NULL, DRAW_SMALL_POINTS, 3,
     "{/:Italic C} from the law of {/:Italic H}"},
    {"numbers", NULL, "q", "distance_c_law", NULL, DRAW_SMALL_POINTS, 2, "{/:Italic C} from its law"},
    {"numbers", NULL, "q", "distance_h_law", NULL, DRAW_SMALL_POINTS, 1, "{/:Italic H} from its law"}};
#define CURVES(list) list, sizeof list / sizeof *list
static const panel T1_PANELS[] = {
    {"{/:Italic q} = 0.5", "eigenvalue", "share below", true, false, CURVES(T1_WIDE), "set key bottom right"},
    {"{/:Italic q} = 0.01", "eigenvalue", "share below", false, false, CURVES(T1_NARROW), "set key bottom right"},
    {NULL, "{/:Italic q} = {/:Italic N}_0 / {/:Italic P}", "second moment of the eigenvalues", false, false,
     CURVES(T1_MOMENTS), "set key top left"},
    {NULL, "{/:Italic q}", "Kolmogorov distance", true, false, CURVES(T1_DISTANCES), "set yrange [0:0.6]"}};

const exhibit EXHIBIT_T1 = {
    "T1",
    "The noise spectrum deviates from the Hessian's",
    "Weakly underparameterized (<i>q</i> = <i>N</i><sub>0</sub>/<i>P</i> not small), the spectrum of the gradient "
    "noise "
    "<i>C</i>/2<i>L</i>* is not that of the Hessian <i>H</i>.",
    "One layer, isotropic Gaussian inputs, one output, teacher and label noise Gaussian. Laws for <i>N</i>, <i>P</i> "
    "&rarr; &infin; at fixed <i>q</i>: Marchenko and Pastur's for <i>H</i>, the generalized one of (1/<i>P</i>) "
    "&Sigma; "
    "&zeta;&sup2; <i>z z</i><sup>T</sup> for <i>C</i>/2<i>L</i>*; smallest and largest eigenvalues are held against "
    "the "
    "quantiles of the law half an eigenvalue from its ends. Exact are the expectations at this <i>N</i> and "
    "<i>P</i>. <i>d</i> is Kolmogorov's distance.",
    &SPECTRA,
    T1_COLUMNS,
    sizeof T1_COLUMNS / sizeof *T1_COLUMNS,
    T1_TESTS,
    sizeof T1_TESTS / sizeof *T1_TESTS,
    T1_PANELS,
    sizeof T1_PANELS / sizeof *T1_PANELS,
    "Distribution functions of the eigenvalues of one data set (points) and limit laws (lines), weakly and strongly "
    "underparameterized; second moments and distances of all data sets.",
    "The distance between the two spectra does not fall with <i>q</i>: it compares shapes relative to widths, and "
    "both "
    "widths shrink like the square root of <i>q</i>. What vanishes as <i>q</i> &rarr; 0 is the deviation in absolute "
    "terms, as the moments show.",
    false,
    NULL,
    NULL};

/* ------------------------------------------------- detailed balance and SGD, for each q */

static const char *const LAYER_NUMBERS[] = {"q",
                                            "learning_rate",
                                            "commutator",
                                            "irreversible",
                                            "irreversible_sgd",
                                            "irreversible_sgd_se",
                                            "entropy_production",
                                            "variance_spread",
                                            "variance_spread_sgd",
                                            "variance_spread_sgd_se",
                                            "curvature_spread",
                                            "curvature_spread_sgd",
                                            "curvature_spread_sgd_se",
                                            "condition",
                                            "slope",
                                            "slope_sgd",
                                            "slope_sgd_se",
                                            "correlation",
                                            "correlation_sgd",
                                            "correlation_sgd_se",
                                            "trace",
                                            "trace_sgd",
                                            "trace_sgd_se",
                                            "quantities",
                                            "comparison",
                                            NULL};
static const char *const LAYER_DIRECTIONS[] = {"q", "curvature", "variance", "variance_sgd", "variance_sgd_se", NULL};
static const study_stream LAYER_STREAMS[] = {
    {"numbers", LAYER_NUMBERS}, {"directions", LAYER_DIRECTIONS}, {NULL, NULL}};

static sgf_status note_principal(study_unit *now, size_t n, sgf_error *error)
{
  static const char *const names[] = {"variance_spread", "curvature_spread", "correlation", "slope"};
  const double *H = unit_array(now, "hessian");
  double theory[PRINCIPAL_NUMBERS], sgd[PRINCIPAL_NUMBERS], errors[PRINCIPAL_NUMBERS];
  sgf_status status = principal_numbers(n, unit_array(now, "covariance"), H, theory, error);
  if (status == SGF_OK)
    status =
        measured_statistic(now->ensemble, 0, n, principal_numbers, false, H, PRINCIPAL_NUMBERS, sgd, errors, error);
  for (size_t k = 0; k < PRINCIPAL_NUMBERS && status == SGF_OK; k++)
    status = unit_pair(now, "numbers", names[k], theory[k], sgd[k], errors[k], error);
  return status;
}

static sgf_status note_comparison(study_unit *now, sgf_error *error)
{
  sgf_status status = unit_note_verdict(now, "numbers", error);
  return status == SGF_OK ? unit_note_quantity(now, "numbers", "trace", "trace", error) : status;
}

static sgf_status note_measured_directions(study_unit *now, sgf_error *error)
{
  const sgf_mode_set *set = sgf_find_modes(now->comparison, "joint");
  double unit_of_variance = sgf_prediction_get_info(now->prediction)->temperature;
  sgf_status status = SGF_OK;
  for (size_t k = 0; set != NULL && k < set->count && now->seed == 1 && status == SGF_OK; k++) {
    struct {
      const char *name;
      double value;
    } notes[] = {{"q", q_of(now)},
                 {"curvature", set->curvature[k]},
                 {"variance", set->predicted[k] / unit_of_variance},
                 {"variance_sgd", set->measured[k] / unit_of_variance},
                 {"variance_sgd_se", set->error[k] / unit_of_variance}};
    status = unit_note(now, "directions", error);
    for (size_t i = 0; i < sizeof notes / sizeof *notes && status == SGF_OK; i++)
      status = unit_number(now, "directions", notes[i].name, notes[i].value, error);
  }
  return status;
}

static sgf_status measure_layer(study_unit *now, sgf_error *error)
{
  double theory_Q, sgd_Q, sgd_Q_error;
  sgf_status status;
  SGF_TRY(unit_open_at(now, 0.1, NULL, error));
  SGF_TRY(unit_verify(now, error));
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  const double *H = unit_array(now, "hessian");
  SGF_TRY(unit_note(now, "numbers", error));
  SGF_TRY(unit_number(now, "numbers", "q", q_of(now), error));
  SGF_TRY(unit_number(now, "numbers", "learning_rate", sgf_problem_settings(now->problem)->training.learning_rate,
                      error));
  SGF_TRY(unit_number(now, "numbers", "commutator", info->commutator_relative, error));
  SGF_TRY(unit_number(now, "numbers", "entropy_production", info->entropy_production, error));
  SGF_TRY(unit_number(now, "numbers", "condition", info->condition_number, error));
  SGF_TRY(irreversible_share(info->weights, unit_array(now, "covariance"), H, &theory_Q, error));
  SGF_TRY(measured_statistic(now->ensemble, 0, info->weights, irreversible_share, true, H, 1, &sgd_Q, &sgd_Q_error,
                             error));
  SGF_TRY(unit_pair(now, "numbers", "irreversible", theory_Q, sgd_Q, sgd_Q_error, error));
  SGF_TRY(note_principal(now, info->weights, error));
  SGF_TRY(note_comparison(now, error));
  SGF_TRY(note_measured_directions(now, error));
done:
  return status;
}

static const study_case LAYER_CASES[] = {
    {"q = 0.01", IN_BOTH, "data.samples=5000"}, {"q = 0.03", IN_FULL, "data.samples=1667"},
    {"q = 0.1", IN_BOTH, "data.samples=500"},   {"q = 0.3", IN_FULL, "data.samples=167"},
    {"q = 0.5", IN_BOTH, "data.samples=100"},   {"q = 0.67", IN_FULL, "data.samples=75"}};

#define LAYER_CONFIG "network.widths=[50,1] training.batch_size=10 theory.equation=exact verify.level=1e-4 "
static const study LAYER = {"single-layer",
                            {LAYER_CONFIG "verify.tolerance=0.1", LAYER_CONFIG "verify.tolerance=0.05"},
                            {1, 4},
                            LAYER_CASES,
                            sizeof LAYER_CASES / sizeof *LAYER_CASES,
                            LAYER_STREAMS,
                            1,
                            measure_layer};

static const exhibit_column T2_COLUMNS[] = {
    {"q", "<i>q</i>", NULL, false},
    {"learning_rate", "&lambda;", NULL, false},
    {"commutator", "&#8214;[<i>H</i>, <i>C</i>]&#8214; / &#8214;<i>H</i>&#8214;&#8214;<i>C</i>&#8214;", NULL, false},
    {"irreversible", "&#8214;<i>Q</i>&#8214; / &#8214;&Sigma;&#8214;, theory", NULL, false},
    {"irreversible_sgd", "SGD", "irreversible_sgd_se", false},
    {"entropy_production", "entropy production", NULL, false}};

static const exhibit_test T2_TESTS[] = {{"balance_broken", "&#8214;<i>Q</i>&#8214; as measured is above 0",
                                         TEST_ABOVE, "irreversible_sgd", "irreversible_sgd_se", NULL, NULL, 0.0, 0.0,
                                         false, NULL},
                                        {"as_predicted", "and within 10 % of theory", TEST_EQUAL, "irreversible_sgd",
                                         "irreversible_sgd_se", "irreversible", NULL, 0.0, 0.1, false, NULL}};

static const curve T2_RELATIVE[] = {
    {"numbers", NULL, "q", "commutator", NULL, DRAW_POINTS, 1,
     "‖[{/:Italic H}, {/:Italic C}]‖ / ‖{/:Italic H}‖‖{/:Italic C}‖"},
    {NULL, NULL, "q", "irreversible", NULL, DRAW_LINE, 0, "‖{/:Italic Q}‖ / ‖Σ‖, theory"},
    {"numbers", NULL, "q", "irreversible_sgd", "irreversible_sgd_se", DRAW_POINTS, 2, "‖{/:Italic Q}‖ / ‖Σ‖, SGD"},
    {NULL, NULL, NULL, "x", NULL, DRAW_FUNCTION, 3, "{/:Italic q}"}};
static const curve T2_ENTROPY[] = {
    {"numbers", NULL, "q", "entropy_production", NULL, DRAW_POINTS, 1, "entropy production"},
    {NULL, NULL, NULL, "x**2", NULL, DRAW_FUNCTION, 3, "{/:Italic q}^2"}};
static const panel T2_PANELS[] = {
    {NULL, "{/:Italic q} = {/:Italic N}_0 / {/:Italic P}", "relative norm", true, true, CURVES(T2_RELATIVE),
     "set key bottom right"},
    {NULL, "{/:Italic q}", "rate per continuum time", true, true, CURVES(T2_ENTROPY), "set key bottom right"}};

const exhibit EXHIBIT_T2 = {"T2",
                            "The cause is broken detailed balance",
                            "Where the two spectra differ, <i>H</i> and <i>C</i> do not commute, <i>Q</i> = "
                            "(<i>H</i>&Sigma; &minus; &Sigma;<i>H</i>)/2 "
                            "is not zero, and the stationary state produces entropy.",
                            "One layer, <i>N</i><sub>0</sub> = 50 isotropic Gaussian inputs, one output, <i>S</i> = "
                            "10 with replacement, a tenth of the "
                            "stability limit, the exact equation. <i>Q</i> by SGD is that of the measured "
                            "covariance, the bias of its noise removed.",
                            &LAYER,
                            T2_COLUMNS,
                            sizeof T2_COLUMNS / sizeof *T2_COLUMNS,
                            T2_TESTS,
                            sizeof T2_TESTS / sizeof *T2_TESTS,
                            T2_PANELS,
                            sizeof T2_PANELS / sizeof *T2_PANELS,
                            "What breaks detailed balance against <i>q</i>: theory, SGD with two standard errors, "
                            "and powers of <i>q</i> for the eye.",
                            NULL,
                            false,
                            NULL,
                            NULL};

static const exhibit_column T3_COLUMNS[] = {
    {"q", "<i>q</i>", NULL, false},
    {"variance_spread", "spread of &sigma;&sup2;, theory", NULL, false},
    {"variance_spread_sgd", "SGD", "variance_spread_sgd_se", false},
    {"curvature_spread", "spread of <i>p</i><sup>T</sup><i>Hp</i>, theory", NULL, false},
    {"curvature_spread_sgd", "SGD", "curvature_spread_sgd_se", false},
    {"condition", "spread of <i>H</i>'s own", NULL, false},
    {"slope", "slope, theory", NULL, false},
    {"slope_sgd", "SGD", "slope_sgd_se", false},
    {"correlation", "correlation, theory", NULL, false},
    {"correlation_sgd", "SGD", "correlation_sgd_se", false},
    {"quantities", "quantities compared", NULL, false},
    {"comparison", "theory against SGD", NULL, true}};

static const exhibit_test T3_TESTS[] = {
    {"theory_is_right", "theory and SGD agree in all quantities of the full comparison", TEST_VERDICTS, "comparison",
     NULL, NULL, NULL, 0.0, 0.0, false, NULL},
    {"anisotropic", "the measured variances spread more than the curvatures along the same directions", TEST_ABOVE,
     "variance_spread_sgd", "variance_spread_sgd_se", "curvature_spread_sgd", "curvature_spread_sgd_se", 0.0, 0.0,
     false, NULL},
    {"loss_isotropic", "these curvatures spread less than <i>H</i>'s own", TEST_BELOW, "curvature_spread_sgd",
     "curvature_spread_sgd_se", "condition", NULL, 0.0, 0.0, false, NULL}};

static const curve T3_DIRECTIONS[] = {
    {"directions", "case=q = 0.5", "curvature", "variance_sgd", "variance_sgd_se", DRAW_POINTS, 1,
     "SGD, {/:Italic q} = 0.5"},
    {"directions", "case=q = 0.01", "curvature", "variance_sgd", "variance_sgd_se", DRAW_POINTS, 2,
     "SGD, {/:Italic q} = 0.01"},
    {"directions", "case=q = 0.5", "curvature", "variance", NULL, DRAW_SMALL_POINTS, 0, "theory"}};
static const curve T3_SPREADS[] = {
    {NULL, NULL, "q", "variance_spread", NULL, DRAW_LINE, 1, "σ^2, theory"},
    {"numbers", NULL, "q", "variance_spread_sgd", "variance_spread_sgd_se", DRAW_POINTS, 1, "σ^2, SGD"},
    {NULL, NULL, "q", "condition", NULL, DRAW_DASHED, 0, "curvatures of {/:Italic H}"},
    {NULL, NULL, "q", "curvature_spread", NULL, DRAW_LINE, 2, "{/:Italic p}^T{/:Italic Hp}, theory"},
    {"numbers", NULL, "q", "curvature_spread_sgd", "curvature_spread_sgd_se", DRAW_POINTS, 2,
     "{/:Italic p}^T{/:Italic Hp}, SGD"}};
static const panel T3_PANELS[] = {{NULL, "curvature {/:Italic p}^T{/:Italic Hp} along principal directions",
                                   "variance σ^2 / {/:Italic T}", true, true, CURVES(T3_DIRECTIONS),
                                   "set xrange [0.1:10]\nset format x '%g'\nset format y '%g'\nset key top right"},
                                  {NULL, "{/:Italic q} = {/:Italic N}_0 / {/:Italic P}", "largest over smallest",
                                   true, true, CURVES(T3_SPREADS), "set key top left\nset format y '%g'"}};

const exhibit EXHIBIT_T3 = {"T3",
                            "Fluctuations are anisotropic, and the loss that they see is not",
                            "In one layer the weights fluctuate much more in some directions than in others, but "
                            "along these directions the loss is "
                            "about equally curved.",
                            "The problems of T2. Principal directions <i>p</i> and variances &sigma;&sup2; of the "
                            "predicted covariance, and of the "
                            "measured one (its own directions); spread is largest over smallest; slope and "
                            "correlation are those of log &sigma;&sup2; "
                            "and log <i>p</i><sup>T</sup><i>Hp</i>.",
                            &LAYER,
                            T3_COLUMNS,
                            sizeof T3_COLUMNS / sizeof *T3_COLUMNS,
                            T3_TESTS,
                            sizeof T3_TESTS / sizeof *T3_TESTS,
                            T3_PANELS,
                            sizeof T3_PANELS / sizeof *T3_PANELS,
                            "Left: variances against curvatures along the theory's principal directions of one data "
                            "set. Right: how far both spread, "
                            "against <i>q</i>. Bars are two standard errors.",
                            "Errors of SGD's spreads are by the jackknife over replicas. Noise makes the largest "
                            "eigenvalue of a measured covariance too "
                            "large and the smallest too small: a bias of a few of these errors, which they do not "
                            "contain, and which is what is left "
                            "between theory and SGD where the spread is small.",
                            false,
                            NULL,
                            NULL};

/* ------------------------------------------- at large: exponents, and correlation with curvature */

static const char *const DECAY_NUMBERS[] = {
    "inputs", "commutator", "irreversible", "entropy_production", "correlation_weak", "correlation_strong", NULL};
static const char *const DECAY_POINTS[] = {"q", "commutator", "irreversible", "entropy_production", NULL};
static const study_stream DECAY_STREAMS[] = {{"numbers", DECAY_NUMBERS}, {"points", DECAY_POINTS}, {NULL, NULL}};

enum { DECAY_STEPS = 5, WEAK = DECAY_STEPS }; /* q = 0.1, 0.05, ... 1/160; and one of 0.5 */

static sgf_status note_decay_point(study_unit *now, size_t k, double logs[4][DECAY_STEPS + 1], sgf_error *error)
{
  size_t inputs = sgf_problem_settings(now->problem)->network.widths[0];
  char config[80];
  sgf_status status;
  snprintf(config, sizeof config, "data.samples=%zu", k == WEAK ? 2 * inputs : inputs * (10u << k));
  SGF_TRY(unit_open(now, config, error));
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  double numbers[PRINCIPAL_NUMBERS], share;
  const double *H = unit_array(now, "hessian"), *Sigma = unit_array(now, "covariance");
  SGF_TRY(principal_numbers(info->weights, Sigma, H, numbers, error));
  SGF_TRY(irreversible_share(info->weights, Sigma, H, &share, error));
  SGF_TRY(unit_note(now, "points", error));
  SGF_TRY(unit_number(now, "points", "q", q_of(now), error));
  SGF_TRY(unit_number(now, "points", "commutator", info->commutator_relative, error));
  SGF_TRY(unit_number(now, "points", "irreversible", share, error));
  SGF_TRY(unit_number(now, "points", "entropy_production", info->entropy_production, error));
  if (k == WEAK) SGF_TRY(unit_number(now, "numbers", "correlation_weak", numbers[LOG_CORRELATION], error));
  if (k == 0) SGF_TRY(unit_number(now, "numbers", "correlation_strong", numbers[LOG_CORRELATION], error));
  logs[0][k] = log(q_of(now));
  logs[1][k] = log(info->commutator_relative);
  logs[2][k] = log(share);
  logs[3][k] = log(info->entropy_production);
done:
  return status;
}

static sgf_status measure_decay(study_unit *now, sgf_error *error)
{
  static const char *const names[] = {"commutator", "irreversible", "entropy_production"};
  double logs[4][DECAY_STEPS + 1], intercept, slope, ignored;
  sgf_status status;
  SGF_TRY(unit_open(now, "data.samples=1000", error));
  SGF_TRY(unit_note(now, "numbers", error));
  SGF_TRY(
      unit_number(now, "numbers", "inputs", (double)sgf_problem_settings(now->problem)->network.widths[0], error));
  for (size_t k = 0; k <= DECAY_STEPS; k++) SGF_TRY(note_decay_point(now, k, logs, error));
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    gsl_fit_linear(logs[0], 1, logs[k + 1], 1, DECAY_STEPS, &intercept, &slope, &ignored, &ignored, &ignored,
                   &ignored);
    SGF_TRY(unit_number(now, "numbers", names[k], slope, error));
  }
done:
  return status;
}

static const study_case DECAY_CASES[] = {{"N = 25", IN_BOTH, "network.widths=[25,1]"},
                                         {"N = 50", IN_FULL, "network.widths=[50,1]"},
                                         {"N = 100", IN_FULL, "network.widths=[100,1]"}};
static const study DECAY = {"decay",
                            {"training.learning_rate=1e-5", "training.learning_rate=1e-5"},
                            {12, 24},
                            DECAY_CASES,
                            sizeof DECAY_CASES / sizeof *DECAY_CASES,
                            DECAY_STREAMS,
                            1,
                            measure_decay};

static const exhibit_column T2_EXPONENT_COLUMNS[] = {
    {"inputs", "<i>N</i><sub>0</sub>", NULL, false},
    {"commutator", "exponent of the commutator", NULL, false},
    {"irreversible", "of &#8214;<i>Q</i>&#8214; / &#8214;&Sigma;&#8214;", NULL, false},
    {"entropy_production", "of entropy production", NULL, false},
    {"correlation_weak", "correlation, <i>q</i> = 0.5", NULL, false},
    {"correlation_strong", "<i>q</i> = 0.1", NULL, false}};
static const exhibit_test T2_EXPONENT_TESTS[] = {
    {"commutator_linear", "the commutator falls with <i>q</i> to the power 1 &plusmn; 0.15", TEST_EQUAL, "commutator",
     NULL, NULL, NULL, 1.0, 0.15, true, NULL},
    {"irreversible_linear", "&#8214;<i>Q</i>&#8214; / &#8214;&Sigma;&#8214; likewise", TEST_EQUAL, "irreversible",
     NULL, NULL, NULL, 1.0, 0.15, true, NULL},
    {"entropy_square", "entropy production to the power 2 &plusmn; 0.3", TEST_EQUAL, "entropy_production", NULL, NULL,
     NULL, 2.0, 0.15, true, NULL},
    {"uncorrelated", "at <i>q</i> = 0.5 log variance and log curvature are correlated by less than 0.2", TEST_EQUAL,
     "correlation_weak", NULL, NULL, NULL, 0.0, 0.2, true, NULL}};
static const curve T2_EXPONENT_CURVES[] = {
    {"points", NULL, "q", "commutator", NULL, DRAW_SMALL_POINTS, 1,
     "‖[{/:Italic H}, {/:Italic C}]‖ / ‖{/:Italic H}‖‖{/:Italic C}‖"},
    {"points", NULL, "q", "irreversible", NULL, DRAW_SMALL_POINTS, 2, "‖{/:Italic Q}‖ / ‖Σ‖"},
    {NULL, NULL, NULL, "0.3*x", NULL, DRAW_FUNCTION, 3, "∝ {/:Italic q}"},
    {"points", NULL, "q", "entropy_production", NULL, DRAW_SMALL_POINTS, 0, "entropy production"},
    {NULL, NULL, NULL, "30*x**2", NULL, DRAW_FUNCTION, 4, "∝ {/:Italic q}^2"}};
static const panel T2_EXPONENT_PANELS[] = {{NULL, "{/:Italic q} = {/:Italic N}_0 / {/:Italic P}", "", true, true,
                                            CURVES(T2_EXPONENT_CURVES), "set key bottom right"}};

const exhibit EXHIBIT_T2_EXPONENTS = {
    "T2-exponents",
    "How detailed balance comes back",
    "As <i>q</i> &rarr; 0 the state approaches detailed balance: its currents vanish like <i>q</i>, the entropy that "
    "it produces "
    "like <i>q</i>&sup2;.",
    "One layer of isotropic Gaussian inputs in the limit of small learning rates, by theory alone, on many data "
    "sets; least "
    "squares in log and log over <i>q</i> = 0.1, 0.05, 0.025, 0.0125, 0.00625 of each.",
    &DECAY,
    T2_EXPONENT_COLUMNS,
    sizeof T2_EXPONENT_COLUMNS / sizeof *T2_EXPONENT_COLUMNS,
    T2_EXPONENT_TESTS,
    sizeof T2_EXPONENT_TESTS / sizeof *T2_EXPONENT_TESTS,
    T2_EXPONENT_PANELS,
    sizeof T2_EXPONENT_PANELS / sizeof *T2_EXPONENT_PANELS,
    "All data sets, and powers of <i>q</i> for the eye.",
    "The exponents are those of this range of <i>q</i>; they come up to the powers of <i>q</i> towards its lower "
    "end. The last "
    "columns belong to T3: whether variance along principal directions knows of the curvature there.",
    false,
    NULL,
    NULL};
