/* sgflow: the program. Chooses the command and sets what only a program may set. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "processes.h"
#include "progress.h"
#include "sgflow.h"

enum { EXIT_USAGE = 64 };

static void print_help(FILE *out)
{
  fprintf(out, "Usage: sgflow COMMAND [FILE] [OPTION...]\n%s\n\nCommands:\n", program.text);
  for (size_t k = 0; k < command_count; k++) fprintf(out, "  %-10s %s\n", commands[k]->name, commands[k]->summary);
  fputs("\n  sgflow COMMAND --help   the options of a command\n"
        "  sgflow --help           this help\n"
        "  sgflow --version        versions of sgflow and of its libraries\n\nExit status:\n",
        out);
  for (const char *line = program.statuses; *line != '\0'; line += strcspn(line, "\n") + 1)
    fprintf(out, "  %.*s\n", (int)strcspn(line, "\n"), line);
}

static void print_version(void)
{
  char libraries[512];
  sgf_libraries(libraries, sizeof libraries);
  printf("sgflow %s\n%s\n", sgf_version(), libraries);
}

static const command *find_command(const char *name)
{
  for (size_t k = 0; k < command_count; k++)
    if (strcmp(commands[k]->name, name) == 0) return commands[k];
  return NULL;
}

static void print_unknown(const char *name)
{
  fprintf(stderr, "sgflow: unknown command '%s', there are", name);
  for (size_t k = 0; k < command_count; k++) fprintf(stderr, "%s %s", k > 0 ? "," : "", commands[k]->name);
  fputs("\n", stderr);
}

static int finish_output(void)
{
  if (fflush(stdout) == 0 && !ferror(stdout)) return 0;
  fputs("sgflow: standard output: cannot be written\n", stderr);
  return 74;
}

static int run_command(const command *what, int argc, char **argv)
{
  static char name[] = "sgflow"; /* what argp's messages begin with */
  options asked;
  argv[0] = name;
  options_parse(what, argc, argv, &asked);
  int code = what->run(&asked);
  options_free(&asked);
  return code;
}

/* A standard stream that the caller closed must not become the number of the next file that is opened, to which messages
 * would go: they fail instead. */
static void occupy_standard_streams(void)
{
  int descriptor;
  do descriptor = open("/dev/null", O_RDONLY);
  while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor > STDERR_FILENO) close(descriptor);
}

int main(int argc, char **argv)
{
  occupy_standard_streams();
  bool leads = processes_begin(&argc, &argv);
  progress_catch_signals();
  sgf_process_init();
  if (!leads) return processes_work();
  const char *first = argc > 1 ? argv[1] : "";
  const command *what = find_command(first);
  if (what != NULL) return run_command(what, argc - 1, argv + 1);
  if (strcmp(first, "--help") == 0 || strcmp(first, "--usage") == 0 || strcmp(first, "help") == 0) {
    print_help(stdout);
    return finish_output();
  }
  if (strcmp(first, "--version") == 0) {
    print_version();
    return finish_output();
  }
  if (argc < 2)
    fputs("sgflow: a command is expected\n", stderr);
  else
    print_unknown(first);
  fputs("Try `sgflow --help' for more information.\n", stderr);
  return EXIT_USAGE;
}
