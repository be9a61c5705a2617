/* Runs of the linear theory, in place of SGD. */
#include "linear_runs.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/random.h"

enum { MOST_SNAPSHOTS = 4096 };

/* The process, and where a run stands. */
typedef struct {
  size_t n, rank, modes;
  size_t snapshots;
  double spacing; /* continuum time between them */
  const sgf_network *network;
  const double *V;                 /* (rank, n) */
  double *decay, *start, *between; /* (rank); (rank, rank) roots of the noise up to the first snapshot, between two */
  double began;                    /* continuum time from theta* to the first snapshot */
  const sgf_null_motion *motion;
  const sgf_slow_path *path;
  double *turn;                         /* (modes, modes), root of the rotations' noise between two snapshots */
  double *delta, *nu, *slaved, *normal; /* (rank), (modes), (modes), (either) */
  double *fast, *theta;                 /* (n), theta - theta*: the part on range(H), and all of it */
} process;

static void free_process(process *run)
{
  free(run->decay);
  free(run->start);
  free(run->between);
  free(run->turn);
  free(run->delta);
}

/* Rows of a square root of a positive semidefinite A (size, size), in place: R^T R = A. */
static sgf_status square_root(size_t size, double *A, sgf_error *error)
{
  double *values;
  sgf_status status = sgf_new_reals(&values, size, 1, "runs of the linear theory", error);
  if (status == SGF_OK) status = sgf_symmetric_eigen(size, A, values, "noise of the linear theory", error);
  for (size_t k = 0; k < size && status == SGF_OK; k++)
    for (size_t i = 0; i < size; i++) A[k * size + i] *= sqrt(fmax(values[k], 0.0));
  free(values);
  return status;
}

/* Root of S - x^steps S with S stationary and x_ij the factor of a pair of modes over one step. */
static sgf_status noise_over(const sgf_problem *problem, const sgf_prediction *prediction, double steps, double *root,
                             sgf_error *error)
{
  const sgf_range *range = &prediction->joint.range;
  size_t n = range->n, rank = range->rank, null = n - rank;
  double step = sgf_time_of_step(&problem->settings);
  bool discrete = sgf_configured_time(&problem->settings) == SGF_TIME_DISCRETE;
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j < rank; j++) {
      double h = range->h[null + i], other = range->h[null + j];
      double noise = prediction->joint.noise[(null + i) * n + null + j];
      double S = noise / (h + other - (discrete ? step * h * other : 0.0));
      double factor = discrete ? (1.0 - step * h) * (1.0 - step * other) : exp(-step * (h + other));
      root[i * rank + j] = S * (1.0 - pow(factor, steps));
    }
  sgf_symmetrize(rank, root);
  return square_root(rank, root, error);
}

static sgf_status create_process(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                 const sgf_null_motion *motion, const sgf_slow_path *path, process *run,
                                 sgf_error *error)
{
  const sgf_range *range = &prediction->joint.range;
  size_t whole = plan->window_steps / plan->stride, n = range->n, rank = range->rank;
  size_t thinning = (whole + MOST_SNAPSHOTS - 1) / MOST_SNAPSHOTS, modes = motion != NULL ? motion->count : 0;
  double step = sgf_time_of_step(&problem->settings), steps = (double)(plan->stride * thinning);
  bool discrete = sgf_configured_time(&problem->settings) == SGF_TIME_DISCRETE;
  sgf_status status;
  *run = (process){.n = n,
                   .rank = rank,
                   .modes = modes,
                   .snapshots = whole / thinning,
                   .spacing = step * steps,
                   .network = &problem->network,
                   .V = range->V + (n - rank) * n,
                   .motion = motion,
                   .path = path};
  SGF_TRY(sgf_new_reals(&run->decay, rank, 1, "runs of the linear theory", error));
  SGF_TRY(sgf_new_reals(&run->start, rank, rank, "runs of the linear theory", error));
  SGF_TRY(sgf_new_reals(&run->between, rank, rank, "runs of the linear theory", error));
  SGF_TRY(sgf_new_reals(&run->turn, modes, modes, "runs of the linear theory", error));
  SGF_TRY(sgf_new_reals(&run->delta, 2 * rank + 3 * modes + 2 * n, 1, "runs of the linear theory", error));
  run->nu = run->delta + rank;
  run->slaved = run->nu + modes;
  run->fast = run->slaved + modes;
  run->theta = run->fast + n;
  run->normal = run->theta + n;
  for (size_t i = 0; i < rank; i++) {
    double h = range->h[n - rank + i];
    run->decay[i] = discrete ? pow(1.0 - step * h, steps) : exp(-step * h * steps);
  }
  SGF_TRY(noise_over(problem, prediction, (double)plan->burn_in_steps + steps, run->start, error));
  SGF_TRY(noise_over(problem, prediction, steps, run->between, error));
  for (size_t k = 0; k < modes * modes; k++) run->turn[k] = run->spacing * motion->rate[k];
  if (modes > 0) SGF_TRY(square_root(modes, run->turn, error));
done:
  return status;
}

