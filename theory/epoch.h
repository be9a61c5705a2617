/* Covariance under epoch reshuffling, where the batches of a sweep sum to the full gradient. */
#ifndef SGF_EPOCH_H
#define SGF_EPOCH_H

#include "dataset.h"
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

/* Displacement of the mean from theta* under reshuffling, one layer, leading order. Within an epoch a batch's
 * Hessian is correlated with the noise of the earlier batches, E[dH_k eta_l] = -(kappa/S) K / (M-1) for l < k, so
 * that
 *   m_{k+1} = (1 - lambda H) m_k - lambda^2 (kappa/S) / (M-1) sum_{l<k} E[ (x x^T - Sigma_xx) a^{k-1-l} (g_mu - g) ],
 * periodic over the epoch, m_M = m_0; for lambda h M << 1, m = (lambda kappa / 2S) H^-1 E[ e |x|^2 x ]. |m|^2 is
 * of order lambda^2 like the covariance of slow modes: their second moment about theta* is S + mean of m m^T at
 * leading order. Source: section 8, our derivation, which test_simulation.c proves against SGD.
 *   strength   kappa / S;  residuals (P, N_L)
 *   skipped, epochs  as above: modes relax towards it as a_i^{M e}
 *   mean       (n), averaged over the epoch and the epochs
 *   second     (n, n), average of m m^T over the epoch
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_epoch_mean(const sgf_dataset *data, const double *residuals, double weight_decay, double lambda,
                          double strength, size_t batches, double skipped, double epochs, double *mean,
                          double *second, sgf_error *error);

#endif
