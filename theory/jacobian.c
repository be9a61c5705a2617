/* Derivatives of the end-to-end map M = W_L ... W_1 and of the loss with respect to it. */
#include "jacobian.h"

#include <math.h>
#include <stdlib.h>

#include "linear_algebra.h"
#include "memory.h"

/* Layer block of J: element ((a, i), (p, q)) = A_l[a, p] B_l[q, i]. */
static void fill_layer(const sgf_network *network, size_t layer, const double *A, const double *B, double *J)
{
  size_t outputs = sgf_network_outputs(network), inputs = sgf_network_inputs(network);
  size_t to = network->widths[layer], from = network->widths[layer - 1], n = network->weights;
  for (size_t a = 0; a < outputs; a++)
    for (size_t i = 0; i < inputs; i++) {
      double *row = J + (a * inputs + i) * n + network->offsets[layer];
      for (size_t p = 0; p < to; p++)
        for (size_t q = 0; q < from; q++) row[p * from + q] = A[a * to + p] * B[q * inputs + i];
    }
}

sgf_status sgf_jacobian(const sgf_network *network, const double *theta, double **J, sgf_error *error)
{
  double *A = NULL, *B = NULL;
  size_t map_size = sgf_network_outputs(network) * sgf_network_inputs(network);
  sgf_status status;
  SGF_TRY(sgf_new_reals(J, map_size, network->weights, "Jacobian", error));
  for (size_t l = 1; l <= network->layers; l++) {
    SGF_TRY(sgf_layer_product(network, theta, l + 1, network->layers, &A, error));
    SGF_TRY(sgf_layer_product(network, theta, 1, l - 1, &B, error));
    fill_layer(network, l, A, B, *J);
    free(A);
    free(B);
    A = B = NULL;
  }
  return SGF_OK;
done:
  free(A);
  free(B);
  free(*J);
  *J = NULL;
  return status;
}

sgf_status sgf_jacobian_norm(const sgf_network *network, const double *theta, double *norm, sgf_error *error)
{
  size_t outputs = sgf_network_outputs(network), inputs = sgf_network_inputs(network);
  double *A = NULL, *B = NULL, sum = 0.0;
  sgf_status status = SGF_OK;
  *norm = NAN;
  for (size_t l = 1; l <= network->layers; l++) {
    SGF_TRY(sgf_layer_product(network, theta, l + 1, network->layers, &A, error));
    SGF_TRY(sgf_layer_product(network, theta, 1, l - 1, &B, error));
    sum = hypot(sum, sgf_norm(outputs * network->widths[l], A) * sgf_norm(network->widths[l - 1] * inputs, B));
    free(A);
    free(B);
    A = B = NULL;
  }
  *norm = sum;
done:
  free(A);
  free(B);
  return status;
}

void sgf_slope_of_map(const sgf_dataset *data, const double *M, double *G)
{
  size_t outputs = data->outputs, inputs = data->inputs;
  sgf_multiply(outputs, inputs, inputs, SGF_PLAIN, M, SGF_PLAIN, data->input_moment, G);
  for (size_t k = 0; k < outputs * inputs; k++) G[k] -= data->cross_moment[k];
}

sgf_status sgf_map_gradient(const sgf_network *network, const sgf_dataset *data, const double *theta, double **G,
                            sgf_error *error)
{
  double *M = NULL;
  sgf_status status;
  *G = NULL;
  SGF_TRY(sgf_layer_product(network, theta, 1, network->layers, &M, error));
  SGF_TRY(sgf_new_reals(G, data->outputs, data->inputs, "gradient of the map", error));
  sgf_slope_of_map(data, M, *G);
done:
  free(M);
  return status;
}

sgf_status sgf_residuals(const sgf_network *network, const sgf_dataset *data, const double *theta, double **residuals,
                         sgf_error *error)
{
  double *M = NULL;
  sgf_status status;
  *residuals = NULL;
  SGF_TRY(sgf_layer_product(network, theta, 1, network->layers, &M, error));
  SGF_TRY(sgf_new_reals(residuals, data->samples, data->outputs, "residuals", error));
  sgf_multiply(data->samples, data->outputs, data->inputs, SGF_PLAIN, data->X, SGF_TRANSPOSED, M, *residuals);
  for (size_t k = 0; k < data->samples * data->outputs; k++) (*residuals)[k] = data->Y[k] - (*residuals)[k];
done:
  free(M);
  return status;
}
