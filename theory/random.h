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
  uint64_t rest;     /* what earlier indices have left of a word */
  uint64_t range;    /* the product of their bounds */
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

/* Uniform in 0 ... bound - 1, several from one word: index = high(word bound), word <- low(word bound), as long as the
 * product of the bounds is at most 2^32. Of 2^64 words, as many as divided by that product, rounded down or up, give
 * each tuple of indices: its probability, and with it the law of whatever is made of them, is right to a relative
 * 2^-32. A draw of another kind in between leaves the word alone. */
size_t sgf_random_packed_index(sgf_random *random, size_t bound);

/* How many indices below `bound` share a word. */
size_t sgf_random_indices_per_word(size_t bound);

/* Fill indices (count) with what sgf_random_packed_index would draw from the start of a step, faster;
 * per_word = sgf_random_indices_per_word(bound), of which a run of many steps makes one call. */
void sgf_random_indices(uint64_t seed, uint64_t stream, uint64_t step, size_t bound, size_t per_word, size_t count,
                        size_t *indices);

/* Standard normal, by inversion: one draw each. */
double sgf_random_normal(sgf_random *random);

#endif
