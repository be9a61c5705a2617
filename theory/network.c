/* The network's shape: widths, and where each layer's weights stand in theta. */
#include "network.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

static sgf_status check_widths(const size_t *widths, size_t width_count, sgf_error *error)
{
  size_t weights = 0, product, total;
  if (width_count == 0) return sgf_fail(error, SGF_ERROR_VALUE, "network.widths is missing: it has no default");
  if (width_count < 2)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "network.widths has 1 entry: inputs and outputs at least, [N_0, ..., N_L]");
  for (size_t l = 0; l < width_count; l++)
    if (widths[l] == 0) return sgf_fail(error, SGF_ERROR_VALUE, "network.widths[%zu] is 0: widths are 1 or more", l);
  for (size_t l = 1; l < width_count; l++) {
    if (__builtin_mul_overflow(widths[l], widths[l - 1], &product) ||
        __builtin_add_overflow(weights, product, &total) || total > INT_MAX)
      return sgf_fail(error, SGF_ERROR_VALUE, "network.widths[%zu] = %zu after %zu: more than %d weights", l,
                      widths[l], widths[l - 1], INT_MAX);
    weights = total;
  }
  return SGF_OK;
}

sgf_status sgf_network_create(const size_t *widths, size_t width_count, sgf_network *network, sgf_error *error)
{
  void *copy = NULL, *offsets = NULL;
  sgf_status status;
  memset(network, 0, sizeof *network);
  SGF_TRY(check_widths(widths, width_count, error));
  SGF_TRY(sgf_allocate(&copy, width_count, 1, sizeof(size_t), "network.widths", error));
  SGF_TRY(sgf_allocate(&offsets, width_count + 1, 1, sizeof(size_t), "layer offsets", error));
  network->widths = copy;
  network->offsets = offsets;
  network->layers = width_count - 1;
  memcpy(network->widths, widths, width_count * sizeof *widths);
  for (size_t l = 1; l <= network->layers; l++)
    network->offsets[l + 1] = network->offsets[l] + widths[l] * widths[l - 1];
  network->weights = network->offsets[width_count];
  return SGF_OK;
done:
  free(copy);
  free(offsets);
  return status;
}

void sgf_network_free(sgf_network *network)
{
  free(network->widths);
  free(network->offsets);
  memset(network, 0, sizeof *network);
}

size_t sgf_network_inputs(const sgf_network *network) { return network->widths[0]; }

size_t sgf_network_outputs(const sgf_network *network) { return network->widths[network->layers]; }

size_t sgf_layer_size(const sgf_network *network, size_t layer)
{
  return network->widths[layer] * network->widths[layer - 1];
}

sgf_status sgf_layer_product(const sgf_network *network, const double *theta, size_t first, size_t last,
                             double **product, sgf_error *error)
{
  size_t columns = network->widths[first - 1];
  double *current = NULL, *next = NULL;
  sgf_status status;
  *product = NULL;
  SGF_TRY(sgf_new_reals(&current, columns, columns, "product of layers", error));
  for (size_t i = 0; i < columns; i++) current[i * columns + i] = 1.0;
  for (size_t l = first; l <= last; l++) {
    SGF_TRY(sgf_new_reals(&next, network->widths[l], columns, "product of layers", error));
    sgf_multiply(network->widths[l], columns, network->widths[l - 1], SGF_PLAIN, theta + network->offsets[l],
                 SGF_PLAIN, current, next);
    free(current);
    current = next;
    next = NULL;
  }
  *product = current;
  return SGF_OK;
done:
  free(current);
  free(next);
  return status;
}

void sgf_balance(const sgf_network *network, const double *theta, size_t hidden, double *B)
{
  size_t below = network->widths[hidden - 1], size = network->widths[hidden], above = network->widths[hidden + 1];
  const double *into = theta + network->offsets[hidden], *out_of = theta + network->offsets[hidden + 1];
  for (size_t p = 0; p < size; p++)
    for (size_t q = 0; q <= p; q++) {
      double sum = 0.0;
      for (size_t k = 0; k < below; k++) sum += into[p * below + k] * into[q * below + k];
      for (size_t k = 0; k < above; k++) sum -= out_of[k * size + p] * out_of[k * size + q];
      B[p * size + q] = B[q * size + p] = sum;
    }
}
