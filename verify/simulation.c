/* Direct SGD in independent replicas: from theta*, burn-in, window, moments; in waves that can be left and taken up
 * again. */
#include "simulation.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "workers.h"

/* A weight that has moved by this many times the scale of the problem has diverged. */
static const double DIVERGED = 1e8;
/* Steps between looks at the weights. */
enum { CHECK_INTERVAL = 512 };
/* Times at which a run records the balance of its layers. */
/* Runs of a wave for each thread, so that all threads have work to the end of a round; more when they are short; and runs
 * that a wave has at most, which bounds what is kept of runs under way. */
enum { RUNS_FOR_A_THREAD = 8, MOST_RUNS = 1024 };
/* Multiply-adds of a short wave, and of a round, after which the caller is asked whether to go on: some 0.05 s of a core.
 * Counted and not timed, since waits of a busy machine would make the waves of others shorter and its own waits longer. */
static const double WAVE = 4e9, ROUND = 2.5e8;

/* -------------------------------------------------------------- create, free */

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
static sgf_status prepare_balance(sgf_simulation *simulation, sgf_error *error)
{
  const sgf_network *network = &simulation->problem->network;
  sgf_ensemble *ensemble = simulation->part[0].ensemble;
  size_t size = 0, at = 0;
  sgf_status status = SGF_OK;
  if (ensemble->directions != NULL) return SGF_OK; /* N_l^2 numbers a layer are too many as well */
  for (size_t l = 1; l < network->layers; l++) size += network->widths[l] * network->widths[l];
  if (size == 0) return SGF_OK;
  ensemble->balance_size = size;
  ensemble->balance_points = SGF_BALANCE_POINTS;
  SGF_TRY(sgf_new_reals(&simulation->balance, size, 1, "balance of the layers", error));
  SGF_TRY(sgf_new_reals(&ensemble->balance, ensemble->info.pools * SGF_BALANCE_POINTS, size,
                        "balance of the replicas", error));
  for (size_t l = 1; l < network->layers; l++) {
    sgf_balance(network, simulation->problem->theta, l, simulation->balance + at);
    at += network->widths[l] * network->widths[l];
  }
done:
  return status;
}

/* What the moments are of: `count` rows of n; NULL: all trained weights themselves. */
typedef struct {
  size_t count;
  const double *rows;
} directions;

/* Engine and ensemble of part 0, all layers, or of layer l alone. */
static sgf_status create_part(sgf_simulation *simulation, size_t l, const directions *on, sgf_error *error)
{
  sgf_part *part = &simulation->part[l];
  sgf_ensemble *joint = simulation->part[0].ensemble;
  size_t rows = l > 0 ? joint->info.pools : 0;
  sgf_status status;
  SGF_TRY(sgf_engine_create(simulation->problem, l, &part->engine, error));
  if (on->rows != NULL)
    SGF_TRY(sgf_ensemble_create_on(simulation->plan.replicas, &simulation->problem->network, on->count, on->rows,
                                   true, &part->ensemble, error));
  else
    SGF_TRY(sgf_ensemble_create(simulation->plan.replicas, rows, part->engine->first, part->engine->count, true,
                                &part->ensemble, error));
  part->ensemble->layer = l;
  part->ensemble->info.centred = simulation->plan.centred;
  part->ensemble->info.plan = simulation->plan;
  if (l == 0 && simulation->problem->network.layers > 1) /* the elements of one layer's moments are tested one by one */
    return sgf_ensemble_keep_factors(part->ensemble, simulation->plan.window_steps / simulation->plan.stride, error);
  if (l == 0) return SGF_OK;
  joint->alone[l - 1] = part->ensemble;
  joint->layers = l;
done:
  return status;
}

