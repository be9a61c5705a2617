/* How long fluctuations are remembered, along many directions: correlation time and time of decay. */
#include "correlation_time.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

#include "linear_algebra.h"
#include "memory.h"
#include "time_dependence_epoch.h"

/* Every lag up to here, then so much further each. */
static const double EVERY_LAG = 64.0, FURTHER = 1.03;
enum { MOST_POINTS = 2048 };

static size_t choose_points(const sgf_time_modes *modes, double *lag)
{
  double last = sgf_last_lag(modes);
  size_t count = 1;
  lag[0] = 0.0;
  while (lag[count - 1] < last && count < MOST_POINTS) {
    double before = lag[count - 1];
    lag[count++] = fmin(before < EVERY_LAG ? before + 1.0 : fmax(before + 1.0, round(FURTHER * before)), last);
  }
  return count;
}

/* Sums for every mode that has a rate. */
static void fill_sums(const sgf_time_modes *modes, double lag, double *factors)
{
  for (size_t i = 0; i < modes->count; i++) {
    sgf_time_factor sum = {0.0, 0.0};
    if (modes->rates[i] > 0.0) sum = sgf_epoch_time_sum(&modes->law, modes->rates[i], lag);
    factors[i] = sum.whole;
    factors[modes->count + i] = sum.step;
  }
}

sgf_status sgf_memory_create(const sgf_time_modes *modes, sgf_memory *memory, sgf_error *error)
{
  size_t width = 2 * modes->count;
  bool epochs = modes->law.batches > 0;
  sgf_status status;
  *memory = (sgf_memory){.modes = modes};
  SGF_TRY(sgf_new_reals(&memory->lag, MOST_POINTS, 1, "lags", error));
  memory->points = choose_points(modes, memory->lag);
  SGF_TRY(sgf_new_reals(&memory->c, memory->points, width, "autocovariances", error));
  if (epochs) SGF_TRY(sgf_new_reals(&memory->sums, memory->points, width, "sums of autocovariances", error));
  if (!epochs) {
    SGF_TRY(sgf_new_reals(&memory->integral, width, 1, "correlation times", error));
    sgf_correlation_time_factors(modes, memory->integral);
  }
  for (size_t p = 0; p < memory->points; p++) {
    sgf_autocovariance_factors(modes, memory->lag[p], memory->c + p * width);
    if (epochs) fill_sums(modes, memory->lag[p], memory->sums + p * width);
  }
done:
  return status;
}

void sgf_memory_free(sgf_memory *memory)
{
  free(memory->lag);
  free(memory->c);
  free(memory->sums);
  free(memory->integral);
  *memory = (sgf_memory){0};
}

/* The first point from 1 on where c (points) is at most `level`; points if there is none. */
static size_t first_below(size_t points, const double *c, double level)
{
  size_t p = 1;
  while (p < points && c[p] > level) p++;
  return p;
}

/* In steps: where the line, of the logarithm if it has one, from point p - 1 to p is at `level`. */
static double crossing(const double *lag, const double *c, size_t p, double level)
{
  double share = (c[p - 1] - level) / (c[p - 1] - c[p]);
  if (c[p] > 0.0 && level > 0.0) share = log(c[p - 1] / level) / log(c[p - 1] / c[p]);
  return lag[p - 1] + share * (lag[p] - lag[p - 1]);
}

/* 1/2 + the sum of c(k)/c(0) before the first k where it is not positive. */
static double sum_to_zero(const sgf_memory *memory, const double *c, const double *weights)
{
  size_t width = 2 * memory->modes->count, end = first_below(memory->points, c, 0.0), last = end - 1;
  double sum = sgf_dot(width, weights, memory->sums + last * width);
  if (end < memory->points) {
    double start = memory->lag[last], slope = (c[end] - c[last]) / (memory->lag[end] - start);
    double more = ceil(crossing(memory->lag, c, end, 0.0) - start) - 1.0;
    if (more > 0.0) sum += more * c[last] + 0.5 * slope * more * (more + 1.0);
  }
  return 0.5 + sum / c[0];
}

sgf_status sgf_memory_times(const sgf_memory *memory, size_t rows, const double *weights, double *correlation,
                            double *decay, sgf_error *error)
{
  size_t width = 2 * memory->modes->count, points = memory->points;
  double step = memory->modes->law.step, *table;
  sgf_status status = sgf_new_reals(&table, rows, points, "autocovariances", error);
  if (status != SGF_OK) return status;
  sgf_multiply(rows, points, width, SGF_PLAIN, weights, SGF_TRANSPOSED, memory->c, table);
  for (size_t r = 0; r < rows; r++) {
    const double *c = table + r * points, *weight = weights + r * width;
    if (memory->sums != NULL)
      correlation[r] = step * sum_to_zero(memory, c, weight);
    else
      correlation[r] = sgf_dot(width, weight, memory->integral) / c[0];
    if (decay == NULL) continue;
    size_t fallen = first_below(points, c, c[0] / M_E);
    decay[r] = fallen < points ? step * crossing(memory->lag, c, fallen, c[0] / M_E) : INFINITY;
  }
  free(table);
  return SGF_OK;
}
