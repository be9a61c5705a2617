/* Principal variances of the covariance operator, of all weights and by layer, and the curvature along them. */
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "covariance_operator.h"
#include "flatness.h"
#include "leading_eigen.h"
#include "linear_algebra.h"
#include "memory.h"

/* Rows up to which a dense eigenproblem is solved, and the modes beyond it. */
enum { DENSE = 4000, LEADING = 200 };

static sgf_status check_layer(const sgf_covariance_operator *covariance, size_t layer, size_t least, sgf_error *error)
{
  size_t layers = covariance->info.layers;
  if (layer >= least && layer <= layers) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_VALUE, "layer %zu of a network of %zu", layer, layers);
}

/* By descending variance, at most `kept` of `count` pairs. */
static sgf_status sort_pairs(size_t count, size_t kept, const double *found, const double *along, double *variance,
                             double *curvature, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, count, 1, sizeof(size_t), "order of the modes", error);
  size_t *order = block;
  if (status != SGF_OK) return status;
  gsl_sort_index(order, found, 1, count);
  for (size_t k = 0; k < kept; k++) {
    variance[k] = k < count ? found[order[count - 1 - k]] : 0.0;
    curvature[k] = k < count ? along[order[count - 1 - k]] : 0.0;
  }
  free(order);
  return SGF_OK;
}

/* ------------------------------------------------------------- block by block */

/* All blocks of shared modes: the modes as the layer sees them, rows of G, are orthogonal, so that they are the
 * principal directions, and their lengths and slopes are the same for every block. */
static sgf_status layer_of_shared(const sgf_covariance_operator *covariance, size_t layer, double *variance,
                                  double *curvature, sgf_error *error)
{
  const sgf_reduced *space = covariance->space, *drift = &covariance->drift;
  size_t size = space->size, width = space->network.widths[layer - 1], inputs = drift->inputs;
  size_t count = space->blocks * size;
  double *G = NULL, *z = NULL, *slopes = NULL;
  sgf_status status;
  SGF_TRY(sgf_covariance_operator_seen_all(covariance, layer, &G, error));
  SGF_TRY(sgf_new_reals(&z, count, 1, "covariance in the modes", error));
  SGF_TRY(sgf_new_reals(&slopes, size, inputs, "modes of a layer", error));
  sgf_mode_covariance_diagonal(&covariance->modes, z);
  sgf_multiply(size, inputs, width, SGF_PLAIN, G, SGF_PLAIN, drift->R[layer - 1], slopes);
  for (size_t i = 0; i < size; i++) {
    double length = sgf_dot(width, G + i * width, G + i * width);
    double slope = sgf_dot(inputs, slopes + i * inputs, slopes + i * inputs);
    for (size_t block = 0; block < space->blocks; block++) {
      double weight = sgf_reduced_weight(space, layer, block);
      variance[block * size + i] = weight * z[block * size + i] * length;
      curvature[block * size + i] = length > 0.0 ? weight * slope / length : 0.0;
    }
  }
done:
  free(G);
  free(z);
  free(slopes);
  return status;
}

/* The block of Sigma_ll that belongs to one eigenvector of the outputs, weight G^T Z_ii G, and its principal pairs.
 * work: size (size + width) + width. */
static sgf_status modes_of_block(const sgf_covariance_operator *covariance, size_t layer, size_t block,
                                 const double *G, double *work, double *inside, double *variance, double *curvature,
                                 sgf_error *error)
{
  const sgf_reduced *space = covariance->space, *drift = &covariance->drift;
  size_t size = space->size, width = space->network.widths[layer - 1], inputs = drift->inputs;
  double *Z = work, *ZG = work + size * size, weight = sgf_reduced_weight(space, layer, block);
  sgf_mode_covariance_block(&covariance->modes, block, block, Z);
  sgf_multiply(size, width, size, SGF_PLAIN, Z, SGF_PLAIN, G, ZG);
  sgf_multiply(width, width, size, SGF_TRANSPOSED, G, SGF_PLAIN, ZG, inside);
  sgf_symmetrize(width, inside);
  sgf_status status = sgf_symmetric_eigen(width, inside, variance, "block of the covariance", error);
  if (status != SGF_OK) return status;
  double *slope = ZG + size * width; /* (width, inputs) */
  sgf_multiply(width, inputs, width, SGF_PLAIN, inside, SGF_PLAIN, drift->R[layer - 1], slope);
  for (size_t k = 0; k < width; k++) {
    variance[k] *= weight;
    curvature[k] = weight * sgf_dot(inputs, slope + k * inputs, slope + k * inputs);
  }
  return SGF_OK;
}

