/* The closure on the range of H, as the map sees it, against the one with n x n matrices: coefficients,
 * quasi-stationary state, runs of finite length with the mean that leaves the range, the covariance operator of it,
 * and SGD. */
#include "../theory/averaged_operators.h"
#include "../theory/closure.h"
#include "../theory/covariance_operator.h"
#include "../theory/drift.h"
#include "../theory/prediction.h"
#include "../theory/time_dependence.h"
#include "../verify/compare.h"
#include "../verify/ensemble.h"
#include "testing.h"

typedef struct {
  size_t widths[6], count, P;
  double momentum, fastest; /* learning rate times the largest curvature */
  double power;             /* of the spectrum of the inputs; 0: white */
} range_case;

static const range_case CASES[] = {{{5, 3}, 2, 40, 0.0, 0.3, 0.0},          {{5, 5, 3}, 3, 60, 0.0, 0.2, 0.0},
                                   {{4, 14, 4}, 3, 60, 0.0, 0.2, 0.0},      {{5, 5, 3}, 3, 60, 0.8, 0.05, 0.0},
                                   {{4, 5, 5, 3}, 4, 60, 0.0, 0.2, 0.0},    {{9, 10, 9}, 3, 60, 0.0, 0.2, 0.0},
                                   {{7, 30, 3}, 3, 60, 0.0, 0.2, 0.0},      {{3, 30, 8}, 3, 60, 0.7, 0.05, 0.0},
                                   {{3, 4, 5, 4, 3}, 5, 50, 0.0, 0.1, 0.0}, {{6, 10, 5}, 3, 60, 0.0, 0.2, 4.0}};
enum { CASE_COUNT = sizeof CASES / sizeof *CASES };

static sgf_problem *problem_of(const range_case *from)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, from->count, from->widths);
  settings.data.samples = from->P;
  settings.data.label_noise = 0.5;
  if (from->power > 0.0) settings.data.input_power_law = from->power;
  settings.training.batch_size = 6;
  settings.training.sampling = SGF_SAMPLING_WITHOUT_REPLACEMENT;
  settings.training.learning_rate = 1e-3;
  settings.training.momentum = from->momentum;
  settings.theory.equation = SGF_EQUATION_DISCRETE;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_prediction *prediction = predict(problem);
  problem->settings.training.learning_rate = from->fastest / prediction->info.largest_curvature;
  problem->settings.theory.equation = SGF_EQUATION_CLOSURE;
  sgf_prediction_free(prediction);
  sgf_settings_free(&settings);
  return problem;
}

typedef struct {
  sgf_reduced space;
  sgf_range_basis basis;
  double *rows; /* (size, n) e_k */
} range_of;

static void range_create(const sgf_problem *problem, range_of *made)
{
  sgf_error error = {SGF_OK, ""};
  size_t n = problem->network.weights;
  ASSERT_OK(
      sgf_reduced_create(&problem->network, problem->theta, problem->data.input_moment, NULL, &made->space, &error),
      error);
  ASSERT_OK(sgf_reduced_solve(&made->space, NAN, false, &error), error);
  ASSERT_OK(sgf_range_basis_create(&made->space, &made->basis, &error), error);
  size_t size = made->basis.size;
  double *unit = new_reals(size * size);
  made->rows = new_reals(size * n);
  for (size_t k = 0; k < size; k++) unit[k * size + k] = 1.0;
  ASSERT_OK(sgf_range_basis_out(&made->basis, size, unit, made->rows, &error), error);
  free(unit);
}

static void range_free(range_of *made)
{
  sgf_range_basis_free(&made->basis);
  sgf_reduced_free(&made->space);
  free(made->rows);
}

/* ------------------------------------------------------------------ the basis */

