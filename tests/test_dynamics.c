/* Momentum and reshuffled epochs at any depth: covariances against the general Stein solver and against propagation by
 * hand, limits, slow modes, the displacement of the mean, the balance of the layers. */
#include "../theory/balance.h"
#include "../theory/covariance_operator.h"
#include "../theory/drift.h"
#include "../theory/epoch.h"
#include "../theory/epoch_mean.h"
#include "../theory/heavy_ball.h"
#include "../theory/prediction.h"
#include "../verify/sgd.h"
#include "testing.h"

#include <lapacke.h>

static const double *array_of(const sgf_prediction *prediction, const char *name)
{
  size_t rows, columns;
  const double *values = sgf_prediction_array(prediction, name, &rows, &columns);
  ck_assert_msg(values != NULL, "no array %s", name);
  return values;
}

/* -------------------------------------------------------------- the Stein equation */

/* H = A^T A and N = A^T W A of the same rank, lambda h_max = `fastest`. */
static void random_pair(size_t n, size_t rank, double fastest, uint64_t seed, double *H, double *N, sgf_range *range)
{
  double *A = new_reals(rank * n), *B = new_reals(rank * rank), *BA = new_reals(rank * n);
  sgf_error error = {SGF_OK, ""};
  fill_normal(seed, rank * n, A);
  fill_normal(seed + 1, rank * rank, B);
  sgf_multiply(n, n, rank, SGF_TRANSPOSED, A, SGF_PLAIN, A, H);
  sgf_symmetrize(n, H);
  ASSERT_OK(sgf_range_create(n, H, NAN, range, &error), error);
  double scale = fastest / sgf_largest(range);
  for (size_t k = 0; k < n * n; k++) H[k] *= scale;
  for (size_t k = 0; k < n; k++) range->h[k] *= scale;
  sgf_multiply(rank, n, rank, SGF_PLAIN, B, SGF_PLAIN, A, BA);
  sgf_multiply(n, n, rank, SGF_TRANSPOSED, BA, SGF_PLAIN, BA, N);
  sgf_symmetrize(n, N);
  free(A);
  free(B);
  free(BA);
}

/* F = [1 - lambda H, beta; -lambda H, beta] and the noise lambda N in all four blocks, (2n, 2n). */
static void augmented(size_t n, const double *H, const double *N, double lambda, double beta, double *F,
                      double *noise)
{
  size_t m = 2 * n;
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < m; j++) {
      double diagonal = i % n == j % n ? 1.0 : 0.0;
      F[i * m + j] = j >= n ? beta * diagonal : (i < n ? diagonal : 0.0) - lambda * H[(i % n) * n + j % n];
      noise[i * m + j] = lambda * N[(i % n) * n + j % n];
    }
}

enum { MOST = 7 };

typedef struct {
  size_t n, rank;
  double beta, fastest; /* lambda h_max, lambda = 0.05 */
} dynamics;

/* Overdamped, oscillating, next to the stability limit 2 (1 + beta), without momentum, singular or not. */
static const dynamics DYNAMICS[] = {{5, 5, 0.5, 0.3},  {6, 3, 0.9, 0.4},  {7, 4, 0.9, 3.7}, {4, 4, 0.0, 1.2},
                                    {6, 2, 0.99, 0.1}, {5, 5, 0.3, 2.59}, {3, 1, 0.7, 0.02}};
enum { DYNAMICS_COUNT = sizeof DYNAMICS / sizeof *DYNAMICS };
static const double LAMBDA = 0.05;

static void make_pair(const dynamics *what, double *H, double *N, double *in_modes, sgf_range *range)
{
  double work[MOST * MOST];
  random_pair(what->n, what->rank, what->fastest / LAMBDA, 300 + what->n * 10 + what->rank, H, N, range);
  sgf_into_basis(what->n, range->V, N, work, in_modes);
}

/* The solution of least norm of the 2n x 2n equation, by the general solver, has this delta block; the n x n equation of
 * Liu, Ziyin and Ueda holds to round-off; a wrong covariance is seen by the residual. */
START_TEST(momentum_is_the_stein_solution)
{
  const dynamics *what = &DYNAMICS[_i];
  size_t n = what->n, m = 2 * n;
  double H[MOST * MOST], N[MOST * MOST], S[MOST * MOST], work[3 * MOST * MOST], block[MOST * MOST];
  double F[4 * MOST * MOST], noise[4 * MOST * MOST], Z[4 * MOST * MOST];
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  make_pair(what, H, N, S, &range);
  ASSERT_OK(sgf_heavy_ball_covariance(&range, LAMBDA, what->beta, S, 0, 1, 0, S, &error), error);
  sgf_out_of_basis(n, range.V, S, work, S);
  augmented(n, H, N, LAMBDA, what->beta, F, noise);
  sgf_lyapunov_options_init(&options);
  options.discrete = true;
  options.rank_tolerance = 1e-10;
  ASSERT_OK(sgf_lyapunov_solve(m, F, 0, noise, &options, Z, &certificate, &error), error);
  sgf_diagonal_block(m, Z, 0, n, block);
  /* next to the limit the equation itself loses digits */
  ASSERT_CLOSE(n * n, S, block, 1e-9);
  ck_assert(sgf_heavy_ball_residual(n, H, LAMBDA, what->beta, S, N, work) < 1e-14);
  S[0] *= 1.0 + 1e-6;
  ck_assert(sgf_heavy_ball_residual(n, H, LAMBDA, what->beta, S, N, work) > 1e-10);
  S[0] = NAN;
  ck_assert(isnan(sgf_heavy_ball_residual(n, H, LAMBDA, what->beta, S, N, work)));
  sgf_range_free(&range);
}
END_TEST

