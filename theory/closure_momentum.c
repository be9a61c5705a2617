/* What heavy-ball momentum adds to the Gaussian closure: a velocity, whose mean and covariances go along. */
#include "closure_momentum.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* Rows (delta, v), columns (delta, v). */
typedef struct {
  double dd, dv, vd, vv;
} block;

/* Mean of v, and E[delta v^T] and E[v v^T] about the means. */
typedef struct {
  double *mean;   /* (size) */
  double *cross;  /* (size, size) */
  double *square; /* (size, size) */
} moments;

struct sgf_velocities {
  size_t size;
  double lambda, momentum;
  moments now, next; /* in the basis of the closure */
  double *work;      /* (size, size) */
};

static sgf_status moments_create(size_t size, moments *made, sgf_error *error)
{
  sgf_status status;
  SGF_TRY(sgf_new_reals(&made->mean, size, 1, "velocities", error));
  SGF_TRY(sgf_new_reals(&made->cross, size, size, "velocities", error));
  SGF_TRY(sgf_new_reals(&made->square, size, size, "velocities", error));
done:
  return status;
}

static void moments_free(moments *made)
{
  free(made->mean);
  free(made->cross);
  free(made->square);
}

sgf_status sgf_velocities_create(size_t size, double lambda, double momentum, sgf_velocities **velocities,
                                 sgf_error *error)
{
  void *room;
  *velocities = NULL;
  sgf_status status = sgf_allocate(&room, 1, 1, sizeof **velocities, "velocities", error);
  if (status != SGF_OK) return status;
  sgf_velocities *made = room;
  made->size = size;
  made->lambda = lambda;
  made->momentum = momentum;
  SGF_TRY(moments_create(size, &made->now, error));
  SGF_TRY(moments_create(size, &made->next, error));
  SGF_TRY(sgf_new_reals(&made->work, size, size, "velocities", error));
  *velocities = made;
  return SGF_OK;
done:
  sgf_velocities_free(made);
  return status;
}

void sgf_velocities_free(sgf_velocities *velocities)
{
  if (velocities == NULL) return;
  moments_free(&velocities->now);
  moments_free(&velocities->next);
  free(velocities->work);
  free(velocities);
}

void sgf_velocities_rest(sgf_velocities *velocities)
{
  size_t size = velocities->size;
  memset(velocities->now.mean, 0, size * sizeof(double));
  memset(velocities->now.cross, 0, size * size * sizeof(double));
  memset(velocities->now.square, 0, size * size * sizeof(double));
}

void sgf_velocities_accept(sgf_velocities *velocities)
{
  moments kept = velocities->now;
  velocities->now = velocities->next;
  velocities->next = kept;
}

void sgf_velocities_reach(const sgf_velocities *velocities, double *mean, double *Sigma)
{
  size_t size = velocities->size;
  const moments *next = &velocities->next;
  double c = velocities->momentum / (1.0 - velocities->momentum);
  for (size_t i = 0; i < size; i++) {
    mean[i] += c * next->mean[i];
    for (size_t j = 0; j < size; j++)
      Sigma[i * size + j] +=
          c * (next->cross[i * size + j] + next->cross[j * size + i]) + c * c * next->square[i * size + j];
  }
}

/* ------------------------------------------------------------------ doubling */

static block times(const block *A, const block *B)
{
  return (block){A->dd * B->dd + A->dv * B->vd, A->dd * B->dv + A->dv * B->vv, A->vd * B->dd + A->vv * B->vd,
                 A->vd * B->dv + A->vv * B->vv};
}

/* A X B^T + Y. */
static block carry(const block *A, const block *X, const block *B, const block *Y)
{
  block half = times(A, X), turned = {B->dd, B->vd, B->dv, B->vv}, all = times(&half, &turned);
  return (block){all.dd + Y->dd, all.dv + Y->dv, all.vd + Y->vd, all.vv + Y->vv};
}

/* Doublings of a number of steps at most, and the powers F^m of a mode, m the leading binary digits of the steps. */
enum { DIGITS = 64 };
typedef struct {
  size_t digits;
  bool odd[DIGITS];    /* the k-th digit from the first */
  block *power, *step; /* (size, digits) F^m of the first k + 1 digits; (size) F */
} powers;

static sgf_status powers_create(const sgf_velocities *velocities, const double *h, size_t steps, powers *made,
                                sgf_error *error)
{
  size_t size = velocities->size;
  void *room;
  *made = (powers){0};
  while (made->digits < DIGITS && steps >> made->digits != 0) made->digits++;
  for (size_t k = 0; k < made->digits; k++) made->odd[k] = steps >> (made->digits - 1 - k) & 1;
  sgf_status status = sgf_allocate(&room, size, made->digits + 1, sizeof(block), "velocities", error);
  if (status != SGF_OK) return status;
  made->power = room;
  made->step = made->power + size * made->digits;
  for (size_t i = 0; i < size; i++) {
    double rho = velocities->lambda * h[i];
    block F = {1.0 - rho, velocities->momentum, -rho, velocities->momentum}, A = {1.0, 0.0, 0.0, 1.0};
    made->step[i] = F;
    for (size_t k = 0; k < made->digits; k++) {
      A = times(&A, &A);
      if (made->odd[k]) A = times(&F, &A);
      made->power[i * made->digits + k] = A;
    }
  }
  return SGF_OK;
}

