/* What the modes of H do over the steps of an epoch, some steps at a time. */
#ifndef SGF_EPOCH_WALK_H
#define SGF_EPOCH_WALK_H

#include "heavy_ball.h"

/* Steps that are told together. */
enum { SGF_WALK_STEPS = 128 };

/* A walk over the M steps of an epoch for all modes of a range. Tables have a row for each mode and a column for each of
 * the `count` steps k that the last sgf_epoch_walk_on took, rows SGF_WALK_STEPS apart; states are those of heavy_ball.h.
 *   r, Y, v  k steps after a kick (1, 1): delta, the deviation of Y from 1, and v
 *   sum      sum of r over the steps up to this one
 *   f, g     delta of the states that k + 1 steps make of (1, 0) and of (0, 1) */
typedef struct sgf_epoch_walk {
  size_t modes, batches, step, count;
  double momentum;
  sgf_mode *mode; /* (modes) */
  double *state;  /* (modes, 7), of the next step */
  double *r, *Y, *v, *sum, *f, *g;
  double *block; /* all of these numbers */
} sgf_epoch_walk;

/* At the start of an epoch of `batches` steps. Errors: SGF_ERROR_MEMORY; a failed or zeroed walk can be freed. */
sgf_status sgf_epoch_walk_create(const sgf_range *range, double lambda, double momentum, size_t batches,
                                 sgf_epoch_walk *walk, sgf_error *error);
void sgf_epoch_walk_free(sgf_epoch_walk *walk);

/* Take the next steps; false at the end of the epoch, and the walk is then at its start again. */
bool sgf_epoch_walk_on(sgf_epoch_walk *walk);

#endif
