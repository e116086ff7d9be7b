"""Profiles of subjects: the percentile of a slow twin, sets and coverage as they stand, and nothing of anybody else."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError, StoreError
from radiolocus.read.treatments import Condition, Treatment, TreatmentTable
from radiolocus.report.profile import RESEARCH_USE, build_profile, write_profile
from radiolocus.report.profile_data import percentile, profile_of
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES
from radiolocus.store import write_table
from report.artefacts import SCRIPT, make
from report.test_html import Page

DAY = dt.date(2026, 11, 1)


def treatment(marker, when="present", level=0.0, **more):
    told = {"tumour": "lung", "treatment": f"drug for {marker}", "effect": "sensitivity", "evidence": "trial"}
    return Treatment((marker,), Condition(when, when.split()[0], level), source="Source <b>", date=DAY, **told | more)


TABLE = TreatmentTable(
    "7", DAY, "Table",
    (treatment("EGFR", doi="10.1056/x\"><script>"), treatment("KRAS", pmid="1"), treatment("fus:ALK", pmid="2"),
     treatment("hypoxia_score", ">= -9", -9.0, unit="z-score", pmid="3")),
)  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = make(tmp_path_factory.mktemp("profiles"), subjects=36, features=9, variants=60, first_subject=SCRIPT)
    markers = pl.read_parquet(folder / "molecular/markers.parquet")
    absent = pl.when(pl.col("subject") == "S_003").then(0).otherwise("KRAS").alias("KRAS")
    write_table(folder, "molecular/markers", markers.with_columns(absent))
    schema = TABLES["genotyping/predictions"].schema
    rows = [
        dict.fromkeys(schema)
        | {"target": t, "predictors": "imaging", "model": "elastic_net", "primary": True, "subject": s, "repeat": r,
           "fold": 0, "class": c, "observed": y, "prediction": p, "in_set": i}
        for r in (0, 1)
        for t, s, c, y, p, i in (
            ("EGFR", "S_002", "present", 1.0, 0.31 + r, True), ("EGFR", "S_002", "absent", 0.0, 0.69 - r, True),
            ("KRAS", "S_002", "present", 0.0, 0.05, False), ("KRAS", "S_002", "absent", 1.0, 0.95, True),
            ("KRAS", "S_003", "present", 1.0, 0.99, True),
        )
    ]  # fmt: skip
    write_table(folder, "genotyping/predictions", pl.DataFrame(rows, schema=schema))
    schema = TABLES["genotyping/coverage"].schema
    told = {"predictors": "imaging", "model": "elastic_net", "primary": True, "class": "", "aimed_at": 0.9,
            "coverage": 0.87, "lower": 0.8, "upper": 0.92, "n": 36}  # fmt: skip
    write_table(
        folder, "genotyping/coverage",
        pl.DataFrame([dict.fromkeys(schema) | told | {"target": "EGFR"}], schema=schema),
    )  # fmt: skip
    schema = TABLES["genotyping/verdict"].schema
    said = {"target": "EGFR", "metric": "AUC", "estimate": 0.55, "told": False, "verdict": "the image does not tell it"}
    write_table(folder, "genotyping/verdict", pl.DataFrame([dict.fromkeys(schema) | said], schema=schema))
    schema = TABLES["features/repeatability"].schema
    again = [
        dict.fromkeys(schema)
        | {"image": "PET", "roi": "GTV", "visit": "", "feature": f, "source": s, "within_subject_sd": sd}
        for f in _features(folder)[:4]
        for s, sd in (("retest", 0.4), ("perturbation", 0.1))
    ]
    write_table(folder, "features/repeatability", pl.DataFrame(again, schema=schema))
    return folder


def _features(folder):
    known = TABLES["features/features"].schema
    return [c for c in pl.read_parquet(folder / "features/features.parquet").columns if c not in known]


def naive_percentile(value, others):
    below = 0.0
    for other in others:
        below += 1.0 if other < value else 0.5 if other == value else 0.0
    return 100 * below / len(others)


def test_percentiles_are_those_of_the_slow_twin(root):
    frame = pl.read_parquet(root / "features/features.parquet")
    found = {s.name: s for s in profile_of(Artefacts(root), "S_002").standings}
    for feature in _features(root):
        own = frame.filter(pl.col("subject") == "S_002")[feature][0]
        others = frame.filter(pl.col("subject") != "S_002")[feature].drop_nulls().to_list()
        one = found[f"PET:{feature}"]
        assert one.percentile == pytest.approx(naive_percentile(own, others))
        assert one.others.size == len(others)
    first, last = (found[f"PET:{f}"] for f in (_features(root)[0], _features(root)[-1]))
    assert first.lower == pytest.approx(naive_percentile(first.value - 1.959964 * 0.4, first.others), abs=1e-3)
    assert first.upper >= first.percentile >= first.lower
    assert last.lower is None


def test_units_are_those_of_the_image(root):
    units = {s.unit for s in profile_of(Artefacts(root), "S_002").standings}
    assert any("SUVbw" in unit for unit in units)
    assert not any("intensity" in unit or unit == "1" for unit in units)


def test_equal_values_count_half():
    assert percentile(1.0, np.array([0.0, 1.0, 1.0, 2.0])) == 50.0
    assert percentile(5.0, np.array([0.0, 1.0])) == 100.0


def test_the_first_repetition_gives_the_sets_with_their_coverage(root):
    page, told = build_profile(root, "S_002")
    egfr, kras = told["genotypes"]
    assert (egfr["target"], egfr["set"], egfr["observed"]) == ("EGFR", ["present", "absent"], "present")
    assert egfr["probabilities"] == {"present": 0.31, "absent": 0.69}
    assert (egfr["coverage"]["aimed_at"], egfr["coverage"]["coverage"], egfr["told"]) == (0.9, 0.87, False)
    assert (kras["set"], kras["coverage"], kras["told"]) == (["absent"], None, None)
    words = Page(page).words()
    for said in ("present or absent", "90 %, 87 % (80–92 %)", "the image does not tell it", "not checked"):
        assert said in words


def test_treatments_are_attached_to_measured_markers_alone(root):
    markers = pl.read_parquet(root / "molecular/markers.parquet")
    with_egfr = markers.filter((pl.col("EGFR") == 1) & (pl.col("KRAS") == 0))["subject"][0]
    _, told = build_profile(root, with_egfr, TABLE)
    assert [r["status"] for r in told["treatments"]["rows"]] == ["met", "not met", "not in the study", "met"]
    assert told["treatments"]["version"] == "7"
    # predicted present, but measured absent: what is predicted never brings a treatment
    page, told = build_profile(root, "S_003", TABLE)
    assert [g["set"] for g in told["genotypes"]] == [["present"]]
    assert told["treatments"]["rows"][1]["status"] == "not met"
    assert "Treatments are never attached" in Page(build_profile(root, "S_002", TABLE)[0]).words()
    assert "version 7 of 2026-11-01" in Page(page).words()


def test_what_a_table_says_is_escaped(root):
    markers = pl.read_parquet(root / "molecular/markers.parquet")
    page = Page(build_profile(root, markers.filter(pl.col("EGFR") == 1)["subject"][0], TABLE)[0])
    links = [a["href"] for a in page.all("a") if a["href"].startswith("http")]
    assert 'https://doi.org/10.1056/x"><script>' in links
    assert all(link.startswith("https://") for link in links)
    assert len(page.all("script")) == 1


def test_outcomes_are_those_of_models_that_did_not_see_the_subject(root):
    _, told = build_profile(root, "S_004")
    frame = pl.read_parquet(root / "outcome/predictions.parquet")
    for row in told["outcome"]:
        same = [pl.col(k) == row[k] for k in ("endpoint", "predictors", "model")]
        own = frame.filter(*same, pl.col("subject") == "S_004")["prediction"].mean()
        others = frame.filter(*same, pl.col("subject") != "S_004")["prediction"].to_list()
        assert row["prediction"] == pytest.approx(own)
        assert row["percentile"] == pytest.approx(naive_percentile(own, others))
        chance = None if row["endpoint"] == "overall_survival" else pytest.approx(1 / (1 + np.exp(-own)))
        assert row["probability"] == chance


def test_a_page_names_nobody_else(root):
    page, told = build_profile(root, "S_004", TABLE)
    others = [s for s in pl.read_parquet(root / "cohort/subjects.parquet")["subject"] if s != "S_004"]
    whole = Page(page).words() + json.dumps(told)
    assert not [s for s in others if s in whole]
    assert RESEARCH_USE in whole


def test_a_subject_whose_id_is_a_script_is_text(root, tmp_path):
    page, told = write_profile(root, SCRIPT, tmp_path / "a.html")
    parsed = Page(page.read_text(encoding="utf-8"))
    assert len(parsed.all("script")) == 1
    assert SCRIPT in "".join(parsed.text)
    assert json.loads(told.read_text(encoding="utf-8"))["subject"] == SCRIPT
    assert "default-src 'none'" in page.read_text(encoding="utf-8")


def test_the_same_artefacts_give_the_same_bytes(root):
    first, again = write_profile(root, "S_005"), build_profile(root, "S_005")
    assert first[0] == root / "profiles" / "S_005.html"
    assert first[0].read_text(encoding="utf-8") == again[0]
    assert json.loads(first[1].read_text(encoding="utf-8")) == again[1]


def test_features_can_be_chosen(root):
    names = [f"PET:{f}" for f in _features(root)[2:4]]
    assert build_profile(root, "S_005", features=names)[1]["key_features"] == names
    with pytest.raises(ConfigError) as raised:
        build_profile(root, "S_005", features=["PET:volum"])
    assert raised.value.got == "no feature 'PET:volum'"


@pytest.mark.parametrize(
    ("subject", "todo"),
    [("s-2", "did you mean 'S_002'?"), ("S_044", "nearest by spelling: S_0"), ("zzz", "look the id up")],
)
def test_an_unknown_subject_is_refused_with_the_nearest(root, subject, todo):
    with pytest.raises(ConfigError) as raised:
        build_profile(root, subject)
    assert raised.value.got == f"no subject '{subject}'"
    assert raised.value.todo.startswith(todo)


def test_a_folder_without_a_cohort_is_refused(tmp_path):
    with pytest.raises(StoreError) as raised:
        build_profile(tmp_path, "S_001")
    assert raised.value.got == "no cohort/subjects"


def test_what_a_study_does_not_have_is_left_out(tmp_path):
    rest = ("genome", "sumstats", "link", "molecular", "outcome", "response", "features")
    bare = make(tmp_path / "bare", subjects=12, features=5, variants=30, without=rest)
    page, told = build_profile(bare, "S_002")
    assert told["features"] == {}
    assert [a["id"] for a in Page(page).all("section")] == ["imaging", "markers"]
