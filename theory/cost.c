/* What a prediction takes in time and memory, estimated from the settings before anything is made. */
#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../io/hdf5_file.h"
#include "covariance_operator.h"
#include "leading_eigen.h"
#include "linear_algebra.h"
#include "memory.h"
#include "prediction.h"
#include "problem.h"
#include "reshuffled_moments.h"
#include "reshuffled_samples.h"
#include "tested_directions.h"

/* Above this n the dense path is taken only if nothing else will do: its n x n sets are not written then either. */
static const double MOST_DENSE = 4000.0;
/* Layers up to this size have a dense eigenproblem of their own. */
static const double DENSE_LAYER = 4000.0;

/* Everything that the estimates depend on, in real numbers: their products overflow integers. */
typedef struct {
  const sgf_settings *settings;
  double inputs, outputs, weights, samples, map; /* N_0, N_L, n, P, N_0 N_L */
  size_t layers;
  double rate; /* operations of large products per second */
  double
      eigen; /* what operations of an eigenproblem take, by those of products, relative to a machine where it was measured */
  bool separate, shared;
  bool directed; /* moments on directions are wanted too */
  bool dense;    /* or of all weights */
} shape;

/* ------------------------------------------------------- operations and bytes */

static double cube(double n) { return n * n * n; }

/* Operations of a symmetric eigenproblem, in those of products of the same speed: measured for 64 to 3200 rows,
 * where the factor is 1. */
static double eigen(const shape *of, double n) { return of->eigen * (7.0 * cube(n) + 3300.0 * n * n); }
static double eigenvalues(const shape *of, double n) { return of->eigen * (3.2 * cube(n) + 1500.0 * n * n); }

/* A change of the weights of a layer to the map, or back. */
static double push(const shape *of, size_t layer)
{
  double to = (double)of->settings->network.widths[layer], from = (double)of->settings->network.widths[layer - 1];
  return 2.0 * of->outputs * from * (to + of->inputs);
}

static double layer_size(const shape *of, size_t layer)
{
  return (double)of->settings->network.widths[layer] * (double)of->settings->network.widths[layer - 1];
}

static bool sampled(const shape *of)
{
  return of->settings->theory.noise == SGF_NOISE_EMPIRICAL && of->map > SGF_STORED_MODES && of->layers <= 2;
}

static bool stored(const shape *of)
{
  return !of->separate && (of->layers > 2 || of->map <= SGF_STORED_MODES) &&
         !(of->settings->theory.noise == SGF_NOISE_POPULATION && of->layers <= 2);
}

/* Whether a layer has a dense eigenproblem: it is small, or all its modes are asked for. */
static bool dense_layer(const shape *of, double size)
{
  return size <= DENSE_LAYER || (double)of->settings->theory.modes >= size;
}

/* Vectors of a block of a Krylov space, for a layer whose leading modes are found; 0 for another. */
static double krylov_block(const shape *of, double size)
{
  double leading = of->settings->theory.modes > 0 ? (double)of->settings->theory.modes : 200.0;
  bool within_outputs = of->layers <= 2 && (of->separate || of->settings->theory.modes == 0);
  return dense_layer(of, size) || within_outputs ? 0.0 : fmin(leading + 8.0, size);
}

/* Vectors of the whole space, of four blocks. */
static double krylov_rows(const shape *of, double size) { return fmin(4.0 * krylov_block(of, size), size); }

/* Z pair of blocks by pair of blocks, once. */
static double all_blocks(const shape *of)
{
  if (of->separate || stored(of)) return 0.0;
  /* the factor of the samples, or a product of each block and divisions, which are no products */
  double each = sampled(of) ? of->samples + 20.0 : of->inputs + 180.0;
  return of->outputs * of->outputs * of->inputs * of->inputs * each;
}

/* Second moment with every sample's own Hessian: the stability limit or its bound, and the equation if it is asked
 * for. */
static double hessian_noise(const shape *of)
{
  bool asked = of->settings->theory.equation == SGF_EQUATION_MULTIPLICATIVE;
  double hidden = 0.0;
  for (size_t l = 1; l < of->layers; l++) hidden += (double)of->settings->network.widths[l];
  double rows = hidden * (of->inputs + of->outputs);
  double application = 4.0 * of->map * rows * (of->map + 0.75 * rows);
  return asked ? 60.0 * application : fmin(17.0 * application, 6e10) + 2.0 * application;
}

