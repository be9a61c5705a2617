/* Studies: problems that are solved, and simulated, once for each case and replicate, and what is noted of them.
 *
 * A study is data: cases, each a config on top of the study's own, and streams, each a CSV of named columns. What it
 * notes of a problem is its `measure`. A unit is one case with one seed: one data set and one start. Units that are
 * done are kept in the CSVs with a key of all that they depend on, and are not done again. */
#ifndef SGFLOW_STUDY_H
#define SGFLOW_STUDY_H

#include "frame.h"

typedef enum { SCALE_QUICK, SCALE_FULL, SCALES } study_scale;
enum { IN_QUICK = 1 << SCALE_QUICK, IN_FULL = 1 << SCALE_FULL, IN_BOTH = IN_QUICK | IN_FULL };
enum { MOST_STREAMS = 8 };

typedef struct study_case {
  const char *name;   /* what the column `case` has */
  unsigned scales;    /* where it is part of: IN_QUICK, IN_FULL */
  const char *config; /* "KEY=VALUE KEY=VALUE ...", on top of the study's */
} study_case;

typedef struct study_stream {
  const char *name;           /* of the file: STUDY-NAME.csv */
  const char *const *columns; /* ends with NULL; beside case, seed and key */
} study_stream;

typedef struct study_unit study_unit;

typedef struct study {
  const char *name;
  const char *config[SCALES]; /* that all cases share */
  size_t replicates[SCALES];  /* seeds 1, 2, ... of each case */
  const study_case *cases;
  size_t case_count;
  const study_stream *streams; /* ends with a name of NULL */
  unsigned revision;           /* raised when `measure` changes: older rows do not count any more */
  sgf_status (*measure)(study_unit *now, sgf_error *error);
} study;

/* What `measure` works with. Problem and what is made of it belong to the unit, and are freed by it. */
struct study_unit {
  const study *of;
  const study_case *which;
  study_scale size;
  uint64_t seed;
  int threads;
  sgf_problem *problem;
  sgf_prediction *prediction;
  sgf_plan plan;
  sgf_ensemble *ensemble;
  sgf_comparison *comparison;
  frame *streams; /* of the study's run, to which rows are added */
  const char *key;
};

/* Make the unit's problem with `extra` ("KEY=VALUE ...", or NULL) on top of its config, and predict, in the place of what it
 * held: beyond 4000 weights by the covariance operator. Errors: those of config, problem and prediction, before which the
 * case is named. */
sgf_status unit_open(study_unit *now, const char *extra, sgf_error *error);

/* The same with data X (samples, N_0), Y (samples, N_L) and weights theta (n) in the place of those of the config; they may be
 * those of the problem that the unit holds. */
sgf_status unit_open_arrays(study_unit *now, const char *extra, size_t samples, const double *X, const double *Y,
                            const double *theta, sgf_error *error);

/* The same at a share of the learning rate beyond which it is not stable. */
sgf_status unit_open_at(study_unit *now, double share_of_limit, const char *extra, sgf_error *error);

/* Plan and simulate; and compare. */
sgf_status unit_simulate(study_unit *now, sgf_error *error);
sgf_status unit_verify(study_unit *now, sgf_error *error);

/* An array of the prediction, NULL for none of that name. */
const double *unit_array(const study_unit *now, const char *name);

/* One more row of a stream, with case, seed and key; numbers and texts go into the last row of a stream. Errors:
 * SGF_ERROR_MEMORY, SGF_ERROR_VALUE for a stream or column that is not there. */
sgf_status unit_note(study_unit *now, const char *stream_name, sgf_error *error);
sgf_status unit_number(study_unit *now, const char *stream_name, const char *column, double value, sgf_error *error);
sgf_status unit_text(study_unit *now, const char *stream_name, const char *column, const char *text,
                     sgf_error *error);

/* Several numbers of the last row of a stream. */
typedef struct study_number {
  const char *column;
  double value;
} study_number;
sgf_status unit_numbers(study_unit *now, const char *stream_name, const study_number *numbers, size_t count,
                        sgf_error *error);

/* A number, its measured twin COLUMN_sgd, and the standard error of that, COLUMN_sgd_se. */
sgf_status unit_pair(study_unit *now, const char *stream_name, const char *column, double theory, double sgd,
                     double error_of_sgd, sgf_error *error);

/* What a run of studies goes by, and the streams of one. */
typedef struct study_run {
  const char *folder; /* DIR; the CSVs are in DIR/data */
  study_scale size;
  int threads;
  bool again;                     /* also what is up to date */
  void (*tell)(const char *line); /* NULL, or told what is done now */
  bool (*stop)(void);             /* NULL, or asked between units whether to stop */
  size_t done, kept;              /* units: made now, and up to date before */
} study_run;

/* Complete a study: frames (one for each stream, in their order, the caller's to free, also after a failure) and their
 * CSVs, written after every unit. Errors: SGF_ERROR_INTERRUPTED between units, those of the units and the files. */
sgf_status study_complete(const study *of, study_run *run, frame frames[MOST_STREAMS], sgf_error *error);

/* What is there of it now, complete or not; *complete says which. */
sgf_status study_read(const study *of, const study_run *run, frame frames[MOST_STREAMS], bool *complete,
                      sgf_error *error);
void study_free(frame frames[MOST_STREAMS]);

#endif
