/* Data: X (P, 3) and Y (P, 2) of an HDF5 file. */
#include <math.h>

#include "../theory/dataset.h"
#include "fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  sgf_settings settings;
  sgf_dataset data;
  sgf_error error = {SGF_OK, ""};
  sgf_settings_init(&settings);
  settings.data.source = SGF_SOURCE_FILE;
  sgf_status status = sgf_dataset_create(&settings, fuzz_file(bytes, size), 3, 2, false, &data, &error);
  fuzz_expect_message(status, &error);
  fuzz_expect_closed();
  if (status != SGF_OK) {
    fuzz_expect(data.X == NULL && data.Y == NULL, "nothing is left after a failure");
    return 0;
  }
  for (size_t k = 0; k < data.samples * data.inputs; k++) fuzz_expect(isfinite(data.X[k]), "X is finite");
  for (size_t k = 0; k < data.samples * data.outputs; k++) fuzz_expect(isfinite(data.Y[k]), "Y is finite");
  sgf_dataset_free(&data);
  return 0;
}
