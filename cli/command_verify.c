/* sgflow verify: theory and SGD, compared; the main job. */
#include "job.h"

sgf_status job_verify(job *work, const options *asked)
{
  sgf_status status = job_open(work, &command_verify, asked);
  if (status == SGF_OK) status = job_predict(work);
  if (status == SGF_OK) status = job_plan(work);
  if (status == SGF_OK) status = job_look(work);
  if (status == SGF_OK) status = job_finish(work, true);
  if (status == SGF_OK && job_is_unstable(work)) status = job_compare(work); /* says why there is no verdict */
  return status;
}

static int run(const options *asked)
{
  job work;
  sgf_status status = job_verify(&work, asked);
  return job_close(&work, status);
}

const command command_verify = {
    "verify", ACCEPTS_REPORT | ACCEPTS_THREADS | ACCEPTS_CHECKPOINT | ACCEPTS_BUDGET | ACCEPTS_RECORD,
    "theory and SGD, compared, with a verdict (the main job)",
    "Predict the fluctuations, measure them by direct SGD, and compare quantity by quantity by equivalence tests.\v"
    "Exit status: 0 agree, 1 disagree, 2 inconclusive, 64 usage, 65 bad data or config or divergence, 66 no such "
    "input, "
    "70 internal, 73 or 74 output, 75 stopped with a checkpoint.",
    run};
