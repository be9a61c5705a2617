/* With momentum: the learning rate at which the noise of batches makes the second moment of linearized SGD grow. */
#include "momentum_limit.h"

#include <gsl/gsl_roots.h>
#include <math.h>
#include <stdlib.h>

#include "heavy_ball.h"
#include "krylov.h"
#include "memory.h"

/* Asked of the limit, relative, and of each eigenvalue; applications of B that all of it takes, about, and operations that can
 * be spared. */
static const double ACCURACY = 1e-6, EIGENVALUE_ACCURACY = 1e-10, APPLICATIONS = 300.0, SPARE_OPERATIONS = 2e10;
enum { MOST_STEPS = 400, MOST_ROUNDS = 60 };

/* lambda D^-1/2 p F D^-1/2, symmetric, at one learning rate. */
typedef struct {
  const sgf_hessian_noise *noise;
  const double *h; /* (rank), on the range */
  size_t rank;
  double momentum;
  double *weights, *Z, *start; /* (rank, rank); weights: the roots of lambda / D */
  sgf_error *error;
  sgf_status status;
} growth;

static void apply(const void *context, const double *x, double *y)
{
  const growth *of = context;
  for (size_t k = 0; k < of->rank * of->rank; k++) of->Z[k] = of->weights[k] * x[k];
  sgf_hessian_noise_apply(of->noise, of->Z, y);
  for (size_t i = 0; i < of->rank; i++)
    for (size_t j = 0; j < of->rank; j++) {
      size_t k = i * of->rank + j;
      y[k] = of->weights[k] * (y[k] - of->h[i] * of->h[j] * of->Z[k]);
    }
}

/* Logarithm of the largest eigenvalue; NaN after a failure, whose status is kept. */
static double log_growth(double lambda, void *context)
{
  growth *of = context;
  sgf_operator operator= {of->rank * of->rank, apply, of};
  double largest = NAN;
  if (of->status != SGF_OK) return NAN;
  for (size_t i = 0; i < of->rank; i++)
    for (size_t j = 0; j < of->rank; j++)
      of->weights[i * of->rank + j] = sqrt(lambda * sgf_pair_response(lambda, of->momentum, of->h[i], of->h[j]));
  /* the eigenvector is positive semidefinite, and so not orthogonal to a positive definite start */
  for (size_t i = 0; i < of->rank; i++) of->start[i * of->rank + i] = 1.0 / of->weights[i * of->rank + i];
  of->status = sgf_krylov_largest(&operator, of->start, EIGENVALUE_ACCURACY, MOST_STEPS, &largest, of->error);
  return largest > 0.0 ? log(largest) : of->status == SGF_OK ? -INFINITY : NAN;
}

/* The root between low, where nothing grows, and high. */
static sgf_status find_root(growth *of, double low, double high, double *limit, sgf_error *error)
{
  gsl_function function = {log_growth, of};
  gsl_root_fsolver *solver = gsl_root_fsolver_alloc(gsl_root_fsolver_brent);
  if (solver == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for the stability limit");
  int outcome = gsl_root_fsolver_set(solver, &function, low, high);
  for (int round = 0; round < MOST_ROUNDS && outcome == 0 && high - low > ACCURACY * high; round++) {
    outcome = gsl_root_fsolver_iterate(solver);
    low = gsl_root_fsolver_x_lower(solver);
    high = gsl_root_fsolver_x_upper(solver);
  }
  *limit = gsl_root_fsolver_root(solver);
  gsl_root_fsolver_free(solver);
  if (of->status != SGF_OK) return of->status;
  if (outcome != 0 || !(high - low <= ACCURACY * high))
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "stability limit with momentum: not found between %g and %g", low,
                    high);
  return SGF_OK;
}

sgf_status sgf_momentum_limit(const sgf_hessian_noise *noise, const sgf_range *range, double momentum, double *limit,
                              sgf_error *error)
{
  size_t rank = range->rank;
  double drift = 2.0 * (1.0 + momentum) / sgf_largest(range), high = drift * (1.0 - 1e-9), low = high;
  growth of = {noise, range->h + (range->n - rank), rank, momentum, NULL, NULL, NULL, error, SGF_OK};
  sgf_status status;
  *limit = NAN;
  if (APPLICATIONS * sgf_hessian_noise_operations(noise) > SPARE_OPERATIONS) return SGF_OK;
  SGF_TRY(sgf_new_reals(&of.weights, rank, rank, "stability limit", error));
  SGF_TRY(sgf_new_reals(&of.Z, rank, rank, "stability limit", error));
  SGF_TRY(sgf_new_reals(&of.start, rank, rank, "stability limit", error));
  double value = log_growth(low, &of);
  if (value <= 0.0) *limit = drift; /* no noise, or hardly any */
  while (value > 0.0 && low > 1e-12 * drift) {
    high = low;
    value = log_growth(low *= 0.5, &of);
  }
  status = of.status;
  if (status == SGF_OK && low < drift * (1.0 - 1e-8)) status = find_root(&of, low, high, limit, error);
done:
  free(of.weights);
  free(of.Z);
  free(of.start);
  if (status != SGF_OK) *limit = NAN;
  return status;
}
