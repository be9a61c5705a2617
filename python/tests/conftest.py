"""The tests of the package: by `make check`, or `SGFLOW_LIBRARY=... python3 -m pytest python/tests`."""
import os
import pathlib
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy loads it: results of program and package to the bit

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))


@pytest.fixture
def program():
    """The program sgflow, for results that must be the same."""
    if "SGFLOW" not in os.environ:
        pytest.skip("SGFLOW does not name the program sgflow")
    return os.environ["SGFLOW"]


@pytest.fixture
def data():
    """X (60, 4) and Y (60, 2), a teacher and noise."""
    random = np.random.default_rng(7)
    X = random.normal(size=(60, 4))
    return X, X @ random.normal(size=(4, 2)) + 0.4 * random.normal(size=(60, 2))
