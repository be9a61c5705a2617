/* Recorded weights in time: correlation times, autocovariance and displacement along sets of directions, against those
 * of the theory for the same snapshots. */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/time_dependence.h"
#include "comparing.h"
#include "statistics.h"

/* Lags in snapshots are at most this share of a run, and so many. */
enum { SHARE_OF_RUN = 4, MOST_LAGS = 1000, POINTS = 12 };
/* A direction's autocorrelations are summed until they are below the first, and not at all unless the first one is above
 * the second: what forgets between two snapshots shows no correlation time. */
static const double FORGOTTEN = 0.05, REMEMBERED = 0.1;
/* Displacement is looked at up to the lag where so much of the correlation is left. */
static const double LAST_POINT = 0.1;

typedef struct {
  sgf_comparing *all;
  const sgf_mode_source *source;
  size_t count, rows, length;        /* directions; independent rows; snapshots of a run */
  double spacing;                    /* continuum time between snapshots */
  size_t lags;                       /* of the table: 0 ... lags */
  double *inside;                    /* (count, rank), directions in those of the projection */
  double *centre;                    /* (count), predicted mean along them */
  double *c;                         /* (most lags + 1, count), predicted autocovariance */
  size_t *ends;                      /* (count), last lag of the sum; 0: the direction is not summed */
  size_t kept;                       /* directions that are */
  size_t middle;                     /* lag where half of the correlation is left */
  size_t points, *point;             /* lags of the displacement */
  double *moments;                   /* of the rows, all that follows */
  double *above, *below, *at_middle; /* (rows, count), summed to the end; variance; autocovariance at `middle` */
  double *moved;                     /* (rows, points), displacement */
} times;

static void free_times(times *these)
{
  free(these->inside);
  free(these->centre);
  free(these->c);
  free(these->ends);
  free(these->moments);
}

/* ------------------------------------------------------------- predictions */

/* Mean over the directions of their correlation at a lag; weighted: of all together. */
static double correlation_at(const times *these, size_t lag, bool weighted)
{
  double sum = 0.0, whole = 0.0;
  for (size_t k = 0; k < these->count; k++) {
    double variance = these->c[k], weight = weighted ? variance : 1.0;
    sum += weight * these->c[lag * these->count + k] / variance;
    whole += weight;
  }
  return sum / whole;
}

/* What is summed, and where the autocovariance and the displacement are looked at. */
static void choose_lags(times *these)
{
  size_t last = 1;
  for (size_t k = 0; k < these->count; k++) {
    const double *c = these->c + k;
    size_t end = 1, step = these->count;
    while (end < these->lags && fabs(c[end * step]) >= FORGOTTEN * c[0]) end++;
    these->ends[k] = c[step] >= REMEMBERED * c[0] ? end : 0;
    these->kept += these->ends[k] > 0;
  }
  these->middle = 1;
  while (these->middle < these->lags && correlation_at(these, these->middle, false) > 0.5) these->middle++;
  while (last < these->lags && correlation_at(these, last, true) > LAST_POINT) last++;
  for (size_t k = 0; k < POINTS; k++) {
    size_t lag = (size_t)round(pow((double)last, (double)k / (POINTS - 1)));
    if (these->points == 0 || lag > these->point[these->points - 1]) these->point[these->points++] = lag;
  }
}

/* c at the snapshots' lags, until all directions have forgotten. */
static sgf_status predict_times(times *these, const sgf_time_modes *modes, sgf_error *error)
{
  const sgf_mode_source *source = these->source;
  size_t width = 2 * modes->count, most = these->length / SHARE_OF_RUN, stride = these->all->ensemble->stride;
  double *weights = NULL, *factors = NULL;
  sgf_status status;
  if (most > MOST_LAGS) most = MOST_LAGS;
  SGF_TRY(sgf_new_reals(&these->c, most + 1, these->count, "predicted autocovariance", error));
  SGF_TRY(sgf_new_reals(&weights, these->count, width, "directions in time", error));
  SGF_TRY(sgf_new_reals(&factors, width, 1, "directions in time", error));
  SGF_TRY(sgf_time_weights(modes, source->layer, source->first, source->size, these->count, source->directions,
                           weights, error));
  bool remembered = true;
  for (size_t lag = 0; lag <= most && remembered; lag++) {
    double *c = these->c + lag * these->count;
    sgf_autocovariance_factors(modes, (double)(lag * stride), factors);
    sgf_multiply(these->count, 1, width, SGF_PLAIN, weights, SGF_PLAIN, factors, c);
    remembered = lag < 1;
    for (size_t k = 0; k < these->count; k++) remembered = remembered || fabs(c[k]) >= FORGOTTEN * these->c[k];
    these->lags = lag;
  }
  choose_lags(these);
done:
  free(weights);
  free(factors);
  return status;
}

