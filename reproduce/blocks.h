/* The fluctuations of one block of the weights, of all of them or of a layer, coupled or with the others frozen: how
 * far its principal variances spread, and what flatness has to do with it, from theory and from SGD. */
#ifndef SGFLOW_BLOCKS_H
#define SGFLOW_BLOCKS_H

#include "study.h"

/* Of variances along directions: standard deviation of log variance, largest over smallest, exponent psi of the
 * relation to flatness, and Pearson's correlation of log variance with log curvature. Along the principal directions
 * of the predicted stationary covariance; and along the covariance's own, within those. */
typedef enum {
  ANISOTROPY,
  RATIO,
  PSI,
  CORRELATION,
  OWN_ANISOTROPY,
  OWN_RATIO,
  OWN_PSI,
  OWN_CORRELATION,
  BLOCK_NUMBERS
} block_number;

typedef struct block {
  size_t layer;                                        /* 0: all weights */
  bool alone;                                          /* the other layers frozen */
  size_t first, n;                                     /* its weights in theta */
  size_t count;                                        /* directions of positive predicted variance */
  const double *directions, *variance, *curvature, *H; /* (count, n), (count), (count), (n, n): the prediction's */
  double *H_inside;                                    /* (count, count), along the directions */
  double stationary[BLOCK_NUMBERS],
      window[BLOCK_NUMBERS];                           /* by theory: stationary, and over the window of the plan */
  double sgd[BLOCK_NUMBERS], sgd_error[BLOCK_NUMBERS]; /* measured, standard errors by the jackknife */
} block;

/* What the unit, after unit_verify, has of a block. Sigma (N, N) of all weights over the window; for a layer alone it
 * is made here. Free it with block_free, also after a failure. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status block_create(const study_unit *now, size_t layer, bool alone, const double *Sigma, block *made,
                        sgf_error *error);
void block_free(block *of);

#endif
