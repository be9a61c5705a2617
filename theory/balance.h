/* Quasi-stationarity: the balance of neighbouring layers, which no gradient flow changes and every step of SGD does.
 *
 * B_l = W_l W_l^T - W_{l+1}^T W_{l+1} for the hidden layers l = 1 ... L - 1, (N_l, N_l), w^2: sgf_balance of network.h.
 */
#ifndef SGF_BALANCE_H
#define SGF_BALANCE_H

#include "network.h"

/* Mean drift of B_l at a stationary point, per unit of continuum time t = lambda step:
 *   drift[p, p'] = scale ( sum_q C[(l; p, q), (l; p', q)] - sum_r C[(l+1; r, p), (l+1; r, p')] ),  l = hidden.
 *   C      (n, n), noise covariance, x^2 y^2
 *   scale  lambda kappa / S
 *   drift  (N_l, N_l)
 *   gross  the sum of the Frobenius norms of its two terms: what the drift would be if they did not cancel
 * Each step changes B_l by exactly lambda^2 (g_l g_l^T - g_{l+1}^T g_{l+1}), g the batch's gradient; the terms of first
 * order cancel, for g_l W_l^T = W_{l+1}^T g_{l+1}. Leading order in lambda: of the gradient's second moment only the
 * noise at theta.
 * Source: section 4. */
void sgf_balance_drift(const sgf_network *network, const double *C, double scale, size_t hidden, double *drift,
                       double *gross);

/* Rate, per unit of continuum time, at which the noise balances the layers next to hidden layer l, an estimate of its
 * order: scale (tr C_ll + tr C_{l+1,l+1}) / (|W_l|^2 + |W_{l+1}|^2), which is lambda kappa s^2 N / S for two layers,
 * isotropic data and N_0 = N_2 = N.
 *   C      (n, n), noise covariance, x^2 y^2
 *   scale  lambda kappa / S
 * NaN for weights that vanish and if anything is NaN. Source: section 4. */
double sgf_balance_rate(const sgf_network *network, const double *theta, const double *C, double scale,
                        size_t hidden);

/* The rate, per unit of continuum time, at which weight decay restores the balance: 2 gamma, with momentum twice that of a
 * mode of the rate gamma, about 2 gamma / (1 - beta). Source: section 7. */
double sgf_balance_decay(const sgf_settings *settings);

/* How much faster momentum and reshuffling make both, over draws that are independent in time without momentum. With
 * J = v_l W_l^T - W_{l+1}^T v_{l+1} and U = v_l v_l^T - v_{l+1}^T v_{l+1} of the new velocities, exactly
 *   J' = beta J + U,  change of B = beta (J + J^T) + U,
 * so that on average B changes by U (1 + beta)/(1 - beta) a step, and E[v v^T] = lambda^2 (kappa/S) C / (1 - beta^2) times
 * 1 - 2/(M-1) sum_{d=1}^{M-1} beta^d (1 - d/M), what the anticorrelation of an epoch's M batches leaves of it. Leading order in
 * lambda. Source: section 4, our derivation.
 *   momentum  beta
 *   batches   M; 0: draws independent in time */
double sgf_balance_speed(double momentum, size_t batches);

/* The mean change of B after so many steps from rest, over that of one step later on: steps without momentum; with it the
 * velocities come up to speed first. */
double sgf_balance_steps(double momentum, size_t batches, double steps);

#endif
