/* Drift and diffusion at any theta, for networks of one to four layers: finite differences and oracles. */
#include "../theory/diffusion.h"
#include "../theory/drift.h"
#include "../theory/minimum.h"
#include "testing.h"

static const size_t NETWORKS[][5] = {{3, 2}, {3, 2, 4}, {4, 3, 2, 3}, {2, 3, 2, 3, 2}};
static const size_t DEPTHS[] = {2, 3, 4, 5};

typedef struct {
  sgf_network network;
  sgf_dataset data;
  double *theta;
  size_t n;
} setting;

static void set_up(size_t which, setting *at)
{
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_network_create(NETWORKS[which], DEPTHS[which], &at->network, &error), error);
  make_dataset(11, sgf_network_inputs(&at->network), sgf_network_outputs(&at->network), 40 + which, &at->data);
  at->n = at->network.weights;
  at->theta = new_reals(at->n);
  fill_normal(50 + which, at->n, at->theta);
}

static void tear_down(setting *at)
{
  sgf_network_free(&at->network);
  sgf_dataset_free(&at->data);
  free(at->theta);
}

/* Loss with weight decay, by the definition and without any matrix library. */
static double plain_loss(const setting *at, double decay, const double *theta, const sgf_dataset *data)
{
  double loss = 0.0, square = 0.0;
  for (size_t m = 0; m < data->samples; m++) {
    double h[8], next[8];
    memcpy(h, data->X + m * data->inputs, data->inputs * sizeof *h);
    for (size_t l = 1; l <= at->network.layers; l++) {
      size_t to = at->network.widths[l], from = at->network.widths[l - 1];
      for (size_t p = 0; p < to; p++) {
        next[p] = 0.0;
        for (size_t q = 0; q < from; q++) next[p] += theta[at->network.offsets[l] + p * from + q] * h[q];
      }
      memcpy(h, next, to * sizeof *h);
    }
    for (size_t a = 0; a < data->outputs; a++)
      loss += (data->Y[m * data->outputs + a] - h[a]) * (data->Y[m * data->outputs + a] - h[a]);
  }
  for (size_t k = 0; k < at->n; k++) square += theta[k] * theta[k];
  return loss / (2.0 * (double)data->samples) + 0.5 * decay * square;
}

static double shifted_loss(const setting *at, double decay, size_t i, double di, size_t j, double dj)
{
  double *theta = new_reals(at->n);
  memcpy(theta, at->theta, at->n * sizeof *theta);
  theta[i] += di;
  theta[j] += dj;
  double loss = plain_loss(at, decay, theta, &at->data);
  free(theta);
  return loss;
}

START_TEST(gradient_is_the_slope_of_the_loss)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  double step = 1e-5, decay = 0.3, loss;
  set_up((size_t)_i, &at);
  double *gradient = new_reals(at.n), *slopes = new_reals(at.n);
  ASSERT_OK(sgf_gradient(&at.network, &at.data, at.theta, decay, gradient, &error), error);
  for (size_t i = 0; i < at.n; i++)
    slopes[i] =
        (shifted_loss(&at, decay, i, step, i, 0.0) - shifted_loss(&at, decay, i, -step, i, 0.0)) / (2.0 * step);
  ASSERT_CLOSE(at.n, gradient, slopes, 1e-8);
  ASSERT_OK(sgf_loss(&at.network, &at.data, at.theta, &loss, &error), error);
  ASSERT_NEAR(loss, plain_loss(&at, 0.0, at.theta, &at.data), 1e-12);
  free(gradient);
  free(slopes);
  tear_down(&at);
}
END_TEST

