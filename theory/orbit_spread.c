/* How runs spread along the symmetry of the hidden layers, about their mean. */
#include "orbit_spread.h"

#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "rotation_momentum.h"
#include "slow_path.h"

void sgf_orbit_spread_free(sgf_orbit_spread *spread)
{
  free(spread->modes);
  free(spread->turned);
  free(spread->rate);
  free(spread->held);
  memset(spread, 0, sizeof *spread);
}

sgf_status sgf_orbit_spread_create(const sgf_problem *problem, const sgf_prediction *prediction,
                                   sgf_orbit_spread *spread, sgf_error *error)
{
  size_t count = sgf_symmetry_count(&problem->network);
  sgf_status status;
  *spread = (sgf_orbit_spread){.problem = problem, .prediction = prediction, .count = count};
  SGF_TRY(sgf_modes_create(count, &spread->modes, error));
  sgf_symmetries(&problem->network, spread->modes);
  SGF_TRY(sgf_new_reals(&spread->turned, count, count, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&spread->rate, count, count, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&spread->held, count, count, "spread along the minima", error));
done:
  return status;
}

/* The motion of fluctuations about theta with the covariance Sigma. */
static sgf_status motion_of(const sgf_orbit_spread *spread, const double *theta, const double *Sigma,
                            sgf_motion *motion, sgf_error *error)
{
  sgf_fluctuations fluctuations = {0};
  sgf_status status;
  SGF_TRY(sgf_fluctuations_at(spread->problem, spread->prediction, theta, &fluctuations, error));
  SGF_TRY(sgf_motion_create_configured(spread->problem, &fluctuations, NULL, motion, error));
  SGF_TRY(sgf_motion_set_covariance(motion, &fluctuations.range, Sigma, error));
done:
  sgf_fluctuations_free(&fluctuations);
  return status;
}

/* covariance (count, count) of c from that of nu, of which the elements of two modes that are both rotations, or both
 * scalings, are kept, times a share. */
static sgf_status to_angles(const sgf_orbit_spread *spread, const double *gram, bool rotations, double share,
                            double *nu, double *covariance, sgf_error *error)
{
  size_t count = spread->count;
  const sgf_mode *modes = spread->modes;
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++)
      nu[a * count + b] *= modes[a].rotation == rotations && modes[b].rotation == rotations ? share : 0.0;
  return sgf_sandwich(count, count, SGF_PLAIN, gram, nu, covariance, "spread along the minima", error);
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
  SGF_TRY(to_angles(spread, gram, true, 1.0, nu, spread->rate, error));
  SGF_TRY(sgf_motion_covariance(motion, &long_after, count, spread->modes, nu, error));
  SGF_TRY(to_angles(spread, gram, false, 0.5, nu, spread->held, error));
done:
  free(gram);
  free(lift);
  free(nu);
  return status;
}

sgf_status sgf_orbit_spread_advance(sgf_orbit_spread *spread, double time, const double *theta, const double *Sigma,
                                    sgf_error *error)
{
  size_t square = spread->count * spread->count;
  double half = 0.5 * (time - spread->time);
  sgf_motion motion = {0};
  sgf_status status;
  for (size_t e = 0; e < square; e++) spread->turned[e] += half * spread->rate[e];
  SGF_TRY(motion_of(spread, theta, Sigma, &motion, error));
  SGF_TRY(evaluate(spread, &motion, theta, error));
  for (size_t e = 0; e < square; e++) spread->turned[e] += half * spread->rate[e];
  spread->time = time;
done:
  sgf_motion_free(&motion);
  return status;
}

void sgf_orbit_spread_covariance(const sgf_orbit_spread *spread, double *covariance)
{
  for (size_t e = 0; e < spread->count * spread->count; e++) covariance[e] = spread->turned[e] + spread->held[e];
}
