/* Samples: generated or read, checked, and their second moments. */
#include "dataset.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../io/hdf5_file.h"
#include "linear_algebra.h"
#include "memory.h"
#include "random.h"

void sgf_dataset_free(sgf_dataset *dataset)
{
  free(dataset->X);
  free(dataset->Y);
  free(dataset->input_moment);
  free(dataset->cross_moment);
  memset(dataset, 0, sizeof *dataset);
}

sgf_status sgf_dataset_spectrum(const sgf_settings *settings, size_t inputs, double *spectrum, sgf_error *error)
{
  size_t given = settings->data.input_spectrum_count;
  double exponent = settings->data.input_power_law, sum = 0.0;
  if (given > 0 && !isnan(exponent))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "data.input_spectrum and data.input_power_law are both given: choose one");
  if (given > inputs)
    return sgf_fail(error, SGF_ERROR_VALUE, "data.input_spectrum has %zu entries for %zu inputs", given, inputs);
  for (size_t k = 0; k < given; k++)
    if (!(settings->data.input_spectrum[k] > 0.0) || isinf(settings->data.input_spectrum[k]))
      return sgf_fail(error, SGF_ERROR_VALUE, "data.input_spectrum[%zu] is %g: eigenvalues are positive and finite",
                      k, settings->data.input_spectrum[k]);
  for (size_t i = 0; i < inputs; i++) {
    spectrum[i] = given > 0 ? settings->data.input_spectrum[i % given] : 1.0;
    if (!isnan(exponent)) spectrum[i] = pow((double)(i + 1), -exponent);
    sum += spectrum[i];
  }
  if (!isnan(exponent))
    for (size_t i = 0; i < inputs; i++) spectrum[i] *= (double)inputs / sum;
  for (size_t i = 0; i < inputs; i++)
    if (!(spectrum[i] > 0.0) || isinf(spectrum[i]))
      return sgf_fail(error, SGF_ERROR_VALUE, "data.input_power_law is %g: eigenvalue %zu is %g", exponent, i + 1,
                      spectrum[i]);
  return SGF_OK;
}

static void fill_normal(sgf_random *random, size_t count, double deviation, double *values)
{
  for (size_t k = 0; k < count; k++) values[k] = deviation * sgf_random_normal(random);
}

/* Teacher map (outputs x inputs) with entries of variance 1/N_0, so that isotropic inputs give targets of
 * variance 1: dense, or a product of Gaussian factors of inner size teacher_rank. */
static sgf_status draw_teacher(const sgf_settings *settings, size_t inputs, size_t outputs, sgf_random *random,
                               double *teacher, sgf_error *error)
{
  size_t rank = settings->data.teacher_rank;
  double *left = NULL, *right = NULL, deviation = 1.0 / sqrt((double)inputs);
  sgf_status status = SGF_OK;
  if (settings->data.teacher == SGF_TEACHER_GAUSSIAN) fill_normal(random, outputs * inputs, deviation, teacher);
  if (settings->data.teacher != SGF_TEACHER_LOW_RANK) return SGF_OK;
  if (rank == 0 || rank > inputs || rank > outputs)
    return sgf_fail(error, SGF_ERROR_VALUE, "data.teacher_rank is %zu: 1 to %zu for %zu inputs and %zu outputs", rank,
                    inputs < outputs ? inputs : outputs, inputs, outputs);
  SGF_TRY(sgf_new_reals(&left, outputs, rank, "teacher", error));
  SGF_TRY(sgf_new_reals(&right, rank, inputs, "teacher", error));
  fill_normal(random, outputs * rank, 1.0 / sqrt((double)rank), left);
  fill_normal(random, rank * inputs, deviation, right);
  sgf_multiply(outputs, inputs, rank, SGF_PLAIN, left, SGF_PLAIN, right, teacher);
done:
  free(left);
  free(right);
  return status;
}

