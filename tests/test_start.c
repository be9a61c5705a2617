/* network.start: balanced weights and noise balance at any depth, against the noise covariance, the closed form of two
 * layers, what is least at them, and isotropic data. */
#include "../theory/balance.h"
#include "../theory/diffusion.h"
#include "../theory/noise_balance.h"
#include "../theory/prediction.h"
#include "../theory/symmetry.h"
#include "testing.h"

typedef struct {
  const char *name;
  size_t widths[6], count, samples;
  sgf_noise noise;
} network_case;

static const network_case CASES[] = {
    {"square", {4, 4, 4}, 3, 40, SGF_NOISE_EMPIRICAL},
    {"bottleneck", {5, 2, 4}, 3, 40, SGF_NOISE_EMPIRICAL},
    {"wide", {2, 5, 3}, 3, 30, SGF_NOISE_POPULATION},
    {"one output", {4, 3, 1}, 3, 30, SGF_NOISE_EMPIRICAL},
    {"isotropic", {4, 3, 2}, 3, 30, SGF_NOISE_ISOTROPIC},
    {"deep", {3, 4, 3, 2}, 4, 30, SGF_NOISE_EMPIRICAL},
    {"deep, bottleneck", {4, 5, 2, 3}, 4, 40, SGF_NOISE_EMPIRICAL},
    {"deeper", {3, 2, 4, 3, 2}, 5, 30, SGF_NOISE_POPULATION},
};
enum { TWO_LAYERS = 5, COUNT = sizeof CASES / sizeof *CASES };

static sgf_problem *make(const network_case *from, sgf_start start)
{
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, from->count, from->widths);
  settings.data.samples = from->samples;
  settings.training.batch_size = 5;
  settings.theory.noise = from->noise;
  settings.network.start = start;
  settings.seed = 3;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_settings_free(&settings);
  return problem;
}

static double *map_of(const sgf_problem *problem)
{
  sgf_error error = {SGF_OK, ""};
  double *M;
  ASSERT_OK(sgf_layer_product(&problem->network, problem->theta, 1, problem->network.layers, &M, &error), error);
  return M;
}

/* The same map, so the same least loss; theta* is a minimum to round-off. */
static void assert_same_minimum(const sgf_problem *a, const sgf_problem *b)
{
  double *M_a = map_of(a), *M_b = map_of(b);
  ASSERT_CLOSE(a->data.inputs * a->data.outputs, M_a, M_b, 1e-12);
  ck_assert(fabs(a->certificate.loss - b->certificate.loss) <= 1e-13 * b->certificate.loss);
  ck_assert_msg(a->certificate.gradient_norm < 1e-13, "gradient %g", a->certificate.gradient_norm);
  ck_assert(a->certificate.global);
  free(M_a);
  free(M_b);
}

/* n_a . (theta - start) = 0 for every rotation: no turn of a hidden layer brings theta nearer to where it started. */
static void assert_turned_next_to(const sgf_problem *problem, const double *start)
{
  const sgf_network *network = &problem->network;
  size_t n = network->weights, count = sgf_symmetry_count(network);
  double *difference = new_reals(n), *nu = new_reals(count);
  sgf_error error = {SGF_OK, ""};
  sgf_mode *modes;
  ASSERT_OK(sgf_modes_create(count, &modes, &error), error);
  sgf_symmetries(network, modes);
  for (size_t k = 0; k < n; k++) difference[k] = problem->theta[k] - start[k];
  sgf_symmetry_project(network, problem->theta, count, modes, difference, nu);
  double square = sgf_dot(n, problem->theta, problem->theta);
  for (size_t m = 0; m < count; m++)
    ck_assert_msg(!modes[m].rotation || fabs(nu[m]) < 1e-6 * square, "rotation %zu: %g", m, nu[m]);
  free(modes);
  free(difference);
  free(nu);
}

START_TEST(balanced_weights_are_balanced)
{
  sgf_problem *descent = make(&CASES[_i], SGF_START_DESCENT), *problem = make(&CASES[_i], SGF_START_BALANCED);
  const sgf_network *network = &problem->network;
  size_t n = network->weights;
  double square = sgf_dot(n, problem->theta, problem->theta), B[25], far = 0.0;
  for (size_t l = 1; l < network->layers; l++) {
    size_t size = network->widths[l] * network->widths[l];
    sgf_balance(network, problem->theta, l, B);
    ck_assert_msg(sgf_norm(size, B) < 1e-14 * square, "balance %g", sgf_norm(size, B));
    sgf_balance(network, descent->theta, l, B);
    far = fmax(far, sgf_norm(size, B));
  }
  ck_assert(far > 0.01 * square); /* where the descent ends it is not */
  assert_same_minimum(problem, descent);
  assert_turned_next_to(problem, descent->theta);
  sgf_problem_free(problem);
  sgf_problem_free(descent);
}
END_TEST

