/* Rotations of the hidden layers under heavy-ball momentum: drift and diffusion against the recursion of positions and
 * velocities in dense matrices, against limits, and along the path of the minima. */
#include "../theory/prediction.h"
#include "../theory/rotation_momentum.h"
#include "../theory/slow_path.h"
#include "testing.h"

typedef struct {
  size_t widths[5], count, samples;
  double momentum, rate, decay;
} shape;

static const shape SHAPES[] = {{{4, 4, 4}, 3, 16, 0.9, 0.004, 0.0},    {{4, 3, 5}, 3, 30, 0.3, 0.05, 0.0},
                               {{4, 2, 4}, 3, 30, 0.6, 0.02, 0.0}, /* bottleneck: G != 0 */
                               {{3, 4, 2, 3}, 4, 30, 0.95, 0.01, 0.0}, {{4, 4, 4}, 3, 20, 0.7, 0.02, 0.05},
                               {{3, 3, 3}, 3, 12, 1e-13, 0.05, 0.0}}; /* none, by steps */
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES };

static sgf_problem *make_sampled(const shape *from, double momentum, double rate, sgf_equation equation,
                                 sgf_sampling sampling)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, from->count, from->widths);
  settings.data.samples = from->samples;
  settings.training.batch_size = 4;
  settings.training.learning_rate = rate;
  settings.training.momentum = momentum;
  settings.training.weight_decay = from->decay;
  settings.theory.equation = equation;
  settings.training.sampling = sampling;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_settings_free(&settings);
  return problem;
}

static sgf_problem *make(const shape *from, double momentum, double rate, sgf_equation equation)
{
  return make_sampled(from, momentum, rate, equation, SGF_SAMPLING_REPLACEMENT);
}

/* ------------------------------------------------- positions and velocities, dense */

/* On range(H) of dimension r: z' = F z + U xi, z = (delta, v) of 2r numbers, xi of covariance Q. */
typedef struct {
  size_t r;
  double lambda, momentum;
  double *basis;     /* (r, n) */
  double *F, *U, *Q; /* (2r, 2r), (2r, r), (r, r) */
  double *Z;         /* (2r, 2r), stationary */
} state;

/* X (m, m) = A X A^T + B by doublings. */
static void solve_stein(size_t m, const double *A, const double *B, double *X)
{
  double *power = new_reals(m * m), *work = new_reals(m * m), *turned = new_reals(m * m);
  memcpy(power, A, m * m * sizeof *power);
  memcpy(X, B, m * m * sizeof *X);
  for (int k = 0; k < 40; k++) {
    sgf_multiply(m, m, m, SGF_PLAIN, power, SGF_PLAIN, X, work);
    sgf_multiply(m, m, m, SGF_PLAIN, work, SGF_TRANSPOSED, power, turned);
    for (size_t i = 0; i < m * m; i++) X[i] += turned[i];
    sgf_multiply(m, m, m, SGF_PLAIN, power, SGF_PLAIN, power, work);
    memcpy(power, work, m * m * sizeof *power);
  }
  free(power);
  free(work);
  free(turned);
}

static state state_of(const sgf_problem *problem, const sgf_prediction *prediction)
{
  size_t n = problem->network.weights, r = prediction->joint.range.rank, m = 2 * r, rows, columns;
  double lambda = problem->settings.training.learning_rate, beta = problem->settings.training.momentum;
  double scale = lambda * lambda * prediction->info.noise_strength;
  state of = {
      r, lambda, beta, new_reals(n * n), new_reals(m * m), new_reals(m * r), new_reals(r * r), new_reals(m * m)};
  double *h = new_reals(n), *work = new_reals(n * n + m * m), *kicks = new_reals(m * m);
  const double *C = sgf_prediction_array(prediction, "noise_covariance", &rows, &columns);
  memcpy(of.basis, prediction->joint.range.V, n * n * sizeof *of.basis);
  memcpy(h, prediction->joint.range.h, n * sizeof *h);
  memmove(of.basis, of.basis + (n - r) * n, r * n * sizeof *of.basis);
  sgf_multiply(r, n, n, SGF_PLAIN, of.basis, SGF_PLAIN, C, work);
  sgf_multiply(r, r, n, SGF_PLAIN, work, SGF_TRANSPOSED, of.basis, of.Q);
  for (size_t k = 0; k < r * r; k++) of.Q[k] *= scale;
  for (size_t i = 0; i < r; i++) {
    double rho = lambda * h[n - r + i];
    of.F[i * m + i] = 1.0 - rho;
    of.F[(r + i) * m + i] = -rho;
    of.F[i * m + r + i] = of.F[(r + i) * m + r + i] = beta;
    of.U[i * r + i] = of.U[(r + i) * r + i] = 1.0;
  }
  sgf_multiply(m, r, r, SGF_PLAIN, of.U, SGF_PLAIN, of.Q, work);
  sgf_multiply(m, m, r, SGF_PLAIN, work, SGF_TRANSPOSED, of.U, kicks);
  solve_stein(m, of.F, kicks, of.Z);
  free(h);
  free(work);
  free(kicks);
  return of;
}

