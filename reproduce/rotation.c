/* T8: a hidden layer turns. Its angle against time, and the second moment of all weights about theta*, from theory and SGD.
 *
 * The angle of theta is that of the orthogonal matrix R with W_1 = R W_1*, W_2 = W_2* R^T as nearly as can be (the polar factor
 * of W_1 W_1*^T + W_2^T W_2*), (R - R^T) / 2 along the direction in which theory says that the layer turns. Theory: the mean
 * path along the minima, fluctuations, rotations that diffuse, scalings that follow (theory/README.md, section 14).
 * Joined: mean and fluctuations by the closure instead (section 13). Deviations of matrices are Frobenius norms, sampling
 * noise taken off. */
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
#include "../theory/slow_path.h"
#include "../theory/whole_space.h"
#include "../verify/sgd.h"
#include "../verify/statistics.h"
#include "catalogue.h"

enum { WIDTH = 4, WEIGHTS = 2 * WIDTH * WIDTH, PLANES = WIDTH * (WIDTH - 1) / 2, TIMES = 8 };
/* Points between two of these times, along which the spread is summed. */
enum { SUMMED = 8 };
static const double END = 400.0;

/* One network, what is predicted of it, and its angle's direction. */
typedef struct {
  const sgf_problem *problem;
  const sgf_prediction *prediction;
  sgf_slow_path path;
  sgf_orbit_spread spread;
  sgf_closure *closure;
  double direction[PLANES];
} network;

/* What theory says at one time. */
typedef struct {
  double angle, spread;                 /* of the angle: mean, standard deviation over runs */
  double range, along, path;            /* traces of leading order: fluctuations on range(H), what runs turned by
                                            and scalings, |theta(t) - theta*|^2 of the mean path */
  double covariance[WEIGHTS * WEIGHTS]; /* joined, about the closure's mean */
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

/* The direction in which the path sets out. */
static void find_direction(network *net)
{
  const double *theta = net->problem->theta;
  double moved[WEIGHTS], each[PLANES], norm;
  for (size_t k = 0; k < WEIGHTS; k++) moved[k] = theta[k] + net->path.velocity[k] * 1e-2 / sgf_norm(WEIGHTS, theta);
  for (size_t plane = 0; plane < PLANES; plane++) {
    for (size_t k = 0; k < PLANES; k++) net->direction[k] = k == plane;
    each[plane] = angle_of(net, moved);
  }
  norm = sgf_norm(PLANES, each);
  for (size_t k = 0; k < PLANES; k++) net->direction[k] = each[k] / norm;
}

/* How the angle depends on weights next to theta* + mean. */
static void angle_gradient(const network *net, const double *mean, double *gradient)
{
  const double step = 1e-5;
  double theta[WEIGHTS];
  for (size_t k = 0; k < WEIGHTS; k++) theta[k] = net->problem->theta[k] + mean[k];
  for (size_t k = 0; k < WEIGHTS; k++) {
    double here = theta[k];
    theta[k] = here + step;
    double ahead = angle_of(net, theta);
    theta[k] = here - step;
    gradient[k] = (ahead - angle_of(net, theta)) / (2.0 * step);
    theta[k] = here;
  }
}

/* --------------------------------------------------------------------------- theory */

static sgf_status make_network(const study_unit *now, network *net, sgf_error *error)
{
  sgf_status status;
  net->problem = now->problem;
  net->prediction = now->prediction;
  SGF_TRY(sgf_slow_path_create(net->problem, net->prediction, 0.0, END, &net->path, error));
  SGF_TRY(sgf_orbit_spread_create(net->problem, net->prediction, &net->spread, error));
  SGF_TRY(sgf_closure_create(net->problem, WEIGHTS, NULL, &net->closure, error));
  find_direction(net);
done:
  return status;
}

/* The closure for so many steps from a time on, and the spread about its mean. */
static sgf_status go_on(network *net, double time, size_t steps, sgf_error *error)
{
  double theta[WEIGHTS], step = net->problem->settings.training.learning_rate;
  sgf_status status = SGF_OK;
  for (size_t k = 1; k <= SUMMED && status == SGF_OK; k++) {
    size_t done = steps * (k - 1) / SUMMED, until = steps * k / SUMMED;
    status = sgf_closure_advance(net->closure, until - done, 1e-3, error);
    if (status != SGF_OK) break;
    for (size_t i = 0; i < WEIGHTS; i++) theta[i] = net->problem->theta[i] + sgf_closure_mean(net->closure)[i];
    status = sgf_orbit_spread_advance(&net->spread, time + step * (double)until, theta,
                                      sgf_closure_covariance(net->closure), error);
  }
  return status;
}

/* By the path along the minima and what runs turned by about it, and joined with the closure, which has come to this time. */
static sgf_status predict_at(const network *net, double time, forecast *at, sgf_error *error)
{
  const sgf_problem *problem = net->problem;
  double moved[WEIGHTS], mean[WEIGHTS], gradient[WEIGHTS], second[WEIGHTS * WEIGHTS];
  size_t step = (size_t)(time / problem->settings.training.learning_rate + 0.5);
  sgf_plan plan = {.replicas = 1, .burn_in_steps = step - 1, .window_steps = 1, .stride = 1};
  sgf_status status;
  SGF_TRY(sgf_prediction_window(problem, net->prediction, 0, &plan, second, mean, error));
  at->range = sgf_trace(WEIGHTS, second);
  SGF_TRY(sgf_whole_space_join(&net->spread, sgf_closure_mean(net->closure), sgf_closure_covariance(net->closure),
                               at->covariance, &at->along, error));
  angle_gradient(net, sgf_closure_mean(net->closure), gradient);
  at->spread = sqrt(sgf_quadratic_form(WEIGHTS, at->covariance, gradient));
  sgf_slow_path_at(&net->path, time, moved);
  at->path = sgf_dot(WEIGHTS, moved, moved);
  for (size_t k = 0; k < WEIGHTS; k++) moved[k] += problem->theta[k];
  at->angle = angle_of(net, moved);
done:
  return status;
}

/* ------------------------------------------------------------------------------ SGD */

/* theta - theta* of every run at every time, (TIMES, runs, n). */
static sgf_status run_sgd(const network *net, size_t runs, int threads, double *moved, sgf_error *error)
{
  const sgf_problem *problem = net->problem;
  size_t steps = (size_t)(END / problem->settings.training.learning_rate / TIMES + 0.5);
  sgf_engine *engine;
  sgf_status status = sgf_engine_create(problem, 0, &engine, error), worst = SGF_OK;
  if (status != SGF_OK) return status;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads > 0 ? threads : omp_get_max_threads())
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
 * noise; what it is below, by two standard errors of its square; and that square with its standard error. */
static sgf_status deviation_of(size_t runs, const double *moved, const double *centre, const double *predicted,
                               double *products, double deviation[4], sgf_error *error)
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
  deviation[2] = square / (norm * norm);
  deviation[3] = square_error / (norm * norm);
  return status;
}

