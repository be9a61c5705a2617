example_files = \
  %D%/README.md \
  %D%/closure.yaml \
  %D%/diabetes.h5 \
  %D%/diabetes.yaml \
  %D%/epochs.yaml \
  %D%/linnerud.h5 \
  %D%/momentum.yaml \
  %D%/numpy_compare.py \
  %D%/plot_results.py \
  %D%/predict.c \
  %D%/python_package.py \
  %D%/pytorch_compare.py \
  %D%/read_results.jl \
  %D%/read_results.m \
  %D%/read_results.py \
  %D%/single_layer.yaml \
  %D%/sweep.py \
  %D%/two_layers.yaml
examplesdir = $(docdir)/examples
dist_examples_DATA = $(example_files)
