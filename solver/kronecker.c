/* The equation as a sparse linear system on symmetric matrices. */
#include "kronecker.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "certificate.h"
#include "form.h"

/* A singular system is shifted by this part of its smallest eigenvalue; the smallest singular value may be much smaller
 * for a drift that is not symmetric. */
static const double SHIFT = 1e-2, OBLIQUE_SHIFT = 1e-4;

size_t sgf_kronecker_size(size_t n) { return n % 2 == 0 ? n / 2 * (n + 1) : (n + 1) / 2 * n; }

/* ----------------------------------------------------------------- assembly */

/* The column of K that is being made: where each row's entry is, if behind `start`. */
typedef struct {
  sgf_sparse *K;
  int64_t *place;
  int64_t start, end, last_row;
} column;

/* Add value (e_a e_b^T + e_b e_a^T). */
static void add_pair(column *made, int64_t a, int64_t b, double value)
{
  int64_t low = a < b ? a : b, high = a < b ? b : a, row = high * (high + 1) / 2 + low;
  value *= a == b ? 2.0 : sqrt(2.0);
  if (row > made->last_row) return;
  if (made->place[row] < made->start) {
    made->place[row] = made->end;
    made->K->indices[made->end] = row;
    made->K->values[made->end++] = 0.0;
  }
  made->K->values[made->place[row]] += value;
}

/* A E_ij + E_ij A^T */
static void continuous_column(const sgf_sparse *A, int64_t i, int64_t j, column *made)
{
  double weight = i == j ? 1.0 : 1.0 / sqrt(2.0);
  for (int64_t k = A->starts[i]; k < A->starts[i + 1]; k++) add_pair(made, A->indices[k], j, weight * A->values[k]);
  for (int64_t k = A->starts[j]; k < A->starts[j + 1] && i != j; k++)
    add_pair(made, A->indices[k], i, weight * A->values[k]);
}

/* E_ij - A E_ij A^T */
static void discrete_column(const sgf_sparse *A, int64_t i, int64_t j, column *made)
{
  double weight = i == j ? 0.5 : 1.0 / sqrt(2.0);
  add_pair(made, i, j, weight);
  for (int64_t k = A->starts[i]; k < A->starts[i + 1]; k++)
    for (int64_t l = A->starts[j]; l < A->starts[j + 1]; l++)
      add_pair(made, A->indices[k], A->indices[l], -weight * A->values[k] * A->values[l]);
}

/* A bound for the entries of K. */
static double most_entries(const sgf_sparse *A, bool discrete)
{
  double n = (double)A->rows, entries = (double)sgf_sparse_entries(A), squares = 0.0;
  for (size_t j = 0; j < A->columns; j++) {
    double count = (double)(A->starts[j + 1] - A->starts[j]);
    squares += count * count;
  }
  return 0.5 * n * (n + 1.0) + (discrete ? 0.5 * (entries * entries + squares) : (n + 1.0) * entries);
}

sgf_status sgf_kronecker_matrix(const sgf_sparse *A, bool discrete, double shift, bool upper, double memory,
                                sgf_sparse *K, sgf_error *error)
{
  size_t n = A->rows, size = sgf_kronecker_size(n);
  double entries = most_entries(A, discrete), bytes = 16.0 * entries + 16.0 * (double)size;
  void *place = NULL;
  sgf_status status;
  *K = (sgf_sparse){0};
  if (!(bytes <= memory))
    return sgf_fail(
        error, SGF_ERROR_MEMORY,
        "A: the Kronecker system of %zu unknowns takes %.3g bytes for its entries alone, %.3g may be used", size,
        bytes, memory);
  SGF_TRY(sgf_sparse_create(size, size, (size_t)entries, K, "Kronecker system", error));
  SGF_TRY(sgf_allocate(&place, size, 1, sizeof(int64_t), "Kronecker system", error));
  column made = {.K = K, .place = place};
  for (size_t row = 0; row < size; row++) made.place[row] = -1;
  for (int64_t j = 0, c = 0; j < (int64_t)n; j++)
    for (int64_t i = 0; i <= j; i++, c++) {
      made.start = made.end;
      made.last_row = upper ? c : (int64_t)size - 1;
      (discrete ? discrete_column : continuous_column)(A, i, j, &made);
      if (shift != 0.0) add_pair(&made, i, j, i == j ? 0.5 * shift : shift / sqrt(2.0));
      K->starts[c + 1] = made.end;
    }
done:
  free(place);
  if (status != SGF_OK) sgf_sparse_free(K);
  return status;
}

