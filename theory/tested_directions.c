/* Directions along which a prediction by the covariance operator is compared with a simulation. */
#include "tested_directions.h"

#include <gsl/gsl_sort.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* Principal variances below this, relative to the largest, do not fluctuate. */
static const double ZERO_MODE = 1e-12;
/* Where there are more than are wanted they are chosen among the leading ones that have this share of the variance: in the
 * rest what is of higher order in the learning rate is no longer small against what is predicted. */
static const double SHARE_OF_VARIANCE = 0.99;
/* Directions that differ from the span of others by less are in it. */
static const double DEPENDENT = 1e-8;
/* Rows of a dense eigenproblem of layer_modes.c. */
enum { DENSE = 4000 };

/* --------------------------------------------------------------- candidates */

/* Principal pairs to choose from, in any order, and how their directions are had. */
typedef struct {
  size_t layer, size, known;
  double *variance, *curvature; /* (known) */
  double *directions;           /* (known, size), or NULL: made for those that are chosen */
} candidates;

static void free_candidates(candidates *from)
{
  free(from->variance);
  free(from->curvature);
  free(from->directions);
}

static sgf_status new_pairs(candidates *from, size_t known, sgf_error *error)
{
  sgf_status status;
  from->known = known;
  SGF_TRY(sgf_new_reals(&from->variance, known, 1, "principal variances", error));
  SGF_TRY(sgf_new_reals(&from->curvature, known, 1, "principal variances", error));
done:
  return status;
}

/* By sgf_covariance_operator_principal: all of them where a dense problem is solved and they fit, else `wanted`. */
static sgf_status principal_pairs(const sgf_covariance_operator *covariance, size_t wanted, candidates *from,
                                  sgf_error *error)
{
  size_t whole = covariance->space->blocks * covariance->space->size, all = from->layer > 0 ? from->size : whole;
  bool fits = all <= DENSE && all <= SGF_MOST_IN_DIRECTIONS / from->size;
  size_t known = fits ? all : wanted < all ? wanted : all;
  sgf_status status;
  SGF_TRY(new_pairs(from, known, error));
  SGF_TRY(sgf_new_reals(&from->directions, known, from->size, "principal directions", error));
  SGF_TRY(sgf_covariance_operator_principal(covariance, from->layer, known, from->variance, from->curvature,
                                            from->directions, NULL, error));
done:
  return status;
}

/* Of noise that does not couple modes: the eigenvectors of H are the principal directions, their variance k Z_kk. */
static sgf_status pairs_of_modes(const sgf_covariance_operator *covariance, candidates *from, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  sgf_status status = new_pairs(from, space->blocks * space->size, error);
  if (status != SGF_OK) return status;
  sgf_mode_covariance_diagonal(&covariance->modes, from->variance);
  for (size_t k = 0; k < from->known; k++) {
    from->curvature[k] = space->k[k];
    from->variance[k] *= space->k[k];
  }
  return SGF_OK;
}

/* All pairs that there are, or the leading `wanted`. A layer's are those that sgf_covariance_operator_layer gives. */
static sgf_status find_pairs(const sgf_covariance_operator *covariance, size_t wanted, candidates *from,
                             sgf_error *error)
{
  bool separate = covariance->modes.kind == SGF_MODES_SEPARATE;
  bool within = sgf_covariance_operator_in_blocks(covariance) && (separate || from->size > DENSE);
  if (from->layer == 0 && separate) return pairs_of_modes(covariance, from, error);
  if (from->layer == 0 || !within) return principal_pairs(covariance, wanted, from, error);
  const sgf_network *network = &covariance->space->network;
  sgf_status status = new_pairs(from, covariance->space->blocks * network->widths[from->layer - 1], error);
  if (status != SGF_OK) return status;
  return sgf_covariance_operator_pairs_within(covariance, from->layer, from->variance, from->curvature, error);
}

/* ------------------------------------------------------------------- choice */

/* Place number k of `count` among `known` that are ordered by variance: the leading half, then evenly in the logarithm
 * of the order. */
static size_t place_of(size_t k, size_t count, size_t known)
{
  size_t first = count / 2;
  if (known <= count || k < first) return k;
  double share = (double)(k + 1 - first) / (double)(count - first), start = (double)first - 0.5;
  return (size_t)(start * pow(((double)known - 0.5) / start, share));
}

