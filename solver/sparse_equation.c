/* Lyapunov and Stein equations with a sparse drift: the method is chosen, the input checked. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "kronecker.h"

/* A right-hand side that is less symmetric than this, relative to its norm, was not meant to be. */
static const double ASYMMETRIC = 1e-10;

typedef struct {
  const sgf_sparse *A;
  size_t n, columns;
  const double *Q; /* as it was given */
  const sgf_lyapunov_options *options;
  double memory;
} question;

/* ------------------------------------------------------------------- input */

static sgf_status check_finite(size_t rows, size_t columns, const double *values, const char *name, sgf_error *error)
{
  for (size_t k = 0; k < rows * columns; k++)
    if (!isfinite(values[k]))
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: element (%zu, %zu) is %g", name, k / columns, k % columns,
                      values[k]);
  return SGF_OK;
}

/* A copy of S (n, n) with its round-off asymmetry taken out. */
static sgf_status take_symmetric(size_t n, const double *S, const char *name, double **copy, sgf_error *error)
{
  sgf_status status;
  *copy = NULL;
  SGF_TRY(check_finite(n, n, S, name, error));
  SGF_TRY(sgf_new_reals(copy, n, n, name, error));
  double difference = 0.0, norm = sgf_norm(n * n, S);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i && norm > 0.0; j++)
      difference = hypot(difference, sqrt(2.0) * (S[i * n + j] / norm - S[j * n + i] / norm));
  if (difference > ASYMMETRIC) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: not symmetric, ||%s - %s^T|| / ||%s|| = %.3g", name, name, name,
                      name, difference);
    goto done;
  }
  memcpy(*copy, S, n * n * sizeof *S);
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
  SGF_TRY(check_finite(n, columns, asked->Q, "B", error));
  SGF_TRY(sgf_new_reals(Q, n, n, "Q", error));
  sgf_multiply(n, n, columns, SGF_PLAIN, asked->Q, SGF_TRANSPOSED, asked->Q, *Q);
  sgf_symmetrize(n, *Q);
done:
  return status;
}

/* ----------------------------------------------------------------- methods */

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

/* ------------------------------------------------------------------- driver */

static const sgf_certificate nothing_known = {.gap = NAN,
                                              .null_noise = NAN,
                                              .residual = NAN,
                                              .separation = NAN,
                                              .error_bound = NAN,
                                              .real = NAN,
                                              .imaginary = NAN};

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
  *certificate = nothing_known;
  certificate->size = A->rows;
  certificate->method = options->method;
  sgf_status status = options->method == SGF_METHOD_KRONECKER ? solve_kronecker(&asked, X, certificate, error)
                                                              : solve_dense(&asked, X, certificate, error);
  if (status != SGF_OK) sgf_fill_nan(A->rows * A->rows, X);
  return status;
}
