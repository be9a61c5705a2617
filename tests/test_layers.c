/* What the layers of a network do together: the loss along a line, closed forms, and the balance of layers. */
#include "../theory/balance.h"
#include "../theory/closed_form.h"
#include "../theory/cross_section.h"
#include "../theory/diffusion.h"
#include "../theory/drift.h"
#include "../theory/flatness.h"
#include "../theory/lyapunov.h"
#include "../verify/sgd.h"
#include "testing.h"

/* change = lambda^2 (g_l g_l^T - g_{l+1}^T g_{l+1}), l = hidden: the exact change of the balance in one step, which has the
 * form of the balance itself, of the gradient's layers. */
static void balance_step(const sgf_network *network, const double *gradient, size_t hidden, double lambda,
                         double *change)
{
  size_t size = network->widths[hidden] * network->widths[hidden];
  sgf_balance(network, gradient, hidden, change);
  for (size_t k = 0; k < size; k++) change[k] *= lambda * lambda;
}

typedef struct {
  size_t widths[5], count;
  size_t rank; /* of every layer; 0: full */
} shape;

static const shape SHAPES[] = {
    {{3, 2}, 2, 0},    {{4, 5, 3}, 3, 0},       {{4, 9, 3}, 3, 0},       {{5, 4, 1}, 3, 0},    {{4, 4, 4}, 3, 0},
    {{5, 2, 4}, 3, 0}, {{5, 4, 6}, 3, 2},       {{4, 3, 5, 3}, 4, 0},    {{3, 7, 6, 2}, 4, 0}, {{4, 5, 4, 3}, 4, 2},
    {{1, 3, 1}, 3, 0}, {{3, 4, 2, 5, 3}, 5, 0}, {{2, 4, 5, 3, 2}, 5, 1},
};
enum { SHAPE_COUNT = sizeof SHAPES / sizeof *SHAPES };

typedef struct {
  sgf_problem problem; /* data of residuals orthogonal to the inputs: G = 0 at theta, without a minimizer */
  size_t n;
} setting;

static const sgf_network *network_of(const setting *at) { return &at->problem.network; }
static const sgf_dataset *data_of(const setting *at) { return &at->problem.data; }

/* Random weights, of the shape's rank. */
static void fill_weights(const shape *of, const sgf_network *network, double *theta)
{
  fill_normal(71, network->weights, theta);
  for (size_t l = 1; of->rank > 0 && l <= network->layers; l++) {
    size_t to = network->widths[l], from = network->widths[l - 1];
    double *left = new_reals(to * of->rank), *right = new_reals(of->rank * from);
    fill_normal(80 + l, to * of->rank, left);
    fill_normal(90 + l, of->rank * from, right);
    sgf_multiply(to, from, of->rank, SGF_PLAIN, left, SGF_PLAIN, right, theta + network->offsets[l]);
    free(left);
    free(right);
  }
}

/* Make the columns of X (P, count) orthonormal in `basis` (count, P), and E (P, columns) orthogonal to them. */
static void project_out(size_t P, size_t count, const double *X, size_t columns, double *E)
{
  double *basis = new_reals(count * P), *column = new_reals(P);
  for (size_t k = 0; k < count + columns; k++) {
    double *v = k < count ? basis + k * P : column;
    for (size_t m = 0; m < P; m++) v[m] = k < count ? X[m * count + k] : E[m * columns + k - count];
    for (int twice = 0; twice < 2; twice++)
      for (size_t j = 0; j < count && j < k; j++) {
        double along = sgf_dot(P, v, basis + j * P);
        for (size_t m = 0; m < P; m++) v[m] -= along * basis[j * P + m];
      }
    double norm = sgf_norm(P, v);
    for (size_t m = 0; m < P; m++) {
      if (k < count)
        v[m] /= norm;
      else
        E[m * columns + k - count] = v[m];
    }
  }
  free(basis);
  free(column);
}

/* Y = M X + residual E, where E is orthogonal to the anisotropic inputs. */
static void set_up(const shape *of, size_t samples, double residual, setting *at)
{
  sgf_error error = {SGF_OK, ""};
  memset(at, 0, sizeof *at);
  sgf_settings_init(&at->problem.settings);
  sgf_network *network = &at->problem.network;
  ASSERT_OK(sgf_network_create(of->widths, of->count, network, &error), error);
  size_t inputs = sgf_network_inputs(network), outputs = sgf_network_outputs(network);
  double *X = new_reals(samples * inputs), *E = new_reals(samples * outputs), *Y = new_reals(samples * outputs), *M;
  at->n = network->weights;
  at->problem.theta = new_reals(at->n);
  fill_weights(of, network, at->problem.theta);
  fill_normal(72, samples * inputs, X);
  fill_normal(73, samples * outputs, E);
  for (size_t k = 0; k < samples * inputs; k++) X[k] *= 1.0 + 0.3 * (double)(k % inputs);
  project_out(samples, inputs, X, outputs, E);
  ASSERT_OK(sgf_layer_product(network, at->problem.theta, 1, network->layers, &M, &error), error);
  sgf_multiply(samples, outputs, inputs, SGF_PLAIN, X, SGF_TRANSPOSED, M, Y);
  for (size_t k = 0; k < samples * outputs; k++) Y[k] += residual * E[k];
  ASSERT_OK(sgf_dataset_from_arrays(samples, inputs, outputs, X, Y, &at->problem.data, &error), error);
  free(X);
  free(E);
  free(Y);
  free(M);
}

