# The tables and figures of the paper's claims, as data: studies, exhibits, pages.
libcli_la_SOURCES += \
  %D%/blocks.c \
  %D%/blocks.h \
  %D%/catalogue.c \
  %D%/catalogue.h \
  %D%/continuum_limit.c \
  %D%/exhibit.c \
  %D%/exhibit.h \
  %D%/figure.c \
  %D%/frame.c \
  %D%/frame.h \
  %D%/measured.c \
  %D%/measured.h \
  %D%/page.c \
  %D%/page.h \
  %D%/ranks.c \
  %D%/reproduction.c \
  %D%/reproduction.h \
  %D%/single_layer.c \
  %D%/study.c \
  %D%/study.h \
  %D%/two_layers.c \
  %D%/windows.c
