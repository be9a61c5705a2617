/* Motion along the symmetry of the hidden layers with heavy-ball momentum, and in reshuffled epochs. */
#include "rotation_momentum.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "epoch.h"
#include "epoch_diffusion.h"
#include "linear_algebra.h"
#include "memory.h"

/* -------------------------------------------------------------------- create */

/* In reshuffled epochs: the drift over the plan's epochs; S is that of independent draws. */
static sgf_status set_swept(const sgf_problem *problem, const sgf_fluctuations *fluctuations, const sgf_plan *plan,
                            sgf_motion *motion, sgf_error *error)
{
  const sgf_epochs run = sgf_epochs_of(problem, plan);
  double momentum = problem->settings.training.momentum;
  sgf_status status = sgf_new_reals(&motion->swept, motion->rank, motion->rank, "drift along the symmetry", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < motion->rank * motion->rank; k++) motion->S[k] /= 1.0 - momentum;
  for (size_t k = 0; k < motion->network->weights * motion->rank; k++) motion->spread[k] /= 1.0 - momentum;
  return sgf_epoch_swept(&fluctuations->range, problem->settings.training.learning_rate, momentum, run.batches,
                         fluctuations->noise, run.skipped, run.counted, motion->swept, error);
}

/* With momentum: S of the Stein equation or its leading order. */
static sgf_status set_covariance(const sgf_problem *problem, const sgf_fluctuations *fluctuations,
                                 const sgf_plan *plan, sgf_motion *motion, sgf_error *error)
{
  size_t n = motion->network->weights;
  double *Sigma;
  sgf_status status = sgf_new_reals(&Sigma, n, n, "covariance next to the symmetry", error);
  if (status != SGF_OK) return status;
  SGF_TRY(sgf_covariance(problem, fluctuations, sgf_configured_time(&problem->settings), plan, Sigma, error));
  SGF_TRY(sgf_motion_set_covariance(motion, &fluctuations->range, Sigma, error));
done:
  free(Sigma);
  return status;
}

sgf_status sgf_motion_create_configured(const sgf_problem *problem, const sgf_fluctuations *fluctuations,
                                        const sgf_plan *plan, sgf_motion *motion, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  double momentum = problem->settings.training.momentum;
  bool epochs = problem->settings.training.sampling == SGF_SAMPLING_EPOCH, plain = !epochs && momentum == 0.0;
  sgf_status status;
  if (plain && plan != NULL) return sgf_motion_create_window(problem, fluctuations, plan, motion, error);
  SGF_TRY(sgf_motion_create(network, fluctuations, motion, error));
  if (plain) return SGF_OK;
  status = (epochs ? set_swept : set_covariance)(problem, fluctuations, plan, motion, error);
  for (size_t i = 0; i < motion->rank; i++) motion->h[i] /= 1.0 - momentum;
done:
  if (status != SGF_OK) sgf_motion_free(motion);
  return status;
}

/* ------------------------------------------------------------------ one pair */

/* The closed form of X, and O = [ (a + b)/2, (1 - beta - a)/2; (1 - beta - b)/2, beta ]. */
sgf_lag_sums sgf_lag_sums_of(double momentum, double a, double b)
{
  double beta = momentum, slow = 1.0 - beta, fast = 1.0 + beta, product = a * b, sum = a + b;
  double twice = 2.0 * (slow * slow * fast * sum + beta * (a - b) * (a - b) - slow * slow * product);
  double SV = product - fast * fast * a - beta * b * b + fast * (3.0 * beta - 1.0) * b;
  double VS = product - fast * fast * b - beta * a * a + fast * (3.0 * beta - 1.0) * a;
  return (sgf_lag_sums){product * slow * (4.0 * fast - sum) / twice - 0.25 * sum,
                        0.5 + a * SV / twice - 0.25 * (slow - a), 0.5 + b * VS / twice - 0.25 * (slow - b),
                        beta * slow * fast * (fast * sum - product) / twice};
}

/* ----------------------------------------------------------------- diffusion */

/* The rotations' diffusion by steps, less that of leading order, while its parts are added. */
typedef struct {
  const sgf_motion *motion;
  double lambda, momentum;
  double *moving; /* (n, r), range(H) times V^T */
} excess;

