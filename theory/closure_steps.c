/* Steps of the Gaussian closure: many at once, over intervals in which its coefficients vary linearly. */
#include "closure_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* The mean counts from this share of a standard deviation on. */
static const double LEAST_DISPLACEMENT = 0.1;
/* An interval is at most so many times as long as the last. */
static const double MOST_GROWTH = 2.5;
/* Of the tolerance, what an interval with momentum may be corrected by, for what is left to be as small as without. */
static const double SHARE_WITH_MOMENTUM = 0.03;

/* out = (1 - lambda A) Sigma (1 - lambda A) - (1 - lambda B) Sigma (1 - lambda B) + noise for the drifts A and B;
 * work of the closure. */
static void noise_beside(sgf_closure *closure, const sgf_closure_law *at, const double *drift, const double *Sigma,
                         double *out)
{
  size_t size = closure->size;
  double *D = closure->in, *middle = closure->V, lambda = closure->lambda;
  for (size_t k = 0; k < size * size; k++) {
    D[k] = -lambda * (at->drift[k] - drift[k]);
    middle[k] = -0.5 * lambda * (at->drift[k] + drift[k]);
  }
  for (size_t i = 0; i < size; i++) middle[i * (size + 1)] += 1.0;
  sgf_multiply(size, size, size, SGF_PLAIN, D, SGF_PLAIN, Sigma, closure->work);
  sgf_multiply(size, size, size, SGF_PLAIN, closure->work, SGF_PLAIN, middle, out);
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j <= i; j++)
      out[i * size + j] = out[j * size + i] = out[i * size + j] + out[j * size + i] + at->noise[i * size + j];
}

/* The force beside the drift `between` (d - d_0), d_0 the mean of the closure, at the mean d. */
static void force_beside(const sgf_closure *closure, const sgf_closure_law *at, const double *d, double *force)
{
  memcpy(force, at->force, closure->size * sizeof *force);
  sgf_closure_add_drift_times(closure, 1.0, at->drift, d, force);
  sgf_closure_add_drift_times(closure, -1.0, closure->between.drift, d, force);
  sgf_closure_add_drift_times(closure, 1.0, closure->between.drift, closure->mean, force);
}

/* Into the modes of a drift: Sigma, noise and force. Its memory is that of the modes. */
sgf_status sgf_closure_into_modes(sgf_closure *closure, const double *drift, sgf_error *error)
{
  size_t size = closure->size;
  memcpy(closure->V, drift, size * size * sizeof(double));
  sgf_status status = sgf_symmetric_eigen(size, closure->V, closure->h, "the closure's drift", error);
  if (status != SGF_OK) return status;
  double *matrices[] = {closure->noise, closure->noise_slope}, *vectors[] = {closure->force, closure->force_slope};
  for (int k = 0; k < 2; k++) {
    sgf_into_basis(size, closure->V, matrices[k], closure->work, matrices[k]);
    sgf_multiply(size, 1, size, SGF_PLAIN, closure->V, SGF_PLAIN, vectors[k], closure->turned);
    memcpy(vectors[k], closure->turned, size * sizeof(double));
  }
  sgf_into_basis(size, closure->V, closure->Sigma, closure->work, closure->in);
  return SGF_OK;
}

/* The same with momentum, without what the drift at either end does to the covariances beyond that of the middle. */
static sgf_status make_modes_of_states(sgf_closure *closure, size_t steps, const double *mean, sgf_error *error)
{
  size_t size = closure->size;
  double share = 0.5 * (double)(steps - 1) / (double)steps; /* the mean over the starts of the steps; one is exact */
  const sgf_closure_law *now = &closure->now, *next = &closure->next;
  double *drift = closure->between.drift;
  for (size_t k = 0; k < size * size; k++) {
    drift[k] = (1.0 - share) * now->drift[k] + share * next->drift[k];
    closure->noise[k] = now->noise[k];
    closure->noise_slope[k] = (next->noise[k] - now->noise[k]) / (double)steps;
  }
  force_beside(closure, now, closure->mean, closure->force);
  force_beside(closure, next, mean, closure->force_slope);
  for (size_t i = 0; i < size; i++)
    closure->force_slope[i] = (closure->force_slope[i] - closure->force[i]) / (double)steps;
  return sgf_closure_into_modes(closure, drift, error);
}

/* Prepare to go `steps` from the state of the closure, with coefficients that change from those of `now` to those of
 * `next`, in the modes of the mean drift; what the drift at either end does beyond that enters as noise and force,
 * which vary linearly. (mean, Sigma) is the state at the end, as far as it is known. */
