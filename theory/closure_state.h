/* The state of a Gaussian closure, and what its parts do with it: closure.c keeps it and finds the quasi-stationary
 * one, closure_law.c has the coefficients, closure_steps.c takes steps, closure_window.c averages over snapshots.
 * For these alone. Source: section 13. */
#ifndef SGF_CLOSURE_STATE_H
#define SGF_CLOSURE_STATE_H

#include "averaged_operators.h"
#include "closure.h"
#include "closure_momentum.h"
#include "third_cumulants.h"

/* What a step does, in the basis: d' = d - lambda (force + drift d), Sigma' = (1 - lambda drift) Sigma (1 - lambda
 * drift) + noise, with coefficients that vary slowly. */
typedef struct {
  double *force; /* (size), of an averaged gradient that is force + drift d */
  double *drift; /* (size, size) */
  double *noise; /* (size, size), lambda^2 (kappa/S) C */
} sgf_closure_law;

struct sgf_closure {
  const sgf_problem *problem;
  size_t n, size;
  double *basis;                        /* (size, n), or NULL: all weights, or `range` */
  const sgf_range_basis *range;         /* the basis of the range of H; used, not copied */
  double lambda, momentum, noise_scale; /* noise_scale = lambda^2 kappa / S */
  sgf_third_cumulants *third;           /* of several layers without momentum and few weights, else NULL */
  sgf_velocities *velocities;           /* with momentum, else NULL */
  double *mean;                         /* (size) d = m - theta* */
  double *Sigma;                        /* (size, size) */
  double *theta;                        /* (n) m */
  double *gradient;                     /* (n) g(m) + g'':Sigma / 2 of the last evaluation */
  double *outside, *drifting,
      *drifting_next;    /* (n) of the range: of m beyond it, its change a step, now and at the end */
  double *moved_outside; /* (n) m beyond the range, as far as it is known, where the laws are evaluated */
  sgf_averaged_operators averaged;
  sgf_closure_law before, now, next; /* at the starts of the last interval and of this one, at the end of this one */
  sgf_closure_law between;           /* of this one: the drift that its modes are of, else room */
  size_t last;                       /* steps of the last interval; 0: none yet */
  double *V, *h;                     /* the modes: (size, size), (size) */
  double *in;                        /* Sigma at the start in the modes, (size, size) */
  double *noise, *noise_slope; /* (size, size), in the modes: what a step adds to Sigma is noise + k noise_slope, */
  double *force, *force_slope; /* (size), and from d it takes lambda times drift (d - d_0) + force + k force_slope */
  double *trial_mean;          /* (size) */
  double *turned;              /* (size) the change of the mean in the modes */
  double *trial_Sigma;         /* (size, size) */
  double *work;                /* (size, size) */
};

/* ------------------------------------------------------------ closure_basis.c */

/* rows (count, size) times the basis: weights (count, n); and weights times the basis^T. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_closure_out_of_basis(const sgf_closure *closure, size_t count, const double *rows, double *weights,
                                    sgf_error *error);
sgf_status sgf_closure_into_basis(const sgf_closure *closure, size_t count, const double *weights, double *rows,
                                  sgf_error *error);

/* inside (size, size) = B A B^T of a symmetric A (n, n), B the basis, and A = B^T inside B. Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_closure_matrix_into_basis(const sgf_closure *closure, const double *A, double *inside,
                                         sgf_error *error);
sgf_status sgf_closure_matrix_out_of_basis(const sgf_closure *closure, const double *inside, double *A,
                                           sgf_error *error);

/* The closure's theta = theta* + mean, and what it has beyond the range. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_closure_set_theta(sgf_closure *closure, const double *mean, sgf_error *error);

/* rate (n) = -(g + g'':Sigma / 2) / (1 - beta) outside of the basis, of the last evaluation. Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_closure_outside(sgf_closure *closure, double *rate, sgf_error *error);

/* -------------------------------------------------------------- closure_law.c */

