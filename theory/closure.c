/* The Gaussian closure: mean and covariance of SGD together, the next order in the learning rate. */
#include "closure.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "averaged_operators.h"
#include "balance.h"
#include "closure_momentum.h"
#include "diffusion.h"
#include "drift.h"
#include "heavy_ball.h"
#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"
#include "third_cumulants.h"

/* Share of the variance that the factor of Sigma may lack: of the corrections, which are small, so much is neglected. */
static const double DROPPED_VARIANCE = 1e-9;
/* The mean counts from this share of a standard deviation on. */
static const double LEAST_DISPLACEMENT = 0.1;
/* An interval is at most so many times as long as the last. */
static const double MOST_GROWTH = 2.5;
/* Of the tolerance, what an interval with momentum may be corrected by, for what is left to be as small as without. */
static const double SHARE_WITH_MOMENTUM = 0.03;
/* Passes until the quasi-stationary state is found, and the change that ends them. */
enum { MOST_PASSES = 500 };
static const double SETTLED = 1e-13, ALMOST_SETTLED = 1e-9;
/* Snapshots whose means are held at a time. */
enum { SNAPSHOT_BLOCK = 256 };

/* What a step does, in the basis: d' = d - lambda (force + drift d), Sigma' = (1 - lambda drift) Sigma (1 - lambda drift) +
 * noise, with coefficients that vary slowly. */
typedef struct {
  double *force; /* (size), of an averaged gradient that is force + drift d */
  double *drift; /* (size, size) */
  double *noise; /* (size, size), lambda^2 (kappa/S) C */
} law;

struct sgf_closure {
  const sgf_problem *problem;
  size_t n, size;
  double *basis;                        /* (size, n), or NULL: all weights */
  double lambda, momentum, noise_scale; /* noise_scale = lambda^2 kappa / S */
  sgf_third_cumulants *third;           /* of several layers without momentum and few weights, else NULL */
  sgf_velocities *velocities;           /* with momentum, else NULL */
  double *mean;                         /* (size) d = m - theta* */
  double *Sigma;                        /* (size, size) */
  double *theta;                        /* (n) m */
  double *gradient;                     /* (n) g(m) + g'':Sigma / 2 of the last evaluation */
  sgf_averaged_operators averaged;
  law before, now, next;       /* at the starts of the last interval and of this one, at the end of this one */
  law between;                 /* of this one: the drift that its modes are of, else room */
  size_t last;                 /* steps of the last interval; 0: none yet */
  double *V, *h;               /* the modes: (size, size), (size) */
  double *in;                  /* Sigma at the start in the modes, (size, size) */
  double *noise, *noise_slope; /* (size, size), in the modes: what a step adds to Sigma is noise + k noise_slope, */
  double *force, *force_slope; /* (size), and from d it takes lambda times drift (d - d_0) + force + k force_slope */
  double *trial_mean;          /* (size) */
  double *turned;              /* (size) the change of the mean in the modes */
  double *trial_Sigma;         /* (size, size) */
  double *work;                /* (size, n) */
};

static sgf_status law_create(size_t size, law *made, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(sgf_new_reals(&made->force, size, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&made->drift, size, size, "closure", error));
  SGF_TRY(sgf_new_reals(&made->noise, size, size, "closure", error));
done:
  return status;
}

static void law_free(law *made)
{
  free(made->force);
  free(made->drift);
  free(made->noise);
}

void sgf_closure_free(sgf_closure *closure)
{
  if (closure == NULL) return;
  double *arrays[] = {closure->basis,    closure->mean,   closure->Sigma,       closure->theta,
                      closure->gradient, closure->V,      closure->h,           closure->noise,
                      closure->in,       closure->force,  closure->trial_mean,  closure->trial_Sigma,
                      closure->work,     closure->turned, closure->noise_slope, closure->force_slope};
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) free(arrays[k]);
  sgf_averaged_operators_free(&closure->averaged);
  law_free(&closure->before);
  law_free(&closure->now);
  law_free(&closure->next);
  law_free(&closure->between);
  sgf_velocities_free(closure->velocities);
  sgf_third_cumulants_free(closure->third);
  free(closure);
}

static sgf_status make_room(sgf_closure *made, sgf_error *error)
{
  size_t n = made->n, size = made->size;
  double **vectors[] = {&made->mean, &made->h, &made->force, &made->force_slope, &made->trial_mean, &made->turned};
  double **matrices[] = {&made->Sigma, &made->V, &made->noise, &made->noise_slope, &made->in, &made->trial_Sigma};
  sgf_status status;
  for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
    SGF_TRY(sgf_new_reals(vectors[k], size, 1, "closure", error));
  for (size_t k = 0; k < sizeof matrices / sizeof *matrices; k++)
    SGF_TRY(sgf_new_reals(matrices[k], size, size, "closure", error));
  SGF_TRY(sgf_new_reals(&made->theta, n, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&made->gradient, n, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&made->work, size, n, "closure", error));
  SGF_TRY(sgf_averaged_operators_create(n, &made->averaged, error));
  SGF_TRY(law_create(size, &made->before, error));
  SGF_TRY(law_create(size, &made->now, error));
  SGF_TRY(law_create(size, &made->next, error));
  SGF_TRY(law_create(size, &made->between, error));
  if (made->momentum > 0.0)
    SGF_TRY(sgf_velocities_create(size, made->lambda, made->momentum, &made->velocities, error));
done:
  return status;
}

void sgf_closure_neglect_skewness(sgf_closure *closure)
{
  sgf_third_cumulants_free(closure->third);
  closure->third = NULL;
}

bool sgf_closure_is_skew(const sgf_problem *problem)
{
  return problem->network.layers > 1 && problem->settings.training.momentum == 0.0 &&
         problem->network.weights <= SGF_MOST_SKEW_WEIGHTS;
}

