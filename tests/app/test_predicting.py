"""The command ``radiolocus outcome``."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from flow.small_study import MOLECULAR, OUTCOME, SmallStudy
from radiolocus.app.cli import app
from radiolocus.store import read_table

QUICK = OUTCOME.replace("repeats = 2", "repeats = 1\npermutations = 0\nshuffles = 0").replace("= 50", "= 5")


def ran(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    made = SmallStudy(tmp_path_factory.mktemp("predicting"), n=24)
    made.text += MOLECULAR + QUICK + 'endpoints = ["relapse"]\n'
    made.file()
    return made


def test_endpoints_are_predicted_and_nothing_else_is_analysed(study):
    out = study.root / "outcomes"
    done = ran("outcome", study.root / "study.toml", "--out", out, "--jobs", 1)
    # The convex hull of a block has one density in everybody: that predictor alone is set aside.
    assert done.exit_code == 3, done.output
    assert "models judged out of fold" in done.output
    assert "link" not in done.output
    assert read_table(out, "outcome/performance")["endpoint"].unique().to_list() == ["relapse"]
    assert read_table(out, "link/link") is None
    assert "Out-of-fold performance" in (out / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_more_is_left_as_it_is(study, tmp_path):
    stages = {"cohort": {"ran": True}, "features": {"ran": True}, "link": {"ran": True}, "deep": {"ran": False}}
    (tmp_path / "study.json").write_text(json.dumps({"stages": stages}))
    done = ran("outcome", study.root / "study.toml", "--out", tmp_path)
    assert done.exit_code == 2
    assert "the folder holds results of link, which this command would remove" in done.output
    assert "radiolocus run" in done.output


def test_a_study_without_the_section_is_refused(study):
    file = study.root / "other.toml"
    file.write_text((study.root / "study.toml").read_text().split("[outcome]")[0])
    done = ran("outcome", file)
    assert done.exit_code == 2
    assert "other.toml: no section [outcome]" in done.output


def table(root, n=60):
    rng = np.random.default_rng(7)
    x = rng.normal(size=n)
    event = np.where(x + rng.normal(size=n) > 0, "dead", "alive")
    ids = [f"P{i:02d}" for i in range(n)]
    columns = {"id": ids, "months": rng.exponential(np.exp(-x)) + 0.1, "status": event, "age": rng.normal(60, 9, n)}
    pl.DataFrame(columns).write_csv(root / "clinical.csv")
    pl.DataFrame({"id": ids, "f1": x, "f2": rng.normal(size=n)}).write_csv(root / "ct.csv")
    (root / "s.toml").write_text("repeats = 1\nfolds = 3\nbootstrap = 20\npermutations = 0\nshuffles = 0\n")
    return root


def test_tables_are_predicted_without_a_study_file(tmp_path):
    root, out = table(tmp_path), tmp_path / "out"
    words = ("--event", "status", "--event-value", "dead", "--time", "months", "--unit", "months", "--clinical", "age")
    done = ran(
        "outcome", root / "clinical.csv", *words, "--features", root / "ct.csv", "-s", root / "s.toml", "-o", out,
        "--jobs", 1,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    found = read_table(out, "outcome/performance")
    assert found["predictors"].to_list() == ["clinical", "imaging", "all"]
    best = found.filter(pl.col("predictors") == "imaging").row(0, named=True)
    assert best["estimate"] > 0.6
    assert f"status, imaging, {best['model']}: Harrell C {best['estimate']:.2f} ({best['lower']:.2f} to" in done.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "a table without --event"),
        (("--event", "status"), "nothing to predict from; allowed: --clinical, --features or --markers"),
    ],
)
def test_a_table_without_an_endpoint_or_predictors_is_refused(tmp_path, words, told):
    done = ran("outcome", table(tmp_path) / "clinical.csv", *words, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert told in done.output


def test_options_of_tables_are_not_taken_beside_a_study_file(study):
    done = ran("outcome", study.root / "study.toml", "--event", "status", "--id", "x", "--out", study.root / "no")
    assert done.exit_code == 2
    assert "--event, --id beside a study file" in done.output


def test_times_that_are_all_tied_are_reported_as_far_as_they_can_be(tmp_path):
    root, out = table(tmp_path), tmp_path / "out"
    clinical = pl.read_csv(root / "clinical.csv").with_columns(months=pl.lit(12))
    clinical.write_csv(root / "clinical.csv")
    words = ("--event", "status", "--event-value", "dead", "--time", "months", "--features", root / "ct.csv")
    done = ran("outcome", root / "clinical.csv", *words, "-s", root / "s.toml", "-o", out, "--jobs", 1)
    assert "status, imaging" in done.output, done.output
    assert "Traceback" not in done.output
    assert read_table(out, "outcome/horizons").filter(pl.col("metric") != "Uno C").height == 0
    told = pl.read_csv(out / "problems.csv")["got"].to_list()
    assert "all events at one time" in told
    assert "Out-of-fold performance" in (out / "report.html").read_text(encoding="utf-8")