/* V_ij = E[v_i delta_j] = (lambda h_j - beta lambda h_i) S_ij / (1 - beta^2). */
static sgf_status find_moving(excess *by, sgf_error *error)
{
  const sgf_motion *motion = by->motion;
  size_t rank = motion->rank;
  double *turned, factor = by->lambda / (1.0 + by->momentum);
  sgf_status status = sgf_new_reals(&turned, rank, rank, "covariance with the velocity", error);
  if (status != SGF_OK) return status;
  for (size_t j = 0; j < rank; j++)
    for (size_t i = 0; i < rank; i++)
      turned[j * rank + i] = factor * (motion->h[j] - by->momentum * motion->h[i]) * motion->S[i * rank + j];
  sgf_multiply(motion->network->weights, rank, rank, SGF_PLAIN, motion->rows, SGF_PLAIN, turned, by->moving);
  free(turned);
  return SGF_OK;
}

/* sums (height, width): twice the weights of a panel below the diagonal, zero above, per unit of time. */
static void fill_sums(const excess *by, const sgf_panel *at, sgf_lag_sums *sums)
{
  const double *h = by->motion->h;
  double times = 2.0 / by->lambda, rho = by->lambda * (1.0 - by->momentum);
  for (size_t k = 0; k < at->height; k++)
    for (size_t j = 0; j < at->width; j++) {
      size_t i = at->first + k;
      sgf_lag_sums w = sgf_lag_sums_of(by->momentum, rho * h[i], rho * h[j]);
      double factor = j < i ? times : 0.0, flow = 2.0 * h[i] * h[j] / (h[i] + h[j]);
      sums[k * at->width + j] =
          (sgf_lag_sums){factor * (w.SS - by->lambda * flow), factor * w.SV, factor * w.VS, factor * w.VV};
    }
}

/* turned (height, width): the panel's part of what the weights make of S, V and N_a. one (height, width) is room. */
static void weigh_mode(const excess *by, const sgf_mode *mode, const sgf_panel *at, const sgf_lag_sums *sums,
                       double *one, double *turned)
{
  const double *rows[] = {by->motion->spread, by->moving};
  memset(turned, 0, at->height * at->width * sizeof *turned);
  for (int part = 0; part < 4; part++) {
    sgf_mode_in_range(by->motion, rows[part / 2], rows[part % 2], mode, at, one);
    for (size_t k = 0; k < at->height * at->width; k++) {
      const double weights[] = {sums[k].SS, sums[k].SV, sums[k].VS, sums[k].VV};
      turned[k] += weights[part] * one[k];
    }
  }
}

/* Every PARTS-th panel from number `part` on, into W (count, count). */
enum { PARTS = 2 };
static sgf_status add_panels(const excess *by, size_t count, const sgf_mode *modes, size_t part, double *W)
{
  size_t rank = by->motion->rank, height = sgf_panel_height(rank, count);
  double *one = NULL, *plain = NULL, *turned = NULL;
  void *sums = NULL;
  sgf_status status;
  SGF_TRY(sgf_allocate(&sums, height, rank, sizeof(sgf_lag_sums), "weights of the modes", NULL));
  SGF_TRY(sgf_new_reals(&one, height, rank, "mode of the symmetry", NULL));
  SGF_TRY(sgf_new_reals(&plain, count, height * rank, "modes of the symmetry", NULL));
  SGF_TRY(sgf_new_reals(&turned, count, height * rank, "modes of the symmetry", NULL));
  for (size_t first = part * height; first < rank; first += PARTS * height) {
    sgf_panel at = sgf_panel_at(rank, height, first);
    size_t inner = at.height * at.width;
    fill_sums(by, &at, sums);
    for (size_t a = 0; a < count; a++) {
      sgf_mode_in_range(by->motion, by->motion->rows, by->motion->rows, &modes[a], &at, plain + a * inner);
      weigh_mode(by, &modes[a], &at, sums, one, turned + a * inner);
    }
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)count, (int)inner, 1.0, plain, (int)inner,
                turned, (int)inner, 1.0, W, (int)count);
  }
done:
  free(sums);
  free(one);
  free(plain);
  free(turned);
  return status;
}

/* rate (count, count), of rotations: by steps less by the flow. Sums of two parts for any number of threads, as in
 * rotation.c. */
static sgf_status find_excess(const sgf_motion *motion, double lambda, double momentum, size_t count,
                              const sgf_mode *modes, double *rate, sgf_error *error)
{
  size_t square = count * count;
  double *sums = NULL;
  excess by = {.motion = motion, .lambda = lambda, .momentum = momentum};
  sgf_status status, made[PARTS] = {SGF_OK};
  SGF_TRY(sgf_new_reals(&sums, PARTS, square, "modes of the symmetry", error));
  SGF_TRY(sgf_new_reals(&by.moving, motion->network->weights, motion->rank, "range of H", error));
  SGF_TRY(find_moving(&by, error));
#pragma omp parallel for schedule(static, 1)
  for (size_t part = 0; part < PARTS; part++) made[part] = add_panels(&by, count, modes, part, sums + part * square);
  for (size_t part = 0; part < PARTS; part++)
    if (made[part] != SGF_OK) SGF_TRY(sgf_fail(error, made[part], "no memory for %zu modes of the symmetry", count));
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++) {
      const double *other = sums + square;
      rate[a * count + b] = sums[a * count + b] + sums[b * count + a] + (other[a * count + b] + other[b * count + a]);
    }
