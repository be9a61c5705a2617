/* A fuzz target as a plain program, for `make check`: runs every file of the corpus and, derived from each, mutations
 * that are the same at every run.
 *
 *   replay CORPUS [MUTATIONS [SEED]]   CORPUS: a folder, or one file
 * A finding ends the program by a signal; mutation.input in the present folder then has the input. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzzing.h"

enum { MOST_INPUTS = 1000, MOST_BYTES = 1 << 16, MOST_EDITS = 4 };

typedef struct {
  uint8_t *bytes;
  size_t size;
} input;

static uint64_t state;

/* A whole number below `bound`: a linear congruential generator, high bits. */
static size_t draw(size_t bound)
{
  state = state * 6364136223846793005u + 1442695040888963407u;
  return bound > 0 ? (size_t)((state >> 33) % bound) : 0;
}

static input read_input(const char *path)
{
  input read = {malloc(MOST_BYTES), 0};
  FILE *file = fopen(path, "rb");
  if (read.bytes == NULL || file == NULL) {
    fprintf(stderr, "%s: cannot be read\n", path);
    exit(1);
  }
  read.size = fread(read.bytes, 1, MOST_BYTES, file);
  fclose(file);
  return read;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The files of a folder in the order of their names, which the mutations depend on. */
static size_t read_corpus(const char *corpus, input *inputs)
{
  char *names[MOST_INPUTS], path[4096];
  size_t count = 0;
  struct stat properties;
  if (stat(corpus, &properties) == 0 && S_ISREG(properties.st_mode)) {
    inputs[0] = read_input(corpus);
    return 1;
  }
  DIR *folder = opendir(corpus);
  for (const struct dirent *entry; folder != NULL && count < MOST_INPUTS && (entry = readdir(folder)) != NULL;)
    if (entry->d_name[0] != '.') names[count++] = strdup(entry->d_name);
  if (folder != NULL) closedir(folder);
  qsort(names, count, sizeof *names, by_name);
  for (size_t k = 0; k < count; k++) {
    snprintf(path, sizeof path, "%s/%s", corpus, names[k]);
    inputs[k] = read_input(path);
    free(names[k]);
  }
  return count;
}

/* One edit in place: a bit, a byte, a number that is likely to be a limit, a block from elsewhere, or another length. */
static size_t edit(uint8_t *bytes, size_t size, const input *other)
{
  static const uint64_t limits[] = {
      0, 1, 2, 127, 255, 256, 65535, INT32_MAX, UINT32_MAX, (uint64_t)1 << 40, INT64_MAX, UINT64_MAX};
  static const size_t widths[] = {1, 2, 4, 8};
  size_t at = draw(size), width = widths[draw(4)], from, length;
  if (size == 0) return 0;
  switch (draw(6)) {
  case 0: bytes[at] ^= (uint8_t)(1u << draw(8)); break;
  case 1: bytes[at] = (uint8_t)draw(256); break;
  case 2:
    if (at + width <= size) memcpy(bytes + at, &limits[draw(sizeof limits / sizeof *limits)], width);
    break;
  case 3:
    from = draw(other->size);
    length = draw(64);
    if (length > size - at) length = size - at;
    if (length > other->size - from) length = other->size - from;
    memcpy(bytes + at, other->bytes + from, length);
    break;
  case 4: return at;
  default:
    length = draw(16);
    if (at + length > size || size + length > MOST_BYTES) break;
    memmove(bytes + at + length, bytes + at, size - at);
    return size + length;
  }
  return size;
}

static input present;

/* What was run when it crashed; good enough for a program that is ending. */
static void keep(int signal_number)
{
  FILE *file = fopen("mutation.input", "wb");
  if (file != NULL) {
    fwrite(present.bytes, 1, present.size, file);
    fclose(file);
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

int main(int argc, char **argv)
{
  static input inputs[MOST_INPUTS];
  static uint8_t mutated[MOST_BYTES];
  size_t mutations = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, count = argc > 1 ? read_corpus(argv[1], inputs) : 0;
  state = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
  if (count == 0) {
    fprintf(stderr, "usage: %s CORPUS [MUTATIONS [SEED]]; a corpus has files\n", argv[0]);
    return 1;
  }
  for (int k = 0; k < 4; k++) signal((int[]){SIGSEGV, SIGBUS, SIGFPE, SIGABRT}[k], keep);
  for (size_t k = 0; k < count; k++) {
    present = inputs[k];
    LLVMFuzzerTestOneInput(inputs[k].bytes, inputs[k].size);
  }
  for (size_t m = 0; m < mutations; m++) {
    const input *seed = &inputs[draw(count)];
    memcpy(mutated, seed->bytes, seed->size);
    present = (input){mutated, seed->size};
    for (size_t edits = 1 + draw(MOST_EDITS); edits > 0; edits--)
      present.size = edit(mutated, present.size, &inputs[draw(count)]);
    LLVMFuzzerTestOneInput(mutated, present.size);
  }
  printf("%zu inputs and %zu mutations, no finding\n", count, mutations);
  for (size_t k = 0; k < count; k++) free(inputs[k].bytes);
  return 0;
}
