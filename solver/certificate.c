/* What is certain of a solution: its scaled residual and a bound of its error. */
#include "certificate.h"

#include <float.h>
#include <math.h>

/* ||terms of the equation||: what round-off is relative to. */
static double scale_of(const sgf_measures *measures)
{
  double of_X = measures->discrete ? 1.0 + measures->A * measures->A : 2.0 * measures->A;
  return of_X * measures->X + measures->Q;
}

double sgf_scaled_residual(const sgf_measures *measures)
{
  double scale = scale_of(measures);
  return scale > 0.0 ? measures->residual / scale : measures->residual;
}

double sgf_error_bound(const sgf_measures *measures)
{
  /* Sums of n products lose sqrt(n) digits in the mean; 4: the residual's own sums and the data's last digit. */
  double unit = (4.0 + 2.0 * sqrt((double)measures->n)) * DBL_EPSILON;
  double norm_M = measures->A + (measures->discrete ? 1.0 : 0.0);
  double of_residual = measures->residual + unit * scale_of(measures);
  double bound = of_residual * measures->Y_frobenius;
  /* Y itself is known to this. */
  double doubt =
      unit * (measures->discrete ? 1.0 + measures->A * measures->A : 2.0 * measures->A) * measures->Y_frobenius;
  if (measures->X == 0.0) return measures->residual == 0.0 ? 0.0 : INFINITY;
  if (measures->null > 0 && measures->null < measures->n) {
    double amplified = measures->left_norm * measures->left_norm;
    double angle = unit * norm_M * measures->left_norm / measures->smallest;
    bound = amplified * (bound + of_residual / measures->smallest + 3.0 * angle * measures->X);
  }
  return doubt < 1.0 ? bound / measures->X / (1.0 - doubt) : INFINITY;
}
