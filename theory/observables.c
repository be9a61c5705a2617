/* The observables of a prediction: principal directions, curvature, flatness, IVFR, anisotropy, jointly and by layer;
 * detailed balance; how long the state lasts. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "closed_form.h"
#include "cross_section.h"
#include "detailed_balance.h"
#include "flatness.h"
#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"

/* Curvature below this, relative to the norm of the Hessian, is round-off. */
static const double NO_CURVATURE = 1e-14;

/* ------------------------------------------------------ all weights together */

/* Principal directions of Sigma within range(H), which it lives on, by descending variance; then the modes of null(H),
 * of variance 0. A direction without noise stays inside the range that way. */
static sgf_status principal_directions_on_range(const sgf_range *range, const double *Sigma, const double *H,
                                                double *directions, double *variance, double *curvature,
                                                sgf_error *error)
{
  size_t n = range->n, null = n - range->rank, rank = range->rank;
  const double *V = range->V + null * n;
  double *inside = NULL, *turned = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&inside, 2 * rank, rank, "principal directions", error));
  SGF_TRY(sgf_new_reals(&turned, rank, rank, "principal directions", error));
  SGF_TRY(sgf_into_range(range, Sigma, inside, error));
  double *drift = inside + rank * rank;
  for (size_t i = 0; i < rank; i++) drift[i * rank + i] = range->h[null + i];
  SGF_TRY(sgf_principal_directions(rank, inside, drift, turned, variance, curvature, error));
  sgf_multiply(rank, n, rank, SGF_PLAIN, turned, SGF_PLAIN, V, directions);
  memcpy(directions + rank * n, range->V, null * n * sizeof *directions);
  for (size_t k = rank; k < n; k++) variance[k] = 0.0;
  SGF_TRY(sgf_curvatures(n, H, null, range->V, curvature + rank, error));
done:
  free(inside);
  free(turned);
  return status;
}

static sgf_status joint_flatness(const sgf_problem *problem, const double *directions, size_t count, double *flatness,
                                 sgf_error *error)
{
  size_t degree = 2 * problem->network.layers;
  double *coefficients = NULL, *room = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&coefficients, count, degree + 1, "cross-sections of the loss", error));
  SGF_TRY(sgf_new_reals(&room, 3, degree + 2, "cross-sections of the loss", error));
  SGF_TRY(
      sgf_cross_section(&problem->network, &problem->data, problem->theta, count, directions, coefficients, error));
  for (size_t k = 0; k < count; k++)
    flatness[k] =
        sgf_flatness_in_room(coefficients + k * (degree + 1), degree, problem->settings.theory.flatness_factor, room);
done:
  free(coefficients);
  free(room);
  return status;
}

static sgf_status observe_joint(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->info.weights;
  const double *H = sgf_prediction_find(prediction, "hessian"),
               *Sigma = sgf_prediction_find(prediction, "covariance");
  double *directions, *variance, *curvature, *flatness, *spectrum;
  sgf_prediction_info *info = &prediction->info;
  sgf_status status;
  SGF_TRY(sgf_prediction_add(prediction, "spectrum/covariance", n, 0, &spectrum, error));
  SGF_TRY(sgf_prediction_add(prediction, "directions", n, n, &directions, error));
  SGF_TRY(sgf_prediction_add(prediction, "variance", n, 0, &variance, error));
  SGF_TRY(sgf_prediction_add(prediction, "curvature", n, 0, &curvature, error));
  SGF_TRY(sgf_prediction_add(prediction, "flatness", n, 0, &flatness, error));
  SGF_TRY(principal_directions_on_range(&prediction->joint.range, Sigma, H, directions, variance, curvature, error));
  for (size_t k = 0; k < n; k++) spectrum[k] = variance[n - 1 - k];
  SGF_TRY(joint_flatness(problem, directions, n, flatness, error));
  SGF_TRY(sgf_ivfr_fit(n, variance, curvature, problem->settings.seed, &info->ivfr, error));
  info->trace = sgf_trace(n, Sigma);
  info->excess_loss = 0.5 * sgf_dot(n * n, H, Sigma); /* both symmetric: tr(H Sigma) */
  info->anisotropy = sgf_anisotropy(n, variance);
done:
  return status;
}

