/* One process at a time for a checkpoint. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether the file is still there under its name: whoever had the lock may have removed it after we opened it. */
static bool is_current(int descriptor, const char *path)
{
  struct stat ours, there;
  return fstat(descriptor, &ours) == 0 && stat(path, &there) == 0 && ours.st_dev == there.st_dev &&
         ours.st_ino == there.st_ino;
}

static sgf_status cannot_create(const char *file, sgf_error *error)
{
  snprintf(error->message, sizeof error->message, "%.400s: cannot be created: %s", file, strerror(errno));
  return error->status = SGF_ERROR_CREATE;
}

sgf_status lock_take(const char *file, run_lock *lock, bool *busy, sgf_error *error)
{
  char *path;
  *lock = (run_lock){NULL, -1};
  *busy = false;
  if (asprintf(&path, "%s.lock", file) < 0) {
    snprintf(error->message, sizeof error->message, "no memory for a path");
    return error->status = SGF_ERROR_MEMORY;
  }
  for (;;) {
    int descriptor = open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (descriptor < 0) {
      free(path);
      return cannot_create(file, error);
    }
    *busy = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!*busy && is_current(descriptor, path)) {
      *lock = (run_lock){path, descriptor};
      return SGF_OK;
    }
    close(descriptor);
    if (*busy) break;
  }
  free(path);
  return SGF_OK;
}

void lock_release(run_lock *lock)
{
  if (lock->path == NULL) return;
  unlink(lock->path); /* while it is ours */
  close(lock->descriptor);
  free(lock->path);
  *lock = (run_lock){NULL, -1};
}
