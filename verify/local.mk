verify_sources = \
  %D%/compare.c \
  %D%/compare.h \
  %D%/ensemble.c \
  %D%/ensemble.h \
  %D%/figures.c \
  %D%/figures.h \
  %D%/output.c \
  %D%/plan.c \
  %D%/plot.c \
  %D%/plot.h \
  %D%/report.c \
  %D%/sampler.c \
  %D%/sampler.h \
  %D%/sgd.c \
  %D%/sgd.h \
  %D%/simulate.c \
  %D%/statistics.c \
  %D%/statistics.h \
  %D%/trajectory.c
