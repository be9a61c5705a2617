/* Closed forms of the stationary covariance for noise that is proportional to the drift, C = s^2 H. */
#ifndef SGF_CLOSED_FORM_H
#define SGF_CLOSED_FORM_H

#include "dataset.h"
#include "network.h"

/* Sigma = T Pi, Pi = J^T (J J^T)^+ J the projector on range(J^T): the continuum's solution H Sigma + Sigma H =
 * (lambda kappa / S) C for C = s^2 H, any depth, where G = 0 (no bottleneck), without weight decay, for Sigma_xx of
 * full rank.
 *   temperature  T = lambda kappa s^2 / 2S, w^2
 *   Sigma        (n, n), w^2; its trace is T times the rank
 * The rank is decided from the eigenvalues of J J^T by the rule of sgf_range_create: singular values of J below
 * about 1e-7 of the largest are zero. Errors: SGF_ERROR_VALUE when J vanishes, SGF_ERROR_MEMORY,
 * SGF_ERROR_NUMERICAL; Sigma is NaN then. Source: sections 3 and 5. */
sgf_status sgf_closed_form_covariance(const sgf_network *network, const double *theta, double temperature,
                                      double *Sigma, sgf_error *error);

/* Principal variances and curvatures of one layer's block of that Sigma, two layers, of the singular values a_k of W_1
 * and b_i of W_2 (padded with zeros), r_k the right singular vectors of W_1:
 *   layer 2, entry i N_1 + k, direction (left singular vector i of W_2) (x) (left singular vector k of W_1):
 *     variance T a_k^2 / (a_k^2 + b_i^2), curvature a_k^2 r_k^T Sigma_xx r_k
 *   layer 1, entry i N_0 + k, direction (right singular vector i of W_2) (x) (r_k):
 *     variance T b_i^2 / (a_k^2 + b_i^2), curvature b_i^2 r_k^T Sigma_xx r_k
 * Zero variance where the numerator is: singular values of round-off are zero. With the other layer frozen (uncoupled)
 * every variance that is not zero is T. Where variances are equal, as all those of b_i = 0 in layer 2 and of a_k = 0
 * in layer 1, principal directions are not unique, and the curvatures are those along the directions given here.
 *   temperature          T, w^2
 *   variance, curvature  (N_l N_{l-1}), w^2 and x^2, in the order of the layer's weights
 * Errors: SGF_ERROR_UNSUPPORTED unless the network has two layers, SGF_ERROR_VALUE for another layer, SGF_ERROR_MEMORY,
 * SGF_ERROR_NUMERICAL; the outputs are NaN then (untouched for another layer). Source: section 3. */
sgf_status sgf_closed_form_layer(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                 size_t layer, double temperature, double *variance, double *curvature,
                                 sgf_error *error);

/* True if ||C - s^2 H||_F <= 1e-12 ||C||_F for the best s^2 = <C, H> / <H, H>: then the closed forms hold.
 *   H, C  (n, n)
 *   s2    s^2, variance of the residuals, y^2; NaN if H vanishes or an element is NaN */
bool sgf_noise_is_isotropic(size_t n, const double *H, const double *C, double *s2);

#endif