/* Angles and squares of the distances of all runs, and their mean displacement. */
static void measure_runs(const network *net, size_t runs, const double *moved, double *angles, double *squares,
                         double centre[WEIGHTS])
{
  double theta[WEIGHTS];
  memset(centre, 0, WEIGHTS * sizeof *centre);
  for (size_t r = 0; r < runs; r++) {
    const double *delta = moved + r * WEIGHTS;
    for (size_t k = 0; k < WEIGHTS; k++) {
      theta[k] = net->problem->theta[k] + delta[k];
      centre[k] += delta[k] / (double)runs;
    }
    angles[r] = angle_of(net, theta);
    squares[r] = sgf_dot(WEIGHTS, delta, delta);
  }
}

/* What the runs show at one time beside the theory, as a row. */
static sgf_status note_time(study_unit *now, const network *net, double time, size_t runs, const double *moved,
                            double *room, sgf_error *error)
{
  double *angles = room, *squares = room + runs, centre[WEIGHTS], about[4];
  const double *mean = sgf_closure_mean(net->closure);
  char text[40];
  forecast at;
  sgf_status status;
  SGF_TRY(predict_at(net, time, &at, error));
  measure_runs(net, runs, moved, angles, squares, centre);
  SGF_TRY(deviation_of(runs, moved, centre, at.covariance, room + 2 * runs, about, error));
  double root = sqrt((double)runs), whole = at.range + at.along + at.path;
  double joined = sgf_trace(WEIGHTS, at.covariance) + sgf_dot(WEIGHTS, mean, mean);
  double square = gsl_stats_mean(squares, 1, runs), its_error = gsl_stats_sd(squares, 1, runs) / root;
  double sd = gsl_stats_sd(angles, 1, runs);
  SGF_TRY(unit_note(now, "times", error));
  snprintf(text, sizeof text, "t = %g", time);
  SGF_TRY(unit_text(now, "times", "row", text, error));
  SGF_TRY(unit_pair(now, "times", "angle", at.angle, gsl_stats_mean(angles, 1, runs), sd / root, error));
  SGF_TRY(unit_pair(now, "times", "spread", at.spread, sd, sd / sqrt(2.0 * (double)(runs - 1)), error));
  SGF_TRY(unit_pair(now, "times", "square", joined, square, its_error, error));
  const study_number numbers[] = {{"time", time},
                                  {"runs", (double)runs},
                                  {"of_range", at.range},
                                  {"of_rotation", at.along},
                                  {"of_path", at.path},
                                  {"leading", square / whole - 1.0},
                                  {"leading_se", its_error / whole},
                                  {"joined", square / joined - 1.0},
                                  {"joined_se", its_error / joined},
                                  {"covariance", about[0]},
                                  {"covariance_below", about[1]},
                                  {"covariance_square", about[2]},
                                  {"covariance_square_se", about[3]}};
  SGF_TRY(unit_numbers(now, "times", numbers, sizeof numbers / sizeof *numbers, error));
done:
  return status;
}

