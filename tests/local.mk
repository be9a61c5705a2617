# One program for each subject, each a Check suite, and scripts that end in "N passed, N failed".
test_programs = \
  %D%/test_random \
  %D%/test_operators \
  %D%/test_layers \
  %D%/test_lyapunov \
  %D%/test_many \
  %D%/test_minimum \
  %D%/test_closure \
  %D%/test_closure_range \
  %D%/test_reshuffled \
  %D%/test_covariance \
  %D%/test_covariance_operator \
  %D%/test_decay \
  %D%/test_depth \
  %D%/test_multiplicative \
  %D%/test_observables \
  %D%/test_statistics \
  %D%/test_power \
  %D%/test_slow_modes \
  %D%/test_time \
  %D%/test_time_epochs \
  %D%/test_time_simulation \
  %D%/test_chains \
  %D%/test_engine \
  %D%/test_simulation \
  %D%/test_rotation \
  %D%/test_rotation_momentum \
  %D%/test_rotation_simulation \
  %D%/test_turning \
  %D%/test_whole_space \
  %D%/test_noise_balance \
  %D%/test_literature \
  %D%/test_start \
  %D%/test_sparse \
  %D%/test_depth_simulation \
  %D%/test_directions \
  %D%/test_dynamics \
  %D%/test_dynamics_simulation \
  %D%/test_files \
  %D%/test_trajectory_file \
  %D%/test_checkpoint
test_scripts = %D%/separation.sh %D%/bad_input.sh %D%/commands.sh %D%/sweep.sh %D%/checkpoint.sh %D%/trajectory.sh %D%/reproduce.sh \
  %D%/manual.sh %D%/install.sh %D%/python.sh %D%/examples.sh %D%/tutorial.sh
test_scripts += %D%/abi.sh %D%/blas.sh
test_cflags = $(CORE_CFLAGS) $(CHECK_CFLAGS)
test_ldadd = libcore.la $(CORE_LIBS) $(CHECK_LIBS)
test_minibatches = %D%/minibatches.c %D%/minibatches.h
test_common = %D%/testing.c %D%/testing.h

%C%_test_random_SOURCES = %D%/test_random.c $(test_common)
%C%_test_random_CFLAGS = $(test_cflags)
%C%_test_random_LDADD = $(test_ldadd)

%C%_test_operators_SOURCES = %D%/test_operators.c $(test_common)
%C%_test_operators_CFLAGS = $(test_cflags)
%C%_test_operators_LDADD = $(test_ldadd)

%C%_test_minimum_SOURCES = %D%/test_minimum.c $(test_common)
%C%_test_minimum_CFLAGS = $(test_cflags)
%C%_test_minimum_LDADD = $(test_ldadd)

%C%_test_layers_SOURCES = %D%/test_layers.c $(test_common)
%C%_test_layers_CFLAGS = $(test_cflags)
%C%_test_layers_LDADD = $(test_ldadd)

%C%_test_lyapunov_SOURCES = %D%/test_lyapunov.c %D%/random_systems.c %D%/random_systems.h $(test_common)
%C%_test_lyapunov_CFLAGS = $(test_cflags)
%C%_test_lyapunov_LDADD = $(test_ldadd)

%C%_test_many_SOURCES = %D%/test_many.c %D%/random_systems.c %D%/random_systems.h $(test_common)
%C%_test_many_CFLAGS = $(test_cflags)
%C%_test_many_LDADD = $(test_ldadd)

%C%_test_sparse_SOURCES = %D%/test_sparse.c %D%/random_systems.c %D%/random_systems.h $(test_common)
%C%_test_sparse_CFLAGS = $(test_cflags)
%C%_test_sparse_LDADD = $(test_ldadd)

%C%_test_reshuffled_SOURCES = %D%/test_reshuffled.c $(test_common)
%C%_test_reshuffled_CFLAGS = $(test_cflags)
%C%_test_reshuffled_LDADD = $(test_ldadd)

%C%_test_closure_SOURCES = %D%/test_closure.c $(test_common)
%C%_test_closure_CFLAGS = $(test_cflags)
%C%_test_closure_LDADD = $(test_ldadd)
%C%_test_closure_range_SOURCES = %D%/test_closure_range.c $(test_common)
%C%_test_closure_range_CFLAGS = $(test_cflags)
%C%_test_closure_range_LDADD = $(test_ldadd)

