/* Matrices in Matrix Market files. */
#include "matrix_market.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../solver/sparse.h"
#include "../theory/memory.h"
#include "regular_file.h"

static const char BANNER[] = "%%MatrixMarket";

/* A matrix of more columns than this for every byte of its file is next to empty, and not a matrix that one solves
 * with. */
enum { COLUMNS_PER_BYTE = 64 };

typedef enum { GENERAL, SYMMETRIC, SKEW } symmetry;

typedef struct {
  const char *path;
  FILE *file;
  locale_t locale; /* numbers have a point, whatever the locale of the program */
  char *text;      /* the present line */
  size_t capacity, line;
  double bytes; /* of the file */
  bool array, integer;
  symmetry form;
} reader;

static sgf_status bad_line(const reader *input, sgf_error *error, const char *what)
{
  char shown[48];
  size_t length = strcspn(input->text, "\r\n");
  snprintf(shown, sizeof shown, "%.*s%s", (int)(length < 40 ? length : 40), input->text, length > 40 ? "..." : "");
  for (char *c = shown; *c != '\0'; c++)
    if (!isprint((unsigned char)*c)) *c = '?';
  return sgf_fail(error, SGF_ERROR_VALUE, "%s, line %zu: %s: '%s'", input->path, input->line, what, shown);
}

/* The next line that is neither empty nor a comment. */
static sgf_status next_line(reader *input, const char *expected, sgf_error *error)
{
  for (;;) {
    input->line++;
    if (getline(&input->text, &input->capacity, input->file) < 0) {
      if (ferror(input->file)) return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: %s", input->path, strerror(errno));
      if (!feof(input->file)) return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for a line", input->path);
      return sgf_fail(error, SGF_ERROR_VALUE, "%s, line %zu: the file ends where %s expected", input->path,
                      input->line, expected);
    }
    const char *start = input->text + strspn(input->text, " \t\r\n");
    if (*start != '\0' && *start != '%') return SGF_OK;
  }
}

/* ------------------------------------------------------------------ tokens */

static bool at_end(const char *at) { return at[strspn(at, " \t\r\n")] == '\0'; }

/* A positive count at *at, which moves behind it. */
static bool take_count(const char **at, size_t *count)
{
  char *end;
  *at += strspn(*at, " \t");
  if (!isdigit((unsigned char)**at)) return false;
  errno = 0;
  unsigned long long value = strtoull(*at, &end, 10);
  if (errno != 0 || value > SIZE_MAX || (*end != '\0' && !isspace((unsigned char)*end))) return false;
  *at = end;
  *count = (size_t)value;
  return true;
}

static bool take_value(const reader *input, const char **at, double *value)
{
  char *end;
  *at += strspn(*at, " \t");
  *value = strtod_l(*at, &end, input->locale);
  if (end == *at || (*end != '\0' && !isspace((unsigned char)*end))) return false;
  bool whole = strcspn(*at, ".eExX") >= (size_t)(end - *at);
  *at = end;
  return isfinite(*value) && (whole || !input->integer);
}

/* ------------------------------------------------------------------ header */

static sgf_status read_banner(reader *input, sgf_error *error)
{
  char object[32] = "", format[32] = "", field[32] = "", form[32] = "", rest[4] = "";
  input->line = 1;
  ssize_t length = getline(&input->text, &input->capacity, input->file);
  if (length < 0 && !feof(input->file) && !ferror(input->file))
    return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for a line", input->path);
  if (length < 0 || strncasecmp(input->text, BANNER, sizeof BANNER - 1) != 0)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: not a Matrix Market file, its first line does not begin with %s",
                    input->path, BANNER);
  int count = sscanf(input->text + sizeof BANNER - 1, "%31s %31s %31s %31s %3s", object, format, field, form, rest);
  if (count != 4) return bad_line(input, error, "four words are expected behind %%MatrixMarket");
  if (strcasecmp(object, "matrix") != 0) return bad_line(input, error, "a 'matrix' is expected");
  input->array = strcasecmp(format, "array") == 0;
  if (!input->array && strcasecmp(format, "coordinate") != 0)
    return bad_line(input, error, "'coordinate' or 'array' is expected");
  if (strcasecmp(field, "pattern") == 0) return bad_line(input, error, "a pattern has no values");
  if (strcasecmp(field, "complex") == 0) return bad_line(input, error, "complex values are not supported");
  input->integer = strcasecmp(field, "integer") == 0;
  if (!input->integer && strcasecmp(field, "real") != 0 && strcasecmp(field, "double") != 0)
    return bad_line(input, error, "'real' or 'integer' is expected");
  input->form = strcasecmp(form, "symmetric") == 0        ? SYMMETRIC
                : strcasecmp(form, "skew-symmetric") == 0 ? SKEW
                                                          : GENERAL;
  if (input->form == GENERAL && strcasecmp(form, "general") != 0)
    return bad_line(input, error, "'general', 'symmetric' or 'skew-symmetric' is expected");
  return SGF_OK;
}