static sgf_status create_parts(sgf_simulation *simulation, const directions *on, sgf_error *error)
{
  void *block;
  sgf_status status;
  SGF_TRY(sgf_allocate(&block, simulation->parts, 1, sizeof *simulation->part, "simulation", error));
  simulation->part = block;
  SGF_TRY(create_part(simulation, 0, on, error));
  SGF_TRY(prepare_balance(simulation, error));
  if (simulation->parts == 1) return SGF_OK;
  SGF_TRY(sgf_allocate(&block, simulation->parts - 1, 1, sizeof(sgf_ensemble *), "ensembles of the layers", error));
  simulation->part[0].ensemble->alone = block;
  for (size_t l = 1; l < simulation->parts; l++) SGF_TRY(create_part(simulation, l, on, error));
done:
  return status;
}

static sgf_status check_plan(const sgf_plan *plan, sgf_error *error)
{
  if (plan->replicas > 0 && plan->stride > 0 && plan->window_steps >= plan->stride) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_VALUE,
                  "simulation of %zu replicas and a window of %zu steps, every %zu: nothing to do", plan->replicas,
                  plan->window_steps, plan->stride);
}

/* In this process. */
static sgf_status create_here(const sgf_problem *problem, const sgf_plan *plan, const directions *on,
                              sgf_simulation **simulation, sgf_error *error)
{
  size_t layers = problem->network.layers;
  void *block;
  *simulation = NULL;
  sgf_status status = check_plan(plan, error);
  if (status == SGF_OK) status = sgf_allocate(&block, 1, 1, sizeof **simulation, "simulation", error);
  if (status != SGF_OK) return status;
  *simulation = block;
  **simulation = (sgf_simulation){.problem = problem,
                                  .plan = *plan,
                                  .ranks = 1,
                                  .parts = problem->settings.simulation.uncoupled && layers > 1 ? 1 + layers : 1,
                                  .bound = divergence_bound(problem)};
  return create_parts(*simulation, on, error);
}

static sgf_status create(const sgf_problem *problem, const sgf_plan *plan, const directions *on,
                         sgf_simulation **simulation, sgf_error *error)
{
  sgf_status status = create_here(problem, plan, on, simulation, error);
  if (on->rows == NULL) status = sgf_workers_join(*simulation, status, error);
  if (status == SGF_OK) return SGF_OK;
  sgf_simulation_free(*simulation);
  *simulation = NULL;
  return status;
}

sgf_status sgf_simulation_create(const sgf_problem *problem, const sgf_plan *plan, sgf_simulation **simulation,
                                 sgf_error *error)
{
  *simulation = NULL;
  sgf_status status = sgf_check_dense(&problem->network, error);
  return status == SGF_OK ? create(problem, plan, &(directions){0, NULL}, simulation, error) : status;
}

sgf_status sgf_simulation_create_on(const sgf_problem *problem, const sgf_plan *plan, size_t count,
                                    const double *rows, sgf_simulation **simulation, sgf_error *error)
{
  *simulation = NULL;
  if (problem->settings.simulation.uncoupled && problem->network.layers > 1)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "simulation.uncoupled is true: moments on directions are built for all layers together");
  if (plan->centred)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "simulation.protocol is window-pca: moments on directions are built for ensembles");
  if (count == 0) return sgf_fail(error, SGF_ERROR_VALUE, "simulation on 0 directions: nothing to do");
  if (sgf_ranks_count() > 1)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "%zu processes: moments on directions, beyond 4000 weights, are built for one",
                    sgf_ranks_count());
  return create(problem, plan, &(directions){count, rows}, simulation, error);
}

