/* Lyapunov and Stein equations with a sparse drift: the method is chosen, the input checked and brought into units in which it
 * is well scaled, and what was found is measured against the input. */
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "certificate.h"
#include "equilibration.h"
#include "input.h"
#include "kronecker.h"
#include "low_rank.h"

/* Up to this size dense algebra is faster than the others, and a factor is of few columns from so many rows a
 * column. */
enum { MOST_DENSE = 4000, FEW = 50 };
/* Up to this size a drift that is not symmetric is solved by dense algebra too, which knows more of it. */
enum { CHECKED = 1000 };
/* A residual above this is no solution of the equation. */
static const double LARGEST_RESIDUAL = 1e-13;

typedef struct {
  const sgf_sparse *A;
  size_t n, columns;
  const double *Q; /* as it was given */
  const sgf_lyapunov_options *options;
  double memory;
} question;

/* The equation divided by powers of 2, and in equilibrated units x = E z. */
typedef struct {
  size_t n, columns;
  bool discrete;
  int shift_A, shift_Q; /* even */
  sgf_sparse given, A;  /* in the given units, and in those of z */
  double *given_Q, *Q;  /* (n, n), or a factor (n, columns) */
  double *initial;      /* (n, n) in units of z, or NULL */
  double *E;            /* (n), or NULL: as given */
  double *whole;        /* (n, n) B B^T in the given units, made where it is needed */
} scaled_question;

static void free_scaled(scaled_question *scaled)
{
  sgf_sparse_free(&scaled->given);
  sgf_sparse_free(&scaled->A);
  free(scaled->given_Q);
  free(scaled->Q);
  free(scaled->initial);
  free(scaled->E);
  free(scaled->whole);
}

/* ------------------------------------------------------------------- input */

/* A copy of S (n, n), times 2^shift, with its round-off asymmetry taken out. */
static sgf_status take_symmetric(size_t n, const double *S, const char *name, int shift, double **copy,
                                 sgf_error *error)
{
  sgf_status status;
  *copy = NULL;
  SGF_TRY(sgf_check_finite(n, n, S, name, error));
  SGF_TRY(sgf_new_reals(copy, n, n, name, error));
  sgf_scaled_copy(n * n, S, shift, *copy);
  SGF_TRY(sgf_check_symmetric(n, *copy, name, error));
  sgf_symmetrize(n, *copy);
done:
  return status;
}

static sgf_status take_right_hand_side(const question *asked, scaled_question *scaled, sgf_error *error)
{
  size_t n = asked->n, columns = asked->columns, count = n * (columns > 0 ? columns : n);
  sgf_status status;
  SGF_TRY(sgf_check_finite(n, columns > 0 ? columns : n, asked->Q, columns > 0 ? "B" : "Q", error));
  int shift = sgf_exponent(count, asked->Q);
  scaled->shift_Q = columns > 0 ? 2 * shift : shift - shift % 2;
  if (columns == 0) return take_symmetric(n, asked->Q, "Q", -scaled->shift_Q, &scaled->given_Q, error);
  SGF_TRY(sgf_new_reals(&scaled->given_Q, n, columns, "B", error));
  sgf_scaled_copy(count, asked->Q, -shift, scaled->given_Q);
done:
  return status;
}

/* A and the right-hand side into units of z, where that is worth it. */
static sgf_status enter_units(scaled_question *scaled, sgf_error *error)
{
  size_t n = scaled->n, columns = scaled->columns, count = n * (columns > 0 ? columns : n);
  bool worth;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&scaled->E, n, 1, "equilibrated units", error));
  SGF_TRY(sgf_sparse_equilibrate(&scaled->given, scaled->E, &worth, error));
  SGF_TRY(sgf_sparse_order(&scaled->given, &scaled->A, error));
  SGF_TRY(sgf_new_reals(&scaled->Q, count, 1, "right-hand side", error));
  memcpy(scaled->Q, scaled->given_Q, count * sizeof *scaled->Q);
  if (!worth) {
    free(scaled->E);
    scaled->E = NULL;
    goto done;
  }
  const double *E = scaled->E;
  for (size_t j = 0; j < n; j++)
    for (int64_t k = scaled->A.starts[j]; k < scaled->A.starts[j + 1]; k++)
      scaled->A.values[k] = scaled->A.values[k] / E[scaled->A.indices[k]] * E[j];
  if (columns == 0) sgf_covariance_into_units(n, E, scaled->Q);
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < columns; k++) scaled->Q[i * columns + k] /= E[i];
  if (scaled->initial != NULL) sgf_covariance_into_units(n, E, scaled->initial);
