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

#include "../solver/sparse.h"
#include "../theory/memory.h"

enum { MOST_DIMENSIONS = 4 };

/* ------------------------------------------------------------------- input */

/* A link to another file is not followed, wherever it leads. */
static herr_t stay_in_file(const char *parent_file, const char *parent_group, const char *file, const char *object,
                           unsigned *flags, hid_t access, void *context)
{
  (void)parent_file, (void)parent_group, (void)file, (void)object, (void)flags, (void)access, (void)context;
  return -1;
}

static hid_t access_within(void)
{
  hid_t access = H5Pcreate(H5P_LINK_ACCESS);
  if (access >= 0 && H5Pset_elink_cb(access, stay_in_file, NULL) >= 0) return access;
  if (access >= 0) H5Pclose(access);
  return 0;
}

sgf_status sgf_hdf5_open(const char *path, sgf_hdf5_input *input, sgf_error *error)
{
  struct stat properties;
  htri_t recognised;
  input->path = path;
  input->file = input->access = 0;
  if (stat(path, &properties) != 0 || access(path, R_OK) != 0)
    return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: %s", path, strerror(errno));
  if (!S_ISREG(properties.st_mode)) return sgf_fail(error, SGF_ERROR_NO_INPUT, "%s: not a regular file", path);
  H5E_BEGIN_TRY
  {
    recognised = H5Fis_hdf5(path);
    input->access = access_within();
    input->file = recognised > 0 && input->access > 0 ? H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT) : 0;
  }
  H5E_END_TRY
  if (input->file > 0) return SGF_OK;
  bool memory = input->access == 0;
  input->file = 0;
  sgf_hdf5_close(input);
  if (memory) return sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for HDF5", path);
  if (recognised <= 0) return sgf_fail(error, SGF_ERROR_VALUE, "%s: not an HDF5 file", path);
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: the HDF5 file is truncated or damaged (%lld bytes)", path,
                  (long long)properties.st_size);
}

void sgf_hdf5_close(sgf_hdf5_input *input)
{
  H5E_BEGIN_TRY
  {
    if (input->file > 0) H5Fclose(input->file);
    if (input->access > 0) H5Pclose(input->access);
  }
  H5E_END_TRY
  input->file = input->access = 0;
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

/* Whether the parts of a float are within it. */
static bool has_valid_fields(hid_t type, size_t precision)
{
  size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
  return H5Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) >= 0 && sign < precision &&
         exponent_bits < precision && exponent <= precision - exponent_bits && mantissa_bits < precision &&
         mantissa <= precision - mantissa_bits;
}

/* Integers and floats of up to 16 bytes, their bits within them: there are no others but in damaged files, for which HDF5
 * writes and reads beyond its memory. */
static bool is_numeric(hid_t type)
{
  H5T_class_t kind = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
  if (kind != H5T_FLOAT && kind != H5T_INTEGER) return false;
  size_t size = H5Tget_size(type), precision = H5Tget_precision(type);
  int offset = H5Tget_offset(type);
  if (size < 1 || size > 16 || precision < 1 || precision > 8 * size) return false;
  if (offset < 0 || (size_t)offset > 8 * size - precision) return false;
  return kind == H5T_INTEGER || has_valid_fields(type, precision);
}

/* Whether a value is `count` numbers. */
static bool is_numbers(hid_t space, hid_t type, hssize_t count)
{
  return is_numeric(type) && space >= 0 && H5Sget_simple_extent_npoints(space) == count;
}

/* Filters of HDF5 itself, each once: others are plugins, and what is packed twice can be of any size when unpacked. */
static bool has_own_filters(hid_t creation)
{
  int count = H5Pget_nfilters(creation);
  bool seen[H5Z_FILTER_SCALEOFFSET + 1] = {false};
  for (int k = 0; k < count; k++) {
    size_t parameters = 0;
    unsigned flags, config;
    H5Z_filter_t filter = H5Pget_filter2(creation, (unsigned)k, &flags, &parameters, NULL, 0, NULL, &config);
    if (filter < H5Z_FILTER_DEFLATE || filter > H5Z_FILTER_SCALEOFFSET || seen[filter]) return false;
    seen[filter] = true;
  }
  return count >= 0;
}

