/* Exact moments of spectra for Gaussian data of any size. */
#include "exact_moments.h"

double exact_second_of_hessian(size_t inputs, size_t samples)
{
  return 1.0 + ((double)inputs + 1.0) / (double)samples;
}

/* a (a + 1) ... (a + k - 1). */
static double rising(double a, int k)
{
  double product = 1.0;
  for (int i = 0; i < k; i++) product *= a + i;
  return product;
}

/* E x^i y^j of the first two of a Dirichlet vector with these parameters. */
static double dirichlet(double first, double second, double sum, int i, int j)
{
  return rising(first, i) * rising(second, j) / rising(sum, i + j);
}

double exact_second_of_noise(size_t inputs, size_t samples)
{
  double N = (double)inputs, P = (double)samples, d = P - N, A = P * P + 2.0 * P;
#define LEVER(i, j) dirichlet(N / 2.0, d / 2.0, P / 2.0, i, j)              /* E h^i (1 - h)^j */
#define SECOND(i, j) dirichlet(0.5, (N - 1.0) / 2.0, (P - 1.0) / 2.0, i, j) /* E (g^2)^i r^j */
  double same = 3.0 * A * LEVER(2, 2);
  double other = A * LEVER(1, 2) * SECOND(1, 0) + P * LEVER(1, 1) * SECOND(0, 1) - A * LEVER(1, 3) * SECOND(2, 0) -
                 (P + A) * LEVER(1, 2) * SECOND(1, 1) - P * LEVER(1, 1) * SECOND(0, 2) +
                 2.0 * A * LEVER(2, 2) * SECOND(2, 0) + 2.0 * P * LEVER(2, 1) * SECOND(1, 1);
#undef LEVER
#undef SECOND
  return (P * same + P * (P - 1.0) * other) / (N * d * (d + 2.0));
}
