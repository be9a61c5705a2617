/* The comparison of a prediction with an ensemble: quantities, verdicts, and the curves of the report. */
#ifndef SGF_COMPARE_H
#define SGF_COMPARE_H

#include "../theory/status.h"

/* With hidden layers, more directions than this are tested together, by the root mean square of their deviations. */
#define SGF_MOST_SINGLE_DIRECTIONS 32

/* Variances along a set of directions: of all weights ("joint"), of a layer ("layer2"), of a layer trained alone
 * ("layer2_uncoupled"). The directions are the principal ones of the predicted stationary covariance. */
typedef struct sgf_mode_set {
  char name[32];
  size_t count;                         /* directions of positive predicted variance */
  double *curvature;                    /* (count), of H, or of H_ll */
  double *stationary;                   /* (count), predicted variance of the stationary state */
  double *predicted;                    /* (count), predicted over the window */
  double *measured;                     /* (count) */
  double *error;                        /* (count), standard error of measured */
  sgf_ivfr predicted_fit, measured_fit; /* of `predicted` and `measured` on the curvature */
} sgf_mode_set;

/* The change of the balance of a hidden layer since theta*, along its predicted drift, against time. */
typedef struct sgf_balance_curve {
  size_t hidden, points;
  double *time, *predicted, *measured, *error; /* (points) */
} sgf_balance_curve;

/* Mean of what a hidden layer's rotations moved by in the window, over its length: d<nu>/dt. */
typedef struct sgf_rotation_drift {
  size_t hidden, modes;
  double *predicted, *measured, *error; /* (modes) */
} sgf_rotation_drift;
/* Correlation times along the directions of a mode set that remember something from one snapshot to the next, and the mean
 * square displacement along all of the set, from recorded weights. Continuum time; times are sums over the snapshots' own
 * spacing up to a lag of their own, in the prediction too. */
typedef struct sgf_time_set {
  char name[32];
  size_t count, lags;
  double *curvature, *predicted, *measured, *error;                        /* (count), of one block; and of another */
  double *lag, *displacement, *displacement_measured, *displacement_error; /* (lags) */
} sgf_time_set;

struct sgf_comparison {
  sgf_comparison_info info;
  sgf_quantity *quantities;
  size_t count;
  sgf_quantity *untested; /* what the replicas cannot tell: without interval and verdict */
  size_t untested_count;
  sgf_mode_set *sets; /* joint first, then the layers, then the layers alone */
  size_t set_count;
  sgf_balance_curve *balances;
  size_t balance_count;
  sgf_mode_diagnostics slow[SGF_SLOW_MODES];
  size_t slow_count;
  sgf_rotation_drift *rotations; /* of the hidden layers that were compared */
  size_t rotation_count;
  sgf_time_set *times; /* joint, then the layers */
  size_t time_count;
};

/* The set of that name, NULL if there is none. */
const sgf_mode_set *sgf_find_modes(const sgf_comparison *comparison, const char *name);

/* The same of correlation times. */
const sgf_time_set *sgf_find_times(const sgf_comparison *comparison, const char *name);

/* The quantity of that name, NULL if there is none; and with those that too few replicas left untested. */
const sgf_quantity *sgf_find_quantity(const sgf_comparison *comparison, const char *name);
const sgf_quantity *sgf_find_told(const sgf_comparison *comparison, const char *name);

/* Whether variances of this trace can be squared. Errors: SGF_ERROR_VALUE. */
sgf_status sgf_check_squares(double trace, sgf_error *error);

#endif
