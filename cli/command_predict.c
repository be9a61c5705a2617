/* sgflow predict: theory alone. */
#include "job.h"

static int run(const options *asked)
{
  job work;
  sgf_status status = job_open(&work, &command_predict, asked);
  if (status == SGF_OK && asked->plan) {
    status = job_print_costs(&work);
    return job_close(&work, status == SGF_OK ? job_check_costs(&work) : status);
  }
  if (status == SGF_OK) status = job_predict(&work);
  if (status == SGF_OK) status = job_predict_runs(&work);
  if (status == SGF_OK) status = job_finish(&work, true);
  return job_close(&work, status);
}

const command command_predict = {
    "predict",
    ACCEPTS_PLAN,
    "the stationary weight covariance from theory",
    "Predict the stationary fluctuations of the weights: drift, diffusion, their ranks, the covariance, curvature, "
    "flatness and detailed balance. Beyond 4000 weights by the covariance operator, where it is built: no n x n "
    "sets, "
    "unless --full asks for them.",
    NULL,
    "0\tsuccess\n" STATUS_USAGE "65\tbad data or config\n" STATUS_ABSENT STATUS_OUTPUT,
    FILES_CONFIG FILES_OUTPUT,
    "sgflow predict config.yaml\tthe table\n"
    "sgflow predict config.yaml --set data.samples=40000 -o out.h5\tthe same for more samples, with all arrays in "
    "out.h5\n"
    "sgflow predict large.yaml --plan\twhat a large network would take, before it is begun\n",
    "verify compare",
    run};
