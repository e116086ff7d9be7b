from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from naive.zones import size_matrix
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from regions import pair, regions

EVERY = FeatureSettings(("glszm",), bin_width=1, resegment_range=(1, None), aggregations=tuple(AGGREGATIONS))


@settings(max_examples=40, deadline=None)
@given(regions(levels=3))
def test_agrees_with_the_naive_twin(region):
    image, mask, spacing = region
    found = extract(*pair(image, mask, spacing), EVERY)
    assert found.problems == ()
    for dimension in ("2d", "2_5d", "3d"):
        for name, value in size_matrix(np.where(mask, image, 0).astype(int), dimension).items():
            assert found.values[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


@settings(max_examples=30, deadline=None)
@given(regions(levels=3))
def test_flips_and_exchanged_axes_change_nothing(region):
    image, mask, spacing = region
    choice = FeatureSettings(("glszm",), bin_width=1, resegment_range=(1, None))
    found = extract(*pair(image, mask, spacing), choice).values
    turned = [(np.flip(image, axis), np.flip(mask, axis)) for axis in range(3)]
    for other in [*turned, (image.transpose(2, 0, 1), mask.transpose(2, 0, 1))]:
        assert extract(*pair(*other, spacing), choice).values == {
            name: pytest.approx(value, rel=1e-9, abs=1e-9) for name, value in found.items()
        }


def test_either_form_of_an_aggregation_asks_for_the_same_column():
    for pick, name in (("2d_avg", "2d"), ("2d_comb", "2d"), ("2_5d_comb", "2_5d"), ("3d_avg", "3d"), ("3d_comb", "3d")):
        choice = FeatureSettings(("glszm",), aggregations=(pick,))
        found = extract(*pair(np.ones((2, 2, 2)), np.ones((2, 2, 2), dtype=bool)), choice).values
        assert len(found) == 16
        assert f"szm_sze_{name}" in found


def test_zones_meet_at_corners_in_3d_and_not_across_slices_in_2d():
    image = np.array([[[1.0, 2.0], [2.0, 2.0]], [[2.0, 2.0], [2.0, 1.0]]])
    found = extract(*pair(image, np.ones(image.shape, dtype=bool)), EVERY).values
    assert found["szm_z_perc_3d"] == 2 / 8
    assert found["szm_z_perc_2_5d"] == 4 / 8
    assert found["szm_lze_3d"] == (4 + 36) / 2
    assert found["szm_lze_2d"] == (1 + 9) / 2


def test_a_long_winding_zone_is_one():
    # A comb: its teeth meet only at the last row, so that early labels must be joined late.
    image = np.zeros((1, 40, 81))
    image[0, :, ::2] = 1.0
    image[0, -1] = 1.0
    found = extract(*pair(image, image > 0), EVERY).values
    assert found["szm_lze_2d"] == float((image > 0).sum()) ** 2
