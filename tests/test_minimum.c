/* The minimum of networks of several layers: the gradient flow, what it conserves, where it ends, and saddles. */
#include "../theory/minimum.h"

#include <cblas.h>
#include <lapacke.h>

#include "../theory/drift.h"
#include "../theory/gradient_flow.h"
#include "../theory/jacobian.h"
#include "testing.h"

typedef struct {
  sgf_network network;
  sgf_dataset data;
  double *theta;
} setting;

/* Targets of a dense teacher plus noise: a minimum whose map has full rank. theta is N(0, scale^2 / fan-in). */
static void set_up(const size_t *widths, size_t count, double scale, uint64_t seed, setting *at)
{
  sgf_error error = {SGF_OK, ""};
  size_t P = 200, inputs = widths[0], outputs = widths[count - 1];
  double *X = new_reals(P * inputs), *Y = new_reals(P * outputs), *T = new_reals(outputs * inputs);
  ASSERT_OK(sgf_network_create(widths, count, &at->network, &error), error);
  fill_normal(seed, P * inputs, X);
  fill_normal(seed + 1, P * outputs, Y);
  fill_normal(seed + 2, outputs * inputs, T);
  for (size_t m = 0; m < P; m++)
    for (size_t a = 0; a < outputs; a++) {
      Y[m * outputs + a] *= 0.5;
      for (size_t i = 0; i < inputs; i++)
        Y[m * outputs + a] += T[a * inputs + i] * X[m * inputs + i] / sqrt((double)inputs);
    }
  ASSERT_OK(sgf_dataset_from_arrays(P, inputs, outputs, X, Y, &at->data, &error), error);
  at->theta = new_reals(at->network.weights);
  fill_normal(seed + 3, at->network.weights, at->theta);
  for (size_t l = 1; l < count; l++)
    for (size_t k = at->network.offsets[l]; k < at->network.offsets[l + 1]; k++)
      at->theta[k] *= scale / sqrt((double)widths[l - 1]);
  free(X);
  free(Y);
  free(T);
}

static void tear_down(setting *at)
{
  sgf_network_free(&at->network);
  sgf_dataset_free(&at->data);
  free(at->theta);
}

/* M_OLS, or the reduced-rank solution, by another path than the library's: S = R R^T (Cholesky), the singular value
 * decomposition of Sigma_yx R^-T, cut to the rank, times R^-1. */
static void best_map(const sgf_dataset *data, size_t rank, double *M)
{
  int p = (int)data->inputs, q = (int)data->outputs, least = p < q ? p : q;
  double *R = new_reals((size_t)(p * p)), *U = new_reals((size_t)(q * q)), *s = new_reals((size_t)least);
  double *Vt = new_reals((size_t)(p * p)), *work = new_reals((size_t)least);
  memcpy(R, data->input_moment, data->inputs * data->inputs * sizeof *R);
  memcpy(M, data->cross_moment, data->inputs * data->outputs * sizeof *M);
  ck_assert_int_eq(LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', p, R, p), 0);
  cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, q, p, 1.0, R, p, M, p);
  ck_assert_int_eq(LAPACKE_dgesvd(LAPACK_ROW_MAJOR, 'A', 'A', q, p, M, p, s, U, q, Vt, p, work), 0);
  for (int a = 0; a < q; a++)
    for (int i = 0; i < p; i++) {
      M[a * p + i] = 0.0;
      for (int k = 0; k < least && k < (int)rank; k++) M[a * p + i] += U[a * q + k] * s[k] * Vt[k * p + i];
    }
  cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasNoTrans, CblasNonUnit, q, p, 1.0, R, p, M, p);
  free(R);
  free(U);
  free(s);
  free(Vt);
  free(work);
}

typedef enum { DRAWN, UNBALANCED, BALANCED } beginning;

typedef struct {
  size_t widths[6], count;
  double scale;
  beginning begin;
  double balance; /* bound */
} descent;

