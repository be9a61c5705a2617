/* Matrices that depend on the weights, to second order in the fluctuations of these.
 *
 * theta = m + sum_k xi_k l_k with independent xi_k of mean 0 and variance 1, so that cov(theta) = Sigma = sum_k l_k l_k^T.
 * Of a polynomial X(theta) are kept
 *   X(m),   D_k X = dX(m + t l_k)/dt,   X2 = (1/2) sum_k d^2 X(m + t l_k)/dt^2 = (1/2) X'':Sigma,
 * exactly, by the rules of the product; a difference quotient would lose half of the digits. To this order the mean of X
 * is X(m) + X2 and the covariance of X and Y is sum_k D_k X D_k Y. Source: section 13. */
#ifndef SGF_EXPANSION_H
#define SGF_EXPANSION_H

#include "linear_algebra.h"

typedef struct sgf_expansion {
  size_t rows, columns;
  size_t directions; /* of the fluctuations; 0: a constant */
  double *mean;      /* (rows, columns) X(m) */
  double *first;     /* (directions, rows, columns) D_k X */
  double *second;    /* (rows, columns) X2 */
} sgf_expansion;

/* An expansion of zeros; directions = 0 for a constant. The caller frees it, also after a failure. Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_expansion_create(size_t rows, size_t columns, size_t directions, sgf_expansion *expansion,
                                sgf_error *error);

/* 1 (size, size), a constant. Likewise. */
sgf_status sgf_expansion_identity(size_t size, sgf_expansion *expansion, sgf_error *error);

/* Freeing a zeroed one does nothing. */
void sgf_expansion_free(sgf_expansion *expansion);

/* product = op(A) op(B), made here: its derivatives are those of the rule of the product. Both have the same directions, or
 * are constant. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_expansion_multiply(sgf_transposition transpose_a, const sgf_expansion *A,
                                  sgf_transposition transpose_b, const sgf_expansion *B, sgf_expansion *product,
                                  sgf_error *error);

#endif
