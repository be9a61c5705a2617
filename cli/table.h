/* The readable summary on stdout. */
#ifndef SGFLOW_TABLE_H
#define SGFLOW_TABLE_H

#include "job.h"

/* prediction may be NULL: SGD alone. */
void table_print(const job *run, const sgf_prediction *prediction);

#endif
