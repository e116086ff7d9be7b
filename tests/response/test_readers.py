"""Two readers, and measurement error, on planted tables."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from radiolocus.errors import InputError
from radiolocus.response.readers import AGREEMENT, NOISE, measurement_error, reader_agreement


def test_readers_who_agree_and_readers_who_differ_by_a_shift(lesion_rows, lesion_table):
    rng = np.random.default_rng(2)
    sizes = {f"S{k:02d}": [50, *rng.uniform(25, 70, 2).round(1)] for k in range(20)}

    def table(shift):
        return lesion_table(
            *(lesion_rows(s, day=56 * v, T=x + shift) for s, xs in sizes.items() for v, x in enumerate(xs))
        )

    same = reader_agreement(table(0), table(0))
    assert dict(same.schema) == AGREEMENT
    by = {(r["quantity"], r["statistic"]): r for r in same.iter_rows(named=True)}
    assert by["call of visits", "κ"]["estimate"] == 1
    assert by["best response", "observed agreement"]["estimate"] == 1
    assert by["quantity of visits", "bias"]["estimate"] == 0
    shifted = reader_agreement(table(3), table(0))
    by = {(r["quantity"], r["statistic"]): r for r in shifted.iter_rows(named=True)}
    assert by["quantity of visits", "bias"]["estimate"] == pytest.approx(3)
    assert by["quantity of visits", "upper limit of agreement"]["estimate"] == pytest.approx(3)
    assert by["call of visits", "κ"]["n"] == 40
    fewer = reader_agreement(table(0), table(0).filter((pl.col("subject") != "S00") & (pl.col("day") < 112)))
    alone = {r["quantity"]: r["estimate"] for r in fewer.iter_rows(named=True) if r["statistic"] == "number"}
    assert alone == {"subjects of one reader alone": 1, "visits of one reader alone": 22}


def test_the_chance_that_a_call_survives_an_error_is_that_of_the_normal(sums_table):
    # One lesion, 50 then 34 mm: PR holds while 34 + e₂ ≤ 0.7 (50 + e₁), e₂ − 0.7 e₁ ≤ 1, spread 1.5 √1.49.
    found = measurement_error(sums_table({0: 50, 56: 34}), 1.5, draws=2000, seed=4)
    assert dict(found.schema) == NOISE
    expected = norm.cdf(1 / (1.5 * np.sqrt(1 + 0.7**2)))
    assert found["kept"][0] == pytest.approx(expected, abs=3 * np.sqrt(expected * (1 - expected) / 2000))
    assert found["call"].to_list() == ["PR", "PR"]
    assert found["visit"].to_list() == ["day 56", None]


def test_no_error_changes_nothing_and_the_seed_decides(sums_table):
    table = pl.concat(
        [sums_table({0: 50, 56: 34, 112: 0}), sums_table({0: 40, 56: 39}).with_columns(subject=pl.lit("B"))]
    )
    assert measurement_error(table, 0.0, draws=3)["kept"].to_list() == [1.0] * 5
    one, two = (measurement_error(table, 2.0, draws=30, seed=7) for _ in range(2))
    assert one.equals(two)
    assert one.equals(measurement_error(table.reverse(), 2.0, draws=30, seed=7))
    assert one.filter(pl.col("visit") == "day 112")["kept"].to_list() == [1.0]  # what is absent stays absent
    assert not one.equals(measurement_error(table, 2.0, draws=30, seed=8))
    with pytest.raises(InputError, match="at least 1 draw"):
        measurement_error(table, 1.0, draws=0)
