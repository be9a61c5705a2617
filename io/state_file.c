/* Files of program state that must survive anything: versioned, with a checksum, two generations, never half-written.
 *
 * Layout: MAGIC, the byte order, the payload, and at the end its length, its CRC-32 and MAGIC again. */
#include "state_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../theory/memory.h"
#include "regular_file.h"

static const char MAGIC[16] = "sgflow state 1\n";
static const uint64_t BYTE_ORDER_MARK = 0x0102030405060708;
enum { HEAD = 24, TAIL = 32 };
static const char OLDER[] = ".old", UNFINISHED[] = ".new";
/* zlib counts in unsigned int. */
static const size_t PIECE = (size_t)1 << 30;

static uint32_t sum_of(uint32_t sum, const unsigned char *bytes, size_t size)
{
  for (; size > 0;) {
    size_t piece = size < PIECE ? size : PIECE;
    sum = (uint32_t)crc32(sum, bytes, (unsigned)piece);
    bytes += piece;
    size -= piece;
  }
  return sum;
}

static sgf_status cannot_write(const sgf_state_file *state, sgf_error *error)
{
  return sgf_fail(error, SGF_ERROR_WRITE, "%s: cannot be written: %s", state->path, strerror(errno));
}

/* Beside the file itself where `path` is a link to it; NULL when out of memory. Caller frees. */
static char *beside(const char *path, const char *suffix)
{
  struct stat properties;
  bool linked = lstat(path, &properties) == 0 && S_ISLNK(properties.st_mode);
  char *real = linked ? realpath(path, NULL) : NULL;
  size_t length = strlen(real != NULL ? real : path) + strlen(suffix) + 1;
  char *name = malloc(length);
  if (name != NULL) snprintf(name, length, "%s%s", real != NULL ? real : path, suffix);
  free(real);
  return name;
}

static char *older(const char *path) { return beside(path, OLDER); }

/* ---------------------------------------------------------------------- read */

/* NULL with the reason. */
static FILE *open_state(const char *path, uint64_t *size, sgf_error *error)
{
  FILE *stream = sgf_open_regular(path, size);
  bool absent = errno == ENOENT || errno == ENOTDIR;
  if (stream == NULL && errno == EINVAL)
    sgf_fail(error, SGF_ERROR_VALUE, "%s: is no regular file", path);
  else if (stream == NULL)
    sgf_fail(error, absent ? SGF_ERROR_NO_INPUT : SGF_ERROR_VALUE, "%s: cannot be opened: %s", path, strerror(errno));
  return stream;
}

/* What surrounds a payload of this CRC-32. */
static sgf_status check_frame(const char *path, uint64_t size, const unsigned char *head, const unsigned char *end,
                              uint32_t sum, sgf_error *error)
{
  uint64_t mark, tail[2];
  memcpy(&mark, head + sizeof MAGIC, sizeof mark);
  memcpy(tail, end, sizeof tail);
  if (memcmp(head, MAGIC, sizeof MAGIC) != 0)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: is no checkpoint that this version of sgflow reads", path);
  if (mark != BYTE_ORDER_MARK)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: was written by a machine of another byte order", path);
  if (memcmp(end + sizeof tail, MAGIC, sizeof MAGIC) != 0 || tail[0] != size - HEAD - TAIL)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: is truncated: %llu bytes", path, (unsigned long long)size);
  if (tail[1] != sum) return sgf_fail(error, SGF_ERROR_VALUE, "%s: is damaged: its checksum differs", path);
  return SGF_OK;
}

/* Whether it is whole; by pieces, since a run that writes it has no room for another copy. */
static bool is_intact(const char *path)
{
  unsigned char head[HEAD], tail[TAIL], piece[65536];
  uint64_t size;
  uint32_t sum = 0;
  sgf_error reason;
  FILE *stream = open_state(path, &size, &reason);
  if (stream == NULL) return false;
  bool good = size >= HEAD + TAIL && fread(head, HEAD, 1, stream) == 1;
  for (uint64_t left = good ? size - HEAD - TAIL : 0; good && left > 0;) {
    size_t wanted = left < sizeof piece ? (size_t)left : sizeof piece;
    good = fread(piece, 1, wanted, stream) == wanted;
    sum = sum_of(sum, piece, wanted);
    left -= wanted;
  }
  good = good && fread(tail, TAIL, 1, stream) == 1 && check_frame(path, size, head, tail, sum, &reason) == SGF_OK;
  fclose(stream);
  return good;
}

