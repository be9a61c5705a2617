/* The slow motion along the manifold of minima, averaged over the fluctuations, and where it ends: noise balance.
 *
 * At a fixed map M the weights move along the symmetry of the hidden layers, W_l -> A_l W_l A_{l-1}^-1, A_0 = A_L = 1,
 so that M is kept to round-off. The balance B_l drifts by F_l, that of section 4 wherever the weights have come to.
 Rotations have no drift of their own here: their part in the motion of B_l, which vanishes with detailed balance, is
 neglected. Leading order in the learning rate. Source: section 16. */
#ifndef SGF_NOISE_BALANCE_H
#define SGF_NOISE_BALANCE_H

#include "problem.h"

/* Modes of the symmetry, sum of N_l^2, of a network with more than one hidden layer whose motion is solved for. */
enum { SGF_MOST_COUPLED_MODES = 200 };

typedef struct sgf_noise_balance sgf_noise_balance;

/* Starts at theta* of the problem, which is used, not copied.
 *   scale  lambda kappa / S, times sgf_balance_speed
 * Errors: SGF_ERROR_UNSUPPORTED for one layer, weight decay, which holds the balance elsewhere, and networks deeper
 than two layers with more than SGF_MOST_COUPLED_MODES modes; SGF_ERROR_MEMORY. */
sgf_status sgf_noise_balance_create(const sgf_problem *problem, double scale, sgf_noise_balance **balance,
                                    sgf_error *error);
void sgf_noise_balance_free(sgf_noise_balance *balance);

/* One for sgf_noise_balance_terms alone, which knows no limits. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_noise_balance_create_terms(const sgf_problem *problem, sgf_noise_balance **balance, sgf_error *error);

/* The two terms of F at theta (n), of the same map M, of a hidden layer: F = scale (below - above), (N_l, N_l) each.
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_noise_balance_terms(const sgf_noise_balance *balance, const double *theta, size_t hidden,
                                   double *below, double *above, sgf_error *error);

/* F at theta (n), of the same map M: drift (sum of N_l^2, hidden layer after hidden layer), w^2 per unit of time, and
 *   imbalance  |F| over what it would be if its two terms did not cancel, 0 at noise balance, at most 1. */
sgf_status sgf_noise_balance_drift(sgf_noise_balance *balance, const double *theta, double *drift, double *imbalance,
                                   sgf_error *error);

/* velocity (n) = d theta / dt at theta: of least norm among the generators' with that drift of the balances, so that
 * it has no component along a rotation. Two layers: theta' = (a W_1, -W_2 a), Y a + a X = F / 2, X = W_1 W_1^T, Y =
 W_2^T W_2; hidden units that have faded to 1e-6 of the weights stay as they are. */
sgf_status sgf_noise_balance_velocity(sgf_noise_balance *balance, const double *theta, double *velocity,
                                      sgf_error *error);

/* theta (n) at a time, not before the last one that was asked for; adaptive (Prince-Dormand, order 8). The method is
 * explicit: hidden units of very different size make it take steps without end.
 *   steps  at most
 * Errors: SGF_ERROR_NUMERICAL where these do not lead there, SGF_ERROR_MEMORY; theta is then NaN. */
sgf_status sgf_noise_balance_advance(sgf_noise_balance *balance, double time, size_t steps, double *theta,
                                     sgf_error *error);

/* Noise balance of two layers, which the map M fixes up to a rotation of the hidden layer. */
typedef struct sgf_balanced_state {
  size_t rank;         /* of M: hidden units beyond it fade away */
  size_t surplus;      /* N_1 - rank */
  double rate;         /* of the slowest approach to it, per unit of time; NaN beyond SGF_MOST_BALANCED_RANK */
  double rate_surplus; /* at which the surplus units fade, per unit of time; infinite without any */
} sgf_balanced_state;

enum { SGF_MOST_BALANCED_RANK = 50 };

/* theta (n) at noise balance, turned to be as near to theta* as a rotation of the hidden layer allows. With M = U D
 * V^T, W_1 = A D^{1/2} V^T, W_2 = U D^{1/2} A^-1: A^T A = P_e # P_x^-1 (geometric mean), P_e = D^{1/2} U^T E[|x|^2 e
 e^T] U D^{1/2}, P_x = D^{1/2} V^T E[|e|^2 x x^T] V D^{1/2}. Errors, with theta NaN: SGF_ERROR_UNSUPPORTED for more
 layers, SGF_ERROR_VALUE where M or the noise vanishes, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 16. */
sgf_status sgf_balanced_weights(const sgf_noise_balance *balance, double *theta, sgf_balanced_state *state,
                                sgf_error *error);

/* What both files know. */
struct sgf_noise_balance {
  const sgf_problem *problem;
  double scale;
  size_t count; /* sum of N_l^2 */
  struct sgf_sample_moments *moments;
  double *residual_moment;            /* two layers: E[|x|^2 e e^T] (N_L, N_L), and */
  double *input_moment;               /* E[|e|^2 x x^T] (N_0, N_0) */
  double *drift, *generators, *slope; /* (count) */
  double *state;                      /* (count), A_l */
  double *theta;                      /* (n) */
  struct sgf_mode *modes;             /* deeper networks: all modes, */
  double *gram, *lift, *nu;           /* and their lift */
  struct sgf_balance_solver *solver;
  sgf_status failure; /* inside the solver */
  sgf_error error;
};

#endif