/* Drift, noise and continuum covariance in the modes of range(H), (rank, rank) each, one after the other. */
static sgf_status into_range(const sgf_prediction *prediction, double **matrices, sgf_error *error)
{
  const sgf_range *range = &prediction->joint.range;
  size_t n = range->n, rank = range->rank, null = n - rank;
  sgf_status status;
  SGF_TRY(sgf_new_reals(matrices, 3 * rank, rank, "modes of range(H)", error));
  for (size_t k = 0; k < rank; k++) (*matrices)[k * (rank + 1)] = range->h[null + k];
  sgf_diagonal_block(n, prediction->joint.noise, null, rank, *matrices + rank * rank);
  SGF_TRY(sgf_into_range(range, sgf_prediction_find(prediction, "covariance_continuum"), *matrices + 2 * rank * rank,
                         error));
done:
  return status;
}

/* Everything irreversible happens on range(H), where Sigma lives. With momentum at its leading order, the flow of drift
 * H / (1 - beta) and diffusion D / (1 - beta)^2: entropy is produced 1 / (1 - beta) times as fast, and Q over H Sigma is the
 * same. */
static sgf_status observe_detailed_balance(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  sgf_detailed_balance balance;
  sgf_prediction_info *info = &prediction->info;
  size_t rank = prediction->joint.range.rank;
  double *matrices = NULL;
  sgf_status status;
  SGF_TRY(into_range(prediction, &matrices, error));
  /* the noise in the modes is 2 D */
  SGF_TRY(sgf_detailed_balance_measure(rank, matrices, matrices + rank * rank, matrices + 2 * rank * rank, 0.5,
                                       &balance, error));
  info->irreversible = balance.irreversible;
  info->entropy_production = balance.entropy_production / (1.0 - problem->settings.training.momentum);
  info->entropy_on_range = balance.on_range || rank < info->weights;
done:
  free(matrices);
  return status;
}

/* ------------------------------------------------------------ layer by layer */

/* Of the loss without its weight-decay term, which at theta* has the slope -gamma theta* and the curvature h - gamma. */
static double flatness_in_layer(const sgf_problem *problem, size_t layer, const double *direction, double curvature,
                                double round_off)
{
  double decay = problem->settings.training.weight_decay, factor = problem->settings.theory.flatness_factor;
  double loss = problem->certificate.loss, h = curvature - decay > round_off ? curvature - decay : 0.0;
  if (decay == 0.0) return sgf_flatness(h, loss, factor);
  double slope = -decay * sgf_dot(sgf_layer_size(&problem->network, layer), direction,
                                  problem->theta + problem->network.offsets[layer]);
  return sgf_flatness_on_slope(slope, h, loss, factor);
}

/* Variances, directions, curvature and flatness of one covariance of a layer; the names end in `suffix`. */
static sgf_status observe_block(const sgf_problem *problem, sgf_prediction *prediction, size_t layer,
                                const char *suffix, const double *H, const double *Sigma, sgf_ivfr *ivfr,
                                double *anisotropy, sgf_error *error)
{
  size_t size = sgf_layer_size(&problem->network, layer);
  double *variance, *curvature, *flatness, *directions;
  char name[32];
  sgf_status status;
  snprintf(name, sizeof name, "variance%s", suffix);
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, name, size, 0, &variance, error));
  snprintf(name, sizeof name, "curvature%s", suffix);
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, name, size, 0, &curvature, error));
  snprintf(name, sizeof name, "flatness%s", suffix);
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, name, size, 0, &flatness, error));
  snprintf(name, sizeof name, "directions%s", suffix);
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, name, size, size, &directions, error));
  SGF_TRY(sgf_principal_directions(size, Sigma, H, directions, variance, curvature, error));
  double round_off = NO_CURVATURE * sgf_norm(size * size, H);
  for (size_t k = 0; k < size; k++)
    flatness[k] = flatness_in_layer(problem, layer, directions + k * size, curvature[k], round_off);
  SGF_TRY(sgf_ivfr_fit(size, variance, curvature, problem->settings.seed, ivfr, error));
  *anisotropy = sgf_anisotropy(size, variance);
done:
  return status;
}

