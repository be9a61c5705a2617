/* Formulas of others as special cases: Kunin et al. (2021), Liu, Ziyin and Ueda (2021), Mulayoff and Michaeli (2024). */
#include "../theory/drift.h"
#include "../theory/heavy_ball.h"
#include "../theory/prediction.h"
#include "testing.h"

enum { N = 5 };

/* H positive and C positive semidefinite, which do not commute, and the modes of H as a range. */
static void random_pair(uint64_t seed, double *H, double *C, sgf_range *range)
{
  double Q[N * N], half[N * N], work[N * N];
  sgf_error error = {SGF_OK, ""};
  fill_orthogonal(seed, N, Q);
  fill_normal(seed + 1, N * N, half);
  sgf_multiply(N, N, N, SGF_PLAIN, half, SGF_TRANSPOSED, half, C);
  memset(H, 0, N * N * sizeof *H);
  for (size_t k = 0; k < N; k++) H[k * (N + 1)] = 0.3 + 0.7 * (double)k;
  sgf_out_of_basis(N, Q, H, work, H);
  *range = (sgf_range){.n = N, .rank = N};
  ASSERT_OK(sgf_new_reals(&range->V, N, N, "modes", &error), error);
  ASSERT_OK(sgf_new_reals(&range->h, N, 1, "rates", &error), error);
  memcpy(range->V, H, N * N * sizeof *H);
  ASSERT_OK(sgf_symmetric_eigen(N, range->V, range->h, "H", &error), error);
}

/* The covariance of theta in Kunin et al.'s Langevin equation of SGD with momentum, with the weight decay in H,
 *   d theta = v dt,  dv = -( 2 / lambda (1 + beta) ) ( H theta + (1 - beta) v ) dt + ( 2 / (1 + beta) ) (C / lambda S)^{1/2} dW,
 * by the general solver of A Z + Z A^T = Q. */
static void langevin_with_momentum(const double *H, const double *C, double lambda, double beta, double batch,
                                   double *S)
{
  double A[4 * N * N] = {0}, Q[4 * N * N] = {0}, Z[4 * N * N];
  sgf_certificate certificate;
  sgf_error error = {SGF_OK, ""};
  for (size_t i = 0; i < N; i++) {
    A[i * 2 * N + N + i] = -1.0;
    A[(N + i) * 2 * N + N + i] = 2.0 * (1.0 - beta) / (lambda * (1.0 + beta));
    for (size_t j = 0; j < N; j++) {
      A[(N + i) * 2 * N + j] = 2.0 * H[i * N + j] / (lambda * (1.0 + beta));
      Q[(N + i) * 2 * N + N + j] = 4.0 * C[i * N + j] / ((1.0 + beta) * (1.0 + beta) * lambda * batch);
    }
  }
  ASSERT_OK(sgf_lyapunov_solve(2 * N, A, 0, Q, NULL, Z, &certificate, &error), error);
  sgf_diagonal_block(2 * N, Z, 0, N, S);
}

/* In the modes of H the inverses of both responses differ by lambda (1 - beta)(h + h')^2 / 4 (1 + beta), whatever the learning
 * rate and the momentum: Kunin et al.'s is the limit lambda (h + h') << 1 + beta. For C = s^2 H theirs is lambda s^2 / 2S(1 - beta)
 * times 1, the temperature; and without momentum it is not that of the flow, but has lambda (h - h')^2 / 4 beside it. */
START_TEST(langevin_equation_of_kunin)
{
  double H[N * N], C[N * N], S[N * N], in_modes[N * N], noise[N * N], work[N * N], lambda = 0.1, batch = 4.0;
  double beta = 0.3 * _i;
  sgf_range range;
  random_pair(40 + (uint64_t)_i, H, C, &range);
  langevin_with_momentum(H, C, lambda, beta, batch, S);
  sgf_into_basis(N, range.V, S, work, in_modes);
  sgf_into_basis(N, range.V, C, work, noise);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      double sum = range.h[i] + range.h[j], scale = lambda / batch * noise[i * N + j];
      double theirs = scale / in_modes[i * N + j],
             ours = 1.0 / sgf_pair_response(lambda, beta, range.h[i], range.h[j]);
      double difference = lambda * (1.0 - beta) * sum * sum / (4.0 * (1.0 + beta));
      ASSERT_NEAR(ours + difference, theirs, 1e-10 * theirs);
      ck_assert(ours < theirs); /* and so it is not the same without the difference */
    }
  langevin_with_momentum(H, H, lambda, beta, batch, S);
  for (size_t k = 0; k < N * N; k++)
    ASSERT_NEAR(S[k], k % (N + 1) == 0 ? lambda / (2.0 * batch * (1.0 - beta)) : 0.0, 1e-12);
  sgf_range_free(&range);
}
END_TEST

/* Liu, Ziyin and Ueda's matrix equation, term by term, and their two special cases: C = c H, and no momentum, HS + SH -
 * lambda HSH. */
