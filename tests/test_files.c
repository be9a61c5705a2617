/* Files in and out: the sets of the contract by name, atomic replacement, trajectories of another program. */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../io/atomic_file.h"
#include "../io/hdf5_file.h"
#include "../theory/prediction.h"
#include "../verify/compare.h"
#include "../verify/ensemble.h"
#include "../verify/sgd.h"
#include "testing.h"

static const sgf_provenance PROVENANCE = {.config = "network: <config> & \"text\"\n",
                                          .command = "sgflow verify test.yaml",
                                          .threads = 2,
                                          .request = "network: <request>\n"};

typedef struct {
  sgf_settings settings;
  sgf_problem *problem;
  sgf_prediction *prediction;
  sgf_ensemble *ensemble;
  sgf_comparison *comparison;
} result;

static void make_result(result *made)
{
  sgf_error error = {SGF_OK, ""};
  sgf_plan plan = {.replicas = 12, .burn_in_steps = 100, .window_steps = 200, .stride = 2};
  settings_with_widths(&made->settings, 2, (size_t[]){4, 2});
  made->settings.data.samples = 30;
  made->settings.training.batch_size = 5;
  made->settings.training.learning_rate = 0.05;
  ASSERT_OK(sgf_problem_create(&made->settings, NULL, false, &made->problem, &error), error);
  ASSERT_OK(sgf_predict(made->problem, false, &made->prediction, &error), error);
  ASSERT_OK(sgf_simulate(made->problem, &plan, 2, NULL, NULL, &made->ensemble, &error), error);
  ASSERT_OK(sgf_compare(made->problem, made->prediction, made->ensemble, &made->comparison, &error), error);
}

static void free_result(result *made)
{
  sgf_comparison_free(made->comparison);
  sgf_ensemble_free(made->ensemble);
  sgf_prediction_free(made->prediction);
  sgf_problem_free(made->problem);
  sgf_settings_free(&made->settings);
}

typedef struct {
  const char *name;
  size_t rank, shape[2];
} set;

/* design of the output: n = 8, N_0 = 4, N_1 = 2, P = 30 */
static const set SETS[] = {{"data/X", 2, {30, 4}},
                           {"data/Y", 2, {30, 2}},
                           {"network/W1", 2, {2, 4}},
                           {"theory/hessian", 2, {8, 8}},
                           {"theory/noise_covariance", 2, {8, 8}},
                           {"theory/covariance", 2, {8, 8}},
                           {"theory/covariance_continuum", 2, {8, 8}},
                           {"theory/covariance_discrete", 2, {8, 8}},
                           {"theory/layer1/hessian", 2, {8, 8}},
                           {"theory/layer1/noise_covariance", 2, {8, 8}},
                           {"theory/layer1/covariance", 2, {8, 8}},
                           {"theory/layer1/covariance_uncoupled", 2, {8, 8}},
                           {"theory/layer1/variance", 1, {8, 0}},
                           {"theory/layer1/curvature", 1, {8, 0}},
                           {"theory/layer1/flatness", 1, {8, 0}},
                           {"theory/spectrum/hessian", 1, {8, 0}},
                           {"theory/spectrum/noise_covariance", 1, {8, 0}},
                           {"theory/spectrum/covariance", 1, {8, 0}},
                           {"simulation/covariance", 2, {8, 8}},
                           {"simulation/covariance_se", 2, {8, 8}},
                           {"simulation/mean", 1, {8, 0}},
                           {"simulation/replicas", 0, {0, 0}},
                           {"simulation/steps", 0, {0, 0}},
                           {"comparison/trace/predicted", 0, {0, 0}},
                           {"comparison/trace/measured", 0, {0, 0}},
                           {"comparison/trace/standard_error", 0, {0, 0}},
                           {"comparison/trace/deviation", 0, {0, 0}},
                           {"comparison/variance_001/measured", 0, {0, 0}},
                           {"comparison/fluctuation_dissipation/measured", 0, {0, 0}}};

static void check_attribute(hid_t file, const char *owner, const char *name)
{
  ck_assert_msg(H5Aexists_by_name(file, owner, name, H5P_DEFAULT) > 0, "attribute %s of %s is missing", name, owner);
}