/* The whole file into memory, and its parts checked. Errors with the reason. */
static sgf_status read_generation(const char *path, sgf_state_file *state, sgf_error *error)
{
  uint64_t size;
  void *block = NULL;
  FILE *stream = open_state(path, &size, error);
  if (stream == NULL) return error->status;
  sgf_status status = sgf_allocate(&block, (size_t)size, 1, 1, "checkpoint", error);
  unsigned char *content = block;
  if (status == SGF_OK && (fread(content, 1, (size_t)size, stream) != size || size < HEAD + TAIL))
    status =
        sgf_fail(error, SGF_ERROR_VALUE, "%s: is no whole checkpoint: %llu bytes", path, (unsigned long long)size);
  fclose(stream);
  if (status == SGF_OK)
    status =
        check_frame(path, size, content, content + size - TAIL, sum_of(0, content + HEAD, size - HEAD - TAIL), error);
  if (status == SGF_OK) {
    state->content = content;
    state->size = size - HEAD - TAIL;
  } else {
    free(content);
  }
  return status;
}

sgf_status sgf_state_open(const char *path, sgf_state_file *state, sgf_error *error)
{
  sgf_error newer = {SGF_OK, ""}, old = {SGF_OK, ""};
  *state = (sgf_state_file){.path = path, .reading = true};
  sgf_status status = read_generation(path, state, &newer);
  if (status == SGF_OK) return SGF_OK;
  char *kept = older(path);
  if (kept == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for a path", path);
  sgf_status other = read_generation(kept, state, &old);
  free(kept);
  if (other == SGF_OK) {
    memcpy(state->fallback, newer.message, sizeof state->fallback);
    return SGF_OK;
  }
  if (status == SGF_ERROR_NO_INPUT && other == SGF_ERROR_NO_INPUT)
    return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s", newer.message);
  if (status == SGF_ERROR_NO_INPUT) return sgf_fail(error, other, "%s; there is no newer one", old.message);
  if (other == SGF_ERROR_NO_INPUT) return sgf_fail(error, status, "%s; there is no older one", newer.message);
  return sgf_fail(error, SGF_ERROR_VALUE, "%.240s; %.240s", newer.message, old.message);
}

/* --------------------------------------------------------------------- write */

sgf_status sgf_state_create(const char *path, sgf_state_file *state, sgf_error *error)
{
  *state = (sgf_state_file){.path = path};
  sgf_status status = sgf_atomic_begin_over(path, UNFINISHED, &state->file, error);
  if (status != SGF_OK) return status;
  state->stream = fopen(state->file.temporary, "wb");
  if (state->stream != NULL && fwrite(MAGIC, sizeof MAGIC, 1, state->stream) == 1 &&
      fwrite(&BYTE_ORDER_MARK, sizeof BYTE_ORDER_MARK, 1, state->stream) == 1)
    return SGF_OK;
  status = cannot_write(state, error);
  sgf_state_discard(state);
  return status;
}

static bool write_tail(sgf_state_file *state)
{
  uint64_t tail[2] = {state->length, state->sum};
  bool good = fwrite(tail, sizeof tail, 1, state->stream) == 1 && fwrite(MAGIC, sizeof MAGIC, 1, state->stream) == 1;
  good = fclose(state->stream) == 0 && good;
  state->stream = NULL;
  return good;
}

/* A second name for the file of before, so that `path` is never missing. A damaged one is not kept: the older generation
 * is then what is good. */
static sgf_status keep_older(const sgf_state_file *state, sgf_error *error)
{
  const char *target = state->file.target;
  char *kept = older(target);
  if (kept == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for a path", state->path);
  bool good = !is_intact(target) ||
              ((unlink(kept) == 0 || errno == ENOENT) &&
               (link(target, kept) == 0 || rename(target, kept) == 0)); /* some file systems have no hard links */
  free(kept);
  return good ? SGF_OK : cannot_write(state, error);
}

/* ------------------------------------------------------------------- in memory */

static const char MEMORY[] = "state of a run";

sgf_status sgf_state_to_memory(sgf_state_file *state, sgf_error *error)
{
  *state = (sgf_state_file){.path = MEMORY};
  state->stream = open_memstream(&state->memory, &state->memory_size);
  return state->stream != NULL ? SGF_OK : sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory", MEMORY);
}

sgf_status sgf_state_bytes(sgf_state_file *state, const void **bytes, uint64_t *size, sgf_error *error)
{
  if (fflush(state->stream) != 0 || state->memory_size != state->length)
    return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for %llu bytes", MEMORY,
                    (unsigned long long)state->length);
  *bytes = state->memory;
  *size = state->memory_size;
  return SGF_OK;
}

sgf_status sgf_state_from_memory(size_t size, sgf_state_file *state, void **bytes, sgf_error *error)
{
  void *block;
  *state = (sgf_state_file){.path = MEMORY, .reading = true, .size = size};
  sgf_status status = sgf_allocate(&block, HEAD + size, 1, 1, MEMORY, error);
  state->content = block;
  *bytes = status == SGF_OK ? state->content + HEAD : NULL;
  return status;
}

/* ---------------------------------------------------------------------- both */

sgf_status sgf_state_exchange(sgf_state_file *state, void *bytes, size_t size, sgf_error *error)
{
  if (size == 0) return SGF_OK;
  if (state->reading) {
    if (size > state->size - state->length)
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: ends after %llu bytes, %zu more are expected", state->path,
                      (unsigned long long)state->size, size);
    memcpy(bytes, state->content + HEAD + state->length, size);
  } else {
    if (fwrite(bytes, 1, size, state->stream) != size) return cannot_write(state, error);
    state->sum = sum_of(state->sum, bytes, size);
  }
  state->length += size;
  return SGF_OK;
}

