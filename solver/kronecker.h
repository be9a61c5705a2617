/* The equation as a sparse linear system: A (x) 1 + 1 (x) A, or 1 - A (x) A, on symmetric matrices. */
#ifndef SGF_KRONECKER_H
#define SGF_KRONECKER_H

#include "sparse_drift.h"

/* Unknowns of the system: n (n + 1) / 2. */
size_t sgf_kronecker_size(size_t n);

/* The operator, and shift times the identity, in the basis E_ij = (e_i e_j^T + e_j e_i^T) / sqrt(2), e_i e_i^T, in
 * which the Frobenius norm of a matrix is the norm of its coordinates; unknown (i, j), i <= j, is number j (j + 1) /
 * 2 + i. It is symmetric where A is, and with `upper` only rows up to the diagonal are kept. A must be ordered.
 * Errors: SGF_ERROR_MEMORY, also when the entries alone would take more than `memory` bytes. */
sgf_status sgf_kronecker_matrix(const sgf_sparse *A, bool discrete, double shift, bool upper, double memory,
                                sgf_sparse *K, sgf_error *error);

/* Solve the equation, by CHOLMOD for a symmetric drift and by SPQR for others, with iterative refinement.
 *   drift    its factors may be used, and whether it is stable becomes proven: the solution for Q = 1 (on the range)
 *            is positive definite if and only if it is (A. M. Lyapunov; discrete: P. Stein)
 *   Q        (n, n), symmetric
 *   initial  (n, n) or NULL
 *   X        (n, n)
 * Fills null_noise, residual, separation, error_bound and refined of the certificate.
 * Errors: SGF_ERROR_INCOMPATIBLE, SGF_ERROR_UNSTABLE, SGF_ERROR_AMBIGUOUS when the equation is singular to working
 * accuracy, SGF_ERROR_MEMORY with the bytes estimated for the factors, SGF_ERROR_NUMERICAL. */
sgf_status sgf_kronecker_solve(sgf_sparse_drift *drift, const double *Q, const double *initial, double *X,
                               sgf_certificate *certificate, sgf_error *error);

/* ||L^T Q L|| / ||Q||, tolerated up to round-off. Errors: SGF_ERROR_INCOMPATIBLE beyond it, SGF_ERROR_AMBIGUOUS where
 * round-off is all that could be told. */
sgf_status sgf_sparse_check_null_noise(double noise, double across, double norm, const sgf_sparse_drift *drift,
                                       sgf_certificate *certificate, sgf_error *error);

/* Add to X (n, n) what an initial covariance leaves on the null space; NULL: make it the solution of least norm. */
sgf_status sgf_sparse_set_null_part(const sgf_sparse_drift *drift, const double *initial, double *X,
                                    sgf_error *error);

#endif
