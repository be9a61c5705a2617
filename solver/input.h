/* What every solver asks of its input, and the certificate that it starts with. */
#ifndef SGF_INPUT_H
#define SGF_INPUT_H

#include "../theory/status.h"

/* SGF_ERROR_VALUE, with the element, unless all of `values` (rows, columns) are finite. */
sgf_status sgf_check_finite(size_t rows, size_t columns, const double *values, const char *name, sgf_error *error);

/* SGF_ERROR_VALUE unless S (n, n) is symmetric to 1e-10 of its norm: less symmetric, it was not meant to be. */
sgf_status sgf_check_symmetric(size_t n, const double *S, const char *name, sgf_error *error);

/* SGF_ERROR_VALUE for an unknown method, a rank tolerance that is neither NaN nor in [0, 1), and memory that is no
 * positive number or 0. */
sgf_status sgf_check_options(const sgf_lyapunov_options *options, sgf_error *error);

/* The exponent e of the power of 2 next to the norm of the values, also where that overflows or is subnormal; 0 for
 * norm 0. */
int sgf_exponent(size_t count, const double *values);

/* copy = 2^shift values, exact but for overflow and underflow; they may be one array. */
void sgf_scaled_copy(size_t count, const double *values, int shift, double *copy);

/* A certificate that says nothing yet. */
sgf_certificate sgf_nothing_known(size_t n, sgf_method method);

#endif
