/* Fixtures for bad_input.sh: make_fixtures FOLDER writes HDF5 files there, good ones and ones wrong in one way each;
 * make_fixtures --check FILE says whether FILE is a complete HDF5 file; make_fixtures --has FILE DATASET COLUMN VALUE,
 * whether element (0, COLUMN) of a dataset is VALUE to 12 digits; --same A B, whether two outputs have the same numbers to
 * the bit, --same-set A B DATASET, one dataset of them. --change FILE DATASET ELEMENT VALUE sets one number, and
 * --state-version CHECKPOINT makes it one of another version. Exit status 0 or 1. */
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* P, N_0, N_1 and n = N_0 N_1 of the good file; most values in one dataset. */
enum { SAMPLES = 60, INPUTS = 4, OUTPUTS = 2, WEIGHTS = INPUTS * OUTPUTS, MOST = 1 << 14 };

static double X[SAMPLES * INPUTS], Y[SAMPLES * OUTPUTS], weights[MOST], theta[WEIGHTS];

static void check(int good, const char *what)
{
  if (good) return;
  fprintf(stderr, "make_fixtures: %s failed: %s\n", what, strerror(errno));
  exit(1);
}

/* Deterministic, in (-1, 1), without a visible period. */
static double wave(int k, double speed) { return sin(speed * k + 0.01 * speed * k * k); }

static void fill(void)
{
  for (int k = 0; k < SAMPLES * INPUTS; k++) X[k] = 1.5 * wave(k, 1.3);
  for (int i = 0; i < SAMPLES; i++)
    for (int o = 0; o < OUTPUTS; o++) {
      double *y = &Y[i * OUTPUTS + o];
      *y = 0.5 * wave(i + 7 * o, 2.1);
      for (int j = 0; j < INPUTS; j++) *y += 0.3 * (j + 1 - 2 * o) * X[i * INPUTS + j];
    }
  for (int k = 0; k < MOST; k++) weights[k] = wave(k, 0.9);
  for (int k = 0; k < WEIGHTS; k++) theta[k] = wave(k, 3.7);
}

static hid_t create(const char *name)
{
  hid_t file = H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  check(file >= 0, name);
  return file;
}

static void finish(hid_t file) { check(H5Fclose(file) >= 0, "H5Fclose"); }

/* A dataset; values NULL: claimed and never written. */
static void put_as(hid_t file, const char *name, hid_t type, hid_t memory, int rank, const hsize_t *shape,
                   const void *values)
{
  hid_t space = H5Screate_simple(rank, shape, NULL);
  hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  check(set >= 0, name);
  if (values != NULL) check(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, name);
  H5Dclose(set);
  H5Sclose(space);
}

static void put(hid_t file, const char *name, int rank, const hsize_t *shape, const double *values)
{
  put_as(file, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, rank, shape, values);
}

#define SHAPE(...) \
  (int)(sizeof((hsize_t[]){__VA_ARGS__}) / sizeof(hsize_t)), (const hsize_t[]) { __VA_ARGS__ }

static void put_good_X(hid_t file) { put(file, "X", SHAPE(SAMPLES, INPUTS), X); }
static void put_good_Y(hid_t file) { put(file, "Y", SHAPE(SAMPLES, OUTPUTS), Y); }

/* A file of one dataset. */
static void single(const char *path, const char *name, int rank, const hsize_t *shape, const double *values)
{
  hid_t file = create(path);
  put(file, name, rank, shape, values);
  finish(file);
}

/* A file with another X, or another Y, beside the good one. */
static void other_X(const char *path, int rank, const hsize_t *shape, const double *values)
{
  hid_t file = create(path);
  put(file, "X", rank, shape, values);
  put_good_Y(file);
  finish(file);
}

static void other_Y(const char *path, int rank, const hsize_t *shape, const double *values)
{
  hid_t file = create(path);
  put_good_X(file);
  put(file, "Y", rank, shape, values);
  finish(file);
}

/* X with one entry, or one whole column (entry -1), replaced. */
static void changed_X(const char *path, int row, int column, double value)
{
  double changed[SAMPLES * INPUTS];
  memcpy(changed, X, sizeof X);
  for (int i = 0; i < SAMPLES; i++)
    if (row < 0 || i == row) changed[i * INPUTS + column] = value;
  other_X(path, SHAPE(SAMPLES, INPUTS), changed);
}

static void changed_Y(const char *path, int row, int column, double value)
{
  double changed[SAMPLES * OUTPUTS];
  memcpy(changed, Y, sizeof Y);
  changed[row * OUTPUTS + column] = value;
  other_Y(path, SHAPE(SAMPLES, OUTPUTS), changed);
}

