/* The comparison of a prediction with an ensemble, quantity by quantity: the only place where theory and
 * simulation meet. */
#include "compare.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/prediction.h"
#include "ensemble.h"
#include "statistics.h"

enum { LEAST_REPLICAS = 4, Z_TEST_REPLICAS = 100 };
/* Modes of less variance than this, relative to the largest, do not fluctuate. */
static const double ZERO_MODE = 1e-12;
/* Batches of one run whose slowest mode is correlated beyond this do not stand in for replicas. */
static const double CORRELATED_BATCHES = 0.5;

/* While the comparison is made: the two sides, and each quantity's own test. */
typedef struct {
  const sgf_problem *problem;
  const sgf_prediction *prediction;
  const sgf_ensemble *ensemble;
  sgf_comparison *result;
  size_t n, replicas, capacity;
  double *Sigma; /* (n, n), predicted second moment about theta*, averaged over the window */
  double *mean;  /* (n), predicted mean of theta - theta* */
  const double *directions;
  double *forms;      /* (modes, replicas), p_k^T S_r p_k */
  double *values;     /* (replicas), scratch */
  double *tested;     /* (capacity), what is tested: the deviation, or the square of a norm */
  double *errors;     /* (capacity), standard errors of that */
  double *tolerances; /* (capacity) */
} comparing;

static const double *array(const sgf_prediction *prediction, const char *name)
{
  size_t rows, columns;
  return sgf_prediction_array(prediction, name, &rows, &columns);
}

/* --------------------------------------------------------------- quantities */

/* A quantity whose deviation is tested as it is. */
static void add(comparing *all, const char *name, double predicted, double measured, double standard_error,
                double deviation, double deviation_error)
{
  size_t k = all->result->count++;
  sgf_quantity *quantity = &all->result->quantities[k];
  snprintf(quantity->name, sizeof quantity->name, "%s", name);
  quantity->predicted = predicted;
  quantity->measured = measured;
  quantity->standard_error = standard_error;
  quantity->deviation = deviation;
  all->tested[k] = deviation;
  all->errors[k] = deviation_error;
  all->tolerances[k] = all->problem->settings.verify.tolerance;
}

/* A quantity that is linear in the second moment: one value a replica, deviation relative to the prediction. */
static void add_linear(comparing *all, const char *name, double predicted, const double *values)
{
  double measured, error;
  sgf_mean_and_error(values, all->replicas, &measured, &error);
  add(all, name, predicted, measured, error, measured / predicted - 1.0, error / fabs(predicted));
}

/* A norm that is predicted to be zero, relative to scale, tested by its unbiased square: rows (replicas, size). */
static sgf_status add_norm(comparing *all, const char *name, const double *rows, size_t size, double scale,
                           sgf_error *error)
{
  double square, square_error;
  sgf_status status = sgf_squared_mean(rows, all->replicas, size, &square, &square_error, error);
  if (status != SGF_OK) return status;
  double norm = sqrt(fmax(square, 0.0)), norm_error = sqrt(fmax(square, 0.0) + square_error) - norm;
  size_t k = all->result->count;
  add(all, name, 0.0, norm, norm_error, norm / scale, norm_error / scale);
  all->tested[k] = square / (scale * scale);
  all->errors[k] = square_error / (scale * scale);
  all->tolerances[k] *= all->tolerances[k];
  return SGF_OK;
}

/* tr(A S_r) for a symmetric A (n, n). */
static void traces_with(const comparing *all, const double *A, double *values)
{
  size_t n = all->n, packed = sgf_packed_size(n);
  for (size_t r = 0; r < all->replicas; r++) {
    const double *row = all->ensemble->second + r * packed;
    values[r] = 0.0;
    for (size_t i = 0; i < n; i++, row += i) {
      for (size_t j = 0; j < i; j++) values[r] += 2.0 * A[i * n + j] * row[j];
      values[r] += A[i * n + i] * row[i];
    }
  }
}

/* Sum of the diagonal of S_r from `first` on, `size` elements. */
static void partial_traces(const comparing *all, size_t first, size_t size, double *values)
{
  size_t packed = sgf_packed_size(all->n);
  for (size_t r = 0; r < all->replicas; r++) {
    values[r] = 0.0;
    for (size_t i = first; i < first + size; i++)
      values[r] += all->ensemble->second[r * packed + i * (i + 1) / 2 + i];
  }
}

