/* The engine of SGD: its kernels, its steps against plain ones, its state, the law of its indices, Langevin dynamics. */
#include <gsl/gsl_cdf.h>

#include "../theory/diffusion.h"
#include "../theory/drift.h"
#include "../theory/linear_algebra.h"
#include "../verify/sgd.h"
#include "testing.h"

/* The width of AVX-512 in plain code, so that its text is tested on machines without it. */
#define VARIANT wide
#define TARGET
#define LANES 8
#define MULTIPLY_ADD(a, x, sum) ((sum) + (a) * (x))
#define MULTIPLY_ADD_VECTORS(a, x, sum) ((sum) + (a) * (x))
#include "../verify/kernel_text.h"

enum { TABLES = 4 };

/* The tables that this machine can run, then the wide one; NULL for others. */
static const sgf_kernels *table(int index)
{
  if (index == 3) return &sgf_kernels_wide;
  const sgf_kernels *kernels = sgf_kernels_of((sgf_kernel_width)index);
  return kernels != NULL && kernels->lanes <= sgf_kernels_of_machine()->lanes ? kernels : NULL;
}

/* ------------------------------------------------------------------- kernels */

START_TEST(products_are_those_of_plain_loops)
{
  const sgf_kernels *kernels = table(_i);
  enum { MOST = 9 };
  double A[MOST * MOST], *B = new_reals(MOST * 64), *C = new_reals(MOST * 64), *plain = new_reals(MOST * 64);
  fill_normal(71, MOST * MOST, A);
  fill_normal(72, MOST * 64, B);
  for (size_t rows = 1; kernels != NULL && rows <= MOST; rows++)
    for (size_t columns = kernels->lanes; columns <= 7 * kernels->lanes; columns += kernels->lanes)
      for (size_t inner = 1; inner <= MOST; inner += 2)
        for (int which = 0; which < 4; which++) {
          size_t row_step = which & 1 ? 1 : inner, inner_step = which & 1 ? rows : 1;
          fill_normal(73, MOST * 64, C);
          memcpy(plain, C, MOST * 64 * sizeof *C);
          kernels->multiply(rows, columns, inner, A, row_step, inner_step, B, 64, C, 64, which & 2);
          for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < columns; j++) {
              double sum = which & 2 ? plain[i * 64 + j] : 0.0;
              for (size_t k = 0; k < inner; k++) sum += A[i * row_step + k * inner_step] * B[k * 64 + j];
              plain[i * 64 + j] = sum;
            }
          ASSERT_CLOSE(MOST * 64, C, plain, 1e-14); /* and nothing beside the product has changed */
        }
  free(B);
  free(C);
  free(plain);
}
END_TEST

START_TEST(transposes_and_updates_are_those_of_plain_loops)
{
  const sgf_kernels *kernels = table(_i);
  enum { ROWS = 11, COLUMNS = 13, COUNT = 48 };
  double A[ROWS * COLUMNS], B[ROWS * COLUMNS] = {0}, g[COUNT], v[COUNT], theta[COUNT], square = 0.0;
  double g_plain[COUNT], v_plain[COUNT], theta_plain[COUNT];
  fill_normal(74, ROWS * COLUMNS, A);
  for (size_t rows = 1; kernels != NULL && rows <= ROWS; rows++)
    for (size_t columns = 1; columns <= COLUMNS; columns++) {
      kernels->transpose(rows, columns, A, COLUMNS, B, ROWS);
      for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) ck_assert(B[j * ROWS + i] == A[i * COLUMNS + j]);
    }
  for (int heavy = 0; kernels != NULL && heavy < 2; heavy++) {
    double momentum = heavy ? 0.7 : 0.0;
    fill_normal(75, COUNT, g);
    fill_normal(76, COUNT, v);
    fill_normal(77, COUNT, theta);
    square = 0.0;
    for (size_t k = 0; k < COUNT; k++) {
      g_plain[k] = g[k] + 0.3 * theta[k];
      square += g_plain[k] * g_plain[k];
      v_plain[k] = momentum * (heavy ? v[k] : 0.0) - 0.1 * g_plain[k];
      theta_plain[k] = theta[k] + v_plain[k];
    }
    double measured = kernels->step(COUNT, 0.1, momentum, 0.3, g, heavy ? v : NULL, theta);
    ASSERT_NEAR(measured, square, 1e-13 * square);
    ASSERT_CLOSE(COUNT, g, g_plain, 1e-15);
    ASSERT_CLOSE(COUNT, theta, theta_plain, 1e-15);
    if (heavy) ASSERT_CLOSE(COUNT, v, v_plain, 1e-15);
  }
}
END_TEST

