/* The next order in the learning rate for reshuffled epochs: runs from theta*, and the quasi-stationary state. */
#include "reshuffled_closure.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "averaged_operators.h"
#include "closure_state.h"
#include "drift.h"
#include "linear_algebra.h"
#include "memory.h"
#include "reshuffled_moments.h"
#include "symmetry.h"

/* Numbers that may be kept; beyond, an epoch takes too long too. Multiply-adds of the samples' derivatives, some minutes. */
static const double MOST_NUMBERS = 1e8, MOST_OPERATIONS = 4e12;
/* The point is moved to the mean, between epochs, where that is so far away, relative to the weights. */
static const double FARTHEST = 0.005;
/* Passes until the quasi-stationary state is found; the change that ends them, or the first of them, or from which on they end when
 * changes no longer get smaller: slow modes forget little of round-off in an epoch. */
enum { MOST_PASSES = 300 };
static const double SETTLED = 1e-11, NEARLY_SETTLED = 1e-3, LEAST_SETTLED = 1e-6;

struct sgf_reshuffled_closure {
  const sgf_problem *problem;
  size_t n, size;
  double *basis;               /* (size, n) */
  double *modes;               /* (size, size), of the Hessian at the point, by the basis */
  double *V;                   /* (size, n), the same by the weights */
  double *point;               /* (size), about which moments are, less theta*, in the basis */
  double *theta;               /* (n), the point */
  double *work, *whole, *cube; /* (3, size, size), (size, n), (size, size, size) */
  sgf_reshuffled_samples samples;
  sgf_reshuffled_moments moments;
};

void sgf_reshuffled_closure_free(sgf_reshuffled_closure *closure)
{
  if (closure == NULL) return;
  double *arrays[] = {closure->basis, closure->modes, closure->V,     closure->point,
                      closure->theta, closure->work,  closure->whole, closure->cube};
  for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++) free(arrays[k]);
  sgf_reshuffled_samples_free(&closure->samples);
  sgf_reshuffled_moments_free(&closure->moments);
  free(closure);
}

static sgf_status check_size(const sgf_problem *problem, size_t size, bool linear, sgf_error *error)
{
  size_t P = problem->data.samples, batches = P / problem->settings.training.batch_size;
  double numbers = sgf_reshuffled_samples_size(P, size, linear) + sgf_reshuffled_moments_size(P, size);
  if (batches < 2 || P < 5)
    return sgf_fail(
        error, SGF_ERROR_UNSUPPORTED,
        "theory.equation is closure with training.sampling epoch: an epoch of %zu batches of %zu samples has no "
        "noise that it is built for",
        batches, P);
  double operations = sgf_reshuffled_samples_operations(problem->network.weights, P, size, linear);
  if (operations > MOST_OPERATIONS)
    return sgf_fail(
        error, SGF_ERROR_UNSUPPORTED,
        "theory.equation is closure with training.sampling epoch: the Hessians of %zu samples next to the "
        "minimum of %zu weights take %.2g multiply-adds, it is built for %.2g",
        P, problem->network.weights, operations, MOST_OPERATIONS);
  if (numbers <= MOST_NUMBERS) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                  "theory.equation is closure with training.sampling epoch: for %zu directions and %zu samples %.2g "
                  "numbers are to be kept, it is built for %.2g",
                  size, P, numbers, MOST_NUMBERS);
}

static sgf_status make_room(sgf_reshuffled_closure *made, bool linear, sgf_error *error)
{
  const sgf_settings *settings = &made->problem->settings;
  size_t n = made->n, size = made->size;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&made->basis, size, n, "closure of epochs", error));
  SGF_TRY(sgf_new_reals(&made->modes, size, size, "closure of epochs", error));
  SGF_TRY(sgf_new_reals(&made->V, size, n, "closure of epochs", error));
  SGF_TRY(sgf_new_reals(&made->point, size, 1, "closure of epochs", error));
  SGF_TRY(sgf_new_reals(&made->theta, n, 1, "closure of epochs", error));
  SGF_TRY(sgf_new_reals(&made->work, 3 * size, size, "closure of epochs", error));
  SGF_TRY(sgf_new_reals(&made->whole, size, n, "closure of epochs", error));
  SGF_TRY(sgf_new_reals(&made->cube, size * size, size, "closure of epochs", error));
  SGF_TRY(sgf_reshuffled_samples_create(made->problem, size, linear, &made->samples, error));
  SGF_TRY(sgf_reshuffled_moments_create(&made->samples, settings->training.learning_rate,
                                        settings->training.batch_size, &made->moments, error));
