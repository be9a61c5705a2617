/* Folders of sweeps: sweep.yaml, and behind a byte 0 the note of a point that failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../cli/sweep.h"
#include "fuzzing.h"

static char folder[4096], grid_file[4120], note_file[4120];

static void clean(void)
{
  unlink(grid_file);
  unlink(note_file);
  rmdir(folder);
}

static void put(const char *path, const void *bytes, size_t size)
{
  FILE *file = fopen(path, "wb");
  fuzz_expect(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, path);
}

static void make_folder(void)
{
  snprintf(folder, sizeof folder, "%.4000s/fuzz_sweep_" FUZZ_UNIQUE, fuzz_place());
  fuzz_expect(mkdtemp(folder) != NULL, folder);
  snprintf(grid_file, sizeof grid_file, "%s/sweep.yaml", folder);
  snprintf(note_file, sizeof note_file, "%s/point-00000.error", folder);
  atexit(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  const uint8_t *end = size > 0 ? memchr(bytes, '\0', size) : NULL;
  size_t length = end != NULL ? (size_t)(end - bytes) : size;
  sweep found;
  sweep_point point;
  sgf_error error = {SGF_OK, ""};
  if (folder[0] == '\0') make_folder();
  put(grid_file, bytes, length);
  if (end != NULL)
    put(note_file, end + 1, size - length - 1);
  else
    unlink(note_file);
  sgf_status status = sweep_read(folder, &found, &error);
  fuzz_expect_message(status, &error);
  if (status != SGF_OK) return 0;
  status = sweep_look(&found, 0, &point, &error);
  fuzz_expect_message(status, &error);
  if (status == SGF_OK) sweep_point_close(&point);
  sweep_free(&found);
  return 0;
}
