/* Lyapunov and Stein equations with a dense drift: A X + X A^T = Q and X - A X A^T = Q, and what is certain of X. */
#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "certificate.h"
#include "equilibration.h"
#include "form.h"
#include "input.h"

/* A residual above this is no solution of the equation. */
static const double LARGEST_RESIDUAL = 1e-13;

/* Up to this size residuals in long double take as long as the Schur form. */
enum { PRECISE_SIZE = 128 };

/* The equation, scaled by powers of 2 to norms of about 1 and in equilibrated units, and what is known of it. */
typedef struct {
  size_t n;
  bool discrete;
  int shift_A, shift_Q; /* A and Q were divided by these powers of 2 */
  double *A, *Q;        /* (n, n) row-major */
  double *E;            /* (n) x = E z, or NULL: as given */
  double *initial;      /* L^T X(0) L (null, null), or NULL */
  bool starts;          /* from an initial covariance */
  double of_slow;       /* norm of what round-off may make of X along slow modes that were dropped */
  bool driven;          /* L^T Q L is more than the last digits of Q make of it, though A's may */
  double *work;         /* 2 n^2 and a little more: sgf_form_work */
  sgf_drift_form form;
  sgf_certificate *certificate;
} problem;

void sgf_lyapunov_options_init(sgf_lyapunov_options *options)
{
  *options = (sgf_lyapunov_options){.method = SGF_METHOD_AUTO, .rank_tolerance = NAN};
}

const char *sgf_method_text(sgf_method method)
{
  static const char *const text[] = {"auto", "symmetric", "schur", "kronecker", "low-rank"};
  return (size_t)method < sizeof text / sizeof *text ? text[method] : "unknown";
}

/* ------------------------------------------------------------------ input */

/* Q or B B^T into the problem, scaled before anything is squared. */
static sgf_status take_right_hand_side(problem *all, size_t columns, const double *Q, sgf_error *error)
{
  size_t n = all->n, count = n * (columns > 0 ? columns : n);
  double *B = NULL;
  sgf_status status;
  SGF_TRY(sgf_check_finite(n, columns > 0 ? columns : n, Q, columns > 0 ? "B" : "Q", error));
  int shift = sgf_exponent(count, Q);
  all->shift_Q = columns > 0 ? 2 * shift : shift;
  if (columns > 0) {
    SGF_TRY(sgf_new_reals(&B, n, columns, "B", error));
    sgf_scaled_copy(count, Q, -shift, B);
    sgf_multiply(n, n, columns, SGF_PLAIN, B, SGF_TRANSPOSED, B, all->Q);
  } else {
    sgf_scaled_copy(count, Q, -shift, all->Q);
    SGF_TRY(sgf_check_symmetric(n, all->Q, "Q", error));
  }
  sgf_symmetrize(n, all->Q);
done:
  free(B);
  return status;
}

/* Without a choice a drift that is symmetric to round-off takes the symmetric way. */
static sgf_status choose_method(const problem *all, sgf_method asked, sgf_method *method, sgf_error *error)
{
  double difference = sgf_asymmetry(all->n, all->A);
  bool is_symmetric = difference <= 16.0 * DBL_EPSILON;
  *method = asked != SGF_METHOD_AUTO ? asked : is_symmetric ? SGF_METHOD_SYMMETRIC : SGF_METHOD_SCHUR;
  if (*method == SGF_METHOD_SYMMETRIC && !is_symmetric)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "method symmetric: A is not symmetric, ||A - A^T|| / ||A|| = %.3g",
                    difference);
  if (*method != SGF_METHOD_SYMMETRIC && *method != SGF_METHOD_SCHUR)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "method %s is for a sparse A", sgf_method_text(*method));
  return SGF_OK;
}

/* --------------------------------------------------------------- into the form */

/* Products of so few rows take less time than the calls of a BLAS. */
enum { FEW_ROWS = 6 };

/* congruence for few rows */
static void small_congruence(size_t n, const double *W, bool into, const double *Q, double *work, double *out)
{
  size_t row = into ? n : 1, column = into ? 1 : n; /* steps of W[k, i] as it is read */
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < n; i++) {
      double sum = 0.0;
      for (size_t k = 0; k < n; k++) sum += Q[i + k * n] * W[k * column + j * row];
      work[i + j * n] = sum;
    }
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i <= j; i++) {
      double sum = 0.0;
      for (size_t k = 0; k < n; k++) sum += W[k * column + i * row] * work[k + j * n];
      out[i + j * n] = out[j + i * n] = sum;
    }
}