/* What of a dataset is not in this file, or needs code that is not HDF5's; NULL if nothing. Asked before its dataspace,
 * for which HDF5 opens the files of a virtual dataset. */
static const char *foreign(hid_t set)
{
  hid_t creation = H5Dget_create_plist(set);
  const char *what = NULL;
  if (creation < 0)
    what = "cannot be read: the file is damaged";
  else if (H5Pget_layout(creation) == H5D_VIRTUAL)
    what = "is a virtual dataset, of other files, which are not read";
  else if (H5Pget_external_count(creation) != 0)
    what = "has its values in other files, which are not read";
  else if (!has_own_filters(creation))
    what = "is packed by a filter that is not one of HDF5's own, or twice by one: h5repack -f GZIP=4 repacks it";
  if (creation >= 0) H5Pclose(creation);
  return what;
}

/* Whether the bytes of values that are not in chunks are those of their shape; HDF5 reads beyond fewer of them. */
static bool is_whole(hid_t set, hid_t space, hid_t type)
{
  hid_t creation = H5Dget_create_plist(set);
  H5D_layout_t layout = creation >= 0 ? H5Pget_layout(creation) : H5D_LAYOUT_ERROR;
  double stored = (double)H5Dget_storage_size(set), size = (double)H5Tget_size(type);
  double needed = (double)H5Sget_simple_extent_npoints(space) * size;
  if (creation >= 0) H5Pclose(creation);
  if (layout == H5D_CONTIGUOUS && stored == 0.0) return true; /* never written */
  return layout == H5D_CHUNKED || ((layout == H5D_COMPACT || layout == H5D_CONTIGUOUS) && stored == needed);
}

/* Why something of this name cannot be opened. */
static sgf_status cannot_open(const sgf_hdf5_input *input, const char *name, sgf_error *error)
{
  H5L_info_t link = {.type = H5L_TYPE_HARD};
  bool there;
  H5E_BEGIN_TRY
  {
    there =
        H5Lexists(input->file, name, input->access) > 0 && H5Lget_info(input->file, name, &link, input->access) >= 0;
  }
  H5E_END_TRY
  if (there && link.type == H5L_TYPE_EXTERNAL)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: %s is a link to another file, which is not followed", input->path,
                    name);
  if (there && link.type != H5L_TYPE_HARD)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: %s is a link to nothing, to itself or to another file", input->path,
                    name);
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset %s is missing", input->path, name);
}

static sgf_status open_dataset(const sgf_hdf5_input *input, const char *name, dataset *opened, sgf_error *error)
{
  bool numeric = false;
  const char *refused = NULL;
  opened->space = opened->type = -1;
  H5E_BEGIN_TRY
  {
    opened->set = H5Oopen(input->file, name, input->access);
    if (opened->set >= 0 && H5Iget_type(opened->set) != H5I_DATASET) {
      H5Oclose(opened->set);
      opened->set = -1;
    }
    if (opened->set >= 0) refused = foreign(opened->set);
    if (opened->set >= 0 && refused == NULL) {
      opened->space = H5Dget_space(opened->set);
      opened->type = H5Dget_type(opened->set);
      numeric = is_numeric(opened->type);
      if (numeric && opened->space >= 0 && !is_whole(opened->set, opened->space, opened->type))
        refused = "has less bytes than its shape: the file is damaged";
    }
  }
  H5E_END_TRY
  if (opened->set < 0) return cannot_open(input, name, error);
  if (numeric && opened->space >= 0 && refused == NULL) return SGF_OK;
  close_dataset(opened);
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: dataset %s %s", input->path, name,
                  refused != NULL ? refused : "is not numeric");
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
  bool there, read = false;
  H5E_BEGIN_TRY
  {
    there = H5Aexists(opened.set, attribute) != 0;
    hid_t found = there ? H5Aopen(opened.set, attribute, H5P_DEFAULT) : -1;
    hid_t space = found >= 0 ? H5Aget_space(found) : -1, type = found >= 0 ? H5Aget_type(found) : -1;
    read = is_numbers(space, type, 1) && H5Aread(found, H5T_NATIVE_DOUBLE, value) >= 0;
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    if (found >= 0) H5Aclose(found);
  }
  H5E_END_TRY
  close_dataset(&opened);
  if (!there || (read && !isnan(*value))) return SGF_OK;
  if (read) /* which stands for none */
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: attribute %s of %s is nan", input->path, attribute, name);
  *value = NAN;
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: attribute %s of %s is not one number", input->path, attribute, name);
}

