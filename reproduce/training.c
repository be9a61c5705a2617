/* What is noted alike of problems that differ in their training, their depth or their data: theory beside SGD. */
#include "training.h"

#include <string.h>

const sgf_quantity *unit_quantity(const study_unit *now, const char *name)
{
  const sgf_quantity *quantities = sgf_comparison_quantities(now->comparison);
  for (size_t k = 0; k < sgf_comparison_get_info(now->comparison)->quantities; k++)
    if (strcmp(quantities[k].name, name) == 0) return &quantities[k];
  return NULL;
}

sgf_status unit_note_quantity(study_unit *now, const char *stream_name, const char *column, const char *quantity,
                              sgf_error *error)
{
  const sgf_quantity *found = unit_quantity(now, quantity);
  return found == NULL
             ? SGF_OK
             : unit_pair(now, stream_name, column, found->predicted, found->measured, found->standard_error, error);
}

sgf_status unit_note_verdict(study_unit *now, const char *stream_name, sgf_error *error)
{
  const sgf_comparison_info *info = sgf_comparison_get_info(now->comparison);
  sgf_status status = unit_number(now, stream_name, "quantities", (double)info->quantities, error);
  return status == SGF_OK ? unit_text(now, stream_name, "comparison", sgf_verdict_text(info->verdict), error)
                          : status;
}
