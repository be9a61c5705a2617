/* The form of a general drift: the null space by singular values, or by a QR factorization where that leaves no doubt, then the
 * real Schur form of what relaxes.
 *
 * Column-major. Zero eigenvalues could also be collected by reordering the Schur form of the whole (LAPACK's dtrsen), but
 * computed eigenvalues of a non-normal matrix stray from zero by round-off times their condition, and moving k of them
 * takes of the order of k n^2 rotations one by one. Singular values are computed to round-off, deflation by their vectors
 * leaves a smaller Schur problem, and is done only if the reciprocal condition number (from an LU factorization, 3 % of
 * the Schur form's cost) says that the rank could be in question. */
#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "form.h"

/* What is done otherwise for small matrices. */
enum { MOST_SMALL = 64 };

static sgf_status lapack_failed(lapack_int info, const char *name, size_t n, sgf_error *error)
{
  if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
    return sgf_fail(error, SGF_ERROR_MEMORY, "A: no memory for LAPACK %s of a %zu x %zu matrix", name, n, n);
  return sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK %s returned %d", name, (int)info);
}

/* M = A or 1 - A, column-major from row-major A. */
static void shifted(size_t n, const double *A, bool discrete, double *M)
{
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < n; i++) M[i + j * n] = discrete ? (double)(i == j) - A[i * n + j] : A[i * n + j];
}

/* Factors of M (n, n) in its place, and its 1-norm; `regular`: no pivot is 0, `screened`: nor next to it. */
static sgf_status factorize(size_t n, double *M, double *norm, bool *regular, bool *screened, int *pivots,
                            sgf_error *error)
{
  const double far = 1e-8; /* of the largest: a first look, which proves nothing */
  *norm = 0.0;
  for (size_t j = 0; j < n; j++) {
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) sum += fabs(M[i + j * n]);
    *norm = fmax(*norm, sum);
  }
  *regular = *screened = false;
  if (*norm == 0.0) return SGF_OK;
  lapack_int info = LAPACKE_dgetrf_work(LAPACK_COL_MAJOR, (lapack_int)n, (lapack_int)n, M, (lapack_int)n, pivots);
  if (info < 0) return lapack_failed(info, "dgetrf", n, error);
  *regular = info == 0; /* else an exact zero pivot */
  double least = INFINITY;
  for (size_t k = 0; k < n; k++) least = fmin(least, fabs(M[k * (n + 1)]));
  *screened = least > far * *norm;
  return SGF_OK;
}

/* The largest k such that the last k rows of R (n, n) are of norm up to `level`, and that norm. */
static size_t small_rows(size_t n, const double *R, double level, double *norm)
{
  size_t count = 0;
  double square = 0.0;
  *norm = 0.0;
  for (size_t i = n; i-- > 0; count++) {
    for (size_t j = i; j < n; j++) square += R[i + j * n] * R[i + j * n];
    if (!(sqrt(square) <= level)) return count;
    *norm = sqrt(square);
  }
  return count;
}

/* The smallest singular value of the leading rows and columns of R (leading dimension n), upper triangular, by inverse iteration
 * to about a per cent, and a fifth less for what that leaves. v: rank numbers */
static double smallest_of_factor(size_t rank, size_t n, const double *R, double *v)
{
  enum { MOST_STEPS = 60 };
  double inverse = 0.0, before;
  for (size_t i = 0; i < rank; i++) v[i] = i % 2 == 0 ? 1.0 : -0.5;
  for (size_t step = 0; step < MOST_STEPS; step++) {
    double norm = sgf_norm(rank, v);
    for (size_t i = 0; i < rank; i++) v[i] /= norm;
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasTrans, CblasNonUnit, (int)rank, R, (int)n, v, 1);
    cblas_dtrsv(CblasColMajor, CblasUpper, CblasNoTrans, CblasNonUnit, (int)rank, R, (int)n, v, 1);
    before = inverse;
    inverse = sgf_norm(rank, v);
    if (!(inverse - before > 1e-3 * inverse)) break;
  }
  return 0.8 / sqrt(inverse);
}

