/* Every sample's own Hessian: brute force over samples and minibatches, closed Gaussian moments by quadrature, reduction
 * to one layer, the mean-square limit, and simulations of the linearized recursion and of SGD. */
#include "../theory/diffusion.h"
#include "../theory/hessian_noise.h"
#include "../theory/prediction.h"
#include "../verify/compare.h"
#include "minibatches.h"

typedef struct {
  size_t widths[5], count, samples, batch;
  sgf_sampling sampling;
} shape;

/* The same problem at any learning rate: the minimum is that of the same start. */
static sgf_problem *make_problem(const shape *from, double rate, sgf_equation equation)
{
  sgf_settings settings;
  settings_with_widths(&settings, from->count, from->widths);
  settings.training.learning_rate = rate;
  settings.training.batch_size = from->batch;
  settings.training.sampling = from->sampling;
  settings.theory.equation = equation;
  sgf_problem *problem = noisy_identity_problem(&settings, from->samples, 31);
  sgf_settings_free(&settings);
  return problem;
}

static const double *modes_of_range(const sgf_range *range) { return range->V + (range->n - range->rank) * range->n; }

/* ------------------------------------------------------ sample by sample */

/* With a bottleneck (slope G), hidden layers wide and narrow, with the moments of pairs in a matrix, and sample by sample:
 * where there are twice as many pairs as samples, or 4 for each weight. */
static const shape APPLIED[] = {
    {{3, 4, 2}, 3, 30, 5, SGF_SAMPLING_REPLACEMENT},    {{4, 2, 3}, 3, 40, 5, SGF_SAMPLING_WITHOUT_REPLACEMENT},
    {{5, 3, 2}, 3, 8, 2, SGF_SAMPLING_REPLACEMENT},     {{12, 1, 2}, 3, 60, 4, SGF_SAMPLING_REPLACEMENT},
    {{3, 4, 2, 3}, 4, 30, 5, SGF_SAMPLING_REPLACEMENT}, {{3, 3, 2, 3, 2}, 5, 300, 5, SGF_SAMPLING_REPLACEMENT},
    {{5, 3}, 2, 20, 4, SGF_SAMPLING_REPLACEMENT}};
enum { APPLIED_COUNT = sizeof APPLIED / sizeof *APPLIED };

/* B(Z) = hZh + p( mean of h_m Z h_m - hZh ), h_m = V H_m V^T of the columns and rows first ... of the weights. */
static void direct_B(const sgf_problem *problem, size_t first, const sgf_range *range, double p, const double *Z,
                     double *B)
{
  size_t n = problem->network.weights, P = problem->data.samples, r = range->rank;
  double *H = new_reals(n * n), *block = new_reals(range->n * range->n), *half = new_reals(r * range->n);
  double *h = new_reals(3 * r * r), *mean = h + r * r, *product = h + 2 * r * r;
  memset(B, 0, r * r * sizeof *B);
  for (size_t m = 0; m <= P; m++) {
    plain_hessian(problem, m, H);
    sgf_diagonal_block(n, H, first, range->n, block);
    sgf_multiply(r, range->n, range->n, SGF_PLAIN, modes_of_range(range), SGF_PLAIN, block, half);
    sgf_multiply(r, r, range->n, SGF_PLAIN, half, SGF_TRANSPOSED, modes_of_range(range), h);
    sgf_multiply(r, r, r, SGF_PLAIN, h, SGF_PLAIN, Z, product);
    sgf_multiply(r, r, r, SGF_PLAIN, product, SGF_PLAIN, h, mean);
    for (size_t k = 0; k < r * r; k++) B[k] += (m < P ? p / (double)P : 1.0 - p) * mean[k]; /* m = P: of all */
  }
  free(H);
  free(block);
  free(half);
  free(h);
}

