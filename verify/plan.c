/* What a config leaves out of a simulation, chosen from the predicted relaxation rates and the tolerance. */
#include <float.h>
#include <gsl/gsl_cdf.h>
#include <math.h>

#include "../theory/heavy_ball.h"
#include "../theory/linear_algebra.h"
#include "../theory/prediction.h"
#include "compare.h"
#include "sgd.h"
#include "statistics.h"

/* Burn-in and window in relaxation times of the slowest mode. */
static const double BURN_IN_TIMES = 3.0, LEAST_WINDOW_TIMES = 20.0;
/* Replicas aimed at: enough for normal theory in the tails, few enough to keep. */
static const double USUAL_REPLICAS = 384.0, LEAST_REPLICAS = 64.0;
/* For variances tested together: what decides the norm of the off-diagonal elements of some hundred directions. */
static const double REPLICAS_FOR_NORMS = 320.0;
/* Comparisons that are made when replicas are left out and nobody gives a budget: of so many as are likely to decide,
 * twice, ... 16 times as many. */
enum { LOOKS = 5 };
/* Multiply-adds that a chosen simulation may cost: some minutes of one machine. */
static const double BUDGET = 4e11;
/* What snapshots may cost, relative to the steps; and how many a window has at least. */
static const double SNAPSHOT_SHARE = 0.1, LEAST_SNAPSHOTS = 64.0;
/* Head room for second moments that fluctuate more than Gaussian ones. */
static const double SAFETY = 1.3;
/* Of the tolerance, what is left for sampling error when the equation itself is of leading order. */
static const double SHARE_OF_TOLERANCE = 0.75;
/* Steps that a run, and all runs together, may have at most: they are counted in integers and doubles. */
static const double MOST_STEPS = 1e15;

/* Relative variance of the window average of delta^2, delta an Ornstein-Uhlenbeck mode that starts at zero, with
 * burn-in and window in relaxation times: (2 / w^2) int int c(s, t)^2 over (int c(t, t) / w)^2,
 * c(s, t) = exp(-|t - s|) - exp(-(t + s)). Midpoint rule, inside the cell of the diagonal too. */
static double window_variance(double burn_in, double window)
{
  const int cells = 400;
  double step = window / cells, covariance_sum = 0.0, variance_sum = 0.0;
  if (window > 60.0) return 2.0 / window; /* many correlation times: the start does not matter */
  for (int i = 0; i < cells; i++) {
    double s = burn_in + (i + 0.5) * step;
    variance_sum += 1.0 - exp(-2.0 * s);
    for (int j = 0; j < cells; j++) {
      double t = burn_in + (j + 0.5) * step, c = exp(-fabs(t - s)) - exp(-(t + s));
      covariance_sum += c * c;
    }
  }
  return 2.0 * covariance_sum / (variance_sum * variance_sum);
}

/* Modes of this share of the range, and slower ones, need not relax within the window of a deep network: they are
 * compared with their finite-time prediction, and a longer window would drift along the null space. */
static const double SLOW_SHARE = 0.1;
/* Burn-in and window of a deep network as a share of its lifetime: what is tested changes by about as much while the
 * weights drift. Less when every direction is tested by itself, more for the long runs of window-pca. */
static const double SHARE_OF_LIFETIME = 0.03, SHARE_TOGETHER = 0.08, LONG_SHARE_OF_LIFETIME = 0.15;

/* Window-pca: burn-in and window of runs that are long against every relaxation that matters, and the least runs. */
static const double LONG_BURN_IN_TIMES = 5.0, LONG_WINDOW_TIMES = 100.0, LONG_RUNS = 16.0;

/* Joint directions along which variances are tested. */
static size_t tested_directions(const sgf_prediction *prediction)
{
  return prediction->tested != NULL ? prediction->tested->sets[0].count : prediction->joint.range.rank;
}

/* Whether the variances of a deep network, or on directions, are tested together and not one by one. */
static bool together(const sgf_problem *problem, const sgf_prediction *prediction)
{
  return (problem->network.layers > 1 || prediction->tested != NULL) &&
         tested_directions(prediction) > SGF_MOST_SINGLE_DIRECTIONS;
}

