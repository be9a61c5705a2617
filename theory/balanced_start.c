/* Where the weights of a given map start: balanced, or at noise balance, at any depth.
 *
 * Weights are first made for hidden layers of as many units as M has rank, then put into the layers of the network. */
#include "balanced_start.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "minimum.h"
#include "noise_balance.h"

/* Singular values of M below this, relative to the largest, are zero. */
static const double NO_SINGULAR_VALUE = 1e-10;
/* |F| relative to its two terms at which there is noise balance, and that with which the iteration may end. */
static const double BALANCED = 1e-14, NEARLY_BALANCED = 1e-11;
/* Residuals below this, relative to the targets, are round-off. */
static const double NO_RESIDUAL = 1e-12;
enum { MOST_SWEEPS = 20000, SWEEPS_OF_TURNS = 30 };

/* ----------------------------------------------------------------- balanced */

/* theta of a network of hidden layers of r units: W_1 = D^{1/L} V^T, D^{1/L}, ..., W_L = U D^{1/L}; U (N_L, k). */
static void fill_units(const sgf_network *network, size_t k, const double *U, const double *d, const double *Vt,
                       double *theta)
{
  size_t L = network->layers, r = network->widths[1], inputs = network->widths[0];
  for (size_t p = 0; p < r; p++) {
    double root = pow(d[p], 1.0 / (double)L);
    for (size_t i = 0; i < inputs; i++) theta[network->offsets[1] + p * inputs + i] = root * Vt[p * inputs + i];
    for (size_t l = 2; l < L; l++) theta[network->offsets[l] + p * (r + 1)] = root;
    for (size_t a = 0; a < network->widths[L]; a++) theta[network->offsets[L] + a * r + p] = root * U[a * k + p];
  }
}

/* The network of as many hidden units as M has rank, and its balanced weights (n of it). */
static sgf_status balanced_units(const sgf_problem *problem, sgf_network *units, double **theta, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t L = network->layers, inputs = network->widths[0], outputs = network->widths[L], r = 0;
  size_t k = inputs < outputs ? inputs : outputs, most = k, *widths;
  double *M = NULL, *U = NULL, *d = NULL, *Vt = NULL;
  void *block = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, problem->theta, 1, L, &M, error));
  SGF_TRY(sgf_new_reals(&U, outputs, k, "balanced weights", error));
  SGF_TRY(sgf_new_reals(&d, k, 1, "balanced weights", error));
  SGF_TRY(sgf_new_reals(&Vt, k, inputs, "balanced weights", error));
  SGF_TRY(sgf_allocate(&block, L + 1, 1, sizeof *widths, "widths", error));
  SGF_TRY(sgf_thin_svd(outputs, inputs, M, U, d, Vt, "M", error));
  for (size_t l = 1; l < L; l++)
    if (network->widths[l] < most) most = network->widths[l];
  while (r < most && d[r] > NO_SINGULAR_VALUE * d[0]) r++;
  if (r == 0) {
    status =
        sgf_fail(error, SGF_ERROR_VALUE, "network.start: the map M at the minimum is zero, so are balanced weights");
    goto done;
  }
  widths = block;
  for (size_t l = 1; l < L; l++) widths[l] = r;
  widths[0] = inputs;
  widths[L] = outputs;
  SGF_TRY(sgf_network_create(widths, L + 1, units, error));
  SGF_TRY(sgf_new_reals(theta, units->weights, 1, "balanced weights", error));
  fill_units(units, k, U, d, Vt, *theta);
done:
  free(M);
  free(U);
  free(d);
  free(Vt);
  free(block);
  return status;
}

/* ------------------------------------------------------------- noise balance */

/* W_l <- A W_l and W_{l+1} <- W_{l+1} A^-1 so that below = above, given both (r, r), which are overwritten: with above =
 * C C^T and C^T below C = V^T diag(q) V, A = diag(q^{1/4}) V C^-1, after which both are diag(q^{1/2}). */
