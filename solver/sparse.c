/* Sparse matrices by columns: checked, turned, multiplied. */
#include "sparse.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"

size_t sgf_sparse_entries(const sgf_sparse *A) { return (size_t)A->starts[A->columns]; }

sgf_status sgf_sparse_create(size_t rows, size_t columns, size_t entries, sgf_sparse *A, const char *what,
                             sgf_error *error)
{
  void *starts = NULL, *indices = NULL;
  sgf_status status;
  *A = (sgf_sparse){.rows = rows, .columns = columns};
  SGF_TRY(sgf_allocate(&starts, columns + 1, 1, sizeof *A->starts, what, error));
  A->starts = starts;
  SGF_TRY(sgf_allocate(&indices, entries, 1, sizeof *A->indices, what, error));
  A->indices = indices;
  SGF_TRY(sgf_new_reals(&A->values, entries, 1, what, error));
done:
  if (status != SGF_OK) sgf_sparse_free(A);
  return status;
}

void sgf_sparse_free(sgf_sparse *A)
{
  free(A->starts);
  free(A->indices);
  free(A->values);
  *A = (sgf_sparse){0};
}

static sgf_status check_starts(const sgf_sparse *A, const char *what, bool by_rows, sgf_error *error)
{
  if (A->rows != A->columns)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s has shape (%zu, %zu), not square", what, A->rows, A->columns);
  if (A->rows == 0) return sgf_fail(error, SGF_ERROR_VALUE, "%s has shape (0, 0): it is empty", what);
  if (A->rows > INT_MAX)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s has %zu rows, a sparse matrix has at most %d", what, A->rows,
                    INT_MAX);
  if (A->starts[0] != 0)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: its %ss start at entry %lld, not 0", what,
                    by_rows ? "row" : "column", (long long)A->starts[0]);
  for (size_t j = 0; j < A->columns; j++)
    if (A->starts[j + 1] < A->starts[j])
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: %s %zu starts at entry %lld and ends before, at %lld", what,
                      by_rows ? "row" : "column", j, (long long)A->starts[j], (long long)A->starts[j + 1]);
  return SGF_OK;
}

static sgf_status check_column(const sgf_sparse *A, size_t j, int64_t *seen, const char *what, bool by_rows,
                               sgf_error *error)
{
  for (int64_t k = A->starts[j]; k < A->starts[j + 1]; k++) {
    int64_t i = A->indices[k];
    if (i < 0 || i >= (int64_t)A->rows)
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: entry %lld is in %s %lld of %zu", what, (long long)k,
                      by_rows ? "column" : "row", (long long)i, A->rows);
    long long row = by_rows ? (long long)j : (long long)i, column = by_rows ? (long long)i : (long long)j;
    if (!isfinite(A->values[k]))
      return sgf_fail(error, SGF_ERROR_VALUE, "%s[%lld, %lld] is %g", what, row, column, A->values[k]);
    if (seen[i] == (int64_t)j + 1)
      return sgf_fail(error, SGF_ERROR_VALUE, "%s[%lld, %lld] is given twice", what, row, column);
    seen[i] = (int64_t)j + 1;
  }
  return SGF_OK;
}

sgf_status sgf_sparse_check(const sgf_sparse *A, const char *what, bool by_rows, sgf_error *error)
{
  void *seen = NULL;
  sgf_status status;
  SGF_TRY(check_starts(A, what, by_rows, error));
  SGF_TRY(sgf_allocate(&seen, A->rows, 1, sizeof(int64_t), what, error));
  for (size_t j = 0; j < A->columns; j++) SGF_TRY(check_column(A, j, seen, what, by_rows, error));
done:
  free(seen);
  return status;
}

sgf_status sgf_sparse_transpose(const sgf_sparse *A, sgf_sparse *B, sgf_error *error)
{
  size_t entries = sgf_sparse_entries(A), kept = 0;
  for (size_t k = 0; k < entries; k++) kept += A->values[k] != 0.0;
  sgf_status status = sgf_sparse_create(A->columns, A->rows, kept, B, "A", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < entries; k++)
    if (A->values[k] != 0.0) B->starts[A->indices[k] + 1]++;
  for (size_t i = 0; i < A->rows; i++) B->starts[i + 1] += B->starts[i];
  /* Each start moves to its column's end while the column is filled, which is where the next one starts. */
  for (size_t j = 0; j < A->columns; j++)
    for (int64_t k = A->starts[j]; k < A->starts[j + 1]; k++) {
      if (A->values[k] == 0.0) continue;
      int64_t at = B->starts[A->indices[k]]++;
      B->indices[at] = (int64_t)j;
      B->values[at] = A->values[k];
    }
  memmove(B->starts + 1, B->starts, A->rows * sizeof *B->starts);
  B->starts[0] = 0;
  return SGF_OK;
}

