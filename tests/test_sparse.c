/* Lyapunov and Stein equations with a sparse drift: against exact solutions, dense solvers and LAPACK; and the
 * files. */
#include <sys/stat.h>
#include <unistd.h>

#include "../io/hdf5_file.h"
#include "../io/matrix_market.h"
#include "../solver/kronecker.h"
#include "random_systems.h"

/* More of them: SGF_SYSTEMS=100000 tests/test_sparse. */
static uint64_t number_of_systems(void)
{
  const char *asked = getenv("SGF_SYSTEMS");
  return asked != NULL ? strtoull(asked, NULL, 10) : 1000;
}

/* What is not 0 of a dense matrix, the rows of each column in descending order. */
static void make_sparse(size_t n, const double *dense, sgf_sparse *A)
{
  sgf_error error;
  int64_t at = 0;
  ASSERT_OK(sgf_sparse_create(n, n, n * n, A, "A", &error), error);
  for (size_t j = 0; j < n; j++) {
    for (size_t i = n; i-- > 0;)
      if (dense[i * n + j] != 0.0) {
        A->indices[at] = (int64_t)i;
        A->values[at++] = dense[i * n + j];
      }
    A->starts[j + 1] = at;
  }
}

/* ---------------------------------------------------------- random systems */

typedef struct tally {
  size_t solved, refused, ambiguous, wrong_rank, large_residual, beyond_bound, missed_leak, false_alarm;
} tally;

static void count(const random_system *system, sgf_status status, const double *X, const sgf_certificate *certificate,
                  double tolerated, const sgf_error *error, tally *seen)
{
  const recipe *made = &system->made;
  double wrong = error_of(system, X), residual = residual_of(system, X);
  bool strange = false;
  if (status == SGF_OK) {
    seen->solved++;
    seen->wrong_rank += certificate->rank != made->n - made->null;
    seen->missed_leak += made->leak > 1e-6;
    strange = !(residual <= tolerated) || !(certificate->residual <= tolerated);
    seen->large_residual += strange;
    if (!isnan(certificate->error_bound) && !(wrong <= certificate->error_bound)) {
      seen->beyond_bound++;
      strange = true;
    }
  } else if (status == SGF_ERROR_AMBIGUOUS) {
    seen->ambiguous += made->units == 0.0; /* the sparse solvers do not equilibrate */
  } else if (status == SGF_ERROR_INCOMPATIBLE && made->leak > 0.0) {
    seen->refused++;
  } else {
    seen->false_alarm++;
    strange = true;
  }
  if (strange && getenv("SGF_SHOW") != NULL)
    printf("n %zu null %zu discrete %d symmetric %d skew %g units %.1f softest %.2g leak %g initial %d: status %d "
           "%s, error %.2g "
           "bound %.2g residual %.2g (%.2g) gap %.2g\n",
           made->n, made->null, made->discrete, made->symmetric, made->skew, made->units, made->softest, made->leak,
           made->from_initial, (int)status, status != SGF_OK ? error->message : "", wrong, certificate->error_bound,
           residual, certificate->residual, certificate->gap);
}

static void run_systems(sgf_method method, double tolerated, tally *seen)
{
  static random_system system;
  static double X[LARGEST_SYSTEM * LARGEST_SYSTEM];
  *seen = (tally){0};
  for (uint64_t index = 0; index < number_of_systems(); index++) {
    recipe made = random_recipe(index);
    made.units = 0.0; /* only dense solvers equilibrate */
    sgf_lyapunov_options options;
    sgf_certificate certificate;
    sgf_sparse A;
    sgf_error error;
    if (made.n > 24 || (method == SGF_METHOD_LOW_RANK && !made.factored)) continue;
    make_random_system(&made, index, &system);
    make_sparse(made.n, system.A, &A);
    sgf_lyapunov_options_init(&options);
    options.discrete = made.discrete;
    options.method = method;
    options.initial = made.from_initial ? system.initial : NULL;
    sgf_status status = sgf_lyapunov_solve_sparse(&A, made.factored ? made.n : 0, made.factored ? system.B : system.Q,
                                                  &options, X, &certificate, &error);
    count(&system, status, X, &certificate, tolerated, &error, seen);
    sgf_sparse_free(&A);
  }
  if (getenv("SGF_SHOW") != NULL)
    printf("%s: solved %zu refused %zu ambiguous %zu wrong rank %zu residual %zu bound %zu missed %zu false %zu\n",
           sgf_method_text(method), seen->solved, seen->refused, seen->ambiguous, seen->wrong_rank,
           seen->large_residual, seen->beyond_bound, seen->missed_leak, seen->false_alarm);
}

static void check_tally(const tally *seen)
{
  size_t all = seen->solved + seen->refused + seen->ambiguous;
  ck_assert_uint_eq(seen->wrong_rank, 0);
  ck_assert_uint_eq(seen->large_residual, 0);
  ck_assert_uint_eq(seen->beyond_bound, 0);
  ck_assert_uint_eq(seen->missed_leak, 0);
  ck_assert_uint_le(seen->false_alarm, all / 1000);
  ck_assert_uint_le(seen->ambiguous, all / 20);
  ck_assert_uint_gt(seen->solved, number_of_systems() / 10);
}

START_TEST(random_systems_by_the_kronecker_system)
{
  tally seen;
  run_systems(SGF_METHOD_KRONECKER, 1e-13, &seen);
  check_tally(&seen);
}
END_TEST

START_TEST(random_systems_in_krylov_spaces)
{
  tally seen;
  run_systems(SGF_METHOD_LOW_RANK, 1e-11, &seen);
  check_tally(&seen);
}
END_TEST

/* ------------------------------------------------------------- the operator */

