/* Leading eigenpairs of a large symmetric operator, from blocks of products: a Rayleigh-Ritz process on block Krylov
 * spaces that are restarted from their best vectors (Golub and Underwood 1977; Halko, Martinsson and Tropp 2011). */
#ifndef SGF_LEADING_EIGEN_H
#define SGF_LEADING_EIGEN_H

#include "status.h"

/* out (count, n) = A v for `count` vectors v (count, n). */
typedef sgf_status (*sgf_symmetric_operator)(const void *context, size_t count, const double *v, double *out,
                                             sgf_error *error);

/* The `count` largest eigenvalues of a positive semidefinite operator.
 *   n         rows; 1 <= count <= n
 *   seed      of the start
 *   values    (count), descending
 *   vectors   (count, n), orthonormal rows
 *   residual  the largest |A v - value v| over the largest value: every pair is that close to an eigenpair. Below 1e-10
 *             unless the spectrum is so dense that the space was restarted SGF_MOST_RESTARTS times
 * Errors: those of the operator, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_leading_eigen(sgf_symmetric_operator operator, const void * context, size_t n, size_t count,
                             uint64_t seed, double *values, double *vectors, double *residual, sgf_error *error);

enum { SGF_MOST_RESTARTS = 12 };

/* Rows that the space has at most: its memory is 3 * rows * n. */
size_t sgf_leading_rows(size_t n, size_t count);

#endif
