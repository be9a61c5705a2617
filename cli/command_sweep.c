/* sgflow sweep: verify at every point of a grid, or at one of them as a job of its own. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "progress.h"
#include "sweep.h"

enum { EXIT_USAGE = 64, EXIT_DATA = 65, EXIT_CHECKPOINT = 75 };

/* How a point ended. */
typedef struct {
  const char *state; /* "run", "up to date", "stopped", "failed" or "refused" */
  int exit_status;
  char verdict[16]; /* empty: none */
  char message[SGF_MESSAGE_LENGTH];
} outcome;

typedef struct {
  const options *asked;
  sweep of;
  size_t verdicts[3], without; /* points by sgf_verdict, and those without one */
  int worst;
  json_t *points;
  sgf_error error;
} campaign;

static sgf_status fail(campaign *work, sgf_status status, const char *message)
{
  work->error.status = status;
  snprintf(work->error.message, sizeof work->error.message, "%s", message);
  return status;
}

/* ---------------------------------------------------------------- command line */

/* The config's name without folder and ending, and -sweep; NULL when out of memory. Caller frees. */
static char *default_folder(const char *config)
{
  const char *slash = strrchr(config, '/'), *name = slash != NULL ? slash + 1 : config, *dot = strrchr(name, '.');
  char *folder;
  int length = (int)(dot != NULL && dot > name ? (size_t)(dot - name) : strlen(name));
  return asprintf(&folder, "%.*s-sweep", length, name) < 0 ? NULL : folder;
}

/* A key has its value from one place. */
static sgf_status check_overrides(campaign *work, const grid *points)
{
  char message[SGF_MESSAGE_LENGTH];
  for (size_t k = 0; k < points->axis_count; k++)
    for (size_t i = 0; i < work->asked->override_count; i++) {
      const char *key = points->axes[k].key, *override = work->asked->overrides[i];
      if (strncmp(override, key, strlen(key)) != 0 || override[strlen(key)] != '=') continue;
      snprintf(message, sizeof message, "--set %.200s: %.100s is a key of the grid", override, key);
      return fail(work, SGF_ERROR_VALUE, message);
    }
  return SGF_OK;
}

/* The sweep as the command line has it; *usage says that a failure is one of use. */
static sgf_status open_sweep(campaign *work, bool *usage)
{
  const options *asked = work->asked;
  char message[SGF_MESSAGE_LENGTH];
  grid points;
  *usage = true;
  sgf_status status = grid_create(asked->grid, asked->grid_count, &points, &work->error);
  if (status == SGF_OK) status = check_overrides(work, &points);
  if (status == SGF_OK && asked->indexed && asked->index >= points.points) {
    snprintf(message, sizeof message, "--index is %zu: the grid has %zu points, 0 to %zu", asked->index,
             points.points, points.points - 1);
    status = fail(work, SGF_ERROR_VALUE, message);
  }
  if (status != SGF_OK) {
    grid_free(&points);
    return status;
  }
  *usage = false;
  char *folder = asked->folder != NULL ? strdup(asked->folder) : default_folder(asked->config);
  status = folder != NULL ? sweep_create(folder, &points, asked->config, asked->overrides, asked->override_count,
                                         &work->of, &work->error)
                          : fail(work, SGF_ERROR_MEMORY, "no memory for the sweep");
  grid_free(&points);
  free(folder);
  return status;
}

/* ---------------------------------------------------------------------- a point */

/* The options of sgflow verify at a point; output and overrides are the caller's to free. */
static sgf_status point_options(campaign *work, size_t index, options *point, char **output, char ***values)
{
  const options *asked = work->asked;
  const grid *points = &work->of.grid;
  *point = *asked;
  *output = sweep_path(&work->of, index, ".h5");
  *values = grid_overrides(points, index);
  point->continues = true;
  point->overrides = calloc(asked->override_count + points->axis_count + 1, sizeof *point->overrides);
  point->override_count = asked->override_count + points->axis_count;
  point->output = *output;
  point->quiet = !asked->indexed || asked->json;
  point->json = point->indexed = point->overwrite = false;
  point->folder = NULL;
  point->grid_count = 0;
  if (*output == NULL || *values == NULL || point->overrides == NULL)
    return fail(work, SGF_ERROR_MEMORY, "no memory for a point");
  for (size_t k = 0; k < asked->override_count; k++) point->overrides[k] = asked->overrides[k];
  for (size_t k = 0; k < points->axis_count; k++) point->overrides[asked->override_count + k] = (*values)[k];
  return SGF_OK;
}

