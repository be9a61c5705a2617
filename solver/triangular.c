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
#include <math.h>

#include "../theory/linear_algebra.h"

/* Equations up to this size are solved element by element: products of less than 32 are too small to run at speed. Not by
 * LAPACK's dtrsyl, which takes 1.7 times as long for 32 x 32, and does not know the discrete equation. */
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

/* --------------------------------------------------------- small equations */

/* Size, 1 or 2, of the diagonal block of T that ends with row `last`. */
static size_t block_ending(const triangle *T, size_t last)
{
  return last > 0 && T->start[last + (last - 1) * T->leading] != 0.0 ? 2 : 1;
}

/* Solve K x = y for at most 4 unknowns by elimination, y being the last column of K; false when K is singular. Complete
 * pivoting: a 2 x 2 block of a non-normal drift has elements of very different size off its diagonal, and pivoting by rows
 * alone was seen to lose digits to them. */
static inline bool eliminate(size_t size, double K[4][5], double *x)
{
  size_t order[4] = {0, 1, 2, 3};
  for (size_t k = 0; k < size; k++) {
    size_t row = k, column = k;
    for (size_t r = k; r < size; r++)
      for (size_t c = k; c < size; c++)
        if (fabs(K[r][c]) > fabs(K[row][column])) row = r, column = c;
    if (K[row][column] == 0.0) return false;
    for (size_t c = 0; c <= size && row != k; c++) {
      double kept = K[k][c];
      K[k][c] = K[row][c];
      K[row][c] = kept;
    }
    for (size_t r = 0; r < size && column != k; r++) {
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
    for (size_t c = k + 1; c < size; c++) value -= K[k][c] * x[order[c]];
    x[order[k]] = value / K[k][k];
  }
  return true;
}

/* A x + x B^T = y, or x - A x B^T = y, for diagonal blocks A (m, m) and B (l, l), m and l at most 2; y (m, l) inside of C
 * is overwritten by x. */
static bool solve_blocks(bool discrete, size_t m, const double *A, size_t leading_a, size_t l, const double *B,
                         size_t leading_b, double *C, size_t leading_c)
{
  if (m == 1 && l == 1) {
    double sum = discrete ? 1.0 - A[0] * B[0] : A[0] + B[0];
    C[0] /= sum;
    return sum != 0.0;
  }
  double K[4][5], x[4];
  size_t size = m * l;
  for (size_t r = 0; r < size; r++) {
    for (size_t c = 0; c < size; c++) {
      double first = A[r % m + (c % m) * leading_a], second = B[r / m + (c / m) * leading_b];
      K[r][c] = discrete ? (r == c ? 1.0 : 0.0) - first * second
                         : (r / m == c / m ? first : 0.0) + (r % m == c % m ? second : 0.0);
    }
    K[r][size] = C[r % m + (r / m) * leading_c];
  }
  if (!(size == 2 ? eliminate(2, K, x) : eliminate(4, K, x))) return false; /* loops of known length */
  for (size_t r = 0; r < size; r++) C[r % m + (r / m) * leading_c] = x[r];
  return true;
}

/* Subtract from C (rows, count) what X (rows, inner) adds to it through B (count, inner): X B^T. */
static void subtract_product(size_t rows, size_t count, size_t inner, const double *X, size_t leading_x,
                             const double *B, size_t leading_b, double *C, size_t leading_c)
{
  for (size_t c = 0; c < count; c++)
    for (size_t k = 0; k < inner; k++) {
      double factor = B[c + k * leading_b];
      for (size_t i = 0; i < rows; i++) C[i + c * leading_c] -= X[i + k * leading_x] * factor;
    }
}

/* The `count` columns of X from `column` on, the later ones being known and their share in C: from the last rows up, each
 * block of rows taken from those above as soon as it is known. Of a symmetric X the rows below the diagonal are known. */
static void solve_columns(const triangle *A, size_t column, size_t count, const double *B, size_t leading_b,
                          bool is_symmetric, double *whole, size_t leading_c, solution *found)
{
  double *C = whole + column * leading_c;
  for (size_t last = A->size; last > 0;) {
    size_t rows = block_ending(A, last - 1), row = last - rows;
    double through[2][2]; /* what the rows above see: x, discrete -x B^T; [r][c] */
    if (is_symmetric && row >= column + count) {
      for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < count; c++) C[row + r + c * leading_c] = whole[column + c + (row + r) * leading_c];
    } else if (!solve_blocks(found->discrete, rows, A->start + row * (A->leading + 1), A->leading, count, B,
                             leading_b, C + row, leading_c)) {
      found->singular = true;
    }
    /* An antisymmetric part of round-off is amplified as X is, and must not spread. */
    if (is_symmetric && row == column && count == 2)
      C[row + 1] = C[row + leading_c] = 0.5 * (C[row + 1] + C[row + leading_c]);
    for (size_t r = 0; r < rows; r++)
      for (size_t c = 0; c < count; c++) {
        through[r][c] = found->discrete ? 0.0 : C[row + r + c * leading_c];
        for (size_t d = 0; d < count && found->discrete; d++)
          through[r][c] -= C[row + r + d * leading_c] * B[c + d * leading_b];
      }
    subtract_product(row, count, rows, A->start + row * A->leading, A->leading, &through[0][0], 2, C, leading_c);
    last = row;
  }
}

