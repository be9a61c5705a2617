/* A simulation written to a file and read again, to continue to the same bits: one walk over its state serves both. */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../theory/memory.h"
#include "checkpoint.h"
#include "workers.h"

/* Longest description of a run. */
static const uint64_t MOST_IDENTITY = 1 << 20;
/* Steps of a run, and looks, that a plan may have. */
static const size_t MOST_STEPS = (size_t)1 << 52, MOST_LOOKS = 30;

static sgf_status exchange_reals(sgf_state_file *state, double *reals, size_t count, sgf_error *error)
{
  if (reals == NULL) return SGF_OK;
  return sgf_state_exchange(state, reals, count * sizeof *reals, error);
}

static sgf_status exchange_size(sgf_state_file *state, size_t *size, sgf_error *error)
{
  uint64_t number = *size;
  sgf_status status = sgf_state_exchange(state, &number, sizeof number, error);
  *size = (size_t)number;
  return status;
}

static sgf_status not_a_state(const sgf_state_file *state, const char *what, uint64_t number, sgf_error *error)
{
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: is no state of a simulation: %s is %llu", state->path, what,
                  (unsigned long long)number);
}

/* A number from least to most; what is written always is. */
static sgf_status exchange_within(sgf_state_file *state, const char *what, size_t least, size_t most, size_t *number,
                                  sgf_error *error)
{
  sgf_status status = exchange_size(state, number, error);
  if (status == SGF_OK && state->reading && (*number < least || *number > most))
    status = not_a_state(state, what, *number, error);
  return status;
}

static sgf_status exchange_flag(sgf_state_file *state, bool *flag, sgf_error *error)
{
  size_t number = *flag;
  sgf_status status = exchange_within(state, "a flag", 0, 1, &number, error);
  *flag = number != 0;
  return status;
}

/* ------------------------------------------------------------------ identity */

/* The first line in which two descriptions of a run differ, of each. */
static void first_difference(const char **one, const char **other, int *lengths)
{
  size_t line = 0, k = 0;
  const char *a = *one, *b = *other;
  for (; a[k] != '\0' && a[k] == b[k]; k++)
    if (a[k] == '\n') line = k + 1;
  *one += line;
  *other += line;
  lengths[0] = (int)strcspn(*one, "\n");
  lengths[1] = (int)strcspn(*other, "\n");
}

/* Write `text`, or read what is in its place: *there, which the caller frees. */
static sgf_status exchange_text(sgf_state_file *state, const char *text, char **there, sgf_error *error)
{
  uint64_t length = strlen(text);
  void *block = NULL;
  *there = NULL;
  sgf_status status = sgf_state_exchange(state, &length, sizeof length, error);
  if (status == SGF_OK && length > MOST_IDENTITY)
    status = not_a_state(state, "the length of a description", length, error);
  if (status == SGF_OK) status = sgf_allocate(&block, (size_t)length + 1, 1, 1, "checkpoint", error);
  if (status != SGF_OK) return status;
  *there = block;
  if (!state->reading) memcpy(*there, text, (size_t)length);
  return sgf_state_exchange(state, *there, (size_t)length, error);
}

/* Another version may take other steps, and other kernels round otherwise. */
static sgf_status expect_maker(sgf_state_file *state, sgf_error *error)
{
  const char *here = sgf_kernels_of_machine()->name;
  char *version = NULL, *kernels = NULL;
  sgf_status status;
  SGF_TRY(exchange_text(state, sgf_version(), &version, error));
  SGF_TRY(exchange_text(state, here, &kernels, error));
  if (strcmp(version, sgf_version()) != 0)
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: is a checkpoint of version %.40s, this is %s", state->path,
                      version, sgf_version());
  else if (strcmp(kernels, here) != 0)
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: is a checkpoint of the kernels %.40s, here they are %s",
                      state->path, kernels, here);
done:
  free(version);
  free(kernels);
  return status;
}

/* What the run is, as the caller describes it: must be the same text. */
static sgf_status expect_identity(sgf_state_file *state, const char *identity, sgf_error *error)
{
  char *text;
  sgf_status status = exchange_text(state, identity, &text, error);
  if (status == SGF_OK && strcmp(text, identity) != 0) {
    const char *there = text;
    int lengths[2];
    first_difference(&there, &identity, lengths);
    status =
        sgf_fail(error, SGF_ERROR_VALUE, "%s: is a checkpoint of another run: '%.*s' there, '%.*s' here", state->path,
                 lengths[0] < 120 ? lengths[0] : 120, there, lengths[1] < 120 ? lengths[1] : 120, identity);
  }
  free(text);
  return status;
}

