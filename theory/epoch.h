/* Covariance under epoch reshuffling, where the batches of a sweep sum to the full gradient. */
#ifndef SGF_EPOCH_H
#define SGF_EPOCH_H

#include "nullspace.h"

/* Average of the covariance over whole epochs, and at their ends, in the basis of `range`. The noise of the M batches of an
 * epoch has E[eta_k eta_l] = (kappa C / S)(delta_kl M/(M-1) - 1/(M-1)). With w_k = F^k (1, 1) what k steps make of a kick to
 * a mode (heavy_ball.h; without momentum w_k = a^k, a = 1 - lambda h) and c_ij = lambda N_ij, the state after m steps of an
 * epoch has the covariance
 *   s_m = F^m s_0 F^mT + c_ij [ M/(M-1) sum_{k<m} w_k w_k^T - 1/(M-1) (sum_{k<m} w_k)(sum_{k<m} w_k)^T ],
 * S is the mean of s_1 ... s_M, with s_0
 *   skipped, epochs  of epochs number skipped ... skipped + epochs - 1 of runs that start at theta* at rest, or
 *   epochs = 0       stationary: s_M = s_0.
 *   momentum         beta
 *   N (n, n)         noise (lambda kappa / S) C;  S (n, n)  covariance, may be N
 *   ends             (n, n), the stationary s_0, or NULL
 * On null(H) all is 0. M = 1 is full-batch descent: no noise, S = 0. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL.
 * Source: section 8. */
sgf_status sgf_epoch_covariance(const sgf_range *range, double lambda, double momentum, size_t batches,
                                const double *N, size_t skipped, size_t epochs, double *S, double *ends,
                                sgf_error *error);

/* What rotations and scalings drift by in reshuffled epochs: X (rank, rank) in the modes of the range, of which sum_ij (N_a)_ij
 * X_ij is d<nu_a>/dt per unit of continuum time. With the velocity v after each step (section 14), averaged over the epoch,
 *   lambda X = (E[delta v^T] - E[v delta^T]) / 2 + (1 + beta) / (2 (1 - beta)) E[v v^T].
 * Of the displaced mean nothing is left at this order: it moves back and forth on a line. Arguments and errors as above.
 * Source: sections 8 and 14, our derivation. */
sgf_status sgf_epoch_swept(const sgf_range *range, double lambda, double momentum, size_t batches, const double *N,
                           size_t skipped, size_t epochs, double *X, sgf_error *error);

#endif
