/* The next order in the learning rate for reshuffled epochs: mean and covariance of SGD over epochs, about a point that goes along with
 * the mean, and the quasi-stationary ones. Without momentum, empirical noise. Source: section 13. */
#ifndef SGF_RESHUFFLED_CLOSURE_H
#define SGF_RESHUFFLED_CLOSURE_H

#include "problem.h"

typedef struct sgf_reshuffled_closure sgf_reshuffled_closure;

/* At theta* with no fluctuations. The problem is used, not copied.
 *   size, basis  (size, n) orthonormal rows of the subspace that m - theta* and Sigma are in, copied; NULL: size = n, all
 *   linear       in the subspace gradients are linear: one layer, the others frozen
 * Errors: SGF_ERROR_UNSUPPORTED for too many weights and samples, SGF_ERROR_MEMORY. */
sgf_status sgf_reshuffled_closure_create(const sgf_problem *problem, size_t size, const double *basis, bool linear,
                                         sgf_reshuffled_closure **closure, sgf_error *error);
void sgf_reshuffled_closure_free(sgf_reshuffled_closure *closure);

/* Averages over the snapshots of a plan, of runs from theta* on.
 *   second   (size, size) second moment of theta - theta*;  mean (size) of theta - theta*
 *   points, balance  (points, sum of N_l^2) mean change of the balances after ceil(steps (k + 1) / points) steps; points = 0: none
 * Errors: SGF_ERROR_NUMERICAL when they are not finite, SGF_ERROR_MEMORY; outputs are then NaN. */
sgf_status sgf_reshuffled_closure_window(sgf_reshuffled_closure *closure, const sgf_plan *plan, double *second,
                                         double *mean, size_t points, double *balance, sgf_error *error);

/* The quasi-stationary state within the subspace, which should be the range of the drift: periodic over the epoch.
 *   Sigma  (size, size) average over the epoch of the covariance;  ends (size, size) at the ends of the epoch
 *   mean   (size), average over the epoch of theta - theta*
 *   second (size, size), average over the epoch of the square of that mean
 *   residual  change of the second moment over another epoch, relative to the largest within it
 *   drift  (n) d(mean)/dt outside of the subspace
 * Errors: SGF_ERROR_UNSTABLE when there is none, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_reshuffled_closure_settle(sgf_reshuffled_closure *closure, double *Sigma, double *ends, double *mean,
                                         double *second, double *residual, double *drift, sgf_error *error);

#endif