static void put_bytes(const char *path, const void *bytes, size_t size, off_t offset, int flags)
{
  int descriptor = open(path, O_WRONLY | flags, 0666);
  check(descriptor >= 0, path);
  check(pwrite(descriptor, bytes, size, offset) == (ssize_t)size, path);
  check(close(descriptor) == 0, path);
}

/* X with a checksum that its bytes do not match. */
static void bad_checksum(const char *path)
{
  hid_t file = create(path), space = H5Screate_simple(SHAPE(SAMPLES, INPUTS), NULL);
  hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
  haddr_t address = HADDR_UNDEF;
  hsize_t offset[2], size;
  unsigned mask;
  check(H5Pset_chunk(layout, SHAPE(SAMPLES, INPUTS)) >= 0 && H5Pset_fletcher32(layout) >= 0, path);
  hid_t set = H5Dcreate2(file, "X", H5T_IEEE_F64LE, space, H5P_DEFAULT, layout, H5P_DEFAULT);
  check(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, X) >= 0, path);
  check(H5Fflush(file, H5F_SCOPE_GLOBAL) >= 0, path);
  check(H5Dget_chunk_info(set, space, 0, offset, &mask, &address, &size) >= 0, path);
  H5Dclose(set);
  H5Pclose(layout);
  H5Sclose(space);
  put_good_Y(file);
  finish(file);
  put_bytes(path, "damaged", 7, (off_t)address + 80, 0);
}

static void strings(const char *path)
{
  static const char text[SAMPLES * INPUTS][8] = {"one", "two"};
  hid_t file = create(path), type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, 8);
  put_as(file, "X", type, type, SHAPE(SAMPLES, INPUTS), text);
  put_good_Y(file);
  H5Tclose(type);
  finish(file);
}

