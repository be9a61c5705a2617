/* Drift of the stochastic gradient flow: loss, gradient and Hessian at any theta. */
#ifndef SGF_DRIFT_H
#define SGF_DRIFT_H

#include "dataset.h"
#include "network.h"

/* L(theta) = (1/2P) sum |e_mu|^2, without the weight-decay term. */
sgf_status sgf_loss(const sgf_network *network, const sgf_dataset *data, const double *theta, double *loss,
                    sgf_error *error);

/* gradient (n) = J^T vec G + weight_decay theta. */
sgf_status sgf_gradient(const sgf_network *network, const sgf_dataset *data, const double *theta, double weight_decay,
                        double *gradient, sgf_error *error);

/* H (n, n) = J^T (1 (x) Sigma_xx) J + terms linear in G for every pair of layers + weight_decay 1, the
 * exact Hessian at any theta, symmetric to the last bit. Source: sections 3 and 5. */
sgf_status sgf_hessian(const sgf_network *network, const sgf_dataset *data, const double *theta, double weight_decay,
                       double *H, sgf_error *error);

#endif
