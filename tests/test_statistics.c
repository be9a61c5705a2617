/* The tests behind the verdicts, and the false-alarm rate that they promise. */
#include "../verify/statistics.h"
#include "testing.h"

START_TEST(equivalence_and_difference)
{
  /* t with many degrees of freedom: margins of 3 and 1 standard errors */
  ASSERT_NEAR(sgf_p_agree(0.02, 0.01, 0.0, 0.05, 1e6), 0.00134990, 1e-6);
  ASSERT_NEAR(sgf_p_agree(-0.04, 0.01, 0.0, 0.05, 1e6), 0.158655, 1e-5);
  ASSERT_NEAR(sgf_p_disagree(-0.08, 0.01, 0.0, 0.05, 1e6), 0.00134990, 1e-6);
  ck_assert(sgf_p_agree(0.06, 0.01, 0.0, 0.05, 10.0) > 0.5 && sgf_p_disagree(0.04, 0.01, 0.0, 0.05, 10.0) > 0.5);
  /* nothing can be claimed from NaN */
  ck_assert_double_eq(sgf_p_agree(NAN, 0.01, 0.0, 0.05, 10.0), 1.0);
  ck_assert_double_eq(sgf_p_disagree(0.1, NAN, 0.0, 0.05, 10.0), 1.0);
  ck_assert_double_eq(sgf_p_agree(0.01, 0.0, 0.0, 0.05, 10.0), 0.0);
}
END_TEST

START_TEST(holm_steps_down)
{
  /* levels 0.05/4, 0.05/3, 0.05/2: the third fails, so the fourth is not looked at */
  double p[] = {0.030, 0.010, 0.031, 0.012};
  size_t order[4];
  bool claimed[4];
  sgf_holm(p, 4, 0.05, order, claimed);
  ck_assert(claimed[1] && claimed[3] && !claimed[0] && !claimed[2]);
}
END_TEST

/* E x = mu: the estimate of |mu|^2 is unbiased, and its jackknife error what repetitions show, or a little
 * more: the jackknife's bias is upwards (Efron & Stein 1981). */
START_TEST(squared_mean_is_unbiased)
{
  enum { COUNT = 30, SIZE = 5, REPEATS = 4000 };
  double rows[COUNT * SIZE], mean = 0.0, spread = 0.0, promised = 0.0, mu = 0.3, truth = SIZE * mu * mu;
  sgf_error error = {SGF_OK, ""};
  for (uint64_t repeat = 0; repeat < REPEATS; repeat++) {
    double estimate, standard_error;
    fill_normal(1000 + repeat, COUNT * SIZE, rows);
    for (size_t k = 0; k < COUNT * SIZE; k++) rows[k] += mu;
    ASSERT_OK(sgf_squared_mean(rows, COUNT, SIZE, &estimate, &standard_error, &error), error);
    mean += estimate / REPEATS;
    spread += (estimate - truth) * (estimate - truth) / REPEATS;
    promised += standard_error * standard_error / REPEATS;
  }
  ASSERT_NEAR(mean, truth, 5.0 * sqrt(spread / REPEATS));
  ck_assert_msg(promised / spread > 0.9 && promised / spread < 1.5, "ratio of variances %g", promised / spread);
}
END_TEST

/* E x = 0, one dimension, where |mean|^2 is least and the jackknife alone would see no spread: the estimate stays within
 * its error bars. The least value is -1/sqrt(2) standard errors. */
START_TEST(squared_mean_of_zero_has_an_error)
{
  enum { COUNT = 200 };
  double rows[COUNT], mean = 0.0, estimate, standard_error;
  sgf_error error = {SGF_OK, ""};
  fill_normal(77, COUNT, rows);
  for (size_t r = 0; r < COUNT; r++) mean += rows[r] / COUNT;
  for (size_t r = 0; r < COUNT; r++) rows[r] -= mean;
  ASSERT_OK(sgf_squared_mean(rows, COUNT, 1, &estimate, &standard_error, &error), error);
  ck_assert(estimate < 0.0);
  ck_assert_msg(estimate > -1.0 * standard_error, "%g +- %g", estimate, standard_error);
}
END_TEST