done:
  return status;
}

/* Modes of the Hessian at the point, and the samples there. */
static sgf_status look_around(sgf_reshuffled_closure *closure, sgf_error *error)
{
  const sgf_problem *problem = closure->problem;
  size_t n = closure->n, size = closure->size;
  double *H = NULL;
  sgf_status status;
  SGF_TRY(sgf_new_reals(&H, n, n, "Hessian", error));
  sgf_multiply(1, n, size, SGF_PLAIN, closure->point, SGF_PLAIN, closure->basis, closure->theta);
  for (size_t k = 0; k < n; k++) closure->theta[k] += problem->theta[k];
  SGF_TRY(sgf_hessian(&problem->network, &problem->data, closure->theta, problem->settings.training.weight_decay, H,
                      error));
  sgf_multiply(size, n, n, SGF_PLAIN, closure->basis, SGF_PLAIN, H, closure->whole);
  sgf_multiply(size, size, n, SGF_PLAIN, closure->whole, SGF_TRANSPOSED, closure->basis, closure->modes);
  sgf_symmetrize(size, closure->modes);
  SGF_TRY(sgf_symmetric_eigen(size, closure->modes, closure->work, "the Hessian at the mean", error));
  sgf_multiply(size, n, size, SGF_PLAIN, closure->modes, SGF_PLAIN, closure->basis, closure->V);
  SGF_TRY(sgf_reshuffled_samples_find(problem, closure->theta, closure->V, &closure->samples, error));
  sgf_reshuffled_moments_begin(&closure->moments);
done:
  free(H);
  return status;
}

static void rest(sgf_reshuffled_closure *closure)
{
  sgf_reshuffled_moments *moments = &closure->moments;
  size_t size = closure->size;
  memset(moments->mean, 0, size * sizeof(double));
  memset(moments->second, 0, size * size * sizeof(double));
  memset(moments->third, 0, size * size * size * sizeof(double));
  memset(closure->point, 0, size * sizeof(double));
}

sgf_status sgf_reshuffled_closure_create(const sgf_problem *problem, size_t size, const double *basis, bool linear,
                                         sgf_reshuffled_closure **closure, sgf_error *error)
{
  size_t n = problem->network.weights;
  void *block;
  *closure = NULL;
  linear = linear || problem->network.layers == 1;
  sgf_status status = check_size(problem, basis != NULL ? size : n, linear, error);
  if (status == SGF_OK) status = sgf_allocate(&block, 1, 1, sizeof **closure, "closure of epochs", error);
  if (status != SGF_OK) return status;
  sgf_reshuffled_closure *made = block;
  made->problem = problem;
  made->n = n;
  made->size = basis != NULL ? size : n;
  SGF_TRY(make_room(made, linear, error));
  for (size_t k = 0; k < made->size * n; k++) made->basis[k] = basis != NULL ? basis[k] : k / n == k % n ? 1.0 : 0.0;
  rest(made);
  SGF_TRY(look_around(made, error));
  *closure = made;
  return SGF_OK;
done:
  sgf_reshuffled_closure_free(made);
  return status;
}

/* ----------------------------------------------------------------- the point moves */

/* out (size, size, size) = in with each place turned by R (size, size); out and room differ from in. */
static void turn_cube(size_t size, const double *R, double *cube, double *room)
{
  for (int place = 0; place < 3; place++) { /* [a][bc] -> [bc][a'] */
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasTrans, (int)(size * size), (int)size, (int)size, 1.0, cube,
                (int)(size * size), R, (int)size, 0.0, room, (int)size);
    memcpy(cube, room, size * size * size * sizeof *cube);
  }
}

