/* The minimum theta* that the fluctuations are about, and the certificate that it is one. */
#include "minimum.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decayed_minimum.h"
#include "drift.h"
#include "gradient_flow.h"
#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"
#include "reduced.h"

/* Relative gradient at which weights are at the minimum, and below which the flow is tried for its last step. */
static const double CONVERGED = 1e-12, NEARLY = 1e-5;
/* The last step, relative to the weights: what it neglects of the flow is of the order of its square. */
static const double LAST_STEP = 1e-6;
/* Smallest curvature kept over the largest dropped one, for the last step. */
static const double CLEAR_GAP = 100.0;
/* Loss above the global one, relative to that of the zero map, that is round-off: DBL_EPSILON times the square root of
 * the largest condition number of Sigma_xx that passes as regular is below it. */
static const double LOSS_ROUND_OFF = 1e-10;
/* Least eigenvalue of H, relative to the largest, below which stationary weights are a saddle. */
static const double SADDLE = -1e-9;
/* The flow looks around after every STRIDE steps, and gives up after MOST_STEPS. */
static const size_t STRIDE = 16, MOST_STEPS = 200000;

/* What the minimum is measured by: Sigma_xx = V^T diag(h) V, and the best map within the widths. */
typedef struct {
  double *V, *h;      /* (N_0, N_0), rows; (N_0), ascending */
  double *map;        /* (N_L, N_0) */
  double global_loss; /* of that map */
  double scale;       /* loss of the zero map */
  bool bottleneck;
} reference;

static void reference_free(reference *best)
{
  free(best->V);
  free(best->h);
  free(best->map);
}

/* Eigenvalues of Sigma_xx + weight_decay below this are zero. */
static double singular_threshold(const sgf_dataset *data, double weight_decay, const double *h)
{
  return (double)data->inputs * 8.0 * DBL_EPSILON * (h[data->inputs - 1] + weight_decay);
}

static sgf_status check_regular(const sgf_dataset *data, double weight_decay, const double *h, sgf_error *error)
{
  size_t inputs = data->inputs, rank = 0;
  double threshold = singular_threshold(data, weight_decay, h);
  for (size_t i = 0; i < inputs; i++) rank += h[i] + weight_decay > threshold;
  if (rank == inputs && h[inputs - 1] + weight_decay > 0.0) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_VALUE,
      "data: Sigma_xx = X^T X / P is singular (rank %zu of %zu, P = %zu samples): the minimum is not unique; "
      "use more samples, fewer inputs, or training.weight_decay > 0",
      rank, inputs, data->samples);
}

/* W (N_L, N_0) += R (Sigma_xx + weight_decay)^+ with R = Sigma_yx - W (Sigma_xx + weight_decay), in the eigenbasis of
 * Sigma_xx. From W = 0 it is the solution, once more it refines it. */
static sgf_status refine(const sgf_dataset *data, double weight_decay, const double *V, const double *h, double *W,
                         sgf_error *error)
{
  size_t inputs = data->inputs, outputs = data->outputs;
  double *residual = NULL, *rotated = NULL, threshold = singular_threshold(data, weight_decay, h);
  sgf_status status;
  SGF_TRY(sgf_new_reals(&residual, outputs, inputs, "normal equations", error));
  SGF_TRY(sgf_new_reals(&rotated, outputs, inputs, "normal equations", error));
  sgf_slope_of_map(data, W, residual);
  for (size_t k = 0; k < outputs * inputs; k++) residual[k] = -residual[k] - weight_decay * W[k];
  sgf_multiply(outputs, inputs, inputs, SGF_PLAIN, residual, SGF_TRANSPOSED, V, rotated);
  for (size_t k = 0; k < outputs * inputs; k++) {
    double curvature = h[k % inputs] + weight_decay;
    rotated[k] = curvature > threshold ? rotated[k] / curvature : 0.0;
  }
  sgf_multiply(outputs, inputs, inputs, SGF_PLAIN, rotated, SGF_PLAIN, V, residual);
  for (size_t k = 0; k < outputs * inputs; k++) W[k] += residual[k];
done:
  free(residual);
  free(rotated);
  return status;
}

