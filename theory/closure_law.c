/* What steps of the Gaussian closure do at a mean and a covariance, in its basis. */
#include "closure_state.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drift.h"
#include "linear_algebra.h"
#include "memory.h"

/* Share of the variance that the factor of Sigma may lack: of the corrections, which are small, so much is
 * neglected. */
static const double DROPPED_VARIANCE = 1e-9;

/* Rows l_k (rank, size) with Sigma = sum_k l_k l_k^T but for a share of the variance; allocated here. */
static sgf_status factorize(size_t size, const double *Sigma, size_t *rank, double **factor, sgf_error *error)
{
  double *L = NULL, trace = sgf_trace(size, Sigma);
  lapack_int *order = NULL, found = 0;
  void *block = NULL;
  sgf_status status;
  *rank = 0;
  *factor = NULL;
  if (!isfinite(trace))
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "the closure's covariance is not finite: trace %g", trace);
  SGF_TRY(sgf_new_reals(&L, size, size, "factor of the covariance", error));
  SGF_TRY(sgf_allocate(&block, size, 1, sizeof *order, "factor of the covariance", error));
  order = block;
  memcpy(L, Sigma, size * size * sizeof *L);
  if (trace > 0.0 && LAPACKE_dpstrf(LAPACK_COL_MAJOR, 'L', (lapack_int)size, L, (lapack_int)size, order, &found,
                                    DROPPED_VARIANCE * trace / (double)size) < 0)
    SGF_TRY(sgf_fail(error, SGF_ERROR_NUMERICAL, "no factor of the closure's covariance"));
  SGF_TRY(sgf_new_reals(factor, (size_t)found, size, "factor of the covariance", error));
  for (size_t k = 0; k < (size_t)found; k++)
    for (size_t i = k; i < size; i++) (*factor)[k * size + (size_t)order[i] - 1] = L[k * size + i];
  *rank = (size_t)found;
done:
  free(L);
  free(block);
  return status;
}

/* The same of a Sigma that need not be positive: third cumulants may leave what hardly fluctuates below zero. The
 * modes above zero. */
static sgf_status factorize_by_modes(size_t size, const double *Sigma, size_t *rank, double **factor,
                                     sgf_error *error)
{
  double *V = NULL, *values = NULL, trace = sgf_trace(size, Sigma);
  sgf_status status;
  *rank = 0;
  *factor = NULL;
  if (!isfinite(trace))
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "the closure's covariance is not finite: trace %g", trace);
  SGF_TRY(sgf_new_reals(&V, size, size, "factor of the covariance", error));
  SGF_TRY(sgf_new_reals(&values, size, 1, "factor of the covariance", error));
  memcpy(V, Sigma, size * size * sizeof *V);
  SGF_TRY(sgf_symmetric_eigen(size, V, values, "the closure's covariance", error));
  while (*rank < size && values[size - 1 - *rank] > DROPPED_VARIANCE * trace / (double)size) ++*rank;
  size_t first = size - *rank;
  SGF_TRY(sgf_new_reals(factor, *rank, size, "factor of the covariance", error));
  for (size_t k = 0; k < *rank * size; k++) (*factor)[k] = sqrt(values[first + k / size]) * V[first * size + k];
done:
  free(V);
  free(values);
  return status;
}

/* The part of the averaged gradient (size) that is not drift times the mean, which is added to it or taken away. */
void sgf_closure_add_drift_times(const sgf_closure *closure, double scale, const double *drift, const double *mean,
                                 double *force)
{
  cblas_dsymv(CblasRowMajor, CblasLower, (int)closure->size, scale, drift, (int)closure->size, mean, 1, 1.0, force,
              1);
}

/* Averaged operators, overwritten, in the basis. */
static sgf_status averages_into_basis(const sgf_closure *closure, double *averaged, double *inside, sgf_error *error)
{
  return closure->range != NULL ? sgf_range_basis_of_matrix(closure->range, averaged, inside, error)
                                : sgf_closure_matrix_into_basis(closure, averaged, inside, error);
}

/* Rows l_k (rank, n) with Sigma = sum_k l_k l_k^T, and theta at the mean; allocated here. */
static sgf_status expand_at(sgf_closure *closure, const double *mean, const double *Sigma, size_t *rank,
                            double **factor, sgf_error *error)
{
  double *inside = NULL;
  sgf_status status;
  *factor = NULL;
  if (closure->third != NULL)
    SGF_TRY(factorize_by_modes(closure->size, Sigma, rank, &inside, error));
  else
    SGF_TRY(factorize(closure->size, Sigma, rank, &inside, error));
  SGF_TRY(sgf_new_reals(factor, *rank, closure->n, "factor of the covariance", error));
  SGF_TRY(sgf_closure_out_of_basis(closure, *rank, inside, *factor, error));
  SGF_TRY(sgf_closure_set_theta(closure, mean, error));
done:
  free(inside);
  return status;
}

