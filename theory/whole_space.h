/* All weights of runs that start at theta*, null space and all: mean and fluctuations by the Gaussian closure, and along the
 * symmetry of the hidden layers what section 14 says instead.
 *
 * At a time with the closure's mean m and Sigma, n_a = N_a m the directions of the symmetry there and Q the projector on
 * all of them,
 *   cov(theta) = Sigma - Q Sigma Q + sum_ab n_a K_ab n_b^T,
 * K the covariance of what runs have turned by and of the scalings that follow the fluctuations (orbit_spread.h). The
 * closure has the mean motion along the symmetry, but of the spread along it only what noise does there at second
 * order. Source: sections 13 and 14. */
#ifndef SGF_WHOLE_SPACE_H
#define SGF_WHOLE_SPACE_H

#include "closure.h"
#include "orbit_spread.h"

/* Weights beyond which it is not found: every point in time has an eigenproblem of H. */
enum { SGF_MOST_WHOLE_WEIGHTS = 200 };

/* Why it cannot be had, NULL if it can. */
const char *sgf_whole_space_missing(const sgf_problem *problem, const sgf_prediction *prediction);

/* The closure's mean (n), of theta - theta*, and Sigma (n, n) at a time, with the spread that has come to it: covariance
 * (n, n) of all weights about that mean.
 *   along  the trace of the part along the symmetry
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_whole_space_join(const sgf_orbit_spread *spread, const double *mean, const double *Sigma,
                                double *covariance, double *along, sgf_error *error);

/* Room for the moments of n weights. Errors: SGF_ERROR_MEMORY; what failed can be freed. */
sgf_status sgf_whole_moments_create(size_t n, sgf_whole_moments *moments, sgf_error *error);
void sgf_whole_moments_free(sgf_whole_moments *moments);

/* Run a closure of all weights over a plan, as sgf_closure_window does, with all that that finds, and join.
 *   second, mean  (n, n), (n) of the closure by itself
 *   path          its points are the caller's, its looks are taken here
 * Errors: as of sgf_closure_window, and above. */
sgf_status sgf_whole_space_window(const sgf_problem *problem, const sgf_prediction *prediction, sgf_closure *closure,
                                  const sgf_plan *plan, double tolerance, double *second, double *mean,
                                  sgf_closure_path *path, sgf_whole_moments *moments, sgf_error *error);

#endif
