/* SLICOT's SB03MD on systems from files, and its collections CTLEX and DTLEX as such files. bench/run.py compiles it
 * where -lslicot links.
 *
 *   slicot solve SYSTEMS ANSWER   prints seconds (wall, CPU) and SB03MD's remark, with tabs between
 *   slicot collection FOLDER      writes FOLDER/NAME.systems, prints the names
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "systems.h"

extern void sb03md_(const char *dico, const char *job, const char *fact, const char *trana, const int *n, double *A,
                    const int *lda, double *U, const int *ldu, double *C, const int *ldc, double *scale, double *sep,
                    double *ferr, double *wr, double *wi, int *iwork, double *dwork, const int *ldwork, int *info,
                    size_t, size_t, size_t, size_t);
typedef void generator(const char *def, const int *nr, double *dpar, int *ipar, int *vec, int *n, int *m, double *E,
                       const int *lde, double *A, const int *lda, double *Y, const int *ldy, double *B,
                       const int *ldb, double *X, const int *ldx, double *U, const int *ldu, char *note,
                       double *dwork, const int *ldwork, int *info, size_t, size_t);
extern generator bb03ad_, bb04ad_;

/* Wall clock and CPU time, both in seconds. */
typedef struct moment {
  double wall, cpu;
} moment;

static moment now(void)
{
  struct timespec wall, cpu;
  clock_gettime(CLOCK_MONOTONIC, &wall);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  return (moment){(double)wall.tv_sec + 1e-9 * (double)wall.tv_nsec, (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec};
}

static void print_time_since(moment start)
{
  moment end = now();
  printf("%.9f\t%.9f\t", end.wall - start.wall, end.cpu - start.cpu);
}

/* ------------------------------------------------------------------- SB03MD */

typedef struct workspace {
  double *A, *U, *eigenvalues, *work;
  int *integers, size;
} workspace;

static bool reserve(size_t n, workspace *w)
{
  w->size = (int)(n * n + 64 * n + 1000);
  w->A = calloc(n * n, sizeof(double));
  w->U = calloc(n * n, sizeof(double));
  w->eigenvalues = calloc(2 * n, sizeof(double));
  w->work = calloc((size_t)w->size, sizeof(double));
  w->integers = calloc(n * n, sizeof(int));
  return w->A != NULL && w->U != NULL && w->eigenvalues != NULL && w->work != NULL && w->integers != NULL;
}

/* A X + X A^T = Q, or A X A^T - X = -Q; column-major, A is transposed on the way. */
static int solve_one(size_t n, bool discrete, const double *A, const double *Q, workspace *w, double *X)
{
  int N = (int)n, info = 0;
  double scale = 1.0, sep, ferr;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) w->A[i + j * n] = A[i * n + j];
  for (size_t k = 0; k < n * n; k++) X[k] = discrete ? -Q[k] : Q[k];
  sb03md_(discrete ? "D" : "C", "X", "N", "T", &N, w->A, &N, w->U, &N, X, &N, &scale, &sep, &ferr, w->eigenvalues,
          w->eigenvalues + n, w->integers, w->work, &w->size, &info, 1, 1, 1, 1);
  for (size_t k = 0; k < n * n && scale != 1.0; k++) X[k] /= scale;
  return info;
}

static int solve(const char *path, const char *answer)
{
  systems all;
  workspace w;
  if (!read_systems(path, &all) || !reserve(all.n, &w)) return 1;
  size_t n = all.n, size = n * n;
  double *X = calloc(all.count * size, sizeof *X);
  int info = 0, worst = 0;
  if (X == NULL) return 1;
  moment start = now();
  for (size_t k = 0; k < all.count; k++) {
    info = solve_one(n, all.discrete, all.A + k * size, all.Q + k * size, &w, X + k * size);
    worst = info != 0 ? info : worst;
  }
  print_time_since(start);
  if (worst == 0)
    printf("\n");
  else if (worst == (int)n + 1)
    printf("INFO = N+1: nearly singular, perturbed values were used\n");
  else
    printf("INFO = %d\n", worst);
  bool written = write_numbers(answer, all.count * size, X);
  free(X);
  free(w.A);
  free(w.U);
  free(w.eigenvalues);
  free(w.work);
  free(w.integers);
  free_systems(&all);
  return written ? 0 : 1;
}

/* -------------------------------------------------------------- collections */

enum { LARGEST = 30 };

/* One example of a collection, A^T X E + E^T X A = Y or A^T X A - E^T X E = Y, column-major. */
typedef struct example {
  int n, has_E;
  double E[LARGEST * LARGEST], A[LARGEST * LARGEST], Y[LARGEST * LARGEST];
} example;

static bool generate(generator *from, int number, int size, const double *parameters, example *made)
{
  static double B[LARGEST * LARGEST], X[LARGEST * LARGEST], U[LARGEST * LARGEST], work[4 * LARGEST];
  int nr[2] = {4, number}, ipar[1] = {size}, vec[8], m, leading = number == 4 ? 3 * size : size, info;
  int length = 4 * LARGEST;
  double dpar[2] = {parameters[0], parameters[1]};
  char note[70];
  memset(made, 0, sizeof *made);
  from("N", nr, dpar, ipar, vec, &made->n, &m, made->E, &leading, made->A, &leading, made->Y, &leading, B, &leading,
       X, &leading, U, &leading, note, work, &length, &info, 1, sizeof note);
  made->has_E = vec[2] != 0;
  return info == 0 && made->n == leading;
}

