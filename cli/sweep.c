/* The folder of a sweep: sweep.yaml with grid and config, and for each point its output or why it failed.
 *
 * A point is known by its request, the config as asked with the grid's values put in: an output, or the note of a failure,
 * is of this sweep when it has the same. */
#include "sweep.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"

static const char FILE_NAME[] = "sweep.yaml";

static sgf_status no_memory(sgf_error *error)
{
  error->status = SGF_ERROR_MEMORY;
  snprintf(error->message, sizeof error->message, "no memory for the sweep");
  return SGF_ERROR_MEMORY;
}

static sgf_status refuse(sgf_error *error, sgf_status status, const char *name, const char *message)
{
  error->status = status;
  snprintf(error->message, sizeof error->message, "%.200s: %.300s", name, message);
  make_one_line(error->message);
  return status;
}

const char *point_state_text(point_state state)
{
  static const char *const names[] = {"done", "failed", "missing", "other config", "other version", "damaged"};
  return names[state];
}

/* --------------------------------------------------------- what a sweep is of */

/* A config with overrides as asked, as YAML; *text is NULL after a failure. */
static sgf_status request_text(const char *config, const char *const *overrides, size_t count, char **text,
                               sgf_error *error)
{
  sgf_settings settings;
  sgf_status status = config_parse(FILE_NAME, config, overrides, count, &settings, error);
  *text = NULL;
  if (status != SGF_OK) return status;
  *text = config_text(&settings, NULL);
  sgf_settings_free(&settings);
  return *text != NULL ? SGF_OK : no_memory(error);
}

static sgf_status point_request(const sweep *of, size_t index, char **request, sgf_error *error)
{
  char **overrides = grid_overrides(&of->grid, index);
  *request = NULL;
  if (overrides == NULL) return no_memory(error);
  sgf_status status = request_text(of->config, (const char *const *)overrides, of->grid.axis_count, request, error);
  grid_overrides_free(&of->grid, overrides);
  return status;
}

/* The schema's word on one value; the config calls it --set. */
static sgf_status check_value(const sweep *of, const char *key, const char *value, sgf_error *error)
{
  char *override, *text, before[SGF_MESSAGE_LENGTH];
  if (asprintf(&override, "%s=%s", key, value) < 0) return no_memory(error);
  sgf_status status = request_text(of->config, (const char *const[]){override}, 1, &text, error);
  if (status != SGF_OK && strncmp(error->message, "--set ", 6) == 0) {
    memcpy(before, error->message, sizeof before);
    snprintf(error->message, sizeof error->message, "--grid %.500s", before + 6);
  }
  free(text);
  free(override);
  return status;
}

static sgf_status check_grid(const sweep *of, sgf_error *error)
{
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < of->grid.axis_count && status == SGF_OK; k++)
    for (size_t i = 0; i < of->grid.axes[k].count && status == SGF_OK; i++)
      status = check_value(of, of->grid.axes[k].key, of->grid.axes[k].values[i], error);
  return status;
}

sgf_status sweep_create(const char *folder, grid *points, const char *config, const char *const *overrides,
                        size_t override_count, sweep *made, sgf_error *error)
{
  sgf_settings settings;
  *made = (sweep){strdup(folder), *points, NULL};
  *points = (grid){0, NULL, 0};
  sgf_status status = config_read(config, overrides, override_count, &settings, error);
  if (status == SGF_OK) {
    made->config = config_text(&settings, NULL);
    sgf_settings_free(&settings);
    if (made->folder == NULL || made->config == NULL) status = no_memory(error);
  }
  if (status == SGF_OK) status = check_grid(made, error);
  if (status != SGF_OK) sweep_free(made);
  return status;
}

void sweep_free(sweep *of)
{
  free(of->folder);
  free(of->config);
  grid_free(&of->grid);
  *of = (sweep){NULL, {0, NULL, 0}, NULL};
}

/* Where two configs differ first: "training.batch_size is 4 there and 8 here". Both are by config_text: a section a line,
 * its keys below it in one order. */
