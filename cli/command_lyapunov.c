/* sgflow lyapunov: an equation out of files, solved, certified and put back. */
#include <errno.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"
#include "progress.h"
#include "summary.h"

/* Above this n there is no n x n output unless asked for. */
enum { LARGE = 4000 };
/* Products of smaller matrices are not worth threads. */
enum { SMALL = 300 };

/* OpenBLAS has this function, other BLAS libraries do not, and then it is NULL. */
extern void openblas_set_num_threads(int) __attribute__((weak));

typedef struct {
  const options *asked;
  char *command;
  sgf_system system;
  sgf_certificate certificate;
  bool solving; /* the certificate says something */
  double *X, *Z;
  size_t rank; /* of Z */
  const char *output, *base;
  sgf_error error;
} equation;

static sgf_status fail(equation *work, sgf_status status, const char *file, const char *message)
{
  char before[SGF_MESSAGE_LENGTH];
  snprintf(before, sizeof before, "%s", message);
  work->error.status = status;
  snprintf(work->error.message, sizeof work->error.message, "%.200s: %.300s", file, before);
  return status;
}

/* ------------------------------------------------------------------- stages */

static sgf_status read_files(equation *work)
{
  const options *asked = work->asked;
  return sgf_system_read(asked->config, asked->noise, asked->factor, asked->initial, &work->system, &work->error);
}

/* Where the solution goes: into a new file, or into the one that the equation came from. Better to fail now. */
static sgf_status choose_output(equation *work)
{
  const options *asked = work->asked;
  if (asked->output == NULL && asked->noise != NULL) return SGF_OK;
  work->output = asked->output != NULL ? asked->output : asked->config;
  work->base = asked->output != NULL ? NULL : asked->config;
  if (work->base != NULL) return sgf_check_extension(work->output, &work->error);
  if (job_same_file(asked->output, asked->config) || job_same_file(asked->output, asked->noise) ||
      job_same_file(asked->output, asked->initial))
    return fail(work, SGF_ERROR_CREATE, asked->output,
                asked->noise == NULL ? "cannot be created, it is an input (without -o, X is written into SYSTEM.h5)"
                                     : "cannot be created, it is an input");
  return sgf_check_output(work->output, &work->error);
}

/* Whether only a factor of the solution is wanted: where X itself would not be written. */
static bool wants_factor(const equation *work)
{
  return work->system.A == NULL && work->system.columns > 0 && work->system.n > LARGE && !work->asked->full &&
         (work->asked->method == SGF_METHOD_AUTO || work->asked->method == SGF_METHOD_LOW_RANK);
}

static sgf_status solve(equation *work)
{
  const sgf_system *system = &work->system;
  const options *asked = work->asked;
  sgf_lyapunov_options how;
  sgf_status status;
  sgf_lyapunov_options_init(&how);
  how.discrete = asked->discrete;
  how.method = asked->method;
  how.rank_tolerance = asked->rank_tolerance;
  how.initial = system->initial;
  if (system->n > SMALL && openblas_set_num_threads != NULL)
    openblas_set_num_threads(asked->threads > 0 ? asked->threads : omp_get_max_threads());
  work->solving = true;
  if (wants_factor(work)) {
    status = sgf_lyapunov_solve_low_rank(&system->sparse, system->columns, system->Q, 0.0, &how, &work->rank,
                                         &work->Z, &work->certificate, &work->error);
    return status == SGF_OK ? SGF_OK : fail(work, status, asked->config, work->error.message);
  }
  if (system->n <= SIZE_MAX / sizeof *work->X / system->n) work->X = calloc(system->n * system->n, sizeof *work->X);
  if (work->X == NULL) return fail(work, SGF_ERROR_MEMORY, asked->config, "no memory for X");
  if (system->A != NULL)
    status = sgf_lyapunov_solve(system->n, system->A, system->columns, system->Q, &how, work->X, &work->certificate,
                                &work->error);
  else
    status = sgf_lyapunov_solve_sparse(&system->sparse, system->columns, system->Q, &how, work->X, &work->certificate,
                                       &work->error);
  return status == SGF_OK ? SGF_OK : fail(work, status, asked->config, work->error.message);
}

static sgf_status write_output(equation *work)
{
  bool left_out = work->X != NULL && work->system.n > LARGE && !work->asked->full;
  sgf_solution solution = {.n = work->system.n,
                           .X = left_out ? NULL : work->X,
                           .rank = work->rank,
                           .Z = work->Z,
                           .certificate = &work->certificate,
                           .command = work->command};
  if (work->output == NULL) return SGF_OK;
  if (left_out)
    fprintf(stderr, "sgflow: warning: X is left out of %s: n is %zu, above %d (--full writes it)\n", work->output,
            work->system.n, LARGE);
  progress_wait_for_stages(true); /* the output is completed or removed before a signal ends the program */
  sgf_status status = sgf_write_solution(work->output, work->base, &solution, &work->error);
  progress_wait_for_stages(false);
  return status;
}

/* -------------------------------------------------------------------- table */

static void print_number(const char *name, double value)
{
  if (isnan(value))
    printf("%-12s not known\n", name);
  else
    printf("%-12s %.4g\n", name, value);
}

