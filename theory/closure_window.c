/* What the snapshots of a plan show of the Gaussian closure: averages over a window, and the path of the balances. */
#include "closure_state.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "balance.h"
#include "linear_algebra.h"
#include "lyapunov.h"
#include "memory.h"
#include "symmetry.h"

/* Snapshots whose means are held at a time. */
enum { SNAPSHOT_BLOCK = 256 };

/* Snapshots within an interval: so many steps from its start to the first, and between them; powers (4), the means
 * of t, t^2, t^3 and t^4 over them. */
typedef struct {
  double first, stride, count, powers[4];
} snapshots;

/* The means over the snapshots of sum_{k<t} a^k and of sum_{k<t} k a^{t-1-k}, a = 1 - rate. */
static void mean_sums(double rate, const snapshots *at, double *sum, double *ramp)
{
  double last = at->first + at->stride * (at->count - 1.0), x = 1.0 - rate;
  const double *t = at->powers;
  if (fabs(rate) * last > 1e-3) {
    *sum = (1.0 - sgf_mean_power(x, x > 0.0 ? log1p(-rate) : 0.0, at->first, at->stride, at->count)) / rate;
    *ramp = (t[0] - *sum) / rate;
    return;
  }
  /* by the means of t (t - 1) / 2 and so on */
  double pairs = 0.5 * (t[1] - t[0]), triples = (t[2] - 3.0 * t[1] + 2.0 * t[0]) / 6.0;
  double fours = (t[3] - 6.0 * t[2] + 11.0 * t[1] - 6.0 * t[0]) / 24.0;
  *sum = t[0] - rate * (pairs - rate * (triples - rate * fours));
  *ramp = pairs - rate * (triples - rate * fours);
}

typedef struct {
  const sgf_plan *plan;
  double *second, *mean;  /* (size, size), (size): sums so far, to be the averages at the end */
  sgf_closure_path *path; /* or NULL */
  double *hessian;        /* (n, n) at theta*, for the path */
} window;

/* Add the covariances at the snapshots, weighted; that at the start, in the modes, is overwritten. */
static void add_covariances(sgf_closure *closure, const snapshots *at, double weight, double *second)
{
  size_t size = closure->size;
  double *all = closure->in, sum, ramp;
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j <= i; j++) {
      size_t k = i * size + j;
      double rate = sgf_closure_pair_rate(closure, i, j);
      mean_sums(rate, at, &sum, &ramp);
      all[k] = all[j * size + i] =
          (1.0 - rate * sum) * all[k] + sum * closure->noise[k] + ramp * closure->noise_slope[k];
    }
  sgf_out_of_basis(size, closure->V, all, closure->work, all);
  cblas_daxpy((int)(size * size), weight * at->count, all, 1, second, 1);
}

/* Add the means at the snapshots, and their squares. */
static sgf_status add_means(sgf_closure *closure, const snapshots *at, double weight, const window *into,
                            sgf_error *error)
{
  size_t size = closure->size, count = (size_t)at->count;
  size_t most = count < SNAPSHOT_BLOCK ? count : SNAPSHOT_BLOCK;
  double *turned;
  sgf_status status = sgf_new_reals(&turned, 2 * most, size, "means at snapshots", error);
  if (status != SGF_OK) return status;
  double *means = turned + most * size;
  for (size_t done = 0; done < count; done += most) {
    size_t rows = count - done < most ? count - done : most;
    for (size_t k = 0; k < rows; k++)
      for (size_t i = 0; i < size; i++) {
        double t = at->first + at->stride * (double)(done + k), rate = closure->lambda * closure->h[i];
        double sum = sgf_closure_sum(rate, t);
        turned[k * size + i] = -closure->lambda * (sum * closure->force[i] +
                                                   sgf_closure_ramp_sum(rate, t, sum) * closure->force_slope[i]);
      }
    sgf_multiply(rows, size, size, SGF_PLAIN, turned, SGF_PLAIN, closure->V, means);
    for (size_t k = 0; k < rows; k++)
      for (size_t i = 0; i < size; i++) {
        means[k * size + i] += closure->mean[i];
        into->mean[i] += weight * means[k * size + i];
      }
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)size, (int)rows, weight, means, (int)size, 1.0,
                into->second, (int)size);
  }
  free(turned);
  return SGF_OK;
}

