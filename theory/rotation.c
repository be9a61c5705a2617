/* Motion along the symmetry of the hidden layers that fluctuations on range(H) make. */
#include "rotation.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"

/* Below this the saturation 1 - exp(-s t) over a window is taken from its series. */
static const double SHORT = 1e-4;

/* ------------------------------------------------------------- create, free */

static sgf_status create(const sgf_network *network, const sgf_fluctuations *fluctuations, sgf_motion *motion,
                         sgf_error *error)
{
  const sgf_range *range = &fluctuations->range;
  size_t n = range->n, rank = range->rank, null = n - rank;
  sgf_status status;
  *motion = (sgf_motion){.network = network, .rank = rank};
  SGF_TRY(sgf_new_reals(&motion->h, rank, 1, "rates", error));
  SGF_TRY(sgf_new_reals(&motion->S, rank, rank, "covariance in the modes of H", error));
  SGF_TRY(sgf_new_reals(&motion->rows, n, rank, "range of H", error));
  SGF_TRY(sgf_new_reals(&motion->spread, n, rank, "range of H", error));
  memcpy(motion->h, range->h + null, rank * sizeof *motion->h);
  for (size_t i = 0; i < rank; i++) {
    for (size_t p = 0; p < n; p++) motion->rows[p * rank + i] = range->V[(null + i) * n + p];
    for (size_t j = 0; j < rank; j++)
      motion->S[i * rank + j] = fluctuations->noise[(null + i) * n + null + j] / (motion->h[i] + motion->h[j]);
  }
  sgf_symmetrize(rank, motion->S);
done:
  return status;
}

static void spread_rows(sgf_motion *motion)
{
  size_t rank = motion->rank;
  sgf_multiply(motion->network->weights, rank, rank, SGF_PLAIN, motion->rows, SGF_PLAIN, motion->S, motion->spread);
}

sgf_status sgf_motion_create(const sgf_network *network, const sgf_fluctuations *fluctuations, sgf_motion *motion,
                             sgf_error *error)
{
  sgf_status status = create(network, fluctuations, motion, error);
  if (status == SGF_OK)
    spread_rows(motion);
  else
    sgf_motion_free(motion);
  return status;
}

sgf_status sgf_motion_create_window(const sgf_problem *problem, const sgf_fluctuations *fluctuations,
                                    const sgf_plan *plan, sgf_motion *motion, sgf_error *error)
{
  double step = sgf_time_of_step(&problem->settings), first = (double)(plan->burn_in_steps + plan->stride);
  double stride = (double)plan->stride, count = (double)(plan->window_steps / plan->stride);
  sgf_status status = create(&problem->network, fluctuations, motion, error);
  if (status != SGF_OK) {
    sgf_motion_free(motion);
    return status;
  }
  for (size_t i = 0; i < motion->rank; i++)
    for (size_t j = 0; j < motion->rank; j++)
      motion->S[i * motion->rank + j] *=
          sgf_relaxed_share(step, false, motion->h[i], motion->h[j], first, stride, count);
  spread_rows(motion);
  return SGF_OK;
}

void sgf_motion_free(sgf_motion *motion)
{
  free(motion->h);
  free(motion->S);
  free(motion->rows);
  free(motion->spread);
  memset(motion, 0, sizeof *motion);
}

/* --------------------------------------------------------------- contraction */

/* The weights that a set of modes is about: the two layers next to each hidden layer among them. */
static void weights_of(const sgf_network *network, size_t count, const sgf_mode *modes, size_t *first, size_t *end)
{
  size_t least = modes[0].hidden, most = modes[0].hidden;
  for (size_t a = 1; a < count; a++) {
    least = modes[a].hidden < least ? modes[a].hidden : least;
    most = modes[a].hidden > most ? modes[a].hidden : most;
  }
  *first = network->offsets[least];
  *end = network->offsets[most + 2];
}

