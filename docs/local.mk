# Pages, and the manual that is made of them: HTML by pandoc, PDF by weasyprint.
pages = %D%/tutorial.md %D%/verdicts.md %D%/output.md %D%/scaling.md %D%/solvers.md %D%/extending.md %D%/architecture.md %D%/testing.md
pagesdir = $(docdir)/docs
dist_pages_DATA = $(pages) %D%/two-layers.svg %D%/covariance-operator.svg
EXTRA_DIST += %D%/api.awk %D%/introduction.md %D%/manual.css %D%/manual.sh paper/paper.md paper/paper.bib
CLEANFILES += %D%/manual.html %D%/manual.pdf

.PHONY: manual
manual: %D%/manual.html %D%/manual.pdf
%D%/manual.html: $(pages) %D%/introduction.md %D%/api.awk %D%/manual.css %D%/manual.sh paper/paper.md paper/paper.bib include/sgflow.h theory/README.md python/README.md \
    CONTRIBUTING.md cli/manual.stamp
	@$(MKDIR_P) %D%
	$(AM_V_GEN)$(SHELL) $(srcdir)/%D%/manual.sh $(srcdir) cli $(PACKAGE_VERSION) $@
%D%/manual.pdf: %D%/manual.html
	$(AM_V_GEN)weasyprint -q $< $@
