/* The eigenproblem of H on its range, without H: for G = 0 and no weight decay. */
#include "reduced.h"

#include <cblas.h>
#include <float.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* ------------------------------------------------------------------- layout */

/* S (inputs, N_0) with S^T S = Sigma_xx, its rows eigenvectors; directions of the inputs without variance are no
 * rows. */
static sgf_status factor_inputs(const double *moment, sgf_reduced *reduced, sgf_error *error)
{
  size_t all = sgf_network_inputs(&reduced->network), first = 0;
  double *values = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&reduced->S, all, all, "factor of Sigma_xx", error));
  SGF_TRY(sgf_new_reals(&values, all, 1, "factor of Sigma_xx", error));
  if (moment == NULL) {
    for (size_t i = 0; i < all; i++) reduced->S[i * all + i] = 1.0;
  } else {
    memcpy(reduced->S, moment, all * all * sizeof *moment);
    SGF_TRY(sgf_symmetric_eigen(all, reduced->S, values, "Sigma_xx", error));
    while (first < all - 1 && !(values[first] > (double)all * 8.0 * DBL_EPSILON * values[all - 1])) first++;
    for (size_t i = first; i < all; i++)
      for (size_t j = 0; j < all; j++) reduced->S[(i - first) * all + j] = sqrt(values[i]) * reduced->S[i * all + j];
  }
  reduced->inputs = all - first;
done:
  free(values);
  return status;
}

/* O: where it makes K block-diagonal, or is free. */
static sgf_status choose_outputs(const double *theta, const double *outputs, sgf_reduced *reduced, sgf_error *error)
{
  const sgf_network *network = &reduced->network;
  size_t size = reduced->outputs;
  const double *W_2 = theta + network->offsets[2];
  double *values = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&reduced->O, size, size, "basis of the outputs", error));
  SGF_TRY(sgf_new_reals(&values, size, 1, "basis of the outputs", error));
  if (network->layers == 2)
    sgf_multiply(size, size, network->widths[1], SGF_PLAIN, W_2, SGF_TRANSPOSED, W_2, reduced->O);
  else if (network->layers == 1 && outputs != NULL)
    memcpy(reduced->O, outputs, size * size * sizeof *outputs);
  if (network->layers == 2 || (network->layers == 1 && outputs != NULL))
    SGF_TRY(sgf_symmetric_eigen(size, reduced->O, values, "W_2 W_2^T", error));
  else
    for (size_t a = 0; a < size; a++) reduced->O[a * size + a] = 1.0;
done:
  free(values);
  return status;
}

/* O A_l and R_l of one layer. */
static sgf_status add_layer(const double *theta, size_t layer, sgf_reduced *reduced, sgf_error *error)
{
  const sgf_network *network = &reduced->network;
  size_t to = network->widths[layer], from = network->widths[layer - 1], inputs = network->widths[0];
  double *A = NULL, *B = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, theta, layer + 1, network->layers, &A, error));
  SGF_TRY(sgf_layer_product(network, theta, 1, layer - 1, &B, error));
  SGF_TRY(sgf_new_reals(&reduced->A[layer - 1], reduced->outputs, to, "layers above", error));
  SGF_TRY(sgf_new_reals(&reduced->R[layer - 1], from, reduced->inputs, "layers below", error));
  sgf_multiply(reduced->outputs, to, reduced->outputs, SGF_PLAIN, reduced->O, SGF_PLAIN, A, reduced->A[layer - 1]);
  sgf_multiply(from, reduced->inputs, inputs, SGF_PLAIN, B, SGF_TRANSPOSED, reduced->S, reduced->R[layer - 1]);
done:
  free(A);
  free(B);
  return status;
}