sgf_status sgf_closure_create(const sgf_problem *problem, size_t size, const double *basis, sgf_closure **closure,
                              sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  double lambda = settings->training.learning_rate;
  void *block;
  *closure = NULL;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **closure, "closure", error);
  if (status != SGF_OK) return status;
  sgf_closure *made = block;
  made->problem = problem;
  made->n = problem->network.weights;
  made->size = basis != NULL ? size : made->n;
  made->lambda = lambda;
  made->momentum = settings->training.momentum;
  made->noise_scale =
      lambda * lambda *
      sgf_noise_strength(problem->data.samples, settings->training.batch_size, settings->training.sampling);
  SGF_TRY(make_room(made, error));
  if (basis != NULL) {
    SGF_TRY(sgf_new_reals(&made->basis, size, made->n, "closure", error));
    memcpy(made->basis, basis, size * made->n * sizeof *basis);
  }
  if (sgf_closure_is_skew(problem)) SGF_TRY(sgf_third_cumulants_create(problem, &made->third, error));
  *closure = made;
  return SGF_OK;
done:
  sgf_closure_free(made);
  return status;
}

const double *sgf_closure_mean(const sgf_closure *closure) { return closure->mean; }

const double *sgf_closure_covariance(const sgf_closure *closure) { return closure->Sigma; }

/* --------------------------------------------------------------- coefficients */

/* Rows l_k (rank, size) with Sigma = sum_k l_k l_k^T but for a share of the variance; allocated here. */
static sgf_status factorize(size_t size, const double *Sigma, size_t *rank, double **factor, sgf_error *error)
{
  double *L = NULL, trace = sgf_trace(size, Sigma);
  lapack_int *order = NULL, found = 0;
  void *block = NULL;
  sgf_status status;
  *rank = 0;
  *factor = NULL;
  if (!isfinite(trace))
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "the closure's covariance is not finite: trace %g", trace);
  SGF_TRY(sgf_new_reals(&L, size, size, "factor of the covariance", error));
  SGF_TRY(sgf_allocate(&block, size, 1, sizeof *order, "factor of the covariance", error));
  order = block;
  memcpy(L, Sigma, size * size * sizeof *L);
  if (trace > 0.0 && LAPACKE_dpstrf(LAPACK_COL_MAJOR, 'L', (lapack_int)size, L, (lapack_int)size, order, &found,
                                    DROPPED_VARIANCE * trace / (double)size) < 0)
    SGF_TRY(sgf_fail(error, SGF_ERROR_NUMERICAL, "no factor of the closure's covariance"));
  SGF_TRY(sgf_new_reals(factor, (size_t)found, size, "factor of the covariance", error));
  for (size_t k = 0; k < (size_t)found; k++)
    for (size_t i = k; i < size; i++) (*factor)[k * size + (size_t)order[i] - 1] = L[k * size + i];
  *rank = (size_t)found;
done:
  free(L);
  free(block);
  return status;
}

/* The same of a Sigma that need not be positive: third cumulants may leave what hardly fluctuates below zero. The modes above
 * zero. */
static sgf_status factorize_by_modes(size_t size, const double *Sigma, size_t *rank, double **factor,
                                     sgf_error *error)
{
  double *V = NULL, *values = NULL, trace = sgf_trace(size, Sigma);
  sgf_status status;
  *rank = 0;
  *factor = NULL;
  if (!isfinite(trace))
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "the closure's covariance is not finite: trace %g", trace);
  SGF_TRY(sgf_new_reals(&V, size, size, "factor of the covariance", error));
  SGF_TRY(sgf_new_reals(&values, size, 1, "factor of the covariance", error));
  memcpy(V, Sigma, size * size * sizeof *V);
  SGF_TRY(sgf_symmetric_eigen(size, V, values, "the closure's covariance", error));
  while (*rank < size && values[size - 1 - *rank] > DROPPED_VARIANCE * trace / (double)size) ++*rank;
  size_t first = size - *rank;
  SGF_TRY(sgf_new_reals(factor, *rank, size, "factor of the covariance", error));
  for (size_t k = 0; k < *rank * size; k++) (*factor)[k] = sqrt(values[first + k / size]) * V[first * size + k];
done:
  free(V);
  free(values);
  return status;
}

/* rows (count, size) times the basis: (count, n). */
static void out_of_basis(const sgf_closure *closure, size_t count, const double *rows, double *weights)
{
  if (closure->basis == NULL)
    memcpy(weights, rows, count * closure->n * sizeof *weights);
  else
    sgf_multiply(count, closure->n, closure->size, SGF_PLAIN, rows, SGF_PLAIN, closure->basis, weights);
}

/* scale B A B^T of an A (n, n), B the basis; work of the closure. */
static void into_basis(const sgf_closure *closure, double scale, const double *A, double *inside)
{
  size_t n = closure->n, size = closure->size;
  if (closure->basis == NULL) {
    memcpy(inside, A, n * n * sizeof *A);
  } else {
    sgf_multiply(size, n, n, SGF_PLAIN, closure->basis, SGF_PLAIN, A, closure->work);
    sgf_multiply(size, size, n, SGF_PLAIN, closure->work, SGF_TRANSPOSED, closure->basis, inside);
    sgf_symmetrize(size, inside);
  }
  cblas_dscal((int)(size * size), scale, inside, 1);
}

static void vector_into_basis(const sgf_closure *closure, const double *vector, double *inside)
{
  if (closure->basis == NULL)
    memcpy(inside, vector, closure->n * sizeof *inside);
  else
    sgf_multiply(closure->size, 1, closure->n, SGF_PLAIN, closure->basis, SGF_PLAIN, vector, inside);
}

/* theta = theta* + d in the weights. */
static void set_theta(sgf_closure *closure, const double *mean)
{
  out_of_basis(closure, 1, mean, closure->theta);
  for (size_t k = 0; k < closure->n; k++) closure->theta[k] += closure->problem->theta[k];
}

/* The part of the averaged gradient (size) that is not drift times the mean, which is added to it or taken away. */
static void add_drift_times(const sgf_closure *closure, double scale, const double *drift, const double *mean,
                            double *force)
{
  cblas_dsymv(CblasRowMajor, CblasLower, (int)closure->size, scale, drift, (int)closure->size, mean, 1, 1.0, force,
              1);
}

