/* Factors of sparse matrices, by CHOLMOD and SPQR of SuiteSparse. */
#include "sparse_factors.h"

#include <math.h>
#include <string.h>

#include "sparse.h"

static void start(sgf_sparse_factors *factors, size_t n)
{
  memset(factors, 0, sizeof *factors);
  cholmod_l_start(&factors->common);
  factors->started = true;
  factors->n = n;
  factors->common.print = 0;
  factors->common.final_ll = 1; /* L D L^T would not tell of a negative eigenvalue */
  factors->common.quick_return_if_not_posdef = 1;
}

void sgf_sparse_factors_free(sgf_sparse_factors *factors)
{
  if (!factors->started) return;
  cholmod_l_free_factor(&factors->cholesky, &factors->common);
  if (factors->qr != NULL) SuiteSparseQR_C_free(&factors->qr, &factors->common);
  cholmod_l_finish(&factors->common);
  memset(factors, 0, sizeof *factors);
}

/* The caller's arrays as CHOLMOD's; stype 1: symmetric, the upper triangle counts. */
static cholmod_sparse borrowed(const sgf_sparse *A, int stype)
{
  cholmod_sparse view = {.nrow = A->rows,
                         .ncol = A->columns,
                         .nzmax = sgf_sparse_entries(A),
                         .p = A->starts,
                         .i = A->indices,
                         .x = A->values,
                         .stype = stype,
                         .itype = CHOLMOD_LONG,
                         .xtype = CHOLMOD_REAL,
                         .dtype = CHOLMOD_DOUBLE,
                         .sorted = 0,
                         .packed = 1};
  return view;
}

static cholmod_dense borrowed_dense(size_t rows, size_t columns, double *values)
{
  cholmod_dense view = {.nrow = rows,
                        .ncol = columns,
                        .nzmax = rows * columns,
                        .d = rows,
                        .x = values,
                        .xtype = CHOLMOD_REAL,
                        .dtype = CHOLMOD_DOUBLE};
  return view;
}

static sgf_status library_failed(const sgf_sparse_factors *factors, const char *what, const char *step,
                                 sgf_error *error)
{
  int code = factors->common.status;
  if (code == CHOLMOD_OUT_OF_MEMORY || code == CHOLMOD_TOO_LARGE)
    return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for the %s, %.3g bytes were estimated", what, step,
                    factors->bytes);
  return sgf_fail(error, SGF_ERROR_NUMERICAL, "%s: the %s failed, SuiteSparse's status is %d", what, step, code);
}

static sgf_status check_fill(sgf_sparse_factors *factors, double bytes, double memory, const char *what,
                             sgf_error *error)
{
  factors->bytes = bytes;
  if (bytes <= memory) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_MEMORY, "%s: its sparse factors would take about %.3g bytes, %.3g may be used",
                  what, bytes, memory);
}

sgf_status sgf_sparse_cholesky(const sgf_sparse *A, double shift, double memory, const char *what,
                               sgf_sparse_factors *factors, bool *positive, sgf_error *error)
{
  cholmod_sparse view = borrowed(A, 1);
  double beta[2] = {shift, 0.0};
  sgf_status status;
  *positive = false;
  start(factors, A->rows);
  factors->cholesky = cholmod_l_analyze(&view, &factors->common);
  if (factors->cholesky == NULL) {
    status = library_failed(factors, what, "symbolic Cholesky factorization", error);
    goto done;
  }
  const cholmod_factor *L = factors->cholesky;
  SGF_TRY(check_fill(factors, L->is_super ? 8.0 * ((double)L->xsize + (double)L->ssize) : 16.0 * factors->common.lnz,
                     memory, what, error));
  if (!cholmod_l_factorize_p(&view, beta, NULL, 0, factors->cholesky, &factors->common) &&
      factors->common.status < 0) {
    status = library_failed(factors, what, "Cholesky factorization", error);
    goto done;
  }
  *positive = factors->common.status == CHOLMOD_OK && factors->cholesky->minor == A->rows;
  factors->rank = A->rows;
done:
  if (status != SGF_OK || !*positive) sgf_sparse_factors_free(factors);
  return status;
}

