/* The covariance as an operator, by every path, against the dense prediction. */
#include <gsl/gsl_sort.h>

#include "../theory/covariance_operator.h"
#include "../theory/leading_eigen.h"
#include "../theory/prediction.h"
#include "testing.h"

typedef struct {
  size_t widths[4], count, samples;
  size_t dead; /* hidden units that are copies: the rank of W_1 */
  sgf_noise noise;
  sgf_equation equation;
  const char *path;
} operator_case;

#define POPULATION SGF_NOISE_POPULATION
#define EMPIRICAL SGF_NOISE_EMPIRICAL
#define ISOTROPIC SGF_NOISE_ISOTROPIC
#define CONTINUUM SGF_EQUATION_CONTINUUM
#define DISCRETE SGF_EQUATION_DISCRETE

static const operator_case CASES[] = {{{5, 1}, 2, 30, 0, EMPIRICAL, DISCRETE, "reduced"},
                                      {{5, 3}, 2, 30, 0, EMPIRICAL, CONTINUUM, "reduced"},
                                      {{5, 3}, 2, 30, 0, POPULATION, DISCRETE, "kronecker"},
                                      {{5, 3}, 2, 30, 0, POPULATION, CONTINUUM, "kronecker"},
                                      {{5, 3}, 2, 30, 0, ISOTROPIC, DISCRETE, "kronecker"},
                                      {{5, 3}, 2, 30, 0, ISOTROPIC, CONTINUUM, "closed-form"},
                                      {{4, 4, 4}, 3, 40, 0, EMPIRICAL, DISCRETE, "reduced"},
                                      {{4, 4, 4}, 3, 40, 0, EMPIRICAL, CONTINUUM, "reduced"},
                                      {{4, 4, 4}, 3, 40, 0, POPULATION, DISCRETE, "kronecker"},
                                      {{4, 4, 4}, 3, 40, 0, POPULATION, CONTINUUM, "kronecker"},
                                      {{4, 4, 4}, 3, 40, 0, ISOTROPIC, DISCRETE, "kronecker"},
                                      {{4, 4, 4}, 3, 40, 0, ISOTROPIC, CONTINUUM, "closed-form"},
                                      {{6, 4, 3}, 3, 12, 0, EMPIRICAL, DISCRETE, "reduced"},
                                      {{6, 4, 3}, 3, 12, 0, POPULATION, DISCRETE, "kronecker"},
                                      {{6, 4, 3}, 3, 12, 0, ISOTROPIC, CONTINUUM, "closed-form"},
                                      {{6, 4, 3}, 3, 12, 0, ISOTROPIC, DISCRETE, "kronecker"},
                                      {{3, 7, 5}, 3, 12, 0, EMPIRICAL, CONTINUUM, "reduced"},
                                      {{3, 7, 5}, 3, 12, 0, POPULATION, CONTINUUM, "kronecker"},
                                      {{3, 7, 5}, 3, 12, 0, ISOTROPIC, CONTINUUM, "closed-form"},
                                      {{3, 4, 6}, 3, 12, 0, POPULATION, DISCRETE, "kronecker"},
                                      {{3, 4, 6}, 3, 12, 0, ISOTROPIC, CONTINUUM, "closed-form"},
                                      {{5, 6, 4}, 3, 30, 2, EMPIRICAL, DISCRETE, "reduced"},
                                      {{5, 6, 4}, 3, 30, 3, POPULATION, DISCRETE, "kronecker"},
                                      {{5, 6, 4}, 3, 30, 3, ISOTROPIC, DISCRETE, "kronecker"},
                                      {{5, 6, 4}, 3, 30, 3, ISOTROPIC, CONTINUUM, "closed-form"},
                                      {{5, 4, 1}, 3, 30, 0, EMPIRICAL, DISCRETE, "reduced"},
                                      {{5, 4, 1}, 3, 30, 0, POPULATION, DISCRETE, "kronecker"},
                                      {{5, 4, 1}, 3, 30, 0, POPULATION, CONTINUUM, "closed-form"},
                                      {{3, 4, 4, 2}, 4, 30, 0, EMPIRICAL, DISCRETE, "reduced"},
                                      {{3, 4, 4, 2}, 4, 30, 0, POPULATION, CONTINUUM, "reduced"},
                                      {{3, 4, 4, 2}, 4, 30, 0, ISOTROPIC, CONTINUUM, "reduced"},
                                      {{3, 4, 4, 2}, 4, 30, 0, ISOTROPIC, DISCRETE, "reduced"}};