sgf_status sgf_simulation_follow(sgf_simulation *simulation, size_t count, const double *modes, sgf_error *error)
{
  sgf_ensemble *joint = simulation->part[0].ensemble;
  size_t n = simulation->problem->network.weights;
  sgf_followed *followed = &joint->followed;
  bool late = sgf_simulation_replicas(simulation) > 0 || followed->count > 0;
  if (late || joint->directions != NULL || count == 0)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%zu directions cannot be followed: some are, before the start, in moments of all weights",
                    count);
  sgf_workers_order(simulation, SGF_ORDER_FOLLOW, count, 0);
  sgf_status status = sgf_followed_create(&simulation->plan, count, n, modes, followed, error);
  status = sgf_workers_agree(simulation, status, error);
  if (status != SGF_OK)
    sgf_followed_free(followed);
  else if (simulation->ranks > 1)
    sgf_ranks_broadcast(followed->directions, count * n * sizeof(double));
  return status;
}

static void free_run(sgf_run *run)
{
  sgf_sgd_free(&run->sgd);
  sgf_accumulator_free(&run->accumulator);
  free(run->balance);
  free(run->theta);
  free(run->deviation);
}

static void free_wave(sgf_simulation *simulation)
{
  for (size_t k = 0; k < simulation->running; k++) free_run(&simulation->run[k]);
  free(simulation->run);
  simulation->run = NULL;
  simulation->running = 0;
}

void sgf_simulation_free(sgf_simulation *simulation)
{
  if (simulation == NULL) return;
  sgf_workers_leave(simulation);
  sgf_recording_discard(simulation->recording);
  free_wave(simulation);
  for (size_t k = 0; k < simulation->parts && simulation->part != NULL; k++)
    sgf_engine_free(simulation->part[k].engine);
  if (simulation->part != NULL) sgf_ensemble_free(simulation->part[0].ensemble);
  free(simulation->part);
  free(simulation->balance);
  free(simulation);
}

sgf_status sgf_simulation_grow(sgf_simulation *simulation, size_t replicas, sgf_error *error)
{
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < simulation->parts && status == SGF_OK; k++)
    status = sgf_ensemble_grow(simulation->part[k].ensemble, replicas, error);
  return status;
}

/* ------------------------------------------------------------------- one run */

static uint64_t steps_of(const sgf_simulation *simulation)
{
  return simulation->plan.burn_in_steps + simulation->plan.window_steps;
}

static uint64_t balance_step(const sgf_simulation *simulation, size_t point)
{
  return ((point + 1) * steps_of(simulation) + SGF_BALANCE_POINTS - 1) / SGF_BALANCE_POINTS;
}

size_t sgf_simulation_points(const sgf_simulation *simulation, uint64_t step)
{
  size_t points = 0, most = simulation->part[simulation->active].ensemble->balance_points;
  while (points < most && balance_step(simulation, points) <= step) points++;
  return points;
}

/* Add the change of every balance matrix since theta*. */
static void record_balance(const sgf_simulation *simulation, sgf_run *run)
{
  const sgf_network *network = &simulation->problem->network;
  sgf_ensemble *ensemble = run->accumulator.ensemble;
  size_t at = (run->accumulator.row * ensemble->balance_points + run->points++) * ensemble->balance_size;
  double *row = ensemble->balance + at;
  const double *start = simulation->balance;
  sgf_sgd_weights(&run->sgd, run->theta);
  for (size_t l = 1; l < network->layers; l++) {
    size_t size = network->widths[l] * network->widths[l];
    sgf_balance(network, run->theta, l, run->balance);
    for (size_t k = 0; k < size; k++) row[k] += run->balance[k] - start[k];
    row += size;
    start += size;
  }
}

/* Keep theta - theta* at the start (0) or the end (1) of the window, of one of the replicas that these are kept of. */
static void record_end(const sgf_simulation *simulation, sgf_run *run, size_t which)
{
  sgf_ensemble *ensemble = run->accumulator.ensemble;
  if (run->replica >= ensemble->kept) return;
  double *delta = ensemble->ends + (2 * run->replica + which) * ensemble->n;
  sgf_sgd_weights(&run->sgd, run->theta);
  sgf_ensemble_deviation(ensemble, run->theta, simulation->problem->theta, run->deviation, delta);
}