START_TEST(output_holds_the_contract)
{
  static const char *const root[] = {"config", "seed", "version", "date", "host", "BLAS", "threads"};
  static const char *const theory[] = {"rank_hessian", "rank_noise",        "null_noise",      "residual",
                                       "min_loss",     "commutator",        "stability_limit", "relaxation_rate",
                                       "balance_rate", "entropy_production"};
  result made;
  sgf_error error = {SGF_OK, ""};
  sgf_hdf5_input file;
  const char *path = scratch_path("output.h5");
  make_result(&made);
  ASSERT_OK(sgf_write_results(path, &PROVENANCE, made.problem, made.prediction, made.ensemble, made.comparison, false,
                              &error),
            error);
  ASSERT_OK(sgf_hdf5_open(path, &file, &error), error);
  for (size_t k = 0; k < sizeof SETS / sizeof *SETS; k++) {
    size_t shape[2] = {0, 0};
    double *values;
    ASSERT_OK(sgf_hdf5_read(&file, SETS[k].name, SETS[k].rank, shape, &values, &error), error);
    for (size_t d = 0; d < SETS[k].rank; d++) ck_assert_uint_eq(shape[d], SETS[k].shape[d]);
    if (strcmp(SETS[k].name, "data/X") == 0) ck_assert_mem_eq(values, made.problem->data.X, 120 * sizeof *values);
    if (strcmp(SETS[k].name, "simulation/replicas") == 0) ck_assert_double_eq(values[0], 12.0);
    if (strcmp(SETS[k].name, "simulation/steps") == 0) ck_assert_double_eq(values[0], 12.0 * 300.0);
    free(values);
  }
  for (size_t k = 0; k < sizeof root / sizeof *root; k++) check_attribute(file.file, "/", root[k]);
  for (size_t k = 0; k < sizeof theory / sizeof *theory; k++) check_attribute(file.file, "theory", theory[k]);
  ck_assert(H5Lexists(file.file, "comparison/trace/verdict", H5P_DEFAULT) > 0);
  sgf_hdf5_close(&file);
  unlink(path);
  free_result(&made);
}
END_TEST

