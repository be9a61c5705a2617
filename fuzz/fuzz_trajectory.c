/* Recorded weights: dataset weights (R, T, 10) or (T, 10) of an HDF5 file. */
#include "fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  sgf_ensemble *ensemble;
  sgf_error error = {SGF_OK, ""};
  sgf_status status = sgf_trajectory_read(fuzz_file(bytes, size), fuzz_problem(), &ensemble, &error);
  fuzz_expect_message(status, &error);
  fuzz_expect_closed();
  fuzz_expect((status == SGF_OK) == (ensemble != NULL), "an ensemble if and only if it was read");
  sgf_ensemble_free(ensemble);
  return 0;
}
