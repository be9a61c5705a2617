/* One layer, exactly: the second moment of SGD with its weight-dependent noise, matrix-free. */
#include "multiplicative_noise.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "krylov.h"
#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"

enum { SAMPLE_BLOCK = 1024, MAX_STEPS = 600 };

struct sgf_multiplicative {
  size_t samples, inputs, outputs;
  double strength; /* p */
  sgf_noise noise;
  double *V;      /* (N_0, N_0), rows are the eigenvectors of Sigma_xx */
  double *moment; /* (N_0), eigenvalues of Sigma_xx */
  double *h;      /* (N_0), those of H = Sigma_xx + weight_decay */
  double *X;      /* (P, N_0), the samples in the eigenbasis */
  double *work;   /* (SAMPLE_BLOCK, N_0) */
};

void sgf_multiplicative_free(sgf_multiplicative *operators)
{
  if (operators == NULL) return;
  free(operators->V);
  free(operators->moment);
  free(operators->h);
  free(operators->X);
  free(operators->work);
  free(operators);
}

sgf_status sgf_multiplicative_create(const sgf_dataset *data, double weight_decay, double strength, sgf_noise noise,
                                     sgf_multiplicative **operators, sgf_error *error)
{
  size_t N = data->inputs;
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **operators, "exact equation", error);
  sgf_multiplicative *made = block;
  *operators = NULL;
  if (status != SGF_OK) return status;
  made->samples = data->samples;
  made->inputs = N;
  made->outputs = data->outputs;
  made->strength = strength;
  made->noise = noise;
  SGF_TRY(sgf_new_reals(&made->V, N, N, "modes of Sigma_xx", error));
  SGF_TRY(sgf_new_reals(&made->moment, N, 1, "eigenvalues of Sigma_xx", error));
  SGF_TRY(sgf_new_reals(&made->h, N, 1, "eigenvalues of H", error));
  SGF_TRY(sgf_new_reals(&made->X, data->samples, N, "rotated samples", error));
  SGF_TRY(sgf_new_reals(&made->work, SAMPLE_BLOCK, N, "exact equation", error));
  memcpy(made->V, data->input_moment, N * N * sizeof(double));
  SGF_TRY(sgf_symmetric_eigen(N, made->V, made->moment, "Sigma_xx", error));
  for (size_t i = 0; i < N; i++) made->h[i] = made->moment[i] + weight_decay;
  sgf_multiply(data->samples, N, N, SGF_PLAIN, data->X, SGF_TRANSPOSED, made->V, made->X);
  *operators = made;
  return SGF_OK;
done:
  sgf_multiplicative_free(made);
  return status;
}

/* F += p (1/P) sum x (x^T Z x) x^T, blocks of samples at a time. Z, F (N_0, N_0) with rows `leading` apart. */
static void add_sample_fourth_moment(const sgf_multiplicative *op, size_t leading, const double *Z, double *F)
{
  int N = (int)op->inputs, rows = (int)leading;
  for (size_t first = 0; first < op->samples; first += SAMPLE_BLOCK) {
    size_t left = op->samples - first, count = left < SAMPLE_BLOCK ? left : SAMPLE_BLOCK;
    const double *X = op->X + first * op->inputs;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, N, N, 1.0, X, N, Z, rows, 0.0, op->work, N);
    for (size_t m = 0; m < count; m++) {
      const double *x = X + m * op->inputs;
      double *row = op->work + m * op->inputs, form = sgf_dot(op->inputs, row, x);
      for (size_t i = 0; i < op->inputs; i++) row[i] = form * x[i];
    }
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, N, N, (int)count, op->strength / (double)op->samples, X, N,
                op->work, N, 1.0, F, rows);
  }
}

/* The same for Gaussian inputs: F += p ( A Z A + A Z^T A + A tr(A Z) ), A = diag(moment). */
static void add_gaussian_fourth_moment(const sgf_multiplicative *op, size_t leading, const double *Z, double *F)
{
  const double *a = op->moment;
  double trace = 0.0;
  for (size_t i = 0; i < op->inputs; i++) trace += a[i] * Z[i * leading + i];
  for (size_t i = 0; i < op->inputs; i++) {
    for (size_t j = 0; j < op->inputs; j++)
      F[i * leading + j] += op->strength * a[i] * a[j] * (Z[i * leading + j] + Z[j * leading + i]);
    F[i * leading + i] += op->strength * a[i] * trace;
  }
}

