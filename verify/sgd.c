/* One replica of SGD on a linear network of any depth: forward, backward, update.
 *
 * It knows the data, the weights and the sampler, and nothing of the theory. */
#include "sgd.h"

#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "kernels.h"

/* Streams of runs that train layer l alone: l * ALONE beyond those of the full runs. */
static const uint64_t ALONE = 1ULL << 48;

sgf_status sgf_engine_create(const sgf_problem *problem, size_t layer, sgf_engine **engine, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **engine, "engine", error);
  *engine = block;
  if (status != SGF_OK) return status;
  **engine = (sgf_engine){problem, layer, layer > 0 ? problem->network.offsets[layer] : 0,
                          layer > 0 ? sgf_layer_size(&problem->network, layer) : problem->network.weights};
  return SGF_OK;
}

void sgf_engine_free(sgf_engine *engine) { free(engine); }

sgf_status sgf_sgd_create(const sgf_engine *engine, uint64_t replica, sgf_sgd *run, sgf_error *error)
{
  const sgf_problem *problem = engine->problem;
  const sgf_network *network = &problem->network;
  const sgf_settings *settings = &problem->settings;
  size_t units = 0, largest = 0, S = settings->training.batch_size;
  void *indices;
  sgf_status status;
  memset(run, 0, sizeof *run);
  run->engine = engine;
  for (size_t l = 0; l <= network->layers; l++) units += network->widths[l];
  for (size_t l = 1; l <= network->layers; l++)
    if (sgf_layer_size(network, l) > largest) largest = sgf_layer_size(network, l);
  SGF_TRY(sgf_sampler_create(settings->training.sampling, problem->data.samples, settings->training.batch_size,
                             settings->seed, replica + engine->layer * ALONE, &run->sampler, error));
  SGF_TRY(sgf_new_reals(&run->theta, network->weights, 1, "weights of a replica", error));
  SGF_TRY(sgf_new_reals(&run->gradient, network->weights, 1, "gradient of a replica", error));
  SGF_TRY(sgf_new_reals(&run->transposed, largest, 1, "weights of a replica", error));
  SGF_TRY(sgf_new_reals(&run->activations, units, S, "activations", error));
  SGF_TRY(sgf_new_reals(&run->errors, units, S, "errors", error));
  SGF_TRY(sgf_allocate(&indices, S, 1, sizeof(size_t), "batch", error));
  run->indices = indices;
  memcpy(run->theta, problem->theta, network->weights * sizeof *run->theta);
  return SGF_OK;
done:
  sgf_sgd_free(run);
  return status;
}

void sgf_sgd_free(sgf_sgd *run)
{
  sgf_sampler_free(&run->sampler);
  free(run->theta);
  free(run->gradient);
  free(run->transposed);
  free(run->activations);
  free(run->errors);
  free(run->indices);
  memset(run, 0, sizeof *run);
}

/* Inputs of the batch, and h_l = W_l h_{l-1} for all its samples, one a row. */
static void forward(sgf_sgd *run)
{
  const sgf_network *network = &run->engine->problem->network;
  const sgf_dataset *data = &run->engine->problem->data;
  const size_t *N = network->widths;
  size_t S = run->engine->problem->settings.training.batch_size;
  double *h = run->activations;
  for (size_t s = 0; s < S; s++)
    memcpy(h + s * data->inputs, data->X + run->indices[s] * data->inputs, data->inputs * sizeof *h);
  for (size_t l = 1; l <= network->layers; l++) {
    const double *W = run->theta + network->offsets[l];
    for (size_t p = 0; p < N[l]; p++)
      for (size_t q = 0; q < N[l - 1]; q++) run->transposed[q * N[l] + p] = W[p * N[l - 1] + q];
    sgf_small_multiply(S, N[l], N[l - 1], h, N[l - 1], 1, run->transposed, h + S * N[l - 1]);
    h += S * N[l - 1];
  }
}