sgf_status sgf_reduced_create(const sgf_network *network, const double *theta, const double *moment,
                              const double *outputs, sgf_reduced *reduced, sgf_error *error)
{
  size_t layers = network->layers;
  void *A, *R;
  sgf_status status;
  memset(reduced, 0, sizeof *reduced);
  SGF_TRY(sgf_network_create(network->widths, layers + 1, &reduced->network, error));
  reduced->outputs = sgf_network_outputs(network);
  SGF_TRY(sgf_allocate(&A, layers, 1, sizeof(double *), "layers", error));
  reduced->A = A;
  SGF_TRY(sgf_allocate(&R, layers, 1, sizeof(double *), "layers", error));
  reduced->R = R;
  SGF_TRY(factor_inputs(moment, reduced, error));
  SGF_TRY(choose_outputs(theta, outputs, reduced, error));
  for (size_t l = 1; l <= layers; l++) SGF_TRY(add_layer(theta, l, reduced, error));
  reduced->blocks = layers <= 2 ? reduced->outputs : 1;
  reduced->size = layers <= 2 ? reduced->inputs : reduced->outputs * reduced->inputs;
  reduced->shared = layers == 1 || (layers == 2 && moment == NULL);
done:
  return status;
}

void sgf_reduced_free(sgf_reduced *reduced)
{
  for (size_t l = 0; l < reduced->network.layers; l++) {
    if (reduced->A != NULL) free(reduced->A[l]);
    if (reduced->R != NULL) free(reduced->R[l]);
  }
  free(reduced->A);
  free(reduced->R);
  free(reduced->O);
  free(reduced->S);
  free(reduced->U);
  free(reduced->k);
  sgf_network_free(&reduced->network);
  memset(reduced, 0, sizeof *reduced);
}

const double *sgf_reduced_modes(const sgf_reduced *reduced, size_t block)
{
  return reduced->U + (reduced->shared ? 0 : block * reduced->size * reduced->size);
}

double sgf_reduced_weight(const sgf_reduced *reduced, size_t layer, size_t block)
{
  size_t width = reduced->network.widths[layer];
  const double *row = reduced->A[layer - 1] + block * width;
  return sgf_dot(width, row, row);
}

/* ------------------------------------------------------------- eigenproblem */

/* R_l^T R_l of every layer, (L, inputs, inputs). Allocated here. */
static sgf_status grams_of_inputs(const sgf_reduced *reduced, double **grams, sgf_error *error)
{
  size_t inputs = reduced->inputs, layers = reduced->network.layers;
  sgf_status status = sgf_new_reals(grams, layers * inputs, inputs, "blocks of K", error);
  for (size_t l = 1; l <= layers && status == SGF_OK; l++) {
    const double *R = reduced->R[l - 1];
    sgf_multiply(inputs, inputs, reduced->network.widths[l - 1], SGF_TRANSPOSED, R, SGF_PLAIN, R,
                 *grams + (l - 1) * inputs * inputs);
  }
  return status;
}

/* Block of K: sum_l |row of O A_l|^2 R_l^T R_l for up to two layers. */
static void fill_block(const sgf_reduced *reduced, const double *grams, size_t block, double *K)
{
  size_t count = reduced->size * reduced->size;
  memset(K, 0, count * sizeof *K);
  for (size_t l = 1; l <= reduced->network.layers; l++) {
    double weight = sgf_reduced_weight(reduced, l, block);
    for (size_t j = 0; j < count; j++) K[j] += weight * grams[(l - 1) * count + j];
  }
}