static void tear_down(setting *at)
{
  sgf_settings_free(&at->problem.settings);
  sgf_network_free(&at->problem.network);
  sgf_dataset_free(&at->problem.data);
  free(at->problem.theta);
}

/* -------------------------------------------------------- the loss along a line */

static double polynomial(const double *c, size_t degree, double t)
{
  double value = 0.0;
  for (size_t k = degree + 1; k-- > 0;) value = value * t + c[k];
  return value;
}

static double loss_at(const setting *at, const double *theta, const double *direction, double t)
{
  sgf_error error = {SGF_OK, ""};
  double *moved = new_reals(at->n), loss;
  for (size_t k = 0; k < at->n; k++) moved[k] = theta[k] + t * direction[k];
  ASSERT_OK(sgf_loss(network_of(at), data_of(at), moved, &loss, &error), error);
  free(moved);
  return loss;
}

/* At theta* and away from it, along several directions at once. */
START_TEST(cross_section_is_the_plain_loss)
{
  static const double ts[] = {0.0, 1e-3, -1e-3, 0.03, -0.3, 0.7, -1.5, 4.0};
  enum { DIRECTIONS = 3 };
  setting at;
  sgf_error error = {SGF_OK, ""};
  set_up(&SHAPES[_i], 40, 0.5, &at);
  size_t n = at.n, degree = 2 * network_of(&at)->layers;
  double *directions = new_reals(DIRECTIONS * n), *c = new_reals(DIRECTIONS * (degree + 1));
  double *theta = at.problem.theta;
  fill_normal(74, DIRECTIONS * n, directions);
  for (int away = 0; away < 2; away++) {
    for (size_t k = 0; away && k < n; k++) theta[k] += 0.3 * directions[(k * 7) % (DIRECTIONS * n)];
    ASSERT_OK(sgf_cross_section(network_of(&at), data_of(&at), theta, DIRECTIONS, directions, c, &error), error);
    for (size_t d = 0; d < DIRECTIONS; d++)
      for (size_t j = 0; j < sizeof ts / sizeof *ts; j++) {
        double loss = loss_at(&at, theta, directions + d * n, ts[j]);
        ASSERT_NEAR(polynomial(c + d * (degree + 1), degree, ts[j]), loss, 1e-12 * loss);
      }
  }
  free(directions);
  free(c);
  tear_down(&at);
}
END_TEST

/* Residuals of 1e-9 of the targets: moments would leave no digit of the loss, residuals leave six. */
START_TEST(cross_section_of_a_tiny_loss)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  set_up(&SHAPES[_i], 40, 1e-9, &at);
  size_t degree = 2 * network_of(&at)->layers;
  double *direction = new_reals(at.n), *c = new_reals(degree + 1);
  fill_normal(75, at.n, direction);
  ASSERT_OK(sgf_cross_section(network_of(&at), data_of(&at), at.problem.theta, 1, direction, c, &error), error);
  ck_assert(c[0] > 1e-19 && c[0] < 1e-17);
  for (double t = 1e-11; t < 1.0; t *= 10.0) {
    double loss = loss_at(&at, at.problem.theta, direction, t);
    ASSERT_NEAR(polynomial(c, degree, t), loss, 1e-5 * loss);
  }
  free(direction);
  free(c);
  tear_down(&at);
}
END_TEST

START_TEST(cross_section_inside_a_layer_is_quadratic)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  set_up(&SHAPES[_i], 40, 0.5, &at);
  const sgf_network *network = network_of(&at);
  size_t n = at.n, degree = 2 * network->layers;
  double *direction = new_reals(n), *c = new_reals(degree + 1), *H = new_reals(n * n);
  ASSERT_OK(sgf_hessian(network, data_of(&at), at.problem.theta, 0.0, H, &error), error);
  for (size_t l = 1; l <= network->layers; l++) {
    memset(direction, 0, n * sizeof *direction);
    fill_normal(76 + l, sgf_layer_size(network, l), direction + network->offsets[l]);
    ASSERT_OK(sgf_cross_section(network, data_of(&at), at.problem.theta, 1, direction, c, &error), error);
    double curvature = sgf_quadratic_form(n, H, direction);
    ASSERT_NEAR(c[2], 0.5 * curvature, 1e-12 * curvature);
    ck_assert(fabs(c[1]) < 1e-12 * curvature);
    for (size_t k = 3; k <= degree; k++) ck_assert(fabs(c[k]) < 1e-14 * c[2]);
    double F = sgf_flatness(curvature, c[0], M_E);
    ASSERT_NEAR(sgf_flatness_of_polynomial(c, degree, M_E), F, 1e-12 * F);
  }
  free(direction);
  free(c);
  free(H);
  tear_down(&at);
}
END_TEST

