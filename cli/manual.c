/* What is installed for man and bash, printed from the tables that --help and the reader of the config have:
 *   manual FOLDER   writes the pages sgflow.1, sgflow-COMMAND.1 and sgflow-config.5 there
 *   manual          prints the tables of the completion as functions of bash
 * Run by make. RELEASE_DATE is the Makefile's. Exit status 1 when something cannot be written. */
#include <argp.h>
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "options.h"

/* ------------------------------------------------------------------------ roff */

/* What roff would take for something else. */
static const char *escape_of(char letter)
{
  switch (letter) {
  case '\\': return "\\e";
  case '\'': return "\\(aq";
  case '`': return "\\(ga";
  case '^': return "\\(ha";
  case '~': return "\\(ti";
  default: return NULL;
  }
}

/* Whether the hyphen at text[k] is one to be typed: of an option. */
static bool begins_option(const char *text, size_t k)
{
  char before = k > 0 ? text[k - 1] : ' ', behind = text[k + 1];
  return before == '-' || behind == '-' || ((before == ' ' || before == '(') && isalpha((unsigned char)behind));
}

/* Prose, or something to be typed, in which all hyphens are minus signs. An empty line begins a paragraph. Prose is broken
 * into lines, of which the source has no long ones. */
static void put_text(FILE *out, const char *text, size_t length, bool typed)
{
  size_t column = 0;
  for (size_t k = 0; k < length; k++, column++) {
    bool breaks = !typed && text[k] == ' ' && column + strcspn(text + k + 1, " \n") > 68;
    bool starts = k == 0 || column == 0;
    const char *escape = escape_of(text[k]);
    if (starts && text[k] == '.') fputs("\\&", out);
    if (breaks || text[k] == '\n') column = (size_t)-1; /* 0 with the next letter */
    if (breaks)
      fputc('\n', out);
    else if (starts && text[k] == '\n')
      fputs(".PP\n", out);
    else if (text[k] == '-' && (typed || begins_option(text, k)))
      fputs("\\-", out);
    else if (escape != NULL)
      fputs(escape, out);
    else
      fputc(text[k], out);
  }
}

static void put_prose(FILE *out, const char *text)
{
  put_text(out, text, strlen(text), false);
  fputc('\n', out);
}

static void put_typed(FILE *out, const char *text) { put_text(out, text, strlen(text), true); }

/* One sentence with a capital and a full stop, of a text that has neither. */
static void put_sentence(FILE *out, const char *text, size_t length)
{
  if (length == 0) return;
  fputc(toupper((unsigned char)text[0]), out);
  put_text(out, text + 1, length - 1, false);
  fputs(text[length - 1] == '.' ? "\n" : ".\n", out);
}

/* "ITEM\tWHAT\n..." as a section of tagged paragraphs. */
static void put_list(FILE *out, const char *heading, const char *list)
{
  if (list == NULL) return;
  fprintf(out, ".SH %s\n", heading);
  for (const char *line = list; *line != '\0'; line += strcspn(line, "\n") + 1) {
    size_t item = strcspn(line, "\t"), end = strcspn(line, "\n");
    fputs(".TP\n\\fB", out);
    put_text(out, line, item, true);
    fputs("\\fR\n", out);
    put_sentence(out, line + item + 1, end - item - 1);
  }
}

static void put_title(FILE *out, const char *page, char section, const char *summary)
{
  fprintf(out, ".\\\" Made by cli/manual from the tables of the program.\n.TH ");
  for (const char *c = page; *c != '\0'; c++) fputc(toupper((unsigned char)*c), out);
  fprintf(out, " %c %s \"sgflow %s\" \"%s\"\n.SH NAME\n", section, RELEASE_DATE, sgf_version(),
          section == '5' ? "File Formats" : "User Commands");
  put_text(out, page, strlen(page), true);
  fputs(" \\- ", out);
  put_prose(out, summary);
}

/* "one two" as sgflow-one(1), sgflow-two(1), behind what stands always. */
static void put_related(FILE *out, const char *related, bool is_command)
{
  fputs(".SH SEE ALSO\n", out);
  if (is_command) fputs(".BR sgflow (1),\n", out);
  for (const char *name = related != NULL ? related : ""; *name != '\0'; name += strspn(name, " ")) {
    size_t length = strcspn(name, " ");
    fprintf(out, ".BR sgflow\\-%.*s (1),\n", (int)length, name);
    name += length;
  }
  fputs(".BR sgflow\\-config (5)\n", out);
}

/* ------------------------------------------------------------ pages of commands */

