/* Moments of reshuffled SGD step by step, exact to fourth order in what the samples differ by. */
#include "reshuffled_moments.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* Arrays of work: of (P, size), (size, size) and (size, size, size). */
enum { OF_SAMPLES = 7, SQUARES = 15, CUBES = 5 };

double sgf_reshuffled_moments_size(size_t samples, size_t size)
{
  double P = (double)samples, n = (double)size;
  return P * n * (1.0 + n) + P * n * (OF_SAMPLES + n) + n * (3.0 + (7.0 + SQUARES) * n + (2.0 + CUBES) * n * n);
}

sgf_status sgf_reshuffled_moments_create(const sgf_reshuffled_samples *of, double lambda, size_t batch,
                                         sgf_reshuffled_moments *made, sgf_error *error)
{
  size_t P = of->samples, n = of->size, square = n * n, cube = square * n;
  *made = (sgf_reshuffled_moments){
      .samples = P, .size = n, .batch = batch, .batches = P / batch, .lambda = lambda, .of = of};
  const struct {
    double **array;
    size_t count;
  } all[] = {{&made->a, n},
             {&made->mean, n},
             {&made->second, square},
             {&made->third, cube},
             {&made->D, P * n},
             {&made->s, P * square},
             {&made->phi, n},
             {&made->one, square},
             {&made->pair, square},
             {&made->both, square},
             {&made->from_Y, square},
             {&made->own_Y, square},
             {&made->shift, square},
             {&made->from_T, cube},
             {&made->work_P, OF_SAMPLES * P * n},
             {&made->half, P * square},
             {&made->work_square, SQUARES * square},
             {&made->work_cube, CUBES * cube}};
  size_t numbers = 0, count = sizeof all / sizeof *all;
  for (size_t k = 0; k < count; k++) numbers += all[k].count;
  sgf_status status = sgf_new_reals(&made->room, numbers, 1, "moments of reshuffled epochs", error);
  double *next = made->room;
  for (size_t k = 0; k < count && status == SGF_OK; next += all[k++].count) *all[k].array = next;
  return status;
}

void sgf_reshuffled_moments_free(sgf_reshuffled_moments *moments)
{
  free(moments->room);
  memset(moments, 0, sizeof *moments);
}

void sgf_reshuffled_moments_begin(sgf_reshuffled_moments *moments)
{
  size_t n = moments->size, square = n * n;
  double *squares[] = {moments->one, moments->pair, moments->both, moments->from_Y, moments->own_Y, moments->shift};
  for (size_t k = 0; k < n; k++) moments->a[k] = 1.0 - moments->lambda * moments->of->hessian[k * (n + 1)];
  for (size_t k = 0; k < sizeof squares / sizeof *squares; k++) memset(squares[k], 0, square * sizeof(double));
  memset(moments->phi, 0, n * sizeof(double));
  memset(moments->from_T, 0, square * n * sizeof(double));
  memset(moments->D, 0, moments->samples * n * sizeof(double));
  memset(moments->s, 0, moments->samples * square * sizeof(double));
  moments->step = 0;
}

/* ------------------------------------------------------------------- operations */

/* C (rows, columns) = scale op(A) op(B) + keep C. */
static void product(size_t rows, size_t columns, size_t inner, double scale, sgf_transposition of_A, const double *A,
                    sgf_transposition of_B, const double *B, double keep, double *C)
{
  cblas_dgemm(CblasRowMajor, of_A == SGF_PLAIN ? CblasNoTrans : CblasTrans,
              of_B == SGF_PLAIN ? CblasNoTrans : CblasTrans, (int)rows, (int)columns, (int)inner, scale, A,
              (int)(of_A == SGF_PLAIN ? inner : rows), B, (int)(of_B == SGF_PLAIN ? columns : inner), keep, C,
              (int)columns);
}

/* mean (length) of the rows (P, length). */
static void mean_of(size_t P, size_t length, const double *rows, double *mean)
{
  memset(mean, 0, length * sizeof *mean);
  for (size_t m = 0; m < P; m++) cblas_daxpy((int)length, 1.0 / (double)P, rows + m * length, 1, mean, 1);
}

