/* Trajectories that are written while they are made: they read back, and a full disk is an error and nothing
 * worse. */
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../io/trajectory_file.h"
#include "../verify/ensemble.h"
#include "testing.h"

static double *random_weights(const sgf_trajectory_shape *shape)
{
  double *values = new_reals(shape->replicas * shape->snapshots * shape->weights);
  fill_normal(11, shape->replicas * shape->snapshots * shape->weights, values);
  return values;
}

/* Append all snapshots, replica by replica or all replicas abreast, or in a scattered order; stops at an error. */
enum { BY_REPLICA, ABREAST, SCATTERED, ORDERS };

static sgf_status append_all(sgf_trajectory_file *file, const sgf_trajectory_shape *shape, const double *values,
                             int order, sgf_error *error)
{
  size_t R = shape->replicas, T = shape->snapshots, prime = 7919; /* divides no R T of these tests */
  sgf_status status = SGF_OK;
  for (size_t k = 0; k < R * T && status == SGF_OK; k++) {
    size_t index = order == BY_REPLICA ? k : order == ABREAST ? k % R * T + k / R : k * prime % (R * T);
    status = sgf_trajectory_file_append(file, index / T, index % T, values + index * shape->weights, error);
  }
  return status;
}

static void write_file(const char *path, const sgf_trajectory_shape *shape, const double *values, int order)
{
  sgf_error error = {SGF_OK, ""};
  sgf_trajectory_file *file;
  ASSERT_OK(sgf_trajectory_file_create(path, shape, &file, &error), error);
  ASSERT_OK(append_all(file, shape, values, order, &error), error);
  ASSERT_OK(sgf_trajectory_file_finish(file, shape->replicas, &error), error);
}

static size_t leftovers(const char *path)
{
  char pattern[1100];
  glob_t found;
  snprintf(pattern, sizeof pattern, "%s.part-*", path);
  size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
  globfree(&found);
  return count;
}

/* Several snapshots a chunk and a last one that is not full; long runs of few weights; a snapshot of several
 * chunks. */
static const sgf_trajectory_shape SHAPES[] = {{3, 7, 3000, 4, 100}, {2, 5001, 5, 1, 0}, {1, 1, (1 << 20) + 5, 8, 3}};

START_TEST(values_and_attributes_read_back)
{
  sgf_error error = {SGF_OK, ""};
  const char *path = scratch_path("trajectory.h5");
  for (size_t k = 0; k < sizeof SHAPES / sizeof *SHAPES; k++)
    for (int order = 0; order < ORDERS; order++) {
      const sgf_trajectory_shape *shape = &SHAPES[k];
      double *values = random_weights(shape), *read, stride, burn_in;
      size_t found[3], bytes = shape->replicas * shape->snapshots * shape->weights * sizeof *values;
      sgf_hdf5_input input;
      struct stat properties;
      write_file(path, shape, values, order);
      ck_assert_uint_eq(leftovers(path), 0);
      ASSERT_OK(sgf_hdf5_open(path, &input, &error), error);
      ASSERT_OK(sgf_hdf5_read(&input, "weights", 3, found, &read, &error), error);
      ASSERT_OK(sgf_hdf5_read_attribute(&input, "weights", "stride", &stride, &error), error);
      ASSERT_OK(sgf_hdf5_read_attribute(&input, "weights", "burn_in_steps", &burn_in, &error), error);
      sgf_hdf5_close(&input);
      ck_assert(found[0] == shape->replicas && found[1] == shape->snapshots && found[2] == shape->weights);
      ck_assert_mem_eq(read, values, bytes);
      ck_assert(stride == (double)shape->stride && burn_in == (double)shape->burn_in_steps);
      ck_assert(stat(path, &properties) == 0 && (double)properties.st_size < 1.02 * (double)bytes + 16384.0);
      unlink(path);
      free(read);
      free(values);
    }
}
END_TEST