static void group_for_X(const char *path)
{
  hid_t file = create(path), group = H5Gcreate2(file, "X", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  check(group >= 0, path);
  H5Gclose(group);
  put_good_Y(file);
  finish(file);
}

static void scaled_X(const char *path, double factor)
{
  double scaled[SAMPLES * INPUTS];
  for (size_t k = 0; k < SAMPLES * INPUTS; k++) scaled[k] = factor * X[k];
  other_X(path, SHAPE(SAMPLES, INPUTS), scaled);
}

static void few_samples(const char *path)
{
  hid_t file = create(path);
  put(file, "X", SHAPE(INPUTS - 1, INPUTS), X);
  put(file, "Y", SHAPE(INPUTS - 1, OUTPUTS), Y);
  finish(file);
}

static void write_data(void)
{
  static const char words[] = "column a, column b\n1, 2\n";
  static unsigned char noise[512];
  hid_t file = create("good.h5");
  put_good_X(file);
  put_good_Y(file);
  finish(file);
  put_bytes("not_hdf5.h5", words, sizeof words - 1, 0, O_CREAT | O_TRUNC);
  put_bytes("empty.h5", words, 0, 0, O_CREAT | O_TRUNC);
  other_X("truncated.h5", SHAPE(SAMPLES, INPUTS), X);
  check(truncate("truncated.h5", 2500) == 0, "truncate");
  memset(noise, 0xa5, sizeof noise);
  other_X("damaged.h5", SHAPE(SAMPLES, INPUTS), X);
  put_bytes("damaged.h5", noise, sizeof noise, 96, 0); /* behind the superblock: the root group */
  bad_checksum("checksum.h5");
  single("missing_X.h5", "Y", SHAPE(SAMPLES, OUTPUTS), Y);
  single("missing_Y.h5", "X", SHAPE(SAMPLES, INPUTS), X);
  other_X("rank_X.h5", SHAPE(SAMPLES * INPUTS), X);
  other_Y("rank_Y.h5", SHAPE(SAMPLES, OUTPUTS, 1), Y);
  other_X("rank6_X.h5", SHAPE(SAMPLES, INPUTS, 1, 1, 1, 1), X);
  other_X("shape_X.h5", SHAPE(SAMPLES, INPUTS - 1), X);
  other_X("transposed_X.h5", SHAPE(INPUTS, SAMPLES), X);
  other_Y("shape_Y.h5", SHAPE(SAMPLES, OUTPUTS + 1), weights);
  other_X("no_rows.h5", SHAPE(0, INPUTS), NULL);
  other_Y("samples_differ.h5", SHAPE(SAMPLES - 1, OUTPUTS), Y);
  changed_X("nan_X.h5", 17, 2, NAN);
  changed_Y("inf_Y.h5", 31, 1, INFINITY);
  changed_X("overflow_X.h5", 17, 2, 1e200);
  scaled_X("tiny_X.h5", 1e-80);
  changed_X("constant_column.h5", -1, 1, 1.5);
  changed_X("zero_column.h5", -1, 1, 0.0);
  few_samples("few_samples.h5");
  strings("string_X.h5");
  group_for_X("group_X.h5");
  other_X("huge_X.h5", SHAPE((hsize_t)1 << 40, INPUTS), NULL);
}

static void write_weights(void)
{
  single("weights.h5", "W1", SHAPE(OUTPUTS, INPUTS), theta);
  single("weights_shape.h5", "W1", SHAPE(INPUTS, OUTPUTS), theta);
  single("weights_rank.h5", "W1", SHAPE(WEIGHTS), theta);
  single("weights_missing.h5", "W2", SHAPE(OUTPUTS, INPUTS), theta);
  theta[3] = NAN;
  single("weights_nan.h5", "W1", SHAPE(OUTPUTS, INPUTS), theta);
}

/* With an attribute `stride`. */
static void trajectory(const char *path, double stride)
{
  hid_t file = create(path), space = H5Screate(H5S_SCALAR);
  put(file, "weights", SHAPE(16, 50, WEIGHTS), weights);
  hid_t attribute =
      H5Acreate_by_name(file, "weights", "stride", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  check(H5Awrite(attribute, H5T_NATIVE_DOUBLE, &stride) >= 0, path);
  H5Aclose(attribute);
  H5Sclose(space);
  finish(file);
}

static void write_trajectories(void)
{
  trajectory("trajectory_stride_nan.h5", NAN);
  trajectory("trajectory_stride_0.h5", 0.0);
  trajectory("trajectory_stride_negative.h5", -2.0);
  trajectory("trajectory_stride_huge.h5", 1e300);
  single("trajectory.h5", "weights", SHAPE(16, 50, WEIGHTS), weights);
  single("trajectory_one_run.h5", "weights", SHAPE(480, WEIGHTS), weights);
  single("trajectory_missing.h5", "theta", SHAPE(16, 50, WEIGHTS), weights);
  single("trajectory_n.h5", "weights", SHAPE(16, 50, WEIGHTS - 1), weights);
  single("trajectory_rank1.h5", "weights", SHAPE(50 * WEIGHTS), weights);
  single("trajectory_rank4.h5", "weights", SHAPE(2, 8, 50, WEIGHTS), weights);
  single("trajectory_short.h5", "weights", SHAPE(10, WEIGHTS), weights);
  single("trajectory_one_snapshot.h5", "weights", SHAPE(16, 1, WEIGHTS), weights);
  single("trajectory_two_runs.h5", "weights", SHAPE(2, 50, WEIGHTS), weights);
  single("trajectory_huge.h5", "weights", SHAPE((hsize_t)1 << 31, (hsize_t)1 << 31, WEIGHTS), NULL);
  weights[(3 * 50 + 20) * WEIGHTS + 5] = 1e200;
  single("trajectory_overflow.h5", "weights", SHAPE(16, 50, WEIGHTS), weights);
  weights[(3 * 50 + 20) * WEIGHTS + 5] = NAN; /* run 3, snapshot 20, weight 5 */
  single("trajectory_nan.h5", "weights", SHAPE(16, 50, WEIGHTS), weights);
}

/* ---------------------------------------------------------------- equations */

enum { SIZE = 3 };
static const double drift[] = {1, 0.3, 0, -0.3, 2, 0, 0, 0, 0.5}, covariance[] = {1, 0, 0.1, 0, 2, 0, 0.1, 0, 1};

static void equation(const char *path, const char *name, int rank, const hsize_t *shape, const double *values)
{
  hid_t file = create(path);
  if (strcmp(name, "A") != 0) put(file, "A", SHAPE(SIZE, SIZE), drift);
  if (strcmp(name, "Q") != 0 && strcmp(name, "B") != 0) put(file, "Q", SHAPE(SIZE, SIZE), covariance);
  put(file, name, rank, shape, values);
  finish(file);
}

/* One entry of A or Q changed. */
static void changed_equation(const char *path, const char *name, int element, double value)
{
  double values[SIZE * SIZE];
  memcpy(values, name[0] == 'A' ? drift : covariance, sizeof values);
  values[element] = value;
  equation(path, name, SHAPE(SIZE, SIZE), values);
}

/* A as a sparse group of which some things may be wrong. */
static void sparse_equation(const char *path, const char *format, hsize_t shape, int last_start, int last_index)
{
  const double data[] = {1, -0.3, 0.3, 2, 0.5};
  const int indices[] = {0, 1, 0, 1, last_index}, starts[] = {0, 2, 4, last_start};
  hid_t file = create(path), group = H5Gcreate2(file, "A", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), space, type,
        attribute;
  hsize_t sizes[2] = {shape, shape}, two = 2;
  put_as(group, "data", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, SHAPE(5), data);
  put_as(group, "indices", H5T_STD_I32LE, H5T_NATIVE_INT, SHAPE(5), indices);
  put_as(group, "indptr", H5T_STD_I32LE, H5T_NATIVE_INT, SHAPE(4), starts);
  if (shape > 0) {
    space = H5Screate_simple(1, &two, NULL);
    attribute = H5Acreate2(group, "shape", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT);
    check(H5Awrite(attribute, H5T_NATIVE_HSIZE, sizes) >= 0, path);
    H5Aclose(attribute);
    H5Sclose(space);
  }
  if (format != NULL) {
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, strlen(format));
    space = H5Screate(H5S_SCALAR);
    attribute = H5Acreate2(group, "format", type, space, H5P_DEFAULT, H5P_DEFAULT);
    check(H5Awrite(attribute, type, format) >= 0, path);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
  }
  H5Gclose(group);
  put(file, "Q", SHAPE(SIZE, SIZE), covariance);
  finish(file);
}

static void text_file(const char *path, const char *text)
{
  put_bytes(path, text, strlen(text), 0, O_CREAT | O_TRUNC);
}

static void write_equations(void)
{
  const double both[] = {1, 2, 3, 4, 5, 6}, singular[] = {1, 0, 0, 0, 0, 0, 0, 0, 2},
               unit[] = {1, 0, 0, 0, 0, 0, 0, 0, 1}, slow[] = {1e-310, 0, 0, 0, 1e-310, 0, 0, 0, 1e-310};
  equation("system.h5", "note", SHAPE(6), both);
  equation("system_B.h5", "B", SHAPE(SIZE, 2), both);
  equation("system_X0.h5", "X0", SHAPE(SIZE, SIZE), unit);
  equation("system_both.h5", "B", SHAPE(SIZE, 2), both);
  hid_t file = H5Fopen("system_both.h5", H5F_ACC_RDWR, H5P_DEFAULT);
  put(file, "Q", SHAPE(SIZE, SIZE), covariance);
  finish(file);
  file = create("system_singular.h5");
  put(file, "A", SHAPE(SIZE, SIZE), singular);
  put(file, "Q", SHAPE(SIZE, SIZE), unit);
  put(file, "X0", SHAPE(SIZE, SIZE), covariance);
  finish(file);
  equation("system_A_rank.h5", "A", SHAPE(SIZE * SIZE), drift);
  equation("system_A_shape.h5", "A", SHAPE(SIZE, 2), drift);
  equation("system_Q_shape.h5", "Q", SHAPE(2, SIZE), covariance);
  equation("system_B_shape.h5", "B", SHAPE(2, SIZE), covariance);
  equation("system_A_huge.h5", "A", SHAPE((hsize_t)1 << 24, (hsize_t)1 << 24), NULL);
  single("system_no_A.h5", "a", SHAPE(SIZE, SIZE), drift);
  single("system_no_Q.h5", "A", SHAPE(SIZE, SIZE), drift);
  equation("system_overflow.h5", "A", SHAPE(SIZE, SIZE), slow);
  changed_equation("system_nan.h5", "A", 5, NAN);
  changed_equation("system_inf.h5", "Q", 4, INFINITY);
  changed_equation("system_asymmetric.h5", "Q", 1, 0.5);
  changed_equation("system_unstable.h5", "A", 8, -0.5);
  changed_equation("system_driven.h5", "A", 8, 0.0);
  changed_equation("system_ambiguous.h5", "A", 8, 1e-13);
  sparse_equation("system_csc.h5", NULL, SIZE, 5, 2);
  sparse_equation("system_rows.h5", "csr", SIZE, 5, 7);
  sparse_equation("system_csr.h5", "csr", SIZE, 5, 2);
  sparse_equation("system_coo.h5", "coo", SIZE, 5, 2);
  sparse_equation("system_index.h5", "csc", SIZE, 5, 3);
  sparse_equation("system_indptr.h5", "csc", SIZE, 6, 2);
  sparse_equation("system_no_shape.h5", "csc", 0, 5, 2);
  sparse_equation("system_sparse_shape.h5", "csc", 4, 5, 2);
  text_file("A.mtx",
            "%%MatrixMarket matrix coordinate real general\n3 3 5\n1 1 1\n2 1 -0.3\n1 2 0.3\n2 2 2\n3 3 0.5\n");
  text_file("Q.mtx", "%%MatrixMarket matrix array real symmetric\n3 3\n1\n0\n0.1\n2\n0\n1\n");
  text_file("B.mtx", "%%MatrixMarket matrix array real general\n3 2\n1\n3\n5\n2\n4\n6\n");
  text_file("bad.mtx", "%%MatrixMarket matrix coordinate real general\n3 3 1\n1 4 1\n");
  text_file("small.mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 1\n");
  text_file("half.mtx", "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 1 0.5\n");
  text_file("wide.mtx", "%%MatrixMarket matrix coordinate real general\n2 3 1\n1 1 1\n");
}

static int is_complete(const char *path)
{
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  return file >= 0 && H5Fclose(file) >= 0;
}

static int has(const char *path, const char *name, const char *column, const char *value)
{
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), set = H5Dopen2(file, name, H5P_DEFAULT);
  hid_t space = H5Dget_space(set);
  hssize_t count = H5Sget_simple_extent_npoints(space);
  long element = strtol(column, NULL, 10);
  double wanted = strtod(value, NULL), *values = count > element ? calloc((size_t)count, sizeof *values) : NULL;
  int found = values != NULL && H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0 &&
              fabs(values[element] - wanted) <= 1e-12 * fabs(wanted);
  free(values);
  return found;
}

