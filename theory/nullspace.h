/* The range and the null space of the drift: eigenbasis of H, its rank, and the noise on the null space. */
#ifndef SGF_NULLSPACE_H
#define SGF_NULLSPACE_H

#include "../solver/rank.h"
#include "status.h"

/* The rank of a drift H, whose eigenvalues are zero only as far as theta* is the minimum.
 *   h          (count), ascending; further eigenvalues that are known to be zero may be left out
 *   n          rows of the matrix that they are of, which sets the level of round-off
 *   kept       from here on they are not zero, without a tolerance; 0: not known
 *   tolerance  relative to the largest; NaN: the cut at the largest gap below 1e-8 of it and below `kept`
 * Errors: SGF_ERROR_VALUE when an eigenvalue is negative beyond round-off (a saddle) or none is positive. Source:
 * sections 3 and 10. */
sgf_status sgf_drift_rank(size_t count, const double *h, size_t n, double kept, double tolerance, sgf_rank *decision,
                          sgf_error *error);

/* H = V^T diag(h) V. Modes 0 ... n - rank - 1 are the null space, the rest the range. */
typedef struct sgf_range {
  size_t n, rank;
  double *V;        /* (n, n), row k is mode k */
  double *h;        /* (n), ascending */
  double gap;       /* smallest kept over largest dropped (or round-off level) eigenvalue */
  double tolerance; /* relative to h_max: modes with h <= tolerance h_max were dropped */
  bool ambiguous;   /* gap < 1e3 */
} sgf_range;

/* Eigenbasis and rank of a positive semidefinite H (n, n), which is kept.
 *   tolerance  relative to h_max; NaN: the cut at the largest gap below 1e-8 h_max
 * Errors: SGF_ERROR_VALUE when H has an eigenvalue that is negative beyond round-off (a saddle) or is zero
 * altogether, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: sections 3 and 10. */
sgf_status sgf_range_create(size_t n, const double *H, double tolerance, sgf_range *range, sgf_error *error);

/* The same for an H whose eigenvalues from weight_decay on are not zero, however small: without a tolerance they are
 * never dropped. */
sgf_status sgf_range_create_decayed(size_t n, const double *H, double weight_decay, double tolerance,
                                    sgf_range *range, sgf_error *error);

/* The same for H = A (x) B + weight_decay 1, A (a, a) and B (b, b) positive semidefinite: from their eigenpairs. A and B
 * are overwritten. */
sgf_status sgf_range_create_kronecker(size_t a, double *A, size_t b, double *B, double weight_decay, double tolerance,
                                      sgf_range *range, sgf_error *error);

/* The same for H = B^T B with B (rows, n), rows <= n: an orthogonal basis of range and null space by QR, of the range
 * the modes. B is overwritten. */
sgf_status sgf_range_create_factored(size_t rows, size_t n, double *B, double tolerance, sgf_range *range,
                                     sgf_error *error);
void sgf_range_free(sgf_range *range);

/* Z (rank, rank) = V S V^T of a symmetric S (n, n) in the modes of the range; or back, S = V^T Z V. Symmetric to the last
 * bit. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_into_range(const sgf_range *range, const double *S, double *Z, sgf_error *error);
sgf_status sgf_out_of_range(const sgf_range *range, const double *Z, double *S, sgf_error *error);

double sgf_smallest_kept(const sgf_range *range);
double sgf_largest(const sgf_range *range);

/* Norm of the noise on null(H), relative to the whole, from C in the basis V; 0 for no noise at all. */
double sgf_null_noise(const sgf_range *range, const double *C_in_basis);

#endif
