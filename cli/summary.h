/* The summary as JSON on stdout. */
#ifndef SGFLOW_SUMMARY_H
#define SGFLOW_SUMMARY_H

#include "job.h"

/* prediction may be NULL: SGD alone. NaN and infinities become null. False when out of memory. */
bool summary_print(const job *run, const sgf_prediction *prediction);

#endif
