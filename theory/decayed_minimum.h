/* The minimum of L + weight_decay |theta|^2 / 2 of two and more layers, and what is known of it. */
#ifndef SGF_DECAYED_MINIMUM_H
#define SGF_DECAYED_MINIMUM_H

#include "certificate.h"
#include "dataset.h"
#include "network.h"

/* Move theta (n) to a minimum of L + weight_decay |theta|^2 / 2: along the gradient flow until H, but for the rotations of
 * the hidden layers, is positive, then by Newton steps that are orthogonal to the rotations, to round-off. Theta is
 * exactly 0 where the flow is bound to end there. Weights that are at a stationary point stay as they are.
 *   weight_decay  positive
 *   time          continuum time of the flow
 * Errors: SGF_ERROR_VALUE when it does not end within the steps allowed or n x n matrices do not fit,
 * SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 7. */
sgf_status sgf_decayed_minimum(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                               double *theta, double *time, sgf_error *error);

/* What of the certificate is of weight decay, and `global`: proven for two layers by |G|_2 <= weight_decay, for any
 * number of them where L + weight_decay |theta|^2 / 2 is the bound sgf_least_regularized_loss.
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL, SGF_ERROR_VALUE as above. Source: section 7. */
sgf_status sgf_certify_decayed(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                               const double *theta, sgf_minimum_certificate *certificate, sgf_error *error);

/* A lower bound of L + weight_decay |theta|^2 / 2 over all theta, which is reached for inputs of one variance, Sigma_xx =
 * h 1: with sigma_k the singular values of Sigma_yx and h the least eigenvalue of Sigma_xx,
 *   L(0) + sum of the r least of min_{m >= 0} [ h m^2 / 2 - sigma_k m + (weight_decay L / 2) m^{2/L} ],
 * r the width of the narrowest layer. Minus infinity for a singular Sigma_xx that leaves it unbounded.
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 7. */
sgf_status sgf_least_regularized_loss(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                      double *bound, sgf_error *error);

#endif
