/* The simulation stage of a command: checkpoints, budgets, signals, and looks at a growing ensemble. */
#include "experiment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "config.h"
#include "progress.h"

/* Seconds between checkpoints, when nobody says. */
static const double CHECKPOINT_INTERVAL = 300.0;
/* The estimate of how many replicas would decide is good to about this factor: look again if they may be within the
 * limit. */
static const double SLACK = 2.0;

/* Why the simulation was left. */
typedef enum { NOTHING, CHECKPOINT_DUE, BUDGET_SPENT, SIGNALLED } pause_reason;

typedef struct {
  job *run;
  pause_reason reason;
  double began, saved; /* seconds */
  size_t rounds;       /* in which a checkpoint was due */
  bool wanted;         /* a checkpoint, by SIGUSR1 */
  bool spent;          /* the budget: no more replicas */
} experiment;

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static bool file_exists(const char *path, const char *suffix)
{
  char name[4096];
  snprintf(name, sizeof name, "%s%s", path, suffix);
  return access(name, F_OK) == 0;
}

/* ----------------------------------------------------------------------- open */

static bool is_unfinished(const job *run)
{
  return file_exists(run->checkpoint, "") || file_exists(run->checkpoint, ".old");
}

/* A run that nobody continues is not overwritten. */
static sgf_status refuse_unfinished(job *run)
{
  if (!is_unfinished(run)) return SGF_OK;
  snprintf(run->error.message, sizeof run->error.message,
           "%s: the checkpoint of an unfinished run is there: --resume continues it, and when it is removed the run "
           "begins anew",
           run->checkpoint);
  return run->error.status = SGF_ERROR_CREATE;
}

/* Write its weights as they go, if asked to. */
static sgf_status record(job *run)
{
  const options *asked = run->asked;
  if (asked->record == NULL) return SGF_OK;
  char *config = config_text(sgf_problem_settings(run->problem), &run->plan);
  char *line = options_text(run->what, asked);
  sgf_provenance provenance = {.config = config, .command = line, .threads = run->threads, .request = run->request};
  bool complete = config != NULL && line != NULL;
  sgf_status status = sgf_simulation_record(run->simulation, asked->record, asked->record_every,
                                            complete ? &provenance : NULL, &run->error);
  free(config);
  free(line);
  return status;
}

/* A new simulation, on the prediction's directions if it has some, else with its slowest modes followed. */
static sgf_status begin(job *run)
{
  size_t count, slow;
  const double *directions = sgf_prediction_directions(run->prediction, &count), *modes;
  sgf_status status = count == 0 ? sgf_simulation_create(run->problem, &run->plan, &run->simulation, &run->error)
                                 : sgf_simulation_create_on(run->problem, &run->plan, count, directions,
                                                            &run->simulation, &run->error);
  slow = sgf_prediction_slow_modes(run->prediction, SGF_SLOW_MODES, &modes);
  if (status == SGF_OK && count == 0 && slow > 0)
    status = sgf_simulation_follow(run->simulation, slow, modes, &run->error);
  return status == SGF_OK ? record(run) : status;
}

/* What a killed run had begun to write; nobody else writes it now. */
static void remove_unfinished(const char *checkpoint)
{
  char name[4096];
  struct stat properties;
  int length = snprintf(name, sizeof name, "%s.new", checkpoint);
  if (length < (int)sizeof name && lstat(name, &properties) == 0 && S_ISREG(properties.st_mode)) unlink(name);
}

static sgf_status resume(job *run)
{
  char fallback[SGF_MESSAGE_LENGTH];
  sgf_status status =
      sgf_simulation_load(run->problem, run->checkpoint, run->request, &run->simulation, fallback, &run->error);
  if (status == SGF_ERROR_NO_INPUT) {
    fprintf(stderr, "sgflow: %s: no checkpoint, the run begins anew\n", run->checkpoint);
    return begin(run);
  }
  if (status != SGF_OK) return status;
  remove_unfinished(run->checkpoint);
  run->damaged = fallback[0] != '\0';
  if (run->damaged) fprintf(stderr, "sgflow: warning: %s; the older checkpoint is continued\n", fallback);
  run->plan = *sgf_simulation_plan(run->simulation);
  return SGF_OK;
}

