/* sgflow verify: theory and SGD, compared; the main job. */
#include "job.h"

sgf_status job_verify(job *work, const options *asked)
{
  sgf_status status = job_open(work, &command_verify, asked);
  if (status == SGF_OK) status = job_predict(work);
  if (status == SGF_OK) status = job_predict_runs(work);
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
    "verify",
    ACCEPTS_REPORT | ACCEPTS_THREADS | ACCEPTS_CHECKPOINT | ACCEPTS_BUDGET | ACCEPTS_RECORD,
    "theory and SGD, compared, with a verdict (the main job)",
    "Predict the fluctuations, measure them by direct SGD, and compare quantity by quantity by equivalence tests.",
    NULL,
    STATUS_VERDICT STATUS_USAGE
    "65\tbad data or config, or the weights diverge\n" STATUS_ABSENT STATUS_OUTPUT STATUS_CHECKPOINT,
    FILES_CONFIG FILES_OUTPUT FILES_REPORT FILES_CHECKPOINT,
    "sgflow verify config.yaml -o out.h5 --report report.html\tthe verdict, with everything in out.h5 and figures in "
    "report.html\n"
    "sgflow verify config.yaml -o out.h5 --max-time 3000 --resume\tthe same in jobs of at most 50 minutes, each of "
    "which "
    "continues the one before\n",
    "predict simulate compare sweep",
    run};
