/* Moments of reshuffled SGD step by step: mean, second and third moments of delta, and what they are given that a sample has not yet
 * been used in the epoch, exact to fourth order in what the samples differ by. Source: section 13. */
#ifndef SGF_RESHUFFLED_MOMENTS_H
#define SGF_RESHUFFLED_MOMENTS_H

#include "reshuffled_samples.h"

typedef struct sgf_reshuffled_moments {
  size_t samples, size, batch, batches, step; /* step of the epoch that comes next; size: modes */
  double lambda;
  const sgf_reshuffled_samples *of; /* in the modes of its Hessian */
  double *a;                        /* (size), 1 - lambda h */
  double *mean;                     /* (size), E[delta], delta about the point that `of` is at */
  double *second;                   /* (size, size), E[delta delta^T] */
  double *third;                    /* (size, size, size); 0 where linear */
  double *D;                        /* (P, size), E[delta | mu not used yet] - E[delta] */
  double *s;                        /* (P, size, size), the same of delta delta^T */
  double *phi;                      /* (size): D = phi z to first order in z */
  double *one, *pair,
      *both; /* (size, size): E[delta delta^T | mu] = const + one z z^T, given mu and nu const + both (z_mu z_mu^T +
                                     * z_nu z_nu^T) + pair (z_mu z_nu^T + z_nu z_mu^T), to second order */
  double *from_Y, *own_Y, *shift; /* (size, size) and */
  double *from_T;                 /* (size, size, size): of E[delta | mu, nu] to second order */
  double *room;                   /* all of these numbers and the work */
  double *work_P, *work_square, *work_cube,
      *half; /* (7, P, size), (15, size, size), (5, size, size, size), (P, size, size) */
} sgf_reshuffled_moments;

/* At rest, at the point that `of` is found at or will be. Errors: SGF_ERROR_MEMORY; a failed or zeroed one can be freed. */
sgf_status sgf_reshuffled_moments_create(const sgf_reshuffled_samples *of, double lambda, size_t batch,
                                         sgf_reshuffled_moments *made, sgf_error *error);
void sgf_reshuffled_moments_free(sgf_reshuffled_moments *moments);

/* Numbers that they take. */
double sgf_reshuffled_moments_size(size_t samples, size_t size);

/* Begin an epoch: the past knows nothing of its order. Also after a change of the point, for what depends on it. */
void sgf_reshuffled_moments_begin(sgf_reshuffled_moments *moments);

/* One step of SGD. */
void sgf_reshuffled_moments_step(sgf_reshuffled_moments *moments);

#endif
