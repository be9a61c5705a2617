/* Fourth moments of a sample's inputs and residuals, applied to matrices. */
#ifndef SGF_SAMPLE_MOMENTS_H
#define SGF_SAMPLE_MOMENTS_H

#include "problem.h"

typedef enum { SGF_INPUT, SGF_RESIDUAL } sgf_variable; /* x (N_0), e (N_L) */

/* after[(a, i), (b, j)] = E[ z_i z_k z_l z_j ] before[(a, k), (b, l)], summed over k and l; each of z_i z_k z_l z_j is an
 * element of x or of e. */
typedef struct sgf_contraction {
  sgf_variable variables[4];      /* of i, k, l, j */
  size_t left_units, right_units; /* values of a, of b */
  size_t before_row, after_row;   /* from one row of `before`, of `after`, to the next; 0: no padding */
} sgf_contraction;

typedef struct sgf_sample_moments sgf_sample_moments;

/* Of the samples for the settings' empirical noise; else of Gaussian x and e with the second moments that the noise is
 * made from.
 *   with_residuals  false: x alone will be asked for
 *   most_units      the largest of left_units and right_units that will be
 * Errors: SGF_ERROR_MEMORY. Source: section 1. */
sgf_status sgf_sample_moments_create(const sgf_problem *problem, bool with_residuals, size_t most_units,
                                     sgf_sample_moments **moments, sgf_error *error);
void sgf_sample_moments_free(sgf_sample_moments *moments);

/* Whether the contraction has E[z_i z_k] E[z_l z_j] taken away already (Gaussian moments). */
bool sgf_sample_moments_centred(const sgf_sample_moments *moments);

void sgf_sample_moments_contract(const sgf_sample_moments *moments, const sgf_contraction *what, const double *before,
                                 double *after);

#endif
