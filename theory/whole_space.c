/* All weights of runs that start at theta*, null space and all. */
#include "whole_space.h"

#include <gsl/gsl_integration.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "null_motion.h"

/* Points of the quadrature over a window: what the join adds is smooth there. */
enum { WINDOW_POINTS = 12 };

const char *sgf_whole_space_missing(const sgf_problem *problem, const sgf_prediction *prediction)
{
  if (problem->network.weights > SGF_MOST_WHOLE_WEIGHTS) return "there are more than 200 weights";
  return sgf_null_motion_missing(problem, prediction);
}

sgf_status sgf_whole_space_create(const sgf_problem *problem, const sgf_prediction *prediction, double time,
                                  sgf_whole_space *whole, sgf_error *error)
{
  const char *missing = sgf_whole_space_missing(problem, prediction);
  sgf_status status;
  *whole = (sgf_whole_space){
      .problem = problem, .n = problem->network.weights, .count = sgf_symmetry_count(&problem->network)};
  if (missing != NULL)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "the motion of all weights is not predicted: %s", missing);
  SGF_TRY(sgf_modes_create(whole->count, &whole->modes, error));
  sgf_symmetries(&problem->network, whole->modes);
  SGF_TRY(sgf_slow_path_create(problem, prediction, 0.0, time, &whole->path, error));
  SGF_TRY(sgf_orbit_spread_create(problem, prediction, &whole->path, &whole->spread, error));
done:
  return status;
}

void sgf_whole_space_free(sgf_whole_space *whole)
{
  free(whole->modes);
  sgf_slow_path_free(&whole->path);
  sgf_orbit_spread_free(&whole->spread);
  memset(whole, 0, sizeof *whole);
}

/* outside (n, n) = P, and directions (count, n), the n_a at theta. */
static sgf_status symmetry_at(const sgf_whole_space *whole, const double *theta, double *directions, double *outside,
                              sgf_error *error)
{
  const sgf_network *network = &whole->problem->network;
  size_t n = whole->n, count = whole->count, rank;
  double *gram = NULL, *lift = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&gram, count, count, "directions of the symmetry", error));
  SGF_TRY(sgf_new_reals(&lift, count, n, "directions of the symmetry", error));
  SGF_TRY(sgf_symmetry_lift(network, theta, count, whole->modes, gram, lift, &rank, error));
  for (size_t a = 0; a < count; a++) sgf_symmetry_apply(network, &whole->modes[a], theta, directions + a * n);
  sgf_multiply(n, n, count, SGF_TRANSPOSED, lift, SGF_PLAIN, directions, outside);
  for (size_t k = 0; k < n * n; k++) outside[k] = (k % (n + 1) == 0) - outside[k];
done:
  free(gram);
  free(lift);
  return status;
}

sgf_status sgf_whole_space_at(const sgf_whole_space *whole, double time, const double *mean, const double *Sigma,
                              double *covariance, double *along, sgf_error *error)
{
  size_t n = whole->n, count = whole->count;
  double *theta = NULL, *K = NULL, *directions = NULL, *outside = NULL, *null = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&theta, n, 1, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&K, count, count, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&directions, count, n, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&outside, n, n, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&null, n, n, "motion of all weights", error));
  for (size_t k = 0; k < n; k++) theta[k] = whole->problem->theta[k] + mean[k];
  SGF_TRY(symmetry_at(whole, theta, directions, outside, error));
  SGF_TRY(sgf_sandwich(n, n, SGF_PLAIN, outside, Sigma, covariance, "motion of all weights", error));
  sgf_orbit_spread_at(&whole->spread, time, K);
  SGF_TRY(sgf_sandwich(n, count, SGF_TRANSPOSED, directions, K, null, "motion of all weights", error));
  for (size_t k = 0; k < n * n; k++) covariance[k] += null[k];
  if (along != NULL) *along = sgf_trace(n, null);
done:
  free(theta);
  free(K);
  free(directions);
  free(outside);
  free(null);
  if (status != SGF_OK) sgf_fill_nan(n * n, covariance);
  return status;
}

