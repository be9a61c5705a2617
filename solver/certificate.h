/* What is certain of a solution: its scaled residual and a bound of its error. */
#ifndef SGF_SOLUTION_CERTIFICATE_H
#define SGF_SOLUTION_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

/* A residual above this may be worth a step of refinement. */
#define SGF_WORTH_REFINING 4e-15

/* An error bound above n^2 eps times this, several times that of a well-conditioned equation, is worth residuals in long
 * double, if the equation is small. */
#define SGF_WORTH_PRECISION 20.0

/* Frobenius norms, all of one scaling. */
typedef struct sgf_measures {
  size_t n, null;
  bool discrete;
  double A, Q, X;
  double residual;                /* ||A X + X A^T - Q||, recomputed from the input */
  double Y_spectral, Y_frobenius; /* of the solution Y for Q = 1 on what relaxes: sgf_form_condition */
  double smallest;                /* smallest singular value kept of A (discrete: of 1 - A) */
  double left_norm;               /* of the projection onto what does not relax */
} sgf_measures;

/* residual / (2 ||A|| ||X|| + ||Q||), discrete: / ((1 + ||A||^2) ||X|| + ||Q||); NaN if any is. */
double sgf_scaled_residual(const sgf_measures *measures);

/* Bound of ||X - exact||_F / ||X||_F, in which A and Q are known to their last digit: from
 *   -r 1 <= Q - A X - X A^T <= r 1   follows   -r Y <= exact - X <= r Y,  ||exact - X||_F <= r ||Y||_F,
 * r the residual's norm and the round-off in it. A null space of M that is known to an angle of round-off / smallest adds
 * twice that angle, amplified by an oblique projection. 0 for X = 0 and no residual; infinite when A's round-off makes it
 * singular. Source: section 10. */
double sgf_error_bound(const sgf_measures *measures);

#endif
