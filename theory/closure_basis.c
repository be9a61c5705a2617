/* The basis of a Gaussian closure: all weights, rows that are given, or the range of the drift at theta*. */
#include "closure_state.h"

#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

sgf_status sgf_closure_out_of_basis(const sgf_closure *closure, size_t count, const double *rows, double *weights,
                                    sgf_error *error)
{
  size_t n = closure->n, size = closure->size;
  if (closure->range != NULL) return sgf_range_basis_out(closure->range, count, rows, weights, error);
  if (closure->basis == NULL)
    memcpy(weights, rows, count * n * sizeof *weights);
  else
    sgf_multiply(count, n, size, SGF_PLAIN, rows, SGF_PLAIN, closure->basis, weights);
  return SGF_OK;
}

sgf_status sgf_closure_into_basis(const sgf_closure *closure, size_t count, const double *weights, double *rows,
                                  sgf_error *error)
{
  size_t n = closure->n, size = closure->size;
  if (closure->range != NULL) return sgf_range_basis_into(closure->range, count, weights, rows, error);
  if (closure->basis == NULL)
    memcpy(rows, weights, count * n * sizeof *rows);
  else
    sgf_multiply(count, size, n, SGF_PLAIN, weights, SGF_TRANSPOSED, closure->basis, rows);
  return SGF_OK;
}

sgf_status sgf_closure_matrix_into_basis(const sgf_closure *closure, const double *A, double *inside,
                                         sgf_error *error)
{
  size_t n = closure->n, size = closure->size;
  double *half = NULL, *turned = NULL;
  sgf_status status;
  if (closure->range == NULL && closure->basis == NULL) {
    memcpy(inside, A, n * n * sizeof *A);
    return SGF_OK;
  }
  SGF_TRY(sgf_new_reals(&half, n, size, "matrix in the closure's basis", error));
  SGF_TRY(sgf_new_reals(&turned, size, n, "matrix in the closure's basis", error));
  SGF_TRY(sgf_closure_into_basis(closure, n, A, half, error));
  sgf_transpose(n, size, half, turned);
  SGF_TRY(sgf_closure_into_basis(closure, size, turned, inside, error));
  sgf_symmetrize(size, inside);
done:
  free(half);
  free(turned);
  return status;
}

sgf_status sgf_closure_matrix_out_of_basis(const sgf_closure *closure, const double *inside, double *A,
                                           sgf_error *error)
{
  size_t n = closure->n, size = closure->size;
  double *half = NULL, *turned = NULL;
  sgf_status status;
  if (closure->range == NULL && closure->basis == NULL) {
    memcpy(A, inside, n * n * sizeof *A);
    return SGF_OK;
  }
  SGF_TRY(sgf_new_reals(&half, size, n, "covariance of the closure", error));
  SGF_TRY(sgf_new_reals(&turned, n, size, "covariance of the closure", error));
  SGF_TRY(sgf_closure_out_of_basis(closure, size, inside, half, error));
  sgf_transpose(size, n, half, turned);
  SGF_TRY(sgf_closure_out_of_basis(closure, n, turned, A, error));
  sgf_symmetrize(n, A);
done:
  free(half);
  free(turned);
  return status;
}

sgf_status sgf_closure_set_theta(sgf_closure *closure, const double *mean, sgf_error *error)
{
  sgf_status status = sgf_closure_out_of_basis(closure, 1, mean, closure->theta, error);
  for (size_t k = 0; k < closure->n; k++) closure->theta[k] += closure->problem->theta[k];
  if (closure->moved_outside != NULL)
    for (size_t k = 0; k < closure->n; k++) closure->theta[k] += closure->moved_outside[k];
  return status;
}

sgf_status sgf_closure_outside(sgf_closure *closure, double *rate, sgf_error *error)
{
  sgf_status status;
  for (size_t k = 0; k < closure->n; k++) rate[k] = 0.0;
  if (closure->basis == NULL && closure->range == NULL) return SGF_OK;
  SGF_TRY(sgf_closure_into_basis(closure, 1, closure->gradient, closure->turned, error));
  SGF_TRY(sgf_closure_out_of_basis(closure, 1, closure->turned, rate, error));
  for (size_t k = 0; k < closure->n; k++) rate[k] = (rate[k] - closure->gradient[k]) / (1.0 - closure->momentum);
done:
  return status;
}
