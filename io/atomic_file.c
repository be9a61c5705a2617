/* Outputs that appear complete or not at all: written beside their place, synced, renamed. */
#include "atomic_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../theory/memory.h"

static sgf_status text_join(const char *a, const char *b, char **joined, sgf_error *error)
{
  void *block;
  size_t length = strlen(a) + strlen(b) + 1;
  sgf_status status = sgf_allocate(&block, length, 1, 1, "path", error);
  *joined = block;
  if (status == SGF_OK) snprintf(*joined, length, "%s%s", a, b);
  return status;
}

/* What the names of this machine's processes begin with, "HOST-NAMESPACE-": within it a process is known by its number. */
static void name_machine(char *name, size_t capacity)
{
  char host[128] = "", namespace[64] = "";
  if (gethostname(host, sizeof host - 1) != 0) host[0] = '\0';
  for (char *c = host; *c != '\0'; c++)
    if (*c == '/') *c = '_';
  ssize_t length = readlink("/proc/self/ns/pid", namespace, sizeof namespace - 1); /* "pid:[4026531836]" */
  if (length > 0) namespace[length] = '\0';
  snprintf(name, capacity, "%s-%lu-", host, strtoul(namespace + strcspn(namespace, "0123456789"), NULL, 10));
}

/* Whether a name goes on, behind the machine's, with the number of a process that is not there any more. */
static bool is_of_the_dead(const char *rest)
{
  char *end;
  long process = strtol(rest, &end, 10);
  return *end == '-' && process > 0 && kill((pid_t)process, 0) != 0 && errno == ESRCH;
}

/* Remove what killed processes of this machine left beside `stem`. */
static void remove_stale(const char *stem)
{
  char machine[256], prefix[1024], *place = strdup(stem), *name = strdup(stem);
  const char *folder = place != NULL ? dirname(place) : NULL;
  DIR *list = folder != NULL && name != NULL ? opendir(folder) : NULL;
  if (list != NULL) {
    name_machine(machine, sizeof machine);
    int length = snprintf(prefix, sizeof prefix, "%s.part-%s", basename(name), machine);
    bool fits = length > 0 && (size_t)length < sizeof prefix;
    for (const struct dirent *entry; fits && (entry = readdir(list)) != NULL;)
      if (strncmp(entry->d_name, prefix, (size_t)length) == 0 && is_of_the_dead(entry->d_name + length))
        unlinkat(dirfd(list), entry->d_name, 0);
    closedir(list);
  }
  free(place);
  free(name);
}