done:
  return status;
}

static sgf_status scale_question(const question *asked, scaled_question *scaled, sgf_error *error)
{
  const double *initial = asked->options->initial;
  sgf_status status;
  *scaled = (scaled_question){.n = asked->n, .columns = asked->columns, .discrete = asked->options->discrete};
  SGF_TRY(sgf_sparse_check(asked->A, "A", false, error));
  SGF_TRY(sgf_sparse_order(asked->A, &scaled->given, error));
  size_t entries = sgf_sparse_entries(&scaled->given);
  int shift = sgf_exponent(entries, scaled->given.values);
  const int most = DBL_MAX_EXP - 2;
  shift = shift > most ? most : shift < -most ? -most : shift;
  if (!scaled->discrete) scaled->shift_A = shift - shift % 2;
  sgf_scaled_copy(entries, scaled->given.values, -scaled->shift_A, scaled->given.values);
  SGF_TRY(take_right_hand_side(asked, scaled, error));
  if (initial != NULL)
    SGF_TRY(take_symmetric(asked->n, initial, "X0", scaled->shift_A - scaled->shift_Q, &scaled->initial, error));
  SGF_TRY(enter_units(scaled, error));
done:
  return status;
}

/* ------------------------------------------------------------------- output */

/* No answer without a small residual. A tolerance that was given may leave what it takes for zero. */
static sgf_status check_residual(const sgf_certificate *certificate, double allowed, double rank_tolerance,
                                 sgf_error *error)
{
  bool singular = certificate->rank < certificate->size;
  double largest = fmax(allowed, singular && rank_tolerance > 0.0 ? rank_tolerance : 0.0);
  if (certificate->residual <= largest) return SGF_OK;
  return sgf_fail(error, singular ? SGF_ERROR_AMBIGUOUS : SGF_ERROR_NUMERICAL,
                  "X: its scaled residual is %.3g, above %.3g, by method %s (error bound %.3g)",
                  certificate->residual, largest, sgf_method_text(certificate->method), certificate->error_bound);
}

/* No answer of a singular drift of which no digit is certain. */
static sgf_status check_certain(const sgf_certificate *certificate, sgf_error *error)
{
  if (certificate->rank == certificate->size || certificate->error_bound < 1.0) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                  "A: it is singular, rank %zu of %zu, and the error bound of X is %.3g: no digit is certain",
                  certificate->rank, certificate->size, certificate->error_bound);
}

/* From the bound of a solution of norm `within` in units of z to that in the given ones: at most max(E)^2 of its error. */
static void bound_in_given_units(const scaled_question *scaled, double within, double norm,
                                 sgf_certificate *certificate)
{
  double largest = 0.0;
  for (size_t k = 0; k < scaled->n; k++) largest = fmax(largest, scaled->E[k]);
  if (norm > 0.0) certificate->error_bound *= largest * largest * (within / norm);
}

/* The residual in the given units. */
static sgf_status measure(scaled_question *scaled, const double *X, sgf_certificate *certificate, sgf_error *error)
{
  size_t n = scaled->n;
  sgf_sparse_drift given = {.n = n, .discrete = scaled->discrete, .A = scaled->given};
  const double *Q = scaled->given_Q;
  double *R = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&R, 2 * n, n, "residual", error));
  if (scaled->columns > 0) {
    SGF_TRY(sgf_new_reals(&scaled->whole, n, n, "Q", error));
    sgf_multiply(n, n, scaled->columns, SGF_PLAIN, Q, SGF_TRANSPOSED, Q, scaled->whole);
    sgf_symmetrize(n, scaled->whole);
    Q = scaled->whole;
  }
  sgf_sparse_residual(&given, Q, X, R + n * n, R);
  sgf_measures measures = {.discrete = scaled->discrete,
                           .A = sgf_sparse_norm(&scaled->given),
                           .Q = sgf_norm(n * n, Q),
                           .X = sgf_norm(n * n, X),
                           .residual = sgf_norm(n * n, R)};
  certificate->residual = sgf_scaled_residual(&measures);
done:
  free(R);
  return status;
}

static sgf_status unscale(size_t count, int shift, double *X, sgf_error *error)
{
  sgf_scaled_copy(count, X, shift, X);
  for (size_t k = 0; k < count; k++)
    if (!isfinite(X[k])) return sgf_fail(error, SGF_ERROR_VALUE, "X: overflow, Q is too large for A");
  return SGF_OK;
}