/* A X + X B^T = C, or X - A X B^T = C, for at most SMALL rows and columns: column by column, the last first. */
static void small(const triangle *A, const triangle *B, bool is_symmetric, double *C, size_t leading_c,
                  solution *found)
{
  double behind[2 * SMALL], *later, *target;
  for (size_t last = B->size; last > 0;) {
    size_t count = block_ending(B, last - 1), column = last - count;
    const double *coupled = B->start + column + last * B->leading;
    later = C + last * leading_c;
    target = C + column * leading_c;
    if (!found->discrete) {
      subtract_product(A->size, count, B->size - last, later, leading_c, coupled, B->leading, target, leading_c);
    } else if (last < B->size) {
      for (size_t k = 0; k < 2 * SMALL; k++) behind[k] = 0.0;
      subtract_product(A->size, count, B->size - last, later, leading_c, coupled, B->leading, behind, SMALL);
      for (size_t c = 0; c < count; c++) /* C += A X B^T; A is 0 below its first subdiagonal */
        for (size_t k = 0; k < A->size; k++)
          for (size_t i = 0; i < A->size && i <= k + 1; i++)
            target[i + c * leading_c] -= A->start[i + k * A->leading] * behind[k + c * SMALL];
    }
    solve_columns(A, column, count, B->start + column * (B->leading + 1), B->leading, is_symmetric, C, leading_c,
                  found);
    last = column;
  }
}

/* ------------------------------------------------------------- recursion */

/* A X + X B^T = C, or X - A X B^T = C; C (A->size, B->size) is overwritten by X. */
static void sylvester(const triangle *A, const triangle *B, double *C, size_t leading_c, solution *found)
{
  size_t m = A->size, n = B->size;
  if (m <= SMALL && n <= SMALL) {
    small(A, B, false, C, leading_c, found);
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

/* Below the diagonal what is above it: of rows 0 ... rows - 1 and `columns` columns from `column` on. */
static void mirror(size_t rows, size_t column, size_t columns, double *C, size_t leading_c)
{
  for (size_t j = column; j < column + columns; j++)
    for (size_t i = 0; i < rows && i < j; i++) C[j + i * leading_c] = C[i + j * leading_c];
}

/* The symmetric equation, C given by its upper triangle and filled. */
static void symmetric(const triangle *T, double *C, size_t leading_c, solution *found)
{
  size_t n = T->size;
  if (n <= SMALL) {
    mirror(n, 0, n, C, leading_c);
    small(T, T, true, C, leading_c, found);
    return;
  }
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
  mirror(cut, cut, rest, C, leading_c);
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
