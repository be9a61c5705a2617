/* The Gaussian closure in a prediction: the quasi-stationary state, and what runs of a plan show. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "closure.h"
#include "covariance_operator.h"
#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"
#include "whole_space.h"

/* B^T A B for the basis B (rank, n) of range(H). */
static sgf_status out_of_range(size_t rank, size_t n, const double *basis, const double *A, double *Sigma,
                               sgf_error *error)
{
  double *work;
  sgf_status status = sgf_new_reals(&work, rank, n, "covariance of the closure", error);
  if (status != SGF_OK) return status;
  sgf_multiply(rank, n, rank, SGF_PLAIN, A, SGF_PLAIN, basis, work);
  sgf_multiply(n, n, rank, SGF_TRANSPOSED, basis, SGF_PLAIN, work, Sigma);
  sgf_symmetrize(n, Sigma);
  free(work);
  return SGF_OK;
}

/* The trace of leading order that the closure's is compared with, for the settings' momentum. */
static sgf_status leading_trace(const sgf_problem *problem, const sgf_prediction *prediction, double *trace,
                                sgf_error *error)
{
  size_t n = problem->network.weights;
  double *Sigma;
  *trace = sgf_trace(n, sgf_prediction_find(prediction, "covariance_discrete"));
  if (problem->settings.training.momentum == 0.0) return SGF_OK;
  sgf_status status = sgf_new_reals(&Sigma, n, n, "covariance", error);
  if (status != SGF_OK) return status;
  status = sgf_covariance(problem, &prediction->joint, SGF_TIME_HEAVY_BALL, NULL, Sigma, error);
  *trace = sgf_trace(n, Sigma);
  free(Sigma);
  return status;
}

/* Modes of Hbar on range(H), behind those of null(H), as a range. */
static sgf_status modes_of_drift(const sgf_range *range, const sgf_closure *closure, sgf_range *averaged,
                                 sgf_error *error)
{
  size_t n = range->n, rank = range->rank, null = n - rank;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&averaged->V, n, n, "modes of the closure", error));
  SGF_TRY(sgf_new_reals(&averaged->h, n, 1, "modes of the closure", error));
  averaged->n = n;
  averaged->rank = rank;
  memcpy(averaged->V, range->V, null * n * sizeof *range->V);
  SGF_TRY(sgf_closure_modes(closure, averaged->h + null, averaged->V + null * n, error));
done:
  return status;
}

/* Where H = B^T B of its range is known to the digits that the dense operators have, without weight decay. */
static bool is_of_map(const sgf_problem *problem)
{
  const sgf_minimum_certificate *certificate = &problem->certificate;
  return problem->settings.training.weight_decay == 0.0 && !certificate->bottleneck &&
         certificate->gradient_norm <= SGF_ZERO_SLOPE;
}

/* The range of H by its eigenproblem of the size of the map; none, of size 0, where that is not to be had or has
 * another rank. */
static sgf_status range_of_map(const sgf_problem *problem, const sgf_range *range, sgf_reduced *space,
                               sgf_range_basis *basis, sgf_error *error)
{
  sgf_status status = SGF_OK;
  if (!is_of_map(problem)) return SGF_OK;
  SGF_TRY(sgf_reduced_create(&problem->network, problem->theta, problem->data.input_moment, NULL, space, error));
  SGF_TRY(sgf_reduced_solve(space, problem->settings.theory.rank_tolerance, false, error));
  if (space->rank == range->rank) SGF_TRY(sgf_range_basis_create(space, basis, error));
done:
  return status;
}

/* By the map where that is to be had, else in the rows of the basis. */
static sgf_status settle(const sgf_problem *problem, const sgf_range *range, double *mean, double *Sigma,
                         double *drift, double *residual, sgf_range *averaged, sgf_error *error)
{
  sgf_reduced space = {0};
  sgf_range_basis basis = {0};
  sgf_closure *closure = NULL;
  sgf_status status = SGF_OK;
  SGF_TRY(range_of_map(problem, range, &space, &basis, error));
  if (basis.size > 0)
    SGF_TRY(sgf_closure_create_on_range(problem, &basis, &closure, error));
  else
    SGF_TRY(
        sgf_closure_create(problem, range->rank, range->V + (range->n - range->rank) * range->n, &closure, error));
  SGF_TRY(sgf_closure_settle(closure, residual, drift, error));
  SGF_TRY(sgf_closure_in_weights(closure, mean, Sigma, error));
  SGF_TRY(modes_of_drift(range, closure, averaged, error));
done:
  sgf_closure_free(closure);
  sgf_range_basis_free(&basis);
  sgf_reduced_free(&space);
  return status;
}

