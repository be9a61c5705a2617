/* Networks of two and more layers: fluctuations by brute force from single-sample gradients, what the choice of a
 * hidden basis changes, ranks, diffusing directions, the IVFR, and the flatness of joint directions. */
#include <lapacke.h>

#include "../theory/balance.h"
#include "../theory/drift.h"
#include "../theory/prediction.h"
#include "minibatches.h"

static const double *array_of(const sgf_prediction *prediction, const char *name)
{
  size_t rows, columns;
  const double *values = sgf_prediction_array(prediction, name, &rows, &columns);
  ck_assert_msg(values != NULL, "no array %s", name);
  return values;
}

static const double *layer_array(const sgf_prediction *prediction, size_t layer, const char *name)
{
  char path[48];
  snprintf(path, sizeof path, "layer%zu/%s", layer, name);
  return array_of(prediction, path);
}

/* ------------------------------------------------- brute force, small networks */

/* N = (lambda kappa / S) C from the single-sample gradients. */
static void brute_noise(const sgf_problem *problem, double *N)
{
  size_t n = problem->network.weights, P = problem->data.samples, S = problem->settings.training.batch_size;
  double *g = new_reals(n), *mean = new_reals(n);
  bool repeats = problem->settings.training.sampling == SGF_SAMPLING_REPLACEMENT;
  double kappa = repeats ? 1.0 : (double)(P - S) / (double)(P - 1);
  double scale = problem->settings.training.learning_rate * kappa / (double)S;
  plain_gradient(problem, problem->theta, P, mean);
  memset(N, 0, n * n * sizeof *N);
  for (size_t m = 0; m < P; m++) {
    plain_gradient(problem, problem->theta, m, g);
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) N[i * n + j] += scale * (g[i] - mean[i]) * (g[j] - mean[j]) / (double)P;
  }
  free(g);
  free(mean);
}

/* The solution of minimum norm of (H (x) 1 + 1 (x) H - lambda H (x) H) s = vec N, dense, by singular values. */
static void kronecker_minimum_norm(size_t n, const double *H, double lambda, const double *N, double *S)
{
  size_t n2 = n * n;
  double *system = new_reals(n2 * n2), *values = new_reals(n2);
  lapack_int rank;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      for (size_t k = 0; k < n; k++)
        for (size_t l = 0; l < n; l++)
          system[(i * n + j) * n2 + k * n + l] =
              H[i * n + k] * (j == l) + (i == k) * H[j * n + l] - lambda * H[i * n + k] * H[j * n + l];
  memcpy(S, N, n2 * sizeof *S);
  ck_assert_int_eq(LAPACKE_dgelsd(LAPACK_ROW_MAJOR, (int)n2, (int)n2, 1, system, (int)n2, S, 1, values, 1e-11, &rank),
                   0);
  free(system);
  free(values);
}

typedef struct {
  size_t widths[4], count, batch;
  sgf_sampling sampling;
  sgf_equation equation;
} small;

static const small SMALL[] = {{{2, 2, 2}, 3, 2, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_DISCRETE},
                              {{2, 2, 2}, 3, 2, SGF_SAMPLING_WITHOUT_REPLACEMENT, SGF_EQUATION_CONTINUUM},
                              {{1, 2, 1}, 3, 1, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_DISCRETE},
                              {{1, 1, 1}, 3, 1, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_CONTINUUM},
                              {{2, 1, 2}, 3, 3, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_DISCRETE},
                              {{2, 1, 2}, 3, 3, SGF_SAMPLING_WITHOUT_REPLACEMENT, SGF_EQUATION_CONTINUUM},
                              {{3, 2, 1}, 3, 2, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_DISCRETE},
                              {{2, 2, 1, 2}, 4, 2, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_DISCRETE},
                              {{2, 2, 2, 1}, 4, 2, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_CONTINUUM}};

static sgf_problem *small_problem(const small *from)
{
  sgf_settings settings;
  settings_with_widths(&settings, from->count, from->widths);
  settings.training.learning_rate = 0.03;
  settings.training.batch_size = from->batch;
  settings.training.sampling = from->sampling;
  settings.theory.equation = from->equation;
  sgf_problem *problem = noisy_identity_problem(&settings, 9, 23);
  sgf_settings_free(&settings);
  return problem;
}

/* The block of one layer alone, or all for layer 0. */
static size_t block_of(const sgf_problem *problem, size_t layer, const double *A, double *block)
{
  size_t n = problem->network.weights, size = layer == 0 ? n : sgf_layer_size(&problem->network, layer);
  sgf_diagonal_block(n, A, layer == 0 ? 0 : problem->network.offsets[layer], size, block);
  return size;
}