enum { ALL = sizeof CASES / sizeof *CASES };

typedef struct {
  sgf_problem *problem;
  sgf_prediction *dense;
  sgf_covariance_operator *covariance;
  const double *Sigma, *H;
  size_t n;
} fixture;

static const double *array_of(const sgf_prediction *prediction, const char *name)
{
  size_t rows, columns;
  const double *values = sgf_prediction_array(prediction, name, &rows, &columns);
  ck_assert_msg(values != NULL, "no array %s", name);
  return values;
}

/* Random weights; the last `dead` hidden units have copies of the first one's weights into them, and with 3 of them the
 * last output that of the first. */
static sgf_problem *problem_of(const operator_case *from)
{
  sgf_settings settings;
  sgf_network network;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, from->count, from->widths);
  settings.network.relax = from->count == 2;
  settings.training.learning_rate = 0.004;
  settings.training.batch_size = 3;
  settings.theory.noise = from->noise;
  settings.theory.equation = from->equation;
  ASSERT_OK(sgf_network_create(from->widths, from->count, &network, &error), error);
  double *theta = new_reals(network.weights), *W_1 = theta;
  fill_normal(71, network.weights, theta);
  for (size_t k = 0; k < from->dead; k++)
    memcpy(W_1 + (from->widths[1] - 1 - k) * from->widths[0], W_1, from->widths[0] * sizeof *W_1);
  if (from->dead == 3) {
    size_t last = (from->widths[2] - 1) * from->widths[1];
    memcpy(theta + network.offsets[2] + last, theta + network.offsets[2], from->widths[1] * sizeof *theta);
  }
  sgf_problem *problem = planted_problem(&settings, theta, from->samples, 73);
  free(theta);
  sgf_network_free(&network);
  sgf_settings_free(&settings);
  return problem;
}

static void open_fixture(const operator_case *from, fixture *at)
{
  sgf_error error = {SGF_OK, ""};
  at->problem = problem_of(from);
  at->dense = predict(at->problem);
  ASSERT_OK(sgf_covariance_operator_create(at->problem, &at->covariance, &error), error);
  at->n = at->problem->network.weights;
  at->Sigma = array_of(at->dense, "covariance");
  at->H = array_of(at->dense, "hessian");
}

static void close_fixture(fixture *at)
{
  sgf_covariance_operator_free(at->covariance);
  sgf_prediction_free(at->dense);
  sgf_problem_free(at->problem);
}

/* Sigma as the operator has it, column by column. */
static double *whole_of(const fixture *at)
{
  sgf_error error = {SGF_OK, ""};
  double *identity = new_reals(at->n * at->n), *whole = new_reals(at->n * at->n);
  for (size_t i = 0; i < at->n; i++) identity[i * at->n + i] = 1.0;
  ASSERT_OK(sgf_covariance_operator_apply(at->covariance, at->n, identity, whole, &error), error);
  free(identity);
  return whole;
}

START_TEST(applies_like_the_dense_covariance)
{
  fixture at;
  open_fixture(&CASES[_i], &at);
  const sgf_covariance_operator_info *info = sgf_covariance_operator_get_info(at.covariance);
  const sgf_prediction_info *dense = sgf_prediction_get_info(at.dense);
  double *whole = whole_of(&at);
  ck_assert_str_eq(info->path, CASES[_i].path);
  ASSERT_CLOSE(at.n * at.n, whole, at.Sigma, 1e-10);
  ck_assert_uint_eq(info->rank, dense->rank_hessian);
  ck_assert_uint_eq(info->weights, at.n);
  ASSERT_NEAR(info->trace, dense->trace, 1e-10 * dense->trace);
  ASSERT_NEAR(info->excess_loss, dense->excess_loss, 1e-10 * dense->excess_loss);
  ASSERT_NEAR(info->relaxation_rate, dense->relaxation_rate, 1e-10 * dense->largest_curvature);
  ASSERT_NEAR(info->largest_curvature, dense->largest_curvature, 1e-10 * dense->largest_curvature);
  ASSERT_NEAR(info->temperature, dense->temperature, 1e-12 * dense->temperature);
  free(whole);
  close_fixture(&at);
}
END_TEST