/* Both with momentum. */
static sgf_status add_moving(sgf_closure *closure, const snapshots *at, double weight, const window *into,
                             sgf_error *error)
{
  size_t size = closure->size, count = (size_t)at->count;
  sgf_mode_law modes = sgf_closure_mode_law(closure);
  double *sum = NULL, *moved = NULL, *means = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&sum, size, size, "moments at snapshots", error));
  SGF_TRY(sgf_new_reals(&moved, count, size, "means at snapshots", error));
  SGF_TRY(sgf_new_reals(&means, count, size, "means at snapshots", error));
  SGF_TRY(sgf_velocities_snapshots(closure->velocities, &modes, (size_t)at->first, (size_t)at->stride, count, sum,
                                   moved, error));
  sgf_out_of_basis(size, closure->V, sum, closure->work, sum);
  cblas_daxpy((int)(size * size), weight, sum, 1, into->second, 1);
  sgf_multiply(count, size, size, SGF_PLAIN, moved, SGF_PLAIN, closure->V, means);
  for (size_t k = 0; k < count; k++)
    for (size_t i = 0; i < size; i++) {
      means[k * size + i] += closure->mean[i];
      into->mean[i] += weight * means[k * size + i];
    }
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)size, (int)count, weight, means, (int)size, 1.0,
              into->second, (int)size);
done:
  free(sum);
  free(moved);
  free(means);
  return status;
}

/* Snapshots of the plan before and up to a step. */
static size_t snapshots_until(const sgf_plan *plan, size_t step)
{
  size_t all = plan->window_steps / plan->stride, taken = 0;
  if (step > plan->burn_in_steps) taken = (step - plan->burn_in_steps) / plan->stride;
  return taken < all ? taken : all;
}

sgf_status sgf_mean_balances(const sgf_problem *problem, const double *theta, const double *Sigma, double *balances,
                             sgf_error *error)
{
  const sgf_network *network = &problem->network;
  double gross, *work;
  sgf_status status = SGF_OK;
  for (size_t l = 1; l < network->layers && status == SGF_OK; l++) {
    size_t size = network->widths[l] * network->widths[l];
    status = sgf_new_reals(&work, 2, size, "balance", error);
    if (status != SGF_OK) break;
    sgf_balance_drift(network, Sigma, 1.0, l, balances, &gross);
    sgf_balance(network, theta, l, work);
    sgf_balance(network, problem->theta, l, work + size);
    for (size_t k = 0; k < size; k++) balances[k] += work[k] - work[size + k];
    balances += size;
    free(work);
  }
  return status;
}

/* Of a path, in the order of time: the points of the balances, or the looks. */
static sgf_status add_point(sgf_closure *closure, const sgf_closure_path *path, bool look, size_t k,
                            const double *mean, const double *Sigma, sgf_error *error)
{
  if (look) return path->look(path->context, k, mean, Sigma, error);
  sgf_status status = sgf_closure_set_theta(closure, mean, error);
  if (status != SGF_OK) return status;
  return sgf_mean_balances(closure->problem, closure->theta, Sigma,
                           path->balance + k * sgf_symmetry_count(&closure->problem->network), error);
}

/* The points or the looks of the path within the interval of `steps` from step `done` on, by the law whose modes
 * were made. */
static sgf_status add_points(sgf_closure *closure, size_t done, size_t steps, const window *into, bool looks,
                             sgf_error *error)
{
  const sgf_closure_path *path = into->path;
  double whole = (double)(into->plan->burn_in_steps + into->plan->window_steps), *mean = NULL, *Sigma = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&mean, closure->size, 1, "closure", error));
  SGF_TRY(sgf_new_reals(&Sigma, closure->size, closure->size, "closure", error));
  for (size_t k = 0; k < (looks ? path->looks : path->points); k++) {
    double step = looks ? (double)path->look_steps[k] : ceil(whole * (double)(k + 1) / (double)path->points);
    double after = step - (double)done;
    if (!(after > 0.0 && after <= (double)steps)) continue;
    SGF_TRY(sgf_closure_propagate(closure, after, false, mean, Sigma, error));
    SGF_TRY(add_point(closure, path, looks, k, mean, Sigma, error));
  }
done:
  free(mean);
  free(Sigma);
  return status;
}

