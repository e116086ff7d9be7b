"""Measures of a visit over its lesions."""

import polars as pl
import pytest

from radiolocus.response.function import VISIT_MEASURES, visit_measures

COLUMNS = ("subject", "visit", "day", "lesion", "status", "volume_ml", "uptake", "adc", "hypoxic_fraction")


def measured(*rows):
    frame = pl.DataFrame([("A", *r) for r in rows], schema=COLUMNS, orient="row")
    numbers = [pl.col(c).cast(pl.Float64) for c in ("day", *COLUMNS[5:])]
    found = visit_measures(frame.with_columns(numbers))
    return {(m, v): x for m, v, x in found.select("measure", "visit", "value").rows()}


BASE = [("b", 0, "T1", "present", 10, 8, 1000, 0.5), ("b", 0, "T2", "present", 30, 4, 1200, 0.1)]


def test_sums_hottest_and_means():
    found = measured(*BASE)
    assert found[("volume", "b")] == 40
    assert found[("uptake", "b")] == 8
    assert found[("adc", "b")] == 1100
    assert found[("hypoxic_fraction", "b")] == pytest.approx(0.2)
    assert {m for m, _ in found} == {"volume", "uptake", "adc", "hypoxic_fraction"}


def test_a_lesion_that_has_gone_adds_nothing_and_takes_no_part_in_a_mean():
    found = measured(
        *BASE, ("w", 7, "T1", "absent", None, None, None, None), ("w", 7, "T2", "present", 20, 3, 1300, 0.2)
    )
    assert [found[(m, "w")] for m in ("volume", "uptake", "adc", "hypoxic_fraction")] == [20, 3, 1300, 0.2]


def test_a_lesion_that_was_not_measured_leaves_no_value():
    found = measured(*BASE, ("w", 7, "T1", "present", None, 9, None, None), ("w", 7, "T2", "present", 20, 3, 1300, 0.2))
    assert [found[(m, "w")] for m in ("volume", "uptake", "adc")] == [None, 9, None]
    left_out = measured(*BASE, ("w", 7, "T2", "present", 20, 3, 1300, 0.2))
    assert left_out[("volume", "w")] is None


def test_a_new_lesion_counts_for_the_hottest_alone():
    rows = [("w", 7, "T1", "present", 10, 8, 1000, 0.5), ("w", 7, "T2", "present", 30, 4, 1200, 0.1)]
    found = measured(*BASE, *rows, ("w", 7, "N1", "present", 5, 20, 900, 0.9))
    assert [found[(m, "w")] for m in ("volume", "uptake", "adc")] == [40, 20, 1100]


def test_every_measure_says_what_it_is():
    for name, measure in VISIT_MEASURES.items():
        assert name
        assert measure.meaning
        assert measure.unit
