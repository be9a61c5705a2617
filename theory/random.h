/* Reproducible random numbers: Philox4x64-10 (Salmon et al. 2011), a pure function of key and counter.
 *
 * key = (seed, stream), counter = (draw block, step, 0, 0): what a replica draws in a step depends on
 * nothing else, so neither threads nor their number change a bit.
 */
#ifndef SGF_RANDOM_H
#define SGF_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef struct sgf_random {
  uint64_t seed, stream;
  uint64_t step;     /* the counter's second word */
  uint64_t block;    /* the counter's first word: the next block of four numbers */
  uint64_t words[4]; /* the current block */
  unsigned left;     /* of its four numbers */
} sgf_random;

/* Streams of a seed: replica r of the simulation is stream r, the others count down from the top. */
#define SGF_STREAM_DATA UINT64_MAX
#define SGF_STREAM_WEIGHTS (UINT64_MAX - 1)
#define SGF_STREAM_BOOTSTRAP (UINT64_MAX - 2)
#define SGF_STREAM_SAMPLES (UINT64_MAX - 3)
#define SGF_STREAM_KRYLOV (UINT64_MAX - 4)

/* Stand at the first draw of a step of a stream. */
void sgf_random_at(sgf_random *random, uint64_t seed, uint64_t stream, uint64_t step);

uint64_t sgf_random_bits(sgf_random *random);

/* Uniform in 0 ... bound - 1, bound >= 1. The bias is below bound / 2^64. */
size_t sgf_random_index(sgf_random *random, size_t bound);

/* Standard normal, by inversion: one draw each. */
double sgf_random_normal(sgf_random *random);

#endif
