/* The covariance operator in the modes of H: what runs of finite length show of it, range(H), drift, eigenvectors. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "covariance_operator.h"
#include "heavy_ball.h"
#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"

/* The rows v of the layer in the modes of H, Y (count, blocks size). Allocated here. */
static sgf_status into_modes(const sgf_covariance_operator *covariance, size_t layer, size_t count, const double *v,
                             double **Y, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  sgf_status status;
  SGF_TRY(sgf_new_reals(Y, count, space->blocks * space->size, "changes of the map", error));
  SGF_TRY(sgf_reduced_push(space, layer, count, v, *Y, error));
  SGF_TRY(sgf_reduced_into_modes(space, count, *Y, error));
done:
  return status;
}

/* Whether runs of a plan are of steps with momentum. */
static bool is_heavy(const sgf_covariance_operator *covariance, const sgf_plan *plan)
{
  return plan != NULL && covariance->modes.momentum > 0.0;
}

/* The steps of the plan's snapshots by modes of the rates k (count), with momentum. */
static void powers_of(const sgf_covariance_operator *covariance, const sgf_plan *plan, size_t count, const double *k,
                      sgf_mode_powers *powers)
{
  for (size_t m = 0; m < count; m++)
    if (k[m] > 0.0)
      sgf_heavy_ball_powers(covariance->rate, covariance->modes.momentum, k[m], plan->burn_in_steps + plan->stride,
                            plan->stride, plan->window_steps / plan->stride, &powers[m]);
}

/* What of modes of rates k and l has relaxed on average over the plan's snapshots, without momentum. */
static double relaxed(const sgf_covariance_operator *covariance, const sgf_plan *plan, double k, double l)
{
  if (plan == NULL) return 1.0;
  return sgf_relaxed_share(covariance->rate, covariance->modes.lambda > 0.0, k, l,
                           (double)(plan->burn_in_steps + plan->stride), (double)plan->stride,
                           (double)(plan->window_steps / plan->stride));
}

/* Z_kl times what of it has relaxed on average over the plan's snapshots; powers, with momentum, of the modes of block i and,
 * behind them, j. */
static void relax_block(const sgf_covariance_operator *covariance, const sgf_plan *plan, size_t i, size_t j,
                        const sgf_mode_powers *powers, double *Z)
{
  const sgf_reduced *space = covariance->space;
  size_t size = space->size;
  const double *rows = space->k + i * size, *columns = space->k + j * size;
  for (size_t k = 0; k < size; k++)
    for (size_t l = 0; l < size; l++)
      if (Z[k * size + l] != 0.0)
        Z[k * size + l] *= powers != NULL ? sgf_heavy_ball_share(&powers[k], &powers[size + l])
                                          : relaxed(covariance, plan, rows[k], columns[l]);
}

/* second += Y_i Z_ij Y_j^T; Z (size, size), work (count, size). */
static void add_block(const sgf_reduced *space, size_t count, const double *Y, size_t i, size_t j, const double *Z,
                      double *work, double *second)
{
  int size = (int)space->size, whole = (int)(space->blocks * space->size), rows = (int)count;
  const double *left = Y + i * space->size, *right = Y + j * space->size;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, size, size, 1.0, left, whole, Z, size, 0.0, work,
              size);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, rows, size, i == j ? 1.0 : 2.0, work, size, right, whole,
              1.0, second, rows);
}