/* Of the factorization M^T P = [Q1, Q2] [R11, R12; 0, R22]: the rank, if it is beyond doubt: the rows of R22, and so M Q2,
 * round-off, and R11, whose smallest singular value is at most that of M of the same number, clearly regular. */
static sgf_status rank_of_factors(size_t n, const double *R, double unit, double lost, sgf_drift_form *form,
                                  bool *proven, sgf_certificate *certificate, sgf_error *error)
{
  const double safe = 1e5 * (double)n * DBL_EPSILON, clear_gap = 1e3;
  double largest = 0.0, reciprocal, dropped; /* M's norm is at least that of its largest row */
  for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(R[i * (n + 1)]));
  double level = sgf_rank_round_off(n) * fmax(largest, unit);
  size_t null = small_rows(n, R, level, &dropped), rank = n - null;
  *proven = false;
  if (null == 0 || rank == 0) return SGF_OK;
  lapack_int size = (lapack_int)rank,
             info = LAPACKE_dtrcon(LAPACK_COL_MAJOR, '1', 'U', 'N', size, R, (lapack_int)n, &reciprocal);
  if (info != 0) return lapack_failed(info, "dtrcon", n, error);
  if (!(reciprocal > safe * lost)) return SGF_OK;
  double norm = LAPACKE_dlantr(LAPACK_COL_MAJOR, 'F', 'U', 'N', (lapack_int)n, (lapack_int)n, R, (lapack_int)n);
  double smallest = smallest_of_factor(rank, n, R, form->W),
         gap = smallest / (sgf_rank_round_off(n) * fmax(norm, unit));
  if (!(gap >= clear_gap)) return SGF_OK;
  form->null = null;
  form->dropped = dropped / level;
  form->smallest = smallest;
  certificate->rank = rank;
  certificate->gap = gap;
  certificate->ambiguous = false;
  *proven = true;
  return SGF_OK;
}

/* Rank and null space of a large M by the QR factorization of M^T with column pivots, in half the time of singular values, if
 * that decides it beyond doubt: `proven`; else W is to be overwritten. Its null vectors, the columns of Q2, are as good: M Q2 =
 * P R22^T. Source: P. Businger, G. H. Golub, Numer. Math. 7, 269 (1965). */
static sgf_status deflate_by_factors(size_t n, const double *A, sgf_drift_form *form, bool *proven,
                                     sgf_certificate *certificate, sgf_error *error)
{
  double *Q = NULL, *scalars = NULL, unit = form->discrete ? fmax(1.0, sgf_norm(n * n, A)) : 0.0;
  void *pivots = NULL;
  lapack_int size = (lapack_int)n;
  sgf_status status;
  *proven = false;
  SGF_TRY(sgf_new_reals(&Q, n, n, "A", error));
  SGF_TRY(sgf_new_reals(&scalars, n, 1, "null space of A", error));
  SGF_TRY(sgf_allocate(&pivots, n, 1, sizeof(lapack_int), "pivots", error));
  for (size_t k = 0; k < n * n; k++) Q[k] = form->discrete ? (double)(k % (n + 1) == 0) - A[k] : A[k]; /* M^T */
  double lost = form->discrete ? fmax(1.0, unit / fmax(sgf_norm(n * n, Q), DBL_MIN)) : 1.0;
  lapack_int info = LAPACKE_dgeqp3(LAPACK_COL_MAJOR, size, size, Q, size, pivots, scalars);
  if (info == 0) {
    SGF_TRY(rank_of_factors(n, Q, unit, lost, form, proven, certificate, error));
    if (!*proven) goto done;
    info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, size, size, size, Q, size, scalars);
  }
  if (info != 0) {
    status = lapack_failed(info, "dgeqp3", n, error);
    goto done;
  }
  memcpy(form->W, Q + certificate->rank * n, form->null * n * sizeof *Q);
  memcpy(form->W + form->null * n, Q, certificate->rank * n * sizeof *Q);