sgf_status sgf_covariance_operator_pairs_within(const sgf_covariance_operator *covariance, size_t layer,
                                                double *variance, double *curvature, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t size = space->size, width = space->network.widths[layer - 1];
  double *G = NULL, *work = NULL, *inside = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&G, size, width, "modes seen by a layer", error));
  SGF_TRY(sgf_new_reals(&work, size * (size + width) + width * covariance->drift.inputs, 1, "block", error));
  SGF_TRY(sgf_new_reals(&inside, width, width, "block of the covariance", error));
  for (size_t block = 0; block < space->blocks; block++) {
    sgf_covariance_operator_seen(covariance, layer, block, G);
    SGF_TRY(modes_of_block(covariance, layer, block, G, work, inside, variance + block * width,
                           curvature + block * width, error));
  }
done:
  free(G);
  free(work);
  free(inside);
  return status;
}

/* Rows of `directions` whose places are in the block: a (x) w, a the layer's row of the outputs' eigenvector, w the
 * principal vector inside. */
static void put_directions(const sgf_covariance_operator *covariance, size_t layer, size_t block,
                           const double *inside, size_t count, const size_t *places, double *directions)
{
  const sgf_network *network = &covariance->space->network;
  size_t to = network->widths[layer], from = network->widths[layer - 1];
  const double *a = covariance->space->A[layer - 1] + block * to;
  double length = sgf_norm(to, a);
  for (size_t c = 0; c < count; c++) {
    const double *w = inside + places[c] % from * from;
    if (places[c] / from != block) continue;
    for (size_t p = 0; p < to; p++)
      for (size_t q = 0; q < from; q++) directions[(c * to + p) * from + q] = a[p] / length * w[q];
  }
}

static bool any_of_block(size_t width, size_t block, size_t count, const size_t *places)
{
  for (size_t c = 0; c < count; c++)
    if (places[c] / width == block) return true;
  return false;
}

sgf_status sgf_covariance_operator_directions_within(const sgf_covariance_operator *covariance, size_t layer,
                                                     size_t count, const size_t *places, double *directions,
                                                     sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t size = space->size, width = space->network.widths[layer - 1];
  double *G = NULL, *work = NULL, *inside = NULL, *unused = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&G, size, width, "modes seen by a layer", error));
  SGF_TRY(sgf_new_reals(&work, size * (size + width) + width * covariance->drift.inputs, 1, "block", error));
  SGF_TRY(sgf_new_reals(&inside, width, width, "block of the covariance", error));
  SGF_TRY(sgf_new_reals(&unused, 2, width, "block of the covariance", error));
  for (size_t block = 0; block < space->blocks; block++) {
    if (!any_of_block(width, block, count, places)) continue;
    sgf_covariance_operator_seen(covariance, layer, block, G);
    SGF_TRY(modes_of_block(covariance, layer, block, G, work, inside, unused, unused + width, error));
    put_directions(covariance, layer, block, inside, count, places, directions);
  }
done:
  free(G);
  free(work);
  free(inside);
  free(unused);
  return status;
}

/* The Frobenius norm of what of Sigma_ll couples blocks, relative to all of it: blocks (i, j) are
 * sqrt(weight_i weight_j) G_i^T Z_ij G_j, for rows of O A_l are orthogonal. */
