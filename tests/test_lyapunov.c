/* Lyapunov and Stein equations: dense solvers against solutions that are known, and their certificates. */
#include "random_systems.h"

#include <lapacke.h>

#include "../solver/form.h"
#include "../solver/triangular.h"

/* More of them: SGF_SYSTEMS=100000 tests/test_lyapunov. */
static uint64_t number_of_systems(void)
{
  const char *asked = getenv("SGF_SYSTEMS");
  return asked != NULL ? strtoull(asked, NULL, 10) : 10000;
}

typedef struct tally {
  size_t solved, refused, ambiguous, uncertain, beyond_bound, far_beyond, wrong_rank, large_residual, missed_leak,
      large_leak, false_alarm;
  double loosest; /* sum of log10 bound / error */
  size_t compared;
} tally;

static void count_solution(const random_system *system, const double *X, const sgf_certificate *certificate,
                           tally *seen)
{
  const recipe *made = &system->made;
  double wrong = error_of(system, X), residual = residual_of(system, X);
  seen->solved++;
  seen->wrong_rank += certificate->rank != made->n - made->null;
  seen->large_residual += made->leak == 0.0 && (!(residual <= 1e-13) || !(certificate->residual <= 1e-13));
  seen->beyond_bound += !(wrong <= certificate->error_bound);
  seen->far_beyond += !(wrong <= 10.0 * certificate->error_bound);
  seen->missed_leak += made->leak > 0.0;
  seen->large_leak += made->leak > 0.0 && !(certificate->null_noise <= fmax(1e-6, certificate->error_bound));
  if (wrong > 0.0 && certificate->error_bound < 1.0) {
    seen->loosest += log10(certificate->error_bound / wrong);
    seen->compared++;
  }
  if (getenv("SGF_SHOW") != NULL && (made->leak > 0.0 || !(wrong <= certificate->error_bound && residual <= 1e-13)))
    printf("n %zu null %zu discrete %d symmetric %d skew %g units %.1f softest %.2g initial %d: error %.2g bound "
           "%.2g residual "
           "%.2g (%.2g) gap %.2g separation %.2g leak %g null noise %.2g\n",
           made->n, made->null, made->discrete, made->symmetric, made->skew, made->units, made->softest,
           made->from_initial, wrong, certificate->error_bound, residual, certificate->residual, certificate->gap,
           certificate->separation / made->scale_A, made->leak, certificate->null_noise);
}

static void count_refusal(const random_system *system, sgf_status status, const sgf_certificate *certificate,
                          const sgf_error *error, tally *seen)
{
  const recipe *made = &system->made;
  if (status == SGF_ERROR_AMBIGUOUS && !(certificate->gap >= 1e3))
    seen->ambiguous++;
  else if (status == SGF_ERROR_AMBIGUOUS && certificate->ambiguous)
    seen->uncertain++;
  else if (status == SGF_ERROR_INCOMPATIBLE && made->leak > 0.0)
    seen->refused++;
  else
    seen->false_alarm++;
  if (getenv("SGF_SHOW") != NULL && status != SGF_ERROR_INCOMPATIBLE)
    printf("n %zu null %zu discrete %d skew %g units %.1f softest %.2g leak %g: %s (gap %.2g null noise %.2g)\n",
           made->n, made->null, made->discrete, made->skew, made->units, made->softest, made->leak, error->message,
           certificate->gap, certificate->null_noise);
}

START_TEST(random_systems_are_solved_within_their_bound)
{
  uint64_t count = number_of_systems();
  static random_system system;
  static double X[LARGEST_SYSTEM * LARGEST_SYSTEM];
  tally seen = {0};
  for (uint64_t k = 0; k < count; k++) {
    recipe made = random_recipe(k);
    sgf_certificate certificate;
    sgf_lyapunov_options options;
    sgf_error error;
    make_random_system(&made, k, &system);
    sgf_lyapunov_options_init(&options);
    options.discrete = made.discrete;
    options.initial = made.from_initial ? system.initial : NULL;
    sgf_status status = sgf_lyapunov_solve(made.n, system.A, made.factored ? made.n : 0,
                                           made.factored ? system.B : system.Q, &options, X, &certificate, &error);
    if (status == SGF_OK)
      count_solution(&system, X, &certificate, &seen);
    else
      count_refusal(&system, status, &certificate, &error, &seen);
  }
  printf("%zu solved (%zu beyond the bound, %zu far), %zu leaks refused (%zu missed), %zu ambiguous, "
         "%zu uncertain, %zu others; "
         "bound / error 10^%.2f\n",
         seen.solved, seen.beyond_bound, seen.far_beyond, seen.refused, seen.missed_leak, seen.ambiguous,
         seen.uncertain, seen.false_alarm, seen.loosest / (double)seen.compared);
  ck_assert_uint_eq(seen.wrong_rank, 0);
  ck_assert_uint_eq(seen.large_residual, 0);
  ck_assert_uint_eq(seen.far_beyond, 0);
  ck_assert_uint_le(seen.beyond_bound, count / 10000);
  /* Noise that the null vectors' own round-off could have let in cannot be told from none. */
  ck_assert_uint_eq(seen.large_leak, 0);
  ck_assert_uint_le(seen.missed_leak, count / 10000);
  ck_assert_uint_eq(seen.false_alarm, 0);
  ck_assert_uint_le(seen.uncertain, count / 1000);
  ck_assert_uint_le(seen.ambiguous, count / 20);
  ck_assert(seen.loosest / (double)seen.compared < 3.5);
}
END_TEST

/* ------------------------------------------------------------- methods agree */

/* A symmetric positive drift (n, n) with eigenvalues 0 (null of them) and 0.5 ... 1.5; discrete: 1 minus that. */
static void make_symmetric_drift(size_t n, size_t null, bool discrete, uint64_t seed, double *A)
{
  double *O = new_reals(n * n), *scaled = new_reals(n * n);
  fill_orthogonal(seed, n, O);
  for (size_t k = 0; k < n; k++)
    for (size_t j = 0; j < n; j++) {
      double rate = k < null ? 0.0 : 0.5 + (double)(k - null) / (double)n;
      scaled[k * n + j] = O[k * n + j] * (discrete ? 1.0 - rate : rate);
    }
  sgf_multiply(n, n, n, SGF_TRANSPOSED, O, SGF_PLAIN, scaled, A);
  sgf_symmetrize(n, A);
  free(O);
  free(scaled);
}

