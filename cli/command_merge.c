/* sgflow merge: the points of a sweep as one table. */
#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "sweep.h"

enum { EXIT_DATA = 65, FACES = 4, MOST_LAYER_NAME = 48 };

/* What a row has of each quantity, and the quantities; those of the layers stand behind the second. */
static const char *const faces[FACES] = {"predicted", "measured", "standard_error", "deviation"};
static const char *const quantities[] = {"trace", "excess_loss", "ivfr_psi", "mean_square",
                                         "fluctuation_dissipation"};
enum { QUANTITIES = sizeof quantities / sizeof *quantities, BEFORE_LAYERS = 2, TRACE = 0, EXCESS_LOSS = 1 };

/* Numbers of a point by their place in its output. */
static const char *const numbers[] = {"theory/min_loss",        "theory/rank_hessian", "theory/stability_limit",
                                      "theory/relaxation_rate", "simulation/steps",    "simulation/seconds"};
enum { NUMBERS = sizeof numbers / sizeof *numbers };

typedef struct {
  point_state state;
  int exit_status;
  char *verdict, *message; /* NULL: none */
  double *values;          /* (columns, FACES) */
  double numbers[NUMBERS];
} merged_row;

typedef struct {
  const options *asked;
  char *command;
  sweep of;
  size_t layers, columns; /* quantities of a row, those of the layers with them */
  merged_row *rows;       /* (points) */
  bool refused;           /* a file that is there is no part of the table */
  sgf_error error;
} merged;

static sgf_status fail(merged *work, sgf_status status, const char *message)
{
  work->error.status = status;
  snprintf(work->error.message, sizeof work->error.message, "%s", message);
  return status;
}

static bool has_numbers(const merged_row *row)
{
  return row->state == POINT_DONE || row->state == POINT_OTHER_VERSION;
}

static const char *number_name(size_t k) { return strchr(numbers[k], '/') + 1; }

/* Name of a column: trace, excess_loss, layer1_trace ..., and the others. */
static void column_name(const merged *work, size_t column, char name[MOST_LAYER_NAME])
{
  if (column < BEFORE_LAYERS)
    snprintf(name, MOST_LAYER_NAME, "%s", quantities[column]);
  else if (column < BEFORE_LAYERS + work->layers)
    snprintf(name, MOST_LAYER_NAME, "layer%zu_trace", column - BEFORE_LAYERS + 1);
  else
    snprintf(name, MOST_LAYER_NAME, "%s", quantities[column - work->layers]);
}

/* --------------------------------------------------------------------- reading */

/* Layers of the deepest network of the grid; one layer is no other than the whole. */
static sgf_status count_layers(merged *work)
{
  double most = 1.0;
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < work->of.grid.points && status == SGF_OK; k++) {
    sweep_point point;
    status = sweep_look(&work->of, k, &point, &work->error);
    if (point.results != NULL) most = fmax(most, sgf_results_number(point.results, "theory/layers"));
    sweep_point_close(&point);
  }
  work->layers = most > 1.0 && most < 1000.0 ? (size_t)most : 0;
  work->columns = QUANTITIES + work->layers;
  return status;
}

static sgf_status read_numbers(const merged *work, const sgf_results *results, merged_row *row)
{
  char name[MOST_LAYER_NAME], place[128];
  row->values = calloc(work->columns * FACES, sizeof *row->values);
  if (row->values == NULL) return SGF_ERROR_MEMORY;
  for (size_t column = 0; column < work->columns; column++)
    for (size_t face = 0; face < FACES; face++) {
      column_name(work, column, name);
      snprintf(place, sizeof place, "comparison/%s/%s", name, faces[face]);
      row->values[column * FACES + face] = sgf_results_number(results, place);
    }
  for (size_t k = 0; k < NUMBERS; k++) row->numbers[k] = sgf_results_number(results, numbers[k]);
  return SGF_OK;
}

static sgf_status read_row(merged *work, size_t index)
{
  merged_row *row = &work->rows[index];
  sweep_point point;
  sgf_status status = sweep_look(&work->of, index, &point, &work->error);
  if (status != SGF_OK) return status;
  row->state = point.state;
  row->exit_status = point.exit_status;
  if (has_numbers(row)) {
    row->verdict = strdup(point.verdict != NULL ? point.verdict : "none");
    status = read_numbers(work, point.results, row);
  }
  if (point.message[0] != '\0') row->message = strdup(point.message);
  if ((row->message == NULL) != (point.message[0] == '\0') || (has_numbers(row) && row->verdict == NULL))
    status = SGF_ERROR_MEMORY;
  sweep_point_close(&point);
  return status == SGF_ERROR_MEMORY ? fail(work, status, "no memory for the table") : status;
}

