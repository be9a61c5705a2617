/* Many small Lyapunov or Stein equations, in parallel: by threads, and side by side in the lanes of vectors. */
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "certificate.h"
#include "form.h"
#include "input.h"
#include "lanes.h"

/* Drifts of more rows take no less time side by side than by LAPACK. */
enum { MOST_SYMMETRIC_ROWS = SGF_MOST_LANE_ROWS, MOST_GENERAL_ROWS = SGF_MOST_LANE_ROWS };

/* How an equation begins. */
typedef enum { SIDE_BY_SIDE_SYMMETRIC, SIDE_BY_SIDE_GENERAL, ONE_BY_ONE, WAYS } way;

typedef struct {
  size_t count, n;
  const double *A, *Q;
  const sgf_lyapunov_options *options;
  const sgf_lanes *lanes;
  double *X;
  sgf_certificate *certificates; /* or NULL */
  sgf_status *statuses;          /* or NULL */
  size_t *order;                 /* (count) the systems, by the way they begin */
  size_t of_way[WAYS];           /* how many begin so */
  size_t first;                  /* that failed */
  sgf_error of_first;
} batch;

/* ------------------------------------------------------------- the way of each */

/* Squared norms of S and of S - S^T; NaN and infinite where an element is. */
static void squares(size_t n, const double *S, double *size, double *difference)
{
  *size = *difference = 0.0;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      double here = S[i * n + j], there = S[j * n + i];
      *size += i == j ? here * here : here * here + there * there;
      *difference += 2.0 * (here - there) * (here - there);
    }
}

/* One by one goes what must not or need not be clear of overflow, asymmetry and the like to be solved well. */
static way way_of(const batch *all, size_t k)
{
  const double least = 1e-100, most = 1e100, asymmetric = 1e-20, round_off = 16.0 * DBL_EPSILON;
  size_t n = all->n;
  double A, Q, of_A, of_Q;
  squares(n, all->Q + k * n * n, &Q, &of_Q);
  if (!(Q > least && Q < most && of_Q <= asymmetric * Q)) return ONE_BY_ONE;
  squares(n, all->A + k * n * n, &A, &of_A);
  if (!(A > least && A < most)) return ONE_BY_ONE;
  bool is_symmetric = of_A <= round_off * round_off * A;
  sgf_method method = all->options->method;
  if (method == SGF_METHOD_AUTO) method = is_symmetric ? SGF_METHOD_SYMMETRIC : SGF_METHOD_SCHUR;
  if (method == SGF_METHOD_SYMMETRIC && is_symmetric && n <= MOST_SYMMETRIC_ROWS) return SIDE_BY_SIDE_SYMMETRIC;
  if (method == SGF_METHOD_SCHUR && n <= MOST_GENERAL_ROWS) return SIDE_BY_SIDE_GENERAL;
  return ONE_BY_ONE;
}

static sgf_status sort_by_way(batch *all, sgf_error *error)
{
  const sgf_lyapunov_options *options = all->options;
  bool built = !options->discrete && options->initial == NULL && options->memory == 0.0 && all->n > 0 &&
               all->n <= SGF_MOST_LANE_ROWS && sgf_check_options(options, NULL) == SGF_OK;
  void *block;
  size_t next[WAYS] = {0};
  sgf_status status = sgf_allocate(&block, all->count, 2, sizeof *all->order, "systems", error);
  if (status != SGF_OK) return status;
  all->order = block;
  size_t *ways = all->order + all->count;
  for (size_t k = 0; k < all->count; k++) {
    ways[k] = built ? way_of(all, k) : ONE_BY_ONE;
    all->of_way[ways[k]]++;
  }
  for (size_t w = 1; w < WAYS; w++) next[w] = next[w - 1] + all->of_way[w - 1];
  for (size_t k = 0; k < all->count; k++) all->order[next[ways[k]]++] = k;
  return SGF_OK;
}

/* -------------------------------------------------------------- one by one */

static void solve_alone(batch *all, size_t k)
{
  size_t square = all->n * all->n;
  sgf_error here;
  sgf_status status =
      sgf_lyapunov_solve(all->n, all->A + k * square, 0, all->Q + k * square, all->options, all->X + k * square,
                         all->certificates != NULL ? &all->certificates[k] : NULL, &here);
  if (all->statuses != NULL) all->statuses[k] = status;
  if (status == SGF_OK) return;
#pragma omp critical(sgf_first_failure)
  if (k < all->first) {
    all->first = k;
    all->of_first = here;
  }
}

/* ------------------------------------------------------------ side by side */

/* Whether what was found in a lane is an answer as good as that of sgf_lyapunov_solve, which would neither refine it nor
 * look for null vectors or better units; and its certificate. */
