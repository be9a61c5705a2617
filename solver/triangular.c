/* Lyapunov and Stein equations whose drift is upper quasi-triangular: the inner solve of Bartels and Stewart.
 *
 * Column-major throughout. With T = [T11 T12; 0 T22] the blocks follow each other, the last first:
 *   continuous   T22 X22 + X22 T22^T = C22
 *                T11 X12 + X12 T22^T = C12 - T12 X22
 *                T11 X11 + X11 T11^T = C11 - T12 X12^T - X12 T12^T
 *   discrete     X22 - T22 X22 T22^T = C22
 *                X12 - T11 X12 T22^T = C12 + T12 X22 T22^T
 *                X11 - T11 X11 T11^T = C11 + T12 X22 T12^T + T11 X12 T12^T + T12 X12^T T11^T
 * and the Sylvester equations for X12 split in the same way along their longer side. */
#include "triangular.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>

#include "../theory/linear_algebra.h"

/* Equations up to this size are solved element by element. LAPACK's dtrsyl needs about 0.1 us an element whatever the
 * size, and the products below 32 are too small to run at speed. */
enum { SMALL = 32 };

/* A matrix inside of another: element (i, j) at start[i + j * leading]. */
typedef struct {
  const double *start;
  size_t size, leading;
} triangle;

typedef struct {
  bool discrete;
  double *work;
  bool singular; /* an element could not be solved for */
} solution;

static void add_product(CBLAS_TRANSPOSE transpose_b, size_t rows, size_t columns, size_t inner, double factor,
                        const double *A, size_t leading_a, const double *B, size_t leading_b, double keep, double *C,
                        size_t leading_c)
{
  cblas_dgemm(CblasColMajor, CblasNoTrans, transpose_b, (int)rows, (int)columns, (int)inner, factor, A,
              (int)leading_a, B, (int)leading_b, keep, C, (int)leading_c);
}

/* A cut near the middle that leaves the 2 x 2 blocks of the Schur form whole. */
static size_t middle(const triangle *T)
{
  size_t cut = T->size / 2;
  return T->start[cut + (cut - 1) * T->leading] != 0.0 ? cut + 1 : cut;
}

static triangle first_part(const triangle *T, size_t cut) { return (triangle){T->start, cut, T->leading}; }

static triangle last_part(const triangle *T, size_t cut)
{
  return (triangle){T->start + cut * (T->leading + 1), T->size - cut, T->leading};
}

/* The block that couples the two parts, cut x (size - cut). */
static const double *coupling(const triangle *T, size_t cut) { return T->start + cut * T->leading; }

/* ------------------------------------------------- small discrete equations */

/* Size, 1 or 2, of the diagonal block of T that ends with row `last`. */
static size_t block_ending(const triangle *T, size_t last)
{
  return last > 0 && T->start[last + (last - 1) * T->leading] != 0.0 ? 2 : 1;
}

/* Solve X - A X B^T = C for diagonal blocks A (m, m), B (n, n), m and n at most 2, as a linear system by Gauss with
 * complete pivoting; false when it is singular. */
static bool solve_blocks(size_t m, const double *A, size_t leading_a, size_t n, const double *B, size_t leading_b,
                         double *C, size_t leading_c)
{
  size_t size = m * n, order[4] = {0, 1, 2, 3};
  double K[4][5];
  for (size_t r = 0; r < size; r++) {
    for (size_t c = 0; c < size; c++)
      K[r][c] = (r == c ? 1.0 : 0.0) - A[r % m + (c % m) * leading_a] * B[r / m + (c / m) * leading_b];
    K[r][size] = C[r % m + (r / m) * leading_c];
  }
  for (size_t k = 0; k < size; k++) {
    size_t row = k, column = k;
    for (size_t r = k; r < size; r++)
      for (size_t c = k; c < size; c++)
        if (fabs(K[r][c]) > fabs(K[row][column])) row = r, column = c;
    if (K[row][column] == 0.0) return false;
    for (size_t c = k; c <= size; c++) {
      double kept = K[k][c];
      K[k][c] = K[row][c];
      K[row][c] = kept;
    }
    for (size_t r = 0; r < size; r++) {
      double kept = K[r][k];
      K[r][k] = K[r][column];
      K[r][column] = kept;
    }
    size_t kept = order[k];
    order[k] = order[column];
    order[column] = kept;
    for (size_t r = k + 1; r < size; r++) {
      double factor = K[r][k] / K[k][k];
      for (size_t c = k + 1; c <= size; c++) K[r][c] -= factor * K[k][c];
    }
  }
  for (size_t k = size; k-- > 0;) {
    double value = K[k][size];
    for (size_t c = k + 1; c < size; c++) value -= K[k][c] * K[c][size];
    K[k][size] = value / K[k][k];
  }
  for (size_t k = 0; k < size; k++) C[order[k] % m + (order[k] / m) * leading_c] = K[k][size];
  return true;
}

