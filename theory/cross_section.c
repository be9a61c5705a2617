/* The loss along a line through theta, an exact polynomial, and its flatness. */
#include "cross_section.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"

/* Polynomial matrices have their L + 1 coefficients side by side: row q is (Z_0[q, :], ..., Z_L[q, :]). */
typedef struct {
  double *now, *next; /* widest layer x (L + 1) N_0: the product of the layers so far */
  double *weighted;   /* N_L x (L + 1) N_0: M_k Sigma_xx */
  double *G;          /* (N_L, N_0) */
  double loss;        /* at theta */
} workspace;

static void free_workspace(workspace *work)
{
  free(work->now);
  free(work->next);
  free(work->weighted);
  free(work->G);
}

/* Room, the loss, and G = -E^T X / P: of the residuals, not of moments that cancel. */
static sgf_status fill_workspace(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                 workspace *work, sgf_error *error)
{
  size_t widest = 0, P = data->samples, row = (network->layers + 1) * data->inputs;
  double *residuals = NULL;
  sgf_status status;
  for (size_t l = 0; l <= network->layers; l++)
    if (network->widths[l] > widest) widest = network->widths[l];
  SGF_TRY(sgf_residuals(network, data, theta, &residuals, error));
  SGF_TRY(sgf_new_reals(&work->now, widest, row, "cross-section", error));
  SGF_TRY(sgf_new_reals(&work->next, widest, row, "cross-section", error));
  SGF_TRY(sgf_new_reals(&work->weighted, data->outputs, row, "cross-section", error));
  SGF_TRY(sgf_new_reals(&work->G, data->outputs, data->inputs, "cross-section", error));
  work->loss = sgf_dot(P * data->outputs, residuals, residuals) / (2.0 * (double)P);
  sgf_multiply(data->outputs, data->inputs, P, SGF_TRANSPOSED, residuals, SGF_PLAIN, data->X, work->G);
  for (size_t k = 0; k < data->outputs * data->inputs; k++) work->G[k] /= -(double)P;
done:
  free(residuals);
  return status;
}

/* work->now = coefficients M_0 ... M_L of M(t) = (W_L + t D_L) ... (W_1 + t D_1), layer after layer:
 * Z_k <- W_l Z_k + D_l Z_{k-1}. */
static void multiply_layers(const sgf_network *network, const double *theta, const double *direction, workspace *work)
{
  size_t inputs = sgf_network_inputs(network), row = (network->layers + 1) * inputs;
  memset(work->now, 0, inputs * row * sizeof *work->now);
  for (size_t i = 0; i < inputs; i++) work->now[i * row + i] = 1.0;
  for (size_t l = 1; l <= network->layers; l++) {
    size_t to = network->widths[l], from = network->widths[l - 1], known = l * inputs;
    double *product = work->next;
    memset(product, 0, to * row * sizeof *product);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)to, (int)known, (int)from, 1.0,
                theta + network->offsets[l], (int)from, work->now, (int)row, 1.0, product, (int)row);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)to, (int)known, (int)from, 1.0,
                direction + network->offsets[l], (int)from, work->now, (int)row, 1.0, product + inputs, (int)row);
    work->next = work->now;
    work->now = product;
  }
}

/* c_k = <G, M_k> + (1/2) sum_{i+j=k} tr(M_i Sigma_xx M_j^T), i, j >= 1, and c_0 = L(theta). */
static void collect(const sgf_network *network, const sgf_dataset *data, workspace *work, double *coefficients)
{
  size_t layers = network->layers, inputs = data->inputs, outputs = data->outputs, row = (layers + 1) * inputs;
  for (size_t k = 1; k <= layers; k++)
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)outputs, (int)inputs, (int)inputs, 1.0,
                work->now + k * inputs, (int)row, data->input_moment, (int)inputs, 0.0, work->weighted + k * inputs,
                (int)row);
  memset(coefficients, 0, (2 * layers + 1) * sizeof *coefficients);
  coefficients[0] = work->loss;
  for (size_t a = 0; a < outputs; a++)
    for (size_t j = 1; j <= layers; j++) {
      const double *M = work->now + a * row + j * inputs;
      coefficients[j] += sgf_dot(inputs, work->G + a * inputs, M);
      for (size_t k = 1; k <= layers; k++)
        coefficients[j + k] += 0.5 * sgf_dot(inputs, M, work->weighted + a * row + k * inputs);
    }
}

sgf_status sgf_cross_section(const sgf_network *network, const sgf_dataset *data, const double *theta, size_t count,
                             const double *directions, double *coefficients, sgf_error *error)
{
  workspace work = {NULL, NULL, NULL, NULL, 0.0};
  size_t terms = 2 * network->layers + 1;
  sgf_status status;
  SGF_TRY(fill_workspace(network, data, theta, &work, error));
  for (size_t d = 0; d < count; d++) {
    multiply_layers(network, theta, directions + d * network->weights, &work);
    collect(network, data, &work, coefficients + d * terms);
  }
done:
  if (status != SGF_OK) sgf_fill_nan(count * terms, coefficients);
  free_workspace(&work);
  return status;
}

/* ------------------------------------------------------------------- flatness */

