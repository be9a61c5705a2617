/* T6-size: the inverse variance-flatness relation against the width of the network, by theory alone. */
#include <stdlib.h>

#include "catalogue.h"

enum { LAYERS = 2 };

static const char *const SIZE_NUMBERS[] = {"width", "samples", "weights", "path", NULL};
static const char *const SIZE_LAYERS[] = {"row",     "noise",    "width",       "weights", "path",          "psi",
                                          "psi_low", "psi_high", "correlation", "modes",   "psi_uncoupled", NULL};
static const study_stream SIZE_STREAMS[] = {{"numbers", SIZE_NUMBERS}, {"layers", SIZE_LAYERS}, {NULL, NULL}};

static sgf_status note_layer(study_unit *now, size_t layer, double width, sgf_error *error)
{
  static const char *const rows[LAYERS] = {"layer 1", "layer 2"};
  const sgf_prediction_info *info = sgf_prediction_get_info(now->prediction);
  const sgf_layer_info *of = sgf_prediction_get_layer(now->prediction, layer + 1);
  bool isotropic = sgf_problem_settings(now->problem)->theory.noise == SGF_NOISE_ISOTROPIC;
  struct {
    const char *name;
    double value;
  } notes[] = {{"width", width},
               {"weights", (double)info->weights},
               {"psi", of->ivfr.psi},
               {"psi_low", of->ivfr.psi_low},
               {"psi_high", of->ivfr.psi_high},
               {"correlation", of->ivfr.correlation},
               {"modes", (double)of->ivfr.modes},
               {"psi_uncoupled", of->ivfr_uncoupled.psi}};
  sgf_status status = unit_note(now, "layers", error);
  if (status == SGF_OK) status = unit_text(now, "layers", "row", rows[layer], error);
  if (status == SGF_OK) status = unit_text(now, "layers", "noise", isotropic ? "isotropic" : "of the sample", error);
  if (status == SGF_OK) status = unit_text(now, "layers", "path", info->path, error);
  for (size_t k = 0; k < sizeof notes / sizeof *notes && status == SGF_OK; k++)
    status = unit_number(now, "layers", notes[k].name, notes[k].value, error);
  return status;
}

static sgf_status measure_size(study_unit *now, sgf_error *error)
{
  sgf_status status = unit_open(now, NULL, error);
  if (status != SGF_OK) return status;
  double width = (double)sgf_problem_settings(now->problem)->network.widths[0];
  for (size_t layer = 0; layer < LAYERS && status == SGF_OK; layer++) status = note_layer(now, layer, width, error);
  if (status == SGF_OK) status = unit_note(now, "numbers", error);
  if (status == SGF_OK) status = unit_number(now, "numbers", "width", width, error);
  if (status == SGF_OK)
    status = unit_number(now, "numbers", "samples", (double)sgf_problem_samples(now->problem), error);
  if (status == SGF_OK)
    status = unit_number(now, "numbers", "weights", (double)sgf_problem_weights(now->problem), error);
  return status == SGF_OK ? unit_text(now, "numbers", "path", sgf_prediction_get_info(now->prediction)->path, error)
                          : status;
}

#define ISOTROPIC "theory.noise=isotropic theory.equation=continuum "
static const study_case SIZE_CASES[] = {
    {"isotropic noise, N = 10", IN_BOTH, ISOTROPIC "network.widths=[10,10,10] data.samples=1000"},
    {"isotropic noise, N = 20", IN_BOTH, ISOTROPIC "network.widths=[20,20,20] data.samples=2000"},
    {"isotropic noise, N = 50", IN_BOTH, ISOTROPIC "network.widths=[50,50,50] data.samples=5000"},
    {"isotropic noise, N = 100", IN_FULL, ISOTROPIC "network.widths=[100,100,100] data.samples=10000"},
    {"noise of the sample, N = 10", IN_BOTH, "network.widths=[10,10,10] data.samples=1000"},
    {"noise of the sample, N = 20", IN_FULL, "network.widths=[20,20,20] data.samples=2000"},
    {"noise of the sample, N = 30", IN_FULL, "network.widths=[30,30,30] data.samples=3000"}};

static const study SIZE = {"size",
                           {"training.learning_rate=1e-3", "training.learning_rate=1e-3"},
                           {1, 3},
                           SIZE_CASES,
                           sizeof SIZE_CASES / sizeof *SIZE_CASES,
                           SIZE_STREAMS,
                           1,
                           measure_size};

static const exhibit_column SIZE_COLUMNS[] = {{"weights", "<i>n</i>", NULL, false},
                                              {"path", "path", NULL, true},
                                              {"modes", "modes", NULL, false},
                                              {"psi", "&psi;, coupled", NULL, false},
                                              {"psi_low", "95 % from", NULL, false},
                                              {"psi_high", "to", NULL, false},
                                              {"correlation", "correlation", NULL, false},
                                              {"psi_uncoupled", "&psi;, uncoupled", NULL, false}};
static const exhibit_test SIZE_TESTS[] = {{"relation", "the 95 % interval of &psi; is above 0", TEST_ABOVE, "psi_low",
                                           NULL, NULL, NULL, 0.0, 0.0, false, NULL}};
static const curve SIZE_CURVES[] = {
    {"layers", "noise=isotropic; row=layer 2", "width", "psi", NULL, DRAW_POINTS, 1, "isotropic noise, layer 2"},
    {"layers", "noise=isotropic; row=layer 1", "width", "psi", NULL, DRAW_POINTS, 3, "layer 1"},
    {"layers", "noise=of the sample; row=layer 2", "width", "psi", NULL, DRAW_POINTS, 2,
     "noise of the sample, layer 2"},
    {"layers", "noise=of the sample; row=layer 1", "width", "psi", NULL, DRAW_POINTS, 4, "layer 1"}};
static const panel SIZE_PANELS[] = {{NULL, "width {/:Italic N}", "ψ", true, false, SIZE_CURVES,
                                     sizeof SIZE_CURVES / sizeof *SIZE_CURVES,
                                     "set yrange [0:*]\nset xrange [8:250]\nset format x '%g'"}};

const exhibit EXHIBIT_T6_SIZE = {
    .id = "T6-size",
    .title = "The relation does not go away with the width",
    .claim = "&psi; stays above 0 for networks of any width.",
    .setup =
        "Two layers of equal widths <i>N</i>&ndash;<i>N</i>&ndash;<i>N</i>, isotropic Gaussian inputs, <i>P</i> = "
        "100<i>N</i>, random start, theory alone: isotropic noise, <i>C</i> = <i>s</i>&sup2;<i>H</i>, whose "
        "covariance is "
        "closed, and the noise of the sample itself.",
    .of = &SIZE,
    .columns = SIZE_COLUMNS,
    .column_count = sizeof SIZE_COLUMNS / sizeof *SIZE_COLUMNS,
    .tests = SIZE_TESTS,
    .test_count = sizeof SIZE_TESTS / sizeof *SIZE_TESTS,
    .panels = SIZE_PANELS,
    .panel_count = sizeof SIZE_PANELS / sizeof *SIZE_PANELS,
    .caption = "&psi; of both layers against the width, all data sets.",
    .remarks = "Intervals are by the bootstrap over modes. The noise of the sample is not proportional to the drift, "
               "and makes the "
               "slope steeper (T6); its covariance needs matrices of all weights, and stops where they get large.",
    .stream = "layers",
    .label = "row"};
