/* The closure of reshuffled epochs: against all orders of the samples, against its own runs, and against SGD. */
#include "../theory/drift.h"
#include "../theory/linear_algebra.h"
#include "../theory/prediction.h"
#include "../theory/reshuffled_closure.h"
#include "../verify/compare.h"
#include "../verify/ensemble.h"
#include "testing.h"

static sgf_problem *reshuffled_problem(size_t count, const size_t *widths, size_t P, size_t batch,
                                       double weight_decay, double fastest)
{
  return sampled_problem(count, widths, P, batch, SGF_SAMPLING_EPOCH, weight_decay, fastest);
}

/* ------------------------------------------------------------- all orders of an epoch */

enum { SAMPLES = 6, BATCH = 2, BATCHES = 3 };

typedef struct {
  const sgf_problem *problem;
  sgf_dataset pairs[SAMPLES * SAMPLES]; /* the batch of samples i < j at [i * SAMPLES + j] */
  size_t n, steps;
  double *second, *mean, *gradient, total; /* sums at the end */
} enumeration;

static void walk(enumeration *all, size_t step, unsigned used, const double *theta)
{
  sgf_error error = {SGF_OK, ""};
  const sgf_settings *settings = &all->problem->settings;
  size_t n = all->n;
  if (step == all->steps) {
    all->total += 1.0;
    for (size_t i = 0; i < n; i++) {
      double d = theta[i] - all->problem->theta[i];
      all->mean[i] += d;
      for (size_t j = 0; j < n; j++) all->second[i * n + j] += d * (theta[j] - all->problem->theta[j]);
    }
    return;
  }
  if (step % BATCHES == 0) used = 0;
  double *moved = new_reals(n);
  for (unsigned i = 0; i < SAMPLES; i++)
    for (unsigned j = i + 1; j < SAMPLES; j++) {
      if ((used >> i & 1U) == 1U || (used >> j & 1U) == 1U) continue;
      ASSERT_OK(sgf_gradient(&all->problem->network, &all->pairs[i * SAMPLES + j], theta,
                             settings->training.weight_decay, all->gradient, &error),
                error);
      for (size_t k = 0; k < n; k++) moved[k] = theta[k] - settings->training.learning_rate * all->gradient[k];
      walk(all, step + 1, used | 1U << i | 1U << j, moved);
    }
  free(moved);
}

/* Mean and second moment of theta - theta* after so many steps, over all orders of the samples. */
static void enumerate(const sgf_problem *problem, size_t steps, double *mean, double *second)
{
  sgf_error error = {SGF_OK, ""};
  const sgf_dataset *data = &problem->data;
  size_t n = problem->network.weights, inputs = data->inputs, outputs = data->outputs;
  enumeration all = {.problem = problem, .n = n, .steps = steps, .second = second, .mean = mean};
  all.gradient = new_reals(n);
  memset(mean, 0, n * sizeof *mean);
  memset(second, 0, n * n * sizeof *second);
  for (size_t i = 0; i < SAMPLES; i++)
    for (size_t j = i + 1; j < SAMPLES; j++) {
      double X[2 * 4], Y[2 * 4];
      for (size_t k = 0; k < 2; k++) {
        memcpy(X + k * inputs, data->X + (k == 0 ? i : j) * inputs, inputs * sizeof *X);
        memcpy(Y + k * outputs, data->Y + (k == 0 ? i : j) * outputs, outputs * sizeof *Y);
      }
      ASSERT_OK(sgf_dataset_from_arrays(2, inputs, outputs, X, Y, &all.pairs[i * SAMPLES + j], &error), error);
    }
  walk(&all, 0, 0, problem->theta);
  for (size_t k = 0; k < n; k++) mean[k] /= all.total;
  for (size_t k = 0; k < n * n; k++) second[k] /= all.total;
  for (size_t k = 0; k < SAMPLES * SAMPLES; k++) sgf_dataset_free(&all.pairs[k]);
  free(all.gradient);
}

