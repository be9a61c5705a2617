/* Third cumulants of the weights' fluctuations, which the Gaussian closure neglects: what they do to the covariance is of the same
 * order in the learning rate as what the closure adds to the leading order.
 *
 *   K' = (1 - lambda H)^(x)3 K + S(Sigma),
 *   S_abc = - lambda sum over 3 of T_c : (A Sigma)_a (A Sigma)_b  (the gradient is not linear)
 *           + lambda^2 (kappa/S) sum over 3 of C'_d,ab (Sigma A)_dc  (the noise depends on the weights)
 *           - lambda^3 p_3 E[z_a z_b z_c]  (a batch's noise is skew),   A = 1 - lambda H,
 * T the third derivatives of the loss, C' the derivatives of the noise, z = g_mu - g; p_3 = 1/S^2 with replacement, times
 * (P - S)(P - 2S) / (P - 1)(P - 2) for fresh subsets. A step then adds to Sigma
 *   - (lambda / 2)( B A + A B^T ),  B_ab = sum_de T_a,de K_deb.
 * Coefficients are those at theta*: n^3 numbers each, for moderate n. Without momentum. Source: section 13. */
#ifndef SGF_THIRD_CUMULANTS_H
#define SGF_THIRD_CUMULANTS_H

#include "problem.h"

/* Weights that they are found for, at most. */
enum { SGF_MOST_SKEW_WEIGHTS = 100 };

typedef struct sgf_third_cumulants sgf_third_cumulants;

/* At theta*, with K = 0. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_third_cumulants_create(const sgf_problem *problem, sgf_third_cumulants **third, sgf_error *error);
void sgf_third_cumulants_free(sgf_third_cumulants *third);

/* K = 0. */
void sgf_third_cumulants_reset(sgf_third_cumulants *third);

/* The K that so many steps lead to from the one that was accepted last, S going from that of Sigma (n, n) at the
 * start to that at the end; steps = INFINITY: the stationary one of Sigma at the end, on what relaxes. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_third_cumulants_advance(sgf_third_cumulants *third, double steps, const double *start,
                                       const double *end, sgf_error *error);
void sgf_third_cumulants_accept(sgf_third_cumulants *third);

/* added (n, n): what a step adds to Sigma, with the K that was found last. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_third_cumulants_noise(const sgf_third_cumulants *third, double *added, sgf_error *error);

#endif
