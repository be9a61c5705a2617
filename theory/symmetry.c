/* The symmetry of the hidden layers, and what it makes of null(H). */
#include "symmetry.h"

#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* Eigenvalues of n n^T below this, relative to the largest, belong to modes that leave theta as it is. */
static const double DEPENDENT = 1e-10;

/* -------------------------------------------------------------------- modes */

size_t sgf_rotation_count(const sgf_network *network, size_t hidden)
{
  return network->widths[hidden] * (network->widths[hidden] - 1) / 2;
}

size_t sgf_symmetry_count(const sgf_network *network)
{
  size_t count = 0;
  for (size_t l = 1; l < network->layers; l++) count += network->widths[l] * network->widths[l];
  return count;
}

sgf_status sgf_modes_create(size_t count, sgf_mode **modes, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, count, 1, sizeof **modes, "modes of the symmetry", error);
  *modes = block;
  return status;
}

size_t sgf_rotations(const sgf_network *network, size_t hidden, sgf_mode *modes)
{
  size_t count = 0;
  for (size_t i = 0; i < network->widths[hidden]; i++)
    for (size_t j = i + 1; j < network->widths[hidden]; j++) modes[count++] = (sgf_mode){hidden, i, j, true};
  return count;
}

size_t sgf_symmetries(const sgf_network *network, sgf_mode *modes)
{
  size_t count = 0;
  for (size_t l = 1; l < network->layers; l++) {
    count += sgf_rotations(network, l, modes + count);
    for (size_t i = 0; i < network->widths[l]; i++)
      for (size_t j = i; j < network->widths[l]; j++) modes[count++] = (sgf_mode){l, i, j, false};
  }
  return count;
}

/* -------------------------------------------------------------------- units */

size_t sgf_unit_size(const sgf_network *network, size_t hidden)
{
  return network->widths[hidden - 1] + network->widths[hidden + 1];
}

size_t sgf_unit_weight(const sgf_network *network, size_t hidden, size_t unit, size_t k)
{
  size_t below = network->widths[hidden - 1];
  if (k < below) return network->offsets[hidden] + unit * below + k;
  return network->offsets[hidden + 1] + (k - below) * network->widths[hidden] + unit;
}

double sgf_unit_sign(const sgf_network *network, const sgf_mode *mode, size_t k)
{
  return mode->rotation || k < network->widths[mode->hidden - 1] ? 1.0 : -1.0;
}

void sgf_symmetry_apply(const sgf_network *network, const sgf_mode *mode, const double *v, double *out)
{
  size_t size = sgf_unit_size(network, mode->hidden);
  memset(out, 0, network->weights * sizeof *out);
  for (size_t k = 0; k < size; k++) {
    size_t p = sgf_unit_weight(network, mode->hidden, mode->i, k);
    size_t q = sgf_unit_weight(network, mode->hidden, mode->j, k);
    double sign = sgf_unit_sign(network, mode, k);
    out[p] = sign * v[q];
    out[q] = mode->rotation ? -v[p] : sign * v[p];
  }
}

void sgf_symmetry_project(const sgf_network *network, const double *theta, size_t count, const sgf_mode *modes,
                          const double *delta, double *values)
{
  for (size_t a = 0; a < count; a++) {
    const sgf_mode *mode = &modes[a];
    size_t size = sgf_unit_size(network, mode->hidden);
    double sum = 0.0;
    for (size_t k = 0; k < size; k++) {
      size_t p = sgf_unit_weight(network, mode->hidden, mode->i, k);
      size_t q = sgf_unit_weight(network, mode->hidden, mode->j, k);
      double sign = sgf_unit_sign(network, mode, k);
      if (p == q)
        sum += sign * theta[p] * delta[p];
      else
        sum += sign * (theta[q] * delta[p] + (mode->rotation ? -1.0 : 1.0) * theta[p] * delta[q]);
    }
    values[a] = sum;
  }
}

/* --------------------------------------------------------------------- lift */

