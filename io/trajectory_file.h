/* Weights of SGD as they were at regular steps, written while they are made: what sgf_trajectory_read reads. */
#ifndef SGF_TRAJECTORY_FILE_H
#define SGF_TRAJECTORY_FILE_H

#include "hdf5_file.h"

typedef struct sgf_trajectory_shape {
  size_t replicas, snapshots, weights; /* R, T, n: each 1 or more */
  uint64_t stride;                     /* steps from one snapshot to the next */
  uint64_t burn_in_steps;              /* steps before the window of the first snapshot */
} sgf_trajectory_shape;

typedef struct sgf_trajectory_file sgf_trajectory_file;

/* Begin an HDF5 file with dataset `weights` (R, T, n) float64, chunked, shuffled and compressed with gzip, and its
 * attributes stride and burn_in_steps. It is written beside `path` and takes its place when it is finished.
 *
 * Memory holds of each replica the snapshots of one chunk, some 64 KiB to 8 MiB, not the data. Errors:
 * SGF_ERROR_VALUE for an empty shape; SGF_ERROR_CREATE when the file cannot be created, or when the disk has not room
 * for 8 R T n bytes, which compression takes 10 to 20 % from, with both numbers; SGF_ERROR_MEMORY. */
sgf_status sgf_trajectory_file_create(const char *path, const sgf_trajectory_shape *shape, sgf_trajectory_file **file,
                                      sgf_error *error);

/* The open file, for root attributes that say where it comes from. Not to be finished. */
sgf_hdf5_output *sgf_trajectory_file_output(sgf_trajectory_file *file);

/* Snapshot t of replica r, theta (n); in any order, each once, from one thread at a time. What is not appended is NaN
 * in the file. Errors: SGF_ERROR_VALUE for indices beyond the shape and for a snapshot whose chunk has been written,
 * SGF_ERROR_WRITE with the reason, for instance a full disk: only discarding makes sense then; SGF_ERROR_MEMORY. */
sgf_status sgf_trajectory_file_append(sgf_trajectory_file *file, size_t r, size_t t, const double *theta,
                                      sgf_error *error);

/* Write what is left of the first `replicas`, of which alone the data set then is, put the file in its place, and free; after a
 * failure an older file is intact and nothing else is left. Errors: SGF_ERROR_WRITE. */
sgf_status sgf_trajectory_file_finish(sgf_trajectory_file *file, size_t replicas, sgf_error *error);

/* Remove what has been written and free; NULL is fine. */
void sgf_trajectory_file_discard(sgf_trajectory_file *file);

#endif
