/* Figures by gnuplot, run as a child process. */
#ifndef SGF_PLOT_H
#define SGF_PLOT_H

#include <stdio.h>

#include "../theory/status.h"

/* Run a gnuplot script whose output is one SVG on standard output, and append the SVG element to `out`, ready for
 * HTML. *drawn is false, and nothing is appended, when gnuplot is absent or fails. A failure to write is left in
 * `out`, for ferror. */
void sgf_plot(const char *script, FILE *out, bool *drawn);

/* The same for a script of any terminal: all of its standard output. */
void sgf_plot_whole(const char *script, FILE *out, bool *drawn);

#endif
