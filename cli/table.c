/* The readable summary on stdout. */
#include "table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to so many principal directions get a row each; of more, the outermost and all that do not agree. */
enum { ALL_ROWS = 16, OUTER_ROWS = 4 };

static void print_problem(const job *run)
{
  const sgf_settings *settings = sgf_problem_settings(run->problem);
  static const char *const sampling[] = {"with replacement", "without replacement", "reshuffled epochs"};
  printf("network      ");
  for (size_t l = 0; l < settings->network.width_count; l++)
    printf("%s%zu", l > 0 ? "-" : "", settings->network.widths[l]);
  printf(", n = %zu weights, P = %zu samples\n", sgf_problem_weights(run->problem),
         sgf_problem_samples(run->problem));
  printf("training     learning rate %g, batch %zu, %s", settings->training.learning_rate,
         settings->training.batch_size, sampling[settings->training.sampling]);
  if (settings->training.momentum > 0.0) printf(", momentum %g", settings->training.momentum);
  if (settings->training.weight_decay > 0.0) printf(", weight decay %g", settings->training.weight_decay);
  printf("\n");
}

/* Of several layers with weight decay. */
static bool is_decayed(const sgf_prediction_info *info) { return !isnan(info->regularized_loss); }

static void print_fit(const char *name, const sgf_ivfr *fit)
{
  if (isnan(fit->psi)) {
    printf("%s psi not defined (%zu modes)", name, fit->modes);
    return;
  }
  printf("%s psi = %.3g (%.3g ... %.3g), r = %.3g", name, fit->psi, fit->psi_low, fit->psi_high, fit->correlation);
}

static void print_scaling(const char *name, const sgf_time_scaling *scaling)
{
  if (isnan(scaling->exponent))
    printf("%s not a power of flatness (%zu modes)", name, scaling->modes);
  else
    printf("%s ~ flatness^%.3g (%.3g ... %.3g)", name, scaling->exponent, scaling->low, scaling->high);
}

/* A number, or the word that stands where there is none; into `text`. */
static const char *shown(char text[32], const char *format, double value)
{
  if (isnan(value))
    snprintf(text, 32, "undefined");
  else
    snprintf(text, 32, format, value);
  return text;
}

/* Correlation times, displacement. */
static void print_time(const sgf_prediction_info *info)
{
  if (info->untimed != NULL) {
    printf("time         not predicted: %s\n", info->untimed);
    return;
  }
  printf("time         correlation time %.4g", info->time.correlation_time);
  if (info->time.scaling.modes > 0) print_scaling(", along principal directions", &info->time.scaling);
  printf("\n             mean square displacement %.4g * time at first, %.4g in the end",
         info->time.displacement_rate, 2.0 * info->trace);
  if (!isnan(info->null_drift) && isnan(info->null_diffusion))
    printf("; the mean on null(H) (%.3g * time)^2", info->null_drift);
  else if (!isnan(info->null_drift))
    printf("; on null(H) %.3g * time + (%.3g * time)^2", info->null_diffusion, info->null_drift);
  printf("\n");
}

/* A number of the prediction by its name; NaN if it has none of that name. */
static double number_of(const sgf_prediction *prediction, const char *name)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  size_t count = sgf_prediction_numbers(prediction, numbers, SGF_MOST_NUMBERS);
  for (size_t k = 0; k < count; k++)
    if (strcmp(numbers[k].name, name) == 0) return numbers[k].value;
  return NAN;
}

/* Whether the closure of several layers is without third cumulants. */
static bool is_gaussian(const sgf_prediction *prediction)
{
  return number_of(prediction, "third_cumulants") == 0.0 && sgf_prediction_get_info(prediction)->layers > 1;
}

static void print_closure(const sgf_prediction *prediction)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
  if (!isnan(info->next_order))
    printf("closure      trace %+.3g %% of leading order; mean %.4g from theta* on range(H), %.3g * time along "
           "null(H)%s\n",
           100.0 * info->next_order, info->mean_shift, info->mean_drift,
           is_gaussian(prediction) ? "; third cumulants neglected" : "");
}

