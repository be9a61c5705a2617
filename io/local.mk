io_sources = \
  %D%/atomic_file.c \
  %D%/atomic_file.h \
  %D%/hdf5_file.c \
  %D%/hdf5_file.h \
  %D%/hdf5_stream.c \
  %D%/hdf5_stream.h \
  %D%/matrix_market.c \
  %D%/matrix_market.h \
  %D%/regular_file.c \
  %D%/regular_file.h \
  %D%/results_file.c \
  %D%/state_file.c \
  %D%/state_file.h \
  %D%/system_file.c \
  %D%/trajectory_file.c \
  %D%/trajectory_file.h