static herr_t compare_set(hid_t file, const char *name, const H5O_info_t *info, void *context)
{
  hid_t other = *(hid_t *)context;
  if (info->type != H5O_TYPE_DATASET) return 0;
  hid_t sets[2] = {H5Dopen2(file, name, H5P_DEFAULT), H5Dopen2(other, name, H5P_DEFAULT)};
  double *values[2];
  hssize_t counts[2];
  for (int k = 0; k < 2; k++) {
    counts[k] = H5Sget_simple_extent_npoints(H5Dget_space(sets[k]));
    values[k] = calloc(counts[k] > 0 ? (size_t)counts[k] : 1, sizeof **values);
    H5Dread(sets[k], H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values[k]);
    H5Dclose(sets[k]);
  }
  bool same = counts[0] > 0 && counts[0] == counts[1] &&
              memcmp(values[0], values[1], (size_t)counts[0] * sizeof **values) == 0;
  if (!same) printf("%s differs\n", name);
  free(values[0]);
  free(values[1]);
  return same ? 0 : 1;
}

/* Whether all numerical datasets of one file are in the other, with the same bits. */
static int same(const char *path, const char *other_path)
{
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT), other = H5Fopen(other_path, H5F_ACC_RDONLY, H5P_DEFAULT);
  if (file < 0 || other < 0) return 0;
  return H5Ovisit(file, H5_INDEX_NAME, H5_ITER_NATIVE, compare_set, &other) == 0;
}

