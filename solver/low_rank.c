/* Solutions X = Z Z^T in the extended Krylov space of A and of its inverse on the columns of B.
 *
 * V (n, dimension) orthonormal, T = V^T A V, B = V b, A V = V T + F with V^T F = 0. Galerkin's X = V Y V^T has
 *     T Y + Y T^T = b b^T                Y - T Y T^T = b b^T  (discrete)
 * and what is left of the equation is F Y V^T + its transpose (discrete: F Y T^T V^T + its transpose + F Y F^T).
 * Only the columns of F that belong to the last vectors differ from 0, since A maps the space of before into that of
 * now. For a singular drift the inverse is that on the range of M, where B must lie: it maps the range to itself. */
#include "low_rank.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/random.h"
#include "certificate.h"
#include "equilibration.h"
#include "form.h"
#include "input.h"

/* A vector of which less is left by orthogonalization is in the space already. */
static const double DEPENDENT = 1e-13;
static const double TOLERANCE = 1e-12;
/* A bound of the inverse that is so many times that of a symmetric drift is worth another way to one. */
static const double WEAK = 1e2;
/* Noise on the null space must be told from round-off at this part of all noise. */
static const double BLUR = 1e-6;

/* Vectors of V that came last by A, or by the inverse of M. */
typedef struct {
  size_t first, count;
} range;

typedef struct {
  sgf_sparse_drift *drift;
  bool adjoint; /* the equation of A^T */
  size_t n, columns;
  double *B;                        /* (n, columns), column-major, in the range of M */
  size_t dimension, capacity, most; /* vectors; room for vectors; how many may be had */
  size_t before;                    /* dimension before the last were added */
  range forward, backward;
  double *V; /* (n, capacity) */
  double *T; /* (dimension, dimension), row-major */
  double *F; /* R factor of the last columns of F, column-major (last, last) */
  double *Y; /* (dimension, dimension) */
  double norm_Q, residual, tolerance;
} krylov_space;

static void free_space(krylov_space *space)
{
  free(space->B);
  free(space->V);
  free(space->T);
  free(space->F);
  free(space->Y);
}

/* -------------------------------------------------------------------- space */

static sgf_status make_room(krylov_space *space, size_t vectors, sgf_error *error)
{
  size_t capacity = space->capacity > 0 ? space->capacity : 8 * space->columns + 8, bytes;
  while (capacity < vectors) capacity += capacity / 2;
  if (capacity == space->capacity) return SGF_OK;
  double *grown =
      __builtin_mul_overflow(space->n * sizeof *grown, capacity, &bytes) ? NULL : realloc(space->V, bytes);
  if (grown == NULL)
    return sgf_fail(error, SGF_ERROR_MEMORY, "Krylov space: no memory for %zu vectors of %zu", capacity, space->n);
  space->V = grown;
  space->capacity = capacity;
  return SGF_OK;
}

/* Orthogonalize w against V, twice, and append what is left. */
static void append(krylov_space *space, double *w, double *overlap)
{
  int n = (int)space->n, dimension = (int)space->dimension;
  double norm = sgf_norm(space->n, w), left;
  for (int pass = 0; pass < 2 && dimension > 0; pass++) {
    cblas_dgemv(CblasColMajor, CblasTrans, n, dimension, 1.0, space->V, n, w, 1, 0.0, overlap, 1);
    cblas_dgemv(CblasColMajor, CblasNoTrans, n, dimension, -1.0, space->V, n, overlap, 1, 1.0, w, 1);
  }
  left = sgf_norm(space->n, w);
  if (!(left > DEPENDENT * norm)) return;
  for (size_t i = 0; i < space->n; i++) space->V[space->dimension * space->n + i] = w[i] / left;
  space->dimension++;
}

/* Append the columns of W, as far as there is room in the range of M. */
static sgf_status append_all(krylov_space *space, size_t count, double *W, range *added, sgf_error *error)
{
  double *overlap;
  sgf_status status = make_room(space, space->dimension + count, error);
  if (status != SGF_OK) return status;
  SGF_TRY(sgf_new_reals(&overlap, space->dimension + count, 1, "Krylov space", error));
  added->first = space->dimension;
  for (size_t k = 0; k < count && space->dimension < space->n - space->drift->null; k++)
    append(space, W + k * space->n, overlap);
  added->count = space->dimension - added->first;
  free(overlap);
done:
  return status;
}

