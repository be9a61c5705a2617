/* The covariance operator by the Gaussian closure: its quasi-stationary state on the range of H, in the modes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "covariance_operator.h"
#include "linear_algebra.h"
#include "memory.h"

void sgf_operator_closure_free(sgf_operator_closure *closure)
{
  if (closure == NULL) return;
  sgf_range_basis_free(&closure->basis);
  free(closure->rates);
  free(closure->modes);
  free(closure->Z);
  free(closure->mean);
  free(closure->drift);
  free(closure);
}

static sgf_status allocate(const sgf_reduced *drift, sgf_operator_closure **closure, sgf_error *error)
{
  size_t n = drift->network.weights;
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **closure, "closure", error);
  *closure = block;
  if (status != SGF_OK) return status;
  SGF_TRY(sgf_range_basis_create(drift, &(*closure)->basis, error));
  size_t size = (*closure)->basis.size;
  SGF_TRY(sgf_new_reals(&(*closure)->rates, size, 1, "modes of the closure", error));
  SGF_TRY(sgf_new_reals(&(*closure)->modes, size, size, "modes of the closure", error));
  SGF_TRY(sgf_new_reals(&(*closure)->Z, size, size, "modes of the closure", error));
  SGF_TRY(sgf_new_reals(&(*closure)->mean, n, 1, "mean of the closure", error));
  SGF_TRY(sgf_new_reals(&(*closure)->drift, n, 1, "mean of the closure", error));
done:
  return status;
}

/* Z of the closure in the place of what is known of that of leading order. */
static sgf_status store(const sgf_range_basis *basis, const double *Sigma, sgf_mode_covariance *modes,
                        sgf_error *error)
{
  size_t whole = sgf_range_basis_of_map(basis);
  sgf_status status = SGF_OK;
  if (modes->Z == NULL) status = sgf_new_reals(&modes->Z, whole, whole, "covariance in the modes", error);
  if (status != SGF_OK) return status;
  sgf_range_basis_to_modes(basis, Sigma, modes->Z);
  free(modes->factor);
  modes->factor = NULL;
  modes->kind = SGF_MODES_STORED;
  return SGF_OK;
}

/* Hbar's modes, and Sigma in them. */
static sgf_status find_modes(const sgf_closure *state, sgf_operator_closure *made, sgf_error *error)
{
  size_t size = made->basis.size;
  double *work;
  sgf_status status = sgf_new_reals(&work, size, size, "modes of the closure", error);
  if (status == SGF_OK) status = sgf_closure_modes_inside(state, made->rates, made->modes, error);
  if (status == SGF_OK) sgf_into_basis(size, made->modes, sgf_closure_covariance(state), work, made->Z);
  free(work);
  return status;
}

sgf_status sgf_operator_closure_into_modes(const sgf_operator_closure *closure, size_t layer, size_t count,
                                           const double *v, double *q, sgf_error *error)
{
  size_t size = closure->basis.size;
  double *rows;
  sgf_status status = sgf_new_reals(&rows, count, size, "directions in the modes of the closure", error);
  if (status == SGF_OK) status = sgf_range_basis_into_from(&closure->basis, layer, count, v, rows, error);
  if (status == SGF_OK) sgf_multiply(count, size, size, SGF_PLAIN, rows, SGF_TRANSPOSED, closure->modes, q);
  free(rows);
  return status;
}

sgf_status sgf_operator_closure_solve(const sgf_problem *problem, sgf_covariance_operator *covariance,
                                      sgf_error *error)
{
  sgf_closure *state = NULL;
  sgf_status status;
  SGF_TRY(allocate(&covariance->drift, &covariance->closure, error));
  sgf_operator_closure *made = covariance->closure;
  made->residual = made->next_order = NAN;
  if (covariance->info.noise_free) return SGF_OK;
  SGF_TRY(sgf_closure_create_on_range(problem, &made->basis, &state, error));
  SGF_TRY(sgf_closure_settle(state, &made->residual, made->drift, error));
  SGF_TRY(sgf_closure_in_weights(state, made->mean, NULL, error));
  made->next_order = sgf_trace(made->basis.size, sgf_closure_covariance(state)) / covariance->info.trace - 1.0;
  made->skew = sgf_closure_is_skew(problem);
  SGF_TRY(find_modes(state, made, error));
  SGF_TRY(store(&made->basis, sgf_closure_covariance(state), &covariance->modes, error));
done:
  sgf_closure_free(state);
  return status;
}
