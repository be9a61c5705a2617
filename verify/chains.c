/* Convergence diagnostics of chains: R-hat, effective sample sizes, Monte Carlo standard errors, autocorrelation
 * times. */
#include "chains.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_fft_halfcomplex.h>
#include <gsl/gsl_fft_real.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"

/* Fewer draws have halves without a variance. */
enum { LEAST_DRAWS = 4 };

static bool usable(const sgf_chains *chains)
{
  if (chains->chains == 0 || chains->draws < LEAST_DRAWS) return false;
  for (size_t k = 0; k < chains->chains * chains->draws; k++)
    if (!isfinite(chains->values[k])) return false;
  return true;
}

/* --------------------------------------------------- split chains and ranks */

/* Half chains (2R, T/2), what is averaged over them, and room for ranks. */
typedef struct {
  size_t chains, draws, count;
  double *values; /* (chains, draws) the half chains as they are */
  double *scores; /* (chains, draws) made of them: ranks, squares, indicators */
  size_t *order;  /* (count) */
} split;

static void free_split(split *halves)
{
  free(halves->values);
  free(halves->scores);
  free(halves->order);
  *halves = (split){0};
}

static sgf_status make_split(const sgf_chains *chains, split *halves, sgf_error *error)
{
  size_t half = chains->draws / 2, count = 2 * chains->chains * half;
  void *order;
  sgf_status status;
  *halves = (split){.chains = 2 * chains->chains, .draws = half, .count = count};
  SGF_TRY(sgf_new_reals(&halves->values, halves->chains, half, "half chains", error));
  SGF_TRY(sgf_new_reals(&halves->scores, halves->chains, half, "half chains", error));
  SGF_TRY(sgf_allocate(&order, count, 1, sizeof *halves->order, "ranks", error));
  halves->order = order;
  for (size_t r = 0; r < chains->chains; r++) {
    const double *chain = chains->values + r * chains->draws;
    memcpy(halves->values + 2 * r * half, chain, half * sizeof *chain);
    memcpy(halves->values + (2 * r + 1) * half, chain + chains->draws - half, half * sizeof *chain);
  }
done:
  if (status != SGF_OK) free_split(halves);
  return status;
}

/* The q quantile of all half chains, interpolated; leaves them sorted in scores. */
static double quantile(split *halves, double q)
{
  memcpy(halves->scores, halves->values, halves->count * sizeof *halves->values);
  gsl_sort(halves->scores, 1, halves->count);
  return gsl_stats_quantile_from_sorted_data(halves->scores, 1, halves->count, q);
}

/* scores = normal scores of the ranks of scores; equal values share their mean rank. */
static void rank_normalize(split *halves)
{
  size_t count = halves->count, *order = halves->order;
  double *scores = halves->scores;
  gsl_sort_index(order, scores, 1, count);
  for (size_t first = 0, next; first < count; first = next) {
    double value = scores[order[first]];
    for (next = first + 1; next < count && !(scores[order[next]] > value); next++) {
    }
    double rank = 0.5 * (double)(first + 1 + next); /* of first + 1 ... next */
    for (size_t k = first; k < next; k++)
      scores[order[k]] = gsl_cdf_ugaussian_Pinv((rank - 0.375) / ((double)count + 0.25));
  }
}

/* scores = distances of the values from their median. */
static void fold(split *halves)
{
  double median = quantile(halves, 0.5);
  for (size_t k = 0; k < halves->count; k++) halves->scores[k] = fabs(halves->values[k] - median);
}

/* ------------------------------------------------------------------- R-hat */

/* Mean of the variances within chains (divisor draws - 1), and variance of their means, NaN for one chain. */
static void analyse_variance(size_t chains, size_t draws, const double *values, double *within, double *of_means)
{
  double mean = 0.0, squares = 0.0;
  *within = 0.0;
  for (size_t r = 0; r < chains; r++) {
    double own = gsl_stats_mean(values + r * draws, 1, draws), step = own - mean;
    *within += gsl_stats_variance_m(values + r * draws, 1, draws, own) / (double)chains;
    mean += step / (double)(r + 1);
    squares += step * (own - mean);
  }
  *of_means = chains > 1 ? squares / (double)(chains - 1) : NAN;
}

