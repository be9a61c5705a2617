/* What every HDF5 file of ours says of where it comes from. */
#ifndef SGF_OUTPUT_H
#define SGF_OUTPUT_H

#include "../io/hdf5_file.h"
#include "../theory/problem.h"

/* Root attributes: config, command, version, host, ... */
void sgf_write_provenance(sgf_hdf5_output *out, const sgf_provenance *provenance, const sgf_problem *problem);
/* data/X, data/Y, and the weights at theta* below network. */
void sgf_write_problem(sgf_hdf5_output *out, const sgf_problem *problem);

#endif
