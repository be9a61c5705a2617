/* Moments of theta - theta* over replicas. */
#include "ensemble.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "kernels.h"

/* Snapshots are added to the second moment this many at a time, so that each element is loaded once a block. */
enum { BLOCK = 64 };
/* However large the moments, there are this many rows for the error bars. */
enum { LEAST_ROWS = 24 };

size_t sgf_packed_size(size_t n) { return n * (n + 1) / 2; }

/* As many rows as fit into SGF_ENSEMBLE_MEMORY, of equally many replicas but for the rounding. */
static size_t rows_for(size_t replicas, size_t n)
{
  size_t fitting = SGF_ENSEMBLE_MEMORY / (sgf_packed_size(n) * sizeof(double));
  if (fitting < LEAST_ROWS) fitting = LEAST_ROWS;
  if (replicas <= fitting) return replicas;
  size_t turns = (replicas + fitting - 1) / fitting;
  return (replicas + turns - 1) / turns;
}

sgf_status sgf_ensemble_create(size_t replicas, size_t rows, size_t first, size_t n, bool with_gradients,
                               sgf_ensemble **ensemble, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **ensemble, "ensemble", error);
  sgf_ensemble *made = block;
  *ensemble = NULL;
  if (status != SGF_OK) return status;
  if (rows == 0) rows = rows_for(replicas, n);
  made->first = first;
  made->n = n;
  made->info.replicas = replicas;
  made->info.pools = rows;
  SGF_TRY(sgf_new_reals(&made->second, rows, sgf_packed_size(n), "second moments of the replicas", error));
  SGF_TRY(sgf_new_reals(&made->half_means, 2 * rows, n, "means of the replicas", error));
  if (with_gradients) {
    SGF_TRY(sgf_new_reals(&made->gradient_square, rows, 1, "gradients of the replicas", error));
    SGF_TRY(sgf_new_reals(&made->ends, 2 * replicas, n, "ends of the replicas", error));
  }
  *ensemble = made;
  return SGF_OK;
done:
  sgf_ensemble_free(made);
  return status;
}

