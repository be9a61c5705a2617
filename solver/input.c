/* What every solver asks of its input, and the certificate that it starts with. */
#include "input.h"

#include <math.h>

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