/* Q = M G (M G)^T, M = A or 1 - A, in the range of a symmetric drift. */
static void make_noise_in_range(size_t n, const double *A, bool discrete, uint64_t seed, double *Q)
{
  double *G = new_reals(n * n), *B = new_reals(n * n), *M = new_reals(n * n);
  fill_normal(seed, n * n, G);
  for (size_t k = 0; k < n * n; k++) M[k] = discrete ? (double)(k % (n + 1) == 0) - A[k] : A[k];
  sgf_multiply(n, n, n, SGF_PLAIN, M, SGF_PLAIN, G, B);
  sgf_multiply(n, n, n, SGF_PLAIN, B, SGF_TRANSPOSED, B, Q);
  free(G);
  free(B);
  free(M);
}

/* The eigenbasis and the Schur form are two independent ways: through every level of the recursion, with and without a
 * null space. */
START_TEST(eigenbasis_and_schur_form_agree)
{
  static const size_t sizes[] = {1, 2, 31, 32, 33, 64, 65, 97, 130, 200};
  size_t n = sizes[_i % 10], null = _i / 10 % 2 == 0 ? 0 : n / 3;
  bool discrete = _i >= 20;
  double *A = new_reals(n * n), *Q = new_reals(n * n), *X = new_reals(n * n), *Z = new_reals(n * n);
  sgf_lyapunov_options options;
  sgf_certificate by_eigen, by_schur;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  options.discrete = discrete;
  make_symmetric_drift(n, null, discrete, 3 + n, A);
  make_noise_in_range(n, A, discrete, 5 + n, Q);
  options.method = SGF_METHOD_SYMMETRIC;
  ASSERT_OK(sgf_lyapunov_solve(n, A, 0, Q, &options, X, &by_eigen, &error), error);
  options.method = SGF_METHOD_SCHUR;
  ASSERT_OK(sgf_lyapunov_solve(n, A, 0, Q, &options, Z, &by_schur, &error), error);
  ASSERT_CLOSE(n * n, Z, X, 1e-12);
  ck_assert_uint_eq(by_eigen.rank, n - null);
  ck_assert_uint_eq(by_schur.rank, n - null);
  ck_assert(by_eigen.residual <= 1e-14 && by_schur.residual <= 1e-14);
  /* continuous: twice the smallest rate; discrete: 1 - a^2 */
  double least = discrete ? 0.75 : 1.0;
  for (size_t k = 0; discrete && k < n - null; k++) {
    double a = 0.5 - (double)k / (double)n;
    least = fmin(least, 1.0 - a * a);
  }
  ASSERT_NEAR(by_eigen.separation, least, 1e-10);
  ck_assert_msg(by_schur.separation > least * (1.0 - 1e-10) && by_schur.separation < 1.05 * least, "%g, %g",
                by_schur.separation, least);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) ck_assert(X[i * n + j] == X[j * n + i] && Z[i * n + j] == Z[j * n + i]);
  free(A);
  free(Q);
  free(X);
  free(Z);
}
END_TEST

/* A general drift of some size with pairs of eigenvalues, where the recursion cuts next to 2 x 2 blocks: the residual is
 * of round-off, and a factor gives what its square gives. */
START_TEST(large_general_drifts_are_solved)
{
  size_t n = 65 + 37 * (size_t)(_i / 2), columns = 7;
  bool discrete = _i % 2 == 1;
  double *A = new_reals(n * n), *B = new_reals(n * columns), *Q = new_reals(n * n), *X = new_reals(n * n),
         *Z = new_reals(n * n);
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  options.discrete = discrete;
  fill_normal(n, n * n, A);
  for (size_t k = 0; k < n * n; k++) A[k] *= (discrete ? 0.7 : 0.5) / sqrt((double)n);
  for (size_t k = 0; k < n && !discrete; k++) A[k * (n + 1)] += 1.0;
  fill_normal(n + 1, n * columns, B);
  sgf_multiply(n, n, columns, SGF_PLAIN, B, SGF_TRANSPOSED, B, Q);
  ASSERT_OK(sgf_lyapunov_solve(n, A, 0, Q, &options, X, &certificate, &error), error);
  ck_assert_int_eq(certificate.method, SGF_METHOD_SCHUR);
  ck_assert_msg(certificate.residual <= 1e-15 && certificate.error_bound < 1e-10, "%g, %g", certificate.residual,
                certificate.error_bound);
  ASSERT_OK(sgf_lyapunov_solve(n, A, columns, B, &options, Z, &certificate, &error), error);
  ASSERT_CLOSE(n * n, Z, X, 1e-12);
  free(A);
  free(B);
  free(Q);
  free(X);
  free(Z);
}
END_TEST

/* Large singular drifts, whose rank a factorization decides, or singular values where it leaves doubt. */
static const struct {
  const char *what;
  size_t n, null;
  bool discrete;
  double softest; /* least rate that is not 0 */
  sgf_status expected;
} singular[] = {{"half", 90, 45, false, 0.3, SGF_OK},
                {"half", 90, 45, true, 0.3, SGF_OK},
                {"few null vectors", 130, 3, false, 0.3, SGF_OK},
                {"few null vectors", 130, 3, true, 0.3, SGF_OK},
                {"little relaxes", 80, 78, false, 0.3, SGF_OK},
                {"a slow mode", 90, 20, false, 1e-7, SGF_OK},
                {"a very slow mode", 90, 20, false, 1e-9, SGF_OK},
                {"a mode that may be null", 90, 20, false, 1e-12, SGF_ERROR_AMBIGUOUS},
                {"a mode that may be null", 90, 20, true, 1e-12, SGF_ERROR_AMBIGUOUS}};

/* A = P F P^{-1} with F = diag(0 ..., rates), and X = P Z P^T, Q = P (F Z + Z F) P^T for a diagonal Z: what X(0) = 0 leads
 * to. */
