/* Windows of the protocol window-pca on the whole space: fluctuations and what moved along the null space together, and
 * what the components of each run's window show. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/flatness.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/null_motion.h"
#include "comparing.h"
#include "linear_runs.h"
#include "statistics.h"

/* Rows of runs of the linear theory that the predicted psi of components is the mean of, as many as some multiply-adds
 * allow. */
enum { LEAST_ROWS = 24, MOST_ROWS = 4000 };
static const double LINEAR_WORK = 4e9;

/* tr of weights first ... first + size - 1 of every row, against that of the predicted Theta (n, n). */
static void compare_whole_trace(sgf_comparing *all, const char *name, size_t first, size_t size, const double *Theta)
{
  size_t packed = sgf_packed_size(all->n);
  double predicted = 0.0;
  for (size_t i = first; i < first + size; i++) predicted += Theta[i * all->n + i];
  for (size_t r = 0; r < all->rows; r++) {
    all->values[r] = 0.0;
    for (size_t i = first; i < first + size; i++)
      all->values[r] += all->ensemble->second[r * packed + i * (i + 3) / 2];
  }
  sgf_add_linear(all, name, predicted, all->values);
}

/* Variances along the principal directions of a layer's predicted block, all together. */
static sgf_status compare_principal(sgf_comparing *all, size_t layer, const double *Theta, sgf_error *error)
{
  size_t size = sgf_layer_size(&all->problem->network, layer), first = all->problem->network.offsets[layer];
  size_t packed = sgf_packed_size(all->n);
  double *block = NULL, *directions = NULL, *variance = NULL, *vectors = NULL;
  char name[48];
  sgf_status status;
  SGF_TRY(sgf_new_reals(&block, size, size, "principal directions", error));
  SGF_TRY(sgf_new_reals(&directions, size, size, "principal directions", error));
  SGF_TRY(sgf_new_reals(&variance, 2 * size, 1, "principal directions", error));
  SGF_TRY(sgf_new_reals(&vectors, all->rows, size, "principal directions", error));
  sgf_diagonal_block(all->n, Theta, first, size, block);
  SGF_TRY(sgf_principal_directions(size, block, block, directions, variance, variance + size, error));
  size_t count = 0;
  while (count < size && variance[count] > SGF_ZERO_MODE * variance[0]) count++;
  for (size_t r = 0; r < all->rows; r++) {
    const double *second = all->ensemble->second + r * packed;
    for (size_t i = 0; i < size; i++)
      for (size_t j = 0; j <= i; j++)
        block[i * size + j] = block[j * size + i] = second[(first + i) * (first + i + 1) / 2 + first + j];
    for (size_t k = 0; k < count; k++)
      vectors[r * count + k] =
          (sgf_quadratic_form(size, block, directions + k * size) / variance[k] - 1.0) / sqrt((double)count);
  }
  snprintf(name, sizeof name, "layer%zu_window_variances", layer);
  SGF_TRY(sgf_add_norm(all, name, vectors, count, 1.0, error));
done:
  free(block);
  free(directions);
  free(variance);
  free(vectors);
  return status;
}

/* psi as an experimenter reads it off the components of one window, mean over the runs: SGD's against those of the linear
 * theory, whose windows are as long. The deviation is relative to psi, or to 1 if that is more. */
static sgf_status compare_components(sgf_comparing *all, size_t layer, const sgf_ensemble *linear, sgf_error *error)
{
  size_t size = sgf_layer_size(&all->problem->network, layer);
  sgf_window_pca predicted, measured;
  char name[48];
  sgf_status status;
  if (size < 3) return SGF_OK;
  SGF_TRY(sgf_window_pca_measure(all->problem, linear, layer, &predicted, NULL, NULL, error));
  SGF_TRY(sgf_window_pca_measure(all->problem, all->ensemble, layer, &measured, NULL, NULL, error));
  double scale = 1.0 / fmax(fabs(predicted.psi), 1.0);
  snprintf(name, sizeof name, "layer%zu_window_psi", layer);
  if (isfinite(predicted.psi) && isfinite(measured.psi))
    sgf_add_quantity(all, name, predicted.psi, measured.psi, measured.psi_error,
                     scale * (measured.psi - predicted.psi), scale * hypot(measured.psi_error, predicted.psi_error));
done:
  return status;
}

