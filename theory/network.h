/* The network's shape: widths, and where each layer's weights stand in theta. */
#ifndef SGF_NETWORK_H
#define SGF_NETWORK_H

#include "status.h"

typedef struct sgf_network {
  size_t layers;   /* L */
  size_t *widths;  /* N_0 ... N_L */
  size_t *offsets; /* layer l = 1 ... L starts at theta[offsets[l]]; [L + 1] is n */
  size_t weights;  /* n */
} sgf_network;

/* Check the widths (at least two, none zero, sizes that fit) and lay out theta.
 * Errors: SGF_ERROR_VALUE that names the width, SGF_ERROR_MEMORY. */
sgf_status sgf_network_create(const size_t *widths, size_t width_count, sgf_network *network, sgf_error *error);
void sgf_network_free(sgf_network *network);

size_t sgf_network_inputs(const sgf_network *network);
size_t sgf_network_outputs(const sgf_network *network);

/* Number of weights of layer l = 1 ... L. */
size_t sgf_layer_size(const sgf_network *network, size_t layer);

/* product = W_last ... W_first, shape N_last x N_{first-1}; the identity of size N_last when last = first - 1.
 * Any 1 <= first <= last + 1 <= L + 1. The end-to-end map M is (1, L). */
sgf_status sgf_layer_product(const sgf_network *network, const double *theta, size_t first, size_t last,
                             double **product, sgf_error *error);

/* How many times in a run the balance is looked at, evenly. */
enum { SGF_BALANCE_POINTS = 16 };

/* Balance of the layers next to hidden layer l = 1 ... L - 1: B (N_l, N_l) = W_l W_l^T - W_{l+1}^T W_{l+1}, w^2,
 * conserved by the full-batch gradient flow; symmetric to the last bit. Source: sections 4 and 5. */
void sgf_balance(const sgf_network *network, const double *theta, size_t hidden, double *B);

#endif
