/* The prediction: operators at the minimum, stationary covariances, observables, by name. */
#ifndef SGF_PREDICTION_H
#define SGF_PREDICTION_H

#include "multiplicative_noise.h"
#include "nullspace.h"
#include "problem.h"

/* An array of the prediction, under its name in the output file below `theory/`. */
typedef struct sgf_named_array {
  char name[48];
  size_t rows, columns; /* columns = 1 and vector = true for a vector */
  bool vector;
  double *values;
} sgf_named_array;

struct sgf_prediction {
  sgf_prediction_info info;
  sgf_named_array *arrays;
  size_t array_count;
  sgf_range range;           /* of H */
  double *noise;             /* (n, n), (lambda kappa / S) C in the basis of `range` */
  sgf_multiplicative *exact; /* one layer, NULL otherwise */
};

/* What runs that start at theta* show, averaged over the plan's snapshots, by the configured equation; the stationary
 * values for plan = NULL.
 *   second  (n, n), second moment of theta - theta* about zero: the covariance, and for reshuffled epochs m m^T
 *   mean    (n), of theta - theta*: zero but for reshuffled epochs
 * Source: sections 1, 2, 8, and epoch.h for the mean. */
sgf_status sgf_prediction_window(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_plan *plan,
                                 double *second, double *mean, sgf_error *error);

#endif