/* The moments are those of the same weights in a file that is written as one array. */
START_TEST(moments_read_back)
{
  sgf_trajectory_shape shape = {6, 500, 8, 3, 50};
  double *values = random_weights(&shape), *moments[2], *means[2];
  sgf_settings settings;
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  const char *path = scratch_path("moments.h5");
  settings_with_widths(&settings, 2, (size_t[]){4, 2});
  settings.data.samples = 30;
  ASSERT_OK(sgf_problem_create(&settings, NULL, false, &problem, &error), error);
  for (int k = 0; k < 2; k++) {
    sgf_ensemble *ensemble;
    if (k == 0) {
      write_file(path, &shape, values, ABREAST);
    } else {
      sgf_hdf5_output output;
      sgf_hdf5_create(path, &output);
      sgf_hdf5_write(&output, "weights", 3, (size_t[]){6, 500, 8}, values);
      ck_assert(sgf_hdf5_finish(&output));
    }
    moments[k] = new_reals(64);
    means[k] = new_reals(8);
    ASSERT_OK(sgf_trajectory_read(path, problem, &ensemble, &error), error);
    ASSERT_OK(sgf_ensemble_moments(ensemble, moments[k], NULL, means[k], &error), error);
    sgf_ensemble_free(ensemble);
    unlink(path);
  }
  ck_assert(sgf_norm(64, moments[0]) > 0.0);
  ck_assert_mem_eq(moments[0], moments[1], 64 * sizeof(double));
  ck_assert_mem_eq(means[0], means[1], 8 * sizeof(double));
  for (int k = 0; k < 2; k++) {
    free(moments[k]);
    free(means[k]);
  }
  free(values);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
}
END_TEST