static sgf_status measure_rotation(study_unit *now, sgf_error *error)
{
  network net = {0};
  double *moved = NULL, *room = NULL;
  sgf_status status;
  SGF_TRY(unit_open(now, NULL, error));
  size_t runs = sgf_problem_settings(now->problem)->simulation.replicas;
  size_t steps = (size_t)(END / sgf_problem_settings(now->problem)->training.learning_rate / TIMES + 0.5);
  SGF_TRY(make_network(now, &net, error));
  SGF_TRY(sgf_new_reals(&moved, TIMES * runs, WEIGHTS, "runs", error));
  SGF_TRY(sgf_new_reals(&room, runs, 2 + WEIGHTS * WEIGHTS, "runs", error));
  SGF_TRY(run_sgd(&net, runs, now->threads, moved, error));
  for (size_t t = 0; t < TIMES; t++) {
    SGF_TRY(go_on(&net, END * (double)t / TIMES, steps, error));
    SGF_TRY(note_time(now, &net, END * (double)(t + 1) / TIMES, runs, moved + t * runs * WEIGHTS, room, error));
  }
done:
  free(moved);
  free(room);
  sgf_closure_free(net.closure);
  sgf_slow_path_free(&net.path);
  sgf_orbit_spread_free(&net.spread);
  return status;
}

/* ------------------------------------------------------------------------------ the table */

static const char *const ROTATION_TIMES[] = {"row",
                                             "time",
                                             "runs",
                                             "angle",
                                             "angle_sgd",
                                             "angle_sgd_se",
                                             "spread",
                                             "spread_sgd",
                                             "spread_sgd_se",
                                             "square",
                                             "square_sgd",
                                             "square_sgd_se",
                                             "of_range",
                                             "of_rotation",
                                             "of_path",
                                             "leading",
                                             "leading_se",
                                             "joined",
                                             "joined_se",
                                             "covariance",
                                             "covariance_below",
                                             "covariance_square",
                                             "covariance_square_se",
                                             NULL};
static const study_stream ROTATION_STREAMS[] = {{"times", ROTATION_TIMES}, {NULL, NULL}};
static const study_case ROTATION_CASES[] = {{"P = 16", IN_BOTH, "data.samples=16"},
                                            {"P = 400", IN_BOTH, "data.samples=400"}};
#define ROTATION_CONFIG "network.widths=[4,4,4] training.batch_size=4 training.learning_rate=0.01 "
static const study ROTATION = {
    "rotation",
    {ROTATION_CONFIG "simulation.replicas=2500", ROTATION_CONFIG "simulation.replicas=16000"},
    {1, 1},
    ROTATION_CASES,
    sizeof ROTATION_CASES / sizeof *ROTATION_CASES,
    ROTATION_STREAMS,
    2,
    measure_rotation};

static const exhibit_column ROTATION_COLUMNS[] = {
    {"time", NULL, NULL, false},
    {"angle", "angle, theory", NULL, false},
    {"angle_sgd", "SGD", "angle_sgd_se", false},
    {"spread", "its s.d. over runs, theory", NULL, false},
    {"spread_sgd", "SGD", "spread_sgd_se", false},
    {"square_sgd", "|&theta; &minus; &theta;*|&sup2;, SGD", "square_sgd_se", false},
    {"leading", "deviation from leading order", "leading_se", false},
    {"joined", "from the joined theory", "joined_se", false},
    {"covariance", "covariance of all weights, deviation", NULL, false},
    {"covariance_below", "which is below", NULL, false},
    {"covariance_square", NULL, "covariance_square_se", false}};