/* What steps do at (mean, Sigma). */
static sgf_status evaluate(sgf_closure *closure, const double *mean, const double *Sigma, law *at, sgf_error *error)
{
  const sgf_problem *problem = closure->problem;
  size_t rank;
  double *inside = NULL, *factor = NULL;
  sgf_status status;
  if (closure->third != NULL)
    SGF_TRY(factorize_by_modes(closure->size, Sigma, &rank, &inside, error));
  else
    SGF_TRY(factorize(closure->size, Sigma, &rank, &inside, error));
  SGF_TRY(sgf_new_reals(&factor, rank, closure->n, "factor of the covariance", error));
  out_of_basis(closure, rank, inside, factor);
  set_theta(closure, mean);
  SGF_TRY(sgf_average_operators(&problem->network, &problem->data, problem->settings.training.weight_decay,
                                closure->theta, rank, factor, &closure->averaged, error));
  memcpy(closure->gradient, closure->averaged.gradient, closure->n * sizeof(double));
  vector_into_basis(closure, closure->gradient, at->force);
  into_basis(closure, 1.0, closure->averaged.hessian, at->drift);
  into_basis(closure, closure->noise_scale, closure->averaged.noise, at->noise);
  add_drift_times(closure, -1.0, at->drift, mean, at->force);
  if (!isfinite(sgf_norm(closure->size, at->force)))
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "the closure's mean is not finite");
done:
  free(inside);
  free(factor);
  return status;
}

/* whole (n, n) = B^T Sigma B, B the basis. */
static sgf_status covariance_of_weights(const sgf_closure *closure, const double *Sigma, double *whole,
                                        sgf_error *error)
{
  size_t n = closure->n, size = closure->size;
  double *half;
  if (closure->basis == NULL) {
    memcpy(whole, Sigma, n * n * sizeof *Sigma);
    return SGF_OK;
  }
  sgf_status status = sgf_new_reals(&half, size, n, "third cumulants", error);
  if (status != SGF_OK) return status;
  sgf_multiply(size, n, size, SGF_PLAIN, Sigma, SGF_PLAIN, closure->basis, half);
  sgf_multiply(n, n, size, SGF_TRANSPOSED, closure->basis, SGF_PLAIN, half, whole);
  sgf_symmetrize(n, whole);
  free(half);
  return SGF_OK;
}

/* After so many steps, from the closure's Sigma to this one, what the third cumulants add to the noise of a law; infinitely
 * many: stationary. */
static sgf_status add_skewness(sgf_closure *closure, double steps, const double *Sigma, law *at, sgf_error *error)
{
  size_t n = closure->n, size = closure->size;
  double *whole = NULL, *inside = NULL;
  sgf_status status;
  if (closure->third == NULL) return SGF_OK;
  SGF_TRY(sgf_new_reals(&whole, 2 * n, n, "third cumulants", error));
  SGF_TRY(sgf_new_reals(&inside, size, size, "third cumulants", error));
  SGF_TRY(covariance_of_weights(closure, closure->Sigma, whole, error));
  SGF_TRY(covariance_of_weights(closure, Sigma, whole + n * n, error));
  SGF_TRY(sgf_third_cumulants_advance(closure->third, steps, whole, whole + n * n, error));
  SGF_TRY(sgf_third_cumulants_noise(closure->third, whole, error));
  into_basis(closure, 1.0, whole, inside);
  for (size_t k = 0; k < size * size; k++) at->noise[k] += inside[k];
done:
  free(whole);
  free(inside);
  return status;
}

/* A law at the mean `from` with g as it is at `to`: the averages' part of the force varies slowly, g does not. */
static sgf_status move_gradient(sgf_closure *closure, const double *from, const double *to, law *at, sgf_error *error)
{
  const sgf_problem *problem = closure->problem;
  size_t n = closure->n, size = closure->size;
  double *gradients = NULL, *difference = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&gradients, 2, n, "gradient", error));
  SGF_TRY(sgf_new_reals(&difference, size, 1, "gradient", error));
  for (int k = 0; k < 2; k++) {
    set_theta(closure, k == 0 ? from : to);
    SGF_TRY(sgf_gradient(&problem->network, &problem->data, closure->theta, problem->settings.training.weight_decay,
                         gradients + (size_t)k * n, error));
  }
  for (size_t k = 0; k < n; k++) gradients[k] = gradients[n + k] - gradients[k];
  vector_into_basis(closure, gradients, difference);
  for (size_t k = 0; k < size; k++) {
    at->force[k] += difference[k];
    difference[k] = to[k] - from[k];
  }
  add_drift_times(closure, -1.0, at->drift, difference, at->force);
done:
  free(gradients);
  free(difference);
  return status;
}

/* -------------------------------------------------------------- propagation */

/* out = (1 - lambda A) Sigma (1 - lambda A) - (1 - lambda B) Sigma (1 - lambda B) + noise for the drifts A and B; work of the
 * closure. */
static void noise_beside(sgf_closure *closure, const law *at, const double *drift, const double *Sigma, double *out)
{
  size_t size = closure->size;
  double *D = closure->in, *middle = closure->V, lambda = closure->lambda;
  for (size_t k = 0; k < size * size; k++) {
    D[k] = -lambda * (at->drift[k] - drift[k]);
    middle[k] = -0.5 * lambda * (at->drift[k] + drift[k]);
  }
  for (size_t i = 0; i < size; i++) middle[i * (size + 1)] += 1.0;
  sgf_multiply(size, size, size, SGF_PLAIN, D, SGF_PLAIN, Sigma, closure->work);
  sgf_multiply(size, size, size, SGF_PLAIN, closure->work, SGF_PLAIN, middle, out);
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j <= i; j++)
      out[i * size + j] = out[j * size + i] = out[i * size + j] + out[j * size + i] + at->noise[i * size + j];
}

