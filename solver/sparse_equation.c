/* Lyapunov and Stein equations with a sparse drift: the method is chosen, the input checked. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "input.h"
#include "kronecker.h"
#include "low_rank.h"

/* Up to this size dense algebra is faster than the others, and a factor is of few columns from so many rows a
 * column. */
enum { MOST_DENSE = 4000, FEW = 50 };

typedef struct {
  const sgf_sparse *A;
  size_t n, columns;
  const double *Q; /* as it was given */
  const sgf_lyapunov_options *options;
  double memory;
} question;

/* ------------------------------------------------------------------- input */

/* A copy of S (n, n) with its round-off asymmetry taken out. */
static sgf_status take_symmetric(size_t n, const double *S, const char *name, double **copy, sgf_error *error)
{
  sgf_status status;
  *copy = NULL;
  SGF_TRY(sgf_check_finite(n, n, S, name, error));
  SGF_TRY(sgf_new_reals(copy, n, n, name, error));
  memcpy(*copy, S, n * n * sizeof *S);
  SGF_TRY(sgf_check_symmetric(n, *copy, name, error));
  sgf_symmetrize(n, *copy);
done:
  return status;
}

static sgf_status right_hand_side(const question *asked, double **Q, sgf_error *error)
{
  size_t n = asked->n, columns = asked->columns;
  if (columns == 0) return take_symmetric(n, asked->Q, "Q", Q, error);
  sgf_status status;
  *Q = NULL;
  SGF_TRY(sgf_check_finite(n, columns, asked->Q, "B", error));
  SGF_TRY(sgf_new_reals(Q, n, n, "Q", error));
  sgf_multiply(n, n, columns, SGF_PLAIN, asked->Q, SGF_TRANSPOSED, asked->Q, *Q);
  sgf_symmetrize(n, *Q);
done:
  return status;
}

/* ----------------------------------------------------------------- methods */

/* As sgf_lyapunov_solve counts, and A once more. */
static bool fits_dense(const question *asked)
{
  return 13.0 * 8.0 * (double)asked->n * (double)asked->n <= asked->memory;
}

static sgf_status solve_dense(const question *asked, double *X, sgf_certificate *certificate, sgf_error *error)
{
  double *A;
  sgf_status status = sgf_sparse_check(asked->A, "A", error);
  if (status == SGF_OK) status = sgf_new_reals(&A, asked->n, asked->n, "A", error);
  if (status != SGF_OK) return status;
  sgf_sparse_to_dense(asked->A, A);
  status = sgf_lyapunov_solve(asked->n, A, asked->columns, asked->Q, asked->options, X, certificate, error);
  free(A);
  return status;
}

static sgf_status solve_kronecker(const question *asked, double *X, sgf_certificate *certificate, sgf_error *error)
{
  sgf_sparse_drift drift = {0};
  double *Q = NULL, *initial = NULL;
  sgf_status status;
  certificate->method = SGF_METHOD_KRONECKER;
  /* Q, X and what the solution needs beside the factors */
  double dense = 8.0 * 8.0 * (double)asked->n * (double)asked->n;
  if (!(dense < asked->memory))
    return sgf_fail(
        error, SGF_ERROR_MEMORY,
        "A: %zu rows: the dense matrices of the Kronecker system take %.3g bytes, %.3g may be used (method "
        "low-rank needs none, but a factor B of few columns)",
        asked->n, dense, asked->memory);
  SGF_TRY(right_hand_side(asked, &Q, error));
  if (asked->options->initial != NULL)
    SGF_TRY(take_symmetric(asked->n, asked->options->initial, "X0", &initial, error));
  SGF_TRY(sgf_sparse_drift_create(asked->A, asked->options, &drift, certificate, error));
  SGF_TRY(sgf_kronecker_solve(&drift, Q, initial, X, certificate, error));
done:
  free(Q);
  free(initial);
  sgf_sparse_drift_free(&drift);
  return status;
}

/* X = Z Z^T, with what the null space keeps. */
static sgf_status solve_low_rank(const question *asked, double *X, sgf_certificate *certificate, sgf_error *error)
{
  sgf_sparse_drift drift = {0};
  size_t n = asked->n, rank = 0;
  double *Z = NULL, *initial = NULL;
  sgf_status status;
  certificate->method = SGF_METHOD_LOW_RANK;
  if (asked->columns == 0)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "method low-rank needs Q as a factor B, Q = B B^T");
  if (asked->options->initial != NULL) SGF_TRY(take_symmetric(n, asked->options->initial, "X0", &initial, error));
  SGF_TRY(sgf_sparse_drift_create(asked->A, asked->options, &drift, certificate, error));
  SGF_TRY(sgf_low_rank_solve(&drift, asked->columns, asked->Q, 0.0, &rank, &Z, certificate, error));
  memset(X, 0, n * n * sizeof *X);
  if (rank > 0) sgf_multiply(n, n, rank, SGF_PLAIN, Z, SGF_TRANSPOSED, Z, X);
  SGF_TRY(sgf_sparse_set_null_part(&drift, initial, X, error));
  sgf_symmetrize(n, X);