/* Against its definition: column (i, j) is the image of E_ij. */
START_TEST(the_kronecker_system_is_the_operator)
{
  enum { N = 7, SIZE = N * (N + 1) / 2 };
  bool discrete = _i % 2 == 1, upper = _i >= 2;
  double A[N * N], E[N * N], AE[N * N], image[N * N], K[SIZE * SIZE];
  sgf_sparse sparse, ordered, system;
  sgf_error error;
  fill_normal(3, N * N, A);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++)
      A[i * N + j] = (i + 2 * j) % 3 == 0 ? 0.0 : upper ? A[(i < j ? i * N + j : j * N + i)] : A[i * N + j];
  make_sparse(N, A, &sparse);
  ASSERT_OK(sgf_sparse_order(&sparse, &ordered, &error), error);
  ASSERT_OK(sgf_kronecker_matrix(&ordered, discrete, 0.25, upper, INFINITY, &system, &error), error);
  ck_assert_uint_eq(system.rows, SIZE);
  sgf_sparse_to_dense(&system, K);
  for (size_t j = 0, column = 0; j < N; j++)
    for (size_t i = 0; i <= j; i++, column++) {
      memset(E, 0, sizeof E);
      E[i * N + j] = E[j * N + i] = i == j ? 1.0 : 1.0 / sqrt(2.0);
      sgf_multiply(N, N, N, SGF_PLAIN, A, SGF_PLAIN, E, AE);
      sgf_multiply(N, N, N, SGF_PLAIN, discrete ? AE : E, SGF_TRANSPOSED, A, image);
      for (size_t b = 0, row = 0; b < N; b++)
        for (size_t a = 0; a <= b; a++, row++) {
          double made = discrete ? E[a * N + b] - image[a * N + b] : AE[a * N + b] + image[a * N + b];
          double wanted = (a == b ? 1.0 : sqrt(2.0)) * made + (row == column ? 0.25 : 0.0);
          if (!upper || row <= column) ASSERT_NEAR(K[row * SIZE + column], wanted, 1e-14);
          if (upper && row > column) ck_assert(K[row * SIZE + column] == 0.0);
        }
    }
  sgf_sparse_free(&sparse);
  sgf_sparse_free(&ordered);
  sgf_sparse_free(&system);
}
END_TEST

/* -------------------------------------------------------------- larger drifts */

/* Diffusion on a square of side^2 places, with a wind unless it is symmetric; `rate` of loss everywhere (0: what is
 * there stays, A is singular). Discrete: a tenth of it as a step. */
static void make_grid(size_t side, bool symmetric, bool discrete, double rate, double *A)
{
  size_t n = side * side;
  memset(A, 0, n * n * sizeof *A);
  for (size_t i = 0; i < n; i++)
    for (size_t way = 0; way < 2; way++) {
      size_t j = way == 0 ? i + 1 : i + side;
      if (j >= n || (way == 0 && j % side == 0)) continue;
      double there = 1.0 + 0.5 * sin(3.0 * (double)i + (double)way), back = symmetric ? there : 0.7 * there;
      A[j * n + i] -= there;
      A[i * n + i] += there;
      A[i * n + j] -= back;
      A[j * n + j] += back;
    }
  for (size_t i = 0; i < n; i++) A[i * (n + 1)] += rate;
  for (size_t k = 0; k < n * n && discrete; k++) A[k] = (k % (n + 1) == 0 ? 1.0 : 0.0) - 0.1 * A[k];
}

/* B = M G: in the range of M. */
static void make_noise(size_t n, size_t columns, const double *A, bool discrete, double *B)
{
  double *G = new_reals(n * columns);
  fill_normal(7, n * columns, G);
  sgf_multiply(n, columns, n, SGF_PLAIN, A, SGF_PLAIN, G, B);
  for (size_t k = 0; k < n * columns && discrete; k++) B[k] = G[k] - B[k];
  free(G);
}

START_TEST(sparse_and_dense_solvers_agree)
{
  enum { SIDE = 9, N = SIDE * SIDE, COLUMNS = 2 };
  bool symmetric = _i & 1, discrete = _i & 2, singular = _i & 4;
  static double A[N * N], B[N * COLUMNS], dense[N * N], X[N * N], initial[N * N];
  sgf_lyapunov_options options;
  sgf_certificate exact, certificate;
  sgf_sparse sparse;
  sgf_error error;
  make_grid(SIDE, symmetric, discrete, singular ? 0.0 : 0.1, A);
  make_noise(N, COLUMNS, A, discrete, B);
  make_sparse(N, A, &sparse);
  for (int k = 0; k < N; k++) initial[k * (N + 1)] = _i < 8 ? 0.0 : 1.0;
  sgf_lyapunov_options_init(&options);
  options.discrete = discrete;
  options.initial = _i < 8 ? NULL : initial;
  ASSERT_OK(sgf_lyapunov_solve(N, A, COLUMNS, B, &options, dense, &exact, &error), error);
  ck_assert_uint_eq(exact.rank, singular ? N - 1 : N);
  for (options.method = SGF_METHOD_KRONECKER; options.method <= SGF_METHOD_LOW_RANK; options.method++) {
    ASSERT_OK(sgf_lyapunov_solve_sparse(&sparse, COLUMNS, B, &options, X, &certificate, &error), error);
    ASSERT_CLOSE(N * N, X, dense, options.method == SGF_METHOD_KRONECKER ? 1e-12 : 1e-10);
    ck_assert_uint_eq(certificate.rank, exact.rank);
    ck_assert_int_eq(certificate.method, options.method);
    ASSERT_NEAR(certificate.real, exact.real, 1e-3 * fabs(exact.real));
    if (options.method == SGF_METHOD_KRONECKER || symmetric) {
      ck_assert(relative_difference(N * N, X, dense) <= certificate.error_bound + exact.error_bound);
      ASSERT_NEAR(certificate.separation, exact.separation, 0.02 * exact.separation);
    }
  }
  options.method = SGF_METHOD_AUTO;
  ASSERT_OK(sgf_lyapunov_solve_sparse(&sparse, COLUMNS, B, &options, X, &certificate, &error), error);
  ck_assert(memcmp(X, dense, sizeof X) == 0);
  sgf_sparse_free(&sparse);
}
END_TEST

