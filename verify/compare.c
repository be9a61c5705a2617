/* The comparison of a prediction with an ensemble, quantity by quantity: the only place where theory and
 * simulation meet. */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/flatness.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "comparing.h"
#include "statistics.h"

enum { LEAST_REPLICAS = 4 };

static const double *array(const sgf_prediction *prediction, const char *name)
{
  size_t rows, columns;
  return sgf_prediction_array(prediction, name, &rows, &columns);
}

/* ------------------------------------------------------ all weights together */

/* tr(P S P), and of each layer's block of it; P on range(H), or on the directions of the ensemble. */
static sgf_status compare_traces(sgf_comparing *all, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  size_t rank = all->projection.rank;
  const char *prefix = all->ensemble->directions != NULL ? "tested_" : "";
  double *gram;
  char name[48];
  sgf_status status = sgf_new_reals(&gram, rank, rank, "traces", error);
  if (status != SGF_OK) return status;
  for (size_t l = 0; l <= network->layers; l++) {
    if (l > 0 && network->layers == 1) break;
    size_t first = l == 0 ? 0 : network->offsets[l], size = l == 0 ? all->n : sgf_layer_size(network, l);
    for (size_t i = 0; i < rank; i++)
      for (size_t j = 0; j <= i; j++)
        gram[i * rank + j] = gram[j * rank + i] =
            l == 0 ? (double)(i == j)
                   : sgf_dot(size, all->directions + i * all->n + first, all->directions + j * all->n + first);
    double predicted = sgf_projected_traces(&all->projection, gram, all->values);
    if (l == 0)
      snprintf(name, sizeof name, "%strace", prefix);
    else
      snprintf(name, sizeof name, "%slayer%zu_trace", prefix, l);
    sgf_add_linear(all, name, predicted, all->values);
  }
  free(gram);
  return SGF_OK;
}

/* H on its range, in the directions of the projection. */
static sgf_status drift_on_range(const sgf_comparing *all, double **drift, sgf_error *error)
{
  size_t n = all->n, rank = all->projection.rank;
  double *work = NULL;
  sgf_status status;
  *drift = NULL;
  SGF_TRY(sgf_new_reals(&work, rank, n, "drift on its range", error));
  SGF_TRY(sgf_new_reals(drift, rank, rank, "drift on its range", error));
  sgf_multiply(rank, n, n, SGF_PLAIN, all->directions, SGF_PLAIN, array(all->prediction, "hessian"), work);
  sgf_multiply(rank, rank, n, SGF_PLAIN, work, SGF_TRANSPOSED, all->directions, *drift);
  sgf_symmetrize(rank, *drift);
done:
  free(work);
  return status;
}

/* What the closure found for all weights over the snapshots of the ensemble; NULL by another equation. It may have followed
 * the range alone. */
static const sgf_known_moments *of_closure(const sgf_comparing *all) { return all->prediction->known; }

/* From the start of the window to its end, of each row: the growth of |P delta|^2 a step, by the closure of |delta|^2, and what of the mean of
 * delta . H delta over the snapshots, all of them after steps, is too much for one over the starts of all steps while
 * it grows: half of its growth over the number of snapshots, and of steps. */
static sgf_status growth_on_range(const sgf_comparing *all, const double *drift, double *growth, double *excess,
                                  sgf_error *error)
{
  const sgf_ensemble *ensemble = all->ensemble;
  const sgf_plan *plan = &ensemble->info.plan;
  size_t rank = all->projection.rank, replicas = sgf_ensemble_kept(ensemble);
  double steps = (double)plan->window_steps, snapshots = (double)(plan->window_steps / plan->stride), *inside;
  bool whole = of_closure(all) != NULL;
  sgf_status status = sgf_new_reals(&inside, rank, 1, "ends of the replicas", error);
  for (size_t r = 0; r < all->rows && status == SGF_OK; r++) {
    double runs = (double)((replicas - r + all->rows - 1) / all->rows);
    growth[r] = excess[r] = 0.0;
    for (size_t replica = r; replica < replicas; replica += all->rows)
      for (size_t end = 0; end < 2; end++) {
        double share = (end == 0 ? -1.0 : 1.0) / runs;
        const double *delta = ensemble->ends + (2 * replica + end) * all->n;
        sgf_multiply(rank, 1, all->n, SGF_PLAIN, all->directions, SGF_PLAIN, delta, inside);
        growth[r] += share * (whole ? sgf_dot(all->n, delta, delta) : sgf_dot(rank, inside, inside)) / steps;
        excess[r] += share * sgf_quadratic_form(rank, drift, inside) * 0.5 * (1.0 / snapshots + 1.0 / steps);
      }
  }
  free(inside);
  return status;
}

