/* The config: the schema, YAML to settings, --set on top, and the settings back to YAML.
 *
 * SCALARS is the schema: section, key, kind and where its value lives. libcyaml parses the file against it and refuses
 * unknown and repeated keys; scalars are taken as text and converted here, because its conversions let "5.5" pass for
 * a count and "-1" for a very large one. A key that is absent leaves its default alone. */
#include "config.h"

#include <ctype.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* KEY(section, key, kind, names of a choice, what it is). Kinds: real, count (1 or more), choice, text, flag. `names` are in
 * the order of the enum. Lists and the seed are in config_keys. */
// clang-format off
#define SCALARS(KEY) \
  KEY(data, source, CHOICE, "gaussian|file", "where inputs and targets come from") \
  KEY(data, samples, COUNT, "", \
      "number of samples P; left out: 400 for Gaussian data, those of the file") \
  KEY(data, input_power_law, REAL, "", \
      "exponent a: eigenvalue k of the inputs' covariance is k^-a, scaled to mean 1; left out: input_spectrum") \
  KEY(data, teacher, CHOICE, "gaussian|none|low-rank", \
      "linear map behind the targets; none: they are noise alone") \
  KEY(data, teacher_rank, COUNT, "", "rank of a low-rank teacher; left out: 1") \
  KEY(data, label_noise, REAL, "", "standard deviation of the noise on the targets") \
  KEY(data, file, TEXT, "", \
      "HDF5 file with datasets X (P, N_0) and Y (P, N_L), for source: file") \
  KEY(network, init_scale, REAL, "", \
      "weights start as N(0, init_scale^2 / fan-in), then descend to a minimum") \
  KEY(network, weights, TEXT, "", \
      "HDF5 file with datasets W1 ... WL, shape (N_l, N_{l-1}), where the descent starts; left out: random weights") \
  KEY(network, relax, FLAG, "", \
      "descend to the minimum; false: the weights are one, an error if the gradient there is not 0") \
  KEY(network, start, CHOICE, "descent|balanced|noise-balanced", \
      "which minimum of the map that the descent finds: its own, with balanced weights, or at noise balance") \
  KEY(training, learning_rate, REAL, "", "learning rate of SGD") \
  KEY(training, batch_size, COUNT, "", "samples in a minibatch") \
  KEY(training, sampling, CHOICE, "replacement|without-replacement|epoch", \
      "how a minibatch is drawn: independent draws, draws without repeats, or a reshuffled pass through all samples") \
  KEY(training, momentum, REAL, "", "heavy-ball momentum, 0 to below 1") \
  KEY(training, weight_decay, REAL, "", "gamma of the term gamma |theta|^2 / 2 in the loss") \
  KEY(theory, noise, CHOICE, "empirical|population|isotropic", \
      "covariance of the gradient: of the sample, of Gaussian data, or s^2 H") \
  KEY(theory, equation, CHOICE, "continuum|discrete|exact|closure|multiplicative", \
      "equation of the stationary covariance") \
  KEY(theory, rank_tolerance, REAL, "", \
      "eigenvalues up to this, relative to the largest, are 0; left out: from the largest gap") \
  KEY(theory, modes, COUNT, "", \
      "leading modes of a layer that has too many for all; left out: chosen") \
  KEY(theory, flatness_factor, REAL, "", \
      "flatness is the distance between the points where the loss is this factor of the least; above 1") \
  KEY(simulation, dynamics, CHOICE, "sgd|langevin", \
      "SGD, or the stochastic gradient flow in continuous time") \
  KEY(simulation, langevin_noise, CHOICE, "state|frozen", \
      "noise covariance of the flow: at the weights, or at the minimum") \
  KEY(simulation, time_step, REAL, "", "step of the flow, continuum time; left out: chosen") \
  KEY(simulation, protocol, CHOICE, "ensemble|window-pca", \
      "second moments about the minimum over short runs, or about the mean of each long run's window") \
  KEY(simulation, uncoupled, FLAG, "", "train each layer alone too, with the others frozen") \
  KEY(simulation, replicas, COUNT, "", "independent runs; left out: as many as decide the comparison") \
  KEY(simulation, burn_in, REAL, "", \
      "before the window, continuum time (learning rate times steps); left out: chosen") \
  KEY(simulation, window, REAL, "", "length of the window, continuum time; left out: chosen") \
  KEY(verify, tolerance, REAL, "", "relative deviation that still counts as agreement") \
  KEY(verify, level, REAL, "", "rate of false alarms of a whole comparison")
