/* The mean motion along the manifold of minima. */
#include "slow_path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion.h"
#include "drift.h"
#include "linear_algebra.h"
#include "memory.h"
#include "null_motion.h"
#include "rotation_momentum.h"

/* Steps of a path: of a tenth of the lifetime of the state, in these bounds. */
enum { LEAST_STEPS = 2, MOST_STEPS = 32 };
/* Newton steps back to the minimum from a step off it: the error of the velocity is then of the fourth order in the step. */
enum { RETURNS = 2 };

/* Room for what is needed at one point. */
typedef struct {
  const sgf_problem *problem;
  double scale; /* lambda kappa / S */
  size_t rank;  /* of H */
  size_t count; /* modes of the symmetry */
  sgf_mode *modes;
  double *gram, *lift, *drift;
  double *gradient; /* (n) */
} point_room;

static void free_room(point_room *room)
{
  free(room->modes);
  free(room->gram);
  free(room->lift);
  free(room->drift);
  free(room->gradient);
}

static sgf_status create_room(const sgf_problem *problem, const sgf_prediction *prediction, point_room *room,
                              sgf_error *error)
{
  size_t n = problem->network.weights, count = sgf_symmetry_count(&problem->network);
  sgf_status status;
  *room = (point_room){.problem = problem,
                       .rank = prediction->info.rank_hessian,
                       .scale = problem->settings.training.learning_rate * prediction->info.noise_strength,
                       .count = count};
  SGF_TRY(sgf_modes_create(count, &room->modes, error));
  sgf_symmetries(&problem->network, room->modes);
  SGF_TRY(sgf_new_reals(&room->gram, count, count, "path along the minima", error));
  SGF_TRY(sgf_new_reals(&room->lift, count, n, "path along the minima", error));
  SGF_TRY(sgf_new_reals(&room->drift, count, 1, "path along the minima", error));
  SGF_TRY(sgf_new_reals(&room->gradient, n, 1, "path along the minima", error));
done:
  return status;
}

/* theta -= H^+ grad L on the range of H. */
static void to_minimum(const sgf_range *range, const double *gradient, double *theta)
{
  size_t n = range->n;
  for (size_t k = n - range->rank; k < n; k++) {
    const double *mode = range->V + k * n;
    double step = sgf_dot(n, mode, gradient) / range->h[k];
    for (size_t i = 0; i < n; i++) theta[i] -= step * mode[i];
  }
}

/* The modes of H at theta, of which the `rank` stiffest are its range: next to the minimum the others are not zero. */
static sgf_status modes_at(const sgf_problem *problem, size_t rank, const double *theta, sgf_range *range,
                           sgf_error *error)
{
  size_t n = problem->network.weights;
  sgf_status status;
  sgf_range_free(range);
  *range = (sgf_range){.n = n, .rank = rank};
  SGF_TRY(sgf_new_reals(&range->V, n, n, "path along the minima", error));
  SGF_TRY(sgf_new_reals(&range->h, n, 1, "path along the minima", error));
  SGF_TRY(sgf_hessian(&problem->network, &problem->data, theta, problem->settings.training.weight_decay, range->V,
                      error));
  SGF_TRY(sgf_symmetric_eigen(n, range->V, range->h, "H", error));
done:
  return status;
}

/* Fluctuations with the modes of H at a minimum theta, which are taken over. */
static sgf_status fluctuations_in(const sgf_problem *problem, sgf_range *range, double scale, const double *theta,
                                  sgf_fluctuations *fluctuations, sgf_error *error)
{
  size_t n = problem->network.weights;
  double *C = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&C, n, n, "path along the minima", error));
  SGF_TRY(sgf_noise_covariance(&problem->network, &problem->data, theta, problem->settings.theory.noise, C, error));
  SGF_TRY(sgf_fluctuations_create(range, C, scale, fluctuations, error));
done:
  free(C);
  return status;
}

/* Their motion. */
static sgf_status motion_in(const sgf_problem *problem, sgf_range *range, double scale, const double *theta,
                            sgf_motion *motion, sgf_error *error)
{
  sgf_fluctuations fluctuations = {0};
  sgf_status status = fluctuations_in(problem, range, scale, theta, &fluctuations, error);
  if (status == SGF_OK) status = sgf_motion_create_configured(problem, &fluctuations, NULL, motion, error);
  sgf_fluctuations_free(&fluctuations);
  return status;
}

sgf_status sgf_fluctuations_at(const sgf_problem *problem, const sgf_prediction *prediction, const double *theta,
                               sgf_fluctuations *fluctuations, sgf_error *error)
{
  double scale = problem->settings.training.learning_rate * prediction->info.noise_strength;
  sgf_range range = {0};
  *fluctuations = (sgf_fluctuations){0};
  sgf_status status = modes_at(problem, prediction->info.rank_hessian, theta, &range, error);
  if (status == SGF_OK) status = fluctuations_in(problem, &range, scale, theta, fluctuations, error);
  sgf_range_free(&range);
  return status;
}

