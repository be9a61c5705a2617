/* The prediction: operators at the minimum, stationary covariances, observables, by name. */
#include "prediction.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "detailed_balance.h"
#include "diffusion.h"
#include "drift.h"
#include "epoch.h"
#include "flatness.h"
#include "jacobian.h"
#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"
#include "minimum.h"
#include "spectrum.h"

enum { LAW_POINTS = 600 };

/* ------------------------------------------------------------ named arrays */

static double *find(const sgf_prediction *prediction, const char *name, const sgf_named_array **entry)
{
  for (size_t k = 0; k < prediction->array_count; k++)
    if (strcmp(prediction->arrays[k].name, name) == 0) {
      if (entry != NULL) *entry = &prediction->arrays[k];
      return prediction->arrays[k].values;
    }
  return NULL;
}

const double *sgf_prediction_array(const sgf_prediction *prediction, const char *name, size_t *rows, size_t *columns)
{
  const sgf_named_array *entry = NULL;
  const double *values = find(prediction, name, &entry);
  *rows = entry != NULL ? entry->rows : 0;
  *columns = entry != NULL ? entry->columns : 0;
  return values;
}

/* A new array of the prediction, zeroed; columns = 0 makes a vector. */
static sgf_status add(sgf_prediction *prediction, const char *name, size_t rows, size_t columns, double **values,
                      sgf_error *error)
{
  size_t count = prediction->array_count;
  sgf_named_array *grown = realloc(prediction->arrays, (count + 1) * sizeof *grown);
  if (grown == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for theory/%s", name);
  prediction->arrays = grown;
  sgf_named_array *entry = &grown[count];
  entry->vector = columns == 0;
  entry->rows = rows;
  entry->columns = entry->vector ? 1 : columns;
  snprintf(entry->name, sizeof entry->name, "%s", name);
  sgf_status status = sgf_new_reals(&entry->values, rows, entry->columns, name, error);
  if (status == SGF_OK) prediction->array_count++;
  *values = entry->values;
  return status;
}

static sgf_status add_layer(sgf_prediction *prediction, size_t layer, const char *name, size_t rows, size_t columns,
                            double **values, sgf_error *error)
{
  char path[48];
  snprintf(path, sizeof path, "layer%zu/%s", layer, name);
  return add(prediction, path, rows, columns, values, error);
}

/* --------------------------------------------------------------- operators */

/* Residuals below this, relative to the targets, are round-off: the network interpolates and nothing fluctuates. */
static const double ROUND_OFF_RESIDUAL = 1e-12;

static bool interpolates(const sgf_problem *problem, double min_loss)
{
  const sgf_dataset *data = &problem->data;
  double targets = sgf_norm(data->samples * data->outputs, data->Y);
  return sqrt(2.0 * min_loss * (double)data->samples) <= ROUND_OFF_RESIDUAL * targets;
}

static sgf_status build_operators(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = problem->network.weights;
  const sgf_settings *settings = &problem->settings;
  sgf_prediction_info *info = &prediction->info;
  double *H, *C, *work = NULL;
  sgf_status status;
  info->weights = n;
  info->layers = problem->network.layers;
  info->noise_strength =
      sgf_noise_strength(problem->data.samples, settings->training.batch_size, settings->training.sampling);
  SGF_TRY(sgf_loss(&problem->network, &problem->data, problem->theta, &info->min_loss, error));
  SGF_TRY(sgf_relative_gradient(&problem->network, &problem->data, settings->training.weight_decay, problem->theta,
                                &info->gradient_norm, error));
  SGF_TRY(add(prediction, "hessian", n, n, &H, error));
  SGF_TRY(add(prediction, "noise_covariance", n, n, &C, error));
  SGF_TRY(sgf_hessian(&problem->network, &problem->data, problem->theta, settings->training.weight_decay, H, error));
  info->noise_free = interpolates(problem, info->min_loss);
  if (!info->noise_free)
    SGF_TRY(
        sgf_noise_covariance(&problem->network, &problem->data, problem->theta, settings->theory.noise, C, error));
  SGF_TRY(sgf_range_create(n, H, settings->theory.rank_tolerance, &prediction->range, error));
  SGF_TRY(sgf_new_reals(&prediction->noise, n, n, "noise in the modes of H", error));
  SGF_TRY(sgf_new_reals(&work, n, n, "noise in the modes of H", error));
  sgf_into_basis(n, prediction->range.V, C, work, prediction->noise);
  info->null_noise = sgf_null_noise(&prediction->range, prediction->noise);
  for (size_t k = 0; k < n * n; k++) prediction->noise[k] *= settings->training.learning_rate * info->noise_strength;
done:
  free(work);
  return status;
}

static void describe_range(const sgf_settings *settings, sgf_prediction *prediction)
{
  sgf_prediction_info *info = &prediction->info;
  const sgf_range *range = &prediction->range;
  info->rank_hessian = range->rank;
  info->rank_gap = range->gap;
  info->rank_tolerance = range->tolerance;
  info->rank_ambiguous = range->ambiguous;
  info->relaxation_rate = sgf_smallest_kept(range);
  info->largest_curvature = sgf_largest(range);
  info->condition_number = info->largest_curvature / info->relaxation_rate;
  info->temperature = settings->training.learning_rate * info->noise_strength * info->min_loss;
  info->balance_rate = NAN;
}

/* Mean-square limit of draws that are independent in time. For reshuffled epochs the products of a permutation do
 * not close: the limit of fresh subsets of the same size is the estimate. More layers: 2 / h_max, necessary. */
static sgf_status find_stability_limit(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  sgf_prediction_info *info = &prediction->info;
  const sgf_settings *settings = &problem->settings;
  info->stability_limit = 2.0 / info->largest_curvature;
  if (problem->network.layers > 1) return SGF_OK;
  sgf_status status = sgf_multiplicative_create(&problem->data, settings->training.weight_decay, info->noise_strength,
                                                settings->theory.noise, &prediction->exact, error);
  return status != SGF_OK ? status : sgf_mean_square_limit(prediction->exact, &info->stability_limit, error);
}

static sgf_status check_stable(const sgf_problem *problem, const sgf_prediction *prediction, bool force,
                               sgf_error *error)
{
  double rate = problem->settings.training.learning_rate, limit = prediction->info.stability_limit;
  if (rate < limit || force) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_UNSTABLE,
      "training.learning_rate is %g, beyond the stability limit %.6g: the fluctuations of SGD grow without bound "
      "(--force runs it anyway)",
      rate, limit);
}

