/* Weights recorded by another program, turned into the moments that the comparison reads. */
#include <math.h>
#include <stdlib.h>

#include "../io/hdf5_file.h"
#include "../theory/memory.h"
#include "../theory/problem.h"
#include "ensemble.h"

/* One long run is cut into this many batches; each must hold many correlation times to stand for a replica. */
enum { BATCHES = 24, LEAST_RUNS = 4 };

static sgf_status check_shape(const char *path, const size_t *shape, size_t n, sgf_error *error)
{
  if (shape[2] != n)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%s: weights has shape (%zu, %zu, %zu), the network has n = %zu weights, (R, T, n) is expected",
                    path, shape[0], shape[1], shape[2], n);
  if (shape[0] > 1 && shape[0] < LEAST_RUNS)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: weights has %zu runs: a comparison needs 1 long one, or %d or more",
                    path, shape[0], LEAST_RUNS);
  if (shape[0] == 0 || shape[1] < 2)
    return sgf_fail(error, SGF_ERROR_VALUE, "%s: weights has %zu runs of %zu snapshots: at least 1 of 2", path,
                    shape[0], shape[1]);
  if (shape[0] == 1 && shape[1] < 4 * BATCHES)
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%s: one run of %zu snapshots: at least %d are needed for error bars, or several runs", path,
                    shape[1], 4 * BATCHES);
  return SGF_OK;
}

/* Their squares are summed. */
static const double LARGEST_WEIGHT = 1e100;

static sgf_status check_finite(const char *path, const size_t *shape, const double *weights, sgf_error *error)
{
  for (size_t k = 0; k < shape[0] * shape[1] * shape[2]; k++)
    if (!(fabs(weights[k]) <= LARGEST_WEIGHT))
      return sgf_fail(error, SGF_ERROR_VALUE, "%s: weights[%zu, %zu, %zu] is %g, not a number up to %g", path,
                      k / (shape[1] * shape[2]), k / shape[2] % shape[1], k % shape[2], weights[k], LARGEST_WEIGHT);
  return SGF_OK;
}

/* (R, T, n), or (T, n) as (1, T, n); and the attributes `stride`, steps between snapshots, and `burn_in_steps`, steps from theta*
 * before them, NaN without it. */
static sgf_status read_weights(const char *path, size_t *shape, double **weights, double *stride, double *burn_in,
                               sgf_error *error)
{
  sgf_hdf5_input file = {0};
  size_t rank, flat[2];
  sgf_status status;
  SGF_TRY(sgf_hdf5_open(path, &file, error));
  SGF_TRY(sgf_hdf5_rank(&file, "weights", &rank, error));
  SGF_TRY(sgf_hdf5_read_attribute(&file, "weights", "stride", stride, error));
  SGF_TRY(sgf_hdf5_read_attribute(&file, "weights", "burn_in_steps", burn_in, error));
  if (rank == 2) {
    SGF_TRY(sgf_hdf5_read(&file, "weights", 2, flat, weights, error));
    shape[0] = 1;
    shape[1] = flat[0];
    shape[2] = flat[1];
  } else {
    SGF_TRY(sgf_hdf5_read(&file, "weights", 3, shape, weights, error));
  }
done:
  sgf_hdf5_close(&file);
  return status;
}

/* One run, from weights (runs, length, n). */
static sgf_status accumulate_run(const sgf_problem *problem, const double *weights, size_t length, size_t run,
                                 sgf_ensemble *ensemble, sgf_error *error)
{
  sgf_accumulator accumulator;
  size_t n = problem->network.weights, rows = ensemble->info.pools;
  sgf_status status = sgf_accumulator_create(ensemble, run % rows, length, &accumulator, error);
  if (status != SGF_OK) return status;
  sgf_ensemble_open_row(ensemble, run % rows, run / rows);
  for (size_t t = 0; t < length; t++) sgf_accumulate(&accumulator, weights + (run * length + t) * n, problem->theta);
  sgf_accumulator_end(&accumulator);
  sgf_ensemble_close_row(ensemble, run % rows, run / rows);
  sgf_accumulator_free(&accumulator);
  return SGF_OK;
}

