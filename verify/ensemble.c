/* Moments of theta - theta* over replicas. */
#include "ensemble.h"

#include <cblas.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "kernels.h"

/* Snapshots are added to the second moment at most this many at a time, so that each element is loaded once a block. */
enum { MOST_TOGETHER = 128 };
/* Snapshots are kept instead of second moments where they are at most 1 / so much of n. */
enum { FACTOR_SHARE = 8 };
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

size_t sgf_most_ends(size_t n) { return SGF_ENDS_MEMORY / (2 * n * sizeof(double)); }

/* Replicas out of so many whose ends are kept. */
static size_t ends_of(const sgf_ensemble *ensemble, size_t replicas)
{
  size_t most = sgf_most_ends(ensemble->n);
  if (most < ensemble->info.pools) most = ensemble->info.pools;
  return replicas < most ? replicas : most;
}

void sgf_ensemble_row_mean(const sgf_ensemble *ensemble, size_t row, double *mean)
{
  const sgf_plan *plan = &ensemble->info.plan;
  size_t n = ensemble->n, snapshots = plan->stride > 0 ? plan->window_steps / plan->stride : 2;
  const double *halves = ensemble->half_means + 2 * row * n;
  double first = (double)((snapshots + 1) / 2) / (double)snapshots;
  for (size_t k = 0; k < n; k++) mean[k] = first * halves[k] + (1.0 - first) * halves[n + k];
}

size_t sgf_ensemble_kept(const sgf_ensemble *ensemble)
{
  return ensemble->kept < ensemble->info.replicas ? ensemble->kept : ensemble->info.replicas;
}

size_t sgf_ensemble_size(const sgf_ensemble *ensemble)
{
  size_t rows = ensemble->info.pools, n = ensemble->n;
  size_t moments = ensemble->factors != NULL ? ensemble->factor_rank * n : sgf_packed_size(n);
  size_t of_row = moments + 2 * n + ensemble->balance_points * ensemble->balance_size;
  of_row += ensemble->square_count + (ensemble->gradient_square != NULL ? 1 : 0);
  size_t followed = ensemble->followed.chains * ensemble->followed.count * ensemble->followed.draws;
  size_t snapshots = ensemble->snapshots != NULL ? ensemble->info.replicas * ensemble->length * n : 0;
  return rows * of_row + ensemble->kept * 2 * n + followed + snapshots;
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
    made->kept = ends_of(made, replicas);
    SGF_TRY(sgf_new_reals(&made->ends, 2 * made->kept, n, "ends of the replicas", error));
  }
  *ensemble = made;
  return SGF_OK;
done:
  sgf_ensemble_free(made);
  return status;
}

sgf_status sgf_ensemble_keep_factors(sgf_ensemble *ensemble, size_t snapshots, sgf_error *error)
{
  size_t rows = ensemble->info.pools, n = ensemble->n;
  double *factors;
  if (ensemble->info.replicas > rows || ensemble->info.centred || ensemble->directions != NULL) return SGF_OK;
  if (snapshots > MOST_TOGETHER || FACTOR_SHARE * snapshots > n) return SGF_OK;
  sgf_status status = sgf_new_reals(&factors, rows * snapshots, n, "snapshots of the replicas", error);
  if (status != SGF_OK) return status;
  free(ensemble->second);
  ensemble->second = NULL;
  ensemble->factors = factors;
  ensemble->factor_rank = snapshots;
  return SGF_OK;
}

const double *sgf_ensemble_second(const sgf_ensemble *ensemble, size_t row, double *room)
{
  size_t n = ensemble->n, packed = sgf_packed_size(n), rank = ensemble->factor_rank;
  if (ensemble->factors == NULL) return ensemble->second + row * packed;
  memset(room, 0, packed * sizeof *room);
  sgf_kernels_of_machine()->add_products(n, rank, ensemble->factors + row * rank * n, 1.0 / (double)rank, room);
  return room;
}

