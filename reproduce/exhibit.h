/* Exhibits: the tables T1, T2, ... as data: a claim, columns and tests over a study, figures.
 *
 * The rows of an exhibit are the cases of its study, or several of each that a label tells apart. A column is the mean over the replicates (data sets and starts), with
 * what sampling by SGD leaves of error in it, and apart from that the spread (standard deviation) between replicates. */
#ifndef SGFLOW_EXHIBIT_H
#define SGFLOW_EXHIBIT_H

#include "study.h"

typedef struct exhibit_column {
  const char *source; /* column of the exhibit's stream; in the CSV by the same name */
  const char *label;  /* over the column of the page, HTML; NULL: in the CSV and for figures alone */
  const char *error;  /* column of its standard error by sampling; NULL: there is none */
  bool text;          /* the same in all replicates, or shown as "3 of 4 VALUE" */
} exhibit_column;

typedef enum {
  TEST_EQUAL,   /* |left / right - 1| is below the tolerance (right 0: |left| is): equivalence */
  TEST_ABOVE,   /* left > right */
  TEST_BELOW,   /* left < right */
  TEST_SAME,    /* left and right are the same number in every replicate */
  TEST_VERDICTS /* left has the verdicts of full comparisons: all agree */
} test_kind;

/* A claim about a case, decided from its replicates at a level that all tests of an exhibit share. */
typedef struct exhibit_test {
  const char *name; /* column of the CSV with its verdict */
  const char *what; /* the claim, HTML */
  test_kind kind;
  const char *left, *left_error; /* columns; the standard error by sampling, or NULL */
  const char *right, *right_error;
  double value; /* in the place of a right column that is NULL */
  double tolerance;
  bool
      of_population; /* a claim about data sets at large: of the mean over replicates, with the error that their spread
                         leaves; else about each of them, with the error of its sampling alone */
  const char *where; /* "COLUMN=TEXT; ..." of the cases it is about; NULL: all */
} exhibit_test;

typedef enum { DRAW_LINE, DRAW_DASHED, DRAW_POINTS, DRAW_SMALL_POINTS, DRAW_FUNCTION } drawing;

typedef struct curve {
  const char *stream; /* of the study; NULL: the table of the exhibit */
  const char *where;  /* rows that pass, or NULL */
  const char *x, *y;  /* columns; y of DRAW_FUNCTION is gnuplot's f(x) */
  const char *error;  /* column of the bar, two standard errors; NULL: none */
  drawing how;
  int look; /* 0, 1, ...: colour, shape and dash together */
  const char *label;
} curve;

typedef struct panel {
  const char *title, *x_label, *y_label; /* gnuplot's enhanced text */
  bool log_x, log_y;
  const curve *curves;
  size_t curve_count;
  const char *settings; /* lines of gnuplot before the plot, or NULL */
} panel;

typedef struct exhibit {
  const char *id; /* T1; of the files and the command */
  const char *title;
  const char *claim; /* HTML */
  const char *setup; /* of what: HTML */
  const study *of;
  const exhibit_column *columns;
  size_t column_count;
  const exhibit_test *tests;
  size_t test_count;
  const panel *panels;
  size_t panel_count;
  const char *caption; /* of the figure, HTML */
  const char *remarks; /* what to keep in mind: HTML, without numbers of its own; or NULL */
  bool on_real_data;   /* of the page real-data.html */
  const char *stream;  /* of the study, whose rows are tabulated; NULL: the first */
  const char *label;   /* column of it that tells the rows of a case apart, `row` of the table; NULL: there is one */
} exhibit;

/* Make the table from the study's streams: `case`, `row`, the columns with COLUMN_se and COLUMN_sd, replicates, where there are full comparisons the tolerance and level of these, the verdict of
 * each test, and `verdict`. level is of all tests together. Errors: SGF_ERROR_MEMORY, SGF_ERROR_VALUE. */
sgf_status exhibit_tabulate(const exhibit *of, const frame *streams, study_scale size, double level, frame *table,
                            sgf_error *error);

/* DIR/ID.svg and DIR/ID.pdf; *drawn is false without gnuplot. Errors: as sgf_write_text. */
sgf_status exhibit_draw(const exhibit *of, const frame *streams, const frame *table, const char *folder, bool *drawn,
                        sgf_error *error);

#endif
