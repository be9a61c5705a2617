/* Philox streams and the three samplers. */
#include "../verify/kernels.h"
#include "../verify/sampler.h"
#include "testing.h"

/* The raw stream of NumPy 1.24, Philox(key=[1, 2], counter=[2**64 - 1] * 4): it steps the counter before it draws,
 * so this is counters 0 and 1. */
START_TEST(philox_is_that_of_numpy)
{
  static const uint64_t expected[] = {0x46fdf329c224985e, 0x49ebd8a28e9ec134, 0x528e3ef07e630d40, 0x69a57877b5c520c8,
                                      0x4f2f4313b5536b09, 0x5b617be3219ff32a, 0x097293476f9275cb, 0xf63f3bf4962c3942};
  sgf_random random;
  sgf_random_at(&random, 1, 2, 0);
  for (size_t k = 0; k < sizeof expected / sizeof *expected; k++)
    ck_assert_uint_eq(sgf_random_bits(&random), expected[k]);
}
END_TEST

START_TEST(steps_and_streams_differ)
{
  sgf_random a, b;
  sgf_random_at(&a, 1, 2, 3);
  sgf_random_at(&b, 1, 2, 4);
  ck_assert_uint_ne(sgf_random_bits(&a), sgf_random_bits(&b));
  sgf_random_at(&a, 1, 2, 3);
  sgf_random_at(&b, 1, 3, 3);
  ck_assert_uint_ne(sgf_random_bits(&a), sgf_random_bits(&b));
}
END_TEST

START_TEST(normals_have_their_moments)
{
  enum { COUNT = 200000 };
  double *values = new_reals(COUNT), mean = 0.0, square = 0.0, fourth = 0.0;
  fill_normal(7, COUNT, values);
  for (size_t k = 0; k < COUNT; k++) {
    double x = values[k];
    mean += x / COUNT;
    square += x * x / COUNT;
    fourth += x * x * x * x / COUNT;
  }
  /* five standard errors each: a false alarm below 1e-6, and the seed is fixed */
  ASSERT_NEAR(mean, 0.0, 5.0 / sqrt(COUNT));
  ASSERT_NEAR(square, 1.0, 5.0 * sqrt(2.0 / COUNT));
  ASSERT_NEAR(fourth, 3.0, 5.0 * sqrt(96.0 / COUNT));
  free(values);
}
END_TEST

/* chi^2 of how often each sample is drawn, against P - 1 degrees of freedom within five standard deviations. */
static void check_uniform(sgf_sampling mode, size_t P, size_t S, double variance_factor)
{
  enum { STEPS = 20000 };
  sgf_sampler sampler;
  sgf_error error = {SGF_OK, ""};
  size_t *counts = calloc(P, sizeof *counts), *batch = calloc(S, sizeof *batch);
  double expected = (double)STEPS * (double)S / (double)P, chi = 0.0;
  ASSERT_OK(sgf_sampler_create(mode, P, S, 3, 0, &sampler, &error), error);
  for (uint64_t step = 0; step < STEPS; step++) {
    sgf_sampler_draw(&sampler, step, batch);
    for (size_t s = 0; s < S; s++) counts[batch[s]]++;
  }
  for (size_t k = 0; k < P; k++) chi += ((double)counts[k] - expected) * ((double)counts[k] - expected) / expected;
  double freedom = ((double)P - 1.0) * variance_factor;
  ck_assert_msg(fabs(chi - freedom) <= 5.0 * sqrt(2.0 * freedom * variance_factor), "chi^2 %g for %g", chi, freedom);
  sgf_sampler_free(&sampler);
  free(counts);
  free(batch);
}

START_TEST(draws_are_uniform)
{
  check_uniform(SGF_SAMPLING_REPLACEMENT, 23, 5, 1.0);
  /* a subset of S has counts of variance S/P (1 - S/P), not S/P */
  check_uniform(SGF_SAMPLING_WITHOUT_REPLACEMENT, 23, 5, 1.0 - 5.0 / 23.0);
}
END_TEST

static void check_ahead(const sgf_kernels *kernels, size_t bound, size_t count)
{
  enum { MOST = 64, LANES = 8 };
  size_t steps = 2 * kernels->lanes;
  uint64_t drawn[MOST * 2 * LANES], seed = 0xfedcba9876543210, first = UINT64_MAX - 2; /* steps wrap */
  size_t expected[MOST], per_word = sgf_random_indices_per_word(bound);
  kernels->draw_indices(seed, SGF_STREAM_DATA, first, bound, per_word, count, drawn);
  for (size_t j = 0; j < steps; j++) {
    sgf_random_indices(seed, SGF_STREAM_DATA, first + j, bound, per_word, count, expected);
    for (size_t k = 0; k < count; k++) ck_assert_uint_eq(drawn[k * steps + j], expected[k]);
  }
}

