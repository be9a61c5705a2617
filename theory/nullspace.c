/* The range and the null space of the drift: eigenbasis of H, its rank, and the noise on the null space. */
#include "nullspace.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../solver/rank.h"
#include "linear_algebra.h"
#include "memory.h"

/* Without a tolerance, eigenvalues above this fraction of the largest are never dropped. */
static const double NEVER_DROPPED = 1e-8;

static void decide_rank(sgf_range *range, double tolerance)
{
  sgf_rank rank = sgf_decide_rank(range->n, range->h, tolerance, NEVER_DROPPED, 4.0 * (double)range->n * DBL_EPSILON);
  range->rank = range->n - rank.dropped;
  range->gap = rank.gap;
  range->tolerance = rank.tolerance;
  range->ambiguous = rank.ambiguous;
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