sgf_status sgf_sparse_qr(const sgf_sparse *A, double tolerance, double memory, const char *what,
                         sgf_sparse_factors *factors, sgf_error *error)
{
  cholmod_sparse view = borrowed(A, 0);
  sgf_status status;
  start(factors, A->rows);
  factors->qr = SuiteSparseQR_C_symbolic(SPQR_ORDERING_DEFAULT, 1, &view, &factors->common);
  if (factors->qr == NULL) {
    status = library_failed(factors, what, "symbolic QR factorization", error);
    goto done;
  }
  const SuiteSparse_long *entries = factors->common.SPQR_istat; /* bounds for R and for the Householder vectors */
  SGF_TRY(check_fill(factors, 8.0 * ((double)entries[0] + (double)entries[1]), memory, what, error));
  if (!SuiteSparseQR_C_numeric(tolerance, &view, factors->qr, &factors->common)) {
    status = library_failed(factors, what, "QR factorization", error);
    goto done;
  }
  factors->rank = (size_t)factors->common.SPQR_istat[4];
  factors->dropped = factors->common.SPQR_norm_E_fro;
done:
  if (status != SGF_OK) sgf_sparse_factors_free(factors);
  return status;
}

/* Put a result of the library into X, free it, and look for failure and overflow. */
static sgf_status take(sgf_sparse_factors *factors, cholmod_dense *result, size_t count, double *X, sgf_error *error)
{
  if (result == NULL) return library_failed(factors, "A", "solution with sparse factors", error);
  memcpy(X, result->x, count * sizeof *X);
  cholmod_l_free_dense(&result, &factors->common);
  for (size_t k = 0; k < count; k++)
    if (!isfinite(X[k])) return sgf_fail(error, SGF_ERROR_VALUE, "A: the solution with sparse factors overflows");
  return SGF_OK;
}

sgf_status sgf_sparse_solve(sgf_sparse_factors *factors, bool transposed, size_t width, const double *B, double *X,
                            sgf_error *error)
{
  cholmod_common *common = &factors->common;
  cholmod_dense right = borrowed_dense(factors->n, width, (double *)(uintptr_t)B), *half, *result;
  if (factors->cholesky != NULL) {
    result = cholmod_l_solve(CHOLMOD_A, factors->cholesky, &right, common);
    return take(factors, result, factors->n * width, X, error);
  }
  if (transposed) { /* A^T = E R^T Q^T */
    half = SuiteSparseQR_C_solve(SPQR_RTX_EQUALS_ETB, factors->qr, &right, common);
    result = half != NULL ? SuiteSparseQR_C_qmult(SPQR_QX, factors->qr, half, common) : NULL;
  } else {
    half = SuiteSparseQR_C_qmult(SPQR_QTX, factors->qr, &right, common);
    result = half != NULL ? SuiteSparseQR_C_solve(SPQR_RETX_EQUALS_B, factors->qr, half, common) : NULL;
  }
  cholmod_l_free_dense(&half, common);
  return take(factors, result, factors->n * width, X, error);
}

sgf_status sgf_sparse_left_null(sgf_sparse_factors *factors, double *L, sgf_error *error)
{
  size_t n = factors->n, null = n - factors->rank;
  cholmod_common *common = &factors->common;
  cholmod_dense *unit = cholmod_l_zeros(n, null, CHOLMOD_REAL, common), *result = NULL;
  if (unit != NULL) {
    double *values = unit->x;
    for (size_t k = 0; k < null; k++) values[factors->rank + k + k * n] = 1.0;
    result = SuiteSparseQR_C_qmult(SPQR_QX, factors->qr, unit, common);
  }
  cholmod_l_free_dense(&unit, common);
  return take(factors, result, n * null, L, error);
}
