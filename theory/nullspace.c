/* The range and the null space of the drift: eigenbasis of H, its rank, and the noise on the null space. */
#include "nullspace.h"

#include <float.h>
#include <gsl/gsl_sort.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* Without a tolerance, eigenvalues above this fraction of the largest are never dropped. */
static const double NEVER_DROPPED = 1e-8;

sgf_status sgf_drift_rank(size_t count, const double *h, size_t n, double kept, double tolerance, sgf_rank *decision,
                          sgf_error *error)
{
  double smallest = h[0], largest = h[count - 1];
  if (!(largest > 0.0))
    return sgf_fail(error, SGF_ERROR_VALUE, "H: its largest eigenvalue is %g, the loss has no curvature", largest);
  if (smallest < -1e-9 * largest)
    return sgf_fail(
        error, SGF_ERROR_VALUE,
        "H: eigenvalue %g is negative (largest %g): theta* is a saddle and not a minimum, or the weights are at "
        "a minimum to few digits only (network.relax: true takes them there)",
        smallest, largest);
  double never_dropped = kept > 0.0 ? fmin(NEVER_DROPPED, kept / largest) : NEVER_DROPPED;
  *decision = sgf_decide_rank(count, h, tolerance, never_dropped, 4.0 * (double)n * DBL_EPSILON);
  return SGF_OK;
}

static sgf_status allocate(size_t n, sgf_range *range, sgf_error *error)
{
  sgf_status status;
  memset(range, 0, sizeof *range);
  range->n = n;
  SGF_TRY(sgf_new_reals(&range->V, n, n, "modes of H", error));
  SGF_TRY(sgf_new_reals(&range->h, n, 1, "eigenvalues of H", error));
done:
  return status;
}

/* The rank, from the eigenvalues but for `known` at the begin that are zero. */
static sgf_status settle(sgf_range *range, size_t known, double kept, double tolerance, sgf_error *error)
{
  sgf_rank decision;
  sgf_status status = sgf_drift_rank(range->n - known, range->h + known, range->n, kept, tolerance, &decision, error);
  if (status != SGF_OK) return status;
  range->rank = range->n - known - decision.dropped;
  range->gap = decision.gap;
  range->tolerance = decision.tolerance;
  range->ambiguous = decision.ambiguous;
  return SGF_OK;
}

sgf_status sgf_range_create(size_t n, const double *H, double tolerance, sgf_range *range, sgf_error *error)
{
  return sgf_range_create_decayed(n, H, 0.0, tolerance, range, error);
}

sgf_status sgf_range_create_decayed(size_t n, const double *H, double weight_decay, double tolerance,
                                    sgf_range *range, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(allocate(n, range, error));
  memcpy(range->V, H, n * n * sizeof *H);
  SGF_TRY(sgf_symmetric_eigen(n, range->V, range->h, "H", error));
  SGF_TRY(settle(range, 0, weight_decay, tolerance, error));
  return SGF_OK;
done:
  sgf_range_free(range);
  return status;
}

sgf_status sgf_range_create_kronecker(size_t a, double *A, size_t b, double *B, double weight_decay, double tolerance,
                                      sgf_range *range, sgf_error *error)
{
  double *values = NULL, *products = NULL;
  void *block = NULL;
  sgf_status status;
  SGF_TRY(allocate(a * b, range, error));
  SGF_TRY(sgf_new_reals(&values, a + b, 1, "eigenvalues of H", error));
  SGF_TRY(sgf_new_reals(&products, a, b, "eigenvalues of H", error));
  SGF_TRY(sgf_allocate(&block, a, b, sizeof(size_t), "order of the modes", error));
  SGF_TRY(sgf_symmetric_eigen(a, A, values, "H", error));
  SGF_TRY(sgf_symmetric_eigen(b, B, values + a, "H", error));
  size_t *order = block;
  for (size_t k = 0; k < a * b; k++) products[k] = values[k / b] * values[a + k % b];
  gsl_sort_index(order, products, 1, a * b);
  for (size_t k = 0; k < a * b; k++) {
    const double *left = A + order[k] / b * a, *right = B + order[k] % b * b;
    range->h[k] = products[order[k]] + weight_decay;
    for (size_t i = 0; i < a; i++)
      for (size_t j = 0; j < b; j++) range->V[k * a * b + i * b + j] = left[i] * right[j];
  }
  SGF_TRY(settle(range, 0, weight_decay, tolerance, error));
done:
  free(values);
  free(products);
  free(block);
  if (status != SGF_OK) sgf_range_free(range);
  return status;
}

