/* The minimum of L + weight_decay |theta|^2 / 2 of two and more layers, and what is known of it. */
#include "decayed_minimum.h"

#include <float.h>
#include <gsl/gsl_sort.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drift.h"
#include "gradient_flow.h"
#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"
#include "minimum.h"
#include "problem.h"
#include "symmetry.h"

/* Relative gradient at which weights are at the minimum, and below which Newton steps are tried. */
static const double CONVERGED = 1e-12, NEARLY = 1e-3;
/* The flow looks around after every STRIDE steps. After PATIENCE steps, and every time as many more, Newton steps are
 * tried from anywhere, damped where H is not positive; it gives up after MOST_STEPS. */
static const size_t STRIDE = 16, PATIENCE = 4000, MOST_STEPS = 40000;
static const int MOST_NEWTON_STEPS = 200;
/* Singular values of W_1 below this, relative to the largest, were shrunk to zero. */
static const double SHRUNK = 1e-6;
/* |G|_2 above weight_decay, and a loss above its bound, relative: up to this it is round-off. */
static const double ROUND_OFF = 1e-10;

/* What the search works with. */
typedef struct {
  const sgf_network *network;
  const sgf_dataset *data;
  double weight_decay, cross_norm; /* |Sigma_yx|_2 */
  double *H, *T, *factor;          /* (n, n); allocated for the first Newton step */
  double *gradient, *next;         /* (n) */
} search;

static void search_free(search *at)
{
  free(at->H);
  free(at->T);
  free(at->factor);
  free(at->gradient);
  free(at->next);
}

/* Squares of the singular values of A (rows, columns), ascending: (rows), allocated here. */
static sgf_status singular_squares(size_t rows, size_t columns, const double *A, double **squares, sgf_error *error)
{
  double *gram = NULL;
  sgf_status status;
  *squares = NULL;
  SGF_TRY(sgf_new_reals(&gram, rows, rows, "singular values", error));
  SGF_TRY(sgf_new_reals(squares, rows, 1, "singular values", error));
  sgf_multiply(rows, rows, columns, SGF_PLAIN, A, SGF_TRANSPOSED, A, gram);
  SGF_TRY(sgf_symmetric_eigenvalues(rows, gram, *squares, "singular values", error));
done:
  free(gram);
  return status;
}

/* Largest singular value of A (rows, columns). */
static sgf_status spectral_norm(size_t rows, size_t columns, const double *A, double *norm, sgf_error *error)
{
  double *squares;
  sgf_status status = singular_squares(rows, columns, A, &squares, error);
  if (status == SGF_OK) *norm = sqrt(fmax(squares[rows - 1], 0.0));
  free(squares);
  return status;
}

static sgf_status search_create(const sgf_network *network, const sgf_dataset *data, double weight_decay, search *at,
                                sgf_error *error)
{
  sgf_status status;
  *at = (search){.network = network, .data = data, .weight_decay = weight_decay};
  SGF_TRY(sgf_check_dense(network, error));
  SGF_TRY(sgf_new_reals(&at->gradient, network->weights, 1, "gradient", error));
  SGF_TRY(sgf_new_reals(&at->next, network->weights, 1, "weights", error));
  SGF_TRY(spectral_norm(data->outputs, data->inputs, data->cross_moment, &at->cross_norm, error));
done:
  return status;
}

/* L + weight_decay |theta|^2 / 2. */
static sgf_status regularized_loss(const search *at, const double *theta, double *loss, sgf_error *error)
{
  sgf_status status = sgf_loss(at->network, at->data, theta, loss, error);
  *loss += 0.5 * at->weight_decay * sgf_dot(at->network->weights, theta, theta);
  return status;
}

/* With |M|_* <= (|theta|^2 / L)^{L/2}, d|theta|^2 / dt <= 2 |theta|^2 ( |Sigma_yx|_2 (|theta|^2 / L)^{L/2 - 1} -
 * weight_decay ): once that is negative the flow ends at 0. */
