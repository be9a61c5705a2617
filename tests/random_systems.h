/* Random Lyapunov and Stein equations whose solutions are known to more digits than a double has. */
#ifndef RANDOM_SYSTEMS_H
#define RANDOM_SYSTEMS_H

#include "testing.h"

enum { LARGEST_SYSTEM = 40 };

/* What a random system is like. */
typedef struct recipe {
  size_t n, null;
  bool discrete, symmetric, factored;
  double skew;    /* of the eigenvectors: 0 for a normal drift */
  double units;   /* decades by which coordinates differ in size */
  double softest; /* smallest rate over the largest */
  double scale_A, scale_Q;
  double leak; /* noise on what does not relax, relative; 0: compatible */
  bool from_initial;
} recipe;

/* A system, as doubles, and its solution before anything was rounded. All (n, n) row-major. */
typedef struct random_system {
  recipe made;
  double A[LARGEST_SYSTEM * LARGEST_SYSTEM], Q[LARGEST_SYSTEM * LARGEST_SYSTEM];
  double B[LARGEST_SYSTEM * LARGEST_SYSTEM]; /* Q = B B^T if factored */
  double initial[LARGEST_SYSTEM * LARGEST_SYSTEM];
  long double X[LARGEST_SYSTEM * LARGEST_SYSTEM];
} random_system;

/* The recipe of number `index`, and the system of a recipe, the same for the same seed. */
recipe random_recipe(uint64_t index);
void make_random_system(const recipe *made, uint64_t seed, random_system *system);

/* ||X - exact|| / ||exact||, and the scaled residual of X from the doubles, in long double. */
double error_of(const random_system *system, const double *X);
double residual_of(const random_system *system, const double *X);

#endif
