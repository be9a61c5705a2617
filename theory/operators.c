/* The operators of a prediction: drift H and diffusion C of all weights and of each layer, their ranks and null spaces,
 * what diffuses, their spectra, and the stability limit. */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "detailed_balance.h"
#include "diffusion.h"
#include "drift.h"
#include "heavy_ball.h"
#include "linear_algebra.h"
#include "memory.h"
#include "momentum_limit.h"
#include "prediction.h"
#include "reduced.h"
#include "spectrum.h"

enum { LAW_POINTS = 600 };
/* Eigenvalues of C below this, relative to the largest, are round-off. */
static const double NO_NOISE = 1e-12;
/* Residuals below this, relative to the targets, are round-off: the network interpolates and nothing fluctuates. */
static const double ROUND_OFF_RESIDUAL = 1e-12;

/* A relative gradient up to this is round-off: terms of H that are linear in G are too. */
static const double NO_SLOPE = 1e-11;

/* Noise on null(H) up to this, relative to all of it, is round-off of the basis. */
static const double NO_NULL_NOISE = 1e-13;

static bool interpolates(const sgf_problem *problem, double min_loss)
{
  const sgf_dataset *data = &problem->data;
  double targets = sgf_norm(data->samples * data->outputs, data->Y);
  return sqrt(2.0 * min_loss * (double)data->samples) <= ROUND_OFF_RESIDUAL * targets;
}

/* A network of several layers whose weights are all zero has neither noise nor a signal. */
static bool is_silent(const sgf_problem *problem)
{
  return problem->certificate.decayed && problem->certificate.map_rank == 0;
}

/* ------------------------------------------------------ all weights together */

/* Without a slope H = B^T B with a factor of few rows, and its range is found from that; else from H. With weight decay
 * scalings have the curvature 2 gamma, however small. */
static sgf_status range_of_drift(const sgf_problem *problem, const double *H, sgf_range *range, sgf_error *error)
{
  size_t n = problem->network.weights;
  double tolerance = problem->settings.theory.rank_tolerance, *B = NULL;
  sgf_reduced reduced = {0};
  sgf_status status;
  if (problem->certificate.decayed)
    return sgf_range_create_decayed(n, H, problem->settings.training.weight_decay, tolerance, range, error);
  if (problem->network.layers == 1 || problem->certificate.bottleneck ||
      !(problem->certificate.gradient_norm <= NO_SLOPE))
    return sgf_range_create(n, H, tolerance, range, error);
  SGF_TRY(sgf_reduced_create(&problem->network, problem->theta, problem->data.input_moment, NULL, &reduced, error));
  SGF_TRY(sgf_reduced_matrix(&reduced, &B, error));
  status = sgf_range_create_factored(reduced.outputs * reduced.inputs, n, B, tolerance, range, error);
done:
  free(B);
  sgf_reduced_free(&reduced);
  return status;
}

/* Of one layer with the others frozen, H_ll = A^T A (x) B Sigma_xx B^T + weight decay: no slope enters. */
static sgf_status range_of_layer(const sgf_problem *problem, size_t layer, sgf_range *range, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t to = network->widths[layer], from = network->widths[layer - 1], inputs = network->widths[0];
  size_t outputs = sgf_network_outputs(network);
  double *A = NULL, *B = NULL, *above = NULL, *below = NULL, *half = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, problem->theta, layer + 1, network->layers, &A, error));
  SGF_TRY(sgf_layer_product(network, problem->theta, 1, layer - 1, &B, error));
  SGF_TRY(sgf_new_reals(&above, to, to, "layers above", error));
  SGF_TRY(sgf_new_reals(&below, from, from, "layers below", error));
  SGF_TRY(sgf_new_reals(&half, from, inputs, "layers below", error));
  sgf_multiply(to, to, outputs, SGF_TRANSPOSED, A, SGF_PLAIN, A, above);
  sgf_multiply(from, inputs, inputs, SGF_PLAIN, B, SGF_PLAIN, problem->data.input_moment, half);
  sgf_multiply(from, from, inputs, SGF_PLAIN, half, SGF_TRANSPOSED, B, below);
  sgf_symmetrize(from, below);
  status = sgf_range_create_kronecker(to, above, from, below, problem->settings.training.weight_decay,
                                      problem->settings.theory.rank_tolerance, range, error);
