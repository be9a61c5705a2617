/* The displacement of the mean from the minimum under epoch reshuffling. */
#ifndef SGF_EPOCH_MEAN_H
#define SGF_EPOCH_MEAN_H

#include "nullspace.h"
#include "problem.h"

/* Leading order, any depth. A batch's Hessian H_k is correlated with the noise of the earlier batches of its epoch,
 * E[H_k X eta_l] = -(kappa/S)/(M-1) E_mu[H_mu X (g_mu - g)] for l < k, H_mu and g_mu Hessian and gradient of a sample, so that
 * the mean m of delta is driven, at step k of an epoch, by
 *   -(lambda^2 kappa / S)/(M-1) sum_{j<k} E_mu[ H_mu R_j (g_mu - g) ],
 * R_j what j steps make of a kick (without momentum (1 - lambda H)^j), and is periodic over the epoch, m_M = m_0. One layer, lambda
 * h M << 1: m = (lambda kappa / 2S) H^-1 E[ e |x|^2 x ]. |m|^2 is of order lambda^2 like the covariance of slow modes: their
 * second moment about theta* is S + mean of m m^T at leading order. On range(H) alone: along null(H) nothing holds it.
 *   layer            0: all weights; l: layer l trained alone, then n is its size and `range` that of H_ll
 *   strength         kappa / S
 *   skipped, epochs  averaged over these epochs of runs from theta* at rest; epochs = 0: stationary
 *   mean             (n), averaged over the epoch and the epochs
 *   second           (n, n), average of m m^T over the same
 * Errors: SGF_ERROR_MEMORY. Source: section 8, our derivation; test_dynamics.c proves it against SGD. */
sgf_status sgf_epoch_mean(const sgf_problem *problem, size_t layer, const sgf_range *range, double strength,
                          size_t batches, size_t skipped, size_t epochs, double *mean, double *second,
                          sgf_error *error);

#endif
