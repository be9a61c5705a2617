/* Inputs that are read by the C library: regular files, never what would wait for a writer. */
#include "regular_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

FILE *sgf_open_regular(const char *path, uint64_t *size)
{
  struct stat properties;
  int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return NULL;
  bool known = fstat(descriptor, &properties) == 0, regular = known && S_ISREG(properties.st_mode);
  FILE *stream = regular ? fdopen(descriptor, "rb") : NULL;
  if (stream != NULL) {
    *size = (uint64_t)properties.st_size;
    return stream;
  }
  int reason = known && !regular ? EINVAL : errno;
  close(descriptor);
  errno = reason;
  return NULL;
}
