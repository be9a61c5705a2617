/* A prediction by the covariance operator: what can be said of many weights without an n x n array. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "closed_form.h"
#include "covariance_operator.h"
#include "flatness.h"
#include "heavy_ball.h"
#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"

/* Curvature below this, relative to the largest, is round-off. */
static const double NO_CURVATURE = 1e-14;
/* Weights of a layer up to which the closed form is told beside another path. */
enum { CLOSED_FORM_BESIDE = 200000 };

static const sgf_ivfr NO_FIT = {NAN, NAN, NAN, NAN, 0, 0};

static void copy_numbers(const sgf_problem *problem, const sgf_covariance_operator_info *from,
                         sgf_prediction_info *info)
{
  const sgf_minimum_certificate *certificate = &problem->certificate;
  info->path = from->path;
  info->weights = from->weights;
  info->layers = from->layers;
  info->rank_hessian = from->rank;
  info->rank_gap = from->rank_gap;
  info->rank_tolerance = from->rank_tolerance;
  info->rank_ambiguous = from->rank_ambiguous;
  info->min_loss = certificate->loss;
  info->global_loss = certificate->global_loss;
  info->gradient_norm = certificate->gradient_norm;
  info->balance_error = certificate->balance_error;
  info->flow_time = certificate->flow_time;
  info->regularized_loss = info->balance_shift = NAN;
  info->certified_global = certificate->global;
  info->relaxation_rate = from->relaxation_rate;
  info->decay_rate = sgf_mode_rate(problem->settings.training.learning_rate, problem->settings.training.momentum,
                                   from->relaxation_rate);
  info->largest_curvature = from->largest_curvature;
  info->condition_number = from->largest_curvature / from->relaxation_rate;
  info->stability_limit = from->stability_limit;
  info->mean_square_limit = NAN;
  info->noise_strength = from->noise_strength;
  info->temperature = from->temperature;
  info->trace = from->trace;
  info->excess_loss = from->excess_loss;
  info->noise_free = from->noise_free;
  info->null_noise = 0.0; /* C = B^T Q B has none */
  info->diffusing_rate = info->residual = info->commutator = info->commutator_relative = NAN;
  info->irreversible = info->entropy_production = info->anisotropy = info->spectrum_distance = NAN;
  info->hessian_law_distance = info->noise_law_distance = NAN;
  info->mean_shift = info->mean_drift = info->next_order = NAN;
  info->balance_rate = info->balance_drift = info->rate_ratio = info->lifetime = NAN;
  info->ivfr = NO_FIT;
}

/* ------------------------------------------------------- quasi-stationarity */

/* tr C_ll of one layer. above (P, N_l) has the rows A_l^T e, below (P, N_{l-1}) the rows B_l x. */
static double noise_trace(const sgf_problem *problem, size_t layer, const double *above, const double *below,
                          double squared_A)
{
  size_t to = problem->network.widths[layer], from = problem->network.widths[layer - 1], P = problem->data.samples;
  double joint = 0.0, left = 0.0, right = 0.0;
  for (size_t m = 0; m < P; m++) {
    double e = sgf_dot(to, above + m * to, above + m * to), x = sgf_dot(from, below + m * from, below + m * from);
    joint += e * x / (double)P;
    left += e / (double)P;
    right += x / (double)P;
  }
  switch (problem->settings.theory.noise) {
  case SGF_NOISE_EMPIRICAL: return joint;
  case SGF_NOISE_POPULATION: return left * right;
  case SGF_NOISE_ISOTROPIC: break;
  }
  return 2.0 * problem->certificate.loss / (double)problem->data.outputs * squared_A * right;
}

static sgf_status trace_of_layer(const sgf_problem *problem, const double *residuals, size_t layer, double *trace,
                                 sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t to = network->widths[layer], from = network->widths[layer - 1], P = problem->data.samples;
  size_t inputs = network->widths[0], outputs = network->widths[network->layers];
  double *A = NULL, *B = NULL, *above = NULL, *below = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, problem->theta, layer + 1, network->layers, &A, error));
  SGF_TRY(sgf_layer_product(network, problem->theta, 1, layer - 1, &B, error));
  SGF_TRY(sgf_new_reals(&above, P, to, "noise of a layer", error));
  SGF_TRY(sgf_new_reals(&below, P, from, "noise of a layer", error));
  sgf_multiply(P, to, outputs, SGF_PLAIN, residuals, SGF_PLAIN, A, above);
  sgf_multiply(P, from, inputs, SGF_PLAIN, problem->data.X, SGF_TRANSPOSED, B, below);
  *trace = noise_trace(problem, layer, above, below, sgf_dot(outputs * to, A, A));
done:
  free(A);
  free(B);
  free(above);
  free(below);
  return status;
}

