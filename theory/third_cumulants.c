/* Third cumulants of the weights' fluctuations, in the modes of H at theta*. */
#include "third_cumulants.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion.h"
#include "drift.h"
#include "linear_algebra.h"
#include "memory.h"

/* Step of the central differences, relative to the weights: their error is 1e-8 of a correction of a correction, and for two
 * layers none. */
static const double STEP = 1e-4;
/* Rates of three modes together below this do not relax. */
static const double STANDING = 1e-9;

struct sgf_third_cumulants {
  size_t n;
  double lambda, noise_scale; /* lambda^2 kappa / S */
  double *V, *a;              /* (n, n) modes of H in rows, (n) 1 - lambda h */
  double *T, *slope,
      *skew;               /* (n, n, n) in the modes: T_abc; dC_ab / d theta_d at [d][a][b]; -lambda^3 p_3 E[z z z] */
  double *now, *next;      /* (n, n, n) */
  double *source, *change; /* (n, n, n), S at the start, and its change until the end */
};

void sgf_third_cumulants_free(sgf_third_cumulants *third)
{
  if (third == NULL) return;
  double *arrays[] = {third->V,   third->a,    third->T,      third->slope, third->skew,
                      third->now, third->next, third->source, third->change};
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) free(arrays[k]);
  free(third);
}

/* ------------------------------------------------------------- coefficients */

/* Derivatives of H and of C along every mode, in the modes. */
static sgf_status differentiate(const sgf_problem *problem, sgf_third_cumulants *third, sgf_error *error)
{
  size_t n = third->n;
  double *theta = NULL, *sides = NULL, *work = NULL;
  double step = STEP * sgf_norm(n, problem->theta) / sqrt((double)n);
  sgf_status status;
  SGF_TRY(sgf_new_reals(&theta, n, 1, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&sides, 4 * n, n, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&work, n, n, "third cumulants", error));
  for (size_t d = 0; d < n; d++) {
    for (size_t side = 0; side < 2; side++) {
      double *H = sides + side * n * n, *C = sides + (2 + side) * n * n;
      for (size_t k = 0; k < n; k++) theta[k] = problem->theta[k] + (side == 0 ? step : -step) * third->V[d * n + k];
      SGF_TRY(sgf_hessian(&problem->network, &problem->data, theta, 0.0, H, error));
      SGF_TRY(sgf_noise_covariance(&problem->network, &problem->data, theta, SGF_NOISE_EMPIRICAL, C, error));
    }
    for (size_t k = 0; k < 2 * n * n; k++) {
      double *first = sides + (k / (n * n)) * 2 * n * n + k % (n * n);
      *first = (*first - first[n * n]) / (2.0 * step);
    }
    sgf_into_basis(n, third->V, sides, work, third->T + d * n * n);
    sgf_into_basis(n, third->V, sides + 2 * n * n, work, third->slope + d * n * n);
  }
done:
  free(theta);
  free(sides);
  free(work);
  return status;
}

/* Gradients of the samples in the modes, centred: (P, n). */
static sgf_status centred_gradients(const sgf_problem *problem, const sgf_third_cumulants *third, double **rows,
                                    sgf_error *error)
{
  const sgf_dataset *data = &problem->data;
  size_t n = third->n, P = data->samples;
  double *gradients = NULL, *mean = NULL;
  sgf_dataset one = {0};
  sgf_status status;
  *rows = NULL;
  SGF_TRY(sgf_new_reals(&gradients, P, n, "per-sample gradients", error));
  SGF_TRY(sgf_new_reals(&mean, n, 1, "gradient", error));
  SGF_TRY(sgf_new_reals(rows, P, n, "per-sample gradients", error));
  SGF_TRY(sgf_gradient(&problem->network, data, problem->theta, 0.0, mean, error));
  for (size_t m = 0; m < P; m++) {
    double *gradient = gradients + m * n;
    SGF_TRY(sgf_dataset_from_arrays(1, data->inputs, data->outputs, data->X + m * data->inputs,
                                    data->Y + m * data->outputs, &one, error));
    SGF_TRY(sgf_gradient(&problem->network, &one, problem->theta, 0.0, gradient, error));
    sgf_dataset_free(&one);
    for (size_t k = 0; k < n; k++) gradient[k] -= mean[k];
  }
  sgf_multiply(P, n, n, SGF_PLAIN, gradients, SGF_TRANSPOSED, third->V, *rows);
done:
  sgf_dataset_free(&one);
  free(gradients);
  free(mean);
  return status;
}