/* ------------------------------------------------------------- covariances */

/* Sigma by the constant-H equation, continuum or discrete, out of the modes of H. */
static sgf_status constant_drift(const sgf_problem *problem, const sgf_prediction *prediction, bool discrete,
                                 const sgf_plan *plan, double *Sigma, sgf_error *error)
{
  size_t n = prediction->range.n;
  double lambda = problem->settings.training.learning_rate, *work;
  sgf_status status = sgf_new_reals(&work, n, n, "covariance", error);
  if (status != SGF_OK) return status;
  sgf_lyapunov(&prediction->range, discrete ? lambda : 0.0, prediction->noise, Sigma);
  if (plan != NULL)
    sgf_lyapunov_window(&prediction->range, lambda, discrete, (double)(plan->burn_in_steps + plan->stride),
                        (double)plan->stride, (double)(plan->window_steps / plan->stride), Sigma);
  sgf_out_of_basis(n, prediction->range.V, Sigma, work, Sigma);
  free(work);
  return SGF_OK;
}

/* A plan in epochs: batches in one, epochs of burn-in and of the window; no epochs stand for the stationary state. */
typedef struct {
  size_t batches;
  double skipped, counted;
} epochs;

static epochs epochs_of(const sgf_problem *problem, const sgf_plan *plan)
{
  size_t batches = problem->data.samples / problem->settings.training.batch_size;
  if (plan == NULL) return (epochs){batches, 0.0, 0.0};
  return (epochs){batches, (double)(plan->burn_in_steps / batches), (double)(plan->window_steps / batches)};
}

static sgf_status reshuffled(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                             double *Sigma, sgf_error *error)
{
  size_t n = prediction->range.n;
  epochs run = epochs_of(problem, plan);
  double *work;
  sgf_status status = sgf_new_reals(&work, n, n, "covariance", error);
  if (status != SGF_OK) return status;
  sgf_epoch_covariance(&prediction->range, problem->settings.training.learning_rate, run.batches, prediction->noise,
                       run.skipped, run.counted, Sigma);
  sgf_out_of_basis(n, prediction->range.V, Sigma, work, Sigma);
  free(work);
  return SGF_OK;
}

