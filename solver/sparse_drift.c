/* What must be known of a sparse drift before an equation is solved: null vectors and factors. */
#include "sparse_drift.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/random.h"
#include "form.h"
#include "sparse_stability.h"

/* A singular symmetric M is shifted by this part of its smallest eigenvalue: each step of the iteration that takes
 * the shift out again gains as many digits. */
static const double SHIFT = 1e-2;
/* A smallest singular value up to so many times what counts as 0 asks for a closer look. */
static const double CLOSE = 1e3;
/* Steps of the power method, and the change at which it stops. */
enum { MOST_STEPS = 200 };
static const double SETTLED = 1e-6;

void sgf_sparse_drift_free(sgf_sparse_drift *drift)
{
  sgf_sparse_free(&drift->A);
  sgf_sparse_free(&drift->M);
  free(drift->R);
  free(drift->L);
  free(drift->left);
  sgf_sparse_factors_free(&drift->factors);
  *drift = (sgf_sparse_drift){0};
}

/* X <- X - U V^T X for U, V (n, null). */
static sgf_status take_out(const sgf_sparse_drift *drift, const double *U, const double *V, size_t width, double *X,
                           sgf_error *error)
{
  double *overlap;
  int n = (int)drift->n, null = (int)drift->null;
  if (null == 0) return SGF_OK;
  sgf_status status = sgf_new_reals(&overlap, drift->null, width, "null space of A", error);
  if (status != SGF_OK) return status;
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, null, (int)width, n, 1.0, V, n, X, n, 0.0, overlap, null);
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, (int)width, null, -1.0, U, n, overlap, null, 1.0, X, n);
  free(overlap);
  return SGF_OK;
}

sgf_status sgf_sparse_drift_project(const sgf_sparse_drift *drift, size_t width, double *X, sgf_error *error)
{
  return take_out(drift, drift->R, drift->L, width, X, error);
}

sgf_status sgf_sparse_drift_project_adjoint(const sgf_sparse_drift *drift, size_t width, double *X, sgf_error *error)
{
  return take_out(drift, drift->L, drift->R, width, X, error);
}

/* Solve (M + shift) D = B - M X and add D to X until nothing is left to add: what the shift spoils is a hundredth of
 * the error before. */
static sgf_status solve_shifted(sgf_sparse_drift *drift, size_t width, const double *B, double *X, sgf_error *error)
{
  enum { MOST = 20 };
  size_t count = drift->n * width;
  double *D, before = INFINITY;
  sgf_status status = sgf_new_reals(&D, drift->n, width, "solution with sparse factors", error);
  memset(X, 0, count * sizeof *X);
  for (int step = 0; step < MOST && status == SGF_OK; step++) {
    sgf_sparse_multiply(&drift->M, false, width, X, D);
    for (size_t k = 0; k < count; k++) D[k] = B[k] - D[k];
    SGF_TRY(sgf_sparse_solve(&drift->factors, false, width, D, D, error));
    SGF_TRY(take_out(drift, drift->R, drift->R, width, D, error));
    double added = sgf_norm(count, D);
    if (!(added < before)) break;
    before = added;
    for (size_t k = 0; k < count; k++) X[k] += D[k];
    if (added <= 1e-16 * sgf_norm(count, X)) break;
  }
done:
  free(D);
  return status;
}

/* X = M^+ B, or the pseudo-inverse of M^T. */
static sgf_status solve_least(sgf_sparse_drift *drift, bool transposed, size_t width, const double *B, double *X,
                              sgf_error *error)
{
  bool swapped = transposed && !drift->symmetric;
  const double *left = swapped ? drift->R : drift->left, *right = swapped ? drift->left : drift->R;
  double *compatible;
  sgf_status status = sgf_new_reals(&compatible, drift->n, width, "solution with sparse factors", error);
  if (status != SGF_OK) return status;
  memcpy(compatible, B, drift->n * width * sizeof *B);
  SGF_TRY(take_out(drift, left, left, width, compatible, error));
  if (drift->factors.cholesky != NULL && drift->null > 0)
    SGF_TRY(solve_shifted(drift, width, compatible, X, error));
  else
    SGF_TRY(sgf_sparse_solve(&drift->factors, swapped != drift->turned, width, compatible, X, error));
  SGF_TRY(take_out(drift, right, right, width, X, error));
done:
  free(compatible);
  return status;
}

