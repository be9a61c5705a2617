/* Outputs of earlier runs, as sgflow merge reads them. */
#include <stdlib.h>

#include "fuzzing.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
  static const char *const numbers[] = {"seed", "theory/min_loss", "theory/rank_hessian",
                                        "comparison/trace/predicted", "comparison/trace/deviation"};
  static const char *const texts[] = {"request", "version", "config", "comparison/verdict",
                                      "comparison/trace/verdict"};
  sgf_results *results;
  sgf_error error = {SGF_OK, ""};
  sgf_status status = sgf_results_open(fuzz_file(bytes, size), &results, &error);
  fuzz_expect_message(status, &error);
  fuzz_expect((status == SGF_OK) == (results != NULL), "results if and only if they were opened");
  if (results == NULL) return 0;
  for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) sgf_results_number(results, numbers[k]);
  for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) free(sgf_results_text(results, texts[k]));
  sgf_results_close(results);
  fuzz_expect_closed();
  return 0;
}
