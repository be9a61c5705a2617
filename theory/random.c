/* Reproducible random numbers: Philox4x64-10, a pure function of key and counter. */
#include "random.h"

#include <Random123/philox.h>
#include <gsl/gsl_cdf.h>

void sgf_random_at(sgf_random *random, uint64_t seed, uint64_t stream, uint64_t step)
{
  random->seed = seed;
  random->stream = stream;
  random->step = step;
  random->block = 0;
  random->left = 0;
}

uint64_t sgf_random_bits(sgf_random *random)
{
  if (random->left == 0) {
    philox4x64_key_t key = {{random->seed, random->stream}};
    philox4x64_ctr_t counter = {{random->block++, random->step, 0, 0}};
    philox4x64_ctr_t words = philox4x64(counter, key);
    for (unsigned k = 0; k < 4; k++) random->words[k] = words.v[k];
    random->left = 4;
  }
  return random->words[4 - random->left--];
}

size_t sgf_random_index(sgf_random *random, size_t bound)
{
  __extension__ typedef unsigned __int128 wide;
  return (size_t)(((wide)sgf_random_bits(random) * bound) >> 64);
}

double sgf_random_normal(sgf_random *random)
{
  /* The midpoint of one of 2^53 cells of (0, 1): never 0 or 1. */
  double uniform = ((double)(sgf_random_bits(random) >> 11) + 0.5) * 0x1p-53;
  return gsl_cdf_ugaussian_Pinv(uniform);
}
