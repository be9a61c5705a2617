/* The Gaussian closure: its state, and the quasi-stationary one. */
#include "closure_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion.h"
#include "heavy_ball.h"
#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"

/* Passes until the quasi-stationary state is found, and the change that ends them. */
enum { MOST_PASSES = 500 };
static const double SETTLED = 1e-12, ALMOST_SETTLED = 1e-9;
/* A secant takes less than this share of the last pass. */
static const double MOST_OF_SECANT = 0.5;

static sgf_status law_create(size_t size, sgf_closure_law *made, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(sgf_new_reals(&made->force, size, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&made->drift, size, size, "closure", error));
  SGF_TRY(sgf_new_reals(&made->noise, size, size, "closure", error));
done:
  return status;
}

static void law_free(sgf_closure_law *made)
{
  free(made->force);
  free(made->drift);
  free(made->noise);
}

void sgf_closure_free(sgf_closure *closure)
{
  if (closure == NULL) return;
  double *arrays[] = {
      closure->basis,       closure->mean,        closure->Sigma,         closure->theta,    closure->gradient,
      closure->V,           closure->h,           closure->noise,         closure->in,       closure->force,
      closure->trial_mean,  closure->trial_Sigma, closure->work,          closure->turned,   closure->noise_slope,
      closure->force_slope, closure->outside,     closure->moved_outside, closure->drifting, closure->drifting_next};
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) free(arrays[k]);
  sgf_averaged_operators_free(&closure->averaged);
  law_free(&closure->before);
  law_free(&closure->now);
  law_free(&closure->next);
  law_free(&closure->between);
  sgf_velocities_free(closure->velocities);
  sgf_third_cumulants_free(closure->third);
  free(closure);
}

static sgf_status make_room(sgf_closure *made, sgf_error *error)
{
  size_t n = made->n, size = made->size, of_averages = size;
  double **vectors[] = {&made->mean, &made->h, &made->force, &made->trial_mean, &made->turned};
  double **matrices[] = {&made->Sigma, &made->V, &made->noise, &made->trial_Sigma, &made->work};
  sgf_status status;
  if (made->range != NULL)
    of_averages = sgf_range_basis_of_map(made->range);
  else if (made->basis != NULL)
    of_averages = n;
  for (size_t k = 0; k < sizeof vectors / sizeof *vectors; k++)
    SGF_TRY(sgf_new_reals(vectors[k], size, 1, "closure", error));
  for (size_t k = 0; k < sizeof matrices / sizeof *matrices; k++)
    SGF_TRY(sgf_new_reals(matrices[k], size, size, "closure", error));
  SGF_TRY(sgf_new_reals(&made->theta, n, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&made->gradient, n, 1, "closure", error));
  SGF_TRY(sgf_averaged_operators_create(n, of_averages, &made->averaged, error));
  SGF_TRY(law_create(size, &made->now, error));
done:
  return status;
}

sgf_status sgf_closure_room_for_steps(sgf_closure *closure, sgf_error *error)
{
  size_t size = closure->size;
  sgf_status status = SGF_OK;
  if (closure->in != NULL) return SGF_OK;
  SGF_TRY(law_create(size, &closure->before, error));
  SGF_TRY(law_create(size, &closure->next, error));
  SGF_TRY(law_create(size, &closure->between, error));
  SGF_TRY(sgf_new_reals(&closure->force_slope, size, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&closure->noise_slope, size, size, "closure", error));
  double **outside[] = {&closure->outside, &closure->moved_outside, &closure->drifting, &closure->drifting_next};
  for (size_t k = 0; k < sizeof outside / sizeof *outside && closure->range != NULL; k++)
    SGF_TRY(sgf_new_reals(outside[k], closure->n, 1, "closure", error));
  if (closure->momentum > 0.0)
    SGF_TRY(sgf_velocities_create(size, closure->lambda, closure->momentum, &closure->velocities, error));
  SGF_TRY(sgf_new_reals(&closure->in, size, size, "closure", error));
done:
  return status;
}

void sgf_closure_neglect_skewness(sgf_closure *closure)
{
  sgf_third_cumulants_free(closure->third);
  closure->third = NULL;
}

bool sgf_closure_is_skew(const sgf_problem *problem)
{
  return problem->network.layers > 1 && problem->settings.training.momentum == 0.0 &&
         problem->network.weights <= SGF_MOST_SKEW_WEIGHTS;
}

