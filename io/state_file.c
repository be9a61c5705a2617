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

static const char MAGIC[16] = "sgflow state 1\n";
static const uint64_t BYTE_ORDER_MARK = 0x0102030405060708;
enum { HEAD = 24, TAIL = 32 };
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

/* --------------------------------------------------------------------- write */

sgf_status sgf_state_create(const char *path, sgf_state_file *state, sgf_error *error)
{
  *state = (sgf_state_file){.path = path};
  sgf_status status = sgf_atomic_begin(path, &state->file, error);
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

static char *older(const char *path)
{
  char *name = malloc(strlen(path) + sizeof ".old");
  if (name != NULL) sprintf(name, "%s.old", path);
  return name;
}

/* A second name for the file of before, so that `path` is never missing. */
static sgf_status keep_older(const sgf_state_file *state, sgf_error *error)
{
  const char *target = state->file.target;
  char *kept = older(target);
  struct stat properties;
  if (kept == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for a path", state->path);
  bool good = stat(target, &properties) != 0 ||
              ((unlink(kept) == 0 || errno == ENOENT) &&
               (link(target, kept) == 0 || rename(target, kept) == 0)); /* some file systems have no hard links */
  free(kept);
  return good ? SGF_OK : cannot_write(state, error);
}

/* ---------------------------------------------------------------------- read */

/* The whole file into memory, and its parts checked. Errors with the reason. */
static sgf_status read_generation(const char *path, sgf_state_file *state, sgf_error *error)
{
  struct stat properties;
  uint64_t mark, tail[2];
  void *block = NULL;
  FILE *stream = fopen(path, "rb");
  if (stream == NULL)
    return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: cannot be opened: %s", path, strerror(errno));
  if (fstat(fileno(stream), &properties) != 0 || !S_ISREG(properties.st_mode)) properties.st_size = 0;
  size_t size = (size_t)properties.st_size;
  sgf_status status = sgf_allocate(&block, size, 1, 1, "checkpoint", error);
  unsigned char *content = block;
  if (status == SGF_OK && (fread(content, 1, size, stream) != size || size < HEAD + TAIL))
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: is not a whole checkpoint: %zu bytes", path, size);
  fclose(stream);
  if (status == SGF_OK) {
    memcpy(&mark, content + sizeof MAGIC, sizeof mark);
    memcpy(tail, content + size - TAIL, sizeof tail);
    if (memcmp(content, MAGIC, sizeof MAGIC) != 0)
      status = sgf_fail(error, SGF_ERROR_VALUE, "%s: is not a checkpoint of this version of sgflow", path);
    else if (mark != BYTE_ORDER_MARK)
      status = sgf_fail(error, SGF_ERROR_VALUE, "%s: was written by a machine of another byte order", path);
    else if (memcmp(content + size - sizeof MAGIC, MAGIC, sizeof MAGIC) != 0 || tail[0] != size - HEAD - TAIL)
      status = sgf_fail(error, SGF_ERROR_VALUE, "%s: is truncated", path);
    else if (tail[1] != sum_of(0, content + HEAD, size - HEAD - TAIL))
      status = sgf_fail(error, SGF_ERROR_VALUE, "%s: is damaged: its checksum differs", path);
  }
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
  if (other == SGF_ERROR_NO_INPUT) return sgf_fail(error, status, "%s; there is no older one", newer.message);
  return sgf_fail(error, SGF_ERROR_VALUE, "%.240s; %.240s", newer.message, old.message);
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
    status = write_tail(state) ? keep_older(state, error) : cannot_write(state, error);
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
  state->stream = NULL;
  state->content = NULL;
}

void sgf_state_remove(const char *path)
{
  char *kept = older(path);
  unlink(path);
  if (kept != NULL) unlink(kept);
  free(kept);
}
