/* Outputs of earlier runs, opened for reading. */
#include <stdlib.h>
#include <string.h>

#include "../theory/memory.h"
#include "hdf5_file.h"

struct sgf_results {
  char *path;
  sgf_hdf5_input input;
};

/* What every output has. */
static sgf_status check_origin(const sgf_results *results, sgf_error *error)
{
  static const char *const marks[] = {"version", "config", "request"};
  for (size_t k = 0; k < sizeof marks / sizeof *marks; k++) {
    char *text = sgf_results_text(results, marks[k]);
    free(text);
    if (text == NULL)
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: not an output of sgflow: it has no attribute %s", results->path,
                      marks[k]);
  }
  return SGF_OK;
}

sgf_status sgf_results_open(const char *path, sgf_results **results, sgf_error *error)
{
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **results, "results", error);
  *results = NULL;
  if (status != SGF_OK) return status;
  sgf_results *opened = block;
  memset(opened, 0, sizeof *opened);
  SGF_TRY(sgf_copy_text(&opened->path, path, error));
  SGF_TRY(sgf_hdf5_open(opened->path, &opened->input, error));
  SGF_TRY(check_origin(opened, error));
  *results = opened;
done:
  if (status != SGF_OK) sgf_results_close(opened);
  return status;
}

void sgf_results_close(sgf_results *results)
{
  if (results == NULL) return;
  sgf_hdf5_close(&results->input);
  free(results->path);
  free(results);
}

double sgf_results_number(const sgf_results *results, const char *name)
{
  return sgf_hdf5_number(&results->input, name);
}

char *sgf_results_text(const sgf_results *results, const char *name) { return sgf_hdf5_text(&results->input, name); }