/* The first vectors: of B, and of the inverse on B; or those of A and the inverse on the last. */
static sgf_status expand(krylov_space *space, bool first, sgf_error *error)
{
  size_t n = space->n, forward = first ? space->columns : space->forward.count;
  size_t backward = first ? space->columns : space->backward.count;
  double *W = NULL, *inverse = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&W, n, forward, "Krylov space", error));
  SGF_TRY(sgf_new_reals(&inverse, n, backward, "Krylov space", error));
  if (first)
    memcpy(W, space->B, n * forward * sizeof *W);
  else
    sgf_sparse_multiply(&space->drift->A, space->adjoint, forward, space->V + space->forward.first * n, W);
  SGF_TRY((space->adjoint ? sgf_sparse_drift_solve_adjoint : sgf_sparse_drift_solve)(
      space->drift, backward, first ? space->B : space->V + space->backward.first * n, inverse, error));
  space->before = space->dimension;
  SGF_TRY(append_all(space, forward, W, &space->forward, error));
  SGF_TRY(append_all(space, backward, inverse, &space->backward, error));
done:
  free(W);
  free(inverse);
  return status;
}

/* T with the rows and columns of the last vectors, and the R factor of their part of F. */
static sgf_status project_drift(krylov_space *space, sgf_error *error)
{
  size_t n = space->n, before = space->before, now = space->dimension, last = now - before;
  const double *V_last = space->V + before * n;
  double *image = NULL, *turned = NULL, *T = NULL, *tau = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&image, n, last, "Krylov space", error));
  SGF_TRY(sgf_new_reals(&turned, now, 2 * last, "Krylov space", error));
  SGF_TRY(sgf_new_reals(&tau, last, 1, "Krylov space", error));
  SGF_TRY(sgf_new_reals(&T, now, now, "Krylov space", error));
  for (size_t i = 0; i < before; i++) memcpy(T + i * now, space->T + i * before, before * sizeof *T);
  int rows = (int)n, wide = (int)now, count = (int)last;
  double *again = turned + now * last;
  sgf_sparse_multiply(&space->drift->A, !space->adjoint, last, V_last,
                      image); /* V^T A^T V_last: the last rows of T */
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, wide, count, rows, 1.0, space->V, rows, image, rows, 0.0,
              turned, wide);
  for (size_t k = 0; k < last; k++) memcpy(T + (before + k) * now, turned + k * now, now * sizeof *T);
  sgf_sparse_multiply(&space->drift->A, space->adjoint, last, V_last, image); /* V^T A V_last: the last columns */
  for (int pass = 0; pass < 2; pass++) {
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, wide, count, rows, 1.0, space->V, rows, image, rows, 0.0,
                pass == 0 ? turned : again, wide);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, rows, count, wide, -1.0, space->V, rows,
                pass == 0 ? turned : again, wide, 1.0, image, rows);
  }
  for (size_t i = 0; i < now; i++)
    for (size_t k = 0; k < last; k++) T[i * now + before + k] = turned[i + k * now];
  if (space->drift->symmetric) sgf_symmetrize(now, T);
  free(space->T);
  space->T = T;
  T = NULL;
  free(space->F);
  space->F = NULL;
  SGF_TRY(sgf_new_reals(&space->F, last, last, "Krylov space", error));
  LAPACKE_dgeqrf(LAPACK_COL_MAJOR, rows, count, image, rows, tau);
  for (size_t k = 0; k < last; k++) memcpy(space->F + k * last, image + k * n, (k + 1) * sizeof *space->F);
done:
  free(image);
  free(turned);
  free(T);
  free(tau);
  return status;
}

/* ----------------------------------------------------------------- solution */

