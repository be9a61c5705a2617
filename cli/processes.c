/* Many processes: MPI's begin and end, which are the program's. */
#include "processes.h"

#ifdef SGF_WITH_MPI

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "progress.h"
#include "sgflow.h"

enum { EXIT_UNEQUAL = 70 };

/* A process that nobody launched is alone, and is spared the start of MPI. */
static bool launched(void)
{
  static const char *const ranks[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"};
  for (size_t k = 0; k < sizeof ranks / sizeof *ranks; k++)
    if (getenv(ranks[k]) != NULL) return true;
  return false;
}

static void end(void)
{
  sgf_workers_end();
  MPI_Finalize();
}

bool processes_begin(int *argc, char ***argv)
{
  int provided;
  bool leads;
  sgf_error error;
  if (!launched()) return true;
  /* the threads of a process run replicas, and speak to nobody */
  MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided);
  atexit(end);
  if (sgf_workers_begin(&leads, &error) == SGF_OK) return leads;
  int rank;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == 0) fprintf(stderr, "sgflow: %s\n", error.message);
  exit(EXIT_UNEQUAL);
}

static bool go_on(void *context, double done, double total)
{
  (void)context;
  (void)done;
  (void)total;
  return progress_signal() == 0;
}

int processes_work(void)
{
  progress_wait_for_stages(true);
  sgf_workers_serve(go_on, NULL);
  return 0;
}

#else

bool processes_begin(int *argc, char ***argv)
{
  (void)argc;
  (void)argv;
  return true;
}

int processes_work(void) { return 0; }

#endif
