/* One layer, exactly: the second moment of SGD with its weight-dependent noise, matrix-free. */
#include "multiplicative_noise.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "second_moment.h"

enum { SAMPLE_BLOCK = 1024 };

struct sgf_multiplicative {
  size_t samples, inputs, outputs;
  double strength; /* p */
  sgf_noise noise;
  double *V;      /* (N_0, N_0), rows are the eigenvectors of Sigma_xx */
  double *moment; /* (N_0), eigenvalues of Sigma_xx */
  double *h;      /* (N_L N_0), those of H = 1 (x) (Sigma_xx + weight_decay) */
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
  SGF_TRY(sgf_new_reals(&made->h, data->outputs, N, "eigenvalues of H", error));
  SGF_TRY(sgf_new_reals(&made->X, data->samples, N, "rotated samples", error));
  SGF_TRY(sgf_new_reals(&made->work, SAMPLE_BLOCK, N, "exact equation", error));
  memcpy(made->V, data->input_moment, N * N * sizeof(double));
  SGF_TRY(sgf_symmetric_eigen(N, made->V, made->moment, "Sigma_xx", error));
  for (size_t k = 0; k < data->outputs * N; k++) made->h[k] = made->moment[k % N] + weight_decay;
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

/* Block by block of (outputs N_0)^2 matrices. */
static void apply_B(const void *context, const double *Z, double *BZ)
{
  const sgf_multiplicative *op = context;
  size_t N = op->inputs, side = op->outputs * N;
  for (size_t a = 0; a < op->outputs; a++)
    for (size_t b = 0; b < op->outputs; b++)
      apply_B_block(op, side, Z + a * N * side + b * N, BZ + a * N * side + b * N);
}

static void apply_B_to_one_block(const void *context, const double *Z, double *BZ)
{
  const sgf_multiplicative *op = context;
  apply_B_block(op, op->inputs, Z, BZ);
}

static sgf_second_moment moment_of(const sgf_multiplicative *op)
{
  return (sgf_second_moment){op->outputs * op->inputs, op->h, apply_B, op};
}

sgf_status sgf_mean_square_limit(const sgf_multiplicative *operators, double *limit, sgf_error *error)
{
  sgf_second_moment block = {operators->inputs, operators->h, apply_B_to_one_block, operators};
  return sgf_second_moment_limit(&block, 1e-13, limit, error);
}

/* Into (forward) or out of the eigenbasis of 1 (x) Sigma_xx, block by block. B may be A. */
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

sgf_status sgf_exact_covariance(const sgf_multiplicative *operators, double lambda, const double *C, double *Sigma,
                                double *residual, sgf_error *error)
{
  sgf_second_moment moment = moment_of(operators);
  size_t size = moment.side * moment.side;
  double *noise = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&noise, size, 1, "exact equation", error));
  SGF_TRY(rotate(operators, true, C, noise, error));
  for (size_t k = 0; k < size; k++) noise[k] *= lambda * operators->strength;
  SGF_TRY(sgf_second_moment_stationary(&moment, lambda, noise, Sigma, residual, error));
  SGF_TRY(rotate(operators, false, Sigma, Sigma, error));
done:
  if (status != SGF_OK) sgf_fill_nan(size, Sigma);
  free(noise);
  return status;
}

sgf_status sgf_exact_window(const sgf_multiplicative *operators, double lambda, double first, double stride,
                            double count, double *Sigma, sgf_error *error)
{
  sgf_second_moment moment = moment_of(operators);
  sgf_status status = rotate(operators, true, Sigma, Sigma, error);
  if (status == SGF_OK) status = sgf_second_moment_window(&moment, lambda, first, stride, count, Sigma, error);
  return status == SGF_OK ? rotate(operators, false, Sigma, Sigma, error) : status;
}