sgf_status sgf_ensemble_grow(sgf_ensemble *ensemble, size_t replicas, sgf_error *error)
{
  double *ends;
  if (replicas <= ensemble->info.replicas) return SGF_OK;
  if (ensemble->ends != NULL) {
    sgf_status status = sgf_new_reals(&ends, 2 * replicas, ensemble->n, "ends of the replicas", error);
    if (status != SGF_OK) return status;
    memcpy(ends, ensemble->ends, 2 * ensemble->info.replicas * ensemble->n * sizeof *ends);
    free(ensemble->ends);
    ensemble->ends = ends;
  }
  ensemble->info.replicas = replicas;
  return SGF_OK;
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

static void scale(size_t count, double factor, double *values)
{
  for (size_t k = 0; k < count; k++) values[k] *= factor;
}

static void scale_row(sgf_ensemble *ensemble, size_t row, double factor)
{
  size_t n = ensemble->n, packed = sgf_packed_size(n), balance = ensemble->balance_points * ensemble->balance_size;
  scale(packed, factor, ensemble->second + row * packed);
  scale(2 * n, factor, ensemble->half_means + row * 2 * n);
  if (ensemble->gradient_square != NULL) ensemble->gradient_square[row] *= factor;
  if (ensemble->balance != NULL) scale(balance, factor, ensemble->balance + row * balance);
}

void sgf_ensemble_open_row(sgf_ensemble *ensemble, size_t row, size_t turn)
{
  if (turn > 1) scale_row(ensemble, row, (double)turn);
}

void sgf_ensemble_close_row(sgf_ensemble *ensemble, size_t row, size_t turn)
{
  if (turn > 0) scale_row(ensemble, row, 1.0 / (double)(turn + 1));
}

size_t sgf_accumulator_block(void) { return BLOCK; }

size_t sgf_accumulator_size(const sgf_ensemble *ensemble) { return (BLOCK + 1) * ensemble->n; }

sgf_status sgf_accumulator_create(sgf_ensemble *ensemble, size_t row, size_t expected, sgf_accumulator *accumulator,
                                  sgf_error *error)
{
  *accumulator = (sgf_accumulator){.ensemble = ensemble, .row = row, .expected = expected};
  sgf_status status = sgf_new_reals(&accumulator->block, BLOCK + 1, ensemble->n, "snapshots", error);
  if (status == SGF_OK) accumulator->sum = accumulator->block + BLOCK * ensemble->n;
  return status;
}

void sgf_accumulator_free(sgf_accumulator *accumulator)
{
  free(accumulator->block);
  accumulator->block = accumulator->sum = NULL;
}

static double *second_of(const sgf_accumulator *accumulator)
{
  return accumulator->ensemble->second + accumulator->row * sgf_packed_size(accumulator->ensemble->n);
}

static void add_block(sgf_accumulator *accumulator)
{
  sgf_add_products(accumulator->ensemble->n, accumulator->held, accumulator->block,
                   1.0 / (double)accumulator->expected, second_of(accumulator));
  accumulator->held = 0;
}

void sgf_accumulate(sgf_accumulator *accumulator, const double *theta, const double *reference)
{
  size_t n = accumulator->ensemble->n, first = accumulator->ensemble->first, expected = accumulator->expected;
  size_t half = 2 * accumulator->taken >= expected;
  double share = 1.0 / (double)(half == 0 ? (expected + 1) / 2 : expected / 2);
  double *mean = accumulator->ensemble->half_means + (2 * accumulator->row + half) * n;
  double *delta = accumulator->block + accumulator->held * n;
  for (size_t k = 0; k < n; k++) {
    delta[k] = theta[first + k] - reference[first + k];
    mean[k] += share * delta[k];
    accumulator->sum[k] += delta[k];
  }
  accumulator->taken++;
  if (++accumulator->held == BLOCK) add_block(accumulator);
}

void sgf_accumulator_end(sgf_accumulator *accumulator)
{
  size_t n = accumulator->ensemble->n;
  double taken = (double)accumulator->taken;
  add_block(accumulator);
  if (!accumulator->ensemble->info.centred || accumulator->taken == 0) return;
  scale(n, 1.0 / taken, accumulator->sum);
  sgf_add_products(n, 1, accumulator->sum, -1.0, second_of(accumulator));
}

double sgf_ensemble_form(const sgf_ensemble *ensemble, size_t at, const double *v)
{
  const double *row = ensemble->second + at * sgf_packed_size(ensemble->n);
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
  size_t rows = ensemble->info.pools, packed = sgf_packed_size(ensemble->n);
  double *traces = calloc(rows, sizeof *traces);
  ensemble->info.trace = ensemble->info.trace_se = NAN;
  if (traces == NULL) return;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < ensemble->n; i++) traces[r] += ensemble->second[r * packed + i * (i + 1) / 2 + i];
  ensemble->info.trace = gsl_stats_mean(traces, 1, rows);
  if (rows > 1) ensemble->info.trace_se = gsl_stats_sd(traces, 1, rows) / sqrt((double)rows);
  free(traces);
}

sgf_status sgf_ensemble_moments(const sgf_ensemble *ensemble, double *covariance, double *standard_error,
                                double *mean, sgf_error *error)
{
  size_t n = ensemble->n, packed = sgf_packed_size(n), rows = ensemble->info.pools, index = 0;
  if (rows == 0) return sgf_fail(error, SGF_ERROR_VALUE, "ensemble of 0 replicas has no moments");
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++, index++) {
      const double *elements = ensemble->second + index;
      double average = gsl_stats_mean(elements, packed, rows);
      double se = rows > 1 ? gsl_stats_sd_m(elements, packed, rows, average) / sqrt((double)rows) : NAN;
      if (covariance != NULL) covariance[i * n + j] = covariance[j * n + i] = average;
      if (standard_error != NULL) standard_error[i * n + j] = standard_error[j * n + i] = se;
    }
  for (size_t k = 0; k < n && mean != NULL; k++) mean[k] = gsl_stats_mean(ensemble->half_means + k, n, 2 * rows);
  return SGF_OK;
}
