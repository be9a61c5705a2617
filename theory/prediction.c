/* The prediction: operators at the minimum, stationary covariances, observables, by name. */
#include "prediction.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* ------------------------------------------------------------ named arrays */

static const sgf_named_array *entry_of(const sgf_prediction *prediction, const char *name)
{
  for (size_t k = 0; k < prediction->array_count; k++)
    if (strcmp(prediction->arrays[k].name, name) == 0) return &prediction->arrays[k];
  return NULL;
}

double *sgf_prediction_find(const sgf_prediction *prediction, const char *name)
{
  const sgf_named_array *entry = entry_of(prediction, name);
  return entry != NULL ? entry->values : NULL;
}

const double *sgf_prediction_array(const sgf_prediction *prediction, const char *name, size_t *rows, size_t *columns)
{
  const sgf_named_array *entry = entry_of(prediction, name);
  *rows = entry != NULL ? entry->rows : 0;
  *columns = entry != NULL ? entry->columns : 0;
  return entry != NULL ? entry->values : NULL;
}

sgf_status sgf_prediction_add(sgf_prediction *prediction, const char *name, size_t rows, size_t columns,
                              double **values, sgf_error *error)
{
  size_t count = prediction->array_count;
  sgf_named_array *grown = realloc(prediction->arrays, (count + 1) * sizeof *grown);
  *values = NULL;
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

sgf_status sgf_prediction_add_layer(sgf_prediction *prediction, size_t layer, const char *name, size_t rows,
                                    size_t columns, double **values, sgf_error *error)
{
  char path[48];
  snprintf(path, sizeof path, "layer%zu/%s", layer, name);
  return sgf_prediction_add(prediction, path, rows, columns, values, error);
}

/* ------------------------------------------------------------------ driver */

/* Of the drift, and with momentum in mean square where that is known. */
double sgf_learning_rate_limit(const sgf_prediction *prediction)
{
  const sgf_prediction_info *info = &prediction->info;
  return isnan(info->mean_square_limit) ? info->stability_limit
                                        : fmin(info->stability_limit, info->mean_square_limit);
}

static sgf_status check_stable(const sgf_problem *problem, const sgf_prediction *prediction, bool force,
                               sgf_error *error)
{
  double rate = problem->settings.training.learning_rate, limit = sgf_learning_rate_limit(prediction);
  if (rate < limit || force) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_UNSTABLE,
      "training.learning_rate is %g, beyond the stability limit %.6g: the fluctuations of SGD grow without bound "
      "(--force runs it anyway)",
      rate, limit);
}

/* Beyond the stability limit there is no stationary state: every number that needs one is NaN. */
static sgf_status no_stationary_state(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->info.weights;
  double *Sigma;
  sgf_prediction_info *info = &prediction->info;
  const sgf_ivfr none = {NAN, NAN, NAN, NAN, 0, 0};
  sgf_status status = sgf_prediction_add(prediction, "covariance", n, n, &Sigma, error);
  if (status == SGF_OK) sgf_fill_nan(n * n, Sigma);
  info->residual = info->trace = info->excess_loss = info->entropy_production = info->irreversible = NAN;
  info->anisotropy = NAN;
  info->ivfr = none;
  for (size_t l = 0; l < info->layers; l++) {
    sgf_layer_info *layer = &prediction->layers[l];
    layer->trace = layer->trace_uncoupled = layer->anisotropy = layer->anisotropy_uncoupled = NAN;
    layer->ivfr = layer->ivfr_uncoupled = layer->ivfr_closed_form = none;
    layer->ivfr_independent = layer->ivfr_uncoupled_independent = none;
  }
  sgf_no_time_dependence("there is no stationary state", prediction);
  sgf_no_noise_balance(prediction);
  return status == SGF_OK ? sgf_observe_balance(problem, prediction, error) : status;
}

static sgf_status build(const sgf_problem *problem, bool force, sgf_prediction *prediction, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(sgf_build_operators(problem, prediction, error));
  SGF_TRY(check_stable(problem, prediction, force, error));
  if (!(problem->settings.training.learning_rate < sgf_learning_rate_limit(prediction)))
    return no_stationary_state(problem, prediction, error);
  SGF_TRY(sgf_solve(problem, prediction, error));
  SGF_TRY(sgf_observe(problem, prediction, error));
done:
  return status;
}

sgf_status sgf_predict(const sgf_problem *problem, bool force, sgf_prediction **prediction, sgf_error *error)
{
  void *block;
  *prediction = NULL;
  sgf_status status = sgf_check_dense(&problem->network, error);
  if (status != SGF_OK) return status;
  status = sgf_allocate(&block, 1, 1, sizeof **prediction, "prediction", error);
  *prediction = block;
  if (status == SGF_OK) (*prediction)->info.path = "dense";
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
  for (size_t l = 0; l < prediction->info.layers && prediction->frozen != NULL; l++)
    sgf_fluctuations_free(&prediction->frozen[l]);
  free(prediction->arrays);
  sgf_known_moments_free(prediction->known);
  free(prediction->known);
  free(prediction->layers);
  free(prediction->frozen);
  free(prediction->rotations);
  sgf_fluctuations_free(&prediction->joint);
  sgf_range_free(&prediction->averaged);
  sgf_multiplicative_free(prediction->exact);
  sgf_hessian_noise_free(prediction->linearized);
  sgf_covariance_operator_free(prediction->covariance);
  sgf_tested_free(prediction->tested);
  free(prediction);
}

