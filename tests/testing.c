/* What the test programs share. */
#include "testing.h"

#include "../theory/drift.h"

#include <gsl/gsl_errno.h>
#include <lapacke.h>
#include <unistd.h>

#include "../io/hdf5_file.h"

/* Threads of a BLAS do not survive Check's fork. */
extern void openblas_set_num_threads(int) __attribute__((weak));

double relative_difference(size_t count, const double *a, const double *b)
{
  double *difference = new_reals(count);
  for (size_t k = 0; k < count; k++) difference[k] = a[k] - b[k];
  double norm = sgf_norm(count, difference), scale = sgf_norm(count, b);
  free(difference);
  return scale > 0.0 ? norm / scale : norm;
}

double *new_reals(size_t count)
{
  double *values = calloc(count > 0 ? count : 1, sizeof *values);
  ck_assert_ptr_nonnull(values);
  return values;
}

void fill_normal(uint64_t seed, size_t count, double *values)
{
  sgf_random random;
  sgf_random_at(&random, seed, 12345, 0);
  for (size_t k = 0; k < count; k++) values[k] = sgf_random_normal(&random);
}

void settings_with_widths(sgf_settings *settings, size_t count, const size_t *widths)
{
  sgf_settings_init(settings);
  settings->network.widths = malloc(count * sizeof *widths);
  ck_assert_ptr_nonnull(settings->network.widths);
  memcpy(settings->network.widths, widths, count * sizeof *widths);
  settings->network.width_count = count;
}

sgf_problem *planted_problem(const sgf_settings *settings, const double *theta, size_t P, uint64_t seed)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  sgf_network network;
  double *M;
  ASSERT_OK(sgf_network_create(settings->network.widths, settings->network.width_count, &network, &error), error);
  size_t inputs = sgf_network_inputs(&network), outputs = sgf_network_outputs(&network);
  double *X = new_reals(P * inputs), *E = new_reals(P * outputs), *Y = new_reals(P * outputs);
  double *gram = new_reals(inputs * inputs), *slope = new_reals(inputs * outputs);
  fill_normal(seed, P * inputs, X);
  for (size_t k = 0; k < P * inputs; k++) X[k] *= 1.0 + 0.3 * (double)(k % inputs);
  fill_normal(seed + 1, P * outputs, E);
  for (int twice = 0; twice < 2; twice++) { /* E - X (X^T X)^-1 X^T E, and once more for the round-off */
    sgf_multiply(inputs, inputs, P, SGF_TRANSPOSED, X, SGF_PLAIN, X, gram);
    sgf_multiply(inputs, outputs, P, SGF_TRANSPOSED, X, SGF_PLAIN, E, slope);
    ck_assert_int_eq(
        LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', (int)inputs, (int)outputs, gram, (int)inputs, slope, (int)outputs), 0);
    sgf_multiply(P, outputs, inputs, SGF_PLAIN, X, SGF_PLAIN, slope, Y);
    for (size_t k = 0; k < P * outputs; k++) E[k] -= Y[k];
  }
  ASSERT_OK(sgf_layer_product(&network, theta, 1, network.layers, &M, &error), error);
  sgf_multiply(P, outputs, inputs, SGF_PLAIN, X, SGF_TRANSPOSED, M, Y);
  for (size_t k = 0; k < P * outputs; k++) Y[k] += E[k];
  ASSERT_OK(sgf_problem_from_arrays(settings, P, X, Y, theta, &problem, &error), error);
  free(X);
  free(E);
  free(Y);
  free(gram);
  free(slope);
  free(M);
  sgf_network_free(&network);
  return problem;
}

sgf_problem *sampled_problem(size_t count, const size_t *widths, size_t P, size_t batch, sgf_sampling sampling,
                             double weight_decay, double fastest)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, count, widths);
  settings.data.samples = P;
  settings.training.batch_size = batch;
  settings.training.sampling = sampling;
  settings.training.weight_decay = weight_decay;
  settings.training.learning_rate = 1e-3;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_prediction *prediction = predict(problem);
  problem->settings.training.learning_rate = fastest / sgf_prediction_get_info(prediction)->largest_curvature;
  sgf_prediction_free(prediction);
  sgf_settings_free(&settings);
  return problem;
}

double *sample_gradients(const sgf_problem *problem, const sgf_range *range)
{
  sgf_error error = {SGF_OK, ""};
  const sgf_dataset *data = &problem->data;
  const double *V = range->V + (range->n - range->rank) * range->n;
  double *rows = new_reals(data->samples * range->rank), *gradient = new_reals(range->n);
  for (size_t m = 0; m < data->samples; m++) {
    sgf_dataset one;
    ASSERT_OK(sgf_dataset_from_arrays(1, data->inputs, data->outputs, data->X + m * data->inputs,
                                      data->Y + m * data->outputs, &one, &error),
              error);
    ASSERT_OK(sgf_gradient(&problem->network, &one, problem->theta, problem->settings.training.weight_decay, gradient,
                           &error),
              error);
    sgf_multiply(range->rank, 1, range->n, SGF_PLAIN, V, SGF_PLAIN, gradient, rows + m * range->rank);
    sgf_dataset_free(&one);
  }
  free(gradient);
  return rows;
}