/* Values in a chunk, which HDF5 unpacks as a whole; 0 where there are no chunks. */
static double chunk_values(hid_t set)
{
  hsize_t chunk[MOST_DIMENSIONS] = {0};
  double count = 0.0;
  H5E_BEGIN_TRY
  {
    hid_t creation = H5Dget_create_plist(set);
    int rank = creation >= 0 ? H5Pget_chunk(creation, MOST_DIMENSIONS, chunk) : 0;
    if (rank > 0) count = 1.0;
    for (int k = 0; k < rank && k < MOST_DIMENSIONS; k++) count *= (double)chunk[k];
    if (creation >= 0) H5Pclose(creation);
  }
  H5E_END_TRY
  return count;
}

/* Bytes that the file holds for the dataset bound what a damaged or hostile header may make us allocate: zlib packs to
 * 1/1032 at best. Errors: SGF_ERROR_VALUE for more, SGF_ERROR_MEMORY for more than the machine has. */
static sgf_status check_plausible(const sgf_hdf5_input *input, const dataset *opened, const char *name, size_t count,
                                  sgf_error *error)
{
  double stored = (double)H5Dget_storage_size(opened->set), size = (double)H5Tget_size(opened->type);
  double values = fmax((double)count, chunk_values(opened->set));
  if (values * size > 2048.0 * (stored + 8.0))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%s: dataset %s claims %zu values, in chunks of %.6g, and holds %.0f bytes", input->path, name,
                    count, chunk_values(opened->set), stored);
  if (8.0 * values > sgf_memory_to_use())
    return sgf_fail(error, SGF_ERROR_MEMORY, "%s: dataset %s has %zu values: %.3g bytes, %.3g may be used",
                    input->path, name, count, 8.0 * values, sgf_memory_to_use());
  return SGF_OK;
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
  SGF_TRY(check_plausible(input, &opened, name, count, error));
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

static bool has_object(const sgf_hdf5_input *input, const char *name, H5I_type_t kind)
{
  bool found;
  H5E_BEGIN_TRY
  {
    hid_t object = H5Oopen(input->file, name, input->access);
    found = object >= 0 && H5Iget_type(object) == kind;
    if (object >= 0) H5Oclose(object);
  }
  H5E_END_TRY
  return found;
}

bool sgf_hdf5_has_dataset(const sgf_hdf5_input *input, const char *name)
{
  return has_object(input, name, H5I_DATASET);
}

bool sgf_hdf5_has_group(const sgf_hdf5_input *input, const char *name) { return has_object(input, name, H5I_GROUP); }

/* A place in a file that holds one value: an attribute or a scalar dataset, whichever is not negative. */
typedef struct {
  hid_t attribute, set, type;
  bool single;
} scalar;

static void open_scalar(const sgf_hdf5_input *input, const char *place, scalar *opened)
{
  const char *slash = strrchr(place, '/'), *name = slash != NULL ? slash + 1 : place;
  char owner[160] = "/";
  *opened = (scalar){-1, -1, -1, false};
  if (slash != NULL) snprintf(owner, sizeof owner, "%.*s", (int)(slash - place), place);
  if (H5Aexists_by_name(input->file, owner, name, input->access) > 0)
    opened->attribute = H5Aopen_by_name(input->file, owner, name, H5P_DEFAULT, input->access);
  else
    opened->set = H5Oopen(input->file, place, input->access);
  if (opened->set >= 0 && (H5Iget_type(opened->set) != H5I_DATASET || foreign(opened->set) != NULL)) {
    H5Oclose(opened->set);
    opened->set = -1;
  }
  if (opened->attribute < 0 && opened->set < 0) return;
  hid_t space = opened->attribute >= 0 ? H5Aget_space(opened->attribute) : H5Dget_space(opened->set);
  opened->type = opened->attribute >= 0 ? H5Aget_type(opened->attribute) : H5Dget_type(opened->set);
  opened->single = space >= 0 && opened->type >= 0 && H5Sget_simple_extent_npoints(space) == 1 &&
                   (opened->set < 0 || is_whole(opened->set, space, opened->type));
  if (space >= 0) H5Sclose(space);
}

