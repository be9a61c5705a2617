/* The grid of a sweep: keys of the config, the values of each, and their Cartesian product. */
#ifndef SGFLOW_GRID_H
#define SGFLOW_GRID_H

#include "sgflow.h"

typedef struct grid_axis {
  char *key;
  size_t count;
  char **values; /* (count), as the user wrote them */
} grid_axis;

/* Points are counted from 0, the last axis varies fastest. */
typedef struct grid {
  size_t axis_count;
  grid_axis *axes;
  size_t points;
} grid;

/* More points than this are refused: a folder holds a file for each. */
enum { GRID_MOST_POINTS = 1000000 };

/* Make a grid of texts "KEY=VALUE,VALUE,...", (count). Commas within [ ] or quotes are part of a value. Errors:
 * SGF_ERROR_VALUE that quotes the text: no key, an empty or a repeated value, brackets that do not close, a repeated
 * key, too many points; SGF_ERROR_MEMORY. The grid is empty after a failure. */
sgf_status grid_create(const char *const *texts, size_t count, grid *made, sgf_error *error);
void grid_free(grid *made);

/* The value of an axis at a point; it belongs to the grid. */
const char *grid_value(const grid *points, size_t axis, size_t point);

/* "KEY=VALUE,VALUE,..." of an axis; NULL when out of memory. Caller frees. */
char *grid_axis_text(const grid_axis *axis);

/* "KEY=VALUE" of every axis at a point, (axis_count), as --set has them; NULL when out of memory. To be freed by
 * grid_overrides_free. */
char **grid_overrides(const grid *points, size_t point);
void grid_overrides_free(const grid *points, char **overrides);

#endif
