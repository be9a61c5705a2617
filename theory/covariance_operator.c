/* The covariance as an operator: how it is made, what it does to vectors, its diagonal, samples. */
#include "covariance_operator.h"

#include <float.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion.h"
#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"
#include "random.h"

/* Residuals below this, relative to the targets, are round-off: the network interpolates and nothing fluctuates. */
static const double ROUND_OFF_RESIDUAL = 1e-12;
/* Vectors that are worked on together. */
enum { VECTORS = 128 };

/* ----------------------------------------------------------------- creation */

static sgf_status check_supported(const sgf_problem *problem, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  sgf_equation equation = settings->theory.equation;
  if (equation != SGF_EQUATION_CONTINUUM && equation != SGF_EQUATION_DISCRETE && equation != SGF_EQUATION_CLOSURE)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "theory.equation is %s: the covariance operator is built for continuum, discrete and closure",
                    sgf_equation_text(equation));
  if (settings->training.sampling == SGF_SAMPLING_EPOCH)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "training.sampling is epoch: the covariance operator is built for independent draws");
  if (settings->training.weight_decay > 0.0)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "training.weight_decay is %g: the covariance operator is built without weight decay",
                    settings->training.weight_decay);
  if (problem->certificate.bottleneck)
    return sgf_fail(
        error, SGF_ERROR_UNSUPPORTED,
        "network.widths have a bottleneck: the covariance operator is built for hidden layers that are not "
        "narrower than inputs and outputs both");
  if (!(problem->certificate.gradient_norm <= SGF_ZERO_SLOPE))
    return sgf_fail(
        error, SGF_ERROR_UNSUPPORTED,
        "theta*: its relative gradient is %g, the covariance operator is built for a minimum to more digits "
        "(network.relax: true takes the weights there)",
        problem->certificate.gradient_norm);
  return SGF_OK;
}

/* What the settings' noise is on this problem: one output has no other than isotropic population noise. */
static sgf_noise noise_of(const sgf_problem *problem)
{
  sgf_noise noise = problem->settings.theory.noise;
  return noise == SGF_NOISE_POPULATION && problem->data.outputs == 1 ? SGF_NOISE_ISOTROPIC : noise;
}

/* Modes that the rule of ranks drops and that have noise diffuse, which the dense path reports and this does not. */
static sgf_status check_dropped(const sgf_problem *problem, const sgf_reduced *drift, sgf_error *error)
{
  double dropped = drift->smallest / drift->decision.gap / drift->largest;
  double round_off = (double)problem->network.weights * 4.0 * DBL_EPSILON;
  if (drift->decision.dropped == 0 || !(dropped > SGF_DIFFUSING) || !(dropped > 1.001 * round_off)) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_UNSUPPORTED,
      "theory.rank_tolerance: modes of up to %.3g of the largest curvature are dropped and have noise, along "
      "which the weights diffuse: the covariance operator is not built for that",
      dropped);
}

/* The eigenproblem that Sigma is solved in: of J J^T for the closed form, else of H. */
static sgf_status solve_spaces(const sgf_problem *problem, const double *residual_moment,
                               sgf_covariance_operator *made, sgf_error *error)
{
  double tolerance = problem->settings.theory.rank_tolerance;
  sgf_reduced *drift = &made->drift;
  sgf_status status;
  SGF_TRY(sgf_reduced_create(&problem->network, problem->theta, problem->data.input_moment, residual_moment, drift,
                             error));
  made->tolerance = tolerance;
  bool closed = !made->in_modes && noise_of(problem) == SGF_NOISE_ISOTROPIC && problem->network.layers <= 2 &&
                isnan(tolerance) && problem->settings.theory.equation == SGF_EQUATION_CONTINUUM &&
                drift->inputs == problem->data.inputs;
  if (closed)
    SGF_TRY(sgf_reduced_extremes(drift, tolerance, error));
  else
    SGF_TRY(sgf_reduced_solve(drift, tolerance, false, error));
  SGF_TRY(check_dropped(problem, drift, error));
  made->space = drift;
  made->info.path =
      noise_of(problem) != SGF_NOISE_EMPIRICAL && problem->network.layers <= 2 ? "kronecker" : "reduced";
  if (closed) {
    SGF_TRY(sgf_reduced_create(&problem->network, problem->theta, NULL, NULL, &made->jacobian, error));
    SGF_TRY(sgf_reduced_solve(&made->jacobian, NAN, false, error));
    made->space = &made->jacobian;
    made->info.path = "closed-form";
  }
done:
  return status;
}