static uint64_t digest(const double *reals, size_t count)
{
  uint64_t sum = 0;
  for (size_t k = 0; k < count; k++) /* of each number, so that long arrays need no care for zlib's counts */
    sum = crc32((uLong)sum, (const unsigned char *)&reals[k], sizeof *reals);
  return sum;
}

/* Data, weights and seed, which a description may not have: they must be the same to the last bit. */
static sgf_status expect_problem(sgf_state_file *state, const sgf_problem *problem, sgf_error *error)
{
  const sgf_dataset *data = &problem->data;
  sgf_status status;
  SGF_TRY(sgf_state_expect(state, problem->settings.seed, "seed", error));
  SGF_TRY(sgf_state_expect(state, problem->network.weights, "the number of weights", error));
  SGF_TRY(sgf_state_expect(state, data->samples, "the number of samples", error));
  SGF_TRY(sgf_state_expect(state, digest(data->X, data->samples * data->inputs), "the checksum of data/X", error));
  SGF_TRY(sgf_state_expect(state, digest(data->Y, data->samples * data->outputs), "the checksum of data/Y", error));
  SGF_TRY(sgf_state_expect(state, digest(problem->theta, problem->network.weights), "the checksum of theta*", error));
done:
  return status;
}

/* Replicas of n weights that the rest of the file can be of: it has the ends of all, if these are kept. What a damaged
 * number may make us allocate is bounded by the file or by what is kept. */
static size_t most_replicas(const sgf_state_file *state, size_t n)
{
  size_t fitting = state->reading ? (size_t)(sgf_state_left(state) / (2 * n * sizeof(double))) : SIZE_MAX;
  return fitting < sgf_most_ends(n) ? fitting : MOST_STEPS;
}

static sgf_status exchange_plan(sgf_state_file *state, size_t n, sgf_plan *plan, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(exchange_within(state, "replicas", 1, most_replicas(state, n), &plan->replicas, error));
  SGF_TRY(exchange_within(state, "burn-in", 0, MOST_STEPS, &plan->burn_in_steps, error));
  SGF_TRY(exchange_within(state, "window", 1, MOST_STEPS, &plan->window_steps, error));
  SGF_TRY(exchange_within(state, "stride", 1, MOST_STEPS, &plan->stride, error));
  SGF_TRY(exchange_within(state, "looks", 0, MOST_LOOKS, &plan->looks, error));
  SGF_TRY(exchange_flag(state, &plan->centred, error));
  SGF_TRY(exchange_flag(state, &plan->replicas_chosen, error));
  SGF_TRY(exchange_flag(state, &plan->burn_in_chosen, error));
  SGF_TRY(exchange_flag(state, &plan->window_chosen, error));
  SGF_TRY(exchange_reals(state, &plan->relaxed, 1, error));
  SGF_TRY(exchange_reals(state, &plan->lifetime, 1, error));
done:
  return status;
}

/* The directions that the moments are on, none for the weights themselves. Their bits are those of an eigenproblem and
 * of the machine that solved it, so that the ones of the run are kept. When reading they are allocated here. */
static sgf_status exchange_directions(sgf_state_file *state, size_t weights, size_t *count, double **directions,
                                      sgf_error *error)
{
  sgf_status status;
  SGF_TRY(exchange_size(state, count, error));
  if (state->reading && *count > 0) {
    if (*count > weights || *count > sgf_state_left(state) / (weights * sizeof(double)))
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: has %zu directions of %zu weights", state->path, *count, weights);
    SGF_TRY(sgf_new_reals(directions, *count, weights, "directions", error));
  }
  SGF_TRY(exchange_reals(state, *directions, *count * weights, error));
done:
  return status;
}

/* --------------------------------------------------------------------- state */

static sgf_status exchange_part(sgf_state_file *state, sgf_part *part, sgf_error *error)
{
  sgf_ensemble *ensemble = part->ensemble;
  size_t rows = ensemble->info.pools, n = ensemble->n;
  sgf_status status;
  SGF_TRY(exchange_within(state, "complete replicas", 0, ensemble->info.replicas, &part->complete, error));
  SGF_TRY(sgf_state_expect(state, rows, "the number of rows", error));
  SGF_TRY(exchange_reals(state, ensemble->second, rows * sgf_packed_size(n), error));
  SGF_TRY(exchange_reals(state, ensemble->factors, rows * ensemble->factor_rank * n, error));
  SGF_TRY(exchange_reals(state, ensemble->half_means, rows * 2 * n, error));
  SGF_TRY(exchange_reals(state, ensemble->gradient_square, rows, error));
  SGF_TRY(exchange_reals(state, ensemble->squares, rows * ensemble->square_count, error));
  SGF_TRY(exchange_reals(state, ensemble->ends, ensemble->kept * 2 * n, error));
  SGF_TRY(exchange_reals(state, ensemble->balance, rows * ensemble->balance_points * ensemble->balance_size, error));
done:
  return status;
}

