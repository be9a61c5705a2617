/* Covariance under epoch reshuffling, where the batches of a sweep sum to the full gradient. */
#include "epoch.h"

#include <math.h>

#include "lyapunov.h"

/* sum_{k<m} a^k for a = 1 - rate: accurate for small rates. */
static double geometric_sum(double rate, double m)
{
  if (rate == 0.0) return m;
  if (rate < 1.0) return -expm1(m * log1p(-rate)) / rate;
  return (1.0 - pow(1.0 - rate, m)) / rate;
}

static double power(double rate, double m)
{
  return rate < 1.0 ? exp(m * log1p(-rate)) : pow(1.0 - rate, m);
}

/* What the batches of one epoch have added after m of them, over c: the bracket above. */
static double added(double rate_i, double rate_j, double rate_ij, double m, double M)
{
  return (M * geometric_sum(rate_ij, m) - geometric_sum(rate_i, m) * geometric_sum(rate_j, m)) / (M - 1.0);
}

static double epoch_mean(double rate_i, double rate_j, size_t batches, double skipped, double epochs)
{
  double M = (double)batches, rate_ij = rate_i + rate_j - rate_i * rate_j;
  double growth = 0.0, memory = 0.0;
  for (size_t m = 1; m <= batches; m++) {
    growth += added(rate_i, rate_j, rate_ij, (double)m, M) / M;
    memory += power(rate_ij, (double)m) / M;
  }
  double start = added(rate_i, rate_j, rate_ij, M, M) / (1.0 - power(rate_ij, M));
  if (epochs > 0.0) {
    double log_x = rate_ij < 1.0 ? M * log1p(-rate_ij) : 0.0;
    start *= 1.0 - sgf_mean_power(power(rate_ij, M), log_x, skipped, 1.0, epochs);
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
