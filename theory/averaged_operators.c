/* Gradient, Hessian and noise of a network whose weights fluctuate: averages over the weights' distribution to first
 * order in their covariance, the coefficients of the Gaussian closure.
 *
 * The gradient of sample mu by W_l is -(d_l)(h_{l-1})^T, h_l = B_{l+1} x the activations and d_l = A_l^T (y - M x) what
 * comes back. Both are linear in the sample, with coefficients that are products of layers: their expansions are made
 * once (sgf_expansion), and everything else is made of them by products of matrices. */
#include "averaged_operators.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "expansion.h"
#include "memory.h"

/* Samples at a time, and how many numbers the derivatives of their activations may have. */
enum { MOST_SAMPLES = 256, MOST_DERIVATIVES = 1 << 24 };
/* Multiply-adds that threads are started for. */
enum { WORTH_THREADS = 1 << 23 };

sgf_status sgf_averaged_operators_create(size_t n, sgf_averaged_operators *averaged, sgf_error *error)
{
  sgf_status status;
  memset(averaged, 0, sizeof *averaged);
  SGF_TRY(sgf_new_reals(&averaged->gradient, n, 1, "averaged gradient", error));
  SGF_TRY(sgf_new_reals(&averaged->hessian, n, n, "averaged Hessian", error));
  SGF_TRY(sgf_new_reals(&averaged->noise, n, n, "averaged noise", error));
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

/* ------------------------------------------------------ products of layers */

/* Expansions of what gradients are made of; of layer l, or up to it, at [l]. */
typedef struct {
  const sgf_network *network;
  const sgf_dataset *data;
  size_t rank;
  sgf_expansion *all; /* the arrays that follow, in one block */
  sgf_expansion *layer;
  sgf_expansion *below; /* W_l ... W_1; at [0] the identity */
  sgf_expansion *above; /* A_l^T = (W_L ... W_{l+1})^T */
  sgf_expansion *back;  /* A_l^T M */
  sgf_expansion *slope; /* A_l^T G */
} products;

enum { KINDS_OF_PRODUCTS = 5 };

static sgf_status identity(size_t size, sgf_expansion *expansion, sgf_error *error)
{
  sgf_status status = sgf_expansion_create(size, size, 0, expansion, error);
  for (size_t k = 0; k < size && status == SGF_OK; k++) expansion->mean[k * (size + 1)] = 1.0;
  return status;
}

static void products_free(products *made)
{
  for (size_t k = 0; made->all != NULL && k < KINDS_OF_PRODUCTS * (made->network->layers + 1); k++)
    sgf_expansion_free(&made->all[k]);
  free(made->all);
}

/* W_l and its derivatives: theta is linear in itself. */
static sgf_status expand_layer(const products *made, const double *theta, const double *factor, size_t l,
                               sgf_error *error)
{
  const sgf_network *network = made->network;
  size_t size = sgf_layer_size(network, l), first = network->offsets[l];
  sgf_expansion *layer = &made->layer[l];
  sgf_status status = sgf_expansion_create(network->widths[l], network->widths[l - 1], made->rank, layer, error);
  if (status != SGF_OK) return status;
  memcpy(layer->mean, theta + first, size * sizeof *theta);
  for (size_t k = 0; k < made->rank; k++)
    memcpy(layer->first + k * size, factor + k * network->weights + first, size * sizeof *factor);
  return SGF_OK;
}

/* G = M Sigma_xx - Sigma_yx. */
static sgf_status expand_slope_of_map(const products *made, sgf_expansion *G, sgf_error *error)
{
  const sgf_dataset *data = made->data;
  const sgf_expansion moment = {data->inputs, data->inputs, 0, data->input_moment, NULL, NULL};
  sgf_status status =
      sgf_expansion_multiply(SGF_PLAIN, &made->below[made->network->layers], SGF_PLAIN, &moment, G, error);
  for (size_t k = 0; k < data->outputs * data->inputs && status == SGF_OK; k++) G->mean[k] -= data->cross_moment[k];
  return status;
}

static sgf_status products_create(const sgf_network *network, const sgf_dataset *data, const double *theta,
                                  size_t rank, const double *factor, products *made, sgf_error *error)
{
  size_t L = network->layers;
  void *block;
  sgf_expansion G = {0};
  sgf_status status = sgf_allocate(&block, KINDS_OF_PRODUCTS, L + 1, sizeof(sgf_expansion), "expansions", error);
  *made = (products){network, data, rank, block, block, NULL, NULL, NULL, NULL};
  if (status != SGF_OK) return status;
  made->below = made->layer + L + 1;
  made->above = made->below + L + 1;
  made->back = made->above + L + 1;
  made->slope = made->back + L + 1;
  for (size_t l = 1; l <= L; l++) SGF_TRY(expand_layer(made, theta, factor, l, error));
  SGF_TRY(identity(network->widths[0], &made->below[0], error));
  for (size_t l = 1; l <= L; l++)
    SGF_TRY(
        sgf_expansion_multiply(SGF_PLAIN, &made->layer[l], SGF_PLAIN, &made->below[l - 1], &made->below[l], error));
  SGF_TRY(identity(network->widths[L], &made->above[L], error));
  for (size_t l = L - 1; l >= 1; l--)
    SGF_TRY(sgf_expansion_multiply(SGF_TRANSPOSED, &made->layer[l + 1], SGF_PLAIN, &made->above[l + 1],
                                   &made->above[l], error));
  SGF_TRY(expand_slope_of_map(made, &G, error));
  for (size_t l = 1; l <= L; l++) {
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->above[l], SGF_PLAIN, &made->below[L], &made->back[l], error));
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->above[l], SGF_PLAIN, &G, &made->slope[l], error));
  }
