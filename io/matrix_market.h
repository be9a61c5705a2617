/* Matrices in Matrix Market files: https://math.nist.gov/MatrixMarket/formats.html. */
#ifndef SGF_MATRIX_MARKET_H
#define SGF_MATRIX_MARKET_H

#include "../theory/status.h"

/* One of the two: an array is dense, coordinates are sparse. */
typedef struct sgf_matrix_market {
  size_t rows, columns;
  double *dense;     /* (rows, columns), or NULL */
  sgf_sparse sparse; /* if dense is NULL; the other triangle of a symmetric matrix is filled in */
} sgf_matrix_market;

/* Read a file: coordinate or array; real or integer; general, symmetric or skew-symmetric. Complex values and
 * patterns without values are refused, and so are sizes that the length of the file rules out, before there is an
 * allocation. Errors: SGF_ERROR_NO_INPUT for a file that is missing or cannot be read, SGF_ERROR_VALUE with the
 * number of the line for what is not as it should be, SGF_ERROR_MEMORY. */
sgf_status sgf_matrix_market_read(const char *path, sgf_matrix_market *matrix, sgf_error *error);
void sgf_matrix_market_free(sgf_matrix_market *matrix);

/* Whether a file begins as these files do; false when it cannot be read. */
bool sgf_is_matrix_market(const char *path);

#endif