/* A += scale u v^T. */
static void add_outer(size_t n, double scale, const double *u, const double *v, double *A)
{
  cblas_dger(CblasRowMajor, (int)n, (int)n, scale, u, 1, v, 1, A, (int)n);
}

/* What a step is made of, found once for all of its parts. */
typedef struct {
  double P, S, f, f3, lambda, pairs; /* f = (P-1)/(P-2), f3 = (P-1)/(P-3), pairs = 1 - 1/S */
  double *YD, *Ym, *t, *x, *own, *push,
      *D; /* (P, n): Y D, Y m, U : second, sum over nu of Y_nu E[delta | mu, nu]'s part, ... */
  double *EYD, *TS_vector, *force;                                                       /* (n), in squares */
  double *B, *gamma_C, *X, *noise, *softening, *Us, *q, *left, *mid, *rows, *kernel, *w; /* (n, n) */
  double *TG, *W, *V, *each, *next;                                                      /* (n, n, n) */
} parts;

static parts parts_of(const sgf_reshuffled_moments *at)
{
  size_t rows = at->samples * at->size, square = at->size * at->size, cube = square * at->size;
  double P = (double)at->samples, S = (double)at->batch;
  parts all = {.P = P,
               .S = S,
               .f = (P - 1.0) / (P - 2.0),
               .f3 = (P - 1.0) / (P - 3.0),
               .lambda = at->lambda,
               .pairs = 1.0 - 1.0 / S};
  double **of_samples[OF_SAMPLES] = {&all.YD, &all.Ym, &all.t, &all.x, &all.own, &all.push, &all.D};
  double **squares[SQUARES] = {&all.EYD,  &all.TS_vector, &all.force,     &all.B,      &all.gamma_C,
                               &all.X,    &all.noise,     &all.softening, &all.Us,     &all.q,
                               &all.left, &all.mid,       &all.rows,      &all.kernel, &all.w};
  double **cubes[CUBES] = {&all.TG, &all.W, &all.V, &all.each, &all.next};
  for (size_t k = 0; k < OF_SAMPLES; k++) *of_samples[k] = at->work_P + k * rows;
  for (size_t k = 0; k < SQUARES; k++) *squares[k] = at->work_square + k * square;
  for (size_t k = 0; k < CUBES; k++) *cubes[k] = at->work_cube + k * cube;
  return all;
}

/* Y D and Y m of every sample, and the averages that are asked for again and again. */
static void find_averages(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size, square = n * n;
  product(P * n, 1, n, 1.0, SGF_PLAIN, of->Y, SGF_PLAIN, at->mean, 0.0, all->Ym);
  for (size_t m = 0; m < P; m++)
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)n, (int)n, 1.0, of->Y + m * square, (int)n, at->D + m * n, 1, 0.0,
                all->YD + m * n, 1);
  mean_of(P, n, all->YD, all->EYD);
  product(n, n, P, 1.0 / all->P, SGF_TRANSPOSED, at->D, SGF_PLAIN, of->z, 0.0, all->B);
  for (size_t k = 0; k < square; k++)
    all->gamma_C[k] = (at->one[k] + at->both[k] * all->P / (all->P - 1.0)) * of->C[k];
  memset(all->t, 0, P * n * sizeof(double));
  memset(all->TG, 0, square * n * sizeof(double));
  if (of->linear) return;
  product(P * n, 1, square, 1.0, SGF_PLAIN, of->U, SGF_PLAIN, at->second, 0.0, all->t);
  product(n, 1, square, 1.0, SGF_PLAIN, of->T, SGF_PLAIN, at->second, 0.0, all->TS_vector);
  product(square, 1, square, 0.5, SGF_PLAIN, of->Q, SGF_PLAIN, at->second, 0.0, all->softening);
  product(square, 1, n, 1.0, SGF_PLAIN, of->Uz, SGF_PLAIN, at->phi, 0.0, all->Us);
  for (size_t k = 0; k < square * n; k++) all->TG[k] = of->T[k] * at->from_T[k];
}

