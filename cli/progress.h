/* The progress line, and the wish of the user to stop. */
#ifndef SGFLOW_PROGRESS_H
#define SGFLOW_PROGRESS_H

#include <stdbool.h>

/* Catch SIGINT, SIGTERM and SIGUSR2. They end the program at once, with a message, unless it waits for its stages: then
 * they are remembered, and deadly when repeated more than a second later. SIGUSR1 is the wish for a checkpoint; beyond a
 * limit on the size of files writing fails. */
void progress_catch_signals(void);
void progress_wait_for_stages(bool wait);

/* The signal that was caught, 0 for none. */
int progress_signal(void);

/* Whether SIGUSR1 asked for a checkpoint since the last call. */
bool progress_checkpoint_wanted(void);

/* A sgf_progress: draws rate and time left on stderr when it is a terminal. context is unused. */
bool progress_show(void *context, double done, double total);

/* Erase the line. */
void progress_end(void);

#endif
