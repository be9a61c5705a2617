# What problems cost, and beside other solvers: `make bench` builds, ../bench/run.py and ../bench/covariance.sh run.
EXTRA_PROGRAMS = %D%/lyapunov %D%/covariance %D%/sgd %D%/calibration
%C%_lyapunov_SOURCES = %D%/lyapunov.c %D%/systems.c %D%/systems.h
%C%_lyapunov_LDFLAGS = $(AM_LDFLAGS) -no-install
%C%_lyapunov_LDADD = libsgflow.la $(BLAS_LIBS) -lm
%C%_covariance_SOURCES = %D%/covariance.c
%C%_covariance_CFLAGS = $(CORE_CFLAGS)
%C%_covariance_LDADD = libcore.la $(CORE_LIBS)
%C%_sgd_SOURCES = %D%/sgd.c
%C%_sgd_CFLAGS = $(CORE_CFLAGS)
%C%_sgd_LDADD = libcore.la $(CORE_LIBS)
%C%_calibration_SOURCES = %D%/calibration.c
%C%_calibration_CFLAGS = $(CORE_CFLAGS)
%C%_calibration_LDADD = libcore.la $(CORE_LIBS)
CLEANFILES += $(EXTRA_PROGRAMS) %D%/covariance.csv %D%/covariance.svg
EXTRA_DIST += %D%/README.md %D%/lyapunov.csv %D%/sgd.csv %D%/sgd.py %D%/sgd_cblas.c %D%/slicot.c %D%/peers.py %D%/octave.m %D%/run.py %D%/singular.py %D%/covariance.sh \
  %D%/covariance.gp

.PHONY: bench
bench: $(EXTRA_PROGRAMS)