/* <delta . g> - <delta . H delta> with the mean and Sigma that a law is at. */
static double anharmonic_part(const sgf_closure *closure, const double *hessian, const sgf_closure_law *at,
                              const double *mean, const double *Sigma)
{
  size_t size = closure->size;
  return sgf_dot(size, mean, at->force) + sgf_quadratic_form(size, at->drift, mean) -
         sgf_quadratic_form(size, hessian, mean) + sgf_dot(size * size, Sigma, at->drift) -
         sgf_dot(size * size, Sigma, hessian);
}

/* The path within an interval that was accepted, and what of <delta . g> is not harmonic: the mean of both ends. */
static sgf_status add_path(sgf_closure *closure, size_t done, size_t steps, const window *into, sgf_error *error)
{
  const sgf_plan *plan = into->plan;
  size_t taken = snapshots_until(plan, done + steps) - snapshots_until(plan, done);
  double share = (double)taken / (double)(plan->window_steps / plan->stride);
  if (share > 0.0)
    into->path->anharmonic +=
        0.5 * share *
        (anharmonic_part(closure, into->hessian, &closure->now, closure->mean, closure->Sigma) +
         anharmonic_part(closure, into->hessian, &closure->next, closure->trial_mean, closure->trial_Sigma));
  sgf_status status = add_points(closure, done, steps, into, false, error);
  return status == SGF_OK ? add_points(closure, done, steps, into, true, error) : status;
}

/* Add what the snapshots within the interval of `steps` from step `done` on show, by the law whose modes were made and
 * which are spent then. */
static sgf_status add_snapshots(sgf_closure *closure, size_t done, size_t steps, const window *into, sgf_error *error)
{
  const sgf_plan *plan = into->plan;
  size_t before = snapshots_until(plan, done), after = snapshots_until(plan, done + steps);
  if (after == before) return SGF_OK;
  snapshots at = {(double)(plan->burn_in_steps + (before + 1) * plan->stride - done),
                  (double)plan->stride,
                  (double)(after - before),
                  {0.0}};
  for (size_t k = 0; k < after - before; k++) {
    double t = at.first + at.stride * (double)k, power = 1.0 / at.count;
    for (size_t e = 0; e < 4; e++) at.powers[e] += power *= t;
  }
  double weight = 1.0 / (double)(plan->window_steps / plan->stride);
  if (closure->velocities != NULL) return add_moving(closure, &at, weight, into, error);
  add_covariances(closure, &at, weight, into->second);
  return add_means(closure, &at, weight, into, error);
}

/* The visitor of a run. */
static sgf_status look(sgf_closure *closure, size_t done, size_t steps, void *context, sgf_error *error)
{
  const window *into = context;
  size_t size = closure->size;
  if (steps == 0) { /* Sigma is 0 at the start */
    if (into->path != NULL) memcpy(into->hessian, closure->now.drift, size * size * sizeof(double));
    return SGF_OK;
  }
  sgf_status status = into->path != NULL ? add_path(closure, done, steps, into, error) : SGF_OK;
  return status == SGF_OK ? add_snapshots(closure, done, steps, into, error) : status;
}

sgf_status sgf_closure_window(sgf_closure *closure, const sgf_plan *plan, double tolerance, double *second,
                              double *mean, sgf_closure_path *path, sgf_error *error)
{
  size_t size = closure->size;
  window into = {plan, second, mean, path, NULL};
  sgf_status status;
  memset(second, 0, size * size * sizeof *second);
  memset(mean, 0, size * sizeof *mean);
  memset(closure->mean, 0, size * sizeof *mean);
  memset(closure->Sigma, 0, size * size * sizeof *second);
  SGF_TRY(sgf_closure_room_for_steps(closure, error));
  sgf_closure_stay(closure);
  if (closure->velocities != NULL) sgf_velocities_rest(closure->velocities);
  if (closure->third != NULL) sgf_third_cumulants_reset(closure->third);
  if (path != NULL) {
    path->anharmonic = 0.0;
    SGF_TRY(sgf_new_reals(&into.hessian, size, size, "Hessian", error));
  }
  SGF_TRY(sgf_closure_run(closure, plan->burn_in_steps + plan->window_steps, tolerance, look, &into, error));
  sgf_mirror(size, second); /* both parts have the lower triangle */
done:
  free(into.hessian);
  if (status == SGF_OK) return SGF_OK;
  sgf_fill_nan(size * size, second);
  sgf_fill_nan(size, mean);
  return status;
}