/* <delta . grad L> = (lambda / 2) <|g_B|^2> - (growth of |P delta|^2 a step) / 2 lambda, P on range(H), where all but
 * higher orders of g_B is: for draws that are independent in time; batches of a reshuffled epoch are not, about the mean
 * of its own window a run has another growth, and with momentum the relation is one with |v|^2 (Yaida 2018), which is not
 * recorded. `dissipation` (rows) is <delta . H delta> over the snapshots. By the closure with all of delta, and with what
 * <delta . grad L> has beyond it: then it holds to the next order too. Source: sections 1 and 13. */
static sgf_status compare_fluctuation_dissipation(sgf_comparing *all, const double *drift, const double *dissipation,
                                                  sgf_error *error)
{
  double lambda = sgf_time_of_step(&all->problem->settings), predicted = 0.0, measured = 0.0, gross = 0.0;
  double difference, difference_error, *excess, beyond = of_closure(all) != NULL ? of_closure(all)->anharmonic : 0.0;
  if (all->ensemble->gradient_square == NULL || all->ensemble->info.centred ||
      all->problem->settings.training.sampling == SGF_SAMPLING_EPOCH ||
      all->problem->settings.training.momentum > 0.0 || (of_closure(all) != NULL && of_closure(all)->on_range))
    return SGF_OK;
  sgf_status status = sgf_new_reals(&excess, all->rows, 1, "ends of the replicas", error);
  if (status == SGF_OK) status = growth_on_range(all, drift, all->values, excess, error);
  for (size_t r = 0; r < all->rows && status == SGF_OK; r++) {
    double source = 0.5 * lambda * all->ensemble->gradient_square[r] - all->values[r] / (2.0 * lambda);
    predicted += source / (double)all->rows;
    gross += 0.5 * lambda * all->ensemble->gradient_square[r] / (double)all->rows;
    measured += (dissipation[r] + beyond - excess[r]) / (double)all->rows;
    all->values[r] = dissipation[r] + beyond - excess[r] - source;
  }
  free(excess);
  if (status != SGF_OK) return status;
  sgf_mean_and_error(all->values, all->rows, &difference, &difference_error);
  /* in a run so short that all of the noise still makes for growth both sides vanish */
  double scale = fmax(predicted, 0.1 * gross);
  sgf_add_quantity(all, "fluctuation_dissipation", predicted, measured, difference_error, difference / scale,
                   difference_error / scale);
  sgf_add_skewness(all, all->values, predicted);
  return SGF_OK;
}

/* Mean excess loss tr(H S) / 2, and the fluctuation-dissipation relation. */
static sgf_status compare_loss(sgf_comparing *all, sgf_error *error)
{
  double *drift = NULL, *forms = NULL;
  sgf_status status;
  SGF_TRY(drift_on_range(all, &drift, error));
  SGF_TRY(sgf_new_reals(&forms, all->rows, 1, "excess loss", error));
  double predicted = 0.5 * sgf_projected_traces(&all->projection, drift, forms);
  for (size_t r = 0; r < all->rows; r++) all->values[r] = 0.5 * forms[r];
  sgf_add_linear(all, "excess_loss", predicted, all->values);
  SGF_TRY(compare_fluctuation_dissipation(all, drift, forms, error));
done:
  free(drift);
  free(forms);
  return status;
}