sgf_status sgf_whole_moments_create(size_t n, sgf_whole_moments *moments, sgf_error *error)
{
  sgf_status status;
  *moments = (sgf_whole_moments){0};
  SGF_TRY(sgf_new_reals(&moments->second, n, n, "moments of all weights", error));
  SGF_TRY(sgf_new_reals(&moments->covariance, n, n, "moments of all weights", error));
  SGF_TRY(sgf_new_reals(&moments->mean, n, 1, "moments of all weights", error));
done:
  return status;
}

void sgf_whole_moments_free(sgf_whole_moments *moments)
{
  free(moments->second);
  free(moments->covariance);
  free(moments->mean);
  *moments = (sgf_whole_moments){0};
}

/* While a window is joined: the mean over it of the joined covariance less Sigma, by Gauss's rule, and the end. */
typedef struct {
  const sgf_whole_space *whole;
  double step; /* continuum time of a step of SGD */
  size_t steps[WINDOW_POINTS + 1];
  double weights[WINDOW_POINTS];
  double *covariance; /* (n, n), at one look */
  sgf_whole_moments *moments;
} joining;

static sgf_status look(void *context, size_t k, const double *mean, const double *Sigma, sgf_error *error)
{
  joining *now = context;
  sgf_whole_moments *moments = now->moments;
  size_t n = now->whole->n;
  double along;
  sgf_status status =
      sgf_whole_space_at(now->whole, now->step * (double)now->steps[k], mean, Sigma, now->covariance, &along, error);
  if (status != SGF_OK) return status;
  if (k < WINDOW_POINTS) {
    for (size_t e = 0; e < n * n; e++) moments->second[e] += now->weights[k] * (now->covariance[e] - Sigma[e]);
    return SGF_OK;
  }
  memcpy(moments->covariance, now->covariance, n * n * sizeof *mean);
  memcpy(moments->mean, mean, n * sizeof *mean);
  moments->along = along;
  moments->time = now->step * (double)now->steps[k];
  return SGF_OK;
}

/* Gauss's points over the snapshots, whole steps, each of which stands for the stride about it. */
static sgf_status choose_looks(const sgf_plan *plan, joining *now, sgf_error *error)
{
  double first = (double)plan->burn_in_steps + 0.5 * (double)plan->stride;
  double last = (double)(plan->burn_in_steps + plan->window_steps) + 0.5 * (double)plan->stride;
  double end = (double)(plan->burn_in_steps + plan->window_steps), point, weight;
  gsl_integration_glfixed_table *table = gsl_integration_glfixed_table_alloc(WINDOW_POINTS);
  if (table == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a quadrature");
  for (size_t k = 0; k < WINDOW_POINTS; k++) {
    gsl_integration_glfixed_point(first, last, k, &point, &weight, table);
    now->steps[k] = (size_t)fmin(fmax(floor(point + 0.5), 1.0), end);
    now->weights[k] = weight / (last - first);
  }
  now->steps[WINDOW_POINTS] = (size_t)end;
  gsl_integration_glfixed_table_free(table);
  return SGF_OK;
}

sgf_status sgf_whole_space_window(const sgf_whole_space *whole, sgf_closure *closure, const sgf_plan *plan,
                                  double tolerance, double *second, double *mean, sgf_closure_path *path,
                                  sgf_whole_moments *moments, sgf_error *error)
{
  size_t n = whole->n;
  joining now = {.whole = whole, .step = sgf_time_of_step(&whole->problem->settings), .moments = moments};
  sgf_status status;
  memset(moments->second, 0, n * n * sizeof *moments->second);
  SGF_TRY(sgf_new_reals(&now.covariance, n, n, "motion of all weights", error));
  SGF_TRY(choose_looks(plan, &now, error));
  path->looks = WINDOW_POINTS + 1;
  path->look_steps = now.steps;
  path->look = look;
  path->context = &now;
  SGF_TRY(sgf_closure_window(closure, plan, tolerance, second, mean, path, error));
  for (size_t k = 0; k < n * n; k++) moments->second[k] += second[k];
done:
  path->looks = 0;
  free(now.covariance);
  if (status == SGF_OK) return SGF_OK;
  sgf_fill_nan(n * n, moments->second);
  sgf_fill_nan(n * n, moments->covariance);
  sgf_fill_nan(n, moments->mean);
  return status;
}
