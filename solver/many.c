/* Many small Lyapunov or Stein equations, in parallel. */
#include "../theory/linear_algebra.h"
#include "../theory/status.h"

#include <omp.h>

sgf_status sgf_lyapunov_solve_many(size_t count, size_t n, const double *A, const double *Q,
                                   const sgf_lyapunov_options *options, int threads, double *X,
                                   sgf_certificate *certificates, sgf_status *statuses, sgf_error *error)
{
  int used = threads > 0 ? threads : omp_get_max_threads();
#pragma omp parallel for schedule(static) num_threads(used)
  for (size_t k = 0; k < count; k++)
    statuses[k] = sgf_lyapunov_solve(n, A + k * n * n, 0, Q + k * n * n, options, X + k * n * n,
                                     certificates != NULL ? &certificates[k] : NULL, NULL);
  for (size_t k = 0; k < count; k++)
    if (statuses[k] != SGF_OK) return sgf_fail(error, statuses[k], "system %zu: %s", k, sgf_status_text(statuses[k]));
  return SGF_OK;
}
