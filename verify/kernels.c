/* Which kernels a machine runs, and the products of snapshots. */
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
extern const sgf_kernels sgf_kernels_portable, sgf_kernels_avx2, sgf_kernels_avx512;
static const sgf_kernels *const TABLES[] = {&sgf_kernels_portable, &sgf_kernels_avx2, &sgf_kernels_avx512};
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#define HAS_FMA __builtin_cpu_supports("fma")
#define HAS_AVX512 __builtin_cpu_supports("avx512f")
#else
extern const sgf_kernels sgf_kernels_portable;
static const sgf_kernels *const TABLES[] = {&sgf_kernels_portable, NULL, NULL};
#define HAS_AVX2 0
#define HAS_FMA 0
#define HAS_AVX512 0
#endif

const sgf_kernels *sgf_kernels_of(sgf_kernel_width width) { return TABLES[width]; }

const sgf_kernels *sgf_kernels_of_machine(void)
{
  if (HAS_AVX512) return TABLES[SGF_KERNELS_AVX512];
  if (HAS_AVX2 && HAS_FMA) return TABLES[SGF_KERNELS_AVX2];
  return TABLES[SGF_KERNELS_PORTABLE];
}

/* Columns that are done for all rows before the next: with 64 snapshots they stay in the first cache. */
enum { ROWS = 4, COLUMNS = 48 };

/* rows first ... first + rows - 1 of the triangle, columns from `from` on, of which `products` are given. */
static void add_strip(size_t first, size_t rows, size_t from, size_t columns, double sign, const double *products,
                      double *second)
{
  for (size_t r = 0; r < rows; r++) {
    size_t i = first + r, end = i + 1 < from + columns ? i + 1 : from + columns;
    double *row = second + i * (i + 1) / 2;
    for (size_t j = from; j < end; j++) row[j] += sign * products[r * COLUMNS + j - from];
  }
}

/* products (rows, columns) = sum_k of the block's columns `first` ... and `from` ..., row by row. */
static void multiply_strip(const sgf_kernels *kernels, size_t n, size_t count, const double *block, size_t first,
                           size_t rows, size_t from, size_t columns, double *products)
{
  size_t whole = columns - columns % kernels->lanes;
  if (whole < columns && from + whole + kernels->lanes <= n) whole += kernels->lanes; /* more than is asked */
  kernels->multiply(rows, whole, count, block + first, 1, n, block + from, n, products, COLUMNS, false);
  for (size_t r = 0; r < rows; r++)
    for (size_t j = whole; j < columns; j++) {
      double sum = 0.0;
      for (size_t k = 0; k < count; k++) sum += block[k * n + first + r] * block[k * n + from + j];
      products[r * COLUMNS + j] = sum;
    }
}

void sgf_add_products(size_t n, size_t count, const double *block, double sign, double *second)
{
  const sgf_kernels *kernels = sgf_kernels_of_machine();
  double products[ROWS * COLUMNS];
  for (size_t from = 0; from < n; from += COLUMNS)
    for (size_t first = from; first < n; first += ROWS) {
      size_t rows = n - first < ROWS ? n - first : ROWS, columns = first + rows - from;
      if (columns > COLUMNS) columns = COLUMNS;
      multiply_strip(kernels, n, count, block, first, rows, from, columns, products);
      add_strip(first, rows, from, columns, sign, products, second);
    }
}