/* X from the units of z into those that were given, and its certificate with it. */
static sgf_status leave_units(scaled_question *scaled, const sgf_sparse_drift *drift, double *X,
                              sgf_certificate *certificate, sgf_error *error)
{
  size_t n = scaled->n;
  double within = sgf_norm(n * n, X);
  sgf_status status;
  if (drift->null == n) {
    certificate->separation = INFINITY;
    certificate->error_bound = 0.0;
  }
  SGF_TRY(check_certain(certificate, error));
  if (scaled->E != NULL) {
    sgf_covariance_out_of_units(n, scaled->E, X);
    if (drift->null > 0 && drift->null < n && scaled->initial == NULL)
      SGF_TRY(sgf_take_least_norm(n, drift->null, scaled->E, drift->R, X, error));
    bound_in_given_units(scaled, within, sgf_norm(n * n, X), certificate);
  }
  SGF_TRY(measure(scaled, X, certificate, error));
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
  sgf_status status = sgf_sparse_check(asked->A, "A", false, error);
  if (status == SGF_OK) status = sgf_new_reals(&A, asked->n, asked->n, "A", error);
  if (status != SGF_OK) return status;
  sgf_sparse_to_dense(asked->A, A);
  status = sgf_lyapunov_solve(asked->n, A, asked->columns, asked->Q, asked->options, X, certificate, error);
  free(A);
  return status;
}

static sgf_status by_kronecker(const scaled_question *scaled, sgf_sparse_drift *drift, double *X,
                               sgf_certificate *certificate, sgf_error *error)
{
  size_t n = scaled->n;
  double *whole = NULL;
  sgf_status status = SGF_OK;
  if (scaled->columns > 0) {
    SGF_TRY(sgf_new_reals(&whole, n, n, "Q", error));
    sgf_multiply(n, n, scaled->columns, SGF_PLAIN, scaled->Q, SGF_TRANSPOSED, scaled->Q, whole);
    sgf_symmetrize(n, whole);
  }
  SGF_TRY(sgf_kronecker_solve(drift, whole != NULL ? whole : scaled->Q, scaled->initial, X, certificate, error));
done:
  free(whole);
  return status;
}

/* X = Z Z^T, with what the null space keeps. */
static sgf_status by_low_rank(const scaled_question *scaled, sgf_sparse_drift *drift, double *X,
                              sgf_certificate *certificate, sgf_error *error)
{
  size_t n = scaled->n, rank = 0;
  double *Z = NULL;
  sgf_status status;
  SGF_TRY(sgf_low_rank_solve(drift, scaled->columns, scaled->Q, 0.0, &rank, &Z, certificate, error));
  memset(X, 0, n * n * sizeof *X);
  if (rank > 0) sgf_multiply(n, n, rank, SGF_PLAIN, Z, SGF_TRANSPOSED, Z, X);
  SGF_TRY(sgf_sparse_set_null_part(drift, scaled->initial, X, error));
  sgf_symmetrize(n, X);
done:
  free(Z);
  return status;
}

/* Q, X and what the solution needs beside the factors. */
static sgf_status check_room(const question *asked, sgf_method method, sgf_error *error)
{
  double dense = 8.0 * 8.0 * (double)asked->n * (double)asked->n;
  if (method == SGF_METHOD_LOW_RANK && asked->columns == 0)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "method low-rank needs Q as a factor B, Q = B B^T");
  if (method == SGF_METHOD_LOW_RANK || dense < asked->memory) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_MEMORY,
                  "A: %zu rows: the dense matrices of the Kronecker system take %.3g bytes, %.3g may be used (method "
                  "low-rank needs none, but a factor B of few columns)",
                  asked->n, dense, asked->memory);
}

/* By one of the sparse methods, as far as they know. */
static sgf_status solve_sparse(const question *asked, sgf_method method, double *X, bool *is_symmetric,
                               sgf_certificate *certificate, sgf_error *error)
{
  scaled_question scaled = {0};
  sgf_sparse_drift drift = {0};
  sgf_status status;
  certificate->method = method;
  SGF_TRY(check_room(asked, method, error));
  SGF_TRY(scale_question(asked, &scaled, error));
  SGF_TRY(sgf_sparse_drift_create(&scaled.A, asked->options, ldexp(1.0, scaled.shift_A), &drift, certificate, error));
  *is_symmetric = drift.symmetric;
  SGF_TRY((method == SGF_METHOD_KRONECKER ? by_kronecker : by_low_rank)(&scaled, &drift, X, certificate, error));
  SGF_TRY(leave_units(&scaled, &drift, X, certificate, error));
  SGF_TRY(check_residual(certificate, LARGEST_RESIDUAL, asked->options->rank_tolerance, error));
  SGF_TRY(unscale(asked->n * asked->n, scaled.shift_Q - scaled.shift_A, X, error));
done:
  free_scaled(&scaled);
  sgf_sparse_drift_free(&drift);
  return status;
}

