/* Numbers that are followed along the runs of an ensemble. */
#include "followed.h"

#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"

enum { MOST_CHAINS = 256, MOST_DRAWS = 256 };

sgf_status sgf_followed_create(const sgf_plan *plan, size_t count, size_t n, const double *directions,
                               sgf_followed *followed, sgf_error *error)
{
  size_t snapshots = plan->window_steps / plan->stride;
  sgf_status status;
  *followed = (sgf_followed){.count = count, .n = n};
  followed->chains = plan->replicas < MOST_CHAINS ? plan->replicas : MOST_CHAINS;
  followed->thin = (snapshots + MOST_DRAWS - 1) / MOST_DRAWS;
  followed->draws = snapshots / followed->thin;
  SGF_TRY(sgf_new_reals(&followed->directions, count, n, "directions that are followed", error));
  SGF_TRY(
      sgf_new_reals(&followed->values, count * followed->chains, followed->draws, "draws of the replicas", error));
  if (directions != NULL) memcpy(followed->directions, directions, count * n * sizeof *directions);
done:
  if (status != SGF_OK) sgf_followed_free(followed);
  return status;
}

void sgf_followed_free(sgf_followed *followed)
{
  free(followed->directions);
  free(followed->values);
  *followed = (sgf_followed){0};
}

void sgf_followed_take(sgf_followed *followed, size_t replica, size_t snapshot, const double *theta,
                       const double *reference)
{
  if (followed->count == 0 || replica >= followed->chains || (snapshot + 1) % followed->thin != 0) return;
  size_t draw = snapshot / followed->thin;
  if (draw >= followed->draws) return;
  for (size_t k = 0; k < followed->count; k++) {
    const double *direction = followed->directions + k * followed->n;
    double sum = 0.0;
    for (size_t i = 0; i < followed->n; i++) sum += direction[i] * (theta[i] - reference[i]);
    followed->values[(replica * followed->count + k) * followed->draws + draw] = sum;
  }
}

void sgf_followed_chains(const sgf_followed *followed, size_t k, size_t chains, double *values)
{
  for (size_t r = 0; r < chains; r++)
    memcpy(values + r * followed->draws, followed->values + (r * followed->count + k) * followed->draws,
           followed->draws * sizeof *values);
}
