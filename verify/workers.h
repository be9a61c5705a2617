/* Simulations in many processes. Process 0 is the program; the others, its workers, hold the same problem and the same
 * simulation, obey its orders, and run the replicas of their own rows. All see the same waves, and whatever the next step
 * depends on is agreed on by all, so that nobody waits for one who is gone. */
#ifndef SGF_WORKERS_H
#define SGF_WORKERS_H

#include "ranks.h"
#include "simulation.h"

typedef enum {
  SGF_ORDER_CREATE,
  SGF_ORDER_RUN,     /* numbers: replicas, threads */
  SGF_ORDER_FOLLOW,  /* numbers: directions */
  SGF_ORDER_END,     /* with the complete replicas */
  SGF_ORDER_COLLECT, /* rows and runs under way to process 0 */
  SGF_ORDER_DISTRIBUTE,
  SGF_ORDER_FREE,
  SGF_ORDER_DISMISS
} sgf_order_kind;

/* Process 0 of a simulation in many processes: the workers call the function of the order. Otherwise nothing. */
void sgf_workers_order(const sgf_simulation *simulation, sgf_order_kind kind, size_t replicas, int threads);

/* After a simulation was made here with this status: process 0 has the workers make theirs, if they have none yet; sets
 * simulation->ranks. Returns a failure of any process on all. */
sgf_status sgf_workers_join(sgf_simulation *simulation, sgf_status status, sgf_error *error);
/* The simulation is freed: the workers can have another. */
void sgf_workers_leave(sgf_simulation *simulation);

/* Whether this process is the one that has all results. */
bool sgf_workers_lead(const sgf_simulation *simulation);

/* The process that runs the replicas of a row. */
size_t sgf_workers_owner(const sgf_simulation *simulation, size_t row);
/* Whether run k of the wave belongs here. */
bool sgf_workers_own(const sgf_simulation *simulation, size_t k);

/* As sgf_ranks_least and sgf_ranks_agree, among the processes of the simulation. */
void sgf_workers_least(const sgf_simulation *simulation, uint64_t *numbers, size_t count);
sgf_status sgf_workers_agree(const sgf_simulation *simulation, sgf_status status, sgf_error *error);

/* The rows of all parts, to process 0. */
void sgf_workers_gather(const sgf_simulation *simulation);

/* Rows and runs under way to process 0, which then has all of the wave. Errors: SGF_ERROR_MEMORY, on all. */
sgf_status sgf_workers_collect(sgf_simulation *simulation, sgf_error *error);
/* The other way, after process 0 read a checkpoint. */
sgf_status sgf_workers_distribute(sgf_simulation *simulation, sgf_error *error);

#endif
