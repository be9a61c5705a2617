/* The weights of a simulation's replicas as they go, in a trajectory file. */
#ifndef SGF_RECORDING_H
#define SGF_RECORDING_H

#include "../io/trajectory_file.h"

typedef struct sgf_recording {
  sgf_trajectory_file *file;
  size_t replicas, snapshots; /* the first so many replicas; snapshots of each */
  uint64_t burn_in, every;    /* steps */
  sgf_error failure;          /* the first one */
} sgf_recording;

/* Begin a file at `path` for `replicas` runs of n weights, a snapshot every `every` steps of the window. Errors: those of
 * sgf_trajectory_file_create; SGF_ERROR_VALUE for an `every` that leaves fewer than 2 snapshots. */
sgf_status sgf_recording_create(const char *path, const sgf_plan *plan, size_t n, size_t every,
                                sgf_recording **recording, sgf_error *error);

/* Whether a snapshot of this replica is due, and the next step after `step` at which one is, at most `most`. A recording may be
 * NULL: none is. */
bool sgf_recording_is_due(const sgf_recording *recording, size_t replica, uint64_t step);
uint64_t sgf_recording_next(const sgf_recording *recording, size_t replica, uint64_t step, uint64_t most);

/* Take the snapshot; from any thread. A failure is kept for sgf_recording_check. */
void sgf_recording_take(sgf_recording *recording, size_t replica, uint64_t step, const double *theta);

/* What failed, if anything did. Errors: SGF_ERROR_WRITE, SGF_ERROR_MEMORY. */
sgf_status sgf_recording_check(const sgf_recording *recording, sgf_error *error);

/* Put the file in its place, with the replicas that are complete, and free. Errors: SGF_ERROR_WRITE. */
sgf_status sgf_recording_finish(sgf_recording *recording, size_t complete, sgf_error *error);
/* Remove what has been written and free; NULL is fine. */
void sgf_recording_discard(sgf_recording *recording);

#endif
