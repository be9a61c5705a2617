/* The covariances of a prediction: by every constant-drift equation, by the exact one, and averaged over a window. */
#include <stdlib.h>
#include <string.h>

#include "closed_form.h"
#include "epoch_mean.h"
#include "heavy_ball.h"
#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"

/* Mean over whole epochs and its second moment, of reshuffled epochs, of all weights or of one layer alone. */
static sgf_status reshuffled_mean(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                                  const sgf_plan *plan, double *mean, double *second, sgf_error *error)
{
  const sgf_fluctuations *fluctuations = layer == 0 ? &prediction->joint : &prediction->frozen[layer - 1];
  sgf_epochs run = sgf_epochs_of(problem, plan);
  return sgf_epoch_mean(problem, layer, &fluctuations->range, prediction->info.noise_strength, run.batches,
                        run.skipped, run.counted, mean, second, error);
}

/* How far the covariance of all weights is from one with constant drift. */
typedef enum { CONSTANT_DRIFT, EXACT, LINEARIZED } method;

static method method_of(const sgf_settings *settings)
{
  if (sgf_is_exact(settings)) return EXACT;
  return settings->theory.equation == SGF_EQUATION_MULTIPLICATIVE ? LINEARIZED : CONSTANT_DRIFT;
}

/* Covariance by the configured equation, about the mean of the ensemble. */
static sgf_status configured_covariance(const sgf_problem *problem, const sgf_prediction *prediction,
                                        const sgf_plan *plan, double *Sigma, sgf_error *error)
{
  size_t n = prediction->joint.range.n;
  sgf_time time = sgf_configured_time(&problem->settings);
  bool plain = time == SGF_TIME_CONTINUUM || time == SGF_TIME_DISCRETE;
  method by = method_of(&problem->settings);
  if (by == CONSTANT_DRIFT && plan == NULL && plain) {
    const char *name = time == SGF_TIME_CONTINUUM ? "covariance_continuum" : "covariance_discrete";
    memcpy(Sigma, sgf_prediction_find(prediction, name), n * n * sizeof *Sigma);
    return SGF_OK;
  }
  if (by == CONSTANT_DRIFT) return sgf_covariance(problem, &prediction->joint, time, plan, Sigma, error);
  memcpy(Sigma, sgf_prediction_find(prediction, by == EXACT ? "covariance_exact" : "covariance_multiplicative"),
         n * n * sizeof *Sigma);
  if (plan == NULL) return SGF_OK;
  if (by == LINEARIZED)
    return sgf_hessian_noise_window(prediction->linearized, problem->settings.training.learning_rate, plan, Sigma,
                                    error);
  return sgf_exact_window(prediction->exact, problem->settings.training.learning_rate,
                          (double)(plan->burn_in_steps + plan->stride), (double)plan->stride,
                          (double)(plan->window_steps / plan->stride), Sigma, error);
}

/* One layer alone is linear: with its own Hessian in every sample the equation is exact for it. Stationary for plan =
 * NULL. */
static sgf_status frozen_covariance(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                                    const sgf_plan *plan, double *Sigma, sgf_error *error)
{
  const sgf_fluctuations *frozen = &prediction->frozen[layer - 1];
  double lambda = problem->settings.training.learning_rate, residual;
  sgf_hessian_noise *noise = NULL;
  sgf_status status;
  bool closure = problem->settings.theory.equation == SGF_EQUATION_CLOSURE;
  if (closure && problem->settings.training.momentum > 0.0)
    return sgf_closure_frozen(problem, frozen, layer, plan, Sigma, error);
  if (method_of(&problem->settings) != LINEARIZED && !closure)
    return sgf_covariance(problem, frozen, sgf_configured_time(&problem->settings), plan, Sigma, error);
  SGF_TRY(sgf_hessian_noise_create(problem, layer, &frozen->range, prediction->info.noise_strength, &noise, error));
  SGF_TRY(sgf_hessian_noise_covariance(noise, frozen, lambda, Sigma, &residual, error));
  if (plan != NULL) SGF_TRY(sgf_hessian_noise_window(noise, lambda, plan, Sigma, error));
done:
  sgf_hessian_noise_free(noise);
  return status;
}

