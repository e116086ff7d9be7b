"""Rows of a table of treatments held against the markers of a patient."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from radiolocus.molecular.treatments import match_treatments
from radiolocus.read.treatments import Condition, Treatment, TreatmentTable

DAY = dt.date(2026, 11, 1)
DICTIONARY = pl.DataFrame(
    {
        "marker": ["mut:EGFR", "tmb", "PDL1", "pdl1", "stage"],
        "kind": ["binary", "continuous", "continuous", "continuous", "ordinal"],
        "unit": ["", "1/Mb", "%", "", ""],
    }
)


def status(markers, when, unit="", **values):
    row = Treatment(markers, when, "t", "x", "sensitivity", "trial", "s", DAY, unit)
    (found,) = match_treatments(TreatmentTable("1", DAY, "", (row,)), values, DICTIONARY)
    return found


PRESENT, TEN = Condition("present", "present"), Condition(">= 10", ">=", 10.0)


@pytest.mark.parametrize(("value", "told"), [(1.0, "met"), (0.0, "not met"), (None, "not measured")])
def test_a_marker_of_two_values(value, told):
    assert status(("mut:EGFR",), PRESENT, **{"mut:EGFR": value}).status == told


def test_the_first_name_that_the_study_has_counts():
    found = status(("hot:EGFR", "MUT:egfr"), PRESENT, **{"mut:EGFR": 1.0})
    assert (found.status, found.marker, found.value) == ("met", "mut:EGFR", 1.0)
    # two markers differ by case alone: neither is meant for sure
    assert status(("Pdl1",), TEN, "%", PDL1=20.0).status == "not in the study"
    assert status(("PDL1",), TEN, "%", PDL1=20.0).status == "met"


def test_numbers_are_compared_in_one_unit_alone():
    assert status(("tmb",), TEN, "1/Mb", tmb=10.0).status == "met"
    assert status(("tmb",), TEN, "1/Mb", tmb=9.9).status == "not met"
    found = status(("tmb",), TEN, "per exome", tmb=300.0)
    assert (found.status, found.why) == ("not comparable", "the study has '1/Mb', the table 'per exome'")
    found = status(("stage",), PRESENT, stage=1.0)
    assert (found.status, found.why) == ("not comparable", "the marker is ordinal: compare a number")


def test_a_marker_that_the_study_lacks_is_no_absence():
    assert status(("fus:ALK",), Condition("absent", "absent")).status == "not in the study"
