/* Fluctuations in time: autocovariance, correlation times, power spectra and displacement against closed forms, dense
 * powers of the process, and limits. */
#include "../theory/drift.h"
#include "../theory/flatness.h"
#include "../theory/prediction.h"
#include "../theory/time_dependence.h"
#include "testing.h"

static double *array(const sgf_prediction *prediction, const char *name)
{
  double *values = sgf_prediction_find(prediction, name);
  ck_assert_msg(values != NULL, "theory/%s is missing", name);
  return values;
}

/* -------------------------------------------------------------- one mode */

/* Rates h, covariance `variance`, and a direction that is the mode. */
typedef struct {
  double h, lambda, beta, variance;
  bool discrete;
} one_mode;

static double sum_of(const one_mode *mode, void (*fill)(const sgf_time_modes *modes, double at, double *factors),
                     double at)
{
  double one = 1.0, weights[2], factors[2], Z = mode->variance, rate = mode->h;
  sgf_error error = {SGF_OK, ""};
  sgf_time_modes modes = {.law = {mode->lambda, mode->discrete, mode->beta, 0}, .n = 1, .count = 1, .V = &one};
  modes.rates = &rate;
  modes.Z = &Z;
  ASSERT_OK(sgf_time_weights(&modes, 0, 0, 1, 1, &one, weights, &error), error);
  fill(&modes, at, factors);
  return weights[0] * factors[0] + weights[1] * factors[1];
}

static void time_factors(const sgf_time_modes *modes, double at, double *factors)
{
  (void)at;
  sgf_correlation_time_factors(modes, factors);
}

/* c(k) = s a^k, and 1/h in the continuum; a = 0 and a < 0 too. */
START_TEST(autoregression_of_first_order)
{
  static const double steps[] = {1e-7, 0.01, 0.4, 1.0, 1.7};
  for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
    double h = 2.5, lambda = steps[k] / h, s = 0.3, a = 1.0 - steps[k], f = 0.17 / lambda;
    double omega = 2.0 * M_PI * 0.17, sum = 0.5 * s;
    one_mode mode = {h, lambda, 0.0, s, true}, flow = {h, lambda, 0.0, s, false};
    for (size_t lag = 0; lag < 9; lag++)
      ASSERT_NEAR(sum_of(&mode, sgf_autocovariance_factors, (double)lag), s * pow(a, (double)lag), 1e-14 * s);
    ASSERT_NEAR(sum_of(&mode, time_factors, 0.0), s * (1.0 / h - 0.5 * lambda), 1e-13 * s / h);
    for (size_t lag = 1; lag < 4000; lag++) sum += s * pow(a, (double)lag);
    if (k > 0) ASSERT_NEAR(sum_of(&mode, time_factors, 0.0), lambda * sum, 1e-12 * s / h);
    double expected = 2.0 * lambda * s * (1.0 - a * a) / (1.0 - 2.0 * a * cos(omega) + a * a);
    ASSERT_NEAR(sum_of(&mode, sgf_spectrum_factors, f), expected, 1e-14 * lambda * s + 1e-8 * expected);
    ASSERT_NEAR(sum_of(&mode, sgf_spectrum_factors, 0.0), 4.0 * s * (1.0 / h - 0.5 * lambda), 1e-8 * s / h);
    ASSERT_NEAR(sum_of(&flow, sgf_autocovariance_factors, 3.0), s * exp(-3.0 * steps[k]), 1e-14 * s);
    ASSERT_NEAR(sum_of(&flow, time_factors, 0.0), s / h, 1e-14 * s / h);
    one_mode heavy = {h, lambda, 0.9, s, false}; /* ten times as fast */
    ASSERT_NEAR(sum_of(&heavy, time_factors, 0.0), 0.1 * s / h, 1e-14 * s / h);
    ASSERT_NEAR(sum_of(&heavy, sgf_autocovariance_factors, 3.0), s * exp(-30.0 * steps[k]), 1e-14 * s);
    ASSERT_NEAR(sum_of(&heavy, sgf_spectrum_factors, 0.0), 0.4 * s / h, 1e-13 * s / h);
    ASSERT_NEAR(sum_of(&flow, sgf_spectrum_factors, 0.4), 4.0 * s * h / (h * h + 0.64 * M_PI * M_PI), 1e-13 * s / h);
  }
}
END_TEST