static bool is_reshuffled_closure(const sgf_problem *problem)
{
  const sgf_settings *settings = &problem->settings;
  return settings->theory.equation == SGF_EQUATION_CLOSURE && settings->training.sampling == SGF_SAMPLING_EPOCH;
}

/* One layer alone by the closure of reshuffled epochs: mean (size) and second moment (size, size). */
static sgf_status frozen_window(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                                const sgf_plan *plan, double *second, double *mean, sgf_error *error)
{
  const sgf_fluctuations *frozen = &prediction->frozen[layer - 1];
  size_t size = frozen->range.n;
  double *Sigma;
  sgf_status status = sgf_new_reals(&Sigma, size, size, "covariance of a layer", error);
  if (status == SGF_OK) status = sgf_reshuffled_frozen(problem, frozen, layer, plan, Sigma, mean, second, error);
  for (size_t k = 0; k < size * size && status == SGF_OK && plan == NULL; k++) second[k] += Sigma[k];
  free(Sigma);
  return status;
}

sgf_status sgf_solve_frozen(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer, double *Sigma,
                            sgf_error *error)
{
  const sgf_fluctuations *frozen = &prediction->frozen[layer - 1];
  double *mean;
  if (!is_reshuffled_closure(problem)) return frozen_covariance(problem, prediction, layer, NULL, Sigma, error);
  sgf_status status = sgf_new_reals(&mean, frozen->range.n, 1, "mean of a layer", error);
  if (status == SGF_OK) status = sgf_reshuffled_frozen(problem, frozen, layer, NULL, Sigma, mean, NULL, error);
  free(mean);
  return status;
}

static sgf_status add_second_moment_of_mean(const sgf_problem *problem, const sgf_prediction *prediction,
                                            size_t layer, const sgf_plan *plan, double *second, double *mean,
                                            sgf_error *error)
{
  size_t n = layer == 0 ? prediction->joint.range.n : prediction->frozen[layer - 1].range.n;
  double *of_mean;
  sgf_status status = sgf_new_reals(&of_mean, n, n, "second moment of the mean", error);
  if (status == SGF_OK) status = reshuffled_mean(problem, prediction, layer, plan, mean, of_mean, error);
  for (size_t k = 0; k < n * n && status == SGF_OK; k++) second[k] += of_mean[k];
  free(of_mean);
  return status;
}

/* From about theta* to about the window's own mean. */
static sgf_status centre(const sgf_problem *problem, const sgf_fluctuations *fluctuations, const sgf_plan *plan,
                         double *second, sgf_error *error)
{
  size_t n = fluctuations->range.n;
  double *of_mean;
  sgf_status status = sgf_new_reals(&of_mean, n, n, "covariance of the window's mean", error);
  if (status == SGF_OK)
    status =
        sgf_covariance_of_mean(problem, fluctuations, sgf_configured_time(&problem->settings), plan, of_mean, error);
  for (size_t k = 0; k < n * n && status == SGF_OK; k++) second[k] -= of_mean[k];
  free(of_mean);
  return status;
}

sgf_status sgf_prediction_window(const sgf_problem *problem, const sgf_prediction *prediction, size_t layer,
                                 const sgf_plan *plan, double *second, double *mean, sgf_error *error)
{
  const sgf_fluctuations *fluctuations = layer == 0 ? &prediction->joint : &prediction->frozen[layer - 1];
  sgf_status status;
  if (layer == 0 && problem->settings.theory.equation == SGF_EQUATION_CLOSURE)
    return sgf_closure_moments(problem, prediction, plan, second, mean, error);
  if (is_reshuffled_closure(problem)) return frozen_window(problem, prediction, layer, plan, second, mean, error);
  memset(mean, 0, fluctuations->range.n * sizeof *mean);
  if (layer > 0)
    SGF_TRY(frozen_covariance(problem, prediction, layer, plan, second, error));
  else
    SGF_TRY(configured_covariance(problem, prediction, plan, second, error));
  if (plan != NULL && plan->centred) SGF_TRY(centre(problem, fluctuations, plan, second, error));
  if (problem->settings.training.sampling == SGF_SAMPLING_EPOCH)
    SGF_TRY(add_second_moment_of_mean(problem, prediction, layer, plan, second, mean, error));
done:
  return status;
}