/* -lambda^3 p_3 E[z z z]. */
static sgf_status add_skewness(const sgf_problem *problem, sgf_third_cumulants *third, sgf_error *error)
{
  size_t n = third->n, P = problem->data.samples;
  double S = (double)problem->settings.training.batch_size, p = (double)P, share = 1.0 / (S * S);
  double *rows = NULL, *weighted = NULL;
  sgf_status status;
  if (problem->settings.training.sampling == SGF_SAMPLING_WITHOUT_REPLACEMENT)
    share *= P > 2 ? (p - S) * (p - 2.0 * S) / ((p - 1.0) * (p - 2.0)) : 0.0;
  SGF_TRY(centred_gradients(problem, third, &rows, error));
  SGF_TRY(sgf_new_reals(&weighted, P, n, "per-sample gradients", error));
  double scale = -share * third->lambda * third->lambda * third->lambda / p;
  for (size_t a = 0; a < n; a++) {
    for (size_t k = 0; k < P * n; k++) weighted[k] = scale * rows[k] * rows[k - k % n + a];
    sgf_multiply(n, n, P, SGF_TRANSPOSED, weighted, SGF_PLAIN, rows, third->skew + a * n * n);
  }
done:
  free(rows);
  free(weighted);
  return status;
}

static sgf_status find_modes(const sgf_problem *problem, sgf_third_cumulants *third, sgf_error *error)
{
  size_t n = third->n;
  sgf_status status = sgf_hessian(&problem->network, &problem->data, problem->theta,
                                  problem->settings.training.weight_decay, third->V, error);
  if (status == SGF_OK) status = sgf_symmetric_eigen(n, third->V, third->a, "H", error);
  for (size_t k = 0; k < n && status == SGF_OK; k++) third->a[k] = 1.0 - third->lambda * third->a[k];
  return status;
}

sgf_status sgf_third_cumulants_create(const sgf_problem *problem, sgf_third_cumulants **third, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  size_t n = problem->network.weights;
  void *room;
  *third = NULL;
  sgf_status status = sgf_allocate(&room, 1, 1, sizeof **third, "third cumulants", error);
  if (status != SGF_OK) return status;
  sgf_third_cumulants *made = room;
  made->n = n;
  made->lambda = settings->training.learning_rate;
  made->noise_scale =
      made->lambda * made->lambda *
      sgf_noise_strength(problem->data.samples, settings->training.batch_size, settings->training.sampling);
  double **cubes[] = {&made->T, &made->slope, &made->skew, &made->now, &made->next, &made->source, &made->change};
  for (size_t k = 0; k < sizeof cubes / sizeof *cubes; k++)
    SGF_TRY(sgf_new_reals(cubes[k], n * n, n, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&made->V, n, n, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&made->a, n, 1, "third cumulants", error));
  SGF_TRY(find_modes(problem, made, error));
  SGF_TRY(differentiate(problem, made, error));
  SGF_TRY(add_skewness(problem, made, error));
  *third = made;
  return SGF_OK;
done:
  sgf_third_cumulants_free(made);
  return status;
}

/* -------------------------------------------------------------------- motion */

void sgf_third_cumulants_reset(sgf_third_cumulants *third)
{
  memset(third->now, 0, third->n * third->n * third->n * sizeof(double));
  memset(third->next, 0, third->n * third->n * third->n * sizeof(double));
}

void sgf_third_cumulants_accept(sgf_third_cumulants *third)
{
  double *kept = third->now;
  third->now = third->next;
  third->next = kept;
  memcpy(third->next, third->now, third->n * third->n * third->n * sizeof(double));
}

/* cube += weight times the sum of X[c][a][b] over the three places of c; X is symmetric in a and b. */
static void add_three(size_t n, double weight, const double *X, double *cube)
{
  for (size_t a = 0; a < n; a++)
    for (size_t b = 0; b < n; b++)
      for (size_t c = 0; c < n; c++)
        cube[(a * n + b) * n + c] +=
            weight * (X[(c * n + a) * n + b] + X[(a * n + b) * n + c] + X[(b * n + a) * n + c]);
}

