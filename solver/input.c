/* What every solver asks of its input, and the certificate that it starts with. */
#include "input.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "../theory/linear_algebra.h"

static const double ASYMMETRIC = 1e-10;

sgf_status sgf_check_finite(size_t rows, size_t columns, const double *values, const char *name, sgf_error *error)
{
  for (size_t k = 0; k < rows * columns; k++)
    if (!isfinite(values[k]))
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: element (%zu, %zu) is %g", name, k / columns, k % columns,
                      values[k]);
  return SGF_OK;
}

sgf_status sgf_check_symmetric(size_t n, const double *S, const char *name, sgf_error *error)
{
  double difference = sgf_asymmetry(n, S);
  if (difference <= ASYMMETRIC) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: not symmetric, ||%s - %s^T|| / ||%s|| = %.3g", name, name, name, name,
                  difference);
}

sgf_status sgf_check_options(const sgf_lyapunov_options *options, sgf_error *error)
{
  double tolerance = options->rank_tolerance;
  if ((unsigned)options->method > SGF_METHOD_LOW_RANK)
    return sgf_fail(error, SGF_ERROR_VALUE, "method: there is none of number %d", (int)options->method);
  if (!isnan(tolerance) && !(tolerance >= 0.0 && tolerance < 1.0))
    return sgf_fail(error, SGF_ERROR_VALUE, "rank_tolerance: %g is neither NaN nor in [0, 1)", tolerance);
  if (!(options->memory >= 0.0))
    return sgf_fail(error, SGF_ERROR_VALUE, "memory: %g is no number of bytes", options->memory);
  return SGF_OK;
}

int sgf_exponent(size_t count, const double *values)
{
  enum { FAR = 600 };
  double norm = sgf_norm(count, values), square = 0.0;
  int exponent = 0, shift = 0;
  if (norm == 0.0) return 0;
  if (!(norm <= DBL_MAX)) {
    shift = FAR;
    for (size_t k = 0; k < count; k++) square += ldexp(values[k], -FAR) * ldexp(values[k], -FAR);
    norm = sqrt(square);
  }
  frexp(norm, &exponent);
  return exponent + shift;
}

void sgf_scaled_copy(size_t count, const double *values, int shift, double *copy)
{
  enum { NORMAL = 1000 }; /* powers of 2 up to this are normal numbers, two of them are any that is needed */
  if (abs(shift) <= NORMAL) {
    double factor = ldexp(1.0, shift);
    for (size_t k = 0; k < count; k++) copy[k] = values[k] * factor;
    return;
  }
  for (size_t k = 0; k < count; k++) copy[k] = ldexp(values[k], shift);
}

sgf_certificate sgf_nothing_known(size_t n, sgf_method method)
{
  return (sgf_certificate){.size = n,
                           .gap = NAN,
                           .null_noise = NAN,
                           .residual = NAN,
                           .separation = NAN,
                           .error_bound = NAN,
                           .real = NAN,
                           .imaginary = NAN,
                           .method = method};
}
