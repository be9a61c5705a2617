/* The mean motion along the manifold of minima: fluctuations drive the state along the symmetry of the hidden layers, and
 * their drift is that of wherever it has come to. Source: section 14. */
#ifndef SGF_SLOW_PATH_H
#define SGF_SLOW_PATH_H

#include "prediction.h"
#include "rotation.h"

/* theta(t) from theta*, continuum time. */
typedef struct sgf_slow_path {
  size_t n, points;
  double before;    /* time from theta* to the start of the window */
  double *time;     /* (points), from 0 on, ascending */
  double *theta;    /* (points, n) */
  double *velocity; /* (points, n), d theta / dt */
} sgf_slow_path;

/* From theta* to the end of a window that begins after `before`: integrate d theta / dt = (n n^T)^+ n applied to the drifts d<nu>/dt of all rotations and scalings, those of theta, with
 * Heun's rule and back to the minimum by H^+ grad L after every step, which are of at most a tenth of the time in which the
 * velocity changes. Leading order in the learning rate, and without what the spread along the null space does to the
 * mean. Errors: SGF_ERROR_UNSUPPORTED where sgf_null_motion_missing says so; SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_slow_path_create(const sgf_problem *problem, const sgf_prediction *prediction, double before,
                                double window, sgf_slow_path *path, sgf_error *error);
void sgf_slow_path_free(sgf_slow_path *path);

/* moved (n): theta - theta* at a time after the start of the window, from -before to its end, by Hermite's
 * interpolation. */
void sgf_slow_path_at(const sgf_slow_path *path, double time, double *moved);

/* Drift and noise next to another minimum theta (n): the modes of H there, of the rank that it has at theta*. The caller frees
 * them. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_fluctuations_at(const sgf_problem *problem, const sgf_prediction *prediction, const double *theta,
                               sgf_fluctuations *fluctuations, sgf_error *error);

/* The motion along the symmetry that fluctuations next to another minimum theta (n) make: with the modes of H there, of
 * the rank that it has at theta*. The caller frees it. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_motion_at(const sgf_problem *problem, const sgf_prediction *prediction, const double *theta,
                         sgf_motion *motion, sgf_error *error);

#endif
