solver_sources = \
  %D%/certificate.c \
  %D%/certificate.h \
  %D%/equation.c \
  %D%/form.c \
  %D%/form.h \
  %D%/many.c \
  %D%/rank.c \
  %D%/rank.h \
  %D%/schur.c \
  %D%/symmetric.c \
  %D%/triangular.c \
  %D%/triangular.h
