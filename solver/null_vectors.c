/* Left null vectors of a singular general drift to working accuracy, element by element, and what they say of the noise:
 * independent of the units of the coordinates. Column-major; A and Q, row-major, are read as transposed. */
#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "form.h"

static void multiply(CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, size_t rows, size_t columns,
                     size_t inner, double factor, const double *A, size_t leading_a, const double *B,
                     size_t leading_b, double keep, double *C, size_t leading_c)
{
  cblas_dgemm(CblasColMajor, transpose_a, transpose_b, (int)rows, (int)columns, (int)inner, factor, A, (int)leading_a,
              B, (int)leading_b, keep, C, (int)leading_c);
}

static void absolute(size_t count, const double *values, double *sizes)
{
  for (size_t k = 0; k < count; k++) sizes[k] = fabs(values[k]);
}

/* r = M^T L (n, null). */
static void left_residual(const sgf_drift_form *form, const double *A, double *r)
{
  size_t n = form->n, null = form->null;
  multiply(CblasNoTrans, CblasNoTrans, n, null, n, 1.0, A, n, form->L, n, 0.0, r, n);
  for (size_t k = 0; k < n * null && form->discrete; k++) r[k] = form->L[k] - r[k];
}

/* x (rest, null) with M22^T x = R'^T r, and its norm: L - R' x is better. */
static sgf_status left_correction(const sgf_drift_form *form, const double *r, double *x, double *norm,
                                  sgf_error *error)
{
  size_t n = form->n, null = form->null, rest = n - null;
  multiply(CblasTrans, CblasNoTrans, rest, null, n, 1.0, form->W + null * n, n, r, n, 0.0, x, rest);
  lapack_int info = LAPACKE_dgetrs(LAPACK_COL_MAJOR, 'T', (lapack_int)rest, (lapack_int)null, form->M22,
                                   (lapack_int)rest, form->pivots, x, (lapack_int)rest);
  *norm = sgf_norm(rest * null, x);
  return info == 0 ? SGF_OK : sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK dgetrs returned %d", (int)info);
}

/* left_norm: sqrt(1 + ||K||_2^2), rounded up for what the power method leaves. */
static sgf_status projection_norm(sgf_drift_form *form, sgf_error *error)
{
  size_t null = form->null, rest = form->n - null;
  double *gram, frobenius = sgf_norm(null * rest, form->K);
  sgf_status status = sgf_new_reals(&gram, null + 2, null, "left null vectors of A", error);
  if (status != SGF_OK) return status;
  multiply(CblasNoTrans, CblasTrans, null, null, rest, 1.0, form->K, null, form->K, null, 0.0, gram, null);
  double spectral = frobenius > 0.0 ? sqrt(1.1 * sgf_largest_eigenvalue(null, gram, gram + null * null)) : 0.0;
  form->left_norm = hypot(1.0, fmin(spectral, frobenius));
  free(gram);
  return SGF_OK;
}

sgf_status sgf_form_refine_left(const double *A, sgf_drift_form *form, sgf_error *error)
{
  enum { MOST_STEPS = 5 };
  size_t n = form->n, null = form->null, rest = n - null;
  double *r = NULL, *x = NULL, before = INFINITY, size;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&form->L, n, null, "left null vectors of A", error));
  SGF_TRY(sgf_new_reals(&r, n, null, "left null vectors of A", error));
  SGF_TRY(sgf_new_reals(&x, rest, null, "left null vectors of A", error));
  memcpy(form->L, form->W, n * null * sizeof *r);
  multiply(CblasNoTrans, CblasTrans, n, null, rest, 1.0, form->W + null * n, n, form->K, null, 1.0, form->L, n);
  for (size_t step = 0; step < MOST_STEPS; step++) {
    left_residual(form, A, r);
    SGF_TRY(left_correction(form, r, x, &size, error));
    if (!(size < 0.5 * before) || size == 0.0) break;
    before = size;
    multiply(CblasNoTrans, CblasNoTrans, n, null, rest, -1.0, form->W + null * n, n, x, rest, 1.0, form->L, n);
    for (size_t i = 0; i < null; i++)
      for (size_t j = 0; j < rest; j++) form->K[i + j * null] -= x[j + i * rest];
  }
  SGF_TRY(projection_norm(form, error));
done:
  free(r);
  free(x);
  return status;
}

/* |Z| for Z = R' M22^{-1} R'^T, what turns an error of M into one of L: dL^T = -L^T dM Z. */
static sgf_status sensitivity(const sgf_drift_form *form, double *Z, sgf_error *error)
{
  size_t n = form->n, null = form->null, rest = n - null;
  double *Y;
  sgf_status status = sgf_new_reals(&Y, rest, n, "left null vectors of A", error);
  if (status != SGF_OK) return status;
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < rest; i++) Y[i + j * rest] = form->W[j + (null + i) * n];
  lapack_int info = LAPACKE_dgetrs(LAPACK_COL_MAJOR, 'N', (lapack_int)rest, (lapack_int)n, form->M22,
                                   (lapack_int)rest, form->pivots, Y, (lapack_int)rest);
  multiply(CblasNoTrans, CblasNoTrans, n, n, rest, 1.0, form->W + null * n, n, Y, rest, 0.0, Z, n);
  absolute(n * n, Z, Z);
  free(Y);
  return info == 0 ? SGF_OK : sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK dgetrs returned %d", (int)info);
}

