/* Lyapunov and Stein equations in files: systems read from HDF5 and Matrix Market, solutions written to HDF5. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../solver/sparse.h"
#include "../theory/memory.h"
#include "atomic_file.h"
#include "hdf5_file.h"
#include "matrix_market.h"

void sgf_system_free(sgf_system *system)
{
  free(system->A);
  free(system->Q);
  free(system->initial);
  sgf_sparse_free(&system->sparse);
  *system = (sgf_system){0};
}

/* A dense n x n matrix must fit before it is read. */
static sgf_status check_square_fits(size_t n, const char *path, const char *name, sgf_error *error)
{
  double bytes = 8.0 * (double)n * (double)n, memory = sgf_memory_to_use();
  if (bytes <= memory) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_MEMORY, "%s: %s of shape (%zu, %zu) takes %.3g bytes when dense, %.3g may be used",
                  path, name, n, n, bytes, memory);
}

static sgf_status check_shape(const char *path, const char *name, size_t rows, size_t columns, size_t wanted_rows,
                              size_t wanted_columns, sgf_error *error)
{
  if (rows == wanted_rows && columns == wanted_columns) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: %s has shape (%zu, %zu), (%zu, %zu) is expected", path, name, rows,
                  columns, wanted_rows, wanted_columns);
}

static sgf_status check_drift(const char *path, size_t rows, size_t columns, sgf_error *error)
{
  if (rows != columns)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: A has shape (%zu, %zu), not square", path, rows, columns);
  if (rows == 0) return sgf_fail(error, SGF_ERROR_VALUE, "%s: A has shape (0, 0): it is empty", path);
  return SGF_OK;
}

/* --------------------------------------------------------------------- HDF5 */

static sgf_status missing(const sgf_hdf5_input *input, const char *what, sgf_error *error)
{
  char names[200];
  sgf_hdf5_names(input, names, sizeof names);
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset %s is missing, the file has %s", input->path, what,
                  names[0] != '\0' ? names : "nothing");
}

static sgf_status read_hdf5_drift(const sgf_hdf5_input *input, sgf_system *system, sgf_error *error)
{
  size_t shape[2];
  sgf_status status;
  if (sgf_hdf5_has_group(input, "A")) {
    status = sgf_hdf5_read_sparse(input, "A", &system->sparse, error);
    system->n = system->sparse.rows;
    return status;
  }
  if (!sgf_hdf5_has_dataset(input, "A")) return missing(input, "A", error);
  SGF_TRY(sgf_hdf5_read(input, "A", 2, shape, &system->A, error));
  SGF_TRY(check_drift(input->path, shape[0], shape[1], error));
  system->n = shape[0];
done:
  return status;
}

static sgf_status read_hdf5_noise(const sgf_hdf5_input *input, sgf_system *system, sgf_error *error)
{
  bool matrix = sgf_hdf5_has_dataset(input, "Q"), factor = sgf_hdf5_has_dataset(input, "B");
  size_t shape[2];
  sgf_status status;
  if (!matrix && !factor) return missing(input, "Q (or B with Q = B B^T)", error);
  if (matrix && factor)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: it has datasets Q and B, one of them is expected", input->path);
  SGF_TRY(sgf_hdf5_read(input, matrix ? "Q" : "B", 2, shape, &system->Q, error));
  if (factor && shape[1] == 0) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset B has no columns", input->path);
    goto done;
  }
  system->columns = matrix ? 0 : shape[1];
  status = check_shape(input->path, matrix ? "Q" : "B", shape[0], shape[1], system->n, matrix ? system->n : shape[1],
                       error);
done:
  return status;
}

static sgf_status read_hdf5_square(const char *path, const char *name, size_t n, double **values, sgf_error *error)
{
  sgf_hdf5_input input = {0};
  size_t shape[2];
  sgf_status status;
  SGF_TRY(sgf_hdf5_open(path, &input, error));
  if (!sgf_hdf5_has_dataset(&input, name)) {
    status = missing(&input, name, error);
    goto done;
  }
  SGF_TRY(sgf_hdf5_read(&input, name, 2, shape, values, error));
  SGF_TRY(check_shape(path, name, shape[0], shape[1], n, n, error));
done:
  sgf_hdf5_close(&input);
  return status;
}

