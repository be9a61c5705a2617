/* SGD and Langevin dynamics on a linear network of any depth: the runs. Forward, backward, update.
 *
 * It knows the data, the weights and the sampler, and nothing of the theory. */
#include "sgd.h"

#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"

/* ------------------------------------------------------------- construction */

static sgf_status create_sampler(sgf_sgd *run, uint64_t replica, sgf_error *error)
{
  const sgf_engine *engine = run->engine;
  const sgf_settings *settings = &engine->problem->settings;
  uint64_t stream = replica + engine->layer * SGF_ALONE;
  size_t P = engine->problem->data.samples;
  if (engine->langevin) { /* all samples with random weights: no minibatches */
    run->sampler = (sgf_sampler){.mode = SGF_SAMPLING_REPLACEMENT,
                                 .samples = P,
                                 .batch = P,
                                 .seed = settings->seed,
                                 .replica = stream,
                                 .per_word = 1};
    return SGF_OK;
  }
  return sgf_sampler_create(settings->training.sampling, P, settings->training.batch_size, settings->seed, stream,
                            &run->sampler, error);
}

/* Room for samples that are computed one after the other or together. */
static sgf_status create_samples(sgf_sgd *run, sgf_error *error)
{
  size_t batch = run->sampler.batch;
  void *indices, *samples;
  sgf_status status;
  SGF_TRY(sgf_allocate(&indices, batch, 1, sizeof *run->indices, "batch", error));
  run->indices = indices;
  SGF_TRY(sgf_allocate(&samples, batch, 1, sizeof *run->samples, "batch", error));
  run->samples = samples;
done:
  return status;
}

/* W_l of frozen layers does not change. */
static void transpose_layer(const sgf_sgd *run, const double *weights, size_t l)
{
  const sgf_chain *chain = &run->engine->chain;
  run->engine->kernels->transpose(chain->widths[l - 1], chain->widths[l], sgf_engine_layer(run->engine, weights, l),
                                  chain->strides[l], run->plain + chain->plain_offsets[l], chain->strides[l - 1]);
}

sgf_status sgf_sgd_create(const sgf_engine *engine, uint64_t replica, sgf_sgd *run, sgf_error *error)
{
  const sgf_chain *chain = &engine->chain;
  bool momentum = engine->problem->settings.training.momentum > 0.0;
  sgf_status status;
  memset(run, 0, sizeof *run);
  run->engine = engine;
  SGF_TRY(create_sampler(run, replica, error));
  SGF_TRY(create_samples(run, error));
  size_t batch = run->sampler.batch, units = engine->rows * chain->units[chain->layers + 1];
  sgf_span spans[] = {{&run->weights, engine->padded},
                      {&run->velocity, momentum ? engine->padded : 0},
                      {&run->gradient, engine->padded},
                      {&run->hidden, units},
                      {&run->errors, units},
                      {&run->plain, chain->plain_offsets[chain->layers + 1]},
                      {&run->factors, batch},
                      {&run->targets, chain->one_output ? 2 * batch : 0}};
  SGF_TRY(sgf_lay_out(spans, sizeof spans / sizeof *spans, &run->block, "room of a replica", error));
  if (!momentum) run->velocity = NULL;
  memcpy(run->weights, engine->start, engine->padded * sizeof *run->weights);
  for (size_t l = chain->trained + 1; l <= chain->layers; l++) transpose_layer(run, engine->start, l);
  for (size_t s = 0; s < batch; s++) run->factors[s] = 1.0 / (double)batch;
done:
  if (status != SGF_OK) sgf_sgd_free(run);
  return status;
}

void sgf_sgd_free(sgf_sgd *run)
{
  sgf_sampler_free(&run->sampler);
  free(run->indices);
  free(run->samples);
  free(run->block);
  memset(run, 0, sizeof *run);
}

/* ----------------------------------------------------------------- gradient */

/* h_l = h_{l-1} V_l for `rows` samples from h_0 = input on, and the errors of the outputs: those of sample s times
 * factors_s. */
static void forward(sgf_sgd *run, const double *weights, const double *input, const size_t *indices, size_t from,
                    size_t rows, const double *factors)
{
  const sgf_engine *engine = run->engine;
  const sgf_chain *chain = &engine->chain;
  size_t L = chain->layers, columns = chain->columns[L], stride = chain->strides[L];
  const double *h = input;
  for (size_t l = 1; l <= L; l++) {
    double *next = run->hidden + engine->rows * chain->units[l];
    engine->kernels->multiply(rows, chain->columns[l], chain->widths[l - 1], h, chain->strides[l - 1], 1,
                              sgf_engine_layer(engine, weights, l), chain->strides[l], next, chain->strides[l],
                              false);
    h = next;
  }
  double *e = run->errors + engine->rows * chain->units[L];
  for (size_t s = 0; s < rows; s++) {
    const double *y = engine->Y + (indices != NULL ? indices[from + s] : from + s) * stride;
    engine->kernels->subtract_and_scale(columns, h + s * stride, y, factors[from + s], e + s * stride);
  }
}