/* Rows, columns and, for coordinates, entries, and whether the file can hold them. */
static sgf_status read_sizes(reader *input, size_t *rows, size_t *columns, size_t *entries, sgf_error *error)
{
  sgf_status status = next_line(input, "the sizes are", error);
  if (status != SGF_OK) return status;
  const char *at = input->text;
  *entries = 0;
  if (!take_count(&at, rows) || !take_count(&at, columns) || (!input->array && !take_count(&at, entries)) ||
      !at_end(at))
    return bad_line(input, error,
                    input->array ? "rows and columns are expected" : "rows, columns and entries are expected");
  if (*rows == 0 || *columns == 0) return bad_line(input, error, "the matrix is empty");
  if (*rows > INT_MAX || *columns > INT_MAX) return bad_line(input, error, "the matrix is too large");
  if (input->form != GENERAL && *rows != *columns) return bad_line(input, error, "a symmetric matrix is square");
  /* "1 1 1" and "1" are the shortest lines; a triangle of an array is enough where it is symmetric. */
  double numbers = (double)*rows * (double)*columns * (input->form == GENERAL ? 1.0 : 0.5) - (double)*rows;
  bool held = input->array ? 2.0 * numbers <= input->bytes + 2.0 : 6.0 * (double)*entries <= input->bytes + 2.0;
  if (!held) return bad_line(input, error, "the file is too short for these sizes");
  if (!input->array && fmax((double)*rows, (double)*columns) > COLUMNS_PER_BYTE * input->bytes)
    return bad_line(input, error, "the matrix would be next to empty");
  return SGF_OK;
}

/* ------------------------------------------------------------------ entries */

static sgf_status check_place(const reader *input, size_t i, size_t j, size_t rows, size_t columns, sgf_error *error)
{
  if (i < 1 || i > rows || j < 1 || j > columns)
    return bad_line(input, error, "the row or the column, counted from 1, is outside of the matrix");
  if (input->form != GENERAL && i < j)
    return bad_line(input, error, "a symmetric matrix has entries on and below its diagonal only");
  if (input->form == SKEW && i == j) return bad_line(input, error, "a skew-symmetric matrix has no diagonal");
  return SGF_OK;
}

/* Entries in the order of the file, with the mirror images of a symmetric matrix; *count of them. */
static sgf_status read_entries(reader *input, size_t rows, size_t columns, size_t entries, size_t *places,
                               double *values, size_t *count, sgf_error *error)
{
  *count = 0;
  for (size_t k = 0; k < entries; k++) {
    size_t i, j;
    double value;
    sgf_status status = next_line(input, "another entry is", error);
    if (status != SGF_OK) return status;
    const char *at = input->text;
    if (!take_count(&at, &i) || !take_count(&at, &j) || !take_value(input, &at, &value) || !at_end(at))
      return bad_line(input, error,
                      input->integer ? "row, column and an integer are expected"
                                     : "row, column and a finite number are expected");
    status = check_place(input, i, j, rows, columns, error);
    if (status != SGF_OK) return status;
    places[2 * *count] = i - 1;
    places[2 * *count + 1] = j - 1;
    values[(*count)++] = value;
    if (input->form == GENERAL || i == j) continue;
    places[2 * *count] = j - 1;
    places[2 * *count + 1] = i - 1;
    values[(*count)++] = input->form == SKEW ? -value : value;
  }
  return SGF_OK;
}

/* Entries by columns; one that is there twice is refused. */
static sgf_status by_columns(const reader *input, size_t rows, size_t columns, size_t count, const size_t *places,
                             const double *values, sgf_sparse *sparse, sgf_error *error)
{
  sgf_sparse unordered = {0};
  sgf_status status;
  SGF_TRY(sgf_sparse_create(rows, columns, count, sparse, input->path, error));
  for (size_t k = 0; k < count; k++) sparse->starts[places[2 * k + 1] + 1]++;
  for (size_t j = 0; j < columns; j++) sparse->starts[j + 1] += sparse->starts[j];
  for (size_t k = count; k-- > 0;) { /* from the back: what is left in each end is the start */
    int64_t at = --sparse->starts[places[2 * k + 1] + 1];
    sparse->indices[at] = (int64_t)places[2 * k];
    sparse->values[at] = values[k];
  }
  memmove(sparse->starts, sparse->starts + 1, columns * sizeof *sparse->starts);
  sparse->starts[columns] = (int64_t)count;
  unordered = *sparse;
  status = sgf_sparse_order(&unordered, sparse, error);
  sgf_sparse_free(&unordered);
  if (status != SGF_OK) goto done;
  for (size_t j = 0; j < columns; j++)
    for (int64_t k = sparse->starts[j]; k + 1 < sparse->starts[j + 1]; k++)
      if (sparse->indices[k] == sparse->indices[k + 1]) {
        status = sgf_fail(error, SGF_ERROR_VALUE, "%s: the entry in row %lld, column %zu is given twice", input->path,
                          (long long)sparse->indices[k] + 1, j + 1);
        goto done;
      }
done:
  return status;
}