/* That of all layers together, if it is under way. */
static sgf_recording *recording_of(const sgf_simulation *simulation)
{
  return simulation->active == 0 ? simulation->recording : NULL;
}

/* The first step after `step` at which something is recorded or looked at. */
static uint64_t next_event(const sgf_simulation *simulation, const sgf_run *run, uint64_t step)
{
  const sgf_plan *plan = &simulation->plan;
  uint64_t event = (step / CHECK_INTERVAL + 1) * CHECK_INTERVAL;
  uint64_t snapshot = step < plan->burn_in_steps
                          ? plan->burn_in_steps
                          : plan->burn_in_steps + ((step - plan->burn_in_steps) / plan->stride + 1) * plan->stride;
  if (snapshot < event) event = snapshot;
  if (run->points < run->accumulator.ensemble->balance_points && balance_step(simulation, run->points) < event)
    event = balance_step(simulation, run->points);
  event = sgf_recording_next(recording_of(simulation), run->replica, step, event);
  return event < steps_of(simulation) ? event : steps_of(simulation);
}

/* The run is complete: its sums become the row's means. */
static void complete_run(const sgf_simulation *simulation, sgf_run *run)
{
  sgf_ensemble *ensemble = run->accumulator.ensemble;
  size_t row = run->accumulator.row;
  sgf_accumulator_end(&run->accumulator);
  record_end(simulation, run, 1);
  ensemble->gradient_square[row] += run->sgd.gradient_square / (double)simulation->plan.window_steps;
  sgf_ensemble_close_row(ensemble, row, run->replica / ensemble->info.pools);
}

/* What happens at the step where the run stands. */
static void record(const sgf_simulation *simulation, sgf_run *run)
{
  const sgf_plan *plan = &simulation->plan;
  uint64_t step = run->sgd.step;
  while (run->points < run->accumulator.ensemble->balance_points && balance_step(simulation, run->points) <= step)
    record_balance(simulation, run);
  if (step == plan->burn_in_steps) record_end(simulation, run, 0);
  if (step > plan->burn_in_steps && (step - plan->burn_in_steps) % plan->stride == 0) {
    sgf_sgd_weights(&run->sgd, run->theta);
    sgf_followed_take(&run->accumulator.ensemble->followed, run->replica, run->accumulator.taken, run->theta,
                      simulation->problem->theta);
    sgf_accumulate(&run->accumulator, run->theta, simulation->problem->theta);
  }
  if (sgf_recording_is_due(recording_of(simulation), run->replica, step)) {
    sgf_sgd_weights(&run->sgd, run->theta);
    sgf_recording_take(simulation->recording, run->replica, step, run->theta);
  }
  if (step % CHECK_INTERVAL == 0 || step == steps_of(simulation))
    run->diverged = !(sqrt(sgf_sgd_square_distance(&run->sgd)) < simulation->bound);
  if (step == steps_of(simulation) && !run->diverged) complete_run(simulation, run);
}

/* Take up to `quantum` steps. */
static void advance(const sgf_simulation *simulation, sgf_run *run, uint64_t quantum)
{
  uint64_t total = steps_of(simulation), left = total - run->sgd.step;
  for (uint64_t quota = quantum < left ? quantum : left; quota > 0 && !run->diverged;) {
    uint64_t step = run->sgd.step, event = next_event(simulation, run, step);
    uint64_t taken = event - step < quota ? event - step : quota;
    sgf_sgd_advance(&run->sgd, taken, step >= simulation->plan.burn_in_steps);
    quota -= taken;
    if (run->sgd.step == event) record(simulation, run);
  }
}