static sgf_status read_rows(merged *work)
{
  work->rows = calloc(work->of.grid.points, sizeof *work->rows);
  if (work->rows == NULL) return fail(work, SGF_ERROR_MEMORY, "no memory for the table");
  sgf_status status = count_layers(work);
  for (size_t k = 0; k < work->of.grid.points && status == SGF_OK; k++) status = read_row(work, k);
  return status;
}

/* The table must not be written over what it is made of. */
static sgf_status check_output(merged *work)
{
  const char *output = work->asked->output;
  char path[4096];
  bool input = false;
  if (output == NULL) return SGF_OK;
  snprintf(path, sizeof path, "%s/sweep.yaml", work->of.folder);
  input = job_same_file(output, path);
  for (size_t k = 0; k < work->of.grid.points && !input; k++) {
    snprintf(path, sizeof path, "%s/point-%05zu.h5", work->of.folder, k);
    input = job_same_file(output, path);
  }
  if (!input) return sgf_check_output(output, &work->error);
  snprintf(work->error.message, sizeof work->error.message, "%s: cannot be created, it is an input", output);
  return work->error.status = SGF_ERROR_CREATE;
}

/* ---------------------------------------------------- what is not in the table */

/* The points in a state, as Slurm's --array has them: 2,5-6. NULL when out of memory. Caller frees. */
static char *points_in(const merged *work, point_state state, size_t *count)
{
  char *text = NULL;
  size_t length, points = work->of.grid.points;
  FILE *out = open_memstream(&text, &length);
  *count = 0;
  if (out == NULL) return NULL;
  for (size_t first = 0, end; first < points; first = end + 1) {
    for (end = first; end < points && work->rows[end].state == state; end++) {
    }
    if (end == first) continue;
    fprintf(out, end - first > 1 ? "%s%zu-%zu" : "%s%zu", *count > 0 ? "," : "", first, end - 1);
    *count += end - first;
  }
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}

static void report_points(merged *work)
{
  size_t missing, other;
  char *absent = points_in(work, POINT_MISSING, &missing), *versions = points_in(work, POINT_OTHER_VERSION, &other);
  for (size_t k = 0; k < work->of.grid.points; k++) {
    const merged_row *row = &work->rows[k];
    bool refused = row->state == POINT_DAMAGED || row->state == POINT_OTHER_CONFIG;
    if (refused) fprintf(stderr, "sgflow: %s\n", row->message);
    if (row->state == POINT_FAILED)
      fprintf(stderr, "sgflow: warning: point %zu failed (%d): %s\n", k, row->exit_status, row->message);
    work->refused = work->refused || refused;
  }
  if (missing > 0 && absent != NULL)
    fprintf(stderr, "sgflow: warning: %zu of %zu points are missing: %s\n", missing, work->of.grid.points, absent);
  if (other > 0 && versions != NULL)
    fprintf(stderr, "sgflow: warning: of another version than %s: points %s\n", sgf_version(), versions);
  free(absent);
  free(versions);
}

/* Files point-*.h5 that the grid does not have. */
static void report_strangers(merged *work)
{
  DIR *folder = opendir(work->of.folder);
  for (struct dirent *file; folder != NULL && (file = readdir(folder)) != NULL;) {
    char *end, expected[64];
    size_t length = strlen(file->d_name);
    if (strncmp(file->d_name, "point-", 6) != 0 || length < 9 || strcmp(file->d_name + length - 3, ".h5") != 0)
      continue;
    size_t index = strtoul(file->d_name + 6, &end, 10);
    snprintf(expected, sizeof expected, "point-%05zu.h5", index);
    if (index < work->of.grid.points && strcmp(file->d_name, expected) == 0) continue;
    fprintf(stderr, "sgflow: %s/%s: no point of the grid, they are 0 to %zu\n", work->of.folder, file->d_name,
            work->of.grid.points - 1);
    work->refused = true;
  }
  if (folder != NULL) closedir(folder);
}

/* ------------------------------------------------------------------------- CSV */

static void put_field(FILE *out, const char *text)
{
  if (strpbrk(text, ",\"\r\n") == NULL) {
    fputs(text, out);
    return;
  }
  fputc('"', out);
  for (; *text != '\0'; text++) fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, out);
  fputc('"', out);
}

/* ",value"; nothing behind the comma where there is no number. */
static void put_number(FILE *out, double value)
{
  fputc(',', out);
  if (!isnan(value)) fprintf(out, "%.17g", value);
}

