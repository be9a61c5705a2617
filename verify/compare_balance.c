/* The balances of the hidden layers, predicted and measured: what no gradient flow changes and SGD does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../theory/balance.h"
#include "../theory/balance_path.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "comparing.h"
#include "statistics.h"

/* What the theory says of all hidden layers at the points of the runs. */
typedef struct {
  size_t points, size; /* of a run; numbers of all balances together */
  double scale;        /* of the drift: lambda kappa / S, times what momentum adds */
  double *time;        /* (points), continuum time */
  double *taken;       /* (points), the same as the velocities see it, from rest */
  double *change;      /* (points, size), of the balances since theta* */
  bool known;          /* change */
} balance_theory;

static void theory_free(balance_theory *theory)
{
  free(theory->time);
  free(theory->taken);
  free(theory->change);
}

/* By the closure to the next order, else by the slow motion along the minima. */
static sgf_status theory_create(const sgf_comparing *all, balance_theory *theory, sgf_error *error)
{
  const sgf_ensemble *ensemble = all->ensemble;
  const sgf_settings *settings = &all->problem->settings;
  const sgf_known_moments *closure = all->prediction->known;
  size_t points = ensemble->balance_points, size = ensemble->balance_size, batches = sgf_batches_of(all->problem);
  double momentum = settings->training.momentum, step = sgf_time_of_step(settings);
  double steps = (double)(ensemble->info.plan.burn_in_steps + ensemble->info.plan.window_steps);
  sgf_status status;
  *theory = (balance_theory){.points = points, .size = size};
  theory->scale =
      settings->training.learning_rate * all->prediction->info.noise_strength * sgf_balance_speed(momentum, batches);
  SGF_TRY(sgf_new_reals(&theory->time, points, 1, "path of the balance", error));
  SGF_TRY(sgf_new_reals(&theory->taken, points, 1, "path of the balance", error));
  SGF_TRY(sgf_new_reals(&theory->change, points, size, "path of the balance", error));
  for (size_t k = 0; k < points; k++) {
    double taken = ceil(steps * (double)(k + 1) / (double)points);
    theory->time[k] = step * taken;
    theory->taken[k] = step * sgf_balance_steps(momentum, batches, taken);
  }
  theory->known = closure != NULL && closure->points == points;
  if (!theory->known)
    SGF_TRY(sgf_balance_path(all->problem, all->prediction, points, theory->taken, theory->change, &theory->known,
                             error));
  else
    for (size_t k = 0; k < points * size; k++) theory->change[k] = closure->balance[k];
done:
  return status;
}

/* One hidden layer while it is compared. */
typedef struct {
  size_t hidden, size, at; /* size = N_l^2 numbers of all, from `at` on */
  double *drift;           /* (size), at theta* */
  double gross, norm;      /* what the drift would be if its two terms did not cancel; its norm */
  double rate;             /* of relaxation, by noise and by weight decay */
} balance_layer;

/* Element i of the layer's balance at point k, of a row of the ensemble. */
static double measured_at(const sgf_comparing *all, const balance_layer *layer, size_t row, size_t k, size_t i)
{
  const sgf_ensemble *ensemble = all->ensemble;
  return ensemble->balance[(row * ensemble->balance_points + k) * ensemble->balance_size + layer->at + i];
}

/* The time for which the drift at theta* would have to act. */
static double lasted(const balance_layer *layer, double taken) { return -expm1(-layer->rate * taken) / layer->rate; }

/* The change along the drift D at theta*, y(t) = <B(t) - B(0), D> / |D|. Where the path is not known y(t) = |D| (1 -
 * exp(-r t)) / r: its slope at theta* is exact, and so is what weight decay adds to r; of the noise's part r t << 1. The last
 * point is the quantity, its deviation relative to the two opposite contributions to D. */