static sgf_status measure_coupling(const sgf_covariance_operator *covariance, size_t layer, double *coupling,
                                   sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t size = space->size, width = space->network.widths[layer - 1], stride = space->shared ? 0 : size * width;
  double *G = NULL, *Z = NULL, *ZG = NULL, *inside = NULL, within = 0.0, across = 0.0;
  sgf_status status;
  SGF_TRY(sgf_covariance_operator_seen_all(covariance, layer, &G, error));
  SGF_TRY(sgf_new_reals(&Z, size, size, "block of the covariance", error));
  SGF_TRY(sgf_new_reals(&ZG, size, width, "block of the covariance", error));
  SGF_TRY(sgf_new_reals(&inside, width, width, "block of the covariance", error));
  for (size_t i = 0; i < space->blocks; i++)
    for (size_t j = 0; j <= i; j++) {
      double weights = sgf_reduced_weight(space, layer, i) * sgf_reduced_weight(space, layer, j);
      sgf_mode_covariance_block(&covariance->modes, i, j, Z);
      sgf_multiply(size, width, size, SGF_PLAIN, Z, SGF_PLAIN, G + j * stride, ZG);
      sgf_multiply(width, width, size, SGF_TRANSPOSED, G + i * stride, SGF_PLAIN, ZG, inside);
      double norm = sgf_norm(width * width, inside);
      *(i == j ? &within : &across) += (i == j ? 1.0 : 2.0) * weights * norm * norm;
    }
  *coupling = within + across > 0.0 ? sqrt(across / (within + across)) : 0.0;
done:
  free(G);
  free(Z);
  free(ZG);
  free(inside);
  return status;
}

sgf_status sgf_covariance_operator_within_outputs(const sgf_covariance_operator *covariance, size_t layer,
                                                  double *variance, double *curvature, sgf_layer_modes *found,
                                                  sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  bool separate = covariance->modes.kind == SGF_MODES_SEPARATE, shared = space->shared && separate;
  size_t count = space->blocks * (shared ? space->size : space->network.widths[layer - 1]);
  double *unsorted = NULL, *along = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&unsorted, count, 1, "modes of a layer", error));
  SGF_TRY(sgf_new_reals(&along, count, 1, "modes of a layer", error));
  if (shared)
    SGF_TRY(layer_of_shared(covariance, layer, unsorted, along, error));
  else
    SGF_TRY(sgf_covariance_operator_pairs_within(covariance, layer, unsorted, along, error));
  found->modes = sgf_covariance_operator_size(covariance, layer);
  found->principal = separate;
  found->coupling = 0.0;
  if (!separate) SGF_TRY(measure_coupling(covariance, layer, &found->coupling, error));
  SGF_TRY(sort_pairs(count, found->modes, unsorted, along, variance, curvature, error));
done:
  free(unsorted);
  free(along);
  return status;
}

/* --------------------------------------------------------------------- dense */

/* Principal pairs of a layer's block, all of them. directions (size, size). */
static sgf_status dense_layer(const sgf_covariance_operator *covariance, size_t layer, double *variance,
                              double *curvature, double *directions, sgf_error *error)
{
  size_t size = sgf_covariance_operator_size(covariance, layer);
  sgf_status status;
  SGF_TRY(sgf_covariance_operator_block(covariance, layer, directions, error));
  SGF_TRY(sgf_symmetric_eigen(size, directions, variance, "block of the covariance", error));
  sgf_reverse_rows(size, size, directions, variance);
  SGF_TRY(sgf_covariance_operator_curvatures_layer(covariance, layer, size, directions, curvature, error));
done:
  return status;
}

/* The same for all weights on range(H), in the orthonormal basis k^{-1/2} u B: sqrt(k l) Z_kl. directions (count, n). */
static sgf_status dense_whole(const sgf_covariance_operator *covariance, size_t count, double *variance,
                              double *directions, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t whole = space->blocks * space->size;
  double *S = NULL, *values = NULL;
  sgf_status status;
  SGF_TRY(sgf_mode_covariance_matrix(&covariance->modes, &S, error));
  SGF_TRY(sgf_new_reals(&values, whole, 1, "principal variances", error));
  for (size_t k = 0; k < whole; k++)
    for (size_t l = 0; l < whole; l++) S[k * whole + l] *= sqrt(space->k[k] * space->k[l]);
  SGF_TRY(sgf_symmetric_eigen(whole, S, values, "covariance on range(H)", error));
  sgf_reverse_rows(whole, whole, S, values);
  memcpy(variance, values, count * sizeof *variance);
  if (directions == NULL) goto done;
  for (size_t k = 0; k < count; k++)
    for (size_t l = 0; l < whole; l++) S[k * whole + l] /= space->k[l] > 0.0 ? sqrt(space->k[l]) : 1.0;
  SGF_TRY(sgf_reduced_out_of_modes(space, count, S, error));
  SGF_TRY(sgf_reduced_pull(space, 0, count, S, directions, error));
done:
  free(S);
  free(values);
  return status;
}

/* ------------------------------------------------------------------ iteration */