static bool ends_at_zero(const search *at, const double *theta)
{
  double layers = (double)at->network->layers, square = sgf_dot(at->network->weights, theta, theta);
  return at->cross_norm * pow(square / layers, 0.5 * layers - 1.0) < at->weight_decay;
}

/* H with its rotations lifted: + c T of the norm of H. The gradient is orthogonal to the rotations, and at a stationary
 * point they are null(H), so that steps are those of H^+. */
static sgf_status lifted_hessian(search *at, const double *theta, sgf_error *error)
{
  size_t n = at->network->weights;
  sgf_status status;
  if (at->H == NULL) SGF_TRY(sgf_new_reals(&at->H, n, n, "H", error));
  if (at->T == NULL) SGF_TRY(sgf_new_reals(&at->T, n, n, "rotations", error));
  if (at->factor == NULL) SGF_TRY(sgf_new_reals(&at->factor, n, n, "H", error));
  SGF_TRY(sgf_hessian(at->network, at->data, theta, at->weight_decay, at->H, error));
  sgf_rotation_square(at->network, theta, at->T);
  double size = sgf_norm(n * n, at->T), scale = size > 0.0 ? sgf_norm(n * n, at->H) / size : 0.0;
  for (size_t k = 0; k < n * n; k++) at->H[k] += scale * at->T[k];
done:
  return status;
}

/* next = theta - (H + damping)^-1 grad; false where that is not positive definite. */
static bool solve_step(search *at, double damping, const double *theta)
{
  lapack_int n = (lapack_int)at->network->weights;
  size_t size = at->network->weights;
  memcpy(at->factor, at->H, size * size * sizeof *at->factor);
  for (size_t k = 0; k < size; k++) at->factor[k * (size + 1)] += damping;
  memcpy(at->next, at->gradient, size * sizeof *at->next);
  if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', n, at->factor, n) != 0) return false;
  if (LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'L', n, 1, at->factor, n, at->next, n) != 0) return false;
  for (size_t k = 0; k < size; k++) at->next[k] = theta[k] - at->next[k];
  return true;
}

/* One damped step down from theta; *moved says whether one was found. */
static sgf_status step_down(search *at, bool damped, double *damping, double *theta, double *relative, bool *moved,
                            sgf_error *error)
{
  size_t n = at->network->weights;
  double loss, next_loss, next_relative, least;
  sgf_status status;
  *moved = false;
  SGF_TRY(sgf_gradient(at->network, at->data, theta, at->weight_decay, at->gradient, error));
  SGF_TRY(lifted_hessian(at, theta, error));
  SGF_TRY(regularized_loss(at, theta, &loss, error));
  least = 1e-10 * sgf_trace(n, at->H) / (double)n;
  for (int attempt = 0; attempt < 30; attempt++, *damping = fmax(10.0 * *damping, least)) {
    if (!solve_step(at, *damping, theta)) {
      if (damped) continue;
      break;
    }
    SGF_TRY(sgf_relative_gradient(at->network, at->data, at->weight_decay, at->next, &next_relative, error));
    SGF_TRY(regularized_loss(at, at->next, &next_loss, error));
    bool lower = next_loss < loss, level = next_loss <= loss * (1.0 + 1e-14);
    if (!lower && !(level && next_relative < 0.5 * *relative)) continue;
    if (*relative <= CONVERGED && !(next_relative < 0.5 * *relative)) break;
    memcpy(theta, at->next, n * sizeof *theta);
    *relative = next_relative;
    *damping = *damping > least ? 0.03 * *damping : 0.0;
    *moved = true;
    break;
  }
done:
  return status;
}