done:
  free(Q);
  free(scalars);
  free(pivots);
  return status;
}

/* Rank of M by its singular values; W becomes [R, R'], the right singular vectors, those of the smallest first. */
static sgf_status deflate(size_t n, const double *A, double tolerance, sgf_drift_form *form,
                          sgf_certificate *certificate, sgf_error *error)
{
  double *M = NULL, *s = NULL, *right = NULL;
  bool proven = false;
  sgf_status status;
  if (n > MOST_SMALL && isnan(tolerance)) {
    SGF_TRY(deflate_by_factors(n, A, form, &proven, certificate, error));
    if (proven) goto done;
  }
  SGF_TRY(sgf_new_reals(&M, n, n, "A", error));
  SGF_TRY(sgf_new_reals(&right, n, n, "singular vectors of A", error));
  SGF_TRY(sgf_new_reals(&s, n, 1, "singular values of A", error));
  shifted(n, A, form->discrete, M);
  /* The left vectors, which are not used, replace M. */
  lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'O', (lapack_int)n, (lapack_int)n, M, (lapack_int)n, s, NULL,
                                   (lapack_int)n, right, (lapack_int)n);
  if (info != 0) {
    status = lapack_failed(info, "dgesdd", n, error);
    goto done;
  }
  for (size_t k = 0; k < n / 2; k++) {
    double kept = s[k];
    s[k] = s[n - 1 - k];
    s[n - 1 - k] = kept;
  }
  double unit = form->discrete ? fmax(1.0, sgf_norm(n * n, A)) : 0.0;
  SGF_TRY(sgf_form_rank(n, s, unit, tolerance, certificate, error));
  form->null = n - certificate->rank;
  if (form->null > 0) form->dropped = s[form->null - 1] / (sgf_rank_round_off(n) * fmax(s[n - 1], unit));
  form->smallest = form->null < n ? s[form->null] : NAN;
  for (size_t k = 0; k < n; k++)
    for (size_t i = 0; i < n; i++) form->W[i + k * n] = right[(n - 1 - k) + i * n];
done:
  free(M);
  free(s);
  free(right);
  return status;
}

/* W^T A W for W = [R, R']: its blocks A12 (null, rest) and A22 (rest, rest), column-major. */
static sgf_status deflated_blocks(size_t n, const double *A, const sgf_drift_form *form, double *A12, double *A22,
                                  sgf_error *error)
{
  size_t null = form->null, rest = n - null;
  double *AR;
  if (null == 0) {
    shifted(n, A, false, A22);
    return SGF_OK;
  }
  sgf_status status = sgf_new_reals(&AR, n, rest, "A", error);
  if (status != SGF_OK) return status;
  const double *R = form->W, *relaxing = form->W + null * n;
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)n, (int)rest, (int)n, 1.0, A, (int)n, relaxing, (int)n,
              0.0, AR, (int)n);
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)null, (int)rest, (int)n, 1.0, R, (int)n, AR, (int)n, 0.0,
              A12, (int)null);
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)rest, (int)rest, (int)n, 1.0, relaxing, (int)n, AR,
              (int)n, 0.0, A22, (int)rest);
  free(AR);
  return SGF_OK;
}

/* An eigenvalue of T, number k: `imaginary` >= 0 of a pair, whose first it is. */
typedef struct {
  size_t k;
  double real, imaginary;
} eigenvalue;

/* By how much the right eigenvector [A12 x / (lambda - lambda_0), x] of the whole drift, whose null eigenvalues are lambda_0, is
 * longer than x (rest, 1 or 2) of T; the left one is no longer. 1 for another null eigenvalue, of a defective drift. */
