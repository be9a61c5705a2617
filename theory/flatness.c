/* Principal directions, the curvature and flatness along them, and the inverse variance-flatness relation. */
#include "flatness.h"

#include <gsl/gsl_fit.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "random.h"

/* Beyond so many modes their resampling is replaced by its limit. */
enum { BOOTSTRAP_SAMPLES = 1000, MOST_RESAMPLED = 20000 };
static const double NORMAL_95 = 1.959963984540054;
static const double ZERO_MODE = 1e-12; /* relative to the largest */

sgf_status sgf_curvatures(size_t n, const double *H, size_t count, const double *directions, double *curvature,
                          sgf_error *error)
{
  double *products;
  sgf_status status = sgf_new_reals(&products, count, n, "curvatures", error);
  if (status != SGF_OK) return status;
  sgf_multiply(count, n, n, SGF_PLAIN, directions, SGF_PLAIN, H, products);
  for (size_t k = 0; k < count; k++) curvature[k] = sgf_dot(n, products + k * n, directions + k * n);
  free(products);
  return SGF_OK;
}

sgf_status sgf_principal_directions(size_t n, const double *covariance, const double *H, double *directions,
                                    double *variance, double *curvature, sgf_error *error)
{
  sgf_status status;
  memcpy(directions, covariance, n * n * sizeof *directions);
  SGF_TRY(sgf_symmetric_eigen(n, directions, variance, "covariance", error));
  sgf_reverse_rows(n, n, directions, variance);
  SGF_TRY(sgf_curvatures(n, H, n, directions, curvature, error));
done:
  return status;
}

double sgf_flatness(double curvature, double min_loss, double factor)
{
  double F = 2.0 * sqrt(2.0 * (factor - 1.0) * min_loss / curvature);
  return curvature <= 0.0 && !isnan(min_loss) && !isnan(factor) ? INFINITY : F;
}

double sgf_flatness_on_slope(double slope, double curvature, double min_loss, double factor)
{
  double F = 2.0 * sqrt(slope * slope + 2.0 * (factor - 1.0) * min_loss * curvature) / curvature;
  return curvature <= 0.0 && !isnan(slope) && !isnan(min_loss) && !isnan(factor) ? INFINITY : F;
}

double sgf_anisotropy(size_t modes, const double *variance)
{
  double top = 0.0, sum = 0.0, square = 0.0;
  size_t count = 0;
  for (size_t k = 0; k < modes; k++) top = fmax(top, variance[k]);
  for (size_t k = 0; k < modes; k++) {
    if (!(variance[k] > ZERO_MODE * top)) continue;
    double value = log(variance[k] / top);
    sum += value;
    square += value * value;
    count++;
  }
  if (count < 2) return NAN;
  return sqrt(fmax(square - sum * sum / (double)count, 0.0) / ((double)count - 1.0));
}

/* Slope of y on x, NaN when x does not spread. */
static double slope(size_t count, const double *x, const double *y)
{
  double intercept, value, c00, c01, c11, sum;
  double low = gsl_stats_min(x, 1, count), high = gsl_stats_max(x, 1, count);
  if (!(high - low > 1e-9)) return NAN;
  gsl_fit_linear(x, 1, y, 1, count, &intercept, &value, &c00, &c01, &c11, &sum);
  return value;
}

/* What the bootstrap over very many modes tends to: the normal interval with the standard error of White (1980),
 * sum (x - mean)^2 residual^2 / (sum (x - mean)^2)^2. */
static void sandwich(size_t count, const double *x, const double *y, sgf_ivfr *fit)
{
  double mean = gsl_stats_mean(x, 1, count), offset = gsl_stats_mean(y, 1, count), spread = 0.0, sum = 0.0;
  for (size_t k = 0; k < count; k++) {
    double from = x[k] - mean, residual = y[k] - offset - 0.5 * fit->psi * from;
    spread += from * from;
    sum += from * from * residual * residual;
  }
  double error = 2.0 * sqrt(sum) / spread;
  fit->psi_low = fit->psi - NORMAL_95 * error;
  fit->psi_high = fit->psi + NORMAL_95 * error;
}

