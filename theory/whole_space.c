/* All weights of runs that start at theta*, null space and all. */
#include "whole_space.h"

#include <gsl/gsl_integration.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "null_motion.h"

/* Points of the quadrature over a window, in which what the join adds is smooth; and before it, along which the spread is
 * summed, denser at the start, where fluctuations grow. */
enum { WINDOW_POINTS = 12, BURN_IN_POINTS = 12, LOOKS = BURN_IN_POINTS + WINDOW_POINTS + 1 };

const char *sgf_whole_space_missing(const sgf_problem *problem, const sgf_prediction *prediction)
{
  if (prediction->info.noise_free) return "nothing fluctuates";
  if (problem->network.weights > SGF_MOST_WHOLE_WEIGHTS) return "there are more than 200 weights";
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH) return "training.sampling is epoch";
  return sgf_null_motion_missing(problem, prediction);
}

/* along (n, n) = Q, and directions (count, n), the n_a at theta. */
static sgf_status symmetry_at(const sgf_orbit_spread *spread, const double *theta, double *directions, double *along,
                              sgf_error *error)
{
  const sgf_network *network = &spread->problem->network;
  size_t n = network->weights, count = spread->count, rank;
  double *gram = NULL, *lift = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&gram, count, count, "directions of the symmetry", error));
  SGF_TRY(sgf_new_reals(&lift, count, n, "directions of the symmetry", error));
  SGF_TRY(sgf_symmetry_lift(network, theta, count, spread->modes, gram, lift, &rank, error));
  for (size_t a = 0; a < count; a++) sgf_symmetry_apply(network, &spread->modes[a], theta, directions + a * n);
  sgf_multiply(n, n, count, SGF_TRANSPOSED, lift, SGF_PLAIN, directions, along);
done:
  free(gram);
  free(lift);
  return status;
}

sgf_status sgf_whole_space_join(const sgf_orbit_spread *spread, const double *mean, const double *Sigma,
                                double *covariance, double *along, sgf_error *error)
{
  size_t n = spread->problem->network.weights, count = spread->count;
  double *theta = NULL, *K = NULL, *directions = NULL, *projector = NULL, *null = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&theta, n, 1, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&K, count, count, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&directions, count, n, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&projector, n, n, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&null, n, n, "motion of all weights", error));
  for (size_t k = 0; k < n; k++) theta[k] = spread->problem->theta[k] + mean[k];
  SGF_TRY(symmetry_at(spread, theta, directions, projector, error));
  SGF_TRY(sgf_sandwich(n, n, SGF_PLAIN, projector, Sigma, covariance, "motion of all weights", error));
  sgf_orbit_spread_covariance(spread, K);
  SGF_TRY(sgf_sandwich(n, count, SGF_TRANSPOSED, directions, K, null, "motion of all weights", error));
  for (size_t k = 0; k < n * n; k++) covariance[k] = Sigma[k] - covariance[k] + null[k];
  *along = sgf_trace(n, null);
done:
  free(theta);
  free(K);
  free(directions);
  free(projector);
  free(null);
  if (status != SGF_OK) sgf_fill_nan(n * n, covariance);
  return status;
}

sgf_status sgf_whole_moments_create(size_t n, sgf_whole_moments *moments, sgf_error *error)
{
  sgf_status status;
  *moments = (sgf_whole_moments){0};
  SGF_TRY(sgf_new_reals(&moments->second, n, n, "moments of all weights", error));
  SGF_TRY(sgf_new_reals(&moments->average, n, n, "moments of all weights", error));
  SGF_TRY(sgf_new_reals(&moments->covariance, n, n, "moments of all weights", error));
  SGF_TRY(sgf_new_reals(&moments->mean, n, 1, "moments of all weights", error));
done:
  return status;
}

void sgf_whole_moments_free(sgf_whole_moments *moments)
{
  free(moments->second);
  free(moments->average);
  free(moments->covariance);
  free(moments->mean);
  *moments = (sgf_whole_moments){0};
}

/* While a window is joined: the mean over it of the joined covariance less Sigma, by Gauss's rule, and the end. */
typedef struct {
  sgf_orbit_spread spread;
  double step; /* continuum time of a step of SGD */
  size_t steps[LOOKS];
  double weights[LOOKS]; /* in the mean over the window; 0 before it and at its end */
  double *theta;         /* (n) */
  double *covariance;    /* (n, n), at one look */
  sgf_whole_moments *moments;
} joining;

