/* Statistics of a measured covariance with their standard errors. */
#ifndef SGFLOW_MEASURED_H
#define SGFLOW_MEASURED_H

#include "sgflow.h"

/* `values` (count) of a covariance Sigma (n, n). */
typedef sgf_status (*covariance_statistic)(size_t n, const double *Sigma, const void *context, double *values,
                                           sgf_error *error);

/* The statistic of the ensemble's second moment about theta*, of its trained weights first ... first + n - 1, if `unbiased` without the
 * bias of order 1 / replicas that noise gives it (for what is smooth in Sigma), and its standard error: by the jackknife, groups of replicas left out in turn
 * (Quenouille 1956, Tukey 1958). Errors: those of the statistic, SGF_ERROR_MEMORY,
 * SGF_ERROR_VALUE for fewer than 4 rows of moments. */
sgf_status measured_statistic(const sgf_ensemble *ensemble, size_t first, size_t n, covariance_statistic statistic,
                              bool unbiased, const void *context, size_t count, double *values, double *errors,
                              sgf_error *error);

/* Of principal directions of a covariance, with drift H: largest over smallest variance, largest over smallest curvature p^T H
 * p, Pearson's correlation of their logarithms, slope of log variance on log curvature (psi / 2). Modes of zero variance are
 * left out. */
typedef enum { VARIANCE_SPREAD, CURVATURE_SPREAD, LOG_CORRELATION, LOG_SLOPE, PRINCIPAL_NUMBERS } principal_number;

/* A covariance_statistic: PRINCIPAL_NUMBERS values; context: H (n, n). */
sgf_status principal_numbers(size_t n, const double *Sigma, const void *context, double *values, sgf_error *error);

/* A covariance_statistic: ||Q||_F, Q = (H Sigma - Sigma H) / 2, relative to ||Sigma||_F; context: H (n, n). */
sgf_status irreversible_share(size_t n, const double *Sigma, const void *context, double *values, sgf_error *error);

#endif
