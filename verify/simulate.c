/* Direct SGD in independent replicas: from theta*, burn-in, window, moments. */
#include <math.h>
#include <omp.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "../theory/memory.h"
#include "ensemble.h"
#include "sgd.h"

/* A weight that has moved by this many times the scale of the problem has diverged. */
static const double DIVERGED = 1e8;
/* Steps between looks at the weights and at the wish to stop. */
enum { CHECK_INTERVAL = 512 };
/* Times at which a run records the balance of its layers. */
enum { BALANCE_POINTS = 16 };

/* What the replicas share while they run. */
typedef struct {
  const sgf_problem *problem;
  const sgf_plan *plan;
  sgf_ensemble *ensemble;
  double *balance; /* (balance_size), at theta* */
  double bound;    /* on |theta - theta*|, beyond it the run has diverged */
  sgf_progress progress;
  void *context;
  double total;
  atomic_ullong done; /* replica-steps */
  atomic_bool stop;
} simulation;

static double square_distance(const sgf_sgd *run)
{
  double sum = 0.0;
  for (size_t k = 0; k < run->problem->network.weights; k++) {
    double delta = run->theta[k] - run->problem->theta[k];
    sum += delta * delta;
  }
  return sum;
}

/* The run crossed the bound since the last look: run it again, which gives the same bits, and look at every step. */
static sgf_status report_divergence(const simulation *all, size_t replica, sgf_error *error)
{
  sgf_sgd again;
  double distance = 0.0;
  sgf_status status = sgf_sgd_create(all->problem, replica, all->ensemble->layer, &again, error);
  if (status != SGF_OK) return status;
  while (distance < all->bound) {
    sgf_sgd_step(&again);
    distance = sqrt(square_distance(&again));
  }
  status = sgf_fail(error, SGF_ERROR_DIVERGED,
                    "SGD diverged: |theta - theta*| = %g at step %llu of replica %zu, learning rate %g", distance,
                    (unsigned long long)again.step, replica, all->problem->settings.training.learning_rate);
  sgf_sgd_free(&again);
  return status;
}

/* One run of a pool: the SGD, what it adds to, and when it records the balance next. */
typedef struct {
  sgf_sgd sgd;
  sgf_accumulator *accumulator;
  size_t replica, runs; /* runs of the pool */
  size_t points;        /* of the balance, recorded */
  double *balance;      /* room for that of one hidden layer */
  double gradient_square;
} pool_run;

/* Count the steps taken since the last look, tell the caller, and see whether to go on. */
static sgf_status look(simulation *all, const pool_run *run, sgf_error *error)
{
  double distance = sqrt(square_distance(&run->sgd));
  uint64_t rest = run->sgd.step % CHECK_INTERVAL;
  atomic_fetch_add(&all->done, rest == 0 ? CHECK_INTERVAL : rest);
  if (all->progress != NULL && omp_get_thread_num() == 0 &&
      !all->progress(all->context, (double)atomic_load(&all->done), all->total))
    atomic_store(&all->stop, true);
  if (!(distance < all->bound)) return report_divergence(all, run->replica, error);
  if (atomic_load(&all->stop)) return sgf_fail(error, SGF_ERROR_INTERRUPTED, "interrupted in the simulation");
  return SGF_OK;
}

static uint64_t balance_step(const simulation *all, size_t point)
{
  uint64_t steps = all->plan->burn_in_steps + all->plan->window_steps;
  return ((point + 1) * steps + BALANCE_POINTS - 1) / BALANCE_POINTS;
}

/* Add the change of every balance matrix since theta*, as the pool's share of it. */
static void record_balance(const simulation *all, pool_run *run)
{
  const sgf_network *network = &all->problem->network;
  sgf_ensemble *ensemble = all->ensemble;
  while (run->points < ensemble->balance_points && balance_step(all, run->points) <= run->sgd.step) {
    double *row = ensemble->balance +
                  (run->accumulator->pool * ensemble->balance_points + run->points++) * ensemble->balance_size;
    const double *start = all->balance;
    for (size_t l = 1; l < network->layers; l++) {
      size_t size = network->widths[l] * network->widths[l];
      sgf_balance(network, run->sgd.theta, l, run->balance);
      for (size_t k = 0; k < size; k++) row[k] += (run->balance[k] - start[k]) / (double)run->runs;
      row += size;
      start += size;
    }
  }
}

