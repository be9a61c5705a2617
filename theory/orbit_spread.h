/* How runs spread along the symmetry of the hidden layers, about their mean.
 *
 * What SGD does next is the same wherever on the orbit of the symmetry it is: with theta(t) so is R theta(t) a path for a
 * rotation R of the hidden units. So what a run has turned by, delta = sum_a c_a n_a(theta(t)), stays its c while the mean
 * theta(t) goes on; for a scaling it does not, and moves by the noise balance there,
 *   dc/dt = J c,   J_a = (n n^T)^+ n ( dv/dtheta n_a - N_a v ),  v(theta) = d theta/dt of section 16; J = 0 for rotations,
 *   d cov(c)/dt = J cov(c) + cov(c) J^T + g W g,   g = (n n^T)^+,
 * all at theta(t). W = d cov(nu)/dt of rotations is that of steps with the fluctuations' covariance of then, of scalings the
 * next order (scaling_diffusion.h), beside which scalings are slaved to the fluctuations there. Source: section 14. */
#ifndef SGF_ORBIT_SPREAD_H
#define SGF_ORBIT_SPREAD_H

#include "prediction.h"
#include "symmetry.h"

/* Covariances (count, count) of c, in the order of sgf_symmetries, at a time that goes on. */
typedef struct sgf_orbit_spread {
  const sgf_problem *problem;
  const sgf_prediction *prediction;
  size_t count;
  sgf_mode *modes;                   /* (count) */
  double time;                       /* from theta* on, continuum time */
  double *turned;                    /* what has summed up */
  double *rate;                      /* g W g */
  double *held;                      /* of the scalings that are slaved */
  struct sgf_noise_balance *balance; /* the slow motion; NULL where that is not solved for, and J = 0 */
  double *flow;                      /* J */
  double *scalings;                  /* W of the scalings where it was found last, */
  double *found_at;                  /* (n), there; NaN: nowhere yet */
} sgf_orbit_spread;

/* At theta* with nothing that fluctuates. Problem and prediction are used, not copied. Errors: SGF_ERROR_MEMORY; what failed
 * can be freed. */
sgf_status sgf_orbit_spread_create(const sgf_problem *problem, const sgf_prediction *prediction,
                                   sgf_orbit_spread *spread, sgf_error *error);
void sgf_orbit_spread_free(sgf_orbit_spread *spread);

/* Go on to a later time, at which the mean is theta (n), with fluctuations of covariance Sigma (n, n): by the trapezoidal
 * rule. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_orbit_spread_advance(sgf_orbit_spread *spread, double time, const double *theta, const double *Sigma,
                                    sgf_error *error);

/* covariance (count, count) of c, rotations and scalings. */
void sgf_orbit_spread_covariance(const sgf_orbit_spread *spread, double *covariance);

#endif