/* ----------------------------------------------------------------- numbers */

const sgf_prediction_info *sgf_prediction_get_info(const sgf_prediction *prediction) { return &prediction->info; }

const sgf_layer_info *sgf_prediction_get_layer(const sgf_prediction *prediction, size_t layer)
{
  return layer >= 1 && layer <= prediction->info.layers ? &prediction->layers[layer - 1] : NULL;
}

/* All of them, or those that are known where there is no dense prediction. */
static size_t copy_numbers(const sgf_number *all, size_t count, bool dense, sgf_number *numbers, size_t capacity)
{
  size_t copied = 0;
  for (size_t k = 0; k < count; k++) {
    if (!dense && isnan(all[k].value)) continue;
    if (copied < capacity) numbers[copied] = all[k];
    copied++;
  }
  return copied;
}

static bool is_dense(const sgf_prediction *prediction) { return prediction->joint.range.V != NULL; }

/* Those of the motion: in time, of the mean. */
static size_t motion_numbers(const sgf_prediction *prediction, bool dense, sgf_number *numbers, size_t capacity)
{
  const sgf_prediction_info *info = &prediction->info;
  const sgf_number all[] = {{"correlation_time", info->time.correlation_time, false},
                            {"correlation_time_exponent", info->time.scaling.exponent, false},
                            {"correlation_time_exponent_low", info->time.scaling.low, false},
                            {"correlation_time_exponent_high", info->time.scaling.high, false},
                            {"correlation_time_correlation", info->time.scaling.correlation, false},
                            {"displacement_rate", info->time.displacement_rate, false},
                            {"null_drift", info->null_drift, false},
                            {"null_diffusion", info->null_diffusion, false},
                            {"mean_shift", info->mean_shift, false},
                            {"mean_drift", info->mean_drift, false},
                            {"third_cumulants", prediction->third_cumulants, true},
                            {"next_order", info->next_order, false}};
  return copy_numbers(all, sizeof all / sizeof *all, dense, numbers, capacity);
}

/* Those of where the balance of the layers ends: by weight decay, or by noise alone. */
static size_t end_numbers(const sgf_prediction_info *info, bool dense, sgf_number *numbers, size_t capacity)
{
  const sgf_number all[] = {{"certified_global", info->certified_global, true},
                            {"regularized_loss", info->regularized_loss, false},
                            {"map_rank", dense ? (double)info->map_rank : NAN, true},
                            {"rotations", dense ? (double)info->rotations : NAN, true},
                            {"scalings", dense ? (double)info->scalings : NAN, true},
                            {"balance_shift", info->balance_shift, false},
                            {"noise_imbalance", info->noise_balance.imbalance, false},
                            {"noise_balance_rate", info->noise_balance.rate, false},
                            {"noise_balance_distance", info->noise_balance.distance, false},
                            {"surplus_units", dense ? (double)info->noise_balance.surplus : NAN, true}};
  return copy_numbers(all, sizeof all / sizeof *all, dense, numbers, capacity);
}

