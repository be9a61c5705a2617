/* A hidden layer turns: its angle against time, and the second moment of all weights about theta*, from theory and from SGD,
 * as rows of a table (CSV on standard output).
 *
 *   rotation [--quick]   4-4-4, S = 4 with replacement, learning rate 0.01, P = 16 and 400, 400 units of time
 *
 * The angle of theta is that of the orthogonal matrix R with W_1 = R W_1*, W_2 = W_2* R^T as nearly as can be (the polar factor
 * of W_1 W_1*^T + W_2^T W_2*), (R - R^T) / 2 along the direction in which theory says that the layer turns. Theory: the mean
 * path along the minima, fluctuations, rotations that diffuse, scalings that follow (theory/README.md, section 14).
 * Joined: mean and fluctuations by the closure instead (section 13). Deviations of matrices, and of
 * the covariance about the mean, are Frobenius norms, sampling noise taken off. */
#include <gsl/gsl_errno.h>
#include <gsl/gsl_statistics_double.h>
#include <lapacke.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../theory/closure.h"
#include "../theory/linear_algebra.h"
#include "../theory/memory.h"
#include "../theory/null_motion.h"
#include "../verify/sgd.h"
#include "../verify/statistics.h"

enum { WIDTH = 4, WEIGHTS = 2 * WIDTH * WIDTH, PLANES = WIDTH * (WIDTH - 1) / 2, TIMES = 8 };
static const double END = 400.0;

extern void openblas_set_num_threads(int) __attribute__((weak));

/* One network, what is predicted of it, and its angle's direction. */
typedef struct {
  sgf_problem *problem;
  sgf_prediction *prediction;
  sgf_slow_path path;
  sgf_closure *closure;
  double direction[PLANES];
  double gradient[WEIGHTS]; /* of the angle at theta* */
} network;

/* What theory says at one time; matrices are second moments about theta*. */
typedef struct {
  double angle, spread;   /* of the angle: mean, standard deviation over runs */
  double range, rotation; /* traces: fluctuations on range(H), rotations and scalings about the path */
  double path;            /* |theta(t) - theta*|^2 */
  double second[WEIGHTS * WEIGHTS];
  double joined[WEIGHTS * WEIGHTS]; /* with mean and fluctuations by the closure, the next order */
} forecast;

/* ------------------------------------------------------------------------ the angle */

static double angle_of(const network *net, const double *theta)
{
  const double *start = net->problem->theta, half = WIDTH * WIDTH;
  double X[WIDTH * WIDTH], Y[WIDTH * WIDTH], s[WIDTH], U[WIDTH * WIDTH], V[WIDTH * WIDTH], R[WIDTH * WIDTH];
  double superb[WIDTH], angle = 0.0;
  size_t second = (size_t)half, plane = 0;
  sgf_multiply(WIDTH, WIDTH, WIDTH, SGF_PLAIN, theta, SGF_TRANSPOSED, start, X);
  sgf_multiply(WIDTH, WIDTH, WIDTH, SGF_TRANSPOSED, theta + second, SGF_PLAIN, start + second, Y);
  for (size_t k = 0; k < WIDTH * WIDTH; k++) X[k] += Y[k];
  if (LAPACKE_dgesvd(LAPACK_ROW_MAJOR, 'A', 'A', WIDTH, WIDTH, X, WIDTH, s, U, WIDTH, V, WIDTH, superb) != 0)
    return NAN;
  sgf_multiply(WIDTH, WIDTH, WIDTH, SGF_PLAIN, U, SGF_PLAIN, V, R);
  for (size_t i = 0; i < WIDTH; i++)
    for (size_t j = i + 1; j < WIDTH; j++)
      angle += net->direction[plane++] * 0.5 * (R[i * WIDTH + j] - R[j * WIDTH + i]);
  return angle;
}

/* The direction in which the path sets out, and how the angle along it depends on weights. */
static void find_direction(network *net)
{
  const double *theta = net->problem->theta;
  double moved[WEIGHTS], each[PLANES], norm, step = 1e-5;
  for (size_t k = 0; k < WEIGHTS; k++) moved[k] = theta[k] + net->path.velocity[k] * 1e-2 / sgf_norm(WEIGHTS, theta);
  for (size_t plane = 0; plane < PLANES; plane++) {
    for (size_t k = 0; k < PLANES; k++) net->direction[k] = k == plane;
    each[plane] = angle_of(net, moved);
  }
  norm = sgf_norm(PLANES, each);
  for (size_t k = 0; k < PLANES; k++) net->direction[k] = each[k] / norm;
  for (size_t k = 0; k < WEIGHTS; k++) {
    memcpy(moved, theta, sizeof moved);
    moved[k] = theta[k] + step;
    double ahead = angle_of(net, moved);
    moved[k] = theta[k] - step;
    net->gradient[k] = (ahead - angle_of(net, moved)) / (2.0 * step);
  }
}

