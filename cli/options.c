/* What every command takes on its command line, by argp. */
#include "options.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_REPORT = 256, KEY_SET, KEY_JSON, KEY_FULL, KEY_FORCE, KEY_TRAJECTORY, KEY_THREADS, KEY_USAGE };

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
static const struct argp_option threads_option = {
    "threads", KEY_THREADS, "N", 0, "threads to use; the results are the same bits for any number", 0};
static const struct argp_option usage_option = {"usage", KEY_USAGE, NULL, OPTION_HIDDEN, NULL, -1};
static const struct argp_option help_option = {"help", '?', NULL, 0, "print this help", -1};

typedef struct {
  const command *what;
  options *parsed;
} parsing;

static void add_override(struct argp_state *state, options *parsed, const char *text)
{
  const char **grown = realloc(parsed->overrides, (parsed->override_count + 1) * sizeof *grown);
  if (grown == NULL) argp_failure(state, 70, 0, "out of memory");
  parsed->overrides = grown;
  parsed->overrides[parsed->override_count++] = text;
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

static void check_complete(struct argp_state *state, const parsing *input)
{
  if (input->parsed->config == NULL) argp_error(state, "%s: a config file is expected", input->what->name);
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
  case KEY_TRAJECTORY: parsed->trajectory = file_name(state, "--trajectory", argument); break;
  case KEY_SET: add_override(state, parsed, argument); break;
  case KEY_JSON: parsed->json = true; break;
  case KEY_FULL: parsed->full = true; break;
  case KEY_FORCE: parsed->force = true; break;
  case KEY_THREADS: parsed->threads = thread_count(state, argument); break;
  case KEY_USAGE:
  case '?': print_help(state, input->what); break;
  case ARGP_KEY_ARG:
    if (parsed->config != NULL)
      argp_error(state, "%s: one config file is expected, '%s' is another", input->what->name, argument);
    parsed->config = argument;
    break;
  case ARGP_KEY_END: check_complete(state, input); break;
  default: return ARGP_ERR_UNKNOWN;
  }
  return 0;
}

void options_parse(const command *what, int argc, char **argv, options *parsed)
{
  struct argp_option accepted[12];
  size_t count = 0;
  parsing input = {what, parsed};
  memset(parsed, 0, sizeof *parsed);
  accepted[count++] = output_option;
  if (what->accepts & ACCEPTS_REPORT) accepted[count++] = report_option;
  if (what->accepts & ACCEPTS_TRAJECTORY) accepted[count++] = trajectory_option;
  if (what->accepts & ACCEPTS_THREADS) accepted[count++] = threads_option;
  accepted[count++] = set_option;
  accepted[count++] = json_option;
  accepted[count++] = full_option;
  accepted[count++] = force_option;
  accepted[count++] = help_option;
  accepted[count++] = usage_option;
  accepted[count] = (struct argp_option){0};
  struct argp parser = {accepted, take, "CONFIG", what->text, NULL, NULL, NULL};
  argp_parse(&parser, argc, argv, ARGP_NO_HELP, NULL, &input);
}

void options_free(options *parsed)
{
  free(parsed->overrides);
  parsed->overrides = NULL;
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
  put_quoted(out, parsed->config);
  put_option(out, "--trajectory", parsed->trajectory);
  for (size_t k = 0; k < parsed->override_count; k++) put_option(out, "--set", parsed->overrides[k]);
  if (parsed->force) fputs(" --force", out);
  if (parsed->full) fputs(" --full", out);
  put_option(out, "-o", parsed->output);
  put_option(out, "--report", parsed->report);
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}