sgf_status sgf_solve_closure(const sgf_problem *problem, sgf_prediction *prediction, double *Sigma, sgf_error *error)
{
  const sgf_range *range = &prediction->joint.range;
  size_t n = range->n;
  sgf_prediction_info *info = &prediction->info;
  double *mean, *drift, leading;
  sgf_status status;
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH)
    return sgf_solve_reshuffled_closure(problem, prediction, Sigma, error);
  SGF_TRY(sgf_prediction_add(prediction, "mean", n, 0, &mean, error));
  SGF_TRY(sgf_prediction_add(prediction, "mean_drift", n, 0, &drift, error));
  if (info->noise_free) { /* round-off has no quasi-stationary state */
    memset(Sigma, 0, n * n * sizeof *Sigma);
    info->residual = info->mean_shift = info->mean_drift = 0.0;
    return SGF_OK;
  }
  SGF_TRY(settle(problem, range, mean, Sigma, drift, &info->residual, &prediction->averaged, error));
  prediction->third_cumulants = sgf_closure_is_skew(problem);
  info->mean_shift = sgf_norm(n, mean);
  info->mean_drift = sgf_norm(n, drift);
  SGF_TRY(leading_trace(problem, prediction, &leading, error));
  info->next_order = sgf_trace(n, Sigma) / leading - 1.0;
done:
  return status;
}

sgf_status sgf_closure_frozen(const sgf_problem *problem, const sgf_fluctuations *frozen, size_t layer,
                              const sgf_plan *plan, double *Sigma, sgf_error *error)
{
  size_t n = problem->network.weights, size = frozen->range.n, rank = frozen->range.rank;
  const double *modes = frozen->range.V + (size - rank) * size;
  double *basis = NULL, *inside = NULL, *mean = NULL, *drift = NULL, residual;
  sgf_closure *closure = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&basis, rank, n, "layer of the closure", error));
  SGF_TRY(sgf_new_reals(&inside, rank, rank, "layer of the closure", error));
  SGF_TRY(sgf_new_reals(&mean, rank, 1, "layer of the closure", error));
  SGF_TRY(sgf_new_reals(&drift, n, 1, "layer of the closure", error));
  for (size_t k = 0; k < rank; k++)
    memcpy(basis + k * n + problem->network.offsets[layer], modes + k * size, size * sizeof *modes);
  SGF_TRY(sgf_closure_create(problem, rank, basis, &closure, error));
  if (plan != NULL) {
    SGF_TRY(sgf_closure_window(closure, plan, SGF_CLOSURE_TOLERANCE, inside, mean, NULL, error));
    SGF_TRY(out_of_range(rank, size, modes, inside, Sigma, error));
  } else {
    SGF_TRY(sgf_closure_settle(closure, &residual, drift, error));
    SGF_TRY(out_of_range(rank, size, modes, sgf_closure_covariance(closure), Sigma, error));
  }
done:
  sgf_closure_free(closure);
  free(basis);
  free(inside);
  free(mean);
  free(drift);
  return status;
}

void sgf_known_moments_free(sgf_known_moments *known)
{
  if (known == NULL) return;
  free(known->moments);
  free(known->balance);
  free(known->mean_square);
  sgf_whole_moments_free(&known->whole);
  memset(known, 0, sizeof *known);
}

/* But for what is of the quasi-stationary state. */
static void forget_runs(sgf_known_moments *known)
{
  double *kept = known->mean_square;
  known->mean_square = NULL;
  sgf_known_moments_free(known);
  known->mean_square = kept;
}

/* Over the snapshots of a plan, and where that is known with what moves along the symmetry. */
static sgf_status follow_all(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                             sgf_closure *closure, sgf_closure_path *path, sgf_known_moments *known, sgf_error *error)
{
  size_t n = problem->network.weights;
  double *mean = known->moments, *second = known->moments + n;
  sgf_status status;
  if (sgf_whole_space_missing(problem, prediction) != NULL)
    return sgf_closure_window(closure, plan, SGF_CLOSURE_TOLERANCE, second, mean, path, error);
  SGF_TRY(sgf_whole_moments_create(n, &known->whole, error));
  SGF_TRY(sgf_whole_space_window(problem, prediction, closure, plan, SGF_CLOSURE_TOLERANCE, second, mean, path,
                                 &known->whole, error));
done:
  return status;
}