/* The closed form for C = s^2 H of a two-layer network without bottleneck: what psi it predicts. */
static sgf_status observe_closed_form(const sgf_problem *problem, sgf_prediction *prediction, size_t layer,
                                      sgf_error *error)
{
  size_t size = sgf_layer_size(&problem->network, layer);
  sgf_layer_info *info = &prediction->layers[layer - 1];
  double *variance, *curvature;
  sgf_status status;
  info->ivfr_closed_form = (sgf_ivfr){NAN, NAN, NAN, NAN, 0, 0};
  if (problem->network.layers != 2 || problem->certificate.bottleneck || problem->certificate.decayed) return SGF_OK;
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "variance_closed_form", size, 0, &variance, error));
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "curvature_closed_form", size, 0, &curvature, error));
  SGF_TRY(sgf_closed_form_layer(&problem->network, &problem->data, problem->theta, layer,
                                prediction->info.temperature, variance, curvature, error));
  SGF_TRY(sgf_ivfr_fit(size, variance, curvature, problem->settings.seed, &info->ivfr_closed_form, error));
done:
  return status;
}

static sgf_status fit_block(const sgf_problem *problem, size_t size, const double *H, const double *Sigma,
                            sgf_ivfr *ivfr, sgf_error *error)
{
  double *directions = NULL, *variance = NULL, *curvature = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&directions, size, size, "principal directions", error));
  SGF_TRY(sgf_new_reals(&variance, size, 1, "principal directions", error));
  SGF_TRY(sgf_new_reals(&curvature, size, 1, "principal directions", error));
  SGF_TRY(sgf_principal_directions(size, Sigma, H, directions, variance, curvature, error));
  SGF_TRY(sgf_ivfr_fit(size, variance, curvature, problem->settings.seed, ivfr, error));
done:
  free(directions);
  free(variance);
  free(curvature);
  return status;
}

/* Reshuffled epochs calm the flat directions by themselves: what psi would be with draws that are independent in time, of
 * the same strength and momentum, tells that apart from what the coupling of the layers does. */
static sgf_status observe_independent(const sgf_problem *problem, sgf_prediction *prediction, size_t layer,
                                      const double *H, sgf_error *error)
{
  size_t n = prediction->info.weights, size = sgf_layer_size(&problem->network, layer);
  sgf_layer_info *info = &prediction->layers[layer - 1];
  bool heavy = problem->settings.training.momentum > 0.0;
  double *block;
  info->ivfr_independent = info->ivfr_uncoupled_independent = (sgf_ivfr){NAN, NAN, NAN, NAN, 0, 0};
  if (problem->settings.training.sampling != SGF_SAMPLING_EPOCH) return SGF_OK;
  sgf_status status = sgf_new_reals(&block, size, size, "independent draws", error);
  if (status != SGF_OK) return status;
  sgf_diagonal_block(n, sgf_prediction_find(prediction, heavy ? "covariance_independent" : "covariance_discrete"),
                     problem->network.offsets[layer], size, block);
  SGF_TRY(fit_block(problem, size, H, block, &info->ivfr_independent, error));
  info->ivfr_uncoupled_independent = info->ivfr_independent;
  if (problem->network.layers == 1) goto done;
  SGF_TRY(sgf_covariance(problem, &prediction->frozen[layer - 1], SGF_TIME_HEAVY_BALL, NULL, block, error));
  SGF_TRY(fit_block(problem, size, H, block, &info->ivfr_uncoupled_independent, error));
done:
  free(block);
  return status;
}

static sgf_status observe_layer(const sgf_problem *problem, sgf_prediction *prediction, size_t layer,
                                sgf_error *error)
{
  size_t n = prediction->info.weights, size = sgf_layer_size(&problem->network, layer);
  sgf_layer_info *info = &prediction->layers[layer - 1];
  double *coupled, *alone;
  char name[48];
  sgf_status status;
  snprintf(name, sizeof name, "layer%zu/hessian", layer);
  const double *H = sgf_prediction_find(prediction, name);
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "covariance", size, size, &coupled, error));
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "covariance_uncoupled", size, size, &alone, error));
  sgf_diagonal_block(n, sgf_prediction_find(prediction, "covariance"), problem->network.offsets[layer], size,
                     coupled);
  if (problem->network.layers == 1)
    memcpy(alone, coupled, size * size * sizeof *alone); /* no other layer to freeze */
  else
    SGF_TRY(sgf_solve_frozen(problem, prediction, layer, alone, error));
  info->trace = sgf_trace(size, coupled);
  info->trace_uncoupled = sgf_trace(size, alone);
  SGF_TRY(observe_block(problem, prediction, layer, "", H, coupled, &info->ivfr, &info->anisotropy, error));
  SGF_TRY(observe_block(problem, prediction, layer, "_uncoupled", H, alone, &info->ivfr_uncoupled,
                        &info->anisotropy_uncoupled, error));
  SGF_TRY(observe_closed_form(problem, prediction, layer, error));
  SGF_TRY(observe_independent(problem, prediction, layer, H, error));