static sgf_status read_hdf5_system(const char *path, const char *noise, sgf_system *system, sgf_error *error)
{
  sgf_hdf5_input input = {0};
  sgf_error reason = {SGF_OK, ""};
  sgf_status status = sgf_hdf5_open(path, &input, &reason);
  if (status != SGF_OK)
    return sgf_fail(error, status, "%.400s%s", reason.message,
                    status == SGF_ERROR_VALUE ? "; a Matrix Market file begins with %%MatrixMarket" : "");
  if (noise != NULL) {
    status = sgf_fail(error, SGF_ERROR_VALUE,
                      "%s: an HDF5 file has Q or B beside A, the second file '%s' is too much", path, noise);
    goto done;
  }
  SGF_TRY(read_hdf5_drift(&input, system, error));
  SGF_TRY(read_hdf5_noise(&input, system, error));
done:
  sgf_hdf5_close(&input);
  return status;
}

/* ------------------------------------------------------------ Matrix Market */

static sgf_status read_market_drift(const char *path, sgf_system *system, sgf_error *error)
{
  sgf_matrix_market matrix;
  sgf_status status;
  SGF_TRY(sgf_matrix_market_read(path, &matrix, error));
  system->A = matrix.dense;
  system->sparse = matrix.sparse;
  system->n = matrix.rows;
  status = check_drift(path, matrix.rows, matrix.columns, error);
done:
  return status;
}

/* A matrix of n rows, dense whatever the file; columns 0: n of them, else as many as there are. */
static sgf_status read_market_dense(const char *path, const char *name, size_t n, bool square, size_t *columns,
                                    double **values, sgf_error *error)
{
  sgf_matrix_market matrix = {0};
  sgf_status status;
  SGF_TRY(sgf_matrix_market_read(path, &matrix, error));
  SGF_TRY(check_shape(path, name, matrix.rows, matrix.columns, n, square ? n : matrix.columns, error));
  *columns = matrix.columns;
  if (matrix.dense != NULL) {
    *values = matrix.dense;
    matrix.dense = NULL;
    goto done;
  }
  if (square) SGF_TRY(check_square_fits(n, path, name, error));
  SGF_TRY(sgf_new_reals(values, matrix.rows, matrix.columns, name, error));
  sgf_sparse_to_dense(&matrix.sparse, *values);
done:
  sgf_matrix_market_free(&matrix);
  return status;
}

static sgf_status read_market_system(const char *path, const char *noise, bool factor, sgf_system *system,
                                     sgf_error *error)
{
  size_t columns = 0;
  sgf_status status;
  if (noise == NULL)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%s: a Matrix Market file has A alone: Q is expected as a second file, or B by --factor", path);
  SGF_TRY(read_market_drift(path, system, error));
  SGF_TRY(read_market_dense(noise, factor ? "B" : "Q", system->n, !factor, &columns, &system->Q, error));
  system->columns = factor ? columns : 0;
done:
  return status;
}

/* ------------------------------------------------------------------- input */

sgf_status sgf_system_read(const char *drift, const char *noise, bool factor, const char *initial, sgf_system *system,
                           sgf_error *error)
{
  size_t columns;
  sgf_status status;
  *system = (sgf_system){0};
  if (sgf_is_matrix_market(drift))
    SGF_TRY(read_market_system(drift, noise, factor, system, error));
  else
    SGF_TRY(read_hdf5_system(drift, noise, system, error));
  if (initial == NULL) goto done;
  if (sgf_is_matrix_market(initial))
    SGF_TRY(read_market_dense(initial, "X0", system->n, true, &columns, &system->initial, error));
  else
    SGF_TRY(read_hdf5_square(initial, "X0", system->n, &system->initial, error));
done:
  if (status != SGF_OK) sgf_system_free(system);
  return status;
}

