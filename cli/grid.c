/* The grid of a sweep: keys of the config, the values of each, and their Cartesian product. */
#include "grid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static sgf_status refuse(sgf_error *error, const char *text, const char *rule)
{
  error->status = SGF_ERROR_VALUE;
  snprintf(error->message, sizeof error->message, "--grid %.200s: %.200s", text, rule);
  make_one_line(error->message);
  return SGF_ERROR_VALUE;
}

static sgf_status no_memory(sgf_error *error)
{
  error->status = SGF_ERROR_MEMORY;
  snprintf(error->message, sizeof error->message, "no memory for the grid");
  return SGF_ERROR_MEMORY;
}

/* Length of the value that text begins with: up to a comma outside of brackets and quotes; *open says that one of them
 * does not close. */
static size_t value_length(const char *text, bool *open)
{
  size_t length = 0;
  int depth = 0;
  char quote = '\0';
  for (; text[length] != '\0'; length++) {
    char c = text[length];
    if (quote != '\0')
      quote = c == quote ? '\0' : quote;
    else if (c == '"' || c == '\'')
      quote = c;
    else if (c == '[' || c == ']')
      depth += c == '[' ? 1 : -1;
    else if (c == ',' && depth == 0)
      break;
    if (depth < 0) break;
  }
  *open = depth != 0 || quote != '\0';
  return length;
}

static bool has_value(const grid_axis *axis, const char *value)
{
  for (size_t k = 0; k < axis->count; k++)
    if (strcmp(axis->values[k], value) == 0) return true;
  return false;
}

/* Put the next value, without the blanks around it, behind the others. */
static sgf_status add_value(grid_axis *axis, const char *text, const char *value, size_t length, sgf_error *error)
{
  char **grown = realloc(axis->values, (axis->count + 1) * sizeof *grown);
  if (grown == NULL) return no_memory(error);
  axis->values = grown;
  for (; length > 0 && value[0] == ' '; length--) value++;
  while (length > 0 && value[length - 1] == ' ') length--;
  char *copy = strndup(value, length);
  if (copy == NULL) return no_memory(error);
  bool empty = length == 0, repeated = has_value(axis, copy);
  if (!empty && !repeated) {
    axis->values[axis->count++] = copy;
    return SGF_OK;
  }
  free(copy);
  return refuse(error, text, empty ? "a value is empty, KEY=VALUE,VALUE,... is expected" : "a value is given twice");
}

static sgf_status read_axis(const char *text, grid_axis *axis, sgf_error *error)
{
  const char *equals = strchr(text, '=');
  if (equals == NULL || equals == text) return refuse(error, text, "KEY=VALUE,VALUE,... is expected");
  if (strchr(text, '\n') != NULL) return refuse(error, text, "more than one line");
  axis->key = strndup(text, (size_t)(equals - text));
  if (axis->key == NULL) return no_memory(error);
  for (const char *value = equals + 1;; value++) {
    bool open;
    size_t length = value_length(value, &open);
    if (open) return refuse(error, text, "a bracket or a quote does not close");
    sgf_status status = add_value(axis, text, value, length, error);
    if (status != SGF_OK) return status;
    value += length;
    if (*value == '\0') return SGF_OK;
  }
}

static sgf_status add_axis(grid *made, const char *text, sgf_error *error)
{
  grid_axis *axis = &made->axes[made->axis_count++];
  sgf_status status = read_axis(text, axis, error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k + 1 < made->axis_count; k++)
    if (strcmp(made->axes[k].key, axis->key) == 0) return refuse(error, text, "the key is given twice");
  if (axis->count > GRID_MOST_POINTS / made->points)
    return refuse(error, text, "the grid has more than 1000000 points");
  made->points *= axis->count;
  return SGF_OK;
}

sgf_status grid_create(const char *const *texts, size_t count, grid *made, sgf_error *error)
{
  sgf_status status = SGF_OK;
  *made = (grid){0, calloc(count > 0 ? count : 1, sizeof *made->axes), 1};
  if (made->axes == NULL) status = no_memory(error);
  for (size_t k = 0; k < count && status == SGF_OK; k++) status = add_axis(made, texts[k], error);
  if (status != SGF_OK) grid_free(made);
  return status;
}

void grid_free(grid *made)
{
  for (size_t k = 0; k < made->axis_count; k++) {
    for (size_t i = 0; i < made->axes[k].count; i++) free(made->axes[k].values[i]);
    free(made->axes[k].values);
    free(made->axes[k].key);
  }
  free(made->axes);
  *made = (grid){0, NULL, 0};
}

const char *grid_value(const grid *points, size_t axis, size_t point)
{
  for (size_t k = points->axis_count; --k > axis;) point /= points->axes[k].count;
  return points->axes[axis].values[point % points->axes[axis].count];
}

char *grid_axis_text(const grid_axis *axis)
{
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (out == NULL) return NULL;
  fprintf(out, "%s=", axis->key);
  for (size_t k = 0; k < axis->count; k++) fprintf(out, "%s%s", k > 0 ? "," : "", axis->values[k]);
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}

char **grid_overrides(const grid *points, size_t point)
{
  char **overrides = calloc(points->axis_count + 1, sizeof *overrides);
  for (size_t k = 0; k < points->axis_count && overrides != NULL; k++)
    if (asprintf(&overrides[k], "%s=%s", points->axes[k].key, grid_value(points, k, point)) < 0) {
      overrides[k] = NULL;
      grid_overrides_free(points, overrides);
      return NULL;
    }
  return overrides;
}

void grid_overrides_free(const grid *points, char **overrides)
{
  for (size_t k = 0; k < points->axis_count && overrides != NULL; k++) free(overrides[k]);
  free(overrides);
}