done:
  free(A);
  free(B);
  free(above);
  free(below);
  free(half);
  return status;
}

/* What the certificate says of a minimum with weight decay. */
static void describe_decay(const sgf_minimum_certificate *certificate, sgf_prediction_info *info)
{
  info->regularized_loss = certificate->decayed ? certificate->regularized : NAN;
  info->certified_global = certificate->global;
  info->map_rank = certificate->map_rank;
  info->rotations = certificate->rotations;
  info->scalings = certificate->scalings;
}

static sgf_status build_joint(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = problem->network.weights;
  const sgf_settings *settings = &problem->settings;
  sgf_prediction_info *info = &prediction->info;
  double *H, *C;
  sgf_range range;
  sgf_status status;
  info->weights = n;
  info->layers = problem->network.layers;
  info->noise_strength =
      sgf_noise_strength(problem->data.samples, settings->training.batch_size, settings->training.sampling);
  info->min_loss = problem->certificate.loss;
  info->global_loss = problem->certificate.global_loss;
  info->gradient_norm = problem->certificate.gradient_norm;
  info->balance_error = problem->certificate.balance_error;
  info->flow_time = problem->certificate.flow_time;
  describe_decay(&problem->certificate, info);
  info->temperature = settings->training.learning_rate * info->noise_strength * info->min_loss /
                      ((1.0 - settings->training.momentum) * (double)problem->data.outputs);
  SGF_TRY(sgf_prediction_add(prediction, "hessian", n, n, &H, error));
  SGF_TRY(sgf_prediction_add(prediction, "noise_covariance", n, n, &C, error));
  SGF_TRY(sgf_hessian(&problem->network, &problem->data, problem->theta, settings->training.weight_decay, H, error));
  info->noise_free = interpolates(problem, info->min_loss) || is_silent(problem);
  if (!info->noise_free)
    SGF_TRY(
        sgf_noise_covariance(&problem->network, &problem->data, problem->theta, settings->theory.noise, C, error));
  SGF_TRY(range_of_drift(problem, H, &range, error));
  SGF_TRY(sgf_fluctuations_create(&range, C, settings->training.learning_rate * info->noise_strength,
                                  &prediction->joint, error));
done:
  return status;
}

/* Modes that an epoch of M batches damps: lambda h M / (1 - beta) below this, where the two spectra of the noise cross. */
static const double CROSSOVER = 3.0;

static void describe_range(const sgf_problem *problem, sgf_prediction *prediction)
{
  sgf_prediction_info *info = &prediction->info;
  double lambda = problem->settings.training.learning_rate, momentum = problem->settings.training.momentum;
  double batches = (double)sgf_batches_of(problem);
  const sgf_range *range = &prediction->joint.range;
  info->rank_hessian = range->rank;
  info->rank_gap = range->gap;
  info->rank_tolerance = range->tolerance;
  info->rank_ambiguous = range->ambiguous;
  info->null_noise = sgf_null_noise(range, prediction->joint.noise);
  info->relaxation_rate = sgf_smallest_kept(range);
  info->largest_curvature = sgf_largest(range);
  info->condition_number = info->largest_curvature / info->relaxation_rate;
  info->decay_rate = sgf_mode_rate(lambda, momentum, info->relaxation_rate);
  for (size_t k = range->n - range->rank; k < range->n && batches > 0.0; k++)
    info->modes_below_crossover += lambda * range->h[k] * batches < CROSSOVER * (1.0 - momentum);
}

/* Directions where the drift vanishes and the noise does not: their variance grows as rate * t, the rates being the
 * eigenvalues of (lambda kappa / S) C = 2 D on null(H). */