// clang-format on

const config_key config_keys[] = {
    {"network.widths", "list of counts", "",
     "inputs, units of each hidden layer, outputs: [N_0, ..., N_L]; no default"},
    {"data.input_spectrum", "list of numbers", "", "eigenvalues of the inputs' covariance, repeated to fill N_0"},
#define LISTED(section, key, kind, names, text) {#section "." #key, KIND_##kind, names, text},
#define KIND_REAL "number"
#define KIND_COUNT "count"
#define KIND_CHOICE "choice"
#define KIND_TEXT "file"
#define KIND_FLAG "true or false"
    SCALARS(LISTED)
#undef LISTED
        {"seed", "whole number", "", "of data, weights and simulation: the same seed gives the same numbers"}};
const size_t config_key_count = sizeof config_keys / sizeof *config_keys;

void make_one_line(char *message)
{
  for (char *c = message; *c != '\0'; c++)
    if (iscntrl((unsigned char)*c)) *c = '?';
}

/* ------------------------------------------------- the file as libcyaml sees it */

typedef struct {
  char *source, *samples, *input_power_law, *teacher, *teacher_rank, *label_noise, *file;
  char **input_spectrum;
  unsigned input_spectrum_count;
} data_section;
typedef struct {
  char *init_scale, *weights, *relax, *start;
  char **widths;
  unsigned widths_count;
} network_section;
typedef struct {
  char *learning_rate, *batch_size, *sampling, *momentum, *weight_decay;
} training_section;
typedef struct {
  char *noise, *equation, *rank_tolerance, *modes, *flatness_factor;
} theory_section;
typedef struct {
  char *dynamics, *langevin_noise, *time_step, *protocol, *uncoupled, *replicas, *burn_in, *window;
} simulation_section;
typedef struct {
  char *tolerance, *level;
} verify_section;
typedef struct {
  data_section *data;
  network_section *network;
  training_section *training;
  theory_section *theory;
  simulation_section *simulation;
  verify_section *verify;
  char *seed;
} document;

enum { MAY_BE_ABSENT = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL };

static const cyaml_schema_value_t entry = {CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED)};