static void free_state(state *of)
{
  free(of->basis);
  free(of->F);
  free(of->U);
  free(of->Q);
  free(of->Z);
}

/* K (2r, 2r): delta . N delta' = z^T K z + (a part with xi), not symmetric; N (r, r). */
static void area_of(const state *of, const sgf_network *network, const sgf_mode *mode, double *N, double *K)
{
  size_t n = network->weights, r = of->r, m = 2 * r;
  double *turned = new_reals(n);
  for (size_t j = 0; j < r; j++) {
    sgf_symmetry_apply(network, mode, of->basis + j * n, turned);
    for (size_t i = 0; i < r; i++) N[i * r + j] = sgf_dot(n, of->basis + i * n, turned);
  }
  memset(K, 0, m * m * sizeof *K);
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < m; j++)
      for (size_t k = 0; k < r; k++) K[i * m + j] += N[i * r + k] * of->F[k * m + j];
  free(turned);
}

static double trace_of_product(size_t n, const double *A, const double *B)
{
  double sum = 0.0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) sum += A[i * n + j] * B[j * n + i];
  return sum;
}

/* What a step adds to the martingale z^T P z + nu: z^T B xi + xi^T Pi xi, P = F^T P F + sym K, B = (N, 0)^T + 2 F^T P U, Pi =
 * U^T P U; and the drift of nu a step. B (2r, r), Pi (r, r). */
static double martingale_of(const state *of, const sgf_network *network, const sgf_mode *mode, double *B, double *Pi)
{
  size_t r = of->r, m = 2 * r;
  double *N = new_reals(r * r), *K = new_reals(m * m), *P = new_reals(m * m), *turned = new_reals(m * m);
  double *PU = new_reals(m * r);
  area_of(of, network, mode, N, K);
  double drift = trace_of_product(m, K, of->Z);
  sgf_symmetrize(m, K);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < m; j++) turned[i * m + j] = of->F[j * m + i];
  solve_stein(m, turned, K, P);
  sgf_multiply(m, r, m, SGF_PLAIN, P, SGF_PLAIN, of->U, PU);
  sgf_multiply(r, r, m, SGF_TRANSPOSED, of->U, SGF_PLAIN, PU, Pi);
  sgf_multiply(m, r, m, SGF_PLAIN, turned, SGF_PLAIN, PU, B);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < r; j++) B[i * r + j] = 2.0 * B[i * r + j] + (i < r ? N[i * r + j] : 0.0);
  free(N);
  free(K);
  free(P);
  free(turned);
  free(PU);
  return drift;
}

/* tr(B^T Z B' Q) + 2 tr(Pi Q Pi' Q). */
static double step_covariance(const state *of, const double *B, const double *Pi, const double *other_B,
                              const double *other_Pi)
{
  size_t r = of->r, m = 2 * r;
  double *ZB = new_reals(m * r), *BZB = new_reals(r * r), *one = new_reals(r * r), *other = new_reals(r * r);
  sgf_multiply(m, r, m, SGF_PLAIN, of->Z, SGF_PLAIN, other_B, ZB);
  sgf_multiply(r, r, m, SGF_TRANSPOSED, B, SGF_PLAIN, ZB, BZB);
  sgf_multiply(r, r, r, SGF_PLAIN, Pi, SGF_PLAIN, of->Q, one);
  sgf_multiply(r, r, r, SGF_PLAIN, other_Pi, SGF_PLAIN, of->Q, other);
  double covariance = trace_of_product(r, BZB, of->Q) + 2.0 * trace_of_product(r, one, other);
  free(ZB);
  free(BZB);
  free(one);
  free(other);
  return covariance;
}