done:
  sgf_expansion_free(&G);
  return status;
}

/* --------------------------------------------------------- blocks of layers */

/* Add weight X to the block (upper, lower) of an n x n matrix, whose rows are (p, q) of W_upper and columns (r, s) of
 * W_lower. X has rows (p, r) and columns (q, s); crossed: rows (p, s) and columns (q, r). */
static void scatter(const sgf_network *network, size_t upper, size_t lower, bool crossed, double weight,
                    const double *X, double *matrix)
{
  size_t to = network->widths[upper], from = network->widths[upper - 1];
  size_t lower_to = network->widths[lower], lower_from = network->widths[lower - 1];
  for (size_t p = 0; p < to; p++)
    for (size_t q = 0; q < from; q++) {
      double *row = matrix + (network->offsets[upper] + p * from + q) * network->weights + network->offsets[lower];
      for (size_t r = 0; r < lower_to; r++)
        for (size_t s = 0; s < lower_from; s++)
          row[r * lower_from + s] += weight * (crossed ? X[((p * lower_from + s) * from + q) * lower_to + r]
                                                       : X[((p * lower_to + r) * from + q) * lower_from + s]);
    }
}

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
static sgf_status add_curvature_of_map(const products *made, size_t upper, size_t lower, double *X, double *H,
                                       sgf_error *error)
{
  const sgf_dataset *data = made->data;
  const sgf_expansion moment = {data->inputs, data->inputs, 0, data->input_moment, NULL, NULL};
  sgf_expansion outer = {0}, inner = {0}, weighted = {0};
  sgf_status status;
  SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->above[upper], SGF_TRANSPOSED, &made->above[lower], &outer, error));
  SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->below[upper - 1], SGF_PLAIN, &moment, &weighted, error));
  SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &weighted, SGF_TRANSPOSED, &made->below[lower - 1], &inner, error));
  mean_of_outer_product(&outer, &inner, X);
  scatter(made->network, upper, lower, false, 1.0, X, H);
done:
  sgf_expansion_free(&outer);
  sgf_expansion_free(&inner);
  sgf_expansion_free(&weighted);
  return status;
}

/* Of the pairs of `upper` with all layers below it: (A_u^T G B_l^T)[p, s] (W_{u-1} ... W_{l+1})[q, r]. */
static sgf_status add_curvature_of_slope(const products *made, size_t upper, double *X, double *H, sgf_error *error)
{
  sgf_expansion between = {0}, longer = {0}, slope = {0};
  sgf_status status;
  SGF_TRY(identity(made->network->widths[upper - 1], &between, error));
  for (size_t lower = upper - 1; lower >= 1; lower--) {
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->slope[upper], SGF_TRANSPOSED, &made->below[lower - 1], &slope,
                                   error));
    mean_of_outer_product(&slope, &between, X);
    scatter(made->network, upper, lower, true, 1.0, X, H);
    sgf_expansion_free(&slope);
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &between, SGF_PLAIN, &made->layer[lower], &longer, error));
    sgf_expansion_free(&between);
    between = longer;
    memset(&longer, 0, sizeof longer);
  }
done:
  sgf_expansion_free(&between);
  sgf_expansion_free(&longer);
  sgf_expansion_free(&slope);
  return status;
}