/* ------------------------------------------- given that two samples are not used yet
 *
 * E[delta | mu, nu] - E[delta] - f (D_mu + D_nu) = G(Y_mu) z_nu + G(Y_nu) z_mu + own parts + T : z_mu z_nu. */

static void find_own(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size, square = n * n;
  double *shift = all->w;
  for (size_t a = 0; a < n; a++) {
    shift[a] = 0.0;
    for (size_t i = 0; i < n; i++) shift[a] += at->shift[a * n + i] * of->Yz[(a * n + i) * n + i];
  }
  for (size_t m = 0; m < P; m++) {
    const double *Y = of->Y + m * square, *z = of->z + m * n;
    for (size_t a = 0; a < n; a++) {
      double sum = shift[a];
      for (size_t i = 0; i < n; i++)
        sum += 2.0 * (at->from_Y[a * n + i] + at->own_Y[a * n + i]) * Y[a * n + i] * z[i];
      if (!of->linear) sum += sgf_quadratic_form(n, all->TG + a * square, z);
      all->own[m * n + a] = sum;
    }
  }
}

/* x_mu = sum over nu != mu of Y_nu times that. */
static void find_crossed(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size, square = n * n;
  for (size_t b = 0; b < n; b++) {
    memset(all->w + b * n, 0, n * sizeof(double));
    for (size_t k = 0; k < square; k++) {
      all->W[b * square + k] = of->Yz[b * square + k] * at->from_Y[k];
      all->w[b * n + k % n] += of->YY[b * square + k] * at->from_Y[k];
    }
  }
  if (!of->linear) product(n, n, square, 1.0, SGF_PLAIN, of->Yz, SGF_PLAIN, all->TG, 1.0, all->w);
  product(P, n, square, all->P, SGF_PLAIN, of->Y, SGF_TRANSPOSED, all->W, 0.0, all->x);
  product(P, n, n, all->P, SGF_PLAIN, of->z, SGF_TRANSPOSED, all->w, 1.0, all->x);
  for (size_t m = 0; m < P; m++)
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)n, (int)n, -1.0, of->Y + m * square, (int)n, all->own + m * n, 1,
                1.0, all->x + m * n, 1);
}

/* -------------------------------------------------------------------- the means */

static void move_means(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size, square = n * n;
  double p = all->P;
  for (size_t k = 0; k < P * n; k++)
    all->push[k] = -(of->z[k] + all->Ym[k]) / (p - 1.0) - 2.0 * all->YD[k] / (p - 2.0) + all->x[k] / (p - 1.0);
  for (size_t a = 0; a < n; a++) all->force[a] = of->gradient[a] + all->EYD[a];
  if (!of->linear) {
    for (size_t a = 0; a < n; a++)
      all->force[a] += 0.5 * (all->TS_vector[a] + sgf_dot(square, of->Uzz + a * square, at->one));
    product(P, n, square, 0.5, SGF_PLAIN, at->s, SGF_TRANSPOSED, of->T, 1.0, all->push);
    cblas_daxpy((int)(P * n), -0.5 / (p - 1.0), all->t, 1, all->push, 1);
    for (size_t k = 0; k < square; k++) all->w[k] = all->Us[k] + all->softening[k];
    product(P, n, n, 1.0, SGF_PLAIN, at->D, SGF_TRANSPOSED, all->w, 1.0, all->push);
  }
  double *mean = all->w;
  mean_of(P, n, all->push, mean);
  for (size_t k = 0; k < P * n; k++) all->D[k] = at->a[k % n] * at->D[k] - all->lambda * (all->push[k] - mean[k % n]);
}

/* ---------------------------------------------------- second moments given a sample */

