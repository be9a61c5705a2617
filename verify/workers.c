/* Simulations in many processes: orders, the problem that all share, and rows and runs on their way. */
#include "workers.h"

#include <stdlib.h>
#include <string.h>

#include "../io/state_file.h"
#include "../theory/memory.h"
#include "checkpoint.h"
#include "kernels.h"

/* What process 0 says next. */
typedef struct {
  uint64_t kind, replicas;
  int64_t threads;
} order;

/* The workers have a simulation; of process 0, as MPI's state one for the process. */
static bool busy;

/* ------------------------------------------------------------------- orders */

static void say(sgf_order_kind kind, size_t replicas, int threads)
{
  order next = {kind, replicas, threads};
  sgf_ranks_await(&next, sizeof next);
}

void sgf_workers_order(const sgf_simulation *simulation, sgf_order_kind kind, size_t replicas, int threads)
{
  if (simulation->ranks > 1 && sgf_ranks_index() == 0) say(kind, replicas, threads);
}

bool sgf_workers_lead(const sgf_simulation *simulation) { return simulation->ranks == 1 || sgf_ranks_index() == 0; }

size_t sgf_workers_owner(const sgf_simulation *simulation, size_t row) { return row % simulation->ranks; }

bool sgf_workers_own(const sgf_simulation *simulation, size_t k)
{
  return simulation->ranks == 1 ||
         sgf_workers_owner(simulation, sgf_simulation_row(simulation, k)) == sgf_ranks_index();
}

void sgf_workers_least(const sgf_simulation *simulation, uint64_t *numbers, size_t count)
{
  if (simulation->ranks > 1) sgf_ranks_least(numbers, count);
}

sgf_status sgf_workers_agree(const sgf_simulation *simulation, sgf_status status, sgf_error *error)
{
  return simulation->ranks > 1 ? sgf_ranks_agree(status, error) : status;
}

/* -------------------------------------------------------------- the problem */

/* What a worker must know before it can make room for the rest. */
typedef struct {
  sgf_settings settings; /* without what its pointers point to */
  sgf_plan plan;
  uint64_t width_count, samples;
} outline;

/* A problem of the shape of the outline; data and theta* are zero, and the data's moments, which no simulation needs,
 * NULL. `widths` is taken over. */
static sgf_status make_room(const outline *shape, size_t *widths, sgf_problem *problem, sgf_error *error)
{
  sgf_dataset *data = &problem->data;
  sgf_status status;
  problem->settings = shape->settings;
  problem->settings.data.input_spectrum = NULL;
  problem->settings.data.input_spectrum_count = 0;
  problem->settings.data.file = NULL;
  problem->settings.network.weights = NULL;
  problem->settings.network.widths = widths;
  SGF_TRY(sgf_network_create(widths, (size_t)shape->width_count, &problem->network, error));
  data->samples = (size_t)shape->samples;
  data->inputs = sgf_network_inputs(&problem->network);
  data->outputs = sgf_network_outputs(&problem->network);
  SGF_TRY(sgf_new_reals(&data->X, data->samples, data->inputs, "data: X", error));
  SGF_TRY(sgf_new_reals(&data->Y, data->samples, data->outputs, "data: Y", error));
  SGF_TRY(sgf_new_reals(&problem->theta, problem->network.weights, 1, "weights", error));
done:
  return status;
}

/* The bits of process 0: what a BLAS made of the data and theta* may differ on another machine. */
static void share_content(const sgf_problem *problem)
{
  const sgf_dataset *data = &problem->data;
  sgf_ranks_broadcast(data->X, data->samples * data->inputs * sizeof(double));
  sgf_ranks_broadcast(data->Y, data->samples * data->outputs * sizeof(double));
  sgf_ranks_broadcast(problem->theta, problem->network.weights * sizeof(double));
}