/* Drift and diffusion of every hidden layer's rotations, by martingales of positions and velocities. */
START_TEST(motion_by_the_recursion_of_positions_and_velocities)
{
  const shape *from = &SHAPES[_i];
  sgf_problem *problem = make(from, from->momentum, from->rate, SGF_EQUATION_DISCRETE);
  const sgf_network *network = &problem->network;
  sgf_prediction *prediction = predict(problem);
  state of = state_of(problem, prediction);
  for (size_t l = 1; l < network->layers; l++) {
    size_t count = sgf_rotation_count(network, l), r = of.r, rows, columns;
    sgf_mode modes[16];
    char name[48];
    sgf_rotations(network, l, modes);
    double *drift = new_reals(count), *diffusion = new_reals(count * count);
    double *B = new_reals(count * 2 * r * r), *Pi = new_reals(count * r * r);
    for (size_t a = 0; a < count; a++)
      drift[a] = martingale_of(&of, network, &modes[a], B + a * 2 * r * r, Pi + a * r * r) / of.lambda;
    for (size_t a = 0; a < count; a++)
      for (size_t b = 0; b < count; b++)
        diffusion[a * count + b] =
            step_covariance(&of, B + a * 2 * r * r, Pi + a * r * r, B + b * 2 * r * r, Pi + b * r * r) / of.lambda;
    snprintf(name, sizeof name, "rotation/layer%zu/drift", l);
    const double *found = sgf_prediction_array(prediction, name, &rows, &columns);
    ck_assert(found != NULL && rows == count);
    if (from->momentum > 1e-6) ASSERT_CLOSE(count, found, drift, 1e-9);
    snprintf(name, sizeof name, "rotation/layer%zu/diffusion", l);
    found = sgf_prediction_array(prediction, name, &rows, &columns);
    ck_assert(found != NULL && rows == count && columns == count);
    ASSERT_CLOSE(count * count, found, diffusion, 1e-9);
    free(drift);
    free(diffusion);
    free(B);
    free(Pi);
  }
  free_state(&of);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Without momentum the martingale has B_ij = N_ij h_i (2 - lambda h_i) / (h_i + h_j - lambda h_i h_j). */
START_TEST(without_momentum_the_step_has_a_closed_form)
{
  const shape *from = &SHAPES[SHAPE_COUNT - 1];
  sgf_problem *problem = make(from, from->momentum, from->rate, SGF_EQUATION_DISCRETE);
  sgf_prediction *prediction = predict(problem);
  state of = state_of(problem, prediction);
  size_t r = of.r, m = 2 * r;
  sgf_mode modes[3];
  double *N = new_reals(r * r), *K = new_reals(m * m), *B = new_reals(m * r), *Pi = new_reals(r * r);
  double *expected = new_reals(r * r);
  sgf_rotations(&problem->network, 1, modes);
  area_of(&of, &problem->network, &modes[1], N, K);
  martingale_of(&of, &problem->network, &modes[1], B, Pi);
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) {
      double a = -of.F[(r + i) * m + i], b = -of.F[(r + j) * m + j];
      expected[i * r + j] = N[i * r + j] * a * (2.0 - a) / (a + b - a * b);
    }
  ASSERT_CLOSE(r * r, B, expected, 1e-10);
  free(N);
  free(K);
  free(B);
  free(Pi);
  free(expected);
  free_state(&of);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* -------------------------------------------------------------------- limits */

/* The largest deviation of drift and of diffusion from those of plain SGD at the rate lambda / (1 - beta), in its time. */
static void deviations(const shape *from, double rate, sgf_equation equation, double deviation[2])
{
  double slow = 1.0 - from->momentum;
  sgf_problem *heavy = make(from, from->momentum, rate, equation);
  sgf_problem *plain = make(from, 0.0, rate / slow, SGF_EQUATION_CONTINUUM);
  sgf_prediction *one = predict(heavy), *other = predict(plain);
  const char *const names[] = {"rotation/layer1/drift", "rotation/layer1/diffusion"};
  for (size_t k = 0; k < 2; k++) {
    size_t rows, columns;
    const double *found = sgf_prediction_array(one, names[k], &rows, &columns);
    const double *limit = sgf_prediction_array(other, names[k], &rows, &columns);
    double *expected = new_reals(rows * columns);
    for (size_t i = 0; i < rows * columns; i++) expected[i] = limit[i] / slow;
    deviation[k] = relative_difference(rows * columns, found, expected);
    free(expected);
  }
  sgf_prediction_free(one);
  sgf_prediction_free(other);
  sgf_problem_free(heavy);
  sgf_problem_free(plain);
}

START_TEST(small_rates_are_those_of_the_effective_rate)
{
  const shape *from = &SHAPES[_i];
  double coarse[2], fine[2], flow[2];
  deviations(from, 1e-3 * (1.0 - from->momentum), SGF_EQUATION_DISCRETE, coarse);
  deviations(from, 5e-4 * (1.0 - from->momentum), SGF_EQUATION_DISCRETE, fine);
  deviations(from, from->rate, SGF_EQUATION_CONTINUUM, flow);
  for (size_t k = 0; k < 2; k++) {
    ck_assert_msg(coarse[k] < 0.05, "%g", coarse[k]);
    ASSERT_NEAR(fine[k] / coarse[k], 0.5, 0.05);
    ck_assert_msg(flow[k] < 1e-10, "%g", flow[k]);
  }
}
END_TEST

/* The covariance over a time, against the sum over the lags of positions and velocities; what the flow saturates by is
 * needed. */
START_TEST(turning_in_a_finite_time)
{
  const shape from = {{4, 4, 4}, 3, 16, 0.8, 5e-4, 0.0};
  sgf_problem *problem = make(&from, from.momentum, from.rate, SGF_EQUATION_DISCRETE);
  const sgf_network *network = &problem->network;
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_motion motion;
  sgf_mode mode[6];
  state of = state_of(problem, prediction);
  size_t r = of.r, m = 2 * r, steps = 1000;
  double *N = new_reals(r * r), *K = new_reals(m * m), *R[3], *left = new_reals(r * r);
  double *NR = new_reals(r * r), expected = 0.0, found, rate;
  sgf_rotations(network, 1, mode);
  area_of(&of, network, &mode[2], N, K);
  /* R(k) = (F^k Z)_dd; cov(q_0, q_k) = sum N o [ R(k) N R(k)^T - R(k-1) N R(k+1)^T ] */
  double *past = new_reals(m * m), *next = new_reals(m * m);
  for (size_t k = 0; k < 3; k++) R[k] = new_reals(r * r);
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) R[0][i * r + j] = of.Z[i * m + j] - of.Z[(r + i) * m + j]; /* R(-1) */
  memcpy(past, of.Z, m * m * sizeof *past);
  for (size_t k = 0; k < steps; k++) {
    sgf_multiply(m, m, m, SGF_PLAIN, of.F, SGF_PLAIN, past, next);
    for (size_t i = 0; i < r; i++)
      for (size_t j = 0; j < r; j++) {
        R[1][i * r + j] = past[i * m + j];
        R[2][i * r + j] = next[i * m + j];
      }
    double times = (k == 0 ? 1.0 : 2.0) * (double)(steps - k);
    sgf_multiply(r, r, r, SGF_PLAIN, N, SGF_TRANSPOSED, R[1], NR);
    sgf_multiply(r, r, r, SGF_PLAIN, R[1], SGF_PLAIN, NR, left);
    expected += times * sgf_dot(r * r, N, left);
    sgf_multiply(r, r, r, SGF_PLAIN, N, SGF_TRANSPOSED, R[2], NR);
    sgf_multiply(r, r, r, SGF_PLAIN, R[0], SGF_PLAIN, NR, left);
    expected -= times * sgf_dot(r * r, N, left);
    memcpy(R[0], R[1], r * r * sizeof **R);
    memcpy(past, next, m * m * sizeof *past);
  }
  const sgf_lags lags = {1.0, from.rate * (double)steps}, in_the_long_run = {0.0, 0.0};
  ASSERT_OK(sgf_motion_create_configured(problem, &prediction->joint, NULL, &motion, &error), error);
  ASSERT_OK(sgf_motion_covariance_configured(problem, &motion, &lags, 1, &mode[2], &found, &error), error);
  ASSERT_OK(sgf_motion_covariance_configured(problem, &motion, &in_the_long_run, 1, &mode[2], &rate, &error), error);
  ASSERT_NEAR(found / expected, 1.0, 0.01);
  ck_assert_msg(fabs(rate * lags.spacing / expected - 1.0) > 0.03, "%g", rate * lags.spacing / expected);
  for (size_t k = 0; k < 3; k++) free(R[k]);
  free(N);
  free(K);
  free(left);
  free(NR);
  free(past);
  free(next);
  sgf_motion_free(&motion);
  free_state(&of);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Scalings drift by half of what the balance does, to leading order; and the path along the minima is that of the rate
 * lambda / (1 - beta) in its time. */
START_TEST(path_of_the_minima_with_momentum)
{
  const shape from = {{4, 3, 4}, 3, 30, 0.8, 0.004, 0.0};
  double slow = 1.0 - from.momentum, time = 40.0;
  sgf_problem *heavy = make(&from, from.momentum, from.rate, SGF_EQUATION_CONTINUUM);
  sgf_problem *plain = make(&from, 0.0, from.rate / slow, SGF_EQUATION_CONTINUUM);
  const sgf_network *network = &heavy->network;
  sgf_prediction *one = predict(heavy), *other = predict(plain);
  sgf_error error = {SGF_OK, ""};
  sgf_slow_path path, limit;
  sgf_motion motion;
  size_t n = network->weights, count = sgf_symmetry_count(network), rows, columns;
  sgf_mode *modes;
  double *moved = new_reals(n), *expected = new_reals(n), *drift = new_reals(count);
  ASSERT_OK(sgf_modes_create(count, &modes, &error), error);
  sgf_symmetries(network, modes);
  ASSERT_OK(sgf_motion_create_configured(heavy, &one->joint, NULL, &motion, &error), error);
  ASSERT_OK(sgf_motion_drift(&motion, count, modes, drift, &error), error);
  const double *balance = sgf_prediction_array(one, "layer1/balance_drift", &rows, &columns);
  for (size_t a = 0; a < count; a++)
    if (!modes[a].rotation)
      ASSERT_NEAR(drift[a], (modes[a].i == modes[a].j ? 0.5 : 1.0) * balance[modes[a].i * rows + modes[a].j],
                  1e-11 * one->info.balance_drift);
  ASSERT_OK(sgf_slow_path_create(heavy, one, 0.0, time, &path, &error), error);
  ASSERT_OK(sgf_slow_path_create(plain, other, 0.0, time / slow, &limit, &error), error);
  sgf_slow_path_at(&path, 0.7 * time, moved);
  sgf_slow_path_at(&limit, 0.7 * time / slow, expected);
  ASSERT_CLOSE(n, moved, expected, 1e-9);
  ck_assert(sgf_norm(n, moved) > 1e-2);
  sgf_slow_path_free(&path);
  sgf_slow_path_free(&limit);
  sgf_motion_free(&motion);
  free(modes);
  free(moved);
  free(expected);
  free(drift);
  sgf_prediction_free(one);
  sgf_prediction_free(other);
  sgf_problem_free(heavy);
  sgf_problem_free(plain);
}
END_TEST

/* ------------------------------------------------------------ reshuffled epochs */

/* E[z z^T] over the steps of epochs from rest, with the covariance of the state with the noise of every batch to come: the
 * mean over the steps of `counted` epochs after `skipped` ones. Z (2r, 2r). */
static void walk_epochs(const state *of, size_t batches, size_t skipped, size_t counted, double *Z)
{
  size_t r = of->r, m = 2 * r;
  double M = (double)batches, share = 1.0 / (M * (double)counted);
  double *now = new_reals(m * m), *work = new_reals(m * m), *with = new_reals(batches * m * r),
         *UQ = new_reals(m * r);
  double *moved = new_reals(m * r), *cross = new_reals(m * m), *kick = new_reals(m * m);
  sgf_multiply(m, r, r, SGF_PLAIN, of->U, SGF_PLAIN, of->Q, UQ);
  sgf_multiply(m, m, r, SGF_PLAIN, UQ, SGF_TRANSPOSED, of->U, kick);
  memset(Z, 0, m * m * sizeof *Z);
  for (size_t epoch = 0; epoch < skipped + counted; epoch++) {
    memset(with, 0, batches * m * r * sizeof *with);
    for (size_t k = 0; k < batches; k++) {
      sgf_multiply(m, m, m, SGF_PLAIN, of->F, SGF_PLAIN, now, work);
      sgf_multiply(m, m, m, SGF_PLAIN, work, SGF_TRANSPOSED, of->F, now);
      sgf_multiply(m, r, m, SGF_PLAIN, of->F, SGF_PLAIN, with + k * m * r, moved);
      sgf_multiply(m, m, r, SGF_PLAIN, moved, SGF_TRANSPOSED, of->U, cross);
      for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++) now[i * m + j] += cross[i * m + j] + cross[j * m + i] + kick[i * m + j];
      for (size_t l = k + 1; l < batches; l++) {
        sgf_multiply(m, r, m, SGF_PLAIN, of->F, SGF_PLAIN, with + l * m * r, moved);
        for (size_t i = 0; i < m * r; i++) with[l * m * r + i] = moved[i] - UQ[i] / (M - 1.0);
      }
      for (size_t i = 0; i < m * m && epoch >= skipped; i++) Z[i] += share * now[i];
    }
  }
  free(now);
  free(work);
  free(with);
  free(UQ);
  free(moved);
  free(cross);
  free(kick);
}