START_TEST(covariances_by_dense_kronecker_systems)
{
  sgf_problem *problem = small_problem(&SMALL[_i]);
  sgf_prediction *prediction = predict(problem);
  size_t n = problem->network.weights, layers = problem->network.layers;
  double lambda = problem->settings.training.learning_rate;
  bool continuum = SMALL[_i].equation == SGF_EQUATION_CONTINUUM;
  double *H = new_reals(n * n), *N = new_reals(n * n), *S = new_reals(n * n), *block = new_reals(3 * n * n);
  plain_hessian(problem, problem->data.samples, H);
  brute_noise(problem, N);
  ck_assert(lambda * prediction->info.largest_curvature < 1.0 && !prediction->info.rank_ambiguous);
  ASSERT_CLOSE(n * n, array_of(prediction, "hessian"), H, 1e-12);
  kronecker_minimum_norm(n, H, 0.0, N, S);
  ASSERT_CLOSE(n * n, array_of(prediction, "covariance_continuum"), S, 1e-10);
  kronecker_minimum_norm(n, H, lambda, N, S);
  ASSERT_CLOSE(n * n, array_of(prediction, "covariance_discrete"), S, 1e-10);
  kronecker_minimum_norm(n, H, continuum ? 0.0 : lambda, N, S);
  ASSERT_CLOSE(n * n, array_of(prediction, "covariance"), S, 1e-10);
  double trace = 0.0;
  for (size_t l = 1; l <= layers; l++) {
    size_t size = block_of(problem, l, S, block);
    ASSERT_CLOSE(size * size, layer_array(prediction, l, "covariance"), block, 1e-10);
    ASSERT_NEAR(prediction->layers[l - 1].trace, sgf_trace(size, block), 1e-10 * prediction->info.trace);
    trace += sgf_trace(size, block);
    block_of(problem, l, H, block);
    block_of(problem, l, N, block + size * size);
    kronecker_minimum_norm(size, block, continuum ? 0.0 : lambda, block + size * size, block + 2 * size * size);
    ASSERT_CLOSE(size * size, layer_array(prediction, l, "covariance_uncoupled"), block + 2 * size * size, 1e-10);
  }
  ASSERT_NEAR(prediction->info.trace, trace, 1e-10 * trace);
  free(H);
  free(N);
  free(S);
  free(block);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* E = exp(-lambda H) by its series, or 1 - lambda H. */
static void one_step(size_t n, const double *H, double lambda, bool continuum, double *E)
{
  double *term = new_reals(n * n), *next = new_reals(n * n);
  for (size_t k = 0; k < n * n; k++) term[k] = E[k] = k % (n + 1) == 0;
  for (int order = 1; order <= (continuum ? 40 : 1); order++) {
    sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, term, next);
    for (size_t k = 0; k < n * n; k++) {
      term[k] = -lambda * next[k] / order;
      E[k] += term[k];
    }
  }
  free(term);
  free(next);
}

/* Step by step from zero: A = <delta delta^T>, and with s the sum of the snapshots so far B = <delta s^T>, Z = <s s^T>;
 * the mean of A over the K snapshots, and if centred less Z / K^2. */
static void iterate(size_t n, const double *E, const double *source, const sgf_plan *plan, double *second)
{
  size_t n2 = n * n, K = plan->window_steps / plan->stride;
  double *A = new_reals(n2), *B = new_reals(n2), *Z = new_reals(n2), *work = new_reals(n2);
  memset(second, 0, n2 * sizeof *second);
  for (size_t t = 1; t <= plan->burn_in_steps + plan->window_steps; t++) {
    sgf_multiply(n, n, n, SGF_PLAIN, E, SGF_PLAIN, A, work);
    sgf_multiply(n, n, n, SGF_PLAIN, work, SGF_TRANSPOSED, E, A);
    sgf_multiply(n, n, n, SGF_PLAIN, E, SGF_PLAIN, B, work);
    memcpy(B, work, n2 * sizeof *B);
    for (size_t k = 0; k < n2; k++) A[k] += source[k];
    if (t <= plan->burn_in_steps || (t - plan->burn_in_steps) % plan->stride != 0) continue;
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) Z[i * n + j] += B[i * n + j] + B[j * n + i] + A[i * n + j];
    for (size_t k = 0; k < n2; k++) {
      B[k] += A[k];
      second[k] += A[k] / (double)K;
    }
  }
  for (size_t k = 0; k < n2 && plan->centred; k++) second[k] -= Z[k] / (double)(K * K);
  free(A);
  free(B);
  free(Z);
  free(work);
}

