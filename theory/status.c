/* Status codes, their names, and the message that goes with a failure. */
#include "status.h"

#include <stdarg.h>
#include <stdio.h>

const char *sgf_status_text(sgf_status status)
{
  switch (status) {
  case SGF_OK: return "success";
  case SGF_ERROR_VALUE: return "unusable setting or data";
  case SGF_ERROR_UNSUPPORTED: return "combination not built";
  case SGF_ERROR_UNSTABLE: return "beyond the stability limit";
  case SGF_ERROR_DIVERGED: return "divergence";
  case SGF_ERROR_NO_INPUT: return "missing input";
  case SGF_ERROR_CREATE: return "output cannot be created";
  case SGF_ERROR_WRITE: return "output cannot be written";
  case SGF_ERROR_MEMORY: return "out of memory";
  case SGF_ERROR_NUMERICAL: return "no convergence";
  case SGF_ERROR_INTERRUPTED: return "interrupted";
  case SGF_ERROR_INCOMPATIBLE: return "noise where the drift vanishes";
  case SGF_ERROR_AMBIGUOUS: return "ambiguous rank";
  }
  return "unknown status";
}

sgf_status sgf_fail(sgf_error *error, sgf_status status, const char *format, ...)
{
  if (error != NULL) {
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    /* texts of files are in it: what a terminal would obey, and further lines, are not */
    for (char *c = error->message; *c != '\0'; c++)
      if ((unsigned char)*c < ' ' || *c == 127) *c = '?';
  }
  return status;
}
