/* Many processes: MPI's begin and end, which are the program's. */
#ifndef SGFLOW_PROCESSES_H
#define SGFLOW_PROCESSES_H

#include <stdbool.h>

/* Begin MPI where a launcher (mpirun, srun) started this process as one of several; otherwise, and when built without MPI,
 * do nothing. Returns whether this process is the program, process 0 or the only one: the others are to call
 * processes_work. Exits after an error. The end is at exit. */
bool processes_begin(int *argc, char ***argv);

/* Run the replicas that process 0 asks for, until it ends; returns the exit status. SIGINT, SIGTERM and SIGUSR2 interrupt the
 * simulation in all processes. */
int processes_work(void);

#endif
