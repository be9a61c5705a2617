/* The minimum theta* that the fluctuations are about. */
#ifndef SGF_MINIMUM_H
#define SGF_MINIMUM_H

#include "dataset.h"
#include "network.h"

/* Move theta to the minimum of L + weight_decay |theta|^2 / 2. One layer: the ridge solution
 * W = Sigma_yx (Sigma_xx + weight_decay)^-1 (ordinary least squares without weight decay), whatever the start.
 * More layers: SGF_ERROR_UNSUPPORTED. SGF_ERROR_VALUE when Sigma_xx + weight_decay is singular. */
sgf_status sgf_minimum(const sgf_network *network, const sgf_dataset *data, double weight_decay, double *theta,
                       sgf_error *error);

/* |gradient| relative to the sum of the norms of its terms: 0 at a stationary point, of order 1 elsewhere. */
sgf_status sgf_relative_gradient(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                 const double *theta, double *relative, sgf_error *error);

#endif
