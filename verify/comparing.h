/* Inside the comparison: the two sides, the quantities under test, and the verdicts on them. */
#ifndef SGF_COMPARING_H
#define SGF_COMPARING_H

#include "../theory/prediction.h"
#include "compare.h"
#include "projection.h"

/* Modes of less variance than this, relative to the largest, do not fluctuate. */
#define SGF_ZERO_MODE 1e-12

/* While a comparison is made. */
typedef struct sgf_comparing {
  const sgf_problem *problem;
  const sgf_prediction *prediction;
  const sgf_ensemble *ensemble;
  sgf_comparison *result;
  size_t n, rows;            /* weights; independent rows of the ensemble */
  double *Sigma;             /* (n, n), predicted second moment about theta*, averaged over the window */
  double *mean;              /* (n), predicted mean of theta - theta*; of an ensemble on directions along these */
  const double *directions;  /* (n, n), principal directions; the first `rank` span what of range(H)
                                fluctuates. Of an ensemble on
                                directions those, (rank, n), and then Sigma is D Sigma D^T */
  sgf_projection projection; /* on range(H), or on the ensemble's directions */
  double *slowest;           /* (ensemble->n), the slowest mode that fluctuates */
  double *values;            /* (rows), scratch */
  size_t capacity;
  double *tested;     /* (capacity), what is tested: the deviation, or the square of a norm */
  double *errors;     /* (capacity), standard errors of that */
  double *skewness;   /* (capacity), of that, as an estimate; 0 where it is not known */
  double *tolerances; /* (capacity) */
} sgf_comparing;

/* Where a set's directions come from. */
typedef struct sgf_mode_source {
  const char *name, *prefix; /* of the set and of its quantities */
  size_t layer;              /* 0: of all weights */
  size_t first, size;        /* the weights that the directions are of */
  bool single;               /* a quantity for each direction */
  size_t count;
  const double *variance, *curvature, *directions; /* (count), stationary; (count); (count, size) */
} sgf_mode_source;

/* Correlation times, autocovariance and displacement along a set of directions, where an ensemble has its snapshots.
 * Errors: SGF_ERROR_MEMORY. Source: section 15. */
sgf_status sgf_compare_times(sgf_comparing *all, const sgf_mode_source *source, sgf_error *error);

/* Correlation times of a simulation of all weights, for info->correlation_ratio: no quantity, no verdict. Errors:
 * SGF_ERROR_MEMORY. Source: sections 11 and 15. */
sgf_status sgf_compare_window_means(sgf_comparing *all, sgf_error *error);

/* Quantities that sgf_compare_times adds at most. */
enum { SGF_TIME_QUANTITIES = 6 };

/* Room for `capacity` quantities. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_quantities_create(sgf_comparing *all, size_t capacity, sgf_error *error);

/* A quantity whose deviation is tested as it is. */
void sgf_add_quantity(sgf_comparing *all, const char *name, double predicted, double measured, double standard_error,
                      double deviation, double deviation_error);

/* What the deviation of the last quantity is the mean of, up to a factor of this sign: (rows) values. */
void sgf_add_skewness(sgf_comparing *all, const double *values, double sign);

/* A quantity with one value a row; the deviation is relative to the prediction. */
void sgf_add_linear(sgf_comparing *all, const char *name, double predicted, const double *values);

/* A norm that is predicted to be zero, relative to scale, tested by its unbiased square: vectors (rows, size). Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_add_norm(sgf_comparing *all, const char *name, const double *vectors, size_t size, double scale,
                        sgf_error *error);

/* Split R-hat and effective sample size of the slowest mode; correlation of batches; what leaked out of range(H), NaN for
 * an ensemble on directions. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_diagnose(sgf_comparing *all, sgf_error *error);

/* The balances of the hidden layers from theta* to the end of the window: their change along the predicted drift, and the
 * whole path, each relative to the two opposite contributions to the drift. Errors: SGF_ERROR_MEMORY,
 * SGF_ERROR_NUMERICAL. Source: sections 4 and 16. */
sgf_status sgf_compare_balances(sgf_comparing *all, sgf_error *error);

/* What the hidden layers turned by from the start of the window to its end, of each replica: drift and growth of the
 * spread, each relative to itself; what the replicas cannot tell is no quantity and goes into the result's `untested`. Errors:
 * SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: sections 11 and 14. */
sgf_status sgf_compare_rotations(sgf_comparing *all, sgf_error *error);

/* All weights, null space and all, by the closure where that is known: trace, covariance, mean. Errors: SGF_ERROR_MEMORY.
 * Source: sections 13 and 14. */
sgf_status sgf_compare_whole_space(sgf_comparing *all, sgf_error *error);

/* Windows about their own means, of the protocol window-pca: traces and variances of all weights with what moved along the
 * null space, and psi of the components of each run. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 14. */
sgf_status sgf_compare_windows(sgf_comparing *all, sgf_error *error);

/* Diagnostics of the slowest modes, where the simulation followed them. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_diagnose_slow_modes(sgf_comparing *all, sgf_error *error);

/* With the exact equation: z-scores of all elements. */
void sgf_test_elements(sgf_comparing *all);

/* Verdicts of all quantities, and the verdict. Errors: SGF_ERROR_MEMORY. Source: section 11. */
sgf_status sgf_decide(sgf_comparing *all, sgf_error *error);

#endif