static double stretch(const sgf_drift_form *form, const double *A12, eigenvalue one, const double *x,
                      double round_off, double *work)
{
  size_t null = form->null, rest = form->n - null, columns = one.imaginary > 0.0 ? 2 : 1;
  double apart = hypot(one.real - (form->discrete ? 1.0 : 0.0), one.imaginary);
  if (null == 0 || !(apart > round_off)) return 1.0;
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)null, (int)columns, (int)rest, 1.0, A12, (int)null, x,
              (int)rest, 0.0, work, (int)null);
  return hypot(1.0, sgf_norm(null * columns, work) / apart / sgf_norm(rest * columns, x));
}

/* How far round-off in A, of `round_off` in norm, may move an eigenvalue: by that over the cosine between its left and right
 * eigenvectors. Of p eigenvalues that round-off made of a single one it is 1 / p of the way from it. Where a null space
 * was split off, round-off was dropped with it: an eigenvalue of T alone may be far better known than that of A. */
static double doubt_of_eigenvalue(const sgf_drift_form *form, const double *A12, eigenvalue one, double round_off)
{
  size_t count = form->n - form->null;
  lapack_int size = (lapack_int)count, found;
  double *vectors = NULL, cosine = 0.0, *cosines;
  if (sgf_new_reals(&vectors, 2 * count + 3, form->n, "eigenvectors of A", NULL) != SGF_OK) return 0.0;
  double *right = vectors + count * count;
  cosines = right + count * count;
  if (LAPACKE_dtrevc(LAPACK_COL_MAJOR, 'B', 'A', NULL, size, form->T, size, vectors, size, right, size, size,
                     &found) == 0 &&
      LAPACKE_dtrsna(LAPACK_COL_MAJOR, 'E', 'A', NULL, size, form->T, size, vectors, size, right, size, cosines, NULL,
                     size, &found) == 0)
    cosine = cosines[one.k] / stretch(form, A12, one, right + one.k * count, round_off, cosines + count);
  free(vectors);
  return cosine > 0.0 ? round_off / cosine : INFINITY;
}

/* Refuse an eigenvalue: as unstable, unless the last digits of A move it by far more than round-off, and from where it is
 * across the limit. `margin`: of its stability. */
static sgf_status refuse(const sgf_drift_form *form, const double *A12, eigenvalue one, double margin, double needed,
                         double scale, sgf_certificate *certificate, sgf_error *error)
{
  const double well_known = 1e3;
  double round_off =
      sgf_rank_round_off(form->n) *
      fmax(sgf_norm((form->n - form->null) * (form->n - form->null), form->T), form->discrete ? 1.0 : 0.0);
  double doubt = doubt_of_eigenvalue(form, A12, one, round_off);
  if (!(doubt > well_known * fmax(round_off, needed)) || !(margin > -doubt))
    return sgf_form_unstable(one.real, one.imaginary, form->discrete, scale, certificate, error);
  certificate->real = one.real * scale;
  certificate->imaginary = fabs(one.imaginary * scale);
  return sgf_fail(
      error, SGF_ERROR_AMBIGUOUS,
      "A: whether it is stable cannot be told: its eigenvalue %.10g %+.3g i is not, but the last digits of "
      "A move it by up to %.3g",
      certificate->real, certificate->imaginary, doubt * scale);
}

/* Every eigenvalue must be stable by a margin; the nearest to instability goes into the certificate. */
static sgf_status check_stable(size_t count, const double *real, const double *imaginary, const sgf_drift_form *form,
                               const double *A12, double needed, double scale, sgf_certificate *certificate,
                               sgf_error *error)
{
  size_t worst = 0;
  double margin = INFINITY;
  for (size_t k = 0; k < count; k++) {
    double here = form->discrete ? 1.0 - hypot(real[k], imaginary[k]) : real[k];
    if (!(here >= margin)) {
      margin = here;
      worst = k;
    }
  }
  if (!(margin > needed)) {
    eigenvalue one = {worst, real[worst], imaginary[worst]};
    return refuse(form, A12, one, margin, needed, scale, certificate, error);
  }
  certificate->real = real[worst] * scale;
  certificate->imaginary = fabs(imaginary[worst]) * scale;
  return SGF_OK;
}

