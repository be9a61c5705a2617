/* Covariance of linear fluctuations about theta*: of all weights, or of one layer with the others frozen. */
#ifndef SGF_COVARIANCE_H
#define SGF_COVARIANCE_H

#include "nullspace.h"
#include "problem.h"

/* d delta = -H delta dt + noise, or the same in steps: what a covariance needs of drift and diffusion. */
typedef struct sgf_fluctuations {
  sgf_range range; /* of the drift */
  double *noise;   /* (n, n), (lambda kappa / S) C in the basis of `range` */
} sgf_fluctuations;

/* From C (n, n), kept, and the range of the drift, which the fluctuations own from now on, in failure too. `scale` =
 * lambda kappa / S. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_fluctuations_create(sgf_range *range, const double *C, double scale, sgf_fluctuations *fluctuations,
                                   sgf_error *error);

/* Modes of the range without noise, up to round-off, go over to the null space, behind its modes: with weight decay scalings of
 * hidden layers and weights that were shrunk to zero, which have a rate, and no variance in the order of this theory. Nothing
 * is done where no mode has noise. Errors: SGF_ERROR_MEMORY. Source: section 7. */
sgf_status sgf_set_silent_apart(sgf_fluctuations *fluctuations, sgf_error *error);

void sgf_fluctuations_free(sgf_fluctuations *fluctuations);

/* How time passes: the equation that a covariance is by. Draws are independent in time but for the last, and there is no
 * momentum but in the last three. */
typedef enum {
  SGF_TIME_CONTINUUM,
  SGF_TIME_DISCRETE,
  SGF_TIME_HEAVY_FLOW, /* the leading order in lambda with momentum: continuum of learning rate lambda / (1 - beta) */
  SGF_TIME_HEAVY_BALL, /* steps with momentum */
  SGF_TIME_EPOCHS      /* steps of reshuffled epochs, with momentum or without */
} sgf_time;

/* The one that the settings ask for, with constant drift (`exact` is discrete here). */
sgf_time sgf_configured_time(const sgf_settings *settings);

/* Sigma (n, n) on range(H), zero elsewhere: stationary for plan = NULL, else averaged over the plan's snapshots of
 * runs that start at theta* at rest. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: sections 1, 7 and 8. */
sgf_status sgf_covariance(const sgf_problem *problem, const sgf_fluctuations *fluctuations, sgf_time time,
                          const sgf_plan *plan, double *Sigma, sgf_error *error);

/* The same for reshuffled epochs, and stationary (plan = NULL) also at the ends of the epochs; `ends` (n, n) may be NULL.
 * Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 8. */
sgf_status sgf_covariance_of_epochs(const sgf_problem *problem, const sgf_fluctuations *fluctuations,
                                    const sgf_plan *plan, double *Sigma, double *ends, sgf_error *error);

/* Covariance of the mean over the plan's snapshots, (n, n): what is missing from a covariance about the window's own
 * mean. Errors: SGF_ERROR_MEMORY, SGF_ERROR_UNSUPPORTED for epochs. Source: sections 1, 7 and 14. */
sgf_status sgf_covariance_of_mean(const sgf_problem *problem, const sgf_fluctuations *fluctuations, sgf_time time,
                                  const sgf_plan *plan, double *Sigma, sgf_error *error);

/* The plan in epochs: batches in one; epochs skipped and counted, 0 for plan = NULL (the stationary state). */
typedef struct sgf_epochs {
  size_t batches, skipped, counted;
} sgf_epochs;
/* M of reshuffled epochs; 0: draws are independent in time. */
size_t sgf_batches_of(const sgf_problem *problem);
sgf_epochs sgf_epochs_of(const sgf_problem *problem, const sgf_plan *plan);

#endif