/* e_{l-1} = e_l W_l down the layers, and the gradient of each trained one, h_{l-1}^T e_l. */
static void backward(sgf_sgd *run, const double *weights, const double *input, size_t rows, bool accumulate)
{
  const sgf_engine *engine = run->engine;
  const sgf_chain *chain = &engine->chain;
  for (size_t l = chain->layers; l >= 1; l--) {
    size_t stride = chain->strides[l], under = chain->strides[l - 1];
    const double *e = run->errors + engine->rows * chain->units[l];
    const double *h = l > 1 ? run->hidden + engine->rows * chain->units[l - 1] : input;
    if (l <= chain->trained)
      engine->kernels->multiply(chain->widths[l - 1], chain->columns[l], rows, h, 1, under, e, stride,
                                run->gradient + chain->offsets[l], stride, accumulate);
    if (l == 1) continue;
    if (l <= chain->trained) transpose_layer(run, weights, l);
    engine->kernels->multiply(rows, chain->columns[l - 1], chain->widths[l], e, stride, 1,
                              run->plain + chain->plain_offsets[l], under,
                              run->errors + engine->rows * chain->units[l - 1], under, false);
  }
}

/* The inputs of samples, one a row. */
static const double *gather(sgf_sgd *run, const size_t *indices, size_t rows)
{
  size_t stride = run->engine->chain.strides[0], columns = run->engine->chain.columns[0];
  for (size_t s = 0; s < rows; s++)
    memcpy(run->hidden + s * stride, run->engine->X + indices[s] * stride, columns * sizeof *run->hidden);
  return run->hidden;
}

/* One layer of one output: e_s and e_s x_s of each sample, without matrices. */
static void add_gradient_of_row(sgf_sgd *run, const double *weights, const size_t *indices, const double *factors,
                                bool accumulate)
{
  const sgf_engine *engine = run->engine;
  size_t batch = run->sampler.batch, stride = engine->chain.strides[0];
  for (size_t s = 0; s < batch; s++) {
    size_t sample = indices != NULL ? indices[s] : s;
    run->samples[s] = engine->X + sample * stride;
    run->targets[s] = engine->Y[sample];
  }
  engine->kernels->gradient_of_row(batch, engine->chain.columns[0], weights, run->samples, run->targets, factors,
                                   run->targets + batch, run->gradient, accumulate);
}

/* run->gradient = sum_s factors_s g_s(weights), or += to accumulate, over the samples of `indices`, or all with NULL.
 * Source: section 5. */
static void add_gradient(sgf_sgd *run, const double *weights, const size_t *indices, const double *factors,
                         bool accumulate)
{
  const sgf_engine *engine = run->engine;
  if (engine->chain.one_output) {
    add_gradient_of_row(run, weights, indices, factors, accumulate);
    return;
  }
  size_t batch = run->sampler.batch;
  for (size_t from = 0; from < batch; from += engine->rows) {
    size_t rows = batch - from < engine->rows ? batch - from : engine->rows;
    const double *input =
        indices != NULL ? gather(run, indices + from, rows) : engine->X + from * engine->chain.strides[0];
    forward(run, weights, input, indices, from, rows, factors);
    backward(run, weights, input, rows, accumulate || from > 0);
  }
}

/* The noise of the stochastic gradient flow without its covariance matrix: with xi_mu standard normal,
 *   sum_mu a (xi_mu - mean xi) g_mu,  a^2 = lambda kappa / (S P dt),
 * has the covariance a^2 (sum_mu g_mu g_mu^T - P g g^T) = (lambda kappa / (S dt)) C. So one pass over all samples with
 * weights 1 / P + a (xi_mu - mean xi) gives drift and noise, and a second one at theta* frozen noise. */
static void add_langevin_gradient(sgf_sgd *run)
{
  const sgf_engine *engine = run->engine;
  size_t P = run->sampler.batch;
  double mean = 0.0, *factors = run->factors;
  sgf_random random;
  if (engine->frozen_noise) {
    for (size_t s = 0; s < P; s++) factors[s] = 1.0 / (double)P;
    add_gradient(run, run->weights, NULL, factors, false);
  }
  sgf_random_at(&random, run->sampler.seed, run->sampler.replica, run->step);
  for (size_t s = 0; s < P; s++) mean += factors[s] = sgf_random_normal(&random);
  mean /= (double)P;
  double drift = engine->frozen_noise ? 0.0 : 1.0 / (double)P;
  for (size_t s = 0; s < P; s++) factors[s] = drift + engine->amplitude * (factors[s] - mean);
  add_gradient(run, engine->frozen_noise ? engine->start : run->weights, NULL, factors, engine->frozen_noise);
}