START_TEST(answers_like_the_dense_covariance)
{
  fixture at;
  sgf_error error = {SGF_OK, ""};
  open_fixture(&CASES[_i], &at);
  size_t n = at.n, count = 5, rank = sgf_covariance_operator_get_info(at.covariance)->rank;
  double *v = new_reals(count * n), *found = new_reals(n * n), expected[5], *rates = new_reals(n);
  fill_normal(77, count * n, v);
  ASSERT_OK(sgf_covariance_operator_forms(at.covariance, count, v, found, &error), error);
  for (size_t k = 0; k < count; k++) expected[k] = sgf_quadratic_form(n, at.Sigma, v + k * n);
  ASSERT_CLOSE(count, found, expected, 1e-10);
  ASSERT_OK(sgf_covariance_operator_curvatures(at.covariance, count, v, found, &error), error);
  for (size_t k = 0; k < count; k++) expected[k] = sgf_quadratic_form(n, at.H, v + k * n);
  ASSERT_CLOSE(count, found, expected, 1e-10);
  ASSERT_OK(sgf_covariance_operator_diagonal(at.covariance, found, &error), error);
  for (size_t k = 0; k < n; k++) rates[k] = at.Sigma[k * n + k];
  ASSERT_CLOSE(n, found, rates, 1e-10);
  ASSERT_OK(sgf_covariance_operator_rates(at.covariance, rates, &error), error);
  ASSERT_CLOSE(rank, rates, array_of(at.dense, "spectrum/hessian") + n - rank, 1e-10);
  for (size_t l = 1; l <= at.problem->network.layers; l++) {
    char name[32];
    size_t size = sgf_layer_size(&at.problem->network, l);
    snprintf(name, sizeof name, "layer%zu/covariance", l);
    ASSERT_OK(sgf_covariance_operator_block(at.covariance, l, found, &error), error);
    ASSERT_CLOSE(size * size, found, array_of(at.dense, name), 1e-10);
  }
  free(v);
  free(found);
  free(rates);
  close_fixture(&at);
}
END_TEST

/* Variances and curvatures are paired where the variances differ. */
static void compare_modes(size_t count, const double *variance, const double *curvature, const double *dense_variance,
                          const double *dense_curvature)
{
  ASSERT_CLOSE(count, variance, dense_variance, 1e-10);
  for (size_t k = 0; k < count; k++) {
    double gap = 1e-4 * dense_variance[0];
    bool alone = (k == 0 || dense_variance[k - 1] - dense_variance[k] > gap) &&
                 (k + 1 == count || dense_variance[k] - dense_variance[k + 1] > gap);
    if (alone) ASSERT_NEAR(curvature[k], dense_curvature[k], 1e-9 * fabs(dense_curvature[k]) + 1e-10);
  }
}

START_TEST(principal_directions_of_layers_and_of_all)
{
  fixture at;
  sgf_error error = {SGF_OK, ""};
  open_fixture(&CASES[_i], &at);
  size_t n = at.n, rank = sgf_covariance_operator_get_info(at.covariance)->rank;
  double *variance = new_reals(n), *curvature = new_reals(n), *directions = new_reals(n * n),
         *gram = new_reals(n * n);
  double residual;
  for (size_t l = 1; l <= at.problem->network.layers; l++) {
    char name[2][32];
    sgf_layer_modes found;
    size_t size = sgf_layer_size(&at.problem->network, l);
    snprintf(name[0], sizeof name[0], "layer%zu/variance", l);
    snprintf(name[1], sizeof name[1], "layer%zu/curvature", l);
    ASSERT_OK(sgf_covariance_operator_layer(at.covariance, l, 0, variance, curvature, &found, &error), error);
    ck_assert(found.modes == size && found.principal && found.coupling == 0.0 && found.residual == 0.0);
    compare_modes(size, variance, curvature, array_of(at.dense, name[0]), array_of(at.dense, name[1]));
    ASSERT_OK(
        sgf_covariance_operator_principal(at.covariance, l, size, variance, curvature, directions, NULL, &error),
        error);
    compare_modes(size, variance, curvature, array_of(at.dense, name[0]), array_of(at.dense, name[1]));
  }
  ASSERT_OK(
      sgf_covariance_operator_principal(at.covariance, 0, rank, variance, curvature, directions, &residual, &error),
      error);
  ck_assert(residual == 0.0);
  compare_modes(rank, variance, curvature, array_of(at.dense, "variance"), array_of(at.dense, "curvature"));
  sgf_multiply(rank, rank, n, SGF_PLAIN, directions, SGF_TRANSPOSED, directions, gram);
  for (size_t k = 0; k < rank * rank; k++) ASSERT_NEAR(gram[k], k % (rank + 1) == 0 ? 1.0 : 0.0, 1e-10);
  for (size_t k = 0; k < rank; k++)
    ASSERT_NEAR(sgf_quadratic_form(n, at.Sigma, directions + k * n), variance[k], 1e-10 * variance[0]);
  free(variance);
  free(curvature);
  free(directions);
  free(gram);
  close_fixture(&at);
}
END_TEST

