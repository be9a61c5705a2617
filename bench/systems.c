/* Systems whose solutions are known exactly, in files that every solver under comparison reads. */
#include "systems.h"

#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------ files */

bool read_numbers(const char *path, size_t count, double *numbers)
{
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  bool complete = fread(numbers, sizeof *numbers, count, file) == count;
  fclose(file);
  return complete;
}

bool write_numbers(const char *path, size_t count, const double *numbers)
{
  FILE *file = fopen(path, "wb");
  if (file == NULL) return false;
  bool complete = fwrite(numbers, sizeof *numbers, count, file) == count;
  return fclose(file) == 0 && complete;
}

void free_systems(systems *freed)
{
  free(freed->A);
  free(freed->Q);
  free(freed->X);
  memset(freed, 0, sizeof *freed);
}

static bool allocate(systems *made)
{
  size_t size = made->count * made->n * made->n;
  made->A = calloc(size, sizeof *made->A);
  made->Q = calloc(size, sizeof *made->Q);
  made->X = calloc(size, sizeof *made->X);
  if (made->A != NULL && made->Q != NULL && made->X != NULL) return true;
  free_systems(made);
  return false;
}

bool read_systems(const char *path, systems *read)
{
  double head[4];
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  bool complete = fread(head, sizeof *head, 4, file) == 4;
  *read = (systems){(size_t)head[0], (size_t)head[1], head[2] != 0.0, head[3] != 0.0, NULL, NULL, NULL};
  complete = complete && allocate(read);
  size_t size = read->n * read->n;
  for (size_t k = 0; k < read->count && complete; k++)
    complete = fread(read->A + k * size, sizeof(double), size, file) == size &&
               fread(read->Q + k * size, sizeof(double), size, file) == size &&
               (!read->known || fread(read->X + k * size, sizeof(double), size, file) == size);
  fclose(file);
  return complete;
}

bool write_systems(const char *path, const systems *written)
{
  double head[4] = {(double)written->count, (double)written->n, written->discrete, written->known};
  FILE *file = fopen(path, "wb");
  if (file == NULL) return false;
  bool complete = fwrite(head, sizeof *head, 4, file) == 4;
  size_t size = written->n * written->n;
  for (size_t k = 0; k < written->count && complete; k++)
    complete = fwrite(written->A + k * size, sizeof(double), size, file) == size &&
               fwrite(written->Q + k * size, sizeof(double), size, file) == size &&
               (!written->known || fwrite(written->X + k * size, sizeof(double), size, file) == size);
  return fclose(file) == 0 && complete;
}

/* ---------------------------------------------------------- known solutions */

/* SplitMix64: the same systems everywhere. */
static uint64_t next_random(uint64_t *state)
{
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

/* A whole number of -most ... most. */
static double whole(uint64_t *state, int most)
{
  return (double)(next_random(state) % (uint64_t)(2 * most + 1)) - most;
}

static void fill(uint64_t *state, int most, size_t count, double *numbers)
{
  for (size_t k = 0; k < count; k++) numbers[k] = whole(state, most);
}

static void fill_symmetric(uint64_t *state, int most, size_t n, double *matrix)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) matrix[i * n + j] = matrix[j * n + i] = whole(state, most);
}

static void multiply(CBLAS_TRANSPOSE transpose_b, size_t rows, size_t columns, size_t inner, const double *A,
                     const double *B, double *C)
{
  cblas_dgemm(CblasRowMajor, CblasNoTrans, transpose_b, (int)rows, (int)columns, (int)inner, 1.0, A, (int)inner, B,
              (int)(transpose_b == CblasNoTrans ? columns : inner), 0.0, C, (int)columns);
}

/* out = B Z B^T for B (n, r) and a tridiagonal Z of diagonal `on`, `above` it and `below`; work (n, r). */
static void sandwich(size_t n, size_t r, const double *B, double on, double above, double below, double *work,
                     double *out)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < r; j++) {
      double left = j > 0 ? B[i * r + j - 1] * above : 0.0, right = j + 1 < r ? B[i * r + j + 1] * below : 0.0;
      work[i * r + j] = B[i * r + j] * on + left + right;
    }
  multiply(CblasTrans, n, n, r, work, B, out);
}