/* All layers and each alone, about theta* and about the window's own mean, long windows and one of one snapshot. */
START_TEST(finite_times_by_iteration)
{
  static const sgf_plan plans[] = {{.burn_in_steps = 7, .window_steps = 60, .stride = 3},
                                   {.burn_in_steps = 0, .window_steps = 5, .stride = 1},
                                   {.burn_in_steps = 400, .window_steps = 900, .stride = 9}};
  sgf_problem *problem = small_problem(&SMALL[_i]);
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  size_t n = problem->network.weights;
  double lambda = problem->settings.training.learning_rate;
  bool continuum = SMALL[_i].equation == SGF_EQUATION_CONTINUUM;
  double *H = new_reals(n * n), *N = new_reals(n * n), *h = new_reals(n * n), *E = new_reals(n * n);
  double *source = new_reals(n * n), *S = new_reals(n * n), *work = new_reals(n * n), *mean = new_reals(n);
  double *expected = new_reals(n * n), *found = new_reals(n * n);
  plain_hessian(problem, problem->data.samples, H);
  brute_noise(problem, N);
  for (size_t layer = 0; layer <= problem->network.layers; layer++) {
    size_t size = block_of(problem, layer, H, h);
    block_of(problem, layer, N, source);
    kronecker_minimum_norm(size, h, continuum ? 0.0 : lambda, source, S);
    one_step(size, h, lambda, continuum, E);
    sgf_multiply(size, size, size, SGF_PLAIN, E, SGF_PLAIN, S, work);
    sgf_multiply(size, size, size, SGF_PLAIN, work, SGF_TRANSPOSED, E, source); /* what one step adds: S - E S E^T */
    for (size_t k = 0; k < size * size; k++) source[k] = S[k] - source[k];
    for (size_t k = 0; k < 2 * sizeof plans / sizeof *plans; k++) {
      sgf_plan plan = plans[k / 2];
      plan.centred = k % 2 == 1;
      iterate(size, E, source, &plan, expected);
      ASSERT_OK(sgf_prediction_window(problem, prediction, layer, &plan, found, mean, &error), error);
      ASSERT_CLOSE(size * size, found, expected, 1e-10);
      ck_assert(sgf_norm(size, mean) == 0.0);
    }
    ASSERT_OK(sgf_prediction_window(problem, prediction, layer, NULL, found, mean, &error), error);
    ASSERT_CLOSE(size * size, found, S, 1e-10);
  }
  free(H);
  free(N);
  free(h);
  free(E);
  free(source);
  free(S);
  free(work);
  free(mean);
  free(expected);
  free(found);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* About the mean of a window of one snapshot nothing is left. */
START_TEST(one_snapshot_has_no_spread_about_itself)
{
  sgf_problem *problem = small_problem(&SMALL[0]);
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_plan plan = {.burn_in_steps = 30, .window_steps = 4, .stride = 4, .centred = true};
  double second[64], mean[8];
  ASSERT_OK(sgf_prediction_window(problem, prediction, 0, &plan, second, mean, &error), error);
  ck_assert(sgf_norm(64, second) < 1e-15 * prediction->info.trace);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* --------------------------------------------- minima that are made, not found */

/* ------------------------------------------------- another basis of a hidden layer */

/* W_l <- A W_l, W_{l+1} <- W_{l+1} A^-1 for hidden layer l; inverse = A^-1. */
static void change_basis(const sgf_network *net, size_t hidden, const double *A, const double *inverse, double *theta)
{
  size_t below = net->widths[hidden - 1], size = net->widths[hidden], above = net->widths[hidden + 1];
  double *copy = new_reals(net->weights);
  memcpy(copy, theta, net->weights * sizeof *copy);
  sgf_multiply(size, below, size, SGF_PLAIN, A, SGF_PLAIN, copy + net->offsets[hidden], theta + net->offsets[hidden]);
  sgf_multiply(above, size, size, SGF_PLAIN, copy + net->offsets[hidden + 1], SGF_PLAIN, inverse,
               theta + net->offsets[hidden + 1]);
  free(copy);
}

/* The same on the rows of a matrix V (n, n) of vectors of weights. */
static void change_rows(const sgf_network *net, size_t hidden, const double *A, const double *inverse, double *V)
{
  for (size_t k = 0; k < net->weights; k++) change_basis(net, hidden, A, inverse, V + k * net->weights);
}

/* R Z R^T, R the change of basis of the weights. */
static void turned(const sgf_network *net, size_t hidden, const double *A, const double *inverse, const double *Z,
                   double *result)
{
  size_t n = net->weights;
  memcpy(result, Z, n * n * sizeof *Z);
  change_rows(net, hidden, A, inverse, result);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) {
      double swap = result[i * n + j];
      result[i * n + j] = result[j * n + i];
      result[j * n + i] = swap;
    }
  change_rows(net, hidden, A, inverse, result);
}

/* Put the blocks `name` of the layers on the diagonal of Z (n, n). */
static void blocks_of(const sgf_problem *problem, const sgf_prediction *prediction, const char *name, double *Z)
{
  size_t n = problem->network.weights;
  memset(Z, 0, n * n * sizeof *Z);
  for (size_t l = 1; l <= problem->network.layers; l++) {
    size_t size = sgf_layer_size(&problem->network, l), first = problem->network.offsets[l];
    const double *block = layer_array(prediction, l, name);
    for (size_t i = 0; i < size; i++) memcpy(Z + (first + i) * n + first, block + i * size, size * sizeof *Z);
  }
}

typedef struct {
  size_t widths[5], count, hidden;
} basis_case;

static const basis_case BASES[] = {{{3, 4, 3}, 3, 1}, {{4, 3, 2}, 3, 1},    {{2, 5, 3}, 3, 1},
                                   {{4, 4, 1}, 3, 1}, {{3, 4, 3, 2}, 4, 1}, {{3, 4, 3, 2}, 4, 2}};

/* A problem, and the same with another basis of a hidden layer. */
typedef struct {
  sgf_problem *problem[2];
  sgf_prediction *prediction[2];
  double A[64], inverse[64];
} basis_pair;

static void make_pair(const basis_case *from, sgf_noise noise, basis_pair *pair)
{
  sgf_settings settings;
  sgf_network network;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, from->count, from->widths);
  settings.network.relax = false;
  settings.training.learning_rate = 0.004;
  settings.theory.noise = noise;
  ASSERT_OK(sgf_network_create(from->widths, from->count, &network, &error), error);
  double *theta = new_reals(network.weights);
  fill_normal(31, network.weights, theta);
  pair->problem[0] = planted_problem(&settings, theta, 30, 33);
  change_basis(&network, from->hidden, pair->A, pair->inverse, theta);
  pair->problem[1] = planted_problem(&settings, theta, 30, 33);
  for (int k = 0; k < 2; k++) pair->prediction[k] = predict(pair->problem[k]);
  free(theta);
  sgf_network_free(&network);
  sgf_settings_free(&settings);
}

static void free_pair(basis_pair *pair)
{
  for (int k = 0; k < 2; k++) {
    sgf_prediction_free(pair->prediction[k]);
    sgf_problem_free(pair->problem[k]);
  }
}

