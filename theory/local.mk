theory_sources = \
  %D%/dataset.c \
  %D%/dataset.h \
  %D%/detailed_balance.c \
  %D%/detailed_balance.h \
  %D%/diffusion.c \
  %D%/diffusion.h \
  %D%/drift.c \
  %D%/drift.h \
  %D%/epoch.c \
  %D%/epoch.h \
  %D%/flatness.c \
  %D%/flatness.h \
  %D%/jacobian.c \
  %D%/jacobian.h \
  %D%/krylov.c \
  %D%/krylov.h \
  %D%/linear_algebra.c \
  %D%/linear_algebra.h \
  %D%/lyapunov.c \
  %D%/lyapunov.h \
  %D%/memory.c \
  %D%/memory.h \
  %D%/minimum.c \
  %D%/minimum.h \
  %D%/multiplicative_noise.c \
  %D%/multiplicative_noise.h \
  %D%/network.c \
  %D%/network.h \
  %D%/nullspace.c \
  %D%/nullspace.h \
  %D%/prediction.c \
  %D%/prediction.h \
  %D%/problem.c \
  %D%/problem.h \
  %D%/random.c \
  %D%/random.h \
  %D%/settings.c \
  %D%/spectrum.c \
  %D%/spectrum.h \
  %D%/status.c \
  %D%/status.h \
  %D%/version.c

EXTRA_DIST += %D%/README.md