/* ------------------------------------- many modes against powers of the process */

enum { N = 5, TWICE = 2 * N };

/* A process of drift H of rank 4, noise C on its range that does not commute with it, and momentum. */
typedef struct {
  double H[N * N], C[N * N], Sigma[N * N];
  double F[TWICE * TWICE], Z[TWICE * TWICE]; /* of (delta, v) */
  double lambda, beta;
  sgf_range range;
} process;

/* z' = F z + noise, F = [1 - lambda H, beta; -lambda H, beta], noise C in all four blocks. */
static void solve_process(process *p)
{
  double Q[TWICE * TWICE];
  sgf_certificate certificate;
  sgf_lyapunov_options options;
  sgf_error error = {SGF_OK, ""};
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) {
      double h = p->lambda * p->H[i * N + j], one = i == j;
      p->F[i * TWICE + j] = one - h;
      p->F[i * TWICE + N + j] = p->F[(N + i) * TWICE + N + j] = one * p->beta;
      p->F[(N + i) * TWICE + j] = -h;
      Q[i * TWICE + j] = Q[i * TWICE + N + j] = Q[(N + i) * TWICE + j] = Q[(N + i) * TWICE + N + j] = p->C[i * N + j];
    }
  sgf_lyapunov_options_init(&options);
  options.discrete = true;
  ASSERT_OK(sgf_lyapunov_solve(TWICE, p->F, 0, Q, &options, p->Z, &certificate, &error), error);
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < N; j++) p->Sigma[i * N + j] = p->Z[i * TWICE + j];
}

static void make_process(double lambda, double beta, process *p)
{
  double B[N * N], V[N * N], work[N * N];
  sgf_error error = {SGF_OK, ""};
  p->lambda = lambda;
  p->beta = beta;
  fill_orthogonal(5, N, V);
  fill_normal(6, N * N, B);
  memset(p->H, 0, sizeof p->H);
  for (size_t k = 1; k < N; k++) p->H[k * N + k] = 0.4 * (double)k;
  for (size_t k = 0; k < N; k++) B[k] = 0.0; /* no noise where there is no drift */
  sgf_multiply(N, N, N, SGF_PLAIN, B, SGF_TRANSPOSED, B, p->C);
  sgf_out_of_basis(N, V, p->H, work, p->H);
  sgf_out_of_basis(N, V, p->C, work, p->C);
  ASSERT_OK(sgf_range_create(N, p->H, NAN, &p->range, &error), error);
  ck_assert_uint_eq(p->range.rank, N - 1);
  solve_process(p);
}

/* p^T R(lag) p for lags 0 ... count - 1, from F^lag Z. */
static void brute_autocovariance(const process *p, const double *direction, size_t count, double *c)
{
  double *power = new_reals(TWICE * TWICE), *next = new_reals(TWICE * TWICE);
  memcpy(power, p->Z, sizeof p->Z);
  for (size_t k = 0; k < count; k++) {
    c[k] = 0.0;
    for (size_t i = 0; i < N; i++)
      for (size_t j = 0; j < N; j++) c[k] += direction[i] * power[i * TWICE + j] * direction[j];
    sgf_multiply(TWICE, TWICE, TWICE, SGF_PLAIN, p->F, SGF_PLAIN, power, next);
    memcpy(power, next, sizeof p->Z);
  }
  free(power);
  free(next);
}