static const descent DESCENTS[] = {
    {{20, 20, 20}, 3, 1.0, DRAWN, 1e-11},     {{4, 9, 3}, 3, 1.0, DRAWN, 1e-11},
    {{6, 2, 5}, 3, 1.0, DRAWN, 1e-11},        {{5, 4, 3, 2}, 4, 1.0, DRAWN, 1e-11},
    {{3, 1, 3}, 3, 1.0, DRAWN, 1e-11},        {{8, 5, 1}, 3, 1.0, DRAWN, 1e-11},
    {{6, 4, 2, 5}, 4, 1.0, DRAWN, 1e-11},     {{3, 3, 3, 3, 3}, 5, 1.0, DRAWN, 1e-11},
    {{1, 1, 1}, 3, 1.0, DRAWN, 1e-11},        {{20, 20, 20}, 3, 0.01, DRAWN, 1e-11},
    {{4, 9, 3}, 3, 0.01, DRAWN, 1e-11},       {{6, 2, 5}, 3, 0.01, DRAWN, 1e-11},
    {{5, 4, 3, 2}, 4, 0.01, DRAWN, 1e-11},    {{3, 1, 3}, 3, 0.01, DRAWN, 1e-11},
    {{8, 5, 1}, 3, 0.01, DRAWN, 1e-11},       {{4, 4, 4}, 3, 1e-6, DRAWN, 1e-11},
    {{5, 5, 5}, 3, 0.7, BALANCED, 1e-11},     {{5, 5, 5}, 3, 0.05, BALANCED, 1e-11},
    {{5, 5, 5, 5}, 4, 0.7, BALANCED, 1e-11},  {{4, 9, 3}, 3, 1.0, UNBALANCED, 1e-11},
    {{6, 2, 5}, 3, 1.0, UNBALANCED, 1e-11},   {{5, 4, 3, 2}, 4, 1.0, UNBALANCED, 1e-11},
    {{20, 20, 20}, 3, 2.0, UNBALANCED, 1e-11}};

/* Balanced: every layer the same symmetric matrix. Unbalanced: the first layer five times, the last a fifth. */
static void begin_at(const descent *from, setting *at)
{
  const sgf_network *network = &at->network;
  size_t last = network->layers, N = network->widths[0];
  if (from->begin == BALANCED) {
    sgf_symmetrize(N, at->theta);
    for (size_t l = 2; l <= last; l++) memcpy(at->theta + network->offsets[l], at->theta, N * N * sizeof *at->theta);
  }
  if (from->begin == UNBALANCED) {
    for (size_t k = 0; k < network->offsets[2]; k++) at->theta[k] *= 5.0;
    for (size_t k = network->offsets[last]; k < network->weights; k++) at->theta[k] /= 5.0;
  }
}

START_TEST(flow_ends_at_the_global_minimum)
{
  const descent *from = &DESCENTS[_i];
  sgf_minimum_certificate certificate, again;
  sgf_error error = {SGF_OK, ""};
  double relative, loss, *M, balance;
  setting at;
  set_up(from->widths, from->count, from->scale, 100 + (uint64_t)_i, &at);
  begin_at(from, &at);
  size_t n = at.network.weights, map_size = at.data.inputs * at.data.outputs, rank = from->widths[0];
  for (size_t l = 1; l < from->count; l++) rank = from->widths[l] < rank ? from->widths[l] : rank;
  double *start = new_reals(n), *end = new_reals(n), *expected = new_reals(map_size);
  memcpy(start, at.theta, n * sizeof *start);
  ASSERT_OK(sgf_minimum(&at.network, &at.data, 0.0, at.theta, &certificate, &error), error);
  ASSERT_OK(sgf_relative_gradient(&at.network, &at.data, 0.0, at.theta, &relative, &error), error);
  ck_assert_msg(relative <= 1e-14 && relative == certificate.gradient_norm, "relative gradient %g", relative);
  ASSERT_OK(sgf_balance_error(&at.network, start, at.theta, &balance, &error), error);
  ck_assert_msg(balance <= from->balance && balance == certificate.balance_error, "balance %g", balance);
  best_map(&at.data, rank, expected);
  ASSERT_OK(sgf_layer_product(&at.network, at.theta, 1, at.network.layers, &M, &error), error);
  ASSERT_CLOSE(map_size, M, expected, 1e-11);
  ASSERT_OK(sgf_loss(&at.network, &at.data, at.theta, &loss, &error), error);
  ck_assert(loss == certificate.loss);
  ASSERT_NEAR(certificate.loss / certificate.global_loss, 1.0, 1e-13);
  ck_assert(certificate.global && certificate.flow_time > 0.0);
  ck_assert(certificate.bottleneck == (rank < at.data.inputs && rank < at.data.outputs));
  /* once more: the same bits */
  memcpy(end, at.theta, n * sizeof *end);
  ASSERT_OK(sgf_minimum(&at.network, &at.data, 0.0, at.theta, &again, &error), error);
  ck_assert(memcmp(end, at.theta, n * sizeof *end) == 0 && again.flow_time == 0.0 && again.balance_error == 0.0);
  ASSERT_OK(sgf_certify(&at.network, &at.data, 0.0, at.theta, &again, &error), error);
  ck_assert(again.global && isnan(again.balance_error) && again.gradient_norm == certificate.gradient_norm);
  free(M);
  free(start);
  free(end);
  free(expected);
  tear_down(&at);
}
END_TEST

