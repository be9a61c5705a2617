/* Moments of theta - theta* over replicas. */
#include "ensemble.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "kernels.h"

/* Snapshots are added to the second moment this many at a time, so that each element is loaded once a block. */
enum { BLOCK = 16 };
/* However large the moments, there are this many rows for the error bars. */
enum { LEAST_POOLS = 24 };

size_t sgf_packed_size(size_t n) { return n * (n + 1) / 2; }

/* As many rows as fit into SGF_ENSEMBLE_MEMORY, of equally many replicas but for the rounding. */
static size_t pools_for(size_t replicas, size_t n)
{
  size_t fitting = SGF_ENSEMBLE_MEMORY / (sgf_packed_size(n) * sizeof(double));
  if (fitting < LEAST_POOLS) fitting = LEAST_POOLS;
  return replicas < fitting ? replicas : fitting;
}

sgf_status sgf_ensemble_create(size_t replicas, size_t pools, size_t first, size_t n, bool with_gradients,
                               sgf_ensemble **ensemble, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **ensemble, "ensemble", error);
  sgf_ensemble *made = block;
  *ensemble = NULL;
  if (status != SGF_OK) return status;
  if (pools == 0) pools = pools_for(replicas, n);
  made->first = first;
  made->n = n;
  made->info.replicas = replicas;
  made->info.pools = pools;
  SGF_TRY(sgf_new_reals(&made->second, pools, sgf_packed_size(n), "second moments of the replicas", error));
  SGF_TRY(sgf_new_reals(&made->half_means, 2 * pools, n, "means of the replicas", error));
  if (with_gradients) {
    SGF_TRY(sgf_new_reals(&made->gradient_square, pools, 1, "gradients of the replicas", error));
    SGF_TRY(sgf_new_reals(&made->ends, 2 * replicas, n, "ends of the replicas", error));
  }
  *ensemble = made;
  return SGF_OK;
done:
  sgf_ensemble_free(made);
  return status;
}

void sgf_ensemble_free(sgf_ensemble *ensemble)
{
  if (ensemble == NULL) return;
  for (size_t l = 0; l < ensemble->layers; l++) sgf_ensemble_free(ensemble->alone[l]);
  free(ensemble->alone);
  free(ensemble->second);
  free(ensemble->half_means);
  free(ensemble->gradient_square);
  free(ensemble->balance);
  free(ensemble->ends);
  free(ensemble);
}

const sgf_ensemble_info *sgf_ensemble_get_info(const sgf_ensemble *ensemble) { return &ensemble->info; }

void sgf_ensemble_pool(const sgf_ensemble *ensemble, size_t pool, size_t *first, size_t *last)
{
  size_t replicas = ensemble->info.replicas, pools = ensemble->info.pools;
  *first = pool * replicas / pools;
  *last = (pool + 1) * replicas / pools;
}

sgf_status sgf_accumulator_create(sgf_ensemble *ensemble, size_t pool, sgf_accumulator *accumulator, sgf_error *error)
{
  memset(accumulator, 0, sizeof *accumulator);
  accumulator->ensemble = ensemble;
  accumulator->pool = pool;
  sgf_status status = sgf_new_reals(&accumulator->block, BLOCK + 1, ensemble->n, "snapshots", error);
  if (status == SGF_OK) accumulator->sum = accumulator->block + BLOCK * ensemble->n;
  return status;
}

static double *row_of(const sgf_accumulator *accumulator)
{
  return accumulator->ensemble->second + accumulator->pool * sgf_packed_size(accumulator->ensemble->n);
}

static void add_block(sgf_accumulator *accumulator)
{
  sgf_add_products(accumulator->ensemble->n, accumulator->held, accumulator->block, 1.0, row_of(accumulator));
  accumulator->held = 0;
}

void sgf_accumulator_begin(sgf_accumulator *accumulator, size_t expected)
{
  accumulator->expected = expected;
  accumulator->taken = 0;
  memset(accumulator->sum, 0, accumulator->ensemble->n * sizeof *accumulator->sum);
}

void sgf_accumulate(sgf_accumulator *accumulator, const double *theta, const double *reference)
{
  size_t n = accumulator->ensemble->n, first = accumulator->ensemble->first;
  size_t half = 2 * accumulator->taken >= accumulator->expected;
  double *mean = accumulator->ensemble->half_means + (2 * accumulator->pool + half) * n;
  double *delta = accumulator->block + accumulator->held * n;
  for (size_t k = 0; k < n; k++) {
    delta[k] = theta[first + k] - reference[first + k];
    mean[k] += delta[k];
    accumulator->sum[k] += delta[k];
  }
  accumulator->halves[half]++;
  accumulator->taken++;
  accumulator->total++;
  if (++accumulator->held == BLOCK) add_block(accumulator);
}

void sgf_accumulator_end(sgf_accumulator *accumulator)
{
  size_t n = accumulator->ensemble->n;
  add_block(accumulator);
  if (!accumulator->ensemble->info.centred || accumulator->taken == 0) return;
  for (size_t k = 0; k < n; k++) accumulator->sum[k] /= sqrt((double)accumulator->taken);
  sgf_add_products(n, 1, accumulator->sum, -1.0, row_of(accumulator));
}

void sgf_accumulator_finish(sgf_accumulator *accumulator)
{
  sgf_ensemble *ensemble = accumulator->ensemble;
  size_t n = ensemble->n, packed = sgf_packed_size(n);
  double *second = row_of(accumulator), *means = ensemble->half_means + 2 * accumulator->pool * n;
  for (size_t k = 0; k < packed; k++) second[k] /= (double)accumulator->total;
  for (size_t half = 0; half < 2; half++)
    for (size_t k = 0; k < n; k++) means[half * n + k] /= fmax((double)accumulator->halves[half], 1.0);
  free(accumulator->block);
  accumulator->block = accumulator->sum = NULL;
}

double sgf_ensemble_form(const sgf_ensemble *ensemble, size_t pool, const double *v)
{
  const double *row = ensemble->second + pool * sgf_packed_size(ensemble->n);
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
  size_t replicas = ensemble->info.pools, packed = sgf_packed_size(ensemble->n);
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
  size_t n = ensemble->n, packed = sgf_packed_size(n), replicas = ensemble->info.pools, index = 0;
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
