/* The Gaussian closure against SGD and against the leading order, as rows of a table (CSV on standard output).
 *
 *   closure [--quick]   5-5-3, P = 60, S = 6 with replacement; lambda h_max from 0.7 to 0.11, runs of 16 units of time from
 *                       theta*, the last 4 of them in the window; and runs of 200, in which the mean moves by order one
 *
 * The trace of the second moment about theta* on range(H), and the mean of theta - theta* in all directions. */
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/prediction.h"
#include "../verify/ensemble.h"
#include "../verify/projection.h"
#include "../verify/statistics.h"

extern void openblas_set_num_threads(int) __attribute__((weak));

typedef struct {
  double fastest, time; /* lambda h_max; burn-in and window */
  size_t replicas;
} experiment;

static const double WINDOW = 4.0;

static sgf_status make_problem(const experiment *of, sgf_problem **problem, sgf_prediction **prediction,
                               sgf_error *error)
{
  sgf_settings settings;
  size_t widths[] = {5, 5, 3};
  sgf_status status = SGF_OK;
  sgf_settings_init(&settings);
  settings.network.widths = widths;
  settings.network.width_count = sizeof widths / sizeof *widths;
  settings.data.samples = 60;
  settings.training.batch_size = 6;
  settings.training.learning_rate = 1e-3;
  settings.theory.equation = SGF_EQUATION_CLOSURE;
  for (int pass = 0; pass < 2; pass++) { /* the first finds h_max */
    sgf_prediction_free(*prediction);
    sgf_problem_free(*problem);
    *prediction = NULL;
    SGF_TRY(sgf_problem_create(&settings, NULL, false, problem, error));
    SGF_TRY(sgf_predict(*problem, false, prediction, error));
    settings.training.learning_rate = of->fastest / sgf_prediction_get_info(*prediction)->largest_curvature;
  }
done:
  return status;
}

/* The measured trace on range(H), with its standard error, and those predicted by the closure and by leading order. */
static sgf_status traces(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_ensemble *ensemble,
                         const sgf_plan *plan, const double *second, double *measured, double *standard_error,
                         double *closure, double *leading, sgf_error *error)
{
  size_t n = prediction->info.weights, rank = prediction->info.rank_hessian;
  double *Sigma = NULL, *unit = NULL, *values = NULL;
  sgf_projection projection = {0};
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Sigma, n, n, "covariance", error));
  SGF_TRY(sgf_new_reals(&unit, rank, rank, "unit matrix", error));
  SGF_TRY(sgf_new_reals(&values, ensemble->info.pools, 1, "traces", error));
  for (size_t k = 0; k < rank; k++) unit[k * (rank + 1)] = 1.0;
  SGF_TRY(sgf_covariance(problem, &prediction->joint, SGF_TIME_DISCRETE, plan, Sigma, error));
  *leading = sgf_trace(n, Sigma);
  SGF_TRY(sgf_project(ensemble, sgf_prediction_find(prediction, "directions"), rank, second, &projection, error));
  *closure = sgf_projected_traces(&projection, unit, values);
  sgf_mean_and_error(values, ensemble->info.pools, measured, standard_error);
done:
  free(Sigma);
  free(unit);
  free(values);
  sgf_projection_free(&projection);
  return status;
}

/* |measured - predicted| of the mean of theta - theta*, in all directions, without the bias of sampling: and the error that
 * sampling leaves of it, both relative to |predicted|. */
static sgf_status mean_deviation(const sgf_ensemble *ensemble, const double *mean, double *deviation,
                                 double *resolution, sgf_error *error)
{
  size_t n = ensemble->n, rows = ensemble->info.pools;
  double *differences, square, square_error, length = sgf_norm(n, mean);
  sgf_status status = sgf_new_reals(&differences, rows, n, "means", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < rows; r++)
    for (size_t k = 0; k < n; k++)
      differences[r * n + k] =
          0.5 * (ensemble->half_means[2 * r * n + k] + ensemble->half_means[(2 * r + 1) * n + k]) - mean[k];
  status = sgf_squared_mean(differences, rows, n, &square, &square_error, error);
  *deviation = sqrt(fmax(square, 0.0)) / length;
  *resolution = sqrt(square_error) / length;
  free(differences);
  return status;
}

static sgf_status run_row(const experiment *of, sgf_error *error)
{
  sgf_problem *problem = NULL;
  sgf_prediction *prediction = NULL;
  sgf_ensemble *ensemble = NULL;
  double *second = NULL, *mean, measured, standard_error, closure, leading, deviation, resolution;
  sgf_status status;
  SGF_TRY(make_problem(of, &problem, &prediction, error));
  size_t n = prediction->info.weights;
  double lambda = problem->settings.training.learning_rate;
  sgf_plan plan = {.replicas = of->replicas, .stride = 1};
  plan.window_steps = (size_t)ceil(WINDOW / lambda);
  plan.burn_in_steps = (size_t)ceil((of->time - WINDOW) / lambda);
  SGF_TRY(sgf_new_reals(&second, n + 1, n, "second moment", error));
  mean = second + n * n;
  SGF_TRY(sgf_prediction_window(problem, prediction, 0, &plan, second, mean, error));
  SGF_TRY(sgf_simulate(problem, &plan, 0, NULL, NULL, &ensemble, error));
  SGF_TRY(
      traces(problem, prediction, ensemble, &plan, second, &measured, &standard_error, &closure, &leading, error));
  SGF_TRY(mean_deviation(ensemble, mean, &deviation, &resolution, error));
  printf("%g,%.6g,%g,%zu,%.6g,%.2g,%+.5f,%+.5f,%.5f,%.4g,%.4f,%.4f\n", of->fastest, lambda, of->time, of->replicas,
         measured, standard_error, measured / leading - 1.0, measured / closure - 1.0, standard_error / measured,
         sgf_norm(n, mean), deviation, resolution);
  fflush(stdout);
done:
  free(second);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  return status;
}

int main(int argc, char **argv)
{
  static const experiment all[] = {{0.7, 16.0, 100000},  {0.44, 16.0, 100000}, {0.31, 16.0, 100000},
                                   {0.22, 16.0, 100000}, {0.11, 16.0, 100000}, {0.22, 200.0, 20000}};
  static const experiment quick[] = {{0.44, 16.0, 4000}, {0.22, 16.0, 4000}};
  bool fast = argc > 1 && strcmp(argv[1], "--quick") == 0;
  const experiment *rows = fast ? quick : all;
  size_t count = fast ? sizeof quick / sizeof *quick : sizeof all / sizeof *all;
  sgf_error error = {SGF_OK, ""};
  gsl_set_error_handler_off();
  if (openblas_set_num_threads != NULL) openblas_set_num_threads(1);
  puts("lambda_h_max,learning_rate,time,replicas,trace_sgd,trace_se,deviation_leading,deviation_closure,deviation_se,"
       "mean,mean_deviation,mean_resolution");
  for (size_t k = 0; k < count; k++)
    if (run_row(&rows[k], &error) != SGF_OK) {
      fprintf(stderr, "closure: %s\n", error.message);
      return EXIT_FAILURE;
    }
  return EXIT_SUCCESS;
}