/* From rest, step by step with F, averaged over snapshots. */
START_TEST(momentum_windows_are_the_iterated_map)
{
  const dynamics *what = &DYNAMICS[_i];
  size_t n = what->n, m = 2 * n;
  double H[MOST * MOST], N[MOST * MOST], S[MOST * MOST], in_modes[MOST * MOST], work[MOST * MOST];
  double F[4 * MOST * MOST], noise[4 * MOST * MOST], Z[4 * MOST * MOST], half[4 * MOST * MOST];
  static const size_t windows[][3] = {{1, 1, 1}, {5, 3, 7}, {12, 2, 64}, {200, 1, 37}}; /* first, stride, count */
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  make_pair(what, H, N, in_modes, &range);
  augmented(n, H, N, LAMBDA, what->beta, F, noise);
  for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
    size_t first = windows[w][0], stride = windows[w][1], count = windows[w][2];
    double mean[MOST * MOST] = {0};
    memset(Z, 0, m * m * sizeof *Z);
    for (size_t t = 1; t <= first + stride * (count - 1); t++) {
      sgf_multiply(m, m, m, SGF_PLAIN, F, SGF_PLAIN, Z, half);
      sgf_multiply(m, m, m, SGF_PLAIN, half, SGF_TRANSPOSED, F, Z);
      for (size_t k = 0; k < m * m; k++) Z[k] += noise[k];
      if (t < first || (t - first) % stride != 0) continue;
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) mean[i * n + j] += Z[i * m + j] / (double)count;
    }
    ASSERT_OK(sgf_heavy_ball_covariance(&range, LAMBDA, what->beta, in_modes, first, stride, count, S, &error),
              error);
    sgf_out_of_basis(n, range.V, S, work, S);
    ASSERT_CLOSE(n * n, S, mean, 1e-11);
  }
  sgf_range_free(&range);
}
END_TEST

/* The covariance of a window's mean: of a third part of the state, the sum of delta over the snapshots, carried along. More
 * snapshots than a block has; with momentum and without. */
START_TEST(means_of_windows_are_the_iterated_sums)
{
  const dynamics *what = &DYNAMICS[_i];
  size_t n = what->n, m = 3 * n, two = 2 * n;
  double H[MOST * MOST], N[MOST * MOST], S[MOST * MOST], in_modes[MOST * MOST], work[MOST * MOST];
  double F[4 * MOST * MOST], noise[4 * MOST * MOST], expected[MOST * MOST];
  double *map = new_reals(m * m), *all = new_reals(m * m), *half = new_reals(m * m);
  static const size_t windows[][3] = {{1, 1, 1}, {5, 3, 7}, {3, 1, 300}}; /* first, stride, count */
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  make_pair(what, H, N, in_modes, &range);
  augmented(n, H, N, LAMBDA, what->beta, F, noise);
  for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
    size_t first = windows[w][0], stride = windows[w][1], count = windows[w][2];
    memset(all, 0, m * m * sizeof *all);
    for (size_t t = 1; t <= first + stride * (count - 1); t++) {
      double taken = t >= first && (t - first) % stride == 0 ? 1.0 : 0.0; /* sum' = sum + taken delta' */
      for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++) {
          size_t k = i < two ? i : i - two;
          map[i * m + j] = i < two ? (j < two ? F[i * two + j] : 0.0) : j < two ? taken * F[k * two + j] : i == j;
        }
      sgf_multiply(m, m, m, SGF_PLAIN, map, SGF_PLAIN, all, half);
      sgf_multiply(m, m, m, SGF_PLAIN, half, SGF_TRANSPOSED, map, all);
      for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++)
          all[i * m + j] += noise[(i % n) * two + j % n] * (i < two ? 1.0 : taken) * (j < two ? 1.0 : taken);
    }
    sgf_diagonal_block(m, all, two, n, expected);
    for (size_t k = 0; k < n * n; k++) expected[k] /= (double)(count * count);
    ASSERT_OK(sgf_heavy_ball_mean_covariance(&range, LAMBDA, what->beta, in_modes, first, stride, count, S, &error),
              error);
    sgf_out_of_basis(n, range.V, S, work, S);
    /* the sums by hand mix modes of which one is next to the stability limit: the digits are lost there */
    ASSERT_CLOSE(n * n, S, expected, 1e-8);
  }
  free(map);
  free(all);
  free(half);
  sgf_range_free(&range);
}
END_TEST

/* C and H that commute: Sigma = lambda kappa C/S / (h (1-beta)(2 - lambda h/(1+beta))). Critical damping, rho = (1 - sqrt
 * beta)^2, is nothing special. Slow modes and short windows keep their digits: t steps from rest, h -> 0, v = sum of beta^k
 * xi, E[delta^2] = sum_s ((1 - beta^s)/(1 - beta))^2. */
START_TEST(momentum_has_its_closed_forms)
{
  double beta = 0.81, N = 1.3, S, critical = 0.1 * 0.1, V = 1.0;
  sgf_error error = {SGF_OK, ""};
  for (int k = -1; k <= 1; k++) {
    double h = (critical + k * 1e-9) / LAMBDA, expected;
    sgf_range range = {1, 1, &V, &h, INFINITY, 0.0, false};
    ASSERT_OK(sgf_heavy_ball_covariance(&range, LAMBDA, beta, &N, 0, 1, 0, &S, &error), error);
    expected = N / (h * (1.0 - beta) * (2.0 - LAMBDA * h / (1.0 + beta)));
    ASSERT_NEAR(S, expected, 1e-14 * expected);
    double all = S;
    ASSERT_OK(sgf_heavy_ball_covariance(&range, LAMBDA, beta, &N, 100000, 7, 1000, &S, &error), error);
    ASSERT_NEAR(S, all, 1e-12 * all);
  }
  double slow = 1e-11, expected = 0.0;
  sgf_range range = {1, 1, &V, &slow, INFINITY, 0.0, false};
  for (int s = 1; s <= 40; s++) expected += LAMBDA * N * pow((1.0 - pow(beta, s)) / (1.0 - beta), 2.0);
  ASSERT_OK(sgf_heavy_ball_covariance(&range, LAMBDA, beta, &N, 40, 1, 1, &S, &error), error);
  ASSERT_NEAR(S, expected, 1e-10 * expected);
}
END_TEST

