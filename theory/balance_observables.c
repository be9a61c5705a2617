/* Noise balance, where the slow motion along the minima ends: how far theta* is from it, how fast it is approached, and
 * what of the IVFR is left there. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "closed_form.h"
#include "flatness.h"
#include "linear_algebra.h"
#include "memory.h"
#include "noise_balance.h"
#include "prediction.h"
#include "symmetry.h"

/* Points of the approach, evenly in time up to this many slowest times. */
enum { POINTS = 25, STEPS_A_POINT = 200 };
static const double SLOWEST_TIMES = 3.0;
/* Hidden units beyond which the approach is not followed: its equations are N_1^2, each step some products of N_1^3. */
enum { MOST_FOLLOWED = 40 };

/* Whether the motion is known: see noise_balance.h for what is refused. */
static bool has_noise_balance(const sgf_problem *problem, const sgf_prediction *prediction)
{
  return problem->network.layers > 1 && problem->settings.training.weight_decay == 0.0 &&
         !prediction->info.noise_free && prediction->info.noise_strength > 0.0 &&
         (problem->network.layers == 2 || sgf_symmetry_count(&problem->network) <= SGF_MOST_COUPLED_MODES);
}

/* psi of the closed form for C = s^2 H with the weights at balance; without a bottleneck. */
static sgf_status fit_balanced_layer(const sgf_problem *problem, const double *theta, size_t layer,
                                     sgf_prediction *prediction, sgf_error *error)
{
  size_t size = sgf_layer_size(&problem->network, layer);
  double *variance = NULL, *curvature = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&variance, size, 1, "layer at noise balance", error));
  SGF_TRY(sgf_new_reals(&curvature, size, 1, "layer at noise balance", error));
  SGF_TRY(sgf_closed_form_layer(&problem->network, &problem->data, theta, layer, prediction->info.temperature,
                                variance, curvature, error));
  SGF_TRY(sgf_ivfr_fit(size, variance, curvature, problem->settings.seed,
                       &prediction->layers[layer - 1].ivfr_balanced, error));
done:
  free(variance);
  free(curvature);
  return status;
}

/* |A A^T|^2 + |B B^T|^2 - 2 |A B^T|^2 = |A^T A - B^T B|^2, A and B (rows, columns), stored so or transposed; work (rows,
 * rows). Good to the root of round-off. */
static double square_between(size_t rows, size_t columns, bool transposed, const double *A, const double *B,
                             double *work)
{
  const double *pairs[3][2] = {{A, A}, {B, B}, {A, B}};
  double square = 0.0;
  for (size_t k = 0; k < 3; k++) {
    sgf_multiply(rows, rows, columns, transposed ? SGF_TRANSPOSED : SGF_PLAIN, pairs[k][0],
                 transposed ? SGF_PLAIN : SGF_TRANSPOSED, pairs[k][1], work);
    square += (k == 2 ? -2.0 : 1.0) * sgf_dot(rows * rows, work, work);
  }
  return fmax(square, 0.0);
}

/* What separates weights of a two-layer network from others of the same map, whatever the rotation of the hidden layer:
 * (|W_1^T W_1 - V_1^T V_1|^2 + |W_2 W_2^T - V_2 V_2^T|^2)^{1/2}, w^2. work (N_1, N_1). */
static double distance_up_to_rotation(const sgf_network *network, const double *theta, const double *end,
                                      double *work)
{
  size_t N = network->widths[1], first = network->offsets[1], second = network->offsets[2];
  return sqrt(square_between(N, network->widths[0], false, theta + first, end + first, work) +
              square_between(N, network->widths[2], true, theta + second, end + second, work));
}

/* Sets noise_balance/time and noise_balance/distance: how the weights approach their end. Left out where that takes too
 * many steps. */
