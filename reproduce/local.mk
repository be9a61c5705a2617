# The tables and figures of the paper's claims, as data: studies, exhibits, pages.
libcli_la_SOURCES += \
  %D%/balance_lifetime.c \
  %D%/beyond.c \
  %D%/blocks.c \
  %D%/blocks.h \
  %D%/catalogue.c \
  %D%/catalogue.h \
  %D%/continuum_limit.c \
  %D%/examples_folder.c \
  %D%/examples_folder.h \
  %D%/exact_moments.c \
  %D%/exact_moments.h \
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
  %D%/real_data.c \
  %D%/reproduction.c \
  %D%/reproduction.h \
  %D%/rotation.c \
  %D%/single_layer.c \
  %D%/size.c \
  %D%/study.c \
  %D%/study.h \
  %D%/training.c \
  %D%/training.h \
  %D%/turning_rates.c \
  %D%/two_layers.c \
  %D%/windows.c