/* The weights of directions of the last three coordinates, in the modes; freed with them. */
static double *weights_of(const process *p, size_t rows, const double *directions, sgf_time_modes *modes)
{
  sgf_error error = {SGF_OK, ""};
  sgf_time_law law = {p->lambda, true, p->beta, 0};
  double *weights = new_reals(rows * 2 * N);
  ASSERT_OK(sgf_time_modes_create(&law, &p->range, p->Sigma, modes, &error), error);
  ASSERT_OK(sgf_time_weights(modes, 0, 2, 3, rows, directions, weights, &error), error);
  return weights;
}

enum { ROWS = 3, LAGS = 6000 };

START_TEST(powers_of_a_process_without_detailed_balance)
{
  static const double betas[] = {0.0, 0.6, 0.93};
  for (size_t b = 0; b < sizeof betas / sizeof *betas; b++) {
    process p;
    sgf_time_modes modes;
    double directions[ROWS * 3], factors[2 * N];
    double *c = new_reals(LAGS);
    make_process(0.3, betas[b], &p);
    fill_normal(8, ROWS * 3, directions);
    double *weights = weights_of(&p, ROWS, directions, &modes);
    size_t width = 2 * modes.count;
    for (size_t r = 0; r < ROWS; r++) {
      double whole[N] = {0.0, 0.0}, sum = 0.0;
      memcpy(whole + 2, directions + 3 * r, 3 * sizeof *whole);
      brute_autocovariance(&p, whole, LAGS, c);
      for (size_t k = 0; k < 200; k++) {
        sgf_autocovariance_factors(&modes, (double)k, factors);
        ASSERT_NEAR(sgf_dot(width, weights + r * width, factors), c[k], 1e-12 * c[0]);
      }
      for (size_t k = 0; k < LAGS; k++) sum += p.lambda * c[k] * (k == 0 ? 0.5 : 1.0);
      sgf_correlation_time_factors(&modes, factors);
      ASSERT_NEAR(sgf_dot(width, weights + r * width, factors), sum, 1e-10 * p.lambda * c[0]);
    }
    free(weights);
    free(c);
    sgf_time_modes_free(&modes);
    sgf_range_free(&p.range);
  }
}
END_TEST

/* Wiener and Khinchin: the integral of the spectrum is the variance, and its cosine transform the autocovariance. The
 * spectrum is periodic, so that an even grid has both but for c at the grid's length. */
START_TEST(spectrum_and_autocovariance)
{
  enum { GRID = 4096 };
  for (int b = 0; b < 2; b++) {
    process p;
    sgf_time_modes modes;
    double directions[] = {0.3, -1.2, 0.8}, factors[2 * N], c[9], transform[9] = {0.0};
    make_process(0.3, b == 0 ? 0.0 : 0.8, &p);
    double *weights = weights_of(&p, 1, directions, &modes), spacing = 1.0 / (GRID * p.lambda);
    double whole[N] = {0.0, 0.0, 0.3, -1.2, 0.8};
    brute_autocovariance(&p, whole, 9, c);
    for (size_t j = 0; j <= GRID / 2; j++) {
      sgf_spectrum_factors(&modes, (double)j * spacing, factors);
      double share = j == 0 || j == GRID / 2 ? 0.5 : 1.0, S = sgf_dot(2 * modes.count, weights, factors);
      for (size_t k = 0; k < 9; k++)
        transform[k] += share * S * spacing * cos(2.0 * M_PI * (double)(j * k) / (double)GRID);
    }
    for (size_t k = 0; k < 9; k++) ASSERT_NEAR(transform[k], c[k], 1e-10 * c[0]);
    free(weights);
    sgf_time_modes_free(&modes);
    sgf_range_free(&p.range);
  }
}
END_TEST

