/* Random Lyapunov and Stein equations whose solutions are known to more digits than a double has.
 *
 * In coordinates z, x = P z, the drift is block-diagonal, F = diag(0 ... 0, rates, pairs of them), and the equation falls
 * into pieces of at most 2 x 2 unknowns; P = E O U with E diagonal, O orthogonal and U upper triangular has an easy inverse. All in long
 * double, rounded at the end. */
#include "random_systems.h"

enum { N = LARGEST_SYSTEM };
typedef long double wide;

static double uniform(sgf_random *random) { return (double)(sgf_random_bits(random) >> 11) * 0x1p-53; }

recipe random_recipe(uint64_t index)
{
  sgf_random random;
  sgf_random_at(&random, 20261124, index, 0);
  recipe made = {.n = 1 + (size_t)(uniform(&random) * N)};
  made.discrete = uniform(&random) < 0.4;
  made.symmetric = uniform(&random) < 0.4;
  made.factored = uniform(&random) < 0.3;
  made.null = uniform(&random) < 0.5 ? 0 : (size_t)(uniform(&random) * (double)made.n);
  double kind = uniform(&random);
  made.skew = made.symmetric || kind < 0.2 ? 0.0 : kind < 0.7 ? 0.5 : 2.0;
  made.softest = pow(10.0, -12.0 * uniform(&random) * uniform(&random));
  made.scale_A = made.discrete ? 1.0 : pow(10.0, 60.0 * (uniform(&random) - 0.5));
  made.scale_Q = pow(10.0, 60.0 * (uniform(&random) - 0.5));
  made.leak = made.null > 0 && uniform(&random) < 0.3 ? pow(10.0, -8.0 * uniform(&random)) : 0.0;
  made.from_initial = uniform(&random) < 0.5;
  made.units = made.symmetric || uniform(&random) < 0.75 ? 0.0 : 8.0 * uniform(&random);
  return made;
}

/* ------------------------------------------------------- wide linear algebra */

static void product(size_t n, const wide *A, bool transpose_a, const wide *B, bool transpose_b, wide *C)
{
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      wide sum = 0.0L;
      for (size_t k = 0; k < n; k++)
        sum += A[transpose_a ? k * n + i : i * n + k] * B[transpose_b ? j * n + k : k * n + j];
      C[i * n + j] = sum;
    }
}

/* Orthonormal columns by Gram and Schmidt, twice. */
static void orthonormalize(size_t n, size_t columns, wide *V)
{
  for (size_t j = 0; j < columns; j++) {
    for (int pass = 0; pass < 2; pass++)
      for (size_t k = 0; k < j; k++) {
        wide dot = 0.0L;
        for (size_t i = 0; i < n; i++) dot += V[i * n + j] * V[i * n + k];
        for (size_t i = 0; i < n; i++) V[i * n + j] -= dot * V[i * n + k];
      }
    wide norm = 0.0L;
    for (size_t i = 0; i < n; i++) norm += V[i * n + j] * V[i * n + j];
    for (size_t i = 0; i < n; i++) V[i * n + j] /= sqrtl(norm);
  }
}

/* P = E O U and its inverse, U unit upper triangular with elements of variance skew^2 / n, E of powers of 10. */
static void make_basis(size_t n, double skew, double units, sgf_random *random, wide *P, wide *inverse)
{
  static wide O[N * N], U[N * N], W[N * N];
  for (size_t k = 0; k < n * n; k++) O[k] = sgf_random_normal(random);
  orthonormalize(n, n, O);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      U[i * n + j] = i == j ? 1.0L : j > i ? (wide)(skew * sgf_random_normal(random)) / sqrtl((wide)n) : 0.0L;
  product(n, O, false, U, false, P);
  for (size_t j = 0; j < n; j++)
    for (size_t i = n; i-- > 0;) {
      wide sum = i == j ? 1.0L : 0.0L;
      for (size_t k = i + 1; k < n; k++) sum -= U[i * n + k] * W[k * n + j];
      W[i * n + j] = sum;
    }
  product(n, W, false, O, true, inverse);
  for (size_t i = 0; i < n && units > 0.0; i++) {
    wide size = powl(10.0L, (wide)(units * (uniform(random) - 0.5)));
    for (size_t j = 0; j < n; j++) {
      P[i * n + j] *= size;
      inverse[j * n + i] /= size;
    }
  }
}

/* ---------------------------------------------------------------- pieces */