/* A failure is kept for sgflow merge, unless there is an output without a verdict. */
static sgf_status keep_failure(campaign *work, size_t index, outcome *ended)
{
  sweep_point point;
  sgf_status status = sweep_look(&work->of, index, &point, &work->error);
  bool written = status == SGF_OK && point.state == POINT_DONE;
  sweep_point_close(&point);
  if (status != SGF_OK || written) return status;
  ended->state = "failed";
  return sweep_note_failure(&work->of, index, ended->exit_status, ended->message, &work->error);
}

/* Run a point. The failure of a point is an outcome; the status is that of the sweep. */
static sgf_status verify_point(campaign *work, size_t index, outcome *ended)
{
  options point;
  char *output, **values;
  job made;
  sgf_status status = point_options(work, index, &point, &output, &values);
  if (status == SGF_OK) {
    sgf_status verified = job_verify(&made, &point);
    ended->state = "run";
    ended->exit_status = job_exit_status(verified);
    if (verified == SGF_OK) {
      ended->exit_status = (int)sgf_comparison_get_info(made.comparison)->verdict;
      snprintf(ended->verdict, sizeof ended->verdict, "%s", sgf_verdict_text((sgf_verdict)ended->exit_status));
      status = sweep_note_failure(&work->of, index, 0, NULL, &work->error);
    } else if (made.checkpointed) {
      ended->state = "stopped";
      ended->exit_status = EXIT_CHECKPOINT;
      snprintf(made.error.message, sizeof made.error.message,
               "point %zu: stopped; %.400s has all of it, the same sweep continues", index, made.checkpoint);
    } else if (verified != SGF_ERROR_INTERRUPTED) {
      memcpy(ended->message, made.error.message, sizeof ended->message);
      status = keep_failure(work, index, ended);
      snprintf(made.error.message, sizeof made.error.message, "point %zu: %.480s", index, ended->message);
    }
    job_close(&made, verified);
  }
  free(point.overrides);
  free(output);
  grid_overrides_free(&work->of.grid, values);
  return status;
}

/* What is there is not run again; what is there and of something else stays there. */
static sgf_status settle_point(campaign *work, size_t index, outcome *ended)
{
  sweep_point point;
  memset(ended, 0, sizeof *ended);
  sgf_status status = sweep_look(&work->of, index, &point, &work->error);
  if (status != SGF_OK) return status;
  point_state state = point.state;
  if (state == POINT_DONE) {
    ended->state = "up to date";
    ended->exit_status = point.exit_status;
    snprintf(ended->verdict, sizeof ended->verdict, "%s", point.verdict != NULL ? point.verdict : "");
  } else if (state > POINT_MISSING && !work->asked->overwrite) {
    ended->state = "refused";
    ended->exit_status = EXIT_DATA;
    snprintf(ended->message, sizeof ended->message, "%.470s (--overwrite replaces it)", point.message);
    fprintf(stderr, "sgflow: %s\n", ended->message);
  }
  sweep_point_close(&point);
  return ended->state != NULL ? SGF_OK : verify_point(work, index, ended);
}

/* --------------------------------------------------------------------- printing */

static int column_width(const grid_axis *axis)
{
  size_t width = strlen(axis->key);
  for (size_t k = 0; k < axis->count; k++)
    if (strlen(axis->values[k]) > width) width = strlen(axis->values[k]);
  return width < 60 ? (int)width : 60;
}

