/* The HDF5 output: every set of the contract, written beside its place and renamed when complete. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../io/atomic_file.h"
#include "../io/hdf5_file.h"
#include "../theory/memory.h"
#include "../theory/prediction.h"
#include "compare.h"
#include "ensemble.h"
#include "output.h"

/* Above this n the n x n sets are left out unless asked for. */
enum { LARGE = 4000 };

void sgf_write_provenance(sgf_hdf5_output *out, const sgf_provenance *provenance, const sgf_problem *problem)
{
  char text[512], date[32] = "";
  time_t now = time(NULL);
  struct tm calendar;
  if (gmtime_r(&now, &calendar) != NULL) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &calendar);
  sgf_hdf5_attribute_text(out, "/", "config", provenance->config);
  sgf_hdf5_attribute_text(out, "/", "request", provenance->request);
  sgf_hdf5_attribute_text(out, "/", "command", provenance->command);
  sgf_hdf5_attribute_count(out, "/", "seed", problem->settings.seed);
  sgf_hdf5_attribute_text(out, "/", "version", sgf_version());
  sgf_hdf5_attribute_text(out, "/", "date", date);
  if (gethostname(text, sizeof text) != 0) text[0] = '\0';
  text[sizeof text - 1] = '\0';
  sgf_hdf5_attribute_text(out, "/", "host", text);
  sgf_libraries(text, sizeof text);
  sgf_hdf5_attribute_text(out, "/", "libraries", text);
  const char *blas = strstr(text, "BLAS ");
  sgf_hdf5_attribute_text(out, "/", "BLAS", blas != NULL ? blas + strlen("BLAS ") : "unknown");
  sgf_hdf5_attribute_count(out, "/", "threads", (uint64_t)provenance->threads);
}

void sgf_write_problem(sgf_hdf5_output *out, const sgf_problem *problem)
{
  const sgf_dataset *data = &problem->data;
  const sgf_network *network = &problem->network;
  char name[32];
  sgf_hdf5_group(out, "data");
  sgf_hdf5_write(out, "data/X", 2, (size_t[]){data->samples, data->inputs}, data->X);
  sgf_hdf5_write(out, "data/Y", 2, (size_t[]){data->samples, data->outputs}, data->Y);
  sgf_hdf5_group(out, "network");
  for (size_t l = 1; l <= network->layers; l++) {
    snprintf(name, sizeof name, "network/W%zu", l);
    sgf_hdf5_write(out, name, 2, (size_t[]){network->widths[l], network->widths[l - 1]},
                   problem->theta + network->offsets[l]);
  }
}

static void write_numbers(sgf_hdf5_output *out, const char *group, const sgf_number *numbers, size_t count)
{
  for (size_t k = 0; k < count; k++)
    if (numbers[k].whole)
      sgf_hdf5_attribute_count(out, group, numbers[k].name, (uint64_t)numbers[k].value);
    else
      sgf_hdf5_attribute(out, group, numbers[k].name, numbers[k].value);
}

/* Groups of the hidden layers' rotations, and their numbers. */
static void write_rotation_groups(sgf_hdf5_output *out, const sgf_prediction *prediction)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  char name[48];
  for (size_t l = 1; sgf_prediction_get_rotation(prediction, l) != NULL; l++) {
    const sgf_rotation_info *info = sgf_prediction_get_rotation(prediction, l);
    if (l == 1) sgf_hdf5_group(out, "theory/rotation");
    snprintf(name, sizeof name, "theory/rotation/layer%zu", l);
    sgf_hdf5_group(out, name);
    write_numbers(out, name, numbers, sgf_rotation_numbers(prediction, l, numbers, SGF_MOST_NUMBERS));
    if (info->left_out != NULL) sgf_hdf5_attribute_text(out, name, "left_out", info->left_out);
    if (info->too_many != NULL) sgf_hdf5_attribute_text(out, name, "diffusion_left_out", info->too_many);
  }
}