/* W[i][a][c] of what is linear in z_mu, V[d][a][c] of what is linear in D_mu: a half of the change of s. */
static void find_linear_parts(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t n = at->size, square = n * n;
  double p = all->P, lambda = all->lambda, share = -lambda * p / (p - 1.0);
  double one = all->f / all->S / (p - 1.0), two = all->pairs * all->f3 / ((p - 1.0) * (p - 2.0));
  if (!of->linear) {
    product(square, n, n, 1.0, SGF_PLAIN, all->TG, SGF_PLAIN, of->C, 0.0, all->each);    /* [a][i][c] */
    product(square, n, n, 1.0, SGF_PLAIN, of->T, SGF_PLAIN, at->second, 0.0, all->next); /* [c][d][a] */
  }
  for (size_t i = 0; i < n; i++)
    for (size_t a = 0; a < n; a++)
      for (size_t c = 0; c < n; c++) {
        size_t k = i * square + a * n + c, turned = (a * n + i) * n + c;
        double z = at->from_Y[a * n + i] * of->Yz[turned] + at->pair[a * n + i] * of->Yz[(i * n + c) * n + a];
        all->V[k] = lambda * lambda * p * (one - two) * of->Yz[(c * n + i) * n + a];
        if (!of->linear) {
          z += all->each[turned];
          all->V[k] -= lambda * at->a[a] * all->next[(c * n + i) * n + a];
        }
        all->W[k] = share * at->a[a] * z;
      }
}

/* The products of two vectors of a sample: a half of the change of s. */
static void add_outer_parts(const sgf_reshuffled_moments *at, const parts *all, size_t m, double *half)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t n = at->size;
  double p = all->P, lambda = all->lambda, zz = lambda * lambda * all->pairs / ((p - 1.0) * (p - 2.0));
  double one = all->f / all->S / (p - 1.0), two = all->pairs * all->f3 / ((p - 1.0) * (p - 2.0));
  const double *z = of->z + m * n, *D = at->D + m * n, *own = all->own + m * n, *YD = all->YD + m * n;
  zz -= 0.5 * lambda * lambda / ((p - 1.0) * all->S);
  for (size_t a = 0; a < n; a++)
    for (size_t c = 0; c < n; c++) {
      double push = -(at->mean[a] + own[a]) * z[c] / (p - 1.0) - 2.0 * D[a] * z[c] / (p - 2.0) +
                    D[a] * of->gradient[c] + z[a] * all->q[a * n + c] / (p - 1.0);
      if (!of->linear) push += 0.5 * D[a] * all->TS_vector[c];
      half[a * n + c] += -lambda * at->a[a] * push + zz * z[a] * z[c] +
                         lambda * lambda * z[a] * ((6.0 * two - 2.0 * one) * YD[c] - two * p * all->EYD[c]);
    }
}

/* What multiplies Y_mu from the left, but for z_mu z_mu^T; (pair q)_ac into q. */
static void find_left(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t n = at->size;
  double p = all->P, lambda = all->lambda, two = all->pairs * all->f3 / ((p - 1.0) * (p - 2.0));
  for (size_t a = 0; a < n; a++)
    for (size_t c = 0; c < n; c++) {
      size_t k = a * n + c;
      all->left[k] = lambda * at->a[a] * (at->second[k] - all->gamma_C[k]) / (p - 1.0) -
                     lambda * lambda * p * two * all->B[c * n + a];
      all->w[k] = p * of->Yz[(a * n + c) * n + a];
    }
  product(n, n, n, 1.0, SGF_PLAIN, at->pair, SGF_PLAIN, all->w, 0.0, all->q);
}

/* half (P, n, n): s moves by half + half^T. */
static void find_halves(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size, square = n * n;
  double p = all->P, lambda = all->lambda;
  find_linear_parts(at, all);
  find_left(at, all);
  product(P, square, n, 1.0, SGF_PLAIN, of->z, SGF_PLAIN, all->W, 0.0, at->half);
  product(P, square, n, 1.0, SGF_PLAIN, at->D, SGF_PLAIN, all->V, 1.0, at->half);
  for (size_t m = 0; m < P; m++) {
    const double *Y = of->Y + m * square, *z = of->z + m * n;
    double *half = at->half + m * square;
    for (size_t a = 0; a < n; a++)
      for (size_t c = 0; c < n; c++) {
        size_t k = a * n + c;
        all->mid[k] = all->left[k] + 2.0 * lambda * at->a[a] / (p - 1.0) * (at->both[k] + at->pair[k]) * z[a] * z[c];
        all->rows[k] = -lambda * at->a[a] * p / (p - 1.0) * at->from_Y[k] * Y[k];
      }
    product(n, n, n, 1.0, SGF_PLAIN, all->mid, SGF_PLAIN, Y, 1.0, half);
    product(n, n, n, 1.0, SGF_PLAIN, all->rows, SGF_PLAIN, of->C, 1.0, half);
    add_outer_parts(at, all, m, half);
  }
}