/* Orthonormal eigenvectors of H with its rates, into which and out of which is the same as by the rows. */
START_TEST(basis_is_of_eigenvectors)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = problem_of(&CASES[_i]);
  range_of range;
  range_create(problem, &range);
  size_t n = problem->network.weights, size = range.basis.size, count = 3;
  double *unit = new_reals(size * size), *gram = new_reals(size * size), *H = new_reals(n * n);
  double *v = new_reals(count * n), *rows = new_reals(count * size), *expected = new_reals(count * size);
  for (size_t k = 0; k < size; k++) unit[k * size + k] = 1.0;
  sgf_multiply(size, size, n, SGF_PLAIN, range.rows, SGF_TRANSPOSED, range.rows, gram);
  ASSERT_CLOSE(size * size, gram, unit, 1e-12);
  ASSERT_OK(sgf_hessian(&problem->network, &problem->data, problem->theta, 0.0, H, &error), error);
  double *along = form_of(size, n, range.rows, H);
  for (size_t k = 0; k < size; k++) unit[k * size + k] = range.space.k[range.basis.places[k]];
  ASSERT_CLOSE(size * size, along, unit, 1e-11);
  fill_normal(2, count * n, v);
  ASSERT_OK(sgf_range_basis_into(&range.basis, count, v, rows, &error), error);
  sgf_multiply(count, size, n, SGF_PLAIN, v, SGF_TRANSPOSED, range.rows, expected);
  ASSERT_CLOSE(count * size, rows, expected, 1e-12);
  free(unit);
  free(gram);
  free(H);
  free(v);
  free(rows);
  free(expected);
  free(along);
  range_free(&range);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------------ coefficients */

/* At weights that are not theta*, with any fluctuations: gradient, Hessian and noise as those of all weights. */
START_TEST(averages_are_those_of_all_weights)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = problem_of(&CASES[_i]);
  range_of range;
  range_create(problem, &range);
  size_t n = problem->network.weights, size = range.basis.size, whole = sgf_range_basis_of_map(&range.basis);
  size_t rank = 7;
  double *theta = new_reals(n), *factor = new_reals(rank * n), *inside = new_reals(size * size);
  sgf_averaged_operators all, seen;
  ASSERT_OK(sgf_averaged_operators_create(n, n, &all, &error), error);
  ASSERT_OK(sgf_averaged_operators_create(n, whole, &seen, &error), error);
  fill_normal(3, n, theta);
  fill_normal(4, rank * n, factor);
  for (size_t k = 0; k < n; k++) theta[k] = problem->theta[k] + 0.3 * theta[k];
  for (size_t with = 0; with < 2; with++) { /* without fluctuations too */
    size_t directions = with * rank;
    ASSERT_OK(
        sgf_average_operators(&problem->network, &problem->data, 0.0, theta, directions, factor, NULL, &all, &error),
        error);
    ASSERT_OK(sgf_average_operators(&problem->network, &problem->data, 0.0, theta, directions, factor, &range.basis,
                                    &seen, &error),
              error);
    ASSERT_CLOSE(n, seen.gradient, all.gradient, 1e-12);
    double *hessian = form_of(size, n, range.rows, all.hessian), *noise = form_of(size, n, range.rows, all.noise);
    ASSERT_OK(sgf_range_basis_of_matrix(&range.basis, seen.hessian, inside, &error), error);
    ASSERT_CLOSE(size * size, inside, hessian, 1e-11);
    ASSERT_OK(sgf_range_basis_of_matrix(&range.basis, seen.noise, inside, &error), error);
    ASSERT_CLOSE(size * size, inside, noise, 1e-11);
    free(hessian);
    free(noise);
  }
  sgf_averaged_operators_free(&all);
  sgf_averaged_operators_free(&seen);
  free(theta);
  free(factor);
  free(inside);
  range_free(&range);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------ quasi-stationary state */

/* By the map, and by n x n matrices in the rows of the same basis; third cumulants go along where there are few
 * weights. */
