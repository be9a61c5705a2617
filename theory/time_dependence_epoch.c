/* Fluctuations in time under reshuffled epochs. */
#include "time_dependence_epoch.h"

#include <math.h>

#include "heavy_ball.h"

/* Sums E_1 ... E_4. */
enum { SUMS = 4 };

/* What n steps make of a state (Y, v): the map, and the rows that give E_s of it. */
typedef struct {
  const sgf_mode *mode;
  sgf_mode_map map;
  double Y[SUMS], v[SUMS];
} walked;

/* r(n) and E_1(n) ... E_4(n) after a kick (1, 1). */
typedef struct {
  double r, E[SUMS];
} response;

/* E_s of twice the steps: E_s(m + m) = sum_t binomial(m, s - t) E_t(m) + E_s of what m steps make of the state. */
static void go_twice(double m, walked *way)
{
  const double binomial[SUMS] = {1.0, m, m * (m - 1.0) / 2.0, m * (m - 1.0) * (m - 2.0) / 6.0};
  const sgf_mode_map *map = &way->map;
  for (int s = SUMS - 1; s >= 0; s--) {
    double Y = way->Y[s] + way->Y[s] * map->YY + way->v[s] * map->vY;
    double v = way->v[s] + way->Y[s] * map->Yv + way->v[s] * map->vv;
    for (int t = 0; t <= s; t++) {
      Y += binomial[s - t] * way->Y[t];
      v += binomial[s - t] * way->v[t];
    }
    way->Y[s] = Y;
    way->v[s] = v;
  }
  way->map = sgf_mode_compose(map, map);
}

/* One step more: E_s(m + 1) = E_s(m) + E_{s-1}(m), E_0(m) = delta after m steps. */
static void go_on(const sgf_mode_map *one, walked *way)
{
  const sgf_mode *mode = way->mode;
  const sgf_mode_map *map = &way->map;
  for (int s = SUMS - 1; s > 0; s--) {
    way->Y[s] += way->Y[s - 1];
    way->v[s] += way->v[s - 1];
  }
  way->Y[0] += mode->a + mode->a * map->YY - mode->c * map->vY;
  way->v[0] += -mode->c + mode->a * map->Yv - mode->c * map->vv;
  way->map = sgf_mode_compose(one, map);
}

/* By doublings from the leading bit of n on. */
static response after(const sgf_mode *mode, size_t n)
{
  walked way = {.mode = mode};
  sgf_mode_map one = sgf_mode_step(mode);
  size_t bit = 1, steps = 0;
  response made;
  while (bit <= n / 2) bit *= 2;
  for (; bit > 0; bit /= 2) {
    if (steps > 0) go_twice((double)steps, &way);
    steps *= 2;
    if ((n & bit) == 0) continue;
    go_on(&one, &way);
    steps++;
  }
  const sgf_mode_map *map = &way.map;
  made.r = mode->a * (1.0 + map->YY + map->Yv) - mode->c * (1.0 + map->vY + map->vv);
  for (int s = 0; s < SUMS; s++) made.E[s] = way.Y[s] + way.v[s];
  return made;
}

/* For 0 <= k <= M. */
static sgf_time_factor within_epoch(const sgf_mode *mode, size_t batches, size_t k)
{
  double M = (double)batches, z = 0.0, x = 0.0, E_2 = 0.0, E_3 = 0.0;
  if (k > 0) {
    response before = after(mode, k - 1);
    z = before.r;
    x = before.E[0];
    E_2 = before.E[1] + before.E[0];
    E_3 = before.E[2] + before.E[1];
  }
  response above = after(mode, batches + k), below = after(mode, batches - k);
  return (sgf_time_factor){
      .whole = -mode->rho * (M * x - (above.E[2] + below.E[2] - 2.0 * E_3) / M) / (M - 1.0),
      .step = (M * z - (above.E[1] + below.E[1] - 2.0 * E_2) / M) / (M - 1.0),
  };
}