/* As lambda -> 0: (1 - beta)(H S + S H) = (lambda kappa/S) C, deviation linear in lambda. */
START_TEST(continuum_is_the_limit_of_momentum)
{
  enum { n = 5 };
  double H[n * n], N[n * n], in_modes[n * n], work[n * n], S[n * n], limit[n * n], off[2];
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  random_pair(n, n, 2.0, 77, H, N, &range);
  sgf_into_basis(n, range.V, N, work, in_modes);
  ASSERT_OK(sgf_heavy_ball_covariance(&range, 0.0, 0.8, in_modes, 0, 1, 0, limit, &error), error);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      ASSERT_NEAR(limit[i * n + j] * 0.2 * (range.h[i] + range.h[j]), in_modes[i * n + j], 1e-13);
  for (int k = 0; k < 2; k++) {
    ASSERT_OK(sgf_heavy_ball_covariance(&range, 1e-3 / (1 << k), 0.8, in_modes, 0, 1, 0, S, &error), error);
    off[k] = relative_difference((size_t)n * n, S, limit);
  }
  ck_assert(off[0] > 1e-5 && off[0] < 0.1);
  ASSERT_NEAR(off[0] / off[1], 2.0, 0.05);
  sgf_range_free(&range);
}
END_TEST

/* ------------------------------------------------------------------- epochs */

/* Two modes by hand, in long double: the responses of delta and v to a kick, the noise of an epoch by its covariance, and
 * the state that an epoch begins with. */
typedef struct {
  long double r[2][64], u[2][64]; /* delta and v, k steps after a kick */
  long double map[2][64][4];      /* F^m */
  long double Z[4];               /* E of delta delta', delta v', v delta', v v' at the start */
} by_hand;

static void prepare_by_hand(by_hand *of, const double *rho, double beta, int M)
{
  for (int i = 0; i < 2; i++) {
    long double F[4] = {1.0L - rho[i], beta, -rho[i], beta}, power[4] = {1.0L, 0.0L, 0.0L, 1.0L};
    for (int k = 0; k <= M; k++) {
      memcpy(of->map[i][k], power, sizeof power);
      of->r[i][k] = power[0] + power[1];
      of->u[i][k] = power[2] + power[3];
      long double next[4] = {F[0] * power[0] + F[1] * power[2], F[0] * power[1] + F[1] * power[3],
                             F[2] * power[0] + F[3] * power[2], F[2] * power[1] + F[3] * power[3]};
      memcpy(power, next, sizeof power);
    }
  }
  memset(of->Z, 0, sizeof of->Z);
}

/* The state after m steps of the epoch. */
static void after(const by_hand *of, int m, int M, long double Z[4])
{
  const long double *a = of->map[0][m], *b = of->map[1][m];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) {
      long double sum = 0.0L;
      for (int k = 0; k < 2; k++)
        for (int l = 0; l < 2; l++) sum += a[2 * i + k] * of->Z[2 * k + l] * b[2 * j + l];
      for (int k = 0; k < m; k++)
        for (int l = 0; l < m; l++) {
          long double left = i == 0 ? of->r[0][k] : of->u[0][k], right = j == 0 ? of->r[1][l] : of->u[1][l];
          sum += left * right * ((k == l) * M - 1.0L) / (M - 1.0L);
        }
      Z[2 * i + j] = sum;
    }
}

/* Mean of E[delta delta'] over `epochs` epochs after `skipped`; *end is what the last one ends with. */
static double propagate(const double *rho, double beta, int M, int skipped, int epochs, double *end)
{
  by_hand of;
  long double total = 0.0L, Z[4];
  prepare_by_hand(&of, rho, beta, M);
  for (int e = 0; e < skipped + epochs; e++) {
    for (int m = 1; m <= M; m++) {
      if (e < skipped && m < M) continue;
      after(&of, m, M, Z);
      if (e >= skipped) total += Z[0] / ((long double)M * epochs);
    }
    memcpy(of.Z, Z, sizeof Z);
  }
  *end = (double)of.Z[0];
  return (double)total;
}

/* Stationary and from rest, with momentum and without, overdamped, oscillating and beyond lambda h = 1; batches in blocks. */
START_TEST(epochs_with_momentum_are_the_propagated_noise)
{
  enum { n = 2 };
  static const double betas[] = {0.0, 0.5, 0.9};
  static const int batches[] = {2, 7, 20};
  double beta = betas[_i % 3], h[n] = {1.0, 24.0}, V[n * n] = {1, 0, 0, 1}, N[n * n] = {1.0, 0.4, 0.4, 2.0};
  double S[n * n], ends[n * n], end;
  int M = batches[_i / 3];
  sgf_range range = {n, n, V, h, INFINITY, 0.0, false};
  sgf_error error = {SGF_OK, ""};
  for (int finite = 0; finite < 2; finite++) {
    int skipped = finite ? 2 : 900, epochs = finite ? 3 : 1;
    ASSERT_OK(
        sgf_epoch_covariance(&range, LAMBDA, beta, (size_t)M, N, finite ? 2 : 0, finite ? 3 : 0, S, ends, &error),
        error);
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++) {
        double rho[2] = {LAMBDA * h[i], LAMBDA * h[j]}, noise = LAMBDA * N[i * n + j];
        double expected = noise * propagate(rho, beta, M, skipped, epochs, &end);
        ASSERT_NEAR(S[i * n + j], expected, 1e-11 * fabs(expected));
        if (!finite) ASSERT_NEAR(ends[i * n + j], noise * end, 1e-11 * fabs(noise * end));
      }
  }
}
END_TEST

/* Slow modes, lambda h = 5e-11: the limit h = 0, where the batches of an epoch sum to nothing and only velocities are left
 * of it, to all digits that lambda h M leaves; without momentum the flat limit lambda^2 kappa C (M + 1) / (6 S). More batches
 * than a block of steps has. */
START_TEST(slow_modes_of_epochs_keep_their_digits)
{
  static const double betas[] = {0.0, 0.3, 0.95};
  double beta = betas[_i], h = 1e-9, V = 1.0, N = 1.0, S, ends, end, none[2] = {0.0, 0.0};
  sgf_range range = {1, 1, &V, &h, INFINITY, 0.0, false};
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_epoch_covariance(&range, LAMBDA, beta, 30, &N, 0, 0, &S, &ends, &error), error);
  double expected = LAMBDA * propagate(none, beta, 30, 60, 1, &end);
  ASSERT_NEAR(S, expected, 1e-7 * expected);
  ASSERT_NEAR(ends, LAMBDA * end, 1e-7 * expected);
  double before = S;
  h *= 1e-3;
  ASSERT_OK(sgf_epoch_covariance(&range, LAMBDA, beta, 30, &N, 0, 0, &S, &ends, &error), error);
  ASSERT_NEAR(S, before, 1e-7 * before);
  ASSERT_NEAR(S, expected, 1e-10 * expected);
  if (_i > 0) return;
  ASSERT_OK(sgf_epoch_covariance(&range, LAMBDA, beta, 300, &N, 0, 0, &S, NULL, &error), error);
  ASSERT_NEAR(S / (LAMBDA * 301.0 / 6.0), 1.0, 1e-8);
}
END_TEST

