/* The report: one self-contained HTML page, with figures as inline SVG and nothing fetched from anywhere. */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "../io/atomic_file.h"
#include "../theory/linear_algebra.h"
#include "ensemble.h"
#include "figures.h"
#include "plot.h"

typedef struct {
  FILE *out;
  const sgf_provenance *provenance;
  const sgf_problem *problem;
  const sgf_prediction *prediction;
  const sgf_ensemble *ensemble;
  const sgf_comparison *comparison;
  bool figures;
} report;

static const char STYLE[] =
    "body{font:16px/1.5 Georgia,'Times New Roman',serif;max-width:54rem;margin:2rem auto;padding:0 1rem;color:#111}"
    "h1{font-size:1.7rem;margin-bottom:.2rem}h2{font-size:1.2rem;margin-top:2rem;border-bottom:1px solid #999}"
    "table{border-collapse:collapse;margin:.6rem 0;font-size:.92rem}"
    "td,th{padding:.15rem .7rem;text-align:left;border-bottom:1px solid #ccc}td.n,th.n{text-align:right;"
    "font-variant-numeric:tabular-nums}"
    ".verdict{display:inline-block;border:2px solid #111;padding:.3rem .9rem;font-weight:bold}"
    "tr.disagree td{font-weight:bold}tr.inconclusive td{font-style:italic}"
    "pre{background:#f4f4f4;border:1px solid "
    "#ccc;padding:.6rem;overflow-x:auto;white-space:pre-wrap;font-size:.85rem}"
    "figure{margin:1rem 0}figure svg{width:100%;max-width:40rem;height:auto}"
    "figcaption{font-size:.9rem;max-width:42rem}.note{border-left:3px solid #111;padding-left:.8rem}"
    "@media print{body{max-width:none;margin:0;font-size:11pt}figure,tr{break-inside:avoid}h2{break-after:avoid}}";

static void put_escaped(FILE *out, const char *text)
{
  for (; *text != '\0'; text++) {
    const char *entity = *text == '<'   ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '&' ? "&amp;"
                         : *text == '"' ? "&quot;"
                                        : NULL;
    if (entity != NULL)
      fputs(entity, out);
    else
      fputc(*text, out);
  }
}

/* One row: a name and a value in printf form. */
static void row(const report *page, const char *name, const char *format, ...) SGF_PRINTF(3, 4);
static void row(const report *page, const char *name, const char *format, ...)
{
  va_list arguments;
  fprintf(page->out, "<tr><td>%s</td><td>", name);
  va_start(arguments, format);
  vfprintf(page->out, format, arguments);
  va_end(arguments);
  fputs("</td></tr>\n", page->out);
}

/* A number in one of these forms, or the word that stands where there is none; into `text`. */
static const char *shown(char text[32], const char *format, double value)
{
  if (isnan(value))
    snprintf(text, 32, "undefined");
  else
    snprintf(text, 32, format, value);
  return text;
}

static bool is_stationary(const report *page) { return !isnan(page->prediction->info.trace); }

static void put_head(const report *page)
{
  FILE *out = page->out;
  fprintf(out,
          "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<title>sgflow report</title>\n<style>%s</style></head><body>\n<h1>Weight fluctuations under SGD</h1>\n",
          STYLE);
  if (!is_stationary(page)) {
    fprintf(
        out,
        "<p class=\"verdict\">no stationary state</p>\n<p>The learning rate %g is beyond the limit %.6g: the second "
        "moment grows without bound. There is nothing to compare with, and no stationary number is predicted.</p>\n",
        page->problem->settings.training.learning_rate, sgf_learning_rate_limit(page->prediction));
    return;
  }
  if (page->comparison == NULL) {
    fputs("<p class=\"verdict\">theory alone</p>\n", out);
    return;
  }
  const sgf_comparison_info *info = &page->comparison->info;
  const char *mark[] = {"&#10003;", "&#10007;", "?"};
  fprintf(out, "<p class=\"verdict\">%s %s</p>\n", mark[info->verdict], sgf_verdict_text(info->verdict));
  fprintf(out,
          "<p>Of %zu quantities %zu agree with the theory within %g %%, %zu disagree, %zu are inconclusive "
          "(family-wise level %g).",
          info->quantities, info->agree, 100.0 * page->problem->settings.verify.tolerance, info->disagree,
          info->inconclusive, page->problem->settings.verify.level);
  if (info->inconclusive > 0) fprintf(out, " About %.3g replicas would decide all of them.", info->replicas_needed);
  fputs("</p>\n", out);
}

static const char *sampling_text(sgf_sampling sampling)
{
  if (sampling == SGF_SAMPLING_REPLACEMENT) return "independent draws with replacement";
  return sampling == SGF_SAMPLING_EPOCH ? "reshuffled epochs" : "a fresh subset each step, without replacement";
}

static const char *equation_text(const sgf_settings *settings)
{
  bool heavy = settings->training.momentum > 0.0;
  if (settings->training.sampling == SGF_SAMPLING_EPOCH && settings->theory.equation == SGF_EQUATION_CLOSURE)
    return "closure of mean and moments given the samples that are left, averaged over an epoch";
  if (settings->training.sampling == SGF_SAMPLING_EPOCH)
    return heavy ? "discrete time with momentum, constant drift, averaged over an epoch"
                 : "discrete time, constant drift, averaged over an epoch";
  if (heavy)
    return settings->theory.equation == SGF_EQUATION_CONTINUUM ? "continuum, the leading order with momentum"
                                                               : "discrete time with momentum, constant drift";
  if (sgf_is_exact(settings)) return "exact second moment, weight-dependent noise";
  if (settings->theory.equation == SGF_EQUATION_MULTIPLICATIVE)
    return "second moment of linearized SGD with the Hessian of each minibatch";
  if (settings->theory.equation == SGF_EQUATION_CLOSURE) return "Gaussian closure of mean and covariance";
  return settings->theory.equation == SGF_EQUATION_CONTINUUM ? "continuum" : "discrete time, constant drift";
}