/* Relative deviations after so many steps. */
static void deviations(size_t count, const size_t *widths, double weight_decay, double fastest, size_t steps,
                       double *of_mean, double *of_second)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = reshuffled_problem(count, widths, SAMPLES, BATCH, weight_decay, fastest);
  size_t n = problem->network.weights;
  double *mean = new_reals(n), *second = new_reals(n * n), *exact_mean = new_reals(n), *exact = new_reals(n * n);
  sgf_plan plan = {.burn_in_steps = steps - 1, .window_steps = 1, .stride = 1};
  sgf_reshuffled_closure *closure;
  enumerate(problem, steps, exact_mean, exact);
  ASSERT_OK(sgf_reshuffled_closure_create(problem, n, NULL, false, &closure, &error), error);
  ASSERT_OK(sgf_reshuffled_closure_window(closure, &plan, second, mean, 0, NULL, &error), error);
  *of_mean = relative_difference(n, mean, exact_mean);
  *of_second = relative_difference(n * n, second, exact);
  sgf_reshuffled_closure_free(closure);
  sgf_problem_free(problem);
  free(mean);
  free(second);
  free(exact_mean);
  free(exact);
}

/* One layer: exact to fourth order in what the samples differ by, so that at the ends of epochs, where the leading order is not even the
 * leading one, relative deviations fall with lambda, and before the third step nothing is left. Several: within an epoch they
 * fall with its square. */
START_TEST(all_orders_of_the_samples)
{
  static const struct {
    size_t count, widths[4], steps;
    double weight_decay, of_mean, of_second, ratio; /* bounds at the larger learning rate; of deviations at both */
  } cases[] = {{2, {2, 1}, 2, 0.0, 1e-9, 1e-13, 0.0},     {2, {2, 1}, 3, 0.0, 1e-9, 2.5e-3, 2.0},
               {2, {2, 1}, 6, 0.2, 1e-9, 2.5e-3, 2.0},    {3, {2, 1, 1}, 2, 0.0, 3e-4, 1e-4, 4.0},
               {3, {2, 1, 1}, 5, 0.1, 3e-4, 1.2e-3, 4.0}, {4, {2, 1, 1, 1}, 2, 0.0, 1e-3, 3e-4, 4.0}};
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    double of_mean[2], of_second[2];
    for (int half = 0; half < 2; half++)
      deviations(cases[k].count, cases[k].widths, cases[k].weight_decay, half ? 0.01 : 0.02, cases[k].steps,
                 &of_mean[half], &of_second[half]);
    ck_assert_msg(of_mean[0] <= cases[k].of_mean, "case %zu, mean: %g", k, of_mean[0]);
    ck_assert_msg(of_second[0] <= cases[k].of_second, "case %zu, second moment: %g", k, of_second[0]);
    if (cases[k].ratio > 0.0) ASSERT_NEAR(of_second[0] / of_second[1], cases[k].ratio, 0.1 * cases[k].ratio);
  }
}
END_TEST

/* ------------------------------------------------------------- the state that stays */

/* All modes relax: one layer, and a network that weight decay holds. After many epochs runs from theta* show the state that
 * was found by itself. */
