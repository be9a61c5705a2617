/* The slow motion along the manifold of minima, averaged over the fluctuations. */
#include "noise_balance.h"

#include <gsl/gsl_errno.h>
#include <gsl/gsl_odeiv2.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "sample_moments.h"
#include "symmetry.h"

/* Error of a step, relative to A, which starts as 1. */
static const double STEP_ERROR = 1e-10;
/* Squares of singular values below this, relative to the largest, do not take part in a motion. */
static const double FADED = 1e-12;

struct sgf_balance_solver {
  double time, next_step;
  gsl_odeiv2_system system;
  gsl_odeiv2_step *stepper;
  gsl_odeiv2_control *control;
  gsl_odeiv2_evolve *evolution;
};

/* -------------------------------------------------------------------- drift */

/* moment = E[ z z^T (u^T Q u) ], z the residuals and u the inputs, or the other way round. */
static void weighted_moment(const sgf_noise_balance *balance, sgf_variable z, const double *Q, double *moment)
{
  sgf_variable u = z == SGF_RESIDUAL ? SGF_INPUT : SGF_RESIDUAL;
  const sgf_contraction what = {{z, u, u, z}, 1, 1, 0, 0};
  sgf_sample_moments_contract(balance->moments, &what, Q, moment);
}

/* F E[ (u^T Q u) z z^T ] F^T as hidden layer l sees the noise of the gradient of a neighbour's weights: of W_l
 * (`z` residuals), A_l^T E[|B_l x|^2 e e^T] A_l, or of W_{l+1} (inputs), B_{l+1} E[|A_{l+1}^T e|^2 x x^T] B_{l+1}^T. A are
 * products of the layers above, B of those below. */
static sgf_status noise_of_neighbour(const sgf_noise_balance *balance, const double *theta, size_t l, sgf_variable z,
                                     double *out, sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  bool below = z == SGF_RESIDUAL;
  size_t inputs = sgf_network_inputs(network), outputs = sgf_network_outputs(network), layers = network->layers;
  size_t own = below ? outputs : inputs, other = below ? inputs : outputs,
         width = network->widths[below ? l - 1 : l + 1];
  double *F = NULL, *beyond = NULL, *Q = NULL, *moment = NULL;
  const double *E = below ? balance->residual_moment : balance->input_moment;
  sgf_transposition stored = below ? SGF_TRANSPOSED : SGF_PLAIN, back = below ? SGF_PLAIN : SGF_TRANSPOSED;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, theta, below ? l + 1 : 1, below ? layers : l, &F, error));
  if (E == NULL) {
    SGF_TRY(sgf_layer_product(network, theta, below ? 1 : l + 2, below ? l - 1 : layers, &beyond, error));
    SGF_TRY(sgf_new_reals(&Q, other, other, "noise balance", error));
    SGF_TRY(sgf_new_reals(&moment, own, own, "noise balance", error));
    sgf_multiply(other, other, width, stored, beyond, back, beyond, Q);
    weighted_moment(balance, z, Q, moment);
    E = moment;
  }
  status = sgf_sandwich(network->widths[l], own, stored, F, E, out, "noise balance", error);
done:
  free(F);
  free(beyond);
  free(Q);
  free(moment);
  return status;
}

sgf_status sgf_noise_balance_terms(const sgf_noise_balance *balance, const double *theta, size_t hidden,
                                   double *below, double *above, sgf_error *error)
{
  sgf_status status = noise_of_neighbour(balance, theta, hidden, SGF_RESIDUAL, below, error);
  return status == SGF_OK ? noise_of_neighbour(balance, theta, hidden, SGF_INPUT, above, error) : status;
}

sgf_status sgf_noise_balance_drift(sgf_noise_balance *balance, const double *theta, double *drift, double *imbalance,
                                   sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  double gross = 0.0, *above = balance->slope;
  size_t at = 0;
  sgf_status status = SGF_OK;
  for (size_t l = 1; l < network->layers; l++) {
    size_t size = network->widths[l] * network->widths[l];
    SGF_TRY(sgf_noise_balance_terms(balance, theta, l, drift + at, above, error));
    gross = hypot(gross, sgf_norm(size, drift + at) + sgf_norm(size, above));
    for (size_t k = 0; k < size; k++) drift[at + k] = balance->scale * (drift[at + k] - above[k]);
    at += size;
  }
  *imbalance = gross > 0.0 ? sgf_norm(balance->count, drift) / (balance->scale * gross) : 0.0;
done:
  if (status != SGF_OK) sgf_fill_nan(balance->count, drift);
  return status;
}