/* out = W^T Q W (into) or W Q W^T (back): symmetric, so that only blocks on and above the diagonal are computed.
 * work n^2; out may be Q. */
static void congruence(size_t n, const double *W, bool into, const double *Q, double *work, double *out)
{
  enum { BLOCK = 128 };
  CBLAS_TRANSPOSE first = into ? CblasTrans : CblasNoTrans, second = into ? CblasNoTrans : CblasTrans;
  if (n <= FEW_ROWS) {
    small_congruence(n, W, into, Q, work, out);
    return;
  }
  cblas_dgemm(CblasColMajor, CblasNoTrans, second, (int)n, (int)n, (int)n, 1.0, Q, (int)n, W, (int)n, 0.0, work,
              (int)n);
  for (size_t j = 0; j < n; j += BLOCK) {
    size_t columns = n - j < BLOCK ? n - j : BLOCK;
    cblas_dgemm(CblasColMajor, first, CblasNoTrans, (int)(j + columns), (int)columns, (int)n, 1.0, W, (int)n,
                work + j * n, (int)n, 0.0, out + j * n, (int)n);
  }
  sgf_mirror(n, out);
}

static sgf_status take_initial(problem *all, const double *initial, sgf_error *error)
{
  size_t n = all->n, null = all->form.null;
  double *scaled = NULL, across;
  sgf_status status;
  if (initial == NULL) return SGF_OK;
  SGF_TRY(sgf_new_reals(&scaled, n, n, "X0", error));
  SGF_TRY(sgf_new_reals(&all->initial, null + 1, null + 1, "X0", error));
  sgf_scaled_copy(n * n, initial, all->shift_A - all->shift_Q, scaled);
  SGF_TRY(sgf_check_symmetric(n, scaled, "X0", error));
  sgf_symmetrize(n, scaled);
  if (all->E != NULL) sgf_covariance_into_units(n, all->E, scaled);
  congruence(n, all->form.W, true, scaled, all->work, scaled);
  sgf_form_null_block(&all->form, scaled, all->work, all->initial, &across);
done:
  free(scaled);
  return status;
}

static sgf_status incompatible(const problem *all, double tolerated, sgf_error *error)
{
  const double clearly = 0.1; /* below round-off: a regular drift may have such a value, a singular one rarely */
  if (all->form.dropped > clearly && all->form.null < all->n)
    return sgf_fail(
        error, SGF_ERROR_AMBIGUOUS,
        "A: of rank %zu as to round-off, but the largest singular value taken for 0 is %.2g times that, and Q "
        "drives what it belongs to: if A is not singular there is a solution; a rank tolerance decides it",
        all->certificate->rank, all->form.dropped);
  return sgf_fail(error, SGF_ERROR_INCOMPATIBLE,
                  "Q: %.3g of its norm drives the %zu quantities that A does not let relax (tolerated: %.1g): their "
                  "variance grows without bound, there is no solution",
                  all->certificate->null_noise, all->form.null, tolerated);
}

/* Slow modes that were dropped: whether they relax or not is all the same if nothing drives them and nothing is left of a
 * start. What round-off may drive goes into the bound. */
static sgf_status check_slow(problem *all, double driving, double norm, sgf_error *error)
{
  const double seen = 1e3 * DBL_EPSILON;
  sgf_certificate *certificate = all->certificate;
  all->of_slow = driving / all->form.slow;
  if (driving <= seen * norm && !all->starts) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_AMBIGUOUS,
      "A: rank %zu of %zu by a gap of %.3g, but what was dropped is up to %.3g of the largest, above round-off, "
      "and %s: whether that relaxes makes a difference; a rank tolerance decides it",
      certificate->rank, all->n, certificate->gap, all->form.smallest / certificate->gap,
      all->starts ? "X(0) is given" : "Q drives it");
}