static void put_heading(const merged *work, FILE *out)
{
  char name[MOST_LAYER_NAME];
  fprintf(out, "# sgflow %s\n# %s\nindex", sgf_version(), work->command);
  for (size_t k = 0; k < work->of.grid.axis_count; k++) {
    fputc(',', out);
    put_field(out, work->of.grid.axes[k].key);
  }
  fputs(",state,verdict", out);
  for (size_t column = 0; column < work->columns; column++) {
    column_name(work, column, name);
    for (size_t face = 0; face < FACES; face++) fprintf(out, ",%s_%s", name, faces[face]);
  }
  for (size_t k = 0; k < NUMBERS; k++) fprintf(out, ",%s", number_name(k));
  fputs(",message\n", out);
}

static void put_row(const merged *work, size_t index, FILE *out)
{
  const merged_row *row = &work->rows[index];
  fprintf(out, "%zu", index);
  for (size_t k = 0; k < work->of.grid.axis_count; k++) {
    fputc(',', out);
    put_field(out, grid_value(&work->of.grid, k, index));
  }
  fprintf(out, ",%s,%s", point_state_text(row->state), row->verdict != NULL ? row->verdict : "");
  for (size_t k = 0; k < work->columns * FACES; k++) put_number(out, row->values != NULL ? row->values[k] : NAN);
  for (size_t k = 0; k < NUMBERS; k++) put_number(out, has_numbers(row) ? row->numbers[k] : NAN);
  fputc(',', out);
  put_field(out, row->message != NULL ? row->message : "");
  fputc('\n', out);
}

static sgf_status write_csv(merged *work)
{
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (out == NULL) return fail(work, SGF_ERROR_MEMORY, "no memory for the table");
  put_heading(work, out);
  for (size_t k = 0; k < work->of.grid.points; k++) put_row(work, k, out);
  sgf_status status = fclose(out) == 0 ? sgf_write_text(work->asked->output, text, &work->error)
                                       : fail(work, SGF_ERROR_MEMORY, "no memory for the table");
  free(text);
  return status;
}

/* ----------------------------------------------------------------- table, JSON */

static int key_width(const grid_axis *axis)
{
  size_t width = strlen(axis->key);
  for (size_t k = 0; k < axis->count; k++)
    if (strlen(axis->values[k]) > width) width = strlen(axis->values[k]);
  return width < 60 ? (int)width : 60;
}

static void print_rows(const merged *work)
{
  const grid *points = &work->of.grid;
  size_t psi = 2 + work->layers;
  printf("  point");
  for (size_t k = 0; k < points->axis_count; k++) printf("  %*s", key_width(&points->axes[k]), points->axes[k].key);
  printf("  %-13s %12s %12s %10s %11s %9s %9s\n", "verdict", "trace", "measured", "deviation", "excess loss", "psi",
         "measured");
  for (size_t index = 0; index < points->points; index++) {
    const merged_row *row = &work->rows[index];
    printf("  %5zu", index);
    for (size_t k = 0; k < points->axis_count; k++)
      printf("  %*s", key_width(&points->axes[k]), grid_value(points, k, index));
    printf(has_numbers(row) ? "  %-13s" : "  %s", has_numbers(row) ? row->verdict : point_state_text(row->state));
    if (has_numbers(row)) {
      const double *trace = row->values + TRACE * FACES, *loss = row->values + EXCESS_LOSS * FACES;
      printf(" %12.6g %12.6g %+8.2f %% %+9.2f %% %9.4g %9.4g", trace[0], trace[1], 100.0 * trace[3], 100.0 * loss[3],
             row->values[psi * FACES], row->values[psi * FACES + 1]);
    }
    printf("\n");
  }
  printf("\n");
}

