"""The commands ``radiolocus demo-monitoring`` and ``radiolocus monitor``, and the study behind them."""

import json

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from monitored import tracked
from radiolocus.app.cli import app
from radiolocus.config import load_study
from radiolocus.outcome.supermodel import MIXED, Landmarks, fit_monitor
from radiolocus.pipeline import run_study
from radiolocus.store import read_table

SMALL = (
    ("repeats = 2", "repeats = 1\nfolds = 3\ndraws = 2\npermutations = 1"),
    ("bootstrap = 300\ndraws = 15\npermutations = 3", "bootstrap = 20"),
)
SMALL += (("[0.0, 90.0, 180.0, 270.0, 360.0]", "[0.0, 180.0, 360.0]"),)


def run(*words):
    return CliRunner().invoke(app, [str(w) for w in words], env={"COLUMNS": "100"})


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A simulated cohort, and the results of a small run of it."""
    root = tmp_path_factory.mktemp("monitoring")
    with pytest.MonkeyPatch.context() as patch:
        from radiolocus.simulate import monitoring

        text = monitoring.FOLLOWED_STUDY
        for old, new in SMALL:
            assert old in text
            text = text.replace(old, new)
        patch.setattr(monitoring, "FOLLOWED_STUDY", text)
        done = run("demo-monitoring", "--subjects", "70", "--out", root, "--jobs", "1")
    assert done.exit_code == 0, done.output
    return root, done.output


def test_the_demo_holds_risks_against_the_truth(demo):
    root, told = demo
    assert "landmarks of 1 endpoints judged out of fold" in told
    assert "of the intervals hold them" in told
    assert "correlation with the true risks: 0." in told
    assert (root / "results" / "report.html").is_file()


def test_the_report_has_its_section(demo):
    root, _ = demo
    page = (root / "results" / "report.html").read_text(encoding="utf-8")
    for words in (
        "Progression monitoring",
        "Out-of-fold performance by landmark",
        "Calibration of the mixed model by landmark",
        "re-estimated at each visit",
        "Hazard by what was measured last",
        "doubling time of who grows",
        "Risk within 180 days was re-estimated by landmark supermodels (van Houwelingen 2007)",
        "Laird NM, Ware JH.",
    ):
        assert words in page, words


def test_a_subject_is_shown_scan_by_scan(demo, tmp_path):
    root, _ = demo
    risk = read_table(root / "results", "monitoring/risk")
    subject = risk["subject"][0]
    picture = tmp_path / "risk.png"
    done = run("monitor", root / "results", subject, "--out", picture)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    own = risk.filter(subject=subject).sort("time")
    assert sum("visit " in line for line in lines[1:]) == own.height
    assert f"{own['risk'][0]:.0%}"[:-1] in lines[1]
    assert "for research only" in done.output
    assert picture.read_bytes()[1:4] == b"PNG"
    assert run("monitor", root / "results", subject).exit_code == 0
    assert (root / "results" / "courses" / f"{subject}.svg").is_file()


def test_what_cannot_be_shown_is_said(demo, tmp_path):
    root, _ = demo
    wrong = run("monitor", root / "results", "M00O1")
    assert wrong.exit_code == 1
    assert "no risk of 'M00O1'" in wrong.exception.message
    other = run("monitor", root / "results", "M0001", "--endpoint", "death")
    assert "no endpoint 'death'; allowed: progression" in other.exception.message
    nothing = run("monitor", tmp_path, "M0001")
    assert nothing.exit_code == 1
    assert "add [monitoring]" in nothing.exception.message


def new_patients(root, into, ids=("M0001", "M0002", "M0003")):
    """A table of scans as new patients bring it: clinical columns in it."""
    scans, clinical = (pl.read_csv(root / "data" / f"{name}.csv") for name in ("scans", "clinical"))
    table = scans.join(clinical.select("id", "grade"), on="id", how="left").filter(pl.col("id").is_in(ids))
    table.write_csv(into)
    return table


def test_new_patients_are_predicted_by_the_model_of_all(demo, tmp_path):
    root, _ = demo
    table = new_patients(root, tmp_path / "new.csv")
    done = run("monitor", root / "results", "--patients", tmp_path / "new.csv", "--out", tmp_path / "risks.csv")
    assert done.exit_code == 0, done.output
    risks = pl.read_csv(tmp_path / "risks.csv")
    # The same model, fitted to the same subjects from the files of the study.
    data = tracked(*(pl.read_csv(root / "data" / f"{name}.csv") for name in ("scans", "clinical")))
    marks = read_table(root / "results", "monitoring/landmarks")["landmark"].to_list()
    model = fit_monitor(data, MIXED, Landmarks(tuple(marks), 180.0))
    place = {s: i for i, s in enumerate(data.histories.subject)}
    who = np.array([place[s] for s in risks["subject"]])
    np.testing.assert_allclose(risks["risk"], model.risk(data, who, risks["time"].to_numpy()), atol=1e-9)
    assert risks.height == table.filter(pl.col("day").is_between(marks[0], marks[-1])).height
    assert ((risks["lower"] <= risks["risk"]) & (risks["risk"] <= risks["upper"])).all()
    assert "visits after the last landmark" in done.stderr
    assert "for research only" in done.output


def test_new_patients_that_cannot_be_predicted_are_named(demo, tmp_path):
    root, _ = demo
    table = new_patients(root, tmp_path / "new.csv")
    bad = table.with_columns(
        pl.when(pl.col("id") == "M0001").then(1e6).otherwise("volume_ml").alias("volume_ml"),
        pl.when(pl.col("id") == "M0002").then(pl.lit("II")).otherwise(pl.col("grade").cast(pl.String)).alias("grade"),
    )
    bad = pl.concat([bad, bad.filter(id="M0003").head(1).with_columns(pl.lit(5.0).alias("volume_ml"))])
    bad.write_csv(tmp_path / "bad.csv")
    done = run("monitor", root / "results", "--patients", tmp_path / "bad.csv")
    assert done.exit_code == 3, done.output
    assert "M0001: log volume_ml outside" in done.stderr
    assert "set aside: M0003: two different rows at 0" in done.stderr
    assert "'II' of 'grade' is no Int64 as in the study" in done.stderr
    table.drop("grade").write_csv(tmp_path / "bare.csv")
    assert (
        "no column 'grade'" in run("monitor", root / "results", "--patients", tmp_path / "bare.csv").exception.message
    )
    late = table.with_columns(pl.col("day") + 5000.0)
    late.write_csv(tmp_path / "late.csv")
    told = run("monitor", root / "results", "--patients", tmp_path / "late.csv").exception.message
    assert "no visit from" in told
    both = run("monitor", root / "results", "M0001", "--patients", tmp_path / "new.csv")
    assert (both.exit_code, run("monitor", root / "results").exit_code) == (2, 2)


def test_the_profile_holds_the_risk(demo):
    root, _ = demo
    done = run("profile", root / "results", "M0002", "--out", root / "p.html")
    assert done.exit_code == 0, done.output
    assert "Risk, re-estimated after each visit" in (root / "p.html").read_text(encoding="utf-8")
    rows = json.loads((root / "p.json").read_text(encoding="utf-8"))["monitoring"]
    assert [r["visits"] for r in rows] == sorted(r["visits"] for r in rows)
    assert 0 < rows[0]["lower"] < rows[0]["risk"] < rows[0]["upper"] < 1


@pytest.mark.slow
def test_workers_and_a_second_run_change_nothing(demo):
    root, _ = demo
    study = load_study(root / "data" / "study.toml")
    run_study(study, root / "again", jobs=2)
    for name in ("predictions", "risk", "performance", "comparisons", "growth", "audit"):
        one, two = (read_table(root / folder, f"monitoring/{name}") for folder in ("results", "again"))
        assert one.equals(two), name
    before = (root / "again" / "monitoring" / "manifest.json").stat().st_mtime_ns
    run_study(study, root / "again", jobs=1)
    assert (root / "again" / "monitoring" / "manifest.json").stat().st_mtime_ns == before


def spoiled(demo, tmp_path, scans, text=lambda t: t):
    """Run the study with other scans; the results."""
    root, _ = demo
    for name in ("clinical.csv", "study.toml"):
        (tmp_path / name).write_bytes((root / "data" / name).read_bytes())
    (tmp_path / "study.toml").write_text(text((tmp_path / "study.toml").read_text()))
    scans.write_csv(tmp_path / "scans.csv")
    return run_study(load_study(tmp_path / "study.toml"), tmp_path / "out")


@pytest.mark.slow
def test_bad_visits_are_named_and_the_study_goes_on(demo, tmp_path):
    root, _ = demo
    scans = pl.read_csv(root / "data" / "scans.csv")
    schema = scans.schema
    bad = [
        ("M0003", -20.0, 1.0, 0.0),
        ("M0004", 5000.0, 1.0, 0.0),
        ("M0005", 0.0, 99.0, 0.0),
        ("NOBODY", 0.0, 1.0, 0.0),
    ]
    done = spoiled(demo, tmp_path, pl.concat([scans, pl.DataFrame(bad, schema=schema, orient="row")]))
    told = read_table(done.root, "problems").filter(stage="monitoring", severity="set aside")
    said = dict(told.select("subject", "got").iter_rows())
    assert said["M0003"] == "a visit at -20, before baseline"
    assert said["M0004"].startswith("a visit at 5000, after the event or the end of observation")
    assert said["M0005"] == "two different rows at 0"
    risk = read_table(done.root, "monitoring/risk")["subject"]
    assert "M0005" not in risk.to_list()
    assert "M0003" in risk.to_list()


@pytest.mark.slow
def test_other_units_of_time_and_dates_give_the_same_numbers(demo, tmp_path):
    root, _ = demo
    scans = pl.read_csv(root / "data" / "scans.csv")
    want = read_table(root / "results", "monitoring/performance")
    weeks = spoiled(
        demo,
        tmp_path,
        scans.with_columns(pl.col("day") / 7.0),
        lambda t: t.replace('time = "day"', 'time = "day"\ntime_unit = "weeks"'),
    )
    found = read_table(weeks.root, "monitoring/performance")
    for column in ("estimate", "lower"):
        assert (found[column] - want[column]).abs().max() < 1e-6
    clinical = pl.read_csv(tmp_path / "clinical.csv").with_columns(pl.lit("2020-02-28").alias("start"))
    clinical.write_csv(tmp_path / "clinical.csv")
    day = pl.lit("2020-02-28").str.to_date() + pl.duration(days=pl.col("day"))
    dated = scans.with_columns(day.dt.to_string("%Y-%m-%d").alias("day"))
    dated.write_csv(tmp_path / "scans.csv")
    text = (tmp_path / "study.toml").read_text().replace('time_unit = "weeks"', 'origin = "start"')
    (tmp_path / "study.toml").write_text(text)
    again = run_study(load_study(tmp_path / "study.toml"), tmp_path / "dated")
    same = read_table(again.root, "monitoring/performance")
    assert (same["estimate"] - want["estimate"]).abs().max() < 1e-6
