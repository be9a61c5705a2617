/* Reproducible random numbers: Philox4x64-10, a pure function of key and counter. */
#include "random.h"

#include <Random123/philox.h>
#include <gsl/gsl_cdf.h>

__extension__ typedef unsigned __int128 wide;

/* Largest product of the bounds of indices that share a word. */
static const uint64_t SHARED = 1ULL << 32;

static inline __attribute__((always_inline)) void draw_block(uint64_t seed, uint64_t stream, uint64_t step,
                                                             uint64_t block, uint64_t *words)
{
  philox4x64_key_t key = {{seed, stream}};
  philox4x64_ctr_t counter = {{block, step, 0, 0}};
  philox4x64_ctr_t drawn = philox4x64(counter, key);
  for (unsigned k = 0; k < 4; k++) words[k] = drawn.v[k];
}

void sgf_random_at(sgf_random *random, uint64_t seed, uint64_t stream, uint64_t step)
{
  random->seed = seed;
  random->stream = stream;
  random->step = step;
  random->block = 0;
  random->left = 0;
  random->rest = 0;
  random->range = SHARED + 1; /* no room: the first index draws a word */
}

uint64_t sgf_random_bits(sgf_random *random)
{
  if (random->left == 0) {
    draw_block(random->seed, random->stream, random->step, random->block++, random->words);
    random->left = 4;
  }
  return random->words[4 - random->left--];
}

size_t sgf_random_index(sgf_random *random, size_t bound)
{
  return (size_t)(((wide)sgf_random_bits(random) * bound) >> 64);
}

/* Replace a word by what an index takes of it, and return the index. */
static size_t take_index(uint64_t *word, size_t bound)
{
  wide product = (wide)*word * bound;
  *word = (uint64_t)product;
  return (size_t)(product >> 64);
}

size_t sgf_random_packed_index(sgf_random *random, size_t bound)
{
  if (bound > SHARED || random->range * bound > SHARED) {
    random->rest = sgf_random_bits(random);
    random->range = 1;
  }
  random->range = bound > SHARED ? SHARED + 1 : random->range * bound;
  return take_index(&random->rest, bound);
}

size_t sgf_random_indices_per_word(size_t bound)
{
  size_t together = 1;
  if (bound <= 1) return SIZE_MAX;
  for (uint64_t range = bound; range <= SHARED / bound; together++) range *= bound;
  return together;
}

void sgf_random_indices(uint64_t seed, uint64_t stream, uint64_t step, size_t bound, size_t per_word, size_t count,
                        size_t *indices)
{
  uint64_t words[4];
  for (uint64_t block = 0; count > 0; block++) {
    draw_block(seed, stream, step, block, words);
    for (unsigned k = 0; k < 4 && count > 0; k++) {
      uint64_t word = words[k];
      size_t taken = per_word < count ? per_word : count;
      for (size_t i = 0; i < taken; i++) *indices++ = take_index(&word, bound);
      count -= taken;
    }
  }
}

double sgf_random_normal(sgf_random *random)
{
  /* The midpoint of one of 2^53 cells of (0, 1): never 0 or 1. */
  double uniform = ((double)(sgf_random_bits(random) >> 11) + 0.5) * 0x1p-53;
  return gsl_cdf_ugaussian_Pinv(uniform);
}