/* The covariance and what follows from it; nothing where there is no stationary state, which print_time says. */
static void print_covariance(const sgf_prediction *prediction)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
  if (isnan(info->trace)) {
    printf("loss         minimum %.6g\nirreversible |[H,C]| / |H||C| = %.3g\n", info->min_loss,
           info->commutator_relative);
    return;
  }
  printf("covariance   trace %.6g, residual %.2g%s\n", info->trace, info->residual,
         info->diffusing_directions > 0 ? " (that of the noise without drift, which has no solution)" : "");
  print_closure(prediction);
  printf("loss         minimum %.6g, mean excess %.6g\n", info->min_loss, info->excess_loss);
  printf("irreversible |[H,C]| / |H||C| = %.3g, |Q| / |H Sigma| = %.3g, entropy production %.4g%s\n",
         info->commutator_relative, info->irreversible, info->entropy_production,
         info->entropy_on_range ? " (on the range of D)" : "");
  print_fit("IVFR        ", &info->ivfr);
  printf(", %zu modes, %zu left out\n", info->ivfr.modes, info->ivfr.left_out);
}

static void print_theory(const job *run, const sgf_prediction *prediction)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
  const sgf_settings *settings = sgf_problem_settings(run->problem);
  double rate = settings->training.learning_rate, momentum = settings->training.momentum;
  printf("drift        rank %zu of %zu%s, curvature %.4g ... %.4g, condition number %.4g\n", info->rank_hessian,
         info->weights, info->rank_ambiguous ? " (ambiguous)" : "", info->relaxation_rate, info->largest_curvature,
         info->condition_number);
  printf("diffusion    rank %zu, noise on null(H) %.2g, kappa/S = %.4g\n", info->rank_noise, info->null_noise,
         info->noise_strength);
  if (info->diffusing_directions > 0)
    printf("             %zu directions without drift have noise: they diffuse without bound, variance %.3g * time\n",
           info->diffusing_directions, info->diffusing_rate);
  if (info->noise_free)
    printf("             %s: nothing fluctuates\n",
           is_decayed(info) && info->map_rank == 0 ? "all weights are zero" : "the residuals are round-off");
  if (momentum > 0.0)
    printf("momentum     the slowest mode relaxes at the rate %.4g, %.4g without momentum\n", info->decay_rate,
           info->relaxation_rate);
  printf("stability    learning rate below %.6g (here %.3g of it)%s\n", info->stability_limit,
         rate / info->stability_limit,
         momentum > 0.0             ? "; of the drift alone, noise lowers it"
         : info->layers == 1        ? ""
         : info->stability_is_bound ? "; in mean square, on range(H): a bound, the limit is not below"
                                    : "; in mean square, on range(H)");
  if (!isnan(info->mean_square_limit))
    printf("             in mean square%s below %.6g (here %.3g of it)\n", info->layers > 1 ? ", on range(H)," : "",
           info->mean_square_limit, rate / info->mean_square_limit);
  print_covariance(prediction);
  print_time(info);
  if (isnan(info->spectrum_distance)) return;
  printf("spectra      Kolmogorov distance of C and H %.3g", info->spectrum_distance);
  if (!isnan(info->hessian_law_distance)) printf(", of H to its law %.3g", info->hessian_law_distance);
  if (!isnan(info->noise_law_distance)) printf(", of C to its law %.3g", info->noise_law_distance);
  printf("\n");
}

/* What the covariance operator can say of all weights together. */
static void print_theory_by_operator(const job *run, const sgf_prediction *prediction)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
  double rate = sgf_problem_settings(run->problem)->training.learning_rate;
  printf("path         %s: %s\n", info->path, run->costs.reason);
  printf("drift        rank %zu of %zu%s, curvature %.4g ... %.4g, condition number %.4g\n", info->rank_hessian,
         info->weights, info->rank_ambiguous ? " (ambiguous)" : "", info->relaxation_rate, info->largest_curvature,
         info->condition_number);
  if (info->noise_free) printf("             the residuals are round-off: nothing fluctuates\n");
  printf("stability    learning rate below %.6g (here %.3g of it)%s\n", info->stability_limit,
         rate / info->stability_limit, "; of the drift alone, noise lowers it");
  printf("covariance   trace %.6g, kappa/S = %.4g\n", info->trace, info->noise_strength);
  print_closure(prediction);
  printf("loss         minimum %.6g, mean excess %.6g\n", info->min_loss, info->excess_loss);
  print_time(info);
}

