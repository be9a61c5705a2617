/* What the hidden layers turn by in a window, about where the mean of the weights has come to. */
#include "turning.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "averaged_operators.h"
#include "closure.h"
#include "linear_algebra.h"
#include "memory.h"
#include "null_motion.h"
#include "rotation_martingale.h"
#include "rotation_momentum.h"

void sgf_turning_free(sgf_turning *turning)
{
  free(turning->modes);
  free(turning->theta);
  free(turning->gram);
  free(turning->mean);
  free(turning->covariance);
  memset(turning, 0, sizeof *turning);
}

/* Room, and the rotations; theta is theta*. */
static sgf_status make_room(const sgf_problem *problem, const sgf_plan *plan, sgf_turning *turning, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t n = network->weights, count = 0;
  sgf_status status;
  for (size_t l = 1; l < network->layers; l++) count += sgf_rotation_count(network, l);
  *turning =
      (sgf_turning){.count = count, .elapsed = sgf_time_of_step(&problem->settings) * (double)plan->window_steps};
  SGF_TRY(sgf_modes_create(count, &turning->modes, error));
  for (size_t l = 1, at = 0; l < network->layers; l++) at += sgf_rotations(network, l, turning->modes + at);
  SGF_TRY(sgf_new_reals(&turning->theta, n, 1, "rotations", error));
  SGF_TRY(sgf_new_reals(&turning->mean, count, 1, "rotations", error));
  SGF_TRY(sgf_new_reals(&turning->covariance, count, count, "rotations", error));
  memcpy(turning->theta, problem->theta, n * sizeof *turning->theta);
done:
  return status;
}

/* The mean between two times after theta*, by the stationary drift and what the fluctuations hold. */
static sgf_status mean_of_window(const sgf_problem *problem, const sgf_plan *plan, const sgf_motion *motion,
                                 sgf_turning *turning, sgf_error *error)
{
  double start = sgf_time_of_step(&problem->settings) * (double)plan->burn_in_steps, *before = NULL;
  size_t count = turning->count;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&before, count, 1, "rotations", error));
  SGF_TRY(sgf_motion_mean(motion, start + turning->elapsed, count, turning->modes, turning->mean, error));
  SGF_TRY(sgf_motion_mean(motion, start, count, turning->modes, before, error));
  for (size_t a = 0; a < count; a++) turning->mean[a] -= before[a];
done:
  free(before);
  return status;
}

static bool is_of_epochs(const sgf_problem *problem)
{
  return problem->settings.training.sampling == SGF_SAMPLING_EPOCH;
}

/* In reshuffled epochs: by the drift over the epochs of the window, which `motion` has. */
static sgf_status mean_of_epochs(const sgf_motion *motion, sgf_turning *turning, sgf_error *error)
{
  sgf_status status = sgf_motion_drift(motion, turning->count, turning->modes, turning->mean, error);
  for (size_t a = 0; a < turning->count; a++) turning->mean[a] *= turning->elapsed;
  return status;
}

sgf_status sgf_turning_create_leading(const sgf_problem *problem, const sgf_prediction *prediction,
                                      const sgf_plan *plan, sgf_turning *turning, sgf_error *error)
{
  sgf_motion motion = {0}, stationary = {0};
  sgf_status status;
  SGF_TRY(make_room(problem, plan, turning, error));
  SGF_TRY(sgf_rotation_gram(&problem->network, turning->theta, &turning->gram, error));
  if (turning->gram == NULL) return SGF_OK;
  const sgf_lags lags = {1.0, turning->elapsed};
  SGF_TRY(sgf_motion_create_configured(problem, &prediction->joint, plan, &motion, error));
  SGF_TRY(sgf_motion_create_configured(problem, &prediction->joint, NULL, &stationary, error));
  if (is_of_epochs(problem))
    SGF_TRY(mean_of_epochs(&motion, turning, error));
  else
    SGF_TRY(mean_of_window(problem, plan, &stationary, turning, error));
  SGF_TRY(sgf_motion_covariance_configured(problem, &motion, &lags, turning->count, turning->modes,
                                           turning->covariance, error));
done:
  sgf_motion_free(&motion);
  sgf_motion_free(&stationary);
  return status;
}

