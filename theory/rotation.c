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

sgf_status sgf_motion_set_covariance(sgf_motion *motion, const sgf_range *range, const double *Sigma,
                                     sgf_error *error)
{
  sgf_status status = sgf_into_range(range, Sigma, motion->S, error);
  if (status == SGF_OK) spread_rows(motion);
  return status;
}

void sgf_motion_free(sgf_motion *motion)
{
  free(motion->h);
  free(motion->S);
  free(motion->rows);
  free(motion->spread);
  free(motion->swept);
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
  if (motion->swept != NULL) return contract_once(motion, motion->swept, count, modes, drift, error);
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
      X[i * rank + j] = motion->swept != NULL ? time * motion->swept[i * rank + j]
                                              : motion->h[i] * motion->S[i * rank + j] * (time - held / sum);
    }
  status = contract_once(motion, X, count, modes, mean, error);
  free(X);
  return status;
}

/* ---------------------------------------------------------------- covariance */

double sgf_lags_time(const sgf_lags *lags)
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
  if (one * K < SHORT) return s * sgf_lags_time(lags) - 0.5 * one * one * (K * K - 1.0) / 12.0;
  double y = -expm1(-one), x = 1.0 - y;
  double powers = K / y + x * expm1(-one * K) / (y * y); /* sum_{m<K} (K - m) x^m, m = 0 included */
  return (0.5 * K * (K - 1.0) - (powers - K)) / (K * K);
}

/* Which u a pair of modes has. */
enum { TWO_ROTATIONS, TWO_SCALINGS, MIXED, PAIRINGS };

/* The u of each pairing, (r, r), for sums over the triangle i >= j: twice below the diagonal, zero above. */
static void fill_weights(const sgf_motion *motion, const sgf_lags *lags, double *weights)
{
  size_t rank = motion->rank;
  double time = sgf_lags_time(lags);
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j <= i; j++) {
      double h = motion->h[i], other = motion->h[j], sum = h + other, ratio = (h - other) / sum;
      double held = 0.5 * saturation(lags, sum), times = i == j ? 1.0 : 2.0;
      double *u = weights + i * rank + j;
      u[TWO_ROTATIONS * rank * rank] = times * (2.0 * h * other / sum * time + ratio * ratio * held);
      u[TWO_SCALINGS * rank * rank] = times * held;
      u[MIXED * rank * rank] = times * ratio * held;
    }
}

/* Rows `first` ... first + height - 1 of the triangles i >= j of all modes at once, and the columns j < width that these
 * have. N_a and S N_a S are symmetric or antisymmetric as the generator is, and so is u: the triangle is all. */
typedef struct {
  sgf_panel at;
  double *one;    /* (height, width), N_a of one mode */
  double *alike;  /* (count, height, width), u N_a with the u for modes of its own kind */
  double *mixed;  /* the same with the other u; NULL where all modes are of one kind */
  double *turned; /* (count, height, width), S N_a S */
} panel;

/* Numbers of a panel of all modes, at most, unless one row has more. */
enum { PANEL_NUMBERS = 1 << 21 };

size_t sgf_panel_height(size_t rank, size_t count)
{
  size_t height = PANEL_NUMBERS / (count * rank);
  return height < 1 ? 1 : height < rank ? height : rank;
}

/* block (height, width) = times * block + sign * sum_k s_k L_ik^T R_jk: the weights of unit i with those of unit j, L and R
 * their rows of `left` and `right` (n, r), s_k the mode's signs. */
static void add_units(const sgf_motion *motion, const double *left, const double *right, const sgf_mode *mode,
                      size_t i, size_t j, double sign, double times, const sgf_panel *of, double *block)
{
  const sgf_network *network = motion->network;
  size_t below = network->widths[mode->hidden - 1], size = sgf_unit_size(network, mode->hidden), rank = motion->rank;
  const size_t begin[] = {0, below, size}, leading[] = {rank, network->widths[mode->hidden] * rank};
  for (int part = 0; part < 2; part++) { /* into the unit, and out of it */
    const double *one = left + sgf_unit_weight(network, mode->hidden, i, begin[part]) * rank + of->first;
    const double *other = right + sgf_unit_weight(network, mode->hidden, j, begin[part]) * rank;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)of->height, (int)of->width,
                (int)(begin[part + 1] - begin[part]), sign * sgf_unit_sign(network, mode, begin[part]), one,
                (int)leading[part], other, (int)leading[part], part == 0 ? times : 1.0, block, (int)of->width);
  }
}

void sgf_mode_in_range(const sgf_motion *motion, const double *left, const double *right, const sgf_mode *mode,
                       const sgf_panel *of, double *block)
{
  add_units(motion, left, right, mode, mode->i, mode->j, 1.0, 0.0, of, block);
  if (mode->i != mode->j)
    add_units(motion, left, right, mode, mode->j, mode->i, mode->rotation ? -1.0 : 1.0, 1.0, of, block);
}

/* product (height, width) = u o N. */
static void weigh(size_t rank, const double *u, const panel *of, double *product)
{
  const sgf_panel *at = &of->at;
  for (size_t i = 0; i < at->height; i++)
    for (size_t j = 0; j < at->width; j++)
      product[i * at->width + j] = u[(at->first + i) * rank + j] * of->one[i * at->width + j];
}