/* How far the modes of a layer are principal, and all. */
static void print_layer_by_operator(size_t l, const sgf_layer_info *layer)
{
  printf("layer %-3zu    %zu weights, trace %.4g\n            ", l, layer->weights, layer->trace);
  print_fit("", &layer->ivfr);
  printf(", %zu modes, %zu left out", layer->ivfr.modes, layer->ivfr.left_out);
  if (!isnan(layer->ivfr_closed_form.psi)) printf("; closed form psi = %.3g", layer->ivfr_closed_form.psi);
  printf("\n");
  if (!layer->found.principal)
    printf("             along the principal directions within each eigenvector of the outputs: what couples them is "
           "%.2g of the block (psi of the principal directions may differ)\n",
           layer->found.coupling);
  if (layer->found.modes < layer->weights)
    printf("             the %zu leading principal directions, to %.2g\n", layer->found.modes, layer->found.residual);
}

/* How a hidden layer turns, which the loss does not see. */
static void print_rotation(const sgf_prediction *prediction, size_t l)
{
  const sgf_rotation_info *rotation = sgf_prediction_get_rotation(prediction, l);
  sgf_number numbers[SGF_MOST_NUMBERS];
  size_t count = sgf_rotation_numbers(prediction, l, numbers, SGF_MOST_NUMBERS);
  if (rotation == NULL || rotation->modes == 0) return;
  printf("rotation %-3zu ", l);
  if (rotation->left_out != NULL) {
    printf("not predicted: %s\n", rotation->left_out);
    return;
  }
  printf("%zu planes, drift |d<nu>/dt| = %.3g", rotation->modes, rotation->drift);
  if (rotation->too_many != NULL)
    printf(", diffusion left out: %s", rotation->too_many);
  else
    printf(", diffusion trace %.3g", rotation->diffusion);
  for (size_t k = 0; k < count; k++)
    if (strcmp(numbers[k].name, "diffusion_next_order") == 0 && fabs(numbers[k].value) > 5e-4)
      printf(" (%+.1f %% by the configured equation)", 100.0 * numbers[k].value);
  if (!isnan(rotation->angular_velocity)) printf("; %.3g rad per time", rotation->angular_velocity);
  if (isfinite(rotation->turn_time)) printf(", 1 rad in %.3g", rotation->turn_time);
  printf("\n");
}

/* What reshuffled epochs do to the IVFR, apart from what the coupling of the layers does. */
static void print_crossover(const job *run, const sgf_prediction *prediction)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
  const sgf_settings *settings = sgf_problem_settings(run->problem);
  double epoch = (double)(sgf_problem_samples(run->problem) / settings->training.batch_size);
  printf("epochs       %zu of %zu modes of range(H) below the crossover, lambda h M < 3(1 - momentum)\n",
         info->modes_below_crossover, info->rank_hessian);
  if (isnan(info->trace)) return;
  if (info->untimed == NULL)
    printf("             correlation times end where the autocovariance first is 0 (over all lags it sums to 0); an "
           "epoch "
           "is %.4g\n",
           settings->training.learning_rate * epoch);
  for (size_t l = 1; l <= info->layers; l++) {
    const sgf_layer_info *layer = sgf_prediction_get_layer(prediction, l);
    char one[32], other[32];
    printf("             layer %zu: psi coupled %s, with independent draws %s", l,
           shown(one, "%.3g", layer->ivfr.psi), shown(other, "%.3g", layer->ivfr_independent.psi));
    if (info->layers > 1)
      printf("; uncoupled %s, with independent draws %s", shown(one, "%.3g", layer->ivfr_uncoupled.psi),
             shown(other, "%.3g", layer->ivfr_uncoupled_independent.psi));
    printf("\n");
  }
}