/* --------------------------------------------------------------------- steps */

typedef struct {
  size_t layers, widths[6];
  size_t samples, batch, layer; /* layer 0: all are trained */
  sgf_sampling sampling;
  double momentum, decay;
} trial;

static const trial TRIALS[] = {
    {1, {5, 1}, 12, 4, 0, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {1, {37, 1}, 50, 15, 0, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.6, 0.1},
    {1, {70, 1}, 90, 1, 0, SGF_SAMPLING_EPOCH, 0.0, 0.2},
    {1, {1, 1}, 3, 2, 0, SGF_SAMPLING_REPLACEMENT, 0.5, 0.0},
    {1, {7, 3}, 24, 6, 0, SGF_SAMPLING_EPOCH, 0.9, 0.0},
    {2, {4, 5, 3}, 20, 7, 0, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {2, {20, 20, 20}, 60, 20, 0, SGF_SAMPLING_EPOCH, 0.0, 0.05},
    {2, {9, 64, 1}, 30, 5, 0, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.3, 0.0},
    {2, {3, 2, 4}, 300, 290, 0, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0, 0.0}, /* more than are computed together */
    {3, {5, 6, 7, 2}, 20, 1, 0, SGF_SAMPLING_REPLACEMENT, 0.4, 0.1},
    {4, {3, 13, 1, 6, 5}, 30, 10, 0, SGF_SAMPLING_EPOCH, 0.0, 0.0},
    {3, {5, 6, 7, 2}, 20, 4, 1, SGF_SAMPLING_REPLACEMENT, 0.0, 0.1},
    {3, {5, 6, 7, 2}, 20, 4, 2, SGF_SAMPLING_EPOCH, 0.5, 0.0},
    {3, {5, 6, 7, 2}, 20, 4, 3, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0, 0.0},
    {2, {8, 3, 1}, 20, 4, 2, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0}};
enum { TRIAL_COUNT = sizeof TRIALS / sizeof *TRIALS };

/* A problem at arbitrary weights, without a minimum. */
static void set_up(const trial *what, sgf_problem *problem)
{
  sgf_error error = {SGF_OK, ""};
  memset(problem, 0, sizeof *problem);
  sgf_settings_init(&problem->settings);
  ASSERT_OK(sgf_network_create(what->widths, what->layers + 1, &problem->network, &error), error);
  make_dataset(what->samples, what->widths[0], what->widths[what->layers], 60, &problem->data);
  problem->settings.training.learning_rate = 0.01;
  problem->settings.training.weight_decay = what->decay;
  problem->settings.training.momentum = what->momentum;
  problem->settings.training.batch_size = what->batch;
  problem->settings.training.sampling = what->sampling;
  problem->theta = new_reals(problem->network.weights);
  fill_normal(61, problem->network.weights, problem->theta);
  for (size_t k = 0; k < problem->network.weights; k++) problem->theta[k] *= 0.3;
}

static void tear_down(sgf_problem *problem)
{
  sgf_network_free(&problem->network);
  sgf_dataset_free(&problem->data);
  free(problem->theta);
}

static sgf_engine *engine_of(const sgf_problem *problem, size_t layer, const sgf_kernels *kernels)
{
  sgf_error error = {SGF_OK, ""};
  sgf_engine *engine;
  ASSERT_OK(sgf_engine_create_with(problem, layer, kernels, &engine, &error), error);
  return engine;
}

static void start(const sgf_engine *engine, uint64_t replica, sgf_sgd *run)
{
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_sgd_create(engine, replica, run, &error), error);
}

/* g (n) = factor times the gradient of |y - M x|^2 / 2 of one sample at theta, weight by weight: dM/dW_l of a path. */
static void add_sample_gradient(const sgf_problem *problem, const double *theta, size_t sample, double factor,
                                double *g)
{
  const sgf_network *network = &problem->network;
  const size_t *N = network->widths;
  size_t L = network->layers;
  double h[6][80] = {{0}}, e[6][80] = {{0}};
  for (size_t q = 0; q < N[0]; q++) h[0][q] = problem->data.X[sample * N[0] + q];
  for (size_t l = 1; l <= L; l++)
    for (size_t p = 0; p < N[l]; p++)
      for (size_t q = 0; q < N[l - 1]; q++) h[l][p] += theta[network->offsets[l] + p * N[l - 1] + q] * h[l - 1][q];
  for (size_t p = 0; p < N[L]; p++) e[L][p] = h[L][p] - problem->data.Y[sample * N[L] + p];
  for (size_t l = L; l >= 1; l--)
    for (size_t p = 0; p < N[l]; p++)
      for (size_t q = 0; q < N[l - 1]; q++) {
        e[l - 1][q] += theta[network->offsets[l] + p * N[l - 1] + q] * e[l][p];
        g[network->offsets[l] + p * N[l - 1] + q] += factor * e[l][p] * h[l - 1][q];
      }
}

/* Steps as the equations say them, for the same indices. */
static void plain_steps(const sgf_problem *problem, const sgf_engine *engine, uint64_t replica, size_t steps,
                        double *theta, double *squares)
{
  const sgf_settings *settings = &problem->settings;
  size_t n = problem->network.weights, S = settings->training.batch_size, *indices = calloc(S, sizeof *indices);
  double *g = new_reals(n), *v = new_reals(n), lambda = settings->training.learning_rate;
  sgf_sampler sampler;
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_sampler_create(settings->training.sampling, problem->data.samples, S, settings->seed,
                               replica + engine->layer * SGF_ALONE, &sampler, &error),
            error);
  for (size_t t = 0; t < steps; t++) {
    memset(g, 0, n * sizeof *g);
    sgf_sampler_draw(&sampler, t, indices);
    for (size_t s = 0; s < S; s++) add_sample_gradient(problem, theta, indices[s], 1.0 / (double)S, g);
    for (size_t k = engine->first; k < engine->first + engine->count; k++) {
      g[k] += settings->training.weight_decay * theta[k];
      *squares += g[k] * g[k];
      v[k] = settings->training.momentum * v[k] - lambda * g[k];
      theta[k] += v[k];
    }
  }
  sgf_sampler_free(&sampler);
  free(indices);
  free(g);
  free(v);
}