/* The rate at which the balance of neighbouring layers relaxes. Source: section 4. */
static sgf_status observe_balance_rate(const sgf_problem *problem, sgf_prediction_info *info, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  double *residuals = NULL, scale = problem->settings.training.learning_rate * info->noise_strength;
  double below = 0.0, above = 0.0;
  sgf_status status = SGF_OK;
  if (network->layers == 1) return SGF_OK;
  scale *= sgf_balance_speed(problem->settings.training.momentum, 0);
  info->balance_rate = 0.0;
  SGF_TRY(sgf_residuals(network, &problem->data, problem->theta, &residuals, error));
  for (size_t l = 1; l <= network->layers; l++, below = above) {
    SGF_TRY(trace_of_layer(problem, residuals, l, &above, error));
    if (l == 1) continue;
    const double *pair = problem->theta + network->offsets[l - 1];
    size_t count = network->offsets[l + 1] - network->offsets[l - 1];
    info->balance_rate = fmax(info->balance_rate, scale * (below + above) / sgf_dot(count, pair, pair));
  }
  if (info->noise_free) info->balance_rate = 0.0;
  info->lifetime = 1.0 / info->balance_rate;
  info->rate_ratio = info->balance_rate / info->decay_rate;
done:
  free(residuals);
  return status;
}

/* ------------------------------------------------------------ layer by layer */

static sgf_status observe_closed_form(const sgf_problem *problem, size_t layer, sgf_prediction *prediction,
                                      sgf_error *error)
{
  size_t size = sgf_layer_size(&problem->network, layer);
  sgf_layer_info *info = &prediction->layers[layer - 1];
  double *variance, *curvature;
  sgf_status status;
  if (problem->network.layers != 2 || size > CLOSED_FORM_BESIDE) return SGF_OK;
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "variance_closed_form", size, 0, &variance, error));
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "curvature_closed_form", size, 0, &curvature, error));
  SGF_TRY(sgf_closed_form_layer(&problem->network, &problem->data, problem->theta, layer,
                                prediction->info.temperature, variance, curvature, error));
  SGF_TRY(sgf_ivfr_fit(size, variance, curvature, problem->settings.seed, &info->ivfr_closed_form, error));
done:
  return status;
}

/* rank H_ll, where all modes are known: those with curvature. 0: not known. */
static void count_rank(size_t size, const double *curvature, sgf_layer_info *info)
{
  double top = 0.0;
  for (size_t k = 0; k < info->found.modes; k++) top = fmax(top, curvature[k]);
  info->rank_hessian = 0;
  for (size_t k = 0; k < info->found.modes && info->found.modes == size; k++)
    info->rank_hessian += curvature[k] > NO_CURVATURE * top;
}

static sgf_status observe_layer(const sgf_problem *problem, const sgf_covariance_operator *covariance, size_t layer,
                                const double *diagonal, sgf_prediction *prediction, sgf_error *error)
{
  size_t size = sgf_layer_size(&problem->network, layer), modes;
  sgf_layer_info *info = &prediction->layers[layer - 1];
  double *variance = NULL, *along = NULL, *kept, *curvature, *flatness, top = 0.0;
  sgf_status status;
  *info = (sgf_layer_info){.weights = size, .trace_uncoupled = NAN, .anisotropy = NAN, .anisotropy_uncoupled = NAN};
  info->ivfr = info->ivfr_uncoupled = info->ivfr_closed_form = info->ivfr_balanced = NO_FIT;
  info->ivfr_independent = info->ivfr_uncoupled_independent = NO_FIT;
  for (size_t k = 0; k < size; k++) info->trace += diagonal[problem->network.offsets[layer] + k];
  SGF_TRY(sgf_new_reals(&variance, size, 1, "modes of a layer", error));
  SGF_TRY(sgf_new_reals(&along, size, 1, "modes of a layer", error));
  SGF_TRY(sgf_covariance_operator_layer(covariance, layer, problem->settings.theory.modes, variance, along,
                                        &info->found, error));
  modes = info->found.modes;
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "variance", modes, 0, &kept, error));
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "curvature", modes, 0, &curvature, error));
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "flatness", modes, 0, &flatness, error));
  memcpy(kept, variance, modes * sizeof *kept);
  memcpy(curvature, along, modes * sizeof *curvature);
  for (size_t k = 0; k < modes; k++) top = fmax(top, curvature[k]);
  for (size_t k = 0; k < modes; k++)
    flatness[k] = sgf_flatness(curvature[k] > NO_CURVATURE * top ? curvature[k] : 0.0, prediction->info.min_loss,
                               problem->settings.theory.flatness_factor);
  count_rank(size, curvature, info);
  SGF_TRY(sgf_ivfr_fit(modes, variance, curvature, problem->settings.seed, &info->ivfr, error));
  info->ivfr.left_out += size - modes;
  if (modes == size) info->anisotropy = sgf_anisotropy(size, variance);
  SGF_TRY(observe_closed_form(problem, layer, prediction, error));
done:
  free(variance);
  free(along);
  return status;
}