/* A chain of n places by its diagonals. */
static void make_chain(size_t n, double below, double diagonal, double above, sgf_sparse *A)
{
  sgf_error error;
  int64_t at = 0;
  ASSERT_OK(sgf_sparse_create(n, n, 3 * n, A, "A", &error), error);
  for (size_t j = 0; j < n; j++) {
    const double values[3] = {above, diagonal, below};
    for (size_t k = 0; k < 3; k++) {
      if ((j == 0 && k == 0) || (j == n - 1 && k == 2)) continue;
      A->indices[at] = (int64_t)(j + k - 1);
      A->values[at++] = values[k];
    }
    A->starts[j + 1] = at;
  }
}

/* What is left of the equation for X = Z Z^T, from Z: along random directions u, v the number u (A X + X A^T - Q) v.
 * */
START_TEST(a_large_drift_has_a_solution_of_low_rank)
{
  enum { N = 20000 };
  bool discrete = _i == 1;
  double *B = new_reals(N), *Z, *u = new_reals(N), *v = new_reals(N), *Au = new_reals(N), *Av = new_reals(N);
  size_t rank;
  sgf_sparse A;
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  make_chain(N, discrete ? 0.3 : -1.0, discrete ? 0.2 : 2.5, discrete ? 0.2 : -0.7, &A);
  fill_normal(1, N, B);
  fill_normal(2, N, u);
  fill_normal(3, N, v);
  sgf_lyapunov_options_init(&options);
  options.discrete = discrete;
  ASSERT_OK(sgf_lyapunov_solve_low_rank(&A, 1, B, 0.0, &options, &rank, &Z, &certificate, &error), error);
  ck_assert_msg(rank > 3 && rank < 60, "rank %zu", rank);
  ck_assert_msg(certificate.residual < 1e-12, "%g", certificate.residual);
  ck_assert_uint_eq(certificate.rank, N);
  sgf_sparse_multiply(&A, true, 1, u, Au);
  sgf_sparse_multiply(&A, true, 1, v, Av);
  double sum = -sgf_dot(N, u, B) * sgf_dot(N, v, B), scale = fabs(sum);
  for (size_t k = 0; k < rank; k++) {
    double zu = 0.0, zv = 0.0, zAu = 0.0, zAv = 0.0;
    for (size_t i = 0; i < N; i++) {
      double z = Z[i * rank + k];
      zu += z * u[i], zv += z * v[i], zAu += z * Au[i], zAv += z * Av[i];
    }
    sum += discrete ? zu * zv - zAu * zAv : zAu * zv + zu * zAv;
    scale += fabs(zu * zv) + fabs(zAu * zv) + fabs(zAu * zAv);
  }
  ck_assert_msg(fabs(sum) < 1e-9 * scale, "%g of %g", sum, scale);
  free(B), free(Z), free(u), free(v), free(Au), free(Av);
  sgf_sparse_free(&A);
}
END_TEST

/* ----------------------------------------------------------------- refusals */

/* Chains of N places; stable where diagonal > 2 sqrt(below above). */
static const struct {
  const char *what;
  size_t n;
  double below, diagonal, above;
  bool discrete, factor;
  sgf_method method;
  double memory, tolerance;
  sgf_status status;
  const char *message;
} refusals[] = {
    {"symmetric", 50, 1, 1, 1, false, false, SGF_METHOD_KRONECKER, 0, NAN, SGF_ERROR_UNSTABLE, "eigenvalue -0.99"},
    {"symmetric, large", 2000, 1, 1, 1, false, true, SGF_METHOD_LOW_RANK, 0, NAN, SGF_ERROR_UNSTABLE, "eigenvalue"},
    {"symmetric, discrete", 50, 0.5, 0.2, 0.5, true, false, SGF_METHOD_KRONECKER, 0, NAN, SGF_ERROR_UNSTABLE, "1.19"},
    {"alternating", 50, 0.5, -0.2, 0.5, true, false, SGF_METHOD_KRONECKER, 0, NAN, SGF_ERROR_UNSTABLE, "-1.19"},
    {"oblique", 12, 1, -0.5, 0.1, false, false, SGF_METHOD_KRONECKER, 0, NAN, SGF_ERROR_UNSTABLE, "eigenvalue -1.1"},
    {"rotating", 50, 1, -0.1, -1, false, false, SGF_METHOD_KRONECKER, 0, NAN, SGF_ERROR_UNSTABLE, "-0.1 +- "},
    {"oblique, large", 1500, 1, -0.5, 0.98, false, true, SGF_METHOD_LOW_RANK, 0, NAN, SGF_ERROR_UNSTABLE,
     "positive real part"},
    {"very oblique", 1500, 1, -0.5, 0.001, false, true, SGF_METHOD_LOW_RANK, 0, NAN, SGF_ERROR_AMBIGUOUS,
     "orthogonal"},
    {"rotating, discrete", 50, 0.9, 0, -0.9, true, false, SGF_METHOD_KRONECKER, 0, NAN, SGF_ERROR_UNSTABLE, "1.79"},
    {"Jordan block at 0", 2, 0, 0, 1, false, false, SGF_METHOD_KRONECKER, 0, NAN, SGF_ERROR_UNSTABLE,
     "as many null vectors"},
    {"driven null space", 2, 0, 0, 0, false, false, SGF_METHOD_KRONECKER, 0, NAN, SGF_ERROR_INCOMPATIBLE,
     "the 2 quantities"},
    {"driven null space, factor", 60, 0, 1, 0, true, true, SGF_METHOD_LOW_RANK, 0, NAN, SGF_ERROR_INCOMPATIBLE,
     "B: 1 of its norm"},
    {"fill", 200, -1, 3, -0.5, false, false, SGF_METHOD_KRONECKER, 2e7, NAN, SGF_ERROR_MEMORY, "bytes"},
    {"entries", 200, -1, 3, -0.5, false, false, SGF_METHOD_KRONECKER, 4e6, NAN, SGF_ERROR_MEMORY,
     "for its entries alone"},
    {"fill, symmetric", 300, -1, 3, -1, false, false, SGF_METHOD_KRONECKER, 1.8e7, NAN, SGF_ERROR_MEMORY, "about"},
    {"no factor", 20, -1, 3, -1, false, false, SGF_METHOD_LOW_RANK, 0, NAN, SGF_ERROR_UNSUPPORTED, "Q = B B^T"},
    {"tolerance between", 20, -1, 3, -1, false, false, SGF_METHOD_KRONECKER, 0, 0.5, SGF_ERROR_AMBIGUOUS,
     "not on both sides"},
};

