/* The Gaussian closure in a prediction: the quasi-stationary state, and what runs of a plan show. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "closure.h"
#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"

/* By how much the second end of an interval may change what was predicted with the first alone; what is left is some
 * tenth of it (tests/test_closure.c). */
static const double INTERVAL_TOLERANCE = 1e-3;

/* The range of the drift of all weights (layer 0), or of a layer, as rows of weights: (rank, n), allocated here. */
static sgf_status range_in_weights(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                                   double **basis, sgf_error *error)
{
  const sgf_range *range = layer == 0 ? &prediction->joint.range : &prediction->frozen[layer - 1].range;
  size_t n = problem->network.weights, size = range->n, null = size - range->rank;
  size_t first = layer == 0 ? 0 : problem->network.offsets[layer];
  sgf_status status = sgf_new_reals(basis, range->rank, n, "range of the drift", error);
  for (size_t k = 0; k < range->rank && status == SGF_OK; k++)
    memcpy(*basis + k * n + first, range->V + (null + k) * size, size * sizeof **basis);
  return status;
}

/* B^T A B of what is in the basis of the closure: the block of the layer, (size, size), A (rank, rank). */
static sgf_status matrix_to_weights(const sgf_problem *problem, size_t layer, size_t rank, const double *basis,
                                    const double *A, double *block, sgf_error *error)
{
  size_t n = problem->network.weights, size = layer == 0 ? n : sgf_layer_size(&problem->network, layer);
  double *rows = NULL, *work = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&rows, rank, size, "covariance of the closure", error));
  SGF_TRY(sgf_new_reals(&work, rank, size, "covariance of the closure", error));
  for (size_t k = 0; k < rank; k++)
    memcpy(rows + k * size, basis + k * n + (layer == 0 ? 0 : problem->network.offsets[layer]), size * sizeof *rows);
  sgf_multiply(rank, size, rank, SGF_PLAIN, A, SGF_PLAIN, rows, work);
  sgf_multiply(size, size, rank, SGF_TRANSPOSED, rows, SGF_PLAIN, work, block);
  sgf_symmetrize(size, block);
done:
  free(rows);
  free(work);
  return status;
}

static sgf_status settle(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer, double *Sigma,
                         double *mean, double *residual, double *drift, sgf_error *error)
{
  const sgf_range *range = layer == 0 ? &prediction->joint.range : &prediction->frozen[layer - 1].range;
  size_t n = problem->network.weights, rank = range->rank;
  double *basis = NULL;
  sgf_closure *closure = NULL;
  sgf_status status;
  SGF_TRY(range_in_weights(problem, prediction, layer, &basis, error));
  SGF_TRY(sgf_closure_create(problem, rank, basis, &closure, error));
  SGF_TRY(sgf_closure_settle(closure, residual, drift, error));
  SGF_TRY(matrix_to_weights(problem, layer, rank, basis, sgf_closure_covariance(closure), Sigma, error));
  sgf_multiply(1, n, rank, SGF_PLAIN, sgf_closure_mean(closure), SGF_PLAIN, basis, mean);
done:
  free(basis);
  sgf_closure_free(closure);
  return status;
}

sgf_status sgf_solve_closure(const sgf_problem *problem, sgf_prediction *prediction, double *Sigma, sgf_error *error)
{
  size_t n = problem->network.weights;
  sgf_prediction_info *info = &prediction->info;
  double *mean, *drift;
  sgf_status status;
  SGF_TRY(sgf_prediction_add(prediction, "mean", n, 0, &mean, error));
  SGF_TRY(sgf_prediction_add(prediction, "mean_drift", n, 0, &drift, error));
  SGF_TRY(settle(problem, prediction, 0, Sigma, mean, &info->residual, drift, error));
  info->mean_shift = sgf_norm(n, mean);
  info->mean_drift = sgf_norm(n, drift);
  info->next_order = sgf_trace(n, Sigma) / sgf_trace(n, sgf_prediction_find(prediction, "covariance_discrete")) - 1.0;
done:
  return status;
}

sgf_status sgf_closure_uncoupled(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                                 double *Sigma, sgf_error *error)
{
  double *vectors = NULL, residual;
  size_t n = problem->network.weights;
  sgf_status status = sgf_new_reals(&vectors, 2, n, "mean of the closure", error);
  if (status == SGF_OK) status = settle(problem, prediction, layer, Sigma, vectors, &residual, vectors + n, error);
  free(vectors);
  return status;
}

