example_files = \
  %D%/README.md \
  %D%/closure.yaml \
  %D%/diabetes.h5 \
  %D%/diabetes.yaml \
  %D%/epochs.yaml \
  %D%/momentum.yaml \
  %D%/predict.c \
  %D%/pytorch_compare.py \
  %D%/read_results.py \
  %D%/single_layer.yaml \
  %D%/two_layers.yaml
examplesdir = $(docdir)/examples
dist_examples_DATA = $(example_files)
