/* The solvers of this library, and what LAPACK alone would need, on systems from files (bench/run.py runs it).
 *
 *   lyapunov make KIND COUNT N SYSTEMS       systems with known solutions, see systems.h
 *   lyapunov quadruple SYSTEMS               put the solution in __float128 into the file, n <= 30
 *   lyapunov solve WAY SYSTEMS ANSWER        WAY: many (sgf_lyapunov_solve_many), sgflow (one by one), regular (its rank told), lapack
 *   lyapunov judge SYSTEMS ANSWER            prints the largest error and scaled residual
 *
 * `solve` prints seconds of wall clock and of CPU and a remark, with tabs between: the largest error bound of the
 * certificates, or the error. */
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sgflow.h"
#include "systems.h"

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

/* ------------------------------------------------------------ this library */

static void print_bound(size_t count, const sgf_certificate *certificates)
{
  double largest = 0.0;
  for (size_t k = 0; k < count; k++) largest = fmax(largest, certificates[k].error_bound);
  printf("error bound %.1e\n", largest);
}

/* With `regular` the rank is told: no singular value is zero. */
static int solve_here(const systems *all, bool many, bool regular, double *X)
{
  size_t size = all->n * all->n;
  sgf_lyapunov_options options;
  sgf_error error = {0};
  sgf_certificate *certificates = calloc(all->count, sizeof *certificates);
  sgf_status *statuses = calloc(all->count, sizeof *statuses), status = SGF_OK;
  if (certificates == NULL || statuses == NULL) return 1;
  sgf_lyapunov_options_init(&options);
  options.discrete = all->discrete;
  if (regular) options.rank_tolerance = 0.0;
  if (many) /* so that the threads are there */
    sgf_lyapunov_solve_many(all->count < 8 ? all->count : 8, all->n, all->A, all->Q, &options, 0, X, NULL, statuses,
                            &error);
  moment start = now();
  if (many)
    status =
        sgf_lyapunov_solve_many(all->count, all->n, all->A, all->Q, &options, 0, X, certificates, statuses, &error);
  for (size_t k = 0; k < all->count && !many && status == SGF_OK; k++)
    status = sgf_lyapunov_solve(all->n, all->A + k * size, 0, all->Q + k * size, &options, X + k * size,
                                certificates + k, &error);
  print_time_since(start);
  if (status == SGF_OK)
    print_bound(all->count, certificates);
  else
    printf("%s: %s\n", sgf_status_text(status), error.message);
  free(certificates);
  free(statuses);
  return 0;
}

/* ------------------------------------------------------------- LAPACK alone */

typedef struct workspace {
  double *W, *T, *product, *numbers, *work; /* (n, n) three times, (2 n), LAPACK's */
  lapack_int *integers;
  lapack_int size, integer_size;
} workspace;

static bool is_symmetric(size_t n, const double *A)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < i; j++)
      if (A[i * n + j] != A[j * n + i]) return false;
  return true;
}

/* Memory is touched before the clock starts. */
static bool reserve(size_t n, workspace *w)
{
  size_t square = n * n;
  *w = (workspace){.size = (lapack_int)(2 * square + 6 * n + 1000), .integer_size = (lapack_int)(5 * n + 1000)};
  double **arrays[] = {&w->W, &w->T, &w->product};
  for (size_t k = 0; k < 3; k++) {
    *arrays[k] = malloc(square * sizeof(double));
    if (*arrays[k] == NULL) return false;
    memset(*arrays[k], 1, square * sizeof(double));
  }
  w->numbers = calloc(2 * n, sizeof(double));
  w->work = malloc((size_t)w->size * sizeof(double));
  w->integers = calloc((size_t)w->integer_size, sizeof(lapack_int));
  if (w->numbers == NULL || w->work == NULL || w->integers == NULL) return false;
  memset(w->work, 1, (size_t)w->size * sizeof(double));
  return true;
}

static void release(workspace *w)
{
  free(w->W);
  free(w->T);
  free(w->product);
  free(w->numbers);
  free(w->work);
  free(w->integers);
}

/* C = op(A) op(B), column-major. */
static void multiply(CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, size_t n, const double *A,
                     const double *B, double *C)
{
  cblas_dgemm(CblasColMajor, transpose_a, transpose_b, (int)n, (int)n, (int)n, 1.0, A, (int)n, B, (int)n, 0.0, C,
              (int)n);
}

