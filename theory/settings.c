/* The settings: defaults, copies, and what is refused before anything is computed. */
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "problem.h"

void sgf_settings_init(sgf_settings *settings)
{
  memset(settings, 0, sizeof *settings);
  settings->data.input_power_law = NAN;
  settings->data.label_noise = 0.5;
  settings->network.init_scale = 1.0;
  settings->network.relax = true;
  settings->training.learning_rate = 0.01;
  settings->training.batch_size = 20;
  settings->theory.equation = SGF_EQUATION_DISCRETE;
  settings->theory.rank_tolerance = NAN;
  settings->theory.flatness_factor = M_E;
  settings->simulation.time_step = NAN;
  settings->simulation.burn_in = NAN;
  settings->simulation.window = NAN;
  settings->verify.tolerance = 0.05;
  settings->verify.level = 0.001;
  settings->seed = 1;
}

sgf_status sgf_settings_set_widths(sgf_settings *settings, size_t count, const size_t *widths, sgf_error *error)
{
  void *copy = NULL;
  sgf_status status = sgf_allocate(&copy, count > 0 ? count : 1, 1, sizeof *widths, "network.widths", error);
  if (status != SGF_OK) return status;
  if (count > 0) memcpy(copy, widths, count * sizeof *widths);
  free(settings->network.widths);
  settings->network.widths = copy;
  settings->network.width_count = count;
  return SGF_OK;
}

void sgf_settings_free(sgf_settings *settings)
{
  free(settings->data.input_spectrum);
  free(settings->data.file);
  free(settings->network.widths);
  free(settings->network.weights);
  sgf_settings_init(settings);
}

static sgf_status require(bool condition, const char *key, double value, const char *rule, sgf_error *error)
{
  return condition ? SGF_OK : sgf_fail(error, SGF_ERROR_VALUE, "%s is %g: %s", key, value, rule);
}

static sgf_status check_positive(const char *key, double value, sgf_error *error)
{
  return require(value > 0.0 && isfinite(value), key, value, "it must be positive and finite", error);
}

static sgf_status check_not_negative(const char *key, double value, sgf_error *error)
{
  return require(value >= 0.0 && isfinite(value), key, value, "it must be zero or positive, and finite", error);
}

/* For keys that may be left out: NaN inside the settings means absent, so infinite and negative remain. */
static sgf_status check_optional(const char *key, double value, bool zero_allowed, sgf_error *error)
{
  if (isnan(value)) return SGF_OK;
  return zero_allowed ? check_not_negative(key, value, error) : check_positive(key, value, error);
}

static sgf_status check_ranges(const sgf_settings *settings, sgf_error *error)
{
  double momentum = settings->training.momentum, level = settings->verify.level;
  sgf_status status;
  SGF_TRY(check_not_negative("data.label_noise", settings->data.label_noise, error));
  SGF_TRY(require(!isinf(settings->data.input_power_law), "data.input_power_law", settings->data.input_power_law,
                  "it must be finite", error));
  SGF_TRY(check_not_negative("network.init_scale", settings->network.init_scale, error));
  SGF_TRY(check_positive("training.learning_rate", settings->training.learning_rate, error));
  SGF_TRY(require(settings->training.batch_size > 0, "training.batch_size", 0.0, "it must be 1 or more", error));
  SGF_TRY(require(momentum >= 0.0 && momentum < 1.0, "training.momentum", momentum, "it must be in [0, 1)", error));
  SGF_TRY(check_not_negative("training.weight_decay", settings->training.weight_decay, error));
  /* beyond these, squares over- or underflow */
  SGF_TRY(require(settings->training.weight_decay < 1e100, "training.weight_decay", settings->training.weight_decay,
                  "it must be below 1e100", error));
  SGF_TRY(require(settings->training.learning_rate > 1e-100 && settings->training.learning_rate < 1e100,
                  "training.learning_rate", settings->training.learning_rate, "it must be between 1e-100 and 1e100",
                  error));
  SGF_TRY(check_optional("theory.rank_tolerance", settings->theory.rank_tolerance, false, error));
  SGF_TRY(require(!(settings->theory.rank_tolerance >= 1.0), "theory.rank_tolerance", settings->theory.rank_tolerance,
                  "it is relative to the largest eigenvalue, below 1", error));
  SGF_TRY(require(settings->theory.flatness_factor > 1.0 && isfinite(settings->theory.flatness_factor),
                  "theory.flatness_factor", settings->theory.flatness_factor, "it must be above 1 and finite",
                  error));
  SGF_TRY(check_optional("simulation.time_step", settings->simulation.time_step, false, error));
  SGF_TRY(check_optional("simulation.burn_in", settings->simulation.burn_in, true, error));
  SGF_TRY(check_optional("simulation.window", settings->simulation.window, false, error));
  SGF_TRY(check_positive("verify.tolerance", settings->verify.tolerance, error));
  SGF_TRY(require(level > 0.0 && level < 0.5, "verify.level", level, "it must be in (0, 0.5)", error));
  if (settings->data.source == SGF_SOURCE_FILE && settings->data.file == NULL)
    status = sgf_fail(error, SGF_ERROR_VALUE, "data.file is missing: data.source is file");
done:
  return status;
}