/* The run crossed the bound since the last look: run it again, which gives the same bits, and look at every step. */
static sgf_status report_divergence(const sgf_simulation *simulation, size_t replica, sgf_error *error)
{
  sgf_sgd again;
  double distance = 0.0;
  sgf_status status = sgf_sgd_create(simulation->part[simulation->active].engine, replica, &again, error);
  if (status != SGF_OK) return status;
  while (distance < simulation->bound && again.step < steps_of(simulation)) {
    sgf_sgd_advance(&again, 1, false);
    distance = sqrt(sgf_sgd_square_distance(&again));
  }
  status = sgf_fail(error, SGF_ERROR_DIVERGED,
                    "SGD diverged: |theta - theta*| = %g at step %llu of replica %zu, learning rate %g", distance,
                    (unsigned long long)again.step, replica, simulation->problem->settings.training.learning_rate);
  sgf_sgd_free(&again);
  return status;
}

/* --------------------------------------------------------------------- waves */

static sgf_status create_run(sgf_simulation *simulation, size_t replica, sgf_run *run, sgf_error *error)
{
  const sgf_part *part = &simulation->part[simulation->active];
  const sgf_plan *plan = &simulation->plan;
  size_t row = replica % part->ensemble->info.pools;
  sgf_status status;
  run->replica = replica;
  SGF_TRY(sgf_sgd_create(part->engine, replica, &run->sgd, error));
  SGF_TRY(sgf_accumulator_create(part->ensemble, row, plan->window_steps / plan->stride, &run->accumulator, error));
  SGF_TRY(sgf_new_reals(&run->balance, part->ensemble->balance_size, 1, "balance of the layers", error));
  SGF_TRY(sgf_new_reals(&run->theta, simulation->problem->network.weights, 1, "weights of a replica", error));
  if (part->ensemble->directions != NULL)
    SGF_TRY(sgf_new_reals(&run->deviation, part->ensemble->weights, 1, "weights of a replica", error));
done:
  return status;
}

/* The runs of the wave that do not exist yet: those of this process, or all. */
static sgf_status create_runs(sgf_simulation *simulation, bool all, sgf_error *error)
{
  size_t first = simulation->part[simulation->active].complete;
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < simulation->running && status == SGF_OK; k++)
    if (simulation->run[k].sgd.engine == NULL && (all || sgf_workers_own(simulation, k)))
      status = create_run(simulation, first + k, &simulation->run[k], error);
  return status;
}

sgf_status sgf_simulation_open_wave(sgf_simulation *simulation, size_t part, size_t count, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, count, 1, sizeof *simulation->run, "replicas", error);
  if (status != SGF_OK) return status;
  simulation->run = block;
  simulation->active = part;
  simulation->running = count;
  simulation->step = 0;
  status = create_runs(simulation, false, error);
  if (status != SGF_OK) free_wave(simulation);
  return status;
}

sgf_status sgf_simulation_fill_wave(sgf_simulation *simulation, sgf_error *error)
{
  return create_runs(simulation, true, error);
}

void sgf_simulation_trim_wave(sgf_simulation *simulation)
{
  for (size_t k = 0; k < simulation->running; k++)
    if (!sgf_workers_own(simulation, k)) {
      free_run(&simulation->run[k]);
      memset(&simulation->run[k], 0, sizeof simulation->run[k]);
    }
}

size_t sgf_simulation_row(const sgf_simulation *simulation, size_t k)
{
  const sgf_part *part = &simulation->part[simulation->active];
  return (part->complete + k) % part->ensemble->info.pools;
}

/* Replica-steps that were taken, in all parts. */
static double steps_done(const sgf_simulation *simulation)
{
  double done = 0.0;
  for (size_t k = 0; k < simulation->parts; k++)
    done += (double)simulation->part[k].complete * (double)steps_of(simulation);
  if (simulation->running > 0) done += (double)simulation->running * (double)simulation->step;
  return done;
}

/* As many replicas as a wave may have, of different rows. */
static size_t wave_size(const sgf_simulation *simulation, size_t rows, int threads)
{
  double short_runs = WAVE / ((double)steps_of(simulation) * sgf_cost_of_step(simulation->problem));
  size_t most = RUNS_FOR_A_THREAD * (size_t)threads;
  if (short_runs > (double)most) most = short_runs < MOST_RUNS ? (size_t)short_runs : MOST_RUNS;
  return most < rows ? most : rows;
}