/* W = Sigma_yx (Sigma_xx + weight_decay)^-1, or the pseudo-inverse. */
static sgf_status ridge(const sgf_dataset *data, double weight_decay, const double *V, const double *h, double *W,
                        sgf_error *error)
{
  sgf_status status = SGF_OK;
  memset(W, 0, data->outputs * data->inputs * sizeof *W);
  for (int pass = 0; pass < 3; pass++) SGF_TRY(refine(data, weight_decay, V, h, W, error));
done:
  return status;
}

/* Reduced-rank regression: project M = M_OLS (N_L, N_0) on the leading left singular vectors of M Sigma_xx^{1/2}, the
 * eigenvectors of M Sigma_xx M^T = Sigma_yx M^T. */
static sgf_status reduce_rank(const sgf_dataset *data, size_t rank, double *M, sgf_error *error)
{
  size_t inputs = data->inputs, outputs = data->outputs;
  double *U = NULL, *squares = NULL, *scores = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&U, outputs, outputs, "reduced-rank regression", error));
  SGF_TRY(sgf_new_reals(&squares, outputs, 1, "reduced-rank regression", error));
  SGF_TRY(sgf_new_reals(&scores, rank, inputs, "reduced-rank regression", error));
  sgf_multiply(outputs, outputs, inputs, SGF_PLAIN, data->cross_moment, SGF_TRANSPOSED, M, U);
  sgf_symmetrize(outputs, U);
  SGF_TRY(sgf_symmetric_eigen(outputs, U, squares, "explained second moment of Y", error));
  const double *leading = U + (outputs - rank) * outputs;
  sgf_multiply(rank, inputs, outputs, SGF_PLAIN, leading, SGF_PLAIN, M, scores);
  sgf_multiply(outputs, inputs, rank, SGF_TRANSPOSED, leading, SGF_PLAIN, scores, M);
done:
  free(U);
  free(squares);
  free(scores);
  return status;
}

/* Width of the narrowest layer, inputs and outputs too: the largest rank of M. */
static size_t largest_rank(const sgf_network *network)
{
  size_t rank = network->widths[0];
  for (size_t l = 1; l <= network->layers; l++)
    if (network->widths[l] < rank) rank = network->widths[l];
  return rank;
}

/* Loss of a map, as that of a network of one layer. */
static sgf_status loss_of_map(const sgf_dataset *data, const double *M, double *loss, sgf_error *error)
{
  size_t widths[] = {data->inputs, data->outputs};
  sgf_network layer;
  sgf_status status = sgf_network_create(widths, 2, &layer, error);
  if (status != SGF_OK) return status;
  status = sgf_loss(&layer, data, M, loss, error);
  sgf_network_free(&layer);
  return status;
}

/* With weight decay Sigma_xx may be singular: it decides what the data leave open. */
static sgf_status reference_create(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                   reference *best, sgf_error *error)
{
  size_t inputs = data->inputs, outputs = data->outputs, rank = largest_rank(network);
  sgf_status status;
  memset(best, 0, sizeof *best);
  SGF_TRY(sgf_new_reals(&best->V, inputs, inputs, "eigenvectors of Sigma_xx", error));
  SGF_TRY(sgf_new_reals(&best->h, inputs, 1, "eigenvalues of Sigma_xx", error));
  SGF_TRY(sgf_new_reals(&best->map, outputs, inputs, "best map", error));
  memcpy(best->V, data->input_moment, inputs * inputs * sizeof *best->V);
  SGF_TRY(sgf_symmetric_eigen(inputs, best->V, best->h, "Sigma_xx", error));
  if (network->layers > 1 && weight_decay == 0.0) SGF_TRY(check_regular(data, 0.0, best->h, error));
  best->scale = sgf_dot(data->samples * outputs, data->Y, data->Y) / (2.0 * (double)data->samples);
  best->bottleneck = rank < inputs && rank < outputs;
  SGF_TRY(ridge(data, 0.0, best->V, best->h, best->map, error));
  if (best->bottleneck) SGF_TRY(reduce_rank(data, rank, best->map, error));
  SGF_TRY(loss_of_map(data, best->map, &best->global_loss, error));
done:
  return status;
}

