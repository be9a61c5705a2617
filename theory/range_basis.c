/* The eigenvectors of H on its range as a basis of weights' fluctuations. */
#include "range_basis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* Vectors that are worked on together. */
enum { VECTORS = 128 };

size_t sgf_range_basis_of_map(const sgf_range_basis *basis) { return basis->space->blocks * basis->space->size; }

static sgf_status find_places(sgf_range_basis *basis, sgf_error *error)
{
  const sgf_reduced *space = basis->space;
  void *block;
  sgf_status status = sgf_allocate(&block, space->rank, 1, sizeof(size_t), "range of H", error);
  basis->places = block;
  for (size_t k = 0; k < space->blocks * space->size && status == SGF_OK; k++)
    if (space->k[k] > 0.0) basis->places[basis->size++] = k;
  return status;
}

sgf_status sgf_range_basis_create(const sgf_reduced *space, sgf_range_basis *basis, sgf_error *error)
{
  size_t inputs = space->inputs, all = space->network.widths[0];
  void *block;
  sgf_status status;
  *basis = (sgf_range_basis){.space = space};
  SGF_TRY(find_places(basis, error));
  SGF_TRY(sgf_new_reals(&basis->spread, inputs, 1, "range of H", error));
  for (size_t i = 0; i < inputs; i++) basis->spread[i] = sgf_norm(all, space->S + i * all);
  SGF_TRY(sgf_allocate(&block, space->network.layers, 1, sizeof(double *), "range of H", error));
  basis->R = block;
  for (size_t l = 0; l < space->network.layers; l++) {
    size_t from = space->network.widths[l];
    SGF_TRY(sgf_new_reals(&basis->R[l], from, inputs, "range of H", error));
    for (size_t k = 0; k < from * inputs; k++) basis->R[l][k] = space->R[l][k] / basis->spread[k % inputs];
  }
done:
  return status;
}

void sgf_range_basis_free(sgf_range_basis *basis)
{
  for (size_t l = 0; basis->R != NULL && l < basis->space->network.layers; l++) free(basis->R[l]);
  free(basis->R);
  free(basis->places);
  free(basis->spread);
  memset(basis, 0, sizeof *basis);
}

sgf_status sgf_range_basis_out(const sgf_range_basis *basis, size_t count, const double *rows, double *weights,
                               sgf_error *error)
{
  const sgf_reduced *space = basis->space;
  size_t whole = sgf_range_basis_of_map(basis), n = space->network.weights;
  double *Y;
  sgf_status status = sgf_new_reals(&Y, VECTORS, whole, "changes of the map", error);
  for (size_t first = 0; first < count && status == SGF_OK; first += VECTORS) {
    size_t some = count - first < VECTORS ? count - first : VECTORS;
    memset(Y, 0, some * whole * sizeof *Y);
    for (size_t c = 0; c < some; c++)
      for (size_t k = 0; k < basis->size; k++)
        Y[c * whole + basis->places[k]] = rows[(first + c) * basis->size + k] / sqrt(space->k[basis->places[k]]);
    status = sgf_reduced_out_of_modes(space, some, Y, error);
    if (status == SGF_OK) status = sgf_reduced_pull(space, 0, some, Y, weights + first * n, error);
  }
  free(Y);
  return status;
}

/* rows (count, size) of Y (count, whole) in the modes. */
static void pick(const sgf_range_basis *basis, size_t count, const double *Y, double *rows)
{
  size_t whole = sgf_range_basis_of_map(basis);
  for (size_t c = 0; c < count; c++)
    for (size_t k = 0; k < basis->size; k++)
      rows[c * basis->size + k] = Y[c * whole + basis->places[k]] / sqrt(basis->space->k[basis->places[k]]);
}

sgf_status sgf_range_basis_into(const sgf_range_basis *basis, size_t count, const double *weights, double *rows,
                                sgf_error *error)
{
  return sgf_range_basis_into_from(basis, 0, count, weights, rows, error);
}

sgf_status sgf_range_basis_into_from(const sgf_range_basis *basis, size_t layer, size_t count, const double *weights,
                                     double *rows, sgf_error *error)
{
  const sgf_reduced *space = basis->space;
  size_t whole = sgf_range_basis_of_map(basis);
  size_t n = layer == 0 ? space->network.weights : sgf_layer_size(&space->network, layer);
  double *Y;
  sgf_status status = sgf_new_reals(&Y, VECTORS, whole, "changes of the map", error);
  for (size_t first = 0; first < count && status == SGF_OK; first += VECTORS) {
    size_t some = count - first < VECTORS ? count - first : VECTORS;
    status = sgf_reduced_push(space, layer, some, weights + first * n, Y, error);
    if (status == SGF_OK) status = sgf_reduced_into_modes(space, some, Y, error);
    pick(basis, some, Y, rows + first * basis->size);
  }
  free(Y);
  return status;
}

/* Rows (count, whole) that the map sees without the spread: with it, and in the modes. */
static sgf_status spread_into_modes(const sgf_range_basis *basis, size_t count, double *Y, sgf_error *error)
{
  size_t whole = sgf_range_basis_of_map(basis), inputs = basis->space->inputs;
  for (size_t k = 0; k < count * whole; k++) Y[k] *= basis->spread[k % inputs];
  return sgf_reduced_into_modes(basis->space, count, Y, error);
}

sgf_status sgf_range_basis_of_matrix(const sgf_range_basis *basis, double *seen, double *inside, sgf_error *error)
{
  size_t whole = sgf_range_basis_of_map(basis), size = basis->size;
  double *half = NULL, *turned = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&half, whole, size, "matrix in the basis of the range", error));
  SGF_TRY(sgf_new_reals(&turned, size, whole, "matrix in the basis of the range", error));
  SGF_TRY(spread_into_modes(basis, whole, seen, error));
  pick(basis, whole, seen, half);
  sgf_transpose(whole, size, half, turned);
  SGF_TRY(spread_into_modes(basis, size, turned, error));
  pick(basis, size, turned, inside);
  sgf_symmetrize(size, inside);
done:
  free(half);
  free(turned);
  return status;
}

void sgf_range_basis_to_modes(const sgf_range_basis *basis, const double *Sigma, double *Z)
{
  size_t whole = sgf_range_basis_of_map(basis), size = basis->size;
  const double *k = basis->space->k;
  memset(Z, 0, whole * whole * sizeof *Z);
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j < size; j++) {
      size_t row = basis->places[i], column = basis->places[j];
      Z[row * whole + column] = Sigma[i * size + j] / sqrt(k[row] * k[column]);
    }
}