START_TEST(equation_of_liu_ziyin_ueda)
{
  double H[N * N], C[N * N], S[N * N], HS[N * N], SH[N * N], HSH[N * N], HHS[N * N], SHH[N * N], work[N * N];
  double lambda = 0.1, beta = 0.3 * _i, p = 0.25, left = 0.0, norm = 0.0;
  sgf_range range;
  sgf_error error = {SGF_OK, ""};
  random_pair(50 + (uint64_t)_i, H, C, &range);
  sgf_into_basis(N, range.V, C, work, S);
  for (size_t k = 0; k < N * N; k++) S[k] *= lambda * p;
  ASSERT_OK(sgf_heavy_ball_covariance(&range, lambda, beta, S, 0, 1, 0, S, &error), error);
  sgf_out_of_basis(N, range.V, S, work, S);
  sgf_multiply(N, N, N, SGF_PLAIN, H, SGF_PLAIN, S, HS);
  sgf_multiply(N, N, N, SGF_PLAIN, S, SGF_PLAIN, H, SH);
  sgf_multiply(N, N, N, SGF_PLAIN, HS, SGF_PLAIN, H, HSH);
  sgf_multiply(N, N, N, SGF_PLAIN, H, SGF_PLAIN, HS, HHS);
  sgf_multiply(N, N, N, SGF_PLAIN, SH, SGF_PLAIN, H, SHH);
  for (size_t k = 0; k < N * N; k++) {
    double both = 1.0 - beta * beta, noise = lambda * lambda * p * C[k];
    double sum = (1.0 - beta) * lambda * (HS[k] + SH[k]) - (1.0 + beta * beta) / both * lambda * lambda * HSH[k] +
                 beta / both * lambda * lambda * (HHS[k] + SHH[k]);
    left += (sum - noise) * (sum - noise);
    norm += noise * noise;
  }
  ck_assert_msg(sqrt(left / norm) < 1e-12, "%g", sqrt(left / norm));
  for (size_t i = 0; i < N; i++) {
    double h = range.h[i], one = sgf_pair_response(lambda, beta, h, h);
    ASSERT_NEAR(one, 1.0 / (h * (1.0 - beta) * (2.0 - lambda * h / (1.0 + beta))), 1e-13 * one);
  }
  sgf_range_free(&range);
}
END_TEST

/* The Hessian of every sample at theta*, in the modes of range(H): (P, rank, rank). */
static double *sample_hessians(const sgf_problem *problem, const sgf_range *range)
{
  size_t n = range->n, rank = range->rank, P = problem->data.samples;
  size_t inputs = problem->data.inputs, outputs = problem->data.outputs;
  double *all = new_reals(P * rank * rank), *H = new_reals(n * n), *half = new_reals(rank * n);
  sgf_error error = {SGF_OK, ""};
  for (size_t m = 0; m < P; m++) {
    sgf_dataset one;
    ASSERT_OK(sgf_dataset_from_arrays(1, inputs, outputs, problem->data.X + m * inputs, problem->data.Y + m * outputs,
                                      &one, &error),
              error);
    ASSERT_OK(sgf_hessian(&problem->network, &one, problem->theta, 0.0, H, &error), error);
    sgf_multiply(rank, n, n, SGF_PLAIN, range->V + (n - rank) * n, SGF_PLAIN, H, half);
    sgf_multiply(rank, rank, n, SGF_PLAIN, half, SGF_TRANSPOSED, range->V + (n - rank) * n, all + m * rank * rank);
    sgf_dataset_free(&one);
  }
  free(H);
  free(half);
  return all;
}

/* Mean-square stable below 2 / lambda_max(C^+ D), C = (H (+) H) / 2, D = (1 - p) H (x) H + p (1/P) sum H_mu (x) H_mu, p =
 * (P - S) / S (P - 1) for fresh subsets, as a dense eigenproblem of the products themselves. */
START_TEST(stability_threshold_of_mulayoff_and_michaeli)
{
  static const size_t shapes[][4] = {{2, 4, 1, 0}, {3, 2, 2, 2}, {3, 3, 2, 2}}, batches[] = {2, 3, 10};
  const size_t *shape = shapes[_i];
  sgf_settings settings;
  sgf_problem *problem;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, shape[0], shape + 1);
  settings.data.samples = 20;
  settings.training.batch_size = batches[_i];
  settings.training.sampling = SGF_SAMPLING_WITHOUT_REPLACEMENT;
  settings.training.learning_rate = 1e-3;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  sgf_prediction *prediction = predict(problem);
  const sgf_range *range = &prediction->joint.range;
  size_t r = range->rank, m = r * r, P = 20;
  double *samples = sample_hessians(problem, range), *D = new_reals(m * m), *values = new_reals(m);
  const double *h = range->h + range->n - r;
  double S = (double)batches[_i], p = ((double)P - S) / (S * ((double)P - 1.0));
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++)
      for (size_t k = 0; k < r; k++)
        for (size_t l = 0; l < r; l++) {
          double sum = i == k && j == l ? (1.0 - p) * h[i] * h[j] : 0.0;
          for (size_t mu = 0; mu < P; mu++)
            sum += p / (double)P * samples[mu * m + i * r + k] * samples[mu * m + j * r + l];
          D[(i * r + j) * m + k * r + l] = sum / (0.5 * sqrt((h[i] + h[j]) * (h[k] + h[l])));
        }
  sgf_symmetrize(m, D);
  ASSERT_OK(sgf_symmetric_eigenvalues(m, D, values, "threshold", &error), error);
  double threshold = 2.0 / values[m - 1];
  ASSERT_NEAR(sgf_prediction_get_info(prediction)->stability_limit, threshold, 1e-7 * threshold);
  ck_assert(threshold < 0.99 * 2.0 / h[r - 1]); /* not that of the drift alone */
  free(samples);
  free(D);
  free(values);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("literature");
  TCase *tests = tcase_create("literature");
  tcase_add_loop_test(tests, langevin_equation_of_kunin, 0, 4);
  tcase_add_loop_test(tests, equation_of_liu_ziyin_ueda, 0, 4);
  tcase_add_loop_test(tests, stability_threshold_of_mulayoff_and_michaeli, 0, 3);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