/* With the basis that was given, copied, or of the range. */
static sgf_status create(const sgf_problem *problem, size_t size, const double *basis, const sgf_range_basis *range,
                         sgf_closure **closure, sgf_error *error)
{
  const sgf_settings *settings = &problem->settings;
  double lambda = settings->training.learning_rate;
  void *block;
  *closure = NULL;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **closure, "closure", error);
  if (status != SGF_OK) return status;
  sgf_closure *made = block;
  made->problem = problem;
  made->n = problem->network.weights;
  made->size = size;
  made->range = range;
  made->lambda = lambda;
  made->momentum = settings->training.momentum;
  made->noise_scale =
      lambda * lambda *
      sgf_noise_strength(problem->data.samples, settings->training.batch_size, settings->training.sampling);
  if (basis != NULL) {
    SGF_TRY(sgf_new_reals(&made->basis, size, made->n, "closure", error));
    memcpy(made->basis, basis, size * made->n * sizeof *basis);
  }
  SGF_TRY(make_room(made, error));
  if (sgf_closure_is_skew(problem)) SGF_TRY(sgf_third_cumulants_create(problem, &made->third, error));
  *closure = made;
  return SGF_OK;
done:
  sgf_closure_free(made);
  return status;
}

sgf_status sgf_closure_create(const sgf_problem *problem, size_t size, const double *basis, sgf_closure **closure,
                              sgf_error *error)
{
  return create(problem, basis != NULL ? size : problem->network.weights, basis, NULL, closure, error);
}

sgf_status sgf_closure_create_on_range(const sgf_problem *problem, const sgf_range_basis *range,
                                       sgf_closure **closure, sgf_error *error)
{
  return create(problem, range->size, NULL, range, closure, error);
}

const double *sgf_closure_mean(const sgf_closure *closure) { return closure->mean; }

const double *sgf_closure_covariance(const sgf_closure *closure) { return closure->Sigma; }

sgf_status sgf_closure_modes_inside(const sgf_closure *closure, double *rates, double *modes, sgf_error *error)
{
  memcpy(modes, closure->now.drift, closure->size * closure->size * sizeof *modes);
  return sgf_symmetric_eigen(closure->size, modes, rates, "the closure's drift", error);
}

sgf_status sgf_closure_modes(const sgf_closure *closure, double *rates, double *modes, sgf_error *error)
{
  size_t size = closure->size;
  double *inside;
  sgf_status status = sgf_new_reals(&inside, size, size, "modes of the closure", error);
  if (status == SGF_OK) status = sgf_closure_modes_inside(closure, rates, inside, error);
  if (status == SGF_OK) status = sgf_closure_out_of_basis(closure, size, inside, modes, error);
  free(inside);
  return status;
}

sgf_status sgf_closure_in_weights(const sgf_closure *closure, double *mean, double *Sigma, sgf_error *error)
{
  sgf_status status = sgf_closure_out_of_basis(closure, 1, closure->mean, mean, error);
  return status == SGF_OK && Sigma != NULL ? sgf_closure_matrix_out_of_basis(closure, closure->Sigma, Sigma, error)
                                           : status;
}

/* ------------------------------------------------------- quasi-stationary state */

/* Mean and covariance that the law leaves as they are, into the trial. */
static sgf_status settle_once(sgf_closure *closure, sgf_error *error)
{
  size_t size = closure->size;
  double *V = closure->V;
  memcpy(V, closure->now.drift, size * size * sizeof *V);
  sgf_status status = sgf_symmetric_eigen(size, V, closure->h, "the closure's drift", error);
  if (status != SGF_OK) return status;
  sgf_into_basis(size, V, closure->now.noise, closure->work, closure->noise);
  sgf_multiply(size, 1, size, SGF_PLAIN, V, SGF_PLAIN, closure->now.force, closure->force);
  for (size_t i = 0; i < size; i++) {
    for (size_t j = 0; j <= i; j++) {
      double rate =
          closure->lambda / sgf_pair_response(closure->lambda, closure->momentum, closure->h[i], closure->h[j]);
      if (!(rate > 0.0) || !(closure->h[i] > 0.0))
        return sgf_fail(
            error, SGF_ERROR_UNSTABLE,
            "training.learning_rate is %g: the closure has no quasi-stationary state, fluctuations leave a "
            "drift of %g in some direction",
            closure->lambda, closure->h[0]);
      closure->trial_Sigma[i * size + j] = closure->trial_Sigma[j * size + i] = closure->noise[i * size + j] / rate;
    }
    closure->turned[i] = -closure->force[i] / closure->h[i];
  }
  sgf_out_of_basis(size, V, closure->trial_Sigma, closure->work, closure->trial_Sigma);
  sgf_multiply(size, 1, size, SGF_TRANSPOSED, V, SGF_PLAIN, closure->turned, closure->trial_mean);
  return SGF_OK;
}

/* The mean of the trial with its Sigma instead of that of before, which is all that moves it: a gradient takes a
 * small part of what the other averages do, and half as many passes are left. */
