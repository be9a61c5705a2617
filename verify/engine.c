/* What the replicas of a simulation share and only read: layout, padded data, theta*. */
#include "engine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"

/* Samples that are computed together at most: their activations stay in the second cache. */
enum { MOST_ROWS = 128 };
/* Doubles in a cache line. */
enum { LINE = 8 };
/* Rows whose distance is a multiple of so many doubles share few sets of the first cache. */
enum { ALIASING = 64 };

sgf_status sgf_lay_out(const sgf_span *spans, size_t count, double **block, const char *what, sgf_error *error)
{
  size_t total = LINE;
  for (size_t k = 0; k < count; k++) {
    if (spans[k].size > SIZE_MAX / 16 || total > SIZE_MAX / 16)
      return sgf_fail(error, SGF_ERROR_MEMORY, "%s: %zu numbers are too many", what, spans[k].size);
    total += (spans[k].size + LINE - 1) / LINE * LINE;
  }
  sgf_status status = sgf_new_reals(block, total, 1, what, error);
  if (status != SGF_OK) return status;
  double *at = *block + (LINE - (uintptr_t)*block / sizeof(double) % LINE) % LINE;
  for (size_t k = 0; k < count; k++) {
    *spans[k].start = at;
    at += (spans[k].size + LINE - 1) / LINE * LINE;
  }
  return SGF_OK;
}

/* ------------------------------------------------------------------- layout */

/* The six arrays of a chain, of layers + 2 elements each, from one block. */
static sgf_status allocate_chain(sgf_chain *chain, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 6, chain->layers + 2, sizeof(size_t), "layers", error);
  if (status != SGF_OK) return status;
  size_t **arrays[] = {&chain->widths, &chain->columns, &chain->strides,
                       &chain->units,  &chain->offsets, &chain->plain_offsets};
  for (size_t k = 0; k < 6; k++) *arrays[k] = (size_t *)block + k * (chain->layers + 2);
  return SGF_OK;
}

/* Layers and widths of the chain: all, or layer l and, above it, the product of the others. */
static sgf_status choose_layers(const sgf_network *network, size_t layer, sgf_chain *chain, sgf_error *error)
{
  bool alone = layer > 0, last = layer == network->layers;
  chain->layers = !alone ? network->layers : last ? 1 : 2;
  chain->trained = alone ? 1 : network->layers;
  sgf_status status = allocate_chain(chain, error);
  if (status != SGF_OK) return status;
  memcpy(chain->widths, network->widths + (alone ? layer - 1 : 0), (chain->trained + 1) * sizeof *chain->widths);
  if (chain->layers > chain->trained) chain->widths[2] = sgf_network_outputs(network);
  chain->one_output = chain->layers == 1 && chain->widths[1] == 1;
  return SGF_OK;
}

/* Where everything stands. A row of weights for one output is its own layer of N_0 columns. */
static void lay_out_chain(size_t lanes, sgf_chain *chain)
{
  for (size_t l = 0; l <= chain->layers; l++) {
    chain->columns[l] = (chain->widths[l] + lanes - 1) / lanes * lanes;
    chain->strides[l] = chain->columns[l] + (chain->columns[l] % ALIASING == 0 ? lanes : 0);
    chain->units[l + 1] = chain->units[l] + chain->strides[l];
  }
  for (size_t l = 1; l <= chain->layers; l++) {
    size_t size = chain->one_output ? chain->strides[0] : chain->widths[l - 1] * chain->strides[l];
    chain->offsets[l + 1] = chain->offsets[l] + size;
    chain->plain_offsets[l + 1] = chain->plain_offsets[l] + (l > 1 ? chain->widths[l] * chain->strides[l - 1] : 0);
  }
}

const double *sgf_engine_layer(const sgf_engine *engine, const double *weights, size_t l)
{
  return (l <= engine->chain.trained ? weights : engine->start) + engine->chain.offsets[l];
}

/* Where weight (p, q) of layer l stands among the padded ones. */
static size_t place(const sgf_chain *chain, size_t l, size_t p, size_t q)
{
  return chain->one_output ? q : chain->offsets[l] + q * chain->strides[l] + p;
}

void sgf_engine_unpad(const sgf_engine *engine, const double *padded, void *plain)
{
  const sgf_chain *chain = &engine->chain;
  char *to = plain;
  for (size_t l = 1; l <= chain->trained; l++)
    for (size_t p = 0; p < chain->widths[l]; p++)
      for (size_t q = 0; q < chain->widths[l - 1]; q++, to += sizeof *padded)
        memcpy(to, padded + place(chain, l, p, q), sizeof *padded);
}

void sgf_engine_pad(const sgf_engine *engine, const void *plain, double *padded)
{
  const sgf_chain *chain = &engine->chain;
  const char *from = plain;
  for (size_t l = 1; l <= chain->trained; l++)
    for (size_t p = 0; p < chain->widths[l]; p++)
      for (size_t q = 0; q < chain->widths[l - 1]; q++, from += sizeof *padded)
        memcpy(padded + place(chain, l, p, q), from, sizeof *padded);
}

/* --------------------------------------------------------------------- data */

/* The data with padded rows. */
static void pad_rows(size_t rows, size_t width, const double *from, double *to, size_t stride)
{
  for (size_t s = 0; s < rows; s++) memcpy(to + s * stride, from + s * width, width * sizeof *to);
}