/* Every trial with every table: 30 steps, their gradients, and the distance from theta*. */
START_TEST(steps_are_those_of_the_equations)
{
  const trial *what = &TRIALS[_i % TRIAL_COUNT];
  const sgf_kernels *kernels = table(_i / TRIAL_COUNT);
  if (kernels == NULL) return;
  sgf_problem problem;
  sgf_sgd run;
  double squares = 0.0, distance = 0.0;
  set_up(what, &problem);
  size_t n = problem.network.weights;
  sgf_engine *engine = engine_of(&problem, what->layer, kernels);
  double *expected = new_reals(n), *theta = new_reals(n);
  memcpy(expected, problem.theta, n * sizeof *expected);
  plain_steps(&problem, engine, 3, 30, expected, &squares);
  start(engine, 3, &run);
  sgf_sgd_weights(&run, theta);
  ck_assert_mem_eq(theta, problem.theta, n * sizeof *theta);
  sgf_sgd_advance(&run, 30, true);
  sgf_sgd_weights(&run, theta);
  for (size_t k = 0; k < n; k++) distance += (expected[k] - problem.theta[k]) * (expected[k] - problem.theta[k]);
  ck_assert(distance > 1e-6); /* far above what is tolerated */
  ASSERT_CLOSE(n, theta, expected, 1e-13);
  ASSERT_NEAR(run.gradient_square, squares, 1e-12 * squares);
  ASSERT_NEAR(sgf_sgd_square_distance(&run), distance, 1e-11 * distance);
  for (size_t k = 0; k < n; k++)
    if (k < engine->first || k >= engine->first + engine->count) ck_assert(theta[k] == problem.theta[k]);
  sgf_sgd_free(&run);
  sgf_engine_free(engine);
  tear_down(&problem);
  free(expected);
  free(theta);
}
END_TEST

