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
    answers = tmp_path / "answers.csv"
    call = [program, FOLDER / "evaluation.R", FOLDER / "evaluation_table.csv", answers]
    ran = subprocess.run(call, check=False, capture_output=True, text=True)
    if "no package called" in ran.stderr:
        pytest.skip(f"R's packages {', '.join(PACKAGES)} are not all installed: no answers made anew")
    assert ran.returncode == 0, ran.stderr
    stored = FOLDER / "evaluation_answers.csv"
    now, then = (dict(csv.reader(path.read_text().splitlines())) for path in (answers, stored))
    assert list(now) == list(then)
    for key in list(now)[1:]:
        np.testing.assert_allclose(float(now[key]), float(then[key]), rtol=1e-8, atol=1e-9, err_msg=key)