static sgf_status average_hessian(const products *made, double weight_decay, double *X, double *H, sgf_error *error)
{
  size_t n = made->network->weights;
  sgf_status status = SGF_OK;
  memset(H, 0, n * n * sizeof *H);
  for (size_t upper = 1; upper <= made->network->layers; upper++) {
    for (size_t lower = 1; lower <= upper; lower++) SGF_TRY(add_curvature_of_map(made, upper, lower, X, H, error));
    SGF_TRY(add_curvature_of_slope(made, upper, X, H, error));
  }
  for (size_t k = 0; k < n; k++) H[k * (n + 1)] += weight_decay;
  sgf_mirror(n, H);
done:
  return status;
}

/* ------------------------------------------------------------ noise by samples */

/* Linear functions of a block of samples, (count, size), and their expansion. */
typedef struct {
  size_t size;
  double *mean, *second; /* (count, size) */
  double *first;         /* (count, rank, size), NULL: they do not depend on the weights */
} activations;

/* What a block of samples is expanded in. */
typedef struct {
  const products *made;
  size_t most, count;    /* samples of the block: at most, now */
  activations *forward;  /* (L) h_l at [l], l = 0 ... L - 1 */
  activations *backward; /* (L) d_l at [l - 1], l = 1 ... L */
  double *left, *right;  /* (2 most, |block|) rows of outer products of pairs */
  double *centred;       /* (most, n) z = g_mu - g */
  double *other;         /* (most, n) z / 2 + half the mean of g_mu'':Sigma - g'':Sigma */
  double *gradient;      /* (n) g(m) */
  double *shift;         /* (n) g'':Sigma / 2 */
  double *curved;        /* (rank, n) H l_k */
} sample_block;

static void activations_free(activations *of)
{
  free(of->mean);
  free(of->second);
  free(of->first);
}

static void sample_block_free(sample_block *block)
{
  for (size_t l = 0; l < block->made->network->layers && block->forward != NULL; l++) {
    activations_free(&block->forward[l]);
    activations_free(&block->backward[l]);
  }
  free(block->forward);
  free(block->left);
  free(block->right);
  free(block->centred);
  free(block->other);
  free(block->gradient);
  free(block->shift);
  free(block->curved);
}

static sgf_status activations_create(size_t most, size_t size, size_t rank, activations *of, sgf_error *error)
{
  sgf_status status;
  of->size = size;
  SGF_TRY(sgf_new_reals(&of->mean, most, size, "activations", error));
  SGF_TRY(sgf_new_reals(&of->second, most, size, "activations", error));
  if (rank > 0) SGF_TRY(sgf_new_reals(&of->first, most, rank * size, "derivatives of activations", error));
done:
  return status;
}

/* The mean gradient, what the fluctuations add to it, and H l_k, from A_l^T G B_l^T. */
static sgf_status mean_gradient(sample_block *block, sgf_error *error)
{
  const products *made = block->made;
  const sgf_network *network = made->network;
  sgf_expansion slope = {0};
  sgf_status status = SGF_OK;
  for (size_t l = 1; l <= network->layers; l++) {
    size_t size = sgf_layer_size(network, l), first = network->offsets[l];
    SGF_TRY(sgf_expansion_multiply(SGF_PLAIN, &made->slope[l], SGF_TRANSPOSED, &made->below[l - 1], &slope, error));
    memcpy(block->gradient + first, slope.mean, size * sizeof(double));
    memcpy(block->shift + first, slope.second, size * sizeof(double));
    for (size_t k = 0; k < made->rank; k++)
      memcpy(block->curved + k * network->weights + first, slope.first + k * size, size * sizeof(double));
    sgf_expansion_free(&slope);
  }
done:
  sgf_expansion_free(&slope);
  return status;
}

