# Programs that make the committed tables.
check_PROGRAMS += %D%/claims
%C%_claims_SOURCES = %D%/claims.c
%C%_claims_CFLAGS = $(CORE_CFLAGS)
%C%_claims_LDADD = libcore.la $(CORE_LIBS)
check_PROGRAMS += %D%/closure
%C%_closure_SOURCES = %D%/closure.c
%C%_closure_CFLAGS = $(CORE_CFLAGS)
%C%_closure_LDADD = libcore.la $(CORE_LIBS)
EXTRA_DIST += %D%/README.md %D%/closure.csv %D%/single_layer_claims.csv

# Minutes on two cores; the table in the tree was made by this.
.PHONY: results
results: %D%/claims %D%/closure
	$(MKDIR_P) %D%
	%D%/claims > %D%/single_layer_claims.csv
	%D%/closure > %D%/closure.csv
