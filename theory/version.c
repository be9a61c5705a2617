/* Versions of the library and of what it stands on. */
#include <SuiteSparse_config.h>
#include <cblas.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_version.h>
#include <lapacke.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../io/hdf5_file.h"
#include "config.h"
#include "sgflow.h"

/* OpenBLAS has these functions; other BLAS libraries do not, and then they are NULL. */
extern char *openblas_get_config(void) __attribute__((weak));
extern void openblas_set_num_threads(int) __attribute__((weak));

const char *sgf_version(void) { return PACKAGE_VERSION; }

void sgf_process_init(void)
{
  gsl_set_error_handler_off();
  if (openblas_set_num_threads != NULL) openblas_set_num_threads(1);
}

void sgf_free(void *pointer) { free(pointer); }

void sgf_libraries(char *text, size_t capacity)
{
  unsigned hdf5[3];
  lapack_int major = 0, minor = 0, patch = 0;
  sgf_hdf5_version(hdf5);
  LAPACKE_ilaver(&major, &minor, &patch);
  snprintf(text, capacity,
           "GSL %s\nHDF5 %u.%u.%u\nLAPACK %d.%d.%d\nSuiteSparse %d.%d.%d\nRandom123 Philox4x64-10\nBLAS %s",
           gsl_version, hdf5[0], hdf5[1], hdf5[2], (int)major, (int)minor, (int)patch, SUITESPARSE_MAIN_VERSION,
           SUITESPARSE_SUB_VERSION, SUITESPARSE_SUBSUB_VERSION,
           openblas_get_config != NULL ? openblas_get_config() : "without a name (reference or other)");
}
