/* Every allocation of the library fails once in turn, for each kind of thing that it computes: then SGF_ERROR_MEMORY with a message,
 * no object, numbers that are NaN, and the next call is as good as the first. The linker puts our allocation in the place of that
 * which the library's code calls; leaks are for the sanitizers. */
#include <unistd.h>

#include "../verify/ensemble.h"
#include "testing.h"

/* ------------------------------------------------------------- allocation */

static long allocations, failing; /* failing: which of them, 0 none */
static bool armed;                /* while the library is called */

static bool fails(void)
{
  long now;
  if (!armed) return false;
#pragma omp atomic capture
  now = ++allocations;
  return now == failing;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *block, size_t size) { return fails() ? NULL : __real_realloc(block, size); }
char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }

static sgf_status disarm(sgf_status status)
{
  armed = false;
  return status;
}

/* A call of the library in which an allocation may fail. */
#define CALL(expression) (armed = true, disarm(expression))

/* --------------------------------------------------------------- scenarios */

static sgf_problem *problem;
static sgf_prediction *prediction;
static sgf_ensemble *ensemble;
static sgf_covariance_operator *covariance;
static sgf_settings settings;
static const sgf_plan PLAN = {.replicas = 4, .burn_in_steps = 20, .window_steps = 40, .stride = 2};

static void make_all(void)
{
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, 3, (size_t[]){3, 2, 2});
  settings.data.samples = 20;
  settings.training.batch_size = 5;
  settings.training.learning_rate = 0.02;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  ASSERT_OK(sgf_simulate(problem, &PLAN, 1, NULL, NULL, &ensemble, &error), error);
  ASSERT_OK(sgf_covariance_operator_create(problem, &covariance, &error), error);
}

static void free_all(void)
{
  sgf_covariance_operator_free(covariance);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}

static void expect_nan(size_t count, const double *values)
{
  for (size_t k = 0; k < count; k++)
    ck_assert_msg(isnan(values[k]), "number %zu is %g after a failure", k, values[k]);
}

#define EXPECT_NONE(status, object) \
  ck_assert_msg(((status) == SGF_OK) == ((object) != NULL), "an object after a failure")

static sgf_status make_problem(sgf_error *error)
{
  sgf_problem *made;
  sgf_status status = CALL(sgf_problem_create(&settings, NULL, false, &made, error));
  EXPECT_NONE(status, made);
  sgf_problem_free(made);
  return status;
}

static sgf_status make_prediction(sgf_error *error)
{
  sgf_prediction *made;
  sgf_status status = CALL(sgf_predict(problem, false, &made, error));
  EXPECT_NONE(status, made);
  sgf_prediction_free(made);
  return status;
}

static sgf_status make_ensemble(sgf_error *error)
{
  sgf_ensemble *made;
  sgf_status status = CALL(sgf_simulate(problem, &PLAN, 1, NULL, NULL, &made, error));
  EXPECT_NONE(status, made);
  sgf_ensemble_free(made);
  return status;
}

static sgf_status make_comparison(sgf_error *error)
{
  sgf_comparison *made;
  sgf_status status = CALL(sgf_compare(problem, prediction, ensemble, &made, error));
  EXPECT_NONE(status, made);
  sgf_comparison_free(made);
  return status;
}

static sgf_status make_checkpoint(sgf_error *error)
{
  const char *path = scratch_path("failing.checkpoint");
  char fallback[SGF_MESSAGE_LENGTH];
  sgf_simulation *one = NULL, *other = NULL;
  sgf_status status = CALL(sgf_simulation_create(problem, &PLAN, &one, error));
  EXPECT_NONE(status, one);
  if (status == SGF_OK) status = CALL(sgf_simulation_save(one, path, "identity", error));
  if (status == SGF_OK) {
    status = sgf_simulation_load(problem, path, "identity", &other, fallback, error);
    EXPECT_NONE(status, other);
  }
  sgf_simulation_free(one);
  sgf_simulation_free(other);
  sgf_simulation_forget(path);
  return status;
}

static sgf_status make_operator(sgf_error *error)
{
  sgf_covariance_operator *made;
  sgf_status status = CALL(sgf_covariance_operator_create(problem, &made, error));
  EXPECT_NONE(status, made);
  sgf_covariance_operator_free(made);
  return status;
}

enum { WEIGHTS = 10, ROWS = 3 };

static sgf_status ask_operator(sgf_error *error)
{
  double v[WEIGHTS] = {1.0, 0.5}, out[WEIGHTS], diagonal[WEIGHTS], block[36], samples[2 * WEIGHTS];
  sgf_status status = sgf_covariance_operator_apply(covariance, 1, v, out, error);
  if (status != SGF_OK) {
    expect_nan(WEIGHTS, out);
    return status;
  }
  status = CALL(sgf_covariance_operator_diagonal(covariance, diagonal, error));
  if (status != SGF_OK) {
    expect_nan(WEIGHTS, diagonal);
    return status;
  }
  status = CALL(sgf_covariance_operator_block(covariance, 1, block, error));
  if (status != SGF_OK) {
    expect_nan(36, block);
    return status;
  }
  status = CALL(sgf_covariance_operator_samples(covariance, 2, 1, samples, error));
  if (status != SGF_OK) expect_nan(2 * WEIGHTS, samples);
  return status;
}

