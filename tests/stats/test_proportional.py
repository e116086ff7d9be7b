"""The test of proportional hazards against R's cox.zph (tests/reference/zph.R), and on simulated hazards."""

import csv
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from radiolocus.errors import FitError, InputError, UndefinedError
from radiolocus.stats.proportional import proportional_hazards

FOLDER = Path(__file__).resolve().parent.parent / "reference"


def read(path):
    found = defaultdict(list)
    for row in csv.DictReader(path.read_text().splitlines()):
        found[row["key"].rsplit(".", 1)[0]].append(float(row["value"]))
    return {key: np.array(values) for key, values in found.items()}


@pytest.fixture(scope="module")
def answers():
    return read(FOLDER / "zph_answers.csv")


@pytest.fixture(scope="module")
def table():
    rows = list(csv.DictReader((FOLDER / "evaluation_table.csv").read_text().splitlines()))
    d = {name: np.array([float(r[name]) for r in rows]) for name in rows[0]}
    return d["t"], d["e"], np.column_stack([d["s"], d["x"], d["z"] > d["z"].mean()])


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("transform", ["km", "rank", "log", "identity"])
def test_statistics_are_those_of_r(table, answers, ties, transform):
    found = proportional_hazards(*table, transform=transform, ties=ties)
    np.testing.assert_allclose(found.statistic, answers[f"{ties}.{transform}.chisq"], rtol=1e-6)
    np.testing.assert_allclose(found.neg_log10_p, answers[f"{ties}.{transform}.logp"], rtol=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_residuals_and_curve_are_those_of_r(table, answers, ties):
    found = proportional_hazards(*table, ties=ties)
    order = np.lexsort([found.residual[:, 0], found.time])
    np.testing.assert_allclose(found.at[order], answers[f"{ties}.x"], rtol=1e-6)
    np.testing.assert_allclose(found.residual[order, 0], answers[f"{ties}.y"], rtol=1e-6, atol=1e-9)
    curve = found.smooth(1)
    np.testing.assert_allclose(curve.estimate, answers[f"{ties}.curve"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(curve.error, answers[f"{ties}.error"], rtol=1e-6)


def test_an_effect_that_fades_is_found_and_one_that_stays_is_not():
    rng = np.random.default_rng(5)
    x = rng.normal(size=600)
    first, later = rng.exponential(np.exp(-1.5 * x)), 0.5 + rng.exponential(size=600)
    found = proportional_hazards(np.where(first < 0.5, first, later), np.ones(600), x)
    assert found.neg_log10_p[0] > 6
    assert proportional_hazards(first, np.ones(600), x).neg_log10_p[0] < 2
    curve = found.smooth(0)
    assert curve.estimate[0] > 1.0 > 0.5 > curve.estimate[-1]
    assert np.all(np.diff(curve.time) >= 0)


def test_bad_input_is_told(table):
    time, event, X = table
    with pytest.raises(InputError, match="transform 'kaplan'"):
        proportional_hazards(time, event, X, transform="kaplan")
    with pytest.raises(InputError, match="an event at time 0"):
        proportional_hazards(np.r_[0.0, time], np.r_[1.0, event], np.vstack([X[:1], X]), transform="log")
    few = proportional_hazards([1, 2, 3, 4, 5, 6.0], [1, 0, 1, 0, 1, 0], [0.5, -1, 1.5, 0, -2, 1])
    with pytest.raises(UndefinedError, match="3 distinct event times"):
        few.smooth(0)
    with pytest.raises(FitError, match="all events at one time"):
        proportional_hazards([4, 4, 4, 9, 9, 9.0], [1, 1, 1, 0, 0, 0], [0.5, -1, 1.5, 0, -2, 1])


@pytest.mark.slow
def test_the_script_still_gives_the_stored_answers(tmp_path):
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed: the stored answers of R are not made anew")
    call = [program, FOLDER / "zph.R", FOLDER / "evaluation_table.csv", tmp_path / "answers.csv"]
    ran = subprocess.run(call, check=False, capture_output=True, text=True)
    if "no package called" in ran.stderr:
        pytest.skip("R's package survival is not installed: no answers made anew")
    assert ran.returncode == 0, ran.stderr
    now, then = read(tmp_path / "answers.csv"), read(FOLDER / "zph_answers.csv")
    assert list(now) == list(then)
    for key in now:
        np.testing.assert_allclose(now[key], then[key], rtol=1e-8, atol=1e-9, err_msg=key)
