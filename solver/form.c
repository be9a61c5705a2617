/* What is done with the form of a drift: rank and stability decided, right-hand sides solved for, the condition. */
#include "form.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "rank.h"
#include "triangular.h"

void sgf_drift_form_free(sgf_drift_form *form)
{
  free(form->W);
  free(form->T);
  free(form->rates);
  free(form->K);
  free(form->L);
  free(form->M22);
  free(form->pivots);
  memset(form, 0, sizeof *form);
}

size_t sgf_form_work(size_t n) { return 2 * n * n + 6 * n + 1; }

double sgf_rank_round_off(size_t n) { return 4.0 * (n < 8 ? 8.0 : (double)n) * DBL_EPSILON; }

sgf_status sgf_form_rank(size_t n, const double *singular_values, double unit, double tolerance,
                         sgf_certificate *certificate, sgf_error *error)
{
  double largest = singular_values[n - 1], round_off = sgf_rank_round_off(n) * fmax(1.0, unit / largest);
  sgf_rank rank = {n, INFINITY, 0.0, false};
  if (largest > 0.0 && round_off < 1.0) rank = sgf_decide_rank(n, singular_values, tolerance, round_off, round_off);
  certificate->rank = n - rank.dropped;
  certificate->gap = rank.gap;
  certificate->ambiguous = rank.ambiguous;
  if (!rank.ambiguous || !isnan(tolerance)) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                  "A: rank %zu of %zu is ambiguous, its gap is %.3g (smallest singular value kept over the largest "
                  "dropped, or round-off); a rank tolerance decides it",
                  certificate->rank, n, rank.gap);
}

size_t sgf_form_slow_cluster(size_t n, const double *values, double unit, double *gap)
{
  const double clear = 1e3;
  double largest = values[n - 1], round_off = sgf_rank_round_off(n) * fmax(largest, unit);
  size_t dropped = 0;
  *gap = clear;
  for (size_t k = 1; k < n && values[k - 1] <= clear * round_off; k++) {
    double here = values[k] / fmax(fmax(fabs(values[k - 1]), fabs(values[0])), round_off);
    if (!(here >= *gap)) continue;
    *gap = here;
    dropped = k;
  }
  return dropped;
}

bool sgf_form_is_joined(const sgf_drift_form *form, double norm)
{
  double unit = (4.0 + 2.0 * sqrt((double)form->n)) * DBL_EPSILON;
  double size = form->discrete ? fmax(norm, 1.0) : norm;
  return form->K != NULL && !(unit * size * form->left_norm < 0.1 * form->apart);
}

sgf_status sgf_form_unstable(double real, double imaginary, bool discrete, double scale, sgf_certificate *certificate,
                             sgf_error *error)
{
  char value[96];
  certificate->real = real *= scale;
  certificate->imaginary = imaginary = fabs(imaginary * scale);
  if (imaginary > 0.0)
    snprintf(value, sizeof value, "the eigenvalues %.10g +- %.10g i", real, imaginary);
  else
    snprintf(value, sizeof value, "the eigenvalue %.10g", real);
  return sgf_fail(error, SGF_ERROR_UNSTABLE, "A: %s %s", value,
                  discrete ? "must lie within the unit circle (or be 1, with as many null vectors of 1 - A)"
                           : "must have a positive real part (or be 0, with as many null vectors)");
}

/* ---------------------------------------------------------- right-hand sides */

static void solve_diagonal(const sgf_drift_form *form, const double *initial, double *Q)
{
  size_t n = form->n, null = form->null;
  for (size_t j = 0; j < n; j++) {
    double second = j < null ? 0.0 : form->rates[j - null];
    for (size_t i = 0; i <= j; i++) {
      double first = i < null ? 0.0 : form->rates[i - null];
      double sum = first + second - (form->discrete ? first * second : 0.0);
      Q[i + j * n] = j >= null ? Q[i + j * n] / sum : initial != NULL ? initial[i + j * null] : 0.0;
    }
  }
  sgf_mirror(n, Q);
}

static void multiply(CBLAS_TRANSPOSE transpose_b, size_t rows, size_t columns, size_t inner, double factor,
                     const double *A, size_t leading_a, const double *B, size_t leading_b, double keep, double *C,
                     size_t leading_c)
{
  cblas_dgemm(CblasColMajor, CblasNoTrans, transpose_b, (int)rows, (int)columns, (int)inner, factor, A,
              (int)leading_a, B, (int)leading_b, keep, C, (int)leading_c);
}

/* L^T Q R' = Q12 + factor K Q22 (null, rest). */
static void driving_across(const sgf_drift_form *form, double factor, const double *Q, double *product)
{
  size_t n = form->n, null = form->null, rest = n - null;
  for (size_t j = 0; j < rest; j++) memcpy(product + j * null, Q + (null + j) * n, null * sizeof *product);
  if (form->K != NULL)
    multiply(CblasNoTrans, null, rest, rest, factor, form->K, null, Q + null * (n + 1), n, 1.0, product, null);
}

