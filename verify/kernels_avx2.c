/* The kernels of SGD for AVX2 with fused multiply-adds. */
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define VARIANT avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 4
#define MULTIPLY_ADD(a, x, sum) _mm256_fmadd_pd(_mm256_set1_pd(a), x, sum)
#define MULTIPLY_ADD_VECTORS(a, x, sum) _mm256_fmadd_pd(a, x, sum)
#define MULTIPLY_HALVES(a, b) ((words)_mm256_mul_epu32((__m256i)(a), (__m256i)(b)))
#include "kernel_text.h"
#endif