sgf_status sgf_sparse_drift_solve(sgf_sparse_drift *drift, size_t width, const double *B, double *X, sgf_error *error)
{
  double *compatible = NULL;
  sgf_status status;
  if (width == 0) return SGF_OK;
  if (drift->null == 0 || drift->symmetric) return solve_least(drift, false, width, B, X, error);
  SGF_TRY(sgf_new_reals(&compatible, drift->n, width, "solution with sparse factors", error));
  memcpy(compatible, B, drift->n * width * sizeof *B);
  SGF_TRY(sgf_sparse_drift_project(drift, width, compatible, error));
  SGF_TRY(solve_least(drift, false, width, compatible, X, error));
  SGF_TRY(sgf_sparse_drift_project(drift, width, X, error));
done:
  free(compatible);
  return status;
}

sgf_status sgf_sparse_drift_solve_adjoint(sgf_sparse_drift *drift, size_t width, const double *B, double *X,
                                          sgf_error *error)
{
  double *compatible = NULL;
  sgf_status status;
  if (width == 0) return SGF_OK;
  if (drift->null == 0 || drift->symmetric) return solve_least(drift, true, width, B, X, error);
  SGF_TRY(sgf_new_reals(&compatible, drift->n, width, "solution with sparse factors", error));
  memcpy(compatible, B, drift->n * width * sizeof *B);
  SGF_TRY(sgf_sparse_drift_project_adjoint(drift, width, compatible, error));
  SGF_TRY(solve_least(drift, true, width, compatible, X, error));
  SGF_TRY(sgf_sparse_drift_project_adjoint(drift, width, X, error));
done:
  free(compatible);
  return status;
}

sgf_status sgf_sparse_drift_null_block(const sgf_sparse_drift *drift, const double *X, double *block,
                                       sgf_error *error)
{
  double *product;
  int n = (int)drift->n, null = (int)drift->null;
  sgf_status status = sgf_new_reals(&product, drift->n, drift->null, "null space of A", error);
  if (status != SGF_OK || null == 0) goto done;
  cblas_dsymm(CblasColMajor, CblasLeft, CblasUpper, n, null, 1.0, X, n, drift->L, n, 0.0, product, n);
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, null, null, n, 1.0, drift->L, n, product, n, 0.0, block, null);
  sgf_symmetrize(drift->null, block);
done:
  free(product);
  return status;
}

void sgf_sparse_residual(const sgf_sparse_drift *drift, const double *Q, const double *X, double *work, double *R)
{
  size_t n = drift->n;
  sgf_sparse_multiply(&drift->A, false, n, X, work);
  if (drift->discrete) { /* A (A X)^T */
    sgf_sparse_turn(n, work);
    sgf_sparse_multiply(&drift->A, false, n, work, R);
  }
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i <= j; i++) {
      size_t here = i + j * n, there = j + i * n;
      double made = drift->discrete ? X[here] - 0.5 * (R[here] + R[there]) : work[here] + work[there];
      R[here] = R[there] = Q[here] - made;
    }
}

/* ---------------------------------------------------------- singular values */

sgf_status sgf_sparse_singular_value(sgf_sparse_drift *drift, bool inverse, double *value, sgf_error *error)
{
  size_t n = drift->n;
  double *v = NULL, *w = NULL, before = 0.0;
  sgf_random random;
  sgf_status status;
  *value = 0.0;
  SGF_TRY(sgf_new_reals(&v, n, 1, "singular values of A", error));
  SGF_TRY(sgf_new_reals(&w, n, 1, "singular values of A", error));
  sgf_random_at(&random, 1, 1, 0);
  for (size_t i = 0; i < n; i++) v[i] = sgf_random_normal(&random);
  for (int step = 0; step < MOST_STEPS; step++) {
    double norm = sgf_norm(n, v);
    for (size_t i = 0; i < n; i++) v[i] = norm > 0.0 ? v[i] / norm : 0.0;
    if (inverse) {
      SGF_TRY(solve_least(drift, false, 1, v, w, error));
      *value = sgf_norm(n, w);
      SGF_TRY(solve_least(drift, true, 1, w, v, error));
    } else {
      sgf_sparse_multiply(&drift->M, false, 1, v, w);
      *value = sgf_norm(n, w);
      sgf_sparse_multiply(&drift->M, true, 1, w, v);
    }
    if (!(*value - before > SETTLED * *value)) break;
    before = *value;
  }
done:
  free(v);
  free(w);
  return status;
}