static void make_singular_drift(size_t which, double *A, double *Q, double *X)
{
  size_t n = singular[which].n, null = singular[which].null;
  bool discrete = singular[which].discrete;
  double *P = new_reals(n * n), *work = new_reals(n * n), *PF = new_reals(n * n);
  fill_normal(7 * n + which, n * n, P);
  for (size_t k = 0; k < n * n; k++) P[k] *= 0.3 / sqrt((double)n);
  for (size_t k = 0; k < n; k++) P[k * (n + 1)] += 1.0;
  memset(X, 0, n * n * sizeof *X);
  memset(Q, 0, n * n * sizeof *Q);
  for (size_t k = 0; k < n; k++) {
    double rate = k < null ? 0.0 : k == null ? singular[which].softest : 0.3 + 0.5 * (double)k / (double)n;
    double f = discrete ? 1.0 - rate : rate, z = k < null ? 0.0 : 1.0 + (double)(k % 3);
    for (size_t i = 0; i < n; i++) {
      PF[i * n + k] = P[i * n + k] * f;
      for (size_t j = 0; j < n; j++) {
        X[i * n + j] += P[i * n + k] * z * P[j * n + k];
        Q[i * n + j] += P[i * n + k] * z * (discrete ? rate * (2.0 - rate) : 2.0 * rate) * P[j * n + k];
      }
    }
  }
  /* A P = P F: P^T A^T = (P F)^T */
  lapack_int *pivots = calloc(n, sizeof *pivots), size = (lapack_int)n;
  sgf_transpose(n, n, P, work);
  sgf_transpose(n, n, PF, A);
  ck_assert_int_eq(LAPACKE_dgesv(LAPACK_ROW_MAJOR, size, size, work, size, pivots, A, size), 0);
  sgf_transpose(n, n, A, PF);
  memcpy(A, PF, n * n * sizeof *A);
  free(pivots);
  free(P);
  free(work);
  free(PF);
}

START_TEST(large_singular_drifts_keep_their_rank)
{
  size_t n = singular[_i].n;
  double *A = new_reals(n * n), *Q = new_reals(n * n), *X = new_reals(n * n), *known = new_reals(n * n),
         *initial = new_reals(n * n);
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  options.discrete = singular[_i].discrete;
  options.initial = initial;
  make_singular_drift((size_t)_i, A, Q, known);
  sgf_status status = sgf_lyapunov_solve(n, A, 0, Q, &options, X, &certificate, &error);
  ck_assert_msg(status == singular[_i].expected, "%s: %s", singular[_i].what,
                status == SGF_OK ? "solved" : error.message);
  if (status == SGF_OK) {
    double size = sgf_norm(n * n, known), bound = certificate.error_bound;
    ck_assert_uint_eq(certificate.rank, n - singular[_i].null);
    ck_assert(certificate.gap >= 1e3 && !certificate.ambiguous && certificate.residual <= 1e-13);
    for (size_t k = 0; k < n * n; k++) known[k] -= X[k];
    ck_assert_msg(sgf_norm(n * n, known) <= bound * size, "%s: %g, bound %g", singular[_i].what,
                  sgf_norm(n * n, known) / size, bound);
  }
  free(A);
  free(Q);
  free(X);
  free(known);
  free(initial);
}
END_TEST

/* ------------------------------------------------------------ where others fail */

/* diag(0, 1, 2) rotated, noise in its range: general-purpose solvers divide one round-off by another along the null
 * direction, with a residual at round-off. */
START_TEST(rotated_null_direction)
{
  enum { N = 3 };
  double O[N * N], A[N * N], expected[N * N], X[N * N], Q[N * N];
  const double h[N] = {0.0, 1.0, 2.0};
  sgf_error error;
  fill_orthogonal(1, N, O);
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      A[i * N + j] = Q[i * N + j] = expected[i * N + j] = 0.0;
      for (int k = 1; k < N; k++) {
        A[i * N + j] += O[k * N + i] * h[k] * O[k * N + j];
        for (int l = 1; l < N; l++) {
          double noise = k == l ? 2.0 : 0.5;
          Q[i * N + j] += O[k * N + i] * noise * O[l * N + j];
          expected[i * N + j] += O[k * N + i] * noise / (h[k] + h[l]) * O[l * N + j];
        }
      }
    }
  for (int method = SGF_METHOD_SYMMETRIC; method <= SGF_METHOD_SCHUR; method++) {
    sgf_lyapunov_options options;
    sgf_certificate certificate;
    sgf_lyapunov_options_init(&options);
    options.method = (sgf_method)method;
    sgf_symmetrize(N, A);
    ASSERT_OK(sgf_lyapunov_solve(N, A, 0, Q, &options, X, &certificate, &error), error);
    ASSERT_CLOSE(N * N, X, expected, 1e-14);
    ck_assert_uint_eq(certificate.rank, 2);
    ck_assert(certificate.gap > 1e12 && certificate.error_bound < 1e-12 && !certificate.ambiguous);
    ASSERT_NEAR(certificate.real, 1.0, 1e-14);
    ASSERT_NEAR(certificate.separation, 2.0, 0.02);
  }
}
END_TEST

/* A chain of two: x_1 relaxes towards c x_2, which does not relax. Closed form: X_11 = q/2a + (c/a)^2 V, X_12 = (c/a) V,
 * X_22 = V for the initial variance V of x_2; of least norm among them: V that makes X_22 = 0. */
START_TEST(oblique_null_space_and_initial_covariance)
{
  const double a = 2.0, c = 3.0, q = 4.0, V = 0.7;
  const double A[4] = {a, -c, 0.0, 0.0}, Q[4] = {q, 0.0, 0.0, 0.0}, X0[4] = {5.0, 0.3, 0.3, V};
  const double expected[4] = {q / (2.0 * a) + c * c / (a * a) * V, c / a * V, c / a * V, V};
  double X[4];
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  options.initial = X0;
  ASSERT_OK(sgf_lyapunov_solve(2, A, 0, Q, &options, X, &certificate, &error), error);
  ASSERT_CLOSE(4, X, expected, 1e-14);
  ck_assert_uint_eq(certificate.rank, 1);
  /* least norm: X = X(V = 0) + z r r^T, r = (c, a) / sqrt(a^2 + c^2), orthogonal to r r^T */
  options.initial = NULL;
  ASSERT_OK(sgf_lyapunov_solve(2, A, 0, Q, &options, X, &certificate, &error), error);
  double r[2] = {c / hypot(a, c), a / hypot(a, c)}, along = 0.0, z = -q / (2.0 * a) * r[0] * r[0];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) {
      ASSERT_NEAR(X[2 * i + j], (i + j == 0 ? q / (2.0 * a) : 0.0) + z * r[i] * r[j], 1e-14);
      along += r[i] * X[2 * i + j] * r[j];
    }
  ASSERT_NEAR(along, 0.0, 1e-14);
  /* the discrete chain x' = (1 - a' ) x + ..., same conserved x_2 */
  const double F[4] = {0.5, 1.5, 0.0, 1.0}, limit[4] = {q / 0.75 + 9.0 * V, 3.0 * V, 3.0 * V, V};
  options.discrete = true;
  options.initial = X0;
  ASSERT_OK(sgf_lyapunov_solve(2, F, 0, Q, &options, X, &certificate, &error), error);
  ASSERT_CLOSE(4, X, limit, 1e-14);
}
END_TEST