/* Make the file one of another version. */
static int set_version(const char *path, const char *version)
{
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), attribute = H5Aopen(file, "version", H5P_DEFAULT);
  hid_t type = H5Aget_type(attribute);
  int written = H5Awrite(attribute, type, &version) >= 0;
  H5Tclose(type);
  H5Aclose(attribute);
  return H5Fclose(file) >= 0 && written;
}

/* Whether two sets of numbers, or attributes, are the same bits; *count of what was compared. Texts are not. */
static int same_values(hid_t one, hid_t other, int attribute, size_t *count)
{
  hid_t types[2] = {attribute ? H5Aget_type(one) : H5Dget_type(one),
                    attribute ? H5Aget_type(other) : H5Dget_type(other)};
  hid_t spaces[2] = {attribute ? H5Aget_space(one) : H5Dget_space(one),
                     attribute ? H5Aget_space(other) : H5Dget_space(other)};
  size_t size = H5Tget_size(types[0]) * (size_t)H5Sget_simple_extent_npoints(spaces[0]);
  H5T_class_t class = H5Tget_class(types[0]);
  int same = H5Tequal(types[0], types[1]) > 0 && H5Sextent_equal(spaces[0], spaces[1]) > 0;
  if (same && (class == H5T_FLOAT || class == H5T_INTEGER)) {
    char *a = calloc(1, size + 1), *b = calloc(1, size + 1);
    check(a != NULL && b != NULL, "memory");
    if (attribute)
      same = H5Aread(one, types[0], a) >= 0 && H5Aread(other, types[0], b) >= 0;
    else
      same = H5Dread(one, types[0], H5S_ALL, H5S_ALL, H5P_DEFAULT, a) >= 0 &&
             H5Dread(other, types[0], H5S_ALL, H5S_ALL, H5P_DEFAULT, b) >= 0;
    same = same && memcmp(a, b, size) == 0;
    *count += 1;
    free(a);
    free(b);
  }
  for (int k = 0; k < 2; k++) {
    H5Tclose(types[k]);
    H5Sclose(spaces[k]);
  }
  return same;
}