START_TEST(runs_end_in_the_periodic_state)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = _i == 0 ? reshuffled_problem(2, (size_t[]){3, 2}, 60, 15, 0.0, 0.4)
                                 : reshuffled_problem(3, (size_t[]){2, 1, 1}, 12, 3, 0.3, 0.2);
  size_t n = problem->network.weights, epochs = 600;
  double *Sigma = new_reals(n * n), *ends = new_reals(n * n), *square = new_reals(n * n), *second = new_reals(n * n);
  double *mean = new_reals(n), *late = new_reals(n), *drift = new_reals(n), residual;
  sgf_plan plan = {.burn_in_steps = 4 * epochs, .window_steps = 4, .stride = 1};
  sgf_reshuffled_closure *closure;
  ASSERT_OK(sgf_reshuffled_closure_create(problem, n, NULL, false, &closure, &error), error);
  ASSERT_OK(sgf_reshuffled_closure_settle(closure, Sigma, ends, mean, square, &residual, drift, &error), error);
  ck_assert_msg(residual < 1e-10, "residual %g", residual);
  ck_assert(sgf_trace(n, ends) < sgf_trace(n, Sigma) && sgf_norm(n, mean) > 1e-3);
  ASSERT_OK(sgf_reshuffled_closure_window(closure, &plan, second, late, 0, NULL, &error), error);
  for (size_t k = 0; k < n * n; k++) Sigma[k] += square[k];
  /* runs are about theta*, the state about its mean: fourth order of one is not that of the other */
  ASSERT_CLOSE(n * n, second, Sigma, 2e-3);
  ASSERT_CLOSE(n, late, mean, _i == 0 ? 1e-4 : 5e-3);
  sgf_reshuffled_closure_free(closure);
  sgf_problem_free(problem);
  free(Sigma);
  free(ends);
  free(square);
  free(second);
  free(mean);
  free(late);
  free(drift);
}
END_TEST

/* What is added to the leading order over the epoch falls with lambda, also where an epoch forgets next to nothing. */
START_TEST(small_learning_rates_are_leading_order)
{
  double added[3], mean[3];
  for (int k = 0; k < 3; k++) {
    sgf_problem *problem = reshuffled_problem(3, (size_t[]){3, 2, 2}, 30, 3, 0.0,
                                              k == 0   ? 2e-3
                                              : k == 1 ? 1e-3
                                                       : 1e-6);
    problem->settings.theory.equation = SGF_EQUATION_CLOSURE;
    sgf_prediction *prediction = predict(problem);
    added[k] = prediction->info.next_order;
    mean[k] = prediction->info.mean_shift / problem->settings.training.learning_rate;
    sgf_prediction_free(prediction);
    sgf_problem_free(problem);
  }
  ck_assert_msg(fabs(added[0]) > 1e-4 && fabs(added[0]) < 1e-2, "added: %g", added[0]);
  ASSERT_NEAR(added[0] / added[1], 2.0, 0.05);
  ck_assert_msg(fabs(added[2]) < 1e-5, "added: %g", added[2]);
  ASSERT_NEAR(mean[0] / mean[1], 1.0, 0.01);
  ASSERT_NEAR(mean[1] / mean[2], 1.0, 0.01);
}
END_TEST

/* ---------------------------------------------------------------------------- SGD */

static const sgf_quantity *quantity(const sgf_comparison *comparison, const char *name)
{
  for (size_t k = 0; k < comparison->count; k++)
    if (strcmp(comparison->quantities[k].name, name) == 0) return &comparison->quantities[k];
  ck_abort_msg("there is no %s", name);
  return NULL;
}

/* The same runs by both orders: the closure agrees in all that is compared, and in the trace within 1 %; the leading order, which is
 * off by what the planted error of a negative control would be, is found out. Five standard errors: a false alarm has less than 1e-6. */