/* Both ends found by walking out in small steps along the plain loss. */
START_TEST(flatness_of_a_cross_section)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  set_up(&SHAPES[_i], 40, 0.5, &at);
  size_t degree = 2 * network_of(&at)->layers;
  double *direction = new_reals(at.n), *c = new_reals(degree + 1), width = 0.0, step = 1e-4;
  fill_normal(77, at.n, direction);
  ASSERT_OK(sgf_cross_section(network_of(&at), data_of(&at), at.problem.theta, 1, direction, c, &error), error);
  for (int side = -1; side <= 1; side += 2)
    for (double t = 0.0; loss_at(&at, at.problem.theta, direction, side * t) < 2.0 * c[0]; t += step) width += step;
  double F = sgf_flatness_of_polynomial(c, degree, 2.0);
  ASSERT_NEAR(F, width, 2.001 * step);
  ck_assert(F < width);
  free(direction);
  free(c);
  tear_down(&at);
}
END_TEST

typedef struct {
  const char *what;
  double c[9], factor, F, bound;
  size_t degree;
} known_flatness;

static const double INF = INFINITY;
static const known_flatness POLYNOMIALS[] = {
    {"quadratic", {1.0, 0.0, 1.0}, 2.0, 2.0, 1e-15, 2},
    {"quadratic with a slope", {1.0, 1.0, 1.0}, 2.0, 2.23606797749978969, 1e-15, 2},
    {"quartic", {1.0, 0.0, 0.0, 0.0, 16.0}, 2.0, 1.0, 1e-15, 4},
    {"round-off above a quadratic", {1.0, 1e-17, 1.0, 1e-17, -1e-17, 2e-17, -1e-17}, 2.0, 2.0, 1e-15, 6},
    {"huge", {1e200, 0.0, 1e-100}, 2.0, 2e150, 1e-15, 2},
    {"tiny", {1e-250, 0.0, 1e50}, 2.0, 2e-150, 1e-15, 2},
    {"huge, of degree 8", {1e300, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1e-300}, 2.0, 2e75, 1e-14, 8},
    {"the nearest of three points", {1.0, 0.0, 21.0, -20.0, 5.0}, 5.0, NAN, 1e-13, 4},
    {"one side never", {1.0, 1.0}, 2.0, INFINITY, 0.0, 1},
    {"a cubic that falls", {1.0, 0.0, 0.0, 1.0}, 2.0, INFINITY, 0.0, 3},
    {"a hill too low", {1.0, 0.0, 1.0, 0.0, -0.251}, 2.0, INFINITY, 0.0, 4},
    {"a hill high enough", {1.0, 0.0, 1.0, 0.0, -0.24}, 2.0, 2.58198889747161126, 1e-14, 4},
    {"far on one side", {1.0, 1.0, 1e-20}, 2.0, 1e20, 1e-14, 2},
    {"constant", {1.0, 0.0, 0.0}, 2.0, INFINITY, 0.0, 2},
    {"constant zero", {0.0, 0.0, 0.0}, 2.0, INFINITY, 0.0, 2},
    {"no degree", {1.0}, 2.0, INFINITY, 0.0, 0},
    {"no loss", {0.0, 0.0, 1.0}, 2.0, 0.0, 0.0, 2},
    {"NaN", {1.0, 0.0, NAN}, 2.0, NAN, 0.0, 2},
    {"NaN at 0", {NAN, 0.0, 1.0}, 2.0, NAN, 0.0, 2},
    {"infinite", {1.0, 0.0, INFINITY}, 2.0, NAN, 0.0, 2},
    {"negative", {-1.0, 0.0, 1.0}, 2.0, NAN, 0.0, 2},
    {"factor 1", {1.0, 0.0, 1.0}, 1.0, NAN, 0.0, 2},
    {"factor NaN", {1.0, 0.0, 1.0}, NAN, NAN, 0.0, 2},
};

START_TEST(flatness_of_known_polynomials)
{
  const known_flatness *known = &POLYNOMIALS[_i];
  double F = sgf_flatness_of_polynomial(known->c, known->degree, known->factor), expected = known->F;
  if (strncmp(known->what, "the nearest", 11) == 0) {
    /* 21 t^2 - 20 t^3 + 5 t^4 = 4: one point on the left, three on the right, of which the nearest counts */
    double left = 0.0, right = 0.0;
    while (polynomial(known->c, 4, left) < 5.0) left -= 1e-5;
    while (polynomial(known->c, 4, right) < 5.0) right += 1e-5;
    ASSERT_NEAR(F, right - left, 2e-5);
    ck_assert(right < 0.7);
  } else if (isnan(expected)) {
    ck_assert_msg(isnan(F), "%s: %g, not NaN", known->what, F);
  } else if (isinf(expected)) {
    ck_assert_msg(F == INF, "%s: %g, not infinite", known->what, F);
  } else {
    ck_assert_msg(fabs(F - expected) <= known->bound * expected, "%s: %.17g, not %.17g", known->what, F, expected);
  }
}
END_TEST

/* ---------------------------------------------------------------- closed forms */

