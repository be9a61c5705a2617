/* Second moment of a linear recursion whose noise depends on its state: stability limit, stationary state, finite times. */
#include "second_moment.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>

#include "krylov.h"
#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"

enum { MAX_STEPS = 600 };

/* What the Krylov iterations see: symmetric operators on (side, side) matrices. */
typedef struct {
  const sgf_second_moment *moment;
  double lambda;
  double *scaled; /* room for one argument, of the preconditioned operator */
} action;

static size_t action_size(const action *act) { return act->moment->side * act->moment->side; }

/* (h_i + h_j) / 2 at flat index k. */
static double mean_rate(const action *act, size_t k)
{
  const sgf_second_moment *moment = act->moment;
  return 0.5 * (moment->h[k / moment->side] + moment->h[k % moment->side]);
}

/* (H (+) H / 2)^{-1/2} B (H (+) H / 2)^{-1/2}: preconditioned by the constant-H solution. */
static void apply_preconditioned(const void *context, const double *x, double *y)
{
  const action *act = context;
  size_t size = action_size(act);
  for (size_t k = 0; k < size; k++) act->scaled[k] = x[k] / sqrt(mean_rate(act, k));
  act->moment->apply(act->moment->context, act->scaled, y);
  for (size_t k = 0; k < size; k++) y[k] /= sqrt(mean_rate(act, k));
}

/* y = A(x) = H x + x H - lambda B(x). */
static void apply_A(const action *act, const double *x, double *y)
{
  size_t size = action_size(act);
  act->moment->apply(act->moment->context, x, y);
  for (size_t k = 0; k < size; k++) y[k] = 2.0 * mean_rate(act, k) * x[k] - act->lambda * y[k];
}

/* y = K(x) = x - lambda A(x). */
static void apply_K(const void *context, const double *x, double *y)
{
  const action *act = context;
  apply_A(act, x, y);
  for (size_t k = 0, size = action_size(act); k < size; k++) y[k] = x[k] - act->lambda * y[k];
}

sgf_status sgf_second_moment_limit(const sgf_second_moment *moment, double tolerance, double *limit, sgf_error *error)
{
  size_t N = moment->side;
  double *start = NULL, largest = NAN;
  action act = {moment, 0.0, NULL};
  sgf_operator preconditioned = {N * N, apply_preconditioned, &act};
  sgf_status status;
  *limit = NAN;
  SGF_TRY(sgf_new_reals(&start, N, N, "stability limit", error));
  SGF_TRY(sgf_new_reals(&act.scaled, N, N, "stability limit", error));
  /* B maps the positive semidefinite cone into itself, so its top eigenvector lies in it and the
   * identity cannot be orthogonal to it. */
  for (size_t i = 0; i < N; i++) start[i * N + i] = sqrt(moment->h[i]);
  SGF_TRY(sgf_krylov_largest(&preconditioned, start, tolerance, MAX_STEPS, &largest, error));
  *limit = 2.0 / largest;
done:
  free(start);
  free(act.scaled);
  return status;
}

/* y = T(x) = (H (+) H / 2)^-1 B(x). */
static void apply_T(const action *act, const double *x, double *y)
{
  act->moment->apply(act->moment->context, x, y);
  for (size_t k = 0, size = action_size(act); k < size; k++) y[k] /= mean_rate(act, k);
  sgf_symmetrize(act->moment->side, y);
}

sgf_status sgf_second_moment_bound(const sgf_second_moment *moment, double *bound, sgf_error *error)
{
  size_t N = moment->side;
  double *unit = NULL, *Y = NULL, *image = NULL, *values = NULL;
  action act = {moment, 0.0, NULL};
  sgf_status status;
  *bound = NAN;
  SGF_TRY(sgf_new_reals(&unit, N, N, "bound of the stability limit", error));
  SGF_TRY(sgf_new_reals(&Y, N, N, "bound of the stability limit", error));
  SGF_TRY(sgf_new_reals(&image, N, N, "bound of the stability limit", error));
  SGF_TRY(sgf_new_reals(&values, N, 1, "bound of the stability limit", error));
  for (size_t i = 0; i < N; i++) unit[i * (N + 1)] = 1.0;
  apply_T(&act, unit, Y);
  apply_T(&act, Y, image);
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'U', (lapack_int)N, Y, (lapack_int)N) != 0 ||
      LAPACKE_dsygst(LAPACK_COL_MAJOR, 1, 'U', (lapack_int)N, image, (lapack_int)N, Y, (lapack_int)N) != 0)
    goto done;
  sgf_mirror(N, image);
  SGF_TRY(sgf_symmetric_eigenvalues(N, image, values, "bound of the stability limit", error));
  *bound = 2.0 / values[N - 1];
