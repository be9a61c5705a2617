/* Covariance of linear fluctuations about theta*: of all weights, or of one layer with the others frozen. */
#include "covariance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "epoch.h"
#include "heavy_ball.h"
#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"

/* Noise of a mode up to this, relative to the most, is round-off. */
static const double SILENT = 1e-13;

sgf_status sgf_fluctuations_create(sgf_range *range, const double *C, double scale, sgf_fluctuations *fluctuations,
                                   sgf_error *error)
{
  size_t n = range->n;
  double *work = NULL;
  sgf_status status;
  *fluctuations = (sgf_fluctuations){*range, NULL};
  memset(range, 0, sizeof *range);
  SGF_TRY(sgf_new_reals(&fluctuations->noise, n, n, "noise in the modes of H", error));
  SGF_TRY(sgf_new_reals(&work, n, n, "noise in the modes of H", error));
  sgf_into_basis(n, fluctuations->range.V, C, work, fluctuations->noise);
  for (size_t k = 0; k < n * n; k++) fluctuations->noise[k] *= scale;
done:
  free(work);
  if (status != SGF_OK) sgf_fluctuations_free(fluctuations);
  return status;
}

/* The order: null modes, silent ones, those with noise. Returns how many are of the last kind. */
static size_t order_by_noise(const sgf_fluctuations *fluctuations, size_t *order)
{
  size_t n = fluctuations->range.n, null = n - fluctuations->range.rank, at = 0, kept = 0;
  double top = 0.0;
  for (size_t k = 0; k < n; k++) top = fmax(top, fluctuations->noise[k * (n + 1)]);
  for (size_t k = 0; k < n; k++) kept += k >= null && fluctuations->noise[k * (n + 1)] > SILENT * top;
  size_t last = n - kept;
  for (size_t k = 0; k < n; k++) {
    bool moves = k >= null && fluctuations->noise[k * (n + 1)] > SILENT * top;
    order[moves ? last++ : at++] = k;
  }
  return kept;
}

sgf_status sgf_set_silent_apart(sgf_fluctuations *fluctuations, sgf_error *error)
{
  sgf_range *range = &fluctuations->range;
  size_t n = range->n, null = n - range->rank, *order;
  double *V = NULL, *h = NULL, *noise = NULL;
  void *block;
  sgf_status status;
  SGF_TRY(sgf_allocate(&block, n, 1, sizeof *order, "modes with noise", error));
  order = block;
  size_t kept = order_by_noise(fluctuations, order);
  if (kept == 0) goto done;
  SGF_TRY(sgf_new_reals(&V, n, n, "modes with noise", error));
  SGF_TRY(sgf_new_reals(&h, n, 1, "modes with noise", error));
  SGF_TRY(sgf_new_reals(&noise, n, n, "modes with noise", error));
  for (size_t i = 0; i < n; i++) {
    memcpy(V + i * n, range->V + order[i] * n, n * sizeof *V);
    h[i] = range->h[order[i]];
    bool known = i < null || i >= n - kept;
    for (size_t j = 0; j < n && known; j++)
      if (j < null || j >= n - kept) noise[i * n + j] = fluctuations->noise[order[i] * n + order[j]];
  }
  free(range->V);
  free(range->h);
  free(fluctuations->noise);
  range->V = V;
  range->h = h;
  range->rank = kept;
  fluctuations->noise = noise;
  V = h = noise = NULL;
done:
  free(block);
  free(V);
  free(h);
  free(noise);
  return status;
}

void sgf_fluctuations_free(sgf_fluctuations *fluctuations)
{
  sgf_range_free(&fluctuations->range);
  free(fluctuations->noise);
  memset(fluctuations, 0, sizeof *fluctuations);
}

sgf_time sgf_configured_time(const sgf_settings *settings)
{
  bool heavy = settings->training.momentum > 0.0;
  if (settings->training.sampling == SGF_SAMPLING_EPOCH) return SGF_TIME_EPOCHS;
  if (settings->theory.equation == SGF_EQUATION_CONTINUUM) return heavy ? SGF_TIME_HEAVY_FLOW : SGF_TIME_CONTINUUM;
  return heavy ? SGF_TIME_HEAVY_BALL : SGF_TIME_DISCRETE;
}