/* advance(5) and advance(7) are advance(12), and a state that is saved in between goes on in another run, to the bit. */
static void check_cuts(const trial *what, sgf_dynamics dynamics)
{
  sgf_problem problem;
  sgf_sgd whole, cut, other;
  set_up(what, &problem);
  problem.settings.simulation.dynamics = dynamics;
  problem.settings.simulation.time_step = 0.002;
  size_t n = problem.network.weights;
  sgf_engine *engine = engine_of(&problem, what->layer, sgf_kernels_of_machine());
  double *a = new_reals(n), *b = new_reals(n);
  char *state = malloc(sgf_sgd_state_size(engine) + 1);
  ck_assert_ptr_nonnull(state);
  start(engine, 3, &whole);
  start(engine, 3, &cut);
  start(engine, 3, &other);
  sgf_sgd_advance(&whole, 12, true);
  sgf_sgd_advance(&cut, 5, true);
  sgf_sgd_save(&cut, state + 1); /* aligned to nothing */
  sgf_sgd_advance(&cut, 7, true);
  sgf_sgd_advance(&other, 2, false);
  bool seen[1024] = {false};
  ck_assert(sgf_sgd_load(&other, state + 1, seen));
  sgf_sgd_advance(&other, 7, true);
  sgf_sgd_weights(&whole, a);
  sgf_sgd_weights(&cut, b);
  ck_assert_mem_eq(a, b, n * sizeof *a);
  sgf_sgd_weights(&other, b);
  ck_assert_mem_eq(a, b, n * sizeof *a);
  ck_assert(whole.step == 12 && cut.step == 12 && other.step == 12);
  ck_assert(whole.gradient_square == cut.gradient_square && whole.gradient_square == other.gradient_square);
  ck_assert(whole.gradient_square > 0.0);
  sgf_sgd_free(&other);
  start(engine, 4, &other);
  sgf_sgd_advance(&other, 12, true);
  ck_assert(other.gradient_square != whole.gradient_square); /* another replica draws other samples */
  sgf_sgd_free(&whole);
  sgf_sgd_free(&cut);
  sgf_sgd_free(&other);
  sgf_engine_free(engine);
  tear_down(&problem);
  free(state);
  free(a);
  free(b);
}

START_TEST(bits_do_not_depend_on_how_steps_are_cut)
{
  check_cuts(&TRIALS[_i], SGF_DYNAMICS_SGD);
  if (TRIALS[_i].momentum == 0.0) check_cuts(&TRIALS[_i], SGF_DYNAMICS_LANGEVIN);
}
END_TEST

/* ------------------------------------------------------------------- indices */

/* chi^2 of `cells` equally probable ones; p above 1e-6 and below 1 - 1e-6, so that over seeds a test fails falsely with
 * 2e-6; the seeds are fixed. */
static void check_uniform(const size_t *counts, size_t cells, double total)
{
  double chi = 0.0, expected = total / (double)cells;
  for (size_t k = 0; k < cells; k++)
    chi += ((double)counts[k] - expected) * ((double)counts[k] - expected) / expected;
  double p = gsl_cdf_chisq_Q(chi, (double)cells - 1.0);
  ck_assert_msg(p > 1e-6 && p < 1.0 - 1e-6, "chi^2 %g of %zu cells: p = %g", chi, cells, p);
}

/* Indices that share a word are independent: all pairs at a distance of one and of two, and all triples; and with bounds
 * at the edge of sharing, 65536^2 = 2^32. */
