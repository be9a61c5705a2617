/* SGD as one writes it in C with a BLAS, a peer of sgd.c: one replica, one call a product.
 *   sgd_cblas N_0 N_1 N_2 P S RATE SECONDS, N_2 = 0 for one layer; prints steps per second of processor and of wall clock. */
#include <cblas.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t state = 88172645463325252ULL;

static uint64_t bits(void) /* xorshift: nearly free */
{
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static double *numbers(size_t count, double scale)
{
  double *values = malloc(count * sizeof *values);
  if (values == NULL) exit(1);
  for (size_t k = 0; k < count; k++) values[k] = scale * ((double)(bits() >> 11) * 0x1p-52 - 1.0);
  return values;
}

static double seconds_of(clockid_t clock)
{
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* C = alpha op(A) op(B) + beta C, row-major. */
static void product(int a, int b, int rows, int columns, int inner, double alpha, const double *A, const double *B,
                    double beta, double *C)
{
  cblas_dgemm(CblasRowMajor, a ? CblasTrans : CblasNoTrans, b ? CblasTrans : CblasNoTrans, rows, columns, inner,
              alpha, A, a ? rows : inner, B, b ? inner : columns, beta, C, columns);
}

int main(int count, char **arguments)
{
  if (count < 8) return 64;
  int N[3] = {atoi(arguments[1]), atoi(arguments[2]), atoi(arguments[3])}, P = atoi(arguments[4]);
  int S = atoi(arguments[5]), layers = N[2] > 0 ? 2 : 1;
  double rate = atof(arguments[6]), least = atof(arguments[7]);
  double *X = numbers((size_t)(P * N[0]), 1.0), *Y = numbers((size_t)(P * N[layers]), 1.0);
  double *W1 = numbers((size_t)(N[0] * N[1]), 1.0 / sqrt(N[0])),
         *W2 = numbers((size_t)(N[1] * N[2] + 1), 1.0 / sqrt(N[1]));
  double *h0 = numbers((size_t)(S * N[0]), 0.0), *h1 = numbers((size_t)(S * N[1]), 0.0);
  double *h2 = numbers((size_t)(S * N[2] + 1), 0.0), *e1 = numbers((size_t)(S * N[1]), 0.0);
  size_t *indices = malloc((size_t)S * sizeof *indices), steps = 0;
  double wall = seconds_of(CLOCK_MONOTONIC), own = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  if (indices == NULL) return 1;
  while (steps % 64 != 0 || seconds_of(CLOCK_MONOTONIC) - wall < least) {
    for (int s = 0; s < S; s++) {
      indices[s] = bits() % (uint64_t)P;
      memcpy(h0 + s * N[0], X + indices[s] * (size_t)N[0], (size_t)N[0] * sizeof *h0);
    }
    product(0, 1, S, N[1], N[0], 1.0, h0, W1, 0.0, h1);
    if (layers == 2) product(0, 1, S, N[2], N[1], 1.0, h1, W2, 0.0, h2);
    double *out = layers == 2 ? h2 : h1, *e = layers == 2 ? h2 : e1;
    for (int s = 0; s < S; s++)
      for (int a = 0; a < N[layers]; a++)
        e[s * N[layers] + a] = (out[s * N[layers] + a] - Y[indices[s] * (size_t)N[layers] + (size_t)a]) / S;
    if (layers == 2) {
      product(0, 0, S, N[1], N[2], 1.0, h2, W2, 0.0, e1);
      product(1, 0, N[2], N[1], S, -rate, h2, h1, 1.0, W2);
    }
    product(1, 0, N[1], N[0], S, -rate, e1, h0, 1.0, W1);
    steps++;
  }
  printf("%g %g\n", (double)steps / (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - own),
         (double)steps / (seconds_of(CLOCK_MONOTONIC) - wall));
  return isnan(W1[0] + W2[0]);
}