/* B^T = Q R: H = Q R R^T Q^T. Column-major LAPACK sees rows of ours as columns, so that B is B^T to it and the modes,
 * our rows, are Q times the eigenvectors of R R^T, and Q times the unit vectors beyond them for the null space. */
sgf_status sgf_range_create_factored(size_t rows, size_t n, double *B, double tolerance, sgf_range *range,
                                     sgf_error *error)
{
  size_t known = n - rows;
  double *factors = NULL, *R = NULL, *square = NULL;
  lapack_int leading = (lapack_int)n, count = (lapack_int)rows, info;
  sgf_status status;
  SGF_TRY(allocate(n, range, error));
  SGF_TRY(sgf_new_reals(&factors, rows, 1, "modes of H", error));
  SGF_TRY(sgf_new_reals(&R, rows, rows, "modes of H", error));
  SGF_TRY(sgf_new_reals(&square, rows, rows, "modes of H", error));
  info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, leading, count, B, leading, factors);
  for (size_t j = 0; j < rows; j++) memcpy(R + j * rows, B + j * n, (j + 1) * sizeof *R); /* rows are R's columns */
  sgf_multiply(rows, rows, rows, SGF_TRANSPOSED, R, SGF_PLAIN, R, square);
  sgf_symmetrize(rows, square);
  SGF_TRY(sgf_symmetric_eigen(rows, square, range->h + known, "H", error));
  for (size_t k = 0; k < known; k++) range->V[k * n + rows + k] = 1.0;
  for (size_t k = 0; k < rows; k++) memcpy(range->V + (known + k) * n, square + k * rows, rows * sizeof *square);
  if (info == 0)
    info =
        LAPACKE_dormqr(LAPACK_COL_MAJOR, 'L', 'N', leading, leading, count, B, leading, factors, range->V, leading);
  if (info != 0)
    status =
        sgf_fail(error, SGF_ERROR_NUMERICAL, "H: basis of its range not found, LAPACK dgeqrf returned %d", (int)info);
  if (status == SGF_OK) status = settle(range, known, 0.0, tolerance, error);
done:
  free(factors);
  free(R);
  free(square);
  if (status != SGF_OK) sgf_range_free(range);
  return status;
}

void sgf_range_free(sgf_range *range)
{
  free(range->V);
  free(range->h);
  memset(range, 0, sizeof *range);
}

/* The rows that are modes of range(H). */
static const double *range_modes(const sgf_range *range) { return range->V + (range->n - range->rank) * range->n; }

sgf_status sgf_into_range(const sgf_range *range, const double *S, double *Z, sgf_error *error)
{
  return sgf_sandwich(range->rank, range->n, SGF_PLAIN, range_modes(range), S, Z, "modes of range(H)", error);
}

sgf_status sgf_out_of_range(const sgf_range *range, const double *Z, double *S, sgf_error *error)
{
  return sgf_sandwich(range->n, range->rank, SGF_TRANSPOSED, range_modes(range), Z, S, "modes of range(H)", error);
}

double sgf_smallest_kept(const sgf_range *range) { return range->h[range->n - range->rank]; }

double sgf_largest(const sgf_range *range) { return range->h[range->n - 1]; }

double sgf_null_noise(const sgf_range *range, const double *C_in_basis)
{
  size_t n = range->n, null = n - range->rank;
  double whole = sgf_norm(n * n, C_in_basis), block = 0.0;
  for (size_t i = 0; i < null; i++) block = hypot(block, sgf_norm(null, C_in_basis + i * n));
  return whole > 0.0 ? block / whole : 0.0;
}