/* Heavy-ball SGD as a Stein equation, z' = F z + noise with z = (delta, v), F = [1 - lambda H, beta; -lambda H, beta]: not
 * symmetric, and with two layers singular. The delta block is an independent implementation's covariance. */
START_TEST(momentum_by_the_stein_equation)
{
  static const char *const files[] = {"single_momentum.h5", "two_momentum.h5"};
  const double lambda = 0.01, beta = _i == 0 ? 0.9 : 0.5, batch = 4.0;
  size_t count;
  double *H = case_array(files[_i], "expected/theory/hessian", 2, &count);
  double *C = case_array(files[_i], "expected/theory/noise_covariance", 2, &count);
  double *expected = case_array(files[_i], "expected/theory/covariance_momentum", 2, &count);
  size_t n = (size_t)lround(sqrt((double)count)), m = 2 * n;
  double *F = new_reals(m * m), *N = new_reals(m * m), *Z = new_reals(m * m), *Sigma = new_reals(n * n);
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  for (size_t i = 0; i < m; i++)
    for (size_t j = 0; j < m; j++) {
      double h = H[(i % n) * n + j % n], diagonal = i % n == j % n ? 1.0 : 0.0;
      F[i * m + j] = j >= n ? beta * diagonal : (i < n ? diagonal : 0.0) - lambda * h;
      N[i * m + j] = lambda * lambda / batch * C[(i % n) * n + j % n];
    }
  sgf_lyapunov_options_init(&options);
  options.discrete = true;
  ASSERT_OK(sgf_lyapunov_solve(m, F, 0, N, &options, Z, &certificate, &error), error);
  sgf_diagonal_block(m, Z, 0, n, Sigma);
  ASSERT_CLOSE(n * n, Sigma, expected, 1e-11);
  /* every null direction of H is one of 1 - F; rank H = N_0 N_2 */
  ck_assert_uint_eq(certificate.rank, _i == 0 ? m : m - (n - 12));
  free(H);
  free(C);
  free(expected);
  free(F);
  free(N);
  free(Z);
  free(Sigma);
}
END_TEST

/* ------------------------------------------------------------------ refusals */

typedef struct {
  const char *what;
  bool discrete;
  double A[4], Q[4];
  sgf_status status;
  double real, imaginary; /* of the certificate; NaN: not looked at */
  const char *message;
} refusal;

static const refusal refusals[] = {
    {"unstable", false, {1, 0, 0, -2}, {1, 0, 0, 1}, SGF_ERROR_UNSTABLE, -2, 0, "the eigenvalue -2 "},
    {"unstable, general", false, {1, 5, 0, -2}, {1, 0, 0, 1}, SGF_ERROR_UNSTABLE, -2, 0, "the eigenvalue -2 "},
    {"undamped", false, {0, 3, -3, 0}, {0, 0, 0, 0}, SGF_ERROR_UNSTABLE, 0, 3, "0 +- 3 i"},
    {"defective zero", false, {0, 1, 0, 0}, {0, 0, 0, 0}, SGF_ERROR_UNSTABLE, 0, 0, "as many null vectors"},
    {"outside of the circle", true, {0.5, 0, 0, -1.25}, {1, 0, 0, 1}, SGF_ERROR_UNSTABLE, -1.25, 0, "-1.25"},
    {"on the circle", true, {0.5, 0, 0, -1}, {1, 0, 0, 0}, SGF_ERROR_UNSTABLE, -1, 0, "unit circle"},
    {"on the circle, general",
     true,
     {0.6, 0.8, -0.8, 0.6},
     {1, 0, 0, 1},
     SGF_ERROR_UNSTABLE,
     0.6,
     0.8,
     "0.6 +- 0.8 i"},
    {"defective one", true, {1, 1, 0, 1}, {0, 0, 0, 0}, SGF_ERROR_UNSTABLE, 1, 0, "as many null vectors"},
    {"driven null space", false, {0, 0, 0, 1}, {1, 0, 0, 1}, SGF_ERROR_INCOMPATIBLE, NAN, NAN, "0.707 of its norm"},
    {"driven, general", false, {0, 2, 0, 1}, {1, 0, 0, 0}, SGF_ERROR_INCOMPATIBLE, NAN, NAN, "does not let relax"},
    {"driven, discrete", true, {1, 0, 0, 0.5}, {1e-9, 0, 0, 1}, SGF_ERROR_INCOMPATIBLE, NAN, NAN, "1e-09"},
    {"nothing relaxes", false, {0, 0, 0, 0}, {1, 0, 0, 1}, SGF_ERROR_INCOMPATIBLE, NAN, NAN, "the 2 quantities"},
    {"between zero and not", false, {1, 0, 0, 1e-13}, {1, 0, 0, 1e-12}, SGF_ERROR_AMBIGUOUS, NAN, NAN, "Q drives it"},
    {"below the last digit", false, {1, 0, 0, 1e-15}, {1, 0, 0, 1e-15}, SGF_ERROR_AMBIGUOUS, NAN, NAN, "small rows"},
    {"the same, general", false, {1, 1, 0, 1e-13}, {1, 0, 0, 0}, SGF_ERROR_AMBIGUOUS, NAN, NAN, "a rank tolerance"},
    {"not a number", false, {1, NAN, 0, 1}, {1, 0, 0, 1}, SGF_ERROR_VALUE, NAN, NAN, "A: element (0, 1) is nan"},
    {"infinite", false, {1, 0, 0, 1}, {1, 0, 0, INFINITY}, SGF_ERROR_VALUE, NAN, NAN, "Q: element (1, 1) is inf"},
    {"not symmetric", false, {1, 0, 0, 1}, {1, 1, 0, 1}, SGF_ERROR_VALUE, NAN, NAN, "Q: not symmetric"},
    {"overflow", false, {1e-300, 0, 0, 1e-300}, {1e300, 0, 0, 1e300}, SGF_ERROR_VALUE, NAN, NAN, "overflow"},
};

