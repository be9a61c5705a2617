/* Limit laws of the spectra of drift and noise for Gaussian data, N, P -> infinity at fixed q = N_0 / P < 1. */
#ifndef SGF_SPECTRUM_H
#define SGF_SPECTRUM_H

#include "status.h"

typedef enum {
  SGF_LAW_HESSIAN, /* (1/P) sum x x^T: tau = 1; Marchenko-Pastur for isotropic inputs */
  SGF_LAW_NOISE    /* (1/P) sum tau x x^T, tau = zeta^2, zeta ~ N(0, 1): the generalized law */
} sgf_law;

/* Density and distribution function on a grid, from inputs of covariance eigenvalues a_k (count of them).
 * Stieltjes transform at z = x + i0:
 *   m = < 1 / (-z + a g(e)) >,  e = < a / (-z + a g(e)) >,  g(e) = E_tau[ tau / (1 + q tau e) ],  density = Im m /
 * pi, averages over k; for isotropic inputs e = m, the equation of section 2.
 *   rows (points, 3): x, density, distribution function; x is spaced evenly in log x from low to high.
 * Accuracy: about 1e-3 in the distribution function. Errors: SGF_ERROR_NUMERICAL, SGF_ERROR_MEMORY. */
sgf_status sgf_limit_law(sgf_law law, const double *input_eigenvalues, size_t count, double q, double low,
                         double high, size_t points, double *rows, sgf_error *error);

/* Kolmogorov distance between ascending eigenvalues (count), each divided by scale, and a law as above. */
double sgf_distance_to_law(const double *eigenvalues, size_t count, double scale, const double *rows, size_t points);

/* Kolmogorov distance between two ascending spectra of the same size, the first divided by scale. */
double sgf_distance_of_spectra(const double *first, double scale, const double *second, size_t count);

#endif