/* The rate that times are measured in: the slowest that is tested by itself. */
static double planning_rate(const sgf_problem *problem, const sgf_prediction *prediction)
{
  const sgf_range *range = &prediction->joint.range;
  size_t rank = prediction->tested != NULL ? prediction->info.rank_hessian : range->rank;
  const double *rates =
      prediction->tested != NULL ? sgf_prediction_find(prediction, "spectrum/hessian") : range->h + (range->n - rank);
  double slow = rates[together(problem, prediction) ? (size_t)(SLOW_SHARE * (double)rank) : 0];
  return sgf_mode_rate(problem->settings.training.learning_rate, problem->settings.training.momentum, slow);
}

/* What an epoch of M batches leaves of a mode that is slower is forgotten after it, or after the velocities: the correlation
 * time of its square, over its relaxation time. 1 for independent draws and for modes that are faster. */
static double shorter_memory(const sgf_problem *problem, double rate)
{
  double slow = 1.0 - problem->settings.training.momentum, batches = (double)sgf_batches_of(problem);
  double steps = fmax(batches, 1.0 / slow);
  return batches > 0.0 ? fmin(1.0, steps * problem->settings.training.learning_rate * rate) : 1.0;
}

/* Standard error, relative, of a variance along one direction that decides quantities of zero deviation with a
 * probability of about 99 %. Quantities that are not of one direction have less; with hidden layers the variances are
 * tested together, by the square of their deviations, of error sqrt(2 / modes) / 2 of theirs squared. */
static double wanted_error(const sgf_problem *problem, const sgf_prediction *prediction)
{
  const sgf_settings *settings = &problem->settings;
  double rank = (double)tested_directions(prediction), tolerance = settings->verify.tolerance;
  double others = problem->network.layers > 1 ? 8.0 + 6.0 * (double)problem->network.layers : 6.0;
  double quantities = together(problem, prediction) ? others : rank + others;
  if (!sgf_is_exact(settings)) tolerance *= SHARE_OF_TOLERANCE;
  double level = sgf_look_level(settings->verify.level, settings->simulation.replicas > 0 ? 0 : 1);
  double deviations = gsl_cdf_ugaussian_Qinv(level / quantities) + gsl_cdf_ugaussian_Qinv(0.01 / quantities);
  if (!together(problem, prediction)) return tolerance / deviations;
  return tolerance * sqrt(sqrt(0.5 * rank) / deviations);
}

/* Times in units of the relaxation time of planning_rate, while the plan is being made; `memory`, the correlation time of the
 * squares that are averaged. */
typedef struct {
  double burn_in, window, replicas, error, cost_per_time, least_replicas, memory;
  bool burn_in_fixed, window_fixed, replicas_fixed;
} draft;

static double replicas_for(const draft *times)
{
  double variance = window_variance(times->burn_in / times->memory, times->window / times->memory);
  double relative = SAFETY * variance / (times->error * times->error);
  return fmax(ceil(relative), times->least_replicas);
}

/* The window that gives the error with the replicas: 2 SAFETY / (R window) = error^2. */
static void choose_window(draft *times)
{
  double replicas = times->replicas_fixed ? times->replicas : USUAL_REPLICAS;
  times->window = times->memory * fmax(2.0 * SAFETY / (replicas * times->error * times->error), LEAST_WINDOW_TIMES);
}

/* Multiply-adds of a snapshot: its products with itself, or with the directions and on these. */
static double cost_of_snapshot(const sgf_problem *problem, const sgf_prediction *prediction)
{
  double n = (double)problem->network.weights;
  double directions = prediction->tested != NULL ? (double)prediction->tested->count : 0.0;
  return directions > 0.0 ? directions * (n + 0.5 * directions) : 0.5 * n * n;
}

/* Steps between snapshots: half a correlation time of the fastest mode, or more where snapshots would take more than a
 * share of the steps. Fast modes have many independent snapshots in any window that slow ones relax in. With reshuffled
 * epochs every step is one, so that all positions in the epoch count alike. */