static void write_prediction(sgf_hdf5_output *out, const sgf_problem *problem, const sgf_prediction *prediction,
                             bool full)
{
  bool matrices = full || problem->network.weights <= LARGE;
  sgf_number numbers[SGF_MOST_NUMBERS];
  char name[80];
  sgf_hdf5_group(out, "theory");
  sgf_hdf5_group(out, "theory/spectrum");
  for (size_t l = 1; l <= problem->network.layers; l++) {
    snprintf(name, sizeof name, "theory/layer%zu", l);
    sgf_hdf5_group(out, name);
  }
  if (!isnan(prediction->info.noise_balance.distance)) sgf_hdf5_group(out, "theory/noise_balance");
  write_rotation_groups(out, prediction);
  if (sgf_prediction_find(prediction, "whole/mean") != NULL) sgf_hdf5_group(out, "theory/whole");
  for (size_t k = 0; k < prediction->array_count; k++) {
    const sgf_named_array *array = &prediction->arrays[k];
    bool square = !array->vector && array->rows == array->columns;
    if (square && !matrices) continue;
    snprintf(name, sizeof name, "theory/%s", array->name);
    sgf_hdf5_write(out, name, array->vector ? 1 : 2, (size_t[]){array->rows, array->columns}, array->values);
  }
  write_numbers(out, "theory", numbers, sgf_prediction_numbers(prediction, numbers, SGF_MOST_NUMBERS));
  sgf_hdf5_attribute_text(out, "theory", "path", prediction->info.path);
  for (size_t l = 1; l <= problem->network.layers; l++) {
    snprintf(name, sizeof name, "theory/layer%zu", l);
    write_numbers(out, name, numbers, sgf_layer_numbers(prediction, l, numbers, SGF_MOST_NUMBERS));
  }
}

/* The moments of an ensemble below `group`, in its directions if it is on some. */
static sgf_status write_moments(sgf_hdf5_output *out, const char *group, const sgf_ensemble *ensemble, bool full,
                                sgf_error *error)
{
  size_t n = ensemble->n, square[2] = {n, n};
  const char *where = ensemble->directions != NULL ? "_on_directions" : "";
  double *covariance = NULL, *standard_error = NULL, *mean = NULL;
  char name[96];
  sgf_status status;
  SGF_TRY(sgf_new_reals(&covariance, n, n, "covariance", error));
  SGF_TRY(sgf_new_reals(&standard_error, n, n, "covariance", error));
  SGF_TRY(sgf_new_reals(&mean, n, 1, "mean", error));
  SGF_TRY(sgf_ensemble_moments(ensemble, covariance, standard_error, mean, error));
  sgf_hdf5_group(out, group);
  if (full || n <= LARGE) {
    snprintf(name, sizeof name, "%s/covariance%s", group, where);
    sgf_hdf5_write(out, name, 2, square, covariance);
    snprintf(name, sizeof name, "%s/covariance%s_se", group, where);
    sgf_hdf5_write(out, name, 2, square, standard_error);
  }
  snprintf(name, sizeof name, "%s/mean%s", group, where);
  sgf_hdf5_write(out, name, 1, square, mean);
done:
  free(covariance);
  free(standard_error);
  free(mean);
  return status;
}

/* Mean over the runs of the change of every W_l W_l^T - W_{l+1}^T W_{l+1} since theta*, (points, N_l, N_l). */
static sgf_status write_balance(sgf_hdf5_output *out, const sgf_problem *problem, const sgf_ensemble *ensemble,
                                sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t points = ensemble->balance_points, whole = ensemble->balance_size, pools = ensemble->info.pools, at = 0;
  double *mean;
  char name[48];
  if (ensemble->balance == NULL) return SGF_OK;
  sgf_status status = sgf_new_reals(&mean, points, whole, "drift of the balance", error);
  for (size_t l = 1; l < network->layers && status == SGF_OK; l++) {
    size_t width = network->widths[l], size = width * width;
    for (size_t k = 0; k < points; k++)
      for (size_t i = 0; i < size; i++) {
        mean[k * size + i] = 0.0;
        for (size_t r = 0; r < pools; r++)
          mean[k * size + i] += ensemble->balance[(r * points + k) * whole + at + i] / (double)pools;
      }
    snprintf(name, sizeof name, "simulation/balance_%zu", l);
    sgf_hdf5_write(out, name, 3, (size_t[]){points, width, width}, mean);
    at += size;
  }
  free(mean);
  return status;
}

