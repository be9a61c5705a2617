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

/* E[v^2], v the sum of beta^k times unit noise, averaged over the positions in an epoch. */
static double velocity_variance(double momentum, size_t batches)
{
  double sum = 0.0, power = 1.0, M = (double)batches;
  for (size_t d = 1; d < batches; d++) {
    power *= momentum;
    sum += power * (1.0 - (double)d / M);
  }
  return (batches > 1 ? 1.0 - 2.0 * sum / (M - 1.0) : 1.0) / (1.0 - momentum * momentum);
}

double sgf_balance_speed(double momentum, size_t batches)
{
  return velocity_variance(momentum, batches) * (1.0 + momentum) / (1.0 - momentum);
}

/* Relative size of what is left of the start when whole epochs go on at full speed. */
static const double FORGOTTEN = 1e-16;

/* The velocity's variance in an epoch: `before` of those of earlier epochs at its start, and sums of beta^k over its steps. */
typedef struct {
  double before, old, sum, squares, power;
} velocity;

static double variance_of(const velocity *v, size_t batches)
{
  double M = (double)batches, added = v->squares;
  if (batches > 1) added = (M * v->squares - v->sum * v->sum) / (M - 1.0);
  return v->before * v->old * v->old + added;
}

static void step_velocity(double momentum, velocity *v)
{
  v->old *= momentum;
  v->sum += v->power;
  v->squares += v->power * v->power;
  v->power *= momentum;
}

double sgf_balance_steps(double momentum, size_t batches, double steps)
{
  double speed = sgf_balance_speed(momentum, batches), period = batches > 1 ? (double)batches : 1.0, J = 0.0, B = 0.0;
  velocity v = {0.0, 1.0, 0.0, 0.0, 1.0};
  if (momentum == 0.0) return steps;
  for (double step = 0.0, position = 0.0; step < steps; step += 1.0, position += 1.0) {
    if (position == period) {
      position = 0.0;
      double whole = floor((steps - step) / period) * period;
      if (pow(momentum, step) < FORGOTTEN && whole > 0.0) { /* B / speed: the rest goes on like this */
        B += whole * speed;
        step += whole;
        if (!(step < steps)) break;
      }
      if (batches > 1) v = (velocity){variance_of(&v, batches), 1.0, 0.0, 0.0, 1.0};
    }
    step_velocity(momentum, &v);
    double variance = variance_of(&v, batches);
    B += 2.0 * momentum * J + variance;
    J = momentum * J + variance;
  }
  return B / speed;
}
