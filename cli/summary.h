/* The summary as JSON on stdout. */
#ifndef SGFLOW_SUMMARY_H
#define SGFLOW_SUMMARY_H

#include "job.h"

/* prediction may be NULL: SGD alone. NaN and infinities become null. False when out of memory. */
bool summary_print(const job *run, const sgf_prediction *prediction);

/* The numbers of a certificate; `failure` is NULL or why there is no solution. */
bool summary_print_certificate(const sgf_certificate *certificate, const char *made_by, const char *failure);

/* The ways to predict, what each would take in seconds (without finding the minimum) and bytes, and which is taken; false
 * when memory ran out. */
bool summary_print_costs(const sgf_costs *costs);

#endif