/* At a random theta, where G is not zero: the terms between layers count. */
START_TEST(hessian_is_the_second_difference_of_the_loss)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  double d = 1e-4, decay = 0.3;
  set_up((size_t)_i, &at);
  double *H = new_reals(at.n * at.n), *differences = new_reals(at.n * at.n);
  ASSERT_OK(sgf_hessian(&at.network, &at.data, at.theta, decay, H, &error), error);
  for (size_t i = 0; i < at.n; i++)
    for (size_t j = 0; j < at.n; j++)
      differences[i * at.n + j] = (shifted_loss(&at, decay, i, d, j, d) - shifted_loss(&at, decay, i, d, j, -d) -
                                   shifted_loss(&at, decay, i, -d, j, d) + shifted_loss(&at, decay, i, -d, j, -d)) /
                                  (4.0 * d * d);
  ASSERT_CLOSE(at.n * at.n, H, differences, 1e-6);
  for (size_t i = 0; i < at.n; i++)
    for (size_t j = 0; j < i; j++) ck_assert(H[i * at.n + j] == H[j * at.n + i]);
  free(H);
  free(differences);
  tear_down(&at);
}
END_TEST

/* Per-sample gradients by differences of each sample's own loss, and their covariance by its definition. */
START_TEST(noise_is_the_covariance_of_sample_gradients)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  double step = 1e-5;
  set_up((size_t)_i, &at);
  size_t n = at.n, P = at.data.samples;
  double *C = new_reals(n * n), *expected = new_reals(n * n), *g = new_reals(P * n), *mean = new_reals(n);
  for (size_t m = 0; m < P; m++) {
    sgf_dataset one = at.data;
    one.samples = 1;
    one.X += m * one.inputs;
    one.Y += m * one.outputs;
    for (size_t i = 0; i < n; i++) {
      double *theta = new_reals(n);
      memcpy(theta, at.theta, n * sizeof *theta);
      theta[i] += step;
      double above = plain_loss(&at, 0.0, theta, &one);
      theta[i] -= 2.0 * step;
      g[m * n + i] = (above - plain_loss(&at, 0.0, theta, &one)) / (2.0 * step);
      mean[i] += g[m * n + i] / (double)P;
      free(theta);
    }
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      for (size_t m = 0; m < P; m++)
        expected[i * n + j] += (g[m * n + i] - mean[i]) * (g[m * n + j] - mean[j]) / (double)P;
  ASSERT_OK(sgf_noise_covariance(&at.network, &at.data, at.theta, SGF_NOISE_EMPIRICAL, C, &error), error);
  ASSERT_CLOSE(n * n, C, expected, 1e-7);
  free(C);
  free(expected);
  free(g);
  free(mean);
  tear_down(&at);
}
END_TEST

/* Jointly Gaussian x and y: the empirical noise tends to the population's, with an error ~ 1/sqrt(P). */
START_TEST(population_noise_is_the_limit_of_empirical_noise)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  set_up((size_t)_i, &at);
  size_t n = at.n;
  sgf_dataset many;
  make_dataset(400000, at.data.inputs, at.data.outputs, 77, &many);
  double *empirical = new_reals(n * n), *population = new_reals(n * n);
  ASSERT_OK(sgf_noise_covariance(&at.network, &many, at.theta, SGF_NOISE_EMPIRICAL, empirical, &error), error);
  ASSERT_OK(sgf_noise_covariance(&at.network, &many, at.theta, SGF_NOISE_POPULATION, population, &error), error);
  double difference = relative_difference(n * n, empirical, population);
  ck_assert_msg(difference < 0.02, "empirical noise differs by %g", difference); /* 10 / sqrt(P) */
  sgf_dataset_free(&many);
  free(empirical);
  free(population);
  tear_down(&at);
}
END_TEST

typedef struct {
  const char *file;
  size_t widths[5], count;
} oracle;

static const oracle ORACLES[] = {{"single_weak.h5", {10, 1}, 2},   {"single_strong.h5", {10, 1}, 2},
                                 {"single_outputs.h5", {6, 3}, 2}, {"single_epoch.h5", {8, 1}, 2},
                                 {"two_square.h5", {5, 5, 5}, 3},  {"two_bottleneck.h5", {6, 2, 5}, 3},
                                 {"two_wide.h5", {4, 9, 3}, 3},    {"deep_three.h5", {4, 5, 4, 3}, 4}};

