/* The form that a drift is brought into before an equation is solved: what does not relax split from what does.
 *
 * With orthogonal W = [R, R'], R (n, null) an orthonormal basis of the right null vectors of M, M = A (continuous) or
 * 1 - A (discrete):
 *     W^T A W = [ 0  A12 ]  or  [ 1  A12 ] ,   T upper quasi-triangular, its eigenvalues stable,
 *               [ 0  T   ]      [ 0  T   ]
 * and the left null vectors are the rows of [1, K] W^T, K = -M12 M22^{-1}: what they pick out does not relax. K = 0 for
 * a symmetric drift, whose T is diagonal. All matrices column-major. Source: theory/README.md, section 10. */
#ifndef SGF_FORM_H
#define SGF_FORM_H

#include "../theory/status.h"

typedef struct sgf_drift_form {
  size_t n, null;
  bool discrete, diagonal;
  double *W;       /* (n, n) */
  double *T;       /* (n - null, n - null); diagonal: NULL */
  double *rates;   /* (n - null) diagonal: eigenvalues of M, ascending; else NULL */
  double *K;       /* (null, n - null), NULL where it is 0 */
  double *L;       /* (n, null) left null vectors, L^T R = 1, right element by element; NULL where K is: L = R */
  double *M22;     /* its factors by LAPACK's dgetrf, NULL where K is */
  int *pivots;     /* of M22 */
  double smallest; /* smallest singular value of M that is not 0: exact, or estimated (from below) when far from 0 */
  double apart; /* 1 / ||M22^{-1}||_1, estimated: how far null eigenvalues are from the others; NaN where K is NULL */
  double spectral, frobenius; /* of sgf_form_condition where it is known already, else 0 */
  double dropped;   /* largest singular value dropped, relative to the level of round-off that it was compared with */
  double slow;      /* symmetric: least rate that was dropped though it is above round-off; 0: none was */
  double left_norm; /* sqrt(1 + ||K||_2^2): the norm of the projection onto what does not relax */
} sgf_drift_form;

/* Both fill rank, gap, ambiguous, real and imaginary of the certificate.
 *   n, A       (n, n), row-major; symmetric to the last bit for the first
 *   tolerance  of the rank, NaN: chosen
 *   scale      what A was divided by, for messages
 *   work       sgf_form_work(n) numbers
 * Errors: SGF_ERROR_UNSTABLE with the offending eigenvalue, SGF_ERROR_AMBIGUOUS for a gap below 1e3 when no tolerance
 * was given and for an unstable eigenvalue that round-off in A may have made, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_symmetric_form(size_t n, const double *A, bool discrete, double tolerance, double scale, double *work,
                              sgf_drift_form *form, sgf_certificate *certificate, sgf_error *error);
sgf_status sgf_schur_form(size_t n, const double *A, bool discrete, double tolerance, double scale, double *work,
                          sgf_drift_form *form, sgf_certificate *certificate, sgf_error *error);
void sgf_drift_form_free(sgf_drift_form *form);

/* Work space for both: that of LAPACK's dsyevd. */
size_t sgf_form_work(size_t n);

/* Round-off of computed eigenvalues and singular values, relative to the norm of the matrix. */
double sgf_rank_round_off(size_t n);

/* Decide the rank of M from its singular values (ascending) into the certificate; `unit` is what M's round-off is
 * relative to where it exceeds ||M||: 1 for 1 - A, else 0. Errors: SGF_ERROR_AMBIGUOUS. */
sgf_status sgf_form_rank(size_t n, const double *singular_values, double unit, double tolerance,
                         sgf_certificate *certificate, sgf_error *error);

/* The rank where eigenvalues (ascending) above round-off, but by less than the gap of a clear rank, are next to null
 * ones, and clearly below the others: the number to drop, with its gap; 0 where there is no such cut. */
size_t sgf_form_slow_cluster(size_t n, const double *values, double unit, double *gap);

