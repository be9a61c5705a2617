/* The second moments of an ensemble on the directions that the theory predicts: the range of the drift. */
#include "projection.h"

#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"

static void unpack(size_t n, const double *packed, double *full)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) full[i * n + j] = full[j * n + i] = *packed++;
}

/* D A D^T into out (rank, rank); work (rank, n). */
static void project(const sgf_projection *projection, const double *A, double *work, double *out)
{
  size_t n = projection->n, rank = projection->rank;
  sgf_multiply(rank, n, n, SGF_PLAIN, projection->directions, SGF_PLAIN, A, work);
  sgf_multiply(rank, rank, n, SGF_PLAIN, work, SGF_TRANSPOSED, projection->directions, out);
  sgf_symmetrize(rank, out);
}

/* Rows share nothing, so that they may be projected in any order. */
static sgf_status project_rows(sgf_projection *projection, sgf_error *error)
{
  size_t n = projection->n, rank = projection->rank, packed = sgf_packed_size(rank);
  sgf_status outcome = SGF_OK;
#pragma omp parallel
  {
    double *room;
    sgf_status status = sgf_new_reals(&room, n * n + rank * n, 1, "projected second moments", NULL);
    double *work = room + n * n;
    if (status != SGF_OK)
#pragma omp atomic write
      outcome = status;
#pragma omp for schedule(static)
    for (size_t r = 0; r < projection->rows; r++) {
      if (status != SGF_OK) continue;
      double *out = projection->moments + r * packed;
      unpack(n, projection->ensemble->second + r * sgf_packed_size(n), room);
      project(projection, room, work, room);
      for (size_t i = 0; i < rank; i++, out += i) memcpy(out, room + i * rank, (i + 1) * sizeof *out);
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
  *projection = (sgf_projection){ensemble, n, rank, ensemble->info.pools, directions, NULL, NULL};
  SGF_TRY(sgf_new_reals(&projection->predicted, rank, rank, "projected covariance", error));
  SGF_TRY(sgf_new_reals(&projection->moments, projection->rows, sgf_packed_size(rank), "projected second moments",
                        error));
  SGF_TRY(sgf_new_reals(&work, rank, n, "projected covariance", error));
  project(projection, Sigma, work, projection->predicted);
  SGF_TRY(project_rows(projection, error));
done:
  free(work);
  if (status != SGF_OK) sgf_projection_free(projection);
  return status;
}

void sgf_projection_free(sgf_projection *projection)
{
  free(projection->predicted);
  free(projection->moments);
  projection->predicted = projection->moments = NULL;
}

/* Diagonal of C T C^T, C (count, rank), T (rank, rank); work (count, rank). */
static void diagonal_forms(size_t count, size_t rank, const double *C, const double *T, double *work, double *forms,
                           size_t step)
{
  sgf_multiply(count, rank, rank, SGF_PLAIN, C, SGF_PLAIN, T, work);
  for (size_t k = 0; k < count; k++) forms[k * step] = sgf_dot(rank, work + k * rank, C + k * rank);
}

sgf_status sgf_projected_forms(const sgf_projection *projection, const double *vectors, size_t count, size_t first,
                               size_t size, double *forms, double *predicted, sgf_error *error)
{
  size_t rank = projection->rank, rows = projection->rows, packed = sgf_packed_size(rank);
  double *columns = NULL, *inside = NULL, *work = NULL, *full = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&columns, rank, size, "projected directions", error));
  SGF_TRY(sgf_new_reals(&inside, count, rank, "projected directions", error));
  SGF_TRY(sgf_new_reals(&work, count, rank, "projected directions", error));
  SGF_TRY(sgf_new_reals(&full, rank, rank, "projected directions", error));
  for (size_t k = 0; k < rank; k++)
    memcpy(columns + k * size, projection->directions + k * projection->n + first, size * sizeof *columns);
  sgf_multiply(count, rank, size, SGF_PLAIN, vectors, SGF_TRANSPOSED, columns, inside);
  diagonal_forms(count, rank, inside, projection->predicted, work, predicted, 1);
  for (size_t r = 0; r < rows; r++) {
    unpack(rank, projection->moments + r * packed, full);
    diagonal_forms(count, rank, inside, full, work, forms + r, rows);
  }
done:
  free(columns);
  free(inside);
  free(work);
  free(full);
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