static void print_decayed_minimum(const sgf_prediction_info *info)
{
  printf("minimum      of the loss with weight decay %.6g, %s, gradient %.2g, balance %.2g, flow of %.4g units of "
         "time\n",
         info->regularized_loss, info->certified_global ? "global" : "local (not proven to be global)",
         info->gradient_norm, info->balance_error, info->flow_time);
  if (info->map_rank == 0)
    printf("             theta* = 0: weight decay has shrunk all weights to zero%s\n",
           info->layers > 2 ? ", always a minimum of three and more layers" : "");
  else
    printf("             rank of the map %zu; hidden layers have %zu rotations without drift, %zu scalings of rate 2 "
           "gamma "
           "without noise\n",
           info->map_rank, info->rotations, info->scalings);
}

/* Where the motion along the minima would end, and the psi of the closed form there. */
static void print_noise_balance(const sgf_prediction *prediction)
{
  const sgf_noise_balance_info *info = &sgf_prediction_get_info(prediction)->noise_balance;
  if (isnan(info->imbalance)) return;
  printf("             imbalance of the noise %.3g", info->imbalance);
  if (!isnan(info->distance)) printf("; noise balance is %.3g of the weights away", info->distance);
  if (!isnan(info->rate)) printf(", approached at the rate %.3g", info->rate);
  if (!isnan(info->distance) && info->surplus > 0) printf(", where %zu hidden units have faded", info->surplus);
  double lower = sgf_prediction_get_layer(prediction, 1)->ivfr_balanced.psi;
  double upper = sgf_prediction_get_layer(prediction, 2)->ivfr_balanced.psi;
  if (!isnan(lower) && !isnan(upper)) printf("; closed form psi there %.3g, %.3g", lower, upper);
  printf("\n");
}

/* How long the state lasts. */
static void print_lifetime(const sgf_prediction *prediction, bool by_operator)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
  if (isinf(info->lifetime))
    printf("lifetime     without end");
  else
    printf("lifetime     %.4g", info->lifetime);
  printf(", balance rate %.3g", info->balance_rate);
  if (!is_decayed(info)) printf(" = %.3g of the slowest relaxation", info->rate_ratio);
  if (!by_operator) printf(", drift of the balance %.3g", info->balance_drift);
  if (is_decayed(info) && info->map_rank > 0)
    printf(", which ends at %.3g of the squared weights", info->balance_shift);
  printf("\n");
  print_noise_balance(prediction);
  if (info->rate_ratio > SGF_NOT_SHORT)
    printf("             not quasi-stationary in the slowest modes: %s\n",
           is_decayed(info) ? "noise moves the balance about as fast as weight decay restores it"
                            : "the balance drifts about as fast as they relax");
}

/* The minimum, each layer by itself, and how long the state lasts. */
static void print_layers(const sgf_prediction *prediction, bool by_operator)
{
  const sgf_prediction_info *info = sgf_prediction_get_info(prediction);
  if (is_decayed(info))
    print_decayed_minimum(info);
  else
    printf("minimum      global to %.2g, gradient %.2g", info->min_loss - info->global_loss, info->gradient_norm);
  if (!is_decayed(info) && !isnan(info->balance_error))
    printf(", flow of %.4g units of time, balance kept to %.2g", info->flow_time, info->balance_error);
  if (!is_decayed(info)) printf("\n");
  for (size_t l = 1; l <= info->layers; l++) {
    const sgf_layer_info *layer = sgf_prediction_get_layer(prediction, l);
    if (by_operator) {
      print_layer_by_operator(l, layer);
      continue;
    }
    printf("layer %-3zu    rank of H %zu, of C %zu, of %zu", l, layer->rank_hessian, layer->rank_noise,
           layer->weights);
    if (isnan(info->trace)) {
      printf("\n");
      continue;
    }
    printf("; trace coupled %.4g, uncoupled %.4g\n            ", layer->trace, layer->trace_uncoupled);
    print_fit(" coupled", &layer->ivfr);
    print_fit("; uncoupled", &layer->ivfr_uncoupled);
    if (!isnan(layer->ivfr_closed_form.psi)) printf("; closed form psi = %.3g", layer->ivfr_closed_form.psi);
    printf("\n");
    if (info->untimed != NULL) continue;
    printf("             correlation time %.4g,", layer->time.correlation_time);
    print_scaling(" coupled", &layer->time.scaling);
    print_scaling("; uncoupled", &layer->time.scaling_uncoupled);
    printf("\n");
  }
  if (info->layers == 1) return;
  print_lifetime(prediction, by_operator);
  for (size_t l = 1; l < info->layers; l++) print_rotation(prediction, l);
}

