/* Fourth moments of a sample's inputs and residuals, applied to matrices.
 *
 * The samples enter by products of pairs, x_i x_j and e_a e_b once for i <= j, x_i e_a all: where there are fewer such
 * pairs than samples as the matrix of their second moments, else sample by sample. */
#include "sample_moments.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion.h"
#include "jacobian.h"
#include "linear_algebra.h"
#include "memory.h"

enum { INPUTS, MIXED, RESIDUALS, KINDS }; /* of a pair */
enum { SAMPLE_BLOCK = 128 };
/* The matrix of pairs may have this many rows for each weight. */
enum { PAIRS_PER_WEIGHT = 4 };

struct sgf_sample_moments {
  size_t samples, dimension[2];
  size_t first[KINDS + 1]; /* pairs of a kind; [KINDS]: of all */
  const double *X;         /* (P, N_0), of the problem */
  double *residuals;       /* (P, N_L) */
  bool gaussian;
  double *second[2][2];    /* Gaussian: E[z z^T] for x and e */
  double *pairs;           /* (pairs, pairs) E of products of pairs; NULL: sample by sample */
  double *rows;            /* (SAMPLE_BLOCK, pairs) products of the pairs, a sample a row */
  double *gathered, *sent; /* (units^2, pairs of a kind) */
  double *between;         /* (SAMPLE_BLOCK, units^2) */
};

void sgf_sample_moments_free(sgf_sample_moments *moments)
{
  if (moments == NULL) return;
  for (int k = 0; k < 4; k++) free(moments->second[k / 2][k % 2]);
  free(moments->residuals);
  free(moments->pairs);
  free(moments->rows);
  free(moments->gathered);
  free(moments->sent);
  free(moments->between);
  free(moments);
}

bool sgf_sample_moments_centred(const sgf_sample_moments *moments) { return moments->gaussian; }

/* ------------------------------------------------------------------ products */

/* Products of all pairs for samples first ... first + count - 1. */
static void fill_rows(const sgf_sample_moments *moments, size_t first, size_t count)
{
  size_t N = moments->dimension[SGF_INPUT], M = moments->dimension[SGF_RESIDUAL], all = moments->first[KINDS];
  for (size_t m = 0; m < count; m++) {
    const double *x = moments->X + (first + m) * N, *e = moments->residuals + (first + m) * M;
    double *row = moments->rows + m * all;
    for (size_t i = 0; i < N; i++)
      for (size_t j = i; j < N; j++) *row++ = x[i] * x[j];
    if (moments->first[MIXED] == all) continue;
    for (size_t i = 0; i < N; i++)
      for (size_t a = 0; a < M; a++) *row++ = x[i] * e[a];
    for (size_t a = 0; a < M; a++)
      for (size_t b = a; b < M; b++) *row++ = e[a] * e[b];
  }
}

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static sgf_status empirical_moments(sgf_sample_moments *moments, size_t most_pairs, sgf_error *error)
{
  size_t all = moments->first[KINDS], P = moments->samples;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&moments->rows, SAMPLE_BLOCK, all, "moments of samples", error));
  if (all > 2 * P || all > most_pairs) return SGF_OK;
  SGF_TRY(sgf_new_reals(&moments->pairs, all, all, "moments of samples", error));
  for (size_t first = 0; first < P; first += SAMPLE_BLOCK) {
    size_t count = least(SAMPLE_BLOCK, P - first);
    fill_rows(moments, first, count);
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)all, (int)count, 1.0 / (double)P, moments->rows, (int)all,
                1.0, moments->pairs, (int)all);
  }
  sgf_mirror(all, moments->pairs);
done:
  return status;
}

/* Second moments of x and e that the noise of the settings is made from. */
static sgf_status gaussian_moments(const sgf_problem *problem, sgf_sample_moments *moments, sgf_error *error)
{
  size_t N = moments->dimension[SGF_INPUT], M = moments->dimension[SGF_RESIDUAL], P = moments->samples;
  double *E = moments->residuals, variance = sgf_dot(P * M, E, E) / (double)(P * M);
  sgf_status status;
  moments->gaussian = true;
  for (int k = 0; k < 4; k++)
    SGF_TRY(sgf_new_reals(&moments->second[k / 2][k % 2], moments->dimension[k / 2], moments->dimension[k % 2],
                          "second moments", error));
  memcpy(moments->second[SGF_INPUT][SGF_INPUT], problem->data.input_moment, N * N * sizeof(double));
  if (problem->settings.theory.noise == SGF_NOISE_ISOTROPIC) {
    for (size_t a = 0; a < M; a++) moments->second[SGF_RESIDUAL][SGF_RESIDUAL][a * (M + 1)] = variance;
    return SGF_OK;
  }
  sgf_multiply(N, M, P, SGF_TRANSPOSED, moments->X, SGF_PLAIN, E, moments->second[SGF_INPUT][SGF_RESIDUAL]);
  sgf_multiply(M, N, P, SGF_TRANSPOSED, E, SGF_PLAIN, moments->X, moments->second[SGF_RESIDUAL][SGF_INPUT]);
  sgf_multiply(M, M, P, SGF_TRANSPOSED, E, SGF_PLAIN, E, moments->second[SGF_RESIDUAL][SGF_RESIDUAL]);
  for (int k = 1; k < 4; k++)
    cblas_dscal((int)(moments->dimension[k / 2] * moments->dimension[k % 2]), 1.0 / (double)P,
                moments->second[k / 2][k % 2], 1);
done:
  return status;
}

