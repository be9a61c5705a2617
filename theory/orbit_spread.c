/* How runs spread along the symmetry of the hidden layers, about their mean. */
#include "orbit_spread.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "linear_algebra.h"
#include "memory.h"
#include "noise_balance.h"
#include "rotation_momentum.h"
#include "scaling_diffusion.h"
#include "slow_path.h"

/* Relative change of the weights after which the scalings' diffusion, a small part, is found again; and step of the difference
 * quotient of the slow motion, relative to the weights. */
static const double MOVED = 0.05, QUOTIENT_STEP = 1e-5;

void sgf_orbit_spread_free(sgf_orbit_spread *spread)
{
  free(spread->modes);
  free(spread->turned);
  free(spread->rate);
  free(spread->held);
  free(spread->flow);
  free(spread->scalings);
  free(spread->found_at);
  sgf_noise_balance_free(spread->balance);
  memset(spread, 0, sizeof *spread);
}

/* The slow motion, where it is solved for. */
static sgf_status create_balance(sgf_orbit_spread *spread, sgf_error *error)
{
  const sgf_settings *settings = &spread->problem->settings;
  double scale = settings->training.learning_rate * spread->prediction->info.noise_strength *
                 sgf_balance_speed(settings->training.momentum, sgf_batches_of(spread->problem));
  sgf_status status = sgf_noise_balance_create(spread->problem, scale, &spread->balance, error);
  return status == SGF_ERROR_UNSUPPORTED ? SGF_OK : status;
}

sgf_status sgf_orbit_spread_create(const sgf_problem *problem, const sgf_prediction *prediction,
                                   sgf_orbit_spread *spread, sgf_error *error)
{
  size_t count = sgf_symmetry_count(&problem->network), n = problem->network.weights;
  sgf_status status;
  *spread = (sgf_orbit_spread){.problem = problem, .prediction = prediction, .count = count};
  SGF_TRY(sgf_modes_create(count, &spread->modes, error));
  sgf_symmetries(&problem->network, spread->modes);
  double **matrices[] = {&spread->turned, &spread->rate, &spread->held, &spread->flow, &spread->scalings};
  for (size_t k = 0; k < sizeof matrices / sizeof *matrices; k++)
    SGF_TRY(sgf_new_reals(matrices[k], count, count, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&spread->found_at, n, 1, "spread along the minima", error));
  sgf_fill_nan(n, spread->found_at);
  SGF_TRY(create_balance(spread, error));
done:
  return status;
}

/* J at theta, given gram (count, count) there; 0 for the scaling of a unit without weights. */
static sgf_status find_flow(sgf_orbit_spread *spread, const double *theta, const double *gram, sgf_error *error)
{
  const sgf_network *network = &spread->problem->network;
  size_t n = network->weights, count = spread->count;
  double *work = NULL, size = sgf_norm(n, theta);
  sgf_status status;
  if (spread->balance == NULL) return SGF_OK;
  SGF_TRY(sgf_new_reals(&work, 5 * n + 2 * count, 1, "slow motion", error));
  double *here = work, *direction = work + n, *moved = work + 2 * n, *velocity = work + 3 * n, *change = work + 4 * n;
  double *nu = work + 5 * n, *c = nu + count;
  SGF_TRY(sgf_noise_balance_velocity(spread->balance, theta, here, error));
  for (size_t a = 0; a < count; a++) {
    if (spread->modes[a].rotation) continue;
    sgf_symmetry_apply(network, &spread->modes[a], here, change);
    sgf_symmetry_apply(network, &spread->modes[a], theta, direction);
    double length = sgf_norm(n, direction), step = QUOTIENT_STEP * size / length;
    if (!(length > 0.0)) continue;
    for (size_t k = 0; k < n; k++) change[k] = -change[k];
    for (int side = -1; side <= 1; side += 2) {
      for (size_t k = 0; k < n; k++) moved[k] = theta[k] + side * step * direction[k];
      SGF_TRY(sgf_noise_balance_velocity(spread->balance, moved, velocity, error));
      for (size_t k = 0; k < n; k++) change[k] += side * velocity[k] / (2.0 * step);
    }
    sgf_symmetry_project(network, theta, count, spread->modes, change, nu);
    sgf_multiply(count, 1, count, SGF_PLAIN, gram, SGF_PLAIN, nu, c);
    for (size_t b = 0; b < count; b++) spread->flow[b * count + a] = c[b];
  }
done:
  free(work);
  return status;
}

/* The scalings' own diffusion, found again where the weights have moved. */
static sgf_status find_scalings(sgf_orbit_spread *spread, const sgf_range *range, const double *theta,
                                sgf_error *error)
{
  size_t n = spread->problem->network.weights;
  double moved = 0.0;
  for (size_t k = 0; k < n; k++) moved += pow(theta[k] - spread->found_at[k], 2.0);
  if (moved < pow(MOVED * sgf_norm(n, theta), 2.0)) return SGF_OK;
  memcpy(spread->found_at, theta, n * sizeof *theta);
  return sgf_scaling_diffusion(spread->problem, range, theta, spread->count, spread->modes, spread->scalings, error);
}

