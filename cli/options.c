/* What every command takes on its command line, by argp. */
#include "options.h"

#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  KEY_REPORT = 256,
  KEY_SET,
  KEY_JSON,
  KEY_FULL,
  KEY_FORCE,
  KEY_TRAJECTORY,
  KEY_THREADS,
  KEY_PLAN,
  KEY_USAGE,
  KEY_DISCRETE,
  KEY_FACTOR,
  KEY_INITIAL,
  KEY_METHOD,
  KEY_TOLERANCE,
  KEY_GRID,
  KEY_INDEX,
  KEY_COUNT,
  KEY_OUT,
  KEY_OVERWRITE,
  KEY_CHECKPOINT,
  KEY_CHECKPOINT_EVERY,
  KEY_RESUME,
  KEY_MAX_TIME,
  KEY_MAX_STEPS,
  KEY_TRAJECTORY_EVERY,
  KEY_QUICK
};

static const struct argp_option output_option = {"output", 'o', "FILE", 0, "write the HDF5 output here", 0};
static const struct argp_option set_option = {
    "set", KEY_SET, "KEY=VALUE", 0, "set a key of the config, such as training.learning_rate=0.02; repeatable", 0};
static const struct argp_option json_option = {"json", KEY_JSON, NULL, 0, "print the summary as JSON", 0};
static const struct argp_option full_option = {"full", KEY_FULL, NULL, 0, "write the n x n sets even when n > 4000",
                                               0};
static const struct argp_option force_option = {
    "force", KEY_FORCE, NULL, 0, "run beyond the stability limit; accept constant columns of X as biases", 0};
static const struct argp_option report_option = {"report", KEY_REPORT, "FILE", 0, "write the HTML report here", 0};
static const struct argp_option trajectory_option = {
    "trajectory", KEY_TRAJECTORY, "FILE", 0, "HDF5 file with the recorded weights, shape (R, T, n) or (T, n)", 0};
static const struct argp_option record_options[] = {
    {"trajectory", KEY_TRAJECTORY, "FILE", 0,
     "write the weights of the planned replicas during their windows here, dataset weights (R, T, n), which compare "
     "reads; "
     "without checkpoints",
     0},
    {"trajectory-every", KEY_TRAJECTORY_EVERY, "K", 0,
     "steps between these snapshots; default: as often as moments are taken", 0}};
static const struct argp_option threads_option = {
    "threads", KEY_THREADS, "N", 0, "threads to use; the results are the same bits for any number", 0};
static const struct argp_option equation_options[] = {
    {"output", 'o', "FILE", 0, "write a new HDF5 file and leave SYSTEM.h5 as it is", 0},
    {"discrete", KEY_DISCRETE, NULL, 0, "solve X - A X A^T = Q", 0},
    {"factor", KEY_FACTOR, "FILE", 0, "Matrix Market file with B, Q = B B^T, in the place of Q.mtx", 0},
    {"initial", KEY_INITIAL, "FILE", 0,
     "of all solutions for a singular A that which X(0) leads to: HDF5 dataset X0, or Matrix Market", 0},
    {"rank-tolerance", KEY_TOLERANCE, "T", 0,
     "singular values of A (discrete: of 1 - A) up to T times the largest count as 0", 0},
    {"method", KEY_METHOD, "NAME", 0, "how to solve: auto, symmetric, schur, kronecker or low-rank", 0},
    {"threads", KEY_THREADS, "N", 0, "threads of the BLAS where n is above 300; the last digits may depend on it", 0},
    {"full", KEY_FULL, NULL, 0, "write X even when n > 4000", 0}};
static const struct argp_option grid_options[] = {
    {"grid", KEY_GRID, "KEY=VALUE,...", 0,
     "a key of the config and its values, such as training.learning_rate=0.01,0.02 or "
     "network.widths=[4,5,3],[6,2,5]; "
     "repeatable, the last one varies fastest",
     0},
    {"index", KEY_INDEX, "I", 0, "run point I alone; the first is 0", 0},
    {"count", KEY_COUNT, NULL, 0, "print how many points there are, and stop", 0},
    {"out", KEY_OUT, "DIR", 0, "folder of the points; made if it is not there; default: CONFIG's name with -sweep",
     0},
    {"overwrite", KEY_OVERWRITE, NULL, 0, "replace points that another config or another version made", 0}};