/* --------------------------------------------------------------------------- theory */

static sgf_status make_network(size_t samples, network *net, sgf_error *error)
{
  sgf_settings settings;
  size_t widths[] = {WIDTH, WIDTH, WIDTH};
  sgf_status status;
  sgf_settings_init(&settings);
  settings.network.widths = widths;
  settings.network.width_count = 3;
  settings.data.samples = samples;
  settings.training.batch_size = 4;
  settings.training.learning_rate = 0.01;
  SGF_TRY(sgf_problem_create(&settings, NULL, false, &net->problem, error));
  SGF_TRY(sgf_predict(net->problem, false, &net->prediction, error));
  SGF_TRY(sgf_slow_path_create(net->problem, net->prediction, 0.0, END, &net->path, error));
  SGF_TRY(sgf_closure_create(net->problem, WEIGHTS, NULL, &net->closure, error));
  find_direction(net);
done:
  return status;
}

/* Covariance of nu about the path after a time: rotations have diffused, scalings follow the fluctuations. */
static sgf_status spread_of_modes(const network *net, double time, size_t count, const sgf_mode *modes,
                                  double *covariance, sgf_error *error)
{
  const sgf_lags rate = {0.0, 0.0}, long_after = {1.0, 1e6};
  double *slaved = NULL;
  sgf_motion motion = {0};
  sgf_status status;
  SGF_TRY(sgf_new_reals(&slaved, count, count, "scalings", error));
  SGF_TRY(sgf_motion_create(&net->problem->network, &net->prediction->joint, &motion, error));
  SGF_TRY(sgf_motion_covariance(&motion, &rate, count, modes, covariance, error));
  SGF_TRY(sgf_motion_covariance(&motion, &long_after, count, modes, slaved, error));
  for (size_t a = 0; a < count; a++)
    for (size_t b = 0; b < count; b++) {
      bool turning = modes[a].rotation && modes[b].rotation, scaling = !modes[a].rotation && !modes[b].rotation;
      double *element = &covariance[a * count + b];
      *element = turning ? *element * time : scaling ? 0.5 * slaved[a * count + b] : 0.0; /* one end of two */
    }
done:
  sgf_motion_free(&motion);
  free(slaved);
  return status;
}

/* Mean and fluctuations of the closure, those outside of the symmetry's directions at its mean, with the spread `null` of
 * what moves along these. */
static sgf_status join(const network *net, const double *null, double *joined, sgf_error *error)
{
  enum { MODES = WIDTH * WIDTH };
  const sgf_problem *problem = net->problem;
  const double *mean = sgf_closure_mean(net->closure), *Sigma = sgf_closure_covariance(net->closure);
  sgf_mode modes[MODES];
  double gram[MODES * MODES], lift[MODES * WEIGHTS], directions[MODES * WEIGHTS], outside[WEIGHTS * WEIGHTS];
  double theta[WEIGHTS], work[WEIGHTS * WEIGHTS];
  size_t rank;
  for (size_t k = 0; k < WEIGHTS; k++) theta[k] = problem->theta[k] + mean[k];
  sgf_symmetries(&problem->network, modes);
  sgf_status status = sgf_symmetry_lift(&problem->network, theta, MODES, modes, gram, lift, &rank, error);
  if (status != SGF_OK) return status;
  for (size_t a = 0; a < MODES; a++)
    sgf_symmetry_apply(&problem->network, &modes[a], theta, directions + a * WEIGHTS);
  sgf_multiply(WEIGHTS, WEIGHTS, MODES, SGF_TRANSPOSED, lift, SGF_PLAIN, directions, outside);
  for (size_t k = 0; k < WEIGHTS * WEIGHTS; k++) outside[k] = (k % (WEIGHTS + 1) == 0) - outside[k];
  sgf_multiply(WEIGHTS, WEIGHTS, WEIGHTS, SGF_PLAIN, outside, SGF_PLAIN, Sigma, work);
  sgf_multiply(WEIGHTS, WEIGHTS, WEIGHTS, SGF_PLAIN, work, SGF_TRANSPOSED, outside, joined);
  for (size_t k = 0; k < WEIGHTS * WEIGHTS; k++) joined[k] += null[k] + mean[k / WEIGHTS] * mean[k % WEIGHTS];
  return SGF_OK;
}

