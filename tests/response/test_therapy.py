"""What lines of treatment make doubtful."""

import polars as pl
import pytest

from radiolocus.response.therapy import therapy_remarks

LINES = {"subject": pl.String, "line": pl.String, "treatment": pl.String, "start": pl.Float64, "end": pl.Float64}


def remarks(*lines, progression=None, last=200.0, counted=False):
    given = pl.DataFrame([("A", None, *line) for line in lines], schema=LINES, orient="row")
    best = pl.DataFrame(
        [("A", progression, last)],
        schema={"subject": pl.String, "progression_day": pl.Float64, "last_day": pl.Float64},
        orient="row",
    )
    return [p.got for p in therapy_remarks(given, best, where="lines.csv", counted=counted)]


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
    assert remarks(*lines, progression=progression) == expected


def test_nothing_is_said_where_the_lesion_table_tells_the_other_treatment():
    lines = [("x", 1.0, 80.0), ("y", 90.0, None)]
    assert remarks(*lines, progression=112.0, counted=True) == []