static void pack(size_t n, const double *X, double *x)
{
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i <= j; i++) *x++ = i == j ? X[i + j * n] : sqrt(2.0) * X[i + j * n];
}

static void unpack(size_t n, const double *x, double *X)
{
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i <= j; i++, x++) X[i + j * n] = X[j + i * n] = i == j ? *x : *x / sqrt(2.0);
}

/* --------------------------------------------------------------- null space */

sgf_status sgf_sparse_check_null_noise(double noise, double across, double norm, const sgf_sparse_drift *drift,
                                       sgf_certificate *certificate, sgf_error *error)
{
  double round_off = sgf_rank_round_off(drift->n), size = drift->left_norm;
  /* The null vectors are known to this angle, n eps in the worst case and about 2 sqrt(n) eps in the mean. */
  double unit = 2.0 * (2.0 + sqrt((double)drift->n)) * DBL_EPSILON * fmax(drift->norm, drift->discrete ? 1.0 : 0.0);
  double angle = drift->null < drift->n ? unit / drift->smallest : 0.0;
  double tolerated = size * size * (4.0 * round_off + angle * angle) * norm + angle * size * across;
  certificate->null_noise = norm > 0.0 ? noise / norm : 0.0;
  if (noise <= tolerated) return SGF_OK;
  sgf_status status = sgf_sparse_check_apart(drift, certificate, error);
  if (status != SGF_OK) return status;
  if (!(tolerated < norm))
    return sgf_fail(
        error, SGF_ERROR_AMBIGUOUS,
        "A: its left null vectors are %.3g times as long as the right ones that they belong to: whether Q "
        "drives what does not relax cannot be told to working accuracy",
        size);
  return sgf_fail(error, SGF_ERROR_INCOMPATIBLE,
                  "Q: %.3g of its norm drives the %zu quantities that A does not let relax (tolerated: %.1g): their "
                  "variance grows without bound, there is no solution",
                  noise / norm, drift->null, tolerated / norm);
}

static sgf_status check_compatible(const sgf_sparse_drift *drift, const double *Q, sgf_certificate *certificate,
                                   sgf_error *error)
{
  size_t n = drift->n, null = drift->null;
  double *block = NULL, *across = NULL, norm = sgf_norm(n * n, Q);
  sgf_status status;
  certificate->null_noise = 0.0;
  if (null == 0) return SGF_OK;
  SGF_TRY(sgf_new_reals(&block, null, null, "null space of A", error));
  SGF_TRY(sgf_new_reals(&across, n, null, "null space of A", error));
  SGF_TRY(sgf_sparse_drift_null_block(drift, Q, block, error));
  cblas_dsymm(CblasColMajor, CblasLeft, CblasUpper, (int)n, (int)null, 1.0, Q, (int)n, drift->L, (int)n, 0.0, across,
              (int)n);
  SGF_TRY(sgf_sparse_check_null_noise(sgf_norm(null * null, block), sgf_norm(n * null, across), norm, drift,
                                      certificate, error));
done:
  free(block);
  free(across);
  return status;
}

/* X <- X + R S R^T */
static sgf_status add_null_part(const sgf_sparse_drift *drift, const double *S, double *X, sgf_error *error)
{
  int n = (int)drift->n, null = (int)drift->null;
  double *product;
  sgf_status status = sgf_new_reals(&product, drift->n, drift->null, "null space of A", error);
  if (status != SGF_OK) return status;
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, null, null, 1.0, drift->R, n, S, null, 0.0, product, n);
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, n, n, null, 1.0, product, n, drift->R, n, 1.0, X, n);
  sgf_symmetrize(drift->n, X);
  free(product);
  return SGF_OK;
}