/* From theta* on, with the drift of the balance. */
static sgf_status follow_weights(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                 sgf_known_moments *known, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t n = network->weights, balances = 0;
  sgf_closure *closure = NULL;
  sgf_status status;
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH) {
    status = sgf_follow_reshuffled(problem, plan, known, error);
    goto done;
  }
  for (size_t l = 1; l < network->layers; l++) balances += network->widths[l] * network->widths[l];
  known->points = balances > 0 ? SGF_BALANCE_POINTS : 0;
  SGF_TRY(sgf_new_reals(&known->moments, n + 1, n, "moments of the closure", error));
  SGF_TRY(sgf_new_reals(&known->balance, known->points, balances, "drift of the balance", error));
  SGF_TRY(sgf_closure_create(problem, n, NULL, &closure, error));
  sgf_closure_path path = {.points = known->points, .balance = known->balance};
  SGF_TRY(follow_all(problem, prediction, plan, closure, &path, known, error));
  known->anharmonic = path.anharmonic;
  known->plan = *plan;
done:
  sgf_closure_free(closure);
  if (status != SGF_OK) forget_runs(known);
  return status;
}

static bool same_snapshots(const sgf_plan *a, const sgf_plan *b)
{
  return a->burn_in_steps == b->burn_in_steps && a->window_steps == b->window_steps && a->stride == b->stride;
}

/* From theta* on, on the range of H in its basis, where the mean moves along null(H) but nothing fluctuates: runs
 * are to be short against the lifetime. */
static sgf_status follow_on_range(const sgf_problem *problem, const sgf_range_basis *basis, const sgf_plan *plan,
                                  sgf_known_moments *known, sgf_error *error)
{
  size_t size = basis->size;
  sgf_closure *closure = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&known->moments, size + 1, size, "moments of the closure", error));
  SGF_TRY(sgf_closure_create_on_range(problem, basis, &closure, error));
  SGF_TRY(
      sgf_closure_window(closure, plan, SGF_CLOSURE_TOLERANCE, known->moments + size, known->moments, NULL, error));
  known->plan = *plan;
done:
  sgf_closure_free(closure);
  if (status != SGF_OK) sgf_known_moments_free(known);
  return status;
}

/* All weights by the range alone: second moment and mean are on it. */
static sgf_status follow_by_range(const sgf_problem *problem, const sgf_range_basis *basis, const sgf_plan *plan,
                                  sgf_known_moments *known, sgf_error *error)
{
  size_t n = problem->network.weights, size = basis->size;
  double *whole = NULL, *half = NULL, *turned = NULL;
  sgf_status status;
  SGF_TRY(follow_on_range(problem, basis, plan, known, error));
  SGF_TRY(sgf_new_reals(&whole, n + 1, n, "moments of the closure", error));
  SGF_TRY(sgf_new_reals(&half, size, n, "moments of the closure", error));
  SGF_TRY(sgf_new_reals(&turned, n, size, "moments of the closure", error));
  SGF_TRY(sgf_range_basis_out(basis, 1, known->moments, whole, error));
  SGF_TRY(sgf_range_basis_out(basis, size, known->moments + size, half, error));
  sgf_transpose(size, n, half, turned);
  SGF_TRY(sgf_range_basis_out(basis, n, turned, whole + n, error));
  sgf_symmetrize(n, whole + n);
  free(known->moments);
  known->moments = whole;
  known->on_range = true;
  whole = NULL;
done:
  free(whole);
  free(half);
  free(turned);
  if (status != SGF_OK) sgf_known_moments_free(known);
  return status;
}

/* In all directions, or of many weights on the range, where that is known by the map. */
static sgf_status follow(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                         sgf_known_moments *known, sgf_error *error)
{
  sgf_reduced space = {0};
  sgf_range_basis basis = {0};
  sgf_status status = SGF_OK;
  if (problem->network.weights > SGF_MOST_FOLLOWED_WEIGHTS &&
      problem->settings.training.sampling != SGF_SAMPLING_EPOCH)
    SGF_TRY(range_of_map(problem, &prediction->joint.range, &space, &basis, error));
  status = basis.size > 0 ? follow_by_range(problem, &basis, plan, known, error)
                          : follow_weights(problem, prediction, plan, known, error);
done:
  sgf_range_basis_free(&basis);
  sgf_reduced_free(&space);
  return status;
}