/* --------------------------------------------------------------- generators */

/* O (N, N): the left singular vectors of W (N, columns) in rows, squares (N) of the singular values, descending. */
static sgf_status unit_modes(size_t N, size_t columns, const double *W, double *O, double *squares, sgf_error *error)
{
  double *copy = NULL, *U = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&copy, N, columns, "noise balance", error));
  SGF_TRY(sgf_new_reals(&U, N, N, "noise balance", error));
  memcpy(copy, W, N * columns * sizeof *W);
  memset(squares, 0, N * sizeof *squares);
  double *superdiagonal = O; /* room, before O is written */
  if (LAPACKE_dgesvd(LAPACK_ROW_MAJOR, 'A', 'N', (lapack_int)N, (lapack_int)columns, copy, (lapack_int)columns,
                     squares, U, (lapack_int)N, NULL, (lapack_int)columns, superdiagonal) != 0) {
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "singular values of a layer: no convergence");
    goto done;
  }
  for (size_t i = 0; i < N; i++) {
    squares[i] *= squares[i];
    for (size_t j = 0; j < N; j++) O[i * N + j] = U[j * N + i];
  }
done:
  free(copy);
  free(U);
  return status;
}

/* Z (N, N) += sign (O_y W) E (O_x W)^T, W (N, columns): in these frames what is small stays known to its own digits. */
static sgf_status add_form(size_t N, size_t columns, const double *O_y, const double *O_x, const double *W,
                           const double *E, double sign, double *Z, sgf_error *error)
{
  size_t room = columns > N ? columns : N;
  double *left = NULL, *right = NULL, *work = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&left, N, columns, "noise balance", error));
  SGF_TRY(sgf_new_reals(&right, N, columns, "noise balance", error));
  SGF_TRY(sgf_new_reals(&work, N, room, "noise balance", error));
  sgf_multiply(N, columns, N, SGF_PLAIN, O_y, SGF_PLAIN, W, work);
  sgf_multiply(N, columns, columns, SGF_PLAIN, work, SGF_PLAIN, E, left);
  sgf_multiply(N, columns, N, SGF_PLAIN, O_x, SGF_PLAIN, W, right);
  sgf_multiply(N, N, columns, SGF_PLAIN, left, SGF_TRANSPOSED, right, work);
  for (size_t k = 0; k < N * N; k++) Z[k] += sign * work[k];
done:
  free(left);
  free(right);
  free(work);
  return status;
}

/* a (N_1, N_1) with Y a + a X = F / 2, in the eigenbases of Y and X; 0 where neither has weight. */
static sgf_status generator_of_two(const sgf_noise_balance *balance, const double *theta, double *a, sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  size_t inputs = network->widths[0], N = network->widths[1], outputs = network->widths[2];
  const double *W_1 = theta + network->offsets[1], *W_2 = theta + network->offsets[2];
  size_t most = inputs > outputs ? inputs : outputs;
  size_t room = N > most ? N : most;
  double *block = NULL, *turned = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&block, 3 * N + 2, room, "noise balance", error));
  SGF_TRY(sgf_new_reals(&turned, N, outputs, "noise balance", error));
  double *O_x = block, *O_y = O_x + N * N, *Z = O_y + N * N, *x = Z + N * N, *y = x + N;
  for (size_t i = 0; i < N; i++)
    for (size_t k = 0; k < outputs; k++) turned[i * outputs + k] = W_2[k * N + i];
  SGF_TRY(unit_modes(N, inputs, W_1, O_x, x, error));
  SGF_TRY(unit_modes(N, outputs, turned, O_y, y, error));
  SGF_TRY(add_form(N, outputs, O_y, O_x, turned, balance->residual_moment, 0.5 * balance->scale, Z, error));
  SGF_TRY(add_form(N, inputs, O_y, O_x, W_1, balance->input_moment, -0.5 * balance->scale, Z, error));
  double faded = FADED * (x[0] + y[0]);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) Z[i * N + j] = y[i] + x[j] > faded ? Z[i * N + j] / (y[i] + x[j]) : 0.0;
  sgf_multiply(N, N, N, SGF_PLAIN, Z, SGF_PLAIN, O_x, a);
  memcpy(Z, a, N * N * sizeof *a);
  sgf_multiply(N, N, N, SGF_TRANSPOSED, O_y, SGF_PLAIN, Z, a);
done:
  free(block);
  free(turned);
  return status;
}

