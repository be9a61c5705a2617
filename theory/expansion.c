/* Matrices that depend on the weights, to second order in the fluctuations of these. */
#include "expansion.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

sgf_status sgf_expansion_create(size_t rows, size_t columns, size_t directions, sgf_expansion *expansion,
                                sgf_error *error)
{
  sgf_status status;
  *expansion = (sgf_expansion){rows, columns, directions, NULL, NULL, NULL};
  SGF_TRY(sgf_new_reals(&expansion->mean, rows, columns, "expansion", error));
  SGF_TRY(sgf_new_reals(&expansion->second, rows, columns, "expansion", error));
  if (directions > 0)
    SGF_TRY(sgf_new_reals(&expansion->first, directions * rows, columns, "derivatives along fluctuations", error));
done:
  return status;
}

sgf_status sgf_expansion_identity(size_t size, sgf_expansion *expansion, sgf_error *error)
{
  sgf_status status = sgf_expansion_create(size, size, 0, expansion, error);
  for (size_t k = 0; k < size && status == SGF_OK; k++) expansion->mean[k * (size + 1)] = 1.0;
  return status;
}

void sgf_expansion_free(sgf_expansion *expansion)
{
  free(expansion->mean);
  free(expansion->first);
  free(expansion->second);
  memset(expansion, 0, sizeof *expansion);
}

/* C += op(A) op(B) of so many rows, columns and terms. */
static void accumulate(const sgf_expansion *shape, size_t inner, sgf_transposition transpose_a, const double *A,
                       sgf_transposition transpose_b, const double *B, double *C)
{
  int rows = (int)shape->rows, columns = (int)shape->columns, terms = (int)inner;
  bool turned_a = transpose_a == SGF_TRANSPOSED, turned_b = transpose_b == SGF_TRANSPOSED;
  cblas_dgemm(CblasRowMajor, turned_a ? CblasTrans : CblasNoTrans, turned_b ? CblasTrans : CblasNoTrans, rows,
              columns, terms, 1.0, A, turned_a ? rows : terms, B, turned_b ? terms : columns, 1.0, C, columns);
}

sgf_status sgf_expansion_multiply(sgf_transposition transpose_a, const sgf_expansion *A,
                                  sgf_transposition transpose_b, const sgf_expansion *B, sgf_expansion *product,
                                  sgf_error *error)
{
  size_t rows = transpose_a == SGF_TRANSPOSED ? A->columns : A->rows;
  size_t inner = transpose_a == SGF_TRANSPOSED ? A->rows : A->columns;
  size_t columns = transpose_b == SGF_TRANSPOSED ? B->rows : B->columns;
  size_t of_a = A->rows * A->columns, of_b = B->rows * B->columns, of_product = rows * columns;
  size_t directions = A->directions > B->directions ? A->directions : B->directions;
  sgf_status status = sgf_expansion_create(rows, columns, directions, product, error);
  if (status != SGF_OK) return status;
  accumulate(product, inner, transpose_a, A->mean, transpose_b, B->mean, product->mean);
  if (A->directions > 0) accumulate(product, inner, transpose_a, A->second, transpose_b, B->mean, product->second);
  if (B->directions > 0) accumulate(product, inner, transpose_a, A->mean, transpose_b, B->second, product->second);
  for (size_t k = 0; k < directions; k++) {
    const double *a = A->directions > 0 ? A->first + k * of_a : NULL;
    const double *b = B->directions > 0 ? B->first + k * of_b : NULL;
    double *first = product->first + k * of_product;
    if (a != NULL) accumulate(product, inner, transpose_a, a, transpose_b, B->mean, first);
    if (b != NULL) accumulate(product, inner, transpose_a, A->mean, transpose_b, b, first);
    if (a != NULL && b != NULL) accumulate(product, inner, transpose_a, a, transpose_b, b, product->second);
  }
  return SGF_OK;
}