/* What a unit row r of the outputs' basis leaves of a layer's block A (to from, to from): (r (x) 1) A (r (x) 1)^T. */
static void restrict_to(size_t to, size_t from, const double *r, const double *A, double *inside)
{
  memset(inside, 0, from * from * sizeof *inside);
  for (size_t p = 0; p < to; p++)
    for (size_t s = 0; s < to; s++)
      for (size_t q = 0; q < from; q++)
        for (size_t t = 0; t < from; t++)
          inside[q * from + t] += r[p] * r[s] * A[(p * from + q) * to * from + s * from + t];
}

/* Modes within the outputs' eigenvectors: those of the blocks of the dense covariance there, exactly; with what is left
 * out, and as far from the principal variances as it says at most. */
START_TEST(modes_within_the_outputs)
{
  fixture at;
  sgf_error error = {SGF_OK, ""};
  if (CASES[_i].count != 3) return;
  open_fixture(&CASES[_i], &at);
  const sgf_network *network = &at.problem->network;
  for (size_t l = 1; l <= 2; l++) {
    size_t to = network->widths[l], from = network->widths[l - 1], size = to * from, outputs = network->widths[2];
    const double *A = at.covariance->space->A[l - 1];
    double *variance = new_reals(size), *curvature = new_reals(size), *block = new_reals(2 * size * size);
    double *inside = new_reals(2 * from * from), *expected = new_reals(outputs * from), within = 0.0, square = 0.0;
    char name[32];
    sgf_layer_modes found;
    snprintf(name, sizeof name, "layer%zu/variance", l);
    ASSERT_OK(sgf_covariance_operator_within_outputs(at.covariance, l, variance, curvature, &found, &error), error);
    sgf_diagonal_block(at.n, at.Sigma, network->offsets[l], size, block);
    double norm = sgf_norm(size * size, block), length, top = 0.0;
    for (size_t i = 0; i < outputs; i++) {
      double *row = new_reals(to);
      length = sgf_norm(to, A + i * to);
      for (size_t p = 0; p < to && length > 1e-10; p++) row[p] = A[i * to + p] / length;
      restrict_to(to, from, row, block, inside);
      within += pow(sgf_norm(from * from, inside), 2.0);
      ASSERT_OK(sgf_symmetric_eigenvalues(from, inside, expected + i * from, "block", &error), error);
      free(row);
    }
    gsl_sort(expected, 1, outputs * from);
    for (size_t k = 0; k < size; k++) {
      double value = k < outputs * from ? expected[outputs * from - 1 - k] : 0.0;
      top = fmax(top, value);
      ASSERT_NEAR(variance[k], value, 1e-10 * top);
      square += pow(variance[k] - array_of(at.dense, name)[k], 2.0);
    }
    ASSERT_NEAR(found.coupling, sqrt(fmax(norm * norm - within, 0.0)) / norm, 1e-6);
    ck_assert(found.modes == size && found.principal == (at.covariance->modes.kind == SGF_MODES_SEPARATE));
    ck_assert(sqrt(square) <= found.coupling * norm * (1.0 + 1e-9) + 1e-10 * norm);
    free(variance);
    free(curvature);
    free(block);
    free(inside);
    free(expected);
  }
  close_fixture(&at);
}
END_TEST

/* The second moment of samples: within 6 standard errors of Sigma, |S - Sigma|_F^2 of mean (tr^2 + |Sigma|^2) /
 * count. */