static sgf_status balance_layer(const sgf_network *units, size_t l, double *below, double *above, double *q,
                                double *work, double *theta, sgf_error *error)
{
  size_t r = units->widths[l], columns = units->widths[l - 1], rows = units->widths[l + 1];
  double *W = theta + units->offsets[l], *next = theta + units->offsets[l + 1];
  if (LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', (lapack_int)r, above, (lapack_int)r) != 0) goto silent;
  cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)r, (int)r, 1.0, above, (int)r,
              below, (int)r);
  cblas_dtrmm(CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, (int)r, (int)r, 1.0, above, (int)r,
              below, (int)r);
  sgf_symmetrize(r, below);
  cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)r, (int)columns, 1.0, above,
              (int)r, W, (int)columns);
  cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)rows, (int)r, 1.0, above,
              (int)r, next, (int)r);
  sgf_status status = sgf_symmetric_eigen(r, below, q, "noise of the layers", error);
  if (status != SGF_OK) return status;
  if (!(q[0] > NO_SINGULAR_VALUE * NO_SINGULAR_VALUE * q[r - 1])) goto silent;
  sgf_multiply(r, columns, r, SGF_PLAIN, below, SGF_PLAIN, W, work);
  for (size_t k = 0; k < r * columns; k++) W[k] = sqrt(sqrt(q[k / columns])) * work[k];
  sgf_multiply(rows, r, r, SGF_PLAIN, next, SGF_TRANSPOSED, below, work);
  for (size_t k = 0; k < rows * r; k++) next[k] = work[k] / sqrt(sqrt(q[k % r]));
  return SGF_OK;
silent:
  return sgf_fail(
      error, SGF_ERROR_VALUE,
      "network.start is noise-balanced: the gradient noise vanishes for some of the map M, and there is no "
      "noise balance");
}

/* Each hidden layer in turn, until none has a drift left. F = 0 where the noise tr C is least among the weights of a
 * map, and this is its descent by one layer at a time; two layers take one sweep. */
static sgf_status balance_noise(const sgf_noise_balance *balance, const sgf_network *units, double *theta,
                                sgf_error *error)
{
  size_t r = units->widths[1], most = r;
  for (size_t l = 0; l <= units->layers; l++) most = units->widths[l] > most ? units->widths[l] : most;
  double *block = NULL, worst = INFINITY;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&block, 2 * r + most + 1, most, "noise balance", error));
  double *below = block, *above = below + r * r, *q = above + r * r, *work = q + r;
  for (size_t sweep = 0; sweep < MOST_SWEEPS && worst > BALANCED; sweep++) {
    double last = worst;
    worst = 0.0;
    for (size_t l = 1; l < units->layers; l++) {
      double difference = 0.0;
      SGF_TRY(sgf_noise_balance_terms(balance, theta, l, below, above, error));
      for (size_t k = 0; k < r * r; k++) difference = hypot(difference, below[k] - above[k]);
      worst = fmax(worst, difference / (sgf_norm(r * r, below) + sgf_norm(r * r, above)));
      SGF_TRY(balance_layer(units, l, below, above, q, work, theta, error));
    }
    if (worst < NEARLY_BALANCED && !(worst < 0.999 * last)) break; /* round-off */
  }
  if (!(worst < NEARLY_BALANCED))
    status =
        sgf_fail(error, SGF_ERROR_VALUE,
                 "network.start is noise-balanced: after %d sweeps over the hidden layers a drift of the balance of "
                 "%g of its two terms is left",
                 MOST_SWEEPS, worst);
done:
  free(block);
  return status;
}

static sgf_status to_noise_balance(const sgf_problem *problem, const sgf_network *units, double *theta,
                                   sgf_error *error)
{
  const sgf_dataset *data = &problem->data;
  sgf_problem inner = *problem; /* of the same data and noise, with fewer hidden units */
  sgf_noise_balance *balance = NULL;
  sgf_status status;
  double square = 2.0 * problem->certificate.loss * (double)data->samples;
  if (!(sqrt(square) > NO_RESIDUAL * sgf_norm(data->samples * data->outputs, data->Y)))
    return sgf_fail(
        error, SGF_ERROR_VALUE,
        "network.start is noise-balanced and the residuals at the minimum are round-off: there is no noise");
  inner.network = *units;
  inner.theta = theta;
  SGF_TRY(sgf_noise_balance_create_terms(&inner, &balance, error));
  SGF_TRY(balance_noise(balance, units, theta, error));
done:
  sgf_noise_balance_free(balance);
  return status;
}

/* -------------------------------------------------------------------- place */

/* R_l (N_l, r), orthonormal columns, of a hidden layer: the polar factor of W_l* R_{l-1} V_l^T + W_{l+1}*^T R_{l+1} V_{l+1},
 * V the weights of the units, which brings them nearest to theta*, the other layers' R given; without the second term
 * while R_{l+1} is not known. */
