/* Fluctuations in time under reshuffled epochs, against all permutations of an epoch, sums, limits, and predictions. */
#include "../theory/correlation_time.h"
#include "../theory/heavy_ball.h"
#include "../theory/prediction.h"
#include "../theory/time_dependence_epoch.h"
#include "testing.h"

static double *array(const sgf_prediction *prediction, const char *name)
{
  double *values = sgf_prediction_find(prediction, name);
  ck_assert_msg(values != NULL, "theory/%s is missing", name);
  return values;
}

/* ------------------------------------------------------- all permutations */

enum { MODES = 2, EPOCHS = 80, MOST_BATCHES = 4 };

/* E[g_{p(a)} g_{p(b)}^T] over all permutations p of M batches whose gradients (M, MODES) sum to 0: (M, M, MODES, MODES). No
 * formula: one after the other. */
static size_t add_permutations(size_t M, const double *g, size_t placed, size_t *order, double *moments)
{
  size_t count = 0;
  if (placed == M) {
    for (size_t a = 0; a < M; a++)
      for (size_t b = 0; b < M; b++)
        for (size_t i = 0; i < MODES; i++)
          for (size_t j = 0; j < MODES; j++)
            moments[((a * M + b) * MODES + i) * MODES + j] += g[order[a] * MODES + i] * g[order[b] * MODES + j];
    return 1;
  }
  for (size_t next = 0; next < M; next++) {
    bool used = false;
    for (size_t k = 0; k < placed; k++) used = used || order[k] == next;
    if (used) continue;
    order[placed] = next;
    count += add_permutations(M, g, placed + 1, order, moments);
  }
  return count;
}

static const double RHO[MODES] = {0.12, 0.7}; /* lambda h */

/* r_i(q) = delta after q steps from a kick of 1, by the steps themselves: (steps). */
static void kick(double rho, double beta, size_t steps, double *r)
{
  double delta = 1.0, v = 1.0;
  for (size_t q = 0; q < steps; q++) {
    r[q] = delta;
    v = beta * v - rho * delta;
    delta += v;
  }
}

/* The mean over the positions of E[delta_i(t + lag) delta_j(t)] long after a start at 0, noise of EPOCHS epochs: (MODES,
 * MODES). */
static void brute_autocovariance(size_t M, double beta, const double *moments, size_t lag, double *R)
{
  size_t steps = EPOCHS * M;
  double r[MODES][EPOCHS * MOST_BATCHES];
  for (size_t i = 0; i < MODES; i++) kick(RHO[i], beta, steps, r[i]);
  memset(R, 0, MODES * MODES * sizeof *R);
  for (size_t position = 0; position < M; position++) {
    size_t later = steps - 1 - position, t = later - lag; /* the noise of step s moves delta(t) by r(t - s), s <= t */
    for (size_t s = 0; s <= later; s++)
      for (size_t u = s / M * M; u < s / M * M + M && u <= t; u++)
        for (size_t i = 0; i < MODES; i++)
          for (size_t j = 0; j < MODES; j++)
            R[i * MODES + j] +=
                r[i][later - s] * r[j][t - u] * moments[((s % M * M + u % M) * MODES + i) * MODES + j] / (double)M;
  }
}

/* The modes of independent draws of covariance c of a batch, for the law of M batches. */
static void make_modes(const sgf_time_law *law, const double *rates, size_t count, const double *c,
                       sgf_time_modes *modes)
{
  double *V = new_reals(count * count);
  *modes = (sgf_time_modes){.law = *law, .n = count, .count = count, .V = V, .rates = rates};
  modes->Z = new_reals(count * count);
  for (size_t i = 0; i < count; i++) {
    V[i * count + i] = 1.0;
    for (size_t j = 0; j < count; j++)
      modes->Z[i * count + j] =
          c[i * count + j] / law->step * sgf_pair_response(law->step, law->momentum, rates[i], rates[j]);
  }
}

static void free_modes(sgf_time_modes *modes)
{
  free((double *)modes->V);
  sgf_time_modes_free(modes);
}