/* From c at M and its change from M - 1 on, some steps by the equation of the mode. */
static double follow(const sgf_mode *mode, const sgf_mode_map *map, double at_end, double before_end)
{
  double v = at_end - before_end, Y = (at_end + mode->c * v) / mode->a;
  double moved = Y + map->YY * Y + map->Yv * v, speed = v + map->vY * Y + map->vv * v;
  return mode->a * moved - mode->c * speed;
}

static sgf_time_factor at_lag(const sgf_mode *mode, size_t batches, double lag)
{
  double beyond = lag - (double)batches;
  if (beyond <= 0.0) return within_epoch(mode, batches, (size_t)lag);
  sgf_mode_map map = sgf_mode_power(sgf_mode_step(mode), (size_t)beyond);
  sgf_time_factor end = within_epoch(mode, batches, batches), before = within_epoch(mode, batches, batches - 1);
  return (sgf_time_factor){follow(mode, &map, end.whole, before.whole), follow(mode, &map, end.step, before.step)};
}

sgf_time_factor sgf_epoch_time_factor(const sgf_time_law *law, double rate, double lag)
{
  sgf_mode mode = sgf_mode_of(law->step, law->momentum, rate);
  return at_lag(&mode, law->batches, lag);
}

/* c(1) + ... + c(K) for K <= M, with
 *   sum_k E_s(M + k) + E_s(M - k) - 2 E_s(k) = E_{s+1}(M + K + 1) - E_s(M) - E_{s+1}(M - K) - 2 E_{s+1}(K + 1). */
static sgf_time_factor sum_within_epoch(const sgf_mode *mode, size_t batches, size_t K)
{
  double M = (double)batches, sums[2];
  response to = after(mode, K), above = after(mode, batches + K + 1), below = after(mode, batches - K);
  response end = after(mode, batches);
  for (int s = 1; s <= 2; s++)
    sums[s - 1] = (above.E[s + 1] - end.E[s] - below.E[s + 1] - 2.0 * (to.E[s + 1] + to.E[s])) / M;
  return (sgf_time_factor){.whole = -mode->rho * (M * to.E[1] - sums[1]) / (M - 1.0),
                           .step = (M * to.E[0] - sums[0]) / (M - 1.0)};
}

/* Beyond an epoch from what is left of it, which is (c(K + 1) - beta c(K)) / rho, and the sum -c(0)/2 of all. */
sgf_time_factor sgf_epoch_time_sum(const sgf_time_law *law, double rate, double lag)
{
  sgf_mode mode = sgf_mode_of(law->step, law->momentum, rate);
  if (lag <= (double)law->batches) return sum_within_epoch(&mode, law->batches, (size_t)lag);
  sgf_time_factor none = at_lag(&mode, law->batches, 0.0), at = at_lag(&mode, law->batches, lag);
  sgf_time_factor next = at_lag(&mode, law->batches, lag + 1.0);
  return (sgf_time_factor){-0.5 * none.whole - (next.whole - mode.momentum * at.whole) / mode.rho,
                           -0.5 * none.step - (next.step - mode.momentum * at.step) / mode.rho};
}

/* y - sin y, without cancellation. */
static double sine_deficit(double y)
{
  if (fabs(y) > 0.5) return y - sin(y);
  double square = y * y, term = y * square / 6.0, sum = 0.0;
  for (int k = 4; k < 20 && fabs(term) > 1e-18 * fabs(sum); k += 2) {
    sum += term;
    term *= -square / (double)(k * (k + 1));
  }
  return sum;
}

double sgf_epoch_noise_spectrum(size_t batches, double omega)
{
  double M = (double)batches, x = 0.5 * omega, whole = M * sin(x);
  if (whole == 0.0) return 0.0;
  double below = (sine_deficit(M * x) - M * sine_deficit(x)) / whole; /* 1 - sin(Mx)/(M sin x) */
  return M / (M - 1.0) * below * (2.0 - below);
}
