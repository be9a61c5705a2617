/* The modes of H under SGD with heavy-ball momentum: two numbers a mode, and pairs of modes. */
#include "heavy_ball.h"

#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"

/* ------------------------------------------------------------------ one mode */

sgf_mode sgf_mode_of(double lambda, double momentum, double h)
{
  double slow = 1.0 - momentum, rho = lambda * h, sigma = rho / slow, gamma = momentum / (1.0 + sigma);
  double s = slow + gamma;
  return (sgf_mode){rho, momentum, s / slow, gamma / slow, slow * gamma * sigma / s}; /* beta - gamma = gamma sigma */
}

sgf_mode_map sgf_mode_step(const sgf_mode *mode)
{
  double Y = mode->rho * mode->a, v = mode->rho * mode->c;
  return (sgf_mode_map){-Y, v + mode->kappa, -Y, mode->momentum - 1.0 + v};
}

sgf_mode_map sgf_mode_compose(const sgf_mode_map *a, const sgf_mode_map *b)
{
  return (sgf_mode_map){a->YY + b->YY + a->YY * b->YY + a->Yv * b->vY, a->Yv + b->Yv + a->YY * b->Yv + a->Yv * b->vv,
                        a->vY + b->vY + a->vY * b->YY + a->vv * b->vY, a->vv + b->vv + a->vY * b->Yv + a->vv * b->vv};
}

sgf_mode_map sgf_mode_power(sgf_mode_map map, size_t steps)
{
  sgf_mode_map result = {0};
  for (; steps > 0; steps >>= 1) {
    if (steps & 1) result = sgf_mode_compose(&map, &result);
    map = sgf_mode_compose(&map, &map);
  }
  return result;
}

double sgf_mode_rate(double lambda, double momentum, double h)
{
  if (momentum == 0.0) return h;
  double rho = lambda * h, trace = 1.0 + momentum - rho, discriminant = trace * trace - 4.0 * momentum;
  if (discriminant <= 0.0) return -0.5 * log(momentum) / lambda;
  double root = sqrt(discriminant);
  if (trace < 0.0) return -log(0.5 * (root - trace)) / lambda;
  return -log1p(-2.0 * rho / (1.0 - momentum + rho + root)) / lambda; /* 1 - mu without cancellation */
}

/* ------------------------------------------------------------ pairs of modes */

double sgf_pair_covariance(const sgf_pair *pair, const sgf_mode *first, const sgf_mode *second)
{
  return first->a * (second->a * pair->YY - second->c * pair->Yv) -
         first->c * (second->a * pair->vY - second->c * pair->vv);
}

double sgf_pair_response(double lambda, double momentum, double h, double other)
{
  double slow = 1.0 - momentum, fast = 1.0 + momentum, difference = h - other;
  return 1.0 / (slow * (h + other) +
                lambda * (momentum * difference * difference / (slow * fast) - slow * h * other / fast));
}

/* With s = E[delta delta'], the blocks of the Stein equation that have no noise of their own but through E[v v'] give
 * E[v v'] = (rho + rho') s / (1 + beta), E[delta v'] = (rho - beta rho') s / (1 - beta^2); and Y = (delta + c v) / a. */
sgf_pair sgf_pair_stationary(const sgf_mode *first, const sgf_mode *second)
{
  double beta = first->momentum, rho = first->rho, other = second->rho, fast = 1.0 + beta, both = fast * (1.0 - beta);
  double s = sgf_pair_response(1.0, beta, rho, other), vv = (rho + other) * s / fast;
  double dv = (rho - beta * other) * s / both, vd = (other - beta * rho) * s / both;
  return (sgf_pair){(s + second->c * dv + first->c * (vd + second->c * vv)) / (first->a * second->a),
                    (dv + first->c * vv) / first->a, (vd + second->c * vv) / second->a, vv};
}

sgf_status sgf_pair_periodic(const sgf_mode_map *first, const sgf_mode_map *second, const sgf_pair *B, sgf_pair *Z,
                             sgf_error *error)
{
  const double a[2][2] = {{first->YY, first->Yv}, {first->vY, first->vv}};
  const double b[2][2] = {{second->YY, second->Yv}, {second->vY, second->vv}};
  double system[16], right[4] = {B->YY, B->Yv, B->vY, B->vv};
  lapack_int pivots[4];
  /* 1 - A (x) A' = -(a (x) 1 + 1 (x) b + a (x) b), by columns */
  for (size_t row = 0; row < 4; row++)
    for (size_t column = 0; column < 4; column++) {
      size_t i = row / 2, j = row % 2, k = column / 2, l = column % 2;
      system[column * 4 + row] = -((j == l) * a[i][k] + (i == k) * b[j][l] + a[i][k] * b[j][l]);
    }
  *Z = (sgf_pair){NAN, NAN, NAN, NAN};
  if (LAPACKE_dgesv_work(LAPACK_COL_MAJOR, 4, 1, system, 4, pivots, right, 4) != 0)
    return sgf_fail(error, SGF_ERROR_NUMERICAL, "modes that do not relax within a period: rates %g and %g",
                    -first->YY, -second->YY);
  *Z = (sgf_pair){right[0], right[1], right[2], right[3]};
  return SGF_OK;
}