START_TEST(samples_have_the_covariance)
{
  fixture at;
  sgf_error error = {SGF_OK, ""};
  open_fixture(&CASES[_i], &at);
  size_t n = at.n, count = 20000;
  double *samples = new_reals(count * n), *again = new_reals(3 * n), *second = new_reals(n * n);
  ASSERT_OK(sgf_covariance_operator_samples(at.covariance, count, 5, samples, &error), error);
  ASSERT_OK(sgf_covariance_operator_samples(at.covariance, 3, 5, again, &error), error);
  ck_assert(memcmp(samples, again, 3 * n * sizeof *again) == 0);
  sgf_multiply(n, n, count, SGF_TRANSPOSED, samples, SGF_PLAIN, samples, second);
  for (size_t k = 0; k < n * n; k++) second[k] /= (double)count;
  double trace = sgf_trace(n, at.Sigma), norm = sgf_norm(n * n, at.Sigma);
  double expected = sqrt((trace * trace + norm * norm) / (double)count) / norm;
  double difference = relative_difference(n * n, second, at.Sigma);
  ck_assert_msg(difference < 1.5 * expected && difference > 0.3 * expected, "off by %g, expected %g", difference,
                expected);
  free(samples);
  free(again);
  free(second);
  close_fixture(&at);
}
END_TEST

/* Each kind of Q gives the same answers as Z that is stored. */
START_TEST(what_is_not_stored_is_the_same)
{
  static const sgf_noise noises[] = {EMPIRICAL, POPULATION, ISOTROPIC};
  operator_case from = CASES[6];
  from.noise = noises[_i];
  fixture at;
  sgf_error error = {SGF_OK, ""};
  open_fixture(&from, &at);
  sgf_mode_covariance *modes = &at.covariance->modes;
  const sgf_reduced *space = at.covariance->space;
  size_t size = space->blocks * space->size;
  double *stored, *diagonal = new_reals(at.n), *other = new_reals(at.n), *whole;
  if (modes->kind == SGF_MODES_STORED) { /* keep F instead */
    double *root = new_reals(size * size), *values = new_reals(size);
    for (size_t i = 0; i < size; i++)
      for (size_t j = 0; j < size; j++) {
        double k = space->k[i], l = space->k[j];
        root[i * size + j] = modes->Z[i * size + j] * (k + l - modes->lambda * k * l) / modes->scale;
      }
    ASSERT_OK(sgf_symmetric_eigen(size, root, values, "Q", &error), error);
    modes->factor = new_reals(size * size);
    for (size_t k = 0; k < size; k++)
      for (size_t i = 0; i < size; i++) modes->factor[i * size + k] = sqrt(fmax(values[k], 0.0)) * root[k * size + i];
    modes->samples = size;
    modes->kind = SGF_MODES_SAMPLED;
    free(root);
    free(values);
  }
  whole = whole_of(&at);
  ASSERT_CLOSE(at.n * at.n, whole, at.Sigma, 1e-10);
  ASSERT_OK(sgf_covariance_operator_diagonal(at.covariance, diagonal, &error), error);
  for (size_t k = 0; k < at.n; k++) other[k] = at.Sigma[k * (at.n + 1)];
  ASSERT_CLOSE(at.n, diagonal, other, 1e-10);
  free(modes->Z);
  ASSERT_OK(sgf_mode_covariance_matrix(modes, &stored, &error), error);
  modes->Z = stored;
  modes->kind = SGF_MODES_STORED;
  free(whole);
  whole = whole_of(&at);
  ASSERT_CLOSE(at.n * at.n, whole, at.Sigma, 1e-10);
  free(whole);
  free(diagonal);
  free(other);
  close_fixture(&at);
}
END_TEST

/* An error in the covariance is seen: a factor of 1 + 1e-8 in one mode's eigenvalue, or in the noise. */
START_TEST(planted_errors_are_seen)
{
  fixture at;
  open_fixture(&CASES[_i], &at);
  double *whole = whole_of(&at);
  ck_assert(relative_difference(at.n * at.n, whole, at.Sigma) < 1e-10);
  free(whole);
  at.covariance->modes.scale *= 1.0 + 1e-8;
  if (at.covariance->modes.kind == SGF_MODES_STORED)
    for (size_t k = 0; k < at.covariance->space->size; k++) at.covariance->modes.Z[k] *= 1.0 + 1e-6;
  whole = whole_of(&at);
  ck_assert(relative_difference(at.n * at.n, whole, at.Sigma) > 1e-10);
  free(whole);
  close_fixture(&at);
}
END_TEST