/* The moments about their own mean. */
static void centre(sgf_reshuffled_moments *moments)
{
  size_t n = moments->size;
  double *m = moments->mean, *S = moments->second, *K = moments->third;
  for (size_t k = 0; k < n * n; k++) S[k] -= m[k / n] * m[k % n];
  for (size_t a = 0; a < n && !moments->of->linear; a++)
    for (size_t b = 0; b < n; b++)
      for (size_t c = 0; c < n; c++)
        K[(a * n + b) * n + c] -=
            m[a] * S[b * n + c] + m[b] * S[a * n + c] + m[c] * S[a * n + b] + m[a] * m[b] * m[c];
  memset(m, 0, n * sizeof *m);
}

/* To the mean, between epochs. */
static sgf_status move_point(sgf_reshuffled_closure *closure, sgf_error *error)
{
  size_t size = closure->size;
  sgf_reshuffled_moments *moments = &closure->moments;
  double *R = closure->work, *before = closure->work + size * size, *room = closure->work + 2 * size * size;
  cblas_dgemv(CblasRowMajor, CblasTrans, (int)size, (int)size, 1.0, closure->modes, (int)size, moments->mean, 1, 1.0,
              closure->point, 1);
  centre(moments);
  memcpy(before, closure->modes, size * size * sizeof *before);
  sgf_status status = look_around(closure, error);
  if (status != SGF_OK) return status;
  sgf_multiply(size, size, size, SGF_PLAIN, closure->modes, SGF_TRANSPOSED, before, R);
  sgf_into_basis(size, R, moments->second, room, moments->second);
  if (!closure->samples.linear) turn_cube(size, R, moments->third, closure->cube);
  return SGF_OK;
}

static bool is_far(const sgf_reshuffled_closure *closure)
{
  return !closure->samples.linear &&
         sgf_norm(closure->size, closure->moments.mean) > FARTHEST * sgf_norm(closure->n, closure->theta);
}

static sgf_status check_finite(const sgf_reshuffled_closure *closure, sgf_error *error)
{
  double trace = sgf_trace(closure->size, closure->moments.second),
         length = sgf_norm(closure->size, closure->moments.mean);
  if (isfinite(trace) && isfinite(length)) return SGF_OK;
  return sgf_fail(error, SGF_ERROR_NUMERICAL, "the closure of epochs is not finite: trace %g", trace);
}

/* ----------------------------------------------------------------------- windows */

/* Sums over snapshots that have the point in common, in its modes: of the second moment and of the mean. */
typedef struct {
  double count, *second, *mean, *block;
} sums;

/* second (size, size) and mean (size) += weight times the sums, about theta* and out of the modes; the sums are 0 then. */
static void take_over(sgf_reshuffled_closure *closure, double weight, sums *since, double *second, double *mean)
{
  size_t size = closure->size;
  double *turned = closure->work, *S = closure->work + size * size, *room = closure->work + 2 * size * size;
  if (since->count == 0.0) return;
  sgf_out_of_basis(size, closure->modes, since->second, room, S);
  sgf_multiply(1, size, size, SGF_PLAIN, since->mean, SGF_PLAIN, closure->modes, turned);
  for (size_t i = 0; i < size; i++) {
    const double *c = closure->point;
    mean[i] += weight * (turned[i] + since->count * c[i]);
    for (size_t j = 0; j < size; j++)
      second[i * size + j] +=
          weight * (S[i * size + j] + turned[i] * c[j] + c[i] * turned[j] + since->count * c[i] * c[j]);
  }
  memset(since->block, 0, (size + 1) * size * sizeof(double));
  since->count = 0.0;
}

/* Mean change of the balances now, of all weights. */
static sgf_status find_balances(sgf_reshuffled_closure *closure, double *balances, sgf_error *error)
{
  size_t n = closure->n;
  const sgf_reshuffled_moments *moments = &closure->moments;
  double *S = closure->work, *room = closure->work + n * n, *theta = closure->work + 2 * n * n;
  for (size_t k = 0; k < n * n; k++) S[k] = moments->second[k] - moments->mean[k / n] * moments->mean[k % n];
  sgf_out_of_basis(n, closure->modes, S, room, S);
  sgf_multiply(1, n, n, SGF_PLAIN, moments->mean, SGF_PLAIN, closure->V, theta);
  for (size_t k = 0; k < n; k++) theta[k] += closure->theta[k];
  return sgf_mean_balances(closure->problem, theta, S, balances, error);
}