/* Drifts A = B B^T (+ n/8), with or without a skew part, and X. work: 2 n^2. */
static void make_product(uint64_t *state, size_t n, size_t rank, double skew, double *A, double *X, double *work)
{
  double *B = work, *product = work + n * n;
  fill(state, 1, n * rank, B);
  sandwich(n, rank, B, 1.0, skew, -skew, product, A);
  for (size_t k = 0; k < n && rank == n; k++) A[k * (n + 1)] += (double)(n / 8 + 1);
  if (rank == n)
    fill_symmetric(state, 1 << 15, n, X);
  else
    sandwich(n, rank, B, 3.0, 1.0, 1.0, product, X);
}

static void make_general(uint64_t *state, size_t n, double *A, double *X)
{
  enum { MOST = 1 << 19 };
  double shift = (1.2 + 4.0 / sqrt((double)n)) * MOST * sqrt((double)n / 3.0);
  fill(state, MOST, n * n, A);
  for (size_t k = 0; k < n; k++) A[k * (n + 1)] += round(shift);
  fill_symmetric(state, 1 << 15, n, X);
}

static void make_stein(uint64_t *state, size_t n, double *A, double *X)
{
  enum { MOST = 1 << 11 };
  double unit = 1.0;
  fill(state, MOST, n * n, A);
  while (unit < 1.25 * MOST * sqrt((double)n / 3.0)) unit *= 2.0;
  for (size_t k = 0; k < n * n; k++) A[k] /= unit;
  fill_symmetric(state, 1 << 8, n, X);
}

static void make_right_hand_side(size_t n, bool discrete, const double *A, const double *X, double *Q, double *work)
{
  multiply(CblasNoTrans, n, n, n, A, X, work);
  if (discrete) multiply(CblasTrans, n, n, n, work, A, Q);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++)
      Q[i * n + j] = discrete ? X[i * n + j] - Q[i * n + j] : work[i * n + j] + work[j * n + i];
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) Q[j * n + i] = Q[i * n + j];
}

bool make_systems(const char *kind, size_t count, size_t n, systems *made)
{
  uint64_t state = 1;
  bool half = strncmp(kind, "half", 4) == 0, known_kind = true;
  *made = (systems){.count = count, .n = n, .discrete = strcmp(kind, "stein") == 0, .known = true};
  double *work = calloc(2 * n * n, sizeof *work);
  if (work == NULL || !allocate(made)) {
    free(work);
    return false;
  }
  for (size_t k = 0; k < count; k++) {
    double *A = made->A + k * n * n, *X = made->X + k * n * n;
    if (half || strcmp(kind, "symmetric") == 0)
      make_product(&state, n, half ? n / 2 : n, strcmp(kind, "half-general") == 0 ? 1.0 : 0.0, A, X, work);
    else if (strcmp(kind, "general") == 0)
      make_general(&state, n, A, X);
    else if (made->discrete)
      make_stein(&state, n, A, X);
    else
      known_kind = false;
    make_right_hand_side(n, made->discrete, A, X, made->Q + k * n * n, work);
  }
  free(work);
  return known_kind;
}

/* ---------------------------------------------------- in quadruple precision */

/* Position of element (i, j) among those of a symmetric matrix. */
static size_t place(size_t i, size_t j) { return i >= j ? i * (i + 1) / 2 + j : j * (j + 1) / 2 + i; }

/* The equation for X as a linear system K x = q of n (n + 1) / 2 unknowns; K has a last column q. */
static void unfold(size_t n, bool discrete, const double *A, const double *Q, __float128 *K)
{
  size_t unknowns = n * (n + 1) / 2, width = unknowns + 1;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      __float128 *row = K + place(i, j) * width;
      row[unknowns] = Q[i * n + j];
      if (discrete) row[place(i, j)] += 1;
      for (size_t k = 0; k < n && !discrete; k++) {
        row[place(k, j)] += A[i * n + k];
        row[place(i, k)] += A[j * n + k];
      }
      for (size_t k = 0; k < n && discrete; k++)
        for (size_t l = 0; l < n; l++) row[place(k, l)] -= (__float128)A[i * n + k] * A[j * n + l];
    }
}