START_TEST(quasi_stationary_state_is_the_same)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = problem_of(&CASES[_i]);
  range_of range;
  range_create(problem, &range);
  size_t n = problem->network.weights, size = range.basis.size;
  double *Sigma[2], *mean[2], *drift[2], residual, scale = 0.0;
  for (int k = 0; k < 2; k++) {
    sgf_closure *closure;
    Sigma[k] = new_reals(n * n);
    mean[k] = new_reals(n);
    drift[k] = new_reals(n);
    if (k == 0)
      ASSERT_OK(sgf_closure_create(problem, size, range.rows, &closure, &error), error);
    else
      ASSERT_OK(sgf_closure_create_on_range(problem, &range.basis, &closure, &error), error);
    ASSERT_OK(sgf_closure_settle(closure, &residual, drift[k], &error), error);
    ASSERT_OK(sgf_closure_in_weights(closure, mean[k], Sigma[k], &error), error);
    ck_assert(residual < 1e-13);
    sgf_closure_free(closure);
  }
  ASSERT_CLOSE(n * n, Sigma[1], Sigma[0], 1e-11);
  scale = sqrt(sgf_trace(n, Sigma[0])); /* of one layer mean and drift are 0 */
  for (size_t i = 0; i < n; i++) {
    ASSERT_NEAR(mean[1][i], mean[0][i], 1e-11 * scale);
    ASSERT_NEAR(drift[1][i], drift[0][i], 1e-11 * scale);
  }
  for (int k = 0; k < 2; k++) {
    free(Sigma[k]);
    free(mean[k]);
    free(drift[k]);
  }
  range_free(&range);
  sgf_problem_free(problem);
}
END_TEST