START_TEST(what_cannot_be_solved_is_refused)
{
  size_t n = refusals[_i].n, columns = refusals[_i].factor ? 1 : 0;
  double *Q = new_reals(n * (columns > 0 ? columns : n)), *X = new_reals(n * n);
  sgf_sparse A;
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error = {SGF_OK, ""};
  make_chain(n, refusals[_i].below, refusals[_i].diagonal, refusals[_i].above, &A);
  for (size_t k = 0; k < n; k++) Q[columns > 0 ? k : k * (n + 1)] = 1.0;
  sgf_lyapunov_options_init(&options);
  options.discrete = refusals[_i].discrete;
  options.method = refusals[_i].method;
  options.memory = refusals[_i].memory;
  options.rank_tolerance = refusals[_i].tolerance;
  sgf_status status = sgf_lyapunov_solve_sparse(&A, columns, Q, &options, X, &certificate, &error);
  ck_assert_msg(status == refusals[_i].status, "%s: status %d, %s", refusals[_i].what, (int)status, error.message);
  ck_assert_msg(strstr(error.message, refusals[_i].message) != NULL, "%s: %s", refusals[_i].what, error.message);
  for (size_t k = 0; k < n * n; k++) ck_assert(isnan(X[k]));
  free(Q), free(X);
  sgf_sparse_free(&A);
}
END_TEST

/* The solution for Q = 1 proves stability where the eigenvalues were not computed: here of a drift that was
 * exchanged for its negative behind the back of the checks. */
START_TEST(an_unstable_drift_is_seen_by_the_solution_for_unit_noise)
{
  enum { N = 12 };
  double Q[N * N] = {0.0}, X[N * N];
  sgf_sparse A;
  sgf_sparse_drift drift;
  sgf_lyapunov_options options;
  sgf_certificate certificate = {0};
  sgf_error error;
  make_chain(N, _i == 0 ? -1.0 : 0.2, _i == 0 ? 3.0 : 0.3, _i == 0 ? -0.5 : 0.4, &A);
  for (int k = 0; k < N; k++) Q[k * (N + 1)] = 1.0;
  sgf_lyapunov_options_init(&options);
  options.discrete = _i == 1;
  ASSERT_OK(sgf_sparse_drift_create(&A, &options, 1.0, &drift, &certificate, &error), error);
  ck_assert(drift.proven);
  drift.proven = false;
  ASSERT_OK(sgf_kronecker_solve(&drift, Q, NULL, X, &certificate, &error), error);
  ck_assert(drift.proven);
  drift.proven = false;
  for (int64_t k = 0; k < drift.A.starts[N]; k++) drift.A.values[k] *= _i == 0 ? -1.0 : 1.5;
  ck_assert_int_eq(sgf_kronecker_solve(&drift, Q, NULL, X, &certificate, &error), SGF_ERROR_UNSTABLE);
  ck_assert(strstr(error.message, "not positive definite") != NULL);
  sgf_sparse_drift_free(&drift);
  sgf_sparse_free(&A);
}
END_TEST

/* -------------------------------------------------------- badly scaled drifts */

static const sgf_method sparse_methods[] = {SGF_METHOD_KRONECKER, SGF_METHOD_LOW_RANK};

/* A = [a 0; c d] with a null space as to its norm, but none: X in closed form, in long double. */
START_TEST(a_drift_that_is_regular_in_other_units_is_solved)
{
  const double a = 0x1p-9, c = -2048.0, d = 0x1p-17, A[4] = {a, 0.0, c, d};
  const double B[4] = {0.001953125, -0.005859375, -2047.9999923706055, 6144.000022888184};
  long double q[3] = {0.0L};
  for (int k = 0; k < 2; k++) {
    q[0] += (long double)B[k] * B[k];
    q[1] += (long double)B[k] * B[2 + k];
    q[2] += (long double)B[2 + k] * B[2 + k];
  }
  long double first = q[0] / (2.0L * a), across = (q[1] - c * first) / ((long double)a + d);
  double expected[4] = {(double)first, (double)across, (double)across,
                        (double)((q[2] - 2.0L * c * across) / (2.0L * d))};
  double X[4], *Z;
  size_t rank;
  sgf_sparse sparse;
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  make_sparse(2, A, &sparse);
  sgf_lyapunov_options_init(&options);
  options.method = sparse_methods[_i];
  ASSERT_OK(sgf_lyapunov_solve_sparse(&sparse, 2, B, &options, X, &certificate, &error), error);
  ASSERT_CLOSE(4, X, expected, 1e-12);
  ck_assert(certificate.rank == 2 && certificate.residual <= 1e-15 && certificate.method == options.method);
  ck_assert(certificate.error_bound < 1e-6 && certificate.separation > 1e-5);
  ASSERT_OK(sgf_lyapunov_solve_low_rank(&sparse, 2, B, 0.0, NULL, &rank, &Z, &certificate, &error), error);
  sgf_multiply(2, 2, rank, SGF_PLAIN, Z, SGF_TRANSPOSED, Z, X);
  ASSERT_CLOSE(4, X, expected, 1e-12);
  ck_assert(certificate.error_bound < 1e-6);
  free(Z);
  sgf_sparse_free(&sparse);
}
END_TEST

