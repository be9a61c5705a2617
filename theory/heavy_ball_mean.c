/* With momentum: the covariance of the mean over a window, which moments about the window's own mean lack. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "heavy_ball.h"
#include "memory.h"

/* Snapshots that are worked on together. */
enum { BLOCK = 128 };

/* A row (Y, v) times a map, given as A - 1; and x with x (1 - A) = row. */
static void times(double row[2], const sgf_mode_map *map)
{
  double Y = row[0], v = row[1];
  row[0] += Y * map->YY + v * map->vY;
  row[1] += Y * map->Yv + v * map->vv;
}

static void divide(const double row[2], const sgf_mode_map *map, double x[2])
{
  double determinant = map->YY * map->vv - map->Yv * map->vY;
  x[0] = -(row[0] * map->vv - row[1] * map->vY) / determinant;
  x[1] = -(row[1] * map->YY - row[0] * map->Yv) / determinant;
}

/* One mode: d = (a, -c) reads delta off a state, A is the map from one snapshot to the next. */
typedef struct {
  sgf_mode mode;
  sgf_mode_map A;
  double u[2];   /* d F^t of the next snapshot t */
  double end[2]; /* d F^t of the one after the last */
  double r[2];   /* d A^k for the next k */
  double G[2];   /* the sum over the snapshots k of d (A + A^2 + ... + A^(K-1-k)) */
} reader;

static void start(double lambda, double momentum, double h, size_t first, size_t stride, size_t count, reader *of)
{
  of->mode = sgf_mode_of(lambda, momentum, h);
  sgf_mode_map one = sgf_mode_step(&of->mode), begin = sgf_mode_power(one, first);
  sgf_mode_map whole = sgf_mode_power(one, first + stride * count);
  of->A = sgf_mode_power(one, stride);
  of->u[0] = of->end[0] = of->r[0] = of->mode.a;
  of->u[1] = of->end[1] = of->r[1] = -of->mode.c;
  times(of->u, &begin);
  times(of->end, &whole);
  of->G[0] = of->G[1] = 0.0;
  times(of->r, &of->A);
}

/* The next `count` snapshots: rows u = d F^t and w = d (A + ... + A^(K-1-k)) F^t, (2, BLOCK) each, and their share of G times
 * 1 - A. */
static void read_on(reader *of, size_t count, double *u, double *w)
{
  double first[2] = {of->mode.a, -of->mode.c};
  times(first, &of->A);
  for (size_t k = 0; k < count; k++) {
    double row[2], rest[2];
    u[k] = row[0] = of->u[0];
    u[BLOCK + k] = row[1] = of->u[1];
    times(of->u, &of->A);
    times(row, &of->A);
    row[0] -= of->end[0];
    row[1] -= of->end[1];
    divide(row, &of->A, rest);
    w[k] = rest[0];
    w[BLOCK + k] = rest[1];
    of->G[0] += first[0] - of->r[0];
    of->G[1] += first[1] - of->r[1];
    times(of->r, &of->A);
  }
}

/* Sums over the snapshots of u u' + w u' + u w', for every pair of modes and of components: (modes, modes) each. */
typedef struct {
  size_t modes;
  reader *readers;
  double *YY, *Yv, *vv;
  double *u, *w; /* (modes, 2, BLOCK) */
  double *block;
} sums;

static sgf_status create_sums(const sgf_range *range, double lambda, double momentum, size_t first, size_t stride,
                              size_t count, sums *all, sgf_error *error)
{
  size_t modes = range->rank, null = range->n - modes;
  void *readers;
  sgf_status status;
  *all = (sums){.modes = modes};
  SGF_TRY(sgf_allocate(&readers, modes, 1, sizeof *all->readers, "means of a window", error));
  all->readers = readers;
  SGF_TRY(sgf_new_reals(&all->block, modes, 3 * modes + 4 * BLOCK, "means of a window", error));
  all->YY = all->block;
  all->Yv = all->YY + modes * modes;
  all->vv = all->Yv + modes * modes;
  all->u = all->vv + modes * modes;
  all->w = all->u + modes * 2 * BLOCK;
  for (size_t i = 0; i < modes; i++)
    start(lambda, momentum, range->h[null + i], first, stride, count, &all->readers[i]);
done:
  return status;
}