static void compare_traces(comparing *all)
{
  const sgf_network *network = &all->problem->network;
  char name[48];
  partial_traces(all, 0, all->n, all->values);
  add_linear(all, "trace", sgf_trace(all->n, all->Sigma), all->values);
  for (size_t l = 1; l <= network->layers && network->layers > 1; l++) {
    double predicted = 0.0;
    for (size_t i = network->offsets[l]; i < network->offsets[l + 1]; i++) predicted += all->Sigma[i * all->n + i];
    snprintf(name, sizeof name, "layer%zu_trace", l);
    partial_traces(all, network->offsets[l], sgf_layer_size(network, l), all->values);
    add_linear(all, name, predicted, all->values);
  }
}

static void compare_excess_loss(comparing *all)
{
  const double *H = array(all->prediction, "hessian");
  traces_with(all, H, all->values);
  for (size_t r = 0; r < all->replicas; r++) all->values[r] *= 0.5;
  add_linear(all, "excess_loss", 0.5 * sgf_dot(all->n * all->n, H, all->Sigma), all->values);
}

/* <delta . grad L> = (lambda / 2) <|g_B|^2> - (growth of |delta|^2) / (2 lambda) a step: exact for draws that are
 * independent in time; batches of a reshuffled epoch are not. Source: section 1. */
static void compare_fluctuation_dissipation(comparing *all)
{
  double lambda = all->problem->settings.training.learning_rate, dissipation = 0.0, fluctuation = 0.0;
  const double *squares = all->ensemble->gradient_square, *growth = all->ensemble->growth;
  double difference, error;
  if (squares == NULL || all->problem->settings.training.sampling == SGF_SAMPLING_EPOCH) return;
  traces_with(all, array(all->prediction, "hessian"), all->values);
  for (size_t r = 0; r < all->replicas; r++) {
    double source = 0.5 * lambda * squares[r] - growth[r] / (2.0 * lambda);
    fluctuation += source / (double)all->replicas;
    dissipation += all->values[r] / (double)all->replicas;
    all->values[r] -= source;
  }
  sgf_mean_and_error(all->values, all->replicas, &difference, &error);
  add(all, "fluctuation_dissipation", fluctuation, dissipation, error, difference / fluctuation, error / fluctuation);
}

static void compare_variances(comparing *all)
{
  sgf_comparison *result = all->result;
  char name[48];
  for (size_t k = 0; k < result->modes; k++) {
    double *forms = all->forms + k * all->replicas;
    snprintf(name, sizeof name, "variance_%0*zu", all->n < 1000 ? 3 : 5, k + 1);
    result->predicted_variance[k] = sgf_quadratic_form(all->n, all->Sigma, all->directions + k * all->n);
    for (size_t r = 0; r < all->replicas; r++)
      forms[r] = sgf_ensemble_form(all->ensemble, r, all->directions + k * all->n);
    sgf_mean_and_error(forms, all->replicas, &result->measured_variance[k], &result->measured_error[k]);
    add_linear(all, name, result->predicted_variance[k], forms);
  }
}

/* Off-diagonal elements in the basis of the principal directions, all together: Frobenius norm of the deviation
 * relative to that of the prediction. */
static sgf_status compare_off_diagonal(comparing *all, sgf_error *error)
{
  size_t n = all->n, modes = all->result->modes, size = modes * (modes - 1) / 2, packed = sgf_packed_size(n);
  double *rows = NULL, *full = NULL, *work = NULL, *rotated = NULL;
  sgf_status status;
  if (modes < 2) return SGF_OK;
  SGF_TRY(sgf_new_reals(&rows, all->replicas, size, "off-diagonal elements of the replicas", error));
  SGF_TRY(sgf_new_reals(&full, n, n, "off-diagonal elements", error));
  SGF_TRY(sgf_new_reals(&work, n, n, "off-diagonal elements", error));
  SGF_TRY(sgf_new_reals(&rotated, n, n, "off-diagonal elements", error));
  for (size_t r = 0; r < all->replicas; r++) {
    const double *element = all->ensemble->second + r * packed;
    double *row = rows + r * size;
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j <= i; j++, element++) full[i * n + j] = full[j * n + i] = *element - all->Sigma[i * n + j];
    sgf_into_basis(n, all->directions, full, work, rotated);
    for (size_t i = 1; i < modes; i++)
      for (size_t j = 0; j < i; j++) *row++ = M_SQRT2 * rotated[i * n + j];
  }
  SGF_TRY(add_norm(all, "off_diagonal", rows, size, sgf_norm(n * n, all->Sigma), error));