/* What has not come is NaN, in chunks that have begun and in others, and what does not fit the shape is refused. */
START_TEST(missing_snapshots_are_nan)
{
  sgf_trajectory_shape shape = {2, 9000, 2, 1, 0};
  double *read, theta[2] = {1.0, 2.0};
  size_t found[3];
  sgf_error error = {SGF_OK, ""};
  sgf_trajectory_file *file;
  sgf_hdf5_input input;
  const char *path = scratch_path("missing.h5");
  ASSERT_OK(sgf_trajectory_file_create(path, &shape, &file, &error), error);
  ASSERT_OK(sgf_trajectory_file_append(file, 1, 3, theta, &error), error);
  ck_assert_int_eq(sgf_trajectory_file_append(file, 2, 0, theta, &error), SGF_ERROR_VALUE);
  ck_assert_int_eq(sgf_trajectory_file_append(file, 0, 9000, theta, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_nonnull(strstr(error.message, "9000"));
  ASSERT_OK(sgf_trajectory_file_finish(file, shape.replicas, &error), error);
  ASSERT_OK(sgf_hdf5_open(path, &input, &error), error);
  ASSERT_OK(sgf_hdf5_read(&input, "weights", 3, found, &read, &error), error);
  sgf_hdf5_close(&input);
  for (size_t k = 0; k < 2 * 9000; k++) {
    if (k == 9003)
      ck_assert(read[2 * k] == 1.0 && read[2 * k + 1] == 2.0);
    else
      ck_assert(isnan(read[2 * k]) && isnan(read[2 * k + 1]));
  }
  free(read);
  unlink(path);
}
END_TEST

START_TEST(written_chunks_are_closed)
{
  sgf_trajectory_shape shape = {1, 2, 10000, 1, 0};
  double *theta = new_reals(shape.weights);
  sgf_error error = {SGF_OK, ""};
  sgf_trajectory_file *file;
  ASSERT_OK(sgf_trajectory_file_create(scratch_path("twice.h5"), &shape, &file, &error), error);
  ASSERT_OK(sgf_trajectory_file_append(file, 0, 1, theta, &error), error);
  ck_assert_int_eq(sgf_trajectory_file_append(file, 0, 1, theta, &error), SGF_ERROR_VALUE);
  sgf_trajectory_file_discard(file);
  sgf_trajectory_file_discard(NULL);
  free(theta);
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
  sgf_error error = {SGF_OK, ""};
  sgf_trajectory_file *file;
  const char *path = scratch_path("huge.h5");
  sgf_trajectory_shape huge = {400, 1000000, 100000000, 1, 0}, none = {4, 0, 3, 1, 0};
  ck_assert_int_eq(sgf_trajectory_file_create(path, &huge, &file, &error), SGF_ERROR_CREATE);
  ck_assert_ptr_null(file);
  ck_assert_ptr_nonnull(strstr(error.message, "3.2e+17 bytes"));
  ck_assert_int_eq(sgf_trajectory_file_create(path, &none, &file, &error), SGF_ERROR_VALUE);
  ck_assert_ptr_null(file);
  ck_assert_int_eq(sgf_trajectory_file_create("no/such/folder.h5", &SHAPES[0], &file, &error), SGF_ERROR_CREATE);
  ck_assert_uint_eq(leftovers(path), 0);
}
END_TEST

/* Writing beyond `most` bytes fails with EFBIG, for this process alone, as ENOSPC does on a full disk. */
static void limit_files(rlim_t most)
{
  struct rlimit limit;
  ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
  limit.rlim_cur = most < limit.rlim_max ? most : limit.rlim_max;
  ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* A trajectory on a disk that has room for `most` bytes, from before the creation on or from after it. */
static void check_full_disk(const char *path, const sgf_trajectory_shape *shape, const double *values, rlim_t most,
                            int order)
{
  sgf_error error = {SGF_OK, ""};
  sgf_trajectory_file *file;
  struct stat older, now;
  ck_assert_int_eq(stat(path, &older), 0);
  if (most % 2 == 0) limit_files(most);
  ASSERT_OK(sgf_trajectory_file_create(path, shape, &file, &error), error);
  limit_files(most);
  sgf_status status = append_all(file, shape, values, order, &error);
  if (status == SGF_OK)
    status = sgf_trajectory_file_finish(file, shape->replicas, &error);
  else
    sgf_trajectory_file_discard(file);
  limit_files(RLIM_INFINITY);
  ck_assert_msg(status == SGF_ERROR_WRITE, "status %d with %llu bytes", status, (unsigned long long)most);
  ck_assert_ptr_nonnull(strstr(error.message, strerror(EFBIG)));
  ck_assert_ptr_nonnull(strstr(error.message, path));
  ck_assert(stat(path, &now) == 0 && now.st_ino == older.st_ino && now.st_size == older.st_size);
  ck_assert_uint_eq(leftovers(path), 0);
}

/* The disk fills at some hundred places of the file in turn: in its header, its chunks, their index, before its
 * last byte. Each time an error that says so, the older file as it was, nothing left, and HDF5 able to go on and
 * to exit. */
START_TEST(a_full_disk_is_an_error)
{
  enum { PLACES = 89, HEADER = 4096 };
  sgf_trajectory_shape shape = {16, 20, 1000, 2, 10};
  double *values = random_weights(&shape);
  char path[1024];
  struct stat properties;
  snprintf(path, sizeof path, "%s", scratch_path("full.h5"));
  signal(SIGXFSZ, SIG_IGN);
  write_file(path, &shape, values, BY_REPLICA);
  ck_assert_int_eq(stat(path, &properties), 0);
  rlim_t size = (rlim_t)properties.st_size;
  for (rlim_t most = 0; most < HEADER; most += 255) check_full_disk(path, &shape, values, most, BY_REPLICA);
  for (rlim_t k = 0; k < PLACES; k++) check_full_disk(path, &shape, values, k * size / PLACES, (int)(k % ORDERS));
  check_full_disk(path, &shape, values, size - 1, ABREAST);
  write_file(path, &shape, values, SCATTERED);
  unlink(path);
  free(values);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("trajectory files");
  TCase *tests = tcase_create("trajectory files");
  tcase_set_timeout(tests, 300);
  tcase_add_test(tests, values_and_attributes_read_back);
  tcase_add_test(tests, moments_read_back);
  tcase_add_test(tests, missing_snapshots_are_nan);
  tcase_add_test(tests, written_chunks_are_closed);
  tcase_add_test(tests, impossible_sizes_are_refused);
  tcase_add_test(tests, a_full_disk_is_an_error);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