/* The letter of an option, or 0. */
static char letter_of(const struct argp_option *option)
{
  return option->key == '?' || (option->key > 0 && option->key < 128 && isalpha(option->key)) ? (char)option->key : 0;
}

static bool is_shown(const struct argp_option *option) { return (option->flags & OPTION_HIDDEN) == 0; }

/* Whether the command cannot do without: it is in the usage without brackets. */
static bool is_required(const command *what, const struct argp_option *option)
{
  return ((what->accepts & ACCEPTS_TRAJECTORY) && strcmp(option->name, "trajectory") == 0) ||
         ((what->accepts & ACCEPTS_GRID) && strcmp(option->name, "grid") == 0);
}

static void put_option(FILE *out, const struct argp_option *option, const char *between)
{
  if (letter_of(option) != 0) fprintf(out, "\\fB\\-%c\\fR%s", letter_of(option), between);
  if (letter_of(option) != 0 && between[0] == ' ') {
    if (option->arg != NULL) fprintf(out, "\\fI%s\\fR", option->arg);
    return;
  }
  fputs("\\fB\\-\\-", out);
  put_typed(out, option->name);
  fputs("\\fR", out);
  if (option->arg != NULL) fprintf(out, "=\\fI%s\\fR", option->arg);
}

static void put_synopsis(FILE *out, const command *what, const struct argp_option *accepted, size_t count)
{
  fputs(".SH SYNOPSIS\n.nh\n.ad l\n", out);
  for (const char *form = options_arguments(what); *form != '\0';) {
    size_t length = strcspn(form, "\n");
    fprintf(out, "\\fBsgflow %s\\fR ", what->name);
    put_text(out, form, length, true);
    fputc('\n', out);
    for (size_t k = 0; k < count; k++) {
      bool required = is_required(what, &accepted[k]);
      bool told = strcmp(accepted[k].name, "factor") == 0 || strcmp(accepted[k].name, "help") == 0;
      if (!is_shown(&accepted[k]) || told) continue;
      fputs(required ? "" : "[", out);
      put_option(out, &accepted[k], " ");
      fputs(required ? "\n" : "]\n", out);
    }
    form += length;
    if (*form == '\n') {
      fputs(".br\n", out);
      form++;
    }
  }
  fputs(".ad b\n.hy\n", out);
}

static void put_options(FILE *out, const struct argp_option *accepted, size_t count)
{
  fputs(".SH OPTIONS\n", out);
  for (size_t k = 0; k < count; k++) {
    if (!is_shown(&accepted[k])) continue;
    fputs(".TP\n", out);
    put_option(out, &accepted[k], ", ");
    fputc('\n', out);
    put_sentence(out, accepted[k].doc, strlen(accepted[k].doc));
  }
}

static void put_command_page(FILE *out, const command *what)
{
  char page[64];
  struct argp_option accepted[MOST_OPTIONS];
  size_t count = options_accepted(what, accepted);
  snprintf(page, sizeof page, "sgflow-%s", what->name);
  put_title(out, page, '1', what->summary);
  put_synopsis(out, what, accepted, count);
  fputs(".SH DESCRIPTION\n", out);
  put_prose(out, what->text);
  if (what->notes != NULL) {
    fputs(".PP\n", out);
    put_prose(out, what->notes);
  }
  put_options(out, accepted, count);
  put_list(out, "EXIT STATUS", what->statuses);
  put_list(out, "FILES", what->files);
  put_list(out, "EXAMPLES", what->examples);
  put_related(out, what->related, true);
}

/* ---------------------------------------------------------- the program's page */

static void put_program_page(FILE *out)
{
  put_title(out, program.name, '1', program.summary);
  fputs(".SH SYNOPSIS\n\\fBsgflow\\fR \\fICOMMAND\\fR \\fIFILE\\fR [\\fIOPTION\\fR...]\n.br\n"
        "\\fBsgflow\\fR \\fICOMMAND\\fR \\fB\\-\\-help\\fR\n.br\n\\fBsgflow\\fR \\fB\\-\\-version\\fR\n.SH "
        "DESCRIPTION\n",
        out);
  put_prose(out, program.text);
  fputs(".SH COMMANDS\n", out);
  for (size_t k = 0; k < command_count; k++) {
    fprintf(out, ".TP\n\\fB%s\\fR\n", commands[k]->name);
    put_sentence(out, commands[k]->summary, strlen(commands[k]->summary));
  }
  fputs(".SH OPTIONS\n.TP\n\\fB\\-\\-help\\fR\nPrint the commands. Behind a command: its options.\n"
        ".TP\n\\fB\\-\\-version\\fR\nPrint the versions of sgflow and of its libraries.\n",
        out);
  put_list(out, "EXIT STATUS", program.statuses);
  put_list(out, "FILES", program.files);
  put_list(out, "EXAMPLES", program.examples);
  fputs(".SH SEE ALSO\n", out);
  for (size_t k = 0; k < command_count; k++) fprintf(out, ".BR sgflow\\-%s (1),\n", commands[k]->name);
  fputs(".BR sgflow\\-config (5)\n", out);
}