/* Their mean is zero. */
static void move_given(sgf_reshuffled_moments *at, parts *all)
{
  size_t P = at->samples, n = at->size, square = n * n;
  mean_of(P, square, at->half, all->w);
  for (size_t m = 0; m < P; m++) {
    const double *half = at->half + m * square;
    double *s = at->s + m * square;
    for (size_t a = 0; a < n; a++)
      for (size_t c = 0; c <= a; c++) {
        size_t k = a * n + c, t = c * n + a;
        s[k] = s[t] = at->a[a] * at->a[c] * s[k] + half[k] - all->w[k] + half[t] - all->w[t];
      }
  }
}

/* -------------------------------------------------------------- the second moment */

/* X = E[delta (step's gradient without H delta)^T]. */
static void find_force_correlation(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size, square = n * n;
  memcpy(all->X, all->B, square * sizeof(double));
  product(n, n, P * n, 1.0 / all->P, SGF_TRANSPOSED, at->s, SGF_PLAIN, of->Y, 1.0, all->X);
  add_outer(n, 1.0, at->mean, of->gradient, all->X);
  if (of->linear) return;
  product(n, n, square, 0.5, SGF_PLAIN, at->third, SGF_TRANSPOSED, of->T, 1.0, all->X);
  product(n, n, P, 0.5 / all->P, SGF_TRANSPOSED, at->D, SGF_PLAIN, all->t, 1.0, all->X);
  for (size_t k = 0; k < square; k++) all->w[k] = all->Us[k] + all->softening[k];
  product(n, n, n, 1.0, SGF_PLAIN, at->second, SGF_TRANSPOSED, all->w, 1.0, all->X);
}

/* E[Y second Y] of a batch, with what is known of second moments given the samples in it. */
static void add_curved_noise(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size, square = n * n;
  double p = all->P, single = 1.0 / all->S, pairs = all->pairs / (p - 1.0);
  for (size_t m = 0; m < P; m++) {
    const double *Y = of->Y + m * square, *z = of->z + m * n;
    for (size_t a = 0; a < n; a++)
      for (size_t c = 0; c < n; c++) {
        size_t k = a * n + c;
        double of_zz = at->one[k] * single - 2.0 * pairs * (at->both[k] + at->pair[k]);
        all->kernel[k] = (single - pairs) * at->second[k] - single * at->one[k] * of->C[k] + pairs * all->gamma_C[k] +
                         of_zz * z[a] * z[c];
      }
    product(n, n, n, 1.0 / p, SGF_PLAIN, all->kernel, SGF_PLAIN, Y, 0.0, all->rows);
    product(n, n, n, 1.0, SGF_PLAIN, Y, SGF_PLAIN, all->rows, 1.0, all->noise);
  }
}

/* Two samples that share what is known of both. */
static void add_shared_noise(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t n = at->size, square = n * n;
  double pairs = all->pairs * all->P / (all->P - 1.0);
  for (size_t a = 0; a < n; a++)
    for (size_t b = 0; b < n; b++) {
      all->rows[a * n + b] = of->Yz[(a * n + b) * n + b];
      for (size_t c = 0; c < n; c++) {
        all->each[(a * n + b) * n + c] = at->pair[b * n + c] * of->Yz[(a * n + b) * n + c];
        all->next[(a * n + b) * n + c] = of->Yz[(a * n + c) * n + b];
      }
    }
  product(n, n, square, pairs, SGF_PLAIN, all->each, SGF_TRANSPOSED, all->next, 1.0, all->noise);
  product(n, n, n, 1.0, SGF_PLAIN, all->rows, SGF_PLAIN, at->pair, 0.0, all->mid);
  product(n, n, n, pairs, SGF_PLAIN, all->mid, SGF_TRANSPOSED, all->rows, 1.0, all->noise);
}

