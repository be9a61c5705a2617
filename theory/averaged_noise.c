/* The noise of a network whose weights fluctuate, averaged, sample by sample. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "averaged_products.h"
#include "linear_algebra.h"
#include "memory.h"

/* Samples at a time, how many numbers the covariances of their activations may have, and the derivatives of some of
 * them. */
enum { MOST_SAMPLES = 256, MOST_COVARIANCES = 1 << 24, MOST_DERIVATIVES = 1 << 22 };
/* Multiply-adds that threads are started for. */
enum { WORTH_THREADS = 1 << 23 };

/* Linear functions of a block of samples, (count, size), and their expansion. */
typedef struct {
  size_t size;
  double *mean, *second; /* (count, size) */
  bool fluctuates;       /* it depends on the weights; */
  size_t at;             /* then its place among all that do */
} activations;

/* An operator on samples whose derivatives are laid out for `derive`: (rows, rank, columns). */
typedef struct {
  const sgf_expansion *op;
  double *first;
} derivatives;

/* What a block of samples is expanded in; of layer l at [l - 1]. */
typedef struct {
  const sgf_averaged_products *made;
  size_t most, some, count; /* samples of the block: at most; of which derivatives are held; now */
  size_t moving;            /* activations of a sample that fluctuate */
  activations *forward;     /* (L) h_{l-1} as it is seen */
  activations *backward;    /* (L) d_l */
  derivatives *below;       /* (L) of the products of these names */
  derivatives *above;       /* (L) */
  derivatives *back;        /* (L) */
  double *along;            /* (some, moving, rank) derivatives along the fluctuations */
  double *covariance;       /* (most, moving, moving) */
  double *left, *right;     /* (2 most, |block|) rows of outer products of pairs */
  double *centred;          /* (most, size) z = g_mu - g */
  double *other;            /* (most, size) z / 2 + half the mean of g_mu'':Sigma - g'':Sigma */
} sample_block;

static void sample_block_free(sample_block *block)
{
  for (size_t l = 0; l < block->made->network->layers && block->forward != NULL && block->below != NULL; l++) {
    activations *of[] = {&block->forward[l], &block->backward[l]};
    for (size_t k = 0; k < 2; k++) {
      free(of[k]->mean);
      free(of[k]->second);
    }
    free(block->below[l].first);
    free(block->above[l].first);
    free(block->back[l].first);
  }
  free(block->forward);
  free(block->below);
  free(block->along);
  free(block->covariance);
  free(block->left);
  free(block->right);
  free(block->centred);
  free(block->other);
}

static sgf_status lay_out_derivatives(const sgf_expansion *op, derivatives *of, sgf_error *error)
{
  size_t rank = op->directions, columns = op->columns;
  of->op = op;
  sgf_status status = sgf_new_reals(&of->first, op->rows * rank, columns, "derivatives along fluctuations", error);
  for (size_t k = 0; k < rank && status == SGF_OK; k++)
    for (size_t i = 0; i < op->rows; i++)
      memcpy(of->first + (i * rank + k) * columns, op->first + (k * op->rows + i) * columns,
             columns * sizeof *of->first);
  return status;
}

static sgf_status activations_create(sample_block *block, size_t size, bool fluctuates, activations *of,
                                     sgf_error *error)
{
  sgf_status status;
  *of = (activations){.size = size, .fluctuates = fluctuates, .at = block->moving};
  if (fluctuates) block->moving += size;
  SGF_TRY(sgf_new_reals(&of->mean, block->most, size, "activations", error));
  SGF_TRY(sgf_new_reals(&of->second, block->most, size, "activations", error));
done:
  return status;
}

static size_t at_most(size_t numbers, size_t each, size_t most)
{
  size_t count = each > 0 ? numbers / each : most;
  return count < 1 ? 1 : count > most ? most : count;
}

/* Samples of a block, by what fluctuates of one. */
static size_t samples_of_block(const sgf_averaged_products *made)
{
  size_t moving = 0;
  for (size_t l = 1; l <= made->network->layers; l++) {
    sgf_layer_view view = sgf_layer_view_of(made, l);
    moving += view.rows + view.columns;
  }
  return at_most(MOST_COVARIANCES, moving * moving, MOST_SAMPLES);
}

static sgf_status sample_block_create(const sgf_averaged_products *made, sample_block *block, sgf_error *error)
{
  size_t L = made->network->layers, widest;
  void *room;
  sgf_status status;
  (void)sgf_largest_view(made, &widest);
  *block = (sample_block){.made = made, .most = samples_of_block(made)};
  SGF_TRY(sgf_allocate(&room, 3, L, sizeof(derivatives), "activations", error));
  block->below = room;
  block->above = block->below + L;
  block->back = block->above + L;
  SGF_TRY(sgf_allocate(&room, 2, L, sizeof(activations), "activations", error));
  block->forward = room;
  block->backward = block->forward + L;
  for (size_t l = 0; l < L; l++) {
    sgf_layer_view view = sgf_layer_view_of(made, l + 1);
    SGF_TRY(activations_create(block, view.columns, made->rank > 0 && l > 0, &block->forward[l], error));
    SGF_TRY(activations_create(block, view.rows, made->rank > 0, &block->backward[l], error));
    SGF_TRY(lay_out_derivatives(&made->below[l + 1], &block->below[l], error));
    SGF_TRY(lay_out_derivatives(&made->above[l + 1], &block->above[l], error));
    SGF_TRY(lay_out_derivatives(&made->back[l + 1], &block->back[l], error));
  }
  block->some = at_most(MOST_DERIVATIVES, block->moving * made->rank, block->most);
  SGF_TRY(sgf_new_reals(&block->along, block->some, block->moving * made->rank, "derivatives of activations", error));
  SGF_TRY(
      sgf_new_reals(&block->covariance, block->most, block->moving * block->moving, "pairs of activations", error));
  SGF_TRY(sgf_new_reals(&block->left, 2 * block->most, widest * widest, "pairs of activations", error));
  SGF_TRY(sgf_new_reals(&block->right, 2 * block->most, widest * widest, "pairs of activations", error));
  SGF_TRY(sgf_new_reals(&block->centred, block->most, made->size, "per-sample gradients", error));
  SGF_TRY(sgf_new_reals(&block->other, block->most, made->size, "per-sample gradients", error));
done:
  return status;
}

