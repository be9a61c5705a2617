/* The covariance in the modes of K, without its being formed. */
#include "mode_covariance.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heavy_ball.h"
#include "linear_algebra.h"
#include "memory.h"

/* Samples that are brought into the modes at a time. */
enum { SAMPLE_BLOCK = 512 };

static size_t rows_of(const sgf_mode_covariance *modes) { return modes->space->blocks * modes->space->size; }

/* The factor that turns Q_kl into Z_kl; 0 outside of the range. */
static double response(const sgf_mode_covariance *modes, double k, double l)
{
  return k > 0.0 && l > 0.0 ? modes->scale * sgf_pair_response(modes->lambda, modes->momentum, k, l) : 0.0;
}

/* ------------------------------------------------------------------- layout */

/* O Sigma_ee O^T; what round-off leaves of a diagonal one is removed. */
static sgf_status couple_outputs(const sgf_dataset *data, const double *residuals, sgf_mode_covariance *modes,
                                 sgf_error *error)
{
  size_t size = data->outputs;
  double *moment = NULL, *half = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&modes->coupling, size, size, "noise of the outputs", error));
  SGF_TRY(sgf_new_reals(&moment, size, size, "noise of the outputs", error));
  SGF_TRY(sgf_new_reals(&half, size, size, "noise of the outputs", error));
  sgf_multiply(size, size, data->samples, SGF_TRANSPOSED, residuals, SGF_PLAIN, residuals, moment);
  for (size_t k = 0; k < size * size; k++) moment[k] /= (double)data->samples;
  sgf_multiply(size, size, size, SGF_PLAIN, modes->space->O, SGF_PLAIN, moment, half);
  sgf_multiply(size, size, size, SGF_PLAIN, half, SGF_TRANSPOSED, modes->space->O, modes->coupling);
  sgf_symmetrize(size, modes->coupling);
done:
  free(moment);
  free(half);
  return status;
}

/* Whether the coupling is diagonal to round-off. */
static bool is_diagonal(size_t size, const double *coupling)
{
  double scale = sgf_norm(size * size, coupling), outside = 0.0;
  for (size_t a = 0; a < size; a++)
    for (size_t b = 0; b < size; b++)
      if (a != b) outside = hypot(outside, coupling[a * size + b]);
  return outside <= 1e-14 * scale;
}

/* Rows of x in the basis S: S^T S = Sigma_xx and rows of S are orthogonal, so S^+T x = diag(1/|s|^2) S x. */
static sgf_status whiten(const sgf_reduced *space, const sgf_dataset *data, double **white, sgf_error *error)
{
  size_t inputs = space->inputs, all = data->inputs;
  sgf_status status = sgf_new_reals(white, data->samples, inputs, "inputs in units of their spread", error);
  if (status != SGF_OK) return status;
  sgf_multiply(data->samples, inputs, all, SGF_PLAIN, data->X, SGF_TRANSPOSED, space->S, *white);
  for (size_t i = 0; i < inputs; i++) {
    double square = sgf_dot(all, space->S + i * all, space->S + i * all);
    for (size_t m = 0; m < data->samples; m++) (*white)[m * inputs + i] /= square;
  }
  return SGF_OK;
}

/* Rows of F^T, e (x) x in the modes over sqrt(P), of the samples first ... first + count - 1. */
static sgf_status sampled_rows(const sgf_reduced *space, size_t samples, const double *turned, const double *white,
                               size_t first, size_t count, double *rows, sgf_error *error)
{
  size_t outputs = space->outputs, inputs = space->inputs;
  double scale = 1.0 / sqrt((double)samples);
  for (size_t m = 0; m < count; m++)
    for (size_t a = 0; a < outputs; a++)
      for (size_t i = 0; i < inputs; i++)
        rows[(m * outputs + a) * inputs + i] =
            scale * turned[(first + m) * outputs + a] * white[(first + m) * inputs + i];
  return sgf_reduced_into_modes(space, count, rows, error);
}

/* Q = F F^T into Z, or F into `factor`, sample by sample. */
static sgf_status sample_noise(const sgf_dataset *data, const double *residuals, sgf_mode_covariance *modes,
                               sgf_error *error)
{
  const sgf_reduced *space = modes->space;
  size_t size = rows_of(modes), P = data->samples, outputs = data->outputs;
  double *white = NULL, *turned = NULL, *rows = NULL;
  sgf_status status;
  SGF_TRY(whiten(space, data, &white, error));
  SGF_TRY(sgf_new_reals(&turned, P, outputs, "residuals", error));
  SGF_TRY(sgf_new_reals(&rows, SAMPLE_BLOCK, size, "per-sample noise", error));
  sgf_multiply(P, outputs, outputs, SGF_PLAIN, residuals, SGF_TRANSPOSED, space->O, turned);
  for (size_t first = 0; first < P; first += SAMPLE_BLOCK) {
    size_t count = P - first < SAMPLE_BLOCK ? P - first : SAMPLE_BLOCK;
    SGF_TRY(sampled_rows(space, P, turned, white, first, count, rows, error));
    if (modes->kind == SGF_MODES_STORED)
      cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)size, (int)count, 1.0, rows, (int)size, 1.0, modes->Z,
                  (int)size);
    else
      for (size_t m = 0; m < count; m++)
        for (size_t k = 0; k < size; k++) modes->factor[k * P + first + m] = rows[m * size + k];
  }