/* What is left of the equation for the present Y: see the top of this file. */
static sgf_status measure(krylov_space *space, sgf_error *error)
{
  size_t m = space->dimension, last = m - space->before;
  const double *Y_last = space->Y + space->before * m; /* the last rows, row-major: columns of the symmetric Y */
  double *FY, *across, *corner, outside, both = 0.0;
  space->residual = 0.0;
  if (last == 0) return SGF_OK; /* A maps the space to itself */
  sgf_status status = sgf_new_reals(&FY, 3 * last, m, "Krylov space", error);
  if (status != SGF_OK) return status;
  across = FY + last * m;
  corner = across + last * m;
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, (int)last, (int)m, (int)last, 1.0, space->F, (int)last, Y_last,
              (int)m, 0.0, FY, (int)last);
  outside = sgf_norm(last * m, FY);
  if (space->drift->discrete) { /* F Y T^T, F Y F^T; row-major T is T^T by columns */
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)last, (int)m, (int)m, 1.0, FY, (int)last, space->T,
                (int)m, 0.0, across, (int)last);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, (int)last, (int)last, (int)last, 1.0,
                FY + space->before * last, (int)last, space->F, (int)last, 0.0, corner, (int)last);
    outside = sgf_norm(last * m, across);
    both = sgf_norm(last * last, corner);
  }
  space->residual = hypot(sqrt(2.0) * outside, both);
  free(FY);
  return SGF_OK;
}

/* Y of the space as it is; false when the projected drift is not stable, which a larger space may mend. */
static sgf_status solve_projected(krylov_space *space, bool *solved, sgf_error *error)
{
  size_t m = space->dimension, columns = space->columns;
  double *b = NULL;
  sgf_lyapunov_options options;
  sgf_status status;
  *solved = false;
  SGF_TRY(sgf_new_reals(&b, m, columns, "Krylov space", error));
  free(space->Y);
  space->Y = NULL;
  SGF_TRY(sgf_new_reals(&space->Y, m, m, "Krylov space", error));
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)columns, (int)space->n, 1.0, space->V,
              (int)space->n, space->B, (int)space->n, 0.0, b, (int)columns);
  sgf_lyapunov_options_init(&options);
  options.discrete = space->drift->discrete;
  status = sgf_lyapunov_solve(m, space->T, columns, b, &options, space->Y, NULL, error);
  *solved = status == SGF_OK;
  if (status == SGF_ERROR_UNSTABLE || status == SGF_ERROR_AMBIGUOUS || status == SGF_ERROR_INCOMPATIBLE)
    status = SGF_OK;
  if (*solved) status = measure(space, error);
done:
  free(b);
  return status;
}

/* Round-off in the residual of a solution of this norm. */
static double unreachable(const krylov_space *space, double norm_X)
{
  double A = sgf_sparse_norm(&space->drift->A) / sqrt((double)space->n); /* a typical column */
  return 8.0 * DBL_EPSILON * (space->drift->discrete ? 1.0 + A * A : 2.0 * fmax(A, space->drift->norm)) * norm_X;
}

static sgf_status too_small(const krylov_space *space, sgf_error *error)
{
  return sgf_fail(error, SGF_ERROR_NUMERICAL,
                  "A: a Krylov space of %zu vectors leaves a residual of %.3g of ||Q||, %.1g was asked for",
                  space->dimension, space->residual / space->norm_Q, space->tolerance);
}

/* Let the space grow until what is left of the equation is small enough. */
static sgf_status find_space(krylov_space *space, sgf_error *error)
{
  size_t next = 0, rest = space->n - space->drift->null;
  sgf_status status;
  for (bool first = true;; first = false) {
    SGF_TRY(expand(space, first, error));
    bool complete = space->dimension == space->before || space->dimension == rest;
    if (space->dimension > space->before) SGF_TRY(project_drift(space, error));
    if (!complete && space->dimension < next && space->dimension < space->most) continue;
    bool solved = false;
    SGF_TRY(solve_projected(space, &solved, error));
    double norm_X = solved ? sgf_norm(space->dimension * space->dimension, space->Y) : NAN;
    if (solved && (complete || space->residual <= fmax(space->tolerance * space->norm_Q, unreachable(space, norm_X))))
      break;
    if (complete || space->dimension >= space->most) {
      status = solved ? too_small(space, error)
                      : sgf_fail(error, SGF_ERROR_NUMERICAL,
                                 "A: its projection onto a Krylov space of %zu vectors is not stable, "
                                 "which proves nothing of A; a dense method does not project",
                                 space->dimension);
      break;
    }
    next = space->dimension + space->dimension / 8;
  }
done:
  return status;
}