/* Columns first ... first + count - 1 of X - A X B^T = C, the columns behind them being known and their share of the
 * right-hand side in place. */
static void solve_columns(const triangle *A, size_t count, const double *B, size_t leading_b, double *C,
                          size_t leading_c, solution *found)
{
  for (size_t last = A->size; last > 0;) {
    size_t rows = block_ending(A, last - 1), row = last - rows;
    double behind[2][2] = {{0.0, 0.0}, {0.0, 0.0}}; /* A[row .., last ..] X[last .., columns] */
    for (size_t c = 0; c < count; c++)
      for (size_t k = last; k < A->size; k++)
        for (size_t r = 0; r < rows; r++) behind[r][c] += A->start[row + r + k * A->leading] * C[k + c * leading_c];
    for (size_t c = 0; c < count; c++)
      for (size_t d = 0; d < count; d++)
        for (size_t r = 0; r < rows; r++) C[row + r + c * leading_c] += behind[r][d] * B[c + d * leading_b];
    if (!solve_blocks(rows, A->start + row * (A->leading + 1), A->leading, count, B, leading_b, C + row, leading_c))
      found->singular = true;
    last = row;
  }
}

/* X - A X B^T = C column block by column block, the last first. */
static void small_discrete(const triangle *A, const triangle *B, double *C, size_t leading_c, solution *found)
{
  double behind[2 * SMALL], product[2 * SMALL];
  for (size_t last = B->size; last > 0;) {
    size_t count = block_ending(B, last - 1), column = last - count;
    for (size_t c = 0; c < count; c++)
      for (size_t i = 0; i < A->size; i++) {
        double sum = 0.0;
        for (size_t l = last; l < B->size; l++) sum += C[i + l * leading_c] * B->start[column + c + l * B->leading];
        behind[i + c * A->size] = sum;
      }
    add_product(CblasNoTrans, A->size, count, A->size, 1.0, A->start, A->leading, behind, A->size, 0.0, product,
                A->size);
    for (size_t c = 0; c < count; c++)
      for (size_t i = 0; i < A->size; i++) C[i + (column + c) * leading_c] += product[i + c * A->size];
    solve_columns(A, count, B->start + column * (B->leading + 1), B->leading, C + column * leading_c, leading_c,
                  found);
    last = column;
  }
}

/* LAPACK's own solver. It scales the solution down where it would overflow, or perturbs eigenvalues that cancel: to
 * working accuracy the equation is singular then. */
static void small_continuous(const triangle *A, const triangle *B, double *C, size_t leading_c, solution *found)
{
  double scale = 1.0;
  lapack_int info =
      LAPACKE_dtrsyl_work(LAPACK_COL_MAJOR, 'N', 'T', 1, (lapack_int)A->size, (lapack_int)B->size, A->start,
                          (lapack_int)A->leading, B->start, (lapack_int)B->leading, C, (lapack_int)leading_c, &scale);
  if (info != 0 || scale != 1.0) found->singular = true;
}

/* ------------------------------------------------------------- recursion */

/* A X + X B^T = C, or X - A X B^T = C; C (A->size, B->size) is overwritten by X. */
static void sylvester(const triangle *A, const triangle *B, double *C, size_t leading_c, solution *found)
{
  size_t m = A->size, n = B->size;
  if (m <= SMALL && n <= SMALL) {
    if (found->discrete)
      small_discrete(A, B, C, leading_c, found);
    else
      small_continuous(A, B, C, leading_c, found);
    return;
  }
  bool rows = m >= n;
  size_t cut = middle(rows ? A : B);
  triangle first = first_part(rows ? A : B, cut), last = last_part(rows ? A : B, cut);
  double *C_last = rows ? C + cut : C + cut * leading_c, *W = found->work;
  sylvester(rows ? &last : A, rows ? B : &last, C_last, leading_c, found);
  if (rows && !found->discrete) {
    add_product(CblasNoTrans, cut, n, m - cut, -1.0, coupling(A, cut), A->leading, C_last, leading_c, 1.0, C,
                leading_c);
  } else if (rows) {
    add_product(CblasTrans, m - cut, n, n, 1.0, C_last, leading_c, B->start, B->leading, 0.0, W, m - cut);
    add_product(CblasNoTrans, cut, n, m - cut, 1.0, coupling(A, cut), A->leading, W, m - cut, 1.0, C, leading_c);
  } else if (!found->discrete) {
    add_product(CblasTrans, m, cut, n - cut, -1.0, C_last, leading_c, coupling(B, cut), B->leading, 1.0, C,
                leading_c);
  } else {
    add_product(CblasTrans, m, cut, n - cut, 1.0, C_last, leading_c, coupling(B, cut), B->leading, 0.0, W, m);
    add_product(CblasNoTrans, m, cut, m, 1.0, A->start, A->leading, W, m, 1.0, C, leading_c);
  }
  sylvester(rows ? &first : A, rows ? B : &first, C, leading_c, found);
}

