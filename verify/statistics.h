/* Tests behind the verdicts: equivalence, difference, families of them, and squared norms without bias. */
#ifndef SGF_STATISTICS_H
#define SGF_STATISTICS_H

#include "../theory/status.h"

/* Mean and its standard error over replicas, NaN-aware. */
void sgf_mean_and_error(const double *values, size_t count, double *mean, double *standard_error);

/* p-value of the claim |deviation| < tolerance (two one-sided t tests), and of |deviation| > tolerance. NaN in,
 * 1 out: nothing can be claimed. Source: section 11. */
double sgf_p_agree(double deviation, double standard_error, double tolerance, double freedom);
double sgf_p_disagree(double deviation, double standard_error, double tolerance, double freedom);

/* Studentized mean of skewed values, about `expected`, made normal to the next order by Hall's cubic transformation,
 * T + g T^2 / (3 sqrt R) + g^2 T^3 / (27 R) + g / (6 sqrt R), g the sample's skewness (Hall, J. R. Stat. Soc. B 54, 221
 * (1992)). Values `stride` apart. NaN without spread. */
double sgf_corrected_t(const double *values, size_t stride, size_t count, double expected);

/* Holm's step-down: claimed[k] for the hypotheses that the family-wise level allows to claim. `order` is room for
 * count indices. */
void sgf_holm(const double *p_values, size_t count, double level, size_t *order, bool *claimed);

/* Unbiased estimate of |E x|^2 from replicas x_r, rows (count, size):
 * sum_{r != s} x_r . x_s / (count (count - 1)), and its standard error: the jackknife's and, for a mean near
 * zero, that of a degenerate statistic. At least 3 replicas. Errors: SGF_ERROR_MEMORY. */
sgf_status sgf_squared_mean(const double *rows, size_t count, size_t size, double *estimate, double *standard_error,
                            sgf_error *error);

#endif