static bool read_scalar(const scalar *opened, hid_t type, void *value)
{
  if (opened->attribute >= 0) return H5Aread(opened->attribute, type, value) >= 0;
  return H5Dread(opened->set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0;
}

static void close_scalar(const scalar *opened)
{
  if (opened->type >= 0) H5Tclose(opened->type);
  if (opened->attribute >= 0) H5Aclose(opened->attribute);
  if (opened->set >= 0) H5Dclose(opened->set);
}

double sgf_hdf5_number(const sgf_hdf5_input *input, const char *place)
{
  scalar opened;
  double value = NAN;
  H5E_BEGIN_TRY
  {
    open_scalar(input, place, &opened);
    if (opened.single && is_numeric(opened.type) && !read_scalar(&opened, H5T_NATIVE_DOUBLE, &value)) value = NAN;
    close_scalar(&opened);
  }
  H5E_END_TRY
  return value;
}

/* A text of fixed length, up to this many bytes. */
enum { MOST_TEXT = 4096 };

static char *read_fixed_text(const scalar *opened)
{
  size_t length = H5Tget_size(opened->type);
  char *value = length > 0 && length <= MOST_TEXT ? calloc(length + 1, 1) : NULL;
  if (value == NULL || read_scalar(opened, opened->type, value)) return value;
  free(value);
  return NULL;
}

/* Attributes are written with variable length, data sets with a fixed one. */
char *sgf_hdf5_text(const sgf_hdf5_input *input, const char *place)
{
  scalar opened;
  char *value = NULL, *read = NULL;
  H5E_BEGIN_TRY
  {
    open_scalar(input, place, &opened);
    bool text = opened.single && opened.type >= 0 && H5Tget_class(opened.type) == H5T_STRING;
    if (text && H5Tis_variable_str(opened.type) == 0) value = read_fixed_text(&opened);
    if (text && H5Tis_variable_str(opened.type) > 0 && read_scalar(&opened, opened.type, &read) && read != NULL)
      value = strdup(read);
    H5free_memory(read);
    close_scalar(&opened);
  }
  H5E_END_TRY
  return value;
}

void sgf_hdf5_names(const sgf_hdf5_input *input, char *text, size_t capacity)
{
  enum { MOST_NAMES = 8 };
  H5G_info_t info;
  size_t used = 0;
  text[0] = '\0';
  H5E_BEGIN_TRY
  {
    if (H5Gget_info(input->file, &info) < 0) info.nlinks = 0;
    for (hsize_t k = 0; k < info.nlinks && k < MOST_NAMES && used < capacity; k++) {
      char name[40] = "";
      H5Lget_name_by_idx(input->file, ".", H5_INDEX_NAME, H5_ITER_INC, k, name, sizeof name, H5P_DEFAULT);
      used += (size_t)snprintf(text + used, capacity - used, "%s%s", k > 0 ? ", " : "", name);
    }
    if (info.nlinks > MOST_NAMES && used < capacity) snprintf(text + used, capacity - used, ", ...");
  }
  H5E_END_TRY
}

/* ---------------------------------------------------------- sparse matrices */

/* The attribute shape of a group: two numbers. */
static sgf_status read_shape(const sgf_hdf5_input *input, const char *group, size_t shape[2], sgf_error *error)
{
  double values[2] = {NAN, NAN};
  H5E_BEGIN_TRY
  {
    hid_t found = H5Aopen_by_name(input->file, group, "shape", H5P_DEFAULT, input->access);
    hid_t space = found >= 0 ? H5Aget_space(found) : -1, type = found >= 0 ? H5Aget_type(found) : -1;
    if (is_numbers(space, type, 2)) H5Aread(found, H5T_NATIVE_DOUBLE, values);
    if (type >= 0) H5Tclose(type);
    if (space >= 0) H5Sclose(space);
    if (found >= 0) H5Aclose(found);
  }
  H5E_END_TRY
  for (int k = 0; k < 2; k++) {
    if (!(values[k] >= 0.0 && values[k] <= 0x1p53 && values[k] == floor(values[k])))
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: group %s has no attribute shape of two sizes", input->path, group);
    shape[k] = (size_t)values[k];
  }
  return SGF_OK;
}

/* The attribute format of a group, "csc" when there is none. */
static sgf_status read_format(const sgf_hdf5_input *input, const char *group, bool *by_rows, sgf_error *error)
{
  char text[16] = "csc";
  H5E_BEGIN_TRY
  {
    hid_t found = H5Aopen_by_name(input->file, group, "format", H5P_DEFAULT, input->access);
    hid_t type = found >= 0 ? H5Aget_type(found) : -1, space = found >= 0 ? H5Aget_space(found) : -1;
    bool single = space >= 0 && H5Sget_simple_extent_npoints(space) == 1;
    if (found >= 0) text[0] = '\0';
    if (single && type >= 0 && H5Tis_variable_str(type) > 0) {
      char *read = NULL;
      if (H5Aread(found, type, &read) >= 0 && read != NULL) snprintf(text, sizeof text, "%s", read);
      H5free_memory(read);
    } else if (single && type >= 0 && H5Tget_class(type) == H5T_STRING && H5Tget_size(type) < sizeof text) {
      memset(text, 0, sizeof text);
      H5Aread(found, type, text);
    }
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (found >= 0) H5Aclose(found);
  }
  H5E_END_TRY
  *by_rows = strcmp(text, "csr") == 0;
  if (*by_rows || strcmp(text, "csc") == 0) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: the format of group %s is '%s': csc or csr is expected", input->path,
                  group, text);
}