static sgf_status room_to_contract(sgf_sample_moments *moments, size_t most_units, sgf_error *error)
{
  size_t most = 0, units = most_units * most_units;
  sgf_status status = SGF_OK;
  if (moments->gaussian)
    return sgf_new_reals(&moments->between, moments->dimension[SGF_INPUT] + moments->dimension[SGF_RESIDUAL],
                         moments->dimension[SGF_INPUT] + moments->dimension[SGF_RESIDUAL], "moments", error);
  for (int kind = 0; kind < KINDS; kind++)
    if (moments->first[kind + 1] - moments->first[kind] > most)
      most = moments->first[kind + 1] - moments->first[kind];
  SGF_TRY(sgf_new_reals(&moments->gathered, units, most, "moments of samples", error));
  SGF_TRY(sgf_new_reals(&moments->sent, units, most, "moments of samples", error));
  if (moments->pairs == NULL)
    SGF_TRY(sgf_new_reals(&moments->between, SAMPLE_BLOCK, units, "moments of samples", error));
done:
  return status;
}

sgf_status sgf_sample_moments_create(const sgf_problem *problem, bool with_residuals, size_t most_units,
                                     sgf_sample_moments **moments, sgf_error *error)
{
  size_t N = problem->data.inputs, M = problem->data.outputs;
  void *block;
  sgf_status status = sgf_allocate(&block, 1, 1, sizeof **moments, "moments of samples", error);
  sgf_sample_moments *made = block;
  *moments = NULL;
  if (status != SGF_OK) return status;
  made->samples = problem->data.samples;
  made->dimension[SGF_INPUT] = N;
  made->dimension[SGF_RESIDUAL] = M;
  made->first[MIXED] = N * (N + 1) / 2;
  made->first[RESIDUALS] = made->first[MIXED] + (with_residuals ? N * M : 0);
  made->first[KINDS] = made->first[RESIDUALS] + (with_residuals ? M * (M + 1) / 2 : 0);
  made->X = problem->data.X;
  SGF_TRY(sgf_residuals(&problem->network, &problem->data, problem->theta, &made->residuals, error));
  if (problem->settings.theory.noise == SGF_NOISE_EMPIRICAL)
    SGF_TRY(empirical_moments(made, PAIRS_PER_WEIGHT * problem->network.weights, error));
  else
    SGF_TRY(gaussian_moments(problem, made, error));
  SGF_TRY(room_to_contract(made, most_units, error));
  *moments = made;
  return SGF_OK;
done:
  sgf_sample_moments_free(made);
  return status;
}

/* ---------------------------------------------------------------- contraction */

/* What is known of a matrix [(a, k), (b, l)]: its units and the variables of k and l. */
typedef struct {
  size_t left_units, right_units;
  sgf_variable left, right;
  size_t row; /* from one row to the next */
} shape;

static int kind_of(const shape *of)
{
  if (of->left != of->right) return MIXED;
  return of->left == SGF_INPUT ? INPUTS : RESIDUALS;
}

/* rows (units a b, pairs) from the matrix: the sum of the two elements that a pair of one variable stands for. */
static void gather(const sgf_sample_moments *moments, const shape *of, const double *matrix, double *rows)
{
  size_t K = moments->dimension[of->left], L = moments->dimension[of->right], leading = of->row;
  bool turned = of->left == SGF_RESIDUAL; /* mixed pairs have x first */
  for (size_t a = 0; a < of->left_units; a++)
    for (size_t b = 0; b < of->right_units; b++) {
      const double *block = matrix + a * K * leading + b * L;
      if (of->left != of->right) {
        for (size_t k = 0; k < (turned ? L : K); k++)
          for (size_t l = 0; l < (turned ? K : L); l++)
            *rows++ = turned ? block[l * leading + k] : block[k * leading + l];
        continue;
      }
      for (size_t k = 0; k < K; k++)
        for (size_t l = k; l < K; l++) *rows++ = block[k * leading + l] + (k < l ? block[l * leading + k] : 0.0);
    }
}