static void put_problem(const report *page)
{
  static const char *const noise_names[] = {"empirical", "population (Gaussian)", "isotropic (C = s&sup2;H)"};
  const sgf_settings *settings = &page->problem->settings;
  const sgf_network *network = &page->problem->network;
  FILE *out = page->out;
  fputs("<h2>The problem</h2>\n<table>\n<tr><td>network</td><td>", out);
  for (size_t l = 0; l <= network->layers; l++)
    fprintf(out, "%s%zu", l > 0 ? "&#8202;&ndash;&#8202;" : "", network->widths[l]);
  fprintf(out, ", %zu layer%s, n = %zu weights</td></tr>\n", network->layers, network->layers > 1 ? "s" : "",
          network->weights);
  fputs("<tr><td>data</td><td>", out);
  put_escaped(out, settings->data.source == SGF_SOURCE_FILE && settings->data.file != NULL ? settings->data.file
                                                                                           : "Gaussian");
  fprintf(out, ", P = %zu samples, q = N<sub>0</sub>/P = %.4g</td></tr>\n", page->problem->data.samples,
          (double)page->problem->data.inputs / (double)page->problem->data.samples);
  row(page, "training", "learning rate &lambda; = %g, batch S = %zu, %s", settings->training.learning_rate,
      settings->training.batch_size, sampling_text(settings->training.sampling));
  if (settings->training.momentum > 0.0) row(page, "momentum", "&beta; = %g", settings->training.momentum);
  if (settings->training.weight_decay > 0.0) row(page, "weight decay", "%g", settings->training.weight_decay);
  row(page, "equation", "%s, %s noise", equation_text(settings), noise_names[settings->theory.noise]);
  fputs("</table>\n", out);
}

/* What the covariance operator can say. */
static void put_numbers_by_operator(const report *page)
{
  const sgf_prediction_info *info = &page->prediction->info;
  fputs("<h2>Ranks and stability</h2>\n<table>\n", page->out);
  row(page, "path", "%s, without n &times; n matrices", info->path);
  row(page, "rank of H", "%zu of %zu, gap at the cut %.3g%s", info->rank_hessian, info->weights, info->rank_gap,
      info->rank_ambiguous ? " (<b>ambiguous</b>)" : "");
  row(page, "curvature", "h<sub>min</sub> = %.4g, h<sub>max</sub> = %.4g, condition number %.4g",
      info->relaxation_rate, info->largest_curvature, info->condition_number);
  row(page, "covariance", "trace %.6g", info->trace);
  if (!isnan(info->next_order))
    row(page, "next order in the learning rate",
        "trace %+.3g %% of leading order; mean %.4g from &theta;* on range(H), %.3g &times; time along null(H)",
        100.0 * info->next_order, info->mean_shift, info->mean_drift);
  row(page, "loss at the minimum", "L* = %.6g; mean excess %.4g; gradient %.2g", info->min_loss, info->excess_loss,
      info->gradient_norm);
  row(page, "stability limit", "&lambda; &lt; %.4g for the drift alone, noise lowers it; here %.3g of it",
      info->stability_limit, page->problem->settings.training.learning_rate / info->stability_limit);
  if (info->layers > 1)
    row(page, "quasi-stationary", "the balance relaxes at the rate %.3g, %.3g of h<sub>min</sub>; lifetime %.4g",
        info->balance_rate, info->rate_ratio, info->lifetime);
  fputs("</table>\n", page->out);
}

/* All weights of the runs, what the loss does not hold included. */
static void put_whole_space(const report *page)
{
  const sgf_known_moments *known = page->prediction->known;
  if (known == NULL || known->whole.second == NULL) return;
  const sgf_whole_moments *whole = &known->whole;
  size_t n = page->prediction->info.weights;
  double trace = sgf_trace(n, whole->covariance);
  row(page, "all weights",
      "of runs from &theta;*, after time %.4g: mean %.4g away, covariance of trace %.6g, %.3g of it along the "
      "symmetry of the hidden layers",
      whole->time, sgf_norm(n, whole->mean), trace, whole->along / trace);
}

/* How a hidden layer turns. */
static void put_rotation(const report *page, size_t hidden)
{
  const sgf_rotation_info *rotation = sgf_prediction_get_rotation(page->prediction, hidden);
  char name[48], diffusion[96] = "", angles[128] = "";
  if (rotation == NULL || rotation->modes == 0 || rotation->left_out != NULL) return;
  snprintf(name, sizeof name, "rotation of hidden layer %zu", hidden);
  if (rotation->too_many == NULL)
    snprintf(diffusion, sizeof diffusion, ", diffusion of trace %.3g", rotation->diffusion);
  if (isfinite(rotation->turn_time))
    snprintf(angles, sizeof angles, "; %.3g rad per unit of time, a root mean square angle of 1 rad after %.3g",
             rotation->angular_velocity, rotation->turn_time);
  row(page, name, "%zu planes that the loss does not see: drift |d&#10216;&nu;&#10217;/dt| = %.3g%s%s",
      rotation->modes, rotation->drift, diffusion, angles);
}