/* x = diag(spectrum)^{1/2} z, y = teacher x + s zeta. */
static sgf_status generate(const sgf_settings *settings, sgf_dataset *dataset, sgf_error *error)
{
  size_t inputs = dataset->inputs, outputs = dataset->outputs, samples = dataset->samples;
  double *spectrum = NULL, *teacher = NULL;
  sgf_random random;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&spectrum, inputs, 1, "input spectrum", error));
  SGF_TRY(sgf_new_reals(&teacher, outputs, inputs, "teacher", error));
  SGF_TRY(sgf_dataset_spectrum(settings, inputs, spectrum, error));
  sgf_random_at(&random, settings->seed, SGF_STREAM_DATA, 0);
  SGF_TRY(draw_teacher(settings, inputs, outputs, &random, teacher, error));
  fill_normal(&random, samples * inputs, 1.0, dataset->X);
  for (size_t k = 0; k < samples * inputs; k++) dataset->X[k] *= sqrt(spectrum[k % inputs]);
  sgf_multiply(samples, outputs, inputs, SGF_PLAIN, dataset->X, SGF_TRANSPOSED, teacher, dataset->Y);
  for (size_t k = 0; k < samples * outputs; k++)
    dataset->Y[k] += settings->data.label_noise * sgf_random_normal(&random);
done:
  free(spectrum);
  free(teacher);
  return status;
}

static sgf_status read_set(const sgf_hdf5_input *file, const char *name, const char *meaning, size_t columns,
                           size_t *rows, double **values, sgf_error *error)
{
  size_t shape[2];
  sgf_status status = sgf_hdf5_read(file, name, 2, shape, values, error);
  if (status != SGF_OK) return status;
  if (shape[1] != columns || shape[0] == 0)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: %s has shape (%zu, %zu): network.widths asks for (P, %zu), %s",
                    file->path, name, shape[0], shape[1], columns, meaning);
  *rows = shape[0];
  return SGF_OK;
}

static sgf_status read_file(const char *path, sgf_dataset *dataset, sgf_error *error)
{
  sgf_hdf5_input file;
  size_t targets = 0;
  sgf_status status = sgf_hdf5_open(path, &file, error);
  if (status != SGF_OK) return status;
  SGF_TRY(read_set(&file, "X", "one row a sample, one column an input", dataset->inputs, &dataset->samples,
                   &dataset->X, error));
  SGF_TRY(
      read_set(&file, "Y", "one row a sample, one column an output", dataset->outputs, &targets, &dataset->Y, error));
  if (targets != dataset->samples)
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: X has %zu samples (rows) and Y has %zu", path, dataset->samples,
                      targets);
done:
  sgf_hdf5_close(&file);
  return status;
}

static sgf_status check_finite(const char *origin, const char *name, size_t rows, size_t columns,
                               const double *values, sgf_error *error)
{
  for (size_t k = 0; k < rows * columns; k++)
    if (!isfinite(values[k]))
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: %s[%zu, %zu] is %g: data must be finite", origin, name,
                      k / columns, k % columns, values[k]);
  return SGF_OK;
}

/* Beyond these the powers of data that theory needs, eighth and more, over- or underflow. */
static const double LEAST_SQUARE = 1e-60, LARGEST_SQUARE = 1e60;

static sgf_status check_scale(const char *origin, const char *name, size_t count, const double *values,
                              sgf_error *error)
{
  double root = sgf_norm(count, values) / sqrt((double)count), square = root * root;
  if (root == 0.0 || (square >= LEAST_SQUARE && square <= LARGEST_SQUARE)) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_VALUE,
                  "%s: %s has the root mean square %g: its powers over- or underflow, scale it to between %g and %g",
                  origin, name, root, sqrt(LEAST_SQUARE), sqrt(LARGEST_SQUARE));
}

static sgf_status check_columns(const char *origin, const sgf_dataset *dataset, bool accept_constant,
                                sgf_error *error)
{
  for (size_t i = 0; i < dataset->inputs && dataset->samples > 1; i++) {
    size_t row = 1;
    double first = dataset->X[i];
    while (row < dataset->samples && dataset->X[row * dataset->inputs + i] == first) row++;
    if (row < dataset->samples || (accept_constant && first != 0.0)) continue;
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: column %zu of X is constant (%g in all %zu samples)%s", origin, i,
                    first, dataset->samples, first != 0.0 ? ": remove it, or use it as a bias with --force" : "");
  }
  return SGF_OK;
}