START_TEST(indices_of_a_word_are_independent)
{
  enum { P = 9, COUNT = 11, STEPS = 60000 };
  static size_t near[P * P], far[P * P], triples[P * P * P], edge[64 * 64];
  size_t indices[COUNT];
  sgf_random random;
  ck_assert_uint_eq(sgf_random_indices_per_word(P), 10); /* 9^10 < 2^32 < 9^11 */
  ck_assert_uint_eq(sgf_random_indices_per_word(65536), 2);
  ck_assert_uint_eq(sgf_random_indices_per_word(65537), 1);
  for (uint64_t step = 0; step < STEPS; step++) {
    sgf_random_indices(5, 7, step, P, sgf_random_indices_per_word(P), COUNT, indices);
    near[indices[0] * P + indices[1]]++;
    far[indices[1] * P + indices[3]]++;
    triples[(indices[4] * P + indices[5]) * P + indices[6]]++;
    sgf_random_at(&random, 5, 7, step);
    for (size_t k = 0; k < COUNT; k++) ck_assert_uint_eq(sgf_random_packed_index(&random, P), indices[k]);
    sgf_random_indices(6, 7, step, 65536, sgf_random_indices_per_word(65536), 2, indices);
    edge[indices[0] / 1024 * 64 + indices[1] / 1024]++;
  }
  check_uniform(near, P * P, STEPS);
  check_uniform(far, P * P, STEPS);
  check_uniform(triples, P * P * P, STEPS);
  check_uniform(edge, 64 * 64, STEPS);
}
END_TEST

/* All ordered subsets of 3 of 6, and all orders of an epoch of 5, are equally probable. */
START_TEST(subsets_and_orders_are_uniform)
{
  enum { STEPS = 40000 };
  size_t counts[216] = {0}, subsets[120] = {0}, orders[3125] = {0}, seen[120] = {0}, batch[5], found = 0;
  sgf_error error = {SGF_OK, ""};
  sgf_sampler sampler;
  ASSERT_OK(sgf_sampler_create(SGF_SAMPLING_WITHOUT_REPLACEMENT, 6, 3, 8, 1, &sampler, &error), error);
  for (uint64_t step = 0; step < STEPS; step++) {
    sgf_sampler_draw(&sampler, step, batch);
    counts[(batch[0] * 6 + batch[1]) * 6 + batch[2]]++;
  }
  sgf_sampler_free(&sampler);
  for (size_t k = 0; k < 216; k++)
    if (counts[k] > 0) subsets[found++ % 120] = counts[k];
  ck_assert_uint_eq(found, 120);
  check_uniform(subsets, 120, STEPS);
  ASSERT_OK(sgf_sampler_create(SGF_SAMPLING_EPOCH, 5, 5, 8, 1, &sampler, &error), error);
  for (uint64_t step = 0; step < STEPS; step++) {
    sgf_sampler_draw(&sampler, step, batch);
    orders[(((batch[0] * 5 + batch[1]) * 5 + batch[2]) * 5 + batch[3]) * 5 + batch[4]]++;
  }
  sgf_sampler_free(&sampler);
  found = 0;
  for (size_t k = 0; k < 3125; k++)
    if (orders[k] > 0) seen[found++ % 120] = orders[k];
  ck_assert_uint_eq(found, 120);
  check_uniform(seen, 120, STEPS);
}
END_TEST

/* ------------------------------------------------------------------ Langevin */

static const trial FLOWS[] = {{1, {5, 1}, 12, 4, 0, SGF_SAMPLING_REPLACEMENT, 0.0, 0.1},
                              {1, {4, 3}, 150, 4, 0, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0, 0.0},
                              {2, {3, 4, 2}, 140, 6, 0, SGF_SAMPLING_REPLACEMENT, 0.0, 0.2},
                              {3, {3, 4, 2, 3}, 11, 5, 2, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0, 0.0}};

/* Two steps against drift and noise from each sample's gradient, with the same normal numbers; and the covariance of
 * that noise, over all of its normal numbers, is dt lambda kappa / S C of theory/, C at theta or at theta*. */