static sgf_status sample_block_create(const products *made, sample_block *block, sgf_error *error)
{
  const sgf_network *network = made->network;
  size_t L = network->layers, n = network->weights, widest = 1, derivatives = 1;
  void *room;
  sgf_status status;
  for (size_t l = 0; l <= L; l++) {
    if (network->widths[l] > widest) widest = network->widths[l];
    derivatives += 2 * made->rank * network->widths[l];
  }
  *block = (sample_block){.made = made, .most = MOST_DERIVATIVES / derivatives};
  if (block->most < 1) block->most = 1;
  if (block->most > MOST_SAMPLES) block->most = MOST_SAMPLES;
  SGF_TRY(sgf_allocate(&room, 2, L, sizeof(activations), "activations", error));
  block->forward = room;
  block->backward = block->forward + L;
  for (size_t l = 0; l < L; l++) {
    SGF_TRY(activations_create(block->most, network->widths[l], l > 0 ? made->rank : 0, &block->forward[l], error));
    SGF_TRY(activations_create(block->most, network->widths[l + 1], made->rank, &block->backward[l], error));
  }
  SGF_TRY(sgf_new_reals(&block->left, 2 * block->most, widest * widest, "pairs of activations", error));
  SGF_TRY(sgf_new_reals(&block->right, 2 * block->most, widest * widest, "pairs of activations", error));
  SGF_TRY(sgf_new_reals(&block->centred, block->most, n, "per-sample gradients", error));
  SGF_TRY(sgf_new_reals(&block->other, block->most, n, "per-sample gradients", error));
  SGF_TRY(sgf_new_reals(&block->gradient, n, 1, "gradient", error));
  SGF_TRY(sgf_new_reals(&block->shift, n, 1, "gradient", error));
  SGF_TRY(sgf_new_reals(&block->curved, made->rank, n, "derivatives of the gradient", error));
  SGF_TRY(mean_gradient(block, error));
done:
  return status;
}

/* out += scale (samples op) for op (size, inner), or several of them below each other. */
static void add_product(size_t count, size_t size, size_t inner, double scale, const double *samples,
                        const double *op, double *out)
{
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, (int)size, (int)inner, scale, samples, (int)inner,
              op, (int)inner, 1.0, out, (int)size);
}

/* Add scale times the samples (count, op->columns) under the expansion `op`. */
static void add_activations(size_t count, double scale, const double *samples, const sgf_expansion *op,
                            activations *of)
{
  add_product(count, op->rows, op->columns, scale, samples, op->mean, of->mean);
  if (op->directions == 0) return;
  add_product(count, op->rows, op->columns, scale, samples, op->second, of->second);
  add_product(count, op->directions * op->rows, op->columns, scale, samples, op->first, of->first);
}

/* h_l = B_{l+1} x and d_l = A_l^T y - A_l^T M x for the samples from `first` on. */
static void expand_samples(sample_block *block, size_t first)
{
  const products *made = block->made;
  const sgf_dataset *data = made->data;
  const double *X = data->X + first * data->inputs, *Y = data->Y + first * data->outputs;
  for (size_t l = 0; l < made->network->layers; l++)
    for (int back = 0; back < 2; back++) {
      activations *of = back ? &block->backward[l] : &block->forward[l];
      memset(of->mean, 0, block->count * of->size * sizeof(double));
      memset(of->second, 0, block->count * of->size * sizeof(double));
      if (of->first != NULL) memset(of->first, 0, block->count * made->rank * of->size * sizeof(double));
    }
  for (size_t l = 1; l <= made->network->layers; l++) {
    add_activations(block->count, 1.0, X, &made->below[l - 1], &block->forward[l - 1]);
    add_activations(block->count, 1.0, Y, &made->above[l], &block->backward[l - 1]);
    add_activations(block->count, -1.0, X, &made->back[l], &block->backward[l - 1]);
  }
}

/* rows (count, |a| |b|): of each sample, the covariance of a and b under the fluctuations. */
static void covariances(const sample_block *block, const activations *a, const activations *b, double *rows)
{
  size_t rank = block->made->rank, size = a->size * b->size;
  if (a->first == NULL || b->first == NULL) {
    memset(rows, 0, block->count * size * sizeof *rows);
    return;
  }
#pragma omp parallel for schedule(static) if (block->count * size * rank > WORTH_THREADS)
  for (size_t m = 0; m < block->count; m++)
    sgf_multiply(a->size, b->size, rank, SGF_TRANSPOSED, a->first + m * rank * a->size, SGF_PLAIN,
                 b->first + m * rank * b->size, rows + m * size);
}

/* rows (count, |a| |b|): of each sample, a b^T at the mean of the weights. */
static void outer_products(const sample_block *block, const activations *a, const activations *b, double *rows)
{
  for (size_t m = 0; m < block->count; m++)
    for (size_t i = 0; i < a->size; i++)
      for (size_t j = 0; j < b->size; j++) *rows++ = a->mean[m * a->size + i] * b->mean[m * b->size + j];
}