/* dsyevd, Q into the eigenbasis, division, X back. */
static lapack_int eigenbasis(size_t n, const double *A, const double *Q, workspace *w, double *X)
{
  memcpy(w->W, A, n * n * sizeof *A);
  lapack_int info = LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', (lapack_int)n, w->W, (lapack_int)n, w->numbers,
                                        w->work, w->size, w->integers, w->integer_size);
  multiply(CblasNoTrans, CblasNoTrans, n, Q, w->W, w->product);
  multiply(CblasTrans, CblasNoTrans, n, w->W, w->product, X);
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < n; i++) X[i + j * n] /= w->numbers[i] + w->numbers[j];
  multiply(CblasNoTrans, CblasTrans, n, X, w->W, w->product);
  multiply(CblasNoTrans, CblasNoTrans, n, w->W, w->product, X);
  return info;
}

/* dgees, Q into the Schur basis, dtrsyl3, X back. */
static lapack_int schur_basis(size_t n, const double *A, const double *Q, workspace *w, double *X)
{
  lapack_int zeros, N = (lapack_int)n;
  double scale = 1.0;
  for (size_t j = 0; j < n; j++)
    for (size_t i = 0; i < n; i++) w->T[i + j * n] = A[i * n + j];
  lapack_int info = LAPACKE_dgees_work(LAPACK_COL_MAJOR, 'V', 'N', NULL, N, w->T, N, &zeros, w->numbers,
                                       w->numbers + n, w->W, N, w->work, w->size, NULL);
  if (info != 0) return info;
  multiply(CblasNoTrans, CblasNoTrans, n, Q, w->W, w->product);
  multiply(CblasTrans, CblasNoTrans, n, w->W, w->product, X);
  info = LAPACKE_dtrsyl3(LAPACK_COL_MAJOR, 'N', 'T', 1, N, N, w->T, N, w->T, N, X, N, &scale);
  multiply(CblasNoTrans, CblasTrans, n, X, w->W, w->product);
  multiply(CblasNoTrans, CblasNoTrans, n, w->W, w->product, X);
  return info;
}

static int solve_with_lapack(const systems *all, double *X)
{
  size_t n = all->n, size = n * n;
  workspace w;
  if (all->discrete || !reserve(n, &w)) return 1;
  bool symmetric = is_symmetric(n, all->A);
  lapack_int info = 0;
  moment start = now();
  for (size_t k = 0; k < all->count && info == 0; k++)
    info = (symmetric ? eigenbasis : schur_basis)(n, all->A + k * size, all->Q + k * size, &w, X + k * size);
  print_time_since(start);
  if (info == 0)
    printf("\n");
  else
    printf("info = %d\n", (int)info);
  release(&w);
  return 0;
}

/* ----------------------------------------------------------------- commands */

static int make(int count, char **arguments)
{
  systems made;
  if (count != 4 ||
      !make_systems(arguments[0], strtoull(arguments[1], NULL, 10), strtoull(arguments[2], NULL, 10), &made))
    return 64;
  bool written = write_systems(arguments[3], &made);
  free_systems(&made);
  return written ? 0 : 1;
}

static int quadruple(int count, char **arguments)
{
  systems all;
  if (count != 1 || !read_systems(arguments[0], &all)) return 64;
  bool done = solve_in_quadruple(&all) && write_systems(arguments[0], &all);
  free_systems(&all);
  return done ? 0 : 1;
}

static int solve(int count, char **arguments)
{
  systems all;
  if (count != 3 || !read_systems(arguments[1], &all)) return 64;
  size_t size = all.count * all.n * all.n;
  double *X = malloc(size * sizeof *X);
  int code = 1;
  if (X != NULL) {
    for (size_t k = 0; k < size; k++) X[k] = NAN;
    code = strcmp(arguments[0], "lapack") == 0
               ? solve_with_lapack(&all, X)
               : solve_here(&all, strcmp(arguments[0], "many") == 0, strcmp(arguments[0], "regular") == 0, X);
    if (!write_numbers(arguments[2], size, X)) code = 1;
  }
  free(X);
  free_systems(&all);
  return code;
}

static int judge(int count, char **arguments)
{
  systems all;
  if (count != 2 || !read_systems(arguments[0], &all)) return 64;
  size_t size = all.count * all.n * all.n;
  double *X = malloc(size * sizeof *X);
  bool complete = X != NULL && read_numbers(arguments[1], size, X);
  if (complete) printf("%.3e\t%.3e\n", largest_error(&all, X), largest_residual(&all, X));
  free(X);
  free_systems(&all);
  return complete ? 0 : 1;
}

int main(int count, char **arguments)
{
  static const struct {
    const char *name;
    int (*run)(int, char **);
  } commands[] = {{"make", make}, {"quadruple", quadruple}, {"solve", solve}, {"judge", judge}};
  for (size_t k = 0; k < sizeof commands / sizeof *commands && count > 1; k++)
    if (strcmp(arguments[1], commands[k].name) == 0) return commands[k].run(count - 2, arguments + 2);
  fprintf(stderr, "usage: lyapunov make|quadruple|solve|judge ..., see bench/lyapunov.c\n");
  return 64;
}