/* The exact equation turns singular next to the stability limit: only then may it fail, and then it only matters
 * when it is the one that was asked for. */
static sgf_status add_exact(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  double *Sigma, residual;
  bool asked = sgf_is_exact(&problem->settings);
  sgf_status status = sgf_prediction_add(prediction, "covariance_exact", prediction->joint.range.n,
                                         prediction->joint.range.n, &Sigma, error);
  if (status == SGF_OK)
    status = sgf_exact_covariance(prediction->exact, problem->settings.training.learning_rate,
                                  sgf_prediction_find(prediction, "noise_covariance"), Sigma, &residual, error);
  if (status == SGF_OK && asked) prediction->info.residual = residual;
  if (status != SGF_ERROR_NUMERICAL || asked) return status;
  free(prediction->arrays[--prediction->array_count].values);
  return SGF_OK;
}

/* The equation multiplicative under its own name: with several layers its solution, with one the exact one. */
static sgf_status add_multiplicative(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->joint.range.n;
  double *Sigma;
  sgf_status status = sgf_prediction_add(prediction, "covariance_multiplicative", n, n, &Sigma, error);
  if (status != SGF_OK) return status;
  if (prediction->linearized != NULL)
    return sgf_hessian_noise_covariance(prediction->linearized, &prediction->joint,
                                        problem->settings.training.learning_rate, Sigma, &prediction->info.residual,
                                        error);
  memcpy(Sigma, sgf_prediction_find(prediction, "covariance_exact"), n * n * sizeof *Sigma);
  return SGF_OK;
}

/* Residual of the constant-H equation of independent draws with the settings' momentum, or without, from the raw H, C and
 * Sigma. */
static sgf_status measure_residual(const sgf_problem *problem, sgf_prediction *prediction, const char *name,
                                   double lambda, double momentum, sgf_error *error)
{
  size_t n = prediction->joint.range.n;
  const double *C = sgf_prediction_find(prediction, "noise_covariance");
  double scale = problem->settings.training.learning_rate * prediction->info.noise_strength, *work, *N;
  sgf_status status = sgf_new_reals(&work, 4 * n, n, "residual", error);
  if (status != SGF_OK) return status;
  N = work + 3 * n * n;
  for (size_t k = 0; k < n * n; k++) N[k] = scale * C[k];
  prediction->info.residual = sgf_heavy_ball_residual(n, sgf_prediction_find(prediction, "hessian"), lambda, momentum,
                                                      sgf_prediction_find(prediction, name), N, work);
  free(work);
  return SGF_OK;
}

/* The stationary mean of theta - theta*. */
static sgf_status add_mean(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->joint.range.n;
  double *mean, *second = NULL;
  sgf_status status = sgf_prediction_add(prediction, "mean", n, 0, &mean, error);
  if (status != SGF_OK || problem->settings.training.sampling != SGF_SAMPLING_EPOCH) return status;
  status = sgf_new_reals(&second, n, n, "second moment of the mean", error);
  if (status == SGF_OK) status = reshuffled_mean(problem, prediction, 0, NULL, mean, second, error);
  free(second);
  return status;
}

/* Continuum covariance: the closed form T Pi where the noise is C = s^2 H exactly, G = 0, and no mode with noise was
 * dropped from the range, else by the modes of H. */