/* BZ = B(Z) for one block (a, b). */
static void apply_B_block(const sgf_multiplicative *op, size_t leading, const double *Z, double *BZ)
{
  for (size_t i = 0; i < op->inputs; i++)
    for (size_t j = 0; j < op->inputs; j++)
      BZ[i * leading + j] = Z[i * leading + j] * (op->h[i] * op->h[j] - op->strength * op->moment[i] * op->moment[j]);
  if (op->noise == SGF_NOISE_EMPIRICAL)
    add_sample_fourth_moment(op, leading, Z, BZ);
  else
    add_gaussian_fourth_moment(op, leading, Z, BZ);
}

/* What the Krylov iterations see: symmetric operators on (blocks N_0)^2 matrices, in the eigenbasis. */
typedef struct {
  const sgf_multiplicative *op;
  size_t blocks; /* 1: one block; N_L: all outputs */
  double lambda;
  double *scaled; /* room for one argument, of the preconditioned operator */
} action;

static size_t action_size(const action *act) { return act->blocks * act->blocks * act->op->inputs * act->op->inputs; }

/* (h_i + h_j) / 2 at flat index k of a (blocks N_0)^2 matrix. */
static double mean_rate(const action *act, size_t k)
{
  size_t side = act->blocks * act->op->inputs;
  return 0.5 * (act->op->h[(k / side) % act->op->inputs] + act->op->h[(k % side) % act->op->inputs]);
}

static void apply_B(const action *act, const double *Z, double *BZ)
{
  size_t N = act->op->inputs, side = act->blocks * N;
  for (size_t a = 0; a < act->blocks; a++)
    for (size_t b = 0; b < act->blocks; b++)
      apply_B_block(act->op, side, Z + a * N * side + b * N, BZ + a * N * side + b * N);
}

/* (H (+) H / 2)^{-1/2} B (H (+) H / 2)^{-1/2}: preconditioned by the constant-H solution. */
static void apply_preconditioned(const void *context, const double *x, double *y)
{
  const action *act = context;
  size_t size = action_size(act);
  for (size_t k = 0; k < size; k++) act->scaled[k] = x[k] / sqrt(mean_rate(act, k));
  apply_B(act, act->scaled, y);
  for (size_t k = 0; k < size; k++) y[k] /= sqrt(mean_rate(act, k));
}

/* y = A(x) = H x + x H - lambda B(x). */
static void apply_A(const action *act, const double *x, double *y)
{
  size_t size = action_size(act);
  apply_B(act, x, y);
  for (size_t k = 0; k < size; k++) y[k] = 2.0 * mean_rate(act, k) * x[k] - act->lambda * y[k];
}

/* y = K(x) = x - lambda A(x). */
static void apply_K(const void *context, const double *x, double *y)
{
  const action *act = context;
  apply_A(act, x, y);
  for (size_t k = 0, size = action_size(act); k < size; k++) y[k] = x[k] - act->lambda * y[k];
}

sgf_status sgf_mean_square_limit(const sgf_multiplicative *operators, double *limit, sgf_error *error)
{
  size_t N = operators->inputs;
  double *start = NULL, largest = NAN;
  action act = {operators, 1, 0.0, NULL};
  sgf_operator preconditioned = {N * N, apply_preconditioned, &act};
  sgf_status status;
  *limit = NAN;
  SGF_TRY(sgf_new_reals(&start, N, N, "stability limit", error));
  SGF_TRY(sgf_new_reals(&act.scaled, N, N, "stability limit", error));
  /* B maps the positive semidefinite cone into itself, so its top eigenvector lies in it and the
   * identity cannot be orthogonal to it. */
  for (size_t i = 0; i < N; i++) start[i * N + i] = sqrt(operators->h[i]);
  SGF_TRY(sgf_krylov_largest(&preconditioned, start, 1e-13, MAX_STEPS, &largest, error));
  *limit = 2.0 / largest;
done:
  free(start);
  free(act.scaled);
  return status;
}

