/* Motion along the symmetry of the hidden layers: modes, drift and diffusion of the rotations against dense matrices, the
 * moment equations and closed forms. */
#include "../theory/balance.h"
#include "../theory/drift.h"
#include "../theory/prediction.h"
#include "../theory/rotation.h"
#include "../theory/slow_path.h"
#include "testing.h"

/* Weights of two layers of equal widths with W_1 W_1^T = W_2^T W_2 = R diag R^T, R a rotation of the hidden layer. */
static void fill_balanced(size_t N, const double *R, double *theta)
{
  double *right = new_reals(N * N), *left = new_reals(N * N), *work = new_reals(N * N);
  fill_orthogonal(11, N, right);
  fill_orthogonal(12, N, left);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      right[i * N + j] *= 0.7 + 0.2 * (double)i;
      left[j * N + i] *= 0.7 + 0.2 * (double)i;
    }
  sgf_multiply(N, N, N, SGF_PLAIN, R, SGF_PLAIN, right, theta);
  sgf_multiply(N, N, N, SGF_PLAIN, left, SGF_TRANSPOSED, R, theta + N * N);
  free(right);
  free(left);
  free(work);
}

typedef struct {
  size_t widths[5], count, samples;
  sgf_noise noise;
  bool balanced;
} shape;

static const shape SHAPES[] = {
    {{4, 4, 4}, 3, 16, SGF_NOISE_EMPIRICAL, true},    {{4, 4, 4}, 3, 400, SGF_NOISE_EMPIRICAL, true},
    {{4, 4, 4}, 3, 40, SGF_NOISE_POPULATION, false},  {{5, 3, 3}, 3, 30, SGF_NOISE_EMPIRICAL, false},
    {{3, 6, 4}, 3, 30, SGF_NOISE_EMPIRICAL, false},     /* modes that depend on one another */
    {{4, 2, 4}, 3, 30, SGF_NOISE_EMPIRICAL, false},     /* bottleneck: G != 0 */
    {{3, 4, 2, 3}, 4, 30, SGF_NOISE_EMPIRICAL, false}}; /* two hidden layers */
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES };

static sgf_problem *make(const shape *from)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, from->count, from->widths);
  settings.data.samples = from->samples;
  settings.training.batch_size = 4;
  settings.training.learning_rate = 0.01;
  settings.theory.noise = from->noise;
  if (from->balanced) {
    double theta[32], identity[16] = {[0] = 1, [5] = 1, [10] = 1, [15] = 1};
    fill_balanced(4, identity, theta);
    problem = planted_problem(&settings, theta, from->samples, 21);
  } else {
    ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  }
  sgf_settings_free(&settings);
  return problem;
}

/* (a v_l, -v_{l+1} a) by products of matrices. */
static void act(const sgf_network *network, size_t hidden, const double *a, const double *v, double *out)
{
  size_t below = network->widths[hidden - 1], size = network->widths[hidden], above = network->widths[hidden + 1];
  size_t into = network->offsets[hidden], out_of = network->offsets[hidden + 1];
  memset(out, 0, network->weights * sizeof *out);
  sgf_multiply(size, below, size, SGF_PLAIN, a, SGF_PLAIN, v + into, out + into);
  sgf_multiply(above, size, size, SGF_PLAIN, v + out_of, SGF_PLAIN, a, out + out_of);
  for (size_t k = 0; k < above * size; k++) out[out_of + k] *= -1.0;
}

static void fill_generator(const sgf_network *network, const sgf_mode *mode, double *a)
{
  size_t size = network->widths[mode->hidden];
  memset(a, 0, size * size * sizeof *a);
  a[mode->j * size + mode->i] = mode->rotation ? -1.0 : 1.0;
  a[mode->i * size + mode->j] = 1.0;
}

static sgf_mode *all_modes(const sgf_network *network, size_t *count)
{
  sgf_mode *modes = calloc(sgf_symmetry_count(network), sizeof *modes);
  ck_assert_ptr_nonnull(modes);
  *count = sgf_symmetries(network, modes);
  ck_assert_uint_eq(*count, sgf_symmetry_count(network));
  return modes;
}

