/* Lyapunov and Stein equations: dense solvers against solutions that are known, and their certificates. */
#include "random_systems.h"

#include "../solver/form.h"
#include "../solver/triangular.h"

/* More of them: SGF_SYSTEMS=100000 tests/test_lyapunov. */
static uint64_t number_of_systems(void)
{
  const char *asked = getenv("SGF_SYSTEMS");
  return asked != NULL ? strtoull(asked, NULL, 10) : 10000;
}

typedef struct tally {
  size_t solved, refused, ambiguous, beyond_bound, far_beyond, wrong_rank, large_residual, missed_leak, false_alarm;
  double loosest; /* sum of log10 bound / error */
  size_t compared;
} tally;

static void count_solution(const random_system *system, const double *X, const sgf_certificate *certificate,
                           tally *seen)
{
  const recipe *made = &system->made;
  double wrong = error_of(system, X), residual = residual_of(system, X);
  seen->solved++;
  seen->wrong_rank += certificate->rank != made->n - made->null;
  seen->large_residual += !(residual <= 1e-13) || !(certificate->residual <= 1e-13);
  seen->beyond_bound += !(wrong <= certificate->error_bound);
  seen->far_beyond += !(wrong <= 10.0 * certificate->error_bound);
  seen->missed_leak += made->leak > 0.0;
  if (wrong > 0.0) {
    seen->loosest += log10(certificate->error_bound / wrong);
    seen->compared++;
  }
  if (getenv("SGF_SHOW") != NULL && (made->leak > 0.0 || !(wrong <= certificate->error_bound && residual <= 1e-13)))
    printf("n %zu null %zu discrete %d symmetric %d skew %g softest %.2g initial %d: error %.2g bound %.2g residual "
           "%.2g (%.2g) gap %.2g separation %.2g leak %g null noise %.2g\n",
           made->n, made->null, made->discrete, made->symmetric, made->skew, made->softest, made->from_initial, wrong,
           certificate->error_bound, residual, certificate->residual, certificate->gap,
           certificate->separation / made->scale_A, made->leak, certificate->null_noise);
}

static void count_refusal(const random_system *system, sgf_status status, const sgf_certificate *certificate,
                          const sgf_error *error, tally *seen)
{
  const recipe *made = &system->made;
  if (status == SGF_ERROR_AMBIGUOUS)
    seen->ambiguous++;
  else if (status == SGF_ERROR_INCOMPATIBLE && made->leak > 0.0)
    seen->refused++;
  else
    seen->false_alarm++;
  if (getenv("SGF_SHOW") != NULL && status != SGF_ERROR_INCOMPATIBLE)
    printf("n %zu null %zu discrete %d skew %g softest %.2g leak %g: %s (gap %.2g null noise %.2g)\n", made->n,
           made->null, made->discrete, made->skew, made->softest, made->leak, error->message, certificate->gap,
           certificate->null_noise);
}

START_TEST(random_systems_are_solved_within_their_bound)
{
  uint64_t count = number_of_systems();
  static random_system system;
  static double X[LARGEST_SYSTEM * LARGEST_SYSTEM];
  tally seen = {0};
  for (uint64_t k = 0; k < count; k++) {
    recipe made = random_recipe(k);
    sgf_certificate certificate;
    sgf_lyapunov_options options;
    sgf_error error;
    make_random_system(&made, k, &system);
    sgf_lyapunov_options_init(&options);
    options.discrete = made.discrete;
    options.initial = made.from_initial ? system.initial : NULL;
    sgf_status status = sgf_lyapunov_solve(made.n, system.A, made.factored ? made.n : 0,
                                           made.factored ? system.B : system.Q, &options, X, &certificate, &error);
    if (status == SGF_OK)
      count_solution(&system, X, &certificate, &seen);
    else
      count_refusal(&system, status, &certificate, &error, &seen);
  }
  printf("%zu solved (%zu beyond the bound, %zu far), %zu leaks refused (%zu missed), %zu ambiguous, %zu others; "
         "bound / error 10^%.2f\n",
         seen.solved, seen.beyond_bound, seen.far_beyond, seen.refused, seen.missed_leak, seen.ambiguous,
         seen.false_alarm, seen.loosest / (double)seen.compared);
  ck_assert_uint_eq(seen.wrong_rank, 0);
  ck_assert_uint_eq(seen.large_residual, 0);
  ck_assert_uint_eq(seen.far_beyond, 0);
  ck_assert_uint_le(seen.beyond_bound, count / 10000);
  ck_assert_uint_eq(seen.missed_leak, 0);
  ck_assert_uint_eq(seen.false_alarm, 0);
  ck_assert_uint_le(seen.ambiguous, count / 20);
  ck_assert(seen.loosest / (double)seen.compared < 3.0);
}
END_TEST

int main(void)
{
  Suite *suite = suite_create("lyapunov");
  TCase *tests = tcase_create("lyapunov");
  tcase_set_timeout(tests, 3600);
  tcase_add_test(tests, random_systems_are_solved_within_their_bound);
  suite_add_tcase(suite, tests);
  return run_suite(suite);
}
