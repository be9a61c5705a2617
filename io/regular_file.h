/* Inputs that are read by the C library: regular files, never what would wait for a writer. */
#ifndef SGF_REGULAR_FILE_H
#define SGF_REGULAR_FILE_H

#include <stdint.h>
#include <stdio.h>

/* Open a regular file to read, and its size; NULL with errno, EINVAL for a folder, a pipe or a device, which is not waited
 * for. */
FILE *sgf_open_regular(const char *path, uint64_t *size);

#endif