static double bytes_of(const sgf_reduced *reduced)
{
  double count = 0.0, size = (double)reduced->size;
  if (reduced->U != NULL) count += (reduced->shared ? 1.0 : (double)reduced->blocks) * size * size;
  for (size_t l = 1; l <= reduced->network.layers; l++)
    count +=
        (double)(reduced->outputs * reduced->network.widths[l] + reduced->inputs * reduced->network.widths[l - 1]);
  return 8.0 * (count + (double)reduced->blocks * size);
}

static void describe(const sgf_problem *problem, sgf_covariance_operator *made)
{
  sgf_covariance_operator_info *info = &made->info;
  const sgf_reduced *drift = &made->drift;
  const sgf_mode_covariance *modes = &made->modes;
  double whole = (double)(made->space->blocks * made->space->size);
  info->weights = problem->network.weights;
  info->layers = problem->network.layers;
  info->rank = made->space->rank;
  info->rank_gap = drift->decision.gap;
  info->rank_tolerance = drift->decision.tolerance;
  info->rank_ambiguous = drift->decision.ambiguous;
  info->relaxation_rate = drift->smallest;
  info->largest_curvature = drift->largest;
  info->stability_limit = 2.0 * (1.0 + problem->settings.training.momentum) / drift->largest;
  info->noise_strength = sgf_noise_strength(problem->data.samples, problem->settings.training.batch_size,
                                            problem->settings.training.sampling);
  info->temperature = problem->settings.training.learning_rate * info->noise_strength * problem->certificate.loss /
                      ((1.0 - problem->settings.training.momentum) * (double)problem->data.outputs);
  info->bytes = bytes_of(drift) + (made->space != drift ? bytes_of(made->space) : 0.0);
  if (modes->Z != NULL) info->bytes += 8.0 * whole * whole;
  if (modes->factor != NULL) info->bytes += 8.0 * whole * (double)modes->samples;
}

/* tr Sigma = sum k Z_kk; tr(H Sigma) = sum k^2 Z_kk in the modes of H, and T tr H for the closed form. */
static sgf_status measure_trace(sgf_covariance_operator *made, sgf_error *error)
{
  const sgf_reduced *space = made->space;
  size_t count = space->blocks * space->size;
  double *z, slope = 0.0;
  made->info.trace = 0.0;
  sgf_status status = sgf_new_reals(&z, count, 1, "covariance in the modes", error);
  if (status != SGF_OK) return status;
  sgf_mode_covariance_diagonal(&made->modes, z);
  for (size_t k = 0; k < count; k++) {
    made->info.trace += space->k[k] * z[k];
    if (space == &made->drift) slope += space->k[k] * space->k[k] * z[k];
  }
  for (size_t l = 1; l <= space->network.layers && space != &made->drift; l++) {
    double above = sgf_norm(space->outputs * space->network.widths[l], space->A[l - 1]);
    double below = sgf_norm(space->network.widths[l - 1] * made->drift.inputs, made->drift.R[l - 1]);
    slope += 0.5 * made->modes.scale * made->modes.strength[0] * above * above * below * below;
  }
  made->info.excess_loss = 0.5 * slope;
  free(z);
  return SGF_OK;
}

