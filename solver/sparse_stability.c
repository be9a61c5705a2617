/* Whether a sparse drift is stable: what its eigenvalues, or some of them, say. */
#include "sparse_stability.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/random.h"
#include "form.h"

/* Up to this size all eigenvalues are computed: 3 s on one core, as long as the factors of an equation of this size
 * take. */
enum { MOST_DENSE = 1000 };
/* Dimension of a Krylov space, and the relative residual at which a Ritz value counts as an eigenvalue. */
enum { KRYLOV = 40 };
static const double CONVERGED = 1e-6;
/* An unstable Ritz value is an eigenvalue if it is so many times its residual on the wrong side. */
static const double FAR = 1e3;

/* Eigenvalues of M, or some. */
typedef struct {
  size_t count;
  double *real, *imaginary;
  double *doubt;  /* how large a change of M makes them eigenvalues, or NULL: round-off */
  double next[3]; /* of those that did not converge the one that came next to it: real, imaginary, relative doubt */
} spectrum;

static sgf_status new_spectrum(spectrum *found, size_t count, sgf_error *error)
{
  sgf_status status = sgf_new_reals(&found->real, 3 * count, 1, "eigenvalues of A", error);
  found->count = 0;
  found->imaginary = found->real + count;
  found->doubt = found->imaginary + count;
  found->next[2] = INFINITY;
  return status;
}

/* How far an eigenvalue m of M is from instability. */
static double margin(const sgf_sparse_drift *drift, double real, double imaginary)
{
  return drift->discrete ? 1.0 - hypot(1.0 - real, imaginary) : real;
}

static size_t nearest(const sgf_sparse_drift *drift, const spectrum *found)
{
  size_t worst = 0;
  for (size_t k = 1; k < found->count; k++)
    if (!(margin(drift, found->real[k], found->imaginary[k]) >=
          margin(drift, found->real[worst], found->imaginary[worst])))
      worst = k;
  return worst;
}

static sgf_status refuse_eigenvalue(const sgf_sparse_drift *drift, double real, double imaginary,
                                    sgf_certificate *certificate, sgf_error *error)
{
  return sgf_form_unstable(drift->discrete ? 1.0 - real : real, imaginary, drift->discrete, drift->scale, certificate,
                           error);
}

/* ------------------------------------------------------- all eigenvalues */

/* All eigenvalues but the null ones, which are the `null` of least modulus. */
static sgf_status dense_eigenvalues(const sgf_sparse_drift *drift, spectrum *found, sgf_error *error)
{
  size_t n = drift->n;
  double *dense;
  sgf_status status = sgf_new_reals(&dense, n, n, "eigenvalues of A", error);
  if (status != SGF_OK) return status;
  sgf_sparse_to_dense(&drift->M, dense);
  lapack_int info = LAPACKE_dgeev(LAPACK_COL_MAJOR, 'N', 'N', (lapack_int)n, dense, (lapack_int)n, found->real,
                                  found->imaginary, NULL, 1, NULL, 1);
  free(dense);
  if (info != 0) return sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK dgeev returned %d", (int)info);
  found->count = n;
  for (size_t k = 0; k < drift->null; k++) {
    size_t least = 0, last = --found->count;
    for (size_t l = 1; l <= last; l++)
      if (hypot(found->real[l], found->imaginary[l]) < hypot(found->real[least], found->imaginary[least])) least = l;
    found->real[least] = found->real[last];
    found->imaginary[least] = found->imaginary[last];
  }
  return SGF_OK;
}

/* ---------------------------------------------------------- Krylov spaces */

/* v <- M v, or what M maps to v, orthogonalized twice against the columns of V; coefficients into the column of H. */
static sgf_status expand(sgf_sparse_drift *drift, bool inverse, size_t column, double *V, double *H, sgf_error *error)
{
  size_t n = drift->n;
  double *v = V + column * n, *next = v + n, *h = H + column * (KRYLOV + 1);
  sgf_status status = SGF_OK;
  if (inverse)
    status = sgf_sparse_drift_solve(drift, 1, v, next, error);
  else
    sgf_sparse_multiply(&drift->M, false, 1, v, next);
  for (int pass = 0; pass < 2; pass++)
    for (size_t k = 0; k <= column; k++) {
      double overlap = sgf_dot(n, V + k * n, next);
      h[k] += overlap;
      for (size_t i = 0; i < n; i++) next[i] -= overlap * V[k * n + i];
    }
  h[column + 1] = sgf_norm(n, next);
  for (size_t i = 0; i < n && h[column + 1] > 0.0; i++) next[i] /= h[column + 1];
  return status;
}

