/* Products of layers whose weights fluctuate, for all weights as they are or as the map sees them. */
#include "averaged_products.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { KINDS_OF_PRODUCTS = 5 };

void sgf_averaged_products_free(sgf_averaged_products *products)
{
  for (size_t k = 0; products->all != NULL && k < KINDS_OF_PRODUCTS * (products->network->layers + 1); k++)
    sgf_expansion_free(&products->all[k]);
  sgf_expansion_free(&products->map);
  free(products->all);
  free(products->gradient);
  free(products->mean);
  free(products->shift);
  free(products->curved);
}

sgf_layer_view sgf_layer_view_of(const sgf_averaged_products *products, size_t layer)
{
  const sgf_network *network = products->network;
  if (products->range != NULL)
    return (sgf_layer_view){products->range->space->outputs, products->range->space->inputs, 0};
  return (sgf_layer_view){network->widths[layer], network->widths[layer - 1], network->offsets[layer]};
}

size_t sgf_largest_view(const sgf_averaged_products *products, size_t *widest)
{
  size_t largest = 0;
  *widest = 1;
  for (size_t l = 1; l <= products->network->layers; l++) {
    sgf_layer_view view = sgf_layer_view_of(products, l);
    if (view.rows * view.columns > largest) largest = view.rows * view.columns;
    if (view.rows > *widest) *widest = view.rows;
    if (view.columns > *widest) *widest = view.columns;
  }
  return largest;
}

/* W_l and its derivatives: theta is linear in itself. */
static sgf_status expand_layer(const sgf_averaged_products *made, const double *theta, const double *factor, size_t l,
                               sgf_error *error)
{
  const sgf_network *network = made->network;
  size_t size = sgf_layer_size(network, l), first = network->offsets[l];
  sgf_expansion *layer = &made->layer[l];
  sgf_status status = sgf_expansion_create(network->widths[l], network->widths[l - 1], made->rank, layer, error);
  if (status != SGF_OK) return status;
  memcpy(layer->mean, theta + first, size * sizeof *theta);
  for (size_t k = 0; k < made->rank; k++)
    memcpy(layer->first + k * size, factor + k * network->weights + first, size * sizeof *factor);
  return SGF_OK;
}

/* G = M Sigma_xx - Sigma_yx. */
static sgf_status expand_slope_of_map(const sgf_averaged_products *made, sgf_expansion *G, sgf_error *error)
{
  const sgf_dataset *data = made->data;
  const sgf_expansion moment = {data->inputs, data->inputs, 0, data->input_moment, NULL, NULL};
  sgf_status status = sgf_expansion_multiply(SGF_PLAIN, &made->map, SGF_PLAIN, &moment, G, error);
  for (size_t k = 0; k < data->outputs * data->inputs && status == SGF_OK; k++) G->mean[k] -= data->cross_moment[k];
  return status;
}

/* A <- op(P) A for a constant P. */
static sgf_status premultiply(sgf_transposition transpose, const sgf_expansion *P, sgf_expansion *A, sgf_error *error)
{
  sgf_expansion product = {0};
  sgf_status status = sgf_expansion_multiply(transpose, P, SGF_PLAIN, A, &product, error);
  if (status != SGF_OK) {
    sgf_expansion_free(&product);
    return status;
  }
  sgf_expansion_free(A);
  *A = product;
  return SGF_OK;
}

