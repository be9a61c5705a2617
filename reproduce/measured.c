/* Statistics of a measured covariance with their standard errors. */
#include "measured.h"

#include <gsl/gsl_fit.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/flatness.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../verify/ensemble.h"

enum { GROUPS = 24 };

/* ---------------------------------------------------------------------- jackknife */

/* Sum over the rows that are not of `left_out` (GROUPS: of all), as a matrix. */
static void mean_without(const sgf_ensemble *ensemble, size_t groups, size_t left_out, size_t first, size_t n,
                         double *Sigma)
{
  size_t rows = ensemble->info.pools, packed = sgf_packed_size(ensemble->n), count = 0;
  memset(Sigma, 0, n * n * sizeof *Sigma);
  for (size_t r = 0; r < rows; r++) {
    if (r % groups == left_out) continue;
    for (size_t i = 0; i < n; i++) {
      size_t row = first + i;
      const double *element = ensemble->second + r * packed + row * (row + 1) / 2 + first;
      for (size_t j = 0; j <= i; j++) Sigma[i * n + j] += element[j];
    }
    count++;
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) Sigma[j * n + i] = Sigma[i * n + j] /= (double)count;
}

sgf_status measured_statistic(const sgf_ensemble *ensemble, size_t first, size_t n, covariance_statistic statistic,
                              bool unbiased, const void *context, size_t count, double *values, double *errors,
                              sgf_error *error)
{
  size_t groups = ensemble->info.pools < GROUPS ? ensemble->info.pools : GROUPS;
  double *Sigma = NULL, *without;
  sgf_status status;
  if (groups < 4)
    return sgf_fail(error, SGF_ERROR_VALUE, "%zu rows of moments are too few for a standard error", groups);
  SGF_TRY(sgf_new_reals(&Sigma, n * n + groups * count, 1, "covariance", error));
  without = Sigma + n * n;
  mean_without(ensemble, groups, groups, first, n, Sigma);
  SGF_TRY(statistic(n, Sigma, context, values, error));
  for (size_t g = 0; g < groups; g++) {
    mean_without(ensemble, groups, g, first, n, Sigma);
    SGF_TRY(statistic(n, Sigma, context, without + g * count, error));
  }
  for (size_t k = 0; k < count; k++) {
    if (unbiased)
      values[k] = (double)groups * values[k] - (double)(groups - 1) * gsl_stats_mean(without + k, count, groups);
    errors[k] = (double)(groups - 1) / sqrt((double)groups) * gsl_stats_sd(without + k, count, groups);
  }
done:
  free(Sigma);
  return status;
}

/* ---------------------------------------------------------------------- statistics */

sgf_status principal_numbers(size_t n, const double *Sigma, const void *context, double *values, sgf_error *error)
{
  double *directions = NULL, *variance, *curvature, slope, intercept, ignored;
  size_t kept = 0;
  sgf_status status;
  for (size_t k = 0; k < PRINCIPAL_NUMBERS; k++) values[k] = NAN;
  SGF_TRY(sgf_new_reals(&directions, n + 2, n, "principal directions", error));
  variance = directions + n * n;
  curvature = variance + n;
  SGF_TRY(sgf_principal_directions(n, Sigma, context, directions, variance, curvature, error));
  double most = gsl_stats_max(curvature, 1, n);
  for (size_t k = 0; k < n; k++) {
    if (!(variance[k] > 1e-10 * variance[0]) || !(curvature[k] > 1e-10 * most)) continue;
    variance[kept] = log(variance[k]);
    curvature[kept++] = log(curvature[k]);
  }
  if (kept < 3) goto done;
  values[VARIANCE_SPREAD] = exp(gsl_stats_max(variance, 1, kept) - gsl_stats_min(variance, 1, kept));
  values[CURVATURE_SPREAD] = exp(gsl_stats_max(curvature, 1, kept) - gsl_stats_min(curvature, 1, kept));
  values[LOG_CORRELATION] = gsl_stats_correlation(variance, 1, curvature, 1, kept);
  gsl_fit_linear(curvature, 1, variance, 1, kept, &intercept, &slope, &ignored, &ignored, &ignored, &ignored);
  values[LOG_SLOPE] = slope;
done:
  free(directions);
  return status;
}

sgf_status irreversible_share(size_t n, const double *Sigma, const void *context, double *values, sgf_error *error)
{
  double *Q;
  sgf_status status = sgf_new_reals(&Q, 2 * n, n, "Q", error);
  values[0] = NAN;
  if (status != SGF_OK) return status;
  double *HS = Q + n * n;
  sgf_multiply(n, n, n, SGF_PLAIN, context, SGF_PLAIN, Sigma, HS);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) Q[i * n + j] = 0.5 * (HS[i * n + j] - HS[j * n + i]);
  values[0] = sgf_norm(n * n, Q) / sgf_norm(n * n, Sigma);
  free(Q);
  return SGF_OK;
}