/* N_a is the generator's action; n_a(theta + v) = n_a(theta) + N_a v; it is antisymmetric or symmetric; nu_a = n_a . delta. */
START_TEST(modes_are_the_action_of_their_generators)
{
  sgf_problem *problem = make(&SHAPES[_i]);
  const sgf_network *network = &problem->network;
  size_t n = network->weights, count;
  sgf_mode *modes = all_modes(network, &count);
  double *a = new_reals(64), *v = new_reals(n), *u = new_reals(n), *moved = new_reals(n), *work = new_reals(4 * n);
  double *nu = new_reals(count);
  fill_normal(31, n, v);
  fill_normal(32, n, u);
  for (size_t k = 0; k < n; k++) moved[k] = problem->theta[k] + v[k];
  sgf_symmetry_project(network, problem->theta, count, modes, v, nu);
  for (size_t m = 0; m < count; m++) {
    fill_generator(network, &modes[m], a);
    act(network, modes[m].hidden, a, moved, work);
    act(network, modes[m].hidden, a, problem->theta, work + n);
    sgf_symmetry_apply(network, &modes[m], v, work + 2 * n);
    for (size_t k = 0; k < n; k++) work[3 * n + k] = work[k] - work[n + k];
    ASSERT_CLOSE(n, work + 2 * n, work + 3 * n, 1e-13);
    ASSERT_NEAR(nu[m], sgf_dot(n, work + n, v), 1e-13);
    double forth = sgf_dot(n, u, work + 2 * n);
    sgf_symmetry_apply(network, &modes[m], u, work);
    ASSERT_NEAR(forth, (modes[m].rotation ? -1.0 : 1.0) * sgf_dot(n, v, work), 1e-13);
  }
  free(a);
  free(v);
  free(u);
  free(moved);
  free(work);
  free(nu);
  free(modes);
  sgf_problem_free(problem);
}
END_TEST

/* Any batch's step from any theta* + delta: n_a . step = -(N_a delta) . step, n_a of theta*. */
START_TEST(steps_are_orthogonal_to_the_symmetry)
{
  sgf_problem *problem = make(&SHAPES[_i]);
  const sgf_network *network = &problem->network;
  sgf_error error = {SGF_OK, ""};
  sgf_dataset batch;
  size_t n = network->weights, count, inputs = problem->data.inputs, outputs = problem->data.outputs;
  sgf_mode *modes = all_modes(network, &count);
  double *theta = new_reals(n), *delta = new_reals(n), *step = new_reals(n), *turned = new_reals(n);
  double *nu = new_reals(count);
  ASSERT_OK(sgf_dataset_from_arrays(4, inputs, outputs, problem->data.X + 3 * inputs, problem->data.Y + 3 * outputs,
                                    &batch, &error),
            error);
  fill_normal(41, n, delta);
  for (size_t k = 0; k < n; k++) theta[k] = problem->theta[k] + (delta[k] *= 0.3);
  ASSERT_OK(sgf_gradient(network, &batch, theta, 0.0, step, &error), error);
  for (size_t k = 0; k < n; k++) step[k] *= -0.01;
  sgf_symmetry_project(network, problem->theta, count, modes, step, nu);
  for (size_t m = 0; m < count; m++) {
    sgf_symmetry_apply(network, &modes[m], delta, turned);
    double other = -sgf_dot(n, turned, step), scale = sgf_norm(n, turned) * sgf_norm(n, step);
    ASSERT_NEAR(nu[m], other, 1e-13 * scale);
    ck_assert(fabs(other) > 1e-6 * scale); /* not zero equals zero */
  }
  sgf_dataset_free(&batch);
  free(theta);
  free(delta);
  free(step);
  free(turned);
  free(nu);
  free(modes);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------------- dense matrices */

/* In the modes of range(H), from the arrays of the prediction: rates, D, S, and N_a of every mode. */
typedef struct {
  size_t rank, count;
  double *h, *D, *S, *N;
} dense;

static dense dense_of(const sgf_problem *problem, const sgf_prediction *prediction, size_t count,
                      const sgf_mode *modes)
{
  size_t n = problem->network.weights, rank = prediction->info.rank_hessian, rows, columns;
  dense of = {
      rank, count, new_reals(n), new_reals(rank * rank), new_reals(rank * rank), new_reals(count * rank * rank)};
  double *V = new_reals(n * n), *work = new_reals(n * n), *a = new_reals(64), *turned = new_reals(n * n);
  const double *C = sgf_prediction_array(prediction, "noise_covariance", &rows, &columns);
  const double *Sigma = sgf_prediction_array(prediction, "covariance_continuum", &rows, &columns);
  sgf_error error = {SGF_OK, ""};
  memcpy(V, sgf_prediction_array(prediction, "hessian", &rows, &columns), n * n * sizeof *V);
  ASSERT_OK(sgf_symmetric_eigen(n, V, of.h, "H", &error), error);
  memmove(of.h, of.h + (n - rank), rank * sizeof *of.h);
  double *range = V + (n - rank) * n, scale = 0.5 * 0.01 * prediction->info.noise_strength;
  sgf_multiply(rank, n, n, SGF_PLAIN, range, SGF_PLAIN, C, work);
  sgf_multiply(rank, rank, n, SGF_PLAIN, work, SGF_TRANSPOSED, range, of.D);
  for (size_t k = 0; k < rank * rank; k++) of.D[k] *= scale;
  sgf_multiply(rank, n, n, SGF_PLAIN, range, SGF_PLAIN, Sigma, work);
  sgf_multiply(rank, rank, n, SGF_PLAIN, work, SGF_TRANSPOSED, range, of.S);
  for (size_t m = 0; m < count; m++) {
    fill_generator(&problem->network, &modes[m], a);
    for (size_t i = 0; i < rank; i++) act(&problem->network, modes[m].hidden, a, range + i * n, turned + i * n);
    sgf_multiply(rank, rank, n, SGF_PLAIN, range, SGF_TRANSPOSED, turned, of.N + m * rank * rank);
  }
  free(V);
  free(work);
  free(a);
  free(turned);
  return of;
}

static void free_dense(dense *of)
{
  free(of->h);
  free(of->D);
  free(of->S);
  free(of->N);
}

static double trace_of_product(size_t n, const double *A, const double *B)
{
  double sum = 0.0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) sum += A[i * n + j] * B[j * n + i];
  return sum;
}