static void set_orthogonal(size_t size, basis_pair *pair)
{
  fill_orthogonal(41, size, pair->A);
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j < size; j++) pair->inverse[i * size + j] = pair->A[j * size + i];
}

/* Every matrix turns with the basis, jointly and block by block, coupled and uncoupled; spectra and traces stay. */
START_TEST(orthogonal_basis_turns_everything)
{
  static const char *const joint[] = {"hessian", "noise_covariance", "covariance", "covariance_continuum"};
  static const char *const blocks[] = {"covariance", "covariance_uncoupled", "hessian"};
  static const char *const spectra[] = {"variance", "variance_uncoupled"};
  const basis_case *from = &BASES[_i];
  basis_pair pair;
  set_orthogonal(from->widths[from->hidden], &pair);
  make_pair(from, SGF_NOISE_EMPIRICAL, &pair);
  const sgf_network *net = &pair.problem[0]->network;
  size_t n = net->weights;
  double *expected = new_reals(n * n), *whole = new_reals(n * n), *found = new_reals(n * n);
  for (size_t k = 0; k < sizeof joint / sizeof *joint; k++) {
    turned(net, from->hidden, pair.A, pair.inverse, array_of(pair.prediction[0], joint[k]), expected);
    ASSERT_CLOSE(n * n, array_of(pair.prediction[1], joint[k]), expected, 1e-11);
  }
  for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) {
    blocks_of(pair.problem[0], pair.prediction[0], blocks[k], whole);
    turned(net, from->hidden, pair.A, pair.inverse, whole, expected);
    blocks_of(pair.problem[1], pair.prediction[1], blocks[k], found);
    ASSERT_CLOSE(n * n, found, expected, 1e-11);
  }
  for (size_t l = 1; l <= net->layers; l++) {
    const sgf_layer_info *one = &pair.prediction[0]->layers[l - 1], *two = &pair.prediction[1]->layers[l - 1];
    for (size_t k = 0; k < sizeof spectra / sizeof *spectra; k++)
      ASSERT_CLOSE(one->weights, layer_array(pair.prediction[1], l, spectra[k]),
                   layer_array(pair.prediction[0], l, spectra[k]), 1e-11);
    ASSERT_NEAR(two->trace, one->trace, 1e-11 * one->trace);
    ASSERT_NEAR(two->trace_uncoupled, one->trace_uncoupled, 1e-11 * one->trace_uncoupled);
    ck_assert(one->rank_hessian == two->rank_hessian && one->rank_noise == two->rank_noise);
    if (!isnan(one->ivfr.psi)) ASSERT_NEAR(two->ivfr.psi, one->ivfr.psi, 1e-7);
  }
  const sgf_prediction_info *one = &pair.prediction[0]->info, *two = &pair.prediction[1]->info;
  ASSERT_NEAR(two->trace, one->trace, 1e-11 * one->trace);
  ASSERT_NEAR(two->excess_loss, one->excess_loss, 1e-11 * one->excess_loss);
  ASSERT_NEAR(two->entropy_production, one->entropy_production, 1e-8 * one->entropy_production);
  ASSERT_NEAR(two->balance_drift, one->balance_drift, 1e-11 * one->balance_drift);
  ck_assert_uint_eq(two->rank_hessian, one->rank_hessian);
  free(expected);
  free(whole);
  free(found);
  free_pair(&pair);
}
END_TEST

/* A basis that is not orthogonal: H and C change as forms do, R^T H' R = H, and the covariance does not follow them. */
START_TEST(general_basis_changes_forms)
{
  static const char *const forms[] = {"hessian", "noise_covariance"};
  const basis_case *from = &BASES[_i];
  size_t size = from->widths[from->hidden];
  basis_pair pair;
  double Q[64];
  fill_orthogonal(42, size, pair.A);
  fill_orthogonal(43, size, Q);
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j < size; j++) pair.inverse[i * size + j] = pair.A[i * size + j] * (0.5 + (double)j);
  sgf_multiply(size, size, size, SGF_PLAIN, pair.inverse, SGF_PLAIN, Q, pair.A); /* U s V^T */
  fill_orthogonal(42, size, pair.inverse);
  for (size_t k = 0; k < size * size; k++) pair.inverse[k] /= 0.5 + (double)(k % size);
  double U[64];
  memcpy(U, pair.inverse, sizeof U);
  for (size_t i = 0; i < size; i++) /* V s^-1 U^T */
    for (size_t j = 0; j < size; j++) {
      pair.inverse[i * size + j] = 0.0;
      for (size_t k = 0; k < size; k++) pair.inverse[i * size + j] += Q[k * size + i] * U[j * size + k];
    }
  make_pair(from, SGF_NOISE_EMPIRICAL, &pair);
  const sgf_network *net = &pair.problem[0]->network;
  size_t n = net->weights;
  double *columns = new_reals(n * n), *work = new_reals(n * n), *back = new_reals(n * n);
  for (size_t k = 0; k < n; k++) columns[k * n + k] = 1.0;
  change_rows(net, from->hidden, pair.A, pair.inverse, columns); /* R^T: row k is R e_k */
  for (size_t k = 0; k < 2; k++) {
    sgf_into_basis(n, columns, array_of(pair.prediction[1], forms[k]), work, back);
    ASSERT_CLOSE(n * n, back, array_of(pair.prediction[0], forms[k]), 1e-11);
  }
  double change = relative_difference(n * n, array_of(pair.prediction[1], "covariance"),
                                      array_of(pair.prediction[0], "covariance"));
  ck_assert(change > 0.01);
  ck_assert_uint_eq(pair.prediction[0]->info.rank_hessian, pair.prediction[1]->info.rank_hessian);
  ASSERT_NEAR(pair.prediction[1]->info.min_loss / pair.prediction[0]->info.min_loss, 1.0, 1e-12);
  free(columns);
  free(work);
  free(back);
  free_pair(&pair);
}
END_TEST