static const block *last_power(const powers *all, size_t i) { return &all->power[(i + 1) * all->digits - 1]; }

/* What a constant noise, and one that grows as the number of steps, make of a pair: S = sum_{q < steps} F_i^q U F_j^qT and
 * R = sum_{q < steps} (steps - 1 - q) F_i^q U F_j^qT, U = [1, 1; 1, 1]. Twice as many steps: S_2m = F^m S F^mT + S, R_2m =
 * F^m R F^mT + R + m S; one more: S_m+1 = F S F^T + U, R_m+1 = R + S. */
typedef struct {
  block constant, ramp;
} noise_sums;

static noise_sums sums_of_noise(const powers *all, size_t i, size_t j)
{
  const block ones = {1.0, 1.0, 1.0, 1.0}, *F = &all->step[i], *G = &all->step[j];
  const block *A = all->power + i * all->digits, *B = all->power + j * all->digits;
  noise_sums sum = {0};
  block *S = &sum.constant, *R = &sum.ramp;
  double m = 0.0;
  for (size_t k = 0; k < all->digits; k++) {
    if (k > 0) {
      *R = carry(&A[k - 1], R, &B[k - 1], R);
      *R = (block){R->dd + m * S->dd, R->dv + m * S->dv, R->vd + m * S->vd, R->vv + m * S->vv};
      *S = carry(&A[k - 1], S, &B[k - 1], S);
      m *= 2.0;
    }
    if (!all->odd[k]) continue;
    *R = (block){R->dd + S->dd, R->dv + S->dv, R->vd + S->vd, R->vv + S->vv};
    *S = carry(F, S, G, &ones);
    m += 1.0;
  }
  return sum;
}

/* The same of a force on one mode, (1, 1) a step: displacement and velocity. */
typedef struct {
  double constant[2], ramp[2];
} force_sums;

static void push(const block *A, const double x[2], double moved[2])
{
  double d = x[0], v = x[1];
  moved[0] = A->dd * d + A->dv * v;
  moved[1] = A->vd * d + A->vv * v;
}

static force_sums sums_of_force(const powers *all, size_t i)
{
  const block *A = all->power + i * all->digits;
  force_sums sum = {{0.0, 0.0}, {0.0, 0.0}};
  double m = 0.0, moved[2];
  for (size_t k = 0; k < all->digits; k++) {
    if (k > 0) {
      push(&A[k - 1], sum.ramp, moved);
      for (int e = 0; e < 2; e++) sum.ramp[e] += moved[e] + m * sum.constant[e];
      push(&A[k - 1], sum.constant, moved);
      for (int e = 0; e < 2; e++) sum.constant[e] += moved[e];
      m *= 2.0;
    }
    if (!all->odd[k]) continue;
    push(&all->step[i], sum.constant, moved);
    for (int e = 0; e < 2; e++) {
      sum.ramp[e] += sum.constant[e];
      sum.constant[e] = moved[e] + 1.0;
    }
    m += 1.0;
  }
  return sum;
}

/* -------------------------------------------------------------------- modes */

/* The state of all modes: displacement and velocity, and the covariances of pairs. */
typedef struct {
  double *d, *v;               /* (size) */
  double *dd, *cross, *square; /* (size, size) */
} modes;

static sgf_status modes_create(const sgf_velocities *velocities, const sgf_mode_law *law, modes *made,
                               sgf_error *error)
{
  size_t size = velocities->size, matrix = size * size;
  double *room, *work = velocities->work;
  sgf_status status = sgf_new_reals(&room, 3 * size + 2, size, "velocities in the modes", error);
  if (status != SGF_OK) return status;
  *made = (modes){room + 3 * matrix, room + 3 * matrix + size, room, room + matrix, room + 2 * matrix};
  memcpy(made->dd, law->Sigma, matrix * sizeof(double));
  sgf_multiply(size, size, size, SGF_PLAIN, law->V, SGF_PLAIN, velocities->now.cross, work);
  sgf_multiply(size, size, size, SGF_PLAIN, work, SGF_TRANSPOSED, law->V, made->cross);
  sgf_into_basis(size, law->V, velocities->now.square, work, made->square);
  sgf_multiply(size, 1, size, SGF_PLAIN, law->V, SGF_PLAIN, velocities->now.mean, made->v);
  return SGF_OK;
}

static void modes_free(modes *made) { free(made->dd); }

/* Z of a pair i >= j. */
static block pair_of(const modes *all, size_t size, size_t i, size_t j)
{
  return (block){all->dd[i * size + j], all->cross[i * size + j], all->cross[j * size + i],
                 all->square[i * size + j]};
}