/* Off-diagonal elements in the basis of the principal directions, all together: Frobenius norm of the deviation
 * relative to that of the prediction. */
static sgf_status compare_off_diagonal(sgf_comparing *all, sgf_error *error)
{
  const sgf_projection *projection = &all->projection;
  size_t rank = projection->rank, size = rank * (rank - 1) / 2, packed = sgf_packed_size(rank);
  double *vectors;
  if (rank < 2) return SGF_OK;
  sgf_status status = sgf_new_reals(&vectors, all->rows, size, "off-diagonal elements of the replicas", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < all->rows; r++) {
    const double *element = projection->moments + r * packed;
    double *vector = vectors + r * size;
    for (size_t i = 0; i < rank; i++, element += i)
      for (size_t j = 0; j < i; j++) *vector++ = M_SQRT2 * (element[j] - projection->predicted[i * rank + j]);
  }
  status = sgf_add_norm(all, "off_diagonal", vectors, size, sgf_norm(rank * rank, projection->predicted), error);
  free(vectors);
  return status;
}

/* The mean of theta - theta* on range(H), less the predicted one, against the size of the fluctuations: the square of
 * what is left, as a fraction of the trace. */
static sgf_status compare_mean(sgf_comparing *all, sgf_error *error)
{
  size_t n = all->ensemble->n, rank = all->projection.rank;
  double *means = NULL, *delta = NULL, square, square_error, trace = sgf_trace(rank, all->projection.predicted);
  sgf_status status;
  if (all->ensemble->info.centred) return SGF_OK;
  SGF_TRY(sgf_new_reals(&means, all->rows, rank, "means of the replicas", error));
  SGF_TRY(sgf_new_reals(&delta, n, 1, "means of the replicas", error));
  for (size_t r = 0; r < all->rows; r++) {
    sgf_ensemble_row_mean(all->ensemble, r, delta);
    for (size_t k = 0; k < n && all->mean != NULL; k++) delta[k] -= all->mean[k];
    if (all->ensemble->directions != NULL)
      memcpy(means + r * rank, delta, rank * sizeof *means);
    else
      sgf_multiply(rank, 1, n, SGF_PLAIN, all->directions, SGF_PLAIN, delta, means + r * rank);
  }
  SGF_TRY(sgf_squared_mean(means, all->rows, rank, &square, &square_error, error));
  sgf_add_quantity(all, "mean_square", 0.0, square, square_error, square / trace, square_error / trace);
done:
  free(means);
  free(delta);
  return status;
}

/* -------------------------------------------------- along sets of directions */

static sgf_status modes_create(size_t count, const char *name, sgf_mode_set *set, sgf_error *error)
{
  sgf_status status;
  snprintf(set->name, sizeof set->name, "%s", name);
  set->count = count;
  SGF_TRY(sgf_new_reals(&set->curvature, 5 * count, 1, "variances", error));
  set->stationary = set->curvature + count;
  set->predicted = set->stationary + count;
  set->measured = set->predicted + count;
  set->error = set->measured + count;
done:
  return status;
}

/* Each direction by itself. */
static void compare_single_variances(sgf_comparing *all, const sgf_mode_set *set, const double *forms)
{
  char name[48];
  for (size_t k = 0; k < set->count; k++) {
    snprintf(name, sizeof name, "variance_%0*zu", all->n < 1000 ? 3 : 5, k + 1);
    sgf_add_linear(all, name, set->predicted[k], forms + k * all->rows);
  }
}

/* All directions together: root mean square of the relative deviations. */
static sgf_status compare_variances(sgf_comparing *all, const char *prefix, const sgf_mode_set *set,
                                    const double *forms, sgf_error *error)
{
  double *vectors;
  char name[48];
  size_t rows = all->rows;
  sgf_status status = sgf_new_reals(&vectors, rows, set->count, "variances of the replicas", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < rows; r++)
    for (size_t k = 0; k < set->count; k++)
      vectors[r * set->count + k] = (forms[k * rows + r] / set->predicted[k] - 1.0) / sqrt((double)set->count);
  snprintf(name, sizeof name, "%svariances", prefix);
  status = sgf_add_norm(all, name, vectors, set->count, 1.0, error);
  free(vectors);
  return status;
}

