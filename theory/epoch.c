/* Covariance under epoch reshuffling, where the batches of a sweep sum to the full gradient. */
#include "epoch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"

/* sum_{k<m} a^k for a = 1 - rate: accurate for small rates. */
static double geometric_sum(double rate, double m)
{
  if (rate == 0.0) return m;
  if (rate < 1.0) return -expm1(m * log1p(-rate)) / rate;
  return (1.0 - pow(1.0 - rate, m)) / rate;
}

/* What the batches of one epoch have added after m of them, over c: the bracket above. */
static double added(double rate_i, double rate_j, double rate_ij, double m, double M)
{
  return (M * geometric_sum(rate_ij, m) - geometric_sum(rate_i, m) * geometric_sum(rate_j, m)) / (M - 1.0);
}

/* a^k - 1 for a = 1 - rate. */
static double power_less_one(double rate, double k)
{
  return rate < 1.0 ? expm1(k * log1p(-rate)) : pow(1.0 - rate, k) - 1.0;
}

/* The bracket at m = M, M/(M-1) sum_k (a_i^k - mean)(a_j^k - mean): without the cancellation that would leave no
 * digits of s_0 for slow modes, where the gradients of an epoch sum to zero. */
static double added_in_epoch(double rate_i, double rate_j, double M)
{
  double mean_i = 0.0, mean_j = 0.0, sum = 0.0;
  for (double k = 0.0; k < M; k += 1.0) {
    mean_i += power_less_one(rate_i, k) / M;
    mean_j += power_less_one(rate_j, k) / M;
  }
  for (double k = 0.0; k < M; k += 1.0)
    sum += (power_less_one(rate_i, k) - mean_i) * (power_less_one(rate_j, k) - mean_j);
  return sum * M / (M - 1.0);
}

static double epoch_mean(double rate_i, double rate_j, size_t batches, double skipped, double epochs)
{
  double M = (double)batches, rate_ij = rate_i + rate_j - rate_i * rate_j;
  double growth = 0.0, memory = 0.0;
  for (size_t m = 1; m <= batches; m++) {
    growth += added(rate_i, rate_j, rate_ij, (double)m, M) / M;
    memory += (1.0 + power_less_one(rate_ij, (double)m)) / M;
  }
  double start = -added_in_epoch(rate_i, rate_j, M) / power_less_one(rate_ij, M);
  if (epochs > 0.0) {
    double log_x = rate_ij < 1.0 ? M * log1p(-rate_ij) : 0.0;
    start *= 1.0 - sgf_mean_power(1.0 + power_less_one(rate_ij, M), log_x, skipped, 1.0, epochs);
  }
  return growth + memory * start;
}

void sgf_epoch_covariance(const sgf_range *range, double lambda, size_t batches, const double *N, double skipped,
                          double epochs, double *S)
{
  size_t n = range->n, null = n - range->rank;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      bool moves = i >= null && j >= null && batches > 1;
      double rate_i = lambda * range->h[i], rate_j = lambda * range->h[j];
      double value = moves ? lambda * N[i * n + j] * epoch_mean(rate_i, rate_j, batches, skipped, epochs) : 0.0;
      S[i * n + j] = S[j * n + i] = value;
    }
}

/* In the eigenbasis of Sigma_xx: K[a][i][j] = -E[e_a x_i x_j^2] + delta_ij E[x_i^2] E[e_a x_i], shape (N_L, N_0,
 * N_0): what a batch's Hessian and an earlier batch's noise in mode j have in common. X (P, N_0) rotated. */
static void hessian_noise_correlation(const sgf_dataset *data, const double *X, const double *residuals, double *K)
{
  size_t N = data->inputs, P = data->samples;
  for (size_t a = 0; a < data->outputs; a++)
    for (size_t m = 0; m < P; m++) {
      const double *x = X + m * N;
      double e = residuals[m * data->outputs + a] / (double)P;
      for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) K[(a * N + i) * N + j] -= e * x[i] * x[j] * x[j];
    }
  for (size_t i = 0; i < N; i++) {
    double square = 0.0;
    for (size_t m = 0; m < P; m++) square += X[m * N + i] * X[m * N + i] / (double)P;
    for (size_t a = 0; a < data->outputs; a++)
      for (size_t m = 0; m < P; m++)
        K[(a * N + i) * N + i] += square * residuals[m * data->outputs + a] * X[m * N + i] / (double)P;
  }
}

