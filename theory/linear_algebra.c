/* The few dense operations that the derivations need, row-major, over LAPACKE and CBLAS. */
#include "linear_algebra.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

/* Sizes fit an int: sgf_network_check refuses larger networks and data. */

void sgf_multiply(size_t rows, size_t columns, size_t inner, sgf_transposition transpose_a, const double *A,
                  sgf_transposition transpose_b, const double *B, double *C)
{
  int leading_a = (int)(transpose_a == SGF_PLAIN ? inner : rows);
  int leading_b = (int)(transpose_b == SGF_PLAIN ? columns : inner);
  cblas_dgemm(CblasRowMajor, transpose_a == SGF_PLAIN ? CblasNoTrans : CblasTrans,
              transpose_b == SGF_PLAIN ? CblasNoTrans : CblasTrans, (int)rows, (int)columns, (int)inner, 1.0, A,
              leading_a, B, leading_b, 0.0, C, (int)columns);
}

/* Column-major LAPACK sees the transpose of a symmetric matrix, the matrix itself, and its
 * eigenvectors in columns are our rows. */
sgf_status sgf_symmetric_eigen(size_t n, double *matrix_then_vectors, double *values, const char *what,
                               sgf_error *error)
{
  lapack_int info =
      LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, matrix_then_vectors, (lapack_int)n, values);
  if (info == LAPACK_WORK_MEMORY_ERROR)
    return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for the eigenvalues of a %zu x %zu matrix", what, n, n);
  if (info != 0)
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "%s: eigenvalues not found, LAPACK dsyevd returned %d", what,
                    (int)info);
  return SGF_OK;
}

void sgf_reverse_rows(size_t rows, size_t columns, double *A, double *values)
{
  for (size_t k = 0; k < rows / 2; k++) {
    double *low = A + k * columns, *high = A + (rows - 1 - k) * columns, swap = values[k];
    values[k] = values[rows - 1 - k];
    values[rows - 1 - k] = swap;
    for (size_t i = 0; i < columns; i++) {
      swap = low[i];
      low[i] = high[i];
      high[i] = swap;
    }
  }
}

sgf_status sgf_symmetric_eigenvalues(size_t n, const double *matrix, double *values, const char *what,
                                     sgf_error *error)
{
  double *copy;
  sgf_status status = sgf_new_reals(&copy, n, n, what, error);
  if (status != SGF_OK) return status;
  memcpy(copy, matrix, n * n * sizeof *copy);
  lapack_int info = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 'N', 'L', (lapack_int)n, copy, (lapack_int)n, values);
  free(copy);
  if (info != 0)
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "%s: eigenvalues not found, LAPACK dsyevd returned %d", what,
                    (int)info);
  return SGF_OK;
}

sgf_status sgf_pseudo_inverse(size_t n, double *A, double tolerance, const char *what, size_t *rank, sgf_error *error)
{
  double *weighted = NULL, *values;
  sgf_status status;
  *rank = 0;
  SGF_TRY(sgf_new_reals(&weighted, n + 1, n, what, error));
  values = weighted + n * n;
  SGF_TRY(sgf_symmetric_eigen(n, A, values, what, error));
  for (size_t k = 0; k < n; k++) {
    bool kept = values[k] > tolerance * values[n - 1];
    *rank += kept;
    for (size_t i = 0; i < n; i++) weighted[k * n + i] = kept ? A[k * n + i] / sqrt(values[k]) : 0.0;
  }
  sgf_multiply(n, n, n, SGF_TRANSPOSED, weighted, SGF_PLAIN, weighted, A);
done:
  if (status != SGF_OK) sgf_fill_nan(n * n, A);
  free(weighted);
  return status;
}

sgf_status sgf_thin_svd(size_t rows, size_t columns, double *A, double *U, double *d, double *Vt, const char *what,
                        sgf_error *error)
{
  size_t k = rows < columns ? rows : columns;
  if (LAPACKE_dgesdd(LAPACK_ROW_MAJOR, 'S', (lapack_int)rows, (lapack_int)columns, A, (lapack_int)columns, d, U,
                     (lapack_int)k, Vt, (lapack_int)columns) == 0)
    return SGF_OK;
  return sgf_fail(error, SGF_ERROR_NUMERICAL, "singular value decomposition of %s: no convergence", what);
}

void sgf_into_basis(size_t n, const double *V, const double *A, double *work, double *B)
{
  sgf_multiply(n, n, n, SGF_PLAIN, V, SGF_PLAIN, A, work);
  sgf_multiply(n, n, n, SGF_PLAIN, work, SGF_TRANSPOSED, V, B);
  sgf_symmetrize(n, B);
}

