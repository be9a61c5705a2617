/* Simulations whose second moments are kept on directions: the ensemble, its checkpoint, the prediction and the
 * comparison, against those of all weights. */
#include "../io/hdf5_file.h"
#include "../theory/prediction.h"
#include "../verify/compare.h"
#include "../verify/ensemble.h"
#include "testing.h"

enum { COUNT = 7 };

static sgf_problem *small_problem(void)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, 3, (size_t[]){5, 6, 4});
  settings.data.samples = 60;
  settings.training.learning_rate = 0.02;
  settings.training.batch_size = 5;
  settings.theory.equation = SGF_EQUATION_DISCRETE;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_settings_free(&settings);
  return problem;
}

/* Some orthonormal rows (COUNT, n). */
static double *some_directions(size_t n)
{
  double *Q = new_reals(n * n);
  fill_orthogonal(5, n, Q);
  return Q;
}

static void run_to(sgf_simulation *simulation, size_t replicas, int threads)
{
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_simulation_run(simulation, replicas, threads, NULL, NULL, &error), error);
}

static sgf_simulation *on_directions(const sgf_problem *problem, const sgf_plan *plan, const double *D)
{
  sgf_error error = {SGF_OK, ""};
  sgf_simulation *simulation;
  ASSERT_OK(sgf_simulation_create_on(problem, plan, COUNT, D, &simulation, &error), error);
  return simulation;
}

/* ------------------------------------------------------------ the ensemble */

/* Second moments, means and ends of the same runs, kept whole and projected afterwards; 37 snapshots are not a whole
 * number of blocks. */
START_TEST(moments_on_directions_are_those_of_the_weights)
{
  sgf_problem *problem = small_problem();
  size_t n = sgf_problem_weights(problem), packed = sgf_packed_size(n);
  double *D = some_directions(n), *S = new_reals(n * n), *half = new_reals(COUNT * n),
         *whole = new_reals(COUNT * COUNT);
  sgf_plan plan = {.replicas = 6, .burn_in_steps = 40, .window_steps = 111, .stride = 3};
  sgf_ensemble *full = simulate(problem, &plan, 2);
  sgf_simulation *simulation = on_directions(problem, &plan, D);
  run_to(simulation, plan.replicas, 2);
  const sgf_ensemble *kept = sgf_simulation_ensemble(simulation);
  for (size_t r = 0; r < plan.replicas; r++) {
    double moments[COUNT * COUNT], means[2 * COUNT], ends[2 * COUNT], trace = 0.0, first = 0.0;
    for (size_t i = 0, at = r * packed; i < n; i++)
      for (size_t j = 0; j <= i; j++, at++) S[i * n + j] = S[j * n + i] = full->second[at];
    sgf_multiply(COUNT, n, n, SGF_PLAIN, D, SGF_PLAIN, S, half);
    sgf_multiply(COUNT, COUNT, n, SGF_PLAIN, half, SGF_TRANSPOSED, D, whole);
    for (size_t i = 0, at = r * sgf_packed_size(COUNT); i < COUNT; i++)
      for (size_t j = 0; j <= i; j++, at++) moments[i * COUNT + j] = moments[j * COUNT + i] = kept->second[at];
    ASSERT_CLOSE((size_t)COUNT * COUNT, moments, whole, 1e-12);
    sgf_multiply(2, COUNT, n, SGF_PLAIN, full->half_means + 2 * r * n, SGF_TRANSPOSED, D, means);
    ASSERT_CLOSE((size_t)2 * COUNT, kept->half_means + 2 * r * COUNT, means, 1e-12);
    sgf_multiply(2, COUNT, n, SGF_PLAIN, full->ends + 2 * r * n, SGF_TRANSPOSED, D, ends);
    ASSERT_CLOSE((size_t)2 * COUNT, kept->ends + 2 * r * COUNT, ends, 1e-12);
    for (size_t i = 0; i < n; i++) trace += S[i * n + i];
    for (size_t i = 0; i < problem->network.offsets[2]; i++) first += S[i * n + i];
    ck_assert_uint_eq(kept->square_count, 3);
    ASSERT_CLOSE((size_t)3, kept->squares + 3 * r, ((double[]){trace, first, trace - first}), 1e-12);
  }
  ASSERT_CLOSE((size_t)1, &sgf_ensemble_get_info(kept)->trace, &sgf_ensemble_get_info(full)->trace, 1e-12);
  ASSERT_CLOSE(plan.replicas, kept->gradient_square, full->gradient_square, 1e-15);
  sgf_simulation_free(simulation);
  sgf_ensemble_free(full);
  sgf_problem_free(problem);
  free(D);
  free(S);
  free(half);
  free(whole);
}
END_TEST