/* At fixed time the discrete law tends to the flow, linearly in lambda. */
START_TEST(small_learning_rates_are_the_continuum)
{
  double deviation[3];
  for (int k = 0; k < 3; k++) {
    double lambda = 0.02 / (double)(1 << k);
    one_mode mode = {2.0, lambda, 0.0, 1.0, true}, flow = mode;
    flow.discrete = false;
    double lag = round(0.4 / lambda), limit = sum_of(&flow, sgf_autocovariance_factors, lag);
    ASSERT_NEAR(limit, exp(-0.8), 1e-14);
    deviation[k] = sum_of(&mode, sgf_autocovariance_factors, lag) / limit - 1.0;
    ASSERT_NEAR(sum_of(&mode, sgf_spectrum_factors, 0.3) / sum_of(&flow, sgf_spectrum_factors, 0.3), 1.0,
                3.0 * lambda);
  }
  ASSERT_NEAR(deviation[0] / deviation[1], 2.0, 0.1);
  ASSERT_NEAR(deviation[1] / deviation[2], 2.0, 0.05);
}
END_TEST

/* ------------------------------------------------------------- predictions */

/* Inputs with second moment `rates` exactly, to the diagonal; random targets. */
static sgf_problem *problem_of_moment(const sgf_settings *settings, size_t P, const double *rates)
{
  size_t widths = settings->network.width_count, N0 = settings->network.widths[0];
  size_t outputs = settings->network.widths[widths - 1];
  double *X = new_reals(P * N0), *Y = new_reals(P * outputs), *Q = new_reals(P * P);
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  fill_orthogonal(21, P, Q);
  fill_normal(22, P * outputs, Y);
  for (size_t m = 0; m < P; m++)
    for (size_t i = 0; i < N0; i++) X[m * N0 + i] = sqrt((double)P * rates[i]) * Q[m * P + i];
  ASSERT_OK(sgf_problem_from_arrays(settings, P, X, Y, NULL, &problem, &error), error);
  free(X);
  free(Y);
  free(Q);
  return problem;
}

/* One layer with noise C = s^2 H: every mode is by itself, of time 1/h - lambda/2, and 1/h ~ flatness^2 exactly. */
START_TEST(one_layer_of_detailed_balance)
{
  static const double rates[] = {0.3, 0.8, 1.1, 2.0, 3.5};
  double flat[5];
  sgf_settings settings;
  sgf_ivfr fit;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, 2, (size_t[]){5, 1});
  settings.theory.noise = SGF_NOISE_ISOTROPIC;
  settings.training.learning_rate = 0.1;
  settings.training.batch_size = 4;
  sgf_problem *problem = problem_of_moment(&settings, 30, rates);
  sgf_prediction *prediction = predict(problem);
  const double *time = array(prediction, "correlation_time"), *curvature = array(prediction, "curvature");
  for (size_t k = 0; k < 5; k++) {
    ASSERT_NEAR(time[k] * curvature[k], 1.0 - 0.05 * curvature[k], 1e-12);
    flat[k] = time[k] + 0.05;
  }
  ASSERT_OK(sgf_ivfr_fit(5, flat, curvature, 1, &fit, &error), error);
  ASSERT_NEAR(-fit.psi, 2.0, 1e-10);
  const sgf_time_scaling *scaling = &sgf_prediction_get_info(prediction)->time.scaling;
  ck_assert(scaling->modes == 5 && scaling->low <= scaling->exponent && scaling->exponent <= scaling->high);
  ck_assert(scaling->exponent > 2.0 && scaling->exponent < 2.3 && scaling->correlation > 0.99);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* Two layers, isotropic inputs, C = s^2 H: the coupled layer 2 has in direction (i, k) curvature a_k^2 and time 1/(a_k^2 +
 * b_i^2), layer 1 curvature b_i^2 and the same time: coupling makes the flat directions as fast as their partners. */
