/* The few dense operations that the derivations need, row-major, over LAPACKE and CBLAS. */
#ifndef SGF_LINEAR_ALGEBRA_H
#define SGF_LINEAR_ALGEBRA_H

#include "status.h"

typedef enum { SGF_PLAIN, SGF_TRANSPOSED } sgf_transposition;

/* C (rows x columns) = op(A) op(B), op(A) of shape rows x inner. A, B, C as stored have no padding. */
void sgf_multiply(size_t rows, size_t columns, size_t inner, sgf_transposition transpose_a, const double *A,
                  sgf_transposition transpose_b, const double *B, double *C);

/* Eigenvalues (n, ascending) and eigenvectors (row k belongs to eigenvalue k) of a symmetric matrix,
 * which is overwritten by the eigenvectors. Errors: SGF_ERROR_NUMERICAL, SGF_ERROR_MEMORY. */
sgf_status sgf_symmetric_eigen(size_t n, double *matrix_then_vectors, double *values, const char *what,
                               sgf_error *error);

/* Turn the order of the rows of A (rows, columns), and of values (rows), around: ascending to descending. */
void sgf_reverse_rows(size_t rows, size_t columns, double *A, double *values);

/* Eigenvalues alone; the matrix is kept. */
sgf_status sgf_symmetric_eigenvalues(size_t n, const double *matrix, double *values, const char *what,
                                     sgf_error *error);

/* A <- A^+ for a positive semidefinite A (n, n), and its rank: eigenvalues up to `tolerance`, relative to the largest, are
 * zero. Errors: SGF_ERROR_NUMERICAL, SGF_ERROR_MEMORY. */
sgf_status sgf_pseudo_inverse(size_t n, double *A, double tolerance, const char *what, size_t *rank,
                              sgf_error *error);

/* A (rows, columns) = U diag(d) V^T, k = min(rows, columns): U (rows, k), d (k, descending), V^T (k, columns). A is
 * overwritten. Errors: SGF_ERROR_NUMERICAL. */
sgf_status sgf_thin_svd(size_t rows, size_t columns, double *A, double *U, double *d, double *Vt, const char *what,
                        sgf_error *error);

/* B = V A V^T (into the basis of the rows of V), or B = V^T A V (back). All n x n; work n x n.
 * B may be A. The result is symmetric to the last bit. */
void sgf_into_basis(size_t n, const double *V, const double *A, double *work, double *B);
void sgf_out_of_basis(size_t n, const double *V, const double *A, double *work, double *B);

/* out (rows, rows) = T S T^T, to the last bit symmetric, for S (inner, inner) and T (rows, inner), or T^T stored
 * (inner, rows). `what` it is, for the message. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_sandwich(size_t rows, size_t inner, sgf_transposition stored, const double *T, const double *S,
                        double *out, const char *what, sgf_error *error);

/* A <- (A + A^T) / 2. */
void sgf_symmetrize(size_t n, double *A);

/* Copy the triangle below the diagonal over the one above (column-major: the upper over the lower). */
void sgf_mirror(size_t n, double *A);

/* out (columns, rows) = A^T of A (rows, columns). */
void sgf_transpose(size_t rows, size_t columns, const double *A, double *out);

/* ||A - A^T|| / ||A||, Frobenius; 0 for A = 0. */
double sgf_asymmetry(size_t n, const double *A);

double sgf_norm(size_t count, const double *values); /* Frobenius; NaN if any is NaN */
double sgf_dot(size_t count, const double *a, const double *b);
double sgf_trace(size_t n, const double *A);
double sgf_quadratic_form(size_t n, const double *A, const double *v); /* v^T A v */

/* Copy the block of rows and columns first ... first + size - 1 of A (n x n) into block (size x size). */
void sgf_diagonal_block(size_t n, const double *A, size_t first, size_t size, double *block);

void sgf_fill_nan(size_t count, double *values);

#endif
