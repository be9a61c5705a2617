/* Steps of SGD that sgflow takes in a second.
 *
 *   sgd CASE THREADS SECONDS [sampler|portable|engine]
 *
 * Prints one line: replica-steps per second of wall clock, and per second of processor time of all threads together.
 * CASE is 1 ... 3, the networks of bench/sgd.py. With up to 1000 weights all of a simulation runs, with its moments;
 * with more, whose n x n moments nobody keeps, runs that record their mean weights as often. `sampler` draws the
 * minibatches and does nothing with them; `engine`
 * leaves the moments out, `portable` also uses the kernels without AVX. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../theory/memory.h"
#include "../verify/ensemble.h"
#include "../verify/sgd.h"

typedef struct {
  size_t width_count, widths[3], samples, batch, stride;
  double rate;
} bench_case;

/* The strides are about half a correlation time of the fastest mode, 0.5 / (rate h_max): h_max
 * is 2.9, 7.8 and about 8. sgf_plan_simulation makes them longer where snapshots would cost more than a share of the steps,
 * for 20-20-20 to some 50 steps, so that steps and statistics are there faster than here. */
static const bench_case CASES[] = {
    {2, {50, 1}, 100, 10, 17, 0.01}, {3, {20, 20, 20}, 400, 20, 6, 0.01}, {3, {100, 100, 100}, 1000, 50, 31, 0.002}};

enum { REPLICAS = 16 };

static double processor_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* At random weights: the speed does not depend on them, and the minimum of the largest network takes a minute. */
static void make(const bench_case *what, sgf_problem *problem)
{
  sgf_error error = {SGF_OK, ""};
  sgf_random random;
  memset(problem, 0, sizeof *problem);
  sgf_settings_init(&problem->settings);
  problem->settings.data.samples = what->samples;
  problem->settings.training.batch_size = what->batch;
  problem->settings.training.learning_rate = what->rate;
  if (sgf_network_create(what->widths, what->width_count, &problem->network, &error) != SGF_OK ||
      sgf_dataset_create(&problem->settings, NULL, what->widths[0], what->widths[what->width_count - 1], false,
                         &problem->data, &error) != SGF_OK ||
      sgf_new_reals(&problem->theta, problem->network.weights, 1, "weights", &error) != SGF_OK) {
    fprintf(stderr, "%s\n", error.message);
    exit(1);
  }
  sgf_random_at(&random, 1, 1, 0);
  for (size_t k = 0; k < problem->network.weights; k++)
    problem->theta[k] = sgf_random_normal(&random) / sqrt((double)what->widths[0]);
}

/* A run of so many steps with snapshots of the weights, as a simulation makes them. */
static double run_weights(const sgf_engine *engine, uint64_t replica, size_t steps, size_t stride)
{
  size_t n = engine->problem->network.weights;
  double *mean = calloc(n, sizeof *mean), *theta = calloc(n, sizeof *theta), sum = 0.0;
  sgf_sgd run;
  if (mean == NULL || theta == NULL || sgf_sgd_create(engine, replica, &run, NULL) != SGF_OK) exit(1);
  for (size_t t = 0; t < steps; t += stride) {
    sgf_sgd_advance(&run, stride, true);
    sgf_sgd_weights(&run, theta);
    for (size_t k = 0; k < n; k++) mean[k] += theta[k];
  }
  for (size_t k = 0; k < n; k++) sum += mean[k];
  sgf_sgd_free(&run);
  free(mean);
  free(theta);
  return sum;
}

static double run_sampler(const sgf_problem *problem, uint64_t replica, size_t steps)
{
  size_t S = problem->settings.training.batch_size, *indices = calloc(S, sizeof *indices), sum = 0;
  sgf_sampler sampler;
  if (indices == NULL || sgf_sampler_create(problem->settings.training.sampling, problem->data.samples, S,
                                            problem->settings.seed, replica, &sampler, NULL) != SGF_OK)
    exit(1);
  for (size_t t = 0; t < steps; t++) {
    sgf_sampler_draw(&sampler, t, indices);
    sum += indices[S - 1];
  }
  sgf_sampler_free(&sampler);
  free(indices);
  return (double)sum;
}