/* Stationary covariance for C = s^2 H by the general solution of the Lyapunov equation. */
static void lyapunov_solution(size_t n, const double *H, double twice_temperature, double *Sigma)
{
  sgf_error error = {SGF_OK, ""};
  sgf_range range;
  double *work = new_reals(n * n);
  ASSERT_OK(sgf_range_create(n, H, NAN, &range, &error), error);
  ck_assert(!range.ambiguous);
  sgf_into_basis(n, range.V, H, work, Sigma);
  for (size_t k = 0; k < n * n; k++) Sigma[k] *= twice_temperature;
  sgf_lyapunov(&range, 0.0, Sigma, Sigma);
  sgf_out_of_basis(n, range.V, Sigma, work, Sigma);
  sgf_range_free(&range);
  free(work);
}

START_TEST(closed_form_solves_the_lyapunov_equation)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  double T = 0.37;
  set_up(&SHAPES[_i], 40, 0.5, &at);
  size_t n = at.n;
  double *H = new_reals(n * n), *Sigma = new_reals(n * n), *expected = new_reals(n * n), *work = new_reals(3 * n * n);
  ASSERT_OK(sgf_hessian(network_of(&at), data_of(&at), at.problem.theta, 0.0, H, &error), error);
  ASSERT_OK(sgf_closed_form_covariance(network_of(&at), at.problem.theta, T, Sigma, &error), error);
  lyapunov_solution(n, H, 2.0 * T, expected);
  ASSERT_CLOSE(n * n, Sigma, expected, 1e-10);
  double rank = sgf_trace(n, Sigma) / T; /* the sum rule */
  ASSERT_NEAR(rank, round(rank), 1e-11);
  for (size_t k = 0; k < n * n; k++) expected[k] = 2.0 * T * H[k];
  double residual = sgf_lyapunov_residual(n, H, 0.0, Sigma, expected, work);
  ck_assert_msg(residual < 1e-12, "residual %g", residual);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) ck_assert(Sigma[i * n + j] == Sigma[j * n + i]);
  free(H);
  free(Sigma);
  free(expected);
  free(work);
  tear_down(&at);
}
END_TEST

static int ascending(const void *a, const void *b)
{
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

START_TEST(blocks_of_the_closed_form)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  double T = 1.3, traces = 0.0;
  if (SHAPES[_i].count != 3) return;
  set_up(&SHAPES[_i], 40, 0.5, &at);
  const sgf_network *network = network_of(&at);
  size_t n = at.n;
  double *H = new_reals(n * n), *Sigma = new_reals(n * n), *block = new_reals(n * n), *values = new_reals(n);
  double *variance = new_reals(n), *curvature = new_reals(n);
  ASSERT_OK(sgf_hessian(network, data_of(&at), at.problem.theta, 0.0, H, &error), error);
  ASSERT_OK(sgf_closed_form_covariance(network, at.problem.theta, T, Sigma, &error), error);
  for (size_t l = 1; l <= 2; l++) {
    size_t size = sgf_layer_size(network, l);
    ASSERT_OK(sgf_closed_form_layer(network, data_of(&at), at.problem.theta, l, T, variance, curvature, &error),
              error);
    double flat = 0.0, sum = 0.0;
    for (size_t k = 0; k < size; k++) {
      ck_assert((variance[k] == 0.0) == (curvature[k] == 0.0));
      flat += curvature[k];
      sum += variance[k];
    }
    traces += sum;
    sgf_diagonal_block(n, Sigma, network->offsets[l], size, block);
    ASSERT_NEAR(sum, sgf_trace(size, block), 1e-12 * sum);
    ASSERT_OK(sgf_symmetric_eigenvalues(size, block, values, "block", &error), error);
    qsort(variance, size, sizeof *variance, ascending);
    ASSERT_CLOSE(size, variance, values, 1e-12);
    sgf_diagonal_block(n, H, network->offsets[l], size, block);
    ASSERT_NEAR(flat, sgf_trace(size, block), 1e-12 * flat);
  }
  ASSERT_NEAR(traces, sgf_trace(n, Sigma), 1e-11 * traces);
  free(H);
  free(Sigma);
  free(block);
  free(values);
  free(variance);
  free(curvature);
  tear_down(&at);
}
END_TEST

/* Eigenvectors (one a row, of the largest eigenvalue first) of W W^T, or of W^T W if transposed. */
static void singular_vectors(size_t rows, size_t columns, const double *W, bool right, double *vectors)
{
  sgf_error error = {SGF_OK, ""};
  size_t size = right ? columns : rows, inner = right ? rows : columns;
  double *values = new_reals(size), *ordered = new_reals(size * size);
  sgf_multiply(size, size, inner, right ? SGF_TRANSPOSED : SGF_PLAIN, W, right ? SGF_PLAIN : SGF_TRANSPOSED, W,
               vectors);
  ASSERT_OK(sgf_symmetric_eigen(size, vectors, values, "Gram matrix", &error), error);
  for (size_t k = 0; k < size; k++)
    memcpy(ordered + k * size, vectors + (size - 1 - k) * size, size * sizeof *vectors);
  memcpy(vectors, ordered, size * size * sizeof *vectors);
  free(values);
  free(ordered);
}

