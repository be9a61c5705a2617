/* Covariance under epoch reshuffling, where the batches of a sweep sum to the full gradient. */
#include "epoch.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "epoch_walk.h"
#include "memory.h"

/* Sums over the steps of an epoch for every pair of modes, (modes, modes) each; of symmetric ones the lower triangle. */
typedef struct {
  double *growth;          /* mean over m of the bracket of s_m, of delta */
  double *ff, *fg, *gg;    /* mean over m of what the state at the start still does to delta: f f', f g', g g' */
  double *YY, *Yv, *vv;    /* the bracket of s_M, of the states */
  double *mean_Y, *mean_v; /* (modes), of w_k over the epoch */
  double *block;
} sums;

static sgf_status create_sums(size_t modes, sums *all, sgf_error *error)
{
  double **matrices[] = {&all->growth, &all->ff, &all->fg, &all->gg, &all->YY, &all->Yv, &all->vv};
  size_t count = sizeof matrices / sizeof *matrices;
  sgf_status status = sgf_new_reals(&all->block, modes, count * modes + 2, "sums over an epoch", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < count; k++) *matrices[k] = all->block + k * modes * modes;
  all->mean_Y = all->block + count * modes * modes;
  all->mean_v = all->mean_Y + modes;
  return SGF_OK;
}

/* C += factor A A^T, or += factor A B^T, over the columns of a walk's tables. */
static void add_squares(const sgf_epoch_walk *walk, double factor, const double *A, double *C)
{
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, (int)walk->modes, (int)walk->count, factor, A, SGF_WALK_STEPS,
              1.0, C, (int)walk->modes);
}

static void add_products(const sgf_epoch_walk *walk, double factor, const double *A, const double *B, double *C)
{
  int modes = (int)walk->modes;
  cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, modes, modes, (int)walk->count, factor, A, SGF_WALK_STEPS, B,
              SGF_WALK_STEPS, 1.0, C, modes);
}

/* Mean over the epoch, first. */
static void find_means(sgf_epoch_walk *walk, sums *all)
{
  while (sgf_epoch_walk_on(walk))
    for (size_t i = 0; i < walk->modes; i++)
      for (size_t k = 0; k < walk->count; k++) {
        all->mean_Y[i] += walk->Y[i * SGF_WALK_STEPS + k] / (double)walk->batches;
        all->mean_v[i] += walk->v[i * SGF_WALK_STEPS + k] / (double)walk->batches;
      }
}

/* At m = M the bracket is M/(M-1) sum_k (w_k - mean)(w_k - mean)^T: without the cancellation that would leave no digits of
 * s_0 for slow modes, where the gradients of an epoch sum to zero. */
static void centre(sgf_epoch_walk *walk, const sums *all)
{
  for (size_t i = 0; i < walk->modes; i++)
    for (size_t k = 0; k < walk->count; k++) {
      walk->Y[i * SGF_WALK_STEPS + k] -= all->mean_Y[i];
      walk->v[i * SGF_WALK_STEPS + k] -= all->mean_v[i];
    }
}

/* r_k times the root of its weight (M - k)/(M - 1) in the mean over m = 1 ... M of M/(M-1) sum_{k<m} r_k r_k'. */
static void weigh(sgf_epoch_walk *walk)
{
  size_t first = walk->step - walk->count;
  for (size_t k = 0; k < walk->count; k++) {
    double weight = sqrt((double)(walk->batches - first - k) / (double)(walk->batches - 1));
    for (size_t i = 0; i < walk->modes; i++) walk->r[i * SGF_WALK_STEPS + k] *= weight;
  }
}

