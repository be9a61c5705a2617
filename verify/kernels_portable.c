/* The kernels of SGD with vectors of two, which SSE2 and NEON have; elsewhere the compiler takes them apart. */
#include "kernels.h"

#define VARIANT portable
#define TARGET
#define LANES 2
#define MULTIPLY_ADD(a, x, sum) ((sum) + (a) * (x))
#define MULTIPLY_ADD_VECTORS(a, x, sum) ((sum) + (a) * (x))
#include "kernel_text.h"