/* Z = V U sqrt(y) with the eigenvectors U of Y, of which those are left out that the tolerance does not see. */
static sgf_status factor(krylov_space *space, size_t *rank, double **Z, sgf_error *error)
{
  size_t m = space->dimension, n = space->n, first = 0;
  double *values = NULL, *scaled = NULL, A = space->drift->norm, left_out = 0.0;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&values, m, 1, "Krylov space", error));
  SGF_TRY(sgf_symmetric_eigen(m, space->Y, values, "projected solution", error));
  double allowed = fmax(0.1 * space->tolerance * space->norm_Q, 0.1 * unreachable(space, values[m - 1]));
  allowed /= space->drift->discrete ? 2.0 + 2.0 * A + A * A : 2.0 * A;
  while (first < m && (values[first] <= 0.0 || hypot(left_out, values[first]) <= allowed)) {
    if (values[first] > 0.0) left_out = hypot(left_out, values[first]);
    first++;
  }
  *rank = m - first;
  SGF_TRY(sgf_new_reals(&scaled, *rank, m, "Krylov space", error));
  SGF_TRY(sgf_new_reals(Z, n, *rank, "Z", error));
  for (size_t k = 0; k < *rank; k++) /* the largest first */
    for (size_t i = 0; i < m; i++) scaled[k * m + i] = space->Y[(m - 1 - k) * m + i] * sqrt(values[m - 1 - k]);
  if (*rank > 0)
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasTrans, (int)n, (int)*rank, (int)m, 1.0, space->V, (int)n, scaled,
                (int)m, 0.0, *Z, (int)*rank);
done:
  free(values);
  free(scaled);
  return status;
}

/* -------------------------------------------------------------- certificate */

/* ||[W][signs][W]^T||_F of W = [A Z, Z, B] by its R factor: R M R^T, M with A Z Z^T + Z Z^T A^T - B B^T, or the
 * discrete. B by columns. */
static sgf_status exact_residual(const sgf_sparse *A, bool discrete, size_t of_B, const double *B, size_t rank,
                                 const double *Z, double *residual, sgf_error *error)
{
  size_t n = A->rows, columns = 2 * rank + of_B, height = n < columns ? n : columns;
  double *W = NULL, *R = NULL, *signs = NULL, *product = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&W, n, columns, "residual", error));
  SGF_TRY(sgf_new_reals(&R, columns, columns, "residual", error));
  SGF_TRY(sgf_new_reals(&signs, columns, columns, "residual", error));
  SGF_TRY(sgf_new_reals(&product, columns, columns + 1, "residual", error));
  for (size_t k = 0; k < rank; k++)
    for (size_t i = 0; i < n; i++) W[(rank + k) * n + i] = Z[i * rank + k];
  sgf_sparse_multiply(A, false, rank, W + rank * n, W);
  memcpy(W + 2 * rank * n, B, n * of_B * sizeof *W);
  LAPACKE_dgeqrf(LAPACK_COL_MAJOR, (int)n, (int)columns, W, (int)n, product + columns * columns);
  for (size_t k = 0; k < columns; k++)
    for (size_t i = 0; i <= k && i < height; i++) R[i * columns + k] = W[k * n + i];
  for (size_t k = 0; k < columns; k++) {
    bool image = k < rank, noise = k >= 2 * rank;
    if (discrete || noise)
      signs[k * columns + k] = image || noise ? -1.0 : 1.0;
    else
      signs[k * columns + (image ? k + rank : k - rank)] = 1.0;
  }
  sgf_multiply(columns, columns, columns, SGF_PLAIN, R, SGF_PLAIN, signs, product);
  sgf_multiply(columns, columns, columns, SGF_PLAIN, product, SGF_TRANSPOSED, R, signs);
  *residual = sgf_norm(columns * columns, signs);