sgf_status sgf_closure_moments(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                               double *second, double *mean, sgf_error *error)
{
  size_t n = problem->network.weights;
  sgf_known_moments *known = prediction->known;
  sgf_status status = SGF_OK;
  if (plan == NULL) { /* the quasi-stationary state */
    memcpy(second, sgf_prediction_find(prediction, "covariance"), n * n * sizeof *second);
    memcpy(mean, sgf_prediction_find(prediction, "mean"), n * sizeof *mean);
    if (known->mean_square != NULL)
      cblas_daxpy((int)(n * n), 1.0, known->mean_square, 1, second, 1);
    else
      cblas_dger(CblasRowMajor, (int)n, (int)n, 1.0, mean, 1, mean, 1, second, (int)n);
    return SGF_OK;
  }
  if (known->moments == NULL || !same_snapshots(&known->plan, plan)) {
    forget_runs(known);
    SGF_TRY(follow(problem, prediction, plan, known, error));
  }
  memcpy(mean, known->moments, n * sizeof *mean);
  memcpy(second, known->moments + n, n * n * sizeof *second);
done:
  return status;
}

/* Moments over the snapshots of a plan, kept. */
static sgf_status know_on_range(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                sgf_error *error)
{
  sgf_known_moments *known = prediction->known;
  if (known->moments != NULL && same_snapshots(&known->plan, plan)) return SGF_OK;
  sgf_known_moments_free(known);
  return follow_on_range(problem, &prediction->covariance->closure->basis, plan, known, error);
}

/* second (count, count) and mean (count) of rows v (count, n), stationary. */
static sgf_status stationary_forms(const sgf_covariance_operator *covariance, size_t count, const double *v,
                                   double *second, double *mean, sgf_error *error)
{
  size_t n = covariance->info.weights;
  sgf_status status = sgf_covariance_operator_window(covariance, NULL, count, v, second, error);
  if (status != SGF_OK) return status;
  sgf_multiply(count, 1, n, SGF_PLAIN, v, SGF_PLAIN, covariance->closure->mean, mean);
  cblas_dger(CblasRowMajor, (int)count, (int)count, 1.0, mean, 1, mean, 1, second, (int)count);
  return SGF_OK;
}

sgf_status sgf_closure_on_directions(const sgf_problem *problem, const sgf_prediction *prediction,
                                     const sgf_plan *plan, size_t count, const double *v, double *second,
                                     double *mean, sgf_error *error)
{
  const sgf_covariance_operator *covariance = prediction->covariance;
  const sgf_range_basis *basis = &covariance->closure->basis;
  size_t size = basis->size;
  double *rows = NULL;
  sgf_status status;
  if (plan == NULL || covariance->info.noise_free) return stationary_forms(covariance, count, v, second, mean, error);
  SGF_TRY(know_on_range(problem, prediction, plan, error));
  SGF_TRY(sgf_new_reals(&rows, count, size, "directions in the basis of the range", error));
  SGF_TRY(sgf_range_basis_into(basis, count, v, rows, error));
  SGF_TRY(sgf_sandwich(count, size, SGF_PLAIN, rows, prediction->known->moments + size, second,
                       "moments of the directions", error));
  sgf_multiply(count, 1, size, SGF_PLAIN, rows, SGF_PLAIN, prediction->known->moments, mean);
done:
  free(rows);
  return status;
}

sgf_status sgf_closure_on_range_trace(const sgf_problem *problem, const sgf_prediction *prediction,
                                      const sgf_plan *plan, double *trace, sgf_error *error)
{
  const sgf_operator_closure *closure = prediction->covariance->closure;
  size_t size = closure->basis.size, n = prediction->info.weights;
  sgf_status status = SGF_OK;
  *trace = prediction->info.trace + sgf_dot(n, closure->mean, closure->mean);
  if (plan == NULL || prediction->covariance->info.noise_free) return SGF_OK;
  status = know_on_range(problem, prediction, plan, error);
  *trace = status == SGF_OK ? sgf_trace(size, prediction->known->moments + size) : NAN;
  return status;
}