/* Triangular drifts, stable and regular, exact in doubles: the sparse methods find what the dense one finds, or say that
 * they do not; they never call them singular or unstable, nor return what has a residual or a bound that does not hold. */
START_TEST(random_triangular_drifts_are_not_called_singular)
{
  enum { COUNT = 400, MOST = 5 };
  size_t solved = 0, asked = 0, columns = 2;
  for (uint64_t index = 0; index < COUNT; index++) {
    double A[MOST * MOST] = {0.0}, G[MOST * 2], B[MOST * 2], X[MOST * MOST], dense[MOST * MOST];
    sgf_random random;
    sgf_sparse sparse;
    sgf_lyapunov_options options;
    sgf_certificate certificate, of_dense;
    sgf_error error;
    sgf_random_at(&random, 8, index, 0);
    size_t n = 2 + (size_t)(sgf_random_bits(&random) % (MOST - 1));
    for (size_t i = 0; i < n; i++)
      for (size_t j = 0; j <= i; j++) {
        int power = (int)(sgf_random_bits(&random) % 14);
        A[i * n + j] = i == j ? ldexp(1.0, -power)
                       : sgf_random_bits(&random) % 2 == 0
                           ? 0.0
                           : ldexp((double)(sgf_random_bits(&random) % 19) - 9.0, power - 4);
      }
    for (size_t k = 0; k < n * columns; k++) G[k] = (double)(sgf_random_bits(&random) % 7) - 3.0;
    sgf_multiply(n, columns, n, SGF_PLAIN, A, SGF_PLAIN, G, B);
    sgf_lyapunov_options_init(&options);
    if (sgf_norm(n * columns, B) == 0.0) continue;
    if (sgf_lyapunov_solve(n, A, columns, B, &options, dense, &of_dense, NULL) != SGF_OK) continue;
    if (of_dense.error_bound > 1e-6) continue;
    make_sparse(n, A, &sparse);
    for (size_t k = 0; k < 2; k++) {
      options.method = sparse_methods[k];
      sgf_status status = sgf_lyapunov_solve_sparse(&sparse, columns, B, &options, X, &certificate, &error);
      ck_assert_msg(status == SGF_OK || status == SGF_ERROR_AMBIGUOUS || status == SGF_ERROR_NUMERICAL, "%s",
                    error.message);
      asked++;
      if (status != SGF_OK) continue;
      solved++;
      ck_assert(certificate.residual <= 1e-13 && certificate.rank == n);
      ASSERT_CLOSE(n * n, X, dense, certificate.error_bound + of_dense.error_bound);
    }
    sgf_sparse_free(&sparse);
  }
  ck_assert_msg(solved >= asked - asked / 50 && asked > COUNT, "%zu of %zu", solved, asked);
}
END_TEST

/* A chain whose places are counted in units that differ by up to 10^16: as well solved as the one in equal units. */
START_TEST(a_large_drift_in_units_that_differ_is_solved)
{
  enum { N = 2000, COLUMNS = 2 };
  double *B = new_reals(N * COLUMNS), *plain, *Z, *unit = new_reals(N), difference = 0.0, norm = 0.0;
  size_t of_plain, rank;
  sgf_sparse A;
  sgf_certificate certificate;
  sgf_error error;
  make_chain(N, -1.0, 2.1, -1.0, &A);
  fill_normal(11, N * COLUMNS, B);
  ASSERT_OK(sgf_lyapunov_solve_low_rank(&A, COLUMNS, B, 0.0, NULL, &of_plain, &plain, &certificate, &error), error);
  for (size_t i = 0; i < N; i++) unit[i] = ldexp(1.0, i % 2 == 0 ? -27 : 27);
  for (size_t j = 0; j < N; j++)
    for (int64_t k = A.starts[j]; k < A.starts[j + 1]; k++) A.values[k] *= unit[A.indices[k]] / unit[j];
  for (size_t k = 0; k < N * COLUMNS; k++) B[k] *= unit[k / COLUMNS];
  ASSERT_OK(sgf_lyapunov_solve_low_rank(&A, COLUMNS, B, 0.0, NULL, &rank, &Z, &certificate, &error), error);
  for (size_t i = 0; i < N; i += 7) /* some rows of X are enough */
    for (size_t j = 0; j < N; j += 5) {
      double here = 0.0, there = 0.0;
      for (size_t k = 0; k < rank; k++) here += Z[i * rank + k] / unit[i] * (Z[j * rank + k] / unit[j]);
      for (size_t k = 0; k < of_plain; k++) there += plain[i * of_plain + k] * plain[j * of_plain + k];
      difference += (here - there) * (here - there);
      norm += there * there;
    }
  ck_assert_msg(sqrt(difference / norm) <= 1e-10, "%g", sqrt(difference / norm));
  ck_assert(certificate.rank == N && certificate.residual <= 1e-13);
  ck_assert(certificate.error_bound < 1e-4 && certificate.separation < 0.21);
  ASSERT_NEAR(certificate.real, 0.1, 1e-2);
  free(B), free(plain), free(Z), free(unit);
  sgf_sparse_free(&A);
}
END_TEST

/* Beyond what dense algebra checks: a drift that is not symmetric in any units, regular or with something that stays. The
 * bound holds, and is worth something; so do the separation and the eigenvalue, up to what estimates are. */
