/* Which samples form the minibatch of each step. */
#include "sampler.h"

#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"

sgf_status sgf_sampler_create(sgf_sampling mode, size_t samples, size_t batch, uint64_t seed, uint64_t replica,
                              sgf_sampler *sampler, sgf_error *error)
{
  void *order = NULL;
  *sampler = (sgf_sampler){mode, samples, batch, seed, replica, sgf_random_indices_per_word(samples), NULL};
  if (mode == SGF_SAMPLING_REPLACEMENT) return SGF_OK;
  sgf_status status = sgf_allocate(&order, samples, 1, sizeof(size_t), "sampler", error);
  if (status != SGF_OK) return status;
  sampler->order = order;
  for (size_t k = 0; k < samples; k++) sampler->order[k] = k;
  return SGF_OK;
}

void sgf_sampler_free(sgf_sampler *sampler)
{
  free(sampler->order);
  sampler->order = NULL;
}

/* The first `count` steps of a Fisher-Yates shuffle: uniform over subsets (over permutations for count = P)
 * whatever permutation it starts from. */
static void shuffle(sgf_random *random, size_t *order, size_t samples, size_t count)
{
  for (size_t k = 0; k < count; k++) {
    size_t other = k + sgf_random_packed_index(random, samples - k), swap = order[k];
    order[k] = order[other];
    order[other] = swap;
  }
}

void sgf_sampler_draw(sgf_sampler *sampler, uint64_t step, size_t *indices)
{
  sgf_random random;
  size_t P = sampler->samples, S = sampler->batch, position = 0;
  if (sampler->mode == SGF_SAMPLING_REPLACEMENT) {
    sgf_random_indices(sampler->seed, sampler->replica, step, P, sampler->per_word, S, indices);
    return;
  }
  sgf_random_at(&random, sampler->seed, sampler->replica, step);
  if (sampler->mode == SGF_SAMPLING_WITHOUT_REPLACEMENT) {
    shuffle(&random, sampler->order, P, S);
  } else {
    position = (size_t)(step % (P / S)) * S;
    if (position == 0) shuffle(&random, sampler->order, P, P);
  }
  memcpy(indices, sampler->order + position, S * sizeof *indices);
}