/* S^T (n, null), S = (unit |L|^T |M| + |L^T M|) |Z|: how far L may be off; and the largest ratio of
 * the second to the first over the vectors. sizes: |L|; work: n^2 */
static sgf_status left_doubt(const sgf_drift_form *form, const double *A, double unit, const double *sizes,
                             double *work, double *doubt, double *unresolved, sgf_error *error)
{
  size_t n = form->n, null = form->null;
  double *r;
  sgf_status status = sgf_new_reals(&r, 2 * n, null, "left null vectors of A", error);
  if (status != SGF_OK) return status;
  double *change = r + n * null;
  left_residual(form, A, r);
  absolute(n * null, r, r);
  absolute(n * n, A, work);
  for (size_t k = 0; k < n && form->discrete; k++) work[k * (n + 1)] += 1.0;
  multiply(CblasNoTrans, CblasNoTrans, n, null, n, unit, work, n, sizes, n, 0.0, change, n);
  *unresolved = 0.0;
  /* Below the square of round-off are zeros of L that were not computed as such. */
  double nothing = unit * DBL_EPSILON * sgf_norm(n * n, work) * form->left_norm;
  for (size_t k = 0; k < null; k++)
    *unresolved = fmax(*unresolved, sgf_norm(n, r + k * n) / (sgf_norm(n, change + k * n) + nothing));
  for (size_t k = 0; k < n * null; k++) change[k] += r[k];
  SGF_TRY(sensitivity(form, work, error));
  multiply(CblasTrans, CblasNoTrans, n, null, n, 1.0, work, n, change, n, 0.0, doubt, n);
done:
  free(r);
  return status;
}

/* An element's size, or that of its row and column, which is what round-off in a product B B^T is relative to. */
static void sizes_of(size_t n, const double *Q, double *sizes)
{
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < n; i++)
      sizes[i + j * n] = fmax(fabs(Q[i + j * n]), sqrt(fabs(Q[i * (n + 1)])) * sqrt(fabs(Q[j * (n + 1)])));
}

/* out += factor V^T S V, S (n, n) symmetric, V (n, null). work: n null */
static void add_within(size_t n, size_t null, double factor, const double *S, const double *V, double *work,
                       double *out)
{
  multiply(CblasNoTrans, CblasNoTrans, n, null, n, 1.0, S, n, V, n, 0.0, work, n);
  multiply(CblasTrans, CblasNoTrans, null, null, n, factor, V, n, work, n, 1.0, out, null);
}

sgf_status sgf_form_driving(const sgf_drift_form *form, const double *A, const double *Q, sgf_driving *driving,
                            sgf_error *error)
{
  size_t n = form->n, null = form->null;
  double unit = (4.0 + 2.0 * sqrt((double)n)) * DBL_EPSILON;
  double *sizes = NULL, *vectors = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&driving->block, 3 * null, null, "noise that the drift leaves", error));
  SGF_TRY(sgf_new_reals(&sizes, n, n, "noise that the drift leaves", error));
  SGF_TRY(sgf_new_reals(&vectors, 4 * n, null, "noise that the drift leaves", error));
  driving->tolerated = driving->block + null * null;
  driving->last_digit = driving->tolerated + null * null;
  double *left = vectors, *doubt = left + n * null, *driven = doubt + n * null, *work = driven + n * null;
  absolute(n * null, form->L, left);
  SGF_TRY(left_doubt(form, A, unit, left, sizes, doubt, &driving->unresolved, error));
  multiply(CblasNoTrans, CblasNoTrans, n, null, n, 1.0, Q, n, form->L, n, 0.0, driven, n);
  multiply(CblasTrans, CblasNoTrans, null, null, n, 1.0, form->L, n, driven, n, 0.0, driving->block, null);
  sizes_of(n, Q, sizes);
  add_within(n, null, unit, sizes, left, work, driving->last_digit);
  memcpy(driving->tolerated, driving->last_digit, null * null * sizeof *sizes);
  add_within(n, null, 1.0, sizes, doubt, work, driving->tolerated);
  absolute(n * null, driven, driven);
  multiply(CblasTrans, CblasNoTrans, null, null, n, 1.0, doubt, n, driven, n, 1.0, driving->tolerated, null);
  multiply(CblasTrans, CblasNoTrans, null, null, n, 1.0, driven, n, doubt, n, 1.0, driving->tolerated, null);
done:
  free(sizes);
  free(vectors);
  return status;
}
