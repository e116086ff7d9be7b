"""What lines of treatment make doubtful."""

import polars as pl
import pytest

from radiolocus.response.therapy import therapy_remarks

LINES = {"subject": pl.String, "line": pl.String, "treatment": pl.String, "start": pl.Float64, "end": pl.Float64}


def remarks(*lines, progression=None, last=200.0, counted=False, calls=None):
    given = pl.DataFrame([("A", None, *line) for line in lines], schema=LINES, orient="row")
    best = pl.DataFrame(
        [("A", progression, last)],
        schema={"subject": pl.String, "progression_day": pl.Float64, "last_day": pl.Float64},
        orient="row",
    )
    calls = calls or {112.0: "SD" if progression is None else "PD"}
    visits = pl.DataFrame(
        [("A", f"V{day:g}", day, call) for day, call in calls.items()],
        schema={"subject": pl.String, "visit": pl.String, "day": pl.Float64, "overall_response": pl.String},
        orient="row",
    )
    return therapy_remarks(given, best, visits, where="lines.csv", counted=counted)


@pytest.mark.parametrize(
    ("lines", "progression", "expected"),
    [
        ([("x", 1.0, 120.0)], 112.0, []),
        ([("x", 1.0, 150.0)], 112.0, ["x went on 38 days beyond progression (day 112)"]),
        ([("x", 1.0, None)], 112.0, ["x went on 88 days beyond progression (day 112)"]),
        ([("x", 1.0, None)], None, []),
        ([("x", 1.0, 110.0), ("y", 120.0, None)], 112.0, []),
        (
            [("x", 1.0, 80.0), ("y", 90.0, None)],
            112.0,
            ["y began on day 90, before progression: what was seen afterwards was counted"],
        ),
    ],
)
def test_treatment_beyond_progression_and_another_before_it_are_told(lines, progression, expected):
    told = remarks(*lines, progression=progression)
    assert [p.got for p in told] == expected
    assert {p.severity for p in told} <= {"note"}


def test_nothing_is_said_where_the_lesion_table_tells_the_other_treatment():
    lines = [("x", 1.0, 80.0), ("y", 90.0, None)]
    assert remarks(*lines, progression=112.0, counted=True) == ()


def test_visits_after_progression_under_the_same_treatment_are_set_aside_by_name():
    calls = {56.0: "SD", 112.0: "PD", 168.0: "PR", 224.0: "PD"}
    (told,) = remarks(("x", 1.0, 230.0), progression=112.0, calls=calls)
    assert (told.severity, told.where, told.subject, told.item) == ("set aside", "lines.csv", "A", "visit V168, V224")
    assert told.got == "x went on 118 days beyond progression (day 112); visits after it were set aside: V168, V224"


def test_treatment_beyond_a_progression_that_waits_for_confirmation_is_legitimate():
    """iRECIST: treatment goes on beyond iUPD, whose day dates the progression, and ends with iCPD."""
    waits = {56.0: "iSD", 112.0: "iUPD", 168.0: "iUPD", 224.0: "iSD"}
    assert remarks(("x", 1.0, 230.0), progression=112.0, calls=waits) == ()
    confirmed = {112.0: "iUPD", 140.0: "iCPD", 196.0: "iCPD"}
    assert remarks(("x", 1.0, 160.0), progression=112.0, calls=confirmed) == ()
    (told,) = remarks(("x", 1.0, 196.0), progression=112.0, calls=confirmed)
    assert told.got.startswith("x went on 56 days beyond progression (day 140)")