static sgf_status give_problem(const sgf_problem *problem, const sgf_plan *plan, sgf_error *error)
{
  outline shape = {problem->settings, *plan, problem->network.layers + 1, problem->data.samples};
  sgf_status status;
  sgf_ranks_broadcast(&shape, sizeof shape);
  SGF_TRY(sgf_ranks_agree(SGF_OK, error));
  sgf_ranks_broadcast(problem->network.widths, (problem->network.layers + 1) * sizeof(size_t));
  SGF_TRY(sgf_ranks_agree(SGF_OK, error));
  share_content(problem);
done:
  return status;
}

/* A worker's copy; the caller frees *problem. Errors: SGF_ERROR_MEMORY, on all processes. */
static sgf_status take_problem(sgf_problem **problem, sgf_plan *plan, sgf_error *error)
{
  outline shape;
  void *block = NULL, *widths = NULL;
  sgf_status status;
  *problem = NULL;
  sgf_ranks_broadcast(&shape, sizeof shape);
  *plan = shape.plan;
  status = sgf_allocate(&block, 1, 1, sizeof **problem, "problem", error);
  if (status == SGF_OK)
    status = sgf_allocate(&widths, (size_t)shape.width_count, 1, sizeof(size_t), "settings", error);
  *problem = block;
  SGF_TRY(sgf_ranks_agree(status, error));
  sgf_ranks_broadcast(widths, (size_t)shape.width_count * sizeof(size_t));
  status = make_room(&shape, widths, *problem, error);
  widths = NULL;
  SGF_TRY(sgf_ranks_agree(status, error));
  share_content(*problem);
done:
  free(widths);
  return status;
}

sgf_status sgf_workers_join(sgf_simulation *simulation, sgf_status status, sgf_error *error)
{
  bool leads = sgf_ranks_index() == 0;
  if (sgf_ranks_count() == 1 || (leads && (status != SGF_OK || busy))) return status;
  if (leads) {
    say(SGF_ORDER_CREATE, 0, 0);
    status = give_problem(simulation->problem, &simulation->plan, error);
    if (status != SGF_OK) return status;
  }
  status = sgf_ranks_agree(status, error);
  if (status != SGF_OK) return status;
  simulation->ranks = sgf_ranks_count();
  busy = true;
  return SGF_OK;
}

void sgf_workers_leave(sgf_simulation *simulation)
{
  if (simulation->ranks == 1) return;
  sgf_workers_order(simulation, SGF_ORDER_FREE, 0, 0);
  busy = false;
}

/* ------------------------------------------------------------ rows and runs */

/* items (count, length): item k is of row k mod rows, and goes from the row's process to process 0, or back. */
static void transfer(const sgf_simulation *simulation, size_t rows, double *items, size_t count, size_t length,
                     bool back)
{
  size_t here = sgf_ranks_index();
  for (size_t k = 0; k < count && items != NULL; k++) {
    size_t owner = sgf_workers_owner(simulation, k % rows), size = length * sizeof *items;
    if (owner == 0 || (here != 0 && here != owner)) continue;
    if ((here == 0) == back)
      sgf_ranks_send(here == 0 ? owner : 0, items + k * length, size);
    else
      sgf_ranks_receive(here == 0 ? owner : 0, items + k * length, size);
  }
}

static void transfer_rows(const sgf_simulation *simulation, bool back)
{
  for (size_t p = 0; p < simulation->parts && simulation->ranks > 1; p++) {
    const sgf_ensemble *made = simulation->part[p].ensemble;
    size_t rows = made->info.pools, n = made->n;
    transfer(simulation, rows, made->second, rows, sgf_packed_size(n), back);
    transfer(simulation, rows, made->factors, rows, made->factor_rank * n, back);
    transfer(simulation, rows, made->half_means, rows, 2 * n, back);
    transfer(simulation, rows, made->gradient_square, rows, 1, back);
    transfer(simulation, rows, made->balance, rows, made->balance_points * made->balance_size, back);
    transfer(simulation, rows, made->ends, made->kept, 2 * n, back);
    transfer(simulation, rows, made->followed.values, made->followed.chains,
             made->followed.count * made->followed.draws, back);
  }
}

void sgf_workers_gather(const sgf_simulation *simulation) { transfer_rows(simulation, false); }

