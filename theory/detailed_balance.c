/* Broken detailed balance: the irreversible part of the linearized flow and its entropy production. */
#include "detailed_balance.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

sgf_status sgf_commutator(size_t n, const double *H, const double *C, double *norm, double *relative,
                          sgf_error *error)
{
  double *HC;
  sgf_status status = sgf_new_reals(&HC, n, n, "commutator", error);
  *norm = *relative = NAN;
  if (status != SGF_OK) return status;
  double norms = sgf_norm(n * n, H) * sgf_norm(n * n, C);
  sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, C, HC);
  for (size_t i = 0; i < n; i++) /* HC - (HC)^T, half of it twice */
    for (size_t j = 0; j <= i; j++) {
      HC[i * n + j] -= HC[j * n + i];
      HC[j * n + i] = -HC[i * n + j];
    }
  *norm = sgf_norm(n * n, HC);
  *relative = norms > 0.0 ? *norm / norms : 0.0;
  free(HC);
  return SGF_OK;
}

sgf_status sgf_detailed_balance_measure(size_t n, const double *H, const double *C, const double *Sigma,
                                        double diffusion_scale, sgf_detailed_balance *result, sgf_error *error)
{
  double *Q = NULL, *product = NULL, *inverse_D = NULL, *inverse_Sigma = NULL, *work = NULL;
  double round_off = (double)n * 16.0 * DBL_EPSILON;
  size_t rank_Sigma = 0;
  sgf_status status;
  memset(result, 0, sizeof *result);
  SGF_TRY(sgf_new_reals(&Q, n, n, "irreversible part", error));
  SGF_TRY(sgf_new_reals(&product, n, n, "irreversible part", error));
  SGF_TRY(sgf_new_reals(&inverse_D, n, n, "inverse of D", error));
  SGF_TRY(sgf_new_reals(&inverse_Sigma, n, n, "inverse of Sigma", error));
  SGF_TRY(sgf_new_reals(&work, n, n, "pseudo-inverse", error));

  sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, Sigma, product);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) Q[i * n + j] = 0.5 * (product[i * n + j] - product[j * n + i]);
  double reversible = sgf_norm(n * n, product);
  result->irreversible = reversible > 0.0 ? sgf_norm(n * n, Q) / reversible : 0.0;

  for (size_t k = 0; k < n * n; k++) inverse_D[k] = diffusion_scale * C[k];
  memcpy(inverse_Sigma, Sigma, n * n * sizeof *Sigma);
  SGF_TRY(sgf_pseudo_inverse(n, inverse_D, round_off, "D", &result->rank_noise, error));
  SGF_TRY(sgf_pseudo_inverse(n, inverse_Sigma, round_off, "Sigma", &rank_Sigma, error));
  result->on_range = result->rank_noise < n || rank_Sigma < n;

  /* tr(Q^T D^+ Q Sigma^+) = sum of (D^+ Q) * (Q Sigma^+), element by element. */
  sgf_multiply(n, n, n, SGF_PLAIN, inverse_D, SGF_PLAIN, Q, product);
  sgf_multiply(n, n, n, SGF_PLAIN, Q, SGF_PLAIN, inverse_Sigma, work);
  result->entropy_production = sgf_dot(n * n, product, work);
done:
  if (status != SGF_OK) result->entropy_production = NAN;
  free(Q);
  free(product);
  free(inverse_D);
  free(inverse_Sigma);
  free(work);
  return status;
}