/* C = B^{-1} C in long double by Gauss with partial pivoting; (n, n), column-major; B is overwritten. */
static void divide(size_t n, long double *B, long double *C)
{
  for (size_t k = 0; k < n; k++) {
    size_t pivot = k;
    for (size_t r = k + 1; r < n; r++)
      if (fabsl(B[r + k * n]) > fabsl(B[pivot + k * n])) pivot = r;
    for (size_t c = 0; c < n; c++) {
      long double kept = B[k + c * n], other = C[k + c * n];
      B[k + c * n] = B[pivot + c * n];
      B[pivot + c * n] = kept;
      C[k + c * n] = C[pivot + c * n];
      C[pivot + c * n] = other;
    }
    for (size_t r = 0; r < n; r++) {
      if (r == k || B[r + k * n] == 0.0L) continue;
      long double factor = B[r + k * n] / B[k + k * n];
      for (size_t c = 0; c < n; c++) {
        B[r + c * n] -= factor * B[k + c * n];
        C[r + c * n] -= factor * C[k + c * n];
      }
    }
  }
  for (size_t k = 0; k < n; k++)
    for (size_t c = 0; c < n; c++) C[k + c * n] /= B[k + k * n];
}

/* M <- G^{-T} M, both given as doubles or already in long double. */
static void divide_transposed(size_t n, const double *G, long double *M)
{
  static long double B[LARGEST * LARGEST];
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) B[i + j * n] = G[j + i * n];
  divide(n, B, M);
}

static void transpose(size_t n, long double *M)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++) {
      long double kept = M[i + j * n];
      M[i + j * n] = M[j + i * n];
      M[j + i * n] = kept;
    }
}

/* The example as an equation of this library, with G = E, F = A (or, where the pencil is the inverse of a stable one,
 * G = A, F = E): the drift is the transpose of F G^{-1} and the right-hand side G^{-T} Y G^{-1}, signs so that it is
 * stable. */
static void standardize(const example *from, bool discrete, bool inverted, systems *to)
{
  static long double drift[LARGEST * LARGEST], right[LARGEST * LARGEST];
  size_t n = (size_t)from->n;
  const double *G = inverted ? from->A : from->E, *F = inverted ? from->E : from->A;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      drift[i + j * n] = F[j + i * n];
      right[i + j * n] = 0.5L * ((long double)from->Y[i + j * n] + from->Y[j + i * n]);
    }
  if (from->has_E) {
    divide_transposed(n, G, drift);
    divide_transposed(n, G, right);
    transpose(n, right);
    divide_transposed(n, G, right);
  }
  double trace = 0.0;
  for (size_t k = 0; k < n; k++) trace += (double)drift[k + k * n];
  double sign_A = !discrete && trace < 0.0 ? -1.0 : 1.0, sign_Q = discrete ? (inverted ? 1.0 : -1.0) : sign_A;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      to->A[i * n + j] = sign_A * (double)drift[i + j * n];
      to->Q[i * n + j] = sign_Q * (double)(0.5L * (right[i + j * n] + right[j + i * n]));
    }
}

static bool write_example(const char *folder, bool discrete, int number, int size, const double *parameters)
{
  static double A[LARGEST * LARGEST], Q[LARGEST * LARGEST];
  static example made;
  char name[96], path[4096];
  bool two = number <= 2;
  if (!generate(discrete ? bb04ad_ : bb03ad_, number, size, parameters, &made)) return true;
  systems one = {.count = 1, .n = (size_t)made.n, .discrete = discrete, .A = A, .Q = Q};
  standardize(&made, discrete, discrete && number == 3, &one);
  snprintf(name, sizeof name, two ? "%s-4.%d-n%d-%g-%g" : "%s-4.%d-n%d-%g", discrete ? "dtlex" : "ctlex", number,
           made.n, parameters[0], parameters[1]);
  snprintf(path, sizeof path, "%s/%s.systems", folder, name);
  printf("%s\n", name);
  return write_systems(path, &one);
}

static bool write_collection(const char *folder, bool discrete)
{
  static const double first[][2] = {{1.5, 1.5}, {1.01, 1.01}, {1.1, 1.1}, {1.2, 1.5}, {1.5, 1.1}, {2.0, 1.2}};
  static const double second[][2] = {{-0.5, 1.5}, {-0.1, 1.1}, {-0.5, 1.1}, {-0.9, 1.01}, {-0.9, 1.2}, {-0.99, 1.1}};
  static const double third[][2] = {{10.0, 0.0}, {1.0, 0.0}, {3.0, 0.0}, {20.0, 0.0}, {30.0, 0.0}, {40.0, 0.0}};
  static const double fourth[][2] = {{1.5, 0.0}, {1.01, 0.0}, {1.1, 0.0}, {2.0, 0.0}, {3.0, 0.0}, {5.0, 0.0}};
  static const double(*const parameters[])[2] = {first, second, third, fourth};
  static const int sizes[] = {4, 10, 20, 30};
  bool written = true;
  for (int number = 1; number <= 4; number++)
    for (size_t set = 0; set < 6; set++)
      for (size_t s = 0; s < 4; s++) {
        int size = number == 4 ? sizes[s] / 3 : sizes[s];
        written = written && write_example(folder, discrete, number, size, parameters[number - 1][set]);
      }
  return written;
}

int main(int count, char **arguments)
{
  if (count == 4 && strcmp(arguments[1], "solve") == 0) return solve(arguments[2], arguments[3]);
  if (count == 3 && strcmp(arguments[1], "collection") == 0)
    return write_collection(arguments[2], false) && write_collection(arguments[2], true) ? 0 : 1;
  fprintf(stderr, "usage: slicot solve|collection ..., see bench/slicot.c\n");
  return 64;
}
