/* Arrays in and out of HDF5, over the library's C interface, with our errors.
 *
 * HDF5 prints its error stack by default; H5E_BEGIN_TRY ... H5E_END_TRY silences it for the calls between and
 * restores the caller's handler. */
#include "hdf5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../theory/memory.h"

enum { MOST_DIMENSIONS = 4 };

/* ------------------------------------------------------------------- input */

sgf_status sgf_hdf5_open(const char *path, sgf_hdf5_input *input, sgf_error *error)
{
  struct stat properties;
  htri_t recognised;
  input->path = path;
  input->file = 0;
  if (stat(path, &properties) != 0 || access(path, R_OK) != 0)
    return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: %s", path, strerror(errno));
  if (!S_ISREG(properties.st_mode)) return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: not a regular file", path);
  H5E_BEGIN_TRY
  {
    recognised = H5Fis_hdf5(path);
    input->file = recognised > 0 ? H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT) : 0;
  }
  H5E_END_TRY
  if (recognised <= 0) return sgf_fail(error, SGF_ERROR_VALUE, "%s: not an HDF5 file", path);
  if (input->file > 0) return SGF_OK;
  input->file = 0;
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: the HDF5 file is truncated or damaged (%lld bytes)", path,
                  (long long)properties.st_size);
}

void sgf_hdf5_close(sgf_hdf5_input *input)
{
  if (input->file > 0) {
    H5E_BEGIN_TRY { H5Fclose(input->file); }
    H5E_END_TRY
  }
  input->file = 0;
}

typedef struct {
  hid_t set, space, type;
} dataset;

static void close_dataset(const dataset *opened)
{
  if (opened->type >= 0) H5Tclose(opened->type);
  if (opened->space >= 0) H5Sclose(opened->space);
  if (opened->set >= 0) H5Dclose(opened->set);
}

static bool is_numeric(hid_t type)
{
  H5T_class_t kind = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
  return kind == H5T_FLOAT || kind == H5T_INTEGER;
}

static sgf_status open_dataset(const sgf_hdf5_input *input, const char *name, dataset *opened, sgf_error *error)
{
  bool numeric;
  H5E_BEGIN_TRY
  {
    opened->set = H5Dopen2(input->file, name, H5P_DEFAULT);
    opened->space = opened->set >= 0 ? H5Dget_space(opened->set) : -1;
    opened->type = opened->set >= 0 ? H5Dget_type(opened->set) : -1;
    numeric = is_numeric(opened->type);
  }
  H5E_END_TRY
  if (opened->set < 0) return sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset %s is missing", input->path, name);
  if (numeric && opened->space >= 0) return SGF_OK;
  close_dataset(opened);
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset %s is not numeric", input->path, name);
}

sgf_status sgf_hdf5_rank(const sgf_hdf5_input *input, const char *name, size_t *rank, sgf_error *error)
{
  dataset opened;
  sgf_status status = open_dataset(input, name, &opened, error);
  *rank = 0;
  if (status != SGF_OK) return status;
  int dimensions = H5Sget_simple_extent_ndims(opened.space);
  *rank = dimensions > 0 ? (size_t)dimensions : 0;
  close_dataset(&opened);
  return SGF_OK;
}

sgf_status sgf_hdf5_read_attribute(const sgf_hdf5_input *input, const char *name, const char *attribute,
                                   double *value, sgf_error *error)
{
  dataset opened;
  sgf_status status = open_dataset(input, name, &opened, error);
  *value = NAN;
  if (status != SGF_OK) return status;
  if (H5Aexists(opened.set, attribute) > 0) {
    hid_t found = H5Aopen(opened.set, attribute, H5P_DEFAULT), space = H5Aget_space(found), type = H5Aget_type(found);
    H5T_class_t class = H5Tget_class(type);
    bool number = (class == H5T_INTEGER || class == H5T_FLOAT) && H5Sget_simple_extent_npoints(space) == 1;
    if (!number || H5Aread(found, H5T_NATIVE_DOUBLE, value) < 0)
      status =
          sgf_fail(error, SGF_ERROR_VALUE, "%s: attribute %s of %s is not one number", input->path, attribute, name);
    H5Tclose(type);
    H5Sclose(space);
    H5Aclose(found);
  }
  close_dataset(&opened);
  return status;
}

