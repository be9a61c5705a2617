/* Broken detailed balance: the irreversible part of the linearized flow and its entropy production. */
#ifndef SGF_DETAILED_BALANCE_H
#define SGF_DETAILED_BALANCE_H

#include "status.h"

/* ||H C - C H||_F and the same over ||H||_F ||C||_F (0 without noise), both (n, n). Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_commutator(size_t n, const double *H, const double *C, double *norm, double *relative,
                          sgf_error *error);

typedef struct sgf_detailed_balance {
  double irreversible;       /* ||Q||_F / ||H Sigma||_F, Q = (H Sigma - Sigma H) / 2 */
  double entropy_production; /* tr(Q^T D^+ Q Sigma^+), per unit of continuum time */
  size_t rank_noise;         /* of C, at round-off */
  bool on_range;             /* D or Sigma is singular: pseudo-inverses on their ranges were used */
} sgf_detailed_balance;

/* From H, C and the continuum covariance Sigma (n, n), with D = diffusion_scale C, diffusion_scale = lambda kappa
 * / 2S. Errors: SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. Source: section 1. */
sgf_status sgf_detailed_balance_measure(size_t n, const double *H, const double *C, const double *Sigma,
                                        double diffusion_scale, sgf_detailed_balance *result, sgf_error *error);

#endif