static void describe_difference(const char *there, const char *here, char *text, size_t capacity)
{
  char section[32] = "";
  const char *a = there, *b = here;
  snprintf(text, capacity, "its config differs");
  while (*a != '\0' || *b != '\0') {
    int a_length = (int)strcspn(a, "\n"), b_length = (int)strcspn(b, "\n");
    if (a_length != b_length || strncmp(a, b, (size_t)a_length) != 0) {
      int a_indent = a[0] == ' ' ? 2 : 0, b_indent = b[0] == ' ' ? 2 : 0;
      snprintf(text, capacity, "%s has '%.*s' there and '%.*s' here", section[0] != '\0' ? section : "it",
               a_length - a_indent, a + a_indent, b_length - b_indent, b + b_indent);
      return;
    }
    if (a[0] != ' ') snprintf(section, sizeof section, "%.*s", (int)strcspn(a, ":"), a);
    a += a_length + (a[a_length] == '\n');
    b += b_length + (b[b_length] == '\n');
  }
}

/* ------------------------------------------------------------------ sweep.yaml */

/* sweep.yaml as libcyaml sees it. */
typedef struct {
  char *version, *config;
  char **grid;
  unsigned grid_count;
} document;

static const cyaml_schema_value_t entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};
static const cyaml_schema_field_t fields[] = {
    CYAML_FIELD_STRING_PTR("version", CYAML_FLAG_POINTER, document, version, 0, CYAML_UNLIMITED),
    CYAML_FIELD_SEQUENCE("grid", CYAML_FLAG_POINTER, document, grid, &entry, 1, CYAML_UNLIMITED),
    CYAML_FIELD_STRING_PTR("config", CYAML_FLAG_POINTER, document, config, 0, CYAML_UNLIMITED), CYAML_FIELD_END};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, document, fields)};

/* NULL when out of memory. */
static char *sweep_text(const sweep *of)
{
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (out == NULL) return NULL;
  fprintf(out, "# Made by sgflow sweep; sgflow merge reads it. The last key of the grid varies fastest.\n");
  fprintf(out, "version: %s\ngrid:\n", sgf_version());
  bool good = true;
  for (size_t k = 0; k < of->grid.axis_count; k++) {
    char *axis = grid_axis_text(&of->grid.axes[k]);
    good = good && axis != NULL;
    fputs("  - '", out);
    for (const char *c = axis != NULL ? axis : ""; *c != '\0'; c++)
      fputs(*c == '\'' ? "''" : (char[]){*c, '\0'}, out);
    fputs("'\n", out);
    free(axis);
  }
  fputs("config: |\n", out);
  for (const char *line = of->config; *line != '\0'; line += strcspn(line, "\n") + 1)
    fprintf(out, "  %.*s\n", (int)strcspn(line, "\n"), line);
  if (fclose(out) == 0 && good) return text;
  free(text);
  return NULL;
}

sgf_status sweep_read(const char *folder, sweep *found, sgf_error *error)
{
  char path[4096];
  struct stat properties;
  cyaml_config_t parser = {.log_fn = NULL, .mem_fn = cyaml_mem, .flags = CYAML_CFG_NO_ALIAS};
  document *read = NULL;
  *found = (sweep){NULL, {0, NULL, 0}, NULL};
  if (stat(folder, &properties) != 0) return refuse(error, SGF_ERROR_NO_INPUT, folder, strerror(errno));
  snprintf(path, sizeof path, "%s/%s", folder, FILE_NAME);
  if (access(path, R_OK) != 0) {
    bool absent = errno == ENOENT || errno == ENOTDIR;
    return refuse(error, absent ? SGF_ERROR_VALUE : SGF_ERROR_NO_INPUT, folder,
                  absent ? "not the folder of a sweep: it has no sweep.yaml" : strerror(errno));
  }
  if (cyaml_load_file(path, &parser, &schema, (cyaml_data_t **)&read, NULL) != CYAML_OK || read == NULL)
    return refuse(error, SGF_ERROR_VALUE, path, "damaged: version, grid and config are expected");
  sgf_status status = grid_create((const char *const *)read->grid, read->grid_count, &found->grid, error);
  if (status == SGF_OK) {
    found->folder = strdup(folder);
    status = found->folder != NULL ? request_text(read->config, NULL, 0, &found->config, error) : no_memory(error);
  }
  if (status == SGF_OK) status = check_grid(found, error);
  if (status == SGF_ERROR_VALUE) {
    char before[SGF_MESSAGE_LENGTH];
    memcpy(before, error->message, sizeof before);
    refuse(error, status, path, before);
  }
  cyaml_free(&parser, &schema, read, 0);
  if (status != SGF_OK) sweep_free(found);
  return status;
}