static void same_bits(const sgf_ensemble *one, const sgf_ensemble *other)
{
  size_t rows = one->info.pools;
  ck_assert_uint_eq(other->info.pools, rows);
  ck_assert_uint_eq(other->n, one->n);
  ck_assert_mem_eq(one->second, other->second, rows * sgf_packed_size(one->n) * sizeof(double));
  ck_assert_mem_eq(one->half_means, other->half_means, 2 * rows * one->n * sizeof(double));
  ck_assert_mem_eq(one->squares, other->squares, rows * one->square_count * sizeof(double));
  ck_assert_mem_eq(one->ends, other->ends, 2 * one->info.replicas * one->n * sizeof(double));
}

static bool stop_at_once(void *context, double done, double total)
{
  (void)context;
  return done >= total;
}

/* The same bits for any threads, and for a run that was saved in the middle of a block and taken up again. */
START_TEST(bits_depend_neither_on_threads_nor_on_a_checkpoint)
{
  sgf_problem *problem = small_problem();
  size_t n = sgf_problem_weights(problem);
  double *D = some_directions(n);
  /* long enough for a round to end within a run */
  sgf_plan plan = {.replicas = 3, .burn_in_steps = 40, .window_steps = 700001, .stride = 1};
  char fallback[SGF_MESSAGE_LENGTH];
  sgf_error error = {SGF_OK, ""};
  const char *path = scratch_path("directions.checkpoint");
  sgf_simulation *one = on_directions(problem, &plan, D), *other = on_directions(problem, &plan, D), *again;
  run_to(one, plan.replicas, 1);
  ck_assert_int_eq(sgf_simulation_run(other, plan.replicas, 2, stop_at_once, NULL, &error), SGF_ERROR_INTERRUPTED);
  ASSERT_OK(sgf_simulation_save(other, path, "a run", &error), error);
  sgf_simulation_free(other);
  ASSERT_OK(sgf_simulation_load(problem, path, "a run", &again, fallback, &error), error);
  ck_assert_mem_eq(sgf_simulation_ensemble(again)->directions, D, COUNT * n * sizeof *D);
  run_to(again, plan.replicas, 2);
  same_bits(sgf_simulation_ensemble(one), sgf_simulation_ensemble(again));
  sgf_simulation_forget(path);
  sgf_simulation_free(one);
  sgf_simulation_free(again);
  sgf_problem_free(problem);
  free(D);
}
END_TEST

/* ----------------------------------------------------------- the prediction */

typedef struct {
  size_t widths[4];
  size_t width_count;
  sgf_noise noise;
  sgf_equation equation;
} direction_case;

static const direction_case CASES[] = {
    {{5, 6, 4}, 3, SGF_NOISE_EMPIRICAL, SGF_EQUATION_DISCRETE},
    {{5, 6, 4}, 3, SGF_NOISE_POPULATION, SGF_EQUATION_CONTINUUM},
    {{5, 6, 4}, 3, SGF_NOISE_ISOTROPIC, SGF_EQUATION_CONTINUUM}, /* closed-form, were it not in the modes */
    {{4, 5, 5, 3}, 4, SGF_NOISE_EMPIRICAL, SGF_EQUATION_DISCRETE},
    {{6, 4}, 2, SGF_NOISE_POPULATION, SGF_EQUATION_DISCRETE}};
enum { CASE_COUNT = sizeof CASES / sizeof *CASES };

