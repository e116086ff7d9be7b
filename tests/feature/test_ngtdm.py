from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from naive.neighbours import tone_difference
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from regions import pair, regions

EVERY = FeatureSettings(("ngtdm",), bin_width=1, resegment_range=(1, None), aggregations=tuple(AGGREGATIONS))


@settings(max_examples=60, deadline=None)
@given(regions())
def test_agrees_with_the_naive_twin(region):
    image, mask, spacing = region
    found = extract(*pair(image, mask, spacing), EVERY).values
    for dimension in ("2d", "2_5d", "3d"):
        for name, value in tone_difference(np.where(mask, image, 0).astype(int), dimension).items():
            assert found[name] == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9)), name


def test_one_voxel_has_no_neighbourhood():
    found = extract(*pair(np.ones((3, 3, 3)), np.arange(27).reshape(3, 3, 3) == 13), EVERY)
    assert set(found.values.values()) == {None}
    reasons = {p.item: p for p in found.problems}
    assert set(reasons) == set(found.values)
    assert "no voxel of the intensity mask (1 voxels) has a neighbour" in reasons["ngt_contrast_3d"].got
    assert "within its slice" in reasons["ngt_contrast_2d"].got
    assert reasons["ngt_contrast_2d"].allowed == "at least two neighbouring voxels"


def test_a_lonely_voxel_is_left_out():
    image, mask = np.array([[[1.0, 2.0, 9.0, 9.0]]]), np.array([[[True, True, False, True]]])
    with_it, without = (extract(*pair(image, m), EVERY).values for m in (mask, mask & (image < 9)))
    assert with_it == without


def test_one_grey_level_has_the_values_of_the_manual():
    found = extract(*pair(np.full((3, 3, 3), 7.0), np.ones((3, 3, 3), dtype=bool)), EVERY)
    assert found.problems == ()
    for dimension in ("2d", "2_5d", "3d"):
        assert found.values[f"ngt_coarseness_{dimension}"] == 1e6
        for name in ("contrast", "busyness", "complexity", "strength"):
            assert found.values[f"ngt_{name}_{dimension}"] == 0.0


def test_equal_products_leave_no_busyness():
    # Four voxels of level 1, two of level 2: i p_i is 2/3 for both.
    found = extract(*pair([[[1.0, 1, 2, 1, 1, 2]]], np.ones((1, 1, 6), dtype=bool)), EVERY)
    assert found.values["ngt_busyness_3d"] is None
    assert {p.item for p in found.problems} == {f"ngt_busyness_{d}" for d in ("2d", "2_5d", "3d")}
    assert "their differences are 0" in found.problems[0].got
    assert found.values["ngt_contrast_3d"] > 0


def test_a_slice_without_busyness_is_left_out_of_the_average():
    row = np.array([[1.0, 1, 2, 1, 1, 2]])
    image = np.stack([row, row[:, ::-1] + (np.arange(6) == 3)])
    choice = FeatureSettings(("ngtdm",), bin_width=1, resegment_range=(1, None), aggregations=("2d_avg",))
    both = extract(*pair(image, np.ones(image.shape, dtype=bool)), choice).values["ngt_busyness_2d"]
    alone = extract(*pair(image[1:], np.ones((1, 1, 6), dtype=bool)), choice).values["ngt_busyness_2d"]
    assert both == alone > 0