/* A dataset of counts in a group; *count of them. */
static sgf_status read_counts(const sgf_hdf5_input *input, const char *group, const char *name, size_t *count,
                              double **values, sgf_error *error)
{
  char path[64];
  snprintf(path, sizeof path, "%s/%s", group, name);
  sgf_status status = sgf_hdf5_read(input, path, 1, count, values, error);
  for (size_t k = 0; status == SGF_OK && k < *count; k++)
    if (!(fabs((*values)[k]) <= 0x1p53 && (*values)[k] == floor((*values)[k])))
      status =
          sgf_fail(error, SGF_ERROR_VALUE, "%s: %s[%zu] is %g, not an integer", input->path, path, k, (*values)[k]);
  return status;
}

/* As it is in the file, rows taken for columns where it is kept by rows. */
static sgf_status read_compressed(const sgf_hdf5_input *input, const char *group, size_t major, size_t minor,
                                  sgf_sparse *sparse, sgf_error *error)
{
  double *starts = NULL, *indices = NULL, *values = NULL;
  size_t start_count, index_count, value_count;
  char path[64];
  sgf_status status;
  snprintf(path, sizeof path, "%s/data", group);
  SGF_TRY(sgf_hdf5_read(input, path, 1, &value_count, &values, error));
  SGF_TRY(read_counts(input, group, "indices", &index_count, &indices, error));
  SGF_TRY(read_counts(input, group, "indptr", &start_count, &starts, error));
  if (start_count != major + 1 || index_count != value_count || starts[major] != (double)value_count) {
    status = sgf_fail(error, SGF_ERROR_VALUE,
                      "%s: group %s has %zu data, %zu indices and %zu indptr that end with %g: they do not fit its "
                      "shape and each other",
                      input->path, group, value_count, index_count, start_count,
                      start_count > 0 ? starts[start_count - 1] : NAN);
    goto done;
  }
  SGF_TRY(sgf_sparse_create(minor, major, value_count, sparse, path, error));
  for (size_t k = 0; k <= major; k++) sparse->starts[k] = (int64_t)starts[k];
  for (size_t k = 0; k < value_count; k++) sparse->indices[k] = (int64_t)indices[k];
  memcpy(sparse->values, values, value_count * sizeof *values);
done:
  free(starts);
  free(indices);
  free(values);
  return status;
}