/* ------------------------------------------------------------ next order */

static bool is_flow(const sgf_settings *settings) { return settings->theory.equation == SGF_EQUATION_CONTINUUM; }

/* By steps, or by the flow. */
static sgf_status covariance_of(const sgf_problem *problem, const sgf_motion *motion, const sgf_lags *lags,
                                size_t count, const sgf_mode *modes, double *covariance, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  if (is_flow(settings)) return sgf_motion_covariance(motion, lags, count, modes, covariance, error);
  return sgf_motion_covariance_by_steps(settings->training.learning_rate, settings->training.momentum, motion, lags,
                                        count, modes, covariance, error);
}

/* Motion with the covariance Sigma (n, n) of the fluctuations; NULL: that of the configured equation with constant drift, over
 * the plan's window, or stationary. */
static sgf_status motion_with(const sgf_problem *problem, const sgf_fluctuations *fluctuations, const sgf_plan *plan,
                              const double *Sigma, sgf_motion *motion, sgf_error *error)
{
  size_t n = problem->network.weights;
  double *own = NULL;
  sgf_status status;
  sgf_motion_free(motion);
  if (Sigma == NULL) {
    SGF_TRY(sgf_new_reals(&own, n, n, "covariance next to the symmetry", error));
    SGF_TRY(sgf_covariance(problem, fluctuations, sgf_configured_time(&problem->settings), plan, own, error));
  }
  SGF_TRY(sgf_motion_create_configured(problem, fluctuations, NULL, motion, error));
  SGF_TRY(sgf_motion_set_covariance(motion, &fluctuations->range, Sigma != NULL ? Sigma : own, error));
done:
  free(own);
  return status;
}

/* Where the path along the minima is in the middle of the window, into theta; false: not known. */
static sgf_status follow_path(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                              sgf_turning *turning, bool *moved, sgf_error *error)
{
  size_t n = problem->network.weights;
  double before = sgf_time_of_step(&problem->settings) * (double)plan->burn_in_steps, *there = NULL;
  sgf_slow_path path = {0};
  sgf_status status;
  *moved = n <= SGF_MOST_PATH_WEIGHTS && sgf_null_motion_missing(problem, prediction) == NULL;
  if (!*moved) return SGF_OK;
  SGF_TRY(sgf_new_reals(&there, n, 1, "path along the minima", error));
  SGF_TRY(sgf_slow_path_create(problem, prediction, before, 0.5 * turning->elapsed, &path, error));
  sgf_slow_path_at(&path, 0.5 * turning->elapsed, there);
  for (size_t k = 0; k < n; k++) turning->theta[k] += there[k];
done:
  sgf_slow_path_free(&path);
  free(there);
  return status;
}

/* The closure to the end of the window: change (n) of the mean in it, theta of its middle, mean of Sigma (n, n) over the middles
 * of its quarters. */
static sgf_status follow_closure(const sgf_problem *problem, const sgf_plan *plan, sgf_turning *turning, bool moved,
                                 double *change, double *Sigma, sgf_error *error)
{
  size_t n = problem->network.weights, done_steps = 0;
  sgf_closure *closure = NULL;
  sgf_status status;
  SGF_TRY(sgf_closure_create(problem, n, NULL, &closure, error));
  SGF_TRY(sgf_closure_advance(closure, plan->burn_in_steps, SGF_CLOSURE_TOLERANCE, error));
  for (size_t k = 0; k < n; k++) change[k] = -sgf_closure_mean(closure)[k];
  for (size_t eighth = 1; eighth <= 8; eighth++) {
    size_t until = plan->window_steps * eighth / 8;
    SGF_TRY(sgf_closure_advance(closure, until - done_steps, SGF_CLOSURE_TOLERANCE, error));
    done_steps = until;
    for (size_t k = 0; k < n * n && eighth % 2 == 1; k++) Sigma[k] += 0.25 * sgf_closure_covariance(closure)[k];
    for (size_t k = 0; k < n && eighth == 4 && moved; k++) turning->theta[k] += sgf_closure_mean(closure)[k];
  }
  for (size_t k = 0; k < n; k++) change[k] += sgf_closure_mean(closure)[k];
done:
  sgf_closure_free(closure);
  return status;
}