START_TEST(what_has_no_solution_is_refused)
{
  const refusal *row = &refusals[_i];
  double X[4] = {0.0};
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  options.discrete = row->discrete;
  sgf_status status = sgf_lyapunov_solve(2, row->A, 0, row->Q, &options, X, &certificate, &error);
  ck_assert_msg(status == row->status, "%s: status %d", row->what, (int)status);
  ck_assert_int_eq(error.status, status);
  ck_assert_msg(strstr(error.message, row->message) != NULL, "%s: %s", row->what, error.message);
  if (!isnan(row->real)) {
    ASSERT_NEAR(certificate.real, row->real, 1e-14);
    ASSERT_NEAR(certificate.imaginary, row->imaginary, 1e-14);
  }
  for (int k = 0; k < 4; k++) ck_assert(isnan(X[k]));
}
END_TEST

/* Q = A X + X A^T, or X - A X A^T, up to 4 x 4, and a little more in its last element. */
typedef struct {
  const char *what;
  bool discrete;
  size_t n, rank;
  double A[16], X[16], leak;
  sgf_status status;
  const char *message;
} hard_case;

static void make_right_hand_side(const hard_case *row, double *Q)
{
  size_t n = row->n;
  double AX[16];
  sgf_multiply(n, n, n, SGF_PLAIN, row->A, SGF_PLAIN, row->X, AX);
  sgf_multiply(n, n, n, SGF_PLAIN, AX, SGF_TRANSPOSED, row->A, Q);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      Q[i * n + j] = row->discrete ? row->X[i * n + j] - Q[i * n + j] : AX[i * n + j] + AX[j * n + i];
  Q[n * n - 1] += row->leak;
}

/* All are exact in doubles. Jordan chains with eigenvalue 1 - e next to a 1: left null vectors of length e^-size. */
static const hard_case hard_cases[] = {
    {"slow next to two that do not relax",
     true,
     3,
     1,
     {1, 0, 0, 0, 1, -5 * 0x1p-20, 0, 0, 1 - 0x1p-20},
     {0, 0, 1, 0, 0, 0, 1, 0, -6},
     0,
     SGF_OK,
     NULL},
    {"chain of two",
     true,
     3,
     2,
     {1 - 0x1p-16, 1, 0x1p-16, 0, 1 - 0x1p-16, 0, 0, 0, 1},
     {1, 1, 1, 1, 2, 1, 1, 1, 3},
     0,
     SGF_ERROR_AMBIGUOUS,
     "what it could drive"},
    {"chain of three",
     true,
     4,
     0,
     {1 - 0x1p-20, 1, 0, 0x1p-20, 0, 1 - 0x1p-20, 1, 0, 0, 0, 1 - 0x1p-20, 0, 0, 0, 0, 1},
     {1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 3, 1, 1, 1, 1, 4},
     0,
     SGF_ERROR_AMBIGUOUS,
     "left null vectors"},
    {"units that differ", false, 2, 1, {4, 0, -0x1p-20, 0}, {0x1p20, 0, 0, 0}, 0, SGF_OK, NULL},
    {"driven in the small unit",
     false,
     2,
     1,
     {4, 0, -0x1p-20, 0},
     {0x1p20, 0, 0, 0},
     0x1p-30,
     SGF_ERROR_INCOMPATIBLE,
     "does not let relax"},
};

START_TEST(hard_cases_are_solved_or_refused)
{
  const hard_case *row = &hard_cases[_i];
  double Q[16], X[16];
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  options.discrete = row->discrete;
  make_right_hand_side(row, Q);
  /* X(0) on what does not relax, for a solution that is not of least norm */
  options.initial = row->discrete ? NULL : row->X;
  sgf_status status = sgf_lyapunov_solve(row->n, row->A, 0, Q, &options, X, &certificate, &error);
  ck_assert_msg(status == row->status, "%s: status %d, %s", row->what, (int)status, error.message);
  if (status != SGF_OK) {
    ck_assert_msg(strstr(error.message, row->message) != NULL, "%s: %s", row->what, error.message);
    ck_assert(certificate.ambiguous == (status == SGF_ERROR_AMBIGUOUS) && isnan(X[0]));
    return;
  }
  ck_assert_uint_eq(certificate.rank, row->rank);
  ck_assert(certificate.residual <= 1e-15 && certificate.error_bound < 1e-5);
  ASSERT_CLOSE(row->n * row->n, X, row->X, certificate.error_bound);
}
END_TEST

START_TEST(a_tolerance_decides_an_ambiguous_rank)
{
  const double A[4] = {1.0, 0.0, 0.0, 1e-13}, Q[4] = {2.0, 0.0, 0.0, 0.0};
  for (int keep = 0; keep < 2; keep++) {
    double X[4];
    sgf_lyapunov_options options;
    sgf_certificate certificate;
    sgf_error error;
    sgf_lyapunov_options_init(&options);
    options.rank_tolerance = keep ? 1e-15 : 1e-6;
    ASSERT_OK(sgf_lyapunov_solve(2, A, 0, Q, &options, X, &certificate, &error), error);
    ck_assert_uint_eq(certificate.rank, keep ? 2 : 1);
    ck_assert(certificate.ambiguous == keep);
    ASSERT_NEAR(X[0], 1.0, 1e-12);
    ASSERT_NEAR(X[3], 0.0, 1e-12);
  }
}
END_TEST

/* Regular and stable, exact in doubles; its smallest singular value is 4e-16 of the largest, its eigenvalues are 2^-6 and
 * 2^-5 twice. */
