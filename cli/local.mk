bin_PROGRAMS += sgflow
sgflow_SOURCES = \
  %D%/command_compare.c \
  %D%/command_lyapunov.c \
  %D%/command_merge.c \
  %D%/command_predict.c \
  %D%/command_simulate.c \
  %D%/command_sweep.c \
  %D%/command_verify.c \
  %D%/config.c \
  %D%/config.h \
  %D%/experiment.c \
  %D%/experiment.h \
  %D%/grid.c \
  %D%/grid.h \
  %D%/job.c \
  %D%/job.h \
  %D%/lock.c \
  %D%/lock.h \
  %D%/main.c \
  %D%/options.c \
  %D%/options.h \
  %D%/processes.c \
  %D%/processes.h \
  %D%/progress.c \
  %D%/progress.h \
  %D%/summary.c \
  %D%/summary.h \
  %D%/sweep.c \
  %D%/sweep.h \
  %D%/table.c \
  %D%/table.h
sgflow_CFLAGS = $(AM_CFLAGS) $(GSL_CFLAGS) $(CYAML_CFLAGS) $(YAML_CFLAGS) $(JANSSON_CFLAGS) $(MPI_CFLAGS)
sgflow_LDADD = libsgflow.la $(CYAML_LIBS) $(YAML_LIBS) $(JANSSON_LIBS) $(GSL_LIBS) $(MPI_LIBS)
