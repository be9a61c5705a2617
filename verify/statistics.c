/* Tests behind the verdicts: equivalence, difference, families of them, and squared norms without bias. */
#include "statistics.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"

void sgf_mean_and_error(const double *values, size_t count, double *mean, double *standard_error)
{
  *mean = gsl_stats_mean(values, 1, count);
  *standard_error = count > 1 ? gsl_stats_sd_m(values, 1, count, *mean) / sqrt((double)count) : NAN;
}

double sgf_mean_skewness(const double *values, size_t stride, size_t count)
{
  double mean = gsl_stats_mean(values, stride, count), deviation = gsl_stats_sd_m(values, stride, count, mean);
  return gsl_stats_skew_m_sd(values, stride, count, mean, deviation) / sqrt((double)count);
}

/* T as it is or by Hall's transformation, whichever is nearer to 0; a NaN stays one. */
static double correct(double T, double g)
{
  double transformed = T + g * T * T / 3.0 + g * g * T * T * T / 27.0 + g / 6.0;
  return fabs(T) <= fabs(transformed) ? T : transformed;
}

double sgf_corrected_t(const double *values, size_t stride, size_t count, double expected)
{
  double mean = gsl_stats_mean(values, stride, count), deviation = gsl_stats_sd_m(values, stride, count, mean);
  return correct(sqrt((double)count) * (mean - expected) / deviation, sgf_mean_skewness(values, stride, count));
}

/* P(T > margin / standard_error); a margin known without error decides by its sign. */
static double upper_tail(double margin, double standard_error, double skewness, double freedom)
{
  if (isnan(margin) || isnan(standard_error)) return 1.0;
  if (standard_error <= 0.0) return margin > 0.0 ? 0.0 : 1.0;
  return gsl_cdf_tdist_Q(correct(margin / standard_error, isfinite(skewness) ? skewness : 0.0), freedom);
}

double sgf_p_agree(double deviation, double standard_error, double skewness, double tolerance, double freedom)
{
  return fmax(upper_tail(tolerance - deviation, standard_error, -skewness, freedom),
              upper_tail(tolerance + deviation, standard_error, skewness, freedom));
}

double sgf_p_disagree(double deviation, double standard_error, double skewness, double tolerance, double freedom)
{
  double side = deviation < 0.0 ? -skewness : skewness;
  return fmin(1.0, upper_tail(fabs(deviation) - tolerance, standard_error, side, freedom) +
                       upper_tail(fabs(deviation) + tolerance, standard_error, -side, freedom));
}

double sgf_p_small(double square, double standard_error, double tolerance, double freedom)
{
  return upper_tail(tolerance - square, standard_error, 0.0, freedom);
}

double sgf_p_large(double square, double standard_error, double tolerance, double freedom)
{
  return upper_tail(square - tolerance, standard_error, 0.0, freedom);
}

double sgf_look_level(double level, size_t look)
{
  return look == 0 ? level : level * 6.0 / (M_PI * M_PI * (double)look * (double)look);
}

void sgf_holm(const double *p_values, size_t count, double level, size_t *order, bool *claimed)
{
  bool open = true;
  gsl_sort_index(order, p_values, 1, count);
  for (size_t k = 0; k < count; k++) {
    open = open && p_values[order[k]] <= level / (double)(count - k);
    claimed[order[k]] = open;
  }
}

/* Standard error of the squared mean when the mean is zero, where the jackknife sees next to nothing:
 * 2 tr(G^2) / R^2, G the covariance of x, from products of neighbouring centred replicas. sum: of the rows. */
static double degenerate_error(const double *rows, size_t count, size_t size, const double *sum)
{
  double squares = 0.0, R = (double)count;
  for (size_t r = 0; r + 1 < count; r++) {
    double product = 0.0;
    for (size_t k = 0; k < size; k++)
      product += (rows[r * size + k] - sum[k] / R) * (rows[(r + 1) * size + k] - sum[k] / R);
    squares += product * product / (R - 1.0);
  }
  return sqrt(2.0 * squares) / R;
}

sgf_status sgf_squared_mean(const double *rows, size_t count, size_t size, double *estimate, double *standard_error,
                            sgf_error *error)
{
  double *sum = NULL, *leave_out = NULL, R = (double)count, squares = 0.0, total;
  sgf_status status;
  *estimate = *standard_error = NAN;
  SGF_TRY(sgf_new_reals(&sum, size, 1, "squared mean", error));
  SGF_TRY(sgf_new_reals(&leave_out, count, 1, "squared mean", error));
  for (size_t r = 0; r < count; r++) {
    for (size_t k = 0; k < size; k++) sum[k] += rows[r * size + k];
    squares += sgf_dot(size, rows + r * size, rows + r * size);
  }
  total = sgf_dot(size, sum, sum);
  *estimate = (total - squares) / (R * (R - 1.0));
  /* Without replica r: |sum - x_r|^2 and the squares of the others. */
  for (size_t r = 0; r < count; r++) {
    const double *x = rows + r * size;
    double own = sgf_dot(size, x, x), rest = total - 2.0 * sgf_dot(size, sum, x) + own;
    leave_out[r] = (rest - (squares - own)) / ((R - 1.0) * (R - 2.0));
  }
  double jackknife = gsl_stats_sd(leave_out, 1, count) * (R - 1.0) / sqrt(R);
  *standard_error = hypot(jackknife, degenerate_error(rows, count, size, sum));
done:
  free(sum);
  free(leave_out);
  return status;
}