/* F: `null` zeros (discrete: ones), then real rates and pairs rate +- i frequency. starts[k]: where piece k begins. */
static size_t make_drift(const recipe *made, sgf_random *random, wide *F, size_t *starts)
{
  size_t n = made->n, pieces = 0;
  memset(F, 0, n * n * sizeof *F);
  for (size_t k = 0; k < made->null; k++) {
    F[k * (n + 1)] = made->discrete ? 1.0L : 0.0L;
    starts[pieces++] = k;
  }
  for (size_t k = made->null; k < n;) {
    double rate = k == made->null ? made->softest : pow(made->softest, uniform(random));
    bool pair = !made->symmetric && k + 1 < n && uniform(random) < 0.4;
    double phase = pair ? M_PI * uniform(random) : made->discrete && uniform(random) < 0.3 ? M_PI : 0.0;
    wide size = made->discrete ? 1.0L - (wide)rate : (wide)rate;
    wide real = made->discrete ? size * cosl((wide)phase) : size,
         across = made->discrete ? size * sinl((wide)phase) : (wide)(2.0 * phase) * size;
    starts[pieces++] = k;
    F[k * (n + 1)] = real;
    if (pair) {
      F[(k + 1) * (n + 1)] = real;
      F[k * n + k + 1] = across;
      F[(k + 1) * n + k] = -across;
    }
    k += pair ? 2 : 1;
  }
  starts[pieces] = n;
  return pieces;
}

/* One piece F_a Z + Z F_b^T = R (discrete: Z - F_a Z F_b^T = R), at most 2 x 2, by elimination. */
static void solve_piece(size_t n, bool discrete, const wide *F, size_t a, size_t m, size_t b, size_t l, wide *Z)
{
  size_t size = m * l;
  wide K[4][5] = {{0.0L}};
  for (size_t r = 0; r < size; r++) {
    size_t i = r / l, j = r % l;
    for (size_t p = 0; p < m; p++)
      for (size_t q = 0; q < l; q++) {
        wide first = F[(a + i) * n + a + p], second = F[(b + j) * n + b + q];
        K[r][p * l + q] =
            discrete ? (wide)(i == p && j == q) - first * second : (j == q ? first : 0.0L) + (i == p ? second : 0.0L);
      }
    K[r][size] = Z[(a + i) * n + b + j];
  }
  for (size_t k = 0; k < size; k++) {
    size_t pivot = k;
    for (size_t r = k + 1; r < size; r++)
      if (fabsl(K[r][k]) > fabsl(K[pivot][k])) pivot = r;
    for (size_t c = 0; c <= size; c++) {
      wide kept = K[k][c];
      K[k][c] = K[pivot][c];
      K[pivot][c] = kept;
    }
    for (size_t r = 0; r < size; r++) {
      wide factor = r == k ? 0.0L : K[r][k] / K[k][k];
      for (size_t c = k; c <= size && r != k; c++) K[r][c] -= factor * K[k][c];
    }
  }
  for (size_t r = 0; r < size; r++) Z[(a + r / l) * n + b + r % l] = K[r][size] / K[r][r];
}

/* ---------------------------------------------------------------- systems */

/* The noise in z as a factor: none on what does not relax but for the leak. */
static void make_factor(const recipe *made, sgf_random *random, wide *G)
{
  size_t n = made->n;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      G[i * n + j] = i < made->null ? sqrtl((wide)made->leak) * (wide)sgf_random_normal(random)
                                    : (wide)sgf_random_normal(random);
}

/* Take the part on the null space from X, (1 - Pi) X (1 - Pi) being not enough: X - Pi X Pi is the least. */
static void take_least_norm(size_t n, size_t null, const wide *P, wide *X)
{
  static wide R[N * N], Pi[N * N], W[N * N], Y[N * N];
  memcpy(R, P, n * n * sizeof *R);
  orthonormalize(n, null, R);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      Pi[i * n + j] = 0.0L;
      for (size_t k = 0; k < null; k++) Pi[i * n + j] += R[i * n + k] * R[j * n + k];
    }
  product(n, Pi, false, X, false, W);
  product(n, W, false, Pi, false, Y);
  for (size_t k = 0; k < n * n; k++) X[k] -= Y[k];
}