/* Covariance by the configured equation, about the mean. */
static sgf_status window_covariance(const sgf_problem *problem, const sgf_prediction *prediction,
                                    const sgf_plan *plan, double *Sigma, sgf_error *error)
{
  size_t n = prediction->range.n;
  sgf_equation equation = problem->settings.theory.equation;
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH)
    return reshuffled(problem, prediction, plan, Sigma, error);
  if (equation != SGF_EQUATION_EXACT)
    return constant_drift(problem, prediction, equation == SGF_EQUATION_DISCRETE, plan, Sigma, error);
  memcpy(Sigma, find(prediction, "covariance_exact", NULL), n * n * sizeof *Sigma);
  if (plan == NULL) return SGF_OK;
  return sgf_exact_window(prediction->exact, problem->settings.training.learning_rate,
                          (double)(plan->burn_in_steps + plan->stride), (double)plan->stride,
                          (double)(plan->window_steps / plan->stride), Sigma, error);
}

/* Mean over whole epochs and its second moment, of reshuffled epochs. */
static sgf_status reshuffled_mean(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                  double *mean, double *second, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  epochs run = epochs_of(problem, plan);
  double *residuals;
  sgf_status status = sgf_residuals(&problem->network, &problem->data, problem->theta, &residuals, error);
  if (status == SGF_OK)
    status =
        sgf_epoch_mean(&problem->data, residuals, settings->training.weight_decay, settings->training.learning_rate,
                       prediction->info.noise_strength, run.batches, run.skipped, run.counted, mean, second, error);
  free(residuals);
  return status;
}

sgf_status sgf_prediction_window(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                 double *second, double *mean, sgf_error *error)
{
  size_t n = prediction->range.n;
  double *of_mean = NULL;
  sgf_status status;
  memset(mean, 0, n * sizeof *mean);
  SGF_TRY(window_covariance(problem, prediction, plan, second, error));
  if (problem->settings.training.sampling != SGF_SAMPLING_EPOCH) return SGF_OK;
  SGF_TRY(sgf_new_reals(&of_mean, n, n, "second moment of the mean", error));
  SGF_TRY(reshuffled_mean(problem, prediction, plan, mean, of_mean, error));
  for (size_t k = 0; k < n * n; k++) second[k] += of_mean[k];
done:
  free(of_mean);
  return status;
}

/* The exact equation turns singular next to the stability limit: only then may it fail, and then it only matters
 * when it is the one that was asked for. */
static sgf_status add_exact(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  double *Sigma, residual;
  bool asked = problem->settings.theory.equation == SGF_EQUATION_EXACT;
  sgf_status status = add(prediction, "covariance_exact", prediction->range.n, prediction->range.n, &Sigma, error);
  if (status == SGF_OK)
    status = sgf_exact_covariance(prediction->exact, problem->settings.training.learning_rate,
                                  find(prediction, "noise_covariance", NULL), Sigma, &residual, error);
  if (status == SGF_OK && asked) prediction->info.residual = residual;
  if (status != SGF_ERROR_NUMERICAL || asked) return status;
  free(prediction->arrays[--prediction->array_count].values);
  return SGF_OK;
}

/* Residual of the configured constant-H equation, from the raw H, C and Sigma. */
static sgf_status measure_residual(const sgf_problem *problem, sgf_prediction *prediction, const char *name,
                                   double lambda, sgf_error *error)
{
  size_t n = prediction->range.n;
  const double *C = find(prediction, "noise_covariance", NULL);
  double scale = problem->settings.training.learning_rate * prediction->info.noise_strength, *work, *N;
  sgf_status status = sgf_new_reals(&work, 4 * n, n, "residual", error);
  if (status != SGF_OK) return status;
  N = work + 3 * n * n;
  for (size_t k = 0; k < n * n; k++) N[k] = scale * C[k];
  prediction->info.residual =
      sgf_lyapunov_residual(n, find(prediction, "hessian", NULL), lambda, find(prediction, name, NULL), N, work);
  free(work);
  return SGF_OK;
}

/* The stationary mean of theta - theta*. */
static sgf_status add_mean(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->range.n;
  double *mean, *second = NULL;
  sgf_status status = add(prediction, "mean", n, 0, &mean, error);
  if (status != SGF_OK || problem->settings.training.sampling != SGF_SAMPLING_EPOCH) return status;
  status = sgf_new_reals(&second, n, n, "second moment of the mean", error);
  if (status == SGF_OK) status = reshuffled_mean(problem, prediction, NULL, mean, second, error);
  free(second);
  return status;
}