/* All weights at the end of the runs, what the loss does not hold included. */
static void print_whole_space(const job *run, const sgf_prediction *prediction)
{
  const sgf_settings *settings = sgf_problem_settings(run->problem);
  double time = number_of(prediction, "whole_time");
  const char *reason = sgf_whole_left_out(run->problem, prediction);
  if (settings->theory.equation != SGF_EQUATION_CLOSURE || sgf_prediction_get_info(prediction)->layers == 1) return;
  if (reason != NULL) printf("all weights  not predicted: %s\n", reason);
  if (isnan(time)) return; /* recorded weights, of which the start is not known */
  printf("all weights  from theta* on, after time %.4g: mean %.4g away, covariance of trace %.6g, %.3g of it along "
         "the symmetry of "
         "the hidden layers\n",
         time, number_of(prediction, "whole_mean"), number_of(prediction, "whole_trace"),
         number_of(prediction, "whole_along") / number_of(prediction, "whole_trace"));
  double least = number_of(prediction, "whole_least");
  if (least < -1e-3)
    printf(
        "             which is no covariance: its smallest eigenvalue is %.2g of the largest, the learning rate is "
        "beyond the next order's reach here\n",
        least);
}

static void print_experiment(const job *run)
{
  const sgf_ensemble_info *info = sgf_ensemble_get_info(run->ensemble);
  const sgf_settings *settings = sgf_problem_settings(run->problem);
  bool langevin = settings->simulation.dynamics == SGF_DYNAMICS_LANGEVIN;
  double rate = sgf_time_of_step(settings);
  if (langevin && !info->recorded)
    printf("dynamics     Langevin, time step %.4g, noise %s\n", rate,
           settings->simulation.langevin_noise == SGF_LANGEVIN_FROZEN ? "frozen at theta*" : "of the state");
  if (info->recorded)
    printf("recorded     %zu %s\n", info->replicas, info->batches ? "batches of one run" : "runs");
  else
    printf(
        "simulation   %zu replicas%s, burn-in %.4g%s, window %.4g%s (time = %s x step), snapshot every %zu steps\n",
        info->replicas, info->plan.replicas_chosen ? "*" : "", rate * (double)info->plan.burn_in_steps,
        info->plan.burn_in_chosen ? "*" : "", rate * (double)info->plan.window_steps,
        info->plan.window_chosen ? "*" : "", langevin ? "time_step" : "rate", info->plan.stride);
  if (!info->recorded && (info->plan.replicas_chosen || info->plan.burn_in_chosen || info->plan.window_chosen))
    printf("             (* chosen from the relaxation rates and the tolerance)\n");
  if (run->comparison != NULL) return;
  printf("measured     trace %.6g", info->trace);
  if (!isnan(info->trace_se)) printf(" +- %.2g", info->trace_se);
  printf("%s\n",
         sgf_problem_settings(run->problem)->network.width_count > 2 ? ", what moved along null(H) included" : "");
}

/* What an experimenter reads off the windows alone. */
static void print_components(const job *run)
{
  size_t layers = sgf_problem_settings(run->problem)->network.width_count - 1;
  if (!sgf_ensemble_get_info(run->ensemble)->centred) return;
  for (size_t l = 1; l <= layers; l++) {
    sgf_window_pca seen;
    if (sgf_window_pca_measure(run->problem, run->ensemble, l, &seen, NULL, NULL, NULL) != SGF_OK) continue;
    if (isnan(seen.psi))
      printf("components   layer %zu: psi not defined, there is a run with fewer than 3 components of different "
             "flatness\n",
             l);
    else
      printf("components   layer %zu: psi = %.3g +- %.2g, correlation %.3g +- %.2g over %zu runs\n", l, seen.psi,
             seen.psi_error, seen.correlation, seen.correlation_error, seen.runs);
  }
}

static void print_quantity(const sgf_quantity *q)
{
  char predicted[32], measured[32];
  printf("  %-24s %12s %12s", q->name, shown(predicted, "%.6g", q->predicted), shown(measured, "%.6g", q->measured));
  if (isnan(q->standard_error) || isnan(q->deviation))
    printf(" %9s %11s", "", "");
  else
    printf(" %9.2g %+9.2f %%", q->standard_error, 100.0 * q->deviation);
  printf("  %s\n", sgf_verdict_text(q->verdict));
}