static sgf_status follow_mean(sgf_closure *closure, sgf_error *error)
{
  size_t size = closure->size;
  sgf_status status;
  SGF_TRY(sgf_closure_evaluate_gradient(closure, closure->trial_mean, closure->trial_Sigma, closure->force, error));
  sgf_multiply(size, 1, size, SGF_PLAIN, closure->V, SGF_PLAIN, closure->force, closure->turned);
  for (size_t i = 0; i < size; i++) closure->turned[i] /= closure->h[i];
  sgf_multiply(size, 1, size, SGF_TRANSPOSED, closure->V, SGF_PLAIN, closure->turned, closure->force);
  for (size_t i = 0; i < size; i++) closure->trial_mean[i] -= closure->force[i];
done:
  return status;
}

/* The Sigma of the trial by the secant through this pass and the last: the passes converge along one direction in
 * the end. last (2, size, size): what the last pass gave, and by how much it changed Sigma; of this pass on return. */
static void accelerate(sgf_closure *closure, bool first, double *last)
{
  size_t count = closure->size * closure->size;
  double *given = last, *change = last + count, along = 0.0, square = 0.0;
  for (size_t k = 0; k < count && !first; k++) {
    double now = closure->trial_Sigma[k] - closure->Sigma[k], difference = now - change[k];
    along += now * difference;
    square += difference * difference;
  }
  double share = square > 0.0 ? along / square : 0.0;
  if (!(fabs(share) < MOST_OF_SECANT)) share = 0.0;
  for (size_t k = 0; k < count; k++) {
    double now = closure->trial_Sigma[k];
    change[k] = now - closure->Sigma[k];
    closure->trial_Sigma[k] = now - share * (now - given[k]);
    given[k] = now;
  }
}

/* The scaled residual of H Sigma + Sigma H - lambda H Sigma H = noise / lambda by the law `now`, or of that with
 * momentum. */
static sgf_status residual_of(sgf_closure *closure, double *residual, sgf_error *error)
{
  size_t size = closure->size;
  double *work, *noise;
  sgf_status status = sgf_new_reals(&work, 4 * size, size, "residual", error);
  if (status != SGF_OK) return status;
  noise = work + 3 * size * size;
  for (size_t k = 0; k < size * size; k++) noise[k] = closure->now.noise[k] / closure->lambda;
  if (closure->momentum > 0.0)
    *residual = sgf_heavy_ball_residual(size, closure->now.drift, closure->lambda, closure->momentum, closure->Sigma,
                                        noise, work);
  else
    *residual = sgf_lyapunov_residual(size, closure->now.drift, closure->lambda, closure->Sigma, noise, work);
  free(work);
  return SGF_OK;
}

sgf_status sgf_closure_settle(sgf_closure *closure, double *residual, double *drift, sgf_error *error)
{
  size_t size = closure->size;
  double moved = INFINITY, *last = NULL;
  sgf_status status;
  *residual = NAN;
  SGF_TRY(sgf_new_reals(&last, 2 * size, size, "closure", error));
  memset(closure->mean, 0, size * sizeof(double));
  memset(closure->Sigma, 0, size * size * sizeof(double));
  sgf_closure_stay(closure);
  for (int pass = 0; pass < MOST_PASSES && !(moved <= SETTLED); pass++) {
    SGF_TRY(sgf_closure_evaluate(closure, closure->mean, closure->Sigma, &closure->now, error));
    SGF_TRY(sgf_closure_add_skewness(closure, INFINITY, closure->Sigma, &closure->now, error));
    SGF_TRY(settle_once(closure, error));
    memcpy(closure->noise, closure->trial_Sigma, size * size * sizeof(double));
    accelerate(closure, pass < 2, last);
    SGF_TRY(follow_mean(closure, error));
    moved = sgf_closure_change(size, closure->mean, closure->Sigma, closure->trial_mean, closure->noise);
    sgf_closure_swap(&closure->mean, &closure->trial_mean);
    sgf_closure_swap(&closure->Sigma, &closure->trial_Sigma);
  }
  if (!(moved <= ALMOST_SETTLED))
    SGF_TRY(sgf_fail(error, SGF_ERROR_UNSTABLE,
                     "training.learning_rate is %g: the closure's quasi-stationary state was not found in %d passes, "
                     "the last of which changed it by %.2g",
                     closure->lambda, MOST_PASSES, moved));
  SGF_TRY(sgf_closure_evaluate(closure, closure->mean, closure->Sigma, &closure->now, error));
  SGF_TRY(sgf_closure_add_skewness(closure, INFINITY, closure->Sigma, &closure->now, error));
  SGF_TRY(residual_of(closure, residual, error));
  SGF_TRY(sgf_closure_outside(closure, drift, error));
done:
  free(last);
  if (status != SGF_OK) sgf_fill_nan(closure->n, drift);
  return status;
}
