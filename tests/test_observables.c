/* Detailed balance, principal directions, flatness, the IVFR fit, spectra and their limit laws. */
#include "../theory/detailed_balance.h"
#include "../theory/flatness.h"
#include "../theory/lyapunov.h"
#include "../theory/nullspace.h"
#include "../theory/spectrum.h"
#include "testing.h"

/* A random positive definite matrix. */
static void positive(size_t n, uint64_t seed, double *A)
{
  double *B = new_reals(n * n);
  fill_normal(seed, n * n, B);
  sgf_multiply(n, n, n, SGF_TRANSPOSED, B, SGF_PLAIN, B, A);
  for (size_t k = 0; k < n; k++) A[k * n + k] += 0.1;
  sgf_symmetrize(n, A);
  free(B);
}

static void stationary(size_t n, const double *H, const double *C, double scale, double *Sigma)
{
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  double *work = new_reals(n * n);
  ASSERT_OK(sgf_range_create(n, H, NAN, &range, &error), error);
  sgf_into_basis(n, range.V, C, work, Sigma);
  for (size_t k = 0; k < n * n; k++) Sigma[k] *= 2.0 * scale;
  sgf_lyapunov(&range, 0.0, Sigma, Sigma);
  sgf_out_of_basis(n, range.V, Sigma, work, Sigma);
  sgf_range_free(&range);
  free(work);
}

START_TEST(commuting_noise_keeps_detailed_balance)
{
  enum { n = 4 };
  double H[n * n], C[n * n], Sigma[n * n];
  sgf_detailed_balance balance;
  sgf_error error = {SGF_OK, ""};
  positive(n, 1, H);
  sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, H, C); /* C = H^2 commutes with H */
  stationary(n, H, C, 0.3, Sigma);
  ASSERT_OK(sgf_detailed_balance_measure(n, H, C, Sigma, 0.3, &balance, &error), error);
  double norm, relative;
  ASSERT_OK(sgf_commutator(n, H, C, &norm, &relative, &error), error);
  ck_assert(relative < 1e-14 && balance.irreversible < 1e-14);
  ck_assert(fabs(balance.entropy_production) < 1e-20);
  ck_assert(!balance.on_range && balance.rank_noise == n);
}
END_TEST

/* The entropy production as the mean <v^T D^-1 v> of the current velocity v = -Q Sigma^-1 delta, in two dimensions
 * by hand: H = diag(1, 2), D = [[1, d], [d, 1]]; Sigma_ij = 2 D_ij / (h_i + h_j). */
START_TEST(entropy_production_of_two_modes)
{
  double d = 0.6, H[] = {1.0, 0.0, 0.0, 2.0}, C[] = {1.0, d, d, 1.0}, Sigma[4];
  double S[2][2] = {{1.0, 2.0 * d / 3.0}, {2.0 * d / 3.0, 0.5}};
  double q = 0.5 * (1.0 - 2.0) * S[0][1]; /* Q = [[0, q], [-q, 0]] */
  /* tr(Q^T D^-1 Q Sigma^-1) for 2 x 2 antisymmetric Q: q^2 tr(adj stuff) = q^2 (D^-1_11 s_22' ...) */
  double det_D = 1.0 - d * d, det_S = S[0][0] * S[1][1] - S[0][1] * S[0][1];
  double Di[2][2] = {{1.0 / det_D, -d / det_D}, {-d / det_D, 1.0 / det_D}};
  double Si[2][2] = {{S[1][1] / det_S, -S[0][1] / det_S}, {-S[0][1] / det_S, S[0][0] / det_S}};
  double Q[2][2] = {{0.0, q}, {-q, 0.0}}, expected = 0.0;
  for (int a = 0; a < 2; a++)
    for (int b = 0; b < 2; b++)
      for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) expected += Q[i][a] * Di[i][j] * Q[j][b] * Si[b][a];
  sgf_detailed_balance balance;
  sgf_error error = {SGF_OK, ""};
  stationary(2, H, C, 1.0, Sigma);
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 2; j++) ASSERT_NEAR(Sigma[2 * i + j], S[i][j], 1e-15);
  ASSERT_OK(sgf_detailed_balance_measure(2, H, C, Sigma, 1.0, &balance, &error), error);
  ASSERT_NEAR(balance.entropy_production, expected, 1e-13 * expected);
  double norm, relative;
  ASSERT_OK(sgf_commutator(2, H, C, &norm, &relative, &error), error);
  ASSERT_NEAR(norm, sqrt(2.0) * d, 1e-14);
  ASSERT_NEAR(relative, norm / (sqrt(5.0) * sqrt(2.0 + 2.0 * d * d)), 1e-14);
  ck_assert(expected > 0.01);
}
END_TEST