size_t sgf_prediction_numbers(const sgf_prediction *prediction, sgf_number *numbers, size_t capacity)
{
  const sgf_prediction_info *info = &prediction->info;
  bool dense = is_dense(prediction);
  const sgf_number all[] = {{"weights", (double)info->weights, true},
                            {"layers", (double)info->layers, true},
                            {"rank_hessian", (double)info->rank_hessian, true},
                            {"rank_noise", dense ? (double)info->rank_noise : NAN, true},
                            {"rank_ambiguous", info->rank_ambiguous, true},
                            {"rank_gap", info->rank_gap, false},
                            {"rank_tolerance", info->rank_tolerance, false},
                            {"null_noise", info->null_noise, false},
                            {"diffusing_directions", (double)info->diffusing_directions, true},
                            {"diffusing_rate", info->diffusing_rate, false},
                            {"residual", info->residual, false},
                            {"min_loss", info->min_loss, false},
                            {"global_loss", info->global_loss, false},
                            {"gradient_norm", info->gradient_norm, false},
                            {"balance_error", info->balance_error, false},
                            {"flow_time", info->flow_time, false},
                            {"condition_number", info->condition_number, false},
                            {"largest_curvature", info->largest_curvature, false},
                            {"relaxation_rate", info->relaxation_rate, false},
                            {"decay_rate", info->decay_rate, false},
                            {"modes_below_crossover", dense ? (double)info->modes_below_crossover : NAN, true},
                            {"balance_rate", info->balance_rate, false},
                            {"balance_drift", info->balance_drift, false},
                            {"rate_ratio", info->rate_ratio, false},
                            {"lifetime", info->lifetime, false},
                            {"stability_limit", info->stability_limit, false},
                            {"mean_square_limit", info->mean_square_limit, false},
                            {"stability_is_bound", dense ? info->stability_is_bound : NAN, true},
                            {"noise_strength", info->noise_strength, false},
                            {"temperature", info->temperature, false},
                            {"trace", info->trace, false},
                            {"excess_loss", info->excess_loss, false},
                            {"anisotropy", info->anisotropy, false},
                            {"isotropic_noise", dense ? info->isotropic_noise : NAN, true},
                            {"commutator", info->commutator, false},
                            {"commutator_relative", info->commutator_relative, false},
                            {"irreversible", info->irreversible, false},
                            {"entropy_production", info->entropy_production, false},
                            {"entropy_on_range", dense ? info->entropy_on_range : NAN, true},
                            {"noise_free", info->noise_free, true},
                            {"spectrum_distance", info->spectrum_distance, false},
                            {"hessian_law_distance", info->hessian_law_distance, false},
                            {"noise_law_distance", info->noise_law_distance, false},
                            {"ivfr_psi", info->ivfr.psi, false},
                            {"ivfr_psi_low", info->ivfr.psi_low, false},
                            {"ivfr_psi_high", info->ivfr.psi_high, false},
                            {"ivfr_correlation", info->ivfr.correlation, false},
                            {"ivfr_modes", dense ? (double)info->ivfr.modes : NAN, true},
                            {"ivfr_left_out", dense ? (double)info->ivfr.left_out : NAN, true}};
  size_t count = copy_numbers(all, sizeof all / sizeof *all, dense, numbers, capacity);
  size_t written = count < capacity ? count : capacity;
  count += motion_numbers(prediction, dense, numbers + written, capacity - written);
  written = count < capacity ? count : capacity;
  count += sgf_whole_numbers(prediction, numbers + written, capacity - written);
  written = count < capacity ? count : capacity;
  return count + end_numbers(info, dense, numbers + written, capacity - written);
}

size_t sgf_layer_numbers(const sgf_prediction *prediction, size_t layer, sgf_number *numbers, size_t capacity)
{
  const sgf_layer_info *info = sgf_prediction_get_layer(prediction, layer);
  if (info == NULL) return 0;
  bool dense = is_dense(prediction);
  const sgf_number all[] = {{"weights", (double)info->weights, true},
                            {"rank_hessian", (double)info->rank_hessian, true},
                            {"rank_noise", dense ? (double)info->rank_noise : NAN, true},
                            {"null_noise", info->null_noise, false},
                            {"trace", info->trace, false},
                            {"trace_uncoupled", info->trace_uncoupled, false},
                            {"anisotropy", info->anisotropy, false},
                            {"anisotropy_uncoupled", info->anisotropy_uncoupled, false},
                            {"ivfr_psi", info->ivfr.psi, false},
                            {"ivfr_psi_low", info->ivfr.psi_low, false},
                            {"ivfr_psi_high", info->ivfr.psi_high, false},
                            {"ivfr_correlation", info->ivfr.correlation, false},
                            {"ivfr_modes", (double)info->ivfr.modes, true},
                            {"ivfr_left_out", (double)info->ivfr.left_out, true},
                            {"ivfr_psi_uncoupled", info->ivfr_uncoupled.psi, false},
                            {"ivfr_psi_uncoupled_low", info->ivfr_uncoupled.psi_low, false},
                            {"ivfr_psi_uncoupled_high", info->ivfr_uncoupled.psi_high, false},
                            {"ivfr_correlation_uncoupled", info->ivfr_uncoupled.correlation, false},
                            {"ivfr_psi_closed_form", info->ivfr_closed_form.psi, false},
                            {"ivfr_correlation_closed_form", info->ivfr_closed_form.correlation, false},
                            {"correlation_time", info->time.correlation_time, false},
                            {"correlation_time_exponent", info->time.scaling.exponent, false},
                            {"correlation_time_exponent_low", info->time.scaling.low, false},
                            {"correlation_time_exponent_high", info->time.scaling.high, false},
                            {"correlation_time_correlation", info->time.scaling.correlation, false},
                            {"displacement_rate", info->time.displacement_rate, false},
                            {"correlation_time_exponent_uncoupled", info->time.scaling_uncoupled.exponent, false},
                            {"correlation_time_exponent_uncoupled_low", info->time.scaling_uncoupled.low, false},
                            {"correlation_time_exponent_uncoupled_high", info->time.scaling_uncoupled.high, false},
                            {"ivfr_psi_balanced", info->ivfr_balanced.psi, false},
                            {"ivfr_psi_independent", info->ivfr_independent.psi, false},
                            {"ivfr_psi_uncoupled_independent", info->ivfr_uncoupled_independent.psi, false},
                            /* the last four are of the covariance operator alone */
                            {"modes", (double)info->found.modes, true},
                            {"principal", info->found.principal, true},
                            {"coupling", info->found.coupling, false},
                            {"modes_residual", info->found.residual, false}};
  return copy_numbers(all, sizeof all / sizeof *all - (dense ? 4 : 0), dense, numbers, capacity);
}