/* C2^T = M22^{-1} (L^T Q R')^T, the covariance of what relaxes with what does not; 0 for positive Q. */
static sgf_status between(const sgf_drift_form *form, const double *Q, double *transposed, double *work,
                          sgf_error *error)
{
  size_t null = form->null, rest = form->n - null;
  driving_across(form, 1.0, Q, work);
  for (size_t i = 0; i < null; i++)
    for (size_t j = 0; j < rest; j++) transposed[j + i * rest] = work[i + j * null];
  lapack_int info = LAPACKE_dgetrs(LAPACK_COL_MAJOR, 'N', (lapack_int)rest, (lapack_int)null, form->M22,
                                   (lapack_int)rest, form->pivots, transposed, (lapack_int)rest);
  return info == 0 ? SGF_OK : sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK dgetrs returned %d", (int)info);
}

/* X12 = C2 - K X22;  X11 = 0, or C0 - X12 K^T - K C2^T. */
static void assemble(const sgf_drift_form *form, const double *initial, const double *X22, const double *transposed,
                     double *X)
{
  size_t n = form->n, null = form->null, rest = n - null;
  double *X12 = X + null * n;
  for (size_t j = 0; j < rest; j++) {
    memcpy(X + null + (null + j) * n, X22 + j * rest, rest * sizeof *X);
    for (size_t i = 0; i < null; i++) X12[i + j * n] = transposed[j + i * rest];
  }
  multiply(CblasNoTrans, null, rest, rest, -1.0, form->K, null, X22, rest, 1.0, X12, n);
  for (size_t j = 0; j < null; j++)
    for (size_t i = 0; i < null; i++) X[i + j * n] = initial != NULL ? initial[i + j * null] : 0.0;
  if (initial != NULL) {
    multiply(CblasTrans, null, null, rest, -1.0, X12, n, form->K, null, 1.0, X, n);
    multiply(CblasNoTrans, null, null, rest, -1.0, form->K, null, transposed, rest, 1.0, X, n);
  }
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < j; i++) {
      double value = j >= null ? X[i + j * n] : 0.5 * (X[i + j * n] + X[j + i * n]);
      X[i + j * n] = X[j + i * n] = value;
    }
}

static sgf_status solve_singular(const sgf_drift_form *form, const double *initial, double *Q, double *work,
                                 sgf_error *error)
{
  size_t n = form->n, null = form->null, rest = n - null;
  double *X22 = NULL, *transposed = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&X22, rest, rest, "right-hand side", error));
  SGF_TRY(sgf_new_reals(&transposed, rest, null, "right-hand side", error));
  SGF_TRY(between(form, Q, transposed, work, error));
  for (size_t j = 0; j < rest; j++) memcpy(X22 + j * rest, Q + null + (null + j) * n, rest * sizeof *X22);
  SGF_TRY(sgf_triangular_solve(rest, form->T, form->discrete, X22, work, "A", error));
  assemble(form, initial, X22, transposed, Q);
done:
  free(X22);
  free(transposed);
  return status;
}

sgf_status sgf_form_solve(const sgf_drift_form *form, const double *initial, double *Q, double *work,
                          sgf_error *error)
{
  if (form->diagonal || form->null == form->n) {
    solve_diagonal(form, initial, Q);
    return SGF_OK;
  }
  if (form->null == 0) return sgf_triangular_solve(form->n, form->T, form->discrete, Q, work, "A", error);
  return solve_singular(form, initial, Q, work, error);
}

void sgf_form_null_block(const sgf_drift_form *form, const double *Q, double *work, double *block, double *across)
{
  size_t n = form->n, null = form->null, rest = n - null;
  for (size_t j = 0; j < null; j++) memcpy(block + j * null, Q + j * n, null * sizeof *block);
  driving_across(form, 1.0, Q, work);
  *across = sgf_norm(null * rest, work);
  if (form->K == NULL) return;
  /* (Q12 + K Q22 / 2) K^T and its transpose */
  driving_across(form, 0.5, Q, work);
  multiply(CblasTrans, null, null, rest, 1.0, work, null, form->K, null, 1.0, block, null);
  multiply(CblasTrans, null, null, rest, 1.0, form->K, null, work, null, 1.0, block, null);
}