static sgf_status solve_continuum(const sgf_problem *problem, sgf_prediction *prediction, double *Sigma,
                                  sgf_error *error)
{
  sgf_prediction_info *info = &prediction->info;
  double variance, scale = 0.5 * problem->settings.training.learning_rate * info->noise_strength;
  bool regular = !problem->certificate.bottleneck && problem->settings.training.weight_decay == 0.0 &&
                 info->diffusing_directions == 0;
  info->isotropic_noise = regular && !info->noise_free &&
                          sgf_noise_is_isotropic(info->weights, sgf_prediction_find(prediction, "hessian"),
                                                 sgf_prediction_find(prediction, "noise_covariance"), &variance);
  if (info->isotropic_noise)
    return sgf_closed_form_covariance(&problem->network, problem->theta, scale * variance, Sigma, error);
  return sgf_covariance(problem, &prediction->joint, SGF_TIME_CONTINUUM, NULL, Sigma, error);
}

/* The configured covariance of reshuffled epochs, that at the ends of the epochs, and, if momentum makes it another than
 * `covariance_discrete`, that of independent draws of the same strength, which the residual is of. */
static sgf_status solve_epochs(const sgf_problem *problem, sgf_prediction *prediction, double *configured,
                               sgf_error *error)
{
  size_t n = prediction->joint.range.n;
  double *ends, *independent;
  sgf_status status;
  SGF_TRY(sgf_prediction_add(prediction, "covariance_epoch_end", n, n, &ends, error));
  SGF_TRY(sgf_covariance_of_epochs(problem, &prediction->joint, NULL, configured, ends, error));
  if (problem->settings.training.momentum == 0.0) return SGF_OK;
  SGF_TRY(sgf_prediction_add(prediction, "covariance_independent", n, n, &independent, error));
  SGF_TRY(sgf_covariance(problem, &prediction->joint, SGF_TIME_HEAVY_BALL, NULL, independent, error));
done:
  return status;
}

/* The set whose residual is told: of the configured equation, for reshuffled epochs of independent draws. */
static const char *equation_to_check(const sgf_settings *settings)
{
  if (settings->training.momentum > 0.0)
    return settings->training.sampling == SGF_SAMPLING_EPOCH ? "covariance_independent" : "covariance";
  return settings->theory.equation == SGF_EQUATION_CONTINUUM ? "covariance_continuum" : "covariance_discrete";
}

sgf_status sgf_solve(const sgf_problem *problem, sgf_prediction *prediction, sgf_error *error)
{
  size_t n = prediction->joint.range.n;
  const sgf_settings *settings = &problem->settings;
  double *configured, *continuum, *discrete;
  bool epoch = settings->training.sampling == SGF_SAMPLING_EPOCH;
  double lambda = settings->theory.equation == SGF_EQUATION_CONTINUUM ? 0.0 : settings->training.learning_rate;
  sgf_status status;
  SGF_TRY(sgf_prediction_add(prediction, "covariance", n, n, &configured, error));
  SGF_TRY(sgf_prediction_add(prediction, "covariance_continuum", n, n, &continuum, error));
  SGF_TRY(sgf_prediction_add(prediction, "covariance_discrete", n, n, &discrete, error));
  SGF_TRY(solve_continuum(problem, prediction, continuum, error));
  SGF_TRY(sgf_covariance(problem, &prediction->joint, SGF_TIME_DISCRETE, NULL, discrete, error));
  if (prediction->exact != NULL && !epoch) SGF_TRY(add_exact(problem, prediction, error));
  if (settings->theory.equation == SGF_EQUATION_CLOSURE)
    return sgf_solve_closure(problem, prediction, configured, error);
  if (settings->theory.equation == SGF_EQUATION_MULTIPLICATIVE)
    SGF_TRY(add_multiplicative(problem, prediction, error));
  if (epoch)
    SGF_TRY(solve_epochs(problem, prediction, configured, error));
  else
    SGF_TRY(configured_covariance(problem, prediction, NULL, configured, error));
  if (method_of(settings) == CONSTANT_DRIFT)
    SGF_TRY(measure_residual(problem, prediction, equation_to_check(settings), lambda, settings->training.momentum,
                             error));
  SGF_TRY(add_mean(problem, prediction, error));
done:
  return status;
}