/* One page, nothing fetched, text escaped, every quantity in its table. */
START_TEST(outputs_are_read_back)
{
  const char *path = "test_files_back.h5";
  result made;
  sgf_results *results;
  sgf_error error;
  make_result(&made);
  ASSERT_OK(sgf_write_results(path, &PROVENANCE, made.problem, made.prediction, made.ensemble, made.comparison, false,
                              &error),
            error);
  const sgf_quantity *quantity = &sgf_comparison_quantities(made.comparison)[0];
  char name[96];
  snprintf(name, sizeof name, "comparison/%s/measured", quantity->name);
  ASSERT_OK(sgf_results_open(path, &results, &error), error);
  ck_assert_double_eq(sgf_results_number(results, name), quantity->measured);
  ck_assert_double_eq(sgf_results_number(results, "theory/min_loss"),
                      sgf_prediction_get_info(made.prediction)->min_loss);
  char *request = sgf_results_text(results, "request"), *verdict = sgf_results_text(results, "comparison/verdict");
  ck_assert_str_eq(request, PROVENANCE.request);
  ck_assert_str_eq(verdict, sgf_verdict_text(sgf_comparison_get_info(made.comparison)->verdict));
  free(request);
  free(verdict);
  snprintf(name, sizeof name, "comparison/%s/verdict", quantity->name);
  verdict = sgf_results_text(results, name);
  ck_assert_str_eq(verdict, sgf_verdict_text(quantity->verdict));
  free(verdict);
  /* what is not there, not one number, or of the other kind */
  static const char *const absent[] = {"theory/nosuch", "nosuch/trace", "data/X", "theory", "config", ""};
  for (size_t k = 0; k < sizeof absent / sizeof *absent; k++)
    ck_assert_msg(isnan(sgf_results_number(results, absent[k])), "%s", absent[k]);
  ck_assert_ptr_null(sgf_results_text(results, "theory/min_loss"));
  ck_assert_ptr_null(sgf_results_text(results, "nosuch"));
  sgf_results_close(results);
  ck_assert_int_eq(truncate(path, 3000), 0);
  ck_assert_int_eq(sgf_results_open(path, &results, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_null(results);
  ck_assert_ptr_nonnull(strstr(error.message, path));
  remove(path);
  ck_assert_int_eq(sgf_results_open(path, &results, &error), SGF_ERROR_NO_INPUT);
  sgf_results_close(NULL);
  free_result(&made);
}
END_TEST

START_TEST(report_is_self_contained)
{
  result made;
  bool figures;
  sgf_error error = {SGF_OK, ""};
  const char *path = scratch_path("report.html");
  make_result(&made);
  ASSERT_OK(sgf_write_report(path, &PROVENANCE, made.problem, made.prediction, made.ensemble, made.comparison,
                             &figures, &error),
            error);
  FILE *file = fopen(path, "r");
  char *text = calloc(4u << 20, 1);
  ck_assert(file != NULL && text != NULL && fread(text, 1, (4u << 20) - 1, file) > 1000);
  fclose(file);
  ck_assert_ptr_null(strstr(text, "src="));
  ck_assert_ptr_null(strstr(text, "<link"));
  ck_assert_ptr_null(strstr(text, "@import"));
  ck_assert_ptr_nonnull(strstr(text, "network: &lt;config&gt; &amp; &quot;text&quot;"));
  ck_assert_ptr_nonnull(strstr(text, PROVENANCE.command));
  ck_assert_ptr_nonnull(strstr(text, "</html>"));
  for (size_t k = 0; k < made.comparison->count; k++)
    ck_assert_ptr_nonnull(strstr(text, made.comparison->quantities[k].name));
  ck_assert(figures == (strstr(text, "<svg") != NULL));
  free(text);
  unlink(path);
  free_result(&made);
}
END_TEST

static void write_text(const char *path, const char *text)
{
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  ck_assert_int_ge(fputs(text, file), 0);
  ck_assert_int_eq(fclose(file), 0);
}

static void check_text(const char *path, const char *expected)
{
  char text[64] = "";
  FILE *file = fopen(path, "r");
  ck_assert_ptr_nonnull(file);
  ck_assert_uint_eq(fread(text, 1, sizeof text - 1, file), strlen(expected));
  ck_assert_str_eq(text, expected);
  fclose(file);
}

static size_t leftovers(const char *pattern)
{
  glob_t found;
  size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
  globfree(&found);
  return count;
}

START_TEST(files_appear_complete_or_not_at_all)
{
  sgf_atomic_file file;
  sgf_error error = {SGF_OK, ""};
  char path[1024], link[1024], pattern[1200];
  snprintf(path, sizeof path, "%s", scratch_path("atomic"));
  snprintf(link, sizeof link, "%s", scratch_path("link"));
  snprintf(pattern, sizeof pattern, "%s.part-*", path);
  write_text(path, "older");
  ASSERT_OK(sgf_atomic_begin(path, &file, &error), error);
  write_text(file.temporary, "half");
  check_text(path, "older");
  ck_assert_uint_eq(leftovers(pattern), 1);
  sgf_atomic_discard(&file);
  check_text(path, "older");
  ck_assert_uint_eq(leftovers(pattern), 0);
  /* through a symbolic link: what it points to is replaced, the link stays */
  ck_assert_int_eq(symlink(path, link), 0);
  ASSERT_OK(sgf_atomic_begin(link, &file, &error), error);
  write_text(file.temporary, "newer");
  ASSERT_OK(sgf_atomic_commit(&file, &error), error);
  check_text(path, "newer");
  struct stat properties;
  ck_assert(lstat(link, &properties) == 0 && S_ISLNK(properties.st_mode));
  ck_assert_uint_eq(leftovers(pattern), 0);
  unlink(path);
  unlink(link);
}
END_TEST

/* What a killed process left is removed by the next one that writes the same; what a living one writes is not. */
START_TEST(parts_of_the_dead_are_removed)
{
  sgf_atomic_file file;
  sgf_error error = {SGF_OK, ""};
  char path[1024], pattern[1200], byte = 0;
  int ready[2];
  snprintf(path, sizeof path, "%s", scratch_path("killed"));
  snprintf(pattern, sizeof pattern, "%s.part-*", path);
  ck_assert_int_eq(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    byte = sgf_atomic_begin(path, &file, &error) == SGF_OK;
    if (write(ready[1], &byte, 1) == 1) pause();
    _exit(1);
  }
  ck_assert(child > 0 && read(ready[0], &byte, 1) == 1 && byte == 1);
  ASSERT_OK(sgf_atomic_begin(path, &file, &error), error);
  ck_assert_uint_eq(leftovers(pattern), 2);
  sgf_atomic_discard(&file);
  ck_assert_uint_eq(leftovers(pattern), 1);
  ck_assert_int_eq(kill(child, SIGKILL), 0);
  ck_assert_int_eq(waitpid(child, NULL, 0), child);
  ASSERT_OK(sgf_atomic_begin(path, &file, &error), error);
  ck_assert_uint_eq(leftovers(pattern), 1);
  sgf_atomic_discard(&file);
  ck_assert_uint_eq(leftovers(pattern), 0);
  close(ready[0]);
  close(ready[1]);
}
END_TEST

START_TEST(devices_are_written_to_and_not_replaced)
{
  sgf_atomic_file file;
  sgf_error error = {SGF_OK, ""};
  struct stat properties;
  ASSERT_OK(sgf_atomic_begin("/dev/full", &file, &error), error);
  write_text(file.temporary, "text");
  ck_assert_int_eq(sgf_atomic_commit(&file, &error), SGF_ERROR_WRITE);
  ck_assert_ptr_nonnull(strstr(error.message, "/dev/full"));
  ck_assert(stat("/dev/full", &properties) == 0 && S_ISCHR(properties.st_mode));
  ASSERT_OK(sgf_atomic_begin("/dev/null", &file, &error), error);
  write_text(file.temporary, "text");
  ASSERT_OK(sgf_atomic_commit(&file, &error), error);
  ck_assert_int_eq(sgf_atomic_begin("/no/such/folder/file", &file, &error), SGF_ERROR_CREATE);
  ck_assert_int_eq(sgf_atomic_begin("/", &file, &error), SGF_ERROR_CREATE);
}
END_TEST

/* -------------------------------------------------------------- trajectories */

/* Snapshots of SGD as another program would record them, every 4 steps, scaled by `scale`; R = 0 for one run of shape
 * (T, n). With the attribute `stride` if it is not 0. */
static void record(const char *path, const sgf_problem *problem, size_t runs, size_t length, double scale,
                   double stride)
{
  size_t n = problem->network.weights, count = runs > 0 ? runs : 1;
  double *weights = new_reals(count * length * n), *theta = new_reals(n);
  sgf_error error = {SGF_OK, ""};
  sgf_engine *engine;
  ASSERT_OK(sgf_engine_create(problem, 0, &engine, &error), error);
  for (size_t r = 0; r < count; r++) {
    sgf_sgd run;
    ASSERT_OK(sgf_sgd_create(engine, 1000 + r, &run, &error), error);
    sgf_sgd_advance(&run, 200, false);
    for (size_t t = 0; t < length; t++) {
      sgf_sgd_advance(&run, 4, false);
      sgf_sgd_weights(&run, theta);
      for (size_t i = 0; i < n; i++) weights[(r * length + t) * n + i] = scale * theta[i];
    }
    sgf_sgd_free(&run);
  }
  sgf_engine_free(engine);
  free(theta);
  sgf_hdf5_output out;
  sgf_hdf5_create(path, &out);
  sgf_hdf5_write(&out, "weights", runs > 0 ? 3 : 2, runs > 0 ? (size_t[]){runs, length, n} : (size_t[]){length, n},
                 weights);
  if (stride > 0.0) sgf_hdf5_attribute(&out, "weights", "stride", stride);
  ck_assert(sgf_hdf5_finish(&out));
  free(weights);
}

static sgf_verdict verdict_of(size_t runs, size_t length, double scale, double *batch_correlation)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  sgf_prediction *prediction;
  sgf_ensemble *ensemble;
  sgf_comparison *comparison;
  const char *path = scratch_path("trajectory.h5");
  settings_with_widths(&settings, 2, (size_t[]){3, 1});
  settings.data.samples = 40;
  settings.training.learning_rate = 0.1;
  settings.training.batch_size = 4;
  settings.theory.equation = SGF_EQUATION_EXACT;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  record(path, problem, runs, length, scale, 0.0);
  ASSERT_OK(sgf_trajectory_read(path, problem, &ensemble, &error), error);
  ASSERT_OK(sgf_compare(problem, prediction, ensemble, &comparison, &error), error);
  sgf_verdict verdict = comparison->info.verdict;
  *batch_correlation = comparison->info.batch_correlation;
  sgf_comparison_free(comparison);
  sgf_ensemble_free(ensemble);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
  unlink(path);
  return verdict;
}

START_TEST(recorded_runs_agree_and_perturbed_ones_do_not)
{
  double correlation;
  ck_assert_int_eq(verdict_of(200, 600, 1.0, &correlation), SGF_AGREE);
  ck_assert(isnan(correlation));
  ck_assert_int_eq(verdict_of(200, 600, 1.05, &correlation), SGF_DISAGREE);
}
END_TEST

/* Two layers seen from the means of their own short windows: agree, unless the steps between snapshots are not those
 * that the file says, or the weights are scaled; without the attribute nothing can be said. */
START_TEST(recorded_windows_are_seen_from_their_means)
{
  static const struct {
    double stride, scale;
    sgf_verdict verdict;
  } cases[] = {{4.0, 1.0, SGF_AGREE}, {40.0, 1.0, SGF_DISAGREE}, {4.0, 1.06, SGF_DISAGREE}};
  const char *path = scratch_path("windows.h5");
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  sgf_prediction *prediction;
  sgf_ensemble *ensemble;
  sgf_comparison *comparison;
  settings_with_widths(&settings, 3, (size_t[]){3, 3, 2});
  settings.data.samples = 100;
  settings.training.learning_rate = 0.01;
  settings.simulation.protocol = SGF_PROTOCOL_WINDOW_PCA;
  settings.verify.tolerance = 0.08;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  ASSERT_OK(sgf_predict(problem, false, &prediction, &error), error);
  for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
    record(path, problem, 3000, 100, cases[k].scale, cases[k].stride);
    ASSERT_OK(sgf_trajectory_read(path, problem, &ensemble, &error), error);
    ASSERT_OK(sgf_compare(problem, prediction, ensemble, &comparison, &error), error);
    ck_assert_msg(comparison->info.verdict == cases[k].verdict, "stride %g, scale %g: %s", cases[k].stride,
                  cases[k].scale, sgf_verdict_text(comparison->info.verdict));
    sgf_comparison_free(comparison);
    sgf_ensemble_free(ensemble);
  }
  record(path, problem, 4, 100, 1.0, 0.0);
  ck_assert_int_eq(sgf_trajectory_read(path, problem, &ensemble, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_nonnull(strstr(error.message, "stride"));
  record(path, problem, 4, 100, 1.0, 2.5);
  ck_assert_int_eq(sgf_trajectory_read(path, problem, &ensemble, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_nonnull(strstr(error.message, "2.5"));
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
  unlink(path);
}
END_TEST

/* One long run, in batches; one that is too short for batches of their own is not believed. */
START_TEST(one_long_run_is_cut_into_batches)
{
  double correlation;
  ck_assert_int_eq(verdict_of(0, 240000, 1.0, &correlation), SGF_AGREE);
  ck_assert(correlation < 0.5);
  ck_assert_int_ne(verdict_of(0, 120, 1.0, &correlation), SGF_AGREE);
}
END_TEST

/* A program in C may put any number there. */
START_TEST(a_choice_beyond_the_last_is_refused)
{
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  for (int k = 0; k < 9; k++) {
    settings_with_widths(&settings, 3, (const size_t[]){3, 4, 2});
    unsigned beyond = k < 5 ? 77 : 1000000;
    void *const choices[] = {
        &settings.data.source,         &settings.data.teacher,        &settings.network.start,
        &settings.training.sampling,   &settings.theory.noise,        &settings.theory.equation,
        &settings.simulation.dynamics, &settings.simulation.protocol, &settings.simulation.langevin_noise};
    memcpy(choices[k], &beyond, sizeof beyond);
    ck_assert_int_eq(sgf_problem_create(&settings, NULL, false, &problem, &error), SGF_ERROR_VALUE);
    ck_assert_msg(strstr(error.message, k < 5 ? " is 77: 0 to " : " is 1000000: 0 to ") != NULL, "%s", error.message);
    ck_assert_ptr_null(problem);
    sgf_settings_free(&settings);
  }
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("files");
  TCase *tests = tcase_create("files");
  tcase_set_timeout(tests, 300);
  tcase_add_test(tests, output_holds_the_contract);
  tcase_add_test(tests, outputs_are_read_back);
  tcase_add_test(tests, report_is_self_contained);
  tcase_add_test(tests, files_appear_complete_or_not_at_all);
  tcase_add_test(tests, parts_of_the_dead_are_removed);
  tcase_add_test(tests, devices_are_written_to_and_not_replaced);
  tcase_add_test(tests, recorded_runs_agree_and_perturbed_ones_do_not);
  tcase_add_test(tests, recorded_windows_are_seen_from_their_means);
  tcase_add_test(tests, one_long_run_is_cut_into_batches);
  tcase_add_test(tests, a_choice_beyond_the_last_is_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