static sgf_status find_diffusing(sgf_prediction *prediction, sgf_error *error)
{
  const sgf_range *range = &prediction->joint.range;
  sgf_prediction_info *info = &prediction->info;
  size_t null = range->n - range->rank;
  double *block = NULL, *rates, *all = NULL, scale = sgf_norm(range->n * range->n, prediction->joint.noise);
  sgf_status status = SGF_OK;
  if (null == 0 || !(info->null_noise > SGF_DIFFUSING)) return SGF_OK;
  SGF_TRY(sgf_new_reals(&block, null, null, "noise on null(H)", error));
  SGF_TRY(sgf_new_reals(&all, null, 1, "noise on null(H)", error));
  sgf_diagonal_block(range->n, prediction->joint.noise, 0, null, block);
  SGF_TRY(sgf_symmetric_eigenvalues(null, block, all, "noise on null(H)", error));
  for (size_t k = 0; k < null; k++) info->diffusing_directions += all[k] > SGF_DIFFUSING * scale;
  info->diffusing_rate = all[null - 1];
  SGF_TRY(sgf_prediction_add(prediction, "diffusing_rate", info->diffusing_directions, 0, &rates, error));
  for (size_t k = 0; k < info->diffusing_directions; k++) rates[k] = all[null - 1 - k];
done:
  free(block);
  free(all);
  return status;
}

/* With momentum the limit is that of the drift; in mean square it is told beside it where it is affordable. */
static sgf_status find_momentum_limit(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  sgf_prediction_info *info = &prediction->info;
  sgf_hessian_noise *noise = NULL;
  sgf_status status =
      sgf_hessian_noise_create(problem, 0, &prediction->joint.range, info->noise_strength, &noise, error);
  if (status == SGF_OK)
    status = sgf_momentum_limit(noise, &prediction->joint.range, problem->settings.training.momentum,
                                &info->mean_square_limit, error);
  sgf_hessian_noise_free(noise);
  return status;
}

/* Mean-square limit of draws that are independent in time, with hidden layers of linearized SGD on range(H). For
 * reshuffled epochs the products of a permutation do not close: the limit of fresh subsets of the same size is the
 * estimate. Momentum: 2 (1 + beta) / h_max, that of the drift, necessary. */
static sgf_status find_stability_limit(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  sgf_prediction_info *info = &prediction->info;
  const sgf_settings *settings = &problem->settings;
  bool asked = settings->theory.equation == SGF_EQUATION_MULTIPLICATIVE;
  sgf_status status = SGF_OK;
  info->stability_limit = 2.0 * (1.0 + settings->training.momentum) / info->largest_curvature;
  info->mean_square_limit = NAN;
  if (settings->training.momentum > 0.0) return find_momentum_limit(problem, prediction, error);
  if (problem->network.layers == 1) {
    SGF_TRY(sgf_multiplicative_create(&problem->data, settings->training.weight_decay, info->noise_strength,
                                      settings->theory.noise, &prediction->exact, error));
    SGF_TRY(sgf_mean_square_limit(prediction->exact, &info->stability_limit, error));
    return SGF_OK;
  }
  SGF_TRY(sgf_hessian_noise_create(problem, 0, &prediction->joint.range, info->noise_strength,
                                   &prediction->linearized, error));
  SGF_TRY(sgf_hessian_noise_limit(prediction->linearized, asked ? INFINITY : settings->training.learning_rate,
                                  &info->stability_limit, &info->stability_is_bound, error));
  info->stability_limit = fmin(info->stability_limit, 2.0 / info->largest_curvature); /* modes without noise too */
  if (asked) return SGF_OK;
  sgf_hessian_noise_free(prediction->linearized);
  prediction->linearized = NULL;
done:
  return status;
}

/* ------------------------------------------------------------ layer by layer */

/* Eigenvalues (n, ascending) of C (n, n), and how many of them are not round-off. Where C has none on null(H), those
 * on range(H), from the noise in the modes of H = scale C, and zeros. */
