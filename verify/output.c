/* The HDF5 output: every set of the contract, written beside its place and renamed when complete. */
#include <errno.h>
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

/* Above this n the n x n sets are left out unless asked for. */
enum { LARGE = 4000 };

static void write_root(sgf_hdf5_output *out, const sgf_provenance *provenance, const sgf_problem *problem)
{
  char text[512], date[32] = "";
  time_t now = time(NULL);
  struct tm calendar;
  if (gmtime_r(&now, &calendar) != NULL) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &calendar);
  sgf_hdf5_attribute_text(out, "/", "config", provenance->config);
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

static void write_problem(sgf_hdf5_output *out, const sgf_problem *problem)
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
  for (size_t k = 0; k < prediction->array_count; k++) {
    const sgf_named_array *array = &prediction->arrays[k];
    bool square = !array->vector && array->rows == array->columns;
    if (square && !matrices) continue;
    snprintf(name, sizeof name, "theory/%s", array->name);
    sgf_hdf5_write(out, name, array->vector ? 1 : 2, (size_t[]){array->rows, array->columns}, array->values);
  }
  write_numbers(out, "theory", numbers, sgf_prediction_numbers(prediction, numbers, SGF_MOST_NUMBERS));
}

static sgf_status write_ensemble(sgf_hdf5_output *out, const sgf_ensemble *ensemble, bool full, sgf_error *error)
{
  size_t n = ensemble->n, square[2] = {n, n};
  const sgf_ensemble_info *info = &ensemble->info;
  double *covariance = NULL, *standard_error = NULL, *mean = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&covariance, n, n, "covariance", error));
  SGF_TRY(sgf_new_reals(&standard_error, n, n, "covariance", error));
  SGF_TRY(sgf_new_reals(&mean, n, 1, "mean", error));
  SGF_TRY(sgf_ensemble_moments(ensemble, covariance, standard_error, mean, error));
  sgf_hdf5_group(out, "simulation");
  if (full || n <= LARGE) {
    sgf_hdf5_write(out, "simulation/covariance", 2, square, covariance);
    sgf_hdf5_write(out, "simulation/covariance_se", 2, square, standard_error);
  }
  sgf_hdf5_write(out, "simulation/mean", 1, square, mean);
  sgf_hdf5_write_count(out, "simulation/replicas", (double)info->replicas);
  sgf_hdf5_write_count(out, "simulation/steps", info->steps);
  sgf_hdf5_attribute_count(out, "simulation", "burn_in_steps", info->plan.burn_in_steps);
  sgf_hdf5_attribute_count(out, "simulation", "window_steps", info->plan.window_steps);
  sgf_hdf5_attribute_count(out, "simulation", "stride", info->plan.stride);
  sgf_hdf5_attribute_count(out, "simulation", "recorded", info->recorded);
  sgf_hdf5_attribute_count(out, "simulation", "batches", info->batches);
  sgf_hdf5_attribute(out, "simulation", "seconds", info->seconds);
done:
  free(covariance);
  free(standard_error);
  free(mean);
  return status;
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

static void write_comparison(sgf_hdf5_output *out, const sgf_comparison *comparison)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  sgf_hdf5_group(out, "comparison");
  for (size_t k = 0; k < comparison->count; k++) write_quantity(out, &comparison->quantities[k]);
  sgf_hdf5_attribute_text(out, "comparison", "verdict", sgf_verdict_text(comparison->info.verdict));
  write_numbers(out, "comparison", numbers, sgf_comparison_numbers(comparison, numbers, SGF_MOST_NUMBERS));
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
  write_root(&out, provenance, problem);
  write_problem(&out, problem);
  if (prediction != NULL) write_prediction(&out, problem, prediction, full);
  if (ensemble != NULL) status = write_ensemble(&out, ensemble, full, error);
  if (comparison != NULL) write_comparison(&out, comparison);
  if (!sgf_hdf5_finish(&out) && status == SGF_OK)
    status =
        sgf_fail(error, SGF_ERROR_WRITE, "%s: cannot be written (%s): %s", path, out.first_failure, strerror(errno));
  if (status == SGF_OK) return sgf_atomic_commit(&file, error);
  sgf_atomic_discard(&file);
  return status;
}
