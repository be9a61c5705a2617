/* Failing with a message: every fallible function ends in one of these. */
#ifndef SGF_STATUS_H
#define SGF_STATUS_H

#include "sgflow.h"

/* Store status and message (printf style) in `error`, which may be NULL; returns the status. */
sgf_status sgf_fail(sgf_error *error, sgf_status status, const char *format, ...) SGF_PRINTF(3, 4);

/* Inside a function with a local `status` and a label `done`: leave if an expression failed. */
#define SGF_TRY(expression)          \
  do {                               \
    status = (expression);           \
    if (status != SGF_OK) goto done; \
  } while (0)

#endif