/* The matrix from rows (units a b, pairs): both elements that a pair of one variable stands for. */
static void scatter(const sgf_sample_moments *moments, const shape *of, const double *rows, double *matrix)
{
  size_t K = moments->dimension[of->left], L = moments->dimension[of->right], leading = of->row;
  bool turned = of->left == SGF_RESIDUAL;
  for (size_t a = 0; a < of->left_units; a++)
    for (size_t b = 0; b < of->right_units; b++) {
      double *block = matrix + a * K * leading + b * L;
      if (of->left != of->right) {
        for (size_t k = 0; k < (turned ? L : K); k++)
          for (size_t l = 0; l < (turned ? K : L); l++) block[turned ? l * leading + k : k * leading + l] = *rows++;
        continue;
      }
      for (size_t k = 0; k < K; k++)
        for (size_t l = k; l < K; l++) block[k * leading + l] = block[l * leading + k] = *rows++;
    }
}

/* sent (units, pairs out) = gathered (units, pairs in) times the moments of pairs. */
static void multiply_by_moments(const sgf_sample_moments *moments, size_t units, int in, int out)
{
  size_t all = moments->first[KINDS], P = moments->samples;
  int ins = (int)(moments->first[in + 1] - moments->first[in]), rows = (int)units;
  int outs = (int)(moments->first[out + 1] - moments->first[out]);
  if (moments->pairs != NULL) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, rows, outs, ins, 1.0, moments->gathered, ins,
                moments->pairs + moments->first[in] * all + moments->first[out], (int)all, 0.0, moments->sent, outs);
    return;
  }
  memset(moments->sent, 0, units * (size_t)outs * sizeof(double));
  for (size_t first = 0; first < P; first += SAMPLE_BLOCK) {
    int count = (int)least(SAMPLE_BLOCK, P - first);
    fill_rows(moments, first, (size_t)count);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, count, rows, ins, 1.0, moments->rows + moments->first[in],
                (int)all, moments->gathered, ins, 0.0, moments->between, rows);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows, outs, count, 1.0 / (double)P, moments->between, rows,
                moments->rows + moments->first[out], (int)all, 1.0, moments->sent, outs);
  }
}

static size_t row_of(size_t asked, size_t units, size_t dimension) { return asked > 0 ? asked : units * dimension; }

/* Blocks a, b by themselves: E[z_i z_j] sum_kl E[z_k z_l] Z_kl + E[z_i z_l] Z_kl E[z_k z_j]; what is left of Wick's third
 * pairing is E[z_i z_k] E[z_l z_j]. */
static void contract_gaussian(const sgf_sample_moments *moments, const sgf_contraction *what, const double *before,
                              double *after)
{
  const sgf_variable *z = what->variables;
  size_t size[4], from, to;
  for (int k = 0; k < 4; k++) size[k] = moments->dimension[z[k]];
  from = row_of(what->before_row, what->right_units, size[2]);
  to = row_of(what->after_row, what->right_units, size[3]);
  const double *inside = moments->second[z[1]][z[2]], *outside = moments->second[z[0]][z[3]];
  for (size_t a = 0; a < what->left_units; a++)
    for (size_t b = 0; b < what->right_units; b++) {
      const double *Z = before + a * size[1] * from + b * size[2];
      double *block = after + a * size[0] * to + b * size[3], trace = 0.0;
      for (size_t k = 0; k < size[1]; k++) trace += sgf_dot(size[2], inside + k * size[2], Z + k * from);
      for (size_t i = 0; i < size[0]; i++)
        for (size_t j = 0; j < size[3]; j++) block[i * to + j] = trace * outside[i * size[3] + j];
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)size[0], (int)size[1], (int)size[2], 1.0,
                  moments->second[z[0]][z[2]], (int)size[2], Z, (int)from, 0.0, moments->between, (int)size[1]);
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)size[0], (int)size[3], (int)size[1], 1.0,
                  moments->between, (int)size[1], moments->second[z[1]][z[3]], (int)size[3], 1.0, block, (int)to);
    }
}

void sgf_sample_moments_contract(const sgf_sample_moments *moments, const sgf_contraction *what, const double *before,
                                 double *after)
{
  const sgf_variable *z = what->variables;
  size_t from = row_of(what->before_row, what->right_units, moments->dimension[z[2]]);
  size_t to = row_of(what->after_row, what->right_units, moments->dimension[z[3]]);
  shape in = {what->left_units, what->right_units, z[1], z[2], from};
  shape out = {what->left_units, what->right_units, z[0], z[3], to};
  if (moments->gaussian) {
    contract_gaussian(moments, what, before, after);
    return;
  }
  gather(moments, &in, before, moments->gathered);
  multiply_by_moments(moments, what->left_units * what->right_units, kind_of(&in), kind_of(&out));
  scatter(moments, &out, moments->sent, after);
}