/* Exponent psi along the directions: slope of log variance on log curvature is psi / 2 = sum_k c_k log variance_k. Its
 * deviation is tested as that of the variance across one standard deviation of log curvature, (psi / 2) sd(log h): the
 * slope alone has no scale when the curvature hardly spreads. */
static sgf_status compare_ivfr(sgf_comparing *all, const char *prefix, const sgf_mode_set *set, const double *forms,
                               sgf_error *error)
{
  size_t modes = set->count, rows = all->rows;
  double *x, mean, spread, predicted = 0.0, measured = 0.0, average, slope_error;
  char name[48];
  sgf_status status = sgf_new_reals(&x, modes, 1, "IVFR", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < modes; k++) x[k] = log(set->curvature[k]);
  mean = gsl_stats_mean(x, 1, modes);
  spread = gsl_stats_sd_with_fixed_mean(x, 1, modes, mean);
  if (modes < 3 || !(spread > 1e-6)) goto done;
  for (size_t r = 0; r < rows; r++) all->values[r] = 0.0;
  for (size_t k = 0; k < modes; k++) {
    double c = (x[k] - mean) / ((double)modes * spread * spread);
    predicted += c * log(set->predicted[k]);
    measured += c * log(set->measured[k]);
    for (size_t r = 0; r < rows; r++) all->values[r] += c * forms[k * rows + r] / set->measured[k];
  }
  sgf_mean_and_error(all->values, rows, &average, &slope_error);
  snprintf(name, sizeof name, "%sivfr_psi", prefix);
  sgf_add_quantity(all, name, 2.0 * predicted, 2.0 * measured, 2.0 * slope_error, (measured - predicted) * spread,
                   slope_error * spread);
  sgf_add_skewness(all, all->values, 1.0);
done:
  free(x);
  return status;
}

/* Those of the arrays of a prediction, below `path`, with a suffix. */
static void from_arrays(const sgf_comparing *all, const char *path, const char *suffix, sgf_mode_source *source)
{
  const char *const names[] = {"variance", "curvature", "directions"};
  const double **arrays[] = {&source->variance, &source->curvature, &source->directions};
  char name[64];
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    snprintf(name, sizeof name, "%s%s%s", path, names[k], suffix);
    *arrays[k] = array(all->prediction, name);
  }
  source->count = 0;
  while (source->count < source->size && source->variance[source->count] > SGF_ZERO_MODE * source->variance[0])
    source->count++;
}

static sgf_status compare_modes(sgf_comparing *all, const sgf_projection *projection, const sgf_mode_source *source,
                                sgf_error *error)
{
  sgf_mode_set *set = &all->result->sets[all->result->set_count++];
  uint64_t seed = all->problem->settings.seed;
  size_t count = source->count;
  double *forms = NULL;
  sgf_status status;
  SGF_TRY(modes_create(count, source->name, set, error));
  SGF_TRY(sgf_new_reals(&forms, count, all->rows, "variances of the replicas", error));
  memcpy(set->curvature, source->curvature, count * sizeof *set->curvature);
  memcpy(set->stationary, source->variance, count * sizeof *set->stationary);
  SGF_TRY(sgf_projected_forms(projection, source->directions, count, source->first, source->size, forms,
                              set->predicted, error));
  for (size_t k = 0; k < count; k++)
    sgf_mean_and_error(forms + k * all->rows, all->rows, &set->measured[k], &set->error[k]);
  if (source->single)
    compare_single_variances(all, set, forms);
  else
    SGF_TRY(compare_variances(all, source->prefix, set, forms, error));
  SGF_TRY(compare_ivfr(all, source->prefix, set, forms, error));
  SGF_TRY(sgf_ivfr_fit(count, set->predicted, set->curvature, seed, &set->predicted_fit, error));
  SGF_TRY(sgf_ivfr_fit(count, set->measured, set->curvature, seed, &set->measured_fit, error));
  if (projection->ensemble->snapshots != NULL) SGF_TRY(sgf_compare_times(all, source, error));
done:
  free(forms);
  return status;
}

