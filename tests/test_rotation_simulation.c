/* SGD against the theory of the motion along the null space. Seeds are fixed; with others a test fails with a probability
 * below 1e-6: bounds are what the theory neglects at the learning rate, and 5.5 standard errors. */
#include "../theory/prediction.h"
#include "../theory/rotation.h"
#include "../verify/compare.h"
#include "../verify/ensemble.h"
#include "../verify/linear_runs.h"
#include "testing.h"

static const double ERRORS = 5.5;

/* A quantity, also one of too few replicas. */
static const sgf_quantity *told_of(const sgf_comparison *comparison, const char *name)
{
  const sgf_quantity *found = sgf_find_told(comparison, name);
  ck_assert_msg(found != NULL, "no quantity %s", name);
  return found;
}

typedef struct {
  const char *name;
  size_t widths[5], count, samples;
  bool balanced; /* W_l W_l^T = W_{l+1}^T W_{l+1}, multiples of 1; else the start of the seed */
  double rate, burn_in, window;
  size_t replicas;
  double neglected;                        /* relative, of drift and diffusion at this rate */
  double planted_drift, planted_diffusion; /* errors that must be seen */
  double decay;                            /* weight decay */
  double momentum;
} experiment;

/* P samples, or with `symmetric` every input with residuals along plus and minus each output: C = s^2 H exactly. */
static sgf_problem *make(const experiment *from, bool symmetric)
{
  size_t N_0 = from->widths[0], N_L = from->widths[from->count - 1], copies = symmetric ? 2 * N_L : 1;
  size_t P = from->samples * copies;
  sgf_settings settings;
  sgf_network net;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  double Q[256], *M;
  settings_with_widths(&settings, from->count, from->widths);
  settings.data.samples = P;
  settings.training.batch_size = 4;
  settings.training.learning_rate = from->rate;
  settings.training.weight_decay = from->decay;
  settings.training.momentum = from->momentum;
  settings.verify.tolerance = fmax(0.05, 1.5 * from->neglected);
  if (!from->balanced) {
    ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
    sgf_settings_free(&settings);
    return problem;
  }
  ASSERT_OK(sgf_network_create(from->widths, from->count, &net, &error), error);
  double *theta = new_reals(net.weights), *X = new_reals(P * N_0), *E = new_reals(P * N_L), *Y = new_reals(P * N_L);
  for (size_t l = 1; l < from->count; l++) {
    fill_orthogonal(70 + l, from->widths[l], Q);
    for (size_t k = 0; k < from->widths[l] * from->widths[l - 1]; k++) theta[net.offsets[l] + k] = 0.8 * Q[k];
  }
  fill_normal(80, from->samples * N_0, X);
  fill_normal(81, P * N_L, E);
  if (symmetric)
    for (size_t m = P; m-- > 0;) {
      memcpy(X + m * N_0, X + (m / copies) * N_0, N_0 * sizeof *X);
      for (size_t a = 0; a < N_L; a++) E[m * N_L + a] = a == m % N_L ? (m % copies < N_L ? 1.0 : -1.0) : 0.0;
    }
  ASSERT_OK(sgf_layer_product(&net, theta, 1, net.layers, &M, &error), error);
  sgf_multiply(P, N_L, N_0, SGF_PLAIN, X, SGF_TRANSPOSED, M, Y);
  for (size_t k = 0; k < P * N_L; k++) Y[k] += 0.5 * E[k];
  ASSERT_OK(sgf_problem_from_arrays(&settings, P, X, Y, theta, &problem, &error), error);
  free(M);
  free(theta);
  free(X);
  free(E);
  free(Y);
  sgf_network_free(&net);
  sgf_settings_free(&settings);
  return problem;
}

static sgf_plan plan_of(const experiment *from)
{
  sgf_plan plan = {.replicas = from->replicas,
                   .burn_in_steps = (size_t)(from->burn_in / from->rate),
                   .window_steps = (size_t)(from->window / from->rate),
                   .stride = 8};
  plan.window_steps -= plan.window_steps % plan.stride;
  return plan;
}

