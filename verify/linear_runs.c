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
  size_t states; /* rank, of delta; with momentum twice that, the velocities behind */
  size_t snapshots;
  double spacing; /* continuum time between them */
  const sgf_network *network;
  const double *V;         /* (rank, n) */
  double *decay;           /* (rank, 4), the map of (delta, v) from snapshot to snapshot, by rows */
  double *start, *between; /* (states, states), roots of the noise up to the first snapshot, between two */
  double began;            /* continuum time from theta* to the first snapshot */
  const sgf_null_motion *motion;
  const sgf_slow_path *path;
  double *turn;                         /* (modes, modes), root of the rotations' noise between two snapshots */
  double *delta, *nu, *slaved, *normal; /* (states), (modes), (modes), (either) */
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

/* Two numbers of a mode, delta and v, or of two modes: a map, or a covariance. */
typedef struct {
  double dd, dv, vd, vv;
} square;

static square product(const square *a, const square *b)
{
  return (square){a->dd * b->dd + a->dv * b->vd, a->dd * b->dv + a->dv * b->vv, a->vd * b->dd + a->vv * b->vd,
                  a->vd * b->dv + a->vv * b->vv};
}

/* What so many steps make of (delta, v) of a mode of rate h, without noise. */
static square map_of(const sgf_problem *problem, double h, size_t steps)
{
  double momentum = problem->settings.training.momentum, step = sgf_time_of_step(&problem->settings), rho = step * h;
  square power = {1.0 - rho, momentum, -rho, momentum}, map = {1.0, 0.0, 0.0, 1.0};
  switch (sgf_configured_time(&problem->settings)) {
  case SGF_TIME_HEAVY_BALL:
    for (; steps > 0; steps >>= 1) {
      if (steps & 1) map = product(&power, &map);
      power = product(&power, &power);
    }
    return map;
  case SGF_TIME_DISCRETE: return (square){.dd = pow(1.0 - rho, (double)steps)};
  default: return (square){.dd = exp(-rho / (1.0 - momentum) * (double)steps)};
  }
}

/* The stationary covariance of the states of two modes of rates h and `other`, over the noise of theirs. Source: section 7. */
static square stationary_of(const sgf_problem *problem, double h, double other)
{
  double beta = problem->settings.training.momentum, slow = 1.0 - beta, fast = 1.0 + beta;
  double step = sgf_time_of_step(&problem->settings), rho = step * h, sigma = step * other;
  sgf_time time = sgf_configured_time(&problem->settings);
  double denominator = slow * (h + other);
  if (time == SGF_TIME_HEAVY_BALL || time == SGF_TIME_DISCRETE)
    denominator += step * (beta * (h - other) * (h - other) / (slow * fast) - slow * h * other / fast);
  double S = 1.0 / denominator;
  if (time != SGF_TIME_HEAVY_BALL) return (square){.dd = S};
  return (square){S, (rho - beta * sigma) * S / (slow * fast), (sigma - beta * rho) * S / (slow * fast),
                  (rho + sigma) * S / fast};
}

/* Root of Z - F^steps Z F^steps^T, Z the stationary covariance of the states. */
static sgf_status noise_over(const sgf_problem *problem, const sgf_prediction *prediction, size_t steps,
                             size_t states, double *root, sgf_error *error)
{
  const sgf_range *range = &prediction->joint.range;
  size_t n = range->n, rank = range->rank, null = n - rank;
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j < rank; j++) {
      double h = range->h[null + i], other = range->h[null + j];
      double noise = prediction->joint.noise[(null + i) * n + null + j];
      square Z = stationary_of(problem, h, other), F = map_of(problem, h, steps), G = map_of(problem, other, steps);
      square transposed = {G.dd, G.vd, G.dv, G.vv}, half = product(&F, &Z), kept = product(&half, &transposed);
      double *row = root + i * states + j;
      row[0] = noise * (Z.dd - kept.dd);
      if (states == rank) continue;
      row[rank] = noise * (Z.dv - kept.dv);
      row[rank * states] = noise * (Z.vd - kept.vd);
      row[rank * states + rank] = noise * (Z.vv - kept.vv);
    }
  sgf_symmetrize(states, root);
  return square_root(states, root, error);
}

static sgf_status create_process(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                 const sgf_null_motion *motion, const sgf_slow_path *path, process *run,
                                 sgf_error *error)
{
  const sgf_range *range = &prediction->joint.range;
  size_t whole = plan->window_steps / plan->stride, n = range->n, rank = range->rank;
  size_t thinning = (whole + MOST_SNAPSHOTS - 1) / MOST_SNAPSHOTS, modes = motion != NULL ? motion->count : 0;
  size_t steps = plan->stride * thinning;
  bool heavy = sgf_configured_time(&problem->settings) == SGF_TIME_HEAVY_BALL;
  size_t states = heavy ? 2 * rank : rank;
  sgf_status status;
  *run = (process){.n = n,
                   .rank = rank,
                   .modes = modes,
                   .states = states,
                   .snapshots = whole / thinning,
                   .spacing = sgf_time_of_step(&problem->settings) * (double)steps,
                   .network = &problem->network,
                   .V = range->V + (n - rank) * n,
                   .motion = motion,
                   .path = path};
  SGF_TRY(sgf_new_reals(&run->decay, rank, 4, "runs of the linear theory", error));
  SGF_TRY(sgf_new_reals(&run->start, states, states, "runs of the linear theory", error));
  SGF_TRY(sgf_new_reals(&run->between, states, states, "runs of the linear theory", error));
  SGF_TRY(sgf_new_reals(&run->turn, modes, modes, "runs of the linear theory", error));
  SGF_TRY(sgf_new_reals(&run->delta, 2 * states + 3 * modes + 2 * n, 1, "runs of the linear theory", error));
  run->nu = run->delta + states;
  run->slaved = run->nu + modes;
  run->fast = run->slaved + modes;
  run->theta = run->fast + n;
  run->normal = run->theta + n;
  for (size_t i = 0; i < rank; i++) {
    square map = map_of(problem, range->h[n - rank + i], steps);
    const double entries[] = {map.dd, map.dv, map.vd, map.vv};
    memcpy(run->decay + 4 * i, entries, sizeof entries);
  }
  SGF_TRY(noise_over(problem, prediction, plan->burn_in_steps + steps, states, run->start, error));
  SGF_TRY(noise_over(problem, prediction, steps, states, run->between, error));
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
  if (s == 0) memset(run->delta, 0, run->states * sizeof *run->delta);
  for (size_t i = 0; i < run->rank; i++) {
    const double *map = run->decay + 4 * i;
    double *v = run->states > run->rank ? run->delta + run->rank + i : NULL, delta = run->delta[i];
    run->delta[i] = map[0] * delta + (v != NULL ? map[1] * *v : 0.0);
    if (v != NULL) *v = map[2] * delta + map[3] * *v;
  }
  add_noise(random, run->states, s == 0 ? run->start : run->between, run->normal, run->delta);
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
