/* Many small equations: side by side in the lanes of vectors, against one by one and against what is known. */
#include "random_systems.h"

#include "../solver/lanes.h"

enum { SYSTEMS = 24, ROWS = SGF_MOST_LANE_ROWS };

typedef struct test_batch {
  double A[SYSTEMS * ROWS * ROWS], Q[SYSTEMS * ROWS * ROWS], X[SYSTEMS * ROWS * ROWS], alone[SYSTEMS * ROWS * ROWS];
  sgf_certificate certificates[SYSTEMS], of_alone[SYSTEMS];
  sgf_status statuses[SYSTEMS], status_alone[SYSTEMS];
} test_batch;

static test_batch all;

static void solve_both(size_t n, size_t count)
{
  sgf_error error;
  sgf_lyapunov_solve_many(count, n, all.A, all.Q, NULL, 1, all.X, all.certificates, all.statuses, &error);
  for (size_t k = 0; k < count; k++)
    all.status_alone[k] = sgf_lyapunov_solve(n, all.A + k * n * n, 0, all.Q + k * n * n, NULL, all.alone + k * n * n,
                                             &all.of_alone[k], &error);
}

static void certificates_agree(size_t n, size_t k)
{
  const sgf_certificate *here = &all.certificates[k], *alone = &all.of_alone[k];
  double size = sgf_norm(n * n, all.A + k * n * n);
  ck_assert_uint_eq(here->rank, alone->rank);
  ck_assert_int_eq(here->method, alone->method);
  ck_assert(!here->ambiguous && here->size == n && here->residual <= 1e-13);
  /* estimates from above, by a power method that may begin next to another eigenvector */
  ck_assert_msg(here->separation < 1.5 * alone->separation && here->separation > 0.6 * alone->separation, "%g, %g",
                here->separation, alone->separation);
  /* of eigenvalues next to each other either may be the nearest to instability */
  ck_assert_msg(fabs(here->real - alone->real) <= 1e-6 * size, "%g, %g", here->real, alone->real);
  ck_assert_msg(fabs(here->imaginary - alone->imaginary) <= 1e-6 * size || here->real > 1e-3 * size, "%g, %g",
                here->imaginary, alone->imaginary);
  ck_assert(here->gap <= 1.1 * (double)n * alone->gap);
}

/* More of them: SGF_BATCHES=100 tests/test_many. */
static uint64_t number_of_batches(void)
{
  const char *asked = getenv("SGF_BATCHES");
  return asked != NULL ? strtoull(asked, NULL, 10) : 1;
}

/* Systems of all kinds together: singular, oblique, nearly unstable, badly scaled, with noise out of the range. */
static void make_random_batch(size_t n, uint64_t first, random_system *systems)
{
  for (size_t k = 0; k < SYSTEMS; k++) {
    recipe made = random_recipe(first + k);
    made.n = n;
    made.discrete = made.factored = made.from_initial = false;
    made.null = k % 3 == 0 ? made.null % n : 0;
    if (made.null == 0) made.leak = 0.0;
    make_random_system(&made, first + k, &systems[k]);
    memcpy(all.A + k * n * n, systems[k].A, n * n * sizeof *all.A);
    memcpy(all.Q + k * n * n, systems[k].Q, n * n * sizeof *all.Q);
  }
}

START_TEST(random_systems_are_as_one_by_one)
{
  static random_system systems[SYSTEMS];
  size_t n = (size_t)_i, solved = 0;
  for (uint64_t batch = 0; batch < number_of_batches(); batch++) {
    make_random_batch(n, (batch * ROWS + n) * SYSTEMS, systems);
    solve_both(n, SYSTEMS);
    for (size_t k = 0; k < SYSTEMS; k++) {
      ck_assert_int_eq(all.statuses[k], all.status_alone[k]);
      if (all.statuses[k] != SGF_OK) continue;
      double wrong = error_of(&systems[k], all.X + k * n * n), bound = all.certificates[k].error_bound;
      ck_assert_msg(wrong <= bound, "batch %llu, system %zu: %g, bound %g", (unsigned long long)batch, k, wrong,
                    bound);
      if (systems[k].made.leak == 0.0) ck_assert(residual_of(&systems[k], all.X + k * n * n) <= 1e-13);
      certificates_agree(n, k);
      solved++;
    }
  }
  ck_assert_uint_ge(solved, number_of_batches() * SYSTEMS / 3);
}
END_TEST

/* --------------------------------------------------------- lanes themselves */

typedef enum { NORMAL, DIAGONAL, IDENTITY, ROTATIONS, CYCLIC, CLUSTERS, TRIANGULAR, KINDS } drift_kind;

