/* Studies: units run one after the other, each kept in the CSVs of its study as soon as it is done. */
#include "study.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../cli/config.h"
#include "../theory/status.h"
#include "examples_folder.h"

enum { MOST_KEYS = 48, NOTED_DIGITS = 9, MOST_DENSE = 4000 };

/* ---------------------------------------------------------------------- a study_unit */

static void unit_close(study_unit *now)
{
  sgf_comparison_free(now->comparison);
  sgf_ensemble_free(now->ensemble);
  sgf_prediction_free(now->prediction);
  sgf_problem_free(now->problem);
  now->comparison = NULL;
  now->ensemble = NULL;
  now->prediction = NULL;
  now->problem = NULL;
}

/* The words of "KEY=VALUE KEY=VALUE ...", cut out of `text`. */
static size_t split_words(char *text, const char **words, size_t count)
{
  char *rest = NULL;
  for (char *word = strtok_r(text, " ", &rest); word != NULL && count < MOST_KEYS; word = strtok_r(NULL, " ", &rest))
    words[count++] = word;
  return count;
}

static sgf_status unit_settings(const study_unit *now, const char *extra, sgf_settings *settings, sgf_error *error)
{
  const char *words[MOST_KEYS];
  char *text = NULL, seed[40];
  snprintf(seed, sizeof seed, "seed=%" PRIu64, now->seed);
  if (asprintf(&text, "%s %s %s %s", now->of->config[now->size], now->which->config, seed,
               extra != NULL ? extra : "") < 0)
    return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a config");
  size_t count = split_words(text, words, 0);
  sgf_status status = config_parse(now->of->name, "network: {widths: [1, 1]}\n", words, count, settings, error);
  free(text);
  return status;
}

/* As `sgflow predict` does: beyond 4000 weights by the covariance operator. */
static sgf_status predict(study_unit *now, sgf_error *error)
{
  return sgf_problem_weights(now->problem) > MOST_DENSE
             ? sgf_predict_by_operator(now->problem, &now->prediction, error)
             : sgf_predict(now->problem, false, &now->prediction, error);
}

sgf_status unit_open(study_unit *now, const char *extra, sgf_error *error)
{
  sgf_settings settings;
  char *folder = NULL;
  unit_close(now);
  sgf_status status = unit_settings(now, extra, &settings, error);
  if (status != SGF_OK) return status;
  if (settings.data.source == SGF_SOURCE_FILE) status = examples_folder(settings.data.file, &folder, error);
  if (status == SGF_OK) status = sgf_problem_create(&settings, folder, true, &now->problem, error);
  free(folder);
  if (status == SGF_OK) status = predict(now, error);
  sgf_settings_free(&settings);
  return status;
}

sgf_status unit_open_arrays(study_unit *now, const char *extra, size_t samples, const double *X, const double *Y,
                            const double *theta, sgf_error *error)
{
  sgf_settings settings;
  sgf_problem *problem = NULL;
  sgf_status status = unit_settings(now, extra, &settings, error);
  if (status != SGF_OK) return status;
  status = sgf_problem_from_arrays(&settings, samples, X, Y, theta, &problem, error);
  unit_close(now);
  now->problem = problem;
  if (status == SGF_OK) status = predict(now, error);
  sgf_settings_free(&settings);
  return status;
}

sgf_status unit_open_at(study_unit *now, double share_of_limit, const char *extra, sgf_error *error)
{
  char *config = NULL;
  const char *first = extra != NULL ? extra : "";
  if (asprintf(&config, "%s training.learning_rate=1e-6", first) < 0) config = NULL;
  if (config == NULL) return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a config");
  sgf_status status = unit_open(now, config, error);
  free(config);
  if (status != SGF_OK) return status;
  double rate = share_of_limit * sgf_learning_rate_limit(now->prediction);
  if (asprintf(&config, "%s training.learning_rate=%.4g", first, rate) < 0)
    return sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a config");
  status = unit_open(now, config, error);
  free(config);
  return status;
}

sgf_status unit_simulate(study_unit *now, sgf_error *error)
{
  sgf_status status = sgf_plan_simulation(now->problem, now->prediction, &now->plan, error);
  now->plan.looks = 1;
  return status == SGF_OK ? sgf_simulate(now->problem, &now->plan, now->threads, NULL, NULL, &now->ensemble, error)
                          : status;
}

sgf_status unit_verify(study_unit *now, sgf_error *error)
{
  sgf_status status = unit_simulate(now, error);
  if (status == SGF_OK) status = sgf_compare(now->problem, now->prediction, now->ensemble, &now->comparison, error);
  return status;
}

const double *unit_array(const study_unit *now, const char *name)
{
  size_t rows, columns;
  return sgf_prediction_array(now->prediction, name, &rows, &columns);
}