/* ------------------------------------------------- beside the dense solution */

static bool is_symmetric(const sgf_sparse *A)
{
  sgf_sparse ordered = {0};
  bool symmetric = false;
  if (sgf_sparse_check(A, "A", false, NULL) == SGF_OK && sgf_sparse_order(A, &ordered, NULL) == SGF_OK &&
      sgf_sparse_is_symmetric(&ordered, &symmetric, NULL) != SGF_OK)
    symmetric = false;
  sgf_sparse_free(&ordered);
  return symmetric;
}

/* What the dense solution says of X: its distance is added to the bound. */
static sgf_status compare(size_t n, const double *X, const double *dense, const sgf_certificate *of_dense,
                          sgf_certificate *certificate, sgf_error *error)
{
  const double disagree = 0.1;
  double norm = sgf_norm(n * n, X), other = sgf_norm(n * n, dense), square = 0.0;
  double scale = fmax(norm, other) > 0.0 ? fmax(norm, other) : 1.0;
  for (size_t k = 0; k < n * n; k++) square += (X[k] / scale - dense[k] / scale) * (X[k] / scale - dense[k] / scale);
  double distance = norm > 0.0 ? sqrt(square) * (scale / norm) : other > 0.0 ? INFINITY : 0.0;
  sgf_certificate own = *certificate;
  *certificate = *of_dense;
  certificate->method = own.method;
  certificate->residual = own.residual;
  certificate->refined = own.refined;
  certificate->error_bound = (norm > 0.0 ? of_dense->error_bound * (other / norm) : of_dense->error_bound) + distance;
  if (own.rank == of_dense->rank && !(distance > disagree && of_dense->error_bound < disagree)) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                  "A: method %s finds rank %zu of %zu, a dense method %zu, and their solutions differ by %.3g (error "
                  "bound %.3g); the dense method's answer is to be had without a choice of method",
                  sgf_method_text(own.method), own.rank, n, of_dense->rank, distance, of_dense->error_bound);
}

/* The dense method decides whether there is a solution, and the other must find it. */
static sgf_status solve_both(const question *asked, sgf_method method, double *X, sgf_certificate *certificate,
                             sgf_error *error)
{
  size_t n = asked->n;
  question plain = *asked;
  sgf_lyapunov_options options = *asked->options;
  double *dense = NULL;
  bool symmetric;
  sgf_certificate of_dense = sgf_nothing_known(n, method);
  sgf_error why;
  sgf_status status;
  options.method = SGF_METHOD_AUTO;
  plain.options = &options;
  SGF_TRY(check_room(asked, method, error));
  SGF_TRY(sgf_new_reals(&dense, n, n, "X", error));
  status = solve_dense(&plain, dense, &of_dense, error);
  if (status != SGF_OK) {
    *certificate = of_dense;
    certificate->method = method;
    goto done;
  }
  status = solve_sparse(asked, method, X, &symmetric, certificate, &why);
  if (status == SGF_OK)
    status = compare(n, X, dense, &of_dense, certificate, error);
  else if (status == SGF_ERROR_UNSTABLE || status == SGF_ERROR_INCOMPATIBLE)
    status = sgf_fail(error, SGF_ERROR_AMBIGUOUS, "method %s: not resolved, but a dense method is: %.400s",
                      sgf_method_text(method), why.message);
  else
    status = sgf_fail(error, status, "%s", why.message);
done:
  free(dense);
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
  bool chosen = asked->options->method != SGF_METHOD_AUTO, symmetric;
  sgf_method method = choose(asked);
  sgf_status status = sgf_check_options(asked->options, error);
  if (status != SGF_OK) return status;
  if (method != SGF_METHOD_KRONECKER && method != SGF_METHOD_LOW_RANK)
    return solve_dense(asked, X, certificate, error);
  if (asked->n <= CHECKED && fits_dense(asked) && asked->A->rows == asked->A->columns && !is_symmetric(asked->A))
    return solve_both(asked, method, X, certificate, error);
  status = solve_sparse(asked, method, X, &symmetric, certificate, error);
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
  if (status == SGF_ERROR_AMBIGUOUS) certificate->ambiguous = true;
  if (status != SGF_OK) sgf_fill_nan(A->rows * A->rows, X);
  return status;
}