/* A rotation of the weights changes no invariant. */
START_TEST(entropy_production_is_invariant_under_rotations)
{
  enum { n = 5 };
  double H[n * n], C[n * n], Sigma[n * n], V[n * n], h[n], work[n * n];
  sgf_detailed_balance one, two;
  sgf_error error = {SGF_OK, ""};
  positive(n, 2, H);
  positive(n, 3, C);
  stationary(n, H, C, 0.7, Sigma);
  ASSERT_OK(sgf_detailed_balance_measure(n, H, C, Sigma, 0.7, &one, &error), error);
  positive(n, 4, V);
  ASSERT_OK(sgf_symmetric_eigen(n, V, h, "rotation", &error), error);
  sgf_into_basis(n, V, H, work, H);
  sgf_into_basis(n, V, C, work, C);
  stationary(n, H, C, 0.7, Sigma);
  ASSERT_OK(sgf_detailed_balance_measure(n, H, C, Sigma, 0.7, &two, &error), error);
  ck_assert(one.entropy_production > 0.0);
  ASSERT_NEAR(two.entropy_production, one.entropy_production, 1e-11 * one.entropy_production);
  ASSERT_NEAR(two.irreversible, one.irreversible, 1e-12);
}
END_TEST

START_TEST(principal_directions_diagonalize)
{
  enum { n = 6 };
  double S[n * n], H[n * n], directions[n * n], variance[n], curvature[n];
  sgf_error error = {SGF_OK, ""};
  positive(n, 5, S);
  positive(n, 6, H);
  ASSERT_OK(sgf_principal_directions(n, S, H, directions, variance, curvature, &error), error);
  for (int k = 0; k < n; k++) {
    ck_assert(k == 0 || variance[k] <= variance[k - 1]);
    ASSERT_NEAR(sgf_quadratic_form(n, S, directions + k * n), variance[k], 1e-12 * variance[0]);
    ASSERT_NEAR(sgf_quadratic_form(n, H, directions + k * n), curvature[k], 1e-12);
    ASSERT_NEAR(sgf_dot(n, directions + k * n, directions + k * n), 1.0, 1e-13);
  }
}
END_TEST

/* F is the distance between the points where L = factor L*: L* + h F^2 / 8 = factor L*. */
START_TEST(flatness_is_where_the_loss_reaches_the_factor)
{
  static const double factors[] = {M_E, 2.0};
  double h = 0.37, loss = 0.2;
  for (int k = 0; k < 2; k++) {
    double F = sgf_flatness(h, loss, factors[k]);
    ASSERT_NEAR(loss + 0.5 * h * 0.25 * F * F, factors[k] * loss, 1e-14);
  }
  ck_assert(isinf(sgf_flatness(0.0, loss, M_E)));
  ck_assert(isnan(sgf_flatness(NAN, loss, M_E)) && isnan(sgf_flatness(h, NAN, M_E)) &&
            isnan(sgf_flatness(0.0, loss, NAN)));
}
END_TEST

START_TEST(ivfr_fit_finds_a_planted_exponent)
{
  enum { MODES = 40 };
  double variance[MODES], curvature[MODES], noise[MODES];
  sgf_ivfr fit;
  sgf_error error = {SGF_OK, ""};
  fill_normal(8, MODES, noise);
  for (int k = 0; k < MODES; k++) {
    curvature[k] = exp(0.1 * k);
    variance[k] = 1e-3 * pow(curvature[k], 0.5 * 1.6); /* psi = 1.6 */
  }
  ASSERT_OK(sgf_ivfr_fit(MODES, variance, curvature, 1, &fit, &error), error);
  ASSERT_NEAR(fit.psi, 1.6, 1e-12);
  ASSERT_NEAR(fit.correlation, 1.0, 1e-12);
  for (int k = 0; k < MODES; k++) variance[k] *= exp(0.2 * noise[k]);
  variance[3] = 0.0;
  ASSERT_OK(sgf_ivfr_fit(MODES, variance, curvature, 1, &fit, &error), error);
  ck_assert_uint_eq(fit.modes, MODES - 1);
  ck_assert_uint_eq(fit.left_out, 1);
  ck_assert(fit.psi_low < 1.6 && 1.6 < fit.psi_high && fit.psi_high - fit.psi_low < 0.4);
  ck_assert(fit.psi_low < fit.psi && fit.psi < fit.psi_high && fit.psi_high - fit.psi_low > 0.05);
}
END_TEST

START_TEST(ivfr_fit_of_too_little_is_nan)
{
  double two[] = {1.0, 2.0}, same[] = {1.0, 1.0, 1.0, 1.0}, other[] = {1.0, 2.0, 3.0, 4.0};
  sgf_ivfr fit;
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_ivfr_fit(2, two, two, 1, &fit, &error), error);
  ck_assert(isnan(fit.psi));
  ASSERT_OK(sgf_ivfr_fit(4, other, same, 1, &fit, &error), error);
  ck_assert(isnan(fit.psi) && isnan(fit.psi_low));
}
END_TEST

