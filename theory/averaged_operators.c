/* Gradient, Hessian and noise of a network whose weights fluctuate: averages over the weights' distribution to first
 * order in their covariance, the coefficients of the Gaussian closure. */
#include "averaged_operators.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "averaged_products.h"
#include "linear_algebra.h"
#include "memory.h"

sgf_status sgf_averaged_operators_create(size_t n, size_t size, sgf_averaged_operators *averaged, sgf_error *error)
{
  sgf_status status;
  memset(averaged, 0, sizeof *averaged);
  SGF_TRY(sgf_new_reals(&averaged->gradient, n, 1, "averaged gradient", error));
  SGF_TRY(sgf_new_reals(&averaged->hessian, size, size, "averaged Hessian", error));
  SGF_TRY(sgf_new_reals(&averaged->noise, size, size, "averaged noise", error));
done:
  return status;
}

void sgf_averaged_operators_free(sgf_averaged_operators *averaged)
{
  free(averaged->gradient);
  free(averaged->hessian);
  free(averaged->noise);
  memset(averaged, 0, sizeof *averaged);
}

/* ------------------------------------------------------------------- Hessian */

/* X (|A|, |B|) = the mean of the outer product of the elements of A and of B. */
static void mean_of_outer_product(const sgf_expansion *A, const sgf_expansion *B, double *X)
{
  int of_a = (int)(A->rows * A->columns), of_b = (int)(B->rows * B->columns), directions = (int)A->directions;
  memset(X, 0, (size_t)of_a * (size_t)of_b * sizeof *X);
  cblas_dger(CblasRowMajor, of_a, of_b, 1.0, A->mean, 1, B->mean, 1, X, of_b);
  if (A->directions > 0) cblas_dger(CblasRowMajor, of_a, of_b, 1.0, A->second, 1, B->mean, 1, X, of_b);
  if (B->directions > 0) cblas_dger(CblasRowMajor, of_a, of_b, 1.0, A->mean, 1, B->second, 1, X, of_b);
  if (A->directions > 0 && B->directions > 0)
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, of_a, of_b, directions, 1.0, A->first, of_a, B->first, of_b,
                1.0, X, of_b);
}

/* Of the pair upper >= lower: (A_u^T A_l) (x) (B_u Sigma_xx B_l^T). X is room for the block. */
static sgf_status add_curvature_of_map(const sgf_averaged_products *made, size_t upper, size_t lower, double *X,
                                       double *H, sgf_error *error)
{
  const sgf_dataset *data = made->data;
  const sgf_expansion moment = {data->inputs, data->inputs, 0, data->input_moment, NULL, NULL};
  sgf_expansion outer = {0}, inner = {0}, weighted = {0};
  sgf_status status;
  SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->above[upper], SGF_TRANSPOSED, &made->above[lower], &outer, error));
  SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->below[upper], SGF_PLAIN, &moment, &weighted, error));
  SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &weighted, SGF_TRANSPOSED, &made->below[lower], &inner, error));
  mean_of_outer_product(&outer, &inner, X);
  sgf_add_block_of_layers(made, upper, lower, false, upper == lower ? 0.5 : 1.0, X, H);
done:
  sgf_expansion_free(&outer);
  sgf_expansion_free(&inner);
  sgf_expansion_free(&weighted);
  return status;
}

/* Of the pairs of `upper` with all layers below it: (A_u^T G B_l^T)[p, s] (W_{u-1} ... W_{l+1})[q, r]. */
static sgf_status add_curvature_of_slope(const sgf_averaged_products *made, size_t upper, double *X, double *H,
                                         sgf_error *error)
{
  sgf_expansion between = {0}, longer = {0}, slope = {0}, seen = {0};
  sgf_status status;
  SGF_TRY(sgf_expansion_identity(made->network->widths[upper - 1], &between, error));
  for (size_t lower = upper - 1; lower >= 1; lower--) {
    SGF_TRY(
        sgf_expansion_multiply(SGF_PLAIN, &made->slope[upper], SGF_TRANSPOSED, &made->below[lower], &slope, error));
    if (made->range != NULL) SGF_TRY(sgf_between_layers(made, upper, lower, &between, &seen, error));
    mean_of_outer_product(&slope, made->range != NULL ? &seen : &between, X);
    sgf_add_block_of_layers(made, upper, lower, true, 1.0, X, H);
    sgf_expansion_free(&slope);
    sgf_expansion_free(&seen);
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &between, SGF_PLAIN, &made->layer[lower], &longer, error));
    sgf_expansion_free(&between);
    between = longer;
    memset(&longer, 0, sizeof longer);
  }
done:
  sgf_expansion_free(&between);
  sgf_expansion_free(&longer);
  sgf_expansion_free(&slope);
  sgf_expansion_free(&seen);
  return status;
}

/* A <- A + A^T. */
static void add_transposed(size_t size, double *A)
{
  sgf_symmetrize(size, A);
  cblas_dscal((int)(size * size), 2.0, A, 1);
}

/* H + H'':Sigma / 2: half of the blocks of a layer with itself, and those of pairs once. */
static sgf_status average_hessian(const sgf_averaged_products *made, double weight_decay, double *X, double *H,
                                  sgf_error *error)
{
  size_t size = made->size;
  sgf_status status = SGF_OK;
  memset(H, 0, size * size * sizeof *H);
  for (size_t upper = 1; upper <= made->network->layers; upper++) {
    for (size_t lower = 1; lower <= upper; lower++) SGF_TRY(add_curvature_of_map(made, upper, lower, X, H, error));
    SGF_TRY(add_curvature_of_slope(made, upper, X, H, error));
  }
  add_transposed(size, H);
  for (size_t k = 0; k < size; k++) H[k * (size + 1)] += weight_decay;
done:
  return status;
}

static sgf_status average_noise(const sgf_averaged_products *made, double *X, double *noise, sgf_error *error)
{
  size_t size = made->size;
  memset(noise, 0, size * size * sizeof *noise);
  sgf_status status = sgf_add_averaged_noise(made, X, noise, error);
  if (status != SGF_OK) return status;
  add_transposed(size, noise);
  if (made->rank > 0)
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)size, (int)made->rank, -1.0, made->curved, (int)size, 1.0,
                noise, (int)size);
  sgf_mirror(size, noise);
  return SGF_OK;
}

/* -------------------------------------------------------------------- driver */

sgf_status sgf_average_operators(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                 const double *theta, size_t rank, const double *factor, const sgf_range_basis *range,
                                 sgf_averaged_operators *averaged, sgf_error *error)
{
  size_t n = network->weights, size = n, largest, widest;
  sgf_averaged_products made = {0};
  double *X = NULL;
  sgf_status status;
  if (range != NULL) size = sgf_range_basis_of_map(range);
  SGF_TRY(sgf_averaged_products_create(network, data, theta, rank, factor, range, &made, error));
  largest = sgf_largest_view(&made, &widest);
  SGF_TRY(sgf_new_reals(&X, largest, largest, "block of layers", error));
  SGF_TRY(average_hessian(&made, range == NULL ? weight_decay : 0.0, X, averaged->hessian, error));
  SGF_TRY(average_noise(&made, X, averaged->noise, error));
  for (size_t k = 0; k < n; k++) averaged->gradient[k] = made.gradient[k] + weight_decay * theta[k];
done:
  sgf_averaged_products_free(&made);
  free(X);
  if (status != SGF_OK) {
    sgf_fill_nan(n, averaged->gradient);
    sgf_fill_nan(size * size, averaged->hessian);
    sgf_fill_nan(size * size, averaged->noise);
  }
  return status;
}
