/* Leading eigenpairs of a large symmetric operator, from blocks of products. */
#include "leading_eigen.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "random.h"

/* Vectors beyond those asked for, and blocks in one space. */
enum { GUARDS = 8, BLOCKS = 4 };
static const double CONVERGED = 1e-10;

typedef struct {
  sgf_symmetric_operator operator;
  const void *context;
  size_t n, block, rows, used; /* vectors of a block, of the whole space, in it now */
  double *Q, *AQ;              /* (rows, n) */
  double *ritz, *values;       /* (rows, rows), (rows) */
  double *work;                /* (rows, n) */
} space;

static size_t block_of(size_t n, size_t count) { return count + GUARDS < n ? count + GUARDS : n; }

size_t sgf_leading_rows(size_t n, size_t count)
{
  size_t rows = BLOCKS * block_of(n, count);
  return rows < n ? rows : n;
}

static sgf_status space_create(sgf_symmetric_operator operator, const void * context, size_t n, size_t count,
                               space *krylov, sgf_error *error)
{
  sgf_status status;
  *krylov = (space){.operator= operator, .context = context, .n = n, .block = block_of(n, count)};
  krylov->rows = sgf_leading_rows(n, count);
  SGF_TRY(sgf_new_reals(&krylov->Q, krylov->rows, n, "Krylov space", error));
  SGF_TRY(sgf_new_reals(&krylov->AQ, krylov->rows, n, "Krylov space", error));
  SGF_TRY(sgf_new_reals(&krylov->work, krylov->rows, n, "Krylov space", error));
  SGF_TRY(sgf_new_reals(&krylov->ritz, krylov->rows, krylov->rows, "Krylov space", error));
  SGF_TRY(sgf_new_reals(&krylov->values, krylov->rows, 1, "Krylov space", error));
done:
  return status;
}

static void space_free(space *krylov)
{
  free(krylov->Q);
  free(krylov->AQ);
  free(krylov->work);
  free(krylov->ritz);
  free(krylov->values);
}

/* Orthonormalize `count` rows: column-major LAPACK sees them as columns. */
static sgf_status orthonormalize(size_t n, size_t count, double *rows, sgf_error *error)
{
  double *factors;
  sgf_status status = sgf_new_reals(&factors, count, 1, "orthonormal vectors", error);
  if (status != SGF_OK) return status;
  lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, (lapack_int)n, (lapack_int)count, rows, (lapack_int)n, factors);
  if (info == 0)
    info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, (lapack_int)n, (lapack_int)count, (lapack_int)count, rows, (lapack_int)n,
                          factors);
  free(factors);
  if (info != 0)
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "vectors not made orthonormal, LAPACK dgeqrf returned %d", (int)info);
  return SGF_OK;
}

/* Add `count` rows of Q, at `used`, to the space: orthogonal to those before (twice, for round-off), with products. */
static sgf_status extend(space *krylov, size_t count, sgf_error *error)
{
  size_t n = krylov->n, used = krylov->used;
  double *fresh = krylov->Q + used * n;
  sgf_status status;
  for (int pass = 0; pass < 2; pass++) {
    if (used > 0) {
      sgf_multiply(count, used, n, SGF_PLAIN, fresh, SGF_TRANSPOSED, krylov->Q, krylov->work);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, (int)n, (int)used, -1.0, krylov->work,
                  (int)used, krylov->Q, (int)n, 1.0, fresh, (int)n);
    }
    SGF_TRY(orthonormalize(n, count, fresh, error));
  }
  SGF_TRY(krylov->operator(krylov->context, count, fresh, krylov->AQ + used * n, error));
  krylov->used += count;
done:
  return status;
}

/* Eigenpairs of A on the space, and its `count` best vectors and their products to its begin. */
static sgf_status restart(space *krylov, size_t count, double *residual, sgf_error *error)
{
  size_t n = krylov->n, used = krylov->used;
  sgf_multiply(used, used, n, SGF_PLAIN, krylov->Q, SGF_TRANSPOSED, krylov->AQ, krylov->ritz);
  sgf_symmetrize(used, krylov->ritz);
  sgf_status status = sgf_symmetric_eigen(used, krylov->ritz, krylov->values, "operator on a Krylov space", error);
  if (status != SGF_OK) return status;
  size_t kept = krylov->block < used ? krylov->block : used;
  const double *best = krylov->ritz + (used - kept) * used;
  sgf_multiply(kept, n, used, SGF_PLAIN, best, SGF_PLAIN, krylov->Q, krylov->work);
  memcpy(krylov->Q, krylov->work, kept * n * sizeof(double));
  sgf_multiply(kept, n, used, SGF_PLAIN, best, SGF_PLAIN, krylov->AQ, krylov->work);
  memcpy(krylov->AQ, krylov->work, kept * n * sizeof(double));
  memmove(krylov->values, krylov->values + used - kept, kept * sizeof(double));
  krylov->used = kept;
  *residual = 0.0;
  for (size_t k = kept - count; k < kept; k++) {
    double square = 0.0;
    for (size_t i = 0; i < n; i++) {
      double left = krylov->AQ[k * n + i] - krylov->values[k] * krylov->Q[k * n + i];
      krylov->work[k * n + i] = left;
      square += left * left;
    }
    *residual = fmax(*residual, sqrt(square) / krylov->values[kept - 1]);
  }
  return SGF_OK;
}

/* Blocks until the space is full: the first new one is what is left of the products, A v - value v. */
static sgf_status fill(space *krylov, sgf_error *error)
{
  size_t n = krylov->n, block = krylov->used;
  sgf_status status = SGF_OK;
  while (krylov->used < krylov->rows) {
    size_t left = krylov->rows - krylov->used, count = left < block ? left : block;
    memcpy(krylov->Q + krylov->used * n, krylov->AQ + (krylov->used - block) * n, count * n * sizeof(double));
    SGF_TRY(extend(krylov, count, error));
  }
done:
  return status;
}

sgf_status sgf_leading_eigen(sgf_symmetric_operator operator, const void * context, size_t n, size_t count,
                             uint64_t seed, double *values, double *vectors, double *residual, sgf_error *error)
{
  space krylov;
  sgf_random random;
  sgf_status status;
  *residual = NAN;
  SGF_TRY(space_create(operator, context, n, count, &krylov, error));
  sgf_random_at(&random, seed, SGF_STREAM_KRYLOV, 0);
  for (size_t k = 0; k < krylov.block * n; k++) krylov.Q[k] = sgf_random_normal(&random);
  SGF_TRY(extend(&krylov, krylov.block, error));
  for (size_t round = 0; round < SGF_MOST_RESTARTS; round++) {
    SGF_TRY(fill(&krylov, error));
    SGF_TRY(restart(&krylov, count, residual, error));
    if (!(*residual > CONVERGED)) break;
  }
  for (size_t k = 0; k < count; k++) {
    values[k] = krylov.values[krylov.used - 1 - k];
    memcpy(vectors + k * n, krylov.Q + (krylov.used - 1 - k) * n, n * sizeof *vectors);
  }
done:
  space_free(&krylov);
  if (status != SGF_OK) {
    sgf_fill_nan(count, values);
    sgf_fill_nan(count * n, vectors);
  }
  return status;
}