START_TEST(a_large_oblique_drift_has_an_error_bound)
{
  enum { SIDE = 33, N = SIDE * SIDE, COLUMNS = 1 };
  bool discrete = _i % 2 == 1, singular = _i >= 2;
  double *A = new_reals(N * N), *B = new_reals(N), *X = new_reals(N * N), *dense = new_reals(N * N),
         *zero = new_reals(N * N), *Z;
  size_t rank;
  sgf_sparse sparse;
  sgf_lyapunov_options options;
  sgf_certificate certificate, of_dense;
  sgf_error error;
  make_grid(SIDE, false, discrete, singular ? 0.0 : 0.2, A);
  for (size_t i = 0; i + 2 < N; i += 2) { /* a vortex: i feeds i + 1, that i + 2, that i */
    double flow = discrete ? 0.03 : 0.3;
    for (size_t k = 0; k < 3; k++) {
      size_t from = i + k, to = i + (k + 1) % 3;
      A[to * N + from] += discrete ? flow : -flow;
      A[from * N + from] += discrete ? -flow : flow;
    }
  }
  make_noise(N, COLUMNS, A, discrete, B);
  make_sparse(N, A, &sparse);
  sgf_lyapunov_options_init(&options);
  options.discrete = discrete;
  ASSERT_OK(sgf_lyapunov_solve_low_rank(&sparse, COLUMNS, B, 0.0, &options, &rank, &Z, &certificate, &error), error);
  options.initial = zero;
  ASSERT_OK(sgf_lyapunov_solve(N, A, COLUMNS, B, &options, dense, &of_dense, &error), error);
  sgf_multiply(N, N, rank, SGF_PLAIN, Z, SGF_TRANSPOSED, Z, X);
  ASSERT_CLOSE(N * N, X, dense, certificate.error_bound);
  ck_assert_uint_eq(certificate.rank, N - singular);
  ck_assert_msg(certificate.error_bound < 1e-3 && certificate.residual <= 1e-13, "%g, %g", certificate.error_bound,
                certificate.residual);
  ck_assert_msg(certificate.separation <= of_dense.separation && certificate.separation > 1e-6 * of_dense.separation,
                "%g, %g", certificate.separation, of_dense.separation);
  ASSERT_NEAR(certificate.real / of_dense.real, 1.0, 0.1);
  free(A), free(B), free(X), free(dense), free(zero), free(Z);
  sgf_sparse_free(&sparse);
}
END_TEST

static const struct {
  int64_t starts[4], indices[4];
  double value;
  const char *message;
} malformed[] = {
    {{0, 1, 2, 3}, {0, 1, 3}, 1, "entry 2 is in row 3 of 3"},
    {{0, 1, 2, 3}, {0, -1, 2}, 1, "entry 1 is in row -1 of 3"},
    {{0, 2, 2, 3}, {1, 1, 2}, 1, "A[1, 0] is given twice"},
    {{0, 2, 1, 3}, {0, 1, 2}, 1, "column 1 starts at entry 2 and ends before, at 1"},
    {{1, 1, 2, 3}, {0, 1, 2}, 1, "start at entry 1, not 0"},
    {{0, 1, 2, 3}, {0, 1, 2}, NAN, "A[0, 0] is nan"},
};

START_TEST(arrays_that_are_no_matrix_are_refused)
{
  int64_t starts[4], indices[4];
  double values[3] = {malformed[_i].value, 1.0, 1.0}, Q[9] = {0.0}, X[9];
  sgf_lyapunov_options options;
  sgf_error error;
  memcpy(starts, malformed[_i].starts, sizeof starts);
  memcpy(indices, malformed[_i].indices, sizeof indices);
  sgf_sparse A = {3, 3, starts, indices, values};
  sgf_lyapunov_options_init(&options);
  for (options.method = SGF_METHOD_AUTO; options.method < SGF_METHOD_LOW_RANK; options.method++) {
    ck_assert_int_eq(sgf_lyapunov_solve_sparse(&A, 0, Q, &options, X, NULL, &error), SGF_ERROR_VALUE);
    ck_assert_msg(strstr(error.message, malformed[_i].message) != NULL, "%s", error.message);
    ck_assert(isnan(X[0]) && isnan(X[8]));
  }
}
END_TEST

/* Corner cases: no noise, a drift that does nothing, one place alone. */
START_TEST(corner_cases)
{
  enum { N = 5 };
  double B[N] = {0.0}, Q[N * N] = {0.0}, X[N * N], *Z;
  size_t rank;
  sgf_sparse A, zero, one;
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  make_chain(N, -1.0, 3.0, -1.0, &A);
  make_chain(N, 0.0, 0.0, 0.0, &zero);
  make_chain(1, 0.0, 2.0, 0.0, &one);
  ASSERT_OK(sgf_lyapunov_solve_low_rank(&A, 1, B, 0.0, NULL, &rank, &Z, &certificate, &error), error);
  ck_assert(rank == 0 && Z != NULL && certificate.residual == 0.0);
  free(Z);
  sgf_lyapunov_options_init(&options);
  options.method = SGF_METHOD_KRONECKER;
  options.initial = Q;
  ASSERT_OK(sgf_lyapunov_solve_sparse(&zero, 0, Q, &options, X, &certificate, &error), error);
  ck_assert(certificate.rank == 0 && X[0] == 0.0 && certificate.residual == 0.0 && certificate.error_bound == 0.0);
  options.initial = NULL;
  Q[0] = 4.0;
  ASSERT_OK(sgf_lyapunov_solve_sparse(&one, 0, Q, &options, X, &certificate, &error), error);
  ck_assert(X[0] == 1.0 && certificate.rank == 1);
  one.values[0] = 1.5e308;
  ASSERT_OK(sgf_lyapunov_solve_sparse(&one, 0, Q, &options, X, &certificate, &error), error);
  ck_assert(fabs(X[0] / (2.0 / 1.5e308) - 1.0) <= 1e-14 && certificate.rank == 1);
  Q[0] = one.values[0] = 1e-310;
  ASSERT_OK(sgf_lyapunov_solve_sparse(&one, 0, Q, &options, X, &certificate, &error), error);
  ck_assert(X[0] == 0.5);
  Q[0] = 4.0;
  ck_assert_int_eq(sgf_lyapunov_solve_sparse(&one, 0, Q, &options, X, &certificate, &error), SGF_ERROR_VALUE);
  ck_assert(strstr(error.message, "overflow") != NULL && isnan(X[0]));
  ck_assert_int_eq(sgf_lyapunov_solve_low_rank(&A, 1, B, -1.0, NULL, &rank, &Z, NULL, &error), SGF_ERROR_VALUE);
  ck_assert_int_eq(sgf_lyapunov_solve_low_rank(&A, 1, B, NAN, NULL, &rank, &Z, NULL, &error), SGF_ERROR_VALUE);
  Q[1] = 1.0;
  ck_assert_int_eq(sgf_lyapunov_solve_sparse(&A, 0, Q, &options, X, NULL, &error), SGF_ERROR_VALUE);
  ck_assert(strstr(error.message, "Q: not symmetric") != NULL);
  options.initial = Q;
  B[0] = 1.0;
  ck_assert_int_eq(sgf_lyapunov_solve_low_rank(&A, 1, B, 0.0, &options, &rank, &Z, NULL, &error),
                   SGF_ERROR_UNSUPPORTED);
  ck_assert(Z == NULL && strstr(error.message, "starts from 0") != NULL);
  options.initial = NULL;
  B[2] = INFINITY;
  ck_assert_int_eq(sgf_lyapunov_solve_low_rank(&A, 1, B, 0.0, &options, &rank, &Z, NULL, &error), SGF_ERROR_VALUE);
  ck_assert(strstr(error.message, "B: element (2, 0) is inf") != NULL);
  sgf_sparse_free(&A);
  sgf_sparse_free(&zero);
  sgf_sparse_free(&one);
}
END_TEST

