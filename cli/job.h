/* The stages of a command: config, problem, prediction, experiment, comparison, outputs. */
#ifndef SGFLOW_JOB_H
#define SGFLOW_JOB_H

#include "lock.h"
#include "options.h"
#include "sgflow.h"

/* Why a comparison that leaves something open is the last one. */
typedef enum {
  STOPPED_GIVEN,   /* the replicas are given */
  STOPPED_BUDGET,  /* --max-time or --max-steps is spent */
  STOPPED_LIMIT,   /* so many as are simulated without a budget */
  STOPPED_HOPELESS /* these would not do */
} stop_reason;

typedef struct job {
  const command *what;
  const options *asked;
  sgf_costs costs; /* of the ways to predict */
  sgf_problem *problem;
  sgf_prediction *prediction;
  sgf_plan plan;
  bool planned;
  sgf_simulation *simulation;
  const sgf_ensemble *ensemble; /* of the simulation, or `recorded` */
  sgf_ensemble *recorded;
  size_t recorded_replicas, recorded_snapshots; /* in the trajectory that was written */
  sgf_comparison *comparison;
  stop_reason stopped_by;
  size_t most_replicas;             /* that are simulated without a budget */
  char *config, *command, *request; /* provenance */
  char *checkpoint;                 /* path, NULL: none are written */
  run_lock lock;                    /* on the checkpoint */
  bool damaged;                     /* the newer checkpoint was, and the older one is continued */
  bool checkpointed;                /* the run was stopped, and can be continued */
  int threads;
  sgf_error error;
} job;

/* Say what the ways to predict would take, and which is chosen. */
sgf_status job_print_costs(job *run);
/* Refuse, with the numbers, what does not fit into the machine. */
sgf_status job_check_costs(job *run);

/* Each stage returns SGF_OK, or a status with job->error filled; SGF_ERROR_INTERRUPTED after a signal. */
sgf_status job_open(job *run, const command *what, const options *asked); /* outputs checked, config, problem; with
                                                                             --plan the config alone */
sgf_status job_predict(job *run);
sgf_status job_predict_runs(job *run); /* what the planned runs show of all weights, where it is known */
sgf_status job_plan(job *run);
sgf_status job_simulate(job *run); /* to the plan's replicas, or what the budget allows */
sgf_status job_look(job *run);     /* the same and compared, with more replicas while something is open */
sgf_status job_read_trajectory(job *run);
sgf_status job_compare(job *run);
/* Whether the learning rate is beyond the stability limit, where there is nothing to compare with (--force). */
bool job_is_unstable(const job *run);
/* Print the table or the JSON, then write the outputs; with_theory says whether the prediction belongs to them. */
sgf_status job_finish(job *run, bool with_theory);

/* All stages of `sgflow verify`; to be closed afterwards. */
sgf_status job_verify(job *run, const options *asked);

/* Whether two names are the same existing file, or the same text; NULL is no file. */
bool job_same_file(const char *one, const char *other);

/* Exit status of the contract. */
int job_exit_status(sgf_status status);

/* Free everything; report a failure on stderr; return the exit status of the contract. */
int job_close(job *run, sgf_status status);

#endif
