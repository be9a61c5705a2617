/* The rank decision: which of the values that should be zero are zero. */
#include "rank.h"

#include <math.h>

/* A decision whose gap is smaller than this is ambiguous. */
static const double CLEAR_GAP = 1e3;

/* Gap at the cut that drops the `dropped` smallest values; below round-off there is only round-off. */
static double gap_at(const double *values, size_t dropped, double round_off)
{
  double below = dropped > 0 ? fmax(fabs(values[dropped - 1]), fabs(values[0])) : 0.0;
  return values[dropped] / fmax(below, round_off);
}

sgf_rank sgf_decide_rank(size_t n, const double *values, double tolerance, double never_dropped, double round_off)
{
  double largest = values[n - 1];
  sgf_rank rank = {0, 0.0, 0.0, false};
  if (largest == 0.0) {
    rank.dropped = n;
    rank.gap = INFINITY;
    return rank;
  }
  if (!isnan(tolerance)) {
    while (rank.dropped < n - 1 && values[rank.dropped] <= tolerance * largest) rank.dropped++;
  } else {
    for (size_t k = 1; k < n && values[k - 1] <= never_dropped * largest; k++)
      if (gap_at(values, k, round_off * largest) > gap_at(values, rank.dropped, round_off * largest))
        rank.dropped = k;
  }
  rank.gap = gap_at(values, rank.dropped, round_off * largest);
  rank.tolerance = isnan(tolerance) ? (values[rank.dropped] / largest) / sqrt(rank.gap) : tolerance;
  rank.ambiguous = !(rank.gap >= CLEAR_GAP);
  return rank;
}