/* ------------------------------------------------------------ Matrix Market */

#define COORDINATE "%%MatrixMarket matrix coordinate real general\n"

static const struct {
  const char *text, *message; /* message NULL: a good one, with values as below */
  double values[4];
} files[] = {
    {COORDINATE "% comment\n\n2 2 3\n1 1 1.5\n2 2 -2e-1\n2 1 3\n", NULL, {1.5, 0, 3, -0.2}},
    {"%%matrixmarket MATRIX Coordinate Integer Symmetric\r\n2 2 2\r\n1 1 1\r\n2 1 -4\r\n", NULL, {1, -4, -4, 0}},
    {"%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 3", NULL, {0, -3, 3, 0}},
    {"%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n4\n", NULL, {1, 3, 2, 4}},
    {"%%MatrixMarket matrix array real symmetric\n2 2\n1\n2\n3\n", NULL, {1, 2, 2, 3}},
    {"%%MatrixMarket matrix array integer skew-symmetric\n2 2\n2\n", NULL, {0, -2, 2, 0}},
    {"", "not a Matrix Market file", {0}},
    {"%MatrixMarket matrix array real general\n", "not a Matrix Market file", {0}},
    {"%%MatrixMarket matrix array real\n2 2\n", "line 1: four words", {0}},
    {"%%MatrixMarket vector array real general\n2 2\n", "line 1: a 'matrix' is", {0}},
    {"%%MatrixMarket matrix sparse real general\n2 2\n", "line 1: 'coordinate' or 'array'", {0}},
    {"%%MatrixMarket matrix coordinate pattern general\n2 2 1\n1 1\n", "line 1: a pattern", {0}},
    {"%%MatrixMarket matrix coordinate complex general\n2 2 1\n1 1 0 1\n", "line 1: complex", {0}},
    {"%%MatrixMarket matrix coordinate real hermitian\n2 2 1\n1 1 1\n", "line 1: 'general'", {0}},
    {COORDINATE, "line 2: the file ends where the sizes", {0}},
    {COORDINATE "%\n2 2\n", "line 3: rows, columns and entries", {0}},
    {COORDINATE "2 -2 1\n1 1 1\n", "line 2: rows, columns and entries", {0}},
    {COORDINATE "2 2 1 1\n1 1 1\n", "line 2: rows, columns and entries", {0}},
    {COORDINATE "0 0 0\n", "line 2: the matrix is empty", {0}},
    {COORDINATE "2 2 1000000000000\n1 1 1\n", "line 2: the file is too short", {0}},
    {COORDINATE "2000000000 2000000000 1\n1 1 1\n", "line 2: the matrix would be next to empty", {0}},
    {COORDINATE "99999999999 99999999999 1\n1 1 1\n", "line 2: the matrix is too large", {0}},
    {COORDINATE "99999999999999999999999 2 1\n1 1 1\n", "line 2: rows, columns and entries", {0}},
    {"%%MatrixMarket matrix array real general\n100000 100000\n1\n", "line 2: the file is too short", {0}},
    {COORDINATE "2 2 2\n1 1 1\n", "line 4: the file ends where another entry", {0}},
    {COORDINATE "2 2 1\n1 1 1\n2 2 2\n", "line 4: there is more", {0}},
    {COORDINATE "2 2 1\n0 1 1\n", "line 3: the row or the column", {0}},
    {COORDINATE "2 2 1\n1 3 1\n", "line 3: the row or the column", {0}},
    {COORDINATE "2 2 1\n1 1\n", "line 3: row, column and a finite number", {0}},
    {COORDINATE "2 2 1\n1 1 1,5\n", "line 3: row, column and a finite number", {0}},
    {COORDINATE "2 2 1\n1 1 nan\n", "line 3: row, column and a finite number", {0}},
    {COORDINATE "2 2 1\n1 1 1e999\n", "line 3: row, column and a finite number", {0}},
    {COORDINATE "2 2 1\n1.5 1 1\n", "line 3: row, column and a finite number", {0}},
    {COORDINATE "2 2 2\n1 2 1\n1 2 1\n", "row 1, column 2 is given twice", {0}},
    {"%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 1 1.5\n", "line 3: row, column and an integer", {0}},
    {"%%MatrixMarket matrix coordinate real symmetric\n2 2 1\n1 2 1\n", "line 3: a symmetric matrix has", {0}},
    {"%%MatrixMarket matrix coordinate real symmetric\n2 3 1\n1 1 1\n", "line 2: a symmetric matrix is square", {0}},
    {"%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n1 1 1\n", "line 3: a skew-symmetric", {0}},
    {"%%MatrixMarket matrix array real general\n2 2\n1\n2 3\n4\n", "line 4: one finite number", {0}},
};