static void add_up(sgf_epoch_walk *walk, sums *all)
{
  double M = (double)walk->batches;
  find_means(walk, all);
  while (sgf_epoch_walk_on(walk)) {
    centre(walk, all);
    weigh(walk);
    add_squares(walk, 1.0, walk->r, all->growth);
    add_squares(walk, -1.0 / (M * (M - 1.0)), walk->sum, all->growth);
    add_squares(walk, 1.0 / M, walk->f, all->ff);
    add_squares(walk, M / (M - 1.0), walk->Y, all->YY);
    if (walk->momentum == 0.0) continue; /* v has no part in anything */
    add_products(walk, 1.0 / M, walk->f, walk->g, all->fg);
    add_squares(walk, 1.0 / M, walk->g, all->gg);
    add_products(walk, M / (M - 1.0), walk->Y, walk->v, all->Yv);
    add_squares(walk, M / (M - 1.0), walk->v, all->vv);
  }
}

/* F^M of every mode, and its powers over the epochs. */
static sgf_status powers_of_epochs(const sgf_range *range, double lambda, double momentum, size_t batches,
                                   size_t skipped, size_t epochs, sgf_mode_powers **powers, sgf_error *error)
{
  size_t null = range->n - range->rank;
  void *block;
  sgf_status status = sgf_allocate(&block, range->rank, 1, sizeof **powers, "powers of the modes' epochs", error);
  *powers = block;
  for (size_t k = 0; k < range->rank && status == SGF_OK; k++) {
    sgf_mode mode = sgf_mode_of(lambda, momentum, range->h[null + k]);
    sgf_mode_map whole = sgf_mode_power(sgf_mode_step(&mode), batches);
    sgf_mode_powers_of(&mode, &whole, skipped, epochs, &(*powers)[k]);
  }
  return status;
}

/* Over c_ij, of modes i and j of the range: the stationary covariance of states at the ends, and their average at the starts
 * of the epochs. */
static sgf_status solve_starts(const sums *all, const sgf_mode_powers *powers, size_t modes, size_t i, size_t j,
                               sgf_pair *end, sgf_pair *start, sgf_error *error)
{
  size_t at = i * modes + j, mirrored = j * modes + i;
  sgf_pair B = {all->YY[at], all->Yv[at], all->Yv[mirrored], all->vv[at]};
  sgf_status status = sgf_pair_periodic(&powers[i].one, &powers[j].one, &B, end, error);
  *start = powers[i].count > 0 ? sgf_pair_built_up(&powers[i], &powers[j], end) : *end;
  return status;
}

/* Over c_ij: the average, and the stationary covariance at the ends. */
static sgf_status solve_pair(const sums *all, const sgf_mode_powers *powers, size_t modes, size_t i, size_t j,
                             double *average, double *end, sgf_error *error)
{
  size_t at = i * modes + j, mirrored = j * modes + i;
  sgf_pair last, Z;
  sgf_status status = solve_starts(all, powers, modes, i, j, &last, &Z, error);
  *end = sgf_pair_covariance(&last, &powers[i].mode, &powers[j].mode);
  *average =
      all->growth[at] + all->ff[at] * Z.YY + all->fg[at] * Z.Yv + all->fg[mirrored] * Z.vY + all->gg[at] * Z.vv;
  return status;
}

static sgf_status solve_pairs(const sgf_range *range, const sums *all, const sgf_mode_powers *powers, double lambda,
                              const double *N, double *S, double *ends, sgf_error *error)
{
  size_t n = range->n, null = n - range->rank;
  sgf_status status = SGF_OK;
  for (size_t i = null; i < n && status == SGF_OK; i++)
    for (size_t j = null; j <= i && status == SGF_OK; j++) {
      double noise = lambda * N[i * n + j], average, end;
      status = solve_pair(all, powers, range->rank, i - null, j - null, &average, &end, error);
      S[i * n + j] = S[j * n + i] = noise * average;
      if (ends != NULL) ends[i * n + j] = ends[j * n + i] = noise * end;
    }
  return status;
}

/* What is outside of the range, or all of it. */
static void clear_outside(const sgf_range *range, size_t kept, double *S)
{
  size_t n = range->n, null = n - kept;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      if (i < null || j < null) S[i * n + j] = 0.0;
}