/* Mean, its motion, and what the closure adds to the leading order. */
static sgf_status observe_closure(const sgf_covariance_operator *covariance, sgf_prediction *prediction,
                                  sgf_error *error)
{
  const sgf_operator_closure *closure = covariance->closure;
  sgf_prediction_info *info = &prediction->info;
  size_t n = info->weights;
  double *mean, *drift;
  sgf_status status;
  SGF_TRY(sgf_prediction_add(prediction, "mean", n, 0, &mean, error));
  SGF_TRY(sgf_prediction_add(prediction, "mean_drift", n, 0, &drift, error));
  memcpy(mean, closure->mean, n * sizeof *mean);
  memcpy(drift, closure->drift, n * sizeof *drift);
  prediction->third_cumulants = closure->skew;
  info->residual = closure->residual;
  info->mean_shift = sgf_norm(n, mean);
  info->mean_drift = sgf_norm(n, drift);
  info->next_order = closure->next_order;
done:
  return status;
}

static sgf_status observe(const sgf_problem *problem, const sgf_covariance_operator *covariance,
                          sgf_prediction *prediction, sgf_error *error)
{
  sgf_prediction_info *info = &prediction->info;
  double *rates, *diagonal;
  void *layers;
  sgf_status status;
  copy_numbers(problem, sgf_covariance_operator_get_info(covariance), info);
  SGF_TRY(sgf_allocate(&layers, info->layers, 1, sizeof *prediction->layers, "layers", error));
  prediction->layers = layers;
  sgf_no_noise_balance(prediction);
  if (covariance->closure != NULL) SGF_TRY(observe_closure(covariance, prediction, error));
  double size = (double)covariance->drift.size;
  if (covariance->drift.k != NULL || (double)covariance->drift.blocks * size * size * size <= SGF_SPARE_OPERATIONS) {
    SGF_TRY(sgf_prediction_add(prediction, "spectrum/hessian", info->rank_hessian, 0, &rates, error));
    SGF_TRY(sgf_covariance_operator_rates(covariance, rates, error));
  }
  SGF_TRY(sgf_prediction_add(prediction, "covariance_diagonal", info->weights, 0, &diagonal, error));
  SGF_TRY(sgf_covariance_operator_diagonal(covariance, diagonal, error));
  for (size_t l = 1; l <= info->layers; l++)
    SGF_TRY(observe_layer(problem, covariance, l, diagonal, prediction, error));
  SGF_TRY(observe_balance_rate(problem, info, error));
  SGF_TRY(sgf_observe_time_by_operator(problem, covariance, prediction, error));
done:
  return status;
}

/* A new prediction by an operator that was made, or not. */
static sgf_status predict(const sgf_problem *problem, const sgf_covariance_operator *covariance,
                          sgf_prediction **prediction, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **prediction, "prediction", error);
  *prediction = block;
  return status == SGF_OK ? observe(problem, covariance, *prediction, error) : status;
}

sgf_status sgf_predict_by_operator(const sgf_problem *problem, sgf_prediction **prediction, sgf_error *error)
{
  sgf_covariance_operator *covariance = NULL;
  sgf_status status;
  *prediction = NULL;
  SGF_TRY(sgf_covariance_operator_create(problem, &covariance, error));
  SGF_TRY(predict(problem, covariance, prediction, error));
done:
  sgf_covariance_operator_free(covariance);
  if (status != SGF_OK) {
    sgf_prediction_free(*prediction);
    *prediction = NULL;
  }
  return status;
}

sgf_status sgf_predict_on_directions(const sgf_problem *problem, sgf_prediction **prediction, sgf_error *error)
{
  sgf_covariance_operator *covariance = NULL;
  void *known;
  sgf_status status;
  *prediction = NULL;
  SGF_TRY(sgf_covariance_operator_create_in_modes(problem, &covariance, error));
  SGF_TRY(predict(problem, covariance, prediction, error));
  SGF_TRY(sgf_tested_create(covariance, &(*prediction)->tested, error));
  if (covariance->closure != NULL) {
    SGF_TRY(sgf_allocate(&known, 1, 1, sizeof *(*prediction)->known, "closure", error));
    (*prediction)->known = known;
  }
  (*prediction)->covariance = covariance;
  return SGF_OK;
done:
  sgf_covariance_operator_free(covariance);
  sgf_prediction_free(*prediction);
  *prediction = NULL;
  return status;
}

sgf_status sgf_directions_window(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                 size_t count, const double *v, double *second, double *mean, sgf_error *error)
{
  if (prediction->covariance->closure != NULL)
    return sgf_closure_on_directions(problem, prediction, plan, count, v, second, mean, error);
  memset(mean, 0, count * sizeof *mean);
  return sgf_covariance_operator_window(prediction->covariance, plan, count, v, second, error);
}

sgf_status sgf_directions_window_trace(const sgf_problem *problem, const sgf_prediction *prediction,
                                       const sgf_plan *plan, double *trace, sgf_error *error)
{
  return prediction->covariance->closure != NULL
             ? sgf_closure_on_range_trace(problem, prediction, plan, trace, error)
             : sgf_covariance_operator_window_trace(prediction->covariance, plan, trace, error);
}

const double *sgf_prediction_directions(const sgf_prediction *prediction, size_t *count)
{
  *count = prediction->tested != NULL ? prediction->tested->count : 0;
  return prediction->tested != NULL ? prediction->tested->directions : NULL;
}