/* Of all modes: rotations sum N_ij E[delta_i v_j], scalings (1 + beta) / 2(1 - beta) sum N_ij E[v_i v_j], per unit of time. */
static void drift_of_epochs(const state *of, const sgf_network *network, const double *Z, size_t count,
                            const sgf_mode *modes, double *drift)
{
  size_t r = of->r, m = 2 * r;
  double *N = new_reals(r * r), *K = new_reals(m * m), speed = 0.5 * (1.0 + of->momentum) / (1.0 - of->momentum);
  for (size_t a = 0; a < count; a++) {
    area_of(of, network, &modes[a], N, K);
    drift[a] = 0.0;
    for (size_t i = 0; i < r; i++)
      for (size_t j = 0; j < r; j++)
        drift[a] +=
            N[i * r + j] / of->lambda * (modes[a].rotation ? Z[i * m + r + j] : speed * Z[(r + i) * m + r + j]);
  }
  free(N);
  free(K);
}

static const shape EPOCHS[] = {{{4, 4, 4}, 3, 40, 0.0, 0.02, 0.0},
                               {{4, 3, 5}, 3, 40, 0.7, 0.02, 0.0},
                               {{3, 3, 2, 3}, 4, 600, 0.0, 0.05, 0.0}, /* more batches than a walk takes at once */
                               {{3, 2, 3}, 3, 24, 0.9, 0.01, 0.0}};