static sgf_status turn(const sgf_problem *problem, const sgf_network *units, const double *theta, size_t l,
                       double *const *R, bool next_known, double *block, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t N = network->widths[l], r = units->widths[l], before = network->widths[l - 1],
         after = network->widths[l + 1];
  size_t from = units->widths[l - 1], to = units->widths[l + 1];
  const double *below = theta + units->offsets[l], *above = theta + units->offsets[l + 1];
  double *overlap = block, *also = overlap + N * r, *U = also + N * r, *d = U + N * r, *Vt = d + r,
         *moved = Vt + r * r;
  if (R[l - 1] != NULL)
    sgf_multiply(before, r, from, SGF_PLAIN, R[l - 1], SGF_TRANSPOSED, below, moved);
  else
    sgf_transpose(r, from, below, moved);
  sgf_multiply(N, r, before, SGF_PLAIN, problem->theta + network->offsets[l], SGF_PLAIN, moved, overlap);
  if (next_known) {
    if (R[l + 1] != NULL)
      sgf_multiply(after, r, to, SGF_PLAIN, R[l + 1], SGF_PLAIN, above, moved);
    else
      memcpy(moved, above, to * r * sizeof *moved);
    sgf_multiply(N, r, after, SGF_TRANSPOSED, problem->theta + network->offsets[l + 1], SGF_PLAIN, moved, also);
    for (size_t k = 0; k < N * r; k++) overlap[k] += also[k];
  }
  sgf_status status = sgf_thin_svd(N, r, overlap, U, d, Vt, "the overlap of the hidden units", error);
  if (status == SGF_OK) sgf_multiply(N, r, r, SGF_PLAIN, U, SGF_PLAIN, Vt, R[l]);
  return status;
}

/* W_l = R_l V_l R_{l-1}^T. */
static void put(const sgf_network *network, const sgf_network *units, const double *theta, double *const *R,
                double *work, double *placed)
{
  for (size_t l = 1; l <= network->layers; l++) {
    size_t to = units->widths[l], from = units->widths[l - 1];
    const double *V = theta + units->offsets[l];
    double *W = placed + network->offsets[l];
    if (R[l] != NULL)
      sgf_multiply(network->widths[l], from, to, SGF_PLAIN, R[l], SGF_PLAIN, V, work);
    else
      memcpy(work, V, to * from * sizeof *work);
    if (R[l - 1] != NULL)
      sgf_multiply(network->widths[l], network->widths[l - 1], from, SGF_PLAIN, work, SGF_TRANSPOSED, R[l - 1], W);
    else
      memcpy(W, work, network->widths[l] * from * sizeof *W);
  }
}

/* theta* <- the weights of the units, turned next to it: one hidden layer after the other, the others given. */
static sgf_status place(sgf_problem *problem, const sgf_network *units, const double *theta, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  size_t L = network->layers, r = units->widths[1], most = 0;
  double **R = NULL, *block = NULL;
  void *pointers = NULL;
  sgf_status status;
  for (size_t l = 0; l <= L; l++) most = network->widths[l] > most ? network->widths[l] : most;
  SGF_TRY(sgf_allocate(&pointers, L + 1, 1, sizeof *R, "balanced weights", error));
  R = pointers;
  SGF_TRY(sgf_new_reals(&block, most, 6 * most + 1, "balanced weights", error));
  for (size_t l = 1; l < L; l++) SGF_TRY(sgf_new_reals(&R[l], network->widths[l], r, "balanced weights", error));
  for (size_t l = 1; l < L; l++) SGF_TRY(turn(problem, units, theta, l, R, l + 1 == L, block, error));
  for (size_t sweep = 0; sweep < SWEEPS_OF_TURNS && L > 2; sweep++)
    for (size_t l = 1; l < L; l++) SGF_TRY(turn(problem, units, theta, l, R, true, block, error));
  put(network, units, theta, R, block, problem->theta);
done:
  for (size_t l = 1; l < L && R != NULL; l++) free(R[l]);
  free(pointers);
  free(block);
  return status;
}

sgf_status sgf_go_to_balance(sgf_problem *problem, sgf_error *error)
{
  sgf_minimum_certificate descent = problem->certificate;
  sgf_network units = {0};
  double *theta = NULL;
  sgf_status status;
  SGF_TRY(balanced_units(problem, &units, &theta, error));
  if (problem->settings.network.start == SGF_START_NOISE_BALANCED)
    SGF_TRY(to_noise_balance(problem, &units, theta, error));
  SGF_TRY(place(problem, &units, theta, error));
  SGF_TRY(sgf_certify(&problem->network, &problem->data, 0.0, problem->theta, &problem->certificate, error));
  problem->certificate.flow_time = descent.flow_time;
  problem->certificate.balance_error = descent.balance_error;
  SGF_TRY(sgf_refuse_saddle(&problem->certificate, error));
done:
  sgf_network_free(&units);
  free(theta);
  return status;
}