/* About the means of windows, the length of a window counts. Runs whose start is not known are stationary: they began long ago. */
static sgf_status centre_windows(const char *path, double stride, double burn_in, size_t snapshots,
                                 sgf_ensemble *ensemble, sgf_error *error)
{
  bool known = !isnan(burn_in);
  if (isnan(stride))
    return sgf_fail(
        error, SGF_ERROR_VALUE,
        "%s: weights has no attribute stride: simulation.protocol window-pca needs the steps between snapshots",
        path);
  if (!(stride >= 1.0 && stride == floor(stride) && stride < 1e12))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%s: attribute stride of weights is %g: simulation.protocol window-pca needs the steps between "
                    "snapshots, a whole number",
                    path, stride);
  if (known && !(burn_in >= 0.0 && burn_in == floor(burn_in) && burn_in < 1e15))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%s: attribute burn_in_steps of weights is %g: it must be a whole number of steps", path,
                    burn_in);
  ensemble->info.centred = true;
  ensemble->info.plan = (sgf_plan){.replicas = ensemble->info.replicas,
                                   .burn_in_steps = known ? (size_t)burn_in : SGF_LONG_AGO,
                                   .window_steps = snapshots * (size_t)stride,
                                   .stride = (size_t)stride,
                                   .centred = true};
  return SGF_OK;
}

/* What was recorded. */
typedef struct {
  const char *origin;    /* for messages: the file, or what else */
  size_t shape[3];       /* R, T, n */
  const double *weights; /* (R, T, n) */
  double *own;           /* the same, if it may be taken over; else NULL */
  double stride;         /* steps between snapshots, NaN: not known */
  double burn_in;        /* steps from theta* before them, NaN: not known */
} recorded;

/* Keep delta of every snapshot, for what runs show in time; takes the weights over where it can. */
static sgf_status keep_snapshots(recorded *runs, const sgf_problem *problem, size_t length, sgf_ensemble *ensemble,
                                 sgf_error *error)
{
  size_t count = ensemble->info.replicas * length, whole = problem->network.weights, n = ensemble->n;
  double *kept = runs->own, *work = NULL, stride = runs->stride;
  sgf_status status = SGF_OK;
  if (isnan(stride) || ensemble->info.centred) return SGF_OK;
  if (!(stride >= 1.0 && stride == floor(stride) && stride < 1e12))
    return sgf_fail(error, SGF_ERROR_VALUE,
                    "%s: attribute stride of weights is %g: it must be a whole number of steps", runs->origin,
                    stride);
  SGF_TRY(sgf_new_reals(&work, whole, 1, "snapshots", error));
  if (ensemble->directions != NULL || kept == NULL)
    SGF_TRY(sgf_new_reals(&kept, count, n, "snapshots", error));
  else
    runs->own = NULL;
  ensemble->snapshots = kept;
  for (size_t k = 0; k < count; k++)
    sgf_ensemble_deviation(ensemble, runs->weights + k * whole, problem->theta, work, kept + k * n);
  ensemble->length = length;
  ensemble->stride = (size_t)stride;
done:
  free(work);
  return status;
}

/* Room for the runs, on `count` directions if any. */
static sgf_status create_ensemble(const sgf_problem *problem, size_t runs, size_t count, const double *directions,
                                  sgf_ensemble **ensemble, sgf_error *error)
{
  if (count > 0) return sgf_ensemble_create_on(runs, &problem->network, count, directions, false, ensemble, error);
  return sgf_ensemble_create(runs, 0, 0, problem->network.weights, false, ensemble, error);
}

