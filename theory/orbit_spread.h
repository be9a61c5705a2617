/* How runs spread along the symmetry of the hidden layers, about their mean path along the minima.
 *
 * What SGD does next is the same wherever on the orbit of the symmetry it is: with theta(t) so is R theta(t) a path for a
 * rotation R of the hidden units. So what a run has turned by, delta = sum_a c_a n_a(theta(t)), stays its c while the path
 * goes on, and
 *   d cov(c)/dt = g W g,  W = d cov(nu)/dt of the rotations and g = (n n^T)^+, both at theta(t);
 * scalings are slaved to the fluctuations there. Leading order in the learning rate, continuum time. Source: section 14. */
#ifndef SGF_ORBIT_SPREAD_H
#define SGF_ORBIT_SPREAD_H

#include "slow_path.h"

/* Covariances (count, count) of c, in the order of sgf_symmetries, at the points of a path. */
typedef struct sgf_orbit_spread {
  size_t points, count;
  double *time;   /* (points), from theta* on */
  double *turned; /* (points, count, count), of the rotations: int g W g dt */
  double *rate;   /* (points, count, count), g W g */
  double *held;   /* (points, count, count), of the scalings */
} sgf_orbit_spread;

/* At every point of the path. The caller frees it. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_orbit_spread_create(const sgf_problem *problem, const sgf_prediction *prediction,
                                   const sgf_slow_path *path, sgf_orbit_spread *spread, sgf_error *error);
void sgf_orbit_spread_free(sgf_orbit_spread *spread);

/* covariance (count, count) of c at a time after theta*, rotations and scalings. */
void sgf_orbit_spread_at(const sgf_orbit_spread *spread, double time, double *covariance);

#endif
