/* Moments of theta - theta* over replicas. */
#include "ensemble.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"

/* Snapshots are added to the second moment this many at a time, so that each element is loaded once a block. */
enum { BLOCK = 16 };

size_t sgf_packed_size(size_t n) { return n * (n + 1) / 2; }

sgf_status sgf_ensemble_create(size_t replicas, size_t n, bool with_gradients, sgf_ensemble **ensemble,
                               sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **ensemble, "ensemble", error);
  sgf_ensemble *made = block;
  *ensemble = NULL;
  if (status != SGF_OK) return status;
  made->n = n;
  made->info.replicas = replicas;
  SGF_TRY(sgf_new_reals(&made->second, replicas, sgf_packed_size(n), "second moments of the replicas", error));
  SGF_TRY(sgf_new_reals(&made->half_means, 2 * replicas, n, "means of the replicas", error));
  SGF_TRY(sgf_new_reals(&made->growth, replicas, 1, "growth of the replicas", error));
  if (with_gradients) SGF_TRY(sgf_new_reals(&made->gradient_square, replicas, 1, "gradients of the replicas", error));
  *ensemble = made;
  return SGF_OK;
done:
  sgf_ensemble_free(made);
  return status;
}

void sgf_ensemble_free(sgf_ensemble *ensemble)
{
  if (ensemble == NULL) return;
  free(ensemble->second);
  free(ensemble->half_means);
  free(ensemble->gradient_square);
  free(ensemble->growth);
  free(ensemble);
}

const sgf_ensemble_info *sgf_ensemble_get_info(const sgf_ensemble *ensemble) { return &ensemble->info; }

sgf_status sgf_accumulator_create(sgf_ensemble *ensemble, size_t replica, size_t expected,
                                  sgf_accumulator *accumulator, sgf_error *error)
{
  *accumulator = (sgf_accumulator){ensemble, replica, expected, 0, 0, NULL};
  return sgf_new_reals(&accumulator->block, BLOCK, ensemble->n, "snapshots", error);
}

static void add_block(sgf_accumulator *accumulator)
{
  size_t n = accumulator->ensemble->n;
  double *second = accumulator->ensemble->second + accumulator->replica * sgf_packed_size(n);
  for (size_t i = 0; i < n; i++, second += i)
    for (size_t k = 0; k < accumulator->held; k++) {
      const double *delta = accumulator->block + k * n;
      double factor = delta[i];
#pragma omp simd
      for (size_t j = 0; j <= i; j++) second[j] += factor * delta[j];
    }
  accumulator->held = 0;
}

void sgf_accumulate(sgf_accumulator *accumulator, const double *theta, const double *reference)
{
  size_t n = accumulator->ensemble->n, half = 2 * accumulator->taken >= accumulator->expected;
  double *mean = accumulator->ensemble->half_means + (2 * accumulator->replica + half) * n;
  double *delta = accumulator->block + accumulator->held * n;
  for (size_t k = 0; k < n; k++) {
    delta[k] = theta[k] - reference[k];
    mean[k] += delta[k];
  }
  accumulator->taken++;
  if (++accumulator->held == BLOCK) add_block(accumulator);
}

void sgf_accumulator_finish(sgf_accumulator *accumulator)
{
  sgf_ensemble *ensemble = accumulator->ensemble;
  size_t n = ensemble->n, packed = sgf_packed_size(n);
  size_t first_half = (accumulator->taken + 1) / 2, second_half = accumulator->taken - first_half;
  double *means = ensemble->half_means + 2 * accumulator->replica * n;
  add_block(accumulator);
  for (size_t k = 0; k < packed; k++)
    ensemble->second[accumulator->replica * packed + k] /= (double)accumulator->taken;
  for (size_t k = 0; k < n; k++) {
    means[k] /= (double)first_half;
    means[n + k] /= second_half > 0 ? (double)second_half : 1.0;
  }
  free(accumulator->block);
  accumulator->block = NULL;
}

double sgf_ensemble_form(const sgf_ensemble *ensemble, size_t replica, const double *v)
{
  const double *row = ensemble->second + replica * sgf_packed_size(ensemble->n);
  double form = 0.0;
  for (size_t i = 0; i < ensemble->n; i++, row += i) {
    double sum = 0.5 * row[i] * v[i];
    for (size_t j = 0; j < i; j++) sum += row[j] * v[j];
    form += 2.0 * v[i] * sum;
  }
  return form;
}

void sgf_ensemble_summarize(sgf_ensemble *ensemble)
{
  size_t replicas = ensemble->info.replicas, packed = sgf_packed_size(ensemble->n);
  double *traces = calloc(replicas, sizeof *traces);
  ensemble->info.trace = ensemble->info.trace_se = NAN;
  if (traces == NULL) return;
  for (size_t r = 0; r < replicas; r++)
    for (size_t i = 0; i < ensemble->n; i++) traces[r] += ensemble->second[r * packed + i * (i + 1) / 2 + i];
  ensemble->info.trace = gsl_stats_mean(traces, 1, replicas);
  if (replicas > 1) ensemble->info.trace_se = gsl_stats_sd(traces, 1, replicas) / sqrt((double)replicas);
  free(traces);
}

sgf_status sgf_ensemble_moments(const sgf_ensemble *ensemble, double *covariance, double *standard_error,
                                double *mean, sgf_error *error)
{
  size_t n = ensemble->n, packed = sgf_packed_size(n), replicas = ensemble->info.replicas, index = 0;
  if (replicas == 0) return sgf_fail(error, SGF_ERROR_VALUE, "ensemble of 0 replicas has no moments");
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++, index++) {
      const double *elements = ensemble->second + index;
      double average = gsl_stats_mean(elements, packed, replicas);
      double se = replicas > 1 ? gsl_stats_sd_m(elements, packed, replicas, average) / sqrt((double)replicas) : NAN;
      if (covariance != NULL) covariance[i * n + j] = covariance[j * n + i] = average;
      if (standard_error != NULL) standard_error[i * n + j] = standard_error[j * n + i] = se;
    }
  for (size_t k = 0; k < n && mean != NULL; k++) mean[k] = gsl_stats_mean(ensemble->half_means + k, n, 2 * replicas);
  return SGF_OK;
}
