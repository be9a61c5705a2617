/* SGD, and the Langevin dynamics of the stochastic gradient flow, on a linear network of any depth: one replica. */
#ifndef SGF_SGD_H
#define SGF_SGD_H

#include "engine.h"
#include "sampler.h"

typedef struct sgf_sgd {
  const sgf_engine *engine;
  uint64_t step;          /* steps taken */
  double gradient_square; /* sum of |g|^2 over the steps in the window */
  size_t *indices;        /* (S), the last minibatch; not of Langevin dynamics */

  sgf_sampler sampler;
  double *weights, *velocity; /* (padded); velocity NULL without momentum */
  double *gradient;           /* (padded), g of the last step */
  double *hidden, *errors;    /* h_l and dL/dh_l of the samples: `rows` rows for each layer l = 0 ... L */
  double *plain;              /* W_l, to pass errors down */
  double *factors, *targets;  /* of the samples: their weight in the mean, and with one output y and e behind it */
  const double **samples;     /* with one output: x of each sample */
  double *block;              /* all of these */
} sgf_sgd;

/* Start at theta* with the streams of `replica`. The streams of an engine of one layer alone are not those of all
 * layers. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_sgd_create(const sgf_engine *engine, uint64_t replica, sgf_sgd *run, sgf_error *error);
void sgf_sgd_free(sgf_sgd *run);

/* Take steps in the trained weights; in the window |g|^2 of every step is added to run->gradient_square. What is left
 * behind depends on the steps alone, not on how they are cut into calls.
 *   SGD       g = gradient of the mean loss over the batch + gamma theta;  v <- beta v - lambda g,  theta <- theta + v
 *   Langevin  Euler and Maruyama's step of time dt of the stochastic gradient flow: theta <- theta - dt g,
 *             g = grad L + gamma theta + noise of covariance (lambda kappa / (S dt)) C, C at theta or at theta*
 * Source: sections 1 and 7. */
void sgf_sgd_advance(sgf_sgd *run, size_t steps, bool in_window);

/* theta (n): all weights, the frozen ones too, in the order of theta. */
void sgf_sgd_weights(const sgf_sgd *run, double *theta);
/* g (n) of the last step, in the order of theta, 0 for frozen weights. */
void sgf_sgd_gradient(const sgf_sgd *run, double *gradient);
/* |theta - theta*|^2. NaN if any weight is. */
double sgf_sgd_square_distance(const sgf_sgd *run);

/* About how many multiply-adds a step takes, draws and what every step costs besides in their measure: for plans, where a
 * factor of two does not matter. */
double sgf_cost_of_step(const sgf_problem *problem);

/* Bytes of the state of a run: of everything that its further steps and their sum depend on. */
size_t sgf_sgd_state_size(const sgf_engine *engine);
/* Copy the state out of a run and into one of the same engine (or an engine of the same problem, layer and kernels) and
 * the same replica, which then continues to the same bits. `state` needs no alignment. */
void sgf_sgd_save(const sgf_sgd *run, void *state);
/* Returns false for what no run can have: an order of the samples that is no permutation. */
/* `seen`: room for one flag a sample, false. */
bool sgf_sgd_load(sgf_sgd *run, const void *state, bool *seen);

#endif
