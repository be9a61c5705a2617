/* The pages: index.html of the paper's claims, real-data.html of real data, and what they say of their making. */
#ifndef SGFLOW_PAGE_H
#define SGFLOW_PAGE_H

#include "exhibit.h"

/* An exhibit as it is now. */
typedef struct made {
  const exhibit *of;
  frame table;
  bool complete; /* all units of its study are there; else it is not shown */
  bool drawn;
  size_t agree, disagree, inconclusive; /* cases by verdict */
} made;

/* Count the verdicts of a table. */
void made_count(made *one);

/* index.html, or real-data.html.
 *   provenance  of columns `what` and `value`, shown as it is
 *   command     that makes one exhibit, without its name: "sgflow reproduce --out DIR"
 * All numbers shown are texts of the tables' CSVs, of summary.csv, or of provenance.csv. Errors: as sgf_write_text. */
sgf_status page_write(const made *all, size_t count, const frame *provenance, const char *command, const char *folder,
                      bool real_data, sgf_error *error);

#endif
