/* Second moments of all weights about the mean of a window. */
#include "null_motion.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "rotation_momentum.h"

/* Points of a path in a window: its spread is then good to 1e-3. */
enum { PATH_POINTS = 32 };

const char *sgf_null_motion_missing(const sgf_problem *problem, const sgf_prediction *prediction)
{
  const sgf_network *network = &problem->network;
  const sgf_rotation_info *first = sgf_prediction_get_rotation(prediction, 1);
  size_t count = sgf_symmetry_count(network);
  if (first == NULL) return "there is no hidden layer, or no dense prediction";
  if (first->left_out != NULL) return first->left_out;
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH)
    return "training.sampling is epoch: scalings are not predicted with it";
  if (problem->settings.training.weight_decay > 0.0) return "training.weight_decay holds the scalings";
  if (count > SGF_MOST_SYMMETRIES) return "the hidden layers have more than 1000 modes of their symmetry";
  if (sgf_motion_cost(network, prediction->info.rank_hessian, count) > SGF_MOST_ROTATION_WORK)
    return "more than 1e11 multiply-adds";
  return NULL;
}

/* Long-run diffusion of the rotations among the modes, zero for the rest. */
static sgf_status find_rate(const sgf_problem *problem, const sgf_motion *motion, sgf_null_motion *all,
                            sgf_error *error)
{
  const sgf_mode *modes = all->modes;
  const sgf_lags in_the_long_run = {0.0, 0.0};
  size_t rotations = 0;
  sgf_mode *turning = NULL;
  double *rate = NULL;
  sgf_status status;
  SGF_TRY(sgf_modes_create(all->count, &turning, error));
  for (size_t a = 0; a < all->count; a++)
    if (modes[a].rotation) turning[rotations++] = modes[a];
  SGF_TRY(sgf_new_reals(&rate, rotations, rotations, "motion along the symmetry", error));
  SGF_TRY(sgf_motion_covariance_configured(problem, motion, &in_the_long_run, rotations, turning, rate, error));
  for (size_t a = 0, at = 0; a < all->count; a++)
    for (size_t b = 0; b < all->count && modes[a].rotation; b++)
      if (modes[b].rotation) all->rate[a * all->count + b] = rate[at++];
done:
  free(turning);
  free(rate);
  return status;
}

static sgf_lags lags_of(const sgf_problem *problem, const sgf_plan *plan)
{
  return (sgf_lags){(double)(plan->window_steps / plan->stride),
                    sgf_time_of_step(&problem->settings) * (double)plan->stride};
}

sgf_status sgf_null_motion_create(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                  sgf_null_motion *motion, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t count = sgf_symmetry_count(network);
  sgf_lags lags = lags_of(problem, plan);
  sgf_motion moving = {0};
  sgf_status status;
  *motion = (sgf_null_motion){.count = count};
  SGF_TRY(sgf_modes_create(count, &motion->modes, error));
  sgf_symmetries(network, motion->modes);
  SGF_TRY(sgf_new_reals(&motion->rate, count, count, "motion along the symmetry", error));
  SGF_TRY(sgf_new_reals(&motion->covariance, count, count, "motion along the symmetry", error));
  SGF_TRY(sgf_new_reals(&motion->gram, count, count, "motion along the symmetry", error));
  SGF_TRY(sgf_new_reals(&motion->lift, count, network->weights, "motion along the symmetry", error));
  SGF_TRY(sgf_motion_create_configured(problem, &prediction->joint, plan, &moving, error));
  SGF_TRY(sgf_motion_covariance_configured(problem, &moving, &lags, count, motion->modes, motion->covariance, error));
  SGF_TRY(find_rate(problem, &moving, motion, error));
  SGF_TRY(sgf_symmetry_lift(network, problem->theta, count, motion->modes, motion->gram, motion->lift, &motion->rank,
                            error));
done:
  sgf_motion_free(&moving);
  return status;
}

void sgf_null_motion_free(sgf_null_motion *motion)
{
  free(motion->modes);
  free(motion->rate);
  free(motion->covariance);
  free(motion->gram);
  free(motion->lift);
  memset(motion, 0, sizeof *motion);
}

/* second += the spread of the path over the window about its mean; its trace. */
static sgf_status add_path(const sgf_problem *problem, const sgf_plan *plan, const sgf_slow_path *path,
                           double *second, double *trace, sgf_error *error)
{
  size_t n = problem->network.weights;
  double step = sgf_time_of_step(&problem->settings), *moved = NULL, *mean = NULL;
  double length = step * (double)plan->window_steps;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&moved, PATH_POINTS, n, "path along the minima", error));
  SGF_TRY(sgf_new_reals(&mean, n, 1, "path along the minima", error));
  for (size_t k = 0; k < PATH_POINTS; k++) {
    sgf_slow_path_at(path, length * ((double)k + 0.5) / PATH_POINTS, moved + k * n);
    for (size_t i = 0; i < n; i++) mean[i] += moved[k * n + i] / PATH_POINTS;
  }
  for (size_t k = 0; k < PATH_POINTS * n; k++) moved[k] -= mean[k % n];
  *trace = sgf_dot(PATH_POINTS * n, moved, moved) / PATH_POINTS;
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)n, PATH_POINTS, 1.0 / PATH_POINTS, moved, (int)n,
              moved, (int)n, 1.0, second, (int)n);
done:
  free(moved);
  free(mean);
  return status;
}

sgf_status sgf_null_motion_add(const sgf_problem *problem, const sgf_plan *plan, const sgf_null_motion *motion,
                               const sgf_slow_path *path, double *second, sgf_null_traces *traces, sgf_error *error)
{
  size_t count = motion->count, n = problem->network.weights;
  double *work;
  sgf_status status = sgf_new_reals(&work, count, n, "motion along the symmetry", error);
  if (status != SGF_OK) return status;
  sgf_multiply(count, n, count, SGF_PLAIN, motion->covariance, SGF_PLAIN, motion->lift, work);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)n, (int)count, 1.0, motion->lift, (int)n, work,
              (int)n, 1.0, second, (int)n);
  traces->spread = sgf_dot(count * count, motion->covariance, motion->gram);
  status = add_path(problem, plan, path, second, &traces->drift, error);
  if (status == SGF_OK) sgf_symmetrize(n, second);
  free(work);
  return status;
}
