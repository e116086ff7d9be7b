"""Checklists: their items, what a run answers, and the range of the scores."""

import json

import polars as pl
import pytest

from radiolocus.errors import StoreError
from radiolocus.report.checklist import checklists, fill, write_checklists
from radiolocus.report.checklist_facts import RULES
from radiolocus.report.sections_checklists import reporting
from radiolocus.report.source import Artefacts
from radiolocus.schema import TABLES
from radiolocus.store import write_json, write_table


def test_items_are_those_of_the_papers():
    found = {c.name: c for c in checklists()}
    assert {name: len(c.items) for name, c in found.items()} == {"TRIPOD+AI": 52, "CLEAR": 58, "METRICS": 30, "RQS": 16}
    for checklist in found.values():
        numbers = [i["number"] for i in checklist.items]
        assert len(set(numbers)) == len(numbers)
        assert all(i["text"] and i["section"] for i in checklist.items)
        assert {i["rule"] for i in checklist.items if "rule" in i} <= set(RULES)
    assert [i["number"] for i in found["CLEAR"].items] == [str(k) for k in range(1, 59)]
    assert {i["number"].rstrip("abcdefg") for i in found["TRIPOD+AI"].items} == {str(k) for k in range(1, 28)}
    # Weights of METRICS and of its categories: Kocak et al. 2024, table 1 and figure 4.
    weight = pl.DataFrame([{"s": i["section"], "w": i["weight"]} for i in found["METRICS"].items])
    assert weight["w"].sum() == pytest.approx(1.0, abs=1e-9)
    assert dict(weight.group_by("s").agg(pl.col("w").sum().round(4)).iter_rows()) == {
        "Study design": 0.2022, "Imaging data": 0.146, "Segmentation": 0.0674, "Image processing": 0.1348,
        "Feature processing": 0.09, "Preparation": 0.0899, "Metrics": 0.1348, "Testing": 0.1124, "Open science": 0.0225,
    }  # fmt: skip
    # RQS: 36 points are 100 %, −8 the least (Lambin et al. 2017).
    assert sum(i["most"] for i in found["RQS"].items) == found["RQS"].best == 36
    assert sum(i["least"] for i in found["RQS"].items) == -8
    used = {i["rule"] for c in found.values() for i in c.items if "rule" in i}
    assert used == set(RULES)


def frame(name, rows):
    schema = TABLES[name].schema
    return pl.DataFrame([{**dict.fromkeys(schema), **row} for row in rows], schema=schema)


@pytest.fixture
def run(tmp_path):
    settings = {
        "cohort": {"endpoints": {"os": {"kind": "survival", "event": "dead", "event_values": ["yes"]}}},
        "outcome": {"clinical": ["age"], "max_missing": 0.3, "bootstrap": 100, "redundancy": 0.95, "models": ["lasso"]},
        "imaging": {"images": [{"name": "CT", "modality": "CT"}], "settings": {"bin_width": 25.0}},
    }
    write_json(tmp_path / "study.json", {"radiolocus_version": "9.9", "settings": settings})
    key = {"endpoint": "os", "model": "lasso Cox"}
    rows = [
        key | {"predictors": p, "kind": "survival", "metric": "Harrell C", "estimate": 0.7, "lower": 0.6, "upper": 0.8,
               "n": 90, "events": 40, "candidates": c, "repeats": 5, "folds": 5, "split": "kfold"}
        for p, c in (("clinical", 1), ("imaging", 80), ("all", 81))
    ]  # fmt: skip
    write_table(tmp_path, "outcome/performance", frame("outcome/performance", rows))
    audit = [key | {"predictors": "all", "check": "sample size", "verdict": "suspect", "got": "few", "value": 900.0}]
    write_table(tmp_path, "outcome/audit", frame("outcome/audit", audit))
    used = {"predictors": "all", "block": "imaging", "fraction": 1.0}
    chosen = [key | used | {"predictor": f"f{j}"} for j in range(3)]
    write_table(tmp_path, "outcome/selection", frame("outcome/selection", chosen))
    steps = [{"model": "lasso", "step": s, "how": h} for s, h in (("split", "5 × 5 folds"), ("impute", "median"))]
    write_table(tmp_path, "outcome/protocol", frame("outcome/protocol", steps))
    return tmp_path


def answers(items, name):
    return {r["item"]: r for r in items.filter(checklist=name).iter_rows(named=True)}


def test_a_run_answers_what_it_knows_and_leaves_the_rest_open(run):
    items, scores = fill(Artefacts(run))
    tripod, clear, metrics, rqs = (answers(items, n) for n in ("TRIPOD+AI", "CLEAR", "METRICS", "RQS"))
    assert tripod["1"]["status"] == "open"
    assert tripod["10"]["status"] == "reported"
    assert "os from all: 900" in tripod["10"]["known"]
    assert tripod["24"]["status"] == "not applicable"
    assert tripod["23a"]["known"].startswith("os from clinical: Harrell C 0.70 (0.60–0.80)")
    assert clear["23"]["known"] == "bin_width CT: 25.0"
    assert clear["42"]["status"] == "reported"
    assert metrics["16"]["status"] == "reported"  # 40 events for 3 predictors
    assert metrics["14"]["status"] == "not done"
    assert metrics["17"]["status"] == "not applicable"
    assert metrics["18"]["status"] == "reported"
    assert metrics["22"]["status"] == "not done"
    assert rqs["10"]["most"] == 0.0
    assert rqs["14"]["most"] == 0.0
    assert (rqs["12"]["least"], rqs["12"]["most"]) == (-5.0, 5.0)
    by_name = {r["checklist"]: r for r in scores.iter_rows(named=True)}
    known = sum(metrics[k]["least"] for k in metrics)
    assert by_name["METRICS"]["least"] == pytest.approx(100 * known / (1 - 0.02))
    assert by_name["METRICS"]["most"] < 100
    counts = ["reported", "partly", "not_done", "not_applicable", "open"]
    assert all(sum(r[c] for c in counts) == r["items"] for r in by_name.values())


def test_a_leak_is_no_proper_division_and_sites_are_centres(run):
    leak = [{"endpoint": "os", "predictors": "all", "model": "", "check": "duplicates", "verdict": "leak", "got": "x"}]
    write_table(run, "outcome/audit", frame("outcome/audit", leak))
    performance = pl.read_parquet(run / "outcome/performance.parquet").with_columns(split=pl.lit("site"), folds=3)
    write_table(run, "outcome/performance", performance)
    items, _ = fill(Artefacts(run))
    assert answers(items, "METRICS")["18"]["status"] == "not done"
    assert answers(items, "METRICS")["4"]["status"] == "reported"


def test_artefacts_are_written_and_shown(run, tmp_path_factory):
    items, _ = write_checklists(run)
    assert pl.read_parquet(run / "reporting/checklist.parquet").equals(items)
    assert (run / "reporting/checklist.csv").is_file()
    before = (run / "reporting/manifest.json").read_bytes()
    assert json.loads(before)["wall_time_s"] > 0
    write_checklists(run)
    assert (run / "reporting/manifest.json").read_bytes() == before
    section = reporting(Artefacts(run))
    assert len(section.blocks) == 5
    assert "METRICS" in section.verdict[0]
    with pytest.raises(StoreError, match=r"no study\.json"):
        write_checklists(tmp_path_factory.mktemp("nothing"))
