/* Motion along the symmetry of the hidden layers that fluctuations on range(H) make: rotations with their drift and
 * diffusion, scalings slaved to them. Leading order in the learning rate, continuum time, displacements small against the
 * weights. Source: section 14. */
#ifndef SGF_ROTATION_H
#define SGF_ROTATION_H

#include "covariance.h"
#include "symmetry.h"

/* Fluctuations next to a symmetry: dimension r = rank of H. */
typedef struct sgf_motion {
  const sgf_network *network; /* of the caller */
  size_t rank;
  double *h;      /* (r), rates */
  double *S;      /* (r, r), covariance in the modes of H */
  double *rows;   /* (n, r), range(H): row p has the components of weight p */
  double *spread; /* (n, r), rows S */
  double *swept;  /* (r, r), what the drift is the contraction of; NULL: h_i S_ij */
} sgf_motion;

/* From the range and noise (lambda kappa / S) C of all weights: S is the continuum's. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_motion_create(const sgf_network *network, const sgf_fluctuations *fluctuations, sgf_motion *motion,
                             sgf_error *error);
/* The same with the covariance of runs that start at theta*, averaged over the plan's window: what relaxes slowly is
 * held at its mean. */
sgf_status sgf_motion_create_window(const sgf_problem *problem, const sgf_fluctuations *fluctuations,
                                    const sgf_plan *plan, sgf_motion *motion, sgf_error *error);
/* Sigma (n, n) instead of its covariance, on the range that it was created with. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_motion_set_covariance(sgf_motion *motion, const sgf_range *range, const double *Sigma,
                                     sgf_error *error);
void sgf_motion_free(sgf_motion *motion);

/* drift (count): d<nu_a>/dt in the stationary state, w^2 per unit of time, sum_ij (N_a)_ij (H S)_ij: for rotations
 * -tr(N_a Q), Q = (H S - S H) / 2, zero with detailed balance; for scalings tr(N_a D), half of the balance's drift.
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_motion_drift(const sgf_motion *motion, size_t count, const sgf_mode *modes, double *drift,
                            sgf_error *error);

/* mean (count): <nu_a> at a time after the fluctuations started from zero, w^2: the drift with the covariance of then,
 * int_0^time sum_ij (N_a)_ij (H (S - exp(-Ht) S exp(-Ht)))_ij dt; of what is swept, the drift times
 * the time. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_motion_mean(const sgf_motion *motion, double time, size_t count, const sgf_mode *modes, double *mean,
                           sgf_error *error);

/* Which second moment of nu: its growth per unit of time in the long run; of its change over a time; or about its own mean
 * over snapshots. */
typedef struct sgf_lags {
  double snapshots; /* 0: the rate; 1: over `spacing`; K: about the mean of K snapshots at distances of `spacing` */
  double spacing;   /* continuum time */
} sgf_lags;

/* Mean over the pairs of snapshots of the time between them; 1 for the rate. */
double sgf_lags_time(const sgf_lags *lags);

/* covariance (count, count), w^4 (per unit of time for the rate), without the mean motion:
 *   cov_ab = sum_ij u_ij [ (N_a)_ij (S N_b S)_ij + (N_b)_ij (S N_a S)_ij ],  s = h_i + h_j,
 *   two rotations  u = 2 h_i h_j t / s + (h_i - h_j)^2 (1 - exp(-s t)) / 2 s^2,
 *   two scalings   u = (1 - exp(-s t)) / 2,
 *   a rotation with a scaling  u = (h_i - h_j) (1 - exp(-s t)) / 2 s,
 * t the time, or its mean over the pairs of snapshots; the rate has the first term alone, which is
 * 2 tr(S B_a D B_b^T) with B_a = N_a o 2 h_i / (h_i + h_j). Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_motion_covariance(const sgf_motion *motion, const sgf_lags *lags, size_t count, const sgf_mode *modes,
                                 double *covariance, sgf_error *error);

/* Rows first ... first + height - 1 of a triangle i >= j, and the columns j < width that these have. */
typedef struct sgf_panel {
  size_t first, height, width;
} sgf_panel;
/* Rows of a panel of `count` modes at once, so that its numbers are a bounded part of the memory; and the one from row `first`
 * on. */
size_t sgf_panel_height(size_t rank, size_t count);
sgf_panel sgf_panel_at(size_t rank, size_t height, size_t first);

/* block (height, width): the panel's part of sum_pq (N_a)_pq L_p^T R_q, L and R the rows of `left` and `right` (n, r) by
 * weight. With the rows of the motion's range that is N_a in the modes of H, with `spread` S N_a S. */
void sgf_mode_in_range(const sgf_motion *motion, const double *left, const double *right, const sgf_mode *mode,
                       const sgf_panel *of, double *block);

/* Multiply-adds of the covariance of `count` modes: in panels of the triangles of N_a and S N_a S for all modes. */
double sgf_motion_cost(const sgf_network *network, size_t rank, size_t count);

#endif