/* The attributes of an object, but the wall time. */
static int same_attributes(hid_t one, hid_t other, size_t *count)
{
  int same = 1, attributes = H5Aget_num_attrs(one);
  for (int k = 0; k < attributes && same; k++) {
    char name[200];
    hid_t a = H5Aopen_by_idx(one, ".", H5_INDEX_NAME, H5_ITER_INC, (hsize_t)k, H5P_DEFAULT, H5P_DEFAULT);
    H5Aget_name(a, sizeof name, name);
    hid_t b = H5Aopen(other, name, H5P_DEFAULT);
    same = b >= 0 && (strcmp(name, "seconds") == 0 || same_values(a, b, 1, count));
    if (!same) fprintf(stderr, "attribute %s differs\n", name);
    if (b >= 0) H5Aclose(b);
    H5Aclose(a);
  }
  return same;
}

/* Everything below a group: the same members with the same bits. */
static int same_group(hid_t one, hid_t other, size_t *count)
{
  H5G_info_t info, others;
  int same = H5Gget_info(one, &info) >= 0 && H5Gget_info(other, &others) >= 0 && info.nlinks == others.nlinks;
  for (hsize_t k = 0; k < info.nlinks && same; k++) {
    char name[200];
    H5Lget_name_by_idx(one, ".", H5_INDEX_NAME, H5_ITER_INC, k, name, sizeof name, H5P_DEFAULT);
    hid_t a = H5Oopen(one, name, H5P_DEFAULT), b = H5Oopen(other, name, H5P_DEFAULT);
    same = a >= 0 && b >= 0 && same_attributes(a, b, count) &&
           (H5Iget_type(a) == H5I_GROUP ? same_group(a, b, count) : same_values(a, b, 0, count));
    if (!same) fprintf(stderr, "%s differs\n", name);
    if (b >= 0) H5Oclose(b);
    if (a >= 0) H5Oclose(a);
  }
  return same;
}

/* Outputs of one config: the same numbers, to the bit. */
static int same_files(const char *one, const char *other)
{
  size_t count = 0;
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  hid_t a = H5Fopen(one, H5F_ACC_RDONLY, H5P_DEFAULT), b = H5Fopen(other, H5F_ACC_RDONLY, H5P_DEFAULT);
  return a >= 0 && b >= 0 && same_group(a, b, &count) && count > 5;
}

/* One dataset of two outputs: the same bits. */
static int same_sets(const char *one, const char *other, const char *name)
{
  size_t count = 0;
  hid_t a = H5Fopen(one, H5F_ACC_RDONLY, H5P_DEFAULT), b = H5Fopen(other, H5F_ACC_RDONLY, H5P_DEFAULT);
  hid_t first = H5Dopen2(a, name, H5P_DEFAULT), second = H5Dopen2(b, name, H5P_DEFAULT);
  return first >= 0 && second >= 0 && same_values(first, second, 0, &count) && count == 1;
}

/* Set one element of a dataset. */
static int change(const char *path, const char *name, const char *element, const char *value)
{
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, name, H5P_DEFAULT);
  hssize_t count = H5Sget_simple_extent_npoints(H5Dget_space(set));
  long at = strtol(element, NULL, 10);
  double *values = count > at ? calloc((size_t)count, sizeof *values) : NULL;
  int good = values != NULL && H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  if (good) {
    values[at] = strtod(value, NULL);
    good = H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
  }
  free(values);
  return H5Dclose(set) >= 0 && H5Fclose(file) >= 0 && good;
}

/* Make a checkpoint one of version 9.x: the text after the head of 24 bytes and its length of 8; the checksum 24 bytes
 * before the end is put right. */
static int set_state_version(const char *path)
{
  static unsigned char content[1 << 22];
  FILE *file = fopen(path, "r+b");
  if (file == NULL) return 0;
  size_t size = fread(content, 1, sizeof content, file);
  content[32] = '9';
  uint64_t sum = crc32(0, content + 24, (unsigned)(size - 56));
  memcpy(content + size - 24, &sum, sizeof sum);
  rewind(file);
  int written = size > 100 && size < sizeof content && fwrite(content, 1, size, file) == size;
  return fclose(file) == 0 && written;
}

/* ------------------------------------------------------------------ hostile */

