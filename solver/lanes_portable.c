/* Small equations side by side in vectors of two, which SSE2 and NEON have. */
#include "lanes.h"

#include <math.h>

#define VARIANT portable
#define TARGET
#define LANES 2
#define TILE 2
#define MULTIPLY_ADD(a, x, sum) ((sum) + (a) * (x))
#define SQUARE_ROOT(x) square_root(x)

typedef double two_numbers __attribute__((vector_size(16)));

static inline two_numbers square_root(two_numbers x) { return (two_numbers){sqrt(x[0]), sqrt(x[1])}; }

#include "lanes_text.h"