START_TEST(a_rank_that_round_off_decides_is_ambiguous)
{
  const double A[9] = {0x1p-6, -512, 1024, 0, -3071.96875, 1536, 0, -6144, 3072.03125};
  const double one[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
  double X[9];
  sgf_certificate certificate;
  sgf_error error;
  ck_assert_int_eq(sgf_lyapunov_solve(3, A, 0, one, NULL, X, &certificate, &error), SGF_ERROR_AMBIGUOUS);
  ck_assert_msg(strstr(error.message, "join null eigenvalues") != NULL, "%s", error.message);
  ck_assert(certificate.ambiguous && isnan(X[0]));
}
END_TEST

/* A Jordan block of eigenvalue d > 0, its coordinates mixed: computed eigenvalues are unstable, but round-off may be to
 * blame. One that is unstable beyond doubt is called so. */
START_TEST(an_eigenvalue_that_round_off_made_unstable_is_ambiguous)
{
  enum { N = 12 };
  for (int unstable = 0; unstable < 2; unstable++) {
    double A[N * N] = {0.0}, Q[N * N] = {0.0}, X[N * N], d = unstable ? -3.0 : 0x1p-9;
    sgf_certificate certificate;
    sgf_error error;
    for (int i = 0; i < N; i++) {
      Q[i * (N + 1)] = 1.0;
      A[i * (N + 1)] = d;
      if (i + 1 < N) A[i * N + i + 1] = 1.0;
    }
    /* S A S^{-1}, S = 1 + ones below the diagonal's first: integers */
    for (int i = N - 1; i > 0; i--)
      for (int j = 0; j < N; j++) A[i * N + j] += A[(i - 1) * N + j];
    for (int j = 0; j < N - 1; j++)
      for (int i = 0; i < N; i++)
        for (int k = j + 1; k < N; k++) A[i * N + j] += ((k - j) % 2 == 1 ? -1.0 : 1.0) * A[i * N + k];
    sgf_status status = sgf_lyapunov_solve(N, A, 0, Q, NULL, X, &certificate, &error);
    ck_assert_msg(status == (unstable ? SGF_ERROR_UNSTABLE : SGF_ERROR_AMBIGUOUS), "%d: %s", (int)status,
                  error.message);
    if (!unstable) ck_assert(strstr(error.message, "whether it is stable cannot be told") != NULL);
  }
}
END_TEST

/* An upper triangular drift, whose eigenvalues are its diagonal, singular to working accuracy: with the null space that
 * it seems to have split off, the rest has an eigenvalue of -0.14, known to 1e-13 as far as the rest alone says. With -1 in a
 * row of its own it is unstable beyond doubt. */
START_TEST(an_eigenvalue_that_a_lost_null_space_made_unstable_is_ambiguous)
{
  enum { N = 33 };
  for (int which = 0; which < 4; which++) {
    bool discrete = which % 2 == 1, unstable = which >= 2;
    double A[N * N] = {0.0}, Q[N * N] = {0.0}, X[N * N];
    sgf_lyapunov_options options;
    sgf_certificate certificate;
    sgf_error error;
    sgf_lyapunov_options_init(&options);
    options.discrete = discrete;
    for (int i = 0; i < N - 1; i++)
      for (int j = i; j < N - 1; j++) A[i * N + j] = (j == i ? 1.0 : -4.0) * pow(0.875, i);
    A[N * N - 1] = unstable ? -1.0 : 1.0;
    for (int k = 0; k < N * N && discrete; k++) A[k] = (k % (N + 1) == 0 ? 1.0 : 0.0) - A[k];
    sgf_status status = sgf_lyapunov_solve(N, A, 0, Q, &options, X, &certificate, &error);
    ck_assert_msg(status == (unstable ? SGF_ERROR_UNSTABLE : SGF_ERROR_AMBIGUOUS), "%d: %s", (int)status,
                  error.message);
    ck_assert_uint_eq(certificate.rank, N - 1);
    if (!unstable) ck_assert(strstr(error.message, "whether it is stable cannot be told") != NULL);
  }
}
END_TEST

/* diag(1, slow): the rank is 1 by its gap where nothing drives the slow mode, in which case it does not matter; otherwise
 * it is ambiguous. */
START_TEST(a_slow_mode_next_to_round_off_is_dropped_where_it_does_not_matter)
{
  const double A[4] = {1.0, 0.0, 0.0, 1e-13}, Q[4] = {2.0, 0.0, 0.0, 0.0}, X0[4] = {1.0, 0.0, 0.0, 1.0};
  const double driven[4] = {2.0, 0.0, 0.0, 1e-10};
  double X[4];
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  ASSERT_OK(sgf_lyapunov_solve(2, A, 0, Q, NULL, X, &certificate, &error), error);
  ck_assert(certificate.rank == 1 && !certificate.ambiguous && certificate.gap > 1e12);
  ck_assert(X[0] == 1.0 && X[3] == 0.0 && certificate.error_bound < 0.1);
  /* what a last digit of Q could make of X */
  ck_assert(certificate.error_bound > 2.0 * DBL_EPSILON / 2e-13);
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, driven, NULL, X, NULL, &error), SGF_ERROR_AMBIGUOUS);
  sgf_lyapunov_options_init(&options);
  options.initial = X0;
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, &options, X, NULL, &error), SGF_ERROR_AMBIGUOUS);
  ck_assert(strstr(error.message, "X(0) is given") != NULL);
  options.rank_tolerance = 0.0;
  ASSERT_OK(sgf_lyapunov_solve(2, A, 0, driven, &options, X, &certificate, &error), error);
  ASSERT_NEAR(X[3], 500.0, 1e-9);
}
END_TEST

