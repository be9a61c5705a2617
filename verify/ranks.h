/* Processes that work together: the one place that knows MPI. Built without it, or not opened, there is one process. */
#ifndef SGF_RANKS_H
#define SGF_RANKS_H

#include "../theory/status.h"

/* Take the processes of MPI_COMM_WORLD, by a communicator of one's own; MPI must have been initialized by the program. By
 * all processes. Errors: SGF_ERROR_UNSUPPORTED built without MPI, SGF_ERROR_VALUE when MPI is not initialized. */
sgf_status sgf_ranks_open(sgf_error *error);
/* There is one process again. By all processes. */
void sgf_ranks_close(void);

/* How many processes there are, 1 unless opened, and which one this is, from 0. */
size_t sgf_ranks_count(void);
size_t sgf_ranks_index(void);

/* The functions below are called by all processes together; an error in MPI itself ends the job, as MPI's default is. */

/* Everybody gets the bytes of process 0. */
void sgf_ranks_broadcast(void *bytes, size_t size);

/* The same, for what may be long in coming: who waits for it sleeps, and leaves the processor to others. */
void sgf_ranks_await(void *bytes, size_t size);

/* numbers (count): each becomes the least of all processes. */
void sgf_ranks_least(uint64_t *numbers, size_t count);

/* Returns SGF_OK if all have it; otherwise the failure of the first process that failed, on all, with its message. */
sgf_status sgf_ranks_agree(sgf_status status, sgf_error *error);

/* From one process to another, of which each calls one of these. */
void sgf_ranks_send(size_t to, const void *bytes, size_t size);
void sgf_ranks_receive(size_t from, void *bytes, size_t size);

#endif