/* C (a, c) += factor A (a, b) B (b, c), each transposed on wish, without a library. */
static void add_product(size_t a, size_t c, size_t b, double factor, bool ta, const double *A, bool tb,
                        const double *B, double *C)
{
  for (size_t i = 0; i < a; i++)
    for (size_t j = 0; j < c; j++)
      for (size_t k = 0; k < b; k++)
        C[i * c + j] += factor * (ta ? A[k * a + i] : A[i * b + k]) * (tb ? B[j * b + k] : B[k * c + j]);
}

/* Full-batch gradient descent of two layers with a fixed step, for a given time. */
static void plain_descent(const sgf_dataset *data, size_t hidden, double rate, double time, double *theta)
{
  size_t p = data->inputs, q = data->outputs;
  double *W1 = theta, *W2 = theta + hidden * p, M[16], G[16], D1[16], D2[16];
  for (double steps = time / rate; steps > 0.5; steps--) {
    memset(M, 0, sizeof M);
    memset(D1, 0, sizeof D1);
    memset(D2, 0, sizeof D2);
    add_product(q, p, hidden, 1.0, false, W2, false, W1, M);
    for (size_t k = 0; k < p * q; k++) G[k] = -data->cross_moment[k];
    add_product(q, p, p, 1.0, false, M, false, data->input_moment, G);
    add_product(hidden, p, q, -rate, true, W2, false, G, D1);
    add_product(q, hidden, p, -rate, false, G, true, W1, D2);
    for (size_t k = 0; k < hidden * p; k++) W1[k] += D1[k];
    for (size_t k = 0; k < hidden * q; k++) W2[k] += D2[k];
  }
}

static const size_t SMALL[][3] = {{3, 3, 2}, {3, 1, 3}, {2, 4, 3}};

/* Three step sizes and Richardson's extrapolation: an error of the third order in the step. */
START_TEST(flow_ends_where_plain_descent_does)
{
  sgf_minimum_certificate certificate;
  sgf_error error = {SGF_OK, ""};
  setting at;
  set_up(SMALL[_i], 3, 1.0, 300 + (uint64_t)_i, &at);
  size_t n = at.network.weights;
  double *limit[3], *extrapolated = new_reals(n), rate = 2e-3;
  for (size_t k = 0; k < 3; k++, rate /= 2.0) {
    limit[k] = new_reals(n);
    memcpy(limit[k], at.theta, n * sizeof *at.theta);
    plain_descent(&at.data, SMALL[_i][1], rate, 400.0, limit[k]);
  }
  for (size_t k = 0; k < n; k++) extrapolated[k] = (limit[0][k] - 6.0 * limit[1][k] + 8.0 * limit[2][k]) / 3.0;
  ASSERT_OK(sgf_minimum(&at.network, &at.data, 0.0, at.theta, &certificate, &error), error);
  double coarse = relative_difference(n, limit[2], at.theta), fine = relative_difference(n, extrapolated, at.theta);
  ck_assert_msg(coarse > 1e-6 && coarse < 1e-2, "plain descent differs by %g", coarse);
  ck_assert_msg(fine < 1e-8, "extrapolated descent differs by %g", fine);
  for (size_t k = 0; k < 3; k++) free(limit[k]);
  free(extrapolated);
  tear_down(&at);
}
END_TEST

/* Two scalar layers have a closed form: w_2^2 - w_1^2 stays, w_2 w_1 is the slope of the regression. */
START_TEST(scalar_layers_have_a_closed_form)
{
  size_t widths[] = {1, 1, 1};
  sgf_minimum_certificate certificate;
  sgf_error error = {SGF_OK, ""};
  setting at;
  set_up(widths, 3, 1.0, 400, &at);
  double m = at.data.cross_moment[0] / at.data.input_moment[0];
  at.theta[0] = 0.3;
  at.theta[1] = _i == 0 ? 0.9 : -0.9;
  double difference = at.theta[1] * at.theta[1] - at.theta[0] * at.theta[0];
  double square = 0.5 * (sqrt(difference * difference + 4.0 * m * m) - difference); /* w_1^2 */
  double w2 = sqrt(square + difference) * (_i == 0 ? 1.0 : -1.0);                   /* never changes its sign */
  ASSERT_OK(sgf_minimum(&at.network, &at.data, 0.0, at.theta, &certificate, &error), error);
  ASSERT_NEAR(at.theta[1], w2, 1e-11);
  ASSERT_NEAR(at.theta[0], m / w2, 1e-11);
  tear_down(&at);
}
END_TEST

