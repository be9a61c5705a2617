/* Checkpoints in C: every quantum saved and loaded, runs in several calls, and files with numbers that no run has. */
#include <unistd.h>
#include <zlib.h>

#include "../verify/simulation.h"
#include "testing.h"

static const char IDENTITY[] = "seed: 1\n";

static sgf_problem *make_of(const size_t *widths, sgf_sampling sampling, bool uncoupled)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, 3, widths);
  settings.data.samples = 20;
  settings.training.learning_rate = 0.02;
  settings.training.batch_size = 4;
  settings.training.sampling = sampling;
  settings.simulation.uncoupled = uncoupled;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_settings_free(&settings);
  return problem;
}

/* Two layers, each alone too, in epochs: all that a state can have, ... */
static sgf_problem *make(sgf_sampling sampling, bool uncoupled)
{
  return make_of((size_t[]){3, 2, 2}, sampling, uncoupled);
}

/* ... but for snapshots instead of second moments, which 96 weights have of 12 of them. */
static sgf_problem *make_wide(void) { return make_of((size_t[]){8, 6, 8}, SGF_SAMPLING_REPLACEMENT, false); }

static void expect_same(const sgf_ensemble *one, const sgf_ensemble *other)
{
  size_t rows = one->info.pools, n = one->n, balance = one->balance_points * one->balance_size;
  ck_assert_uint_eq(rows, other->info.pools);
  ck_assert_uint_eq(one->info.replicas, other->info.replicas);
  ck_assert_uint_eq(one->factor_rank, other->factor_rank);
  if (one->factors != NULL)
    ck_assert_mem_eq(one->factors, other->factors, rows * one->factor_rank * n * sizeof(double));
  else
    ck_assert_mem_eq(one->second, other->second, rows * sgf_packed_size(n) * sizeof(double));
  ck_assert_mem_eq(one->half_means, other->half_means, rows * 2 * n * sizeof(double));
  ck_assert_mem_eq(one->gradient_square, other->gradient_square, rows * sizeof(double));
  ck_assert_mem_eq(one->ends, other->ends, one->info.replicas * 2 * n * sizeof(double));
  if (balance > 0) ck_assert_mem_eq(one->balance, other->balance, rows * balance * sizeof(double));
  ck_assert_uint_eq(one->layers, other->layers);
  for (size_t l = 0; l < one->layers; l++) expect_same(one->alone[l], other->alone[l]);
}

/* Stop at every chance. */
static bool stop(void *context, double done, double total)
{
  (void)context;
  (void)done;
  (void)total;
  return false;
}

static sgf_simulation *begin(const sgf_problem *problem, const sgf_plan *plan)
{
  sgf_error error = {SGF_OK, ""};
  sgf_simulation *simulation;
  ASSERT_OK(sgf_simulation_create(problem, plan, &simulation, &error), error);
  return simulation;
}

static const sgf_plan PLAN = {.replicas = 6, .burn_in_steps = 100, .window_steps = 1000, .stride = 2, .looks = 5};

/* A wave of two runs is a little longer than one round. */
static const sgf_plan LONG = {
    .replicas = 2, .burn_in_steps = 22000, .window_steps = 250000, .stride = 50, .looks = 5};

/* Of few snapshots: so many that they are kept, of all replicas but in an ensemble that grows. */
static const sgf_plan LONG_OF_FEW = {
    .replicas = 3, .burn_in_steps = 22000, .window_steps = 120000, .stride = 10000, .looks = 5};
static const sgf_plan PLAN_OF_FEW = {
    .replicas = 6, .burn_in_steps = 100, .window_steps = 600, .stride = 50, .looks = 5};