/* E[(gradient of a batch without H delta)(the same)^T]. */
static void find_noise(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size;
  double p = all->P, single = 1.0 / all->S, pairs = all->pairs / (p - 1.0);
  for (size_t k = 0; k < P * n; k++)
    all->push[k] = (single - pairs) * all->Ym[k] + (single - 2.0 * all->f * pairs) * all->YD[k] +
                   0.5 * single * all->t[k] + pairs * all->x[k];
  product(n, n, P, 1.0 / p, SGF_TRANSPOSED, of->z, SGF_PLAIN, all->push, 0.0, all->w);
  for (size_t a = 0; a < n; a++)
    for (size_t c = 0; c < n; c++)
      all->noise[a * n + c] = (single - pairs) * of->C[a * n + c] + all->w[a * n + c] + all->w[c * n + a];
  add_curved_noise(at, all);
  add_shared_noise(at, all);
}

static void move_second(sgf_reshuffled_moments *at, const parts *all)
{
  size_t n = at->size;
  double lambda = all->lambda;
  for (size_t a = 0; a < n; a++)
    for (size_t c = 0; c <= a; c++) {
      size_t k = a * n + c, t = c * n + a;
      at->second[k] = at->second[t] = at->a[a] * at->a[c] * at->second[k] -
                                      lambda * (at->a[a] * all->X[k] + at->a[c] * all->X[t]) +
                                      0.5 * lambda * lambda * (all->noise[k] + all->noise[t]);
    }
}

/* -------------------------------------------------------------- the third moment */

/* each[a][b][c] of E[delta_a delta_b (gradient without H delta)_c], times A A. */
static void find_third_force(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t P = at->samples, n = at->size, square = n * n;
  product(square, n, P, 1.0 / all->P, SGF_TRANSPOSED, at->s, SGF_PLAIN, of->z, 0.0, all->each);
  for (size_t c = 0; c < n; c++) { /* next[c] = second T_c second */
    product(n, n, n, 1.0, SGF_PLAIN, at->second, SGF_PLAIN, of->T + c * square, 0.0, all->w);
    product(n, n, n, 1.0, SGF_PLAIN, all->w, SGF_PLAIN, at->second, 0.0, all->next + c * square);
    /* V[c][x][y] = sum_d E[Y_cd z_x] second_dy */
    product(n, n, n, 1.0, SGF_TRANSPOSED, of->Yz + c * square, SGF_PLAIN, at->second, 0.0, all->V + c * square);
  }
  for (size_t a = 0; a < n; a++)
    for (size_t b = 0; b < n; b++)
      for (size_t c = 0; c < n; c++) {
        const double *V = all->V + c * square;
        double of_force = all->EYD[c] + of->gradient[c] + 0.5 * all->TS_vector[c];
        double *F = all->each + (a * n + b) * n + c;
        *F += at->phi[a] * V[a * n + b] + at->phi[b] * V[b * n + a] + at->second[a * n + b] * of_force +
              all->next[c * square + a * n + b];
        *F *= at->a[a] * at->a[b];
      }
}

/* W[b][c][a] of E[delta_a u_b u_c], u the gradient without H delta, times A; V is that of find_third_force. */
static void find_third_noise(const sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t n = at->size, square = n * n;
  double single = 1.0 / all->S, pairs = all->pairs / (all->P - 1.0);
  for (size_t b = 0; b < n; b++)
    for (size_t c = 0; c < n; c++)
      for (size_t a = 0; a < n; a++) {
        double of_zz = (single - 2.0 * all->f * pairs) * at->phi[a] * of->zzz[(a * n + b) * n + c];
        double curved = all->V[c * square + b * n + a] + all->V[b * square + c * n + a];
        all->W[(b * n + c) * n + a] =
            at->a[a] * (of_zz + (single - pairs) * (at->mean[a] * of->C[b * n + c] + curved));
      }
}