/* The part of the fewest complete replicas. */
static size_t most_behind(const sgf_simulation *simulation)
{
  size_t behind = 0;
  for (size_t k = 1; k < simulation->parts; k++)
    if (simulation->part[k].complete < simulation->part[behind].complete) behind = k;
  return behind;
}

/* Begin the next wave. */
static sgf_status begin_wave(sgf_simulation *simulation, size_t replicas, int threads, sgf_error *error)
{
  size_t part = most_behind(simulation);
  sgf_ensemble *ensemble = simulation->part[part].ensemble;
  size_t count = replicas - simulation->part[part].complete;
  size_t most = wave_size(simulation, ensemble->info.pools, threads * (int)simulation->ranks);
  if (count > most) count = most;
  sgf_status status = sgf_simulation_open_wave(simulation, part, count, error);
  status = sgf_workers_agree(simulation, status, error);
  if (status != SGF_OK) free_wave(simulation);
  for (size_t k = 0; k < count && status == SGF_OK; k++) {
    sgf_run *run = &simulation->run[k];
    if (!sgf_workers_own(simulation, k)) continue;
    sgf_ensemble_open_row(ensemble, run->accumulator.row, run->replica / ensemble->info.pools);
    if (simulation->plan.burn_in_steps == 0) record_end(simulation, run, 0);
  }
  return status;
}

/* Take all runs of the wave forward by a quantum. They write to different rows and share nothing else. */
static void round_of(sgf_simulation *simulation, int threads)
{
  double began = omp_get_wtime();
  size_t running = simulation->running;
  double share = (double)running / (double)simulation->ranks;
  uint64_t quantum = (uint64_t)ceil(ROUND / (share * sgf_cost_of_step(simulation->problem)));
  uint64_t left = steps_of(simulation) - simulation->step;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (size_t k = 0; k < running; k++)
    if (sgf_workers_own(simulation, k)) advance(simulation, &simulation->run[k], quantum);
  simulation->step += quantum < left ? quantum : left;
  simulation->seconds += omp_get_wtime() - began;
}

/* See whether a run diverged, whether the wave is complete, and whether all processes want to go on. */
static sgf_status finish_round(sgf_simulation *simulation, bool wanted, sgf_error *error)
{
  size_t first = simulation->part[simulation->active].complete, end = first + simulation->running, diverged = end;
  for (size_t k = 0; k < simulation->running && diverged == end; k++)
    if (simulation->run[k].diverged) diverged = first + k;
  sgf_status status = sgf_recording_check(simulation->recording, error); /* of one process alone */
  if (status != SGF_OK) return status;
  uint64_t news[] = {diverged, wanted};
  sgf_workers_least(simulation, news, sizeof news / sizeof *news);
  if (news[0] < end) {
    bool here = diverged == (size_t)news[0];
    return sgf_workers_agree(simulation, here ? report_divergence(simulation, diverged, error) : SGF_OK, error);
  }
  if (simulation->step == steps_of(simulation)) {
    simulation->part[simulation->active].complete = end;
    free_wave(simulation);
  }
  return news[1] ? SGF_OK : sgf_fail(error, SGF_ERROR_INTERRUPTED, "interrupted in the simulation");
}

/* Which look at a growing ensemble so many replicas are for: 1 up to those planned, 2 up to twice as many, ... */
static size_t look_of(const sgf_plan *plan, size_t replicas)
{
  size_t look = 1;
  for (double most = (double)plan->replicas; most < (double)replicas; most *= 2.0) look++;
  return plan->looks > 1 ? look : 0;
}