START_TEST(all_permutations_of_an_epoch)
{
  static const double betas[] = {0.0, 0.5, 0.6};
  static const double directions[3 * MODES] = {1.0, 0.0, 0.6, -0.8, 0.5, 1.0};
  for (size_t M = 2; M <= MOST_BATCHES; M++)
    for (size_t b = 0; b < 3; b++) {
      double g[MOST_BATCHES * MODES], *moments = new_reals(M * M * MODES * MODES), c[MODES * MODES] = {0.0};
      double rates[MODES] = {RHO[0] / 0.2, RHO[1] / 0.2}, weights[3 * 2 * MODES], factors[2 * MODES];
      size_t order[MOST_BATCHES], permutations;
      sgf_time_law law = {0.2, true, betas[b], M};
      sgf_time_modes modes;
      sgf_error error = {SGF_OK, ""};
      fill_normal(40 + M, M * MODES, g);
      for (size_t i = 0; i < MODES; i++) {
        double mean = 0.0;
        for (size_t a = 0; a < M; a++) mean += g[a * MODES + i] / (double)M;
        for (size_t a = 0; a < M; a++) g[a * MODES + i] -= mean;
      }
      permutations = add_permutations(M, g, 0, order, moments);
      for (size_t k = 0; k < M * M * MODES * MODES; k++) moments[k] /= (double)permutations;
      memcpy(c, moments, sizeof c); /* of the first batch */
      make_modes(&law, rates, MODES, c, &modes);
      ASSERT_OK(sgf_time_weights(&modes, 0, 0, MODES, 3, directions, weights, &error), error);
      for (size_t lag = 0; lag <= 4 * M + 1; lag++) {
        double R[MODES * MODES];
        brute_autocovariance(M, betas[b], moments, lag, R);
        sgf_autocovariance_factors(&modes, (double)lag, factors);
        for (size_t p = 0; p < 3; p++) {
          double expected = sgf_quadratic_form(MODES, R, directions + p * MODES);
          double scale = sgf_quadratic_form(MODES, c, directions + p * MODES);
          ASSERT_NEAR(sgf_dot(2 * MODES, weights + p * 2 * MODES, factors), expected, 1e-11 * scale);
        }
      }
      free(moments);
      free_modes(&modes);
    }
}
END_TEST

/* ------------------------------------------------------------- one mode */

static double sum_of(const sgf_time_modes *modes,
                     void (*fill)(const sgf_time_modes *modes, double at, double *factors), double at)
{
  double one = 1.0, weights[2], factors[2];
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_time_weights(modes, 0, 0, 1, 1, &one, weights, &error), error);
  fill(modes, at, factors);
  return sgf_dot(2, weights, factors);
}

static void times_of(const sgf_time_modes *modes, double *correlation, double *decay)
{
  double one = 1.0, weights[2];
  sgf_memory memory;
  sgf_error error = {SGF_OK, ""};
  ASSERT_OK(sgf_time_weights(modes, 0, 0, 1, 1, &one, weights, &error), error);
  ASSERT_OK(sgf_memory_create(modes, &memory, &error), error);
  ASSERT_OK(sgf_memory_times(&memory, 1, weights, correlation, decay, &error), error);
  sgf_memory_free(&memory);
}

/* Slow against an epoch: (1 - k/M)^3 of Brownian bridges, c(M + 1)/6, a quarter of an epoch; and to all digits, whatever the rate.
 * c has the terms of order 1/M^2 that steps have. */