static sgf_status compare_drift(sgf_comparing *all, const balance_theory *theory, const balance_layer *layer,
                                sgf_error *error)
{
  size_t points = theory->points, last = points - 1;
  char name[48];
  sgf_balance_curve *curve = &all->result->balances[all->result->balance_count];
  *curve = (sgf_balance_curve){.hidden = layer->hidden, .points = points};
  sgf_status status = sgf_new_reals(&curve->time, 4 * points, 1, "drift of the balance", error);
  if (status != SGF_OK) return status;
  all->result->balance_count++;
  curve->predicted = curve->time + points;
  curve->measured = curve->predicted + points;
  curve->error = curve->measured + points;
  for (size_t k = 0; k < points; k++) {
    for (size_t r = 0; r < all->rows; r++) {
      all->values[r] = 0.0;
      for (size_t i = 0; i < layer->size; i++)
        all->values[r] += measured_at(all, layer, r, k, i) * layer->drift[i] / layer->norm;
    }
    sgf_mean_and_error(all->values, all->rows, &curve->measured[k], &curve->error[k]);
    curve->time[k] = theory->time[k];
    curve->predicted[k] =
        theory->known
            ? sgf_dot(layer->size, theory->change + k * theory->size + layer->at, layer->drift) / layer->norm
            : layer->norm * lasted(layer, theory->taken[k]);
  }
  snprintf(name, sizeof name, "balance_drift_%zu", layer->hidden);
  double time = lasted(layer, theory->taken[last]), predicted = curve->predicted[last] / time;
  double measured = curve->measured[last] / time, spread = curve->error[last] / time;
  sgf_add_quantity(all, name, predicted, measured, spread, (measured - predicted) / layer->gross,
                   spread / layer->gross);
  return SGF_OK;
}

/* All elements at all points: the norm of the deviation from the predicted path, relative to that of what the two
 * opposite contributions to the drift make by then. */
static sgf_status compare_path(sgf_comparing *all, const balance_theory *theory, const balance_layer *layer,
                               sgf_error *error)
{
  size_t points = theory->points, size = layer->size;
  double *vectors, square = 0.0;
  char name[48];
  if (!theory->known) return SGF_OK;
  sgf_status status = sgf_new_reals(&vectors, all->rows, points * size, "path of the balance", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < points; k++) {
    square += pow(layer->gross * lasted(layer, theory->taken[k]), 2.0);
    for (size_t r = 0; r < all->rows; r++)
      for (size_t i = 0; i < size; i++)
        vectors[(r * points + k) * size + i] =
            measured_at(all, layer, r, k, i) - theory->change[k * theory->size + layer->at + i];
  }
  snprintf(name, sizeof name, "balance_path_%zu", layer->hidden);
  status = sgf_add_norm(all, name, vectors, points * size, sqrt(square), error);
  free(vectors);
  return status;
}

static sgf_status compare_layer(sgf_comparing *all, const balance_theory *theory, size_t hidden, size_t at,
                                sgf_error *error)
{
  const sgf_problem *problem = all->problem;
  size_t rows, columns, width = problem->network.widths[hidden];
  const double *C = sgf_prediction_array(all->prediction, "noise_covariance", &rows, &columns);
  balance_layer layer = {.hidden = hidden, .size = width * width, .at = at};
  sgf_status status = sgf_new_reals(&layer.drift, width, width, "drift of the balance", error);
  if (status != SGF_OK) return status;
  layer.rate = sgf_balance_rate(&problem->network, problem->theta, C, theory->scale, hidden) +
               sgf_balance_decay(&problem->settings);
  sgf_balance_drift(&problem->network, C, theory->scale, hidden, layer.drift, &layer.gross);
  layer.norm = sgf_norm(layer.size, layer.drift);
  if (layer.norm > 0.0) {
    status = compare_drift(all, theory, &layer, error);
    if (status == SGF_OK) status = compare_path(all, theory, &layer, error);
  }
  free(layer.drift);
  return status;
}

sgf_status sgf_compare_balances(sgf_comparing *all, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  balance_theory theory = {0};
  size_t at = 0;
  sgf_status status = SGF_OK;
  if (all->ensemble->balance == NULL) return SGF_OK;
  if (all->prediction->known != NULL && all->prediction->known->on_range) return SGF_OK; /* they are of null(H) too */
  SGF_TRY(theory_create(all, &theory, error));
  for (size_t l = 1; l < network->layers; l++) {
    SGF_TRY(compare_layer(all, &theory, l, at, error));
    at += network->widths[l] * network->widths[l];
  }
done:
  theory_free(&theory);
  return status;
}