static void print_heading(const campaign *work)
{
  const grid *points = &work->of.grid;
  printf("sweep        %zu points in %s\n  point", points->points, work->of.folder);
  for (size_t k = 0; k < points->axis_count; k++)
    printf("  %*s", column_width(&points->axes[k]), points->axes[k].key);
  printf("  verdict\n");
}

static void print_row(const campaign *work, size_t index, const outcome *ended)
{
  const grid *points = &work->of.grid;
  printf("  %5zu", index);
  for (size_t k = 0; k < points->axis_count; k++)
    printf("  %*s", column_width(&points->axes[k]), grid_value(points, k, index));
  bool settled = strcmp(ended->state, "run") == 0 || strcmp(ended->state, "up to date") == 0;
  printf("  %s", !settled ? ended->state : ended->verdict[0] != '\0' ? ended->verdict : "none");
  if (strcmp(ended->state, "up to date") == 0) printf(", up to date");
  if (ended->exit_status >= EXIT_USAGE) printf(" (%d)", ended->exit_status);
  printf("\n");
  fflush(stdout); /* a sweep may take days */
}

static void print_up_to_date(const campaign *work, size_t index, const outcome *ended)
{
  char *path = sweep_path(&work->of, index, ".h5");
  printf("point %-6zu up to date: %s, verdict %s\n", index, path != NULL ? path : "",
         ended->verdict[0] != '\0' ? ended->verdict : "none");
  free(path);
}

static void add_to_summary(campaign *work, size_t index, const outcome *ended)
{
  const grid *points = &work->of.grid;
  json_t *point = json_object(), *values = json_object();
  char *path = sweep_path(&work->of, index, ".h5");
  for (size_t k = 0; k < points->axis_count; k++)
    json_object_set_new(values, points->axes[k].key, json_string(grid_value(points, k, index)));
  json_object_set_new(point, "index", json_integer((json_int_t)index));
  json_object_set_new(point, "values", values);
  json_object_set_new(point, "state", json_string(ended->state));
  json_object_set_new(point, "verdict", ended->verdict[0] != '\0' ? json_string(ended->verdict) : json_null());
  json_object_set_new(point, "exit_status", json_integer(ended->exit_status));
  if (ended->message[0] != '\0') json_object_set_new(point, "message", json_string(ended->message));
  if (path != NULL) json_object_set_new(point, "output", json_string(path));
  json_array_append_new(work->points, point);
  free(path);
}

static sgf_status print_summary(campaign *work)
{
  json_t *root = json_object();
  char *made_by = options_text(&command_sweep, work->asked);
  json_object_set_new(root, "version", json_string(sgf_version()));
  json_object_set_new(root, "command", json_string(made_by != NULL ? made_by : ""));
  json_object_set_new(root, "folder", json_string(work->of.folder));
  json_object_set_new(root, "grid_points", json_integer((json_int_t)work->of.grid.points));
  json_object_set(root, "points", work->points);
  char *text = json_dumps(root, JSON_INDENT(2));
  json_decref(root);
  free(made_by);
  if (text == NULL) return fail(work, SGF_ERROR_MEMORY, "no memory for the summary");
  puts(text);
  free(text);
  return SGF_OK;
}

static void print_counts(const campaign *work)
{
  printf("verdict      %zu agree, %zu disagree, %zu inconclusive, %zu without\n", work->verdicts[SGF_AGREE],
         work->verdicts[SGF_DISAGREE], work->verdicts[SGF_INCONCLUSIVE], work->without);
}

/* ---------------------------------------------------------------------- drivers */

/* Failures before disagreement, disagreement before what is not decided. */
static int severity(int exit_status)
{
  return exit_status == (int)SGF_DISAGREE ? 2 : exit_status == (int)SGF_INCONCLUSIVE ? 1 : exit_status;
}