/* K as a whole, sum_l A_l A_l^T (x) R_l^T R_l. */
static sgf_status fill_whole(const sgf_reduced *reduced, const double *grams, double *K, sgf_error *error)
{
  size_t outputs = reduced->outputs, inputs = reduced->inputs, size = reduced->size;
  double *above;
  sgf_status status = sgf_new_reals(&above, outputs, outputs, "blocks of K", error);
  if (status != SGF_OK) return status;
  memset(K, 0, size * size * sizeof *K);
  for (size_t l = 1; l <= reduced->network.layers; l++) {
    const double *A = reduced->A[l - 1], *gram = grams + (l - 1) * inputs * inputs;
    sgf_multiply(outputs, outputs, reduced->network.widths[l], SGF_PLAIN, A, SGF_TRANSPOSED, A, above);
    for (size_t a = 0; a < outputs; a++)
      for (size_t i = 0; i < inputs; i++)
        for (size_t b = 0; b < outputs; b++)
          for (size_t j = 0; j < inputs; j++)
            K[(a * inputs + i) * size + b * inputs + j] += above[a * outputs + b] * gram[i * inputs + j];
  }
  free(above);
  return SGF_OK;
}

static sgf_status solve_block(const sgf_reduced *reduced, const double *grams, size_t block, bool values_only,
                              double *K, double *k, sgf_error *error)
{
  sgf_status status = SGF_OK;
  if (reduced->blocks == 1 && reduced->network.layers > 2)
    status = fill_whole(reduced, grams, K, error);
  else
    fill_block(reduced, grams, block, K);
  if (status != SGF_OK) return status;
  return values_only ? sgf_symmetric_eigenvalues(reduced->size, K, k, "K", error)
                     : sgf_symmetric_eigen(reduced->size, K, k, "K", error);
}

/* One set of modes for all blocks, those of the last layer's R^T R (the other's is 1): every eigenvalue from its
 * lengths, k = sum_l weight |R_l u|^2, which keeps the digits of the small ones. */
static sgf_status solve_shared(sgf_reduced *reduced, const double *grams, sgf_error *error)
{
  size_t size = reduced->size, layers = reduced->network.layers;
  double *values = NULL, *seen = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&values, size, 1, "eigenvalues of K", error));
  memcpy(reduced->U, grams + (layers - 1) * size * size, size * size * sizeof *grams);
  SGF_TRY(sgf_symmetric_eigen(size, reduced->U, values, "K", error));
  for (size_t l = 1; l <= layers; l++) {
    size_t from = reduced->network.widths[l - 1];
    SGF_TRY(sgf_new_reals(&seen, size, from, "modes of K", error));
    sgf_multiply(size, from, size, SGF_PLAIN, reduced->U, SGF_TRANSPOSED, reduced->R[l - 1], seen);
    for (size_t i = 0; i < size; i++) values[i] = sgf_dot(from, seen + i * from, seen + i * from);
    for (size_t block = 0; block < reduced->blocks; block++)
      for (size_t i = 0; i < size; i++)
        reduced->k[block * size + i] += sgf_reduced_weight(reduced, l, block) * values[i];
    free(seen);
    seen = NULL;
  }
done:
  free(values);
  free(seen);
  return status;
}

/* Drop the eigenvalues that the rule calls zero, and see what is left. */
static sgf_status decide(sgf_reduced *reduced, size_t count, double *k, double tolerance, sgf_error *error)
{
  double *sorted;
  sgf_status status = sgf_new_reals(&sorted, count, 1, "eigenvalues of K", error);
  if (status != SGF_OK) return status;
  memcpy(sorted, k, count * sizeof *k);
  gsl_sort(sorted, 1, count);
  status = sgf_drift_rank(count, sorted, reduced->network.weights, 0.0, tolerance, &reduced->decision, error);
  if (status == SGF_OK) {
    reduced->rank = count - reduced->decision.dropped;
    reduced->smallest = sorted[reduced->decision.dropped];
    reduced->largest = sorted[count - 1];
    for (size_t i = 0; i < count; i++)
      if (!(k[i] >= reduced->smallest)) k[i] = 0.0;
  }
  free(sorted);
  return status;
}

