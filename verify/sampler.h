/* Which samples form the minibatch of each step. */
#ifndef SGF_SAMPLER_H
#define SGF_SAMPLER_H

#include "../theory/random.h"
#include "../theory/status.h"

typedef struct sgf_sampler {
  sgf_sampling mode;
  size_t samples, batch; /* P, S */
  uint64_t seed, replica;
  size_t per_word; /* indices below P that share a random word */
  size_t *order;   /* a permutation of the samples; unused with replacement */
  uint64_t *ahead; /* with replacement, what the next steps draw, as kernels do it; NULL: step by step */
  uint64_t first;  /* of these steps */
  size_t held;     /* steps */
} sgf_sampler;

/* A sampler of one replica; its draws depend on seed, replica and step only through the steps taken in order
 * from 0. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_sampler_create(sgf_sampling mode, size_t samples, size_t batch, uint64_t seed, uint64_t replica,
                              sgf_sampler *sampler, sgf_error *error);
void sgf_sampler_free(sgf_sampler *sampler);

/* The batch of a step, steps = 0, 1, 2, ... in this order: S indices into `indices`.
 *   replacement          independent uniform draws
 *   without-replacement  a fresh uniform S-subset
 *   epoch                the next S of a permutation that is drawn anew every P / S steps */
void sgf_sampler_draw(sgf_sampler *sampler, uint64_t step, size_t *indices);

#endif