/* What a run has recorded up to a step of its own follows from the plan. */
static sgf_status check_run(const sgf_state_file *state, const sgf_simulation *simulation, const sgf_run *run,
                            sgf_error *error)
{
  const sgf_plan *plan = &simulation->plan;
  uint64_t step = run->sgd.step, total = plan->burn_in_steps + plan->window_steps;
  size_t taken = step > plan->burn_in_steps ? (size_t)(step - plan->burn_in_steps) / plan->stride : 0;
  if (step >= total || step != simulation->run[0].sgd.step)
    return not_a_state(state, "the step of a replica", step, error);
  if (run->accumulator.taken != taken) return not_a_state(state, "snapshots", run->accumulator.taken, error);
  if (run->accumulator.held != taken % run->accumulator.room)
    return not_a_state(state, "snapshots that are held", run->accumulator.held, error);
  if (run->points != sgf_simulation_points(simulation, step)) return not_a_state(state, "points", run->points, error);
  return SGF_OK;
}

sgf_status sgf_checkpoint_run(sgf_state_file *state, sgf_run *run, sgf_error *error)
{
  size_t size = sgf_sgd_state_size(run->sgd.engine);
  sgf_accumulator *accumulator = &run->accumulator;
  void *room, *seen = NULL;
  sgf_status status = sgf_allocate(&room, size, 1, 1, "checkpoint", error);
  if (status != SGF_OK) return status;
  SGF_TRY(sgf_allocate(&seen, run->sgd.sampler.samples, 1, sizeof(bool), "checkpoint", error));
  SGF_TRY(sgf_state_expect(state, run->replica, "a replica", error));
  SGF_TRY(exchange_size(state, &run->points, error));
  SGF_TRY(exchange_size(state, &accumulator->taken, error));
  SGF_TRY(exchange_size(state, &accumulator->held, error));
  SGF_TRY(exchange_reals(state, accumulator->block, sgf_accumulator_size(accumulator), error));
  if (!state->reading) sgf_sgd_save(&run->sgd, room);
  SGF_TRY(sgf_state_exchange(state, room, size, error));
  if (state->reading && !sgf_sgd_load(&run->sgd, room, seen))
    status = sgf_fail(error, SGF_ERROR_VALUE,
                      "%s: is no state of a simulation: the order of the samples of replica %zu "
                      "is no permutation",
                      state->path, run->replica);
done:
  free(seen);
  free(room);
  return status;
}

/* The runs under way, if any. */
static sgf_status exchange_wave(sgf_state_file *state, sgf_simulation *simulation, sgf_error *error)
{
  size_t active = simulation->active, running = simulation->running;
  sgf_status status;
  SGF_TRY(exchange_within(state, "the part under way", 0, simulation->parts - 1, &active, error));
  const sgf_part *part = &simulation->part[active];
  size_t rows = part->ensemble->info.pools, missing = part->ensemble->info.replicas - part->complete;
  SGF_TRY(exchange_within(state, "runs", 0, missing < rows ? missing : rows, &running, error));
  if (running == 0) return SGF_OK;
  if (state->reading && running > sgf_state_left(state) / sgf_sgd_state_size(part->engine))
    return not_a_state(state, "runs", running, error);
  if (state->reading) SGF_TRY(sgf_simulation_open_wave(simulation, active, running, error));
  SGF_TRY(sgf_simulation_fill_wave(simulation, error));
  for (size_t k = 0; k < running; k++) {
    SGF_TRY(sgf_checkpoint_run(state, &simulation->run[k], error));
    if (state->reading) SGF_TRY(check_run(state, simulation, &simulation->run[k], error));
  }
  simulation->step = simulation->run[0].sgd.step;
done:
  return status;
}