sgf_status sgf_reduced_solve(sgf_reduced *reduced, double tolerance, bool values_only, sgf_error *error)
{
  size_t size = reduced->size, kept = values_only && !reduced->shared ? 0 : reduced->shared ? 1 : reduced->blocks;
  double *grams = NULL, *room = NULL;
  sgf_status status;
  SGF_TRY(grams_of_inputs(reduced, &grams, error));
  SGF_TRY(sgf_new_reals(&reduced->k, reduced->blocks, size, "eigenvalues of K", error));
  SGF_TRY(sgf_new_reals(&reduced->U, kept * size, size, "modes of K", error));
  if (reduced->shared)
    SGF_TRY(solve_shared(reduced, grams, error));
  else if (kept == 0)
    SGF_TRY(sgf_new_reals(&room, size, size, "modes of K", error));
  for (size_t block = 0; block < reduced->blocks && !reduced->shared; block++)
    SGF_TRY(solve_block(reduced, grams, block, values_only, kept > 0 ? reduced->U + block * size * size : room,
                        reduced->k + block * size, error));
  SGF_TRY(decide(reduced, reduced->blocks * size, reduced->k, tolerance, error));
done:
  free(grams);
  free(room);
  return status;
}

/* The blocks of the least, the least positive, and the largest eigenvalue of W_2 W_2^T. */
static void extreme_blocks(const sgf_reduced *reduced, size_t chosen[3])
{
  double most = 0.0, least = INFINITY, positive = INFINITY;
  for (size_t block = 0; block < reduced->blocks; block++) most = fmax(most, sgf_reduced_weight(reduced, 1, block));
  for (size_t block = 0; block < reduced->blocks; block++) {
    double weight = sgf_reduced_weight(reduced, 1, block);
    if (weight < least) chosen[0] = block;
    if (weight < positive && weight > (double)reduced->blocks * 4.0 * DBL_EPSILON * most) {
      positive = weight;
      chosen[1] = block;
    }
    if (weight == most) chosen[2] = block;
    least = fmin(least, weight);
  }
}

sgf_status sgf_reduced_extremes(sgf_reduced *reduced, double tolerance, sgf_error *error)
{
  size_t size = reduced->size, chosen[3] = {0};
  double *grams = NULL, *room = NULL, *k = NULL;
  sgf_status status;
  extreme_blocks(reduced, chosen);
  SGF_TRY(grams_of_inputs(reduced, &grams, error));
  SGF_TRY(sgf_new_reals(&room, size, size, "extreme blocks of K", error));
  SGF_TRY(sgf_new_reals(&k, 3, size, "eigenvalues of K", error));
  for (size_t i = 0; i < 3; i++) SGF_TRY(solve_block(reduced, grams, chosen[i], true, room, k + i * size, error));
  SGF_TRY(decide(reduced, 3 * size, k, tolerance, error));
done:
  free(grams);
  free(room);
  free(k);
  return status;
}

/* ------------------------------------------------ between weights and modes */

static size_t widest(const sgf_network *network)
{
  size_t width = 0;
  for (size_t l = 0; l <= network->layers; l++) width = network->widths[l] > width ? network->widths[l] : width;
  return width;
}

sgf_status sgf_reduced_push(const sgf_reduced *reduced, size_t layer, size_t count, const double *v, double *Y,
                            sgf_error *error)
{
  const sgf_network *network = &reduced->network;
  size_t outputs = reduced->outputs, inputs = reduced->inputs, map_size = outputs * inputs, at = 0;
  size_t length = layer == 0 ? network->weights : sgf_layer_size(network, layer);
  double *half;
  sgf_status status = sgf_new_reals(&half, outputs, widest(network), "change of the map", error);
  if (status != SGF_OK) return status;
  memset(Y, 0, count * map_size * sizeof *Y);
  for (size_t l = 1; l <= network->layers; l++) {
    int to = (int)network->widths[l], from = (int)network->widths[l - 1];
    if (layer != 0 && l != layer) continue;
    for (size_t c = 0; c < count; c++) {
      sgf_multiply(outputs, (size_t)from, (size_t)to, SGF_PLAIN, reduced->A[l - 1], SGF_PLAIN, v + c * length + at,
                   half);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)outputs, (int)inputs, from, 1.0, half, from,
                  reduced->R[l - 1], (int)inputs, 1.0, Y + c * map_size, (int)inputs);
    }
    at += sgf_layer_size(network, l);
  }
  free(half);
  return SGF_OK;
}