/* The force beside the drift `between` (d - d_0), d_0 the mean of the closure, at the mean d. */
static void force_beside(const sgf_closure *closure, const law *at, const double *d, double *force)
{
  memcpy(force, at->force, closure->size * sizeof *force);
  add_drift_times(closure, 1.0, at->drift, d, force);
  add_drift_times(closure, -1.0, closure->between.drift, d, force);
  add_drift_times(closure, 1.0, closure->between.drift, closure->mean, force);
}

/* Into the modes of a drift: Sigma, noise and force. Its memory is that of the modes. */
static sgf_status into_modes(sgf_closure *closure, const double *drift, sgf_error *error)
{
  size_t size = closure->size;
  memcpy(closure->V, drift, size * size * sizeof(double));
  sgf_status status = sgf_symmetric_eigen(size, closure->V, closure->h, "the closure's drift", error);
  if (status != SGF_OK) return status;
  double *matrices[] = {closure->noise, closure->noise_slope}, *vectors[] = {closure->force, closure->force_slope};
  for (int k = 0; k < 2; k++) {
    sgf_into_basis(size, closure->V, matrices[k], closure->work, matrices[k]);
    sgf_multiply(size, 1, size, SGF_PLAIN, closure->V, SGF_PLAIN, vectors[k], closure->turned);
    memcpy(vectors[k], closure->turned, size * sizeof(double));
  }
  sgf_into_basis(size, closure->V, closure->Sigma, closure->work, closure->in);
  return SGF_OK;
}

/* The same with momentum, without what the drift at either end does to the covariances beyond that of the middle. */
static sgf_status make_modes_of_states(sgf_closure *closure, size_t steps, const double *mean, sgf_error *error)
{
  size_t size = closure->size;
  double share = 0.5 * (double)(steps - 1) / (double)steps; /* the mean over the starts of the steps; one is exact */
  const law *now = &closure->now, *next = &closure->next;
  double *drift = closure->between.drift;
  for (size_t k = 0; k < size * size; k++) {
    drift[k] = (1.0 - share) * now->drift[k] + share * next->drift[k];
    closure->noise[k] = now->noise[k];
    closure->noise_slope[k] = (next->noise[k] - now->noise[k]) / (double)steps;
  }
  force_beside(closure, now, closure->mean, closure->force);
  force_beside(closure, next, mean, closure->force_slope);
  for (size_t i = 0; i < size; i++)
    closure->force_slope[i] = (closure->force_slope[i] - closure->force[i]) / (double)steps;
  return into_modes(closure, drift, error);
}

/* Prepare to go `steps` from the state of the closure, with coefficients that change from those of `now` to those of
 * `next`, in the modes of the mean drift; what the drift at either end does beyond that enters as noise and force,
 * which vary linearly. (mean, Sigma) is the state at the end, as far as it is known. */
static sgf_status make_modes(sgf_closure *closure, size_t steps, const double *mean, const double *Sigma,
                             sgf_error *error)
{
  size_t size = closure->size;
  law *between = &closure->between;
  if (closure->velocities != NULL) return make_modes_of_states(closure, steps, mean, error);
  for (size_t k = 0; k < size * size; k++) between->drift[k] = 0.5 * (closure->now.drift[k] + closure->next.drift[k]);
  noise_beside(closure, &closure->now, between->drift, closure->Sigma, closure->noise);
  noise_beside(closure, &closure->next, between->drift, Sigma, closure->noise_slope);
  force_beside(closure, &closure->now, closure->mean, closure->force);
  force_beside(closure, &closure->next, mean, closure->force_slope);
  for (size_t k = 0; k < size * size; k++)
    closure->noise_slope[k] = (closure->noise_slope[k] - closure->noise[k]) / (double)steps;
  for (size_t i = 0; i < size; i++)
    closure->force_slope[i] = (closure->force_slope[i] - closure->force[i]) / (double)steps;
  return into_modes(closure, between->drift, error);
}

/* sum_{k<m} a^k for a = 1 - rate: accurate for small rates, of either sign. */
static double geometric_sum(double rate, double m)
{
  if (rate == 0.0) return m;
  if (rate < 1.0) return -expm1(m * log1p(-rate)) / rate;
  return (1.0 - pow(1.0 - rate, m)) / rate;
}

/* 1 - a_i a_j for a = 1 - lambda h. */
static double pair_rate(const sgf_closure *closure, size_t i, size_t j)
{
  double rate_i = closure->lambda * closure->h[i], rate_j = closure->lambda * closure->h[j];
  return rate_i + rate_j - rate_i * rate_j;
}

/* sum_{k<t} k a^{t-1-k} for a = 1 - rate, from `sum` = sum_{k<t} a^k. */
static double ramp_sum(double rate, double t, double sum)
{
  if (fabs(rate) * t > 1e-3) return (t - sum) / rate;
  double pairs = 0.5 * t * (t - 1.0), triples = pairs * (t - 2.0) / 3.0, fours = 0.25 * triples * (t - 3.0);
  return pairs - rate * (triples - rate * (fours - rate * 0.2 * fours * (t - 4.0)));
}

static sgf_mode_law mode_law(const sgf_closure *closure)
{
  return (sgf_mode_law){closure->V,           closure->h,     closure->in,         closure->noise,
                        closure->noise_slope, closure->force, closure->force_slope};
}

/* Out of the modes: Sigma, and the mean that has moved by `turned`. */
static void out_of_modes(sgf_closure *closure, double *mean, double *Sigma)
{
  size_t size = closure->size;
  sgf_out_of_basis(size, closure->V, Sigma, closure->work, Sigma);
  sgf_multiply(size, 1, size, SGF_TRANSPOSED, closure->V, SGF_PLAIN, closure->turned, mean);
  for (size_t i = 0; i < size; i++) mean[i] += closure->mean[i];
}

/* Mean and covariance after so many steps from those of the closure, in the modes that were made; `keep` where it may go on
 * from. Errors: SGF_ERROR_MEMORY. */