static sgf_status solve_covariances(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->range.n;
  double *configured, *continuum, *discrete, lambda = problem->settings.training.learning_rate;
  bool in_continuum = problem->settings.theory.equation == SGF_EQUATION_CONTINUUM;
  sgf_status status;
  SGF_TRY(add(prediction, "covariance", n, n, &configured, error));
  SGF_TRY(add(prediction, "covariance_continuum", n, n, &continuum, error));
  SGF_TRY(add(prediction, "covariance_discrete", n, n, &discrete, error));
  SGF_TRY(constant_drift(problem, prediction, false, NULL, continuum, error));
  SGF_TRY(constant_drift(problem, prediction, true, NULL, discrete, error));
  SGF_TRY(measure_residual(problem, prediction, in_continuum ? "covariance_continuum" : "covariance_discrete",
                           in_continuum ? 0.0 : lambda, error));
  if (prediction->exact != NULL && problem->settings.training.sampling != SGF_SAMPLING_EPOCH)
    SGF_TRY(add_exact(problem, prediction, error));
  SGF_TRY(window_covariance(problem, prediction, NULL, configured, error));
  SGF_TRY(add_mean(problem, prediction, error));
done:
  return status;
}

/* ------------------------------------------------------------- observables */

/* The covariance of one layer with the others frozen, by the configured equation: the layer's own range. */
static sgf_status uncoupled(const sgf_problem *problem, const sgf_prediction *prediction, size_t size,
                            const double *H, const double *C, double *Sigma, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  double lambda = settings->training.learning_rate, *work = NULL, *noise = NULL;
  sgf_range range = {0};
  sgf_status status;
  SGF_TRY(sgf_range_create(size, H, settings->theory.rank_tolerance, &range, error));
  SGF_TRY(sgf_new_reals(&work, size, size, "uncoupled covariance", error));
  SGF_TRY(sgf_new_reals(&noise, size, size, "uncoupled covariance", error));
  sgf_into_basis(size, range.V, C, work, noise);
  for (size_t k = 0; k < size * size; k++) noise[k] *= lambda * prediction->info.noise_strength;
  if (settings->training.sampling == SGF_SAMPLING_EPOCH)
    sgf_epoch_covariance(&range, lambda, epochs_of(problem, NULL).batches, noise, 0.0, 0.0, Sigma);
  else
    sgf_lyapunov(&range, settings->theory.equation == SGF_EQUATION_CONTINUUM ? 0.0 : lambda, noise, Sigma);
  sgf_out_of_basis(size, range.V, Sigma, work, Sigma);
done:
  sgf_range_free(&range);
  free(work);
  free(noise);
  return status;
}

static sgf_status observe_layer(const sgf_problem *problem, sgf_prediction *prediction, size_t layer,
                                sgf_error *error)
{
  size_t n = prediction->range.n, size = sgf_layer_size(&problem->network, layer);
  size_t first = problem->network.offsets[layer];
  double *H, *C, *coupled, *alone, *variance, *curvature, *flatness, *directions;
  sgf_status status;
  SGF_TRY(add_layer(prediction, layer, "hessian", size, size, &H, error));
  SGF_TRY(add_layer(prediction, layer, "noise_covariance", size, size, &C, error));
  SGF_TRY(add_layer(prediction, layer, "covariance", size, size, &coupled, error));
  SGF_TRY(add_layer(prediction, layer, "covariance_uncoupled", size, size, &alone, error));
  SGF_TRY(add_layer(prediction, layer, "variance", size, 0, &variance, error));
  SGF_TRY(add_layer(prediction, layer, "curvature", size, 0, &curvature, error));
  SGF_TRY(add_layer(prediction, layer, "flatness", size, 0, &flatness, error));
  SGF_TRY(add_layer(prediction, layer, "directions", size, size, &directions, error));
  sgf_diagonal_block(n, find(prediction, "hessian", NULL), first, size, H);
  sgf_diagonal_block(n, find(prediction, "noise_covariance", NULL), first, size, C);
  sgf_diagonal_block(n, find(prediction, "covariance", NULL), first, size, coupled);
  if (problem->network.layers == 1)
    memcpy(alone, coupled, size * size * sizeof *alone); /* no other layer to freeze */
  else
    SGF_TRY(uncoupled(problem, prediction, size, H, C, alone, error));
  SGF_TRY(sgf_principal_directions(size, coupled, H, directions, variance, curvature, error));
  for (size_t k = 0; k < size; k++) flatness[k] = sgf_flatness(curvature[k], prediction->info.min_loss);
done:
  return status;
}

