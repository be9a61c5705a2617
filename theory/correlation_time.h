/* How long fluctuations are remembered, along many directions: correlation time and time of decay. */
#ifndef SGF_CORRELATION_TIME_H
#define SGF_CORRELATION_TIME_H

#include "time_dependence.h"

/* Autocovariances at lags that are close enough to see where they end. */
typedef struct sgf_memory {
  const sgf_time_modes *modes; /* of the caller */
  size_t points;
  double *lag;      /* (points), steps: all of the first, then some percent apart */
  double *c;        /* (points, 2 count), factors of the autocovariance */
  double *sums;     /* (points, 2 count), of c(1) + ... + c(lag); reshuffled epochs, else NULL */
  double *integral; /* (2 count), of the integrated correlation time; independent draws, else NULL */
} sgf_memory;

/* Errors: SGF_ERROR_MEMORY; what failed can be freed. */
sgf_status sgf_memory_create(const sgf_time_modes *modes, sgf_memory *memory, sgf_error *error);
void sgf_memory_free(sgf_memory *memory);

/* Of directions with these weights (rows, 2 count), in continuum time, NaN where nothing fluctuates:
 *   correlation  (rows) lambda ( 1/2 + sum_{k >= 1} c(k)/c(0) ), and the integral in the continuum. Under reshuffled epochs that
 *                is 0, for every direction: what a run remembers within an epoch its next ones take back. There the sum ends
 *                before the first k where c is not positive, and for long epochs is that of independent draws
 *   decay        (rows), may be NULL: when c has fallen to c(0)/e; infinite if it does not within the lags
 * Between lags that are not neighbours c is taken for linear, which costs 1e-4 of the times at most (tests/test_time_epochs.c).
 * Errors: SGF_ERROR_MEMORY. Source: section 15. */
sgf_status sgf_memory_times(const sgf_memory *memory, size_t rows, const double *weights, double *correlation,
                            double *decay, sgf_error *error);

#endif
