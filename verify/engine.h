/* What the replicas of a simulation share and only read: the data and theta* as the kernels want them. */
#ifndef SGF_ENGINE_H
#define SGF_ENGINE_H

#include "../theory/problem.h"
#include "kernels.h"

/* A chain of layers as it is computed: of all layers, or of one that is trained alone, whose inputs are then what the
 * layers below make of the data and whose outputs go through the product of those above. Samples are rows. A layer's
 * weights are kept transposed, V = W^T (N_{l-1}, stride of N_l), so that neither h_l = h_{l-1} V_l nor the gradient
 * h_{l-1}^T e_l needs a transposition; one layer of one output is the row W (stride of N_0) itself. */
typedef struct sgf_chain {
  size_t layers;         /* 1 for the last layer alone, 2 for another alone */
  size_t trained;        /* the first so many: all, or 1 */
  bool one_output;       /* of one layer: the weights are a row */
  size_t *widths;        /* (layers + 1), N_0 ... */
  size_t *columns;       /* (layers + 1), widths rounded up to whole vectors: zeros behind the width */
  size_t *strides;       /* (layers + 1), distance of rows of that width, at least the columns */
  size_t *units;         /* (layers + 2), [l] = sum of the strides before l: where h_l stands, times the rows */
  size_t *offsets;       /* (layers + 2), [l] of V_l in the padded weights, l = 1 ... layers */
  size_t *plain_offsets; /* (layers + 2), [l] of W_l, l = 2 ... layers, (N_l, stride of N_{l-1}) */
} sgf_chain;

typedef struct sgf_engine {
  const sgf_problem *problem; /* must live as long as the engine */
  size_t layer;               /* 0: all layers are trained; l: layer l alone, the others frozen at theta* */
  size_t first, count;        /* the trained weights in theta */

  const sgf_kernels *kernels;
  sgf_chain chain;
  size_t padded;    /* doubles of the trained weights with their padding */
  size_t rows;      /* samples that are computed together, at most */
  double rate;      /* what the gradient is multiplied by: the learning rate, or the time step */
  double amplitude; /* Langevin: sqrt(lambda kappa / (S P dt)) */
  bool langevin, frozen_noise;
  double *X, *Y; /* (P, stride of N_0), (P, stride of N_L); with one output Y is (P) */
  double *start; /* padded weights at theta*, with those of frozen layers behind */
  double *block; /* all of these */
} sgf_engine;

/* An engine for all layers (`layer` 0) or one alone, with the widest kernels of the machine. Errors:
 * SGF_ERROR_MEMORY; SGF_ERROR_UNSUPPORTED for Langevin dynamics with momentum; SGF_ERROR_VALUE for Langevin dynamics
 * whose time step is not in (0, learning rate]. */
sgf_status sgf_engine_create(const sgf_problem *problem, size_t layer, sgf_engine **engine, sgf_error *error);
/* The same with kernels of the caller's choice, which the machine must be able to run. */
sgf_status sgf_engine_create_with(const sgf_problem *problem, size_t layer, const sgf_kernels *kernels,
                                  sgf_engine **engine, sgf_error *error);
void sgf_engine_free(sgf_engine *engine);

/* Streams of runs that train layer l alone: l * SGF_ALONE beyond those of the full runs. */
#define SGF_ALONE (1ULL << 48)

/* V_l (N_{l-1}, stride of N_l): among padded weights, or at theta* for a frozen layer. */
const double *sgf_engine_layer(const sgf_engine *engine, const double *weights, size_t l);

/* The trained weights in the order of theta, engine->count of them, from padded ones, and back. `plain` needs no
 * alignment. What pads the weights is left alone. */
void sgf_engine_unpad(const sgf_engine *engine, const double *padded, void *plain);
void sgf_engine_pad(const sgf_engine *engine, const void *plain, double *padded);

/* Room for `size` doubles, at *start. */
typedef struct sgf_span {
  double **start;
  size_t size;
} sgf_span;

/* One zeroed block for all spans, each from a cache line on. The caller frees *block. Errors: SGF_ERROR_MEMORY, with the
 * starts as they were. */
sgf_status sgf_lay_out(const sgf_span *spans, size_t count, double **block, const char *what, sgf_error *error);

#endif
