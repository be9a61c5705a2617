/* Drift of the stochastic gradient flow: loss, gradient and Hessian at any theta. */
#include "drift.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

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

sgf_status sgf_gradient_room_create(const sgf_network *network, const sgf_dataset *data, sgf_gradient_room *room,
                                    sgf_error *error)
{
  size_t widest = 0, sum = 0;
  sgf_status status;
  memset(room, 0, sizeof *room);
  room->network = network;
  room->data = data;
  for (size_t l = 1; l <= network->layers; l++) {
    if (network->widths[l] > widest) widest = network->widths[l];
    if (l > 1) sum += network->widths[l];
  }
  SGF_TRY(sgf_new_reals(&room->maps, sum, data->inputs, "products of layers", error));
  SGF_TRY(sgf_new_reals(&room->slope, widest, data->inputs, "slopes of layers", error));
  SGF_TRY(sgf_new_reals(&room->lower, widest, data->inputs, "slopes of layers", error));
  return SGF_OK;
done:
  sgf_gradient_room_free(room);
  return status;
}

void sgf_gradient_room_free(sgf_gradient_room *room)
{
  free(room->maps);
  free(room->slope);
  free(room->lower);
  memset(room, 0, sizeof *room);
}

/* Forward: the maps B_l; then G; backward: dL/dW_l = (A_l^T G) B_l^T and A_{l-1}^T G = W_l^T (A_l^T G). */
void sgf_gradient_into(const sgf_gradient_room *room, const double *theta, double *gradient)
{
  const sgf_network *network = room->network;
  const size_t *N = network->widths, *offsets = network->offsets, inputs = N[0];
  const double *map = theta + offsets[1]; /* W_1 is the first map */
  double *next = room->maps, *slope = room->slope, *lower = room->lower;
  for (size_t l = 2; l <= network->layers; l++) {
    sgf_multiply(N[l], inputs, N[l - 1], SGF_PLAIN, theta + offsets[l], SGF_PLAIN, map, next);
    map = next;
    next += N[l] * inputs;
  }
  sgf_slope_of_map(room->data, map, slope);
  next -= network->layers > 1 ? N[network->layers] * inputs : 0;
  for (size_t l = network->layers; l >= 2; l--) {
    if (l > 2) next -= N[l - 1] * inputs;
    map = l > 2 ? next : theta + offsets[1];
    sgf_multiply(N[l], N[l - 1], inputs, SGF_PLAIN, slope, SGF_TRANSPOSED, map, gradient + offsets[l]);
    sgf_multiply(N[l - 1], inputs, N[l], SGF_TRANSPOSED, theta + offsets[l], SGF_PLAIN, slope, lower);
    double *swap = slope;
    slope = lower;
    lower = swap;
  }
  memcpy(gradient + offsets[1], slope, sgf_layer_size(network, 1) * sizeof *slope);
}

sgf_status sgf_gradient(const sgf_network *network, const sgf_dataset *data, const double *theta, double weight_decay,
                        double *gradient, sgf_error *error)
{
  sgf_gradient_room room;
  sgf_status status = sgf_gradient_room_create(network, data, &room, error);
  if (status != SGF_OK) {
    sgf_fill_nan(network->weights, gradient);
    return status;
  }
  sgf_gradient_into(&room, theta, gradient);
  for (size_t k = 0; k < network->weights; k++) gradient[k] += weight_decay * theta[k];
  sgf_gradient_room_free(&room);
  return SGF_OK;
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

/* With P = A_upper^T G B_lower^T and I between: out_upper += P v_lower^T I^T, out_lower += I^T v_upper^T P. */
static sgf_status add_slope_pair(const sgf_network *network, const double *theta, size_t lower, size_t upper,
                                 size_t count, const double *slopes, const double *v, double *out, sgf_error *error)
{
  const size_t *N = network->widths, *at = network->offsets, n = network->weights;
  size_t outputs = sgf_network_outputs(network), inputs = N[0], to = N[upper], from = N[lower - 1];
  size_t above = N[upper - 1], below = N[lower];
  double *A = NULL, *B = NULL, *between = NULL, *P = NULL, *left = NULL, *half = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, theta, upper + 1, network->layers, &A, error));
  SGF_TRY(sgf_layer_product(network, theta, 1, lower - 1, &B, error));
  SGF_TRY(sgf_layer_product(network, theta, lower + 1, upper - 1, &between, error));
  SGF_TRY(sgf_new_reals(&left, to, inputs > below ? inputs : below, "slope terms", error));
  SGF_TRY(sgf_new_reals(&P, to, from, "slope terms", error));
  SGF_TRY(sgf_new_reals(&half, below, to, "slope terms", error));
  for (size_t k = 0; k < count; k++) {
    sgf_multiply(to, inputs, outputs, SGF_TRANSPOSED, A, SGF_PLAIN, slopes + k * outputs * inputs, left);
    sgf_multiply(to, from, inputs, SGF_PLAIN, left, SGF_TRANSPOSED, B, P);
    sgf_multiply(to, below, from, SGF_PLAIN, P, SGF_TRANSPOSED, v + k * n + at[lower], left);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)to, (int)above, (int)below, 1.0, left, (int)below,
                between, (int)below, 1.0, out + k * n + at[upper], (int)above);
    sgf_multiply(below, to, above, SGF_TRANSPOSED, between, SGF_TRANSPOSED, v + k * n + at[upper], half);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)below, (int)from, (int)to, 1.0, half, (int)to, P,
                (int)from, 1.0, out + k * n + at[lower], (int)from);
  }
done:
  free(A);
  free(B);
  free(between);
  free(P);
  free(left);
  free(half);
  return status;
}

sgf_status sgf_add_slope_terms(const sgf_network *network, const double *theta, size_t count, const double *slopes,
                               const double *v, double *out, sgf_error *error)
{
  sgf_status status = SGF_OK;
  for (size_t upper = 2; upper <= network->layers; upper++)
    for (size_t lower = 1; lower < upper && status == SGF_OK; lower++)
      status = add_slope_pair(network, theta, lower, upper, count, slopes, v, out, error);
  return status;
}