START_TEST(hessians_of_samples_are_those_of_plain_loops)
{
  sgf_problem *problem = make_problem(&APPLIED[_i], 1e-3, SGF_EQUATION_DISCRETE);
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  for (size_t l = 0; l <= problem->network.layers; l++) {
    const sgf_range *range =
        l == 0 || prediction->frozen == NULL ? &prediction->joint.range : &prediction->frozen[l - 1].range;
    size_t r = range->rank;
    double *Z = new_reals(r * r), *found = new_reals(r * r), *expected = new_reals(r * r);
    sgf_hessian_noise *noise;
    fill_normal(40 + l, r * r, Z);
    sgf_symmetrize(r, Z);
    ASSERT_OK(sgf_hessian_noise_create(problem, l, range, 0.3, &noise, &error), error);
    sgf_hessian_noise_apply(noise, Z, found);
    direct_B(problem, l == 0 ? 0 : problem->network.offsets[l], range, 0.3, Z, expected);
    ASSERT_CLOSE(r * r, found, expected, 1e-11);
    sgf_hessian_noise_free(noise);
    free(Z);
    free(found);
    free(expected);
  }
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------ Gaussian moments */

/* Every point of {-sqrt 3, 0, sqrt 3}^d with the weights 1, 4, 1 of each coordinate as copies, in coordinates mixed by
 * a matrix: samples that have the moments of a Gaussian up to order 5. */
static sgf_problem *quadrature_problem(const size_t *widths, bool mixed, sgf_noise noise)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  size_t inputs = widths[0], outputs = widths[2], d = inputs + outputs, P = 1;
  for (size_t k = 0; k < d; k++) P *= 6;
  double *X = new_reals(P * inputs), *Y = new_reals(P * outputs), mix[36], z[6];
  static const double node[6] = {-1.7320508075688772, 0.0, 0.0, 0.0, 0.0, 1.7320508075688772};
  fill_normal(51, d * d, mix);
  for (size_t m = 0; m < P; m++) {
    for (size_t k = 0, rest = m; k < d; k++, rest /= 6) z[k] = node[rest % 6];
    for (size_t i = 0; i < inputs; i++) X[m * inputs + i] = sgf_dot(inputs, mix + i * d, z);
    for (size_t a = 0; a < outputs; a++) {
      Y[m * outputs + a] = X[m * inputs + a % inputs] + 0.5 * z[inputs + a];
      if (mixed) Y[m * outputs + a] += 0.3 * sgf_dot(d, mix + (inputs + a) * d, z);
    }
  }
  settings_with_widths(&settings, 3, widths);
  settings.training.learning_rate = 0.05;
  settings.training.batch_size = 2;
  settings.theory.equation = SGF_EQUATION_MULTIPLICATIVE;
  settings.theory.noise = noise;
  ASSERT_OK(sgf_problem_from_arrays(&settings, P, X, Y, NULL, &problem, &error), error);
  free(X);
  free(Y);
  sgf_settings_free(&settings);
  return problem;
}

/* Widths with and without a bottleneck; independent residuals of equal variance for the isotropic noise. */
START_TEST(population_noise_is_that_of_samples_with_gaussian_moments)
{
  static const size_t widths[][3] = {{2, 3, 2}, {2, 1, 2}, {3, 2, 1}, {2, 3, 2}};
  bool isotropic = _i == 3;
  sgf_problem *empirical = quadrature_problem(widths[_i], !isotropic, SGF_NOISE_EMPIRICAL);
  sgf_problem *modelled =
      quadrature_problem(widths[_i], !isotropic, isotropic ? SGF_NOISE_ISOTROPIC : SGF_NOISE_POPULATION);
  sgf_prediction *a = predict(empirical), *b = predict(modelled);
  size_t n = empirical->network.weights;
  ASSERT_CLOSE(n * n, sgf_prediction_find(b, "noise_covariance"), sgf_prediction_find(a, "noise_covariance"), 1e-12);
  ASSERT_CLOSE(n * n, sgf_prediction_find(b, "covariance"), sgf_prediction_find(a, "covariance"), 1e-11);
  ASSERT_NEAR(b->info.stability_limit, a->info.stability_limit, 1e-8 * a->info.stability_limit);
  ck_assert(relative_difference(n * n, sgf_prediction_find(a, "covariance_discrete"),
                                sgf_prediction_find(a, "covariance")) > 1e-3);
  sgf_prediction_free(a);
  sgf_prediction_free(b);
  sgf_problem_free(empirical);
  sgf_problem_free(modelled);
}
END_TEST

