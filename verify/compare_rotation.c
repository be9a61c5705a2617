/* Rotations of the hidden layers, predicted and measured: what every replica turned by in its window. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/turning.h"
#include "comparing.h"
#include "statistics.h"

/* The rotations of all hidden layers while they are compared. */
typedef struct {
  sgf_turning theory;
  double *average; /* (count), measured mean of the change */
  double *change;  /* (count), of one replica */
} turning;

static void free_turning(turning *turn)
{
  sgf_turning_free(&turn->theory);
  free(turn->average);
  free(turn->change);
}

/* Noise that is frozen at theta* is not orthogonal to the symmetry elsewhere; recorded weights have no start. */
static bool has_rotations(const sgf_comparing *all)
{
  const sgf_settings *settings = &all->problem->settings;
  const sgf_rotation_info *first = sgf_prediction_get_rotation(all->prediction, 1);
  bool frozen = settings->simulation.dynamics == SGF_DYNAMICS_LANGEVIN &&
                settings->simulation.langevin_noise == SGF_LANGEVIN_FROZEN;
  size_t rotations = 0;
  for (size_t l = 1; l < all->problem->network.layers; l++)
    rotations += sgf_rotation_count(&all->problem->network, l);
  return rotations > 0 && !frozen && all->ensemble->ends != NULL && first != NULL && first->left_out == NULL &&
         first->too_many == NULL;
}

/* The change of nu in the window of one replica; work (n). */
static void change_of(const sgf_comparing *all, const turning *turn, size_t replica, double *work)
{
  size_t n = all->n;
  const double *ends = all->ensemble->ends + 2 * replica * n;
  for (size_t k = 0; k < n; k++) work[k] = ends[n + k] - ends[k];
  sgf_symmetry_project(&all->problem->network, turn->theory.theta, turn->theory.count, turn->theory.modes, work,
                       turn->change);
}

/* One hidden layer while it is compared: rotations first ... first + count - 1. */
typedef struct {
  size_t hidden, first, count;
  double *drifts;  /* (rows, count), mean change of nu of each row */
  double *squares; /* (rows), of the displacement about the mean of all */
  double *gram;    /* (count, count) */
} layer;

static sgf_status layer_create(const sgf_comparing *all, const turning *turn, size_t hidden, size_t first, layer *one,
                               sgf_error *error)
{
  sgf_status status;
  *one = (layer){.hidden = hidden, .first = first, .count = sgf_rotation_count(&all->problem->network, hidden)};
  SGF_TRY(sgf_new_reals(&one->drifts, all->rows, one->count, "rotations of the replicas", error));
  SGF_TRY(sgf_new_reals(&one->squares, all->rows, 1, "rotations of the replicas", error));
  SGF_TRY(sgf_new_reals(&one->gram, one->count, one->count, "rotations", error));
  sgf_diagonal_block(turn->theory.count, turn->theory.gram, first, one->count, one->gram);
done:
  return status;
}

static void free_layer(layer *one)
{
  free(one->drifts);
  free(one->squares);
  free(one->gram);
}

/* Row by row, the mean change, and then the mean square about the mean of all replicas, R / (R - 1) for having taken it
 * from them. */
static void measure(const sgf_comparing *all, const turning *turn, layer *one, double *work)
{
  size_t replicas = sgf_ensemble_kept(all->ensemble), count = one->count;
  double *change = turn->change + one->first, *average = turn->average + one->first;
  for (size_t replica = 0; replica < replicas; replica++) {
    size_t row = replica % all->rows;
    double share = 1.0 / (double)((replicas - row + all->rows - 1) / all->rows);
    change_of(all, turn, replica, work);
    for (size_t a = 0; a < count; a++) {
      one->drifts[row * count + a] += share * change[a];
      average[a] += change[a] / (double)replicas;
    }
  }
  for (size_t replica = 0; replica < replicas; replica++) {
    size_t row = replica % all->rows;
    double share = 1.0 / (double)((replicas - row + all->rows - 1) / all->rows);
    change_of(all, turn, replica, work);
    for (size_t a = 0; a < count; a++) change[a] -= average[a];
    one->squares[row] +=
        share * sgf_quadratic_form(count, one->gram, change) * (double)replicas / (double)(replicas - 1);
  }
}

