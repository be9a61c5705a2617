/* Rotations of the hidden layers, predicted and measured: what every replica turned by in its window. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/rotation_momentum.h"
#include "comparing.h"
#include "statistics.h"

/* The rotations of all hidden layers, one layer after the other; `m` of them. */
typedef struct {
  size_t m;
  sgf_mode *modes;
  double elapsed;     /* continuum time from the start of the window to its end */
  double *gram;       /* (m, m), of sgf_rotation_gram */
  double *mean;       /* (m), predicted change of nu in the window */
  double *covariance; /* (m, m), predicted, of that change */
  double moved;       /* mean square displacement of all weights: what deviations are relative to */
  double *average;    /* (m), measured mean of the change */
  double *change;     /* (m), of one replica */
} turning;

static void free_turning(turning *turn)
{
  free(turn->modes);
  free(turn->gram);
  free(turn->mean);
  free(turn->covariance);
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
  return !frozen && all->ensemble->ends != NULL && first != NULL && first->left_out == NULL;
}

/* In reshuffled epochs: by the drift over the epochs of the window. */
static sgf_status predict_mean_of_epochs(const sgf_comparing *all, turning *turn, sgf_error *error)
{
  sgf_motion motion = {0};
  sgf_status status;
  SGF_TRY(
      sgf_motion_create_configured(all->problem, &all->prediction->joint, &all->ensemble->info.plan, &motion, error));
  SGF_TRY(sgf_motion_drift(&motion, turn->m, turn->modes, turn->mean, error));
  for (size_t a = 0; a < turn->m; a++) turn->mean[a] *= turn->elapsed;
done:
  sgf_motion_free(&motion);
  return status;
}

/* The predicted mean between two times after theta*, by the stationary drift and what the fluctuations hold. */
static sgf_status predict_mean(const sgf_comparing *all, turning *turn, sgf_error *error)
{
  const sgf_plan *plan = &all->ensemble->info.plan;
  double start = sgf_time_of_step(&all->problem->settings) * (double)plan->burn_in_steps;
  sgf_motion motion = {0};
  sgf_status status;
  SGF_TRY(sgf_motion_create_configured(all->problem, &all->prediction->joint, NULL, &motion, error));
  SGF_TRY(sgf_motion_mean(&motion, start + turn->elapsed, turn->m, turn->modes, turn->mean, error));
  SGF_TRY(sgf_motion_mean(&motion, start, turn->m, turn->modes, turn->change, error));
  for (size_t a = 0; a < turn->m; a++) turn->mean[a] -= turn->change[a];
done:
  sgf_motion_free(&motion);
  return status;
}

static sgf_status predict_turning(const sgf_comparing *all, turning *turn, sgf_error *error)
{
  const sgf_problem *problem = all->problem;
  const sgf_network *network = &problem->network;
  const sgf_plan *plan = &all->ensemble->info.plan;
  bool epochs = problem->settings.training.sampling == SGF_SAMPLING_EPOCH;
  sgf_motion motion = {0};
  sgf_status status;
  turn->elapsed = sgf_time_of_step(&problem->settings) * (double)plan->window_steps;
  const sgf_lags lags = {1.0, turn->elapsed};
  SGF_TRY(sgf_modes_create(turn->m, &turn->modes, error));
  for (size_t l = 1, at = 0; l < network->layers; l++) at += sgf_rotations(network, l, turn->modes + at);
  SGF_TRY(sgf_new_reals(&turn->mean, turn->m, 1, "rotations", error));
  SGF_TRY(sgf_new_reals(&turn->change, turn->m, 1, "rotations", error));
  SGF_TRY(sgf_new_reals(&turn->average, turn->m, 1, "rotations", error));
  SGF_TRY(sgf_new_reals(&turn->covariance, turn->m, turn->m, "rotations", error));
  SGF_TRY(sgf_motion_create_configured(problem, &all->prediction->joint, plan, &motion, error));
  SGF_TRY((epochs ? predict_mean_of_epochs : predict_mean)(all, turn, error));
  SGF_TRY(sgf_motion_covariance_configured(problem, &motion, &lags, turn->m, turn->modes, turn->covariance, error));
  turn->moved = sgf_trace(all->n, all->Sigma) + sgf_quadratic_form(turn->m, turn->gram, turn->mean) +
                sgf_dot(turn->m * turn->m, turn->gram, turn->covariance);
done:
  sgf_motion_free(&motion);
  return status;
}

/* The change of nu in the window of one replica; work (n). */
static void change_of(const sgf_comparing *all, const turning *turn, size_t replica, double *work)
{
  size_t n = all->n;
  const double *ends = all->ensemble->ends + 2 * replica * n;
  for (size_t k = 0; k < n; k++) work[k] = ends[n + k] - ends[k];
  sgf_symmetry_project(&all->problem->network, all->problem->theta, turn->m, turn->modes, work, turn->change);
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
  sgf_diagonal_block(turn->m, turn->gram, first, one->count, one->gram);
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
    for (size_t r = 0; r < all->rows; r++) all->values[r] = one->drifts[r * count + a] / turn->elapsed;
    drift->predicted[a] = turn->mean[one->first + a] / turn->elapsed;
    sgf_mean_and_error(all->values, all->rows, &drift->measured[a], &drift->error[a]);
  }
  return SGF_OK;
}

