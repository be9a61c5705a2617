/* Several small equations side by side, one in each lane of the machine's vectors: LAPACK takes as long for 2 to 30 rows as
 * its calls and short loops do, and has no way to share them among equations. What is found here proves itself, by a
 * residual and the solution for Q = 1; where it does not, the equation goes the ordinary way. */
#ifndef SGF_LANES_H
#define SGF_LANES_H

#include <stdbool.h>
#include <stddef.h>

enum { SGF_MOST_LANES = 8, SGF_MOST_LANE_ROWS = 32 };

/* What is known of the equation in a lane; Frobenius norms. */
typedef struct sgf_lane {
  bool found;                     /* all iterations ended: else nothing is known */
  double A, Q, X;                 /* norms */
  double residual;                /* ||A X + X A^T - Q|| */
  double Y_spectral, Y_frobenius; /* upper bounds, to a per cent, for the solution Y of A Y + Y A^T = 1 */
  double real, imaginary;         /* the eigenvalue of A of least real part */
  double products;                /* sum of |A_ij A_ji|: the square of the least norm that units can give to A */
} sgf_lane;

/* Solve `width` equations A X + X A^T = Q, n <= SGF_MOST_LANE_ROWS. Element (i, j) of a matrix in lane k is at
 * [(i n + j) width + k]; A and Q are finite, of norms between 1e-50 and 1e50.
 *   Q      symmetric to the last bit, as X will be
 *   work   sgf_lanes_work(n, width) numbers, aligned to vectors
 *   found  (width)
 * What is found in a lane does not depend on the others. */
typedef void sgf_lane_solver(size_t n, const double *A, const double *Q, double *X, double *work, sgf_lane *found);

typedef struct sgf_lanes {
  size_t width;
  /* A = A^T: Householder tridiagonal form and implicit QL, division in the eigenbasis. Source: B. N. Parlett, The Symmetric
   * Eigenvalue Problem (1980), chapters 7 and 8. */
  sgf_lane_solver *symmetric;
  /* Any A: eigenvalues by the double-shifted QR iteration, X and Y by the squared Smith iteration,
   *   X <- X + C X C^T, C <- C^2,  from  C = (A + p)^{-1} (A - p),  X = 2 p (A + p)^{-1} Q (A + p)^{-T} .
   * A is stable if the Y that is found is positive (by Cholesky) and ||A Y + Y A^T - 1|| < 1/10: then A Y + Y A^T > 0.
   * Source: R. A. Smith, SIAM J. Appl. Math. 16, 198 (1968); A. Ostrowski, H. Schneider, J. Math. Anal. Appl. 4, 72 (1962). */
  sgf_lane_solver *general;
} sgf_lanes;

/* Those of the widest vectors of this machine; and those of `width` lanes, 2, 4 or 8, NULL if it has none. */
const sgf_lanes *sgf_lanes_of_machine(void);
const sgf_lanes *sgf_lanes_of(size_t width);

size_t sgf_lanes_work(size_t n, size_t width);

#endif