/* ------------------------------------------------------------------- its notes */

static frame *find_stream(study_unit *now, const char *name, sgf_error *error)
{
  for (size_t k = 0; now->of->streams[k].name != NULL; k++)
    if (strcmp(now->of->streams[k].name, name) == 0) return &now->streams[k];
  sgf_fail(error, SGF_ERROR_VALUE, "study %s has no stream '%s'", now->of->name, name);
  return NULL;
}

sgf_status unit_note(study_unit *now, const char *stream_name, sgf_error *error)
{
  frame *to = find_stream(now, stream_name, error);
  if (to == NULL) return SGF_ERROR_VALUE;
  sgf_status status = frame_add_row(to, error);
  if (status == SGF_OK) status = frame_set_text(to, to->rows - 1, "case", now->which->name, error);
  if (status == SGF_OK) status = frame_set_number(to, to->rows - 1, "seed", (double)now->seed, 15, error);
  if (status == SGF_OK) status = frame_set_text(to, to->rows - 1, "key", now->key, error);
  return status;
}

sgf_status unit_number(study_unit *now, const char *stream_name, const char *column, double value, sgf_error *error)
{
  frame *to = find_stream(now, stream_name, error);
  return to != NULL ? frame_set_number(to, to->rows - 1, column, value, NOTED_DIGITS, error) : SGF_ERROR_VALUE;
}

sgf_status unit_text(study_unit *now, const char *stream_name, const char *column, const char *text, sgf_error *error)
{
  frame *to = find_stream(now, stream_name, error);
  return to != NULL ? frame_set_text(to, to->rows - 1, column, text, error) : SGF_ERROR_VALUE;
}

sgf_status unit_numbers(study_unit *now, const char *stream_name, const study_number *numbers, size_t count,
                        sgf_error *error)
{
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < count && status == SGF_OK; k++)
    status = unit_number(now, stream_name, numbers[k].column, numbers[k].value, error);
  return status;
}

sgf_status unit_pair(study_unit *now, const char *stream_name, const char *column, double theory, double sgd,
                     double error_of_sgd, sgf_error *error)
{
  char measured[80], its_error[80];
  snprintf(measured, sizeof measured, "%s_sgd", column);
  snprintf(its_error, sizeof its_error, "%s_sgd_se", column);
  const study_number numbers[] = {{column, theory}, {measured, sgd}, {its_error, error_of_sgd}};
  return unit_numbers(now, stream_name, numbers, sizeof numbers / sizeof *numbers, error);
}

/* ------------------------------------------------------------ what is up to date */

/* FNV-1a of all that the notes of a case depend on, but the seed. */
static void case_key(const study *of, study_scale size, const study_case *which, char key[24])
{
  const char *const parts[] = {sgf_version(), of->name, of->config[size], which->name, which->config};
  uint64_t hash = UINT64_C(14695981039346656037) ^ of->revision;
  for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
    for (const char *c = parts[k];; c++) {
      hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
      if (*c == '\0') break;
    }
  snprintf(key, 24, "%016" PRIx64, hash);
}

static bool in_run(const study_case *which, study_scale size) { return (which->scales & (1u << size)) != 0; }

static char *stream_path(const study *of, const study_run *run, const study_stream *one, sgf_error *error)
{
  char *path = NULL;
  if (asprintf(&path, "%s/data/%s-%s.csv", run->folder, of->name, one->name) >= 0) return path;
  sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a path");
  return NULL;
}

static const char *const COMMON[] = {"case", "seed", "key", NULL};

static sgf_status new_stream(const study_stream *one, frame *made, sgf_error *error)
{
  sgf_status status = frame_create(COMMON, made, error);
  for (size_t k = 0; status == SGF_OK && one->columns[k] != NULL; k++)
    status = frame_add_column(made, one->columns[k], error);
  return status;
}

static bool same_columns(const frame *one, const frame *other)
{
  bool same = one->columns == other->columns;
  for (size_t k = 0; same && k < one->columns; k++) same = strcmp(one->names[k], other->names[k]) == 0;
  return same;
}

/* Remove the rows of no unit that this version and scale would make. */
static void drop_stale(const study *of, study_scale size, frame *from)
{
  char key[24];
  for (size_t r = from->rows; r-- > 0;) {
    bool current = false;
    for (size_t c = 0; c < of->case_count && !current; c++) {
      if (!in_run(&of->cases[c], size)) continue;
      case_key(of, size, &of->cases[c], key);
      current = strcmp(frame_text(from, r, "key"), key) == 0 &&
                strcmp(frame_text(from, r, "case"), of->cases[c].name) == 0 && frame_number(from, r, "seed") >= 1.0 &&
                frame_number(from, r, "seed") <= (double)of->replicates[size];
    }
    if (!current) frame_remove_row(from, r);
  }
}