static const exhibit_test ROTATION_TESTS[] = {
    {"turns", "the layer turns as measured", TEST_ABOVE, "angle_sgd", "angle_sgd_se", NULL, NULL, 0.0, 0.0, false,
     NULL},
    {"angle_right", "by the angle of theory within 5 %", TEST_EQUAL, "angle_sgd", "angle_sgd_se", "angle", NULL, 0.0,
     0.05, false, NULL},
    {"spread_right", "and its spread over runs is that of theory within 10 %", TEST_EQUAL, "spread_sgd",
     "spread_sgd_se", "spread", NULL, 0.0, 0.1, false, NULL},
    {"square_right", "the joined theory has |&theta; &minus; &theta;*|&sup2; within 2 %", TEST_EQUAL, "joined",
     "joined_se", NULL, NULL, 0.0, 0.02, false, NULL},
    {"covariance_50", "and all elements of the covariance within 5 %, at t = 50", TEST_BELOW, "covariance_square",
     "covariance_square_se", NULL, NULL, 0.0025, 0.0, false, "row=t = 50"},
    {"covariance_100", "and at t = 100", TEST_BELOW, "covariance_square", "covariance_square_se", NULL, NULL, 0.0025,
     0.0, false, "row=t = 100"}};

#define CURVES(list) list, sizeof list / sizeof *list
#define OF_BOTH(column)                                                                           \
  {NULL, "case=P = 16", "time", column, NULL, DRAW_LINE, 1, "{/:Italic P} = 16, theory"},         \
      {NULL, "case=P = 16", "time", column "_sgd", column "_sgd_se", DRAW_POINTS, 1, "SGD"},      \
      {NULL, "case=P = 400", "time", column, NULL, DRAW_DASHED, 2, "{/:Italic P} = 400, theory"}, \
  {                                                                                               \
    NULL, "case=P = 400", "time", column "_sgd", column "_sgd_se", DRAW_POINTS, 2, "SGD"          \
  }
static const curve ROTATION_ANGLES[] = {OF_BOTH("angle")};
static const curve ROTATION_SPREADS[] = {OF_BOTH("spread")};
static const panel ROTATION_PANELS[] = {
    {"a hidden layer turns", "time, λ × step", "angle, radian", false, false, CURVES(ROTATION_ANGLES),
     "set xrange [0:420]\nset yrange [0:*]\nset key top left"},
    {"and every run by another angle", "time, λ × step", "standard deviation over runs, radian", false, false,
     CURVES(ROTATION_SPREADS), "set xrange [0:420]\nset yrange [0:*]\nset key top left"}};

const exhibit EXHIBIT_T8_ROTATION = {
    .id = "T8-rotation",
    .title = "Without detailed balance a hidden layer turns",
    .claim = "The loss does not see <i>W</i><sub>1</sub> &rarr; <i>RW</i><sub>1</sub>, <i>W</i><sub>2</sub> &rarr; "
             "<i>W</i><sub>2</sub><i>R</i><sup>T</sup>. Fluctuations that lack detailed balance turn the hidden "
             "layer by it, steadily, "
             "and every run diffuses along it.",
    .setup = "4&ndash;4&ndash;4, <i>S</i> = 4 with replacement, &lambda; = 0.01, runs from one &theta;*. The angle, "
             "in radian, is that "
             "of the orthogonal matrix that takes &theta;* nearest to &theta;, along the direction in which theory "
             "says that the layer "
             "turns. Leading order: &Sigma;, the mean path along the minima, diffusing rotations; joined: mean and "
             "fluctuations by the closure, with the diffusion of the rotations along the path.",
    .of = &ROTATION,
    .columns = ROTATION_COLUMNS,
    .column_count = sizeof ROTATION_COLUMNS / sizeof *ROTATION_COLUMNS,
    .tests = ROTATION_TESTS,
    .test_count = sizeof ROTATION_TESTS / sizeof *ROTATION_TESTS,
    .panels = ROTATION_PANELS,
    .panel_count = sizeof ROTATION_PANELS / sizeof *ROTATION_PANELS,
    .caption = "Angle against time and its spread over the runs, with two standard errors.",
    .remarks = "Detailed balance is strongly broken with few samples, weakly with many. The turning slows down as "
               "the layers move "
               "towards noise balance, which the path follows, and with it the diffusion. Deviations of the "
               "covariance of all weights are "
               "relative Frobenius norms, sampling noise taken off, and what they are below by two standard errors; "
               "verdicts are on "
               "their squares.",
    .label = "row"};