static bool is_global(const reference *best, double loss)
{
  return loss - best->global_loss <= LOSS_ROUND_OFF * best->scale;
}

static void clear(sgf_minimum_certificate *certificate)
{
  *certificate = (sgf_minimum_certificate){NAN, NAN, NAN, NAN, NAN, false, false, false, NAN, NAN, 0, 0, 0};
}

/* All but the flow. */
static sgf_status fill(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                       const reference *best, const double *theta, sgf_minimum_certificate *certificate,
                       sgf_error *error)
{
  sgf_status status;
  certificate->global_loss = best->global_loss;
  certificate->bottleneck = best->bottleneck;
  SGF_TRY(sgf_relative_gradient(network, data, weight_decay, theta, &certificate->gradient_norm, error));
  SGF_TRY(sgf_loss(network, data, theta, &certificate->loss, error));
  certificate->global = network->layers == 1 || is_global(best, certificate->loss);
  if (network->layers > 1 && weight_decay > 0.0)
    SGF_TRY(sgf_certify_decayed(network, data, weight_decay, theta, certificate, error));
done:
  return status;
}

/* The last step of the flow, to where its linearization at theta ends: delta = -H^+ grad L. Without a bottleneck, and
 * with G negligible in H = B^T B, delta = -B^T K^-1 g by the reduced eigenproblem, where grad L = B^T g; else by the
 * modes of H. */
typedef struct {
  size_t n, dropped; /* modes that are taken as the null space */
  double *V, *h;     /* of the Hessian at theta: modes in rows, ascending; NULL with `reduced` */
  double *gradient, *slopes, *delta;
  bool is_reduced;
  sgf_reduced reduced;
  double smallest; /* curvature of the range */
  double gap;      /* between it and what is not of the range */
} last_step;

static void last_step_free(last_step *last)
{
  free(last->V);
  free(last->h);
  free(last->gradient);
  free(last->slopes);
  free(last->delta);
  sgf_reduced_free(&last->reduced);
}

/* Off the minimum the null modes have curvatures of either sign, of the size of what is left of the gradient: cut at
 * the largest gap. A minimum of rank r has at most r (N_0 + N_L - r) modes in its range. */
static void cut(const sgf_network *network, last_step *last)
{
  size_t n = last->n, rank = largest_rank(network);
  size_t range = rank * (sgf_network_inputs(network) + sgf_network_outputs(network) - rank);
  double round_off = (double)n * 4.0 * DBL_EPSILON * last->h[n - 1];
  last->gap = 0.0;
  for (size_t k = n > range ? n - range : 0; k < n; k++) {
    double below = k > 0 ? fmax(fabs(last->h[k - 1]), fabs(last->h[0])) : 0.0;
    double gap = last->h[k] / fmax(below, round_off);
    if (gap > last->gap) {
      last->gap = gap;
      last->dropped = k;
    }
  }
  last->smallest = last->h[last->dropped];
}

/* -B^T K^-1 g with g = O G S^+, S of orthogonal rows. */
static sgf_status reduced_step(const sgf_dataset *data, const double *theta, last_step *last, sgf_error *error)
{
  const sgf_reduced *reduced = &last->reduced;
  size_t outputs = reduced->outputs, inputs = reduced->inputs, all = data->inputs;
  double *G = NULL, *turned = NULL;
  sgf_status status;
  SGF_TRY(sgf_map_gradient(&reduced->network, data, theta, &G, error));
  SGF_TRY(sgf_new_reals(&turned, outputs, all, "gradient", error));
  sgf_multiply(outputs, all, outputs, SGF_PLAIN, reduced->O, SGF_PLAIN, G, turned);
  sgf_multiply(outputs, inputs, all, SGF_PLAIN, turned, SGF_TRANSPOSED, reduced->S, last->slopes);
  for (size_t i = 0; i < inputs; i++) {
    double square = sgf_dot(all, reduced->S + i * all, reduced->S + i * all);
    for (size_t a = 0; a < outputs; a++) last->slopes[a * inputs + i] /= -square;
  }
  SGF_TRY(sgf_reduced_into_modes(reduced, 1, last->slopes, error));
  for (size_t k = 0; k < outputs * inputs; k++) last->slopes[k] /= reduced->k[k];
  SGF_TRY(sgf_reduced_out_of_modes(reduced, 1, last->slopes, error));
  SGF_TRY(sgf_reduced_pull(reduced, 0, 1, last->slopes, last->delta, error));
done:
  free(G);
  free(turned);
  return status;
}

