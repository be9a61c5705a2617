/* Tests behind the verdicts: equivalence, difference, families of them, and squared norms without bias. */
#ifndef SGF_STATISTICS_H
#define SGF_STATISTICS_H

#include "../theory/status.h"

/* Mean and its standard error over replicas, NaN-aware. */
void sgf_mean_and_error(const double *values, size_t count, double *mean, double *standard_error);

/* Skewness of the mean of so many values, `stride` apart: theirs over the root of their number. NaN without spread. */
double sgf_mean_skewness(const double *values, size_t stride, size_t count);

/* Studentized mean of skewed values, about `expected`. Hall's cubic transformation makes it normal to the next order,
 * T + g T^2 / 3 + g^2 T^3 / 27 + g / 6, g the skewness of the mean (Hall, J. R. Stat. Soc. B 54, 221 (1992)), but g is
 * noise where the values are heavy-tailed and symmetric. Of T and its transform the one nearer to 0 is returned, whose
 * tails were not heavier than Student's t in any of the cases of section 11. NaN without spread. */
double sgf_corrected_t(const double *values, size_t stride, size_t count, double expected);

/* p-values of the claims |deviation| < tolerance (two one-sided t tests) and |deviation| > tolerance, the largest over
 * what the other side allows: for the second P(|estimate| beyond the one seen) at the edge of the tolerance, both tails.
 *   skewness  of the estimate (sgf_mean_skewness), for which t is corrected as above; NaN counts as 0
 * NaN in, 1 out: nothing can be claimed. Source: section 11. */
double sgf_p_agree(double deviation, double standard_error, double skewness, double tolerance, double freedom);
double sgf_p_disagree(double deviation, double standard_error, double skewness, double tolerance, double freedom);
/* The same of a square that is estimated without bias, and so may come out below 0: square < tolerance, and above. */
double sgf_p_small(double square, double standard_error, double tolerance, double freedom);
double sgf_p_large(double square, double standard_error, double tolerance, double freedom);

/* What look k = 1, 2, ... at a growing ensemble spends of a level: 6 / (pi k)^2 of it, together all of it for any number of
 * looks (Bonferroni), whatever they have in common. 0, the only look: the level. */
double sgf_look_level(double level, size_t look);

/* Holm's step-down: claimed[k] for the hypotheses that the family-wise level allows to claim. `order` is room for
 * count indices. */
void sgf_holm(const double *p_values, size_t count, double level, size_t *order, bool *claimed);

/* Unbiased estimate of |E x|^2 from replicas x_r, rows (count, size):
 * sum_{r != s} x_r . x_s / (count (count - 1)), and its standard error: the jackknife's and, for a mean near
 * zero, that of a degenerate statistic. At least 3 replicas. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_squared_mean(const double *rows, size_t count, size_t size, double *estimate, double *standard_error,
                            sgf_error *error);

#endif