/* The moments of what was recorded. */
static sgf_status collect(recorded *made_of, const sgf_problem *problem, size_t count, const double *directions,
                          sgf_ensemble **ensemble, sgf_error *error)
{
  const size_t *shape = made_of->shape;
  size_t runs, length;
  sgf_ensemble *made = NULL;
  sgf_status status;
  SGF_TRY(check_shape(made_of->origin, shape, problem->network.weights, error));
  SGF_TRY(check_finite(made_of->origin, shape, made_of->weights, error));
  runs = shape[0] > 1 ? shape[0] : BATCHES;
  length = shape[0] > 1 ? shape[1] : shape[1] / BATCHES;
  SGF_TRY(create_ensemble(problem, runs, count, directions, &made, error));
  if (problem->settings.simulation.protocol == SGF_PROTOCOL_WINDOW_PCA)
    SGF_TRY(centre_windows(made_of->origin, made_of->stride, shape[0] > 1 ? made_of->burn_in : NAN, length, made,
                           error)); /* batches of one run are at all times of it */
  for (size_t run = 0; run < runs; run++)
    SGF_TRY(accumulate_run(problem, made_of->weights, length, run, made, error));
  made->info.recorded = true;
  made->info.batches = shape[0] == 1;
  sgf_ensemble_summarize(made);
  SGF_TRY(keep_snapshots(made_of, problem, length, made, error));
  *ensemble = made;
  made = NULL;
done:
  sgf_ensemble_free(made);
  return status;
}

static sgf_status read_runs(const char *path, const sgf_problem *problem, size_t count, const double *directions,
                            sgf_ensemble **ensemble, sgf_error *error)
{
  recorded read = {.origin = path, .stride = NAN, .burn_in = NAN};
  sgf_status status;
  SGF_TRY(read_weights(path, read.shape, &read.own, &read.stride, &read.burn_in, error));
  read.weights = read.own;
  SGF_TRY(collect(&read, problem, count, directions, ensemble, error));
done:
  free(read.own);
  return status;
}

static sgf_status check_directions(const sgf_problem *problem, size_t count, sgf_error *error)
{
  if (problem->settings.simulation.protocol == SGF_PROTOCOL_WINDOW_PCA)
    return sgf_fail(error, SGF_ERROR_UNSUPPORTED,
                    "simulation.protocol is window-pca: moments on directions are built for ensembles");
  if (count == 0) return sgf_fail(error, SGF_ERROR_VALUE, "a trajectory on 0 directions: nothing to read");
  return SGF_OK;
}

sgf_status sgf_trajectory_read(const char *path, const sgf_problem *problem, sgf_ensemble **ensemble,
                               sgf_error *error)
{
  *ensemble = NULL;
  sgf_status status = sgf_check_dense(&problem->network, error);
  return status == SGF_OK ? read_runs(path, problem, 0, NULL, ensemble, error) : status;
}

sgf_status sgf_trajectory_read_on(const char *path, const sgf_problem *problem, size_t count,
                                  const double *directions, sgf_ensemble **ensemble, sgf_error *error)
{
  *ensemble = NULL;
  sgf_status status = check_directions(problem, count, error);
  return status == SGF_OK ? read_runs(path, problem, count, directions, ensemble, error) : status;
}

sgf_status sgf_trajectory_from_array(const sgf_problem *problem, size_t runs, size_t snapshots, const double *weights,
                                     size_t stride, size_t count, const double *directions, sgf_ensemble **ensemble,
                                     sgf_error *error)
{
  recorded given = {
      .origin = "the array", .weights = weights, .stride = stride > 0 ? (double)stride : NAN, .burn_in = NAN};
  given.shape[0] = runs;
  given.shape[1] = snapshots;
  given.shape[2] = problem->network.weights;
  *ensemble = NULL;
  sgf_status status =
      directions == NULL ? sgf_check_dense(&problem->network, error) : check_directions(problem, count, error);
  return status == SGF_OK ? collect(&given, problem, directions == NULL ? 0 : count, directions, ensemble, error)
                          : status;
}
