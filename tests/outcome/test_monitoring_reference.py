"""The stored answers of R about monitoring are what R says today."""

import csv
import shutil
import subprocess

import numpy as np
import pytest

from monitored import FOLDER


@pytest.mark.slow
def test_the_script_still_gives_the_stored_answers(tmp_path):
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed: the stored answers of R are not made anew")
    answers = tmp_path / "answers.csv"
    call = [program, FOLDER / "monitoring.R", FOLDER / "monitoring_table.csv", answers]
    ran = subprocess.run(call, check=False, capture_output=True, text=True)
    if "no package called" in ran.stderr:
        pytest.skip("R's packages lme4, survival and riskRegression are not all installed: no answers made anew")
    assert ran.returncode == 0, ran.stderr
    stored = FOLDER / "monitoring_answers.csv"
    now, then = (dict(csv.reader(path.read_text().splitlines())) for path in (answers, stored))
    assert list(now) == list(then)
    for key in list(now)[1:]:
        # Mixed models end where their optimiser stops.
        loose = 1e-5 if key.startswith(("lmm", "intercepts", "blup")) else 1e-8
        np.testing.assert_allclose(float(now[key]), float(then[key]), rtol=loose, atol=loose, err_msg=key)