static sgf_status spectrum_of_noise(const sgf_fluctuations *fluctuations, double scale, double null_noise,
                                    const double *C, double *eigenvalues, size_t *rank, sgf_error *error)
{
  size_t n = fluctuations->range.n, kept = fluctuations->range.rank, null = n - kept;
  double *inside = NULL;
  sgf_status status;
  if (null == 0 || !(null_noise <= NO_NULL_NOISE) || !(scale > 0.0)) {
    SGF_TRY(sgf_symmetric_eigenvalues(n, C, eigenvalues, "C", error));
  } else {
    SGF_TRY(sgf_new_reals(&inside, kept, kept, "noise on range(H)", error));
    sgf_diagonal_block(n, fluctuations->noise, null, kept, inside);
    SGF_TRY(sgf_symmetric_eigenvalues(kept, inside, eigenvalues + null, "C", error));
    for (size_t k = 0; k < n; k++) eigenvalues[k] = k < null ? 0.0 : fmax(eigenvalues[k] / scale, 0.0);
  }
  *rank = 0;
  for (size_t k = 0; k < n; k++) *rank += eigenvalues[k] > NO_NOISE * eigenvalues[n - 1];
done:
  free(inside);
  return status;
}

/* The blocks of one layer, and its fluctuations with the others frozen. */
static sgf_status build_layer(const sgf_problem *problem, sgf_prediction *prediction, size_t layer, sgf_error *error)
{
  size_t n = prediction->info.weights, size = sgf_layer_size(&problem->network, layer);
  size_t first = problem->network.offsets[layer];
  double *H, *C, *noise = NULL;
  sgf_layer_info *info = &prediction->layers[layer - 1];
  sgf_range range;
  sgf_status status;
  info->weights = size;
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "hessian", size, size, &H, error));
  SGF_TRY(sgf_prediction_add_layer(prediction, layer, "noise_covariance", size, size, &C, error));
  sgf_diagonal_block(n, sgf_prediction_find(prediction, "hessian"), first, size, H);
  sgf_diagonal_block(n, sgf_prediction_find(prediction, "noise_covariance"), first, size, C);
  info->rank_hessian = prediction->info.rank_hessian;
  info->rank_noise = prediction->info.rank_noise;
  info->null_noise = prediction->info.null_noise;
  if (problem->network.layers == 1) return SGF_OK;
  sgf_fluctuations *frozen = &prediction->frozen[layer - 1];
  SGF_TRY(range_of_layer(problem, layer, &range, error));
  SGF_TRY(sgf_fluctuations_create(
      &range, C, problem->settings.training.learning_rate * prediction->info.noise_strength, frozen, error));
  info->rank_hessian = frozen->range.rank;
  info->null_noise = sgf_null_noise(&frozen->range, frozen->noise);
  if (problem->certificate.decayed) SGF_TRY(sgf_set_silent_apart(frozen, error));
  SGF_TRY(sgf_new_reals(&noise, size, 1, "eigenvalues of C", error));
  SGF_TRY(spectrum_of_noise(frozen, problem->settings.training.learning_rate * prediction->info.noise_strength,
                            info->null_noise, C, noise, &info->rank_noise, error));
done:
  free(noise);
  return status;
}

/* ---------------------------------------------------------------- spectra */

/* One limit law on a grid around the eigenvalues, and the distance of the eigenvalues to it. */
static sgf_status compare_to_law(const sgf_problem *problem, sgf_prediction *prediction, sgf_law law,
                                 const double *inputs, const double *eigenvalues, double scale, double *distance,
                                 sgf_error *error)
{
  size_t n = prediction->joint.range.n;
  double q = (double)problem->data.inputs / (double)problem->data.samples;
  double low = 0.1 * eigenvalues[0] / scale, high = 2.0 * eigenvalues[n - 1] / scale, *rows;
  sgf_status status =
      sgf_prediction_add(prediction, law == SGF_LAW_HESSIAN ? "spectrum/hessian_law" : "spectrum/noise_law",
                         LAW_POINTS, 3, &rows, error);
  if (status == SGF_OK)
    status =
        sgf_limit_law(law, inputs, problem->data.inputs, q, fmax(low, 1e-9 * high), high, LAW_POINTS, rows, error);
  if (status == SGF_OK) *distance = sgf_distance_to_law(eigenvalues, n, scale, rows, LAW_POINTS);
  return status;
}

