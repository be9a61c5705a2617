/* T6-window: what an experimenter reads off the windows of long runs, against their length and the strength of the
 * noise. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../theory/problem.h"
#include "../verify/compare.h"
#include "blocks.h"
#include "catalogue.h"

static const char *const WINDOW_CASE[] = {"learning_rate", "temperature", "lifetime", "rate", "psi", NULL};
static const char *const WINDOW_ROWS[] = {"row",      "window",    "lifetimes",    "snapshots",   "psi",  "psi_low",
                                          "psi_high", "seen",      "seen_sgd",     "seen_sgd_se", "leak", "leak_se",
                                          "first",    "first_sgd", "first_sgd_se", NULL};
static const study_stream WINDOW_STREAMS[] = {{"numbers", WINDOW_CASE}, {"windows", WINDOW_ROWS}, {NULL, NULL}};

/* Continuum time, by scale. */
static const double WINDOWS[] = {10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0};
static const double QUICK_WINDOWS[] = {20.0, 50.0, 200.0, 1000.0};

static const sgf_quantity *quantity(const study_unit *now, const char *name)
{
  const sgf_quantity *all = sgf_comparison_quantities(now->comparison);
  for (size_t k = 0; k < sgf_comparison_get_info(now->comparison)->quantities; k++)
    if (strcmp(all[k].name, name) == 0) return &all[k];
  return NULL;
}

/* A number, its measured twin and the error of that, of a quantity of the comparison; nothing if there is none. */
static sgf_status note_quantity(study_unit *now, const char *column, const char *name, sgf_error *error)
{
  const sgf_quantity *one = quantity(now, name);
  if (one == NULL) return SGF_OK;
  return unit_pair(now, "windows", column, one->predicted, one->measured, one->standard_error, error);
}

static sgf_status note_window(study_unit *now, double window, sgf_error *error)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  const sgf_comparison_info *compared = sgf_comparison_get_info(now->comparison);
  const sgf_ivfr *ivfr = &sgf_prediction_get_layer(now->prediction, 2)->ivfr;
  const study_number numbers[] = {{"window", window},
                                  {"lifetimes", window / info->lifetime},
                                  {"snapshots", (double)(now->plan.window_steps / now->plan.stride)},
                                  {"psi", ivfr->psi},
                                  {"psi_low", ivfr->psi_low},
                                  {"psi_high", ivfr->psi_high},
                                  {"leak", compared->null_leak},
                                  {"leak_se", compared->null_leak_error}};
  char label[40];
  snprintf(label, sizeof label, "window of %g", window);
  sgf_status status;
  SGF_TRY(unit_note(now, "windows", error));
  SGF_TRY(unit_text(now, "windows", "row", label, error));
  SGF_TRY(unit_numbers(now, "windows", numbers, sizeof numbers / sizeof *numbers, error));
  SGF_TRY(note_quantity(now, "seen", "layer2_window_psi", error));
  SGF_TRY(note_quantity(now, "first", "layer1_window_psi", error));
done:
  return status;
}

static sgf_status note_network(study_unit *now, sgf_error *error)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  const study_number numbers[] = {{"learning_rate", sgf_problem_settings(now->problem)->training.learning_rate},
                                  {"temperature", info->temperature},
                                  {"lifetime", info->lifetime},
                                  {"rate", info->relaxation_rate},
                                  {"psi", sgf_prediction_get_layer(now->prediction, 2)->ivfr.psi}};
  sgf_status status = unit_note(now, "numbers", error);
  return status == SGF_OK ? unit_numbers(now, "numbers", numbers, sizeof numbers / sizeof *numbers, error) : status;
}

static sgf_status measure_windows(study_unit *now, sgf_error *error)
{
  const double *windows = now->size == SCALE_QUICK ? QUICK_WINDOWS : WINDOWS;
  size_t count = now->size == SCALE_QUICK ? sizeof QUICK_WINDOWS / sizeof *windows : sizeof WINDOWS / sizeof *windows;
  char config[120];
  sgf_status status;
  SGF_TRY(unit_open_at(now, 0.05, NULL, error));
  SGF_TRY(note_network(now, error));
  double rate = sgf_problem_settings(now->problem)->training.learning_rate;
  for (size_t k = 0; k < count; k++) {
    snprintf(config, sizeof config, "training.learning_rate=%.6g simulation.window=%g", rate, windows[k]);
    SGF_TRY(unit_open(now, config, error));
    SGF_TRY(unit_verify(now, error));
    SGF_TRY(note_window(now, windows[k], error));
  }
done:
  return status;
}

/* The cases of the figure, by the strength of the noise. */
#define STRONG "random, label noise 0.5"
#define MIDDLE "random, label noise 0.1"
#define WEAK "random, label noise 0.001"
static const study_case WINDOW_CASES[] = {
    {WEAK, IN_BOTH, "data.label_noise=0.001"},
    {MIDDLE, IN_BOTH, "data.label_noise=0.1"},
    {STRONG, IN_BOTH, "data.label_noise=0.5"},
    {"noise-balanced, label noise 0.5", IN_FULL, "data.label_noise=0.5 network.start=noise-balanced"}};

#define WINDOW_CONFIG                                                                              \
  "network.widths=[8,8,8] data.samples=8000 training.batch_size=8 simulation.protocol=window-pca " \
  "simulation.burn_in=20 "
static const study WINDOW_STUDY = {"windows",
                                   {WINDOW_CONFIG "simulation.replicas=16", WINDOW_CONFIG "simulation.replicas=32"},
                                   {1, 3},
                                   WINDOW_CASES,
                                   sizeof WINDOW_CASES / sizeof *WINDOW_CASES,
                                   WINDOW_STREAMS,
                                   1,
                                   measure_windows};