/* Squared singular values of W (rows, columns), padded with zeros to `count`. */
static void squared_singular_values(size_t rows, size_t columns, const double *W, size_t count, double *squares)
{
  size_t least = rows < columns ? rows : columns;
  double *copy = new_reals(rows * columns), *values = new_reals(least), *work = new_reals(least);
  memcpy(copy, W, rows * columns * sizeof *W);
  ck_assert_int_eq(LAPACKE_dgesvd(LAPACK_ROW_MAJOR, 'N', 'N', (int)rows, (int)columns, copy, (int)columns, values,
                                  NULL, 1, NULL, 1, work),
                   0);
  for (size_t k = 0; k < count; k++) squares[k] = k < least ? values[k] * values[k] : 0.0;
  free(copy);
  free(values);
  free(work);
}

static int descending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x < y) - (x > y);
}

/* Projector on the rows of J (rows, n), of full rank: J^T (J J^T)^-1 J by Cholesky. */
static void projector_on_rows(size_t rows, size_t n, const double *J, double *projector)
{
  double *gram = new_reals(rows * rows), *solved = new_reals(rows * n);
  sgf_multiply(rows, rows, n, SGF_PLAIN, J, SGF_TRANSPOSED, J, gram);
  memcpy(solved, J, rows * n * sizeof *J);
  ck_assert_int_eq(LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', (int)rows, (int)n, gram, (int)rows, solved, (int)n), 0);
  sgf_multiply(n, n, rows, SGF_TRANSPOSED, J, SGF_PLAIN, solved, projector);
  free(gram);
  free(solved);
}

/* J of vec M for two layers and one output: rows i, dM_i = sum_p W2_p dW1_pi + dW2_p W1_pi. */
static void scalar_jacobian(const sgf_problem *problem, double *J)
{
  size_t N0 = problem->network.widths[0], N1 = problem->network.widths[1], n = problem->network.weights;
  const double *W1 = problem->theta, *W2 = problem->theta + N0 * N1;
  for (size_t i = 0; i < N0; i++)
    for (size_t p = 0; p < N1; p++) {
      J[i * n + p * N0 + i] = W2[p];
      J[i * n + N0 * N1 + p] = W1[p * N0 + i];
    }
}

/* One output and population noise: C = s^2 H exactly, Sigma = T times the projector on range(J^T), whatever the scales
 * of the hidden units; the layers' variances are those of the new singular values. */
START_TEST(scaling_changes_shares_and_not_the_temperature)
{
  static const basis_case from = {{4, 4, 1}, 3, 1};
  basis_pair pair = {.A = {0}, .inverse = {0}};
  for (size_t k = 0; k < 4; k++) {
    pair.A[k * 5] = 0.4 + 0.5 * (double)k;
    pair.inverse[k * 5] = 1.0 / pair.A[k * 5];
  }
  make_pair(&from, SGF_NOISE_POPULATION, &pair);
  double shares[2];
  for (int which = 0; which < 2; which++) {
    const sgf_problem *problem = pair.problem[which];
    const sgf_prediction *prediction = pair.prediction[which];
    size_t n = problem->network.weights, S = problem->settings.training.batch_size;
    double T = problem->settings.training.learning_rate * prediction->info.min_loss / (double)S;
    double J[4 * 20] = {0}, projector[400], a[4], b[1], variance[2][16];
    ck_assert(prediction->info.isotropic_noise);
    ASSERT_NEAR(prediction->info.temperature / T, 1.0, 1e-13);
    scalar_jacobian(problem, J);
    projector_on_rows(4, n, J, projector);
    for (size_t k = 0; k < n * n; k++) projector[k] *= T;
    ASSERT_CLOSE(n * n, array_of(prediction, "covariance_continuum"), projector, 1e-11);
    ASSERT_NEAR(sgf_trace(n, array_of(prediction, "covariance_continuum")), 4.0 * T, 1e-11 * T);
    squared_singular_values(4, 4, problem->theta, 4, a);
    squared_singular_values(1, 4, problem->theta + 16, 1, b);
    for (size_t k = 0; k < 4; k++) variance[1][k] = T * a[k] / (a[k] + b[0]);
    for (size_t k = 0; k < 16; k++) variance[0][k] = k < 4 ? T * b[0] / (a[k] + b[0]) : 0.0;
    for (size_t l = 1; l <= 2; l++) {
      size_t size = sgf_layer_size(&problem->network, l);
      double block[256], found[16];
      block_of(problem, l, array_of(prediction, "covariance_continuum"), block);
      sgf_error error = {SGF_OK, ""};
      ASSERT_OK(sgf_symmetric_eigenvalues(size, block, found, "block", &error), error);
      qsort(found, size, sizeof *found, descending);
      qsort(variance[l - 1], size, sizeof *found, descending);
      ASSERT_CLOSE(size, found, variance[l - 1], 1e-11);
      memcpy(found, layer_array(prediction, l, "variance_closed_form"), size * sizeof *found);
      qsort(found, size, sizeof *found, descending);
      ASSERT_CLOSE(size, found, variance[l - 1], 1e-11);
    }
    shares[which] = variance[1][0] / T;
  }
  ck_assert(fabs(shares[1] - shares[0]) > 1e-3);
  free_pair(&pair);
}
END_TEST

/* ------------------------------------------------------------------------ ranks */

typedef struct {
  size_t widths[5], count;
  size_t ranks[4]; /* of W_l; 0: full */
  bool relax;      /* a minimum that the descent finds, also with bottleneck; else planted */
  size_t hessian;  /* predicted: r_2 N_0 + r_1 N_2 - r_1 r_2 for two layers */
  size_t layer[4]; /* predicted rank of H_ll */
} rank_case;

static const rank_case RANKS[] = {
    {{4, 5, 3}, 3, {0}, true, 12, {12, 12}},
    {{3, 5, 4}, 3, {0}, true, 12, {12, 12}},
    {{4, 4, 4}, 3, {0}, true, 16, {16, 16}},
    {{5, 4, 1}, 3, {0}, true, 5, {5, 4}},
    {{6, 2, 5}, 3, {0}, true, 2 * 11 - 4, {12, 10}}, /* bottlenecks: N_1 (N_0 + N_2) - N_1^2 */
    {{4, 1, 4}, 3, {0}, true, 7, {4, 4}},
    {{5, 3, 4}, 3, {0}, true, 3 * 9 - 9, {15, 12}},
    {{3, 5, 2}, 3, {2, 2}, false, 2 * 3 + 2 * 2 - 4, {6, 4}},
    {{3, 5, 2}, 3, {2, 1}, false, 3 + 4 - 2, {3, 4}},
    {{3, 5, 2}, 3, {3, 1}, false, 3 + 6 - 3, {3, 6}},
    {{4, 4, 4}, 3, {2, 3}, false, 3 * 4 + 2 * 4 - 6, {12, 8}},
    {{4, 4, 4}, 3, {1, 1}, false, 7, {4, 4}},
    {{4, 3, 5, 3}, 4, {0}, true, 12, {12, 9, 9}}, /* H_22 = A_2^T A_2 (x) B_2 Sigma_xx B_2^T: 3 x 3 */
    {{3, 7, 6, 2}, 4, {0}, true, 6, {6, 6, 6}},
    {{4, 4, 2, 4}, 4, {0}, true, 2 * 8 - 4, {8, 8, 8}},
};

/* Random weights of given ranks. */
static void fill_weights(const rank_case *from, const sgf_network *net, double *theta)
{
  fill_normal(51, net->weights, theta);
  for (size_t l = 1; l <= net->layers; l++) {
    size_t to = net->widths[l], in = net->widths[l - 1], rank = from->ranks[l - 1];
    if (rank == 0) continue;
    double *left = new_reals(to * rank), *right = new_reals(rank * in);
    fill_normal(60 + l, to * rank, left);
    fill_normal(70 + l, rank * in, right);
    sgf_multiply(to, in, rank, SGF_PLAIN, left, SGF_PLAIN, right, theta + net->offsets[l]);
    free(left);
    free(right);
  }
}

/* What every prediction whose noise lives on range(H) says of it. */
static void check_no_diffusion(const sgf_prediction *prediction)
{
  const sgf_prediction_info *info = &prediction->info;
  ck_assert_msg(info->null_noise < 1e-12, "noise on null(H) %g", info->null_noise);
  ck_assert_uint_eq(info->diffusing_directions, 0);
  ck_assert(info->diffusing_rate == 0.0 && !info->rank_ambiguous && info->residual < 1e-13);
  for (size_t l = 0; l < info->layers; l++)
    ck_assert_msg(prediction->layers[l].null_noise < 1e-12, "layer %zu: %g", l + 1, prediction->layers[l].null_noise);
}

START_TEST(ranks_are_those_predicted)
{
  const rank_case *from = &RANKS[_i];
  sgf_settings settings;
  sgf_network net;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, from->count, from->widths);
  settings.data.samples = 80;
  settings.training.learning_rate = 1e-4;
  settings.network.relax = from->relax;
  ASSERT_OK(sgf_network_create(from->widths, from->count, &net, &error), error);
  double *theta = new_reals(net.weights);
  fill_weights(from, &net, theta);
  if (from->relax)
    ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  else
    problem = planted_problem(&settings, theta, 80, 53);
  sgf_prediction *prediction = predict(problem);
  check_no_diffusion(prediction);
  ck_assert_uint_eq(prediction->info.rank_hessian, from->hessian);
  ck_assert_uint_eq(prediction->info.rank_noise, from->hessian);
  for (size_t l = 1; l < from->count; l++) {
    const sgf_layer_info *layer = sgf_prediction_get_layer(prediction, l);
    ck_assert_uint_eq(layer->weights, sgf_layer_size(&net, l));
    ck_assert_msg(layer->rank_hessian == from->layer[l - 1], "layer %zu: %zu", l, layer->rank_hessian);
    ck_assert_msg(layer->rank_noise == from->layer[l - 1], "noise of layer %zu: %zu", l, layer->rank_noise);
  }
  free(theta);
  sgf_network_free(&net);
  sgf_settings_free(&settings);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Two hidden units that are copies of each other: W_1 has a row twice, and still rank 3. */
START_TEST(duplicated_hidden_units)
{
  sgf_settings settings;
  double theta[25];
  settings_with_widths(&settings, 3, (size_t[]){3, 5, 2});
  settings.network.relax = false;
  fill_normal(57, 25, theta);
  memcpy(theta + 3, theta, 3 * sizeof *theta);
  memcpy(theta + 12, theta + 9, 3 * sizeof *theta);
  sgf_problem *problem = planted_problem(&settings, theta, 40, 58);
  sgf_prediction *prediction = predict(problem);
  check_no_diffusion(prediction);
  ck_assert_uint_eq(prediction->info.rank_hessian, 6);
  ck_assert_uint_eq(prediction->layers[0].rank_hessian, 6);
  ck_assert_uint_eq(prediction->layers[1].rank_hessian, 6);
  ck_assert(memcmp(problem->theta, theta, sizeof theta) == 0);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* A tolerance that drops modes with noise: their number, and the rate as the largest eigenvalue of (lambda kappa/S) C
 * on them. */
START_TEST(dropped_modes_with_noise_diffuse)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  double tolerance = 0.1;
  settings_with_widths(&settings, 3, (size_t[]){4, 4, 3});
  settings.data.samples = 60;
  settings.data.input_power_law = 1.5;
  settings.training.batch_size = 6;
  settings.theory.rank_tolerance = tolerance;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_prediction *prediction = predict(problem);
  size_t n = problem->network.weights, dropped = 0;
  double *V = new_reals(n * n), *h = new_reals(n), *turned_noise = new_reals(n * n), *work = new_reals(n * n);
  memcpy(V, array_of(prediction, "hessian"), n * n * sizeof *V);
  ck_assert_int_eq(LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (int)n, V, (int)n, h), 0); /* vectors in rows */
  while (h[dropped] <= tolerance * h[n - 1]) dropped++;
  ck_assert(dropped > n - 12 && dropped < n - 1);
  sgf_into_basis(n, V, array_of(prediction, "noise_covariance"), work, turned_noise);
  for (size_t k = 0; k < n * n; k++) turned_noise[k] *= 0.01 / 6.0;
  sgf_diagonal_block(n, turned_noise, 0, dropped, work);
  ASSERT_OK(sgf_symmetric_eigenvalues(dropped, work, h, "dropped", &error), error);
  const sgf_prediction_info *info = &prediction->info;
  ck_assert_uint_eq(info->rank_hessian, n - dropped);
  ck_assert_uint_eq(info->diffusing_directions, dropped - (n - 12));
  ASSERT_NEAR(info->diffusing_rate / h[dropped - 1], 1.0, 1e-11);
  size_t rows, columns;
  const double *rates = sgf_prediction_array(prediction, "diffusing_rate", &rows, &columns);
  ck_assert_uint_eq(rows, info->diffusing_directions);
  for (size_t k = 0; k < rows; k++) ASSERT_NEAR(rates[k], h[dropped - 1 - k], 1e-11 * h[dropped - 1]);
  ck_assert(info->null_noise > 1e-4 && info->residual > 1e-4); /* C is not all on the range: no solution there */
  free(V);
  free(h);
  free(turned_noise);
  free(work);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* The closed form knows nothing of the tolerance: where it drops modes with noise, the rest is solved. */
START_TEST(closed_form_does_not_bring_dropped_modes_back)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, 3, (size_t[]){5, 4, 1});
  settings.data.samples = 60;
  settings.data.input_power_law = 1.5;
  settings.theory.noise = SGF_NOISE_POPULATION;
  settings.theory.equation = SGF_EQUATION_CONTINUUM;
  for (int dropped = 0; dropped < 2; dropped++) {
    if (dropped == 1) settings.theory.rank_tolerance = 0.2;
    ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
    sgf_prediction *prediction = predict(problem);
    size_t n = problem->network.weights;
    const sgf_prediction_info *info = &prediction->info;
    ck_assert_uint_eq(info->rank_hessian, dropped == 1 ? 4 : 5);
    ck_assert(info->isotropic_noise == (dropped == 0));
    ASSERT_CLOSE(n * n, array_of(prediction, "covariance_continuum"), array_of(prediction, "covariance"), 1e-11);
    ASSERT_NEAR(info->trace / info->temperature, (double)info->rank_hessian, 1e-10);
    ck_assert(dropped == 1 ? info->residual > 1e-3 : info->residual < 1e-13);
    sgf_prediction_free(prediction);
    sgf_problem_free(problem);
  }
  sgf_settings_free(&settings);
}
END_TEST