/* The minimum of several layers with weight decay, and what holds it. */
static void put_decay(const report *page)
{
  const sgf_prediction_info *info = &page->prediction->info;
  row(page, "the minimum", "L + &gamma;|&theta;|&sup2;/2 = %.6g, %s; balance of the layers %.2g, rank of the map %zu",
      info->regularized_loss,
      info->certified_global ? "the global minimum" : "a local minimum, not proven to be global", info->balance_error,
      info->map_rank);
  row(page, "symmetry of hidden layers",
      "%zu rotations without drift; %zu scalings of rate 2&gamma;, without noise in the order of this theory",
      info->rotations, info->scalings);
  row(page, "balance",
      "noise moves it by %.3g per unit of time, weight decay and noise restore it at the rate %.3g: it ends at %.3g "
      "of the "
      "squared weights; lifetime by noise alone %.4g",
      info->balance_drift, info->balance_rate, info->balance_shift, info->lifetime);
}

/* Where the motion along the minima would end. */
static void put_noise_balance(const report *page)
{
  const sgf_noise_balance_info *info = &page->prediction->info.noise_balance;
  if (isnan(info->distance)) return;
  row(page, "noise balance",
      "the noise leaves the balance alone %.3g of the weights away from &theta;*, where %zu hidden units have faded; "
      "imbalance at &theta;* %.3g of what it could be",
      info->distance, info->surplus, info->imbalance);
  if (!isnan(info->rate)) row(page, "approach to noise balance", "at the rate %.3g", info->rate);
  double lower = page->prediction->layers[0].ivfr_balanced.psi, upper = page->prediction->layers[1].ivfr_balanced.psi;
  if (!isnan(lower) && !isnan(upper))
    row(page, "IVFR at noise balance", "closed form of &psi; %.3g in layer 1, %.3g in layer 2", lower, upper);
}

static void put_residual(const report *page)
{
  const sgf_prediction_info *info = &page->prediction->info;
  if (is_stationary(page)) {
    row(page, "residual", "%.2g (scaled, recomputed); gradient at the minimum %.2g", info->residual,
        info->gradient_norm);
    row(page, "loss at the minimum", "L* = %.6g; mean excess %.4g", info->min_loss, info->excess_loss);
  } else {
    row(page, "loss at the minimum", "L* = %.6g; gradient %.2g", info->min_loss, info->gradient_norm);
  }
}

static void put_balance(const report *page)
{
  const sgf_prediction_info *info = &page->prediction->info;
  if (is_stationary(page))
    row(page, "detailed balance",
        "&#8214;[H,C]&#8214; = %.3g (%.3g of &#8214;H&#8214;&#8214;C&#8214;), "
        "&#8214;Q&#8214;/&#8214;H&Sigma;&#8214; = %.3g, entropy production %.3g per unit of time%s",
        info->commutator, info->commutator_relative, info->irreversible, info->entropy_production,
        info->entropy_on_range ? " (pseudo-inverses: D is singular)" : "");
  else
    row(page, "detailed balance", "&#8214;[H,C]&#8214; = %.3g (%.3g of &#8214;H&#8214;&#8214;C&#8214;)",
        info->commutator, info->commutator_relative);
}

static void put_numbers(const report *page)
{
  const sgf_prediction_info *info = &page->prediction->info;
  fputs("<h2>Ranks, residuals, stability</h2>\n<table>\n", page->out);
  row(page, "rank of H", "%zu of %zu, gap at the cut %.3g%s", info->rank_hessian, info->weights, info->rank_gap,
      info->rank_ambiguous ? " (<b>ambiguous</b>)" : "");
  row(page, "rank of C", "%zu; noise on null(H) %.2g of the whole", info->rank_noise, info->null_noise);
  row(page, "curvature", "h<sub>min</sub> = %.4g, h<sub>max</sub> = %.4g, condition number %.4g",
      info->relaxation_rate, info->largest_curvature, info->condition_number);
  put_residual(page);
  if (page->problem->settings.training.momentum > 0.0)
    row(page, "relaxation", "the slowest mode relaxes at the rate %.4g, without momentum %.4g", info->decay_rate,
        info->relaxation_rate);
  row(page, "stability limit", "&lambda; &lt; %.4g%s; here %.3g of it", info->stability_limit,
      page->problem->settings.training.momentum > 0.0 ? " for the drift alone, noise lowers it"
      : info->layers == 1                             ? ""
      : info->stability_is_bound ? " in mean square, on range(H) (a bound: the limit is not below)"
                                 : " in mean square, on range(H)",
      page->problem->settings.training.learning_rate / info->stability_limit);
  if (!isnan(info->mean_square_limit))
    row(page, "in mean square", "&lambda; &lt; %.4g for linearized SGD with momentum; here %.3g of it",
        info->mean_square_limit, page->problem->settings.training.learning_rate / info->mean_square_limit);
  put_balance(page);
  if (info->diffusing_directions > 0)
    row(page, "diffusing",
        "<b>%zu directions without drift have noise</b>: their variance grows by up to %.3g per unit "
        "of time, and no stationary covariance holds them",
        info->diffusing_directions, info->diffusing_rate);
  if (page->problem->certificate.decayed) {
    put_decay(page);
  } else if (info->layers > 1) {
    row(page, "quasi-stationary",
        "the balance relaxes at the rate %.3g, the slowest mode is %.3g times faster; lifetime %.4g; drift of the "
        "balance %.3g per unit of time",
        info->balance_rate, 1.0 / info->rate_ratio, info->lifetime, info->balance_drift);
    put_noise_balance(page);
    row(page, "the minimum", "L* is %.3g above the global minimum; the descent kept the balance to %.2g",
        info->min_loss - info->global_loss, info->balance_error);
  }
  for (size_t l = 1; l < info->layers; l++) put_rotation(page, l);
  put_whole_space(page);
  if (!isnan(info->spectrum_distance))
    row(page, "spectra of C and H", "Kolmogorov distance %.3g", info->spectrum_distance);
  if (isnan(info->ivfr.psi))
    row(page, "IVFR", "&psi; not defined (%zu modes)", info->ivfr.modes);
  else
    row(page, "IVFR",
        "&psi; = %.3g (95 %% %.3g to %.3g over %zu modes), correlation of log variance with log curvature %.3g",
        info->ivfr.psi, info->ivfr.psi_low, info->ivfr.psi_high, info->ivfr.modes, info->ivfr.correlation);
  fputs("</table>\n", page->out);
}