/* Checks, then the second moments. Messages begin with the origin, a path or "data". */
static sgf_status complete(const char *origin, sgf_dataset *dataset, bool accept_constant, sgf_error *error)
{
  size_t samples = dataset->samples, inputs = dataset->inputs, outputs = dataset->outputs;
  sgf_status status = SGF_OK;
  if (samples > INT_MAX)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: %zu samples, at most %d", origin, samples, INT_MAX);
  SGF_TRY(check_finite(origin, "X", samples, inputs, dataset->X, error));
  SGF_TRY(check_finite(origin, "Y", samples, outputs, dataset->Y, error));
  SGF_TRY(check_columns(origin, dataset, accept_constant, error));
  SGF_TRY(check_scale(origin, "X", samples * inputs, dataset->X, error));
  SGF_TRY(check_scale(origin, "Y", samples * outputs, dataset->Y, error));
  SGF_TRY(sgf_new_reals(&dataset->input_moment, inputs, inputs, "input moment", error));
  SGF_TRY(sgf_new_reals(&dataset->cross_moment, outputs, inputs, "cross moment", error));
  sgf_multiply(inputs, inputs, samples, SGF_TRANSPOSED, dataset->X, SGF_PLAIN, dataset->X, dataset->input_moment);
  sgf_multiply(outputs, inputs, samples, SGF_TRANSPOSED, dataset->Y, SGF_PLAIN, dataset->X, dataset->cross_moment);
  for (size_t k = 0; k < inputs * inputs; k++) dataset->input_moment[k] /= (double)samples;
  for (size_t k = 0; k < outputs * inputs; k++) dataset->cross_moment[k] /= (double)samples;
  sgf_symmetrize(inputs, dataset->input_moment);
  SGF_TRY(check_finite(origin, "the second moment of X", inputs, inputs, dataset->input_moment, error));
  SGF_TRY(check_finite(origin, "the second moment of Y and X", outputs, inputs, dataset->cross_moment, error));
done:
  return status;
}

static sgf_status allocate_samples(sgf_dataset *dataset, sgf_error *error)
{
  sgf_status status = sgf_new_reals(&dataset->X, dataset->samples, dataset->inputs, "data: X", error);
  return status != SGF_OK ? status : sgf_new_reals(&dataset->Y, dataset->samples, dataset->outputs, "data: Y", error);
}

sgf_status sgf_dataset_create(const sgf_settings *settings, const char *path, size_t inputs, size_t outputs,
                              bool accept_constant_columns, sgf_dataset *dataset, sgf_error *error)
{
  sgf_status status;
  memset(dataset, 0, sizeof *dataset);
  dataset->samples = settings->data.samples;
  dataset->inputs = inputs;
  dataset->outputs = outputs;
  if (settings->data.source == SGF_SOURCE_FILE) {
    SGF_TRY(read_file(path, dataset, error));
  } else {
    SGF_TRY(allocate_samples(dataset, error));
    SGF_TRY(generate(settings, dataset, error));
  }
  SGF_TRY(complete(path != NULL ? path : "data", dataset, accept_constant_columns, error));
  return SGF_OK;
done:
  sgf_dataset_free(dataset);
  return status;
}

sgf_status sgf_dataset_from_arrays(size_t samples, size_t inputs, size_t outputs, const double *X, const double *Y,
                                   sgf_dataset *dataset, sgf_error *error)
{
  sgf_status status;
  memset(dataset, 0, sizeof *dataset);
  dataset->samples = samples;
  dataset->inputs = inputs;
  dataset->outputs = outputs;
  SGF_TRY(allocate_samples(dataset, error));
  memcpy(dataset->X, X, samples * inputs * sizeof *X);
  memcpy(dataset->Y, Y, samples * outputs * sizeof *Y);
  SGF_TRY(complete("data", dataset, true, error));
  return SGF_OK;
done:
  sgf_dataset_free(dataset);
  return status;
}