/* |F| over its two terms, from the noise covariance C itself; its trace. */
static double imbalance(const sgf_problem *problem, const double *theta, double *trace)
{
  const sgf_network *network = &problem->network;
  size_t n = network->weights;
  double *C = new_reals(n * n), drift[25], gross, worst = 0.0;
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_noise_covariance(network, &problem->data, theta, problem->settings.theory.noise, C, &error), error);
  *trace = sgf_trace(n, C);
  for (size_t l = 1; l < network->layers; l++) {
    sgf_balance_drift(network, C, 1.0, l, drift, &gross);
    worst = fmax(worst, sgf_norm(network->widths[l] * network->widths[l], drift) / gross);
  }
  free(C);
  return worst;
}

/* moved (n) = exp(t N_a) theta, the weights that the generator makes of theta, to the order t^4. */
static void along(const sgf_network *network, const sgf_mode *mode, double t, const double *theta, double *moved)
{
  size_t n = network->weights;
  double *term = new_reals(n), *next = new_reals(n);
  memcpy(moved, theta, n * sizeof *moved);
  memcpy(term, theta, n * sizeof *term);
  for (int order = 1; order <= 4; order++) {
    sgf_symmetry_apply(network, mode, term, next);
    for (size_t k = 0; k < n; k++) moved[k] += term[k] = next[k] * t / order;
  }
  free(term);
  free(next);
}

/* No drift of the balance, and no other weights of the map have less noise: along exp(t n_a) tr C grows as t^2. */
START_TEST(noise_balance_has_no_drift_and_least_noise)
{
  sgf_problem *descent = make(&CASES[_i], SGF_START_DESCENT), *problem = make(&CASES[_i], SGF_START_NOISE_BALANCED);
  const sgf_network *network = &problem->network;
  size_t n = network->weights, count = sgf_symmetry_count(network);
  double *moved = new_reals(n), least, trace;
  sgf_error error = {SGF_OK, ""};
  sgf_mode *modes;
  ck_assert(imbalance(descent, descent->theta, &trace) > 0.01);
  double left = imbalance(problem, problem->theta, &least);
  ck_assert_msg(left < 1e-12, "imbalance %g", left);
  ck_assert(least < trace);
  assert_same_minimum(problem, descent);
  assert_turned_next_to(problem, descent->theta);
  ASSERT_OK(sgf_modes_create(count, &modes, &error), error);
  sgf_symmetries(network, modes);
  for (size_t m = 0; m < count; m++) {
    if (modes[m].rotation) continue;
    double change[2];
    for (int side = 0; side < 2; side++) {
      along(network, &modes[m], side == 0 ? 1e-3 : -1e-3, problem->theta, moved);
      imbalance(problem, moved, &trace);
      change[side] = trace / least - 1.0;
    }
    ck_assert_msg(change[0] > -1e-12 && change[1] > -1e-12, "tr C: %g, %g", change[0], change[1]);
    ck_assert(fabs(change[0] - change[1]) <= 0.02 * (change[0] + change[1]) + 1e-12);
  }
  free(modes);
  free(moved);
  sgf_problem_free(problem);
  sgf_problem_free(descent);
}
END_TEST

/* Two layers: the closed form, up to the rotation that both choose alike; predict finds the balance where it is. */
START_TEST(two_layers_are_the_closed_form)
{
  sgf_problem *descent = make(&CASES[_i], SGF_START_DESCENT), *problem = make(&CASES[_i], SGF_START_NOISE_BALANCED);
  size_t n = problem->network.weights;
  double *theta = new_reals(n);
  sgf_error error = {SGF_OK, ""};
  sgf_noise_balance *balance;
  sgf_balanced_state state;
  ASSERT_OK(sgf_noise_balance_create(descent, 0.01, &balance, &error), error);
  ASSERT_OK(sgf_balanced_weights(balance, theta, &state, &error), error);
  ASSERT_CLOSE(n, problem->theta, theta, 1e-10);
  sgf_prediction *prediction = predict(problem);
  const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
  ck_assert(info->noise_balance.imbalance < 1e-12);
  ck_assert(info->noise_balance.distance < 1e-10);
  ASSERT_NEAR(info->min_loss, descent->certificate.loss, 1e-12);
  sgf_prediction_free(prediction);
  sgf_noise_balance_free(balance);
  free(theta);
  sgf_problem_free(problem);
  sgf_problem_free(descent);
}
END_TEST

static int ascending(const void *a, const void *b)
{
  double first = *(const double *)a, second = *(const double *)b;
  return (first > second) - (first < second);
}

