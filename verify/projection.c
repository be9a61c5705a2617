/* The second moments of an ensemble on the directions that the theory predicts: the range of the drift. */
#include "projection.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "kernels.h"

/* D A D^T into out (rank, rank) for a symmetric A; half: the lower triangle of A with half its diagonal; work (rank, n).
 * With A = L + L^T it is D L D^T and its transpose: the triangular product saves a third. */
static void project(const sgf_projection *projection, const double *half, double *work, double *out)
{
  size_t n = projection->n, rank = projection->rank;
  memcpy(work, projection->directions, rank * n * sizeof *work);
  cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)rank, (int)n, 1.0, half, (int)n,
              work, (int)n);
  sgf_multiply(rank, rank, n, SGF_PLAIN, work, SGF_TRANSPOSED, projection->directions, out);
  for (size_t i = 0; i < rank; i++)
    for (size_t j = 0; j <= i; j++) out[i * rank + j] = out[j * rank + i] = out[i * rank + j] + out[j * rank + i];
}

/* The lower triangle with half its diagonal, from packed or from full rows. */
static void take_half(size_t n, const double *symmetric, bool packed, double *half)
{
  for (size_t i = 0; i < n; i++) {
    memcpy(half + i * n, symmetric, (i + 1) * sizeof *half);
    half[i * n + i] *= 0.5;
    symmetric += packed ? i + 1 : n;
  }
}

/* From the factors of the rows: D F^T F D^T over the number of snapshots. */
static sgf_status project_factors(sgf_projection *projection, sgf_error *error)
{
  const sgf_ensemble *ensemble = projection->ensemble;
  size_t n = projection->n, rank = projection->rank, length = ensemble->factor_rank, packed = sgf_packed_size(rank);
  sgf_status status =
      sgf_new_reals(&projection->factors, projection->rows * length, rank, "projected snapshots", error);
  if (status != SGF_OK) return status;
#pragma omp parallel for schedule(static)
  for (size_t r = 0; r < projection->rows; r++) {
    double *inside = projection->factors + r * length * rank;
    sgf_multiply(length, rank, n, SGF_PLAIN, ensemble->factors + r * length * n, SGF_TRANSPOSED,
                 projection->directions, inside);
    sgf_kernels_of_machine()->add_products(rank, length, inside, 1.0 / (double)length,
                                           projection->moments + r * packed);
  }
  return SGF_OK;
}

/* Rows share nothing, so that they may be projected in any order. */
static sgf_status project_rows(sgf_projection *projection, sgf_error *error)
{
  if (projection->ensemble->factors != NULL) return project_factors(projection, error);
  size_t n = projection->n, rank = projection->rank, packed = sgf_packed_size(rank);
  sgf_status outcome = SGF_OK;
#pragma omp parallel
  {
    double *room;
    sgf_status status = sgf_new_reals(&room, n * n + rank * (n + rank), 1, "projected second moments", NULL);
    double *work = room + n * n, *inside = work + rank * n;
    if (status != SGF_OK)
#pragma omp atomic write
      outcome = status;
#pragma omp for schedule(static)
    for (size_t r = 0; r < projection->rows; r++) {
      if (status != SGF_OK) continue;
      double *out = projection->moments + r * packed;
      take_half(n, projection->ensemble->second + r * sgf_packed_size(n), true, room);
      project(projection, room, work, inside);
      for (size_t i = 0; i < rank; i++, out += i) memcpy(out, inside + i * rank, (i + 1) * sizeof *out);
    }
    free(room);
  }
  return outcome == SGF_OK ? SGF_OK : sgf_fail(error, outcome, "no memory for projected second moments");
}

sgf_status sgf_project(const sgf_ensemble *ensemble, const double *directions, size_t rank, const double *Sigma,
                       sgf_projection *projection, sgf_error *error)
{
  size_t n = ensemble->n;
  double *work = NULL;
  sgf_status status;
  *projection = (sgf_projection){ensemble, n, rank, ensemble->info.pools, directions, NULL, NULL, NULL};
  SGF_TRY(sgf_new_reals(&projection->predicted, rank, rank, "projected covariance", error));
  SGF_TRY(sgf_new_reals(&projection->moments, projection->rows, sgf_packed_size(rank), "projected second moments",
                        error));
  SGF_TRY(sgf_new_reals(&work, rank + n, n, "projected covariance", error));
  take_half(n, Sigma, false, work + rank * n);
  project(projection, work + rank * n, work, projection->predicted);
  SGF_TRY(project_rows(projection, error));
done:
  free(work);
  if (status != SGF_OK) sgf_projection_free(projection);
  return status;
}

sgf_status sgf_project_kept(const sgf_ensemble *ensemble, const double *predicted, sgf_projection *projection,
                            sgf_error *error)
{
  size_t rank = ensemble->n, rows = ensemble->info.pools, packed = sgf_packed_size(rank);
  sgf_status status;
  *projection = (sgf_projection){ensemble, ensemble->weights, rank, rows, ensemble->directions, NULL, NULL, NULL};
  SGF_TRY(sgf_new_reals(&projection->predicted, rank, rank, "predicted covariance", error));
  SGF_TRY(sgf_new_reals(&projection->moments, rows, packed, "second moments", error));
  memcpy(projection->predicted, predicted, rank * rank * sizeof *predicted);
  memcpy(projection->moments, ensemble->second, rows * packed * sizeof *predicted);
done:
  if (status != SGF_OK) sgf_projection_free(projection);
  return status;
}