static sgf_status compare_joint_modes(sgf_comparing *all, sgf_error *error)
{
  bool single = all->problem->network.layers == 1 || all->projection.rank <= SGF_MOST_SINGLE_DIRECTIONS;
  sgf_mode_source source = {.name = "joint", .prefix = "", .size = all->n, .single = single};
  from_arrays(all, "", "", &source);
  return compare_modes(all, &all->projection, &source, error);
}

static sgf_status compare_layer_modes(sgf_comparing *all, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  char name[32], prefix[32], path[32];
  sgf_status status = SGF_OK;
  for (size_t l = 1; l <= network->layers && network->layers > 1 && status == SGF_OK; l++) {
    snprintf(name, sizeof name, "layer%zu", l);
    snprintf(prefix, sizeof prefix, "layer%zu_", l);
    snprintf(path, sizeof path, "layer%zu/", l);
    sgf_mode_source source = {
        .name = name, .prefix = prefix, .layer = l, .first = network->offsets[l], .size = sgf_layer_size(network, l)};
    from_arrays(all, path, "", &source);
    status = compare_modes(all, &all->projection, &source, error);
  }
  return status;
}

/* The sets of a prediction on directions: of all weights, and of each layer. */
static sgf_status compare_tested_sets(sgf_comparing *all, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  const sgf_tested *tested = all->prediction->tested;
  char name[32], prefix[32];
  sgf_status status = SGF_OK;
  for (size_t s = 0; s < tested->set_count && status == SGF_OK; s++) {
    const sgf_tested_set *set = &tested->sets[s];
    bool single = s == 0 && set->count <= SGF_MOST_SINGLE_DIRECTIONS;
    snprintf(name, sizeof name, "layer%zu", s);
    snprintf(prefix, sizeof prefix, "layer%zu_", s);
    sgf_mode_source source = {.name = s == 0 ? "joint" : name,
                              .prefix = s == 0 ? "" : prefix,
                              .layer = s,
                              .first = s == 0 ? 0 : network->offsets[s],
                              .size = set->size,
                              .single = single,
                              .count = set->count,
                              .variance = set->variance,
                              .curvature = set->curvature,
                              .directions = set->directions};
    status = compare_modes(all, &all->projection, &source, error);
  }
  return status;
}

/* Layer l trained alone: its own ensemble against its own prediction. */
static sgf_status compare_alone(sgf_comparing *all, size_t layer, sgf_error *error)
{
  const sgf_ensemble *ensemble = all->ensemble->alone[layer - 1];
  size_t size = ensemble->n, rank;
  char name[32], prefix[32], path[32], quantity[48];
  double *Sigma = NULL, *mean = NULL, *unit = NULL;
  sgf_projection projection = {0};
  sgf_status status;
  snprintf(name, sizeof name, "layer%zu_uncoupled", layer);
  snprintf(prefix, sizeof prefix, "layer%zu_uncoupled_", layer);
  snprintf(path, sizeof path, "layer%zu/", layer);
  sgf_mode_source source = {.name = name, .prefix = prefix, .size = size};
  from_arrays(all, path, "_uncoupled", &source);
  rank = source.count;
  SGF_TRY(sgf_new_reals(&Sigma, size, size, "uncoupled covariance", error));
  SGF_TRY(sgf_new_reals(&mean, size, 1, "uncoupled mean", error));
  SGF_TRY(sgf_new_reals(&unit, rank, rank, "uncoupled trace", error));
  SGF_TRY(sgf_prediction_window(all->problem, all->prediction, layer, &ensemble->info.plan, Sigma, mean, error));
  SGF_TRY(sgf_project(ensemble, source.directions, rank, Sigma, &projection, error));
  for (size_t k = 0; k < rank; k++) unit[k * rank + k] = 1.0;
  double predicted = sgf_projected_traces(&projection, unit, all->values);
  snprintf(quantity, sizeof quantity, "%strace", prefix);
  sgf_add_linear(all, quantity, predicted, all->values);
  SGF_TRY(compare_modes(all, &projection, &source, error));
done:
  sgf_projection_free(&projection);
  free(Sigma);
  free(mean);
  free(unit);
  return status;
}