/* Variance and curvature along each direction, built here from eigenvectors of the Gram matrices. Completions of
 * the null space of W_1 are not unique: layer 1 is compared where a_k is not zero. */
START_TEST(directions_of_the_closed_form)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  double T = 1.3;
  if (SHAPES[_i].count != 3) return;
  set_up(&SHAPES[_i], 40, 0.5, &at);
  const sgf_network *network = network_of(&at);
  const size_t *N = network->widths, full = N[0] < N[1] ? N[0] : N[1];
  const double *W_1 = at.problem.theta, *W_2 = W_1 + network->offsets[2];
  size_t n = at.n, rank = SHAPES[_i].rank > 0 ? SHAPES[_i].rank : full, compared = 0;
  double *H = new_reals(n * n), *Sigma = new_reals(n * n), *along = new_reals(n * n), *outer = new_reals(n * n);
  double *variance = new_reals(n), *curvature = new_reals(n), *p = new_reals(n), *Sp = new_reals(n);
  ASSERT_OK(sgf_hessian(network, data_of(&at), at.problem.theta, 0.0, H, &error), error);
  ASSERT_OK(sgf_closed_form_covariance(network, at.problem.theta, T, Sigma, &error), error);
  double top = sgf_norm(n * n, H);
  for (size_t l = 1; l <= 2; l++) {
    size_t size = sgf_layer_size(network, l), first = network->offsets[l], to = N[l], from = N[l - 1];
    singular_vectors(N[1], N[0], W_1, l == 1, along);
    singular_vectors(N[2], N[1], W_2, l == 1, outer);
    ASSERT_OK(sgf_closed_form_layer(network, data_of(&at), at.problem.theta, l, T, variance, curvature, &error),
              error);
    for (size_t entry = 0; entry < size; entry++) {
      size_t i = entry / from, k = entry % from;
      if (k >= rank) continue;
      memset(p, 0, n * sizeof *p);
      for (size_t row = 0; row < to; row++)
        for (size_t column = 0; column < from; column++)
          p[first + row * from + column] = outer[i * to + row] * along[k * from + column];
      sgf_multiply(n, 1, n, SGF_PLAIN, Sigma, SGF_PLAIN, p, Sp);
      for (size_t j = 0; j < size; j++) ASSERT_NEAR(Sp[first + j], variance[entry] * p[first + j], 1e-11 * T);
      ASSERT_NEAR(sgf_quadratic_form(n, H, p), curvature[entry], 1e-12 * top);
      compared++;
    }
  }
  ck_assert(compared >= rank * (N[1] + N[2]));
  free(H);
  free(Sigma);
  free(along);
  free(outer);
  free(variance);
  free(curvature);
  free(p);
  free(Sp);
  tear_down(&at);
}
END_TEST

START_TEST(closed_form_refuses_what_it_is_not_for)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  double variance[12], curvature[12], *Sigma;
  set_up(&SHAPES[7], 20, 0.5, &at);
  ck_assert_int_eq(
      sgf_closed_form_layer(network_of(&at), data_of(&at), at.problem.theta, 1, 1.0, variance, curvature, &error),
      SGF_ERROR_UNSUPPORTED);
  ck_assert(isnan(variance[11]) && isnan(curvature[11]));
  ck_assert_int_eq(
      sgf_closed_form_layer(network_of(&at), data_of(&at), at.problem.theta, 4, 1.0, variance, curvature, &error),
      SGF_ERROR_VALUE);
  Sigma = new_reals(at.n * at.n);
  memset(at.problem.theta, 0, at.n * sizeof *Sigma);
  ck_assert_int_eq(sgf_closed_form_covariance(network_of(&at), at.problem.theta, 1.0, Sigma, &error),
                   SGF_ERROR_VALUE);
  ck_assert_ptr_nonnull(strstr(error.message, "Jacobian is 0"));
  ck_assert(isnan(Sigma[0]));
  at.problem.theta[0] = NAN;
  ck_assert_int_ne(sgf_closed_form_covariance(network_of(&at), at.problem.theta, 1.0, Sigma, &error), SGF_OK);
  ck_assert(isnan(Sigma[0]));
  free(Sigma);
  tear_down(&at);
}
END_TEST

START_TEST(noise_that_is_proportional_to_the_drift)
{
  enum { n = 5 };
  double H[n * n], C[n * n], zero[n * n] = {0.0}, s2;
  fill_normal(78, n * n, H);
  sgf_symmetrize(n, H);
  for (int power = -150; power <= 150; power += 75) {
    double scale = pow(10.0, power);
    for (int k = 0; k < n * n; k++) C[k] = scale * H[k];
    ck_assert(sgf_noise_is_isotropic(n, H, C, &s2));
    ASSERT_NEAR(s2, scale, 1e-14 * scale);
    C[3] += 1e-10 * C[0];
    ck_assert(!sgf_noise_is_isotropic(n, H, C, &s2));
  }
  ck_assert(sgf_noise_is_isotropic(n, H, zero, &s2) && s2 == 0.0);
  ck_assert(!sgf_noise_is_isotropic(n, zero, H, &s2) && isnan(s2));
  ck_assert(!sgf_noise_is_isotropic(n, zero, zero, &s2) && isnan(s2));
  C[7] = NAN;
  ck_assert(!sgf_noise_is_isotropic(n, H, C, &s2) && isnan(s2));
  ck_assert(!sgf_noise_is_isotropic(n, C, H, &s2) && isnan(s2));
}
END_TEST

