/* Covariance under epoch reshuffling, where the batches of a sweep sum to the full gradient. */
#ifndef SGF_EPOCH_H
#define SGF_EPOCH_H

#include "nullspace.h"

/* Average of the covariance over whole epochs, in the basis of `range`:
 *   a_i = 1 - lambda h_i,  c_ij = lambda N_ij,  M batches an epoch,
 *   s_m = (a_i a_j)^m s_0 + c_ij [ M/(M-1) sum_{k<m} (a_i a_j)^k - 1/(M-1) sum_{k<m} a_i^k sum_{k<m} a_j^k ],
 * the mean of s_1 ... s_M, with s_0
 *   skipped, epochs  of epochs number skipped ... skipped + epochs - 1 of runs that start from zero, or
 *   epochs = 0       stationary: s_M = s_0.
 *   N (n, n)         noise (lambda kappa / S) C;  S (n, n)  covariance, may be N.
 * On null(H) it is 0. M = 1 is full-batch descent: no noise, S = 0. Source: section 8. */
void sgf_epoch_covariance(const sgf_range *range, double lambda, size_t batches, const double *N, double skipped,
                          double epochs, double *S);

#endif