static sgf_status find_smallest(sgf_sparse_drift *drift, sgf_error *error)
{
  double inverse;
  sgf_status status = sgf_sparse_singular_value(drift, true, &inverse, error);
  drift->smallest = drift->null < drift->n && inverse > 0.0 ? 1.0 / inverse : NAN;
  return status;
}

/* The rank that was found against the singular values beside the cut. */
static sgf_status check_rank(sgf_sparse_drift *drift, double tolerance, sgf_certificate *certificate,
                             sgf_error *error)
{
  size_t n = drift->n, null = drift->null;
  double *values = NULL, *product = NULL, dropped = 0.0;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&values, n, 1, "singular values of A", error));
  SGF_TRY(sgf_new_reals(&product, n, null, "null space of A", error));
  sgf_sparse_multiply(&drift->M, false, null, drift->R, product);
  dropped = sgf_norm(n * null, product);
  for (size_t k = 0; k < n; k++) values[k] = k < null ? dropped : drift->smallest;
  if (null < n) values[n - 1] = fmax(drift->norm, drift->smallest);
  SGF_TRY(sgf_form_rank(n, values, drift->discrete ? 1.0 : 0.0, tolerance, certificate, error));
  if (certificate->rank == n - null) goto done;
  /* As to the tolerance more values are 0 than SPQR could tell, or fewer. */
  certificate->rank = n - null;
  certificate->ambiguous = true;
  status =
      sgf_fail(error, SGF_ERROR_AMBIGUOUS,
               "A: the sparse factorization finds rank %zu of %zu, but the next singular values, %.3g and %.3g of "
               "the largest, are not on both sides of the tolerance; a dense method finds them all",
               n - null, n, dropped / drift->norm, drift->smallest / drift->norm);
done:
  free(values);
  free(product);
  return status;
}

/* ------------------------------------------------------------- null vectors */

/* L = left (left^T R)^{-T}, L^T R = 1. */
static sgf_status pair_null_vectors(sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error)
{
  size_t n = drift->n, null = drift->null;
  double *overlap = NULL, *kept = NULL, largest, reciprocal = 0.0;
  void *pivots = NULL;
  sgf_status status;
  lapack_int size = (lapack_int)null, info;
  SGF_TRY(sgf_new_reals(&overlap, null, null, "null space of A", error));
  SGF_TRY(sgf_new_reals(&kept, null, n, "null space of A", error));
  SGF_TRY(sgf_new_reals(&drift->L, n, null, "null space of A", error));
  SGF_TRY(sgf_allocate(&pivots, null, 1, sizeof(lapack_int), "pivots", error));
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, size, size, (int)n, 1.0, drift->R, (int)n, drift->left, (int)n,
              0.0, overlap, size);
  largest = LAPACKE_dlange(LAPACK_COL_MAJOR, '1', size, size, overlap, size);
  info = LAPACKE_dgetrf(LAPACK_COL_MAJOR, size, size, overlap, size, pivots);
  if (info == 0) LAPACKE_dgecon(LAPACK_COL_MAJOR, '1', size, overlap, size, largest, &reciprocal);
  /* As many left as right null vectors, but some orthogonal to all of the others: a Jordan block, or next to one. */
  if (!(reciprocal * largest > 1e3 * sgf_rank_round_off(n))) {
    certificate->rank = n - null;
    status =
        sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                 "A: rank %zu of %zu, but left null vectors are orthogonal to the right ones to round-off: %s has "
                 "fewer null vectors than it is an eigenvalue, which is unstable, or it is no eigenvalue",
                 n - null, n, drift->discrete ? "1" : "0");
    goto done;
  }
  /* L^T = (R^T left)^{-T} left^T, in the rows of `kept` */
  for (size_t k = 0; k < null; k++)
    for (size_t i = 0; i < n; i++) kept[k + i * null] = drift->left[i + k * n];
  LAPACKE_dgetrs(LAPACK_COL_MAJOR, 'T', size, (lapack_int)n, overlap, size, pivots, kept, size);
  for (size_t k = 0; k < null; k++)
    for (size_t i = 0; i < n; i++) drift->L[i + k * n] = kept[k + i * null];
  double square = sgf_norm(n * null, drift->L);
  drift->left_norm = sqrt(1.0 + fmax(0.0, square * square - (double)null));
done:
  free(overlap);
  free(kept);
  free(pivots);
  return status;
}

