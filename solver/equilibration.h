/* Coordinates x = E z, E diagonal, in which a badly scaled drift is well scaled: units that differ. */
#ifndef SGF_EQUILIBRATION_H
#define SGF_EQUILIBRATION_H

#include "sparse.h"

/* E (n) of powers of 2 such that rows and columns of E^{-1} A E are of like norm, so that every change of scale is exact.
 *   A      (n, n) row-major
 *   worth  whether the norm of A falls to a tenth or less; a smaller gain is not worth the change of coordinates
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: B. N. Parlett, C. Reinsch, Numer. Math. 13, 293 (1969). */
sgf_status sgf_equilibrate(size_t n, const double *A, double *E, bool *worth, sgf_error *error);

/* A <- E^{-1} A E. */
void sgf_drift_into_units(size_t n, const double *E, double *A);

/* S <- E^{-1} S E^{-1} for a covariance or its noise, and back, S <- E S E. */
void sgf_covariance_into_units(size_t n, const double *E, double *S);
void sgf_covariance_out_of_units(size_t n, const double *E, double *S);

/* X <- X - Pi X Pi, Pi the projector on the null vectors E R, R (n, null) column-major: of all solutions of a singular
 * equation, which differ there, the one of least norm. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_take_least_norm(size_t n, size_t null, const double *E, const double *R, double *X, sgf_error *error);

/* Units D, no powers of 2, in which the parts off the diagonal of each column and its row are of one norm: a drift that is
 * symmetric in some units is so in these. */
sgf_status sgf_sparse_balance(const sgf_sparse *A, double *D, sgf_error *error);

/* The same as sgf_equilibrate for a sparse drift, ordered: units E of powers of 2, A_ij E_j / E_i, in which the norm of each column is about that
 * of its row. Errors: SGF_ERROR_MEMORY. Source: B. N. Parlett, C. Reinsch, Numer. Math. 13, 293 (1969), as in LAPACK's
 * dgebal. */
sgf_status sgf_sparse_equilibrate(const sgf_sparse *A, double *E, bool *worth, sgf_error *error);

#endif