static bool is_clear(const batch *all, const sgf_lane *lane, bool is_symmetric, sgf_certificate *certificate)
{
  const double clear_gap = 1e4, worth_units = 0.01;
  size_t n = all->n;
  double tolerance = all->options->rank_tolerance, root = sqrt((double)n);
  sgf_measures measures = {.n = n,
                           .A = lane->A,
                           .Q = lane->Q,
                           .X = lane->X,
                           .residual = lane->residual,
                           .Y_spectral = lane->Y_spectral,
                           .Y_frobenius = lane->Y_frobenius,
                           .left_norm = 1.0};
  /* sigma_min(A) >= 1 / (2 ||Y||_2), to the per cent of the power method */
  double reciprocal = (is_symmetric ? 0.5 : 0.49) / (lane->Y_spectral * lane->A);
  if (!lane->found || !(reciprocal > clear_gap * sgf_rank_round_off(n))) return false;
  if (!is_symmetric && !(reciprocal > 1e5 * root * (double)n * DBL_EPSILON)) return false;
  if (!isnan(tolerance) && !(reciprocal > 1e2 * (double)n * tolerance)) return false;
  if (!is_symmetric && !(lane->products > worth_units * lane->A * lane->A)) return false;
  *certificate = sgf_nothing_known(n, is_symmetric ? SGF_METHOD_SYMMETRIC : SGF_METHOD_SCHUR);
  certificate->rank = n;
  certificate->gap = reciprocal / sgf_rank_round_off(n);
  certificate->null_noise = 0.0;
  certificate->residual = sgf_scaled_residual(&measures);
  certificate->separation = 1.0 / lane->Y_spectral;
  certificate->error_bound = sgf_error_bound(&measures);
  certificate->real = lane->real;
  certificate->imaginary = lane->imaginary;
  return certificate->residual <= SGF_WORTH_REFINING &&
         certificate->error_bound <= SGF_WORTH_PRECISION * (double)(n * n) * DBL_EPSILON;
}

/* Systems `which` (used of them) into lanes, those that are left with the last one's. */
static void gather(const batch *all, const size_t *which, size_t used, double *A, double *Q)
{
  size_t n = all->n, width = all->lanes->width;
  for (size_t k = 0; k < width; k++) {
    size_t system = which[k < used ? k : used - 1];
    const double *drift = all->A + system * n * n, *noise = all->Q + system * n * n;
    for (size_t i = 0; i < n * n; i++) A[i * width + k] = drift[i];
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j <= i; j++)
        Q[(i * n + j) * width + k] = Q[(j * n + i) * width + k] = 0.5 * (noise[i * n + j] + noise[j * n + i]);
  }
}

/* work: 3 matrices in lanes and that of the lanes */
static void solve_group(batch *all, const size_t *which, size_t used, bool is_symmetric, double *work)
{
  size_t n = all->n, width = all->lanes->width, size = n * n * width;
  double *A = work, *Q = A + size, *X = Q + size;
  sgf_lane found[SGF_MOST_LANES];
  sgf_certificate certificate;
  gather(all, which, used, A, Q);
  (is_symmetric ? all->lanes->symmetric : all->lanes->general)(n, A, Q, X, X + size, found);
  for (size_t k = 0; k < used; k++) {
    size_t system = which[k];
    if (!is_clear(all, &found[k], is_symmetric, &certificate)) {
      solve_alone(all, system);
      continue;
    }
    for (size_t i = 0; i < n * n; i++) all->X[system * n * n + i] = X[i * width + k];
    if (all->certificates != NULL) all->certificates[system] = certificate;
    if (all->statuses != NULL) all->statuses[system] = SGF_OK;
  }
}

/* Groups of as many systems as there are lanes, all of one way; `work` is NULL if there was no memory. */
static void solve_groups(batch *all, double *work)
{
  size_t width = all->lanes->width, before = 0;
  for (size_t w = 0; w < WAYS; w++) {
    size_t systems = all->of_way[w], groups = (systems + width - 1) / width;
    const size_t *order = all->order + before;
#pragma omp for schedule(static) nowait
    for (size_t g = 0; g < groups; g++) {
      size_t used = systems - g * width < width ? systems - g * width : width;
      if (w != ONE_BY_ONE && used > 1 && work != NULL)
        solve_group(all, order + g * width, used, w == SIDE_BY_SIDE_SYMMETRIC, work);
      else
        for (size_t k = 0; k < used; k++) solve_alone(all, order[g * width + k]);
    }
    before += systems;
  }
}

sgf_status sgf_lyapunov_solve_many(size_t count, size_t n, const double *A, const double *Q,
                                   const sgf_lyapunov_options *options, int threads, double *X,
                                   sgf_certificate *certificates, sgf_status *statuses, sgf_error *error)
{
  enum { ALIGNMENT = 64 };
  sgf_lyapunov_options defaults;
  sgf_lyapunov_options_init(&defaults);
  batch all = {.count = count,
               .n = n,
               .A = A,
               .Q = Q,
               .options = options != NULL ? options : &defaults,
               .lanes = sgf_lanes_of_machine(),
               .X = X,
               .certificates = certificates,
               .statuses = statuses,
               .first = count};
  sgf_status status = sort_by_way(&all, error);
  if (status != SGF_OK) {
    sgf_fill_nan(count * n * n, X);
    for (size_t k = 0; k < count && statuses != NULL; k++) statuses[k] = status;
    return status;
  }
  size_t width = all.lanes->width, numbers = 3 * n * n * width + sgf_lanes_work(n, width);
  bool side_by_side = all.of_way[ONE_BY_ONE] < count;
#pragma omp parallel num_threads(threads > 0 ? threads : omp_get_max_threads())
  {
    void *work = NULL;
    if (side_by_side && posix_memalign(&work, ALIGNMENT, numbers * sizeof(double)) != 0) work = NULL;
    solve_groups(&all, work);
    free(work);
  }
  free(all.order);
  if (all.first == count) return SGF_OK;
  return sgf_fail(error, all.of_first.status, "system %zu: %.400s", all.first, all.of_first.message);
}
