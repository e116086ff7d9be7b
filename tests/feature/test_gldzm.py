from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from naive.zones import distance_matrix
from radiolocus.feature.core import AGGREGATIONS
from radiolocus.feature.extract import extract
from radiolocus.feature.settings import FeatureSettings
from regions import pair, regions

AGGREGATED = tuple(AGGREGATIONS)


@settings(max_examples=40, deadline=None)
@given(regions(levels=3), st.booleans())
def test_agrees_with_the_naive_twin(region, resegmented):
    image, mask, spacing = region
    top = image[mask].max() - 0.5 if resegmented and np.ptp(image[mask]) else None
    choice = FeatureSettings(("gldzm",), bin_width=1, resegment_range=(1, top), aggregations=AGGREGATED)
    kept = mask & (image <= (np.inf if top is None else top))
    found = extract(*pair(image, mask, spacing), choice)
    assert found.problems == ()
    for dimension in ("2d", "2_5d", "3d"):
        for name, value in distance_matrix(np.where(kept, image, 0).astype(int), mask, dimension).items():
            assert found.values[name] == pytest.approx(value, rel=1e-9, abs=1e-9), name


def test_what_resegmentation_dropped_is_no_border():
    image = np.ones((5, 5, 5))
    image[2, 2, 1] = 900.0
    mask = np.ones(image.shape, dtype=bool)
    image[2, 2, 2] = 5.0
    choice = FeatureSettings(("gldzm",), bin_width=1, resegment_range=(1, 100), aggregations=("2d_avg", "3d_avg"))
    found = extract(*pair(image, mask), choice).values
    # The zone of level 5 lies three faces deep, beside the hole that re-segmentation left.
    assert found["dzm_lde_3d"] == (1 + 9) / 2
    assert found["dzm_lde_2d"] == pytest.approx((4 * 1 + (1 + 9) / 2) / 5)


def test_the_edge_of_the_image_is_a_border():
    image = np.ones((3, 3, 3))
    image[0, 1, 1] = 2.0
    choice = FeatureSettings(("gldzm",), bin_width=1, resegment_range=(1, None))
    assert extract(*pair(image, np.ones(image.shape, dtype=bool)), choice).values["dzm_lde_3d"] == 1.0


@settings(max_examples=30, deadline=None)
@given(regions(levels=3))
def test_room_around_the_region_changes_nothing(region):
    image, mask, spacing = region
    choice = FeatureSettings(("gldzm",), bin_width=1, resegment_range=(2, None), aggregations=AGGREGATED)
    if not (mask & (image >= 2)).any():
        return
    widths = ((2, 1), (0, 3), (1, 0))
    moved = extract(*pair(np.pad(image, widths), np.pad(mask, widths), spacing), choice)
    assert moved.values == extract(*pair(image, mask, spacing), choice).values