START_TEST(langevin_steps_have_drift_and_covariance_of_the_flow)
{
  const trial *what = &FLOWS[_i % 4];
  bool frozen = _i >= 4;
  sgf_problem problem;
  sgf_sgd run;
  sgf_random random;
  sgf_error error = {SGF_OK, ""};
  set_up(what, &problem);
  size_t n = problem.network.weights, P = what->samples;
  double dt = 0.004, lambda = problem.settings.training.learning_rate, S = (double)what->batch, *C = new_reals(n * n);
  double kappa = what->sampling == SGF_SAMPLING_REPLACEMENT ? 1.0 : ((double)P - S) / ((double)P - 1.0);
  problem.settings.simulation.dynamics = SGF_DYNAMICS_LANGEVIN;
  problem.settings.simulation.langevin_noise = frozen ? SGF_LANGEVIN_FROZEN : SGF_LANGEVIN_STATE;
  problem.settings.simulation.time_step = dt;
  sgf_engine *engine = engine_of(&problem, what->layer, sgf_kernels_of_machine());
  double *theta = new_reals(n), *each = new_reals(P * n), *g = new_reals(n), *xi = new_reals(P), *now = new_reals(n);
  double *noise = new_reals(n * n);
  memcpy(theta, problem.theta, n * sizeof *theta);
  start(engine, 2, &run);
  for (uint64_t t = 0; t < 2; t++) {
    double mean = 0.0;
    sgf_random_at(&random, problem.settings.seed, 2 + what->layer * SGF_ALONE, t);
    for (size_t s = 0; s < P; s++) mean += (xi[s] = sgf_random_normal(&random)) / (double)P;
    const double *at = frozen ? problem.theta : theta;
    memset(each, 0, P * n * sizeof *each);
    memset(noise, 0, n * n * sizeof *noise);
    ASSERT_OK(sgf_gradient(&problem.network, &problem.data, at, 0.0, g, &error), error);
    for (size_t s = 0; s < P; s++) {
      double *own = each + s * n;
      add_sample_gradient(&problem, at, s, 1.0, own);
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
          noise[i * n + j] += dt * dt * engine->amplitude * engine->amplitude * (own[i] - g[i]) * (own[j] - g[j]);
    }
    ASSERT_OK(sgf_noise_covariance(&problem.network, &problem.data, at, SGF_NOISE_EMPIRICAL, C, &error), error);
    for (size_t k = 0; k < n * n; k++) C[k] *= dt * lambda * kappa / S;
    ASSERT_CLOSE(n * n, noise, C, 1e-12);
    ASSERT_OK(sgf_gradient(&problem.network, &problem.data, theta, what->decay, g, &error), error);
    for (size_t s = 0; s < P; s++)
      for (size_t k = 0; k < n; k++) g[k] += engine->amplitude * (xi[s] - mean) * each[s * n + k];
    for (size_t k = engine->first; k < engine->first + engine->count; k++) theta[k] -= dt * g[k];
    sgf_sgd_advance(&run, 1, false);
    sgf_sgd_weights(&run, now);
    ASSERT_CLOSE(n, now, theta, 1e-13);
  }
  sgf_sgd_free(&run);
  sgf_engine_free(engine);
  tear_down(&problem);
  double *all[] = {C, theta, each, g, xi, now, noise};
  for (size_t k = 0; k < sizeof all / sizeof *all; k++) free(all[k]);
}
END_TEST

/* One layer: variance of Euler and Maruyama's frozen-noise process along each eigenvector of H is
 * (lambda kappa / S) C_ii / (h_i (2 - dt h_i)), which is the continuum covariance at dt -> 0. 400 runs of 40 relaxation
 * times; each variance within 5 standard errors, a false alarm below 1e-6 each; the seed is fixed. */