size_t sgf_batches_of(const sgf_problem *problem)
{
  const sgf_settings *settings = &problem->settings;
  return settings->training.sampling == SGF_SAMPLING_EPOCH ? problem->data.samples / settings->training.batch_size
                                                           : 0;
}

sgf_epochs sgf_epochs_of(const sgf_problem *problem, const sgf_plan *plan)
{
  size_t batches = problem->data.samples / problem->settings.training.batch_size;
  if (plan == NULL) return (sgf_epochs){batches, 0, 0};
  return (sgf_epochs){batches, plan->burn_in_steps / batches, plan->window_steps / batches};
}

/* Out of the basis, in place, of an S (n, n) that is zero but on the range; work (n, n). */
static sgf_status leave_basis(const sgf_range *range, double *S, double *work, sgf_error *error)
{
  sgf_diagonal_block(range->n, S, range->n - range->rank, range->rank, work);
  return sgf_out_of_range(range, work, S, error);
}

/* In the modes, by an equation for draws that are independent in time. */
static sgf_status covariance_in_modes(const sgf_problem *problem, const sgf_fluctuations *fluctuations, sgf_time time,
                                      const sgf_plan *plan, double *S, sgf_error *error)
{
  const sgf_range *range = &fluctuations->range;
  double lambda = problem->settings.training.learning_rate, momentum = problem->settings.training.momentum;
  double step = sgf_time_of_step(&problem->settings), slow = 1.0;
  bool discrete = time == SGF_TIME_DISCRETE;
  size_t first = 0, stride = 1, count = 0;
  if (plan != NULL) {
    stride = plan->stride;
    first = plan->burn_in_steps + stride;
    count = plan->window_steps / stride;
  }
  if (time == SGF_TIME_HEAVY_BALL)
    return sgf_heavy_ball_covariance(range, lambda, momentum, fluctuations->noise, first, stride, count, S, error);
  if (time == SGF_TIME_HEAVY_FLOW) slow -= momentum;
  sgf_lyapunov(range, discrete ? lambda : 0.0, fluctuations->noise, S);
  if (plan != NULL)
    sgf_lyapunov_window(range, step / slow, discrete, (double)first, (double)stride, (double)count, S);
  for (size_t k = 0; k < range->n * range->n; k++) S[k] /= slow;
  return SGF_OK;
}

sgf_status sgf_covariance(const sgf_problem *problem, const sgf_fluctuations *fluctuations, sgf_time time,
                          const sgf_plan *plan, double *Sigma, sgf_error *error)
{
  size_t n = fluctuations->range.n;
  double *work = NULL;
  sgf_status status;
  if (time == SGF_TIME_EPOCHS) return sgf_covariance_of_epochs(problem, fluctuations, plan, Sigma, NULL, error);
  SGF_TRY(sgf_new_reals(&work, n, n, "covariance", error));
  SGF_TRY(covariance_in_modes(problem, fluctuations, time, plan, Sigma, error));
  status = leave_basis(&fluctuations->range, Sigma, work, error);
done:
  free(work);
  return status;
}

sgf_status sgf_covariance_of_epochs(const sgf_problem *problem, const sgf_fluctuations *fluctuations,
                                    const sgf_plan *plan, double *Sigma, double *ends, sgf_error *error)
{
  const sgf_range *range = &fluctuations->range;
  sgf_epochs run = sgf_epochs_of(problem, plan);
  double *work = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&work, range->n, range->n, "covariance", error));
  SGF_TRY(sgf_epoch_covariance(range, problem->settings.training.learning_rate, problem->settings.training.momentum,
                               run.batches, fluctuations->noise, run.skipped, run.counted, Sigma, ends, error));
  SGF_TRY(leave_basis(range, Sigma, work, error));
  if (ends != NULL) SGF_TRY(leave_basis(range, ends, work, error));
done:
  free(work);
  return status;
}