/* --------------------------------------------------- the IVFR of two layers */

static sgf_prediction *predict_20(uint64_t seed, sgf_noise noise)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, 3, (size_t[]){20, 20, 20});
  settings.data.samples = 4000;
  settings.theory.noise = noise;
  settings.seed = seed;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_prediction *prediction = predict(problem);
  ck_assert_uint_eq(prediction->info.rank_hessian, 400);
  check_no_diffusion(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
  return prediction;
}

/* 20-20-20 with 4000 samples: the coupling alone makes variance grow with curvature. Seeds scatter by about 0.08. */
START_TEST(coupling_alone_makes_the_ivfr)
{
  sgf_prediction *prediction = predict_20((uint64_t)_i + 1, SGF_NOISE_EMPIRICAL);
  for (size_t l = 1; l <= 2; l++) {
    const sgf_layer_info *layer = sgf_prediction_get_layer(prediction, l);
    ck_assert_msg(layer->ivfr.psi > 1.7 && layer->ivfr.psi < 2.2, "layer %zu: psi %g", l, layer->ivfr.psi);
    ck_assert_msg(layer->ivfr.correlation > 0.9, "layer %zu: correlation %g", l, layer->ivfr.correlation);
    ck_assert_msg(fabs(layer->ivfr_uncoupled.correlation) < 0.3, "layer %zu alone: correlation %g", l,
                  layer->ivfr_uncoupled.correlation);
    ck_assert_uint_eq(layer->ivfr.modes, 400);
    ck_assert(layer->ivfr.psi_low < layer->ivfr.psi && layer->ivfr.psi < layer->ivfr.psi_high);
    ck_assert(layer->anisotropy > 2.0 * layer->anisotropy_uncoupled);
  }
  ck_assert_msg(fabs(prediction->info.ivfr.correlation) < 0.3, "joint: %g", prediction->info.ivfr.correlation);
  sgf_prediction_free(prediction);
}
END_TEST