/* Save at every quantum, and go on in a new object. */
START_TEST(each_quantum_is_saved_and_loaded)
{
  bool few = _i == 2;
  sgf_problem *problem =
      few ? make_wide() : make(_i == 0 ? SGF_SAMPLING_REPLACEMENT : SGF_SAMPLING_WITHOUT_REPLACEMENT, _i == 1);
  const sgf_plan *plan = few ? &LONG_OF_FEW : &LONG;
  const char *path = scratch_path("quantum.checkpoint");
  char fallback[SGF_MESSAGE_LENGTH];
  sgf_error error = {SGF_OK, ""};
  sgf_simulation *whole = begin(problem, plan), *parts = begin(problem, plan);
  sgf_status status;
  size_t saved = 0;
  ASSERT_OK(sgf_simulation_run(whole, 3, 1, NULL, NULL, &error), error);
  while ((status = sgf_simulation_run(parts, 3, 1 + (int)(saved % 2), stop, NULL, &error)) == SGF_ERROR_INTERRUPTED) {
    ASSERT_OK(sgf_simulation_save(parts, path, IDENTITY, &error), error);
    sgf_simulation_free(parts);
    ASSERT_OK(sgf_simulation_load(problem, path, IDENTITY, &parts, fallback, &error), error);
    ck_assert_str_eq(fallback, "");
    saved++;
  }
  ASSERT_OK(status, error);
  ck_assert_uint_gt(saved, 2);
  ck_assert((sgf_simulation_ensemble(whole)->factors != NULL) == few);
  expect_same(sgf_simulation_ensemble(whole), sgf_simulation_ensemble(parts));
  sgf_simulation_forget(path);
  ck_assert_int_ne(access(path, F_OK), 0);
  sgf_simulation_free(whole);
  sgf_simulation_free(parts);
  sgf_problem_free(problem);
}
END_TEST

START_TEST(several_calls_are_one)
{
  sgf_problem *problem = _i == 1 ? make_wide() : make(SGF_SAMPLING_REPLACEMENT, true);
  const sgf_plan *plan = _i == 1 ? &PLAN_OF_FEW : &PLAN;
  sgf_error error = {SGF_OK, ""};
  sgf_simulation *whole = begin(problem, plan), *parts = begin(problem, plan);
  ASSERT_OK(sgf_simulation_run(whole, 24, 2, NULL, NULL, &error), error);
  for (size_t replicas = 6; replicas <= 24; replicas += 6) {
    ASSERT_OK(sgf_simulation_run(parts, replicas, 1, NULL, NULL, &error), error);
    ck_assert((sgf_simulation_ensemble(parts)->factors != NULL) == (_i == 1 && replicas == 6));
  }
  expect_same(sgf_simulation_ensemble(whole), sgf_simulation_ensemble(parts));
  sgf_simulation_free(whole);
  sgf_simulation_free(parts);
  sgf_problem_free(problem);
}
END_TEST

/* An ensemble that is ended early is that of a smaller plan. */
START_TEST(what_is_complete_is_the_ensemble)
{
  sgf_problem *problem = make(SGF_SAMPLING_REPLACEMENT, true);
  sgf_error error = {SGF_OK, ""};
  sgf_plan small = PLAN;
  size_t replicas;
  small.replicas = 4;
  sgf_simulation *few = begin(problem, &small), *ended = begin(problem, &PLAN);
  ck_assert_int_eq(sgf_simulation_end(ended, &replicas, &error), SGF_ERROR_VALUE);
  ASSERT_OK(sgf_simulation_run(few, 4, 1, NULL, NULL, &error), error);
  ASSERT_OK(sgf_simulation_run(ended, 4, 1, NULL, NULL, &error), error);
  ASSERT_OK(sgf_simulation_end(ended, &replicas, &error), error);
  ck_assert_uint_eq(replicas, 4);
  const sgf_ensemble *one = sgf_simulation_ensemble(few), *other = sgf_simulation_ensemble(ended);
  ck_assert_uint_eq(other->info.pools, 4);
  expect_same(one, other);
  ck_assert(one->info.trace == other->info.trace && one->info.trace_se == other->info.trace_se);
  sgf_simulation_free(few);
  sgf_simulation_free(ended);
  sgf_problem_free(problem);
}
END_TEST

