/* Gradients, Hessians and third derivatives of the samples at a point, in orthonormal modes, and their averages. */
#include "reshuffled_samples.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "drift.h"
#include "linear_algebra.h"
#include "memory.h"

/* Step of the differences, relative to the weights. */
static const double STEP = 1e-3;

double sgf_reshuffled_samples_operations(size_t weights, size_t samples, size_t size, bool linear)
{
  double n = (double)weights, P = (double)samples, r = (double)size;
  double hessians = linear ? P : P * (1.0 + 2.0 * r) + 2.0 * r * r;
  return hessians * n * n * (2.0 * r + 40.0);
}

double sgf_reshuffled_samples_size(size_t samples, size_t size, bool linear)
{
  double P = (double)samples, n = (double)size;
  double of_all = P * n * (1.0 + n) + n + 2.0 * n * n + 3.0 * n * n * n;
  return linear ? of_all : of_all + n * n * n * (P + 3.0 + n);
}

void sgf_reshuffled_samples_free(sgf_reshuffled_samples *made)
{
  double *arrays[] = {made->z,   made->Y, made->gradient, made->hessian, made->C,   made->Yz, made->YY,
                      made->zzz, made->T, made->U,        made->Uz,      made->Uzz, made->Q};
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) free(arrays[k]);
  memset(made, 0, sizeof *made);
}

sgf_status sgf_reshuffled_samples_create(const sgf_problem *problem, size_t size, bool linear,
                                         sgf_reshuffled_samples *made, sgf_error *error)
{
  size_t P = problem->data.samples, square = size * size;
  sgf_status status;
  *made = (sgf_reshuffled_samples){.samples = P, .size = size, .linear = linear};
  double **cubes[] = {&made->Yz, &made->YY, &made->zzz, &made->T, &made->Uz, &made->Uzz};
  SGF_TRY(sgf_new_reals(&made->z, P, size, "samples in the modes", error));
  SGF_TRY(sgf_new_reals(&made->Y, P, square, "samples in the modes", error));
  SGF_TRY(sgf_new_reals(&made->gradient, size, 1, "samples in the modes", error));
  SGF_TRY(sgf_new_reals(&made->hessian, size, size, "samples in the modes", error));
  SGF_TRY(sgf_new_reals(&made->C, size, size, "samples in the modes", error));
  for (size_t k = 0; k < (linear ? 3 : sizeof cubes / sizeof *cubes); k++)
    SGF_TRY(sgf_new_reals(cubes[k], square, size, "samples in the modes", error));
  if (linear) return SGF_OK;
  SGF_TRY(sgf_new_reals(&made->U, P, square * size, "third derivatives of the samples", error));
  SGF_TRY(sgf_new_reals(&made->Q, square, square, "fourth derivatives of the loss", error));
done:
  if (status != SGF_OK) sgf_reshuffled_samples_free(made);
  return status;
}

/* ------------------------------------------------------------------ derivatives */

typedef struct {
  const sgf_problem *problem;
  const double *theta, *V; /* (n), (size, n) */
  size_t size;
  double step;
  double *moved, *whole, *half; /* (n), (n, n), (size, n) */
} point;

static void point_free(point *at)
{
  free(at->moved);
  free(at->whole);
  free(at->half);
}

static sgf_status point_create(const sgf_problem *problem, const double *theta, const double *V, size_t size,
                               point *at, sgf_error *error)
{
  size_t n = problem->network.weights;
  double length = sgf_norm(n, theta);
  sgf_status status;
  *at = (point){.problem = problem, .theta = theta, .V = V, .size = size};
  at->step = STEP * (length > 0.0 ? length / sqrt((double)n) : 1.0);
  SGF_TRY(sgf_new_reals(&at->moved, n, 1, "derivatives of the samples", error));
  SGF_TRY(sgf_new_reals(&at->whole, n, n, "derivatives of the samples", error));
  SGF_TRY(sgf_new_reals(&at->half, size, n, "derivatives of the samples", error));
done:
  return status;
}

/* The Hessian of `data` in the modes, at theta moved by so many steps along modes c and d; times `weight`, added to out. */
static sgf_status add_hessian(point *at, const sgf_dataset *data, size_t c, double of_c, size_t d, double of_d,
                              double decay, double weight, double *out, sgf_error *error)
{
  size_t n = at->problem->network.weights, size = at->size;
  for (size_t k = 0; k < n; k++)
    at->moved[k] = at->theta[k] + at->step * (of_c * at->V[c * n + k] + of_d * at->V[d * n + k]);
  sgf_status status = sgf_hessian(&at->problem->network, data, at->moved, decay, at->whole, error);
  if (status != SGF_OK) return status;
  sgf_multiply(size, n, n, SGF_PLAIN, at->V, SGF_PLAIN, at->whole, at->half);
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)size, (int)size, (int)n, weight, at->half, (int)n, at->V,
              (int)n, 1.0, out, (int)size);
  return SGF_OK;
}