/* Gauss with partial pivoting; the solution replaces the last column. */
static bool eliminate(size_t unknowns, __float128 *K)
{
  size_t width = unknowns + 1;
  for (size_t k = 0; k < unknowns; k++) {
    size_t pivot = k;
    for (size_t r = k + 1; r < unknowns; r++) {
      __float128 here = K[r * width + k], best = K[pivot * width + k];
      if ((here < 0 ? -here : here) > (best < 0 ? -best : best)) pivot = r;
    }
    if (K[pivot * width + k] == 0) return false;
    for (size_t c = k; c < width && pivot != k; c++) {
      __float128 kept = K[k * width + c];
      K[k * width + c] = K[pivot * width + c];
      K[pivot * width + c] = kept;
    }
    for (size_t r = k + 1; r < unknowns; r++) {
      __float128 factor = K[r * width + k] / K[k * width + k];
      if (factor == 0) continue;
      for (size_t c = k; c < width; c++) K[r * width + c] -= factor * K[k * width + c];
    }
  }
  for (size_t k = unknowns; k-- > 0;) {
    __float128 value = K[k * width + unknowns];
    for (size_t c = k + 1; c < unknowns; c++) value -= K[k * width + c] * K[c * width + unknowns];
    K[k * width + unknowns] = value / K[k * width + k];
  }
  return true;
}

bool solve_in_quadruple(systems *solved)
{
  size_t n = solved->n, unknowns = n * (n + 1) / 2, width = unknowns + 1;
  for (size_t k = 0; k < solved->count; k++) {
    __float128 *K = calloc(unknowns * width, sizeof *K);
    if (K == NULL) return false;
    unfold(n, solved->discrete, solved->A + k * n * n, solved->Q + k * n * n, K);
    bool regular = eliminate(unknowns, K);
    for (size_t i = 0; i < n && regular; i++)
      for (size_t j = 0; j < n; j++) solved->X[k * n * n + i * n + j] = (double)K[place(i, j) * width + unknowns];
    free(K);
    if (!regular) return false;
  }
  solved->known = true;
  return true;
}

/* ---------------------------------------------------------------- accuracy */

static double norm(size_t count, const double *numbers)
{
  double scale = 0.0, square = 0.0;
  for (size_t k = 0; k < count; k++) {
    if (isnan(numbers[k])) return NAN;
    scale = fmax(scale, fabs(numbers[k]));
  }
  for (size_t k = 0; k < count && scale > 0.0; k++) square += (numbers[k] / scale) * (numbers[k] / scale);
  return scale * sqrt(square);
}

/* A X + X A^T - Q or X - A X A^T - Q, in long double. */
static void exact_residual(size_t n, bool discrete, const double *A, const double *Q, const double *X,
                           long double *AX, double *R)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      AX[i * n + j] = 0.0L;
      for (size_t k = 0; k < n; k++) AX[i * n + j] += (long double)A[i * n + k] * X[k * n + j];
    }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      long double made = discrete ? X[i * n + j] : AX[i * n + j] + AX[j * n + i];
      for (size_t k = 0; k < n && discrete; k++) made -= AX[i * n + k] * A[j * n + k];
      R[i * n + j] = (double)(made - Q[i * n + j]);
    }
}

static double residual_of(size_t n, bool discrete, const double *A, const double *Q, const double *X, void *work,
                          double *R)
{
  double norm_A = norm(n * n, A), norm_X = norm(n * n, X);
  if (n <= 64) {
    exact_residual(n, discrete, A, Q, X, work, R);
  } else {
    make_right_hand_side(n, discrete, A, X, R, work);
    for (size_t k = 0; k < n * n; k++) R[k] -= Q[k];
  }
  return norm(n * n, R) / ((discrete ? 1.0 + norm_A * norm_A : 2.0 * norm_A) * norm_X + norm(n * n, Q));
}

double largest_residual(const systems *solved, const double *X)
{
  size_t n = solved->n;
  double largest = 0.0, *R = calloc(n * n, sizeof *R);
  void *work = calloc(n * n, sizeof(long double));
  for (size_t k = 0; k < solved->count && R != NULL && work != NULL; k++) {
    double one =
        residual_of(n, solved->discrete, solved->A + k * n * n, solved->Q + k * n * n, X + k * n * n, work, R);
    if (isnan(one) || one > largest) largest = one;
    if (isnan(one)) break;
  }
  free(R);
  free(work);
  return largest;
}

double largest_error(const systems *solved, const double *X)
{
  size_t size = solved->n * solved->n;
  double largest = 0.0, *difference = calloc(size, sizeof *difference);
  for (size_t k = 0; k < solved->count && difference != NULL; k++) {
    const double *known = solved->X + k * size;
    for (size_t e = 0; e < size; e++) difference[e] = X[k * size + e] - known[e];
    double one = norm(size, difference) / norm(size, known);
    if (isnan(one) || one > largest) largest = one;
    if (isnan(one)) break;
  }
  free(difference);
  return solved->known ? largest : NAN;
}