/* Ritz values of H (steps, steps), of which `below` is the element under the last; those that converged are added. */
static sgf_status ritz_values(bool inverse, size_t steps, const double *H, double below, spectrum *found,
                              sgf_error *error)
{
  double *work, *values, *vectors;
  sgf_status status = sgf_new_reals(&work, 2 * steps + 2, steps, "eigenvalues of A", error);
  if (status != SGF_OK) return status;
  values = work + steps * steps;
  vectors = values + 2 * steps;
  for (size_t k = 0; k < steps; k++) memcpy(work + k * steps, H + k * (KRYLOV + 1), steps * sizeof *work);
  lapack_int size = (lapack_int)steps, info = LAPACKE_dgeev(LAPACK_COL_MAJOR, 'N', 'V', size, work, size, values,
                                                            values + steps, NULL, 1, vectors, size);
  for (size_t k = 0; k < steps && info == 0; k++) {
    double real = values[k], imaginary = values[steps + k], square = real * real + imaginary * imaginary;
    size_t pair = imaginary < 0.0 ? k - 1 : k; /* real and imaginary part of the vector of both */
    double last = vectors[steps - 1 + pair * steps];
    if (imaginary != 0.0) last = hypot(last, vectors[steps - 1 + (pair + 1) * steps]);
    double doubt = square > 0.0 ? below * fabs(last) / sqrt(square) : INFINITY;
    if (inverse && square > 0.0) {
      real /= square;
      imaginary /= -square;
    }
    if (doubt <= CONVERGED) {
      found->real[found->count] = real;
      found->imaginary[found->count] = imaginary;
      found->doubt[found->count++] = doubt * hypot(real, imaginary);
    } else if (inverse && doubt < found->next[2]) {
      memcpy(found->next, (double[]){real, fabs(imaginary), doubt}, sizeof found->next);
    }
  }
  free(work);
  return info == 0 ? SGF_OK : sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK dgeev returned %d", (int)info);
}

/* Arnoldi's method from a random vector in the range of M. */
static sgf_status krylov_eigenvalues(sgf_sparse_drift *drift, bool inverse, spectrum *found, sgf_error *error)
{
  size_t n = drift->n, rest = n - drift->null, most = rest < KRYLOV ? rest : KRYLOV, steps = 0;
  double *V = NULL, *H = NULL, below = INFINITY;
  sgf_random random;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&V, n, KRYLOV + 1, "Krylov space of A", error));
  SGF_TRY(sgf_new_reals(&H, KRYLOV + 1, KRYLOV, "Krylov space of A", error));
  sgf_random_at(&random, 1, 2, 0);
  for (size_t i = 0; i < n; i++) V[i] = sgf_random_normal(&random);
  SGF_TRY(sgf_sparse_drift_project(drift, 1, V, error));
  double norm = sgf_norm(n, V);
  for (size_t i = 0; i < n; i++) V[i] /= norm;
  for (; steps < most && below > 0.0; steps++) {
    SGF_TRY(expand(drift, inverse, steps, V, H, error));
    below = H[steps * (KRYLOV + 1) + steps + 1];
  }
  SGF_TRY(ritz_values(inverse, steps, H, below, found, error));
done:
  free(V);
  free(H);
  return status;
}

/* ------------------------------------------------------------------- checks */

