/* Diffusion of the stochastic gradient flow: the covariance of the gradient noise. */
#ifndef SGF_DIFFUSION_H
#define SGF_DIFFUSION_H

#include "dataset.h"
#include "network.h"

/* C (n, n), the covariance over samples of the per-sample gradient at theta, symmetric to the last bit.
 *   empirical   C = (1/P) sum g_mu g_mu^T - g g^T over the samples
 *   population  C = J^T K J with the Gaussian (Wick) fourth moments
 *               K_{(a,i),(b,j)} = Sigma_ee[a, b] Sigma_xx[i, j] + Gamma[i, b] Gamma[j, a], Gamma = E[x e^T] = -G^T,
 *               built from the sample's second moments: the noise as if x and e were jointly Gaussian.
 *   isotropic   C = s^2 J^T (1 (x) Sigma_xx) J, s^2 = 2 L* / N_L: the noise as if residuals were independent of the
 *               inputs and of one another; s^2 H where G = 0.
 * Weight decay adds the same to every sample's gradient and so nothing here. Source: sections 1 to 3, 5. */
sgf_status sgf_noise_covariance(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                sgf_noise noise, double *C, sgf_error *error);

/* kappa / S: the covariance of a minibatch gradient is (kappa / S) C. Source: section 1. */
double sgf_noise_strength(size_t samples, size_t batch_size, sgf_sampling sampling);

#endif