/* Components of every run below simulation/layerN, for the protocol window-pca. */
static sgf_status write_components(sgf_hdf5_output *out, const sgf_problem *problem, const sgf_ensemble *ensemble,
                                   size_t layer, sgf_error *error)
{
  size_t rows = ensemble->info.pools, size = sgf_layer_size(&problem->network, layer);
  double *variance = NULL, *flatness = NULL;
  sgf_window_pca seen;
  char group[48], name[64];
  sgf_status status;
  SGF_TRY(sgf_new_reals(&variance, rows, size, "principal components", error));
  SGF_TRY(sgf_new_reals(&flatness, rows, size, "principal components", error));
  SGF_TRY(sgf_window_pca_measure(problem, ensemble, layer, &seen, variance, flatness, error));
  snprintf(group, sizeof group, "simulation/layer%zu", layer);
  sgf_hdf5_group(out, group);
  snprintf(name, sizeof name, "%s/pca_variance", group);
  sgf_hdf5_write(out, name, 2, (size_t[]){rows, size}, variance);
  snprintf(name, sizeof name, "%s/pca_flatness", group);
  sgf_hdf5_write(out, name, 2, (size_t[]){rows, size}, flatness);
  sgf_hdf5_attribute(out, group, "pca_psi", seen.psi);
  sgf_hdf5_attribute(out, group, "pca_psi_se", seen.psi_error);
  sgf_hdf5_attribute(out, group, "pca_correlation", seen.correlation);
  sgf_hdf5_attribute(out, group, "pca_correlation_se", seen.correlation_error);
done:
  free(variance);
  free(flatness);
  return status;
}

/* The directions D that moments are in, and |theta - theta*|^2 of each layer. */
static void write_directions(sgf_hdf5_output *out, const sgf_ensemble *ensemble)
{
  size_t layers = ensemble->square_count - 1, rows = ensemble->info.pools;
  char name[64];
  sgf_hdf5_write(out, "simulation/directions", 2, (size_t[]){ensemble->n, ensemble->weights}, ensemble->directions);
  sgf_hdf5_attribute(out, "simulation", "trace", ensemble->info.trace);
  sgf_hdf5_attribute(out, "simulation", "trace_se", ensemble->info.trace_se);
  for (size_t l = 1; l <= layers; l++) {
    double mean = 0.0;
    for (size_t r = 0; r < rows; r++) mean += ensemble->squares[r * ensemble->square_count + l] / (double)rows;
    snprintf(name, sizeof name, "layer%zu_trace", l);
    sgf_hdf5_attribute(out, "simulation", name, mean);
  }
}

static sgf_status write_ensemble(sgf_hdf5_output *out, const sgf_problem *problem, const sgf_ensemble *ensemble,
                                 bool full, sgf_error *error)
{
  const sgf_ensemble_info *info = &ensemble->info;
  char name[48];
  sgf_status status;
  SGF_TRY(write_moments(out, "simulation", ensemble, full, error));
  if (ensemble->directions != NULL) write_directions(out, ensemble);
  SGF_TRY(write_balance(out, problem, ensemble, error));
  for (size_t l = 1; l <= ensemble->layers; l++) {
    if (l == 1) sgf_hdf5_group(out, "simulation/uncoupled");
    snprintf(name, sizeof name, "simulation/uncoupled/layer%zu", l);
    SGF_TRY(write_moments(out, name, ensemble->alone[l - 1], full, error));
  }
  for (size_t l = 1; l <= problem->network.layers && info->centred; l++)
    SGF_TRY(write_components(out, problem, ensemble, l, error));
  sgf_hdf5_write_count(out, "simulation/replicas", (double)info->replicas);
  sgf_hdf5_write_count(out, "simulation/steps", info->steps);
  sgf_hdf5_attribute_count(out, "simulation", "burn_in_steps", info->plan.burn_in_steps);
  sgf_hdf5_attribute_count(out, "simulation", "window_steps", info->plan.window_steps);
  sgf_hdf5_attribute_count(out, "simulation", "stride", info->plan.stride);
  sgf_hdf5_attribute_count(out, "simulation", "recorded", info->recorded);
  sgf_hdf5_attribute_count(out, "simulation", "batches", info->batches);
  sgf_hdf5_attribute_count(out, "simulation", "pools", info->pools);
  sgf_hdf5_attribute_count(out, "simulation", "centred", ensemble->info.centred);
  sgf_hdf5_attribute(out, "simulation", "seconds", info->seconds);
done:
  return status;
}

