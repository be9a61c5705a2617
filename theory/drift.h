/* Drift of the stochastic gradient flow: loss, gradient and Hessian at any theta. */
#ifndef SGF_DRIFT_H
#define SGF_DRIFT_H

#include "dataset.h"
#include "network.h"

/* L(theta) = (1/2P) sum |e_mu|^2, without the weight-decay term. */
sgf_status sgf_loss(const sgf_network *network, const sgf_dataset *data, const double *theta, double *loss,
                    sgf_error *error);

/* Room for the gradient of one network on one dataset, which are used, not copied. */
typedef struct sgf_gradient_room {
  const sgf_network *network;
  const sgf_dataset *data;
  double *maps;          /* W_l ... W_1 (N_l, N_0) for l = 2 ... L, one after the other */
  double *slope, *lower; /* A_l^T G (N_l, N_0) for a layer and the one below, with room for any */
} sgf_gradient_room;

/* Errors: SGF_ERROR_MEMORY. A failed or zeroed room can be freed. */
sgf_status sgf_gradient_room_create(const sgf_network *network, const sgf_dataset *data, sgf_gradient_room *room,
                                    sgf_error *error);
void sgf_gradient_room_free(sgf_gradient_room *room);

/* gradient (n) of L alone at theta (n), layer by layer: dL/dW_l = A_l^T G B_l^T. Allocates nothing.
 * Source: section 3. */
void sgf_gradient_into(const sgf_gradient_room *room, const double *theta, double *gradient);

/* gradient (n) = grad L + weight_decay theta. Errors: SGF_ERROR_MEMORY. Source: section 3. */
sgf_status sgf_gradient(const sgf_network *network, const sgf_dataset *data, const double *theta, double weight_decay,
                        double *gradient, sgf_error *error);

/* H (n, n) = J^T (1 (x) Sigma_xx) J + terms linear in G for every pair of layers + weight_decay 1, the
 * exact Hessian at any theta, symmetric to the last bit. Source: sections 3 and 5. */
sgf_status sgf_hessian(const sgf_network *network, const sgf_dataset *data, const double *theta, double weight_decay,
                       double *H, sgf_error *error);

/* The terms of H that are linear in the slope G, applied: out (count, n) += terms of slopes_k (N_L, N_0) times v_k (n) for
 * each of `count` slopes and vectors; 0 for one layer. Errors: SGF_ERROR_MEMORY. Source: section 3. */
sgf_status sgf_add_slope_terms(const sgf_network *network, const double *theta, size_t count, const double *slopes,
                               const double *v, double *out, sgf_error *error);

#endif
