/* Fluctuations in time: autocovariance, correlation times and power spectra of any direction, displacement.
 *
 * R(k) = E[ delta_{t+k} delta_t^T ], k steps apart in the stationary state. What is new in a step does not know the
 * past when batches are drawn independently, so that with momentum beta
 *
 *   R(k + 1) = (1 + beta - lambda H) R(k) - beta R(k - 1),  k >= 1,
 *   R(1) + beta R(1)^T = (1 + beta - lambda H) Sigma,
 *
 * for beta = 0 R(k) = (1 - lambda H)^k Sigma, and in the continuum R = exp(-H lambda k / (1 - beta)) Sigma. Noise that
 * depends on the weights changes Sigma and not this. Along p with components q = V p in the modes of H
 *
 *   c(k) = p^T R(k) p = sum_i [ (alpha_i(k) + gamma_i(k)) w_i + gamma_i(k) d_i ],  w_i = q_i (Z q)_i,  d_i = q_i ((Z' - Z) q)_i,
 *
 * Z and Z' being Sigma and R(1) in the modes, alpha and gamma what c(0) and c(1) do for c(k). Everything below is such a sum, with
 * weights (w, d) of the direction and factors of the question. For reshuffled epochs these are of the Sigma of draws that are
 * independent in time, and the factors know the memory of the noise: time_dependence_epoch.h. By the closure H is its mean
 * drift. Source: section 15.
 */
#ifndef SGF_TIME_DEPENDENCE_H
#define SGF_TIME_DEPENDENCE_H

#include "covariance_operator.h"
#include "nullspace.h"
#include "problem.h"

/* How the linear fluctuations move in time. */
typedef struct sgf_time_law {
  double step; /* continuum time of one step */
  bool discrete;
  double momentum; /* beta */
  size_t batches;  /* of a reshuffled epoch, 2 or more; 0: draws are independent in time */
} sgf_time_law;

/* Why there is no law for the settings: a sentence without a full stop; NULL: there is one. */
const char *sgf_no_time_law(const sgf_settings *settings);

/* The law of the settings. */
sgf_time_law sgf_time_law_of(const sgf_problem *problem);

/* The modes of range(H), and the stationary covariance in them, of reshuffled epochs that of independent draws. */
typedef struct sgf_time_modes {
  sgf_time_law law;
  size_t n, count;     /* weights; modes */
  const double *V;     /* (count, n), used, not copied; NULL with `covariance` */
  const double *rates; /* (count), ascending with V; used, not copied */
  double *Z;           /* (count, count); NULL with `covariance` */
  const sgf_covariance_operator
      *covariance; /* instead of V and Z, in the modes of H, or of the closure's drift; of no epochs */
} sgf_time_modes;

/* From the range of a drift and Sigma (n, n) on it. The range is used. Errors: SGF_ERROR_MEMORY; what failed can be freed. */
sgf_status sgf_time_modes_create(const sgf_time_law *law, const sgf_range *range, const double *Sigma,
                                 sgf_time_modes *modes, sgf_error *error);
/* From an operator in the modes of H, which is used. Modes that are not of the range have rate 0 and weight 0. */
void sgf_time_modes_of_operator(const sgf_time_law *law, const sgf_covariance_operator *covariance,
                                sgf_time_modes *modes);
void sgf_time_modes_free(sgf_time_modes *modes);

/* weights (rows, 2 count) = (w, d) of directions (rows, size), of the weights first ... first + size - 1 (with an
 * operator: of layer `layer`, 0 for all). Their part on range(H) is what moves. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_time_weights(const sgf_time_modes *modes, size_t layer, size_t first, size_t size, size_t rows,
                            const double *directions, double *weights, sgf_error *error);

/* ----------------------------------------------------------------- factors
 * (2 count): sums with the weights of a direction give, in its unit squared, */

/* the autocovariance c(k), k = `lag` steps apart; */
void sgf_autocovariance_factors(const sgf_time_modes *modes, double lag, double *factors);

/* for independent draws c(0) times the integrated correlation time lambda ( 1/2 + sum_{k >= 1} c(k)/c(0) ), in the continuum the integral
 * of c(tau)/c(0) over tau > 0: without momentum 1/h - lambda/2 and 1/h for a mode of H; half of what
 * sgf_mode_correlation_time counts in draws, in continuum time; */
void sgf_correlation_time_factors(const sgf_time_modes *modes, double *factors);

/* the power spectrum at frequency f, cycles per unit of continuum time, one-sided: its integral over 0 <= f <= 1/(2
 * lambda) is the variance (in the continuum over all f >= 0), and at f = 0 it is 4 c(0) times the integrated correlation time, so
 * that of reshuffled epochs it is 0 there.
 * SciPy's welch(x, fs = 1/lambda) estimates the same. */
void sgf_spectrum_factors(const sgf_time_modes *modes, double frequency, double *factors);

/* ------------------------------------------------------ what is tabulated */

enum { SGF_MOST_LAGS = 64, SGF_MOST_FREQUENCIES = 64, SGF_MODES_IN_TIME = 32 };

/* Steps to 8 relaxation times of the slowest mode, and to the end of a second epoch. */
double sgf_last_lag(const sgf_time_modes *modes);

/* Lags in steps, 0 and whole numbers even in the logarithm to the last: (SGF_MOST_LAGS); returns how many. And frequencies, 0 and from a twentieth of 1/(pi relaxation time) to the highest
 * that steps have. */
size_t sgf_choose_lags(const sgf_time_modes *modes, double *lags);
void sgf_choose_frequencies(const sgf_time_modes *modes, double *frequencies);

#endif