START_TEST(two_layers_of_detailed_balance)
{
  static const double rates[] = {1.0, 1.0, 1.0};
  static const char *const names[] = {"layer2/variance", "layer2/curvature", "layer2/correlation_time"};
  sgf_settings settings;
  settings_with_widths(&settings, 3, (size_t[]){3, 4, 2});
  settings.theory.noise = SGF_NOISE_ISOTROPIC;
  settings.theory.equation = SGF_EQUATION_CONTINUUM;
  settings.training.learning_rate = 0.05;
  sgf_problem *problem = problem_of_moment(&settings, 40, rates);
  sgf_prediction *prediction = predict(problem);
  const double *variance = array(prediction, names[0]), *curvature = array(prediction, names[1]);
  const double *time = array(prediction, names[2]);
  double T = sgf_prediction_get_info(prediction)->temperature;
  size_t moving = 0;
  for (size_t k = 0; k < 8; k++) {
    if (isnan(time[k])) continue;
    ASSERT_NEAR(time[k] * curvature[k] * T / variance[k], 1.0, 1e-8); /* sigma^2 = T h / (h + b^2) */
    moving++;
  }
  ck_assert_uint_eq(moving, 6); /* rank of W_1 is 3 */
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* A random problem of one layer by the exact equation, or of two or three by the discrete one. */
static sgf_problem *random_problem(size_t layers, sgf_settings *settings)
{
  static const size_t widths[] = {4, 3, 3, 2};
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  size_t chosen[4];
  memcpy(chosen, widths, sizeof chosen);
  chosen[layers] = 2;
  settings_with_widths(settings, layers + 1, chosen);
  settings->data.samples = 30;
  settings->training.learning_rate = 0.05;
  settings->training.batch_size = 5;
  settings->seed = 3;
  settings->theory.equation = layers == 1 ? SGF_EQUATION_EXACT : SGF_EQUATION_DISCRETE;
  ASSERT_OK(sgf_problem_create(settings, NULL, false, &problem, &error), error);
  return problem;
}

/* Displacement: 0 at lag 0, 2 tr(H Sigma) lambda after a step, the layers' together, 2 tr Sigma in the end. And along
 * joint directions h time >= 1, as 1/h is convex. */
START_TEST(displacement_and_times_of_a_prediction)
{
  for (size_t layers = 1; layers <= 3; layers++) {
    sgf_settings settings;
    sgf_problem *problem = random_problem(layers, &settings);
    sgf_prediction *prediction = predict(problem);
    const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
    size_t lags, columns;
    const double *time = sgf_prediction_array(prediction, "lags", &lags, &columns);
    const double *displacement = array(prediction, "mean_square_displacement");
    const double *correlation = array(prediction, "correlation_time"), *curvature = array(prediction, "curvature");
    const double *c = array(prediction, "autocovariance"), *variance = array(prediction, "variance");
    ck_assert(displacement[0] == 0.0 && time[0] == 0.0);
    ASSERT_NEAR(time[1], 0.05, 1e-15);
    ASSERT_NEAR(info->time.displacement_rate, 4.0 * info->excess_loss, 1e-11 * info->excess_loss);
    ASSERT_NEAR(displacement[lags - 1], 2.0 * info->trace, 1e-3 * info->trace);
    double weighted = 0.0;
    for (size_t k = 0; k < info->rank_hessian; k++) {
      ck_assert(curvature[k] * (correlation[k] + 0.025) >= 1.0 - 1e-9);
      weighted += variance[k] * correlation[k] / info->trace;
      ASSERT_NEAR(c[k * lags], variance[k], 1e-12 * variance[0]);
    }
    ASSERT_NEAR(info->time.correlation_time, weighted, 1e-11 * weighted);
    for (size_t t = 0; t < lags; t++) {
      double sum = 0.0;
      for (size_t l = 1; l <= layers; l++) {
        char name[48];
        snprintf(name, sizeof name, "layer%zu/mean_square_displacement", l);
        sum += array(prediction, name)[t];
      }
      ASSERT_NEAR(sum, displacement[t], 1e-12 * info->trace);
    }
    if (layers > 1) { /* by the operator, which has no exact equation */
      sgf_prediction *large;
      sgf_error error = {SGF_OK, ""};
      ASSERT_OK(sgf_predict_by_operator(problem, &large, &error), error);
      ASSERT_CLOSE(lags, array(large, "mean_square_displacement"), displacement, 1e-10);
      ASSERT_CLOSE(lags, array(large, "lags"), time, 1e-15);
      ASSERT_NEAR(sgf_prediction_get_info(large)->time.correlation_time, weighted, 1e-10 * weighted);
      sgf_prediction_free(large);
    }
    sgf_prediction_free(prediction);
    sgf_problem_free(problem);
    sgf_settings_free(&settings);
  }
}
END_TEST

/* The mean velocity along null(H): within it, it drifts the balances as predicted, along every scaling
 * n_s v = tr(s dB) / 2. */
START_TEST(drift_along_the_null_space)
{
  for (size_t layers = 2; layers <= 3; layers++) {
    sgf_settings settings;
    sgf_problem *problem = random_problem(layers, &settings);
    sgf_prediction *prediction = predict(problem);
    const sgf_network *network = &problem->network;
    const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
    size_t n = network->weights;
    const double *velocity = array(prediction, "null_drift");
    double *out = new_reals(n), speed = sgf_norm(n, velocity);
    ck_assert(speed > 0.0 && info->null_diffusion > 0.0);
    ASSERT_NEAR(info->null_drift, speed, 1e-15);
    sgf_multiply(n, 1, n, SGF_PLAIN, array(prediction, "hessian"), SGF_PLAIN, velocity, out);
    ck_assert(sgf_norm(n, out) < 1e-9 * speed);
    for (size_t l = 1; l < layers; l++) {
      char name[48];
      snprintf(name, sizeof name, "layer%zu/balance_drift", l);
      const double *drift = array(prediction, name);
      size_t width = network->widths[l], inputs = network->widths[l - 1], outputs = network->widths[l + 1];
      const double *below = problem->theta + network->offsets[l], *above = problem->theta + network->offsets[l + 1];
      const double *v_below = velocity + network->offsets[l], *v_above = velocity + network->offsets[l + 1];
      for (size_t i = 0; i < width; i++) { /* s = e_i e_i^T: (e_i e_i^T W_l, -W_{l+1} e_i e_i^T) */
        double along = sgf_dot(inputs, v_below + i * inputs, below + i * inputs);
        for (size_t k = 0; k < outputs; k++) along -= v_above[k * width + i] * above[k * width + i];
        ASSERT_NEAR(along, 0.5 * drift[i * width + i], 1e-8 * sgf_norm(width * width, drift));
      }
    }
    free(out);
    sgf_prediction_free(prediction);
    sgf_problem_free(problem);
    sgf_settings_free(&settings);
  }
}
END_TEST

/* ------------------------------------------------------------- the closure */

static sgf_prediction *predict_by(sgf_equation equation, size_t layers, const size_t *widths, double rate,
                                  sgf_problem **problem)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  settings_with_widths(&settings, layers + 1, widths);
  settings.data.samples = 30;
  settings.training.learning_rate = rate;
  settings.training.batch_size = 5;
  settings.theory.equation = equation;
  settings.seed = 3;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, problem, &error), error);
  sgf_settings_free(&settings);
  return predict(*problem);
}