/* A prediction on directions: without n x n matrices, and without what is made of them. */
static bool on_directions(const report *page) { return page->prediction->tested != NULL; }

/* Diagnostics of a slow mode, of which those of runs that do not move in it are undefined. */
static void put_mode(const report *page, const sgf_mode_diagnostics *mode)
{
  char text[8][32];
  row(page, "slow mode",
      "rate %.4g: R&#770; = %s, effective samples bulk %s, tail %s; mean %.2g, MCSE %s; variance %.4g, MCSE %s; "
      "autocorrelation time %s &plusmn; %s, predicted %s",
      mode->rate, shown(text[0], "%.3f", mode->r_hat), shown(text[1], "%.3g", mode->ess_bulk),
      shown(text[2], "%.3g", mode->ess_tail), mode->mean, shown(text[3], "%.2g", mode->mcse_mean), mode->variance,
      shown(text[4], "%.2g", mode->mcse_variance), shown(text[5], "%.4g", mode->correlation_time),
      shown(text[6], "%.2g", mode->correlation_time_error),
      isnan(mode->correlation_time_predicted) ? "by nothing (see Fluctuations in time)"
                                              : shown(text[7], "%.4g", mode->correlation_time_predicted));
}

static void put_simulation(const report *page)
{
  if (page->ensemble == NULL) return;
  const sgf_ensemble_info *info = &page->ensemble->info;
  const char *chosen = " (chosen)";
  double lambda = sgf_time_of_step(&page->problem->settings);
  fputs("<h2>The experiment</h2>\n<table>\n", page->out);
  if (info->recorded) {
    row(page, "recorded weights", "%zu %s", info->replicas,
        info->batches ? "batches of one run, in place of replicas" : "runs");
  } else {
    row(page, "replicas", "%zu%s from &theta;*", info->replicas, info->plan.replicas_chosen ? chosen : "");
    row(page, "burn-in", "%.4g units of time, %zu steps%s", lambda * (double)info->plan.burn_in_steps,
        info->plan.burn_in_steps, info->plan.burn_in_chosen ? chosen : "");
    row(page, "window", "%.4g units of time, %zu steps%s, a snapshot every %zu",
        lambda * (double)info->plan.window_steps, info->plan.window_steps, info->plan.window_chosen ? chosen : "",
        info->plan.stride);
    if (page->ensemble->info.centred)
      row(page, "protocol", "window-pca: moments about the mean of each run's own window");
    if (info->pools < info->replicas) row(page, "pools", "%zu, of replicas that share a row of moments", info->pools);
    if (page->problem->network.layers > 1)
      row(page, "against the lifetime", "burn-in and window are %.3g of the lifetime of the quasi-stationary state%s",
          info->plan.lifetime, info->plan.lifetime > SGF_NOT_SHORT ? " (<b>not short</b>)" : "");
    row(page, "memory of the start", "%.2g in the slowest mode at the end; predictions are those of this window",
        info->plan.relaxed);
  }
  if (page->comparison != NULL) {
    const sgf_comparison_info *tests = &page->comparison->info;
    char r_hat[32], samples[32];
    row(page, "slowest mode", "R&#770; = %s, effective samples %s", shown(r_hat, "%.4f", tests->r_hat),
        shown(samples, "%.4g", tests->effective_samples));
    const sgf_mode_diagnostics *mode;
    for (size_t k = 0; (mode = sgf_comparison_get_mode(page->comparison, k)) != NULL; k++) put_mode(page, mode);
    if (tests->directions > 0)
      row(page, "directions",
          "%zu orthonormal ones of range(H), with %.3g of the predicted trace; of all weights "
          "|&theta; &minus; &theta;*|<sup>2</sup> is %.6g &plusmn; %.2g",
          tests->directions, tests->directions_share, info->trace, info->trace_se);
    else if (page->problem->network.layers > 1 && !isnan(tests->null_leak))
      row(page, "leak into null(H)", "%.3g &plusmn; %.2g of the measured trace lies outside of range(H)",
          tests->null_leak, tests->null_leak_error);
    if (!isnan(tests->correlation_ratio))
      row(page, "correlation times", "%.3f &plusmn; %.2g of the predicted ones, from the means of the windows",
          tests->correlation_ratio, tests->correlation_ratio_error);
    if (info->batches) row(page, "batches", "lag-1 correlation %.2g", tests->batch_correlation);
    if (tests->z_tested)
      row(page, "z-scores", "%zu elements of the covariance: largest |z| %.3g (p = %.2g), variance %.4g",
          tests->z_count, tests->z_largest, tests->z_p_value, tests->z_variance);
  }
  fputs("</table>\n", page->out);
}

