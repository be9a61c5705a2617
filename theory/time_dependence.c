/* Fluctuations in time: autocovariance, correlation times and power spectra of any direction, displacement. */
#include "time_dependence.h"

#include <cblas.h>
#include <complex.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "covariance.h"
#include "linear_algebra.h"
#include "memory.h"
#include "time_dependence_epoch.h"

/* Lags reach this many relaxation times of the slowest mode, and no further than steps can be counted. */
static const double RELAXATION_TIMES = 8.0, MOST_STEPS = 1e15;
/* The lowest frequency but 0, in 1/(pi relaxation time) of the slowest mode: there its spectrum is flat. */
static const double LOWEST_FREQUENCY = 0.05;

const char *sgf_no_time_law(const sgf_settings *settings)
{
  if (settings->training.sampling == SGF_SAMPLING_EPOCH && settings->theory.equation == SGF_EQUATION_CLOSURE)
    return "theory.equation is closure and training.sampling is epoch: the memory of an epoch is known to leading "
           "order";
  return NULL;
}

sgf_time_law sgf_time_law_of(const sgf_problem *problem)
{
  const sgf_settings *settings = &problem->settings;
  return (sgf_time_law){.step = sgf_time_of_step(settings),
                        .discrete = settings->theory.equation != SGF_EQUATION_CONTINUUM,
                        .momentum = settings->training.momentum,
                        .batches = sgf_batches_of(problem)};
}

/* ------------------------------------------------------------------- modes */

sgf_status sgf_time_modes_create(const sgf_time_law *law, const sgf_range *range, const double *Sigma,
                                 sgf_time_modes *modes, sgf_error *error)
{
  size_t n = range->n, rank = range->rank, null = n - rank;
  sgf_status status;
  *modes = (sgf_time_modes){
      .law = *law, .n = n, .count = rank, .V = range->V + null * n, .rates = range->h + null, .Z = NULL};
  SGF_TRY(sgf_new_reals(&modes->Z, rank, rank, "covariance in the modes of H", error));
  SGF_TRY(sgf_into_range(range, Sigma, modes->Z, error));
done:
  return status;
}

void sgf_time_modes_of_operator(const sgf_time_law *law, const sgf_covariance_operator *covariance,
                                sgf_time_modes *modes)
{
  const sgf_reduced *space = covariance->space;
  const sgf_operator_closure *closure = covariance->closure;
  *modes = (sgf_time_modes){.law = *law,
                            .n = covariance->info.weights,
                            .count = closure != NULL ? closure->basis.size : space->blocks * space->size,
                            .rates = closure != NULL ? closure->rates : space->k,
                            .covariance = covariance};
}

void sgf_time_modes_free(sgf_time_modes *modes)
{
  free(modes->Z);
  *modes = (sgf_time_modes){0};
}

/* out (rows, count) = x Z. */
static sgf_status apply(const sgf_time_modes *modes, size_t rows, const double *x, double *out, sgf_error *error)
{
  const sgf_covariance_operator *covariance = modes->covariance;
  size_t count = modes->count;
  if (covariance != NULL && covariance->closure == NULL)
    return sgf_mode_covariance_apply(&covariance->modes, rows, x, out, error);
  sgf_multiply(rows, count, count, SGF_PLAIN, x, SGF_PLAIN, covariance != NULL ? covariance->closure->Z : modes->Z,
               out);
  return SGF_OK;
}

/* q (rows, count) = V p, and Zq = Z q, of every direction. */
static sgf_status into_modes(const sgf_time_modes *modes, size_t layer, size_t first, size_t size, size_t rows,
                             const double *directions, double *q, double *Zq, sgf_error *error)
{
  size_t count = modes->count;
  sgf_status status;
  const sgf_covariance_operator *covariance = modes->covariance;
  if (covariance == NULL) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)count, (int)size, 1.0, directions, (int)size,
                modes->V + first, (int)modes->n, 0.0, q, (int)count);
  } else if (covariance->closure != NULL) {
    SGF_TRY(sgf_operator_closure_into_modes(covariance->closure, layer, rows, directions, q, error));
  } else {
    SGF_TRY(sgf_reduced_push(covariance->space, layer, rows, directions, q, error));
    SGF_TRY(sgf_reduced_into_modes(covariance->space, rows, q, error));
  }
  SGF_TRY(apply(modes, rows, q, Zq, error));
