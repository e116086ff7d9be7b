import numpy as np
import polars as pl
import pytest

from radiolocus.report.figures_monitoring import (
    by_landmark,
    calibration_by_landmark,
    course_of,
    courses,
    example_subjects,
)

ENDS = pl.DataFrame(
    {"subject": ["A", "B", "C"], "endpoint": ["os"] * 3, "time": [400.0, 500.0, 300.0], "event": [1.0, 0.0, 2.0]}
)


@pytest.fixture
def tables():
    times = [0.0, 90.0, 180.0]
    risk = pl.DataFrame(
        [("os", s, t, k + 1, 0.1 + 0.2 * k * (s != "B"), 0.05, 0.6) for s in "ABC" for k, t in enumerate(times)],
        schema=["endpoint", "subject", "time", "visits", "risk", "lower", "upper"],
        orient="row",
    )
    visits = risk.select(
        "endpoint", "subject", "time", marker=pl.lit("log v"), value=pl.col("risk"), expected=pl.col("risk")
    )
    landmarks = pl.DataFrame({"endpoint": ["os"], "landmark": [0.0], "window": [180.0], "unit": ["days"]})
    return {"risk": risk, "visits": visits, "landmarks": landmarks}


def performance(times, lower=0.5):
    rows = [
        ("os", name, t, metric, 0.6, lower, 0.7)
        for name in ("baseline", "mixed model")
        for t in times
        for metric in ("AUC(t)", "Brier(t)", "Brier(t) without predictors")
    ]
    schema = {"endpoint": pl.String, "predictors": pl.String, "landmark": pl.Float64, "metric": pl.String}
    schema |= {"estimate": pl.Float64, "lower": pl.Float64, "upper": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def test_performance_of_one_landmark_and_of_several():
    for times in ([0.0], [90.0, 180.0, 270.0]):
        figure = by_landmark(performance(times), "os", "days")
        assert f"0.60 at {times[-1]:g}" in figure.alt
    assert by_landmark(performance([None]), "os", "days") is None
    assert by_landmark(performance([0.0], lower=None), "os", "days") is None


def test_calibration_where_something_was_observed():
    rows = [
        ("os", "mixed model", s, g, 0.1 * g, 0.12 * g, None if g == 1 else 0.05, 0.9)
        for s in (0.0, 90.0)
        for g in (1, 2)
    ]
    names = ["endpoint", "predictors", "landmark", "group", "expected", "observed", "lower", "upper"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    assert "by landmark for os" in calibration_by_landmark(frame, "os", "").alt
    assert calibration_by_landmark(frame, "dfs", "") is None
    assert calibration_by_landmark(frame.with_columns(observed=pl.lit(None, dtype=pl.Float64)), "os", "") is None


def test_courses_say_what_was_seen(tables):
    shown = [course_of(tables, ENDS, "os", s) for s in "ABC"]
    assert [c.event for c in shown] == ["event", "no event seen", "competing event"]
    drawn = courses(shown, "os")
    assert "A: 10% at first, 50% at last" in drawn.alt
    assert courses([], "os") is None
    assert course_of(tables, ENDS, "os", "Z") is None


def test_a_risk_without_an_interval_is_drawn(tables):
    bare = tables | {"risk": tables["risk"].with_columns(lower=pl.lit(None, dtype=pl.Float64))}
    course = course_of(bare, ENDS, "os", "A")
    assert np.isnan(course.risk["lower"].to_numpy().astype(float)).all()
    assert courses([course], "os") is not None


def test_examples_are_those_whose_risk_moved(tables):
    assert example_subjects(tables["risk"], ENDS, "os", 2) == ["A", "C"]
    assert example_subjects(tables["risk"].filter(pl.col("visits") < 3), ENDS, "os") == []
