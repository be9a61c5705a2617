/* Equations in HDF5 files: A, dense or sparse, Q or B, X0. */
#include <stdio.h>

#include "fuzzing.h"

static void expect_sparse(const sgf_sparse *A)
{
  fuzz_expect(A->starts[0] == 0, "the first column begins at 0");
  for (size_t j = 0; j < A->columns; j++) {
    fuzz_expect(A->starts[j] <= A->starts[j + 1], "columns follow each other");
    for (int64_t k = A->starts[j]; k < A->starts[j + 1]; k++)
      fuzz_expect(A->indices[k] >= 0 && (size_t)A->indices[k] < A->rows, "rows are within the matrix");
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  sgf_system system;
  sgf_error error = {SGF_OK, ""};
  char path[64];
  snprintf(path, sizeof path, "%s", fuzz_file(bytes, size));
  for (int initial = 0; initial < 2; initial++) {
    sgf_status status = sgf_system_read(path, NULL, false, initial == 1 ? path : NULL, &system, &error);
    fuzz_expect_message(status, &error);
    fuzz_expect_closed();
    if (status == SGF_OK && system.A == NULL) expect_sparse(&system.sparse);
    if (status != SGF_OK) fuzz_expect(system.A == NULL && system.Q == NULL, "nothing is left after a failure");
    sgf_system_free(&system);
  }
  return 0;
}