/* Resample the modes with replacement; percentiles 2.5 and 97.5 of the slope. */
static sgf_status bootstrap(size_t count, const double *x, const double *y, uint64_t seed, sgf_ivfr *fit,
                            sgf_error *error)
{
  double *slopes = NULL, *drawn = NULL;
  sgf_random random;
  size_t kept = 0;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&slopes, BOOTSTRAP_SAMPLES, 1, "bootstrap", error));
  SGF_TRY(sgf_new_reals(&drawn, 2, count, "bootstrap", error));
  sgf_random_at(&random, seed, SGF_STREAM_BOOTSTRAP, 0);
  for (size_t b = 0; b < BOOTSTRAP_SAMPLES; b++) {
    for (size_t k = 0; k < count; k++) {
      size_t mode = sgf_random_index(&random, count);
      drawn[k] = x[mode];
      drawn[count + k] = y[mode];
    }
    double value = slope(count, drawn, drawn + count);
    if (!isnan(value)) slopes[kept++] = value;
  }
  gsl_sort(slopes, 1, kept);
  if (kept > 0) {
    fit->psi_low = 2.0 * gsl_stats_quantile_from_sorted_data(slopes, 1, kept, 0.025);
    fit->psi_high = 2.0 * gsl_stats_quantile_from_sorted_data(slopes, 1, kept, 0.975);
  }
done:
  free(slopes);
  free(drawn);
  return status;
}

/* The fit, and the logarithms x and y (modes) that it is of, those of the modes in it first. */
static void fit_slope(size_t modes, const double *variance, const double *curvature, double *x, double *y,
                      sgf_ivfr *fit)
{
  double top_variance = 0.0, top_curvature = 0.0;
  *fit = (sgf_ivfr){NAN, NAN, NAN, NAN, 0, 0};
  for (size_t k = 0; k < modes; k++) {
    top_variance = fmax(top_variance, variance[k]);
    top_curvature = fmax(top_curvature, curvature[k]);
  }
  for (size_t k = 0; k < modes; k++) {
    if (!(variance[k] > ZERO_MODE * top_variance) || !(curvature[k] > ZERO_MODE * top_curvature)) continue;
    x[fit->modes] = log(curvature[k]);
    y[fit->modes++] = log(variance[k]);
  }
  fit->left_out = modes - fit->modes;
  if (fit->modes < 3) return;
  fit->psi = 2.0 * slope(fit->modes, x, y);
  if (!isnan(fit->psi)) fit->correlation = gsl_stats_correlation(x, 1, y, 1, fit->modes);
}

sgf_status sgf_ivfr_slope(size_t modes, const double *variance, const double *curvature, sgf_ivfr *fit,
                          sgf_error *error)
{
  double *logarithms;
  sgf_status status = sgf_new_reals(&logarithms, 2, modes, "IVFR fit", error);
  *fit = (sgf_ivfr){NAN, NAN, NAN, NAN, 0, 0};
  if (status == SGF_OK) fit_slope(modes, variance, curvature, logarithms, logarithms + modes, fit);
  free(logarithms);
  return status;
}

sgf_status sgf_ivfr_fit(size_t modes, const double *variance, const double *curvature, uint64_t seed, sgf_ivfr *fit,
                        sgf_error *error)
{
  double *x = NULL, *y = NULL;
  sgf_status status;
  *fit = (sgf_ivfr){NAN, NAN, NAN, NAN, 0, 0};
  SGF_TRY(sgf_new_reals(&x, modes, 1, "IVFR fit", error));
  SGF_TRY(sgf_new_reals(&y, modes, 1, "IVFR fit", error));
  fit_slope(modes, variance, curvature, x, y, fit);
  if (isnan(fit->psi)) goto done;
  if (fit->modes <= MOST_RESAMPLED)
    SGF_TRY(bootstrap(fit->modes, x, y, seed, fit, error));
  else
    sandwich(fit->modes, x, y, fit);
done:
  free(x);
  free(y);
  return status;
}
