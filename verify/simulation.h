/* A simulation in flight: what is complete, and the runs that are under way. */
#ifndef SGF_SIMULATION_H
#define SGF_SIMULATION_H

#include "ensemble.h"
#include "recording.h"
#include "sgd.h"

/* One run under way. All of its past is in its SGD, its accumulator and the row of its replica. */
typedef struct sgf_run {
  sgf_sgd sgd;
  sgf_accumulator accumulator;
  size_t replica;
  size_t points;     /* of the balance, recorded */
  double *balance;   /* room for that of one hidden layer */
  double *theta;     /* (n), room for the weights */
  double *deviation; /* (n), room for theta - theta*, of ensembles on directions */
  bool diverged;
} sgf_run;

/* The runs of all layers, or of one layer alone. */
typedef struct sgf_part {
  sgf_engine *engine;
  sgf_ensemble *ensemble;
  size_t complete; /* replicas 0 ... complete - 1 have run */
} sgf_part;

/* Replicas run in waves: so many at a time, all at the same step, each by itself. What a run
 * does depends on nothing but problem, plan and replica, so that neither threads nor the size of waves nor where a
 * quantum ends change a bit. */
struct sgf_simulation {
  const sgf_problem *problem;
  sgf_plan plan;
  size_t parts; /* 1, or 1 + layers with simulation.uncoupled */
  sgf_part *part;
  double *balance;          /* (balance_size of the ensemble), at theta* */
  double bound;             /* on |theta - theta*|, beyond it a run has diverged */
  size_t active;            /* the part whose wave is under way */
  size_t running;           /* runs of the wave, of replicas complete ... complete + running - 1; 0 between waves */
  sgf_run *run;             /* (running); zero for those of other processes */
  uint64_t step;            /* that all runs of the wave are at */
  size_t ranks;             /* processes that share the work, each with the replicas of its rows; 1: this one alone */
  sgf_recording *recording; /* NULL: weights are not written as they go */
  double seconds;           /* wall time, of earlier processes too */
};

/* Open a wave of `count` replicas of a part, at theta*, with the runs of this process. Errors: SGF_ERROR_MEMORY; no wave
 * is then open. */
sgf_status sgf_simulation_open_wave(sgf_simulation *simulation, size_t part, size_t count, sgf_error *error);

/* Have all runs of the wave here, those of other processes at theta*. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_simulation_fill_wave(sgf_simulation *simulation, sgf_error *error);
/* Drop the runs that are those of other processes. */
void sgf_simulation_trim_wave(sgf_simulation *simulation);

/* The row of run k of the wave. */
size_t sgf_simulation_row(const sgf_simulation *simulation, size_t k);

/* Room for this many replicas in all parts. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_simulation_grow(sgf_simulation *simulation, size_t replicas, sgf_error *error);

/* Points of the balance that a run has recorded when it stands at `step`. */
size_t sgf_simulation_points(const sgf_simulation *simulation, uint64_t step);

#endif
