/* Matrices in Matrix Market files. */
#include <math.h>

#include "../io/matrix_market.h"
#include "fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  sgf_matrix_market matrix;
  sgf_error error = {SGF_OK, ""};
  const char *path = fuzz_file(bytes, size);
  sgf_is_matrix_market(path);
  sgf_status status = sgf_matrix_market_read(path, &matrix, &error);
  fuzz_expect_message(status, &error);
  if (status == SGF_OK && matrix.dense != NULL)
    for (size_t k = 0; k < matrix.rows * matrix.columns; k++) fuzz_expect(isfinite(matrix.dense[k]), "finite");
  for (size_t j = 0; status == SGF_OK && matrix.dense == NULL && j < matrix.columns; j++)
    for (int64_t k = matrix.sparse.starts[j]; k < matrix.sparse.starts[j + 1]; k++) {
      fuzz_expect(isfinite(matrix.sparse.values[k]), "finite");
      fuzz_expect(matrix.sparse.indices[k] >= 0 && (size_t)matrix.sparse.indices[k] < matrix.rows, "within");
      if (k > matrix.sparse.starts[j])
        fuzz_expect(matrix.sparse.indices[k - 1] < matrix.sparse.indices[k], "rows in order, none twice");
    }
  sgf_matrix_market_free(&matrix);
  return 0;
}