void make_dataset(size_t samples, size_t inputs, size_t outputs, uint64_t seed, sgf_dataset *data)
{
  sgf_error error = {SGF_OK, ""};
  double *X = new_reals(samples * inputs), *Y = new_reals(samples * outputs);
  fill_normal(seed, samples * inputs, X);
  fill_normal(seed + 1, samples * outputs, Y);
  ASSERT_OK(sgf_dataset_from_arrays(samples, inputs, outputs, X, Y, data, &error), error);
  free(X);
  free(Y);
}

const char *case_path(const char *file)
{
  static char path[1024];
  const char *source = getenv("srcdir");
  snprintf(path, sizeof path, "%s/tests/cases/%s", source != NULL ? source : ".", file);
  return path;
}

double *case_array(const char *file, const char *name, size_t rank, size_t *count)
{
  sgf_hdf5_input input;
  sgf_error error = {SGF_OK, ""};
  size_t shape[4] = {1, 1, 1, 1};
  double *values;
  ASSERT_OK(sgf_hdf5_open(case_path(file), &input, &error), error);
  ASSERT_OK(sgf_hdf5_read(&input, name, rank, shape, &values, &error), error);
  sgf_hdf5_close(&input);
  *count = 1;
  for (size_t k = 0; k < rank; k++) *count *= shape[k];
  return values;
}

double case_attribute(const char *file, const char *owner, const char *name)
{
  sgf_hdf5_input input;
  sgf_error error = {SGF_OK, ""};
  double value = NAN;
  ASSERT_OK(sgf_hdf5_open(case_path(file), &input, &error), error);
  hid_t attribute = H5Aopen_by_name(input.file, owner, name, H5P_DEFAULT, H5P_DEFAULT);
  ck_assert_msg(attribute >= 0, "%s has no attribute %s", file, name);
  ck_assert(H5Aread(attribute, H5T_NATIVE_DOUBLE, &value) >= 0);
  H5Aclose(attribute);
  sgf_hdf5_close(&input);
  return value;
}

void fill_orthogonal(uint64_t seed, size_t n, double *Q)
{
  double *tau = new_reals(n);
  int size = (int)n;
  fill_normal(seed, n * n, Q);
  ck_assert_int_eq(LAPACKE_dgeqrf(LAPACK_ROW_MAJOR, size, size, Q, size, tau), 0);
  ck_assert_int_eq(LAPACKE_dorgqr(LAPACK_ROW_MAJOR, size, size, size, Q, size, tau), 0);
  free(tau);
}

const char *scratch_path(const char *file)
{
  static char path[1024];
  snprintf(path, sizeof path, "scratch-%ld-%s", (long)getpid(), file);
  return path;
}

sgf_prediction *predict(const sgf_problem *problem)
{
  sgf_error error = {SGF_OK, ""};
  sgf_prediction *prediction;
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  return prediction;
}

sgf_ensemble *simulate(const sgf_problem *problem, const sgf_plan *plan, int threads)
{
  sgf_error error = {SGF_OK, ""};
  sgf_ensemble *ensemble;
  ASSERT_OK(sgf_simulate(problem, plan, threads, NULL, NULL, &ensemble, &error), error);
  return ensemble;
}

sgf_comparison *compare(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_ensemble *ensemble)
{
  sgf_error error = {SGF_OK, ""};
  sgf_comparison *comparison;
  ASSERT_OK(sgf_compare(problem, prediction, ensemble, &comparison, &error), error);
  return comparison;
}

const sgf_quantity *quantity_of(const sgf_comparison *comparison, const char *name)
{
  const sgf_quantity *found = sgf_find_quantity(comparison, name);
  ck_assert_msg(found != NULL, "no quantity %s", name);
  return found;
}

double *form_of(size_t count, size_t n, const double *D, const double *A)
{
  double *form = new_reals(count * count);
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_sandwich(count, n, SGF_PLAIN, D, A, form, "form", &error), error);
  return form;
}

int run_suite(Suite *suite)
{
  gsl_set_error_handler_off();
  if (openblas_set_num_threads != NULL) openblas_set_num_threads(1);
  SRunner *runner = srunner_create(suite);
  srunner_run_all(runner, CK_NORMAL);
  int failed = srunner_ntests_failed(runner);
  srunner_free(runner);
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
