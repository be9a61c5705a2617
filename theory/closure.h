/* The Gaussian closure: mean and covariance of SGD together, the next order in the learning rate.
 *
 *   m' = m - lambda ( g(m) + g'':Sigma / 2 ),
 *   Sigma' = (1 - lambda Hbar) Sigma (1 - lambda Hbar) + lambda^2 (kappa/S) ( C(m) + C'':Sigma / 2 ),
 *   Hbar = H(m) + H'':Sigma / 2,    m = theta*, Sigma = 0 at the start,
 * with momentum v' = beta v - lambda ( g + ... ), theta' = theta + v' and the covariances of both,
 * for all weights, or for a subspace of them: one layer with the others frozen, or the range of the drift. For one
 * layer it is the exact equation. Draws that are independent in time, empirical noise. Source: section 13. */
#ifndef SGF_CLOSURE_H
#define SGF_CLOSURE_H

#include "problem.h"
#include "range_basis.h"

typedef struct sgf_closure sgf_closure;

/* By how much an interval of many steps may be corrected in predictions and comparisons; what is left is a third of it
 * (tests/test_closure.c). */
#define SGF_CLOSURE_TOLERANCE 1e-3

/* A closure at theta* with Sigma = 0. The problem is used, not copied.
 *   size, basis  (size, n) orthonormal rows of the subspace that m - theta* and Sigma are in, copied; NULL: size
 *                = n, all
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_closure_create(const sgf_problem *problem, size_t size, const double *basis, sgf_closure **closure,
                              sgf_error *error);

/* The same on the range of H at theta*, without weight decay: no array of it has the size of the weights but vectors
 * and the factor of Sigma. The basis is used, not copied. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_closure_create_on_range(const sgf_problem *problem, const sgf_range_basis *range,
                                       sgf_closure **closure, sgf_error *error);

/* Whether third cumulants are added: several layers, at most SGF_MOST_SKEW_WEIGHTS weights, no momentum. */
bool sgf_closure_is_skew(const sgf_problem *problem);

/* Go on without third cumulants: Gaussian. */
void sgf_closure_neglect_skewness(sgf_closure *closure);

/* Free it; NULL is fine. */
void sgf_closure_free(sgf_closure *closure);

/* Where the closure is now: m - theta* (size) and Sigma (size, size), both in the basis. They belong to it. */
const double *sgf_closure_mean(const sgf_closure *closure);
const double *sgf_closure_covariance(const sgf_closure *closure);

/* Modes of Hbar where it has settled: rates (size), ascending, and rows (size, size) in the basis, or (size, n).
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_closure_modes_inside(const sgf_closure *closure, double *rates, double *modes, sgf_error *error);
sgf_status sgf_closure_modes(const sgf_closure *closure, double *rates, double *modes, sgf_error *error);

/* The same in the weights: mean (n), and Sigma (n, n) or NULL. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_closure_in_weights(const sgf_closure *closure, double *mean, double *Sigma, sgf_error *error);

/* Take some steps of SGD. The coefficients vary slowly: over intervals of many steps they are held at the mean of their
 * values at both ends, and the steps between are taken at once in the eigenbasis of Hbar. An interval that its second
 * end changes by more than `tolerance`, relative, is halved; an interval of one step is exact.
 *   tolerance  0: every step by itself
 * Errors: SGF_ERROR_NUMERICAL when the weights overflow or the mean is not finite, SGF_ERROR_MEMORY. */
sgf_status sgf_closure_advance(sgf_closure *closure, size_t steps, double tolerance, sgf_error *error);

/* Sees mean and Sigma of the closure at look number k. */
typedef sgf_status (*sgf_closure_look)(void *context, size_t k, const double *mean, const double *Sigma,
                                       sgf_error *error);

/* What else runs of a plan show, of all weights together. */
typedef struct sgf_closure_path {
  size_t points;     /* of the run: after ceil(steps (k + 1) / points) steps, k = 0 ... points - 1 */
  double *balance;   /* (points, sum of N_l^2 over the hidden layers) mean of the balances less those at theta* */
  double anharmonic; /* average over the snapshots of <delta . g(theta*  + delta)> - <delta . H delta>, H at theta* */
  size_t looks;      /* of `look`, after so many steps each; 0: none */
  const size_t *look_steps; /* (looks), from 1 on */
  sgf_closure_look look;
  void *context; /* of `look` */
} sgf_closure_path;

/* The same over the snapshots of a plan, from theta* on.
 *   second  (size, size) second moment of theta - theta*, average of Sigma + (m - theta*)(m - theta*)^T over the
 *           snapshots
 *   mean    (size) average of m - theta*
 *   path    NULL, or with `points` and `balance` given by the caller, filled; needs a closure of all weights */
sgf_status sgf_closure_window(sgf_closure *closure, const sgf_plan *plan, double tolerance, double *second,
                              double *mean, sgf_closure_path *path, sgf_error *error);

/* The quasi-stationary state: m and Sigma that no step changes within the subspace, which should be the range of the
 * drift at theta*. What lies outside stays at theta*.
 *   residual  scaled, of the equation of Sigma, recomputed
 *   drift     (n) d(m)/dt that is left, with momentum 1 / (1 - beta) of the force, outside of the subspace: the
 *             motion of the mean along null(H), which noise drives
 * Errors: SGF_ERROR_UNSTABLE when the fluctuations are so large that there is none, SGF_ERROR_MEMORY,
 * SGF_ERROR_NUMERICAL. */
sgf_status sgf_closure_settle(sgf_closure *closure, double *residual, double *drift, sgf_error *error);

#endif