/* sqrt(V+/W), V+ = (1 - 1/n) W + variance of the means. */
static double r_hat_of(const split *halves, const double *values)
{
  double within, of_means;
  analyse_variance(halves->chains, halves->draws, values, &within, &of_means);
  return within > 0.0 ? sqrt(1.0 - 1.0 / (double)halves->draws + of_means / within) : NAN;
}

/* NaN if one of the two is. */
static double larger(double a, double b) { return isnan(a) || isnan(b) ? NAN : fmax(a, b); }
static double smaller(double a, double b) { return -larger(-a, -b); }

sgf_status sgf_chains_r_hat(const sgf_chains *chains, sgf_r_hat *r_hat, sgf_error *error)
{
  split halves = {0};
  sgf_status status = SGF_OK;
  *r_hat = (sgf_r_hat){NAN, NAN, NAN, NAN};
  if (!usable(chains)) goto done;
  SGF_TRY(make_split(chains, &halves, error));
  r_hat->plain = r_hat_of(&halves, halves.values);
  memcpy(halves.scores, halves.values, halves.count * sizeof *halves.values);
  rank_normalize(&halves);
  r_hat->ranks = r_hat_of(&halves, halves.scores);
  fold(&halves);
  rank_normalize(&halves);
  r_hat->folded = r_hat_of(&halves, halves.scores);
  r_hat->most = larger(r_hat->ranks, r_hat->folded);
done:
  free_split(&halves);
  return status;
}

/* --------------------------------------------------------- autocovariances */

/* Length of a transform in which `draws` values do not meet themselves around its end. */
static size_t transform_length(size_t draws)
{
  size_t length = 1;
  while (length < 2 * draws) length *= 2;
  return length;
}

/* power (length) = squared modulus of the transform of the values less their mean, in GSL's half-complex order. */
static void power_spectrum(const double *values, size_t draws, double mean, size_t length, double *power)
{
  for (size_t t = 0; t < draws; t++) power[t] = values[t] - mean;
  memset(power + draws, 0, (length - draws) * sizeof *power);
  gsl_fft_real_radix2_transform(power, 1, length);
  power[0] *= power[0];
  power[length / 2] *= power[length / 2];
  for (size_t k = 1; k < length / 2; k++) {
    power[k] = power[k] * power[k] + power[length - k] * power[length - k];
    power[length - k] = 0.0;
  }
}

/* Sums over all chains of the products of deviations `lag` draws apart, for lags 0 ... draws - 1. mean: what the
 * deviations are from, NULL for the mean of each chain. sums and room (transform_length). */
static void sum_products(size_t chains, size_t draws, const double *values, const double *mean, double *sums,
                         double *room)
{
  size_t length = transform_length(draws);
  memset(sums, 0, length * sizeof *sums);
  for (size_t r = 0; r < chains; r++) {
    const double *chain = values + r * draws;
    power_spectrum(chain, draws, mean != NULL ? *mean : gsl_stats_mean(chain, 1, draws), length, room);
    for (size_t k = 0; k < length; k++) sums[k] += room[k];
  }
  gsl_fft_halfcomplex_radix2_inverse(sums, 1, length);
}

/* --------------------------------------------------- effective sample sizes */

/* 1 + 2 sum of rho by pairs rho_2k + rho_2k+1, as long as they are positive and not above the one before; of the
 * first pair that is not positive, the even one if that is. rho (count). */
static double sum_monotone_pairs(const double *rho, size_t count)
{
  double time = -1.0, previous = INFINITY;
  for (size_t k = 0; 2 * k + 1 < count; k++) {
    double pair = rho[2 * k] + rho[2 * k + 1];
    if (!(pair > 0.0)) return time + fmax(rho[2 * k], 0.0);
    previous = fmin(pair, previous);
    time += 2.0 * previous;
  }
  return time;
}

/* rho_t = 1 - (W - mean autocovariance)/V+: the spread of the means stands for what chains about their own means do
 * not see. */