/* X <- X - R R^T X R R^T: of the solutions X + R S R^T the least. */
static sgf_status make_least(const sgf_sparse_drift *drift, double *X, sgf_error *error)
{
  sgf_sparse_drift orthogonal = *drift;
  double *block;
  size_t count = drift->null * drift->null;
  if (count == 0) return SGF_OK;
  sgf_status status = sgf_new_reals(&block, drift->null, drift->null, "null space of A", error);
  if (status != SGF_OK) return status;
  orthogonal.L = drift->R;
  SGF_TRY(sgf_sparse_drift_null_block(&orthogonal, X, block, error));
  for (size_t k = 0; k < count; k++) block[k] = -block[k];
  SGF_TRY(add_null_part(drift, block, X, error));
done:
  free(block);
  return status;
}

sgf_status sgf_sparse_set_null_part(const sgf_sparse_drift *drift, const double *initial, double *X, sgf_error *error)
{
  size_t count = drift->null * drift->null;
  double *wanted = NULL, *present = NULL;
  sgf_status status;
  if (initial == NULL) return make_least(drift, X, error);
  SGF_TRY(sgf_new_reals(&wanted, drift->null, drift->null, "null space of A", error));
  SGF_TRY(sgf_new_reals(&present, drift->null, drift->null, "null space of A", error));
  SGF_TRY(sgf_sparse_drift_null_block(drift, initial, wanted, error));
  SGF_TRY(sgf_sparse_drift_null_block(drift, X, present, error));
  for (size_t k = 0; k < count; k++) wanted[k] -= present[k];
  if (count > 0) SGF_TRY(add_null_part(drift, wanted, X, error));
done:
  free(wanted);
  free(present);
  return status;
}

/* ----------------------------------------------------------------- solution */

typedef struct {
  sgf_sparse_drift *drift;
  sgf_sparse_factors factors;
  double *step, *residual, *work; /* (n, n) each, and n more for work */
  double *packed;
} kronecker_system;

static void free_system(kronecker_system *system)
{
  sgf_sparse_factors_free(&system->factors);
  free(system->step);
  free(system->packed);
}

/* The smallest rate at which something relaxes: of a mode against one that does not, or against itself. */
static double slowest(const sgf_sparse_drift *drift, const sgf_certificate *certificate)
{
  double modulus = hypot(certificate->real, certificate->imaginary);
  double rate = drift->discrete ? (1.0 - modulus) * (1.0 + modulus) : 2.0 * certificate->real / drift->scale;
  return rate > 0.0 ? fmin(drift->smallest, rate) : drift->smallest;
}

/* Factors of K, or of K + shift 1 where it is singular: the refinement takes the shift out again, and what it makes
 * of round-off in the null space, which is known, is projected out. */
static sgf_status factorize(kronecker_system *system, double memory, const sgf_certificate *certificate,
                            sgf_error *error)
{
  sgf_sparse_drift *drift = system->drift;
  sgf_sparse K = {0};
  double shift = drift->null > 0 ? (drift->symmetric ? SHIFT : OBLIQUE_SHIFT) * slowest(drift, certificate) : 0.0;
  bool positive = true;
  sgf_status status;
  SGF_TRY(sgf_kronecker_matrix(&drift->A, drift->discrete, shift, drift->symmetric, memory, &K, error));
  memory -= 16.0 * (double)sgf_sparse_entries(&K);
  if (drift->symmetric) {
    SGF_TRY(sgf_sparse_cholesky(&K, 0.0, memory, "Kronecker system", &system->factors, &positive, error));
    if (!positive)
      status = sgf_fail(error, SGF_ERROR_AMBIGUOUS, "A: its Kronecker system is not positive to working accuracy");
    goto done;
  }
  double tolerance = DBL_EPSILON * sgf_sparse_norm(&drift->A);
  SGF_TRY(sgf_sparse_qr(&K, tolerance, memory, "Kronecker system", &system->factors, error));
  if (system->factors.rank < K.rows)
    status = sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                      "A: two eigenvalues %s to round-off: its Kronecker system of %zu "
                      "unknowns has rank %zu",
                      drift->discrete ? "multiply to 1" : "sum to 0", K.rows, system->factors.rank);