/* A symmetric drift: L = R, known to an angle of round-off over the smallest rate. */
static sgf_status check_normal(problem *all, const double *block, double across, double norm, sgf_error *error)
{
  const sgf_drift_form *form = &all->form;
  size_t n = all->n;
  /* n eps in the worst case and sqrt(n) eps in the mean */
  double unit = (2.0 + sqrt((double)n)) * DBL_EPSILON * (all->discrete ? fmax(1.0, sgf_norm(n * n, all->A)) : 1.0);
  double angle = form->null < n ? unit / form->smallest : 0.0;
  double tolerated = (4.0 * sgf_rank_round_off(n) + angle * angle) * norm + angle * across;
  double noise = sgf_norm(form->null * form->null, block);
  if (norm > 0.0) all->certificate->null_noise = noise / norm;
  if (form->slow > 0.0) return check_slow(all, noise + unit * norm, norm, error);
  return noise <= tolerated ? SGF_OK : incompatible(all, tolerated / norm, error);
}

/* Sums of n products in the mean, and the last digit of the data. */
static double unit_of_sums(size_t n) { return (4.0 + 2.0 * sqrt((double)n)) * DBL_EPSILON; }

static sgf_status unresolved(const problem *all, double ratio, sgf_error *error)
{
  return sgf_fail(
      error, SGF_ERROR_AMBIGUOUS,
      "A: of rank %zu by a gap of %.3g, but its left null vectors leave %.3g times what the last digits of A "
      "explain",
      all->certificate->rank, all->certificate->gap, ratio);
}

static sgf_status joined(const problem *all, sgf_error *error)
{
  return sgf_fail(
      error, SGF_ERROR_AMBIGUOUS,
      "A: of rank %zu by a gap of %.3g, but its last digits could join null eigenvalues with others (left null "
      "vectors of length %.3g): whether it is singular cannot be told; a rank tolerance of 0 takes it as regular",
      all->certificate->rank, all->certificate->gap, all->form.left_norm);
}

/* What drives what does not relax is within what A's last digits make of 0, but Q's do not explain it. */
static sgf_status undecided(const problem *all, double share, sgf_error *error)
{
  return sgf_fail(
      error, SGF_ERROR_AMBIGUOUS,
      "Q: %.3g of what it could drive the %zu quantities by that A does not let relax, and its null vectors "
      "are not known well enough to tell that from none",
      share, all->form.null);
}

/* Any other drift: element by element, whatever the units. */
static sgf_status check_driving(problem *all, double norm, sgf_error *error)
{
  const double most_unresolved = 100.0;
  size_t null = all->form.null;
  sgf_driving driving = {.block = NULL};
  /* What is below the square of round-off are zeros of L that were not computed as such. */
  const double seen = 1e-10; /* a share of the noise that round-off may hide */
  double worst = 0.0, share = 0.0,
         nothing = DBL_EPSILON * DBL_EPSILON * norm * all->form.left_norm * all->form.left_norm;
  sgf_status status;
  SGF_TRY(sgf_form_driving(&all->form, all->A, all->Q, &driving, error));
  all->certificate->null_noise = sgf_norm(null * null, driving.block) / norm;
  for (size_t k = 0; k < null * null; k++) {
    double noise = fabs(driving.block[k]);
    if (!(noise <= driving.last_digit[k] + nothing)) {
      all->driven = true;
      share = fmax(share, noise * unit_of_sums(all->form.n) / driving.last_digit[k]);
    }
    if (!(noise <= driving.tolerated[k])) worst = isnan(noise) ? INFINITY : fmax(worst, noise / driving.tolerated[k]);
  }
  if (worst > 0.0 && sgf_form_is_joined(&all->form, sgf_norm(all->n * all->n, all->A)))
    status = joined(all, error);
  else if (!(worst > 0.0) && !(share <= seen))
    status = undecided(all, share, error);
  else if (worst > 0.0)
    status = driving.unresolved > most_unresolved ? unresolved(all, driving.unresolved, error)
                                                  : incompatible(all, all->certificate->null_noise / worst, error);
done:
  free(driving.block);
  return status;
}

/* What does not relax must not be driven: L^T Q L = 0 up to what round-off in A and Q makes of it, which is taken away.
 * `Q` is in the basis of W. */
