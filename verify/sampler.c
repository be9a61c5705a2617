/* Which samples form the minibatch of each step. */
#include "sampler.h"

#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "kernels.h"

/* Batches up to this size are drawn some steps ahead: larger ones are many blocks of random words, which the processor
 * overlaps by itself, and they would crowd the cache. */
enum { MOST_AHEAD = 256 };

/* Room for the batches of some steps, where kernels draw them. */
static sgf_status draw_ahead(sgf_sampler *sampler, sgf_error *error)
{
  const sgf_kernels *kernels = sgf_kernels_of_machine();
  void *ahead;
  if (kernels->draw_indices == NULL || sampler->batch > MOST_AHEAD || sampler->samples > UINT32_MAX) return SGF_OK;
  sgf_status status = sgf_allocate(&ahead, sampler->batch, 2 * kernels->lanes, sizeof(uint64_t), "sampler", error);
  sampler->ahead = ahead;
  return status;
}

sgf_status sgf_sampler_create(sgf_sampling mode, size_t samples, size_t batch, uint64_t seed, uint64_t replica,
                              sgf_sampler *sampler, sgf_error *error)
{
  void *order = NULL;
  *sampler =
      (sgf_sampler){mode, samples, batch, seed, replica, sgf_random_indices_per_word(samples), NULL, NULL, 0, 0};
  if (mode == SGF_SAMPLING_REPLACEMENT) return draw_ahead(sampler, error);
  sgf_status status = sgf_allocate(&order, samples, 1, sizeof(size_t), "sampler", error);
  if (status != SGF_OK) return status;
  sampler->order = order;
  for (size_t k = 0; k < samples; k++) sampler->order[k] = k;
  return SGF_OK;
}

void sgf_sampler_free(sgf_sampler *sampler)
{
  free(sampler->order);
  free(sampler->ahead);
  sampler->order = NULL;
  sampler->ahead = NULL;
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

/* Every `distance`-th of so many numbers. */
static inline void take_every(size_t distance, size_t count, const uint64_t *from, size_t *indices)
{
  for (; count >= 5; count -= 5, from += 5 * distance, indices += 5) {
    indices[0] = (size_t)from[0];
    indices[1] = (size_t)from[distance];
    indices[2] = (size_t)from[2 * distance];
    indices[3] = (size_t)from[3 * distance];
    indices[4] = (size_t)from[4 * distance];
  }
  for (size_t s = 0; s < count; s++) indices[s] = (size_t)from[s * distance];
}

static void draw_with_replacement(sgf_sampler *sampler, uint64_t step, size_t *indices)
{
  size_t P = sampler->samples, S = sampler->batch;
  if (sampler->ahead == NULL) {
    sgf_random_indices(sampler->seed, sampler->replica, step, P, sampler->per_word, S, indices);
    return;
  }
  if (step - sampler->first >= sampler->held) { /* earlier steps too: unsigned */
    const sgf_kernels *kernels = sgf_kernels_of_machine();
    kernels->draw_indices(sampler->seed, sampler->replica, step, P, sampler->per_word, S, sampler->ahead);
    sampler->first = step;
    sampler->held = 2 * kernels->lanes;
  }
  take_every(sampler->held, S, sampler->ahead + (step - sampler->first), indices);
}

void sgf_sampler_draw(sgf_sampler *sampler, uint64_t step, size_t *indices)
{
  sgf_random random;
  size_t P = sampler->samples, S = sampler->batch, position = 0;
  if (sampler->mode == SGF_SAMPLING_REPLACEMENT) {
    draw_with_replacement(sampler, step, indices);
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