done:
  sgf_sparse_free(&K);
  return status;
}

/* The solution of least norm, refined while the residual falls by a half or more. */
static sgf_status solve(kronecker_system *system, const double *Q, double *X, bool *refined, sgf_error *error)
{
  enum { MOST_STEPS = 60 };
  sgf_sparse_drift *drift = system->drift;
  size_t n = drift->n;
  double *step = system->step, *residual = system->residual, before = INFINITY;
  sgf_status status = SGF_OK;
  bool shifted = drift->null > 0;
  memset(X, 0, n * n * sizeof *X);
  memcpy(residual, Q, n * n * sizeof *Q);
  for (int count = 0; count < MOST_STEPS; count++) {
    pack(n, residual, system->packed);
    SGF_TRY(sgf_sparse_solve(&system->factors, false, 1, system->packed, system->packed, error));
    unpack(n, system->packed, step);
    SGF_TRY(make_least(drift, step, error));
    for (size_t k = 0; k < n * n; k++) X[k] += step[k];
    sgf_sparse_residual(drift, Q, X, system->work, residual);
    double norm = sgf_norm(n * n, residual);
    if (!(norm < 0.5 * before)) {
      for (size_t k = 0; k < n * n && !(norm < before); k++) X[k] -= step[k];
      break;
    }
    *refined = count > 0 && !shifted;
    before = norm;
    if (norm == 0.0) break;
  }
done:
  return status;
}

/* ------------------------------------------------------------ what is certain */

/* P P^T, of which the solution tells of stability and condition. */
static sgf_status unit_noise(const sgf_sparse_drift *drift, double *Q, sgf_error *error)
{
  size_t n = drift->n;
  double *P = NULL;
  sgf_status status;
  memset(Q, 0, n * n * sizeof *Q);
  for (size_t k = 0; k < n; k++) Q[k * (n + 1)] = 1.0;
  if (drift->null == 0) return SGF_OK;
  SGF_TRY(sgf_new_reals(&P, n, n, "right-hand side", error));
  memcpy(P, Q, n * n * sizeof *P);
  SGF_TRY(sgf_sparse_drift_project(drift, n, P, error));
  cblas_dsyrk(CblasColMajor, CblasUpper, CblasNoTrans, (int)n, (int)n, 1.0, P, (int)n, 0.0, Q, (int)n);
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < j; i++) Q[j + i * n] = Q[i + j * n];
done:
  free(P);
  return status;
}

/* Y <- (1 - R R^T) Y (1 - R R^T) */
static sgf_status keep_relaxing(const sgf_sparse_drift *drift, double *Y, sgf_error *error)
{
  sgf_sparse_drift orthogonal = *drift;
  orthogonal.L = drift->R;
  sgf_status status = sgf_sparse_drift_project(&orthogonal, drift->n, Y, error);
  sgf_sparse_turn(drift->n, Y);
  if (status == SGF_OK) status = sgf_sparse_drift_project(&orthogonal, drift->n, Y, error);
  sgf_symmetrize(drift->n, Y);
  return status;
}