/* q(u) = (L(w u) - factor L(0)) / ((factor - 1) L(0)), w = 2^exponent such that every coefficient of q is 1 or less:
 * q(0) = -1, and no root is nearer than 1/2. Scaling by powers of two is exact. Returns the degree. */
static size_t scale_polynomial(const double *coefficients, size_t degree, double level, double *q, int *exponent)
{
  int level_exponent, own;
  double level_mantissa = frexp(level, &level_exponent), smallest = INFINITY;
  size_t top = 0;
  for (size_t k = 1; k <= degree; k++)
    if (coefficients[k] != 0.0) {
      frexp(coefficients[k], &own);
      smallest = fmin(smallest, (double)(level_exponent - 1 - own) / (double)k);
    }
  *exponent = isinf(smallest) ? 0 : (int)floor(smallest);
  q[0] = -1.0;
  for (size_t k = 1; k <= degree; k++) {
    double mantissa = frexp(coefficients[k], &own) / level_mantissa;
    q[k] = ldexp(mantissa, own - level_exponent + (int)k * *exponent);
    if (fabs(q[k]) >= DBL_MIN) top = k;
  }
  return top;
}

/* q^(m)(u) / m! = sum_k binomial(k, m) q_k u^{k-m}, by Horner; infinite, with its sign, where it overflows. */
static double derivative(const double *q, size_t degree, size_t m, double u)
{
  double value = 0.0, binomial = 1.0; /* of (degree, m), then downwards */
  for (size_t k = 0; k < m; k++) binomial *= (double)(degree - k) / (double)(k + 1);
  for (size_t k = degree; k >= m; k--) {
    value = value * u + binomial * q[k];
    if (k > m) binomial *= (double)(k - m) / (double)k;
    if (k == 0) break;
  }
  return value;
}

/* The change of sign of q^(m) between low and high, where it is monotone, by bisection to the last bit; the mean is
 * geometric while the scale is open. Below 2^-60 nothing matters: the roots of q are beyond 1/2. */
static double bisect(const double *q, size_t degree, size_t m, double low, double high)
{
  bool below = derivative(q, degree, m, low) < 0.0;
  while (high > 0x1p-60) {
    double middle = low > 0.0 && high > 4.0 * low ? sqrt(low) * sqrt(high) : low + 0.5 * (high - low);
    if (!(middle > low && middle < high)) break;
    if ((derivative(q, degree, m, middle) < 0.0) == below)
      low = middle;
    else
      high = middle;
  }
  return high;
}

/* Smallest u > 0 with q(u) = 0, infinite if there is none. The zeros of each derivative, from the highest down, bound
 * the intervals where the one below it is monotone, so that no crossing is missed. points: 2 (degree + 2). */
static double first_root(const double *q, size_t degree, double *points)
{
  double *ends = points, *found = points + degree + 2, limit = 0.0;
  size_t count = 2;
  if (degree == 0) return INFINITY;
  for (size_t k = 0; k < degree; k++) /* Fujiwara's bound, for the roots and so for all critical points */
    limit = fmax(limit, 2.0 * pow(fabs(q[k] / q[degree]), 1.0 / (double)(degree - k)));
  ends[0] = 0.0;
  ends[1] = limit;
  for (size_t m = degree - 1; m >= 1; m--) {
    size_t kept = 1;
    found[0] = 0.0;
    for (size_t k = 1; k < count; k++)
      if ((derivative(q, degree, m, ends[k - 1]) < 0.0) != (derivative(q, degree, m, ends[k]) < 0.0))
        found[kept++] = bisect(q, degree, m, ends[k - 1], ends[k]);
    found[kept++] = limit;
    double *swap = ends;
    ends = found;
    found = swap;
    count = kept;
  }
  for (size_t k = 1; k < count; k++)
    if (derivative(q, degree, 0, ends[k]) >= 0.0) return bisect(q, degree, 0, ends[k - 1], ends[k]);
  return INFINITY;
}

double sgf_flatness_in_room(const double *coefficients, size_t degree, double factor, double *q)
{
  double level = (factor - 1.0) * coefficients[0];
  bool constant = true;
  int exponent;
  if (!(factor > 1.0) || !(coefficients[0] >= 0.0) || !isfinite(level)) return NAN;
  for (size_t k = 1; k <= degree; k++) {
    if (!isfinite(coefficients[k])) return NAN;
    if (coefficients[k] != 0.0) constant = false;
  }
  if (constant) return INFINITY;
  if (level == 0.0) return 0.0;
  size_t top = scale_polynomial(coefficients, degree, level, q, &exponent);
  double right = first_root(q, top, q + degree + 2);
  for (size_t k = 1; k <= degree; k += 2) q[k] = -q[k];
  double left = first_root(q, top, q + degree + 2);
  return ldexp(right + left, exponent);
}

double sgf_flatness_of_polynomial(const double *coefficients, size_t degree, double factor)
{
  double *room;
  if (sgf_new_reals(&room, 3, degree + 2, "flatness", NULL) != SGF_OK) return NAN;
  double flatness = sgf_flatness_in_room(coefficients, degree, factor, room);
  free(room);
  return flatness;
}