/* delta (n) = -H^+ grad L(theta), with the modes of H as they are. */
static sgf_status newton_step(const sgf_network *network, const sgf_dataset *data, const double *theta,
                              last_step *last, sgf_error *error)
{
  size_t n = last->n;
  if (last->is_reduced) return reduced_step(data, theta, last, error);
  sgf_status status = sgf_gradient(network, data, theta, 0.0, last->gradient, error);
  if (status != SGF_OK) return status;
  sgf_multiply(n, 1, n, SGF_PLAIN, last->V, SGF_PLAIN, last->gradient, last->slopes);
  for (size_t k = 0; k < n; k++) last->slopes[k] = k < last->dropped ? 0.0 : -last->slopes[k] / last->h[k];
  sgf_multiply(n, 1, n, SGF_TRANSPOSED, last->V, SGF_PLAIN, last->slopes, last->delta);
  return SGF_OK;
}

/* A bound on what G adds to H: |G| times all layers but two. */
static sgf_status size_of_slope(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                double *bound, sgf_error *error)
{
  double *G, least = INFINITY, next = INFINITY;
  sgf_status status = sgf_map_gradient(network, data, theta, &G, error);
  if (status != SGF_OK) return status;
  *bound = sgf_norm(sgf_network_outputs(network) * sgf_network_inputs(network), G);
  for (size_t l = 1; l <= network->layers; l++) {
    double norm = sgf_norm(sgf_layer_size(network, l), theta + network->offsets[l]);
    *bound *= norm;
    next = fmin(next, fmax(norm, least));
    least = fmin(least, norm);
  }
  *bound /= least * next;
  free(G);
  return SGF_OK;
}

/* By the reduced eigenproblem, if K is regular: gap is that of its curvatures to the terms of H that it lacks. */
static sgf_status reduce(const sgf_network *network, const sgf_dataset *data, const double *theta, last_step *last,
                         sgf_error *error)
{
  double slope;
  sgf_status status;
  SGF_TRY(sgf_reduced_create(network, theta, data->input_moment, NULL, &last->reduced, error));
  SGF_TRY(sgf_reduced_solve(&last->reduced, NAN, false, error));
  SGF_TRY(size_of_slope(network, data, theta, &slope, error));
  last->is_reduced = last->reduced.decision.dropped == 0;
  last->smallest = last->reduced.smallest;
  last->gap = fmin(last->reduced.decision.gap, last->smallest / slope);
done:
  return status;
}

static sgf_status last_step_create(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                   bool bottleneck, last_step *last, sgf_error *error)
{
  size_t n = network->weights;
  sgf_status status;
  memset(last, 0, sizeof *last);
  last->n = n;
  SGF_TRY(sgf_new_reals(&last->slopes, n, 1, "gradient", error));
  SGF_TRY(sgf_new_reals(&last->delta, n, 1, "Newton step", error));
  if (!bottleneck) SGF_TRY(reduce(network, data, theta, last, error));
  if (last->is_reduced) return SGF_OK;
  SGF_TRY(sgf_new_reals(&last->V, n, n, "modes of H", error));
  SGF_TRY(sgf_new_reals(&last->h, n, 1, "eigenvalues of H", error));
  SGF_TRY(sgf_new_reals(&last->gradient, n, 1, "gradient", error));
  SGF_TRY(sgf_hessian(network, data, theta, 0.0, last->V, error));
  SGF_TRY(sgf_symmetric_eigen(n, last->V, last->h, "H", error));
  cut(network, last);
done:
  return status;
}