done:
  free(rows);
  free(full);
  free(work);
  free(rotated);
  return status;
}

/* The mean of theta - theta*, less the predicted one, against the size of the fluctuations: the square of what is
 * left, as a fraction of the trace. */
static sgf_status compare_mean(comparing *all, sgf_error *error)
{
  size_t n = all->n;
  double *means, square, square_error, trace = sgf_trace(n, all->Sigma);
  sgf_status status = sgf_new_reals(&means, all->replicas, n, "means of the replicas", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < all->replicas; r++)
    for (size_t k = 0; k < n; k++)
      means[r * n + k] =
          0.5 * (all->ensemble->half_means[2 * r * n + k] + all->ensemble->half_means[(2 * r + 1) * n + k]) -
          all->mean[k];
  status = sgf_squared_mean(means, all->replicas, n, &square, &square_error, error);
  if (status == SGF_OK) add(all, "mean_square", 0.0, square, square_error, square / trace, square_error / trace);
  free(means);
  return status;
}

/* Exponent psi along the prediction's principal directions: slope of log variance on log curvature is psi / 2 =
 * sum_k c_k log variance_k. Its deviation is tested as that of the variance across one standard deviation of log
 * curvature, (psi / 2) sd(log h): the slope alone has no scale when the curvature hardly spreads. */
static sgf_status compare_ivfr(comparing *all, sgf_error *error)
{
  const sgf_comparison *result = all->result;
  const double *curvature = array(all->prediction, "curvature");
  size_t modes = result->modes;
  double *x = NULL, mean, spread, predicted = 0.0, measured = 0.0, average, slope_error;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&x, modes, 1, "IVFR", error));
  for (size_t k = 0; k < modes; k++) x[k] = log(curvature[k]);
  mean = gsl_stats_mean(x, 1, modes);
  spread = gsl_stats_sd_with_fixed_mean(x, 1, modes, mean);
  if (modes < 3 || !(spread > 1e-6)) goto done;
  for (size_t r = 0; r < all->replicas; r++) all->values[r] = 0.0;
  for (size_t k = 0; k < modes; k++) {
    double c = (x[k] - mean) / ((double)modes * spread * spread);
    predicted += c * log(result->predicted_variance[k]);
    measured += c * log(result->measured_variance[k]);
    for (size_t r = 0; r < all->replicas; r++)
      all->values[r] += c * all->forms[k * all->replicas + r] / result->measured_variance[k];
  }
  sgf_mean_and_error(all->values, all->replicas, &average, &slope_error);
  add(all, "ivfr_psi", 2.0 * predicted, 2.0 * measured, 2.0 * slope_error, (measured - predicted) * spread,
      slope_error * spread);
done:
  free(x);
  return status;
}

/* -------------------------------------------------------------- diagnostics */

/* The mode of H of the smallest rate among those that fluctuate. */
static const double *slowest_mode(const comparing *all)
{
  const sgf_range *range = &all->prediction->range;
  double threshold = ZERO_MODE * all->result->predicted_variance[0];
  size_t k = range->n - range->rank;
  while (k + 1 < range->n && !(sgf_quadratic_form(all->n, all->Sigma, range->V + k * range->n) > threshold)) k++;
  return range->V + k * range->n;
}

/* Split R-hat and effective sample size of the mean, of the slowest mode v: the halves of every window are chains,
 * and v^T S_r v less the mean of the squared half means is the variance within. */