/* ----------------------------------------------------- sums over snapshots */

static size_t bits_of(size_t count)
{
  size_t bits = 0;
  for (; count > 0; count >>= 1) bits++;
  return bits;
}

/* Parts of count from its leading bit on: 1, then twice the part before, and one more where the bit is set. */
void sgf_mode_powers_of(const sgf_mode *mode, const sgf_mode_map *map, size_t first, size_t count,
                        sgf_mode_powers *powers)
{
  size_t bits = bits_of(count);
  powers->mode = *mode;
  powers->count = count;
  powers->one = *map;
  powers->start = sgf_mode_power(*map, first);
  powers->part[0] = *map;
  for (size_t k = 1; k < bits; k++) {
    powers->part[k] = sgf_mode_compose(&powers->part[k - 1], &powers->part[k - 1]);
    if (count >> (bits - 1 - k) & 1) powers->part[k] = sgf_mode_compose(map, &powers->part[k]);
  }
}

/* A Z A'^T - Z. */
static sgf_pair change(const sgf_mode_map *a, const sgf_mode_map *b, const sgf_pair *Z)
{
  /* left = a Z; then left + Z b^T + left b^T */
  sgf_pair left = {a->YY * Z->YY + a->Yv * Z->vY, a->YY * Z->Yv + a->Yv * Z->vv, a->vY * Z->YY + a->vv * Z->vY,
                   a->vY * Z->Yv + a->vv * Z->vv};
  sgf_pair sum = {left.YY + Z->YY, left.Yv + Z->Yv, left.vY + Z->vY, left.vv + Z->vv};
  return (sgf_pair){left.YY + sum.YY * b->YY + sum.Yv * b->Yv, left.Yv + sum.YY * b->vY + sum.Yv * b->vv,
                    left.vY + sum.vY * b->YY + sum.vv * b->Yv, left.vv + sum.vY * b->vY + sum.vv * b->vv};
}

static sgf_pair combine(const sgf_pair *a, double factor, const sgf_pair *b)
{
  return (sgf_pair){a->YY + factor * b->YY, a->Yv + factor * b->Yv, a->vY + factor * b->vY, a->vv + factor * b->vv};
}

/* With D the sum over k < terms of Z - A^k Z A'^kT, and a + 1, b + 1 the powers A^m, A'^m: `before` and the terms from m
 * on, which are terms (Z - A^m Z A'^mT) + A^m D A'^mT. */
static sgf_pair append(const sgf_mode_map *a, const sgf_mode_map *b, const sgf_pair *Z, double terms,
                       const sgf_pair *D, const sgf_pair *before)
{
  sgf_pair changed = change(a, b, Z), moved = change(a, b, D), sum = combine(before, 1.0, D);
  sum = combine(&sum, -terms, &changed);
  return combine(&sum, 1.0, &moved);
}

sgf_pair sgf_pair_built_up(const sgf_mode_powers *first, const sgf_mode_powers *second, const sgf_pair *Z)
{
  static const sgf_pair NOTHING = {0.0, 0.0, 0.0, 0.0};
  size_t count = first->count, bits = bits_of(count), taken = 1;
  sgf_pair D = NOTHING; /* the sum over k < taken of Z - A^k Z A'^kT */
  for (size_t k = 1; k < bits; k++) {
    D = append(&first->part[k - 1], &second->part[k - 1], Z, (double)taken, &D, &D);
    taken *= 2;
    if (count >> (bits - 1 - k) & 1) D = append(&first->one, &second->one, Z, (double)taken++, &D, &NOTHING);
  }
  D = append(&first->start, &second->start, Z, (double)taken, &D, &NOTHING);
  return (sgf_pair){D.YY / (double)count, D.Yv / (double)count, D.vY / (double)count, D.vv / (double)count};
}

