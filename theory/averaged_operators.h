/* Gradient, Hessian and noise of a network whose weights fluctuate: averages over the weights' distribution to first
 * order in their covariance, the coefficients of the Gaussian closure. */
#ifndef SGF_AVERAGED_OPERATORS_H
#define SGF_AVERAGED_OPERATORS_H

#include "dataset.h"
#include "network.h"
#include "range_basis.h"

/* What the closure needs of the loss at (m, Sigma). */
typedef struct sgf_averaged_operators {
  double *gradient; /* (n) g(m) + g'':Sigma / 2, weight decay included */
  double *hessian;  /* (size, size) H(m) + H'':Sigma / 2, weight decay included */
  double *noise;    /* (size, size) C(m) + C'':Sigma / 2, per sample */
} sgf_averaged_operators;

/* Room for them, size = n for all weights. The caller frees it, also after a failure. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_averaged_operators_create(size_t n, size_t size, sgf_averaged_operators *averaged, sgf_error *error);

/* Freeing a zeroed one does nothing. */
void sgf_averaged_operators_free(sgf_averaged_operators *averaged);

/* All three, without a difference quotient and without the n^2 (n + 1) / 2 second derivatives of a matrix.
 *   theta         (n) m
 *   rank, factor  (rank, n), rows l_k with Sigma = sum_k l_k l_k^T; rank = 0: no fluctuations
 *   weight_decay  gamma, as if gamma |theta|^2 / 2 were in the loss
 *   range         NULL: size = n, all weights; else size = sgf_range_basis_of_map(range), and Hessian and noise are
 *                 as the map sees them (the `seen` of sgf_range_basis_of_matrix), gamma then 0
 * With D the widths of all layers twice, about rank n (N_0 + N_L) + P rank D (N_0 + N_L) + P rank D^2 + 6 (P + rank)
 * n^2 multiply-adds; memory 3 n^2 + rank (N_0 + N_L) D besides blocks of samples. As the map sees them D is L (N_0 +
 * N_L) in the products with P, and the size of the map is in the place of n in those with n^2. For gradients of
 * degree up to 3 (two layers) gradient and Hessian are the exact averages over a Gaussian, for one layer the noise too.
 * Errors: SGF_ERROR_MEMORY; the operators are then NaN. Source: section 13. */
sgf_status sgf_average_operators(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                 const double *theta, size_t rank, const double *factor, const sgf_range_basis *range,
                                 sgf_averaged_operators *averaged, sgf_error *error);

/* The gradient (n) alone, for a small part of the operations. Errors: SGF_ERROR_MEMORY; it is then NaN. */
sgf_status sgf_average_gradient(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                const double *theta, size_t rank, const double *factor, double *gradient,
                                sgf_error *error);

#endif