sgf_status sgf_epoch_covariance(const sgf_range *range, double lambda, double momentum, size_t batches,
                                const double *N, size_t skipped, size_t epochs, double *S, double *ends,
                                sgf_error *error)
{
  sgf_epoch_walk walk = {0};
  sgf_mode_powers *powers = NULL;
  sums all = {0};
  sgf_status status;
  if (batches > 1) {
    SGF_TRY(sgf_epoch_walk_create(range, lambda, momentum, batches, &walk, error));
    SGF_TRY(create_sums(range->rank, &all, error));
    SGF_TRY(powers_of_epochs(range, lambda, momentum, batches, skipped, epochs, &powers, error));
    add_up(&walk, &all);
    SGF_TRY(solve_pairs(range, &all, powers, lambda, N, S, ends, error));
  }
  clear_outside(range, batches > 1 ? range->rank : 0, S);
  if (ends != NULL) clear_outside(range, batches > 1 ? range->rank : 0, ends);
  status = SGF_OK;
done:
  sgf_epoch_walk_free(&walk);
  free(all.block);
  free(powers);
  return status;
}

/* ---------------------------------------------------------------- areas swept */

/* Means over the steps of an epoch for every pair of modes, (modes, modes) each, of delta with the velocity and of velocities:
 * of kicks r, v, and of what is left of the states (1, 0) and (0, 1) at the start, f, V and g, W. */
typedef struct {
  double *rv, *fV, *fW, *gV, *gW; /* not symmetric */
  double *vv, *VV, *VW, *WW;
  double *V, *W, *sum, *weighted_r, *weighted_v; /* (modes, SGF_WALK_STEPS), tables as those of the walk */
  double *last_f, *last_g, *last_sum;            /* (modes), of the step before */
  double *block;
} areas;

static sgf_status create_areas(const sgf_epoch_walk *walk, areas *by, sgf_error *error)
{
  double **matrices[] = {&by->rv, &by->fV, &by->fW, &by->gV, &by->gW, &by->vv, &by->VV, &by->VW, &by->WW};
  double **tables[] = {&by->V, &by->W, &by->sum, &by->weighted_r, &by->weighted_v};
  double **vectors[] = {&by->last_f, &by->last_g, &by->last_sum};
  size_t modes = walk->modes, squares = sizeof matrices / sizeof *matrices, rows = sizeof tables / sizeof *tables;
  sgf_status status =
      sgf_new_reals(&by->block, modes, squares * modes + rows * SGF_WALK_STEPS + 3, "areas over an epoch", error);
  if (status != SGF_OK) return status;
  double *next = by->block;
  for (size_t k = 0; k < squares; k++, next += modes * modes) *matrices[k] = next;
  for (size_t k = 0; k < rows; k++, next += modes * SGF_WALK_STEPS) *tables[k] = next;
  for (size_t k = 0; k < 3; k++, next += modes) *vectors[k] = next;
  for (size_t i = 0; i < modes; i++) {
    by->last_f[i] = walk->mode[i].a;
    by->last_g[i] = -walk->mode[i].c;
  }
  return SGF_OK;
}

/* The tables of the walk's last steps: velocities V, W are the changes of f, g; kicks with their weight (M - k)/(M - 1). */
static void fill_tables(const sgf_epoch_walk *walk, areas *by)
{
  size_t first = walk->step - walk->count;
  for (size_t i = 0; i < walk->modes; i++)
    for (size_t k = 0, at = i * SGF_WALK_STEPS; k < walk->count; k++, at++) {
      double weight = (double)(walk->batches - first - k) / (double)(walk->batches - 1);
      by->V[at] = walk->f[at] - by->last_f[i];
      by->W[at] = walk->g[at] - by->last_g[i];
      by->last_f[i] = walk->f[at];
      by->last_g[i] = walk->g[at];
      by->sum[at] = by->last_sum[i] += walk->v[at];
      by->weighted_r[at] = weight * walk->r[at];
      by->weighted_v[at] = weight * walk->v[at];
    }
}

