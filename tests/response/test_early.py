"""Early prediction: visits in order, changes as defined, the same folds for all, and doubt about the order."""

import numpy as np
import polars as pl
import pytest

from radiolocus.errors import ConfigError, FitError
from radiolocus.model import Endpoint
from radiolocus.response.early import (
    BASELINE,
    BOTH,
    CHANGE,
    Calls,
    EarlyOptions,
    change_of,
    early,
    order_finding,
    visits_of,
)


def table(n=80, seed=1, shift=-0.5):
    """Three visits; the change of ``size`` from the first to the second tells the outcome, its level does not."""
    rng = np.random.default_rng(seed)
    event = rng.integers(0, 2, n).astype(float)
    rows = []
    for i in range(n):
        level = rng.lognormal(3, 0.4)
        move = shift * (1 + event[i]) + rng.normal(0, 0.25)
        for visit in range(3):
            size = level * np.exp(move * min(visit, 1))
            rows.append((f"S{i}", visit, 7.0 * visit, size, rng.normal(), rng.normal()))
    frame = pl.DataFrame(rows, schema=["subject", "visit", "day", "size", "noise", "texture"], orient="row")
    subject = tuple(f"S{i}" for i in range(n))
    return (
        frame,
        Endpoint("pcr", "binary", subject, event),
        pl.DataFrame({"subject": subject, "age": rng.normal(size=n)}),
    )


def options(**given):
    told = {"table": "t.csv", "visit": "visit", "repeats": 1, "folds": 3, "inner_folds": 3, "penalties": 6}
    return EarlyOptions(**(told | {"bootstrap": 50, "permutations": 2, "day": "day"} | given))


def test_change_tells_what_baseline_does_not():
    frame, pcr, clinical = table()
    visits, problems = visits_of(frame, options())
    assert problems == []
    assert visits.features == ("size", "noise", "texture")
    assert visits.day.tolist() == [7.0] * 80
    calls = Calls({"progression": {"S0": 70.0, "S1": 7.0}, "response": {}}, ("S0", "S1", "S2"))
    found = early(visits, [pcr], clinical, options(clinical=("age",)), calls)
    told = {r["predictors"]: r for r in found.tables["early/performance"].iter_rows(named=True)}
    assert told[CHANGE]["estimate"] > 0.85
    assert told[CHANGE]["lower"] > told[BASELINE]["upper"]
    assert set(told) >= {BASELINE, CHANGE, BOTH, "clinical", f"clinical, {BOTH}"}
    gap = found.tables["early/comparisons"].filter(first=BASELINE, second=CHANGE).row(0, named=True)
    assert gap["estimate"] == pytest.approx(told[CHANGE]["estimate"] - told[BASELINE]["estimate"])
    assert gap["lower"] > 0
    folds = found.tables["early/predictions"].pivot(on="predictors", index=["subject", "repeat"], values="fold")
    assert (folds[BASELINE] == folds[CHANGE]).all()
    assert (folds[BASELINE] == folds[f"clinical, {BOTH}"]).all()
    lead = found.tables["early/lead_time"]
    assert lead["lead_days"].to_list() == [63.0, 0.0]
    checks = dict(found.tables["early/audit"].select("check", "verdict").iter_rows())
    assert checks["visit order"] == "pass"
    assert checks["permuted outcome"] != "leak"


def test_times_to_an_event_are_predicted_too():
    frame, pcr, clinical = table()
    rng = np.random.default_rng(2)
    time = rng.exponential(30 * np.exp(1.5 * pcr.event))
    pfs = Endpoint("pfs", "survival", pcr.subject, (time < 60).astype(float), np.minimum(time, 60), "days")
    visits, _ = visits_of(frame, options())
    found = early(visits, [pfs], clinical, options(change="log_ratio", permutations=0))
    told = {r["predictors"]: r for r in found.tables["early/performance"].iter_rows(named=True)}
    assert {r["model"] for r in told.values()} == {"elastic-net Cox"}
    assert told[CHANGE]["estimate"] > 0.6 > told[BASELINE]["lower"]
    assert found.tables["early/lead_time"].height == 0


def test_rows_may_stand_in_any_order_when_a_column_orders_them():
    frame, _, _ = table()
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    one, two = (visits_of(f, options())[0] for f in (frame, shuffled))
    place = [two.subject.index(s) for s in one.subject]
    np.testing.assert_array_equal(one.first, two.first[place])
    np.testing.assert_array_equal(one.second, two.second[place])


def test_order_of_rows_is_taken_when_said_and_doubted_when_nothing_moves():
    frame, _, _ = table()
    by_row = options(visit="", visit_order="row", drop=("visit",))
    visits, _ = visits_of(frame, by_row)
    assert visits.counts["order"].to_list() == ["rows of the table"]
    assert order_finding(visits).verdict == "pass"
    rng = np.random.default_rng(1)
    mixed = frame.with_columns(k=pl.Series(rng.random(frame.height))).sort("subject", "k").drop("k", "day")
    doubtful = order_finding(visits_of(mixed, options(visit="", visit_order="row", drop=("visit",), day=""))[0])
    assert doubtful.verdict == "suspect"
    assert "the visits may not stand in time" in doubtful.got