static sgf_status observe_joint(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->range.n;
  const double *H = find(prediction, "hessian", NULL), *Sigma = find(prediction, "covariance", NULL);
  double *directions, *variance, *curvature, *spectrum;
  sgf_prediction_info *info = &prediction->info;
  sgf_status status;
  SGF_TRY(add(prediction, "spectrum/covariance", n, 0, &spectrum, error));
  SGF_TRY(add(prediction, "directions", n, n, &directions, error));
  SGF_TRY(add(prediction, "variance", n, 0, &variance, error));
  SGF_TRY(add(prediction, "curvature", n, 0, &curvature, error));
  SGF_TRY(sgf_principal_directions(n, Sigma, H, directions, variance, curvature, error));
  for (size_t k = 0; k < n; k++) spectrum[k] = variance[n - 1 - k];
  SGF_TRY(sgf_ivfr_fit(n, variance, curvature, problem->settings.seed, &info->ivfr, error));
  info->trace = sgf_trace(n, Sigma);
  info->excess_loss = 0.5 * sgf_dot(n * n, H, Sigma); /* both symmetric: tr(H Sigma) */
done:
  return status;
}

static sgf_status observe_balance(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  sgf_detailed_balance balance;
  sgf_prediction_info *info = &prediction->info;
  double scale = 0.5 * problem->settings.training.learning_rate * info->noise_strength;
  sgf_status status = sgf_detailed_balance_measure(
      prediction->range.n, find(prediction, "hessian", NULL), find(prediction, "noise_covariance", NULL),
      find(prediction, "covariance_continuum", NULL), scale, &balance, error);
  info->irreversible = balance.irreversible;
  info->entropy_production = balance.entropy_production;
  info->entropy_on_range = balance.on_range;
  return status;
}

/* ---------------------------------------------------------------- spectra */

/* One limit law on a grid around the eigenvalues, and the distance of the eigenvalues to it. */
static sgf_status compare_to_law(const sgf_problem *problem, sgf_prediction *prediction, sgf_law law,
                                 const double *inputs, const double *eigenvalues, double scale, double *distance,
                                 sgf_error *error)
{
  size_t n = prediction->range.n;
  double q = (double)problem->data.inputs / (double)problem->data.samples;
  double low = 0.1 * eigenvalues[0] / scale, high = 2.0 * eigenvalues[n - 1] / scale, *rows;
  sgf_status status = add(prediction, law == SGF_LAW_HESSIAN ? "spectrum/hessian_law" : "spectrum/noise_law",
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
  size_t n = prediction->range.n;
  double *hessian, *noise;
  const double *C = find(prediction, "noise_covariance", NULL);
  sgf_prediction_info *info = &prediction->info;
  /* Variance of one output's residual: C = s^2 H when residuals and inputs are independent. */
  double residual_variance = info->noise_free ? 0.0 : 2.0 * info->min_loss / (double)problem->data.outputs;
  sgf_status status;
  SGF_TRY(add(prediction, "spectrum/hessian", n, 0, &hessian, error));
  SGF_TRY(add(prediction, "spectrum/noise_covariance", n, 0, &noise, error));
  memcpy(hessian, prediction->range.h, n * sizeof *hessian);
  SGF_TRY(sgf_symmetric_eigenvalues(n, C, noise, "C", error));
  for (size_t k = 0; k < n; k++) info->rank_noise += noise[k] > 1e-12 * noise[n - 1];
  info->spectrum_distance =
      residual_variance > 0.0 ? sgf_distance_of_spectra(noise, residual_variance, hessian, n) : NAN;
  SGF_TRY(observe_laws(problem, prediction, hessian, noise, residual_variance, error));
  SGF_TRY(
      sgf_commutator(n, find(prediction, "hessian", NULL), C, &info->commutator, &info->commutator_relative, error));
done:
  return status;
}

/* ------------------------------------------------------------------ driver */

/* Beyond the stability limit there is no stationary state: every number that needs one is NaN. */
static sgf_status no_stationary_state(sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->range.n;
  double *Sigma;
  sgf_prediction_info *info = &prediction->info;
  sgf_status status = add(prediction, "covariance", n, n, &Sigma, error);
  if (status == SGF_OK) sgf_fill_nan(n * n, Sigma);
  info->residual = info->trace = info->excess_loss = info->entropy_production = info->irreversible = NAN;
  info->ivfr = (sgf_ivfr){NAN, NAN, NAN, NAN, 0, 0};
  return status;
}

static sgf_status build(const sgf_problem *problem, bool force, sgf_prediction *prediction, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(build_operators(problem, prediction, error));
  describe_range(&problem->settings, prediction);
  SGF_TRY(find_stability_limit(problem, prediction, error));
  SGF_TRY(check_stable(problem, prediction, force, error));
  SGF_TRY(observe_operators(problem, prediction, error));
  if (!(problem->settings.training.learning_rate < prediction->info.stability_limit))
    return no_stationary_state(prediction, error);
  SGF_TRY(solve_covariances(problem, prediction, error));
  SGF_TRY(observe_joint(problem, prediction, error));
  for (size_t l = 1; l <= problem->network.layers; l++) SGF_TRY(observe_layer(problem, prediction, l, error));
  SGF_TRY(observe_balance(problem, prediction, error));
done:
  return status;
}

sgf_status sgf_predict(const sgf_problem *problem, bool force, sgf_prediction **prediction, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **prediction, "prediction", error);
  *prediction = block;
  if (status == SGF_OK) status = build(problem, force, *prediction, error);
  if (status == SGF_OK) return SGF_OK;
  sgf_prediction_free(*prediction);
  *prediction = NULL;
  return status;
}