/* A^T G B^T by layer is J^T vec G. */
START_TEST(gradient_of_layers_is_that_of_the_jacobian)
{
  const descent *from = &DESCENTS[_i];
  sgf_error error = {SGF_OK, ""};
  setting at;
  double *J, *G, norm;
  set_up(from->widths, from->count, 1.0, 500, &at);
  size_t n = at.network.weights, map_size = at.data.inputs * at.data.outputs;
  double *gradient = new_reals(n), *expected = new_reals(n);
  ASSERT_OK(sgf_gradient(&at.network, &at.data, at.theta, 0.0, gradient, &error), error);
  ASSERT_OK(sgf_jacobian(&at.network, at.theta, &J, &error), error);
  ASSERT_OK(sgf_map_gradient(&at.network, &at.data, at.theta, &G, &error), error);
  sgf_multiply(n, 1, map_size, SGF_TRANSPOSED, J, SGF_PLAIN, G, expected);
  ASSERT_CLOSE(n, gradient, expected, 1e-14);
  ASSERT_OK(sgf_jacobian_norm(&at.network, at.theta, &norm, &error), error);
  ASSERT_NEAR(norm / sgf_norm(map_size * n, J), 1.0, 1e-14);
  free(J);
  free(G);
  free(gradient);
  free(expected);
  tear_down(&at);
}
END_TEST

typedef struct {
  size_t widths[5], count;
  double scale;
  int dead; /* hidden units of layer 1 that are cut off */
} saddle;

static const saddle SADDLES[] = {{{6, 2, 5}, 3, 0.0, 0},    {{4, 9, 3}, 3, 0.0, 0},   {{5, 4, 3, 2}, 4, 0.0, 0},
                                 {{3, 2, 3}, 3, 1.0, 1},    {{6, 4, 5}, 3, 1.0, 2},   {{3, 1, 3}, 3, 1.0, 1},
                                 {{4, 4, 4, 4}, 4, 1.0, 1}, {{20, 20, 20}, 3, 0.3, 1}};

/* Units without weights stay without: the flow ends at the best map of a lower rank. */
START_TEST(saddles_are_refused)
{
  const saddle *from = &SADDLES[_i];
  sgf_minimum_certificate certificate;
  sgf_error error = {SGF_OK, ""};
  setting at;
  set_up(from->widths, from->count, from->scale, 600 + (uint64_t)_i, &at);
  size_t inputs = from->widths[0], hidden = from->widths[1], above = from->widths[2];
  for (size_t unit = 0; unit < (size_t)from->dead; unit++) {
    for (size_t i = 0; i < inputs; i++) at.theta[unit * inputs + i] = 0.0;
    for (size_t a = 0; a < above; a++) at.theta[at.network.offsets[2] + a * hidden + unit] = 0.0;
  }
  if (from->scale == 0.0) {
    ASSERT_OK(sgf_certify(&at.network, &at.data, 0.0, at.theta, &certificate, &error), error);
    ck_assert(certificate.gradient_norm == 0.0 && !certificate.global);
    ck_assert(certificate.loss > certificate.global_loss);
    ck_assert_int_eq(sgf_refuse_saddle(&certificate, &error), SGF_ERROR_VALUE);
  }
  sgf_status status = sgf_minimum(&at.network, &at.data, 0.0, at.theta, &certificate, &error);
  ck_assert_msg(status == SGF_ERROR_VALUE, "status %d: %s", (int)status, error.message);
  ck_assert_msg(strstr(error.message, "saddle") != NULL && strstr(error.message, "init_scale") != NULL, "%s",
                error.message);
  ck_assert(isnan(at.theta[0]) && isnan(certificate.loss) && !certificate.global);
  tear_down(&at);
}
END_TEST

