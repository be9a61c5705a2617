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

/* Heavy-tailed and symmetric, products of two independent normal numbers, R = 100: here it is Hall's transformation that is
 * beyond the 0.01 points too often, by its own noise. 20 000 trials, 200 expected, bound four standard deviations above. */
START_TEST(corrected_t_keeps_symmetric_tails)
{
  enum { TRIALS = 20000, REPLICAS = 100 };
  double values[REPLICAS], bound = 2.626; /* two-sided 0.01 of t with 99 degrees of freedom */
  size_t beyond = 0;
  sgf_random random;
  sgf_random_at(&random, 6, 5, 0);
  for (size_t trial = 0; trial < TRIALS; trial++) {
    for (size_t r = 0; r < REPLICAS; r++) values[r] = sgf_random_normal(&random) * sgf_random_normal(&random);
    beyond += fabs(sgf_corrected_t(values, 1, REPLICAS, 0.0)) > bound;
  }
  ck_assert_msg(beyond < 257, "%zu beyond the 0.01 points", beyond);
}
END_TEST

/* A tolerance that is next to nothing against the error, no deviation: both tails count. One quantity of normal values, 40
 * 000 trials at level 0.05, 2000 expected, standard deviation 44; with one tail it would be 4000. */
START_TEST(both_tails_count)
{
  enum { TRIALS = 40000, REPLICAS = 20 };
  double values[REPLICAS], mean, error;
  size_t alarms = 0;
  sgf_random random;
  sgf_random_at(&random, 7, 5, 0);
  for (size_t trial = 0; trial < TRIALS; trial++) {
    for (size_t r = 0; r < REPLICAS; r++) values[r] = sgf_random_normal(&random);
    sgf_mean_and_error(values, REPLICAS, &mean, &error);
    alarms += sgf_p_disagree(mean, error, sgf_mean_skewness(values, 1, REPLICAS), 1e-9, REPLICAS - 1) <= 0.05;
  }
  ck_assert_msg(alarms < 2220 && alarms > 1600, "%zu alarms", alarms);
}
END_TEST

/* A drift of sums of growing samples that is looked at 12 times: false alarms at any look stay below the level, and with
 * all of the level at each look they would not. */
START_TEST(looks_keep_the_level_together)
{
  enum { TRIALS = 2000, LOOKS = 12 };
  size_t kept = 0, broken = 0;
  double spent = 0.0, level = 0.05;
  sgf_random random;
  sgf_random_at(&random, 8, 5, 0);
  for (size_t k = 1; k <= 100000; k++) spent += sgf_look_level(level, k);
  ck_assert(spent < level && spent > 0.999 * level);
  ck_assert_double_eq(sgf_look_level(level, 0), level);
  for (size_t trial = 0; trial < TRIALS; trial++) {
    double sum = 0.0, count = 0.0;
    bool alarm = false, plain = false;
    for (size_t k = 1; k <= LOOKS; k++) {
      double added = k == 1 ? 1.0 : count; /* each look has twice as much */
      sum += sqrt(added) * sgf_random_normal(&random);
      count += added;
      double p = sgf_p_disagree(sum / count, 1.0 / sqrt(count), 0.0, 1e-12, 1e9);
      alarm = alarm || p <= sgf_look_level(level, k);
      plain = plain || p <= level;
    }
    kept += alarm;
    broken += plain;
  }
  ck_assert_msg((double)kept < TRIALS * level + 4.0 * sqrt(TRIALS * level), "%zu of %d", kept, TRIALS);
  ck_assert_msg((double)broken > 3.0 * TRIALS * level, "%zu of %d at whole levels", broken, TRIALS);
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
  tcase_add_test(tests, corrected_t_keeps_symmetric_tails);
  tcase_add_test(tests, both_tails_count);
  tcase_add_test(tests, looks_keep_the_level_together);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