static sgf_status moment_of(const sgf_dataset *data, const double *residuals, double **moment, sgf_error *error)
{
  size_t outputs = data->outputs;
  sgf_status status = sgf_new_reals(moment, outputs, outputs, "second moment of the residuals", error);
  if (status == SGF_OK)
    sgf_multiply(outputs, outputs, data->samples, SGF_TRANSPOSED, residuals, SGF_PLAIN, residuals, *moment);
  return status;
}

static sgf_status build(const sgf_problem *problem, sgf_covariance_operator *made, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  double *residuals = NULL, *moment = NULL, rate = settings->training.learning_rate;
  double momentum = settings->training.momentum;
  double variance = 2.0 * problem->certificate.loss / (double)problem->data.outputs;
  bool continuum = settings->theory.equation == SGF_EQUATION_CONTINUUM;
  sgf_status status;
  SGF_TRY(sgf_residuals(&problem->network, &problem->data, problem->theta, &residuals, error));
  SGF_TRY(moment_of(&problem->data, residuals, &moment, error));
  SGF_TRY(solve_spaces(problem, settings->theory.noise == SGF_NOISE_POPULATION ? moment : NULL, made, error));
  made->seed = settings->seed;
  made->rate = continuum ? rate / (1.0 - momentum) : rate; /* the leading order in lambda */
  made->info.noise_free =
      sqrt(2.0 * problem->certificate.loss * (double)problem->data.samples) <=
      ROUND_OFF_RESIDUAL * sgf_norm(problem->data.samples * problem->data.outputs, problem->data.Y);
  describe(problem, made);
  if (!(rate < made->info.stability_limit)) {
    status = sgf_fail(error, SGF_ERROR_UNSTABLE,
                      "training.learning_rate is %g, beyond the stability limit %.6g: the fluctuations of SGD grow "
                      "without bound",
                      rate, made->info.stability_limit);
    goto done;
  }
  SGF_TRY(sgf_mode_covariance_create(made->space, made->info.noise_free ? SGF_NOISE_ISOTROPIC : noise_of(problem),
                                     &problem->data, residuals, made->info.noise_free ? 0.0 : variance,
                                     continuum ? 0.0 : rate, continuum ? 0.0 : momentum,
                                     made->rate * made->info.noise_strength, &made->modes, error));
  describe(problem, made);
  SGF_TRY(measure_trace(made, error));
  if (settings->theory.equation == SGF_EQUATION_CLOSURE) {
    SGF_TRY(sgf_operator_closure_solve(problem, made, error));
    SGF_TRY(measure_trace(made, error));
  }
done:
  free(residuals);
  free(moment);
  return status;
}

static sgf_status create(const sgf_problem *problem, bool in_modes, sgf_covariance_operator **covariance,
                         sgf_error *error)
{
  void *block;
  sgf_status status;
  *covariance = NULL;
  SGF_TRY(check_supported(problem, error));
  SGF_TRY(sgf_allocate(&block, 1, 1, sizeof **covariance, "covariance operator", error));
  *covariance = block;
  (*covariance)->in_modes = in_modes;
  SGF_TRY(build(problem, *covariance, error));
  return SGF_OK;
done:
  sgf_covariance_operator_free(*covariance);
  *covariance = NULL;
  return status;
}

sgf_status sgf_covariance_operator_create(const sgf_problem *problem, sgf_covariance_operator **covariance,
                                          sgf_error *error)
{
  return create(problem, false, covariance, error);
}

sgf_status sgf_covariance_operator_create_in_modes(const sgf_problem *problem, sgf_covariance_operator **covariance,
                                                   sgf_error *error)
{
  return create(problem, true, covariance, error);
}

void sgf_covariance_operator_free(sgf_covariance_operator *covariance)
{
  if (covariance == NULL) return;
  sgf_operator_closure_free(covariance->closure);
  sgf_mode_covariance_free(&covariance->modes);
  sgf_reduced_free(&covariance->jacobian);
  sgf_reduced_free(&covariance->drift);
  free(covariance);
}