/* Newton steps from theta to round-off; *done, and theta moved, when that is reached. */
static sgf_status newton(search *at, bool damped, double *theta, double relative, bool *done, sgf_error *error)
{
  size_t n = at->network->weights;
  double *moving = NULL, damping = 0.0;
  bool moved = true;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&moving, n, 1, "weights", error));
  memcpy(moving, theta, n * sizeof *moving);
  for (int step = 0; step < MOST_NEWTON_STEPS && moved; step++) {
    SGF_TRY(step_down(at, damped, &damping, moving, &relative, &moved, error));
    if (ends_at_zero(at, moving)) {
      memset(moving, 0, n * sizeof *moving);
      relative = 0.0;
      break;
    }
  }
  *done = relative <= CONVERGED;
  if (*done) memcpy(theta, moving, n * sizeof *theta);
done:
  free(moving);
  return status;
}

static sgf_status refuse_unfinished(const search *at, const double *theta, double time, double relative,
                                    sgf_error *error)
{
  double loss;
  sgf_status status = regularized_loss(at, theta, &loss, error);
  if (status != SGF_OK) return status;
  return sgf_fail(
      error, SGF_ERROR_VALUE,
      "network.relax: with training.weight_decay %g no minimum was reached after %zu steps of the gradient "
      "flow, at time %g: the relative gradient is %g, the loss with its weight-decay term %.8g; choose other "
      "network.weights or another network.init_scale",
      at->weight_decay, MOST_STEPS, time, relative, loss);
}

sgf_status sgf_decayed_minimum(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                               double *theta, double *time, sgf_error *error)
{
  search at;
  sgf_flow *flow = NULL;
  double relative, below = NEARLY;
  bool done = false;
  sgf_status status;
  *time = 0.0;
  SGF_TRY(search_create(network, data, weight_decay, &at, error));
  SGF_TRY(sgf_relative_gradient(network, data, weight_decay, theta, &relative, error));
  if (relative <= CONVERGED) goto done;
  SGF_TRY(sgf_flow_create(network, data, weight_decay, theta, &flow, error));
  for (size_t steps = 0; steps <= MOST_STEPS; steps += STRIDE) {
    bool patient = steps == 0 || steps % PATIENCE != 0;
    if (ends_at_zero(&at, theta)) {
      memset(theta, 0, network->weights * sizeof *theta);
      goto done;
    }
    if (relative <= below || !patient) {
      SGF_TRY(newton(&at, !patient, theta, relative, &done, error));
      below = fmin(below, 0.1 * relative);
    }
    if (done) goto done;
    SGF_TRY(sgf_flow_advance(flow, STRIDE, theta, time, error));
    SGF_TRY(sgf_relative_gradient(network, data, weight_decay, theta, &relative, error));
  }
  status = refuse_unfinished(&at, theta, *time, relative, error);
done:
  sgf_flow_free(flow);
  search_free(&at);
  return status;
}

/* -------------------------------------------------------------- certificate */

/* min over m >= 0 of h m^2 / 2 - s m + (weight_decay L / 2) m^{2/L}: 0, or at the larger root of the slope
 *   h m - s + weight_decay m^{2/L - 1},
 * which is convex, so that Newton's steps from s / h, right of it, fall onto it. */
static double least_of_mode(double h, double s, double weight_decay, double layers)
{
  double power = 2.0 / layers - 1.0, m = s / h;
  for (int pass = 0; pass < 200 && m > 0.0; pass++) {
    double slope = h * m - s + weight_decay * pow(m, power), rise = h + weight_decay * power * pow(m, power - 1.0);
    if (!(rise > 0.0)) return 0.0; /* the slope is positive everywhere */
    double next = m - slope / rise;
    if (!(next < m)) break;
    m = next;
  }
  return m > 0.0 ? fmin(0.0, 0.5 * h * m * m - s * m + 0.5 * weight_decay * layers * pow(m, 2.0 / layers)) : 0.0;
}