static sgf_status predict_at(const network *net, double time, forecast *at, sgf_error *error)
{
  enum { MODES = WIDTH * WIDTH };
  const sgf_problem *problem = net->problem;
  sgf_mode modes[MODES];
  double covariance[MODES * MODES], gram[MODES * MODES], lift[MODES * WEIGHTS], work[MODES * WEIGHTS];
  double null[WEIGHTS * WEIGHTS], moved[WEIGHTS], mean[WEIGHTS];
  size_t step = (size_t)(time / problem->settings.training.learning_rate + 0.5), rank;
  sgf_plan plan = {.replicas = 1, .burn_in_steps = step - 1, .window_steps = 1, .stride = 1};
  sgf_status status;
  sgf_symmetries(&problem->network, modes);
  SGF_TRY(spread_of_modes(net, time, MODES, modes, covariance, error));
  SGF_TRY(sgf_symmetry_lift(&problem->network, problem->theta, MODES, modes, gram, lift, &rank, error));
  sgf_multiply(MODES, WEIGHTS, MODES, SGF_PLAIN, covariance, SGF_PLAIN, lift, work);
  sgf_multiply(WEIGHTS, WEIGHTS, MODES, SGF_TRANSPOSED, lift, SGF_PLAIN, work, null);
  SGF_TRY(sgf_prediction_window(problem, net->prediction, 0, &plan, at->second, mean, error));
  sgf_slow_path_at(&net->path, time, moved);
  at->range = sgf_trace(WEIGHTS, at->second);
  at->rotation = sgf_trace(WEIGHTS, null);
  at->path = sgf_dot(WEIGHTS, moved, moved);
  for (size_t k = 0; k < WEIGHTS * WEIGHTS; k++) at->second[k] += null[k];
  at->spread = sqrt(sgf_quadratic_form(WEIGHTS, at->second, net->gradient));
  for (size_t k = 0; k < WEIGHTS * WEIGHTS; k++) at->second[k] += moved[k / WEIGHTS] * moved[k % WEIGHTS];
  for (size_t k = 0; k < WEIGHTS; k++) moved[k] += problem->theta[k];
  at->angle = angle_of(net, moved);
  status = join(net, null, at->joined, error);
done:
  return status;
}

/* ------------------------------------------------------------------------------ SGD */

/* theta - theta* of every run at every time, (TIMES, runs, n). */
static sgf_status run_sgd(const network *net, size_t runs, double *moved, sgf_error *error)
{
  const sgf_problem *problem = net->problem;
  size_t steps = (size_t)(END / problem->settings.training.learning_rate / TIMES + 0.5);
  sgf_engine *engine;
  sgf_status status = sgf_engine_create(problem, 0, &engine, error), worst = SGF_OK;
  if (status != SGF_OK) return status;
#pragma omp parallel for schedule(dynamic, 1)
  for (size_t r = 0; r < runs; r++) {
    sgf_sgd run;
    sgf_error own;
    if (sgf_sgd_create(engine, r, &run, &own) != SGF_OK) {
#pragma omp atomic write
      worst = SGF_ERROR_MEMORY;
      continue;
    }
    for (size_t t = 0; t < TIMES; t++) {
      double *delta = moved + (t * runs + r) * WEIGHTS;
      sgf_sgd_advance(&run, steps, false);
      sgf_sgd_weights(&run, delta);
      for (size_t k = 0; k < WEIGHTS; k++) delta[k] -= problem->theta[k];
    }
    sgf_sgd_free(&run);
  }
  sgf_engine_free(engine);
  return worst == SGF_OK ? SGF_OK : sgf_fail(error, worst, "no memory for the runs");
}

/* Frobenius norm of the runs' second moment about `centre` less the predicted one, relative, without the bias of its
 * noise; and what it is below, by two standard errors of its square. */
static sgf_status deviation_of(size_t runs, const double *moved, const double *centre, const double *predicted,
                               double *products, double deviation[2], sgf_error *error)
{
  double square, square_error;
  for (size_t r = 0; r < runs; r++) {
    const double *delta = moved + r * WEIGHTS;
    for (size_t k = 0; k < WEIGHTS * WEIGHTS; k++)
      products[r * WEIGHTS * WEIGHTS + k] =
          (delta[k / WEIGHTS] - centre[k / WEIGHTS]) * (delta[k % WEIGHTS] - centre[k % WEIGHTS]) - predicted[k];
  }
  sgf_status status = sgf_squared_mean(products, runs, WEIGHTS * WEIGHTS, &square, &square_error, error);
  double norm = sgf_norm(WEIGHTS * WEIGHTS, predicted);
  deviation[0] = sqrt(fmax(square, 0.0)) / norm;
  deviation[1] = sqrt(fmax(square, 0.0) + 2.0 * square_error) / norm;
  return status;
}

