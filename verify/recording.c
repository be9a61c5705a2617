/* The weights of a simulation's replicas as they go, in a trajectory file: what `sgflow compare` reads. */
#include "recording.h"

#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "output.h"
#include "simulation.h"

sgf_status sgf_recording_create(const char *path, const sgf_plan *plan, size_t n, size_t every,
                                sgf_recording **recording, sgf_error *error)
{
  void *block;
  *recording = NULL;
  if (every == 0 || plan->window_steps / every < 2)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%s: a snapshot every %zu steps of a window of %zu: at least 2 are needed", path, every,
                    plan->window_steps);
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **recording, "trajectory", error);
  if (status != SGF_OK) return status;
  sgf_recording *made = block;
  *made = (sgf_recording){.replicas = plan->replicas,
                          .snapshots = plan->window_steps / every,
                          .burn_in = plan->burn_in_steps,
                          .every = every};
  sgf_trajectory_shape shape = {made->replicas, made->snapshots, n, every, plan->burn_in_steps};
  status = sgf_trajectory_file_create(path, &shape, &made->file, error);
  if (status == SGF_OK)
    *recording = made;
  else
    free(made);
  return status;
}

bool sgf_recording_is_due(const sgf_recording *recording, size_t replica, uint64_t step)
{
  return recording != NULL && replica < recording->replicas && step > recording->burn_in &&
         (step - recording->burn_in) % recording->every == 0 &&
         (step - recording->burn_in) / recording->every <= recording->snapshots;
}

uint64_t sgf_recording_next(const sgf_recording *recording, size_t replica, uint64_t step, uint64_t most)
{
  if (recording == NULL || replica >= recording->replicas) return most;
  uint64_t past = step > recording->burn_in ? (step - recording->burn_in) / recording->every : 0;
  uint64_t next = recording->burn_in + (past + 1) * recording->every;
  return next < most ? next : most;
}

void sgf_recording_take(sgf_recording *recording, size_t replica, uint64_t step, const double *theta)
{
  size_t t = (size_t)((step - recording->burn_in) / recording->every) - 1;
#pragma omp critical(sgf_recording)
  if (recording->failure.status == SGF_OK)
    sgf_trajectory_file_append(recording->file, replica, t, theta, &recording->failure);
}

sgf_status sgf_recording_check(const sgf_recording *recording, sgf_error *error)
{
  if (recording == NULL || recording->failure.status == SGF_OK) return SGF_OK;
  return sgf_fail(error, recording->failure.status, "%s", recording->failure.message);
}

sgf_status sgf_recording_finish(sgf_recording *recording, size_t complete, sgf_error *error)
{
  sgf_status status = sgf_trajectory_file_finish(
      recording->file, complete < recording->replicas ? complete : recording->replicas, error);
  free(recording);
  return status;
}

void sgf_recording_discard(sgf_recording *recording)
{
  if (recording != NULL) sgf_trajectory_file_discard(recording->file);
  free(recording);
}

/* ---------------------------------------------------------------- simulation */

sgf_status sgf_simulation_record(sgf_simulation *simulation, const char *path, size_t every,
                                 const sgf_provenance *provenance, sgf_error *error)
{
  const sgf_problem *problem = simulation->problem;
  const sgf_plan *plan = &simulation->plan;
  if (simulation->ranks > 1)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "%s: trajectories of several processes are not built", path);
  if (sgf_simulation_replicas(simulation) > 0 || simulation->recording != NULL)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: a trajectory begins before the simulation, and only once", path);
  sgf_status status = sgf_recording_create(path, plan, problem->network.weights, every > 0 ? every : plan->stride,
                                           &simulation->recording, error);
  if (status != SGF_OK || provenance == NULL) return status;
  sgf_hdf5_output *out = sgf_trajectory_file_output(simulation->recording->file);
  sgf_write_provenance(out, provenance, problem);
  sgf_write_problem(out, problem);
  return SGF_OK;
}

sgf_status sgf_simulation_record_end(sgf_simulation *simulation, size_t *replicas, size_t *snapshots,
                                     sgf_error *error)
{
  sgf_recording *recording = simulation->recording;
  size_t complete = simulation->part[0].complete;
  *replicas = *snapshots = 0;
  if (recording == NULL) return SGF_OK;
  *replicas = complete < recording->replicas ? complete : recording->replicas;
  *snapshots = recording->snapshots;
  simulation->recording = NULL;
  if (complete > 0) return sgf_recording_finish(recording, complete, error);
  sgf_recording_discard(recording);
  return SGF_OK;
}