/* Marchenko and Pastur's density in closed form, at isotropic inputs. */
START_TEST(law_of_the_hessian_is_marchenko_pastur)
{
  enum { POINTS = 400 };
  static const double qs[] = {0.05, 0.3, 0.7};
  double q = qs[_i], one = 1.0, *rows = new_reals(3 * POINTS), worst = 0.0;
  double low = (1.0 - sqrt(q)) * (1.0 - sqrt(q)), high = (1.0 + sqrt(q)) * (1.0 + sqrt(q));
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_limit_law(SGF_LAW_HESSIAN, &one, 1, q, 0.3 * low, 1.3 * high, POINTS, rows, &error), error);
  for (size_t k = 0; k < POINTS; k++) {
    double x = rows[3 * k], inside = (high - x) * (x - low);
    double density = inside > 0.0 ? sqrt(inside) / (2.0 * M_PI * q * x) : 0.0;
    if (fabs(x - low) > 0.05 * low && fabs(x - high) > 0.05 * high)
      worst = fmax(worst, fabs(density - rows[3 * k + 1]));
  }
  ck_assert_msg(worst < 1e-3, "density off by %g at q = %g", worst, q);
  ASSERT_NEAR(rows[2], 0.0, 3e-3);
  free(rows);
}
END_TEST

/* Against matrices drawn here: residuals zeta_mu independent of inputs with covariance eigenvalues a, N = 300. The
 * distance of a law to its own sample is ~ 0.01; to the other law it is more than ten times that. */
START_TEST(law_of_the_noise_is_that_of_drawn_matrices)
{
  enum { N = 300, P = 600, POINTS = 300 };
  double *X = new_reals(P * N), *zeta = new_reals(P), *C = new_reals(N * N), *values = new_reals(N),
         *a = new_reals(N);
  double *rows = new_reals(3 * POINTS);
  sgf_error error = {SGF_OK, ""};
  fill_normal(11, P * N, X);
  fill_normal(12, P, zeta);
  for (size_t i = 0; i < N; i++) a[i] = _i == 0 ? 1.0 : i % 2 == 0 ? 0.5 : 1.5;
  double loss = sgf_norm(P, zeta); /* |e|^2 = 2 L* P */
  for (size_t m = 0; m < P; m++)
    for (size_t i = 0; i < N; i++) X[m * N + i] *= zeta[m] / loss * sqrt(a[i]);
  sgf_multiply(N, N, P, SGF_TRANSPOSED, X, SGF_PLAIN, X, C);
  ASSERT_OK(sgf_symmetric_eigenvalues(N, C, values, "C", &error), error);
  double distance[2];
  for (int law = 0; law < 2; law++) {
    ASSERT_OK(sgf_limit_law(law == 0 ? SGF_LAW_NOISE : SGF_LAW_HESSIAN, a, N, 0.5, 0.1 * values[0],
                            2.0 * values[N - 1], POINTS, rows, &error),
              error);
    distance[law] = sgf_distance_to_law(values, N, 1.0, rows, POINTS);
  }
  ck_assert_msg(distance[0] < 0.03, "distance to its law %g", distance[0]);
  ck_assert_msg(distance[1] > 0.15, "distance to the law of H %g", distance[1]);
  free(X);
  free(zeta);
  free(C);
  free(values);
  free(a);
  free(rows);
}
END_TEST

START_TEST(kolmogorov_distances)
{
  double a[] = {1.0, 2.0, 3.0, 4.0}, b[] = {1.0, 2.0, 3.0, 4.0}, c[] = {5.0, 6.0, 7.0, 8.0},
         d[] = {2.0, 2.0, 2.0, 9.0};
  ASSERT_NEAR(sgf_distance_of_spectra(a, 1.0, b, 4), 0.0, 0.0);
  ASSERT_NEAR(sgf_distance_of_spectra(a, 1.0, c, 4), 1.0, 0.0);
  ASSERT_NEAR(sgf_distance_of_spectra(a, 0.5, b, 4), 0.5, 0.0);
  ASSERT_NEAR(sgf_distance_of_spectra(a, 1.0, d, 4), 0.25, 0.0);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("observables");
  TCase *tests = tcase_create("observables");
  tcase_set_timeout(tests, 300);
  tcase_add_test(tests, commuting_noise_keeps_detailed_balance);
  tcase_add_test(tests, entropy_production_of_two_modes);
  tcase_add_test(tests, entropy_production_is_invariant_under_rotations);
  tcase_add_test(tests, principal_directions_diagonalize);
  tcase_add_test(tests, flatness_is_where_the_loss_reaches_the_factor);
  tcase_add_test(tests, ivfr_fit_finds_a_planted_exponent);
  tcase_add_test(tests, ivfr_fit_of_too_little_is_nan);
  tcase_add_loop_test(tests, law_of_the_hessian_is_marchenko_pastur, 0, 3);
  tcase_add_loop_test(tests, law_of_the_noise_is_that_of_drawn_matrices, 0, 2);
  tcase_add_test(tests, kolmogorov_distances);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
