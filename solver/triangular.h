/* Lyapunov and Stein equations whose drift is upper quasi-triangular: the inner solve of Bartels and Stewart. */
#ifndef SGF_TRIANGULAR_H
#define SGF_TRIANGULAR_H

#include "../theory/status.h"

/* Solve  T X + X T^T = C, or with `discrete`  X - T X T^T = C, by recursion on halves, so that nearly all work is in
 * matrix products; symmetry halves it.
 *   n, T      (n, n), column-major, leading dimension n; a real Schur form as LAPACK's dgees returns it
 *   discrete  the Stein equation; T must have its eigenvalues within the unit circle
 *   C         (n, n), column-major, symmetric; overwritten by X, symmetric to the last bit
 *   work      n^2 numbers
 *   what      of the equation, for the message
 * T and C should be of norm about 1. Errors, with X NaN: SGF_ERROR_AMBIGUOUS when two eigenvalues of T sum to round-off
 * (discrete: multiply to 1), so that X overflows. Source: section 10; I. Jonsson, B. Kagstrom, ACM TOMS 28, 392 (2002). */
sgf_status sgf_triangular_solve(size_t n, const double *T, bool discrete, double *C, double *work, const char *what,
                                sgf_error *error);

#endif