enum { EPOCH_COUNT = sizeof EPOCHS / sizeof *EPOCHS };

START_TEST(drift_in_reshuffled_epochs)
{
  const shape *from = &EPOCHS[_i];
  sgf_problem *problem = make_sampled(from, from->momentum, from->rate, SGF_EQUATION_DISCRETE, SGF_SAMPLING_EPOCH);
  const sgf_network *network = &problem->network;
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  state of = state_of(problem, prediction);
  size_t m = 2 * of.r, batches = from->samples / 4, count = sgf_symmetry_count(network), rows, columns;
  sgf_mode *modes;
  sgf_motion motion;
  double *Z = new_reals(m * m), *expected = new_reals(count), *found = new_reals(count);
  ASSERT_OK(sgf_modes_create(count, &modes, &error), error);
  sgf_symmetries(network, modes);
  const sgf_plan plan = {.burn_in_steps = 2 * batches, .window_steps = 3 * batches, .stride = 1};
  walk_epochs(&of, batches, 2, 3, Z);
  drift_of_epochs(&of, network, Z, count, modes, expected);
  ASSERT_OK(sgf_motion_create_configured(problem, &prediction->joint, &plan, &motion, &error), error);
  ASSERT_OK(sgf_motion_drift(&motion, count, modes, found, &error), error);
  ASSERT_CLOSE(count, found, expected, 1e-9);
  sgf_motion_free(&motion);
  /* and long after: as predicted, the scalings' that of the balance */
  double relaxed = 16.0 * (1.0 - from->momentum) / (prediction->info.relaxation_rate * from->rate * (double)batches);
  if (relaxed < 400.0) {
    walk_epochs(&of, batches, (size_t)relaxed + 40, 1, Z);
    drift_of_epochs(&of, network, Z, count, modes, expected);
    const double *drift = sgf_prediction_array(prediction, "rotation/layer1/drift", &rows, &columns);
    ck_assert(drift != NULL && rows == sgf_rotation_count(network, 1));
    ASSERT_CLOSE(rows, drift, expected, 1e-6);
  }
  const sgf_rotation_info *info = sgf_prediction_get_rotation(prediction, 1);
  ck_assert(info->left_out == NULL && info->too_many == NULL && isfinite(info->drift) && info->diffusion > 0.0);
  free(modes);
  free(Z);
  free(expected);
  free(found);
  free_state(&of);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* An epoch as one step of (z, xi_0 ... xi_{M-1}), 2r + M r numbers: G (d, d) their covariance; delta and v of the last batch
 * as rows; the form (d, d) of what the epoch adds to nu. */
typedef struct {
  size_t d;
  double *G, *end, *form, *K;
} epoch_step;

/* delta(k)^T N delta(k+1) of every batch, symmetrized; then the martingale's form, with P of the states. */
static void fill_step(const state *of, const double *N, size_t batches, epoch_step *step)
{
  size_t r = of->r, m = 2 * r, d = step->d;
  double *next = new_reals(m * d), *turned = new_reals(r * d), *FM = new_reals(m * m), *block = new_reals(m * m);
  double *P = new_reals(m * m), *PE = new_reals(m * d);
  memset(step->end, 0, m * d * sizeof *step->end);
  memset(step->form, 0, d * d * sizeof *step->form);
  for (size_t i = 0; i < m; i++) step->end[i * d + i] = 1.0;
  for (size_t k = 0; k < batches; k++) {
    sgf_multiply(m, d, m, SGF_PLAIN, of->F, SGF_PLAIN, step->end, next);
    for (size_t i = 0; i < r; i++) {
      next[i * d + m + k * r + i] += 1.0;
      next[(r + i) * d + m + k * r + i] += 1.0;
    }
    sgf_multiply(r, d, r, SGF_PLAIN, N, SGF_PLAIN, next, turned);
    for (size_t i = 0; i < d; i++)
      for (size_t j = 0; j < d; j++)
        for (size_t s = 0; s < r; s++) step->form[i * d + j] += step->end[s * d + i] * turned[s * d + j];
    memcpy(step->end, next, m * d * sizeof *next);
  }
  sgf_symmetrize(d, step->form);
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < m; j++) {
      FM[i * m + j] = step->end[j * d + i];
      block[i * m + j] = step->form[i * d + j];
    }
  solve_stein(m, FM, block, P);
  sgf_multiply(m, d, m, SGF_PLAIN, P, SGF_PLAIN, step->end, PE);
  sgf_multiply(d, d, m, SGF_TRANSPOSED, step->end, SGF_PLAIN, PE, step->K);
  for (size_t i = 0; i < d; i++)
    for (size_t j = 0; j < d; j++)
      step->K[i * d + j] += step->form[i * d + j] - (i < m && j < m ? P[i * m + j] : 0.0);
  free(next);
  free(turned);
  free(FM);
  free(block);
  free(P);
  free(PE);
}