sgf_status sgf_sparse_order(const sgf_sparse *A, sgf_sparse *B, sgf_error *error)
{
  sgf_sparse turned;
  sgf_status status = sgf_sparse_transpose(A, &turned, error);
  *B = (sgf_sparse){0};
  if (status != SGF_OK) return status;
  status = sgf_sparse_transpose(&turned, B, error);
  sgf_sparse_free(&turned);
  return status;
}

static void append(sgf_sparse *B, size_t column, int64_t row, double value)
{
  int64_t at = B->starts[column + 1]++;
  B->indices[at] = row;
  B->values[at] = value;
}

/* C = a A + b B, ordered, of two ordered matrices of one shape. */
static sgf_status add(double a, const sgf_sparse *A, double b, const sgf_sparse *B, sgf_sparse *C, sgf_error *error)
{
  sgf_status status =
      sgf_sparse_create(A->rows, A->columns, sgf_sparse_entries(A) + sgf_sparse_entries(B), C, "A", error);
  if (status != SGF_OK) return status;
  for (size_t j = 0; j < A->columns; j++) {
    int64_t k = A->starts[j], l = B->starts[j];
    C->starts[j + 1] = C->starts[j];
    while (k < A->starts[j + 1] || l < B->starts[j + 1]) {
      int64_t row_a = k < A->starts[j + 1] ? A->indices[k] : INT64_MAX;
      int64_t row_b = l < B->starts[j + 1] ? B->indices[l] : INT64_MAX;
      double value = (row_a <= row_b ? a * A->values[k] : 0.0) + (row_b <= row_a ? b * B->values[l] : 0.0);
      append(C, j, row_a <= row_b ? row_a : row_b, value);
      k += row_a <= row_b;
      l += row_b <= row_a;
    }
  }
  return SGF_OK;
}

sgf_status sgf_sparse_shift(const sgf_sparse *A, double shift, double factor, sgf_sparse *B, sgf_error *error)
{
  sgf_sparse identity;
  sgf_status status = sgf_sparse_create(A->rows, A->columns, A->columns, &identity, "A", error);
  *B = (sgf_sparse){0};
  if (status != SGF_OK) return status;
  for (size_t j = 0; j < A->columns; j++) {
    identity.starts[j + 1] = identity.starts[j];
    append(&identity, j, (int64_t)j, 1.0);
  }
  status = add(factor, A, shift, &identity, B, error);
  sgf_sparse_free(&identity);
  return status;
}

sgf_status sgf_sparse_twice_symmetric_part(const sgf_sparse *A, sgf_sparse *B, sgf_error *error)
{
  sgf_sparse turned;
  sgf_status status = sgf_sparse_transpose(A, &turned, error);
  *B = (sgf_sparse){0};
  if (status != SGF_OK) return status;
  status = add(1.0, A, 1.0, &turned, B, error);
  sgf_sparse_free(&turned);
  return status;
}

sgf_status sgf_sparse_is_symmetric(const sgf_sparse *A, bool *symmetric, sgf_error *error)
{
  sgf_sparse turned;
  sgf_status status = sgf_sparse_transpose(A, &turned, error);
  *symmetric = false;
  if (status != SGF_OK) return status;
  size_t entries = sgf_sparse_entries(&turned);
  *symmetric = A->rows == A->columns && entries == sgf_sparse_entries(A) &&
               memcmp(A->starts, turned.starts, (A->columns + 1) * sizeof *A->starts) == 0 &&
               memcmp(A->indices, turned.indices, entries * sizeof *A->indices) == 0;
  for (size_t k = 0; k < entries && *symmetric; k++) *symmetric = A->values[k] == turned.values[k];
  sgf_sparse_free(&turned);
  return SGF_OK;
}

void sgf_sparse_multiply(const sgf_sparse *A, bool transposed, size_t width, const double *X, double *Y)
{
  size_t height = transposed ? A->columns : A->rows, inner = transposed ? A->rows : A->columns;
  memset(Y, 0, height * width * sizeof *Y);
  for (size_t c = 0; c < width; c++) {
    const double *x = X + c * inner;
    double *y = Y + c * height;
    for (size_t j = 0; j < A->columns; j++) {
      double sum = 0.0;
      for (int64_t k = A->starts[j]; k < A->starts[j + 1]; k++)
        if (transposed)
          sum += A->values[k] * x[A->indices[k]];
        else
          y[A->indices[k]] += A->values[k] * x[j];
      if (transposed) y[j] = sum;
    }
  }
}

void sgf_sparse_to_dense(const sgf_sparse *A, double *dense)
{
  memset(dense, 0, A->rows * A->columns * sizeof *dense);
  for (size_t j = 0; j < A->columns; j++)
    for (int64_t k = A->starts[j]; k < A->starts[j + 1]; k++)
      dense[(size_t)A->indices[k] * A->columns + j] = A->values[k];
}

void sgf_sparse_turn(size_t n, double *A)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) {
      double kept = A[i * n + j];
      A[i * n + j] = A[j * n + i];
      A[j * n + i] = kept;
    }
}

double sgf_sparse_norm(const sgf_sparse *A) { return sgf_norm(sgf_sparse_entries(A), A->values); }