done:
  free(W);
  free(R);
  free(signs);
  free(product);
  return status;
}

static void by_columns(size_t n, size_t columns, const double *B, double *turned)
{
  for (size_t k = 0; k < columns; k++)
    for (size_t i = 0; i < n; i++) turned[k * n + i] = B[i * columns + k];
}

sgf_status sgf_gram_norm(size_t n, size_t columns, const double *Z, double *norm, sgf_error *error)
{
  double *gram;
  sgf_status status = sgf_new_reals(&gram, columns, columns, "Z", error);
  if (status != SGF_OK) return status;
  if (columns > 0) sgf_multiply(columns, columns, n, SGF_TRANSPOSED, Z, SGF_PLAIN, Z, gram);
  *norm = sgf_norm(columns * columns, gram);
  free(gram);
  return SGF_OK;
}

sgf_status sgf_low_rank_residual(const sgf_sparse *A, bool discrete, size_t columns, const double *B, size_t rank,
                                 const double *Z, double *scaled, sgf_error *error)
{
  sgf_measures measures = {.discrete = discrete, .A = sgf_sparse_norm(A)};
  double *turned = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&turned, A->rows, columns, "B", error));
  by_columns(A->rows, columns, B, turned);
  SGF_TRY(exact_residual(A, discrete, columns, turned, rank, Z, &measures.residual, error));
  SGF_TRY(sgf_gram_norm(A->rows, columns, B, &measures.Q, error));
  SGF_TRY(sgf_gram_norm(A->rows, rank, Z, &measures.X, error));
  *scaled = sgf_scaled_residual(&measures);
done:
  free(turned);
  return status;
}

/* D^{-1} A D in units D in which it is as symmetric as it can be, and max(D)^2 / min(D)^2, by which a norm may differ in
 * them. */
static sgf_status balanced(const sgf_sparse *A, sgf_sparse *B, double *spread, sgf_error *error)
{
  double *D = NULL, most = 0.0, least = INFINITY;
  sgf_status status;
  SGF_TRY(sgf_sparse_order(A, B, error));
  SGF_TRY(sgf_new_reals(&D, A->rows, 1, "balanced units", error));
  SGF_TRY(sgf_sparse_balance(A, D, error));
  for (size_t j = 0; j < A->rows; j++) {
    most = fmax(most, D[j]);
    least = fmin(least, D[j]);
    for (int64_t k = B->starts[j]; k < B->starts[j + 1]; k++) B->values[k] *= D[j] / D[B->indices[k]];
  }
  *spread = (most / least) * (most / least);
done:
  free(D);
  return status;
}

/* A bound of what a residual is amplified by where the motion shrinks every vector, in units in which the drift is as
 * symmetric as it can be; else NaN. A margin of 5 % for estimates that come from the wrong side. */
static sgf_status contraction(sgf_sparse_drift *drift, double *amplified, sgf_error *error)
{
  const double margin = 0.05;
  sgf_sparse_drift sum = {.n = drift->n, .symmetric = !drift->discrete};
  sgf_sparse B = {0};
  double value, spread;
  bool positive = false;
  sgf_status status = SGF_OK;
  *amplified = NAN;
  if (drift->null > 0) return SGF_OK;
  SGF_TRY(balanced(&drift->A, &B, &spread, error));
  if (drift->discrete) {
    SGF_TRY(sgf_sparse_order(&B, &sum.M, error));
    SGF_TRY(sgf_sparse_singular_value(&sum, false, &value, error));
    value *= 1.0 + margin;
    if (value < 1.0) *amplified = spread / ((1.0 - value) * (1.0 + value));
    goto done;
  }
  SGF_TRY(sgf_sparse_twice_symmetric_part(&B, &sum.M, error));
  SGF_TRY(sgf_sparse_cholesky(&sum.M, 0.0, drift->memory, "A", &sum.factors, &positive, error));
  if (!positive) goto done;
  SGF_TRY(sgf_sparse_singular_value(&sum, true, &value, error));
  *amplified = spread * value * (1.0 + margin);
  drift->proven = true;
done:
  sgf_sparse_free(&B);
  sgf_sparse_drift_free(&sum);
  return status;
}