/* The other side's null vectors: for random Z, Z - S with S the solution of M S = M Z that SPQR gives is one, and
 * they span the null space, since S vanishes in the dependent columns. Orthonormal in `vectors` (n, null). */
static sgf_status find_other_side(sgf_sparse_drift *drift, double *vectors, sgf_error *error)
{
  size_t n = drift->n, null = drift->null;
  double *image = NULL, *tau = NULL;
  sgf_random random;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&image, n, null, "null space of A", error));
  SGF_TRY(sgf_new_reals(&tau, null, 1, "null space of A", error));
  sgf_random_at(&random, 1, 3, 0);
  for (size_t k = 0; k < n * null; k++) vectors[k] = sgf_random_normal(&random);
  for (int pass = 0; pass < 2; pass++) { /* the second for the digits that the first lost */
    sgf_sparse_multiply(&drift->M, drift->turned, null, vectors, image);
    SGF_TRY(sgf_sparse_solve(&drift->factors, false, null, image, image, error));
    for (size_t k = 0; k < n * null; k++) vectors[k] -= image[k];
    LAPACKE_dgeqrf(LAPACK_COL_MAJOR, (int)n, (int)null, vectors, (int)n, tau);
    LAPACKE_dorgqr(LAPACK_COL_MAJOR, (int)n, (int)null, (int)null, vectors, (int)n, tau);
  }
done:
  free(image);
  free(tau);
  return status;
}

/* 1 / ||M^#|| by the power method, from above by a few per cent. */
static sgf_status find_apart(sgf_sparse_drift *drift, sgf_error *error)
{
  enum { STEPS = 30 };
  size_t n = drift->n;
  double *v = NULL, *w = NULL, value = 0.0, before = 0.0;
  sgf_random random;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&v, n, 1, "null space of A", error));
  SGF_TRY(sgf_new_reals(&w, n, 1, "null space of A", error));
  sgf_random_at(&random, 1, 5, 0);
  for (size_t i = 0; i < n; i++) v[i] = sgf_random_normal(&random);
  for (int step = 0; step < STEPS && !(value - before <= 1e-3 * value && step > 1); step++) {
    double norm = sgf_norm(n, v);
    before = value;
    for (size_t i = 0; i < n; i++) v[i] = norm > 0.0 ? v[i] / norm : 0.0;
    SGF_TRY(sgf_sparse_drift_solve(drift, 1, v, w, error));
    value = sgf_norm(n, w);
    SGF_TRY(sgf_sparse_drift_solve_adjoint(drift, 1, w, v, error));
  }
  drift->apart = value > 0.0 ? 1.0 / value : INFINITY;
done:
  free(v);
  free(w);
  return status;
}

sgf_status sgf_sparse_check_apart(const sgf_sparse_drift *drift, const sgf_certificate *certificate, sgf_error *error)
{
  double unit = (4.0 + 2.0 * sqrt((double)drift->n)) * DBL_EPSILON;
  double size = drift->discrete ? fmax(drift->norm, 1.0) : drift->norm;
  if (drift->null == 0 || drift->null == drift->n || unit * size * drift->left_norm < 0.1 * drift->apart)
    return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_AMBIGUOUS,
      "A: of rank %zu by a gap of %.3g, but its last digits could join null eigenvalues with others (left "
      "null vectors of length %.3g): whether it is singular cannot be told",
      certificate->rank, certificate->gap, drift->left_norm);
}

static sgf_status find_null_vectors(sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error)
{
  size_t n = drift->n, null = drift->null;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&drift->left, n, null, "null space of A", error));
  SGF_TRY(sgf_new_reals(&drift->R, n, null, "null space of A", error));
  SGF_TRY(sgf_sparse_left_null(&drift->factors, drift->turned ? drift->R : drift->left, error));
  if (drift->symmetric)
    memcpy(drift->R, drift->left, n * null * sizeof *drift->R);
  else if (null < n)
    SGF_TRY(find_other_side(drift, drift->turned ? drift->left : drift->R, error));
  SGF_TRY(pair_null_vectors(drift, certificate, error));
done:
  return status;
}

/* ------------------------------------------------------------------- driver */

