"""312 patients of the Mayo Clinic's trial in primary biliary cholangitis, whose data R's package survival holds."""

import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

from radiolocus.config import load_study
from radiolocus.pipeline import run_study
from radiolocus.store import read_table

SCRIPT = Path(__file__).resolve().parent.parent / "reference" / "pbcseq.R"
STUDY = """
[cohort]
name = "PBC"
id = "id"
subjects = "clinical.csv"
[cohort.endpoints.death]
kind = "survival"
time = "days"
event = "died"
unit = "days"
[monitoring]
table = "visits.csv"
time = "day"
markers = ["bili", "protime"]
log = ["bili", "protime"]
landmarks = [0.0, 730.0, 1460.0]
window = 730.0
repeats = 1
folds = 3
bootstrap = 100
draws = 2
permutations = 2
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("Rscript is not installed: the data are not here")
    folder = tmp_path_factory.mktemp("pbc")
    ran = subprocess.run([program, SCRIPT, folder], check=False, capture_output=True, text=True)
    if "no package called" in ran.stderr:
        pytest.skip("R's package survival is not installed: the data are not here")
    assert ran.returncode == 0, ran.stderr
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    run_study(load_study(folder / "study.toml"), folder / "out")
    return folder


@pytest.mark.slow
def test_time_dependent_covariates_as_published(root):
    told = read_table(root / "out", "monitoring/time_dependent")
    found = dict(told.select("term", "estimate").iter_rows())
    answers = pl.read_csv(root / "answers.csv")
    for term, timed in answers.select("term", "timed").iter_rows():
        assert found[f"log {term}"] == pytest.approx(timed, abs=1e-6)
    # Therneau, Crowson & Atkinson, "Using time dependent covariates and time dependent coefficients in the Cox model".
    assert found["log bili"] == pytest.approx(1.241214, abs=5e-7)
    assert found["log protime"] == pytest.approx(3.983400, abs=5e-7)


@pytest.mark.slow
def test_following_bilirubin_tells_more_than_its_first_value(root):
    told = read_table(root / "out", "monitoring/comparisons").filter(
        pl.col("landmark").is_null(), first="baseline", second="last value", metric="scaled Brier"
    )
    assert told["estimate"][0] > 0
    whole = read_table(root / "out", "monitoring/performance").filter(pl.col("landmark").is_null(), metric="AUC(t)")
    auc = dict(whole.select("predictors", "estimate").iter_rows())
    assert 0.8 < auc["baseline"] < auc["last value"] < 0.92
    # Scans of the sequential data that go beyond the follow-up of the trial are named, not used.
    late = read_table(root / "out", "problems").filter(stage="monitoring", severity="set aside")
    assert late["got"].str.contains("after the event or the end of observation").all()
    assert late["subject"].n_unique() > 50