/* -tr(N Q), Q = (H S - S H) / 2. */
static double drift_of(const dense *of, const double *N)
{
  size_t r = of->rank;
  double *Q = new_reals(r * r);
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) Q[i * r + j] = 0.5 * (of->h[i] - of->h[j]) * of->S[i * r + j];
  double drift = -trace_of_product(r, N, Q);
  free(Q);
  return drift;
}

/* 2 tr(S A D B^T), A = N o 2 h_i / (h_i + h_j) of the one mode and B of the other. */
static double diffusion_of(const dense *of, const double *N, const double *other)
{
  size_t r = of->rank;
  double *A = new_reals(r * r), *B = new_reals(r * r), *SA = new_reals(r * r), *SAD = new_reals(r * r);
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) {
      double factor = 2.0 * of->h[i] / (of->h[i] + of->h[j]);
      A[i * r + j] = factor * N[i * r + j];
      B[i * r + j] = factor * other[i * r + j];
    }
  sgf_multiply(r, r, r, SGF_PLAIN, of->S, SGF_PLAIN, A, SA);
  sgf_multiply(r, r, r, SGF_PLAIN, SA, SGF_PLAIN, of->D, SAD);
  double diffusion = 2.0 * sgf_dot(r * r, SAD, B);
  free(A);
  free(B);
  free(SA);
  free(SAD);
  return diffusion;
}