/* T and the Schur vectors U of A22; W <- [R, R' U], A12 <- A12 U. The eigenvalues must be stable by round-off, or by a
 * smaller tolerance that was given. */
static sgf_status schur(sgf_drift_form *form, double *A12, double tolerance, double scale,
                        sgf_certificate *certificate, sgf_error *error)
{
  size_t n = form->n, null = form->null, rest = n - null;
  double *U = NULL, *eigenvalues = NULL, *turned = NULL;
  lapack_int sorted;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&U, rest, rest, "Schur vectors of A", error));
  SGF_TRY(sgf_new_reals(&eigenvalues, rest, 2, "eigenvalues of A", error));
  double norm = fmax(sgf_norm(rest * rest, form->T), form->discrete ? 1.0 : 0.0);
  double needed = fmin(sgf_rank_round_off(n), isnan(tolerance) ? INFINITY : tolerance) * norm;
  lapack_int info = LAPACKE_dgees(LAPACK_COL_MAJOR, 'V', 'N', NULL, (lapack_int)rest, form->T, (lapack_int)rest,
                                  &sorted, eigenvalues, eigenvalues + rest, U, (lapack_int)rest);
  if (info != 0) {
    status = lapack_failed(info, "dgees", rest, error);
    goto done;
  }
  if (null > 0) {
    SGF_TRY(sgf_new_reals(&turned, n, rest, "Schur vectors of A", error));
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)null, (int)rest, (int)rest, 1.0, A12, (int)null, U,
                (int)rest, 0.0, turned, (int)null);
    memcpy(A12, turned, null * rest * sizeof *A12);
  }
  SGF_TRY(check_stable(rest, eigenvalues, eigenvalues + rest, form, A12, needed, scale, certificate, error));
  if (null == 0) {
    memcpy(form->W, U, n * n * sizeof *U);
    goto done;
  }
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)n, (int)rest, (int)rest, 1.0, form->W + null * n,
              (int)n, U, (int)rest, 0.0, turned, (int)n);
  memcpy(form->W + null * n, turned, n * rest * sizeof *turned);
done:
  free(U);
  free(eigenvalues);
  free(turned);
  return status;
}

/* What a reciprocal condition number must be above, so that there is no null space beyond doubt. The estimate of dgecon may
 * be several times too large, and norms differ by up to a factor n. `lost`: A's own norm is what 1 - A loses digits
 * against. */
static double clearly_regular(const sgf_drift_form *form, const double *A, double norm, double tolerance,
                              double *lost)
{
  const double safe = 1e5 * (double)form->n * DBL_EPSILON;
  *lost = form->discrete ? fmax(1.0, fmax(1.0, sgf_norm(form->n * form->n, A)) / norm) : 1.0;
  return *lost * fmax(safe, isnan(tolerance) ? 0.0 : 1e2 * (double)form->n * tolerance);
}

static void take_full_rank(sgf_drift_form *form, double reciprocal, double norm, double lost,
                           sgf_certificate *certificate)
{
  certificate->rank = form->n;
  certificate->gap = reciprocal / lost / sgf_rank_round_off(form->n);
  form->smallest = reciprocal * norm;
}

/* A small drift that looks regular: its Schur form is taken as if it were, and the solution Y of Q = 1 proves it, sigma_min(M)
 * >= 1 / (2 ||Y||_2): u of sigma_min has 1 = u^T (A Y + Y A^T) u <= 2 ||A^T u|| ||Y u||, discrete likewise. That saves the
 * estimate of the condition, which takes as long as the rest of a 2 x 2 system. `proven` is false otherwise, with W, T to be
 * overwritten. */
