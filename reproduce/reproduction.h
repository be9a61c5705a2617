/* One run of `sgflow reproduce`: studies completed, tables, figures and pages written. */
#ifndef SGFLOW_REPRODUCTION_H
#define SGFLOW_REPRODUCTION_H

#include "page.h"

typedef struct reproduction {
  study_run run;
  const char *const *ids; /* NULL: all */
  size_t id_count;
  bool overwrite;      /* also what another scale made */
  const char *command; /* that makes it, without the ids: "sgflow reproduce --out DIR" */
  made *all;           /* (CATALOGUE_SIZE), made here */
  bool drawn;          /* gnuplot drew all figures */
} reproduction;

/* Make the exhibits that are asked for, and tables, figures and pages of all that are complete then.
 * Ids that are none are left out. Errors: SGF_ERROR_CREATE for a folder that cannot be made, is in use, or
 * holds another scale; SGF_ERROR_INTERRUPTED; those of the studies and of the files. */
sgf_status reproduce(reproduction *of, sgf_error *error);
void reproduction_free(reproduction *of);

/* Whether exhibit k of the catalogue is asked for. */
bool reproduction_wants(const reproduction *of, size_t k);

#endif
