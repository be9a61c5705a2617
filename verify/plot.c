/* Figures by gnuplot, run as a child process. */
#include "plot.h"

#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* gnuplot with its script on standard input, SVG to `picture`, complaints nowhere; its success. Files, not pipes:
 * nothing can block. */
static bool run_gnuplot(FILE *script, FILE *picture)
{
  char *const arguments[] = {"gnuplot", "-", NULL};
  posix_spawn_file_actions_t actions;
  pid_t child;
  int outcome = -1;
  if (posix_spawn_file_actions_init(&actions) != 0) return false;
  bool prepared = posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO) == 0 &&
                  posix_spawn_file_actions_adddup2(&actions, fileno(picture), STDOUT_FILENO) == 0 &&
                  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0) == 0;
  bool started = prepared && posix_spawnp(&child, "gnuplot", &actions, NULL, arguments, environ) == 0;
  posix_spawn_file_actions_destroy(&actions);
  return started && waitpid(child, &outcome, 0) == child && WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0;
}

/* Copy the picture; SVG from its element on: the XML prologue has no place inside HTML. */
static bool copy_picture(FILE *picture, bool element_only, FILE *out)
{
  char line[4096];
  bool inside = !element_only;
  size_t length;
  rewind(picture);
  if (element_only) {
    while (!inside && fgets(line, sizeof line, picture) != NULL) inside = strncmp(line, "<svg", 4) == 0;
    if (inside) fputs(line, out);
  }
  while (inside && (length = fread(line, 1, sizeof line, picture)) > 0) fwrite(line, 1, length, out);
  return inside;
}

static void plot(const char *script, bool element_only, FILE *out, bool *drawn)
{
  FILE *input = tmpfile(), *picture = tmpfile();
  *drawn = false;
  if (input != NULL && picture != NULL && fputs(script, input) >= 0 && fflush(input) == 0) {
    rewind(input);
    *drawn = run_gnuplot(input, picture) && copy_picture(picture, element_only, out);
  }
  if (input != NULL) fclose(input);
  if (picture != NULL) fclose(picture);
}

void sgf_plot(const char *script, FILE *out, bool *drawn) { plot(script, true, out, drawn); }

void sgf_plot_whole(const char *script, FILE *out, bool *drawn) { plot(script, false, out, drawn); }
