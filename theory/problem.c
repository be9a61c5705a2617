/* The problem: data, network at its minimum, training. */
#include "problem.h"
#include "time_step.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../io/hdf5_file.h"
#include "balanced_start.h"
#include "memory.h"
#include "minimum.h"
#include "random.h"

/* With relax: false, a larger relative gradient means that the weights are not at a stationary point. */
static const double STATIONARY = 1e-8;

static sgf_status copy_settings(const sgf_settings *from, sgf_settings *to, sgf_error *error)
{
  void *spectrum, *widths;
  sgf_status status;
  *to = *from;
  to->data.input_spectrum = NULL;
  to->data.file = NULL;
  to->network.widths = NULL;
  to->network.weights = NULL;
  SGF_TRY(sgf_allocate(&spectrum, from->data.input_spectrum_count, 1, sizeof(double), "settings", error));
  to->data.input_spectrum = spectrum;
  SGF_TRY(sgf_allocate(&widths, from->network.width_count, 1, sizeof(size_t), "settings", error));
  to->network.widths = widths;
  if (from->data.input_spectrum_count > 0)
    memcpy(spectrum, from->data.input_spectrum, from->data.input_spectrum_count * sizeof(double));
  if (from->network.width_count > 0) memcpy(widths, from->network.widths, from->network.width_count * sizeof(size_t));
  SGF_TRY(sgf_copy_text(&to->data.file, from->data.file, error));
  SGF_TRY(sgf_copy_text(&to->network.weights, from->network.weights, error));
done:
  return status;
}

static sgf_status join_path(const char *folder, const char *name, char **path, sgf_error *error)
{
  if (folder == NULL || name[0] == '/') return sgf_copy_text(path, name, error);
  void *joined;
  size_t length = strlen(folder) + strlen(name) + 2;
  sgf_status status = sgf_allocate(&joined, length, 1, 1, "path", error);
  *path = joined;
  if (status == SGF_OK) snprintf(*path, length, "%s/%s", folder, name);
  return status;
}

static sgf_status read_weights(const sgf_problem *problem, const char *folder, double *theta, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  sgf_hdf5_input file = {0};
  double *W = NULL;
  char *path = NULL, name[32];
  size_t shape[2];
  sgf_status status;
  SGF_TRY(join_path(folder, problem->settings.network.weights, &path, error));
  SGF_TRY(sgf_hdf5_open(path, &file, error));
  for (size_t l = 1; l <= network->layers; l++) {
    snprintf(name, sizeof name, "W%zu", l);
    SGF_TRY(sgf_hdf5_read(&file, name, 2, shape, &W, error));
    if (shape[0] != network->widths[l] || shape[1] != network->widths[l - 1]) {
      status = sgf_fail(error, SGF_ERROR_VALUE, "%s: %s has shape (%zu, %zu), network.widths asks for (%zu, %zu)",
                        path, name, shape[0], shape[1], network->widths[l], network->widths[l - 1]);
      goto done;
    }
    memcpy(theta + network->offsets[l], W, sgf_layer_size(network, l) * sizeof *W);
    free(W);
    W = NULL;
  }
  for (size_t k = 0; k < network->weights; k++)
    if (!isfinite(theta[k])) {
      status = sgf_fail(error, SGF_ERROR_VALUE, "%s: weight %zu of theta is %g", path, k, theta[k]);
      goto done;
    }
done:
  sgf_hdf5_close(&file);
  free(W);
  free(path);
  return status;
}

/* N(0, init_scale^2 / fan-in). */
static void draw_weights(const sgf_problem *problem, double *theta)
{
  const sgf_network *network = &problem->network;
  sgf_random random;
  sgf_random_at(&random, problem->settings.seed, SGF_STREAM_WEIGHTS, 0);
  for (size_t l = 1; l <= network->layers; l++)
    for (size_t k = network->offsets[l]; k < network->offsets[l + 1]; k++)
      theta[k] =
          problem->settings.network.init_scale / sqrt((double)network->widths[l - 1]) * sgf_random_normal(&random);
}

static sgf_status check_batches(const sgf_problem *problem, sgf_error *error)
{
  size_t samples = problem->data.samples, batch = problem->settings.training.batch_size;
  if (batch > samples)
    return sgf_fail(error, SGF_ERROR_VALUE, "training.batch_size is %zu, larger than the %zu samples", batch,
                    samples);
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH && samples % batch != 0)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "training.batch_size is %zu: with sampling epoch it must divide the %zu samples", batch, samples);
  return SGF_OK;
}

/* theta is where the weights start; it ends at the minimum. */
static sgf_status go_to_minimum(sgf_problem *problem, sgf_error *error)
{
  sgf_minimum_certificate *certificate = &problem->certificate;
  double decay = problem->settings.training.weight_decay;
  sgf_status status;
  if (problem->settings.network.relax)
    return sgf_minimum(&problem->network, &problem->data, decay, problem->theta, certificate, error);
  SGF_TRY(sgf_certify(&problem->network, &problem->data, decay, problem->theta, certificate, error));
  if (!(certificate->gradient_norm <= STATIONARY))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "network.relax is false and the gradient at the given weights is not zero (relative norm %g): "
                    "they are not at a minimum",
                    certificate->gradient_norm);
  SGF_TRY(sgf_refuse_saddle(certificate, error));
done:
  return status;
}

static double machine_memory(void) { return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE); }

static const double GIB = 1073741824.0;

