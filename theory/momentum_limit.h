/* With momentum: the learning rate at which the noise of batches makes the second moment of linearized SGD grow. */
#ifndef SGF_MOMENTUM_LIMIT_H
#define SGF_MOMENTUM_LIMIT_H

#include "hessian_noise.h"

/* Every batch has its own Hessian, v' = beta v - lambda (H_B delta + g_B), delta' = delta + v'. Draws being independent in
 * time, the velocity's block of the Stein equation has the noise lambda^2 p (C + F(Sigma)), p F(Sigma) = B(Sigma) - H Sigma H
 * (hessian_noise.h), so that a stationary Sigma obeys, in the modes of H on range(H),
 *   Sigma = lambda D_lambda^-1 [ p C + p F(Sigma) ],  D_ij = 1 / sgf_pair_response(lambda, beta, h_i, h_j).
 * Both factors map positive semidefinite matrices to such, so that there is one, and the second moment is stable, just as long
 * as the largest eigenvalue of lambda D^-1 p F is below 1: the limit is where it is 1, at most 2 (1 + beta) / h_max, that of the
 * drift. beta = 0: that of hessian_noise.h. One layer: of SGD itself. *limit is NaN where it would take too many operations.
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 7. */
sgf_status sgf_momentum_limit(const sgf_hessian_noise *noise, const sgf_range *range, double momentum, double *limit,
                              sgf_error *error);

#endif