const sgf_covariance_operator_info *sgf_covariance_operator_get_info(const sgf_covariance_operator *covariance)
{
  return &covariance->info;
}

size_t sgf_covariance_operator_size(const sgf_covariance_operator *covariance, size_t layer)
{
  const sgf_network *network = &covariance->space->network;
  return layer == 0 ? network->weights : sgf_layer_size(network, layer);
}

/* ------------------------------------------------------------------ products */

sgf_status sgf_covariance_operator_apply_layer(const sgf_covariance_operator *covariance, size_t layer, size_t count,
                                               const double *v, double *out, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t whole = space->blocks * space->size, size = sgf_covariance_operator_size(covariance, layer);
  double *Y = NULL, *ZY = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Y, VECTORS, whole, "changes of the map", error));
  SGF_TRY(sgf_new_reals(&ZY, VECTORS, whole, "changes of the map", error));
  for (size_t first = 0; first < count; first += VECTORS) {
    size_t some = count - first < VECTORS ? count - first : VECTORS;
    SGF_TRY(sgf_reduced_push(space, layer, some, v + first * size, Y, error));
    SGF_TRY(sgf_reduced_into_modes(space, some, Y, error));
    SGF_TRY(sgf_mode_covariance_apply(&covariance->modes, some, Y, ZY, error));
    SGF_TRY(sgf_reduced_out_of_modes(space, some, ZY, error));
    SGF_TRY(sgf_reduced_pull(space, layer, some, ZY, out + first * size, error));
  }
done:
  free(Y);
  free(ZY);
  return status;
}

sgf_status sgf_covariance_operator_apply(const sgf_covariance_operator *covariance, size_t count, const double *v,
                                         double *out, sgf_error *error)
{
  return sgf_covariance_operator_apply_layer(covariance, 0, count, v, out, error);
}

sgf_status sgf_covariance_operator_forms(const sgf_covariance_operator *covariance, size_t count, const double *v,
                                         double *forms, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t whole = space->blocks * space->size;
  double *Y = NULL, *ZY = NULL;
  sgf_status status = SGF_OK;
  SGF_TRY(sgf_new_reals(&Y, VECTORS, whole, "changes of the map", error));
  SGF_TRY(sgf_new_reals(&ZY, VECTORS, whole, "changes of the map", error));
  for (size_t first = 0; first < count; first += VECTORS) {
    size_t some = count - first < VECTORS ? count - first : VECTORS;
    SGF_TRY(sgf_reduced_push(space, 0, some, v + first * space->network.weights, Y, error));
    SGF_TRY(sgf_reduced_into_modes(space, some, Y, error));
    SGF_TRY(sgf_mode_covariance_apply(&covariance->modes, some, Y, ZY, error));
    for (size_t k = 0; k < some; k++) forms[first + k] = sgf_dot(whole, Y + k * whole, ZY + k * whole);
  }
done:
  free(Y);
  free(ZY);
  return status;
}

sgf_status sgf_covariance_operator_curvatures_layer(const sgf_covariance_operator *covariance, size_t layer,
                                                    size_t count, const double *v, double *curvatures,
                                                    sgf_error *error)
{
  const sgf_reduced *drift = &covariance->drift;
  size_t whole = drift->blocks * drift->size, size = sgf_covariance_operator_size(covariance, layer);
  double *Y;
  sgf_status status = sgf_new_reals(&Y, VECTORS, whole, "changes of the map", error);
  for (size_t first = 0; first < count && status == SGF_OK; first += VECTORS) {
    size_t some = count - first < VECTORS ? count - first : VECTORS;
    status = sgf_reduced_push(drift, layer, some, v + first * size, Y, error);
    for (size_t k = 0; k < some && status == SGF_OK; k++)
      curvatures[first + k] = sgf_dot(whole, Y + k * whole, Y + k * whole);
  }
  free(Y);
  return status;
}