static unsigned char *read_bytes(const char *path, size_t *size)
{
  static unsigned char bytes[1 << 20];
  FILE *file = fopen(path, "rb");
  ck_assert_ptr_nonnull(file);
  *size = fread(bytes, 1, sizeof bytes, file);
  ck_assert(*size < sizeof bytes);
  fclose(file);
  return bytes;
}

static void write_bytes(const char *path, const unsigned char *bytes, size_t size)
{
  FILE *file = fopen(path, "wb");
  ck_assert(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

/* Load what is at `path`, and if that is taken run it on. */
static bool survives(const sgf_problem *problem, const char *path, size_t word, uint64_t value)
{
  char fallback[SGF_MESSAGE_LENGTH];
  sgf_error error = {SGF_OK, ""};
  sgf_simulation *simulation;
  sgf_status status = sgf_simulation_load(problem, path, IDENTITY, &simulation, fallback, &error);
  ck_assert_msg(status == SGF_OK || status == SGF_ERROR_VALUE, "word %zu is %llx: status %d, %s", word,
                (unsigned long long)value, (int)status, error.message);
  ck_assert_msg((status == SGF_OK) == (simulation != NULL) && (status == SGF_OK || error.message[0] != '\0'),
                "word %zu is %llx", word, (unsigned long long)value);
  if (simulation == NULL) return false;
  status = sgf_simulation_run(simulation, 0, 1, stop, NULL, &error);
  sgf_simulation_free(simulation);
  return true;
}

/* Every word of the payload in turn is a number that no run has, and the checksum is right: a clean error, or a number that
 * means nothing but itself; never a crash, nor an allocation that the file could not fill. */
START_TEST(hostile_states_are_refused)
{
  static const uint64_t values[] = {UINT64_MAX, 1ULL << 62, 1ULL << 40, 1000003, 0x7ff8000000000000};
  enum { HEAD = 24, TAIL = 32 };
  sgf_problem *problem = make(SGF_SAMPLING_WITHOUT_REPLACEMENT, true);
  sgf_error error = {SGF_OK, ""};
  sgf_simulation *simulation = begin(problem, &LONG);
  char path[200];
  size_t size, refused = 0;
  snprintf(path, sizeof path, "%s", scratch_path("hostile.checkpoint"));
  ck_assert_int_eq(sgf_simulation_run(simulation, 2, 1, stop, NULL, &error), SGF_ERROR_INTERRUPTED);
  ck_assert_uint_eq(simulation->running, 2);
  ASSERT_OK(sgf_simulation_save(simulation, path, IDENTITY, &error), error);
  sgf_simulation_free(simulation);
  unsigned char *bytes = read_bytes(path, &size), original[8];
  for (size_t at = HEAD; at + 8 <= size - TAIL; at += at > HEAD + 400 ? 8 : 1) /* texts of odd lengths come first */
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
      memcpy(original, bytes + at, 8);
      memcpy(bytes + at, &values[v], 8);
      uint64_t sum = crc32(0, bytes + HEAD, (unsigned)(size - HEAD - TAIL));
      memcpy(bytes + size - 24, &sum, sizeof sum);
      write_bytes(path, bytes, size);
      if (!survives(problem, path, at, values[v])) refused++;
      memcpy(bytes + at, original, 8);
    }
  ck_assert_uint_gt(refused, 100);
  unlink(path);
  sgf_problem_free(problem);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("checkpoints");
  TCase *cases = tcase_create("checkpoints");
  tcase_set_timeout(cases, 300);
  tcase_add_loop_test(cases, each_quantum_is_saved_and_loaded, 0, 3);
  tcase_add_loop_test(cases, several_calls_are_one, 0, 2);
  tcase_add_test(cases, what_is_complete_is_the_ensemble);
  tcase_add_test(cases, hostile_states_are_refused);
  suite_add_tcase(suite, cases);
  return run_suite(suite);
}