done:
  free(white);
  free(turned);
  free(rows);
  return status;
}

/* Q of one block for the coupled outputs, U (coupling (x) 1) U^T. */
static sgf_status couple_whole(sgf_mode_covariance *modes, sgf_error *error)
{
  const sgf_reduced *space = modes->space;
  size_t size = space->size, outputs = space->outputs, inputs = space->inputs;
  double *half;
  sgf_status status = sgf_new_reals(&half, size, size, "noise in the modes", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < size; k++)
    sgf_multiply(outputs, inputs, outputs, SGF_PLAIN, modes->coupling, SGF_PLAIN, space->U + k * size,
                 half + k * size);
  sgf_multiply(size, size, size, SGF_PLAIN, half, SGF_TRANSPOSED, space->U, modes->Z);
  free(half);
  return SGF_OK;
}

/* Z from the lower half of Q in its place. */
static void respond(sgf_mode_covariance *modes)
{
  size_t size = rows_of(modes);
  for (size_t i = 0; i < size; i++)
    for (size_t j = 0; j <= i; j++) {
      double value = modes->Z[i * size + j] * response(modes, modes->space->k[i], modes->space->k[j]);
      modes->Z[i * size + j] = modes->Z[j * size + i] = value;
    }
}

static sgf_status lay_out_separate(sgf_noise noise, double variance, sgf_mode_covariance *modes, sgf_error *error)
{
  const sgf_reduced *space = modes->space;
  sgf_status status = sgf_new_reals(&modes->strength, space->blocks, 1, "strength of the noise", error);
  modes->kind = SGF_MODES_SEPARATE;
  for (size_t block = 0; block < space->blocks && status == SGF_OK; block++)
    modes->strength[block] =
        noise == SGF_NOISE_ISOTROPIC ? variance : modes->coupling[block * space->outputs + block];
  return status;
}

/* A population's noise is separate when its outputs do not couple. */
static sgf_status choose_kind(sgf_noise noise, double variance, sgf_mode_covariance *modes, sgf_error *error)
{
  const sgf_reduced *space = modes->space;
  bool by_outputs = noise == SGF_NOISE_POPULATION && space->network.layers <= 2;
  if (noise == SGF_NOISE_ISOTROPIC || (by_outputs && is_diagonal(space->outputs, modes->coupling)))
    return lay_out_separate(noise, variance, modes, error);
  modes->kind = noise == SGF_NOISE_POPULATION ? SGF_MODES_COUPLED : SGF_MODES_SAMPLED;
  if (space->blocks == 1 || (noise == SGF_NOISE_EMPIRICAL && rows_of(modes) <= SGF_STORED_MODES))
    modes->kind = SGF_MODES_STORED;
  if (modes->kind == SGF_MODES_STORED)
    return sgf_new_reals(&modes->Z, rows_of(modes), rows_of(modes), "covariance in the modes", error);
  if (modes->kind == SGF_MODES_SAMPLED)
    return sgf_new_reals(&modes->factor, rows_of(modes), modes->samples, "noise in the modes", error);
  return SGF_OK;
}

sgf_status sgf_mode_covariance_create(const sgf_reduced *space, sgf_noise noise, const sgf_dataset *data,
                                      const double *residuals, double variance, double lambda, double momentum,
                                      double scale, sgf_mode_covariance *modes, sgf_error *error)
{
  sgf_status status;
  *modes = (sgf_mode_covariance){
      .space = space, .lambda = lambda, .momentum = momentum, .scale = scale, .samples = data->samples};
  if (noise == SGF_NOISE_POPULATION) SGF_TRY(couple_outputs(data, residuals, modes, error));
  SGF_TRY(choose_kind(noise, variance, modes, error));
  if (noise == SGF_NOISE_EMPIRICAL) SGF_TRY(sample_noise(data, residuals, modes, error));
  if (noise == SGF_NOISE_POPULATION && modes->kind == SGF_MODES_STORED) SGF_TRY(couple_whole(modes, error));
  if (modes->kind == SGF_MODES_STORED) respond(modes);
done:
  return status;
}

void sgf_mode_covariance_free(sgf_mode_covariance *modes)
{
  free(modes->strength);
  free(modes->coupling);
  free(modes->factor);
  free(modes->Z);
  memset(modes, 0, sizeof *modes);
}

/* ---------------------------------------------------------------- questions */

