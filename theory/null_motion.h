/* Second moments of all weights about the mean of a window: fluctuations on range(H), and what moves along the symmetry
 * of the hidden layers, lifted back to weights. Source: section 14. */
#ifndef SGF_NULL_MOTION_H
#define SGF_NULL_MOTION_H

#include "prediction.h"
#include "rotation.h"
#include "slow_path.h"

/* Motion along the symmetry in the snapshots of a plan, in the order of sgf_symmetries. */
typedef struct sgf_null_motion {
  size_t count;       /* modes */
  sgf_mode *modes;    /* (count), of sgf_symmetries */
  size_t rank;        /* dimensions of null(H) that they span */
  double *rate;       /* (count, count), of the rotations d cov(nu)/dt; zero for scalings */
  double *covariance; /* (count, count), of nu about the mean of a window, without the mean motion */
  double *gram;       /* (count, count), (n n^T)^+ */
  double *lift;       /* (count, n), (n n^T)^+ n */
} sgf_null_motion;

/* Why the motion of a prediction cannot be had; NULL if it can. */
const char *sgf_null_motion_missing(const sgf_problem *problem, const sgf_prediction *prediction);

/* Of the plan's window. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL; the motion can be freed then. */
sgf_status sgf_null_motion_create(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                  sgf_null_motion *motion, sgf_error *error);
void sgf_null_motion_free(sgf_null_motion *motion);

/* What the window has of it. */
typedef struct sgf_null_traces {
  double spread; /* of rotations, and of scalings that are slaved to the fluctuations */
  double drift;  /* of the mean motion */
} sgf_null_traces;

/* Add to second (n, n) what is predicted of the plan's window about its own mean: lift^T covariance lift, and the spread of
 * the path. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_null_motion_add(const sgf_problem *problem, const sgf_plan *plan, const sgf_null_motion *motion,
                               const sgf_slow_path *path, double *second, sgf_null_traces *traces, sgf_error *error);

#endif
