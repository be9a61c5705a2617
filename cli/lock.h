/* One process at a time for a checkpoint. */
#ifndef SGFLOW_LOCK_H
#define SGFLOW_LOCK_H

#include "sgflow.h"

typedef struct run_lock {
  char *path; /* NULL: not taken */
  int descriptor;
} run_lock;

/* Take FILE.lock by flock(2), which ends with the process however that ends. *busy says that another process has it.
 * Where the file system has no locks it counts as taken. Errors: SGF_ERROR_CREATE, SGF_ERROR_MEMORY. */
sgf_status lock_take(const char *file, run_lock *lock, bool *busy, sgf_error *error);

/* Remove it; of what is not taken nothing. */
void lock_release(run_lock *lock);

#endif