sgf_status sgf_covariance_operator_curvatures(const sgf_covariance_operator *covariance, size_t count,
                                              const double *v, double *curvatures, sgf_error *error)
{
  return sgf_covariance_operator_curvatures_layer(covariance, 0, count, v, curvatures, error);
}

sgf_status sgf_covariance_operator_rates(const sgf_covariance_operator *covariance, double *rates, sgf_error *error)
{
  sgf_reduced drift = covariance->drift; /* all but the eigenvalues belongs to the operator */
  bool known = drift.k != NULL;
  size_t found = 0, rank = covariance->info.rank;
  sgf_status status = known ? SGF_OK : sgf_reduced_solve(&drift, covariance->tolerance, true, error);
  for (size_t k = 0; k < drift.blocks * drift.size && status == SGF_OK; k++)
    if (drift.k[k] > 0.0 && found < rank) rates[found++] = drift.k[k];
  gsl_sort(rates, 1, found);
  while (found < rank) rates[found++] = NAN;
  if (!known) {
    free(drift.k);
    free(drift.U);
  }
  return status;
}

/* ------------------------------------------------------- diagonal and blocks */

bool sgf_covariance_operator_in_blocks(const sgf_covariance_operator *covariance)
{
  return covariance->space->network.layers <= 2;
}

void sgf_covariance_operator_seen(const sgf_covariance_operator *covariance, size_t layer, size_t block, double *G)
{
  const sgf_reduced *space = covariance->space;
  sgf_multiply(space->size, space->network.widths[layer - 1], space->size, SGF_PLAIN, sgf_reduced_modes(space, block),
               SGF_TRANSPOSED, space->R[layer - 1], G);
}

sgf_status sgf_covariance_operator_seen_all(const sgf_covariance_operator *covariance, size_t layer, double **G,
                                            sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t count = space->shared ? 1 : space->blocks, each = space->size * space->network.widths[layer - 1];
  sgf_status status = sgf_new_reals(G, count, each, "modes seen by a layer", error);
  for (size_t i = 0; i < count && status == SGF_OK; i++)
    sgf_covariance_operator_seen(covariance, layer, i, *G + i * each);
  return status;
}

/* along[q] = sum_kl G_i[k, q] Z_kl G_j[l, q], what blocks i and j of Z give to column q of the layer. */
static void diagonal_of_pair(const sgf_covariance_operator *covariance, size_t i, size_t j, size_t width,
                             const double *G_i, const double *G_j, double *Z, double *ZG, double *along)
{
  size_t size = covariance->space->size;
  sgf_mode_covariance_block(&covariance->modes, i, j, Z);
  sgf_multiply(size, width, size, SGF_PLAIN, Z, SGF_PLAIN, G_j, ZG);
  memset(along, 0, width * sizeof *along);
  for (size_t k = 0; k < size; k++)
    for (size_t q = 0; q < width; q++) along[q] += G_i[k * width + q] * ZG[k * width + q];
}

/* One layer of the diagonal by pairs of blocks: element (p, q) is sum_ij A[i, p] A[j, p] along_ij[q]. */
static sgf_status diagonal_by_blocks(const sgf_covariance_operator *covariance, size_t layer, double *diagonal,
                                     sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t size = space->size, to = space->network.widths[layer], from = space->network.widths[layer - 1];
  bool separate = covariance->modes.kind == SGF_MODES_SEPARATE;
  double *G = NULL, *Z = NULL, *ZG = NULL, *along = NULL;
  sgf_status status;
  SGF_TRY(sgf_covariance_operator_seen_all(covariance, layer, &G, error));
  SGF_TRY(sgf_new_reals(&Z, size, size, "diagonal of the covariance", error));
  SGF_TRY(sgf_new_reals(&ZG, size, from, "diagonal of the covariance", error));
  SGF_TRY(sgf_new_reals(&along, from, 1, "diagonal of the covariance", error));
  memset(diagonal, 0, to * from * sizeof *diagonal);
  for (size_t i = 0; i < space->blocks; i++) {
    for (size_t j = separate ? i : 0; j <= i; j++) {
      const double *A_i = space->A[layer - 1] + i * to, *A_j = space->A[layer - 1] + j * to;
      size_t stride = space->shared ? 0 : size * from;
      diagonal_of_pair(covariance, i, j, from, G + i * stride, G + j * stride, Z, ZG, along);
      for (size_t p = 0; p < to; p++)
        for (size_t q = 0; q < from; q++) diagonal[p * from + q] += (i == j ? 1.0 : 2.0) * A_i[p] * A_j[p] * along[q];
    }
  }
done:
  free(G);
  free(Z);
  free(ZG);
  free(along);
  return status;
}