static sgf_status propagate(sgf_closure *closure, double steps, bool keep, double *mean, double *Sigma,
                            sgf_error *error)
{
  size_t size = closure->size;
  if (closure->velocities != NULL) {
    sgf_mode_law modes = mode_law(closure);
    sgf_status status =
        sgf_velocities_propagate(closure->velocities, &modes, (size_t)steps, keep, closure->turned, Sigma, error);
    if (status == SGF_OK) out_of_modes(closure, mean, Sigma);
    return status;
  }
  for (size_t i = 0; i < size; i++) {
    for (size_t j = 0; j <= i; j++) {
      size_t k = i * size + j;
      double rate = pair_rate(closure, i, j), sum = geometric_sum(rate, steps);
      Sigma[k] = Sigma[j * size + i] = (1.0 - rate * sum) * closure->in[k] + sum * closure->noise[k] +
                                       ramp_sum(rate, steps, sum) * closure->noise_slope[k];
    }
    double rate = closure->lambda * closure->h[i], sum = geometric_sum(rate, steps);
    closure->turned[i] =
        -closure->lambda * (sum * closure->force[i] + ramp_sum(rate, steps, sum) * closure->force_slope[i]);
  }
  out_of_modes(closure, mean, Sigma);
  return SGF_OK;
}

/* Snapshots within an interval: so many steps from its start to the first, and between them; powers (4), the means of t,
 * t^2, t^3 and t^4 over them. */
typedef struct {
  double first, stride, count, powers[4];
} snapshots;

/* The means over the snapshots of sum_{k<t} a^k and of sum_{k<t} k a^{t-1-k}, a = 1 - rate. */
static void mean_sums(double rate, const snapshots *at, double *sum, double *ramp)
{
  double last = at->first + at->stride * (at->count - 1.0), x = 1.0 - rate;
  const double *t = at->powers;
  if (fabs(rate) * last > 1e-3) {
    *sum = (1.0 - sgf_mean_power(x, x > 0.0 ? log1p(-rate) : 0.0, at->first, at->stride, at->count)) / rate;
    *ramp = (t[0] - *sum) / rate;
    return;
  }
  /* by the means of t (t - 1) / 2 and so on */
  double pairs = 0.5 * (t[1] - t[0]), triples = (t[2] - 3.0 * t[1] + 2.0 * t[0]) / 6.0;
  double fours = (t[3] - 6.0 * t[2] + 11.0 * t[1] - 6.0 * t[0]) / 24.0;
  *sum = t[0] - rate * (pairs - rate * (triples - rate * fours));
  *ramp = pairs - rate * (triples - rate * fours);
}

typedef struct {
  const sgf_plan *plan;
  double *second, *mean;  /* (size, size), (size): sums so far, to be the averages at the end */
  sgf_closure_path *path; /* or NULL */
  double *hessian;        /* (n, n) at theta*, for the path */
} window;

/* Add the covariances at the snapshots, weighted; that at the start, in the modes, is overwritten. */
static void add_covariances(sgf_closure *closure, const snapshots *at, double weight, double *second)
{
  size_t size = closure->size;
  double *all = closure->in, sum, ramp;
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j <= i; j++) {
      size_t k = i * size + j;
      double rate = pair_rate(closure, i, j);
      mean_sums(rate, at, &sum, &ramp);
      all[k] = all[j * size + i] =
          (1.0 - rate * sum) * all[k] + sum * closure->noise[k] + ramp * closure->noise_slope[k];
    }
  sgf_out_of_basis(size, closure->V, all, closure->work, all);
  cblas_daxpy((int)(size * size), weight * at->count, all, 1, second, 1);
}

/* Add the means at the snapshots, and their squares. */
static sgf_status add_means(sgf_closure *closure, const snapshots *at, double weight, const window *into,
                            sgf_error *error)
{
  size_t size = closure->size, count = (size_t)at->count;
  size_t most = count < SNAPSHOT_BLOCK ? count : SNAPSHOT_BLOCK;
  double *turned;
  sgf_status status = sgf_new_reals(&turned, 2 * most, size, "means at snapshots", error);
  if (status != SGF_OK) return status;
  double *means = turned + most * size;
  for (size_t done = 0; done < count; done += most) {
    size_t rows = count - done < most ? count - done : most;
    for (size_t k = 0; k < rows; k++)
      for (size_t i = 0; i < size; i++) {
        double t = at->first + at->stride * (double)(done + k), rate = closure->lambda * closure->h[i];
        double sum = geometric_sum(rate, t);
        turned[k * size + i] =
            -closure->lambda * (sum * closure->force[i] + ramp_sum(rate, t, sum) * closure->force_slope[i]);
      }
    sgf_multiply(rows, size, size, SGF_PLAIN, turned, SGF_PLAIN, closure->V, means);
    for (size_t k = 0; k < rows; k++)
      for (size_t i = 0; i < size; i++) {
        means[k * size + i] += closure->mean[i];
        into->mean[i] += weight * means[k * size + i];
      }
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)size, (int)rows, weight, means, (int)size, 1.0,
                into->second, (int)size);
  }
  free(turned);
  return SGF_OK;
}

/* Both with momentum. */
static sgf_status add_moving(sgf_closure *closure, const snapshots *at, double weight, const window *into,
                             sgf_error *error)
{
  size_t size = closure->size, count = (size_t)at->count;
  sgf_mode_law modes = mode_law(closure);
  double *sum = NULL, *moved = NULL, *means = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&sum, size, size, "moments at snapshots", error));
  SGF_TRY(sgf_new_reals(&moved, count, size, "means at snapshots", error));
  SGF_TRY(sgf_new_reals(&means, count, size, "means at snapshots", error));
  SGF_TRY(sgf_velocities_snapshots(closure->velocities, &modes, (size_t)at->first, (size_t)at->stride, count, sum,
                                   moved, error));
  sgf_out_of_basis(size, closure->V, sum, closure->work, sum);
  cblas_daxpy((int)(size * size), weight, sum, 1, into->second, 1);
  sgf_multiply(count, size, size, SGF_PLAIN, moved, SGF_PLAIN, closure->V, means);
  for (size_t k = 0; k < count; k++)
    for (size_t i = 0; i < size; i++) {
      means[k * size + i] += closure->mean[i];
      into->mean[i] += weight * means[k * size + i];
    }
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)size, (int)count, weight, means, (int)size, 1.0,
              into->second, (int)size);
