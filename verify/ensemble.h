/* Moments of theta - theta* over replicas: what a simulation or a recorded trajectory leaves behind. */
#ifndef SGF_ENSEMBLE_H
#define SGF_ENSEMBLE_H

#include "../theory/network.h"
#include "followed.h"

/* A row for each replica, or for several where all their second moments would not fit (SGF_ENSEMBLE_MEMORY), so that
 * every error bar comes from the spread over independent rows. Replica r belongs to row r mod rows; a row holds the mean
 * over its replicas, in the order in which they ran. Second moments are packed lower triangles, row after row: element
 * (i, j <= i) at i (i + 1) / 2 + j. Where each replica has a row of its own and few snapshots against n, these are kept
 * instead, a factor of the second moments: less memory to touch, and less work to project.
 *
 * Where the weights are too many for second moments of all of them, an ensemble is on directions: delta is then
 * D (theta - theta*), D of orthonormal rows, n their number; and of all weights there are squares. */
struct sgf_ensemble {
  sgf_ensemble_info info; /* info.pools: rows */
  size_t layer;           /* 0: all weights; l: layer l trained alone */
  size_t first, n;        /* the trained weights in theta */
  double *second;         /* (rows, n (n + 1) / 2), mean of delta delta^T over the window; NULL with `factors` */
  double *factors; /* (rows, rank, n), the snapshots of a run F_r: its second moments are F_r^T F_r / rank; or NULL */
  size_t factor_rank;      /* snapshots of a run */
  double *half_means;      /* (rows, 2, n), means of delta over the two halves of the window */
  double *gradient_square; /* (rows), mean of |g_B|^2 over the window; NULL for trajectories */
  double *ends;            /* (kept, 2, n), delta at the start and the end of the window; NULL for trajectories */
  size_t kept;             /* replicas whose ends are: the first ones, see sgf_ensemble_kept */
  size_t balance_points;   /* 0 without hidden layers and for trajectories */
  size_t balance_size;     /* sum of N_l^2 over the hidden layers */
  double *balance;         /* (rows, points, size), change of the balance since theta*, at point k after
                              (k + 1) / points of the run's steps, rounded up */
  sgf_ensemble **alone;    /* (layers), runs of layer l alone at [l - 1]; NULL unless asked for */
  size_t layers;           /* of `alone` */
  double *directions;      /* D (n, weights); NULL: delta is of the trained weights themselves */
  size_t weights;          /* columns of D */
  size_t square_count;     /* with directions 1 + layers of the network, else 0 */
  size_t
      *square_ends; /* (square_count), weights up to the end of each layer; 0 for all of them together, the first */
  double *squares;  /* (rows, square_count), mean of |theta - theta*|^2 of all weights and of each layer */
  sgf_followed followed; /* draws along single directions; of a simulation of all weights, if asked for */
  double *
      snapshots; /* (replicas, length, n), delta of every snapshot of a trajectory whose stride is known; else NULL */
  size_t length, stride; /* snapshots of a run, and steps between them */
};

/* Bytes that the second moments of an ensemble may take: a constant, so that rows, and with them the bits of the
 * result, are the same on every machine; about 100 rows for 800 weights, which is enough for error bars. */
#define SGF_ENSEMBLE_MEMORY ((size_t)1 << 28)
/* And the ends of the replicas: those of the first that fit, and of one for each row at least. Whatever is estimated from
 * them is from all replicas as long as they fit, and from these, some 10 000 for 800 weights, later: an ensemble that grows
 * does not grow in memory. */
#define SGF_ENDS_MEMORY ((size_t)1 << 27)

/* Burn-in steps of recorded windows whose start is not known. */
#define SGF_LONG_AGO ((size_t)1 << 50)

/* Room for the moments of `replicas` runs over n weights, in `rows` rows; 0: as many as fit, of equally many replicas
 * but for the rounding. Errors: SGF_ERROR_MEMORY with the size. */