static sgf_status predict(times *these, sgf_error *error)
{
  sgf_time_modes modes = {0};
  sgf_status status;
  SGF_TRY(sgf_prediction_time_modes(these->all->problem, these->all->prediction, &modes, error));
  these->spacing = modes.law.step * (double)these->all->ensemble->stride;
  SGF_TRY(predict_times(these, &modes, error));
done:
  sgf_time_modes_free(&modes);
  return status;
}

/* ------------------------------------------------------------ measurements */

/* The directions of the source in those of the projection: what of them is on the range. And the mean along them, about
 * which autocovariances are: of reshuffled epochs that over an epoch (its change within one is of higher order), and of
 * the closure. */
static sgf_status into_projection(times *these, sgf_error *error)
{
  const sgf_projection *projection = &these->all->projection;
  const sgf_mode_source *source = these->source;
  size_t rank = projection->rank, size = source->size;
  double *columns = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&these->inside, these->count, rank, "directions", error));
  SGF_TRY(sgf_new_reals(&columns, rank, size, "directions", error));
  for (size_t k = 0; k < rank; k++)
    memcpy(columns + k * size, projection->directions + k * projection->n + source->first, size * sizeof *columns);
  sgf_multiply(these->count, rank, size, SGF_PLAIN, source->directions, SGF_TRANSPOSED, columns, these->inside);
  SGF_TRY(sgf_new_reals(&these->centre, these->count, 1, "mean along the directions", error));
  if (these->all->mean == NULL) goto done;
  const double *mean = these->all->mean; /* of an ensemble on directions it is along these already */
  if (these->all->ensemble->directions == NULL) {
    sgf_multiply(rank, 1, projection->n, SGF_PLAIN, projection->directions, SGF_PLAIN, mean, columns);
    mean = columns;
  }
  sgf_multiply(these->count, 1, rank, SGF_PLAIN, these->inside, SGF_PLAIN, mean, these->centre);
done:
  free(columns);
  return status;
}

/* Mean of y(t) y(t + lag), and of the square of y(t + lag) - y(t). */
static double product_at(size_t length, const double *y, size_t lag)
{
  return sgf_dot(length - lag, y, y + lag) / (double)(length - lag);
}
static double square_at(size_t length, const double *y, size_t lag)
{
  double sum = 0.0;
  for (size_t t = 0; t + lag < length; t++) sum += (y[t + lag] - y[t]) * (y[t + lag] - y[t]);
  return sum / (double)(length - lag);
}

/* One run, y (count, length), into its row with a weight of `share`. */
static void measure_run(times *these, const double *y, size_t row, double share)
{
  size_t count = these->count, length = these->length;
  for (size_t k = 0; k < count; k++, y += length) {
    double variance = product_at(length, y, 0), sum = 0.5 * variance;
    for (size_t lag = 1; lag <= these->ends[k]; lag++) sum += product_at(length, y, lag);
    these->above[row * count + k] += share * these->spacing * sum;
    these->below[row * count + k] += share * variance;
    these->at_middle[row * count + k] += share * product_at(length, y, these->middle);
    for (size_t p = 0; p < these->points; p++)
      these->moved[row * these->points + p] += share * square_at(length, y, these->point[p]);
  }
}

/* x (length, rank) of a run: its snapshots on the projection's directions. */
static const double *project_run(const times *these, size_t run, double *room)
{
  const sgf_ensemble *ensemble = these->all->ensemble;
  const sgf_projection *projection = &these->all->projection;
  const double *snapshots = ensemble->snapshots + run * these->length * ensemble->n;
  if (ensemble->directions != NULL) return snapshots;
  sgf_multiply(these->length, projection->rank, ensemble->n, SGF_PLAIN, snapshots, SGF_TRANSPOSED,
               projection->directions, room);
  return room;
}

