/* Weights: W1 (2, 3) and W2 (2, 2) of an HDF5 file, used as they are. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static const double X[] = {1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 1}, Y[] = {1, 0, 0, 1, 0, 0, 1, 1};
  size_t widths[] = {3, 2, 2};
  char path[64];
  sgf_settings settings, copy;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  snprintf(path, sizeof path, "%s", fuzz_file(bytes, size));
  sgf_settings_init(&settings);
  copy = settings;
  copy.network.widths = widths;
  copy.network.width_count = 3;
  copy.network.weights = path;
  copy.network.relax = false;
  copy.training.batch_size = 2;
  sgf_status status = sgf_problem_from_arrays(&copy, 4, X, Y, NULL, &problem, &error);
  fuzz_expect_message(status, &error);
  fuzz_expect_closed();
  fuzz_expect((status == SGF_OK) == (problem != NULL), "a problem if and only if it was made");
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
  return 0;
}