/* What the mean over K snapshots k = 0 ... K - 1 at steps `first` + k stride sees of modes i and j: with a the factor
 * of a mode from snapshot to snapshot and x the pair's factor over one step,
 *   cov_ij / S_ij = (1/K^2) sum_k (1 - x^{first + k stride}) [ 1 + g_i(k) + g_j(k) ],  g(k) = sum_{m=1}^{K-1-k} a^m. */
static double share_of_mean(size_t snapshots, const double *sums_i, const double *sums_j, double start, double factor)
{
  double total = 0.0, remembered = start;
  for (size_t k = 0; k < snapshots; k++, remembered *= factor)
    total += (1.0 - remembered) * (1.0 + sums_i[k] + sums_j[k]);
  return total / ((double)snapshots * (double)snapshots);
}

/* rows (modes, snapshots): g(k) of each mode of the range, and its factor over one step of time `step`. */
static void partial_sums(const sgf_range *range, double step, double stride, size_t snapshots, double *rows,
                         double *factors)
{
  size_t null = range->n - range->rank;
  for (size_t i = null; i < range->n; i++) {
    double one = exp(-step * range->h[i]), a = pow(one, stride);
    double *row = rows + (i - null) * snapshots;
    factors[i - null] = one;
    row[snapshots - 1] = 0.0;
    for (size_t k = snapshots - 1; k > 0; k--) row[k - 1] = a * (1.0 + row[k]);
  }
}

/* In the modes, in continuum time. */
static sgf_status continuum_of_mean(const sgf_fluctuations *fluctuations, double step, const sgf_plan *plan,
                                    double *S, sgf_error *error)
{
  const sgf_range *range = &fluctuations->range;
  size_t n = range->n, null = n - range->rank, snapshots = plan->window_steps / plan->stride;
  double stride = (double)plan->stride, first = (double)(plan->burn_in_steps + plan->stride);
  double *rows = NULL, *factors = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&rows, range->rank, snapshots, "covariance of the mean", error));
  SGF_TRY(sgf_new_reals(&factors, range->rank, 1, "covariance of the mean", error));
  sgf_lyapunov(range, 0.0, fluctuations->noise, S);
  partial_sums(range, step, stride, snapshots, rows, factors);
  for (size_t i = null; i < n; i++)
    for (size_t j = null; j <= i; j++) {
      double x = factors[i - null] * factors[j - null];
      S[i * n + j] *= share_of_mean(snapshots, rows + (i - null) * snapshots, rows + (j - null) * snapshots,
                                    pow(x, first), pow(x, stride));
      S[j * n + i] = S[i * n + j];
    }
done:
  free(rows);
  free(factors);
  return status;
}

sgf_status sgf_covariance_of_mean(const sgf_problem *problem, const sgf_fluctuations *fluctuations, sgf_time time,
                                  const sgf_plan *plan, double *Sigma, sgf_error *error)
{
  const sgf_range *range = &fluctuations->range;
  size_t n = range->n;
  double step = sgf_time_of_step(&problem->settings), momentum = problem->settings.training.momentum, *work = NULL;
  double slow = time == SGF_TIME_HEAVY_FLOW ? 1.0 - momentum : 1.0;
  sgf_status status;
  if (time == SGF_TIME_EPOCHS)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "training.sampling is epoch: the covariance of a window's mean is not built for it");
  SGF_TRY(sgf_new_reals(&work, n, n, "covariance of the mean", error));
  if (time == SGF_TIME_DISCRETE || time == SGF_TIME_HEAVY_BALL)
    SGF_TRY(sgf_heavy_ball_mean_covariance(range, problem->settings.training.learning_rate,
                                           time == SGF_TIME_DISCRETE ? 0.0 : momentum, fluctuations->noise,
                                           plan->burn_in_steps + plan->stride, plan->stride,
                                           plan->window_steps / plan->stride, Sigma, error));
  else
    SGF_TRY(continuum_of_mean(fluctuations, step / slow, plan, Sigma, error));
  for (size_t k = 0; k < n * n && slow < 1.0; k++) Sigma[k] /= slow;
  status = leave_basis(range, Sigma, work, error);
done:
  free(work);
  return status;
}