done:
  free(unit);
  free(Y);
  free(image);
  free(values);
  return status;
}

static double inverse_of_shifted(const void *context, double x) { return 1.0 / (2.0 - *(const double *)context * x); }

/* x += (2 A0 - lambda B)^{-1} r with A0 = H (+) H / 2, r overwritten. */
static sgf_status correct(const action *act, double *r, double *solution, double *x, sgf_error *error)
{
  size_t size = action_size(act);
  sgf_operator preconditioned = {size, apply_preconditioned, act};
  for (size_t k = 0; k < size; k++) r[k] /= sqrt(mean_rate(act, k));
  sgf_status status = sgf_krylov_function(&preconditioned, r, inverse_of_shifted, &act->lambda, 1e-15, 0.0, MAX_STEPS,
                                          solution, error);
  for (size_t k = 0; k < size && status == SGF_OK; k++) x[k] += solution[k] / sqrt(mean_rate(act, k));
  return status;
}

sgf_status sgf_second_moment_stationary(const sgf_second_moment *moment, double lambda, const double *noise,
                                        double *Z, double *residual, sgf_error *error)
{
  action act = {moment, lambda, NULL};
  size_t size = action_size(&act);
  double *r = NULL, *solution = NULL, noise_norm = sgf_norm(size, noise);
  sgf_status status;
  SGF_TRY(sgf_new_reals(&act.scaled, size, 1, "second moment", error));
  SGF_TRY(sgf_new_reals(&r, size, 1, "second moment", error));
  SGF_TRY(sgf_new_reals(&solution, size, 1, "second moment", error));
  for (size_t k = 0; k < size; k++) {
    r[k] = noise[k];
    Z[k] = 0.0;
  }
  for (int pass = 0; pass < 2; pass++) { /* the second refines the first */
    SGF_TRY(correct(&act, r, solution, Z, error));
    sgf_symmetrize(moment->side, Z);
    apply_A(&act, Z, r);
    for (size_t k = 0; k < size; k++) r[k] = noise[k] - r[k];
  }
  *residual = noise_norm > 0.0
                  ? sgf_norm(size, r) / (2.0 * sgf_norm(moment->side, moment->h) * sgf_norm(size, Z) + noise_norm)
                  : 0.0;
done:
  if (status != SGF_OK) sgf_fill_nan(size, Z);
  free(act.scaled);
  free(r);
  free(solution);
  return status;
}

typedef struct {
  double first, stride, count;
} window;

static double mean_power(const void *context, double x)
{
  const window *steps = context;
  return sgf_mean_power(x, x > 0.0 ? log1p(x - 1.0) : 0.0, steps->first, steps->stride, steps->count);
}

sgf_status sgf_second_moment_window(const sgf_second_moment *moment, double lambda, double first, double stride,
                                    double count, double *Z, sgf_error *error)
{
  action act = {moment, lambda, NULL};
  size_t size = action_size(&act);
  window steps = {first, stride, count};
  sgf_operator K = {size, apply_K, &act};
  double *memory = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&memory, size, 1, "finite-time covariance", error));
  SGF_TRY(sgf_krylov_function(&K, Z, mean_power, &steps, 0.0, 1e-9, MAX_STEPS, memory, error));
  for (size_t k = 0; k < size; k++) Z[k] -= memory[k];
  sgf_symmetrize(moment->side, Z);
done:
  if (status != SGF_OK) sgf_fill_nan(size, Z);
  free(memory);
  return status;
}
