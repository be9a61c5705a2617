/* Tables of named columns with cells of text, as a CSV file has them. */
#include "frame.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/status.h"

static sgf_status no_memory(sgf_error *error) { return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a table"); }

/* --------------------------------------------------------------------- cells */

void frame_free(frame *of)
{
  for (size_t k = 0; k < of->columns && of->names != NULL; k++) free(of->names[k]);
  for (size_t k = 0; k < of->rows * of->columns; k++) free(of->cells[k]);
  free(of->names);
  free(of->cells);
  *of = (frame){0};
}

sgf_status frame_create(const char *const *names, frame *made, sgf_error *error)
{
  sgf_status status = SGF_OK;
  *made = (frame){0};
  for (size_t k = 0; names[k] != NULL; k++) SGF_TRY(frame_add_column(made, names[k], error));
done:
  if (status != SGF_OK) frame_free(made);
  return status;
}

sgf_status frame_add_row(frame *to, sgf_error *error)
{
  if (to->rows == to->room) {
    size_t room = to->room > 0 ? 2 * to->room : 16;
    char **grown = realloc(to->cells, room * to->columns * sizeof *grown);
    if (grown == NULL) return no_memory(error);
    to->cells = grown;
    to->room = room;
  }
  char **row = to->cells + to->rows * to->columns;
  for (size_t k = 0; k < to->columns; k++) {
    row[k] = strdup("");
    if (row[k] != NULL) continue;
    while (k-- > 0) free(row[k]);
    return no_memory(error);
  }
  to->rows++;
  return SGF_OK;
}

void frame_remove_row(frame *from, size_t row)
{
  char **cells = from->cells + row * from->columns;
  for (size_t k = 0; k < from->columns; k++) free(cells[k]);
  memmove(cells, cells + from->columns, (from->rows - row - 1) * from->columns * sizeof *cells);
  from->rows--;
}

/* The cells of every row with room for one more, which is empty. */
static char **widen_cells(const frame *of)
{
  char **cells = malloc((of->rows > 0 ? of->rows : 1) * (of->columns + 1) * sizeof *cells);
  for (size_t r = 0; cells != NULL && r < of->rows; r++) {
    char *empty = strdup("");
    if (empty == NULL) {
      while (r-- > 0) free(cells[r * (of->columns + 1) + of->columns]);
      free(cells);
      return NULL;
    }
    memcpy(cells + r * (of->columns + 1), of->cells + r * of->columns, of->columns * sizeof *cells);
    cells[r * (of->columns + 1) + of->columns] = empty;
  }
  return cells;
}

sgf_status frame_add_column(frame *to, const char *name, sgf_error *error)
{
  char **names = realloc(to->names, (to->columns + 1) * sizeof *names);
  if (names == NULL) return no_memory(error);
  to->names = names;
  names[to->columns] = strdup(name);
  char **cells = names[to->columns] != NULL ? widen_cells(to) : NULL;
  if (cells == NULL) {
    free(names[to->columns]);
    return no_memory(error);
  }
  free(to->cells);
  to->cells = cells;
  to->columns++;
  to->room = to->rows;
  return SGF_OK;
}

size_t frame_column(const frame *of, const char *name)
{
  for (size_t k = 0; k < of->columns; k++)
    if (strcmp(of->names[k], name) == 0) return k;
  return SIZE_MAX;
}

sgf_status frame_set_text(frame *to, size_t row, const char *name, const char *text, sgf_error *error)
{
  size_t column = frame_column(to, name);
  if (column == SIZE_MAX) return sgf_fail(error, SGF_ERROR_VALUE, "a table has no column '%s'", name);
  char *copy = strdup(text);
  if (copy == NULL) return no_memory(error);
  free(to->cells[row * to->columns + column]);
  to->cells[row * to->columns + column] = copy;
  return SGF_OK;
}

sgf_status frame_set_number(frame *to, size_t row, const char *name, double value, int digits, sgf_error *error)
{
  char text[40] = "";
  if (!isnan(value)) snprintf(text, sizeof text, "%.*g", digits, value);
  return frame_set_text(to, row, name, text, error);
}

const char *frame_text(const frame *of, size_t row, const char *name)
{
  size_t column = frame_column(of, name);
  return column == SIZE_MAX ? "" : of->cells[row * of->columns + column];
}

double frame_number(const frame *of, size_t row, const char *name)
{
  const char *text = frame_text(of, row, name);
  char *end;
  double value = strtod(text, &end);
  return end == text || *end != '\0' ? NAN : value;
}

bool frame_passes(const frame *of, size_t row, const char *filter)
{
  char condition[128], *equals;
  for (const char *rest = filter; rest != NULL && *rest != '\0'; rest += strspn(rest, "; ")) {
    size_t length = strcspn(rest, ";");
    snprintf(condition, sizeof condition, "%.*s", (int)length, rest);
    equals = strchr(condition, '=');
    if (equals == NULL) return false;
    *equals = '\0';
    if (strcmp(frame_text(of, row, condition), equals + 1) != 0) return false;
    rest += length;
  }
  return true;
}

/* ----------------------------------------------------------------------- CSV */

static void put_cell(FILE *out, const char *text, bool last)
{
  if (strpbrk(text, ",\"\r\n") == NULL) {
    fputs(text, out);
  } else {
    fputc('"', out);
    for (; *text != '\0'; text++) fputs(*text == '"' ? "\"\"" : (char[]){*text, '\0'}, out);
    fputc('"', out);
  }
  fputc(last ? '\n' : ',', out);
}

sgf_status frame_write(const frame *of, const char *path, sgf_error *error)
{
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (out == NULL) return no_memory(error);
  for (size_t k = 0; k < of->columns; k++) put_cell(out, of->names[k], k + 1 == of->columns);
  for (size_t k = 0; k < of->rows * of->columns; k++) put_cell(out, of->cells[k], (k + 1) % of->columns == 0);
  sgf_status status = fclose(out) == 0 ? sgf_write_text(path, text, error) : no_memory(error);
  free(text);
  return status;
}

/* The next cell of a file into *cell, the caller's to free; what ended it: ',', '\n' or EOF. NULL without memory. */
static int read_cell(FILE *in, char **cell)
{
  size_t length;
  FILE *out = open_memstream(cell, &length);
  bool quoted = false;
  int c;
  *cell = NULL;
  if (out == NULL) return EOF;
  while ((c = fgetc(in)) != EOF) {
    if (c == '"') {
      int next = quoted ? fgetc(in) : 0;
      if (quoted && next == '"') {
        fputc('"', out);
      } else {
        if (quoted) ungetc(next, in);
        quoted = !quoted;
      }
    } else if (!quoted && (c == ',' || c == '\n')) {
      break;
    } else if (quoted || c != '\r') {
      fputc(c, out);
    }
  }
  if (fclose(out) != 0) {
    free(*cell);
    *cell = NULL;
  }
  return c;
}

/* The rows behind the header. A row that is cut off, as of a full disk, is an error. */
static sgf_status read_rows(FILE *in, const char *path, frame *read, sgf_error *error)
{
  int c = fgetc(in);
  while (c != EOF) {
    ungetc(c, in);
    sgf_status status = frame_add_row(read, error);
    if (status != SGF_OK) return status;
    for (size_t k = 0; k < read->columns; k++) {
      char **cell = &read->cells[(read->rows - 1) * read->columns + k], *text;
      int end = read_cell(in, &text);
      if (text == NULL) return no_memory(error);
      free(*cell);
      *cell = text;
      if (end != (k + 1 < read->columns ? ',' : '\n'))
        return sgf_fail(error, SGF_ERROR_VALUE, "%s: row %zu does not have %zu cells", path, read->rows,
                        read->columns);
    }
    c = fgetc(in);
  }
  return SGF_OK;
}

static sgf_status read_header(FILE *in, const char *path, frame *read, sgf_error *error)
{
  int end;
  do {
    char *name;
    end = read_cell(in, &name);
    if (name == NULL) return no_memory(error);
    sgf_status status = frame_add_column(read, name, error);
    free(name);
    if (status != SGF_OK) return status;
  } while (end == ',');
  return end == '\n' ? SGF_OK : sgf_fail(error, SGF_ERROR_VALUE, "%s: has no line of names", path);
}

sgf_status frame_read(const char *path, frame *read, sgf_error *error)
{
  *read = (frame){0};
  FILE *in = fopen(path, "r");
  if (in == NULL) return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: %s", path, strerror(errno));
  sgf_status status = read_header(in, path, read, error);
  if (status == SGF_OK) status = read_rows(in, path, read, error);
  fclose(in);
  if (status != SGF_OK) frame_free(read);
  return status;
}
