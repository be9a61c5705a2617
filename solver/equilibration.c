/* Coordinates x = E z, E diagonal, in which a badly scaled drift is well scaled: units that differ. */
#include "equilibration.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"

/* What the norm must fall to. */
static const double WORTH = 0.1;

/* Column-major LAPACK balances A^T, D^{-1} A^T D = (D A D^{-1})^T: E = D^{-1}. */
sgf_status sgf_equilibrate(size_t n, const double *A, double *E, bool *worth, sgf_error *error)
{
  double *copy;
  lapack_int low, high;
  *worth = false;
  sgf_status status = sgf_new_reals(&copy, n, n, "equilibrated A", error);
  if (status != SGF_OK) return status;
  memcpy(copy, A, n * n * sizeof *copy);
  lapack_int info = LAPACKE_dgebal(LAPACK_COL_MAJOR, 'S', (lapack_int)n, copy, (lapack_int)n, &low, &high, E);
  for (size_t k = 0; k < n; k++) E[k] = 1.0 / E[k];
  if (info != 0)
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK dgebal returned %d", (int)info);
  else
    *worth = sgf_norm(n * n, copy) <= WORTH * sgf_norm(n * n, A);
  free(copy);
  return status;
}

void sgf_drift_into_units(size_t n, const double *E, double *A)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) A[i * n + j] = A[i * n + j] / E[i] * E[j];
}

void sgf_covariance_into_units(size_t n, const double *E, double *S)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) S[i * n + j] = S[i * n + j] / E[i] / E[j];
}

void sgf_covariance_out_of_units(size_t n, const double *E, double *S)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) S[i * n + j] = S[i * n + j] * E[i] * E[j];
}

sgf_status sgf_take_least_norm(size_t n, size_t null, const double *E, const double *R, double *X, sgf_error *error)
{
  double *V = NULL, *scalars = NULL, *XV = NULL, *inside = NULL, *V_inside = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&V, n, null, "null vectors of A", error));
  SGF_TRY(sgf_new_reals(&scalars, null, 1, "null vectors of A", error));
  SGF_TRY(sgf_new_reals(&XV, n, null, "null vectors of A", error));
  SGF_TRY(sgf_new_reals(&V_inside, n, null, "null vectors of A", error));
  SGF_TRY(sgf_new_reals(&inside, null, null, "null vectors of A", error));
  int rows = (int)n, columns = (int)null;
  for (size_t k = 0; k < null; k++)
    for (size_t i = 0; i < n; i++) V[i + k * n] = E[i] * R[i + k * n];
  lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, rows, columns, V, rows, scalars);
  if (info == 0) info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, rows, columns, columns, V, rows, scalars);
  if (info != 0) {
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK dgeqrf returned %d", (int)info);
    goto done;
  }
  cblas_dsymm(CblasColMajor, CblasLeft, CblasUpper, rows, columns, 1.0, X, rows, V, rows, 0.0, XV, rows);
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, columns, columns, rows, 1.0, V, rows, XV, rows, 0.0, inside,
              columns);
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, rows, columns, columns, 1.0, V, rows, inside, columns, 0.0,
              V_inside, rows);
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, rows, rows, columns, -1.0, V_inside, rows, V, rows, 1.0, X,
              rows);
  sgf_symmetrize(n, X);
done:
  free(V);
  free(scalars);
  free(XV);
  free(inside);
  free(V_inside);
  return status;
}

/* -------------------------------------------------------------- sparse drifts */

/* Norm of column i of A in units E: of A_ki E_i / E_k; `inverse`: of a column of A^T, A_ik E_k / E_i. With or without the
 * diagonal. */
static double column_norm(const sgf_sparse *A, const double *E, size_t i, bool inverse, bool diagonal)
{
  double square = 0.0;
  for (int64_t k = A->starts[i]; k < A->starts[i + 1]; k++) {
    if (!diagonal && A->indices[k] == (int64_t)i) continue;
    double other = E[A->indices[k]], value = A->values[k] * (inverse ? other / E[i] : E[i] / other);
    square += value * value;
  }
  return sqrt(square);
}

/* The power of 2 by which unit i is to change; 1 where that gains less than 5 %. */
static double better_unit(const sgf_sparse *A, const sgf_sparse *turned, const double *E, size_t i)
{
  const double far = 0x1p300, gain = 0.95;
  double column = column_norm(A, E, i, false, true), row = column_norm(turned, E, i, true, true), sum = column + row,
         factor = 1.0;
  if (!(column > 0.0 && row > 0.0 && isfinite(sum))) return 1.0;
  for (; column < 0.5 * row && E[i] * factor < far; factor *= 2.0) {
    column *= 2.0;
    row *= 0.5;
  }
  for (; row <= 0.5 * column && E[i] * factor > 1.0 / far; factor *= 0.5) {
    column *= 0.5;
    row *= 2.0;
  }
  return column + row < gain * sum ? factor : 1.0;
}

static double norm_in_units(const sgf_sparse *A, const double *E)
{
  double square = 0.0;
  for (size_t j = 0; j < A->columns; j++) square += pow(column_norm(A, E, j, false, true), 2.0);
  return sqrt(square);
}

sgf_status sgf_sparse_balance(const sgf_sparse *A, double *D, sgf_error *error)
{
  enum { SWEEPS = 100 };
  const double settled = 1e-6, far = 0x1p100;
  sgf_sparse turned = {0};
  double change = 1.0;
  for (size_t i = 0; i < A->rows; i++) D[i] = 1.0;
  sgf_status status = sgf_sparse_transpose(A, &turned, error);
  if (status != SGF_OK) return status;
  for (size_t sweep = 0; sweep < SWEEPS && change > settled; sweep++) {
    change = 0.0;
    for (size_t i = 0; i < A->rows; i++) {
      double factor = sqrt(column_norm(&turned, D, i, true, false) / column_norm(A, D, i, false, false));
      if (!(factor > 0.0 && D[i] * factor < far && D[i] * factor > 1.0 / far)) continue;
      D[i] *= factor;
      change = fmax(change, fabs(factor - 1.0));
    }
  }
  sgf_sparse_free(&turned);
  return SGF_OK;
}

sgf_status sgf_sparse_equilibrate(const sgf_sparse *A, double *E, bool *worth, sgf_error *error)
{
  enum { MOST_SWEEPS = 200 };
  sgf_sparse turned = {0};
  bool changed = true;
  *worth = false;
  for (size_t i = 0; i < A->rows; i++) E[i] = 1.0;
  sgf_status status = sgf_sparse_transpose(A, &turned, error);
  if (status != SGF_OK) return status;
  for (size_t sweep = 0; sweep < MOST_SWEEPS && changed; sweep++) {
    changed = false;
    for (size_t i = 0; i < A->rows; i++) {
      double factor = better_unit(A, &turned, E, i);
      E[i] *= factor;
      changed = changed || factor != 1.0;
    }
  }
  sgf_sparse_free(&turned);
  *worth = norm_in_units(A, E) <= WORTH * sgf_sparse_norm(A);
  return SGF_OK;
}
