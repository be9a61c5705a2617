/* Covariance of what rotations of the hidden layers turn by, of fluctuations that need not be stationary.
 *
 * What a step turns by has a mean that is quadratic in delta, of which h(delta) = delta^T P_a delta solves Poisson's equation;
 * the rest is a martingale, whose steps delta^T B_a xi + xi^T P_a xi have the covariance of delta of then and the noise xi of
 * then. Source: section 14. */
#ifndef SGF_ROTATION_MARTINGALE_H
#define SGF_ROTATION_MARTINGALE_H

#include "rotation.h"

/* Numbers, and multiply-adds, beyond which it is not found. */
#define SGF_MOST_MARTINGALE_NUMBERS 1e7
#define SGF_MOST_MARTINGALE_WORK 2e10
bool sgf_martingale_is_affordable(size_t rank, size_t count);

/* rate (count, count), per unit of time: of rotations, at the covariance S (r, r) of a motion and with other noise than S
 * would be stationary with,
 *   rate_ab = tr(S B_a D B_b^T) + 2 step tr(P_a D P_b D),
 *   B_ij = N_ij h_i (2 - step h_i) / s,  P_ij = N_ij (h_i - h_j) / 2s,  s = h_i + h_j - step h_i h_j.
 *   step   learning rate; 0: the flow
 *   noise  D (r, r) in the modes of H, per unit of time: (lambda kappa / S) C
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_martingale_rate(const sgf_motion *motion, double step, const double *noise, size_t count,
                               const sgf_mode *modes, double *rate, sgf_error *error);

#endif