sgf_status sgf_covariance_operator_window(const sgf_covariance_operator *covariance, const sgf_plan *plan,
                                          size_t count, const double *v, double *second, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  bool separate = covariance->modes.kind == SGF_MODES_SEPARATE;
  double *Y = NULL, *Z = NULL, *work = NULL;
  void *powers = NULL;
  sgf_status status;
  memset(second, 0, count * count * sizeof *second);
  if (is_heavy(covariance, plan))
    SGF_TRY(sgf_allocate(&powers, 2, space->size, sizeof(sgf_mode_powers), "powers of the modes' steps", error));
  SGF_TRY(into_modes(covariance, 0, count, v, &Y, error));
  SGF_TRY(sgf_new_reals(&Z, space->size, space->size, "block of the covariance", error));
  SGF_TRY(sgf_new_reals(&work, count, space->size, "block of the covariance", error));
  for (size_t i = 0; i < space->blocks; i++) {
    sgf_mode_powers *of_rows = powers;
    if (powers != NULL) powers_of(covariance, plan, space->size, space->k + i * space->size, of_rows);
    for (size_t j = separate ? i : 0; j <= i; j++) {
      if (powers != NULL) powers_of(covariance, plan, space->size, space->k + j * space->size, of_rows + space->size);
      sgf_mode_covariance_block(&covariance->modes, i, j, Z);
      if (plan != NULL) relax_block(covariance, plan, i, j, powers, Z);
      add_block(space, count, Y, i, j, Z, work, second);
    }
  }
  sgf_symmetrize(count, second); /* of blocks i > j twice one half is the two of them */
done:
  if (status != SGF_OK) sgf_fill_nan(count * count, second);
  free(Y);
  free(Z);
  free(work);
  free(powers);
  return status;
}

sgf_status sgf_covariance_operator_window_trace(const sgf_covariance_operator *covariance, const sgf_plan *plan,
                                                double *trace, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t whole = space->blocks * space->size;
  double *z;
  sgf_status status = sgf_new_reals(&z, whole, 1, "covariance in the modes", error);
  *trace = status == SGF_OK ? 0.0 : NAN;
  if (status == SGF_OK) sgf_mode_covariance_diagonal(&covariance->modes, z);
  for (size_t m = 0; m < whole && status == SGF_OK; m++) {
    double k = space->k[m], share = 1.0;
    sgf_mode_powers powers;
    if (!(k > 0.0)) continue;
    if (is_heavy(covariance, plan)) {
      powers_of(covariance, plan, 1, &k, &powers);
      share = sgf_heavy_ball_share(&powers, &powers);
    } else {
      share = relaxed(covariance, plan, k, k);
    }
    *trace += k * z[m] * share;
  }
  free(z);
  return status;
}

sgf_status sgf_covariance_operator_on_range(const sgf_covariance_operator *covariance, size_t layer, size_t count,
                                            const double *v, double *out, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t whole = space->blocks * space->size;
  double *Y = NULL;
  sgf_status status;
  SGF_TRY(into_modes(covariance, layer, count, v, &Y, error));
  for (size_t c = 0; c < count; c++)
    for (size_t k = 0; k < whole; k++) Y[c * whole + k] *= space->k[k] > 0.0 ? 1.0 / space->k[k] : 0.0;
  SGF_TRY(sgf_reduced_out_of_modes(space, count, Y, error));
  SGF_TRY(sgf_reduced_pull(space, 0, count, Y, out, error));
done:
  free(Y);
  return status;
}

sgf_status sgf_covariance_operator_drift(const sgf_covariance_operator *covariance, size_t count, const double *v,
                                         double *drift, sgf_error *error)
{
  const sgf_reduced *space = &covariance->drift;
  size_t whole = space->blocks * space->size;
  double *Y;
  sgf_status status = sgf_new_reals(&Y, count, whole, "changes of the map", error);
  if (status == SGF_OK) status = sgf_reduced_push(space, 0, count, v, Y, error);
  if (status == SGF_OK) sgf_multiply(count, count, whole, SGF_PLAIN, Y, SGF_TRANSPOSED, Y, drift);
  if (status == SGF_OK) sgf_symmetrize(count, drift);
  free(Y);
  return status;
}

sgf_status sgf_covariance_operator_modes(const sgf_covariance_operator *covariance, size_t count,
                                         const size_t *places, double *vectors, sgf_error *error)
{
  const sgf_reduced *space = covariance->space;
  size_t whole = space->blocks * space->size;
  double *Y;
  sgf_status status = sgf_new_reals(&Y, count, whole, "changes of the map", error);
  for (size_t c = 0; c < count && status == SGF_OK; c++) Y[c * whole + places[c]] = 1.0 / sqrt(space->k[places[c]]);
  if (status == SGF_OK) status = sgf_reduced_out_of_modes(space, count, Y, error);
  if (status == SGF_OK) status = sgf_reduced_pull(space, 0, count, Y, vectors, error);
  free(Y);
  return status;
}
