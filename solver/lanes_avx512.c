/* Small equations side by side with AVX-512F. */
#include "lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define VARIANT avx512
#define TARGET __attribute__((target("avx512f")))
#define LANES 8
#define TILE 4
#define MULTIPLY_ADD(a, x, sum) ((vector)_mm512_fmadd_pd(a, x, sum))
#define SQUARE_ROOT(x) ((vector)_mm512_sqrt_pd(x))
#include "lanes_text.h"
#endif