%C%_test_covariance_SOURCES = %D%/test_covariance.c $(test_minibatches) $(test_common)
%C%_test_covariance_CFLAGS = $(test_cflags)
%C%_test_covariance_LDADD = $(test_ldadd)

%C%_test_covariance_operator_SOURCES = %D%/test_covariance_operator.c $(test_common)
%C%_test_covariance_operator_CFLAGS = $(test_cflags)
%C%_test_covariance_operator_LDADD = $(test_ldadd)

%C%_test_decay_SOURCES = %D%/test_decay.c $(test_common)
%C%_test_decay_CFLAGS = $(test_cflags)
%C%_test_decay_LDADD = $(test_ldadd)

%C%_test_multiplicative_SOURCES = %D%/test_multiplicative.c $(test_minibatches) $(test_common)
%C%_test_multiplicative_CFLAGS = $(test_cflags)
%C%_test_multiplicative_LDADD = $(test_ldadd)

%C%_test_depth_SOURCES = %D%/test_depth.c $(test_minibatches) $(test_common)
%C%_test_depth_CFLAGS = $(test_cflags)
%C%_test_depth_LDADD = $(test_ldadd)

%C%_test_dynamics_SOURCES = %D%/test_dynamics.c $(test_common)
%C%_test_dynamics_CFLAGS = $(test_cflags)
%C%_test_dynamics_LDADD = $(test_ldadd)

%C%_test_dynamics_simulation_SOURCES = %D%/test_dynamics_simulation.c $(test_common)
%C%_test_dynamics_simulation_CFLAGS = $(test_cflags)
%C%_test_dynamics_simulation_LDADD = $(test_ldadd)

%C%_test_directions_SOURCES = %D%/test_directions.c $(test_common)
%C%_test_directions_CFLAGS = $(test_cflags)
%C%_test_directions_LDADD = $(test_ldadd)

%C%_test_observables_SOURCES = %D%/test_observables.c $(test_common)
%C%_test_observables_CFLAGS = $(test_cflags)
%C%_test_observables_LDADD = $(test_ldadd)

%C%_test_statistics_SOURCES = %D%/test_statistics.c $(test_common)
%C%_test_statistics_CFLAGS = $(test_cflags)
%C%_test_statistics_LDADD = $(test_ldadd)

%C%_test_slow_modes_SOURCES = %D%/test_slow_modes.c $(test_common)
%C%_test_slow_modes_CFLAGS = $(test_cflags)
%C%_test_slow_modes_LDADD = $(test_ldadd)

%C%_test_power_SOURCES = %D%/test_power.c $(test_common)
%C%_test_power_CFLAGS = $(test_cflags)
%C%_test_power_LDADD = $(test_ldadd)

%C%_test_time_SOURCES = %D%/test_time.c $(test_common)
%C%_test_time_CFLAGS = $(test_cflags)
%C%_test_time_LDADD = $(test_ldadd)

%C%_test_time_epochs_SOURCES = %D%/test_time_epochs.c $(test_common)
%C%_test_time_epochs_CFLAGS = $(test_cflags)
%C%_test_time_epochs_LDADD = $(test_ldadd)

%C%_test_time_simulation_SOURCES = %D%/test_time_simulation.c $(test_common)
%C%_test_time_simulation_CFLAGS = $(test_cflags)
%C%_test_time_simulation_LDADD = $(test_ldadd)

%C%_test_chains_SOURCES = %D%/test_chains.c $(test_common)
%C%_test_chains_CFLAGS = $(test_cflags)
%C%_test_chains_LDADD = $(test_ldadd)

%C%_test_engine_SOURCES = %D%/test_engine.c $(test_common)
%C%_test_engine_CFLAGS = $(test_cflags)
%C%_test_engine_LDADD = $(test_ldadd)

%C%_test_simulation_SOURCES = %D%/test_simulation.c $(test_common)
%C%_test_simulation_CFLAGS = $(test_cflags)
%C%_test_simulation_LDADD = $(test_ldadd)

%C%_test_depth_simulation_SOURCES = %D%/test_depth_simulation.c $(test_common)
%C%_test_depth_simulation_CFLAGS = $(test_cflags)
%C%_test_depth_simulation_LDADD = $(test_ldadd)

%C%_test_rotation_SOURCES = %D%/test_rotation.c $(test_common)
%C%_test_rotation_CFLAGS = $(test_cflags)
%C%_test_rotation_LDADD = $(test_ldadd)