/* ------------------------------------------------- averages over minibatches */

static const shape SMALL[] = {{{2, 2, 1}, 3, 4, 2, SGF_SAMPLING_REPLACEMENT},
                              {{2, 2, 1}, 3, 4, 2, SGF_SAMPLING_WITHOUT_REPLACEMENT},
                              {{2, 1, 2}, 3, 4, 2, SGF_SAMPLING_REPLACEMENT},
                              {{2, 1, 2}, 3, 5, 3, SGF_SAMPLING_WITHOUT_REPLACEMENT},
                              {{2, 2, 2}, 3, 6, 1, SGF_SAMPLING_REPLACEMENT},
                              {{2, 2, 3, 2}, 4, 6, 2, SGF_SAMPLING_REPLACEMENT},
                              {{3, 2, 2, 1}, 4, 5, 4, SGF_SAMPLING_WITHOUT_REPLACEMENT},
                              {{3, 1}, 2, 6, 2, SGF_SAMPLING_REPLACEMENT}};
enum { SMALL_COUNT = sizeof SMALL / sizeof *SMALL };

/* A prediction at a fraction of its own mean-square limit, and the brute-force recursion on its range. */
static sgf_problem *at_fraction(const shape *from, double fraction, double *limit)
{
  sgf_problem *problem = make_problem(from, 1e-3, SGF_EQUATION_MULTIPLICATIVE);
  sgf_prediction *prediction = predict(problem);
  *limit = prediction->info.stability_limit;
  ck_assert(*limit <= 2.0 / prediction->info.largest_curvature);
  problem->settings.training.learning_rate = fraction * *limit;
  sgf_prediction_free(prediction);
  return problem;
}