/* factor (r, n): rows l_k, S = sum_k l_k l_k^T in weights. */
static sgf_status factorize(const sgf_motion *motion, double *factor, sgf_error *error)
{
  size_t r = motion->rank, n = motion->network->weights;
  double *Q = NULL, *variance = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Q, r, r, "covariance next to the symmetry", error));
  SGF_TRY(sgf_new_reals(&variance, r, 1, "covariance next to the symmetry", error));
  memcpy(Q, motion->S, r * r * sizeof *Q);
  SGF_TRY(sgf_symmetric_eigen(r, Q, variance, "covariance next to the symmetry", error));
  for (size_t k = 0; k < r * r; k++) Q[k] *= sqrt(fmax(variance[k / r], 0.0));
  sgf_multiply(r, n, r, SGF_PLAIN, Q, SGF_TRANSPOSED, motion->rows, factor);
done:
  free(Q);
  free(variance);
  return status;
}

/* D (r, r), per unit of time and in the modes: of fluctuations with the motion's S, by the closure. */
static sgf_status averaged_noise(const sgf_problem *problem, const sgf_fluctuations *fluctuations, double scale,
                                 const double *theta, const sgf_motion *motion, double *D, sgf_error *error)
{
  size_t n = problem->network.weights, r = motion->rank;
  double *factor = NULL;
  sgf_averaged_operators averaged = {0};
  sgf_status status;
  SGF_TRY(sgf_averaged_operators_create(n, n, &averaged, error));
  SGF_TRY(sgf_new_reals(&factor, r, n, "covariance next to the symmetry", error));
  SGF_TRY(factorize(motion, factor, error));
  SGF_TRY(sgf_average_operators(&problem->network, &problem->data, problem->settings.training.weight_decay, theta, r,
                                factor, NULL, &averaged, error));
  SGF_TRY(sgf_into_range(&fluctuations->range, averaged.noise, D, error));
  for (size_t k = 0; k < r * r; k++) D[k] *= scale;
done:
  sgf_averaged_operators_free(&averaged);
  free(factor);
  return status;
}

/* The same of constant noise. */
static void constant_noise(const sgf_fluctuations *fluctuations, double *D)
{
  size_t n = fluctuations->range.n, r = fluctuations->range.rank, null = n - r;
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) D[i * r + j] = fluctuations->noise[(null + i) * n + null + j];
}

/* The covariance of the change by the martingale: slow modes need not have relaxed. What saturates, as of stationary ones. */
static sgf_status add_martingale(const sgf_problem *problem, const sgf_motion *motion, const double *D,
                                 sgf_turning *turning, sgf_error *error)
{
  const sgf_lags in_the_window = {1.0, turning->elapsed}, in_the_long_run = {0.0, 0.0};
  size_t count = turning->count;
  double step = is_flow(&problem->settings) ? 0.0 : problem->settings.training.learning_rate;
  double *rate = NULL, *flow = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&rate, count, count, "rotations", error));
  SGF_TRY(sgf_new_reals(&flow, count, count, "rotations", error));
  SGF_TRY(sgf_martingale_rate(motion, step, D, count, turning->modes, rate, error));
  SGF_TRY(sgf_motion_covariance(motion, &in_the_long_run, count, turning->modes, flow, error));
  SGF_TRY(sgf_motion_covariance(motion, &in_the_window, count, turning->modes, turning->covariance, error));
  for (size_t k = 0; k < count * count; k++) turning->covariance[k] += turning->elapsed * (rate[k] - flow[k]);
done:
  free(rate);
  free(flow);
  return status;
}

