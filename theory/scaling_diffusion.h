/* Diffusion of the scalings of the hidden layers, of the order after that of the rotations.
 *
 * Exactly, for N_a symmetric, n_a . Delta delta = -Delta(delta^T N_a delta) / 2 + Delta delta^T N_a Delta delta / 2: beside
 * what is slaved to delta a step adds q = (lambda^2 / 2) g_B^T N_a g_B. Its mean is the drift of the balance; what is left
 * of it is the martingale with the increments
 *   (lambda^2 / 2) ( z^T N_a z - E[z^T N_a z] - b_a . z ),   b_a = (kappa/S) H^+ grad tr(N_a C),
 * z a batch's noise: the last term is that noise is stronger here and weaker there, where z itself leads. So
 *   d cov(nu_a, nu_b)/dt = (lambda^3 / 4) { k_4 (cov_ab(q) - 2 T_ab) + 2 (kappa/S)^2 T_ab - k_3 ( E[q_a b_b.z] + E[q_b b_a.z] )
 *                                           + (kappa/S) b_a^T C b_b },
 * q_a = z_mu^T N_a z_mu of a sample, T_ab = tr(N_a C N_b C), grad tr(N_a C) = 2 E[H_mu N_a z_mu]; k_3 = 1/S^2 and k_4 = 1/S^3
 * with replacement, and of fresh subsets k_3 = (P - S)(P - 2S) / (P - 1)(P - 2)S^2 and k_4 = (1 - f)(1 - 6f + 6f^2)/S^3, f = S/P, to
 * relative order 1/P. Relative to the rotations' diffusion it is of first order in the learning rate. Empirical noise, without
 * momentum. Our derivation; source: section 14. */
#ifndef SGF_SCALING_DIFFUSION_H
#define SGF_SCALING_DIFFUSION_H

#include "nullspace.h"
#include "problem.h"
#include "symmetry.h"

/* At a minimum theta (n) with the range of H there.
 *   diffusion  (count, count), w^4 per unit of continuum time; 0 for the rotations among the modes, and with momentum
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_scaling_diffusion(const sgf_problem *problem, const sgf_range *range, const double *theta,
                                 size_t count, const sgf_mode *modes, double *diffusion, sgf_error *error);

#endif