START_TEST(sgd_tells_the_orders_apart)
{
  sgf_problem *problem = _i == 0 ? reshuffled_problem(2, (size_t[]){5, 1}, 60, 6, 0.0, 0.2)
                                 : reshuffled_problem(3, (size_t[]){3, 2, 3}, 60, 6, 0.0, 0.2);
  problem->settings.simulation.uncoupled = true;
  problem->settings.theory.equation = SGF_EQUATION_CLOSURE;
  sgf_prediction *closure = predict(problem);
  size_t epochs = (size_t)(4.0 / problem->settings.training.learning_rate / 10.0);
  sgf_plan plan = {.replicas = 20000, .burn_in_steps = 10 * epochs, .window_steps = 10 * epochs, .stride = 1};
  sgf_ensemble *ensemble = simulate(problem, &plan, 0);
  sgf_comparison *comparison = compare(problem, closure, ensemble);
  for (size_t k = 0; k < comparison->count; k++)
    ck_assert_msg(comparison->quantities[k].verdict == SGF_AGREE, "%s: deviation %g", comparison->quantities[k].name,
                  comparison->quantities[k].deviation);
  const sgf_quantity *trace = quantity(comparison, "trace");
  double error_of_trace = trace->standard_error / trace->predicted;
  ck_assert_msg(fabs(trace->deviation) < 0.01 + 5.0 * error_of_trace, "trace: %g +- %g", trace->deviation,
                error_of_trace);
  sgf_comparison_free(comparison);
  sgf_prediction_free(closure);
  problem->settings.theory.equation = SGF_EQUATION_DISCRETE;
  sgf_prediction *leading = predict(problem);
  comparison = compare(problem, leading, ensemble);
  ck_assert_int_eq(comparison->info.verdict, SGF_DISAGREE);
  trace = quantity(comparison, "trace");
  ck_assert_msg(trace->deviation > 0.05, "leading order: %g", trace->deviation);
  sgf_comparison_free(comparison);
  sgf_prediction_free(leading);
  sgf_ensemble_free(ensemble);
  sgf_problem_free(problem);
}

/* ------------------------------------------------------------- the state at the ends */

/* Where the orders of an epoch lead from delta = start: moved (orders, n). */
static void run_orders(const sgf_problem *problem, const sgf_dataset *pairs, const double *start, double *moved)
{
  sgf_error error = {SGF_OK, ""};
  size_t n = problem->network.weights, order = 0;
  double *gradient = new_reals(n);
  for (unsigned first = 0; first < SAMPLES * SAMPLES; first++)
    for (unsigned next = 0; next < SAMPLES * SAMPLES; next++) {
      unsigned i = first / SAMPLES, j = first % SAMPLES, k = next / SAMPLES, l = next % SAMPLES, used, left[2],
               count = 0;
      if (i >= j || k >= l || k == i || k == j || l == i || l == j) continue;
      used = 1U << i | 1U << j | 1U << k | 1U << l;
      for (unsigned m = 0; m < SAMPLES; m++)
        if ((used >> m & 1U) == 0U) left[count++] = m;
      const unsigned batches[] = {first, next, left[0] * SAMPLES + left[1]};
      double *theta = moved + order++ * n;
      for (size_t a = 0; a < n; a++) theta[a] = problem->theta[a] + start[a];
      for (size_t batch = 0; batch < 3; batch++) {
        ASSERT_OK(sgf_gradient(&problem->network, &pairs[batches[batch]], theta, 0.0, gradient, &error), error);
        for (size_t a = 0; a < n; a++) theta[a] -= problem->settings.training.learning_rate * gradient[a];
      }
      for (size_t a = 0; a < n; a++) theta[a] -= problem->theta[a];
    }
  free(gradient);
}