/* A factor beside the dense solution that starts from 0. */
static sgf_status compare_factor(const question *asked, size_t rank, const double *Z, sgf_certificate *certificate,
                                 sgf_error *error)
{
  size_t n = asked->n;
  question plain = *asked;
  sgf_lyapunov_options options = *asked->options;
  sgf_certificate of_dense;
  double *X = NULL, *dense = NULL, *zero = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&X, n, n, "X", error));
  SGF_TRY(sgf_new_reals(&dense, n, n, "X", error));
  SGF_TRY(sgf_new_reals(&zero, n, n, "X0", error));
  options.method = SGF_METHOD_AUTO;
  options.initial = zero;
  plain.options = &options;
  SGF_TRY(solve_dense(&plain, dense, &of_dense, error));
  if (rank > 0) sgf_multiply(n, n, rank, SGF_PLAIN, Z, SGF_TRANSPOSED, Z, X);
  SGF_TRY(compare(n, X, dense, &of_dense, certificate, error));
done:
  free(X);
  free(dense);
  free(zero);
  return status;
}

/* Z from the units of z, and its residual in the given ones. */
static sgf_status leave_units_factored(const scaled_question *scaled, size_t rank, double *Z,
                                       sgf_certificate *certificate, sgf_error *error)
{
  size_t n = scaled->n;
  double within, norm;
  sgf_status status;
  SGF_TRY(check_certain(certificate, error));
  if (scaled->E == NULL || rank == 0) goto done;
  SGF_TRY(sgf_gram_norm(n, rank, Z, &within, error));
  for (size_t i = 0; i < n; i++)
    for (size_t k = 0; k < rank; k++) Z[i * rank + k] *= scaled->E[i];
  SGF_TRY(sgf_gram_norm(n, rank, Z, &norm, error));
  bound_in_given_units(scaled, within, norm, certificate);
  SGF_TRY(sgf_low_rank_residual(&scaled->given, scaled->discrete, scaled->columns, scaled->given_Q, rank, Z,
                                &certificate->residual, error));
done:
  return status;
}

sgf_status sgf_lyapunov_solve_low_rank(const sgf_sparse *A, size_t columns, const double *B, double tolerance,
                                       const sgf_lyapunov_options *options, size_t *rank, double **Z,
                                       sgf_certificate *certificate, sgf_error *error)
{
  sgf_lyapunov_options defaults;
  sgf_certificate unused;
  sgf_sparse_drift drift = {0};
  scaled_question scaled = {0};
  sgf_status status;
  sgf_lyapunov_options_init(&defaults);
  if (options == NULL) options = &defaults;
  if (certificate == NULL) certificate = &unused;
  *certificate = sgf_nothing_known(A->rows, SGF_METHOD_LOW_RANK);
  *rank = 0;
  *Z = NULL;
  SGF_TRY(sgf_check_options(options, error));
  if (!(tolerance >= 0.0 && tolerance < 1.0))
    return sgf_fail(error, SGF_ERROR_VALUE, "tolerance: %g of the residual is not in [0, 1)", tolerance);
  if (options->initial != NULL)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "method low-rank gives the solution that starts from 0: X0 is for the other methods");
  if (columns == 0) return sgf_fail(error, SGF_ERROR_VALUE, "B: it has no columns");
  question asked = {.A = A, .n = A->rows, .columns = columns, .Q = B, .options = options};
  asked.memory = options->memory > 0.0 ? options->memory : sgf_memory_to_use();
  SGF_TRY(scale_question(&asked, &scaled, error));
  SGF_TRY(sgf_sparse_drift_create(&scaled.A, options, ldexp(1.0, scaled.shift_A), &drift, certificate, error));
  SGF_TRY(sgf_low_rank_solve(&drift, columns, scaled.Q, tolerance, rank, Z, certificate, error));
  SGF_TRY(leave_units_factored(&scaled, *rank, *Z, certificate, error));
  SGF_TRY(check_residual(certificate, fmax(LARGEST_RESIDUAL, tolerance), options->rank_tolerance, error));
  SGF_TRY(unscale(A->rows * *rank, (scaled.shift_Q - scaled.shift_A) / 2, *Z, error));
  if (A->rows <= CHECKED && !drift.symmetric && fits_dense(&asked))
    SGF_TRY(compare_factor(&asked, *rank, *Z, certificate, error));
done:
  if (status != SGF_OK) {
    free(*Z);
    *Z = NULL;
    *rank = 0;
  }
  if (status == SGF_ERROR_AMBIGUOUS) certificate->ambiguous = true;
  free_scaled(&scaled);
  sgf_sparse_drift_free(&drift);
  return status;
}
