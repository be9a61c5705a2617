/* Moments of theta - theta* over replicas: what a simulation or a recorded trajectory leaves behind. */
#ifndef SGF_ENSEMBLE_H
#define SGF_ENSEMBLE_H

#include "../theory/status.h"

/* A row for each pool of replicas, so that every error bar comes from the spread over independent rows. A pool is one
 * replica unless their second moments would not fit (SGF_ENSEMBLE_MEMORY). Second moments are packed lower triangles,
 * row after row: element (i, j <= i) at i (i + 1) / 2 + j. */
struct sgf_ensemble {
  sgf_ensemble_info info;
  size_t layer;            /* 0: all weights; l: layer l trained alone */
  size_t first, n;         /* the trained weights in theta */
  double *second;          /* (pools, n (n + 1) / 2), mean of delta delta^T over the window */
  double *half_means;      /* (pools, 2, n), means of delta over the two halves of the window */
  double *gradient_square; /* (pools), mean of |g_B|^2 over the window; NULL for trajectories */
  double *ends;            /* (replicas, 2, n), delta at the start and the end of the window; NULL for trajectories */
  size_t balance_points;   /* 0 without hidden layers and for trajectories */
  size_t balance_size;     /* sum of N_l^2 over the hidden layers */
  double *balance;         /* (pools, points, size), change of the balance since theta*, at point k after
                              (k + 1) / points of the run's steps, rounded up */
  sgf_ensemble **alone;    /* (layers), runs of layer l alone at [l - 1]; NULL unless asked for */
  size_t layers;           /* of `alone` */
};

/* Bytes that the second moments of an ensemble may take: a constant, so that pools, and with them the bits of the
 * result, are the same on every machine; about 100 rows for 800 weights, which is enough for error bars. */
#define SGF_ENSEMBLE_MEMORY ((size_t)1 << 28)

/* Room for the moments of `replicas` runs over n weights, in `pools` rows; 0: as many as fit. Errors: SGF_ERROR_MEMORY
 * with the size. */
sgf_status sgf_ensemble_create(size_t replicas, size_t pools, size_t first, size_t n, bool with_gradients,
                               sgf_ensemble **ensemble, sgf_error *error);

size_t sgf_packed_size(size_t n);

/* Runs first ... last - 1 belong to a pool. */
void sgf_ensemble_pool(const sgf_ensemble *ensemble, size_t pool, size_t *first, size_t *last);

/* Accumulates the snapshots of the runs of one pool into its row of the ensemble; owns a block of snapshots. */
typedef struct sgf_accumulator {
  sgf_ensemble *ensemble;
  size_t pool;
  size_t expected, taken; /* snapshots of the current run */
  size_t total, held;     /* snapshots of the pool; those in the block */
  size_t halves[2];       /* snapshots in either half */
  double *block, *sum;    /* sum: of the current run's snapshots */
} sgf_accumulator;

sgf_status sgf_accumulator_create(sgf_ensemble *ensemble, size_t pool, sgf_accumulator *accumulator,
                                  sgf_error *error);
/* Begin a run that will give `expected` snapshots, and end it. */
void sgf_accumulator_begin(sgf_accumulator *accumulator, size_t expected);
void sgf_accumulator_end(sgf_accumulator *accumulator);
/* Add theta - reference, both whole vectors of weights. */
void sgf_accumulate(sgf_accumulator *accumulator, const double *theta, const double *reference);
/* Divide by the number of snapshots and free the block. */
void sgf_accumulator_finish(sgf_accumulator *accumulator);

/* v^T S_r v for row r. */
double sgf_ensemble_form(const sgf_ensemble *ensemble, size_t pool, const double *v);

/* Fill info.trace and its standard error. */
void sgf_ensemble_summarize(sgf_ensemble *ensemble);

#endif
