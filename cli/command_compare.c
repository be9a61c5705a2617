/* sgflow compare: theory against weights that another program recorded. */
#include "job.h"

static int run(const options *asked)
{
  job work;
  sgf_status status = job_open(&work, &command_compare, asked);
  if (status == SGF_OK && work.costs.chosen == 0) status = job_read_trajectory(&work); /* fails soon, if it does */
  if (status == SGF_OK) status = job_predict(&work);
  if (status == SGF_OK && work.costs.chosen != 0) status = job_read_trajectory(&work); /* on its directions */
  if (status == SGF_OK) status = job_compare(&work);
  if (status == SGF_OK) status = job_finish(&work, true);
  return job_close(&work, status);
}

const command command_compare = {
    "compare",
    ACCEPTS_REPORT | ACCEPTS_TRAJECTORY,
    "theory against weights recorded by another program",
    "Compare the prediction with weights that another program recorded: HDF5 dataset `weights` of shape (R, T, n), T "
    "snapshots of R runs of stationary SGD, each theta = (vec W_1; ...; vec W_L) with the rows of each matrix "
    "stacked "
    "(PyTorch's parameters_to_vector). One run, shape (T, n), is cut into batches.",
    "The attribute `stride` of the dataset, steps between snapshots, lets correlation times be compared.",
    STATUS_VERDICT STATUS_USAGE "65\tbad data or config\n" STATUS_ABSENT STATUS_OUTPUT,
    FILES_CONFIG FILES_OUTPUT FILES_REPORT,
    "sgflow compare mine.yaml --trajectory run.h5\tthe verdict\n",
    "predict verify",
    run};