/* G: the noise of an epoch, and the stationary states at its start. */
static void fill_covariance(const state *of, size_t batches, epoch_step *step)
{
  size_t r = of->r, m = 2 * r, d = step->d;
  double M = (double)batches, *EG = new_reals(m * d), *B = new_reals(m * m), *FM = new_reals(m * m);
  double *Z = new_reals(m * m);
  memset(step->G, 0, d * d * sizeof *step->G);
  for (size_t k = 0; k < batches; k++)
    for (size_t l = 0; l < batches; l++)
      for (size_t i = 0; i < r; i++)
        for (size_t j = 0; j < r; j++)
          step->G[(m + k * r + i) * d + m + l * r + j] = (k == l ? 1.0 : -1.0 / (M - 1.0)) * of->Q[i * r + j];
  sgf_multiply(m, d, d, SGF_PLAIN, step->end, SGF_PLAIN, step->G, EG);
  sgf_multiply(m, m, d, SGF_PLAIN, EG, SGF_TRANSPOSED, step->end, B);
  for (size_t i = 0; i < m; i++) memcpy(FM + i * m, step->end + i * d, m * sizeof *FM);
  solve_stein(m, FM, B, Z);
  for (size_t i = 0; i < m; i++) memcpy(step->G + i * d, Z + i * m, m * sizeof *Z);
  free(EG);
  free(B);
  free(FM);
  free(Z);
}

