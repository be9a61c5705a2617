/* How runs spread along the symmetry of the hidden layers, about their mean path along the minima. */
#include "orbit_spread.h"

#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "rotation_momentum.h"

void sgf_orbit_spread_free(sgf_orbit_spread *spread)
{
  free(spread->time);
  free(spread->turned);
  free(spread->rate);
  free(spread->held);
  memset(spread, 0, sizeof *spread);
}

static sgf_status make_room(const sgf_slow_path *path, size_t count, sgf_orbit_spread *spread, sgf_error *error)
{
  size_t points = path->points;
  sgf_status status;
  *spread = (sgf_orbit_spread){.points = points, .count = count};
  SGF_TRY(sgf_new_reals(&spread->time, points, 1, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&spread->turned, points * count, count, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&spread->rate, points * count, count, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&spread->held, points * count, count, "spread along the minima", error));
  memcpy(spread->time, path->time, points * sizeof *path->time);
done:
  return status;
}

/* Keep the elements of two modes that are both rotations, or both scalings. */
static void keep_kind(size_t count, const sgf_mode *modes, bool rotations, double share, double *covariance)
{
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++)
      covariance[a * count + b] *= modes[a].rotation == rotations && modes[b].rotation == rotations ? share : 0.0;
}

/* Rate and scalings at one point, in c. A scaling -delta^T N_a delta / 2 at one time has half of the variance of its change
 * over a long one. */
static sgf_status fill_point(const sgf_problem *problem, const sgf_prediction *prediction, const double *theta,
                             const sgf_mode *modes, size_t count, double *rate, double *held, sgf_error *error)
{
  const sgf_lags in_the_long_run = {0.0, 0.0}, long_after = {1.0, 1e6};
  size_t n = problem->network.weights, rank;
  double *gram = NULL, *lift = NULL, *nu = NULL;
  sgf_motion motion = {0};
  sgf_status status;
  SGF_TRY(sgf_new_reals(&gram, count, count, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&lift, count, n, "spread along the minima", error));
  SGF_TRY(sgf_new_reals(&nu, count, count, "spread along the minima", error));
  SGF_TRY(sgf_motion_at(problem, prediction, theta, &motion, error));
  SGF_TRY(sgf_symmetry_lift(&problem->network, theta, count, modes, gram, lift, &rank, error));
  SGF_TRY(sgf_motion_covariance_configured(problem, &motion, &in_the_long_run, count, modes, nu, error));
  keep_kind(count, modes, true, 1.0, nu);
  SGF_TRY(sgf_sandwich(count, count, SGF_PLAIN, gram, nu, rate, "spread along the minima", error));
  SGF_TRY(sgf_motion_covariance_configured(problem, &motion, &long_after, count, modes, nu, error));
  keep_kind(count, modes, false, 0.5, nu);
  SGF_TRY(sgf_sandwich(count, count, SGF_PLAIN, gram, nu, held, "spread along the minima", error));
done:
  free(gram);
  free(lift);
  free(nu);
  sgf_motion_free(&motion);
  return status;
}

sgf_status sgf_orbit_spread_create(const sgf_problem *problem, const sgf_prediction *prediction,
                                   const sgf_slow_path *path, sgf_orbit_spread *spread, sgf_error *error)
{
  size_t count = sgf_symmetry_count(&problem->network), square = count * count;
  sgf_mode *modes = NULL;
  sgf_status status = make_room(path, count, spread, error);
  if (status == SGF_OK) status = sgf_modes_create(count, &modes, error);
  if (status == SGF_OK) sgf_symmetries(&problem->network, modes);
  for (size_t k = 0; k < path->points && status == SGF_OK; k++) {
    status = fill_point(problem, prediction, path->theta + k * path->n, modes, count, spread->rate + k * square,
                        spread->held + k * square, error);
    if (k == 0) continue;
    const double *before = spread->rate + (k - 1) * square, *here = before + square;
    double half = 0.5 * (path->time[k] - path->time[k - 1]), *turned = spread->turned + k * square;
    for (size_t e = 0; e < square; e++) turned[e] = turned[e - square] + half * (before[e] + here[e]);
  }
  free(modes);
  return status;
}

void sgf_orbit_spread_at(const sgf_orbit_spread *spread, double time, double *covariance)
{
  size_t square = spread->count * spread->count, k = 0;
  while (k + 2 < spread->points && spread->time[k + 1] < time) k++;
  double x = time - spread->time[k], share = x / (spread->time[k + 1] - spread->time[k]);
  const double *rate = spread->rate + k * square, *held = spread->held + k * square;
  for (size_t e = 0; e < square; e++) {
    double mean_rate = rate[e] + 0.5 * share * (rate[square + e] - rate[e]);
    covariance[e] = spread->turned[k * square + e] + x * mean_rate + held[e] + share * (held[square + e] - held[e]);
  }
}