static sgf_status measure(times *these, sgf_error *error)
{
  size_t rank = these->all->projection.rank, rows = these->rows, runs = these->all->ensemble->info.replicas;
  double *x = NULL, *y = NULL;
  sgf_status status;
  SGF_TRY(into_projection(these, error));
  SGF_TRY(sgf_new_reals(&these->moments, rows, 3 * these->count + these->points, "time dependence", error));
  these->above = these->moments;
  these->below = these->above + rows * these->count;
  these->at_middle = these->below + rows * these->count;
  these->moved = these->at_middle + rows * these->count;
  SGF_TRY(sgf_new_reals(&x, these->length, rank, "snapshots on the directions", error));
  SGF_TRY(sgf_new_reals(&y, these->count, these->length, "snapshots on the directions", error));
  for (size_t run = 0; run < runs; run++) {
    size_t row = run % rows;
    sgf_multiply(these->count, these->length, rank, SGF_PLAIN, these->inside, SGF_TRANSPOSED,
                 project_run(these, run, x), y);
    for (size_t at = 0; at < these->count * these->length; at++) y[at] -= these->centre[at / these->length];
    measure_run(these, y, row, 1.0 / (double)((runs - row + rows - 1) / rows));
  }
done:
  free(x);
  free(y);
  return status;
}

/* ------------------------------------------------------------- comparisons */

/* The time of a direction that the theory has for the same sum. */
static double predicted_time(const times *these, size_t k)
{
  double sum = 0.5 * these->c[k];
  for (size_t lag = 1; lag <= these->ends[k]; lag++) sum += these->c[lag * these->count + k];
  return these->spacing * sum / these->c[k];
}

static double mean_of_rows(const times *these, const double *values, size_t k)
{
  return gsl_stats_mean(values + k, these->count, these->rows);
}

static void name_quantity(const times *these, const char *name, char *text, size_t capacity)
{
  snprintf(text, capacity, "%s%s", these->source->prefix, name);
}

/* All that are summed together: root mean square of the relative deviations, by sum - time variance, which has no bias
 * that a ratio would have. */
static sgf_status compare_correlation_times(times *these, const sgf_time_set *set, sgf_error *error)
{
  double *vectors;
  char name[48];
  sgf_status status = sgf_new_reals(&vectors, these->rows, these->kept, "correlation times", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < these->rows; r++)
    for (size_t k = 0, at = 0; k < these->count; k++) {
      if (these->ends[k] == 0) continue;
      double time = set->predicted[at], variance = these->c[k];
      double excess = these->above[r * these->count + k] - time * these->below[r * these->count + k];
      vectors[r * these->kept + at++] = excess / (time * variance * sqrt((double)these->kept));
    }
  name_quantity(these, "correlation_times", name, sizeof name);
  status = sgf_add_norm(these->all, name, vectors, these->kept, 1.0, error);
  free(vectors);
  return status;
}

/* The exponent x of time ~ flatness^x = curvature^(-x/2), and its deviation as that of the time across one standard
 * deviation of log curvature, in the way of psi. */
static sgf_status compare_exponent(times *these, const sgf_time_set *set, sgf_error *error)
{
  size_t rows = these->rows, kept = these->kept, at = 0;
  double *x, *values = these->all->values, predicted = 0.0, measured = 0.0, average, slope_error;
  char name[48];
  sgf_status status = sgf_new_reals(&x, kept, 1, "correlation times", error);
  if (status != SGF_OK) return status;
  bool positive = kept >= 3;
  for (size_t k = 0; k < kept; k++) {
    x[k] = log(set->curvature[k]);
    positive = positive && isfinite(x[k]) && set->predicted[k] > 0.0 && set->measured[k] > 0.0;
  }
  double mean = positive ? gsl_stats_mean(x, 1, kept) : NAN;
  double spread = positive ? gsl_stats_sd_with_fixed_mean(x, 1, kept, mean) : NAN;
  if (!(spread > 1e-6)) goto done;
  memset(values, 0, rows * sizeof *values);
  for (size_t k = 0; k < these->count; k++) {
    if (these->ends[k] == 0) continue;
    double c = (x[at] - mean) / ((double)kept * spread * spread), time = set->measured[at];
    double variance = mean_of_rows(these, these->below, k);
    predicted += c * log(set->predicted[at]);
    measured += c * log(time);
    for (size_t r = 0; r < rows; r++) {
      size_t place = r * these->count + k;
      values[r] += c * (these->above[place] - time * these->below[place]) / (time * variance);
    }
    at++;
  }
  sgf_mean_and_error(values, rows, &average, &slope_error);
  name_quantity(these, "correlation_time_exponent", name, sizeof name);
  sgf_add_quantity(these->all, name, -2.0 * predicted, -2.0 * measured, 2.0 * slope_error,
                   (measured - predicted) * spread, slope_error * spread);
  sgf_add_skewness(these->all, values, 1.0);
done:
  free(x);
  return status;
}