/* More replicas than rows: second moments instead of their factors. */
static sgf_status leave_factors(sgf_ensemble *ensemble, sgf_error *error)
{
  size_t rows = ensemble->info.pools, packed = sgf_packed_size(ensemble->n);
  double *second;
  sgf_status status = sgf_new_reals(&second, rows, packed, "second moments of the replicas", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < rows; r++) sgf_ensemble_second(ensemble, r, second + r * packed);
  free(ensemble->factors);
  ensemble->factors = NULL;
  ensemble->factor_rank = 0;
  ensemble->second = second;
  return SGF_OK;
}

sgf_status sgf_ensemble_grow(sgf_ensemble *ensemble, size_t replicas, sgf_error *error)
{
  double *ends;
  size_t kept = ends_of(ensemble, replicas);
  if (replicas <= ensemble->info.replicas) return SGF_OK;
  if (ensemble->factors != NULL) {
    sgf_status status = leave_factors(ensemble, error);
    if (status != SGF_OK) return status;
  }
  if (ensemble->ends != NULL && kept > ensemble->kept) {
    sgf_status status = sgf_new_reals(&ends, 2 * kept, ensemble->n, "ends of the replicas", error);
    if (status != SGF_OK) return status;
    memcpy(ends, ensemble->ends, 2 * ensemble->kept * ensemble->n * sizeof *ends);
    free(ensemble->ends);
    ensemble->ends = ends;
    ensemble->kept = kept;
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
  free(ensemble->factors);
  free(ensemble->half_means);
  free(ensemble->gradient_square);
  free(ensemble->balance);
  free(ensemble->ends);
  free(ensemble->directions);
  free(ensemble->square_ends);
  free(ensemble->squares);
  sgf_followed_free(&ensemble->followed);
  free(ensemble->snapshots);
  free(ensemble);
}

const sgf_ensemble_info *sgf_ensemble_get_info(const sgf_ensemble *ensemble) { return &ensemble->info; }

/* Directions, and where the squares of the layers end. */
static sgf_status take_directions(const sgf_network *network, const double *directions, sgf_ensemble *ensemble,
                                  sgf_error *error)
{
  size_t rows = ensemble->info.pools, count = ensemble->n, weights = network->weights;
  void *ends;
  sgf_status status;
  ensemble->weights = weights;
  SGF_TRY(sgf_new_reals(&ensemble->directions, count, weights, "directions", error));
  memcpy(ensemble->directions, directions, count * weights * sizeof *directions);
  ensemble->square_count = 1 + network->layers;
  SGF_TRY(sgf_allocate(&ends, ensemble->square_count, 1, sizeof(size_t), "squares of the replicas", error));
  ensemble->square_ends = ends;
  for (size_t l = 1; l <= network->layers; l++) ensemble->square_ends[l] = network->offsets[l + 1];
  SGF_TRY(sgf_new_reals(&ensemble->squares, rows, ensemble->square_count, "squares of the replicas", error));
done:
  return status;
}

sgf_status sgf_ensemble_create_on(size_t replicas, const sgf_network *network, size_t count, const double *directions,
                                  bool with_gradients, sgf_ensemble **ensemble, sgf_error *error)
{
  sgf_status status = sgf_ensemble_create(replicas, 0, 0, count, with_gradients, ensemble, error);
  if (status == SGF_OK) status = take_directions(network, directions, *ensemble, error);
  if (status == SGF_OK) return SGF_OK;
  sgf_ensemble_free(*ensemble);
  *ensemble = NULL;
  return status;
}

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
  if (ensemble->squares != NULL)
    scale(ensemble->square_count, factor, ensemble->squares + row * ensemble->square_count);
}

void sgf_ensemble_open_row(sgf_ensemble *ensemble, size_t row, size_t turn)
{
  if (turn > 1) scale_row(ensemble, row, (double)turn);
}

void sgf_ensemble_close_row(sgf_ensemble *ensemble, size_t row, size_t turn)
{
  if (turn > 0) scale_row(ensemble, row, 1.0 / (double)(turn + 1));
}

