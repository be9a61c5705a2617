# The Python package: for `pip install ./python`, and in `make dist`; `make install` leaves it alone.
EXTRA_DIST += \
  %D%/header.py \
  %D%/pyproject.toml \
  %D%/sgflow/__init__.py \
  %D%/sgflow/_comparison.py \
  %D%/sgflow/_covariance_operator.py \
  %D%/sgflow/_errors.py \
  %D%/sgflow/_header.py \
  %D%/sgflow/_library.py \
  %D%/sgflow/_lyapunov.py \
  %D%/sgflow/_prediction.py \
  %D%/sgflow/_problem.py \
  %D%/sgflow/_settings.py \
  %D%/sgflow/_version.py \
  %D%/sgflow/py.typed \
  %D%/tests/conftest.py \
  %D%/tests/test_covariance_operator.py \
  %D%/tests/test_header.py \
  %D%/tests/test_lyapunov.py \
  %D%/tests/test_problem.py