/* Gradient, Hessian and third derivatives of one sample. */
static sgf_status derive_sample(point *at, size_t m, sgf_reshuffled_samples *of, sgf_error *error)
{
  const sgf_dataset *data = &at->problem->data;
  size_t size = of->size, square = size * size, n = at->problem->network.weights;
  sgf_dataset one = {0};
  sgf_status status;
  SGF_TRY(sgf_dataset_from_arrays(1, data->inputs, data->outputs, data->X + m * data->inputs,
                                  data->Y + m * data->outputs, &one, error));
  SGF_TRY(sgf_gradient(&at->problem->network, &one, at->theta, 0.0, at->moved, error));
  sgf_multiply(size, 1, n, SGF_PLAIN, at->V, SGF_PLAIN, at->moved, of->z + m * size);
  SGF_TRY(add_hessian(at, &one, 0, 0.0, 0, 0.0, 0.0, 1.0, of->Y + m * square, error));
  for (size_t c = 0; c < size && !of->linear; c++)
    for (int side = -1; side <= 1; side += 2)
      SGF_TRY(
          add_hessian(at, &one, c, side, c, 0.0, 0.0, 0.5 * side / at->step, of->U + (m * size + c) * square, error));
done:
  sgf_dataset_free(&one);
  return status;
}

/* Q_cd = Q_dc (size, size) by second differences of the mean Hessian. */
static sgf_status derive_loss(point *at, sgf_reshuffled_samples *of, sgf_error *error)
{
  size_t size = of->size, square = size * size;
  double weight = 0.25 / (at->step * at->step);
  sgf_status status = SGF_OK;
  memset(of->Q, 0, square * square * sizeof *of->Q);
  for (size_t c = 0; c < size; c++)
    for (size_t d = 0; d <= c; d++) {
      double *out = of->Q + (c * size + d) * square;
      for (int k = 0; k < 4 && status == SGF_OK; k++) {
        double of_c = k < 2 ? 1.0 : -1.0, of_d = k % 2 == 0 ? 1.0 : -1.0;
        status = add_hessian(at, &at->problem->data, c, of_c, d, of_d, 0.0, weight * of_c * of_d, out, error);
      }
      if (status != SGF_OK) return status;
      if (d < c) memcpy(of->Q + (d * size + c) * square, out, square * sizeof *out);
    }
  return SGF_OK;
}

/* The mean of the rows (P, length), taken away from them. */
static void centre(size_t P, size_t length, double *rows, double *mean)
{
  memset(mean, 0, length * sizeof *mean);
  for (size_t m = 0; m < P; m++) cblas_daxpy((int)length, 1.0 / (double)P, rows + m * length, 1, mean, 1);
  for (size_t m = 0; m < P; m++) cblas_daxpy((int)length, -1.0, mean, 1, rows + m * length, 1);
}

/* -------------------------------------------------------------------- averages */

static void average(sgf_reshuffled_samples *of)
{
  size_t P = of->samples, size = of->size, square = size * size, cube = square * size;
  double share = 1.0 / (double)P;
  memset(of->YY, 0, cube * sizeof *of->YY);
  memset(of->zzz, 0, cube * sizeof *of->zzz);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)size, (int)size, (int)P, share, of->z, (int)size, of->z,
              (int)size, 0.0, of->C, (int)size);
  cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)square, (int)size, (int)P, share, of->Y, (int)square,
              of->z, (int)size, 0.0, of->Yz, (int)size);
  for (size_t m = 0; m < P; m++) {
    const double *z = of->z + m * size, *Y = of->Y + m * square;
    for (size_t b = 0; b < size; b++)
      for (size_t a = 0; a < size; a++) {
        double zz = share * z[a] * z[b];
        cblas_daxpy((int)size, share * Y[b * size + a], Y + a * size, 1, of->YY + (b * size + a) * size, 1);
        cblas_daxpy((int)size, zz, z, 1, of->zzz + (b * size + a) * size, 1);
      }
  }
  if (of->linear) return;
  memset(of->Uz, 0, cube * sizeof *of->Uz);
  memset(of->Uzz, 0, cube * sizeof *of->Uzz);
  for (size_t m = 0; m < P; m++) {
    const double *z = of->z + m * size, *U = of->U + m * cube;
    for (size_t k = 0; k < cube; k++) {
      double Uz = share * U[k] * z[k % size];
      of->Uz[k] += Uz;
      of->Uzz[k] += Uz * z[k / size % size];
    }
  }
}

sgf_status sgf_reshuffled_samples_find(const sgf_problem *problem, const double *theta, const double *V,
                                       sgf_reshuffled_samples *of, sgf_error *error)
{
  size_t P = of->samples, size = of->size, square = size * size, n = problem->network.weights;
  double decay = problem->settings.training.weight_decay;
  point at;
  sgf_status status;
  SGF_TRY(point_create(problem, theta, V, size, &at, error));
  memset(of->Y, 0, P * square * sizeof *of->Y);
  if (!of->linear) memset(of->U, 0, P * square * size * sizeof *of->U);
  for (size_t m = 0; m < P; m++) SGF_TRY(derive_sample(&at, m, of, error));
  centre(P, size, of->z, of->gradient);
  centre(P, square, of->Y, of->hessian);
  if (!of->linear) centre(P, square * size, of->U, of->T);
  for (size_t k = 0; k < size; k++) {
    of->gradient[k] += decay * sgf_dot(n, V + k * n, theta);
    of->hessian[k * (size + 1)] += decay;
  }
  if (!of->linear) SGF_TRY(derive_loss(&at, of, error));
  average(of);
done:
  point_free(&at);
  return status;
}