static sgf_status observe_laws(const sgf_problem *problem, sgf_prediction *prediction, const double *hessian,
                               const double *noise, double noise_scale, sgf_error *error)
{
  sgf_prediction_info *info = &prediction->info;
  double *inputs = NULL;
  sgf_status status;
  bool limit_exists = problem->settings.data.source == SGF_SOURCE_GAUSSIAN && problem->network.layers == 1 &&
                      problem->settings.training.weight_decay == 0.0 && problem->data.samples > problem->data.inputs;
  info->hessian_law_distance = info->noise_law_distance = NAN;
  if (!limit_exists) return SGF_OK;
  SGF_TRY(sgf_new_reals(&inputs, problem->data.inputs, 1, "input spectrum", error));
  SGF_TRY(sgf_dataset_spectrum(&problem->settings, problem->data.inputs, inputs, error));
  SGF_TRY(
      compare_to_law(problem, prediction, SGF_LAW_HESSIAN, inputs, hessian, 1.0, &info->hessian_law_distance, error));
  if (problem->data.outputs == 1 && noise_scale > 0.0 && problem->settings.theory.noise == SGF_NOISE_EMPIRICAL)
    SGF_TRY(compare_to_law(problem, prediction, SGF_LAW_NOISE, inputs, noise, noise_scale, &info->noise_law_distance,
                           error));
done:
  free(inputs);
  return status;
}

/* What H and C alone say: their spectra and commutator. */
static sgf_status observe_operators(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->joint.range.n;
  double *hessian, *noise;
  const double *C = sgf_prediction_find(prediction, "noise_covariance");
  sgf_prediction_info *info = &prediction->info;
  /* Variance of one output's residual: C = s^2 H when residuals and inputs are independent. */
  double residual_variance = info->noise_free ? 0.0 : 2.0 * info->min_loss / (double)problem->data.outputs;
  sgf_status status;
  SGF_TRY(sgf_prediction_add(prediction, "spectrum/hessian", n, 0, &hessian, error));
  SGF_TRY(sgf_prediction_add(prediction, "spectrum/noise_covariance", n, 0, &noise, error));
  memcpy(hessian, prediction->joint.range.h, n * sizeof *hessian);
  if (problem->certificate.decayed) { /* null as C is, and in order again */
    memset(hessian, 0, (n - info->rank_hessian) * sizeof *hessian);
    gsl_sort(hessian, 1, n);
  }
  SGF_TRY(spectrum_of_noise(&prediction->joint, problem->settings.training.learning_rate * info->noise_strength,
                            info->null_noise, C, noise, &info->rank_noise, error));
  info->spectrum_distance =
      residual_variance > 0.0 ? sgf_distance_of_spectra(noise, residual_variance, hessian, n) : NAN;
  SGF_TRY(observe_laws(problem, prediction, hessian, noise, residual_variance, error));
  SGF_TRY(sgf_commutator(n, sgf_prediction_find(prediction, "hessian"), C, &info->commutator,
                         &info->commutator_relative, error));
done:
  return status;
}

sgf_status sgf_build_operators(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t layers = problem->network.layers;
  void *info, *frozen, *known;
  sgf_status status;
  SGF_TRY(sgf_allocate(&info, layers, 1, sizeof *prediction->layers, "layers", error));
  prediction->layers = info;
  prediction->info.mean_shift = prediction->info.mean_drift = prediction->info.next_order = NAN;
  if (problem->settings.theory.equation == SGF_EQUATION_CLOSURE) {
    SGF_TRY(sgf_allocate(&known, 1, 1, sizeof *prediction->known, "closure", error));
    prediction->known = known;
  }
  if (layers > 1) {
    SGF_TRY(sgf_allocate(&frozen, layers, 1, sizeof *prediction->frozen, "layers", error));
    prediction->frozen = frozen;
  }
  SGF_TRY(build_joint(problem, prediction, error));
  describe_range(problem, prediction);
  if (problem->certificate.decayed) SGF_TRY(sgf_set_silent_apart(&prediction->joint, error));
  SGF_TRY(find_diffusing(prediction, error));
  SGF_TRY(find_stability_limit(problem, prediction, error));
  SGF_TRY(observe_operators(problem, prediction, error));
  for (size_t l = 1; l <= layers; l++) SGF_TRY(build_layer(problem, prediction, l, error));
done:
  return status;
}
