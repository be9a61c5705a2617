/* One replica of SGD on a linear network of any depth. */
#ifndef SGF_SGD_H
#define SGF_SGD_H

#include "../theory/problem.h"
#include "sampler.h"

typedef struct sgf_sgd {
  const sgf_problem *problem;
  sgf_sampler sampler;
  double *theta;       /* (n), current weights */
  double *gradient;    /* (n), of the last minibatch, weight decay included */
  double *activations; /* (N_0 + ... + N_L), h_l = W_l h_{l-1} of one sample, layer after layer */
  double *errors;      /* same layout: derivatives of the loss with respect to h_l */
  size_t *indices;     /* (S) */
  uint64_t step;       /* steps taken */
} sgf_sgd;

/* Start at theta* with the streams of `replica`. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_sgd_create(const sgf_problem *problem, uint64_t replica, sgf_sgd *run, sgf_error *error);
void sgf_sgd_free(sgf_sgd *run);

/* theta <- theta - lambda g_B(theta), g_B the gradient of the mean loss over the batch, plus weight decay. */
void sgf_sgd_step(sgf_sgd *run);

#endif