/* X by other properties, Y good; secret.h5 and secret.raw have what would be found where these lead. */
static void put_with(hid_t file, const char *name, hid_t creation, int rank, const hsize_t *shape, const void *values)
{
  hid_t space = H5Screate_simple(rank, shape, NULL);
  hid_t set = H5Dcreate2(file, name, H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  check(set >= 0, name);
  if (values != NULL) check(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0, name);
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(creation);
}

static void linked(const char *path, const char *name, const char *file, const char *object)
{
  hid_t made = create(path);
  if (file != NULL)
    check(H5Lcreate_external(file, object, made, name, H5P_DEFAULT, H5P_DEFAULT) >= 0, path);
  else
    check(H5Lcreate_soft(object, made, name, H5P_DEFAULT, H5P_DEFAULT) >= 0, path);
  if (strcmp(name, "X") == 0) put_good_Y(made);
  finish(made);
}

static void linked_inside(const char *path)
{
  hid_t file = create(path);
  check(H5Lcreate_external("secret.h5", "/", file, "elsewhere", H5P_DEFAULT, H5P_DEFAULT) >= 0, path);
  check(H5Lcreate_soft("/elsewhere/X", file, "X", H5P_DEFAULT, H5P_DEFAULT) >= 0, path);
  put_good_Y(file);
  finish(file);
}

static void stored_elsewhere(const char *path)
{
  hid_t file = create(path), creation = H5Pcreate(H5P_DATASET_CREATE);
  put_bytes("secret.raw", X, sizeof X, 0, O_CREAT | O_TRUNC);
  check(H5Pset_external(creation, "secret.raw", 0, sizeof X) >= 0, path);
  put_with(file, "X", creation, SHAPE(SAMPLES, INPUTS), NULL);
  put_good_Y(file);
  finish(file);
}

static void virtual(const char *path, const char *name, const char *source, const char *set, int rank,
                    const hsize_t *shape)
{
  hid_t file = create(path), creation = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, shape, NULL);
  check(H5Pset_virtual(creation, space, source, set, space) >= 0, path);
  put_with(file, name, creation, rank, shape, NULL);
  if (strcmp(name, "X") == 0) put_good_Y(file);
  H5Sclose(space);
  finish(file);
}

/* Packed by a filter of a plugin, or twice by zlib: a few kilobytes can then be gigabytes. */
static void packed(const char *path, H5Z_filter_t filter)
{
  hid_t file = create(path), creation = H5Pcreate(H5P_DATASET_CREATE);
  unsigned level = 9;
  check(H5Pset_chunk(creation, SHAPE(SAMPLES, INPUTS)) >= 0 && H5Pset_deflate(creation, 9) >= 0 &&
            H5Pset_filter(creation, filter, H5Z_FLAG_OPTIONAL, 1, &level) >= 0,
        path);
  put_with(file, "X", creation, SHAPE(SAMPLES, INPUTS), X);
  put_good_Y(file);
  finish(file);
}

