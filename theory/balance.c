/* Quasi-stationarity: the balance of neighbouring layers, which no gradient flow changes and every step of SGD does. */
#include "balance.h"

#include <math.h>

#include "heavy_ball.h"
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

double sgf_balance_decay(const sgf_settings *settings)
{
  return 2.0 * sgf_mode_rate(settings->training.learning_rate, settings->training.momentum,
                             settings->training.weight_decay);
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
