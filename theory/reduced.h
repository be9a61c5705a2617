/* The eigenproblem of H on its range, without H: for G = 0 and no weight decay.
 *
 * With S^T S = Sigma_xx and J the Jacobian, H = B^T B for B = (1 (x) S) J, whose nonzero eigenvalues are those of
 *   K = B B^T = sum_l A_l A_l^T (x) R_l^T R_l,   R_l = B_l S^T,
 * of the size of the map and not of the weights. Block l of B maps a change of the layer, as a matrix, to A_l dW R_l.
 * In an eigenbasis O of the outputs K is block-diagonal for up to two layers, one block of the size of the inputs for
 * each output; A_l is kept as O A_l. Source: sections 3 and 6. */
#ifndef SGF_REDUCED_H
#define SGF_REDUCED_H

#include "network.h"
#include "nullspace.h"

/* A relative gradient beyond this leaves terms of H linear in G that are not round-off. */
#define SGF_ZERO_SLOPE 1e-9

typedef struct sgf_reduced {
  sgf_network network;      /* a copy */
  size_t outputs, inputs;   /* N_L; rank of Sigma_xx */
  double *O;                /* (N_L, N_L), row a is basis vector a of the outputs */
  double *S;                /* (inputs, N_0) */
  double **A, **R;          /* (L) of O A_l (N_L, N_l) and R_l (N_{l-1}, inputs), of layer l at [l - 1] */
  size_t blocks, size;      /* of K; blocks * size = N_L * inputs */
  bool shared;              /* all blocks have the same modes */
  double *U;                /* (blocks, size, size), or (size, size) when shared: row k is mode k of K */
  double *k;                /* (blocks, size), eigenvalues; 0 for those that are not of the range */
  size_t rank;              /* modes of the range */
  double smallest, largest; /* eigenvalue of the range */
  sgf_rank decision;
} sgf_reduced;

/* Lay out K.
 *   moment   Sigma_xx (N_0, N_0), or NULL for S = 1: then K = J J^T
 *   outputs  (N_L, N_L) a symmetric matrix whose eigenvectors are to be the outputs' basis where K leaves it free (one
 *            layer), or NULL
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL; a failed one can be freed. */
sgf_status sgf_reduced_create(const sgf_network *network, const double *theta, const double *moment,
                              const double *outputs, sgf_reduced *reduced, sgf_error *error);
void sgf_reduced_free(sgf_reduced *reduced);

/* Solve for the eigenvalues and, unless `values_only`, the modes of K, and decide the rank as sgf_drift_rank does
 * with `tolerance`. Errors: those of sgf_drift_rank, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_reduced_solve(sgf_reduced *reduced, double tolerance, bool values_only, sgf_error *error);

/* Only the smallest and the largest eigenvalue, from the blocks that have them, for two layers at most: K_i grows
 * with the eigenvalue b_i^2 of W_2 W_2^T, and is regular where that is not 0, so that they are among the blocks of
 * the least, the least positive and the largest one. The rank and decision are of these blocks alone. Errors: as
 * above. */
sgf_status sgf_reduced_extremes(sgf_reduced *reduced, double tolerance, sgf_error *error);

/* Modes of a block, (size, size). */
const double *sgf_reduced_modes(const sgf_reduced *reduced, size_t block);

/* |row i of O A_l|^2: the weight of block i in layer l. */
double sgf_reduced_weight(const sgf_reduced *reduced, size_t layer, size_t block);

/* Y (count, N_L, inputs) = B v for `count` vectors v (count, n), or (count, N_l N_{l-1}) of one layer l > 0. With
 * sgf_reduced_pull v = B^T Y. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_reduced_push(const sgf_reduced *reduced, size_t layer, size_t count, const double *v, double *Y,
                            sgf_error *error);
sgf_status sgf_reduced_pull(const sgf_reduced *reduced, size_t layer, size_t count, const double *Y, double *v,
                            sgf_error *error);

/* Into the modes of K, Y <- U Y, and out of them, Y <- U^T Y: count vectors Y (count, blocks size). Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_reduced_into_modes(const sgf_reduced *reduced, size_t count, double *Y, sgf_error *error);
sgf_status sgf_reduced_out_of_modes(const sgf_reduced *reduced, size_t count, double *Y, sgf_error *error);

/* B itself, (blocks size, n). Allocated here. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_reduced_matrix(const sgf_reduced *reduced, double **B, sgf_error *error);

#endif
