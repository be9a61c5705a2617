/* The summary as JSON on stdout, by jansson. */
#include "summary.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *whole(size_t value) { return json_integer((json_int_t)value); }

static json_t *object_of(const sgf_number *numbers, size_t size)
{
  json_t *object = json_object();
  for (size_t k = 0; k < size; k++)
    json_object_set_new(object, numbers[k].name,
                        numbers[k].whole ? json_integer((json_int_t)numbers[k].value) : number(numbers[k].value));
  return object;
}

static json_t *theory(const sgf_prediction *prediction)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  char name[32];
  json_t *object = object_of(numbers, sgf_prediction_numbers(prediction, numbers, SGF_MOST_NUMBERS));
  json_object_set_new(object, "path", json_string(sgf_prediction_get_info(prediction)->path));
  for (size_t l = 1; l <= sgf_prediction_get_info(prediction)->layers; l++) {
    snprintf(name, sizeof name, "layer%zu", l);
    json_object_set_new(object, name,
                        object_of(numbers, sgf_layer_numbers(prediction, l, numbers, SGF_MOST_NUMBERS)));
  }
  for (size_t l = 1; sgf_prediction_get_rotation(prediction, l) != NULL; l++) {
    snprintf(name, sizeof name, "rotation%zu", l);
    json_object_set_new(object, name,
                        object_of(numbers, sgf_rotation_numbers(prediction, l, numbers, SGF_MOST_NUMBERS)));
  }
  return object;
}

static json_t *simulation(const sgf_ensemble_info *info, double rate)
{
  json_t *object = json_object();
  json_object_set_new(object, "replicas", whole(info->replicas));
  json_object_set_new(object, "pools", whole(info->pools));
  json_object_set_new(object, "recorded", json_boolean(info->recorded));
  json_object_set_new(object, "batches", json_boolean(info->batches));
  json_object_set_new(object, "trace", number(info->trace));
  json_object_set_new(object, "trace_se", number(info->trace_se));
  if (info->recorded) return object;
  json_object_set_new(object, "burn_in", number(rate * (double)info->plan.burn_in_steps));
  json_object_set_new(object, "window", number(rate * (double)info->plan.window_steps));
  json_object_set_new(object, "burn_in_steps", whole(info->plan.burn_in_steps));
  json_object_set_new(object, "window_steps", whole(info->plan.window_steps));
  json_object_set_new(object, "stride", whole(info->plan.stride));
  json_object_set_new(object, "looks", whole(info->plan.looks));
  json_object_set_new(object, "replicas_chosen", json_boolean(info->plan.replicas_chosen));
  json_object_set_new(object, "steps", number(info->steps));
  json_object_set_new(object, "seconds", number(info->seconds));
  return object;
}

static json_t *quantity(const sgf_quantity *q)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  json_t *object = object_of(numbers, sgf_quantity_numbers(q, numbers, SGF_MOST_NUMBERS));
  json_object_set_new(object, "verdict", json_string(sgf_verdict_text(q->verdict)));
  return object;
}

/* What the replicas cannot tell: without interval and verdict. */
static json_t *untested(const sgf_comparison *made)
{
  json_t *all = json_object();
  size_t count;
  const sgf_quantity *left = sgf_comparison_untested(made, &count);
  for (size_t k = 0; k < count; k++)
    json_object_set_new(all, left[k].name,
                        json_pack("{s:f, s:f, s:f, s:f}", "predicted", left[k].predicted, "measured",
                                  left[k].measured, "standard_error", left[k].standard_error, "replicas_needed",
                                  left[k].replicas_needed));
  return all;
}

