/* Quasi-stationarity: the balance of neighbouring layers, which no gradient flow changes and every step of SGD does. */
#include "balance.h"

#include <math.h>
#include <stdlib.h>

#include "linear_algebra.h"
#include "memory.h"

/* Eigenvalues below this, relative to the largest, are zero. */
static const double ROUND_OFF = 1e-14;

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

/* K = W_1 W_1^T + W_2^T W_2. */
static void sum_of_squares(const sgf_network *network, const double *theta, double *work, double *K)
{
  const size_t *N = network->widths;
  const double *W1 = theta + network->offsets[1], *W2 = theta + network->offsets[2];
  sgf_multiply(N[1], N[1], N[0], SGF_PLAIN, W1, SGF_TRANSPOSED, W1, K);
  sgf_multiply(N[1], N[1], N[2], SGF_TRANSPOSED, W2, SGF_PLAIN, W2, work);
  for (size_t k = 0; k < N[1] * N[1]; k++) K[k] += work[k];
}

sgf_status sgf_scaling_drift(const sgf_network *network, const double *theta, const double *drift, double *velocity,
                             sgf_error *error)
{
  const size_t *N = network->widths;
  size_t size = N[1];
  double *K = NULL, *rates = NULL, *a = NULL, *work = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&K, size, size, "scalings of the hidden layer", error));
  SGF_TRY(sgf_new_reals(&rates, size, 1, "scalings of the hidden layer", error));
  SGF_TRY(sgf_new_reals(&a, size, size, "scalings of the hidden layer", error));
  SGF_TRY(sgf_new_reals(&work, size, size, "scalings of the hidden layer", error));
  sum_of_squares(network, theta, work, K);
  SGF_TRY(sgf_symmetric_eigen(size, K, rates, "squares of the layers", error));
  sgf_into_basis(size, K, drift, work, a);
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j < size; j++) {
      double sum = rates[i] + rates[j]; /* zero: units that neither layer uses, which do not move */
      a[i * size + j] = sum > ROUND_OFF * rates[size - 1] ? a[i * size + j] / sum : 0.0;
    }
  sgf_out_of_basis(size, K, a, work, a);
  sgf_multiply(size, N[0], size, SGF_PLAIN, a, SGF_PLAIN, theta + network->offsets[1],
               velocity + network->offsets[1]);
  sgf_multiply(N[2], size, size, SGF_PLAIN, theta + network->offsets[2], SGF_PLAIN, a,
               velocity + network->offsets[2]);
  for (size_t k = network->offsets[2]; k < network->weights; k++) velocity[k] = -velocity[k];
done:
  free(K);
  free(rates);
  free(a);
  free(work);
  return status;
}