/* The fit of one set of variances as attributes. */
static void write_fit(sgf_hdf5_output *out, const char *group, const char *which, const sgf_ivfr *fit)
{
  const sgf_number numbers[] = {{"psi", fit->psi, false},
                                {"psi_low", fit->psi_low, false},
                                {"psi_high", fit->psi_high, false},
                                {"correlation", fit->correlation, false}};
  char name[48];
  for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
    snprintf(name, sizeof name, "%s_%s", which, numbers[k].name);
    sgf_hdf5_attribute(out, group, name, numbers[k].value);
  }
}

/* Variances along sets of directions, below variances. */
static void write_modes(sgf_hdf5_output *out, const sgf_comparison *comparison)
{
  char group[64], name[96];
  sgf_hdf5_group(out, "variances");
  for (size_t k = 0; k < comparison->set_count; k++) {
    const sgf_mode_set *set = &comparison->sets[k];
    const char *const names[] = {"curvature", "stationary", "predicted", "measured", "standard_error"};
    const double *const values[] = {set->curvature, set->stationary, set->predicted, set->measured, set->error};
    snprintf(group, sizeof group, "variances/%s", set->name);
    sgf_hdf5_group(out, group);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      snprintf(name, sizeof name, "%s/%s", group, names[i]);
      sgf_hdf5_write(out, name, 1, &set->count, values[i]);
    }
    write_fit(out, group, "predicted", &set->predicted_fit);
    write_fit(out, group, "measured", &set->measured_fit);
  }
}

/* Measured drift of the hidden layers' rotations beside the predicted one, below rotation. */
static void write_turning(sgf_hdf5_output *out, const sgf_comparison *comparison)
{
  char group[48], name[96];
  if (comparison->rotation_count > 0) sgf_hdf5_group(out, "rotation");
  for (size_t k = 0; k < comparison->rotation_count; k++) {
    const sgf_rotation_drift *drift = &comparison->rotations[k];
    const char *const names[] = {"predicted", "measured", "standard_error"};
    const double *const values[] = {drift->predicted, drift->measured, drift->error};
    snprintf(group, sizeof group, "rotation/layer%zu", drift->hidden);
    sgf_hdf5_group(out, group);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      snprintf(name, sizeof name, "%s/%s", group, names[i]);
      sgf_hdf5_write(out, name, 1, &drift->modes, values[i]);
    }
  }
}

/* Correlation times and displacement of recorded weights, below times. */
static void write_times(sgf_hdf5_output *out, const sgf_comparison *comparison)
{
  char group[64], name[96];
  if (comparison->time_count > 0) sgf_hdf5_group(out, "times");
  for (size_t k = 0; k < comparison->time_count; k++) {
    const sgf_time_set *set = &comparison->times[k];
    const struct {
      const char *name;
      const double *values;
      const size_t *size;
    } all[] = {{"curvature", set->curvature, &set->count},
               {"predicted", set->predicted, &set->count},
               {"measured", set->measured, &set->count},
               {"standard_error", set->error, &set->count},
               {"lags", set->lag, &set->lags},
               {"displacement_predicted", set->displacement, &set->lags},
               {"displacement_measured", set->displacement_measured, &set->lags},
               {"displacement_standard_error", set->displacement_error, &set->lags}};
    snprintf(group, sizeof group, "times/%s", set->name);
    sgf_hdf5_group(out, group);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
      snprintf(name, sizeof name, "%s/%s", group, all[i].name);
      sgf_hdf5_write(out, name, 1, all[i].size, all[i].values);
    }
  }
}