/* What steps do at (mean, Sigma), third cumulants apart. Errors: SGF_ERROR_NUMERICAL when either is not finite,
 * SGF_ERROR_MEMORY. */
sgf_status sgf_closure_evaluate(sgf_closure *closure, const double *mean, const double *Sigma, sgf_closure_law *at,
                                sgf_error *error);

/* inside (size): g + g'':Sigma / 2 at (mean, Sigma), in the basis, and in the weights the closure's. Errors: as
 * above. */
sgf_status sgf_closure_evaluate_gradient(sgf_closure *closure, const double *mean, const double *Sigma,
                                         double *inside, sgf_error *error);

/* After so many steps, from the closure's Sigma to this one, what the third cumulants add to the noise of a law;
 * infinitely many: stationary. */
sgf_status sgf_closure_add_skewness(sgf_closure *closure, double steps, const double *Sigma, sgf_closure_law *at,
                                    sgf_error *error);

/* A law at the mean `from` with g as it is at `to`: the averages' part of the force varies slowly, g does not. */
sgf_status sgf_closure_move_gradient(sgf_closure *closure, const double *from, const double *to, sgf_closure_law *at,
                                     sgf_error *error);

/* force += scale drift mean, of a symmetric drift's lower triangle. */
void sgf_closure_add_drift_times(const sgf_closure *closure, double scale, const double *drift, const double *mean,
                                 double *force);

/* ------------------------------------------------------------ closure_steps.c */

/* Into the modes of a drift: Sigma, noise and force. Its memory is that of the modes. */
sgf_status sgf_closure_into_modes(sgf_closure *closure, const double *drift, sgf_error *error);

/* Mean and covariance after so many steps from those of the closure, in the modes that were made; `keep` where it
 * may go on from. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_closure_propagate(sgf_closure *closure, double steps, bool keep, double *mean, double *Sigma,
                                 sgf_error *error);

/* For a = 1 - rate: sum_{k<m} a^k, accurate for small rates of either sign, and from that sum_{k<m} k a^{m-1-k}. */
double sgf_closure_sum(double rate, double m);
double sgf_closure_ramp_sum(double rate, double m, double sum);

/* 1 - a_i a_j for a = 1 - lambda h of two modes. */
double sgf_closure_pair_rate(const sgf_closure *closure, size_t i, size_t j);

/* The modes that were made, for the velocities. */
sgf_mode_law sgf_closure_mode_law(const sgf_closure *closure);

/* How much (mean, Sigma) differ from others, relative to these. */
double sgf_closure_change(size_t size, const double *mean, const double *Sigma, const double *other_mean,
                          const double *other_Sigma);

void sgf_closure_swap(double **a, double **b);

/* What steps need beside the quasi-stationary state, once. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_closure_room_for_steps(sgf_closure *closure, sgf_error *error);

/* The mean is at theta* beyond the range. */
void sgf_closure_stay(sgf_closure *closure);

/* What looks at a run: at its start with steps = 0, and at every interval of `steps` from step `done` on before the
 * closure goes over it, when trial_mean and trial_Sigma are those at its end, `now` and `next` the laws at both, and
 * the modes made for propagation within. What is in the modes may be spent. */
typedef sgf_status (*sgf_closure_visitor)(sgf_closure *closure, size_t done, size_t steps, void *context,
                                          sgf_error *error);

/* As sgf_closure_advance, with a visitor or NULL. */
sgf_status sgf_closure_run(sgf_closure *closure, size_t steps, double tolerance, sgf_closure_visitor visit,
                           void *context, sgf_error *error);

/* ----------------------------------------------------------- closure_window.c */

/* Mean of the balance of every hidden layer, less that at theta*, of weights with mean theta (n) and covariance
 * Sigma (n, n), which enters as C does into the balance's drift. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_mean_balances(const sgf_problem *problem, const double *theta, const double *Sigma, double *balances,
                             sgf_error *error);

#endif
