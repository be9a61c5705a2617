/* The comparison of a prediction with an ensemble: quantities and verdicts. */
#ifndef SGF_COMPARE_H
#define SGF_COMPARE_H

#include "../theory/status.h"

struct sgf_comparison {
  sgf_comparison_info info;
  sgf_quantity *quantities;
  size_t count;
  size_t modes;               /* of positive predicted variance, along the prediction's principal directions */
  double *predicted_variance; /* (modes), of the window */
  double *measured_variance;  /* (modes) */
  double *measured_error;     /* (modes) */
};

#endif