/* One layer: the closure is the exact equation, in time too. */
START_TEST(closure_of_one_layer_is_exact)
{
  static const char *const names[] = {"lags",           "frequencies",    "correlation_time",        "decay_time",
                                      "autocovariance", "power_spectrum", "mean_square_displacement"};
  sgf_problem *problem, *other;
  sgf_prediction *closure = predict_by(SGF_EQUATION_CLOSURE, 1, (size_t[]){4, 2}, 0.1, &problem);
  sgf_prediction *exact = predict_by(SGF_EQUATION_EXACT, 1, (size_t[]){4, 2}, 0.1, &other);
  for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
    size_t rows, columns;
    const double *values = sgf_prediction_array(closure, names[k], &rows, &columns);
    ck_assert_msg(values != NULL, "theory/%s is missing", names[k]);
    ASSERT_CLOSE(rows * columns, values, array(exact, names[k]), 1e-8);
  }
  sgf_prediction_free(closure);
  sgf_prediction_free(exact);
  sgf_problem_free(problem);
  sgf_problem_free(other);
}
END_TEST

/* E[g delta^T] over theta ~ N(theta* + m, Sigma) of rank 2, by five nodes for each: exact for the quartic that it is. */
static void gaussian_average(const sgf_problem *problem, const double *mean, const double *Sigma, double *average)
{
  size_t n = problem->network.weights;
  double root = sqrt(10.0), inner = sqrt(5.0 - root), outer = sqrt(5.0 + root);
  double nodes[] = {-outer, -inner, 0.0, inner, outer};
  double shares[] = {(7.0 - 2.0 * root) / 60.0, (7.0 + 2.0 * root) / 60.0, 8.0 / 15.0, (7.0 + 2.0 * root) / 60.0,
                     (7.0 - 2.0 * root) / 60.0};
  double *V = new_reals(n * n), *values = new_reals(n), *delta = new_reals(n), *theta = new_reals(n);
  double *gradient = new_reals(n);
  sgf_error error = {SGF_OK, ""};
  memcpy(V, Sigma, n * n * sizeof *V);
  ASSERT_OK(sgf_symmetric_eigen(n, V, values, "covariance", &error), error);
  ck_assert(values[n - 3] < 1e-12 * values[n - 2]);
  for (size_t a = 0; a < 5; a++)
    for (size_t b = 0; b < 5; b++) {
      for (size_t k = 0; k < n; k++) {
        delta[k] =
            sqrt(values[n - 1]) * nodes[a] * V[(n - 1) * n + k] + sqrt(values[n - 2]) * nodes[b] * V[(n - 2) * n + k];
        theta[k] = problem->theta[k] + mean[k] + delta[k];
      }
      ASSERT_OK(sgf_gradient(&problem->network, &problem->data, theta, 0.0, gradient, &error), error);
      for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) average[i * n + j] += shares[a] * shares[b] * gradient[i] * delta[j];
    }
  free(V);
  free(values);
  free(delta);
  free(theta);
  free(gradient);
}

