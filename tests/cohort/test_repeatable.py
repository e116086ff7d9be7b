"""Which phenotypes pass a demand of repeatability."""

from __future__ import annotations

import polars as pl
import pytest

from radiolocus.cohort.repeatable import IccDemand, repeatable
from radiolocus.errors import ConfigError


def _names(*rows):
    return pl.DataFrame(rows, ["predictor", "image", "visit", "roi", "feature"], orient="row")


def _table(*rows):
    columns = ["image", "roi", "visit", "feature", "source", "icc_1_1", "icc_1_1_lower"]
    return pl.DataFrame(rows, columns, orient="row")


NAMES = _names(("CT:a", "CT", "", "GTV", "a"), ("CT:b", "CT", "", "GTV", "b"), ("CT:c", "CT", "", "GTV", "c"))
TABLE = _table(
    ("CT", "GTV", "", "a", "perturbation", 0.90, 0.80),
    ("CT", "GTV", "", "b", "perturbation", 0.85, 0.75),
    ("CT", "GTV", "", "c", "perturbation", None, None),
    ("CT", "ring", "", "b", "perturbation", 0.99, 0.99),
    ("PT", "GTV", "", "b", "perturbation", 0.99, 0.99),
)


@pytest.mark.parametrize(
    ("least", "by", "kept"),
    [
        (0.80, "lower", ["CT:a"]),
        (0.81, "lower", []),
        (0.75, "lower", ["CT:a", "CT:b"]),
        (0.85, "estimate", ["CT:a", "CT:b"]),
        (0.86, "estimate", ["CT:a"]),
    ],
)
def test_the_end_of_the_interval_or_the_estimate_is_held_to_the_demand(least, by, kept):
    found, dropped = repeatable(NAMES, TABLE, IccDemand(icc_min=least, icc_by=by))
    assert found == kept
    assert list(dropped) == [n for n in NAMES["predictor"] if n not in kept]


def test_the_reason_names_number_and_source():
    _, dropped = repeatable(NAMES, TABLE, IccDemand(icc_min=0.8))
    assert dropped["CT:b"] == "lower end of the interval of ICC(1,1) below 0.8 (perturbation)"
    assert dropped["CT:c"] == "no ICC to compare with 0.8 (perturbation)"
    _, dropped = repeatable(NAMES, TABLE, IccDemand(icc_min=0.87, icc_by="estimate"))
    assert dropped["CT:b"] == "ICC(1,1) below 0.87 (perturbation)"


def test_every_source_must_reach_it():
    table = pl.concat([TABLE, _table(("CT", "GTV", "", "a", "retest", 0.7, 0.4))])
    kept, dropped = repeatable(NAMES, table, IccDemand(icc_min=0.5))
    assert kept == ["CT:b"]
    assert dropped["CT:a"].endswith("(retest)")


def test_a_visit_without_rows_of_its_own_is_held_to_those_of_the_others():
    names = _names(*((f"CT@{v}:a", "CT", v, "GTV", "a") for v in ("test", "week 8")))
    table = _table(("CT", "GTV", "test", "a", "retest", 0.9, 0.8))
    assert repeatable(names, table, IccDemand(icc_min=0.7))[0] == ["CT@test:a", "CT@week 8:a"]
    table = pl.concat([table, _table(("CT", "GTV", "week 8", "a", "perturbation", 0.3, 0.1))])
    assert repeatable(names, table, IccDemand(icc_min=0.7))[0] == ["CT@test:a"]


def test_a_feature_that_nobody_measured_again_does_not_pass():
    kept, dropped = repeatable(_names(("MR:a", "MR", "", "GTV", "a")), TABLE, IccDemand(icc_min=0.1))
    assert kept == []
    assert dropped == {"MR:a": "no ICC to compare with 0.1"}


@pytest.mark.parametrize(
    ("keys", "got", "allowed"),
    [
        ({"icc_min": 0.0}, "icc_min = 0.0", "between 0 and 1"),
        ({"icc_min": 1.0}, "icc_min = 1.0", "between 0 and 1"),
        ({"icc_min": float("nan")}, "icc_min = nan", "between 0 and 1"),
        ({"icc_by": "upper"}, "icc_by = 'upper'", "lower, estimate"),
    ],
)
def test_demands_that_make_no_sense_are_refused(keys, got, allowed):
    with pytest.raises(ConfigError) as error:
        IccDemand(**keys).check_icc("link")
    assert error.value.got == got
    assert error.value.where == "link"
    assert allowed in error.value.allowed
    IccDemand(icc_min=0.5).check_icc("link")