%C%_test_rotation_momentum_SOURCES = %D%/test_rotation_momentum.c $(test_common)
%C%_test_rotation_momentum_CFLAGS = $(test_cflags)
%C%_test_rotation_momentum_LDADD = $(test_ldadd)

%C%_test_rotation_simulation_SOURCES = %D%/test_rotation_simulation.c $(test_common)
%C%_test_rotation_simulation_CFLAGS = $(test_cflags)
%C%_test_rotation_simulation_LDADD = $(test_ldadd)

%C%_test_turning_SOURCES = %D%/test_turning.c $(test_common)
%C%_test_turning_CFLAGS = $(test_cflags)
%C%_test_turning_LDADD = $(test_ldadd)

%C%_test_whole_space_SOURCES = %D%/test_whole_space.c $(test_common)
%C%_test_whole_space_CFLAGS = $(test_cflags)
%C%_test_whole_space_LDADD = $(test_ldadd)

%C%_test_noise_balance_SOURCES = %D%/test_noise_balance.c $(test_common)
%C%_test_noise_balance_CFLAGS = $(test_cflags)
%C%_test_noise_balance_LDADD = $(test_ldadd)

%C%_test_literature_SOURCES = %D%/test_literature.c $(test_common)
%C%_test_literature_CFLAGS = $(test_cflags)
%C%_test_literature_LDADD = $(test_ldadd)

%C%_test_start_SOURCES = %D%/test_start.c $(test_common)
%C%_test_start_CFLAGS = $(test_cflags)
%C%_test_start_LDADD = $(test_ldadd)

%C%_test_files_SOURCES = %D%/test_files.c $(test_common)
%C%_test_files_CFLAGS = $(test_cflags)
%C%_test_files_LDADD = $(test_ldadd)

%C%_test_trajectory_file_SOURCES = %D%/test_trajectory_file.c $(test_common)
%C%_test_trajectory_file_CFLAGS = $(test_cflags)
%C%_test_trajectory_file_LDADD = $(test_ldadd)

%C%_test_checkpoint_SOURCES = %D%/test_checkpoint.c $(test_common)
%C%_test_checkpoint_CFLAGS = $(test_cflags)
%C%_test_checkpoint_LDADD = $(test_ldadd) $(ZLIB_LIBS)

%C%_make_fixtures_SOURCES = %D%/make_fixtures.c
%C%_make_fixtures_CFLAGS = $(AM_CFLAGS) $(HDF5_CFLAGS) $(ZLIB_CFLAGS)
%C%_make_fixtures_LDADD = $(HDF5_LIBS) $(ZLIB_LIBS) -lm

if WITH_MPI
test_scripts_of_mpi = %D%/ranks.sh
endif

check_PROGRAMS += $(test_programs) %D%/make_fixtures
TESTS += $(test_programs) $(test_scripts) $(test_scripts_of_mpi)
AM_TESTS_ENVIRONMENT = \
  OPENBLAS_NUM_THREADS=1; export OPENBLAS_NUM_THREADS; \
  SGFLOW=$(abs_builddir)/sgflow; export SGFLOW; \
  SOURCE=$(abs_srcdir); export SOURCE; \
  BUILD=$(abs_builddir); MANUAL=$(abs_builddir)/cli; MAKE='$(MAKE)'; CC='$(CC) $(SGF_LDFLAGS)'; export BUILD MANUAL MAKE CC; \
  MPIRUN=$(MPIRUN); export MPIRUN; \
  FIXTURES=$(abs_builddir)/%D%/make_fixtures; export FIXTURES;
# Less than a minute: what a package is tested by when it is built.
quick_programs = %D%/test_random %D%/test_operators %D%/test_layers %D%/test_lyapunov %D%/test_minimum %D%/test_observables \
  %D%/test_statistics %D%/test_chains %D%/test_files %D%/test_trajectory_file
.PHONY: quickcheck
quickcheck: all $(quick_programs)
	$(MAKE) $(AM_MAKEFLAGS) check-TESTS TESTS='$(quick_programs) %D%/separation.sh %D%/manual.sh %D%/install.sh %D%/abi.sh'
EXTRA_DIST += %D%/cases %D%/abi.awk %D%/abi.txt %D%/shell.sh $(test_scripts) %D%/ranks.sh