static bool has_bottleneck(const sgf_settings *settings)
{
  const size_t *widths = settings->network.widths;
  size_t last = settings->network.width_count - 1;
  for (size_t l = 1; l < last; l++)
    if (widths[l] < widths[0] && widths[l] < widths[last]) return true;
  return false;
}

/* What the closure's averages by the map have of a sample that fluctuates. */
static double moving(const shape *of)
{
  double layers = (double)of->layers;
  return layers * of->outputs + (layers - 1.0) * of->inputs;
}

/* One set of averaged operators on range(H), as the map sees it. */
static double averages_of_map(const shape *of)
{
  double m = of->map, rank = m, P = of->samples, layers = (double)of->layers;
  double derived = layers * of->outputs * (of->outputs + of->inputs) + (layers - 1.0) * of->inputs * of->inputs;
  double pairs =
      2.0 * layers * layers; /* of layers, and of what fluctuates; the outer product of the gradients is one */
  double products = 12.0 * rank * of->weights * (of->inputs + of->outputs);
  double into_modes = 4.0 * m * m * (of->layers > 2 ? m : of->inputs);
  return 2.0 * P * (rank * derived + pairs * m * m) + 2.0 * P * rank * moving(of) * moving(of) + products +
         (layers * layers + 1.0) * rank * m * m + 2.0 * into_modes + 4.0 * pairs * m * m * ceil(P / 256.0) + 4e8;
}

/* Passes until the quasi-stationary state is found; sets of coefficients for runs of a plan's length, on directions. */
static const double PASSES = 8.0, INTERVALS = 23.0;
/* Of the rate of products, what these have, many of them small. */
static const double SHARE_OF_RATE = 0.75;

static bool is_closure(const shape *of) { return of->settings->theory.equation == SGF_EQUATION_CLOSURE; }

/* Whether the range of H is known by the map, and whether runs are followed in all directions. */
static bool is_of_map(const shape *of)
{
  return !(of->settings->training.weight_decay > 0.0) && !has_bottleneck(of->settings);
}
static bool follows_weights(const shape *of) { return of->weights <= SGF_MOST_FOLLOWED_WEIGHTS || !is_of_map(of); }

/* One set of averaged operators of all weights. */
static double averages_of_weights(const shape *of, double rank)
{
  double n = of->weights, widths = 0.0;
  for (size_t l = 0; l <= of->layers; l++) widths += 2.0 * (double)of->settings->network.widths[l];
  return n * n * 12.0 * (of->samples + rank) + 2.0 * of->samples * rank * widths * widths;
}

/* A step of the closure of reshuffled epochs, many small products; measured. Steps of runs of a plan's length. */
static bool is_reshuffled(const shape *of)
{
  return is_closure(of) && of->settings->training.sampling == SGF_SAMPLING_EPOCH;
}
static double reshuffled_step(const shape *of, double size) { return 130.0 * of->samples * cube(size); }
static const double RESHUFFLED_STEPS = 200.0;

/* The quasi-stationary state of the closure: in each pass averaged operators, and an eigenproblem of the size of the
 * range; with weight decay or a bottleneck also products with n x n matrices. Of reshuffled epochs some twenty
 * epochs. */
static double closure_operations(const shape *of)
{
  double n = of->weights, rank = fmin(of->map, n), each = eigen(of, rank) + 9.0 * cube(rank);
  if (!is_closure(of)) return 0.0;
  if (is_reshuffled(of)) /* the point is looked about three times */
    return 20.0 * of->samples / (double)of->settings->training.batch_size * reshuffled_step(of, rank) +
           3.0 * sgf_reshuffled_samples_operations((size_t)n, (size_t)of->samples, (size_t)rank, of->layers == 1);
  if (is_of_map(of)) return PASSES * (averages_of_map(of) + each) / SHARE_OF_RATE;
  return PASSES * (averages_of_weights(of, rank) + 8.0 * rank * n * n + each);
}

