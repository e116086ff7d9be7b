"""The page on the choice of therapy and early prediction, from artefacts of real runs on planted tables."""

import re

import numpy as np
import polars as pl
import pytest

from radiolocus.model import Endpoint
from radiolocus.report.blocks import Figure, Table, Text
from radiolocus.report.html import build
from radiolocus.report.sections_benefit import _needed, benefit
from radiolocus.report.sections_early import early
from radiolocus.report.sections_lead import early_lead as shown_lead
from radiolocus.report.source import Artefacts
from radiolocus.response.benefit import NO_EVIDENCE, BenefitOptions
from radiolocus.response.benefit import benefit as learn
from radiolocus.response.early import EarlyOptions, visits_of
from radiolocus.response.early import early as predict
from radiolocus.response.lead import early_lead
from radiolocus.schema import TABLES
from radiolocus.store import write_json, write_table


def written(root, interaction, kind="binary"):
    rng = np.random.default_rng(2)
    n = 240
    m, given = rng.normal(size=n), rng.integers(0, 2, n)
    chance = 1 / (1 + np.exp(-(interaction * m * given)))
    event = (rng.random(n) < chance).astype(float)
    subject = tuple(f"S{i}" for i in range(n))
    frame = pl.DataFrame(
        {"subject": subject, "arm": np.where(given, "new <b>", "old"), "m": m, "ill": rng.normal(size=n)}
    )
    time = rng.exponential(20, n) / np.exp(interaction * m * given) + 0.1 if kind == "survival" else None
    end = Endpoint("end", kind, subject, event if time is None else np.ones(n), time, "months")
    options = BenefitOptions(
        treatment="arm", control="old", markers=("m",), confounders=("ill",), repeats=1, bootstrap=20,
        learners=("dr", "t"), favourable=("end",) if time is None else (),
    )  # fmt: skip
    for name, table in learn([end], frame, options).tables.items():
        write_table(root, name, table)
    rows = [(s, k, float(rng.lognormal()), float(rng.normal())) for s in subject[:60] for k in (0, 1)]
    visits = pl.DataFrame(rows, schema=["subject", "k", "size", "texture"], orient="row").drop("k")
    early_options = EarlyOptions(
        table="v.csv", visit_order="row", repeats=1, folds=3, inner_folds=3, penalties=5, bootstrap=20, permutations=0,
        sets={"volume": ("size",)},
    )  # fmt: skip
    ordered, _ = visits_of(visits, early_options)
    binary = Endpoint("end", "binary", subject, event)
    progression = dict.fromkeys(subject[:9], 50.0)
    for name, table in predict(ordered, [binary], frame, early_options, progression).tables.items():
        write_table(root, name, table)
    write_json(root / "study.json", {"name": "trial", "stages": {}, "settings": {"benefit": {"confounders": ["ill"]}}})
    return Artefacts(root)


def words(section):
    return " ".join([b.text for b in section.blocks if isinstance(b, Text)] + list(section.verdict))


@pytest.mark.parametrize("kind", ["binary", "survival"])
def test_a_benefit_is_shown_with_its_figures(tmp_path, kind):
    section = benefit(written(tmp_path, 2.0, kind))
    assert "the effect depends on m" in words(section)
    assert len([b for b in section.blocks if isinstance(b, Figure)]) == 5
    captions = [b.caption for b in section.blocks if isinstance(b, Table)]
    assert "Is the comparison fair?" in captions
    page = build(tmp_path)
    assert "new &lt;b&gt;" in page
    assert "new <b>" not in page
    assert "overlap-weighted" in page
    for paper in ("Künzel", "Yadlowsky", "Li F, Morgan"):
        assert paper in page


def test_no_benefit_is_a_result(tmp_path):
    section = benefit(written(tmp_path, 0.0))
    assert f"{NO_EVIDENCE} in 1 comparison of 1" in words(section)
    assert f"{NO_EVIDENCE.capitalize()} from any" in words(section)


def test_number_needed_through_infinity():
    row = {"number_needed": 10.0, "number_needed_lower": 4.0, "number_needed_upper": -20.0}
    assert _needed(row) == "10 (4 to ∞ to harm 20)"
    assert _needed(row | {"number_needed_upper": 30.0}) == "10 (4 to 30)"
    assert _needed(row | {"number_needed": None}) == "–"


def test_visits_in_doubt_are_told(tmp_path):
    section = early(written(tmp_path, 0.0))
    assert "that its rows stand in time is what the study file says" in words(section)
    assert "Visit order in doubt" in words(section)
    differences = next(b for b in section.blocks if isinstance(b, Table) and "beyond another" in b.caption)
    assert len(differences.rows) == 3 + 6
    assert "change less change of volume" in [row[1] for row in differences.rows]
    assert any(line.startswith("end from change of volume: AUC ") for line in section.verdict)
    assert not any(re.search("Lead of", b.caption) for b in section.blocks if isinstance(b, Table))  # no days are known


def test_lead_is_told_of_those_who_were_called():
    days = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 500.0])
    _, told = early_lead(
        "pfs", [f"S{i}" for i in range(7)], np.zeros(7), np.array([1.0] * 6 + [0.2]), False,
        {"progression": {f"S{i}": d for i, d in enumerate(days)}}, [f"S{i}" for i in range(7)], {},
    )  # fmt: skip
    frame = pl.DataFrame(told, schema=TABLES["early/lead"].schema)
    row = shown_lead(frame).rows[0]
    words = [str(getattr(cell, "text", cell)) for cell in row]
    assert words[:5] == ["pfs", "progression", "0", "7", "6"]
    assert words[6:] == ["35 (10 to 60)", "0 of 0"]
    assert shown_lead(frame).rows[1][6] == "–"


def test_nothing_without_artefacts(tmp_path):
    assert benefit(Artefacts(tmp_path)) is None
    assert early(Artefacts(tmp_path)) is None
