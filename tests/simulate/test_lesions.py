"""Simulated courses mean what they are called, whatever the measurement error."""

import numpy as np
import polars as pl
import pytest

from radiolocus.read.lesions import read_lesions
from radiolocus.response.readers import measurement_error
from radiolocus.response.recist11 import recist11
from radiolocus.simulate.lesions import COURSES, lesion_table, simulate_follow_up, simulate_lesions


@pytest.mark.parametrize("course", COURSES)
def test_recist_calls_the_course_by_its_name(course, tmp_path):
    rng = np.random.default_rng(11)
    rows = [row for i in range(60) for row in simulate_lesions(rng, f"S{i:02d}", course, missed=0.0)]
    lesion_table(rows).write_csv(tmp_path / "lesions.csv")
    best = recist11(read_lesions(tmp_path / "lesions.csv").frame).best
    assert best["best_response"].to_list() == [course] * 60


def test_some_visits_are_missed_but_never_the_first_two():
    rng = np.random.default_rng(2)
    rows = [row for i in range(80) for row in simulate_lesions(rng, f"S{i}", "SD", missed=0.3)]
    visits = lesion_table(rows).select("subject", "day").unique().group_by("day").agg(pl.len()).sort("day")
    assert visits["len"].to_list()[:2] == [80, 80]
    assert all(40 < n < 72 for n in visits["len"].to_list()[2:])


def follow(tmp_path, n, seed, **options):
    rng = np.random.default_rng(seed)
    told = {f"S{i:03d}": simulate_follow_up(rng, f"S{i:03d}", **options) for i in range(n)}
    lesion_table([row for f in told.values() for row in f.rows]).write_csv(tmp_path / "lesions.csv")
    table = read_lesions(tmp_path / "lesions.csv")
    assert [p for p in table.problems if p.severity == "set aside"] == []
    return told, table.frame


def test_every_visit_of_growth_and_regression_is_called_as_it_is(tmp_path):
    told, frame = follow(tmp_path, 300, 3)
    found = recist11(frame)
    calls = {
        (s, d): r
        for s, d, r in found.timepoints.filter(pl.col("day") > 0).select("subject", "day", "overall_response").rows()
    }
    # Disease that came back is PD from then on, by the new lesion or by growth; else each visit is called alone.
    assert calls == {(s, d): call for s, f in told.items() for d, call in f.truth.items()}
    assert dict(found.best.select("subject", "best_response").rows()) == {s: f.best for s, f in told.items()}
    assert set(calls.values()) == {"CR", "PR", "SD", "PD"}
    assert {f.best for f in told.values()} >= {"CR", "PR", "SD", "PD"}
    assert (found.timepoints["reason"].str.contains("new lesion on FDG-PET")).any()


def test_measurement_error_costs_the_calls_near_a_threshold_and_not_many_others(tmp_path):
    told, frame = follow(tmp_path, 120, 5, error_mm=1.0, missed=0.0, new_lesion=0.0)
    best = dict(recist11(frame).best.select("subject", "best_response").rows())
    wrong = sum(best[s] != f.best for s, f in told.items())
    assert 0 < wrong < 24
    kept = measurement_error(frame, 1.0, draws=20, seed=1)
    fragile = set(kept.filter(pl.col("visit").is_null() & (pl.col("kept") < 0.9))["subject"])
    spoiled = {s for s, f in told.items() if best[s] != f.best}
    # Subjects whose call the error spoiled are more often than others told to be fragile.
    assert len(fragile & spoiled) / len(spoiled) > len(fragile) / len(told)