/* The state of a run, as a checkpoint has it; 0 bytes when there was no memory for it. */
static sgf_status send_run(size_t to, sgf_run *run, sgf_error *error)
{
  sgf_state_file state;
  const void *bytes = NULL;
  uint64_t size = 0, ready = 0;
  sgf_status status = sgf_state_to_memory(&state, error);
  if (status == SGF_OK) status = sgf_checkpoint_run(&state, run, error);
  if (status == SGF_OK) status = sgf_state_bytes(&state, &bytes, &size, error);
  if (status != SGF_OK) size = 0;
  sgf_ranks_send(to, &size, sizeof size);
  if (size > 0) sgf_ranks_receive(to, &ready, sizeof ready);
  if (ready) sgf_ranks_send(to, bytes, (size_t)size);
  sgf_state_discard(&state);
  return status;
}

static sgf_status receive_run(size_t from, sgf_run *run, sgf_error *error)
{
  sgf_state_file state;
  void *bytes;
  uint64_t size = 0;
  sgf_ranks_receive(from, &size, sizeof size);
  if (size == 0) return SGF_OK; /* the sender says why */
  sgf_status status = sgf_state_from_memory((size_t)size, &state, &bytes, error);
  uint64_t ready = status == SGF_OK;
  sgf_ranks_send(from, &ready, sizeof ready);
  if (status != SGF_OK) return status;
  sgf_ranks_receive(from, bytes, (size_t)size);
  status = sgf_checkpoint_run(&state, run, error);
  sgf_state_discard(&state);
  return status;
}

static sgf_status transfer_runs(sgf_simulation *simulation, bool back, sgf_error *error)
{
  size_t here = sgf_ranks_index();
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < simulation->running; k++) {
    sgf_run *run = &simulation->run[k];
    size_t owner = sgf_workers_owner(simulation, sgf_simulation_row(simulation, k));
    if (owner == 0 || (here != 0 && here != owner)) continue;
    sgf_error failure = {.status = SGF_OK};
    size_t other = here == 0 ? owner : 0;
    if ((here == 0) == back)
      send_run(other, run, &failure);
    else
      receive_run(other, run, &failure);
    if (status == SGF_OK && failure.status != SGF_OK) status = sgf_fail(error, failure.status, "%s", failure.message);
  }
  return sgf_ranks_agree(status, error);
}

sgf_status sgf_workers_collect(sgf_simulation *simulation, sgf_error *error)
{
  if (simulation->ranks == 1) return SGF_OK;
  sgf_workers_order(simulation, SGF_ORDER_COLLECT, 0, 0);
  sgf_status status = sgf_workers_lead(simulation) ? sgf_simulation_fill_wave(simulation, error) : SGF_OK;
  SGF_TRY(sgf_ranks_agree(status, error));
  transfer_rows(simulation, false);
  SGF_TRY(transfer_runs(simulation, false, error));
done:
  return status;
}

/* Where the simulation stands, and room for that. */
static sgf_status share_standing(sgf_simulation *simulation, sgf_error *error)
{
  uint64_t standing[4] = {simulation->part[0].ensemble->info.replicas, simulation->active, simulation->running,
                          simulation->step};
  bool leads = sgf_workers_lead(simulation);
  sgf_status status = SGF_OK;
  sgf_ranks_broadcast(standing, sizeof standing);
  for (size_t p = 0; p < simulation->parts; p++)
    sgf_ranks_broadcast(&simulation->part[p].complete, sizeof simulation->part[p].complete);
  if (!leads) status = sgf_simulation_grow(simulation, (size_t)standing[0], error);
  if (!leads && status == SGF_OK && standing[2] > 0)
    status = sgf_simulation_open_wave(simulation, (size_t)standing[1], (size_t)standing[2], error);
  simulation->step = standing[3];
  return sgf_ranks_agree(status, error);
}