/* Newton steps with the Hessian of the first, each of which leaves a millionth, as long as they halve the gradient. */
static sgf_status polish(const sgf_network *network, const sgf_dataset *data, last_step *last, double *theta,
                         double *relative, sgf_error *error)
{
  size_t n = last->n;
  double *next = NULL, lower;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&next, n, 1, "weights", error));
  for (;;) {
    SGF_TRY(newton_step(network, data, theta, last, error));
    for (size_t k = 0; k < n; k++) next[k] = theta[k] + last->delta[k];
    SGF_TRY(sgf_relative_gradient(network, data, 0.0, next, &lower, error));
    if (!(lower < 0.5 * *relative)) break;
    memcpy(theta, next, n * sizeof *theta);
    *relative = lower;
  }
done:
  free(next);
  return status;
}

/* Where the flow is, and when it is worth the eigenvalues of H to see whether the last step can be taken. */
typedef struct {
  double time, relative;           /* now; relative gradient */
  double next_time, next_relative; /* look again from this time on, or below this gradient */
} progress;

/* Take the last step if it is small, its modes are told from the null space, and the loss is already the global one
 * (so that no directions are left in which a saddle would be escaped from); *done says whether it was taken. */
static sgf_status try_last_step(const sgf_network *network, const sgf_dataset *data, const reference *best,
                                double *theta, progress *at, bool *done, sgf_error *error)
{
  size_t n = network->weights;
  last_step last = {0};
  double *polished = NULL, loss, relative = at->relative;
  sgf_status status;
  *done = false;
  SGF_TRY(last_step_create(network, data, theta, best->bottleneck, &last, error));
  bool clear_gap = last.gap >= CLEAR_GAP;
  SGF_TRY(newton_step(network, data, theta, &last, error));
  SGF_TRY(sgf_loss(network, data, theta, &loss, error));
  double displacement = sgf_norm(n, last.delta) / sgf_norm(n, theta);
  at->next_relative = 0.1 * at->relative;
  at->next_time = INFINITY;
  if (clear_gap) at->next_time = at->time + log(fmax(2.0, 1.2 * displacement / LAST_STEP)) / last.smallest;
  if (!(clear_gap && displacement <= LAST_STEP && is_global(best, loss))) goto done;
  SGF_TRY(sgf_new_reals(&polished, n, 1, "weights", error));
  memcpy(polished, theta, n * sizeof *theta);
  SGF_TRY(polish(network, data, &last, polished, &relative, error));
  if (!(relative <= CONVERGED)) goto done;
  memcpy(theta, polished, n * sizeof *theta);
  *done = true;
done:
  last_step_free(&last);
  free(polished);
  return status;
}

static sgf_status refuse_unfinished(const sgf_network *network, const sgf_dataset *data, const reference *best,
                                    const double *theta, const progress *at, size_t steps, sgf_error *error)
{
  double loss;
  sgf_status status = sgf_loss(network, data, theta, &loss, error);
  if (status != SGF_OK) return status;
  return sgf_fail(error, SGF_ERROR_VALUE,
                  "network.relax: the gradient flow has not ended after %zu steps, at time %g: the relative gradient "
                  "is %g, the loss %.8g, the global minimum's %.8g; choose other network.weights or another "
                  "network.init_scale (larger on a plateau, smaller when the flow is stiff)",
                  steps, at->time, at->relative, loss, best->global_loss);
}

/* theta (n) follows the gradient flow to its end. */
static sgf_status descend(const sgf_network *network, const sgf_dataset *data, const reference *best, double *theta,
                          double *time, sgf_error *error)
{
  progress at = {0.0, NAN, 0.0, INFINITY};
  sgf_flow *flow = NULL;
  bool done = false;
  sgf_status status;
  SGF_TRY(sgf_relative_gradient(network, data, 0.0, theta, &at.relative, error));
  if (at.relative <= CONVERGED) goto done;
  SGF_TRY(sgf_flow_create(network, data, 0.0, theta, &flow, error));
  for (size_t steps = 0;; steps += STRIDE) {
    if (at.relative <= NEARLY && (at.relative <= at.next_relative || at.time >= at.next_time))
      SGF_TRY(try_last_step(network, data, best, theta, &at, &done, error));
    if (done || at.relative <= CONVERGED) goto done;
    if (steps >= MOST_STEPS) {
      status = refuse_unfinished(network, data, best, theta, &at, steps, error);
      goto done;
    }
    SGF_TRY(sgf_flow_advance(flow, STRIDE, theta, &at.time, error));
    SGF_TRY(sgf_relative_gradient(network, data, 0.0, theta, &at.relative, error));
  }
done:
  *time = at.time;
  sgf_flow_free(flow);
  return status;
}