/* Drifts whose deviation is not measured over predicted, less 1. */
static bool is_balance(const sgf_quantity *q) { return strncmp(q->name, "balance_", strlen("balance_")) == 0; }

static bool is_variance(const sgf_quantity *q) { return strncmp(q->name, "variance_", strlen("variance_")) == 0; }

static void print_quantities(const sgf_comparison *comparison)
{
  const sgf_quantity *quantities = sgf_comparison_quantities(comparison);
  size_t count = sgf_comparison_get_info(comparison)->quantities, variances = 0, seen = 0, hidden = 0;
  bool timed = false, relative = false;
  for (size_t k = 0; k < count; k++) {
    variances += is_variance(&quantities[k]);
    relative = relative || is_balance(&quantities[k]);
    timed = timed || strstr(quantities[k].name, "correlation_time_exponent") != NULL;
  }
  printf("\n  %-24s %12s %12s %9s %11s  %s\n", "quantity", "predicted", "measured", "s.e.", "deviation", "verdict");
  for (size_t k = 0; k < count; k++) {
    const sgf_quantity *q = &quantities[k];
    bool outer = !is_variance(q) || variances <= ALL_ROWS || seen < OUTER_ROWS || seen >= variances - OUTER_ROWS;
    seen += is_variance(q);
    if (outer || q->verdict != SGF_AGREE)
      print_quantity(q);
    else
      hidden++;
  }
  printf("  (the deviation of ..ivfr_psi is that of the variance across one standard deviation of log curvature)\n");
  if (relative) printf("  (that of balances is relative to both parts of the drift, which nearly cancel)\n");
  if (timed)
    printf("  (..correlation_time_exponent likewise, of the time; displacement_K is over K steps; times are summed "
           "over the "
           "snapshots)\n");
  if (hidden > 0) printf("  (%zu more principal directions agree)\n", hidden);
}

/* R-hat, effective sample sizes, times: of runs that do not move in a mode there are none. */
static void print_slow_modes(const sgf_comparison *comparison, const char *untimed)
{
  const sgf_mode_diagnostics *mode;
  bool unknown = false;
  for (size_t k = 0; (mode = sgf_comparison_get_mode(comparison, k)) != NULL; k++) {
    char text[6][32];
    unknown = unknown || isnan(mode->correlation_time_predicted);
    printf("slow mode %zu  rate %.4g, R-hat %s, ESS bulk %s tail %s, MCSE %s; correlation time ", k + 1, mode->rate,
           shown(text[0], "%.3f", mode->r_hat), shown(text[1], "%.3g", mode->ess_bulk),
           shown(text[2], "%.3g", mode->ess_tail), shown(text[3], "%.2g", mode->mcse_mean));
    if (isnan(mode->correlation_time))
      printf("undefined");
    else
      printf("%.4g +- %s", mode->correlation_time, shown(text[4], "%.2g", mode->correlation_time_error));
    if (!isnan(mode->correlation_time_predicted)) printf(", predicted %.4g", mode->correlation_time_predicted);
    printf("\n");
  }
  if (unknown && untimed != NULL) printf("             (no time is predicted: %s)\n", untimed);
}

/* What is no quantity for want of replicas, or of a start. */
static void print_untested(const sgf_comparison *comparison, bool recorded, bool several)
{
  size_t count;
  const sgf_quantity *untested = sgf_comparison_untested(comparison, &count);
  for (size_t k = 0; k < count; k++)
    printf("%s %s (about %.2g replicas)", k == 0 ? "not tested  " : ",", untested[k].name,
           untested[k].replicas_needed);
  if (count > 0) printf("\n");
  if (recorded && several)
    printf("not tested   what moves along null(H), rotations, balances, all weights: recorded weights do not say "
           "that they "
           "began at theta*\n");
}

