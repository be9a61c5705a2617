"""What ctypes knows of the header is what it says: made anew it is the same, and a compiler sees the same layout."""
import os
import shlex
import shutil
import subprocess
import sys

import pytest
import sgflow
from conftest import ROOT

HEADER = ROOT / "include" / "sgflow.h"
SCRIPT = ROOT / "python" / "header.py"


def test_module_is_of_this_header(tmp_path):
    made = tmp_path / "_header.py"
    subprocess.run([sys.executable, SCRIPT, HEADER, made], check=True)
    here = ROOT / "python" / "sgflow" / "_header.py"
    assert made.read_text() == here.read_text(), \
        "include/sgflow.h has changed: python3 python/header.py include/sgflow.h python/sgflow/_header.py"


def test_version_is_that_of_the_header():
    header = sgflow._header
    version = f"{header.SGF_VERSION_MAJOR}.{header.SGF_VERSION_MINOR}.{header.SGF_VERSION_PATCH}"
    assert sgflow.__version__ == version, f"python/sgflow/_version.py must say {version}"
    assert sgflow.version() == version


def compiled(tmp_path, header):
    """The status and output of the program that compares the module with a header, by the compiler's own layout."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    library = os.environ.get("SGFLOW_LIBRARY")
    if shutil.which(compiler[0]) is None or library is None:
        pytest.skip("no C compiler, or SGFLOW_LIBRARY is not set")
    folder = tmp_path / "include"
    folder.mkdir()
    (folder / "sgflow.h").write_text(header)
    subprocess.run([sys.executable, SCRIPT, "--check", HEADER, tmp_path / "check.c"], check=True)
    built = subprocess.run([*compiler, "-w", f"-I{folder}", tmp_path / "check.c", "-o", tmp_path / "check", library],
                           capture_output=True, text=True)
    if built.returncode != 0:
        return built.returncode, built.stderr
    run = subprocess.run([tmp_path / "check"], capture_output=True, text=True,
                         env={**os.environ, "LD_LIBRARY_PATH": os.path.dirname(library)})
    return run.returncode, run.stdout


def test_layout_is_the_compilers(tmp_path):
    assert compiled(tmp_path, HEADER.read_text()) == (0, "")


@pytest.mark.parametrize("old, new, says", [
    ("  double label_noise; ", "  float label_noise; ", "type of sgf_settings.data.label_noise"),
    ("  size_t rank;   ", "  int rank;   ", "type of sgf_covariance_operator_info.rank"),
    ("  double momentum; ", "  double added, momentum; ", "offset of sgf_settings.training.momentum"),
    ("  SGF_EQUATION_EXACT,", "  SGF_EQUATION_OTHER, SGF_EQUATION_EXACT,", "SGF_EQUATION_EXACT"),
    ("bool force, sgf_prediction", "int force, sgf_prediction", "type of sgf_predict:"),
])
def test_a_change_is_seen(tmp_path, old, new, says):
    text = HEADER.read_text()
    assert old in text
    status, output = compiled(tmp_path, text.replace(old, new))
    assert status == 1 and says in output, output
