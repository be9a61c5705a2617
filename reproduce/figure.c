/* Figures of exhibits: gnuplot scripts with their data inside, in colours, shapes and dashes that are told apart by the colour-
 * blind and in black and white. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../io/atomic_file.h"
#include "../theory/status.h"
#include "../verify/plot.h"
#include "exhibit.h"

enum { LOOKS = 6, PANEL_WIDTH = 460, PANEL_HEIGHT = 400, PANELS_IN_A_ROW = 2 };

/* Okabe and Ito's colours, from dark to light. */
static const char *const COLOUR[LOOKS] = {"#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"};
static const int SHAPE[LOOKS] = {7, 4, 8, 12, 10, 6};
static const char *const DASH[LOOKS] = {"1", "(12,6)", "(3,4)", "(12,4,3,4)", "(20,4)", "(6,3)"};

static const frame *source_of(const exhibit *of, const curve *drawn, const frame *streams, const frame *table)
{
  if (drawn->stream == NULL) return table;
  for (size_t k = 0; of->of->streams[k].name != NULL; k++)
    if (strcmp(of->of->streams[k].name, drawn->stream) == 0) return &streams[k];
  return NULL;
}

/* The points of a curve as a block of data; returns how many. */
static size_t put_points(FILE *script, const char *block, const curve *drawn, const frame *from)
{
  size_t points = 0;
  fprintf(script, "%s << EOD\n", block);
  for (size_t r = 0; from != NULL && drawn->how != DRAW_FUNCTION && r < from->rows; r++) {
    double x = frame_number(from, r, drawn->x), y = frame_number(from, r, drawn->y);
    double error = drawn->error != NULL ? frame_number(from, r, drawn->error) : 0.0;
    if (!isfinite(x) || !isfinite(y) || !frame_passes(from, r, drawn->where)) continue;
    fprintf(script, "%.9g %.9g %.9g\n", x, y, isfinite(error) ? 2.0 * error : 0.0);
    points++;
  }
  fputs("EOD\n", script);
  return points;
}

static void put_curve(FILE *script, const char *block, const curve *drawn, bool first)
{
  int look = drawn->look % LOOKS;
  fputs(first ? "plot " : ", ", script);
  switch (drawn->how) {
  case DRAW_FUNCTION:
    fprintf(script, "%s with lines lw 1.6 dt %s lc rgb '%s'", drawn->y, DASH[look], COLOUR[look]);
    break;
  case DRAW_LINE:
  case DRAW_DASHED:
    fprintf(script, "%s using 1:2 with lines lw 1.8 dt %s lc rgb '%s'", block,
            drawn->how == DRAW_LINE ? "1" : DASH[look > 0 ? look : 1], COLOUR[look]);
    break;
  case DRAW_POINTS:
  case DRAW_SMALL_POINTS:
    fprintf(script, "%s using 1:2%s pt %d ps %g lw 1.2 lc rgb '%s'", block,
            drawn->error != NULL ? ":3 with yerrorbars" : " with points", SHAPE[look],
            drawn->how == DRAW_POINTS ? 0.9 : 0.35, COLOUR[look]);
    break;
  }
  if (drawn->label != NULL)
    fprintf(script, " title \"%s\"", drawn->label);
  else
    fputs(" notitle", script);
}

static void put_panel(FILE *script, const exhibit *of, size_t index, const frame *streams, const frame *table)
{
  const panel *now = &of->panels[index];
  char block[40];
  bool first = true;
  size_t points[64] = {0};
  for (size_t k = 0; k < now->curve_count && k < 64; k++) {
    snprintf(block, sizeof block, "$p%zuc%zu", index, k);
    points[k] = put_points(script, block, &now->curves[k], source_of(of, &now->curves[k], streams, table));
  }
  fprintf(script, "set title \"%s\"\nset xlabel \"%s\" offset 0,0.4\nset ylabel \"%s\"\n",
          now->title != NULL ? now->title : "", now->x_label, now->y_label);
  fputs("set autoscale\nset xtics autofreq\nset ytics autofreq\nunset logscale\nset format '%g'\n"
        "set key default samplen 2.2 spacing 1.15 font ',11'\n",
        script);
  if (now->log_x) fputs("set logscale x\nset format x '10^{%T}'\n", script);
  if (now->log_y) fputs("set logscale y\nset format y '10^{%T}'\n", script);
  if (now->settings != NULL) fprintf(script, "%s\n", now->settings);
  fputs("set key outside below center horizontal height 1 font ',10'\n", script); /* never over the data */
  for (size_t k = 0; k < now->curve_count && k < 64; k++) {
    if (points[k] == 0 && now->curves[k].how != DRAW_FUNCTION) continue;
    snprintf(block, sizeof block, "$p%zuc%zu", index, k);
    put_curve(script, block, &now->curves[k], first);
    first = false;
  }
  fputs(first ? "plot [0:1][0:1] NaN notitle\n" : "\n", script);
}