static void add_areas(sgf_epoch_walk *walk, areas *by)
{
  double M = (double)walk->batches;
  while (sgf_epoch_walk_on(walk)) {
    fill_tables(walk, by);
    add_products(walk, 1.0, by->weighted_r, walk->v, by->rv);
    add_products(walk, -1.0 / (M * (M - 1.0)), walk->sum, by->sum, by->rv);
    add_products(walk, 1.0, by->weighted_v, walk->v, by->vv);
    add_products(walk, -1.0 / (M * (M - 1.0)), by->sum, by->sum, by->vv);
    add_products(walk, 1.0 / M, walk->f, by->V, by->fV);
    add_products(walk, 1.0 / M, walk->f, by->W, by->fW);
    add_products(walk, 1.0 / M, walk->g, by->V, by->gV);
    add_products(walk, 1.0 / M, walk->g, by->W, by->gW);
    add_products(walk, 1.0 / M, by->V, by->V, by->VV);
    add_products(walk, 1.0 / M, by->V, by->W, by->VW);
    add_products(walk, 1.0 / M, by->W, by->W, by->WW);
  }
}

/* X of every pair. */
static sgf_status solve_areas(const sgf_range *range, const sums *all, const areas *by, const sgf_mode_powers *powers,
                              double momentum, const double *N, double *X, sgf_error *error)
{
  size_t n = range->n, modes = range->rank, null = n - modes;
  double speed = 0.5 * (1.0 + momentum) / (1.0 - momentum);
  sgf_status status = SGF_OK;
  for (size_t i = 0; i < modes && status == SGF_OK; i++)
    for (size_t j = 0; j <= i && status == SGF_OK; j++) {
      size_t at = i * modes + j, mirrored = j * modes + i;
      double noise = N[(null + i) * n + null + j];
      sgf_pair end, Z;
      status = solve_starts(all, powers, modes, i, j, &end, &Z, error);
      double forth = by->rv[at] + by->fV[at] * Z.YY + by->fW[at] * Z.Yv + by->gV[at] * Z.vY + by->gW[at] * Z.vv;
      double back = by->rv[mirrored] + by->fV[mirrored] * Z.YY + by->fW[mirrored] * Z.vY + by->gV[mirrored] * Z.Yv +
                    by->gW[mirrored] * Z.vv;
      double both = by->vv[at] + by->VV[at] * Z.YY + by->VW[at] * Z.Yv + by->VW[mirrored] * Z.vY + by->WW[at] * Z.vv;
      X[at] = noise * (speed * both + 0.5 * (forth - back));
      X[mirrored] = noise * (speed * both - 0.5 * (forth - back));
    }
  return status;
}

sgf_status sgf_epoch_swept(const sgf_range *range, double lambda, double momentum, size_t batches, const double *N,
                           size_t skipped, size_t epochs, double *X, sgf_error *error)
{
  sgf_epoch_walk walk = {0};
  sgf_mode_powers *powers = NULL;
  sums all = {0};
  areas by = {0};
  sgf_status status;
  memset(X, 0, range->rank * range->rank * sizeof *X);
  if (batches < 2) return SGF_OK;
  SGF_TRY(sgf_epoch_walk_create(range, lambda, momentum, batches, &walk, error));
  SGF_TRY(create_sums(range->rank, &all, error));
  SGF_TRY(create_areas(&walk, &by, error));
  SGF_TRY(powers_of_epochs(range, lambda, momentum, batches, skipped, epochs, &powers, error));
  add_up(&walk, &all);
  add_areas(&walk, &by);
  SGF_TRY(solve_areas(range, &all, &by, powers, momentum, N, X, error));
done:
  sgf_epoch_walk_free(&walk);
  free(all.block);
  free(by.block);
  free(powers);
  return status;
}