START_TEST(operators_agree_with_the_oracles)
{
  const oracle *known = &ORACLES[_i];
  sgf_error error = {SGF_OK, ""};
  sgf_network network;
  sgf_dataset data;
  size_t x_count, y_count, count;
  ASSERT_OK(sgf_network_create(known->widths, known->count, &network, &error), error);
  double *X = case_array(known->file, "X", 2, &x_count), *Y = case_array(known->file, "Y", 2, &y_count);
  ASSERT_OK(sgf_dataset_from_arrays(x_count / known->widths[0], sgf_network_inputs(&network),
                                    sgf_network_outputs(&network), X, Y, &data, &error),
            error);
  size_t n = network.weights;
  double *theta = new_reals(n), *H = new_reals(n * n), *C = new_reals(n * n), relative;
  for (size_t l = 1; l <= network.layers; l++) {
    char name[8];
    snprintf(name, sizeof name, "W%zu", l);
    double *W = case_array(known->file, name, 2, &count);
    memcpy(theta + network.offsets[l], W, count * sizeof *W);
    free(W);
  }
  double *expected_H = case_array(known->file, "expected/theory/hessian", 2, &count);
  double *expected_C = case_array(known->file, "expected/theory/noise_covariance", 2, &count);
  ASSERT_OK(sgf_hessian(&network, &data, theta, 0.0, H, &error), error);
  ASSERT_OK(sgf_noise_covariance(&network, &data, theta, SGF_NOISE_EMPIRICAL, C, &error), error);
  ASSERT_CLOSE(n * n, H, expected_H, 1e-12);
  ASSERT_CLOSE(n * n, C, expected_C, 1e-12);
  ASSERT_OK(sgf_relative_gradient(&network, &data, 0.0, theta, &relative, &error), error);
  ck_assert(relative < 1e-10);
  sgf_network_free(&network);
  sgf_dataset_free(&data);
  free(X);
  free(Y);
  free(theta);
  free(H);
  free(C);
  free(expected_H);
  free(expected_C);
}
END_TEST

/* The ridge solution by conjugate conditions: zero gradient with decay, and a larger loss anywhere near. */
START_TEST(minimum_of_one_layer_has_no_gradient)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  sgf_minimum_certificate certificate;
  double decay = _i * 0.2, relative;
  set_up(0, &at);
  ASSERT_OK(sgf_minimum(&at.network, &at.data, decay, at.theta, &certificate, &error), error);
  ASSERT_OK(sgf_relative_gradient(&at.network, &at.data, decay, at.theta, &relative, &error), error);
  ck_assert_msg(relative < 1e-15, "relative gradient %g", relative);
  double least = plain_loss(&at, decay, at.theta, &at.data);
  for (size_t i = 0; i < at.n; i++) ck_assert(shifted_loss(&at, decay, i, 1e-3, i, 0.0) > least);
  tear_down(&at);
}
END_TEST

START_TEST(singular_inputs_are_refused_without_decay)
{
  size_t widths[] = {6, 1};
  sgf_network network;
  sgf_dataset data;
  sgf_error error = {SGF_OK, ""};
  sgf_minimum_certificate certificate;
  double theta[6];
  ASSERT_OK(sgf_network_create(widths, 2, &network, &error), error);
  make_dataset(5, 6, 1, 3, &data);
  ck_assert_int_eq(sgf_minimum(&network, &data, 0.0, theta, &certificate, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_nonnull(strstr(error.message, "rank 5 of 6"));
  ASSERT_OK(sgf_minimum(&network, &data, 0.1, theta, &certificate, &error), error);
  sgf_network_free(&network);
  sgf_dataset_free(&data);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("operators");
  TCase *tests = tcase_create("operators");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, gradient_is_the_slope_of_the_loss, 0, 4);
  tcase_add_loop_test(tests, hessian_is_the_second_difference_of_the_loss, 0, 4);
  tcase_add_loop_test(tests, noise_is_the_covariance_of_sample_gradients, 0, 4);
  tcase_add_loop_test(tests, population_noise_is_the_limit_of_empirical_noise, 0, 3);
  tcase_add_loop_test(tests, operators_agree_with_the_oracles, 0, (int)(sizeof ORACLES / sizeof *ORACLES));
  tcase_add_loop_test(tests, minimum_of_one_layer_has_no_gradient, 0, 2);
  tcase_add_test(tests, singular_inputs_are_refused_without_decay);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