/* Runs of a plan's length by the closure, of all weights or on the range. */
static double closure_runs(const shape *of)
{
  bool all = follows_weights(of);
  if (is_reshuffled(of)) return RESHUFFLED_STEPS * reshuffled_step(of, of->weights);
  double size = all ? of->weights : of->map;
  double averages = all ? averages_of_weights(of, size) : averages_of_map(of) / SHARE_OF_RATE;
  return is_closure(of) ? INTERVALS * (averages + 2.0 * eigen(of, size) + 52.0 * cube(size)) : 0.0;
}

/* What it holds on the range: matrices of its size, and along each direction of the fluctuations the factor, the
 * layers, and the products of layers that are not constant, as they are and as the map sees them. */
static double closure_bytes(const shape *of)
{
  double m = of->map, in = of->inputs, out = of->outputs, layers = (double)of->layers, widest = fmax(in, out);
  double each = 2.0 * of->weights + (2.0 * layers + 3.0) * m + (layers - 1.0) * (in * in + out * out);
  if (!is_closure(of)) return 0.0;
  for (size_t l = 1; l < of->layers; l++) each += (double)of->settings->network.widths[l] * (2.0 * in + out);
  double samples = 256.0 * (moving(of) * moving(of) + 4.0 * widest * widest + 2.0 * m);
  return 8.0 * ((of->dense ? 30.0 : 18.0) * m * m + m * each + samples);
}

static double dense_operations(const shape *of)
{
  double n = of->weights, operations = of->layers == 1 ? 90.0 * cube(n) : 50.0 * cube(n) + hessian_noise(of);
  return operations + closure_operations(of) + (of->dense ? closure_runs(of) : 0.0) + n * n * of->samples +
         4e7 * sqrt(n);
}

static double dense_bytes(const shape *of)
{
  double square = 8.0 * of->weights * of->weights;
  bool krylov = of->layers > 1 && of->settings->theory.equation == SGF_EQUATION_MULTIPLICATIVE;
  if (is_reshuffled(of)) {
    size_t size = (size_t)(of->dense ? of->weights : fmin(of->map, of->weights)), P = (size_t)of->samples;
    double samples = sgf_reshuffled_samples_size(P, size, of->layers == 1);
    return 20.0 * square + 8.0 * (samples + sgf_reshuffled_moments_size(P, size));
  }
  if (is_closure(of) && of->dense && follows_weights(of)) return 44.0 * square;
  return is_closure(of) ? 14.0 * square + closure_bytes(of) : (krylov ? 50.0 : 20.0) * square;
}

/* Variance and curvature of one layer. */
static double layer_operations(const shape *of, size_t layer)
{
  double size = layer_size(of, layer), width = (double)of->settings->network.widths[layer - 1], m = of->inputs;
  double pair = 2.0 * m * width * (m + width);
  if (of->separate && of->shared) return 4.0 * m * m * width + 2000.0 * size;
  if (of->separate && of->layers <= 2) return of->outputs * (pair + eigen(of, width) + 4.0 * m * m * width);
  double rows = krylov_rows(of, size);
  if (dense_layer(of, size))
    return eigen(of, size) + size * (3.0 * push(of, layer) + 2.0 * of->map * of->map + 4.0 * of->map * m) +
           all_blocks(of) * ceil(size / 128.0);
  if (rows > 0.0) {
    /* Blocks until all has converged: 12 of 208 vectors, 80 of 28, measured with the spectra of random networks. */
    double block = krylov_block(of, size), blocks = fmin(2500.0 / block, 3.0 * SGF_MOST_RESTARTS);
    return blocks * (block * (2.0 * push(of, layer) + 2.0 * of->map * (stored(of) ? of->map : 0.0)) +
                     all_blocks(of) * ceil(block / 128.0) + 8.0 * rows * block * size);
  }
  return of->outputs * (pair + eigen(of, width)) + all_blocks(of) + 0.5 * of->outputs * of->outputs * pair;
}

static double diagonal_operations(const shape *of, size_t layer)
{
  double width = (double)of->settings->network.widths[layer - 1], m = of->inputs;
  if (of->separate && of->shared) return 4.0 * cube(m);
  if (of->layers > 2) return layer_size(of, layer) * (2.0 * push(of, layer) + 2.0 * of->map * of->map);
  double pairs = of->separate ? of->outputs : 0.5 * of->outputs * of->outputs;
  return pairs * (2.0 * m * m * width + 8.0 * layer_size(of, layer)) + all_blocks(of);
}