/* A new empty file "STEM.part-HOST-NAMESPACE-PID-K" with the rights that the umask allows (mkstemp would give the owner's only). */
static sgf_status create_beside(const char *path, const char *stem, char **temporary, sgf_error *error)
{
  char machine[256], suffix[320];
  name_machine(machine, sizeof machine);
  for (int attempt = 0; attempt < 100; attempt++) {
    snprintf(suffix, sizeof suffix, ".part-%s%ld-%d", machine, (long)getpid(), attempt);
    sgf_status status = text_join(stem, suffix, temporary, error);
    if (status != SGF_OK) return status;
    int descriptor = open(*temporary, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (descriptor >= 0) {
      close(descriptor);
      return SGF_OK;
    }
    free(*temporary);
    *temporary = NULL;
    if (errno != EEXIST) break;
  }
  return sgf_fail(error, SGF_ERROR_CREATE, "%s: cannot be created: %s", path, strerror(errno));
}

static sgf_status resolve_target(const char *path, sgf_atomic_file *file, sgf_error *error)
{
  struct stat properties;
  bool exists = stat(path, &properties) == 0;
  if (exists && S_ISDIR(properties.st_mode))
    return sgf_fail(error, SGF_ERROR_CREATE, "%s: cannot be created, it is a folder", path);
  file->device = exists && !S_ISREG(properties.st_mode);
  file->target = exists && !file->device ? realpath(path, NULL) : NULL;
  return file->target != NULL ? SGF_OK : sgf_copy_text(&file->target, path, error);
}

sgf_status sgf_atomic_begin(const char *path, sgf_atomic_file *file, sgf_error *error)
{
  const char *folder = getenv("TMPDIR");
  char *stem = NULL;
  sgf_status status;
  memset(file, 0, sizeof *file);
  SGF_TRY(resolve_target(path, file, error));
  if (file->device)
    SGF_TRY(text_join(folder != NULL && folder[0] != '\0' ? folder : "/tmp", "/sgflow", &stem, error));
  else
    SGF_TRY(sgf_copy_text(&stem, file->target, error));
  remove_stale(stem);
  SGF_TRY(create_beside(path, stem, &file->temporary, error));
done:
  free(stem);
  if (status != SGF_OK) sgf_atomic_discard(file);
  return status;
}

sgf_status sgf_atomic_begin_over(const char *path, const char *suffix, sgf_atomic_file *file, sgf_error *error)
{
  sgf_status status;
  memset(file, 0, sizeof *file);
  SGF_TRY(resolve_target(path, file, error));
  if (file->device) {
    status = sgf_fail(error, SGF_ERROR_CREATE, "%s: cannot be created, it is no regular file", path);
    goto done;
  }
  SGF_TRY(text_join(file->target, suffix, &file->temporary, error));
  int descriptor = open(file->temporary, O_CREAT | O_TRUNC | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0666);
  if (descriptor < 0)
    status = sgf_fail(error, SGF_ERROR_CREATE, "%s: cannot be created: %s", path, strerror(errno));
  else
    close(descriptor);
done:
  if (status != SGF_OK) sgf_atomic_discard(file);
  return status;
}

static bool sync_path(const char *path, int flags)
{
  int descriptor = open(path, flags);
  if (descriptor < 0) return false;
  bool synced = fsync(descriptor) == 0;
  return close(descriptor) == 0 && synced;
}

bool sgf_atomic_sync(const sgf_atomic_file *file) { return sync_path(file->temporary, O_RDWR); }

/* The rename itself is safe without it; a folder that cannot be synced is not an error. */
static void sync_folder(const char *path)
{
  char *copy = strdup(path);
  if (copy != NULL) sync_path(dirname(copy), O_RDONLY | O_DIRECTORY);
  free(copy);
}

/* A device or a pipe to write to; a pipe that nobody reads is an error instead of a wait. */
static int open_sink(const char *path)
{
  int sink = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (sink >= 0) fcntl(sink, F_SETFL, fcntl(sink, F_GETFL) & ~O_NONBLOCK);
  return sink;
}

static bool copy_into(const char *from, const char *to)
{
  char buffer[65536];
  ssize_t got, put;
  int source = open(from, O_RDONLY | O_CLOEXEC), sink = open_sink(to);
  bool good = source >= 0 && sink >= 0;
  while (good && (got = read(source, buffer, sizeof buffer)) != 0) {
    good = got > 0;
    for (ssize_t sent = 0; good && sent < got; sent += put) {
      put = write(sink, buffer + sent, (size_t)(got - sent));
      good = put > 0;
    }
  }
  int reason = errno;
  if (source >= 0) close(source);
  if (sink >= 0) good = close(sink) == 0 && good;
  errno = reason;
  return good;
}

sgf_status sgf_atomic_commit(sgf_atomic_file *file, sgf_error *error)
{
  bool good;
  if (file->device) {
    good = copy_into(file->temporary, file->target);
  } else {
    good = sgf_atomic_sync(file) && rename(file->temporary, file->target) == 0;
    if (good) sync_folder(file->target);
  }
  sgf_status status = good ? SGF_OK
                           : sgf_fail(error, SGF_ERROR_WRITE, "%s: cannot be written: %s", file->target,
                                      file->device && errno == ENXIO ? "it is a pipe that nobody reads, or no device"
                                                                     : strerror(errno));
  if (good && !file->device) {
    free(file->temporary);
    file->temporary = NULL;
  }
  sgf_atomic_discard(file);
  return status;
}

void sgf_atomic_discard(sgf_atomic_file *file)
{
  if (file->temporary != NULL) unlink(file->temporary);
  free(file->temporary);
  free(file->target);
  memset(file, 0, sizeof *file);
}

sgf_status sgf_write_text(const char *path, const char *text, sgf_error *error)
{
  sgf_atomic_file file;
  sgf_status status = sgf_atomic_begin(path, &file, error);
  if (status != SGF_OK) return status;
  FILE *out = fopen(file.temporary, "w");
  bool written = out != NULL && fputs(text, out) >= 0;
  if (out != NULL) written = fclose(out) == 0 && written;
  if (written) return sgf_atomic_commit(&file, error);
  status = sgf_fail(error, SGF_ERROR_WRITE, "%s: cannot be written: %s", path, strerror(errno));
  sgf_atomic_discard(&file);
  return status;
}

sgf_status sgf_check_output(const char *path, sgf_error *error)
{
  sgf_atomic_file file;
  sgf_status status = sgf_atomic_begin(path, &file, error);
  if (status == SGF_OK) sgf_atomic_discard(&file);
  return status;
}