/* Where F_l and a_l of the hidden layer of mode m begin, given where those of mode m - 1 do. */
static size_t place_of(const sgf_noise_balance *balance, size_t m, size_t at)
{
  const sgf_mode *modes = balance->modes;
  if (m == 0 || modes[m].hidden == modes[m - 1].hidden) return at;
  size_t N = balance->problem->network.widths[modes[m - 1].hidden];
  return at + N * N;
}

/* a_l (N_l, N_l) of all hidden layers together: their directions overlap in the weights between them. n_a . theta' is
 * half of the drift along a scaling a, tr(a F) / 2. */
static sgf_status generators_of_many(sgf_noise_balance *balance, const double *theta, const double *F, double *a,
                                     sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  size_t rank, at = 0;
  sgf_status status =
      sgf_symmetry_lift(network, theta, balance->count, balance->modes, balance->gram, balance->lift, &rank, error);
  if (status != SGF_OK) return status;
  for (size_t m = 0; m < balance->count; m++) {
    const sgf_mode *mode = &balance->modes[m];
    at = place_of(balance, m, at);
    double value = F[at + mode->i * network->widths[mode->hidden] + mode->j];
    balance->nu[m] = mode->rotation ? 0.0 : mode->i == mode->j ? 0.5 * value : value;
  }
  memset(a, 0, balance->count * sizeof *a);
  at = 0;
  for (size_t m = 0; m < balance->count; m++) {
    const sgf_mode *mode = &balance->modes[m];
    size_t N = network->widths[mode->hidden];
    at = place_of(balance, m, at);
    double value = sgf_dot(balance->count, balance->gram + m * balance->count, balance->nu);
    a[at + mode->i * N + mode->j] += value;
    if (mode->i != mode->j) a[at + mode->j * N + mode->i] += mode->rotation ? -value : value;
  }
  return SGF_OK;
}

static sgf_status find_generators(sgf_noise_balance *balance, const double *theta, double *a, sgf_error *error)
{
  double imbalance;
  if (balance->problem->network.layers == 2) return generator_of_two(balance, theta, a, error);
  sgf_status status = sgf_noise_balance_drift(balance, theta, balance->drift, &imbalance, error);
  return status == SGF_OK ? generators_of_many(balance, theta, balance->drift, a, error) : status;
}

sgf_status sgf_noise_balance_velocity(sgf_noise_balance *balance, const double *theta, double *velocity,
                                      sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  double *work = NULL;
  size_t at = 0, before = 0;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&work, network->weights, 1, "noise balance", error));
  SGF_TRY(find_generators(balance, theta, balance->generators, error));
  for (size_t l = 1; l <= network->layers; l++) {
    size_t to = network->widths[l], from = network->widths[l - 1], first = network->offsets[l];
    if (l < network->layers)
      sgf_multiply(to, from, to, SGF_PLAIN, balance->generators + at, SGF_PLAIN, theta + first, velocity + first);
    else
      memset(velocity + first, 0, to * from * sizeof *velocity);
    if (l > 1) {
      sgf_multiply(to, from, from, SGF_PLAIN, theta + first, SGF_PLAIN, balance->generators + before, work);
      for (size_t k = 0; k < to * from; k++) velocity[first + k] -= work[k];
    }
    before = at;
    at += to * to;
  }
done:
  if (status != SGF_OK) sgf_fill_nan(network->weights, velocity);
  free(work);
  return status;
}

/* ------------------------------------------------------------------- motion */

/* W <- W A^-1, A (columns, columns). */
static sgf_status divide(size_t rows, size_t columns, const double *A, double *W, sgf_error *error)
{
  double *factors = NULL;
  void *pivots = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&factors, columns, columns, "noise balance", error));
  SGF_TRY(sgf_allocate(&pivots, columns, 1, sizeof(lapack_int), "noise balance", error));
  memcpy(factors, A, columns * columns * sizeof *A);
  /* rows are the columns of the transposes: A^T Z^T = W^T */
  if (LAPACKE_dgesv(LAPACK_COL_MAJOR, (lapack_int)columns, (lapack_int)rows, factors, (lapack_int)columns, pivots, W,
                    (lapack_int)columns) != 0)
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "noise balance: hidden units vanish, the motion cannot go on");
done:
  free(factors);
  free(pivots);
  return status;
}

/* theta: W_l = A_l W_l* A_{l-1}^-1. */
static sgf_status weights_of(const sgf_noise_balance *balance, const double *state, double *theta, sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  const double *start = balance->problem->theta, *below = NULL;
  sgf_status status = SGF_OK;
  for (size_t l = 1; l <= network->layers; l++) {
    size_t to = network->widths[l], from = network->widths[l - 1], first = network->offsets[l];
    if (l < network->layers)
      sgf_multiply(to, from, to, SGF_PLAIN, state, SGF_PLAIN, start + first, theta + first);
    else
      memcpy(theta + first, start + first, to * from * sizeof *theta);
    if (l > 1) SGF_TRY(divide(to, from, below, theta + first, error));
    below = state;
    state += to * to;
  }
done:
  return status;
}