static sgf_status follow(const sgf_problem *problem, sgf_noise_balance *balance, const double *end, double rate,
                         sgf_prediction *prediction, sgf_error *error)
{
  const sgf_network *network = &problem->network;
  double distance[POINTS], *theta = NULL, *work = NULL, *kept, last = SLOWEST_TIMES / rate;
  sgf_status status = SGF_OK;
  if (!(rate > 0.0) || network->widths[1] > MOST_FOLLOWED) return SGF_OK;
  SGF_TRY(sgf_new_reals(&theta, network->weights, 1, "approach to noise balance", error));
  SGF_TRY(sgf_new_reals(&work, network->widths[1], network->widths[1], "approach to noise balance", error));
  for (size_t k = 0; k < POINTS; k++) {
    double time = last * (double)k / (double)(POINTS - 1);
    status = sgf_noise_balance_advance(balance, time, STEPS_A_POINT, theta, error);
    if (status != SGF_OK) goto unfinished;
    distance[k] = distance_up_to_rotation(network, theta, end, work);
  }
  SGF_TRY(sgf_prediction_add(prediction, "noise_balance/time", POINTS, 0, &kept, error));
  for (size_t k = 0; k < POINTS; k++) kept[k] = last * (double)k / (double)(POINTS - 1);
  SGF_TRY(sgf_prediction_add(prediction, "noise_balance/distance", POINTS, 0, &kept, error));
  memcpy(kept, distance, sizeof distance);
  goto done;
unfinished:
  if (status == SGF_ERROR_NUMERICAL) status = SGF_OK;
done:
  free(theta);
  free(work);
  return status;
}

/* The fixed point of two layers. Where the noise vanishes for some of M there is none, and where it nearly does no
 * eigenvalues may be found: numbers then stay NaN. */
static sgf_status find_end(const sgf_problem *problem, sgf_noise_balance *balance, sgf_prediction *prediction,
                           sgf_error *error)
{
  sgf_noise_balance_info *info = &prediction->info.noise_balance;
  size_t n = problem->network.weights;
  double *theta = NULL, *weights, square = 0.0;
  sgf_balanced_state state;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&theta, n, 1, "weights at noise balance", error));
  status = sgf_balanced_weights(balance, theta, &state, error);
  if (status == SGF_ERROR_VALUE || status == SGF_ERROR_NUMERICAL) {
    status = SGF_OK;
    goto done;
  }
  if (status != SGF_OK) goto done;
  info->rate = isnan(state.rate) ? NAN : fmin(state.rate, state.rate_surplus);
  info->surplus = state.surplus;
  for (size_t k = 0; k < n; k++) square += (theta[k] - problem->theta[k]) * (theta[k] - problem->theta[k]);
  info->distance = sqrt(square) / sgf_norm(n, problem->theta);
  SGF_TRY(sgf_prediction_add(prediction, "noise_balance/weights", n, 0, &weights, error));
  memcpy(weights, theta, n * sizeof *theta);
  for (size_t l = 1; l <= 2 && !problem->certificate.bottleneck; l++)
    SGF_TRY(fit_balanced_layer(problem, theta, l, prediction, error));
  SGF_TRY(follow(problem, balance, theta, info->rate, prediction, error));
done:
  free(theta);
  return status;
}

void sgf_no_noise_balance(sgf_prediction *prediction)
{
  prediction->info.noise_balance = (sgf_noise_balance_info){NAN, NAN, NAN, 0};
  for (size_t l = 0; l < prediction->info.layers; l++)
    prediction->layers[l].ivfr_balanced = (sgf_ivfr){NAN, NAN, NAN, NAN, 0, 0};
}

sgf_status sgf_observe_noise_balance(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  sgf_noise_balance_info *info = &prediction->info.noise_balance;
  sgf_noise_balance *balance = NULL;
  double scale = problem->settings.training.learning_rate * prediction->info.noise_strength, *drift = NULL;
  sgf_status status = SGF_OK;
  sgf_no_noise_balance(prediction);
  if (!has_noise_balance(problem, prediction)) return SGF_OK;
  scale *= sgf_balance_speed(problem->settings.training.momentum, sgf_batches_of(problem));
  SGF_TRY(sgf_noise_balance_create(problem, scale, &balance, error));
  SGF_TRY(sgf_new_reals(&drift, sgf_symmetry_count(&problem->network), 1, "drift of the balance", error));
  SGF_TRY(sgf_noise_balance_drift(balance, problem->theta, drift, &info->imbalance, error));
  if (problem->network.layers == 2) SGF_TRY(find_end(problem, balance, prediction, error));
done:
  sgf_noise_balance_free(balance);
  free(drift);
  return status;
}