/* False alarms at the edge of the tolerance, where the level is promised exactly: 20 000 trials at level 0.01 with
 * four quantities each, all of them at deviation = tolerance; both families. The bounds are five standard
 * deviations. */
START_TEST(false_alarms_keep_the_family_wise_level)
{
  enum { TRIALS = 20000, QUANTITIES = 4, REPLICAS = 12 };
  size_t order[QUANTITIES], wrong_agree = 0, wrong_disagree = 0;
  bool claimed[QUANTITIES];
  double values[REPLICAS], p_agree[QUANTITIES], p_disagree[QUANTITIES], level = 0.01;
  sgf_random random;
  sgf_random_at(&random, 99, 0, 0);
  for (size_t trial = 0; trial < TRIALS; trial++) {
    bool agree = false, disagree = false;
    for (size_t q = 0; q < QUANTITIES; q++) {
      double mean, error;
      for (size_t r = 0; r < REPLICAS; r++) values[r] = 0.05 + 0.02 * sgf_random_normal(&random);
      sgf_mean_and_error(values, REPLICAS, &mean, &error);
      p_agree[q] = sgf_p_agree(mean, error, 0.0, 0.05, REPLICAS - 1);
      p_disagree[q] = sgf_p_disagree(mean, error, 0.0, 0.05, REPLICAS - 1);
    }
    sgf_holm(p_agree, QUANTITIES, level, order, claimed);
    for (size_t q = 0; q < QUANTITIES; q++) agree = agree || claimed[q];
    sgf_holm(p_disagree, QUANTITIES, level, order, claimed);
    for (size_t q = 0; q < QUANTITIES; q++) disagree = disagree || claimed[q];
    wrong_agree += agree;
    wrong_disagree += disagree;
  }
  double most = TRIALS * level + 5.0 * sqrt(TRIALS * level);
  ck_assert_msg((double)wrong_agree < most, "%zu false agreements", wrong_agree);
  ck_assert_msg((double)wrong_disagree < most, "%zu false disagreements", wrong_disagree);
  ck_assert(wrong_agree > 50 && wrong_disagree > 50); /* and the level is used, not wasted */
}
END_TEST

/* Second moments of few degrees of freedom are skewed: chi^2 with 4, R = 100. Student's t alone is beyond its 0.0005
 * upper and lower points about three times too often; the corrected one must keep them within a factor 2 (40 000
 * trials, 40 expected, five standard deviations of 6.3 above twice that). */
START_TEST(corrected_t_keeps_its_tails)
{
  enum { TRIALS = 40000, REPLICAS = 100 };
  double values[REPLICAS], bound = 3.39; /* two-sided 0.001 of t with 99 degrees of freedom */
  size_t beyond = 0, plain = 0;
  sgf_random random;
  sgf_random_at(&random, 5, 5, 0);
  for (size_t trial = 0; trial < TRIALS; trial++) {
    double mean, error;
    for (size_t r = 0; r < REPLICAS; r++) {
      values[r] = 0.0;
      for (int k = 0; k < 4; k++) {
        double z = sgf_random_normal(&random);
        values[r] += z * z;
      }
    }
    sgf_mean_and_error(values, REPLICAS, &mean, &error);
    plain += fabs((mean - 4.0) / error) > bound;
    beyond += fabs(sgf_corrected_t(values, 1, REPLICAS, 4.0)) > bound;
  }
  ck_assert_msg(beyond < 112, "%zu beyond the 0.001 points, %zu without the correction", beyond, plain);
  ck_assert_msg(plain > beyond, "%zu without the correction, %zu with it", plain, beyond);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("statistics");
  TCase *tests = tcase_create("statistics");
  tcase_set_timeout(tests, 120);
  tcase_add_test(tests, equivalence_and_difference);
  tcase_add_test(tests, holm_steps_down);
  tcase_add_test(tests, squared_mean_is_unbiased);
  tcase_add_test(tests, squared_mean_of_zero_has_an_error);
  tcase_add_test(tests, false_alarms_keep_the_family_wise_level);
  tcase_add_test(tests, corrected_t_keeps_its_tails);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
