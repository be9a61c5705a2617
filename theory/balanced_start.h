/* Where the weights of a given map start: balanced, or at noise balance. */
#ifndef SGF_BALANCED_START_H
#define SGF_BALANCED_START_H

#include "problem.h"

/* theta* of the problem, a minimum of a network with hidden layers without weight decay, moves to weights of the same map M
 * as settings.network.start says, turned next to where it was; its certificate is made anew.
 *   balanced        W_l W_l^T = W_{l+1}^T W_{l+1} for every hidden layer, so that all layers have the singular values
 *                   d^{1/L}, d those of M
 *   noise-balanced  F_l = 0 for every hidden layer, F_l the drift of that balance by noise
 * Hidden units beyond the rank of M have no weights then. Each is unique but for rotations of the hidden layers.
 * Errors: SGF_ERROR_VALUE where M is zero, where residuals are round-off, and where the noise vanishes for some of M, so
 * that there is no noise balance; SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 16. */
sgf_status sgf_go_to_balance(sgf_problem *problem, sgf_error *error);

#endif