/* dA_l/dt = a_l A_l. */
static int slope_of(double time, const double *state, double *slope, void *parameters)
{
  sgf_noise_balance *balance = parameters;
  const sgf_network *network = &balance->problem->network;
  (void)time;
  sgf_status status = weights_of(balance, state, balance->theta, &balance->error);
  if (status == SGF_OK) status = find_generators(balance, balance->theta, balance->generators, &balance->error);
  balance->failure = status;
  if (status != SGF_OK) return GSL_EBADFUNC;
  for (size_t l = 1, at = 0; l < network->layers; l++) {
    size_t N = network->widths[l];
    sgf_multiply(N, N, N, SGF_PLAIN, balance->generators + at, SGF_PLAIN, state + at, slope + at);
    at += N * N;
  }
  return isfinite(sgf_norm(balance->count, slope)) ? GSL_SUCCESS : GSL_EDOM;
}

sgf_status sgf_noise_balance_advance(sgf_noise_balance *balance, double time, size_t steps, double *theta,
                                     sgf_error *error)
{
  struct sgf_balance_solver *solver = balance->solver;
  sgf_status status = SGF_OK;
  int code = GSL_SUCCESS;
  for (size_t k = 0; k < steps && solver->time < time && code == GSL_SUCCESS; k++)
    code = gsl_odeiv2_evolve_apply(solver->evolution, solver->control, solver->stepper, &solver->system,
                                   &solver->time, time, &solver->next_step, balance->state);
  if (code == GSL_SUCCESS && solver->time < time)
    status = sgf_fail(error, SGF_ERROR_NUMERICAL,
                      "noise balance: %zu steps lead to the time %g, not %g: the motion has very different rates",
                      steps, solver->time, time);
  else if (code == GSL_SUCCESS)
    status = weights_of(balance, balance->state, theta, error);
  else if (balance->failure != SGF_OK)
    status = sgf_fail(error, balance->failure, "%s", balance->error.message);
  else
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "noise balance: no step possible at time %g (next step %g): %s",
                      solver->time, solver->next_step, gsl_strerror(code));
  if (status != SGF_OK) sgf_fill_nan(balance->problem->network.weights, theta);
  return status;
}

/* ------------------------------------------------------------- create, free */

static sgf_status check(const sgf_problem *problem, size_t count, sgf_error *error)
{
  if (problem->network.layers == 1) return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "there is no hidden layer");
  if (problem->settings.training.weight_decay > 0.0)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "training.weight_decay holds the balance elsewhere");
  if (problem->network.layers > 2 && count > SGF_MOST_COUPLED_MODES)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "the hidden layers have %zu modes of their symmetry, more than %d",
                    count, SGF_MOST_COUPLED_MODES);
  return SGF_OK;
}

static sgf_status create_moments(sgf_noise_balance *balance, sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  size_t inputs = sgf_network_inputs(network), outputs = sgf_network_outputs(network);
  size_t most = inputs > outputs ? inputs : outputs;
  double *unit = NULL, *residual_moment = NULL, *input_moment = NULL;
  sgf_status status;
  SGF_TRY(sgf_sample_moments_create(balance->problem, true, 1, &balance->moments, error));
  if (network->layers > 2) return SGF_OK;
  SGF_TRY(sgf_new_reals(&unit, most, most, "noise balance", error));
  SGF_TRY(sgf_new_reals(&residual_moment, outputs, outputs, "noise balance", error));
  balance->residual_moment = residual_moment;
  SGF_TRY(sgf_new_reals(&input_moment, inputs, inputs, "noise balance", error));
  balance->input_moment = input_moment;
  for (size_t i = 0; i < inputs; i++) unit[i * (inputs + 1)] = 1.0;
  weighted_moment(balance, SGF_RESIDUAL, unit, residual_moment);
  memset(unit, 0, most * most * sizeof *unit);
  for (size_t i = 0; i < outputs; i++) unit[i * (outputs + 1)] = 1.0;
  weighted_moment(balance, SGF_INPUT, unit, input_moment);
done:
  free(unit);
  return status;
}

