/* The gradient flow d theta / dt = -grad L - gamma theta from given weights, and the balance of the layers, which it
 * conserves without weight decay. */
#include "gradient_flow.h"

#include <float.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_odeiv2.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drift.h"
#include "linear_algebra.h"
#include "memory.h"

/* Error of a step, relative to each weight and to the root mean square of the weights at the start. */
static const double STEP_ERROR = 1e-12;
/* The first step relative to |theta| / |grad L|. */
static const double FIRST_STEP = 1e-3;

struct sgf_flow {
  size_t n;
  double weight_decay;
  sgf_gradient_room room;
  double *theta, time, next_step;
  gsl_odeiv2_system system;
  gsl_odeiv2_step *stepper;
  gsl_odeiv2_control *control;
  gsl_odeiv2_evolve *evolution;
};

/* GSL takes a smaller step after GSL_EDOM. */
static int velocity(double time, const double *theta, double *slope, void *parameters)
{
  const sgf_flow *flow = parameters;
  (void)time;
  sgf_gradient_into(&flow->room, theta, slope);
  double sum = 0.0;
  for (size_t k = 0; k < flow->n; k++) {
    slope[k] = -slope[k] - flow->weight_decay * theta[k];
    sum += fabs(slope[k]);
  }
  return isfinite(sum) ? GSL_SUCCESS : GSL_EDOM;
}

static sgf_status allocate_solver(sgf_flow *flow, double rms, sgf_error *error)
{
  flow->system = (gsl_odeiv2_system){velocity, NULL, flow->n, flow};
  flow->stepper = gsl_odeiv2_step_alloc(gsl_odeiv2_step_rk8pd, flow->n);
  flow->control = gsl_odeiv2_control_y_new(STEP_ERROR * rms, STEP_ERROR);
  flow->evolution = gsl_odeiv2_evolve_alloc(flow->n);
  if (flow->stepper == NULL || flow->control == NULL || flow->evolution == NULL)
    return sgf_fail(error, SGF_ERROR_MEMORY, "gradient flow: no memory for the solver of %zu equations", flow->n);
  return SGF_OK;
}

sgf_status sgf_flow_create(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                           const double *theta, sgf_flow **flow, sgf_error *error)
{
  size_t n = network->weights;
  double *slope = NULL;
  void *block;
  sgf_status status;
  *flow = NULL;
  SGF_TRY(sgf_allocate(&block, 1, 1, sizeof **flow, "gradient flow", error));
  sgf_flow *made = *flow = block;
  made->n = n;
  made->weight_decay = weight_decay;
  SGF_TRY(sgf_gradient_room_create(network, data, &made->room, error));
  SGF_TRY(sgf_new_reals(&made->theta, n, 1, "gradient flow", error));
  SGF_TRY(sgf_new_reals(&slope, n, 1, "gradient flow", error));
  memcpy(made->theta, theta, n * sizeof *theta);
  velocity(0.0, theta, slope, made);
  double size = sgf_norm(n, theta), speed = sgf_norm(n, slope);
  if (!(size > 0.0 && speed > 0.0 && isfinite(size) && isfinite(speed))) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "gradient flow: it cannot start where |theta| is %g and |grad L| is %g",
                      size, speed);
    goto done;
  }
  made->next_step = FIRST_STEP * size / speed;
  SGF_TRY(allocate_solver(made, size / sqrt((double)n), error));
done:
  free(slope);
  if (status != SGF_OK) {
    sgf_flow_free(*flow);
    *flow = NULL;
  }
  return status;
}

void sgf_flow_free(sgf_flow *flow)
{
  if (flow == NULL) return;
  if (flow->evolution != NULL) gsl_odeiv2_evolve_free(flow->evolution);
  if (flow->control != NULL) gsl_odeiv2_control_free(flow->control);
  if (flow->stepper != NULL) gsl_odeiv2_step_free(flow->stepper);
  sgf_gradient_room_free(&flow->room);
  free(flow->theta);
  free(flow);
}

sgf_status sgf_flow_advance(sgf_flow *flow, size_t steps, double *theta, double *time, sgf_error *error)
{
  for (size_t step = 0; step < steps; step++) {
    int code = gsl_odeiv2_evolve_apply(flow->evolution, flow->control, flow->stepper, &flow->system, &flow->time,
                                       DBL_MAX, &flow->next_step, flow->theta);
    if (code == GSL_SUCCESS && isfinite(sgf_norm(flow->n, flow->theta))) continue;
    sgf_fill_nan(flow->n, theta);
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "gradient flow: no step possible at time %g (next step %g): %s",
                    flow->time, flow->next_step, code == GSL_SUCCESS ? "the weights overflow" : gsl_strerror(code));
  }
  memcpy(theta, flow->theta, flow->n * sizeof *theta);
  *time = flow->time;
  return SGF_OK;
}

/* balance (N_l, N_l) = W_l W_l^T - W_{l+1}^T W_{l+1}; work (N_l, N_l). */
static void balance_of(const sgf_network *network, size_t layer, const double *theta, double *work, double *balance)
{
  size_t below = network->widths[layer - 1], width = network->widths[layer], above = network->widths[layer + 1];
  const double *W = theta + network->offsets[layer], *next = theta + network->offsets[layer + 1];
  sgf_multiply(width, width, below, SGF_PLAIN, W, SGF_TRANSPOSED, W, balance);
  sgf_multiply(width, width, above, SGF_TRANSPOSED, next, SGF_PLAIN, next, work);
  for (size_t k = 0; k < width * width; k++) balance[k] -= work[k];
}

sgf_status sgf_balance_error(const sgf_network *network, const double *start, const double *end, double *relative,
                             sgf_error *error)
{
  size_t widest = 0;
  double *before = NULL, *after = NULL, *work = NULL, largest = 0.0;
  sgf_status status;
  *relative = NAN;
  for (size_t l = 1; l < network->layers; l++)
    if (network->widths[l] > widest) widest = network->widths[l];
  SGF_TRY(sgf_new_reals(&before, widest, widest, "balance of the layers", error));
  SGF_TRY(sgf_new_reals(&after, widest, widest, "balance of the layers", error));
  SGF_TRY(sgf_new_reals(&work, widest, widest, "balance of the layers", error));
  for (size_t l = 1; l < network->layers; l++) {
    size_t count = network->widths[l] * network->widths[l];
    balance_of(network, l, start, work, before);
    balance_of(network, l, end, work, after);
    for (size_t k = 0; k < count; k++) after[k] -= before[k];
    double size = sgf_norm(sgf_layer_size(network, l) + sgf_layer_size(network, l + 1), end + network->offsets[l]);
    double change = sgf_norm(count, after) / (size * size);
    largest = isnan(change) || change > largest ? change : largest;
  }
  *relative = largest;
done:
  free(before);
  free(after);
  free(work);
  return status;
}