/* The inputs of a layer that is trained alone: X (W_{l-1} ... W_1)^T. */
static sgf_status propagate_inputs(sgf_engine *engine, sgf_error *error)
{
  const sgf_problem *problem = engine->problem;
  const sgf_dataset *data = &problem->data;
  const sgf_chain *chain = &engine->chain;
  size_t stride = chain->strides[0], width = chain->widths[0];
  double *below = NULL, *transposed = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(&problem->network, problem->theta, 1, engine->layer - 1, &below, error));
  SGF_TRY(sgf_new_reals(&transposed, data->inputs, stride, "inputs of a layer", error));
  engine->kernels->transpose(width, data->inputs, below, data->inputs, transposed, stride);
  engine->kernels->multiply(data->samples, chain->columns[0], data->inputs, data->X, data->inputs, 1, transposed,
                            stride, engine->X, stride, false);
done:
  free(below);
  free(transposed);
  return status;
}

/* The frozen product of the layers above one that is trained alone, as a layer of the chain. */
static sgf_status freeze_layers_above(sgf_engine *engine, sgf_error *error)
{
  const sgf_problem *problem = engine->problem;
  const sgf_chain *chain = &engine->chain;
  size_t width = chain->widths[1];
  double *above;
  sgf_status status =
      sgf_layer_product(&problem->network, problem->theta, engine->layer + 1, problem->network.layers, &above, error);
  if (status != SGF_OK) return status;
  engine->kernels->transpose(chain->widths[2], width, above, width, engine->start + chain->offsets[2],
                             chain->strides[2]);
  free(above);
  return SGF_OK;
}

static sgf_status fill(sgf_engine *engine, sgf_error *error)
{
  const sgf_problem *problem = engine->problem;
  const sgf_dataset *data = &problem->data;
  const sgf_chain *chain = &engine->chain;
  size_t outputs = chain->one_output ? 1 : chain->strides[chain->layers];
  sgf_span spans[] = {{&engine->X, data->samples * chain->strides[0]},
                      {&engine->Y, data->samples * outputs},
                      {&engine->start, chain->offsets[chain->layers + 1]}};
  sgf_status status;
  SGF_TRY(sgf_lay_out(spans, sizeof spans / sizeof *spans, &engine->block, "data of a simulation", error));
  if (engine->layer > 1)
    SGF_TRY(propagate_inputs(engine, error));
  else
    pad_rows(data->samples, data->inputs, data->X, engine->X, chain->strides[0]);
  pad_rows(data->samples, data->outputs, data->Y, engine->Y, outputs);
  sgf_engine_pad(engine, problem->theta + engine->first, engine->start);
  if (chain->layers > chain->trained) SGF_TRY(freeze_layers_above(engine, error));
done:
  return status;
}

/* ----------------------------------------------------------------- dynamics */

/* The covariance of a minibatch gradient is (kappa / S) C. */
static double noise_strength(const sgf_problem *problem)
{
  double P = (double)problem->data.samples, S = (double)problem->settings.training.batch_size;
  if (problem->settings.training.sampling == SGF_SAMPLING_REPLACEMENT) return 1.0 / S;
  return P > S ? (P - S) / (P - 1.0) / S : 0.0;
}

static sgf_status choose_dynamics(sgf_engine *engine, sgf_error *error)
{
  const sgf_settings *settings = &engine->problem->settings;
  double lambda = settings->training.learning_rate, step = settings->simulation.time_step;
  engine->rate = lambda;
  engine->langevin = settings->simulation.dynamics == SGF_DYNAMICS_LANGEVIN;
  if (!engine->langevin) return SGF_OK;
  engine->rate = step;
  engine->frozen_noise = settings->simulation.langevin_noise == SGF_LANGEVIN_FROZEN;
  engine->amplitude = sqrt(lambda * noise_strength(engine->problem) / ((double)engine->problem->data.samples * step));
  if (settings->training.momentum > 0.0)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "simulation.dynamics is langevin and training.momentum is %g: the stochastic gradient flow is "
                    "built without momentum",
                    settings->training.momentum);
  if (!(step > 0.0 && step <= lambda))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "simulation.time_step is %g: it must be positive and at most the learning rate, %g", step,
                    lambda);
  return SGF_OK;
}

sgf_status sgf_engine_create_with(const sgf_problem *problem, size_t layer, const sgf_kernels *kernels,
                                  sgf_engine **engine, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t batch = problem->settings.training.batch_size;
  sgf_engine *made = NULL;
  void *block;
  sgf_status status;
  *engine = NULL;
  SGF_TRY(sgf_allocate(&block, 1, 1, sizeof *made, "engine", error));
  made = block;
  made->problem = problem;
  made->layer = layer;
  made->first = layer > 0 ? network->offsets[layer] : 0;
  made->count = layer > 0 ? sgf_layer_size(network, layer) : network->weights;
  made->kernels = kernels;
  SGF_TRY(choose_dynamics(made, error));
  SGF_TRY(choose_layers(network, layer, &made->chain, error));
  lay_out_chain(kernels->lanes, &made->chain);
  if (made->langevin) batch = problem->data.samples;
  made->rows = batch < MOST_ROWS ? batch : MOST_ROWS;
  made->padded = made->chain.offsets[made->chain.trained + 1];
  SGF_TRY(fill(made, error));
  *engine = made;
done:
  if (status != SGF_OK) sgf_engine_free(made);
  return status;
}

sgf_status sgf_engine_create(const sgf_problem *problem, size_t layer, sgf_engine **engine, sgf_error *error)
{
  return sgf_engine_create_with(problem, layer, sgf_kernels_of_machine(), engine, error);
}

void sgf_engine_free(sgf_engine *engine)
{
  if (engine == NULL) return;
  free(engine->chain.widths);
  free(engine->block);
  free(engine);
}