sgf_status sgf_reduced_pull(const sgf_reduced *reduced, size_t layer, size_t count, const double *Y, double *v,
                            sgf_error *error)
{
  const sgf_network *network = &reduced->network;
  size_t outputs = reduced->outputs, inputs = reduced->inputs, map_size = outputs * inputs, at = 0;
  size_t length = layer == 0 ? network->weights : sgf_layer_size(network, layer);
  double *half;
  sgf_status status = sgf_new_reals(&half, outputs, widest(network), "change of the weights", error);
  if (status != SGF_OK) return status;
  for (size_t l = 1; l <= network->layers; l++) {
    size_t to = network->widths[l], from = network->widths[l - 1];
    if (layer != 0 && l != layer) continue;
    for (size_t c = 0; c < count; c++) {
      sgf_multiply(outputs, from, inputs, SGF_PLAIN, Y + c * map_size, SGF_TRANSPOSED, reduced->R[l - 1], half);
      sgf_multiply(to, from, outputs, SGF_TRANSPOSED, reduced->A[l - 1], SGF_PLAIN, half, v + c * length + at);
    }
    at += sgf_layer_size(network, l);
  }
  free(half);
  return SGF_OK;
}

/* Every block of every vector times U^T (into) or U. */
static sgf_status turn(const sgf_reduced *reduced, size_t count, CBLAS_TRANSPOSE transposition, double *Y,
                       sgf_error *error)
{
  size_t size = reduced->size, whole = reduced->blocks * size;
  double *turned;
  sgf_status status = sgf_new_reals(&turned, count, size, "modes of K", error);
  if (status != SGF_OK) return status;
  for (size_t block = 0; block < reduced->blocks; block++) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, transposition, (int)count, (int)size, (int)size, 1.0, Y + block * size,
                (int)whole, sgf_reduced_modes(reduced, block), (int)size, 0.0, turned, (int)size);
    for (size_t c = 0; c < count; c++) memcpy(Y + c * whole + block * size, turned + c * size, size * sizeof *turned);
  }
  free(turned);
  return SGF_OK;
}

sgf_status sgf_reduced_into_modes(const sgf_reduced *reduced, size_t count, double *Y, sgf_error *error)
{
  return turn(reduced, count, CblasTrans, Y, error);
}

sgf_status sgf_reduced_out_of_modes(const sgf_reduced *reduced, size_t count, double *Y, sgf_error *error)
{
  return turn(reduced, count, CblasNoTrans, Y, error);
}

/* Element ((a, i), (l; p, q)) of B is A_l[a, p] R_l[q, i]. */
sgf_status sgf_reduced_matrix(const sgf_reduced *reduced, double **B, sgf_error *error)
{
  const sgf_network *network = &reduced->network;
  size_t n = network->weights, inputs = reduced->inputs;
  sgf_status status = sgf_new_reals(B, reduced->outputs * inputs, n, "factor of H", error);
  for (size_t l = 1; l <= network->layers && status == SGF_OK; l++) {
    const double *A = reduced->A[l - 1], *R = reduced->R[l - 1];
    size_t to = network->widths[l], from = network->widths[l - 1];
    for (size_t a = 0; a < reduced->outputs; a++)
      for (size_t i = 0; i < inputs; i++) {
        double *row = *B + (a * inputs + i) * n + network->offsets[l];
        for (size_t p = 0; p < to; p++)
          for (size_t q = 0; q < from; q++) row[p * from + q] = A[a * to + p] * R[q * inputs + i];
      }
  }
  return status;
}