/* What the runs show at one time beside the theory, as a row. */
static sgf_status print_row(const network *net, double time, size_t runs, const double *moved, double *room,
                            sgf_error *error)
{
  double *angles = room, *squares = room + runs, theta[WEIGHTS], leading[2], joined[2], about[2];
  double zero[WEIGHTS] = {0}, centre[WEIGHTS] = {0}, covariance[WEIGHTS * WEIGHTS];
  forecast at;
  sgf_status status;
  SGF_TRY(predict_at(net, time, &at, error));
  for (size_t r = 0; r < runs; r++) {
    const double *delta = moved + r * WEIGHTS;
    for (size_t k = 0; k < WEIGHTS; k++) {
      theta[k] = net->problem->theta[k] + delta[k];
      centre[k] += delta[k] / (double)runs;
    }
    angles[r] = angle_of(net, theta);
    squares[r] = sgf_dot(WEIGHTS, delta, delta);
  }
  SGF_TRY(deviation_of(runs, moved, zero, at.second, room + 2 * runs, leading, error));
  SGF_TRY(deviation_of(runs, moved, zero, at.joined, room + 2 * runs, joined, error));
  const double *mean = sgf_closure_mean(net->closure);
  for (size_t k = 0; k < WEIGHTS * WEIGHTS; k++) covariance[k] = at.joined[k] - mean[k / WEIGHTS] * mean[k % WEIGHTS];
  SGF_TRY(deviation_of(runs, moved, centre, covariance, room + 2 * runs, about, error));
  double whole = at.range + at.rotation + at.path;
  double root = sqrt((double)runs), trace = gsl_stats_mean(squares, 1, runs);
  printf("%zu,%g,%.5g,%.5g,%.2g,%.4g,%.4g,%.4g,%.4g,%.4g,%.5g,%.5g,%.2g,%+.4f,%.4f,%.5g,%+.4f,%.4f,%.4g,%.4f,%.4f\n",
         net->problem->data.samples, time, at.angle, gsl_stats_mean(angles, 1, runs),
         gsl_stats_sd(angles, 1, runs) / root, at.spread, gsl_stats_sd(angles, 1, runs), at.range, at.rotation,
         at.path, whole, trace, gsl_stats_sd(squares, 1, runs) / root, trace / whole - 1.0, leading[0],
         sgf_trace(WEIGHTS, at.joined), trace / sgf_trace(WEIGHTS, at.joined) - 1.0, joined[0],
         sgf_trace(WEIGHTS, covariance), about[0], about[1]);
  fflush(stdout);
done:
  return status;
}

static sgf_status run(size_t samples, size_t runs, sgf_error *error)
{
  network net = {0};
  double *moved = NULL, *room = NULL;
  sgf_status status;
  SGF_TRY(make_network(samples, &net, error));
  SGF_TRY(sgf_new_reals(&moved, TIMES * runs, WEIGHTS, "runs", error));
  SGF_TRY(sgf_new_reals(&room, runs, 2 + WEIGHTS * WEIGHTS, "runs", error));
  SGF_TRY(run_sgd(&net, runs, moved, error));
  size_t steps = (size_t)(END / net.problem->settings.training.learning_rate / TIMES + 0.5);
  for (size_t t = 0; t < TIMES; t++) {
    SGF_TRY(sgf_closure_advance(net.closure, steps, 1e-3, error));
    SGF_TRY(print_row(&net, END * (double)(t + 1) / TIMES, runs, moved + t * runs * WEIGHTS, room, error));
  }
done:
  free(moved);
  free(room);
  sgf_closure_free(net.closure);
  sgf_slow_path_free(&net.path);
  sgf_prediction_free(net.prediction);
  sgf_problem_free(net.problem);
  return status;
}

int main(int argc, char **argv)
{
  bool fast = argc > 1 && strcmp(argv[1], "--quick") == 0;
  sgf_error error = {SGF_OK, ""};
  gsl_set_error_handler_off();
  if (openblas_set_num_threads != NULL) openblas_set_num_threads(1);
  printf("# results/rotation%s, sgflow %s: 4-4-4, S = 4 with replacement, learning rate 0.01, seed 1\n",
         fast ? " --quick" : "", sgf_version());
  puts("P,time,angle_theory,angle_sgd,angle_sgd_se,angle_sd_theory,angle_sd_sgd,trace_range,trace_rotations,trace_"
       "path,"
       "trace_theory,trace_sgd,trace_sgd_se,trace_deviation,matrix_deviation,"
       "trace_joined,trace_joined_deviation,matrix_joined_deviation,covariance_trace,covariance_deviation,covariance_"
       "below");
  if (run(16, fast ? 200 : 8000, &error) == SGF_OK && run(400, fast ? 200 : 8000, &error) == SGF_OK)
    return EXIT_SUCCESS;
  fprintf(stderr, "rotation: %s\n", error.message);
  return EXIT_FAILURE;
}
