/* Principal directions, the curvature and flatness along them, and the inverse variance-flatness relation. */
#ifndef SGF_FLATNESS_H
#define SGF_FLATNESS_H

#include "status.h"

/* curvature (count) = p^T H p of the rows of directions (count, n), symmetric H (n, n). Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_curvatures(size_t n, const double *H, size_t count, const double *directions, double *curvature,
                          sgf_error *error);

/* Principal directions of a covariance: directions (n, n), row k is p_k; variance (n), descending;
 * curvature (n), p_k^T H p_k. Errors: SGF_ERROR_NUMERICAL, SGF_ERROR_MEMORY. Source: section 9. */
sgf_status sgf_principal_directions(size_t n, const double *covariance, const double *H, double *directions,
                                    double *variance, double *curvature, sgf_error *error);

/* Feng-Tu flatness inside one layer, where the loss is exactly quadratic: distance between the two points with
 * L = factor L*, F = 2 sqrt(2 (factor - 1) L* / h).
 *   curvature  h, x^2
 *   min_loss   L*, y^2
 *   factor     greater than 1; e for Feng and Tu
 * Infinite for h <= 0, NaN if an argument is. Other lines: sgf_flatness_of_polynomial. Source: section 9. */
double sgf_flatness(double curvature, double min_loss, double factor);

/* The same where L falls or rises along the line, L(t) = L* + slope t + h t^2 / 2, as the loss without its weight-decay
 * term does: F = 2 sqrt(slope^2 + 2 (factor - 1) L* h) / h.
 *   slope  of either sign, y^2/w
 * Infinite for h <= 0, NaN if an argument is. Source: section 9. */
double sgf_flatness_on_slope(double slope, double curvature, double min_loss, double factor);

/* Standard deviation of log variance over the modes of positive variance (relative to the largest, at round-off):
 * 0 for isotropic fluctuations. NaN with fewer than two such modes. */
double sgf_anisotropy(size_t modes, const double *variance);

/* Least squares of log variance on log curvature h; F ~ h^{-1/2}, so variance ~ F^{-psi} has slope psi / 2.
 * Modes of zero variance or curvature (relative to the largest, at round-off) are left out and counted.
 * The interval is the 95 % percentile bootstrap over modes, its draws fixed by the seed; beyond 20 000 modes the normal
 * interval that it tends to. Source: section 9. */
sgf_status sgf_ivfr_fit(size_t modes, const double *variance, const double *curvature, uint64_t seed, sgf_ivfr *fit,
                        sgf_error *error);

/* The same without the interval, which is NaN. */
sgf_status sgf_ivfr_slope(size_t modes, const double *variance, const double *curvature, sgf_ivfr *fit,
                          sgf_error *error);

#endif