done:
  free(Z);
  free(initial);
  sgf_sparse_drift_free(&drift);
  return status;
}

/* Which method, without a choice of the caller's. Seconds on one core of a 2-core machine, OpenBLAS:
 *
 *                               n     dense   Kronecker   low rank, 1 column
 *   chain, symmetric         1000      0.48         3.7
 *                            2000       3.7          30       0.04
 *                            4000                   113 (5.8 GB)
 *                          100000                              2.6
 *   chain, oblique           1000       1.5          12
 *                            2000       8.1                   0.09
 *   grid, symmetric           400      0.04         6.9
 *                             961      0.48                   0.02
 *                           99856                              7.8
 *   grid, oblique             225      0.03          21
 *                             961      0.98                   0.44
 *                           10000                              1.3
 *
 * A chain is tridiagonal, a grid is square with 5 entries a column. Dense algebra wins as long as it has room. */
static sgf_method choose(const question *asked)
{
  if (asked->options->method != SGF_METHOD_AUTO) return asked->options->method;
  if (asked->n <= MOST_DENSE && fits_dense(asked)) return SGF_METHOD_SCHUR;
  if (asked->columns > 0 && asked->columns <= asked->n / FEW) return SGF_METHOD_LOW_RANK;
  return SGF_METHOD_KRONECKER;
}

static sgf_status solve(const question *asked, double *X, sgf_certificate *certificate, sgf_error *error)
{
  bool chosen = asked->options->method != SGF_METHOD_AUTO;
  sgf_method method = choose(asked);
  sgf_status status;
  if (method == SGF_METHOD_LOW_RANK) return solve_low_rank(asked, X, certificate, error);
  if (method != SGF_METHOD_KRONECKER) return solve_dense(asked, X, certificate, error);
  status = solve_kronecker(asked, X, certificate, error);
  if (status == SGF_ERROR_MEMORY && !chosen && fits_dense(asked)) status = solve_dense(asked, X, certificate, error);
  return status;
}

/* ------------------------------------------------------------------- driver */

sgf_status sgf_lyapunov_solve_sparse(const sgf_sparse *A, size_t columns, const double *Q,
                                     const sgf_lyapunov_options *options, double *X, sgf_certificate *certificate,
                                     sgf_error *error)
{
  sgf_lyapunov_options defaults;
  sgf_certificate unused;
  sgf_lyapunov_options_init(&defaults);
  if (options == NULL) options = &defaults;
  if (certificate == NULL) certificate = &unused;
  question asked = {.A = A, .n = A->rows, .columns = columns, .Q = Q, .options = options};
  asked.memory = options->memory > 0.0 ? options->memory : sgf_memory_to_use();
  *certificate = sgf_nothing_known(A->rows, options->method);
  sgf_status status = solve(&asked, X, certificate, error);
  if (status != SGF_OK) sgf_fill_nan(A->rows * A->rows, X);
  return status;
}

sgf_status sgf_lyapunov_solve_low_rank(const sgf_sparse *A, size_t columns, const double *B, double tolerance,
                                       const sgf_lyapunov_options *options, size_t *rank, double **Z,
                                       sgf_certificate *certificate, sgf_error *error)
{
  sgf_lyapunov_options defaults;
  sgf_certificate unused;
  sgf_sparse_drift drift = {0};
  sgf_status status;
  sgf_lyapunov_options_init(&defaults);
  if (options == NULL) options = &defaults;
  if (certificate == NULL) certificate = &unused;
  *certificate = sgf_nothing_known(A->rows, SGF_METHOD_LOW_RANK);
  *rank = 0;
  *Z = NULL;
  if (options->initial != NULL)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "method low-rank gives the solution that starts from 0: X0 is for the other methods");
  if (columns == 0) return sgf_fail(error, SGF_ERROR_VALUE, "B: it has no columns");
  SGF_TRY(sgf_sparse_drift_create(A, options, &drift, certificate, error));
  SGF_TRY(sgf_low_rank_solve(&drift, columns, B, tolerance, rank, Z, certificate, error));
done:
  sgf_sparse_drift_free(&drift);
  return status;
}
