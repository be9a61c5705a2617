/* Every sample's own Hessian: the second moment of linearized SGD, delta' = (1 - lambda H_B) delta - lambda g_B, at any
 * depth, on range(H).
 *
 *   Sigma' = Sigma - lambda A(Sigma) + lambda^2 p C,   p = kappa / S,   A(Sigma) = H Sigma + Sigma H - lambda B(Sigma),
 *   B(Sigma) = H Sigma H + p ( E[H_mu Sigma H_mu] - E[H_mu] Sigma E[H_mu] ),
 * E over the samples. With A_l = W_L ... W_{l+1}, B_l = W_{l-1} ... W_1, dA_l and dB_l their changes with delta,
 *   H_mu = O^T O - sum_l ( B_l^T F_l + F_l^T B_l ),   O delta = J delta x,  F_l delta = dW_l B_l x,  B_l delta = dA_l^T e,
 * l over the hidden layers: O and F are linear in x, B in e, so that E is a contraction with fourth moments of (x, e), and
 * no Hessian of a sample is formed. With one layer trained alone, or one layer in all, H_mu = O^T O and the recursion is
 * SGD itself, at any learning rate. Source: sections 2 and 3. */
#ifndef SGF_HESSIAN_NOISE_H
#define SGF_HESSIAN_NOISE_H

#include "covariance.h"
#include "problem.h"

typedef struct sgf_hessian_noise sgf_hessian_noise;

/* Prepare for the fluctuations of all weights (layer 0) or of one layer with the others frozen.
 *   range     of the drift of these weights; kept, and must outlive what is made
 *   strength  p = kappa / S
 * E is over the samples for empirical noise, else over Gaussian inputs and residuals of the settings' noise.
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_hessian_noise_create(const sgf_problem *problem, size_t layer, const sgf_range *range, double strength,
                                    sgf_hessian_noise **noise, sgf_error *error);
void sgf_hessian_noise_free(sgf_hessian_noise *noise);

/* Largest learning rate at which the second moment on range(H) is stable, <= 2 / h_max; or, where its iteration would
 * take many operations and `lambda` is clearly below, a rate that is certainly stable (*is_bound).
 *   lambda  the learning rate in use; infinite: the limit whatever it takes
 * Errors: SGF_ERROR_NUMERICAL, SGF_ERROR_MEMORY. Source: section 2 (Mulayoff & Michaeli). */
sgf_status sgf_hessian_noise_limit(const sgf_hessian_noise *noise, double lambda, double *limit, bool *is_bound,
                                   sgf_error *error);

/* A learning rate that this limit is certainly not below. Errors: as above. */
sgf_status sgf_hessian_noise_bound(const sgf_hessian_noise *noise, double *bound, sgf_error *error);

/* Stationary Sigma (n, n) on range(H), zero elsewhere.
 *   fluctuations  with the range that the noise was made for
 *   residual      scaled, as in second_moment.h
 * Errors: SGF_ERROR_NUMERICAL next to the stability limit, SGF_ERROR_MEMORY. Sigma is then NaN. */
sgf_status sgf_hessian_noise_covariance(const sgf_hessian_noise *noise, const sgf_fluctuations *fluctuations,
                                        double lambda, double *Sigma, double *residual, sgf_error *error);

/* Sigma (n, n), the stationary one, overwritten by the average over the plan's snapshots of runs that start at theta*.
 * Errors: as above. */
sgf_status sgf_hessian_noise_window(const sgf_hessian_noise *noise, double lambda, const sgf_plan *plan,
                                    double *Sigma, sgf_error *error);

/* Operations (two a multiply-add) of one application of B, without those of the samples. */
double sgf_hessian_noise_operations(const sgf_hessian_noise *noise);

/* out (rank, rank) = B(Z) for a symmetric Z, in the modes of range(H). */
void sgf_hessian_noise_apply(const sgf_hessian_noise *noise, const double *Z, double *out);

#endif