/* |measured - predicted| within `share` of the prediction and the standard errors. */
static bool holds(const sgf_quantity *quantity, double share)
{
  double bound = share * fabs(quantity->predicted) + ERRORS * quantity->standard_error;
  return fabs(quantity->measured - quantity->predicted) <= bound;
}

static void expect(const sgf_comparison *comparison, const char *name, double share)
{
  const sgf_quantity *quantity = told_of(comparison, name);
  ck_assert_msg(holds(quantity, share), "%s: predicted %g, measured %g +- %g", name, quantity->predicted,
                quantity->measured, quantity->standard_error);
  ck_assert_int_ne(quantity->verdict, SGF_DISAGREE);
}

/* Every component of the drift, relative to the whole; the sign of those that are clear of zero. */
static void expect_components(const sgf_rotation_drift *drift, double share)
{
  double norm = sgf_norm(drift->modes, drift->predicted);
  for (size_t a = 0; a < drift->modes; a++) {
    double deviation = drift->measured[a] - drift->predicted[a];
    ck_assert_msg(fabs(deviation) <= share * norm + ERRORS * drift->error[a],
                  "rotation %zu: predicted %g, measured %g +- %g", a, drift->predicted[a], drift->measured[a],
                  drift->error[a]);
    if (fabs(drift->predicted[a]) > 2.0 * ERRORS * drift->error[a])
      ck_assert(drift->measured[a] * copysign(1.0, drift->predicted[a]) > ERRORS * drift->error[a]);
  }
}

/* A prediction that is too large by such a share does not hold; 0: none is planted. */
static void expect_planted(const sgf_quantity *quantity, double share, double neglected)
{
  sgf_quantity wrong = *quantity;
  wrong.predicted *= 1.0 + share;
  ck_assert(share == 0.0 || !holds(&wrong, neglected));
  wrong.predicted = -quantity->predicted;
  ck_assert(share == 0.0 || !holds(&wrong, neglected));
}

static const experiment TURNING[] = {
    {"balanced, few samples", {4, 4, 4}, 3, 16, true, 0.02, 10.0, 30.0, 2000, 0.1, 0.3, 0.3, 0.0, 0.0},
    {"a quarter of the rate", {4, 4, 4}, 3, 16, true, 0.005, 10.0, 30.0, 5000, 0.025, 0.12, 0.12, 0.0, 0.0},
    {"balanced, many samples", {4, 4, 4}, 3, 400, true, 0.02, 10.0, 30.0, 2000, 0.1, 0.0, 0.3, 0.0, 0.0},
    {"unbalanced", {5, 4, 3}, 3, 20, false, 0.01, 20.0, 40.0, 1500, 0.15, 0.4, 0.8, 0.0, 0.0},
    {"bottleneck", {4, 2, 4}, 3, 16, false, 0.01, 20.0, 40.0, 1500, 0.15, 0.4, 0.8, 0.0, 0.0},
    {"weight decay", {4, 4, 4}, 3, 16, false, 0.01, 20.0, 40.0, 1500, 0.15, 0.4, 0.8, 0.05, 0.0},
    {"two hidden layers", {3, 4, 3, 3}, 4, 16, false, 0.01, 20.0, 40.0, 1500, 0.15, 0.4, 0.8, 0.0, 0.0},
    {"momentum", {4, 4, 4}, 3, 16, true, 0.002, 1.0, 3.0, 2000, 0.06, 0.3, 0.3, 0.0, 0.9},
    {"less momentum", {4, 4, 4}, 3, 16, true, 0.005, 5.0, 15.0, 3000, 0.03, 0.15, 0.15, 0.0, 0.5},
    {"momentum, unbalanced", {5, 4, 3}, 3, 20, false, 0.001, 2.0, 4.0, 1500, 0.15, 0.4, 0.8, 0.0, 0.9},
    {"momentum, two hidden layers", {3, 4, 3, 3}, 4, 16, false, 0.002, 4.0, 8.0, 1500, 0.15, 0.4, 0.8, 0.0, 0.8}};

