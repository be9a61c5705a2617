/* Which vectors a machine has. */
#include "lanes.h"

extern const sgf_lanes sgf_lanes_portable;

#if defined(__x86_64__) && defined(__GNUC__)
extern const sgf_lanes sgf_lanes_avx2, sgf_lanes_avx512;

const sgf_lanes *sgf_lanes_of(size_t width)
{
  if (width == 8) return __builtin_cpu_supports("avx512f") ? &sgf_lanes_avx512 : NULL;
  if (width == 4) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &sgf_lanes_avx2 : NULL;
  return width == 2 ? &sgf_lanes_portable : NULL;
}
#else
const sgf_lanes *sgf_lanes_of(size_t width) { return width == 2 ? &sgf_lanes_portable : NULL; }
#endif

const sgf_lanes *sgf_lanes_of_machine(void)
{
  const sgf_lanes *widest = NULL;
  for (size_t width = SGF_MOST_LANES; widest == NULL; width /= 2) widest = sgf_lanes_of(width);
  return widest;
}

size_t sgf_lanes_work(size_t n, size_t width) { return width * (5 * n * n + 3 * n + 2); }
