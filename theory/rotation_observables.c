/* What a prediction says of the rotations of the hidden layers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"
#include "rotation_momentum.h"
#include "turning.h"

/* Multiply-adds of the diffusion of leading order beyond which that of the configured equation is left out. */
static const double MOST_NEXT_ORDER_WORK = 1e10;

/* The rotations of all hidden layers, one layer after the other, while they are observed. */
typedef struct {
  size_t count; /* M, of all hidden layers */
  sgf_mode *modes;
  double *drift;                                   /* (M) */
  double *diffusion;                               /* (M, M), NULL if left out */
  const char *missing;                             /* why it is */
  double *gram;                                    /* (M, M), of sgf_rotation_gram; NULL if left out */
  double *configured_drift, *configured_diffusion; /* the same by the configured equation; NULL: left out */
} rotations;

/* Why the motion is not predicted, NULL if it is. */
static const char *reason_of(const sgf_prediction *prediction)
{
  if (prediction->info.diffusing_directions > 0) return "directions without drift have noise";
  return NULL;
}

/* Why their diffusion is left out, NULL if it is not. */
static const char *diffusion_missing(const sgf_problem *problem, size_t rank, size_t count)
{
  if (count > SGF_MOST_ROTATIONS) return "more than 4000 rotations";
  if (sgf_motion_cost_configured(problem, rank, count) > SGF_MOST_ROTATION_WORK)
    return "more than 1e11 multiply-adds";
  return NULL;
}

/* By the configured equation: four times the work. Not in reshuffled epochs. */
static sgf_status observe_next_order(const sgf_problem *problem, const sgf_prediction *prediction, size_t rank,
                                     rotations *all, sgf_error *error)
{
  sgf_status status;
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH) return SGF_OK;
  if (sgf_motion_cost(&problem->network, rank, all->count) > MOST_NEXT_ORDER_WORK) return SGF_OK;
  SGF_TRY(sgf_new_reals(&all->configured_drift, all->count, 1, "drift of the rotations", error));
  SGF_TRY(sgf_new_reals(&all->configured_diffusion, all->count, all->count, "diffusion of the rotations", error));
  SGF_TRY(sgf_turning_rates(problem, prediction, all->count, all->modes, all->configured_drift,
                            all->configured_diffusion, error));
done:
  return status;
}

static sgf_status observe_all(const sgf_problem *problem, sgf_prediction *prediction, rotations *all,
                              sgf_error *error)
{
  const sgf_network *network = &problem->network;
  const sgf_lags rate = {0.0, 0.0};
  sgf_motion motion = {0};
  sgf_status status;
  SGF_TRY(sgf_modes_create(all->count, &all->modes, error));
  for (size_t l = 1, at = 0; l < network->layers; l++) at += sgf_rotations(network, l, all->modes + at);
  SGF_TRY(sgf_new_reals(&all->drift, all->count, 1, "drift of the rotations", error));
  SGF_TRY(sgf_motion_create_configured(problem, &prediction->joint, NULL, &motion, error));
  SGF_TRY(sgf_motion_drift(&motion, all->count, all->modes, all->drift, error));
  all->missing = diffusion_missing(problem, motion.rank, all->count);
  if (all->missing == NULL) {
    SGF_TRY(sgf_new_reals(&all->diffusion, all->count, all->count, "diffusion of the rotations", error));
    SGF_TRY(sgf_motion_covariance_configured(problem, &motion, &rate, all->count, all->modes, all->diffusion, error));
    SGF_TRY(observe_next_order(problem, prediction, motion.rank, all, error));
  }
  SGF_TRY(sgf_rotation_gram(network, problem->theta, &all->gram, error));
  if (all->gram != NULL) SGF_TRY(sgf_observe_null_motion(problem, &motion, prediction, error));
  if (all->gram != NULL && all->diffusion != NULL)
    prediction->info.null_diffusion = sgf_dot(all->count * all->count, all->gram, all->diffusion);
done:
  sgf_motion_free(&motion);
  return status;
}

/* Angles of the layer's rotations `first` ... `first` + m - 1: phi = (n n^T)^+ nu of all of them. */
static sgf_status measure_angles(const rotations *all, size_t first, sgf_rotation_info *info, sgf_error *error)
{
  size_t count = all->count;
  double *turned, square = 0.0;
  if (all->gram == NULL) return SGF_OK;
  sgf_status status = sgf_new_reals(&turned, info->modes, count, "angles", error);
  if (status != SGF_OK) return status;
  const double *rows = all->gram + first * count;
  for (size_t a = 0; a < info->modes; a++) square += pow(sgf_dot(count, rows + a * count, all->drift), 2.0);
  info->angular_velocity = sqrt(square);
  if (all->diffusion != NULL) {
    sgf_multiply(info->modes, count, count, SGF_PLAIN, rows, SGF_PLAIN, all->diffusion, turned);
    info->angular_diffusion = sgf_dot(info->modes * count, turned, rows);
    info->turn_time = 2.0 / (info->angular_diffusion + hypot(info->angular_diffusion, 2.0 * info->angular_velocity));
  }
  free(turned);
  return SGF_OK;
}