/* The motion of fluctuations about theta with the covariance Sigma; and the scalings' own diffusion there. */
static sgf_status motion_of(sgf_orbit_spread *spread, const double *theta, const double *Sigma, sgf_motion *motion,
                            sgf_error *error)
{
  sgf_fluctuations fluctuations = {0};
  sgf_status status;
  SGF_TRY(sgf_fluctuations_at(spread->problem, spread->prediction, theta, &fluctuations, error));
  SGF_TRY(sgf_motion_create_configured(spread->problem, &fluctuations, NULL, motion, error));
  SGF_TRY(sgf_motion_set_covariance(motion, &fluctuations.range, Sigma, error));
  SGF_TRY(find_scalings(spread, &fluctuations.range, theta, error));
done:
  sgf_fluctuations_free(&fluctuations);
  return status;
}

/* Keep the elements of nu (count, count) of two modes that are both rotations, or both scalings, times a share. */
static void keep_kind(const sgf_orbit_spread *spread, bool rotations, double share, double *nu)
{
  size_t count = spread->count;
  const sgf_mode *modes = spread->modes;
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++)
      nu[a * count + b] *= modes[a].rotation == rotations && modes[b].rotation == rotations ? share : 0.0;
}

/* Rate and scalings with the motion there. A scaling -delta^T N_a delta / 2 at one time has half of the variance of its
 * change over a long one. */
static sgf_status evaluate(sgf_orbit_spread *spread, const sgf_motion *motion, const double *theta, sgf_error *error)
{
  const sgf_lags in_the_long_run = {0.0, 0.0}, long_after = {1.0, 1e6};
  const sgf_problem *problem = spread->problem;
  double rate = problem->settings.training.learning_rate, momentum = problem->settings.training.momentum;
  size_t count = spread->count, rank;
  double *gram = NULL, *lift = NULL, *nu = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&gram, count, count, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&lift, count, problem->network.weights, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&nu, count, count, "spread along the minima", error));
  SGF_TRY(sgf_symmetry_lift(&problem->network, theta, count, spread->modes, gram, lift, &rank, error));
  SGF_TRY(sgf_motion_covariance_by_steps(rate, momentum, motion, &in_the_long_run, count, spread->modes, nu, error));
  keep_kind(spread, true, 1.0, nu);
  for (size_t e = 0; e < count * count; e++) nu[e] += spread->scalings[e];
  SGF_TRY(sgf_sandwich(count, count, SGF_PLAIN, gram, nu, spread->rate, "spread along the minima", error));
  SGF_TRY(sgf_motion_covariance(motion, &long_after, count, spread->modes, nu, error));
  keep_kind(spread, false, 0.5, nu);
  SGF_TRY(sgf_sandwich(count, count, SGF_PLAIN, gram, nu, spread->held, "spread along the minima", error));
  SGF_TRY(find_flow(spread, theta, gram, error));
done:
  free(gram);
  free(lift);
  free(nu);
  return status;
}

/* U = 1 + X + X^2 / 2 for X = dt J, and turned = U (turned + dt rate / 2) U^T. */
static sgf_status carry(sgf_orbit_spread *spread, double dt, sgf_error *error)
{
  size_t count = spread->count, square = count * count;
  double *X = NULL, *U = NULL, *carried = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&X, count, count, "slow motion", error));
  SGF_TRY(sgf_new_reals(&U, count, count, "slow motion", error));
  SGF_TRY(sgf_new_reals(&carried, count, count, "slow motion", error));
  for (size_t e = 0; e < square; e++) {
    X[e] = dt * spread->flow[e];
    spread->turned[e] += 0.5 * dt * spread->rate[e];
  }
  sgf_multiply(count, count, count, SGF_PLAIN, X, SGF_PLAIN, X, U);
  for (size_t e = 0; e < square; e++) U[e] = 0.5 * U[e] + X[e] + (e % (count + 1) == 0);
  SGF_TRY(sgf_sandwich(count, count, SGF_PLAIN, U, spread->turned, carried, "slow motion", error));
  memcpy(spread->turned, carried, square * sizeof *carried);
done:
  free(X);
  free(U);
  free(carried);
  return status;
}

sgf_status sgf_orbit_spread_advance(sgf_orbit_spread *spread, double time, const double *theta, const double *Sigma,
                                    sgf_error *error)
{
  double dt = time - spread->time;
  sgf_motion motion = {0};
  sgf_status status;
  SGF_TRY(carry(spread, dt, error));
  SGF_TRY(motion_of(spread, theta, Sigma, &motion, error));
  SGF_TRY(evaluate(spread, &motion, theta, error));
  for (size_t e = 0; e < spread->count * spread->count; e++) spread->turned[e] += 0.5 * dt * spread->rate[e];
  spread->time = time;
done:
  sgf_motion_free(&motion);
  return status;
}

void sgf_orbit_spread_covariance(const sgf_orbit_spread *spread, double *covariance)
{
  for (size_t e = 0; e < spread->count * spread->count; e++) covariance[e] = spread->turned[e] + spread->held[e];
}
