/* Diffusion of the rotations of the hidden layers in reshuffled epochs. */
#ifndef SGF_EPOCH_DIFFUSION_H
#define SGF_EPOCH_DIFFUSION_H

#include "status.h"

/* The fluctuations in the modes of H: linear, Gaussian, with heavy-ball momentum or without. */
typedef struct sgf_epoch_modes {
  size_t rank, batches; /* r; M */
  double lambda, momentum;
  const double *h;     /* (r) */
  const double *noise; /* (r, r), (lambda kappa / S) C */
} sgf_epoch_modes;

/* rate (count, count), w^4 per unit of continuum time: d cov(nu_a, nu_b)/dt in the long run. What an epoch adds to nu is a
 * quadratic form of the state z = (delta, v) at its start and of the noise xi_0 ... xi_{M-1} of its batches,
 *   sum_k delta(k)^T N_a v(k + 1) = sum_ij (N_a)_ij zeta_i^T J_ij zeta_j,  zeta = (z, xi),
 * and nu plus the form P of z that has P = F^M^T P F^M + (z z block of J) is a martingale from epoch to epoch, whose steps have
 * the forms K = J + (P of the next start) - P without a z z block. With cov(xi_k, xi_l) = lambda noise G_kl, G_kl =
 * (delta_kl M - 1)/(M - 1), Z the covariance of z at the ends, C that of xi,
 *   lambda M rate_ab = 2 sum N_ij N'_lk C_jk [ C_li tr(K_ij G K_lk^T G) + 2 tr(k_ij G k_lk^T Z_li) ],  k the z xi block.
 * As functions of the pair of modes these forms are nearly combinations of a few of them, which are found by a pivoted
 * Cholesky decomposition of their products, to 1e-13 of the largest.
 *   N  (count, r, r), antisymmetric: N_a in the modes of H
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: sections 8 and 14, our derivation. */
sgf_status sgf_epoch_diffusion(const sgf_epoch_modes *of, size_t count, const double *N, double *rate,
                               sgf_error *error);

/* Multiply-adds of it, for about as many forms as there are. */
double sgf_epoch_diffusion_cost(size_t rank, size_t batches, size_t count);

#endif
