/* sgflow simulate: SGD alone. */
#include "job.h"

static int run(const options *asked)
{
  job work;
  sgf_status status = job_open(&work, &command_simulate, asked);
  if (status == SGF_OK) status = job_predict(&work); /* for the stability limit and the times left out */
  if (status == SGF_OK) status = job_plan(&work);
  if (status == SGF_OK) status = job_simulate(&work);
  if (status == SGF_OK) status = job_finish(&work, false);
  return job_close(&work, status);
}

const command command_simulate = {
    "simulate",
    ACCEPTS_THREADS | ACCEPTS_CHECKPOINT | ACCEPTS_BUDGET | ACCEPTS_RECORD,
    "direct SGD in independent replicas, with error bars",
    "Run SGD from the minimum in independent replicas and measure the second moment of the weights about it, with "
    "standard errors over replicas.",
    NULL,
    "0\tsuccess\n" STATUS_USAGE
    "65\tbad data or config, or the weights diverge\n" STATUS_ABSENT STATUS_OUTPUT STATUS_CHECKPOINT,
    FILES_CONFIG FILES_OUTPUT FILES_CHECKPOINT,
    "sgflow simulate config.yaml --set simulation.replicas=256 -o run.h5\t256 replicas\n"
    "sgflow simulate config.yaml --trajectory weights.h5\tand their weights, a snapshot now and then, which sgflow "
    "compare reads\n",
    "verify compare",
    run};