done:
  free(by.moving);
  free(sums);
  return status;
}

/* Of rotations in reshuffled epochs: the long-run rate times the time; little is left of an epoch at its end that would
 * saturate. h and S are those that set_swept leaves, from which the noise is had. */
static sgf_status covariance_of_epochs(const sgf_problem *problem, const sgf_motion *motion, double time,
                                       size_t count, const sgf_mode *modes, double *covariance, sgf_error *error)
{
  size_t r = motion->rank, square = r * r;
  double slow = 1.0 - problem->settings.training.momentum, *h = NULL, *noise = NULL, *N = NULL;
  const sgf_panel whole = {0, r, r};
  sgf_status status;
  SGF_TRY(sgf_new_reals(&h, r, 1, "epochs", error));
  SGF_TRY(sgf_new_reals(&noise, r, r, "epochs", error));
  SGF_TRY(sgf_new_reals(&N, count, square, "rotations in the modes", error));
  for (size_t i = 0; i < r; i++) {
    h[i] = slow * motion->h[i];
    for (size_t j = 0; j < r; j++)
      noise[i * r + j] = slow * slow * (motion->h[i] + motion->h[j]) * motion->S[i * r + j];
  }
  for (size_t a = 0; a < count; a++) {
    if (!modes[a].rotation)
      SGF_TRY(sgf_fail(error, SGF_ERROR_UNSUPPORTED, "training.sampling is epoch: scalings are not built for it"));
    sgf_mode_in_range(motion, motion->rows, motion->rows, &modes[a], &whole, N + a * square);
  }
  const sgf_epoch_modes of = {r,    sgf_batches_of(problem), problem->settings.training.learning_rate, 1.0 - slow, h,
                              noise};
  SGF_TRY(sgf_epoch_diffusion(&of, count, N, covariance, error));
  for (size_t k = 0; k < count * count; k++) covariance[k] *= time;
done:
  if (status != SGF_OK) sgf_fill_nan(count * count, covariance);
  free(h);
  free(noise);
  free(N);
  return status;
}

double sgf_motion_cost_configured(const sgf_problem *problem, size_t rank, size_t count)
{
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH)
    return sgf_epoch_diffusion_cost(rank, sgf_batches_of(problem), count);
  return sgf_motion_cost(&problem->network, rank, count);
}

sgf_status sgf_motion_covariance_by_steps(double learning_rate, double momentum, const sgf_motion *motion,
                                          const sgf_lags *lags, size_t count, const sgf_mode *modes,
                                          double *covariance, sgf_error *error)
{
  size_t rotations = 0;
  sgf_mode *turning = NULL;
  double *rate = NULL, time = sgf_lags_time(lags);
  sgf_status status;
  SGF_TRY(sgf_motion_covariance(motion, lags, count, modes, covariance, error));
  SGF_TRY(sgf_modes_create(count, &turning, error));
  for (size_t a = 0; a < count; a++)
    if (modes[a].rotation) turning[rotations++] = modes[a];
  if (rotations == 0 || motion->rank == 0) goto done;
  SGF_TRY(sgf_new_reals(&rate, rotations, rotations, "diffusion of the rotations", error));
  SGF_TRY(find_excess(motion, learning_rate, momentum, rotations, turning, rate, error));
  for (size_t a = 0, at = 0; a < count; a++)
    for (size_t b = 0; b < count && modes[a].rotation; b++)
      if (modes[b].rotation) covariance[a * count + b] += time * rate[at++];
done:
  if (status != SGF_OK) sgf_fill_nan(count * count, covariance);
  free(turning);
  free(rate);
  return status;
}

sgf_status sgf_motion_covariance_configured(const sgf_problem *problem, const sgf_motion *motion,
                                            const sgf_lags *lags, size_t count, const sgf_mode *modes,
                                            double *covariance, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  if (settings->training.sampling == SGF_SAMPLING_EPOCH)
    return covariance_of_epochs(problem, motion, sgf_lags_time(lags), count, modes, covariance, error);
  if (sgf_configured_time(settings) != SGF_TIME_HEAVY_BALL)
    return sgf_motion_covariance(motion, lags, count, modes, covariance, error);
  return sgf_motion_covariance_by_steps(settings->training.learning_rate, settings->training.momentum, motion, lags,
                                        count, modes, covariance, error);
}