/* --------------------------------------------------------------------- balance */

static double squares_of(const sgf_network *network, const double *theta, size_t hidden)
{
  size_t first = network->offsets[hidden];
  return sgf_dot(network->offsets[hidden + 2] - first, theta + first, theta + first);
}

/* lambda^2 (W_2^T G_B G_B^T W_2 - W_1 G_B^T G_B W_1^T) with G_B of the batch, from its samples. */
static void two_layer_change(const setting *at, const sgf_sgd *run, const double *theta, double *change)
{
  sgf_error error = {SGF_OK, ""};
  const sgf_network *network = network_of(at);
  const sgf_dataset *data = data_of(at);
  size_t S = at->problem.settings.training.batch_size, N_0 = data->inputs, N_1 = network->widths[1],
         N_2 = data->outputs;
  double *M, *G = new_reals(N_2 * N_0), *left = new_reals(N_1 * N_0), *right = new_reals(N_2 * N_1);
  double *above = new_reals(N_1 * N_1), lambda = at->problem.settings.training.learning_rate;
  ASSERT_OK(sgf_layer_product(network, theta, 1, 2, &M, &error), error);
  for (size_t s = 0; s < S; s++)
    for (size_t a = 0; a < N_2; a++) {
      const double *x = data->X + run->indices[s] * N_0;
      double e = data->Y[run->indices[s] * N_2 + a] - sgf_dot(N_0, M + a * N_0, x);
      for (size_t i = 0; i < N_0; i++) G[a * N_0 + i] -= e * x[i] / (double)S;
    }
  sgf_multiply(N_1, N_0, N_2, SGF_TRANSPOSED, theta + network->offsets[2], SGF_PLAIN, G, left);
  sgf_multiply(N_2, N_1, N_0, SGF_PLAIN, G, SGF_TRANSPOSED, theta, right);
  sgf_multiply(N_1, N_1, N_0, SGF_PLAIN, left, SGF_TRANSPOSED, left, change);
  sgf_multiply(N_1, N_1, N_2, SGF_TRANSPOSED, right, SGF_PLAIN, right, above);
  for (size_t k = 0; k < N_1 * N_1; k++) change[k] = lambda * lambda * (change[k] - above[k]);
  free(M);
  free(G);
  free(left);
  free(right);
  free(above);
}

/* One step of SGD: the exact change of every hidden layer's balance; the largest change relative to the weights. */
static double check_step(const setting *at, sgf_sgd *run)
{
  const sgf_network *network = network_of(at);
  double lambda = at->problem.settings.training.learning_rate, largest = 0.0;
  double *before = new_reals(at->n), *after = new_reals(at->n), *gradient = new_reals(at->n);
  sgf_sgd_weights(run, before);
  sgf_sgd_advance(run, 1, false);
  sgf_sgd_weights(run, after);
  sgf_sgd_gradient(run, gradient);
  for (size_t l = 1; l < network->layers; l++) {
    size_t size = network->widths[l] * network->widths[l];
    double *old = new_reals(size), *new = new_reals(size), *change = new_reals(size), *formula = new_reals(size);
    sgf_balance(network, before, l, old);
    sgf_balance(network, after, l, new);
    balance_step(network, gradient, l, lambda, change);
    double scale = squares_of(network, before, l);
    for (size_t k = 0; k < size; k++) ASSERT_NEAR(new[k] - old[k], change[k], 2e-15 * scale);
    if (network->layers == 2) {
      two_layer_change(at, run, before, formula);
      ASSERT_CLOSE(size, change, formula, 1e-12);
    }
    largest = fmax(largest, sgf_norm(size, change) / scale);
    free(old);
    free(new);
    free(change);
    free(formula);
  }
  free(before);
  free(after);
  free(gradient);
  return largest;
}

START_TEST(balance_changes_by_the_square_of_the_gradient)
{
  static const shape shapes[] = {{{4, 5, 3}, 3, 0}, {{5, 2, 4}, 3, 0}, {{4, 3, 5, 3}, 4, 0}, {{3, 4, 2, 5, 3}, 5, 0}};
  setting at;
  sgf_error error = {SGF_OK, ""};
  sgf_sgd run;
  double largest = 0.0;
  set_up(&shapes[_i], 30, 2.0, &at);
  at.problem.settings.training.learning_rate = (double[]){4e-3, 4e-3, 4e-4, 1e-4}[_i];
  at.problem.settings.training.batch_size = 3;
  at.problem.settings.training.sampling = SGF_SAMPLING_WITHOUT_REPLACEMENT;
  sgf_engine *engine;
  ASSERT_OK(sgf_engine_create(&at.problem, 0, &engine, &error), error);
  ASSERT_OK(sgf_sgd_create(engine, 0, &run, &error), error);
  for (int step = 0; step < 300; step++) largest = fmax(largest, check_step(&at, &run));
  ck_assert_msg(largest > 1e-6 && largest < 1.0, "largest relative change %g", largest); /* far above round-off */
  sgf_sgd_free(&run);
  sgf_engine_free(engine);
  tear_down(&at);
}
END_TEST

