/* The report's figures, each a gnuplot script with its data inside. */
#ifndef SGF_FIGURES_H
#define SGF_FIGURES_H

#include <stdio.h>

#include "../theory/prediction.h"
#include "compare.h"

/* Write the script of a figure. Variances are in units of T = lambda kappa s^2 / 2S. comparison may be NULL: theory
 * alone. */
void sgf_figure_measured(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison);
void sgf_figure_spectrum(FILE *script, const sgf_prediction *prediction, double noise_scale);
void sgf_figure_curvature(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison);

/* Variance against flatness inside a layer, coupled and uncoupled. */
void sgf_figure_ivfr(FILE *script, const sgf_problem *problem, const sgf_prediction *prediction,
                     const sgf_comparison *comparison, size_t layer);
/* Correlation time along principal directions against flatness, of a layer (of the only one: of all weights), and the mean
 * square displacement against the time between. For predictions that have them: see sgf_has_times. */
bool sgf_has_times(const sgf_prediction *prediction, const sgf_comparison *comparison);
void sgf_figure_times(FILE *script, const sgf_problem *problem, const sgf_prediction *prediction,
                      const sgf_comparison *comparison, size_t layer);
void sgf_figure_displacement(FILE *script, const sgf_prediction *prediction, const sgf_comparison *comparison);

/* Measured and predicted drift of the balance of every hidden layer; needs a comparison that has them. */
void sgf_figure_balance(FILE *script, const sgf_comparison *comparison);

#endif
