/* Fixtures for bad_input.sh: make_fixtures FOLDER writes HDF5 files there, good ones and ones wrong in one way each;
 * make_fixtures --check FILE says whether FILE is a complete HDF5 file. Exit status 0 or 1. */
#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static void write_trajectories(void)
{
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
  weights[(3 * 50 + 20) * WEIGHTS + 5] = NAN; /* run 3, snapshot 20, weight 5 */
  single("trajectory_nan.h5", "weights", SHAPE(16, 50, WEIGHTS), weights);
}

static int is_complete(const char *path)
{
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
  return file >= 0 && H5Fclose(file) >= 0;
}

int main(int argc, char **argv)
{
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
  return 0;
}