/* Whether the sweep in the folder is this one; *other_config says that only the config differs. */
static sgf_status compare_sweeps(const sweep *of, bool *other_config, sgf_error *error)
{
  sweep found;
  char message[SGF_MESSAGE_LENGTH], difference[220];
  *other_config = false;
  sgf_status status = sweep_read(of->folder, &found, error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < of->grid.axis_count || k < found.grid.axis_count; k++) {
    char *here = k < of->grid.axis_count ? grid_axis_text(&of->grid.axes[k]) : strdup("nothing");
    char *there = k < found.grid.axis_count ? grid_axis_text(&found.grid.axes[k]) : strdup("nothing");
    if (here == NULL || there == NULL)
      status = no_memory(error);
    else if (strcmp(here, there) != 0) {
      snprintf(message, sizeof message, "the folder of another grid, it has %.100s where %.100s is asked for", there,
               here);
      status = refuse(error, SGF_ERROR_VALUE, of->folder, message);
    }
    free(here);
    free(there);
    if (status != SGF_OK) break;
  }
  if (status == SGF_OK && strcmp(found.config, of->config) != 0) {
    *other_config = true;
    describe_difference(found.config, of->config, difference, sizeof difference);
    snprintf(message, sizeof message, "the folder of another config: %s (--overwrite replaces it)", difference);
    status = refuse(error, SGF_ERROR_VALUE, of->folder, message);
  }
  sweep_free(&found);
  return status;
}

/* Of jobs that begin at once, one makes sweep.yaml: written beside it and linked, which fails if it is there. */
static sgf_status create_once(const char *path, const char *text, sgf_error *error)
{
  char host[128] = "", temporary[4400];
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  snprintf(temporary, sizeof temporary, "%s.part-%s-%ld", path, host, (long)getpid());
  sgf_status status = sgf_write_text(temporary, text, error);
  if (status != SGF_OK) return status;
  if (link(temporary, path) == 0 || errno == EEXIST) {
    unlink(temporary);
    return SGF_OK;
  }
  /* a file system without links */
  if (rename(temporary, path) == 0) return SGF_OK;
  status = refuse(error, SGF_ERROR_CREATE, path, strerror(errno));
  unlink(temporary);
  return status;
}

sgf_status sweep_settle(const sweep *of, bool overwrite, sgf_error *error)
{
  char path[4096];
  bool other_config = false;
  struct stat properties;
  snprintf(path, sizeof path, "%s/%s", of->folder, FILE_NAME);
  if (mkdir(of->folder, 0777) != 0 && errno != EEXIST)
    return refuse(error, SGF_ERROR_CREATE, of->folder, strerror(errno));
  if (stat(of->folder, &properties) != 0 || !S_ISDIR(properties.st_mode))
    return refuse(error, SGF_ERROR_CREATE, of->folder, "cannot be created, a file has this name");
  char *text = sweep_text(of);
  if (text == NULL) return no_memory(error);
  sgf_status status = access(path, F_OK) == 0 ? SGF_OK : create_once(path, text, error);
  if (status == SGF_OK) status = compare_sweeps(of, &other_config, error);
  if (status == SGF_ERROR_VALUE && other_config && overwrite) status = sgf_write_text(path, text, error);
  free(text);
  return status;
}

/* ---------------------------------------------------------------------- points */

char *sweep_path(const sweep *of, size_t index, const char *ending)
{
  char *path;
  return asprintf(&path, "%s/point-%05zu%s", of->folder, index, ending) < 0 ? NULL : path;
}

