"""Every filter test of IBSI 2, phase 1, one case a row."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from radiolocus.image.filters import apply
from reference import ibsi2

#: Maps that are here; the other rows are checked by the range of their values.
MAPS = 15
#: Rows for which IBSI found no consensus: they have neither map nor range.
NO_CONSENSUS = {"9.b.2", "10.a", "10.b.2"}


def cases(rows):
    known = [pytest.param(r, id=r["test_id"]) for r in rows]
    return known or [pytest.param(None, id="no-reference", marks=pytest.mark.skip("the IBSI 2 table is not here"))]


@cache
def response(test_id):
    row = next(r for r in ibsi2.rows() if r["test_id"] == test_id)
    name, options = ibsi2.recipe(row)
    return apply(ibsi2.phantom(name), options).array


@pytest.mark.parametrize("row", cases([r for r in ibsi2.rows() if r["range"]]))
def test_response_map(row):
    found, spread = response(row["test_id"]), float(row["range"])
    assert np.ptp(found) == pytest.approx(spread, rel=0.01)
    expected = ibsi2.response_map(row)
    if expected is not None:
        assert np.abs(found - expected).max() <= 0.01 * spread


def test_every_row_is_checked(reference):
    reference("ibsi/ibsi2_response_maps")
    rows = ibsi2.rows()
    assert len(rows) == 36
    assert {r["test_id"] for r in rows if not r["range"]} == NO_CONSENSUS
    assert sum(ibsi2.response_map(r) is not None for r in rows) == MAPS


@pytest.mark.parametrize("test_id", sorted(NO_CONSENSUS))
def test_rows_without_consensus_give_a_map(test_id, reference):
    reference("ibsi/ibsi2_digital_phantom")
    found = response(test_id)
    assert np.isfinite(found).all()
    assert np.ptp(found) > 0


def test_alignment_is_exact_where_the_direction_is_known(reference):
    """At a sphere the first axis of the structure tensor is the radius: across it the second derivative is small."""
    reference("ibsi/ibsi2_digital_phantom")
    fixed, aligned = response("9.b.1"), response("9.b.2")
    volume = ibsi2.phantom("sphere").array
    middle = [round(v) for v in np.argwhere(volume > 0).mean(axis=0)]
    along_y = fixed[middle[0], :, middle[2]]
    edge = int(np.abs(along_y).argmax())
    assert abs(aligned[middle[0], edge, middle[2]]) < 0.25 * abs(along_y[edge])
