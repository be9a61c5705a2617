/* What tells whether an ensemble can be trusted: mixing of the slowest mode, correlated batches, the leak into the null
 * space, and the z-scores of the exact equation. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "comparing.h"
#include "statistics.h"

/* Below this many independent replicas the tails of z-scores are not those of Student's t. */
enum { Z_TEST_REPLICAS = 100 };

/* The mode of H of the smallest rate among those that fluctuate, of an ensemble of all weights. */
static void slowest_of_range(const sgf_comparing *all, double threshold)
{
  const sgf_range *range = &all->prediction->joint.range;
  size_t k = range->n - range->rank;
  while (k + 1 < range->n && !(sgf_quadratic_form(all->n, all->Sigma, range->V + k * range->n) > threshold)) k++;
  memcpy(all->slowest, range->V + k * range->n, all->n * sizeof *all->slowest);
}

/* The same within the directions of an ensemble: of D H D^T. */
static sgf_status slowest_within(const sgf_comparing *all, double threshold, sgf_error *error)
{
  size_t rank = all->projection.rank, k = 0;
  double *drift = NULL, *rates = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&drift, rank, rank, "drift of the tested directions", error));
  SGF_TRY(sgf_new_reals(&rates, rank, 1, "drift of the tested directions", error));
  SGF_TRY(sgf_covariance_operator_drift(all->prediction->covariance, rank, all->directions, drift, error));
  SGF_TRY(sgf_symmetric_eigen(rank, drift, rates, "drift of the tested directions", error));
  while (k + 1 < rank && !(sgf_quadratic_form(rank, all->Sigma, drift + k * rank) > threshold)) k++;
  memcpy(all->slowest, drift + k * rank, rank * sizeof *all->slowest);
done:
  free(drift);
  free(rates);
  return status;
}

static sgf_status find_slowest(sgf_comparing *all, sgf_error *error)
{
  double threshold = SGF_ZERO_MODE * all->result->sets[0].predicted[0];
  sgf_status status = sgf_new_reals(&all->slowest, all->ensemble->n, 1, "slowest mode", error);
  if (status != SGF_OK) return status;
  if (all->ensemble->directions != NULL) return slowest_within(all, threshold, error);
  slowest_of_range(all, threshold);
  return SGF_OK;
}

/* Split R-hat and effective sample size of the mean, of the slowest mode v: the halves of every window are chains,
 * and v^T S_r v less the mean of the squared half means is the variance within; where S_r is about the window's own mean,
 * half means are too. */
static void diagnose_slowest_mode(sgf_comparing *all)
{
  const double *v = all->slowest;
  size_t R = all->rows, n = all->ensemble->n;
  double within = 0.0, *means = all->values;
  double between = 0.0, total = 0.0;
  for (size_t r = 0; r < R; r++) {
    double a = sgf_dot(n, v, all->ensemble->half_means + 2 * r * n);
    double b = sgf_dot(n, v, all->ensemble->half_means + (2 * r + 1) * n);
    means[r] = 0.5 * (a + b);
    double about = all->ensemble->info.centred ? means[r] : 0.0;
    double halves = 0.5 * ((a - about) * (a - about) + (b - about) * (b - about));
    within += (sgf_ensemble_form(all->ensemble, r, v) - halves) / (double)R;
    between += 0.5 * (a * a + b * b) / (double)R;
    total += means[r] / (double)R;
  }
  between = (between - total * total) * 2.0 * (double)R / (2.0 * (double)R - 1.0);
  double variance = within + between, spread = gsl_stats_variance(means, 1, R);
  all->result->info.r_hat = within > 0.0 ? sqrt(variance / within) : NAN;
  all->result->info.effective_samples = spread > 0.0 ? (double)R * variance / spread : NAN;
  all->result->info.batch_correlation = NAN;
  if (!all->ensemble->info.batches) return;
  for (size_t r = 0; r < R; r++) means[r] = sgf_ensemble_form(all->ensemble, r, v);
  all->result->info.batch_correlation = gsl_stats_lag1_autocorrelation(means, 1, R);
}

/* With the exact equation the null hypothesis is zero deviation: z-scores of all elements, corrected for the skewness
 * of second moments. Their tails are those of Student's t from some hundred independent replicas on only. */
void sgf_test_elements(sgf_comparing *all)
{
  sgf_comparison_info *info = &all->result->info;
  size_t n = all->n, packed = sgf_packed_size(n), index = 0;
  double sum = 0.0;
  info->z_largest = info->z_variance = info->z_p_value = NAN;
  info->z_tested =
      sgf_is_exact(&all->problem->settings) && all->ensemble->second != NULL && all->rows >= Z_TEST_REPLICAS && !all->ensemble->info.batches;
  if (!info->z_tested) return;
  info->z_largest = 0.0;
  info->z_count = packed;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++, index++) {
      double z = sgf_corrected_t(all->ensemble->second + index, packed, all->rows, all->Sigma[i * n + j]);
      if (!(fabs(z) <= info->z_largest)) info->z_largest = fabs(z); /* a NaN gets in and stays */
      sum += z * z;
    }
  info->z_variance = sum / (double)packed;
  info->z_p_value = fmin(1.0, 2.0 * (double)packed * gsl_cdf_tdist_Q(info->z_largest, (double)all->rows - 1.0));
}

/* Share of the measured second moment that lies outside of range(H), and its standard error. */
static void measure_leak(sgf_comparing *all)
{
  sgf_comparison_info *info = &all->result->info;
  const sgf_projection *projection = &all->projection;
  size_t inside = sgf_packed_size(projection->rank);
  double whole = 0.0, leak, leak_error;
  info->null_leak = info->null_leak_error = NAN;
  if (all->ensemble->directions != NULL) return; /* range(H) is more than the directions */
  for (size_t r = 0; r < all->rows; r++) {
    double trace = sgf_ensemble_trace(all->ensemble, r), kept = 0.0;
    for (size_t i = 0; i < projection->rank; i++) kept += projection->moments[r * inside + i * (i + 1) / 2 + i];
    all->values[r] = trace - kept;
    whole += trace / (double)all->rows;
  }
  sgf_mean_and_error(all->values, all->rows, &leak, &leak_error);
  info->null_leak = projection->rank < all->n ? leak / whole : 0.0;
  info->null_leak_error = projection->rank < all->n ? leak_error / whole : 0.0;
}

sgf_status sgf_diagnose(sgf_comparing *all, sgf_error *error)
{
  sgf_status status = find_slowest(all, error);
  if (status != SGF_OK) return status;
  diagnose_slowest_mode(all);
  measure_leak(all);
  return SGF_OK;
}