/* ---------------------------------------------------------------- predictions */

START_TEST(predicts_like_the_dense_prediction)
{
  fixture at;
  sgf_error error = {SGF_OK, ""};
  sgf_prediction *large;
  sgf_plan plan;
  sgf_number numbers[SGF_MOST_NUMBERS];
  open_fixture(&CASES[_i], &at);
  ASSERT_OK(sgf_predict_by_operator(at.problem, &large, &error), error);
  const sgf_prediction_info *info = sgf_prediction_get_info(large), *dense = sgf_prediction_get_info(at.dense);
  const double *diagonal = array_of(large, "covariance_diagonal");
  ck_assert_str_eq(info->path, CASES[_i].path);
  ck_assert_str_eq(dense->path, "dense");
  ASSERT_NEAR(info->trace, dense->trace, 1e-10 * dense->trace);
  ASSERT_NEAR(info->condition_number, dense->condition_number, 1e-8 * dense->condition_number);
  ck_assert(info->rank_hessian == dense->rank_hessian && info->null_noise == 0.0);
  if (info->layers > 1) ASSERT_NEAR(info->balance_rate, dense->balance_rate, 1e-9 * dense->balance_rate);
  for (size_t k = 0; k < at.n; k++) ASSERT_NEAR(diagonal[k], at.Sigma[k * (at.n + 1)], 1e-10 * dense->trace);
  for (size_t l = 1; l <= info->layers; l++) {
    char name[32];
    const sgf_layer_info *one = sgf_prediction_get_layer(large, l), *other = sgf_prediction_get_layer(at.dense, l);
    snprintf(name, sizeof name, "layer%zu/variance", l);
    ASSERT_NEAR(one->trace, other->trace, 1e-10 * other->trace);
    ASSERT_CLOSE(other->weights, array_of(large, name), array_of(at.dense, name), 1e-10);
    ck_assert_uint_eq(one->ivfr.modes, other->ivfr.modes);
    ck_assert_uint_eq(one->ivfr.left_out, other->ivfr.left_out);
  }
  size_t count = sgf_prediction_numbers(large, numbers, SGF_MOST_NUMBERS);
  for (size_t k = 0; k < count; k++) ck_assert_msg(!isnan(numbers[k].value), "%s is NaN", numbers[k].name);
  ck_assert_int_eq(sgf_plan_simulation(at.problem, large, &plan, &error), SGF_ERROR_UNSUPPORTED);
  sgf_prediction_free(large);
  close_fixture(&at);
}
END_TEST

typedef struct {
  size_t widths[4], count;
  sgf_noise noise;
  sgf_equation equation;
  bool dense;
  const char *chosen;
  bool fits;
} cost_case;

static const cost_case COSTS[] = {{{5, 4, 3}, 3, EMPIRICAL, DISCRETE, false, "dense", true},
                                  {{50, 50, 50}, 3, EMPIRICAL, DISCRETE, false, "reduced", true},
                                  {{50, 50, 50}, 3, EMPIRICAL, DISCRETE, true, "dense", true},
                                  {{50, 50, 50}, 3, EMPIRICAL, SGF_EQUATION_CLOSURE, false, "reduced", true},
                                  {{50, 50, 50}, 3, POPULATION, DISCRETE, false, "kronecker", true},
                                  {{50, 50, 50}, 3, ISOTROPIC, CONTINUUM, false, "closed-form", true},
                                  {{50, 50, 50, 50}, 4, ISOTROPIC, CONTINUUM, false, "reduced", true},
                                  {{1000, 1000, 1000}, 3, ISOTROPIC, CONTINUUM, false, "closed-form", true},
                                  {{1000, 10, 1000}, 3, ISOTROPIC, CONTINUUM, false, "dense", true},
                                  {{1000, 100, 1000}, 3, ISOTROPIC, CONTINUUM, false, "dense", false},
                                  {{30000, 30000, 30000}, 3, POPULATION, DISCRETE, false, "kronecker", false}};

