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

/* Whether draws that are so many steps apart see all positions in an epoch alike. */
static bool sees_all_positions(size_t apart, size_t batches)
{
  while (batches > 0) { /* Euclid */
    size_t rest = apart % batches;
    apart = batches;
    batches = rest;
  }
  return apart == 1;
}

/* tau in draws, as the estimate with these lags sees it. NaN for epochs of which it does not see all positions. */
static sgf_status predict_time(const sgf_comparing *all, const double *mode, size_t lags, double *time,
                               sgf_error *error)
{
  const sgf_plan *plan = &all->ensemble->info.plan;
  const sgf_followed *followed = &all->ensemble->followed;
  size_t apart = plan->stride * followed->thin, width;
  double *weights = NULL, *factors = NULL;
  sgf_time_modes modes = {0};
  sgf_status status;
  *time = NAN;
  SGF_TRY(sgf_prediction_time_modes(all->problem, all->prediction, &modes, error));
  if (modes.law.batches > 0 && !sees_all_positions(apart, modes.law.batches)) goto done;
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

/* Where the state of before is all that a draw knows of the past, and the start at theta* is known: without momentum, for
 * independent draws, and for those at the ends of epochs, whose noises are independent. */
static bool knows_start(const sgf_comparing *all)
{
  size_t batches = sgf_batches_of(all->problem);
  size_t apart = all->ensemble->info.plan.stride * all->ensemble->followed.thin;
  return all->problem->settings.training.momentum == 0.0 && (batches == 0 || apart % batches == 0);
}

/* The same there. A mode relaxes by H, or by the mean drift of the closure. */
static double predict_time_from_start(const sgf_comparing *all, const double *mode, double rate, size_t lags)
{
  const sgf_plan *plan = &all->ensemble->info.plan;
  const sgf_followed *followed = &all->ensemble->followed;
  const sgf_range *averaged = &all->prediction->averaged;
  size_t apart = plan->stride * followed->thin;
  if (averaged->V != NULL) rate = 0.0;
  for (size_t k = averaged->n - averaged->rank; averaged->V != NULL && k < averaged->n; k++) {
    double along = sgf_dot(averaged->n, averaged->V + k * averaged->n, mode);
    rate += averaged->h[k] * along * along;
  }
  return sgf_mode_window_time(sgf_mode_correlation(rate, sgf_time_of_step(&all->problem->settings), apart),
                              (double)plan->burn_in_steps / (double)apart + 1.0, followed->draws, lags);
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
  if (all->prediction->info.untimed != NULL)
    predicted = NAN;
  else if (knows_start(all))
    predicted = predict_time_from_start(all, mode, seen->rate, time.lags);
  else
    SGF_TRY(predict_time(all, mode, time.lags, &predicted, error));
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