static void diagnose_slowest_mode(comparing *all)
{
  const double *v = slowest_mode(all);
  size_t R = all->replicas, n = all->n;
  double within = 0.0, *means = all->values;
  double between = 0.0, total = 0.0;
  for (size_t r = 0; r < R; r++) {
    double a = sgf_dot(n, v, all->ensemble->half_means + 2 * r * n);
    double b = sgf_dot(n, v, all->ensemble->half_means + (2 * r + 1) * n);
    within += (sgf_ensemble_form(all->ensemble, r, v) - 0.5 * (a * a + b * b)) / (double)R;
    means[r] = 0.5 * (a + b);
    between += 0.5 * (a * a + b * b) / (double)R;
    total += means[r] / (double)R;
  }
  between = (between - total * total) * 2.0 * (double)R / (2.0 * (double)R - 1.0);
  double variance = within + between, spread = gsl_stats_variance(means, 1, R);
  all->result->info.r_hat = within > 0.0 ? sqrt(variance / within) : NAN;
  all->result->info.effective_samples = spread > 0.0 ? (double)R * variance / spread : NAN;
  all->result->info.batch_correlation = NAN;
  if (!all->ensemble->info.batches) return;
  for (size_t r = 0; r < R; r++) means[r] = sgf_ensemble_form(all->ensemble, r, v);
  all->result->info.batch_correlation = gsl_stats_lag1_autocorrelation(means, 1, R);
}

/* With the exact equation the null hypothesis is zero deviation: z-scores of all elements, corrected for the skewness
 * of second moments. Their tails are those of Student's t from some hundred independent replicas on only. */
static void test_elements(comparing *all)
{
  sgf_comparison_info *info = &all->result->info;
  size_t n = all->n, packed = sgf_packed_size(n), index = 0;
  double sum = 0.0;
  info->z_largest = info->z_variance = info->z_p_value = NAN;
  info->z_tested = all->problem->settings.theory.equation == SGF_EQUATION_EXACT && all->replicas >= Z_TEST_REPLICAS &&
                   !all->ensemble->info.batches;
  if (!info->z_tested) return;
  info->z_largest = 0.0;
  info->z_count = packed;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++, index++) {
      double z = sgf_corrected_t(all->ensemble->second + index, packed, all->replicas, all->Sigma[i * n + j]);
      if (!(fabs(z) <= info->z_largest)) info->z_largest = fabs(z); /* a NaN gets in and stays */
      sum += z * z;
    }
  info->z_variance = sum / (double)packed;
  info->z_p_value = fmin(1.0, 2.0 * (double)packed * gsl_cdf_tdist_Q(info->z_largest, (double)all->replicas - 1.0));
}

/* ------------------------------------------------------------------ verdicts */

/* Interval of the deviation at the corrected level, and how many replicas would decide an open quantity. */
static void describe(comparing *all, size_t k, double quantile)
{
  sgf_quantity *quantity = &all->result->quantities[k];
  double low = all->tested[k] - quantile * all->errors[k], high = all->tested[k] + quantile * all->errors[k];
  bool squared = all->tested[k] != quantity->deviation;
  quantity->low = squared ? sqrt(fmax(low, 0.0)) : low;
  quantity->high = squared ? sqrt(fmax(high, 0.0)) : high;
  double margin = fabs(all->tolerances[k] - fabs(all->tested[k])), reach = quantile * all->errors[k] / margin;
  quantity->replicas_needed =
      quantity->verdict == SGF_INCONCLUSIVE ? ceil((double)all->replicas * fmax(reach * reach, 1.0)) : 0.0;
}

static void count_verdicts(comparing *all)
{
  sgf_comparison_info *info = &all->result->info;
  for (size_t k = 0; k < all->result->count; k++) {
    const sgf_quantity *quantity = &all->result->quantities[k];
    info->agree += quantity->verdict == SGF_AGREE;
    info->disagree += quantity->verdict == SGF_DISAGREE;
    info->inconclusive += quantity->verdict == SGF_INCONCLUSIVE;
    info->replicas_needed = fmax(info->replicas_needed, quantity->replicas_needed);
  }
  info->quantities = all->result->count;
  bool element_deviates = info->z_tested && !(info->z_p_value >= all->problem->settings.verify.level);
  if (info->disagree > 0 || element_deviates)
    info->verdict = SGF_DISAGREE;
  else
    info->verdict = info->inconclusive > 0 ? SGF_INCONCLUSIVE : SGF_AGREE;
}

