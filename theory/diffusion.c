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

/* Rows -e_mu (x) x_mu - vec G of the samples first ... first + count - 1: the centred gradients of the map. */
static void centred_map_gradients(const sgf_dataset *data, const double *residuals, const double *G, size_t first,
                                  size_t count, double *rows)
{
  size_t inputs = data->inputs, outputs = data->outputs;
  for (size_t m = 0; m < count; m++)
    for (size_t a = 0; a < outputs; a++)
      for (size_t i = 0; i < inputs; i++) {
        double product = residuals[(first + m) * outputs + a] * data->X[(first + m) * inputs + i];
        rows[(m * outputs + a) * inputs + i] = -product - G[a * inputs + i];
      }
}

/* Centred, so that C is positive semidefinite to round-off, block by block: C += (Z J)^T (Z J) / P. */
static sgf_status empirical(const sgf_network *network, const sgf_dataset *data, const double *residuals,
                            const double *G, const double *J, double *C, sgf_error *error)
{
  size_t n = network->weights, map_size = data->inputs * data->outputs;
  double *Z = NULL, *gradients = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&Z, SAMPLE_BLOCK, map_size, "gradients of the map", error));
  SGF_TRY(sgf_new_reals(&gradients, SAMPLE_BLOCK, n, "per-sample gradients", error));
  for (size_t k = 0; k < n * n; k++) C[k] = 0.0;
  for (size_t first = 0; first < data->samples; first += SAMPLE_BLOCK) {
    size_t left = data->samples - first, count = left < SAMPLE_BLOCK ? left : SAMPLE_BLOCK;
    centred_map_gradients(data, residuals, G, first, count, Z);
    sgf_multiply(count, n, map_size, SGF_PLAIN, Z, SGF_PLAIN, J, gradients);
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)n, (int)count, 1.0 / (double)data->samples, gradients,
                (int)n, 1.0, C, (int)n);
  }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) C[j * n + i] = C[i * n + j];
done:
  free(Z);
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
  SGF_TRY(sgf_jacobian(network, theta, &J, error));
  status = noise == SGF_NOISE_EMPIRICAL ? empirical(network, data, residuals, G, J, C, error)
                                        : modelled(network, data, residuals, G, J, noise, C, error);
done:
  free(residuals);
  free(G);
  free(J);
  return status;
}
