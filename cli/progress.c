/* The progress line, and the wish of the user to stop. */
#include "progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t caught, waiting, checkpoint_wanted;
static volatile time_t caught_at;
static double began = -1.0, drawn;

static void die_of(int signal_number)
{
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

/* In a stage that looks at the signal or must clean up it is remembered; elsewhere (linear algebra of any length) the
 * program ends at once. A second one, more than a second later, is always deadly: timeout(1) and terminals send one to
 * the process and to its group at the same time, and that is one wish, not two. */
static void remember(int signal_number)
{
  static const char message[] = "sgflow: interrupted\n";
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  if (!waiting) {
    if (write(STDERR_FILENO, message, sizeof message - 1) < 0) die_of(signal_number);
    die_of(signal_number);
  }
  if (caught != 0 && time.tv_sec > caught_at + 1) die_of(signal_number);
  if (caught == 0) caught_at = time.tv_sec;
  caught = signal_number;
}

static void want_checkpoint(int signal_number)
{
  (void)signal_number;
  checkpoint_wanted = 1;
}

bool progress_checkpoint_wanted(void)
{
  bool wanted = checkpoint_wanted != 0;
  checkpoint_wanted = 0;
  return wanted;
}

void progress_wait_for_stages(bool wait) { waiting = wait; }

void progress_catch_signals(void)
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART; /* a checkpoint that is being written is written */
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGUSR2, &action, NULL); /* mpirun forwards it, but kills after the others */
  action.sa_handler = want_checkpoint;
  sigaction(SIGUSR1, &action, NULL);
  signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error of writing */
}

int progress_signal(void) { return caught; }

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

bool progress_show(void *context, double done, double total)
{
  double time = now();
  (void)context;
  if (began < 0.0) began = time;
  if (caught == 0 && time - began > 0.5 && time - drawn > 0.2 && isatty(STDERR_FILENO)) {
    double rate = done / (time - began + 1e-9);
    fprintf(stderr, "\rsgflow: simulating %5.1f %%  %.3g replica-steps/s  %.0f s left \033[K", 100.0 * done / total,
            rate, (total - done) / rate);
    drawn = time;
  }
  return caught == 0;
}

void progress_end(void)
{
  if (drawn > 0.0) fputs("\r\033[K", stderr);
  drawn = 0.0;
  began = -1.0;
}