/* One row, in a chunk of two gigabytes, of which the file has 64 bytes. */
static void bomb(const char *path)
{
  hid_t file = create(path), creation = H5Pcreate(H5P_DATASET_CREATE);
  hsize_t shape[2] = {1, INPUTS}, most[2] = {H5S_UNLIMITED, INPUTS}, offset[2] = {0, 0};
  hid_t space = H5Screate_simple(2, shape, most);
  check(H5Pset_chunk(creation, SHAPE((hsize_t)1 << 26, INPUTS)) >= 0 && H5Pset_deflate(creation, 9) >= 0, path);
  hid_t set = H5Dcreate2(file, "X", H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  check(set >= 0 && H5Dwrite_chunk(set, H5P_DEFAULT, 0, offset, 64, X) >= 0, path);
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(creation);
  put_good_Y(file);
  finish(file);
}

static void references(const char *path)
{
  hid_t file = create(path);
  hobj_ref_t values[SAMPLES * INPUTS];
  put_good_Y(file);
  for (int k = 0; k < SAMPLES * INPUTS; k++) check(H5Rcreate(&values[k], file, "Y", H5R_OBJECT, -1) >= 0, path);
  put_as(file, "X", H5T_STD_REF_OBJ, H5T_STD_REF_OBJ, SHAPE(SAMPLES, INPUTS), values);
  finish(file);
}

/* Sequences of a length that is not in the type. */
static void sequences(const char *path)
{
  hid_t file = create(path), type = H5Tvlen_create(H5T_IEEE_F64LE);
  hvl_t values[SAMPLES];
  for (int k = 0; k < SAMPLES; k++) values[k] = (hvl_t){(size_t)(k % 7), X};
  put_as(file, "X", type, type, SHAPE(SAMPLES), values);
  put_good_Y(file);
  H5Tclose(type);
  finish(file);
}

/* A sparse A whose format is not one text but many. */
static void many_formats(const char *path, bool variable)
{
  const char *texts[64], fixed[64][16] = {"csc"};
  sparse_equation(path, NULL, SIZE, 5, 2);
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), type = H5Tcopy(H5T_C_S1);
  hsize_t count = 64;
  hid_t space = H5Screate_simple(1, &count, NULL);
  H5Tset_size(type, variable ? H5T_VARIABLE : 15);
  hid_t attribute = H5Acreate_by_name(file, "A", "format", type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  for (int k = 0; k < 64; k++) texts[k] = "csc";
  check(H5Awrite(attribute, type, variable ? (const void *)texts : (const void *)fixed) >= 0, path);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Tclose(type);
  finish(file);
}

/* A group that has itself, and a name that a terminal would obey. */
static void strange_names(void)
{
  hid_t file = create("hostile_recursive.h5"), group = H5Gcreate2(file, "A", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  check(H5Lcreate_hard(file, "A", group, "A", H5P_DEFAULT, H5P_DEFAULT) >= 0, "hostile_recursive.h5");
  check(H5Lcreate_hard(file, "A", group, "data", H5P_DEFAULT, H5P_DEFAULT) >= 0, "hostile_recursive.h5");
  H5Gclose(group);
  finish(file);
  single("hostile_name.h5", "\033[2J\nsgflow: agree", SHAPE(SIZE), drift);
}

/* An equation whose X is a link to another file's: writing X must not change that one. */
static void linked_solution(const char *path)
{
  equation(path, "note", SHAPE(SIZE), drift);
  hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT);
  check(H5Lcreate_external("secret.h5", "/X", file, "X", H5P_DEFAULT, H5P_DEFAULT) >= 0, path);
  check(H5Lcreate_external("secret.h5", "/Y", file, "Z", H5P_DEFAULT, H5P_DEFAULT) >= 0, path);
  finish(file);
}

static void write_hostile(void)
{
  hid_t file = create("secret.h5");
  put_good_X(file);
  put_good_Y(file);
  put(file, "A", SHAPE(SIZE, SIZE), drift);
  put(file, "Q", SHAPE(SIZE, SIZE), covariance);
  put(file, "W1", SHAPE(OUTPUTS, INPUTS), X);
  put(file, "weights", SHAPE(16, 50, WEIGHTS), weights);
  finish(file);
  linked("hostile_link.h5", "X", "secret.h5", "/X");
  linked("hostile_loop.h5", "X", NULL, "/X");
  linked("hostile_nothing.h5", "X", NULL, "/nothing/X");
  linked("hostile_weights.h5", "W1", "secret.h5", "/W1");
  linked("hostile_trajectory.h5", "weights", "secret.h5", "/weights");
  linked("hostile_system.h5", "A", "secret.h5", "/A");
  linked_inside("hostile_inside.h5");
  stored_elsewhere("hostile_storage.h5");
  virtual("hostile_virtual.h5", "X", "secret.h5", "/X", SHAPE(SAMPLES, INPUTS));
  virtual("hostile_own.h5", "X", ".", "/Y", SHAPE(SAMPLES, OUTPUTS));
  virtual("hostile_virtual_runs.h5", "weights", "secret.h5", "/weights", SHAPE(16, 50, WEIGHTS));
  packed("hostile_filter.h5", 32015);
  packed("hostile_twice.h5", H5Z_FILTER_DEFLATE);
  bomb("hostile_bomb.h5");
  references("hostile_references.h5");
  sequences("hostile_sequences.h5");
  many_formats("hostile_formats.h5", false);
  many_formats("hostile_texts.h5", true);
  strange_names();
  linked_solution("hostile_solution.h5");
}

int main(int argc, char **argv)
{
  if (argc == 5 && strcmp(argv[1], "--same-set") == 0) return same_sets(argv[2], argv[3], argv[4]) ? 0 : 1;
  if (argc == 6 && strcmp(argv[1], "--change") == 0) return change(argv[2], argv[3], argv[4], argv[5]) ? 0 : 1;
  if (argc == 3 && strcmp(argv[1], "--state-version") == 0) return set_state_version(argv[2]) ? 0 : 1;
  if (argc == 4 && strcmp(argv[1], "--same") == 0) return same_files(argv[2], argv[3]) ? 0 : 1;
  if (argc == 4 && strcmp(argv[1], "--version") == 0) return set_version(argv[2], argv[3]) ? 0 : 1;
  if (argc == 6 && strcmp(argv[1], "--has") == 0) return has(argv[2], argv[3], argv[4], argv[5]) ? 0 : 1;
  if (argc == 4 && strcmp(argv[1], "--same") == 0) return same(argv[2], argv[3]) ? 0 : 1;
  if (argc == 3 && strcmp(argv[1], "--check") == 0) return is_complete(argv[2]) ? 0 : 1;
  if (argc != 2) {
    fputs("Usage: make_fixtures FOLDER, or make_fixtures --check FILE\n", stderr);
    return 1;
  }
  check(chdir(argv[1]) == 0, argv[1]);
  fill();
  write_data();
  write_weights();
  write_trajectories();
  write_equations();
  write_hostile();
  return 0;
}
