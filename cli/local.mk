# All but main is a library of its own, of which the program and the maker of the manual pages are made.
noinst_LTLIBRARIES += libcli.la
cli_cflags = $(AM_CFLAGS) $(GSL_CFLAGS) $(CYAML_CFLAGS) $(YAML_CFLAGS) $(JANSSON_CFLAGS) $(MPI_CFLAGS)
# The tables of `reproduce` are made of what the library does not offer to others: the core is linked in.
cli_ldadd = libcli.la libcore.la $(CORE_LIBS) $(CYAML_LIBS) $(YAML_LIBS) $(JANSSON_LIBS)
libcli_la_SOURCES = \
  %D%/command_compare.c \
  %D%/command_lyapunov.c \
  %D%/command_merge.c \
  %D%/command_predict.c \
  %D%/command_reproduce.c \
  %D%/command_simulate.c \
  %D%/command_sweep.c \
  %D%/command_verify.c \
  %D%/commands.c \
  %D%/config.c \
  %D%/config.h \
  %D%/experiment.c \
  %D%/experiment.h \
  %D%/grid.c \
  %D%/grid.h \
  %D%/job.c \
  %D%/job.h \
  %D%/lock.c \
  %D%/lock.h \
  %D%/options.c \
  %D%/options.h \
  %D%/processes.c \
  %D%/processes.h \
  %D%/progress.c \
  %D%/progress.h \
  %D%/summary.c \
  %D%/summary.h \
  %D%/sweep.c \
  %D%/sweep.h \
  %D%/table.c \
  %D%/table.h
libcli_la_CPPFLAGS = $(AM_CPPFLAGS) -DEXAMPLESDIR='"$(examplesdir)"'
libcli_la_CFLAGS = $(cli_cflags)

bin_PROGRAMS += sgflow
sgflow_SOURCES = %D%/main.c
sgflow_CFLAGS = $(cli_cflags)
sgflow_LDADD = $(cli_ldadd)

# Manual pages and completion, from the tables of the program. They are not in the tarball: making them takes nothing that the
# program does not take. Not where the program made cannot run here.
noinst_PROGRAMS += %D%/manual
%C%_manual_SOURCES = %D%/manual.c
%C%_manual_CPPFLAGS = $(AM_CPPFLAGS) -DRELEASE_DATE='"$(RELEASE_DATE)"'
%C%_manual_CFLAGS = $(cli_cflags)
%C%_manual_LDADD = $(cli_ldadd)
EXTRA_DIST += %D%/completion.bash

command_pages = %D%/sgflow.1 %D%/sgflow-predict.1 %D%/sgflow-simulate.1 %D%/sgflow-verify.1 %D%/sgflow-compare.1 \
  %D%/sgflow-sweep.1 %D%/sgflow-merge.1 %D%/sgflow-lyapunov.1 \
  %D%/sgflow-reproduce.1
config_pages = %D%/sgflow-config.5
completion_script = %D%/sgflow
if !CROSS_COMPILING
man1_MANS = $(command_pages)
man5_MANS = $(config_pages)
bashcompletion_DATA = $(completion_script)
endif
CLEANFILES += $(command_pages) $(config_pages) $(completion_script) %D%/manual.stamp

$(command_pages) $(config_pages): %D%/manual.stamp
	@test -f $@ || { rm -f %D%/manual.stamp; $(MAKE) $(AM_MAKEFLAGS) %D%/manual.stamp; }
%D%/manual.stamp: %D%/manual$(EXEEXT)
	$(AM_V_GEN)%D%/manual$(EXEEXT) %D%
	@touch $@
$(completion_script): %D%/manual$(EXEEXT) %D%/completion.bash
	$(AM_V_GEN){ cat $(srcdir)/%D%/completion.bash && %D%/manual$(EXEEXT); } > $@.part
	@mv $@.part $@
