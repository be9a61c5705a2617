/* What the hidden layers turn by in the window of runs that start at theta*: mean and covariance by the configured
 * equation, about where the mean of the weights has come to.
 *
 * The directions n_a = N_a theta, the modes of H and the noise are those of the weights of then: next to theta* the
 * rotations of an unbalanced network, whose scalings drift, are soon not those of where its runs are, which makes
 * terms of relative order lambda t. Seen from the point of the middle of the window, what is left of them is of second order
 * in what the window itself moves by. Source: section 14. */
#ifndef SGF_TURNING_H
#define SGF_TURNING_H

#include "prediction.h"
#include "rotation.h"

/* Weights beyond which the path along the minima is not followed without the closure, and runs are seen from theta*: it has an
 * eigenproblem of H at every point. */
enum { SGF_MOST_PATH_WEIGHTS = 1000 };

typedef struct sgf_turning {
  size_t count; /* rotations of all hidden layers, one layer after the other */
  sgf_mode *modes;
  double elapsed;     /* continuum time from the start of the window to its end */
  double *theta;      /* (n), where they are seen from */
  double *gram;       /* (count, count), of sgf_rotation_gram there; NULL, and nothing after it: too many modes */
  double *mean;       /* (count), of the change of nu = n(theta) . delta in the window */
  double *covariance; /* (count, count), of that change */
} sgf_turning;

/* Seen from theta*, of leading order. The prediction has rotations. Errors: SGF_ERROR_MEMORY; what failed can be freed. */
sgf_status sgf_turning_create_leading(const sgf_problem *problem, const sgf_prediction *prediction,
                                      const sgf_plan *plan, sgf_turning *turning, sgf_error *error);

/* Seen from the middle of the window. Covariance of the fluctuations there by the closure, or of the equation's constant drift
 * (multiplicative: discrete); the rotations' diffusion of these by steps, by the flow with `equation: continuum`. The
 * point is the closure's mean, or that of the path along the minima; theta* where that is not known: with weight decay,
 * beyond SGF_MOST_PATH_WEIGHTS. In reshuffled epochs as above. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL; what
 * failed can be freed. */
sgf_status sgf_turning_create(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                              sgf_turning *turning, sgf_error *error);
void sgf_turning_free(sgf_turning *turning);

/* Drift (count) and diffusion (count, count) of rotations at theta*, stationary, by the configured equation as above: of the
 * closure the rotations' part of its mean_drift. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_turning_rates(const sgf_problem *problem, const sgf_prediction *prediction, size_t count,
                             const sgf_mode *modes, double *drift, double *diffusion, sgf_error *error);

#endif