typedef struct {
  const sgf_covariance_operator *covariance;
  size_t layer;
} layer_of;

static sgf_status apply_layer(const void *context, size_t count, const double *v, double *out, sgf_error *error)
{
  const layer_of *what = context;
  return sgf_covariance_operator_apply_layer(what->covariance, what->layer, count, v, out, error);
}

static sgf_status leading_pairs(const sgf_covariance_operator *covariance, size_t layer, size_t count,
                                double *variance, double *curvature, double *directions, double *residual,
                                sgf_error *error)
{
  size_t size = sgf_covariance_operator_size(covariance, layer);
  layer_of what = {covariance, layer};
  sgf_status status;
  SGF_TRY(
      sgf_leading_eigen(apply_layer, &what, size, count, covariance->seed, variance, directions, residual, error));
  SGF_TRY(sgf_covariance_operator_curvatures_layer(covariance, layer, count, directions, curvature, error));
done:
  return status;
}

/* ----------------------------------------------------------------- questions */

/* Principal pairs into arrays of the caller's that are large enough for any of the ways. */
static sgf_status principal_pairs(const sgf_covariance_operator *covariance, size_t layer, size_t count, bool dense,
                                  double *variance, double *curvature, double *directions, double *residual,
                                  sgf_error *error)
{
  sgf_status status;
  *residual = 0.0;
  if (!dense) return leading_pairs(covariance, layer, count, variance, curvature, directions, residual, error);
  if (layer > 0) return dense_layer(covariance, layer, variance, curvature, directions, error);
  SGF_TRY(dense_whole(covariance, count, variance, directions, error));
  SGF_TRY(sgf_covariance_operator_curvatures(covariance, count, directions, curvature, error));
done:
  return status;
}

sgf_status sgf_covariance_operator_principal(const sgf_covariance_operator *covariance, size_t layer, size_t count,
                                             double *variance, double *curvature, double *directions,
                                             double *residual, sgf_error *error)
{
  double *all = NULL, *along = NULL, *vectors = NULL, unused;
  sgf_status status;
  if (residual == NULL) residual = &unused;
  *residual = NAN;
  SGF_TRY(check_layer(covariance, layer, 0, error));
  size_t size = sgf_covariance_operator_size(covariance, layer);
  size_t rows = layer > 0 ? size : covariance->space->blocks * covariance->space->size;
  if (count > size || (layer == 0 && count > rows))
    return sgf_fail(error, SGF_ERROR_VALUE, "%zu principal directions of %zu", count, layer == 0 ? rows : size);
  bool dense = rows <= DENSE || (layer > 0 && count == size);
  size_t kept = dense && layer > 0 ? size : count;
  SGF_TRY(sgf_new_reals(&all, kept, 1, "principal variances", error));
  SGF_TRY(sgf_new_reals(&along, kept, 1, "principal variances", error));
  SGF_TRY(sgf_new_reals(&vectors, kept, size, "principal directions", error));
  SGF_TRY(principal_pairs(covariance, layer, count, dense, all, along, vectors, residual, error));
  memcpy(variance, all, count * sizeof *variance);
  if (curvature != NULL) memcpy(curvature, along, count * sizeof *curvature);
  if (directions != NULL) memcpy(directions, vectors, count * size * sizeof *directions);
done:
  free(all);
  free(along);
  free(vectors);
  return status;
}

sgf_status sgf_covariance_operator_layer(const sgf_covariance_operator *covariance, size_t layer, size_t leading,
                                         double *variance, double *curvature, sgf_layer_modes *found,
                                         sgf_error *error)
{
  sgf_status status;
  *found = (sgf_layer_modes){.principal = true};
  SGF_TRY(check_layer(covariance, layer, 1, error));
  size_t size = sgf_covariance_operator_size(covariance, layer);
  bool blocks = sgf_covariance_operator_in_blocks(covariance), dense = size <= DENSE || leading >= size;
  if (blocks && (covariance->modes.kind == SGF_MODES_SEPARATE || (!dense && leading == 0)))
    return sgf_covariance_operator_within_outputs(covariance, layer, variance, curvature, found, error);
  found->modes = dense ? size : leading == 0 ? LEADING : leading;
  status = sgf_covariance_operator_principal(covariance, layer, found->modes, variance, curvature, NULL,
                                             &found->residual, error);
done:
  return status;
}
