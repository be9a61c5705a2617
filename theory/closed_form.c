/* Closed forms of the stationary covariance for noise that is proportional to the drift, C = s^2 H. */
#include "closed_form.h"

#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"
#include "nullspace.h"

static const double ISOTROPIC = 1e-12; /* relative, in the Frobenius norm */

/* Sigma = T Q^T Q, Q = diag(mu)^{-1/2} V J with the eigenpairs (mu, V) of J J^T that are not zero. */
sgf_status sgf_closed_form_covariance(const sgf_network *network, const double *theta, double temperature,
                                      double *Sigma, sgf_error *error)
{
  size_t n = network->weights, size = sgf_network_outputs(network) * sgf_network_inputs(network);
  double *J = NULL, *gram = NULL, *Q = NULL;
  sgf_range range = {0};
  sgf_status status;
  SGF_TRY(sgf_jacobian(network, theta, &J, error));
  if (sgf_norm(size * n, J) == 0.0) {
    status = sgf_fail(error, SGF_ERROR_VALUE, "theta: its Jacobian is 0, no weight changes the map");
    goto done;
  }
  SGF_TRY(sgf_new_reals(&gram, size, size, "J J^T", error));
  SGF_TRY(sgf_new_reals(&Q, size, n, "range of J^T", error));
  sgf_multiply(size, size, n, SGF_PLAIN, J, SGF_TRANSPOSED, J, gram);
  sgf_symmetrize(size, gram);
  SGF_TRY(sgf_range_create(size, gram, NAN, &range, error));
  size_t null = size - range.rank;
  sgf_multiply(range.rank, n, size, SGF_PLAIN, range.V + null * size, SGF_PLAIN, J, Q);
  for (size_t k = 0; k < range.rank; k++) {
    double scale = sqrt(temperature / range.h[null + k]);
    for (size_t j = 0; j < n; j++) Q[k * n + j] *= scale;
  }
  sgf_multiply(n, n, range.rank, SGF_TRANSPOSED, Q, SGF_PLAIN, Q, Sigma);
  sgf_symmetrize(n, Sigma);
done:
  if (status != SGF_OK) sgf_fill_nan(n * n, Sigma);
  free(J);
  free(gram);
  free(Q);
  sgf_range_free(&range);
  return status;
}

/* Singular values of W (rows, columns), descending, those of round-off 0, into the first entries of `values`, whose
 * other entries are kept; the right singular vectors, one a row, into right (columns, columns) unless it is NULL.
 * Column-major LAPACK sees W^T, whose left singular vectors in columns are our rows. */
static sgf_status singular_values(size_t rows, size_t columns, const double *W, double *values, double *right,
                                  const char *what, sgf_error *error)
{
  size_t count = rows < columns ? rows : columns, larger = rows < columns ? columns : rows;
  double *copy = NULL, *unused = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&copy, rows, columns, what, error));
  SGF_TRY(sgf_new_reals(&unused, count, 1, what, error));
  memcpy(copy, W, rows * columns * sizeof *copy);
  lapack_int info =
      LAPACKE_dgesvd(LAPACK_COL_MAJOR, right != NULL ? 'A' : 'N', 'N', (lapack_int)columns, (lapack_int)rows, copy,
                     (lapack_int)columns, values, right, (lapack_int)columns, NULL, (lapack_int)rows, unused);
  if (info == LAPACK_WORK_MEMORY_ERROR)
    status = sgf_fail(error, SGF_ERROR_MEMORY, "%s: no memory for the singular values of a %zu x %zu matrix", what,
                      rows, columns);
  else if (info != 0)
    status = sgf_fail(error, SGF_ERROR_NUMERICAL, "%s: singular values not found, LAPACK dgesvd returned %d", what,
                      (int)info);
  else
    for (size_t k = 0; k < count; k++)
      if (values[k] <= 4.0 * (double)larger * DBL_EPSILON * values[0]) values[k] = 0.0;
done:
  free(copy);
  free(unused);
  return status;
}

/* own^2 / (own^2 + other^2). */
static double share(double own, double other)
{
  return own == 0.0 ? 0.0 : 1.0 / (1.0 + (other / own) * (other / own));
}

/* Entry (i, k) of the layer from a_k, b_i and the inputs' variance r_k^T Sigma_xx r_k. */
static void fill_block(const size_t *N, size_t layer, const double *a, const double *b, const double *along,
                       double temperature, double *variance, double *curvature)
{
  for (size_t i = 0; i < N[layer]; i++)
    for (size_t k = 0; k < N[layer - 1]; k++) {
      double own = layer == 1 ? b[i] : a[k], other = layer == 1 ? a[k] : b[i];
      variance[i * N[layer - 1] + k] = temperature * share(own, other);
      curvature[i * N[layer - 1] + k] = own == 0.0 ? 0.0 : own * own * along[k];
    }
}

sgf_status sgf_closed_form_layer(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                 size_t layer, double temperature, double *variance, double *curvature,
                                 sgf_error *error)
{
  const size_t *N = network->widths;
  double *a = NULL, *b = NULL, *right = NULL, *along = NULL;
  sgf_status status;
  if (layer < 1 || layer > network->layers)
    return sgf_fail(error, SGF_ERROR_VALUE, "layer %zu of a network of %zu", layer, network->layers);
  if (network->layers != 2) {
    status = sgf_fail(error, SGF_ERROR_UNSUPPORTED, "the closed form of a layer is for 2 layers, here are %zu",
                      network->layers);
    goto done;
  }
  SGF_TRY(sgf_new_reals(&a, N[0] + N[1], 1, "singular values of W_1", error));
  SGF_TRY(sgf_new_reals(&b, N[1] + N[2], 1, "singular values of W_2", error));
  SGF_TRY(sgf_new_reals(&along, N[0] + N[1], 1, "variance of the inputs", error));
  SGF_TRY(sgf_new_reals(&right, N[0], N[0], "singular vectors of W_1", error));
  SGF_TRY(singular_values(N[1], N[0], theta + network->offsets[1], a, right, "W_1", error));
  SGF_TRY(singular_values(N[2], N[1], theta + network->offsets[2], b, NULL, "W_2", error));
  for (size_t k = 0; k < N[0]; k++) along[k] = sgf_quadratic_form(N[0], data->input_moment, right + k * N[0]);
  fill_block(N, layer, a, b, along, temperature, variance, curvature);
done:
  if (status != SGF_OK) {
    sgf_fill_nan(sgf_layer_size(network, layer), variance);
    sgf_fill_nan(sgf_layer_size(network, layer), curvature);
  }
  free(a);
  free(b);
  free(right);
  free(along);
  return status;
}

bool sgf_noise_is_isotropic(size_t n, const double *H, const double *C, double *s2)
{
  double norm_H = sgf_norm(n * n, H), norm_C = sgf_norm(n * n, C), along = 0.0, square = 0.0;
  for (size_t k = 0; k < n * n; k++) along += C[k] * (H[k] / norm_H);
  *s2 = along / norm_H;
  if (norm_C == 0.0) return norm_H > 0.0;
  for (size_t k = 0; k < n * n; k++) {
    double difference = (C[k] - *s2 * H[k]) / norm_C;
    square += difference * difference;
  }
  return sqrt(square) <= ISOTROPIC;
}