sgf_status sgf_workers_distribute(sgf_simulation *simulation, sgf_error *error)
{
  sgf_status status;
  if (simulation->ranks == 1) return SGF_OK;
  sgf_workers_order(simulation, SGF_ORDER_DISTRIBUTE, 0, 0);
  SGF_TRY(share_standing(simulation, error));
  transfer_rows(simulation, true);
  SGF_TRY(transfer_runs(simulation, true, error));
done:
  return status;
}

/* ------------------------------------------------------- a worker, from outside */

/* Checks that have a chance to fail only where nodes differ. */
static sgf_status compare_with_leader(sgf_error *error)
{
  struct {
    char version[64], kernels[64];
    uint64_t settings;
  } leader = {{0}, {0}, sizeof(sgf_settings)};
  const char *kernels = sgf_kernels_of_machine()->name;
  strncpy(leader.version, sgf_version(), sizeof leader.version - 1);
  strncpy(leader.kernels, kernels, sizeof leader.kernels - 1);
  sgf_ranks_broadcast(&leader, sizeof leader);
  if (strcmp(leader.version, sgf_version()) != 0 || leader.settings != sizeof(sgf_settings))
    return sgf_fail(error, SGF_ERROR_VALUE, "process %zu is sgflow %s, process 0 is %s", sgf_ranks_index(),
                    sgf_version(), leader.version);
  if (strcmp(leader.kernels, kernels) != 0)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "the machine of process %zu has the vector instructions %s, that of process 0 %s: the bits would "
                    "depend on who runs a replica",
                    sgf_ranks_index(), kernels, leader.kernels);
  return SGF_OK;
}

sgf_status sgf_workers_begin(bool *leads, sgf_error *error)
{
  *leads = true;
  sgf_status status = sgf_ranks_open(error);
  if (status != SGF_OK || sgf_ranks_count() == 1) return status;
  *leads = sgf_ranks_index() == 0;
  status = sgf_ranks_agree(compare_with_leader(error), error);
  if (status != SGF_OK) sgf_ranks_close();
  return status;
}

/* What a worker has between orders. */
typedef struct {
  sgf_problem *problem;
  sgf_simulation *simulation;
} workplace;

static void leave(workplace *here)
{
  sgf_simulation_free(here->simulation);
  sgf_problem_free(here->problem);
  *here = (workplace){NULL, NULL};
}

/* Failures are known to process 0, which decides what comes of them. */
static void obey(const order *next, sgf_progress progress, void *context, workplace *here)
{
  sgf_error error = {.status = SGF_OK};
  sgf_plan plan;
  size_t replicas;
  switch ((sgf_order_kind)next->kind) {
  case SGF_ORDER_CREATE:
    if (take_problem(&here->problem, &plan, &error) == SGF_OK)
      sgf_simulation_create(here->problem, &plan, &here->simulation, &error);
    if (here->simulation == NULL) leave(here);
    break;
  case SGF_ORDER_RUN:
    sgf_simulation_run(here->simulation, (size_t)next->replicas, (int)next->threads, progress, context, &error);
    break;
  case SGF_ORDER_FOLLOW: sgf_simulation_follow(here->simulation, (size_t)next->replicas, NULL, &error); break;
  case SGF_ORDER_END: sgf_simulation_end(here->simulation, &replicas, &error); break;
  case SGF_ORDER_COLLECT: sgf_workers_collect(here->simulation, &error); break;
  case SGF_ORDER_DISTRIBUTE: sgf_workers_distribute(here->simulation, &error); break;
  case SGF_ORDER_FREE:
  case SGF_ORDER_DISMISS: leave(here); break;
  }
}

void sgf_workers_serve(sgf_progress progress, void *context)
{
  workplace here = {NULL, NULL};
  order next = {.kind = SGF_ORDER_FREE};
  while (sgf_ranks_count() > 1 && next.kind != SGF_ORDER_DISMISS) {
    sgf_ranks_await(&next, sizeof next);
    obey(&next, progress, context, &here);
  }
}

void sgf_workers_end(void)
{
  if (sgf_ranks_count() > 1 && sgf_ranks_index() == 0) say(SGF_ORDER_DISMISS, 0, 0);
  sgf_ranks_close();
  busy = false;
}