/* Two runs would write over each other's checkpoints: the later one has none, or, if asked for one, is refused. */
static sgf_status lock_checkpoint(job *run)
{
  const options *asked = run->asked;
  bool busy;
  sgf_status status = lock_take(run->checkpoint, &run->lock, &busy, &run->error);
  if (status != SGF_OK || !busy) return status;
  if (asked->checkpoint != NULL || asked->resume) {
    snprintf(run->error.message, sizeof run->error.message, "%s: another run has this checkpoint now",
             run->checkpoint);
    return run->error.status = SGF_ERROR_CREATE;
  }
  fprintf(stderr, "sgflow: warning: %s: another run has this checkpoint now, this one writes none\n",
          run->checkpoint);
  free(run->checkpoint);
  run->checkpoint = NULL;
  return SGF_OK;
}

/* Better to fail now than at the first checkpoint. */
static sgf_status check_place(job *run)
{
  struct stat properties;
  if (stat(run->checkpoint, &properties) == 0 && !S_ISREG(properties.st_mode)) {
    snprintf(run->error.message, sizeof run->error.message, "%s: cannot be a checkpoint, it is no regular file",
             run->checkpoint);
    return run->error.status = SGF_ERROR_CREATE;
  }
  return sgf_check_output(run->checkpoint, &run->error);
}

sgf_status experiment_open(job *run)
{
  const options *asked = run->asked;
  sgf_status status = run->checkpoint != NULL ? lock_checkpoint(run) : SGF_OK;
  if (status == SGF_OK && run->checkpoint != NULL) {
    status = check_place(run);
    if (status == SGF_OK && (asked->resume || (asked->continues && is_unfinished(run)))) return resume(run);
    if (status == SGF_OK) status = refuse_unfinished(run);
  }
  return status == SGF_OK ? begin(run) : status;
}

/* ------------------------------------------------------------------------ run */

/* Whether the simulation goes on; if not, why. */
static bool go_on(void *context, double done, double total)
{
  experiment *made = context;
  const options *asked = made->run->asked;
  double time = now(), interval = asked->checkpoint_every > 0.0 ? asked->checkpoint_every : CHECKPOINT_INTERVAL;
  if (progress_checkpoint_wanted()) made->wanted = true;
  bool due = made->wanted || time - made->saved > interval;
  made->reason = NOTHING;
  /* not in two rounds in a row: in between another process can say why it stops */
  if (made->run->checkpoint != NULL && due && ++made->rounds > 1) made->reason = CHECKPOINT_DUE;
  if (!made->spent && asked->most_seconds > 0.0 && time - made->began > asked->most_seconds)
    made->reason = BUDGET_SPENT;
  if (!progress_show(NULL, done, total)) made->reason = SIGNALLED;
  return made->reason == NOTHING;
}

static sgf_status save(experiment *made)
{
  job *run = made->run;
  sgf_status status = sgf_simulation_save(run->simulation, run->checkpoint, run->request, &run->error);
  made->saved = now();
  made->rounds = 0;
  made->wanted = false;
  return status;
}

/* A signal ends the run: with a checkpoint, if one has a place. */
static sgf_status stop(experiment *made)
{
  job *run = made->run;
  progress_end();
  sgf_status status = run->checkpoint != NULL ? save(made) : SGF_OK;
  if (status != SGF_OK) return status;
  run->checkpointed = run->checkpoint != NULL;
  if (run->checkpointed)
    snprintf(run->error.message, sizeof run->error.message, "stopped; %s has all of it, --resume continues",
             run->checkpoint);
  else
    snprintf(run->error.message, sizeof run->error.message, "interrupted in the simulation");
  return run->error.status = SGF_ERROR_INTERRUPTED;
}

/* The time is over: what is complete is the ensemble. With nothing complete it is a stop like any other. */
static sgf_status run_to(experiment *made, size_t replicas);

static sgf_status end(experiment *made)
{
  job *run = made->run;
  size_t replicas;
  made->spent = true;
  sgf_status status = sgf_simulation_end(run->simulation, &replicas, &run->error);
  if (status == SGF_ERROR_INTERRUPTED) {
    status = run_to(made, 0); /* the runs under way alone */
    if (status == SGF_OK) status = sgf_simulation_end(run->simulation, &replicas, &run->error);
  }
  if (status == SGF_ERROR_VALUE && run->checkpoint != NULL) return stop(made);
  if (status == SGF_ERROR_VALUE)
    snprintf(run->error.message, sizeof run->error.message,
             "--max-time is %g: it was over before a replica was complete", run->asked->most_seconds);
  return status;
}