/* What is followed along the runs; when reading room is made for it here. */
static sgf_status exchange_followed(sgf_state_file *state, sgf_simulation *simulation, sgf_error *error)
{
  sgf_followed *followed = &simulation->part[0].ensemble->followed;
  size_t count = followed->count, n = simulation->problem->network.weights;
  double *directions = followed->directions, *read = NULL;
  sgf_status status;
  SGF_TRY(exchange_within(state, "directions that are followed", 0, n, &count, error));
  if (count == 0) return SGF_OK;
  if (state->reading) {
    if (count > sgf_state_left(state) / (n * sizeof(double)))
      return not_a_state(state, "directions that are followed", count, error);
    SGF_TRY(sgf_new_reals(&read, count, n, "directions that are followed", error));
    directions = read;
  }
  SGF_TRY(exchange_reals(state, directions, count * n, error));
  if (state->reading) SGF_TRY(sgf_simulation_follow(simulation, count, directions, error));
  SGF_TRY(exchange_reals(state, followed->values, followed->chains * count * followed->draws, error));
done:
  free(read);
  return status;
}

static sgf_status exchange_state(sgf_state_file *state, sgf_simulation *simulation, size_t replicas, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(exchange_reals(state, &simulation->seconds, 1, error));
  SGF_TRY(exchange_within(state, "replicas", simulation->plan.replicas,
                          most_replicas(state, simulation->part[0].ensemble->n), &replicas, error));
  SGF_TRY(sgf_state_expect(state, simulation->parts, "the number of parts", error));
  SGF_TRY(exchange_followed(state, simulation, error));
  if (state->reading) SGF_TRY(sgf_simulation_grow(simulation, replicas, error));
  for (size_t k = 0; k < simulation->parts; k++) SGF_TRY(exchange_part(state, &simulation->part[k], error));
  SGF_TRY(exchange_wave(state, simulation, error));
done:
  return status;
}

static sgf_status write_checkpoint(sgf_simulation *simulation, const char *path, const char *identity,
                                   sgf_error *error)
{
  sgf_state_file state;
  sgf_ensemble *joint = simulation->part[0].ensemble;
  size_t count = joint->directions != NULL ? joint->n : 0;
  sgf_status status = sgf_state_create(path, &state, error);
  if (status != SGF_OK) return status;
  SGF_TRY(expect_maker(&state, error));
  SGF_TRY(expect_identity(&state, identity, error));
  SGF_TRY(expect_problem(&state, simulation->problem, error));
  SGF_TRY(exchange_plan(&state, simulation->problem->network.weights, &simulation->plan, error));
  SGF_TRY(exchange_directions(&state, joint->weights, &count, &joint->directions, error));
  SGF_TRY(exchange_state(&state, simulation, simulation->part[0].ensemble->info.replicas, error));
  SGF_TRY(sgf_state_finish(&state, error));
done:
  if (status != SGF_OK) sgf_state_discard(&state);
  return status;
}

sgf_status sgf_simulation_save(sgf_simulation *simulation, const char *path, const char *identity, sgf_error *error)
{
  sgf_status status = sgf_workers_collect(simulation, error);
  if (status == SGF_OK) status = write_checkpoint(simulation, path, identity, error);
  sgf_simulation_trim_wave(simulation);
  return status;
}

sgf_status sgf_simulation_load(const sgf_problem *problem, const char *path, const char *identity,
                               sgf_simulation **simulation, char *fallback, sgf_error *error)
{
  sgf_state_file state;
  sgf_plan plan = {0};
  size_t count = 0;
  double *directions = NULL;
  *simulation = NULL;
  fallback[0] = '\0';
  sgf_status status = sgf_state_open(path, &state, error);
  if (status != SGF_OK) return status;
  memcpy(fallback, state.fallback, sizeof state.fallback);
  SGF_TRY(expect_maker(&state, error));
  SGF_TRY(expect_identity(&state, identity, error));
  SGF_TRY(expect_problem(&state, problem, error));
  SGF_TRY(exchange_plan(&state, problem->network.weights, &plan, error));
  SGF_TRY(exchange_directions(&state, problem->network.weights, &count, &directions, error));
  if (count > 0) status = sgf_simulation_create_on(problem, &plan, count, directions, simulation, error);
  if (status == SGF_ERROR_UNSUPPORTED)
    status =
        sgf_fail(error, SGF_ERROR_VALUE, "%s: is no state of this simulation: it has %zu directions", path, count);
  SGF_TRY(status);
  if (count == 0) SGF_TRY(sgf_simulation_create(problem, &plan, simulation, error));
  SGF_TRY(exchange_state(&state, *simulation, 0, error));
  SGF_TRY(sgf_state_finish(&state, error));
  SGF_TRY(sgf_workers_distribute(*simulation, error));
  sgf_simulation_trim_wave(*simulation);
done:
  free(directions);
  sgf_state_discard(&state);
  if (status == SGF_OK) return SGF_OK;
  sgf_simulation_free(*simulation);
  *simulation = NULL;
  return status;
}

void sgf_simulation_forget(const char *path) { sgf_state_remove(path); }