/* How many of `known` candidates, by descending variance, have the share of all. */
static size_t leading(const candidates *from, const size_t *order, size_t known)
{
  double whole = 0.0, sum = 0.0;
  size_t count = 0;
  for (size_t k = 0; k < known; k++) whole += from->variance[order[from->known - 1 - k]];
  while (count < known && sum < SHARE_OF_VARIANCE * whole) sum += from->variance[order[from->known - 1 - count++]];
  return count;
}

/* Places of at most `wanted` candidates that fluctuate, by descending variance; *count of them. */
static sgf_status choose(const candidates *from, size_t wanted, size_t *places, size_t *count, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, from->known, 1, sizeof(size_t), "order of the modes", error);
  size_t *order = block, known = 0, last = SIZE_MAX;
  *count = 0;
  if (status != SGF_OK) return status;
  gsl_sort_index(order, from->variance, 1, from->known);
  double top = from->known > 0 ? from->variance[order[from->known - 1]] : 0.0;
  while (known < from->known && from->variance[order[from->known - 1 - known]] > ZERO_MODE * top) known++;
  if (known > wanted) known = leading(from, order, known);
  for (size_t k = 0; k < wanted && k < known; k++) {
    size_t place = place_of(k, wanted, known);
    if (place == last) continue; /* neighbours of the logarithm may fall together */
    last = place;
    places[(*count)++] = order[from->known - 1 - place];
  }
  free(order);
  return SGF_OK;
}

static sgf_status put_directions(const sgf_covariance_operator *covariance, const candidates *from,
                                 const size_t *places, sgf_tested_set *set, sgf_error *error)
{
  if (from->directions == NULL && from->layer == 0)
    return sgf_covariance_operator_modes(covariance, set->count, places, set->directions, error);
  if (from->directions == NULL)
    return sgf_covariance_operator_directions_within(covariance, from->layer, set->count, places, set->directions,
                                                     error);
  for (size_t k = 0; k < set->count; k++)
    memcpy(set->directions + k * set->size, from->directions + places[k] * set->size,
           set->size * sizeof *set->directions);
  return SGF_OK;
}

static sgf_status create_set(const sgf_covariance_operator *covariance, size_t layer, size_t wanted,
                             sgf_tested_set *set, sgf_error *error)
{
  size_t places[SGF_MOST_IN_SET];
  candidates from = {.layer = layer, .size = sgf_covariance_operator_size(covariance, layer)};
  sgf_status status;
  *set = (sgf_tested_set){.layer = layer, .size = from.size};
  SGF_TRY(find_pairs(covariance, wanted, &from, error));
  SGF_TRY(choose(&from, wanted, places, &set->count, error));
  set->known = from.known;
  set->principal = from.directions != NULL || covariance->modes.kind == SGF_MODES_SEPARATE;
  SGF_TRY(sgf_new_reals(&set->variance, set->count, 1, "tested directions", error));
  SGF_TRY(sgf_new_reals(&set->curvature, set->count, 1, "tested directions", error));
  SGF_TRY(sgf_new_reals(&set->directions, set->count, set->size, "tested directions", error));
  for (size_t k = 0; k < set->count; k++) {
    set->variance[k] = from.variance[places[k]];
    set->curvature[k] = from.curvature[places[k]];
  }
  SGF_TRY(put_directions(covariance, &from, places, set, error));
done:
  free_candidates(&from);
  return status;
}

/* -------------------------------------------------------------------- union */

/* Rows of V (count, n) that are orthonormal and span the same, in their place, by QR with column pivoting of V^T; returns
 * how many in *count. */