/* values (count): sum_pq (N_a)_pq R_p X R_q^T with the rows R of `rows` (n, r), X (r, r); `turned` (n, r) is room. */
static void contract(const sgf_motion *motion, const double *rows, const double *X, size_t count,
                     const sgf_mode *modes, double *turned, double *values)
{
  const sgf_network *network = motion->network;
  size_t rank = motion->rank, first, end;
  weights_of(network, count, modes, &first, &end);
  sgf_multiply(end - first, rank, rank, SGF_PLAIN, rows + first * rank, SGF_TRANSPOSED, X, turned + first * rank);
  for (size_t a = 0; a < count; a++) {
    const sgf_mode *mode = &modes[a];
    size_t size = sgf_unit_size(network, mode->hidden);
    double sum = 0.0;
    for (size_t k = 0; k < size; k++) {
      size_t p = sgf_unit_weight(network, mode->hidden, mode->i, k) * rank;
      size_t q = sgf_unit_weight(network, mode->hidden, mode->j, k) * rank;
      double value = sgf_dot(rank, rows + p, turned + q);
      if (p != q) value += (mode->rotation ? -1.0 : 1.0) * sgf_dot(rank, rows + q, turned + p);
      sum += sgf_unit_sign(network, mode, k) * value;
    }
    values[a] = sum;
  }
}

static sgf_status contract_once(const sgf_motion *motion, const double *X, size_t count, const sgf_mode *modes,
                                double *values, sgf_error *error)
{
  double *turned;
  sgf_status status = sgf_new_reals(&turned, motion->network->weights, motion->rank, "range of H", error);
  if (status == SGF_OK && count > 0) contract(motion, motion->rows, X, count, modes, turned, values);
  if (status != SGF_OK) sgf_fill_nan(count, values);
  free(turned);
  return status;
}

/* ---------------------------------------------------------------------- mean */

sgf_status sgf_motion_drift(const sgf_motion *motion, size_t count, const sgf_mode *modes, double *drift,
                            sgf_error *error)
{
  size_t rank = motion->rank;
  double *X;
  sgf_status status = sgf_new_reals(&X, rank, rank, "drift along the symmetry", error);
  if (status != SGF_OK) return status;
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j < rank; j++) X[i * rank + j] = motion->h[i] * motion->S[i * rank + j];
  status = contract_once(motion, X, count, modes, drift, error);
  free(X);
  return status;
}

sgf_status sgf_motion_mean(const sgf_motion *motion, double time, size_t count, const sgf_mode *modes, double *mean,
                           sgf_error *error)
{
  size_t rank = motion->rank;
  double *X;
  sgf_status status = sgf_new_reals(&X, rank, rank, "mean along the symmetry", error);
  if (status != SGF_OK) return status;
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j < rank; j++) {
      double sum = motion->h[i] + motion->h[j], held = -expm1(-sum * time);
      X[i * rank + j] = motion->h[i] * motion->S[i * rank + j] * (time - held / sum);
    }
  status = contract_once(motion, X, count, modes, mean, error);
  free(X);
  return status;
}

/* ---------------------------------------------------------------- covariance */

/* Mean over the pairs of snapshots of the time between them. */
static double mean_time(const sgf_lags *lags)
{
  double K = lags->snapshots;
  if (K == 0.0) return 1.0;
  return K == 1.0 ? lags->spacing : lags->spacing * (K * K - 1.0) / (6.0 * K);
}

/* Of 1 - exp(-s t) likewise: (1/K^2) sum_{m<K} (K - m) (1 - x^m), x = exp(-s spacing). */
static double saturation(const sgf_lags *lags, double s)
{
  double K = lags->snapshots, one = s * lags->spacing;
  if (K == 0.0) return 0.0;
  if (K == 1.0) return -expm1(-one);
  if (one * K < SHORT) return s * mean_time(lags) - 0.5 * one * one * (K * K - 1.0) / 12.0;
  double y = -expm1(-one), x = 1.0 - y;
  double powers = K / y + x * expm1(-one * K) / (y * y); /* sum_{m<K} (K - m) x^m, m = 0 included */
  return (0.5 * K * (K - 1.0) - (powers - K)) / (K * K);
}

/* u of two rotations (0), two scalings (1), a rotation and a scaling (2), each (r, r). */
static void fill_weights(const sgf_motion *motion, const sgf_lags *lags, double *weights)
{
  size_t rank = motion->rank;
  double time = mean_time(lags);
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j < rank; j++) {
      double h = motion->h[i], other = motion->h[j], sum = h + other, ratio = (h - other) / sum;
      double held = 0.5 * saturation(lags, sum);
      double *u = weights + i * rank + j;
      u[0] = 2.0 * h * other / sum * time + ratio * ratio * held;
      u[rank * rank] = held;
      u[2 * rank * rank] = ratio * held;
    }
}