/* Of one hidden layer by the configured equation, where that is not left out. */
static sgf_status observe_configured(const rotations *all, size_t hidden, size_t first, size_t modes,
                                     sgf_prediction *prediction, sgf_error *error)
{
  double *drift, *diffusion;
  char name[64];
  sgf_status status;
  if (all->configured_diffusion == NULL) return SGF_OK;
  snprintf(name, sizeof name, "rotation/layer%zu/drift_configured", hidden);
  SGF_TRY(sgf_prediction_add(prediction, name, modes, 0, &drift, error));
  memcpy(drift, all->configured_drift + first, modes * sizeof *drift);
  snprintf(name, sizeof name, "rotation/layer%zu/diffusion_configured", hidden);
  SGF_TRY(sgf_prediction_add(prediction, name, modes, modes, &diffusion, error));
  sgf_diagonal_block(all->count, all->configured_diffusion, first, modes, diffusion);
done:
  return status;
}

/* The trace of the diffusion by the configured equation over that of leading order, less 1; NaN where it is left out. */
static double next_order(const sgf_prediction *prediction, size_t hidden)
{
  const sgf_rotation_info *info = &prediction->rotations[hidden - 1];
  char name[64];
  snprintf(name, sizeof name, "rotation/layer%zu/diffusion_configured", hidden);
  const double *diffusion = sgf_prediction_find(prediction, name);
  return diffusion == NULL ? NAN : sgf_trace(info->modes, diffusion) / info->diffusion - 1.0;
}

/* The arrays and numbers of one hidden layer. */
static sgf_status observe_layer(const rotations *all, size_t hidden, size_t first, sgf_prediction *prediction,
                                sgf_error *error)
{
  sgf_rotation_info *info = &prediction->rotations[hidden - 1];
  size_t modes = info->modes;
  double *drift, *diffusion;
  char name[48];
  sgf_status status;
  snprintf(name, sizeof name, "rotation/layer%zu/drift", hidden);
  SGF_TRY(sgf_prediction_add(prediction, name, modes, 0, &drift, error));
  memcpy(drift, all->drift + first, modes * sizeof *drift);
  info->drift = sgf_norm(modes, drift);
  if (all->diffusion == NULL) {
    info->too_many = all->missing;
  } else {
    snprintf(name, sizeof name, "rotation/layer%zu/diffusion", hidden);
    SGF_TRY(sgf_prediction_add(prediction, name, modes, modes, &diffusion, error));
    sgf_diagonal_block(all->count, all->diffusion, first, modes, diffusion);
    info->diffusion = sgf_trace(modes, diffusion);
    SGF_TRY(observe_configured(all, hidden, first, modes, prediction, error));
  }
  status = measure_angles(all, first, info, error);
done:
  return status;
}

static sgf_status create(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  const char *reason = reason_of(prediction);
  void *block;
  sgf_status status = sgf_allocate(&block, problem->network.layers - 1, 1, sizeof *prediction->rotations,
                                   "rotations of the hidden layers", error);
  prediction->rotations = block;
  for (size_t l = 1; l < problem->network.layers && status == SGF_OK; l++)
    prediction->rotations[l - 1] =
        (sgf_rotation_info){sgf_rotation_count(&problem->network, l), reason, NULL, NAN, NAN, NAN, NAN, NAN};
  return status;
}

sgf_status sgf_observe_rotations(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  rotations all = {0};
  sgf_status status;
  if (network->layers == 1) return SGF_OK;
  SGF_TRY(create(problem, prediction, error));
  for (size_t l = 1; l < network->layers; l++) all.count += sgf_rotation_count(network, l);
  if (all.count == 0 || prediction->rotations[0].left_out != NULL) return SGF_OK;
  SGF_TRY(observe_all(problem, prediction, &all, error));
  for (size_t l = 1, first = 0; l < network->layers; l++) {
    if (prediction->rotations[l - 1].modes == 0) continue;
    SGF_TRY(observe_layer(&all, l, first, prediction, error));
    first += prediction->rotations[l - 1].modes;
  }
done:
  free(all.modes);
  free(all.drift);
  free(all.diffusion);
  free(all.gram);
  free(all.configured_drift);
  free(all.configured_diffusion);
  return status;
}

/* ------------------------------------------------------------------ numbers */

const sgf_rotation_info *sgf_prediction_get_rotation(const sgf_prediction *prediction, size_t hidden)
{
  if (prediction->rotations == NULL || hidden == 0 || hidden >= prediction->info.layers) return NULL;
  return &prediction->rotations[hidden - 1];
}

size_t sgf_rotation_numbers(const sgf_prediction *prediction, size_t hidden, sgf_number *numbers, size_t capacity)
{
  const sgf_rotation_info *info = sgf_prediction_get_rotation(prediction, hidden);
  if (info == NULL) return 0;
  const sgf_number all[] = {{"modes", (double)info->modes, true},
                            {"drift_norm", info->drift, false},
                            {"diffusion_trace", info->diffusion, false},
                            {"diffusion_next_order", next_order(prediction, hidden), false},
                            {"angular_velocity", info->angular_velocity, false},
                            {"angular_diffusion", info->angular_diffusion, false},
                            {"turn_time", info->turn_time, false}};
  size_t count = sizeof all / sizeof *all;
  for (size_t k = 0; k < count && k < capacity; k++) numbers[k] = all[k];
  return count;
}