/* psi of one covariance with its interval and correlation; an empty cell when there is none. */
static void put_fit(const report *page, const sgf_ivfr *fit)
{
  if (fit == NULL || isnan(fit->psi))
    fputs("<td></td>", page->out);
  else
    fprintf(page->out, "<td>%.3g (%.3g &hellip; %.3g), r = %.2g</td>", fit->psi, fit->psi_low, fit->psi_high,
            fit->correlation);
}

/* One row: a layer, coupled ("") or uncoupled ("_uncoupled"). */
static void put_layer_row(const report *page, size_t layer, const char *form, const sgf_ivfr *stationary,
                          const sgf_ivfr *closed_form, double anisotropy, double trace)
{
  const sgf_layer_info *info = sgf_prediction_get_layer(page->prediction, layer);
  char name[32], text[32];
  snprintf(name, sizeof name, "layer%zu%s", layer, form);
  const sgf_mode_set *set = page->comparison != NULL ? sgf_find_modes(page->comparison, name) : NULL;
  fprintf(page->out, "<tr><td>%zu %s</td><td>%zu, %zu of %zu</td><td>%.4g</td><td>%s</td>", layer,
          form[0] == '\0' ? "coupled" : "uncoupled", info->rank_hessian, info->rank_noise, info->weights, trace,
          isnan(anisotropy) ? "" : shown(text, "%.3g", anisotropy));
  put_fit(page, stationary);
  put_fit(page, closed_form);
  put_fit(page, set != NULL ? &set->predicted_fit : NULL);
  put_fit(page, set != NULL ? &set->measured_fit : NULL);
  fputs("</tr>\n", page->out);
}

/* The exponent psi of variance ~ flatness^-psi by every route. */
static void put_layer_table(const report *page)
{
  fputs("<table>\n<tr><th>layer</th><th>rank H<sub>ll</sub>, "
        "C<sub>ll</sub></th><th>trace</th><th>anisotropy</th><th>&psi;, "
        "stationary theory</th><th>closed form</th><th>theory of the window</th><th>SGD in the window</th></tr>\n",
        page->out);
  for (size_t l = 1; l <= page->problem->network.layers; l++) {
    const sgf_layer_info *info = sgf_prediction_get_layer(page->prediction, l);
    put_layer_row(page, l, "", &info->ivfr, &info->ivfr_closed_form, info->anisotropy, info->trace);
    if (on_directions(page)) continue;
    put_layer_row(page, l, "_uncoupled", &info->ivfr_uncoupled, NULL, info->anisotropy_uncoupled,
                  info->trace_uncoupled);
  }
  fputs(
      "</table>\n<p>&psi; is the exponent of &sigma;<sup>2</sup> &prop; F<sup>&minus;&psi;</sup>, with its 95 % "
      "interval over modes and the correlation r of log variance with log curvature; anisotropy is the standard "
      "deviation of log variance. Modes slower than the window have not reached their stationary variance in it. The "
      "closed form is that of C = s<sup>2</sup>H, where many variances are nearly equal: finite data mix their "
      "directions, which steepens the fit.</p>\n",
      page->out);
}

/* What reshuffled epochs do to psi, apart from the coupling of the layers. */
static void put_crossover(const report *page)
{
  const sgf_prediction_info *info = &page->prediction->info;
  if (page->problem->settings.training.sampling != SGF_SAMPLING_EPOCH || on_directions(page)) return;
  fprintf(
      page->out,
      "<h2>What reshuffling does</h2>\n<p>Batches of an epoch sum to the full gradient, which calms modes that are "
      "slower than an epoch: %zu of %zu have &lambda;hM &lt; 3(1 &minus; &beta;). Beside &psi; with epochs stands "
      "&psi; with draws that are independent in time, all else equal.</p>\n<table>\n<tr><th>layer</th><th>epochs, "
      "coupled</th><th>independent draws, coupled</th><th>epochs, uncoupled</th><th>independent draws, "
      "uncoupled</th></tr>\n",
      info->modes_below_crossover, info->rank_hessian);
  for (size_t l = 1; l <= info->layers; l++) {
    const sgf_layer_info *layer = sgf_prediction_get_layer(page->prediction, l);
    fprintf(page->out, "<tr><td>%zu</td>", l);
    put_fit(page, &layer->ivfr);
    put_fit(page, &layer->ivfr_independent);
    put_fit(page, &layer->ivfr_uncoupled);
    put_fit(page, &layer->ivfr_uncoupled_independent);
    fputs("</tr>\n", page->out);
  }
  fputs("</table>\n", page->out);
}

