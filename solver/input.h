/* What every solver asks of its input, and the certificate that it starts with. */
#ifndef SGF_INPUT_H
#define SGF_INPUT_H

#include "../theory/status.h"

/* SGF_ERROR_VALUE, with the element, unless all of `values` (rows, columns) are finite. */
sgf_status sgf_check_finite(size_t rows, size_t columns, const double *values, const char *name, sgf_error *error);

/* SGF_ERROR_VALUE unless S (n, n) is symmetric to 1e-10 of its norm: less symmetric, it was not meant to be. */
sgf_status sgf_check_symmetric(size_t n, const double *S, const char *name, sgf_error *error);

/* A certificate that says nothing yet. */
sgf_certificate sgf_nothing_known(size_t n, sgf_method method);

#endif