/* Whether Y + s R R^T has Cholesky factors, s its own scale. */
static sgf_status check_positive(kronecker_system *system, const double *Y, double spectral, sgf_error *error)
{
  sgf_sparse_drift *drift = system->drift;
  int n = (int)drift->n;
  double *work = system->work, left_over = sgf_norm(drift->n * drift->n, system->residual);
  if (!(left_over < 0.5))
    return sgf_fail(error, SGF_ERROR_AMBIGUOUS, "A: the equation with Q = 1 is solved to a residual of %.3g only",
                    left_over);
  memcpy(work, Y, drift->n * drift->n * sizeof *Y);
  if (drift->null > 0)
    cblas_dsyrk(CblasColMajor, CblasUpper, CblasNoTrans, n, (int)drift->null, spectral, drift->R, n, 1.0, work, n);
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', n, work, n) != 0)
    return sgf_fail(error, SGF_ERROR_UNSTABLE,
                    "A: the solution for Q = 1 is not positive definite: some eigenvalue of A %s",
                    drift->discrete ? "lies outside of the unit circle" : "has a negative real part");
  drift->proven = true;
  return SGF_OK;
}

/* ||Y||_2 and ||Y||_F, and the proof of stability where it is still owed. */
static sgf_status condition(kronecker_system *system, sgf_measures *measures, sgf_error *error)
{
  sgf_sparse_drift *drift = system->drift;
  size_t n = drift->n;
  double *unit = NULL, *Y = NULL;
  bool refined;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&unit, n, n, "condition of the equation", error));
  SGF_TRY(sgf_new_reals(&Y, n, n, "condition of the equation", error));
  SGF_TRY(unit_noise(drift, unit, error));
  SGF_TRY(solve(system, unit, Y, &refined, error));
  if (drift->null > 0) SGF_TRY(keep_relaxing(drift, Y, error));
  measures->Y_frobenius = sgf_norm(n * n, Y);
  measures->Y_spectral = sgf_largest_eigenvalue(n, Y, system->work);
  if (!drift->proven) SGF_TRY(check_positive(system, Y, measures->Y_spectral, error));
done:
  free(unit);
  free(Y);
  return status;
}

static sgf_status certify(kronecker_system *system, const double *Q, const double *X, sgf_certificate *certificate,
                          sgf_error *error)
{
  sgf_sparse_drift *drift = system->drift;
  size_t n = drift->n;
  sgf_measures measures = {.n = n,
                           .null = drift->null,
                           .discrete = drift->discrete,
                           .A = sgf_sparse_norm(&drift->A),
                           .Q = sgf_norm(n * n, Q),
                           .X = sgf_norm(n * n, X),
                           .smallest = drift->smallest,
                           .left_norm = drift->left_norm};
  sgf_sparse_residual(drift, Q, X, system->work, system->residual);
  measures.residual = sgf_norm(n * n, system->residual);
  certificate->residual = sgf_scaled_residual(&measures);
  sgf_status status = condition(system, &measures, error);
  if (status != SGF_OK) return status;
  certificate->separation = drift->scale / measures.Y_spectral;
  certificate->error_bound = sgf_error_bound(&measures);
  return SGF_OK;
}

/* ------------------------------------------------------------------- driver */

sgf_status sgf_kronecker_solve(sgf_sparse_drift *drift, const double *Q, const double *initial, double *X,
                               sgf_certificate *certificate, sgf_error *error)
{
  size_t n = drift->n;
  double dense = 8.0 * 8.0 * (double)n * (double)n; /* Q, X, and what is allocated here and for the condition */
  kronecker_system system = {.drift = drift};
  sgf_status status;
  SGF_TRY(check_compatible(drift, Q, certificate, error));
  SGF_TRY(sgf_new_reals(&system.step, 3 * n + 1, n, "Kronecker system", error));
  system.residual = system.step + n * n;
  system.work = system.residual + n * n;
  SGF_TRY(sgf_new_reals(&system.packed, sgf_kronecker_size(n), 1, "Kronecker system", error));
  if (drift->null < n) {
    SGF_TRY(factorize(&system, drift->memory - dense, certificate, error));
    SGF_TRY(solve(&system, Q, X, &certificate->refined, error));
  }
  SGF_TRY(sgf_sparse_set_null_part(drift, initial, X, error));
  if (drift->null < n) SGF_TRY(certify(&system, Q, X, certificate, error));
done:
  free_system(&system);
  return status;
}