sgf_status sgf_reshuffled_closure_window(sgf_reshuffled_closure *closure, const sgf_plan *plan, double *second,
                                         double *mean, size_t points, double *balance, sgf_error *error)
{
  size_t size = closure->size, steps = plan->burn_in_steps + plan->window_steps, point = 0;
  sgf_reshuffled_moments *moments = &closure->moments;
  double weight = 1.0 / (double)(plan->window_steps / plan->stride);
  sums since = {0};
  sgf_status status;
  memset(second, 0, size * size * sizeof *second);
  memset(mean, 0, size * sizeof *mean);
  SGF_TRY(sgf_new_reals(&since.block, size + 1, size, "closure of epochs", error));
  since.mean = since.block;
  since.second = since.block + size;
  rest(closure);
  SGF_TRY(look_around(closure, error));
  for (size_t k = 1; k <= steps; k++) {
    if (moments->step == moments->batches && is_far(closure)) {
      take_over(closure, weight, &since, second, mean);
      SGF_TRY(move_point(closure, error));
    }
    sgf_reshuffled_moments_step(moments);
    SGF_TRY(check_finite(closure, error));
    if (k > plan->burn_in_steps && (k - plan->burn_in_steps) % plan->stride == 0) {
      cblas_daxpy((int)(size * size), 1.0, moments->second, 1, since.second, 1);
      cblas_daxpy((int)size, 1.0, moments->mean, 1, since.mean, 1);
      since.count += 1.0;
    }
    for (; point < points && ceil((double)steps * (double)(point + 1) / (double)points) <= (double)k; point++)
      SGF_TRY(find_balances(closure, balance + point * sgf_symmetry_count(&closure->problem->network), error));
  }
  take_over(closure, weight, &since, second, mean);
done:
  free(since.block);
  if (status == SGF_OK) return SGF_OK;
  sgf_fill_nan(size * size, second);
  sgf_fill_nan(size, mean);
  return status;
}

/* ---------------------------------------------------------- quasi-stationary state */

/* An epoch's averages: of the covariance, of the mean and of its square, in the modes; of D (P, size). */
typedef struct {
  double *Sigma, *mean, *square, *D, *block;
} epoch_averages;

static sgf_status averages_create(const sgf_reshuffled_closure *closure, epoch_averages *made, sgf_error *error)
{
  size_t size = closure->size;
  sgf_status status =
      sgf_new_reals(&made->block, closure->samples.samples + 1 + 2 * size, size, "averages over an epoch", error);
  made->mean = made->block;
  made->Sigma = made->mean + size;
  made->square = made->Sigma + size * size;
  made->D = made->square + size * size;
  return status;
}

/* Go over an epoch; into `averages`, if not NULL. The largest norm of the second moment on the way. */
static sgf_status run_epoch(sgf_reshuffled_closure *closure, epoch_averages *averages, double *largest,
                            sgf_error *error)
{
  sgf_reshuffled_moments *moments = &closure->moments;
  size_t size = closure->size, P = closure->samples.samples;
  double weight = 1.0 / (double)moments->batches;
  *largest = 0.0;
  if (averages != NULL) memset(averages->block, 0, (P + 1 + 2 * size) * size * sizeof(double));
  sgf_reshuffled_moments_begin(moments);
  for (size_t k = 0; k < moments->batches; k++) {
    if (averages != NULL)
      cblas_daxpy((int)(P * size), weight, moments->D, 1, averages->D, 1); /* it acts on this step */
    sgf_reshuffled_moments_step(moments);
    *largest = fmax(*largest, sgf_norm(size * size, moments->second));
    if (averages == NULL) continue;
    cblas_daxpy((int)size, weight, moments->mean, 1, averages->mean, 1);
    cblas_daxpy((int)(size * size), weight, moments->second, 1, averages->Sigma, 1);
    cblas_dger(CblasRowMajor, (int)size, (int)size, weight, moments->mean, 1, moments->mean, 1, averages->square,
               (int)size);
  }
  for (size_t k = 0; k < size * size && averages != NULL; k++) averages->Sigma[k] -= averages->square[k];
  return check_finite(closure, error);
}

