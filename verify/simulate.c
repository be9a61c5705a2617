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

/* What the replicas share while they run. */
typedef struct {
  const sgf_problem *problem;
  const sgf_plan *plan;
  sgf_ensemble *ensemble;
  double bound; /* on |theta - theta*|, beyond it the run has diverged */
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
static sgf_status report_divergence(const simulation *all, uint64_t replica, sgf_error *error)
{
  sgf_sgd again;
  double distance = 0.0;
  sgf_status status = sgf_sgd_create(all->problem, replica, &again, error);
  if (status != SGF_OK) return status;
  while (distance < all->bound) {
    sgf_sgd_step(&again);
    distance = sqrt(square_distance(&again));
  }
  status = sgf_fail(error, SGF_ERROR_DIVERGED,
                    "SGD diverged: |theta - theta*| = %g at step %llu of replica %llu, learning rate %g", distance,
                    (unsigned long long)again.step, (unsigned long long)replica,
                    all->problem->settings.training.learning_rate);
  sgf_sgd_free(&again);
  return status;
}

/* Count the steps taken since the last look, tell the caller, and see whether to go on. */
static sgf_status look(simulation *all, sgf_sgd *run, sgf_error *error)
{
  double distance = sqrt(square_distance(run));
  atomic_fetch_add(&all->done, run->step % CHECK_INTERVAL == 0 ? CHECK_INTERVAL : run->step % CHECK_INTERVAL);
  if (all->progress != NULL && omp_get_thread_num() == 0 &&
      !all->progress(all->context, (double)atomic_load(&all->done), all->total))
    atomic_store(&all->stop, true);
  if (!(distance < all->bound)) return report_divergence(all, run->sampler.replica, error);
  if (atomic_load(&all->stop)) return sgf_fail(error, SGF_ERROR_INTERRUPTED, "interrupted in the simulation");
  return SGF_OK;
}

/* Take steps; adds their |g_B|^2 unless gradient_square is NULL. */
static sgf_status advance(simulation *all, sgf_sgd *run, size_t steps, double *gradient_square, sgf_error *error)
{
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < steps && status == SGF_OK; k++) {
    sgf_sgd_step(run);
    if (gradient_square != NULL)
      for (size_t i = 0; i < run->problem->network.weights; i++)
        *gradient_square += run->gradient[i] * run->gradient[i];
    if (run->step % CHECK_INTERVAL == 0) status = look(all, run, error);
  }
  return status;
}

static sgf_status run_replica(simulation *all, size_t replica, sgf_error *error)
{
  const sgf_plan *plan = all->plan;
  sgf_sgd run = {0};
  sgf_accumulator accumulator = {0};
  size_t snapshots = plan->window_steps / plan->stride;
  double gradient_square = 0.0, start;
  sgf_status status;
  SGF_TRY(sgf_sgd_create(all->problem, replica, &run, error));
  SGF_TRY(sgf_accumulator_create(all->ensemble, replica, snapshots, &accumulator, error));
  SGF_TRY(advance(all, &run, plan->burn_in_steps, NULL, error));
  start = square_distance(&run);
  for (size_t s = 0; s < snapshots; s++) {
    SGF_TRY(advance(all, &run, plan->stride, &gradient_square, error));
    sgf_accumulate(&accumulator, run.theta, all->problem->theta);
  }
  all->ensemble->gradient_square[replica] = gradient_square / (double)plan->window_steps;
  all->ensemble->growth[replica] = (square_distance(&run) - start) / (double)plan->window_steps;
  if (run.step % CHECK_INTERVAL != 0) status = look(all, &run, error);
done:
  if (accumulator.block != NULL) sgf_accumulator_finish(&accumulator);
  sgf_sgd_free(&run);
  return status;
}

/* Replicas write to their own slots and share nothing else, so that the bits cannot depend on the threads. The
 * failure of the lowest replica is the one reported, when several fail before the others stop. */
static sgf_status run_replicas(simulation *all, int threads, sgf_error *error)
{
  size_t replicas = all->plan->replicas, failed = replicas;
  sgf_status outcome = SGF_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (size_t replica = 0; replica < replicas; replica++) {
    sgf_error own = {SGF_OK, ""};
    if (atomic_load(&all->stop)) continue;
    sgf_status status = run_replica(all, replica, &own);
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

sgf_status sgf_simulate(const sgf_problem *problem, const sgf_plan *plan, int threads, sgf_progress progress,
                        void *context, sgf_ensemble **ensemble, sgf_error *error)
{
  simulation all = {problem, plan, NULL, divergence_bound(problem), progress, context, 0.0, 0, false};
  double began = omp_get_wtime();
  *ensemble = NULL;
  all.total = (double)plan->replicas * (double)(plan->burn_in_steps + plan->window_steps);
  if (plan->replicas == 0 || plan->stride == 0 || plan->window_steps < plan->stride)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "simulation of %zu replicas and a window of %zu steps, every %zu: nothing to do", plan->replicas,
                    plan->window_steps, plan->stride);
  sgf_status status = sgf_ensemble_create(plan->replicas, problem->network.weights, true, &all.ensemble, error);
  if (status == SGF_OK) status = run_replicas(&all, threads > 0 ? threads : omp_get_max_threads(), error);
  if (status != SGF_OK) {
    sgf_ensemble_free(all.ensemble);
    return status;
  }
  all.ensemble->info.plan = *plan;
  all.ensemble->info.steps = all.total;
  all.ensemble->info.seconds = omp_get_wtime() - began;
  sgf_ensemble_summarize(all.ensemble);
  *ensemble = all.ensemble;
  return SGF_OK;
}