/* One batch an epoch is full-batch descent, without noise; and a null space stays out. */
START_TEST(one_batch_makes_no_noise)
{
  double V[4] = {1, 0, 0, 1}, h[2] = {0.0, 1.0}, N[4] = {1, 1, 1, 1}, S[4], ends[4];
  sgf_range range = {2, 1, V, h, INFINITY, 0.0, false};
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_epoch_covariance(&range, LAMBDA, 0.5, 1, N, 0, 0, S, ends, &error), error);
  for (int k = 0; k < 4; k++) ck_assert(S[k] == 0.0 && ends[k] == 0.0);
  ASSERT_OK(sgf_epoch_covariance(&range, LAMBDA, 0.5, 4, N, 0, 0, S, ends, &error), error);
  for (int k = 0; k < 3; k++) ck_assert(S[k] == 0.0 && ends[k] == 0.0);
  ck_assert(S[3] > 0.0 && ends[3] > 0.0);
}
END_TEST

/* ---------------------------------------------------------- networks of any depth */

typedef struct {
  size_t widths[4], count, samples, batch;
  double beta, decay;
} setup;

static const setup SETUPS[] = {{{4, 2}, 2, 12, 3, 0.0, 0.0},    {{3, 1}, 2, 12, 4, 0.7, 0.2},
                               {{3, 4, 2}, 3, 12, 2, 0.0, 0.0}, {{3, 4, 2}, 3, 12, 2, 0.6, 0.0},
                               {{4, 1, 3}, 3, 12, 3, 0.4, 0.0}, {{3, 3, 3, 2}, 4, 10, 2, 0.5, 0.0},
                               {{3, 4, 2}, 3, 12, 2, 0.5, 0.1}};
enum { SETUP_COUNT = sizeof SETUPS / sizeof *SETUPS };

static sgf_problem *problem_of(const setup *from, double rate, sgf_sampling sampling)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  size_t P = from->samples, inputs = from->widths[0], outputs = from->widths[from->count - 1];
  double *X = new_reals(P * inputs), *Y = new_reals(P * outputs);
  settings_with_widths(&settings, from->count, from->widths);
  settings.training.learning_rate = rate;
  settings.training.batch_size = from->batch;
  settings.training.sampling = sampling;
  settings.training.momentum = from->beta;
  settings.training.weight_decay = from->decay;
  fill_normal(500, P * inputs, X);
  fill_normal(501, P * outputs, Y);
  ASSERT_OK(sgf_problem_from_arrays(&settings, P, X, Y, NULL, &problem, &error), error);
  free(X);
  free(Y);
  sgf_settings_free(&settings);
  return problem;
}

/* E_mu[H_mu R (g_mu - g)], R symmetric (n, n), from Hessian and gradient of every sample, trained weights first ... first +
 * n - 1 alone. */
typedef struct {
  size_t n, first, P;
  double *H, *g; /* (P, n, n), (P, n), g_mu - g */
} samples_by_one;

static samples_by_one sample_by_sample(const sgf_problem *problem, size_t layer)
{
  const sgf_dataset *data = &problem->data;
  sgf_error error = {SGF_OK, ""};
  size_t all = problem->network.weights, P = data->samples;
  size_t n = layer > 0 ? sgf_layer_size(&problem->network, layer) : all;
  samples_by_one of = {n, layer > 0 ? problem->network.offsets[layer] : 0, P, new_reals(P * n * n), new_reals(P * n)};
  double *H = new_reals(all * all), *g = new_reals(all);
  for (size_t m = 0; m < P; m++) {
    sgf_dataset one;
    ASSERT_OK(sgf_dataset_from_arrays(1, data->inputs, data->outputs, data->X + m * data->inputs,
                                      data->Y + m * data->outputs, &one, &error),
              error);
    ASSERT_OK(sgf_gradient(&problem->network, &one, problem->theta, 0.0, g, &error), error);
    ASSERT_OK(sgf_hessian(&problem->network, &one, problem->theta, 0.0, H, &error), error);
    sgf_diagonal_block(all, H, of.first, n, of.H + m * n * n);
    memcpy(of.g + m * n, g + of.first, n * sizeof *g);
    sgf_dataset_free(&one);
  }
  for (size_t k = 0; k < n; k++) {
    double mean = 0.0;
    for (size_t m = 0; m < P; m++) mean += of.g[m * n + k] / (double)P;
    for (size_t m = 0; m < P; m++) of.g[m * n + k] -= mean;
  }
  free(H);
  free(g);
  return of;
}

/* The mean over epochs by hand: delta and v of the mean on the range, step by step, driven by all samples' Hessians. */
static void mean_by_hand(const sgf_problem *problem, const sgf_range *range, const samples_by_one *of,
                         double strength, size_t M, size_t skipped, size_t epochs, double *mean, double *second)
{
  size_t n = of->n, rank = range->rank, null = n - rank;
  double lambda = problem->settings.training.learning_rate, beta = problem->settings.training.momentum;
  double *sum = new_reals(of->P * n), *kick = new_reals(of->P * n), *speed = new_reals(of->P * n);
  double *push = new_reals(M * n), *work = new_reals(n), *m = new_reals(n), *v = new_reals(n), *now = new_reals(n);
  const double *V = range->V;
  /* in the modes: what a kick g_mu - g makes of delta after j steps, and its sum; push_k, of the range */
  for (size_t s = 0; s < of->P; s++) {
    sgf_multiply(n, 1, n, SGF_PLAIN, V, SGF_PLAIN, of->g + s * n, kick + s * n);
    memcpy(speed + s * n, kick + s * n, n * sizeof *speed);
  }
  for (size_t k = 0; k < M; k++)
    for (size_t s = 0; s < of->P; s++) {
      double *out = push + k * n;
      sgf_multiply(n, 1, n, SGF_TRANSPOSED, V, SGF_PLAIN, sum + s * n, work);
      sgf_multiply(n, 1, n, SGF_PLAIN, of->H + s * n * n, SGF_PLAIN, work, now);
      sgf_multiply(n, 1, n, SGF_PLAIN, V, SGF_PLAIN, now, work);
      double factor = -lambda * lambda * strength / ((double)(M - 1) * (double)of->P);
      for (size_t i = null; i < n; i++) {
        out[i] += factor * work[i];
        sum[s * n + i] += kick[s * n + i];
        speed[s * n + i] = beta * speed[s * n + i] - lambda * range->h[i] * kick[s * n + i];
        kick[s * n + i] += speed[s * n + i];
      }
    }
  memset(mean, 0, n * sizeof *mean);
  memset(second, 0, n * n * sizeof *second);
  for (size_t e = 0; e < skipped + epochs; e++)
    for (size_t k = 0; k < M; k++) {
      for (size_t i = null; i < n; i++) {
        v[i] = beta * v[i] - lambda * range->h[i] * m[i] + push[k * n + i];
        m[i] += v[i];
      }
      if (e < skipped) continue;
      sgf_multiply(n, 1, n, SGF_TRANSPOSED, V, SGF_PLAIN, m, now);
      for (size_t i = 0; i < n; i++) {
        mean[i] += now[i] / (double)(M * epochs);
        for (size_t j = 0; j < n; j++) second[i * n + j] += now[i] * now[j] / (double)(M * epochs);
      }
    }
  free(sum);
  free(kick);
  free(speed);
  free(push);
  free(work);
  free(m);
  free(v);
  free(now);
}