START_TEST(costs_choose_a_path)
{
  const cost_case *from = &COSTS[_i];
  sgf_settings settings;
  sgf_costs costs;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, from->count, from->widths);
  settings.theory.noise = from->noise;
  settings.theory.equation = from->equation;
  ASSERT_OK(sgf_estimate_costs(&settings, NULL, from->dense, &costs, &error), error);
  ck_assert_str_eq(costs.paths[costs.chosen].path, from->chosen);
  if (from->widths[1] != 10) ck_assert(costs.fits == from->fits); /* 20 000 x 20 000 may fit or not */
  ck_assert(costs.count == 4);
  for (size_t k = 0; k < costs.count; k++) ck_assert(costs.paths[k].seconds > 0.0 && costs.paths[k].bytes > 0.0);
  if (costs.chosen > 0) ck_assert_ptr_null(costs.paths[costs.chosen].refusal);
  sgf_settings_free(&settings);
}
END_TEST

/* -------------------------------------------------------- leading eigenpairs */

typedef struct {
  size_t n;
  const double *A;
} dense_operator;

static sgf_status apply_dense(const void *context, size_t count, const double *v, double *out, sgf_error *error)
{
  const dense_operator *what = context;
  (void)error;
  sgf_multiply(count, what->n, what->n, SGF_PLAIN, v, SGF_PLAIN, what->A, out);
  return SGF_OK;
}

/* Spectra: separated, degenerate, of low rank, and zero but for one. */
START_TEST(leading_eigenpairs_of_known_matrices)
{
  size_t n = 90, count = 7;
  sgf_error error = {SGF_OK, ""};
  double *Q = new_reals(n * n), *A = new_reals(n * n), *work = new_reals(n * n), *values = new_reals(n);
  double *vectors = new_reals(count * n), *gram = new_reals(count * count), expected[90], residual;
  for (size_t k = 0; k < n; k++) {
    expected[k] = _i == 0                 ? 1.0 / (double)(1 + k)
                  : _i == 1               ? (k < 12 ? 1.0 : 0.5)
                  : k < (_i == 2 ? 5 : 1) ? 2.0
                                          : 0.0;
    A[k * n + k] = expected[k];
  }
  fill_orthogonal(3, n, Q);
  sgf_out_of_basis(n, Q, A, work, A);
  ASSERT_OK(sgf_leading_eigen(apply_dense, &(dense_operator){n, A}, n, count, 1, values, vectors, &residual, &error),
            error);
  ck_assert_msg(residual <= 1e-9, "residual %g", residual);
  for (size_t k = 0; k < count; k++) ASSERT_NEAR(values[k], expected[k], 1e-9);
  sgf_multiply(count, count, n, SGF_PLAIN, vectors, SGF_TRANSPOSED, vectors, gram);
  for (size_t k = 0; k < count * count; k++) ASSERT_NEAR(gram[k], k % (count + 1) == 0 ? 1.0 : 0.0, 1e-10);
  for (size_t k = 0; k < count; k++)
    ASSERT_NEAR(sgf_quadratic_form(n, A, vectors + k * n), values[k], 1e-12 * expected[0]);
  free(Q);
  free(A);
  free(work);
  free(values);
  free(vectors);
  free(gram);
}
END_TEST

/* ------------------------------------------------------------------ refusals */

typedef struct {
  size_t widths[3], count;
  double weight_decay, learning_rate;
  sgf_equation equation;
  sgf_sampling sampling;
  sgf_status status;
  const char *word;
} refusal;

static const refusal REFUSALS[] = {
    {{4, 2}, 2, 0.0, 0.01, SGF_EQUATION_EXACT, SGF_SAMPLING_REPLACEMENT, SGF_ERROR_UNSUPPORTED, "exact"},
    {{4, 2}, 2, 0.0, 0.01, SGF_EQUATION_DISCRETE, SGF_SAMPLING_EPOCH, SGF_ERROR_UNSUPPORTED, "epoch"},
    {{4, 2}, 2, 0.1, 0.01, SGF_EQUATION_DISCRETE, SGF_SAMPLING_REPLACEMENT, SGF_ERROR_UNSUPPORTED, "weight_decay"},
    {{4, 2, 3}, 3, 0.0, 0.01, SGF_EQUATION_DISCRETE, SGF_SAMPLING_REPLACEMENT, SGF_ERROR_UNSUPPORTED, "bottleneck"},
    {{4, 2}, 2, 0.0, 10.0, SGF_EQUATION_DISCRETE, SGF_SAMPLING_REPLACEMENT, SGF_ERROR_UNSTABLE, "learning_rate"}};