/* C += A B^T over `count` columns of component `left` of A and `right` of B. */
static void add(const sums *all, size_t count, const double *A, size_t left, const double *B, size_t right, double *C)
{
  int modes = (int)all->modes;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, modes, modes, (int)count, 1.0, A + left * BLOCK, 2 * BLOCK,
              B + right * BLOCK, 2 * BLOCK, 1.0, C, modes);
}

static void add_up(sums *all, size_t snapshots)
{
  for (size_t taken = 0; taken < snapshots; taken += BLOCK) {
    size_t count = snapshots - taken < BLOCK ? snapshots - taken : BLOCK;
    for (size_t i = 0; i < all->modes; i++)
      read_on(&all->readers[i], count, all->u + i * 2 * BLOCK, all->w + i * 2 * BLOCK);
    add(all, count, all->u, 0, all->w, 0, all->YY);
    add(all, count, all->u, 0, all->w, 1, all->Yv);
    add(all, count, all->u, 1, all->w, 1, all->vv);
    for (size_t at = 0; at < all->modes * 2 * BLOCK; at++) all->w[at] += all->u[at];
    add(all, count, all->w, 0, all->u, 0, all->YY);
    add(all, count, all->w, 0, all->u, 1, all->Yv);
    add(all, count, all->w, 1, all->u, 1, all->vv);
  }
  for (size_t i = 0; i < all->modes; i++) {
    reader *of = &all->readers[i];
    double G[2];
    divide(of->G, &of->A, G);
    memcpy(of->G, G, sizeof G);
  }
}

/* x Z y^T. */
static double form(const double x[2], const sgf_pair *Z, const double y[2])
{
  return x[0] * (Z->YY * y[0] + Z->Yv * y[1]) + x[1] * (Z->vY * y[0] + Z->vv * y[1]);
}

/* With Z_t = Z - F^t Z F'^tT: sum over the snapshots of d Z_t d' + d (A + ...) Z_t d' + d Z_t (A' + ...)^T d'. */
static double sum_of_pair(const sums *all, double snapshots, size_t i, size_t j)
{
  const reader *of = &all->readers[i], *other = &all->readers[j];
  size_t at = i * all->modes + j, mirrored = j * all->modes + i;
  double d[2] = {of->mode.a, -of->mode.c}, e[2] = {other->mode.a, -other->mode.c};
  sgf_pair Z = sgf_pair_stationary(&of->mode, &other->mode);
  return snapshots * form(d, &Z, e) + form(of->G, &Z, e) + form(d, &Z, other->G) -
         (Z.YY * all->YY[at] + Z.Yv * all->Yv[at] + Z.vY * all->Yv[mirrored] + Z.vv * all->vv[at]);
}

sgf_status sgf_heavy_ball_mean_covariance(const sgf_range *range, double lambda, double momentum, const double *N,
                                          size_t first, size_t stride, size_t count, double *S, sgf_error *error)
{
  size_t n = range->n, null = n - range->rank;
  double snapshots = (double)count;
  sums all;
  sgf_status status = create_sums(range, lambda, momentum, first, stride, count, &all, error);
  if (status == SGF_OK) add_up(&all, count);
  for (size_t i = 0; i < n && status == SGF_OK; i++)
    for (size_t j = 0; j <= i; j++) {
      double value = 0.0;
      if (j >= null)
        value = lambda * N[i * n + j] * sum_of_pair(&all, snapshots, i - null, j - null) / (snapshots * snapshots);
      S[i * n + j] = S[j * n + i] = value;
    }
  free(all.readers);
  free(all.block);
  return status;
}
