/* The slow motion along the minima and noise balance: against the general drift of the balance, the lift of the
 * symmetry, closed forms of isotropic data, and SGD over lifetimes. */
#include "../theory/balance.h"
#include "../theory/balance_path.h"
#include "../theory/closed_form.h"
#include "../theory/diffusion.h"
#include "../theory/drift.h"
#include "../theory/noise_balance.h"
#include "../theory/prediction.h"
#include "../theory/slow_path.h"
#include "../theory/symmetry.h"
#include "../verify/compare.h"
#include "../verify/ensemble.h"
#include "testing.h"

typedef struct {
  const char *name;
  size_t widths[5], count, samples;
  sgf_noise noise;
  double late; /* two layers: when the slowest rate is all that is left, in units of its time */
} network_case;

static const network_case CASES[] = {
    {"square", {4, 4, 4}, 3, 40, SGF_NOISE_EMPIRICAL, 9.0},
    {"narrow", {5, 2, 4}, 3, 40, SGF_NOISE_EMPIRICAL, 9.0},
    {"fewer outputs", {3, 3, 2}, 3, 30, SGF_NOISE_EMPIRICAL, 9.0},
    {"fewer inputs", {2, 3, 4}, 3, 30, SGF_NOISE_EMPIRICAL, 9.0},
    {"wide", {2, 4, 3}, 3, 30, SGF_NOISE_POPULATION, 9.0},
    {"wide, square", {2, 3, 2}, 3, 30, SGF_NOISE_EMPIRICAL, 15.0},
    {"isotropic", {3, 3, 2}, 3, 30, SGF_NOISE_ISOTROPIC, 9.0},
    {"deep", {3, 2, 3, 2}, 4, 30, SGF_NOISE_EMPIRICAL, NAN},
    {"deeper, population", {2, 3, 2, 2, 3}, 5, 30, SGF_NOISE_POPULATION, NAN},
};
/* The first NARROW_TO_WIDE have no more hidden units than the map has rank, or few. */
enum { TWO_LAYERS = 7, NARROW_TO_WIDE = 3, COUNT = sizeof CASES / sizeof *CASES };
enum { MOST_STEPS = 100000 };
static const double SCALE = 0.004;

static sgf_problem *make(const network_case *from)
{
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, from->count, from->widths);
  settings.data.samples = from->samples;
  settings.training.batch_size = 5;
  settings.theory.noise = from->noise;
  settings.seed = 3;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_settings_free(&settings);
  return problem;
}

static sgf_noise_balance *open_balance(const sgf_problem *problem, double scale)
{
  sgf_noise_balance *balance;
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_noise_balance_create(problem, scale, &balance, &error), error);
  return balance;
}

/* W_1^T W_1 and W_2 W_2^T, which no rotation of the hidden layer changes, one after the other. */
static double *invariants(const sgf_network *network, const double *theta)
{
  size_t a = network->widths[0], N = network->widths[1], b = network->widths[2];
  double *both = new_reals(a * a + b * b);
  sgf_multiply(a, a, N, SGF_TRANSPOSED, theta + network->offsets[1], SGF_PLAIN, theta + network->offsets[1], both);
  sgf_multiply(b, b, N, SGF_PLAIN, theta + network->offsets[2], SGF_TRANSPOSED, theta + network->offsets[2],
               both + a * a);
  return both;
}

static size_t invariant_size(const sgf_network *network)
{
  return network->widths[0] * network->widths[0] + network->widths[2] * network->widths[2];
}

static void assert_same_map(const sgf_network *network, const double *a, const double *b, double bound)
{
  sgf_error error = {SGF_OK, ""};
  double *M_a, *M_b;
  ASSERT_OK(sgf_layer_product(network, a, 1, network->layers, &M_a, &error), error);
  ASSERT_OK(sgf_layer_product(network, b, 1, network->layers, &M_b, &error), error);
  ASSERT_CLOSE(network->widths[0] * network->widths[network->layers], M_a, M_b, bound);
  free(M_a);
  free(M_b);
}