static sgf_status try_regular(size_t n, const double *A, double tolerance, double norm, double scale, double *work,
                              sgf_drift_form *form, sgf_certificate *certificate, bool *proven, sgf_error *error)
{
  double lost, needed = clearly_regular(form, A, norm, tolerance, &lost);
  sgf_status status;
  *proven = false;
  SGF_TRY(sgf_new_reals(&form->T, n, n, "Schur form of A", error));
  shifted(n, A, false, form->T);
  sgf_certificate before = *certificate;
  status = schur(form, NULL, tolerance, scale, certificate, NULL);
  if (status == SGF_OK) status = sgf_form_condition(form, work, &form->spectral, &form->frobenius, NULL);
  /* the 1-norm is at most sqrt(n) times the other, and the power method is a per cent below */
  double reciprocal = 0.49 / form->spectral / norm / sqrt((double)n);
  *proven = status == SGF_OK && reciprocal > needed;
  if (*proven) {
    take_full_rank(form, reciprocal, norm, lost, certificate);
  } else { /* the long way says why */
    *certificate = before;
    form->spectral = form->frobenius = 0.0;
    free(form->T);
    form->T = NULL;
  }
  return status == SGF_ERROR_MEMORY ? sgf_fail(error, status, "A: no memory for its Schur form") : SGF_OK;
done:
  return status;
}

/* The null space, if it can be that there is one; without it W is left as it is, or with `done` W and T are those of a regular
 * drift. */
static sgf_status find_null_space(size_t n, const double *A, double tolerance, double scale, double *work,
                                  sgf_drift_form *form, bool *done, sgf_certificate *certificate, sgf_error *error)
{
  double *M = work, norm, reciprocal = 0.0, lost;
  void *pivots = NULL;
  bool regular, screened;
  sgf_status status;
  *done = false;
  SGF_TRY(sgf_allocate(&pivots, n, 1, sizeof(int), "pivots", error));
  shifted(n, A, form->discrete, M);
  SGF_TRY(factorize(n, M, &norm, &regular, &screened, pivots, error));
  if (screened && n <= MOST_SMALL) {
    SGF_TRY(try_regular(n, A, tolerance, norm, scale, work, form, certificate, done, error));
    if (*done) goto done;
    shifted(n, A, form->discrete, M);
    SGF_TRY(factorize(n, M, &norm, &regular, &screened, pivots, error));
  }
  if (regular) {
    lapack_int info = LAPACKE_dgecon(LAPACK_COL_MAJOR, '1', (lapack_int)n, M, (lapack_int)n, norm, &reciprocal);
    if (info != 0) {
      status = lapack_failed(info, "dgecon", n, error);
      goto done;
    }
  }
  if (reciprocal > clearly_regular(form, A, norm, tolerance, &lost))
    take_full_rank(form, reciprocal, norm, lost, certificate);
  else
    status = deflate(n, A, tolerance, form, certificate, error);
done:
  free(pivots);
  return status;
}