static json_t *comparison(const sgf_comparison *made)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  const sgf_comparison_info *info = sgf_comparison_get_info(made);
  const sgf_quantity *quantities = sgf_comparison_quantities(made);
  json_t *object = object_of(numbers, sgf_comparison_numbers(made, numbers, SGF_MOST_NUMBERS)), *all = json_object();
  for (size_t k = 0; k < info->quantities; k++)
    json_object_set_new(all, quantities[k].name, quantity(&quantities[k]));
  json_object_set_new(object, "verdict", json_string(sgf_verdict_text(info->verdict)));
  json_object_set_new(object, "quantities", all);
  json_object_set_new(object, "not_tested", untested(made));
  const sgf_mode_diagnostics *mode;
  json_t *modes = json_array();
  for (size_t k = 0; (mode = sgf_comparison_get_mode(made, k)) != NULL; k++)
    json_array_append_new(modes, object_of(numbers, sgf_mode_numbers(mode, numbers, SGF_MOST_NUMBERS)));
  json_object_set_new(object, "slow_modes", modes);
  return object;
}

/* Print an object and free it. */
static bool print_object(json_t *root)
{
  char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
  json_decref(root);
  if (text == NULL) return false;
  puts(text);
  free(text);
  return true;
}

/* Of stop_reason, in its order. */
static const char *const reasons[] = {"replicas", "budget", "limit", "hopeless"};

bool summary_print(const job *run, const sgf_prediction *prediction)
{
  const sgf_settings *settings = sgf_problem_settings(run->problem);
  json_t *root = json_object();
  json_object_set_new(root, "version", json_string(sgf_version()));
  json_object_set_new(root, "command", json_string(run->command));
  json_object_set_new(root, "config", json_string(run->config));
  json_object_set_new(root, "seed", json_integer((json_int_t)settings->seed));
  json_object_set_new(root, "samples", whole(sgf_problem_samples(run->problem)));
  if (prediction != NULL) json_object_set_new(root, "theory", theory(prediction));
  if (run->ensemble != NULL)
    json_object_set_new(root, "simulation",
                        simulation(sgf_ensemble_get_info(run->ensemble), sgf_time_of_step(settings)));
  if (run->comparison != NULL) {
    const char *reason =
        sgf_comparison_get_info(run->comparison)->inconclusive == 0 ? "decided" : reasons[run->stopped_by];
    json_object_set_new(root, "verdict",
                        json_string(sgf_verdict_text(sgf_comparison_get_info(run->comparison)->verdict)));
    json_object_set_new(root, "comparison", comparison(run->comparison));
    json_object_set_new(root, "stopped_by", json_string(reason));
  }
  return print_object(root);
}

bool summary_print_certificate(const sgf_certificate *certificate, const char *made_by, const char *failure)
{
  sgf_number numbers[SGF_MOST_NUMBERS];
  json_t *root = object_of(numbers, sgf_certificate_numbers(certificate, numbers, SGF_MOST_NUMBERS));
  json_object_set_new(root, "method", json_string(sgf_method_text(certificate->method)));
  json_object_set_new(root, "version", json_string(sgf_version()));
  json_object_set_new(root, "command", json_string(made_by));
  if (failure != NULL) json_object_set_new(root, "error", json_string(failure));
  return print_object(root);
}

bool summary_print_costs(const sgf_costs *costs)
{
  json_t *root = json_object(), *paths = json_array();
  for (size_t k = 0; k < costs->count; k++) {
    const sgf_cost *cost = &costs->paths[k];
    json_t *path = json_object();
    json_object_set_new(path, "path", json_string(cost->path));
    json_object_set_new(path, "seconds", number(cost->seconds));
    json_object_set_new(path, "bytes", number(cost->bytes));
    json_object_set_new(path, "refusal", cost->refusal != NULL ? json_string(cost->refusal) : json_null());
    json_array_append_new(paths, path);
  }
  json_object_set_new(root, "version", json_string(sgf_version()));
  json_object_set_new(root, "weights", whole(costs->weights));
  json_object_set_new(root, "samples", whole(costs->samples));
  json_object_set_new(root, "memory", number(costs->memory));
  json_object_set_new(root, "fits", json_boolean(costs->fits));
  json_object_set_new(root, "path", json_string(costs->paths[costs->chosen].path));
  json_object_set_new(root, "reason", json_string(costs->reason));
  json_object_set_new(root, "paths", paths);
  return print_object(root);
}