START_TEST(slow_modes_are_bridges)
{
  static const double rhos[] = {1e-13, 1e-9, 1e-6};
  for (size_t k = 0; k < sizeof rhos / sizeof *rhos; k++)
    for (int heavy = 0; heavy < 2; heavy++) {
      enum { M = 1000 };
      double beta = heavy ? 0.5 : 0.0, rate = rhos[k], one = 1.0, correlation, decay;
      double rounding = 3.0 * (double)M * rate / (1.0 - beta) + 1e-12, kicks = heavy ? 4.0 / (double)M : 0.0;
      sgf_time_law law = {1.0, true, beta, M};
      sgf_time_modes modes;
      make_modes(&law, &rate, 1, &one, &modes);
      double whole = sum_of(&modes, sgf_autocovariance_factors, 0.0), slow = (1.0 - beta) * (1.0 - beta);
      ASSERT_NEAR(whole * slow, (M + 1) / 6.0, (rounding + kicks) * M / 6.0);
      for (double lag = 0.0; lag <= M; lag += 125.0) {
        double left = (double)M - lag, bridge = left * (left * left - 1.0) / (6.0 * M * (M - 1.0)); /* sum m(M-k-m) */
        if (lag > 0.0)
          ASSERT_NEAR(sum_of(&modes, sgf_autocovariance_factors, lag) * slow, bridge, (rounding + kicks) * M / 6.0);
      }
      ASSERT_NEAR(sum_of(&modes, sgf_autocovariance_factors, 2.0 * M), 0.0, rounding * whole);
      times_of(&modes, &correlation, &decay);
      ASSERT_NEAR(correlation / M, 0.25, 0.01);
      ASSERT_NEAR(decay / M, 1.0 - exp(-1.0 / 3.0), 0.003);
      free_modes(&modes);
    }
}
END_TEST

/* Rates in units of one over the epoch: slow, at the crossover, fast; overdamped, critical and oscillating. */
static const struct {
  double rho, beta;
  size_t batches;
} PROCESSES[] = {{0.001, 0.0, 30}, {0.1, 0.0, 30}, {0.6, 0.0, 30}, {1.3, 0.0, 7},
                 {0.01, 0.9, 25},  {0.3, 0.9, 25}, {0.2, 0.4, 2},  {0.0009765625, 0.9375, 40},
                 {0.03, 0.0, 500}};

/* With h = 2.5: c(0) + 2 sum c(k) = 0, sums as they are, the correlation time, the spectrum's integral and its cosine
 * transform, and S(0) = 0; no kink at the end of the epoch. */
START_TEST(sums_and_spectra)
{
  enum { MOST = 60000 };
  double *c = new_reals(MOST);
  for (size_t k = 0; k < sizeof PROCESSES / sizeof *PROCESSES; k++) {
    double rate = 2.5, noise = 0.7, sum = 0.0, correlation, decay, transform[4] = {0.0};
    sgf_time_law law = {PROCESSES[k].rho / rate, true, PROCESSES[k].beta, PROCESSES[k].batches};
    sgf_time_modes modes;
    make_modes(&law, &rate, 1, &noise, &modes);
    for (size_t lag = 0; lag < MOST; lag++) c[lag] = sum_of(&modes, sgf_autocovariance_factors, (double)lag);
    double step = modes.Z[0];
    for (size_t lag = 1; lag < MOST; lag++) {
      sgf_time_factor factor = sgf_epoch_time_sum(&law, rate, (double)lag);
      sum += c[lag];
      if (lag > 2000 && lag % 500 != 0) continue;
      double weights[2], one = 1.0;
      sgf_error error = {SGF_OK, ""};
      ASSERT_OK(sgf_time_weights(&modes, 0, 0, 1, 1, &one, weights, &error), error);
      ASSERT_NEAR(weights[0] * factor.whole + weights[1] * factor.step, sum, 1e-9 * c[0] * (double)law.batches);
    }
    ASSERT_NEAR(sum / c[0], -0.5, 1e-7 * (double)law.batches);
    size_t end = 1;
    for (sum = 0.5 * c[0]; end < MOST && c[end] > 0.0; end++) sum += c[end];
    times_of(&modes, &correlation, &decay);
    ASSERT_NEAR(correlation, law.step * sum / c[0], 1e-4 * law.step * sum / c[0]);
    end = 0;
    while (c[end] > c[0] / M_E) end++;
    ck_assert(decay <= law.step * (double)end + 1e-12 && decay >= law.step * ((double)end - 1.0) - 1e-12);
    enum { GRID = 1 << 15 };
    double spacing = 1.0 / (GRID * law.step);
    for (size_t j = 0; j <= GRID / 2; j++) {
      double share = j == 0 || j == GRID / 2 ? 0.5 : 1.0;
      double S = sum_of(&modes, sgf_spectrum_factors, (double)j * spacing);
      ck_assert(S >= -1e-12 * step * law.step);
      for (size_t t = 0; t < 4; t++)
        transform[t] += share * S * spacing * cos(2.0 * M_PI * (double)(j * t * 11 % GRID) / (double)GRID);
    }
    for (size_t t = 0; t < 4; t++) ASSERT_NEAR(transform[t], c[11 * t], 2e-6 * c[0]);
    ASSERT_NEAR(sum_of(&modes, sgf_spectrum_factors, 0.0), 0.0, 0.0);
    double f = 3.0 / (law.step * (double)law.batches),
           M = (double)law.batches; /* as independent draws, but for M/(M-1) */
    modes.law.batches = 0;
    double independent = sum_of(&modes, sgf_spectrum_factors, f);
    modes.law.batches = law.batches;
    if (law.batches > 3 && law.batches % 3 != 0)
      ASSERT_NEAR(sum_of(&modes, sgf_spectrum_factors, f), independent * M / (M - 1.0), 1e-9 * independent);
    free_modes(&modes);
  }
  free(c);
}
END_TEST

