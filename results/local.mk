# The committed tables, figures and pages, and what makes them again, in place: up to an hour on two cores.

.PHONY: results
results: all
	./sgflow$(EXEEXT) reproduce --out $(srcdir)/%D%

# All that is there: a list would be as long as the tables are many.
dist-hook:
	cp -R $(srcdir)/%D%/. $(distdir)/%D%
	chmod -R u+w $(distdir)/%D%