static sgf_status effective_size(const split *halves, const double *values, double *size, sgf_error *error)
{
  size_t length = transform_length(halves->draws);
  double *rho = NULL, *room = NULL, within, of_means, count = (double)halves->count, n = (double)halves->draws;
  sgf_status status;
  *size = NAN;
  SGF_TRY(sgf_new_reals(&rho, length, 1, "autocorrelations", error));
  SGF_TRY(sgf_new_reals(&room, length, 1, "autocorrelations", error));
  analyse_variance(halves->chains, halves->draws, values, &within, &of_means);
  double pooled = (1.0 - 1.0 / n) * within + of_means;
  if (!(pooled > 0.0)) goto done;
  sum_products(halves->chains, halves->draws, values, NULL, rho, room);
  rho[0] = 1.0;
  for (size_t t = 1; t < halves->draws; t++) rho[t] = 1.0 - (within - rho[t] / count) / pooled;
  *size = count / fmax(sum_monotone_pairs(rho, halves->draws), 1.0 / log10(count));
done:
  free(rho);
  free(room);
  return status;
}

static void square_deviations(split *halves, double mean)
{
  for (size_t k = 0; k < halves->count; k++)
    halves->scores[k] = (halves->values[k] - mean) * (halves->values[k] - mean);
}

/* Of the share of draws up to the q quantile. */
static sgf_status quantile_size(split *halves, double q, double *size, sgf_error *error)
{
  double bound = quantile(halves, q);
  for (size_t k = 0; k < halves->count; k++) halves->scores[k] = halves->values[k] <= bound ? 1.0 : 0.0;
  return effective_size(halves, halves->scores, size, error);
}

sgf_status sgf_chains_effective_sizes(const sgf_chains *chains, sgf_effective_sizes *sizes, sgf_error *error)
{
  split halves = {0};
  double low, high;
  sgf_effective_sizes found;
  sgf_status status = SGF_OK;
  *sizes = (sgf_effective_sizes){NAN, NAN, NAN, NAN};
  if (!usable(chains)) goto done;
  SGF_TRY(make_split(chains, &halves, error));
  SGF_TRY(effective_size(&halves, halves.values, &found.mean, error));
  square_deviations(&halves, gsl_stats_mean(chains->values, 1, chains->chains * chains->draws));
  SGF_TRY(effective_size(&halves, halves.scores, &found.variance, error));
  memcpy(halves.scores, halves.values, halves.count * sizeof *halves.values);
  rank_normalize(&halves);
  SGF_TRY(effective_size(&halves, halves.scores, &found.bulk, error));
  SGF_TRY(quantile_size(&halves, 0.05, &low, error));
  SGF_TRY(quantile_size(&halves, 0.95, &high, error));
  found.tail = smaller(low, high);
  *sizes = found;
done:
  free_split(&halves);
  return status;
}

sgf_status sgf_chains_moments(const sgf_chains *chains, sgf_chain_moments *moments, sgf_error *error)
{
  size_t count = chains->chains * chains->draws;
  sgf_effective_sizes sizes;
  split halves = {0};
  sgf_status status = SGF_OK;
  *moments = (sgf_chain_moments){NAN, NAN, NAN, NAN};
  if (!usable(chains)) goto done;
  SGF_TRY(make_split(chains, &halves, error));
  SGF_TRY(sgf_chains_effective_sizes(chains, &sizes, error));
  moments->mean = gsl_stats_mean(chains->values, 1, count);
  moments->variance = gsl_stats_variance_m(chains->values, 1, count, moments->mean);
  moments->mean_error = sqrt(moments->variance / sizes.mean);
  square_deviations(&halves, moments->mean);
  moments->variance_error = gsl_stats_sd(halves.scores, 1, halves.count) / sqrt(sizes.variance);
done:
  free_split(&halves);
  return status;
}

/* ------------------------------------------------- autocorrelation times */

/* What the mean of all chains takes from every autocovariance: its variance, from the spread of the chains' means. */
static double variance_of_mean(const sgf_chains *chains)
{
  double within, of_means;
  analyse_variance(chains->chains, chains->draws, chains->values, &within, &of_means);
  return chains->chains > 1 ? of_means / (double)chains->chains : 0.0;
}