/* A stable, well-conditioned drift; what is special about some: splits, multiple and complex eigenvalues. */
static void make_drift(drift_kind kind, size_t n, bool symmetric, uint64_t seed, double *A)
{
  double *G = new_reals(n * n);
  fill_normal(seed, n * n, G);
  memset(A, 0, n * n * sizeof *A);
  for (size_t i = 0; i < n; i++) {
    A[i * (n + 1)] = kind == IDENTITY ? 2.0 : kind == CLUSTERS ? 1.0 + (double)(i % 2) : 1.0 + 0.1 * (double)i;
    if (kind == CYCLIC) A[i * n + (i + 1) % n] += 0.9;
    if (kind == ROTATIONS && i % 2 == 1) {
      A[i * n + i - 1] = 0.5;
      A[(i - 1) * n + i] = symmetric ? 0.5 : -0.5;
    }
    for (size_t j = 0; j < n; j++) {
      if (kind == NORMAL) A[i * n + j] += G[i * n + j] * 0.2 / sqrt((double)n);
      if (kind == CLUSTERS) A[i * n + j] += 1e-9 * G[i * n + j];
      if (kind == TRIANGULAR && j > i) A[i * n + j] = 0.3 * G[i * n + j];
    }
  }
  if (symmetric) sgf_symmetrize(n, A);
  free(G);
}

/* Rows of `lanes` systems, one after the other, into lanes and back. */
static void interleave(size_t width, size_t count, const double *rows, double *lanes)
{
  for (size_t k = 0; k < width; k++)
    for (size_t i = 0; i < count; i++) lanes[i * width + k] = rows[k * count + i];
}

static double *aligned_reals(size_t count)
{
  void *block = NULL;
  ck_assert_int_eq(posix_memalign(&block, 64, count * sizeof(double)), 0);
  return block;
}

static void solve_in_lanes(const sgf_lanes *lanes, bool symmetric, size_t n, sgf_lane *found)
{
  size_t width = lanes->width, size = n * n * width;
  double *A = aligned_reals(3 * size + sgf_lanes_work(n, width)), *Q = A + size, *X = Q + size;
  interleave(width, n * n, all.A, A);
  interleave(width, n * n, all.Q, Q);
  (symmetric ? lanes->symmetric : lanes->general)(n, A, Q, X, X + size, found);
  for (size_t k = 0; k < width; k++)
    for (size_t i = 0; i < n * n; i++) all.X[k * n * n + i] = X[i * width + k];
  free(A);
}

static void make_batch(size_t n, bool symmetric)
{
  for (size_t k = 0; k < SGF_MOST_LANES; k++) {
    make_drift((drift_kind)(k % KINDS), n, symmetric, 100 * n + k, all.A + k * n * n);
    fill_normal(100 * n + 50 + k, n * n, all.Q + k * n * n);
    sgf_symmetrize(n, all.Q + k * n * n);
  }
}

/* Each width of vectors finds what LAPACK does. */
START_TEST(lanes_find_what_lapack_does)
{
  sgf_lane found[SGF_MOST_LANES];
  size_t n = (size_t)_i;
  for (size_t width = 2; width <= SGF_MOST_LANES; width *= 2) {
    const sgf_lanes *lanes = sgf_lanes_of(width);
    if (lanes == NULL) continue;
    for (int symmetric = 0; symmetric < 2; symmetric++) {
      make_batch(n, symmetric != 0);
      solve_both(n, SGF_MOST_LANES);
      solve_in_lanes(lanes, symmetric != 0, n, found);
      for (size_t k = 0; k < width; k++) {
        double size = sgf_norm(n * n, all.alone + k * n * n),
               reach = all.of_alone[k].separation * found[k].Y_spectral;
        /* the QR iteration may give up where eigenvalues are next to each other */
        if (!found[k].found && k % KINDS == CLUSTERS && symmetric == 0) continue;
        ck_assert_msg(found[k].found && all.status_alone[k] == SGF_OK, "width %zu, symmetric %d, system %zu", width,
                      symmetric, k);
        ASSERT_CLOSE(n * n, all.X + k * n * n, all.alone + k * n * n, 1e-12 * size);
        ck_assert_msg(reach > 0.8 && reach < 1.2, "%g", reach);
        ck_assert_double_le(fabs(found[k].real - all.of_alone[k].real), 1e-5); /* a defective one moves by more */
        ck_assert_double_le(fabs(found[k].X - size), 1e-12 * size);
        ck_assert_double_le(found[k].residual, 4e-15 * (2.0 * found[k].A * found[k].X + found[k].Q));
        ck_assert_double_le(found[k].Y_spectral, found[k].Y_frobenius * 1.001);
      }
    }
  }
}
END_TEST

