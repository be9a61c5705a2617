/* Functions and extreme eigenvalues of a symmetric operator known only by its action (Lanczos). */
#ifndef SGF_KRYLOV_H
#define SGF_KRYLOV_H

#include "status.h"

/* y = A x for a symmetric A of the given size. */
typedef struct sgf_operator {
  size_t size;
  void (*apply)(const void *context, const double *x, double *y);
  const void *context;
} sgf_operator;

/* y = f(A) b by Lanczos with full reorthogonalization, until the last coefficients of y in the Krylov basis are
 * below tolerance * |f(A) b| + absolute * |b|. For f(x) = 1/x this is conjugate gradients.
 * Errors: SGF_ERROR_NUMERICAL when it has not converged in max_steps, SGF_ERROR_MEMORY. y is then NaN.
 * Source: Saad, SIAM J. Numer. Anal. 29, 209 (1992). */
sgf_status sgf_krylov_function(const sgf_operator *A, const double *b, double (*f)(const void *, double),
                               const void *f_context, double tolerance, double absolute, size_t max_steps, double *y,
                               sgf_error *error);

/* Largest eigenvalue of A to a relative accuracy of about `tolerance`, from a start vector that overlaps with its
 * eigenvector. Errors as above; *largest is then NaN. */
sgf_status sgf_krylov_largest(const sgf_operator *A, const double *start, double tolerance, size_t max_steps,
                              double *largest, sgf_error *error);

#endif
