/* Time dependence of a prediction: correlation times of principal directions against flatness, autocovariance and power
 * spectra of the leading ones, displacement. Source: section 15. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlation_time.h"
#include "flatness.h"
#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"
#include "rotation.h"
#include "time_dependence.h"

/* Directions taken at a time. */
enum { CHUNK = 256 };
/* Directions of less variance, relative to the largest, do not fluctuate. */
static const double ZERO_MODE = 1e-12;

/* The same for all covariances of a prediction: what is asked of the modes. */
typedef struct {
  size_t lags, frequencies;
  double *lag, *frequency; /* in steps; in cycles per continuum time */
} time_axes;

/* A set of directions in the modes of a drift. */
typedef struct {
  const sgf_memory *memory;  /* of the modes */
  size_t layer, first, size; /* the weights that directions are of */
  size_t count;
  const double *directions, *variance, *curvature; /* (count, size), (count), (count) */
} direction_set;

/* tau ~ F^exponent by the fit of psi, for which sigma^2 ~ F^-psi, F ~ h^-1/2. */
static sgf_status fit_scaling(const direction_set *set, const double *time, uint64_t seed, sgf_time_scaling *scaling,
                              sgf_error *error)
{
  sgf_ivfr fit;
  sgf_status status = sgf_ivfr_fit(set->count, time, set->curvature, seed, &fit, error);
  *scaling = (sgf_time_scaling){-fit.psi, -fit.psi_high, -fit.psi_low, -fit.correlation, fit.modes, fit.left_out};
  return status;
}

/* time, decay (count) of every direction, NaN for those that do not fluctuate, decay may be NULL; sums (2 modes) of all
 * weights, which are those of the whole space when directions are a basis; kept (few, 2 modes) weights of the leading ones. */
static sgf_status correlation_times(const direction_set *set, size_t few, double *time, double *decay, double *sums,
                                    double *kept, sgf_error *error)
{
  const sgf_time_modes *modes = set->memory->modes;
  size_t width = 2 * modes->count;
  double *weights = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&weights, CHUNK, width, "directions in time", error));
  for (size_t from = 0; from < set->count; from += CHUNK) {
    size_t rows = set->count - from < CHUNK ? set->count - from : CHUNK;
    SGF_TRY(sgf_time_weights(modes, set->layer, set->first, set->size, rows, set->directions + from * set->size,
                             weights, error));
    SGF_TRY(sgf_memory_times(set->memory, rows, weights, time + from, decay != NULL ? decay + from : NULL, error));
    for (size_t r = 0; r < rows; r++) {
      const double *weight = weights + r * width;
      bool moves = set->variance[from + r] > ZERO_MODE * set->variance[0];
      if (!moves) time[from + r] = NAN;
      if (!moves && decay != NULL) decay[from + r] = NAN;
      for (size_t i = 0; i < width; i++) {
        sums[i] += weight[i];
        if (from + r < few) kept[(from + r) * width + i] = weight[i];
      }
    }
  }
done:
  free(weights);
  return status;
}

/* ----------------------------------------------------------------- tables */

/* The name of an array of all weights (layer 0) or of a layer. */
static sgf_status add_array(sgf_prediction *prediction, size_t layer, const char *name, size_t rows, size_t columns,
                            double **values, sgf_error *error)
{
  if (layer == 0) return sgf_prediction_add(prediction, name, rows, columns, values, error);
  return sgf_prediction_add_layer(prediction, layer, name, rows, columns, values, error);
}

typedef void (*factors_of)(const sgf_time_modes *modes, double at, double *factors);

/* table (rows, points) = weights (rows, 2 modes) times the factors at every point. */
static sgf_status tabulate(const sgf_time_modes *modes, factors_of factors_at, size_t points, const double *axis,
                           size_t rows, const double *weights, double *table, sgf_error *error)
{
  size_t width = 2 * modes->count;
  double *factors;
  sgf_status status = sgf_new_reals(&factors, width, 1, "table over time", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < points; k++) {
    factors_at(modes, axis[k], factors);
    for (size_t r = 0; r < rows; r++) table[r * points + k] = sgf_dot(width, weights + r * width, factors);
  }
  free(factors);
  return SGF_OK;
}

/* 2 ( tr c(0) - tr c(k) ), in place of tr c. */
static void into_displacement(size_t lags, double *table)
{
  double whole = table[0];
  for (size_t k = 0; k < lags; k++) table[k] = 2.0 * (whole - table[k]);
}

