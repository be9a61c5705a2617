/* Factors of sparse matrices, by CHOLMOD and SPQR of SuiteSparse. All of their state belongs to the factors: nothing
 * is shared between calls, and nothing is printed. Dense blocks are column-major. */
#ifndef SGF_SPARSE_FACTORS_H
#define SGF_SPARSE_FACTORS_H

#include <SuiteSparseQR_C.h>

#include "../theory/status.h"

typedef struct sgf_sparse_factors {
  cholmod_common common;
  bool started;
  cholmod_factor *cholesky;          /* or NULL */
  SuiteSparseQR_C_factorization *qr; /* or NULL */
  size_t n, rank;                    /* of the square matrix */
  double bytes;                      /* estimated from the pattern before the factors were computed */
  double dropped;                    /* norm of what SPQR set to zero */
} sgf_sparse_factors;

/* A + shift 1 = L L^T of a symmetric matrix, of which the upper triangle is read.
 *   memory    bytes that the factor may take
 *   what      name of the matrix, for messages
 *   positive  whether it is positive definite; if not, there are no factors
 * Errors: SGF_ERROR_MEMORY with the estimated bytes when the factor would be larger, SGF_ERROR_NUMERICAL. */
sgf_status sgf_sparse_cholesky(const sgf_sparse *A, double shift, double memory, const char *what,
                               sgf_sparse_factors *factors, bool *positive, sgf_error *error);

/* A E = Q R with a column ordering E; columns whose part not yet eliminated is of norm up to `tolerance` (absolute)
 * count as dependent. Errors: as above. */
sgf_status sgf_sparse_qr(const sgf_sparse *A, double tolerance, double memory, const char *what,
                         sgf_sparse_factors *factors, sgf_error *error);

/* X (n, width) with A X = B, or A^T X = B. A QR of deficient rank gives some solution where there is one, with zeros
 * in dependent columns, and for A a least-squares one where there is none. X may be B. */
sgf_status sgf_sparse_solve(sgf_sparse_factors *factors, bool transposed, size_t width, const double *B, double *X,
                            sgf_error *error);

/* L (n, n - rank), orthonormal: the left null vectors that a QR found. */
sgf_status sgf_sparse_left_null(sgf_sparse_factors *factors, double *L, sgf_error *error);

/* Freeing a zeroed struct does nothing. */
void sgf_sparse_factors_free(sgf_sparse_factors *factors);

#endif