static const struct argp_option reproduce_options[] = {
    {"quick", KEY_QUICK, NULL, 0, "the small scale: minutes instead of an hour", 0},
    {"out", KEY_OUT, "DIR", 0, "folder of tables, figures and pages; default: reproduction", 0},
    {"overwrite", KEY_OVERWRITE, NULL, 0, "make again what is up to date, and replace what the other scale made", 0}};
static const struct argp_option checkpoint_options[] = {
    {"checkpoint", KEY_CHECKPOINT, "FILE", 0,
     "write checkpoints here, the one before the last as FILE.old; default: the output's name with .checkpoint. "
     "Written every few minutes, on SIGUSR1, and when SIGTERM or SIGINT ends the run; removed when the outputs are "
     "complete",
     0},
    {"resume", KEY_RESUME, NULL, 0,
     "continue from the checkpoint to the same results, to the bit; if there is none begin, and say so", 0}};
static const struct argp_option budget_options[] = {
    {"checkpoint-every", KEY_CHECKPOINT_EVERY, "SECONDS", 0, "time between checkpoints; default: 300", 0},
    {"max-time", KEY_MAX_TIME, "SECONDS", 0,
     "simulate so long in this process: verify adds replicas as long as something is open; the replicas that are "
     "complete "
     "then are the ensemble, and if none is the run is stopped with a checkpoint",
     0},
    {"max-steps", KEY_MAX_STEPS, "N", 0,
     "simulate as many replicas as N steps of all together pay for, verify only while something is open", 0}};
static const struct argp_option table_option = {"output", 'o', "FILE", 0, "write the table as CSV here", 0};
static const struct argp_option plan_option = {
    "plan",
    KEY_PLAN,
    NULL,
    0,
    "print the path that would be taken, with memory and time of each (without finding the minimum), and stop",
    0};
static const struct argp_option usage_option = {"usage", KEY_USAGE, NULL, OPTION_HIDDEN, NULL, -1};
static const struct argp_option help_option = {"help", '?', NULL, 0, "print this help", -1};

typedef struct {
  const command *what;
  options *parsed;
} parsing;

static void append(struct argp_state *state, const char ***list, size_t *count, const char *text)
{
  const char **grown = realloc(*list, (*count + 1) * sizeof *grown);
  if (grown == NULL) argp_failure(state, 70, 0, "out of memory");
  *list = grown;
  grown[(*count)++] = text;
}

static size_t point_index(struct argp_state *state, const char *text)
{
  char *end;
  errno = 0;
  unsigned long index = strtoul(text, &end, 10);
  if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0)
    argp_error(state, "--index is '%s': a whole number, 0 or more, is expected", text);
  return index;
}

/* A whole number of 1 or more. */
static size_t steps_between(struct argp_state *state, const char *option, const char *text)
{
  char *end;
  errno = 0;
  unsigned long steps = strtoul(text, &end, 10);
  if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || steps == 0)
    argp_error(state, "%s is '%s': a whole number of steps, 1 or more, is expected", option, text);
  return steps;
}

static int thread_count(struct argp_state *state, const char *text)
{
  char *end;
  long count = strtol(text, &end, 10);
  if (end == text || *end != '\0' || count < 1 || count > 1024)
    argp_error(state, "--threads is '%s': a number from 1 to 1024 is expected", text);
  return (int)count;
}

static const char *file_name(struct argp_state *state, const char *option, const char *text)
{
  if (text[0] == '\0') argp_error(state, "%s is empty: the name of a file is expected", option);
  return text;
}

static void print_help(const struct argp_state *state, const command *what)
{
  char name[64];
  snprintf(name, sizeof name, "sgflow %s", what->name);
  argp_help(state->root_argp, stdout, ARGP_HELP_STD_HELP & ~(unsigned)ARGP_HELP_EXIT_OK, name);
  exit(0);
}