/* Blocks of equal size, but for the last: a few snapshots by themselves would cost almost as much as a whole block. Whole
 * vectors, as columns of such blocks are multiplied. */
static size_t block_for(size_t expected)
{
  size_t blocks = (expected + MOST_TOGETHER - 1) / MOST_TOGETHER, vectors = 8;
  size_t block = blocks > 0 ? (expected + blocks - 1) / blocks : 1;
  return (block + vectors - 1) / vectors * vectors;
}

/* Numbers of a snapshot as the block has them. */
static size_t snapshot_size(const sgf_ensemble *ensemble)
{
  return ensemble->directions != NULL ? ensemble->weights : ensemble->n;
}

size_t sgf_accumulator_size(const sgf_accumulator *accumulator)
{
  return accumulator->room * snapshot_size(accumulator->ensemble) + accumulator->ensemble->n;
}

sgf_status sgf_accumulator_create(sgf_ensemble *ensemble, size_t row, size_t expected, sgf_accumulator *accumulator,
                                  sgf_error *error)
{
  sgf_status status;
  *accumulator =
      (sgf_accumulator){.ensemble = ensemble, .row = row, .expected = expected, .room = block_for(expected)};
  SGF_TRY(sgf_new_reals(&accumulator->block, sgf_accumulator_size(accumulator), 1, "snapshots", error));
  accumulator->sum = accumulator->block + accumulator->room * snapshot_size(ensemble);
  if (ensemble->directions != NULL)
    SGF_TRY(sgf_new_reals(&accumulator->inside, 2 * accumulator->room, ensemble->n, "snapshots", error));
done:
  return status;
}

void sgf_accumulator_free(sgf_accumulator *accumulator)
{
  free(accumulator->block);
  free(accumulator->inside);
  accumulator->block = accumulator->sum = accumulator->inside = NULL;
}

/* The snapshots that are held, as rows of the factor. */
static void keep_block(const sgf_accumulator *accumulator)
{
  const sgf_ensemble *ensemble = accumulator->ensemble;
  size_t n = ensemble->n, held = accumulator->held, rank = ensemble->factor_rank;
  double *rows = ensemble->factors + (accumulator->row * rank + accumulator->taken - held) * n;
  memcpy(rows, accumulator->block, held * n * sizeof *rows);
}

static double *second_of(const sgf_accumulator *accumulator)
{
  return accumulator->ensemble->second + accumulator->row * sgf_packed_size(accumulator->ensemble->n);
}

/* Number `taken` of the run's snapshots, delta (n), into the means. */
static void add_to_means(sgf_accumulator *accumulator, size_t taken, const double *delta)
{
  size_t n = accumulator->ensemble->n, expected = accumulator->expected, half = 2 * taken >= expected;
  double share = 1.0 / (double)(half == 0 ? (expected + 1) / 2 : expected / 2);
  double *mean = accumulator->ensemble->half_means + (2 * accumulator->row + half) * n;
  for (size_t k = 0; k < n; k++) {
    mean[k] += share * delta[k];
    accumulator->sum[k] += delta[k];
  }
}

/* The block (weights, room) in the directions, (room, n), and its means. Columns beyond those held count for nothing. */
static const double *project_block(sgf_accumulator *accumulator)
{
  const sgf_ensemble *ensemble = accumulator->ensemble;
  size_t n = ensemble->n, held = accumulator->held, room = accumulator->room;
  double *columns = accumulator->inside, *rows = columns + room * n;
  sgf_kernels_of_machine()->multiply(n, room, ensemble->weights, ensemble->directions, ensemble->weights, 1,
                                     accumulator->block, room, columns, room, false);
  for (size_t s = 0; s < held; s++) {
    for (size_t k = 0; k < n; k++) rows[s * n + k] = columns[k * room + s];
    add_to_means(accumulator, accumulator->taken - held + s, rows + s * n);
  }
  return rows;
}

