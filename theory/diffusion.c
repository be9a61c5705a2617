/* Diffusion of the stochastic gradient flow: the covariance of the gradient noise. */
#include "diffusion.h"

#include <cblas.h>
#include <stdlib.h>

#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"

/* Samples whose gradients are held at a time: bounds the memory at any P. */
enum { SAMPLE_BLOCK = 512 };

double sgf_noise_strength(size_t samples, size_t batch_size, sgf_sampling sampling)
{
  double P = (double)samples, S = (double)batch_size;
  if (sampling == SGF_SAMPLING_REPLACEMENT) return 1.0 / S;
  return samples > 1 ? (P - S) / ((P - 1.0) * S) : 0.0;
}

/* What the samples first ... first + count - 1 add to the gradient of one layer, centred: -(A_l^T e)(B_l x)^T less the
 * mean A_l^T G B_l^T. above (P, N_l) has the rows A_l^T e, below (P, N_{l-1}) the rows B_l x. */
static void centred_gradients(const sgf_network *network, size_t layer, const double *above, const double *below,
                              const double *mean, size_t first, size_t count, double *gradients)
{
  size_t to = network->widths[layer], from = network->widths[layer - 1];
  for (size_t m = 0; m < count; m++)
    for (size_t p = 0; p < to; p++) {
      double *row = gradients + m * network->weights + network->offsets[layer] + p * from;
      double e = above[(first + m) * to + p];
      const double *x = below + (first + m) * from;
      for (size_t q = 0; q < from; q++) row[q] = -e * x[q] - mean[p * from + q];
    }
}

/* above, below and mean of a layer, one after the other. Allocated here. */
static sgf_status factors_of_layer(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                   size_t layer, const double *residuals, const double *G, double **factors,
                                   sgf_error *error)
{
  size_t to = network->widths[layer], from = network->widths[layer - 1], P = data->samples;
  size_t inputs = data->inputs, outputs = data->outputs;
  double *A = NULL, *B = NULL, *half = NULL;
  sgf_status status;
  SGF_TRY(sgf_layer_product(network, theta, layer + 1, network->layers, &A, error));
  SGF_TRY(sgf_layer_product(network, theta, 1, layer - 1, &B, error));
  SGF_TRY(sgf_new_reals(&half, to, inputs, "gradients", error));
  SGF_TRY(sgf_new_reals(factors, P * (to + from) + to * from, 1, "gradients", error));
  sgf_multiply(P, to, outputs, SGF_PLAIN, residuals, SGF_PLAIN, A, *factors);
  sgf_multiply(P, from, inputs, SGF_PLAIN, data->X, SGF_TRANSPOSED, B, *factors + P * to);
  sgf_multiply(to, inputs, outputs, SGF_TRANSPOSED, A, SGF_PLAIN, G, half);
  sgf_multiply(to, from, inputs, SGF_PLAIN, half, SGF_TRANSPOSED, B, *factors + P * (to + from));
done:
  free(A);
  free(B);
  free(half);
  return status;
}

/* Centred, so that C is positive semidefinite to round-off, block by block: C += Z^T Z / P. */
static sgf_status empirical(const sgf_network *network, const sgf_dataset *data, const double *theta,
                            const double *residuals, const double *G, double *C, sgf_error *error)
{
  size_t n = network->weights, P = data->samples, layers = network->layers;
  double *gradients = NULL;
  void *block = NULL;
  double **factors = NULL;
  sgf_status status;
  SGF_TRY(sgf_allocate(&block, layers, 1, sizeof *factors, "gradients", error));
  factors = block;
  SGF_TRY(sgf_new_reals(&gradients, SAMPLE_BLOCK, n, "per-sample gradients", error));
  for (size_t l = 1; l <= layers; l++)
    SGF_TRY(factors_of_layer(network, data, theta, l, residuals, G, &factors[l - 1], error));
  for (size_t k = 0; k < n * n; k++) C[k] = 0.0;
  for (size_t first = 0; first < P; first += SAMPLE_BLOCK) {
    size_t count = P - first < SAMPLE_BLOCK ? P - first : SAMPLE_BLOCK;
    for (size_t l = 1; l <= layers; l++) {
      size_t to = network->widths[l], from = network->widths[l - 1];
      const double *above = factors[l - 1];
      centred_gradients(network, l, above, above + P * to, above + P * (to + from), first, count, gradients);
    }
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)n, (int)count, 1.0 / (double)P, gradients, (int)n, 1.0, C,
                (int)n);
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) C[j * n + i] = C[i * n + j];
done:
  for (size_t l = 0; l < layers && factors != NULL; l++) free(factors[l]);
  free(block);
  free(gradients);
  return status;
}