static sgf_problem *problem_of(const direction_case *from)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, from->width_count, from->widths);
  settings.data.samples = 60;
  settings.training.learning_rate = 0.02;
  settings.training.batch_size = 5;
  settings.theory.noise = from->noise;
  settings.theory.equation = from->equation;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_settings_free(&settings);
  return problem;
}

static sgf_prediction *predict_on_directions(const sgf_problem *problem)
{
  sgf_error error = {SGF_OK, ""};
  sgf_prediction *prediction;
  ASSERT_OK(sgf_predict_on_directions(problem, &prediction, &error), error);
  return prediction;
}

/* D orthonormal and in range(H); D Sigma D^T over a window, stationary, D H D^T and the trace as the dense path has
 * them. */
START_TEST(window_on_directions_is_that_of_the_dense_path)
{
  sgf_problem *problem = problem_of(&CASES[_i]);
  sgf_prediction *dense = predict(problem), *large = predict_on_directions(problem);
  size_t n = sgf_problem_weights(problem), count, rows, columns;
  sgf_error error = {SGF_OK, ""};
  const double *D = sgf_prediction_directions(large, &count);
  const double *H = sgf_prediction_array(dense, "hessian", &rows, &columns);
  double *Sigma = new_reals(n * n), *mean = new_reals(n), *found = new_reals(count * count), trace;
  double *unit = new_reals(count * count), *gram = new_reals(count * count), *on = new_reals(count * n);
  sgf_plan plan = {.replicas = 1, .burn_in_steps = 20, .window_steps = 60, .stride = 4};
  for (size_t k = 0; k < count; k++) unit[k * count + k] = 1.0;
  sgf_multiply(count, count, n, SGF_PLAIN, D, SGF_TRANSPOSED, D, gram);
  ASSERT_CLOSE(count * count, gram, unit, 1e-12);
  ASSERT_OK(sgf_covariance_operator_on_range(large->covariance, 0, count, D, on, &error), error);
  ASSERT_CLOSE(count * n, on, D, 1e-8);
  for (int stationary = 0; stationary < 2; stationary++) {
    const sgf_plan *of = stationary ? NULL : &plan;
    ASSERT_OK(sgf_prediction_window(problem, dense, 0, of, Sigma, mean, &error), error);
    ASSERT_OK(sgf_covariance_operator_window(large->covariance, of, count, D, found, &error), error);
    double *expected = form_of(count, n, D, Sigma);
    ASSERT_CLOSE(count * count, found, expected, 1e-8);
    ASSERT_OK(sgf_covariance_operator_window_trace(large->covariance, of, &trace, &error), error);
    ASSERT_NEAR(trace / sgf_trace(n, Sigma), 1.0, 1e-8);
    free(expected);
  }
  double *drift = form_of(count, n, D, H);
  ASSERT_OK(sgf_covariance_operator_drift(large->covariance, count, D, found, &error), error);
  ASSERT_CLOSE(count * count, found, drift, 1e-9);
  ASSERT_NEAR(large->tested->share, 1.0, 1e-9); /* so few weights are all tested */
  free(drift);
  free(Sigma);
  free(mean);
  free(found);
  free(unit);
  free(gram);
  free(on);
  sgf_prediction_free(dense);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

/* Every set: variances and curvatures are those of the dense covariance and Hessian along it, and it diagonalizes the
 * block. */
START_TEST(tested_sets_are_principal_directions)
{
  sgf_problem *problem = problem_of(&CASES[_i]);
  sgf_prediction *dense = predict(problem), *large = predict_on_directions(problem);
  size_t n = sgf_problem_weights(problem), rows, columns;
  const double *Sigma = sgf_prediction_array(dense, "covariance", &rows, &columns);
  const double *H = sgf_prediction_array(dense, "hessian", &rows, &columns);
  for (size_t s = 0; s < large->tested->set_count; s++) {
    const sgf_tested_set *set = &large->tested->sets[s];
    size_t count = set->count, size = set->size, first = s == 0 ? 0 : problem->network.offsets[s];
    double *block = new_reals(size * size), *hessian = new_reals(size * size), *expected = new_reals(count * count);
    sgf_diagonal_block(n, Sigma, first, size, block);
    sgf_diagonal_block(n, H, first, size, hessian);
    double *found = form_of(count, size, set->directions, block);
    double *slopes = form_of(count, size, set->directions, hessian);
    ck_assert(set->principal && count > 5);
    for (size_t k = 0; k < count; k++) {
      expected[k * count + k] = set->variance[k];
      ASSERT_NEAR(slopes[k * count + k] / set->curvature[k], 1.0, 1e-7);
      ck_assert(k == 0 || set->variance[k] <= set->variance[k - 1]);
    }
    ASSERT_CLOSE(count * count, found, expected, 1e-9);
    free(block);
    free(hessian);
    free(found);
    free(slopes);
    free(expected);
  }
  sgf_prediction_free(dense);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

/* Of more directions than are kept: the leading half, and others down to 99 % of the variance. */
START_TEST(chosen_directions_spread_over_the_variance)
{
  sgf_problem *problem = problem_of(&(direction_case){{12, 14, 10}, 3, SGF_NOISE_EMPIRICAL, SGF_EQUATION_DISCRETE});
  sgf_prediction *dense = predict(problem), *large = predict_on_directions(problem);
  const char *const names[] = {"variance", "layer1/variance", "layer2/variance"};
  ck_assert_uint_eq(large->tested->set_count, 3);
  for (size_t s = 0; s < 3; s++) {
    const sgf_tested_set *set = &large->tested->sets[s];
    size_t size, columns, last = 0;
    const double *variance = sgf_prediction_array(dense, names[s], &size, &columns);
    double whole = 0.0, before = 0.0;
    ck_assert(set->count > 48 && set->count <= SGF_MOST_IN_SET && set->known > set->count);
    ASSERT_CLOSE((size_t)32, set->variance, variance, 1e-8);
    for (size_t k = 0; k < size; k++) whole += variance[k];
    while (variance[last] > 1.0000001 * set->variance[set->count - 1]) before += variance[last++];
    ASSERT_NEAR(variance[last], set->variance[set->count - 1], 1e-7 * variance[last]);
    ck_assert_msg(before < 0.99 * whole && before + variance[last] >= 0.99 * whole, "%s ends at %g of the variance",
                  names[s], before / whole);
  }
  ck_assert(large->tested->share > 0.9 && large->tested->share < 1.0 + 1e-12);
  sgf_prediction_free(dense);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

/* Directions within the outputs' eigenvectors, of noise that couples them too: the form along each is its variance. */
START_TEST(directions_within_outputs_have_their_variances)
{
  sgf_problem *problem = problem_of(&CASES[_i]);
  sgf_prediction *large = predict_on_directions(problem);
  sgf_error error = {SGF_OK, ""};
  for (size_t l = 1; l <= 2; l++) {
    size_t size = sgf_layer_size(&problem->network, l), count = 4 * problem->network.widths[l - 1], places[24];
    double *variance = new_reals(count), *curvature = new_reals(count), *v = new_reals(count * size);
    double *along = new_reals(count), *image = new_reals(count * size);
    for (size_t k = 0; k < count; k++) places[k] = count - 1 - k;
    ASSERT_OK(sgf_covariance_operator_pairs_within(large->covariance, l, variance, curvature, &error), error);
    ASSERT_OK(sgf_covariance_operator_directions_within(large->covariance, l, count, places, v, &error), error);
    ASSERT_OK(sgf_covariance_operator_apply_layer(large->covariance, l, count, v, image, &error), error);
    ASSERT_OK(sgf_covariance_operator_curvatures_layer(large->covariance, l, count, v, along, &error), error);
    for (size_t k = 0; k < count; k++) {
      const double *at = v + k * size;
      ASSERT_NEAR(sgf_norm(size, at), 1.0, 1e-12);
      ASSERT_NEAR(sgf_dot(size, at, image + k * size), variance[places[k]], 1e-9 * large->info.trace);
      ASSERT_NEAR(along[k], curvature[places[k]], 1e-9 * large->info.largest_curvature);
    }
    free(variance);
    free(curvature);
    free(v);
    free(along);
    free(image);
  }
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

/* ----------------------------------------------------------- the comparison */

static sgf_comparison *compare_on(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan)
{
  sgf_error error = {SGF_OK, ""};
  sgf_simulation *simulation;
  size_t count;
  const double *D = sgf_prediction_directions(prediction, &count);
  ASSERT_OK(sgf_simulation_create_on(problem, plan, count, D, &simulation, &error), error);
  run_to(simulation, plan->replicas, 2);
  sgf_comparison *comparison = compare(problem, prediction, sgf_simulation_ensemble(simulation));
  sgf_simulation_free(simulation);
  return comparison;
}

/* The same runs by either path: the same variances, predicted and measured, along the same directions of all weights
 * and of each layer, and the same quantities made of them. */
START_TEST(both_paths_compare_the_same)
{
  static const char *const names[] = {"variances",        "ivfr_psi",        "layer1_variances", "layer1_ivfr_psi",
                                      "layer2_variances", "layer2_ivfr_psi", "mean_square"};
  sgf_problem *problem = problem_of(&(direction_case){{6, 8, 7}, 3, SGF_NOISE_EMPIRICAL, SGF_EQUATION_DISCRETE});
  sgf_prediction *dense = predict(problem), *large = predict_on_directions(problem);
  sgf_plan plan = {.replicas = 48, .burn_in_steps = 300, .window_steps = 1500, .stride = 5};
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  sgf_comparison *one = compare(problem, dense, ensemble), *other = compare_on(problem, large, &plan);
  ck_assert_uint_eq(other->set_count, 3);
  for (size_t s = 0; s < other->set_count; s++) {
    const sgf_mode_set *found = &other->sets[s], *expected = sgf_find_modes(one, found->name);
    ck_assert_ptr_nonnull(expected);
    ck_assert_uint_eq(found->count, expected->count);
    ASSERT_CLOSE(found->count, found->predicted, expected->predicted, 1e-7);
    ASSERT_CLOSE(found->count, found->measured, expected->measured, 1e-7);
    ASSERT_CLOSE(found->count, found->error, expected->error, 1e-6);
  }
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    const sgf_quantity *found = quantity_of(other, names[k]), *expected = quantity_of(one, names[k]);
    ASSERT_NEAR(found->deviation, expected->deviation, 1e-5);
  }
  /* all of range(H) is tested here */
  ASSERT_NEAR(quantity_of(other, "tested_trace")->measured / quantity_of(one, "trace")->measured, 1.0, 1e-6);
  ASSERT_NEAR(other->info.r_hat, one->info.r_hat, 1e-3);
  sgf_comparison_free(one);
  sgf_comparison_free(other);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(dense);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

/* 5250 weights, range(H) of 100 dimensions: direct SGD agrees within 5 %, and not with 10 % more noise than it has. */
START_TEST(planted_error_of_many_weights_is_found)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, 3, (size_t[]){20, 210, 5});
  settings.training.learning_rate = 0.0025;
  settings.training.batch_size = 20;
  settings.theory.equation = SGF_EQUATION_DISCRETE;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_prediction *large = predict_on_directions(problem);
  size_t count, whole = large->covariance->space->blocks * large->covariance->space->size;
  const double *D = sgf_prediction_directions(large, &count);
  sgf_plan plan = {.replicas = 128, .burn_in_steps = 20, .window_steps = 400, .stride = 8};
  sgf_simulation *simulation;
  ck_assert_uint_eq(count, 100);
  ASSERT_OK(sgf_simulation_create_on(problem, &plan, count, D, &simulation, &error), error);
  run_to(simulation, plan.replicas, 2);
  const sgf_ensemble *ensemble = sgf_simulation_ensemble(simulation);
  sgf_comparison *right = compare(problem, large, ensemble);
  ck_assert_uint_eq(sgf_comparison_get_info(right)->disagree, 0);
  ck_assert_int_eq(quantity_of(right, "tested_trace")->verdict, SGF_AGREE);
  ck_assert_int_eq(quantity_of(right, "layer1_ivfr_psi")->verdict, SGF_AGREE);
  for (size_t k = 0; k < whole * whole; k++) large->covariance->modes.Z[k] *= 1.1;
  sgf_comparison *wrong = compare(problem, large, ensemble);
  ck_assert_int_eq(sgf_comparison_get_info(wrong)->verdict, SGF_DISAGREE);
  ck_assert_int_eq(quantity_of(wrong, "tested_trace")->verdict, SGF_DISAGREE);
  sgf_comparison_free(right);
  sgf_comparison_free(wrong);
  sgf_simulation_free(simulation);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* Recorded weights on directions have the moments of the whole ones, projected. */
START_TEST(trajectories_are_read_on_directions)
{
  enum { RUNS = 5, LENGTH = 40 };
  sgf_problem *problem = small_problem();
  size_t n = sgf_problem_weights(problem);
  double *D = some_directions(n), *weights = new_reals(RUNS * LENGTH * n), *S = new_reals(n * n);
  double moments[COUNT * COUNT];
  sgf_ensemble *whole, *kept;
  sgf_error error = {SGF_OK, ""};
  const char *path = scratch_path("recorded.h5");
  sgf_hdf5_output output;
  fill_normal(8, RUNS * LENGTH * n, weights);
  sgf_hdf5_create(path, &output);
  sgf_hdf5_write(&output, "weights", 3, (size_t[]){RUNS, LENGTH, n}, weights);
  ck_assert(sgf_hdf5_finish(&output));
  ASSERT_OK(sgf_trajectory_read(path, problem, &whole, &error), error);
  ASSERT_OK(sgf_trajectory_read_on(path, problem, COUNT, D, &kept, &error), error);
  ASSERT_OK(sgf_ensemble_moments(whole, S, NULL, NULL, &error), error);
  ASSERT_OK(sgf_ensemble_moments(kept, moments, NULL, NULL, &error), error);
  double *expected = form_of(COUNT, n, D, S);
  ASSERT_CLOSE((size_t)COUNT * COUNT, moments, expected, 1e-12);
  remove(path);
  sgf_ensemble_free(whole);
  sgf_ensemble_free(kept);
  sgf_problem_free(problem);
  free(expected);
  free(weights);
  free(D);
  free(S);
}
END_TEST

START_TEST(sides_that_do_not_belong_together_are_refused)
{
  sgf_problem *problem = problem_of(&CASES[0]);
  sgf_prediction *large = predict_on_directions(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_plan plan = {.replicas = 5, .burn_in_steps = 3, .window_steps = 10, .stride = 1, .centred = true};
  sgf_comparison *comparison;
  sgf_simulation *simulation;
  size_t count;
  const double *D = sgf_prediction_directions(large, &count);
  ck_assert_int_eq(sgf_simulation_create_on(problem, &plan, count, D, &simulation, &error), SGF_ERROR_UNSUPPORTED);
  ck_assert_ptr_null(simulation);
  plan.centred = false;
  ck_assert_int_eq(sgf_simulation_create_on(problem, &plan, 0, D, &simulation, &error), SGF_ERROR_VALUE);
  sgf_ensemble *ensemble = simulate(problem, &plan, 1);
  ck_assert_int_eq(sgf_compare(problem, large, ensemble, &comparison, &error), SGF_ERROR_UNSUPPORTED);
  ck_assert_ptr_null(comparison);
  ck_assert_ptr_nonnull(strstr(error.message, "on directions is not compared with moments of all weights"));
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(large);
  sgf_problem_free(problem);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("directions");
  TCase *tests = tcase_create("directions");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, moments_on_directions_are_those_of_the_weights);
  tcase_add_test(tests, bits_depend_neither_on_threads_nor_on_a_checkpoint);
  tcase_add_loop_test(tests, window_on_directions_is_that_of_the_dense_path, 0, CASE_COUNT);
  tcase_add_loop_test(tests, tested_sets_are_principal_directions, 0, CASE_COUNT);
  tcase_add_test(tests, chosen_directions_spread_over_the_variance);
  tcase_add_loop_test(tests, directions_within_outputs_have_their_variances, 0, 3);
  tcase_add_test(tests, both_paths_compare_the_same);
  tcase_add_test(tests, planted_error_of_many_weights_is_found);
  tcase_add_test(tests, trajectories_are_read_on_directions);
  tcase_add_test(tests, sides_that_do_not_belong_together_are_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