static sgf_status orthonormalize(size_t n, double *V, size_t *count, sgf_error *error)
{
  size_t all = *count, rank = 0;
  lapack_int *pivots = calloc(all, sizeof *pivots);
  double *tau = calloc(all, sizeof *tau);
  sgf_status status = SGF_OK;
  if (pivots == NULL || tau == NULL) {
    status = sgf_fail(error, SGF_ERROR_MEMORY, "no memory for the QR of %zu directions", all);
    goto done;
  }
  lapack_int info = LAPACKE_dgeqp3(LAPACK_COL_MAJOR, (lapack_int)n, (lapack_int)all, V, (lapack_int)n, pivots, tau);
  while (rank < all && fabs(V[rank * n + rank]) > DEPENDENT * fabs(V[0])) rank++;
  if (info == 0)
    info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, (lapack_int)n, (lapack_int)rank, (lapack_int)rank, V, (lapack_int)n, tau);
  if (info != 0)
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "the QR of %zu directions failed (%d)", all, (int)info);
  *count = rank;
done:
  free(pivots);
  free(tau);
  return status;
}

/* What range(H) has of the directions of all sets. */
static sgf_status unite(const sgf_covariance_operator *covariance, sgf_tested *tested, sgf_error *error)
{
  size_t n = covariance->info.weights, at = 0;
  sgf_status status;
  for (size_t s = 0; s < tested->set_count; s++) tested->count += tested->sets[s].count;
  SGF_TRY(sgf_new_reals(&tested->directions, tested->count, n, "tested directions", error));
  for (size_t s = 0; s < tested->set_count; s++) {
    const sgf_tested_set *set = &tested->sets[s];
    SGF_TRY(sgf_covariance_operator_on_range(covariance, set->layer, set->count, set->directions,
                                             tested->directions + at * n, error));
    at += set->count;
  }
  SGF_TRY(orthonormalize(n, tested->directions, &tested->count, error));
done:
  return status;
}

static sgf_status measure(const sgf_covariance_operator *covariance, sgf_tested *tested, sgf_error *error)
{
  size_t count = tested->count;
  double *second = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&second, count, count, "covariance of the tested directions", error));
  SGF_TRY(sgf_covariance_operator_window(covariance, NULL, count, tested->directions, second, error));
  tested->share = sgf_trace(count, second) / covariance->info.trace;
done:
  free(second);
  return status;
}

/* ------------------------------------------------------------------- driver */

/* Directions of each set, so that all fit. */
static size_t wanted_of_set(size_t n, size_t sets)
{
  size_t most = SGF_MOST_IN_DIRECTIONS / n < SGF_MOST_DIRECTIONS ? SGF_MOST_IN_DIRECTIONS / n : SGF_MOST_DIRECTIONS;
  size_t each = most / sets;
  if (each > SGF_MOST_IN_SET) each = SGF_MOST_IN_SET;
  return each > 2 ? each : 2;
}

static sgf_status create(const sgf_covariance_operator *covariance, sgf_tested *tested, sgf_error *error)
{
  size_t layers = covariance->info.layers, sets = layers > 1 ? 1 + layers : 1;
  size_t wanted = wanted_of_set(covariance->info.weights, sets);
  void *block;
  sgf_status status;
  SGF_TRY(sgf_allocate(&block, sets, 1, sizeof *tested->sets, "tested directions", error));
  tested->sets = block;
  for (size_t s = 0; s < sets; s++) {
    tested->set_count = s + 1;
    SGF_TRY(create_set(covariance, s, wanted, &tested->sets[s], error));
  }
  SGF_TRY(unite(covariance, tested, error));
  SGF_TRY(measure(covariance, tested, error));
done:
  return status;
}

sgf_status sgf_tested_create(const sgf_covariance_operator *covariance, sgf_tested **tested, sgf_error *error)
{
  void *block;
  *tested = NULL;
  if (!(covariance->info.trace > 0.0))
    return sgf_fail(error, SGF_ERROR_VALUE, "nothing fluctuates: the predicted trace is %g", covariance->info.trace);
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **tested, "tested directions", error);
  if (status != SGF_OK) return status;
  *tested = block;
  status = create(covariance, *tested, error);
  if (status == SGF_OK) return SGF_OK;
  sgf_tested_free(*tested);
  *tested = NULL;
  return status;
}

void sgf_tested_free(sgf_tested *tested)
{
  if (tested == NULL) return;
  for (size_t s = 0; s < tested->set_count; s++) {
    free(tested->sets[s].variance);
    free(tested->sets[s].curvature);
    free(tested->sets[s].directions);
  }
  free(tested->sets);
  free(tested->directions);
  free(tested);
}
