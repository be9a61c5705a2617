/* What the test programs share: a runner, random matrices, norms that see NaN, and the oracle cases. */
#ifndef TESTING_H
#define TESTING_H

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/nullspace.h"
#include "../theory/problem.h"
#include "../theory/random.h"
#include "../verify/compare.h"

/* ||a - b|| / ||b||; NaN if any element is. */
double relative_difference(size_t count, const double *a, const double *b);

/* Fails, naming the difference, unless it is below the bound. NaN fails. */
#define ASSERT_CLOSE(count, a, b, bound)                                                             \
  do {                                                                                               \
    double difference_ = relative_difference((count), (a), (b));                                     \
    ck_assert_msg(difference_ <= (bound), "%s differs from %s by %g, bound %g", #a, #b, difference_, \
                  (double)(bound));                                                                  \
  } while (0)

#define ASSERT_NEAR(a, b, bound)                                                                                  \
  do {                                                                                                            \
    double a_ = (a), b_ = (b);                                                                                    \
    ck_assert_msg(fabs(a_ - b_) <= (bound), "%s = %.12g, %s = %.12g, bound %g", #a, a_, #b, b_, (double)(bound)); \
  } while (0)

#define ASSERT_OK(expression, error) ck_assert_msg((expression) == SGF_OK, "%s: %s", #expression, (error).message)

/* Zeroed reals; the test dies without memory. */
double *new_reals(size_t count);
/* Standard normal numbers, the same for the same seed. */
void fill_normal(uint64_t seed, size_t count, double *values);

/* Settings with the given widths, all else default; free with sgf_settings_free. */
void settings_with_widths(sgf_settings *settings, size_t count, const size_t *widths);

/* A dataset of a Gaussian problem, without a minimum: for operators at any theta. */
void make_dataset(size_t samples, size_t inputs, size_t outputs, uint64_t seed, sgf_dataset *data);

/* Weights theta at an exact minimum: Y = M X + residuals that are orthogonal to the inputs, so that G = 0. */
sgf_problem *planted_problem(const sgf_settings *settings, const double *theta, size_t P, uint64_t seed);

/* A problem of random data, at its minimum, with a learning rate of lambda h_max = `fastest`. */
sgf_problem *sampled_problem(size_t count, const size_t *widths, size_t P, size_t batch, sgf_sampling sampling,
                             double weight_decay, double fastest);

/* Gradients of the single samples at theta*, in the modes of the range of the drift: (P, rank). */
double *sample_gradients(const sgf_problem *problem, const sgf_range *range);

/* Path of an oracle file, "NAME.h5"; static storage. */
const char *case_path(const char *file);
/* Dataset `name` of an oracle file, and its number of elements. */
double *case_array(const char *file, const char *name, size_t rank, size_t *count);

/* Attribute `name` of group `owner` of an oracle file. */
double case_attribute(const char *file, const char *owner, const char *name);

/* A random orthogonal matrix (n, n). */
void fill_orthogonal(uint64_t seed, size_t n, double *Q);

/* Path of a new file for the test to write, in the folder it runs in; static storage. */
const char *scratch_path(const char *file);

/* The library's stages; the test dies if one fails. The caller frees. */
sgf_prediction *predict(const sgf_problem *problem);
sgf_ensemble *simulate(const sgf_problem *problem, const sgf_plan *plan, int threads);
sgf_comparison *compare(const sgf_problem *problem, const sgf_prediction *prediction, const sgf_ensemble *ensemble);

/* The quantity of that name; the test dies without one. */
const sgf_quantity *quantity_of(const sgf_comparison *comparison, const char *name);

/* D A D^T (count, count) of rows D (count, n) and a symmetric A. */
double *form_of(size_t count, size_t n, const double *D, const double *A);

/* Run the suite; the exit status of the program. */
int run_suite(Suite *suite);

#endif