/* Lags up to the last pair whose sum of autocovariances is positive, none before it being otherwise. */
static size_t positive_lags(const double *covariance, size_t draws, bool *complete)
{
  size_t lags = 0;
  for (size_t t = 0; t + 1 < draws; t += 2) {
    *complete = !(covariance[t] + covariance[t + 1] > 0.0);
    if (*complete) return lags;
    lags = t + 1;
  }
  return lags;
}

/* c_0 + 2 sum of c_t, t <= lags. */
static double sum_covariances(const double *covariance, size_t lags)
{
  double sum = covariance[0];
  for (size_t t = 1; t <= lags; t++) sum += 2.0 * covariance[t];
  return sum;
}

/* Standard error of a ratio of means over chains, N/D: the spread of N_r - (N/D) D_r over sqrt(R) D. `correction`:
 * added to every autocovariance. */
static double ratio_error(const sgf_chains *chains, double mean, double correction, size_t lags, double ratio,
                          double *sums, double *room)
{
  double R = (double)chains->chains, squares = 0.0, total = 0.0, below = 0.0;
  if (chains->chains < 2) return NAN;
  for (size_t r = 0; r < chains->chains; r++) {
    sum_products(1, chains->draws, chains->values + r * chains->draws, &mean, sums, room);
    for (size_t t = 0; t <= lags; t++) sums[t] = sums[t] / (double)(chains->draws - t) + correction;
    double residual = sum_covariances(sums, lags) - ratio * sums[0];
    squares += residual * residual;
    total += residual;
    below += sums[0] / R;
  }
  return sqrt((squares - total * total / R) / (R - 1.0) / R) / below;
}

sgf_status sgf_chains_correlation_time(const sgf_chains *chains, const double *known_mean, sgf_correlation_time *time,
                                       sgf_error *error)
{
  size_t R = chains->chains, T = chains->draws;
  double *covariance = NULL, *room = NULL;
  sgf_status status = SGF_OK;
  *time = (sgf_correlation_time){NAN, NAN, 0, false};
  if (!usable(chains) || (known_mean != NULL && !isfinite(*known_mean))) goto done;
  SGF_TRY(sgf_new_reals(&covariance, transform_length(T), 1, "autocovariances", error));
  SGF_TRY(sgf_new_reals(&room, transform_length(T), 1, "autocovariances", error));
  double mean = known_mean != NULL ? *known_mean : gsl_stats_mean(chains->values, 1, R * T);
  double correction = known_mean != NULL ? 0.0 : variance_of_mean(chains);
  sum_products(R, T, chains->values, &mean, covariance, room);
  for (size_t t = 0; t < T; t++) covariance[t] = covariance[t] / ((double)R * (double)(T - t)) + correction;
  if (!(covariance[0] > 0.0)) goto done;
  time->lags = positive_lags(covariance, T, &time->complete);
  time->time = sum_covariances(covariance, time->lags) / covariance[0];
  time->error = ratio_error(chains, mean, correction, time->lags, time->time, covariance, room);
done:
  free(covariance);
  free(room);
  return status;
}

/* ------------------------------------------------------------- predictions */

double sgf_mode_correlation(double rate, double learning_rate, size_t stride)
{
  double step = learning_rate * rate;
  if (!(step >= 0.0 && step < 2.0)) return NAN;
  return pow(1.0 - step, (double)stride);
}

double sgf_mode_correlation_time(double correlation)
{
  if (!(correlation > -1.0 && correlation <= 1.0)) return NAN;
  return (1.0 + correlation) / (1.0 - correlation);
}

/* 1 - mean over i < count of rho^{2 (start + i)}. */
static double share_of_variance(double correlation, double start, size_t count)
{
  double square = correlation * correlation, rate = -log(square);
  return 1.0 - exp(-start * rate) * -expm1(-rate * (double)count) / ((1.0 - square) * (double)count);
}

double sgf_mode_window_time(double correlation, double start, size_t draws, size_t lags)
{
  double time = 1.0, power = 1.0;
  if (!(fabs(correlation) > 0.0 && fabs(correlation) < 1.0 && start >= 0.0 && lags < draws)) return NAN;
  for (size_t k = 1; k <= lags; k++) {
    power *= correlation;
    time +=
        2.0 * power * share_of_variance(correlation, start, draws - k) / share_of_variance(correlation, start, draws);
  }
  return time;
}