/* Theta (n, n): what is predicted of a window on the whole space. */
static sgf_status predict_whole(const sgf_comparing *all, const sgf_null_motion *motion, const sgf_slow_path *path,
                                double **Theta, sgf_error *error)
{
  sgf_null_traces traces;
  sgf_status status = sgf_new_reals(Theta, all->n, all->n, "second moment of a window", error);
  if (status != SGF_OK) return status;
  memcpy(*Theta, all->Sigma, all->n * all->n * sizeof **Theta);
  return sgf_null_motion_add(all->problem, &all->ensemble->info.plan, motion, path, *Theta, &traces, error);
}

static sgf_status compare_whole(sgf_comparing *all, const sgf_null_motion *motion, const sgf_slow_path *path,
                                sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  double *Theta = NULL;
  char name[48];
  sgf_status status;
  SGF_TRY(predict_whole(all, motion, path, &Theta, error));
  compare_whole_trace(all, "window_trace", 0, all->n, Theta);
  for (size_t l = 1; l <= network->layers; l++) {
    snprintf(name, sizeof name, "layer%zu_window_trace", l);
    compare_whole_trace(all, name, network->offsets[l], sgf_layer_size(network, l), Theta);
    SGF_TRY(compare_principal(all, l, Theta, error));
  }
done:
  free(Theta);
  return status;
}

/* Runs of the linear theory, as many to a row as SGD has. */
static sgf_status run_linear(const sgf_comparing *all, const sgf_null_motion *motion, const sgf_slow_path *path,
                             sgf_ensemble **linear, sgf_error *error)
{
  const sgf_ensemble_info *info = &all->ensemble->info;
  size_t to_a_row = (info->replicas + all->rows - 1) / all->rows;
  double n = (double)all->n, snapshots = (double)(info->plan.window_steps / info->plan.stride);
  double rows = LINEAR_WORK / ((double)to_a_row * snapshots * 3.0 * n * n);
  if (rows > MOST_ROWS) rows = MOST_ROWS;
  if (rows < LEAST_ROWS) rows = LEAST_ROWS;
  return sgf_linear_runs(all->problem, all->prediction, &info->plan, motion, path, (size_t)rows * to_a_row,
                         (size_t)rows, linear, error);
}

sgf_status sgf_compare_windows(sgf_comparing *all, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  const sgf_plan *plan = &all->ensemble->info.plan;
  double step = sgf_time_of_step(&all->problem->settings), window = step * (double)plan->window_steps;
  double before = plan->burn_in_steps == SGF_LONG_AGO ? 0.0 : step * (double)plan->burn_in_steps;
  sgf_null_motion motion = {0};
  sgf_slow_path path = {0};
  sgf_ensemble *linear = NULL;
  bool hidden = network->layers > 1;
  sgf_status status = SGF_OK;
  if (!all->ensemble->info.centred) return SGF_OK;
  if (hidden && sgf_null_motion_missing(all->problem, all->prediction) != NULL) return SGF_OK;
  if (hidden) {
    SGF_TRY(sgf_null_motion_create(all->problem, all->prediction, plan, &motion, error));
    SGF_TRY(sgf_slow_path_create(all->problem, all->prediction, before, window, &path, error));
    SGF_TRY(compare_whole(all, &motion, &path, error));
  }
  SGF_TRY(run_linear(all, hidden ? &motion : NULL, hidden ? &path : NULL, &linear, error));
  for (size_t l = 1; l <= network->layers; l++) SGF_TRY(compare_components(all, l, linear, error));
done:
  sgf_ensemble_free(linear);
  sgf_slow_path_free(&path);
  sgf_null_motion_free(&motion);
  return status;
}