static sgf_status read_coordinates(reader *input, size_t entries, sgf_matrix_market *matrix, sgf_error *error)
{
  void *places = NULL;
  double *values = NULL;
  size_t most = (input->form == GENERAL ? 1 : 2) * entries, count;
  sgf_status status;
  SGF_TRY(sgf_allocate(&places, most, 2, sizeof(size_t), input->path, error));
  SGF_TRY(sgf_new_reals(&values, most, 1, input->path, error));
  SGF_TRY(read_entries(input, matrix->rows, matrix->columns, entries, places, values, &count, error));
  SGF_TRY(by_columns(input, matrix->rows, matrix->columns, count, places, values, &matrix->sparse, error));
done:
  free(places);
  free(values);
  return status;
}

/* Columns one after the other, from the diagonal, or from below it, where the matrix is symmetric. */
static sgf_status read_array(reader *input, sgf_matrix_market *matrix, sgf_error *error)
{
  size_t rows = matrix->rows, columns = matrix->columns;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&matrix->dense, rows, columns, input->path, error));
  for (size_t j = 0; j < columns; j++)
    for (size_t i = input->form == GENERAL ? 0 : input->form == SKEW ? j + 1 : j; i < rows; i++) {
      double value;
      SGF_TRY(next_line(input, "another number is", error));
      const char *at = input->text;
      if (!take_value(input, &at, &value) || !at_end(at)) {
        status = bad_line(input, error, input->integer ? "one integer is expected" : "one finite number is expected");
        goto done;
      }
      matrix->dense[i * columns + j] = value;
      if (input->form != GENERAL) matrix->dense[j * columns + i] = input->form == SKEW && i != j ? -value : value;
    }
done:
  return status;
}

static sgf_status check_end(reader *input, sgf_error *error)
{
  sgf_error unused;
  if (next_line(input, "the end is", &unused) == SGF_OK)
    return bad_line(input, error, "there is more than the sizes say");
  return SGF_OK;
}

/* ------------------------------------------------------------------- driver */

static sgf_status open_reader(const char *path, reader *input, sgf_error *error)
{
  uint64_t size = 0;
  *input = (reader){.path = path};
  input->file = sgf_open_regular(path, &size);
  if (input->file == NULL)
    return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: %s", path,
                    errno == EINVAL ? "not a regular file" : strerror(errno));
  input->bytes = (double)size;
  input->locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  if (input->locale == (locale_t)0) return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory", path);
  return SGF_OK;
}

static void close_reader(reader *input)
{
  if (input->file != NULL) fclose(input->file);
  if (input->locale != (locale_t)0) freelocale(input->locale);
  free(input->text);
}

sgf_status sgf_matrix_market_read(const char *path, sgf_matrix_market *matrix, sgf_error *error)
{
  reader input;
  size_t entries;
  sgf_status status;
  *matrix = (sgf_matrix_market){0};
  SGF_TRY(open_reader(path, &input, error));
  SGF_TRY(read_banner(&input, error));
  SGF_TRY(read_sizes(&input, &matrix->rows, &matrix->columns, &entries, error));
  if (input.array)
    SGF_TRY(read_array(&input, matrix, error));
  else
    SGF_TRY(read_coordinates(&input, entries, matrix, error));
  SGF_TRY(check_end(&input, error));
done:
  close_reader(&input);
  if (status != SGF_OK) sgf_matrix_market_free(matrix);
  return status;
}

void sgf_matrix_market_free(sgf_matrix_market *matrix)
{
  free(matrix->dense);
  sgf_sparse_free(&matrix->sparse);
  *matrix = (sgf_matrix_market){0};
}

bool sgf_is_matrix_market(const char *path)
{
  char start[sizeof BANNER] = "";
  uint64_t size;
  FILE *file = sgf_open_regular(path, &size);
  if (file == NULL) return false;
  size_t count = fread(start, 1, sizeof BANNER - 1, file);
  fclose(file);
  return count == sizeof BANNER - 1 && strncasecmp(start, BANNER, count) == 0;
}