static sgf_status make_modes(sgf_closure *closure, size_t steps, const double *mean, const double *Sigma,
                             sgf_error *error)
{
  size_t size = closure->size;
  sgf_closure_law *between = &closure->between;
  if (closure->velocities != NULL) return make_modes_of_states(closure, steps, mean, error);
  for (size_t k = 0; k < size * size; k++) between->drift[k] = 0.5 * (closure->now.drift[k] + closure->next.drift[k]);
  noise_beside(closure, &closure->now, between->drift, closure->Sigma, closure->noise);
  noise_beside(closure, &closure->next, between->drift, Sigma, closure->noise_slope);
  force_beside(closure, &closure->now, closure->mean, closure->force);
  force_beside(closure, &closure->next, mean, closure->force_slope);
  for (size_t k = 0; k < size * size; k++)
    closure->noise_slope[k] = (closure->noise_slope[k] - closure->noise[k]) / (double)steps;
  for (size_t i = 0; i < size; i++)
    closure->force_slope[i] = (closure->force_slope[i] - closure->force[i]) / (double)steps;
  return sgf_closure_into_modes(closure, between->drift, error);
}

/* sum_{k<m} a^k for a = 1 - rate: accurate for small rates, of either sign. */
double sgf_closure_sum(double rate, double m)
{
  if (rate == 0.0) return m;
  if (rate < 1.0) return -expm1(m * log1p(-rate)) / rate;
  return (1.0 - pow(1.0 - rate, m)) / rate;
}

/* 1 - a_i a_j for a = 1 - lambda h. */
double sgf_closure_pair_rate(const sgf_closure *closure, size_t i, size_t j)
{
  double rate_i = closure->lambda * closure->h[i], rate_j = closure->lambda * closure->h[j];
  return rate_i + rate_j - rate_i * rate_j;
}

/* sum_{k<t} k a^{t-1-k} for a = 1 - rate, from `sum` = sum_{k<t} a^k. */
double sgf_closure_ramp_sum(double rate, double t, double sum)
{
  if (fabs(rate) * t > 1e-3) return (t - sum) / rate;
  double pairs = 0.5 * t * (t - 1.0), triples = pairs * (t - 2.0) / 3.0, fours = 0.25 * triples * (t - 3.0);
  return pairs - rate * (triples - rate * (fours - rate * 0.2 * fours * (t - 4.0)));
}

sgf_mode_law sgf_closure_mode_law(const sgf_closure *closure)
{
  return (sgf_mode_law){closure->V,           closure->h,     closure->in,         closure->noise,
                        closure->noise_slope, closure->force, closure->force_slope};
}

/* Out of the modes: Sigma, and the mean that has moved by `turned`. */
static void out_of_modes(sgf_closure *closure, double *mean, double *Sigma)
{
  size_t size = closure->size;
  sgf_out_of_basis(size, closure->V, Sigma, closure->work, Sigma);
  sgf_multiply(size, 1, size, SGF_TRANSPOSED, closure->V, SGF_PLAIN, closure->turned, mean);
  for (size_t i = 0; i < size; i++) mean[i] += closure->mean[i];
}

