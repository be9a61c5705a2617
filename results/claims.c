/* The paper's three claims about one layer, from theory and from SGD, as rows of a table (CSV on standard output).
 *
 *   claims [--quick]   N_0 = 50 isotropic Gaussian inputs, one output, q = N_0 / P from 0.67 to 0.01
 *
 * 1. Weakly underparameterized, the spectrum of the noise deviates from that of the Hessian.
 * 2. The cause is broken detailed balance: [H, C] != 0, so that Q = (H Sigma - Sigma H) / 2 != 0.
 * 3. The weight fluctuations are anisotropic, and the loss along their principal directions is not.
 * The SGD columns use the measured covariance alone: its own principal directions, its own Q. */
#include <gsl/gsl_errno.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/flatness.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/prediction.h"
#include "../verify/compare.h"
#include "../verify/ensemble.h"
#include "../verify/statistics.h"

enum { INPUTS = 50 };

extern void openblas_set_num_threads(int) __attribute__((weak));

typedef struct {
  double variance_spread, curvature_spread, correlation; /* of the principal directions of a covariance */
} anisotropy;

static double spread(size_t n, const double *values)
{
  return gsl_stats_max(values, 1, n) / gsl_stats_min(values, 1, n);
}

static sgf_status measure_anisotropy(size_t n, const double *Sigma, const double *H, anisotropy *result,
                                     sgf_error *error)
{
  double *work = NULL, *variance, *curvature;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&work, n + 2, n, "principal directions", error));
  variance = work + n * n;
  curvature = variance + n;
  SGF_TRY(sgf_principal_directions(n, Sigma, H, work, variance, curvature, error));
  result->variance_spread = spread(n, variance);
  result->curvature_spread = spread(n, curvature);
  for (size_t k = 0; k < n; k++) {
    variance[k] = log(variance[k]);
    curvature[k] = log(curvature[k]);
  }
  result->correlation = gsl_stats_correlation(variance, 1, curvature, 1, n);
done:
  free(work);
  return status;
}

/* |Q| of the measured covariance, without the bias that its noise would give: from the squared mean over replicas. */
static sgf_status measured_irreversible(size_t n, const sgf_ensemble *ensemble, const double *H, double *norm,
                                        double *standard_error, sgf_error *error)
{
  size_t replicas = ensemble->info.replicas, packed = sgf_packed_size(n);
  double *Q = NULL, *S = NULL, *HS = NULL, square, square_error;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Q, replicas, n * n, "Q of the replicas", error));
  SGF_TRY(sgf_new_reals(&S, n, n, "covariance", error));
  SGF_TRY(sgf_new_reals(&HS, n, n, "covariance", error));
  for (size_t r = 0; r < replicas; r++) {
    const double *element = ensemble->second + r * packed;
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j <= i; j++, element++) S[i * n + j] = S[j * n + i] = *element;
    sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, S, HS);
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) Q[r * n * n + i * n + j] = 0.5 * (HS[i * n + j] - HS[j * n + i]);
  }
  SGF_TRY(sgf_squared_mean(Q, replicas, n * n, &square, &square_error, error));
  *norm = sqrt(fmax(square, 0.0));
  *standard_error = 0.5 * square_error / *norm;
done:
  free(Q);
  free(S);
  free(HS);
  return status;
}

/* ||(H Sigma - Sigma H) / 2|| of a covariance. */
static sgf_status irreversible(size_t n, const double *Sigma, const double *H, double *norm, sgf_error *error)
{
  double *HS;
  sgf_status status = sgf_new_reals(&HS, 2 * n, n, "Q", error);
  if (status != SGF_OK) return status;
  sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, Sigma, HS);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) HS[n * n + i * n + j] = 0.5 * (HS[i * n + j] - HS[j * n + i]);
  *norm = sgf_norm(n * n, HS + n * n);
  free(HS);
  return SGF_OK;
}

/* The problem at P samples and a tenth of its stability limit. */
static sgf_status make_problem(size_t samples, sgf_problem **problem, sgf_prediction **prediction, sgf_error *error)
{
  sgf_settings settings;
  size_t widths[] = {INPUTS, 1};
  sgf_status status = SGF_OK;
  sgf_settings_init(&settings);
  settings.network.widths = widths;
  settings.network.width_count = 2;
  settings.data.samples = samples;
  settings.training.batch_size = 10;
  settings.training.learning_rate = 1e-4;
  settings.theory.equation = SGF_EQUATION_EXACT;
  for (int pass = 0; pass < 2; pass++) { /* the first finds the limit */
    sgf_prediction_free(*prediction);
    sgf_problem_free(*problem);
    *prediction = NULL;
    SGF_TRY(sgf_problem_create(&settings, NULL, false, problem, error));
    SGF_TRY(sgf_predict(*problem, false, prediction, error));
    settings.training.learning_rate = 0.1 * sgf_prediction_get_info(*prediction)->stability_limit;
  }
done:
  return status;
}