/* An estimate of tr Y from above, Y of Q = P P^T: see low_rank.h; infinite where the adjoint equation is not solved. */
static sgf_status trace_of_unit_solution(krylov_space *space, double *trace, sgf_error *error)
{
  enum { PROBES = 8 };
  const double safe = 20.0, tolerance = 1e-4;
  sgf_sparse_drift *drift = space->drift;
  size_t n = space->n;
  krylov_space dual = {
      .drift = drift, .adjoint = true, .n = n, .columns = PROBES, .most = space->most, .tolerance = tolerance};
  double *V = NULL;
  sgf_random random;
  sgf_status status;
  *trace = INFINITY;
  SGF_TRY(sgf_new_reals(&V, n, PROBES, "probes", error));
  SGF_TRY(sgf_new_reals(&dual.B, n, PROBES, "probes", error));
  sgf_random_at(&random, 1, 4, 0);
  for (size_t k = 0; k < n * PROBES; k++) V[k] = sgf_random_normal(&random);
  memcpy(dual.B, V, n * PROBES * sizeof *V);
  SGF_TRY(sgf_sparse_drift_project_adjoint(drift, PROBES, dual.B, error));
  for (size_t k = 0; k < n; k++)
    for (size_t p = 0; p < PROBES; p++) V[k * PROBES + p] = dual.B[p * n + k];
  SGF_TRY(sgf_gram_norm(n, PROBES, V, &dual.norm_Q, error));
  status = find_space(&dual, NULL);
  if (status == SGF_OK) {
    *trace = 0.0;
    for (size_t k = 0; k < dual.dimension; k++) *trace += dual.Y[k * (dual.dimension + 1)] * (safe / PROBES);
    if (!(*trace > 0.0)) *trace = INFINITY;
  }
  if (status == SGF_ERROR_NUMERICAL || status == SGF_ERROR_MEMORY) status = SGF_OK;
done:
  free(V);
  free_space(&dual);
  return status;
}

/* Separation and what a residual is amplified by, for the bound. */
static sgf_status condition(krylov_space *space, sgf_measures *measures, sgf_certificate *certificate,
                            sgf_error *error)
{
  sgf_sparse_drift *drift = space->drift;
  double amplified = NAN, estimate;
  sgf_status status = SGF_OK;
  if (drift->symmetric) { /* the operator is symmetric: its inverse is bounded by its smallest eigenvalue */
    double slow = drift->smallest, fast = drift->alternating;
    amplified = 1.0 / (drift->discrete ? fmin(slow * (2.0 - slow), fast * (2.0 - fast)) : 2.0 * slow);
  } else {
    SGF_TRY(contraction(drift, &amplified, error));
    if (!(amplified * drift->smallest < WEAK)) {
      SGF_TRY(trace_of_unit_solution(space, &estimate, error));
      if (!(amplified <= estimate)) amplified = estimate;
    }
  }
  certificate->separation = drift->scale / amplified;
  measures->Y_spectral = measures->Y_frobenius = amplified;
  certificate->error_bound = sgf_error_bound(measures);
  if (!(certificate->error_bound >= 0.0)) certificate->error_bound = INFINITY;
done:
  return status;
}

static sgf_status certify(krylov_space *space, size_t rank, const double *Z, sgf_certificate *certificate,
                          sgf_error *error)
{
  const sgf_sparse_drift *drift = space->drift;
  sgf_measures measures = {.n = drift->n,
                           .null = drift->null,
                           .discrete = drift->discrete,
                           .A = sgf_sparse_norm(&drift->A),
                           .Q = space->norm_Q,
                           .smallest = drift->smallest,
                           .left_norm = drift->left_norm};
  sgf_status status;
  SGF_TRY(sgf_gram_norm(drift->n, rank, Z, &measures.X, error));
  SGF_TRY(exact_residual(&drift->A, drift->discrete, space->columns, space->B, rank, Z, &measures.residual, error));
  certificate->residual = sgf_scaled_residual(&measures);
  space->residual = measures.residual;
  if (!(measures.residual <= fmax(10.0 * space->tolerance * space->norm_Q, 10.0 * unreachable(space, measures.X)))) {
    status = too_small(space, error);
    goto done;
  }
  SGF_TRY(condition(space, &measures, certificate, error));
done:
  return status;
}