/* Two families of claims, each held to the level by Holm: "inside the tolerance" and "outside of it". */
static sgf_status decide(comparing *all, sgf_error *error)
{
  size_t count = all->result->count;
  double freedom = (double)all->replicas - 1.0, level = all->problem->settings.verify.level;
  bool correlated = all->result->info.batch_correlation > CORRELATED_BATCHES;
  double *p_agree = NULL, *p_disagree = NULL;
  void *order = NULL, *agree = NULL, *disagree = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&p_agree, count, 1, "verdicts", error));
  SGF_TRY(sgf_new_reals(&p_disagree, count, 1, "verdicts", error));
  SGF_TRY(sgf_allocate(&order, count, 1, sizeof(size_t), "verdicts", error));
  SGF_TRY(sgf_allocate(&agree, count, 1, sizeof(bool), "verdicts", error));
  SGF_TRY(sgf_allocate(&disagree, count, 1, sizeof(bool), "verdicts", error));
  for (size_t k = 0; k < count; k++) {
    p_agree[k] = sgf_p_agree(all->tested[k], all->errors[k], all->tolerances[k], freedom);
    p_disagree[k] = sgf_p_disagree(all->tested[k], all->errors[k], all->tolerances[k], freedom);
  }
  sgf_holm(p_agree, count, level, order, agree);
  sgf_holm(p_disagree, count, level, order, disagree);
  for (size_t k = 0; k < count; k++) {
    sgf_verdict claim = ((bool *)disagree)[k] ? SGF_DISAGREE : ((bool *)agree)[k] ? SGF_AGREE : SGF_INCONCLUSIVE;
    all->result->quantities[k].verdict = correlated ? SGF_INCONCLUSIVE : claim;
    describe(all, k, gsl_cdf_tdist_Qinv(level / (double)count, freedom));
  }
  count_verdicts(all);
done:
  free(p_agree);
  free(p_disagree);
  free(order);
  free(agree);
  free(disagree);
  return status;
}

/* ------------------------------------------------------------------- driver */

static sgf_status check_comparable(const comparing *all, sgf_error *error)
{
  const sgf_prediction_info *info = &all->prediction->info;
  if (all->replicas < LEAST_REPLICAS)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "simulation.replicas is %zu: a comparison needs %d or more for its error bars", all->replicas,
                    LEAST_REPLICAS);
  if (isnan(info->trace))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "training.learning_rate is %g, beyond the stability limit %g: there is no "
                    "stationary state to compare with",
                    all->problem->settings.training.learning_rate, info->stability_limit);
  if (!(info->trace > 0.0) || info->noise_strength * info->min_loss < 1e-28)
    return sgf_fail(error, SGF_ERROR_VALUE, "nothing fluctuates: loss at the minimum %g, kappa/S = %g",
                    info->min_loss, info->noise_strength);
  return SGF_OK;
}

static sgf_status prepare(comparing *all, sgf_error *error)
{
  sgf_comparison *result = all->result;
  const double *variance = array(all->prediction, "variance");
  void *quantities;
  sgf_status status;
  all->directions = array(all->prediction, "directions");
  while (result->modes < all->n && variance[result->modes] > ZERO_MODE * variance[0]) result->modes++;
  all->capacity = result->modes + all->problem->network.layers + 8;
  SGF_TRY(sgf_new_reals(&all->Sigma, all->n, all->n, "predicted covariance", error));
  SGF_TRY(sgf_new_reals(&all->mean, all->n, 1, "predicted mean", error));
  SGF_TRY(sgf_new_reals(&all->forms, result->modes, all->replicas, "variances of the replicas", error));
  SGF_TRY(sgf_new_reals(&all->values, all->replicas, 1, "values of the replicas", error));
  SGF_TRY(sgf_new_reals(&all->tested, all->capacity, 1, "quantities", error));
  SGF_TRY(sgf_new_reals(&all->errors, all->capacity, 1, "quantities", error));
  SGF_TRY(sgf_new_reals(&all->tolerances, all->capacity, 1, "quantities", error));
  SGF_TRY(sgf_new_reals(&result->predicted_variance, result->modes, 1, "variances", error));
  SGF_TRY(sgf_new_reals(&result->measured_variance, result->modes, 1, "variances", error));
  SGF_TRY(sgf_new_reals(&result->measured_error, result->modes, 1, "variances", error));
  SGF_TRY(sgf_allocate(&quantities, all->capacity, 1, sizeof(sgf_quantity), "quantities", error));
  result->quantities = quantities;
done:
  return status;
}