START_TEST(matrix_market_files)
{
  const char *path = scratch_path("matrix.mtx");
  sgf_matrix_market matrix;
  sgf_error error = {SGF_OK, ""};
  FILE *file = fopen(path, "w");
  ck_assert_ptr_nonnull(file);
  ck_assert(fputs(files[_i].text, file) >= 0 && fclose(file) == 0);
  sgf_status status = sgf_matrix_market_read(path, &matrix, &error);
  unlink(path);
  if (files[_i].message != NULL) {
    ck_assert_msg(status == SGF_ERROR_VALUE, "status %d for %s", (int)status, files[_i].text);
    ck_assert_msg(strstr(error.message, files[_i].message) != NULL, "%s", error.message);
    ck_assert(strncmp(error.message, path, strlen(path)) == 0 && matrix.dense == NULL &&
              matrix.sparse.starts == NULL);
    return;
  }
  double values[4];
  ASSERT_OK(status, error);
  ck_assert(matrix.rows == 2 && matrix.columns == 2);
  if (matrix.dense == NULL) sgf_sparse_to_dense(&matrix.sparse, values);
  ASSERT_CLOSE(4, matrix.dense != NULL ? matrix.dense : values, files[_i].values, 0.0);
  sgf_matrix_market_free(&matrix);
}
END_TEST

/* ---------------------------------------------------------------- solutions */

static long long size_of(const char *path)
{
  struct stat properties;
  ck_assert_int_eq(stat(path, &properties), 0);
  return properties.st_size;
}

/* Into a file that has other things, three times: they stay, X is replaced, and its room is used again. */
START_TEST(a_solution_joins_what_a_file_has)
{
  enum { N = 100 };
  char path[1024];
  double *X = new_reals(N * N), *values, other[3] = {1.0, 2.0, 3.0};
  size_t shape[2];
  long long first = 0;
  sgf_hdf5_output output;
  sgf_hdf5_input input;
  sgf_error error;
  sgf_certificate certificate = {.size = N, .rank = N - 1, .residual = 0.5};
  sgf_solution solution = {.n = N, .X = X, .certificate = &certificate, .command = "a test"};
  snprintf(path, sizeof path, "%s", scratch_path("solution.h5"));
  sgf_hdf5_create(path, &output);
  sgf_hdf5_write(&output, "other", 1, (size_t[]){3}, other);
  sgf_hdf5_attribute(&output, "/", "residual", 7.0);
  ck_assert(sgf_hdf5_finish(&output));
  for (int turn = 0; turn < 3; turn++) {
    fill_normal(1 + (uint64_t)turn, N * N, X);
    ASSERT_OK(sgf_write_solution(path, path, &solution, &error), error);
    if (turn == 0) first = size_of(path);
  }
  ck_assert_msg(size_of(path) < first + 8 * N * N / 2, "%lld bytes, %lld", size_of(path), first);
  ASSERT_OK(sgf_hdf5_open(path, &input, &error), error);
  ASSERT_OK(sgf_hdf5_read(&input, "X", 2, shape, &values, &error), error);
  ck_assert(memcmp(values, X, N * N * sizeof *X) == 0);
  free(values);
  ASSERT_OK(sgf_hdf5_read(&input, "other", 1, shape, &values, &error), error);
  ck_assert(memcmp(values, other, sizeof other) == 0);
  free(values);
  hid_t attribute = H5Aopen(input.file, "residual", H5P_DEFAULT);
  ck_assert(H5Aread(attribute, H5T_NATIVE_DOUBLE, other) >= 0 && other[0] == 0.5);
  H5Aclose(attribute);
  sgf_hdf5_close(&input);
  unlink(path);
  free(X);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("sparse");
  TCase *tests = tcase_create("sparse");
  tcase_set_timeout(tests, 3600);
  tcase_add_test(tests, random_systems_by_the_kronecker_system);
  tcase_add_test(tests, random_systems_in_krylov_spaces);
  tcase_add_loop_test(tests, the_kronecker_system_is_the_operator, 0, 4);
  tcase_add_loop_test(tests, sparse_and_dense_solvers_agree, 0, 16);
  tcase_add_loop_test(tests, a_large_drift_has_a_solution_of_low_rank, 0, 2);
  tcase_add_loop_test(tests, what_cannot_be_solved_is_refused, 0, sizeof refusals / sizeof *refusals);
  tcase_add_loop_test(tests, a_drift_that_is_regular_in_other_units_is_solved, 0, 2);
  tcase_add_test(tests, random_triangular_drifts_are_not_called_singular);
  tcase_add_test(tests, a_large_drift_in_units_that_differ_is_solved);
  tcase_add_loop_test(tests, a_large_oblique_drift_has_an_error_bound, 0, 4);
  tcase_add_loop_test(tests, an_unstable_drift_is_seen_by_the_solution_for_unit_noise, 0, 2);
  tcase_add_loop_test(tests, arrays_that_are_no_matrix_are_refused, 0, sizeof malformed / sizeof *malformed);
  tcase_add_test(tests, corner_cases);
  tcase_add_loop_test(tests, matrix_market_files, 0, sizeof files / sizeof *files);
  tcase_add_test(tests, a_solution_joins_what_a_file_has);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
