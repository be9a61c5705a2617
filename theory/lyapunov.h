/* Stationary covariance for constant drift and noise, in the eigenbasis of H. */
#ifndef SGF_LYAPUNOV_H
#define SGF_LYAPUNOV_H

#include "nullspace.h"

/* Solve  H S + S H - lambda H S H = N  on range(H), everything in the basis of `range`:
 *   S_ij = N_ij / (h_i + h_j - lambda h_i h_j) for two modes of the range, 0 otherwise (minimum norm).
 *   lambda  the learning rate for discrete time, 0 for the continuum
 *   N, S    (n, n), noise (lambda kappa / S) C and covariance; S may be N
 * The denominator is positive for lambda h_max < 2. Source: section 1. */
void sgf_lyapunov(const sgf_range *range, double lambda, const double *N, double *S);

/* Average over the steps t = first, first + stride, ..., (count of them) of the covariance that starts at 0:
 *   S_t,ij = S_ij (1 - x_ij^t),  x_ij = exp(-lambda (h_i + h_j)) in the continuum (`discrete` false),
 *   x_ij = (1 - lambda h_i)(1 - lambda h_j) in discrete time.
 * S (n, n) in the basis, overwritten. Source: section 1. */
void sgf_lyapunov_window(const sgf_range *range, double lambda, bool discrete, double first, double stride,
                         double count, double *S);

/* Mean of x^t over t = first, first + stride, ...: accurate for x next to 1 too. |x| <= 1. */
double sgf_mean_power(double x, double log_x, double first, double stride, double count);

/* ||H S + S H - lambda H S H - N||_F / (2 ||H|| ||S|| + ||N||), recomputed from raw matrices; NaN if any is.
 * work: 3 n^2. */
double sgf_lyapunov_residual(size_t n, const double *H, double lambda, const double *S, const double *N,
                             double *work);

/* The share of the stationary covariance of two modes of rates h and `other` that runs from theta* show on average over
 * `count` snapshots at steps first, first + stride, ...: 1 - mean x^step, x the factor of the pair over a step. */
double sgf_relaxed_share(double lambda, bool discrete, double h, double other, double first, double stride,
                         double count);

#endif