/* Take steps; in the window their |g_B|^2 count. */
static sgf_status advance(simulation *all, pool_run *run, size_t steps, bool in_window, sgf_error *error)
{
  sgf_status status = SGF_OK;
  sgf_sgd *sgd = &run->sgd;
  for (size_t k = 0; k < steps && status == SGF_OK; k++) {
    sgf_sgd_step(sgd);
    for (size_t i = sgd->first; i < sgd->first + sgd->count && in_window; i++)
      run->gradient_square += sgd->gradient[i] * sgd->gradient[i];
    if (run->points < all->ensemble->balance_points && sgd->step >= balance_step(all, run->points))
      record_balance(all, run);
    if (sgd->step % CHECK_INTERVAL == 0) status = look(all, run, error);
  }
  return status;
}

/* Keep theta - theta* at the start (0) or the end (1) of the window. */
static void record_end(const simulation *all, const pool_run *run, size_t which)
{
  sgf_ensemble *ensemble = all->ensemble;
  double *delta = ensemble->ends + (2 * run->replica + which) * ensemble->n;
  for (size_t k = 0; k < ensemble->n; k++)
    delta[k] = run->sgd.theta[ensemble->first + k] - all->problem->theta[ensemble->first + k];
}

static sgf_status run_replica(simulation *all, pool_run *run, sgf_error *error)
{
  const sgf_plan *plan = all->plan;
  sgf_ensemble *ensemble = all->ensemble;
  size_t snapshots = plan->window_steps / plan->stride, pool = run->accumulator->pool;
  sgf_status status;
  run->points = 0;
  run->gradient_square = 0.0;
  SGF_TRY(sgf_sgd_create(all->problem, run->replica, ensemble->layer, &run->sgd, error));
  sgf_accumulator_begin(run->accumulator, snapshots);
  SGF_TRY(advance(all, run, plan->burn_in_steps, false, error));
  record_end(all, run, 0);
  for (size_t s = 0; s < snapshots; s++) {
    SGF_TRY(advance(all, run, plan->stride, true, error));
    sgf_accumulate(run->accumulator, run->sgd.theta, all->problem->theta);
  }
  sgf_accumulator_end(run->accumulator);
  record_end(all, run, 1);
  ensemble->gradient_square[pool] += run->gradient_square / (double)plan->window_steps / (double)run->runs;
  if (run->sgd.step % CHECK_INTERVAL != 0) status = look(all, run, error);
done:
  sgf_sgd_free(&run->sgd);
  return status;
}

/* The replicas of a pool, one after the other. On failure *replica is the one that failed. */
static sgf_status run_pool(simulation *all, size_t pool, size_t *replica, sgf_error *error)
{
  sgf_accumulator accumulator = {0};
  pool_run run = {.accumulator = &accumulator};
  size_t first, last;
  sgf_status status;
  sgf_ensemble_pool(all->ensemble, pool, &first, &last);
  run.runs = last - first;
  *replica = first;
  SGF_TRY(sgf_accumulator_create(all->ensemble, pool, &accumulator, error));
  SGF_TRY(sgf_new_reals(&run.balance, all->ensemble->balance_size, 1, "balance of the layers", error));
  for (; *replica < last; ++*replica) {
    run.replica = *replica;
    SGF_TRY(run_replica(all, &run, error));
  }
done:
  if (accumulator.block != NULL) sgf_accumulator_finish(&accumulator);
  free(run.balance);
  return status;
}

/* Pools write to their own rows and share nothing else, so that the bits cannot depend on the threads. The failure of
 * the lowest replica is the one reported, when several fail before the others stop. */
static sgf_status run_pools(simulation *all, int threads, sgf_error *error)
{
  size_t pools = all->ensemble->info.pools, failed = all->plan->replicas;
  sgf_status outcome = SGF_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (size_t pool = 0; pool < pools; pool++) {
    sgf_error own = {SGF_OK, ""};
    size_t replica;
    if (atomic_load(&all->stop)) continue;
    sgf_status status = run_pool(all, pool, &replica, &own);
    if (status == SGF_OK) continue;
    atomic_store(&all->stop, true);
#pragma omp critical(sgf_simulation_failure)
    if (outcome == SGF_OK || (outcome == SGF_ERROR_INTERRUPTED && status != SGF_ERROR_INTERRUPTED) ||
        (status == outcome && replica < failed)) {
      outcome = status;
      failed = replica;
      if (error != NULL) *error = own;
    }
  }
  if (outcome == SGF_OK && atomic_load(&all->stop))
    return sgf_fail(error, SGF_ERROR_INTERRUPTED, "interrupted in the simulation");
  return outcome;
}

/* Scale of the weights and targets, to recognise divergence by. */
static double divergence_bound(const sgf_problem *problem)
{
  double scale = 1.0;
  for (size_t k = 0; k < problem->network.weights; k++) scale = fmax(scale, fabs(problem->theta[k]));
  for (size_t k = 0; k < problem->data.samples * problem->data.outputs; k++)
    scale = fmax(scale, fabs(problem->data.Y[k]));
  return DIVERGED * scale;
}