/* The arrays of one set: times of all, tables of the leading directions, displacement; its numbers. */
static sgf_status observe_set(const direction_set *set, const time_axes *axes, uint64_t seed,
                              sgf_prediction *prediction, sgf_time_info *info, sgf_error *error)
{
  const sgf_time_modes *modes = set->memory->modes;
  size_t few = set->count < SGF_MODES_IN_TIME ? set->count : SGF_MODES_IN_TIME, width = 2 * modes->count;
  double *time, *decay, *covariance, *spectrum, *displacement, *sums = NULL, *kept = NULL;
  sgf_status status;
  SGF_TRY(add_array(prediction, set->layer, "correlation_time", set->count, 0, &time, error));
  SGF_TRY(add_array(prediction, set->layer, "decay_time", set->count, 0, &decay, error));
  SGF_TRY(add_array(prediction, set->layer, "autocovariance", few, axes->lags, &covariance, error));
  SGF_TRY(add_array(prediction, set->layer, "power_spectrum", few, axes->frequencies, &spectrum, error));
  SGF_TRY(add_array(prediction, set->layer, "mean_square_displacement", axes->lags, 0, &displacement, error));
  SGF_TRY(sgf_new_reals(&sums, width, 1, "weights of the modes", error));
  SGF_TRY(sgf_new_reals(&kept, few, width, "weights of the modes", error));
  SGF_TRY(correlation_times(set, few, time, decay, sums, kept, error));
  SGF_TRY(tabulate(modes, sgf_autocovariance_factors, axes->lags, axes->lag, few, kept, covariance, error));
  SGF_TRY(tabulate(modes, sgf_spectrum_factors, axes->frequencies, axes->frequency, few, kept, spectrum, error));
  SGF_TRY(tabulate(modes, sgf_autocovariance_factors, axes->lags, axes->lag, 1, sums, displacement, error));
  SGF_TRY(sgf_memory_times(set->memory, 1, sums, &info->correlation_time, NULL, error));
  into_displacement(axes->lags, displacement);
  info->displacement_rate = displacement[1] / modes->law.step;
  SGF_TRY(fit_scaling(set, time, seed, &info->scaling, error));
done:
  free(sums);
  free(kept);
  return status;
}

/* Sigma (n, n) of a layer with the others frozen that its modes are of: with epochs that of independent draws. */
static sgf_status frozen_covariance(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                                    double *Sigma, sgf_error *error)
{
  const sgf_fluctuations *frozen = &prediction->frozen[layer - 1];
  char name[48];
  if (sgf_batches_of(problem) > 0) return sgf_covariance(problem, frozen, SGF_TIME_HEAVY_BALL, NULL, Sigma, error);
  snprintf(name, sizeof name, "layer%zu/covariance_uncoupled", layer);
  memcpy(Sigma, sgf_prediction_find(prediction, name), frozen->range.n * frozen->range.n * sizeof *Sigma);
  return SGF_OK;
}

/* The arrays of a layer, with a suffix. */
static void find_directions(const sgf_prediction *prediction, size_t layer, const char *suffix, direction_set *set)
{
  static const char *const names[] = {"directions", "variance", "curvature"};
  const double **const arrays[] = {&set->directions, &set->variance, &set->curvature};
  char name[48];
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    snprintf(name, sizeof name, "layer%zu/%s%s", layer, names[k], suffix);
    *arrays[k] = sgf_prediction_find(prediction, name);
  }
}

/* The layer with the others frozen, which has a drift of its own. */
static sgf_status observe_alone(const sgf_problem *problem, size_t layer, sgf_prediction *prediction,
                                sgf_error *error)
{
  const sgf_range *range = &prediction->frozen[layer - 1].range;
  sgf_time_law law = sgf_time_law_of(problem);
  double *time, *sums = NULL, *Sigma = NULL;
  sgf_time_modes modes = {0};
  sgf_memory memory = {0};
  direction_set set = {.memory = &memory, .size = range->n, .count = range->n};
  sgf_status status;
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "correlation_time_uncoupled", range->n, 0, &time, error));
  SGF_TRY(sgf_new_reals(&Sigma, range->n, range->n, "covariance of a layer", error));
  SGF_TRY(frozen_covariance(problem, prediction, layer, Sigma, error));
  SGF_TRY(sgf_time_modes_create(&law, range, Sigma, &modes, error));
  SGF_TRY(sgf_new_reals(&sums, 2 * modes.count, 1, "weights of the modes", error));
  SGF_TRY(sgf_memory_create(&modes, &memory, error));
  find_directions(prediction, layer, "_uncoupled", &set);
  SGF_TRY(correlation_times(&set, 0, time, NULL, sums, NULL, error));
  SGF_TRY(
      fit_scaling(&set, time, problem->settings.seed, &prediction->layers[layer - 1].time.scaling_uncoupled, error));