static char *figure_script(const exhibit *of, const frame *streams, const frame *table, bool pdf)
{
  char *script = NULL;
  size_t length, columns = of->panel_count < PANELS_IN_A_ROW ? of->panel_count : PANELS_IN_A_ROW;
  size_t rows = (of->panel_count + columns - 1) / columns;
  FILE *out = open_memstream(&script, &length);
  if (out == NULL) return NULL;
  if (pdf)
    fprintf(out, "set terminal pdfcairo size %.3gin,%.3gin enhanced font 'Helvetica,9' background 'white'\n",
            (double)columns * 3.6, (double)rows * 3.0);
  else
    fprintf(out, "set terminal svg size %zu,%zu dynamic enhanced font 'Helvetica,13' background 'white'\n",
            columns * PANEL_WIDTH, rows * PANEL_HEIGHT);
  fprintf(out,
          "set encoding utf8\nset border 3 lw 1.1\nset tics nomirror\nset samples 400\nset bars small\n"
          "set multiplot layout %zu,%zu\n",
          rows, columns);
  for (size_t k = 0; k < of->panel_count; k++) put_panel(out, of, k, streams, table);
  fputs("unset multiplot\n", out);
  if (fclose(out) == 0) return script;
  free(script);
  return NULL;
}

/* SVG has no spaces next to a change of font unless it is told to keep them. */
static void put_figure(FILE *out, const char *figure)
{
  static const char before[] = "<text>", after[] = "<text xml:space='preserve'>";
  for (const char *next; (next = strstr(figure, before)) != NULL; figure = next + sizeof before - 1)
    fprintf(out, "%.*s%s", (int)(next - figure), figure, after);
  fputs(figure, out);
}

/* What gnuplot makes of a script, which has no zeros if it is SVG. */
static bool draw_script(const char *script, bool pdf, FILE *out)
{
  char *figure = NULL;
  size_t length;
  bool drawn = false;
  FILE *memory = open_memstream(&figure, &length);
  if (memory == NULL) return false;
  sgf_plot_whole(script, memory, &drawn);
  if (fclose(memory) != 0) drawn = false;
  if (drawn && pdf) fwrite(figure, 1, length, out);
  if (drawn && !pdf) put_figure(out, figure);
  free(figure);
  return drawn;
}

static sgf_status draw_one(const exhibit *of, const frame *streams, const frame *table, const char *folder, bool pdf,
                           bool *drawn, sgf_error *error)
{
  char *script = figure_script(of, streams, table, pdf), *path = NULL;
  sgf_atomic_file file = {0};
  sgf_status status = SGF_OK;
  if (script == NULL || asprintf(&path, "%s/%s.%s", folder, of->id, pdf ? "pdf" : "svg") < 0) {
    path = NULL;
    status = sgf_fail(error, SGF_ERROR_MEMORY, "no memory for a figure");
    goto done;
  }
  SGF_TRY(sgf_atomic_begin(path, &file, error));
  FILE *out = fopen(file.temporary, "w");
  if (out == NULL) {
    status = sgf_fail(error, SGF_ERROR_CREATE, "%s: cannot be created", path);
    goto done;
  }
  *drawn = draw_script(script, pdf, out);
  bool written = !ferror(out);
  if (fclose(out) != 0 || !written)
    status = sgf_fail(error, SGF_ERROR_WRITE, "%s: cannot be written", path);
  else if (*drawn)
    status = sgf_atomic_commit(&file, error);
done:
  sgf_atomic_discard(&file);
  free(script);
  free(path);
  return status;
}

sgf_status exhibit_draw(const exhibit *of, const frame *streams, const frame *table, const char *folder, bool *drawn,
                        sgf_error *error)
{
  *drawn = false;
  if (of->panel_count == 0) return SGF_OK;
  sgf_status status = draw_one(of, streams, table, folder, false, drawn, error);
  return status == SGF_OK && *drawn ? draw_one(of, streams, table, folder, true, drawn, error) : status;
}