static const shape DIFFUSING[] = {
    {{3, 3, 3}, 3, 28, 0.0, 0.05, 0.0}, {{3, 2, 3}, 3, 32, 0.8, 0.02, 0.0}, {{2, 3, 2, 2}, 4, 20, 0.4, 0.1, 0.0}};

START_TEST(diffusion_in_reshuffled_epochs)
{
  const shape *from = &DIFFUSING[_i];
  sgf_problem *problem = make_sampled(from, from->momentum, from->rate, SGF_EQUATION_DISCRETE, SGF_SAMPLING_EPOCH);
  sgf_prediction *prediction = predict(problem);
  state of = state_of(problem, prediction);
  size_t r = of.r, m = 2 * r, batches = from->samples / 4, d = m + batches * r, rows, columns;
  size_t count = sgf_rotation_count(&problem->network, 1);
  epoch_step step = {d, new_reals(d * d), new_reals(m * d), new_reals(d * d), new_reals(d * d)};
  double *N = new_reals(r * r), *J = new_reals(m * m), *moved[3], *expected = new_reals(count * count);
  sgf_mode modes[3];
  sgf_rotations(&problem->network, 1, modes);
  for (size_t a = 0; a < count; a++) {
    moved[a] = new_reals(d * d);
    area_of(&of, &problem->network, &modes[a], N, J);
    fill_step(&of, N, batches, &step);
    if (a == 0) fill_covariance(&of, batches, &step);
    sgf_multiply(d, d, d, SGF_PLAIN, step.K, SGF_PLAIN, step.G, moved[a]);
  }
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++)
      expected[a * count + b] = 2.0 * trace_of_product(d, moved[a], moved[b]) / (of.lambda * (double)batches);
  const double *found = sgf_prediction_array(prediction, "rotation/layer1/diffusion", &rows, &columns);
  ck_assert(found != NULL && rows == count && columns == count);
  ASSERT_CLOSE(count * count, found, expected, 1e-9);
  for (size_t a = 0; a < count; a++) free(moved[a]);
  free(step.G);
  free(step.end);
  free(step.form);
  free(step.K);
  free(N);
  free(J);
  free(expected);
  free_state(&of);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Epochs that are long against the relaxation drift as fresh subsets do, short ones hardly: to order lambda h M. */
