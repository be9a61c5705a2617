/* An HDF5 file that goes to disk while it grows, for data that memory need not hold, by a file driver of our own that
 * never fails to HDF5.
 *
 * HDF5 1.10 cannot close a file when a write to it fails, keeps it open, and crashes in the exit of the program. This
 * driver notes the first error, drops what cannot be written from then on, and says that all is well, so that
 * everything can be closed as usual; whoever writes asks `reason` for the truth. */
#ifndef SGF_HDF5_STREAM_H
#define SGF_HDF5_STREAM_H

#include "hdf5_file.h"

typedef struct sgf_hdf5_stream {
  int descriptor; /* of the file; ours, not HDF5's */
  int reason;     /* errno of the first write that failed, 0 if none did: what follows is not on disk */
  hid_t driver;
} sgf_hdf5_stream;

/* An empty HDF5 file in place of what `path` has, to be written by the functions for an sgf_hdf5_output or by HDF5's
 * own on output->file, and closed by sgf_hdf5_stream_close, not by sgf_hdf5_finish. The stream must not move or end
 * before that. Errors: SGF_ERROR_CREATE; there is then nothing to close. */
sgf_status sgf_hdf5_stream_create(const char *path, sgf_hdf5_stream *stream, sgf_hdf5_output *output,
                                  sgf_error *error);

/* Close; all objects of the file must be closed. False, and errno where there is one, if anything was not written
 * since the creation: the file is then of no use. */
bool sgf_hdf5_stream_close(sgf_hdf5_stream *stream, sgf_hdf5_output *output);

#endif