/* Autocovariance where half of the correlation is left, all directions together, relative to their variances. */
static sgf_status compare_autocovariances(times *these, sgf_error *error)
{
  size_t count = these->count;
  double *vectors;
  char name[48];
  sgf_status status = sgf_new_reals(&vectors, these->rows, count, "autocovariances", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < these->rows; r++)
    for (size_t k = 0; k < count; k++)
      vectors[r * count + k] = (these->at_middle[r * count + k] - these->c[these->middle * count + k]) /
                               (these->c[k] * sqrt((double)count));
  name_quantity(these, "autocovariances", name, sizeof name);
  status = sgf_add_norm(these->all, name, vectors, count, 1.0, error);
  free(vectors);
  return status;
}

/* Mean square displacement along all directions together: the first point, the last one and one between are quantities,
 * named by their lag in steps. */
static void compare_displacement(times *these, sgf_time_set *set)
{
  size_t points = these->points;
  double *values = these->all->values;
  char name[48], full[96];
  for (size_t p = 0; p < points; p++) {
    set->lag[p] = these->spacing * (double)these->point[p];
    for (size_t k = 0; k < these->count; k++)
      set->displacement[p] += 2.0 * (these->c[k] - these->c[these->point[p] * these->count + k]);
    for (size_t r = 0; r < these->rows; r++) values[r] = these->moved[r * points + p];
    sgf_mean_and_error(values, these->rows, &set->displacement_measured[p], &set->displacement_error[p]);
    if (p != 0 && p != points / 2 && p + 1 != points) continue;
    snprintf(name, sizeof name, "displacement_%zu", these->point[p] * these->all->ensemble->stride);
    name_quantity(these, name, full, sizeof full);
    sgf_add_linear(these->all, full, set->displacement[p], values);
  }
}

/* ------------------------------------------------------------------ driver */

/* Curves and their room; the times of every direction that is summed. */
static sgf_status make_set(times *these, sgf_time_set *set, sgf_error *error)
{
  size_t kept = these->kept, points = these->points, at = 0;
  double *values = these->all->values;
  sgf_status status;
  snprintf(set->name, sizeof set->name, "%s", these->source->name);
  SGF_TRY(sgf_new_reals(&set->curvature, 4 * kept, 1, "correlation times", error));
  SGF_TRY(sgf_new_reals(&set->lag, 4 * points, 1, "displacement", error));
  set->count = kept;
  set->lags = points;
  set->predicted = set->curvature + kept;
  set->measured = set->predicted + kept;
  set->error = set->measured + kept;
  set->displacement = set->lag + points;
  set->displacement_measured = set->displacement + points;
  set->displacement_error = set->displacement_measured + points;
  for (size_t k = 0; k < these->count; k++) {
    if (these->ends[k] == 0) continue;
    double variance = mean_of_rows(these, these->below, k), unused;
    set->curvature[at] = these->source->curvature[k];
    set->predicted[at] = predicted_time(these, k);
    set->measured[at] = mean_of_rows(these, these->above, k) / variance;
    for (size_t r = 0; r < these->rows; r++) {
      size_t place = r * these->count + k;
      values[r] = (these->above[place] - set->measured[at] * these->below[place]) / variance;
    }
    sgf_mean_and_error(values, these->rows, &unused, &set->error[at++]);
  }
done:
  return status;
}

sgf_status sgf_compare_times(sgf_comparing *all, const sgf_mode_source *source, sgf_error *error)
{
  times these = {
      .all = all, .source = source, .count = source->count, .rows = all->rows, .length = all->ensemble->length};
  sgf_time_set *set = &all->result->times[all->result->time_count];
  void *block;
  sgf_status status = SGF_OK;
  if (all->prediction->info.untimed != NULL || these.length < SHARE_OF_RUN || these.count == 0) return SGF_OK;
  SGF_TRY(sgf_allocate(&block, these.count + POINTS, 1, sizeof(size_t), "lags", error));
  these.ends = block;
  these.point = these.ends + these.count;
  SGF_TRY(predict(&these, error));
  SGF_TRY(measure(&these, error));
  all->result->time_count++;
  SGF_TRY(make_set(&these, set, error));
  if (these.kept > 0) {
    SGF_TRY(compare_correlation_times(&these, set, error));
    SGF_TRY(compare_exponent(&these, set, error));
    SGF_TRY(compare_autocovariances(&these, error));
  }
  compare_displacement(&these, set);
done:
  free_times(&these);
  return status;
}
