/* The form of a symmetric drift: its eigenbasis. */
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "form.h"

/* A rank that round-off leaves open, but not the gap above the eigenvalues in question: they are taken for null ones for
 * now, and whether that matters is seen when it is known what drives them. */
static sgf_status drop_slow(size_t n, const double *m, bool discrete, sgf_drift_form *form,
                            sgf_certificate *certificate, sgf_status otherwise)
{
  double gap, round_off = sgf_rank_round_off(n) * fmax(m[n - 1], discrete ? 1.0 : 0.0);
  size_t dropped = sgf_form_slow_cluster(n, m, discrete ? 1.0 : 0.0, &gap), first = 0;
  if (dropped == 0) return otherwise;
  while (m[first] <= round_off) first++;
  form->slow = m[first];
  certificate->rank = n - dropped;
  certificate->gap = gap;
  certificate->ambiguous = false;
  return SGF_OK;
}

/* The null space by |m|, from the eigenvalues m of M, ascending: those below 0 must be round-off. */
static sgf_status decide(size_t n, const double *m, bool discrete, double tolerance, double scale,
                         sgf_drift_form *form, sgf_certificate *certificate, sgf_error *error)
{
  double largest = fmax(fabs(m[0]), fabs(m[n - 1])), round_off = sgf_rank_round_off(n);
  double zero = fmax(round_off, isnan(tolerance) ? 0.0 : tolerance) * (discrete ? fmax(largest, 1.0) : largest);
  if (m[0] < -zero) return sgf_form_unstable(discrete ? 1.0 - m[0] : m[0], 0.0, discrete, scale, certificate, error);
  if (discrete && m[n - 1] >= 2.0 - round_off)
    return sgf_form_unstable(1.0 - m[n - 1], 0.0, discrete, scale, certificate, error);
  sgf_status status = sgf_form_rank(n, m, discrete ? 1.0 : 0.0, tolerance, certificate, error);
  if (status == SGF_ERROR_AMBIGUOUS && isnan(tolerance))
    status = drop_slow(n, m, discrete, form, certificate, status);
  if (status != SGF_OK) return status;
  form->null = n - certificate->rank;
  form->dropped = form->null > 0 ? fmax(fabs(m[0]), fabs(m[form->null - 1])) / zero : 0.0;
  form->smallest = form->null < n ? m[form->null] : NAN;
  if (form->null == n) return SGF_OK;
  double slowest = discrete && fabs(1.0 - m[n - 1]) > fabs(1.0 - m[form->null]) ? m[n - 1] : m[form->null];
  certificate->real = discrete ? 1.0 - slowest : slowest * scale;
  certificate->imaginary = 0.0;
  return SGF_OK;
}

/* M = A or 1 - A into its eigenvectors (columns) and eigenvalues, ascending.
 *
 * Small matrices go the packed way, as fast on one thread: dsyevd calls dsymv for every column, which OpenBLAS shares out
 * to threads whatever the size. */
static sgf_status decompose(size_t n, double *M, double *m, double *work, sgf_error *error)
{
  enum { SMALL = 64 };
  void *integers;
  size_t integer_count = 3 + 5 * n, used = 1 + 6 * n + n * n;
  sgf_status status = sgf_allocate(&integers, integer_count, 1, sizeof(lapack_int), "eigenvalues of A", error);
  if (status != SGF_OK) return status;
  lapack_int info;
  if (n <= SMALL) {
    double *packed = work + used;
    for (size_t j = 0; j < n; j++)
      for (size_t i = j; i < n; i++) *packed++ = M[i + j * n];
    info = LAPACKE_dspevd_work(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, work + used, m, M, (lapack_int)n, work,
                               (lapack_int)used, integers, (lapack_int)integer_count);
  } else {
    info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, M, (lapack_int)n, m, work,
                               (lapack_int)sgf_form_work(n), integers, (lapack_int)integer_count);
  }
  free(integers);
  if (info == 0) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_NUMERICAL, "A: eigenvalues not found, LAPACK returned %d", (int)info);
}

sgf_status sgf_symmetric_form(size_t n, const double *A, bool discrete, double tolerance, double scale, double *work,
                              sgf_drift_form *form, sgf_certificate *certificate, sgf_error *error)
{
  sgf_status status;
  double *m = NULL;
  *form = (sgf_drift_form){.n = n, .discrete = discrete, .diagonal = true, .left_norm = 1.0};
  SGF_TRY(sgf_new_reals(&form->W, n, n, "eigenvectors of A", error));
  SGF_TRY(sgf_new_reals(&m, n, 1, "eigenvalues of A", error));
  for (size_t k = 0; k < n * n; k++) form->W[k] = discrete ? -A[k] : A[k];
  for (size_t k = 0; k < n && discrete; k++) form->W[k * n + k] += 1.0;
  SGF_TRY(decompose(n, form->W, m, work, error));
  SGF_TRY(decide(n, m, discrete, tolerance, scale, form, certificate, error));
  SGF_TRY(sgf_new_reals(&form->rates, n - form->null + 1, 1, "eigenvalues of A", error));
  memcpy(form->rates, m + form->null, (n - form->null) * sizeof *m);
done:
  free(m);
  if (status != SGF_OK) sgf_drift_form_free(form);
  return status;
}
