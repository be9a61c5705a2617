/* Tables of named columns with cells of text, as a CSV file has them. */
#ifndef SGFLOW_FRAME_H
#define SGFLOW_FRAME_H

#include "sgflow.h"

typedef struct frame {
  size_t columns, rows, room;
  char **names; /* (columns) */
  char **cells; /* (rows, columns), never NULL */
} frame;

/* No rows yet. `names` ends with NULL. Errors: SGF_ERROR_MEMORY; the frame is then empty. */
sgf_status frame_create(const char *const *names, frame *made, sgf_error *error);
void frame_free(frame *of);

/* One more row, of empty cells, the last. Errors: SGF_ERROR_MEMORY. */
sgf_status frame_add_row(frame *to, sgf_error *error);
void frame_remove_row(frame *from, size_t row);

/* One more column, of empty cells. Errors: SGF_ERROR_MEMORY. */
sgf_status frame_add_column(frame *to, const char *name, sgf_error *error);

/* Index of a column, SIZE_MAX for none of that name. */
size_t frame_column(const frame *of, const char *name);

/* Write a cell; a NaN is an empty one, a number has `digits` digits. Errors: SGF_ERROR_VALUE for a column that is not
 * there, SGF_ERROR_MEMORY. */
sgf_status frame_set_text(frame *to, size_t row, const char *name, const char *text, sgf_error *error);
sgf_status frame_set_number(frame *to, size_t row, const char *name, double value, int digits, sgf_error *error);

/* A cell; "" and NaN for a column that is not there. */
const char *frame_text(const frame *of, size_t row, const char *name);
double frame_number(const frame *of, size_t row, const char *name);

/* Whether the row passes "COLUMN=TEXT; COLUMN=TEXT; ..."; NULL passes all. */
bool frame_passes(const frame *of, size_t row, const char *filter);

/* CSV of RFC 4180, beside its place and renamed. Errors: as sgf_write_text. */
sgf_status frame_write(const frame *of, const char *path, sgf_error *error);

/* Errors: SGF_ERROR_NO_INPUT, SGF_ERROR_VALUE for rows of another length than the first, SGF_ERROR_MEMORY; the frame is
 * then empty. */
sgf_status frame_read(const char *path, frame *read, sgf_error *error);

#endif
