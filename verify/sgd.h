/* SGD on a linear network of any depth, one replica after the other. */
#ifndef SGF_SGD_H
#define SGF_SGD_H

#include "../theory/problem.h"
#include "sampler.h"

/* What all replicas share. */
typedef struct sgf_engine {
  const sgf_problem *problem;
  size_t layer;        /* 0: all layers are trained; l: layer l alone, the others frozen */
  size_t first, count; /* the trained weights in theta */
} sgf_engine;

typedef struct sgf_sgd {
  const sgf_engine *engine;
  sgf_sampler sampler;
  double *theta;      /* (n), current weights */
  double *gradient;   /* (n), of the last minibatch, weight decay included */
  double *transposed; /* W_l^T of the largest layer */
  double *
      activations; /* S (N_0 + ... + N_L): h_l = W_l h_{l-1} of the batch, (S, N_l) for each layer, from the inputs */
  double *errors;  /* same layout: derivatives of the loss with respect to h_l */
  size_t *indices; /* (S) */
  uint64_t step;   /* steps taken */
  double gradient_square; /* sum of |g_B|^2 over the steps that counted */
} sgf_sgd;

sgf_status sgf_engine_create(const sgf_problem *problem, size_t layer, sgf_engine **engine, sgf_error *error);
void sgf_engine_free(sgf_engine *engine);

/* Start at theta* with the streams of `replica`. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_sgd_create(const sgf_engine *engine, uint64_t replica, sgf_sgd *run, sgf_error *error);
void sgf_sgd_free(sgf_sgd *run);

void sgf_sgd_advance(sgf_sgd *run, size_t steps, bool in_window);
void sgf_sgd_weights(const sgf_sgd *run, double *theta);
double sgf_sgd_square_distance(const sgf_sgd *run);
size_t sgf_sgd_state_size(const sgf_engine *engine);
void sgf_sgd_save(const sgf_sgd *run, void *state);
void sgf_sgd_load(sgf_sgd *run, const void *state);

#endif
