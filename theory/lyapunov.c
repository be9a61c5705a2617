/* Stationary covariance for constant drift and noise, in the eigenbasis of H. */
#include "lyapunov.h"

#include <math.h>

#include "heavy_ball.h"

void sgf_lyapunov(const sgf_range *range, double lambda, const double *N, double *S)
{
  size_t n = range->n, null = n - range->rank;
  const double *h = range->h;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      bool inside = i >= null && j >= null;
      double value = inside ? N[i * n + j] * sgf_pair_response(lambda, 0.0, h[i], h[j]) : 0.0;
      S[i * n + j] = S[j * n + i] = value;
    }
}

/* Geometric sum x^first (1 - x^(stride count)) / (1 - x^stride) / count; expm1 keeps the digits near x = 1. */
double sgf_mean_power(double x, double log_x, double first, double stride, double count)
{
  if (x == 0.0) return first == 0.0 ? 1.0 / count : 0.0;
  if (x > 0.0) {
    double whole = expm1(log_x * stride * count), one = expm1(log_x * stride);
    return one == 0.0 ? exp(log_x * first) : exp(log_x * first) * whole / one / count;
  }
  double step = pow(x, stride);
  if (step == 1.0) return pow(x, first);
  return pow(x, first) * (1.0 - pow(step, count)) / (1.0 - step) / count;
}

double sgf_relaxed_share(double lambda, bool discrete, double h, double other, double first, double stride,
                         double count)
{
  double sum = lambda * (h + other), product = lambda * lambda * h * other;
  double x = discrete ? 1.0 - sum + product : exp(-sum);
  double log_x = discrete ? log1p(product - sum) : -sum;
  return 1.0 - sgf_mean_power(x, log_x, first, stride, count);
}

void sgf_lyapunov_window(const sgf_range *range, double lambda, bool discrete, double first, double stride,
                         double count, double *S)
{
  size_t n = range->n;
  const double *h = range->h;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      double value = S[i * n + j] * sgf_relaxed_share(lambda, discrete, h[i], h[j], first, stride, count);
      S[i * n + j] = S[j * n + i] = value;
    }
}

double sgf_lyapunov_residual(size_t n, const double *H, double lambda, const double *S, const double *N, double *work)
{
  return sgf_heavy_ball_residual(n, H, lambda, 0.0, S, N, work);
}