sgf_status sgf_hdf5_read_sparse(const sgf_hdf5_input *input, const char *group, sgf_sparse *sparse, sgf_error *error)
{
  size_t shape[2];
  bool by_rows;
  char what[256];
  sgf_sparse turned;
  sgf_status status;
  *sparse = (sgf_sparse){0};
  SGF_TRY(read_shape(input, group, shape, error));
  SGF_TRY(read_format(input, group, &by_rows, error));
  SGF_TRY(read_compressed(input, group, shape[by_rows ? 0 : 1], shape[by_rows ? 1 : 0], sparse, error));
  snprintf(what, sizeof what, "%s: %s", input->path, group);
  SGF_TRY(sgf_sparse_check(sparse, what, by_rows, error));
  if (!by_rows) goto done;
  turned = *sparse;
  status = sgf_sparse_transpose(&turned, sparse, error);
  sgf_sparse_free(&turned);
done:
  if (status != SGF_OK) sgf_sparse_free(sparse);
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

/* All bytes of a file; NULL, with errno, on failure. */
static void *read_image(const char *path, size_t *size)
{
  struct stat properties;
  FILE *file = fopen(path, "rb");
  if (file == NULL) return NULL;
  void *image = NULL;
  if (fstat(fileno(file), &properties) == 0 && properties.st_size > 0) {
    *size = (size_t)properties.st_size;
    image = malloc(*size);
    if (image != NULL && fread(image, 1, *size, file) != *size) {
      free(image);
      image = NULL;
      errno = EIO;
    }
  }
  fclose(file);
  return image;
}

sgf_status sgf_hdf5_extend(const char *source, const char *path, sgf_hdf5_output *output, sgf_error *error)
{
  char name[4096];
  size_t size = 0;
  hsize_t user_block = 0;
  memset(output, 0, sizeof *output);
  output->file = -1;
  void *image = read_image(source, &size);
  if (image == NULL)
    return sgf_fail(error, errno == ENOMEM ? SGF_ERROR_MEMORY : SGF_ERROR_NO_INPUT, "%s: cannot be read again: %s",
                    source, strerror(errno));
  output->path = strdup(path);
  /* HDF5 wants the name of an image to be none of a file; nothing can exist below a file that is no folder. */
  snprintf(name, sizeof name, "%.4000s/image", source);
  H5E_BEGIN_TRY
  {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, GROWTH, 0);
    if (H5Pset_file_image(access, image, size) >= 0) output->file = H5Fopen(name, H5F_ACC_RDWR, access);
    H5Pclose(access);
    hid_t made = output->file >= 0 ? H5Fget_create_plist(output->file) : -1;
    if (made >= 0) {
      H5Pget_userblock(made, &user_block);
      H5Pclose(made);
    }
  }
  H5E_END_TRY
  free(image);
  if (output->file >= 0 && output->path != NULL && user_block == 0) return SGF_OK;
  if (output->file >= 0) H5Fclose(output->file);
  free(output->path);
  output->file = -1;
  if (user_block > 0)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "%s: it has a user block of %llu bytes and cannot be extended: -o "
                    "writes another file",
                    source, (unsigned long long)user_block);
  return sgf_fail(error, SGF_ERROR_VALUE, "%s: the HDF5 file cannot be extended", source);
}

void sgf_hdf5_remove(sgf_hdf5_output *output, const char *name)
{
  bool removed = true;
  if (output->failed) return;
  H5E_BEGIN_TRY
  {
    if (H5Lexists(output->file, name, H5P_DEFAULT) > 0) removed = H5Ldelete(output->file, name, H5P_DEFAULT) >= 0;
  }
  H5E_END_TRY
  note(output, name, removed);
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

/* A UTF-8 string type of variable length, which h5py reads as str; negative on failure. */
static hid_t text_type(void)
{
  hid_t type;
  H5E_BEGIN_TRY
  {
    type = H5Tcopy(H5T_C_S1);
    if (type >= 0 && (H5Tset_size(type, H5T_VARIABLE) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0)) {
      H5Tclose(type);
      type = -1;
    }
  }
  H5E_END_TRY
  return type;
}

/* ASCII of fixed length: Octave's load reads no data set of another kind of text, and stops at the first. */
void sgf_hdf5_write_text(sgf_hdf5_output *output, const char *name, const char *text)
{
  hid_t type;
  H5E_BEGIN_TRY
  {
    type = H5Tcopy(H5T_C_S1);
    note(output, name, type >= 0 && H5Tset_size(type, strlen(text) + 1) >= 0);
  }
  H5E_END_TRY
  write_dataset(output, name, 0, NULL, type, type, text);
  if (type >= 0) H5Tclose(type);
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
    if (H5Aexists_by_name(output->file, owner, name, H5P_DEFAULT) > 0)
      H5Adelete_by_name(output->file, owner, name, H5P_DEFAULT);
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
  note(output, name, type >= 0);
  write_attribute(output, owner, name, type, type, &text);
  if (type >= 0) H5Tclose(type);
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
