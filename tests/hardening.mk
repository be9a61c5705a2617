# Calls that fail: tests/failures.sh. The module is made without the project's flags: one with sanitizers would need theirs to be
# loaded first.
check_LTLIBRARIES += %D%/failing_calls.la
%C%_failing_calls_la_SOURCES = %D%/failing_calls.c
%C%_failing_calls_la_CFLAGS = -std=c17 -D_GNU_SOURCE $(HDF5_CFLAGS)
%C%_failing_calls_la_LDFLAGS = -module -avoid-version -shared -rpath $(abs_builddir)
%C%_failing_calls_la_LIBADD = -ldl
TESTS += %D%/failures.sh
EXTRA_DIST += %D%/failures.sh docs/testing.md
AM_TESTS_ENVIRONMENT += \
  FAILING=$(abs_builddir)/%D%/.libs/failing_calls.so; export FAILING;

# The linker puts the test's allocation in the place of the C library's, in our code.
%C%_test_failing_memory_SOURCES = %D%/test_failing_memory.c $(test_common)
%C%_test_failing_memory_CFLAGS = $(test_cflags)
%C%_test_failing_memory_LDADD = $(test_ldadd)
%C%_test_failing_memory_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup
check_PROGRAMS += %D%/test_failing_memory
TESTS += %D%/test_failing_memory

# After configure --enable-coverage: all tests, then coverage/index.html of lines and branches of what is installed.
lcov = lcov --quiet --rc lcov_branch_coverage=1
coverage:
	-$(MAKE) check
	$(lcov) --capture --directory . --output-file coverage.all
	$(lcov) --extract coverage.all '*/solver/*' '*/theory/*' '*/io/*' '*/verify/*' '*/cli/*' --output-file coverage.info
	genhtml --quiet --branch-coverage --output-directory coverage coverage.info
	lcov --rc lcov_branch_coverage=1 --summary coverage.info
.PHONY: coverage
