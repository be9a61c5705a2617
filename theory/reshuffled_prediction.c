/* The next order in the learning rate for reshuffled epochs, in a prediction. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"
#include "reshuffled_closure.h"
#include "symmetry.h"

/* The trace of leading order: over the epoch, of the covariance. */
static sgf_status leading_trace(const sgf_problem *problem, const sgf_prediction *prediction, double *trace,
                                sgf_error *error)
{
  size_t n = problem->network.weights;
  double *Sigma;
  sgf_status status = sgf_new_reals(&Sigma, n, n, "covariance", error);
  if (status != SGF_OK) return status;
  status = sgf_covariance_of_epochs(problem, &prediction->joint, NULL, Sigma, NULL, error);
  *trace = sgf_trace(n, Sigma);
  free(Sigma);
  return status;
}

/* No variance is negative, but for round-off: where samples are few and differ by much, to fourth order one might be. */
static sgf_status check_variances(const sgf_problem *problem, size_t rank, const double *Sigma, const char *which,
                                  sgf_error *error)
{
  const double round_off = 1e-9;
  double *values;
  sgf_status status = sgf_new_reals(&values, rank + 1, 1, "closure of epochs", error);
  if (status == SGF_OK && rank > 0)
    status = sgf_symmetric_eigenvalues(rank, Sigma, values, "the covariance of the closure", error);
  if (status == SGF_OK && rank > 0 && values[0] < -round_off * fabs(values[rank - 1]))
    status =
        sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                 "theory.equation is closure with training.sampling epoch: for %zu samples in batches of %zu the "
                 "covariance %s has a variance of %.3g, below zero, beside the largest of %.3g: the next order is "
                 "not enough here",
                 problem->data.samples, problem->settings.training.batch_size, which, values[0], values[rank - 1]);
  free(values);
  return status;
}

/* The periodic state on the modes V (rank, columns) of a range, which are part of all weights as `basis` (rank, n): outputs are by
 * the columns. ends and second may be NULL. */
static sgf_status settle(const sgf_problem *problem, size_t rank, const double *basis, bool linear, size_t columns,
                         const double *V, double *Sigma, double *ends, double *mean, double *second, double *residual,
                         double *drift, sgf_error *error)
{
  double *inside = NULL, *squares[] = {Sigma, ends, second};
  sgf_reshuffled_closure *closure = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&inside, 3 * rank + 1, rank, "closure of epochs", error));
  double *inside_mean = inside + 3 * rank * rank;
  SGF_TRY(sgf_reshuffled_closure_create(problem, rank, basis, linear, &closure, error));
  SGF_TRY(sgf_reshuffled_closure_settle(closure, inside, inside + rank * rank, inside_mean, inside + 2 * rank * rank,
                                        residual, drift, error));
  SGF_TRY(check_variances(problem, rank, inside, "over the epoch", error));
  SGF_TRY(check_variances(problem, rank, inside + rank * rank, "at its ends", error));
  for (size_t k = 0; k < 3; k++)
    if (squares[k] != NULL)
      SGF_TRY(sgf_sandwich(columns, rank, SGF_TRANSPOSED, V, inside + k * rank * rank, squares[k],
                           "closure of epochs", error));
  sgf_multiply(1, columns, rank, SGF_PLAIN, inside_mean, SGF_PLAIN, V, mean);
done:
  sgf_reshuffled_closure_free(closure);
  free(inside);
  return status;
}

sgf_status sgf_solve_reshuffled_closure(const sgf_problem *problem, sgf_prediction *prediction, double *Sigma,
                                        sgf_error *error)
{
  const sgf_range *range = &prediction->joint.range;
  size_t n = range->n, rank = range->rank;
  const double *basis = range->V + (n - rank) * n;
  sgf_prediction_info *info = &prediction->info;
  double *mean, *drift, *ends, leading;
  sgf_status status;
  SGF_TRY(sgf_prediction_add(prediction, "mean", n, 0, &mean, error));
  SGF_TRY(sgf_prediction_add(prediction, "mean_drift", n, 0, &drift, error));
  SGF_TRY(sgf_prediction_add(prediction, "covariance_epoch_end", n, n, &ends, error));
  SGF_TRY(sgf_new_reals(&prediction->known->mean_square, n, n, "second moment of the mean", error));
  SGF_TRY(settle(problem, rank, basis, false, n, basis, Sigma, ends, mean, prediction->known->mean_square,
                 &info->residual, drift, error));
  prediction->third_cumulants = problem->network.layers > 1;
  info->mean_shift = sgf_norm(n, mean);
  info->mean_drift = sgf_norm(n, drift);
  SGF_TRY(leading_trace(problem, prediction, &leading, error));
  info->next_order = sgf_trace(n, Sigma) / leading - 1.0;
done:
  return status;
}

sgf_status sgf_reshuffled_frozen(const sgf_problem *problem, const sgf_fluctuations *frozen, size_t layer,
                                 const sgf_plan *plan, double *Sigma, double *mean, double *second, sgf_error *error)
{
  size_t n = problem->network.weights, size = frozen->range.n, rank = frozen->range.rank;
  const double *modes = frozen->range.V + (size - rank) * size;
  double *basis = NULL, *drift = NULL, *inside = NULL, residual;
  sgf_reshuffled_closure *closure = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&basis, rank, n, "layer of the closure", error));
  SGF_TRY(sgf_new_reals(&drift, n, 1, "layer of the closure", error));
  SGF_TRY(sgf_new_reals(&inside, rank + 1, rank, "layer of the closure", error));
  for (size_t k = 0; k < rank; k++)
    memcpy(basis + k * n + problem->network.offsets[layer], modes + k * size, size * sizeof *modes);
  if (plan == NULL) {
    SGF_TRY(settle(problem, rank, basis, true, size, modes, Sigma, NULL, mean, second, &residual, drift, error));
    goto done;
  }
  SGF_TRY(sgf_reshuffled_closure_create(problem, rank, basis, true, &closure, error));
  SGF_TRY(sgf_reshuffled_closure_window(closure, plan, inside + rank, inside, 0, NULL, error));
  SGF_TRY(sgf_sandwich(size, rank, SGF_TRANSPOSED, modes, inside + rank, second, "layer of the closure", error));
  sgf_multiply(1, size, rank, SGF_PLAIN, inside, SGF_PLAIN, modes, mean);
done:
  sgf_reshuffled_closure_free(closure);
  free(basis);
  free(drift);
  free(inside);
  return status;
}

sgf_status sgf_follow_reshuffled(const sgf_problem *problem, const sgf_plan *plan, sgf_known_moments *known,
                                 sgf_error *error)
{
  size_t n = problem->network.weights, balances = sgf_symmetry_count(&problem->network);
  sgf_reshuffled_closure *closure = NULL;
  sgf_status status;
  known->points = balances > 0 ? SGF_BALANCE_POINTS : 0;
  SGF_TRY(sgf_new_reals(&known->moments, n + 1, n, "moments of the closure", error));
  SGF_TRY(sgf_new_reals(&known->balance, known->points, balances, "drift of the balance", error));
  SGF_TRY(sgf_reshuffled_closure_create(problem, n, NULL, false, &closure, error));
  SGF_TRY(sgf_reshuffled_closure_window(closure, plan, known->moments + n, known->moments, known->points,
                                        known->balance, error));
  known->plan = *plan;
done:
  sgf_reshuffled_closure_free(closure);
  return status;
}
