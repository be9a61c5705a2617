/* Weights of SGD as they were at regular steps, written while they are made.
 *
 * Snapshots of a replica are gathered until they fill a chunk, and every chunk is written once, as a whole: one that
 * HDF5 had to open again would be compressed to another size and leave a hole in the file. */
#include "trajectory_file.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "../theory/memory.h"
#include "atomic_file.h"
#include "hdf5_stream.h"

/* Bytes of a chunk. About 16384 chunks at most while they stay within the bounds: HDF5 keeps the index of so many in
 * its cache and need not read it again. */
static const double LEAST_CHUNK = 65536.0, MOST_CHUNK = 8388608.0, CHUNKS = 16384.0;
/* Share of the usable memory for one chunk of each replica. */
static const double SHARE_OF_MEMORY = 0.125;
/* Of gzip: levels 4 to 9 take off 1 to 3 % more of snapshots of SGD. */
enum { COMPRESSION = 1 };

struct sgf_trajectory_file {
  sgf_trajectory_shape shape;
  size_t rows;       /* snapshots of a block: a chunk, or a row of chunks where a snapshot is longer than that */
  size_t blocks;     /* of a replica */
  double **gathered; /* (R, blocks) snapshots (rows, n) of blocks that have begun and are not written */
  size_t *filled;    /* (R, blocks) how many of a block's snapshots have come */
  char *path;        /* as the caller calls it */
  sgf_atomic_file place;
  sgf_hdf5_stream stream;
  sgf_hdf5_output output;
  hid_t set;
};

/* ---------------------------------------------------------------- creation */

static sgf_status check_room(const sgf_trajectory_file *file, sgf_error *error)
{
  const sgf_trajectory_shape *shape = &file->shape;
  double bytes = 8.0 * (double)shape->replicas * (double)shape->snapshots * (double)shape->weights;
  struct statvfs disk;
  if (statvfs(file->place.temporary, &disk) != 0) return SGF_OK; /* a file system that cannot tell */
  double room = (double)disk.f_bavail * (double)disk.f_frsize;
  if (bytes <= room) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_CREATE,
                  "%s: weights of shape (%zu, %zu, %zu) take up to %.4g bytes, the disk has %.4g", file->path,
                  shape->replicas, shape->snapshots, shape->weights, bytes, room);
}

static void choose_blocks(sgf_trajectory_file *file)
{
  double R = (double)file->shape.replicas, T = (double)file->shape.snapshots, row = 8.0 * (double)file->shape.weights;
  double bytes = fmin(fmax(R * T * row / CHUNKS, LEAST_CHUNK), MOST_CHUNK);
  bytes = fmin(bytes, SHARE_OF_MEMORY * sgf_memory_to_use() / R);
  file->rows = (size_t)fmin(fmax(floor(bytes / row), 1.0), T);
  file->blocks = (file->shape.snapshots + file->rows - 1) / file->rows;
}

static hid_t create_set(sgf_trajectory_file *file)
{
  size_t longest = (size_t)(MOST_CHUNK / 8.0);
  const sgf_trajectory_shape *shape = &file->shape;
  hsize_t extent[3] = {shape->replicas, shape->snapshots, shape->weights};
  hsize_t chunk[3] = {1, file->rows, shape->weights < longest ? shape->weights : longest};
  double missing = NAN;
  hid_t set = -1;
  H5E_BEGIN_TRY
  {
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE), access = H5Pcreate(H5P_DATASET_ACCESS);
    hid_t space = H5Screate_simple(3, extent, NULL);
    H5Pset_chunk_cache(access, 0, 0, 1.0); /* chunks come whole */
    if (H5Pset_chunk(creation, 3, chunk) >= 0 && H5Pset_shuffle(creation) >= 0 &&
        H5Pset_deflate(creation, COMPRESSION) >= 0 && H5Pset_fill_value(creation, H5T_NATIVE_DOUBLE, &missing) >= 0)
      set = H5Dcreate2(file->output.file, "weights", H5T_IEEE_F64LE, space, H5P_DEFAULT, creation, access);
    H5Sclose(space);
    H5Pclose(access);
    H5Pclose(creation);
  }
  H5E_END_TRY
  return set;
}

static sgf_status open_file(sgf_trajectory_file *file, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(sgf_atomic_begin(file->path, &file->place, error));
  SGF_TRY(check_room(file, error));
  SGF_TRY(sgf_hdf5_stream_create(file->place.temporary, &file->stream, &file->output, error));
  file->set = create_set(file);
  if (file->set < 0) return sgf_fail(error, SGF_ERROR_CREATE, "%s: HDF5 cannot create weights", file->path);
  sgf_hdf5_attribute_count(&file->output, "weights", "stride", file->shape.stride);
  sgf_hdf5_attribute_count(&file->output, "weights", "burn_in_steps", file->shape.burn_in_steps);
done:
  return status;
}

sgf_status sgf_trajectory_file_create(const char *path, const sgf_trajectory_shape *shape, sgf_trajectory_file **file,
                                      sgf_error *error)
{
  void *made = NULL, *gathered, *filled;
  sgf_status status;
  *file = NULL;
  if (shape->replicas == 0 || shape->snapshots == 0 || shape->weights == 0)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: weights of shape (%zu, %zu, %zu) are empty", path, shape->replicas,
                    shape->snapshots, shape->weights);
  SGF_TRY(sgf_allocate(&made, 1, 1, sizeof **file, "trajectory", error));
  *file = made;
  (*file)->shape = *shape;
  (*file)->set = (*file)->output.file = (*file)->stream.driver = -1;
  (*file)->stream.descriptor = -1;
  choose_blocks(*file);
  SGF_TRY(sgf_allocate(&gathered, shape->replicas, (*file)->blocks, sizeof *(*file)->gathered, "trajectory", error));
  (*file)->gathered = gathered;
  SGF_TRY(sgf_allocate(&filled, shape->replicas, (*file)->blocks, sizeof *(*file)->filled, "trajectory", error));
  (*file)->filled = filled;
  SGF_TRY(sgf_copy_text(&(*file)->path, path, error));
  SGF_TRY(open_file(*file, error));
