/* What the modes of H do over the steps of an epoch, some steps at a time. */
#include "epoch_walk.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { TABLES = 6, STATE = 7 };

/* Of the state of a mode: sum of r; Y - 1 and v after the kick; Y - 1 and v from (1, 0); Y and v from (0, 1). */
static void start(sgf_epoch_walk *walk)
{
  static const double first[STATE] = {0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0};
  walk->step = walk->count = 0;
  for (size_t i = 0; i < walk->modes; i++) memcpy(walk->state + i * STATE, first, sizeof first);
}

sgf_status sgf_epoch_walk_create(const sgf_range *range, double lambda, double momentum, size_t batches,
                                 sgf_epoch_walk *walk, sgf_error *error)
{
  size_t modes = range->rank, null = range->n - modes;
  void *mode;
  sgf_status status;
  *walk = (sgf_epoch_walk){.modes = modes, .batches = batches, .momentum = momentum};
  SGF_TRY(sgf_allocate(&mode, modes, 1, sizeof *walk->mode, "steps of an epoch", error));
  walk->mode = mode;
  SGF_TRY(sgf_new_reals(&walk->block, modes, STATE + TABLES * SGF_WALK_STEPS, "steps of an epoch", error));
  double **tables[TABLES] = {&walk->r, &walk->Y, &walk->v, &walk->sum, &walk->f, &walk->g};
  walk->state = walk->block;
  for (size_t k = 0; k < TABLES; k++) *tables[k] = walk->block + modes * (STATE + k * SGF_WALK_STEPS);
  for (size_t i = 0; i < modes; i++) walk->mode[i] = sgf_mode_of(lambda, momentum, range->h[null + i]);
  start(walk);
done:
  return status;
}

void sgf_epoch_walk_free(sgf_epoch_walk *walk)
{
  free(walk->mode);
  free(walk->block);
  memset(walk, 0, sizeof *walk);
}

/* delta of (base + d, v), and one step of it without noise. */
static double delta_of(const sgf_mode *mode, double base, const double state[2])
{
  return mode->a * (base + state[0]) - mode->c * state[1];
}

static void move(const sgf_mode *mode, double base, double state[2])
{
  double change = mode->rho * delta_of(mode, base, state);
  state[0] += mode->kappa * state[1] - change;
  state[1] = mode->momentum * state[1] - change;
}

bool sgf_epoch_walk_on(sgf_epoch_walk *walk)
{
  size_t left = walk->batches - walk->step;
  if (left == 0) {
    start(walk);
    return false;
  }
  walk->count = left < SGF_WALK_STEPS ? left : SGF_WALK_STEPS;
  for (size_t i = 0; i < walk->modes; i++) {
    const sgf_mode *mode = &walk->mode[i];
    double *state = walk->state + i * STATE, *kicked = state + 1, *from_Y = state + 3, *from_v = state + 5;
    for (size_t k = 0, at = i * SGF_WALK_STEPS; k < walk->count; k++, at++) {
      walk->Y[at] = kicked[0];
      walk->v[at] = kicked[1];
      walk->r[at] = delta_of(mode, 1.0, kicked);
      walk->sum[at] = state[0] += walk->r[at];
      move(mode, 1.0, kicked);
      move(mode, 1.0, from_Y);
      move(mode, 0.0, from_v);
      walk->f[at] = delta_of(mode, 1.0, from_Y);
      walk->g[at] = delta_of(mode, 0.0, from_v);
    }
  }
  walk->step += walk->count;
  return true;
}
