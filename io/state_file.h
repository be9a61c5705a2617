/* Files of program state that must survive anything: versioned, with a checksum, two generations, never half-written. */
#ifndef SGF_STATE_FILE_H
#define SGF_STATE_FILE_H

#include <stdio.h>

#include "atomic_file.h"

/* One pass over a state, in either direction: the same calls write it or read it. */
typedef struct sgf_state_file {
  const char *path;
  bool reading;
  sgf_atomic_file file; /* writing */
  FILE *stream;
  uint64_t length;        /* bytes of the payload so far */
  uint32_t sum;           /* CRC-32 of them */
  unsigned char *content; /* reading: all of the payload */
  uint64_t size;
  char *memory; /* writing for another process: what is written */
  size_t memory_size;
  char fallback[SGF_MESSAGE_LENGTH]; /* reading: why the older generation was taken, or "" */
} sgf_state_file;

/* Begin to write `path`.new; one process at a time may. Errors: SGF_ERROR_CREATE, SGF_ERROR_MEMORY. */
sgf_status sgf_state_create(const char *path, sgf_state_file *state, sgf_error *error);

/* Bytes of the file that are not read yet: what it can still fill. */
uint64_t sgf_state_left(const sgf_state_file *state);

/* Read `path`, or where that is missing or damaged `path`.old, and check it whole before anything of it is used. Errors:
 * SGF_ERROR_NO_INPUT when there is neither, SGF_ERROR_VALUE when none is intact, with the reasons, SGF_ERROR_MEMORY. */
sgf_status sgf_state_open(const char *path, sgf_state_file *state, sgf_error *error);

/* The same state between processes: write to memory, and then, until the state is discarded, borrow what was written.
 * Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_state_to_memory(sgf_state_file *state, sgf_error *error);
sgf_status sgf_state_bytes(sgf_state_file *state, const void **bytes, uint64_t *size, sgf_error *error);
/* Read `size` bytes that the caller first puts at *bytes. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_state_from_memory(size_t size, sgf_state_file *state, void **bytes, sgf_error *error);

/* Write the bytes, or fill them from the file. Errors: SGF_ERROR_WRITE; reading, SGF_ERROR_VALUE beyond the end. */
sgf_status sgf_state_exchange(sgf_state_file *state, void *bytes, size_t size, sgf_error *error);

/* The same for what must be equal: SGF_ERROR_VALUE when the file has another number. */
sgf_status sgf_state_expect(sgf_state_file *state, uint64_t number, const char *what, sgf_error *error);

/* Complete: when writing, the new file is synced, the one of before, if it is intact, becomes `path`.old, and the new one
 * takes its place by rename; when
 * reading, all must have been read. Errors: SGF_ERROR_WRITE, SGF_ERROR_VALUE. */
sgf_status sgf_state_finish(sgf_state_file *state, sgf_error *error);

/* Free, and remove what is not complete; after sgf_state_finish it does nothing. */
void sgf_state_discard(sgf_state_file *state);

/* Remove both generations and what a killed process left of a third, and nothing else that may have their names. */
void sgf_state_remove(const char *path);

#endif
