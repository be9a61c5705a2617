/* One replica of SGD on a linear network of any depth: forward, backward, update.
 *
 * It knows the data, the weights and the sampler, and nothing of the theory. */
#include "sgd.h"

#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"

sgf_status sgf_sgd_create(const sgf_problem *problem, uint64_t replica, sgf_sgd *run, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  const sgf_settings *settings = &problem->settings;
  size_t units = 0;
  void *indices;
  sgf_status status;
  memset(run, 0, sizeof *run);
  run->problem = problem;
  for (size_t l = 0; l <= network->layers; l++) units += network->widths[l];
  SGF_TRY(sgf_sampler_create(settings->training.sampling, problem->data.samples, settings->training.batch_size,
                             settings->seed, replica, &run->sampler, error));
  SGF_TRY(sgf_new_reals(&run->theta, network->weights, 1, "weights of a replica", error));
  SGF_TRY(sgf_new_reals(&run->gradient, network->weights, 1, "gradient of a replica", error));
  SGF_TRY(sgf_new_reals(&run->activations, units, 1, "activations", error));
  SGF_TRY(sgf_new_reals(&run->errors, units, 1, "errors", error));
  SGF_TRY(sgf_allocate(&indices, settings->training.batch_size, 1, sizeof(size_t), "batch", error));
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
  free(run->activations);
  free(run->errors);
  free(run->indices);
  memset(run, 0, sizeof *run);
}

/* The sum may be taken in any order here (and only here): it is what lets the compiler use vectors. */
static double dot(size_t count, const double *a, const double *b)
{
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (size_t k = 0; k < count; k++) sum += a[k] * b[k];
  return sum;
}

/* out = W in, W (rows, columns). */
static void apply_layer(size_t rows, size_t columns, const double *W, const double *in, double *out)
{
  for (size_t p = 0; p < rows; p++) out[p] = dot(columns, W + p * columns, in);
}

/* out = W^T in. */
static void apply_transposed(size_t rows, size_t columns, const double *W, const double *in, double *out)
{
  for (size_t q = 0; q < columns; q++) out[q] = 0.0;
  for (size_t p = 0; p < rows; p++)
#pragma omp simd
    for (size_t q = 0; q < columns; q++) out[q] += W[p * columns + q] * in[p];
}

/* gradient += error activation^T. */
static void add_outer_product(size_t rows, size_t columns, const double *error, const double *activation,
                              double *gradient)
{
  for (size_t p = 0; p < rows; p++)
#pragma omp simd
    for (size_t q = 0; q < columns; q++) gradient[p * columns + q] += error[p] * activation[q];
}

/* Gradient of |y - M x|^2 / 2 for one sample, added to run->gradient. */
static void add_sample_gradient(sgf_sgd *run, size_t sample)
{
  const sgf_network *network = &run->problem->network;
  const sgf_dataset *data = &run->problem->data;
  const double *input = data->X + sample * data->inputs, *below = input;
  double *h = run->activations, *error = run->errors;
  const size_t *N = network->widths;

  size_t at = 0; /* where layer l stands in activations and errors; layer 0 is the input itself */
  for (size_t l = 1; l <= network->layers; l++) {
    apply_layer(N[l], N[l - 1], run->theta + network->offsets[l], below, h + at);
    below = h + at;
    at += N[l];
  }
  at -= N[network->layers];
  for (size_t a = 0; a < data->outputs; a++) error[at + a] = h[at + a] - data->Y[sample * data->outputs + a];

  for (size_t l = network->layers; l >= 1; l--) {
    const double *W = run->theta + network->offsets[l];
    size_t under = l > 1 ? at - N[l - 1] : 0;
    below = l > 1 ? h + under : input;
    add_outer_product(N[l], N[l - 1], error + at, below, run->gradient + network->offsets[l]);
    if (l > 1) apply_transposed(N[l], N[l - 1], W, error + at, error + under);
    at = under;
  }
}

void sgf_sgd_step(sgf_sgd *run)
{
  const sgf_settings *settings = &run->problem->settings;
  size_t n = run->problem->network.weights, S = settings->training.batch_size;
  double lambda = settings->training.learning_rate, decay = settings->training.weight_decay;
  memset(run->gradient, 0, n * sizeof *run->gradient);
  sgf_sampler_draw(&run->sampler, run->step, run->indices);
  for (size_t s = 0; s < S; s++) add_sample_gradient(run, run->indices[s]);
  for (size_t k = 0; k < n; k++) {
    run->gradient[k] = run->gradient[k] / (double)S + decay * run->theta[k];
    run->theta[k] -= lambda * run->gradient[k];
  }
  run->step++;
}