/* R(1) = Sigma - lambda E[g delta^T] by the average of the gradient itself, which knows no mean drift. Not by that at theta*. */
START_TEST(closure_regresses_on_the_gradient)
{
  sgf_problem *problem;
  sgf_prediction *prediction = predict_by(SGF_EQUATION_CLOSURE, 2, (size_t[]){2, 2, 1}, 0.1, &problem);
  size_t n = problem->network.weights, lags, columns;
  const double *Sigma = array(prediction, "covariance"), *directions = array(prediction, "directions");
  const double *c = array(prediction, "autocovariance"), *H = array(prediction, "hessian");
  double *average = new_reals(n * n), *product = new_reals(n * n), planted = 0.0;
  const double *time = sgf_prediction_array(prediction, "lags", &lags, &columns);
  ASSERT_NEAR(time[1], 0.1, 1e-15);
  gaussian_average(problem, array(prediction, "mean"), Sigma, average);
  sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, Sigma, product);
  for (size_t k = 0; k < 2; k++) {
    double fallen = 0.1 * sgf_quadratic_form(n, average, directions + k * n);
    ASSERT_NEAR(c[k * lags] - c[k * lags + 1], fallen, 1e-9 * fallen);
    planted = fmax(planted, fabs(0.1 * sgf_quadratic_form(n, product, directions + k * n) / fallen - 1.0));
  }
  ck_assert_msg(planted > 1e-3, "the drift at theta* differs by %g only", planted);
  free(average);
  free(product);
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
}
END_TEST