/* Directions of all weights together, at most. */
static double most_directions(const shape *of)
{
  return fmin((double)SGF_MOST_DIRECTIONS, fmax((double)SGF_MOST_IN_DIRECTIONS / of->weights, 6.0));
}

/* Beside the pairs of each layer: those of all weights, the QR, and a few products of all directions. */
static double direction_operations(const shape *of)
{
  double m = most_directions(of),
         pairs = of->separate             ? 0.0
                 : of->map <= DENSE_LAYER ? eigen(of, of->map)
                                          : 0.0,
         pushes = 0.0;
  for (size_t l = 1; l <= of->layers; l++) pushes += push(of, l);
  return pairs + 8.0 * m * m * of->weights + 6.0 * m * pushes + 4.0 * m * all_blocks(of) / 128.0 +
         2.0 * m * of->map * of->inputs;
}

/* Three copies of the directions, the candidates, the rows of an ensemble, and the runs under way: eight for each
 * processor, of 16 snapshots and some vectors of weights. */
static double direction_bytes(const shape *of)
{
  double runs = 8.0 * (double)sysconf(_SC_NPROCESSORS_ONLN) * 22.0 * of->weights;
  return 8.0 * (3.0 * most_directions(of) * of->weights + 2.0 * (double)SGF_MOST_IN_DIRECTIONS + runs) + 268435456.0;
}

/* Seconds of the fits of psi, of what is known by layer and of the closed forms beside, with 1000 resamples of up to
 * 20 000 modes; and of sorting and storing what is known of each weight. No products: measured where they take 16 ns
 * a mode. */
static double seconds_of_fits(const shape *of)
{
  double seconds = 3e-7 * of->weights;
  for (size_t l = 1; l <= of->layers; l++) {
    double size = layer_size(of, l), block = krylov_block(of, size), modes = block > 0.0 ? block - 8.0 : size;
    if (modes <= 20000.0) seconds += 1.6e-5 * modes;
    if (of->layers == 2 && size <= 20000.0) seconds += 1.6e-5 * size;
  }
  return seconds;
}

static double operator_operations(const shape *of, bool closed)
{
  double m = of->inputs, sum = 40.0 * of->samples * m * of->outputs; /* moments, residuals, traces of the noise */
  if (of->layers > 2)
    sum += eigen(of, of->map);
  else if (closed)
    sum +=
        eigen(of, m) + (of->outputs * cube(m) <= SGF_SPARE_OPERATIONS ? of->outputs + 3.0 : 3.0) * eigenvalues(of, m);
  else
    sum += (of->shared ? 1.0 : of->outputs) * eigen(of, m);
  if (stored(of) || sampled(of)) sum += of->samples * of->map * (2.0 * m + (sampled(of) ? 4.0 : of->map));
  for (size_t l = 1; l <= of->layers; l++)
    sum += (of->directed ? 2.0 : 1.0) * layer_operations(of, l) + diagonal_operations(of, l);
  if (of->directed) sum += direction_operations(of);
  return sum + closure_operations(of) + (of->directed ? closure_runs(of) : 0.0);
}

/* What the program takes by itself. */
static const double PROGRAM = 1e7;

static double operator_bytes(const shape *of)
{
  double m = of->inputs, widest = 0.0, vectors = of->separate && of->layers <= 2 ? 0.0 : 256.0 * of->map;
  double count = 8.0 * of->weights + of->samples * (3.0 * of->outputs + 2.0 * m);
  if (!of->shared) count += of->layers > 2 ? 3.0 * of->map * of->map : of->outputs * m * m;
  if (stored(of)) count += of->map * of->map + 512.0 * of->map;
  if (sampled(of)) count += of->map * (of->samples + 512.0);
  for (size_t l = 1; l <= of->layers; l++) {
    double size = layer_size(of, l), width = (double)of->settings->network.widths[l - 1];
    double dense = !(of->separate && of->layers <= 2) && dense_layer(of, size) ? 3.0 * size * size : 0.0;
    double krylov = 3.0 * krylov_rows(of, size) * size;
    double seen = of->shared ? 0.0 : of->outputs * m * width;
    widest = fmax(widest, fmax(seen, dense + krylov) + vectors);
  }
  if (is_closure(of) && of->map > SGF_STORED_MODES) count += of->map * of->map;
  return PROGRAM + closure_bytes(of) + 8.0 * (count + widest + 8.0 * m * m) +
         (of->directed ? direction_bytes(of) : 0.0);
}