/* The prediction by the covariance operator says of the closure what the dense one says. */
START_TEST(operator_predicts_what_the_dense_path_does)
{
  static const char *const names[] = {"mean", "mean_drift", "layer1/variance", "layer1/curvature"};
  static const double bounds[] = {1e-8, 1e-8, 1e-8, 1e-6};
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = problem_of(&CASES[_i]);
  sgf_prediction *dense = predict(problem), *large;
  size_t n = problem->network.weights, rows, columns;
  ASSERT_OK(sgf_predict_by_operator(problem, &large, &error), error);
  const double *Sigma = sgf_prediction_array(dense, "covariance", &rows, &columns);
  const double *diagonal = sgf_prediction_array(large, "covariance_diagonal", &rows, &columns);
  double *expected = new_reals(n);
  for (size_t k = 0; k < n; k++) expected[k] = Sigma[k * (n + 1)];
  ASSERT_CLOSE(n, diagonal, expected, 1e-10);
  ASSERT_NEAR(large->info.trace / dense->info.trace, 1.0, 1e-10);
  ASSERT_NEAR(large->info.excess_loss / dense->info.excess_loss, 1.0, 1e-10);
  ASSERT_NEAR(large->info.next_order, dense->info.next_order, 1e-9);
  ASSERT_NEAR(large->info.mean_shift, dense->info.mean_shift, 1e-10);
  ASSERT_NEAR(large->info.mean_drift, dense->info.mean_drift, 1e-10);
  ck_assert(large->third_cumulants == dense->third_cumulants && large->info.residual < 1e-13);
  for (size_t k = 0; k < sizeof names / sizeof *names && problem->network.layers > 1; k++) {
    size_t count, size;
    const double *found = sgf_prediction_array(large, names[k], &count, &columns);
    const double *values = sgf_prediction_array(dense, names[k], &size, &columns);
    ck_assert(found != NULL && values != NULL && count <= size);
    size_t rank = k < 2 ? n : large->layers[0].rank_hessian;
    ASSERT_CLOSE(rank < count ? rank : count, found, values, bounds[k]);
  }
  free(expected);
  sgf_prediction_free(dense);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

/* Correlation times, displacement, and the autocovariance along any direction, with momentum too: in the modes of
 * the closure's drift, and of H by the equation of leading order. */
START_TEST(times_are_those_of_the_dense_path)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = problem_of(&CASES[_i]);
  size_t n = problem->network.weights, count[2], columns;
  for (int leading = 0; leading < 2; leading++) {
    if (leading) problem->settings.theory.equation = SGF_EQUATION_DISCRETE;
    sgf_prediction *of[2] = {predict(problem), NULL};
    const double *moved[2];
    double *p = new_reals(2 * n), along[2][2][3];
    ASSERT_OK(sgf_predict_on_directions(problem, &of[1], &error), error);
    fill_normal(6, 2 * n, p);
    for (int k = 0; k < 2; k++) {
      sgf_time_modes modes;
      moved[k] = sgf_prediction_array(of[k], "mean_square_displacement", &count[k], &columns);
      ASSERT_OK(sgf_prediction_time_modes(problem, of[k], &modes, &error), error);
      double *weights = new_reals(4 * modes.count), *factors = new_reals(2 * modes.count);
      ASSERT_OK(sgf_time_weights(&modes, 0, 0, n, 2, p, weights, &error), error);
      for (int lag = 0; lag < 3; lag++) {
        sgf_autocovariance_factors(&modes, 5.0 * lag, factors);
        for (int v = 0; v < 2; v++)
          along[k][v][lag] = sgf_dot(2 * modes.count, weights + 2 * modes.count * (size_t)v, factors);
      }
      sgf_time_modes_free(&modes);
      free(weights);
      free(factors);
    }
    for (int v = 0; v < 2; v++) ASSERT_CLOSE((size_t)3, along[1][v], along[0][v], 1e-8);
    ck_assert_uint_eq(count[0], count[1]);
    ASSERT_CLOSE(count[0], moved[1], moved[0], 1e-8);
    ASSERT_NEAR(of[1]->info.time.correlation_time / of[0]->info.time.correlation_time, 1.0, 1e-8);
    ASSERT_NEAR(of[1]->info.time.displacement_rate / of[0]->info.time.displacement_rate, 1.0, 1e-8);
    free(p);
    sgf_prediction_free(of[0]);
    sgf_prediction_free(of[1]);
  }
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------------- finite times */

/* Of runs that take a few per cent of the lifetime: (mean, second moment) on the range by all weights, by the range
 * with the mean beyond it, and with the mean held on it, what the rows of the basis alone do. Deviations from the
 * first. */
static void compare_windows(const sgf_problem *problem, const range_of *range, const sgf_plan *plan,
                            double deviations[2][2])
{
  sgf_error error = {SGF_OK, ""};
  size_t n = problem->network.weights, size = range->basis.size;
  double *all = new_reals(n * n), *mean = new_reals(n), *inside = new_reals(size);
  double *second = new_reals(size * size), *found = new_reals(size);
  sgf_closure *closure;
  ASSERT_OK(sgf_closure_create(problem, n, NULL, &closure, &error), error);
  ASSERT_OK(sgf_closure_window(closure, plan, 1e-4, all, mean, NULL, &error), error);
  sgf_closure_free(closure);
  double *expected = form_of(size, n, range->rows, all);
  sgf_multiply(size, 1, n, SGF_PLAIN, range->rows, SGF_PLAIN, mean, inside);
  for (int held = 0; held < 2; held++) {
    if (held)
      ASSERT_OK(sgf_closure_create(problem, size, range->rows, &closure, &error), error);
    else
      ASSERT_OK(sgf_closure_create_on_range(problem, &range->basis, &closure, &error), error);
    ASSERT_OK(sgf_closure_window(closure, plan, 1e-5, second, found, NULL, &error), error);
    deviations[held][0] = relative_difference(size, found, inside);
    deviations[held][1] = relative_difference(size * size, second, expected);
    sgf_closure_free(closure);
  }
  free(all);
  free(mean);
  free(inside);
  free(second);
  free(found);
  free(expected);
}

START_TEST(runs_move_beyond_the_range)
{
  sgf_problem *problem = problem_of(&CASES[_i]);
  range_of range;
  range_create(problem, &range);
  double lambda = problem->settings.training.learning_rate, deviations[2][2], slow = range.space.smallest;
  size_t steps = (size_t)(3.0 * (1.0 - CASES[_i].momentum) / (lambda * slow));
  sgf_plan plan = {.replicas = 1, .burn_in_steps = steps, .window_steps = steps - steps % 4, .stride = 4};
  compare_windows(problem, &range, &plan, deviations);
  ck_assert_msg(deviations[0][0] < 0.03, "mean %g", deviations[0][0]);
  ck_assert_msg(deviations[0][1] < 8e-4, "second moment %g", deviations[0][1]);
  ck_assert_msg(deviations[1][0] > 2.0 * deviations[0][0] && deviations[1][1] > 5.0 * deviations[0][1],
                "held on the range %g, %g; beyond it %g, %g", deviations[1][0], deviations[1][1], deviations[0][0],
                deviations[0][1]);
  range_free(&range);
  sgf_problem_free(problem);
}
END_TEST

/* The moments along directions of range(H) that the comparison takes are those of the closure's window. */
START_TEST(directions_have_the_moments_of_the_window)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = problem_of(&CASES[_i]);
  sgf_prediction *large;
  size_t n = problem->network.weights, count;
  ASSERT_OK(sgf_predict_on_directions(problem, &large, &error), error);
  const sgf_range_basis *basis = &large->covariance->closure->basis;
  const double *D = sgf_prediction_directions(large, &count);
  size_t size = basis->size;
  double *second = new_reals(count * count), *mean = new_reals(count), *inside = new_reals(size * size + size);
  double *whole = new_reals(n * n), *moved = new_reals(n), trace;
  sgf_plan plan = {.replicas = 1, .burn_in_steps = 40, .window_steps = 60, .stride = 3};
  for (int stationary = 0; stationary < 2; stationary++) {
    const sgf_plan *of = stationary ? NULL : &plan;
    sgf_closure *closure;
    ASSERT_OK(sgf_closure_create_on_range(problem, basis, &closure, &error), error);
    if (stationary) {
      ASSERT_OK(sgf_closure_settle(closure, &trace, moved, &error), error);
      ASSERT_OK(sgf_closure_in_weights(closure, moved, whole, &error), error);
      for (size_t i = 0; i < n * n; i++) whole[i] += moved[i / n] * moved[i % n];
    } else {
      ASSERT_OK(sgf_closure_window(closure, of, 1e-3, inside + size, inside, NULL, &error), error);
      ASSERT_OK(sgf_range_basis_out(basis, 1, inside, moved, &error), error);
      double *half = new_reals(size * n), *turned = new_reals(n * size);
      ASSERT_OK(sgf_range_basis_out(basis, size, inside + size, half, &error), error);
      sgf_transpose(size, n, half, turned);
      ASSERT_OK(sgf_range_basis_out(basis, n, turned, whole, &error), error);
      free(half);
      free(turned);
    }
    double *expected = form_of(count, n, D, whole), *along = new_reals(count);
    sgf_multiply(count, 1, n, SGF_PLAIN, D, SGF_PLAIN, moved, along);
    ASSERT_OK(sgf_directions_window(problem, large, of, count, D, second, mean, &error), error);
    ASSERT_CLOSE(count * count, second, expected, 1e-9);
    for (size_t k = 0; k < count; k++) ASSERT_NEAR(mean[k], along[k], 1e-9 * sqrt(sgf_trace(n, whole)));
    ASSERT_OK(sgf_directions_window_trace(problem, large, of, &trace, &error), error);
    ASSERT_NEAR(trace / sgf_trace(n, whole), 1.0, 1e-9);
    sgf_closure_free(closure);
    free(expected);
    free(along);
  }
  free(second);
  free(mean);
  free(inside);
  free(whole);
  free(moved);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

/* Of more weights than are followed in all directions the dense path has the moments on the range, and nothing
 * beyond it. */
START_TEST(many_weights_are_followed_on_the_range)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem = problem_of(&(range_case){{3, 255, 3}, 3, 40, 0.0, 0.2, 0.0});
  sgf_prediction *dense = predict(problem), *large;
  size_t n = problem->network.weights, count;
  sgf_plan plan = {.replicas = 1, .burn_in_steps = 40, .window_steps = 60, .stride = 3};
  ck_assert_uint_gt(n, SGF_MOST_FOLLOWED_WEIGHTS);
  ASSERT_OK(sgf_predict_on_directions(problem, &large, &error), error);
  const double *D = sgf_prediction_directions(large, &count);
  double *second = new_reals(n * n), *mean = new_reals(n), *found = new_reals(count * count),
         *along = new_reals(count);
  double trace;
  ASSERT_OK(sgf_prediction_window(problem, dense, 0, &plan, second, mean, &error), error);
  ASSERT_OK(sgf_directions_window(problem, large, &plan, count, D, found, along, &error), error);
  ASSERT_OK(sgf_directions_window_trace(problem, large, &plan, &trace, &error), error);
  double *expected = form_of(count, n, D, second);
  ASSERT_CLOSE(count * count, found, expected, 1e-9);
  for (size_t k = 0; k < count; k++)
    ASSERT_NEAR(along[k], sgf_dot(n, D + k * n, mean), 1e-9 * sqrt(sgf_trace(n, second)));
  ASSERT_NEAR(trace / sgf_trace(n, second), 1.0, 1e-9);
  ck_assert(dense->known->on_range && dense->known->points == 0);
  free(second);
  free(mean);
  free(found);
  free(along);
  free(expected);
  sgf_prediction_free(dense);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

/* ------------------------------------------------------------------------ SGD */

/* The verdicts of runs on the directions of a prediction by an equation. */
static sgf_comparison *compare_by(sgf_problem *problem, sgf_equation equation)
{
  sgf_error error = {SGF_OK, ""};
  sgf_prediction *prediction;
  sgf_simulation *simulation;
  size_t count;
  sgf_plan plan = {.replicas = 128, .burn_in_steps = 60, .window_steps = 320, .stride = 4};
  problem->settings.theory.equation = equation;
  ASSERT_OK(sgf_predict_on_directions(problem, &prediction, &error), error);
  const double *D = sgf_prediction_directions(prediction, &count);
  ASSERT_OK(sgf_simulation_create_on(problem, &plan, count, D, &simulation, &error), error);
  ASSERT_OK(sgf_simulation_run(simulation, plan.replicas, 2, NULL, NULL, &error), error);
  sgf_comparison *comparison = compare(problem, prediction, sgf_simulation_ensemble(simulation));
  sgf_simulation_free(simulation);
  sgf_prediction_free(prediction);
  return comparison;
}

/* 770 weights, range(H) of 24 dimensions, a learning rate of 0.35 over the largest curvature. Of runs on the
 * directions of each prediction the trace is that of the closure to 3 %, and not that of leading order. A
 * verdict is wrong with a probability of 1e-6. */
START_TEST(sgd_of_many_weights_agrees)
{
  sgf_problem *problem = problem_of(&(range_case){{8, 70, 3}, 3, 100, 0.0, 0.35, 0.0});
  problem->settings.verify.tolerance = 0.03;
  problem->settings.verify.level = 1e-6;
  sgf_comparison *closure = compare_by(problem, SGF_EQUATION_CLOSURE);
  sgf_comparison *discrete = compare_by(problem, SGF_EQUATION_DISCRETE);
  const sgf_quantity *right = quantity_of(closure, "tested_trace"), *wrong = quantity_of(discrete, "tested_trace");
  ck_assert_uint_eq(sgf_comparison_get_info(closure)->disagree, 0);
  ck_assert_msg(right->verdict == SGF_AGREE, "closure: deviation %g", right->deviation);
  ck_assert_msg(wrong->verdict == SGF_DISAGREE, "leading order: deviation %g", wrong->deviation);
  sgf_comparison_free(closure);
  sgf_comparison_free(discrete);
  sgf_problem_free(problem);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("closure on the range");
  TCase *cases = tcase_create("range");
  tcase_set_timeout(cases, 120);
  tcase_add_loop_test(cases, basis_is_of_eigenvectors, 0, CASE_COUNT);
  tcase_add_loop_test(cases, averages_are_those_of_all_weights, 0, CASE_COUNT);
  tcase_add_loop_test(cases, quasi_stationary_state_is_the_same, 0, CASE_COUNT);
  tcase_add_loop_test(cases, operator_predicts_what_the_dense_path_does, 0, CASE_COUNT);
  tcase_add_loop_test(cases, times_are_those_of_the_dense_path, 0, CASE_COUNT);
  tcase_add_loop_test(cases, runs_move_beyond_the_range, 1, 5);
  tcase_add_loop_test(cases, directions_have_the_moments_of_the_window, 0, CASE_COUNT);
  tcase_add_test(cases, many_weights_are_followed_on_the_range);
  tcase_add_test(cases, sgd_of_many_weights_agrees);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