START_TEST(drift_in_long_and_short_epochs)
{
  shape from = {{3, 3, 3}, 3, 20000, 0.0, 0.02, 0.0};
  double ratio[2];
  for (size_t k = 0; k < 2; k++) {
    from.rate = k == 0 ? 0.02 : 1e-6;
    const sgf_sampling samplings[] = {SGF_SAMPLING_EPOCH, SGF_SAMPLING_WITHOUT_REPLACEMENT};
    double drift[2];
    for (size_t s = 0; s < 2; s++) {
      sgf_problem *problem = make_sampled(&from, 0.0, from.rate, SGF_EQUATION_DISCRETE, samplings[s]);
      sgf_prediction *prediction = predict(problem);
      drift[s] = sgf_prediction_get_rotation(prediction, 1)->drift;
      sgf_prediction_free(prediction);
      sgf_problem_free(problem);
    }
    ratio[k] = drift[0] / drift[1];
  }
  ASSERT_NEAR(ratio[0], 1.0, 0.1);
  ck_assert_msg(ratio[1] < 0.02, "%g", ratio[1]);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("rotations with momentum");
  TCase *tests = tcase_create("rotations with momentum");
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, motion_by_the_recursion_of_positions_and_velocities, 0, SHAPE_COUNT);
  tcase_add_test(tests, without_momentum_the_step_has_a_closed_form);
  tcase_add_loop_test(tests, small_rates_are_those_of_the_effective_rate, 0, 3);
  tcase_add_test(tests, turning_in_a_finite_time);
  tcase_add_test(tests, path_of_the_minima_with_momentum);
  tcase_add_loop_test(tests, drift_in_reshuffled_epochs, 0, EPOCH_COUNT);
  tcase_add_loop_test(tests, diffusion_in_reshuffled_epochs, 0, 3);
  tcase_add_test(tests, drift_in_long_and_short_epochs);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