sgf_status sgf_least_regularized_loss(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                      double *bound, sgf_error *error)
{
  size_t outputs = data->outputs, inputs = data->inputs, narrowest = inputs;
  double *modes = NULL, *h = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&h, inputs, 1, "least loss", error));
  SGF_TRY(sgf_symmetric_eigenvalues(inputs, data->input_moment, h, "Sigma_xx", error));
  SGF_TRY(singular_squares(outputs, inputs, data->cross_moment, &modes, error));
  *bound = sgf_dot(data->samples * outputs, data->Y, data->Y) / (2.0 * (double)data->samples);
  if (!(h[0] > (double)inputs * 8.0 * DBL_EPSILON * h[inputs - 1])) *bound = -INFINITY;
  for (size_t l = 1; l <= network->layers; l++)
    if (network->widths[l] < narrowest) narrowest = network->widths[l];
  for (size_t k = 0; k < outputs; k++)
    modes[k] = least_of_mode(h[0], sqrt(fmax(modes[k], 0.0)), weight_decay, (double)network->layers);
  gsl_sort(modes, 1, outputs);
  for (size_t k = 0; k < narrowest && k < outputs && isfinite(*bound); k++) *bound += modes[k];
done:
  free(modes);
  free(h);
  return status;
}

/* Of W_1, whose singular values are those of every layer at a stationary point. */
static sgf_status rank_of_layers(const sgf_network *network, const double *theta, size_t *rank, sgf_error *error)
{
  size_t hidden = network->widths[1];
  double *squares;
  sgf_status status = singular_squares(hidden, network->widths[0], theta, &squares, error);
  *rank = 0;
  for (size_t k = 0; k < hidden && status == SGF_OK; k++) *rank += squares[k] > SHRUNK * SHRUNK * squares[hidden - 1];
  free(squares);
  return status;
}

/* Two layers: L + weight_decay |M|_* is convex in M and the least for |G|_2 <= weight_decay. */
static sgf_status is_proven(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                            const double *theta, double regularized, bool *proven, sgf_error *error)
{
  double *G = NULL, slope = INFINITY, bound;
  sgf_status status;
  SGF_TRY(sgf_map_gradient(network, data, theta, &G, error));
  if (network->layers == 2) SGF_TRY(spectral_norm(data->outputs, data->inputs, G, &slope, error));
  SGF_TRY(sgf_least_regularized_loss(network, data, weight_decay, &bound, error));
  *proven = slope <= weight_decay * (1.0 + ROUND_OFF) || regularized - bound <= ROUND_OFF * regularized;
done:
  free(G);
  return status;
}

sgf_status sgf_certify_decayed(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                               const double *theta, sgf_minimum_certificate *certificate, sgf_error *error)
{
  size_t n = network->weights;
  double *H = NULL, *h = NULL, *zero = NULL, size = sgf_norm(n, theta);
  sgf_status status;
  SGF_TRY(sgf_check_dense(network, error));
  SGF_TRY(sgf_new_reals(&H, n, n, "H", error));
  SGF_TRY(sgf_new_reals(&h, n, 1, "eigenvalues of H", error));
  SGF_TRY(sgf_new_reals(&zero, n, 1, "weights", error));
  SGF_TRY(sgf_hessian(network, data, theta, weight_decay, H, error));
  SGF_TRY(sgf_symmetric_eigenvalues(n, H, h, "H", error));
  certificate->decayed = true;
  certificate->least_curvature = h[0] / h[n - 1];
  certificate->regularized = certificate->loss + 0.5 * weight_decay * size * size;
  certificate->balance_error = 0.0;
  if (size > 0.0) SGF_TRY(sgf_balance_error(network, zero, theta, &certificate->balance_error, error));
  SGF_TRY(rank_of_layers(network, theta, &certificate->map_rank, error));
  sgf_symmetry_dimensions(network, certificate->map_rank, &certificate->rotations, &certificate->scalings);
  SGF_TRY(is_proven(network, data, weight_decay, theta, certificate->regularized, &certificate->global, error));
done:
  free(H);
  free(h);
  free(zero);
  return status;
}