static void print_verdict(const job *run)
{
  const sgf_comparison_info *info = sgf_comparison_get_info(run->comparison);
  const sgf_ensemble_info *ensemble = sgf_ensemble_get_info(run->ensemble);
  const sgf_settings *settings = sgf_problem_settings(run->problem);
  char r_hat[32], samples[32];
  printf("\nslowest mode R-hat %s, effective samples %s\n", shown(r_hat, "%.4f", info->r_hat),
         shown(samples, "%.4g", info->effective_samples));
  print_slow_modes(run->comparison, sgf_prediction_get_info(run->prediction)->untimed);
  if (info->directions > 0)
    printf("directions   %zu of range(H), with %.3g of the predicted trace; of all weights |theta - theta*|^2 is "
           "%.6g +- "
           "%.2g%s\n",
           info->directions, info->directions_share, sgf_ensemble_get_info(run->ensemble)->trace,
           sgf_ensemble_get_info(run->ensemble)->trace_se,
           sgf_prediction_get_info(run->prediction)->layers > 1 ? ", what moved along null(H) included" : "");
  else if (sgf_prediction_get_info(run->prediction)->layers > 1 && !isnan(info->null_leak))
    printf("leak         %.3g +- %.2g of the measured trace is outside of range(H)\n", info->null_leak,
           info->null_leak_error);
  if (!isnan(info->correlation_ratio))
    printf("memory       correlation times %.3f +- %.2g of the predicted ones, from the means of the windows\n",
           info->correlation_ratio, info->correlation_ratio_error);
  if (info->z_tested)
    printf("z-scores     %zu elements, largest |z| %.3g (p = %.2g), variance %.4g\n", info->z_count, info->z_largest,
           info->z_p_value, info->z_variance);
  if (!isnan(info->batch_correlation))
    printf("batches      lag-1 correlation %.2g%s\n", info->batch_correlation,
           info->batch_correlation > 0.5 ? ": too short against the slowest mode, nothing can be concluded" : "");
  printf("verdict      %s: %zu agree, %zu disagree, %zu inconclusive at +-%g %%, level %g",
         sgf_verdict_text(info->verdict), info->agree, info->disagree, info->inconclusive,
         100.0 * settings->verify.tolerance, settings->verify.level);
  if (info->look > 0) printf(", %.3g for look %zu", info->level, info->look);
  printf("\n");
  print_untested(run->comparison, ensemble->recorded && !ensemble->centred,
                 sgf_problem_settings(run->problem)->network.width_count > 2);
  if (info->verdict == SGF_DISAGREE && info->disagree == 0)
    printf("             an element of the covariance deviates from the exact equation: p = %.2g\n", info->z_p_value);
  if (info->inconclusive == 0) return;
  printf("             about %.3g replicas would decide", info->replicas_needed);
  if (run->stopped_by == STOPPED_BUDGET) printf("; the budget is spent");
  if (run->stopped_by == STOPPED_LIMIT || run->stopped_by == STOPPED_HOPELESS)
    printf("; without --max-time or --max-steps at most %zu are simulated", run->most_replicas);
  printf("\n");
}

void table_print(const job *run, const sgf_prediction *prediction)
{
  print_problem(run);
  bool by_operator = prediction != NULL && run->costs.chosen != 0;
  if (by_operator)
    print_theory_by_operator(run, prediction);
  else if (prediction != NULL)
    print_theory(run, prediction);
  if (prediction != NULL && (by_operator || sgf_prediction_get_info(prediction)->layers > 1))
    print_layers(prediction, by_operator);
  if (prediction != NULL && !by_operator) print_whole_space(run, prediction);
  if (prediction != NULL && sgf_problem_settings(run->problem)->training.sampling == SGF_SAMPLING_EPOCH)
    print_crossover(run, prediction);
  if (run->ensemble != NULL) print_experiment(run);
  if (run->ensemble != NULL) print_components(run);
  if (run->comparison != NULL) {
    print_quantities(run->comparison);
    print_verdict(run);
  }
  if (run->asked->output != NULL) printf("output       %s\n", run->asked->output);
  if (run->asked->record != NULL)
    printf("trajectory   %s, weights (%zu, %zu, %zu)\n", run->asked->record, run->recorded_replicas,
           run->recorded_snapshots, sgf_problem_weights(run->problem));
  if (run->asked->report != NULL) printf("report       %s\n", run->asked->report);
}
