/* Gradients, Hessians and third derivatives of the samples at a point, in orthonormal modes, and their averages: what the
 * moments of reshuffled epochs are made of to the order after the leading one. Source: section 13. */
#ifndef SGF_RESHUFFLED_SAMPLES_H
#define SGF_RESHUFFLED_SAMPLES_H

#include "problem.h"

/* With z = g_mu - g, Y = H_mu - H, U = T_mu - T the deviations of a sample's derivatives from their means, E over the samples. */
typedef struct sgf_reshuffled_samples {
  size_t samples, size; /* P; modes */
  bool linear;          /* no third derivatives */
  double *z;            /* (P, size) */
  double *Y;            /* (P, size, size) */
  double *gradient;     /* (size), weight decay included */
  double *hessian;      /* (size, size), weight decay included */
  double *C;            /* (size, size), E[z z^T] */
  double *Yz;           /* (size, size, size) at [a][b][c]: E[Y_ab z_c] */
  double *YY;           /* (size, size, size) at [b][a][i]: E[Y_ba Y_ai] */
  double *zzz;          /* (size, size, size) */
  double *T, *U;        /* (size, size, size), (P, size, size, size); where not linear, as are the rest */
  double *Uz, *Uzz;     /* (size, size, size) at [a][b][c]: E[U_abc z_c], E[U_abc z_b z_c] */
  double *Q;            /* (size, size, size, size), fourth derivatives of the loss */
} sgf_reshuffled_samples;

/* Multiply-adds of finding them: Hessians of n weights, of every sample next to the point, and of all. */
double sgf_reshuffled_samples_operations(size_t weights, size_t samples, size_t size, bool linear);

/* Numbers that they take, for P samples and so many modes. */
double sgf_reshuffled_samples_size(size_t samples, size_t size, bool linear);

/* Room. A zeroed one can be freed, a failed one too. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_reshuffled_samples_create(const sgf_problem *problem, size_t size, bool linear,
                                         sgf_reshuffled_samples *made, sgf_error *error);
void sgf_reshuffled_samples_free(sgf_reshuffled_samples *made);

/* All of them at theta (n) in the modes V (size, n). Third and fourth derivatives are differences, of polynomials: exact to some
 * 1e-7 of what is a correction. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_reshuffled_samples_find(const sgf_problem *problem, const double *theta, const double *V,
                                       sgf_reshuffled_samples *of, sgf_error *error);

#endif