/* Noise of 1 % on the null direction of a drift whose units differ, hidden by what its null vector is known to. */
START_TEST(noise_that_null_vectors_hide_is_ambiguous)
{
  const double A[16] = {
      7.788237902006095e-22,   2.4701592146299785e-22, -5.759566170601144e-19,  -1.4584768664650554e-22,
      -2.2483166433441834e-20, 1.910756955474624e-21,  -1.2196380771768782e-17, -8.74273183765933e-21,
      4.72425727510024e-24,    -5.351984606305634e-25, 2.988973830752634e-21,   2.0286016581567177e-24,
      -2.444170782699855e-21,  -1.409315487862131e-22, -2.1444072697233735e-19, -4.509523179961672e-22};
  const double Q[16] = {705422.1239403524,   11139046.989297861,  -1075.2677455690887, 3256395.049312224,
                        11139046.989297861,  175892368.01464045,  -16979.135665701382, 51420470.43746094,
                        -1075.2677455690887, -16979.135665701382, 1.6390196528043601,  -4963.689746215515,
                        3256395.049312224,   51420470.43746094,   -4963.689746215515,  15032288.267275559};
  const double X0[16] = {
      3.5854050922788323e+28,  -1.6434479597901423e+28, -1.134906327314887e+28, 4.398280199304194e+25,
      -1.6434479597901423e+28, 5.629561724009024e+28,   4.2458763999707225e+28, 1.2737407390828383e+28,
      -1.134906327314887e+28,  4.2458763999707225e+28,  3.2653386157846248e+28, 8.407990055823458e+27,
      4.398280199304194e+25,   1.2737407390828383e+28,  8.407990055823458e+27,  1.0208367339467552e+28};
  double X[16];
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  options.initial = X0;
  ck_assert_int_eq(sgf_lyapunov_solve(4, A, 0, Q, &options, X, &certificate, &error), SGF_ERROR_AMBIGUOUS);
  ck_assert_msg(strstr(error.message, "what it could drive") != NULL, "%s", error.message);
}
END_TEST

/* Next to the limits of doubles: nothing is 0 that is not, nothing overflows that fits. */
static const struct {
  bool discrete, factor;
  double A, Q, X;
} extreme[] = {
    {false, false, 1e308, 1e308, 0.5},     {false, false, 1.7e308, 1.7e308, 0.5},
    {false, false, 1.0, 1.5e308, 7.5e307}, {false, true, 1e-300, 1e-170, 5e-41},
    {false, true, 1e300, 1e160, 5e19},     {true, false, 0.5, 1e308, 1e308 / 0.75},
    {false, false, 1e-310, 1e-310, 0.5},   {false, true, 1.0, 1e154, 5e307},
};

START_TEST(extreme_numbers_are_solved)
{
  double X;
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  options.discrete = extreme[_i].discrete;
  ASSERT_OK(
      sgf_lyapunov_solve(1, &extreme[_i].A, extreme[_i].factor, &extreme[_i].Q, &options, &X, &certificate, &error),
      error);
  ck_assert_msg(fabs(X / extreme[_i].X - 1.0) <= 1e-14, "%g", X);
  ck_assert(certificate.rank == 1 && certificate.error_bound < 1e-14);
}
END_TEST

/* The numbers of the options. */
START_TEST(options_out_of_range_are_refused)
{
  const double A[4] = {1.0, 0.5, 0.0, 1.0}, Q[4] = {1.0, 0.0, 0.0, 1.0};
  const double tolerances[] = {-1.0, INFINITY, -INFINITY, 1.0, 2.0}, memories[] = {-1.0, NAN};
  double X[4];
  sgf_lyapunov_options options;
  sgf_error error;
  for (size_t k = 0; k < sizeof tolerances / sizeof *tolerances; k++) {
    sgf_lyapunov_options_init(&options);
    options.rank_tolerance = tolerances[k];
    ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, &options, X, NULL, &error), SGF_ERROR_VALUE);
    ck_assert(strstr(error.message, "rank_tolerance") != NULL && isnan(X[0]));
  }
  for (size_t k = 0; k < sizeof memories / sizeof *memories; k++) {
    sgf_lyapunov_options_init(&options);
    options.memory = memories[k];
    ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, &options, X, NULL, &error), SGF_ERROR_VALUE);
    ck_assert(strstr(error.message, "memory") != NULL);
  }
  sgf_lyapunov_options_init(&options);
  options.method = (sgf_method)7;
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, &options, X, NULL, &error), SGF_ERROR_VALUE);
  ck_assert_str_eq(sgf_method_text((sgf_method)7), "unknown");
}
END_TEST

START_TEST(bad_calls_are_refused)
{
  double A[4] = {1.0, 0.5, 0.0, 1.0}, Q[4] = {1.0, 0.0, 0.0, 1.0}, X[4];
  sgf_lyapunov_options options;
  sgf_certificate certificate;
  sgf_error error;
  sgf_lyapunov_options_init(&options);
  ck_assert_int_eq(sgf_lyapunov_solve(0, A, 0, Q, NULL, X, NULL, &error), SGF_ERROR_VALUE);
  options.method = SGF_METHOD_SYMMETRIC;
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, &options, X, &certificate, &error), SGF_ERROR_UNSUPPORTED);
  ck_assert(strstr(error.message, "not symmetric") != NULL);
  options.method = SGF_METHOD_KRONECKER;
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, &options, X, &certificate, &error), SGF_ERROR_UNSUPPORTED);
  options.method = SGF_METHOD_AUTO;
  options.memory = 100.0;
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, &options, X, &certificate, &error), SGF_ERROR_MEMORY);
  options.memory = 0.0;
  double X0[4] = {1.0, 2.0, 0.0, 1.0};
  options.initial = X0;
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, &options, X, &certificate, &error), SGF_ERROR_VALUE);
  ck_assert(strstr(error.message, "X0: not symmetric") != NULL);
  /* no error struct, no certificate */
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, Q, NULL, X, NULL, NULL), SGF_OK);
  /* nothing in, nothing out */
  double none[4] = {0.0};
  ck_assert_int_eq(sgf_lyapunov_solve(2, A, 0, none, NULL, X, &certificate, &error), SGF_OK);
  for (int k = 0; k < 4; k++) ck_assert(X[k] == 0.0);
  ck_assert(certificate.residual == 0.0 && certificate.error_bound == 0.0);
  ck_assert_int_eq(sgf_lyapunov_solve(2, none, 0, none, NULL, X, &certificate, &error), SGF_OK);
  ck_assert_uint_eq(certificate.rank, 0);
}
END_TEST

/* ------------------------------------------------------------------ many */

