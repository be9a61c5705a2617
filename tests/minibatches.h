/* Brute force over single samples and minibatches: plain loops, nothing of the library's operators. Small networks. */
#ifndef MINIBATCHES_H
#define MINIBATCHES_H

#include "testing.h"

/* Normal inputs, targets that are inputs plus normal noise; weights and minimum as the settings say. */
sgf_problem *noisy_identity_problem(const sgf_settings *settings, size_t P, uint64_t seed);

/* Gradient (n) of the loss of one sample, or the mean over all for sample = P, without weight decay: forward and backward
 * through plain loops. Widths up to 16, up to 5 layers. */
void plain_gradient(const sgf_problem *problem, const double *theta, size_t sample, double *gradient);

/* Hessian (n, n) at theta* of the same by a stencil of six points, exact for gradients of degree 6 or less: those of up
 * to three layers. */
void plain_hessian(const sgf_problem *problem, size_t sample, double *H);

/* delta' = V ( 1 - lambda (H_B + gamma) ) V^T delta - lambda V g_B, averaged over all P^S ordered minibatches (or all
 * S-subsets as ordered draws without repeats): second moment map K (r^2, r^2) and source (r^2). */
typedef struct {
  size_t rank, batches;
  double *K, *source;
} minibatch_average;

/* V (rank, n), orthonormal rows; NULL: all weights, and rank is n. */
void average_over_minibatches(const sgf_problem *problem, const double *V, size_t rank, minibatch_average *all);
void minibatch_average_free(minibatch_average *all);

/* Sigma (r^2) = K Sigma + source. */
void stationary_of(const minibatch_average *all, double *Sigma);
/* Mean over t = first, first + stride, ... (count) of Sigma_t, from Sigma_0 = 0, step by step. */
void window_of(const minibatch_average *all, size_t first, size_t stride, size_t count, double *mean);
/* Spectral radius of K. */
double spectral_radius(const minibatch_average *all);

#endif
