/* The rank decision: which of the values that should be zero are zero. */
#ifndef SGF_RANK_H
#define SGF_RANK_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sgf_rank {
  size_t dropped;   /* the so many smallest values are zero */
  double gap;       /* smallest value kept over the largest dropped, or over round-off where that is larger */
  double tolerance; /* relative to the largest value: those up to it were dropped */
  bool ambiguous;   /* gap < 1e3 */
} sgf_rank;

/* Decide which of n values are zero.
 *   values         eigenvalues or singular values, ascending, of either sign near zero
 *   tolerance      relative to the largest: what is up to it is zero; NaN: chosen by the largest gap
 *   never_dropped  relative: without a tolerance, values above it are kept whatever the gap
 *   round_off      relative: the level of computed zeros
 * The largest value is kept unless all are 0: then all are dropped, and the gap is infinite. Source: section 10. */
sgf_rank sgf_decide_rank(size_t n, const double *values, double tolerance, double never_dropped, double round_off);

#endif