static sgf_status take_point(campaign *work, size_t index)
{
  const options *asked = work->asked;
  outcome ended;
  sgf_status status = settle_point(work, index, &ended);
  if (status != SGF_OK) return status;
  if (severity(ended.exit_status) > severity(work->worst)) work->worst = ended.exit_status;
  if (ended.exit_status <= (int)SGF_INCONCLUSIVE)
    work->verdicts[ended.exit_status]++;
  else
    work->without++;
  if (asked->json)
    add_to_summary(work, index, &ended);
  else if (!asked->indexed)
    print_row(work, index, &ended);
  else if (strcmp(ended.state, "up to date") == 0)
    print_up_to_date(work, index, &ended);
  return SGF_OK;
}

static sgf_status take_points(campaign *work)
{
  const options *asked = work->asked;
  size_t first = asked->indexed ? asked->index : 0, end = asked->indexed ? first + 1 : work->of.grid.points;
  sgf_status status = sweep_settle(&work->of, asked->overwrite, &work->error);
  if (status == SGF_OK && !asked->json && !asked->indexed) print_heading(work);
  for (size_t k = first; k < end && status == SGF_OK && progress_signal() == 0; k++) status = take_point(work, k);
  if (status == SGF_OK && asked->json) status = print_summary(work);
  if (status == SGF_OK && !asked->json && !asked->indexed) print_counts(work);
  return status;
}

static int run(const options *asked)
{
  campaign work = {.asked = asked, .points = json_array()};
  bool usage;
  sgf_status status = open_sweep(&work, &usage);
  if (status == SGF_OK && asked->count)
    printf("%zu\n", work.of.grid.points);
  else if (status == SGF_OK)
    status = take_points(&work);
  if (status == SGF_OK && (fflush(stdout) != 0 || ferror(stdout)))
    status = fail(&work, SGF_ERROR_WRITE, "standard output: cannot be written");
  if (status != SGF_OK) fprintf(stderr, "sgflow: %s\n", work.error.message);
  sweep_free(&work.of);
  json_decref(work.points);
  if (status == SGF_OK) return work.worst;
  return usage && status == SGF_ERROR_VALUE ? EXIT_USAGE : job_exit_status(status);
}

const command command_sweep = {
    "sweep",
    ACCEPTS_GRID | ACCEPTS_THREADS | ACCEPTS_BUDGET,
    "verify at every point of a grid, here or as jobs of a cluster",
    "Run sgflow verify at the points of a grid, the Cartesian product of the values of some keys, one after the "
    "other, "
    "or with --index one of them: as jobs of a cluster, of any number of machines that share the folder. Point 7 "
    "goes "
    "to DIR/point-00007.h5. A point that is there, of the same config and version, is not run again; one of another "
    "config or version is refused. sgflow merge DIR makes one table of all.",
    "A point that fails does not stop the others: DIR/point-00007.error says why, and the next run tries it again. A "
    "point that is stopped by a signal leaves DIR/point-00007.h5.checkpoint, from which the same sweep continues it; "
    "so "
    "does one whose job is killed after some minutes. A job killed while it writes leaves a file with .part- in its "
    "name, "
    "which no command reads. Data and weights in files are known by their names: after a change of what is in them, "
    "sweep into another folder.\n\n"
    "With --index the exit status is that of sgflow verify. Otherwise it is of all points, and if one failed or was "
    "stopped the largest of their statuses.",
    "0\tall points agree\n1\tone disagrees\n2\tone is inconclusive and none disagrees\n"
    "64\tusage, or an index beyond the grid\n65\tbad data or config, or a folder or point of another "
    "sweep\n" STATUS_ABSENT STATUS_OUTPUT STATUS_CHECKPOINT,
    FILES_CONFIG "DIR/sweep.yaml\tthe config and the grid\nDIR/point-00007.h5\toutput of sgflow verify at point 7\n"
                 "DIR/point-00007.error\twhy it failed\n",
    "sgflow sweep config.yaml --grid training.learning_rate=0.02,0.05 --grid seed=1,2,3 --out rates\tsix points\n"
    "sgflow sweep config.yaml --grid seed=1,2,3 --out seeds --index 2\tthe third of them alone\n",
    "merge verify",
    run};