/* block <- G block G, symmetric. */
static sgf_status divide_twice(const sgf_drift_form *form, double *block, sgf_error *error)
{
  size_t null = form->null, rest = form->n - null;
  double *gram;
  sgf_status status = sgf_new_reals(&gram, null, null, "left null vectors of A", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < null; k++) gram[k * (null + 1)] = 1.0;
  multiply(CblasTrans, null, null, rest, 1.0, form->K, null, form->K, null, 1.0, gram, null);
  lapack_int info = LAPACKE_dposv(LAPACK_COL_MAJOR, 'U', (lapack_int)null, (lapack_int)null, gram, (lapack_int)null,
                                  block, (lapack_int)null);
  for (size_t j = 0; j < null; j++)
    for (size_t i = 0; i < j; i++) {
      double kept = block[i + j * null];
      block[i + j * null] = block[j + i * null];
      block[j + i * null] = kept;
    }
  if (info == 0)
    info = LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'U', (lapack_int)null, (lapack_int)null, gram, (lapack_int)null, block,
                          (lapack_int)null);
  free(gram);
  if (info == 0) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_AMBIGUOUS,
      "A: its left null vectors are %.3g times as long as the right ones that they belong to, and cannot be "
      "told apart to working accuracy",
      form->left_norm);
}

sgf_status sgf_form_make_compatible(const sgf_drift_form *form, double *block, double *Q, sgf_error *error)
{
  size_t n = form->n, null = form->null, rest = n - null;
  double *BK = NULL;
  sgf_status status = SGF_OK;
  if (form->K != NULL) {
    SGF_TRY(divide_twice(form, block, error));
    SGF_TRY(sgf_new_reals(&BK, null, rest, "right-hand side", error));
    multiply(CblasNoTrans, null, rest, null, 1.0, block, null, form->K, null, 0.0, BK, null);
    for (size_t j = 0; j < rest; j++)
      for (size_t i = 0; i < null; i++) Q[i + (null + j) * n] -= BK[i + j * null];
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)rest, (int)rest, (int)null, -1.0, form->K, (int)null,
                BK, (int)null, 1.0, Q + null * (n + 1), (int)n);
  }
  for (size_t j = 0; j < null; j++)
    for (size_t i = 0; i < null; i++) Q[i + j * n] -= block[i + j * null];
  sgf_mirror(n, Q);
done:
  free(BK);
  return status;
}

/* --------------------------------------------------------------- condition */

/* y = Y x, symmetric. */
static void small_product(size_t n, const double *Y, const double *x, double *y)
{
  for (size_t i = 0; i < n; i++) y[i] = 0.0;
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < n; i++) y[i] += Y[i + j * n] * x[j];
}

double sgf_largest_eigenvalue(size_t n, const double *Y, double *v)
{
  enum { MOST_STEPS = 60, SMALL = 24 }; /* a call of the BLAS costs as much as 24 rows do */
  double *next = v + n, value = 0.0;
  size_t column = 0;
  for (size_t j = 0; j < n; j++)
    if (Y[j + j * n] > Y[column + column * n]) column = j;
  memcpy(v, Y + column * n, n * sizeof *v);
  for (size_t step = 0; step < MOST_STEPS; step++) {
    double norm = sgf_norm(n, v), before = value;
    for (size_t i = 0; i < n; i++) v[i] /= norm;
    /* Not dsymv: OpenBLAS shares that out to threads at any size, which takes longer than a small equation. */
    if (n <= SMALL)
      small_product(n, Y, v, next);
    else
      cblas_dgemv(CblasColMajor, CblasTrans, (int)n, (int)n, 1.0, Y, (int)n, v, 1, 0.0, next, 1);
    value = sgf_norm(n, next);
    memcpy(v, next, n * sizeof *v);
    if (!(value - before > 1e-3 * value)) break;
  }
  return value;
}

sgf_status sgf_form_condition(const sgf_drift_form *form, double *work, double *spectral, double *frobenius,
                              sgf_error *error)
{
  size_t rest = form->n - form->null;
  double *Y = work, square = 0.0;
  *spectral = form->spectral;
  *frobenius = form->frobenius;
  if (*spectral > 0.0) return SGF_OK;
  if (form->diagonal) {
    for (size_t k = 0; k < rest; k++) {
      double m = form->rates[k], y = 1.0 / (form->discrete ? m * (2.0 - m) : 2.0 * m);
      *spectral = fmax(*spectral, y);
      square += y * y;
    }
    *frobenius = sqrt(square);
    return SGF_OK;
  }
  if (rest == 0) return SGF_OK;
  for (size_t k = 0; k < rest * rest; k++) Y[k] = 0.0;
  for (size_t k = 0; k < rest; k++) Y[k * (rest + 1)] = 1.0;
  sgf_status status = sgf_triangular_solve(rest, form->T, form->discrete, Y, work + rest * rest, "A", error);
  if (status != SGF_OK) return status;
  *frobenius = sgf_norm(rest * rest, Y);
  *spectral = sgf_largest_eigenvalue(rest, Y, work + rest * rest);
  return SGF_OK;
}