START_TEST(refuses_what_is_not_built)
{
  const refusal *from = &REFUSALS[_i];
  sgf_settings settings;
  sgf_problem *problem;
  sgf_covariance_operator *covariance;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, from->count, from->widths);
  settings.data.samples = 40;
  settings.training.batch_size = 4;
  settings.training.weight_decay = from->weight_decay;
  settings.training.learning_rate = from->learning_rate;
  settings.training.sampling = from->sampling;
  settings.theory.equation = from->equation;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  ck_assert_int_eq(sgf_covariance_operator_create(problem, &covariance, &error), from->status);
  ck_assert_ptr_null(covariance);
  ck_assert_msg(strstr(error.message, from->word) != NULL, "'%s' does not name %s", error.message, from->word);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* A tolerance that drops modes with noise is refused; one that drops none changes nothing. */
START_TEST(refuses_to_drop_noise)
{
  sgf_error error = {SGF_OK, ""};
  sgf_covariance_operator *covariance;
  sgf_problem *problem = problem_of(&CASES[8]);
  problem->settings.theory.rank_tolerance = 1e-9;
  ASSERT_OK(sgf_covariance_operator_create(problem, &covariance, &error), error);
  ck_assert_uint_eq(sgf_covariance_operator_get_info(covariance)->rank, 16);
  sgf_covariance_operator_free(covariance);
  problem->settings.theory.rank_tolerance = 0.2;
  ck_assert_int_eq(sgf_covariance_operator_create(problem, &covariance, &error), SGF_ERROR_UNSUPPORTED);
  ck_assert_msg(strstr(error.message, "rank_tolerance") != NULL, "%s", error.message);
  ck_assert_ptr_null(covariance);
  sgf_problem_free(problem);
}
END_TEST

START_TEST(refuses_bad_arguments)
{
  fixture at;
  sgf_error error;
  sgf_layer_modes found;
  double residual, values[64], block[1024];
  open_fixture(&CASES[6], &at);
  ck_assert_int_eq(sgf_covariance_operator_block(at.covariance, 0, block, &error), SGF_ERROR_VALUE);
  ck_assert_int_eq(sgf_covariance_operator_block(at.covariance, 3, block, &error), SGF_ERROR_VALUE);
  ck_assert_int_eq(sgf_covariance_operator_layer(at.covariance, 0, 0, values, block, &found, &error),
                   SGF_ERROR_VALUE);
  ck_assert_int_eq(sgf_covariance_operator_principal(at.covariance, 1, 17, values, NULL, NULL, &residual, &error),
                   SGF_ERROR_VALUE);
  ck_assert(isnan(residual));
  ck_assert_int_eq(sgf_covariance_operator_principal(at.covariance, 5, 2, values, NULL, NULL, NULL, &error),
                   SGF_ERROR_VALUE);
  sgf_covariance_operator_free(NULL);
  close_fixture(&at);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("covariance operator");
  TCase *paths = tcase_create("paths"), *rest = tcase_create("rest");
  tcase_add_loop_test(paths, applies_like_the_dense_covariance, 0, ALL);
  tcase_add_loop_test(paths, answers_like_the_dense_covariance, 0, ALL);
  tcase_add_loop_test(paths, principal_directions_of_layers_and_of_all, 0, ALL);
  tcase_add_loop_test(paths, modes_within_the_outputs, 0, ALL);
  tcase_add_loop_test(paths, samples_have_the_covariance, 0, ALL);
  tcase_add_loop_test(paths, planted_errors_are_seen, 0, ALL);
  tcase_add_loop_test(paths, predicts_like_the_dense_prediction, 0, ALL);
  tcase_add_loop_test(rest, costs_choose_a_path, 0, sizeof COSTS / sizeof *COSTS);
  tcase_add_loop_test(rest, what_is_not_stored_is_the_same, 0, 3);
  tcase_add_loop_test(rest, leading_eigenpairs_of_known_matrices, 0, 4);
  tcase_add_loop_test(rest, refuses_what_is_not_built, 0, sizeof REFUSALS / sizeof *REFUSALS);
  tcase_add_test(rest, refuses_to_drop_noise);
  tcase_add_test(rest, refuses_bad_arguments);
  suite_add_tcase(suite, paths);
  suite_add_tcase(suite, rest);
  return run_suite(suite);
}