/* Derivatives of the mean of |y - M x|^2 / 2 over the batch: errors go down the layers, and each trained layer's
 * gradient is the sum over samples of error activation^T. */
static void backward(sgf_sgd *run)
{
  const sgf_network *network = &run->engine->problem->network;
  const sgf_dataset *data = &run->engine->problem->data;
  const size_t *N = network->widths;
  size_t S = run->engine->problem->settings.training.batch_size, at = 0;
  for (size_t l = 0; l < network->layers; l++) at += S * N[l]; /* where layer l stands in activations and errors */
  for (size_t s = 0; s < S; s++)
    for (size_t a = 0; a < data->outputs; a++) {
      size_t k = at + s * data->outputs + a;
      run->errors[k] = (run->activations[k] - data->Y[run->indices[s] * data->outputs + a]) / (double)S;
    }
  for (size_t l = network->layers; l >= 1 && l >= run->engine->layer; l--) {
    const double *error = run->errors + at;
    size_t under = at - S * N[l - 1];
    if (run->engine->layer == 0 || run->engine->layer == l)
      sgf_small_multiply(N[l], N[l - 1], S, error, 1, N[l], run->activations + under,
                         run->gradient + network->offsets[l]);
    if (l > 1 && l > run->engine->layer)
      sgf_small_multiply(S, N[l - 1], N[l], error, N[l], 1, run->theta + network->offsets[l], run->errors + under);
    at = under;
  }
}

static void take_step(sgf_sgd *run, bool in_window)
{
  const sgf_settings *settings = &run->engine->problem->settings;
  double lambda = settings->training.learning_rate, decay = settings->training.weight_decay;
  size_t first = run->engine->first, last = first + run->engine->count;
  sgf_sampler_draw(&run->sampler, run->step, run->indices);
  forward(run);
  backward(run);
  for (size_t k = first; k < last; k++) {
    run->gradient[k] += decay * run->theta[k];
    run->theta[k] -= lambda * run->gradient[k];
    if (in_window) run->gradient_square += run->gradient[k] * run->gradient[k];
  }
  run->step++;
}

void sgf_sgd_advance(sgf_sgd *run, size_t steps, bool in_window)
{
  for (size_t k = 0; k < steps; k++) take_step(run, in_window);
}

void sgf_sgd_weights(const sgf_sgd *run, double *theta)
{
  memcpy(theta, run->theta, run->engine->problem->network.weights * sizeof *theta);
}

double sgf_sgd_square_distance(const sgf_sgd *run)
{
  double sum = 0.0;
  for (size_t k = 0; k < run->engine->problem->network.weights; k++) {
    double delta = run->theta[k] - run->engine->problem->theta[k];
    sum += delta * delta;
  }
  return sum;
}

/* Bytes: step, gradient_square, theta, order of the sampler. */
size_t sgf_sgd_state_size(const sgf_engine *engine)
{
  return (2 + engine->problem->network.weights + engine->problem->data.samples) * 8;
}

void sgf_sgd_save(const sgf_sgd *run, void *state)
{
  char *at = state;
  size_t n = run->engine->problem->network.weights;
  memcpy(at, &run->step, 8);
  memcpy(at + 8, &run->gradient_square, 8);
  memcpy(at + 16, run->theta, 8 * n);
  if (run->sampler.order != NULL)
    memcpy(at + 16 + 8 * n, run->sampler.order, 8 * run->sampler.samples);
}

void sgf_sgd_load(sgf_sgd *run, const void *state)
{
  const char *at = state;
  size_t n = run->engine->problem->network.weights;
  memcpy(&run->step, at, 8);
  memcpy(&run->gradient_square, at + 8, 8);
  memcpy(run->theta, at + 16, 8 * n);
  if (run->sampler.order != NULL)
    memcpy(run->sampler.order, at + 16 + 8 * n, 8 * run->sampler.samples);
}