/* With C all but s^2 H the fit is that of the closed form, psi 1.1 to 1.4, below the 2 of 4000 samples: their noise
 * mixes directions of nearly equal variance, and so averages the curvature at given variance, which steepens the fit. */
START_TEST(population_noise_has_the_closed_form_exponent)
{
  sgf_prediction *prediction = predict_20((uint64_t)_i + 1, SGF_NOISE_POPULATION);
  for (size_t l = 1; l <= 2; l++) {
    const sgf_layer_info *layer = sgf_prediction_get_layer(prediction, l);
    ASSERT_NEAR(layer->ivfr.psi, layer->ivfr_closed_form.psi, 0.2);
    ASSERT_NEAR(layer->ivfr.correlation, layer->ivfr_closed_form.correlation, 0.1);
    ck_assert(layer->ivfr_closed_form.psi > 1.0 && layer->ivfr_closed_form.psi < 1.5);
  }
  sgf_prediction_free(prediction);
}
END_TEST

/* ------------------------------------------------------------ joint flatness */

static double loss_along(const sgf_problem *problem, const double *direction, double t)
{
  sgf_error error = {SGF_OK, ""};
  size_t n = problem->network.weights;
  double *theta = new_reals(n), loss;
  for (size_t k = 0; k < n; k++) theta[k] = problem->theta[k] + t * direction[k];
  ASSERT_OK(sgf_loss(&problem->network, &problem->data, theta, &loss, &error), error);
  free(theta);
  return loss;
}