done:
  free(sum);
  free(moved);
  free(means);
  return status;
}

/* Snapshots of the plan before and up to a step. */
static size_t snapshots_until(const sgf_plan *plan, size_t step)
{
  size_t all = plan->window_steps / plan->stride, taken = 0;
  if (step > plan->burn_in_steps) taken = (step - plan->burn_in_steps) / plan->stride;
  return taken < all ? taken : all;
}

/* Mean of the balance of every hidden layer, less that at theta*, with mean and Sigma: Sigma enters as C does into its
 * drift. */
static sgf_status mean_balances(sgf_closure *closure, const double *mean, const double *Sigma, double *balances,
                                sgf_error *error)
{
  const sgf_network *network = &closure->problem->network;
  double gross, *work;
  sgf_status status = SGF_OK;
  set_theta(closure, mean);
  for (size_t l = 1; l < network->layers && status == SGF_OK; l++) {
    size_t size = network->widths[l] * network->widths[l];
    status = sgf_new_reals(&work, 2, size, "balance", error);
    if (status != SGF_OK) break;
    sgf_balance_drift(network, Sigma, 1.0, l, balances, &gross);
    sgf_balance(network, closure->theta, l, work);
    sgf_balance(network, closure->problem->theta, l, work + size);
    for (size_t k = 0; k < size; k++) balances[k] += work[k] - work[size + k];
    balances += size;
    free(work);
  }
  return status;
}

/* The points of the path within the interval of `steps` from step `done` on, by the law whose modes were made. */
static sgf_status add_points(sgf_closure *closure, size_t done, size_t steps, const window *into, sgf_error *error)
{
  const sgf_network *network = &closure->problem->network;
  sgf_closure_path *path = into->path;
  double whole = (double)(into->plan->burn_in_steps + into->plan->window_steps), *mean = NULL, *Sigma = NULL;
  size_t balances = 0;
  sgf_status status;
  for (size_t l = 1; l < network->layers; l++) balances += network->widths[l] * network->widths[l];
  SGF_TRY(sgf_new_reals(&mean, closure->size, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&Sigma, closure->size, closure->size, "closure", error));
  for (size_t k = 0; k < path->points; k++) {
    double after = ceil(whole * (double)(k + 1) / (double)path->points) - (double)done;
    if (!(after > 0.0 && after <= (double)steps)) continue;
    SGF_TRY(propagate(closure, after, false, mean, Sigma, error));
    SGF_TRY(mean_balances(closure, mean, Sigma, path->balance + k * balances, error));
  }
done:
  free(mean);
  free(Sigma);
  return status;
}

/* <delta . g> - <delta . H delta> with the mean and Sigma that a law is at. */
static double anharmonic_part(const sgf_closure *closure, const double *hessian, const law *at, const double *mean,
                              const double *Sigma)
{
  size_t size = closure->size;
  return sgf_dot(size, mean, at->force) + sgf_quadratic_form(size, at->drift, mean) -
         sgf_quadratic_form(size, hessian, mean) + sgf_dot(size * size, Sigma, at->drift) -
         sgf_dot(size * size, Sigma, hessian);
}

/* The path within an interval that was accepted, and what of <delta . g> is not harmonic: the mean of both ends. */
static sgf_status add_path(sgf_closure *closure, size_t done, size_t steps, const window *into, sgf_error *error)
{
  const sgf_plan *plan = into->plan;
  size_t taken = snapshots_until(plan, done + steps) - snapshots_until(plan, done);
  double share = (double)taken / (double)(plan->window_steps / plan->stride);
  if (share > 0.0)
    into->path->anharmonic +=
        0.5 * share *
        (anharmonic_part(closure, into->hessian, &closure->now, closure->mean, closure->Sigma) +
         anharmonic_part(closure, into->hessian, &closure->next, closure->trial_mean, closure->trial_Sigma));
  return add_points(closure, done, steps, into, error);
}

/* Add what the snapshots within the interval of `steps` from step `done` on show, by the law whose modes were made and
 * which are spent then. */
static sgf_status add_snapshots(sgf_closure *closure, size_t done, size_t steps, const window *into, sgf_error *error)
{
  const sgf_plan *plan = into->plan;
  size_t before = snapshots_until(plan, done), after = snapshots_until(plan, done + steps);
  if (after == before) return SGF_OK;
  snapshots at = {(double)(plan->burn_in_steps + (before + 1) * plan->stride - done),
                  (double)plan->stride,
                  (double)(after - before),
                  {0.0}};
  for (size_t k = 0; k < after - before; k++) {
    double t = at.first + at.stride * (double)k, power = 1.0 / at.count;
    for (size_t e = 0; e < 4; e++) at.powers[e] += power *= t;
  }
  double weight = 1.0 / (double)(plan->window_steps / plan->stride);
  if (closure->velocities != NULL) return add_moving(closure, &at, weight, into, error);
  add_covariances(closure, &at, weight, into->second);
  return add_means(closure, &at, weight, into, error);
}

/* How much (mean, Sigma) differ from others, relative to these. */
static double change(size_t size, const double *mean, const double *Sigma, const double *other_mean,
                     const double *other_Sigma)
{
  double of_Sigma = 0.0, of_mean = 0.0, norm = sgf_norm(size * size, other_Sigma);
  double length = sgf_norm(size, other_mean), deviation = sqrt(fmax(sgf_trace(size, other_Sigma), 0.0));
  for (size_t k = 0; k < size * size; k++) of_Sigma += (Sigma[k] - other_Sigma[k]) * (Sigma[k] - other_Sigma[k]);
  for (size_t k = 0; k < size; k++) of_mean += (mean[k] - other_mean[k]) * (mean[k] - other_mean[k]);
  double largest = norm > 0.0 ? sqrt(of_Sigma) / norm : 0.0, scale = length + LEAST_DISPLACEMENT * deviation;
  return fmax(largest, scale > 0.0 ? sqrt(of_mean) / scale : 0.0);
}