sgf_status sgf_symmetry_lift(const sgf_network *network, const double *theta, size_t count, const sgf_mode *modes,
                             double *gram, double *lift, size_t *rank, sgf_error *error)
{
  size_t n = network->weights;
  double *directions;
  sgf_status status = sgf_new_reals(&directions, count, n, "directions of the symmetry", error);
  if (status != SGF_OK) return status;
  for (size_t a = 0; a < count; a++) sgf_symmetry_apply(network, &modes[a], theta, directions + a * n);
  sgf_multiply(count, count, n, SGF_PLAIN, directions, SGF_TRANSPOSED, directions, gram);
  sgf_symmetrize(count, gram);
  status = sgf_pseudo_inverse(count, gram, DEPENDENT, "products of the symmetry's directions", rank, error);
  if (status == SGF_OK) sgf_multiply(count, n, count, SGF_PLAIN, gram, SGF_PLAIN, directions, lift);
  free(directions);
  if (status != SGF_OK) sgf_fill_nan(count * n, lift);
  return status;
}

sgf_status sgf_rotation_gram(const sgf_network *network, const double *theta, double **gram, sgf_error *error)
{
  size_t count = sgf_symmetry_count(network), rotations = 0, at = 0, rank;
  double *all = NULL, *lift = NULL;
  sgf_mode *modes = NULL;
  sgf_status status = SGF_OK;
  *gram = NULL;
  if (count > SGF_MOST_SYMMETRIES) return SGF_OK;
  for (size_t l = 1; l < network->layers; l++) rotations += sgf_rotation_count(network, l);
  SGF_TRY(sgf_modes_create(count, &modes, error));
  SGF_TRY(sgf_new_reals(&all, count, count, "modes of the symmetry", error));
  SGF_TRY(sgf_new_reals(&lift, count, network->weights, "modes of the symmetry", error));
  sgf_symmetries(network, modes);
  SGF_TRY(sgf_symmetry_lift(network, theta, count, modes, all, lift, &rank, error));
  SGF_TRY(sgf_new_reals(gram, rotations, rotations, "modes of the symmetry", error));
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count && modes[a].rotation; b++)
      if (modes[b].rotation) (*gram)[at++] = all[a * count + b];
done:
  free(modes);
  free(all);
  free(lift);
  return status;
}

/* ------------------------------------------------------- with weight decay */

/* Its rows and columns are those of the two units. */
static void add_square(const sgf_network *network, const sgf_mode *mode, const double *theta, double *T)
{
  size_t n = network->weights, size = sgf_unit_size(network, mode->hidden);
  for (size_t k = 0; k < 2 * size; k++)
    for (size_t m = 0; m < 2 * size; m++) {
      size_t row = sgf_unit_weight(network, mode->hidden, k < size ? mode->i : mode->j, k % size);
      size_t column = sgf_unit_weight(network, mode->hidden, m < size ? mode->i : mode->j, m % size);
      double left = theta[sgf_unit_weight(network, mode->hidden, k < size ? mode->j : mode->i, k % size)];
      double right = theta[sgf_unit_weight(network, mode->hidden, m < size ? mode->j : mode->i, m % size)];
      T[row * n + column] += ((k < size) == (m < size) ? 1.0 : -1.0) * left * right;
    }
}

void sgf_rotation_square(const sgf_network *network, const double *theta, double *T)
{
  memset(T, 0, network->weights * network->weights * sizeof *T);
  for (size_t l = 1; l < network->layers; l++)
    for (size_t i = 0; i < network->widths[l]; i++)
      for (size_t j = i + 1; j < network->widths[l]; j++) add_square(network, &(sgf_mode){l, i, j, true}, theta, T);
}

void sgf_symmetry_dimensions(const sgf_network *network, size_t rank, size_t *rotations, size_t *scalings)
{
  *rotations = *scalings = 0;
  for (size_t l = 1; l < network->layers; l++) {
    size_t all = rank * network->widths[l];
    *rotations += all - rank * (rank + 1) / 2;
    *scalings += rank > 0 ? all - rank * (rank - 1) / 2 : 0;
  }
}