/* Bytes that the file holds for the dataset bound what a damaged or hostile header may make us allocate: no
 * compression of float64 data reaches this ratio. */
static bool plausible(const dataset *opened, size_t count)
{
  hsize_t stored = H5Dget_storage_size(opened->set);
  return (double)count <= 2048.0 * ((double)stored + 1.0);
}

sgf_status sgf_hdf5_read(const sgf_hdf5_input *input, const char *name, size_t rank, size_t *shape, double **values,
                         sgf_error *error)
{
  dataset opened;
  hsize_t extent[MOST_DIMENSIONS] = {0};
  size_t count = 1;
  sgf_status status = open_dataset(input, name, &opened, error);
  *values = NULL;
  if (status != SGF_OK) return status;
  int dimensions = H5Sget_simple_extent_ndims(opened.space);
  if (dimensions < 0 || (size_t)dimensions != rank) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset %s has %d dimensions, not %zu", input->path, name,
                      dimensions, rank);
    goto done;
  }
  H5Sget_simple_extent_dims(opened.space, extent, NULL);
  for (size_t k = 0; k < rank; k++) {
    shape[k] = (size_t)extent[k];
    if (__builtin_mul_overflow(count, shape[k], &count)) {
      status = sgf_fail(error, SGF_ERROR_VALUE, "%s: the size of dataset %s overflows", input->path, name);
      goto done;
    }
  }
  if (!plausible(&opened, count)) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset %s claims %zu values and holds %llu bytes", input->path,
                      name, count, (unsigned long long)H5Dget_storage_size(opened.set));
    goto done;
  }
  SGF_TRY(sgf_new_reals(values, count, 1, name, error));
  herr_t outcome;
  H5E_BEGIN_TRY { outcome = H5Dread(opened.set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, *values); }
  H5E_END_TRY
  if (outcome < 0)
    status =
        sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset %s cannot be read: the file is damaged", input->path, name);
done:
  close_dataset(&opened);
  if (status != SGF_OK) {
    free(*values);
    *values = NULL;
  }
  return status;
}

/* ------------------------------------------------------------------ output */

static void note(sgf_hdf5_output *output, const char *name, bool succeeded)
{
  if (succeeded || output->failed) return;
  output->failed = true;
  snprintf(output->first_failure, sizeof output->first_failure, "%s", name);
}

/* Bytes by which the file grows in memory. */
enum { GROWTH = 1 << 20 };

void sgf_hdf5_create(const char *path, sgf_hdf5_output *output)
{
  memset(output, 0, sizeof *output);
  output->path = strdup(path);
  H5E_BEGIN_TRY
  {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, GROWTH, 0);
    output->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
  }
  H5E_END_TRY
  note(output, "file", output->file >= 0 && output->path != NULL);
}

void sgf_hdf5_group(sgf_hdf5_output *output, const char *name)
{
  hid_t group = -1;
  if (output->failed) return;
  H5E_BEGIN_TRY
  {
    group = H5Gcreate2(output->file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group >= 0) H5Gclose(group);
  }
  H5E_END_TRY
  note(output, name, group >= 0);
}

