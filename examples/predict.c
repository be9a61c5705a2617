/* The library from C: the predicted fluctuations of a small network, and a Lyapunov equation.
 *   cc predict.c -o predict $(pkg-config --cflags --libs sgflow) -lm && ./predict */
#include <sgflow.h>
#include <stdio.h>

static int fail(const sgf_error *error)
{
  fprintf(stderr, "predict: %s\n", error->message);
  return 1;
}

/* 5 inputs, one output: trace of the stationary covariance, and its first element. */
static int predict(void)
{
  sgf_settings settings;
  sgf_problem *problem = NULL;
  sgf_prediction *prediction = NULL;
  sgf_error error;
  const size_t widths[] = {5, 1};
  sgf_settings_init(&settings);
  settings.training.learning_rate = 0.05;
  settings.training.batch_size = 10;
  settings.theory.equation = SGF_EQUATION_EXACT;
  sgf_status status = sgf_settings_set_widths(&settings, 2, widths, &error);
  if (status == SGF_OK) status = sgf_problem_create(&settings, NULL, false, &problem, &error);
  if (status == SGF_OK) status = sgf_predict(problem, false, &prediction, &error);
  if (status == SGF_OK) {
    size_t rows, columns;
    const double *covariance = sgf_prediction_array(prediction, "covariance", &rows, &columns);
    printf("trace %.6g, covariance (%zu, %zu), element (0, 0) %.6g\n", sgf_prediction_get_info(prediction)->trace,
           rows, columns, covariance[0]);
  }
  sgf_prediction_free(prediction);
  sgf_problem_free(problem);
  sgf_settings_free(&settings);
  return status == SGF_OK ? 0 : fail(&error);
}

/* A X + X A^T = Q with a singular A: the third variable is conserved. */
static int solve(void)
{
  const double A[9] = {1.0, 0.3, 0.0, -0.3, 2.0, 0.0, 0.0, 0.0, 0.0};
  const double B[3] = {1.0, 0.5, 0.0}; /* Q = B B^T */
  double X[9];
  sgf_certificate certificate;
  sgf_error error;
  if (sgf_lyapunov_solve(3, A, 1, B, NULL, X, &certificate, &error) != SGF_OK) return fail(&error);
  printf("X(0, 0) %.6g, rank %zu of 3, error bound %.1e\n", X[0], certificate.rank, certificate.error_bound);
  return 0;
}

int main(void)
{
  sgf_process_init();
  printf("sgflow %s\n", sgf_version());
  int failed = predict();
  return solve() || failed;
}