/* The components (size, r) of one unit's weights, with the signs that a mode gives them. */
static void gather(const sgf_motion *motion, const sgf_mode *mode, size_t unit, bool with_sign, double *block)
{
  size_t rank = motion->rank, size = sgf_unit_size(motion->network, mode->hidden);
  for (size_t k = 0; k < size; k++) {
    const double *row = motion->rows + sgf_unit_weight(motion->network, mode->hidden, unit, k) * rank;
    double sign = with_sign ? sgf_unit_sign(motion->network, mode, k) : 1.0;
    for (size_t i = 0; i < rank; i++) block[k * rank + i] = sign * row[i];
  }
}

/* N_a in the modes of H, (r, r), of which `blocks` (2, size, r) is room. */
static void mode_in_range(const sgf_motion *motion, const sgf_mode *mode, double *blocks, double *N)
{
  size_t rank = motion->rank, size = sgf_unit_size(motion->network, mode->hidden);
  gather(motion, mode, mode->i, true, blocks);
  gather(motion, mode, mode->j, false, blocks + size * rank);
  sgf_multiply(rank, rank, size, SGF_TRANSPOSED, blocks, SGF_PLAIN, blocks + size * rank, N);
  if (mode->i == mode->j) return;
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j <= i; j++) {
      double forth = N[i * rank + j], back = N[j * rank + i];
      N[i * rank + j] = mode->rotation ? forth - back : forth + back;
      N[j * rank + i] = mode->rotation ? back - forth : forth + back;
    }
}

/* Runs of modes of one kind, so that each has one weight with another mode. */
static size_t same_kind(size_t count, const sgf_mode *modes)
{
  size_t length = 1;
  while (length < count && modes[length].rotation == modes[0].rotation) length++;
  return length;
}

static const double *weight_of(size_t rank, const double *weights, bool rotation, bool other)
{
  size_t which = rotation != other ? 2 : rotation ? 0 : 1;
  return weights + which * rank * rank;
}

/* Row a of W: sum_ij u_ij (N_a)_ij (S N_b S)_ij for all b. */
static void fill_row(const sgf_motion *motion, const double *weights, size_t count, const sgf_mode *modes, size_t a,
                     double *N, double *room, double *row)
{
  size_t rank = motion->rank;
  double *weighted = room, *turned = room + rank * rank;
  for (size_t b = 0, length; b < count; b += length) {
    length = same_kind(count - b, modes + b);
    const double *u = weight_of(rank, weights, modes[a].rotation, modes[b].rotation);
    for (size_t k = 0; k < rank * rank; k++) weighted[k] = u[k] * N[k];
    contract(motion, motion->spread, weighted, length, modes + b, turned, row + b);
  }
}

static size_t largest_unit(const sgf_network *network)
{
  size_t size = 0;
  for (size_t l = 1; l < network->layers; l++) {
    size_t here = sgf_unit_size(network, l);
    size = here > size ? here : size;
  }
  return size;
}

sgf_status sgf_motion_covariance(const sgf_motion *motion, const sgf_lags *lags, size_t count, const sgf_mode *modes,
                                 double *covariance, sgf_error *error)
{
  size_t rank = motion->rank, n = motion->network->weights;
  double *weights = NULL, *N = NULL, *blocks = NULL, *room = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&weights, 3 * rank, rank, "weights of the modes", error));
  SGF_TRY(sgf_new_reals(&N, rank, rank, "mode of the symmetry", error));
  SGF_TRY(sgf_new_reals(&blocks, 2 * largest_unit(motion->network), rank, "mode of the symmetry", error));
  SGF_TRY(sgf_new_reals(&room, rank + n, rank, "mode of the symmetry", error));
  fill_weights(motion, lags, weights);
  for (size_t a = 0; a < count; a++) {
    mode_in_range(motion, &modes[a], blocks, N);
    fill_row(motion, weights, count, modes, a, N, room, covariance + a * count);
  }
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b <= a; b++) {
      double sum = covariance[a * count + b] + covariance[b * count + a];
      covariance[a * count + b] = covariance[b * count + a] = sum;
    }
done:
  if (status != SGF_OK) sgf_fill_nan(count * count, covariance);
  free(weights);
  free(N);
  free(blocks);
  free(room);
  return status;
}

double sgf_motion_cost(const sgf_network *network, size_t rank, size_t count)
{
  double r = (double)rank, modes = (double)count;
  return modes * r * ((double)network->weights * r + modes * (double)largest_unit(network));
}