void sgf_out_of_basis(size_t n, const double *V, const double *A, double *work, double *B)
{
  sgf_multiply(n, n, n, SGF_TRANSPOSED, V, SGF_PLAIN, A, work);
  sgf_multiply(n, n, n, SGF_PLAIN, work, SGF_PLAIN, V, B);
  sgf_symmetrize(n, B);
}

sgf_status sgf_sandwich(size_t rows, size_t inner, sgf_transposition stored, const double *T, const double *S,
                        double *out, const char *what, sgf_error *error)
{
  sgf_transposition back = stored == SGF_PLAIN ? SGF_TRANSPOSED : SGF_PLAIN;
  double *work;
  sgf_status status = sgf_new_reals(&work, rows, inner, what, error);
  if (status != SGF_OK) return status;
  sgf_multiply(rows, inner, inner, stored, T, SGF_PLAIN, S, work);
  sgf_multiply(rows, rows, inner, SGF_PLAIN, work, back, T, out);
  sgf_symmetrize(rows, out);
  free(work);
  return SGF_OK;
}

/* By tiles: a column of a large matrix touches a page of memory with every element. */
enum { TILE = 32 };

void sgf_symmetrize(size_t n, double *A)
{
  for (size_t rows = 0; rows < n; rows += TILE)
    for (size_t columns = 0; columns <= rows; columns += TILE)
      for (size_t i = rows; i < n && i < rows + TILE; i++)
        for (size_t j = columns; j < i && j < columns + TILE; j++)
          A[i * n + j] = A[j * n + i] = 0.5 * (A[i * n + j] + A[j * n + i]);
}

void sgf_mirror(size_t n, double *A)
{
  for (size_t rows = 0; rows < n; rows += TILE)
    for (size_t columns = 0; columns <= rows; columns += TILE)
      for (size_t i = rows; i < n && i < rows + TILE; i++)
        for (size_t j = columns; j < i && j < columns + TILE; j++) A[j * n + i] = A[i * n + j];
}

double sgf_asymmetry(size_t n, const double *A)
{
  double square = 0.0, norm = sgf_norm(n * n, A);
  if (norm == 0.0) return 0.0;
  for (size_t rows = 0; rows < n; rows += TILE)
    for (size_t columns = 0; columns <= rows; columns += TILE)
      for (size_t i = rows; i < n && i < rows + TILE; i++)
        for (size_t j = columns; j < i && j < columns + TILE; j++) {
          double difference = A[i * n + j] / norm - A[j * n + i] / norm;
          square += 2.0 * difference * difference;
        }
  return sqrt(square);
}

void sgf_transpose(size_t rows, size_t columns, const double *A, double *out)
{
  for (size_t i = 0; i < rows; i += TILE)
    for (size_t j = 0; j < columns; j += TILE)
      for (size_t k = i; k < rows && k < i + TILE; k++)
        for (size_t l = j; l < columns && l < j + TILE; l++) out[l * rows + k] = A[k * columns + l];
}

double sgf_norm(size_t count, const double *values)
{
  double scale = 0.0, sum = sgf_dot(count, values, values);
  if (sum > 1e-280 && sum < INFINITY) return sqrt(sum);
  for (size_t k = 0; k < count; k++) {
    if (isnan(values[k])) return NAN;
    scale = fmax(scale, fabs(values[k]));
  }
  if (scale == 0.0 || isinf(scale)) return scale;
  sum = 0.0;
  for (size_t k = 0; k < count; k++) sum += (values[k] / scale) * (values[k] / scale);
  return scale * sqrt(sum);
}

/* In eight chains, which the compiler makes vectors of: one chain waits for each addition. */
double sgf_dot(size_t count, const double *a, const double *b)
{
  enum { CHAINS = 8 };
  double chain[CHAINS] = {0.0}, sum = 0.0;
  size_t whole = count - count % CHAINS;
  for (size_t k = 0; k < whole; k += CHAINS)
    for (size_t c = 0; c < CHAINS; c++) chain[c] += a[k + c] * b[k + c];
  for (size_t k = whole; k < count; k++) sum += a[k] * b[k];
  for (size_t c = 0; c < CHAINS; c++) sum += chain[c];
  return sum;
}

double sgf_trace(size_t n, const double *A)
{
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += A[i * n + i];
  return sum;
}

double sgf_quadratic_form(size_t n, const double *A, const double *v)
{
  double sum = 0.0;
  for (size_t i = 0; i < n; i++) sum += v[i] * sgf_dot(n, A + i * n, v);
  return sum;
}

void sgf_diagonal_block(size_t n, const double *A, size_t first, size_t size, double *block)
{
  for (size_t i = 0; i < size; i++) memcpy(block + i * size, A + (first + i) * n + first, size * sizeof *block);
}

void sgf_fill_nan(size_t count, double *values)
{
  for (size_t k = 0; k < count; k++) values[k] = NAN;
}