static sgf_method method_named(struct argp_state *state, const char *text)
{
  for (int k = SGF_METHOD_AUTO; k <= SGF_METHOD_LOW_RANK; k++)
    if (strcmp(text, sgf_method_text((sgf_method)k)) == 0) return (sgf_method)k;
  argp_error(state, "--method is '%s': auto, symmetric, schur, kronecker or low-rank is expected", text);
  return SGF_METHOD_AUTO;
}

static double positive(struct argp_state *state, const char *option, const char *text)
{
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value > 0.0) || isinf(value))
    argp_error(state, "%s is '%s': a number above 0 is expected", option, text);
  return value;
}

static double tolerance(struct argp_state *state, const char *text)
{
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= 0.0 && value < 1.0))
    argp_error(state, "--rank-tolerance is '%s': a number from 0 to below 1 is expected", text);
  return value;
}

/* The second file of an equation, by its place or by --factor. */
static void take_noise(struct argp_state *state, options *parsed, const char *text, bool factor)
{
  if (parsed->noise != NULL)
    argp_error(state, "lyapunov: Q.mtx or --factor B.mtx is expected, '%s' and '%s' are given", parsed->noise, text);
  parsed->noise = text;
  parsed->factor = factor;
}

static void take_argument(struct argp_state *state, const command *what, options *parsed, const char *text)
{
  if (what->accepts & ACCEPTS_TABLES)
    append(state, &parsed->tables, &parsed->table_count, text);
  else if (parsed->config == NULL)
    parsed->config = text;
  else if (what->accepts & ACCEPTS_EQUATION)
    take_noise(state, parsed, text, false);
  else
    argp_error(state, "%s: one %s is expected, '%s' is another", what->name,
               what->accepts & ACCEPTS_FOLDER ? "folder" : "config file", text);
}

static void check_complete(struct argp_state *state, const parsing *input)
{
  if (input->what->accepts & ACCEPTS_TABLES) return;
  if (input->parsed->config == NULL && (input->what->accepts & ACCEPTS_EQUATION))
    argp_error(state, "%s: a file with A and Q is expected, or two", input->what->name);
  if (input->parsed->config == NULL && (input->what->accepts & ACCEPTS_FOLDER))
    argp_error(state, "%s: the folder of a sweep is expected", input->what->name);
  if (input->parsed->config == NULL) argp_error(state, "%s: a config file is expected", input->what->name);
  if ((input->what->accepts & ACCEPTS_GRID) && input->parsed->grid_count == 0)
    argp_error(state, "%s: --grid KEY=VALUE,... is expected", input->what->name);
  if (input->parsed->record != NULL && (input->parsed->resume || input->parsed->checkpoint != NULL))
    argp_error(state, "--trajectory is written in one go: not with --checkpoint or --resume");
  if (input->parsed->record_every > 0 && input->parsed->record == NULL)
    argp_error(state, "--trajectory-every is %zu: --trajectory FILE is expected", input->parsed->record_every);
  if ((input->what->accepts & ACCEPTS_TRAJECTORY) && input->parsed->trajectory == NULL)
    argp_error(state, "%s: --trajectory FILE is expected", input->what->name);
}

