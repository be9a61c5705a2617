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

/* Copy from the <svg> element on: the XML prologue has no place inside HTML. */
static bool copy_svg(FILE *picture, FILE *out)
{
  char line[4096];
  bool inside = false;
  rewind(picture);
  while (fgets(line, sizeof line, picture) != NULL) {
    inside = inside || strncmp(line, "<svg", 4) == 0;
    if (inside) fputs(line, out);
  }
  return inside;
}

void sgf_plot(const char *script, FILE *out, bool *drawn)
{
  FILE *input = tmpfile(), *picture = tmpfile();
  *drawn = false;
  if (input != NULL && picture != NULL && fputs(script, input) >= 0 && fflush(input) == 0) {
    rewind(input);
    *drawn = run_gnuplot(input, picture) && copy_svg(picture, out);
  }
  if (input != NULL) fclose(input);
  if (picture != NULL) fclose(picture);
}
