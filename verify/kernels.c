/* Products of the small matrices that SGD is made of, and of its snapshots.
 *
 * Square matrices of N = 4, 8, 20, 40, one thread of an AMD EPYC, gcc 12, in multiply-adds per ns: 4.2, 7.4, 17, 19,
 * against 0.4, 3.4, 11, 16 of OpenBLAS 0.3.21, whose calls moreover wait for one another when several threads make
 * them. */
#include "kernels.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The same code twice, with AVX2 where the machine has it. AVX2 has no fused operations by itself, so the bits are
 * those of the plain code. */
#if defined(__x86_64__) && defined(__GNUC__)
#define WITH_AVX2 __attribute__((target("avx2")))
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#else
#define WITH_AVX2
#define HAS_AVX2 0
#endif

/* Four neighbouring columns, wherever they stand in memory. */
typedef double four __attribute__((vector_size(32), aligned(8), may_alias));

/* The tiles: so many rows by so many columns, kept in registers while k runs. */

ALWAYS_INLINE void tile_4x8(size_t inner, const double *A, size_t row_step, size_t inner_step, const double *B,
                            size_t columns, double *C)
{
  four c00 = {0}, c01 = {0}, c10 = {0}, c11 = {0}, c20 = {0}, c21 = {0}, c30 = {0}, c31 = {0};
  for (size_t k = 0; k < inner; k++, A += inner_step, B += columns) {
    four left = *(const four *)B, right = *(const four *)(B + 4);
    c00 += A[0] * left;
    c01 += A[0] * right;
    c10 += A[row_step] * left;
    c11 += A[row_step] * right;
    c20 += A[2 * row_step] * left;
    c21 += A[2 * row_step] * right;
    c30 += A[3 * row_step] * left;
    c31 += A[3 * row_step] * right;
  }
  *(four *)C = c00;
  *(four *)(C + 4) = c01;
  *(four *)(C + columns) = c10;
  *(four *)(C + columns + 4) = c11;
  *(four *)(C + 2 * columns) = c20;
  *(four *)(C + 2 * columns + 4) = c21;
  *(four *)(C + 3 * columns) = c30;
  *(four *)(C + 3 * columns + 4) = c31;
}

ALWAYS_INLINE void tile_4x4(size_t inner, const double *A, size_t row_step, size_t inner_step, const double *B,
                            size_t columns, double *C)
{
  four c0 = {0}, c1 = {0}, c2 = {0}, c3 = {0};
  for (size_t k = 0; k < inner; k++, A += inner_step, B += columns) {
    four b = *(const four *)B;
    c0 += A[0] * b;
    c1 += A[row_step] * b;
    c2 += A[2 * row_step] * b;
    c3 += A[3 * row_step] * b;
  }
  *(four *)C = c0;
  *(four *)(C + columns) = c1;
  *(four *)(C + 2 * columns) = c2;
  *(four *)(C + 3 * columns) = c3;
}

ALWAYS_INLINE void tile_4x1(size_t inner, const double *A, size_t row_step, size_t inner_step, const double *B,
                            size_t columns, double *C)
{
  double c0 = 0.0, c1 = 0.0, c2 = 0.0, c3 = 0.0;
  for (size_t k = 0; k < inner; k++, A += inner_step, B += columns) {
    c0 += A[0] * B[0];
    c1 += A[row_step] * B[0];
    c2 += A[2 * row_step] * B[0];
    c3 += A[3 * row_step] * B[0];
  }
  C[0] = c0;
  C[columns] = c1;
  C[2 * columns] = c2;
  C[3 * columns] = c3;
}

ALWAYS_INLINE void tile_1x4(size_t inner, const double *A, size_t inner_step, const double *B, size_t columns,
                            double *C)
{
  four c = {0};
  for (size_t k = 0; k < inner; k++, A += inner_step, B += columns) c += A[0] * *(const four *)B;
  *(four *)C = c;
}