/* The drift is that of the noise covariance, at theta* and where the motion has come to. */
START_TEST(drift_is_that_of_the_noise)
{
  sgf_problem *problem = make(&CASES[_i]);
  const sgf_network *network = &problem->network;
  sgf_noise_balance *balance = open_balance(problem, SCALE);
  sgf_error error = {SGF_OK, ""};
  size_t n = network->weights, count = sgf_symmetry_count(network);
  double *theta = new_reals(n), *C = new_reals(n * n), *drift = new_reals(count), *expected = new_reals(count);
  for (int moved = 0; moved < 2; moved++) {
    double imbalance, one, gross = 0.0;
    ASSERT_OK(sgf_noise_balance_advance(balance, 40.0 * moved, MOST_STEPS, theta, &error), error);
    if (!moved) ASSERT_CLOSE(n, theta, problem->theta, 1e-15);
    ASSERT_OK(sgf_noise_balance_drift(balance, theta, drift, &imbalance, &error), error);
    ASSERT_OK(sgf_noise_covariance(network, &problem->data, theta, CASES[_i].noise, C, &error), error);
    for (size_t l = 1, at = 0; l < network->layers; l++) {
      sgf_balance_drift(network, C, SCALE, l, expected + at, &one);
      gross = hypot(gross, one);
      at += network->widths[l] * network->widths[l];
    }
    ASSERT_CLOSE(count, drift, expected, 1e-9);
    ASSERT_NEAR(imbalance, sgf_norm(count, expected) / gross, 1e-9);
  }
  free(theta);
  free(C);
  free(drift);
  free(expected);
  sgf_noise_balance_free(balance);
  sgf_problem_free(problem);
}
END_TEST

/* nu (count) that the drift makes: of a scaling that of the balance, of a rotation none. */
static void modes_of_drift(const sgf_network *network, size_t count, const sgf_mode *modes, const double *drift,
                           double *nu)
{
  for (size_t m = 0, at = 0; m < count; m++) {
    size_t N = network->widths[modes[m].hidden];
    if (m > 0 && modes[m].hidden != modes[m - 1].hidden)
      at += network->widths[modes[m].hidden - 1] * network->widths[modes[m].hidden - 1];
    nu[m] = modes[m].rotation ? 0.0 : drift[at + modes[m].i * N + modes[m].j];
    if (modes[m].i == modes[m].j) nu[m] *= 0.5;
  }
}

/* The velocity changes the balances by the drift, has no component along a rotation, none that the lift does not have,
 * and costs nothing: H v = 0. */
START_TEST(velocity_is_the_lift)
{
  sgf_problem *problem = make(&CASES[_i]);
  const sgf_network *network = &problem->network;
  sgf_noise_balance *balance = open_balance(problem, SCALE);
  sgf_error error = {SGF_OK, ""};
  size_t n = network->weights, count = sgf_symmetry_count(network), rank;
  double *v = new_reals(n), *expected = new_reals(n), *H = new_reals(n * n), *Hv = new_reals(n), imbalance;
  double *drift = new_reals(count), *nu = new_reals(count), *seen = new_reals(count);
  double *gram = new_reals(count * count), *lift = new_reals(count * n);
  sgf_mode *modes;
  ASSERT_OK(sgf_modes_create(count, &modes, &error), error);
  sgf_symmetries(network, modes);
  ASSERT_OK(sgf_noise_balance_velocity(balance, problem->theta, v, &error), error);
  ASSERT_OK(sgf_noise_balance_drift(balance, problem->theta, drift, &imbalance, &error), error);
  ck_assert(imbalance > 0.01);
  sgf_symmetry_project(network, problem->theta, count, modes, v, seen);
  modes_of_drift(network, count, modes, drift, nu);
  ASSERT_CLOSE(count, seen, nu, 1e-9);
  ASSERT_OK(sgf_symmetry_lift(network, problem->theta, count, modes, gram, lift, &rank, &error), error);
  sgf_multiply(1, n, count, SGF_PLAIN, nu, SGF_PLAIN, lift, expected);
  ASSERT_CLOSE(n, v, expected, 1e-9);
  ASSERT_OK(sgf_hessian(network, &problem->data, problem->theta, 0.0, H, &error), error);
  sgf_multiply(1, n, n, SGF_PLAIN, v, SGF_PLAIN, H, Hv);
  ck_assert(sgf_norm(n, Hv) <= 1e-9 * sgf_norm(n, v) * sgf_norm(n * n, H));
  double *blocks[] = {v, expected, H, Hv, drift, nu, seen, gram, lift};
  for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) free(blocks[k]);
  free(modes);
  sgf_noise_balance_free(balance);
  sgf_problem_free(problem);
}
END_TEST

/* The motion keeps the map, changes the balances by the drift (against differences in time), and gets nearer to
 * balance. */