/* W_{l-1} ... W_1, M, (W_L ... W_{l+1})^T and this times G, for all weights as they are. */
static sgf_status multiply_layers(sgf_averaged_products *made, sgf_error *error)
{
  const sgf_network *network = made->network;
  size_t L = network->layers;
  sgf_expansion G = {0};
  sgf_status status;
  SGF_TRY(sgf_expansion_identity(network->widths[0], &made->below[1], error));
  for (size_t l = 1; l <= L; l++)
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->layer[l], SGF_PLAIN, &made->below[l],
                                   l < L ? &made->below[l + 1] : &made->map, error));
  SGF_TRY(sgf_expansion_identity(network->widths[L], &made->above[L], error));
  for (size_t l = L - 1; l >= 1; l--)
    SGF_TRY(sgf_expansion_multiply(SGF_TRANSPOSED, &made->layer[l + 1], SGF_PLAIN, &made->above[l + 1],
                                   &made->above[l], error));
  SGF_TRY(expand_slope_of_map(made, &G, error));
  for (size_t l = 1; l <= L; l++)
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->above[l], SGF_PLAIN, &G, &made->slope[l], error));
done:
  sgf_expansion_free(&G);
  return status;
}

/* As the map sees them. */
static sgf_status look_from_map(sgf_averaged_products *made, sgf_error *error)
{
  const sgf_reduced *space = made->range->space;
  const sgf_network *network = made->network;
  sgf_status status = SGF_OK;
  for (size_t l = 1; l <= network->layers; l++) {
    const sgf_expansion A = {space->outputs, network->widths[l], 0, space->A[l - 1], NULL, NULL};
    const sgf_expansion R = {network->widths[l - 1], space->inputs, 0, made->range->R[l - 1], NULL, NULL};
    SGF_TRY(premultiply(SGF_PLAIN, &A, &made->above[l], error));
    SGF_TRY(premultiply(SGF_PLAIN, &A, &made->slope[l], error));
    SGF_TRY(premultiply(SGF_TRANSPOSED, &R, &made->below[l], error));
  }
done:
  return status;
}

/* The gradient of the mean loss and its second derivatives, of all weights. */
static sgf_status average_gradient(sgf_averaged_products *made, sgf_error *error)
{
  const sgf_network *network = made->network;
  sgf_expansion slope = {0};
  sgf_status status = SGF_OK;
  for (size_t l = 1; l <= network->layers; l++) {
    double *gradient = made->gradient + network->offsets[l];
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->slope[l], SGF_TRANSPOSED, &made->below[l], &slope, error));
    for (size_t k = 0; k < sgf_layer_size(network, l); k++) gradient[k] = slope.mean[k] + slope.second[k];
    sgf_expansion_free(&slope);
  }
done:
  sgf_expansion_free(&slope);
  return status;
}

/* The same as they are seen, apart, and H l_k. */
static sgf_status see_gradient(sgf_averaged_products *made, sgf_error *error)
{
  sgf_expansion slope = {0};
  sgf_status status = SGF_OK;
  for (size_t l = 1; l <= made->network->layers; l++) {
    sgf_layer_view view = sgf_layer_view_of(made, l);
    size_t size = view.rows * view.columns;
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->slope[l], SGF_TRANSPOSED, &made->below[l], &slope, error));
    for (size_t k = 0; k < size; k++) {
      made->mean[view.offset + k] += slope.mean[k];
      made->shift[view.offset + k] += slope.second[k];
    }
    for (size_t d = 0; d < made->rank; d++)
      for (size_t k = 0; k < size; k++) made->curved[d * made->size + view.offset + k] += slope.first[d * size + k];
    sgf_expansion_free(&slope);
  }
done:
  sgf_expansion_free(&slope);
  return status;
}

static sgf_status make_room(sgf_averaged_products *made, sgf_error *error)
{
  size_t L = made->network->layers;
  void *block;
  sgf_status status;
  SGF_TRY(sgf_allocate(&block, KINDS_OF_PRODUCTS, L + 1, sizeof(sgf_expansion), "expansions", error));
  made->all = made->layer = block;
  made->below = made->layer + L + 1;
  made->above = made->below + L + 1;
  made->back = made->above + L + 1;
  made->slope = made->back + L + 1;
  SGF_TRY(sgf_new_reals(&made->gradient, made->network->weights, 1, "averaged gradient", error));
  SGF_TRY(sgf_new_reals(&made->mean, made->size, 1, "averaged gradient", error));
  SGF_TRY(sgf_new_reals(&made->shift, made->size, 1, "averaged gradient", error));
  SGF_TRY(sgf_new_reals(&made->curved, made->rank, made->size, "derivatives of the gradient", error));
done:
  return status;
}

