/* Drift of the stochastic gradient flow: loss, gradient and Hessian at any theta. */
#include "drift.h"

#include <stdlib.h>

#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"

sgf_status sgf_loss(const sgf_network *network, const sgf_dataset *data, const double *theta, double *loss,
                    sgf_error *error)
{
  double *residuals;
  sgf_status status = sgf_residuals(network, data, theta, &residuals, error);
  size_t count = data->samples * data->outputs;
  *loss = 0.0;
  if (status == SGF_OK) *loss = sgf_dot(count, residuals, residuals) / (2.0 * (double)data->samples);
  free(residuals);
  return status;
}

sgf_status sgf_gradient(const sgf_network *network, const sgf_dataset *data, const double *theta, double weight_decay,
                        double *gradient, sgf_error *error)
{
  size_t n = network->weights;
  double *J = NULL, *G = NULL;
  sgf_status status;
  SGF_TRY(sgf_jacobian(network, theta, &J, error));
  SGF_TRY(sgf_map_gradient(network, data, theta, &G, error));
  sgf_multiply(n, 1, data->outputs * data->inputs, SGF_TRANSPOSED, J, SGF_PLAIN, G, gradient);
  for (size_t k = 0; k < n; k++) gradient[k] += weight_decay * theta[k];
done:
  free(J);
  free(G);
  return status;
}

/* (1 (x) Sigma_xx) J: Sigma_xx acts on the rows (a, .) of J for each output a. */
static sgf_status weigh_by_inputs(const sgf_dataset *data, size_t n, const double *J, double **weighted,
                                  sgf_error *error)
{
  size_t inputs = data->inputs;
  sgf_status status = sgf_new_reals(weighted, data->outputs * inputs, n, "weighted Jacobian", error);
  for (size_t a = 0; a < data->outputs && status == SGF_OK; a++)
    sgf_multiply(inputs, n, inputs, SGF_PLAIN, data->input_moment, SGF_PLAIN, J + a * inputs * n,
                 *weighted + a * inputs * n);
  return status;
}

/* Second derivative of M for the pair lower < upper, contracted with G:
 * H[(upper; p, q), (lower; r, s)] += U[p, s] I[q, r],
 * U = A_upper^T G B_lower^T, shape (N_upper, N_{lower-1}), I = W_{upper-1} ... W_{lower+1}. */
static sgf_status add_gradient_terms(const sgf_network *network, const double *theta, const double *G, size_t lower,
                                     size_t upper, double *H, sgf_error *error)
{
  const size_t *N = network->widths, n = network->weights;
  size_t outputs = sgf_network_outputs(network), inputs = sgf_network_inputs(network);
  double *A = NULL, *B = NULL, *between = NULL, *left = NULL, *U = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, theta, upper + 1, network->layers, &A, error));
  SGF_TRY(sgf_layer_product(network, theta, 1, lower - 1, &B, error));
  SGF_TRY(sgf_layer_product(network, theta, lower + 1, upper - 1, &between, error));
  SGF_TRY(sgf_new_reals(&left, N[upper], inputs, "gradient terms", error));
  SGF_TRY(sgf_new_reals(&U, N[upper], N[lower - 1], "gradient terms", error));
  sgf_multiply(N[upper], inputs, outputs, SGF_TRANSPOSED, A, SGF_PLAIN, G, left);
  sgf_multiply(N[upper], N[lower - 1], inputs, SGF_PLAIN, left, SGF_TRANSPOSED, B, U);
  for (size_t p = 0; p < N[upper]; p++)
    for (size_t q = 0; q < N[upper - 1]; q++)
      for (size_t r = 0; r < N[lower]; r++)
        for (size_t s = 0; s < N[lower - 1]; s++) {
          size_t row = network->offsets[upper] + p * N[upper - 1] + q;
          size_t column = network->offsets[lower] + r * N[lower - 1] + s;
          double term = U[p * N[lower - 1] + s] * between[q * N[lower] + r];
          H[row * n + column] += term;
          H[column * n + row] += term;
        }
done:
  free(A);
  free(B);
  free(between);
  free(left);
  free(U);
  return status;
}

sgf_status sgf_hessian(const sgf_network *network, const sgf_dataset *data, const double *theta, double weight_decay,
                       double *H, sgf_error *error)
{
  size_t n = network->weights;
  double *J = NULL, *weighted = NULL, *G = NULL;
  sgf_status status;
  SGF_TRY(sgf_jacobian(network, theta, &J, error));
  SGF_TRY(weigh_by_inputs(data, n, J, &weighted, error));
  sgf_multiply(n, n, data->outputs * data->inputs, SGF_TRANSPOSED, J, SGF_PLAIN, weighted, H);
  SGF_TRY(sgf_map_gradient(network, data, theta, &G, error));
  for (size_t upper = 2; upper <= network->layers; upper++)
    for (size_t lower = 1; lower < upper; lower++)
      SGF_TRY(add_gradient_terms(network, theta, G, lower, upper, H, error));
  for (size_t k = 0; k < n; k++) H[k * n + k] += weight_decay;
  sgf_symmetrize(n, H);
done:
  free(J);
  free(weighted);
  free(G);
  return status;
}