static void set_pair(modes *all, size_t size, size_t i, size_t j, const block *Z)
{
  all->dd[i * size + j] = all->dd[j * size + i] = Z->dd;
  all->cross[i * size + j] = Z->dv;
  all->cross[j * size + i] = Z->vd;
  all->square[i * size + j] = all->square[j * size + i] = Z->vv;
}

/* From `done` steps after the start on. sums (size (size + 1) / 2): those of every pair i >= j; NULL: made when they are
 * needed. */
static void advance(const sgf_velocities *velocities, const sgf_mode_law *law, const powers *all, double done,
                    const noise_sums *sums, modes *state)
{
  size_t size = velocities->size;
  for (size_t i = 0; i < size; i++) {
    const block *A = last_power(all, i);
    force_sums pushed = sums_of_force(all, i);
    double before[2] = {state->d[i], state->v[i]}, after[2], force = law->force[i] + done * law->force_slope[i];
    push(A, before, after);
    for (int e = 0; e < 2; e++)
      after[e] -= velocities->lambda * (force * pushed.constant[e] + law->force_slope[i] * pushed.ramp[e]);
    state->d[i] = after[0];
    state->v[i] = after[1];
    for (size_t j = 0; j <= i; j++) {
      noise_sums sum = sums != NULL ? sums[i * (i + 1) / 2 + j] : sums_of_noise(all, i, j);
      double slope = law->noise_slope[i * size + j], noise = law->noise[i * size + j] + done * slope;
      const block *S = &sum.constant, *R = &sum.ramp;
      block added = {noise * S->dd + slope * R->dd, noise * S->dv + slope * R->dv, noise * S->vd + slope * R->vd,
                     noise * S->vv + slope * R->vv};
      block Z = pair_of(state, size, i, j);
      Z = carry(A, &Z, last_power(all, j), &added);
      set_pair(state, size, i, j, &Z);
    }
  }
}

/* Back into the basis of the closure. */
static void keep_modes(sgf_velocities *velocities, const sgf_mode_law *law, const modes *state)
{
  size_t size = velocities->size;
  sgf_multiply(size, 1, size, SGF_TRANSPOSED, law->V, SGF_PLAIN, state->v, velocities->next.mean);
  sgf_multiply(size, size, size, SGF_TRANSPOSED, law->V, SGF_PLAIN, state->cross, velocities->work);
  sgf_multiply(size, size, size, SGF_PLAIN, velocities->work, SGF_PLAIN, law->V, velocities->next.cross);
  sgf_out_of_basis(size, law->V, state->square, velocities->work, velocities->next.square);
}

sgf_status sgf_velocities_propagate(sgf_velocities *velocities, const sgf_mode_law *law, size_t steps, bool keep,
                                    double *moved, double *Sigma, sgf_error *error)
{
  size_t size = velocities->size;
  powers all = {0};
  modes state = {0};
  sgf_status status;
  SGF_TRY(powers_create(velocities, law->h, steps, &all, error));
  SGF_TRY(modes_create(velocities, law, &state, error));
  advance(velocities, law, &all, 0.0, NULL, &state);
  memcpy(moved, state.d, size * sizeof *moved);
  memcpy(Sigma, state.dd, size * size * sizeof *Sigma);
  if (keep) keep_modes(velocities, law, &state);
done:
  free(all.power);
  modes_free(&state);
  return status;
}

sgf_status sgf_velocities_snapshots(const sgf_velocities *velocities, const sgf_mode_law *law, size_t first,
                                    size_t stride, size_t count, double *sum, double *moved, sgf_error *error)
{
  size_t size = velocities->size;
  powers to_first = {0}, between = {0};
  noise_sums *sums = NULL;
  void *room = NULL;
  modes state = {0};
  sgf_status status;
  SGF_TRY(powers_create(velocities, law->h, first, &to_first, error));
  SGF_TRY(powers_create(velocities, law->h, stride, &between, error));
  SGF_TRY(sgf_allocate(&room, size * (size + 1) / 2, 1, sizeof *sums, "velocities at snapshots", error));
  sums = room;
  SGF_TRY(modes_create(velocities, law, &state, error));
  for (size_t i = 0; i < size && count > 1; i++)
    for (size_t j = 0; j <= i; j++) sums[i * (i + 1) / 2 + j] = sums_of_noise(&between, i, j);
  memset(sum, 0, size * size * sizeof *sum);
  for (size_t k = 0; k < count; k++) {
    double done = k == 0 ? 0.0 : (double)(first + (k - 1) * stride);
    advance(velocities, law, k == 0 ? &to_first : &between, done, k == 0 ? NULL : sums, &state);
    for (size_t e = 0; e < size * size; e++) sum[e] += state.dd[e];
    memcpy(moved + k * size, state.d, size * sizeof *moved);
  }
done:
  free(to_first.power);
  free(between.power);
  free(room);
  modes_free(&state);
  return status;
}
