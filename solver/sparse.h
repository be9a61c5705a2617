/* Sparse matrices by columns: checked, turned, multiplied. Dense blocks are column-major and without padding. */
#ifndef SGF_SPARSE_H
#define SGF_SPARSE_H

#include "../theory/status.h"

/* An empty matrix with room for `entries` of them; free with sgf_sparse_free. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_sparse_create(size_t rows, size_t columns, size_t entries, sgf_sparse *A, const char *what,
                             sgf_error *error);
void sgf_sparse_free(sgf_sparse *A);

/* Whether the arrays of a caller make a square matrix of finite entries, none given twice. Errors: SGF_ERROR_VALUE
 * that names the column or the entry (by_rows: of the transpose, which is what the caller has), SGF_ERROR_MEMORY. */
sgf_status sgf_sparse_check(const sgf_sparse *A, const char *what, bool by_rows, sgf_error *error);

/* B = A^T, rows ascending in each column and zeros left out: twice, it brings A in order. A must have been checked.
 * */
sgf_status sgf_sparse_transpose(const sgf_sparse *A, sgf_sparse *B, sgf_error *error);
sgf_status sgf_sparse_order(const sgf_sparse *A, sgf_sparse *B, sgf_error *error);

/* B = shift 1 + factor A, ordered, for square ordered A; the diagonal is stored even where it is 0. */
sgf_status sgf_sparse_shift(const sgf_sparse *A, double shift, double factor, sgf_sparse *B, sgf_error *error);

/* B = A + A^T, ordered, for square ordered A. */
sgf_status sgf_sparse_twice_symmetric_part(const sgf_sparse *A, sgf_sparse *B, sgf_error *error);

/* Whether A = A^T to the last bit, for ordered A. */
sgf_status sgf_sparse_is_symmetric(const sgf_sparse *A, bool *symmetric, sgf_error *error);

/* Y = A X, or A^T X: X (A->columns, width), Y (A->rows, width), or the other way round. */
void sgf_sparse_multiply(const sgf_sparse *A, bool transposed, size_t width, const double *X, double *Y);

/* dense (rows, columns), row-major. */
void sgf_sparse_to_dense(const sgf_sparse *A, double *dense);

/* A <- A^T of a dense (n, n). */
void sgf_sparse_turn(size_t n, double *A);

size_t sgf_sparse_entries(const sgf_sparse *A);
double sgf_sparse_norm(const sgf_sparse *A); /* Frobenius */

#endif
