/* What must be known of a sparse drift before an equation is solved: null vectors, stability, factors.
 *
 * M = A (continuous) or 1 - A (discrete). R (n, null) orthonormal with M R = 0, and L with L^T M = 0, L^T R = 1; P =
 * 1 - R L^T projects onto the range of M. All blocks column-major. Source: theory/README.md, section 10. */
#ifndef SGF_SPARSE_DRIFT_H
#define SGF_SPARSE_DRIFT_H

#include "sparse.h"
#include "sparse_factors.h"

typedef struct sgf_sparse_drift {
  size_t n, null;
  bool discrete;
  bool symmetric; /* to the last bit */
  bool proven;    /* stable beyond doubt; false: only no sign of the contrary was found */
  double memory;  /* bytes that may be used */
  double scale;   /* what A was divided by: eigenvalues and separations are told times that */
  sgf_sparse A, M;
  double *R, *L;      /* (n, null) */
  double *left;       /* (n, null), orthonormal, spans L */
  double norm;        /* ||M||_2, estimated */
  double smallest;    /* smallest singular value of M that is not 0, estimated; at most a few per cent above it */
  double alternating; /* symmetric and discrete: smallest eigenvalue of 1 + A, likewise; else NaN */
  double left_norm;   /* of the projection R L^T */
  double apart;       /* not symmetric, singular: 1 / ||M^#||_2, estimated, M^# = P M^+ P; else infinite */
  double shift;       /* factors are of M + shift 1 */
  sgf_sparse_factors factors;
  bool turned; /* they are of M^T */
} sgf_sparse_drift;

/* Find it all for A, divided by `scale`; fills rank, gap, ambiguous, real and imaginary of the certificate.
 *
 * The rank is SPQR's, of M or, where a null vector that is small nearly everywhere hides from it, of M^T. It must be
 * that of the singular values next to the cut: of the largest dropped, bounded by ||M R||, and the smallest kept, by
 * inverse iteration. What is known of stability:
 *   symmetric           proven: Cholesky factors of M (singular: shifted by a hundredth of the smallest eigenvalue)
 *                       exist (discrete: those of 1 + A too); real is the eigenvalue next to instability
 *   n <= 1000           proven, to round-off: all eigenvalues are computed
 *   others              the Ritz values of two Krylov spaces, of M and of its inverse, are looked at: an unstable
 *                       eigenvalue found is one, none found is no proof, and real and imaginary are those of the
 *                       nearest that converged, or that came next to it
 * Errors: SGF_ERROR_VALUE for arrays that are no matrix, SGF_ERROR_UNSTABLE; SGF_ERROR_AMBIGUOUS, also
 * for left null vectors that are orthogonal to the right ones to round-off, and for an eigenvalue that round-off may have made
 * unstable; SGF_ERROR_MEMORY with the estimated bytes,
 * SGF_ERROR_NUMERICAL. */
sgf_status sgf_sparse_drift_create(const sgf_sparse *A, const sgf_lyapunov_options *options, double scale,
                                   sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error);
void sgf_sparse_drift_free(sgf_sparse_drift *drift);

/* X (n, width) in the range of M with M X = P B; X must not be B. */
sgf_status sgf_sparse_drift_solve(sgf_sparse_drift *drift, size_t width, const double *B, double *X,
                                  sgf_error *error);

/* The same for M^T: X with M^T X = P^T B, in the range of P^T. */
sgf_status sgf_sparse_drift_solve_adjoint(sgf_sparse_drift *drift, size_t width, const double *B, double *X,
                                          sgf_error *error);

/* SGF_ERROR_AMBIGUOUS where round-off in A could join null eigenvalues with others, as sgf_form_is_joined: then nothing
 * can be said of noise that drives what does not relax. */
sgf_status sgf_sparse_check_apart(const sgf_sparse_drift *drift, const sgf_certificate *certificate,
                                  sgf_error *error);

/* The largest singular value of M, or with `inverse` of its pseudo-inverse, by the power method from a random start;
 * it is approached from below. */
sgf_status sgf_sparse_singular_value(sgf_sparse_drift *drift, bool inverse, double *value, sgf_error *error);

/* X <- P X, and the block L^T X L (null, null) of a symmetric X (n, n). */
sgf_status sgf_sparse_drift_project(const sgf_sparse_drift *drift, size_t width, double *X, sgf_error *error);
sgf_status sgf_sparse_drift_project_adjoint(const sgf_sparse_drift *drift, size_t width, double *X,
                                            sgf_error *error); /* P^T */
sgf_status sgf_sparse_drift_null_block(const sgf_sparse_drift *drift, const double *X, double *block,
                                       sgf_error *error);

/* Y = A X or M X's equation: R = Q - A X - X A^T (discrete: Q - X + A X A^T), symmetric (n, n); work n^2. */
void sgf_sparse_residual(const sgf_sparse_drift *drift, const double *Q, const double *X, double *work, double *R);

#endif