static sgf_status check_compatible(problem *all, double *Q, sgf_error *error)
{
  const sgf_drift_form *form = &all->form;
  size_t n = all->n, null = form->null;
  double norm = sgf_norm(n * n, Q), across, *block;
  all->certificate->null_noise = 0.0;
  if (null == 0 || (norm == 0.0 && !(form->slow > 0.0))) return SGF_OK;
  sgf_status status = sgf_new_reals(&block, null, null, "noise that the drift leaves", error);
  if (status != SGF_OK) return status;
  sgf_form_null_block(form, Q, all->work, block, &across);
  SGF_TRY(form->L != NULL ? check_driving(all, norm, error) : check_normal(all, block, across, norm, error));
  SGF_TRY(sgf_form_make_compatible(form, block, Q, error));
done:
  free(block);
  return status;
}

/* Powers of 2 that bring the norm of every row and then the largest element of every column to about 1, (n) each; the
 * product of the largest of both is the reciprocal of what is returned. Zero rows and columns stay. */
static double element_scales(size_t n, const double *A, double *rows, double *columns)
{
  double least_row = 1.0, least_column = 1.0;
  memset(columns, 0, n * sizeof *columns);
  for (size_t i = 0; i < n; i++) {
    const double *row = A + i * n;
    rows[i] = ldexp(1.0, -sgf_exponent(n, row));
    least_row = fmin(least_row, 1.0 / rows[i]);
    for (size_t j = 0; j < n; j++) {
      double size = fabs(row[j]) * rows[i];
      columns[j] = size > columns[j] ? size : columns[j];
    }
  }
  for (size_t j = 0; j < n; j++) {
    int shift = 0;
    if (columns[j] > 0.0) frexp(columns[j], &shift);
    columns[j] = ldexp(1.0, -shift);
    least_column = fmin(least_column, 1.0 / columns[j]);
  }
  return least_row * least_column;
}

/* A rank that is clear by the norm of A, but not by its elements: of diag(1, 1e-15) nothing says that the second is
 * round-off of the first. It matters where noise drives what was dropped or a start is given. Not of 1 - A, whose elements
 * are known to the last digit of 1. */
static sgf_status check_elements(const problem *all, double tolerance, sgf_error *error)
{
  size_t n = all->n, rank = all->certificate->rank, of_elements = 0;
  double *scaled = NULL, *values = NULL, *scales = NULL;
  sgf_status status;
  if (all->discrete || all->form.null == 0 || !isnan(tolerance)) return SGF_OK;
  if (all->certificate->null_noise == 0.0 && !all->starts) return SGF_OK;
  SGF_TRY(sgf_new_reals(&scales, 2 * n, 1, "scaled A", error));
  if (element_scales(n, all->A, scales, scales + n) > 1e2 * (double)n * sgf_rank_round_off(n)) goto done;
  SGF_TRY(sgf_new_reals(&scaled, n, n, "scaled A", error));
  SGF_TRY(sgf_new_reals(&values, n, 1, "singular values of A", error));
  for (size_t k = 0; k < n * n; k++) scaled[k] = all->A[k] * scales[k / n] * scales[n + k % n];
  lapack_int size = (lapack_int)n,
             info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', size, size, scaled, size, values, NULL, size, NULL, size);
  while (of_elements < n && values[of_elements] > 1e3 * sgf_rank_round_off(n) * values[0]) of_elements++;
  if (info != 0)
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "A: LAPACK dgesdd returned %d", (int)info);
  else if (of_elements > rank)
    status = sgf_fail(error, SGF_ERROR_AMBIGUOUS,
                      "A: rank %zu of %zu if what is below round-off of its norm is 0, but %zu if its small rows and "
                      "columns are no round-off of the others, and noise or X(0) makes a difference of that; a rank "
                      "tolerance decides it",
                      rank, n, of_elements);
done:
  free(scales);
  free(scaled);
  free(values);
  return status;
}

/* --------------------------------------------------------------- solution */

/* R = Q - A X - X A^T, or Q - X + A X A^T: the symmetric part of what the sums over A alone leave. */
static void residual_of(const problem *all, const double *X, double *R)
{
  size_t n = all->n;
  double *AX = all->work;
  if (n <= FEW_ROWS) { /* X is symmetric */
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j < n; j++) {
        double sum = 0.0;
        for (size_t k = 0; k < n; k++) sum += all->A[i * n + k] * X[j * n + k];
        AX[i * n + j] = sum;
      }
  } else {
    sgf_multiply(n, n, n, SGF_PLAIN, all->A, SGF_PLAIN, X, AX);
  }
  if (all->discrete) sgf_multiply(n, n, n, SGF_PLAIN, AX, SGF_TRANSPOSED, all->A, R);
  for (size_t k = 0; k < n * n; k++) R[k] = all->discrete ? all->Q[k] - X[k] + R[k] : all->Q[k] - 2.0 * AX[k];
  sgf_symmetrize(n, R);
}