/* The nearest point with `factor` times the loss on one side: small steps out, then bisection. */
static double distance_to(const sgf_problem *problem, const double *direction, double side, double level)
{
  double low = 0.0, high = 0.0, step = 1e-3;
  while (loss_along(problem, direction, side * high) < level) {
    low = high;
    high += step;
    step *= 1.002;
  }
  for (int k = 0; k < 60; k++) {
    double middle = 0.5 * (low + high);
    if (loss_along(problem, direction, side * middle) < level)
      low = middle;
    else
      high = middle;
  }
  return high;
}

/* Along principal directions of all weights together, on the range and beyond it. */
START_TEST(joint_flatness_by_bisection)
{
  static const small cases[] = {{{4, 4, 3}, 3, 5, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_DISCRETE},
                                {{4, 2, 3}, 3, 5, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_DISCRETE},
                                {{3, 4, 3, 2}, 4, 5, SGF_SAMPLING_REPLACEMENT, SGF_EQUATION_CONTINUUM}};
  sgf_problem *problem;
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, cases[_i].count, cases[_i].widths);
  settings.data.samples = 50;
  settings.theory.flatness_factor = _i == 1 ? 2.0 : M_E;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_prediction *prediction = predict(problem);
  size_t n = problem->network.weights, rank = prediction->info.rank_hessian;
  size_t tried[] = {0, 1, rank / 2, rank - 1, rank, n - 1};
  double level = settings.theory.flatness_factor * prediction->info.min_loss;
  for (size_t k = 0; k < sizeof tried / sizeof *tried; k++) {
    const double *direction = array_of(prediction, "directions") + tried[k] * n;
    double F = distance_to(problem, direction, 1.0, level) + distance_to(problem, direction, -1.0, level);
    ASSERT_NEAR(array_of(prediction, "flatness")[tried[k]] / F, 1.0, 1e-10);
    double h = sgf_quadratic_form(n, array_of(prediction, "hessian"), direction);
    ASSERT_NEAR(array_of(prediction, "curvature")[tried[k]], h, 1e-11 * prediction->info.largest_curvature);
  }
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("depth");
  TCase *tests = tcase_create("depth");
  int smalls = sizeof SMALL / sizeof *SMALL, bases = sizeof BASES / sizeof *BASES;
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, covariances_by_dense_kronecker_systems, 0, smalls);
  tcase_add_loop_test(tests, finite_times_by_iteration, 0, smalls);
  tcase_add_test(tests, one_snapshot_has_no_spread_about_itself);
  tcase_add_loop_test(tests, orthogonal_basis_turns_everything, 0, bases);
  tcase_add_loop_test(tests, general_basis_changes_forms, 0, bases);
  tcase_add_test(tests, scaling_changes_shares_and_not_the_temperature);
  tcase_add_loop_test(tests, ranks_are_those_predicted, 0, (int)(sizeof RANKS / sizeof *RANKS));
  tcase_add_test(tests, duplicated_hidden_units);
  tcase_add_test(tests, dropped_modes_with_noise_diffuse);
  tcase_add_test(tests, closed_form_does_not_bring_dropped_modes_back);
  tcase_add_loop_test(tests, coupling_alone_makes_the_ivfr, 0, 2);
  tcase_add_loop_test(tests, population_noise_has_the_closed_form_exponent, 0, 2);
  tcase_add_loop_test(tests, joint_flatness_by_bisection, 0, 3);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
