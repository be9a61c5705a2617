/* Motion along the symmetry of the hidden layers with heavy-ball momentum, and in reshuffled epochs.
 *
 * Exactly, for every step theta' = theta + v' from rest and any batches, N_a antisymmetric: n_a(theta).v' = 0, since every
 * batch's gradient is orthogonal to n_a(theta) and n_a(theta).v = n_a(theta - v).v + v.N_a v. So nu_a changes by
 * delta^T N_a delta', the area swept from one step to the next, and its moments are those of R(1) = E[delta' delta^T] and of
 * the lags (section 15). Of scalings n_a(theta).v' = beta (n_a(theta - v).v + v.N_a v) is left, which has the same drift
 *   sum_ij (N_a)_ij h_i S_ij / (1 - beta)  per unit of continuum time,  S of the Stein equation.
 * Source: section 14, our derivation. */
#ifndef SGF_ROTATION_MOMENTUM_H
#define SGF_ROTATION_MOMENTUM_H

#include "rotation.h"

/* The motion for the sampling and the momentum that are configured, stationary for plan = NULL, else with the moments that
 * runs from theta* at rest show on average over the plan's window.
 *   plain     sgf_motion_create, sgf_motion_create_window
 *   momentum  rates h / (1 - beta) and the S of the Stein equation (equation: continuum, of its leading order), so that
 *             sgf_motion_drift is exact in the linear theory, sgf_motion_mean and _covariance are of leading order in lambda
 *   epochs    the drift of sgf_epoch_swept; S is that which independent draws would have, to leading order
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_motion_create_configured(const sgf_problem *problem, const sgf_fluctuations *fluctuations,
                                        const sgf_plan *plan, sgf_motion *motion, sgf_error *error);

/* The covariance of such a motion: without momentum, and with `equation: continuum`, sgf_motion_covariance. With momentum
 * the rotations' diffusion is that of the steps, the sum over all lags of the covariance of delta^T N_a delta' for Gaussian
 * delta; what saturates, and scalings, stay of leading order in lambda. In reshuffled epochs it is that of sgf_epoch_diffusion,
 * without what saturates. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL; SGF_ERROR_UNSUPPORTED for scalings in epochs. */
sgf_status sgf_motion_covariance_configured(const sgf_problem *problem, const sgf_motion *motion,
                                            const sgf_lags *lags, size_t count, const sgf_mode *modes,
                                            double *covariance, sgf_error *error);

/* Multiply-adds of it for the rotations. */
double sgf_motion_cost_configured(const sgf_problem *problem, size_t rank, size_t count);

/* sgf_motion_covariance_configured by steps for any momentum, none too, and independent draws: what sgf_motion_covariance has, and of rotations the rate of the steps instead
 * of that of the flow, exact for Gaussian delta of covariance S that obeys the linear equations. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_motion_covariance_by_steps(double learning_rate, double momentum, const sgf_motion *motion,
                                          const sgf_lags *lags, size_t count, const sgf_mode *modes,
                                          double *covariance, sgf_error *error);

/* The weights w of (S, V) (x) (S, V) in the diffusion of rotations, for modes of lambda h = a and b, V = E[v delta^T]:
 *   lambda d cov_ab/dt = W_ab + W_ba,  W_ab = sum_ij (N_a)_ij [ w_SS S N_b S + w_SV S N_b V^T + w_VS V N_b S + w_VV V N_b V^T ]_ij.
 * w = X - O / 2, X = F_a^T X F_b + O over the steps F = [1 - lambda h, beta; -lambda h, beta], O what one lag has. */
typedef struct sgf_lag_sums {
  double SS, SV, VS, VV;
} sgf_lag_sums;
sgf_lag_sums sgf_lag_sums_of(double momentum, double a, double b);

#endif