done:
  sgf_memory_free(&memory);
  sgf_time_modes_free(&modes);
  free(sums);
  free(Sigma);
  return status;
}

static sgf_status observe_layer(const sgf_problem *problem, const sgf_memory *memory, const time_axes *axes,
                                size_t layer, sgf_prediction *prediction, sgf_error *error)
{
  sgf_time_info *info = &prediction->layers[layer - 1].time;
  size_t size = sgf_layer_size(&problem->network, layer);
  direction_set set = {
      .memory = memory, .layer = layer, .first = problem->network.offsets[layer], .size = size, .count = size};
  sgf_status status;
  find_directions(prediction, layer, "", &set);
  SGF_TRY(observe_set(&set, axes, problem->settings.seed, prediction, info, error));
  info->scaling_uncoupled = info->scaling;
  if (prediction->frozen != NULL) SGF_TRY(observe_alone(problem, layer, prediction, error));
done:
  return status;
}

/* ------------------------------------------------------------------ driver */

static sgf_status add_lags(const sgf_time_modes *modes, sgf_prediction *prediction, time_axes *axes, sgf_error *error)
{
  double lags[SGF_MOST_LAGS], *time;
  sgf_status status;
  axes->lags = sgf_choose_lags(modes, lags);
  SGF_TRY(sgf_prediction_add(prediction, "lags", axes->lags, 0, &time, error));
  SGF_TRY(sgf_new_reals(&axes->lag, axes->lags, 1, "lags", error));
  for (size_t k = 0; k < axes->lags; k++) {
    axes->lag[k] = lags[k];
    time[k] = modes->law.step * lags[k];
  }
done:
  return status;
}

void sgf_no_time_dependence(const char *reason, sgf_prediction *prediction)
{
  const sgf_time_scaling none = {NAN, NAN, NAN, NAN, 0, 0};
  const sgf_time_info unknown = {NAN, NAN, none, none};
  prediction->info.untimed = reason;
  prediction->info.time = unknown;
  prediction->info.null_drift = prediction->info.null_diffusion = NAN;
  for (size_t l = 0; l < prediction->info.layers; l++) prediction->layers[l].time = unknown;
}

/* Round-off residuals, or the whole sample in every batch. */
static bool is_still(const sgf_prediction_info *info) { return info->noise_free || info->trace == 0.0; }

sgf_status sgf_prediction_time_modes(const sgf_problem *problem, const sgf_prediction *prediction,
                                     sgf_time_modes *modes, sgf_error *error)
{
  sgf_time_law law = sgf_time_law_of(problem);
  const sgf_range *range = prediction->averaged.V != NULL ? &prediction->averaged : &prediction->joint.range;
  const char *name = "covariance";
  if (law.batches > 0) name = law.momentum > 0.0 ? "covariance_independent" : "covariance_discrete";
  if (prediction->covariance == NULL)
    return sgf_time_modes_create(&law, range, sgf_prediction_find(prediction, name), modes, error);
  sgf_time_modes_of_operator(&law, prediction->covariance, modes);
  return SGF_OK;
}

sgf_status sgf_observe_time(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  sgf_prediction_info *info = &prediction->info;
  sgf_time_modes modes = {0};
  sgf_memory memory = {0};
  time_axes axes = {0};
  sgf_status status = SGF_OK;
  const char *reason = sgf_no_time_law(&problem->settings);
  sgf_no_time_dependence(is_still(info) ? "nothing fluctuates" : reason, prediction);
  if (info->untimed != NULL) goto done;
  SGF_TRY(sgf_prediction_time_modes(problem, prediction, &modes, error));
  SGF_TRY(sgf_memory_create(&modes, &memory, error));
  SGF_TRY(add_lags(&modes, prediction, &axes, error));
  axes.frequencies = SGF_MOST_FREQUENCIES;
  SGF_TRY(sgf_prediction_add(prediction, "frequencies", axes.frequencies, 0, &axes.frequency, error));
  sgf_choose_frequencies(&modes, axes.frequency);
  direction_set joint = {.memory = &memory,
                         .size = info->weights,
                         .count = info->weights,
                         .directions = sgf_prediction_find(prediction, "directions"),
                         .variance = sgf_prediction_find(prediction, "variance"),
                         .curvature = sgf_prediction_find(prediction, "curvature")};
  SGF_TRY(observe_set(&joint, &axes, problem->settings.seed, prediction, &info->time, error));
  for (size_t l = 1; l <= problem->network.layers; l++)
    SGF_TRY(observe_layer(problem, &memory, &axes, l, prediction, error));
done:
  sgf_memory_free(&memory);
  sgf_time_modes_free(&modes);
  free(axes.lag);
  return status;
}

