/* Products of the small matrices that SGD is made of. */
#ifndef SGF_KERNELS_H
#define SGF_KERNELS_H

#include <stddef.h>

/* C = A B, B (inner, columns) and C (rows, columns) row-major, element (i, k) of A at A[i row_step + k inner_step].
 * Every element is summed over k in ascending order, without fused operations, so that the bits are the same on every
 * machine, with or without AVX2. C must not overlap the others. */
void sgf_small_multiply(size_t rows, size_t columns, size_t inner, const double *A, size_t row_step,
                        size_t inner_step, const double *B, double *C);

/* second += sign sum_k d_k d_k^T for the `count` rows d_k of block (count, n), packed lower triangle. The same bits on
 * every machine. */
void sgf_add_products(size_t n, size_t count, const double *block, double sign, double *second);

#endif