/* `steps` of every replica. */
static void run_all(const sgf_problem *problem, const sgf_engine *engine, size_t stride, int threads, size_t steps,
                    bool sampler, bool moments)
{
  if (moments) {
    sgf_plan plan = {.replicas = REPLICAS, .window_steps = steps, .stride = stride};
    sgf_ensemble *ensemble;
    sgf_error error = {SGF_OK, ""};
    if (sgf_simulate(problem, &plan, threads, NULL, NULL, &ensemble, &error) != SGF_OK) exit(1);
    sgf_ensemble_free(ensemble);
    return;
  }
  double sum = 0.0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) reduction(+ : sum)
  for (size_t r = 0; r < REPLICAS; r++)
    sum += sampler ? run_sampler(problem, r, steps) : run_weights(engine, r, steps, stride);
  if (isnan(sum)) exit(1);
}

/* Runs of so many snapshots, `stride` steps apart, as short ones of a plan are, until they have taken so long. */
static int run_planned(const sgf_problem *problem, int threads, double least, size_t stride, size_t snapshots)
{
  const sgf_plan plan = {.replicas = 4 * REPLICAS, .window_steps = stride * snapshots, .stride = stride};
  sgf_error error = {SGF_OK, ""};
  double wall = omp_get_wtime(), own = processor_seconds(), steps = 0.0;
  for (; omp_get_wtime() - wall < least; steps += (double)(plan.replicas * plan.window_steps)) {
    sgf_ensemble *ensemble;
    if (sgf_simulate(problem, &plan, threads, NULL, NULL, &ensemble, &error) != SGF_OK) return 1;
    sgf_ensemble_free(ensemble);
  }
  printf("%.6g %.6g\n", steps / (omp_get_wtime() - wall), steps / (processor_seconds() - own));
  return 0;
}

int main(int count, char **arguments)
{
  if (count < 4) return 64;
  const bench_case *what = &CASES[atoi(arguments[1]) - 1];
  int threads = atoi(arguments[2]);
  double least = atof(arguments[3]), seconds = 0.0, processor = 0.0;
  bool sampler = count > 4 && strcmp(arguments[4], "sampler") == 0;
  bool portable = count > 4 && strcmp(arguments[4], "portable") == 0;
  sgf_problem made, *problem = &made;
  sgf_engine *engine;
  make(what, problem);
  if (count > 6 && strcmp(arguments[4], "planned") == 0)
    return run_planned(problem, threads, least, strtoul(arguments[5], NULL, 10), strtoul(arguments[6], NULL, 10));
  const sgf_kernels *kernels = portable ? sgf_kernels_of(SGF_KERNELS_PORTABLE) : sgf_kernels_of_machine();
  if (sgf_engine_create_with(problem, 0, kernels, &engine, NULL) != SGF_OK) return 1;
  bool moments = count == 4 && problem->network.weights <= 1000;
  size_t steps = what->stride;
  while (seconds < least) {
    steps = seconds > 0.0 ? (size_t)ceil(1.2 * least / seconds * (double)steps / (double)what->stride) * what->stride
                          : 8 * what->stride;
    double wall = omp_get_wtime(), own = processor_seconds();
    run_all(problem, engine, what->stride, threads, steps, sampler, moments);
    seconds = omp_get_wtime() - wall;
    processor = processor_seconds() - own;
  }
  printf("%.6g %.6g\n", REPLICAS * (double)steps / seconds, REPLICAS * (double)steps / processor);
  sgf_engine_free(engine);
  sgf_network_free(&problem->network);
  sgf_dataset_free(&problem->data);
  free(problem->theta);
  return 0;
}