/* What to add to X for a residual R, both in the units of the form. block: n^2 */
static sgf_status correction_for(const problem *all, const double *R, double *block, double *correction,
                                 sgf_error *error)
{
  size_t n = all->n;
  double across;
  sgf_status status;
  congruence(n, all->form.W, true, R, all->work, correction);
  if (all->form.null > 0) {
    sgf_form_null_block(&all->form, correction, all->work, block, &across);
    SGF_TRY(sgf_form_make_compatible(&all->form, block, correction, error));
  }
  SGF_TRY(sgf_form_solve(&all->form, NULL, correction, all->work, error));
  congruence(n, all->form.W, false, correction, all->work, correction);
done:
  return status;
}

/* One step of refinement of X with residual R, kept if the residual falls by a half or more; X in the units of the form
 * or, with `given`, in those of A and Q as they were given, where it is to be of least norm. */
static sgf_status refine(const problem *all, const sgf_measures *measures, bool given, double *X, double *R,
                         sgf_error *error)
{
  size_t n = all->n;
  double *better, *correction, *block, before = all->certificate->residual;
  sgf_status status = sgf_new_reals(&better, 3 * n, n, "refinement", error);
  if (status != SGF_OK) return status;
  correction = better + n * n;
  block = correction + n * n;
  memcpy(better, R, n * n * sizeof *R);
  if (given) sgf_covariance_into_units(n, all->E, better);
  SGF_TRY(correction_for(all, better, block, correction, error));
  if (given) sgf_covariance_out_of_units(n, all->E, correction);
  for (size_t k = 0; k < n * n; k++) better[k] = X[k] + correction[k];
  if (given) SGF_TRY(sgf_take_least_norm(n, all->form.null, all->E, all->form.W, better, error));
  residual_of(all, better, correction);
  sgf_measures after = *measures;
  after.residual = sgf_norm(n * n, correction);
  after.X = sgf_norm(n * n, better);
  if (sgf_scaled_residual(&after) < 0.5 * before) {
    memcpy(X, better, n * n * sizeof *X);
    memcpy(R, correction, n * n * sizeof *R);
    all->certificate->refined = true;
    all->certificate->residual = sgf_scaled_residual(&after);
  }
done:
  free(better);
  return status;
}

/* The residual in long double, for symmetric X and n up to PRECISE_SIZE. */
static void precise_residual(const problem *all, const long double *X, double *R)
{
  size_t n = all->n;
  const double *A = all->A;
  long double row[PRECISE_SIZE]; /* of A X */
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n && all->discrete; j++) {
      row[j] = 0.0L;
      for (size_t k = 0; k < n; k++) row[j] += A[i * n + k] * X[j * n + k];
    }
    for (size_t j = 0; j <= i; j++) {
      long double left = all->Q[i * n + j];
      if (all->discrete) left -= X[i * n + j];
      for (size_t k = 0; k < n && all->discrete; k++) left += row[k] * A[j * n + k];
      for (size_t k = 0; k < n && !all->discrete; k++)
        left -= A[i * n + k] * X[j * n + k] + A[j * n + k] * X[i * n + k];
      R[i * n + j] = (double)left;
    }
  }
  sgf_mirror(n, R);
}

/* Refinement with X and the residual in long double, kept if its steps become small: the error that an ill-conditioned
 * equation, taken as exact, leaves is then that of long double. The second step takes away what the first brings in where
 * X is better than its condition. R: n^2 for work. */