START_TEST(langevin_has_the_covariance_of_the_continuum)
{
  const trial what = {1, {3, 1}, 25, 4, 0, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0};
  enum { RUNS = 400, N = 3 };
  sgf_problem problem;
  sgf_error error = {SGF_OK, ""};
  set_up(&what, &problem);
  double H[N * N], V[N * N], h[N], C[N * N], theta[N], mean[N] = {0}, square[N] = {0};
  ASSERT_OK(sgf_hessian(&problem.network, &problem.data, problem.theta, 0.0, H, &error), error);
  memcpy(V, H, sizeof V);
  ASSERT_OK(sgf_symmetric_eigen(N, V, h, "H", &error), error);
  /* to the minimum: theta* = theta - H^-1 g */
  double g[N];
  ASSERT_OK(sgf_gradient(&problem.network, &problem.data, problem.theta, 0.0, g, &error), error);
  for (size_t k = 0; k < N; k++) {
    double along = sgf_dot(N, V + k * N, g) / h[k];
    for (size_t i = 0; i < N; i++) problem.theta[i] -= along * V[k * N + i];
  }
  ASSERT_OK(sgf_noise_covariance(&problem.network, &problem.data, problem.theta, SGF_NOISE_EMPIRICAL, C, &error),
            error);
  problem.settings.simulation.dynamics = SGF_DYNAMICS_LANGEVIN;
  problem.settings.simulation.langevin_noise = SGF_LANGEVIN_FROZEN;
  problem.settings.training.learning_rate = 0.2 / h[N - 1];
  problem.settings.simulation.time_step = 0.02 / h[N - 1];
  sgf_engine *engine = engine_of(&problem, 0, sgf_kernels_of_machine());
  double lambda = problem.settings.training.learning_rate, dt = engine->rate;
  size_t relaxation = (size_t)(1.0 / (h[0] * dt));
  for (uint64_t r = 0; r < RUNS; r++) {
    double own[N] = {0};
    sgf_sgd run;
    start(engine, r, &run);
    sgf_sgd_advance(&run, 5 * relaxation, false);
    for (size_t t = 0; t < 40; t++) {
      sgf_sgd_advance(&run, relaxation, false);
      sgf_sgd_weights(&run, theta);
      for (size_t i = 0; i < N; i++) theta[i] -= problem.theta[i];
      for (size_t k = 0; k < N; k++) own[k] += pow(sgf_dot(N, V + k * N, theta), 2.0) / 40.0;
    }
    for (size_t k = 0; k < N; k++) {
      mean[k] += own[k] / RUNS;
      square[k] += own[k] * own[k] / RUNS;
    }
    sgf_sgd_free(&run);
  }
  for (size_t k = 0; k < N; k++) {
    double expected = lambda / 4.0 * sgf_quadratic_form(N, C, V + k * N) / (h[k] * (2.0 - dt * h[k]));
    double standard_error = sqrt((square[k] - mean[k] * mean[k]) / (RUNS - 1));
    ck_assert(standard_error < 0.02 * expected);
    ASSERT_NEAR(mean[k], expected, 5.0 * standard_error);
  }
  sgf_engine_free(engine);
  tear_down(&problem);
}
END_TEST

START_TEST(time_steps_and_momentum_are_checked)
{
  static const double bad[] = {0.0, -1.0, 0.011, NAN, INFINITY};
  trial what = FLOWS[0];
  sgf_problem problem;
  sgf_engine *engine;
  sgf_error error = {SGF_OK, ""};
  set_up(&what, &problem);
  problem.settings.simulation.dynamics = SGF_DYNAMICS_LANGEVIN;
  for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
    problem.settings.simulation.time_step = bad[k];
    ck_assert_int_eq(sgf_engine_create(&problem, 0, &engine, &error), SGF_ERROR_VALUE);
    ck_assert_ptr_null(engine);
    ck_assert_ptr_nonnull(strstr(error.message, "simulation.time_step is"));
  }
  problem.settings.simulation.time_step = 0.01;
  problem.settings.training.momentum = 0.5;
  ck_assert_int_eq(sgf_engine_create(&problem, 0, &engine, &error), SGF_ERROR_UNSUPPORTED);
  ck_assert_ptr_nonnull(strstr(error.message, "training.momentum is 0.5"));
  tear_down(&problem);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("engine");
  TCase *tests = tcase_create("engine");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, products_are_those_of_plain_loops, 0, TABLES);
  tcase_add_loop_test(tests, transposes_and_updates_are_those_of_plain_loops, 0, TABLES);
  tcase_add_loop_test(tests, steps_are_those_of_the_equations, 0, TABLES * TRIAL_COUNT);
  tcase_add_loop_test(tests, bits_do_not_depend_on_how_steps_are_cut, 0, TRIAL_COUNT);
  tcase_add_test(tests, indices_of_a_word_are_independent);
  tcase_add_test(tests, subsets_and_orders_are_uniform);
  tcase_add_loop_test(tests, langevin_steps_have_drift_and_covariance_of_the_flow, 0, 8);
  tcase_add_test(tests, langevin_has_the_covariance_of_the_continuum);
  tcase_add_test(tests, time_steps_and_momentum_are_checked);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
