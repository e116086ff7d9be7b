"""Changes between visits, beside their repeatability."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.delta import changes as naive_changes
from radiolocus.errors import ConfigError, TableError
from radiolocus.response.delta import (
    KINDS,
    LESIONS,
    DeltaOptions,
    delta,
    delta_predictors,
    function_calls,
    long_features,
)


def values(rows, image="CT", measure="stat_mean"):
    frame = pl.DataFrame(rows, schema=["subject", "day", "value"], orient="row")
    return frame.with_columns(
        pl.lit(image).alias("image"),
        pl.lit("").alias("roi"),
        pl.lit(measure).alias("measure"),
        pl.format("day {}", pl.col("day").cast(pl.Int64)).alias("visit"),
        pl.col("day").cast(pl.Float64),
        pl.col("value").cast(pl.Float64),
    )


def coefficient(value, percent=False, measure="stat_mean", image=None):
    row = {"image": image, "roi": None, "measure": measure, "repeatability_coefficient": value, "percent": percent}
    return pl.DataFrame([row], schema_overrides={"image": pl.String, "roi": pl.String})


sizes = st.floats(-50, 50, allow_nan=False).map(lambda v: round(v, 3))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 400), sizes), min_size=1, max_size=5, unique_by=lambda p: p[0]), sizes)
def test_equals_the_slow_twin(later, start):
    series = [(0, start), *later]
    found = delta(values([("A", d, v) for d, v in series[::-1]])).changes
    for row, told in zip(found.iter_rows(named=True), naive_changes(series), strict=True):
        for kind in (*KINDS, "day"):
            if told[kind] is None:
                assert row[kind] is None
            else:
                assert row[kind] == pytest.approx(told[kind], rel=1e-9, abs=1e-9)


def test_changes_of_one_series():
    found = delta(values([("A", 0, 10.0), ("A", 20, 15.0), ("A", 40, 5.0)])).changes
    assert found["absolute"].to_list() == [5.0, -5.0]
    assert found["relative"].to_list() == [50.0, -50.0]
    assert found["log_ratio"].to_list() == pytest.approx([np.log(1.5), np.log(0.5)])
    assert found["slope"].to_list() == pytest.approx([0.25, -0.125])
    assert found["area"].to_list() == pytest.approx([50.0, 50.0])
    assert found["beyond_noise"].to_list() == [None, None]


def test_later_visits_and_other_subjects_change_nothing_and_order_does_not_matter():
    rows = [("A", 0, 10.0), ("A", 20, 15.0), ("B", 0, 3.0), ("B", 10, 4.0)]
    short = delta(values(rows)).changes
    more = delta(values([("A", 40, 5.0), ("C", 0, 1.0), ("C", 3, 2.0), *rows[::-1]])).changes
    kept = more.join(short.select("subject", "visit"), on=["subject", "visit"], how="semi", maintain_order="left")
    assert kept.equals(short)


@pytest.mark.parametrize(
    ("rc", "percent", "expected"), [(4.9, False, True), (5.1, False, False), (49.0, True, True), (51.0, True, False)]
)
def test_the_repeatability_coefficient_stands_beside_the_change(rc, percent, expected):
    found = delta(values([("A", 0, 10.0), ("A", 20, 15.0)]), coefficient(rc, percent)).changes
    assert found["beyond_noise"].to_list() == [expected]
    assert found["repeatability_coefficient"].to_list() == [pytest.approx(rc / 10 if percent else rc)]


def test_the_first_row_that_fits_counts_and_others_do_not():
    table = pl.concat([coefficient(9.0, image="PET"), coefficient(4.0, image="CT"), coefficient(8.0)])
    series = [("A", 0, 10.0), ("A", 20, 15.0)]
    frame = pl.concat([values(series), values(series, image="PET"), values(series, image="MR")])
    found = delta(frame, table).changes
    assert dict(found.select("image", "repeatability_coefficient").rows()) == {"CT": 4.0, "PET": 9.0, "MR": 8.0}


def test_noise_alone_is_told_as_noise_and_a_planted_change_is_found():
    rng = np.random.default_rng(3)
    features, subjects, sd = 120, 60, 2.0
    moved = np.where(np.arange(features) < 20, 5.0, 0.0)
    true = rng.normal(50, 10, (features, subjects))
    first = true + rng.normal(0, sd, true.shape)
    second = true + moved[:, None] + rng.normal(0, sd, true.shape)
    rows = []
    for day, table in ((0, first), (42, second)):
        rows += [(f"S{s}", day, f"f{f:03d}", table[f, s]) for f in range(features) for s in range(subjects)]
    frame = pl.DataFrame(rows, schema=["subject", "day", "measure", "value"], orient="row").with_columns(
        pl.lit("CT").alias("image"),
        pl.lit("").alias("roi"),
        pl.format("d{}", "day").alias("visit"),
        pl.col("day").cast(pl.Float64),
    )
    rc = 1.96 * np.sqrt(2) * sd
    told = pl.concat([coefficient(rc, measure=f"f{f:03d}") for f in range(features)])
    found = delta(frame, told)
    unmoved = found.changes.filter(pl.col("measure") >= "f020")
    # 5 % of the differences of unchanged subjects: 6,000 of them, standard error 0.3 %.
    assert unmoved["beyond_noise"].mean() == pytest.approx(0.05, abs=0.012)
    worth = dict(found.features.select("measure", "changes").rows())
    assert all(worth[f"f{f:03d}"] for f in range(20))
    assert sum(worth[f"f{f:03d}"] for f in range(20, features)) <= 10  # at most 5 % on average, of 100
    kept = delta_predictors(found.changes, "relative", found.features)
    assert {"CT@d42:f000:relative"} <= set(kept.columns)
    assert kept.width < 32
    assert delta_predictors(found.changes).width == features + 1
    with pytest.raises(ConfigError, match="kind of change 'ratio'"):
        delta_predictors(found.changes, "ratio")


def test_what_cannot_be_compared_is_told():
    found = delta(values([("A", 20, 15.0), ("B", 0, 1.0), ("B", -7, 2.0), ("B", 7, float("nan"))]))
    assert found.changes.height == 0
    assert [(p.subject, p.got) for p in found.problems] == [
        ("A", "no baseline to compare with"),
        ("B", "a visit 7 days before baseline"),
    ]
    with pytest.raises(TableError, match="stat_mean twice on day 7"):
        delta(values([("B", 0, 1.0), ("B", 7, 2.0), ("B", 7, 3.0)]))


def wide(*visits):
    rows = [("A", v, 10.0 + k, 5.0) for k, v in enumerate(visits)]
    frame = pl.DataFrame(rows, schema=["subject", "visit", "stat_mean", "morph_volume"], orient="row")
    return frame.with_columns(
        pl.lit("CT").alias("image"), pl.lit(None, pl.String).alias("roi"), pl.lit("CT").alias("modality")
    )


def test_features_take_their_days_from_the_lesions_or_from_what_is_stated_and_never_from_their_order():
    options = DeltaOptions(days={"T0": 0, "T1": 40}, features=("stat_.*",))
    long, problems = long_features(wide("T0", "T1", "T2"), None, options)
    assert sorted(long.select("measure", "visit", "day").rows()) == [
        ("stat_mean", "T0", 0.0),
        ("stat_mean", "T1", 40.0),
    ]
    assert [p.got for p in problems] == ["visit 'T2' of 1 subjects has no day: its features were not compared"]
    lesions = pl.DataFrame({"subject": ["A", "A"], "visit": ["T0", "T1"], "day": [0.0, 44.0]})
    long, _ = long_features(wide("T0", "T1"), lesions, DeltaOptions())
    assert set(long.select("visit", "day").rows()) == {("T0", 0.0), ("T1", 44.0)}
    assert set(long["measure"]) == {"stat_mean", "morph_volume"}
    assert long_features(wide("T0"), None, options)[0].height == 0


@pytest.mark.parametrize(
    ("course", "options", "rc", "expected"),
    [
        ((10, 6.9, 7.1, 9.3), {}, None, ["response", "stable", "progression"]),
        ((10, 6.9, 9.3), {}, 3.2, ["stable", "stable"]),
        ((10, 13.0, 12.9), {}, None, ["progression", "stable"]),
        ((10, 13.1, 9.0), {"call_falls": False}, None, ["response", "progression"]),
        ((10, 0.0, 0.0, 1.0), {}, None, ["response", "response", "progression"]),
    ],
)
def test_functional_calls(course, options, rc, expected):
    rows = [("A", 10 * k, v) for k, v in enumerate(course)]
    told = None if rc is None else coefficient(rc, measure="uptake")
    changes = delta(values(rows, image=LESIONS, measure="uptake"), told).changes
    found = function_calls(changes, DeltaOptions(**options))
    assert found["function"].to_list() == expected
    assert found["reason"].str.starts_with("uptake ").all()
    with pytest.raises(ConfigError, match="call = 'adc'"):
        function_calls(changes, DeltaOptions(call="adc"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"call_percent": 0.0}, "call_percent = 0"),
        ({"source": "test"}, "source 'test'"),
        ({"days": {"a": 3.0}}, "days ="),
        ({"days": {"a": 0.0, "b": 0.0}}, "days ="),
        ({"features": ("(",)}, r"'\('"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(ConfigError, match=words):
        DeltaOptions(**options)
