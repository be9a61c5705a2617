/* Checkpoints. The input is edits of a good one, which this program makes, so that versions and kernels do not matter:
 * two bytes of offset, one of a length 0 to 15, the bytes; offset 0xffff cuts the payload to the two bytes that follow,
 * from its end. The checksum is then made to fit. An input that begins with "sgflow state" is a checkpoint as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "fuzzing.h"

enum { HEAD = 24, TAIL = 32, MOST = 1 << 18 };
static const char IDENTITY[] = "seed: 1\n";
static uint8_t good[MOST];
static size_t good_size;

static bool stop(void *context, double done, double total)
{
  (void)context, (void)done, (void)total;
  return false;
}

/* A run that was stopped in its window. */
static void make_good(void)
{
  static const sgf_plan plan = {
      .replicas = 2, .burn_in_steps = 22000, .window_steps = 250000, .stride = 50, .looks = 5};
  char path[4096];
  sgf_simulation *simulation;
  sgf_error error = {SGF_OK, ""};
  snprintf(path, sizeof path, "%.4000s.good", fuzz_file(good, 0));
  fuzz_expect(sgf_simulation_create(fuzz_problem(), &plan, &simulation, &error) == SGF_OK, error.message);
  sgf_simulation_run(simulation, 2, 1, stop, NULL, &error);
  fuzz_expect(sgf_simulation_save(simulation, path, IDENTITY, &error) == SGF_OK, error.message);
  sgf_simulation_free(simulation);
  FILE *file = fopen(path, "rb");
  fuzz_expect(file != NULL, path);
  good_size = fread(good, 1, sizeof good, file);
  fclose(file);
  sgf_simulation_forget(path);
  fuzz_expect(good_size > HEAD + TAIL && good_size < MOST, "a checkpoint of moderate size");
}

static size_t edited(const uint8_t *bytes, size_t size, uint8_t *file)
{
  size_t length = good_size - HEAD - TAIL;
  uint64_t tail[2];
  memcpy(file, good, good_size);
  for (size_t at = 0; at + 3 <= size;) {
    size_t offset = (size_t)bytes[at] | (size_t)bytes[at + 1] << 8, count = bytes[at + 2] & 15;
    if (offset == 0xffff) {
      size_t cut = count * 256 + (at + 3 < size ? bytes[at + 3] : 0);
      length -= cut < length ? cut : length;
      at += 4;
      continue;
    }
    at += 3;
    for (; count > 0 && at < size; count--, at++, offset++)
      if (offset < length) file[HEAD + offset] = bytes[at];
  }
  tail[0] = length;
  tail[1] = crc32(0, file + HEAD, (unsigned)length);
  memcpy(file + HEAD + length, tail, sizeof tail);
  memcpy(file + HEAD + length + sizeof tail, file, TAIL - sizeof tail);
  return HEAD + length + TAIL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static uint8_t file[MOST + TAIL];
  char fallback[SGF_MESSAGE_LENGTH];
  sgf_simulation *simulation;
  sgf_error error = {SGF_OK, ""};
  if (good_size == 0) make_good();
  bool raw = size >= 12 && memcmp(bytes, "sgflow state", 12) == 0;
  const char *path = raw ? fuzz_file(bytes, size) : fuzz_file(file, edited(bytes, size, file));
  sgf_status status = sgf_simulation_load(fuzz_problem(), path, IDENTITY, &simulation, fallback, &error);
  fuzz_expect_message(status, &error);
  fuzz_expect((status == SGF_OK) == (simulation != NULL), "a simulation if and only if it was loaded");
  if (simulation != NULL) sgf_simulation_run(simulation, 2, 1, stop, NULL, &error);
  sgf_simulation_free(simulation);
  return 0;
}