/* The covariance of the change at the turning's theta, by a motion whose S is the mean of the window. */
static sgf_status fill_covariance(const sgf_problem *problem, const sgf_prediction *prediction,
                                  const sgf_fluctuations *fluctuations, const sgf_motion *motion,
                                  sgf_turning *turning, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  const sgf_lags lags = {1.0, turning->elapsed};
  double scale = settings->training.learning_rate * prediction->info.noise_strength, *D;
  if (settings->training.momentum > 0.0 || !sgf_martingale_is_affordable(motion->rank, turning->count))
    return covariance_of(problem, motion, &lags, turning->count, turning->modes, turning->covariance, error);
  sgf_status status = sgf_new_reals(&D, motion->rank, motion->rank, "noise next to the symmetry", error);
  if (status != SGF_OK) return status;
  if (settings->theory.equation == SGF_EQUATION_CLOSURE)
    status = averaged_noise(problem, fluctuations, scale, turning->theta, motion, D, error);
  else
    constant_noise(fluctuations, D);
  if (status == SGF_OK) status = add_martingale(problem, motion, D, turning, error);
  free(D);
  return status;
}

/* Mean and covariance at the turning's theta. change (n) and Sigma (n, n) of the closure, or NULL. */
static sgf_status fill(const sgf_problem *problem, const sgf_prediction *prediction,
                       const sgf_fluctuations *fluctuations, const sgf_plan *plan, const double *change,
                       const double *Sigma, sgf_turning *turning, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  sgf_motion motion = {0};
  sgf_status status;
  SGF_TRY(sgf_rotation_gram(network, turning->theta, &turning->gram, error));
  if (turning->gram == NULL) return SGF_OK;
  if (change != NULL) {
    sgf_symmetry_project(network, turning->theta, turning->count, turning->modes, change, turning->mean);
  } else {
    SGF_TRY(motion_with(problem, fluctuations, NULL, NULL, &motion, error));
    SGF_TRY(mean_of_window(problem, plan, &motion, turning, error));
  }
  SGF_TRY(motion_with(problem, fluctuations, plan, Sigma, &motion, error));
  SGF_TRY(fill_covariance(problem, prediction, fluctuations, &motion, turning, error));
done:
  sgf_motion_free(&motion);
  return status;
}

sgf_status sgf_turning_create(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                              sgf_turning *turning, sgf_error *error)
{
  size_t n = problem->network.weights;
  bool by_closure = problem->settings.theory.equation == SGF_EQUATION_CLOSURE;
  bool moved = by_closure && problem->settings.training.weight_decay == 0.0;
  double *change = NULL, *Sigma = NULL;
  sgf_fluctuations there = {0};
  sgf_status status;
  if (is_of_epochs(problem)) return sgf_turning_create_leading(problem, prediction, plan, turning, error);
  SGF_TRY(make_room(problem, plan, turning, error));
  if (by_closure) {
    SGF_TRY(sgf_new_reals(&change, n, 1, "rotations", error));
    SGF_TRY(sgf_new_reals(&Sigma, n, n, "covariance next to the symmetry", error));
    SGF_TRY(follow_closure(problem, plan, turning, moved, change, Sigma, error));
  } else {
    SGF_TRY(follow_path(problem, prediction, plan, turning, &moved, error));
  }
  if (moved) SGF_TRY(sgf_fluctuations_at(problem, prediction, turning->theta, &there, error));
  SGF_TRY(fill(problem, prediction, moved ? &there : &prediction->joint, plan, change, Sigma, turning, error));
done:
  sgf_fluctuations_free(&there);
  free(change);
  free(Sigma);
  return status;
}

sgf_status sgf_turning_rates(const sgf_problem *problem, const sgf_prediction *prediction, size_t count,
                             const sgf_mode *modes, double *drift, double *diffusion, sgf_error *error)
{
  const sgf_lags rate = {0.0, 0.0};
  const double *along = sgf_prediction_find(prediction, "mean_drift");
  bool by_closure = problem->settings.theory.equation == SGF_EQUATION_CLOSURE;
  const double *Sigma = by_closure ? sgf_prediction_find(prediction, "covariance") : NULL;
  sgf_motion motion = {0};
  sgf_status status;
  SGF_TRY(motion_with(problem, &prediction->joint, NULL, Sigma, &motion, error));
  if (by_closure && along != NULL)
    sgf_symmetry_project(&problem->network, problem->theta, count, modes, along, drift);
  else
    SGF_TRY(sgf_motion_drift(&motion, count, modes, drift, error));
  SGF_TRY(covariance_of(problem, &motion, &rate, count, modes, diffusion, error));
done:
  sgf_motion_free(&motion);
  return status;
}