static sgf_status polish(const problem *all, double *X, double *R, sgf_error *error)
{
  enum { MOST_STEPS = 8 };
  size_t n = all->n;
  void *block;
  double norm = sgf_norm(n * n, X), first = INFINITY, before = INFINITY, size = INFINITY;
  sgf_status status = sgf_allocate(&block, n, n, sizeof(long double), "refinement", error);
  if (status != SGF_OK) return status;
  long double *better = block;
  for (size_t k = 0; k < n * n; k++) better[k] = X[k];
  for (size_t step = 0; step < MOST_STEPS && size > DBL_EPSILON * norm && (step < 3 || size < 0.5 * before); step++) {
    before = size;
    precise_residual(all, better, R);
    congruence(n, all->form.W, true, R, all->work, R);
    SGF_TRY(sgf_form_solve(&all->form, NULL, R, all->work, error));
    congruence(n, all->form.W, false, R, all->work, R);
    size = sgf_norm(n * n, R);
    if (step == 0) first = size;
    for (size_t k = 0; k < n * n; k++) better[k] += R[k];
  }
  if (size <= DBL_EPSILON * norm || size < 0.02 * first) {
    for (size_t k = 0; k < n * n; k++) X[k] = (double)better[k];
    all->certificate->refined = true;
  }
done:
  free(block);
  return status;
}

static sgf_status certify(const problem *all, double *X, sgf_error *error)
{
  size_t n = all->n;
  sgf_measures measures = {.n = n,
                           .discrete = all->discrete,
                           .null = all->form.null,
                           .A = sgf_norm(n * n, all->A),
                           .Q = sgf_norm(n * n, all->Q),
                           .smallest = all->form.smallest,
                           .left_norm = all->form.left_norm};
  double *R = all->work + n * n; /* until the condition takes all of the work space */
  sgf_certificate *certificate = all->certificate;
  sgf_status status;
  residual_of(all, X, R);
  measures.residual = sgf_norm(n * n, R);
  measures.X = sgf_norm(n * n, X);
  certificate->residual = sgf_scaled_residual(&measures);
  if (certificate->residual > SGF_WORTH_REFINING) {
    SGF_TRY(refine(all, &measures, false, X, R, error));
    measures.residual = sgf_norm(n * n, R);
    measures.X = sgf_norm(n * n, X);
  }
  SGF_TRY(sgf_form_condition(&all->form, all->work, &measures.Y_spectral, &measures.Y_frobenius, error));
  certificate->separation = ldexp(1.0, all->shift_A) / measures.Y_spectral;
  certificate->error_bound = sgf_error_bound(&measures);
  if (all->of_slow > 0.0) certificate->error_bound += all->of_slow / measures.X;
  bool able = n <= PRECISE_SIZE && all->form.null == 0;
  if (able && certificate->error_bound > SGF_WORTH_PRECISION * (double)(n * n) * DBL_EPSILON) {
    SGF_TRY(polish(all, X, R, error));
    residual_of(all, X, R);
    measures.residual = sgf_norm(n * n, R);
    measures.X = sgf_norm(n * n, X);
    certificate->residual = sgf_scaled_residual(&measures);
    certificate->error_bound = sgf_error_bound(&measures);
  }
done:
  return status;
}

/* Back from the powers of 2. */
static sgf_status unscale(const problem *all, double *X, sgf_error *error)
{
  size_t n = all->n;
  sgf_scaled_copy(n * n, X, all->shift_Q - all->shift_A, X);
  for (size_t k = 0; k < n * n; k++)
    if (!isfinite(X[k]))
      return sgf_fail(error, SGF_ERROR_VALUE, "X: overflow, ||Q|| is about 2^%d and ||A|| 2^%d", all->shift_Q,
                      all->shift_A);
  return SGF_OK;
}

/* No answer of a singular drift of which no digit is certain, in the units of the form: null vectors that are nearly
 * orthogonal to their left ones, or a rank that is wrong. */
static sgf_status check_certain(const problem *all, sgf_error *error)
{
  sgf_certificate *certificate = all->certificate;
  if (all->form.null == 0 || certificate->error_bound < 1.0) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_AMBIGUOUS,
      "A: it is singular, rank %zu of %zu, and its null vectors are not known well enough: the error bound "
      "of X is %.3g, no digit is certain",
      certificate->rank, all->n, certificate->error_bound);
}

/* The solution in equilibrated units, with its certificate. */
static sgf_status solve(problem *all, const sgf_lyapunov_options *options, double *X, sgf_error *error)
{
  sgf_certificate *certificate = all->certificate;
  size_t n = all->n;
  sgf_status status;
  bool is_symmetric = certificate->method == SGF_METHOD_SYMMETRIC;
  /* The symmetric form reads the lower triangle: an asymmetry of round-off is within the backward error. */
  SGF_TRY((is_symmetric ? sgf_symmetric_form : sgf_schur_form)(n, all->A, all->discrete, options->rank_tolerance,
                                                               ldexp(1.0, all->shift_A), all->work, &all->form,
                                                               certificate, error));
  congruence(n, all->form.W, true, all->Q, all->work, X);
  SGF_TRY(check_compatible(all, X, error));
  SGF_TRY(check_elements(all, options->rank_tolerance, error));
  SGF_TRY(take_initial(all, options->initial, error));
  SGF_TRY(sgf_form_solve(&all->form, all->initial, X, all->work, error));
  congruence(n, all->form.W, false, X, all->work, X);
  SGF_TRY(certify(all, X, error));
  status = check_certain(all, error);
done:
  return status;
}

