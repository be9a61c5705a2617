/* Exact moments of spectra for Gaussian data of any size. */
#ifndef SGFLOW_EXACT_MOMENTS_H
#define SGFLOW_EXACT_MOMENTS_H

#include <stddef.h>

/* E tr H^2 / N of one layer with isotropic Gaussian inputs: 1 + (N + 1) / P. */
double exact_second_of_hessian(size_t inputs, size_t samples);

/* E tr (C / 2 L*)^2 / N of the same with one output and Gaussian noise of the targets, P > N + 2; 1 + 3 q for N -> infinity.
 * C / 2 L* = sum_mu u_mu^2 x_mu x_mu^T with u = e / |e|, uniform on the unit sphere of the d = P - N dimensions orthogonal to
 * the rows of X, so E u_mu^2 u_nu^2 = ((1 - h_mu)(1 - h_nu) + 2 H_munu^2) / d (d + 2), H the hat matrix, h its diagonal. The
 * inputs are A^{1/2} U with a Wishart A, of which E (a^T A b)^2 = P^2 (a.b)^2 + P (|a|^2 |b|^2 + (a.b)^2), independent of U. Two rows of
 * U: h_1 = h ~ Beta(N/2, d/2), and in the unit vector of the second one (g^2, r, rest) ~ Dirichlet(1/2, (N - 1)/2, (d - 1)/2),
 * H_12^2 = h (1 - h) g^2, h_2 = (1 - h) g^2 + r. */
double exact_second_of_noise(size_t inputs, size_t samples);

#endif