/* The components of the drift, for the report and the output. */
static sgf_status keep_drift(sgf_comparing *all, const turning *turn, const layer *one, sgf_error *error)
{
  sgf_rotation_drift *drift = &all->result->rotations[all->result->rotation_count];
  size_t count = one->count;
  *drift = (sgf_rotation_drift){.hidden = one->hidden, .modes = count};
  sgf_status status = sgf_new_reals(&drift->predicted, 3 * count, 1, "rotations", error);
  if (status != SGF_OK) return status;
  all->result->rotation_count++;
  drift->measured = drift->predicted + count;
  drift->error = drift->measured + count;
  for (size_t a = 0; a < count; a++) {
    for (size_t r = 0; r < all->rows; r++) all->values[r] = one->drifts[r * count + a] / turn->theory.elapsed;
    drift->predicted[a] = turn->theory.mean[one->first + a] / turn->theory.elapsed;
    sgf_mean_and_error(all->values, all->rows, &drift->measured[a], &drift->error[a]);
  }
  return SGF_OK;
}

/* The predicted standard errors over all replicas of the mean change along a direction, given the rows `turned` (count) of
 * it, and of the mean square about the mean: Gaussian with the predicted covariance K, 2 tr (gram K)^2. work (count, count). */
static void predicted_errors(const sgf_comparing *all, const turning *turn, const layer *one, const double *turned,
                             double *work, double *of_mean, double *of_square)
{
  size_t count = one->count, m = turn->theory.count;
  double variance = 0.0, square = 0.0;
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++) {
      const double *row = turn->theory.covariance + (one->first + b) * m + one->first;
      work[a * count + b] = sgf_dot(count, one->gram + a * count, row); /* symmetric */
      variance += turned[a] * turned[b] * turn->theory.covariance[(one->first + a) * m + one->first + b];
    }
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++) square += 2.0 * work[a * count + b] * work[b * count + a];
  double replicas = (double)all->ensemble->info.replicas;
  *of_mean = sqrt(variance / replicas);
  *of_square = sqrt(square / replicas);
}

/* The two quantities of a hidden layer: along the predicted drift, in lengths of weights a unit of time; and the growth of the
 * mean square. */
typedef struct {
  double length, square;             /* predicted, of the whole window */
  double length_error, square_error; /* predicted standard errors, over all replicas */
} forecast;

/* turned (count): the rows of the gram matrix times the mean. work (count, count). */
static forecast foresee(const sgf_comparing *all, const turning *turn, const layer *one, double *turned, double *work)
{
  size_t count = one->count, m = turn->theory.count;
  const double *mean = turn->theory.mean + one->first;
  forecast seen = {0};
  sgf_multiply(count, 1, count, SGF_PLAIN, one->gram, SGF_PLAIN, mean, turned);
  predicted_errors(all, turn, one, turned, work, &seen.length_error, &seen.square_error);
  seen.length = sqrt(fmax(sgf_dot(count, mean, turned), 0.0));
  seen.length_error /= seen.length;
  for (size_t a = 0; a < count; a++)
    seen.square += sgf_dot(count, one->gram + a * count, turn->theory.covariance + (one->first + a) * m + one->first);
  return seen;
}

/* Replicas of which the predicted standard error, times the quantile of the test, is a quarter of the tolerance of what is
 * predicted: from so many on it is tested. */
static double replicas_for(const sgf_comparing *all, double predicted, double predicted_error)
{
  const sgf_settings *settings = &all->problem->settings;
  double level = sgf_look_level(settings->verify.level, all->ensemble->info.plan.look);
  double quantile = gsl_cdf_tdist_Qinv(level / (double)all->capacity, (double)all->rows - 1.0);
  double share = quantile * predicted_error / (0.25 * settings->verify.tolerance * predicted);
  return (double)all->ensemble->info.replicas * share * share;
}

/* Tested, or told as what is not. */
static void settle(sgf_comparing *all, const char *kind, size_t hidden, double predicted, const double *values,
                   double per_time, double replicas)
{
  char name[48];
  double measured, error;
  snprintf(name, sizeof name, "rotation_%s_%zu", kind, hidden);
  sgf_mean_and_error(values, all->rows, &measured, &error);
  if (replicas <= (double)all->ensemble->info.replicas) {
    sgf_add_quantity(all, name, predicted * per_time, measured * per_time, error * per_time,
                     measured / predicted - 1.0, error / predicted);
    sgf_add_skewness(all, values, 1.0);
    return;
  }
  sgf_quantity *left = &all->result->untested[all->result->untested_count++];
  *left = (sgf_quantity){.predicted = predicted * per_time,
                         .measured = measured * per_time,
                         .standard_error = error * per_time,
                         .deviation = measured / predicted - 1.0,
                         .low = NAN,
                         .high = NAN,
                         .verdict = SGF_INCONCLUSIVE,
                         .replicas_needed = ceil(replicas)};
  snprintf(left->name, sizeof left->name, "%s", name);
}