/* From the state before an epoch, `start`, and the one after it to the one that epochs without the corrections, m -> a^M m + const,
 * would end in; the norm of the change. */
static double extrapolate(const sgf_reshuffled_closure *closure, const double *start, double *end, size_t order)
{
  size_t size = closure->size, count = order == 1 ? size : order == 2 ? size * size : size * size * size;
  double change = 0.0, batches = (double)closure->moments.batches;
  for (size_t k = 0; k < count; k++) {
    double a = 1.0;
    for (size_t place = 0, rest_of = k; place < order; place++, rest_of /= size)
      a *= closure->moments.a[rest_of % size];
    double step = (end[k] - start[k]) / (1.0 - pow(a, batches));
    end[k] = start[k] + step;
    change += step * step;
  }
  return sqrt(change);
}

/* One pass towards the periodic state, by `moved`, relative; `start` is room for (1 + size + size^2, size). */
static sgf_status pass(sgf_reshuffled_closure *closure, double *start, double *moved, sgf_error *error)
{
  sgf_reshuffled_moments *moments = &closure->moments;
  size_t size = closure->size, square = size * size;
  memcpy(start, moments->mean, size * sizeof *start);
  memcpy(start + size, moments->second, square * sizeof *start);
  memcpy(start + size + square, moments->third, square * size * sizeof *start);
  double largest;
  sgf_status status = run_epoch(closure, NULL, &largest, error);
  if (status != SGF_OK) return status;
  double of_mean = extrapolate(closure, start, moments->mean, 1), scale = sgf_norm(size, moments->mean);
  double of_second = extrapolate(closure, start + size, moments->second, 2);
  scale += 0.1 * sqrt(largest); /* the mean counts from a tenth of a deviation on */
  *moved = fmax(scale > 0.0 ? of_mean / scale : 0.0, largest > 0.0 ? of_second / largest : 0.0);
  if (!closure->samples.linear) extrapolate(closure, start + size + square, moments->third, 3);
  return SGF_OK;
}

static sgf_status find_periodic(sgf_reshuffled_closure *closure, double tolerance, sgf_error *error)
{
  size_t size = closure->size;
  double *start, moved = INFINITY, before = INFINITY;
  bool settled = false, held = size == 0 || closure->samples.hessian[0] > 0.0;
  sgf_status status = sgf_new_reals(&start, 1 + size + size * size, size, "closure of epochs", error);
  for (int k = 0; k < MOST_PASSES && held && status == SGF_OK && !settled; k++) {
    before = moved;
    status = pass(closure, start, &moved, error);
    settled = moved <= tolerance || (moved <= LEAST_SETTLED && moved > 0.5 * before);
  }
  free(start);
  if (status == SGF_ERROR_MEMORY || (status == SGF_OK && settled)) return status;
  return sgf_fail(
      error, SGF_ERROR_UNSTABLE,
      "training.learning_rate is %g: the closure of reshuffled epochs has no quasi-stationary state, or it was "
      "not found in %d passes",
      closure->moments.lambda, MOST_PASSES);
}

/* The drift of the mean outside of the subspace: what fluctuations do to g, and the Hessian of a sample that is not used yet to what is
 * expected of delta then. */