/* Large weights make the flow stiff: the rates differ too much for the steps allowed. */
START_TEST(unfinished_flow_is_refused)
{
  size_t widths[] = {2, 2, 2, 2};
  sgf_minimum_certificate certificate;
  sgf_error error = {SGF_OK, ""};
  setting at;
  set_up(widths, 4, 30.0, 650, &at);
  ck_assert_int_eq(sgf_minimum(&at.network, &at.data, 0.0, at.theta, &certificate, &error), SGF_ERROR_VALUE);
  ck_assert_msg(strstr(error.message, "relative gradient") && strstr(error.message, "time"), "%s", error.message);
  ck_assert(isnan(at.theta[0]) && isnan(certificate.loss));
  tear_down(&at);
}
END_TEST

START_TEST(one_layer_is_certified)
{
  size_t widths[] = {4, 3};
  sgf_minimum_certificate certificate;
  sgf_error error = {SGF_OK, ""};
  double decay = _i * 0.3, *expected = new_reals(12);
  setting at;
  set_up(widths, 2, 1.0, 700, &at);
  ASSERT_OK(sgf_minimum(&at.network, &at.data, decay, at.theta, &certificate, &error), error);
  ck_assert(certificate.global && !certificate.bottleneck && certificate.gradient_norm < 1e-15);
  ck_assert(isnan(certificate.balance_error) && certificate.flow_time == 0.0);
  best_map(&at.data, 4, expected);
  if (_i == 0) ASSERT_CLOSE(12, at.theta, expected, 1e-13);
  if (_i > 0) ck_assert(certificate.loss > certificate.global_loss);
  /* anywhere else it is not stationary, and no saddle */
  at.theta[0] += 1.0;
  ASSERT_OK(sgf_certify(&at.network, &at.data, decay, at.theta, &certificate, &error), error);
  ck_assert(certificate.global && certificate.gradient_norm > 1e-3);
  free(expected);
  tear_down(&at);
}
END_TEST

START_TEST(what_has_no_minimum_is_refused)
{
  size_t widths[] = {6, 3, 2}, layer[] = {6, 2};
  sgf_minimum_certificate certificate;
  sgf_error error = {SGF_OK, ""};
  sgf_dataset few;
  sgf_network single;
  setting at;
  set_up(widths, 3, 1.0, 800, &at);
  make_dataset(5, 6, 2, 801, &few);
  ck_assert_int_eq(sgf_certify(&at.network, &few, 0.0, at.theta, &certificate, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_nonnull(strstr(error.message, "Sigma_xx"));
  ck_assert_int_eq(sgf_minimum(&at.network, &few, 0.0, at.theta, &certificate, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_nonnull(strstr(error.message, "rank 5 of 6"));
  ck_assert(isnan(at.theta[0]));
  fill_normal(802, at.network.weights, at.theta);
  ASSERT_OK(sgf_minimum(&at.network, &few, 0.1, at.theta, &certificate, &error), error); /* decay makes it unique */
  at.theta[3] = NAN;
  ck_assert_int_ne(sgf_minimum(&at.network, &at.data, 0.0, at.theta, &certificate, &error), SGF_OK);
  /* one layer that is taken as it is may have singular inputs */
  ASSERT_OK(sgf_network_create(layer, 2, &single, &error), error);
  fill_normal(803, 12, at.theta);
  ASSERT_OK(sgf_certify(&single, &few, 0.0, at.theta, &certificate, &error), error);
  ck_assert(certificate.loss > certificate.global_loss && certificate.global_loss < 1e-28);
  sgf_network_free(&single);
  sgf_dataset_free(&few);
  tear_down(&at);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

int main(void)
{
  Suite *suite = suite_create("minimum");
  TCase *tests = tcase_create("minimum");
  tcase_set_timeout(tests, 120);
  tcase_add_loop_test(tests, flow_ends_at_the_global_minimum, 0, COUNT(DESCENTS));
  tcase_add_loop_test(tests, flow_ends_where_plain_descent_does, 0, COUNT(SMALL));
  tcase_add_loop_test(tests, scalar_layers_have_a_closed_form, 0, 2);
  tcase_add_loop_test(tests, gradient_of_layers_is_that_of_the_jacobian, 0, COUNT(DESCENTS));
  tcase_add_loop_test(tests, saddles_are_refused, 0, COUNT(SADDLES));
  tcase_add_test(tests, unfinished_flow_is_refused);
  tcase_add_loop_test(tests, one_layer_is_certified, 0, 2);
  tcase_add_test(tests, what_has_no_minimum_is_refused);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
