"""The figure of docs/fusion.md is what its script makes, and the page says what it and the example show."""

import dataclasses
import importlib.util
import re
from pathlib import Path

import polars as pl
import pytest

from radiolocus.config import load_study
from radiolocus.pipeline import run_study
from radiolocus.store import read_table

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("fusion_figure", DOCS / "figures" / "fusion.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def shown():
    return pl.read_csv(DOCS / "figures" / "fusion.csv")


@pytest.fixture(scope="module")
def page():
    return (DOCS / "fusion.md").read_text(encoding="utf-8")


def _table(page, head):
    """Rows of the table of the page whose first heading is `head`, by their first cells."""
    lines = page[page.index(f"| {head} |") :].split("\n\n")[0].splitlines()[2:]
    cells = [[c.strip().strip("`") for c in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


@pytest.mark.slow
def test_the_table_is_what_the_script_computes(script, shown):
    row = shown.row(1, named=True)
    predictors, target = script.cohort(1, molecular=True)
    for model in ("elastic_net", "ipf_lasso", "stacked"):
        assert script.judged(predictors, target, model) == pytest.approx(row[model], abs=2e-3)


def test_fusions_beat_concatenation_and_gain_nothing_from_nothing(shown):
    plain = shown["elastic_net"].mean()
    for model in ("ipf_lasso", "ipf_ridge", "sparse_group_lasso", "stacked"):
        gain = shown[model] - shown["elastic_net"]
        assert gain.mean() > 2 * gain.std() / gain.len() ** 0.5, model
        assert shown[model].mean() > plain
        nothing = shown[f"gain {model}"]
        assert nothing.mean() < 2 * nothing.std() / nothing.len() ** 0.5, model


def test_the_page_says_what_the_table_holds(shown, page, script):
    said = _table(page, "simulated cohorts")
    assert set(said) == set(script.MODELS)
    for model, (signal, gain) in said.items():
        assert signal == f"{shown[model].mean():.2f}"
        assert gain.replace("−", "-") == f"{shown['gain ' + model].mean():+.2f}"
    words = re.search(r"(\d+) cohorts of (\d+) patients", page).groups()
    assert words == (str(shown.height), str(script.SUBJECTS))


def test_the_figure_shows_the_table(script, shown, tmp_path):
    script.draw(shown, tmp_path / "again.svg")
    words = [
        re.findall(r">([^<]*)</text>", file.read_text(encoding="utf-8"))
        for file in (tmp_path / "again.svg", DOCS / "figures" / "fusion.svg")
    ]
    assert words[0] == words[1]


@pytest.mark.slow
def test_what_the_example_shows_of_patients_with_glioma(data, page, tmp_path):
    """One repetition instead of two, one endpoint and the simplest model: near what the page says."""
    study = load_study(ROOT / "examples" / "glioma.toml", data("tcga_glioma"))
    short = dataclasses.replace(
        study.sections.outcome, endpoints=("overall_survival",), models=("elastic_net",), repeats=1,
        permutations=0, shuffles=0, bootstrap=100, univariate_bootstrap=2, missing_modality=(), combine=(),
    )  # fmt: skip
    study = dataclasses.replace(study, sections=dataclasses.replace(study.sections, outcome=short, genotyping=None))
    finished = run_study(study, tmp_path / "out", jobs=2)
    table = read_table(finished.root, "outcome/performance")
    assert table["n"].unique().to_list() == [100]
    said = _table(page, "glioma, overall survival")
    for name, (told, *_) in said.items():
        predictors, model = name.split(", ")
        row = table.filter(pl.col("predictors") == predictors, pl.col("model").str.starts_with(model))
        if row.height:
            assert row["estimate"][0] == pytest.approx(float(told.split(" ")[0]), abs=0.1), name
    found = dict(table.select("predictors", "estimate").iter_rows())
    assert found["clinical"] > found["imaging"]
    assert found["clinical"] > found["molecular"]