/* The kernels of all widths that the machine has draw what one step after the other draws. */
START_TEST(steps_side_by_side_are_the_same)
{
  static const size_t bounds[] = {1, 2, 3, 100, 400, 65536, 65537, 1000003, UINT32_MAX};
  for (sgf_kernel_width w = SGF_KERNELS_PORTABLE; w < SGF_KERNEL_TABLES; w++) {
    const sgf_kernels *kernels = sgf_kernels_of(w);
    if (kernels == NULL || kernels->draw_indices == NULL || kernels->lanes > sgf_kernels_of_machine()->lanes)
      continue;
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++)
      for (size_t count = 1; count <= 64; count += 9) check_ahead(kernels, bounds[b], count);
  }
}
END_TEST

/* A sampler that jumps, forth and back, draws what the counters say. */
START_TEST(order_of_steps_does_not_matter)
{
  static const uint64_t steps[] = {0, 1, 5, 7, 8, 30, 29, 29, 1000, 2, 0};
  sgf_sampler sampler;
  sgf_error error = {SGF_OK, ""};
  size_t batch[10], expected[10];
  ASSERT_OK(sgf_sampler_create(SGF_SAMPLING_REPLACEMENT, 100, 10, 5, 6, &sampler, &error), error);
  for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
    sgf_sampler_draw(&sampler, steps[k], batch);
    sgf_random_indices(5, 6, steps[k], 100, sgf_random_indices_per_word(100), 10, expected);
    for (size_t s = 0; s < 10; s++) ck_assert_uint_eq(batch[s], expected[s]);
  }
  sgf_sampler_free(&sampler);
}
END_TEST

static int ascending(const void *a, const void *b)
{
  size_t x = *(const size_t *)a, y = *(const size_t *)b;
  return (x > y) - (x < y);
}

START_TEST(subsets_have_no_repeats)
{
  enum { P = 9, S = 6 };
  sgf_sampler sampler;
  sgf_error error = {SGF_OK, ""};
  size_t batch[S];
  ASSERT_OK(sgf_sampler_create(SGF_SAMPLING_WITHOUT_REPLACEMENT, P, S, 5, 1, &sampler, &error), error);
  for (uint64_t step = 0; step < 1000; step++) {
    sgf_sampler_draw(&sampler, step, batch);
    qsort(batch, S, sizeof *batch, ascending);
    for (size_t s = 1; s < S; s++) ck_assert_uint_lt(batch[s - 1], batch[s]);
  }
  sgf_sampler_free(&sampler);
}
END_TEST

START_TEST(epochs_visit_every_sample_once)
{
  enum { P = 12, S = 3 };
  sgf_sampler sampler;
  sgf_error error = {SGF_OK, ""};
  size_t epoch[P], last[P] = {0}, same = 0;
  ASSERT_OK(sgf_sampler_create(SGF_SAMPLING_EPOCH, P, S, 5, 1, &sampler, &error), error);
  for (uint64_t e = 0; e < 500; e++) {
    for (uint64_t b = 0; b < P / S; b++) sgf_sampler_draw(&sampler, e * (P / S) + b, epoch + b * S);
    same += memcmp(epoch, last, sizeof epoch) == 0;
    memcpy(last, epoch, sizeof epoch);
    qsort(epoch, P, sizeof *epoch, ascending);
    for (size_t k = 0; k < P; k++) ck_assert_uint_eq(epoch[k], k);
  }
  ck_assert_uint_eq(same, 0); /* 12! orders */
  sgf_sampler_free(&sampler);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("random");
  TCase *tests = tcase_create("random");
  tcase_add_test(tests, philox_is_that_of_numpy);
  tcase_add_test(tests, steps_and_streams_differ);
  tcase_add_test(tests, normals_have_their_moments);
  tcase_add_test(tests, draws_are_uniform);
  tcase_add_test(tests, steps_side_by_side_are_the_same);
  tcase_add_test(tests, order_of_steps_does_not_matter);
  tcase_add_test(tests, subsets_have_no_repeats);
  tcase_add_test(tests, epochs_visit_every_sample_once);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