/* S = 1: the mean of the change over all batches, and for two layers the fourth moments, explicitly. */
START_TEST(balance_drift_is_the_mean_change)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  set_up(&SHAPES[_i], 17, 0.8, &at);
  const sgf_network *network = network_of(&at);
  const sgf_dataset *data = data_of(&at);
  size_t n = at.n, P = data->samples, N_0 = data->inputs, N_L = data->outputs;
  double *C = new_reals(n * n), *g = new_reals(n), lambda = 0.02, gross;
  ASSERT_OK(sgf_noise_covariance(network, data, at.problem.theta, SGF_NOISE_EMPIRICAL, C, &error), error);
  for (size_t l = 1; l < network->layers; l++) {
    size_t size = network->widths[l] * network->widths[l];
    double *mean = new_reals(size), *change = new_reals(size), *drift = new_reals(size);
    for (size_t m = 0; m < P; m++) {
      sgf_dataset one;
      ASSERT_OK(sgf_dataset_from_arrays(1, N_0, N_L, data->X + m * N_0, data->Y + m * N_L, &one, &error), error);
      ASSERT_OK(sgf_gradient(network, &one, at.problem.theta, 0.0, g, &error), error);
      balance_step(network, g, l, lambda, change);
      for (size_t k = 0; k < size; k++) mean[k] += change[k] / (lambda * (double)P);
      sgf_dataset_free(&one);
    }
    sgf_balance_drift(network, C, lambda * sgf_noise_strength(P, 1, SGF_SAMPLING_REPLACEMENT), l, drift, &gross);
    ck_assert(sgf_norm(size, drift) <= gross);
    for (size_t k = 0; k < size; k++) ASSERT_NEAR(drift[k], mean[k], 1e-13 * gross);
    free(mean);
    free(change);
    free(drift);
  }
  free(C);
  free(g);
  tear_down(&at);
}
END_TEST

/* scale (1/P) sum_mu ( W_2^T e e^T W_2 |x|^2 - W_1 x x^T W_1^T |e|^2 ), two layers. */
START_TEST(balance_drift_of_two_layers)
{
  setting at;
  sgf_error error = {SGF_OK, ""};
  double *M, scale = 0.3, gross;
  if (SHAPES[_i].count != 3) return;
  set_up(&SHAPES[_i], 17, 0.8, &at);
  const sgf_network *network = network_of(&at);
  const sgf_dataset *data = data_of(&at);
  size_t n = at.n, P = data->samples, N_0 = data->inputs, N_1 = network->widths[1], N_2 = data->outputs;
  double *C = new_reals(n * n), *drift = new_reals(N_1 * N_1), *expected = new_reals(N_1 * N_1);
  double *e = new_reals(N_2), *back = new_reals(N_1), *forth = new_reals(N_1);
  ASSERT_OK(sgf_noise_covariance(network, data, at.problem.theta, SGF_NOISE_EMPIRICAL, C, &error), error);
  ASSERT_OK(sgf_layer_product(network, at.problem.theta, 1, 2, &M, &error), error);
  for (size_t m = 0; m < P; m++) {
    const double *x = data->X + m * N_0;
    for (size_t a = 0; a < N_2; a++) e[a] = data->Y[m * N_2 + a] - sgf_dot(N_0, M + a * N_0, x);
    sgf_multiply(N_1, 1, N_2, SGF_TRANSPOSED, at.problem.theta + network->offsets[2], SGF_PLAIN, e, back);
    sgf_multiply(N_1, 1, N_0, SGF_PLAIN, at.problem.theta, SGF_PLAIN, x, forth);
    for (size_t k = 0; k < N_1 * N_1; k++)
      expected[k] +=
          scale / (double)P *
          (back[k / N_1] * back[k % N_1] * sgf_dot(N_0, x, x) - forth[k / N_1] * forth[k % N_1] * sgf_dot(N_2, e, e));
  }
  sgf_balance_drift(network, C, scale, 1, drift, &gross);
  for (size_t k = 0; k < N_1 * N_1; k++) ASSERT_NEAR(drift[k], expected[k], 1e-13 * gross);
  free(M);
  free(C);
  free(drift);
  free(expected);
  free(e);
  free(back);
  free(forth);
  tear_down(&at);
}
END_TEST

/* C = s^2 J^T J of isotropic data, N_0 = N_2 = N: the balance decays as dB/dt = -(lambda kappa s^2 N / S) B, so that it
 * has no drift for W_2 = W_1^T. */