/* Epochs without end are independent draws. */
START_TEST(long_epochs_are_independent_draws)
{
  static const double betas[] = {0.0, 0.8};
  for (int b = 0; b < 2; b++) {
    double rate = 0.5, noise = 1.0, correlation, decay, limit, limit_decay;
    sgf_time_law law = {0.02, true, betas[b], 100000000};
    sgf_time_modes modes;
    make_modes(&law, &rate, 1, &noise, &modes);
    static const double lags[] = {0.0, 1.0, 7.0, 60.0, 300.0};
    double epochs[5], spectrum = sum_of(&modes, sgf_spectrum_factors, 0.3);
    for (size_t k = 0; k < 5; k++) epochs[k] = sum_of(&modes, sgf_autocovariance_factors, lags[k]);
    times_of(&modes, &correlation, &decay);
    modes.law.batches = 0;
    for (size_t k = 0; k < 5; k++)
      ASSERT_NEAR(epochs[k], sum_of(&modes, sgf_autocovariance_factors, lags[k]), 1e-5 * modes.Z[0]);
    ASSERT_NEAR(spectrum, sum_of(&modes, sgf_spectrum_factors, 0.3), 1e-6 * spectrum);
    times_of(&modes, &limit, &limit_decay);
    ASSERT_NEAR(correlation, limit, 1e-4 * limit);
    ASSERT_NEAR(decay, limit_decay, 1e-4 * limit_decay);
    free_modes(&modes);
  }
}
END_TEST

/* Without momentum as with very little of it. */
START_TEST(momentum_vanishes)
{
  for (size_t k = 0; k < 4; k++) {
    double rate = 2.5, noise = 0.7;
    sgf_time_law law = {PROCESSES[k].rho / rate, true, 0.0, PROCESSES[k].batches}, heavy = law;
    sgf_time_modes modes, other;
    heavy.momentum = 1e-9;
    make_modes(&law, &rate, 1, &noise, &modes);
    make_modes(&heavy, &rate, 1, &noise, &other);
    double c = sum_of(&modes, sgf_autocovariance_factors, 0.0);
    for (double lag = 0.0; lag < 100.0; lag++)
      ASSERT_NEAR(sum_of(&modes, sgf_autocovariance_factors, lag), sum_of(&other, sgf_autocovariance_factors, lag),
                  1e-7 * c);
    free_modes(&modes);
    free_modes(&other);
  }
}
END_TEST

/* ------------------------------------------------------------ predictions */

static sgf_problem *random_problem(size_t layers, double momentum, double rate, sgf_settings *settings)
{
  static const size_t widths[] = {4, 3, 3, 2};
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  size_t chosen[4];
  memcpy(chosen, widths, sizeof chosen);
  chosen[layers] = 2;
  settings_with_widths(settings, layers + 1, chosen);
  settings->data.samples = 60;
  settings->training.learning_rate = rate;
  settings->training.batch_size = 5;
  settings->training.momentum = momentum;
  settings->training.sampling = SGF_SAMPLING_EPOCH;
  settings->seed = 3;
  ASSERT_OK(sgf_problem_create(settings, NULL, false, &problem, &error), error);
  return problem;
}