static void write_quantity(sgf_hdf5_output *out, const sgf_quantity *quantity)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  size_t count = sgf_quantity_numbers(quantity, numbers, SGF_MOST_NUMBERS);
  char name[128];
  snprintf(name, sizeof name, "comparison/%s", quantity->name);
  sgf_hdf5_group(out, name);
  for (size_t k = 0; k < count; k++) {
    snprintf(name, sizeof name, "comparison/%s/%s", quantity->name, numbers[k].name);
    sgf_hdf5_write(out, name, 0, NULL, &numbers[k].value);
  }
  snprintf(name, sizeof name, "comparison/%s/verdict", quantity->name);
  sgf_hdf5_write_text(out, name, sgf_verdict_text(quantity->verdict));
}

/* Diagnostics of the slowest modes: a dataset for each, (modes). */
static void write_slow_modes(sgf_hdf5_output *out, const sgf_comparison *comparison)
{
  sgf_number numbers[SGF_SLOW_MODES][SGF_MOST_NUMBERS];
  char name[64];
  size_t count = 0, modes = comparison->slow_count;
  for (size_t k = 0; k < modes; k++) count = sgf_mode_numbers(&comparison->slow[k], numbers[k], SGF_MOST_NUMBERS);
  if (modes > 0) sgf_hdf5_group(out, "diagnostics");
  for (size_t i = 0; i < count; i++) {
    double values[SGF_SLOW_MODES];
    for (size_t k = 0; k < modes; k++) values[k] = numbers[k][i].value;
    snprintf(name, sizeof name, "diagnostics/%s", numbers[0][i].name);
    sgf_hdf5_write(out, name, 1, &modes, values);
  }
}

/* What the replicas cannot tell, below not_tested: no group of a quantity, and without a verdict. */
static void write_untested(sgf_hdf5_output *out, const sgf_comparison *comparison)
{
  char group[96];
  if (comparison->untested_count > 0) sgf_hdf5_group(out, "not_tested");
  for (size_t k = 0; k < comparison->untested_count; k++) {
    const sgf_quantity *left = &comparison->untested[k];
    const sgf_number numbers[] = {{"predicted", left->predicted, false},
                                  {"measured", left->measured, false},
                                  {"standard_error", left->standard_error, false},
                                  {"replicas_needed", left->replicas_needed, false}};
    snprintf(group, sizeof group, "not_tested/%s", left->name);
    sgf_hdf5_group(out, group);
    write_numbers(out, group, numbers, sizeof numbers / sizeof *numbers);
  }
}

static void write_comparison(sgf_hdf5_output *out, const sgf_comparison *comparison)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  sgf_hdf5_group(out, "comparison");
  for (size_t k = 0; k < comparison->count; k++) write_quantity(out, &comparison->quantities[k]);
  sgf_hdf5_attribute_text(out, "comparison", "verdict", sgf_verdict_text(comparison->info.verdict));
  write_numbers(out, "comparison", numbers, sgf_comparison_numbers(comparison, numbers, SGF_MOST_NUMBERS));
  write_modes(out, comparison);
  write_slow_modes(out, comparison);
  write_turning(out, comparison);
  write_untested(out, comparison);
  write_times(out, comparison);
}

sgf_status sgf_write_results(const char *path, const sgf_provenance *provenance, const sgf_problem *problem,
                             const sgf_prediction *prediction, const sgf_ensemble *ensemble,
                             const sgf_comparison *comparison, bool full, sgf_error *error)
{
  sgf_atomic_file file;
  sgf_hdf5_output out;
  sgf_status status = sgf_atomic_begin(path, &file, error);
  if (status != SGF_OK) return status;
  sgf_hdf5_create(file.temporary, &out);
  sgf_write_provenance(&out, provenance, problem);
  sgf_write_problem(&out, problem);
  if (prediction != NULL) write_prediction(&out, problem, prediction, full);
  if (ensemble != NULL) status = write_ensemble(&out, problem, ensemble, full, error);
  if (comparison != NULL) write_comparison(&out, comparison);
  if (!sgf_hdf5_finish(&out) && status == SGF_OK)
    status =
        sgf_fail(error, SGF_ERROR_WRITE, "%s: cannot be written (%s): %s", path, out.first_failure, strerror(errno));
  if (status == SGF_OK) return sgf_atomic_commit(&file, error);
  sgf_atomic_discard(&file);
  return status;
}
