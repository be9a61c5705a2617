# Speed and accuracy against other solvers: `make bench` builds, `../bench/run.py` in the build folder runs.
EXTRA_PROGRAMS = %D%/lyapunov
%C%_lyapunov_SOURCES = %D%/lyapunov.c %D%/systems.c %D%/systems.h
%C%_lyapunov_LDFLAGS = $(AM_LDFLAGS) -no-install
%C%_lyapunov_LDADD = libsgflow.la $(BLAS_LIBS) -lm
CLEANFILES += $(EXTRA_PROGRAMS)
EXTRA_DIST += %D%/slicot.c %D%/peers.py %D%/octave.m %D%/run.py %D%/singular.py

.PHONY: bench
bench: %D%/lyapunov
