/* One replica of SGD on a linear network of any depth. */
#ifndef SGF_SGD_H
#define SGF_SGD_H

#include "../theory/problem.h"
#include "sampler.h"

typedef struct sgf_sgd {
  const sgf_problem *problem;
  sgf_sampler sampler;
  double *theta;      /* (n), current weights */
  double *gradient;   /* (n), of the last minibatch, weight decay included */
  double *transposed; /* W_l^T of the largest layer */
  double *
      activations; /* S (N_0 + ... + N_L): h_l = W_l h_{l-1} of the batch, (S, N_l) for each layer, from the inputs */
  double *errors;  /* same layout: derivatives of the loss with respect to h_l */
  size_t *indices; /* (S) */
  uint64_t step;   /* steps taken */
  size_t layer;    /* 0: all layers are trained; l: layer l alone, the others frozen */
  size_t first, count; /* the trained weights in theta */
} sgf_sgd;

/* Start at theta* with the streams of `replica`, to train all layers (`layer` 0) or one alone. The streams of the
 * two are not the same. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_sgd_create(const sgf_problem *problem, uint64_t replica, size_t layer, sgf_sgd *run, sgf_error *error);
void sgf_sgd_free(sgf_sgd *run);

/* theta <- theta - lambda g_B(theta), g_B the gradient of the mean loss over the batch, plus weight decay, in the
 * trained weights; run->gradient is 0 in the others. */
void sgf_sgd_step(sgf_sgd *run);

#endif