/* What is known of the ensembles once the same replicas of all parts are complete, where all rows are. */
static void summarize(sgf_simulation *simulation)
{
  sgf_workers_gather(simulation);
  if (!sgf_workers_lead(simulation)) return;
  sgf_ensemble *joint = simulation->part[0].ensemble;
  for (size_t k = 0; k < simulation->parts; k++) {
    sgf_ensemble_info *info = &simulation->part[k].ensemble->info;
    info->plan.replicas = info->replicas;
    info->plan.look = look_of(&simulation->plan, info->replicas);
    info->steps = (double)info->replicas * (double)steps_of(simulation);
    sgf_ensemble_summarize(simulation->part[k].ensemble);
  }
  joint->info.seconds = simulation->seconds;
}

sgf_status sgf_simulation_run(sgf_simulation *simulation, size_t replicas, int threads, sgf_progress progress,
                              void *context, sgf_error *error)
{
  double total = (double)simulation->parts * (double)replicas * (double)steps_of(simulation);
  sgf_status status = SGF_OK;
  if (threads <= 0) threads = omp_get_max_threads();
  sgf_workers_order(simulation, SGF_ORDER_RUN, replicas, threads);
  SGF_TRY(sgf_workers_agree(simulation, sgf_simulation_grow(simulation, replicas, error), error));
  while (simulation->running > 0 || simulation->part[most_behind(simulation)].complete < replicas) {
    if (simulation->running == 0) SGF_TRY(begin_wave(simulation, replicas, threads, error));
    round_of(simulation, threads);
    bool wanted = progress == NULL || progress(context, steps_done(simulation), total);
    SGF_TRY(finish_round(simulation, wanted, error));
  }
  summarize(simulation);
done:
  return status;
}

const sgf_plan *sgf_simulation_plan(const sgf_simulation *simulation) { return &simulation->plan; }

const sgf_ensemble *sgf_simulation_ensemble(const sgf_simulation *simulation) { return simulation->part[0].ensemble; }

size_t sgf_simulation_replicas(const sgf_simulation *simulation)
{
  size_t replicas = 0;
  for (size_t k = 0; k < simulation->parts; k++) {
    size_t begun = simulation->part[k].complete + (simulation->active == k ? simulation->running : 0);
    if (begun > replicas) replicas = begun;
  }
  return replicas;
}

sgf_status sgf_simulation_end(sgf_simulation *simulation, size_t *replicas, sgf_error *error)
{
  size_t complete = simulation->part[most_behind(simulation)].complete;
  size_t rows = simulation->part[0].ensemble->info.pools;
  *replicas = 0;
  sgf_workers_order(simulation, SGF_ORDER_END, 0, 0);
  if (complete == 0) return sgf_fail(error, SGF_ERROR_VALUE, "the simulation has no complete replica");
  if (simulation->running > 0 && simulation->part[simulation->active].complete >= rows)
    return sgf_fail(error, SGF_ERROR_INTERRUPTED, "the simulation has runs under way in rows of others");
  free_wave(simulation);
  for (size_t k = 0; k < simulation->parts; k++) {
    sgf_ensemble_info *info = &simulation->part[k].ensemble->info;
    info->replicas = complete;
    if (complete < rows) info->pools = complete;
  }
  summarize(simulation);
  *replicas = complete;
  return SGF_OK;
}

sgf_status sgf_simulate(const sgf_problem *problem, const sgf_plan *plan, int threads, sgf_progress progress,
                        void *context, sgf_ensemble **ensemble, sgf_error *error)
{
  sgf_simulation *simulation;
  *ensemble = NULL;
  sgf_status status = sgf_simulation_create(problem, plan, &simulation, error);
  if (status != SGF_OK) return status;
  status = sgf_simulation_run(simulation, plan->replicas, threads, progress, context, error);
  if (status == SGF_OK) {
    *ensemble = simulation->part[0].ensemble;
    simulation->part[0].ensemble = NULL;
  }
  sgf_simulation_free(simulation);
  return status;
}