/* What the two later blocks take over from the first, for X12 already behind C12; lower part not kept. */
static void subtract_from_first(const triangle *T, size_t cut, double *C, size_t leading_c, solution *found)
{
  size_t rest = T->size - cut;
  const double *T12 = coupling(T, cut);
  double *X12 = C + cut * leading_c, *X22 = X12 + cut, *W = found->work;
  if (!found->discrete) {
    cblas_dsyr2k(CblasColMajor, CblasUpper, CblasNoTrans, (int)cut, (int)rest, -1.0, T12, (int)T->leading, X12,
                 (int)leading_c, 1.0, C, (int)leading_c);
    return;
  }
  /* T12 X22 T12^T + T11 X12 T12^T + (...)^T = W T12^T + T12 W^T with W = T11 X12 + T12 X22 / 2 */
  add_product(CblasNoTrans, cut, rest, cut, 1.0, T->start, T->leading, X12, leading_c, 0.0, W, cut);
  add_product(CblasNoTrans, cut, rest, rest, 0.5, T12, T->leading, X22, leading_c, 1.0, W, cut);
  cblas_dsyr2k(CblasColMajor, CblasUpper, CblasNoTrans, (int)cut, (int)rest, 1.0, T12, (int)T->leading, W, (int)cut,
               1.0, C, (int)leading_c);
}

/* The symmetric equation; only the upper triangle of C is used above SMALL, all of it is filled. */
static void symmetric(const triangle *T, double *C, size_t leading_c, solution *found)
{
  size_t n = T->size;
  if (n <= SMALL) {
    for (size_t j = 0; j < n; j++)
      for (size_t i = 0; i < j; i++) C[j + i * leading_c] = C[i + j * leading_c];
    if (found->discrete)
      small_discrete(T, T, C, leading_c, found);
    else
      small_continuous(T, T, C, leading_c, found);
  } else {
    size_t cut = middle(T), rest = n - cut;
    triangle first = first_part(T, cut), last = last_part(T, cut);
    const double *T12 = coupling(T, cut);
    double *X12 = C + cut * leading_c, *X22 = X12 + cut, *W = found->work;
    symmetric(&last, X22, leading_c, found);
    if (!found->discrete) {
      add_product(CblasNoTrans, cut, rest, rest, -1.0, T12, T->leading, X22, leading_c, 1.0, X12, leading_c);
    } else {
      add_product(CblasTrans, rest, rest, rest, 1.0, X22, leading_c, last.start, T->leading, 0.0, W, rest);
      add_product(CblasNoTrans, cut, rest, rest, 1.0, T12, T->leading, W, rest, 1.0, X12, leading_c);
    }
    sylvester(&first, &last, X12, leading_c, found);
    subtract_from_first(T, cut, C, leading_c, found);
    symmetric(&first, C, leading_c, found);
  }
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < j; i++) {
      double mean = n <= SMALL ? 0.5 * (C[i + j * leading_c] + C[j + i * leading_c]) : C[i + j * leading_c];
      C[i + j * leading_c] = C[j + i * leading_c] = mean;
    }
}

sgf_status sgf_triangular_solve(size_t n, const double *T, bool discrete, double *C, double *work, const char *what,
                                sgf_error *error)
{
  triangle whole = {T, n, n};
  solution found = {discrete, work, false};
  symmetric(&whole, C, n, &found);
  if (!found.singular && isfinite(sgf_norm(n * n, C))) return SGF_OK;
  sgf_fill_nan(n * n, C);
  return sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                  "%s: two eigenvalues of A %s to round-off: the equation is singular to working accuracy", what,
                  discrete ? "multiply to 1" : "sum to 0");
}
