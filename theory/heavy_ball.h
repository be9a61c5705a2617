/* The modes of H under SGD with heavy-ball momentum: two numbers a mode, and pairs of modes.
 *
 * v' = beta v - lambda g, theta' = theta + v'. H is diagonal in its eigenbasis, so every mode is by itself, and every pair
 * of modes has a Stein equation of its own. With rho = lambda h and a gradient noise -lambda eta = xi the state of a mode is
 * (Y, v):
 *   delta = a Y - c v,  v' = beta v - rho delta + xi,  Y' = Y - rho delta + kappa v + xi,
 *   sigma = rho / (1 - beta), gamma = beta / (1 + sigma), s = 1 - beta + gamma:
 *   a = s / (1 - beta), c = gamma / (1 - beta), kappa = (1 - beta)(beta - gamma) / s.
 * Of a slow mode Y is (1 - beta) delta + beta v, which changes at the order of rho alone and keeps every xi for long, so that
 * what the mode does is known to all digits; of a fast one it is delta. Without momentum Y = delta, and v has no part in
 * it. Source: section 7. */
#ifndef SGF_HEAVY_BALL_H
#define SGF_HEAVY_BALL_H

#include "nullspace.h"

typedef struct sgf_mode {
  double rho, momentum, a, c, kappa;
} sgf_mode;
sgf_mode sgf_mode_of(double lambda, double momentum, double h);

/* A - 1 for a linear map A of the state (Y, v): of one step or of several. */
typedef struct sgf_mode_map {
  double YY, Yv, vY, vv;
} sgf_mode_map;

/* Of one step, and of `steps` times a map. */
sgf_mode_map sgf_mode_step(const sgf_mode *mode);
sgf_mode_map sgf_mode_power(sgf_mode_map map, size_t steps);
/* (1 + a)(1 + b) - 1: a after b. */
sgf_mode_map sgf_mode_compose(const sgf_mode_map *a, const sgf_mode_map *b);

/* Covariance of the states of two modes, the first in rows. */
typedef struct sgf_pair {
  double YY, Yv, vY, vv;
} sgf_pair;

/* E[delta delta'] of a pair. */
double sgf_pair_covariance(const sgf_pair *pair, const sgf_mode *first, const sgf_mode *second);

/* The stationary delta covariance of two modes of rates h and `other`, over the noise N = (lambda kappa / S) C of the pair:
 *   1 / [ (1 - beta)(h + h') + lambda ( beta (h - h')^2 / (1 - beta^2) - (1 - beta) h h' / (1 + beta) ) ],
 * the n x n equation of Liu, Ziyin and Ueda (2021) in the eigenbasis; lambda = 0: its leading order, the continuum. The
 * denominator is positive for lambda h < 2 (1 + beta). Source: sections 1 and 7. */
double sgf_pair_response(double lambda, double momentum, double h, double other);

/* The same of the whole state, for independent noise xi of unit covariance. */
sgf_pair sgf_pair_stationary(const sgf_mode *first, const sgf_mode *second);

/* Z = A_i Z A_j^T + B for the maps of two modes over a period: a system of 4 equations, graded so that slow modes keep
 * their digits. Errors: SGF_ERROR_NUMERICAL where it is singular. */
sgf_status sgf_pair_periodic(const sgf_mode_map *first, const sgf_mode_map *second, const sgf_pair *B, sgf_pair *Z,
                             sgf_error *error);

/* Doublings that a sum over snapshots can take. */
enum { SGF_DOUBLINGS = 54 };

/* What a sum over `count` snapshots first, first + 1, ... of a map's powers needs of one mode: A^first, A, and A^m for the
 * leading parts m = 1, ... of count. */
typedef struct sgf_mode_powers {
  sgf_mode mode;
  size_t count;
  sgf_mode_map start, one, part[SGF_DOUBLINGS];
} sgf_mode_powers;
void sgf_mode_powers_of(const sgf_mode *mode, const sgf_mode_map *map, size_t first, size_t count,
                        sgf_mode_powers *powers);

/* The mean over the snapshots t of Z - A_i^t Z A_j^tT: what has built up of a stationary Z in runs that start from 0, by
 * doublings of the sum, without eigenvectors and so at critical damping as anywhere. */
sgf_pair sgf_pair_built_up(const sgf_mode_powers *first, const sgf_mode_powers *second, const sgf_pair *Z);

/* The mean over the snapshots of (1 - A^t) z for one state z = (Y, v). */
void sgf_mode_built_up(const sgf_mode_powers *powers, const double z[2], double built_up[2]);

/* The powers for the steps first, first + stride, ... of a mode of rate h, and the share of the stationary covariance of two
 * modes that runs from rest show on average over these. */
void sgf_heavy_ball_powers(double lambda, double momentum, double h, size_t first, size_t stride, size_t count,
                           sgf_mode_powers *powers);
double sgf_heavy_ball_share(const sgf_mode_powers *first, const sgf_mode_powers *second);

/* Covariance of delta in the basis of `range`, on the range, 0 elsewhere.
 *   N, S                  (n, n), noise (lambda kappa / S) C and covariance; S may be N
 *   first, stride, count  averaged over the steps first, first + stride, ... of runs that start from delta = 0, v = 0;
 *                         count = 0: stationary
 * Errors: SGF_ERROR_MEMORY. Source: section 7. */
sgf_status sgf_heavy_ball_covariance(const sgf_range *range, double lambda, double momentum, const double *N,
                                     size_t first, size_t stride, size_t count, double *S, sgf_error *error);

/* The covariance of the mean over the snapshots first, first + stride, ... (count of them) of such runs, which moments about
 * the window's own mean lack: (1/K^2) sum over pairs of snapshots of E[delta_i(t) delta_j(t')], E[delta_i(t + s) delta_j(t)] =
 * (F^s Z_t). Arguments as above. Errors: SGF_ERROR_MEMORY. Source: sections 7 and 14. */
sgf_status sgf_heavy_ball_mean_covariance(const sgf_range *range, double lambda, double momentum, const double *N,
                                          size_t first, size_t stride, size_t count, double *S, sgf_error *error);

/* Rate, per unit of continuum time, at which a mode of curvature h forgets: h without momentum; -ln|mu| / lambda with mu the
 * larger root of the step's map, about h / (1 - beta) for slow modes and -ln(beta) / (2 lambda) for oscillating ones. */
double sgf_mode_rate(double lambda, double momentum, double h);

/* ||(1-beta)(HS + SH) - lambda (1+beta^2)/(1-beta^2) HSH + lambda beta/(1-beta^2) (H^2 S + S H^2) - N||_F over the norms of
 * its terms, recomputed from raw matrices: the velocity's block of the Stein equation Z = F Z F^T + noise for the Z that S
 * is a block of, the other blocks being 0. NaN if any number is. work: 3 n^2. */
double sgf_heavy_ball_residual(size_t n, const double *H, double lambda, double momentum, const double *S,
                               const double *N, double *work);

#endif