static error_t take(int key, char *argument, struct argp_state *state)
{
  parsing *input = state->input;
  options *parsed = input->parsed;
  switch (key) {
  case 'o': parsed->output = file_name(state, "--output", argument); break;
  case KEY_REPORT: parsed->report = file_name(state, "--report", argument); break;
  case KEY_TRAJECTORY:
    *(input->what->accepts & ACCEPTS_RECORD ? &parsed->record : &parsed->trajectory) =
        file_name(state, "--trajectory", argument);
    break;
  case KEY_TRAJECTORY_EVERY: parsed->record_every = steps_between(state, "--trajectory-every", argument); break;
  case KEY_SET: append(state, &parsed->overrides, &parsed->override_count, argument); break;
  case KEY_JSON: parsed->json = true; break;
  case KEY_FULL: parsed->full = true; break;
  case KEY_FORCE: parsed->force = true; break;
  case KEY_PLAN: parsed->plan = true; break;
  case KEY_THREADS: parsed->threads = thread_count(state, argument); break;
  case KEY_USAGE:
  case '?': print_help(state, input->what); break;
  case KEY_DISCRETE: parsed->discrete = true; break;
  case KEY_FACTOR: take_noise(state, parsed, file_name(state, "--factor", argument), true); break;
  case KEY_INITIAL: parsed->initial = file_name(state, "--initial", argument); break;
  case KEY_METHOD: parsed->method = method_named(state, argument); break;
  case KEY_TOLERANCE: parsed->rank_tolerance = tolerance(state, argument); break;
  case KEY_GRID: append(state, &parsed->grid, &parsed->grid_count, argument); break;
  case KEY_INDEX:
    parsed->index = point_index(state, argument);
    parsed->indexed = true;
    break;
  case KEY_COUNT: parsed->count = true; break;
  case KEY_OUT: parsed->folder = file_name(state, "--out", argument); break;
  case KEY_QUICK: parsed->quick = true; break;
  case KEY_OVERWRITE: parsed->overwrite = true; break;
  case KEY_CHECKPOINT: parsed->checkpoint = file_name(state, "--checkpoint", argument); break;
  case KEY_CHECKPOINT_EVERY: parsed->checkpoint_every = positive(state, "--checkpoint-every", argument); break;
  case KEY_RESUME: parsed->resume = true; break;
  case KEY_MAX_TIME: parsed->most_seconds = positive(state, "--max-time", argument); break;
  case KEY_MAX_STEPS: parsed->most_steps = positive(state, "--max-steps", argument); break;
  case ARGP_KEY_ARG: take_argument(state, input->what, parsed, argument); break;
  case ARGP_KEY_END: check_complete(state, input); break;
  default: return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

size_t options_accepted(const command *what, struct argp_option *accepted)
{
  size_t count = 0;
  if (what->accepts & ACCEPTS_EQUATION) {
    count = sizeof equation_options / sizeof *equation_options;
    memcpy(accepted, equation_options, sizeof equation_options);
    accepted[count++] = json_option;
  } else if (what->accepts & ACCEPTS_TABLES) {
    count = sizeof reproduce_options / sizeof *reproduce_options;
    memcpy(accepted, reproduce_options, sizeof reproduce_options);
    accepted[count++] = threads_option;
  } else if (what->accepts & ACCEPTS_FOLDER) {
    accepted[count++] = table_option;
    accepted[count++] = json_option;
  } else {
    if (what->accepts & ACCEPTS_GRID) {
      count = sizeof grid_options / sizeof *grid_options;
      memcpy(accepted, grid_options, sizeof grid_options);
    } else {
      accepted[count++] = output_option;
    }
    if (what->accepts & ACCEPTS_REPORT) accepted[count++] = report_option;
    if (what->accepts & ACCEPTS_TRAJECTORY) accepted[count++] = trajectory_option;
    if (what->accepts & ACCEPTS_RECORD) {
      memcpy(accepted + count, record_options, sizeof record_options);
      count += sizeof record_options / sizeof *record_options;
    }
    if (what->accepts & ACCEPTS_THREADS) accepted[count++] = threads_option;
    if (what->accepts & ACCEPTS_PLAN) accepted[count++] = plan_option;
    if (what->accepts & ACCEPTS_CHECKPOINT) {
      memcpy(accepted + count, checkpoint_options, sizeof checkpoint_options);
      count += sizeof checkpoint_options / sizeof *checkpoint_options;
    }
    if (what->accepts & ACCEPTS_BUDGET) {
      memcpy(accepted + count, budget_options, sizeof budget_options);
      count += sizeof budget_options / sizeof *budget_options;
    }
    accepted[count++] = set_option;
    accepted[count++] = json_option;
    accepted[count++] = full_option;
    accepted[count++] = force_option;
  }
  accepted[count++] = help_option;
  accepted[count++] = usage_option;
  return count;
}

const char *options_arguments(const command *what)
{
  return what->accepts & ACCEPTS_EQUATION ? "SYSTEM.h5\nA.mtx Q.mtx\nA.mtx --factor B.mtx"
         : what->accepts & ACCEPTS_FOLDER ? "DIR"
         : what->accepts & ACCEPTS_TABLES ? "[TABLE...]"
                                          : "CONFIG";
}

/* A list as a sentence: "0 success; 64 usage.". */
static void append_list(char *text, size_t capacity, const char *list)
{
  size_t length = strlen(text);
  for (; *list != '\0' && length + 3 < capacity; list++) {
    if (*list == '\n' && list[1] != '\0') text[length++] = ';';
    text[length++] = *list == '\t' || *list == '\n' ? ' ' : *list;
  }
  if (length > 0 && text[length - 1] == ' ') text[length - 1] = '.';
  text[length] = '\0';
}

/* What argp prints before and, after \v, behind the options. */
static void write_help(const command *what, char *text, size_t capacity)
{
  snprintf(text, capacity, "%s\v%s%sExit status: ", what->text, what->notes != NULL ? what->notes : "",
           what->notes != NULL ? "\n\n" : "");
  append_list(text, capacity, what->statuses);
}

void options_parse(const command *what, int argc, char **argv, options *parsed)
{
  static char help[4096];
  struct argp_option accepted[MOST_OPTIONS];
  parsing input = {what, parsed};
  memset(parsed, 0, sizeof *parsed);
  parsed->rank_tolerance = NAN;
  accepted[options_accepted(what, accepted)] = (struct argp_option){0};
  write_help(what, help, sizeof help);
  struct argp parser = {accepted, take, options_arguments(what), help, NULL, NULL, NULL};
  argp_parse(&parser, argc, argv, ARGP_NO_HELP, NULL, &input);
}

void options_free(options *parsed)
{
  free(parsed->overrides);
  free(parsed->grid);
  free(parsed->tables);
  parsed->overrides = parsed->grid = parsed->tables = NULL;
}

/* ' text' in single quotes, unless it is plain. */
static void put_quoted(FILE *out, const char *text)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=-+,:%@";
  if (text[0] != '\0' && strspn(text, plain) == strlen(text)) {
    fprintf(out, " %s", text);
    return;
  }
  fputs(" '", out);
  for (; *text != '\0'; text++) fputs(*text == '\'' ? "'\\''" : (char[]){*text, '\0'}, out);
  fputs("'", out);
}

static void put_option(FILE *out, const char *name, const char *value)
{
  if (value == NULL) return;
  fprintf(out, " %s", name);
  put_quoted(out, value);
}

char *options_text(const command *what, const options *parsed)
{
  char *text = NULL;
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (out == NULL) return NULL;
  fprintf(out, "sgflow %s", what->name);
  if (parsed->quick) fputs(" --quick", out);
  if (parsed->config != NULL) put_quoted(out, parsed->config);
  put_option(out, "--trajectory", parsed->trajectory);
  put_option(out, "--trajectory", parsed->record);
  if (parsed->record_every > 0) fprintf(out, " --trajectory-every %zu", parsed->record_every);
  if (parsed->factor)
    put_option(out, "--factor", parsed->noise);
  else if (parsed->noise != NULL)
    put_quoted(out, parsed->noise);
  if (parsed->discrete) fputs(" --discrete", out);
  put_option(out, "--initial", parsed->initial);
  if (!isnan(parsed->rank_tolerance)) fprintf(out, " --rank-tolerance %.17g", parsed->rank_tolerance);
  if (parsed->method != SGF_METHOD_AUTO) put_option(out, "--method", sgf_method_text(parsed->method));
  for (size_t k = 0; k < parsed->grid_count; k++) put_option(out, "--grid", parsed->grid[k]);
  if (parsed->indexed) fprintf(out, " --index %zu", parsed->index);
  put_option(out, "--out", parsed->folder);
  for (size_t k = 0; k < parsed->override_count; k++) put_option(out, "--set", parsed->overrides[k]);
  if (parsed->force) fputs(" --force", out);
  if (parsed->full) fputs(" --full", out);
  if (parsed->overwrite) fputs(" --overwrite", out);
  put_option(out, "-o", parsed->output);
  put_option(out, "--report", parsed->report);
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}