START_TEST(drift_and_diffusion_by_dense_matrices)
{
  sgf_problem *problem = make(&SHAPES[_i]);
  const sgf_network *network = &problem->network;
  sgf_prediction *prediction = predict(problem);
  for (size_t l = 1; l < network->layers; l++) {
    size_t count = sgf_rotation_count(network, l), rows, columns;
    sgf_mode modes[64];
    char name[48];
    ck_assert_uint_eq(sgf_rotations(network, l, modes), count);
    dense of = dense_of(problem, prediction, count, modes);
    double *drift = new_reals(count), *diffusion = new_reals(count * count);
    for (size_t a = 0; a < count; a++) {
      drift[a] = drift_of(&of, of.N + a * of.rank * of.rank);
      for (size_t b = 0; b < count; b++)
        diffusion[a * count + b] = diffusion_of(&of, of.N + a * of.rank * of.rank, of.N + b * of.rank * of.rank);
    }
    snprintf(name, sizeof name, "rotation/layer%zu/drift", l);
    const double *found = sgf_prediction_array(prediction, name, &rows, &columns);
    ck_assert(rows == count && columns == 1);
    ASSERT_CLOSE(count, found, drift, 1e-11);
    snprintf(name, sizeof name, "rotation/layer%zu/diffusion", l);
    found = sgf_prediction_array(prediction, name, &rows, &columns);
    ck_assert(rows == count && columns == count);
    ASSERT_CLOSE(count * count, found, diffusion, 1e-11);
    const sgf_rotation_info *info = sgf_prediction_get_rotation(prediction, l);
    ck_assert(info != NULL && info->modes == count && info->left_out == NULL && info->too_many == NULL);
    ASSERT_NEAR(info->drift / sgf_norm(count, drift), 1.0, 1e-11);
    ASSERT_NEAR(info->diffusion / sgf_trace(count, diffusion), 1.0, 1e-11);
    ck_assert(info->turn_time > 0.0 && isfinite(info->turn_time));
    free(drift);
    free(diffusion);
    free_dense(&of);
  }
  ck_assert_ptr_null(sgf_prediction_get_rotation(prediction, network->layers));
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* C = s^2 H: no drift to round-off, and the diffusion 4 T^2 sum_ij (N_a)_ij^2 h_i h_j / (h_i + h_j). */
START_TEST(detailed_balance_does_not_turn)
{
  shape from = SHAPES[0];
  from.noise = SGF_NOISE_ISOTROPIC;
  sgf_problem *problem = make(&from);
  sgf_prediction *prediction = predict(problem);
  size_t rows, columns, count = 6;
  sgf_mode modes[6];
  sgf_rotations(&problem->network, 1, modes);
  dense of = dense_of(problem, prediction, count, modes);
  const double *drift = sgf_prediction_array(prediction, "rotation/layer1/drift", &rows, &columns);
  const double *diffusion = sgf_prediction_array(prediction, "rotation/layer1/diffusion", &rows, &columns);
  double T = prediction->info.temperature, rank = (double)of.rank;
  for (size_t a = 0; a < count; a++) {
    const double *N = of.N + a * of.rank * of.rank;
    double expected = 0.0;
    for (size_t i = 0; i < of.rank; i++)
      for (size_t j = 0; j < of.rank; j++)
        expected += 4.0 * T * T * N[i * of.rank + j] * N[i * of.rank + j] * of.h[i] * of.h[j] / (of.h[i] + of.h[j]);
    ASSERT_NEAR(diffusion[a * count + a] / expected, 1.0, 1e-11);
    ASSERT_NEAR(drift[a] / (T * prediction->info.largest_curvature * rank), 0.0, 1e-14);
  }
  free_dense(&of);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* nu as an antisymmetric matrix, R nu R^T for a hidden layer turned by R. */
static void turn(const double *R, const double *nu, double *turned)
{
  double matrix[16], work[16];
  size_t at = 0;
  memset(matrix, 0, sizeof matrix);
  for (size_t i = 0; i < 4; i++)
    for (size_t j = i + 1; j < 4; j++, at++) {
      matrix[i * 4 + j] = nu[at];
      matrix[j * 4 + i] = -nu[at];
    }
  sgf_multiply(4, 4, 4, SGF_PLAIN, R, SGF_PLAIN, matrix, work);
  sgf_multiply(4, 4, 4, SGF_PLAIN, work, SGF_TRANSPOSED, R, matrix);
  at = 0;
  for (size_t i = 0; i < 4; i++)
    for (size_t j = i + 1; j < 4; j++) turned[at++] = matrix[i * 4 + j];
}

/* Another basis of the hidden layer: drift and diffusion turn with it, the angles' numbers stay. */
START_TEST(motion_is_that_of_any_basis_of_the_hidden_layer)
{
  double R[16], theta[32], turned[36], both[36], identity[16] = {[0] = 1, [5] = 1, [10] = 1, [15] = 1};
  const double *drift[2], *diffusion[2];
  sgf_problem *problem[2];
  sgf_prediction *prediction[2];
  sgf_settings settings;
  size_t rows, columns;
  settings_with_widths(&settings, 3, (size_t[]){4, 4, 4});
  settings.training.batch_size = 4;
  settings.training.learning_rate = 0.01;
  fill_orthogonal(51, 4, R);
  for (int k = 0; k < 2; k++) {
    fill_balanced(4, k == 0 ? identity : R, theta);
    problem[k] = planted_problem(&settings, theta, 16, 21);
    prediction[k] = predict(problem[k]);
    drift[k] = sgf_prediction_array(prediction[k], "rotation/layer1/drift", &rows, &columns);
    diffusion[k] = sgf_prediction_array(prediction[k], "rotation/layer1/diffusion", &rows, &columns);
  }
  turn(R, drift[0], turned);
  ASSERT_CLOSE((size_t)6, drift[1], turned, 1e-9);
  for (size_t a = 0; a < 6; a++) turn(R, diffusion[0] + a * 6, turned + a * 6);
  for (size_t a = 0; a < 6; a++) {
    double column[6];
    for (size_t b = 0; b < 6; b++) column[b] = turned[b * 6 + a];
    turn(R, column, both + a * 6);
  }
  ASSERT_CLOSE((size_t)36, diffusion[1], both, 1e-9);
  const sgf_rotation_info *one = sgf_prediction_get_rotation(prediction[0], 1);
  const sgf_rotation_info *other = sgf_prediction_get_rotation(prediction[1], 1);
  ASSERT_NEAR(other->angular_velocity / one->angular_velocity, 1.0, 1e-9);
  ASSERT_NEAR(other->angular_diffusion / one->angular_diffusion, 1.0, 1e-9);
  ck_assert(fabs(drift[1][0] / drift[0][0] - 1.0) > 1e-3);
  for (int k = 0; k < 2; k++) {
    sgf_prediction_free(prediction[k]);
    sgf_problem_free(problem[k]);
  }
  sgf_settings_free(&settings);
}
END_TEST

/* ------------------------------------------------------- moments in the course of time */

/* d<x>/dt of one step of the moment equations of nu = -int (N delta) . d delta, from what the process is:
 *   dK/dt = -H K - K H + 2 S sym(N^T H) S - 2 D N S - S N^T 2 D,  K = cov(nu, delta delta^T),
 * S the covariance at the time. out, K (r, r). */
static void rate_of_K(const dense *of, const double *S, const double *N, const double *K, double *room, double *out)
{
  size_t r = of->rank;
  double *A = room, *SA = A + r * r, *SAS = SA + r * r, *DN = SAS + r * r, *DNS = DN + r * r;
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) A[i * r + j] = 0.5 * (N[j * r + i] * of->h[j] + of->h[i] * N[i * r + j]);
  sgf_multiply(r, r, r, SGF_PLAIN, S, SGF_PLAIN, A, SA);
  sgf_multiply(r, r, r, SGF_PLAIN, SA, SGF_PLAIN, S, SAS);
  sgf_multiply(r, r, r, SGF_PLAIN, of->D, SGF_PLAIN, N, DN);
  sgf_multiply(r, r, r, SGF_PLAIN, DN, SGF_PLAIN, S, DNS);
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++)
      out[i * r + j] =
          -(of->h[i] + of->h[j]) * K[i * r + j] + 2.0 * SAS[i * r + j] - 2.0 * (DNS[i * r + j] + DNS[j * r + i]);
}