/* ------------------------------------------------------------------- driver */

/* The prediction for reshuffled epochs is an average over the positions in an epoch, so that recorded snapshots must not
 * skip any: their distance and the batches of an epoch have no common factor. */
static sgf_status check_positions(const sgf_comparing *all, sgf_error *error)
{
  size_t stride = all->ensemble->stride, batches = sgf_batches_of(all->problem), factor = stride, other = batches;
  if (!all->ensemble->info.recorded || stride == 0 || batches < 2) return SGF_OK;
  while (other > 0) { /* Euclid */
    size_t rest = factor % other;
    factor = other;
    other = rest;
  }
  if (factor == 1) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_VALUE,
      "weights: stride is %zu, and an epoch has %zu batches: the snapshots see some positions in the epoch "
      "and not others; record them a number of steps apart that has no common factor with %zu",
      stride, batches, batches);
}

static sgf_status check_comparable(const sgf_comparing *all, sgf_error *error)
{
  const sgf_prediction_info *info = &all->prediction->info;
  if (all->rows < LEAST_REPLICAS)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "simulation.replicas is %zu: a comparison needs %d or more for its error bars", all->rows,
                    LEAST_REPLICAS);
  if (isnan(info->trace))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "training.learning_rate is %g, beyond the stability limit %g: there is no "
                    "stationary state to compare with",
                    all->problem->settings.training.learning_rate, sgf_learning_rate_limit(all->prediction));
  if (!(info->trace > 0.0) || info->noise_strength * info->min_loss < 1e-28)
    return sgf_fail(error, SGF_ERROR_VALUE, "nothing fluctuates: loss at the minimum %g, kappa/S = %g",
                    info->min_loss, info->noise_strength);
  sgf_status status = sgf_check_squares(info->trace, error);
  return status == SGF_OK ? check_positions(all, error) : status;
}

/* Room for so many quantities of single directions, and all others. */
static sgf_status prepare_result(sgf_comparing *all, size_t rank, sgf_error *error)
{
  sgf_comparison *result = all->result;
  size_t layers = all->problem->network.layers;
  void *sets, *balances, *times;
  sgf_status status;
  SGF_TRY(sgf_quantities_create(all, rank + 14 * layers + 12 + SGF_TIME_QUANTITIES * (layers + 1), error));
  SGF_TRY(sgf_allocate(&times, layers + 1, 1, sizeof(sgf_time_set), "correlation times", error));
  result->times = times;
  SGF_TRY(sgf_allocate(&sets, 2 * layers + 1, 1, sizeof(sgf_mode_set), "variances", error));
  result->sets = sets;
  SGF_TRY(sgf_allocate(&balances, layers, 1, sizeof(sgf_balance_curve), "drift of the balance", error));
  result->balances = balances;
done:
  return status;
}

/* The plan that the prediction is of; NULL: stationary. */
static const sgf_plan *plan_of(const sgf_ensemble_info *info)
{
  return info->recorded && !info->centred ? NULL : &info->plan;
}

/* D Sigma D^T over the window, by the operator or its closure, in the directions that the ensemble has. */
static sgf_status prepare_on_directions(sgf_comparing *all, sgf_error *error)
{
  const sgf_ensemble *ensemble = all->ensemble;
  const sgf_prediction *prediction = all->prediction;
  size_t count = ensemble->n;
  sgf_status status;
  all->directions = ensemble->directions;
  all->result->info.directions = count;
  all->result->info.directions_share = prediction->tested->share;
  SGF_TRY(prepare_result(all, prediction->tested->sets[0].count, error));
  SGF_TRY(sgf_new_reals(&all->Sigma, count, count, "predicted covariance", error));
  SGF_TRY(sgf_new_reals(&all->mean, count, 1, "predicted mean", error));
  SGF_TRY(sgf_directions_window(all->problem, prediction, plan_of(&ensemble->info), count, all->directions,
                                all->Sigma, all->mean, error));
  SGF_TRY(sgf_project_kept(ensemble, all->Sigma, &all->projection, error));
done:
  return status;
}