static double natural_stride(const sgf_problem *problem, const sgf_prediction *prediction)
{
  const sgf_settings *settings = &problem->settings;
  if (settings->training.sampling == SGF_SAMPLING_EPOCH) return 1.0;
  double rate = sgf_mode_rate(settings->training.learning_rate, settings->training.momentum,
                              prediction->info.largest_curvature);
  double fastest = 0.5 / (sgf_time_of_step(settings) * rate);
  return fmax(1.0, floor(fmax(fastest,
                              cost_of_snapshot(problem, prediction) / (SNAPSHOT_SHARE * sgf_cost_of_step(problem)))));
}

static double cost_per_step(const sgf_problem *problem, const sgf_prediction *prediction)
{
  return sgf_cost_of_step(problem) + cost_of_snapshot(problem, prediction) / natural_stride(problem, prediction);
}

static double cost(const draft *times)
{
  return times->replicas * (times->burn_in + times->window) * times->cost_per_time;
}

/* Shorten what may be shortened until the budget holds: more and shorter runs from theta*, compared with the
 * finite-time prediction, decide at less cost than fully relaxed ones. */
static void keep_budget(draft *times)
{
  for (int pass = 0; pass < 60 && cost(times) > BUDGET; pass++) {
    if (times->window_fixed && times->burn_in_fixed) return;
    if (!times->window_fixed) times->window *= 0.7;
    if (!times->burn_in_fixed) times->burn_in = fmin(times->burn_in, 0.15 * times->window);
    if (!times->replicas_fixed) times->replicas = replicas_for(times);
  }
}

static sgf_status to_steps(const char *key, double time, double rate, double *steps, sgf_error *error)
{
  *steps = ceil(time / rate * (1.0 - 1e-12));
  if (*steps <= MOST_STEPS) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_VALUE, "%s is %g: %g steps of learning rate %g are too many", key, time, *steps,
                  rate);
}

/* Round to whole snapshots, and with reshuffled epochs to whole epochs. */
static void round_steps(const sgf_problem *problem, const sgf_prediction *prediction, double burn_in, double window,
                        sgf_plan *plan)
{
  const sgf_settings *settings = &problem->settings;
  size_t batches = problem->data.samples / settings->training.batch_size;
  bool epoch = settings->training.sampling == SGF_SAMPLING_EPOCH;
  double stride = fmax(1.0, fmin(natural_stride(problem, prediction), floor(window / LEAST_SNAPSHOTS)));
  double unit = epoch ? (double)batches : stride;
  plan->stride = (size_t)stride;
  plan->window_steps = (size_t)(fmax(ceil(window / unit), 1.0) * unit);
  plan->burn_in_steps = (size_t)(epoch ? ceil(burn_in / unit) * unit : burn_in);
}

/* What the settings leave open of a long run that an experimenter would make. */
static void choose_long_run(const sgf_problem *problem, double lifetime, draft *times)
{
  if (problem->settings.simulation.protocol != SGF_PROTOCOL_WINDOW_PCA) return;
  if (!times->burn_in_fixed) times->burn_in = LONG_BURN_IN_TIMES;
  if (!times->window_fixed) times->window = LONG_WINDOW_TIMES;
  if (!times->window_fixed && LONG_SHARE_OF_LIFETIME * lifetime < LONG_WINDOW_TIMES)
    times->window = fmax(LONG_SHARE_OF_LIFETIME * lifetime, LEAST_WINDOW_TIMES);
  double affordable = BUDGET / ((times->burn_in + times->window) * times->cost_per_time);
  if (!times->replicas_fixed) times->replicas = fmax(LONG_RUNS, floor(fmin(replicas_for(times), affordable)));
}

/* Burn-in and window short against the lifetime of the quasi-stationary state, if it allows some relaxation times. */
static void keep_lifetime(double lifetime, double share, draft *times)
{
  double longest = share * lifetime;
  if (isnan(longest) || times->burn_in + times->window <= longest) return;
  double left = fmax(longest, 4.0) - times->burn_in;
  if (!times->window_fixed) times->window = fmin(times->window, fmax(left, 2.0));
}