/* tr R(k) = sum_i k_i Z_ii a_i^k, as B B^T is diagonal in the modes; the closure has orthonormal ones. */
sgf_status sgf_observe_time_by_operator(const sgf_problem *problem, const sgf_covariance_operator *covariance,
                                        sgf_prediction *prediction, sgf_error *error)
{
  bool in_modes = covariance->space == &covariance->drift;
  sgf_time_info *info = &prediction->info.time;
  double *sums = NULL, *factors = NULL, *displacement;
  sgf_time_law law = sgf_time_law_of(problem);
  sgf_time_modes modes;
  time_axes axes = {0};
  sgf_status status = SGF_OK;
  const char *reason = in_modes ? NULL : "the closed form has no modes of H";
  sgf_no_time_dependence(is_still(&prediction->info) ? "nothing fluctuates" : reason, prediction);
  if (prediction->info.untimed != NULL) goto done;
  sgf_time_modes_of_operator(&law, covariance, &modes);
  SGF_TRY(add_lags(&modes, prediction, &axes, error));
  SGF_TRY(sgf_prediction_add(prediction, "mean_square_displacement", axes.lags, 0, &displacement, error));
  SGF_TRY(sgf_new_reals(&sums, 2 * modes.count, 1, "weights of the modes", error));
  SGF_TRY(sgf_new_reals(&factors, 2 * modes.count, 1, "weights of the modes", error));
  if (covariance->closure == NULL) sgf_mode_covariance_diagonal(&covariance->modes, sums);
  for (size_t i = 0; i < modes.count; i++) {
    double step = law.discrete ? law.step / (1.0 + law.momentum) : 0.0;
    sums[i] = covariance->closure != NULL ? covariance->closure->Z[i * (modes.count + 1)] : modes.rates[i] * sums[i];
    sums[modes.count + i] = -step * modes.rates[i] * sums[i];
  }
  SGF_TRY(tabulate(&modes, sgf_autocovariance_factors, axes.lags, axes.lag, 1, sums, displacement, error));
  sgf_correlation_time_factors(&modes, factors);
  info->correlation_time = sgf_dot(2 * modes.count, sums, factors) / displacement[0];
  into_displacement(axes.lags, displacement);
  info->displacement_rate = displacement[1] / law.step;
done:
  free(axes.lag);
  free(sums);
  free(factors);
  return status;
}

sgf_status sgf_observe_null_motion(const sgf_problem *problem, const sgf_motion *motion, sgf_prediction *prediction,
                                   sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t count = sgf_symmetry_count(network), n = network->weights, rank;
  double *gram = NULL, *lift = NULL, *drift = NULL, *velocity;
  sgf_mode *modes = NULL;
  sgf_status status;
  SGF_TRY(sgf_prediction_add(prediction, "null_drift", n, 0, &velocity, error));
  SGF_TRY(sgf_modes_create(count, &modes, error));
  SGF_TRY(sgf_new_reals(&gram, count, count, "modes of the symmetry", error));
  SGF_TRY(sgf_new_reals(&lift, count, n, "modes of the symmetry", error));
  SGF_TRY(sgf_new_reals(&drift, count, 1, "drift of the modes of the symmetry", error));
  sgf_symmetries(network, modes);
  SGF_TRY(sgf_symmetry_lift(network, problem->theta, count, modes, gram, lift, &rank, error));
  SGF_TRY(sgf_motion_drift(motion, count, modes, drift, error));
  for (size_t a = 0; a < count && problem->certificate.decayed; a++)
    if (!modes[a].rotation) drift[a] = 0.0; /* scalings are not of null(H) */
  sgf_multiply(1, n, count, SGF_PLAIN, drift, SGF_PLAIN, lift, velocity);
  prediction->info.null_drift = sgf_norm(n, velocity);
done:
  free(modes);
  free(gram);
  free(lift);
  free(drift);
  return status;
}