static sgf_status print_row(const sgf_problem *problem, const sgf_prediction *prediction,
                            const sgf_ensemble *ensemble, const sgf_comparison *comparison, sgf_error *error)
{
  const sgf_prediction_info *info = &prediction->info;
  size_t n = info->weights, rows, columns;
  const double *H = sgf_prediction_array(prediction, "hessian", &rows, &columns);
  const double *predicted = sgf_prediction_array(prediction, "covariance", &rows, &columns);
  double *measured = NULL, theory_Q, sgd_Q, sgd_Q_error;
  anisotropy theory, sgd;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&measured, n, n, "covariance", error));
  SGF_TRY(sgf_ensemble_moments(ensemble, measured, NULL, NULL, error));
  SGF_TRY(measure_anisotropy(n, predicted, H, &theory, error));
  SGF_TRY(measure_anisotropy(n, measured, H, &sgd, error));
  SGF_TRY(irreversible(n, predicted, H, &theory_Q, error));
  SGF_TRY(measured_irreversible(n, ensemble, H, &sgd_Q, &sgd_Q_error, error));
  printf("%.4g,%zu,%.4g,%.4g,%.3f,%.3f,%.3f,%.4f,%.4g,%.4g,%.2g,%.4g,%.4g,%.4g,%.4g,%.4g,%.4g,%.3f,%.3f,%s\n",
         (double)INPUTS / (double)problem->data.samples, problem->data.samples,
         problem->settings.training.learning_rate,
         spread(n, sgf_prediction_array(prediction, "spectrum/noise_covariance", &rows, &columns)),
         info->spectrum_distance, info->hessian_law_distance, info->noise_law_distance, info->commutator_relative,
         theory_Q, sgd_Q, sgd_Q_error, info->entropy_production, theory.variance_spread, sgd.variance_spread,
         info->condition_number, theory.curvature_spread, sgd.curvature_spread, theory.correlation, sgd.correlation,
         sgf_verdict_text(comparison->info.verdict));
  fflush(stdout);
done:
  free(measured);
  return status;
}

static sgf_status run_row(size_t samples, sgf_error *error)
{
  sgf_problem *problem = NULL;
  sgf_prediction *prediction = NULL;
  sgf_ensemble *ensemble = NULL;
  sgf_comparison *comparison = NULL;
  sgf_plan plan;
  sgf_status status;
  SGF_TRY(make_problem(samples, &problem, &prediction, error));
  SGF_TRY(sgf_plan_simulation(problem, prediction, &plan, error));
  SGF_TRY(sgf_simulate(problem, &plan, 0, NULL, NULL, &ensemble, error));
  SGF_TRY(sgf_compare(problem, prediction, ensemble, &comparison, error));
  SGF_TRY(print_row(problem, prediction, ensemble, comparison, error));
done:
  sgf_comparison_free(comparison);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  return status;
}

int main(int argc, char **argv)
{
  static const size_t all[] = {75, 100, 167, 500, 1667, 5000}, quick[] = {100, 5000};
  bool fast = argc > 1 && strcmp(argv[1], "--quick") == 0;
  const size_t *samples = fast ? quick : all;
  size_t count = fast ? sizeof quick / sizeof *quick : sizeof all / sizeof *all;
  sgf_error error = {SGF_OK, ""};
  gsl_set_error_handler_off();
  if (openblas_set_num_threads != NULL) openblas_set_num_threads(1);
  puts("q,P,learning_rate,spread_of_C,distance_C_H,distance_H_law,distance_C_law,commutator_relative,Q_theory,Q_sgd,"
       "Q_sgd_se,"
       "entropy_production,variance_spread_theory,variance_spread_sgd,spread_of_H,curvature_spread_theory,"
       "curvature_spread_sgd,correlation_theory,correlation_sgd,verdict");
  for (size_t k = 0; k < count; k++)
    if (run_row(samples[k], &error) != SGF_OK) {
      fprintf(stderr, "claims: %s\n", error.message);
      return EXIT_FAILURE;
    }
  return EXIT_SUCCESS;
}