/* d cov(nu_a, nu_b)/dt = tr(sym(N_a^T H) K_b) + the same with a and b exchanged + 2 tr(S N_a^T D N_b). */
static double rate_of_covariance(const dense *of, const double *S, const double *N_a, const double *N_b,
                                 const double *K_a, const double *K_b, double *room)
{
  size_t r = of->rank;
  double *DN = room, *NDN = room + r * r, rate = 0.0;
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++)
      rate += N_a[j * r + i] * of->h[j] * K_b[i * r + j] + N_b[j * r + i] * of->h[j] * K_a[i * r + j];
  sgf_multiply(r, r, r, SGF_PLAIN, of->D, SGF_PLAIN, N_b, DN);
  sgf_multiply(r, r, r, SGF_TRANSPOSED, N_a, SGF_PLAIN, DN, NDN);
  return rate + 2.0 * sgf_dot(r * r, S, NDN);
}

/* Covariance of the change of nu over a time by Heun's rule in many steps, from the stationary state. */
static void integrate(const dense *of, double time, size_t steps, double *covariance)
{
  size_t r = of->rank, square = r * r, count = of->count;
  double dt = time / (double)steps, *K = new_reals(count * square), *next = new_reals(count * square);
  double *room = new_reals(7 * square), *one = room + 5 * square, *two = room + 6 * square;
  memset(covariance, 0, count * count * sizeof *covariance);
  for (size_t s = 0; s < steps; s++) {
    for (size_t a = 0; a < count; a++) {
      const double *N = of->N + a * square;
      rate_of_K(of, of->S, N, K + a * square, room, one);
      for (size_t k = 0; k < square; k++) next[a * square + k] = K[a * square + k] + dt * one[k];
      rate_of_K(of, of->S, N, next + a * square, room, two);
      for (size_t k = 0; k < square; k++) next[a * square + k] = K[a * square + k] + 0.5 * dt * (one[k] + two[k]);
    }
    for (size_t a = 0; a < count; a++)
      for (size_t b = 0; b < count; b++) {
        const double *N_a = of->N + a * square, *N_b = of->N + b * square;
        covariance[a * count + b] +=
            0.5 * dt *
            (rate_of_covariance(of, of->S, N_a, N_b, K + a * square, K + b * square, room) +
             rate_of_covariance(of, of->S, N_a, N_b, next + a * square, next + b * square, room));
      }
    memcpy(K, next, count * square * sizeof *K);
  }
  free(K);
  free(next);
  free(room);
}