/* The same for separate blocks of shared modes: two products, A^2^T z G^2 with squares element by element. */
static sgf_status diagonal_of_shared(const sgf_covariance_operator *covariance, size_t layer, double *diagonal,
                                     sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t size = space->size, to = space->network.widths[layer], from = space->network.widths[layer - 1];
  double *G = NULL, *A = NULL, *z = NULL, *along = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&G, size, from, "diagonal of the covariance", error));
  SGF_TRY(sgf_new_reals(&A, space->blocks, to, "diagonal of the covariance", error));
  SGF_TRY(sgf_new_reals(&z, space->blocks, size, "diagonal of the covariance", error));
  SGF_TRY(sgf_new_reals(&along, space->blocks, from, "diagonal of the covariance", error));
  sgf_covariance_operator_seen(covariance, layer, 0, G);
  sgf_mode_covariance_diagonal(&covariance->modes, z);
  for (size_t k = 0; k < size * from; k++) G[k] *= G[k];
  for (size_t k = 0; k < space->blocks * to; k++) A[k] = space->A[layer - 1][k] * space->A[layer - 1][k];
  sgf_multiply(space->blocks, from, size, SGF_PLAIN, z, SGF_PLAIN, G, along);
  sgf_multiply(to, from, space->blocks, SGF_TRANSPOSED, A, SGF_PLAIN, along, diagonal);
done:
  free(G);
  free(A);
  free(z);
  free(along);
  return status;
}

/* Rows first ... first + count - 1 of a layer's block. work (count, size of the layer). */
static sgf_status rows_of_block(const sgf_covariance_operator *covariance, size_t layer, size_t first, size_t count,
                                double *work, double *rows, sgf_error *error)
{
  size_t size = sgf_covariance_operator_size(covariance, layer);
  memset(work, 0, count * size * sizeof *work);
  for (size_t k = 0; k < count; k++) work[k * size + first + k] = 1.0;
  return sgf_covariance_operator_apply_layer(covariance, layer, count, work, rows, error);
}

/* One layer of the diagonal, row by row of its block. */
static sgf_status diagonal_by_rows(const sgf_covariance_operator *covariance, size_t layer, double *diagonal,
                                   sgf_error *error)
{
  size_t size = sgf_covariance_operator_size(covariance, layer);
  double *work = NULL, *rows = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&work, VECTORS, size, "diagonal of the covariance", error));
  SGF_TRY(sgf_new_reals(&rows, VECTORS, size, "diagonal of the covariance", error));
  for (size_t first = 0; first < size; first += VECTORS) {
    size_t some = size - first < VECTORS ? size - first : VECTORS;
    SGF_TRY(rows_of_block(covariance, layer, first, some, work, rows, error));
    for (size_t k = 0; k < some; k++) diagonal[first + k] = rows[k * size + first + k];
  }
done:
  free(work);
  free(rows);
  return status;
}

