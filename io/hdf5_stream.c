/* A file driver for HDF5 that never fails to HDF5, and notes what did. */
#include "hdf5_stream.h"

#include <H5FDpublic.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

/* ------------------------------------------------------------------ driver */

/* What HDF5 holds for an open file; it may open and close twice before it settles. */
typedef struct {
  H5FD_t common;
  sgf_hdf5_stream *stream;
  haddr_t allocated, end; /* of the addresses that HDF5 has given out; of the bytes that it believes written */
} driver_file;

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t limit)
{
  sgf_hdf5_stream *const *stream = H5Pget_driver_info(access);
  driver_file *file = stream != NULL ? calloc(1, sizeof *file) : NULL;
  (void)name, (void)flags, (void)limit;
  if (file == NULL) return NULL;
  file->stream = *stream;
  return &file->common;
}

static herr_t driver_close(H5FD_t *common)
{
  free(common);
  return 0;
}

static herr_t driver_query(const H5FD_t *common, unsigned long *flags)
{
  (void)common;
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

static haddr_t driver_get_allocated(const H5FD_t *common, H5FD_mem_t type)
{
  (void)type;
  return ((const driver_file *)common)->allocated;
}

static herr_t driver_set_allocated(H5FD_t *common, H5FD_mem_t type, haddr_t address)
{
  (void)type;
  ((driver_file *)common)->allocated = address;
  return 0;
}

static haddr_t driver_get_end(const H5FD_t *common, H5FD_mem_t type)
{
  (void)type;
  return ((const driver_file *)common)->end;
}

/* Bytes that were never written are zero. */
static herr_t driver_read(H5FD_t *common, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size, void *buffer)
{
  sgf_hdf5_stream *stream = ((driver_file *)common)->stream;
  char *bytes = buffer;
  (void)type, (void)transfer;
  while (size > 0) {
    ssize_t got = pread(stream->descriptor, bytes, size, (off_t)address);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && stream->reason == 0) stream->reason = errno;
    if (got <= 0) break;
    bytes += got;
    address += (haddr_t)got;
    size -= (size_t)got;
  }
  memset(bytes, 0, size);
  return 0;
}

static herr_t driver_write(H5FD_t *common, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                           const void *buffer)
{
  driver_file *file = (driver_file *)common;
  sgf_hdf5_stream *stream = file->stream;
  const char *bytes = buffer;
  (void)type, (void)transfer;
  if (address + size > file->end) file->end = address + size;
  while (size > 0 && stream->reason == 0) {
    ssize_t put = pwrite(stream->descriptor, bytes, size, (off_t)address);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) stream->reason = put < 0 ? errno : ENOSPC;
    if (put <= 0) break;
    bytes += put;
    address += (haddr_t)put;
    size -= (size_t)put;
  }
  return 0;
}

static herr_t driver_truncate(H5FD_t *common, hid_t transfer, hbool_t closing)
{
  driver_file *file = (driver_file *)common;
  sgf_hdf5_stream *stream = file->stream;
  (void)transfer, (void)closing;
  if (file->end != file->allocated && stream->reason == 0 &&
      ftruncate(stream->descriptor, (off_t)file->allocated) != 0)
    stream->reason = errno;
  file->end = file->allocated;
  return 0;
}

static const H5FD_class_t DRIVER = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = 511, /* of those that HDF5 leaves to private drivers */
#endif
    .name = "sgflow_stream",
    .maxaddr = (haddr_t)INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(sgf_hdf5_stream *),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_allocated,
    .set_eoa = driver_set_allocated,
    .get_eof = driver_get_end,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

/* -------------------------------------------------------------------- file */

static hid_t create_file(const char *path, sgf_hdf5_stream *stream)
{
  hid_t file = -1;
  H5E_BEGIN_TRY
  {
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    stream->driver = H5FDregister(&DRIVER);
    if (H5Pset_driver(access, stream->driver, &stream) >= 0)
      file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
  }
  H5E_END_TRY
  return file;
}

sgf_status sgf_hdf5_stream_create(const char *path, sgf_hdf5_stream *stream, sgf_hdf5_output *output,
                                  sgf_error *error)
{
  *output = (sgf_hdf5_output){.file = -1};
  *stream = (sgf_hdf5_stream){.driver = -1};
  stream->descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (stream->descriptor < 0)
    return sgf_fail(error, SGF_ERROR_CREATE, "%s: cannot be created: %s", path, strerror(errno));
  output->file = create_file(path, stream);
  if (output->file >= 0) return SGF_OK;
  sgf_hdf5_stream_close(stream, output);
  return sgf_fail(error, SGF_ERROR_CREATE, "%s: HDF5 cannot create it", path);
}

bool sgf_hdf5_stream_close(sgf_hdf5_stream *stream, sgf_hdf5_output *output)
{
  bool closed = false;
  H5E_BEGIN_TRY
  {
    if (output->file >= 0) closed = H5Fclose(output->file) >= 0;
    if (stream->driver >= 0) H5FDunregister(stream->driver);
  }
  H5E_END_TRY
  if (stream->descriptor >= 0 && close(stream->descriptor) != 0 && stream->reason == 0) stream->reason = errno;
  stream->descriptor = -1;
  stream->driver = output->file = -1;
  errno = stream->reason;
  return closed && !output->failed && stream->reason == 0;
}