/* The change of nu over a time, rotations and scalings and between them, by the moment equations. */
START_TEST(covariance_over_a_time_by_the_moment_equations)
{
  const shape from = {{3, 2, 2}, 3, 12, SGF_NOISE_EMPIRICAL, false};
  sgf_problem *problem = make(&from);
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_motion motion;
  size_t count;
  sgf_mode *modes = all_modes(&problem->network, &count);
  dense of = dense_of(problem, prediction, count, modes);
  double *covariance = new_reals(count * count), *expected = new_reals(count * count);
  ASSERT_OK(sgf_motion_create(&problem->network, &prediction->joint, &motion, &error), error);
  const double times[] = {0.1, 1.0, 6.0};
  for (size_t k = 0; k < 3; k++) {
    const sgf_lags lags = {1.0, times[k] / prediction->info.relaxation_rate};
    ASSERT_OK(sgf_motion_covariance(&motion, &lags, count, modes, covariance, &error), error);
    integrate(&of, lags.spacing, 4000, expected);
    ASSERT_CLOSE(count * count, covariance, expected, 3e-4);
  }
  sgf_motion_free(&motion);
  free(covariance);
  free(expected);
  free(modes);
  free_dense(&of);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* About the mean of K snapshots: (1/K^2) sum over the pairs of the covariance over the time between them, at spacings on
 * both sides of where the series is used; in the long run the rate times spacing (K^2 - 1) / 6 K. */
START_TEST(covariance_of_a_window_is_that_of_its_pairs)
{
  sgf_problem *problem = make(&SHAPES[3]);
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_motion motion;
  enum { K = 7 };
  size_t count;
  sgf_mode *modes = all_modes(&problem->network, &count);
  size_t square = count * count;
  double *window = new_reals(square), *pair = new_reals(square), *sum = new_reals(square), *rate = new_reals(square);
  ASSERT_OK(sgf_motion_create(&problem->network, &prediction->joint, &motion, &error), error);
  for (int decade = -7; decade <= 1; decade++) {
    double spacing = pow(10.0, decade);
    memset(sum, 0, square * sizeof *sum);
    for (int m = 1; m < K; m++) {
      const sgf_lags lags = {1.0, m * spacing};
      ASSERT_OK(sgf_motion_covariance(&motion, &lags, count, modes, pair, &error), error);
      for (size_t k = 0; k < square; k++) sum[k] += (double)(K - m) / (K * K) * pair[k];
    }
    const sgf_lags lags = {K, spacing};
    ASSERT_OK(sgf_motion_covariance(&motion, &lags, count, modes, window, &error), error);
    ASSERT_CLOSE(square, window, sum, 1e-7);
  }
  const sgf_lags none = {0.0, 0.0}, lasting = {1000.0, 1e6};
  size_t m = sgf_rotations(&problem->network, 1, modes);
  ASSERT_OK(sgf_motion_covariance(&motion, &none, m, modes, rate, &error), error);
  ASSERT_OK(sgf_motion_covariance(&motion, &lasting, m, modes, window, &error), error);
  for (size_t k = 0; k < m * m; k++) rate[k] *= 1e6 * (1e6 - 1.0) / 6e3;
  ASSERT_CLOSE(m * m, window, rate, 1e-6);
  sgf_motion_free(&motion);
  free(window);
  free(pair);
  free(sum);
  free(rate);
  free(modes);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Modes enough for several panels of the triangle: each pair of them alone, which fits in one, has the same covariance. */
START_TEST(covariance_of_many_modes_is_that_of_each_pair)
{
  const shape wide = {{14, 14, 14}, 3, 100, SGF_NOISE_EMPIRICAL, false};
  sgf_problem *problem = make(&wide);
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_motion motion;
  size_t count;
  sgf_mode *modes = all_modes(&problem->network, &count);
  const sgf_lags lags = {1.0, 0.5 / prediction->info.relaxation_rate};
  double *covariance = new_reals(count * count), alone[4];
  ASSERT_OK(sgf_motion_create(&problem->network, &prediction->joint, &motion, &error), error);
  ASSERT_OK(sgf_motion_covariance(&motion, &lags, count, modes, covariance, &error), error);
  for (size_t a = 0; a < count; a += 7)
    for (size_t b = 0; b < a; b += 11) {
      sgf_mode pair[] = {modes[a], modes[b]};
      double scale = sqrt(covariance[a * count + a] * covariance[b * count + b]);
      ASSERT_OK(sgf_motion_covariance(&motion, &lags, 2, pair, alone, &error), error);
      ASSERT_NEAR(covariance[a * count + a] / alone[0], 1.0, 1e-12);
      ASSERT_NEAR(covariance[a * count + b], alone[1], 1e-12 * scale);
      ASSERT_NEAR(covariance[b * count + a], alone[1], 1e-12 * scale);
      ASSERT_NEAR(covariance[b * count + b] / alone[3], 1.0, 1e-12);
    }
  sgf_motion_free(&motion);
  free(covariance);
  free(modes);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* int_0^time tr(N^T H S_t) dt, S_t = S - exp(-Ht) S exp(-Ht), by Simpson's rule. */
static double mean_by_quadrature(const dense *of, const double *N, double time)
{
  size_t r = of->rank, cells = 2000;
  double sum = 0.0, dt = time / (double)cells;
  for (size_t k = 0; k <= cells; k++)
    for (size_t i = 0; i < r; i++)
      for (size_t j = 0; j < r; j++) {
        double weight = (k == 0 || k == cells ? 1.0 : k % 2 == 1 ? 4.0 : 2.0) * dt / 3.0;
        double relaxed = -expm1(-(of->h[i] + of->h[j]) * (double)k * dt);
        sum += weight * N[i * r + j] * of->h[i] * of->S[i * r + j] * relaxed;
      }
  return sum;
}

/* Scalings drift by half of what the balance does; the mean at a time is the drift but for what the fluctuations hold. */
START_TEST(mean_motion_is_that_of_the_balance_and_the_rotations)
{
  sgf_problem *problem = make(&SHAPES[_i]);
  const sgf_network *network = &problem->network;
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_motion motion;
  size_t count, rows, columns;
  sgf_mode *modes = all_modes(network, &count);
  double *drift = new_reals(count), *early = new_reals(count), *late = new_reals(count);
  ASSERT_OK(sgf_motion_create(network, &prediction->joint, &motion, &error), error);
  ASSERT_OK(sgf_motion_drift(&motion, count, modes, drift, &error), error);
  for (size_t m = 0; m < count; m++) {
    char name[48];
    size_t size = network->widths[modes[m].hidden];
    if (modes[m].rotation) continue;
    snprintf(name, sizeof name, "layer%zu/balance_drift", modes[m].hidden);
    const double *balance = sgf_prediction_array(prediction, name, &rows, &columns);
    double expected = (modes[m].i == modes[m].j ? 0.5 : 1.0) * balance[modes[m].i * size + modes[m].j];
    ASSERT_NEAR(drift[m], expected, 1e-12 * prediction->info.balance_drift);
  }
  double time = 50.0 / prediction->info.relaxation_rate;
  ASSERT_OK(sgf_motion_mean(&motion, time, count, modes, early, &error), error);
  ASSERT_OK(sgf_motion_mean(&motion, 2.0 * time, count, modes, late, &error), error);
  for (size_t m = 0; m < count; m++) late[m] = (late[m] - early[m]) / time;
  ASSERT_CLOSE(count, late, drift, 1e-9);
  dense of = dense_of(problem, prediction, count, modes);
  double soon = 1.0 / prediction->info.relaxation_rate;
  ASSERT_OK(sgf_motion_mean(&motion, soon, count, modes, early, &error), error);
  for (size_t m = 0; m < count; m++) late[m] = mean_by_quadrature(&of, of.N + m * of.rank * of.rank, soon);
  ASSERT_CLOSE(count, early, late, 1e-6);
  free_dense(&of);
  sgf_motion_free(&motion);
  free(drift);
  free(early);
  free(late);
  free(modes);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Lifted to weights, nu comes back, and lies in null(H); without a bottleneck and with N_1 >= N_0, N_2 that is all of it. */
START_TEST(lifted_motion_lies_in_the_null_space)
{
  const shape *from = &SHAPES[_i];
  sgf_problem *problem = make(from);
  const sgf_network *network = &problem->network;
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  size_t n = network->weights, count, rank, rows, columns;
  sgf_mode *modes = all_modes(network, &count);
  double *gram = new_reals(count * count), *lift = new_reals(count * n), *v = new_reals(n), *nu = new_reals(count);
  double *back = new_reals(n), *Hv = new_reals(n);
  const double *H = sgf_prediction_array(prediction, "hessian", &rows, &columns);
  ASSERT_OK(sgf_symmetry_lift(network, problem->theta, count, modes, gram, lift, &rank, &error), error);
  ck_assert(rank <= n - prediction->info.rank_hessian);
  if (from->count == 3 && from->widths[1] >= from->widths[0] && from->widths[1] >= from->widths[2])
    ck_assert_uint_eq(rank, n - prediction->info.rank_hessian);
  fill_normal(61, count, nu);
  sgf_multiply(1, n, count, SGF_PLAIN, nu, SGF_PLAIN, lift, v);
  sgf_symmetry_project(network, problem->theta, count, modes, v, nu);
  sgf_multiply(1, n, count, SGF_PLAIN, nu, SGF_PLAIN, lift, back);
  ASSERT_CLOSE(n, back, v, 1e-9);
  sgf_multiply(1, n, n, SGF_PLAIN, v, SGF_PLAIN, H, Hv);
  ck_assert(sgf_norm(n, Hv) < 1e-9 * prediction->info.largest_curvature * sgf_norm(n, v));
  free(gram);
  free(lift);
  free(v);
  free(nu);
  free(back);
  free(Hv);
  free(modes);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------------------------- the mean path */

/* Along the path: the velocity at its start is that of the drifts, the loss stays at its minimum, and the balance changes
 * as its drift says; half the time is half of the path. */
START_TEST(path_keeps_the_minimum_and_drifts_as_the_balance)
{
  sgf_problem *problem = make(&SHAPES[_i]);
  const sgf_network *network = &problem->network;
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_slow_path path, half;
  size_t n = network->weights, rows, columns;
  double soon = 0.01 * prediction->info.lifetime, late = 0.2 * prediction->info.lifetime, loss;
  double *moved = new_reals(n), *other = new_reals(n), *theta = new_reals(n), *B = new_reals(64), *B0 = new_reals(64);
  ASSERT_OK(sgf_slow_path_create(problem, prediction, 0.0, late, &path, &error), error);
  ASSERT_OK(sgf_slow_path_create(problem, prediction, 0.1 * late, 0.4 * late, &half, &error), error);
  sgf_slow_path_at(&path, 0.5 * late, moved);
  sgf_slow_path_at(&half, 0.4 * late, other);
  ASSERT_CLOSE(n, moved, other, 5e-3);
  ck_assert(sgf_norm(n, moved) > 1e-3);
  for (size_t k = 0; k < n; k++) theta[k] = problem->theta[k] + moved[k];
  ASSERT_OK(sgf_loss(network, &problem->data, theta, &loss, &error), error);
  ASSERT_NEAR(loss / prediction->info.min_loss, 1.0, 1e-6);
  sgf_slow_path_at(&path, soon, moved);
  for (size_t k = 0; k < n; k++) theta[k] = problem->theta[k] + moved[k];
  for (size_t l = 1; l < network->layers; l++) {
    char name[48];
    size_t square = network->widths[l] * network->widths[l];
    snprintf(name, sizeof name, "layer%zu/balance_drift", l);
    const double *drift = sgf_prediction_array(prediction, name, &rows, &columns);
    sgf_balance(network, theta, l, B);
    sgf_balance(network, problem->theta, l, B0);
    for (size_t k = 0; k < square; k++) B[k] = (B[k] - B0[k]) / soon;
    ASSERT_CLOSE(square, B, drift, 0.06);
  }
  sgf_slow_path_free(&path);
  sgf_slow_path_free(&half);
  free(moved);
  free(other);
  free(theta);
  free(B);
  free(B0);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("rotation");
  TCase *tests = tcase_create("rotation");
  tcase_set_timeout(tests, 600);
  tcase_add_loop_test(tests, modes_are_the_action_of_their_generators, 0, SHAPE_COUNT);
  tcase_add_loop_test(tests, steps_are_orthogonal_to_the_symmetry, 0, SHAPE_COUNT);
  tcase_add_loop_test(tests, drift_and_diffusion_by_dense_matrices, 0, SHAPE_COUNT);
  tcase_add_test(tests, detailed_balance_does_not_turn);
  tcase_add_test(tests, motion_is_that_of_any_basis_of_the_hidden_layer);
  tcase_add_test(tests, covariance_over_a_time_by_the_moment_equations);
  tcase_add_test(tests, covariance_of_a_window_is_that_of_its_pairs);
  tcase_add_test(tests, covariance_of_many_modes_is_that_of_each_pair);
  tcase_add_loop_test(tests, mean_motion_is_that_of_the_balance_and_the_rotations, 0, SHAPE_COUNT);
  tcase_add_loop_test(tests, lifted_motion_lies_in_the_null_space, 0, SHAPE_COUNT);
  tcase_add_loop_test(tests, path_keeps_the_minimum_and_drifts_as_the_balance, 0, SHAPE_COUNT);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
