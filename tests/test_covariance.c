/* Covariances: oracles, brute force over every minibatch, Kronecker systems, closed forms, finite times. */
#include <SuiteSparseQR_C.h>
#include <lapacke.h>

#include "../theory/diffusion.h"
#include "../theory/epoch.h"
#include "../theory/lyapunov.h"
#include "../theory/prediction.h"
#include "minibatches.h"

static sgf_problem *problem_of(sgf_settings *settings, size_t samples, uint64_t seed)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  size_t inputs = settings->network.widths[0], outputs = settings->network.widths[1];
  double *X = new_reals(samples * inputs), *Y = new_reals(samples * outputs);
  fill_normal(seed, samples * inputs, X);
  fill_normal(seed + 1, samples * outputs, Y);
  ASSERT_OK(sgf_problem_from_arrays(settings, samples, X, Y, NULL, &problem, &error), error);
  free(X);
  free(Y);
  return problem;
}

static const double *array_of(const sgf_prediction *prediction, const char *name)
{
  size_t rows, columns;
  const double *values = sgf_prediction_array(prediction, name, &rows, &columns);
  ck_assert_msg(values != NULL, "no array %s", name);
  return values;
}

/* ----------------------------------------------------------------- oracles */

typedef struct {
  const char *file;
  size_t widths[4], count, batch;
  double rate;
  sgf_sampling sampling;
  double momentum, decay;
} oracle;