/* Langevin dynamics are those of the stochastic gradient flow, in continuous time and with noise that is white. */
static sgf_status check_langevin(const sgf_settings *settings, sgf_error *error)
{
  if (settings->theory.equation != SGF_EQUATION_CONTINUUM)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "simulation.dynamics is langevin: theory.equation must be continuum, the equation of its "
                    "covariance");
  if (settings->training.sampling == SGF_SAMPLING_EPOCH)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "simulation.dynamics is langevin and training.sampling is epoch: noise of reshuffled epochs is "
                    "not white");
  return SGF_OK;
}

const char *sgf_equation_text(sgf_equation equation)
{
  static const char *const names[] = {"continuum", "discrete", "exact", "closure", "multiplicative"};
  return names[equation];
}

bool sgf_is_exact(const sgf_settings *settings)
{
  return settings->theory.equation == SGF_EQUATION_EXACT ||
         (settings->theory.equation == SGF_EQUATION_MULTIPLICATIVE && settings->network.width_count == 2);
}

/* Heavy-ball momentum, a recursion of constant drift in discrete time, its leading order, and the closure's. */
static sgf_status check_momentum(const sgf_settings *settings, sgf_error *error)
{
  double momentum = settings->training.momentum;
  sgf_equation equation = settings->theory.equation;
  if (equation == SGF_EQUATION_EXACT || equation == SGF_EQUATION_MULTIPLICATIVE)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "training.momentum is %g and theory.equation is %s: momentum is built for the discrete and the "
                    "continuum equation and for the closure",
                    momentum, sgf_equation_text(equation));
  if (settings->simulation.dynamics == SGF_DYNAMICS_LANGEVIN)
    return sgf_fail(
        error, SGF_ERROR_UNSUPPORTED,
        "simulation.dynamics is langevin and training.momentum is %g: the stochastic gradient flow is built "
        "without momentum",
        momentum);
  return SGF_OK;
}

/* The closure is of the algorithm, with the noise that the sample has. */
static sgf_status check_closure(const sgf_settings *settings, sgf_error *error)
{
  static const char *const noise[] = {"empirical", "population", "isotropic"};
  if (settings->training.sampling == SGF_SAMPLING_EPOCH && settings->training.momentum > 0.0)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "theory.equation is closure with training.sampling epoch and training.momentum %g: with momentum "
                    "the closure is built for draws that are independent in time",
                    settings->training.momentum);
  if (settings->theory.noise != SGF_NOISE_EMPIRICAL)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "theory.equation is closure with theory.noise %s: the closure is built for the empirical noise",
                    noise[settings->theory.noise]);
  if (settings->simulation.protocol == SGF_PROTOCOL_WINDOW_PCA)
    return sgf_fail(
        error, SGF_ERROR_UNSUPPORTED,
        "theory.equation is closure with simulation.protocol window-pca: the closure is built for moments "
        "about theta*");
  return SGF_OK;
}

/* Other starts than the end of the descent are other weights of the same map, where SGD may go on. */
static sgf_status check_start(const sgf_settings *settings, sgf_error *error)
{
  static const char *const names[] = {"descent", "balanced", "noise-balanced"};
  const char *name = names[settings->network.start];
  if (settings->network.start == SGF_START_DESCENT) return SGF_OK;
  if (settings->network.width_count == 2)
    return sgf_fail(error, SGF_ERROR_VALUE, "network.start is %s and network.widths has no hidden layer", name);
  if (!settings->network.relax)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "network.start is %s and network.relax false, which leaves the weights as they are", name);
  if (settings->training.weight_decay > 0.0)
    return sgf_fail(
        error, SGF_ERROR_UNSUPPORTED,
        "network.start is %s and training.weight_decay %g: every minimum with weight decay is balanced, and "
        "held there",
        name, settings->training.weight_decay);
  return SGF_OK;
}