/* ----------------------------------------------------------- the config's page */

/* The default of "section.key" in the config that says nothing, or NULL: it is chosen. Caller frees. */
static char *default_of(const char *defaults, const char *name)
{
  const char *dot = strchr(name, '.');
  int section = dot != NULL ? (int)(dot - name) : 0;
  char heading[64], line[64];
  snprintf(heading, sizeof heading, "%.*s:\n", section, name);
  snprintf(line, sizeof line, dot != NULL ? "\n  %s: " : "\n%s: ", dot != NULL ? dot + 1 : name);
  const char *begin = dot != NULL ? strstr(defaults, heading) : defaults;
  const char *found = begin != NULL ? strstr(begin, line) : NULL;
  if (found == NULL) return NULL;
  found += strlen(line);
  return strndup(found, strcspn(found, "\n"));
}

static void put_key(FILE *out, const config_key *key, const char *defaults)
{
  char *value = default_of(defaults, key->name);
  const char *dot = strchr(key->name, '.');
  fputs(".TP\n\\fB", out);
  put_typed(out, dot != NULL ? dot + 1 : key->name);
  fprintf(out, "\\fR (%s", key->choices[0] == '\0' ? key->kind : "");
  for (const char *c = key->choices; *c != '\0'; c++)
    fputs(*c == '|' ? ", " : *c == '-' ? "\\-" : (char[]){*c, '\0'}, out);
  fputs(")\n", out);
  put_sentence(out, key->text, strlen(key->text));
  if (value != NULL) {
    fputs("Default: ", out);
    put_typed(out, value);
    fputs(".\n", out);
  }
  free(value);
}

static void put_config_page(FILE *out, const char *defaults)
{
  static const char *const sections[] = {"data", "network", "training", "theory", "simulation", "verify"};
  put_title(out, "sgflow-config", '5', "config of the sgflow commands");
  fputs(".SH DESCRIPTION\n", out);
  put_prose(out,
            "A config is a YAML file of sections with keys. All but network.widths may be left out. Unknown keys and "
            "values of another type are errors. Each key can be given on the command line too, after --set, as "
            "SECTION.KEY=VALUE. Paths are relative to the folder of the config.");
  for (size_t k = 0; k < sizeof sections / sizeof *sections; k++) {
    size_t length = strlen(sections[k]);
    fprintf(out, ".SH ");
    for (const char *c = sections[k]; *c != '\0'; c++) fputc(toupper((unsigned char)*c), out);
    fputc('\n', out);
    for (size_t key = 0; key < config_key_count; key++)
      if (strncmp(config_keys[key].name, sections[k], length) == 0 && config_keys[key].name[length] == '.')
        put_key(out, &config_keys[key], defaults);
  }
  fputs(".SH OUTSIDE OF THE SECTIONS\n", out);
  for (size_t key = 0; key < config_key_count; key++)
    if (strchr(config_keys[key].name, '.') == NULL) put_key(out, &config_keys[key], defaults);
  fputs(
      ".SH EXAMPLES\n.nf\nnetwork:\n  widths: [20, 20, 20]\ntraining:\n  learning_rate: 0.01\n  batch_size: 20\n.fi\n"
      ".SH SEE ALSO\n.BR sgflow (1)\n",
      out);
}

/* --------------------------------------------------------------- the completion */

/* What an option takes: "file", "folder", "key", "method", or "number" for what is not completed. */
static const char *kind_of(const struct argp_option *option)
{
  if (strcmp(option->arg, "FILE") == 0) return "file";
  if (strcmp(option->arg, "DIR") == 0) return "folder";
  if (strncmp(option->arg, "KEY=", 4) == 0) return "key";
  return strcmp(option->name, "method") == 0 ? "method" : "number";
}

