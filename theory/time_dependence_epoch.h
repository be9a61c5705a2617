/* Fluctuations in time under reshuffled epochs.
 *
 * Seen at a random position in the epoch the noise of a step is stationary, with the autocovariance c_ij g(l),
 *   g(l) = M/(M-1) delta_l0 - tri(l)/(M-1),  tri(l) = max(0, 1 - |l|/M),
 * and modes of constant drift respond to it linearly: the average over the epoch of E[ delta_{t+k} delta_t^T ] is that of draws
 * that are independent in time, with the same c_ij, convolved with g. So along a direction
 *   c(k) = sum_i [ f_i(k) w_i + g_i(k) d_i ]
 * with the weights (w, d) of independent draws, and with r(q) the displacement q steps after a kick, E_1(n) = sum_{q<n} r(q),
 * E_{s+1}(n) = sum_{m<n} E_s(m),
 *   f(k) = -rho [ M E_1(k-1) - (E_3(M+k) + E_3(M-k) - 2 E_3(k))/M ] / (M-1),
 *   g(k) =      [ M r(k-1)   - (E_2(M+k) + E_2(M-k) - 2 E_2(k))/M ] / (M-1),   0 <= k <= M,
 * beyond which c obeys the equation of its mode. Nothing is lost where modes are slow. Source: section 15. */
#ifndef SGF_TIME_DEPENDENCE_EPOCH_H
#define SGF_TIME_DEPENDENCE_EPOCH_H

#include "time_dependence.h"

/* What the two weights of a mode are multiplied by. */
typedef struct sgf_time_factor {
  double whole, step; /* of w and of d */
} sgf_time_factor;

/* Of c(k), k = `lag` steps apart, for a mode of this rate. */
sgf_time_factor sgf_epoch_time_factor(const sgf_time_law *law, double rate, double lag);

/* Of c(1) + ... + c(lag). Over all lags it is -c(0)/2: the noise of an epoch sums to 0, and what fluctuates at the
 * frequency 0 with it. */
sgf_time_factor sgf_epoch_time_sum(const sgf_time_law *law, double rate, double lag);

/* Spectrum of the noise of an epoch of M batches over that of independent draws, at a frequency in radian per step:
 * sum_l g(l) cos(l omega) = M/(M-1) [ 1 - ( sin(M omega/2) / (M sin(omega/2)) )^2 ], 0 at 0 and M/(M-1) at all other multiples of
 * 2 pi/M. */
double sgf_epoch_noise_spectrum(size_t batches, double omega);

#endif