/* A figure with its caption, or nothing when it cannot be drawn. `script` is freed. */
static sgf_status put_figure(report *page, char *script, const char *caption, sgf_error *error)
{
  bool drawn = false;
  if (script == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a figure");
  if (page->figures) {
    fputs("<figure>\n", page->out);
    sgf_plot(script, page->out, &drawn);
    page->figures = drawn;
    fprintf(page->out, "<figcaption>%s</figcaption></figure>\n",
            drawn ? caption : "Figures need gnuplot, which was not found or failed; the numbers are in the tables.");
  }
  free(script);
  return SGF_OK;
}

typedef enum {
  FIGURE_IVFR,
  FIGURE_BALANCE,
  FIGURE_MEASURED,
  FIGURE_CURVATURE,
  FIGURE_SPECTRUM,
  FIGURE_TIMES,
  FIGURE_DISPLACEMENT
} figure;

static char *script_of(const report *page, figure which, size_t layer)
{
  char *script = NULL;
  size_t length;
  FILE *stream = open_memstream(&script, &length);
  double residual_variance = 2.0 * page->prediction->info.min_loss / (double)page->problem->data.outputs;
  if (stream == NULL) return NULL;
  switch (which) {
  case FIGURE_IVFR: sgf_figure_ivfr(stream, page->problem, page->prediction, page->comparison, layer); break;
  case FIGURE_BALANCE: sgf_figure_balance(stream, page->comparison); break;
  case FIGURE_MEASURED: sgf_figure_measured(stream, page->prediction, page->comparison); break;
  case FIGURE_CURVATURE: sgf_figure_curvature(stream, page->prediction, page->comparison); break;
  case FIGURE_TIMES: sgf_figure_times(stream, page->problem, page->prediction, page->comparison, layer); break;
  case FIGURE_DISPLACEMENT: sgf_figure_displacement(stream, page->prediction, page->comparison); break;
  case FIGURE_SPECTRUM: sgf_figure_spectrum(stream, page->prediction, residual_variance); break;
  }
  if (fclose(stream) == 0) return script;
  free(script);
  return NULL;
}

/* What an experimenter reads off the runs of the protocol window-pca. */
static sgf_status put_components(report *page, sgf_error *error)
{
  if (page->ensemble == NULL || !page->ensemble->info.centred) return SGF_OK;
  fputs("<h2>Principal components of each run</h2>\n<table>\n<tr><th>layer</th><th>&psi;, mean of the runs</th>"
        "<th>correlation</th><th>&psi; of the theory, stationary</th></tr>\n",
        page->out);
  for (size_t l = 1; l <= page->problem->network.layers; l++) {
    sgf_window_pca seen;
    sgf_status status = sgf_window_pca_measure(page->problem, page->ensemble, l, &seen, NULL, NULL, error);
    if (status != SGF_OK) return status;
    if (isnan(seen.psi))
      fprintf(page->out,
              "<tr><td>%zu</td><td>not defined (fewer than 3 components of different flatness)</td><td></td>", l);
    else
      fprintf(page->out, "<tr><td>%zu</td><td>%.3g &plusmn; %.2g, %zu runs</td><td>%.3g &plusmn; %.2g</td>", l,
              seen.psi, seen.psi_error, seen.runs, seen.correlation, seen.correlation_error);
    put_fit(page, &sgf_prediction_get_layer(page->prediction, l)->ivfr);
    fputs("</tr>\n", page->out);
  }
  fputs("</table>\n<p>Components of a finite window spread more than the directions they estimate, and the motion "
        "along "
        "the null space is among them: neither is in the stationary theory. The &psi; of windows as long as these, "
        "with "
        "both, is layerN_window_psi below: that of runs of the linear theory through the same analysis.</p>\n",
        page->out);
  return SGF_OK;
}

/* Variance against flatness, the last layer first: what the coupling of the layers does. */
static sgf_status put_layers(report *page, sgf_error *error)
{
  sgf_status status = SGF_OK;
  size_t layers = page->problem->network.layers;
  if (layers == 1) return SGF_OK;
  fputs("<h2>Variance and flatness, layer by layer</h2>\n", page->out);
  put_layer_table(page);
  for (size_t l = layers; l >= 1 && status == SGF_OK; l--)
    status =
        put_figure(page, script_of(page, FIGURE_IVFR, l),
                   l == layers ? "Variance of the layer's weights along their principal directions, in units of T = "
                                 "&lambda;&kappa;s<sup>2</sup>/2S, against the flatness of the loss in the same "
                                 "directions; with SGD, theory is "
                                 "that of the same window. Coupled: all layers fluctuate together; points that fall "
                                 "from left to right are "
                                 "weights that vary more where the loss is sharper (the inverse "
                                 "variance&ndash;flatness relation). Uncoupled: "
                                 "the other layers are frozen."
                               : "The same for a lower layer.",
                   error);
  return status;
}

static void put_scaling(const report *page, const sgf_time_scaling *scaling)
{
  if (isnan(scaling->exponent))
    fputs("<td></td>", page->out);
  else
    fprintf(page->out, "<td>%.3g (%.3g &hellip; %.3g), r = %.2g</td>", scaling->exponent, scaling->low, scaling->high,
            scaling->correlation);
}

/* Correlation times by layer and of all weights. */
static void put_time_table(const report *page)
{
  const sgf_time_info *all = &page->prediction->info.time;
  fputs("<table>\n<tr><th>weights</th><th>correlation time</th><th>exponent of flatness</th><th>the same, "
        "uncoupled</th></tr>\n",
        page->out);
  for (size_t l = 1; l <= page->problem->network.layers && page->problem->network.layers > 1; l++) {
    const sgf_time_info *info = &sgf_prediction_get_layer(page->prediction, l)->time;
    if (isnan(info->correlation_time)) continue;
    fprintf(page->out, "<tr><td>layer %zu</td><td>%.4g</td>", l, info->correlation_time);
    put_scaling(page, &info->scaling);
    put_scaling(page, &info->scaling_uncoupled);
    fputs("</tr>\n", page->out);
  }
  fprintf(page->out, "<tr><td>all</td><td>%.4g</td>", all->correlation_time);
  put_scaling(page, &all->scaling);
  fputs(
      "<td></td></tr>\n</table>\n<p>Integrated correlation times, &tau; = &lambda;(&frac12; + &Sigma; c(k)/c(0)), in "
      "units of &lambda;&middot;step; &tau; &prop; F<sup>exponent</sup> along principal directions. ",
      page->out);
  if (sgf_batches_of(page->problem) > 0)
    fprintf(
        page->out,
        "Over all lags the sum is 0 for every direction, since the noise of a reshuffled epoch sums to zero: it ends "
        "where c first is not positive. Modes that are slow against an epoch, %.4g, have a quarter of it whatever "
        "their flatness, fast ones 1/h.",
        page->problem->settings.training.learning_rate * (double)sgf_batches_of(page->problem));
  else
    fputs("A mode of H by itself has &tau; = 1/h and the exponent 2.", page->out);
  fprintf(page->out, " The mean square displacement grows as %.4g &times; time at first and ends at %.4g.</p>\n",
          all->displacement_rate, 2.0 * page->prediction->info.trace);
}

static const char *caption_of_times(const report *page)
{
  if (sgf_batches_of(page->problem) > 0)
    return "Correlation time, up to where the autocovariance is first 0, along the principal directions (of the last "
           "layer) "
           "against the flatness of the loss. Dotted: a mode of H by itself, with draws that are independent in "
           "time. With "
           "recorded weights times are sums over snapshots until 0.05 of the correlation is left.";
  if (page->problem->network.layers > 1)
    return "Correlation time of the last layer along its principal directions against the flatness of the loss. "
           "Dotted: a "
           "mode of H by itself. Coupled directions are as fast as their partners in the other layers, and know "
           "little of "
           "their own flatness. With recorded weights times are sums over snapshots until 0.05 of the correlation is "
           "left.";
  return "Correlation time along the principal directions against the flatness of the loss. Dotted: a mode of H by "
         "itself; "
         "without detailed balance directions remember longer. With recorded weights times are sums over snapshots "
         "until "
         "0.05 of the correlation is left.";
}

/* How fluctuations move in time: correlation time against flatness, displacement. */
static sgf_status put_times(report *page, sgf_error *error)
{
  const char *untimed = page->prediction->info.untimed;
  size_t layers = page->problem->network.layers;
  sgf_status status = SGF_OK;
  fputs("<h2>Fluctuations in time</h2>\n", page->out);
  if (untimed != NULL) {
    fprintf(page->out, "<p>Not predicted: %s.</p>\n", untimed);
    return SGF_OK;
  }
  put_time_table(page);
  if (sgf_has_times(page->prediction, page->comparison))
    SGF_TRY(put_figure(page, script_of(page, FIGURE_TIMES, layers), caption_of_times(page), error));
  SGF_TRY(put_figure(page, script_of(page, FIGURE_DISPLACEMENT, 0),
                     "Mean square displacement on the range of H against the time between, and its plateau.", error));
done:
  return status;
}

static sgf_status put_figures(report *page, sgf_error *error)
{
  sgf_status status;
  fputs("<h2>Figures</h2>\n", page->out);
  SGF_TRY(
      put_figure(page, script_of(page, FIGURE_MEASURED, 0),
                 "Variance of the weights along the principal directions of the predicted covariance, in units of "
                 "T = &lambda;&kappa;s<sup>2</sup>/2S.",
                 error));
  SGF_TRY(put_figure(
      page, script_of(page, FIGURE_CURVATURE, 0),
      "Variance against the curvature of the loss in the same directions. Where the curvature spreads little "
      "within the range that H has (dotted), under variances that spread widely, the loss is effectively "
      "isotropic.",
      error));
  if (on_directions(page)) goto done;
  if (page->comparison != NULL && page->comparison->balance_count > 0)
    SGF_TRY(
        put_figure(page, script_of(page, FIGURE_BALANCE, 0),
                   "Drift of the balance W<sub>l</sub>W<sub>l</sub><sup>T</sup> &minus; "
                   "W<sub>l+1</sub><sup>T</sup>W<sub>l+1</sub> along its predicted direction, from &theta;*: what "
                   "moves the state along the null space, and ends it after its lifetime.",
                   error));
  SGF_TRY(put_figure(
      page, script_of(page, FIGURE_SPECTRUM, 0),
      isnan(page->prediction->info.hessian_law_distance)
          ? "Spectra of the drift H and of the noise C over the residual variance s<sup>2</sup>, which would "
            "coincide if the noise were C = s<sup>2</sup>H; the null space is not shown."
          : "Spectra of the drift H and of the noise C over the residual variance s<sup>2</sup>, which would "
            "coincide if the noise were C = s<sup>2</sup>H; lines are the limit laws for Gaussian data.",
      error));
done:
  return status;
}

/* What is no quantity for want of replicas. */
static void put_untested(const report *page)
{
  const sgf_comparison *made = page->comparison;
  for (size_t k = 0; k < made->untested_count; k++) {
    const sgf_quantity *left = &made->untested[k];
    fprintf(page->out, "%s%s (predicted %.3g, measured %.3g &plusmn; %.2g; about %.2g replicas)",
            k == 0 ? "<p>Not tested, because the replicas cannot tell it to a quarter of the tolerance: " : ", ",
            left->name, left->predicted, left->measured, left->standard_error, left->replicas_needed);
  }
  if (made->untested_count > 0) fputs(".</p>\n", page->out);
}

static void put_quantities(const report *page)
{
  FILE *out = page->out;
  if (page->comparison == NULL) return;
  fprintf(
      out,
      "<h2>Quantities</h2>\n<table>\n<tr><th>quantity</th><th class=\"n\">predicted</th><th class=\"n\">measured</th>"
      "<th class=\"n\">s.e.</th><th class=\"n\">deviation</th><th class=\"n\">interval</th><th>verdict</th></tr>\n");
  for (size_t k = 0; k < page->comparison->count; k++) {
    const sgf_quantity *q = &page->comparison->quantities[k];
    const char *verdict = sgf_verdict_text(q->verdict);
    char predicted[32], measured[32];
    fprintf(out, "<tr class=\"%s\"><td>%s</td><td class=\"n\">%s</td><td class=\"n\">%s</td>", verdict, q->name,
            shown(predicted, "%.6g", q->predicted), shown(measured, "%.6g", q->measured));
    if (isnan(q->standard_error) || isnan(q->deviation) || isnan(q->low) || isnan(q->high))
      fputs("<td></td><td></td><td></td>", out);
    else
      fprintf(out,
              "<td class=\"n\">%.2g</td><td class=\"n\">%+.2f %%</td><td class=\"n\">%+.2f &hellip; %+.2f %%</td>",
              q->standard_error, 100.0 * q->deviation, 100.0 * q->low, 100.0 * q->high);
    fprintf(out, "<td>%s</td></tr>\n", verdict);
  }
  fputs("</table>\n", out);
  put_untested(page);
  fprintf(
      out,
      "<p>A quantity agrees when its deviation lies within &plusmn;%g %% by two one-sided t tests over %zu "
      "%s, "
      "and disagrees when it lies outside by the same test; Holm's procedure holds each of the two families to the "
      "level "
      "%g. Intervals are at the level of the family's first step. off_diagonal is the Frobenius norm of the "
      "deviation "
      "between different principal directions, relative to that of the covariance; mean_square the squared mean of "
      "&theta; &minus; &theta;* as a share of the trace; fluctuation_dissipation compares "
      "&lt;&delta;&middot;&nabla;L&gt; with "
      "(&lambda;/2)&lt;|g<sub>B</sub>|<sup>2</sup>&gt;; ivfr_psi is judged by the variance it implies across one "
      "standard "
      "deviation of log curvature; variances is the root mean square of the relative deviations along all principal "
      "directions; with several layers all is on range(H), and balance_drift, like the theory of several layers as a "
      "whole, is "
      "of leading order in &lambda;.</p>\n",
      100.0 * page->problem->settings.verify.tolerance, page->ensemble->info.replicas,
      page->ensemble->info.batches ? "batches" : "replicas", page->problem->settings.verify.level);
}

static void put_provenance(const report *page)
{
  char libraries[512];
  sgf_libraries(libraries, sizeof libraries);
  fputs("<h2>How to make this again</h2>\n<pre>", page->out);
  put_escaped(page->out, page->provenance->command);
  fputs("</pre>\n<p>The resolved config, with every default and choice filled in:</p>\n<pre>", page->out);
  put_escaped(page->out, page->provenance->config);
  fprintf(page->out, "</pre>\n<p>sgflow %s, %d thread%s.</p>\n<pre>", sgf_version(), page->provenance->threads,
          page->provenance->threads > 1 ? "s" : "");
  put_escaped(page->out, libraries);
  fputs("</pre>\n</body></html>\n", page->out);
}

static sgf_status put_page(report *page, sgf_error *error)
{
  sgf_status status;
  put_head(page);
  put_problem(page);
  if (is_stationary(page)) {
    SGF_TRY(put_layers(page, error));
    put_crossover(page);
  }
  SGF_TRY(put_components(page, error));
  SGF_TRY(put_times(page, error));
  if (is_stationary(page)) SGF_TRY(put_figures(page, error));
  put_quantities(page);
  if (on_directions(page))
    put_numbers_by_operator(page);
  else
    put_numbers(page);
  put_simulation(page);
  put_provenance(page);
done:
  return status;
}

sgf_status sgf_write_report(const char *path, const sgf_provenance *provenance, const sgf_problem *problem,
                            const sgf_prediction *prediction, const sgf_ensemble *ensemble,
                            const sgf_comparison *comparison, bool *figures, sgf_error *error)
{
  report page = {NULL, provenance, problem, prediction, ensemble, comparison, true};
  sgf_atomic_file file;
  sgf_status status = sgf_atomic_begin(path, &file, error);
  *figures = false;
  if (status == SGF_OK && prediction != NULL && prediction->joint.range.V == NULL && comparison == NULL) {
    sgf_atomic_discard(&file);
    status = sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                      "a prediction by the covariance operator that is not compared with has no report");
  }
  if (status != SGF_OK) return status;
  page.out = fopen(file.temporary, "w");
  if (page.out == NULL) {
    status = sgf_fail(error, SGF_ERROR_CREATE, "%s: cannot be created: %s", path, strerror(errno));
  } else {
    status = put_page(&page, error);
    bool broken = ferror(page.out) != 0;
    if ((fclose(page.out) != 0 || broken) && status == SGF_OK)
      status = sgf_fail(error, SGF_ERROR_WRITE, "%s: cannot be written: %s", path, strerror(errno));
  }
  *figures = page.figures;
  if (status == SGF_OK) return sgf_atomic_commit(&file, error);
  sgf_atomic_discard(&file);
  return status;
}
