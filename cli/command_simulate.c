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
    "simulate", ACCEPTS_THREADS | ACCEPTS_CHECKPOINT | ACCEPTS_BUDGET | ACCEPTS_RECORD,
    "direct SGD in independent replicas, with error bars",
    "Run SGD from the minimum in independent replicas and measure the second moment of the weights about it, with "
    "standard errors over replicas.\v"
    "Exit status: 0 success, 64 usage, 65 bad data or config or divergence, 66 no such input, 70 internal, 73 or 74 "
    "output, 75 stopped with a checkpoint.",
    run};