static const exhibit_column WINDOW_COLUMNS[] = {{"window", "length <i>T<sub>w</sub></i>", NULL, false},
                                                {"lifetimes", "over the lifetime", NULL, false},
                                                {"snapshots", "snapshots", NULL, false},
                                                {"psi", "&psi;, stationary theory", NULL, false},
                                                {"psi_low", "95 % from", NULL, false},
                                                {"psi_high", "to", NULL, false},
                                                {"seen", "&psi; of such windows, theory", NULL, false},
                                                {"seen_sgd", "SGD", "seen_sgd_se", false},
                                                {"leak", "share outside of range(<i>H</i>)", "leak_se", false},
                                                {"first", "layer 1, theory", NULL, false},
                                                {"first_sgd", "SGD", "first_sgd_se", false}};

static const exhibit_test WINDOW_TESTS[] = {
    {"relation_seen", "windows of SGD show &psi; above 0 in layer 2", TEST_ABOVE, "seen_sgd", "seen_sgd_se", NULL,
     NULL, 0.0, 0.0, false, NULL},
    {"as_predicted", "and within 10 % of what is predicted of such windows", TEST_EQUAL, "seen_sgd", "seen_sgd_se",
     "seen", NULL, 0.0, 0.1, false, NULL}};

#define CURVES(list) list, sizeof list / sizeof *list
static const curve WINDOW_PSI[] = {
    {NULL, "case=" WEAK, "window", "seen", NULL, DRAW_LINE, 0, "label noise 0.001, theory"},
    {NULL, "case=" WEAK, "window", "seen_sgd", "seen_sgd_se", DRAW_POINTS, 0, "SGD"},
    {NULL, "case=" MIDDLE, "window", "seen", NULL, DRAW_DASHED, 1, "0.1, theory"},
    {NULL, "case=" MIDDLE, "window", "seen_sgd", "seen_sgd_se", DRAW_POINTS, 1, "SGD"},
    {NULL, "case=" STRONG, "window", "seen", NULL, DRAW_DASHED, 2, "0.5, theory"},
    {NULL, "case=" STRONG, "window", "seen_sgd", "seen_sgd_se", DRAW_POINTS, 2, "SGD"},
    {NULL, "case=" WEAK, "window", "psi", NULL, DRAW_DASHED, 3, "stationary covariance"}};
static const curve WINDOW_LEAK[] = {
    {NULL, "case=" STRONG, "window", "leak", "leak_se", DRAW_POINTS, 2, "label noise 0.5"},
    {NULL, "case=" MIDDLE, "window", "leak", "leak_se", DRAW_POINTS, 1, "0.1"},
    {NULL, "case=" WEAK, "window", "leak", "leak_se", DRAW_POINTS, 0, "0.001"}};
static const panel WINDOW_PANELS[] = {{NULL, "length of the window {/:Italic T_w}, continuum time",
                                       "ψ of layer 2, from single windows", true, false, CURVES(WINDOW_PSI),
                                       "set key top right\nset yrange [0:*]"},
                                      {NULL, "length of the window {/:Italic T_w}, continuum time",
                                       "share of the variance outside of range({/:Italic H})", true, true,
                                       CURVES(WINDOW_LEAK), "set key bottom right"}};

const exhibit EXHIBIT_T6_WINDOW = {
    .id = "T6-window",
    .title = "What one long run shows of it",
    .claim =
        "An experimenter takes the principal components of the weights in the window of a single run, about the "
        "mean of the window, and the flatness along them. The &psi; of layer 2 that is read off is positive, and it "
        "is not that of the stationary covariance, but what the theory says of such windows.",
    .setup =
        "8&ndash;8&ndash;8, isotropic Gaussian data, <i>P</i> = 8000, <i>S</i> = 8, random start, at a twentieth of "
        "the stability limit, with label noise of three strengths: it sets the temperature, and with it the "
        "lifetime, after which the weights have moved along the minima. After a burn-in of 20 a window of length "
        "<i>T<sub>w</sub></i>; &psi; is the mean over the runs, each fitted by itself. Theory is the mean over "
        "windows of the linear theory, as long and with as many snapshots, with the motion along the null space.",
    .of = &WINDOW_STUDY,
    .columns = WINDOW_COLUMNS,
    .column_count = sizeof WINDOW_COLUMNS / sizeof *WINDOW_COLUMNS,
    .tests = WINDOW_TESTS,
    .test_count = sizeof WINDOW_TESTS / sizeof *WINDOW_TESTS,
    .panels = WINDOW_PANELS,
    .panel_count = sizeof WINDOW_PANELS / sizeof *WINDOW_PANELS,
    .caption =
        "Left: &psi; that single windows show, theory (lines) and SGD (points, two standard errors), and that of "
        "the stationary covariance. Right: what of SGD's variance in the window is outside of range(<i>H</i>).",
    .remarks =
        "A short window has too few independent snapshots for its components: the small variances come out too "
        "small, and &psi; too large. With weak noise a longer window comes down towards the stationary &psi;. "
        "With strong noise it goes on falling: the drift and the rotation of the hidden layer fill the directions of "
        "small variance with motion along the null space, and flatten the relation. The theory of the windows has "
        "part "
        "of that, and less of it the longer they are against the lifetime: already before it SGD falls faster than "
        "theory, "
        "within the tolerance of the test; beyond, the weights are at other minima than &theta;*, and it does not "
        "hold.",
    .stream = "windows",
    .label = "row"};