/* Neighbours make no difference: the same system beside other ones, and in another lane. */
START_TEST(a_lane_does_not_depend_on_others)
{
  enum { N = 9 };
  static double before[SGF_MOST_LANES * N * N], kept[SGF_MOST_LANES * N * N];
  sgf_lane first[SGF_MOST_LANES], second[SGF_MOST_LANES];
  const sgf_lanes *lanes = sgf_lanes_of_machine();
  size_t width = lanes->width;
  for (int symmetric = 0; symmetric < 2; symmetric++) {
    make_batch(N, symmetric != 0);
    solve_in_lanes(lanes, symmetric != 0, N, first);
    memcpy(before, all.X, sizeof before);
    memcpy(kept, all.A, sizeof kept);
    for (size_t k = 0; k < width; k++) memcpy(all.A + k * N * N, kept + (width - 1) * N * N, N * N * sizeof *kept);
    memcpy(all.A, kept, N * N * sizeof *kept); /* lane 0 as before, the others all the last one */
    solve_in_lanes(lanes, symmetric != 0, N, second);
    ck_assert(memcmp(before, all.X, N * N * sizeof *before) == 0);
    ck_assert(memcmp(&first[0].real, &second[0].real, sizeof(double)) == 0);
  }
}
END_TEST

/* What is not stable is not found, however little it fails. */
START_TEST(an_unstable_drift_is_not_found)
{
  enum { N = 6 };
  sgf_lane found[SGF_MOST_LANES];
  const sgf_lanes *lanes = sgf_lanes_of_machine();
  for (int symmetric = 0; symmetric < 2; symmetric++)
    for (int step = 1; step < 12; step++) {
      make_batch(N, symmetric != 0);
      for (size_t k = 0; k < lanes->width; k++) {
        double *A = all.A + k * N * N;
        sgf_certificate unused;
        ck_assert_int_eq(sgf_lyapunov_solve(N, A, 0, all.Q, NULL, all.alone, &unused, NULL), SGF_OK);
        for (size_t i = 0; i < N; i++) A[i * (N + 1)] -= unused.real * (1.0 + pow(10.0, -step));
      }
      solve_in_lanes(lanes, symmetric != 0, N, found);
      for (size_t k = 0; k < lanes->width; k++) ck_assert(!found[k].found || found[k].Y_frobenius > 1e7);
    }
}
END_TEST

/* What cannot be solved among what can: each is told as one by one, and spoils no other. */
START_TEST(bad_systems_among_good_ones)
{
  enum { N = 5, COUNT = 20 };
  for (size_t k = 0; k < COUNT; k++) {
    make_drift(k % 2 == 0 ? NORMAL : TRIANGULAR, N, k % 4 < 2, k, all.A + k * N * N);
    fill_normal(50 + k, N * N, all.Q + k * N * N);
    sgf_symmetrize(N, all.Q + k * N * N);
  }
  all.A[2 * N * N + 3] = NAN;
  all.Q[3 * N * N + 1] = INFINITY;
  all.Q[5 * N * N + 1] += 1.0;                                           /* not symmetric */
  all.A[7 * N * N] = -3.0;                                               /* unstable */
  memset(all.A + 8 * N * N, 0, N * N * sizeof *all.A);                   /* nothing relaxes */
  memset(all.Q + 9 * N * N, 0, N * N * sizeof *all.Q);                   /* nothing drives */
  for (size_t i = 0; i < N * N; i++) all.A[11 * N * N + i] *= 1e200;     /* far from 1 */
  for (size_t i = 0; i < N * N; i++) all.Q[12 * N * N + i] *= 1e-160;    /* also */
  for (size_t i = 0; i < N; i++) all.A[13 * N * N + i * N] = 0.0;        /* singular */
  for (size_t i = 0; i < N; i++) all.A[14 * N * N + i * (N + 1)] = 1e-9; /* far from well-conditioned */
  solve_both(N, COUNT);
  for (size_t k = 0; k < COUNT; k++) {
    ck_assert_int_eq(all.statuses[k], all.status_alone[k]);
    double size = sgf_norm(N * N, all.alone + k * N * N);
    if (all.statuses[k] == SGF_OK)
      ASSERT_CLOSE(N * N, all.X + k * N * N, all.alone + k * N * N,
                   fmax(1e-13, all.certificates[k].error_bound) * size);
    else
      ck_assert(isnan(all.X[k * N * N]));
  }
  ck_assert_int_eq(all.statuses[1], SGF_OK);
  ck_assert_int_eq(all.statuses[2], SGF_ERROR_VALUE);
  ck_assert_int_eq(all.statuses[7], SGF_ERROR_UNSTABLE);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("many");
  TCase *tests = tcase_create("many");
  tcase_set_timeout(tests, 600);
  tcase_add_loop_test(tests, random_systems_are_as_one_by_one, 1, ROWS + 1);
  tcase_add_loop_test(tests, lanes_find_what_lapack_does, 1, ROWS + 1);
  tcase_add_test(tests, a_lane_does_not_depend_on_others);
  tcase_add_test(tests, an_unstable_drift_is_not_found);
  tcase_add_test(tests, bad_systems_among_good_ones);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