sgf_status sgf_refuse_saddle(const sgf_minimum_certificate *certificate, sgf_error *error)
{
  if (certificate->decayed && !(certificate->least_curvature >= SADDLE))
    return sgf_fail(
        error, SGF_ERROR_VALUE,
        "theta*: the gradient is zero (relative norm %g) but H has the eigenvalue %g of its largest: a saddle "
        "of the loss with its weight-decay term, %.8g; choose other network.weights, another seed, or "
        "a larger network.init_scale",
        certificate->gradient_norm, certificate->least_curvature, certificate->regularized);
  if (certificate->global || certificate->decayed) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_VALUE,
                  "theta*: the gradient is zero (relative norm %g) but the loss %.8g is above the global minimum's "
                  "%.8g: a saddle, linear networks have no other minima; choose other network.weights, another seed, "
                  "or a larger network.init_scale",
                  certificate->gradient_norm, certificate->loss, certificate->global_loss);
}

sgf_status sgf_minimum(const sgf_network *network, const sgf_dataset *data, double weight_decay, double *theta,
                       sgf_minimum_certificate *certificate, sgf_error *error)
{
  size_t n = network->weights;
  reference best;
  double *start = NULL;
  sgf_status status;
  clear(certificate);
  SGF_TRY(reference_create(network, data, weight_decay, &best, error));
  certificate->flow_time = 0.0;
  if (network->layers == 1) {
    SGF_TRY(check_regular(data, weight_decay, best.h, error));
    SGF_TRY(ridge(data, weight_decay, best.V, best.h, theta, error));
  } else if (weight_decay > 0.0) {
    SGF_TRY(sgf_decayed_minimum(network, data, weight_decay, theta, &certificate->flow_time, error));
  } else {
    SGF_TRY(sgf_new_reals(&start, n, 1, "weights at the start", error));
    memcpy(start, theta, n * sizeof *theta);
    SGF_TRY(descend(network, data, &best, theta, &certificate->flow_time, error));
    SGF_TRY(sgf_balance_error(network, start, theta, &certificate->balance_error, error));
  }
  SGF_TRY(fill(network, data, weight_decay, &best, theta, certificate, error));
  SGF_TRY(sgf_refuse_saddle(certificate, error));
done:
  reference_free(&best);
  free(start);
  if (status != SGF_OK) {
    sgf_fill_nan(n, theta);
    clear(certificate);
  }
  return status;
}

sgf_status sgf_certify(const sgf_network *network, const sgf_dataset *data, double weight_decay, const double *theta,
                       sgf_minimum_certificate *certificate, sgf_error *error)
{
  reference best;
  sgf_status status;
  clear(certificate);
  SGF_TRY(reference_create(network, data, weight_decay, &best, error));
  certificate->flow_time = 0.0;
  SGF_TRY(fill(network, data, weight_decay, &best, theta, certificate, error));
done:
  reference_free(&best);
  if (status != SGF_OK) clear(certificate);
  return status;
}

sgf_status sgf_relative_gradient(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                 const double *theta, double *relative, sgf_error *error)
{
  size_t n = network->weights, map_size = data->inputs * data->outputs;
  double *gradient = NULL, *M = NULL, jacobian;
  sgf_status status;
  *relative = NAN;
  SGF_TRY(sgf_new_reals(&gradient, n, 1, "gradient", error));
  SGF_TRY(sgf_jacobian_norm(network, theta, &jacobian, error));
  SGF_TRY(sgf_layer_product(network, theta, 1, network->layers, &M, error));
  SGF_TRY(sgf_gradient(network, data, theta, weight_decay, gradient, error));
  double terms = jacobian * (sgf_norm(map_size, data->cross_moment) +
                             sgf_norm(map_size, M) * sgf_norm(data->inputs * data->inputs, data->input_moment));
  terms += weight_decay * sgf_norm(n, theta);
  *relative = terms > 0.0 ? sgf_norm(n, gradient) / terms : 0.0;
done:
  free(gradient);
  free(M);
  return status;
}
