/* Arrays in and out of HDF5, over the library's C interface, with our errors. */
#ifndef SGF_HDF5_FILE_H
#define SGF_HDF5_FILE_H

#include <hdf5.h>

#include "../theory/status.h"

/* What is read is of this file alone: links to other files, values in other files (external storage, virtual datasets)
 * and filters that HDF5 would have to load are refused, and so is what would not fit into memory. */
typedef struct sgf_hdf5_input {
  const char *path; /* the caller's */
  hid_t file;
  hid_t access; /* of links: within the file */
} sgf_hdf5_input;

/* Open for reading. Errors: SGF_ERROR_NO_INPUT when the file is missing or cannot be read, SGF_ERROR_VALUE when
 * it is not HDF5 or is truncated. `path` must outlive the input. A zeroed input may be closed. */
sgf_status sgf_hdf5_open(const char *path, sgf_hdf5_input *input, sgf_error *error);
void sgf_hdf5_close(sgf_hdf5_input *input);

/* Number of dimensions of a dataset, 0 for a scalar. Errors: SGF_ERROR_VALUE when it is missing or not numeric. */
sgf_status sgf_hdf5_rank(const sgf_hdf5_input *input, const char *name, size_t *rank, sgf_error *error);

/* Read a whole numeric dataset as float64. shape (rank); *values is allocated here.
 * Errors: SGF_ERROR_VALUE for a missing set, another rank or type, damaged data; SGF_ERROR_MEMORY. */
sgf_status sgf_hdf5_read(const sgf_hdf5_input *input, const char *name, size_t rank, size_t *shape, double **values,
                         sgf_error *error);

/* A numeric attribute of a dataset; *value is NaN when the dataset has none of that name. Errors: SGF_ERROR_VALUE
 * when the dataset is missing or the attribute is not one number, or NaN. */
sgf_status sgf_hdf5_read_attribute(const sgf_hdf5_input *input, const char *dataset, const char *name, double *value,
                                   sgf_error *error);

/* One number, or one text, by its place "group/name": an attribute of the group (without one: of the root), else a
 * scalar dataset. NaN, or NULL, when there is neither. The text is allocated here. */
double sgf_hdf5_number(const sgf_hdf5_input *input, const char *place);
char *sgf_hdf5_text(const sgf_hdf5_input *input, const char *place);

/* Whether there is a dataset, or a group, of this name. */
bool sgf_hdf5_has_dataset(const sgf_hdf5_input *input, const char *name);
bool sgf_hdf5_has_group(const sgf_hdf5_input *input, const char *name);

/* The names in the root group, up to some, comma between: for messages. text[0 .. capacity - 1] is always
 * terminated. */
void sgf_hdf5_names(const sgf_hdf5_input *input, char *text, size_t capacity);

/* A sparse matrix as SciPy and others keep it: a group with datasets data, indices and indptr, an attribute shape
 * (rows, columns) and, unless it is "csc", an attribute format "csr". Errors: SGF_ERROR_VALUE for what does not fit
 * together, SGF_ERROR_MEMORY. */
sgf_status sgf_hdf5_read_sparse(const sgf_hdf5_input *input, const char *group, sgf_sparse *sparse, sgf_error *error);

/* Output: groups, datasets and root attributes of a file being written. Every function does nothing after the
 * first failure and `failed` keeps it: write everything, then ask once. The file is made in memory and written as a
 * whole by sgf_hdf5_finish: when a disk fills under it, HDF5 1.10 leaves a file that it cannot close, and crashes in
 * the exit of the program. */
typedef struct sgf_hdf5_output {
  hid_t file;
  char *path;
  bool failed;
  char first_failure[64]; /* name of what could not be written */
} sgf_hdf5_output;

void sgf_hdf5_create(const char *path, sgf_hdf5_output *output);
/* The same, but beginning with all that the file `source` has. Attributes that are there already are replaced.
 * Errors: SGF_ERROR_NO_INPUT, SGF_ERROR_VALUE, SGF_ERROR_MEMORY: there is then nothing to finish. */
sgf_status sgf_hdf5_extend(const char *source, const char *path, sgf_hdf5_output *output, sgf_error *error);
/* Remove a dataset or a group, if there is one. */
void sgf_hdf5_remove(sgf_hdf5_output *output, const char *name);
void sgf_hdf5_group(sgf_hdf5_output *output, const char *name);
void sgf_hdf5_write(sgf_hdf5_output *output, const char *name, size_t rank, const size_t *shape,
                    const double *values);
void sgf_hdf5_write_count(sgf_hdf5_output *output, const char *name, double count); /* a scalar integer */
void sgf_hdf5_write_text(sgf_hdf5_output *output, const char *name, const char *text);
/* Attributes of the group `owner` ("/" is the root). */
void sgf_hdf5_attribute(sgf_hdf5_output *output, const char *owner, const char *name, double value);
void sgf_hdf5_attribute_count(sgf_hdf5_output *output, const char *owner, const char *name, uint64_t value);
void sgf_hdf5_attribute_text(sgf_hdf5_output *output, const char *owner, const char *name, const char *text);
/* Write the file to its path and free it; false if anything failed since the creation. */
bool sgf_hdf5_finish(sgf_hdf5_output *output);

/* Version of the HDF5 library in use. */
void sgf_hdf5_version(unsigned version[3]);

#endif
