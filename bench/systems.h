/* Systems whose solutions are known exactly, in files that every solver under comparison reads.
 *
 * A file is an array of doubles in the machine's order: count, n, discrete (0 or 1), known (0 or 1), then for each
 * system A, Q and, if known, X, all (n, n) row-major. An answer is an array of doubles too: count matrices X. */
#ifndef BENCH_SYSTEMS_H
#define BENCH_SYSTEMS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct systems {
  size_t count, n;
  bool discrete, known;
  double *A, *Q, *X; /* (count, n, n) each; X is allocated also when it is not known */
} systems;

/* Make systems of small integers, so that Q = A X + X A^T (discrete: X - A X A^T) is exact in doubles: at most 53 bits.
 *   kind  symmetric    A = B B^T + n/8
 *         half         A = B B^T of rank n/2, X on its range: the solution of least norm
 *         half-general A = B (1 + K) B^T of rank n/2, K skew; X likewise
 *         general      A = G + (1.2 + 4 / sqrt(n)) times its spectral radius
 *         stein        A = G / 2^k with a spectral radius of 0.4 to 0.8; discrete
 * Returns false for another kind, or without memory. */
bool make_systems(const char *kind, size_t count, size_t n, systems *made);

bool read_systems(const char *path, systems *read);
bool write_systems(const char *path, const systems *written);
void free_systems(systems *freed);

bool read_numbers(const char *path, size_t count, double *numbers);
bool write_numbers(const char *path, size_t count, const double *numbers);

/* Replace X by the solution of the systems as stored, computed as a linear system for its n (n + 1) / 2 elements in
 * __float128 and then rounded: independent of every solver under comparison, for n up to 30. False when singular. */
bool solve_in_quadruple(systems *solved);

/* Largest over the systems of ||X - known|| / ||known||, and of the scaled residual, in long double up to n = 64:
 * ||A X + X A^T - Q|| / (2 ||A|| ||X|| + ||Q||), discrete ||X - A X A^T - Q|| / ((1 + ||A||^2) ||X|| + ||Q||). */
double largest_error(const systems *solved, const double *X);
double largest_residual(const systems *solved, const double *X);

#endif