sgf_status sgf_check_squares(double trace, sgf_error *error)
{
  const double largest = 1e130;
  if (!(trace > largest) && !(trace < 1.0 / largest && trace > 0.0)) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_VALUE,
      "the predicted trace of the covariance is %g: its square, which error bars need, over- or underflows", trace);
}

/* Steps of SGD against the last digit of theta*: their variance is lambda^2 kappa/S tr C = 4 lambda excess loss to leading
 * order. Smaller ones are rounded away, and nothing of what is predicted would be seen. */
static sgf_status check_steps(const sgf_problem *problem, const sgf_prediction *prediction, sgf_error *error)
{
  const double seen = 100.0 * DBL_EPSILON;
  double rate = problem->settings.training.learning_rate, size = sgf_norm(problem->network.weights, problem->theta);
  double step = sqrt(rate) * sqrt(4.0 * prediction->info.excess_loss);
  if (problem->settings.simulation.dynamics != SGF_DYNAMICS_SGD || !(step > 0.0) || step > seen * size) return SGF_OK;
  return sgf_fail(
      error, SGF_ERROR_VALUE,
      "training.learning_rate is %g: a step of SGD has the length %.3g and theta* %.3g, in double precision the "
      "weights would not move",
      rate, step, size);
}

sgf_status sgf_plan_simulation(const sgf_problem *problem, const sgf_prediction *prediction, sgf_plan *plan,
                               sgf_error *error)
{
  if (prediction->joint.range.V == NULL && prediction->tested == NULL)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "a prediction by the covariance operator without directions does not plan simulations");
  const sgf_settings *settings = &problem->settings;
  double h = planning_rate(problem, prediction), rate = sgf_time_of_step(settings), burn_in, window;
  bool one_layer = problem->network.layers == 1;
  double lifetime = one_layer ? INFINITY : prediction->info.lifetime * h; /* as all times of the draft */
  draft times = {settings->simulation.burn_in * h,
                 settings->simulation.window * h,
                 (double)settings->simulation.replicas,
                 wanted_error(problem, prediction),
                 cost_per_step(problem, prediction) / (h * rate),
                 together(problem, prediction) ? REPLICAS_FOR_NORMS : LEAST_REPLICAS,
                 shorter_memory(problem, h),
                 !isnan(settings->simulation.burn_in),
                 !isnan(settings->simulation.window),
                 settings->simulation.replicas > 0};
  sgf_status status;
  SGF_TRY(sgf_check_squares(prediction->info.trace, error));
  SGF_TRY(check_steps(problem, prediction, error));
  if (!times.burn_in_fixed) times.burn_in = BURN_IN_TIMES;
  if (!times.window_fixed) choose_window(&times);
  if (!one_layer) keep_lifetime(lifetime, together(problem, prediction) ? SHARE_TOGETHER : SHARE_OF_LIFETIME, &times);
  if (!times.replicas_fixed) times.replicas = replicas_for(&times);
  keep_budget(&times);
  choose_long_run(problem, lifetime, &times);
  SGF_TRY(to_steps("simulation.burn_in", times.burn_in / h, rate, &burn_in, error));
  SGF_TRY(to_steps("simulation.window", times.window / h, rate, &window, error));
  plan->replicas = (size_t)times.replicas;
  plan->looks = times.replicas_fixed ? 1 : LOOKS;
  plan->look = 0;
  plan->centred = settings->simulation.protocol == SGF_PROTOCOL_WINDOW_PCA;
  plan->replicas_chosen = !times.replicas_fixed;
  plan->burn_in_chosen = !times.burn_in_fixed;
  plan->window_chosen = !times.window_fixed;
  round_steps(problem, prediction, burn_in, window, plan);
  double steps = (double)(plan->burn_in_steps + plan->window_steps), whole = times.replicas * steps;
  if (whole > MOST_STEPS) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "simulation.replicas is %zu: with %g steps each that is too many steps",
                      plan->replicas, steps);
    goto done;
  }
  double length = rate * steps;
  plan->relaxed = exp(-prediction->info.decay_rate * length);
  plan->lifetime = one_layer ? 0.0 : length / prediction->info.lifetime;
done:
  return status;
}
