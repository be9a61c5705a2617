/* Tests behind the verdicts: equivalence, difference, families of them, and squared norms without bias. */
#include "statistics.h"

#include <cblas.h>
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

/* Rows that are this many times longer than they are many are known by their products. */
enum { LONG_ROWS = 4 };

/* What the squared mean needs of x_r: |x_r|^2, x_r . sum, and x_r . x_{r + 1}, each (count). */
typedef struct {
  double *squares, *with_sum, *with_next;
} row_products;

/* From the matrix of all products. */
static sgf_status products_of_long(const double *rows, size_t count, size_t size, const row_products *products,
                                   sgf_error *error)
{
  double *gram;
  sgf_status status = sgf_new_reals(&gram, count, count, "products of rows", error);
  if (status != SGF_OK) return status;
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)count, (int)size, 1.0, rows, (int)size, 0.0, gram,
              (int)count);
  for (size_t r = 0; r < count; r++) {
    products->squares[r] = gram[r * (count + 1)];
    if (r + 1 < count) products->with_next[r] = gram[(r + 1) * count + r];
    for (size_t q = 0; q < count; q++) products->with_sum[r] += q <= r ? gram[r * count + q] : gram[q * count + r];
  }
  free(gram);
  return SGF_OK;
}

static sgf_status find_products(const double *rows, size_t count, size_t size, const row_products *products,
                                sgf_error *error)
{
  double *sum;
  if (LONG_ROWS * count <= size) return products_of_long(rows, count, size, products, error);
  sgf_status status = sgf_new_reals(&sum, size, 1, "squared mean", error);
  if (status != SGF_OK) return status;
  for (size_t r = 0; r < count; r++)
    for (size_t k = 0; k < size; k++) sum[k] += rows[r * size + k];
  for (size_t r = 0; r < count; r++) {
    const double *x = rows + r * size;
    products->squares[r] = sgf_dot(size, x, x);
    products->with_sum[r] = sgf_dot(size, sum, x);
    if (r + 1 < count) products->with_next[r] = sgf_dot(size, x, x + size);
  }
  free(sum);
  return SGF_OK;
}

/* Standard error of the squared mean when the mean is zero, where the jackknife sees next to nothing:
 * 2 tr(G^2) / R^2, G the covariance of x, from products of neighbouring centred replicas; total: |sum|^2. */
static double degenerate_error(size_t count, const row_products *of, double total)
{
  double squares = 0.0, R = (double)count;
  for (size_t r = 0; r + 1 < count; r++) {
    double product = of->with_next[r] - (of->with_sum[r] + of->with_sum[r + 1]) / R + total / (R * R);
    squares += product * product / (R - 1.0);
  }
  return sqrt(2.0 * squares) / R;
}

sgf_status sgf_squared_mean(const double *rows, size_t count, size_t size, double *estimate, double *standard_error,
                            sgf_error *error)
{
  double *room = NULL, *leave_out, R = (double)count, squares = 0.0, total = 0.0;
  sgf_status status;
  *estimate = *standard_error = NAN;
  SGF_TRY(sgf_new_reals(&room, 4, count, "squared mean", error));
  leave_out = room + 3 * count;
  const row_products of = {room, room + count, room + 2 * count};
  SGF_TRY(find_products(rows, count, size, &of, error));
  for (size_t r = 0; r < count; r++) {
    squares += of.squares[r];
    total += of.with_sum[r];
  }
  *estimate = (total - squares) / (R * (R - 1.0));
  /* Without replica r: |sum - x_r|^2 and the squares of the others. */
  for (size_t r = 0; r < count; r++) {
    double own = of.squares[r], rest = total - 2.0 * of.with_sum[r] + own;
    leave_out[r] = (rest - (squares - own)) / ((R - 1.0) * (R - 2.0));
  }
  double jackknife = gsl_stats_sd(leave_out, 1, count) * (R - 1.0) / sqrt(R);
  *standard_error = hypot(jackknife, degenerate_error(count, &of, total));
done:
  free(room);
  return status;
}