sgf_status sgf_closure_evaluate_gradient(sgf_closure *closure, const double *mean, const double *Sigma,
                                         double *inside, sgf_error *error)
{
  const sgf_problem *problem = closure->problem;
  size_t rank;
  double *factor;
  sgf_status status;
  SGF_TRY(expand_at(closure, mean, Sigma, &rank, &factor, error));
  SGF_TRY(sgf_average_gradient(&problem->network, &problem->data, problem->settings.training.weight_decay,
                               closure->theta, rank, factor, closure->gradient, error));
  SGF_TRY(sgf_closure_into_basis(closure, 1, closure->gradient, inside, error));
done:
  free(factor);
  return status;
}

sgf_status sgf_closure_evaluate(sgf_closure *closure, const double *mean, const double *Sigma, sgf_closure_law *at,
                                sgf_error *error)
{
  const sgf_problem *problem = closure->problem;
  size_t rank;
  double *factor;
  sgf_status status;
  SGF_TRY(expand_at(closure, mean, Sigma, &rank, &factor, error));
  SGF_TRY(sgf_average_operators(&problem->network, &problem->data, problem->settings.training.weight_decay,
                                closure->theta, rank, factor, closure->range, &closure->averaged, error));
  memcpy(closure->gradient, closure->averaged.gradient, closure->n * sizeof(double));
  SGF_TRY(sgf_closure_into_basis(closure, 1, closure->gradient, at->force, error));
  SGF_TRY(averages_into_basis(closure, closure->averaged.hessian, at->drift, error));
  SGF_TRY(averages_into_basis(closure, closure->averaged.noise, at->noise, error));
  cblas_dscal((int)(closure->size * closure->size), closure->noise_scale, at->noise, 1);
  sgf_closure_add_drift_times(closure, -1.0, at->drift, mean, at->force);
  if (!isfinite(sgf_norm(closure->size, at->force)))
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "the closure's mean is not finite");
done:
  free(factor);
  return status;
}

/* After so many steps, from the closure's Sigma to this one, what the third cumulants add to the noise of a law;
 * infinitely many: stationary. */
sgf_status sgf_closure_add_skewness(sgf_closure *closure, double steps, const double *Sigma, sgf_closure_law *at,
                                    sgf_error *error)
{
  size_t n = closure->n, size = closure->size;
  double *whole = NULL, *inside = NULL;
  sgf_status status;
  if (closure->third == NULL) return SGF_OK;
  SGF_TRY(sgf_new_reals(&whole, 2 * n, n, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&inside, size, size, "third cumulants", error));
  SGF_TRY(sgf_closure_matrix_out_of_basis(closure, closure->Sigma, whole, error));
  SGF_TRY(sgf_closure_matrix_out_of_basis(closure, Sigma, whole + n * n, error));
  SGF_TRY(sgf_third_cumulants_advance(closure->third, steps, whole, whole + n * n, error));
  SGF_TRY(sgf_third_cumulants_noise(closure->third, whole, error));
  SGF_TRY(sgf_closure_matrix_into_basis(closure, whole, inside, error));
  for (size_t k = 0; k < size * size; k++) at->noise[k] += inside[k];
done:
  free(whole);
  free(inside);
  return status;
}

/* A law at the mean `from` with g as it is at `to`: the averages' part of the force varies slowly, g does not. */
sgf_status sgf_closure_move_gradient(sgf_closure *closure, const double *from, const double *to, sgf_closure_law *at,
                                     sgf_error *error)
{
  const sgf_problem *problem = closure->problem;
  size_t n = closure->n, size = closure->size;
  double *gradients = NULL, *difference = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&gradients, 2, n, "gradient", error));
  SGF_TRY(sgf_new_reals(&difference, size, 1, "gradient", error));
  for (int k = 0; k < 2; k++) {
    SGF_TRY(sgf_closure_set_theta(closure, k == 0 ? from : to, error));
    SGF_TRY(sgf_gradient(&problem->network, &problem->data, closure->theta, problem->settings.training.weight_decay,
                         gradients + (size_t)k * n, error));
  }
  for (size_t k = 0; k < n; k++) gradients[k] = gradients[n + k] - gradients[k];
  SGF_TRY(sgf_closure_into_basis(closure, 1, gradients, difference, error));
  for (size_t k = 0; k < size; k++) {
    at->force[k] += difference[k];
    difference[k] = to[k] - from[k];
  }
  sgf_closure_add_drift_times(closure, -1.0, at->drift, difference, at->force);
done:
  free(gradients);
  free(difference);
  return status;
}
