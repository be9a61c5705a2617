/* The tests behind a comparison: quantities, their verdicts, and the verdict. */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "comparing.h"
#include "statistics.h"

/* Batches of one run whose slowest mode is correlated beyond this do not stand in for replicas. */
static const double CORRELATED_BATCHES = 0.5;

/* --------------------------------------------------------------- quantities */

sgf_status sgf_quantities_create(sgf_comparing *all, size_t capacity, sgf_error *error)
{
  void *quantities;
  sgf_status status;
  all->capacity = capacity;
  SGF_TRY(sgf_new_reals(&all->values, all->rows, 1, "values of the replicas", error));
  SGF_TRY(sgf_new_reals(&all->tested, capacity, 1, "quantities", error));
  SGF_TRY(sgf_new_reals(&all->errors, capacity, 1, "quantities", error));
  SGF_TRY(sgf_new_reals(&all->skewness, capacity, 1, "quantities", error));
  SGF_TRY(sgf_new_reals(&all->tolerances, capacity, 1, "quantities", error));
  SGF_TRY(sgf_allocate(&quantities, capacity, 1, sizeof(sgf_quantity), "quantities", error));
  all->result->quantities = quantities;
done:
  return status;
}

void sgf_add_quantity(sgf_comparing *all, const char *name, double predicted, double measured, double standard_error,
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
  all->skewness[k] = 0.0;
  all->tolerances[k] = all->problem->settings.verify.tolerance;
}

void sgf_add_skewness(sgf_comparing *all, const double *values, double sign)
{
  all->skewness[all->result->count - 1] = copysign(1.0, sign) * sgf_mean_skewness(values, 1, all->rows);
}

void sgf_add_linear(sgf_comparing *all, const char *name, double predicted, const double *values)
{
  double measured, error;
  sgf_mean_and_error(values, all->rows, &measured, &error);
  sgf_add_quantity(all, name, predicted, measured, error, measured / predicted - 1.0, error / fabs(predicted));
  sgf_add_skewness(all, values, predicted);
}

sgf_status sgf_add_norm(sgf_comparing *all, const char *name, const double *vectors, size_t size, double scale,
                        sgf_error *error)
{
  double square, square_error;
  sgf_status status = sgf_squared_mean(vectors, all->rows, size, &square, &square_error, error);
  if (status != SGF_OK) return status;
  double norm = sqrt(fmax(square, 0.0)), norm_error = sqrt(fmax(square, 0.0) + square_error) - norm;
  size_t k = all->result->count;
  sgf_add_quantity(all, name, 0.0, norm, norm_error, norm / scale, norm_error / scale);
  all->tested[k] = square / (scale * scale);
  all->errors[k] = square_error / (scale * scale);
  all->tolerances[k] *= all->tolerances[k];
  return SGF_OK;
}

/* ------------------------------------------------------------------ verdicts */

/* Of the level of this look, the part that elements against the exact equation have; the quantities have the rest. */
static const double SHARE_OF_ELEMENTS = 0.5;

static double level_of_elements(const sgf_comparing *all)
{
  return all->result->info.z_tested ? SHARE_OF_ELEMENTS * all->result->info.level : 0.0;
}

/* Squares of norms are tested, and not deviations. */
static bool is_square(const sgf_comparing *all, size_t k)
{
  return all->tested[k] != all->result->quantities[k].deviation;
}

/* Interval of the deviation at the corrected level, and how many replicas would decide an open quantity. */
static void describe(sgf_comparing *all, size_t k, double quantile)
{
  sgf_quantity *quantity = &all->result->quantities[k];
  double low = all->tested[k] - quantile * all->errors[k], high = all->tested[k] + quantile * all->errors[k];
  bool squared = is_square(all, k);
  quantity->low = squared ? sqrt(fmax(low, 0.0)) : low;
  quantity->high = squared ? sqrt(fmax(high, 0.0)) : high;
  double margin = fabs(all->tolerances[k] - fabs(all->tested[k])), reach = quantile * all->errors[k] / margin;
  /* errors fall as 1 / sqrt(R), and as 1 / R for the square of a norm near zero */
  double factor = fmax(squared ? reach : reach * reach, 1.0);
  quantity->replicas_needed =
      quantity->verdict == SGF_INCONCLUSIVE ? ceil((double)all->ensemble->info.replicas * factor) : 0.0;
}

