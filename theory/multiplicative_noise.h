/* One layer, exactly: the noise depends on the weights, and the second moment of the algorithm closes.
 *
 *   Sigma' = Sigma - lambda A(Sigma) + lambda^2 p C,   p = kappa / S,
 *   A(Sigma) = H Sigma + Sigma H - lambda B(Sigma),
 *   B(Sigma) = H Sigma H + p ( E[x x^T Sigma x x^T] - Sigma_xx Sigma Sigma_xx ),   H = Sigma_xx + weight_decay,
 * block (a, b) of Sigma (outputs a and b) by block: x stands for 1 (x) x. A is symmetric in the Frobenius product, so
 * it is applied (2 P N_0^2 operations a block, twice) and never formed. Everything is in the eigenbasis of Sigma_xx,
 * where H is diagonal. Source: section 2.
 */
#ifndef SGF_MULTIPLICATIVE_NOISE_H
#define SGF_MULTIPLICATIVE_NOISE_H

#include "dataset.h"

typedef struct sgf_multiplicative sgf_multiplicative;

/* Prepare for the data.
 *   strength  p = kappa / S
 *   noise     empirical: E over the samples; else Gaussian fourth moments of Sigma_xx
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_multiplicative_create(const sgf_dataset *data, double weight_decay, double strength, sgf_noise noise,
                                     sgf_multiplicative **operators, sgf_error *error);
void sgf_multiplicative_free(sgf_multiplicative *operators);

/* Largest learning rate at which the second moment is stable: 2 / max eig( (H (+) H / 2)^+ B ), independent of
 * lambda. Source: section 2 (Mulayoff & Michaeli). */
sgf_status sgf_mean_square_limit(const sgf_multiplicative *operators, double *limit, sgf_error *error);

/* Stationary Sigma of  A(Sigma) = lambda p C, in the original basis.
 *   C, Sigma  (n, n), n = N_L N_0
 *   residual  scaled: ||A(Sigma) - lambda p C|| / (2 ||H|| ||Sigma|| + ||lambda p C||)
 * Errors: SGF_ERROR_NUMERICAL next to the stability limit, where the equation turns singular. Sigma is then NaN. */
sgf_status sgf_exact_covariance(const sgf_multiplicative *operators, double lambda, const double *C, double *Sigma,
                                double *residual, sgf_error *error);

/* Average of Sigma_t = Sigma - K^t(Sigma), K = 1 - lambda A, over t = first, first + stride, ... (count of them).
 * Sigma (n, n), the stationary solution in the original basis, overwritten. */
sgf_status sgf_exact_window(const sgf_multiplicative *operators, double lambda, double first, double stride,
                            double count, double *Sigma, sgf_error *error);

#endif
