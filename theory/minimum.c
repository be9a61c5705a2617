/* The minimum theta* that the fluctuations are about. */
#include "minimum.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drift.h"
#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"

/* W += R (Sigma_xx + weight_decay)^-1 with R = Sigma_yx - W (Sigma_xx + weight_decay), in the eigenbasis V (rows)
 * and eigenvalues h of the regularized Sigma_xx. From W = 0 it is the solution, once more it refines it. */
static sgf_status newton_step(const sgf_dataset *data, double weight_decay, const double *V, const double *h,
                              double *W, sgf_error *error)
{
  size_t inputs = data->inputs, outputs = data->outputs;
  double *residual = NULL, *rotated = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&residual, outputs, inputs, "normal equations", error));
  SGF_TRY(sgf_new_reals(&rotated, outputs, inputs, "normal equations", error));
  sgf_multiply(outputs, inputs, inputs, SGF_PLAIN, W, SGF_PLAIN, data->input_moment, residual);
  for (size_t k = 0; k < outputs * inputs; k++)
    residual[k] = data->cross_moment[k] - residual[k] - weight_decay * W[k];
  sgf_multiply(outputs, inputs, inputs, SGF_PLAIN, residual, SGF_TRANSPOSED, V, rotated);
  for (size_t k = 0; k < outputs * inputs; k++) rotated[k] /= h[k % inputs];
  sgf_multiply(outputs, inputs, inputs, SGF_PLAIN, rotated, SGF_PLAIN, V, residual);
  for (size_t k = 0; k < outputs * inputs; k++) W[k] += residual[k];
done:
  free(residual);
  free(rotated);
  return status;
}

static sgf_status check_regular(const sgf_dataset *data, const double *h, sgf_error *error)
{
  size_t inputs = data->inputs, rank = 0;
  double largest = h[inputs - 1], threshold = (double)inputs * 8.0 * DBL_EPSILON * largest;
  for (size_t i = 0; i < inputs; i++) rank += h[i] > threshold;
  if (rank == inputs && largest > 0.0) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_VALUE,
      "data: Sigma_xx = X^T X / P is singular (rank %zu of %zu, P = %zu samples): the minimum is not unique; "
      "use more samples, fewer inputs, or training.weight_decay > 0",
      rank, inputs, data->samples);
}

sgf_status sgf_minimum(const sgf_network *network, const sgf_dataset *data, double weight_decay, double *theta,
                       sgf_error *error)
{
  size_t inputs = data->inputs;
  double *V = NULL, *h = NULL;
  sgf_status status;
  if (network->layers > 1)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "network.relax: the descent to the minimum of %zu layers is not built, one layer is",
                    network->layers);
  SGF_TRY(sgf_new_reals(&V, inputs, inputs, "eigenvectors of Sigma_xx", error));
  SGF_TRY(sgf_new_reals(&h, inputs, 1, "eigenvalues of Sigma_xx", error));
  memcpy(V, data->input_moment, inputs * inputs * sizeof *V);
  for (size_t i = 0; i < inputs; i++) V[i * inputs + i] += weight_decay;
  SGF_TRY(sgf_symmetric_eigen(inputs, V, h, "Sigma_xx", error));
  SGF_TRY(check_regular(data, h, error));
  memset(theta, 0, network->weights * sizeof *theta);
  for (int pass = 0; pass < 3; pass++) SGF_TRY(newton_step(data, weight_decay, V, h, theta, error));
done:
  free(V);
  free(h);
  return status;
}

sgf_status sgf_relative_gradient(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                 const double *theta, double *relative, sgf_error *error)
{
  size_t n = network->weights, map_size = data->inputs * data->outputs;
  double *gradient = NULL, *J = NULL, *M = NULL;
  sgf_status status;
  *relative = NAN;
  SGF_TRY(sgf_new_reals(&gradient, n, 1, "gradient", error));
  SGF_TRY(sgf_jacobian(network, theta, &J, error));
  SGF_TRY(sgf_layer_product(network, theta, 1, network->layers, &M, error));
  SGF_TRY(sgf_gradient(network, data, theta, weight_decay, gradient, error));
  double terms =
      sgf_norm(map_size * n, J) * (sgf_norm(map_size, data->cross_moment) +
                                   sgf_norm(map_size, M) * sgf_norm(data->inputs * data->inputs, data->input_moment));
  terms += weight_decay * sgf_norm(n, theta);
  *relative = terms > 0.0 ? sgf_norm(n, gradient) / terms : 0.0;
done:
  free(gradient);
  free(J);
  free(M);
  return status;
}
