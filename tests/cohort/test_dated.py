"""Endpoints from dates: each rule on one table, and every contradiction by its subject."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from radiolocus.cohort import CohortOptions, DateOptions, EndpointOptions, SourceTable, build
from radiolocus.errors import ConfigError
from radiolocus.read.clinical import read_table

ZERO = dt.date(2010, 1, 1)
#: Days since time zero of five subjects: recurrence and death; death; recurrence, alive; alive; metastasis, then death.
DAYS = {
    "rec": [100, None, 50, None, None],
    "met": [None, None, None, None, 80],
    "dead": [300, 200, None, None, 90],
    "last": [290, 200, 400, 500, 90],
}
DATES = DateOptions(baseline="zero", recurrence="rec", metastasis="met", death="dead", last="last")


def day(number):
    return None if number is None else (ZERO + dt.timedelta(days=number)).isoformat()


def table(**changes):
    columns = {name: [day(d) for d in values] for name, values in DAYS.items()}
    n = len(DAYS["rec"])
    return {"zero": [ZERO.isoformat()] * n, "cause": ["cancer", "heart", None, None, "cancer"], **columns, **changes}


def cohort(columns, dates=DATES, **endpoints):
    n = len(next(iter(columns.values())))
    frame = pl.DataFrame({"id": [f"S{i}" for i in range(n)], **columns}, strict=False)
    options = CohortOptions(id="id", endpoints=endpoints, dates=dates)
    return build([SourceTable("t.csv", frame, range(2, n + 2))], options)


def aside(found):
    return [(p.subject, p.got) for p in found.problems if p.severity == "set aside"]


@pytest.mark.parametrize(
    ("kind", "rule", "more", "time", "state"),
    [
        ("survival", "overall", {}, [300, 200, 400, 500, 90], [1, 1, 0, 0, 1]),
        ("survival", "recurrence", {}, [100, 200, 50, 500, 90], [1, 0, 1, 0, 0]),
        ("competing", "recurrence", {}, [100, 200, 50, 500, 90], [1, 2, 1, 0, 2]),
        ("survival", "recurrence_free", {}, [100, 200, 50, 500, 90], [1, 1, 1, 0, 1]),
        ("competing", "metastasis", {}, [300, 200, 400, 500, 80], [2, 2, 0, 0, 1]),
        ("survival", "disease_free", {}, [100, 200, 50, 500, 80], [1, 1, 1, 0, 1]),
        ("survival", "first", {"events": ("recurrence", "metastasis")}, [100, 200, 50, 500, 80], [1, 0, 1, 0, 1]),
        ("survival", "first", {"events": ("metastasis", "death")}, [300, 200, 400, 500, 80], [1, 1, 0, 0, 1]),
        ("survival", "cause_specific", {"cause_values": ("cancer",)}, [300, 200, 400, 500, 90], [1, 0, 0, 0, 1]),
        ("competing", "cause_specific", {"cause_values": ("cancer",)}, [300, 200, 400, 500, 90], [1, 2, 0, 0, 1]),
    ],
)
def test_each_rule(kind, rule, more, time, state):
    dates = DateOptions(**{**DATES.__dict__, "cause": "cause"})
    found = cohort(table(), dates, x=EndpointOptions(kind, rule=rule, unit="months", **more))
    (endpoint,) = found.endpoints
    np.testing.assert_allclose(endpoint.time, np.array(time) / 30.4375)
    np.testing.assert_array_equal(endpoint.state if kind == "competing" else endpoint.event, state)
    np.testing.assert_array_equal(endpoint.event, np.array(state) == 1)
    assert (endpoint.kind, endpoint.unit) == (kind, "months")
    assert not aside(found)


def test_numbers_since_time_zero_need_no_baseline_and_give_the_same():
    dates = DateOptions(recurrence="rec", death="dead", last="last")
    rule = EndpointOptions("competing", rule="recurrence", unit="days")
    numbers, dated = cohort(DAYS, dates, x=rule).endpoints[0], cohort(table(), x=rule).endpoints[0]
    np.testing.assert_array_equal(numbers.time, dated.time)
    np.testing.assert_array_equal(numbers.state, dated.state)


@pytest.mark.parametrize(
    ("changes", "got"),
    [
        ({"rec": [day(-3), None, None, None, None]}, "recurrence 3 before time zero"),
        ({"rec": [day(301), None, None, None, None]}, "recurrence 1 after death"),
        ({"last": [day(302), *[day(500)] * 4]}, "last seen 2 after death"),
        ({"zero": [None, *[ZERO.isoformat()] * 4]}, "no date of time zero"),
        ({"rec": ["spring 2011", None, None, None, None]}, "'spring 2011' for recurrence"),
        ({"dead": [None] * 5, "last": [day(99), *[day(500)] * 4]}, "recurrence 1 after the subject was last seen"),
        (
            {"rec": [None] * 5, "dead": [None] * 5, "last": [None, *[day(500)] * 4]},
            "no event, and no date when last seen",
        ),
    ],
)
def test_dates_out_of_order_set_the_subject_aside(changes, got):
    found = cohort(table(**changes), x=EndpointOptions("survival", rule="recurrence"))
    assert ("S0", got) in aside(found)
    assert np.isnan(found.endpoints[0].time[0])
    assert np.isnan(found.endpoints[0].event[0])
    assert np.isfinite(found.endpoints[0].time[3])


def test_columns_that_say_what_happened_are_held_against_the_dates():
    columns = table() | {"status": ["yes", "no", "no", "yes", "no"], "vital": ["dead", "alive", "alive", None, "dead"]}
    dates = DateOptions(**{**DATES.__dict__, "vital": "vital", "dead_values": ("dead",)})
    rule = EndpointOptions("survival", "status", ("yes",), rule="recurrence")
    assert aside(cohort(columns, dates, x=rule)) == [
        ("S1", "lives, and there is a date of death"),
        ("S2", "'recurrence' has a date, and 'status' says it did not happen"),
        ("S3", "'status' says that the event happened, and it has no date"),
    ]
    one = DateOptions(baseline="zero", death="last", last="last", vital="vital", dead_values=("dead",))
    endpoint = cohort(columns, one, x=EndpointOptions("survival", rule="overall")).endpoints[0]
    np.testing.assert_array_equal(endpoint.event[[0, 1, 2, 4]], [1, 0, 0, 1])


def test_delayed_entry_is_left_truncation():
    columns = table() | {"in": [day(-10), day(20), day(50), None, day(80)]}
    dates = DateOptions(**{**DATES.__dict__, "entry": "in"})
    found = cohort(columns, dates, x=EndpointOptions("survival", rule="recurrence", delayed_entry=True))
    np.testing.assert_array_equal(found.endpoints[0].entry, [-10, 20, np.nan, np.nan, 80])
    assert aside(found) == [
        ("S2", "entry at 50, not before the end of observation at 50"),
        ("S3", "no date of entry"),
    ]


def test_mistakes_of_the_study_file():
    for options, got in (
        ({"kind": "survival", "rule": "progression"}, "needs the date of 'progression'"),
        ({"kind": "survival", "rule": "first", "events": ("relapse",)}, "needs the date of 'relapse'"),
        ({"kind": "survival", "rule": "overall", "delayed_entry": True}, "needs the date of 'entry'"),
        ({"kind": "survival", "rule": "overall", "unit": "moons"}, "unit = 'moons' of dates"),
        ({"kind": "competing", "rule": "overall"}, "nothing competes with"),
        ({"kind": "binary", "rule": "overall"}, "kind = 'binary' by rule"),
        ({"kind": "survival", "rule": "cause_specific"}, "cause_values"),
        ({"kind": "survival", "rule": "overall", "time": "t"}, "time beside a rule"),
        ({"kind": "survival", "rule": "overall", "event": "t"}, "event beside the rule"),
    ):
        with pytest.raises(ConfigError, match=got):
            cohort(table(), x=EndpointOptions(**options))
    with pytest.raises(ConfigError, match=r"cohort.dates.death: no column 'deda'"):
        cohort(
            table(),
            DateOptions(baseline="zero", death="deda", last="last"),
            x=EndpointOptions("survival", rule="overall"),
        )
    mixed = table() | {"dead": [300.0, 200.0, None, None, 90.0]}
    with pytest.raises(ConfigError, match="column 'dead' holds numbers"):
        cohort(mixed, x=EndpointOptions("survival", rule="overall"))


def test_lung_cancer_dates(data):
    """The published table holds the time to death itself, from the scan or operation on: the rule finds the same."""
    read = read_table(data("nsclc_radiogenomics/NSCLCR01Radiogenomic_labels_211x40.csv"), id_column="Patient ID")
    options = CohortOptions(
        id="Patient ID",
        dates=DateOptions(
            baseline="CT Date",
            recurrence="Date of Recurrence",
            death="Date of Death",
            last="Date of Last Known Alive",
            vital="Survival Status",
            dead_values=("Dead",),
            format="%m/%d/%Y",
        ),
        endpoints={
            "overall": EndpointOptions("survival", rule="overall"),
            "recurrence": EndpointOptions("competing", "Recurrence", ("yes",), ("no",), rule="recurrence"),
            "free": EndpointOptions("survival", "Recurrence", ("yes",), ("no",), rule="recurrence_free", unit="years"),
        },
    )
    found = build([SourceTable(read.source, read.frame, read.row_number)], options)
    overall, recurrence, free = found.endpoints
    died = overall.event == 1
    told = read.frame["Time to Death (days)"].cast(pl.Float64, strict=False).to_numpy()
    order = [read.frame["Patient ID"].to_list().index(s) for s in found.subjects]
    gap = read.frame["Days between CT and surgery"].cast(pl.Float64, strict=False).to_numpy()[order]
    both = died & np.isfinite(told[order]) & np.isfinite(gap)
    assert both.sum() > 55
    # The published numbers of days do not always follow from the published dates.
    assert np.mean(overall.time[both] - gap[both] == told[order][both]) > 0.7
    assert np.bincount(recurrence.state[np.isfinite(recurrence.state)].astype(int)).tolist() == [122, 53, 34]
    np.testing.assert_allclose(free.time, recurrence.time / 365.25)
    assert np.nansum(free.event) == 53 + 34
    assert ("R01-122", "recurrence 308 after the subject was last seen") in aside(found)