START_TEST(balance_of_isotropic_data)
{
  static const shape square = {{4, 6, 4}, 3, 0};
  setting at;
  sgf_error error = {SGF_OK, ""};
  double scale = 0.01, s2 = 0.7, gross, *drift = new_reals(36), *B = new_reals(36);
  for (int balanced = 0; balanced < 2; balanced++) {
    set_up(&square, 20, 0.5, &at);
    const sgf_network *network = network_of(&at);
    double *theta = at.problem.theta, *C = new_reals(at.n * at.n);
    for (size_t k = 0; balanced && k < 24; k++) theta[24 + (k % 4) * 6 + k / 4] = theta[k];
    for (size_t k = 0; k < 16; k++) at.problem.data.input_moment[k] = k % 5 == 0 ? 1.0 : 0.0;
    double *M;
    ASSERT_OK(sgf_layer_product(network, theta, 1, 2, &M, &error), error);
    memcpy(at.problem.data.cross_moment, M, 16 * sizeof *M); /* G = 0 */
    ASSERT_OK(sgf_hessian(network, data_of(&at), theta, 0.0, C, &error), error);
    for (size_t k = 0; k < at.n * at.n; k++) C[k] *= s2;
    double rate = sgf_balance_rate(network, theta, C, scale, 1);
    ASSERT_NEAR(rate, scale * s2 * 4.0, 1e-14 * rate);
    sgf_balance_drift(network, C, scale, 1, drift, &gross);
    ck_assert(balanced ? sgf_norm(36, drift) < 1e-14 * gross : sgf_norm(36, drift) > 0.1 * gross);
    sgf_balance(network, theta, 1, B);
    for (size_t k = 0; k < 36; k++) ASSERT_NEAR(drift[k], -rate * B[k], 1e-14 * gross);
    C[0] = NAN;
    ck_assert(isnan(sgf_balance_rate(network, theta, C, scale, 1)));
    free(C);
    free(M);
    tear_down(&at);
  }
  free(drift);
  free(B);
}
END_TEST

/* Three hidden layers: the rate of each, from the traces of the blocks of C. */
START_TEST(balance_rate_of_a_deep_network)
{
  setting at;
  double expected, scale = 0.2;
  set_up(&SHAPES[11], 20, 0.5, &at);
  const sgf_network *network = network_of(&at);
  size_t n = at.n;
  double *root = new_reals(n * n), *C = new_reals(n * n), *block = new_reals(n * n);
  for (int fastest = 1; fastest <= 4; fastest++) { /* the layer with the most noise */
    fill_normal(79, n * n, root);
    for (size_t k = network->offsets[fastest] * n; k < network->offsets[fastest + 1] * n; k++) root[k] *= 5.0;
    sgf_multiply(n, n, n, SGF_PLAIN, root, SGF_TRANSPOSED, root, C);
    for (size_t l = 1; l < network->layers; l++) {
      double traces = 0.0;
      for (size_t side = l; side <= l + 1; side++) {
        sgf_diagonal_block(n, C, network->offsets[side], sgf_layer_size(network, side), block);
        traces += sgf_trace(sgf_layer_size(network, side), block);
      }
      expected = scale * traces / squares_of(network, at.problem.theta, l);
      ASSERT_NEAR(sgf_balance_rate(network, at.problem.theta, C, scale, l), expected, 1e-13 * expected);
    }
  }
  free(root);
  free(C);
  free(block);
  tear_down(&at);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("layers");
  TCase *lines = tcase_create("cross-section"), *forms = tcase_create("closed form"),
        *balance = tcase_create("balance");
  tcase_set_timeout(lines, 120);
  tcase_set_timeout(forms, 120);
  tcase_set_timeout(balance, 120);
  tcase_add_loop_test(lines, cross_section_is_the_plain_loss, 0, SHAPE_COUNT);
  tcase_add_loop_test(lines, cross_section_of_a_tiny_loss, 0, SHAPE_COUNT);
  tcase_add_loop_test(lines, cross_section_inside_a_layer_is_quadratic, 0, SHAPE_COUNT);
  tcase_add_loop_test(lines, flatness_of_a_cross_section, 0, SHAPE_COUNT);
  tcase_add_loop_test(lines, flatness_of_known_polynomials, 0, (int)(sizeof POLYNOMIALS / sizeof *POLYNOMIALS));
  tcase_add_loop_test(forms, closed_form_solves_the_lyapunov_equation, 0, SHAPE_COUNT);
  tcase_add_loop_test(forms, blocks_of_the_closed_form, 0, SHAPE_COUNT);
  tcase_add_loop_test(forms, directions_of_the_closed_form, 0, SHAPE_COUNT);
  tcase_add_test(forms, closed_form_refuses_what_it_is_not_for);
  tcase_add_test(forms, noise_that_is_proportional_to_the_drift);
  tcase_add_loop_test(balance, balance_changes_by_the_square_of_the_gradient, 0, 4);
  tcase_add_loop_test(balance, balance_drift_is_the_mean_change, 1, SHAPE_COUNT);
  tcase_add_loop_test(balance, balance_drift_of_two_layers, 1, SHAPE_COUNT);
  tcase_add_test(balance, balance_of_isotropic_data);
  tcase_add_test(balance, balance_rate_of_a_deep_network);
  suite_add_tcase(suite, lines);
  suite_add_tcase(suite, forms);
  suite_add_tcase(suite, balance);
  return run_suite(suite);
}
