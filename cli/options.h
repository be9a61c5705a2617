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
  ACCEPTS_TABLES = 1024, /* names of tables in the place of a config */
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
  const char **tables;  /* of `reproduce`, in order; none: all */
  size_t table_count;
  bool quick;          /* their small scale */
  bool plan;           /* only say what it would take */
  const char *noise;   /* second file of an equation, or NULL */
  const char *initial; /* NULL: none */
  bool factor;         /* the second file is that of --factor */
  bool discrete;
  sgf_method method;
  double rank_tolerance; /* NaN: chosen */
} options;

/* A command and all that is said of it: --help, the manual page and the completion are made of this and of its options.
 * A list is a text of lines "ITEM\tWHAT IT IS\n". */
typedef struct command {
  const char *name;
  unsigned accepts;            /* acceptance flags */
  const char *summary;         /* one line */
  const char *text;            /* what it does, before the options */
  const char *notes;           /* behind the options; paragraphs are parted by an empty line; NULL: none */
  const char *statuses;        /* list: exit status */
  const char *files;           /* list: what it reads and writes */
  const char *examples;        /* list: command line */
  const char *related;         /* other commands, "merge verify" */
  int (*run)(const options *); /* returns the exit status */
} command;

/* Lines of `statuses` that are alike everywhere. */
#define STATUS_VERDICT "0\tagree\n1\tdisagree\n2\tinconclusive\n"
#define STATUS_USAGE "64\tusage\n"
#define STATUS_ABSENT "66\tno such input\n"
#define STATUS_OUTPUT \
  "70\tinternal error\n73\tan output cannot be created\n74\tan output cannot be written to its end\n"
#define STATUS_CHECKPOINT "75\tstopped with a checkpoint\n"
/* Lines of `files` that are. */
#define FILES_CONFIG "CONFIG\tYAML; paths in it are relative to its folder; see sgflow-config(5)\n"
#define FILES_OUTPUT "-o FILE\tHDF5, row-major float64 arrays, written beside and renamed when complete\n"
#define FILES_REPORT "--report FILE\tHTML with its figures in it; without gnuplot it has none\n"
#define FILES_CHECKPOINT \
  "FILE.checkpoint\tbeside the output, of a run that was stopped; FILE.checkpoint.old is the one before\n"

extern const command command_predict, command_simulate, command_verify, command_compare, command_sweep, command_merge,
    command_lyapunov, command_reproduce;

/* All commands in the order of the help, `command_count` of them, and what is said of the program itself. */
extern const command *const commands[];
extern const size_t command_count;
extern const command program;

struct argp_option;
enum { MOST_OPTIONS = 32 };
/* The options of a command (MOST_OPTIONS), in the order of its help; returns how many. And what stands for its arguments, a line for each
 * form. */
size_t options_accepted(const command *what, struct argp_option *accepted);
const char *options_arguments(const command *what);

/* Parse what follows the command's name; exits with 64 on misuse, 0 after --help. */
void options_parse(const command *what, int argc, char **argv, options *parsed);
void options_free(options *parsed);

/* The command line that gives these options again, quoted for a shell; NULL when out of memory. Caller frees. */
char *options_text(const command *what, const options *parsed);

#endif
