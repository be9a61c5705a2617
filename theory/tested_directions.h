/* Directions along which a prediction by the covariance operator is compared with a simulation. */
#ifndef SGF_TESTED_DIRECTIONS_H
#define SGF_TESTED_DIRECTIONS_H

#include "covariance_operator.h"

/* Principal directions of all weights or of one layer's block, the leading ones and others from all of the spectrum. */
typedef struct sgf_tested_set {
  size_t layer;       /* 0: of all weights */
  size_t count, size; /* directions; weights that they are of */
  size_t known;       /* principal pairs that they were chosen from */
  bool principal;     /* else those within each eigenvector of the outputs, as sgf_layer_modes says */
  double *variance;   /* (count), stationary, descending, w^2 */
  double *curvature;  /* (count), x^2 */
  double *directions; /* (count, size), orthonormal */
} sgf_tested_set;

typedef struct sgf_tested {
  size_t count;         /* of all sets together */
  double *directions;   /* D (count, n), orthonormal rows of range(H) that span what range(H) has of all sets */
  double share;         /* tr(D Sigma D^T) / tr Sigma, stationary */
  size_t set_count;     /* 1, or 1 + layers with hidden ones */
  sgf_tested_set *sets; /* of all weights, then of the layers */
} sgf_tested;

/* Directions that are kept at most, and numbers of all of them together: those of an n x n matrix of n = 4000. */
enum { SGF_MOST_DIRECTIONS = 256, SGF_MOST_IN_SET = 64 };
#define SGF_MOST_IN_DIRECTIONS ((size_t)4000 * 4000)

/* Choose them, for an operator in the modes of H. Errors: SGF_ERROR_VALUE where nothing fluctuates, SGF_ERROR_MEMORY,
 * SGF_ERROR_NUMERICAL. Source: section 11. */
sgf_status sgf_tested_create(const sgf_covariance_operator *covariance, sgf_tested **tested, sgf_error *error);
void sgf_tested_free(sgf_tested *tested);

#endif