/* Every shape, all weights and every layer alone, a few epochs from rest and after so many that nothing changes. */
START_TEST(mean_of_epochs_is_the_driven_one)
{
  const setup *from = &SETUPS[_i];
  sgf_problem *problem = problem_of(from, 0.01, SGF_SAMPLING_EPOCH);
  sgf_prediction *prediction = predict(problem);
  problem->settings.training.learning_rate = 0.15 / prediction->info.largest_curvature;
  sgf_prediction_free(prediction);
  prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  size_t M = from->samples / from->batch, layers = problem->network.layers;
  double lambda = problem->settings.training.learning_rate;
  for (size_t layer = 0; layer <= (layers > 1 ? layers : 0); layer++) {
    const sgf_range *range = layer == 0 ? &prediction->joint.range : &prediction->frozen[layer - 1].range;
    size_t n = range->n;
    double steps = 40.0 / (lambda * sgf_mode_rate(lambda, from->beta, sgf_smallest_kept(range)));
    samples_by_one of = sample_by_sample(problem, layer);
    double *mean = new_reals(n), *second = new_reals(n * n), *by_mean = new_reals(n), *by_second = new_reals(n * n);
    for (int finite = 0; finite < 2; finite++) {
      size_t skipped = finite ? 1 : (size_t)steps / M, epochs = finite ? 3 : 1;
      mean_by_hand(problem, range, &of, prediction->info.noise_strength, M, skipped, epochs, by_mean, by_second);
      ASSERT_OK(sgf_epoch_mean(problem, layer, range, prediction->info.noise_strength, M, finite ? 1 : 0,
                               finite ? 3 : 0, mean, second, &error),
                error);
      ck_assert(sgf_norm(n, by_mean) > 0.0);
      ASSERT_CLOSE(n, mean, by_mean, 1e-9);
      ASSERT_CLOSE(n * n, second, by_second, 1e-9);
    }
    free(mean);
    free(second);
    free(by_mean);
    free(by_second);
    free(of.H);
    free(of.g);
  }
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* The sets of a prediction: the block of the 2n x 2n Stein solution for all weights and for a layer alone, its blocks as
 * the layers' coupled ones; the limit of the drift; for epochs the end of an epoch and the independent draws. */
START_TEST(predictions_have_the_stein_solution)
{
  const setup *from = &SETUPS[_i];
  sgf_problem *problem = problem_of(from, 0.02, SGF_SAMPLING_WITHOUT_REPLACEMENT);
  sgf_prediction *prediction = predict(problem);
  const sgf_prediction_info *info = &prediction->info;
  sgf_error error = {SGF_OK, ""};
  double beta = from->beta, lambda = problem->settings.training.learning_rate;
  ck_assert(info->residual < 1e-13);
  if (beta > 0.0) ASSERT_NEAR(info->stability_limit, 2.0 * (1.0 + beta) / info->largest_curvature, 1e-14);
  for (size_t layer = 0; layer <= problem->network.layers; layer++) {
    size_t n = layer > 0 ? sgf_layer_size(&problem->network, layer) : problem->network.weights, m = 2 * n;
    double *F = new_reals(m * m), *noise = new_reals(m * m), *Z = new_reals(m * m), *block = new_reals(n * n);
    double *N = new_reals(n * n);
    char name[64], set[64];
    snprintf(name, sizeof name, "layer%zu/hessian", layer);
    snprintf(set, sizeof set, "layer%zu/covariance_uncoupled", layer);
    const double *H = array_of(prediction, layer > 0 ? name : "hessian");
    snprintf(name, sizeof name, "layer%zu/noise_covariance", layer);
    const double *C = array_of(prediction, layer > 0 ? name : "noise_covariance");
    for (size_t k = 0; k < n * n; k++) N[k] = lambda * info->noise_strength * C[k];
    augmented(n, H, N, lambda, beta, F, noise);
    sgf_lyapunov_options options;
    sgf_certificate certificate;
    sgf_lyapunov_options_init(&options);
    options.discrete = true;
    options.rank_tolerance = 1e-9;
    ASSERT_OK(sgf_lyapunov_solve(m, F, 0, noise, &options, Z, &certificate, &error), error);
    sgf_diagonal_block(m, Z, 0, n, block);
    ASSERT_CLOSE(n * n, array_of(prediction, layer > 0 ? set : "covariance"), block, 1e-9);
    if (layer > 0) {
      snprintf(name, sizeof name, "layer%zu/covariance", layer);
      sgf_diagonal_block(problem->network.weights, array_of(prediction, "covariance"),
                         problem->network.offsets[layer], n, block);
      ck_assert_mem_eq(array_of(prediction, name), block, n * n * sizeof *block);
    }
    free(F);
    free(noise);
    free(Z);
    free(block);
    free(N);
  }
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* The covariance operator with momentum: the dense one, stationary and over a window, of steps and of the continuum, for
 * noise of the sample and of a population, with its limit and balance; the closed form T Pi has T / (1 - beta). */
START_TEST(operator_has_momentum)
{
  static const setup shapes[] = {
      {{5, 2}, 2, 20, 4, 0.7, 0.0}, {{3, 4, 2}, 3, 20, 4, 0.8, 0.0}, {{3, 3, 3, 2}, 4, 20, 4, 0.6, 0.0}};
  const setup *from = &shapes[_i % 3];
  sgf_problem *problem = problem_of(from, 0.005, SGF_SAMPLING_REPLACEMENT);
  sgf_error error = {SGF_OK, ""};
  size_t n = problem->network.weights;
  problem->settings.theory.equation = _i % 6 < 3 ? SGF_EQUATION_DISCRETE : SGF_EQUATION_CONTINUUM;
  problem->settings.theory.noise = _i < 6    ? SGF_NOISE_EMPIRICAL
                                   : _i < 12 ? SGF_NOISE_POPULATION
                                             : SGF_NOISE_ISOTROPIC;
  const sgf_plan plan = {.replicas = 1, .burn_in_steps = 30, .window_steps = 90, .stride = 3};
  const sgf_plan *plans[] = {NULL, &plan};
  sgf_prediction *dense = predict(problem), *large;
  sgf_covariance_operator *covariance;
  double *unit = new_reals(n * n), *second = new_reals(n * n), *expected = new_reals(n * n), *mean = new_reals(n),
         trace;
  for (size_t k = 0; k < n; k++) unit[k * (n + 1)] = 1.0;
  ASSERT_OK(sgf_covariance_operator_create_in_modes(problem, &covariance, &error), error);
  for (int k = 0; k < 2; k++) {
    ASSERT_OK(sgf_covariance_operator_window(covariance, plans[k], n, unit, second, &error), error);
    ASSERT_OK(sgf_covariance_operator_window_trace(covariance, plans[k], &trace, &error), error);
    ASSERT_OK(sgf_prediction_window(problem, dense, 0, plans[k], expected, mean, &error), error);
    ASSERT_CLOSE(n * n, second, expected, 1e-9);
    ASSERT_NEAR(trace, sgf_trace(n, expected), 1e-9 * trace);
  }
  ASSERT_OK(sgf_predict_by_operator(problem, &large, &error), error);
  ASSERT_NEAR(large->info.trace, dense->info.trace, 1e-9 * dense->info.trace);
  ASSERT_NEAR(large->info.excess_loss, dense->info.excess_loss, 1e-9 * dense->info.excess_loss);
  ASSERT_NEAR(large->info.stability_limit, dense->info.stability_limit, 1e-9 * dense->info.stability_limit);
  ASSERT_NEAR(large->info.decay_rate, dense->info.decay_rate, 1e-7 * dense->info.decay_rate);
  ASSERT_NEAR(large->info.temperature, dense->info.temperature, 1e-12 * dense->info.temperature);
  if (from->count > 2) ASSERT_NEAR(large->info.lifetime, dense->info.lifetime, 1e-9 * dense->info.lifetime);
  sgf_prediction_free(large);
  sgf_prediction_free(dense);
  sgf_covariance_operator_free(covariance);
  sgf_problem_free(problem);
  free(unit);
  free(second);
  free(expected);
  free(mean);
}
END_TEST

/* Spectral radius of E[F_mu (x) F_mu] over the samples, F_mu the step of (delta, v) with the sample's own Hessian on range(H):
 * batches of one sample, drawn independently. */
static double spectral_radius(const sgf_problem *problem, const sgf_range *range, double lambda)
{
  size_t n = range->n, rank = range->rank, m = 2 * rank, all = m * m;
  samples_by_one of = sample_by_sample(problem, 0);
  const double *V = range->V + (n - rank) * n;
  double *K = new_reals(all * all), *half = new_reals(rank * n), *H = new_reals(rank * rank), *F = new_reals(m * m);
  double *real = new_reals(all), *imaginary = new_reals(all), radius = 0.0,
         beta = problem->settings.training.momentum;
  for (size_t s = 0; s < of.P; s++) {
    sgf_multiply(rank, n, n, SGF_PLAIN, V, SGF_PLAIN, of.H + s * n * n, half);
    sgf_multiply(rank, rank, n, SGF_PLAIN, half, SGF_TRANSPOSED, V, H);
    for (size_t k = 0; k < rank; k++) H[k * (rank + 1)] += problem->settings.training.weight_decay;
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < m; j++) {
        double diagonal = i % rank == j % rank ? 1.0 : 0.0;
        F[i * m + j] =
            j >= rank ? beta * diagonal : (i < rank ? diagonal : 0.0) - lambda * H[(i % rank) * rank + j % rank];
      }
    for (size_t i = 0; i < all; i++)
      for (size_t j = 0; j < all; j++)
        K[i * all + j] += F[(i / m) * m + j / m] * F[(i % m) * m + j % m] / (double)of.P;
  }
  ck_assert_int_eq(
      LAPACKE_dgeev(LAPACK_ROW_MAJOR, 'N', 'N', (int)all, K, (int)all, real, imaginary, NULL, 1, NULL, 1), 0);
  for (size_t k = 0; k < all; k++) radius = fmax(radius, hypot(real[k], imaginary[k]));
  free(K);
  free(half);
  free(H);
  free(F);
  free(real);
  free(imaginary);
  free(of.H);
  free(of.g);
  return radius;
}

/* At the limit in mean square the radius is 1, one percent below and above it is on the right side; beyond it nothing is
 * predicted, though the drift is stable. */
START_TEST(momentum_is_stable_up_to_the_limit_in_mean_square)
{
  static const setup shapes[] = {{{3, 1}, 2, 7, 1, 0.6, 0.0},
                                 {{2, 2}, 2, 6, 1, 0.9, 0.1},
                                 {{2, 2, 2}, 3, 9, 1, 0.8, 0.0},
                                 {{2, 2, 1, 2}, 4, 9, 1, 0.3, 0.0}};
  sgf_problem *problem = problem_of(&shapes[_i], 1e-4, SGF_SAMPLING_REPLACEMENT);
  sgf_prediction *prediction = predict(problem), *beyond;
  sgf_error error = {SGF_OK, ""};
  const sgf_range *range = &prediction->joint.range;
  double limit = prediction->info.mean_square_limit;
  ck_assert(limit > 0.0 && limit < 0.95 * prediction->info.stability_limit);
  ASSERT_NEAR(spectral_radius(problem, range, limit), 1.0, 1e-6);
  ck_assert(spectral_radius(problem, range, 0.99 * limit) < 1.0 &&
            spectral_radius(problem, range, 1.01 * limit) > 1.0);
  problem->settings.training.learning_rate = 1.01 * limit;
  ck_assert_int_eq(sgf_predict(problem, false, &beyond, &error), SGF_ERROR_UNSTABLE);
  sgf_prediction_free(prediction);
  problem->settings.training.momentum = 0.0;
  prediction = predict(problem);
  ck_assert(isnan(prediction->info.mean_square_limit));
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Epochs tell of the crossover, and of psi with independent draws: those of the config with fresh subsets instead. */
START_TEST(epochs_tell_of_independent_draws)
{
  const setup *from = &SETUPS[_i];
  sgf_problem *problem = problem_of(from, 0.02, SGF_SAMPLING_EPOCH);
  sgf_prediction *epochs = predict(problem);
  problem->settings.training.sampling = SGF_SAMPLING_WITHOUT_REPLACEMENT;
  sgf_prediction *fresh = predict(problem);
  size_t n = problem->network.weights, below = 0, M = from->samples / from->batch;
  const sgf_range *range = &epochs->joint.range;
  for (size_t k = n - epochs->info.rank_hessian; k < n; k++)
    below += 0.02 * range->h[k] * (double)M < 3.0 * (1.0 - from->beta);
  ck_assert_uint_eq(epochs->info.modes_below_crossover, below);
  ck_assert_uint_eq(fresh->info.modes_below_crossover, 0);
  ASSERT_CLOSE(n * n, array_of(epochs, from->beta > 0.0 ? "covariance_independent" : "covariance_discrete"),
               array_of(fresh, "covariance"), 1e-13);
  for (size_t l = 0; l < problem->network.layers; l++) {
    double psi = fresh->layers[l].ivfr.psi, alone = fresh->layers[l].ivfr_uncoupled.psi;
    if (!isnan(psi)) ASSERT_NEAR(epochs->layers[l].ivfr_independent.psi, psi, 1e-6 * fabs(psi));
    if (!isnan(alone)) ASSERT_NEAR(epochs->layers[l].ivfr_uncoupled_independent.psi, alone, 1e-6 * fabs(alone));
    ck_assert(isnan(fresh->layers[l].ivfr_independent.psi));
  }
  ck_assert(array_of(epochs, "covariance_epoch_end") != NULL && epochs->info.residual < 1e-13);
  ck_assert(sgf_trace(n, array_of(epochs, "covariance")) < sgf_trace(n, array_of(fresh, "covariance")));
  sgf_prediction_free(epochs);
  sgf_prediction_free(fresh);
  sgf_problem_free(problem);
}
END_TEST

/* ---------------------------------------------------------------------- balance */

/* J = v_l W_l^T - W_{l+1}^T v_{l+1} and U = v_l v_l^T - v_{l+1}^T v_{l+1}, of hidden layer 1: (size, size). */
static void charge_of(const sgf_network *network, const double *theta, const double *v, double *J, double *U)
{
  size_t N = network->widths[1], in = network->widths[0], out = network->widths[2];
  const double *W1 = theta + network->offsets[1], *W2 = theta + network->offsets[2];
  const double *v1 = v + network->offsets[1], *v2 = v + network->offsets[2];
  for (size_t p = 0; p < N; p++)
    for (size_t q = 0; q < N; q++) {
      J[p * N + q] = U[p * N + q] = 0.0;
      for (size_t i = 0; i < in; i++) {
        J[p * N + q] += v1[p * in + i] * W1[q * in + i];
        U[p * N + q] += v1[p * in + i] * v1[q * in + i];
      }
      for (size_t a = 0; a < out; a++) {
        J[p * N + q] -= W2[a * N + p] * v2[a * N + q];
        U[p * N + q] -= v2[a * N + p] * v2[a * N + q];
      }
    }
}

/* J' = beta J + U and Delta B = beta (J + J^T) + U, of every step of SGD, to round-off. */
START_TEST(momentum_changes_the_balance_exactly)
{
  const setup from = {{3, 4, 2}, 3, 12, 2, 0.6, 0.0};
  sgf_problem *problem = problem_of(&from, 0.02, SGF_SAMPLING_EPOCH);
  const sgf_network *network = &problem->network;
  sgf_error error = {SGF_OK, ""};
  sgf_engine *engine;
  sgf_sgd run;
  size_t n = network->weights;
  double *theta = new_reals(2 * n), *v = new_reals(n), J[16] = {0}, U[16], next[16], B[16], last[16];
  ASSERT_OK(sgf_engine_create(problem, 0, &engine, &error), error);
  ASSERT_OK(sgf_sgd_create(engine, 0, &run, &error), error);
  sgf_sgd_weights(&run, theta);
  sgf_balance(network, theta, 1, last);
  for (int t = 0; t < 50; t++) {
    sgf_sgd_advance(&run, 1, false);
    sgf_sgd_weights(&run, theta + n);
    for (size_t k = 0; k < n; k++) v[k] = theta[n + k] - theta[k];
    charge_of(network, theta + n, v, next, U);
    sgf_balance(network, theta + n, 1, B);
    for (int p = 0; p < 4; p++)
      for (int q = 0; q < 4; q++) {
        int k = 4 * p + q, mirrored = 4 * q + p;
        ASSERT_NEAR(B[k] - last[k], 0.6 * (J[k] + J[mirrored]) + U[k], 1e-13);
        ASSERT_NEAR(next[k], 0.6 * J[k] + U[k], 1e-13);
      }
    memcpy(J, next, sizeof J);
    memcpy(last, B, sizeof B);
    memcpy(theta, theta + n, n * sizeof *theta);
  }
  sgf_sgd_free(&run);
  sgf_engine_free(engine);
  free(theta);
  free(v);
  sgf_problem_free(problem);
}
END_TEST

/* Speed and delay from the covariance of the noise of many steps, all of them: v_t = sum beta^(t-s) xi_s. */
START_TEST(balance_speed_is_that_of_the_velocities)
{
  enum { T = 240 };
  static const size_t batches[] = {0, 3, 12};
  double beta = _i % 2 == 0 ? 0.5 : 0.8, J = 0.0, B = 0.0, earlier = 0.0;
  size_t M = batches[_i / 2], last = M > 0 ? M : 1;
  for (int t = 1; t <= T; t++) {
    double U = 0.0;
    for (int s = 1; s <= t; s++)
      for (int r = 1; r <= t; r++) {
        double same = s == r ? 1.0 : 0.0;
        if (M > 0 && s != r) same = (s - 1) / (int)M == (r - 1) / (int)M ? -1.0 / ((double)M - 1.0) : 0.0;
        U += same * pow(beta, 2 * t - s - r);
      }
    B += 2.0 * beta * J + U;
    J = beta * J + U;
    ASSERT_NEAR(sgf_balance_steps(beta, M, t) * sgf_balance_speed(beta, M), B, 1e-10 * B);
    if ((size_t)t == T - last) earlier = B;
  }
  ASSERT_NEAR((B - earlier) / (double)last, sgf_balance_speed(beta, M), 1e-10 * B);
  if (M == 0) ASSERT_NEAR(sgf_balance_speed(beta, 0), 1.0 / ((1.0 - beta) * (1.0 - beta)), 1e-12);
  ck_assert_double_eq(sgf_balance_speed(0.0, M), 1.0);
  ck_assert_double_eq(sgf_balance_steps(0.0, M, 17.0), 17.0);
}
END_TEST

/* The rate at which modes forget: eigenvalues of the step. */
START_TEST(modes_forget_at_the_rate_of_their_roots)
{
  double lambda = 0.1;
  ck_assert_double_eq(sgf_mode_rate(lambda, 0.0, 0.7), 0.7);
  ASSERT_NEAR(sgf_mode_rate(lambda, 0.9, 1e-10) / 1e-9, 1.0, 1e-8);
  ASSERT_NEAR(sgf_mode_rate(lambda, 0.9, 2.0), -0.5 * log(0.9) / lambda, 1e-14);
  for (double rho = 0.001; rho < 2.9; rho *= 1.7) { /* mu^2 - (1 + beta - rho) mu + beta = 0 */
    double mu = exp(-lambda * sgf_mode_rate(lambda, 0.45, rho / lambda)), trace = 1.45 - rho;
    if (trace * trace > 1.8) ASSERT_NEAR(mu * mu - fabs(trace) * mu + 0.45, 0.0, 1e-14);
  }
}
END_TEST

/* Times are measured in relaxation times with momentum; with epochs the window is of whole ones and every step a snapshot, and
 * need not be long against the relaxation of modes that an epoch calms. */
START_TEST(plans_know_the_dynamics)
{
  const setup plain = {{3, 4, 2}, 3, 20, 4, 0.0, 0.0}, heavy = {{3, 4, 2}, 3, 20, 4, 0.9, 0.0};
  sgf_error error = {SGF_OK, ""};
  double burn_in[2], window[2];
  for (int k = 0; k < 2; k++) {
    sgf_problem *problem = problem_of(k == 0 ? &plain : &heavy, k == 0 ? 0.002 : 0.0002, SGF_SAMPLING_REPLACEMENT);
    sgf_prediction *prediction = predict(problem);
    sgf_plan plan;
    ASSERT_OK(sgf_plan_simulation(problem, prediction, &plan, &error), error);
    burn_in[k] = (double)plan.burn_in_steps;
    window[k] = (double)plan.window_steps;
    double steps = burn_in[k] + window[k], lambda = problem->settings.training.learning_rate;
    ASSERT_NEAR(log(plan.relaxed), -steps * lambda * prediction->info.decay_rate, 1e-9 * fabs(log(plan.relaxed)));
    ASSERT_NEAR(plan.lifetime, steps * lambda / prediction->info.lifetime, 1e-12);
    problem->settings.training.sampling = SGF_SAMPLING_EPOCH;
    sgf_prediction *epochs = predict(problem);
    ASSERT_OK(sgf_plan_simulation(problem, epochs, &plan, &error), error);
    ck_assert(plan.stride == 1 && plan.window_steps % 5 == 0 && plan.burn_in_steps % 5 == 0);
    ck_assert((double)plan.window_steps < 0.5 * window[k]);
    sgf_prediction_free(epochs);
    sgf_prediction_free(prediction);
    sgf_problem_free(problem);
  }
  /* the same learning rate over 1 - beta */
  ASSERT_NEAR(burn_in[1] / burn_in[0], 1.0, 0.05);
  ASSERT_NEAR(window[1] / window[0], 1.0, 0.05);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("dynamics");
  TCase *tests = tcase_create("dynamics");
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, momentum_is_the_stein_solution, 0, DYNAMICS_COUNT);
  tcase_add_loop_test(tests, momentum_windows_are_the_iterated_map, 0, DYNAMICS_COUNT);
  tcase_add_loop_test(tests, means_of_windows_are_the_iterated_sums, 0, DYNAMICS_COUNT);
  tcase_add_test(tests, momentum_has_its_closed_forms);
  tcase_add_test(tests, continuum_is_the_limit_of_momentum);
  tcase_add_loop_test(tests, epochs_with_momentum_are_the_propagated_noise, 0, 9);
  tcase_add_loop_test(tests, slow_modes_of_epochs_keep_their_digits, 0, 3);
  tcase_add_test(tests, one_batch_makes_no_noise);
  tcase_add_loop_test(tests, mean_of_epochs_is_the_driven_one, 0, SETUP_COUNT);
  tcase_add_loop_test(tests, predictions_have_the_stein_solution, 2, SETUP_COUNT);
  tcase_add_loop_test(tests, momentum_is_stable_up_to_the_limit_in_mean_square, 0, 4);
  tcase_add_loop_test(tests, operator_has_momentum, 0, 18);
  tcase_add_loop_test(tests, epochs_tell_of_independent_draws, 0, SETUP_COUNT);
  tcase_add_test(tests, momentum_changes_the_balance_exactly);
  tcase_add_loop_test(tests, balance_speed_is_that_of_the_velocities, 0, 6);
  tcase_add_test(tests, plans_know_the_dynamics);
  tcase_add_test(tests, modes_forget_at_the_rate_of_their_roots);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