/* ------------------------------------------------------------------ output */

size_t sgf_certificate_numbers(const sgf_certificate *certificate, sgf_number *numbers, size_t capacity)
{
  const sgf_number all[] = {{"size", (double)certificate->size, true},
                            {"rank", (double)certificate->rank, true},
                            {"gap", certificate->gap, false},
                            {"ambiguous", certificate->ambiguous, true},
                            {"null_noise", certificate->null_noise, false},
                            {"residual", certificate->residual, false},
                            {"separation", certificate->separation, false},
                            {"error_bound", certificate->error_bound, false},
                            {"real", certificate->real, false},
                            {"imaginary", certificate->imaginary, false},
                            {"refined", certificate->refined, true}};
  size_t count = sizeof all / sizeof *all;
  for (size_t k = 0; k < count && k < capacity; k++) numbers[k] = all[k];
  return count;
}

static void write_provenance(sgf_hdf5_output *out, const char *command, const sgf_certificate *certificate)
{
  char text[512] = "", date[32] = "";
  time_t now = time(NULL);
  struct tm calendar;
  if (gmtime_r(&now, &calendar) != NULL) strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &calendar);
  if (gethostname(text, sizeof text - 1) != 0) text[0] = '\0';
  sgf_hdf5_attribute_text(out, "/", "version", sgf_version());
  sgf_hdf5_attribute_text(out, "/", "date", date);
  sgf_hdf5_attribute_text(out, "/", "host", text);
  sgf_hdf5_attribute_text(out, "/", "command", command);
  sgf_hdf5_attribute_text(out, "/", "method", sgf_method_text(certificate->method));
}

static void write_solution(sgf_hdf5_output *out, const sgf_solution *solution)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  size_t count = sgf_certificate_numbers(solution->certificate, numbers, SGF_MOST_NUMBERS), n = solution->n;
  sgf_hdf5_remove(out, "X");
  sgf_hdf5_remove(out, "Z");
  if (solution->X != NULL) sgf_hdf5_write(out, "X", 2, (size_t[]){n, n}, solution->X);
  if (solution->Z != NULL) sgf_hdf5_write(out, "Z", 2, (size_t[]){n, solution->rank}, solution->Z);
  for (size_t k = 0; k < count; k++)
    if (numbers[k].whole)
      sgf_hdf5_attribute_count(out, "/", numbers[k].name, (uint64_t)numbers[k].value);
    else
      sgf_hdf5_attribute(out, "/", numbers[k].name, numbers[k].value);
  write_provenance(out, solution->command, solution->certificate);
}

/* Replacing a file needs the right to write its folder; the file's own protection is to count too. */
sgf_status sgf_check_extension(const char *path, sgf_error *error)
{
  if (access(path, W_OK) != 0)
    return sgf_fail(error, SGF_ERROR_CREATE, "%s: X cannot be written into it: %s; -o writes another file", path,
                    strerror(errno));
  return sgf_check_output(path, error);
}

sgf_status sgf_write_solution(const char *path, const char *base, const sgf_solution *solution, sgf_error *error)
{
  sgf_atomic_file file = {0};
  sgf_hdf5_output out;
  sgf_status status;
  SGF_TRY(sgf_atomic_begin(path, &file, error));
  if (base != NULL)
    SGF_TRY(sgf_hdf5_extend(base, file.temporary, &out, error));
  else
    sgf_hdf5_create(file.temporary, &out);
  write_solution(&out, solution);
  if (!sgf_hdf5_finish(&out)) {
    status = sgf_fail(error, SGF_ERROR_WRITE, "%s: %s cannot be written", path, out.first_failure);
    goto done;
  }
  SGF_TRY(sgf_atomic_commit(&file, error));
done:
  sgf_atomic_discard(&file);
  return status;
}
