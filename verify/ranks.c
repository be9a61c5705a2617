/* Processes that work together: the one place that knows MPI. Built without it, or not opened, there is one process. */
#include "ranks.h"

#ifdef SGF_WITH_MPI

#include <mpi.h>
#include <time.h>

/* MPI counts in int. */
static const size_t PIECE = (size_t)1 << 30;
/* Nanoseconds between looks of a process that waits. */
enum { NAP = 2000000 };

/* One for the process, as MPI is. */
static struct {
  MPI_Comm all;
  int count, index;
} ranks = {.count = 1};

sgf_status sgf_ranks_open(sgf_error *error)
{
  int initialized = 0;
  MPI_Initialized(&initialized);
  if (!initialized) return sgf_fail(error, SGF_ERROR_VALUE, "MPI: is not initialized");
  if (ranks.count > 1) return SGF_OK;
  MPI_Comm_dup(MPI_COMM_WORLD, &ranks.all);
  MPI_Comm_size(ranks.all, &ranks.count);
  MPI_Comm_rank(ranks.all, &ranks.index);
  if (ranks.count == 1) MPI_Comm_free(&ranks.all);
  return SGF_OK;
}

void sgf_ranks_close(void)
{
  if (ranks.count > 1) MPI_Comm_free(&ranks.all);
  ranks.count = 1;
  ranks.index = 0;
}

size_t sgf_ranks_count(void) { return (size_t)ranks.count; }
size_t sgf_ranks_index(void) { return (size_t)ranks.index; }

void sgf_ranks_broadcast(void *bytes, size_t size)
{
  for (char *piece = bytes; size > 0;) {
    size_t length = size < PIECE ? size : PIECE;
    MPI_Bcast(piece, (int)length, MPI_BYTE, 0, ranks.all);
    piece += length;
    size -= length;
  }
}

void sgf_ranks_await(void *bytes, size_t size)
{
  const struct timespec nap = {.tv_nsec = NAP};
  MPI_Request request;
  int arrived = 0;
  MPI_Ibcast(bytes, (int)size, MPI_BYTE, 0, ranks.all, &request);
  for (;;) {
    MPI_Test(&request, &arrived, MPI_STATUS_IGNORE);
    if (arrived) return;
    if (ranks.index > 0) nanosleep(&nap, NULL);
  }
}

void sgf_ranks_least(uint64_t *numbers, size_t count)
{
  MPI_Allreduce(MPI_IN_PLACE, numbers, (int)count, MPI_UINT64_T, MPI_MIN, ranks.all);
}

sgf_status sgf_ranks_agree(sgf_status status, sgf_error *error)
{
  sgf_error failure = {.status = status};
  int first = status == SGF_OK ? ranks.count : ranks.index;
  MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, ranks.all);
  if (first == ranks.count) return SGF_OK;
  if (first == ranks.index && error != NULL) failure = *error;
  MPI_Bcast(&failure, (int)sizeof failure, MPI_BYTE, first, ranks.all);
  return sgf_fail(error, failure.status, "%s", failure.message);
}

void sgf_ranks_send(size_t to, const void *bytes, size_t size)
{
  for (const char *piece = bytes; size > 0;) {
    size_t length = size < PIECE ? size : PIECE;
    MPI_Send(piece, (int)length, MPI_BYTE, (int)to, 0, ranks.all);
    piece += length;
    size -= length;
  }
}

void sgf_ranks_receive(size_t from, void *bytes, size_t size)
{
  for (char *piece = bytes; size > 0;) {
    size_t length = size < PIECE ? size : PIECE;
    MPI_Recv(piece, (int)length, MPI_BYTE, (int)from, 0, ranks.all, MPI_STATUS_IGNORE);
    piece += length;
    size -= length;
  }
}

#else

sgf_status sgf_ranks_open(sgf_error *error)
{
  return sgf_fail(error, SGF_ERROR_UNSUPPORTED, "MPI: sgflow was configured without --with-mpi");
}

void sgf_ranks_close(void) {}
size_t sgf_ranks_count(void) { return 1; }
size_t sgf_ranks_index(void) { return 0; }

void sgf_ranks_broadcast(void *bytes, size_t size)
{
  (void)bytes;
  (void)size;
}

void sgf_ranks_await(void *bytes, size_t size)
{
  (void)bytes;
  (void)size;
}

void sgf_ranks_least(uint64_t *numbers, size_t count)
{
  (void)numbers;
  (void)count;
}

sgf_status sgf_ranks_agree(sgf_status status, sgf_error *error)
{
  (void)error;
  return status;
}

void sgf_ranks_send(size_t to, const void *bytes, size_t size)
{
  (void)to;
  (void)bytes;
  (void)size;
}

void sgf_ranks_receive(size_t from, void *bytes, size_t size)
{
  (void)from;
  (void)bytes;
  (void)size;
}

#endif