/* Block (i, j) of Q, but for SGF_MODES_STORED. */
static void noise_block(const sgf_mode_covariance *modes, size_t i, size_t j, double *Q)
{
  const sgf_reduced *space = modes->space;
  size_t size = space->size, P = modes->samples;
  if (modes->kind == SGF_MODES_SAMPLED) {
    sgf_multiply(size, size, P, SGF_PLAIN, modes->factor + i * size * P, SGF_TRANSPOSED, modes->factor + j * size * P,
                 Q);
    return;
  }
  double strength = modes->kind == SGF_MODES_COUPLED ? modes->coupling[i * space->blocks + j]
                    : i == j                         ? modes->strength[i]
                                                     : 0.0;
  if (i != j && !space->shared && modes->kind == SGF_MODES_COUPLED) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)size, (int)size, (int)size, strength,
                sgf_reduced_modes(space, i), (int)size, sgf_reduced_modes(space, j), (int)size, 0.0, Q, (int)size);
    return;
  }
  memset(Q, 0, size * size * sizeof *Q);
  for (size_t k = 0; k < size; k++) Q[k * size + k] = strength;
}

void sgf_mode_covariance_block(const sgf_mode_covariance *modes, size_t i, size_t j, double *Z)
{
  const sgf_reduced *space = modes->space;
  size_t size = space->size, whole = rows_of(modes);
  const double *rows = space->k + i * size, *columns = space->k + j * size;
  if (modes->kind == SGF_MODES_STORED) {
    for (size_t k = 0; k < size; k++)
      memcpy(Z + k * size, modes->Z + (i * size + k) * whole + j * size, size * sizeof *Z);
    return;
  }
  noise_block(modes, i, j, Z);
  for (size_t k = 0; k < size; k++)
    for (size_t l = 0; l < size; l++) Z[k * size + l] *= response(modes, rows[k], columns[l]);
}

void sgf_mode_covariance_diagonal(const sgf_mode_covariance *modes, double *z)
{
  const sgf_reduced *space = modes->space;
  size_t size = space->size, whole = rows_of(modes), P = modes->samples;
  for (size_t k = 0; k < whole; k++) {
    size_t block = k / size;
    double strength = 0.0;
    switch (modes->kind) {
    case SGF_MODES_STORED: z[k] = modes->Z[k * whole + k]; continue;
    case SGF_MODES_SEPARATE: strength = modes->strength[block]; break;
    case SGF_MODES_COUPLED: strength = modes->coupling[block * space->blocks + block]; break;
    case SGF_MODES_SAMPLED: strength = sgf_dot(P, modes->factor + k * P, modes->factor + k * P); break;
    }
    z[k] = strength * response(modes, space->k[k], space->k[k]);
  }
}

/* out += Y Z pair of blocks by pair of blocks. */
static sgf_status apply_by_blocks(const sgf_mode_covariance *modes, size_t count, const double *Y, double *out,
                                  sgf_error *error)
{
  const sgf_reduced *space = modes->space;
  int size = (int)space->size, whole = (int)rows_of(modes);
  double *Z;
  sgf_status status = sgf_new_reals(&Z, space->size, space->size, "block of the covariance", error);
  for (size_t i = 0; i < space->blocks && status == SGF_OK; i++)
    for (size_t j = 0; j <= i; j++) {
      size_t at = i * space->size, other = j * space->size;
      sgf_mode_covariance_block(modes, i, j, Z);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, size, size, 1.0, Y + other, whole, Z, size,
                  1.0, out + at, whole);
      if (i != j)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)count, size, size, 1.0, Y + at, whole, Z, size,
                    1.0, out + other, whole);
    }
  free(Z);
  return status;
}

sgf_status sgf_mode_covariance_apply(const sgf_mode_covariance *modes, size_t count, const double *Y, double *out,
                                     sgf_error *error)
{
  size_t whole = rows_of(modes), size = modes->space->size;
  const double *k = modes->space->k;
  if (modes->kind == SGF_MODES_STORED) {
    sgf_multiply(count, whole, whole, SGF_PLAIN, Y, SGF_PLAIN, modes->Z, out);
    return SGF_OK;
  }
  memset(out, 0, count * whole * sizeof *out);
  if (modes->kind != SGF_MODES_SEPARATE) return apply_by_blocks(modes, count, Y, out, error);
  for (size_t c = 0; c < count; c++)
    for (size_t i = 0; i < whole; i++)
      out[c * whole + i] = Y[c * whole + i] * modes->strength[i / size] * response(modes, k[i], k[i]);
  return SGF_OK;
}

sgf_status sgf_mode_covariance_matrix(const sgf_mode_covariance *modes, double **Z, sgf_error *error)
{
  size_t whole = rows_of(modes), size = modes->space->size;
  double *block = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(Z, whole, whole, "covariance in the modes", error));
  SGF_TRY(sgf_new_reals(&block, size, size, "block of the covariance", error));
  for (size_t i = 0; i < modes->space->blocks; i++)
    for (size_t j = 0; j <= i; j++) {
      sgf_mode_covariance_block(modes, i, j, block);
      for (size_t k = 0; k < size; k++)
        for (size_t l = 0; l < size; l++)
          (*Z)[(i * size + k) * whole + j * size + l] = (*Z)[(j * size + l) * whole + i * size + k] =
              block[k * size + l];
    }
done:
  free(block);
  return status;
}