/* Whether round-off in A could join null eigenvalues with others, so that it says nothing of A that it is singular: the
 * null space of a matrix moves by E in a way that is known only as long as ||E|| ||M12|| < sep^2 / 4, sep = 1 /
 * ||M22^{-1}||. `norm` of A. Source: G. W. Stewart, SIAM Review 15, 727 (1973). */
bool sgf_form_is_joined(const sgf_drift_form *form, double norm);

/* Refuse an eigenvalue of A that does not relax; puts it into the certificate. */
sgf_status sgf_form_unstable(double real, double imaginary, bool discrete, double scale, sgf_certificate *certificate,
                             sgf_error *error);

/* L from K, and both refined with residuals L^T M from A (n, n) row-major. Errors: SGF_ERROR_MEMORY. Source: R. D. Skeel,
 * Math. Comp. 35, 817 (1980): a residual in working precision makes the backward error small element by element. */
sgf_status sgf_form_refine_left(const double *A, sgf_drift_form *form, sgf_error *error);

/* How noise drives what does not relax, (null, null) each. */
typedef struct sgf_driving {
  double *block;      /* L^T Q L, for the caller to free, and the others with it */
  double *tolerated;  /* what round-off may make of a block that is 0 */
  double *last_digit; /* of that, what the last digits of Q may make of it */
  double
      unresolved; /* largest ||l^T M|| / ||eps |l|^T |M|||: far above 1 when a vector l is not null to working accuracy */
} sgf_driving;

/* The driving of what does not relax, for a form that has L. A relative change eps of the elements of A and Q, |Q_ij|
 * counted as sqrt(Q_ii Q_jj) if that is more, changes the block by at most
 *     eps |L|^T |Q| |L| + S |Q L| + (S |Q L|)^T + S |Q| S^T,   S = (eps |L|^T |M| + |L^T M|) |R' M22^{-1} R'^T| .
 * All of it is in products of a vector with one of reciprocal unit: units that differ cancel.
 *   A, Q  (n, n) row-major, in the units of the form
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL; `block` is then to be freed too. */
sgf_status sgf_form_driving(const sgf_drift_form *form, const double *A, const double *Q, sgf_driving *driving,
                            sgf_error *error);

/* Solve the equation for a right-hand side in the basis of W, on what relaxes and between it and what does not:
 *   Q        (n, n) symmetric, W^T Q W; overwritten by W^T X W
 *   initial  (null, null), L^T X(0) L: the solution that it leads to; NULL: the solution of least norm
 *   work     n^2
 * Errors: SGF_ERROR_AMBIGUOUS for an equation that is singular to working accuracy. */
sgf_status sgf_form_solve(const sgf_drift_form *form, const double *initial, double *Q, double *work,
                          sgf_error *error);

/* For Q (n, n) in the basis of W: block = L^T Q L (null, null), the driving of what does not relax, which must be 0; and
 * across = ||L^T Q R'||. work: n null. */
void sgf_form_null_block(const sgf_drift_form *form, const double *Q, double *work, double *block, double *across);

/* Take from Q (n, n) in the basis of W its smallest part that has the same block, Q <- Q - L G block G L^T with
 * G = (L^T L)^{-1}: what is left is compatible. block (null, null) is overwritten. Errors: SGF_ERROR_MEMORY,
 * SGF_ERROR_NUMERICAL. */
sgf_status sgf_form_make_compatible(const sgf_drift_form *form, double *block, double *Q, sgf_error *error);

/* ||Y||_2 and ||Y||_F of the solution Y for Q = 1 on what relaxes. The inverse of the operator maps positive matrices to
 * positive ones, so that ||Y||_2 is its norm between spectral norms, and a residual R moves the solution by at most
 * ||R||_2 ||Y||_F. work: 2 n^2 + 2 n. Source: G. Hewer, C. Kenney, SIAM J. Control Optim. 26, 321 (1988). Errors: as above. */
sgf_status sgf_form_condition(const sgf_drift_form *form, double *work, double *spectral, double *frobenius,
                              sgf_error *error);

/* Largest eigenvalue of a positive Y (n, n) by the power method, to about a per cent and from below. work: 2 n. */
double sgf_largest_eigenvalue(size_t n, const double *Y, double *work);

#endif