static sgf_status compare(comparing *all, sgf_error *error)
{
  sgf_status status;
  const sgf_plan *plan = all->ensemble->info.recorded ? NULL : &all->ensemble->info.plan;
  SGF_TRY(check_comparable(all, error));
  SGF_TRY(prepare(all, error));
  SGF_TRY(sgf_prediction_window(all->problem, all->prediction, plan, all->Sigma, all->mean, error));
  compare_traces(all);
  compare_excess_loss(all);
  compare_fluctuation_dissipation(all);
  compare_variances(all);
  SGF_TRY(compare_off_diagonal(all, error));
  SGF_TRY(compare_mean(all, error));
  SGF_TRY(compare_ivfr(all, error));
  diagnose_slowest_mode(all);
  test_elements(all);
  SGF_TRY(decide(all, error));
done:
  return status;
}

sgf_status sgf_compare(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_ensemble *ensemble,
                       sgf_comparison **result, sgf_error *error)
{
  comparing all = {0};
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **result, "comparison", error);
  *result = block;
  if (status != SGF_OK) return status;
  all.problem = problem;
  all.prediction = prediction;
  all.ensemble = ensemble;
  all.result = *result;
  all.n = problem->network.weights;
  all.replicas = ensemble->info.replicas;
  status = compare(&all, error);
  free(all.Sigma);
  free(all.mean);
  free(all.forms);
  free(all.values);
  free(all.tested);
  free(all.errors);
  free(all.tolerances);
  if (status == SGF_OK) return SGF_OK;
  sgf_comparison_free(*result);
  *result = NULL;
  return status;
}

void sgf_comparison_free(sgf_comparison *comparison)
{
  if (comparison == NULL) return;
  free(comparison->quantities);
  free(comparison->predicted_variance);
  free(comparison->measured_variance);
  free(comparison->measured_error);
  free(comparison);
}

const sgf_comparison_info *sgf_comparison_get_info(const sgf_comparison *comparison) { return &comparison->info; }

const sgf_quantity *sgf_comparison_quantities(const sgf_comparison *comparison) { return comparison->quantities; }

const char *sgf_verdict_text(sgf_verdict verdict)
{
  switch (verdict) {
  case SGF_AGREE: return "agree";
  case SGF_DISAGREE: return "disagree";
  case SGF_INCONCLUSIVE: return "inconclusive";
  }
  return "unknown";
}

size_t sgf_comparison_numbers(const sgf_comparison *comparison, sgf_number *numbers, size_t capacity)
{
  const sgf_comparison_info *info = &comparison->info;
  const sgf_number all[] = {{"agree", (double)info->agree, true},
                            {"disagree", (double)info->disagree, true},
                            {"inconclusive", (double)info->inconclusive, true},
                            {"replicas_needed", info->replicas_needed, false},
                            {"r_hat", info->r_hat, false},
                            {"effective_samples", info->effective_samples, false},
                            {"batch_correlation", info->batch_correlation, false},
                            {"z_count", (double)info->z_count, true},
                            {"z_largest", info->z_largest, false},
                            {"z_variance", info->z_variance, false},
                            {"z_p_value", info->z_p_value, false}};
  size_t count = sizeof all / sizeof *all;
  memcpy(numbers, all, (count < capacity ? count : capacity) * sizeof *numbers);
  return count;
}

size_t sgf_quantity_numbers(const sgf_quantity *quantity, sgf_number *numbers, size_t capacity)
{
  const sgf_number all[] = {{"predicted", quantity->predicted, false},
                            {"measured", quantity->measured, false},
                            {"standard_error", quantity->standard_error, false},
                            {"deviation", quantity->deviation, false},
                            {"low", quantity->low, false},
                            {"high", quantity->high, false},
                            {"replicas_needed", quantity->replicas_needed, false}};
  size_t count = sizeof all / sizeof *all;
  memcpy(numbers, all, (count < capacity ? count : capacity) * sizeof *numbers);
  return count;
}
