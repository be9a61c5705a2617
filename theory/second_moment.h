/* Second moment of a linear recursion whose noise depends on its state: stability limit, stationary state, finite times.
 *
 *   Sigma' = Sigma - lambda A(Sigma) + lambda N,   A(Sigma) = H Sigma + Sigma H - lambda B(Sigma),
 * B symmetric in the Frobenius product and known by its action, everything in the eigenbasis of H. It knows nothing of
 * what B is made of: multiplicative_noise.c for one layer, hessian_noise.c for any depth. Source: section 2. */
#ifndef SGF_SECOND_MOMENT_H
#define SGF_SECOND_MOMENT_H

#include "status.h"

typedef struct sgf_second_moment {
  size_t side;     /* Sigma is (side, side) */
  const double *h; /* (side), eigenvalues of H, positive */
  void (*apply)(const void *context, const double *Z, double *BZ);
  const void *context;
} sgf_second_moment;

/* Largest learning rate at which the second moment is stable: 2 / max eig( (H (+) H / 2)^-1 B ), independent of lambda,
 * to a relative accuracy of about `tolerance`. B maps positive semidefinite matrices to such.
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. *limit is then NaN. Source: section 2 (Mulayoff & Michaeli). */
sgf_status sgf_second_moment_limit(const sgf_second_moment *moment, double tolerance, double *limit,
                                   sgf_error *error);

/* A learning rate that this limit is certainly not below, from two applications of B: T = (H (+) H / 2)^-1 B maps positive
 * semidefinite matrices to such, so that T(Y) <= t Y for a positive definite Y, here T(1), means that no eigenvalue of T is
 * above t; the bound is 2/t. NaN where T(1) is not definite to working accuracy.
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. *bound is then NaN. Source: section 2 (Collatz and Wielandt). */
sgf_status sgf_second_moment_bound(const sgf_second_moment *moment, double *bound, sgf_error *error);

/* Stationary Z: A(Z) = noise, by Lanczos preconditioned with the solution for constant H.
 *   noise, Z  (side, side)
 *   residual  scaled: ||A(Z) - noise|| / (2 ||H|| ||Z|| + ||noise||)
 * Errors: SGF_ERROR_NUMERICAL next to the stability limit, where the equation turns singular, SGF_ERROR_MEMORY. Z is
 * then NaN. */
sgf_status sgf_second_moment_stationary(const sgf_second_moment *moment, double lambda, const double *noise,
                                        double *Z, double *residual, sgf_error *error);

/* Average of Z_t = Z - K^t(Z), K = 1 - lambda A, over t = first, first + stride, ... (count of them).
 * Z (side, side), the stationary solution, overwritten; NaN after a failure. Errors: as above. */
sgf_status sgf_second_moment_window(const sgf_second_moment *moment, double lambda, double first, double stride,
                                    double count, double *Z, sgf_error *error);

#endif
