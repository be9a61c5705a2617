/* Allocation with every size checked for overflow, in one place. */
#ifndef SGF_MEMORY_H
#define SGF_MEMORY_H

#include "status.h"

/* *block = zeroed room for count_a * count_b items of item_size bytes (at least one byte).
 * On overflow or exhaustion *block is NULL and the message names `what` and its size. */
sgf_status sgf_allocate(void **block, size_t count_a, size_t count_b, size_t item_size, const char *what,
                        sgf_error *error);

/* rows x columns reals, zeroed. */
sgf_status sgf_new_reals(double **reals, size_t rows, size_t columns, const char *what, sgf_error *error);

/* A copy of `text`, or NULL for NULL. */
sgf_status sgf_copy_text(char **copy, const char *text, sgf_error *error);

/* Bytes that a computation may use when nobody says: three quarters of the machine's memory. */
double sgf_memory_to_use(void);

#endif
