/* Brute force over single samples and minibatches. */
#include "minibatches.h"

#include <lapacke.h>

sgf_problem *noisy_identity_problem(const sgf_settings *settings, size_t P, uint64_t seed)
{
  sgf_error error = {SGF_OK, ""};
  sgf_problem *problem;
  size_t inputs = settings->network.widths[0], outputs = settings->network.widths[settings->network.width_count - 1];
  double *X = new_reals(P * inputs), *Y = new_reals(P * outputs);
  fill_normal(seed, P * inputs, X);
  fill_normal(seed + 1, P * outputs, Y);
  for (size_t k = 0; k < P * outputs; k++) Y[k] += X[k / outputs * inputs + k % outputs % inputs];
  ASSERT_OK(sgf_problem_from_arrays(settings, P, X, Y, NULL, &problem, &error), error);
  free(X);
  free(Y);
  return problem;
}

void plain_gradient(const sgf_problem *problem, const double *theta, size_t sample, double *gradient)
{
  const sgf_network *net = &problem->network;
  const sgf_dataset *data = &problem->data;
  size_t first = sample < data->samples ? sample : 0, last = sample < data->samples ? sample + 1 : data->samples;
  double h[6][16], back[6][16];
  memset(gradient, 0, net->weights * sizeof *gradient);
  for (size_t m = first; m < last; m++) {
    memcpy(h[0], data->X + m * data->inputs, data->inputs * sizeof **h);
    for (size_t l = 1; l <= net->layers; l++)
      for (size_t a = 0; a < net->widths[l]; a++)
        h[l][a] = sgf_dot(net->widths[l - 1], theta + net->offsets[l] + a * net->widths[l - 1], h[l - 1]);
    for (size_t a = 0; a < data->outputs; a++)
      back[net->layers][a] = (h[net->layers][a] - data->Y[m * data->outputs + a]) / (double)(last - first);
    for (size_t l = net->layers; l >= 1; l--) {
      const double *W = theta + net->offsets[l];
      memset(back[l - 1], 0, sizeof *back);
      for (size_t a = 0; a < net->widths[l]; a++)
        for (size_t i = 0; i < net->widths[l - 1]; i++) {
          gradient[net->offsets[l] + a * net->widths[l - 1] + i] += back[l][a] * h[l - 1][i];
          back[l - 1][i] += back[l][a] * W[a * net->widths[l - 1] + i];
        }
    }
  }
}

void plain_hessian(const sgf_problem *problem, size_t sample, double *H)
{
  static const double weight[] = {45.0 / 60.0, -9.0 / 60.0, 1.0 / 60.0};
  size_t n = problem->network.weights;
  double *theta = new_reals(n), *gradient = new_reals(n), step = 0.25;
  for (size_t i = 0; i < n; i++) {
    memset(H + i * n, 0, n * sizeof *H);
    for (int k = -3; k <= 3; k++) {
      if (k == 0) continue;
      memcpy(theta, problem->theta, n * sizeof *theta);
      theta[i] += step * k;
      plain_gradient(problem, theta, sample, gradient);
      for (size_t j = 0; j < n; j++) H[i * n + j] += (k < 0 ? -1.0 : 1.0) * weight[abs(k) - 1] * gradient[j] / step;
    }
  }
  sgf_symmetrize(n, H);
  free(theta);
  free(gradient);
}

/* ---------------------------------------------------------- all minibatches */

/* Gradient (P, r) and Hessian (P, r, r) of every sample, weight decay included. */
typedef struct {
  size_t rank;
  double *gradients, *hessians;
} sample_derivatives;

static void derivatives_of_samples(const sgf_problem *problem, const double *V, size_t rank, sample_derivatives *all)
{
  size_t n = problem->network.weights, P = problem->data.samples;
  double decay = problem->settings.training.weight_decay, *g = new_reals(n), *H = new_reals(n * n);
  double *half = new_reals(rank * n);
  *all = (sample_derivatives){rank, new_reals(P * rank), new_reals(P * rank * rank)};
  for (size_t m = 0; m < P; m++) {
    double *gradient = all->gradients + m * rank, *hessian = all->hessians + m * rank * rank;
    plain_gradient(problem, problem->theta, m, g);
    plain_hessian(problem, m, H);
    for (size_t i = 0; i < n; i++) {
      g[i] += decay * problem->theta[i];
      H[i * n + i] += decay;
    }
    if (V == NULL) {
      memcpy(gradient, g, n * sizeof *g);
      memcpy(hessian, H, n * n * sizeof *H);
      continue;
    }
    sgf_multiply(rank, 1, n, SGF_PLAIN, V, SGF_PLAIN, g, gradient);
    sgf_multiply(rank, n, n, SGF_PLAIN, V, SGF_PLAIN, H, half);
    sgf_multiply(rank, rank, n, SGF_PLAIN, half, SGF_TRANSPOSED, V, hessian);
  }
  free(g);
  free(H);
  free(half);
}