static void print_eigenvalue(const sgf_certificate *certificate)
{
  if (isnan(certificate->real))
    printf("%-12s not known\n", "eigenvalue");
  else if (certificate->imaginary > 0.0)
    printf("%-12s %.6g +- %.6g i, nearest to instability\n", "eigenvalue", certificate->real, certificate->imaginary);
  else
    printf("%-12s %.6g, nearest to instability\n", "eigenvalue", certificate->real);
}

static void print_output(const equation *work)
{
  size_t n = work->system.n;
  if (work->output == NULL)
    printf("%-12s none, -o FILE writes X\n", "output");
  else if (work->Z != NULL)
    printf("%-12s Z (%zu, %zu) with X = Z Z^T in %s\n", "output", n, work->rank, work->output);
  else
    printf("%-12s X (%zu, %zu) in %s\n", "output", n, n, work->output);
}

static void print_table(const equation *work)
{
  const sgf_certificate *certificate = &work->certificate;
  printf("%-12s %s, n = %zu, A %s\n", "equation", work->asked->discrete ? "X - A X A^T = Q" : "A X + X A^T = Q",
         work->system.n, work->system.A != NULL ? "dense" : "sparse");
  printf("%-12s %s%s\n", "method", sgf_method_text(certificate->method), certificate->refined ? ", refined" : "");
  printf("%-12s %zu of %zu", "rank", certificate->rank, certificate->size);
  if (isfinite(certificate->gap)) printf(", gap %.3g", certificate->gap);
  printf("%s\n", certificate->rank == 0 ? ", there is no drift" : "");
  print_eigenvalue(certificate);
  print_number("null noise", certificate->null_noise);
  print_number("residual", certificate->residual);
  if (isfinite(certificate->separation)) print_number("separation", certificate->separation);
  print_number("error bound", certificate->error_bound);
  print_output(work);
}

static sgf_status print_results(equation *work)
{
  if (!work->asked->json)
    print_table(work);
  else if (!summary_print_certificate(&work->certificate, work->command, NULL))
    return fail(work, SGF_ERROR_MEMORY, work->asked->config, "no memory for the summary");
  if (fflush(stdout) == 0 && !ferror(stdout)) return SGF_OK;
  return fail(work, SGF_ERROR_WRITE, "standard output", strerror(errno));
}

/* What was found of a system that has no solution is worth printing. */
static void print_refusal(const equation *work, sgf_status status)
{
  bool refused = status == SGF_ERROR_UNSTABLE || status == SGF_ERROR_INCOMPATIBLE || status == SGF_ERROR_AMBIGUOUS;
  if (work->asked->json && work->solving && refused) {
    summary_print_certificate(&work->certificate, work->command, work->error.message);
    fflush(stdout);
  }
}

/* ------------------------------------------------------------------- driver */

static int run(const options *asked)
{
  equation work = {.asked = asked, .command = options_text(&command_lyapunov, asked)};
  sgf_status status = work.command != NULL ? SGF_OK : fail(&work, SGF_ERROR_MEMORY, asked->config, "no memory");
  if (status == SGF_OK) status = read_files(&work);
  if (status == SGF_OK) status = choose_output(&work);
  if (status == SGF_OK) status = solve(&work);
  if (status == SGF_OK && work.certificate.ambiguous)
    fprintf(stderr,
            "sgflow: warning: %s: A: rank %zu of %zu is as --rank-tolerance says, but ambiguous, its gap is %.3g\n",
            asked->config, work.certificate.rank, work.certificate.size, work.certificate.gap);
  if (status == SGF_OK && work.certificate.error_bound >= 1.0)
    fprintf(stderr, "sgflow: warning: %s: no digit of X is certain, its error bound is %.3g (separation %.3g)\n",
            asked->config, work.certificate.error_bound, work.certificate.separation);
  if (status == SGF_OK) status = write_output(&work);
  if (status == SGF_OK) status = print_results(&work);
  if (status != SGF_OK) {
    print_refusal(&work, status);
    fprintf(stderr, "sgflow: %s\n", work.error.message);
  }
  sgf_system_free(&work.system);
  free(work.X);
  free(work.Z);
  free(work.command);
  return job_exit_status(status);
}

const command command_lyapunov = {
    "lyapunov",
    ACCEPTS_EQUATION,
    "solve A X + X A^T = Q, also for a singular A",
    "Solve A X + X A^T = Q, or with --discrete X - A X A^T = Q, for a drift A that is stable but may be singular, "
    "and say how "
    "certain X is. SYSTEM.h5 has A, a dataset (n, n) or a group with SciPy's data, indices, indptr and attributes "
    "shape and "
    "format, and Q (n, n) or its factor B (n, m), Q = B B^T. X and the numbers go into SYSTEM.h5, the rest of which "
    "is kept, "
    "or into the file of -o. A large sparse A with a factor gives Z, X = Z Z^T.",
    NULL,
    "0\tsuccess\n" STATUS_USAGE
    "65\tbad data, an unstable A, or an equation without a solution\n" STATUS_ABSENT STATUS_OUTPUT,
    "SYSTEM.h5\tHDF5: A, and Q or B; X0 for --initial\nA.mtx, Q.mtx, B.mtx\tMatrix Market\n"
    "-o FILE\tHDF5: X or Z, written beside and renamed when complete\n",
    "sgflow lyapunov system.h5\tX goes into system.h5\n"
    "sgflow lyapunov A.mtx --factor B.mtx -o x.h5\tfrom Matrix Market files\n",
    "predict",
    run};