/* The initial covariance, positive, and what it adds: R (L^T X0 L) R^T with L^T the first rows of the inverse. */
static void add_initial(const recipe *made, const wide *P, const wide *inverse, sgf_random *random, wide unit,
                        double *initial, wide *X)
{
  static wide G[N * N], X0[N * N], W[N * N], Z[N * N];
  size_t n = made->n;
  for (size_t k = 0; k < n * n; k++) G[k] = sgf_random_normal(random);
  product(n, G, false, G, true, X0);
  for (size_t k = 0; k < n * n; k++) {
    initial[k] = (double)(unit * X0[k]);
    X0[k] *= unit;
  }
  product(n, inverse, false, X0, false, W);
  product(n, W, false, inverse, true, Z);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      if (i >= made->null || j >= made->null) Z[i * n + j] = 0.0L;
  product(n, P, false, Z, false, W);
  product(n, W, false, P, true, Z);
  for (size_t k = 0; k < n * n; k++) X[k] += Z[k];
}

void make_random_system(const recipe *made, uint64_t seed, random_system *system)
{
  static wide P[N * N], inverse[N * N], F[N * N], G[N * N], Z[N * N], W[N * N];
  size_t n = made->n, starts[N + 1];
  sgf_random random;
  sgf_random_at(&random, seed, 7, 0);
  system->made = *made;
  make_basis(n, made->skew, made->units, &random, P, inverse);
  size_t pieces = make_drift(made, &random, F, starts);
  product(n, P, false, F, false, W);
  product(n, W, false, inverse, false, Z);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      wide value = made->symmetric && j < i ? Z[j * n + i] : Z[i * n + j];
      system->A[i * n + j] = (double)(value * (wide)made->scale_A);
    }
  make_factor(made, &random, G);
  product(n, P, false, G, false, W);
  for (size_t k = 0; k < n * n; k++) system->B[k] = (double)(W[k] * (wide)sqrt(made->scale_Q));
  product(n, W, false, W, true, Z);
  for (size_t k = 0; k < n * n; k++) system->Q[k] = (double)(Z[k] * (wide)made->scale_Q);
  product(n, G, false, G, true, Z);
  for (size_t a = 0; a < pieces; a++)
    for (size_t b = 0; b < pieces; b++)
      if (a >= made->null || b >= made->null)
        solve_piece(n, made->discrete, F, starts[a], starts[a + 1] - starts[a], starts[b], starts[b + 1] - starts[b],
                    Z);
  for (size_t i = 0; i < made->null; i++)
    for (size_t j = 0; j < made->null; j++) Z[i * n + j] = 0.0L;
  product(n, P, false, Z, false, W);
  product(n, W, false, P, true, system->X);
  if (made->from_initial)
    add_initial(made, P, inverse, &random, 1.0L, system->initial, system->X);
  else if (made->null > 0)
    take_least_norm(n, made->null, P, system->X);
  for (size_t k = 0; k < n * n; k++) system->X[k] *= (wide)made->scale_Q / (wide)made->scale_A;
  for (size_t k = 0; k < n * n; k++) system->initial[k] *= made->scale_Q / made->scale_A;
}

double error_of(const random_system *system, const double *X)
{
  wide difference = 0.0L, norm = 0.0L;
  for (size_t k = 0; k < system->made.n * system->made.n; k++) {
    difference += ((wide)X[k] - system->X[k]) * ((wide)X[k] - system->X[k]);
    norm += system->X[k] * system->X[k];
  }
  return norm > 0.0L ? (double)sqrtl(difference / norm) : (double)difference;
}

static wide norm_of(size_t count, const wide *values)
{
  wide square = 0.0L;
  for (size_t k = 0; k < count; k++) square += values[k] * values[k];
  return sqrtl(square);
}

double residual_of(const random_system *system, const double *X)
{
  static wide A[N * N], Q[N * N], S[N * N], W[N * N], V[N * N];
  size_t n = system->made.n;
  for (size_t k = 0; k < n * n; k++) {
    A[k] = system->A[k];
    Q[k] = system->Q[k];
    S[k] = X[k];
  }
  product(n, A, false, S, false, W);
  product(n, W, false, A, true, V);
  wide norm_A = norm_of(n * n, A), norm_S = norm_of(n * n, S), norm_Q = norm_of(n * n, Q);
  wide scale = (system->made.discrete ? 1.0L + norm_A * norm_A : 2.0L * norm_A) * norm_S + norm_Q;
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      wide made = system->made.discrete ? S[i * n + j] - V[i * n + j] : W[i * n + j] + W[j * n + i];
      Q[i * n + j] = made - Q[i * n + j];
    }
  return scale > 0.0L ? (double)(norm_of(n * n, Q) / scale) : 0.0;
}
