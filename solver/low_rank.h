/* Solutions X = Z Z^T in a Krylov space, for a large sparse drift and noise of few columns. */
#ifndef SGF_LOW_RANK_H
#define SGF_LOW_RANK_H

#include "sparse_drift.h"

/* The solution that starts from 0, for Q = B B^T.
 *   B          (n, columns), row-major
 *   tolerance  of the residual relative to ||Q||; 0: 1e-12. A residual of round-off is accepted where it is larger
 *   rank, Z    (n, rank), row-major, for the caller to free; NULL after a failure
 * Fills null_noise, residual, separation and error_bound of the certificate. The last two are from
 *   symmetric              the smallest eigenvalues
 *   A + A^T positive       ||X||_F <= ||Q||_F / min eig(A + A^T), or discrete ||A||_2 < 1, 1 / (1 - ||A||_2^2), in units in
 *                          which A is as symmetric as it can be
 *   others                 an estimate: tr Y for Y of Q = 1 is at least ||Y||_F, and v^T Y v of random v has the mean tr Y. v^T Y
 *                          v is the trace of the solution of the adjoint equation for v v^T; with 8 of them their mean is less
 *                          than a twentieth of tr Y with a probability below 1e-4, and 20 times the mean is taken
 * Where the adjoint equation does not converge the bound is infinite. Where `drift->proven` is false the solution adds this: X >= 0 with a small residual shows stable
 * every mode that the noise drives by more than the residual. Errors: as sgf_lyapunov_solve_low_rank. */
sgf_status sgf_low_rank_solve(sgf_sparse_drift *drift, size_t columns, const double *B, double tolerance,
                              size_t *rank, double **Z, sgf_certificate *certificate, sgf_error *error);

/* The scaled residual of X = Z Z^T, B (n, columns) and Z (n, rank) row-major, from A, ordered. */
sgf_status sgf_low_rank_residual(const sgf_sparse *A, bool discrete, size_t columns, const double *B, size_t rank,
                                 const double *Z, double *scaled, sgf_error *error);

/* ||Z Z^T||_F = ||Z^T Z||_F. */
sgf_status sgf_gram_norm(size_t n, size_t columns, const double *Z, double *norm, sgf_error *error);

#endif