/* source += weight S(Sigma). */
static sgf_status add_source(const sgf_third_cumulants *third, double weight, const double *Sigma, double *source,
                             sgf_error *error)
{
  size_t n = third->n;
  double *A_Sigma = NULL, *work = NULL, *each = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&A_Sigma, n, n, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&work, n, n, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&each, n * n, n, "third cumulants", error));
  sgf_into_basis(n, third->V, Sigma, work, A_Sigma);
  for (size_t k = 0; k < n * n; k++) A_Sigma[k] *= third->a[k / n];
  for (size_t c = 0; c < n; c++) { /* T_c between A Sigma on both sides */
    sgf_multiply(n, n, n, SGF_PLAIN, A_Sigma, SGF_PLAIN, third->T + c * n * n, work);
    sgf_multiply(n, n, n, SGF_PLAIN, work, SGF_TRANSPOSED, A_Sigma, each + c * n * n);
  }
  add_three(n, -weight * third->lambda, each, source);
  /* [c][a][b] = sum_d (A Sigma)_cd C'_d,ab */
  sgf_multiply(n, n * n, n, SGF_PLAIN, A_Sigma, SGF_PLAIN, third->slope, each);
  add_three(n, weight * third->noise_scale, each, source);
  cblas_daxpy((int)(n * n * n), weight, third->skew, 1, source, 1);
done:
  free(A_Sigma);
  free(work);
  free(each);
  return status;
}

/* sum_{k < steps} (1 - rate)^k; of infinitely many, 0 for what does not relax. */
static double geometric(double rate, double steps)
{
  if (isinf(steps)) return rate > STANDING ? 1.0 / rate : 0.0;
  if (rate == 0.0) return steps;
  return rate < 1.0 ? -expm1(steps * log1p(-rate)) / rate : (1.0 - pow(1.0 - rate, steps)) / rate;
}

/* sum_{k < steps} k (1 - rate)^{steps - 1 - k}, from `sum` = geometric(rate, steps). */
static double ramp(double rate, double steps, double sum)
{
  return fabs(rate) * steps > 1e-3 ? (steps - sum) / rate : 0.5 * steps * (steps - 1.0);
}

sgf_status sgf_third_cumulants_advance(sgf_third_cumulants *third, double steps, const double *start,
                                       const double *end, sgf_error *error)
{
  size_t n = third->n;
  bool stationary = isinf(steps);
  sgf_status status;
  memset(third->source, 0, n * n * n * sizeof(double));
  memset(third->change, 0, n * n * n * sizeof(double));
  SGF_TRY(add_source(third, 1.0, stationary ? end : start, third->source, error));
  if (!stationary && steps > 1.0) SGF_TRY(add_source(third, 1.0, end, third->change, error));
  for (size_t k = 0; k < n * n * n; k++) {
    double rate = 1.0 - third->a[k / (n * n)] * third->a[k / n % n] * third->a[k % n];
    double sum = geometric(rate, steps);
    if (stationary) {
      third->next[k] = sum * third->source[k];
      continue;
    }
    third->next[k] = (1.0 - rate * sum) * third->now[k] + sum * third->source[k];
    if (steps > 1.0) third->next[k] += ramp(rate, steps, sum) * (third->change[k] - third->source[k]) / steps;
  }
done:
  return status;
}

sgf_status sgf_third_cumulants_noise(const sgf_third_cumulants *third, double *added, sgf_error *error)
{
  size_t n = third->n;
  double *B = NULL, *work = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&B, n, n, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&work, n, n, "third cumulants", error));
  sgf_multiply(n, n, n * n, SGF_PLAIN, third->T, SGF_PLAIN, third->next, B); /* next is [(d, e)][b] */
  for (size_t a = 0; a < n; a++)
    for (size_t b = 0; b < n; b++)
      work[a * n + b] = -0.5 * third->lambda * (B[a * n + b] * third->a[b] + B[b * n + a] * third->a[a]);
  sgf_out_of_basis(n, third->V, work, B, added);
done:
  free(B);
  free(work);
  return status;
}