sgf_panel sgf_panel_at(size_t rank, size_t height, size_t first)
{
  size_t here = height < rank - first ? height : rank - first;
  return (sgf_panel){first, here, first + here};
}

static void fill_panel(const sgf_motion *motion, const double *weights, size_t count, const sgf_mode *modes,
                       panel *of)
{
  size_t rank = motion->rank, square = rank * rank, length = of->at.height * of->at.width;
  for (size_t a = 0; a < count; a++) {
    sgf_mode_in_range(motion, motion->rows, motion->rows, &modes[a], &of->at, of->one);
    weigh(rank, weights + (modes[a].rotation ? TWO_ROTATIONS : TWO_SCALINGS) * square, of, of->alike + a * length);
    if (of->mixed != NULL) weigh(rank, weights + MIXED * square, of, of->mixed + a * length);
    sgf_mode_in_range(motion, motion->spread, motion->spread, &modes[a], &of->at, of->turned + a * length);
  }
}

/* Runs of modes of one kind, so that each has one u with another mode. */
static size_t same_kind(size_t count, const sgf_mode *modes)
{
  size_t length = 1;
  while (length < count && modes[length].rotation == modes[0].rotation) length++;
  return length;
}

/* W (count, count) += the panel's part of sum_ij u_ij (N_a)_ij (S N_b S)_ij. */
static void add_panel(size_t count, const sgf_mode *modes, const panel *of, double *W)
{
  size_t inner = of->at.height * of->at.width;
  for (size_t a = 0, rows; a < count; a += rows) {
    rows = same_kind(count - a, modes + a);
    for (size_t b = 0, columns; b < count; b += columns) {
      columns = same_kind(count - b, modes + b);
      const double *weighted = modes[a].rotation == modes[b].rotation ? of->alike : of->mixed;
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)columns, (int)inner, 1.0,
                  weighted + a * inner, (int)inner, of->turned + b * inner, (int)inner, 1.0, W + a * count + b,
                  (int)count);
    }
  }
}

static sgf_status panel_create(size_t rank, size_t count, const sgf_mode *modes, panel *made, sgf_error *error)
{
  size_t height = sgf_panel_height(rank, count);
  sgf_status status;
  *made = (panel){.at = {0, height, rank}};
  SGF_TRY(sgf_new_reals(&made->one, height, rank, "mode of the symmetry", error));
  SGF_TRY(sgf_new_reals(&made->alike, count, height * rank, "modes of the symmetry", error));
  SGF_TRY(sgf_new_reals(&made->turned, count, height * rank, "modes of the symmetry", error));
  if (same_kind(count, modes) < count)
    SGF_TRY(sgf_new_reals(&made->mixed, count, height * rank, "modes of the symmetry", error));
done:
  return status;
}

static void panel_free(panel *made)
{
  free(made->one);
  free(made->alike);
  free(made->mixed);
  free(made->turned);
}

/* Every PARTS-th panel from number `part` on, into W (count, count). */
enum { PARTS = 2 };
static sgf_status add_panels(const sgf_motion *motion, const double *weights, size_t count, const sgf_mode *modes,
                             size_t part, double *W)
{
  size_t rank = motion->rank, height;
  panel of = {0};
  sgf_status status;
  SGF_TRY(panel_create(rank, count, modes, &of, NULL));
  height = of.at.height;
  for (size_t first = part * height; first < rank; first += PARTS * height) {
    of.at = sgf_panel_at(rank, height, first);
    fill_panel(motion, weights, count, modes, &of);
    add_panel(count, modes, &of, W);
  }
done:
  panel_free(&of);
  return status;
}

/* The parts have sums of their own, always as many of them, so that the bits are those of any number of threads. */
sgf_status sgf_motion_covariance(const sgf_motion *motion, const sgf_lags *lags, size_t count, const sgf_mode *modes,
                                 double *covariance, sgf_error *error)
{
  size_t rank = motion->rank, square = count * count;
  double *weights = NULL, *sums = NULL;
  sgf_status status = SGF_OK, made[PARTS] = {SGF_OK};
  memset(covariance, 0, square * sizeof *covariance);
  if (count == 0 || rank == 0) return SGF_OK;
  SGF_TRY(sgf_new_reals(&weights, PAIRINGS * rank, rank, "weights of the modes", error));
  SGF_TRY(sgf_new_reals(&sums, PARTS, square, "modes of the symmetry", error));
  fill_weights(motion, lags, weights);
#pragma omp parallel for schedule(static, 1)
  for (size_t part = 0; part < PARTS; part++)
    made[part] = add_panels(motion, weights, count, modes, part, sums + part * square);
  for (size_t part = 0; part < PARTS; part++)
    if (made[part] != SGF_OK) SGF_TRY(sgf_fail(error, made[part], "no memory for %zu modes of the symmetry", count));
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b <= a; b++) {
      double sum = 0.0;
      for (size_t part = 0; part < PARTS; part++)
        sum += sums[part * square + a * count + b] + sums[part * square + b * count + a];
      covariance[a * count + b] = covariance[b * count + a] = sum;
    }
done:
  if (status != SGF_OK) sgf_fill_nan(square, covariance);
  free(weights);
  free(sums);
  return status;
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

double sgf_motion_cost(const sgf_network *network, size_t rank, size_t count)
{
  double r = (double)rank, modes = (double)count;
  return modes * r * r * (0.5 * modes + 2.0 * (double)largest_unit(network));
}