static void swap(double **a, double **b)
{
  double *kept = *a;
  *a = *b;
  *b = kept;
}

/* The coefficients at the end of an interval, extrapolated from those at the starts of this one and the last. */
static void extrapolate(sgf_closure *closure, size_t steps)
{
  size_t size = closure->size;
  double share = closure->last > 0 ? (double)steps / (double)closure->last : 0.0;
  const law *before = &closure->before, *now = &closure->now, *next = &closure->next;
  for (size_t k = 0; k < size * size; k++) {
    next->drift[k] = now->drift[k] + share * (now->drift[k] - before->drift[k]);
    next->noise[k] = now->noise[k] + share * (now->noise[k] - before->noise[k]);
  }
  for (size_t i = 0; i < size; i++) next->force[i] = now->force[i] + share * (now->force[i] - before->force[i]);
}

/* reach (1 + size, size): mean and covariance that the velocities lead to from the end of the last propagation. */
static sgf_status reach_of(const sgf_closure *closure, const double *mean, const double *Sigma, double **reach,
                           sgf_error *error)
{
  size_t size = closure->size;
  sgf_status status = sgf_new_reals(reach, 1 + size, size, "closure", error);
  if (status != SGF_OK) return status;
  memcpy(*reach, mean, size * sizeof *mean);
  memcpy(*reach + size, Sigma, size * size * sizeof *Sigma);
  sgf_velocities_reach(closure->velocities, *reach, *reach + size);
  return SGF_OK;
}

/* Try so many steps: predicted with extrapolated coefficients, corrected with those at the predicted end. On return
 * trial_mean and trial_Sigma are the corrected ones, the modes are those that lead there, and *moved is how much was
 * corrected. One step is exact. */
static sgf_status try_interval(sgf_closure *closure, size_t steps, double *moved, sgf_error *error)
{
  double *mean = NULL, *Sigma = NULL, *reach = NULL, *now = NULL;
  size_t size = closure->size;
  sgf_status status;
  *moved = 0.0;
  extrapolate(closure, steps);
  SGF_TRY(make_modes(closure, steps, closure->mean, closure->Sigma, error));
  SGF_TRY(propagate(closure, (double)steps, true, closure->trial_mean, closure->trial_Sigma, error));
  SGF_TRY(evaluate(closure, closure->trial_mean, closure->trial_Sigma, &closure->next, error));
  SGF_TRY(add_skewness(closure, (double)steps, closure->trial_Sigma, &closure->next, error));
  if (steps == 1) goto done;
  SGF_TRY(sgf_new_reals(&mean, size, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&Sigma, size, size, "closure", error));
  swap(&mean, &closure->trial_mean);
  swap(&Sigma, &closure->trial_Sigma);
  SGF_TRY(make_modes(closure, steps, mean, Sigma, error));
  if (closure->velocities != NULL) SGF_TRY(reach_of(closure, mean, Sigma, &reach, error));
  SGF_TRY(propagate(closure, (double)steps, true, closure->trial_mean, closure->trial_Sigma, error));
  if (closure->velocities != NULL) SGF_TRY(reach_of(closure, closure->trial_mean, closure->trial_Sigma, &now, error));
  *moved = reach == NULL ? change(size, mean, Sigma, closure->trial_mean, closure->trial_Sigma)
                         : change(size, reach, reach + size, now, now + size);
  SGF_TRY(move_gradient(closure, mean, closure->trial_mean, &closure->next, error));
done:
  free(mean);
  free(Sigma);
  free(reach);
  free(now);
  return status;
}

/* The interval that follows one of `steps` that was corrected by `moved`, or replaces it: what is corrected grows as its
 * third power. */
static size_t next_interval(size_t steps, double moved, double tolerance)
{
  double factor = moved > 0.0 ? 0.8 * cbrt(tolerance / moved) : MOST_GROWTH;
  return (size_t)fmax(1.0, floor((double)steps * fmin(fmax(factor, 0.2), MOST_GROWTH) + 0.5));
}

/* Go over an interval that was tried. */
static void accept(sgf_closure *closure, size_t steps)
{
  law kept = closure->before;
  swap(&closure->mean, &closure->trial_mean);
  swap(&closure->Sigma, &closure->trial_Sigma);
  if (closure->velocities != NULL) sgf_velocities_accept(closure->velocities);
  if (closure->third != NULL) sgf_third_cumulants_accept(closure->third);
  closure->before = closure->now;
  closure->now = closure->next;
  closure->next = kept;
  closure->last = steps;
}

static sgf_status run(sgf_closure *closure, size_t steps, double tolerance, const window *into, sgf_error *error)
{
  size_t done = 0, size = closure->size, interval = 1;
  double moved;
  sgf_status status;
  if (closure->velocities != NULL) tolerance *= SHARE_WITH_MOMENTUM;
  SGF_TRY(evaluate(closure, closure->mean, closure->Sigma, &closure->now, error));
  SGF_TRY(add_skewness(closure, 0.0, closure->Sigma, &closure->now, error));
  closure->last = 0;
  if (into != NULL && into->path != NULL)
    memcpy(into->hessian, closure->now.drift, size * size * sizeof(double)); /* Sigma is 0 at the start */
  while (done < steps) {
    if (interval > steps - done) interval = steps - done;
    SGF_TRY(try_interval(closure, interval, &moved, error));
    if (!(moved <= tolerance) && interval > 1) {
      size_t shorter = next_interval(interval, moved, tolerance);
      interval = shorter < interval ? shorter : interval - 1;
      continue;
    }
    if (into != NULL && into->path != NULL) SGF_TRY(add_path(closure, done, interval, into, error));
    if (into != NULL) SGF_TRY(add_snapshots(closure, done, interval, into, error));
    accept(closure, interval);
    done += interval;
    if (tolerance > 0.0) interval = interval == 1 ? 2 : next_interval(interval, moved, tolerance);
  }
done:
  return status;
}

