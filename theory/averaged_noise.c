/* The noise of a network whose weights fluctuate, averaged, sample by sample. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "averaged_products.h"
#include "linear_algebra.h"
#include "memory.h"

/* Samples at a time, and how many numbers the derivatives of their activations may have. */
enum { MOST_SAMPLES = 256, MOST_DERIVATIVES = 1 << 24 };
/* Multiply-adds that threads are started for. */
enum { WORTH_THREADS = 1 << 23 };

/* Linear functions of a block of samples, (count, size), and their expansion. */
typedef struct {
  size_t size;
  double *mean, *second; /* (count, size) */
  double *first;         /* (count, rank, size), NULL: they do not depend on the weights */
} activations;

/* What a block of samples is expanded in; of layer l at [l - 1]. */
typedef struct {
  const sgf_averaged_products *made;
  size_t most, count;    /* samples of the block: at most, now */
  activations *forward;  /* (L) h_{l-1} as it is seen */
  activations *backward; /* (L) d_l */
  double *left, *right;  /* (2 most, |block|) rows of outer products of pairs */
  double *centred;       /* (most, size) z = g_mu - g */
  double *other;         /* (most, size) z / 2 + half the mean of g_mu'':Sigma - g'':Sigma */
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

static sgf_status sample_block_create(const sgf_averaged_products *made, sample_block *block, sgf_error *error)
{
  size_t L = made->network->layers, widest, derivatives = 1;
  void *room;
  sgf_status status;
  (void)sgf_largest_view(made, &widest);
  for (size_t l = 1; l <= L; l++) {
    sgf_layer_view view = sgf_layer_view_of(made, l);
    derivatives += made->rank * (view.rows + view.columns);
  }
  *block = (sample_block){.made = made, .most = MOST_DERIVATIVES / derivatives};
  if (block->most < 1) block->most = 1;
  if (block->most > MOST_SAMPLES) block->most = MOST_SAMPLES;
  SGF_TRY(sgf_allocate(&room, 2, L, sizeof(activations), "activations", error));
  block->forward = room;
  block->backward = block->forward + L;
  for (size_t l = 0; l < L; l++) {
    sgf_layer_view view = sgf_layer_view_of(made, l + 1);
    SGF_TRY(activations_create(block->most, view.columns, l > 0 ? made->rank : 0, &block->forward[l], error));
    SGF_TRY(activations_create(block->most, view.rows, made->rank, &block->backward[l], error));
  }
  SGF_TRY(sgf_new_reals(&block->left, 2 * block->most, widest * widest, "pairs of activations", error));
  SGF_TRY(sgf_new_reals(&block->right, 2 * block->most, widest * widest, "pairs of activations", error));
  SGF_TRY(sgf_new_reals(&block->centred, block->most, made->size, "per-sample gradients", error));
  SGF_TRY(sgf_new_reals(&block->other, block->most, made->size, "per-sample gradients", error));
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
  const sgf_averaged_products *made = block->made;
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
    add_activations(block->count, 1.0, X, &made->below[l], &block->forward[l - 1]);
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

/* The gradients and the second derivatives of the samples of the block, centred. */
static void centre_gradients(sample_block *block)
{
  const sgf_averaged_products *made = block->made;
  size_t size = made->size;
  for (size_t m = 0; m < block->count; m++)
    for (size_t k = 0; k < size; k++) {
      block->centred[m * size + k] = -made->mean[k];
      block->other[m * size + k] = -0.5 * made->mean[k] - made->shift[k];
    }
  for (size_t l = 1; l <= made->network->layers; l++) {
    const activations *d = &block->backward[l - 1], *h = &block->forward[l - 1];
    size_t first = sgf_layer_view_of(made, l).offset;
    covariances(block, d, h, block->left);
    for (size_t m = 0; m < block->count; m++)
      for (size_t p = 0; p < d->size; p++)
        for (size_t q = 0; q < h->size; q++) {
          size_t k = m * size + first + p * h->size + q, at_d = m * d->size + p, at_h = m * h->size + q;
          double gradient = d->mean[at_d] * h->mean[at_h];
          double second =
              d->second[at_d] * h->mean[at_h] + d->mean[at_d] * h->second[at_h] + block->left[at_d * h->size + q];
          block->centred[k] -= gradient;
          block->other[k] -= 0.5 * gradient + second;
        }
  }
}

/* sum over the samples of the block of H_mu Sigma H_mu, with H_mu l = -(D d)(h)^T - (d)(D h)^T along l, half of it for a layer
 * with itself; X is room. */
static void add_curved_noise(const sample_block *block, size_t upper, size_t lower, double *X, double *noise)
{
  const activations *d = &block->backward[upper - 1], *h = &block->forward[upper - 1];
  const activations *lower_d = &block->backward[lower - 1], *lower_h = &block->forward[lower - 1];
  double weight = (upper == lower ? 0.5 : 1.0) / (double)block->made->data->samples;
  for (int crossed = 0; crossed < 2; crossed++) {
    const activations *beside = crossed ? lower_h : lower_d, *across = crossed ? lower_d : lower_h;
    size_t of_left = d->size * beside->size, of_right = h->size * across->size, rows = 0;
    if (d->first != NULL && beside->first != NULL) {
      covariances(block, d, beside, block->left);
      outer_products(block, h, across, block->right);
      rows += block->count;
    }
    if (h->first != NULL && across->first != NULL) {
      outer_products(block, d, beside, block->left + rows * of_left);
      covariances(block, h, across, block->right + rows * of_right);
      rows += block->count;
    }
    if (rows == 0) continue;
    sgf_multiply(of_left, of_right, rows, SGF_TRANSPOSED, block->left, SGF_PLAIN, block->right, X);
    sgf_add_block_of_layers(block->made, upper, lower, crossed, weight, X, noise);
  }
}

/* C + C'':Sigma / 2 = E[z z^T] + E[c z^T + z c^T] + E[H_mu Sigma H_mu] - H Sigma H, c half the mean of g_mu'':Sigma. */
sgf_status sgf_add_averaged_noise(const sgf_averaged_products *made, double *X, double *noise, sgf_error *error)
{
  size_t size = made->size, L = made->network->layers, P = made->data->samples;
  sample_block block;
  sgf_status status = sample_block_create(made, &block, error);
  for (size_t first = 0; first < P && status == SGF_OK; first += block.most) {
    block.count = P - first < block.most ? P - first : block.most;
    expand_samples(&block, first);
    centre_gradients(&block);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)size, (int)size, (int)block.count, 1.0 / (double)P,
                block.centred, (int)size, block.other, (int)size, 1.0, noise, (int)size);
    for (size_t upper = 1; upper <= L && made->rank > 0; upper++)
      for (size_t lower = 1; lower <= upper; lower++) add_curved_noise(&block, upper, lower, X, noise);
  }
  sample_block_free(&block);
  return status;
}