static void add_batch(const sgf_problem *problem, const sample_derivatives *of, const size_t *batch,
                      minibatch_average *all)
{
  size_t r = all->rank, S = problem->settings.training.batch_size;
  double lambda = problem->settings.training.learning_rate, *map = new_reals(r * r), *g = new_reals(r);
  for (size_t i = 0; i < r; i++) map[i * r + i] = 1.0;
  for (size_t s = 0; s < S; s++) {
    for (size_t i = 0; i < r; i++) g[i] += of->gradients[batch[s] * r + i] / (double)S;
    for (size_t k = 0; k < r * r; k++) map[k] -= lambda * of->hessians[batch[s] * r * r + k] / (double)S;
  }
  for (size_t i = 0; i < r; i++)
    for (size_t j = 0; j < r; j++) {
      all->source[i * r + j] += lambda * lambda * g[i] * g[j];
      for (size_t k = 0; k < r; k++)
        for (size_t l = 0; l < r; l++) all->K[(i * r + j) * r * r + k * r + l] += map[i * r + k] * map[j * r + l];
    }
  all->batches++;
  free(map);
  free(g);
}

static void enumerate(const sgf_problem *problem, const sample_derivatives *of, size_t *batch, size_t drawn,
                      minibatch_average *all)
{
  bool repeats = problem->settings.training.sampling == SGF_SAMPLING_REPLACEMENT;
  if (drawn == problem->settings.training.batch_size) {
    add_batch(problem, of, batch, all);
    return;
  }
  for (size_t m = 0; m < problem->data.samples; m++) {
    bool used = false;
    for (size_t s = 0; s < drawn; s++) used = used || batch[s] == m;
    if (used && !repeats) continue;
    batch[drawn] = m;
    enumerate(problem, of, batch, drawn + 1, all);
  }
}

void average_over_minibatches(const sgf_problem *problem, const double *V, size_t rank, minibatch_average *all)
{
  size_t batch[8], r2 = rank * rank;
  sample_derivatives of;
  ck_assert(problem->settings.training.batch_size <= 8);
  *all = (minibatch_average){rank, 0, new_reals(r2 * r2), new_reals(r2)};
  derivatives_of_samples(problem, V, rank, &of);
  enumerate(problem, &of, batch, 0, all);
  for (size_t k = 0; k < r2 * r2; k++) all->K[k] /= (double)all->batches;
  for (size_t k = 0; k < r2; k++) all->source[k] /= (double)all->batches;
  free(of.gradients);
  free(of.hessians);
}

void minibatch_average_free(minibatch_average *all)
{
  free(all->K);
  free(all->source);
}

void stationary_of(const minibatch_average *all, double *Sigma)
{
  size_t r2 = all->rank * all->rank;
  lapack_int *pivots = calloc(r2, sizeof *pivots);
  double *system = new_reals(r2 * r2);
  for (size_t k = 0; k < r2 * r2; k++) system[k] = (k % (r2 + 1) == 0) - all->K[k];
  memcpy(Sigma, all->source, r2 * sizeof *Sigma);
  ck_assert_int_eq(LAPACKE_dgesv(LAPACK_ROW_MAJOR, (int)r2, 1, system, (int)r2, pivots, Sigma, 1), 0);
  free(pivots);
  free(system);
}

void window_of(const minibatch_average *all, size_t first, size_t stride, size_t count, double *mean)
{
  size_t r2 = all->rank * all->rank;
  double *Sigma = new_reals(r2), *next = new_reals(r2);
  memset(mean, 0, r2 * sizeof *mean);
  for (size_t t = 1; t <= first + (count - 1) * stride; t++) {
    sgf_multiply(r2, 1, r2, SGF_PLAIN, all->K, SGF_PLAIN, Sigma, next);
    for (size_t k = 0; k < r2; k++) Sigma[k] = next[k] + all->source[k];
    if (t < first || (t - first) % stride != 0) continue;
    for (size_t k = 0; k < r2; k++) mean[k] += Sigma[k] / (double)count;
  }
  free(Sigma);
  free(next);
}

double spectral_radius(const minibatch_average *all)
{
  size_t r2 = all->rank * all->rank;
  double *copy = new_reals(r2 * r2), *real = new_reals(r2), *imaginary = new_reals(r2), radius = 0.0;
  memcpy(copy, all->K, r2 * r2 * sizeof *copy);
  ck_assert_int_eq(
      LAPACKE_dgeev(LAPACK_ROW_MAJOR, 'N', 'N', (int)r2, copy, (int)r2, real, imaginary, NULL, 1, NULL, 1), 0);
  for (size_t k = 0; k < r2; k++) radius = fmax(radius, hypot(real[k], imaginary[k]));
  free(copy);
  free(real);
  free(imaginary);
  return radius;
}