/* Mean and covariance after so many steps from those of the closure, in the modes that were made; `keep` where it
 * may go on from. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_closure_propagate(sgf_closure *closure, double steps, bool keep, double *mean, double *Sigma,
                                 sgf_error *error)
{
  size_t size = closure->size;
  if (closure->velocities != NULL) {
    sgf_mode_law modes = sgf_closure_mode_law(closure);
    sgf_status status =
        sgf_velocities_propagate(closure->velocities, &modes, (size_t)steps, keep, closure->turned, Sigma, error);
    if (status == SGF_OK) out_of_modes(closure, mean, Sigma);
    return status;
  }
  for (size_t i = 0; i < size; i++) {
    for (size_t j = 0; j <= i; j++) {
      size_t k = i * size + j;
      double rate = sgf_closure_pair_rate(closure, i, j), sum = sgf_closure_sum(rate, steps);
      Sigma[k] = Sigma[j * size + i] = (1.0 - rate * sum) * closure->in[k] + sum * closure->noise[k] +
                                       sgf_closure_ramp_sum(rate, steps, sum) * closure->noise_slope[k];
    }
    double rate = closure->lambda * closure->h[i], sum = sgf_closure_sum(rate, steps);
    closure->turned[i] = -closure->lambda *
                         (sum * closure->force[i] + sgf_closure_ramp_sum(rate, steps, sum) * closure->force_slope[i]);
  }
  out_of_modes(closure, mean, Sigma);
  return SGF_OK;
}

/* How much (mean, Sigma) differ from others, relative to these. */
double sgf_closure_change(size_t size, const double *mean, const double *Sigma, const double *other_mean,
                          const double *other_Sigma)
{
  double of_Sigma = 0.0, of_mean = 0.0, norm = sgf_norm(size * size, other_Sigma);
  double length = sgf_norm(size, other_mean), deviation = sqrt(fmax(sgf_trace(size, other_Sigma), 0.0));
  for (size_t k = 0; k < size * size; k++) of_Sigma += (Sigma[k] - other_Sigma[k]) * (Sigma[k] - other_Sigma[k]);
  for (size_t k = 0; k < size; k++) of_mean += (mean[k] - other_mean[k]) * (mean[k] - other_mean[k]);
  double largest = norm > 0.0 ? sqrt(of_Sigma) / norm : 0.0, scale = length + LEAST_DISPLACEMENT * deviation;
  return fmax(largest, scale > 0.0 ? sqrt(of_mean) / scale : 0.0);
}

void sgf_closure_swap(double **a, double **b)
{
  double *kept = *a;
  *a = *b;
  *b = kept;
}

/* The coefficients at the end of an interval, extrapolated from those at the starts of this one and the last. */
static void extrapolate(sgf_closure *closure, size_t steps)
{
  size_t size = closure->size;
  double share = closure->last > 0 ? (double)steps / (double)closure->last : 0.0;
  const sgf_closure_law *before = &closure->before, *now = &closure->now, *next = &closure->next;
  for (size_t k = 0; k < size * size; k++) {
    next->drift[k] = now->drift[k] + share * (now->drift[k] - before->drift[k]);
    next->noise[k] = now->noise[k] + share * (now->noise[k] - before->noise[k]);
  }
  for (size_t i = 0; i < size; i++) next->force[i] = now->force[i] + share * (now->force[i] - before->force[i]);
}

/* reach (1 + size, size): mean and covariance that the velocities lead to from the end of the last propagation. */
static sgf_status reach_of(const sgf_closure *closure, const double *mean, const double *Sigma, double **reach,
                           sgf_error *error)
{
  size_t size = closure->size;
  sgf_status status = sgf_new_reals(reach, 1 + size, size, "closure", error);
  if (status != SGF_OK) return status;
  memcpy(*reach, mean, size * sizeof *mean);
  memcpy(*reach + size, Sigma, size * size * sizeof *Sigma);
  sgf_velocities_reach(closure->velocities, *reach, *reach + size);
  return SGF_OK;
}

void sgf_closure_stay(sgf_closure *closure)
{
  if (closure->outside == NULL) return;
  memset(closure->outside, 0, closure->n * sizeof(double));
  memset(closure->moved_outside, 0, closure->n * sizeof(double));
}

/* Where the mean is beyond the range after so many steps: `final` by its drift at both ends, else by that at the
 * start. It varies slowly, for there it has no drift of leading order. */
static void move_outside(sgf_closure *closure, size_t steps, bool final)
{
  double scale = closure->lambda * (double)steps;
  for (size_t k = 0; k < closure->n && closure->outside != NULL; k++) {
    double rate = final ? 0.5 * (closure->drifting[k] + closure->drifting_next[k]) : closure->drifting[k];
    closure->moved_outside[k] = closure->outside[k] + scale * rate;
  }
}

/* Try so many steps: predicted with extrapolated coefficients, corrected with those at the predicted end. On return
 * trial_mean and trial_Sigma are the corrected ones, the modes are those that lead there, and *moved is how much was
 * corrected. One step is exact. */