static sgf_status prepare(sgf_comparing *all, sgf_error *error)
{
  size_t rank = all->prediction->joint.range.rank;
  const sgf_plan *plan = plan_of(&all->ensemble->info);
  sgf_status status;
  all->directions = array(all->prediction, "directions");
  SGF_TRY(prepare_result(all, rank, error));
  SGF_TRY(sgf_new_reals(&all->Sigma, all->n, all->n, "predicted covariance", error));
  SGF_TRY(sgf_new_reals(&all->mean, all->n, 1, "predicted mean", error));
  SGF_TRY(sgf_prediction_window(all->problem, all->prediction, 0, plan, all->Sigma, all->mean, error));
  SGF_TRY(sgf_project(all->ensemble, all->directions, rank, all->Sigma, &all->projection, error));
done:
  return status;
}

static sgf_status compare(sgf_comparing *all, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(check_comparable(all, error));
  SGF_TRY(prepare(all, error));
  SGF_TRY(compare_traces(all, error));
  SGF_TRY(compare_loss(all, error));
  SGF_TRY(compare_joint_modes(all, error));
  SGF_TRY(compare_off_diagonal(all, error));
  SGF_TRY(compare_mean(all, error));
  SGF_TRY(compare_layer_modes(all, error));
  for (size_t l = 1; l <= all->ensemble->layers; l++) SGF_TRY(compare_alone(all, l, error));
  SGF_TRY(sgf_compare_balances(all, error));
  SGF_TRY(sgf_compare_rotations(all, error));
  SGF_TRY(sgf_compare_whole_space(all, error));
  SGF_TRY(sgf_compare_windows(all, error));
  SGF_TRY(sgf_diagnose(all, error));
  SGF_TRY(sgf_diagnose_slow_modes(all, error));
  SGF_TRY(sgf_compare_window_means(all, error));
  sgf_test_elements(all);
  SGF_TRY(sgf_decide(all, error));
done:
  return status;
}

/* With no null space all of |theta - theta*|^2 is predicted; else what moved along it cannot be told apart. */
static sgf_status compare_whole_trace(sgf_comparing *all, sgf_error *error)
{
  const sgf_ensemble *ensemble = all->ensemble;
  double predicted;
  if (all->prediction->info.rank_hessian < all->n) return SGF_OK;
  sgf_status status =
      sgf_directions_window_trace(all->problem, all->prediction, plan_of(&ensemble->info), &predicted, error);
  for (size_t r = 0; r < all->rows && status == SGF_OK; r++)
    all->values[r] = ensemble->squares[r * ensemble->square_count];
  if (status == SGF_OK) sgf_add_linear(all, "trace", predicted, all->values);
  return status;
}

/* What can be compared of an ensemble on directions. */
static sgf_status compare_on_directions(sgf_comparing *all, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(check_comparable(all, error));
  SGF_TRY(prepare_on_directions(all, error));
  SGF_TRY(compare_traces(all, error));
  SGF_TRY(compare_whole_trace(all, error));
  SGF_TRY(compare_tested_sets(all, error));
  SGF_TRY(compare_off_diagonal(all, error));
  SGF_TRY(compare_mean(all, error));
  SGF_TRY(sgf_diagnose(all, error));
  SGF_TRY(sgf_compare_window_means(all, error));
  sgf_test_elements(all);
  SGF_TRY(sgf_decide(all, error));
done:
  return status;
}