START_TEST(multiplicative_is_the_average_over_all_minibatches)
{
  double limit;
  sgf_problem *problem = at_fraction(&SMALL[_i], 0.4, &limit);
  sgf_prediction *prediction = predict(problem);
  const sgf_range *range = &prediction->joint.range;
  sgf_plan plan = {.replicas = 1, .burn_in_steps = 7, .window_steps = 30, .stride = 3};
  size_t n = range->n, r2 = range->rank * range->rank;
  double *Sigma = new_reals(r2), *found = new_reals(r2), *window = new_reals(n * n), *mean = new_reals(n);
  sgf_error error = {SGF_OK, ""};
  minibatch_average all;
  average_over_minibatches(problem, modes_of_range(range), range->rank, &all);
  stationary_of(&all, Sigma);
  ASSERT_OK(sgf_into_range(range, sgf_prediction_find(prediction, "covariance_multiplicative"), found, &error),
            error);
  ASSERT_CLOSE(r2, found, Sigma, 1e-10);
  ASSERT_OK(sgf_into_range(range, sgf_prediction_find(prediction, "covariance"), found, &error), error);
  ASSERT_CLOSE(r2, found, Sigma, 1e-10);
  ck_assert(prediction->info.residual < 1e-14);
  ASSERT_NEAR(prediction->info.trace, sgf_trace(range->rank, Sigma), 1e-10 * prediction->info.trace);
  ASSERT_OK(sgf_prediction_window(problem, prediction, 0, &plan, window, mean, &error), error);
  ASSERT_OK(sgf_into_range(range, window, found, &error), error);
  window_of(&all, 10, 3, 10, Sigma);
  ASSERT_CLOSE(r2, found, Sigma, 1e-8);
  ck_assert(sgf_norm(n, mean) <= 0.0);
  minibatch_average_free(&all);
  free(Sigma);
  free(found);
  free(window);
  free(mean);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* At the limit the spectral radius of the brute-force map is 1, a percent below and above it is on the right side. */
START_TEST(stability_limit_is_where_the_second_moment_grows)
{
  double limit, radius[3];
  for (int k = 0; k < 3; k++) {
    sgf_problem *problem = at_fraction(&SMALL[_i], 0.99 + 0.01 * k, &limit);
    sgf_prediction *prediction;
    sgf_error error = {SGF_OK, ""};
    minibatch_average all;
    ASSERT_OK(sgf_predict(problem, true, &prediction, &error), error);
    ASSERT_NEAR(prediction->info.stability_limit, limit, 1e-14 * limit); /* whatever the learning rate */
    average_over_minibatches(problem, modes_of_range(&prediction->joint.range), prediction->joint.range.rank, &all);
    radius[k] = spectral_radius(&all);
    minibatch_average_free(&all);
    sgf_prediction_free(prediction);
    sgf_problem_free(problem);
  }
  ck_assert(radius[0] < 1.0 && radius[2] > 1.0);
  ASSERT_NEAR(radius[1], 1.0, 1e-8);
}
END_TEST

/* The bound is below the limit, and not by much. */
START_TEST(the_bound_is_below_the_limit)
{
  sgf_problem *problem = make_problem(&APPLIED[_i], 1e-3, SGF_EQUATION_DISCRETE);
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_hessian_noise *noise;
  double bound;
  ASSERT_OK(
      sgf_hessian_noise_create(problem, 0, &prediction->joint.range, prediction->info.noise_strength, &noise, &error),
      error);
  ASSERT_OK(sgf_hessian_noise_bound(noise, &bound, &error), error);
  double limit = prediction->info.stability_limit;
  ck_assert(!prediction->info.stability_is_bound);
  ck_assert_msg(bound <= limit && bound > 0.5 * limit, "bound %g, limit %g", bound, limit);
  sgf_hessian_noise_free(noise);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* A large network at a small learning rate is told the bound, and the limit where it is near or asked for. */
START_TEST(large_networks_are_told_a_bound)
{
  const shape large = {{24, 24, 24}, 3, 300, 20, SGF_SAMPLING_REPLACEMENT};
  sgf_problem *problem = make_problem(&large, 1e-4, SGF_EQUATION_DISCRETE);
  sgf_prediction *prediction = predict(problem);
  double bound = prediction->info.stability_limit;
  ck_assert(prediction->info.stability_is_bound);
  sgf_prediction_free(prediction);
  problem->settings.training.learning_rate = 0.9 * bound;
  prediction = predict(problem);
  ck_assert(!prediction->info.stability_is_bound && prediction->info.stability_limit >= bound &&
            prediction->info.stability_limit <= 2.0 / prediction->info.largest_curvature);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Full batches have no noise: the limit of the drift. */
START_TEST(without_noise_the_limit_is_that_of_the_drift)
{
  shape full = {{3, 4, 2}, 3, 7, 7, SGF_SAMPLING_WITHOUT_REPLACEMENT};
  sgf_problem *problem = make_problem(&full, 1e-3, SGF_EQUATION_MULTIPLICATIVE);
  sgf_prediction *prediction = predict(problem);
  double drift = 2.0 / prediction->info.largest_curvature;
  ASSERT_NEAR(prediction->info.stability_limit, drift, 1e-15 * drift);
  ck_assert(prediction->info.trace <= 1e-20);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------ reduction to one layer */

/* One layer by the module for any depth, against the one made for one layer; several outputs, empirical and population. */
START_TEST(one_layer_is_the_exact_equation)
{
  const shape one = {{5, 3}, 2, 20, 4, SGF_SAMPLING_REPLACEMENT};
  sgf_problem *problem = make_problem(&one, 0.1, SGF_EQUATION_MULTIPLICATIVE);
  sgf_error error = {SGF_OK, ""};
  sgf_hessian_noise *noise;
  double limit, residual, Sigma[225];
  bool is_bound;
  if (_i == 1) problem->settings.theory.noise = SGF_NOISE_POPULATION;
  sgf_prediction *prediction = predict(problem);
  const double *exact = sgf_prediction_find(prediction, "covariance_exact");
  ASSERT_OK(
      sgf_hessian_noise_create(problem, 0, &prediction->joint.range, prediction->info.noise_strength, &noise, &error),
      error);
  ASSERT_OK(sgf_hessian_noise_limit(noise, INFINITY, &limit, &is_bound, &error), error);
  ck_assert(!is_bound);
  ASSERT_OK(sgf_hessian_noise_covariance(noise, &prediction->joint, 0.1, Sigma, &residual, &error), error);
  ASSERT_CLOSE(225, Sigma, exact, 1e-12);
  ASSERT_NEAR(limit, prediction->info.stability_limit, 1e-8 * limit);
  /* and through the equation: the same to the bit */
  ck_assert(relative_difference(225, sgf_prediction_find(prediction, "covariance_multiplicative"), exact) <= 0.0);
  ck_assert(relative_difference(225, sgf_prediction_find(prediction, "covariance"), exact) <= 0.0);
  sgf_hessian_noise_free(noise);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Layer 1 alone below W_2 = 1 is a network of one layer. */
START_TEST(a_layer_alone_below_the_identity_is_one_layer)
{
  sgf_settings settings;
  double theta[18];
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, 3, (size_t[]){3, 3, 3});
  settings.training.learning_rate = 0.05;
  settings.training.batch_size = 3;
  settings.theory.equation = SGF_EQUATION_MULTIPLICATIVE;
  fill_normal(61, 9, theta);
  for (int k = 0; k < 9; k++) theta[9 + k] = k % 4 == 0;
  sgf_problem *two = planted_problem(&settings, theta, 25, 62), *one;
  settings.network.width_count = 2;
  ASSERT_OK(sgf_problem_from_arrays(&settings, 25, two->data.X, two->data.Y, NULL, &one, &error), error);
  sgf_prediction *a = predict(two), *b = predict(one);
  ASSERT_CLOSE(9, one->theta, two->theta, 1e-12);
  ASSERT_CLOSE(81, sgf_prediction_find(a, "layer1/covariance_uncoupled"), sgf_prediction_find(b, "covariance_exact"),
               1e-11);
  ck_assert(relative_difference(81, sgf_prediction_find(b, "covariance_discrete"),
                                sgf_prediction_find(b, "covariance_exact")) > 0.02);
  sgf_prediction_free(a);
  sgf_prediction_free(b);
  sgf_problem_free(one);
  sgf_problem_free(two);
  sgf_settings_free(&settings);
}
END_TEST

/* ------------------------------------------------------------- simulations */

/* delta' = V( (1 - lambda H_B) V^T delta - lambda g_B ), drawn: the mean of |delta|^2 over replicas, and its standard
 * error, at each of the steps. */
static void linearized_runs(const sgf_problem *problem, const sgf_range *range, size_t replicas, size_t steps,
                            double *mean, double *error)
{
  size_t n = range->n, r = range->rank, P = problem->data.samples, S = problem->settings.training.batch_size;
  double *H = new_reals(P * n * n), *g = new_reals(P * n), *h = new_reals(P * r * r), *d = new_reals(P * r);
  double *half = new_reals(r * n), delta[16], next[16], lambda = problem->settings.training.learning_rate;
  for (size_t m = 0; m < P; m++) {
    plain_hessian(problem, m, H);
    plain_gradient(problem, problem->theta, m, g);
    sgf_multiply(r, n, n, SGF_PLAIN, modes_of_range(range), SGF_PLAIN, H, half);
    sgf_multiply(r, r, n, SGF_PLAIN, half, SGF_TRANSPOSED, modes_of_range(range), h + m * r * r);
    sgf_multiply(r, 1, n, SGF_PLAIN, modes_of_range(range), SGF_PLAIN, g, d + m * r);
  }
  memset(mean, 0, steps * sizeof *mean);
  memset(error, 0, steps * sizeof *error);
  for (size_t replica = 0; replica < replicas; replica++) {
    sgf_random random;
    sgf_random_at(&random, 71, SGF_STREAM_KRYLOV, replica);
    memset(delta, 0, sizeof delta);
    for (size_t t = 0; t < steps; t++) {
      memcpy(next, delta, sizeof next);
      for (size_t s = 0; s < S; s++) {
        size_t m = sgf_random_index(&random, P);
        for (size_t i = 0; i < r; i++)
          next[i] -= lambda / (double)S * (sgf_dot(r, h + m * r * r + i * r, delta) + d[m * r + i]);
      }
      memcpy(delta, next, sizeof next);
      double square = sgf_dot(r, delta, delta);
      mean[t] += square / (double)replicas;
      error[t] += square * square / (double)replicas;
    }
  }
  for (size_t t = 0; t < steps; t++) error[t] = sqrt((error[t] - mean[t] * mean[t]) / (double)replicas);
  free(H);
  free(g);
  free(h);
  free(d);
  free(half);
}

static const shape RUN = {{3, 2, 2}, 3, 12, 3, SGF_SAMPLING_REPLACEMENT};

/* 30 000 runs of the linearized recursion, the trace at one step: within 5 standard errors (false alarm 6e-7), and the
 * equation with constant drift is not. */
START_TEST(linearized_sgd_has_this_second_moment)
{
  enum { STEPS = 40 };
  double limit, mean[STEPS], error[STEPS];
  sgf_problem *problem = at_fraction(&RUN, 0.25, &limit);
  sgf_prediction *prediction = predict(problem);
  size_t n = problem->network.weights;
  sgf_plan plan = {.replicas = 1, .burn_in_steps = STEPS - 1, .window_steps = 1, .stride = 1};
  double *window = new_reals(n * n), *none = new_reals(n);
  sgf_error failure = {SGF_OK, ""};
  linearized_runs(problem, &prediction->joint.range, 30000, STEPS, mean, error);
  ASSERT_OK(sgf_prediction_window(problem, prediction, 0, &plan, window, none, &failure), failure);
  ASSERT_NEAR(mean[STEPS - 1], sgf_trace(n, window), 5.0 * error[STEPS - 1]);
  problem->settings.theory.equation = SGF_EQUATION_DISCRETE;
  ASSERT_OK(sgf_prediction_window(problem, prediction, 0, &plan, window, none, &failure), failure);
  ck_assert(fabs(mean[STEPS - 1] - sgf_trace(n, window)) > 5.0 * error[STEPS - 1]);
  free(window);
  free(none);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* The same recursion below the limit is stationary, and above it grows, though the drift alone is stable there. */
START_TEST(linearized_sgd_grows_above_the_limit)
{
  enum { STEPS = 60 };
  double limit, mean[STEPS], error[STEPS], growth[2];
  for (int above = 0; above < 2; above++) {
    sgf_problem *problem = at_fraction(&RUN, above ? 1.3 : 0.6, &limit);
    sgf_prediction *prediction;
    sgf_error failure = {SGF_OK, ""};
    ASSERT_OK(sgf_predict(problem, true, &prediction, &failure), failure);
    ck_assert(1.3 * limit < 0.9 * 2.0 / prediction->info.largest_curvature);
    linearized_runs(problem, &prediction->joint.range, 20000, STEPS, mean, error);
    growth[above] = mean[STEPS - 1] / mean[STEPS / 2];
    sgf_prediction_free(prediction);
    sgf_problem_free(problem);
  }
  ck_assert_msg(growth[0] < 1.3 && growth[1] > 3.0, "growth %g below, %g above", growth[0], growth[1]);
}
END_TEST

/* What the theory says of a set of runs: the relative deviation of the measured trace from it, and in standard errors. */
static double deviation_of(const sgf_comparison *comparison, const char *name, double *standard_errors)
{
  for (size_t k = 0; k < comparison->count; k++) {
    const sgf_quantity *quantity = &comparison->quantities[k];
    if (strcmp(quantity->name, name) != 0) continue;
    *standard_errors = (quantity->measured - quantity->predicted) / quantity->standard_error;
    return quantity->measured / quantity->predicted - 1.0;
  }
  ck_abort_msg("no quantity %s", name);
  return NAN;
}

/* SGD of two layers at a learning rate where the constant drift is some percent off. Each layer trained alone: exact, so
 * within 5 standard errors (false alarm 6e-7 each), where the discrete equation is further off. Both layers together:
 * closer than the discrete equation, though not exact. */
START_TEST(sgd_is_closer_to_it_and_frozen_layers_are_exact)
{
  const shape from = {{4, 4, 3}, 3, 40, 4, SGF_SAMPLING_REPLACEMENT};
  static const char *const alone[] = {"layer1_uncoupled_trace", "layer2_uncoupled_trace"};
  sgf_comparison *comparisons[2];
  double limit, errors[2];
  sgf_problem *problem = at_fraction(&from, 0.15, &limit);
  problem->settings.simulation.uncoupled = true;
  sgf_plan plan = {.replicas = 4000, .burn_in_steps = 150, .window_steps = 60, .stride = 3};
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  for (int k = 0; k < 2; k++) {
    problem->settings.theory.equation = k == 0 ? SGF_EQUATION_MULTIPLICATIVE : SGF_EQUATION_DISCRETE;
    sgf_prediction *prediction = predict(problem);
    comparisons[k] = compare(problem, prediction, ensemble);
    ck_assert(!comparisons[k]->info.z_tested);
    sgf_prediction_free(prediction);
  }
  for (int l = 0; l < 2; l++) {
    double own = deviation_of(comparisons[0], alone[l], &errors[0]);
    double constant = deviation_of(comparisons[1], alone[l], &errors[1]);
    ck_assert_msg(fabs(errors[0]) < 5.0, "%s off by %g, %g standard errors", alone[l], own, errors[0]);
    ck_assert_msg(errors[1] > 5.0 && constant > 0.02, "%s off by %g, %g standard errors", alone[l], constant,
                  errors[1]);
  }
  double own = deviation_of(comparisons[0], "trace", &errors[0]);
  double constant = deviation_of(comparisons[1], "trace", &errors[1]);
  ck_assert_msg(fabs(own) < 0.6 * fabs(constant) && errors[1] > 5.0, "trace off by %g, constant drift by %g", own,
                constant);
  for (int k = 0; k < 2; k++) sgf_comparison_free(comparisons[k]);
  sgf_ensemble_free(ensemble);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------------------ refusals */

START_TEST(what_is_not_built_is_refused)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, 3, (size_t[]){4, 3, 2});
  settings.theory.equation = SGF_EQUATION_MULTIPLICATIVE;
  ck_assert(sgf_settings_check(&settings, &error) == SGF_OK);
  ck_assert(!sgf_is_exact(&settings));
  settings.simulation.protocol = SGF_PROTOCOL_WINDOW_PCA;
  ck_assert(sgf_settings_check(&settings, &error) == SGF_ERROR_UNSUPPORTED &&
            strstr(error.message, "multiplicative"));
  settings.simulation.protocol = SGF_PROTOCOL_ENSEMBLE;
  settings.network.width_count = 2;
  ck_assert(sgf_is_exact(&settings));
  settings.training.sampling = SGF_SAMPLING_EPOCH;
  ck_assert(sgf_settings_check(&settings, &error) == SGF_ERROR_UNSUPPORTED &&
            strstr(error.message, "multiplicative"));
  sgf_settings_free(&settings);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("multiplicative");
  TCase *tests = tcase_create("all");
  tcase_set_timeout(tests, 300);
  tcase_add_loop_test(tests, hessians_of_samples_are_those_of_plain_loops, 0, APPLIED_COUNT);
  tcase_add_loop_test(tests, population_noise_is_that_of_samples_with_gaussian_moments, 0, 4);
  tcase_add_loop_test(tests, multiplicative_is_the_average_over_all_minibatches, 0, SMALL_COUNT);
  tcase_add_loop_test(tests, stability_limit_is_where_the_second_moment_grows, 0, SMALL_COUNT);
  tcase_add_loop_test(tests, the_bound_is_below_the_limit, 0, APPLIED_COUNT);
  tcase_add_test(tests, large_networks_are_told_a_bound);
  tcase_add_test(tests, without_noise_the_limit_is_that_of_the_drift);
  tcase_add_loop_test(tests, one_layer_is_the_exact_equation, 0, 2);
  tcase_add_test(tests, a_layer_alone_below_the_identity_is_one_layer);
  tcase_add_test(tests, linearized_sgd_has_this_second_moment);
  tcase_add_test(tests, linearized_sgd_grows_above_the_limit);
  tcase_add_test(tests, sgd_is_closer_to_it_and_frozen_layers_are_exact);
  tcase_add_test(tests, what_is_not_built_is_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