/* ------------------------------------------------------------------- driver */

/* B by columns, and without what round-off leaves of it outside of the range of M. */
static sgf_status take_noise(krylov_space *space, const double *B, sgf_certificate *certificate, sgf_error *error)
{
  sgf_sparse_drift *drift = space->drift;
  size_t n = space->n, columns = space->columns, null = drift->null;
  double *outside = NULL, norm = sgf_norm(n * columns, B);
  sgf_status status;
  certificate->null_noise = 0.0;
  SGF_TRY(sgf_check_finite(n, columns, B, "B", error));
  SGF_TRY(sgf_new_reals(&space->B, n, columns, "B", error));
  by_columns(n, columns, B, space->B);
  SGF_TRY(sgf_gram_norm(n, columns, B, &space->norm_Q, error));
  if (null == 0 || norm == 0.0) goto done;
  SGF_TRY(sgf_new_reals(&outside, null, columns, "null space of A", error));
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)null, (int)columns, (int)n, 1.0, drift->L, (int)n,
              space->B, (int)n, 0.0, outside, (int)null);
  double noise = sgf_norm(null * columns, outside), round_off = sgf_rank_round_off(n) * drift->left_norm;
  double size = drift->discrete ? fmax(drift->norm, 1.0) : drift->norm;
  double tolerated = round_off * norm * (4.0 + (null < n ? 2.0 * size / drift->smallest : 0.0));
  certificate->null_noise = noise * noise / space->norm_Q;
  if (!(tolerated <= BLUR * norm))
    status = sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                      "A: its null vectors are known to so few digits, the left ones %.3g times as long as the right "
                      "ones, that %.1g of B could drive what does not relax",
                      drift->left_norm, tolerated / norm);
  else if (noise <= tolerated)
    status = sgf_sparse_drift_project(drift, columns, space->B, error);
  else if ((status = sgf_sparse_check_apart(drift, certificate, error)) == SGF_OK)
    status =
        sgf_fail(error, SGF_ERROR_INCOMPATIBLE,
                 "B: %.3g of its norm drives the %zu quantities that A does not let relax (tolerated: %.1g): their "
                 "variance grows without bound, there is no solution",
                 noise / norm, null, tolerated / norm);
done:
  free(outside);
  return status;
}

sgf_status sgf_low_rank_solve(sgf_sparse_drift *drift, size_t columns, const double *B, double tolerance,
                              size_t *rank, double **Z, sgf_certificate *certificate, sgf_error *error)
{
  krylov_space space = {.drift = drift, .n = drift->n, .columns = columns};
  /* V grows by halves, and the residual takes as much again. */
  double most = drift->memory / (4.0 * 8.0 * (double)drift->n);
  sgf_status status;
  *rank = 0;
  *Z = NULL;
  space.tolerance = tolerance > 0.0 ? tolerance : TOLERANCE;
  space.most = most < (double)drift->n ? (size_t)most : drift->n;
  SGF_TRY(take_noise(&space, B, certificate, error));
  if (space.norm_Q == 0.0 || drift->null == drift->n) {
    SGF_TRY(sgf_new_reals(Z, drift->n, 0, "Z", error));
    certificate->residual = certificate->error_bound = 0.0;
    if (drift->null == drift->n) certificate->separation = INFINITY;
    goto done;
  }
  SGF_TRY(find_space(&space, error));
  SGF_TRY(factor(&space, rank, Z, error));
  SGF_TRY(certify(&space, *rank, *Z, certificate, error));
done:
  free_space(&space);
  if (status != SGF_OK) {
    free(*Z);
    *Z = NULL;
    *rank = 0;
  }
  return status;
}