/* Covariance at the ends of epochs of one layer, by the affine maps of all orders of six samples in pairs, iterated. */
static void exact_ends(const sgf_problem *problem, size_t epochs, double *Sigma)
{
  enum { N = 2, ORDERS = 90 };
  sgf_error error = {SGF_OK, ""};
  const sgf_dataset *data = &problem->data;
  sgf_dataset pairs[SAMPLES * SAMPLES] = {{0}};
  double to[N + 1][ORDERS * N], start[N] = {0.0}, m[N] = {0.0}, S[N * N] = {0.0};
  for (size_t i = 0; i < SAMPLES; i++)
    for (size_t j = i + 1; j < SAMPLES; j++) {
      double X[2 * N], Y[2];
      for (size_t k = 0; k < 2; k++) {
        memcpy(X + k * N, data->X + (k == 0 ? i : j) * N, N * sizeof *X);
        Y[k] = data->Y[k == 0 ? i : j];
      }
      ASSERT_OK(sgf_dataset_from_arrays(2, N, 1, X, Y, &pairs[i * SAMPLES + j], &error), error);
    }
  for (size_t k = 0; k <= N; k++) {
    for (size_t a = 0; a < N; a++) start[a] = k == a + 1 ? 1.0 : 0.0;
    run_orders(problem, pairs, start, to[k]);
  }
  for (size_t epoch = 0; epoch < epochs; epoch++) {
    double mean[N] = {0.0}, second[N * N] = {0.0};
    for (size_t o = 0; o < ORDERS; o++) {
      const double *b = to[0] + o * N;
      double A[N * N], Am[N] = {0.0}, AS[N * N] = {0.0};
      for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) A[i * N + j] = to[j + 1][o * N + i] - b[i];
      for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < N; j++) {
          Am[i] += A[i * N + j] * m[j];
          for (size_t k = 0; k < N; k++) AS[i * N + j] += A[i * N + k] * S[k * N + j];
        }
      for (size_t i = 0; i < N; i++) {
        mean[i] += (Am[i] + b[i]) / ORDERS;
        for (size_t j = 0; j < N; j++) {
          double sum = Am[i] * b[j] + b[i] * Am[j] + b[i] * b[j];
          for (size_t k = 0; k < N; k++) sum += AS[i * N + k] * A[j * N + k];
          second[i * N + j] += sum / ORDERS;
        }
      }
    }
    memcpy(m, mean, sizeof m);
    memcpy(S, second, sizeof S);
  }
  for (size_t k = 0; k < N * N; k++) Sigma[k] = S[k] - m[k / N] * m[k % N];
  for (size_t k = 0; k < SAMPLES * SAMPLES; k++) sgf_dataset_free(&pairs[k]);
}

/* Six samples are the hardest case: at the ends of epochs the square of the mean is many times the covariance, which must not be their
 * difference. All variances are positive, and the trace is right to a half: what the samples differ by is not small. */
START_TEST(ends_of_epochs_have_positive_variances)
{
  sgf_error error = {SGF_OK, ""};
  static const double fastest[] = {0.05, 0.02};
  for (size_t k = 0; k < 2; k++) {
    sgf_problem *problem = reshuffled_problem(2, (size_t[]){2, 1}, SAMPLES, BATCH, 0.0, fastest[k]);
    double Sigma[4], ends[4], square[4], exact[4], mean[2], drift[2], values[2], residual;
    sgf_reshuffled_closure *closure;
    ASSERT_OK(sgf_reshuffled_closure_create(problem, 2, NULL, false, &closure, &error), error);
    ASSERT_OK(sgf_reshuffled_closure_settle(closure, Sigma, ends, mean, square, &residual, drift, &error), error);
    exact_ends(problem, 20000, exact);
    ck_assert(mean[0] * mean[0] + mean[1] * mean[1] > 2.0 * (exact[0] + exact[3]));
    ASSERT_OK(sgf_symmetric_eigenvalues(2, ends, values, "ends", &error), error);
    ck_assert_msg(values[0] > 0.0, "variance %g beside %g", values[0], values[1]);
    ASSERT_NEAR((ends[0] + ends[3]) / (exact[0] + exact[3]), 1.0, 0.5);
    sgf_reshuffled_closure_free(closure);
    sgf_problem_free(problem);
  }
}
END_TEST
END_TEST

static Suite *reshuffled_suite(void)
{
  Suite *suite = suite_create("reshuffled epochs");
  TCase *cases = tcase_create("closure");
  tcase_set_timeout(cases, 60);
  tcase_add_test(cases, all_orders_of_the_samples);
  tcase_add_loop_test(cases, runs_end_in_the_periodic_state, 0, 2);
  tcase_add_test(cases, ends_of_epochs_have_positive_variances);
  tcase_add_test(cases, small_learning_rates_are_leading_order);
  tcase_add_loop_test(cases, sgd_tells_the_orders_apart, 0, 2);
  suite_add_tcase(suite, cases);
  return suite;
}

int main(void) { return run_suite(reshuffled_suite()); }