/* Into (forward) or out of the eigenbasis of 1 (x) Sigma_xx, block by block. */
static sgf_status rotate(const sgf_multiplicative *op, bool forward, const double *A, double *B, sgf_error *error)
{
  size_t N = op->inputs, side = op->outputs * N;
  double *work;
  sgf_status status = sgf_new_reals(&work, N, side, "rotation", error);
  if (status != SGF_OK) return status;
  enum CBLAS_TRANSPOSE left = forward ? CblasNoTrans : CblasTrans, right = forward ? CblasTrans : CblasNoTrans;
  for (size_t a = 0; a < op->outputs; a++) {
    cblas_dgemm(CblasRowMajor, left, CblasNoTrans, (int)N, (int)side, (int)N, 1.0, op->V, (int)N, A + a * N * side,
                (int)side, 0.0, work, (int)side);
    for (size_t b = 0; b < op->outputs; b++)
      cblas_dgemm(CblasRowMajor, CblasNoTrans, right, (int)N, (int)N, (int)N, 1.0, work + b * N, (int)side, op->V,
                  (int)N, 0.0, B + a * N * side + b * N, (int)side);
  }
  sgf_symmetrize(side, B);
  free(work);
  return SGF_OK;
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

sgf_status sgf_exact_covariance(const sgf_multiplicative *operators, double lambda, const double *C, double *Sigma,
                                double *residual, sgf_error *error)
{
  action act = {operators, operators->outputs, lambda, NULL};
  size_t size = action_size(&act), side = operators->outputs * operators->inputs;
  double *noise = NULL, *x = NULL, *r = NULL, *solution = NULL, noise_norm, rate_norm;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&act.scaled, size, 1, "exact equation", error));
  SGF_TRY(sgf_new_reals(&noise, size, 1, "exact equation", error));
  SGF_TRY(sgf_new_reals(&x, size, 1, "exact equation", error));
  SGF_TRY(sgf_new_reals(&r, size, 1, "exact equation", error));
  SGF_TRY(sgf_new_reals(&solution, size, 1, "exact equation", error));
  SGF_TRY(rotate(operators, true, C, noise, error));
  for (size_t k = 0; k < size; k++) r[k] = noise[k] *= lambda * operators->strength;
  for (int pass = 0; pass < 2; pass++) { /* the second refines the first */
    SGF_TRY(correct(&act, r, solution, x, error));
    sgf_symmetrize(side, x);
    apply_A(&act, x, r);
    for (size_t k = 0; k < size; k++) r[k] = noise[k] - r[k];
  }
  noise_norm = sgf_norm(size, noise);
  rate_norm = sqrt((double)operators->outputs) * sgf_norm(operators->inputs, operators->h);
  *residual = noise_norm > 0.0 ? sgf_norm(size, r) / (2.0 * rate_norm * sgf_norm(size, x) + noise_norm) : 0.0;
  SGF_TRY(rotate(operators, false, x, Sigma, error));
done:
  if (status != SGF_OK) sgf_fill_nan(size, Sigma);
  free(act.scaled);
  free(noise);
  free(x);
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

sgf_status sgf_exact_window(const sgf_multiplicative *operators, double lambda, double first, double stride,
                            double count, double *Sigma, sgf_error *error)
{
  action act = {operators, operators->outputs, lambda, NULL};
  size_t size = action_size(&act);
  window steps = {first, stride, count};
  sgf_operator K = {size, apply_K, &act};
  double *rotated = NULL, *memory = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&rotated, size, 1, "finite-time covariance", error));
  SGF_TRY(sgf_new_reals(&memory, size, 1, "finite-time covariance", error));
  SGF_TRY(rotate(operators, true, Sigma, rotated, error));
  SGF_TRY(sgf_krylov_function(&K, rotated, mean_power, &steps, 0.0, 1e-9, MAX_STEPS, memory, error));
  for (size_t k = 0; k < size; k++) rotated[k] -= memory[k];
  SGF_TRY(rotate(operators, false, rotated, Sigma, error));
done:
  free(rotated);
  free(memory);
  return status;
}