static void add_block(sgf_accumulator *accumulator)
{
  const double *block = accumulator->ensemble->directions != NULL ? project_block(accumulator) : accumulator->block;
  if (accumulator->ensemble->factors != NULL)
    keep_block(accumulator);
  else
    sgf_kernels_of_machine()->add_products(accumulator->ensemble->n, accumulator->held, block,
                                           1.0 / (double)accumulator->expected, second_of(accumulator));
  accumulator->held = 0;
}

/* A snapshot as a column of the block, and its squares. */
static void hold_column(sgf_accumulator *accumulator, const double *theta, const double *reference)
{
  const sgf_ensemble *ensemble = accumulator->ensemble;
  double *squares = ensemble->squares + accumulator->row * ensemble->square_count;
  for (size_t l = 1, k = 0; l < ensemble->square_count; l++) {
    double square = 0.0;
    for (; k < ensemble->square_ends[l]; k++) {
      double delta = theta[k] - reference[k];
      accumulator->block[k * accumulator->room + accumulator->held] = delta;
      square += delta * delta;
    }
    squares[l] += square / (double)accumulator->expected;
    squares[0] += square / (double)accumulator->expected;
  }
}

void sgf_accumulate(sgf_accumulator *accumulator, const double *theta, const double *reference)
{
  const sgf_ensemble *ensemble = accumulator->ensemble;
  double *delta = accumulator->block + accumulator->held * ensemble->n;
  if (ensemble->directions != NULL) {
    hold_column(accumulator, theta, reference);
  } else {
    sgf_ensemble_deviation(ensemble, theta, reference, NULL, delta);
    add_to_means(accumulator, accumulator->taken, delta);
  }
  accumulator->taken++;
  if (++accumulator->held == accumulator->room) add_block(accumulator);
}

void sgf_accumulator_end(sgf_accumulator *accumulator)
{
  size_t n = accumulator->ensemble->n;
  double taken = (double)accumulator->taken;
  add_block(accumulator);
  if (!accumulator->ensemble->info.centred || accumulator->taken == 0) return;
  scale(n, 1.0 / taken, accumulator->sum);
  sgf_kernels_of_machine()->add_products(n, 1, accumulator->sum, -1.0, second_of(accumulator));
}

void sgf_ensemble_deviation(const sgf_ensemble *ensemble, const double *theta, const double *reference, double *work,
                            double *delta)
{
  size_t n = ensemble->n, weights = ensemble->weights, first = ensemble->first;
  if (ensemble->directions == NULL) {
    for (size_t k = 0; k < n; k++) delta[k] = theta[first + k] - reference[first + k];
    return;
  }
  for (size_t k = 0; k < weights; k++) work[k] = theta[k] - reference[k];
  for (size_t k = 0; k < n; k++) {
    const double *direction = ensemble->directions + k * weights;
    delta[k] = 0.0;
    for (size_t i = 0; i < weights; i++) delta[k] += direction[i] * work[i];
  }
}

static double form_of_factor(const sgf_ensemble *ensemble, size_t row, const double *v)
{
  size_t n = ensemble->n, rank = ensemble->factor_rank;
  double form = 0.0;
  for (size_t s = 0; s < rank; s++) {
    double product = cblas_ddot((int)n, ensemble->factors + (row * rank + s) * n, 1, v, 1);
    form += product * product;
  }
  return form / (double)rank;
}

double sgf_ensemble_form(const sgf_ensemble *ensemble, size_t at, const double *v)
{
  if (ensemble->factors != NULL) return form_of_factor(ensemble, at, v);
  const double *row = ensemble->second + at * sgf_packed_size(ensemble->n);
  double form = 0.0;
  for (size_t i = 0; i < ensemble->n; i++, row += i) {
    double sum = 0.5 * row[i] * v[i];
    for (size_t j = 0; j < i; j++) sum += row[j] * v[j];
    form += 2.0 * v[i] * sum;
  }
  return form;
}

