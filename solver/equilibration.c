/* Coordinates x = E z, E diagonal, in which a badly scaled drift is well scaled: units that differ. */
#include "equilibration.h"

#include <cblas.h>
#include <lapacke.h>
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