/* Room for the balance of the layers, and its value at theta*. */
static sgf_status prepare_balance(simulation *all, sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  sgf_ensemble *ensemble = all->ensemble;
  size_t size = 0, at = 0;
  sgf_status status = SGF_OK;
  for (size_t l = 1; l < network->layers; l++) size += network->widths[l] * network->widths[l];
  if (size == 0 || ensemble->layer > 0) return SGF_OK;
  ensemble->balance_size = size;
  ensemble->balance_points = BALANCE_POINTS;
  SGF_TRY(sgf_new_reals(&all->balance, size, 1, "balance of the layers", error));
  SGF_TRY(sgf_new_reals(&ensemble->balance, ensemble->info.pools * BALANCE_POINTS, size, "balance of the replicas",
                        error));
  for (size_t l = 1; l < network->layers; l++) {
    sgf_balance(network, all->problem->theta, l, all->balance + at);
    at += network->widths[l] * network->widths[l];
  }
done:
  return status;
}

/* The runs of one ensemble: of all layers, or of one alone; in so many pools, 0 for as many as fit. */
static sgf_status run_ensemble(simulation *all, size_t layer, size_t pools, int threads, sgf_ensemble **ensemble,
                               sgf_error *error)
{
  const sgf_network *network = &all->problem->network;
  size_t first = layer > 0 ? network->offsets[layer] : 0;
  size_t count = layer > 0 ? sgf_layer_size(network, layer) : network->weights;
  double began = omp_get_wtime();
  *ensemble = NULL;
  sgf_status status = sgf_ensemble_create(all->plan->replicas, pools, first, count, true, &all->ensemble, error);
  if (status == SGF_OK) {
    all->ensemble->layer = layer;
    all->ensemble->info.centred = all->plan->centred;
    status = prepare_balance(all, error);
  }
  if (status == SGF_OK) status = run_pools(all, threads, error);
  free(all->balance);
  all->balance = NULL;
  if (status != SGF_OK) {
    sgf_ensemble_free(all->ensemble);
    return status;
  }
  all->ensemble->info.plan = *all->plan;
  all->ensemble->info.steps =
      (double)all->plan->replicas * (double)(all->plan->burn_in_steps + all->plan->window_steps);
  all->ensemble->info.seconds = omp_get_wtime() - began;
  sgf_ensemble_summarize(all->ensemble);
  *ensemble = all->ensemble;
  return SGF_OK;
}

/* Each layer alone, with the others frozen. */
static sgf_status run_uncoupled(simulation *all, int threads, sgf_ensemble *joint, sgf_error *error)
{
  size_t layers = all->problem->network.layers;
  void *block;
  sgf_status status = sgf_allocate(&block, layers, 1, sizeof *joint->alone, "ensembles of the layers", error);
  joint->alone = block;
  for (size_t l = 1; l <= layers && status == SGF_OK; l++) {
    status = run_ensemble(all, l, joint->info.pools, threads, &joint->alone[l - 1], error);
    if (status == SGF_OK) joint->layers = l;
  }
  return status;
}

sgf_status sgf_simulate(const sgf_problem *problem, const sgf_plan *plan, int threads, sgf_progress progress,
                        void *context, sgf_ensemble **ensemble, sgf_error *error)
{
  bool uncoupled = problem->settings.simulation.uncoupled && problem->network.layers > 1;
  simulation all = {
      .problem = problem, .plan = plan, .bound = divergence_bound(problem), .progress = progress, .context = context};
  *ensemble = NULL;
  all.total = (double)plan->replicas * (double)(plan->burn_in_steps + plan->window_steps) *
              (double)(uncoupled ? 1 + problem->network.layers : 1);
  if (plan->replicas == 0 || plan->stride == 0 || plan->window_steps < plan->stride)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "simulation of %zu replicas and a window of %zu steps, every %zu: nothing to do", plan->replicas,
                    plan->window_steps, plan->stride);
  if (threads <= 0) threads = omp_get_max_threads();
  sgf_status status = sgf_check_dense(&problem->network, error);
  if (status != SGF_OK) return status;
  status = run_ensemble(&all, 0, 0, threads, ensemble, error);
  if (status == SGF_OK && uncoupled) status = run_uncoupled(&all, threads, *ensemble, error);
  if (status == SGF_OK) return SGF_OK;
  sgf_ensemble_free(*ensemble);
  *ensemble = NULL;
  return status;
}