done:
  if (status != SGF_OK) {
    sgf_trajectory_file_discard(*file);
    *file = NULL;
  }
  return status;
}

sgf_hdf5_output *sgf_trajectory_file_output(sgf_trajectory_file *file) { return &file->output; }

/* --------------------------------------------------------------- snapshots */

static size_t rows_of_block(const sgf_trajectory_file *file, size_t block)
{
  size_t left = file->shape.snapshots - block * file->rows;
  return left < file->rows ? left : file->rows;
}

/* Write block `block` of replica r and forget it. */
static sgf_status write_block(sgf_trajectory_file *file, size_t r, size_t block, sgf_error *error)
{
  double **values = &file->gathered[r * file->blocks + block];
  hsize_t rows = rows_of_block(file, block), n = file->shape.weights;
  hsize_t start[3] = {r, block * file->rows, 0}, count[3] = {1, rows, n};
  herr_t outcome = -1;
  H5E_BEGIN_TRY
  {
    hid_t target = H5Dget_space(file->set), source = H5Screate_simple(3, count, NULL);
    if (H5Sselect_hyperslab(target, H5S_SELECT_SET, start, NULL, count, NULL) >= 0)
      outcome = H5Dwrite(file->set, H5T_NATIVE_DOUBLE, source, target, H5P_DEFAULT, *values);
    H5Sclose(source);
    H5Sclose(target);
  }
  H5E_END_TRY
  free(*values);
  *values = NULL;
  if (outcome >= 0 && file->stream.reason == 0) return SGF_OK;
  file->output.failed = true;
  return sgf_fail(error, SGF_ERROR_WRITE, "%s: weights[%zu] cannot be written: %s", file->path, r,
                  file->stream.reason != 0 ? strerror(file->stream.reason) : "HDF5 fails");
}

/* Room for the snapshots of a block, NaN. */
static sgf_status begin_block(sgf_trajectory_file *file, size_t block, double **values, sgf_error *error)
{
  size_t rows = rows_of_block(file, block), n = file->shape.weights;
  sgf_status status = sgf_new_reals(values, rows, n, "snapshots", error);
  for (size_t k = 0; status == SGF_OK && k < rows * n; k++) (*values)[k] = NAN;
  return status;
}

sgf_status sgf_trajectory_file_append(sgf_trajectory_file *file, size_t r, size_t t, const double *theta,
                                      sgf_error *error)
{
  size_t n = file->shape.weights, block = t / file->rows, at = r * file->blocks + block;
  sgf_status status;
  if (r >= file->shape.replicas || t >= file->shape.snapshots)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: snapshot (%zu, %zu) is outside of (%zu, %zu)", file->path, r, t,
                    file->shape.replicas, file->shape.snapshots);
  if (file->filled[at] == rows_of_block(file, block))
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: snapshot (%zu, %zu) has been written", file->path, r, t);
  if (file->gathered[at] == NULL) {
    status = begin_block(file, block, &file->gathered[at], error);
    if (status != SGF_OK) return status;
  }
  memcpy(file->gathered[at] + (t - block * file->rows) * n, theta, n * sizeof *theta);
  file->filled[at]++;
  return file->filled[at] == rows_of_block(file, block) ? write_block(file, r, block, error) : SGF_OK;
}

/* --------------------------------------------------------------------- end */

/* Close the file; false, with errno, if it is not complete. */
static bool close_file(sgf_trajectory_file *file)
{
  H5E_BEGIN_TRY
  {
    if (file->set >= 0) H5Dclose(file->set);
  }
  H5E_END_TRY
  file->set = -1;
  return sgf_hdf5_stream_close(&file->stream, &file->output);
}

void sgf_trajectory_file_discard(sgf_trajectory_file *file)
{
  if (file == NULL) return;
  close_file(file);
  sgf_atomic_discard(&file->place);
  for (size_t k = 0; file->gathered != NULL && k < file->shape.replicas * file->blocks; k++) free(file->gathered[k]);
  free(file->gathered);
  free(file->filled);
  free(file->path);
  free(file);
}

/* Leave out the replicas from this one on. */
static sgf_status cut(sgf_trajectory_file *file, size_t replicas, sgf_error *error)
{
  hsize_t extent[3] = {replicas, file->shape.snapshots, file->shape.weights};
  herr_t outcome;
  H5E_BEGIN_TRY { outcome = H5Dset_extent(file->set, extent); }
  H5E_END_TRY
  return outcome >= 0 ? SGF_OK : sgf_fail(error, SGF_ERROR_WRITE, "%s: HDF5 cannot cut weights", file->path);
}

sgf_status sgf_trajectory_file_finish(sgf_trajectory_file *file, size_t replicas, sgf_error *error)
{
  sgf_status status = SGF_OK;
  if (replicas < file->shape.replicas) SGF_TRY(cut(file, replicas, error));
  for (size_t r = 0; r < replicas; r++)
    for (size_t block = 0; block < file->blocks; block++)
      if (file->gathered[r * file->blocks + block] != NULL) SGF_TRY(write_block(file, r, block, error));
  if (!close_file(file))
    status = sgf_fail(error, SGF_ERROR_WRITE, "%s: cannot be written: %s", file->path,
                      errno != 0 ? strerror(errno) : "HDF5 fails");
  else
    status = sgf_atomic_commit(&file->place, error);
done:
  sgf_trajectory_file_discard(file);
  return status;
}