def test_later_visits_can_be_the_early_one_and_too_few_are_counted():
    frame, _, _ = table()
    short = frame.filter(~((pl.col("subject") == "S3") & (pl.col("visit") == 2)))
    visits, problems = visits_of(short, options(early_visit=3))
    assert "S3" not in visits.subject
    assert [p.got for p in problems] == ["1 of 80 subjects left out: fewer than 3 visits"]
    assert visits.day[0] == 14.0


def test_two_rows_of_one_visit_set_the_subject_aside():
    frame, _, _ = table()
    again = pl.concat([frame, frame.filter((pl.col("subject") == "S5") & (pl.col("visit") == 1))])
    visits, problems = visits_of(again, options())
    assert "S5" not in visits.subject
    assert (problems[0].subject, problems[0].got) == ("S5", "two rows of one 'visit'")


def test_changes():
    first, second = np.array([2.0, -4.0, 0.0, 1.0]), np.array([3.0, -2.0, 1.0, -1.0])
    np.testing.assert_allclose(change_of(first, second, "absolute"), [1, 2, 1, -2])
    np.testing.assert_allclose(change_of(first, second, "relative"), [0.5, 0.5, np.nan, -2])
    np.testing.assert_allclose(change_of(first, second, "log_ratio"), [np.log(1.5), np.nan, np.nan, np.nan])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"visit": ""}, "visit_order = column without visit"),
        ({"visit_order": "row"}, "visit_order = row with visit"),
        ({"early_visit": 1}, "early_visit = 1"),
        ({"split": "bootstrap"}, "split = bootstrap"),
        ({"table": ""}, "table is empty"),
    ],
)
def test_options_that_cannot_be(given, message):
    with pytest.raises(ConfigError, match=message):
        options(**given)


def test_what_is_not_there_is_named():
    frame, pcr, clinical = table(n=20)
    with pytest.raises(ConfigError, match="no column 'week'"):
        visits_of(frame, options(visit="week"))
    with pytest.raises(ConfigError, match="no column 'volume'"):
        visits_of(frame, options(features=("volume",)))
    with pytest.raises(FitError, match="nobody with a baseline and an early visit"):
        visits_of(frame, options(early_visit=5))
    visits, _ = visits_of(frame, options())
    with pytest.raises(ConfigError, match="unknown endpoint 'pfs'"):
        early(visits, [pcr], clinical, options(endpoints=("pfs",)))
    with pytest.raises(ConfigError, match="no clinical column 'sex'"):
        early(visits, [pcr], clinical, options(clinical=("sex",)))


def test_sets_of_features_stand_alone_on_the_same_folds():
    frame, pcr, clinical = table()
    asked = options(sets={"volume": ("size",), "texture": ("tex*", "noise")}, clinical=("age",), permutations=0)
    visits, _ = visits_of(frame, asked)
    found = early(visits, [pcr], clinical, asked).tables
    told = {r["predictors"]: r for r in found["early/performance"].iter_rows(named=True)}
    candidates = {name: told[name]["candidates"] for name in told if " of " in name}
    assert candidates == {
        "baseline of volume": 1,
        "change of volume": 1,
        "baseline and change of volume": 2,
        "baseline of texture": 2,
        "change of texture": 2,
        "baseline and change of texture": 4,
    }
    # Only the change in size tells who responds.
    assert told["change of volume"]["estimate"] > 0.85
    assert told["change of volume"]["lower"] > told["change of texture"]["upper"]
    folds = found["early/predictions"].pivot(on="predictors", index=["subject", "repeat"], values="fold")
    assert all((folds[name] == folds[CHANGE]).all() for name in candidates)
    gap = found["early/comparisons"].filter(first="change of texture", second=CHANGE).row(0, named=True)
    assert gap["estimate"] == pytest.approx(told[CHANGE]["estimate"] - told["change of texture"]["estimate"])
    assert gap["lower"] > 0
    # A set takes nothing from the rows beside it.
    alone = early(visits, [pcr], clinical, options(clinical=("age",), permutations=0)).tables
    kept = found["early/performance"].filter(~pl.col("predictors").is_in(list(candidates)))
    assert kept.equals(alone["early/performance"])


def test_sets_that_cannot_be():
    frame, pcr, clinical = table(n=20)
    visits, _ = visits_of(frame, options())
    with pytest.raises(ConfigError, match="no feature 'volume'") as error:
        early(visits, [pcr], clinical, options(sets={"v": ("volume",)}))
    assert error.value.where == "early.sets.v"
    with pytest.raises(ConfigError, match="sets = "):
        options(sets={"v": ()})