void sgf_projection_free(sgf_projection *projection)
{
  free(projection->predicted);
  free(projection->moments);
  free(projection->factors);
  projection->predicted = projection->moments = projection->factors = NULL;
}

/* The principal directions themselves: their forms are the diagonals of the projected moments. */
static void diagonals(const sgf_projection *projection, size_t count, double *forms, double *predicted)
{
  size_t rank = projection->rank, rows = projection->rows, packed = sgf_packed_size(rank);
  for (size_t k = 0; k < count; k++) {
    predicted[k] = projection->predicted[k * rank + k];
    for (size_t r = 0; r < rows; r++) forms[k * rows + r] = projection->moments[r * packed + k * (k + 1) / 2 + k];
  }
}

/* Diagonal of C T C^T, C (count, rank), T (rank, rank) symmetric, as twice that of C L C^T, half: L with T = L + L^T;
 * work (count, rank). */
static void diagonal_forms(size_t count, size_t rank, const double *C, const double *half, double *work,
                           double *forms, size_t step)
{
  memcpy(work, C, count * rank * sizeof *work);
  cblas_dtrmm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, (int)count, (int)rank, 2.0, half,
              (int)rank, work, (int)rank);
  for (size_t k = 0; k < count; k++) forms[k * step] = sgf_dot(rank, work + k * rank, C + k * rank);
}

/* Squares of the projected snapshots along `inside` (count, rank): work (length, count). */
static void forms_of_factor(const sgf_projection *projection, size_t row, size_t count, const double *inside,
                            double *work, double *forms)
{
  size_t rank = projection->rank, length = projection->ensemble->factor_rank;
  sgf_multiply(length, count, rank, SGF_PLAIN, projection->factors + row * length * rank, SGF_TRANSPOSED, inside,
               work);
  for (size_t k = 0; k < count; k++) work[k] *= work[k];
  for (size_t s = 1; s < length; s++)
    for (size_t k = 0; k < count; k++) work[k] += work[s * count + k] * work[s * count + k];
  for (size_t k = 0; k < count; k++) forms[k * projection->rows] = work[k] / (double)length;
}

/* Of every row, in any order, since rows share nothing, and at last of the prediction. */
static sgf_status forms_of_rows(const sgf_projection *projection, size_t count, const double *inside, double *forms,
                                double *predicted)
{
  size_t rank = projection->rank, rows = projection->rows, packed = sgf_packed_size(rank);
  size_t room = (rank + count) * rank, longer = projection->ensemble->factor_rank * count;
  sgf_status outcome = SGF_OK;
#pragma omp parallel
  {
    double *half;
    sgf_status status = sgf_new_reals(&half, room > longer ? room : longer, 1, "projected directions", NULL);
    if (status != SGF_OK)
#pragma omp atomic write
      outcome = status;
#pragma omp for schedule(static)
    for (size_t r = 0; r <= rows; r++) {
      if (status != SGF_OK) continue;
      if (r < rows && projection->factors != NULL) {
        forms_of_factor(projection, r, count, inside, half, forms + r);
        continue;
      }
      if (r < rows)
        take_half(rank, projection->moments + r * packed, true, half);
      else
        take_half(rank, projection->predicted, false, half);
      diagonal_forms(count, rank, inside, half, half + rank * rank, r < rows ? forms + r : predicted,
                     r < rows ? rows : 1);
    }
    free(half);
  }
  return outcome;
}

sgf_status sgf_projected_forms(const sgf_projection *projection, const double *vectors, size_t count, size_t first,
                               size_t size, double *forms, double *predicted, sgf_error *error)
{
  size_t rank = projection->rank;
  double *columns = NULL, *inside = NULL;
  sgf_status status = SGF_OK;
  if (vectors == projection->directions && count <= rank && size == projection->n) {
    diagonals(projection, count, forms, predicted);
    return SGF_OK;
  }
  SGF_TRY(sgf_new_reals(&columns, rank, size, "projected directions", error));
  SGF_TRY(sgf_new_reals(&inside, count, rank, "projected directions", error));
  for (size_t k = 0; k < rank; k++)
    memcpy(columns + k * size, projection->directions + k * projection->n + first, size * sizeof *columns);
  sgf_multiply(count, rank, size, SGF_PLAIN, vectors, SGF_TRANSPOSED, columns, inside);
  status = forms_of_rows(projection, count, inside, forms, predicted);
  if (status != SGF_OK) sgf_fail(error, status, "no memory for projected directions");
done:
  free(columns);
  free(inside);
  return status;
}

double sgf_projected_traces(const sgf_projection *projection, const double *A, double *traces)
{
  size_t rank = projection->rank, packed = sgf_packed_size(rank);
  for (size_t r = 0; r < projection->rows; r++) {
    const double *row = projection->moments + r * packed;
    traces[r] = 0.0;
    for (size_t i = 0; i < rank; i++, row += i)
      traces[r] += 2.0 * sgf_dot(i, row, A + i * rank) + row[i] * A[i * rank + i];
  }
  return sgf_dot(rank * rank, A, projection->predicted);
}
