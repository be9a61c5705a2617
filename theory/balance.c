/* Quasi-stationarity: the balance of neighbouring layers, which no gradient flow changes and every step of SGD does. */
#include "balance.h"

#include <math.h>

#include "linear_algebra.h"

/* sum_s A[p * row + s * step, other * row + s * step] over s < count, A the block of C that starts at `first`. */
static double contraction(const double *C, size_t n, size_t first, size_t p, size_t other, size_t row, size_t step,
                          size_t count)
{
  double sum = 0.0;
  for (size_t s = 0; s < count; s++) sum += C[(first + p * row + s * step) * n + first + other * row + s * step];
  return sum;
}

void sgf_balance_drift(const sgf_network *network, const double *C, double scale, size_t hidden, double *drift,
                       double *gross)
{
  const size_t *N = network->widths, *first = network->offsets;
  size_t n = network->weights, size = N[hidden];
  double below_square = 0.0, above_square = 0.0;
  for (size_t p = 0; p < size; p++)
    for (size_t other = 0; other < size; other++) {
      double below = scale * contraction(C, n, first[hidden], p, other, N[hidden - 1], 1, N[hidden - 1]);
      double above = scale * contraction(C, n, first[hidden + 1], p, other, 1, size, N[hidden + 1]);
      drift[p * size + other] = below - above;
      below_square += below * below;
      above_square += above * above;
    }
  *gross = sqrt(below_square) + sqrt(above_square);
}

double sgf_balance_rate(const sgf_network *network, const double *theta, const double *C, double scale, size_t hidden)
{
  size_t first = network->offsets[hidden], last = network->offsets[hidden + 2];
  double trace = 0.0;
  for (size_t k = first; k < last; k++) trace += C[k * network->weights + k];
  return scale * trace / sgf_dot(last - first, theta + first, theta + first);
}