uint64_t sgf_state_left(const sgf_state_file *state) { return state->size - state->length; }

sgf_status sgf_state_expect(sgf_state_file *state, uint64_t number, const char *what, sgf_error *error)
{
  uint64_t found = number;
  sgf_status status = sgf_state_exchange(state, &found, sizeof found, error);
  if (status != SGF_OK || found == number) return status;
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: is a checkpoint of another run: %s is %llu there, %llu here",
                  state->path, what, (unsigned long long)found, (unsigned long long)number);
}

sgf_status sgf_state_finish(sgf_state_file *state, sgf_error *error)
{
  sgf_status status = SGF_OK;
  if (state->reading && state->length != state->size)
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: has %llu bytes that do not belong to it", state->path,
                      (unsigned long long)(state->size - state->length));
  if (!state->reading) {
    /* on the disk before an older one is given up */
    bool written = write_tail(state) && sgf_atomic_sync(&state->file);
    status = written ? keep_older(state, error) : cannot_write(state, error);
    if (status == SGF_OK) status = sgf_atomic_commit(&state->file, error);
  }
  sgf_state_discard(state);
  return status;
}

void sgf_state_discard(sgf_state_file *state)
{
  if (state->stream != NULL) fclose(state->stream);
  if (!state->reading) sgf_atomic_discard(&state->file);
  free(state->content);
  free(state->memory);
  state->memory = NULL;
  state->stream = NULL;
  state->content = NULL;
}

/* Nothing else that has come to have the name; one that was not written to its end may have lost its head. */
static void remove_state(const char *path, bool whole)
{
  char head[sizeof MAGIC];
  uint64_t size;
  sgf_error reason;
  FILE *stream = open_state(path, &size, &reason);
  if (stream == NULL) return;
  size_t length = fread(head, 1, sizeof head, stream);
  bool state = (length == sizeof head || !whole) && memcmp(head, MAGIC, length) == 0;
  fclose(stream);
  if (state) unlink(path);
}

void sgf_state_remove(const char *path)
{
  char *real = realpath(path, NULL), *kept = older(path), *unfinished = beside(path, UNFINISHED);
  remove_state(real != NULL ? real : path, true);
  if (kept != NULL) remove_state(kept, true);
  if (unfinished != NULL) remove_state(unfinished, false);
  free(unfinished);
  free(kept);
  free(real);
}
