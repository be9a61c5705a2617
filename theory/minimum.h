/* The minimum theta* that the fluctuations are about, and the certificate that it is one. */
#ifndef SGF_MINIMUM_H
#define SGF_MINIMUM_H

#include "certificate.h"
#include "dataset.h"
#include "network.h"

/* Move theta (n) to the minimum of L + weight_decay |theta|^2 / 2 and certify it. One layer: the ridge solution
 * W = Sigma_yx (Sigma_xx + weight_decay)^-1 (ordinary least squares without weight decay), whatever the start.
 * More layers: where the gradient flow from theta ends, to round-off, and with weight decay a minimum near to where it
 * was (sgf_decayed_minimum); weights that are at a minimum stay as they are.
 * Errors, with theta and certificate NaN: SGF_ERROR_VALUE when Sigma_xx + weight_decay is singular or the flow ends at
 * a saddle or does not end within the steps allowed, SGF_ERROR_MEMORY. Source: sections 2, 3 and 7. */
sgf_status sgf_minimum(const sgf_network *network, const sgf_dataset *data, double weight_decay, double *theta,
                       sgf_minimum_certificate *certificate, sgf_error *error);

/* The certificate of weights theta (n) that are taken as they are; any gradient and loss are a result, not an error.
 * Errors, with the certificate NaN: those of sgf_minimum, without the saddle and the flow; for one layer a singular
 * Sigma_xx is none. Source: section 3. */
sgf_status sgf_certify(const sgf_network *network, const sgf_dataset *data, double weight_decay, const double *theta,
                       sgf_minimum_certificate *certificate, sgf_error *error);

/* SGF_OK when the certificate says global, else SGF_ERROR_VALUE: stationary weights above the global minimum are a
 * saddle, for linear networks have no other minima. With weight decay they may have, and a saddle has a negative
 * eigenvalue of H. Source: sections 3 and 7. */
sgf_status sgf_refuse_saddle(const sgf_minimum_certificate *certificate, sgf_error *error);

/* |gradient| relative to the sum of the norms of its terms: 0 at a stationary point, of order 1 elsewhere. */
sgf_status sgf_relative_gradient(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                 const double *theta, double *relative, sgf_error *error);

#endif