START_TEST(motion_follows_the_drift)
{
  static const double TIME = 30.0, STEP = 0.02;
  sgf_problem *problem = make(&CASES[_i]);
  const sgf_network *network = &problem->network;
  sgf_noise_balance *balance = open_balance(problem, SCALE);
  sgf_error error = {SGF_OK, ""};
  size_t n = network->weights, count = sgf_symmetry_count(network);
  double *theta = new_reals(3 * n), *drift = new_reals(count), *B = new_reals(2 * count), start, end;
  ASSERT_OK(sgf_noise_balance_drift(balance, problem->theta, drift, &start, &error), error);
  for (int k = 0; k < 3; k++)
    ASSERT_OK(sgf_noise_balance_advance(balance, TIME + STEP * (k - 1), MOST_STEPS, theta + (size_t)k * n, &error),
              error);
  assert_same_map(network, theta, problem->theta, 1e-12);
  ASSERT_OK(sgf_noise_balance_drift(balance, theta + n, drift, &end, &error), error);
  ck_assert_msg(end < 0.99 * start, "%g, then %g", start, end);
  for (size_t l = 1, at = 0; l < network->layers; l++) {
    sgf_balance(network, theta, l, B + at);
    sgf_balance(network, theta + 2 * n, l, B + count + at);
    at += network->widths[l] * network->widths[l];
  }
  for (size_t k = 0; k < count; k++) B[k] = (B[count + k] - B[k]) / (2.0 * STEP);
  ASSERT_CLOSE(count, B, drift, 1e-5);
  free(theta);
  free(drift);
  free(B);
  sgf_noise_balance_free(balance);
  sgf_problem_free(problem);
}
END_TEST

/* Two layers: the closed form is at balance, has the same map, and is where the motion ends, at the rate that is told.
 * */
