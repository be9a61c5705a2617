solver_sources = \
  %D%/equilibration.c \
  %D%/equilibration.h \
  %D%/certificate.c \
  %D%/certificate.h \
  %D%/equation.c \
  %D%/form.c \
  %D%/form.h \
  %D%/kronecker.c \
  %D%/kronecker.h \
  %D%/low_rank.c \
  %D%/low_rank.h \
  %D%/many.c \
  %D%/rank.c \
  %D%/rank.h \
  %D%/schur.c \
  %D%/sparse.c \
  %D%/sparse.h \
  %D%/sparse_drift.c \
  %D%/sparse_drift.h \
  %D%/sparse_equation.c \
  %D%/sparse_factors.c \
  %D%/sparse_factors.h \
  %D%/sparse_stability.c \
  %D%/sparse_stability.h \
  %D%/symmetric.c \
  %D%/triangular.c \
  %D%/triangular.h
