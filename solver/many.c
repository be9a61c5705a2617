/* Many small Lyapunov or Stein equations, in parallel. */
#include "../theory/linear_algebra.h"
#include "../theory/status.h"

#include <omp.h>

sgf_status sgf_lyapunov_solve_many(size_t count, size_t n, const double *A, const double *Q,
                                   const sgf_lyapunov_options *options, int threads, double *X,
                                   sgf_certificate *certificates, sgf_status *statuses, sgf_error *error)
{
  int used = threads > 0 ? threads : omp_get_max_threads();
  size_t first = count; /* that failed */
  sgf_error of_first = {.status = SGF_OK};
#pragma omp parallel for schedule(static) num_threads(used)
  for (size_t k = 0; k < count; k++) {
    sgf_error here;
    sgf_status status = sgf_lyapunov_solve(n, A + k * n * n, 0, Q + k * n * n, options, X + k * n * n,
                                           certificates != NULL ? &certificates[k] : NULL, &here);
    if (statuses != NULL) statuses[k] = status;
    if (status == SGF_OK) continue;
#pragma omp critical(sgf_first_failure)
    if (k < first) {
      first = k;
      of_first = here;
    }
  }
  if (first == count) return SGF_OK;
  return sgf_fail(error, of_first.status, "system %zu: %.400s", first, of_first.message);
}
