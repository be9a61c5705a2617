/* What the fuzz targets share. A target is a file with LLVMFuzzerTestOneInput, to be linked with libFuzzer, or with
 * replay.c as a plain program that runs the corpus and mutations of it. */
#ifndef FUZZING_H
#define FUZZING_H

#include <stddef.h>
#include <stdint.h>

#include "sgflow.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* The end of a template for mkstemp and mkdtemp, which put a unique name there. */
#define FUZZ_UNIQUE "XXXXXX"

/* Where temporary files belong: TMPDIR, or the system's folder of them. */
const char *fuzz_place(void);

/* A temporary file, in that place, that has these bytes until the next call; its path, static storage. */
const char *fuzz_file(const uint8_t *bytes, size_t size);

/* Abort, which is a finding, unless it holds. */
void fuzz_expect(bool holds, const char *what);

/* What every function promises of a status and its message: success, or a failure of data and of the machine with a
 * message of one line. */
void fuzz_expect_message(sgf_status status, const sgf_error *error);

/* That HDF5 has nothing open: files, sets, types, spaces, attributes. */
void fuzz_expect_closed(void);

/* Two layers 3-2-2 with 12 samples, at a minimum; made once, the same bits at every call. */
const sgf_problem *fuzz_problem(void);

#endif
