/* Limit laws of the spectra of drift and noise for Gaussian data. */
#include "spectrum.h"

#include <complex.h>
#include <math.h>

/* tau / (1 + q tau e) and its derivative in e, averaged over tau = zeta^2. The integral over zeta runs along
 * zeta = exp(-i pi/8) exp(s): the poles zeta^2 = -1/(q e) have arguments in (0, pi) for Im e > 0, so the rotated
 * path stays pi/8 away from them and the trapezoidal rule in s converges like exp(-2 pi (pi/8) / step). */
static void average_over_weights(double q, double complex e, double complex *g, double complex *derivative)
{
  const double step = 0.08, first = -14.0;
  const int nodes = 206;
  const double complex turn = cexp(-I * M_PI / 8.0);
  *g = *derivative = 0.0;
  for (int k = 0; k < nodes; k++) {
    double complex zeta = turn * exp(first + step * k), tau = zeta * zeta, pole = 1.0 + q * tau * e;
    double complex weight = 2.0 * step * zeta * cexp(-0.5 * tau) / sqrt(2.0 * M_PI);
    *g += weight * tau / pole;
    *derivative -= weight * q * tau * tau / (pole * pole);
  }
}

typedef struct {
  sgf_law law;
  const double *a;
  size_t count;
  double q;
} ensemble;

static void inner_average(const ensemble *inputs, double complex e, double complex *g, double complex *derivative)
{
  if (inputs->law == SGF_LAW_NOISE) {
    average_over_weights(inputs->q, e, g, derivative);
    return;
  }
  *g = 1.0 / (1.0 + inputs->q * e);
  *derivative = -inputs->q * *g * *g;
}

/* Residual F(e) = e - <a / (-z + a g(e))> and its derivative; m on the way. */
static double complex residual(const ensemble *inputs, double complex z, double complex e, double complex *slope,
                               double complex *m)
{
  double complex g, g_slope, sum = 0.0, sum_slope = 0.0;
  inner_average(inputs, e, &g, &g_slope);
  *m = 0.0;
  for (size_t k = 0; k < inputs->count; k++) {
    double complex pole = 1.0 / (-z + inputs->a[k] * g);
    *m += pole;
    sum += inputs->a[k] * pole;
    sum_slope -= inputs->a[k] * inputs->a[k] * g_slope * pole * pole;
  }
  double size = (double)inputs->count;
  *m /= size;
  *slope = 1.0 - sum_slope / size;
  return e - sum / size;
}

/* Newton from e; true when it converged in the upper half plane. */
static bool newton(const ensemble *inputs, double complex z, double complex *e, double complex *m)
{
  double complex trial = *e, slope;
  for (int step = 0; step < 40; step++) {
    double complex change = residual(inputs, z, trial, &slope, m) / slope;
    trial -= change;
    if (!(cimag(trial) > 0.0)) return false;
    if (cabs(change) < 1e-11 * cabs(trial)) {
      *e = trial;
      return true;
    }
  }
  return false;
}

/* Continue from far above the real axis, where e = -<a>/z, down to x + i 1e-5 x; the step shrinks where Newton
 * fails. Far below the spectrum Im e drowns in round-off on the way: a height of 1e-2 x is then low enough. */
static double density_at(const ensemble *inputs, double x, double scale)
{
  double height = 100.0 * scale, factor = 0.25, bottom = 1e-5 * x, density = NAN;
  double complex m = 0.0, e = I / height;
  for (int step = 0; step < 80 && height > bottom; step++) {
    double complex trial = e;
    double next = fmax(height * factor, bottom);
    if (newton(inputs, x + I * next, &trial, &m)) {
      e = trial;
      density = next <= 1e-2 * x ? cimag(m) / M_PI : NAN;
      height = next;
      factor = fmax(0.25, factor * factor);
    } else {
      factor = sqrt(factor);
    }
  }
  return density;
}

sgf_status sgf_limit_law(sgf_law law, const double *input_eigenvalues, size_t count, double q, double low,
                         double high, size_t points, double *rows, sgf_error *error)
{
  ensemble inputs = {law, input_eigenvalues, count, q};
  double ratio = log(high / low) / (double)(points - 1);
  for (size_t k = 0; k < points; k++) {
    double x = low * exp(ratio * (double)k), density = density_at(&inputs, x, high);
    if (isnan(density))
      return sgf_fail(error, SGF_ERROR_NUMERICAL, "limit law of the spectrum: no solution at x = %g, q = %g", x, q);
    rows[3 * k] = x;
    rows[3 * k + 1] = density;
    rows[3 * k + 2] =
        k == 0 ? 0.0 : rows[3 * k - 1] + 0.5 * ratio * (rows[3 * k - 3] * rows[3 * k - 2] + x * density);
  }
  /* The law has mass 1 for q < 1: what the grid does not hold lies below it. */
  double below = 1.0 - rows[3 * points - 1];
  for (size_t k = 0; k < points; k++) rows[3 * k + 2] += below;
  return SGF_OK;
}

static double law_at(const double *rows, size_t points, double x)
{
  if (x <= rows[0]) return fmax(rows[2], 0.0) * x / rows[0];
  size_t low = 0, high = points - 1;
  if (x >= rows[3 * high]) return rows[3 * high + 2];
  while (high - low > 1) {
    size_t middle = (low + high) / 2;
    if (rows[3 * middle] <= x)
      low = middle;
    else
      high = middle;
  }
  double part = (x - rows[3 * low]) / (rows[3 * high] - rows[3 * low]);
  return rows[3 * low + 2] + part * (rows[3 * high + 2] - rows[3 * low + 2]);
}

double sgf_distance_to_law(const double *eigenvalues, size_t count, double scale, const double *rows, size_t points)
{
  double largest = 0.0;
  for (size_t k = 0; k < count; k++) {
    double law = law_at(rows, points, eigenvalues[k] / scale);
    largest = fmax(largest, fabs((double)(k + 1) / (double)count - law));
    largest = fmax(largest, fabs((double)k / (double)count - law));
  }
  return largest;
}

double sgf_distance_of_spectra(const double *first, double scale, const double *second, size_t count)
{
  double largest = 0.0;
  size_t i = 0, j = 0;
  while (i < count && j < count) {
    double x = fmin(first[i] / scale, second[j]);
    double tie = x + 1e-12 * fabs(x);
    while (i < count && first[i] / scale <= tie) i++;
    while (j < count && second[j] <= tie) j++;
    largest = fmax(largest, fabs((double)i - (double)j) / (double)count);
  }
  return largest;
}
