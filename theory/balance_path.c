/* How the balances of the hidden layers move over times as long as the lifetime of the state. */
#include "balance_path.h"

#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "linear_algebra.h"
#include "memory.h"
#include "noise_balance.h"
#include "null_motion.h"
#include "slow_path.h"

/* Weights beyond which the rotations are neglected: every point of their path takes eigenproblems of H. */
enum { MOST_TURNED = 200, STEPS_A_POINT = 400 };

/* change = the balances at theta less those at theta*, all hidden layers. */
static void balances_of(const sgf_problem *problem, const double *theta, double *work, double *change)
{
  const sgf_network *network = &problem->network;
  for (size_t l = 1, at = 0; l < network->layers; l++) {
    size_t size = network->widths[l] * network->widths[l];
    sgf_balance(network, theta, l, change + at);
    sgf_balance(network, problem->theta, l, work);
    for (size_t k = 0; k < size; k++) change[at + k] -= work[k];
    at += size;
  }
}

static sgf_status with_rotations(const sgf_problem *problem, const sgf_prediction *prediction, size_t points,
                                 const double *time, double *theta, double *work, double *change, sgf_error *error)
{
  size_t n = problem->network.weights, count = sgf_symmetry_count(&problem->network);
  sgf_slow_path path = {0};
  sgf_status status = sgf_slow_path_create(problem, prediction, 0.0, time[points - 1], &path, error);
  for (size_t k = 0; k < points && status == SGF_OK; k++) {
    sgf_slow_path_at(&path, time[k], theta);
    for (size_t i = 0; i < n; i++) theta[i] += problem->theta[i];
    balances_of(problem, theta, work, change + k * count);
  }
  sgf_slow_path_free(&path);
  return status;
}

static sgf_status without_rotations(const sgf_problem *problem, const sgf_prediction *prediction, size_t points,
                                    const double *time, double *theta, double *work, double *change, bool *known,
                                    sgf_error *error)
{
  size_t count = sgf_symmetry_count(&problem->network);
  const sgf_settings *settings = &problem->settings;
  double scale = settings->training.learning_rate * prediction->info.noise_strength *
                 sgf_balance_speed(settings->training.momentum, sgf_batches_of(problem));
  sgf_noise_balance *balance = NULL;
  sgf_status status;
  SGF_TRY(sgf_noise_balance_create(problem, scale, &balance, error));
  for (size_t k = 0; k < points; k++) {
    status = sgf_noise_balance_advance(balance, time[k], STEPS_A_POINT, theta, error);
    if (status == SGF_ERROR_NUMERICAL) { /* very different rates */
      memset(change, 0, points * count * sizeof *change);
      *known = false;
      status = SGF_OK;
      goto done;
    }
    if (status != SGF_OK) goto done;
    balances_of(problem, theta, work, change + k * count);
  }
done:
  sgf_noise_balance_free(balance);
  return status;
}

sgf_status sgf_balance_path(const sgf_problem *problem, const sgf_prediction *prediction, size_t points,
                            const double *time, double *change, bool *known, sgf_error *error)
{
  size_t n = problem->network.weights, count = sgf_symmetry_count(&problem->network);
  bool too_many = problem->network.layers > 2 && count > SGF_MOST_COUPLED_MODES;
  double *theta = NULL, *work = NULL;
  sgf_status status;
  memset(change, 0, points * count * sizeof *change);
  *known = problem->network.layers > 1 && problem->settings.training.weight_decay == 0.0 && !too_many;
  if (!*known) return SGF_OK;
  SGF_TRY(sgf_new_reals(&theta, n, 1, "path of the balance", error));
  SGF_TRY(sgf_new_reals(&work, count, 1, "path of the balance", error));
  if (n <= MOST_TURNED && sgf_null_motion_missing(problem, prediction) == NULL)
    status = with_rotations(problem, prediction, points, time, theta, work, change, error);
  else
    status = without_rotations(problem, prediction, points, time, theta, work, change, known, error);
done:
  free(theta);
  free(work);
  return status;
}