/* The gradients and the second derivatives of a layer, centred. */
static void gradients_of_layer(sample_block *block, size_t layer)
{
  const sgf_network *network = block->made->network;
  const activations *d = &block->backward[layer - 1], *h = &block->forward[layer - 1];
  size_t n = network->weights, first = network->offsets[layer];
  covariances(block, d, h, block->left);
  for (size_t m = 0; m < block->count; m++)
    for (size_t p = 0; p < d->size; p++)
      for (size_t q = 0; q < h->size; q++) {
        size_t k = first + p * h->size + q, at_d = m * d->size + p, at_h = m * h->size + q;
        double centred = -d->mean[at_d] * h->mean[at_h] - block->gradient[k];
        double second =
            d->second[at_d] * h->mean[at_h] + d->mean[at_d] * h->second[at_h] + block->left[at_d * h->size + q];
        block->centred[m * n + k] = centred;
        block->other[m * n + k] = 0.5 * centred - second - block->shift[k];
      }
}

/* sum over the samples of the block of H_mu Sigma H_mu, with H_mu l = -(D d)(h)^T - (d)(D h)^T along l; X is room. */
static void add_curved_noise(const sample_block *block, size_t upper, size_t lower, double *X, double *noise)
{
  const sgf_network *network = block->made->network;
  const activations *d = &block->backward[upper - 1], *h = &block->forward[upper - 1];
  const activations *lower_d = &block->backward[lower - 1], *lower_h = &block->forward[lower - 1];
  double weight = 1.0 / (double)block->made->data->samples;
  for (int crossed = 0; crossed < 2; crossed++) {
    const activations *beside = crossed ? lower_h : lower_d, *across = crossed ? lower_d : lower_h;
    size_t of_left = d->size * beside->size, of_right = h->size * across->size;
    covariances(block, d, beside, block->left);
    outer_products(block, d, beside, block->left + block->count * of_left);
    outer_products(block, h, across, block->right);
    covariances(block, h, across, block->right + block->count * of_right);
    sgf_multiply(of_left, of_right, 2 * block->count, SGF_TRANSPOSED, block->left, SGF_PLAIN, block->right, X);
    scatter(network, upper, lower, crossed, weight, X, noise);
  }
}

/* C + C'':Sigma / 2 = E[z z^T] + E[c z^T + z c^T] + E[H_mu Sigma H_mu] - H Sigma H, c half the mean of g_mu'':Sigma. */
static void average_noise(sample_block *block, double *X, double *noise)
{
  const products *made = block->made;
  size_t n = made->network->weights, L = made->network->layers, P = made->data->samples;
  memset(noise, 0, n * n * sizeof *noise);
  for (size_t first = 0; first < P; first += block->most) {
    block->count = P - first < block->most ? P - first : block->most;
    expand_samples(block, first);
    for (size_t l = 1; l <= L; l++) gradients_of_layer(block, l);
    cblas_dsyr2k(CblasRowMajor, CblasLower, CblasTrans, (int)n, (int)block->count, 1.0 / (double)P, block->centred,
                 (int)n, block->other, (int)n, 1.0, noise, (int)n);
    for (size_t upper = 1; upper <= L && made->rank > 0; upper++)
      for (size_t lower = 1; lower <= upper; lower++) add_curved_noise(block, upper, lower, X, noise);
  }
  if (made->rank > 0)
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)n, (int)made->rank, -1.0, block->curved, (int)n, 1.0,
                noise, (int)n);
  sgf_mirror(n, noise);
}

/* -------------------------------------------------------------------- driver */

sgf_status sgf_average_operators(const sgf_network *network, const sgf_dataset *data, double weight_decay,
                                 const double *theta, size_t rank, const double *factor,
                                 sgf_averaged_operators *averaged, sgf_error *error)
{
  size_t n = network->weights, largest = 0;
  products made = {0};
  sample_block block = {0};
  double *X = NULL;
  sgf_status status;
  for (size_t l = 1; l <= network->layers; l++)
    if (sgf_layer_size(network, l) > largest) largest = sgf_layer_size(network, l);
  SGF_TRY(sgf_new_reals(&X, largest, largest, "block of layers", error));
  status = products_create(network, data, theta, rank, factor, &made, error);
  if (status == SGF_OK) status = average_hessian(&made, weight_decay, X, averaged->hessian, error);
  if (status == SGF_OK) {
    status = sample_block_create(&made, &block, error);
    if (status == SGF_OK) average_noise(&block, X, averaged->noise);
    for (size_t k = 0; k < n && status == SGF_OK; k++)
      averaged->gradient[k] = block.gradient[k] + block.shift[k] + weight_decay * theta[k];
    sample_block_free(&block);
  }
  products_free(&made);
done:
  free(X);
  if (status != SGF_OK) {
    sgf_fill_nan(n, averaged->gradient);
    sgf_fill_nan(n * n, averaged->hessian);
    sgf_fill_nan(n * n, averaged->noise);
  }
  return status;
}