ALWAYS_INLINE void tile_1x1(size_t inner, const double *A, size_t inner_step, const double *B, size_t columns,
                            double *C)
{
  double c = 0.0;
  for (size_t k = 0; k < inner; k++, A += inner_step, B += columns) c += A[0] * B[0];
  C[0] = c;
}

ALWAYS_INLINE void multiply(size_t rows, size_t columns, size_t inner, const double *A, size_t row_step,
                            size_t inner_step, const double *B, double *C)
{
  size_t i = 0;
  for (; i + 4 <= rows; i += 4) {
    const double *a = A + i * row_step;
    double *c = C + i * columns;
    size_t j = 0;
    for (; j + 8 <= columns; j += 8) tile_4x8(inner, a, row_step, inner_step, B + j, columns, c + j);
    for (; j + 4 <= columns; j += 4) tile_4x4(inner, a, row_step, inner_step, B + j, columns, c + j);
    for (; j < columns; j++) tile_4x1(inner, a, row_step, inner_step, B + j, columns, c + j);
  }
  for (; i < rows; i++) {
    const double *a = A + i * row_step;
    double *c = C + i * columns;
    size_t j = 0;
    for (; j + 4 <= columns; j += 4) tile_1x4(inner, a, inner_step, B + j, columns, c + j);
    for (; j < columns; j++) tile_1x1(inner, a, inner_step, B + j, columns, c + j);
  }
}

WITH_AVX2 static void multiply_avx2(size_t rows, size_t columns, size_t inner, const double *A, size_t row_step,
                                    size_t inner_step, const double *B, double *C)
{
  multiply(rows, columns, inner, A, row_step, inner_step, B, C);
}

void sgf_small_multiply(size_t rows, size_t columns, size_t inner, const double *A, size_t row_step,
                        size_t inner_step, const double *B, double *C)
{
  if (HAS_AVX2)
    multiply_avx2(rows, columns, inner, A, row_step, inner_step, B, C);
  else
    multiply(rows, columns, inner, A, row_step, inner_step, B, C);
}

/* row[0 ... length - 1] += sum_k factors[k] d_k[0 ... length - 1] for four rows of the block. */
ALWAYS_INLINE void add_four(size_t length, const double *d0, size_t n, const double *factors, double *row)
{
  const double *d1 = d0 + n, *d2 = d1 + n, *d3 = d2 + n;
  size_t j = 0;
  for (; j + 4 <= length; j += 4) {
    four sum = *(four *)(row + j);
    sum += factors[0] * *(const four *)(d0 + j);
    sum += factors[1] * *(const four *)(d1 + j);
    sum += factors[2] * *(const four *)(d2 + j);
    sum += factors[3] * *(const four *)(d3 + j);
    *(four *)(row + j) = sum;
  }
  for (; j < length; j++) {
    row[j] += factors[0] * d0[j];
    row[j] += factors[1] * d1[j];
    row[j] += factors[2] * d2[j];
    row[j] += factors[3] * d3[j];
  }
}

ALWAYS_INLINE void add_products(size_t n, size_t count, const double *block, double sign, double *second)
{
  for (size_t i = 0; i < n; i++, second += i) {
    size_t k = 0;
    for (; k + 4 <= count; k += 4) {
      const double *d = block + k * n;
      double factors[4] = {sign * d[i], sign * d[n + i], sign * d[2 * n + i], sign * d[3 * n + i]};
      add_four(i + 1, d, n, factors, second);
    }
    for (; k < count; k++)
      for (size_t j = 0; j <= i; j++) second[j] += sign * block[k * n + i] * block[k * n + j];
  }
}

WITH_AVX2 static void add_products_avx2(size_t n, size_t count, const double *block, double sign, double *second)
{
  add_products(n, count, block, sign, second);
}

void sgf_add_products(size_t n, size_t count, const double *block, double sign, double *second)
{
  if (HAS_AVX2)
    add_products_avx2(n, count, block, sign, second);
  else
    add_products(n, count, block, sign, second);
}