/* A prediction on directions is compared with an ensemble on directions, one of all weights with one of them. */
static sgf_status check_sides(const sgf_problem *problem, const sgf_prediction *prediction,
                              const sgf_ensemble *ensemble, sgf_error *error)
{
  if (prediction->joint.range.V == NULL && prediction->tested == NULL)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "a prediction by the covariance operator without directions is not compared with");
  if ((prediction->tested != NULL) != (ensemble->directions != NULL))
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "a prediction %s is not compared with moments %s",
                    prediction->tested != NULL ? "on directions" : "of all weights",
                    ensemble->directions != NULL ? "on directions" : "of all weights");
  if (ensemble->directions != NULL && ensemble->weights != problem->network.weights)
    return sgf_fail(error, SGF_ERROR_VALUE, "the ensemble's directions are of %zu weights, the network has %zu",
                    ensemble->weights, problem->network.weights);
  return SGF_OK;
}

sgf_status sgf_compare(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_ensemble *ensemble,
                       sgf_comparison **result, sgf_error *error)
{
  void *block;
  *result = NULL;
  sgf_status status = check_sides(problem, prediction, ensemble, error);
  if (status == SGF_OK) status = sgf_allocate(&block, 1, 1, sizeof **result, "comparison", error);
  if (status != SGF_OK) return status;
  *result = block;
  sgf_comparing all = {.problem = problem,
                       .prediction = prediction,
                       .ensemble = ensemble,
                       .result = *result,
                       .n = problem->network.weights,
                       .rows = ensemble->info.pools};
  status = ensemble->directions != NULL ? compare_on_directions(&all, error) : compare(&all, error);
  free(all.Sigma);
  free(all.slowest);
  free(all.mean);
  free(all.values);
  free(all.tested);
  free(all.errors);
  free(all.skewness);
  free(all.tolerances);
  sgf_projection_free(&all.projection);
  if (status == SGF_OK) return SGF_OK;
  sgf_comparison_free(*result);
  *result = NULL;
  return status;
}

void sgf_comparison_free(sgf_comparison *comparison)
{
  if (comparison == NULL) return;
  for (size_t k = 0; k < comparison->set_count; k++) free(comparison->sets[k].curvature);
  for (size_t k = 0; k < comparison->balance_count; k++) free(comparison->balances[k].time);
  for (size_t k = 0; k < comparison->rotation_count; k++) free(comparison->rotations[k].predicted);
  free(comparison->rotations);
  for (size_t k = 0; k < comparison->time_count; k++) {
    free(comparison->times[k].curvature);
    free(comparison->times[k].lag);
  }
  free(comparison->times);
  free(comparison->sets);
  free(comparison->balances);
  free(comparison->quantities);
  free(comparison->untested);
  free(comparison);
}

const sgf_mode_set *sgf_find_modes(const sgf_comparison *comparison, const char *name)
{
  for (size_t k = 0; k < comparison->set_count; k++)
    if (strcmp(comparison->sets[k].name, name) == 0) return &comparison->sets[k];
  return NULL;
}

static const sgf_quantity *find(const sgf_quantity *quantities, size_t count, const char *name)
{
  for (size_t k = 0; k < count; k++)
    if (strcmp(quantities[k].name, name) == 0) return &quantities[k];
  return NULL;
}

const sgf_quantity *sgf_find_quantity(const sgf_comparison *comparison, const char *name)
{
  return find(comparison->quantities, comparison->count, name);
}

const sgf_quantity *sgf_find_told(const sgf_comparison *comparison, const char *name)
{
  const sgf_quantity *tested = sgf_find_quantity(comparison, name);
  return tested != NULL ? tested : find(comparison->untested, comparison->untested_count, name);
}

const sgf_time_set *sgf_find_times(const sgf_comparison *comparison, const char *name)
{
  for (size_t k = 0; k < comparison->time_count; k++)
    if (strcmp(comparison->times[k].name, name) == 0) return &comparison->times[k];
  return NULL;
}

const sgf_comparison_info *sgf_comparison_get_info(const sgf_comparison *comparison) { return &comparison->info; }

const sgf_quantity *sgf_comparison_quantities(const sgf_comparison *comparison) { return comparison->quantities; }

const sgf_quantity *sgf_comparison_untested(const sgf_comparison *comparison, size_t *count)
{
  *count = comparison->untested_count;
  return comparison->untested;
}