void sgf_sgd_advance(sgf_sgd *run, size_t steps, bool in_window)
{
  const sgf_engine *engine = run->engine;
  double momentum = engine->problem->settings.training.momentum;
  double decay = engine->problem->settings.training.weight_decay;
  for (size_t k = 0; k < steps; k++, run->step++) {
    if (engine->langevin) {
      add_langevin_gradient(run);
    } else {
      sgf_sampler_draw(&run->sampler, run->step, run->indices);
      add_gradient(run, run->weights, run->indices, run->factors, false);
    }
    double square = engine->kernels->step(engine->padded, engine->rate, momentum, decay, run->gradient, run->velocity,
                                          run->weights);
    if (in_window) run->gradient_square += square;
  }
}

/* ------------------------------------------------------------- what is asked */

void sgf_sgd_weights(const sgf_sgd *run, double *theta)
{
  const sgf_engine *engine = run->engine;
  const sgf_problem *problem = engine->problem;
  size_t end = engine->first + engine->count;
  if (engine->layer > 0) {
    memcpy(theta, problem->theta, engine->first * sizeof *theta);
    memcpy(theta + end, problem->theta + end, (problem->network.weights - end) * sizeof *theta);
  }
  sgf_engine_unpad(engine, run->weights, theta + engine->first);
}

void sgf_sgd_gradient(const sgf_sgd *run, double *gradient)
{
  memset(gradient, 0, run->engine->problem->network.weights * sizeof *gradient);
  sgf_engine_unpad(run->engine, run->gradient, gradient + run->engine->first);
}

double sgf_cost_of_step(const sgf_problem *problem)
{
  const double overhead = 300.0, index = 10.0, normal = 500.0;
  double n = (double)problem->network.weights, samples = (double)problem->settings.training.batch_size;
  if (problem->settings.simulation.dynamics != SGF_DYNAMICS_LANGEVIN) return overhead + samples * (3.0 * n + index);
  samples = (double)problem->data.samples;
  double passes = problem->settings.simulation.langevin_noise == SGF_LANGEVIN_FROZEN ? 2.0 : 1.0;
  return overhead + samples * (passes * 3.0 * n + normal);
}

double sgf_sgd_square_distance(const sgf_sgd *run)
{
  double sum = 0.0;
  for (size_t k = 0; k < run->engine->padded; k++) {
    double delta = run->weights[k] - run->engine->start[k];
    sum += delta * delta;
  }
  return sum;
}

/* --------------------------------------------------------------------- state */

/* A state, unpadded so that it is the same for all kernels: step, gradient_square, weights, velocity, order. */
static size_t state_reals(const sgf_engine *engine)
{
  return engine->count * (engine->problem->settings.training.momentum > 0.0 ? 2 : 1);
}

static size_t order_size(const sgf_engine *engine)
{
  bool ordered = !engine->langevin && engine->problem->settings.training.sampling != SGF_SAMPLING_REPLACEMENT;
  return ordered ? engine->problem->data.samples * sizeof(size_t) : 0;
}

size_t sgf_sgd_state_size(const sgf_engine *engine)
{
  return sizeof(uint64_t) + (1 + state_reals(engine)) * sizeof(double) + order_size(engine);
}

void sgf_sgd_save(const sgf_sgd *run, void *state)
{
  const sgf_engine *engine = run->engine;
  char *to = state;
  memcpy(to, &run->step, sizeof run->step);
  memcpy(to += sizeof run->step, &run->gradient_square, sizeof run->gradient_square);
  sgf_engine_unpad(engine, run->weights, to += sizeof run->gradient_square);
  to += engine->count * sizeof(double);
  if (run->velocity != NULL) {
    sgf_engine_unpad(engine, run->velocity, to);
    to += engine->count * sizeof(double);
  }
  if (order_size(engine) > 0) memcpy(to, run->sampler.order, order_size(engine));
}

/* Whether it has every sample once. */
static bool is_permutation(const size_t *order, size_t samples, bool *seen)
{
  for (size_t k = 0; k < samples; k++) {
    if (order[k] >= samples || seen[order[k]]) return false;
    seen[order[k]] = true;
  }
  return true;
}

bool sgf_sgd_load(sgf_sgd *run, const void *state, bool *seen)
{
  const sgf_engine *engine = run->engine;
  const char *from = state;
  memcpy(&run->step, from, sizeof run->step);
  memcpy(&run->gradient_square, from += sizeof run->step, sizeof run->gradient_square);
  sgf_engine_pad(engine, from += sizeof run->gradient_square, run->weights);
  from += engine->count * sizeof(double);
  if (run->velocity != NULL) {
    sgf_engine_pad(engine, from, run->velocity);
    from += engine->count * sizeof(double);
  }
  if (order_size(engine) == 0) return true;
  memcpy(run->sampler.order, from, order_size(engine));
  return is_permutation(run->sampler.order, run->sampler.samples, seen);
}
