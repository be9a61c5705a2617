/* Moments of theta - theta* over replicas: what a simulation or a recorded trajectory leaves behind. */
#ifndef SGF_ENSEMBLE_H
#define SGF_ENSEMBLE_H

#include "../theory/status.h"

/* Per replica, so that every error bar comes from the spread over replicas. Second moments are packed lower
 * triangles, row after row: element (i, j <= i) at i (i + 1) / 2 + j. */
struct sgf_ensemble {
  sgf_ensemble_info info;
  size_t n;
  double *second;          /* (replicas, n (n + 1) / 2), mean of delta delta^T over the window */
  double *half_means;      /* (replicas, 2, n), means of delta over the two halves of the window */
  double *gradient_square; /* (replicas), mean of |g_B|^2 over the window; NULL for trajectories */
  double *growth;          /* (replicas), (|delta|^2 at the end - at the start of the window) / window steps */
};

/* Room for the moments. Errors: SGF_ERROR_MEMORY with the size. */
sgf_status sgf_ensemble_create(size_t replicas, size_t n, bool with_gradients, sgf_ensemble **ensemble,
                               sgf_error *error);

size_t sgf_packed_size(size_t n);

/* Accumulates snapshots of one replica into its slots of the ensemble; owns a block of snapshots. */
typedef struct sgf_accumulator {
  sgf_ensemble *ensemble;
  size_t replica, expected, taken, held;
  double *block;
} sgf_accumulator;

/* Begin a replica that will give `expected` snapshots. */
sgf_status sgf_accumulator_create(sgf_ensemble *ensemble, size_t replica, size_t expected,
                                  sgf_accumulator *accumulator, sgf_error *error);
/* Add theta - reference, both (n). */
void sgf_accumulate(sgf_accumulator *accumulator, const double *theta, const double *reference);
/* Divide by the number of snapshots and free the block. */
void sgf_accumulator_finish(sgf_accumulator *accumulator);

/* v^T S_r v for replica r. */
double sgf_ensemble_form(const sgf_ensemble *ensemble, size_t replica, const double *v);

/* Fill info.trace and its standard error. */
void sgf_ensemble_summarize(sgf_ensemble *ensemble);

#endif
