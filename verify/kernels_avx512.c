/* The kernels of SGD for AVX-512F and AVX-512DQ. */
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define VARIANT avx512
#define TARGET __attribute__((target("avx512f,avx512dq")))
#define LANES 8
#define MULTIPLY_ADD(a, x, sum) _mm512_fmadd_pd(_mm512_set1_pd(a), x, sum)
#define MULTIPLY_ADD_VECTORS(a, x, sum) _mm512_fmadd_pd(a, x, sum)
#define MULTIPLY_HALVES(a, b) ((words)_mm512_mul_epu32((__m512i)(a), (__m512i)(b)))
#define MULTIPLY_WORDS(a, b) ((words)_mm512_mullo_epi64((__m512i)(a), (__m512i)(b)))
#include "kernel_text.h"
#endif
