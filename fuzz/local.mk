# Fuzz targets, one for each reader. With --enable-fuzzing (clang) `make fuzz` builds them with libFuzzer; `make check` runs
# each one's corpus and mutations of it as a plain program (fuzz/replay.sh).
fuzz_programs = \
  %D%/fuzz_config %D%/fuzz_override %D%/fuzz_data %D%/fuzz_weights %D%/fuzz_trajectory \
  %D%/fuzz_system %D%/fuzz_market %D%/fuzz_results %D%/fuzz_checkpoint %D%/fuzz_sweep
fuzz_cflags = $(CORE_CFLAGS) $(CYAML_CFLAGS) $(YAML_CFLAGS)
fuzz_ldadd = libcore.la $(CORE_LIBS) $(CYAML_LIBS) $(YAML_LIBS)
fuzz_config = cli/config.c cli/config.h
fuzz_sweep_sources = cli/sweep.c cli/sweep.h cli/grid.c cli/grid.h $(fuzz_config)
if WITH_FUZZING
fuzz_common = %D%/fuzzing.c %D%/fuzzing.h
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
else
fuzz_common = %D%/fuzzing.c %D%/fuzzing.h %D%/replay.c
fuzz_ldflags = $(AM_LDFLAGS)
endif


%C%_fuzz_config_SOURCES = %D%/fuzz_config.c $(fuzz_common) $(fuzz_config)
%C%_fuzz_config_CFLAGS = $(fuzz_cflags)
%C%_fuzz_config_LDADD = $(fuzz_ldadd)
%C%_fuzz_config_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_override_SOURCES = %D%/fuzz_override.c $(fuzz_common) $(fuzz_config)
%C%_fuzz_override_CFLAGS = $(fuzz_cflags)
%C%_fuzz_override_LDADD = $(fuzz_ldadd)
%C%_fuzz_override_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_data_SOURCES = %D%/fuzz_data.c $(fuzz_common)
%C%_fuzz_data_CFLAGS = $(fuzz_cflags)
%C%_fuzz_data_LDADD = $(fuzz_ldadd)
%C%_fuzz_data_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_weights_SOURCES = %D%/fuzz_weights.c $(fuzz_common)
%C%_fuzz_weights_CFLAGS = $(fuzz_cflags)
%C%_fuzz_weights_LDADD = $(fuzz_ldadd)
%C%_fuzz_weights_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_trajectory_SOURCES = %D%/fuzz_trajectory.c $(fuzz_common)
%C%_fuzz_trajectory_CFLAGS = $(fuzz_cflags)
%C%_fuzz_trajectory_LDADD = $(fuzz_ldadd)
%C%_fuzz_trajectory_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_system_SOURCES = %D%/fuzz_system.c $(fuzz_common)
%C%_fuzz_system_CFLAGS = $(fuzz_cflags)
%C%_fuzz_system_LDADD = $(fuzz_ldadd)
%C%_fuzz_system_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_market_SOURCES = %D%/fuzz_market.c $(fuzz_common)
%C%_fuzz_market_CFLAGS = $(fuzz_cflags)
%C%_fuzz_market_LDADD = $(fuzz_ldadd)
%C%_fuzz_market_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_results_SOURCES = %D%/fuzz_results.c $(fuzz_common)
%C%_fuzz_results_CFLAGS = $(fuzz_cflags)
%C%_fuzz_results_LDADD = $(fuzz_ldadd)
%C%_fuzz_results_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_checkpoint_SOURCES = %D%/fuzz_checkpoint.c $(fuzz_common)
%C%_fuzz_checkpoint_CFLAGS = $(fuzz_cflags)
%C%_fuzz_checkpoint_LDADD = $(fuzz_ldadd)
%C%_fuzz_checkpoint_LDFLAGS = $(fuzz_ldflags)

%C%_fuzz_sweep_SOURCES = %D%/fuzz_sweep.c $(fuzz_common) $(fuzz_sweep_sources)
%C%_fuzz_sweep_CFLAGS = $(fuzz_cflags)
%C%_fuzz_sweep_LDADD = $(fuzz_ldadd)
%C%_fuzz_sweep_LDFLAGS = $(fuzz_ldflags)

check_PROGRAMS += $(fuzz_programs)
fuzz: $(fuzz_programs)
.PHONY: fuzz
if !WITH_FUZZING
TESTS += %D%/replay.sh
endif
EXTRA_DIST += %D%/corpus %D%/replay.sh %D%/run.sh

AM_TESTS_ENVIRONMENT += \
  FUZZ=$(abs_builddir)/%D%; export FUZZ;