/* Functions of bash that set `reply`: of the options of a command, what an option takes, the values of a key. */
static void put_tables(FILE *out)
{
  struct argp_option accepted[MOST_OPTIONS];
  fputs("_sgflow_commands() { reply=\"", out);
  for (size_t k = 0; k < command_count; k++) fprintf(out, "%s ", commands[k]->name);
  fputs("--help --version\"; }\n\n_sgflow_options() {\n  case $1 in\n", out);
  for (size_t k = 0; k < command_count; k++) {
    size_t count = options_accepted(commands[k], accepted);
    fprintf(out, "    %s) reply=\"", commands[k]->name);
    for (size_t option = 0; option < count; option++) {
      if (!is_shown(&accepted[option])) continue;
      if (isalpha(letter_of(&accepted[option]))) fprintf(out, "-%c ", accepted[option].key);
      fprintf(out, "--%s%s ", accepted[option].name, accepted[option].arg != NULL ? "=" : "");
    }
    fputs("\" ;;\n", out);
  }
  fputs("    *) reply=\"\" ;;\n  esac\n}\n\n_sgflow_takes() {\n  case $1,$2 in\n", out);
  for (size_t k = 0; k < command_count; k++) {
    size_t count = options_accepted(commands[k], accepted);
    for (size_t option = 0; option < count; option++) {
      if (!is_shown(&accepted[option]) || accepted[option].arg == NULL) continue;
      if (isalpha(letter_of(&accepted[option])))
        fprintf(out, "    %s,-%c) reply=file ;;\n", commands[k]->name, accepted[option].key);
      fprintf(out, "    %s,--%s) reply=%s ;;\n", commands[k]->name, accepted[option].name,
              kind_of(&accepted[option]));
    }
    unsigned accepts = commands[k]->accepts;
    fprintf(out, "    %s,argument) reply=%s ;;\n", commands[k]->name,
            accepts & ACCEPTS_EQUATION ? "system"
            : accepts & ACCEPTS_FOLDER ? "folder"
                                       : "config");
  }
  fputs("    *) reply=\"\" ;;\n  esac\n}\n\n", out);
}

static void put_values(FILE *out)
{
  fputs("_sgflow_methods() { reply=\"", out);
  for (int k = SGF_METHOD_AUTO; k <= SGF_METHOD_LOW_RANK; k++) fprintf(out, "%s ", sgf_method_text((sgf_method)k));
  fputs("\"; }\n\n_sgflow_keys() { reply=\"", out);
  for (size_t k = 0; k < config_key_count; k++) fprintf(out, "%s= ", config_keys[k].name);
  fputs("\"; }\n\n_sgflow_values() {\n  case $1 in\n", out);
  for (size_t k = 0; k < config_key_count; k++) {
    const config_key *key = &config_keys[k];
    bool flag = strcmp(key->kind, "true or false") == 0;
    if (key->choices[0] == '\0' && !flag) continue;
    fprintf(out, "    %s) reply=\"", key->name);
    for (const char *c = flag ? "true|false" : key->choices; *c != '\0'; c++) fputc(*c == '|' ? ' ' : *c, out);
    fputs("\" ;;\n", out);
  }
  fputs("    *) reply=\"\" ;;\n  esac\n}\n", out);
}

/* ------------------------------------------------------------------------ files */

static FILE *create(const char *folder, const char *page, char section)
{
  char path[4096];
  snprintf(path, sizeof path, "%s/%s.%c", folder, page, section);
  FILE *out = fopen(path, "w");
  if (out == NULL) perror(path);
  return out;
}

static bool complete(FILE *out)
{
  bool written = !ferror(out);
  return fclose(out) == 0 && written;
}

static bool write_pages(const char *folder, const char *defaults)
{
  char page[64];
  FILE *out = create(folder, program.name, '1');
  if (out == NULL) return false;
  put_program_page(out);
  bool written = complete(out);
  for (size_t k = 0; k < command_count && written; k++) {
    snprintf(page, sizeof page, "sgflow-%s", commands[k]->name);
    out = create(folder, page, '1');
    if (out == NULL) return false;
    put_command_page(out, commands[k]);
    written = complete(out);
  }
  out = written ? create(folder, "sgflow-config", '5') : NULL;
  if (out == NULL) return false;
  put_config_page(out, defaults);
  return complete(out);
}

int main(int argc, char **argv)
{
  sgf_settings settings;
  sgf_settings_init(&settings);
  char *defaults = config_text(&settings, NULL);
  bool written = defaults != NULL;
  if (argc > 1) {
    written = written && write_pages(argv[1], defaults);
  } else {
    put_tables(stdout);
    put_values(stdout);
    written = written && fflush(stdout) == 0 && !ferror(stdout);
  }
  free(defaults);
  sgf_settings_free(&settings);
  return written ? 0 : 1;
}