/* Until so many replicas are complete, or the budget is spent. */
static sgf_status run_to(experiment *made, size_t replicas)
{
  job *run = made->run;
  for (;;) {
    sgf_status status = sgf_simulation_run(run->simulation, replicas, run->threads, go_on, made, &run->error);
    if (status != SGF_ERROR_INTERRUPTED) return status;
    if (made->reason == SIGNALLED || made->reason == NOTHING) return stop(made); /* NOTHING: by another process */
    if (made->reason == BUDGET_SPENT) return end(made);
    status = save(made);
    if (status != SGF_OK) return status;
  }
}

/* Replicas that --max-steps pays for. */
static size_t affordable(const job *run)
{
  const sgf_settings *settings = sgf_problem_settings(run->problem);
  bool apart = settings->simulation.uncoupled && settings->network.width_count > 2;
  double parts = apart ? (double)settings->network.width_count : 1.0;
  double steps = parts * (double)(run->plan.burn_in_steps + run->plan.window_steps);
  if (!(run->asked->most_steps > 0.0)) return SIZE_MAX;
  return (size_t)fmin(run->asked->most_steps / steps, 1e15);
}

static sgf_status check_budget(job *run)
{
  if (affordable(run) > 0) return SGF_OK;
  snprintf(run->error.message, sizeof run->error.message,
           "--max-steps is %g: one replica takes %zu steps, and as many for each layer alone", run->asked->most_steps,
           run->plan.burn_in_steps + run->plan.window_steps);
  return run->error.status = SGF_ERROR_VALUE;
}

/* The ensemble of one look, limited by the budget. */
static sgf_status take_look(experiment *made, size_t replicas)
{
  job *run = made->run;
  size_t most = affordable(run), complete;
  progress_wait_for_stages(true);
  sgf_status status = run_to(made, replicas < most ? replicas : most);
  if (status == SGF_OK && progress_signal() != 0) status = stop(made);
  if (status == SGF_OK && most < replicas && !made->spent)
    status = sgf_simulation_end(run->simulation, &complete, &run->error);
  progress_end();
  progress_wait_for_stages(false);
  if (replicas >= most) made->spent = true;
  if (status == SGF_OK) run->ensemble = sgf_simulation_ensemble(run->simulation);
  return status;
}

sgf_status experiment_simulate(job *run)
{
  experiment made = {.run = run, .began = now(), .saved = now()};
  sgf_status status = check_budget(run);
  return status == SGF_OK ? take_look(&made, run->plan.replicas) : status;
}

static bool has_budget(const job *run) { return run->asked->most_seconds > 0.0 || run->asked->most_steps > 0.0; }

/* Whether another look is taken, and if not though something is open, why: with a budget until it is spent; without one
 * while the plan has a look left that may decide. */
static bool wants_more(const experiment *made, size_t replicas)
{
  job *run = made->run;
  const sgf_comparison_info *info = sgf_comparison_get_info(run->comparison);
  size_t looks = run->plan.looks, last = looks > 1 ? run->plan.replicas << (looks - 1) : replicas;
  if (info->inconclusive == 0) return false;
  run->stopped_by = looks > 1 ? STOPPED_BUDGET : STOPPED_GIVEN;
  if (made->spent || looks <= 1) return false;
  if (has_budget(run)) return replicas <= SIZE_MAX / 4;
  run->most_replicas = last;
  run->stopped_by = replicas >= last ? STOPPED_LIMIT : STOPPED_HOPELESS;
  return replicas < last && info->replicas_needed <= SLACK * (double)last;
}

sgf_status experiment_verify(job *run)
{
  experiment made = {.run = run, .began = now(), .saved = now()};
  sgf_status status = check_budget(run);
  size_t complete = sgf_simulation_replicas(run->simulation), replicas = run->plan.replicas;
  while (replicas < complete) replicas *= 2; /* looks before the checkpoint wanted more */
  while (status == SGF_OK) {
    status = take_look(&made, replicas);
    if (status != SGF_OK || job_is_unstable(run)) break;
    status = job_compare(run);
    if (status != SGF_OK || !wants_more(&made, replicas)) break;
    sgf_comparison_free(run->comparison);
    run->comparison = NULL;
    replicas *= 2;
  }
  return status;
}

void experiment_complete(job *run)
{
  struct stat properties;
  if (run->checkpoint == NULL) return;
  sgf_simulation_forget(run->checkpoint);
  if (run->damaged && lstat(run->checkpoint, &properties) == 0 && S_ISREG(properties.st_mode))
    unlink(run->checkpoint);
}