/* C = s^2 H and Sigma_xx = 1: singular values of the layers a_k^2 = m_k (N_0/N_2)^{1/2}, b_k^2 = m_k (N_2/N_0)^{1/2}, m_k
 * those of M; balanced a_k^2 = b_k^2 = m_k. So layer 2 has the variances T N_0 m_k / (N_0 m_k + N_2 m_i) or T m_k / (m_k +
 * m_i). Beyond the rank of M m is 0. */
static void assert_isotropic(sgf_start start, size_t inputs, size_t hidden, size_t outputs)
{
  enum { P = 24 };
  const size_t widths[] = {inputs, hidden, outputs};
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  double Q[P * P], X[P * P], Y[P * P], M[P * P], m[P], U[P * P], Vt[P * P], expected[P * P];
  settings_with_widths(&settings, 3, widths);
  settings.training.batch_size = 2;
  settings.training.learning_rate = 0.01;
  settings.theory.noise = SGF_NOISE_ISOTROPIC;
  settings.theory.equation = SGF_EQUATION_CONTINUUM;
  settings.network.start = start;
  fill_orthogonal(11, P, Q);
  fill_normal(12, outputs * inputs, M);
  for (size_t k = 0; k < P * inputs; k++) X[k] = sqrt(P) * Q[(k % inputs) * P + k / inputs];
  sgf_multiply(P, outputs, inputs, SGF_PLAIN, X, SGF_TRANSPOSED, M, Y);
  for (size_t k = 0; k < P * outputs; k++) Y[k] += 0.5 * sqrt(P) * Q[(inputs + k % outputs) * P + k / outputs];
  ASSERT_OK(sgf_problem_from_arrays(&settings, P, X, Y, NULL, &problem, &error), error);
  ASSERT_OK(sgf_thin_svd(outputs, inputs, M, U, m, Vt, "M", &error), error);
  sgf_prediction *prediction = predict(problem);
  size_t rank = inputs < outputs ? inputs : outputs, rows, columns, count = outputs * hidden;
  const double *variance = sgf_prediction_array(prediction, "layer2/variance", &rows, &columns);
  double T = sgf_prediction_get_info(prediction)->temperature, ratio = 1.0, worst = 0.0;
  if (start == SGF_START_NOISE_BALANCED) ratio = (double)inputs / (double)outputs;
  for (size_t i = 0; i < outputs; i++)
    for (size_t k = 0; k < hidden; k++) {
      double m_k = k < rank ? m[k] : 0.0, m_i = i < rank ? m[i] : 0.0;
      expected[i * hidden + k] = m_k > 0.0 ? T * ratio * m_k / (ratio * m_k + m_i) : 0.0;
    }
  ck_assert(rows == count);
  double *sorted = new_reals(count);
  memcpy(sorted, variance, count * sizeof *sorted);
  qsort(sorted, count, sizeof *sorted, ascending);
  qsort(expected, count, sizeof *expected, ascending);
  for (size_t k = 0; k < count; k++) worst = fmax(worst, fabs(sorted[k] - expected[k]));
  free(sorted);
  ck_assert_msg(worst < 1e-10 * T, "%g of T", worst / T);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}

START_TEST(isotropic_data_have_closed_forms)
{
  static const size_t shapes[][3] = {{4, 4, 4}, {6, 3, 3}, {3, 5, 5}, {4, 6, 2}};
  for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++) {
    assert_isotropic(SGF_START_NOISE_BALANCED, shapes[k][0], shapes[k][1], shapes[k][2]);
    assert_isotropic(SGF_START_BALANCED, shapes[k][0], shapes[k][1], shapes[k][2]);
  }
}
END_TEST

/* No noise, no noise balance; balanced weights there are. */
START_TEST(without_noise_there_is_no_noise_balance)
{
  const size_t widths[] = {3, 3, 2};
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, 3, widths);
  settings.data.samples = 30;
  settings.data.label_noise = 0.0;
  settings.network.start = SGF_START_NOISE_BALANCED;
  ck_assert_int_eq(sgf_problem_create(&settings, NULL, false, &problem, &error), SGF_ERROR_VALUE);
  ck_assert(strstr(error.message, "there is no noise") != NULL);
  ck_assert_ptr_null(problem);
  settings.network.start = SGF_START_BALANCED;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("start");
  TCase *tests = tcase_create("start");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, balanced_weights_are_balanced, 0, COUNT);
  tcase_add_loop_test(tests, noise_balance_has_no_drift_and_least_noise, 0, COUNT);
  tcase_add_loop_test(tests, two_layers_are_the_closed_form, 0, TWO_LAYERS);
  tcase_add_test(tests, isotropic_data_have_closed_forms);
  tcase_add_test(tests, without_noise_there_is_no_noise_balance);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
