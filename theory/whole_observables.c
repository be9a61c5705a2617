/* What a prediction says of all weights of runs from theta*, null space and all. */
#include <stdlib.h>
#include <string.h>

#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"
#include "whole_space.h"

/* An array of the prediction, (n, n) or (n), filled again where it is there from another plan. */
static sgf_status fill_array(sgf_prediction *prediction, const char *name, size_t n, size_t columns,
                             const double *values, sgf_error *error)
{
  double *array = sgf_prediction_find(prediction, name);
  sgf_status status = SGF_OK;
  if (array == NULL) status = sgf_prediction_add(prediction, name, n, columns, &array, error);
  if (status == SGF_OK) memcpy(array, values, n * (columns > 0 ? columns : 1) * sizeof *values);
  return status;
}

sgf_status sgf_predict_runs(const sgf_problem *problem, sgf_prediction *prediction, const sgf_plan *plan,
                            sgf_error *error)
{
  size_t n = problem->network.weights;
  double *second = NULL, *mean = NULL;
  sgf_status status;
  if (prediction->known == NULL || sgf_whole_space_missing(problem, prediction) != NULL) return SGF_OK;
  SGF_TRY(sgf_new_reals(&second, n, n, "moments of the closure", error));
  SGF_TRY(sgf_new_reals(&mean, n, 1, "moments of the closure", error));
  SGF_TRY(sgf_closure_moments(problem, prediction, plan, second, mean, error));
  const sgf_whole_moments *whole = &prediction->known->whole;
  SGF_TRY(fill_array(prediction, "whole/mean", n, 0, whole->mean, error));
  SGF_TRY(fill_array(prediction, "whole/covariance", n, n, whole->covariance, error));
  SGF_TRY(fill_array(prediction, "whole/second_moment", n, n, whole->second, error));
done:
  free(second);
  free(mean);
  return status;
}

const char *sgf_whole_left_out(const sgf_problem *problem, const sgf_prediction *prediction)
{
  return prediction->known == NULL ? "theory.equation is not closure" : sgf_whole_space_missing(problem, prediction);
}

size_t sgf_whole_numbers(const sgf_prediction *prediction, sgf_number *numbers, size_t capacity)
{
  size_t n = prediction->info.weights;
  if (prediction->known == NULL || prediction->known->whole.second == NULL) return 0;
  const sgf_whole_moments *whole = &prediction->known->whole;
  const sgf_number all[] = {{"whole_time", whole->time, false},
                            {"whole_mean", sgf_norm(n, whole->mean), false},
                            {"whole_trace", sgf_trace(n, whole->covariance), false},
                            {"whole_along", whole->along, false},
                            {"whole_least", whole->least, false}};
  size_t count = sizeof all / sizeof *all;
  memcpy(numbers, all, (count < capacity ? count : capacity) * sizeof *numbers);
  return count;
}
