/* Spread and exponent of the fluctuations of a block of the weights, from theory and from SGD. */
#include "blocks.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "../theory/flatness.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/prediction.h"
#include "../verify/comparing.h"
#include "../verify/ensemble.h"
#include "measured.h"

static sgf_status numbers_of_modes(size_t count, const double *variance, const double *curvature, double *values,
                                   sgf_error *error)
{
  sgf_ivfr fit;
  sgf_status status = sgf_ivfr_slope(count, variance, curvature, &fit, error);
  values[ANISOTROPY] = sgf_anisotropy(count, variance);
  values[RATIO] = count > 1 ? gsl_stats_max(variance, 1, count) / gsl_stats_min(variance, 1, count) : NAN;
  values[PSI] = fit.psi;
  values[CORRELATION] = fit.correlation;
  return status;
}

/* A covariance_statistic of a block: Sigma along its directions, and along the principal ones of that. */
static sgf_status numbers_of_covariance(size_t n, const double *Sigma, const void *context, double *values,
                                        sgf_error *error)
{
  const block *of = context;
  size_t count = of->count;
  double *half = NULL, *inside, *own, *variance, *curvature;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&half, count, n + 2 * count + 2, "variances of a block", error));
  inside = half + count * n;
  own = inside + count * count;
  variance = own + count * count;
  curvature = variance + count;
  sgf_multiply(count, n, n, SGF_PLAIN, of->directions, SGF_PLAIN, Sigma, half);
  sgf_multiply(count, count, n, SGF_PLAIN, half, SGF_TRANSPOSED, of->directions, inside);
  sgf_symmetrize(count, inside);
  for (size_t k = 0; k < count; k++) variance[k] = inside[k * (count + 1)];
  SGF_TRY(numbers_of_modes(count, variance, of->curvature, values, error));
  SGF_TRY(sgf_principal_directions(count, inside, of->H_inside, own, variance, curvature, error));
  SGF_TRY(numbers_of_modes(count, variance, curvature, values + OWN_ANISOTROPY, error));
done:
  free(half);
  return status;
}

/* Its arrays of the prediction. */
static void find_arrays(const study_unit *now, block *of)
{
  const struct {
    const char *name, *suffix;
    const double **values;
  } arrays[] = {{"directions", of->alone ? "_uncoupled" : "", &of->directions},
                {"variance", of->alone ? "_uncoupled" : "", &of->variance},
                {"curvature", of->alone ? "_uncoupled" : "", &of->curvature},
                {"hessian", "", &of->H}};
  char path[80], folder[32] = "";
  if (of->layer > 0) snprintf(folder, sizeof folder, "layer%zu/", of->layer);
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) {
    snprintf(path, sizeof path, "%s%s%s", folder, arrays[k].name, arrays[k].suffix);
    *arrays[k].values = unit_array(now, path);
  }
  while (of->count < of->n && of->variance[of->count] > SGF_ZERO_MODE * of->variance[0]) of->count++;
}

static sgf_status drift_inside(block *of, sgf_error *error)
{
  double *half = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&of->H_inside, of->count, of->count, "drift of a block", error));
  SGF_TRY(sgf_new_reals(&half, of->count, of->n, "drift of a block", error));
  sgf_multiply(of->count, of->n, of->n, SGF_PLAIN, of->directions, SGF_PLAIN, of->H, half);
  sgf_multiply(of->count, of->count, of->n, SGF_PLAIN, half, SGF_TRANSPOSED, of->directions, of->H_inside);
  sgf_symmetrize(of->count, of->H_inside);
done:
  free(half);
  return status;
}

/* Over the window: its block (n, n) of Sigma, or of the layer alone. */
static sgf_status window_of(const study_unit *now, const block *of, const double *Sigma, double *of_block,
                            sgf_error *error)
{
  double *mean;
  if (!of->alone) {
    sgf_diagonal_block(sgf_problem_weights(now->problem), Sigma, of->first, of->n, of_block);
    return SGF_OK;
  }
  sgf_status status = sgf_new_reals(&mean, of->n, 1, "mean of a layer", error);
  if (status == SGF_OK)
    status = sgf_prediction_window(now->problem, now->prediction, of->layer, &now->plan, of_block, mean, error);
  free(mean);
  return status;
}

sgf_status block_create(const study_unit *now, size_t layer, bool alone, const double *Sigma, block *made,
                        sgf_error *error)
{
  const sgf_network *network = &now->problem->network;
  const sgf_ensemble *ensemble = alone ? now->ensemble->alone[layer - 1] : now->ensemble;
  double *of_block = NULL;
  sgf_status status;
  *made = (block){.layer = layer, .alone = alone, .n = layer > 0 ? sgf_layer_size(network, layer) : network->weights};
  made->first = layer > 0 ? network->offsets[layer] : 0;
  find_arrays(now, made);
  SGF_TRY(drift_inside(made, error));
  SGF_TRY(numbers_of_modes(made->count, made->variance, made->curvature, made->stationary, error));
  for (size_t k = 0; k < OWN_ANISOTROPY; k++) made->stationary[OWN_ANISOTROPY + k] = made->stationary[k];
  SGF_TRY(sgf_new_reals(&of_block, made->n, made->n, "covariance of a block", error));
  SGF_TRY(window_of(now, made, Sigma, of_block, error));
  SGF_TRY(numbers_of_covariance(made->n, of_block, made, made->window, error));
  SGF_TRY(measured_statistic(ensemble, alone ? 0 : made->first, made->n, numbers_of_covariance, true, made,
                             BLOCK_NUMBERS, made->sgd, made->sgd_error, error));
done:
  free(of_block);
  return status;
}

void block_free(block *of)
{
  free(of->H_inside);
  of->H_inside = NULL;
}