done:
  return status;
}

/* ------------------------------------------------------- quasi-stationarity */

/* Where the drift D of a hidden layer's balance and weight decay end: D / 2 gamma, in steps D / (2 gamma - lambda gamma^2),
 * with momentum D (1 - beta) / 2 gamma to leading order; its norm relative to that of the weights. */
static sgf_status observe_stationary_balance(const sgf_problem *problem, sgf_prediction *prediction, size_t hidden,
                                             const double *drift, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t width = network->widths[hidden], first = network->offsets[hidden], last = network->offsets[hidden + 2];
  double decay = problem->settings.training.weight_decay, rate = sgf_balance_decay(&problem->settings), *stationary;
  bool steps = problem->settings.theory.equation != SGF_EQUATION_CONTINUUM;
  sgf_status status = SGF_OK;
  if (!problem->certificate.decayed) return SGF_OK;
  SGF_TRY(sgf_prediction_add_layer(prediction, hidden, "balance_stationary", width, width, &stationary, error));
  if (steps && problem->settings.training.momentum == 0.0)
    rate -= problem->settings.training.learning_rate * decay * decay;
  for (size_t k = 0; k < width * width; k++) stationary[k] = drift[k] / rate;
  double shift =
      sgf_norm(width * width, stationary) / sgf_dot(last - first, problem->theta + first, problem->theta + first);
  prediction->info.balance_shift = fmax(prediction->info.balance_shift, shift);
done:
  return status;
}

/* Nothing restores motion along null(H): the balance of neighbouring layers drifts. Weight decay gives it the rate 2 gamma.
 * Sources: sections 4 and 7. */
sgf_status sgf_observe_balance(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  sgf_prediction_info *info = &prediction->info;
  const double *C = sgf_prediction_find(prediction, "noise_covariance");
  double scale = problem->settings.training.learning_rate * info->noise_strength, *drift, gross;
  sgf_status status;
  scale *= sgf_balance_speed(problem->settings.training.momentum, sgf_batches_of(problem));
  info->balance_rate = info->balance_drift = network->layers > 1 ? 0.0 : NAN;
  info->balance_shift = NAN;
  for (size_t l = 1; l < network->layers; l++) {
    SGF_TRY(sgf_prediction_add_layer(prediction, l, "balance_drift", network->widths[l], network->widths[l], &drift,
                                     error));
    sgf_balance_drift(network, C, scale, l, drift, &gross);
    info->balance_drift = hypot(info->balance_drift, sgf_norm(network->widths[l] * network->widths[l], drift));
    info->balance_rate = fmax(info->balance_rate, sgf_balance_rate(network, problem->theta, C, scale, l));
    SGF_TRY(observe_stationary_balance(problem, prediction, l, drift, error));
  }
  info->lifetime = 1.0 / info->balance_rate;
  info->rate_ratio = info->balance_rate / info->decay_rate;
  info->balance_rate += sgf_balance_decay(&problem->settings);
  status = SGF_OK;
done:
  return status;
}

sgf_status sgf_observe(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(observe_joint(problem, prediction, error));
  for (size_t l = 1; l <= problem->network.layers; l++) SGF_TRY(observe_layer(problem, prediction, l, error));
  SGF_TRY(observe_detailed_balance(problem, prediction, error));
  SGF_TRY(sgf_observe_balance(problem, prediction, error));
  SGF_TRY(sgf_observe_noise_balance(problem, prediction, error));
  SGF_TRY(sgf_observe_time(problem, prediction, error));
  SGF_TRY(sgf_observe_rotations(problem, prediction, error));
done:
  return status;
}