/* ------------------------------------------------------------------ the choice */

/* Of this thread: what it would take on a machine that does nothing else. */
static double processor_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Operations per second of products: the best of five of 512 rows. */
static double rate_of_products(int size, const double *A, double *C)
{
  double rate = 0.0;
  for (int k = 0; k < 5; k++) {
    double start = processor_seconds();
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, size, size, size, 1.0, A, size, A, size, 0.0, C, size);
    rate = fmax(rate, 2.0 * cube(size) / fmax(processor_seconds() - start, 1e-9));
  }
  return rate;
}

/* What the count of operations of an eigenproblem is to be multiplied by: the best of three of 192 rows. */
static double factor_of_eigenproblems(double rate, double *A, double *values)
{
  enum { ROWS = 192 };
  double least = INFINITY;
  for (int k = 0; k < 3; k++) {
    for (size_t i = 0; i < ROWS; i++) /* nothing deflates */
      for (size_t j = 0; j < ROWS; j++) A[i * ROWS + j] = cos((double)(i * j + 1)) + cos((double)(i + j));
    double start = processor_seconds();
    if (sgf_symmetric_eigen(ROWS, A, values, "measured speed", NULL) != SGF_OK) return 1.0;
    least = fmin(least, processor_seconds() - start);
  }
  return least * rate / (7.0 * cube(ROWS) + 3300.0 * ROWS * ROWS);
}

static sgf_status measure_rates(shape *of, sgf_error *error)
{
  const int size = 512;
  double *A = NULL;
  size_t square = (size_t)size * (size_t)size;
  sgf_status status = sgf_new_reals(&A, 2, square, "measured speed", error);
  if (status != SGF_OK) return status;
  for (size_t k = 0; k < square; k++) A[k] = 1.0;
  of->rate = rate_of_products(size, A, A + square);
  of->eigen = factor_of_eigenproblems(of->rate, A, A + square);
  free(A);
  return SGF_OK;
}

/* Why the operator is not built for the settings; NULL if it is. */
static const char *refusal_of_operator(const sgf_settings *settings)
{
  if (settings->theory.equation == SGF_EQUATION_EXACT) return "theory.equation is exact";
  if (settings->theory.equation == SGF_EQUATION_MULTIPLICATIVE) return "theory.equation is multiplicative";
  if (settings->training.sampling == SGF_SAMPLING_EPOCH) return "training.sampling is epoch";
  if (settings->training.weight_decay > 0.0) return "training.weight_decay is not 0";
  if (has_bottleneck(settings)) return "network.widths have a bottleneck";
  return NULL;
}

/* The index of the operator's path, and why it is not one of the others. */
static size_t path_of_operator(const shape *of, sgf_costs *costs)
{
  const sgf_settings *settings = of->settings;
  const char *refusal = refusal_of_operator(settings);
  bool isotropic = settings->theory.noise == SGF_NOISE_ISOTROPIC ||
                   (settings->theory.noise == SGF_NOISE_POPULATION && of->outputs == 1.0);
  bool in_blocks = of->layers <= 2 && settings->theory.noise != SGF_NOISE_EMPIRICAL;
  const char *not_closed = of->directed                                          ? "directions are in the modes of H"
                           : settings->theory.equation != SGF_EQUATION_CONTINUUM ? "theory.equation is not continuum"
                           : !isotropic                                          ? "theory.noise is not isotropic"
                           : of->layers > 2                          ? "network.widths have more than two layers"
                           : !isnan(settings->theory.rank_tolerance) ? "theory.rank_tolerance is given"
                                                                     : NULL;
  const char *not_blocks = of->layers > 2 ? "network.widths have more than two layers" : "theory.noise is empirical";
  costs->paths[1].refusal = refusal != NULL ? refusal : in_blocks ? "kronecker does the same with less" : NULL;
  costs->paths[2].refusal = refusal != NULL      ? refusal
                            : !in_blocks         ? not_blocks
                            : not_closed == NULL ? "closed-form does the same with less"
                                                 : NULL;
  costs->paths[3].refusal = refusal != NULL ? refusal : not_closed;
  return not_closed == NULL ? 3 : in_blocks ? 2 : 1;
}

