/* Solutions X = Z Z^T in a Krylov space, for a large sparse drift and noise of few columns. */
#ifndef SGF_LOW_RANK_H
#define SGF_LOW_RANK_H

#include "sparse_drift.h"

/* The solution that starts from 0, for Q = B B^T.
 *   B          (n, columns), row-major
 *   tolerance  of the residual relative to ||Q||; 0: 1e-12. A residual of round-off is accepted where it is larger
 *   rank, Z    (n, rank), row-major, for the caller to free; NULL after a failure
 * Fills null_noise, residual, separation and error_bound of the certificate; the last two are known for a symmetric
 * drift alone. Where `drift->proven` is false the solution adds this: X >= 0 with a small residual shows stable
 * every mode that the noise drives by more than the residual. Errors: as sgf_lyapunov_solve_low_rank. */
sgf_status sgf_low_rank_solve(sgf_sparse_drift *drift, size_t columns, const double *B, double tolerance,
                              size_t *rank, double **Z, sgf_certificate *certificate, sgf_error *error);

#endif