static sgf_status create_solver(sgf_noise_balance *balance, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof *balance->solver, "noise balance", error);
  if (status != SGF_OK) return status;
  struct sgf_balance_solver *solver = balance->solver = block;
  solver->system = (gsl_odeiv2_system){slope_of, NULL, balance->count, balance};
  solver->stepper = gsl_odeiv2_step_alloc(gsl_odeiv2_step_rk8pd, balance->count);
  solver->control = gsl_odeiv2_control_y_new(STEP_ERROR, STEP_ERROR);
  solver->evolution = gsl_odeiv2_evolve_alloc(balance->count);
  if (solver->stepper == NULL || solver->control == NULL || solver->evolution == NULL)
    return sgf_fail(error, SGF_ERROR_MEMORY, "noise balance: no memory for the solver of %zu equations",
                    balance->count);
  return SGF_OK;
}

/* A = 1; the first step is a hundredth of the time in which A changes by its own size. */
static sgf_status start(sgf_noise_balance *balance, sgf_error *error)
{
  const sgf_network *network = &balance->problem->network;
  for (size_t l = 1, at = 0; l < network->layers; l++) {
    for (size_t i = 0; i < network->widths[l]; i++) balance->state[at + i * (network->widths[l] + 1)] = 1.0;
    at += network->widths[l] * network->widths[l];
  }
  sgf_status status = find_generators(balance, balance->problem->theta, balance->generators, error);
  if (status != SGF_OK) return status;
  double speed = sgf_norm(balance->count, balance->generators);
  balance->solver->next_step = speed > 0.0 ? 0.01 / speed : 1.0;
  return SGF_OK;
}

sgf_status sgf_noise_balance_create_terms(const sgf_problem *problem, sgf_noise_balance **balance, sgf_error *error)
{
  void *block;
  *balance = NULL;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **balance, "noise balance", error);
  if (status != SGF_OK) return status;
  *balance = block;
  (*balance)->problem = problem;
  status = create_moments(*balance, error);
  if (status == SGF_OK) return SGF_OK;
  sgf_noise_balance_free(*balance);
  *balance = NULL;
  return status;
}

sgf_status sgf_noise_balance_create(const sgf_problem *problem, double scale, sgf_noise_balance **balance,
                                    sgf_error *error)
{
  size_t count = sgf_symmetry_count(&problem->network), n = problem->network.weights;
  sgf_status status;
  *balance = NULL;
  SGF_TRY(check(problem, count, error));
  SGF_TRY(sgf_noise_balance_create_terms(problem, balance, error));
  sgf_noise_balance *made = *balance;
  made->scale = scale;
  made->count = count;
  SGF_TRY(sgf_new_reals(&made->drift, count, 1, "noise balance", error));
  SGF_TRY(sgf_new_reals(&made->generators, count, 1, "noise balance", error));
  SGF_TRY(sgf_new_reals(&made->slope, count, 1, "noise balance", error));
  SGF_TRY(sgf_new_reals(&made->state, count, 1, "noise balance", error));
  SGF_TRY(sgf_new_reals(&made->theta, n, 1, "noise balance", error));
  if (problem->network.layers > 2) {
    SGF_TRY(sgf_modes_create(count, &made->modes, error));
    sgf_symmetries(&problem->network, made->modes);
    SGF_TRY(sgf_new_reals(&made->gram, count, count, "noise balance", error));
    SGF_TRY(sgf_new_reals(&made->lift, count, n, "noise balance", error));
    SGF_TRY(sgf_new_reals(&made->nu, count, 1, "noise balance", error));
  }
  SGF_TRY(create_solver(made, error));
  SGF_TRY(start(made, error));
done:
  if (status != SGF_OK) {
    sgf_noise_balance_free(*balance);
    *balance = NULL;
  }
  return status;
}

void sgf_noise_balance_free(sgf_noise_balance *balance)
{
  if (balance == NULL) return;
  if (balance->solver != NULL) {
    if (balance->solver->evolution != NULL) gsl_odeiv2_evolve_free(balance->solver->evolution);
    if (balance->solver->control != NULL) gsl_odeiv2_control_free(balance->solver->control);
    if (balance->solver->stepper != NULL) gsl_odeiv2_step_free(balance->solver->stepper);
    free(balance->solver);
  }
  sgf_sample_moments_free(balance->moments);
  double *blocks[] = {
      balance->residual_moment, balance->input_moment, balance->drift, balance->generators, balance->slope,
      balance->state,           balance->theta,        balance->gram,  balance->lift,       balance->nu};
  for (size_t k = 0; k < sizeof blocks / sizeof *blocks; k++) free(blocks[k]);
  free(balance->modes);
  free(balance);
}
