/* The range and the null space of the drift: eigenbasis of H, its rank, and the noise on the null space. */
#include "nullspace.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* Without a tolerance, eigenvalues above this fraction of the largest are never dropped. */
static const double NEVER_DROPPED = 1e-8;

sgf_status sgf_drift_rank(size_t count, const double *h, size_t n, double tolerance, sgf_rank *decision,
                          sgf_error *error)
{
  double smallest = h[0], largest = h[count - 1];
  if (!(largest > 0.0))
    return sgf_fail(error, SGF_ERROR_VALUE, "H: its largest eigenvalue is %g, the loss has no curvature", largest);
  if (smallest < -1e-9 * largest)
    return sgf_fail(
        error, SGF_ERROR_VALUE,
        "H: eigenvalue %g is negative (largest %g): theta* is a saddle and not a minimum, or the weights are at "
        "a minimum to few digits only (network.relax: true takes them there)",
        smallest, largest);
  *decision = sgf_decide_rank(count, h, tolerance, NEVER_DROPPED, 4.0 * (double)n * DBL_EPSILON);
  return SGF_OK;
}

sgf_status sgf_range_create(size_t n, const double *H, double tolerance, sgf_range *range, sgf_error *error)
{
  sgf_rank decision;
  sgf_status status;
  memset(range, 0, sizeof *range);
  range->n = n;
  SGF_TRY(sgf_new_reals(&range->V, n, n, "modes of H", error));
  SGF_TRY(sgf_new_reals(&range->h, n, 1, "eigenvalues of H", error));
  memcpy(range->V, H, n * n * sizeof *H);
  SGF_TRY(sgf_symmetric_eigen(n, range->V, range->h, "H", error));
  SGF_TRY(sgf_drift_rank(n, range->h, n, tolerance, &decision, error));
  range->rank = n - decision.dropped;
  range->gap = decision.gap;
  range->tolerance = decision.tolerance;
  range->ambiguous = decision.ambiguous;
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
