/* Derivatives of the end-to-end map M = W_L ... W_1 and of the loss with respect to it. */
#ifndef SGF_JACOBIAN_H
#define SGF_JACOBIAN_H

#include "dataset.h"
#include "network.h"

/* J of vec M with respect to theta, shape (N_L N_0, n): block of layer l is A_l (x) B_l^T, with
 * A_l = W_L ... W_{l+1} and B_l = W_{l-1} ... W_1. Allocated here. Source: sections 3 and 5. */
sgf_status sgf_jacobian(const sgf_network *network, const double *theta, double **J, sgf_error *error);

/* Frobenius norm of J, from |A_l| |B_l| of every layer; NaN after SGF_ERROR_MEMORY. Source: section 3. */
sgf_status sgf_jacobian_norm(const sgf_network *network, const double *theta, double *norm, sgf_error *error);

/* G (N_L, N_0) = M Sigma_xx - Sigma_yx for a given map M (N_L, N_0). */
void sgf_slope_of_map(const sgf_dataset *data, const double *M, double *G);

/* G = dL/dM = M Sigma_xx - Sigma_yx, shape (N_L, N_0), of the data alone (no weight decay). Allocated here. */
sgf_status sgf_map_gradient(const sgf_network *network, const sgf_dataset *data, const double *theta, double **G,
                            sgf_error *error);

/* Residuals e_mu = y_mu - M x_mu, one a row, shape (P, N_L). Allocated here. */
sgf_status sgf_residuals(const sgf_network *network, const sgf_dataset *data, const double *theta, double **residuals,
                         sgf_error *error);

#endif