/* What a deviation is relative to: the predicted number itself where so many replicas can tell a deviation of a quarter of
 * the tolerance, by the predicted standard error, else what all weights moved by, of which it is then a small part. */
static double scale_of(const sgf_comparing *all, double predicted, double predicted_error, double moved)
{
  const sgf_settings *settings = &all->problem->settings;
  double level = sgf_look_level(settings->verify.level, all->ensemble->info.plan.look);
  double quantile = gsl_cdf_tdist_Qinv(level / (double)all->capacity, (double)all->rows - 1.0);
  return quantile * predicted_error <= 0.25 * settings->verify.tolerance * predicted ? predicted : moved;
}

/* The diffusion is of leading order by every equation, of which it may lack more than one and a half times lambda h_max: beside a
 * configured equation that has the next order it is tested as the part of the displacement that it is. */
static bool is_next_order(const sgf_comparing *all)
{
  sgf_equation equation = all->problem->settings.theory.equation;
  return equation == SGF_EQUATION_CLOSURE || equation == SGF_EQUATION_MULTIPLICATIVE;
}

/* The predicted standard errors over all replicas of the mean change along a direction, given the rows `turned` (count) of
 * it, and of the mean square about the mean: Gaussian with the predicted covariance K, 2 tr (gram K)^2. work (count, count). */
static void predicted_errors(const sgf_comparing *all, const turning *turn, const layer *one, const double *turned,
                             double *work, double *of_mean, double *of_square)
{
  size_t count = one->count, m = turn->m;
  double variance = 0.0, square = 0.0;
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++) {
      const double *row = turn->covariance + (one->first + b) * m + one->first;
      work[a * count + b] = sgf_dot(count, one->gram + a * count, row); /* symmetric */
      variance += turned[a] * turned[b] * turn->covariance[(one->first + a) * m + one->first + b];
    }
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++) square += 2.0 * work[a * count + b] * work[b * count + a];
  double replicas = (double)all->ensemble->info.replicas;
  *of_mean = sqrt(variance / replicas);
  *of_square = sqrt(square / replicas);
}

/* The growth of the mean square. */
static void test_diffusion(sgf_comparing *all, const turning *turn, const layer *one, double square_error)
{
  size_t count = one->count;
  double predicted = 0.0, per_time = 1.0 / turn->elapsed, measured, spread_error;
  char name[48];
  for (size_t a = 0; a < count; a++)
    predicted += sgf_dot(count, one->gram + a * count, turn->covariance + (one->first + a) * turn->m + one->first);
  sgf_mean_and_error(one->squares, all->rows, &measured, &spread_error);
  snprintf(name, sizeof name, "rotation_diffusion_%zu", one->hidden);
  double scale = is_next_order(all) ? turn->moved : scale_of(all, predicted, square_error, turn->moved);
  sgf_add_quantity(all, name, predicted * per_time, measured * per_time, spread_error * per_time,
                   (measured - predicted) / scale, spread_error / scale);
  sgf_add_skewness(all, one->squares, 1.0);
}

/* Along the predicted drift, in lengths of weights a unit of time; and the diffusion. */
static sgf_status test_layer(sgf_comparing *all, const turning *turn, const layer *one, sgf_error *error)
{
  size_t count = one->count;
  double *mean = turn->mean + one->first, *turned, measured, spread_error, mean_error, square_error;
  char name[48];
  sgf_status status = sgf_new_reals(&turned, count + 1, count, "rotations", error);
  if (status != SGF_OK) return status;
  sgf_multiply(count, 1, count, SGF_PLAIN, one->gram, SGF_PLAIN, mean, turned);
  predicted_errors(all, turn, one, turned, turned + count, &mean_error, &square_error);
  double length = sqrt(fmax(sgf_dot(count, mean, turned), 0.0));
  if (length > 0.0) {
    double scale = turn->elapsed / scale_of(all, length, mean_error / length, sqrt(turn->moved));
    for (size_t r = 0; r < all->rows; r++)
      all->values[r] = sgf_dot(count, one->drifts + r * count, turned) / (length * turn->elapsed);
    sgf_mean_and_error(all->values, all->rows, &measured, &spread_error);
    snprintf(name, sizeof name, "rotation_drift_%zu", one->hidden);
    sgf_add_quantity(all, name, length / turn->elapsed, measured, spread_error,
                     scale * (measured - length / turn->elapsed), scale * spread_error);
    sgf_add_skewness(all, all->values, 1.0);
  }
  test_diffusion(all, turn, one, square_error);
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

sgf_status sgf_compare_rotations(sgf_comparing *all, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  turning turn = {0};
  void *block;
  sgf_status status = SGF_OK;
  if (!has_rotations(all)) return SGF_OK;
  for (size_t l = 1; l < network->layers; l++) turn.m += sgf_rotation_count(network, l);
  if (turn.m == 0 || sgf_prediction_get_rotation(all->prediction, 1)->too_many != NULL) return SGF_OK;
  SGF_TRY(sgf_rotation_gram(network, all->problem->theta, &turn.gram, error));
  if (turn.gram == NULL) goto done; /* too many */
  SGF_TRY(sgf_allocate(&block, network->layers, 1, sizeof(sgf_rotation_drift), "rotations", error));
  all->result->rotations = block;
  SGF_TRY(predict_turning(all, &turn, error));
  SGF_TRY(compare_layers(all, &turn, error));
done:
  free_turning(&turn);
  return status;
}
