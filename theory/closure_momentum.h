/* What heavy-ball momentum adds to the Gaussian closure: a velocity, whose mean and covariances go along.
 *
 *   v' = beta v - lambda (gradient),  theta' = theta + v',
 * in the modes of a drift that is constant over some steps: of a mode of rate h, from the displacement d since their start,
 *   (d, v)' = F (d, v) - lambda force (1, 1),  F = [1 - lambda h, beta; -lambda h, beta],
 * and of a pair Z' = F_i Z F_j^T + noise [1, 1; 1, 1], force and noise linear in the number of steps. Sums over steps are made by doubling, so that rates may vanish or be
 * negative. Source: sections 7 and 13. */
#ifndef SGF_CLOSURE_MOMENTUM_H
#define SGF_CLOSURE_MOMENTUM_H

#include "status.h"

typedef struct sgf_velocities sgf_velocities;

/* At rest. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_velocities_create(size_t size, double lambda, double momentum, sgf_velocities **velocities,
                                 sgf_error *error);
void sgf_velocities_free(sgf_velocities *velocities);
void sgf_velocities_rest(sgf_velocities *velocities);

/* What steps in the modes are of. */
typedef struct sgf_mode_law {
  const double *V, *h;               /* (size, size) modes in rows, (size) their rates */
  const double *Sigma;               /* (size, size) covariance at the start, in the modes */
  const double *noise, *noise_slope; /* (size, size), in the modes: step k adds noise + k noise_slope to Z */
  const double *force, *force_slope; /* (size), in the modes, of the gradient likewise */
} sgf_mode_law;

/* After so many steps: moved (size), mean change of theta in the modes, and Sigma (size, size) in the modes.
 *   keep  the velocities there are those that sgf_velocities_accept takes
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_velocities_propagate(sgf_velocities *velocities, const sgf_mode_law *law, size_t steps, bool keep,
                                    double *moved, double *Sigma, sgf_error *error);
/* Go on from where the last propagation that was kept ended. */
void sgf_velocities_accept(sgf_velocities *velocities);

/* Add to mean (size) and Sigma (size, size), those of where the propagation that was kept ended, what the velocities there will
 * still move them by: the mean and covariance of theta + beta v / (1 - beta). */
void sgf_velocities_reach(const sgf_velocities *velocities, double *mean, double *Sigma);

/* Over the snapshots first, first + stride, ... (count of them): sum (size, size) of the covariances, and moved (count, size),
 * all in the modes. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_velocities_snapshots(const sgf_velocities *velocities, const sgf_mode_law *law, size_t first,
                                    size_t stride, size_t count, double *sum, double *moved, sgf_error *error);

#endif
