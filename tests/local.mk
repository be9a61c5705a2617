# One program for each subject, each a Check suite, and scripts that end in "N passed, N failed".
test_programs = \
  %D%/test_random \
  %D%/test_operators \
  %D%/test_covariance \
  %D%/test_observables \
  %D%/test_statistics \
  %D%/test_simulation
check_PROGRAMS += $(test_programs)
test_cflags = $(CORE_CFLAGS) $(CHECK_CFLAGS)
test_ldadd = libcore.la $(CORE_LIBS) $(CHECK_LIBS) $(SUITESPARSE_LIBS)
test_common = %D%/testing.c %D%/testing.h

%C%_test_random_SOURCES = %D%/test_random.c $(test_common)
%C%_test_random_CFLAGS = $(test_cflags)
%C%_test_random_LDADD = $(test_ldadd)

%C%_test_operators_SOURCES = %D%/test_operators.c $(test_common)
%C%_test_operators_CFLAGS = $(test_cflags)
%C%_test_operators_LDADD = $(test_ldadd)

%C%_test_covariance_SOURCES = %D%/test_covariance.c $(test_common)
%C%_test_covariance_CFLAGS = $(test_cflags)
%C%_test_covariance_LDADD = $(test_ldadd)

%C%_test_observables_SOURCES = %D%/test_observables.c $(test_common)
%C%_test_observables_CFLAGS = $(test_cflags)
%C%_test_observables_LDADD = $(test_ldadd)

%C%_test_statistics_SOURCES = %D%/test_statistics.c $(test_common)
%C%_test_statistics_CFLAGS = $(test_cflags)
%C%_test_statistics_LDADD = $(test_ldadd)

%C%_test_simulation_SOURCES = %D%/test_simulation.c $(test_common)
%C%_test_simulation_CFLAGS = $(test_cflags)
%C%_test_simulation_LDADD = $(test_ldadd)

TESTS += $(test_programs)
AM_TESTS_ENVIRONMENT = OPENBLAS_NUM_THREADS=1; export OPENBLAS_NUM_THREADS;
EXTRA_DIST += %D%/cases