static void count_verdicts(sgf_comparing *all)
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
  bool element_deviates = info->z_tested && !(info->z_p_value >= level_of_elements(all));
  if (info->disagree > 0 || element_deviates)
    info->verdict = SGF_DISAGREE;
  else
    info->verdict = info->inconclusive > 0 ? SGF_INCONCLUSIVE : SGF_AGREE;
}

static void find_p_values(const sgf_comparing *all, size_t k, double *p_agree, double *p_disagree)
{
  double value = all->tested[k], error = all->errors[k], tolerance = all->tolerances[k];
  double freedom = (double)all->rows - 1.0;
  if (is_square(all, k)) {
    *p_agree = sgf_p_small(value, error, tolerance, freedom);
    *p_disagree = sgf_p_large(value, error, tolerance, freedom);
  } else {
    *p_agree = sgf_p_agree(value, error, all->skewness[k], tolerance, freedom);
    *p_disagree = sgf_p_disagree(value, error, all->skewness[k], tolerance, freedom);
  }
}

/* Two families of claims, each held to the level by Holm: "inside the tolerance", and "outside of it" together with the
 * elements' test. */
sgf_status sgf_decide(sgf_comparing *all, sgf_error *error)
{
  size_t count = all->result->count;
  double freedom = (double)all->rows - 1.0, level;
  bool correlated = all->result->info.batch_correlation > CORRELATED_BATCHES;
  double *p_agree = NULL, *p_disagree = NULL;
  void *order = NULL, *agree = NULL, *disagree = NULL;
  sgf_status status;
  all->result->info.look = all->ensemble->info.plan.look;
  all->result->info.level = level =
      sgf_look_level(all->problem->settings.verify.level, all->ensemble->info.plan.look);
  SGF_TRY(sgf_new_reals(&p_agree, count, 1, "verdicts", error));
  SGF_TRY(sgf_new_reals(&p_disagree, count, 1, "verdicts", error));
  SGF_TRY(sgf_allocate(&order, count, 1, sizeof(size_t), "verdicts", error));
  SGF_TRY(sgf_allocate(&agree, count, 1, sizeof(bool), "verdicts", error));
  SGF_TRY(sgf_allocate(&disagree, count, 1, sizeof(bool), "verdicts", error));
  for (size_t k = 0; k < count; k++) find_p_values(all, k, &p_agree[k], &p_disagree[k]);
  sgf_holm(p_agree, count, level, order, agree);
  sgf_holm(p_disagree, count, level - level_of_elements(all), order, disagree);
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
                            {"look", (double)info->look, true},
                            {"level_of_look", info->level, false},
                            {"r_hat", info->r_hat, false},
                            {"effective_samples", info->effective_samples, false},
                            {"null_leak", info->null_leak, false},
                            {"null_leak_error", info->null_leak_error, false},
                            {"batch_correlation", info->batch_correlation, false},
                            {"correlation_ratio", info->correlation_ratio, false},
                            {"correlation_ratio_error", info->correlation_ratio_error, false},
                            {"z_count", (double)info->z_count, true},
                            {"z_largest", info->z_largest, false},
                            {"z_variance", info->z_variance, false},
                            {"z_p_value", info->z_p_value, false},
                            /* the last two are of ensembles on directions alone */
                            {"directions", (double)info->directions, true},
                            {"directions_share", info->directions_share, false}};
  size_t count = sizeof all / sizeof *all - (info->directions > 0 ? 0 : 2);
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