static void print_counts(const merged *work)
{
  size_t count[3] = {0}, without = 0;
  for (size_t index = 0; index < work->of.grid.points; index++) {
    const merged_row *row = &work->rows[index];
    bool known = false;
    for (int k = SGF_AGREE; k <= SGF_INCONCLUSIVE && row->verdict != NULL; k++)
      if (strcmp(row->verdict, sgf_verdict_text((sgf_verdict)k)) == 0) {
        count[k]++;
        known = true;
      }
    without += !known;
  }
  printf("sweep        %zu points in %s\n", work->of.grid.points, work->of.folder);
  printf("verdict      %zu agree, %zu disagree, %zu inconclusive, %zu without\n", count[SGF_AGREE],
         count[SGF_DISAGREE], count[SGF_INCONCLUSIVE], without);
  if (work->asked->output != NULL) printf("output       %s\n", work->asked->output);
}

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *row_object(const merged *work, size_t index)
{
  const merged_row *row = &work->rows[index];
  const grid *points = &work->of.grid;
  json_t *object = json_object(), *values = json_object(), *all = json_object();
  char name[MOST_LAYER_NAME];
  for (size_t k = 0; k < points->axis_count; k++)
    json_object_set_new(values, points->axes[k].key, json_string(grid_value(points, k, index)));
  json_object_set_new(object, "index", json_integer((json_int_t)index));
  json_object_set_new(object, "values", values);
  json_object_set_new(object, "state", json_string(point_state_text(row->state)));
  json_object_set_new(object, "verdict", row->verdict != NULL ? json_string(row->verdict) : json_null());
  for (size_t column = 0; column < work->columns && row->values != NULL; column++) {
    json_t *quantity = json_object();
    column_name(work, column, name);
    for (size_t face = 0; face < FACES; face++)
      json_object_set_new(quantity, faces[face], number(row->values[column * FACES + face]));
    json_object_set_new(all, name, quantity);
  }
  json_object_set_new(object, "quantities", all);
  for (size_t k = 0; k < NUMBERS; k++)
    json_object_set_new(object, number_name(k), has_numbers(row) ? number(row->numbers[k]) : json_null());
  if (row->message != NULL) json_object_set_new(object, "message", json_string(row->message));
  return object;
}

static sgf_status print_json(merged *work)
{
  json_t *root = json_object(), *rows = json_array();
  for (size_t k = 0; k < work->of.grid.points; k++) json_array_append_new(rows, row_object(work, k));
  json_object_set_new(root, "version", json_string(sgf_version()));
  json_object_set_new(root, "command", json_string(work->command));
  json_object_set_new(root, "folder", json_string(work->of.folder));
  json_object_set_new(root, "points", rows);
  char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  json_decref(root);
  if (text == NULL) return fail(work, SGF_ERROR_MEMORY, "no memory for the summary");
  puts(text);
  free(text);
  return SGF_OK;
}

static sgf_status print_results(merged *work)
{
  sgf_status status = SGF_OK;
  if (work->asked->json) {
    status = print_json(work);
  } else {
    if (work->asked->output == NULL) print_rows(work);
    print_counts(work);
  }
  if (status != SGF_OK || (fflush(stdout) == 0 && !ferror(stdout))) return status;
  return fail(work, SGF_ERROR_WRITE, "standard output: cannot be written");
}

/* ---------------------------------------------------------------------- driver */

static void merged_free(merged *work)
{
  for (size_t k = 0; k < work->of.grid.points && work->rows != NULL; k++) {
    free(work->rows[k].verdict);
    free(work->rows[k].message);
    free(work->rows[k].values);
  }
  free(work->rows);
  free(work->command);
  sweep_free(&work->of);
}

static int run(const options *asked)
{
  merged work = {.asked = asked, .command = options_text(&command_merge, asked)};
  sgf_status status = work.command != NULL ? SGF_OK : fail(&work, SGF_ERROR_MEMORY, "no memory for the table");
  if (status == SGF_OK) status = sweep_read(asked->config, &work.of, &work.error);
  if (status == SGF_OK) status = check_output(&work);
  if (status == SGF_OK) status = read_rows(&work);
  if (status == SGF_OK) report_points(&work);
  if (status == SGF_OK) report_strangers(&work);
  if (status == SGF_OK && asked->output != NULL) status = write_csv(&work);
  if (status == SGF_OK) status = print_results(&work);
  if (status != SGF_OK) fprintf(stderr, "sgflow: %s\n", work.error.message);
  bool refused = work.refused;
  merged_free(&work);
  return status == SGF_OK && refused ? EXIT_DATA : job_exit_status(status);
}

const command command_merge = {
    "merge",
    ACCEPTS_FOLDER,
    "the points of a sweep as one table",
    "Read the points of the sweep in DIR and make one table: a row for each point of the grid, with its values, "
    "state, "
    "verdict, what was predicted and measured, standard error and deviation of the main quantities. A sweep that is "
    "not complete, or still running, is merged as far as it is.",
    "CSV has all numbers with 17 digits and begins with comment lines (#): pandas.read_csv(FILE, comment='#'). "
    "Missing "
    "and failed points are named on stderr, and are rows without numbers.",
    "0\tsuccess, also if points are missing, failed or disagree\n" STATUS_USAGE
    "65\tDIR is no folder of a sweep, or a point in it is damaged or of another config (the rest is merged)\n"
    "66\tno such folder\n" STATUS_OUTPUT,
    "DIR\tfolder of sgflow sweep\n-o FILE\tCSV, written beside and renamed when complete\n",
    "sgflow merge rates\ta readable table\nsgflow merge rates -o rates.csv\tall numbers\n",
    "sweep",
    run};
