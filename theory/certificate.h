/* What is known of a minimum: plain numbers that the problem carries along. */
#ifndef SGF_CERTIFICATE_H
#define SGF_CERTIFICATE_H

#include <stdbool.h>

typedef struct sgf_minimum_certificate {
  double gradient_norm; /* relative to the sum of the norms of its terms: sgf_relative_gradient */
  double loss;          /* L(theta*), without the weight-decay term */
  double global_loss;   /* the least loss of any map that the widths allow; unit of the loss */
  double balance_error; /* largest change of the balance of two layers along the flow, relative; NaN: no flow */
  double flow_time;     /* continuum time for which it flowed */
  bool global;          /* loss is the global one up to round-off; always for one layer, which is convex */
  bool bottleneck;      /* a hidden layer is narrower than inputs and outputs */
} sgf_minimum_certificate;

#endif