START_TEST(many_systems_have_the_same_bits_for_any_threads)
{
  enum { COUNT = 64, N = 9 };
  static double A[COUNT * N * N], Q[COUNT * N * N], X[COUNT * N * N], again[COUNT * N * N];
  static sgf_certificate certificates[COUNT];
  sgf_status statuses[COUNT];
  sgf_error error;
  fill_normal(4, COUNT * N * N, A);
  fill_normal(5, COUNT * N * N, Q);
  for (size_t k = 0; k < COUNT; k++) {
    for (size_t i = 0; i < N; i++) A[k * N * N + i * (N + 1)] += 12.0;
    sgf_symmetrize(N, Q + k * N * N);
  }
  ASSERT_OK(sgf_lyapunov_solve_many(COUNT, N, A, Q, NULL, 1, X, certificates, statuses, &error), error);
  ASSERT_OK(sgf_lyapunov_solve_many(COUNT, N, A, Q, NULL, 3, again, NULL, statuses, &error), error);
  ck_assert(memcmp(X, again, sizeof X) == 0);
  for (size_t k = 0; k < COUNT; k++) ck_assert(certificates[k].residual <= 1e-15);
  A[40 * N * N] = -300.0;
  ck_assert_int_eq(sgf_lyapunov_solve_many(COUNT, N, A, Q, NULL, 2, X, NULL, statuses, &error), SGF_ERROR_UNSTABLE);
  ck_assert(strstr(error.message, "system 40") != NULL && strstr(error.message, "the eigenvalue -") != NULL);
  ck_assert_int_eq(sgf_lyapunov_solve_many(COUNT, N, A, Q, NULL, 2, again, NULL, NULL, &error), SGF_ERROR_UNSTABLE);
  for (size_t k = 0; k < COUNT; k++) {
    ck_assert_int_eq(statuses[k], k == 40 ? SGF_ERROR_UNSTABLE : SGF_OK);
    ck_assert(isnan(X[k * N * N]) == (k == 40));
  }
}
END_TEST

/* The certificate must catch a wrong solution: what it says of X is recomputed here for X with a small planted error. */
START_TEST(a_planted_error_is_seen)
{
  enum { N = 12 };
  static random_system system;
  recipe made = {.n = N, .skew = 0.5, .softest = 0.1, .scale_A = 1.0, .scale_Q = 1.0};
  double X[N * N];
  sgf_certificate certificate;
  sgf_error error;
  make_random_system(&made, 3, &system);
  ASSERT_OK(sgf_lyapunov_solve(N, system.A, 0, system.Q, NULL, X, &certificate, &error), error);
  ck_assert(error_of(&system, X) <= certificate.error_bound && residual_of(&system, X) <= 1e-15);
  X[N + 2] *= 1.0 + 1e-9;
  ck_assert_msg(error_of(&system, X) > certificate.error_bound, "%g, bound %g", error_of(&system, X),
                certificate.error_bound);
  ck_assert_msg(residual_of(&system, X) > 1e-13, "%g", residual_of(&system, X));
}
END_TEST

/* Q = A X + X A^T or X - A X A^T, 2 x 2. */
static void make_small(bool discrete, double A[2][2], double X[2][2], double Q[2][2])
{
  double AX[2][2];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) AX[i][j] = A[i][0] * X[0][j] + A[i][1] * X[1][j];
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++)
      Q[i][j] = discrete ? X[i][j] - AX[i][0] * A[j][0] - AX[i][1] * A[j][1] : AX[i][j] + AX[j][i];
}

/* A = S [d 1; 0 d] S^{-1} (discrete: 1 - A), S = [2 1; 1 1], d = 2^-8, X of small integers: all exact in doubles. The
 * condition is 1 / d^3, so that the last digit of a double is worth 1e-9. */
START_TEST(equations_taken_as_exact_are_solved_beyond_double)
{
  const double d = 0x1p-8;
  double continuous[2][2] = {{d - 2.0, 4.0}, {-1.0, d + 2.0}}, known[2][2] = {{3.0, 1.0}, {1.0, 2.0}};
  double discrete[2][2] = {{3.0 - d, -4.0}, {1.0, -1.0 - d}}, Q[2][2], X[4];
  for (int k = 0; k < 2; k++) {
    sgf_lyapunov_options options;
    sgf_certificate certificate;
    sgf_error error;
    sgf_lyapunov_options_init(&options);
    options.discrete = k == 1;
    make_small(options.discrete, k == 1 ? discrete : continuous, known, Q);
    ck_assert_int_eq(
        sgf_lyapunov_solve(2, k == 1 ? discrete[0] : continuous[0], 0, Q[0], &options, X, &certificate, &error),
        SGF_OK);
    ck_assert(certificate.refined);
    ck_assert(certificate.error_bound > 1e-10 && certificate.error_bound < 1e-4);
    ASSERT_CLOSE(4, X, known[0], 1e-10);
  }
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("lyapunov");
  TCase *tests = tcase_create("lyapunov");
  tcase_set_timeout(tests, 3600);
  tcase_add_test(tests, random_systems_are_solved_within_their_bound);
  tcase_add_loop_test(tests, eigenbasis_and_schur_form_agree, 0, 40);
  tcase_add_loop_test(tests, large_general_drifts_are_solved, 0, 8);
  tcase_add_loop_test(tests, large_singular_drifts_keep_their_rank, 0, sizeof singular / sizeof *singular);
  tcase_add_test(tests, rotated_null_direction);
  tcase_add_test(tests, oblique_null_space_and_initial_covariance);
  tcase_add_loop_test(tests, momentum_by_the_stein_equation, 0, 2);
  tcase_add_loop_test(tests, what_has_no_solution_is_refused, 0, sizeof refusals / sizeof *refusals);
  tcase_add_loop_test(tests, hard_cases_are_solved_or_refused, 0, sizeof hard_cases / sizeof *hard_cases);
  tcase_add_test(tests, a_tolerance_decides_an_ambiguous_rank);
  tcase_add_test(tests, a_rank_that_round_off_decides_is_ambiguous);
  tcase_add_test(tests, an_eigenvalue_that_round_off_made_unstable_is_ambiguous);
  tcase_add_test(tests, an_eigenvalue_that_a_lost_null_space_made_unstable_is_ambiguous);
  tcase_add_test(tests, a_slow_mode_next_to_round_off_is_dropped_where_it_does_not_matter);
  tcase_add_test(tests, noise_that_null_vectors_hide_is_ambiguous);
  tcase_add_loop_test(tests, extreme_numbers_are_solved, 0, sizeof extreme / sizeof *extreme);
  tcase_add_test(tests, options_out_of_range_are_refused);
  tcase_add_test(tests, bad_calls_are_refused);
  tcase_add_test(tests, many_systems_have_the_same_bits_for_any_threads);
  tcase_add_test(tests, a_planted_error_is_seen);
  tcase_add_test(tests, equations_taken_as_exact_are_solved_beyond_double);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