static const oracle ORACLES[] = {
    {"single_weak.h5", {10, 1}, 2, 4, 0.01, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {"single_strong.h5", {10, 1}, 2, 8, 0.02, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0, 0.0},
    {"single_outputs.h5", {6, 3}, 2, 6, 0.02, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {"single_epoch.h5", {8, 1}, 2, 4, 0.03, SGF_SAMPLING_EPOCH, 0.0, 0.0},
    {"two_epoch.h5", {4, 4, 3}, 3, 4, 0.02, SGF_SAMPLING_EPOCH, 0.0, 0.0},
    {"single_momentum.h5", {8, 1}, 2, 4, 0.01, SGF_SAMPLING_REPLACEMENT, 0.9, 0.0},
    {"two_momentum.h5", {4, 4, 3}, 3, 4, 0.01, SGF_SAMPLING_REPLACEMENT, 0.5, 0.0},
    {"two_square.h5", {5, 5, 5}, 3, 6, 0.01, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {"two_wide.h5", {4, 9, 3}, 3, 5, 0.01, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0, 0.0},
    {"two_narrow_input.h5", {6, 4, 3}, 3, 5, 0.01, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {"two_scalar_output.h5", {6, 6, 1}, 3, 5, 0.01, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {"two_bottleneck.h5", {6, 2, 5}, 3, 5, 0.01, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {"deep_three.h5", {4, 5, 4, 3}, 4, 5, 0.01, SGF_SAMPLING_REPLACEMENT, 0.0, 0.0},
    {"two_decay.h5", {5, 6, 4}, 3, 5, 0.01, SGF_SAMPLING_REPLACEMENT, 0.0, 0.3},
    {"deep_decay.h5", {4, 5, 4, 3}, 4, 5, 0.01, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0, 0.03}};

static void check_set(const char *file, const sgf_prediction *prediction, const char *expected, const char *name)
{
  char path[128];
  size_t count;
  snprintf(path, sizeof path, "expected/theory/%s", expected);
  double *values = case_array(file, path, 2, &count);
  double difference = relative_difference(count, array_of(prediction, name), values);
  ck_assert_msg(difference <= 1e-12, "%s: %s differs by %g", file, name, difference);
  free(values);
}

/* Every set of the layers; those of the covariances belong to the discrete equation. */
static void check_layers(const oracle *known, const sgf_prediction *prediction)
{
  static const char *const sets[] = {"hessian", "noise_covariance", "covariance", "covariance_uncoupled"};
  char name[48];
  bool plain = known->sampling != SGF_SAMPLING_EPOCH && known->momentum == 0.0;
  for (size_t l = 1; l < known->count; l++)
    for (size_t k = 0; k < (plain ? 4 : 2); k++) {
      snprintf(name, sizeof name, "layer%zu/%s", l, sets[k]);
      check_set(known->file, prediction, name, name);
    }
}

START_TEST(predictions_agree_with_the_oracles)
{
  const oracle *known = &ORACLES[_i];
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  sgf_prediction *prediction;
  bool epoch = known->sampling == SGF_SAMPLING_EPOCH;
  settings_with_widths(&settings, known->count, known->widths);
  settings.data.source = SGF_SOURCE_FILE;
  settings.data.file = strdup(case_path(known->file));
  settings.network.weights = strdup(case_path(known->file));
  settings.network.relax = false;
  settings.training.learning_rate = known->rate;
  settings.training.batch_size = known->batch;
  settings.training.sampling = known->sampling;
  settings.training.momentum = known->momentum;
  settings.training.weight_decay = known->decay;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  check_set(known->file, prediction, "covariance_continuum", "covariance_continuum");
  check_set(known->file, prediction, "covariance_discrete", "covariance_discrete");
  if (epoch) check_set(known->file, prediction, "covariance_epoch", "covariance");
  if (known->momentum > 0.0) check_set(known->file, prediction, "covariance_momentum", "covariance");
  if (!epoch && known->momentum == 0.0 && known->count == 2 && known->widths[1] == 1)
    check_set(known->file, prediction, "covariance_exact", "covariance_exact");
  if (known->count > 2) {
    check_set(known->file, prediction, "hessian", "hessian");
    check_set(known->file, prediction, "noise_covariance", "noise_covariance");
  }
  check_layers(known, prediction);
  ck_assert(prediction->info.residual < 1e-13);
  ck_assert((double)prediction->info.rank_hessian == case_attribute(known->file, "expected", "rank_hessian"));
  double loss = case_attribute(known->file, "expected", "min_loss");
  ASSERT_NEAR(prediction->info.min_loss, loss, 1e-13 * loss);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* ---------------------------------------- brute force over every minibatch */

typedef struct {
  size_t inputs, outputs, samples, batch;
  sgf_sampling sampling;
  double decay;
} small;

static const small SMALL[] = {{3, 1, 6, 2, SGF_SAMPLING_REPLACEMENT, 0.0},
                              {3, 1, 6, 2, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0},
                              {2, 2, 5, 3, SGF_SAMPLING_REPLACEMENT, 0.0},
                              {2, 2, 5, 3, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0},
                              {3, 1, 6, 1, SGF_SAMPLING_REPLACEMENT, 0.2},
                              {4, 1, 3, 2, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.3}, /* P < N_0: decay alone holds it */
                              {3, 1, 5, 5, SGF_SAMPLING_WITHOUT_REPLACEMENT, 0.0} /* full batch: no noise */};

static sgf_problem *small_problem(const small *size, double rate, sgf_equation equation)
{
  sgf_settings settings;
  settings_with_widths(&settings, 2, (size_t[]){size->inputs, size->outputs});
  settings.training.learning_rate = rate;
  settings.training.batch_size = size->batch;
  settings.training.sampling = size->sampling;
  settings.training.weight_decay = size->decay;
  settings.theory.equation = equation;
  sgf_problem *problem = problem_of(&settings, size->samples, 21);
  sgf_settings_free(&settings);
  return problem;
}

START_TEST(exact_equation_is_the_average_over_all_minibatches)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = small_problem(&SMALL[_i], 0.05, SGF_EQUATION_EXACT);
  sgf_prediction *prediction;
  minibatch_average all;
  average_over_minibatches(problem, NULL, problem->network.weights, &all);
  size_t n2 = all.rank * all.rank;
  double *Sigma = new_reals(n2);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  stationary_of(&all, Sigma);
  double scale = sgf_norm(n2, Sigma);
  if (SMALL[_i].batch == SMALL[_i].samples)
    ck_assert(sgf_norm(n2, array_of(prediction, "covariance_exact")) <= 1e-20 && scale <= 1e-20);
  else
    ASSERT_CLOSE(n2, array_of(prediction, "covariance_exact"), Sigma, 1e-11);
  free(Sigma);
  minibatch_average_free(&all);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* At the limit the spectral radius of the brute-force map is 1, a percent below and above it is on the right side. */
START_TEST(stability_limit_is_where_the_second_moment_grows)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = small_problem(&SMALL[_i], 0.05, SGF_EQUATION_EXACT);
  sgf_prediction *prediction;
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  double limit = prediction->info.stability_limit, radius[3];
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  for (int k = 0; k < 3; k++) {
    minibatch_average all;
    problem = small_problem(&SMALL[_i], limit * (0.99 + 0.01 * k), SGF_EQUATION_EXACT);
    average_over_minibatches(problem, NULL, problem->network.weights, &all);
    radius[k] = spectral_radius(&all);
    minibatch_average_free(&all);
    sgf_problem_free(problem);
  }
  ck_assert(radius[0] < 1.0 && radius[2] > 1.0);
  ASSERT_NEAR(radius[1], 1.0, 1e-10);
}
END_TEST

/* From zero, step by step by the brute-force map, averaged over the snapshots of a window. */
START_TEST(exact_finite_time_covariance_is_the_iterated_map)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = small_problem(&SMALL[_i], 0.05, SGF_EQUATION_EXACT);
  sgf_prediction *prediction;
  sgf_plan plan = {.replicas = 1, .burn_in_steps = 7, .window_steps = 30, .stride = 3};
  minibatch_average all;
  average_over_minibatches(problem, NULL, problem->network.weights, &all);
  size_t n2 = all.rank * all.rank;
  double *mean = new_reals(n2), *window = new_reals(n2), drift[16];
  window_of(&all, 10, 3, 10, mean);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  ASSERT_OK(sgf_prediction_window(problem, prediction, 0, &plan, window, drift, &error), error);
  ASSERT_CLOSE(n2, window, mean, 1e-8);
  free(mean);
  free(window);
  minibatch_average_free(&all);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* --------------------------------------------------- other exact-equation tests */

/* P -> infinity, Gaussian inputs, one output: Sigma = (lambda s^2 / S)(1 + k/S) Gamma^-1. Source: section 2. */
START_TEST(exact_equation_has_its_gaussian_closed_form)
{
  enum { N = 5 };
  double lambda = 0.08, S = 3.0;
  sgf_error error = {SGF_OK, ""};
  sgf_settings settings;
  sgf_prediction *prediction;
  settings_with_widths(&settings, 2, (size_t[]){N, 1});
  settings.training.learning_rate = lambda;
  settings.training.batch_size = (size_t)S;
  settings.theory.equation = SGF_EQUATION_EXACT;
  settings.theory.noise = SGF_NOISE_POPULATION;
  sgf_problem *problem = problem_of(&settings, 40, 5);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  double variance = 2.0 * prediction->info.min_loss, t = 0.0, expected[N], found[N * N], work[N * N];
  const double *a = prediction->joint.range.h;
  for (int i = 0; i < N; i++) t += lambda * a[i] / (2.0 - (1.0 + 1.0 / S) * lambda * a[i]);
  double k = t / (1.0 - t / S);
  for (int i = 0; i < N; i++)
    expected[i] = lambda * variance / S * (1.0 + k / S) / (2.0 - (1.0 + 1.0 / S) * lambda * a[i]);
  sgf_into_basis(N, prediction->joint.range.V, array_of(prediction, "covariance"), work, found);
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) ASSERT_NEAR(found[i * N + j], i == j ? expected[i] : 0.0, 1e-13 * expected[0]);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* 200 inputs are 40 000 unknowns; the residual is recomputed here from the samples. */
START_TEST(exact_equation_works_at_200_inputs)
{
  enum { N = 200, P = 400 };
  sgf_error error = {SGF_OK, ""};
  sgf_settings settings;
  sgf_prediction *prediction;
  settings_with_widths(&settings, 2, (size_t[]){N, 1});
  settings.training.learning_rate = 0.01;
  settings.theory.equation = SGF_EQUATION_EXACT;
  sgf_problem *problem = problem_of(&settings, P, 9);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  const double *H = array_of(prediction, "hessian"), *C = array_of(prediction, "noise_covariance");
  const double *Sigma = array_of(prediction, "covariance");
  double lambda = 0.01, p = 1.0 / 20.0, *fourth = new_reals(N * N), *HS = new_reals(N * N), *HSH = new_reals(N * N);
  double *left = new_reals(N * N), *right = new_reals(N * N);
  for (size_t m = 0; m < P; m++) {
    const double *x = problem->data.X + m * N;
    double form = sgf_quadratic_form(N, Sigma, x) / P;
    for (size_t i = 0; i < N; i++)
      for (size_t j = 0; j < N; j++) fourth[i * N + j] += form * x[i] * x[j];
  }
  sgf_multiply(N, N, N, SGF_PLAIN, H, SGF_PLAIN, Sigma, HS);
  sgf_multiply(N, N, N, SGF_PLAIN, HS, SGF_PLAIN, H, HSH);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      size_t k = i * N + j;
      left[k] = HS[k] + HS[j * N + i] - lambda * HSH[k] - lambda * p * (fourth[k] - HSH[k]);
      right[k] = lambda * p * C[k];
    }
  ASSERT_CLOSE((size_t)N * N, left, right, 1e-12);
  ck_assert(prediction->info.residual < 1e-13);
  free(fourth);
  free(HS);
  free(HSH);
  free(left);
  free(right);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* ------------------------------------------------- constant drift, any rank */

/* A solution of (H (x) 1 + 1 (x) H - lambda H (x) H) s = vec N by sparse rank-revealing QR: a basic one, which the
 * part of s in null(H) x null(H) sets apart from that of minimum norm. */
static void kronecker_solution(size_t n, const double *H, double lambda, const double *N, double *S)
{
  cholmod_common common;
  cholmod_l_start(&common);
  cholmod_triplet *entries = cholmod_l_allocate_triplet(n * n, n * n, n * n * n * n, 0, CHOLMOD_REAL, &common);
  SuiteSparse_long *rows = entries->i, *columns = entries->j;
  double *values = entries->x;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      for (size_t k = 0; k < n; k++)
        for (size_t l = 0; l < n; l++) {
          rows[entries->nnz] = (SuiteSparse_long)(i * n + j);
          columns[entries->nnz] = (SuiteSparse_long)(k * n + l);
          values[entries->nnz++] =
              H[i * n + k] * (j == l) + (i == k) * H[j * n + l] - lambda * H[i * n + k] * H[j * n + l];
        }
  cholmod_sparse *system = cholmod_l_triplet_to_sparse(entries, 0, &common);
  cholmod_dense *right = cholmod_l_allocate_dense(n * n, 1, n * n, CHOLMOD_REAL, &common);
  memcpy(right->x, N, n * n * sizeof *N);
  cholmod_dense *solution = SuiteSparseQR_C_backslash(SPQR_ORDERING_DEFAULT, 1e-10, system, right, &common);
  ck_assert_ptr_nonnull(solution);
  memcpy(S, solution->x, n * n * sizeof *S);
  cholmod_l_free_triplet(&entries, &common);
  cholmod_l_free_sparse(&system, &common);
  cholmod_l_free_dense(&right, &common);
  cholmod_l_free_dense(&solution, &common);
  cholmod_l_finish(&common);
}

/* S less its block on null(A) x null(A), A (rank x n): P = 1 - A^T (A A^T)^-1 A, S - P S P. */
static void remove_null_block(size_t n, size_t rank, const double *A, double *S)
{
  double *gram = new_reals(rank * rank), *solved = new_reals(rank * n), *P = new_reals(n * n),
         *work = new_reals(n * n);
  double *block = new_reals(n * n);
  sgf_multiply(rank, rank, n, SGF_PLAIN, A, SGF_TRANSPOSED, A, gram);
  memcpy(solved, A, rank * n * sizeof *A);
  ck_assert_int_eq(LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', (int)rank, (int)n, gram, (int)rank, solved, (int)n), 0);
  sgf_multiply(n, n, rank, SGF_TRANSPOSED, A, SGF_PLAIN, solved, P);
  for (size_t k = 0; k < n * n; k++) P[k] = (k % (n + 1) == 0) - P[k];
  sgf_into_basis(n, P, S, work, block);
  for (size_t k = 0; k < n * n; k++) S[k] -= block[k];
  free(gram);
  free(solved);
  free(P);
  free(work);
  free(block);
}

/* H = A^T A and N = A^T W A with A (rank x n) share their null space. */
static void random_pair(size_t n, size_t rank, uint64_t seed, double *A, double *H, double *N)
{
  double *B = new_reals(rank * rank), *W = new_reals(rank * rank), *WA = new_reals(rank * n);
  fill_normal(seed, rank * n, A);
  fill_normal(seed + 1, rank * rank, B);
  for (size_t k = 0; k < rank * n; k++) A[k] /= sqrt((double)n);
  sgf_multiply(n, n, rank, SGF_TRANSPOSED, A, SGF_PLAIN, A, H);
  sgf_multiply(rank, rank, rank, SGF_TRANSPOSED, B, SGF_PLAIN, B, W);
  sgf_multiply(rank, n, rank, SGF_PLAIN, W, SGF_PLAIN, A, WA);
  sgf_multiply(n, n, rank, SGF_TRANSPOSED, A, SGF_PLAIN, WA, N);
  sgf_symmetrize(n, H);
  sgf_symmetrize(n, N);
  free(B);
  free(W);
  free(WA);
}

START_TEST(lyapunov_is_the_minimum_norm_kronecker_solution)
{
  enum { n = 6 };
  size_t rank = (size_t)_i + 1;
  double A[n * n], H[n * n], N[n * n], S[n * n], expected[n * n], work[3 * n * n];
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  random_pair(n, rank, 100 + rank, A, H, N);
  ASSERT_OK(sgf_range_create(n, H, NAN, &range, &error), error);
  ck_assert_uint_eq(range.rank, rank);
  ck_assert(!range.ambiguous);
  for (int discrete = 0; discrete < 2; discrete++) {
    double lambda = discrete * 0.2;
    sgf_into_basis(n, range.V, N, work, S);
    ck_assert(sgf_null_noise(&range, S) < 1e-14);
    sgf_lyapunov(&range, lambda, S, S);
    sgf_out_of_basis(n, range.V, S, work, S);
    kronecker_solution(n, H, lambda, N, expected);
    remove_null_block(n, rank, A, expected);
    ASSERT_CLOSE((size_t)n * n, S, expected, 1e-9);
    ck_assert(sgf_lyapunov_residual(n, H, lambda, S, N, work) < 1e-14);
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < i; j++) ck_assert(S[i * n + j] == S[j * n + i]);
  }
  sgf_range_free(&range);
}
END_TEST

/* A wrong covariance has a residual, and a NaN is not a small one. */
START_TEST(residual_sees_errors)
{
  enum { n = 4 };
  double A[n * n], H[n * n], N[n * n], S[n * n], work[3 * n * n];
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  random_pair(n, n, 7, A, H, N);
  ASSERT_OK(sgf_range_create(n, H, NAN, &range, &error), error);
  sgf_into_basis(n, range.V, N, work, S);
  sgf_lyapunov(&range, 0.0, S, S);
  sgf_out_of_basis(n, range.V, S, work, S);
  S[5] *= 1.0 + 1e-6;
  ck_assert(sgf_lyapunov_residual(n, H, 0.0, S, N, work) > 1e-9);
  S[5] = NAN;
  ck_assert(isnan(sgf_lyapunov_residual(n, H, 0.0, S, N, work)));
  sgf_range_free(&range);
}
END_TEST

START_TEST(saddles_and_flat_losses_are_refused)
{
  double saddle[] = {1.0, 0.0, 0.0, -0.5}, flat[] = {0.0, 0.0, 0.0, 0.0};
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  ck_assert_int_eq(sgf_range_create(2, saddle, NAN, &range, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_nonnull(strstr(error.message, "saddle"));
  ck_assert_int_eq(sgf_range_create(2, flat, NAN, &range, &error), SGF_ERROR_VALUE);
}
END_TEST

START_TEST(rank_is_decided_at_the_gap)
{
  double clear[] = {1e-16, 0, 0, 0, 1e-3, 0, 0, 0, 1.0}, unclear[] = {1e-14, 0, 0, 0, 1e-12, 0, 0, 0, 1.0};
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_range_create(3, clear, NAN, &range, &error), error);
  ck_assert_uint_eq(range.rank, 2);
  ck_assert(!range.ambiguous);
  sgf_range_free(&range);
  ASSERT_OK(sgf_range_create(3, clear, 0.01, &range, &error), error); /* the user's tolerance rules */
  ck_assert_uint_eq(range.rank, 1);
  sgf_range_free(&range);
  ASSERT_OK(sgf_range_create(3, unclear, 1e-13, &range, &error), error);
  ck_assert_uint_eq(range.rank, 2);
  ck_assert(range.ambiguous);
  sgf_range_free(&range);
}
END_TEST

/* Sigma_{t+1} = (1 - lambda H) Sigma_t (1 - lambda H) + lambda^2 (kappa/S) C from zero, window average. */
START_TEST(finite_time_covariance_is_the_iterated_map)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = small_problem(&SMALL[0], 0.2, SGF_EQUATION_DISCRETE);
  sgf_prediction *prediction;
  sgf_plan plan = {.replicas = 1, .burn_in_steps = 4, .window_steps = 20, .stride = 2};
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  size_t n = problem->network.weights;
  const double *H = array_of(prediction, "hessian"), *C = array_of(prediction, "noise_covariance");
  double map[9], Sigma[9] = {0}, next[9], mean[9] = {0}, window[9], drift[3];
  for (size_t k = 0; k < n * n; k++) map[k] = (k % (n + 1) == 0) - 0.2 * H[k];
  for (size_t t = 1; t <= 24; t++) {
    sgf_multiply(n, n, n, SGF_PLAIN, map, SGF_PLAIN, Sigma, next);
    sgf_multiply(n, n, n, SGF_PLAIN, next, SGF_PLAIN, map, Sigma);
    for (size_t k = 0; k < n * n; k++) Sigma[k] += 0.2 * 0.2 * 0.5 * C[k];
    if (t > 4 && t % 2 == 0)
      for (size_t k = 0; k < n * n; k++) mean[k] += Sigma[k] / 10.0;
  }
  ASSERT_OK(sgf_prediction_window(problem, prediction, 0, &plan, window, drift, &error), error);
  ASSERT_CLOSE(n * n, window, mean, 1e-12);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* x next to 1, where 1 - x^k loses its digits, and negative x. */
START_TEST(mean_power_is_accurate)
{
  double rates[] = {1e-13, 1e-6, 0.3, 1.0, 1.7};
  for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
    double x = 1.0 - rates[r], sum = 0.0;
    long double exact_x = 1.0L - (long double)rates[r];
    for (int j = 0; j < 50; j++) sum += (double)powl(exact_x, 5 + 3 * j) / 50.0;
    ASSERT_NEAR(sgf_mean_power(x, log1p(-rates[r]), 5.0, 3.0, 50.0), sum, 1e-13 * fabs(sum) + 1e-300);
  }
}
END_TEST

/* ------------------------------------------------------------------- epochs */

/* The noise of an epoch by its covariance, cov(eta_k, eta_l) = c (delta_kl M/(M-1) - 1/(M-1)), propagated by hand
 * for two modes: mean over the epoch of E[delta_i delta_j], epochs iterated to stationarity or averaged from zero.
 * */
static double propagate(double a_i, double a_j, int M, int skipped, int epochs)
{
  double start = 0.0, total = 0.0;
  for (int e = 0; e < skipped + epochs; e++) {
    double s = start;
    for (int m = 1; m <= M; m++) {
      s = pow(a_i * a_j, m) * start;
      for (int k = 0; k < m; k++)
        for (int l = 0; l < m; l++) s += pow(a_i, m - 1 - k) * pow(a_j, m - 1 - l) * ((k == l) * M - 1.0) / (M - 1.0);
      if (e >= skipped) total += s / (M * epochs);
    }
    start = s;
  }
  return total;
}

START_TEST(epoch_covariance_is_the_propagated_noise)
{
  enum { n = 2, M = 7 };
  double lambda = 0.1, h[n] = {0.5, 13.0}, V[n * n] = {1, 0, 0, 1}, S[n * n]; /* lambda h > 1 too */
  double N[n * n] = {1.0, 0.4, 0.4, 2.0};
  sgf_range range = {n, n, V, h, INFINITY, 0.0, false};
  for (int finite = 0; finite < 2; finite++) {
    int skipped = finite ? 2 : 400, epochs = finite ? 3 : 1;
    sgf_error error = {SGF_OK, ""};
    ASSERT_OK(sgf_epoch_covariance(&range, lambda, 0.0, M, N, finite ? 2 : 0, finite ? 3 : 0, S, NULL, &error),
              error);
    for (int i = 0; i < n; i++)
      for (int j = 0; j < n; j++) {
        double expected =
            lambda * N[i * n + j] * propagate(1.0 - lambda * h[i], 1.0 - lambda * h[j], M, skipped, epochs);
        ASSERT_NEAR(S[i * n + j], expected, 1e-12 * fabs(expected));
      }
  }
}
END_TEST

/* The table of section 8: ratio to independent draws at M = 50; and the flat limit lambda^2 kappa C (M + 1) / (6
 * S). */
START_TEST(epoch_ratio_and_flat_limit)
{
  double products[] = {0.05, 0.5, 1.5, 5.0, 25.0}, ratios[] = {0.0168, 0.151, 0.368, 0.706, 0.961};
  double V = 1.0, N = 1.0, S, lambda = 0.01;
  sgf_error error = {SGF_OK, ""};
  for (int k = 0; k < 5; k++) {
    double h = products[k] / (lambda * 50.0);
    sgf_range range = {1, 1, &V, &h, INFINITY, 0.0, false};
    ASSERT_OK(sgf_epoch_covariance(&range, lambda, 0.0, 50, &N, 0, 0, &S, NULL, &error), error);
    ASSERT_NEAR(S * (2.0 * h - lambda * h * h), ratios[k], 6e-4);
  }
  double flat = 1e-9;
  sgf_range range = {1, 1, &V, &flat, INFINITY, 0.0, false};
  ASSERT_OK(sgf_epoch_covariance(&range, lambda, 0.0, 50, &N, 0, 0, &S, NULL, &error), error);
  ASSERT_NEAR(S / (lambda * 51.0 / 6.0), 1.0, 1e-9);
}
END_TEST

/* lambda h M << 1: m = (lambda kappa / 2S) H^-1 E[e |x|^2 x], two outputs. */
START_TEST(epoch_mean_has_its_slow_limit)
{
  enum { N = 3, OUT = 2, P = 12, n = N * OUT };
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_prediction *prediction;
  settings_with_widths(&settings, 2, (size_t[]){N, OUT});
  settings.training.learning_rate = 1e-7;
  settings.training.batch_size = 3;
  settings.training.sampling = SGF_SAMPLING_EPOCH;
  sgf_problem *problem = problem_of(&settings, P, 31);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  double third[n] = {0}, back[n] = {0};
  for (size_t m = 0; m < P; m++) {
    const double *x = problem->data.X + m * N;
    for (size_t a = 0; a < OUT; a++) {
      double e = problem->data.Y[m * OUT + a] - sgf_dot(N, problem->theta + a * N, x);
      for (size_t i = 0; i < N; i++) third[a * N + i] += e * sgf_dot(N, x, x) * x[i] / P;
    }
  }
  for (size_t k = 0; k < n; k++) third[k] *= 0.5e-7 * prediction->info.noise_strength;
  sgf_multiply(n, 1, n, SGF_PLAIN, array_of(prediction, "hessian"), SGF_PLAIN, array_of(prediction, "mean"), back);
  ASSERT_CLOSE((size_t)n, back, third, 1e-5);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

START_TEST(noise_strengths)
{
  ck_assert_double_eq(sgf_noise_strength(100, 5, SGF_SAMPLING_REPLACEMENT), 0.2);
  ASSERT_NEAR(sgf_noise_strength(101, 5, SGF_SAMPLING_EPOCH), 0.96 / 5.0, 1e-15);
  ck_assert_double_eq(sgf_noise_strength(100, 100, SGF_SAMPLING_WITHOUT_REPLACEMENT), 0.0);
}
END_TEST

int main(void)
{
  enum { SMALLS = sizeof SMALL / sizeof *SMALL };
  Suite *suite = suite_create("covariance");
  TCase *tests = tcase_create("covariance");
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, predictions_agree_with_the_oracles, 0, (int)(sizeof ORACLES / sizeof *ORACLES));
  tcase_add_loop_test(tests, exact_equation_is_the_average_over_all_minibatches, 0, SMALLS);
  tcase_add_loop_test(tests, stability_limit_is_where_the_second_moment_grows, 0, SMALLS);
  tcase_add_loop_test(tests, exact_finite_time_covariance_is_the_iterated_map, 0, SMALLS - 1);
  tcase_add_test(tests, exact_equation_has_its_gaussian_closed_form);
  tcase_add_test(tests, exact_equation_works_at_200_inputs);
  tcase_add_loop_test(tests, lyapunov_is_the_minimum_norm_kronecker_solution, 0, 6);
  tcase_add_test(tests, residual_sees_errors);
  tcase_add_test(tests, saddles_and_flat_losses_are_refused);
  tcase_add_test(tests, rank_is_decided_at_the_gap);
  tcase_add_test(tests, finite_time_covariance_is_the_iterated_map);
  tcase_add_test(tests, mean_power_is_accurate);
  tcase_add_test(tests, epoch_covariance_is_the_propagated_noise);
  tcase_add_test(tests, epoch_ratio_and_flat_limit);
  tcase_add_test(tests, epoch_mean_has_its_slow_limit);
  tcase_add_test(tests, noise_strengths);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
