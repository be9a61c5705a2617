/* Products of the small matrices that SGD is made of. */
#ifndef SGF_KERNELS_H
#define SGF_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The kernels of a step, for one width of vectors. Matrices are row-major with their own distance between rows ("step",
 * in doubles); counts and columns are multiples of `lanes`, what pads them is zero and stays zero. Sums over samples and
 * over inner dimensions go in ascending order in every element, so that the bits depend on the table alone, and tables
 * differ by round-off. No output overlaps an input unless it says so. Nothing here can fail. */
typedef struct sgf_kernels {
  const char *name;
  size_t lanes;

  /* C (rows, columns) = A B, or C += A B to accumulate; A (rows, inner) with element (i, k) at
   * A[i row_step + k inner_step], B (inner, columns). */
  void (*multiply)(size_t rows, size_t columns, size_t inner, const double *A, size_t row_step, size_t inner_step,
                   const double *B, size_t B_step, double *C, size_t C_step, bool accumulate);

  /* B (columns, rows) = A^T, A (rows, columns), any numbers of both. */
  void (*transpose)(size_t rows, size_t columns, const double *A, size_t A_step, double *B, size_t B_step);

  /* e = factor (h - y), all (count); e may be h. */
  void (*subtract_and_scale)(size_t count, const double *h, const double *y, double factor, double *e);

  /* The update of `count` weights theta: gradient += decay theta, velocity <- momentum velocity - rate gradient,
   * theta += velocity; with momentum 0 without a velocity, which may be NULL. Returns |gradient|^2. */
  double (*step)(size_t count, double rate, double momentum, double decay, double *gradient, double *velocity,
                 double *theta);

  /* One output, one layer: e_s = factor_s (weights . x_s - y_s), gradient (count) = sum_s e_s x_s, or += to accumulate;
   * x: pointers to the samples, e (samples) is room. */
  void (*gradient_of_row)(size_t samples, size_t count, const double *weights, const double *const *x,
                          const double *y, const double *factors, double *e, double *gradient, bool accumulate);

  /* second += sign sum_k d_k d_k^T for the `count` rows d_k of block (count, n), any numbers of both; packed lower
   * triangle, row after row. */
  void (*add_products)(size_t n, size_t count, const double *block, double sign, double *second);

  /* What sgf_random_indices draws in 2 lanes steps from `step` on: index k of step + j at [2 k lanes + j]. bound < 2^32.
   * NULL where one step after the other is as fast. */
  void (*draw_indices)(uint64_t seed, uint64_t stream, uint64_t step, size_t bound, size_t per_word, size_t count,
                       uint64_t *indices);
} sgf_kernels;

/* In the order of their width. The last two are for machines that have these instructions, NULL where the compiler does
 * not make them. */
typedef enum { SGF_KERNELS_PORTABLE, SGF_KERNELS_AVX2, SGF_KERNELS_AVX512, SGF_KERNEL_TABLES } sgf_kernel_width;
const sgf_kernels *sgf_kernels_of(sgf_kernel_width width);

/* The widest kernels that this machine can run: AVX-512F with DQ, AVX2 with FMA, or portable ones. */
const sgf_kernels *sgf_kernels_of_machine(void);

#endif