static sgf_status test_layer(sgf_comparing *all, const turning *turn, const layer *one, sgf_error *error)
{
  size_t count = one->count;
  double *turned, per_time = 1.0 / turn->theory.elapsed;
  sgf_status status = sgf_new_reals(&turned, count + 1, count, "rotations", error);
  if (status != SGF_OK) return status;
  forecast seen = foresee(all, turn, one, turned, turned + count);
  if (seen.length > 0.0) {
    for (size_t r = 0; r < all->rows; r++)
      all->values[r] = sgf_dot(count, one->drifts + r * count, turned) / seen.length;
    settle(all, "drift", one->hidden, seen.length, all->values, per_time,
           replicas_for(all, seen.length, seen.length_error));
  }
  settle(all, "diffusion", one->hidden, seen.square, one->squares, per_time,
         replicas_for(all, seen.square, seen.square_error));
  free(turned);
  return SGF_OK;
}

static sgf_status compare_layers(sgf_comparing *all, turning *turn, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  double *work;
  sgf_status status = sgf_new_reals(&work, all->n, 1, "rotations of the replicas", error);
  for (size_t l = 1, first = 0; l < network->layers && status == SGF_OK; l++) {
    layer one;
    if (sgf_rotation_count(network, l) == 0) continue;
    status = layer_create(all, turn, l, first, &one, error);
    if (status == SGF_OK) measure(all, turn, &one, work);
    if (status == SGF_OK) status = keep_drift(all, turn, &one, error);
    if (status == SGF_OK) status = test_layer(all, turn, &one, error);
    first += one.count;
    free_layer(&one);
  }
  free(work);
  return status;
}

/* Whether the replicas can tell any of it: by the errors of leading order. */
static sgf_status is_testable(const sgf_comparing *all, const turning *turn, bool *testable, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  double replicas = (double)all->ensemble->info.replicas, *room = NULL;
  sgf_status status = SGF_OK;
  *testable = false;
  for (size_t l = 1, first = 0; l < network->layers && status == SGF_OK; l++) {
    layer one = {.first = first, .count = sgf_rotation_count(network, l)};
    if (one.count == 0) continue;
    status = sgf_new_reals(&room, 2 * one.count + 1, one.count, "rotations", error);
    if (status != SGF_OK) break;
    one.gram = room;
    sgf_diagonal_block(turn->theory.count, turn->theory.gram, first, one.count, one.gram);
    forecast seen = foresee(all, turn, &one, room + one.count * one.count, room + (one.count + 1) * one.count);
    *testable = *testable || replicas_for(all, seen.length, seen.length_error) <= replicas ||
                replicas_for(all, seen.square, seen.square_error) <= replicas;
    first += one.count;
    free(room);
  }
  return status;
}

/* What replicas cannot tell is left at leading order, at theta*. */
static sgf_status predict(sgf_comparing *all, turning *turn, sgf_error *error)
{
  const sgf_plan *plan = &all->ensemble->info.plan;
  bool testable;
  sgf_status status;
  SGF_TRY(sgf_turning_create_leading(all->problem, all->prediction, plan, &turn->theory, error));
  if (turn->theory.gram == NULL) return SGF_OK;
  SGF_TRY(is_testable(all, turn, &testable, error));
  if (testable) {
    sgf_turning_free(&turn->theory);
    SGF_TRY(sgf_turning_create(all->problem, all->prediction, plan, &turn->theory, error));
  }
  SGF_TRY(sgf_new_reals(&turn->change, turn->theory.count, 1, "rotations", error));
  SGF_TRY(sgf_new_reals(&turn->average, turn->theory.count, 1, "rotations", error));
done:
  return status;
}

sgf_status sgf_compare_rotations(sgf_comparing *all, sgf_error *error)
{
  size_t layers = all->problem->network.layers;
  turning turn = {0};
  void *block;
  sgf_status status = SGF_OK;
  if (!has_rotations(all)) return SGF_OK;
  SGF_TRY(predict(all, &turn, error));
  if (turn.theory.gram == NULL) goto done; /* too many */
  SGF_TRY(sgf_allocate(&block, layers, 1, sizeof(sgf_rotation_drift), "rotations", error));
  all->result->rotations = block;
  SGF_TRY(sgf_allocate(&block, 2 * layers, 1, sizeof(sgf_quantity), "rotations", error));
  all->result->untested = block;
  SGF_TRY(compare_layers(all, &turn, error));
done:
  free_turning(&turn);
  return status;
}
