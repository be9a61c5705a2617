/* The eigenvectors of H on its range as a basis of weights' fluctuations, by the eigenproblem that is of the size of
 * the map.
 *
 * Of sgf_reduced H = B^T B and K = B B^T with modes u_k: e_k = B^T u_k / sqrt(k). A vector of the weights goes into the
 * basis, and out of it, by products with two matrices for each layer and with the modes of a block; there is no
 * (rank, n) array. Source: sections 3 and 13. */
#ifndef SGF_RANGE_BASIS_H
#define SGF_RANGE_BASIS_H

#include "reduced.h"

typedef struct sgf_range_basis {
  const sgf_reduced *space; /* solved, with modes; used, not copied */
  size_t size;              /* rank */
  size_t *places;           /* (size) of its modes among the blocks * size of the space */
  double *spread;           /* (inputs) lengths of the rows of S */
  double **R;               /* (L) of R_l over the spread, (N_{l-1}, inputs): S only orthonormal */
} sgf_range_basis;

/* Errors: SGF_ERROR_MEMORY; a failed one can be freed. */
sgf_status sgf_range_basis_create(const sgf_reduced *space, sgf_range_basis *basis, sgf_error *error);
/* Freeing a zeroed one does nothing. */
void sgf_range_basis_free(sgf_range_basis *basis);

/* Coordinates of the map: blocks * size of the space. */
size_t sgf_range_basis_of_map(const sgf_range_basis *basis);

/* weights (count, n) = sum_k rows[k] e_k of rows (count, size), and back: rows = e_k . weights. Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_range_basis_out(const sgf_range_basis *basis, size_t count, const double *rows, double *weights,
                               sgf_error *error);
sgf_status sgf_range_basis_into(const sgf_range_basis *basis, size_t count, const double *weights, double *rows,
                                sgf_error *error);
/* The same of a layer's weights (count, N_l N_{l-1}), zero elsewhere; of all for layer 0. */
sgf_status sgf_range_basis_into_from(const sgf_range_basis *basis, size_t layer, size_t count, const double *weights,
                                     double *rows, sgf_error *error);

/* inside (size, size) = e_k X e_l of a symmetric X of the weights that is given as the map sees it from both sides,
 * without the spread of the inputs: seen (whole, whole) = (1 (x) spread)^-1 B X B^T (1 (x) spread)^-1, which is
 * overwritten. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_range_basis_of_matrix(const sgf_range_basis *basis, double *seen, double *inside, sgf_error *error);

/* Z (whole, whole) of Sigma = B^T U^T Z U B for Sigma (size, size) in the basis. */
void sgf_range_basis_to_modes(const sgf_range_basis *basis, const double *Sigma, double *Z);

#endif
