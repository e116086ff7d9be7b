"""The stored answers of R are what R says today."""

import csv
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parent.parent / "reference"
PACKAGES = ("survival", "riskRegression", "prodlim", "geepack", "pROC", "Hmisc", "rms")


@pytest.mark.slow
def test_the_script_still_gives_the_stored_answers(tmp_path):
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed: the stored answers of R are not made anew")
    for package in PACKAGES:
        if subprocess.run([program, "-e", f"packageVersion('{package}')"], capture_output=True, check=False).returncode:
            pytest.skip(f"R's package {package} is not installed: the stored answers of R are not made anew")
    answers = tmp_path / "answers.csv"
    subprocess.run([program, FOLDER / "evaluation.R", FOLDER / "evaluation_table.csv", answers], check=True)
    stored = FOLDER / "evaluation_answers.csv"
    now, then = (dict(csv.reader(path.read_text().splitlines())) for path in (answers, stored))
    assert list(now) == list(then)
    for key in list(now)[1:]:
        np.testing.assert_allclose(float(now[key]), float(then[key]), rtol=1e-8, atol=1e-9, err_msg=key)
