/* Do verdicts keep what they promise? Over many small problems of one layer against the exact equation, where the true
 * deviation is zero:
 *
 *   calibration alarms PROBLEMS LOOKS   false alarms with a tolerance that is next to nothing, so that the level is
 *                                       all that keeps a quantity from `disagree`: 200 replicas, and twice as many at
 *                                       each further look; alarms at any of the looks count. And the trace's p-values
 *                                       at the first look, with Kolmogorov's distance from uniform.
 *   calibration power PROBLEMS BIAS TOLERANCE   how many verdicts of `sgflow verify` are disagree with all second moments
 *                                               times 1 + BIAS */
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
  bool element;   /* the elements' test alone, at the whole level */
  sgf_verdict verdict;
  bool alarm; /* disagree at any look */
} outcome;

enum { ALARM_REPLICAS = 200 };
static const double ALARM_LEVEL = 0.05, ALARM_TOLERANCE = 1e-6;

/* Widths, samples, batch and learning rate of problem k, drawn by its number. */
static sgf_status make_problem(uint64_t k, double tolerance, bool alarms, sgf_problem **problem, sgf_error *error)
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
  if (alarms) {
    settings.verify.level = ALARM_LEVEL;
    settings.simulation.burn_in = 4.0;
    settings.simulation.window = 8.0;
    settings.simulation.replicas = ALARM_REPLICAS;
  }
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
                       bool to_the_end, double bias, outcome *seen, sgf_error *error)
{
  sgf_simulation *simulation = NULL;
  sgf_status status = sgf_simulation_create(problem, plan, &simulation, error);
  for (size_t k = 0; (k == 0 || k < plan->looks) && status == SGF_OK; k++) {
    sgf_comparison *comparison = NULL;
    status = sgf_simulation_run(simulation, plan->replicas << k, 0, NULL, NULL, error);
    if (status != SGF_OK) break;
    sgf_ensemble *ensemble = (sgf_ensemble *)sgf_simulation_ensemble(simulation); /* to plant the bias in it */
    size_t moments = ensemble->info.pools * sgf_packed_size(ensemble->n);
    for (size_t i = 0; i < moments; i++) ensemble->second[i] *= 1.0 + bias;
    status = sgf_compare(problem, prediction, ensemble, &comparison, error);
    for (size_t i = 0; i < moments; i++) ensemble->second[i] /= 1.0 + bias;
    bool open = true;
    if (status == SGF_OK) {
      const sgf_comparison_info *info = sgf_comparison_get_info(comparison);
      if (k == 0) seen->p_value = p_value(&sgf_comparison_quantities(comparison)[0], ensemble->info.pools);
      if (k == 0) seen->element = info->z_p_value < sgf_problem_settings(problem)->verify.level;
      seen->verdict = info->verdict;
      seen->alarm = seen->alarm || info->verdict == SGF_DISAGREE;
      open = info->inconclusive > 0;
    }
    sgf_comparison_free(comparison);
    if (!open && !to_the_end) break;
  }
  sgf_simulation_free(simulation);
  return status;
}

/* looks: 0 for a verdict as of `sgflow verify`. */
static sgf_status run(uint64_t k, size_t looks, double tolerance, double bias, outcome *seen, sgf_error *error)
{
  sgf_problem *problem = NULL;
  sgf_prediction *prediction = NULL;
  sgf_plan plan;
  sgf_status status = make_problem(k, tolerance, looks > 0, &problem, error);
  if (status == SGF_OK) status = sgf_predict(problem, false, &prediction, error);
  if (status == SGF_OK) status = sgf_plan_simulation(problem, prediction, &plan, error);
  if (status == SGF_OK && looks > 0) plan.looks = looks;
  if (status == SGF_OK) status = look(problem, prediction, &plan, looks > 0, bias, seen, error);
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

static void print(const outcome *all, size_t count, double *p_values, bool alarms)
{
  size_t verdicts[3] = {0}, below[3] = {0}, any = 0, elements = 0;
  for (size_t k = 0; k < count; k++) {
    p_values[k] = all[k].p_value;
    verdicts[all[k].verdict]++;
    any += all[k].alarm;
    elements += all[k].element;
    for (size_t i = 0; i < 3; i++) below[i] += all[k].p_value < (double[]){0.05, 0.01, 0.001}[i];
  }
  printf("%zu problems: %zu agree, %zu disagree, %zu inconclusive at the last look\n", count, verdicts[SGF_AGREE],
         verdicts[SGF_DISAGREE], verdicts[SGF_INCONCLUSIVE]);
  if (alarms) {
    printf("disagree at any look: %zu, %.4g of all, level %g\n", any, (double)any / (double)count, ALARM_LEVEL);
    printf("an element alone, at the whole level: %zu\n", elements);
  }
  printf("p-values of the trace below 0.05, 0.01, 0.001: %zu, %zu, %zu\n", below[0], below[1], below[2]);
  printf("Kolmogorov's distance from uniform times the root of the number: %.3f\n", kolmogorov(p_values, count));
}

int main(int argc, char **argv)
{
  size_t count = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
  bool power = argc == 5 && strcmp(argv[1], "power") == 0, alarms = argc == 4 && strcmp(argv[1], "alarms") == 0;
  size_t looks = alarms ? strtoul(argv[3], NULL, 10) : 0;
  double bias = power ? strtod(argv[3], NULL) : 0.0, tolerance = power ? strtod(argv[4], NULL) : ALARM_TOLERANCE;
  double *p_values = calloc(count + 1, sizeof *p_values);
  outcome *all = calloc(count + 1, sizeof *all);
  if (count == 0 || p_values == NULL || all == NULL || !(power || looks > 0)) {
    fputs("usage: calibration alarms PROBLEMS LOOKS | power PROBLEMS BIAS TOLERANCE\n", stderr);
    return 64;
  }
  for (size_t k = 0; k < count; k++) {
    sgf_error error = {SGF_OK, ""};
    if (run(k, looks, tolerance, bias, &all[k], &error) != SGF_OK) {
      fprintf(stderr, "problem %zu: %s\n", k, error.message);
      return 70;
    }
  }
  print(all, count, p_values, alarms);
  free(p_values);
  free(all);
  return 0;
}
