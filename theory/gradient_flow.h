/* The gradient flow d theta / dt = -grad L - gamma theta from given weights, and the balance of the layers, which it
 * conserves without weight decay. */
#ifndef SGF_GRADIENT_FLOW_H
#define SGF_GRADIENT_FLOW_H

#include "dataset.h"
#include "network.h"

typedef struct sgf_flow sgf_flow;

/* A flow of full batches that starts at theta (n), which is copied. The network and the data are used, not copied.
 * Errors: SGF_ERROR_VALUE when theta is not finite or a stationary point, SGF_ERROR_MEMORY. Source: sections 3 and 7. */
sgf_status sgf_flow_create(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                           const double *theta, sgf_flow **flow, sgf_error *error);
void sgf_flow_free(sgf_flow *flow);

/* Take a number of adaptive steps (Prince-Dormand, order 8, error 1e-12 of the weights in each).
 *   theta  where the flow is now (n)
 *   time   continuum time since the start
 * Errors: SGF_ERROR_NUMERICAL when the step size underflows or the weights overflow; theta is then NaN. */
sgf_status sgf_flow_advance(sgf_flow *flow, size_t steps, double *theta, double *time, sgf_error *error);

/* Largest change over the hidden layers l of the balance W_l W_l^T - W_{l+1}^T W_{l+1}, which the flow conserves without
 * weight decay, * relative to |W_l|^2 + |W_{l+1}|^2 at the end. 0 without hidden layers. Source: section 3. */
sgf_status sgf_balance_error(const sgf_network *network, const double *start, const double *end, double *relative,
                             sgf_error *error);

#endif