START_TEST(motion_ends_at_the_closed_form)
{
  sgf_problem *problem = make(&CASES[_i]);
  const sgf_network *network = &problem->network;
  sgf_noise_balance *balance = open_balance(problem, SCALE);
  sgf_error error = {SGF_OK, ""};
  size_t n = network->weights, size = invariant_size(network);
  double *end = new_reals(n), *theta = new_reals(n), *drift = new_reals(network->widths[1] * network->widths[1]);
  double imbalance, left[2];
  sgf_balanced_state state;
  ASSERT_OK(sgf_balanced_weights(balance, end, &state, &error), error);
  ck_assert_uint_eq(state.rank + state.surplus, network->widths[1]);
  ck_assert(isfinite(state.rate_surplus) == (state.surplus > 0));
  assert_same_map(network, end, problem->theta, 1e-12);
  ASSERT_OK(sgf_noise_balance_drift(balance, end, drift, &imbalance, &error), error);
  ASSERT_NEAR(imbalance, 0.0, 1e-12);
  double rate = fmin(state.rate, state.rate_surplus), *at_the_end = invariants(network, end), *now;
  for (int k = 0; k < 2; k++) {
    ASSERT_OK(sgf_noise_balance_advance(balance, (CASES[_i].late + k) / rate, MOST_STEPS, theta, &error), error);
    ASSERT_OK(sgf_noise_balance_drift(balance, theta, drift, &left[k], &error), error);
  }
  ASSERT_NEAR(log(left[0] / left[1]), 1.0, 0.02);
  ASSERT_OK(sgf_noise_balance_advance(balance, 16.0 / rate, MOST_STEPS, theta, &error), error);
  now = invariants(network, theta);
  ASSERT_CLOSE(size, now, at_the_end, 1e-6);
  assert_same_map(network, theta, problem->theta, 1e-9);
  free(now);
  free(end);
  free(theta);
  free(drift);
  free(at_the_end);
  sgf_noise_balance_free(balance);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------------ isotropic data */

/* Inputs of second moment 1 and residuals of s^2 = 0.25, orthogonal to them, to round-off. */
static sgf_problem *isotropic_problem(size_t inputs, size_t hidden, size_t outputs)
{
  enum { P = 8 };
  const size_t widths[] = {inputs, hidden, outputs};
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  double Q[P * P], X[P * P], Y[P * P], theta[64], M[P * P];
  settings_with_widths(&settings, 3, widths);
  settings.training.batch_size = 2;
  settings.theory.noise = SGF_NOISE_ISOTROPIC;
  fill_orthogonal(11, P, Q);
  fill_normal(12, hidden * (inputs + outputs), theta);
  sgf_multiply(outputs, inputs, hidden, SGF_PLAIN, theta + hidden * inputs, SGF_PLAIN, theta, M);
  for (size_t m = 0; m < P; m++)
    for (size_t i = 0; i < inputs; i++) X[m * inputs + i] = sqrt(P) * Q[i * P + m];
  sgf_multiply(P, outputs, inputs, SGF_PLAIN, X, SGF_TRANSPOSED, M, Y);
  for (size_t m = 0; m < P; m++)
    for (size_t a = 0; a < outputs; a++) Y[m * outputs + a] += 0.5 * sqrt(P) * Q[(inputs + a) * P + m];
  ASSERT_OK(sgf_problem_from_arrays(&settings, P, X, Y, theta, &problem, &error), error);
  sgf_settings_free(&settings);
  return problem;
}

/* N_0 = N_2 = N: B(t) = B(0) exp(-lambda kappa s^2 N t / S). */
START_TEST(isotropic_balance_decays_exponentially)
{
  sgf_problem *problem = isotropic_problem(3, 3, 3);
  sgf_noise_balance *balance = open_balance(problem, SCALE);
  sgf_error error = {SGF_OK, ""};
  sgf_balanced_state state;
  double theta[18], expected[9], B[9], rate = SCALE * 0.25 * 3.0;
  ASSERT_OK(sgf_balanced_weights(balance, theta, &state, &error), error);
  ASSERT_NEAR(state.rate / rate, 1.0, 1e-10);
  for (int k = 1; k <= 4; k++) {
    ASSERT_OK(sgf_noise_balance_advance(balance, k / rate, MOST_STEPS, theta, &error), error);
    sgf_balance(&problem->network, problem->theta, 1, expected);
    sgf_balance(&problem->network, theta, 1, B);
    for (size_t i = 0; i < 9; i++) expected[i] *= exp(-k);
    ASSERT_CLOSE(9, B, expected, 1e-8);
  }
  sgf_noise_balance_free(balance);
  sgf_problem_free(problem);
}
END_TEST

/* N_2 W_1 W_1^T = N_0 W_2^T W_2, m_k the singular values of M: a_k^2 = m_k (N_0/N_2)^{1/2}, b_k^2 = m_k
 * (N_2/N_0)^{1/2}; the variances of layer 2 are T N_0 m_k / (N_0 m_k + N_2 m_i); the slowest approach is 2 N_0 N_2 /
 (N_0 + N_2). */
START_TEST(isotropic_balance_is_that_of_the_map)
{
  enum { N_0 = 4, N_1 = 2, N_2 = 2 };
  sgf_problem *problem = isotropic_problem(N_0, N_1, N_2);
  sgf_noise_balance *balance = open_balance(problem, SCALE);
  sgf_error error = {SGF_OK, ""};
  sgf_balanced_state state;
  double theta[12], X[4], Y[4], MM[4], *M, m[2], variance[N_2 * N_1], curvature[N_2 * N_1], T = 0.3;
  ASSERT_OK(sgf_balanced_weights(balance, theta, &state, &error), error);
  ASSERT_NEAR(state.rate / (SCALE * 0.25 * 2.0 * N_0 * N_2 / (N_0 + N_2)), 1.0, 1e-10);
  sgf_multiply(N_1, N_1, N_0, SGF_PLAIN, theta, SGF_TRANSPOSED, theta, X);
  sgf_multiply(N_1, N_1, N_2, SGF_TRANSPOSED, theta + 8, SGF_PLAIN, theta + 8, Y);
  for (size_t k = 0; k < 4; k++) Y[k] *= (double)N_0 / N_2;
  ASSERT_CLOSE(4, X, Y, 1e-10);
  ASSERT_OK(sgf_layer_product(&problem->network, theta, 1, 2, &M, &error), error);
  sgf_multiply(2, 2, N_0, SGF_PLAIN, M, SGF_TRANSPOSED, M, MM);
  ASSERT_OK(sgf_symmetric_eigenvalues(2, MM, m, "M M^T", &error), error);
  ASSERT_OK(sgf_closed_form_layer(&problem->network, &problem->data, theta, 2, T, variance, curvature, &error),
            error);
  for (size_t i = 0; i < 2; i++)
    for (size_t k = 0; k < 2; k++) { /* singular values are descending there */
      double m_k = sqrt(m[1 - k]), m_i = sqrt(m[1 - i]);
      ASSERT_NEAR(variance[i * N_1 + k], T * N_0 * m_k / (N_0 * m_k + N_2 * m_i), 1e-10);
      ASSERT_NEAR(curvature[i * N_1 + k], m_k * sqrt((double)N_0 / N_2), 1e-10);
    }
  free(M);
  sgf_noise_balance_free(balance);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------------------------ SGD */

enum { POINTS = SGF_BALANCE_POINTS, HIDDEN = 9 };

/* 3-3-2, P = 60, S = 2, learning rate lambda, 200 runs over twice 1 / rate: mean change of the balance at every point
 * (POINTS, 9), squares of its standard errors, that of the theory, and of one whose drift is 5 % too small. */
typedef struct {
  double measured[POINTS * HIDDEN], error_square[POINTS * HIDDEN], predicted[POINTS * HIDDEN],
      slower[POINTS * HIDDEN];
} lifetime;

static void predict_changes(const sgf_problem *problem, double scale, const sgf_plan *plan, double *changes)
{
  sgf_noise_balance *balance = open_balance(problem, scale);
  sgf_error error = {SGF_OK, ""};
  double theta[15], start[HIDDEN], lambda = problem->settings.training.learning_rate;
  double steps = (double)(plan->burn_in_steps + plan->window_steps);
  sgf_balance(&problem->network, problem->theta, 1, start);
  for (size_t k = 0; k < POINTS; k++) {
    double time = lambda * ceil(steps * (double)(k + 1) / POINTS);
    ASSERT_OK(sgf_noise_balance_advance(balance, time, MOST_STEPS, theta, &error), error);
    sgf_balance(&problem->network, theta, 1, changes + k * HIDDEN);
    for (size_t i = 0; i < HIDDEN; i++) changes[k * HIDDEN + i] -= start[i];
  }
  sgf_noise_balance_free(balance);
}

static void run_lifetime(double lambda, lifetime *result)
{
  const size_t widths[] = {3, 3, 2}, batch = 2;
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  sgf_balanced_state state;
  double theta[15], scale = lambda / (double)batch;
  settings_with_widths(&settings, 3, widths);
  settings.data.samples = 60;
  settings.training.batch_size = batch;
  settings.training.learning_rate = lambda;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_noise_balance *balance = open_balance(problem, scale);
  ASSERT_OK(sgf_balanced_weights(balance, theta, &state, &error), error);
  size_t stride = (size_t)(2.0 / (state.rate * lambda)) / 16;
  sgf_plan plan = {.replicas = 200, .burn_in_steps = 8 * stride, .window_steps = 8 * stride, .stride = stride};
  predict_changes(problem, scale, &plan, result->predicted);
  predict_changes(problem, 0.95 * scale, &plan, result->slower);
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  size_t runs = ensemble->info.pools;
  ck_assert_uint_eq(ensemble->balance_points, POINTS);
  ck_assert_uint_eq(runs, plan.replicas);
  for (size_t k = 0; k < POINTS * HIDDEN; k++) {
    double mean = 0.0, square = 0.0;
    for (size_t r = 0; r < runs; r++) mean += ensemble->balance[r * POINTS * HIDDEN + k] / (double)runs;
    for (size_t r = 0; r < runs; r++) square += pow(ensemble->balance[r * POINTS * HIDDEN + k] - mean, 2.0);
    result->measured[k] = mean;
    result->error_square[k] = square / (double)(runs * (runs - 1));
  }
  sgf_ensemble_free(ensemble);
  sgf_noise_balance_free(balance);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}

/* Component of `values` along the predicted change at a point, relative to it, less 1; its standard error, summed over
 * the elements as if they went together, which is an upper bound. */
static double along(const lifetime *of, const double *values, size_t point, double *standard_error)
{
  const double *direction = of->predicted + point * HIDDEN;
  double square = sgf_dot(HIDDEN, direction, direction);
  *standard_error = 0.0;
  for (size_t i = 0; i < HIDDEN; i++)
    *standard_error += fabs(direction[i]) * sqrt(of->error_square[point * HIDDEN + i]) / square;
  return sgf_dot(HIDDEN, values + point * HIDDEN, direction) / square - 1.0;
}

/* SGD's deviation is of first order in the learning rate: from lambda and lambda / 2 what is left at lambda = 0 is
 * within 1 % (the rotations' part is neglected) over two lifetimes, in the component along the change and in all
 elements; a drift that is 5 % too slow is not. The false alarm of the 2 * 16 comparisons is below 1e-6. */
START_TEST(runs_over_lifetimes_follow_the_motion)
{
  static const double NEGLECTED = 0.01, ERRORS = 5.5;
  lifetime whole, half;
  bool caught = false;
  run_lifetime(0.02, &whole);
  run_lifetime(0.01, &half);
  for (size_t k = 0; k < POINTS; k++) {
    double whole_error, half_error, off = along(&whole, whole.measured, k, &whole_error), unused;
    double half_off = along(&half, half.measured, k, &half_error), error = hypot(whole_error, 2.0 * half_error);
    double left = 2.0 * half_off - off, bound = NEGLECTED + ERRORS * error,
           wrong = along(&half, half.slower, k, &unused);
    ck_assert_msg(fabs(left) < bound, "point %zu: %g and %g, left %g +- %g", k, off, half_off, left, error);
    ck_assert(half_off < off); /* and it is towards the theory */
    caught = caught || fabs(left - wrong) > bound;
    double square = 0.0, noise = 0.0;
    for (size_t i = k * HIDDEN; i < (k + 1) * HIDDEN; i++) {
      square += pow(2.0 * (half.measured[i] - half.predicted[i]) - (whole.measured[i] - whole.predicted[i]), 2.0);
      noise += 4.0 * half.error_square[i] + whole.error_square[i];
    }
    double size = sgf_norm(HIDDEN, half.predicted + k * HIDDEN);
    ck_assert_msg(sqrt(square) < NEGLECTED * size + ERRORS * sqrt(noise), "point %zu: %g of %g", k, sqrt(square),
                  size);
  }
  ck_assert(caught);
  ck_assert(sgf_norm(HIDDEN, half.predicted + (POINTS - 1) * HIDDEN) > 0.5); /* displacements of order one */
}
END_TEST

/* ------------------------------------------------------------ with rotations */

/* Without detailed balance the rotations have a drift of their own, and the balance turns with the hidden layer: the path
 * along the minima has it. With detailed balance (C = s^2 H, white inputs) both motions are the same, by other equations and
 * another integrator, which is good to 3e-3. */
START_TEST(paths_agree_with_detailed_balance)
{
  sgf_problem *problem = isotropic_problem(3 + (size_t)_i, 3, 2);
  sgf_prediction *prediction = predict(problem);
  size_t n = problem->network.weights;
  double scale = problem->settings.training.learning_rate * sgf_prediction_get_info(prediction)->noise_strength;
  double last = 2.0 * sgf_prediction_get_info(prediction)->lifetime, *theta = new_reals(2 * n), start[9], B[9],
         path_B[9];
  sgf_noise_balance *balance = open_balance(problem, scale);
  sgf_error error = {SGF_OK, ""};
  sgf_slow_path path;
  ASSERT_OK(sgf_slow_path_create(problem, prediction, 0.0, last, &path, &error), error);
  sgf_balance(&problem->network, problem->theta, 1, start);
  for (int k = 1; k <= 4; k++) {
    ASSERT_OK(sgf_noise_balance_advance(balance, k * last / 4.0, MOST_STEPS, theta, &error), error);
    sgf_slow_path_at(&path, k * last / 4.0, theta + n);
    for (size_t i = 0; i < n; i++) theta[n + i] += problem->theta[i];
    sgf_balance(&problem->network, theta, 1, B);
    sgf_balance(&problem->network, theta + n, 1, path_B);
    for (size_t i = 0; i < 9; i++) {
      B[i] -= start[i];
      path_B[i] -= start[i];
    }
    ASSERT_CLOSE(9, path_B, B, 3e-3);
  }
  free(theta);
  sgf_slow_path_free(&path);
  sgf_noise_balance_free(balance);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

enum { TURNING = 16 };

/* 4-4-4, P = 8, S = 2: 200 runs over two lifetimes. The deviation of the mean balances from the path and from the motion
 * without rotations at every point, (points, 16) each; the square of its standard error, summed over all elements; the
 * sum of the squares of the change; and the verdict of the path, of the right noise and of one that is a third less. */
typedef struct {
  double path[POINTS * TURNING], plain[POINTS * TURNING], error_square, change_square;
  sgf_verdict right, wrong;
} turning;

static sgf_verdict verdict_of_path(const sgf_problem *problem, const sgf_ensemble *ensemble)
{
  sgf_prediction *prediction = predict(problem);
  sgf_comparison *comparison = compare(problem, prediction, ensemble);
  const sgf_quantity *quantity = sgf_comparison_quantities(comparison);
  while (strcmp(quantity->name, "balance_path_1") != 0) quantity++;
  sgf_verdict verdict = quantity->verdict;
  sgf_comparison_free(comparison);
  sgf_prediction_free(prediction);
  return verdict;
}

static void run_turning(double lambda, turning *result)
{
  const size_t widths[] = {4, 4, 4};
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  double time[POINTS], start[TURNING], B[TURNING], theta[32];
  bool known;
  settings_with_widths(&settings, 3, widths);
  settings.data.samples = 8;
  settings.training.batch_size = 2;
  settings.training.learning_rate = lambda;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_prediction *prediction = predict(problem);
  size_t stride = (size_t)(2.0 * sgf_prediction_get_info(prediction)->lifetime / lambda / POINTS);
  sgf_plan plan = {.replicas = 200, .burn_in_steps = 8 * stride, .window_steps = 8 * stride, .stride = stride};
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  sgf_noise_balance *balance = open_balance(problem, lambda / 2.0);
  for (size_t k = 0; k < POINTS; k++) time[k] = lambda * (double)(stride * (k + 1));
  ASSERT_OK(sgf_balance_path(problem, prediction, POINTS, time, result->path, &known, &error), error);
  ck_assert(known);
  sgf_balance(&problem->network, problem->theta, 1, start);
  result->error_square = result->change_square = 0.0;
  for (size_t k = 0; k < POINTS; k++) {
    ASSERT_OK(sgf_noise_balance_advance(balance, time[k], MOST_STEPS, theta, &error), error);
    sgf_balance(&problem->network, theta, 1, B);
    for (size_t i = 0; i < TURNING; i++) {
      double mean = 0.0, square = 0.0, runs = (double)ensemble->info.pools, *path = &result->path[k * TURNING + i];
      for (size_t r = 0; r < ensemble->info.pools; r++) {
        double value = ensemble->balance[(r * POINTS + k) * TURNING + i];
        mean += value / runs;
        square += value * value / runs;
      }
      result->error_square += (square - mean * mean) / (runs - 1.0);
      result->change_square += *path * *path;
      result->plain[k * TURNING + i] = mean - (B[i] - start[i]);
      *path = mean - *path;
    }
  }
  result->right = verdict_of_path(problem, ensemble);
  problem->settings.training.batch_size = 3; /* another noise than that of the runs */
  result->wrong = verdict_of_path(problem, ensemble);
  sgf_noise_balance_free(balance);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}

/* Root of the sum of squares of 2 (of lambda / 2) - (of lambda): what is left at lambda = 0. */
static double extrapolated(const double *whole, const double *half)
{
  double square = 0.0;
  for (size_t k = 0; k < POINTS * TURNING; k++) square += pow(2.0 * half[k] - whole[k], 2.0);
  return sqrt(square);
}

/* Detailed balance broken by P = 8: over two lifetimes all elements of SGD's balances are on the path with rotations,
 * but for the first order in the learning rate, by which the deviation halves; without the rotations they are not. The verdict
 * `balance_path_1` says agree, and disagree of a noise that is a third less. Sampling errors are summed over all elements
 * as if they went together: a false alarm would be one of 5.5 of them. */
START_TEST(runs_turn_with_the_path)
{
  static const double NEGLECTED = 0.005, ERRORS = 5.5;
  turning whole, half;
  run_turning(0.02, &whole);
  run_turning(0.01, &half);
  double change = sqrt(half.change_square), noise = sqrt(whole.error_square + 4.0 * half.error_square);
  double bound = NEGLECTED * change + ERRORS * noise, with = extrapolated(whole.path, half.path);
  double first = sgf_norm(POINTS * TURNING, whole.path), second = sgf_norm(POINTS * TURNING, half.path);
  ck_assert_msg(with < bound, "with rotations %g, bound %g, change %g", with, bound, change);
  ck_assert_msg(extrapolated(whole.plain, half.plain) > bound, "without rotations %g, bound %g",
                extrapolated(whole.plain, half.plain), bound);
  ck_assert_msg(first / second > 1.5 && first / second < 2.6, "deviation falls by %g", first / second);
  ck_assert_int_eq(whole.right, SGF_AGREE);
  ck_assert_int_eq(half.right, SGF_AGREE);
  ck_assert_int_eq(whole.wrong, SGF_DISAGREE);
  ck_assert_int_eq(half.wrong, SGF_DISAGREE);
}
END_TEST

/* A prediction from the weights that another one says are balanced: nothing is left of imbalance and distance, and the
 * approach that the first one describes ends there, in its last third at the slowest rate. */
START_TEST(prediction_finds_balance)
{
  sgf_problem *problem = make(&CASES[_i]), *balanced;
  sgf_prediction *prediction, *there;
  sgf_error error = {SGF_OK, ""};
  size_t rows, columns, last;
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  const sgf_noise_balance_info *info = &sgf_prediction_get_info(prediction)->noise_balance;
  ck_assert(info->imbalance > 1e-2 && info->imbalance <= 1.0);
  ck_assert(info->distance > 1e-2);
  const double *theta = sgf_prediction_array(prediction, "noise_balance/weights", &rows, &columns);
  ck_assert_ptr_nonnull(theta);
  ASSERT_OK(sgf_problem_from_arrays(&problem->settings, problem->data.samples, problem->data.X, problem->data.Y,
                                    theta, &balanced, &error),
            error);
  ASSERT_OK(sgf_predict(balanced, false, &there, &error), error);
  ck_assert(sgf_prediction_get_info(there)->noise_balance.imbalance < 1e-8);
  ck_assert(sgf_prediction_get_info(there)->noise_balance.distance < 1e-6);
  const double *time = sgf_prediction_array(prediction, "noise_balance/time", &rows, &columns);
  const double *distance = sgf_prediction_array(prediction, "noise_balance/distance", &rows, &columns);
  ck_assert(time != NULL && distance != NULL);
  last = rows - 1;
  double *here = invariants(&problem->network, problem->theta), *end = invariants(&problem->network, theta);
  size_t size = invariant_size(&problem->network);
  for (size_t k = 0; k < size; k++) here[k] -= end[k];
  ck_assert(fabs(distance[0] - sgf_norm(size, here)) <= 1e-7 * distance[0]);
  double rate = log(distance[2 * last / 3] / distance[last]) / (time[last] - time[2 * last / 3]);
  ck_assert_msg(rate > 0.99 * info->rate && rate < 3.0 * info->rate, "%g, slowest %g", rate, info->rate);
  free(here);
  free(end);
  sgf_prediction_free(prediction);
  sgf_prediction_free(there);
  sgf_problem_free(problem);
  sgf_problem_free(balanced);
}
END_TEST

/* A motion that its steps do not carry to its time says so, and leaves no weights behind. */
START_TEST(steps_run_out)
{
  sgf_problem *problem = make(&CASES[0]);
  sgf_noise_balance *balance = open_balance(problem, SCALE);
  sgf_error error = {SGF_OK, ""};
  size_t n = problem->network.weights;
  double *theta = new_reals(n);
  ck_assert_int_eq(sgf_noise_balance_advance(balance, 1e9, 3, theta, &error), SGF_ERROR_NUMERICAL);
  ck_assert(strstr(error.message, "3 steps") != NULL);
  for (size_t k = 0; k < n; k++) ck_assert(isnan(theta[k]));
  free(theta);
  sgf_noise_balance_free(balance);
  sgf_problem_free(problem);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("noise balance");
  TCase *tests = tcase_create("noise balance");
  tcase_set_timeout(tests, 600);
  tcase_add_loop_test(tests, drift_is_that_of_the_noise, 0, COUNT);
  tcase_add_loop_test(tests, velocity_is_the_lift, 0, COUNT);
  tcase_add_loop_test(tests, motion_follows_the_drift, 0, COUNT);
  tcase_add_loop_test(tests, motion_ends_at_the_closed_form, 0, TWO_LAYERS);
  tcase_add_test(tests, isotropic_balance_decays_exponentially);
  tcase_add_test(tests, isotropic_balance_is_that_of_the_map);
  tcase_add_loop_test(tests, prediction_finds_balance, 0, NARROW_TO_WIDE);
  tcase_add_test(tests, steps_run_out);
  tcase_add_test(tests, runs_over_lifetimes_follow_the_motion);
  tcase_add_loop_test(tests, paths_agree_with_detailed_balance, 0, 3);
  tcase_add_test(tests, runs_turn_with_the_path);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