#define TEXT_FIELD(section, key) \
  CYAML_FIELD_STRING_PTR(#key, MAY_BE_ABSENT, section##_section, key, 0, CYAML_UNLIMITED)
#define LIST_FIELD(section, key) \
  CYAML_FIELD_SEQUENCE(#key, MAY_BE_ABSENT, section##_section, key, &entry, 1, CYAML_UNLIMITED)

static const cyaml_schema_field_t data_fields[] = {
    TEXT_FIELD(data, source),  TEXT_FIELD(data, samples),        TEXT_FIELD(data, input_power_law),
    TEXT_FIELD(data, teacher), TEXT_FIELD(data, teacher_rank),   TEXT_FIELD(data, label_noise),
    TEXT_FIELD(data, file),    LIST_FIELD(data, input_spectrum), CYAML_FIELD_END};
static const cyaml_schema_field_t network_fields[] = {TEXT_FIELD(network, init_scale), TEXT_FIELD(network, weights),
                                                      TEXT_FIELD(network, relax),      TEXT_FIELD(network, start),
                                                      LIST_FIELD(network, widths),     CYAML_FIELD_END};
static const cyaml_schema_field_t training_fields[] = {
    TEXT_FIELD(training, learning_rate), TEXT_FIELD(training, batch_size),   TEXT_FIELD(training, sampling),
    TEXT_FIELD(training, momentum),      TEXT_FIELD(training, weight_decay), CYAML_FIELD_END};
static const cyaml_schema_field_t theory_fields[] = {
    TEXT_FIELD(theory, noise), TEXT_FIELD(theory, equation),        TEXT_FIELD(theory, rank_tolerance),
    TEXT_FIELD(theory, modes), TEXT_FIELD(theory, flatness_factor), CYAML_FIELD_END};
static const cyaml_schema_field_t simulation_fields[] = {
    TEXT_FIELD(simulation, dynamics), TEXT_FIELD(simulation, langevin_noise), TEXT_FIELD(simulation, time_step),
    TEXT_FIELD(simulation, protocol), TEXT_FIELD(simulation, uncoupled),      TEXT_FIELD(simulation, replicas),
    TEXT_FIELD(simulation, burn_in),  TEXT_FIELD(simulation, window),         CYAML_FIELD_END};
static const cyaml_schema_field_t verify_fields[] = {TEXT_FIELD(verify, tolerance), TEXT_FIELD(verify, level),
                                                     CYAML_FIELD_END};
#define SECTION(name) CYAML_FIELD_MAPPING_PTR(#name, MAY_BE_ABSENT, document, name, name##_fields)
static const cyaml_schema_field_t document_fields[] = {
    SECTION(data),
    SECTION(network),
    SECTION(training),
    SECTION(theory),
    SECTION(simulation),
    SECTION(verify),
    CYAML_FIELD_STRING_PTR("seed", MAY_BE_ABSENT, document, seed, 0, CYAML_UNLIMITED),
    CYAML_FIELD_END};
static const cyaml_schema_value_t schema = {CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, document, document_fields)};

/* --------------------------------------------------------- text into settings */

/* Where a document comes from, for the messages: a file with its text, or an override. */
typedef struct {
  const char *name; /* path, or "--set KEY=VALUE" */
  const char *text; /* NULL for an override */
} origin;

/* Line of the first or a later `key:` in the text, 0 if it cannot be told; comments do not count. Key names are
 * unique in the schema. */
static int line_of(const origin *from, const char *key, int occurrence)
{
  size_t length = strlen(key);
  int line = 1;
  bool comment = false;
  for (const char *c = from->text; c != NULL && *c != '\0'; c++) {
    comment = *c == '\n' ? false : comment || *c == '#';
    line += *c == '\n';
    bool starts = c == from->text || !(isalnum((unsigned char)c[-1]) || c[-1] == '_');
    if (!comment && starts && strncmp(c, key, length) == 0 && c[length + strspn(c + length, " \"'")] == ':' &&
        --occurrence == 0)
      return line;
  }
  return 0;
}

static sgf_status refuse(const origin *from, const char *section, const char *key, const char *value,
                         const char *rule, sgf_error *error)
{
  char where[32] = "";
  int line = line_of(from, key, 1);
  if (line > 0) snprintf(where, sizeof where, ":%d", line);
  error->status = SGF_ERROR_VALUE;
  snprintf(error->message, sizeof error->message, "%s%s: %s%s%s is '%.80s': %s", from->name, where, section,
           section[0] != '\0' ? "." : "", key, value, rule);
  return SGF_ERROR_VALUE;
}

static bool parse_real(const char *text, double *value)
{
  char *end;
  *value = strtod(text, &end);
  return end != text && *end == '\0' && !isspace((unsigned char)text[0]);
}

static bool parse_whole(const char *text, unsigned long long *value)
{
  char *end;
  double real;
  if (!isdigit((unsigned char)text[0])) return false;
  errno = 0;
  *value = strtoull(text, &end, 10);
  if (*end == '\0') return errno == 0;
  /* 1e6 is a count too, as long as it is whole and exact */
  if (!parse_real(text, &real) || real != floor(real) || real > 0x1p53) return false;
  *value = (unsigned long long)real;
  return true;
}

static sgf_status take_REAL(const origin *from, const char *section, const char *key, const char *text,
                            const char *names, double *target, sgf_error *error)
{
  (void)names;
  if (!parse_real(text, target)) return refuse(from, section, key, text, "a number is expected", error);
  return isnan(*target) ? refuse(from, section, key, text, "it must not be NaN", error) : SGF_OK;
}

static sgf_status take_COUNT(const origin *from, const char *section, const char *key, const char *text,
                             const char *names, size_t *target, sgf_error *error)
{
  unsigned long long value;
  (void)names;
  if (!parse_whole(text, &value) || value == 0 || value > SIZE_MAX)
    return refuse(from, section, key, text, "a whole number, 1 or more, is expected", error);
  *target = (size_t)value;
  return SGF_OK;
}

static sgf_status take_FLAG(const origin *from, const char *section, const char *key, const char *text,
                            const char *names, bool *target, sgf_error *error)
{
  (void)names;
  *target = strcmp(text, "true") == 0;
  return *target || strcmp(text, "false") == 0 ? SGF_OK
                                               : refuse(from, section, key, text, "true or false is expected", error);
}

static sgf_status take_TEXT(const origin *from, const char *section, const char *key, const char *text,
                            const char *names, char **target, sgf_error *error)
{
  (void)names;
  if (text[0] == '\0') return refuse(from, section, key, text, "a file name is expected", error);
  free(*target);
  *target = strdup(text);
  return *target != NULL ? SGF_OK : SGF_ERROR_MEMORY;
}

/* Index of `text` in "a|b|c", -1 if it is not there; and the name at an index. */
static int choice_index(const char *names, const char *text)
{
  for (int index = 0;; index++) {
    size_t length = strcspn(names, "|");
    if (strlen(text) == length && strncmp(names, text, length) == 0) return index;
    if (names[length] == '\0') return -1;
    names += length + 1;
  }
}

static const char *choice_name(const char *names, unsigned index, int *length)
{
  for (; index > 0; index--) names += strcspn(names, "|") + 1;
  *length = (int)strcspn(names, "|");
  return names;
}

/* Every choice of the settings is an enum without negative values. */
static sgf_status take_CHOICE(const origin *from, const char *section, const char *key, const char *text,
                              const char *names, void *target, sgf_error *error)
{
  char rule[128];
  int index = choice_index(names, text);
  unsigned value = (unsigned)index;
  snprintf(rule, sizeof rule, "one of %s is expected", names);
  if (index < 0) return refuse(from, section, key, text, rule, error);
  memcpy(target, &value, sizeof value);
  return SGF_OK;
}

static sgf_status take_widths(const origin *from, const network_section *section, sgf_settings *settings,
                              sgf_error *error)
{
  unsigned long long value;
  size_t *widths = calloc(section->widths_count > 0 ? section->widths_count : 1, sizeof *widths);
  if (widths == NULL) return SGF_ERROR_MEMORY;
  free(settings->network.widths);
  settings->network.widths = widths;
  settings->network.width_count = section->widths_count;
  for (unsigned k = 0; k < section->widths_count; k++) {
    if (!parse_whole(section->widths[k], &value))
      return refuse(from, "network", "widths", section->widths[k], "whole numbers, 1 or more, are expected", error);
    widths[k] = (size_t)value;
  }
  return SGF_OK;
}

static sgf_status take_spectrum(const origin *from, const data_section *section, sgf_settings *settings,
                                sgf_error *error)
{
  double *spectrum = calloc(section->input_spectrum_count > 0 ? section->input_spectrum_count : 1, sizeof *spectrum);
  sgf_status status = spectrum != NULL ? SGF_OK : SGF_ERROR_MEMORY;
  free(settings->data.input_spectrum);
  settings->data.input_spectrum = spectrum;
  settings->data.input_spectrum_count = section->input_spectrum_count;
  for (unsigned k = 0; k < section->input_spectrum_count && status == SGF_OK; k++)
    status = take_REAL(from, "data", "input_spectrum", section->input_spectrum[k], "", &spectrum[k], error);
  return status;
}

static sgf_status take_seed(const origin *from, const char *text, uint64_t *seed, sgf_error *error)
{
  unsigned long long value;
  if (!parse_whole(text, &value) || value > INT64_MAX) /* JSON and HDF5 readers know no larger ones */
    return refuse(from, "", "seed", text, "a whole number from 0 to 9223372036854775807 is expected", error);
  *seed = value;
  return SGF_OK;
}

static sgf_status apply(const origin *from, const document *file, sgf_settings *settings, sgf_error *error)
{
  sgf_status status = SGF_OK;
#define TAKE(section, key, kind, names, text)                                  \
  if (status == SGF_OK && file->section != NULL && file->section->key != NULL) \
    status = take_##kind(from, #section, #key, file->section->key, names, &settings->section.key, error);
  SCALARS(TAKE)
#undef TAKE
  if (status == SGF_OK && file->network != NULL && file->network->widths != NULL)
    status = take_widths(from, file->network, settings, error);
  if (status == SGF_OK && file->data != NULL && file->data->input_spectrum != NULL)
    status = take_spectrum(from, file->data, settings, error);
  if (status == SGF_OK && file->seed != NULL) status = take_seed(from, file->seed, &settings->seed, error);
  if (status == SGF_ERROR_MEMORY) snprintf(error->message, sizeof error->message, "no memory for the config");
  return status;
}

/* --------------------------------------------------------------- the YAML file */

/* What libcyaml logs: its first line says what, the backtrace says where, innermost first. */
typedef struct {
  char what[256];
  char key[64];
  int line;
} complaint;

static void listen(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
  complaint *heard = context;
  char text[256];
  const char *at, *quoted;
  (void)level;
  vsnprintf(text, sizeof text, format, arguments);
  text[strcspn(text, "\n")] = '\0';
  if (strstr(text, "Backtrace:") != NULL) return;
  if (heard->what[0] == '\0') snprintf(heard->what, sizeof heard->what, "%s", text);
  at = strstr(text, "(line: ");
  if (at != NULL && heard->line == 0) heard->line = atoi(at + strlen("(line: "));
  quoted = strstr(text, "field '");
  if (quoted != NULL && heard->key[0] == '\0')
    snprintf(heard->key, sizeof heard->key, "%.*s", (int)strcspn(quoted + 7, "'"), quoted + 7);
}

/* Line where the YAML itself breaks, by libyaml's own parser: libcyaml reports that it does, and not where. */
static int line_of_syntax_error(const char *text)
{
  yaml_parser_t parser;
  yaml_event_t event;
  bool ended = false;
  int line = 0;
  if (!yaml_parser_initialize(&parser)) return 0;
  yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
  while (!ended && line == 0) {
    if (!yaml_parser_parse(&parser, &event)) {
      line = (int)parser.problem_mark.line + 1;
    } else {
      ended = event.type == YAML_STREAM_END_EVENT;
      yaml_event_delete(&event);
    }
  }
  yaml_parser_delete(&parser);
  return line;
}

/* The word behind `prefix` in text, NULL if it does not begin so. */
static const char *behind(const char *text, const char *prefix)
{
  return strncmp(text, prefix, strlen(prefix)) == 0 ? text + strlen(prefix) : NULL;
}

/* libcyaml gives the line of the event before an unknown or repeated key: look those up in the text. */
/* What is expected, in the words of a config rather than of a parser. */
static const char *plain_words(const char *what, cyaml_err_t outcome)
{
  if (strncmp(what, "Expecting SEQUENCE", 18) == 0) return "a list such as [20, 1] is expected";
  if (strncmp(what, "Expecting MAPPING", 17) == 0) return "keys with values are expected";
  if (strncmp(what, "Expecting STRING", 16) == 0) return "a single value is expected";
  return what[0] != '\0' ? what : cyaml_strerror(outcome);
}

static sgf_status describe_failure(const origin *from, const complaint *heard, cyaml_err_t outcome, sgf_error *error)
{
  const char *what = behind(heard->what, "Load: ") != NULL ? behind(heard->what, "Load: ") : heard->what;
  const char *unknown = behind(what, "Unexpected key: "), *repeated = behind(what, "Mapping field already seen: ");
  const char *syntax = behind(what, "libyaml: ");
  int line = unknown != NULL    ? line_of(from, unknown, 1)
             : repeated != NULL ? line_of(from, repeated, 2)
                                : heard->line;
  char where[32] = "", inside[96] = "";
  if (syntax != NULL && from->text != NULL) line = line_of_syntax_error(from->text);
  if (line > 0 && from->text != NULL) snprintf(where, sizeof where, ":%d", line);
  if (heard->key[0] != '\0') snprintf(inside, sizeof inside, " in %s", heard->key);
  error->status = SGF_ERROR_VALUE;
  if (unknown != NULL)
    snprintf(error->message, sizeof error->message, "%s%s: unknown key '%s'%s", from->name, where, unknown, inside);
  else if (repeated != NULL)
    snprintf(error->message, sizeof error->message, "%s%s: key '%s' is given twice", from->name, where, repeated);
  else if (syntax != NULL)
    snprintf(error->message, sizeof error->message, "%s%s: broken YAML: %s", from->name, where, syntax);
  else
    snprintf(error->message, sizeof error->message, "%s%s: %s%s", from->name, where, plain_words(what, outcome),
             inside);
  return SGF_ERROR_VALUE;
}

static sgf_status load(const origin *from, const char *yaml, sgf_settings *settings, sgf_error *error)
{
  complaint heard = {"", "", 0};
  cyaml_config_t parser = {.log_fn = listen,
                           .log_ctx = &heard,
                           .log_level = CYAML_LOG_ERROR,
                           .mem_fn = cyaml_mem,
                           .flags = CYAML_CFG_NO_ALIAS};
  cyaml_data_t *file = NULL;
  cyaml_err_t outcome = cyaml_load_data((const uint8_t *)yaml, strlen(yaml), &parser, &schema, &file, NULL);
  if (outcome == CYAML_ERR_OOM) return SGF_ERROR_MEMORY;
  if (outcome != CYAML_OK) return describe_failure(from, &heard, outcome, error);
  sgf_status status = file != NULL ? apply(from, file, settings, error) : SGF_OK;
  cyaml_free(&parser, &schema, file, 0);
  return status;
}

/* Whole text of a file; NULL with a message. A config is small: more than 1 MiB is something else. */
static char *read_text(const char *path, sgf_error *error)
{
  enum { MOST = 1 << 20 };
  FILE *file = fopen(path, "r");
  char *text = file != NULL ? malloc(MOST + 1) : NULL;
  size_t length = text != NULL ? fread(text, 1, MOST + 1, file) : 0;
  bool broken = file == NULL || text == NULL || ferror(file);
  error->status = file != NULL && text == NULL ? SGF_ERROR_MEMORY : SGF_ERROR_NO_INPUT;
  if (broken) snprintf(error->message, sizeof error->message, "%s: %s", path, strerror(errno));
  if (file != NULL) fclose(file);
  if (!broken && (length > MOST || memchr(text, '\0', length) != NULL)) {
    error->status = SGF_ERROR_VALUE;
    snprintf(error->message, sizeof error->message, "%s: not a YAML config", path);
    broken = true;
  }
  if (broken) {
    free(text);
    return NULL;
  }
  text[length] = '\0';
  return text;
}

/* "section.key=value" as a document of its own. */
static sgf_status apply_override(const char *override, sgf_settings *settings, sgf_error *error)
{
  char name[256], yaml[2048];
  const char *equals = strchr(override, '='), *dot = strchr(override, '.');
  origin from = {name, NULL};
  int length;
  snprintf(name, sizeof name, "--set %.200s", override);
  error->status = SGF_ERROR_VALUE;
  if (equals == NULL || equals == override) {
    snprintf(error->message, sizeof error->message, "%s: KEY=VALUE is expected", name);
    return SGF_ERROR_VALUE;
  }
  if (dot != NULL && dot < equals)
    length = snprintf(yaml, sizeof yaml, "%.*s:\n  %.*s: %s\n", (int)(dot - override), override,
                      (int)(equals - dot - 1), dot + 1, equals + 1);
  else
    length = snprintf(yaml, sizeof yaml, "%.*s: %s\n", (int)(equals - override), override, equals + 1);
  if (length < 0 || (size_t)length >= sizeof yaml || strchr(override, '\n') != NULL) {
    snprintf(error->message, sizeof error->message, "%s: too long, or more than one line", name);
    return SGF_ERROR_VALUE;
  }
  return load(&from, yaml, settings, error);
}

/* libcyaml reads the first document of a file and never looks at the others: refuse them. */
static sgf_status check_single_document(const origin *from, sgf_error *error)
{
  bool content = false;
  int line = 1;
  for (const char *c = from->text; *c != '\0'; line++) {
    size_t length = strcspn(c, "\n"), blank = strspn(c, " \t\r");
    bool marker = strncmp(c, "---", 3) == 0 || strncmp(c, "...", 3) == 0;
    if (marker && content && strncmp(c, "---", 3) == 0) {
      error->status = SGF_ERROR_VALUE;
      snprintf(error->message, sizeof error->message, "%s:%d: a second YAML document begins: one is expected",
               from->name, line);
      return SGF_ERROR_VALUE;
    }
    content = content || (!marker && blank < length && c[blank] != '#' && c[blank] != '%');
    c += length + (c[length] == '\n');
  }
  return SGF_OK;
}

sgf_status config_parse(const char *name, const char *text, const char *const *overrides, size_t override_count,
                        sgf_settings *settings, sgf_error *error)
{
  origin from = {name, text};
  sgf_settings_init(settings);
  sgf_status status = check_single_document(&from, error);
  if (status == SGF_OK) status = load(&from, text, settings, error);
  for (size_t k = 0; k < override_count && status == SGF_OK; k++)
    status = apply_override(overrides[k], settings, error);
  if (status == SGF_OK) return SGF_OK;
  sgf_settings_free(settings);
  error->status = status;
  if (status == SGF_ERROR_MEMORY)
    snprintf(error->message, sizeof error->message, "%s: no memory for the config", name);
  make_one_line(error->message);
  return status;
}

sgf_status config_read(const char *path, const char *const *overrides, size_t override_count, sgf_settings *settings,
                       sgf_error *error)
{
  char *text = read_text(path, error);
  if (text == NULL) {
    sgf_settings_init(settings);
    return error->status;
  }
  sgf_status status = config_parse(path, text, overrides, override_count, settings, error);
  free(text);
  return status;
}

/* ------------------------------------------------------------- back into YAML */

static void put_REAL(FILE *out, const char *key, const char *names, const double *value)
{
  char digits[40];
  (void)names;
  if (isnan(*value)) return; /* absent */
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, *value);
    if (strtod(digits, NULL) == *value) break;
  }
  fprintf(out, "  %s: %s\n", key, digits);
}

