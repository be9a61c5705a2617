/* The second moments of an ensemble on the directions that the theory predicts: the range of the drift. */
#ifndef SGF_PROJECTION_H
#define SGF_PROJECTION_H

#include "ensemble.h"

typedef struct sgf_projection {
  const sgf_ensemble *ensemble;
  size_t n, rank, rows;     /* weights, directions, rows of the ensemble */
  const double *directions; /* (rank, n), orthonormal, of the caller */
  double *predicted;        /* (rank, rank), D Sigma D^T */
  double *moments;          /* (rows, packed rank), D S_r D^T */
  double *factors;          /* (rows, factors' rank, rank), F_r D^T of an ensemble that keeps factors F_r; or NULL */
} sgf_projection;

/* Project the predicted second moment Sigma (n, n) and every row of the ensemble. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_project(const sgf_ensemble *ensemble, const double *directions, size_t rank, const double *Sigma,
                       sgf_projection *projection, sgf_error *error);
/* The moments of an ensemble on directions as they are, with the predicted second moment (rank, rank) in these. Errors:
 * SGF_ERROR_MEMORY. */
sgf_status sgf_project_kept(const sgf_ensemble *ensemble, const double *predicted, sgf_projection *projection,
                            sgf_error *error);
void sgf_projection_free(sgf_projection *projection);

/* v_k^T P S_r P v_k, P the projector, for vectors v_k of `size` elements, from `first` on, of all n, zero elsewhere.
 *   vectors    (count, size)
 *   forms      (count, rows)
 *   predicted  (count), the same of the prediction
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_projected_forms(const sgf_projection *projection, const double *vectors, size_t count, size_t first,
                               size_t size, double *forms, double *predicted, sgf_error *error);

/* tr(A D S_r D^T) for a symmetric A (rank, rank) and every row; returns that of the prediction. */
double sgf_projected_traces(const sgf_projection *projection, const double *A, double *traces);

#endif