/* Add scale times the samples (count, op->columns) under the expansion `op`, without derivatives. */
static void add_activations(size_t count, double scale, const double *samples, const sgf_expansion *op,
                            activations *of)
{
  int rows = (int)op->rows, columns = (int)op->columns;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, rows, columns, scale, samples, columns, op->mean,
              columns, 1.0, of->mean, rows);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, rows, columns, scale, samples, columns, op->second,
              columns, 1.0, of->second, rows);
}

/* The derivatives of these, of `count` samples. */
static void derive(const sample_block *block, size_t count, double scale, const double *samples,
                   const derivatives *by, const activations *of)
{
  size_t rank = block->made->rank;
  int columns = (int)by->op->columns, size = (int)(by->op->rows * rank), stride = (int)(block->moving * rank);
  if (by->op->directions == 0) return;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, size, columns, scale, samples, columns, by->first,
              columns, 1.0, block->along + of->at * rank, stride);
}

/* Covariances of all that fluctuates, of some samples from `first` of the block on, which are X and Y. */
static void covary(const sample_block *block, size_t first, size_t count, const double *X, const double *Y)
{
  size_t moving = block->moving, rank = block->made->rank;
  memset(block->along, 0, count * moving * rank * sizeof(double));
  for (size_t l = 0; l < block->made->network->layers; l++) {
    derive(block, count, 1.0, X, &block->below[l], &block->forward[l]);
    derive(block, count, 1.0, Y, &block->above[l], &block->backward[l]);
    derive(block, count, -1.0, X, &block->back[l], &block->backward[l]);
  }
#pragma omp parallel for schedule(static) if (count * moving * moving * rank > WORTH_THREADS)
  for (size_t m = 0; m < count; m++) {
    double *covariance = block->covariance + (first + m) * moving * moving;
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)moving, (int)rank, 1.0,
                block->along + m * moving * rank, (int)rank, 0.0, covariance, (int)moving);
    sgf_mirror(moving, covariance);
  }
}

/* h_l = B_{l+1} x and d_l = A_l^T y - A_l^T M x for the samples from `first` on. */
static void expand_samples(sample_block *block, size_t first)
{
  const sgf_averaged_products *made = block->made;
  const sgf_dataset *data = made->data;
  const double *X = data->X + first * data->inputs, *Y = data->Y + first * data->outputs;
  for (size_t l = 0; l < made->network->layers; l++) {
    activations *h = &block->forward[l], *d = &block->backward[l];
    memset(h->mean, 0, block->count * h->size * sizeof(double));
    memset(h->second, 0, block->count * h->size * sizeof(double));
    memset(d->mean, 0, block->count * d->size * sizeof(double));
    memset(d->second, 0, block->count * d->size * sizeof(double));
    add_activations(block->count, 1.0, X, &made->below[l + 1], h);
    add_activations(block->count, 1.0, Y, &made->above[l + 1], d);
    add_activations(block->count, -1.0, X, &made->back[l + 1], d);
  }
  for (size_t done = 0; done < block->count && block->moving > 0; done += block->some) {
    size_t some = block->count - done < block->some ? block->count - done : block->some;
    covary(block, done, some, X + done * data->inputs, Y + done * data->outputs);
  }
}

/* rows (count, |a| |b|): of each sample, the covariance of a and b under the fluctuations. */
static void covariances(const sample_block *block, const activations *a, const activations *b, double *rows)
{
  size_t moving = block->moving;
  if (!a->fluctuates || !b->fluctuates) {
    memset(rows, 0, block->count * a->size * b->size * sizeof *rows);
    return;
  }
  for (size_t m = 0; m < block->count; m++)
    for (size_t i = 0; i < a->size; i++, rows += b->size)
      memcpy(rows, block->covariance + (m * moving + a->at + i) * moving + b->at, b->size * sizeof *rows);
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

/* sum over the samples of the block of H_mu Sigma H_mu, with H_mu l = -(D d)(h)^T - (d)(D h)^T along l, half of it
 * for a layer with itself; X is room. */
static void add_curved_noise(const sample_block *block, size_t upper, size_t lower, double *X, double *noise)
{
  const activations *d = &block->backward[upper - 1], *h = &block->forward[upper - 1];
  const activations *lower_d = &block->backward[lower - 1], *lower_h = &block->forward[lower - 1];
  double weight = (upper == lower ? 0.5 : 1.0) / (double)block->made->data->samples;
  for (int crossed = 0; crossed < 2; crossed++) {
    const activations *beside = crossed ? lower_h : lower_d, *across = crossed ? lower_d : lower_h;
    size_t of_left = d->size * beside->size, of_right = h->size * across->size, rows = 0;
    if (d->fluctuates && beside->fluctuates) {
      covariances(block, d, beside, block->left);
      outer_products(block, h, across, block->right);
      rows += block->count;
    }
    if (h->fluctuates && across->fluctuates) {
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
