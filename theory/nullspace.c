/* The range and the null space of the drift: eigenbasis of H, its rank, and the noise on the null space. */
#include "nullspace.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* A rank decision whose gap is smaller than this is ambiguous. */
static const double CLEAR_GAP = 1e3;
/* Without a tolerance, eigenvalues above this fraction of the largest are never dropped. */
static const double NEVER_DROPPED = 1e-8;

/* Gap at the cut that drops the `dropped` smallest eigenvalues; below round-off there is only round-off. */
static double gap_at(const double *h, size_t dropped, double round_off)
{
  double below = dropped > 0 ? fmax(fabs(h[dropped - 1]), fabs(h[0])) : 0.0;
  return h[dropped] / fmax(below, round_off);
}

static void decide_rank(sgf_range *range, double tolerance)
{
  size_t n = range->n, dropped = 0;
  const double *h = range->h;
  double largest = h[n - 1], round_off = (double)n * 4.0 * DBL_EPSILON * largest;
  if (!isnan(tolerance)) {
    while (dropped < n - 1 && h[dropped] <= tolerance * largest) dropped++;
  } else {
    for (size_t k = 1; k < n && h[k - 1] <= NEVER_DROPPED * largest; k++)
      if (gap_at(h, k, round_off) > gap_at(h, dropped, round_off)) dropped = k;
  }
  range->rank = n - dropped;
  range->gap = gap_at(h, dropped, round_off);
  range->tolerance = isnan(tolerance) ? (h[dropped] / largest) / sqrt(range->gap) : tolerance;
  range->ambiguous = range->gap < CLEAR_GAP;
}

sgf_status sgf_range_create(size_t n, const double *H, double tolerance, sgf_range *range, sgf_error *error)
{
  sgf_status status;
  memset(range, 0, sizeof *range);
  range->n = n;
  SGF_TRY(sgf_new_reals(&range->V, n, n, "modes of H", error));
  SGF_TRY(sgf_new_reals(&range->h, n, 1, "eigenvalues of H", error));
  memcpy(range->V, H, n * n * sizeof *H);
  SGF_TRY(sgf_symmetric_eigen(n, range->V, range->h, "H", error));
  double smallest = range->h[0], largest = range->h[n - 1];
  if (!(largest > 0.0)) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "H: its largest eigenvalue is %g, the loss has no curvature", largest);
    goto done;
  }
  if (smallest < -1e-9 * largest) {
    status = sgf_fail(
        error, SGF_ERROR_VALUE,
        "H: eigenvalue %g is negative (largest %g): theta* is a saddle and not a minimum, or the weights are at "
        "a minimum to few digits only (network.relax: true takes them there)",
        smallest, largest);
    goto done;
  }
  decide_rank(range, tolerance);
  return SGF_OK;
done:
  sgf_range_free(range);
  return status;
}

void sgf_range_free(sgf_range *range)
{
  free(range->V);
  free(range->h);
  memset(range, 0, sizeof *range);
}

double sgf_smallest_kept(const sgf_range *range) { return range->h[range->n - range->rank]; }

double sgf_largest(const sgf_range *range) { return range->h[range->n - 1]; }

double sgf_null_noise(const sgf_range *range, const double *C_in_basis)
{
  size_t n = range->n, null = n - range->rank;
  double whole = sgf_norm(n * n, C_in_basis), block = 0.0;
  for (size_t i = 0; i < null; i++) block = hypot(block, sgf_norm(null, C_in_basis + i * n));
  return whole > 0.0 ? block / whole : 0.0;
}