static sgf_status check_built(const sgf_settings *settings, sgf_error *error)
{
  size_t layers = settings->network.width_count - 1;
  double momentum = settings->training.momentum;
  bool epoch = settings->training.sampling == SGF_SAMPLING_EPOCH;
  sgf_equation equation = settings->theory.equation;
  bool own_hessian = equation == SGF_EQUATION_EXACT || equation == SGF_EQUATION_MULTIPLICATIVE;
  sgf_status status;
  SGF_TRY(check_start(settings, error));
  if (equation == SGF_EQUATION_EXACT && layers > 1)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "theory.equation is exact and network.widths has %zu layers: "
                    "the exact equation is for one layer, multiplicative is that of linearized SGD at any depth",
                    layers);
  if (settings->simulation.protocol == SGF_PROTOCOL_WINDOW_PCA && (epoch || own_hessian))
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "simulation.protocol is window-pca: with %s it is not built",
                    epoch                            ? "training.sampling epoch"
                    : equation == SGF_EQUATION_EXACT ? "theory.equation exact"
                                                     : "theory.equation multiplicative");
  if (settings->simulation.protocol == SGF_PROTOCOL_WINDOW_PCA && layers > 1 && settings->training.weight_decay > 0.0)
    return sgf_fail(
        error, SGF_ERROR_UNSUPPORTED,
        "simulation.protocol is window-pca: with training.weight_decay %g and hidden layers it is not built",
        settings->training.weight_decay);
  if (momentum > 0.0) SGF_TRY(check_momentum(settings, error));
  if (settings->simulation.dynamics == SGF_DYNAMICS_LANGEVIN) SGF_TRY(check_langevin(settings, error));
  if (equation == SGF_EQUATION_CLOSURE) SGF_TRY(check_closure(settings, error));
  if (epoch && equation != SGF_EQUATION_DISCRETE && equation != SGF_EQUATION_CLOSURE)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "theory.equation is %s with training.sampling epoch: "
                    "reshuffled epochs are built for the discrete equation and the closure",
                    sgf_equation_text(equation));
done:
  return status;
}

/* Enumerations are numbers to a program in C: none beyond the last one is taken for another. */
static sgf_status check_choices(const sgf_settings *settings, sgf_error *error)
{
  const struct {
    const char *key;
    unsigned value, last;
  } choices[] = {{"data.source", (unsigned)settings->data.source, SGF_SOURCE_FILE},
                 {"data.teacher", (unsigned)settings->data.teacher, SGF_TEACHER_LOW_RANK},
                 {"network.start", (unsigned)settings->network.start, SGF_START_NOISE_BALANCED},
                 {"training.sampling", (unsigned)settings->training.sampling, SGF_SAMPLING_EPOCH},
                 {"theory.noise", (unsigned)settings->theory.noise, SGF_NOISE_ISOTROPIC},
                 {"theory.equation", (unsigned)settings->theory.equation, SGF_EQUATION_MULTIPLICATIVE},
                 {"simulation.dynamics", (unsigned)settings->simulation.dynamics, SGF_DYNAMICS_LANGEVIN},
                 {"simulation.langevin_noise", (unsigned)settings->simulation.langevin_noise, SGF_LANGEVIN_FROZEN},
                 {"simulation.protocol", (unsigned)settings->simulation.protocol, SGF_PROTOCOL_WINDOW_PCA}};
  for (size_t k = 0; k < sizeof choices / sizeof *choices; k++)
    if (choices[k].value > choices[k].last)
      return sgf_fail(error, SGF_ERROR_VALUE, "%s is %u: 0 to %u are its values", choices[k].key, choices[k].value,
                      choices[k].last);
  return SGF_OK;
}

sgf_status sgf_settings_check(const sgf_settings *settings, sgf_error *error)
{
  sgf_status status;
  if (settings->network.width_count < 2) return SGF_OK; /* sgf_network_create says what is wrong with the widths */
  SGF_TRY(check_choices(settings, error));
  SGF_TRY(check_ranges(settings, error));
  SGF_TRY(check_built(settings, error));
done:
  return status;
}