/* Back from equilibrated units: X, its residual from the A and Q that were given, and the bound, for which an error of
 * norm e becomes one of at most max(E)^2 e. Null vectors that are known to an angle are known to max(E) / min(E) of it. */
static sgf_status leave_units(problem *all, const double *A, const double *Q, bool least_norm, double *X,
                              sgf_error *error)
{
  size_t n = all->n;
  const double *E = all->E;
  sgf_certificate *certificate = all->certificate;
  double largest = E[0], least = E[0], within = sgf_norm(n * n, X), *R;
  sgf_status status = sgf_new_reals(&R, n, n, "residual", error);
  if (status != SGF_OK) return status;
  for (size_t k = 1; k < n; k++) {
    largest = fmax(largest, E[k]);
    least = fmin(least, E[k]);
  }
  sgf_covariance_out_of_units(n, E, X);
  certificate->error_bound *= largest * largest * within;
  least_norm = least_norm && all->form.null > 0 && all->form.null < n;
  if (least_norm) {
    certificate->error_bound +=
        16.0 * DBL_EPSILON * all->form.left_norm / all->form.smallest * largest / least * sgf_norm(n * n, X);
    SGF_TRY(sgf_take_least_norm(n, all->form.null, E, all->form.W, X, error));
  }
  memcpy(all->A, A, n * n * sizeof *A);
  memcpy(all->Q, Q, n * n * sizeof *Q);
  residual_of(all, X, R);
  sgf_measures measures = {.discrete = all->discrete,
                           .A = sgf_norm(n * n, A),
                           .Q = sgf_norm(n * n, Q),
                           .X = sgf_norm(n * n, X),
                           .residual = sgf_norm(n * n, R)};
  certificate->residual = sgf_scaled_residual(&measures);
  if (least_norm && certificate->residual > SGF_WORTH_REFINING) SGF_TRY(refine(all, &measures, true, X, R, error));
  if (measures.X > 0.0) certificate->error_bound /= measures.X;
done:
  free(R);
  return status;
}

/* No answer without a small residual. A tolerance that was given may leave what it takes for zero. */
static sgf_status check_residual(const problem *all, double tolerance, sgf_error *error)
{
  sgf_certificate *certificate = all->certificate;
  bool singular = all->form.null > 0;
  double largest = singular && tolerance > LARGEST_RESIDUAL ? tolerance : LARGEST_RESIDUAL;
  if (certificate->residual <= largest) return SGF_OK;
  return sgf_fail(error, singular ? SGF_ERROR_AMBIGUOUS : SGF_ERROR_NUMERICAL,
                  "X: its scaled residual is %.3g, above %.3g (null noise %.3g, error bound %.3g)",
                  certificate->residual, largest, certificate->null_noise, certificate->error_bound);
}

/* Solve a general drift in equilibrated units, where that is worth it. */
static sgf_status solve_in_units(problem *all, const sgf_lyapunov_options *options, double *X, sgf_error *error)
{
  size_t n = all->n;
  bool worth = false;
  double *A = NULL, *Q = NULL;
  sgf_status status;
  SGF_TRY(choose_method(all, options->method, &all->certificate->method, error));
  if (all->certificate->method == SGF_METHOD_SCHUR) {
    SGF_TRY(sgf_new_reals(&all->E, n, 1, "equilibrated units", error));
    SGF_TRY(sgf_equilibrate(n, all->A, all->E, &worth, error));
  }
  if (!worth) {
    free(all->E);
    all->E = NULL;
    SGF_TRY(solve(all, options, X, error));
    status = check_residual(all, options->rank_tolerance, error);
    goto done;
  }
  SGF_TRY(sgf_new_reals(&A, n, n, "A", error));
  SGF_TRY(sgf_new_reals(&Q, n, n, "Q", error));
  memcpy(A, all->A, n * n * sizeof *A);
  memcpy(Q, all->Q, n * n * sizeof *Q);
  sgf_drift_into_units(n, all->E, all->A);
  sgf_covariance_into_units(n, all->E, all->Q);
  SGF_TRY(solve(all, options, X, error));
  SGF_TRY(leave_units(all, A, Q, options->initial == NULL, X, error));
  if (all->driven) SGF_TRY(check_certain(all, error));
  status = check_residual(all, options->rank_tolerance, error);
done:
  free(A);
  free(Q);
  return status;
}

