/* Samples: inputs X (P, N_0) and targets Y (P, N_L), one sample a row, and their second moments. */
#ifndef SGF_DATASET_H
#define SGF_DATASET_H

#include "status.h"

typedef struct sgf_dataset {
  size_t samples, inputs, outputs; /* P, N_0, N_L */
  double *X;                       /* (P, N_0) */
  double *Y;                       /* (P, N_L) */
  double *input_moment;            /* Sigma_xx = X^T X / P, (N_0, N_0), not centred */
  double *cross_moment;            /* Sigma_yx = Y^T X / P, (N_L, N_0) */
} sgf_dataset;

/* Data of the settings: generated (`source: gaussian`, inputs N(0, diag(spectrum)), targets of the teacher plus
 * noise) or read from datasets X and Y of an HDF5 file at `path`. Checked: shapes against inputs and
 * outputs, finite, no constant column in X. Errors: SGF_ERROR_VALUE, SGF_ERROR_NO_INPUT, SGF_ERROR_MEMORY. */
sgf_status sgf_dataset_create(const sgf_settings *settings, const char *path, size_t inputs, size_t outputs,
                              bool accept_constant_columns, sgf_dataset *dataset, sgf_error *error);

/* Data from arrays, copied and checked in the same way, constant nonzero columns accepted. */
sgf_status sgf_dataset_from_arrays(size_t samples, size_t inputs, size_t outputs, const double *X, const double *Y,
                                   sgf_dataset *dataset, sgf_error *error);
void sgf_dataset_free(sgf_dataset *dataset);

/* The eigenvalues (inputs) of the covariance that Gaussian inputs are drawn from. */
sgf_status sgf_dataset_spectrum(const sgf_settings *settings, size_t inputs, double *spectrum, sgf_error *error);

#endif