static void move_third(sgf_reshuffled_moments *at, parts *all)
{
  const sgf_reshuffled_samples *of = at->of;
  size_t n = at->size, square = n * n;
  double p = all->P, S = all->S, lambda = all->lambda, cube = lambda * lambda * lambda;
  double skew = cube * (1.0 / (S * S) - 3.0 * all->pairs / (S * (p - 1.0)) +
                        2.0 * all->pairs * (1.0 - 2.0 / S) / ((p - 1.0) * (p - 2.0)));
  const double *F = all->each, *G = all->W;
  for (size_t a = 0; a < n; a++)
    for (size_t b = 0; b < n; b++)
      for (size_t c = 0; c < n; c++) {
        size_t k = a * square + b * n + c, acb = a * square + c * n + b, bca = b * square + c * n + a;
        at->third[k] = at->a[a] * at->a[b] * at->a[c] * at->third[k] - lambda * (F[k] + F[acb] + F[bca]) +
                       lambda * lambda * (G[k] + G[acb] + G[bca]) - skew * of->zzz[k];
      }
}

/* --------------------------------------------------------------------- the step */

static void move_coefficients(sgf_reshuffled_moments *at, const parts *all)
{
  size_t n = at->size;
  double p = all->P, lambda = all->lambda, single = 1.0 / all->S, squared = lambda * lambda;
  double shift = all->f3 * p / (p - 2.0) - 1.0 - 4.0 * all->f / (p - 2.0);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      size_t k = i * n + j;
      double a = at->a[i], aa = a * at->a[j], moved = lambda * (a * at->phi[i] + at->a[j] * at->phi[j]);
      at->pair[k] = aa * at->pair[k] + all->f3 / (p - 2.0) * moved + squared * all->pairs / ((p - 2.0) * (p - 3.0));
      at->one[k] = aa * at->one[k] + 2.0 * moved / (p - 2.0) +
                   squared * (-single / (p - 1.0) + 2.0 * all->pairs / ((p - 1.0) * (p - 2.0)));
      at->both[k] = aa * at->both[k] + 2.0 * all->f3 * moved / (p - 2.0) +
                    squared * (-single / (p - 2.0) + 2.0 * all->pairs / ((p - 2.0) * (p - 3.0)));
      at->from_Y[k] = a * at->from_Y[k] + lambda * all->f3 / (p - 2.0) * at->phi[j];
      at->own_Y[k] = a * at->own_Y[k] + 2.0 * lambda * (all->f3 - all->f) / (p - 2.0) * at->phi[j];
      at->shift[k] = a * at->shift[k] - lambda * shift * at->phi[j];
      for (size_t c = 0; c < n && !at->of->linear; c++)
        at->from_T[k * n + c] = a * at->from_T[k * n + c] - lambda * at->phi[j] * at->phi[c];
    }
  for (size_t i = 0; i < n; i++) at->phi[i] = at->a[i] * at->phi[i] + lambda / (p - 1.0);
}

void sgf_reshuffled_moments_step(sgf_reshuffled_moments *at)
{
  parts all = parts_of(at);
  if (at->step == at->batches) sgf_reshuffled_moments_begin(at);
  find_averages(at, &all);
  find_own(at, &all);
  find_crossed(at, &all);
  move_means(at, &all);
  find_halves(at, &all);
  find_force_correlation(at, &all);
  find_noise(at, &all);
  if (!at->of->linear) {
    find_third_force(at, &all);
    find_third_noise(at, &all);
    move_third(at, &all);
  }
  move_second(at, &all);
  move_given(at, &all);
  move_coefficients(at, &all);
  memcpy(at->D, all.D, at->samples * at->size * sizeof(double));
  for (size_t i = 0; i < at->size; i++) at->mean[i] = at->a[i] * at->mean[i] - at->lambda * all.force[i];
  at->step++;
}
