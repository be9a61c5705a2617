/* Runs of the linear theory, in place of SGD: what a finite window shows of it, by the same moments. */
#ifndef SGF_LINEAR_RUNS_H
#define SGF_LINEAR_RUNS_H

#include "../theory/null_motion.h"
#include "ensemble.h"

/* `runs` Gaussian runs, in `rows` rows, from theta* with the plan's burn-in and window, moments about the mean of each: fluctuations on range(H)
 * by the configured equation, exact from snapshot to snapshot, scalings that follow them, and rotations that diffuse with their long-run rate, on the
 * mean motion along `path`; both NULL: none. Of more than 4096 snapshots so many, evenly spaced, stand for all. The same seed
 * gives the same runs. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 14. */
sgf_status sgf_linear_runs(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                           const sgf_null_motion *motion, const sgf_slow_path *path, size_t runs, size_t rows,
                           sgf_ensemble **ensemble, sgf_error *error);

#endif