/* K = -M12 M22^{-1}, and the factors of M22. M12 = A12 (continuous), -A12 (discrete); M22 = T, 1 - T. */
static sgf_status left_null_vectors(sgf_drift_form *form, const double *A12, sgf_error *error)
{
  size_t null = form->null, rest = form->n - null;
  void *pivots;
  double *transposed = NULL;
  sgf_status status;
  if (null == 0) return SGF_OK;
  SGF_TRY(sgf_new_reals(&form->K, null, rest, "left null vectors of A", error));
  SGF_TRY(sgf_new_reals(&form->M22, rest, rest, "A", error));
  SGF_TRY(sgf_new_reals(&transposed, rest, null, "left null vectors of A", error));
  SGF_TRY(sgf_allocate(&pivots, rest, 1, sizeof *form->pivots, "pivots", error));
  form->pivots = pivots;
  for (size_t j = 0; j < rest; j++)
    for (size_t i = 0; i < rest; i++)
      form->M22[i + j * rest] = form->discrete ? (double)(i == j) - form->T[i + j * rest] : form->T[i + j * rest];
  form->apart =
      LAPACKE_dlange(LAPACK_COL_MAJOR, '1', (lapack_int)rest, (lapack_int)rest, form->M22, (lapack_int)rest);
  for (size_t i = 0; i < null; i++)
    for (size_t j = 0; j < rest; j++)
      transposed[j + i * rest] = form->discrete ? A12[i + j * null] : -A12[i + j * null];
  lapack_int info =
      LAPACKE_dgetrf(LAPACK_COL_MAJOR, (lapack_int)rest, (lapack_int)rest, form->M22, (lapack_int)rest, form->pivots);
  if (info > 0) {
    status = sgf_fail(error, SGF_ERROR_AMBIGUOUS, "A: of rank %zu, but singular on the complement of its null space",
                      rest);
    goto done;
  }
  double reciprocal = 0.0;
  if (info == 0)
    info = LAPACKE_dgecon(LAPACK_COL_MAJOR, '1', (lapack_int)rest, form->M22, (lapack_int)rest, form->apart,
                          &reciprocal);
  form->apart *= reciprocal;
  if (info == 0)
    info = LAPACKE_dgetrs(LAPACK_COL_MAJOR, 'T', (lapack_int)rest, (lapack_int)null, form->M22, (lapack_int)rest,
                          form->pivots, transposed, (lapack_int)rest);
  if (info != 0) {
    status = lapack_failed(info, "dgetrf", rest, error);
    goto done;
  }
  for (size_t i = 0; i < null; i++)
    for (size_t j = 0; j < rest; j++) form->K[i + j * null] = transposed[j + i * rest];
  form->left_norm = hypot(1.0, sgf_norm(null * rest, form->K));
done:
  free(transposed);
  return status;
}

/* What was dropped must be well below the level of round-off, as what is left of zeros is: a mode next to it may relax, and noise
 * too small to be told from round-off then makes a variance of it that is not. */
static sgf_status check_dropped(const sgf_drift_form *form, double tolerance, const sgf_certificate *certificate,
                                sgf_error *error)
{
  const double next_to = 0.3;
  if (form->null == 0 || form->null == form->n || !isnan(tolerance) || !(form->dropped > next_to)) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                  "A: rank %zu of %zu by a gap of %.3g, but the largest singular value taken for 0 is %.2g times "
                  "round-off: whether what it belongs to relaxes cannot be told; a rank tolerance decides it",
                  certificate->rank, form->n, certificate->gap, form->dropped);
}

sgf_status sgf_schur_form(size_t n, const double *A, bool discrete, double tolerance, double scale, double *work,
                          sgf_drift_form *form, sgf_certificate *certificate, sgf_error *error)
{
  sgf_status status;
  double *A12 = NULL;
  bool regular = false;
  *form = (sgf_drift_form){.n = n, .discrete = discrete, .left_norm = 1.0, .apart = NAN};
  SGF_TRY(sgf_new_reals(&form->W, n, n, "Schur vectors of A", error));
  SGF_TRY(find_null_space(n, A, tolerance, scale, work, form, &regular, certificate, error));
  SGF_TRY(check_dropped(form, tolerance, certificate, error));
  size_t null = form->null, rest = n - null;
  if (rest == 0 || regular) goto done;
  SGF_TRY(sgf_new_reals(&form->T, rest, rest, "Schur form of A", error));
  SGF_TRY(sgf_new_reals(&A12, null + 1, rest, "A", error));
  SGF_TRY(deflated_blocks(n, A, form, A12, form->T, error));
  SGF_TRY(schur(form, A12, tolerance, scale, certificate, error));
  SGF_TRY(left_null_vectors(form, A12, error));
  if (null > 0) SGF_TRY(sgf_form_refine_left(A, form, error));
done:
  free(A12);
  if (status != SGF_OK) sgf_drift_form_free(form);
  return status;
}