static const double A[ROWS * ROWS] = {1, 0.3, 0, -0.3, 2, 0, 0, 0, 0.5},
                             Q[ROWS * ROWS] = {1, 0, 0.1, 0, 2, 0, 0.1, 0, 1};
static const double SINGULAR[ROWS * ROWS] = {1, 0.3, 0, -0.3, 2, 0, 0, 0, 0}, B[ROWS] = {1, 1, 0};

static sgf_status solve(const double *drift, size_t columns, const double *noise, sgf_method method, sgf_error *error)
{
  double X[ROWS * ROWS];
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_lyapunov_options_init(&options);
  options.method = method;
  sgf_status status = CALL(sgf_lyapunov_solve(ROWS, drift, columns, noise, &options, X, &certificate, error));
  if (status != SGF_OK) expect_nan(ROWS * ROWS, X);
  return status;
}

static sgf_status solve_regular(sgf_error *error) { return solve(A, 0, Q, SGF_METHOD_AUTO, error); }
static sgf_status solve_singular(sgf_error *error) { return solve(SINGULAR, 1, B, SGF_METHOD_AUTO, error); }

static sgf_status solve_many(sgf_error *error)
{
  double X[2 * ROWS * ROWS], drifts[2 * ROWS * ROWS], noises[2 * ROWS * ROWS];
  sgf_status statuses[2];
  for (size_t k = 0; k < 2; k++) {
    memcpy(drifts + k * ROWS * ROWS, A, sizeof A);
    memcpy(noises + k * ROWS * ROWS, Q, sizeof Q);
  }
  sgf_status status = CALL(sgf_lyapunov_solve_many(2, ROWS, drifts, noises, NULL, 1, X, NULL, statuses, error));
  for (size_t k = 0; k < 2 && status != SGF_OK; k++)
    if (statuses[k] != SGF_OK) expect_nan(ROWS * ROWS, X + k * ROWS * ROWS);
  return status;
}

static sgf_status solve_low_rank(sgf_error *error)
{
  int64_t starts[] = {0, 2, 4, 5}, indices[] = {0, 1, 0, 1, 2};
  double values[] = {1, -0.3, 0.3, 2, 0.5}, *Z;
  const sgf_sparse sparse = {ROWS, ROWS, starts, indices, values};
  sgf_certificate certificate;
  size_t rank;
  sgf_status status = CALL(sgf_lyapunov_solve_low_rank(&sparse, 1, B, 0.0, NULL, &rank, &Z, &certificate, error));
  EXPECT_NONE(status, Z);
  free(Z);
  return status;
}

static sgf_status write_output(sgf_error *error)
{
  static const sgf_provenance provenance = {.config = "a", .command = "b", .threads = 1, .request = "c"};
  const char *path = scratch_path("failing.h5");
  sgf_status status = CALL(sgf_write_results(path, &provenance, problem, prediction, ensemble, NULL, false, error));
  ck_assert_int_eq(access(path, F_OK) == 0, status == SGF_OK);
  unlink(path);
  return status == SGF_ERROR_WRITE || status == SGF_ERROR_CREATE ? SGF_ERROR_MEMORY : status;
}

static const struct {
  const char *name;
  sgf_status (*run)(sgf_error *error);
} SCENARIOS[] = {
    {"problem", make_problem},         {"prediction", make_prediction},     {"ensemble", make_ensemble},
    {"comparison", make_comparison},   {"checkpoint", make_checkpoint},     {"operator", make_operator},
    {"of the operator", ask_operator}, {"regular equation", solve_regular}, {"singular equation", solve_singular},
    {"many equations", solve_many},    {"low rank", solve_low_rank},        {"output", write_output}};
enum { SCENARIO_COUNT = sizeof SCENARIOS / sizeof *SCENARIOS, MOST_TRIED = 400 };

START_TEST(each_allocation_fails_once)
{
  sgf_error error = {SGF_OK, ""};
  long total, step;
  failing = 0;
  make_all();
  allocations = 0;
  ASSERT_OK(SCENARIOS[_i].run(&error), error);
  total = allocations;
  step = 1 + total / MOST_TRIED;
  ck_assert_int_gt(total, 0);
  for (long k = 1; k <= total; k += step) {
    error = (sgf_error){SGF_OK, ""};
    allocations = 0;
    failing = k;
    sgf_status status = SCENARIOS[_i].run(&error);
    failing = 0;
    if (status == SGF_OK) continue; /* it can do without */
    ck_assert_msg(status == SGF_ERROR_MEMORY, "%s, allocation %ld of %ld: status %d, %s", SCENARIOS[_i].name, k,
                  total, (int)status, error.message);
    ck_assert_msg(error.message[0] != '\0', "%s, allocation %ld of %ld: no message", SCENARIOS[_i].name, k, total);
  }
  allocations = 0;
  ASSERT_OK(SCENARIOS[_i].run(&error), error);
  ck_assert_int_eq(allocations, total);
  free_all();
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("failing memory");
  TCase *cases = tcase_create("each allocation");
  tcase_set_timeout(cases, 300);
  tcase_add_loop_test(cases, each_allocation_fails_once, 0, SCENARIO_COUNT);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