/* Whose results they are: of this request and this version, or what differs. */
static void judge_results(sweep_point *point, const char *path, const char *request)
{
  char *made_from = sgf_results_text(point->results, "request"),
       *version = sgf_results_text(point->results, "version");
  char difference[220];
  point->verdict = sgf_results_text(point->results, "comparison/verdict");
  point->state = POINT_DONE;
  point->exit_status = 65; /* of verify, when there is nothing to compare with */
  for (int k = SGF_AGREE; k <= SGF_INCONCLUSIVE && point->verdict != NULL; k++)
    if (strcmp(point->verdict, sgf_verdict_text((sgf_verdict)k)) == 0) point->exit_status = k;
  if (made_from == NULL || version == NULL) {
    point->state = POINT_DAMAGED;
    snprintf(point->message, sizeof point->message, "%.200s: damaged", path);
  } else if (strcmp(made_from, request) != 0) {
    describe_difference(made_from, request, difference, sizeof difference);
    point->state = POINT_OTHER_CONFIG;
    snprintf(point->message, sizeof point->message, "%.200s: made from another config: %s", path, difference);
  } else if (strcmp(version, sgf_version()) != 0) {
    point->state = POINT_OTHER_VERSION;
    snprintf(point->message, sizeof point->message, "%.200s: made by version %.40s, this is %s", path, version,
             sgf_version());
  }
  free(made_from);
  free(version);
}

/* The note of a failure: its exit status and message in the first line, the request below. */
static sgf_status read_failure(const sweep *of, const char *request, sweep_point *point, sgf_error *error)
{
  char *path = sweep_path(of, point->index, ".error"), *line = NULL, *rest = NULL;
  size_t line_room = 0, rest_room = 0;
  int begun = 0;
  FILE *file = path != NULL ? fopen(path, "r") : NULL;
  free(path);
  if (path == NULL) return no_memory(error);
  if (file == NULL) return SGF_OK;
  bool read = getline(&line, &line_room, file) > 0 && getdelim(&rest, &rest_room, '\0', file) > 0;
  if (read && strcmp(rest, request) == 0 && sscanf(line, "%d %n", &point->exit_status, &begun) == 1) {
    point->state = POINT_FAILED;
    snprintf(point->message, sizeof point->message, "%.*s", (int)strcspn(line + begun, "\n"), line + begun);
  }
  fclose(file);
  free(line);
  free(rest);
  return SGF_OK;
}

sgf_status sweep_look(const sweep *of, size_t index, sweep_point *point, sgf_error *error)
{
  char *request, *path = sweep_path(of, index, ".h5");
  sgf_error refusal;
  *point = (sweep_point){.index = index, .state = POINT_MISSING};
  if (path == NULL) return no_memory(error);
  sgf_status status = point_request(of, index, &request, error);
  if (status == SGF_OK && access(path, F_OK) != 0 && errno == ENOENT) {
    status = read_failure(of, request, point, error);
  } else if (status == SGF_OK) {
    sgf_status opened = sgf_results_open(path, &point->results, &refusal);
    if (opened == SGF_ERROR_MEMORY) status = no_memory(error);
    if (opened == SGF_OK) {
      judge_results(point, path, request);
    } else {
      point->state = POINT_DAMAGED;
      snprintf(point->message, sizeof point->message, "%s", refusal.message);
    }
  }
  free(request);
  free(path);
  return status;
}

void sweep_point_close(sweep_point *point)
{
  sgf_results_close(point->results);
  free(point->verdict);
  point->results = NULL;
  point->verdict = NULL;
}

sgf_status sweep_note_failure(const sweep *of, size_t index, int exit_status, const char *message, sgf_error *error)
{
  char *path = sweep_path(of, index, ".error"), *request = NULL, *text = NULL;
  sgf_status status = path != NULL ? SGF_OK : no_memory(error);
  if (status == SGF_OK && message == NULL) {
    unlink(path);
  } else if (status == SGF_OK) {
    status = point_request(of, index, &request, error);
    if (status == SGF_OK && asprintf(&text, "%d %s\n%s", exit_status, message, request) < 0) {
      text = NULL;
      status = no_memory(error);
    }
    if (status == SGF_OK) status = sgf_write_text(path, text, error);
  }
  free(path);
  free(request);
  free(text);
  return status;
}