/* Sigma + (m - theta*)(m - theta*)^T of the quasi-stationary state, from the prediction's arrays. */
static void stationary_window(const sgf_prediction *prediction, size_t n, double *second, double *mean)
{
  memcpy(second, sgf_prediction_find(prediction, "covariance"), n * n * sizeof *second);
  memcpy(mean, sgf_prediction_find(prediction, "mean"), n * sizeof *mean);
  cblas_dger(CblasRowMajor, (int)n, (int)n, 1.0, mean, 1, mean, 1, second, (int)n);
}

void sgf_known_moments_free(sgf_known_moments *known)
{
  free(known->moments);
  free(known->balance);
  memset(known, 0, sizeof *known);
}

/* All weights from theta* on, with the drift of the balance. */
static sgf_status follow_all(const sgf_problem *problem, const sgf_plan *plan, sgf_known_moments *known,
                             sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t n = network->weights, balances = 0;
  sgf_closure *closure = NULL;
  sgf_status status;
  for (size_t l = 1; l < network->layers; l++) balances += network->widths[l] * network->widths[l];
  known->points = balances > 0 ? SGF_BALANCE_POINTS : 0;
  SGF_TRY(sgf_new_reals(&known->balance, known->points, balances, "drift of the balance", error));
  SGF_TRY(sgf_closure_create(problem, n, NULL, &closure, error));
  sgf_closure_path path = {known->points, known->balance, 0.0};
  SGF_TRY(sgf_closure_window(closure, plan, INTERVAL_TOLERANCE, known->moments + n, known->moments, &path, error));
  known->anharmonic = path.anharmonic;
done:
  sgf_closure_free(closure);
  return status;
}

/* One layer from theta* on. */
static sgf_status follow_layer(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                               const sgf_plan *plan, double *second, double *mean, sgf_error *error)
{
  size_t n = problem->network.weights, first = problem->network.offsets[layer];
  size_t size = sgf_layer_size(&problem->network, layer), rank = prediction->frozen[layer - 1].range.rank;
  double *basis = NULL, *inside = NULL, *of_all = NULL;
  sgf_closure *closure = NULL;
  sgf_status status;
  SGF_TRY(range_in_weights(problem, prediction, layer, &basis, error));
  SGF_TRY(sgf_closure_create(problem, rank, basis, &closure, error));
  SGF_TRY(sgf_new_reals(&inside, rank + 1, rank, "covariance of the closure", error));
  SGF_TRY(sgf_new_reals(&of_all, n, 1, "mean of the closure", error));
  SGF_TRY(sgf_closure_window(closure, plan, INTERVAL_TOLERANCE, inside + rank, inside, NULL, error));
  SGF_TRY(matrix_to_weights(problem, layer, rank, basis, inside + rank, second, error));
  sgf_multiply(1, n, rank, SGF_PLAIN, inside, SGF_PLAIN, basis, of_all);
  memcpy(mean, of_all + first, size * sizeof *mean);
done:
  free(basis);
  free(inside);
  free(of_all);
  sgf_closure_free(closure);
  return status;
}

static bool same_snapshots(const sgf_plan *a, const sgf_plan *b)
{
  return a->burn_in_steps == b->burn_in_steps && a->window_steps == b->window_steps && a->stride == b->stride;
}

sgf_status sgf_closure_moments(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                               const sgf_plan *plan, double *second, double *mean, sgf_error *error)
{
  size_t size = layer == 0 ? problem->network.weights : sgf_layer_size(&problem->network, layer);
  sgf_known_moments *known = &prediction->known[layer];
  sgf_status status;
  if (plan == NULL && layer == 0) {
    stationary_window(prediction, size, second, mean);
    return SGF_OK;
  }
  if (plan == NULL) { /* a layer alone has a quadratic loss: its mean stays at theta* */
    memset(mean, 0, size * sizeof *mean);
    return sgf_closure_uncoupled(problem, prediction, layer, second, error);
  }
  if (known->moments == NULL || !same_snapshots(&known->plan, plan)) {
    sgf_known_moments_free(known);
    SGF_TRY(sgf_new_reals(&known->moments, size + 1, size, "moments of the closure", error));
    if (layer == 0)
      SGF_TRY(follow_all(problem, plan, known, error));
    else
      SGF_TRY(follow_layer(problem, prediction, layer, plan, known->moments + size, known->moments, error));
    known->plan = *plan;
  }
  memcpy(mean, known->moments, size * sizeof *mean);
  memcpy(second, known->moments + size, size * size * sizeof *second);
  return SGF_OK;
done:
  sgf_known_moments_free(known);
  return status;
}