static void estimate(shape *of, bool dense, sgf_costs *costs)
{
  static const char *const names[] = {"dense", "reduced", "kronecker", "closed-form"};
  size_t path = path_of_operator(of, costs);
  bool built = costs->paths[path].refusal == NULL;
  sgf_noise noise = of->settings->theory.noise;
  costs->count = sizeof names / sizeof *names;
  for (size_t k = 0; k < costs->count; k++) {
    bool closed = k == 3;
    costs->paths[k].path = names[k];
    of->shared = of->layers == 1 || closed;
    of->separate = noise == SGF_NOISE_ISOTROPIC || closed ||
                   (noise == SGF_NOISE_POPULATION && (of->layers == 1 || of->outputs == 1.0));
    costs->paths[k].seconds =
        (k == 0 ? dense_operations(of) : operator_operations(of, closed)) / of->rate + seconds_of_fits(of);
    costs->paths[k].bytes = k == 0 ? dense_bytes(of) : operator_bytes(of);
  }
  costs->chosen = dense || !built || of->weights <= MOST_DENSE ? 0 : path;
  costs->reason = dense                       ? "the n x n sets are asked for"
                  : of->weights <= MOST_DENSE ? "n is at most 4000"
                  : !built                    ? costs->paths[path].refusal
                                              : "n is above 4000";
}

/* P: the settings', or the file's, or the default. */
static sgf_status count_samples(const sgf_settings *settings, const char *folder, double *samples, sgf_error *error)
{
  sgf_hdf5_input file = {0};
  double *X = NULL;
  char path[4096];
  size_t extent[2] = {0};
  sgf_status status = SGF_OK;
  *samples = settings->data.samples > 0 ? (double)settings->data.samples : 400.0;
  if (settings->data.source != SGF_SOURCE_FILE || settings->data.file == NULL) return SGF_OK;
  bool absolute = folder == NULL || settings->data.file[0] == '/';
  snprintf(path, sizeof path, "%s%s%s", absolute ? "" : folder, absolute ? "" : "/", settings->data.file);
  SGF_TRY(sgf_hdf5_open(path, &file, error));
  SGF_TRY(sgf_hdf5_read(&file, "X", 2, extent, &X, error));
  *samples = (double)extent[0];
done:
  sgf_hdf5_close(&file);
  free(X);
  return status;
}

static sgf_status estimate_costs(const sgf_settings *settings, const char *folder, bool dense, bool directed,
                                 sgf_costs *costs, sgf_error *error)
{
  shape of = {.settings = settings, .directed = directed, .dense = dense || directed};
  sgf_network network = {0};
  sgf_status status;
  memset(costs, 0, sizeof *costs);
  SGF_TRY(sgf_network_create(settings->network.widths, settings->network.width_count, &network, error));
  SGF_TRY(sgf_settings_check(settings, error));
  of.layers = network.layers;
  of.inputs = (double)sgf_network_inputs(&network);
  of.outputs = (double)sgf_network_outputs(&network);
  of.weights = (double)network.weights;
  of.map = of.inputs * of.outputs;
  SGF_TRY(count_samples(settings, folder, &of.samples, error));
  SGF_TRY(measure_rates(&of, error));
  estimate(&of, dense, costs);
  costs->weights = network.weights;
  costs->samples = (size_t)of.samples;
  costs->memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  costs->fits = costs->paths[costs->chosen].bytes <= costs->memory &&
                (costs->chosen != 0 || costs->weights <= SGF_MOST_DENSE_WEIGHTS);
done:
  sgf_network_free(&network);
  return status;
}

sgf_status sgf_estimate_costs(const sgf_settings *settings, const char *folder, bool dense, sgf_costs *costs,
                              sgf_error *error)
{
  return estimate_costs(settings, folder, dense, false, costs, error);
}

sgf_status sgf_estimate_costs_on_directions(const sgf_settings *settings, const char *folder, sgf_costs *costs,
                                            sgf_error *error)
{
  return estimate_costs(settings, folder, false, true, costs, error);
}
