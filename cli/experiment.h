/* The simulation stage of a command: checkpoints, budgets, signals, and looks at a growing ensemble. */
#ifndef SGFLOW_EXPERIMENT_H
#define SGFLOW_EXPERIMENT_H

#include "job.h"

/* Begin the simulation, or with --resume continue that of the checkpoint; refuse to begin where the checkpoint of an
 * unfinished run lies. Sets job->simulation and job->plan. */
sgf_status experiment_open(job *run);

/* Run until the ensemble of the plan is complete, or the budget is spent: sets job->ensemble. Writes checkpoints every
 * so often, on SIGUSR1, and when a signal ends the run (SGF_ERROR_INTERRUPTED, job->checkpointed). */
sgf_status experiment_simulate(job *run);

/* The same, compared; and while a quantity is open again, of twice as many replicas: until a budget is spent, or without
 * one plan->looks times at most and only while that may decide it. Sets job->comparison, and why it ended there. */
sgf_status experiment_verify(job *run);

/* The outputs are there: the checkpoint is not needed any more. */
void experiment_complete(job *run);

#endif
