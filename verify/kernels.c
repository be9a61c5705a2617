/* Which kernels a machine runs. */
#include "kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)
extern const sgf_kernels sgf_kernels_portable, sgf_kernels_avx2, sgf_kernels_avx512;
static const sgf_kernels *const TABLES[] = {&sgf_kernels_portable, &sgf_kernels_avx2, &sgf_kernels_avx512};
#define HAS_AVX2 __builtin_cpu_supports("avx2")
#define HAS_FMA __builtin_cpu_supports("fma")
#define HAS_AVX512 (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
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