/* x (size) += root^T times standard normal numbers. */
static void add_noise(sgf_random *random, size_t size, const double *root, double *normal, double *x)
{
  for (size_t k = 0; k < size; k++) normal[k] = sgf_random_normal(random);
  cblas_dgemv(CblasRowMajor, CblasTrans, (int)size, (int)size, 1.0, root, (int)size, normal, 1, 1.0, x, 1);
}

/* theta += M^T x, M (rows, n). */
static void add_to_weights(const process *run, size_t rows, const double *M, const double *x, double *theta)
{
  cblas_dgemv(CblasRowMajor, CblasTrans, (int)rows, (int)run->n, 1.0, M, (int)run->n, x, 1, 1.0, theta, 1);
}

/* To snapshot number s, and theta - theta* there. A scaling follows the fluctuations, nu = -delta . N delta / 2. */
static void advance(process *run, sgf_random *random, size_t s)
{
  size_t n = run->n, modes = run->modes;
  for (size_t i = 0; i < run->rank; i++) run->delta[i] *= s == 0 ? 0.0 : run->decay[i];
  add_noise(random, run->rank, s == 0 ? run->start : run->between, run->normal, run->delta);
  memset(run->fast, 0, n * sizeof *run->fast);
  memset(run->theta, 0, n * sizeof *run->theta);
  add_to_weights(run, run->rank, run->V, run->delta, run->fast);
  if (run->path != NULL) sgf_slow_path_at(run->path, run->spacing * (double)(s + 1), run->theta);
  for (size_t i = 0; i < n; i++) run->theta[i] += run->fast[i];
  if (modes == 0) return;
  if (s == 0) memset(run->nu, 0, modes * sizeof *run->nu);
  if (s > 0) add_noise(random, modes, run->turn, run->normal, run->nu);
  sgf_symmetry_project(run->network, run->fast, modes, run->motion->modes, run->fast, run->slaved);
  for (size_t a = 0; a < modes; a++) run->slaved[a] = run->nu[a] - 0.5 * run->slaved[a];
  add_to_weights(run, modes, run->motion->lift, run->slaved, run->theta);
}

static sgf_status one_run(const sgf_problem *problem, process *process_of, size_t r, sgf_ensemble *ensemble,
                          sgf_error *error)
{
  sgf_accumulator accumulator;
  sgf_random random;
  double *zero;
  sgf_status status = sgf_new_reals(&zero, process_of->n, 1, "runs of the linear theory", error);
  if (status != SGF_OK) return status;
  status = sgf_accumulator_create(ensemble, r % ensemble->info.pools, process_of->snapshots, &accumulator, error);
  sgf_random_at(&random, problem->settings.seed, SGF_STREAM_SAMPLES, r);
  sgf_ensemble_open_row(ensemble, r % ensemble->info.pools, r / ensemble->info.pools);
  for (size_t s = 0; s < process_of->snapshots && status == SGF_OK; s++) {
    advance(process_of, &random, s);
    sgf_accumulate(&accumulator, process_of->theta, zero);
  }
  if (status == SGF_OK) sgf_accumulator_end(&accumulator);
  sgf_ensemble_close_row(ensemble, r % ensemble->info.pools, r / ensemble->info.pools);
  sgf_accumulator_free(&accumulator);
  free(zero);
  return status;
}

sgf_status sgf_linear_runs(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                           const sgf_null_motion *motion, const sgf_slow_path *path, size_t runs, size_t rows,
                           sgf_ensemble **ensemble, sgf_error *error)
{
  process run = {0};
  sgf_status status;
  *ensemble = NULL;
  SGF_TRY(create_process(problem, prediction, plan, motion, path, &run, error));
  SGF_TRY(sgf_ensemble_create(runs, rows, 0, run.n, false, ensemble, error));
  (*ensemble)->info.plan = *plan;
  (*ensemble)->info.centred = true;
  for (size_t r = 0; r < runs; r++) SGF_TRY(one_run(problem, &run, r, *ensemble, error));
  sgf_ensemble_summarize(*ensemble);
done:
  free_process(&run);
  if (status != SGF_OK) {
    sgf_ensemble_free(*ensemble);
    *ensemble = NULL;
  }
  return status;
}
