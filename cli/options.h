/* What every command takes on its command line. */
#ifndef SGFLOW_OPTIONS_H
#define SGFLOW_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "sgflow.h"

/* Options that a command accepts beside those common to all. */
typedef enum {
  ACCEPTS_REPORT = 1,
  ACCEPTS_TRAJECTORY = 2, /* and requires */
  ACCEPTS_THREADS = 4,
  ACCEPTS_PLAN = 8,
  ACCEPTS_EQUATION = 16, /* files of an equation in the place of a config */
  ACCEPTS_GRID = 32,     /* and requires; no output of its own but a folder */
  ACCEPTS_CHECKPOINT = 128,
  ACCEPTS_BUDGET = 256, /* and how often checkpoints are written */
  ACCEPTS_RECORD = 512, /* a trajectory to write */
  ACCEPTS_FOLDER = 64   /* the folder of a sweep in the place of a config */
} acceptance;

typedef struct options {
  const char *config;     /* or the file with the drift, or the folder of a sweep */
  const char *output;     /* NULL: none */
  const char *report;     /* NULL: none */
  const char *trajectory; /* to read; NULL: none */
  const char *record;     /* trajectory to write; NULL: none */
  size_t record_every;    /* steps; 0: chosen */
  const char **overrides; /* KEY=VALUE, in order */
  size_t override_count;
  int threads; /* 0: all */
  bool json, full, force;
  const char *checkpoint;  /* NULL: beside the output */
  double checkpoint_every; /* seconds; 0: chosen */
  bool resume;
  bool continues;                  /* a point of a sweep: resume where there is something to resume */
  double most_seconds, most_steps; /* budget; 0: none */
  bool quiet;                      /* nothing on stdout */
  const char **grid;               /* KEY=VALUE,VALUE,..., in order */
  size_t grid_count;
  const char *folder; /* of --out; NULL: chosen */
  bool indexed;       /* one point of the grid alone, `index` */
  size_t index;
  bool count;          /* only say how many points there are */
  bool overwrite;      /* replace points of another config or version */
  bool plan;           /* only say what it would take */
  const char *noise;   /* second file of an equation, or NULL */
  const char *initial; /* NULL: none */
  bool factor;         /* the second file is that of --factor */
  bool discrete;
  sgf_method method;
  double rank_tolerance; /* NaN: chosen */
} options;

typedef struct command {
  const char *name;
  unsigned accepts;            /* acceptance flags */
  const char *summary;         /* one line, for sgflow --help */
  const char *text;            /* the rest of its --help, before and (after \v) behind the options */
  int (*run)(const options *); /* returns the exit status */
} command;

extern const command command_predict, command_simulate, command_verify, command_compare, command_sweep, command_merge,
    command_lyapunov;

/* Parse what follows the command's name; exits with 64 on misuse, 0 after --help. */
void options_parse(const command *what, int argc, char **argv, options *parsed);
void options_free(options *parsed);

/* The command line that gives these options again, quoted for a shell; NULL when out of memory. Caller frees. */
char *options_text(const command *what, const options *parsed);

#endif