sgf_status sgf_closure_advance(sgf_closure *closure, size_t steps, double tolerance, sgf_error *error)
{
  return run(closure, steps, tolerance, NULL, error);
}

sgf_status sgf_closure_window(sgf_closure *closure, const sgf_plan *plan, double tolerance, double *second,
                              double *mean, sgf_closure_path *path, sgf_error *error)
{
  size_t size = closure->size;
  window into = {plan, second, mean, path, NULL};
  sgf_status status;
  memset(second, 0, size * size * sizeof *second);
  memset(mean, 0, size * sizeof *mean);
  memset(closure->mean, 0, size * sizeof *mean);
  memset(closure->Sigma, 0, size * size * sizeof *second);
  if (closure->velocities != NULL) sgf_velocities_rest(closure->velocities);
  if (closure->third != NULL) sgf_third_cumulants_reset(closure->third);
  if (path != NULL) {
    path->anharmonic = 0.0;
    SGF_TRY(sgf_new_reals(&into.hessian, size, size, "Hessian", error));
  }
  SGF_TRY(run(closure, plan->burn_in_steps + plan->window_steps, tolerance, &into, error));
  sgf_mirror(size, second); /* both parts have the lower triangle */
done:
  free(into.hessian);
  if (status == SGF_OK) return SGF_OK;
  sgf_fill_nan(size * size, second);
  sgf_fill_nan(size, mean);
  return status;
}

/* ------------------------------------------------------- quasi-stationary state */

/* Mean and covariance that the law leaves as they are, into the trial. */
static sgf_status settle_once(sgf_closure *closure, sgf_error *error)
{
  size_t size = closure->size;
  memcpy(closure->noise, closure->now.noise, size * size * sizeof(double));
  memcpy(closure->force, closure->now.force, size * sizeof(double));
  sgf_status status = into_modes(closure, closure->now.drift, error);
  if (status != SGF_OK) return status;
  for (size_t i = 0; i < size; i++) {
    for (size_t j = 0; j <= i; j++) {
      double rate =
          closure->lambda / sgf_pair_response(closure->lambda, closure->momentum, closure->h[i], closure->h[j]);
      if (!(rate > 0.0) || !(closure->h[i] > 0.0))
        return sgf_fail(
            error, SGF_ERROR_UNSTABLE,
            "training.learning_rate is %g: the closure has no quasi-stationary state, fluctuations leave a "
            "drift of %g in some direction",
            closure->lambda, closure->h[0]);
      closure->trial_Sigma[i * size + j] = closure->trial_Sigma[j * size + i] = closure->noise[i * size + j] / rate;
    }
    closure->turned[i] = -closure->force[i] / closure->h[i];
  }
  sgf_out_of_basis(size, closure->V, closure->trial_Sigma, closure->work, closure->trial_Sigma);
  sgf_multiply(size, 1, size, SGF_TRANSPOSED, closure->V, SGF_PLAIN, closure->turned, closure->trial_mean);
  return SGF_OK;
}

/* The scaled residual of H Sigma + Sigma H - lambda H Sigma H = noise / lambda by the law `now`, or of that with momentum. */
static sgf_status residual_of(sgf_closure *closure, double *residual, sgf_error *error)
{
  size_t size = closure->size;
  double *work, *noise;
  sgf_status status = sgf_new_reals(&work, 4 * size, size, "residual", error);
  if (status != SGF_OK) return status;
  noise = work + 3 * size * size;
  for (size_t k = 0; k < size * size; k++) noise[k] = closure->now.noise[k] / closure->lambda;
  if (closure->momentum > 0.0)
    *residual = sgf_heavy_ball_residual(size, closure->now.drift, closure->lambda, closure->momentum, closure->Sigma,
                                        noise, work);
  else
    *residual = sgf_lyapunov_residual(size, closure->now.drift, closure->lambda, closure->Sigma, noise, work);
  free(work);
  return SGF_OK;
}

/* -(g + g'':Sigma / 2) / (1 - beta) outside of the basis. */
static void drift_outside(sgf_closure *closure, double *drift)
{
  for (size_t k = 0; k < closure->n; k++) drift[k] = 0.0;
  if (closure->basis == NULL) return;
  vector_into_basis(closure, closure->gradient, closure->turned);
  out_of_basis(closure, 1, closure->turned, drift);
  for (size_t k = 0; k < closure->n; k++) drift[k] = (drift[k] - closure->gradient[k]) / (1.0 - closure->momentum);
}

sgf_status sgf_closure_settle(sgf_closure *closure, double *residual, double *drift, sgf_error *error)
{
  size_t size = closure->size;
  double moved = INFINITY;
  sgf_status status;
  *residual = NAN;
  memset(closure->mean, 0, size * sizeof(double));
  memset(closure->Sigma, 0, size * size * sizeof(double));
  for (int pass = 0; pass < MOST_PASSES && !(moved <= SETTLED); pass++) {
    SGF_TRY(evaluate(closure, closure->mean, closure->Sigma, &closure->now, error));
    SGF_TRY(add_skewness(closure, INFINITY, closure->Sigma, &closure->now, error));
    SGF_TRY(settle_once(closure, error));
    moved = change(closure->size, closure->mean, closure->Sigma, closure->trial_mean, closure->trial_Sigma);
    swap(&closure->mean, &closure->trial_mean);
    swap(&closure->Sigma, &closure->trial_Sigma);
  }
  if (!(moved <= ALMOST_SETTLED))
    SGF_TRY(sgf_fail(error, SGF_ERROR_UNSTABLE,
                     "training.learning_rate is %g: the closure's quasi-stationary state was not found in %d passes, "
                     "the last of which changed it by %.2g",
                     closure->lambda, MOST_PASSES, moved));
  SGF_TRY(evaluate(closure, closure->mean, closure->Sigma, &closure->now, error));
  SGF_TRY(add_skewness(closure, INFINITY, closure->Sigma, &closure->now, error));
  SGF_TRY(residual_of(closure, residual, error));
  drift_outside(closure, drift);
done:
  if (status != SGF_OK) sgf_fill_nan(closure->n, drift);
  return status;
}