/* LAPACK's integers have 32 bits, and the data are held twice while they are read. */
static sgf_status check_size(const sgf_problem *problem, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  double memory = machine_memory(), P = (double)problem->settings.data.samples, n = (double)network->weights;
  double needed =
      (8.0 * n + P * (double)(sgf_network_inputs(network) + sgf_network_outputs(network))) * sizeof(double);
  if (problem->settings.data.samples > INT_MAX)
    return sgf_fail(error, SGF_ERROR_VALUE, "data.samples is %zu: at most %d", problem->settings.data.samples,
                    INT_MAX);
  if (memory > 0.0 && needed > memory)
    return sgf_fail(
        error, SGF_ERROR_VALUE,
        "network.widths give n = %zu weights, with %zu samples: about %.3g GiB are needed, the machine has %.3g",
        network->weights, problem->settings.data.samples, needed / GIB, memory / GIB);
  return SGF_OK;
}

/* The dense operators index n x n matrices with LAPACK's 32-bit integers, and hold about a score of them. */
sgf_status sgf_check_dense(const sgf_network *network, sgf_error *error)
{
  double memory = machine_memory(), n = (double)network->weights, needed = 20.0 * n * n * sizeof(double);
  if (network->weights > SGF_MOST_DENSE_WEIGHTS)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "network.widths give n = %zu weights: the dense n x n operators hold at most %d",
                    network->weights, SGF_MOST_DENSE_WEIGHTS);
  if (memory > 0.0 && needed > memory)
    return sgf_fail(
        error, SGF_ERROR_VALUE,
        "network.widths give n = %zu weights: about %.3g GiB are needed for n x n matrices, the machine has "
        "%.3g",
        network->weights, needed / GIB, memory / GIB);
  return SGF_OK;
}

static sgf_status begin(const sgf_settings *settings, sgf_problem **problem, sgf_error *error)
{
  void *block;
  sgf_status status;
  *problem = NULL;
  SGF_TRY(sgf_allocate(&block, 1, 1, sizeof **problem, "problem", error));
  *problem = block;
  SGF_TRY(copy_settings(settings, &(*problem)->settings, error));
  SGF_TRY(sgf_network_create(settings->network.widths, settings->network.width_count, &(*problem)->network, error));
  SGF_TRY(sgf_settings_check(settings, error));
  SGF_TRY(check_size(*problem, error));
done:
  return status;
}

static sgf_status finish(sgf_problem *problem, sgf_error *error)
{
  sgf_status status = check_batches(problem, error);
  size_t asked = problem->settings.data.samples;
  if (status != SGF_OK) return status;
  if (asked != 0 && asked != problem->data.samples)
    return sgf_fail(error, SGF_ERROR_VALUE, "data.samples is %zu, the data have %zu", asked, problem->data.samples);
  problem->settings.data.samples = problem->data.samples;
  status = go_to_minimum(problem, error);
  if (status == SGF_OK && problem->settings.network.start != SGF_START_DESCENT)
    status = sgf_go_to_balance(problem, error);
  return status == SGF_OK ? sgf_choose_time_step(problem, error) : status;
}

sgf_status sgf_problem_create(const sgf_settings *settings, const char *folder, bool accept_constant_columns,
                              sgf_problem **problem, sgf_error *error)
{
  char *path = NULL;
  sgf_status status = begin(settings, problem, error);
  if (status != SGF_OK) goto done;
  sgf_problem *made = *problem;
  if (settings->data.source == SGF_SOURCE_FILE)
    SGF_TRY(join_path(folder, settings->data.file, &path, error));
  else if (made->settings.data.samples == 0)
    made->settings.data.samples = 400;
  if (made->settings.data.teacher_rank == 0 && settings->data.teacher == SGF_TEACHER_LOW_RANK)
    made->settings.data.teacher_rank = 1;
  SGF_TRY(sgf_dataset_create(&made->settings, path, sgf_network_inputs(&made->network),
                             sgf_network_outputs(&made->network), accept_constant_columns, &made->data, error));
  SGF_TRY(sgf_new_reals(&made->theta, made->network.weights, 1, "weights", error));
  if (settings->network.weights != NULL)
    SGF_TRY(read_weights(made, folder, made->theta, error));
  else
    draw_weights(made, made->theta);
  SGF_TRY(finish(made, error));
done:
  free(path);
  if (status != SGF_OK) {
    sgf_problem_free(*problem);
    *problem = NULL;
  }
  return status;
}

sgf_status sgf_problem_from_arrays(const sgf_settings *settings, size_t samples, const double *X, const double *Y,
                                   const double *theta, sgf_problem **problem, sgf_error *error)
{
  sgf_status status = begin(settings, problem, error);
  if (status != SGF_OK) goto done;
  sgf_problem *made = *problem;
  SGF_TRY(sgf_dataset_from_arrays(samples, sgf_network_inputs(&made->network), sgf_network_outputs(&made->network), X,
                                  Y, &made->data, error));
  SGF_TRY(sgf_new_reals(&made->theta, made->network.weights, 1, "weights", error));
  if (theta != NULL)
    memcpy(made->theta, theta, made->network.weights * sizeof *theta);
  else if (settings->network.weights != NULL)
    SGF_TRY(read_weights(made, NULL, made->theta, error));
  else
    draw_weights(made, made->theta);
  SGF_TRY(finish(made, error));
done:
  if (status != SGF_OK) {
    sgf_problem_free(*problem);
    *problem = NULL;
  }
  return status;
}

void sgf_problem_free(sgf_problem *problem)
{
  if (problem == NULL) return;
  sgf_settings_free(&problem->settings);
  sgf_network_free(&problem->network);
  sgf_dataset_free(&problem->data);
  free(problem->theta);
  free(problem);
}

const sgf_settings *sgf_problem_settings(const sgf_problem *problem) { return &problem->settings; }
size_t sgf_problem_samples(const sgf_problem *problem) { return problem->data.samples; }
size_t sgf_problem_weights(const sgf_problem *problem) { return problem->network.weights; }
const double *sgf_problem_minimum(const sgf_problem *problem) { return problem->theta; }