sgf_status sgf_ensemble_create(size_t replicas, size_t rows, size_t first, size_t n, bool with_gradients,
                               sgf_ensemble **ensemble, sgf_error *error);

/* Keep the snapshots of the runs, so many of each, instead of second moments, if that is less; before anything is
 * accumulated, of an ensemble of all weights whose rows have a replica each. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_ensemble_keep_factors(sgf_ensemble *ensemble, size_t snapshots, sgf_error *error);

/* The same on `count` directions (count, n of the network), which are copied. The rows of moments are as many as fit. */
sgf_status sgf_ensemble_create_on(size_t replicas, const sgf_network *network, size_t count, const double *directions,
                                  bool with_gradients, sgf_ensemble **ensemble, sgf_error *error);

/* delta (n) of one vector of weights: theta - reference of the trained weights, or its components along the directions.
 * work (weights), used for directions alone. */
void sgf_ensemble_deviation(const sgf_ensemble *ensemble, const double *theta, const double *reference, double *work,
                            double *delta);

/* Room for more replicas, in the same rows. Errors: SGF_ERROR_MEMORY; the ensemble is then as it was. */
sgf_status sgf_ensemble_grow(sgf_ensemble *ensemble, size_t replicas, sgf_error *error);

/* mean (n) of delta over the window of a row: of both halves, the first of which has one snapshot more where their number is
 * odd. */
void sgf_ensemble_row_mean(const sgf_ensemble *ensemble, size_t row, double *mean);

/* Replicas of the ensemble whose ends it has. */
size_t sgf_ensemble_kept(const sgf_ensemble *ensemble);
/* Replicas of n weights whose ends are kept, if there are so many. */
size_t sgf_most_ends(size_t n);
/* Numbers that the ensemble keeps, without those of layers alone. */
size_t sgf_ensemble_size(const sgf_ensemble *ensemble);

size_t sgf_packed_size(size_t n);

/* Before and after a run of its replica number `turn` (0, 1, ...) a row turns from means into sums and back. */
void sgf_ensemble_open_row(sgf_ensemble *ensemble, size_t row, size_t turn);
void sgf_ensemble_close_row(sgf_ensemble *ensemble, size_t row, size_t turn);

/* Accumulates the snapshots of one run into the row of its replica; owns a block of snapshots. */
typedef struct sgf_accumulator {
  sgf_ensemble *ensemble;
  size_t row;
  size_t expected, taken; /* snapshots of the run */
  size_t held;            /* of these in the block */
  size_t room;            /* snapshots that the block has room for */
  double *block;          /* of snapshots, in rows (n); with directions in columns, of all weights */
  double *sum;            /* (n), of the run's snapshots */
  double *inside;         /* with directions: room for a block in them */
} sgf_accumulator;

/* A run that will give `expected` snapshots. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_accumulator_create(sgf_ensemble *ensemble, size_t row, size_t expected, sgf_accumulator *accumulator,
                                  sgf_error *error);
void sgf_accumulator_free(sgf_accumulator *accumulator);
/* Doubles in block and sum together: all that a run in flight keeps there. */
size_t sgf_accumulator_size(const sgf_accumulator *accumulator);
/* Add theta - reference, both whole vectors of weights. */
void sgf_accumulate(sgf_accumulator *accumulator, const double *theta, const double *reference);
/* All snapshots are in: complete the row's moments. */
void sgf_accumulator_end(sgf_accumulator *accumulator);

/* The packed second moments of row r: as they are kept, or from its factor, in room (n (n + 1) / 2). */
const double *sgf_ensemble_second(const sgf_ensemble *ensemble, size_t row, double *room);
/* Their trace. */
double sgf_ensemble_trace(const sgf_ensemble *ensemble, size_t row);
/* v^T S_r v for row r. */
double sgf_ensemble_form(const sgf_ensemble *ensemble, size_t row, const double *v);

/* Fill info.trace and its standard error. */
void sgf_ensemble_summarize(sgf_ensemble *ensemble);

#endif