/* Cholesky factors of a symmetric M that is clearly positive. */
static sgf_status try_cholesky(sgf_sparse_drift *drift, double zero, bool *done, sgf_error *error)
{
  sgf_status status = sgf_sparse_cholesky(&drift->M, 0.0, drift->memory, "A", &drift->factors, done, error);
  if (status != SGF_OK || !*done) return status;
  status = find_smallest(drift, error);
  *done = status == SGF_OK && drift->smallest > CLOSE * zero;
  if (!*done) sgf_sparse_factors_free(&drift->factors);
  return status;
}

/* QR factors of M, or of M^T if they tell of a null space that those of M do not show. */
static sgf_status find_null_space(sgf_sparse_drift *drift, double zero, sgf_certificate *certificate,
                                  sgf_error *error)
{
  sgf_sparse turned = {0};
  sgf_sparse_factors other = {0};
  sgf_status status;
  SGF_TRY(sgf_sparse_qr(&drift->M, zero, drift->memory, "A", &drift->factors, error));
  drift->null = drift->n - drift->factors.rank;
  if (drift->null == 0) SGF_TRY(find_smallest(drift, error));
  if (drift->null == 0 && !drift->symmetric && !(drift->smallest > CLOSE * zero)) {
    SGF_TRY(sgf_sparse_transpose(&drift->M, &turned, error));
    SGF_TRY(sgf_sparse_qr(&turned, zero, drift->memory, "A", &other, error));
    if (other.rank < drift->n) {
      sgf_sparse_factors kept = drift->factors;
      drift->factors = other;
      other = kept;
      drift->turned = true;
      drift->null = drift->n - drift->factors.rank;
    }
  }
  if (drift->null == 0) goto done;
  SGF_TRY(find_null_vectors(drift, certificate, error));
  SGF_TRY(find_smallest(drift, error));
  if (!drift->symmetric && drift->null < drift->n) SGF_TRY(find_apart(drift, error));
done:
  sgf_sparse_free(&turned);
  sgf_sparse_factors_free(&other);
  return status;
}

/* Rank, null vectors, factors and the smallest singular value. */
static sgf_status factorize(sgf_sparse_drift *drift, double tolerance, sgf_certificate *certificate, sgf_error *error)
{
  sgf_status status;
  bool positive = false;
  SGF_TRY(sgf_sparse_singular_value(drift, false, &drift->norm, error));
  double round_off = sgf_rank_round_off(drift->n);
  double zero = fmax(round_off * fmax(drift->norm, drift->discrete ? 1.0 : 0.0),
                     isnan(tolerance) ? 0.0 : tolerance * drift->norm);
  if (drift->symmetric) SGF_TRY(try_cholesky(drift, zero, &positive, error));
  if (!positive) {
    SGF_TRY(find_null_space(drift, zero, certificate, error));
  }
  SGF_TRY(check_rank(drift, tolerance, certificate, error));
  if (drift->symmetric && !positive && drift->null < drift->n) {
    drift->shift = drift->null > 0 ? SHIFT * drift->smallest : 0.0;
    sgf_sparse_factors_free(&drift->factors);
    SGF_TRY(sgf_sparse_cholesky(&drift->M, drift->shift, drift->memory, "A", &drift->factors, &positive, error));
  }
  if (drift->symmetric && !positive && drift->null < drift->n) status = sgf_sparse_refuse(drift, certificate, error);
done:
  return status;
}

sgf_status sgf_sparse_drift_create(const sgf_sparse *A, const sgf_lyapunov_options *options, double scale,
                                   sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error)
{
  sgf_status status;
  *drift = (sgf_sparse_drift){.n = A->rows,
                              .discrete = options->discrete,
                              .left_norm = 1.0,
                              .smallest = NAN,
                              .alternating = NAN,
                              .apart = INFINITY,
                              .scale = scale};
  drift->memory = options->memory > 0.0 ? options->memory : sgf_memory_to_use();
  SGF_TRY(sgf_sparse_check(A, "A", false, error));
  SGF_TRY(sgf_sparse_order(A, &drift->A, error));
  SGF_TRY(sgf_sparse_is_symmetric(&drift->A, &drift->symmetric, error));
  if (drift->discrete)
    SGF_TRY(sgf_sparse_shift(&drift->A, 1.0, -1.0, &drift->M, error));
  else
    SGF_TRY(sgf_sparse_order(&drift->A, &drift->M, error));
  SGF_TRY(factorize(drift, options->rank_tolerance, certificate, error));
  SGF_TRY(sgf_sparse_check_stable(drift, certificate, error));
done:
  if (status != SGF_OK) sgf_sparse_drift_free(drift);
  return status;
}