/* Mode i of the periodic mean, path (M): m_{k+1} = (1 - rate_i) m_k + drive sum_j K_ij sum_{l<k} a_j^l. */
static void periodic_mean(size_t N, const double *rates, size_t i, const double *K, double drive, size_t batches,
                          double *path)
{
  double last = 0.0, push;
  for (int pass = 0; pass < 2; pass++) {
    /* from zero first; the second time from the start that closes the orbit, m_0 = last / (1 - a_i^M) */
    double m = pass == 0 ? 0.0 : -last / power_less_one(rates[i], (double)batches);
    for (size_t k = 0; k < batches; k++) {
      push = 0.0;
      for (size_t j = 0; j < N; j++) push += K[j] * geometric_sum(rates[j], (double)k);
      m = (1.0 - rates[i]) * m + drive * push;
      path[k] = m;
    }
    last = m;
  }
}

/* Share of the stationary mean that mode i has reached, averaged over the epochs of the window. */
static double reached(double rate, size_t batches, double skipped, double epochs)
{
  double M = (double)batches, log_x = rate < 1.0 ? M * log1p(-rate) : 0.0;
  if (epochs <= 0.0) return 1.0;
  return 1.0 - sgf_mean_power(1.0 + power_less_one(rate, M), log_x, skipped, 1.0, epochs);
}

sgf_status sgf_epoch_mean(const sgf_dataset *data, const double *residuals, double weight_decay, double lambda,
                          double strength, size_t batches, double skipped, double epochs, double *mean,
                          double *second, sgf_error *error)
{
  size_t N = data->inputs, n = N * data->outputs;
  double *V = NULL, *rates = NULL, *X = NULL, *K = NULL, *paths = NULL, *rotated = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&V, N, N, "modes of Sigma_xx", error));
  SGF_TRY(sgf_new_reals(&rates, N, 1, "eigenvalues of Sigma_xx", error));
  SGF_TRY(sgf_new_reals(&X, data->samples, N, "rotated samples", error));
  SGF_TRY(sgf_new_reals(&K, n, N, "Hessian-noise correlation", error));
  SGF_TRY(sgf_new_reals(&paths, n, batches, "mean over the epoch", error));
  SGF_TRY(sgf_new_reals(&rotated, n, batches, "mean over the epoch", error));
  memcpy(V, data->input_moment, N * N * sizeof *V);
  SGF_TRY(sgf_symmetric_eigen(N, V, rates, "Sigma_xx", error));
  for (size_t i = 0; i < N; i++) rates[i] = lambda * (rates[i] + weight_decay);
  sgf_multiply(data->samples, N, N, SGF_PLAIN, data->X, SGF_TRANSPOSED, V, X);
  hessian_noise_correlation(data, X, residuals, K);
  if (batches > 1)
    for (size_t k = 0; k < n; k++) {
      double share = reached(rates[k % N], batches, skipped, epochs);
      periodic_mean(N, rates, k % N, K + k * N, -lambda * lambda * strength / ((double)batches - 1.0), batches,
                    paths + k * batches);
      for (size_t m = 0; m < batches; m++) paths[k * batches + m] *= share;
    }
  for (size_t a = 0; a < data->outputs; a++)
    sgf_multiply(N, batches, N, SGF_TRANSPOSED, V, SGF_PLAIN, paths + a * N * batches, rotated + a * N * batches);
  sgf_multiply(n, n, batches, SGF_PLAIN, rotated, SGF_TRANSPOSED, rotated, second);
  for (size_t k = 0; k < n * n; k++) second[k] /= (double)batches;
  for (size_t k = 0; k < n; k++) {
    mean[k] = 0.0;
    for (size_t m = 0; m < batches; m++) mean[k] += rotated[k * batches + m] / (double)batches;
  }
done:
  free(V);
  free(rates);
  free(X);
  free(K);
  free(paths);
  free(rotated);
  return status;
}
