/* The slowest modes, run by run: convergence diagnostics by the names of the field, and their autocorrelation time against
 * its prediction. */
#include <math.h>
#include <stdlib.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/time_dependence.h"
#include "chains.h"
#include "comparing.h"

size_t sgf_prediction_slow_modes(const sgf_prediction *prediction, size_t most, const double **modes)
{
  const sgf_range *range = &prediction->joint.range;
  const double *Sigma = sgf_prediction_find(prediction, "covariance");
  const double *variance = sgf_prediction_find(prediction, "variance");
  *modes = NULL;
  if (range->V == NULL || Sigma == NULL || variance == NULL) return 0;
  size_t k = range->n - range->rank;
  while (k < range->n &&
         !(sgf_quadratic_form(range->n, Sigma, range->V + k * range->n) > SGF_ZERO_MODE * variance[0]))
    k++;
  *modes = range->V + k * range->n;
  return range->n - k < most ? range->n - k : most;
}

/* tau in draws, as the estimate with these lags sees it. NaN where the law of motion is not known. */
static sgf_status predict_time(const sgf_comparing *all, const double *mode, double rate, size_t lags, double *time,
                               sgf_error *error)
{
  const sgf_settings *settings = &all->problem->settings;
  const sgf_plan *plan = &all->ensemble->info.plan;
  const sgf_followed *followed = &all->ensemble->followed;
  size_t apart = plan->stride * followed->thin, width;
  double *weights = NULL, *factors = NULL;
  sgf_time_modes modes = {0};
  sgf_time_law law;
  sgf_status status = SGF_OK;
  *time = NAN;
  if (sgf_time_law_of(settings, &law) != NULL) return SGF_OK;
  if (settings->training.momentum == 0.0) {
    double start = (double)plan->burn_in_steps / (double)apart + 1.0;
    *time = sgf_mode_window_time(sgf_mode_correlation(rate, sgf_time_of_step(settings), apart), start,
                                 followed->draws, lags);
    return SGF_OK;
  }
  SGF_TRY(sgf_time_modes_create(&law, &all->prediction->joint.range,
                                sgf_prediction_find(all->prediction, "covariance"), &modes, error));
  width = 2 * modes.count;
  SGF_TRY(sgf_new_reals(&weights, width, 1, "correlation times", error));
  SGF_TRY(sgf_new_reals(&factors, width, 1, "correlation times", error));
  SGF_TRY(sgf_time_weights(&modes, 0, 0, all->n, 1, mode, weights, error));
  sgf_autocovariance_factors(&modes, 0.0, factors);
  double variance = sgf_dot(width, weights, factors), sum = 0.0;
  for (size_t j = 1; j <= lags; j++) {
    sgf_autocovariance_factors(&modes, (double)(j * apart), factors);
    sum += sgf_dot(width, weights, factors);
  }
  *time = 1.0 + 2.0 * sum / variance;
done:
  sgf_time_modes_free(&modes);
  free(weights);
  free(factors);
  return status;
}

/* Mode k of those that are followed. */
static sgf_status diagnose(const sgf_comparing *all, size_t k, const sgf_chains *chains, sgf_mode_diagnostics *seen,
                           sgf_error *error)
{
  const double *mode = all->ensemble->followed.directions + k * all->n;
  double expected = all->mean != NULL ? sgf_dot(all->n, all->mean, mode) : 0.0, predicted;
  double unit = 0.5 * sgf_time_of_step(&all->problem->settings) *
                (double)(all->ensemble->info.plan.stride * all->ensemble->followed.thin);
  sgf_r_hat r_hat;
  sgf_effective_sizes sizes;
  sgf_chain_moments moments;
  sgf_correlation_time time;
  sgf_status status;
  seen->rate = sgf_quadratic_form(all->n, sgf_prediction_find(all->prediction, "hessian"), mode);
  SGF_TRY(sgf_chains_r_hat(chains, &r_hat, error));
  SGF_TRY(sgf_chains_effective_sizes(chains, &sizes, error));
  SGF_TRY(sgf_chains_moments(chains, &moments, error));
  SGF_TRY(sgf_chains_correlation_time(chains, &expected, &time, error));
  SGF_TRY(predict_time(all, mode, seen->rate, time.lags, &predicted, error));
  seen->r_hat = r_hat.most;
  seen->ess_bulk = sizes.bulk;
  seen->ess_tail = sizes.tail;
  seen->mean = moments.mean;
  seen->mcse_mean = moments.mean_error;
  seen->variance = moments.variance;
  seen->mcse_variance = moments.variance_error;
  seen->correlation_time = unit * time.time;
  seen->correlation_time_error = unit * time.error;
  seen->correlation_time_predicted = unit * predicted;
done:
  return status;
}

sgf_status sgf_diagnose_slow_modes(sgf_comparing *all, sgf_error *error)
{
  const sgf_followed *followed = &all->ensemble->followed;
  size_t replicas = all->ensemble->info.replicas;
  sgf_chains chains = {followed->chains < replicas ? followed->chains : replicas, followed->draws, NULL};
  double *values = NULL;
  sgf_status status = SGF_OK;
  if (followed->count == 0 || followed->n != all->n) return SGF_OK;
  SGF_TRY(sgf_new_reals(&values, chains.chains, chains.draws, "draws of the slowest modes", error));
  chains.values = values;
  for (size_t k = 0; k < followed->count && k < SGF_SLOW_MODES; k++) {
    sgf_followed_chains(followed, k, chains.chains, values);
    SGF_TRY(diagnose(all, k, &chains, &all->result->slow[k], error));
    all->result->slow_count = k + 1;
  }
done:
  free(values);
  return status;
}

const sgf_mode_diagnostics *sgf_comparison_get_mode(const sgf_comparison *comparison, size_t k)
{
  return k < comparison->slow_count ? &comparison->slow[k] : NULL;
}

size_t sgf_mode_numbers(const sgf_mode_diagnostics *mode, sgf_number *numbers, size_t capacity)
{
  const sgf_number all[] = {{"rate", mode->rate, false},
                            {"r_hat", mode->r_hat, false},
                            {"ess_bulk", mode->ess_bulk, false},
                            {"ess_tail", mode->ess_tail, false},
                            {"mean", mode->mean, false},
                            {"mcse_mean", mode->mcse_mean, false},
                            {"variance", mode->variance, false},
                            {"mcse_variance", mode->mcse_variance, false},
                            {"correlation_time", mode->correlation_time, false},
                            {"correlation_time_error", mode->correlation_time_error, false},
                            {"correlation_time_predicted", mode->correlation_time_predicted, false}};
  size_t count = sizeof all / sizeof *all;
  for (size_t k = 0; k < count && k < capacity; k++) numbers[k] = all[k];
  return count;
}