static bool has_unit(const frame *in, const char *name, uint64_t seed)
{
  for (size_t r = 0; r < in->rows; r++)
    if (strcmp(frame_text(in, r, "case"), name) == 0 && frame_number(in, r, "seed") == (double)seed) return true;
  return false;
}

/* A unit is complete when it is in the first stream, which is written last. */
static void drop_incomplete(const frame *first, frame *from)
{
  for (size_t r = from->rows; r-- > 0;)
    if (!has_unit(first, frame_text(from, r, "case"), (uint64_t)frame_number(from, r, "seed")))
      frame_remove_row(from, r);
}

/* What of a stream is there and up to date; nothing if the file is not there or not readable. */
static sgf_status read_stream(const study *of, const study_run *run, const study_stream *one, frame *read,
                              sgf_error *error)
{
  frame found;
  char *path = stream_path(of, run, one, error);
  sgf_status status = path != NULL ? new_stream(one, read, error) : SGF_ERROR_MEMORY;
  if (status == SGF_OK && frame_read(path, &found, NULL) == SGF_OK) {
    if (same_columns(&found, read)) {
      drop_stale(of, run->size, &found);
      frame_free(read);
      *read = found;
    } else {
      frame_free(&found);
    }
  }
  free(path);
  return status;
}

sgf_status study_read(const study *of, const study_run *run, frame frames[MOST_STREAMS], bool *complete,
                      sgf_error *error)
{
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < MOST_STREAMS; k++) frames[k] = (frame){0};
  for (size_t k = 0; of->streams[k].name != NULL && status == SGF_OK; k++) {
    status = read_stream(of, run, &of->streams[k], &frames[k], error);
    if (k > 0 && status == SGF_OK) drop_incomplete(&frames[0], &frames[k]);
  }
  *complete = status == SGF_OK;
  for (size_t c = 0; c < of->case_count && *complete; c++)
    for (uint64_t seed = 1; seed <= of->replicates[run->size] && in_run(&of->cases[c], run->size); seed++)
      *complete = *complete && has_unit(&frames[0], of->cases[c].name, seed);
  return status;
}

void study_free(frame frames[MOST_STREAMS])
{
  for (size_t k = 0; k < MOST_STREAMS; k++) frame_free(&frames[k]);
}

/* ------------------------------------------------------------------------- runs */

/* The first stream last: with it a unit counts as done. */
static sgf_status write_streams(const study *of, const study_run *run, const frame *frames, sgf_error *error)
{
  sgf_status status = SGF_OK;
  size_t count = 0;
  while (of->streams[count].name != NULL) count++;
  for (size_t k = count; k-- > 0 && status == SGF_OK;) {
    char *path = stream_path(of, run, &of->streams[k], error);
    status = path != NULL ? frame_write(&frames[k], path, error) : SGF_ERROR_MEMORY;
    free(path);
  }
  return status;
}

static sgf_status run_unit(const study *of, study_run *run, const study_case *which, uint64_t seed, frame *frames,
                           sgf_error *error)
{
  char key[24], line[200];
  study_unit now = {.of = of,
                    .which = which,
                    .size = run->size,
                    .seed = seed,
                    .threads = run->threads,
                    .streams = frames,
                    .key = key};
  case_key(of, run->size, which, key);
  snprintf(line, sizeof line, "%s: %s, %" PRIu64 " of %zu", of->name, which->name, seed, of->replicates[run->size]);
  if (run->tell != NULL) run->tell(line);
  sgf_error inside = {SGF_OK, ""};
  sgf_status status = of->measure(&now, &inside);
  unit_close(&now);
  if (status != SGF_OK) return sgf_fail(error, status, "%s: %.400s", line, inside.message);
  run->done++;
  return write_streams(of, run, frames, error);
}

sgf_status study_complete(const study *of, study_run *run, frame frames[MOST_STREAMS], sgf_error *error)
{
  bool complete;
  sgf_status status = study_read(of, run, frames, &complete, error);
  if (status == SGF_OK && run->again)
    for (size_t k = 0; of->streams[k].name != NULL; k++)
      while (frames[k].rows > 0) frame_remove_row(&frames[k], frames[k].rows - 1);
  for (size_t c = 0; c < of->case_count && status == SGF_OK; c++)
    for (uint64_t seed = 1; seed <= of->replicates[run->size] && in_run(&of->cases[c], run->size); seed++) {
      if (run->stop != NULL && run->stop()) return sgf_fail(error, SGF_ERROR_INTERRUPTED, "interrupted");
      if (has_unit(&frames[0], of->cases[c].name, seed)) {
        run->kept++;
        continue;
      }
      status = run_unit(of, run, &of->cases[c], seed, frames, error);
      if (status != SGF_OK) return status;
    }
  return status;
}