done:
  return status;
}

/* Zhq (rows, count) = Z (h q), which momentum needs. */
static sgf_status apply_to_rates(const sgf_time_modes *modes, size_t rows, const double *q, double *hq, double *Zhq,
                                 sgf_error *error)
{
  size_t count = modes->count;
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < count; i++) hq[r * count + i] = modes->rates[i] * q[r * count + i];
  return apply(modes, rows, hq, Zhq, error);
}

sgf_status sgf_time_weights(const sgf_time_modes *modes, size_t layer, size_t first, size_t size, size_t rows,
                            const double *directions, double *weights, sgf_error *error)
{
  size_t count = modes->count;
  double beta = modes->law.discrete ? modes->law.momentum : 0.0;
  double step = modes->law.discrete ? modes->law.step / (1.0 - beta * beta) : 0.0;
  double *q = NULL, *Zq = NULL, *hq = NULL, *Zhq = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&q, rows, count, "directions in the modes of H", error));
  SGF_TRY(sgf_new_reals(&Zq, rows, count, "directions in the modes of H", error));
  SGF_TRY(into_modes(modes, layer, first, size, rows, directions, q, Zq, error));
  if (beta > 0.0) {
    SGF_TRY(sgf_new_reals(&hq, rows, count, "directions in the modes of H", error));
    SGF_TRY(sgf_new_reals(&Zhq, rows, count, "directions in the modes of H", error));
    SGF_TRY(apply_to_rates(modes, rows, q, hq, Zhq, error));
  }
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < count; i++) {
      double *w = weights + 2 * r * count, *d = w + count;
      size_t at = r * count + i;
      /* R(1)_ij - Sigma_ij = -Sigma_ij lambda (h_i - beta h_j)/(1 - beta^2) */
      w[i] = q[at] * Zq[at];
      d[i] = (beta > 0.0 ? step * beta * q[at] * Zhq[at] : 0.0) - step * modes->rates[i] * w[i];
    }
done:
  free(q);
  free(Zq);
  free(hq);
  free(Zhq);
  return status;
}

/* ----------------------------------------------------------------- factors */

/* The rate at which a mode of H relaxes in the continuum: with momentum as for the learning rate lambda/(1 - beta). */
static double flow_rate(const sgf_time_law *law, double rate) { return rate / (1.0 - law->momentum); }

/* Of one mode: what c(k + 1), c(k) become of c(k), c(k - 1). */
typedef struct {
  double a, b, c, d; /* rows (a, b), (c, d) */
} two_by_two;

static two_by_two product(two_by_two x, two_by_two y)
{
  return (two_by_two){x.a * y.a + x.b * y.c, x.a * y.b + x.b * y.d, x.c * y.a + x.d * y.c, x.c * y.b + x.d * y.d};
}

/* The power k of [ 1 + beta - lambda h, -beta; 1, 0 ], whose second row is (gamma, alpha). */
static two_by_two power_of_step(const sgf_time_law *law, double rate, double k)
{
  two_by_two result = {1.0, 0.0, 0.0, 1.0},
             square = {1.0 + law->momentum - law->step * rate, -law->momentum, 1.0, 0.0};
  for (uint64_t left = (uint64_t)k; left > 0; left /= 2) {
    if (left % 2 == 1) result = product(result, square);
    square = product(square, square);
  }
  return result;
}

/* alpha and gamma of independent draws. */
static void response_to_start(const sgf_time_law *law, double rate, double lag, double *alpha, double *gamma)
{
  *alpha = law->discrete ? lag == 0.0 : exp(-flow_rate(law, rate) * law->step * lag);
  *gamma = law->discrete && lag > 0.0 ? pow(1.0 - law->step * rate, lag - 1.0) : 0.0;
  if (!law->discrete || law->momentum == 0.0) return;
  two_by_two steps = power_of_step(law, rate, lag);
  *alpha = steps.d;
  *gamma = steps.c;
}

void sgf_autocovariance_factors(const sgf_time_modes *modes, double lag, double *factors)
{
  size_t count = modes->count;
  for (size_t i = 0; i < count; i++) {
    double alpha, gamma;
    if (modes->law.batches > 0) {
      sgf_time_factor factor = sgf_epoch_time_factor(&modes->law, modes->rates[i], lag);
      factors[i] = factor.whole;
      factors[count + i] = factor.step;
      continue;
    }
    response_to_start(&modes->law, modes->rates[i], lag, &alpha, &gamma);
    factors[i] = alpha + gamma;
    factors[count + i] = gamma;
  }
}