START_TEST(hidden_layers_turn_as_predicted)
{
  const experiment *from = &TURNING[_i];
  sgf_problem *problem = make(from, false);
  sgf_prediction *prediction = predict(problem);
  sgf_plan plan = plan_of(from);
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  sgf_comparison *comparison = compare(problem, prediction, ensemble);
  ck_assert_uint_eq(comparison->rotation_count, problem->network.layers - 1);
  for (size_t l = 1; l < problem->network.layers; l++) {
    char drift[48], diffusion[48];
    snprintf(drift, sizeof drift, "rotation_drift_%zu", l);
    snprintf(diffusion, sizeof diffusion, "rotation_diffusion_%zu", l);
    const sgf_quantity *q = told_of(comparison, drift), *d = told_of(comparison, diffusion);
    expect(comparison, drift, from->neglected);
    expect(comparison, diffusion, from->neglected);
    expect_components(&comparison->rotations[l - 1], from->neglected);
    expect_planted(q, from->planted_drift, from->neglected);
    expect_planted(d, from->planted_diffusion, from->neglected);
  }
  sgf_comparison_free(comparison);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Reshuffled epochs turn a hidden layer as predicted, which is about half of what independent draws do, and with momentum; and
 * it diffuses as predicted. */
START_TEST(epochs_turn_as_predicted)
{
  const experiment cases[] = {
      {"epochs", {5, 4, 3}, 3, 60, false, 0.02, 6.0, 15.0, 2000, 0.06, 0.25, 0.0, 0.0, 0.0},
      {"epochs with momentum", {5, 4, 3}, 3, 60, false, 0.01, 1.8, 4.5, 4000, 0.06, 0.3, 0.0, 0.0, 0.5},
      {"epochs at a low rate", {5, 4, 3}, 3, 60, false, 0.005, 3.0, 9.0, 3000, 0.06, 0.5, 0.2, 0.0, 0.0}};
  const experiment from = cases[_i];
  sgf_problem *problem = make(&from, false);
  problem->settings.training.batch_size = 2;
  problem->settings.training.sampling = SGF_SAMPLING_EPOCH;
  sgf_plan plan = plan_of(&from);
  plan.stride = 1;
  plan.burn_in_steps -= plan.burn_in_steps % 30;
  plan.window_steps -= plan.window_steps % 30;
  sgf_prediction *prediction = predict(problem);
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  sgf_comparison *comparison = compare(problem, prediction, ensemble);
  const sgf_quantity *drift = told_of(comparison, "rotation_drift_1");
  expect(comparison, "rotation_drift_1", from.neglected);
  expect_components(&comparison->rotations[0], 0.15);
  expect_planted(drift, from.planted_drift, from.neglected);
  if (from.planted_diffusion > 0.0) {
    expect(comparison, "rotation_diffusion_1", from.neglected);
    expect_planted(told_of(comparison, "rotation_diffusion_1"), from.planted_diffusion, from.neglected);
  }
  problem->settings.training.sampling =
      SGF_SAMPLING_REPLACEMENT; /* and independent draws would be seen to be wrong */
  sgf_prediction *independent = predict(problem);
  ck_assert(sgf_prediction_get_rotation(independent, 1)->drift >
            1.5 * sgf_prediction_get_rotation(prediction, 1)->drift);
  sgf_prediction_free(independent);
  sgf_comparison_free(comparison);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Where the replicas can tell, the verdict is on the relative deviation of the diffusion itself: agree, and disagree of one
 * that is 1.8 times as large by a planted noise. */
START_TEST(diffusion_is_held_to_itself)
{
  sgf_problem *problem = make(&TURNING[0], false);
  sgf_plan plan = plan_of(&TURNING[0]);
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  problem->settings.verify.tolerance = 0.3;
  for (size_t batch = 4; batch >= 3; batch--) {
    problem->settings.training.batch_size = batch;
    sgf_prediction *prediction = predict(problem);
    sgf_comparison *comparison = compare(problem, prediction, ensemble);
    const sgf_quantity *quantity = told_of(comparison, "rotation_diffusion_1");
    ASSERT_NEAR(quantity->deviation, quantity->measured / quantity->predicted - 1.0, 1e-12);
    ck_assert_int_eq(quantity->verdict, batch == 4 ? SGF_AGREE : SGF_DISAGREE);
    sgf_comparison_free(comparison);
    sgf_prediction_free(prediction);
  }
  sgf_ensemble_free(ensemble);
  sgf_problem_free(problem);
}
END_TEST

/* Residuals of both signs along every output at every input: C = s^2 H, detailed balance, and SGD does not turn the hidden
 * layer, which diffuses as the closed form says. */
START_TEST(detailed_balance_stands_still)
{
  const experiment from = {
      "detailed balance", {4, 4, 4}, 3, 12, true, 0.01, 10.0, 30.0, 1500, 0.1, 0.0, 0.3, 0.0, 0.0};
  sgf_problem *problem = make(&from, true);
  sgf_prediction *prediction = predict(problem);
  sgf_plan plan = plan_of(&from);
  ck_assert_uint_eq(sgf_problem_samples(problem), 96);
  ck_assert(prediction->info.isotropic_noise && prediction->info.commutator_relative < 1e-12);
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  sgf_comparison *comparison = compare(problem, prediction, ensemble);
  const sgf_rotation_drift *drift = &comparison->rotations[0];
  const sgf_rotation_info *info = sgf_prediction_get_rotation(prediction, 1);
  for (size_t a = 0; a < drift->modes; a++) {
    ck_assert(fabs(drift->predicted[a]) < 1e-14);
    ck_assert_msg(fabs(drift->measured[a]) < ERRORS * drift->error[a], "rotation %zu: %g +- %g", a,
                  drift->measured[a], drift->error[a]);
  }
  ck_assert(info->drift < 1e-14);
  expect(comparison, "rotation_diffusion_1", from.neglected);
  expect_planted(told_of(comparison, "rotation_diffusion_1"), from.planted_diffusion, from.neglected);
  sgf_comparison_free(comparison);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Windows of a fifth of the lifetime about their own means: traces and variances of all weights, and the psi of each
 * window's components, which are too few snapshots for their directions. Without what moves along the null space the trace
 * does not agree, nor do components of SGD with those of fluctuations that have no path. */
static const experiment WINDOWS[] = {
    {"windows", {4, 4, 4}, 3, 100, false, 0.005, 10.0, 100.0, 300, 0.0, 0.0, 0.0, 0.0, 0.0},
    {"windows with momentum", {4, 4, 4}, 3, 100, false, 0.001, 2.0, 20.0, 300, 0.0, 0.0, 0.0, 0.0, 0.8}};

START_TEST(windows_agree_on_the_whole_space)
{
  const experiment *from = &WINDOWS[_i];
  sgf_problem *problem = make(from, false);
  problem->settings.simulation.protocol = SGF_PROTOCOL_WINDOW_PCA;
  sgf_prediction *prediction = predict(problem);
  sgf_plan plan = plan_of(from);
  plan.centred = true;
  sgf_ensemble *ensemble = simulate(problem, &plan, 2);
  sgf_comparison *comparison = compare(problem, prediction, ensemble);
  const char *const names[] = {"window_trace", "layer1_window_trace", "layer2_window_trace"};
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) expect(comparison, names[k], 0.03);
  expect_planted(told_of(comparison, "window_trace"), 0.1, 0.03);
  for (size_t l = 1; l <= 2; l++) {
    char name[48];
    snprintf(name, sizeof name, "layer%zu_window_variances", l);
    ck_assert(told_of(comparison, name)->deviation < 0.05);
    snprintf(name, sizeof name, "layer%zu_window_psi", l);
    const sgf_quantity *psi = told_of(comparison, name);
    ck_assert_msg(fabs(psi->deviation) < 0.05, "%s: %g against %g +- %g", name, psi->predicted, psi->measured,
                  psi->standard_error);
  }
  const sgf_quantity *whole = told_of(comparison, "window_trace"), *range = told_of(comparison, "trace");
  ck_assert(whole->measured - range->predicted > 20.0 * whole->standard_error + 0.05 * whole->measured);
  sgf_comparison_free(comparison);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* Runs of the linear theory have the moments that are predicted of them: the trace of the whole space about the mean of each
 * window within 5.5 standard errors and 5 % of the rotations' spread, of which the runs have the long-run rate. */
START_TEST(runs_of_the_linear_theory_have_its_moments)
{
  const experiment cases[] = {
      {"linear", {4, 3, 4}, 3, 30, false, 0.01, 5.0, 60.0, 1000, 0.0, 0.0, 0.0, 0.0, 0.0},
      {"linear with momentum", {4, 3, 4}, 3, 30, false, 0.002, 1.0, 12.0, 1000, 0.0, 0.0, 0.0, 0.0, 0.8}};
  const experiment from = cases[_i];
  sgf_problem *problem = make(&from, false);
  sgf_prediction *prediction = predict(problem);
  sgf_error error = {SGF_OK, ""};
  sgf_plan plan = plan_of(&from);
  sgf_null_motion motion;
  sgf_slow_path path;
  sgf_null_traces traces;
  sgf_ensemble *ensemble;
  size_t n = problem->network.weights;
  double *second = new_reals(n * n), *mean = new_reals(n);
  plan.centred = true;
  ASSERT_OK(sgf_null_motion_create(problem, prediction, &plan, &motion, &error), error);
  ASSERT_OK(sgf_slow_path_create(problem, prediction, from.burn_in, from.window, &path, &error), error);
  ASSERT_OK(sgf_linear_runs(problem, prediction, &plan, &motion, &path, from.replicas, 0, &ensemble, &error), error);
  ASSERT_OK(sgf_prediction_window(problem, prediction, 0, &plan, second, mean, &error), error);
  double range = sgf_trace(n, second);
  ASSERT_OK(sgf_null_motion_add(problem, &plan, &motion, &path, second, &traces, &error), error);
  ASSERT_NEAR(sgf_trace(n, second) / (range + traces.spread + traces.drift), 1.0, 1e-9);
  double expected = range + traces.spread + traces.drift;
  const sgf_ensemble_info *info = sgf_ensemble_get_info(ensemble);
  double bound = ERRORS * info->trace_se + 0.05 * traces.spread + 1e-3 * traces.drift;
  ck_assert_msg(fabs(info->trace - expected) < bound, "%g, expected %g +- %g", info->trace, expected, info->trace_se);
  ck_assert(traces.spread + traces.drift > 2.0 * bound); /* and would not without the motion */
  sgf_null_motion_free(&motion);
  sgf_slow_path_free(&path);
  sgf_ensemble_free(ensemble);
  free(second);
  free(mean);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("simulation of rotations");
  TCase *tests = tcase_create("simulation of rotations");
  tcase_set_timeout(tests, 600);
  tcase_add_loop_test(tests, hidden_layers_turn_as_predicted, 0, (int)(sizeof TURNING / sizeof *TURNING));
  tcase_add_loop_test(tests, epochs_turn_as_predicted, 0, 3);
  tcase_add_test(tests, diffusion_is_held_to_itself);
  tcase_add_test(tests, detailed_balance_stands_still);
  tcase_add_loop_test(tests, windows_agree_on_the_whole_space, 0, 2);
  tcase_add_loop_test(tests, runs_of_the_linear_theory_have_its_moments, 0, 2);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