/* Mean of e_a e_b over the samples. */
static double residual_moment(const sgf_dataset *data, const double *residuals, size_t a, size_t b)
{
  double sum = 0.0;
  for (size_t m = 0; m < data->samples; m++)
    sum += residuals[m * data->outputs + a] * residuals[m * data->outputs + b];
  return sum / (double)data->samples;
}

/* K_{(a,i),(b,j)} = Sigma_ee[a, b] Sigma_xx[i, j] + G[b, i] G[a, j]. */
static void gaussian_fourth_moments(const sgf_dataset *data, const double *residuals, const double *G, double *K)
{
  size_t inputs = data->inputs, outputs = data->outputs, size = inputs * outputs;
  for (size_t a = 0; a < outputs; a++)
    for (size_t b = 0; b < outputs; b++) {
      double moment = residual_moment(data, residuals, a, b);
      for (size_t i = 0; i < inputs; i++)
        for (size_t j = 0; j < inputs; j++)
          K[(a * inputs + i) * size + b * inputs + j] =
              moment * data->input_moment[i * inputs + j] + G[b * inputs + i] * G[a * inputs + j];
    }
}

/* K = s^2 1 (x) Sigma_xx. */
static void independent_residuals(const sgf_dataset *data, const double *residuals, double *K)
{
  size_t inputs = data->inputs, size = inputs * data->outputs;
  double variance = 0.0;
  for (size_t a = 0; a < data->outputs; a++)
    variance += residual_moment(data, residuals, a, a) / (double)data->outputs;
  for (size_t a = 0; a < data->outputs; a++)
    for (size_t i = 0; i < inputs; i++)
      for (size_t j = 0; j < inputs; j++)
        K[(a * inputs + i) * size + a * inputs + j] = variance * data->input_moment[i * inputs + j];
}

/* C = J^T K J with the fourth moments K of a model of the residuals. */
static sgf_status modelled(const sgf_network *network, const sgf_dataset *data, const double *residuals,
                           const double *G, const double *J, sgf_noise noise, double *C, sgf_error *error)
{
  size_t n = network->weights, size = data->inputs * data->outputs;
  double *K = NULL, *KJ = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&K, size, size, "fourth moments", error));
  SGF_TRY(sgf_new_reals(&KJ, size, n, "fourth moments", error));
  if (noise == SGF_NOISE_POPULATION)
    gaussian_fourth_moments(data, residuals, G, K);
  else
    independent_residuals(data, residuals, K);
  sgf_multiply(size, n, size, SGF_PLAIN, K, SGF_PLAIN, J, KJ);
  sgf_multiply(n, n, size, SGF_TRANSPOSED, J, SGF_PLAIN, KJ, C);
  sgf_symmetrize(n, C);
done:
  free(K);
  free(KJ);
  return status;
}

sgf_status sgf_noise_covariance(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                sgf_noise noise, double *C, sgf_error *error)
{
  double *residuals = NULL, *G = NULL, *J = NULL;
  sgf_status status;
  SGF_TRY(sgf_residuals(network, data, theta, &residuals, error));
  SGF_TRY(sgf_map_gradient(network, data, theta, &G, error));
  if (noise == SGF_NOISE_EMPIRICAL) {
    status = empirical(network, data, theta, residuals, G, C, error);
  } else {
    SGF_TRY(sgf_jacobian(network, theta, &J, error));
    status = modelled(network, data, residuals, G, J, noise, C, error);
  }
done:
  free(residuals);
  free(G);
  free(J);
  return status;
}