static sgf_status try_interval(sgf_closure *closure, size_t steps, double *moved, sgf_error *error)
{
  double *mean = NULL, *Sigma = NULL, *reach = NULL, *now = NULL;
  size_t size = closure->size;
  sgf_status status;
  *moved = 0.0;
  extrapolate(closure, steps);
  SGF_TRY(make_modes(closure, steps, closure->mean, closure->Sigma, error));
  SGF_TRY(sgf_closure_propagate(closure, (double)steps, true, closure->trial_mean, closure->trial_Sigma, error));
  move_outside(closure, steps, false);
  SGF_TRY(sgf_closure_evaluate(closure, closure->trial_mean, closure->trial_Sigma, &closure->next, error));
  if (closure->outside != NULL) SGF_TRY(sgf_closure_outside(closure, closure->drifting_next, error));
  SGF_TRY(sgf_closure_add_skewness(closure, (double)steps, closure->trial_Sigma, &closure->next, error));
  if (steps == 1) goto done;
  SGF_TRY(sgf_new_reals(&mean, size, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&Sigma, size, size, "closure", error));
  sgf_closure_swap(&mean, &closure->trial_mean);
  sgf_closure_swap(&Sigma, &closure->trial_Sigma);
  SGF_TRY(make_modes(closure, steps, mean, Sigma, error));
  if (closure->velocities != NULL) SGF_TRY(reach_of(closure, mean, Sigma, &reach, error));
  SGF_TRY(sgf_closure_propagate(closure, (double)steps, true, closure->trial_mean, closure->trial_Sigma, error));
  if (closure->velocities != NULL) SGF_TRY(reach_of(closure, closure->trial_mean, closure->trial_Sigma, &now, error));
  *moved = reach == NULL ? sgf_closure_change(size, mean, Sigma, closure->trial_mean, closure->trial_Sigma)
                         : sgf_closure_change(size, reach, reach + size, now, now + size);
  SGF_TRY(sgf_closure_move_gradient(closure, mean, closure->trial_mean, &closure->next, error));
done:
  free(mean);
  free(Sigma);
  free(reach);
  free(now);
  return status;
}

/* The interval that follows one of `steps` that was corrected by `moved`, or replaces it: what is corrected grows as
 * its third power. */
static size_t next_interval(size_t steps, double moved, double tolerance)
{
  double factor = moved > 0.0 ? 0.8 * cbrt(tolerance / moved) : MOST_GROWTH;
  return (size_t)fmax(1.0, floor((double)steps * fmin(fmax(factor, 0.2), MOST_GROWTH) + 0.5));
}

/* Go over an interval that was tried. */
static void accept(sgf_closure *closure, size_t steps)
{
  sgf_closure_law kept = closure->before;
  sgf_closure_swap(&closure->mean, &closure->trial_mean);
  sgf_closure_swap(&closure->Sigma, &closure->trial_Sigma);
  if (closure->velocities != NULL) sgf_velocities_accept(closure->velocities);
  if (closure->third != NULL) sgf_third_cumulants_accept(closure->third);
  move_outside(closure, steps, true);
  if (closure->outside != NULL) {
    memcpy(closure->outside, closure->moved_outside, closure->n * sizeof(double));
    sgf_closure_swap(&closure->drifting, &closure->drifting_next);
  }
  closure->before = closure->now;
  closure->now = closure->next;
  closure->next = kept;
  closure->last = steps;
}

sgf_status sgf_closure_run(sgf_closure *closure, size_t steps, double tolerance, sgf_closure_visitor visit,
                           void *context, sgf_error *error)
{
  size_t done = 0, interval = 1;
  double moved;
  sgf_status status;
  SGF_TRY(sgf_closure_room_for_steps(closure, error));
  if (closure->velocities != NULL) tolerance *= SHARE_WITH_MOMENTUM;
  SGF_TRY(sgf_closure_evaluate(closure, closure->mean, closure->Sigma, &closure->now, error));
  if (closure->outside != NULL) SGF_TRY(sgf_closure_outside(closure, closure->drifting, error));
  SGF_TRY(sgf_closure_add_skewness(closure, 0.0, closure->Sigma, &closure->now, error));
  closure->last = 0;
  if (visit != NULL) SGF_TRY(visit(closure, 0, 0, context, error));
  while (done < steps) {
    if (interval > steps - done) interval = steps - done;
    SGF_TRY(try_interval(closure, interval, &moved, error));
    if (!(moved <= tolerance) && interval > 1) {
      size_t shorter = next_interval(interval, moved, tolerance);
      interval = shorter < interval ? shorter : interval - 1;
      continue;
    }
    if (visit != NULL) SGF_TRY(visit(closure, done, interval, context, error));
    accept(closure, interval);
    done += interval;
    if (tolerance > 0.0) interval = interval == 1 ? 2 : next_interval(interval, moved, tolerance);
  }
done:
  return status;
}

sgf_status sgf_closure_advance(sgf_closure *closure, size_t steps, double tolerance, sgf_error *error)
{
  return sgf_closure_run(closure, steps, tolerance, NULL, NULL, error);
}
