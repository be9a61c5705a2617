/* Do verdicts keep what they promise? Over many small problems of one layer, in units where nothing is special: p-values
 * of zero deviation against the exact equation must be uniform, false alarms rarer than the level, and a planted bias in
 * the noise found.
 *
 *   calibration uniform PROBLEMS        the trace's p-value of each, Kolmogorov's distance from uniform; alarms
 *   calibration power PROBLEMS BIAS TOLERANCE   how many verdicts are disagree with all second moments times 1 + BIAS */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/random.h"
#include "../verify/compare.h"
#include "../verify/ensemble.h"
#include "sgflow.h"

/* What came of one problem. */
typedef struct {
  double p_value; /* two-sided, of zero deviation of the trace */
  sgf_verdict verdict;
  size_t disagree; /* quantities */
} outcome;

/* Widths, samples, batch and learning rate of problem k, drawn by its number. */
static sgf_status make_problem(uint64_t k, double tolerance, sgf_problem **problem, sgf_error *error)
{
  sgf_settings settings;
  sgf_random random;
  sgf_random_at(&random, 20, 1, k);
  sgf_settings_init(&settings);
  settings.network.widths = calloc(2, sizeof *settings.network.widths);
  settings.network.width_count = 2;
  settings.network.widths[0] = 1 + sgf_random_index(&random, 5);
  settings.network.widths[1] = 1;
  settings.data.samples = 20 + sgf_random_index(&random, 60);
  settings.data.label_noise = 0.5;
  settings.training.batch_size = 2 + sgf_random_index(&random, 8);
  settings.training.learning_rate = 0.02 + 0.08 * (double)sgf_random_index(&random, 1000) / 1000.0;
  settings.training.sampling =
      sgf_random_index(&random, 2) == 0 ? SGF_SAMPLING_REPLACEMENT : SGF_SAMPLING_WITHOUT_REPLACEMENT;
  settings.theory.equation = SGF_EQUATION_EXACT;
  settings.verify.tolerance = tolerance;
  settings.seed = 1000 + k;
  sgf_status status = sgf_problem_create(&settings, NULL, false, problem, error);
  sgf_settings_free(&settings);
  return status;
}

static double p_value(const sgf_quantity *trace, size_t rows)
{
  double t = (trace->measured - trace->predicted) / trace->standard_error;
  return 2.0 * gsl_cdf_tdist_Q(fabs(t), (double)rows - 1.0);
}

/* Looks at growing ensembles as `sgflow verify` takes them, second moments times 1 + bias. */
static sgf_status look(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                       double bias, outcome *seen, sgf_error *error)
{
  sgf_simulation *simulation = NULL;
  sgf_status status = sgf_simulation_create(problem, plan, &simulation, error);
  for (size_t k = 0; k < plan->looks && status == SGF_OK; k++) {
    sgf_comparison *comparison = NULL;
    status = sgf_simulation_run(simulation, plan->replicas << k, 0, NULL, NULL, error);
    if (status != SGF_OK) break;
    sgf_ensemble *ensemble = (sgf_ensemble *)sgf_simulation_ensemble(simulation); /* to plant the bias in it */
    size_t moments = ensemble->info.pools * sgf_packed_size(ensemble->n);
    for (size_t i = 0; i < moments; i++) ensemble->second[i] *= 1.0 + bias;
    status = sgf_compare(problem, prediction, ensemble, &comparison, error);
    for (size_t i = 0; i < moments; i++) ensemble->second[i] /= 1.0 + bias;
    if (status == SGF_OK) {
      const sgf_comparison_info *info = sgf_comparison_get_info(comparison);
      if (k == 0) seen->p_value = p_value(&sgf_comparison_quantities(comparison)[0], ensemble->info.pools);
      seen->verdict = info->verdict;
      seen->disagree = info->disagree;
      if (info->inconclusive == 0) k = plan->looks;
    }
    sgf_comparison_free(comparison);
  }
  sgf_simulation_free(simulation);
  return status;
}

static sgf_status run(uint64_t k, double tolerance, double bias, outcome *seen, sgf_error *error)
{
  sgf_problem *problem = NULL;
  sgf_prediction *prediction = NULL;
  sgf_plan plan;
  sgf_status status = make_problem(k, tolerance, &problem, error);
  if (status == SGF_OK) status = sgf_predict(problem, false, &prediction, error);
  if (status == SGF_OK) status = sgf_plan_simulation(problem, prediction, &plan, error);
  if (status == SGF_OK) status = look(problem, prediction, &plan, bias, seen, error);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  return status;
}

/* The largest distance of the sorted p-values from the uniform distribution, times the root of their number: above 1.63
 * with a probability of 1 %. */
static double kolmogorov(double *p_values, size_t count)
{
  double largest = 0.0, n = (double)count;
  gsl_sort(p_values, 1, count);
  for (size_t k = 0; k < count; k++)
    largest = fmax(largest, fmax(fabs(p_values[k] - (double)k / n), fabs(p_values[k] - (double)(k + 1) / n)));
  return largest * sqrt(n);
}

int main(int argc, char **argv)
{
  size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, verdicts[3] = {0}, below[3] = {0};
  bool power = argc == 5 && strcmp(argv[1], "power") == 0;
  double bias = power ? strtod(argv[3], NULL) : 0.0, tolerance = power ? strtod(argv[4], NULL) : 0.05;
  double *p_values = calloc(count + 1, sizeof *p_values);
  if (count == 0 || p_values == NULL || (!power && strcmp(argv[1], "uniform") != 0)) {
    fputs("usage: calibration uniform PROBLEMS | power PROBLEMS BIAS TOLERANCE\n", stderr);
    return 64;
  }
  for (size_t k = 0; k < count; k++) {
    outcome seen = {NAN, SGF_INCONCLUSIVE, 0};
    sgf_error error = {SGF_OK, ""};
    if (run(k, tolerance, bias, &seen, &error) != SGF_OK) {
      fprintf(stderr, "problem %zu: %s\n", k, error.message);
      return 70;
    }
    p_values[k] = seen.p_value;
    verdicts[seen.verdict]++;
    for (size_t i = 0; i < 3; i++) below[i] += seen.p_value < (double[]){0.05, 0.01, 0.001}[i];
  }
  printf("%zu problems: %zu agree, %zu disagree, %zu inconclusive\n", count, verdicts[SGF_AGREE],
         verdicts[SGF_DISAGREE], verdicts[SGF_INCONCLUSIVE]);
  printf("p-values of the trace below 0.05, 0.01, 0.001: %zu, %zu, %zu\n", below[0], below[1], below[2]);
  printf("Kolmogorov's distance from uniform times the root of the number: %.3f\n", kolmogorov(p_values, count));
  free(p_values);
  return 0;
}