/* lambda sum_{k >= 1} R(k) = H^-1 ( R(1) - beta Sigma ). */
void sgf_correlation_time_factors(const sgf_time_modes *modes, double *factors)
{
  const sgf_time_law *law = &modes->law;
  size_t count = modes->count;
  for (size_t i = 0; i < count; i++) {
    double time = modes->rates[i] > 0.0 ? 1.0 / modes->rates[i] : 0.0;
    factors[i] = (1.0 - law->momentum) * time + (law->discrete ? 0.5 * law->step : 0.0);
    factors[count + i] = law->discrete ? time : 0.0;
  }
}

/* With z = exp(-i omega),
 *   sum_{k >= 1} R(k) z^k = ( R(1) z - beta z^2 Sigma ) / ( 1 - (1 + beta - lambda h) z + beta z^2 ). */
void sgf_spectrum_factors(const sgf_time_modes *modes, double frequency, double *factors)
{
  const sgf_time_law *law = &modes->law;
  size_t count = modes->count;
  double omega = 2.0 * M_PI * frequency, beta = law->momentum;
  double complex z = cexp(-I * omega * law->step);
  double noise = law->batches > 0 ? sgf_epoch_noise_spectrum(law->batches, omega * law->step) : 1.0;
  for (size_t i = 0; i < count; i++) {
    double h = modes->rates[i];
    factors[i] = factors[count + i] = 0.0;
    if (!(h > 0.0)) continue;
    if (!law->discrete) {
      double r = flow_rate(law, h);
      factors[i] = 4.0 * r / (r * r + omega * omega);
      continue;
    }
    double complex response = 1.0 / ((1.0 - z) * (1.0 - beta * z) + law->step * h * z);
    factors[i] = 2.0 * law->step * noise * (1.0 + 2.0 * creal((z - beta * z * z) * response));
    factors[count + i] = 4.0 * law->step * noise * creal(z * response);
  }
}

/* ------------------------------------------------------ what is tabulated */

static double slowest_rate(const sgf_time_modes *modes)
{
  double rate = INFINITY;
  for (size_t i = 0; i < modes->count; i++)
    if (modes->rates[i] > 0.0) rate = fmin(rate, modes->rates[i]);
  return rate;
}

/* Relaxation times of the slowest mode, and with momentum of the slowest oscillation, in steps; with epochs at least a quarter
 * of one, for which a slow mode remembers. */
static double relaxation_steps(const sgf_time_modes *modes)
{
  double beta = modes->law.momentum, steps = (1.0 - beta) / (modes->law.step * slowest_rate(modes));
  if (beta > 0.0 && modes->law.discrete) steps = fmax(steps, 2.0 / (1.0 - beta));
  return fmax(steps, 0.25 * (double)modes->law.batches);
}

double sgf_last_lag(const sgf_time_modes *modes)
{
  return fmin(fmax(ceil(RELAXATION_TIMES * relaxation_steps(modes)), 1.0), MOST_STEPS);
}

size_t sgf_choose_lags(const sgf_time_modes *modes, double *lags)
{
  double last = sgf_last_lag(modes);
  size_t count = 1;
  lags[0] = 0.0;
  for (size_t k = 0; k + 1 < SGF_MOST_LAGS; k++) {
    double lag = round(pow(last, (double)k / (double)(SGF_MOST_LAGS - 2)));
    if (lag > lags[count - 1]) lags[count++] = lag;
  }
  return count;
}

void sgf_choose_frequencies(const sgf_time_modes *modes, double *frequencies)
{
  double highest = 0.5 / modes->law.step;
  double lowest = fmin(LOWEST_FREQUENCY / (M_PI * modes->law.step * relaxation_steps(modes)), 0.1 * highest);
  size_t last = SGF_MOST_FREQUENCIES - 1;
  frequencies[0] = 0.0;
  for (size_t k = 1; k <= last; k++)
    frequencies[k] = lowest * pow(highest / lowest, (double)(k - 1) / (double)(last - 1));
  frequencies[last] = highest;
}