/* What is predicted of time is of the same variances as the covariance of section 8, which is found in another way: by the walk
 * through an epoch. Displacement of the layers adds up, and ends at 2 tr Sigma. */
START_TEST(variances_of_a_prediction)
{
  for (size_t layers = 1; layers <= 3; layers++)
    for (int heavy = 0; heavy < 2; heavy++) {
      sgf_settings settings;
      sgf_problem *problem = random_problem(layers, heavy ? 0.8 : 0.0, heavy ? 0.004 : 0.02, &settings);
      sgf_prediction *prediction = predict(problem);
      const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
      size_t lags, columns, points;
      const double *time = sgf_prediction_array(prediction, "lags", &lags, &columns), *variance, *c;
      const double *displacement = array(prediction, "mean_square_displacement");
      const double *frequencies = sgf_prediction_array(prediction, "frequencies", &points, &columns);
      const double *correlation = array(prediction, "correlation_time"), *decay = array(prediction, "decay_time");
      const double *spectrum = array(prediction, "power_spectrum");
      ck_assert(info->untimed == NULL && frequencies[0] == 0.0 && time[0] == 0.0 && displacement[0] == 0.0);
      ck_assert(info->time.correlation_time > 0.0 && info->time.displacement_rate > 0.0);
      variance = array(prediction, "variance");
      c = array(prediction, "autocovariance");
      double scale = variance[0];
      for (size_t k = 0; k < info->rank_hessian && k < SGF_MODES_IN_TIME; k++) {
        ASSERT_NEAR(c[k * lags], variance[k], 1e-11 * scale);
        ck_assert(correlation[k] > 0.0 && decay[k] > 0.0 && decay[k] < 12 * settings.training.learning_rate);
        ASSERT_NEAR(spectrum[k * points], 0.0, 1e-12 * scale);
      }
      ck_assert(layers == 1 || isnan(correlation[info->weights - 1]));
      ASSERT_NEAR(displacement[lags - 1], 2.0 * info->trace, 1e-3 * info->trace);
      for (size_t l = 1; l <= layers; l++) {
        char name[48];
        snprintf(name, sizeof name, "layer%zu/variance", l);
        variance = array(prediction, name);
        snprintf(name, sizeof name, "layer%zu/autocovariance", l);
        c = array(prediction, name);
        size_t size = sgf_layer_size(&problem->network, l);
        for (size_t k = 0; k < size && k < SGF_MODES_IN_TIME; k++)
          ASSERT_NEAR(c[k * lags], variance[k], 1e-11 * scale);
      }
      for (size_t t = 0; t < lags; t++) {
        double sum = 0.0;
        for (size_t l = 1; l <= layers; l++) {
          char name[48];
          snprintf(name, sizeof name, "layer%zu/mean_square_displacement", l);
          sum += array(prediction, name)[t];
        }
        ASSERT_NEAR(sum, displacement[t], 1e-11 * info->trace);
      }
      sgf_prediction_free(prediction);
      sgf_problem_free(problem);
      sgf_settings_free(&settings);
    }
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("time_epochs");
  TCase *laws = tcase_create("laws"), *predictions = tcase_create("predictions");
  tcase_set_timeout(laws, 120.0);
  tcase_set_timeout(predictions, 120.0);
  tcase_add_test(laws, all_permutations_of_an_epoch);
  tcase_add_test(laws, slow_modes_are_bridges);
  tcase_add_test(laws, sums_and_spectra);
  tcase_add_test(laws, long_epochs_are_independent_draws);
  tcase_add_test(laws, momentum_vanishes);
  tcase_add_test(predictions, variances_of_a_prediction);
  suite_add_tcase(suite, laws);
  suite_add_tcase(suite, predictions);
  return run_suite(suite);
}
