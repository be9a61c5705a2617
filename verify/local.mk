verify_sources = \
  %D%/compare.c \
  %D%/compare.h \
  %D%/comparing.h \
  %D%/diagnostics.c \
  %D%/ensemble.c \
  %D%/ensemble.h \
  %D%/figures.c \
  %D%/figures.h \
  %D%/kernels.c \
  %D%/kernels.h \
  %D%/output.c \
  %D%/plan.c \
  %D%/plot.c \
  %D%/plot.h \
  %D%/projection.c \
  %D%/projection.h \
  %D%/report.c \
  %D%/sampler.c \
  %D%/sampler.h \
  %D%/sgd.c \
  %D%/sgd.h \
  %D%/simulate.c \
  %D%/statistics.c \
  %D%/statistics.h \
  %D%/trajectory.c \
  %D%/verdicts.c \
  %D%/window_pca.c
