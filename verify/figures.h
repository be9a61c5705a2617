/* The report's figures, each a gnuplot script with its data inside. */
#ifndef SGF_FIGURES_H
#define SGF_FIGURES_H

#include <stdio.h>

#include "../theory/prediction.h"
#include "compare.h"

/* Write the script of a figure. Variances are in units of T = lambda kappa L* / S. comparison may be NULL: theory
 * alone. */
void sgf_figure_measured(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison);
void sgf_figure_spectrum(FILE *script, const sgf_prediction *prediction, double noise_scale);
void sgf_figure_curvature(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison);

#endif
