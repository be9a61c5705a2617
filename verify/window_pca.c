/* The protocol of Feng and Tu, as an experimenter sees it: one long run, principal components of one layer's weights in
 * its window, and the flatness of the loss along each, from the mean of the window. */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/cross_section.h"
#include "../theory/flatness.h"
#include "../theory/memory.h"
#include "../theory/problem.h"
#include "ensemble.h"
#include "statistics.h"

/* Room for one run. */
typedef struct {
  double *block;        /* (size, size), covariance of the layer's weights in the window */
  double *components;   /* (size, size), rows */
  double *embedded;     /* (size, n), the components as vectors of all weights */
  double *coefficients; /* (size, 2L + 1) */
  double *mean;         /* (n), theta averaged over the window */
  double *scratch;      /* (size) */
} pca_room;

static sgf_status create_room(const sgf_problem *problem, size_t size, pca_room *room, sgf_error *error)
{
  size_t n = problem->network.weights;
  sgf_status status;
  memset(room, 0, sizeof *room);
  SGF_TRY(sgf_new_reals(&room->block, size, size, "principal components", error));
  SGF_TRY(sgf_new_reals(&room->components, size, size, "principal components", error));
  SGF_TRY(sgf_new_reals(&room->embedded, size, n, "principal components", error));
  SGF_TRY(sgf_new_reals(&room->coefficients, size, 2 * problem->network.layers + 1, "principal components", error));
  SGF_TRY(sgf_new_reals(&room->mean, n, 1, "principal components", error));
  SGF_TRY(sgf_new_reals(&room->scratch, size, 1, "principal components", error));
done:
  return status;
}

static void free_room(pca_room *room)
{
  free(room->block);
  free(room->components);
  free(room->embedded);
  free(room->coefficients);
  free(room->mean);
  free(room->scratch);
}

/* Variance (size, descending) and flatness of the components of one row of the ensemble. */
static sgf_status analyse(const sgf_problem *problem, const sgf_ensemble *ensemble, size_t row, size_t layer,
                          pca_room *room, double *variance, double *flatness, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t n = network->weights, size = sgf_layer_size(network, layer), first = network->offsets[layer];
  size_t degree = 2 * network->layers;
  const double *second = ensemble->second + row * sgf_packed_size(n);
  sgf_status status;
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j <= i; j++)
      room->block[i * size + j] = room->block[j * size + i] = second[(first + i) * (first + i + 1) / 2 + first + j];
  SGF_TRY(sgf_principal_directions(size, room->block, room->block, room->components, variance, room->scratch, error));
  for (size_t k = 0; k < size; k++)
    memcpy(room->embedded + k * n + first, room->components + k * size, size * sizeof *room->embedded);
  sgf_ensemble_row_mean(ensemble, row, room->mean);
  for (size_t k = 0; k < n; k++) room->mean[k] += problem->theta[k];
  SGF_TRY(sgf_cross_section(network, &problem->data, room->mean, size, room->embedded, room->coefficients, error));
  for (size_t k = 0; k < size; k++)
    flatness[k] = sgf_flatness_of_polynomial(room->coefficients + k * (degree + 1), degree,
                                             problem->settings.theory.flatness_factor);
done:
  return status;
}

static sgf_status check_protocol(const sgf_problem *problem, const sgf_ensemble *ensemble, size_t layer,
                                 sgf_error *error)
{
  if (layer == 0 || layer > problem->network.layers)
    return sgf_fail(error, SGF_ERROR_VALUE, "layer is %zu, of %zu", layer, problem->network.layers);
  if (!ensemble->info.centred)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "simulation.protocol is ensemble: its moments are not about the means of windows");
  return SGF_OK;
}

sgf_status sgf_window_pca_measure(const sgf_problem *problem, const sgf_ensemble *ensemble, size_t layer,
                                  sgf_window_pca *result, double *variance, double *flatness, sgf_error *error)
{
  size_t rows = ensemble->info.pools, size;
  double *both = NULL, *psi = NULL;
  pca_room room = {0};
  sgf_status status = check_protocol(problem, ensemble, layer, error);
  *result = (sgf_window_pca){.psi = NAN, .psi_error = NAN, .correlation = NAN, .correlation_error = NAN};
  if (status != SGF_OK) return status;
  size = sgf_layer_size(&problem->network, layer);
  SGF_TRY(create_room(problem, size, &room, error));
  SGF_TRY(sgf_new_reals(&both, 3, size, "principal components", error));
  SGF_TRY(sgf_new_reals(&psi, 2, rows, "principal components", error));
  for (size_t r = 0; r < rows; r++) {
    double *sharpness = both + 2 * size;
    sgf_ivfr fit;
    SGF_TRY(analyse(problem, ensemble, r, layer, &room, both, both + size, error));
    for (size_t k = 0; k < size; k++) sharpness[k] = 1.0 / (both[size + k] * both[size + k]); /* as the curvature */
    SGF_TRY(sgf_ivfr_slope(size, both, sharpness, &fit, error));
    psi[r] = fit.psi;
    psi[rows + r] = fit.correlation;
    if (variance != NULL) memcpy(variance + r * size, both, size * sizeof *variance);
    if (flatness != NULL) memcpy(flatness + r * size, both + size, size * sizeof *flatness);
  }
  result->runs = rows;
  sgf_mean_and_error(psi, rows, &result->psi, &result->psi_error);
  sgf_mean_and_error(psi + rows, rows, &result->correlation, &result->correlation_error);
done:
  free_room(&room);
  free(both);
  free(psi);
  return status;
}
