/* What is known of a minimum: plain numbers that the problem carries along. */
#ifndef SGF_CERTIFICATE_H
#define SGF_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct sgf_minimum_certificate {
  double gradient_norm; /* relative to the sum of the norms of its terms: sgf_relative_gradient */
  double loss;          /* L(theta*), without the weight-decay term */
  double global_loss;   /* the least loss of any map that the widths allow; unit of the loss */
  double balance_error; /* largest change of the balance of two layers along the flow, relative; NaN: no flow */
  double flow_time;     /* continuum time for which it flowed */
  bool global;          /* loss is the global one up to round-off; always for one layer, which is convex */
  bool bottleneck;      /* a hidden layer is narrower than inputs and outputs */
  /* more than one layer with weight decay: of L + gamma |theta|^2 / 2; `global` is then what was proven, and
   * balance_error what is left of the balance of the layers, which vanishes at a stationary point */
  bool decayed;           /* the rest is known */
  double regularized;     /* L + gamma |theta|^2 / 2 */
  double least_curvature; /* least eigenvalue of H, relative to the largest: negative beyond round-off at a saddle */
  size_t map_rank;        /* rank of M and of every layer: directions that weight decay has not shrunk to zero */
  size_t rotations;       /* independent rotations of hidden layers, without drift */
  size_t scalings;        /* modes of curvature 2 gamma, without noise */
} sgf_minimum_certificate;

#endif
