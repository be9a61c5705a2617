/* All weights, predicted and measured: what the loss holds and what it does not, together. */
#include <math.h>
#include <stdlib.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "comparing.h"
#include "statistics.h"

/* The mean over the window, relative to the root mean square of |theta - theta*|, `square`. */
static sgf_status compare_mean(sgf_comparing *all, double square, sgf_error *error)
{
  size_t n = all->n;
  double *means;
  sgf_status status = sgf_new_reals(&means, all->rows, n, "means of the replicas", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < all->rows; r++) {
    sgf_ensemble_row_mean(all->ensemble, r, means + r * n);
    for (size_t k = 0; k < n; k++) means[r * n + k] -= all->mean[k];
  }
  status = sgf_add_norm(all, "whole_mean", means, n, sqrt(square), error);
  free(means);
  return status;
}

/* Second moments about the predicted mean m of the window, S - s m^T - m s^T + m m^T with s the mean of a row, less those predicted:
 * what the mean moves by within the window is in both. Their trace, and all elements together, relative to the covariance about the
 * mean of the time, without that motion. */
static sgf_status compare_covariance(sgf_comparing *all, const sgf_whole_moments *whole, sgf_error *error)
{
  size_t n = all->n, packed = sgf_packed_size(n);
  const double *m = all->mean;
  double *vectors = NULL, *room = NULL, *s = NULL, trace = sgf_trace(n, whole->average);
  sgf_status status;
  SGF_TRY(sgf_new_reals(&vectors, all->rows, packed, "second moments of the replicas", error));
  SGF_TRY(sgf_new_reals(&room, packed, 1, "second moments of the replicas", error));
  SGF_TRY(sgf_new_reals(&s, n, 1, "means of the replicas", error));
  for (size_t r = 0; r < all->rows; r++) {
    const double *element = sgf_ensemble_second(all->ensemble, r, room);
    double *vector = vectors + r * packed;
    sgf_ensemble_row_mean(all->ensemble, r, s);
    all->values[r] = trace;
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j <= i; j++) {
        double measured = *element++ - s[i] * m[j] - m[i] * s[j] + 2.0 * m[i] * m[j];
        *vector = (i == j ? 1.0 : M_SQRT2) * (measured - whole->second[i * n + j]);
        if (i == j) all->values[r] += *vector;
        vector++;
      }
  }
  sgf_add_linear(all, "whole_trace", trace, all->values);
  SGF_TRY(sgf_add_norm(all, "whole_covariance", vectors, packed, sgf_norm(n * n, whole->average), error));
done:
  free(vectors);
  free(room);
  free(s);
  return status;
}

sgf_status sgf_compare_whole_space(sgf_comparing *all, sgf_error *error)
{
  const sgf_known_moments *known = all->prediction->known;
  if (known == NULL || known->whole.second == NULL || all->ensemble->info.recorded) return SGF_OK;
  sgf_status status = compare_covariance(all, &known->whole, error);
  return status == SGF_OK ? compare_mean(all, sgf_trace(all->n, known->whole.second), error) : status;
}
