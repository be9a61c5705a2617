/* Outputs that appear complete or not at all: written beside their place, synced, renamed. */
#ifndef SGF_ATOMIC_FILE_H
#define SGF_ATOMIC_FILE_H

#include "../theory/status.h"

typedef struct sgf_atomic_file {
  char *target; /* where it goes; a symbolic link is followed */
  char *
      temporary; /* where it is written meanwhile: beside the target, or in TMPDIR when the target is no regular file */
  bool device;   /* the target exists and is a device or a pipe: copied into, not replaced */
} sgf_atomic_file;

/* Choose and create the temporary file; what killed processes of this machine left for the same target is removed. Errors: SGF_ERROR_CREATE that names the folder and the reason. */
sgf_status sgf_atomic_begin(const char *path, sgf_atomic_file *file, sgf_error *error);

/* The same for files that one process at a time writes: the temporary is the target's name and `suffix`, and what a
 * killed process left of it is written over. Errors: SGF_ERROR_CREATE, also for what is no regular file. */
sgf_status sgf_atomic_begin_over(const char *path, const char *suffix, sgf_atomic_file *file, sgf_error *error);

/* Sync it where it is, before what depends on it; sgf_atomic_commit does it too. Returns false with errno set. */
bool sgf_atomic_sync(const sgf_atomic_file *file);

/* Sync and put it in its place. Errors: SGF_ERROR_WRITE; the older target is then intact and the temporary gone. */
sgf_status sgf_atomic_commit(sgf_atomic_file *file, sgf_error *error);

/* Remove the temporary; after a commit it does nothing but free. */
void sgf_atomic_discard(sgf_atomic_file *file);

#endif