static sgf_status drift_outside(sgf_reshuffled_closure *closure, const epoch_averages *averages, double *drift,
                                sgf_error *error)
{
  const sgf_problem *problem = closure->problem;
  const sgf_dataset *data = &problem->data;
  size_t n = closure->n, size = closure->size, P = data->samples, rank = 0;
  double *factor = NULL, *H = NULL, *D = NULL;
  sgf_averaged_operators found = {0};
  sgf_dataset one = {0};
  sgf_status status;
  SGF_TRY(sgf_new_reals(&H, n, n, "Hessian of a sample", error));
  SGF_TRY(sgf_new_reals(&D, n, 1, "Hessian of a sample", error));
  SGF_TRY(sgf_averaged_operators_create(n, n, &found, error));
  SGF_TRY(sgf_new_reals(&factor, size, n, "factor of the covariance", error));
  double *values = closure->work + size * size;
  memcpy(closure->work, averages->Sigma, size * size * sizeof(double));
  SGF_TRY(sgf_symmetric_eigen(size, closure->work, values, "the covariance", error));
  for (size_t k = 0; k < size; k++)
    if (values[k] > 0.0) {
      cblas_dscal((int)size, sqrt(values[k]), closure->work + k * size, 1);
      sgf_multiply(1, n, size, SGF_PLAIN, closure->work + k * size, SGF_PLAIN, closure->V, factor + n * rank++);
    }
  SGF_TRY(sgf_average_operators(&problem->network, data, problem->settings.training.weight_decay, closure->theta,
                                rank, factor, NULL, &found, error));
  for (size_t m = 0; m < P; m++) {
    SGF_TRY(sgf_dataset_from_arrays(1, data->inputs, data->outputs, data->X + m * data->inputs,
                                    data->Y + m * data->outputs, &one, error));
    SGF_TRY(sgf_hessian(&problem->network, &one, closure->theta, 0.0, H, error));
    sgf_dataset_free(&one);
    sgf_multiply(1, n, size, SGF_PLAIN, averages->D + m * size, SGF_PLAIN, closure->V, D);
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)n, (int)n, 1.0 / (double)P, H, (int)n, D, 1, 1.0, found.gradient,
                1);
  }
  sgf_multiply(size, 1, n, SGF_PLAIN, closure->basis, SGF_PLAIN, found.gradient, closure->work);
  sgf_multiply(1, n, size, SGF_PLAIN, closure->work, SGF_PLAIN, closure->basis, drift);
  for (size_t k = 0; k < n; k++) drift[k] -= found.gradient[k];
done:
  sgf_dataset_free(&one);
  sgf_averaged_operators_free(&found);
  free(factor);
  free(H);
  free(D);
  return status;
}

/* Out of the modes, about theta*. */
static void give_back(sgf_reshuffled_closure *closure, const epoch_averages *averages, double *Sigma, double *ends,
                      double *mean, double *second)
{
  const sgf_reshuffled_moments *moments = &closure->moments;
  size_t size = closure->size;
  double *turned = closure->work, *room = closure->work + size * size;
  for (size_t k = 0; k < size * size; k++)
    ends[k] = moments->second[k] - moments->mean[k / size] * moments->mean[k % size];
  sgf_out_of_basis(size, closure->modes, ends, room, ends);
  sgf_out_of_basis(size, closure->modes, averages->Sigma, room, Sigma);
  sgf_out_of_basis(size, closure->modes, averages->square, room, second);
  sgf_multiply(1, size, size, SGF_PLAIN, averages->mean, SGF_PLAIN, closure->modes, turned);
  for (size_t i = 0; i < size; i++) {
    const double *c = closure->point;
    mean[i] = turned[i] + c[i];
    for (size_t j = 0; j < size; j++) second[i * size + j] += turned[i] * c[j] + c[i] * turned[j] + c[i] * c[j];
  }
}

sgf_status sgf_reshuffled_closure_settle(sgf_reshuffled_closure *closure, double *Sigma, double *ends, double *mean,
                                         double *second, double *residual, double *drift, sgf_error *error)
{
  size_t size = closure->size, square = size * size;
  epoch_averages averages = {0};
  double largest;
  sgf_status status;
  *residual = NAN;
  rest(closure);
  SGF_TRY(look_around(closure, error));
  SGF_TRY(averages_create(closure, &averages, error));
  /* About its own mean: about theta* the covariance is the small difference of E[delta delta^T], to fourth order, and the square of a
   * mean that has more orders. */
  SGF_TRY(find_periodic(closure, NEARLY_SETTLED, error));
  SGF_TRY(move_point(closure, error));
  SGF_TRY(find_periodic(closure, SETTLED, error));
  memcpy(second, closure->moments.second, square * sizeof *second);
  SGF_TRY(run_epoch(closure, &averages, &largest, error));
  for (size_t k = 0; k < square; k++) second[k] -= closure->moments.second[k];
  *residual = largest > 0.0 ? sgf_norm(square, second) / largest : 0.0;
  SGF_TRY(drift_outside(closure, &averages, drift, error));
  give_back(closure, &averages, Sigma, ends, mean, second);
done:
  free(averages.block);
  if (status != SGF_OK) sgf_fill_nan(square, Sigma);
  return status;
}