static void write_dataset(sgf_hdf5_output *output, const char *name, size_t rank, const size_t *shape,
                          hid_t file_type, hid_t memory_type, const void *values)
{
  hsize_t extent[MOST_DIMENSIONS];
  hid_t space, set;
  herr_t outcome = -1;
  if (output->failed) return;
  for (size_t k = 0; k < rank; k++) extent[k] = shape[k];
  H5E_BEGIN_TRY
  {
    space = rank > 0 ? H5Screate_simple((int)rank, extent, NULL) : H5Screate(H5S_SCALAR);
    set = H5Dcreate2(output->file, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (set >= 0) outcome = H5Dwrite(set, memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
    if (set >= 0) H5Dclose(set);
    if (space >= 0) H5Sclose(space);
  }
  H5E_END_TRY
  note(output, name, outcome >= 0);
}

void sgf_hdf5_write(sgf_hdf5_output *output, const char *name, size_t rank, const size_t *shape, const double *values)
{
  write_dataset(output, name, rank, shape, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, values);
}

void sgf_hdf5_write_count(sgf_hdf5_output *output, const char *name, double count)
{
  write_dataset(output, name, 0, NULL, H5T_STD_I64LE, H5T_NATIVE_DOUBLE, &count);
}

/* A UTF-8 string type of variable length, which h5py reads as str. */
static hid_t text_type(void)
{
  hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

void sgf_hdf5_write_text(sgf_hdf5_output *output, const char *name, const char *text)
{
  hid_t type = text_type();
  write_dataset(output, name, 0, NULL, type, type, &text);
  H5Tclose(type);
}

static void write_attribute(sgf_hdf5_output *output, const char *owner, const char *name, hid_t file_type,
                            hid_t memory_type, const void *value)
{
  hid_t space, attribute;
  herr_t outcome = -1;
  if (output->failed) return;
  H5E_BEGIN_TRY
  {
    space = H5Screate(H5S_SCALAR);
    attribute = H5Acreate_by_name(output->file, owner, name, file_type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (attribute >= 0) outcome = H5Awrite(attribute, memory_type, value);
    if (attribute >= 0) H5Aclose(attribute);
    if (space >= 0) H5Sclose(space);
  }
  H5E_END_TRY
  note(output, name, outcome >= 0);
}

void sgf_hdf5_attribute(sgf_hdf5_output *output, const char *owner, const char *name, double value)
{
  write_attribute(output, owner, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value);
}

void sgf_hdf5_attribute_count(sgf_hdf5_output *output, const char *owner, const char *name, uint64_t value)
{
  write_attribute(output, owner, name, H5T_STD_U64LE, H5T_NATIVE_UINT64, &value);
}

void sgf_hdf5_attribute_text(sgf_hdf5_output *output, const char *owner, const char *name, const char *text)
{
  hid_t type = text_type();
  write_attribute(output, owner, name, type, type, &text);
  H5Tclose(type);
}

/* The bytes of the file in memory; NULL on failure. */
static void *file_image(hid_t file, size_t *size)
{
  void *image = NULL;
  H5E_BEGIN_TRY
  {
    ssize_t needed = H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0 ? H5Fget_file_image(file, NULL, 0) : -1;
    image = needed > 0 ? malloc((size_t)needed) : NULL;
    if (image != NULL && H5Fget_file_image(file, image, (size_t)needed) != needed) {
      free(image);
      image = NULL;
    }
    *size = needed > 0 ? (size_t)needed : 0;
  }
  H5E_END_TRY
  return image;
}

static bool write_image(const char *path, const void *image, size_t size)
{
  FILE *file = fopen(path, "wb");
  if (file == NULL) return false;
  bool written = fwrite(image, 1, size, file) == size;
  return fclose(file) == 0 && written;
}

bool sgf_hdf5_finish(sgf_hdf5_output *output)
{
  size_t size = 0;
  void *image = output->failed ? NULL : file_image(output->file, &size);
  if (output->file >= 0) {
    H5E_BEGIN_TRY { H5Fclose(output->file); }
    H5E_END_TRY
  }
  note(output, "end of file", image != NULL && write_image(output->path, image, size));
  free(image);
  free(output->path);
  output->path = NULL;
  output->file = -1;
  return !output->failed;
}

void sgf_hdf5_version(unsigned version[3]) { H5get_libversion(&version[0], &version[1], &version[2]); }
