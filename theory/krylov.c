/* Functions and extreme eigenvalues of a symmetric operator known only by its action (Lanczos).
 *
 * LAPACK has the tridiagonal eigenproblem; the recurrence itself is a page, and keeping all the
 * vectors (orthogonalized twice) makes it as stable as a dense method at the few hundred steps used here. */
#include "krylov.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

typedef struct {
  const sgf_operator *A;
  size_t steps, capacity;    /* vectors held, and the most there may be */
  double *Q;                 /* (capacity, size), row k is Krylov vector k */
  double *diagonal, *beside; /* of T; beside[k] couples k and k + 1 */
  double start_norm;
  double *ritz, *vectors, *scratch; /* the projected problem and its eigenpairs (rows) */
  bool invariant;                   /* the space closed: results are exact */
} lanczos;

static void lanczos_free(lanczos *process)
{
  free(process->Q);
  free(process->diagonal);
  free(process->beside);
  free(process->ritz);
  free(process->vectors);
  free(process->scratch);
}

static sgf_status lanczos_start(const sgf_operator *A, const double *b, size_t max_steps, lanczos *process,
                                sgf_error *error)
{
  size_t capacity = max_steps < A->size ? max_steps : A->size;
  sgf_status status;
  memset(process, 0, sizeof *process);
  process->A = A;
  process->capacity = capacity;
  SGF_TRY(sgf_new_reals(&process->Q, capacity + 1, A->size, "Krylov vectors", error));
  SGF_TRY(sgf_new_reals(&process->diagonal, capacity, 1, "Krylov matrix", error));
  SGF_TRY(sgf_new_reals(&process->beside, capacity, 1, "Krylov matrix", error));
  SGF_TRY(sgf_new_reals(&process->ritz, capacity, 1, "Ritz values", error));
  SGF_TRY(sgf_new_reals(&process->vectors, capacity, capacity, "Ritz vectors", error));
  SGF_TRY(sgf_new_reals(&process->scratch, capacity, 1, "Krylov matrix", error));
  process->start_norm = sgf_norm(A->size, b);
  if (!isfinite(process->start_norm)) {
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "Krylov start vector has norm %g", process->start_norm);
    goto done;
  }
  if (process->start_norm > 0.0)
    for (size_t k = 0; k < A->size; k++) process->Q[k] = b[k] / process->start_norm;
done:
  return status;
}

/* w <- w - Q^T Q w over the vectors held, twice. */
static void orthogonalize(const lanczos *process, size_t held, double *w)
{
  int size = (int)process->A->size;
  for (int pass = 0; pass < 2; pass++)
    for (size_t k = 0; k < held; k++) {
      const double *q = process->Q + k * process->A->size;
      cblas_daxpy(size, -cblas_ddot(size, q, 1, w, 1), q, 1, w, 1);
    }
}

/* A q_k = beta_{k-1} q_{k-1} + alpha_k q_k + beta_k q_{k+1}. */
static void lanczos_step(lanczos *process)
{
  size_t size = process->A->size, k = process->steps++;
  double *q = process->Q + k * size, *next = q + size;
  process->A->apply(process->A->context, q, next);
  double scale = sgf_norm(size, next);
  process->diagonal[k] = sgf_dot(size, q, next);
  orthogonalize(process, k + 1, next);
  double norm = sgf_norm(size, next);
  process->beside[k] = norm;
  process->invariant = process->steps == process->A->size || !(norm > 16.0 * DBL_EPSILON * scale);
  if (!process->invariant)
    for (size_t i = 0; i < size; i++) next[i] /= norm;
}

static sgf_status ritz_pairs(lanczos *process, sgf_error *error)
{
  size_t steps = process->steps;
  memcpy(process->ritz, process->diagonal, steps * sizeof(double));
  memcpy(process->scratch, process->beside, steps * sizeof(double));
  lapack_int info = LAPACKE_dstev(LAPACK_COL_MAJOR, 'V', (lapack_int)steps, process->ritz, process->scratch,
                                  process->vectors, (lapack_int)steps);
  if (info == 0) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_NUMERICAL, "Krylov matrix of size %zu: LAPACK dstev returned %d", steps,
                  (int)info);
}

/* Coefficients of f(A) b: |b| sum_r f(ritz_r) u_r (u_r . e_1). */
static void function_coefficients(const lanczos *process, double (*f)(const void *, double), const void *f_context,
                                  double *coefficients)
{
  size_t steps = process->steps;
  memset(coefficients, 0, steps * sizeof *coefficients);
  for (size_t r = 0; r < steps; r++) {
    const double *u = process->vectors + r * steps;
    double weight = process->start_norm * f(f_context, process->ritz[r]) * u[0];
    for (size_t k = 0; k < steps; k++) coefficients[k] += weight * u[k];
  }
}

static bool is_check_step(size_t steps) { return steps < 32 || steps % 8 == 0; }

sgf_status sgf_krylov_function(const sgf_operator *A, const double *b, double (*f)(const void *, double),
                               const void *f_context, double tolerance, double absolute, size_t max_steps, double *y,
                               sgf_error *error)
{
  lanczos process;
  double *coefficients = NULL;
  bool converged = false;
  sgf_status status = lanczos_start(A, b, max_steps, &process, error);
  if (status != SGF_OK) goto done;
  SGF_TRY(sgf_new_reals(&coefficients, process.capacity, 1, "Krylov coefficients", error));
  memset(y, 0, A->size * sizeof *y);
  if (process.start_norm == 0.0) goto done;
  while (!converged && process.steps < process.capacity) {
    lanczos_step(&process);
    size_t steps = process.steps;
    if (!is_check_step(steps) && !process.invariant && steps < process.capacity) continue;
    SGF_TRY(ritz_pairs(&process, error));
    function_coefficients(&process, f, f_context, coefficients);
    double last = steps > 2 ? hypot(coefficients[steps - 1], coefficients[steps - 2]) : INFINITY;
    converged =
        process.invariant || last <= tolerance * sgf_norm(steps, coefficients) + absolute * process.start_norm;
  }
  if (!converged) {
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "Krylov iteration: no convergence in %zu steps", process.steps);
    goto done;
  }
  for (size_t k = 0; k < process.steps; k++)
    cblas_daxpy((int)A->size, coefficients[k], process.Q + k * A->size, 1, y, 1);
done:
  if (status != SGF_OK) sgf_fill_nan(A->size, y);
  free(coefficients);
  lanczos_free(&process);
  return status;
}

sgf_status sgf_krylov_largest(const sgf_operator *A, const double *start, double tolerance, size_t max_steps,
                              double *largest, sgf_error *error)
{
  lanczos process;
  bool converged = false;
  sgf_status status = lanczos_start(A, start, max_steps, &process, error);
  *largest = NAN;
  if (status != SGF_OK) goto done;
  while (!converged && process.steps < process.capacity) {
    lanczos_step(&process);
    size_t last = process.steps - 1;
    SGF_TRY(ritz_pairs(&process, error));
    /* The residual of the top Ritz pair bounds its error linearly, and quadratically over the gap. */
    double residual = fabs(process.beside[last] * process.vectors[last * process.steps + last]);
    converged = process.invariant || residual <= sqrt(tolerance) * 1e-2 * fabs(process.ritz[last]);
    if (converged) *largest = process.ritz[last];
  }
  if (!converged)
    status =
        sgf_fail(error, SGF_ERROR_NUMERICAL, "largest eigenvalue: no convergence in %zu Krylov steps", process.steps);
done:
  lanczos_free(&process);
  return status;
}
