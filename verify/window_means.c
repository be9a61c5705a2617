/* Correlation times of a simulation, from how much the means of its windows spread: a window of length T about theta* has
 * a mean of variance 2 tau sigma^2 / T along a direction, for T long against tau. */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/time_dependence.h"
#include "comparing.h"
#include "statistics.h"

/* Share of its stationary variance that the slowest mode may lack at the start of a window. */
static const double FORGOTTEN = 0.01;

/* What is compared along every direction: the variance of the window's mean over that within it, (count). */
typedef struct {
  size_t count;
  double *variance;  /* predicted second moment over the window */
  double *of_mean;   /* predicted variance of the window's mean */
  double *means;     /* (rows, count) */
  double *deviation; /* (count), mean of `means` */
} window_means;

/* The stationary variance of the mean over K snapshots, (1/K^2) [ K c(0) + 2 sum_{j < K} (K - j) c(j) ]. */
static sgf_status stationary_of_mean(const sgf_comparing *all, window_means *these, sgf_error *error)
{
  const sgf_plan *plan = &all->ensemble->info.plan;
  size_t snapshots = plan->window_steps / plan->stride, width = 0;
  double K = (double)snapshots, *weights = NULL, *factors = NULL, *sum = NULL;
  sgf_time_modes modes = {0};
  sgf_status status;
  SGF_TRY(sgf_prediction_time_modes(all->problem, all->prediction, &modes, error));
  width = 2 * modes.count;
  SGF_TRY(sgf_new_reals(&weights, these->count, width, "means of windows", error));
  SGF_TRY(sgf_new_reals(&factors, width, 1, "means of windows", error));
  SGF_TRY(sgf_new_reals(&sum, width, 1, "means of windows", error));
  SGF_TRY(sgf_time_weights(&modes, 0, 0, all->n, these->count, all->directions, weights, error));
  for (size_t j = 0; j < snapshots; j++) {
    double share = (j == 0 ? 1.0 : 2.0) * (K - (double)j) / (K * K);
    sgf_autocovariance_factors(&modes, (double)(j * plan->stride), factors);
    for (size_t i = 0; i < width; i++) sum[i] += share * factors[i];
  }
  sgf_multiply(these->count, 1, width, SGF_PLAIN, weights, SGF_PLAIN, sum, these->of_mean);
done:
  sgf_time_modes_free(&modes);
  free(weights);
  free(factors);
  free(sum);
  return status;
}

/* Whether the start of the runs is known to the variance of a window's mean; if not it must be forgotten. */
static bool knows_start(const sgf_comparing *all)
{
  sgf_equation equation = all->problem->settings.theory.equation;
  return equation == SGF_EQUATION_CONTINUUM || equation == SGF_EQUATION_DISCRETE;
}

static bool forgets_start(const sgf_comparing *all)
{
  const sgf_settings *settings = &all->problem->settings;
  double rate = all->prediction->info.relaxation_rate / (1.0 - settings->training.momentum);
  double burn_in = sgf_time_of_step(settings) * (double)all->ensemble->info.plan.burn_in_steps;
  return exp(-2.0 * rate * burn_in) < FORGOTTEN;
}

/* The same of runs that start at theta*, for constant drift and noise. */
static sgf_status predicted_of_mean(const sgf_comparing *all, window_means *these, sgf_error *error)
{
  size_t n = all->n;
  double *Sigma = NULL;
  sgf_status status;
  if (!knows_start(all)) return stationary_of_mean(all, these, error);
  SGF_TRY(sgf_new_reals(&Sigma, n, n, "covariance of the window's mean", error));
  SGF_TRY(sgf_covariance_of_mean(all->problem, &all->prediction->joint, sgf_configured_time(&all->problem->settings),
                                 &all->ensemble->info.plan, Sigma, error));
  for (size_t k = 0; k < these->count; k++) these->of_mean[k] = sgf_quadratic_form(n, Sigma, all->directions + k * n);
done:
  free(Sigma);
  return status;
}

/* The means of every row's windows along the directions, from those of their halves. */
static sgf_status project_means(const sgf_comparing *all, window_means *these, sgf_error *error)
{
  size_t n = all->n;
  double *mean;
  sgf_status status = sgf_new_reals(&mean, n, 1, "means of windows", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < all->rows; r++) {
    sgf_ensemble_row_mean(all->ensemble, r, mean);
    sgf_multiply(these->count, 1, n, SGF_PLAIN, all->directions, SGF_PLAIN, mean, these->means + r * these->count);
  }
  for (size_t k = 0; k < these->count; k++)
    these->deviation[k] = gsl_stats_mean(these->means + k, these->count, all->rows);
  free(mean);
  return SGF_OK;
}

/* Of every row, mean over the directions: replicas in the row times the square of its mean, about that of all rows, over
 * the prediction, less its second moment over the prediction. */
static void compare_rows(sgf_comparing *all, const window_means *these)
{
  const sgf_projection *projection = &all->projection;
  size_t packed = sgf_packed_size(projection->rank), replicas = all->ensemble->info.replicas, rows = all->rows;
  double unbiased = (double)rows / ((double)rows - 1.0);
  for (size_t r = 0; r < rows; r++) {
    double runs = (double)((replicas - r + rows - 1) / rows);
    all->values[r] = 0.0;
    for (size_t k = 0; k < these->count; k++) {
      double x = these->means[r * these->count + k] - these->deviation[k];
      double second = projection->moments[r * packed + k * (k + 1) / 2 + k];
      all->values[r] +=
          (unbiased * runs * x * x / these->of_mean[k] - second / these->variance[k]) / (double)these->count;
    }
  }
}

sgf_status sgf_compare_window_means(sgf_comparing *all, sgf_error *error)
{
  sgf_comparison_info *info = &all->result->info;
  window_means these = {.count = all->result->sets[0].count};
  double *block = NULL, excess, excess_error;
  sgf_status status = SGF_OK;
  info->correlation_ratio = info->correlation_ratio_error = NAN;
  if (sgf_batches_of(all->problem) > 0) return SGF_OK; /* the noise of a whole epoch has no mean */
  if (all->prediction->info.untimed != NULL || all->ensemble->info.recorded || all->ensemble->info.centred ||
      all->ensemble->directions != NULL || these.count == 0 || !(knows_start(all) || forgets_start(all)))
    return SGF_OK;
  SGF_TRY(sgf_new_reals(&block, these.count, all->rows + 3, "means of windows", error));
  these.variance = block;
  these.of_mean = these.variance + these.count;
  these.deviation = these.of_mean + these.count;
  these.means = these.deviation + these.count;
  memcpy(these.variance, all->result->sets[0].predicted, these.count * sizeof *block);
  SGF_TRY(predicted_of_mean(all, &these, error));
  SGF_TRY(project_means(all, &these, error));
  compare_rows(all, &these);
  sgf_mean_and_error(all->values, all->rows, &excess, &excess_error);
  info->correlation_ratio = 1.0 + excess;
  info->correlation_ratio_error = excess_error;
done:
  free(block);
  return status;
}