/* ------------------------------------------------------------------ driver */

static sgf_status check_size(size_t n, const sgf_lyapunov_options *options, sgf_error *error)
{
  /* A, Q, X, W, T, two for work, one for LAPACK; singular drifts and refinement take up to four more */
  double bytes = 12.0 * (double)n * (double)n * sizeof(double);
  const double always_there = 1e6;
  double memory = options->memory > 0.0 ? options->memory : bytes < always_there ? bytes : sgf_memory_to_use();
  if (n == 0) return sgf_fail(error, SGF_ERROR_VALUE, "A: it has no rows");
  if (n > 46340) return sgf_fail(error, SGF_ERROR_VALUE, "A: %zu rows, a dense matrix has at most 46340", n);
  if (bytes <= memory) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_MEMORY, "A: %zu rows take %.3g GiB of memory to solve, %.3g GiB may be used", n,
                  bytes / 1073741824.0, memory / 1073741824.0);
}

static int clamp(int value, int least, int most) { return value < least ? least : value > most ? most : value; }

/* An initial covariance that is very large against Q decides the scale of both. */
static sgf_status make_room_for_initial(problem *all, const double *initial, sgf_error *error)
{
  enum { ROOM = 400 };
  size_t n = all->n;
  if (initial == NULL) return SGF_OK;
  sgf_status status = sgf_check_finite(n, n, initial, "X0", error);
  if (status != SGF_OK) return status;
  int shift = sgf_exponent(n * n, initial) + all->shift_A - ROOM;
  if (shift <= all->shift_Q) return SGF_OK;
  sgf_scaled_copy(n * n, all->Q, all->shift_Q - shift, all->Q);
  all->shift_Q = shift;
  return SGF_OK;
}

sgf_status sgf_lyapunov_solve(size_t n, const double *A, size_t columns, const double *Q,
                              const sgf_lyapunov_options *options, double *X, sgf_certificate *certificate,
                              sgf_error *error)
{
  sgf_lyapunov_options defaults;
  sgf_certificate unused;
  sgf_lyapunov_options_init(&defaults);
  if (options == NULL) options = &defaults;
  if (certificate == NULL) certificate = &unused;
  *certificate = sgf_nothing_known(n, options->method);
  problem all = {
      .n = n, .discrete = options->discrete, .starts = options->initial != NULL, .certificate = certificate};
  sgf_status status;
  SGF_TRY(sgf_check_options(options, error));
  SGF_TRY(check_size(n, options, error));
  SGF_TRY(sgf_check_finite(n, n, A, "A", error));
  /* one block: of a small system each allocation is felt */
  SGF_TRY(sgf_new_reals(&all.A, 2 * n * n + sgf_form_work(n), 1, "Lyapunov equation", error));
  all.Q = all.A + n * n;
  all.work = all.Q + n * n;
  /* Within the exponents of normal numbers, so that the scale of an eigenvalue is one. */
  if (!all.discrete) all.shift_A = clamp(sgf_exponent(n * n, A), DBL_MIN_EXP - 1, DBL_MAX_EXP - 1);
  sgf_scaled_copy(n * n, A, -all.shift_A, all.A);
  SGF_TRY(take_right_hand_side(&all, columns, Q, error));
  SGF_TRY(make_room_for_initial(&all, options->initial, error));
  SGF_TRY(solve_in_units(&all, options, X, error));
  SGF_TRY(unscale(&all, X, error));
done:
  if (status != SGF_OK) sgf_fill_nan(n * n, X);
  if (status == SGF_ERROR_AMBIGUOUS) certificate->ambiguous = true;
  free(all.A); /* and Q and work */
  free(all.E);
  free(all.initial);
  sgf_drift_form_free(&all.form);
  return status;
}
