/* The covariance in the modes of K, without its being formed: Sigma = B^T U^T Z U B,
 *   Z_kl = (lambda kappa / S) Q_kl / (k + l - lambda k l)   [continuum: k + l],   C = B^T U^T Q U B,
 * with U the modes of K and k, l its eigenvalues; with momentum the response of heavy_ball.h. Source: sections 6 and 7. */
#ifndef SGF_MODE_COVARIANCE_H
#define SGF_MODE_COVARIANCE_H

#include "dataset.h"
#include "reduced.h"

/* What is known of Q, from the least to the most. */
typedef enum {
  SGF_MODES_SEPARATE, /* Q is diagonal: a strength for each block */
  SGF_MODES_COUPLED,  /* Q_ij = coupling_ij U_i U_j^T for blocks i and j */
  SGF_MODES_SAMPLED,  /* Q = F F^T, F kept */
  SGF_MODES_STORED    /* Z kept */
} sgf_mode_noise;

typedef struct sgf_mode_covariance {
  const sgf_reduced *space; /* used, not copied */
  double lambda;            /* 0: continuum */
  double momentum;          /* beta, of steps; 0 in the continuum */
  double scale;             /* lambda kappa / S; in the continuum with momentum over 1 - beta */
  sgf_mode_noise kind;
  double *strength; /* (blocks) */
  double *coupling; /* (N_L, N_L), O Sigma_ee O^T */
  double *factor;   /* (blocks size, samples) */
  size_t samples;
  double *Z; /* (blocks size, blocks size) */
} sgf_mode_covariance;

/* Lay out Z for a solved `space`. Z itself is stored when K is one block or has at most SGF_STORED_MODES rows.
 *   noise       which Q
 *   data        samples; residuals (P, N_L)
 *   variance    s^2 of isotropic noise
 *   lambda      0 for the continuum, else the learning rate
 *   momentum, scale  as above
 * Errors: SGF_ERROR_MEMORY; a failed one can be freed. */
sgf_status sgf_mode_covariance_create(const sgf_reduced *space, sgf_noise noise, const sgf_dataset *data,
                                      const double *residuals, double variance, double lambda, double momentum,
                                      double scale, sgf_mode_covariance *modes, sgf_error *error);
void sgf_mode_covariance_free(sgf_mode_covariance *modes);

enum { SGF_STORED_MODES = 5000 };

/* Block (i, j) of Z, (size, size). */
void sgf_mode_covariance_block(const sgf_mode_covariance *modes, size_t i, size_t j, double *Z);

/* Diagonal of Z, (blocks size). */
void sgf_mode_covariance_diagonal(const sgf_mode_covariance *modes, double *z);

/* out = Y Z for Y (count, blocks size). Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_mode_covariance_apply(const sgf_mode_covariance *modes, size_t count, const double *Y, double *out,
                                     sgf_error *error);

/* Z as a whole, (blocks size, blocks size). Allocated here. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_mode_covariance_matrix(const sgf_mode_covariance *modes, double **Z, sgf_error *error);

#endif
