/* The time step of Langevin dynamics. */
#include "time_step.h"

#include <math.h>
#include <stdlib.h>

#include "drift.h"
#include "linear_algebra.h"
#include "memory.h"
#include "random.h"

/* What the discretization may add to a variance: dt h / 2. */
static const double DISCRETIZATION = 0.01;
/* The power method is stopped here, which is good to some percent and never above h_max. */
enum { ITERATIONS = 60 };

double sgf_time_of_step(const sgf_settings *settings)
{
  return settings->simulation.dynamics == SGF_DYNAMICS_LANGEVIN ? settings->simulation.time_step
                                                                : settings->training.learning_rate;
}

/* (grad L(theta* + v) - grad L(theta* - v)) / 2 in `difference`, for a v so short that this is H v. */
static sgf_status apply_hessian(const sgf_problem *problem, const double *v, double *point, double *other,
                                double *difference, sgf_error *error)
{
  size_t n = problem->network.weights;
  double decay = problem->settings.training.weight_decay;
  sgf_status status;
  for (size_t k = 0; k < n; k++) point[k] = problem->theta[k] + v[k];
  SGF_TRY(sgf_gradient(&problem->network, &problem->data, point, decay, difference, error));
  for (size_t k = 0; k < n; k++) point[k] = problem->theta[k] - v[k];
  SGF_TRY(sgf_gradient(&problem->network, &problem->data, point, decay, other, error));
  for (size_t k = 0; k < n; k++) difference[k] = 0.5 * (difference[k] - other[k]);
done:
  return status;
}

static sgf_status largest_curvature(const sgf_problem *problem, double *curvature, sgf_error *error)
{
  size_t n = problem->network.weights;
  double *v, length = 1e-5 * fmax(sgf_norm(n, problem->theta), 1e-3);
  sgf_random random;
  sgf_status status;
  *curvature = NAN;
  SGF_TRY(sgf_new_reals(&v, 4, n, "time step", error));
  sgf_random_at(&random, problem->settings.seed, SGF_STREAM_KRYLOV, 0);
  for (size_t k = 0; k < n; k++) v[k] = sgf_random_normal(&random);
  for (int pass = 0; pass < ITERATIONS && status == SGF_OK; pass++) {
    double norm = sgf_norm(n, v);
    for (size_t k = 0; k < n; k++) v[k] *= length / norm;
    status = apply_hessian(problem, v, v + n, v + 2 * n, v + 3 * n, error);
    *curvature = sgf_norm(n, v + 3 * n) / length;
    for (size_t k = 0; k < n; k++) v[k] = v[3 * n + k];
  }
  free(v);
done:
  return status;
}

sgf_status sgf_choose_time_step(sgf_problem *problem, sgf_error *error)
{
  double *step = &problem->settings.simulation.time_step, lambda = problem->settings.training.learning_rate, h;
  if (problem->settings.simulation.dynamics != SGF_DYNAMICS_LANGEVIN) return SGF_OK;
  if (*step > lambda)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "simulation.time_step is %g: it must not be larger than training.learning_rate, %g", *step,
                    lambda);
  if (!isnan(*step)) return SGF_OK;
  sgf_status status = largest_curvature(problem, &h, error);
  if (status == SGF_OK) *step = h > 0.0 ? fmin(lambda, 2.0 * DISCRETIZATION / h) : lambda;
  return status;
}