/* The closure's times are those of leading order but for terms that are linear in the learning rate. */
START_TEST(closure_is_the_next_order_in_time)
{
  double deviation[3];
  for (int k = 0; k < 3; k++) {
    double rate = 0.04 / (double)(1 << k);
    sgf_problem *problem, *other;
    sgf_prediction *closure = predict_by(SGF_EQUATION_CLOSURE, 2, (size_t[]){4, 3, 2}, rate, &problem);
    sgf_prediction *leading = predict_by(SGF_EQUATION_DISCRETE, 2, (size_t[]){4, 3, 2}, rate, &other);
    const sgf_time_info *next = &sgf_prediction_get_info(closure)->time,
                        *first = &sgf_prediction_get_info(leading)->time;
    deviation[k] = next->correlation_time / first->correlation_time - 1.0;
    sgf_prediction_free(closure);
    sgf_prediction_free(leading);
    sgf_problem_free(problem);
    sgf_problem_free(other);
  }
  ck_assert(fabs(deviation[0]) > 1e-4);
  ASSERT_NEAR(deviation[0] / deviation[1], 2.0, 0.3);
  ASSERT_NEAR(deviation[1] / deviation[2], 2.0, 0.15);
}
END_TEST

/* With the whole sample in every batch there is no noise and no time; epochs by the closure have no law. */
START_TEST(full_batches_are_still)
{
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  settings_with_widths(&settings, 3, (size_t[]){3, 3, 2});
  ck_assert(sgf_no_time_law(&settings) == NULL);
  settings.training.sampling = SGF_SAMPLING_EPOCH;
  ck_assert(sgf_no_time_law(&settings) == NULL);
  settings.theory.equation = SGF_EQUATION_CLOSURE; /* each is built, both together are not */
  ck_assert(sgf_no_time_law(&settings) != NULL);
  settings.theory.equation = SGF_EQUATION_DISCRETE;
  settings.data.samples = 30;
  settings.training.batch_size = 30;
  settings.training.sampling = SGF_SAMPLING_WITHOUT_REPLACEMENT;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  for (int large = 0; large < 2; large++) {
    sgf_prediction *prediction;
    if (large)
      ASSERT_OK(sgf_predict_by_operator(problem, &prediction, &error), error);
    else
      prediction = predict(problem);
    const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
    ck_assert(info->untimed != NULL && strstr(info->untimed, "nothing") != NULL);
    ck_assert(isnan(info->time.correlation_time) && sgf_prediction_find(prediction, "lags") == NULL);
    sgf_prediction_free(prediction);
  }
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("time");
  TCase *laws = tcase_create("laws"), *predictions = tcase_create("predictions");
  tcase_set_timeout(laws, 120.0);
  tcase_set_timeout(predictions, 120.0);
  tcase_add_test(laws, autoregression_of_first_order);
  tcase_add_test(laws, powers_of_a_process_without_detailed_balance);
  tcase_add_test(laws, spectrum_and_autocovariance);
  tcase_add_test(laws, small_learning_rates_are_the_continuum);
  tcase_add_test(predictions, one_layer_of_detailed_balance);
  tcase_add_test(predictions, two_layers_of_detailed_balance);
  tcase_add_test(predictions, displacement_and_times_of_a_prediction);
  tcase_add_test(predictions, drift_along_the_null_space);
  tcase_add_test(predictions, closure_of_one_layer_is_exact);
  tcase_add_test(predictions, closure_regresses_on_the_gradient);
  tcase_add_test(predictions, closure_is_the_next_order_in_time);
  tcase_add_test(predictions, full_batches_are_still);
  suite_add_tcase(suite, laws);
  suite_add_tcase(suite, predictions);
  return run_suite(suite);
}
