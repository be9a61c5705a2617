/* The stages of a command: config, problem, prediction, experiment, comparison, outputs. */
#include "job.h"

#include <errno.h>
#include <libgen.h>
#include <omp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config.h"
#include "experiment.h"
#include "progress.h"
#include "summary.h"
#include "table.h"

enum { EXIT_CHECKPOINT = 75 };

static sgf_status fail(job *run, sgf_status status, const char *message)
{
  run->error.status = status;
  snprintf(run->error.message, sizeof run->error.message, "%s", message);
  return status;
}

static sgf_status go_on(job *run)
{
  return progress_signal() == 0 ? SGF_OK : fail(run, SGF_ERROR_INTERRUPTED, "interrupted");
}

/* The folder of a file's path, "" where it has none, and the name in it. */
static const char *split_path(const char *path, char *folder, size_t capacity)
{
  const char *slash = strrchr(path, '/');
  snprintf(folder, capacity, "%.*s", slash != NULL ? (int)(slash - path) + 1 : 0, path);
  return slash != NULL ? slash + 1 : path;
}

/* Of files that are not there yet: the same name in one folder, whatever the way there. */
static bool same_new_file(const char *one, const char *other)
{
  char first[4096], second[4096];
  struct stat a, b;
  if (strcmp(split_path(one, first, sizeof first), split_path(other, second, sizeof second)) != 0) return false;
  return stat(first[0] != '\0' ? first : ".", &a) == 0 && stat(second[0] != '\0' ? second : ".", &b) == 0 &&
         a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

bool job_same_file(const char *one, const char *other)
{
  struct stat a, b;
  if (one == NULL || other == NULL) return false;
  if (strcmp(one, other) == 0) return true;
  bool one_is = stat(one, &a) == 0, other_is = stat(other, &b) == 0;
  if (!one_is && !other_is) return same_new_file(one, other);
  return one_is && other_is && a.st_dev == b.st_dev && a.st_ino == b.st_ino && S_ISREG(a.st_mode);
}

/* A file named in the config, relative to its folder. */
static bool same_as_named(const char *output, const char *folder, const char *name)
{
  char path[4096];
  if (output == NULL || name == NULL) return false;
  snprintf(path, sizeof path, "%s%s%s", name[0] == '/' ? "" : folder, name[0] == '/' ? "" : "/", name);
  return job_same_file(output, path);
}

/* It is removed in the end: not with an output, nor over an input. */
static sgf_status check_checkpoint(job *run)
{
  const char *path = run->checkpoint;
  if (path == NULL || !(job_same_file(path, run->asked->output) || job_same_file(path, run->asked->report) ||
                        job_same_file(path, run->asked->config)))
    return SGF_OK;
  snprintf(run->error.message, sizeof run->error.message, "%s: cannot be the checkpoint too", path);
  return run->error.status = SGF_ERROR_CREATE;
}

static sgf_status check_output(job *run, const char *output, const char *folder, const sgf_settings *settings)
{
  if (output == NULL) return SGF_OK;
  if (job_same_file(output, run->asked->config) || job_same_file(output, run->asked->trajectory) ||
      same_as_named(output, folder, settings->data.file) ||
      same_as_named(output, folder, settings->network.weights)) {
    snprintf(run->error.message, sizeof run->error.message, "%s: cannot be created, it is an input", output);
    return run->error.status = SGF_ERROR_CREATE;
  }
  return sgf_check_output(output, &run->error);
}

/* Better to fail now than after the run, and never to write over an input. */
static sgf_status check_outputs(job *run, const char *folder, const sgf_settings *settings)
{
  const options *asked = run->asked;
  sgf_status status = check_output(run, asked->output, folder, settings);
  if (status == SGF_OK) status = check_output(run, asked->report, folder, settings);
  if (status == SGF_OK) status = check_output(run, asked->record, folder, settings);
  if (status == SGF_OK &&
      (job_same_file(asked->record, asked->output) || job_same_file(asked->record, asked->report))) {
    snprintf(run->error.message, sizeof run->error.message, "%s: cannot be both the trajectory and another output",
             asked->record);
    run->error.status = status = SGF_ERROR_CREATE;
  }
  if (status == SGF_OK) status = check_checkpoint(run);
  if (status == SGF_OK && job_same_file(asked->output, asked->report)) {
    snprintf(run->error.message, sizeof run->error.message, "%s: cannot be both the output and the report",
             asked->report);
    run->error.status = status = SGF_ERROR_CREATE;
  }
  return status;
}

/* The library knows keys and not the file that they are in: put its name before a message that begins with a key. */
static void name_the_config(job *run, sgf_status status)
{
  static const char *const sections[] = {"data.", "network.", "training.", "theory.", "simulation.", "verify."};
  char message[SGF_MESSAGE_LENGTH];
  for (size_t k = 0; k < sizeof sections / sizeof *sections && status != SGF_OK; k++)
    if (strncmp(run->error.message, sections[k], strlen(sections[k])) == 0) {
      memcpy(message, run->error.message, sizeof message);
      snprintf(run->error.message, sizeof run->error.message, "%.200s: %.300s", run->asked->config, message);
      return;
    }
}

/* Where checkpoints go: as asked, or beside the output. */
static sgf_status name_checkpoint(job *run)
{
  const char *base = run->asked->checkpoint != NULL ? run->asked->checkpoint : run->asked->output;
  const char *suffix = run->asked->checkpoint != NULL ? "" : ".checkpoint";
  struct stat properties;
  if (base == NULL && run->asked->resume)
    return fail(run, SGF_ERROR_NO_INPUT, "--resume: the checkpoint is beside the output, or where --checkpoint says");
  if (base == NULL || run->asked->record != NULL) return SGF_OK; /* a trajectory is not continued */
  if (run->asked->checkpoint == NULL && stat(base, &properties) == 0 && !S_ISREG(properties.st_mode)) return SGF_OK;
  size_t length = strlen(base) + strlen(suffix) + 1;
  run->checkpoint = malloc(length);
  if (run->checkpoint == NULL) return fail(run, SGF_ERROR_MEMORY, "no memory for a path");
  snprintf(run->checkpoint, length, "%s%s", base, suffix);
  return SGF_OK;
}

/* Why more than a prediction is wanted that n x n matrices alone can give; NULL if nothing is. */
static const char *dense_reason(const job *run, const sgf_settings *settings)
{
  if (run->what->accepts & ACCEPTS_PLAN) return NULL;
  if (settings->simulation.uncoupled && settings->network.width_count > 2) return "simulation.uncoupled is true";
  if (settings->simulation.protocol == SGF_PROTOCOL_WINDOW_PCA) return "simulation.protocol is window-pca";
  return NULL;
}

/* What the prediction takes, with what comes after it. */
static sgf_status estimate_costs(job *run, const sgf_settings *settings, const char *folder)
{
  const char *reason = dense_reason(run, settings);
  bool alone = run->what->accepts & ACCEPTS_PLAN;
  if (!alone && !run->asked->full && reason == NULL)
    return sgf_estimate_costs_on_directions(settings, folder, &run->costs, &run->error);
  sgf_status status =
      sgf_estimate_costs(settings, folder, run->asked->full || reason != NULL, &run->costs, &run->error);
  if (reason != NULL) run->costs.reason = reason;
  return status;
}

sgf_status job_open(job *run, const command *what, const options *asked)
{
  sgf_settings settings;
  memset(run, 0, sizeof *run);
  run->what = what;
  run->asked = asked;
  run->threads = asked->threads > 0 ? asked->threads : omp_get_max_threads();
  omp_set_num_threads(run->threads); /* of the prediction and the comparison too */
  sgf_status status = config_read(asked->config, asked->overrides, asked->override_count, &settings, &run->error);
  if (status != SGF_OK) return status;
  run->request = config_text(&settings, NULL);
  if (status == SGF_OK && (what->accepts & ACCEPTS_CHECKPOINT)) status = name_checkpoint(run);
  char *path = strdup(asked->config), *folder = path != NULL ? dirname(path) : NULL;
  if (run->request == NULL) status = fail(run, SGF_ERROR_MEMORY, "no memory for the provenance");
  if (path == NULL) status = fail(run, SGF_ERROR_MEMORY, "no memory for a path");
  if (status == SGF_OK) status = check_outputs(run, folder, &settings);
  if (status == SGF_OK) {
    status = estimate_costs(run, &settings, folder);
    if (status == SGF_OK && !asked->plan) status = job_check_costs(run);
    if (status == SGF_OK && !asked->plan)
      status = sgf_problem_create(&settings, folder, asked->force, &run->problem, &run->error);
    name_the_config(run, status);
  }
  free(path);
  sgf_settings_free(&settings);
  return status;
}

static const double GIB = 1073741824.0;

sgf_status job_print_costs(job *run)
{
  const sgf_costs *costs = &run->costs;
  if (run->asked->json)
    return summary_print_costs(costs) ? SGF_OK : fail(run, SGF_ERROR_MEMORY, "no memory for the summary");
  printf("n = %zu weights, P = %zu samples; the machine has %.3g GiB\n", costs->weights, costs->samples,
         costs->memory / GIB);
  printf("  %-12s %12s %12s\n", "path", "seconds", "GiB");
  for (size_t k = 0; k < costs->count; k++) {
    const sgf_cost *cost = &costs->paths[k];
    printf("%s %-12s %12.3g %12.3g%s%s\n", k == costs->chosen ? "*" : " ", cost->path, cost->seconds,
           cost->bytes / GIB, cost->refusal != NULL ? "   not here: " : "",
           cost->refusal != NULL ? cost->refusal : "");
  }
  printf("seconds      without reading the data and finding the minimum\n");
  printf("path         %s: %s%s\n", costs->paths[costs->chosen].path, costs->reason,
         costs->fits ? "" : "; it does not fit");
  return SGF_OK;
}

sgf_status job_check_costs(job *run)
{
  const sgf_costs *costs = &run->costs;
  const sgf_cost *cost = &costs->paths[costs->chosen];
  if (costs->fits) return SGF_OK;
  snprintf(
      run->error.message, sizeof run->error.message,
      "network.widths give n = %zu weights: the path %s (%s) needs about %.3g GiB and %.3g s, the machine has %.3g "
      "GiB%s",
      costs->weights, cost->path, costs->reason, cost->bytes / GIB, cost->seconds, costs->memory / GIB,
      costs->chosen == 0 && costs->weights > 46340 ? "; n x n matrices have at most 46340 rows" : "");
  return run->error.status = SGF_ERROR_VALUE;
}

/* By the path that fits, and on directions where more than the prediction is wanted. */
static sgf_status predict(job *run)
{
  if (run->costs.chosen == 0) return sgf_predict(run->problem, run->asked->force, &run->prediction, &run->error);
  if (run->what->accepts & ACCEPTS_PLAN) return sgf_predict_by_operator(run->problem, &run->prediction, &run->error);
  return sgf_predict_on_directions(run->problem, &run->prediction, &run->error);
}

sgf_status job_predict(job *run)
{
  sgf_status status = go_on(run);
  if (status == SGF_OK) status = predict(run);
  if (status == SGF_OK && job_is_unstable(run))
    fprintf(
        stderr,
        "sgflow: warning: training.learning_rate is %g, beyond the stability limit %.6g: the second moment of SGD "
        "is not finite, what is measured is only what these runs did\n",
        sgf_problem_settings(run->problem)->training.learning_rate, sgf_learning_rate_limit(run->prediction));
  if (status == SGF_OK && sgf_prediction_get_info(run->prediction)->diffusing_directions > 0)
    fprintf(stderr,
            "sgflow: warning: %zu directions have noise and no drift: their variance grows by up to %.3g per unit of "
            "time, "
            "and is no part of the covariance\n",
            sgf_prediction_get_info(run->prediction)->diffusing_directions,
            sgf_prediction_get_info(run->prediction)->diffusing_rate);
  return status;
}

sgf_status job_predict_runs(job *run)
{
  sgf_plan plan;
  if (job_is_unstable(run) || sgf_whole_left_out(run->problem, run->prediction) != NULL) return SGF_OK;
  if (sgf_plan_simulation(run->problem, run->prediction, &plan, NULL) != SGF_OK) return SGF_OK; /* no runs, then */
  return sgf_predict_runs(run->problem, run->prediction, &plan, &run->error);
}

sgf_status job_plan(job *run)
{
  sgf_status status = sgf_plan_simulation(run->problem, run->prediction, &run->plan, &run->error);
  run->planned = status == SGF_OK;
  if (run->planned && run->plan.lifetime > SGF_NOT_SHORT)
    fprintf(stderr,
            "sgflow: warning: burn-in and window are %.3g of the lifetime %.4g of the quasi-stationary state: the "
            "weights "
            "drift away from theta* along the null space of H\n",
            run->plan.lifetime, sgf_prediction_get_info(run->prediction)->lifetime);
  return status;
}

/* A divergence is told together with the limit that says whether it was to be expected. */
static void add_limit(job *run)
{
  size_t used = strlen(run->error.message);
  snprintf(run->error.message + used, sizeof run->error.message - used, ", stability limit %.6g",
           sgf_learning_rate_limit(run->prediction));
}

/* Recorded weights far off the minimum that the config leads to are about another one. */
static void warn_of_another_minimum(const job *run)
{
  const sgf_quantity *quantities = sgf_comparison_quantities(run->comparison);
  if (sgf_problem_settings(run->problem)->network.width_count == 2) return; /* one layer has one minimum */
  for (size_t k = 0; k < sgf_comparison_get_info(run->comparison)->quantities; k++)
    if (strcmp(quantities[k].name, "mean_square") == 0 && quantities[k].deviation > 10.0)
      fprintf(
          stderr,
          "sgflow: warning: the mean of the recorded weights is far from theta*, its square %.3g times the predicted "
          "trace: is network.weights the minimum that they fluctuate about?\n",
          quantities[k].deviation);
}

static sgf_status simulate(job *run, sgf_status (*experiment)(job *))
{
  sgf_status status = go_on(run);
  if (status == SGF_OK) status = experiment_open(run);
  if (status == SGF_OK) status = experiment(run);
  if (status == SGF_ERROR_DIVERGED) add_limit(run);
  return status;
}

sgf_status job_simulate(job *run) { return simulate(run, experiment_simulate); }

sgf_status job_look(job *run) { return simulate(run, experiment_verify); }

sgf_status job_read_trajectory(job *run)
{
  size_t count = 0;
  const double *directions = run->prediction != NULL ? sgf_prediction_directions(run->prediction, &count) : NULL;
  sgf_status status = count > 0
                          ? sgf_trajectory_read_on(run->asked->trajectory, run->problem, count, directions,
                                                   &run->recorded, &run->error)
                          : sgf_trajectory_read(run->asked->trajectory, run->problem, &run->recorded, &run->error);
  run->ensemble = run->recorded;
  return status;
}

sgf_status job_compare(job *run)
{
  sgf_status status = go_on(run);
  if (status == SGF_OK)
    status = sgf_compare(run->problem, run->prediction, run->ensemble, &run->comparison, &run->error);
  if (status == SGF_OK && sgf_ensemble_get_info(run->ensemble)->recorded) warn_of_another_minimum(run);
  return status;
}

bool job_is_unstable(const job *run)
{
  return !(sgf_problem_settings(run->problem)->training.learning_rate < sgf_learning_rate_limit(run->prediction));
}

static sgf_status write_outputs(job *run, const sgf_prediction *prediction)
{
  sgf_provenance provenance = {
      .config = run->config, .command = run->command, .threads = run->threads, .request = run->request};
  bool figures = true;
  sgf_status status = go_on(run);
  if (status == SGF_OK && run->asked->record != NULL)
    status =
        sgf_simulation_record_end(run->simulation, &run->recorded_replicas, &run->recorded_snapshots, &run->error);
  if (status == SGF_OK && run->asked->output != NULL)
    status = sgf_write_results(run->asked->output, &provenance, run->problem, prediction, run->ensemble,
                               run->comparison, run->asked->full, &run->error);
  if (status == SGF_OK && run->asked->report != NULL)
    status = sgf_write_report(run->asked->report, &provenance, run->problem, run->prediction, run->ensemble,
                              run->comparison, &figures, &run->error);
  if (!figures && run->asked->report != NULL)
    fprintf(stderr, "sgflow: warning: gnuplot was not found or failed: %s has no figures\n", run->asked->report);
  return status;
}

static sgf_status print_results(job *run, const sgf_prediction *prediction)
{
  sgf_status status = SGF_OK;
  if (run->asked->json)
    status = summary_print(run, prediction) ? SGF_OK : fail(run, SGF_ERROR_MEMORY, "no memory for the summary");
  else
    table_print(run, prediction);
  if (status == SGF_OK && (fflush(stdout) != 0 || ferror(stdout))) {
    snprintf(run->error.message, sizeof run->error.message, "standard output: %s", strerror(errno));
    run->error.status = status = SGF_ERROR_WRITE;
  }
  return status;
}

sgf_status job_finish(job *run, bool with_theory)
{
  const sgf_prediction *prediction = with_theory ? run->prediction : NULL;
  run->config = config_text(sgf_problem_settings(run->problem), run->planned ? &run->plan : NULL);
  run->command = options_text(run->what, run->asked);
  if (run->config == NULL || run->command == NULL) return fail(run, SGF_ERROR_MEMORY, "no memory for the provenance");
  progress_wait_for_stages(true); /* outputs are completed or removed before a signal ends the program */
  sgf_status status = write_outputs(run, prediction);
  progress_wait_for_stages(false);
  if (status == SGF_OK && !run->asked->quiet) status = print_results(run, prediction);
  if (status == SGF_OK) experiment_complete(run);
  return status;
}

int job_exit_status(sgf_status status)
{
  switch (status) {
  case SGF_OK: return 0;
  case SGF_ERROR_VALUE:
  case SGF_ERROR_UNSUPPORTED:
  case SGF_ERROR_UNSTABLE:
  case SGF_ERROR_INCOMPATIBLE:
  case SGF_ERROR_AMBIGUOUS:
  case SGF_ERROR_DIVERGED: return 65;
  case SGF_ERROR_NO_INPUT: return 66;
  case SGF_ERROR_CREATE: return 73;
  case SGF_ERROR_WRITE: return 74;
  case SGF_ERROR_MEMORY:
  case SGF_ERROR_NUMERICAL: return 70;
  case SGF_ERROR_INTERRUPTED: return 130;
  }
  return 70;
}

int job_close(job *run, sgf_status status)
{
  int code = job_exit_status(status);
  if (status == SGF_OK && run->comparison != NULL) code = (int)sgf_comparison_get_info(run->comparison)->verdict;
  if (status != SGF_OK) fprintf(stderr, "sgflow: %s\n", run->error.message);
  sgf_comparison_free(run->comparison);
  sgf_ensemble_free(run->recorded);
  sgf_simulation_free(run->simulation);
  sgf_prediction_free(run->prediction);
  sgf_problem_free(run->problem);
  free(run->config);
  free(run->command);
  free(run->request);
  free(run->checkpoint);
  lock_release(&run->lock);
  if (run->checkpointed) return EXIT_CHECKPOINT;
  if (status == SGF_ERROR_INTERRUPTED && progress_signal() != 0) {
    /* Die of the signal, as the shell expects of an interrupted program. */
    signal(progress_signal(), SIG_DFL);
    raise(progress_signal());
  }
  return code;
}
