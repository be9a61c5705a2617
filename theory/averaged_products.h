/* Products of layers whose weights fluctuate, as the averaged operators need them: for all weights as they are, or
 * for what the map sees of them. For averaged_operators.c and averaged_noise.c.
 *
 * The gradient of sample mu by W_l is -(d_l)(h_{l-1})^T, h_l = W_l ... W_1 x the activations and d_l = A_l^T (y - M
 * x) what comes back. Both are linear in the sample, with coefficients that are products of layers: their expansions
 * are made once (sgf_expansion), and everything else is made of them by products of matrices.
 *
 * On range(H) at theta*, sgf_reduced has B with H = B^T B, block l of which maps a change dW of the layer to A_l dW
 * R_l. B v of a gradient v is that of d and h, times A_l and R_l^T: with these multiplied into the products from the
 * start every layer is (N_L, rank of Sigma_xx) and all of them add up, however wide the hidden ones are. Source:
 * section 13. */
#ifndef SGF_AVERAGED_PRODUCTS_H
#define SGF_AVERAGED_PRODUCTS_H

#include "averaged_operators.h"
#include "expansion.h"

/* Where a layer's weights, or what is seen of them, are among the coordinates: rows x columns from `offset` on. */
typedef struct sgf_layer_view {
  size_t rows, columns, offset;
} sgf_layer_view;

/* Expansions of what gradients are made of; of layer l at [l]. */
typedef struct sgf_averaged_products {
  const sgf_network *network;
  const sgf_dataset *data;
  const sgf_range_basis *range; /* NULL: all weights as they are */
  size_t rank;                  /* directions of the fluctuations */
  size_t size;                  /* coordinates: n, or those of the map */
  sgf_expansion *all;           /* the arrays that follow, in one block */
  sgf_expansion *layer;         /* W_l */
  sgf_expansion *below;         /* R_l^T W_{l-1} ... W_1, l = 1 ... L; 1 for R_l where all weights are seen */
  sgf_expansion *above;         /* A_l (W_L ... W_{l+1})^T, A_l of theta*; likewise */
  sgf_expansion *back;          /* of these times M */
  sgf_expansion *slope;         /* and times G = M Sigma_xx - Sigma_yx */
  sgf_expansion map;            /* M */
  double *gradient;             /* (n) g(m) + g'':Sigma / 2, without weight decay */
  double *mean, *shift;         /* (size) g(m) and g'':Sigma / 2 as they are seen */
  double *curved;               /* (rank, size) H l_k as it is seen */
} sgf_averaged_products;

/* Errors: SGF_ERROR_MEMORY; a failed one can be freed. */
sgf_status sgf_averaged_products_create(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                        size_t rank, const double *factor, const sgf_range_basis *range,
                                        sgf_averaged_products *products, sgf_error *error);
void sgf_averaged_products_free(sgf_averaged_products *products);

/* The coordinates of a layer. */
sgf_layer_view sgf_layer_view_of(const sgf_averaged_products *products, size_t layer);

/* The largest number of coordinates of a layer, and the most rows or columns of one. */
size_t sgf_largest_view(const sgf_averaged_products *products, size_t *widest);

/* seen = R_u^T X A_l^T of X = W_{u-1} ... W_{l+1}, as the map sees what is between two layers. Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_between_layers(const sgf_averaged_products *products, size_t upper, size_t lower,
                              const sgf_expansion *between, sgf_expansion *seen, sgf_error *error);

/* Add weight X to the block (upper, lower) of a (size, size) matrix, whose rows are (p, q) of the upper layer and
 * columns (r, s) of the lower one. X has rows (p, r) and columns (q, s); crossed: rows (p, s) and columns (q, r). */
void sgf_add_block_of_layers(const sgf_averaged_products *products, size_t upper, size_t lower, bool crossed,
                             double weight, const double *X, double *matrix);

/* Add C + C'':Sigma / 2, but for what is not symmetric: noise + noise^T - curved^T curved is the whole. X is room
 * for a block of layers. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_add_averaged_noise(const sgf_averaged_products *products, double *X, double *noise, sgf_error *error);

#endif
