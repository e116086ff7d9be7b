"""Times to progression and of response, by rule of censoring."""

import numpy as np
import polars as pl
import pytest

from radiolocus.response.criterion import CriteriaOptions
from radiolocus.response.endpoints import survival_endpoints, survival_summary
from radiolocus.schema import TABLES
from radiolocus.stats.survival import kaplan_meier


def times(sums, *, visit_days=0.0, options=None, **days):
    """Return {(endpoint, rule): (time, event)} of one target."""
    rows = [
        (
            "A",
            f"day {d}",
            float(d),
            "T",
            "target",
            "lung",
            False,
            None if s is None else float(s),
            "NE" if s is None else "present",
        )
        for d, s in sums.items()
    ]
    names = ["subject", "visit", "day", "lesion", "kind", "organ", "node", "diameter_mm", "status"]
    frame = pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.col("diameter_mm").cast(pl.Float64))
    frame = frame.with_columns(**{k: pl.lit(float(v)) for k, v in days.items()})
    found = survival_endpoints(frame, "recist11", options, visit_days)
    assert found.columns == list(TABLES["response/endpoints"].schema)
    short = {"progression-free survival": "PFS", "duration of response": "DoR"}
    return {f"{short[e]} {r}": (t, ev) for e, r, t, ev in found.select("endpoint", "rule", "time", "event").rows()}


@pytest.mark.parametrize(
    ("sums", "more", "everything", "censored"),
    [
        ({0: 50, 56: 45, 112: 60}, {}, (112, True), (112, True)),
        ({0: 50, 56: 45, 112: 44}, {}, (112, False), (112, False)),
        ({0: 50, 56: 45, 112: None}, {}, (56, False), (56, False)),  # the last evaluable visit
        ({0: 50}, {}, (0, False), (0, False)),  # no visit: at baseline
        ({0: 50}, {"death_day": 70}, (70, True), (70, True)),
        ({0: 50, 56: 45}, {"death_day": 90}, (90, True), (90, True)),
        ({0: 50, 56: 60}, {"death_day": 90}, (56, True), (56, True)),  # whichever comes first
        ({0: 50, 56: 45, 112: 60}, {"new_therapy_day": 70}, (112, True), (56, False)),
        ({0: 50, 56: 45, 112: 60}, {"new_therapy_day": 112}, (112, True), (112, True)),
        ({0: 50, 56: 45, 112: 44}, {"new_therapy_day": 70}, (112, False), (56, False)),
        ({0: 50, 56: 45, 112: 44}, {"new_therapy_day": 70, "death_day": 200}, (200, True), (56, False)),
        ({0: 50, 56: 45, 224: 60}, {"visit_days": 56}, (224, True), (56, False)),  # two visits missed
        ({0: 50, 56: 45, 168: 60}, {"visit_days": 56}, (168, True), (168, True)),  # one visit missed
        ({0: 50, 56: 45, 112: None, 168: None, 224: 60}, {"visit_days": 56}, (224, True), (56, False)),  # NE is missed
        ({0: 50, 56: 45, 224: 60}, {}, (224, True), (224, True)),  # the plan is not known
        ({0: 50, 56: 45}, {"visit_days": 56, "death_day": 400}, (400, True), (56, False)),
    ],
)
def test_progression_free_survival(sums, more, everything, censored):
    found = times(sums, **more)
    assert found["PFS all events"] == everything
    assert found["PFS censored"] == censored


def test_duration_of_response_counts_from_the_first_response_to_progression():
    found = times({0: 50, 56: 30, 112: 20, 168: 30})
    assert found["DoR all events"] == (112, True)
    assert "DoR all events" not in times({0: 50, 56: 45, 112: 60})
    late = times({0: 50, 56: 45, 112: 30}, new_therapy_day=70)
    assert "DoR all events" not in late  # a response to another treatment


def test_a_response_that_must_be_confirmed_counts_from_its_first_sight():
    options = CriteriaOptions(confirmation=True)
    assert times({0: 50, 56: 34, 112: 36, 168: 34, 224: 33, 280: 60}, options=options)["DoR all events"] == (112, True)
    assert "DoR all events" not in times({0: 50, 56: 34, 112: 36}, options=options)
    seen_again = {0: 50, 56: 30, 112: 28, 168: 60}
    assert times(seen_again, options=options)["DoR all events"] == (112, True)
    # A scan after the start of another treatment confirms nothing: as in the response rate.
    assert "DoR all events" not in times(seen_again, options=options, new_therapy_day=70)


def test_the_summary_is_that_of_kaplan_and_meier(lesion_rows, lesion_table):
    rng = np.random.default_rng(3)
    parts = []
    for k in range(30):
        size = 50.0
        for day in range(0, 57 * int(rng.integers(2, 7)), 56):
            parts.append(lesion_rows(f"S{k:02d}", day=day, T=round(size, 1)))
            size *= rng.uniform(0.75, 1.2)
    ends = survival_endpoints(lesion_table(*parts))
    summary = survival_summary(ends)
    assert summary["rule"].to_list() == ["all events", "censored"] * 2
    for row in summary.iter_rows(named=True):
        part = ends.filter((pl.col("endpoint") == row["endpoint"]) & (pl.col("rule") == row["rule"]))
        median = kaplan_meier(part["time"].to_numpy(), part["event"].to_numpy()).median()
        assert [row[c] for c in ("median", "lower", "upper")] == [None if np.isnan(m) else m for m in median]
        assert (row["n"], row["events"]) == (part.height, part["event"].sum())
        assert row["meaning"]


def test_any_criterion_has_its_times(lesion_rows, lesion_table):
    sums = {0: 50, 56: 60, 112: 62}
    frame = lesion_table(*(lesion_rows(day=d, T=s) for d, s in sums.items()))
    found = survival_endpoints(frame, "irecist").row(0, named=True)
    assert (found["time"], found["event"]) == (56, True)  # iUPD that nothing followed
