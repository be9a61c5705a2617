/* Small equations side by side with AVX2 and fused multiply-adds. */
#include "lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define VARIANT avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 4
#define TILE 2
#define MULTIPLY_ADD(a, x, sum) ((vector)_mm256_fmadd_pd(a, x, sum))
#define SQUARE_ROOT(x) ((vector)_mm256_sqrt_pd(x))
#include "lanes_text.h"
#endif