/* The same of one state: D + m (1 - A^shift) z + A^shift D, D before and after it. */
static void append_state(const sgf_mode_map *a, const double z[2], double terms, const double D[2],
                         const double before[2], double sum[2])
{
  double Y = before[0] + D[0] + a->YY * (D[0] - terms * z[0]) + a->Yv * (D[1] - terms * z[1]);
  sum[1] = before[1] + D[1] + a->vY * (D[0] - terms * z[0]) + a->vv * (D[1] - terms * z[1]);
  sum[0] = Y;
}

void sgf_mode_built_up(const sgf_mode_powers *powers, const double z[2], double built_up[2])
{
  static const double NOTHING[2] = {0.0, 0.0};
  size_t count = powers->count, bits = bits_of(count), taken = 1;
  double D[2] = {0.0, 0.0}, next[2];
  for (size_t k = 1; k < bits; k++) {
    append_state(&powers->part[k - 1], z, (double)taken, D, D, next);
    memcpy(D, next, sizeof D);
    taken *= 2;
    if (!(count >> (bits - 1 - k) & 1)) continue;
    append_state(&powers->one, z, (double)taken++, D, NOTHING, next);
    memcpy(D, next, sizeof D);
  }
  append_state(&powers->start, z, (double)taken, D, NOTHING, next);
  for (size_t k = 0; k < 2; k++) built_up[k] = next[k] / (double)count;
}

/* --------------------------------------------------------------- covariances */

void sgf_heavy_ball_powers(double lambda, double momentum, double h, size_t first, size_t stride, size_t count,
                           sgf_mode_powers *powers)
{
  sgf_mode mode = sgf_mode_of(lambda, momentum, h);
  sgf_mode_map one = sgf_mode_step(&mode), between = sgf_mode_power(one, stride);
  sgf_mode_powers_of(&mode, &between, 0, count, powers);
  powers->start = sgf_mode_power(one, first);
}

double sgf_heavy_ball_share(const sgf_mode_powers *first, const sgf_mode_powers *second)
{
  sgf_pair Z = sgf_pair_stationary(&first->mode, &second->mode), built_up = sgf_pair_built_up(first, second, &Z);
  double rho = first->mode.rho, other = second->mode.rho;
  return sgf_pair_covariance(&built_up, &first->mode, &second->mode) /
         sgf_pair_response(1.0, first->mode.momentum, rho, other);
}

sgf_status sgf_heavy_ball_covariance(const sgf_range *range, double lambda, double momentum, const double *N,
                                     size_t first, size_t stride, size_t count, double *S, sgf_error *error)
{
  size_t n = range->n, null = n - range->rank;
  void *block = NULL;
  sgf_status status = SGF_OK;
  if (count > 0)
    status = sgf_allocate(&block, range->rank, 1, sizeof(sgf_mode_powers), "powers of the modes' steps", error);
  if (status != SGF_OK) return status;
  sgf_mode_powers *powers = block;
  for (size_t k = 0; k < range->rank && count > 0; k++)
    sgf_heavy_ball_powers(lambda, momentum, range->h[null + k], first, stride, count, &powers[k]);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j <= i; j++) {
      double value = 0.0;
      if (j >= null) value = N[i * n + j] * sgf_pair_response(lambda, momentum, range->h[i], range->h[j]);
      if (j >= null && count > 0) value *= sgf_heavy_ball_share(&powers[i - null], &powers[j - null]);
      S[i * n + j] = S[j * n + i] = value;
    }
  free(powers);
  return SGF_OK;
}

double sgf_heavy_ball_residual(size_t n, const double *H, double lambda, double momentum, const double *S,
                               const double *N, double *work)
{
  double *HS = work, *product = work + n * n, *residual = work + 2 * n * n;
  double slow = 1.0 - momentum, both = slow * (1.0 + momentum);
  double outer = lambda * momentum / both, inner = lambda * (1.0 + momentum * momentum) / both;
  sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, S, HS);
  sgf_multiply(n, n, n, SGF_PLAIN, HS, SGF_PLAIN, H, product);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      residual[i * n + j] = slow * (HS[i * n + j] + HS[j * n + i]) - inner * product[i * n + j] - N[i * n + j];
  if (outer > 0.0) sgf_multiply(n, n, n, SGF_PLAIN, H, SGF_PLAIN, HS, product);
  for (size_t i = 0; i < n && outer > 0.0; i++)
    for (size_t j = 0; j < n; j++) residual[i * n + j] += outer * (product[i * n + j] + product[j * n + i]);
  double drift = sgf_norm(n * n, H), covariance = sgf_norm(n * n, S);
  double scale = 2.0 * slow * drift * covariance + sgf_norm(n * n, N);
  if (outer > 0.0) scale += 2.0 * outer * sgf_norm(n * n, product);
  double norm = sgf_norm(n * n, residual);
  return scale > 0.0 ? norm / scale : norm;
}
