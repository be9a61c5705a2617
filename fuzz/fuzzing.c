/* What the fuzz targets share. */
#include "fuzzing.h"

#include <gsl/gsl_errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What main does in sgflow. */
__attribute__((constructor)) static void set_libraries(void) { gsl_set_error_handler_off(); }

void fuzz_expect(bool holds, const char *what)
{
  if (holds) return;
  fprintf(stderr, "broken promise: %s\n", what);
  abort();
}

static char path[4096];

static void remove_file(void) { unlink(path); }

const char *fuzz_place(void)
{
  const char *folder = getenv("TMPDIR");
  return folder != NULL && folder[0] != '\0' ? folder : P_tmpdir;
}

/* HDF5 wants the real path of a file, so that it has to have one. */
const char *fuzz_file(const uint8_t *bytes, size_t size)
{
  static int descriptor = -1;
  if (descriptor < 0) {
    snprintf(path, sizeof path, "%.4000s/fuzz_file_" FUZZ_UNIQUE, fuzz_place());
    descriptor = mkstemp(path);
    atexit(remove_file);
  }
  fuzz_expect(descriptor >= 0 && ftruncate(descriptor, 0) == 0 && pwrite(descriptor, bytes, size, 0) == (ssize_t)size,
              "a file");
  return path;
}

void fuzz_expect_message(sgf_status status, const sgf_error *error)
{
  if (status == SGF_OK) return;
  fuzz_expect(error->status == status, "the status is that of the message");
  fuzz_expect(error->message[0] != '\0' && memchr(error->message, '\0', sizeof error->message) != NULL, "a message");
  fuzz_expect(strchr(error->message, '\n') == NULL, "a message of one line");
}

void fuzz_expect_closed(void)
{
  fuzz_expect(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "every object of the file is closed");
}

const sgf_problem *fuzz_problem(void)
{
  static sgf_problem *problem;
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  if (problem != NULL) return problem;
  sgf_settings_init(&settings);
  settings.network.widths = malloc(3 * sizeof *settings.network.widths);
  fuzz_expect(settings.network.widths != NULL, "memory");
  memcpy(settings.network.widths, (size_t[]){3, 2, 2}, 3 * sizeof *settings.network.widths);
  settings.network.width_count = 3;
  settings.data.samples = 12;
  settings.training.batch_size = 4;
  settings.training.learning_rate = 0.02;
  settings.training.sampling = SGF_SAMPLING_EPOCH;
  fuzz_expect(sgf_problem_create(&settings, NULL, false, &problem, &error) == SGF_OK, error.message);
  sgf_settings_free(&settings);
  return problem;
}
