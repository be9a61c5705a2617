# Programs that make the committed tables.
check_PROGRAMS += %D%/claims
%C%_claims_SOURCES = %D%/claims.c
%C%_claims_CFLAGS = $(CORE_CFLAGS)
%C%_claims_LDADD = libcore.la $(CORE_LIBS)
check_PROGRAMS += %D%/closure
%C%_closure_SOURCES = %D%/closure.c
%C%_closure_CFLAGS = $(CORE_CFLAGS)
%C%_closure_LDADD = libcore.la $(CORE_LIBS)
check_PROGRAMS += %D%/rotation
%C%_rotation_SOURCES = %D%/rotation.c
%C%_rotation_CFLAGS = $(CORE_CFLAGS)
%C%_rotation_LDADD = libcore.la $(CORE_LIBS)
EXTRA_DIST += %D%/README.md %D%/closure.csv %D%/single_layer_claims.csv \
  %D%/rotation.csv %D%/rotation.gp %D%/rotation.svg

# Minutes on two cores; the table in the tree was made by this.
.PHONY: results
results: %D%/claims %D%/closure %D%/rotation
	$(MKDIR_P) %D%
	%D%/claims > %D%/single_layer_claims.csv
	%D%/closure > %D%/closure.csv
	%D%/rotation > %D%/rotation.csv
	gnuplot -e "table='%D%/rotation.csv'; figure='%D%/rotation.svg'" $(srcdir)/%D%/rotation.gp