sgf_status sgf_average_gradient(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                const double *theta, size_t rank, const double *factor, double *gradient,
                                sgf_error *error)
{
  sgf_averaged_products made = {.network = network, .data = data, .rank = rank, .size = 1};
  sgf_status status;
  SGF_TRY(make_room(&made, error));
  for (size_t l = 1; l <= network->layers; l++) SGF_TRY(expand_layer(&made, theta, factor, l, error));
  SGF_TRY(multiply_layers(&made, error));
  SGF_TRY(average_gradient(&made, error));
  for (size_t k = 0; k < network->weights; k++) gradient[k] = made.gradient[k] + weight_decay * theta[k];
done:
  sgf_averaged_products_free(&made);
  if (status != SGF_OK) sgf_fill_nan(network->weights, gradient);
  return status;
}

sgf_status sgf_averaged_products_create(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                        size_t rank, const double *factor, const sgf_range_basis *range,
                                        sgf_averaged_products *products, sgf_error *error)
{
  size_t L = network->layers;
  sgf_status status;
  *products = (sgf_averaged_products){.network = network, .data = data, .range = range, .rank = rank};
  products->size = range != NULL ? sgf_range_basis_of_map(range) : network->weights;
  SGF_TRY(make_room(products, error));
  for (size_t l = 1; l <= L; l++) SGF_TRY(expand_layer(products, theta, factor, l, error));
  SGF_TRY(multiply_layers(products, error));
  SGF_TRY(average_gradient(products, error));
  if (range != NULL) SGF_TRY(look_from_map(products, error));
  for (size_t l = 1; l <= L; l++)
    SGF_TRY(
        sgf_expansion_multiply(SGF_PLAIN, &products->above[l], SGF_PLAIN, &products->map, &products->back[l], error));
  SGF_TRY(see_gradient(products, error));
done:
  return status;
}

/* --------------------------------------------------------- blocks of layers */

sgf_status sgf_between_layers(const sgf_averaged_products *products, size_t upper, size_t lower,
                              const sgf_expansion *between, sgf_expansion *seen, sgf_error *error)
{
  const sgf_reduced *space = products->range->space;
  const sgf_network *network = products->network;
  sgf_expansion half = {0};
  const sgf_expansion A = {space->outputs, network->widths[lower], 0, space->A[lower - 1], NULL, NULL};
  const sgf_expansion R = {network->widths[upper - 1], space->inputs, 0, products->range->R[upper - 1], NULL, NULL};
  sgf_status status = sgf_expansion_multiply(SGF_TRANSPOSED, &R, SGF_PLAIN, between, &half, error);
  if (status == SGF_OK) status = sgf_expansion_multiply(SGF_PLAIN, &half, SGF_TRANSPOSED, &A, seen, error);
  sgf_expansion_free(&half);
  return status;
}

void sgf_add_block_of_layers(const sgf_averaged_products *products, size_t upper, size_t lower, bool crossed,
                             double weight, const double *X, double *matrix)
{
  sgf_layer_view of = sgf_layer_view_of(products, upper), other = sgf_layer_view_of(products, lower);
  for (size_t p = 0; p < of.rows; p++)
    for (size_t q = 0; q < of.columns; q++) {
      double *row = matrix + (of.offset + p * of.columns + q) * products->size + other.offset;
      for (size_t r = 0; r < other.rows; r++)
        for (size_t s = 0; s < other.columns; s++)
          row[r * other.columns + s] +=
              weight * (crossed ? X[((p * other.columns + s) * of.columns + q) * other.rows + r]
                                : X[((p * other.rows + r) * of.columns + q) * other.columns + s]);
    }
}