sgf_status sgf_motion_at(const sgf_problem *problem, const sgf_prediction *prediction, const double *theta,
                         sgf_motion *motion, sgf_error *error)
{
  sgf_fluctuations fluctuations = {0};
  *motion = (sgf_motion){0};
  sgf_status status = sgf_fluctuations_at(problem, prediction, theta, &fluctuations, error);
  if (status == SGF_OK) status = sgf_motion_create_configured(problem, &fluctuations, NULL, motion, error);
  sgf_fluctuations_free(&fluctuations);
  return status;
}

/* theta is brought to the minimum; the velocity (n) there. */
static sgf_status evaluate(point_room *room, double *theta, double *velocity, sgf_error *error)
{
  const sgf_problem *problem = room->problem;
  const sgf_network *network = &problem->network;
  size_t n = network->weights, rank;
  sgf_range range = {0};
  sgf_motion motion = {0};
  sgf_status status;
  for (int pass = 0; pass < RETURNS; pass++) {
    SGF_TRY(modes_at(problem, room->rank, theta, &range, error));
    SGF_TRY(
        sgf_gradient(network, &problem->data, theta, problem->settings.training.weight_decay, room->gradient, error));
    to_minimum(&range, room->gradient, theta);
  }
  SGF_TRY(motion_in(problem, &range, room->scale, theta, &motion, error));
  SGF_TRY(sgf_motion_drift(&motion, room->count, room->modes, room->drift, error));
  SGF_TRY(sgf_symmetry_lift(network, theta, room->count, room->modes, room->gram, room->lift, &rank, error));
  sgf_multiply(1, n, room->count, SGF_PLAIN, room->drift, SGF_PLAIN, room->lift, velocity);
done:
  sgf_range_free(&range);
  sgf_motion_free(&motion);
  return status;
}

/* Heun's rule; `room` has (2, n) for the point ahead and its velocity. */
static sgf_status step(point_room *room, double dt, const double *theta, const double *velocity, double *ahead,
                       double *next, double *next_velocity, sgf_error *error)
{
  size_t n = room->problem->network.weights;
  for (size_t k = 0; k < n; k++) ahead[k] = theta[k] + dt * velocity[k];
  sgf_status status = evaluate(room, ahead, next_velocity, error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < n; k++) next[k] = theta[k] + 0.5 * dt * (velocity[k] + next_velocity[k]);
  return evaluate(room, next, next_velocity, error);
}

sgf_status sgf_slow_path_create(const sgf_problem *problem, const sgf_prediction *prediction, double before,
                                double window, sgf_slow_path *path, sgf_error *error)
{
  size_t n = problem->network.weights, steps = LEAST_STEPS;
  const char *missing = sgf_null_motion_missing(problem, prediction);
  double time = before + window, wanted = ceil(10.0 * time * prediction->info.balance_rate), *ahead = NULL;
  point_room room = {0};
  sgf_status status;
  *path = (sgf_slow_path){.n = n, .before = before};
  if (missing != NULL)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "the motion along the null space is not predicted: %s", missing);
  if (wanted > (double)steps) steps = wanted < MOST_STEPS ? (size_t)wanted : MOST_STEPS;
  path->points = steps + 1;
  SGF_TRY(create_room(problem, prediction, &room, error));
  SGF_TRY(sgf_new_reals(&ahead, n, 1, "path along the minima", error));
  SGF_TRY(sgf_new_reals(&path->time, path->points, 1, "path along the minima", error));
  SGF_TRY(sgf_new_reals(&path->theta, path->points, n, "path along the minima", error));
  SGF_TRY(sgf_new_reals(&path->velocity, path->points, n, "path along the minima", error));
  memcpy(path->theta, problem->theta, n * sizeof *path->theta);
  SGF_TRY(evaluate(&room, path->theta, path->velocity, error));
  for (size_t k = 0; k < steps; k++) {
    path->time[k + 1] = time * (double)(k + 1) / (double)steps;
    SGF_TRY(step(&room, path->time[k + 1] - path->time[k], path->theta + k * n, path->velocity + k * n, ahead,
                 path->theta + (k + 1) * n, path->velocity + (k + 1) * n, error));
  }
done:
  free_room(&room);
  free(ahead);
  return status;
}

void sgf_slow_path_free(sgf_slow_path *path)
{
  free(path->time);
  free(path->theta);
  free(path->velocity);
  memset(path, 0, sizeof *path);
}

void sgf_slow_path_at(const sgf_slow_path *path, double time, double *moved)
{
  size_t n = path->n, k = 0;
  time += path->before;
  while (k + 2 < path->points && path->time[k + 1] < time) k++;
  double dt = path->time[k + 1] - path->time[k], s = (time - path->time[k]) / dt;
  const double *from = path->theta + k * n, *to = from + n, *velocity = path->velocity + k * n;
  double value = s * s * (3.0 - 2.0 * s), begins = s * (1.0 - s) * (1.0 - s) * dt, ends = s * s * (s - 1.0) * dt;
  for (size_t i = 0; i < n; i++)
    moved[i] = from[i] - path->theta[i] + value * (to[i] - from[i]) + begins * velocity[i] + ends * velocity[n + i];
}
