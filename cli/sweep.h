/* The folder of a sweep: sweep.yaml with grid and config, and for each point its output or why it failed. */
#ifndef SGFLOW_SWEEP_H
#define SGFLOW_SWEEP_H

#include <stdbool.h>

#include "grid.h"
#include "sgflow.h"

typedef struct sweep {
  char *folder;
  grid grid;
  char *config; /* YAML, all keys but those of the grid as asked */
} sweep;

typedef enum {
  POINT_DONE,         /* its output is there, complete, of this config */
  POINT_FAILED,       /* why is there */
  POINT_MISSING,      /* nothing of this config is there */
  POINT_OTHER_CONFIG, /* an output of another config */
  POINT_OTHER_VERSION,
  POINT_DAMAGED
} point_state;

typedef struct sweep_point {
  size_t index;
  point_state state;
  sgf_results *results;             /* NULL when there is no output, or a damaged one */
  char *verdict;                    /* of the results; NULL: there is none */
  int exit_status;                  /* as of sgflow verify; of POINT_DONE and POINT_FAILED */
  char message[SGF_MESSAGE_LENGTH]; /* for every state but POINT_DONE and POINT_MISSING */
} sweep_point;

/* Make a sweep from what the command line says; nothing is created.
 *   config  YAML file; overrides KEY=VALUE on top of it
 * Errors: those of config_read, for every value of the grid by itself too. Freed after a failure. */
sgf_status sweep_create(const char *folder, grid *points, const char *config, const char *const *overrides,
                        size_t override_count, sweep *made, sgf_error *error);

/* Create the folder with its sweep.yaml, or see that the one that is there is the same sweep's. Any number of jobs may do
 * it at once. `overwrite` puts another config in the place of what was there; another grid never.
 * Errors: SGF_ERROR_VALUE for another sweep, SGF_ERROR_CREATE, SGF_ERROR_WRITE, SGF_ERROR_MEMORY. */
sgf_status sweep_settle(const sweep *of, bool overwrite, sgf_error *error);

/* Read sweep.yaml out of a folder. Errors: SGF_ERROR_NO_INPUT without the folder, SGF_ERROR_VALUE when it has no sweep or a
 * damaged one, SGF_ERROR_MEMORY. Freed after a failure. */
sgf_status sweep_read(const char *folder, sweep *found, sgf_error *error);
void sweep_free(sweep *of);

/* DIR/point-00007 and the ending; NULL when out of memory. Caller frees. */
char *sweep_path(const sweep *of, size_t index, const char *ending);

/* What is there of a point; to be closed afterwards. Errors: SGF_ERROR_MEMORY; what is wrong with the files is a state. */
sgf_status sweep_look(const sweep *of, size_t index, sweep_point *point, sgf_error *error);
void sweep_point_close(sweep_point *point);

/* Keep why a point failed, or forget it (message NULL). Errors: as sgf_write_text. */
sgf_status sweep_note_failure(const sweep *of, size_t index, int exit_status, const char *message, sgf_error *error);

/* "done", "failed", "missing", "other config", "other version", "damaged". */
const char *point_state_text(point_state state);

#endif
