/* Whether a sparse drift is stable: what its eigenvalues, or some of them, say. */
#ifndef SGF_SPARSE_STABILITY_H
#define SGF_SPARSE_STABILITY_H

#include "sparse_drift.h"

/* Check a drift whose rank, null vectors and factors are known; says what is proven in `drift->proven`: see
 * sgf_sparse_drift_create. Errors: SGF_ERROR_UNSTABLE, SGF_ERROR_MEMORY, SGF_ERROR_NUMERICAL. */
sgf_status sgf_sparse_check_stable(sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error);

/* Refuse a symmetric drift that is known to be unstable, with the eigenvalue where it can be found. */
sgf_status sgf_sparse_refuse(sgf_sparse_drift *drift, sgf_certificate *certificate, sgf_error *error);

#endif