static void put_COUNT(FILE *out, const char *key, const char *names, const size_t *value)
{
  (void)names;
  if (*value > 0) fprintf(out, "  %s: %zu\n", key, *value);
}

static void put_FLAG(FILE *out, const char *key, const char *names, const bool *value)
{
  (void)names;
  fprintf(out, "  %s: %s\n", key, *value ? "true" : "false");
}

/* Double quotes, with the escapes that YAML and JSON share. */
static void put_TEXT(FILE *out, const char *key, const char *names, char *const *value)
{
  (void)names;
  if (*value == NULL) return;
  fprintf(out, "  %s: \"", key);
  for (const char *c = *value; *c != '\0'; c++) {
    if ((unsigned char)*c < 0x20)
      fprintf(out, "\\x%02x", (unsigned)(unsigned char)*c);
    else
      fprintf(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
  }
  fputs("\"\n", out);
}

static void put_CHOICE(FILE *out, const char *key, const char *names, const void *value)
{
  unsigned index;
  int length;
  memcpy(&index, value, sizeof index);
  const char *name = choice_name(names, index, &length);
  fprintf(out, "  %s: %.*s\n", key, length, name);
}

static void put_lists(FILE *out, const char *section, const sgf_settings *settings)
{
  if (strcmp(section, "data") == 0 && settings->data.input_spectrum_count > 0) {
    fputs("  input_spectrum: [", out);
    for (size_t k = 0; k < settings->data.input_spectrum_count; k++)
      fprintf(out, "%s%.17g", k > 0 ? ", " : "", settings->data.input_spectrum[k]);
    fputs("]\n", out);
  }
  if (strcmp(section, "network") == 0 && settings->network.width_count > 0) {
    fputs("  widths: [", out);
    for (size_t k = 0; k < settings->network.width_count; k++)
      fprintf(out, "%s%zu", k > 0 ? ", " : "", settings->network.widths[k]);
    fputs("]\n", out);
  }
}

char *config_text(const sgf_settings *settings, const sgf_plan *plan)
{
  sgf_settings resolved = *settings;
  char *text = NULL;
  const char *section_now = "";
  size_t length;
  FILE *out = open_memstream(&text, &length);
  if (out == NULL) return NULL;
  if (plan != NULL) {
    double lambda = sgf_time_of_step(settings);
    resolved.simulation.replicas = plan->replicas;
    resolved.simulation.burn_in = lambda * (double)plan->burn_in_steps;
    resolved.simulation.window = lambda * (double)plan->window_steps;
  }
#define PUT(section, key, kind, names, text) \
  if (strcmp(section_now, #section) != 0) {  \
    section_now = #section;                  \
    fprintf(out, "%s:\n", section_now);      \
    put_lists(out, section_now, &resolved);  \
  }                                          \
  put_##kind(out, #key, names, &resolved.section.key);
  SCALARS(PUT)
#undef PUT
  fprintf(out, "seed: %llu\n", (unsigned long long)settings->seed);
  if (fclose(out) != 0) {
    free(text);
    return NULL;
  }
  return text;
}