static sgf_status look(void *context, size_t k, const double *mean, const double *Sigma, sgf_error *error)
{
  joining *now = context;
  const sgf_problem *problem = now->spread.problem;
  sgf_whole_moments *moments = now->moments;
  size_t n = problem->network.weights;
  double time = now->step * (double)now->steps[k];
  sgf_status status;
  if (k < BURN_IN_POINTS && time == now->spread.time) return SGF_OK; /* a short burn-in */
  for (size_t i = 0; i < n; i++) now->theta[i] = problem->theta[i] + mean[i];
  SGF_TRY(sgf_orbit_spread_advance(&now->spread, time, now->theta, Sigma, error));
  if (k < BURN_IN_POINTS) return SGF_OK;
  SGF_TRY(sgf_whole_space_join(&now->spread, mean, Sigma, now->covariance, &moments->along, error));
  for (size_t e = 0; e < n * n; e++) {
    moments->second[e] += now->weights[k] * (now->covariance[e] - Sigma[e]);
    moments->average[e] += now->weights[k] * now->covariance[e];
  }
  memcpy(moments->covariance, now->covariance, n * n * sizeof *mean);
  memcpy(moments->mean, mean, n * sizeof *mean);
  moments->time = time;
done:
  return status;
}

/* Before the window evenly in the square root of time, in it Gauss's points over the snapshots, each of which stands for the
 * stride about it, and its end; whole steps. */
static sgf_status choose_looks(const sgf_plan *plan, joining *now, sgf_error *error)
{
  double before = (double)plan->burn_in_steps, end = before + (double)plan->window_steps, point, weight;
  double first = before + 0.5 * (double)plan->stride, last = end + 0.5 * (double)plan->stride;
  gsl_integration_glfixed_table *table = gsl_integration_glfixed_table_alloc(WINDOW_POINTS);
  if (table == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a quadrature");
  for (size_t k = 0; k < LOOKS; k++) {
    double share = (double)(k + 1) / BURN_IN_POINTS;
    point = k < BURN_IN_POINTS ? before * share * share : end;
    if (k >= BURN_IN_POINTS && k + 1 < LOOKS) {
      gsl_integration_glfixed_point(first, last, k - BURN_IN_POINTS, &point, &weight, table);
      now->weights[k] = weight / (last - first);
    }
    now->steps[k] = (size_t)fmin(fmax(floor(point + 0.5), 1.0), end);
  }
  gsl_integration_glfixed_table_free(table);
  return SGF_OK;
}

static sgf_status find_least(size_t n, sgf_whole_moments *moments, sgf_error *error)
{
  double *values;
  sgf_status status = sgf_new_reals(&values, n, 1, "covariance of all weights", error);
  if (status == SGF_OK)
    status = sgf_symmetric_eigenvalues(n, moments->covariance, values, "the covariance of all weights", error);
  if (status == SGF_OK) moments->least = values[0] / values[n - 1];
  free(values);
  return status;
}

sgf_status sgf_whole_space_window(const sgf_problem *problem, const sgf_prediction *prediction, sgf_closure *closure,
                                  const sgf_plan *plan, double tolerance, double *second, double *mean,
                                  sgf_closure_path *path, sgf_whole_moments *moments, sgf_error *error)
{
  size_t n = problem->network.weights;
  joining now = {.step = sgf_time_of_step(&problem->settings), .moments = moments};
  sgf_status status;
  memset(moments->second, 0, n * n * sizeof *moments->second);
  memset(moments->average, 0, n * n * sizeof *moments->average);
  SGF_TRY(sgf_orbit_spread_create(problem, prediction, &now.spread, error));
  SGF_TRY(sgf_new_reals(&now.theta, n, 1, "motion of all weights", error));
  SGF_TRY(sgf_new_reals(&now.covariance, n, n, "motion of all weights", error));
  SGF_TRY(choose_looks(plan, &now, error));
  path->looks = LOOKS;
  path->look_steps = now.steps;
  path->look = look;
  path->context = &now;
  SGF_TRY(sgf_closure_window(closure, plan, tolerance, second, mean, path, error));
  for (size_t k = 0; k < n * n; k++) moments->second[k] += second[k];
  SGF_TRY(find_least(n, moments, error));
done:
  path->looks = 0;
  sgf_orbit_spread_free(&now.spread);
  free(now.theta);
  free(now.covariance);
  if (status == SGF_OK) return SGF_OK;
  sgf_fill_nan(n * n, moments->second);
  sgf_fill_nan(n * n, moments->average);
  sgf_fill_nan(n * n, moments->covariance);
  sgf_fill_nan(n, moments->mean);
  return status;
}