void sgf_prediction_free(sgf_prediction *prediction)
{
  if (prediction == NULL) return;
  for (size_t k = 0; k < prediction->array_count; k++) free(prediction->arrays[k].values);
  free(prediction->arrays);
  free(prediction->noise);
  sgf_range_free(&prediction->range);
  sgf_multiplicative_free(prediction->exact);
  free(prediction);
}

const sgf_prediction_info *sgf_prediction_get_info(const sgf_prediction *prediction) { return &prediction->info; }

size_t sgf_prediction_numbers(const sgf_prediction *prediction, sgf_number *numbers, size_t capacity)
{
  const sgf_prediction_info *info = &prediction->info;
  const sgf_number all[] = {{"weights", (double)info->weights, true},
                            {"layers", (double)info->layers, true},
                            {"rank_hessian", (double)info->rank_hessian, true},
                            {"rank_noise", (double)info->rank_noise, true},
                            {"rank_ambiguous", info->rank_ambiguous, true},
                            {"rank_gap", info->rank_gap, false},
                            {"rank_tolerance", info->rank_tolerance, false},
                            {"null_noise", info->null_noise, false},
                            {"residual", info->residual, false},
                            {"min_loss", info->min_loss, false},
                            {"gradient_norm", info->gradient_norm, false},
                            {"condition_number", info->condition_number, false},
                            {"largest_curvature", info->largest_curvature, false},
                            {"relaxation_rate", info->relaxation_rate, false},
                            {"balance_rate", info->balance_rate, false},
                            {"stability_limit", info->stability_limit, false},
                            {"noise_strength", info->noise_strength, false},
                            {"temperature", info->temperature, false},
                            {"trace", info->trace, false},
                            {"excess_loss", info->excess_loss, false},
                            {"commutator", info->commutator, false},
                            {"commutator_relative", info->commutator_relative, false},
                            {"irreversible", info->irreversible, false},
                            {"entropy_production", info->entropy_production, false},
                            {"entropy_on_range", info->entropy_on_range, true},
                            {"noise_free", info->noise_free, true},
                            {"spectrum_distance", info->spectrum_distance, false},
                            {"hessian_law_distance", info->hessian_law_distance, false},
                            {"noise_law_distance", info->noise_law_distance, false},
                            {"ivfr_psi", info->ivfr.psi, false},
                            {"ivfr_psi_low", info->ivfr.psi_low, false},
                            {"ivfr_psi_high", info->ivfr.psi_high, false},
                            {"ivfr_correlation", info->ivfr.correlation, false},
                            {"ivfr_modes", (double)info->ivfr.modes, true},
                            {"ivfr_left_out", (double)info->ivfr.left_out, true}};
  size_t count = sizeof all / sizeof *all;
  memcpy(numbers, all, (count < capacity ? count : capacity) * sizeof *numbers);
  return count;
}