double sgf_ensemble_trace(const sgf_ensemble *ensemble, size_t row)
{
  size_t n = ensemble->n, size = ensemble->factor_rank * n;
  const double *factor = ensemble->factors + row * size;
  if (ensemble->factors != NULL) return cblas_ddot((int)size, factor, 1, factor, 1) / (double)ensemble->factor_rank;
  const double *second = ensemble->second + row * sgf_packed_size(n);
  double trace = 0.0;
  for (size_t i = 0; i < n; i++) trace += second[i * (i + 1) / 2 + i];
  return trace;
}

void sgf_ensemble_summarize(sgf_ensemble *ensemble)
{
  size_t rows = ensemble->info.pools;
  double *traces = calloc(rows, sizeof *traces);
  ensemble->info.trace = ensemble->info.trace_se = NAN;
  if (traces == NULL) return;
  for (size_t r = 0; r < rows; r++)
    traces[r] =
        ensemble->squares != NULL ? ensemble->squares[r * ensemble->square_count] : sgf_ensemble_trace(ensemble, r);
  ensemble->info.trace = gsl_stats_mean(traces, 1, rows);
  if (rows > 1) ensemble->info.trace_se = gsl_stats_sd(traces, 1, rows) / sqrt((double)rows);
  free(traces);
}

/* Mean and sum of the squares of deviations from it of every packed element over the rows, one row after the other. */
static sgf_status elements_of_rows(const sgf_ensemble *ensemble, double *mean, double *squares, sgf_error *error)
{
  size_t packed = sgf_packed_size(ensemble->n);
  double *room;
  sgf_status status =
      sgf_new_reals(&room, ensemble->factors != NULL ? packed : 0, 1, "second moments of a replica", error);
  for (size_t r = 0; r < ensemble->info.pools && status == SGF_OK; r++) {
    const double *row = sgf_ensemble_second(ensemble, r, room);
    double share = 1.0 / (double)(r + 1);
    for (size_t k = 0; k < packed; k++) {
      double difference = row[k] - mean[k];
      mean[k] += share * difference;
      squares[k] += difference * (row[k] - mean[k]);
    }
  }
  free(room);
  return status;
}

/* mean (n) over all rows. */
static sgf_status mean_of_rows(const sgf_ensemble *ensemble, double *mean, sgf_error *error)
{
  size_t n = ensemble->n, rows = ensemble->info.pools;
  double *own;
  sgf_status status = sgf_new_reals(&own, n, 1, "means of the replicas", error);
  if (status != SGF_OK) return status;
  memset(mean, 0, n * sizeof *mean);
  for (size_t r = 0; r < rows; r++) {
    sgf_ensemble_row_mean(ensemble, r, own);
    for (size_t k = 0; k < n; k++) mean[k] += own[k] / (double)rows;
  }
  free(own);
  return SGF_OK;
}

sgf_status sgf_ensemble_moments(const sgf_ensemble *ensemble, double *covariance, double *standard_error,
                                double *mean, sgf_error *error)
{
  size_t n = ensemble->n, packed = sgf_packed_size(n), rows = ensemble->info.pools, index = 0;
  double *average = NULL, *squares = NULL, R = (double)rows;
  sgf_status status = SGF_OK;
  if (rows == 0) return sgf_fail(error, SGF_ERROR_VALUE, "ensemble of 0 replicas has no moments");
  SGF_TRY(sgf_new_reals(&average, packed, 1, "mean second moments", error));
  SGF_TRY(sgf_new_reals(&squares, packed, 1, "errors of second moments", error));
  SGF_TRY(elements_of_rows(ensemble, average, squares, error));
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++, index++) {
      double se = rows > 1 ? sqrt(squares[index] / (R * (R - 1.0))) : NAN;
      if (covariance != NULL) covariance[i * n + j] = covariance[j * n + i] = average[index];
      if (standard_error != NULL) standard_error[i * n + j] = standard_error[j * n + i] = se;
    }
  if (mean != NULL) SGF_TRY(mean_of_rows(ensemble, mean, error));
done:
  free(average);
  free(squares);
  return status;
}