sgf_status sgf_covariance_operator_diagonal(const sgf_covariance_operator *covariance, double *diagonal,
                                            sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  bool shared = space->shared && covariance->modes.kind == SGF_MODES_SEPARATE;
  sgf_status status = SGF_OK;
  for (size_t l = 1; l <= space->network.layers && status == SGF_OK; l++) {
    double *part = diagonal + space->network.offsets[l];
    if (shared)
      status = diagonal_of_shared(covariance, l, part, error);
    else
      status = sgf_covariance_operator_in_blocks(covariance) ? diagonal_by_blocks(covariance, l, part, error)
                                                             : diagonal_by_rows(covariance, l, part, error);
  }
  if (status != SGF_OK) sgf_fill_nan(space->network.weights, diagonal);
  return status;
}

sgf_status sgf_covariance_operator_block(const sgf_covariance_operator *covariance, size_t layer, double *block,
                                         sgf_error *error)
{
  size_t layers = covariance->info.layers, size;
  double *work;
  if (layer < 1 || layer > layers)
    return sgf_fail(error, SGF_ERROR_VALUE, "layer %zu of a network of %zu", layer, layers);
  size = sgf_covariance_operator_size(covariance, layer);
  sgf_status status = sgf_new_reals(&work, VECTORS, size, "block of the covariance", error);
  for (size_t first = 0; first < size && status == SGF_OK; first += VECTORS)
    status = rows_of_block(covariance, layer, first, size - first < VECTORS ? size - first : VECTORS, work,
                           block + first * size, error);
  if (status == SGF_OK)
    sgf_symmetrize(size, block);
  else
    sgf_fill_nan(size * size, block);
  free(work);
  return status;
}

/* ------------------------------------------------------------------- samples */

/* Rows of a square root of Z, M M^T = Z, by the eigenvectors; NULL where Z is diagonal. Allocated here. */
static sgf_status square_root(const sgf_covariance_operator *covariance, double **root, sgf_error *error)
{
  size_t whole = covariance->space->blocks * covariance->space->size;
  double *values = NULL;
  sgf_status status = SGF_OK;
  *root = NULL;
  if (covariance->modes.kind == SGF_MODES_SEPARATE) return SGF_OK;
  SGF_TRY(sgf_mode_covariance_matrix(&covariance->modes, root, error));
  SGF_TRY(sgf_new_reals(&values, whole, 1, "covariance in the modes", error));
  SGF_TRY(sgf_symmetric_eigen(whole, *root, values, "covariance in the modes", error));
  for (size_t k = 0; k < whole; k++)
    for (size_t i = 0; i < whole; i++) (*root)[k * whole + i] *= sqrt(fmax(values[k], 0.0));
done:
  free(values);
  return status;
}

sgf_status sgf_covariance_operator_samples(const sgf_covariance_operator *covariance, size_t count, uint64_t seed,
                                           double *samples, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t whole = space->blocks * space->size;
  double *root = NULL, *z = NULL, *normal = NULL, *Y = NULL;
  sgf_random random;
  sgf_status status;
  SGF_TRY(square_root(covariance, &root, error));
  SGF_TRY(sgf_new_reals(&z, whole, 1, "samples", error));
  SGF_TRY(sgf_new_reals(&normal, whole, 1, "samples", error));
  SGF_TRY(sgf_new_reals(&Y, whole, 1, "samples", error));
  sgf_mode_covariance_diagonal(&covariance->modes, z);
  for (size_t c = 0; c < count; c++) {
    sgf_random_at(&random, seed, SGF_STREAM_SAMPLES, c);
    for (size_t k = 0; k < whole; k++) normal[k] = sgf_random_normal(&random);
    for (size_t k = 0; k < whole && root == NULL; k++) Y[k] = sqrt(z[k]) * normal[k];
    if (root != NULL) sgf_multiply(1, whole, whole, SGF_PLAIN, normal, SGF_PLAIN, root, Y);
    SGF_TRY(sgf_reduced_out_of_modes(space, 1, Y, error));
    SGF_TRY(sgf_reduced_pull(space, 0, 1, Y, samples + c * space->network.weights, error));
  }
done:
  if (status != SGF_OK) sgf_fill_nan(count * space->network.weights, samples);
  free(root);
  free(z);
  free(normal);
  free(Y);
  return status;
}