static sgf_status check_general(sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error)
{
  spectrum found = {.count = 0};
  double round_off = sgf_rank_round_off(drift->n) * fmax(drift->norm, drift->discrete ? 1.0 : 0.0);
  sgf_status status;
  SGF_TRY(new_spectrum(&found, drift->n <= MOST_DENSE ? drift->n : 2 * KRYLOV, error));
  drift->proven = drift->n <= MOST_DENSE;
  if (drift->proven) {
    SGF_TRY(dense_eigenvalues(drift, &found, error));
  } else {
    SGF_TRY(krylov_eigenvalues(drift, false, &found, error));
    SGF_TRY(krylov_eigenvalues(drift, true, &found, error));
  }
  if (found.count == 0) { /* what came next to one says where it is */
    certificate->real = isinf(found.next[2]) ? NAN
                        : drift->discrete    ? 1.0 - found.next[0]
                                             : found.next[0] * drift->scale;
    certificate->imaginary = isinf(found.next[2]) ? NAN : found.next[1] * drift->scale;
    goto done;
  }
  size_t worst = nearest(drift, &found);
  double real = found.real[worst], imaginary = fabs(found.imaginary[worst]);
  double here = margin(drift, real, imaginary);
  if (!(here > round_off)) {
    status = refuse_eigenvalue(drift, real, imaginary, certificate, error);
    if (!drift->proven && !(-here > FAR * fmax(found.doubt[worst], round_off)))
      status = sgf_fail(
          error, SGF_ERROR_AMBIGUOUS,
          "A: whether it is stable cannot be told: its eigenvalue %.10g %+.3g i is not, but a change of A by "
          "%.3g of its norm may have made it",
          certificate->real, certificate->imaginary, fmax(found.doubt[worst], round_off) / drift->norm);
    goto done;
  }
  certificate->real = drift->discrete ? 1.0 - real : real * drift->scale;
  certificate->imaginary = imaginary * drift->scale;
done:
  free(found.real);
  return status;
}

/* Of 1 + A, for the eigenvalues of A at -1 and below; those at 1 and above M has already told of. */
static sgf_status check_symmetric_discrete(sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error)
{
  sgf_sparse_drift sum = {.n = drift->n, .symmetric = true};
  double inverse;
  bool positive = false;
  sgf_status status;
  SGF_TRY(sgf_sparse_shift(&drift->A, 1.0, 1.0, &sum.M, error));
  SGF_TRY(sgf_sparse_cholesky(&sum.M, 0.0, drift->memory, "A", &sum.factors, &positive, error));
  if (positive) {
    SGF_TRY(sgf_sparse_singular_value(&sum, true, &inverse, error));
    drift->alternating = 1.0 / inverse;
  }
  if (!positive || !(drift->alternating > sgf_rank_round_off(drift->n)))
    status = sgf_sparse_refuse(drift, certificate, error);
done:
  sgf_sparse_drift_free(&sum);
  return status;
}

sgf_status sgf_sparse_check_stable(sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error)
{
  if (drift->null == drift->n) {
    drift->proven = true;
    return SGF_OK;
  }
  if (!drift->symmetric) return check_general(drift, certificate, error);
  sgf_status status = drift->discrete ? check_symmetric_discrete(drift, certificate, error) : SGF_OK;
  if (status != SGF_OK) return status;
  drift->proven = true;
  certificate->real = drift->smallest * drift->scale;
  if (drift->discrete)
    certificate->real = drift->alternating < drift->smallest ? drift->alternating - 1.0 : 1.0 - drift->smallest;
  certificate->imaginary = 0.0;
  return SGF_OK;
}

sgf_status sgf_sparse_refuse(sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error)
{
  spectrum found = {.count = 0};
  sgf_status status;
  SGF_TRY(new_spectrum(&found, drift->n <= MOST_DENSE ? drift->n : KRYLOV, error));
  if (drift->n <= MOST_DENSE)
    SGF_TRY(dense_eigenvalues(drift, &found, error));
  else
    SGF_TRY(krylov_eigenvalues(drift, false, &found, error));
  size_t worst = nearest(drift, &found);
  if (found.count > 0 && !(margin(drift, found.real[worst], 0.0) > 0.0))
    status = refuse_eigenvalue(drift, found.real[worst], 0.0, certificate, error);
  else
    status = sgf_fail(error, SGF_ERROR_UNSTABLE,
                      "A: it has eigenvalues %s, which Cholesky factors show without computing them",
                      drift->discrete ? "outside of the unit circle" : "below 0");
done:
  free(found.real);
  return status;
}
